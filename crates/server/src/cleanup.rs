//! Cleanup in the background: once a day by itself, or when an administrator asks. One run at a time. Between
//! two transactions it waits as long as the last one took, so that reports and decisions have the writer at
//! least half of the time; scans need none.

use crate::state::App;
use parking_lot::Mutex;
use sluicegate_policy::cleanup::CleanupStep;
use sluicegate_policy::filters::UpdateFilter;
use sluicegate_store::audit::Actor;
use sluicegate_store::cleanup::{CleanupOrder, CleanupOutcome, CleanupReport};
use sluicegate_store::{Store, StoreError};
use sluicegate_terms::{Anchor, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often it is looked whether a run is due.
const LOOK: Duration = Duration::from_secs(60);

/// A server that has just started has other things to do.
const AFTER_START: Duration = Duration::from_secs(600);

/// Waits between two transactions are within these.
const SHORTEST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// After records were moved the next snapshot takes over; then their old room can be given back.
const UNTIL_RENEWED: Duration = Duration::from_secs(10);

/// The state of the job.
#[derive(Debug, Default)]
pub(crate) struct Cleaner {
    /// Held by the run under way.
    turn: tokio::sync::Mutex<()>,
    stopped: Arc<AtomicBool>,
    /// Since when a run is under way.
    since: Mutex<Option<Timestamp>>,
}

impl Cleaner {
    /// Since when a run is under way, if one is.
    pub(crate) fn running(&self) -> Option<Timestamp> {
        *self.since.lock()
    }
}

/// Why a run did not come about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CleanError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cleaning up failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Cleans up when it is time, until told to stop.
pub(crate) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut wait = AFTER_START;
    loop {
        tokio::select! {
            _ = stop.wait_for(|stopping| *stopping) => break,
            () = tokio::time::sleep(wait) => wait = LOOK,
        }
        let (store, now) = (app.store.clone(), app.clock.now());
        let due = tokio::task::spawn_blocking(move || is_due(&store, now)).await;
        match due.map_err(CleanError::from).and_then(|due| Ok(due?)) {
            Ok(false) => {}
            Ok(true) => {
                let order = CleanupOrder::default();
                let cleaned = tokio::select! {
                    _ = stop.wait_for(|stopping| *stopping) => break,
                    cleaned = clean(&app, order, "schedule", Actor::server("cleanup")) => cleaned,
                };
                if let Err(error) = cleaned {
                    tracing::error!(cause = %error, "cleanup failed; it is tried again at its next time");
                }
            }
            Err(error) => tracing::warn!(cause = %error, "it cannot be seen whether cleanup is due"),
        }
    }
    // The transaction under way ends; what is left is the next run's.
    app.cleaner.stopped.store(true, Ordering::Release);
}

fn is_due(store: &Store, now: Timestamp) -> Result<bool, StoreError> {
    let settings = store.cleanup_settings()?;
    let every = i64::from(settings.every_hours) * 3_600;
    let last = store.cleanup_runs(1)?.first().map(|run| run.started);
    // A run that has yet to begin was noted by a clock that has been put back since.
    let over = |last: Timestamp| last.plus_seconds(every) <= now || last > now;
    Ok(settings.enabled && last.is_none_or(over))
}

/// Cleans up, after the run under way if there is one. A dry run is not written down.
pub(crate) async fn clean(
    app: &Arc<App>,
    order: CleanupOrder,
    by: &str,
    actor: Actor,
) -> Result<CleanupReport, CleanError> {
    let _turn = app.cleaner.turn.lock().await;
    let (dry, by) = (order.dry_run, by.to_owned());
    let compacts = order.steps.as_ref().is_none_or(|steps| steps.contains(&CleanupStep::Segments));
    let mut report = in_background(app, actor.clone(), move |store, now, go_on| {
        if order.dry_run {
            return store.cleanup(&order, now, go_on);
        }
        let id = store.begin_cleanup_run(&by, now)?;
        let report = store.cleanup(&order, now, go_on);
        let (outcome, steps) = match &report {
            Ok(report) if report.stopped => (CleanupOutcome::Stopped, report.steps.as_slice()),
            Ok(report) => (CleanupOutcome::Done, report.steps.as_slice()),
            Err(_) => (CleanupOutcome::Failed, &[][..]),
        };
        store.end_cleanup_run(id, outcome, steps, now)?;
        report
    })
    .await?;
    for computer in &report.forgotten {
        app.directory.forget(computer);
    }
    if dry {
        return Ok(report);
    }
    app.changed.notify_one();
    let moved = report.step(CleanupStep::Segments).is_some_and(|step| step.note.is_some());
    if compacts && moved && !report.stopped {
        tokio::time::sleep(UNTIL_RENEWED).await;
        let order = CleanupOrder { steps: Some([CleanupStep::Segments].into()), dry_run: false };
        let again = in_background(app, actor, move |store, now, go_on| store.cleanup(&order, now, go_on));
        let again = again.await?;
        if let (Some(first), Some(second)) =
            (report.steps.iter_mut().find(|s| s.step == CleanupStep::Segments.as_str()), again.steps.first())
        {
            first.bytes += second.bytes;
            first.note.clone_from(&second.note);
        }
    }
    Ok(report)
}

