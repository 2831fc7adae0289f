//! The synchronizer's look at the schedule: a run begins when its time has come, and one that could not even begin is
//! written down.

use super::Synchronizer;
use super::ending::Ending;
use crate::sync::{Progress, SyncError};
use crate::timetable::{may_be_drawn, seconds_between};
use sluicegate_policy::hierarchy::Schedule;
use sluicegate_store::StoreError;
use sluicegate_store::hierarchy::{RunOutcome, SyncRun};
use std::sync::Arc;
use std::time::Duration;

/// The clock is looked at at least so often: it may be set while we sleep.
const LOOK: Duration = Duration::from_secs(30);

/// Who asks when nobody does.
const BY_SCHEDULE: &str = "schedule";

impl Synchronizer {
    /// Does what the schedule says; answers when to look again.
    pub(super) async fn look(&self, known: &mut Option<Schedule>) -> Duration {
        let inner = Arc::clone(&self.inner);
        let first = known.is_none();
        let before = *known;
        let looked = tokio::task::spawn_blocking(move || {
            if inner.write_ends() {
                // What follows from an end, as an alert, could not be written either.
                (inner.options.around.changed)();
            }
            let settings = inner.store.upstream_settings();
            let now = inner.options.around.now();
            let schedule = if settings.source.is_some() { settings.schedule } else { Schedule::Manual };
            let fresh = || schedule.next_run(now, (inner.options.random)());
            let stored = inner.store.sync_state()?.next_run;
            // At the start a time that was drawn earlier still holds, also one that has passed meanwhile.
            let keep = first || before == Some(schedule);
            let (next, due) = match stored.filter(|at| keep && may_be_drawn(schedule, now, *at)) {
                Some(at) if at <= now => (fresh(), true),
                Some(at) => (Some(at), false),
                None => (fresh(), false),
            };
            if next != stored {
                inner.store.change_sync_state(|state| state.next_run = next)?;
            }
            inner.end_for_another_upstream()?;
            let wait = next.map_or(LOOK, |at| seconds_between(now, at).min(LOOK));
            Ok::<_, StoreError>((schedule, due, wait))
        })
        .await;
        match looked {
            Ok(Ok((schedule, due, wait))) => {
                *known = Some(schedule);
                if due && let Err(error) = self.request_run(BY_SCHEDULE).await {
                    tracing::error!(%error, code = error.code(), "the scheduled synchronization did not begin");
                    self.note_unbegun(error).await;
                }
                wait
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "looking at the schedule of synchronization failed; it is tried again");
                LOOK
            }
            Err(error) => {
                tracing::error!(%error, "looking at the schedule failed");
                LOOK
            }
        }
    }

    /// A run by schedule that could not even begin stands in the history as one that failed: nobody asked for it who
    /// would have been told.
    async fn note_unbegun(&self, error: SyncError) {
        if matches!(error, SyncError::NoUpstream) || error.is_cancelled() {
            return;
        }
        let inner = Arc::clone(&self.inner);
        let noted = tokio::task::spawn_blocking(move || {
            // Held, so that nobody begins one meanwhile whose progress would be lost.
            let current = inner.current.lock();
            if current.is_some() {
                return Ok(());
            }
            let now = inner.options.around.now();
            let settings = inner.store.upstream_settings();
            let upstream = settings.source.as_ref().map(ToString::to_string).unwrap_or_default();
            let id = inner.store.begin_sync_run(BY_SCHEDULE, &upstream, now)?;
            let mut record = SyncRun::begun(id, BY_SCHEDULE.to_owned(), upstream, now);
            record.ended = Some(now);
            record.outcome = RunOutcome::Failed;
            record.error_code = Some(error.code().to_owned());
            record.error_text = Some(error.to_string());
            inner.end(Ending { record: record.clone(), at: now, soon: error.is_transient() });
            inner.progress.update(|p| {
                *p = Progress {
                    run: Some(id),
                    started_by: record.started_by.clone(),
                    started: Some(now),
                    upstream: record.upstream.clone(),
                    error_code: Some(error.code()),
                    error: record.error_text.clone(),
                    ..Progress::default()
                };
            });
            Ok::<_, StoreError>(())
        })
        .await;
        if !matches!(noted, Ok(Ok(()))) {
            tracing::error!("that it did not begin could not be written to the history");
        }
        (self.inner.options.around.changed)();
    }
}
