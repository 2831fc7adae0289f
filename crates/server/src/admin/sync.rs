//! `sync…`: how synchronization with the upstream stands, beginning and stopping it, watching it, its
//! history, and when it runs by itself and which files it fetches.

use super::error::AdminError;
use super::input::{Input, Query};
use super::{updates, with_store};
use crate::state::App;
use crate::transport::body::Body;
use bytes::Bytes;
use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};
use sluicegate_policy::hierarchy::{ContentPolicy, Schedule};
use sluicegate_store::hierarchy::{RunCounts, SyncRun, UpstreamSettings, UpstreamSource};
use sluicegate_terms::Timestamp;
use sluicegate_upstream::sync::Progress;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// A run that has not come forward for so many seconds is called stuck.
const PATIENCE: i64 = 15 * 60;

/// Progress is told at most so often.
const EVERY: Duration = Duration::from_millis(100);

/// Runs listed when nobody says how many.
const USUAL: u32 = 20;

/// `GET sync`: the run under way or the last one, and when the next begins.
pub(super) async fn status(app: &App) -> Result<Value, AdminError> {
    let settings = app.store.upstream_settings();
    let (state, last) =
        with_store(app, |store| Ok((store.sync_state()?, store.sync_history(1)?.pop()))).await?;
    let now = app.clock.now();
    let progress = app.synchronizer.status();
    Ok(json!({
        "upstream": settings.source.as_ref().map(UpstreamSource::as_str),
        "mode": settings.mode.as_str(),
        "running": progress.running,
        "stuck": progress.is_stuck(now, PATIENCE),
        "progress": progress.running.then(|| moved(&progress)),
        // Of the run under way, or of the last one until the next begins.
        "warning": progress.warning,
        "last_run": last.as_ref().map(ran),
        "last_success": state.last_success.map(Timestamp::iso),
        "schedule": settings.schedule.to_string(),
        "next_run": state.next_run.map(Timestamp::iso),
        "last_rollup": state.last_rollup.map(Timestamp::iso),
    }))
}

fn counted(counts: &RunCounts) -> Value {
    json!({
        "new": counts.new,
        "revised": counts.revised,
        "expired": counts.expired,
        "quarantined": counts.quarantined,
        "approvals": counts.approvals,
        "files": counts.files,
        "file_bytes": counts.file_bytes,
        "files_failed": counts.files_failed,
    })
}

fn ran(run: &SyncRun) -> Value {
    json!({
        "run": run.id,
        "started": run.started.iso(),
        "ended": run.ended.map(Timestamp::iso),
        "by": run.started_by,
        "upstream": run.upstream,
        "outcome": run.outcome.as_str(),
        "phase": run.phase,
        "counts": counted(&run.counts),
        "error_code": run.error_code,
        "error": run.error_text,
    })
}

fn moved(progress: &Progress) -> Value {
    json!({
        "run": progress.run,
        "by": progress.started_by,
        "upstream": progress.upstream,
        "started": progress.started.map(Timestamp::iso),
        "first": progress.first,
        "phase": progress.phase.as_str(),
        "done": progress.done,
        "total": progress.total,
        "bytes": progress.bytes,
        "bytes_per_second": progress.bytes_per_second,
        "last_progress": progress.last_progress.map(Timestamp::iso),
        "counts": counted(&progress.counts),
        "warning": progress.warning,
    })
}

/// `POST sync/now`: begins a run, or joins the one under way (known problem P-24). With `retry_failed` what failed
/// lately is asked for again, however long it was to wait.
pub(super) async fn now(app: &App, input: &Input) -> Result<Value, AdminError> {
    if input.flag("retry_failed")? == Some(true) {
        let now = app.clock.now();
        let due = with_store(app, move |store| store.retry_failed(now)).await?;
        tracing::info!(due, "what failed is asked for again");
    }
    let started = app.synchronizer.request_run(updates::ADMIN).await?;
    Ok(json!({ "run": started.run, "joined": started.joined }))
}

/// `POST sync/cancel`.
pub(super) fn cancel(app: &App) -> Value {
    json!({ "cancelled": app.synchronizer.cancel() })
}

/// `GET sync/history?limit=N`: the newest runs first.
pub(super) async fn history(app: &App, query: &Query) -> Result<Value, AdminError> {
    let limit = query.number("limit", USUAL)?;
    let runs = with_store(app, move |store| store.sync_history(limit)).await?;
    Ok(json!({ "runs": runs.iter().map(ran).collect::<Vec<_>>() }))
}

