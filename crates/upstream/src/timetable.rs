//! When runs that nobody asks for begin: the time that the schedule draws and keeps, and one of soon after what passes.

use sluicegate_policy::hierarchy::Schedule;
use sluicegate_store::hierarchy::{FailedRevision, RunOutcome};
use sluicegate_store::{Store, StoreError};
use sluicegate_terms::Timestamp;
use std::time::Duration;

/// A run that a passing failure stopped is tried again so many seconds later, sooner than its schedule says; so is one
/// that the end of the server cut off, counted from the next start.
const RETRY: i64 = 600;

/// Whether a schedule may have drawn this time. A clock that was ahead for a while leaves times that lie too far.
pub(crate) fn may_be_drawn(schedule: Schedule, now: Timestamp, at: Timestamp) -> bool {
    schedule.furthest().is_some_and(|ahead| at <= now.plus_seconds(ahead))
}

/// At the start: what the end of the server cut off does not wait for the next time of the schedule.
pub(crate) fn begin_again_soon(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let cut_off = store.sync_history(1)?.first().is_some_and(|run| run.outcome == RunOutcome::Interrupted);
    if cut_off { run_soon(store, now) } else { Ok(()) }
}

/// Makes the next run one of soon, where there is a schedule.
pub(crate) fn run_soon(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    run_by(store, now.plus_seconds(RETRY))
}

/// After a run that went to its end: what came damaged or not at all is asked for again at its time the first few times,
/// also where the schedule would begin none for long.
pub(crate) fn run_for_missing(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    match store.missing_failed_revisions()? {
        Some(missing) if missing.fewest_attempts <= FailedRevision::EARLY_ATTEMPTS => {
            run_by(store, missing.again_at.max(now.plus_seconds(RETRY)))
        }
        _ => Ok(()),
    }
}

fn run_by(store: &Store, soon: Timestamp) -> Result<(), StoreError> {
    let settings = store.upstream_settings();
    if settings.source.is_none() || settings.schedule == Schedule::Manual {
        return Ok(());
    }
    store.change_sync_state(|state| state.next_run = Some(state.next_run.map_or(soon, |at| at.min(soon))))?;
    Ok(())
}

pub(crate) fn seconds_between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(to.unix_seconds().saturating_sub(from.unix_seconds())).unwrap_or(0))
}
