//! Revisions that the upstream lists and gave damaged or not at all: an alert when not one of a run came, or when the same
//! are missing after another run, or much waits for them. `diagnose` tells of them, too.

use sluicegate_store::audit::AlertKind;
use sluicegate_store::hierarchy::{FailedRevisions, SyncRun};
use sluicegate_store::{Store, StoreError};
use sluicegate_terms::Timestamp;
use sluicegate_upstream::sync::say_missing_and_why;

/// What to do about them.
pub(crate) const REMEDY: &str = "`sluicegate sync now --retry-failed` asks for them at once; where that brings nothing, see to \
                                 what is named, at the upstream or at what inspects traffic on the way";

/// So many revisions that need what is missing are no trifle that may pass.
const MANY: u64 = 100;

/// Raises or ends the alert about them.
pub(crate) fn judge(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let kind = AlertKind::RevisionsFailing;
    let Some(missing) = store.missing_failed_revisions()? else {
        return store.end_alert(kind, now).map(|_| ());
    };
    let last = store.sync_history(1)?.pop();
    if lasts(&missing, last.as_ref()) {
        store.hold_alert(kind, &say_missing_and_why(&missing, now), now)?;
    }
    Ok(())
}

/// Whether it is more than something that passes: what one run brought damaged, the next may bring whole.
fn lasts(missing: &FailedRevisions, last: Option<&SyncRun>) -> bool {
    let none_came = |run: &SyncRun| {
        let counts = &run.counts;
        counts.quarantined > 0 && counts.new == 0 && counts.revised == 0
    };
    missing.attempts > 1
        || missing.waiting >= MANY
        || last.is_some_and(|run| missing.first.since < run.started || none_came(run))
}