/// `GET sync/progress?run=N`: a line for each step the run makes, and one with its outcome when it has
/// ended. Without a number, the run under way; when there is none, the last.
pub(super) async fn progress(app: &Arc<App>, query: &Query) -> Result<Response<Body>, AdminError> {
    let wanted = match query.number("run", 0)? {
        0 => {
            let newest = with_store(app, |store| Ok(store.sync_history(1)?.pop())).await?;
            newest.map(|run| run.id)
        }
        number => Some(u64::from(number)),
    };
    let Some(run) = wanted else {
        return Err(AdminError::unknown("nothing was ever synchronized here; `POST sync/now` begins a run"));
    };
    let (lines, answer) = mpsc::channel(16);
    tokio::spawn(watch(Arc::clone(app), run, lines));
    let mut response = Response::new(Body::lines(answer));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

async fn watch(app: Arc<App>, run: u64, lines: mpsc::Sender<Bytes>) {
    let line = |value: Value| Bytes::from(format!("{value}\n"));
    let mut changes = app.synchronizer.watch();
    loop {
        let progress = changes.borrow_and_update().clone();
        if !progress.running || progress.run != Some(run) {
            break;
        }
        if lines.send(line(json!({ "progress": moved(&progress) }))).await.is_err() {
            return;
        }
        // What changes within the pause is told as one change after it.
        tokio::time::sleep(EVERY).await;
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { break },
            () = lines.closed() => return,
        }
    }
    let last = match with_store(&app, |store| store.sync_history(u32::MAX)).await {
        Ok(runs) => match runs.iter().find(|one| one.id == run) {
            Some(run) => json!({ "ended": ran(run) }),
            None => AdminError::unknown(format!("there is no run {run} in the history"))
                .to_json(app.random.guid()),
        },
        Err(error) => error.to_json(app.random.guid()),
    };
    // The reader may be gone.
    let _ = lines.send(line(last)).await;
}

/// Changes the settings of the upstream, all else staying as it is.
pub(super) async fn adjust(
    app: &App,
    change: impl FnOnce(&mut UpstreamSettings) -> Result<(), AdminError>,
) -> Result<(), AdminError> {
    let _turn = app.settings_turn.lock().await;
    let mut settings = UpstreamSettings::clone(&app.store.upstream_settings());
    change(&mut settings)?;
    let now = app.clock.now();
    with_store(app, move |store| store.set_upstream_settings(settings, now)).await?;
    app.synchronizer.settings_changed();
    Ok(())
}

/// `GET sync/schedule`.
pub(super) fn schedule(app: &App) -> Value {
    let schedule = app.store.upstream_settings().schedule;
    let (times, at, spread) = match schedule {
        Schedule::Manual => (0, None, 0),
        Schedule::Daily { times, from, spread } => {
            (times, Some(format!("{:02}:{:02}", from / 60, from % 60)), spread)
        }
    };
    json!({ "schedule": schedule.to_string(), "times": times, "at": at, "spread": spread })
}

/// `PUT sync/schedule`: `schedule` as `manual` or `TIMES@HH:MM+MINUTES` (UTC).
pub(super) async fn set_schedule(app: &App, input: &Input) -> Result<Value, AdminError> {
    let wanted: Schedule = input.required("schedule")?.parse()?;
    adjust(app, |settings| {
        settings.schedule = wanted;
        Ok(())
    })
    .await?;
    Ok(schedule(app))
}

/// `GET sync/content`.
pub(super) fn content(app: &App) -> Value {
    let policy = app.store.upstream_settings().content;
    json!({ "when": policy.when.as_str(), "express": policy.express })
}

/// `PUT sync/content`: `when` (all, approved or never) and `express`.
pub(super) async fn set_content(app: &App, input: &Input) -> Result<Value, AdminError> {
    let when = input.text("when")?.map(str::parse).transpose()?;
    let express = input.flag("express")?;
    adjust(app, |settings| {
        let before = settings.content;
        settings.content =
            ContentPolicy { when: when.unwrap_or(before.when), express: express.unwrap_or(before.express) };
        Ok(())
    })
    .await?;
    Ok(content(app))
}