/// What filters were applied to last, and which they were.
#[derive(PartialEq)]
pub(crate) struct Filtered {
    anchor: Anchor,
    filters: BTreeSet<UpdateFilter>,
}

/// Declines what filters name now that a synchronization has ended. New updates were looked at as they came; a new
/// revision may have another title, what an update stands under may have come after it, and a filter may have come
/// after the update. Where nothing differs from `last`, nothing has to be looked at. This is no run of cleanup: it
/// does not put off the next one. `None` when one is under way and this has to be done another time.
pub(crate) async fn filter(app: &Arc<App>, last: Option<&Filtered>) -> Option<Filtered> {
    let _turn = app.cleaner.turn.try_lock().ok()?;
    let store = app.store.clone();
    let filters =
        tokio::task::spawn_blocking(move || store.cleanup_settings().map(|settings| settings.filters));
    let filters = match filters.await.map_err(CleanError::from).and_then(|filters| Ok(filters?)) {
        Ok(filters) => filters,
        Err(error) => {
            tracing::warn!(cause = %error, "filters could not be read; cleanup applies them at its next time");
            return None;
        }
    };
    let now = Filtered { anchor: app.store.anchor(), filters };
    if now.filters.is_empty() || last == Some(&now) {
        return Some(now);
    }
    let filtered = in_background(app, Actor::server("filters"), |store, now, go_on| {
        let order = CleanupOrder { steps: Some([CleanupStep::FilteredUpdates].into()), dry_run: false };
        let report = store.cleanup(&order, now, go_on)?;
        Ok(report.step(CleanupStep::FilteredUpdates).map_or(0, |step| step.done))
    });
    match filtered.await {
        Ok(0) => {}
        Ok(_) => app.changed.notify_one(),
        Err(error) => tracing::warn!(
            cause = %error,
            "filters could not be applied after the synchronization; cleanup does it at its next time"
        ),
    }
    Some(Filtered { anchor: app.store.anchor(), ..now })
}

async fn in_background<T: Send + 'static>(
    app: &Arc<App>,
    actor: Actor,
    work: impl FnOnce(&Store, Timestamp, &mut dyn FnMut() -> bool) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, CleanError> {
    let now = app.clock.now();
    let store = app.store.by(actor);
    let stopped = Arc::clone(&app.cleaner.stopped);
    *app.cleaner.since.lock() = Some(now);
    let done = tokio::task::spawn_blocking(move || {
        let mut since = Instant::now();
        work(&store, now, &mut || {
            std::thread::sleep(since.elapsed().clamp(SHORTEST_PAUSE, LONGEST_PAUSE));
            since = Instant::now();
            !stopped.load(Ordering::Acquire)
        })
    })
    .await;
    *app.cleaner.since.lock() = None;
    Ok(done??)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_store::StoreOptions;

    const HOUR: i64 = 3_600;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_790_000_000 + seconds)
    }

    #[test]
    fn a_run_is_due_at_once_and_then_when_the_hours_of_the_settings_have_passed() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::new(at(0))).unwrap();
        let due = |seconds| is_due(&store, at(seconds)).unwrap();
        assert!(due(0), "it never ran");
        let id = store.begin_cleanup_run("schedule", at(0)).unwrap();
        assert!(!due(24 * HOUR - 1));
        assert!(due(24 * HOUR), "a run that never ended does not hold up the next");
        store.end_cleanup_run(id, CleanupOutcome::Failed, &[], at(5 * HOUR)).unwrap();
        assert!(!due(24 * HOUR - 1) && due(24 * HOUR), "it counts from a run's beginning");

        let mut settings = store.cleanup_settings().unwrap();
        settings.set("every-hours", "2").unwrap();
        store.set_cleanup_settings(&settings, at(1)).unwrap();
        assert!(!due(2 * HOUR - 1) && due(2 * HOUR));
        settings.set("enabled", "false").unwrap();
        store.set_cleanup_settings(&settings, at(1)).unwrap();
        assert!(!due(1_000 * HOUR), "switched off");
    }

    #[test]
    fn a_clock_that_was_put_back_does_not_keep_cleanup_from_running() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::new(at(0))).unwrap();
        store.begin_cleanup_run("schedule", at(10_000 * HOUR)).unwrap();
        assert!(is_due(&store, at(0)).unwrap());
        store.begin_cleanup_run("schedule", at(0)).unwrap();
        assert!(!is_due(&store, at(HOUR)).unwrap());
    }
}
