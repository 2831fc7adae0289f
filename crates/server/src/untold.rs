//! An upstream that cannot be told of this server and its computers: an alert when that lasts for more than one
//! synchronization. `diagnose` tells of it, too. What the upstream has of them is old then, and nobody there can see why.

use sluicegate_store::audit::AlertKind;
use sluicegate_store::hierarchy::NotTold;
use sluicegate_store::{Store, StoreError};
use sluicegate_terms::Timestamp;

/// What to do about it.
pub(crate) const REMEDY: &str = "see to what that names at the upstream, whose log has the same time, or on the way there; \
                                 then try with `sluicegate sync now --wait`";

/// Raises or ends the alert about it.
pub(crate) fn judge(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let kind = AlertKind::RollupFailing;
    let Some(not_told) = store.sync_state()?.not_told else {
        return store.end_alert(kind, now).map(|_| ());
    };
    // What failed once may pass.
    if not_told.tries > 1 {
        store.hold_alert(kind, &say(&not_told), now)?;
    }
    Ok(())
}

/// Since when, and why.
pub(crate) fn say(not_told: &NotTold) -> String {
    format!("{} (so since {})", not_told.sentence, not_told.since.iso())
}
