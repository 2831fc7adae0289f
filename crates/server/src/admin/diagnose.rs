//! `POST diagnose`: every check of what can keep this server from synchronizing and serving, in order.

use super::error::AdminError;
use super::input::Names;
use crate::diagnosis;
use crate::state::App;
use serde_json::Value;
use std::sync::Arc;

/// What it may name.
pub(super) const DIAGNOSE: Names = Names::new("a diagnosis", &[]);

/// Answers it.
pub(super) async fn diagnose(app: &Arc<App>) -> Result<Value, AdminError> {
    let checks = diagnosis::run(app).await;
    let first = checks.iter().find(|check| check.verdict == diagnosis::Verdict::Failed);
    match first {
        Some(check) => tracing::warn!(check = check.name, found = check.found, "diagnosed"),
        None => tracing::info!("diagnosed; all is well"),
    }
    Ok(diagnosis::to_json(&checks))
}
