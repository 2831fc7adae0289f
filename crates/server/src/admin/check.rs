//! `POST check`: everything that is kept, verified while the server runs, and repaired when asked.

use super::error::AdminError;
use super::input::{Input, Names};
use super::{actor, catalog_in_service};
use crate::checking;
use crate::state::App;
use serde_json::Value;
use std::sync::Arc;

/// What it may name.
pub(super) const CHECK: Names = Names::new("a check", &["content", "repair"]);

/// Answers it: `content` reads every file, `repair` repairs what has one right answer.
pub(super) async fn check(app: &Arc<App>, input: &Input) -> Result<Value, AdminError> {
    let (content, repair) = (input.flag("content")?.unwrap_or(false), input.flag("repair")?.unwrap_or(false));
    let (store, now) = (actor::store(app), app.clock.now());
    let work = move || checking::open_store(&store, content, repair, now);
    let report = match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome?,
        Err(error) => return Err(AdminError::internal(error.to_string())),
    };
    if report.findings.iter().any(|finding| finding.repaired) {
        catalog_in_service(app, &super::input::Query::parse("")).await;
    }
    Ok(checking::report_json(&report))
}
