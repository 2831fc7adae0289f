//! `sync…`: how synchronization with the upstream stands, beginning and stopping it, watching it, its
//! history, and when it runs by itself and which files it fetches.

use super::error::AdminError;
use super::input::{Input, Names, Query};
use super::{updates, with_store};
use crate::state::App;
use crate::transport::body::Body;
use bytes::Bytes;
use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};
use sluicegate_policy::hierarchy::{ContentPolicy, Patience, Schedule};
use sluicegate_store::hierarchy::{
    FailedRevisions, RunCounts, Stray, SyncRun, UpstreamSettings, UpstreamSource,
};
use sluicegate_terms::Timestamp;
use sluicegate_upstream::sync::{Progress, say_missing};
use sluicegate_upstream::transport::problem_of;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Progress is told at most so often.
const EVERY: Duration = Duration::from_millis(100);

/// Runs listed when nobody says how many.
const USUAL: u32 = 20;

/// `GET sync`: the run under way or the last one, and when the next begins.
pub(super) async fn status(app: &App) -> Result<Value, AdminError> {
    let settings = app.store.upstream_settings();
    // Looked at before the history, in which a run ends first: who reads that none is under way also reads how the
    // last one ended.
    let progress = app.synchronizer.status();
    let (state, last, succeeded, missing) = with_store(app, |store| {
        let missing = store.missing_failed_revisions()?;
        Ok((store.sync_state()?, store.sync_history(1)?.pop(), store.last_succeeded()?, missing))
    })
    .await?;
    let now = app.clock.now();
    Ok(json!({
        "upstream": settings.source.as_ref().map(UpstreamSource::as_str),
        "mode": settings.mode.as_str(),
        "running": progress.running,
        // Half way to being ended for it.
        "stuck": progress.is_stuck(now, settings.patience.seconds() / 2),
        "patience": settings.patience.minutes(),
        "progress": progress.running.then(|| moved(&progress)),
        // Of the run under way, or of the last one until the next begins.
        "warning": progress.warning,
        "last_run": last.as_ref().map(ran),
        "missing_revisions": missing.map(|missing| lacking(&missing, now)),
        "last_success": succeeded.map(Timestamp::iso),
        // Documents and decisions; files may have been cut off after it.
        "metadata_complete": state.last_success.map(Timestamp::iso),
        "schedule": settings.schedule.to_string(),
        "next_run": state.next_run.map(Timestamp::iso),
        "last_rollup": state.last_rollup.map(Timestamp::iso),
    }))
}

/// The part of `GET status` about synchronization: what it does, and how it ended last.
pub(super) async fn summary(app: &App) -> Result<Value, AdminError> {
    let whole = status(app).await?;
    let names = ["upstream", "mode", "running", "stuck", "last_success", "next_run"];
    let mut part: serde_json::Map<String, Value> =
        names.into_iter().map(|name| (name.to_owned(), whole[name].clone())).collect();
    for name in ["first", "phase", "done", "total"] {
        part.insert(name.to_owned(), whole["progress"][name].clone());
    }
    part.insert("last_outcome".to_owned(), whole["last_run"]["outcome"].clone());
    Ok(Value::Object(part))
}

/// `GET sync/strays`: updates that an upstream gave and the filter does not choose (known problem P-20).
pub(super) async fn strays(app: &App) -> Result<Value, AdminError> {
    let filter = app.store.upstream_settings().filter.clone();
    let strays = with_store(app, move |store| store.strays(&filter)).await?;
    let one = |stray: &Stray| json!({ "update_id": stray.update.to_string(), "title": stray.title, "run": stray.run });
    Ok(json!({ "strays": strays.iter().map(one).collect::<Vec<_>>() }))
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
        "strays": counts.strays,
        "waiting": counts.waiting,
    })
}

/// Revisions that the upstream lists and that could not be used.
fn lacking(missing: &FailedRevisions, now: Timestamp) -> Value {
    json!({
        "revisions": missing.revisions,
        "waiting": missing.waiting,
        "since": missing.first.since.iso(),
        "again_at": missing.again_at.iso(),
        "first": missing.first.identity.to_string(),
        "reason": missing.first.reason,
        "text": say_missing(missing, now),
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
        "problem": run.error_code.as_deref().and_then(problem_of),
        "error": run.error_text,
        "warning": run.warning,
        "waiting": run.waiting,
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
        "failed": progress.failed,
        "last_failure": progress.last_failure,
        "total": progress.total,
        "bytes": progress.bytes,
        "bytes_per_second": progress.bytes_per_second,
        "last_progress": progress.last_progress.map(Timestamp::iso),
        "counts": counted(&progress.counts),
        "warning": progress.warning,
    })
}

