//! `GET config` and `PUT config`: the settings.

use super::error::AdminError;
use super::input::Input;
use super::with_store;
use crate::state::App;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Answers GET.
pub(super) fn show(app: &App) -> Value {
    json!(**app.settings.load())
}

/// Answers PUT: changes the named settings, durable before it is told and before clients see them.
pub(super) async fn change(app: &Arc<App>, input: &Input) -> Result<Value, AdminError> {
    let _turn = app.settings_turn.lock().await;
    let now = app.clock.now();
    let before = app.settings.load_full();
    let after = before.changed(&input.0, now)?;
    let texts: BTreeMap<String, String> =
        after.texts().into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
    with_store(app, move |store| store.set_config(&texts, now)).await?;
    let retargeted = after.targeting != before.targeting;
    app.settings.store(Arc::new(after));
    if retargeted {
        regroup(app).await?;
    }
    tracing::info!("settings changed");
    Ok(show(app))
}

/// Works out every computer's groups again.
pub(super) async fn regroup(app: &Arc<App>) -> Result<(), AdminError> {
    let app = Arc::clone(app);
    let work = move || {
        let targeting = app.settings.load().targeting.into();
        app.directory.regroup(targeting, &app.store.decisions().groups);
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| AdminError::internal(error.to_string()))
}
