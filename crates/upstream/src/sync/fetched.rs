//! Synchronization: what a run says of its files, those that did not come above all. Pure.

use super::SyncError;
use crate::content::{ContentError, ContentReport};
use sluicegate_store::hierarchy::Awaited;

/// What came of a run's files.
pub(super) struct Judged {
    /// A failure that would have met every file, or that none came since nobody could be reached.
    pub(super) outcome: Result<(), SyncError>,
    /// What there is to say besides.
    pub(super) warnings: Vec<String>,
    /// The run goes well, and what it was cut off from may be there again soon.
    pub(super) try_soon: bool,
}

/// What nobody says the place of, would be at the upstream if that kept files.
pub(super) fn blame_upstream(report: &mut ContentReport, upstream: &str) {
    for failed in &mut report.failed {
        if let ContentError::NoSource { name } = &failed.error {
            failed.error = ContentError::KeptNowhere { name: name.clone(), upstream: upstream.to_owned() };
        }
    }
}

/// A file that does not come is worth a warning; when none came because nobody could be reached, the run failed. `whose`
/// is the update of the first file for which there is no room.
pub(super) fn judge(report: ContentReport, whose: Option<&str>) -> Judged {
    let ContentReport { fetched, not_there, failed, not_begun, way_lost, .. } = report;
    let of = Counted {
        came: fetched.len(),
        failed: failed.len(),
        not_begun: not_begun.len(),
        wanted: fetched.len() + not_there.len() + failed.len() + not_begun.len(),
    };
    let (unfit, failed): (Vec<_>, Vec<_>) = failed.into_iter().partition(|one| one.error.does_not_fit());
    let nothing_came = fetched.is_empty() && not_there.is_empty();
    let wrong_way = nothing_came && failed.iter().all(|one| one.error.concerns_the_way());
    let mut warnings = Vec::new();
    if let Some(first) = unfit.first() {
        let whose = whose.map(|update| format!(" is of `{update}`")).unwrap_or_default();
        let does = if unfit.len() == 1 { "does" } else { "do" };
        let (unfit, wanted) = (unfit.len(), files(of.wanted));
        warnings.push(format!(
            "{unfit} of {wanted} {does} not fit on the disk; the first{whose}: {}",
            first.error
        ));
    }
    let full = failed.iter().chain(&unfit).any(|one| one.error.concerns_all());
    if full || wrong_way && !failed.is_empty() {
        if of.not_begun > 0 {
            warnings.push(of.sentence());
        }
        let worst = failed
            .into_iter()
            .chain(unfit)
            .max_by_key(|one| (one.error.concerns_all(), !one.error.does_not_fit()));
        let outcome = worst.map_or(Ok(()), |failed| Err(SyncError::Content(Box::new(failed.error))));
        return Judged { outcome, warnings, try_soon: false };
    }
    let by_the_way = failed.iter().rev().find(|one| one.error.concerns_the_way());
    match (failed.first(), by_the_way.filter(|_| way_lost)) {
        (_, Some(last)) => warnings.push(format!(
            "{}, since nobody could be reached any more; another synchronization tries them again, soon where a schedule \
             is set; the last: {}",
            of.sentence(),
            last.error
        )),
        (Some(first), None) => warnings.push(format!(
            "{} of {} did not come and {} tried again with a later synchronization; the first: {}",
            failed.len(),
            files(of.wanted),
            if failed.len() == 1 { "is" } else { "are" },
            first.error
        )),
        (None, None) => {}
    }
    Judged { outcome: Ok(()), warnings, try_soon: way_lost }
}

/// How many files of a run came to what.
struct Counted {
    came: usize,
    failed: usize,
    not_begun: usize,
    wanted: usize,
}

