//! Server: whether files are waited for that will not come by themselves, here or at servers below this one.

use super::Check;
use crate::lost;
use crate::missing::{self, Missing, are};
use sluicegate_policy::hierarchy::{ContentWhen, SyncFilter};
use sluicegate_store::hierarchy::Awaited;
use sluicegate_store::{Store, StoreError};
use sluicegate_terms::Timestamp;

/// What is waited for.
#[derive(Debug)]
pub(super) struct Waited {
    /// Of this server's upstream.
    awaited: Option<Awaited>,
    /// The names of those that servers below asked for and that are not here.
    below: Vec<String>,
    /// Those that did not come when they were last tried.
    failing: Option<Missing>,
    /// Those that nobody will fetch, for want of an upstream.
    unfetched: Option<Missing>,
    /// What is gone from the disk, and what helps.
    lost: Option<(String, &'static str)>,
}

impl Waited {
    pub(super) fn of(store: &Store) -> Result<Self, StoreError> {
        let below = store.missing_files(ContentWhen::Never, false, &SyncFilter::default(), Timestamp::MAX)?;
        Ok(Self {
            awaited: store.awaited_files()?,
            below: below.into_iter().map(|need| need.name).collect(),
            failing: missing::failing(store)?,
            unfetched: missing::unfetched(store)?,
            lost: lost::sentence(&store.lost_files()?).map(|said| (said, lost::remedy(store))),
        })
    }

    /// With an upstream, what servers below wait for is asked of that one, so only what it does not have is told.
    pub(super) fn check(self, has_upstream: bool) -> Check {
        let (name, expected) = ("files", "no file is waited for that nobody will fetch or that fails");
        // Where its fetching was tried, the others say more.
        if let (Some((said, remedy)), None, None) = (&self.lost, &self.awaited, &self.failing) {
            return Check::failed(name, expected, said, *remedy);
        }
        // What failed has those that are awaited among it: where it is more, it says why of all.
        let only_awaited = self.awaited.filter(|awaited| {
            has_upstream && self.failing.as_ref().is_none_or(|failing| failing.files <= awaited.files)
        });
        match (only_awaited, self.below.first(), self.failing, self.unfetched) {
            (Some(awaited), ..) => {
                let since = awaited.since.iso();
                let found =
                    format!("{} not at the upstream, which was first asked at {since}", are(awaited.files));
                let remedy = "have its administrator synchronize it or add them there, or add them here; both with \
                              `sluicegate content add`";
                Check::failed(name, expected, found, remedy)
            }
            (_, _, Some(failing), _) => {
                let found = format!("{} wanted here and did not come: {}", are(failing.files), failing.first);
                let remedy = "see to what that names, then `sluicegate sync now --retry-failed`, or add them here with \
                              `sluicegate content add`";
                Check::failed(name, expected, found, remedy)
            }
            (_, Some(first), ..) if !has_upstream => {
                let count = self.below.len() as u64;
                let found = format!(
                    "{} not here that servers below this one wait for, and no upstream is set; the first: `{first}`",
                    are(count)
                );
                Check::failed(name, expected, found, "add them with `sluicegate content add`")
            }
            (.., Some(unfetched)) => {
                let first = &unfetched.first;
                let found = format!(
                    "{} wanted here and not here, and no upstream is set to fetch them from; the first: `{first}`",
                    are(unfetched.files)
                );
                let remedy = "add them with `sluicegate content add` or `sluicegate import … --content DIR`, or fetch \
                              none here with `sluicegate sync content never`";
                Check::failed(name, expected, found, remedy)
            }
            _ => Check::passed(name, expected, "none is"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    fn check(awaited: Option<u64>, below: &[&str], has_upstream: bool) -> Check {
        let awaited = awaited.map(|files| Awaited { files, since: Timestamp::from_unix_seconds(0) });
        let below = below.iter().map(ToString::to_string).collect();
        Waited { awaited, below, failing: None, unfetched: None, lost: None }.check(has_upstream)
    }

    #[test]
    fn files_that_will_not_come_by_themselves_are_told_of_where_somebody_can_add_them() {
        for sound in [check(None, &[], true), check(None, &["a.cab"], true), check(Some(1), &[], false)] {
            assert_eq!(sound.verdict, Verdict::Passed, "{sound:?}");
        }
        let upstream = check(Some(2), &["a.cab"], true);
        assert_eq!(upstream.verdict, Verdict::Failed);
        assert!(upstream.found.starts_with("2 files are not at the upstream"), "{upstream:?}");
        let below = check(None, &["a.cab"], false);
        assert_eq!(below.verdict, Verdict::Failed);
        assert!(below.found.contains("servers below this one wait for") && below.found.contains("`a.cab`"));
    }

    #[test]
    fn files_that_failed_or_that_nobody_fetches_are_told_of() {
        let missing = |files, first: &str| Some(Missing { files, first: first.to_owned() });
        let none = || Waited { awaited: None, below: Vec::new(), failing: None, unfetched: None, lost: None };
        let failing = Waited { failing: missing(9, "it is busy (503)"), ..none() }.check(true);
        assert_eq!(failing.verdict, Verdict::Failed);
        assert_eq!(failing.found, "9 files are wanted here and did not come: it is busy (503)");
        let awaited = |files| Some(Awaited { files, since: Timestamp::from_unix_seconds(0) });
        let more =
            Waited { awaited: awaited(1), failing: missing(3, "2 have no update"), ..none() }.check(true);
        assert_eq!(more.found, "3 files are wanted here and did not come: 2 have no update");
        let same = Waited { awaited: awaited(3), failing: missing(3, "3 are awaited"), ..none() }.check(true);
        assert!(same.found.starts_with("3 files are not at the upstream"), "{same:?}");
        let unfetched = Waited { unfetched: missing(1, "a.cab"), ..none() }.check(false);
        assert_eq!(unfetched.verdict, Verdict::Failed);
        assert!(unfetched.found.starts_with("1 file is wanted here") && unfetched.found.contains("`a.cab`"));
    }
}
