//! Synchronization: revisions that the upstream lists and gives damaged or not at all. A run goes on without them, and says
//! of them as long as they are missing.

use super::{Run, SyncError};
use sluicegate_store::hierarchy::{FailedRevision, FailedRevisions, MOST_WAITING};
use sluicegate_terms::Timestamp;

/// Why a revision is not used that an answer has no document of.
pub(super) const NOT_GIVEN: &str = "the upstream names the revision and does not give its document";

/// What the upstream has not given at all for so many seconds it has no longer.
const GIVEN_UP: i64 = 90 * 86_400;

/// Whether the upstream has not given a revision for so long that it is not asked for again. Where it is still on a list,
/// or something needs it, that brings it up anew.
pub(super) fn is_given_up(failed: &FailedRevision, now: Timestamp) -> bool {
    failed.reason.starts_with(NOT_GIVEN) && failed.since.plus_seconds(GIVEN_UP) <= now
}

/// How many revisions are missing, since when, and until when.
#[must_use]
pub fn say_missing(missing: &FailedRevisions, now: Timestamp) -> String {
    let since = missing.first.since.iso();
    let again = match missing.again_at > now {
        true => format!("from {} on", missing.again_at.iso()),
        false => "with the next synchronization".to_owned(),
    };
    let (it, them) = match missing.waiting {
        0 => (String::new(), String::new()),
        1 => (", and 1 that needs it waits".to_owned(), ", and 1 that needs them waits".to_owned()),
        MOST_WAITING.. => {
            let many = format!(", and {MOST_WAITING} or more that need");
            (format!("{many} it wait"), format!("{many} them wait"))
        }
        count => (format!(", and {count} that need it wait"), format!(", and {count} that need them wait")),
    };
    let place = if missing.waiting == 0 { "" } else { " in quarantine" };
    match missing.revisions {
        1 => format!(
            "1 revision that the upstream lists is missing since {since}, since it came damaged or not at all{it}{place}; it \
             is asked for again {again}"
        ),
        count => format!(
            "{count} revisions that the upstream lists are missing, the first since {since}, since they came damaged or \
             not at all{them}{place}; they are asked for again {again}"
        ),
    }
}

/// The same with what to do, and which one is the first and why.
#[must_use]
pub fn say_missing_and_why(missing: &FailedRevisions, now: Timestamp) -> String {
    let FailedRevision { identity, reason, .. } = &missing.first;
    let said = say_missing(missing, now);
    format!("{said}, or at once with `sluicegate sync now --retry-failed`; the first: {identity}: {reason}")
}

impl Run {
    /// Says in each run what is missing, also where nothing was asked for again.
    pub(super) async fn warn_of_missing(&self) -> Result<(), SyncError> {
        if let Some(missing) = self.on_store(|store| store.missing_failed_revisions()).await? {
            self.progress.warn(&say_missing_and_why(&missing, self.around.now()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_terms::{Guid, RevisionNumber, UpdateId, UpdateIdentity};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn failed(reason: &str) -> FailedRevision {
        let identity = UpdateIdentity {
            update: UpdateId(Guid::from_u128(7)),
            revision: RevisionNumber::new(2).unwrap(),
        };
        FailedRevision { identity, attempts: 1, since: at(0), again_at: at(3_600), reason: reason.to_owned() }
    }

    #[test]
    fn what_is_missing_is_told_with_its_number_its_times_and_the_way_out() {
        let first = failed("bad magic");
        let again_at = first.again_at;
        let mut missing =
            FailedRevisions { revisions: 20, waiting: 0, first, again_at, attempts: 1, fewest_attempts: 1 };
        let said = say_missing_and_why(&missing, at(60));
        for part in
            ["20 revisions", "1970-01-01T00:00:00", "from 1970-01-01T01:00:00", "--retry-failed", "bad magic"]
        {
            assert!(said.contains(part), "{part}: {said}");
        }
        missing.revisions = 1;
        let said = say_missing(&missing, at(3_600));
        assert!(
            said.starts_with("1 revision that") && said.ends_with("with the next synchronization"),
            "{said}"
        );
    }

    #[test]
    fn what_waits_for_something_missing_is_told_with_it() {
        let first = failed("bad magic");
        let again_at = first.again_at;
        let said = |revisions, waiting| {
            let first = first.clone();
            let missing =
                FailedRevisions { revisions, waiting, first, again_at, attempts: 1, fewest_attempts: 1 };
            say_missing(&missing, at(60))
        };
        for (revisions, waiting, part) in [
            (1, 1, "not at all, and 1 that needs it waits in quarantine; it is"),
            (1, 10, "not at all, and 10 that need it wait in quarantine; it is"),
            (2, 10, "not at all, and 10 that need them wait in quarantine; they are"),
            (1, MOST_WAITING, "and 10000 or more that need it wait in quarantine"),
        ] {
            assert!(said(revisions, waiting).contains(part), "{part}: {}", said(revisions, waiting));
        }
        assert!(!said(1, 0).contains("quarantine"), "{}", said(1, 0));
    }

    #[test]
    fn only_what_is_not_given_at_all_is_given_up_and_that_late() {
        let never = failed(&format!("{NOT_GIVEN} (fault)"));
        assert!(!is_given_up(&never, at(GIVEN_UP - 1)));
        assert!(is_given_up(&never, at(GIVEN_UP)));
        assert!(!is_given_up(&failed("bad magic"), at(GIVEN_UP * 2)));
    }
}
