//! Server: whether files are waited for that will not come by themselves, here or at servers below this one.

use super::Check;
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
}

impl Waited {
    pub(super) fn of(store: &Store) -> Result<Self, StoreError> {
        let below = store.missing_files(ContentWhen::Never, false, &SyncFilter::default(), Timestamp::MAX)?;
        Ok(Self { awaited: store.awaited_files()?, below: below.into_iter().map(|need| need.name).collect() })
    }

    /// With an upstream, what servers below wait for is asked of that one, so only what it does not have is told.
    pub(super) fn check(self, has_upstream: bool) -> Check {
        let (name, expected) = ("files", "no file is waited for that nobody will fetch");
        match (self.awaited, self.below.first()) {
            (Some(awaited), _) if has_upstream => {
                let since = awaited.since.iso();
                let found =
                    format!("{} not at the upstream, which was first asked at {since}", are(awaited.files));
                let remedy = "have its administrator synchronize it or add them there, or add them here; both with \
                              `sluicegate content add`";
                Check::failed(name, expected, found, remedy)
            }
            (_, Some(first)) if !has_upstream => {
                let count = self.below.len() as u64;
                let found = format!(
                    "{} not here that servers below this one wait for, and no upstream is set; the first: `{first}`",
                    are(count)
                );
                Check::failed(name, expected, found, "add them with `sluicegate content add`")
            }
            _ => Check::passed(name, expected, "none is"),
        }
    }
}

fn are(files: u64) -> String {
    if files == 1 { "1 file is".to_owned() } else { format!("{files} files are") }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    fn check(awaited: Option<u64>, below: &[&str], has_upstream: bool) -> Check {
        let awaited = awaited.map(|files| Awaited { files, since: Timestamp::from_unix_seconds(0) });
        Waited { awaited, below: below.iter().map(ToString::to_string).collect() }.check(has_upstream)
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
}