/// What it may name.
pub(super) const NOW: Names = Names::new("a synchronization", &["retry_failed", "categories_only"]);

/// `POST sync/now`: begins a run, or joins the one under way (known problem P-24). With `retry_failed` what failed
/// lately is asked for again, however long it was to wait; with `categories_only` it ends once categories are here.
pub(super) async fn now(app: &App, input: &Input) -> Result<Value, AdminError> {
    if input.flag("retry_failed")? == Some(true) {
        let now = app.clock.now();
        let due = with_store(app, move |store| store.retry_failed(now)).await?;
        tracing::info!(due, "what failed is asked for again");
    }
    let started = match input.flag("categories_only")? {
        Some(true) => app.synchronizer.request_categories(updates::ADMIN).await?,
        _ => app.synchronizer.request_run(updates::ADMIN).await?,
    };
    Ok(json!({ "run": started.run, "joined": started.joined }))
}

/// What it may name.
pub(super) const CANCEL: Names = Names::new("the end of a synchronization", &[]);

/// `POST sync/cancel`.
pub(super) fn cancel(app: &App) -> Value {
    json!({ "cancelled": app.synchronizer.cancel() })
}

/// `GET sync/history?limit=N`: the newest runs first.
pub(super) async fn history(app: &App, query: &Query) -> Result<Value, AdminError> {
    let limit = query.number("limit", USUAL)?;
    if limit == 0 {
        return Err(AdminError::invalid("`limit` must be at least 1; of no runs there is nothing to tell"));
    }
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
        number => {
            let run = u64::from(number);
            let runs = with_store(app, |store| store.sync_history(u32::MAX)).await?;
            if !runs.iter().any(|one| one.id == run) {
                return Err(AdminError::unknown(format!("there is no run {run} in the history")));
            }
            Some(run)
        }
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
    let settings = app.store.upstream_settings();
    let schedule = settings.schedule;
    let (times, at, spread) = match schedule {
        Schedule::Manual => (0, None, 0),
        Schedule::Daily { times, from, spread } => {
            (times, Some(format!("{:02}:{:02}", from / 60, from % 60)), spread)
        }
    };
    json!({ "schedule": schedule.to_string(), "times": times, "at": at, "spread": spread,
        "patience": settings.patience.minutes() })
}

/// What it may name.
pub(super) const SCHEDULE: Names = Names::new("a schedule", &["schedule", "patience"]);

/// `PUT sync/schedule`: `schedule` as `manual` or `TIMES@HH:MM+MINUTES` (UTC), and `patience`, the minutes that a run
/// may go without coming forward; what is not named stays.
pub(super) async fn set_schedule(app: &App, input: &Input) -> Result<Value, AdminError> {
    let patience: Option<Patience> = match input.0.get("patience") {
        None | Some(Value::Null) => None,
        Some(minutes) => Some(minutes.to_string().trim_matches('"').parse()?),
    };
    let wanted: Option<Schedule> = match patience {
        Some(_) => input.text("schedule")?.map(str::parse).transpose()?,
        None => Some(input.required("schedule")?.parse()?),
    };
    if let Some(Schedule::Daily { times, spread, .. }) = wanted {
        // A later offset would pass the next time, and that run would never be.
        let apart = 1_440 / u16::from(times.max(1));
        if spread >= apart {
            return Err(AdminError::invalid(format!(
                "{times} synchronizations a day are {apart} minutes apart, so an offset of up to {spread} minutes would \
                 leave some out; use a spread of at most {}, or fewer times",
                apart - 1
            )));
        }
    }
    adjust(app, |settings| {
        settings.schedule = wanted.unwrap_or(settings.schedule);
        settings.patience = patience.unwrap_or(settings.patience);
        Ok(())
    })
    .await?;
    app.synchronizer.schedule_looked_at().await;
    Ok(schedule(app))
}

/// `GET sync/content`.
pub(super) fn content(app: &App) -> Value {
    let policy = app.store.upstream_settings().content;
    json!({ "when": policy.when.as_str(), "express": policy.express })
}

/// What it may name.
pub(super) const CONTENT: Names = Names::new("the choice of files", &["when", "express"]);

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
    app.watch.files_seen_to();
    Ok(content(app))
}
