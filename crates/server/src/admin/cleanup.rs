//! Cleanup: what it did and how it is set, running it now or as a trial, and setting it.

use super::error::AdminError;
use super::input::{Input, Names};
use super::{actor, with_store};
use crate::cleanup::{CleanError, clean};
use crate::state::App;
use serde_json::{Value, json};
use sluicegate_policy::cleanup::{CleanupSettings, CleanupStep};
use sluicegate_store::cleanup::CleanupOrder;
use std::collections::BTreeSet;
use std::sync::Arc;

/// So many runs are shown.
const SHOWN: u32 = 20;

/// `GET cleanup`.
pub(super) async fn show(app: &App) -> Result<Value, AdminError> {
    let read = |store: &sluicegate_store::Store| Ok((store.cleanup_settings()?, store.cleanup_runs(SHOWN)?));
    let (settings, runs) = with_store(app, read).await?;
    let runs: Vec<Value> = runs
        .into_iter()
        .map(|run| {
            json!({
                "id": run.id,
                "started": run.started.iso(),
                "ended": run.ended.map(|at| at.iso()),
                "by": run.by,
                "outcome": run.outcome.as_str(),
                "steps": run.steps,
            })
        })
        .collect();
    let running = app.cleaner.running().map(|since| since.iso());
    Ok(json!({ "settings": shown(&settings), "running_since": running, "runs": runs }))
}

/// `PUT cleanup`: some settings by name; values as text, numbers or truth values.
pub(super) async fn change(app: &App, input: &Input) -> Result<Value, AdminError> {
    let mut changes = Vec::new();
    for (name, value) in &input.0 {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        // What a variable that nobody set leaves behind must not turn every step off.
        if text.trim().is_empty() {
            return Err(AdminError::invalid(format!(
                "`{name}` is empty, so nothing was changed; give it a value (`none` for no steps or no filters)"
            )));
        }
        changes.push((name.clone(), text));
    }
    let settings = adjust(app, move |settings| {
        let set = |(name, text): &(String, String)| settings.set(name, text);
        changes.iter().try_for_each(set).map_err(|error| AdminError::invalid(error.to_string()))
    })
    .await?;
    Ok(json!({ "settings": shown(&settings) }))
}

/// Changes settings of cleanup, all else staying as it is. Answers what they are then.
pub(super) async fn adjust(
    app: &App,
    change: impl FnOnce(&mut CleanupSettings) -> Result<(), AdminError> + Send + 'static,
) -> Result<CleanupSettings, AdminError> {
    let now = app.clock.now();
    with_store(app, move |store| store.change_cleanup_settings(now, change)).await?
}

/// What it may name.
pub(super) const RUN: Names = Names::new("a run of cleanup", &["dry_run", "steps"]);

/// `POST cleanup/run`: `dry_run`, and `steps` unless those of the settings. Answers when it is done.
pub(super) async fn run(app: &Arc<App>, input: &Input) -> Result<Value, AdminError> {
    let named = input.texts("steps")?;
    let steps: BTreeSet<CleanupStep> = named
        .iter()
        .map(|name| name.parse())
        .collect::<Result<_, sluicegate_policy::cleanup::SettingError>>()
        .map_err(|error| AdminError::invalid(error.to_string()))?;
    let dry_run = input.flag("dry_run")?.unwrap_or(false);
    let order = CleanupOrder { steps: (!steps.is_empty()).then_some(steps), dry_run };
    let actor = actor::store(app).actor().clone();
    let by = actor.name.clone();
    let report = clean(app, order, &by, actor).await?;
    Ok(json!({ "dry_run": dry_run, "stopped": report.stopped, "steps": report.steps }))
}

fn shown(settings: &CleanupSettings) -> Value {
    Value::Object(settings.texts().into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect())
}

impl From<CleanError> for AdminError {
    fn from(error: CleanError) -> Self {
        match error {
            CleanError::Store(error) => error.into(),
            CleanError::Task(error) => Self::internal(error.to_string()),
        }
    }
}