impl Counted {
    /// `2 of 29 files came, 4 failed, and the other 23 were not tried`.
    fn sentence(&self) -> String {
        let Self { came, failed, not_begun, wanted } = self;
        match not_begun {
            0 => format!("{came} of {} came, and {failed} failed", files(*wanted)),
            1 => format!("{came} of {} came, {failed} failed, and 1 was not tried", files(*wanted)),
            _ => {
                format!("{came} of {} came, {failed} failed, and {not_begun} were not tried", files(*wanted))
            }
        }
    }
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

/// What to do when the upstream has no update that files belong to: waiting does not help.
pub(super) fn no_update_of(files: usize, upstream: &str) -> String {
    let (which, them) = match files {
        1 => ("the update of a file that is wanted here".to_owned(), "it"),
        many => (format!("the updates of {many} files that are wanted here"), "them"),
    };
    format!(
        "{upstream} does not have {which}, never had or has removed it, and does not fetch {them}; add {them} here with \
         `sluicegate content add`, bring the update there (by its synchronization or an import), have files fetched from \
         Microsoft, or take back what approves the update here"
    )
}

/// What to do about files that the upstream does not come to have.
pub(super) fn still_awaited(awaited: Awaited) -> String {
    let files = awaited.files;
    let are = if files == 1 { "1 file is".to_owned() } else { format!("{files} files are") };
    format!(
        "{are} wanted here and not at the upstream yet, which was first asked at {}; when it does not fetch them, its \
         administrator has to add them there with `sluicegate content add`, or they are added here \
         with `sluicegate content add`",
        awaited.since.iso()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::FailedFile;
    use crate::transport::{Failure, Peer, TransportError};
    use sluicegate_store::StoreError;
    use sluicegate_terms::Sha1Digest;

    fn failed(failure: Failure) -> FailedFile {
        let url = "http://files.example:8530/Content/a.cab".parse().unwrap();
        let source = TransportError::new(&url, None, failure);
        let error = ContentError::Transport { name: "a.cab".to_owned(), source };
        FailedFile { sha1: Sha1Digest([1; 20]), error }
    }

    fn refused() -> FailedFile {
        failed(Failure::Refused { whose: Peer::Server })
    }

    #[test]
    fn an_upstream_that_keeps_no_files_is_named_where_nobody_says_where_one_is() {
        let error = ContentError::NoSource { name: "a.cab".to_owned() };
        let other = failed(Failure::NotFound);
        let failed = vec![FailedFile { sha1: Sha1Digest([1; 20]), error }, other];
        let mut report = ContentReport { failed, ..Default::default() };
        blame_upstream(&mut report, "http://parent:8530");
        let [said, other] = [0, 1].map(|n| report.failed[n].error.to_string());
        assert!(
            said.contains("http://parent:8530 keeps no files") && said.contains("content never"),
            "{said}"
        );
        assert!(!other.contains("keeps no files"), "{other}");
        assert_eq!(report.failed[0].error.code(), "ContentError/NoSource");
    }

    #[test]
    fn a_run_fails_when_nobody_could_be_reached_for_any_file() {
        let report = ContentReport { failed: vec![refused(), refused()], ..Default::default() };
        let error = judge(report, None).outcome.unwrap_err();
        assert_eq!(error.code(), "UssCommunicationError/ConnectionRefused");
        assert!(error.is_transient(), "so it is tried again soon");
        let nothing = judge(ContentReport::default(), None);
        assert!(nothing.outcome.is_ok() && nothing.warnings.is_empty() && !nothing.try_soon);
    }

    #[test]
    fn what_did_not_come_beside_others_is_a_warning_that_says_why() {
        let came = vec![Sha1Digest([2; 20])];
        for report in [
            ContentReport { failed: vec![refused()], fetched: came.clone(), ..Default::default() },
            ContentReport { failed: vec![refused()], not_there: came, ..Default::default() },
            ContentReport { failed: vec![failed(Failure::NotFound), refused()], ..Default::default() },
        ] {
            let count = report.failed.len();
            let judged = judge(report, None);
            assert!(judged.outcome.is_ok() && !judged.try_soon);
            let warning = judged.warnings.concat();
            assert!(warning.starts_with(&format!("{count} of 2 files did not come")), "{warning}");
            assert!(warning.contains("`a.cab`"), "{warning}");
        }
    }

    #[test]
    fn what_meets_every_file_fails_the_run_whatever_came() {
        let full = Failure::Settings { reason: "the CA file is gone".to_owned() };
        let failed = vec![refused(), failed(full)];
        let report = ContentReport { failed, fetched: vec![Sha1Digest([2; 20])], ..Default::default() };
        assert_eq!(judge(report, None).outcome.unwrap_err().code(), "LocalError/TransportSettings");
    }

    #[test]
    fn what_was_not_tried_is_counted_apart_from_what_failed() {
        let report = |came: u8| ContentReport {
            fetched: (0..came).map(|n| Sha1Digest([n; 20])).collect(),
            failed: vec![failed(Failure::NotFound), refused(), refused()],
            not_begun: (0..20).map(|n| Sha1Digest([100 + n; 20])).collect(),
            way_lost: true,
            ..Default::default()
        };
        let judged = judge(report(2), None);
        assert!(judged.outcome.is_ok() && judged.try_soon);
        let said = judged.warnings.concat();
        assert!(
            said.starts_with("2 of 25 files came, 3 failed, and 20 were not tried, since nobody"),
            "{said}"
        );
        assert!(said.contains("refused the connection") && !said.contains("404"), "{said}");
        let mut none = report(0);
        none.failed.remove(0);
        let judged = judge(none, None);
        assert_eq!(judged.outcome.unwrap_err().code(), "UssCommunicationError/ConnectionRefused");
        assert_eq!(judged.warnings, ["0 of 22 files came, 2 failed, and 20 were not tried"]);
    }

    #[test]
    fn a_file_without_room_is_its_own_failure_until_there_is_none_for_any() {
        let unfit = |free| FailedFile {
            sha1: Sha1Digest([3; 20]),
            error: ContentError::Store(StoreError::NoRoom {
                name: "big.cab".to_owned(),
                path: "/data/Content".into(),
                missing: 500 << 30,
                reserve: 64 << 20,
                promised: 0,
                free,
            }),
        };
        let report = |free, others: Vec<FailedFile>| ContentReport {
            fetched: vec![Sha1Digest([2; 20])],
            failed: others.into_iter().chain([unfit(free), unfit(free)]).collect(),
            ..Default::default()
        };
        let judged = judge(report(33 << 30, vec![failed(Failure::NotFound)]), Some("KB5 Large"));
        assert!(judged.outcome.is_ok());
        let [unfitting, other] = judged.warnings.as_slice() else { panic!("{:?}", judged.warnings) };
        assert!(unfitting.starts_with("2 of 4 files do not fit on the disk; the first is of `KB5 Large`"));
        assert!(unfitting.contains("`big.cab`") && unfitting.contains("decline the update"), "{unfitting}");
        assert!(other.starts_with("1 of 4 files did not come") && other.contains("404"), "{other}");
        let judged = judge(report(64 << 20, vec![]), None);
        assert_eq!(judged.outcome.unwrap_err().code(), "LocalError/DiskFull");
        // Nobody was reached for those that would have fitted.
        let mut gone = report(33 << 30, vec![refused()]);
        gone.fetched.clear();
        assert_eq!(judge(gone, None).outcome.unwrap_err().code(), "UssCommunicationError/ConnectionRefused");
    }
}
