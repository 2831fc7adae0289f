//! What is in the catalog besides updates: the categories, and what was held back.

use super::error::AdminError;
use super::with_store;
use crate::state::App;
use serde_json::{Value, json};
use sluicegate_store::Quarantined;

/// `GET catalog/quarantine`: what could not be taken in, each with its reason.
pub(super) async fn quarantine(app: &App) -> Result<Value, AdminError> {
    let entries = with_store(app, |store| store.quarantine()).await?;
    let list: Vec<Value> = entries
        .iter()
        .map(|entry| {
            let mut value = held_back(&entry.entry);
            value["first_seen"] = json!(entry.first_seen.iso());
            value["waits"] = json!(entry.waits);
            value
        })
        .collect();
    Ok(json!({ "quarantine": list }))
}

/// One thing held back.
pub(super) fn held_back(entry: &Quarantined) -> Value {
    json!({
        "source": entry.source,
        "update_id": entry.update.map(|id| id.to_string()),
        "revision": entry.revision.map(|number| number.get()),
        "reason": entry.reason,
    })
}

/// `GET categories`: products and classifications with their titles.
pub(super) async fn categories(app: &App) -> Result<Value, AdminError> {
    let rows = with_store(app, |store| store.categories()).await?;
    let list: Vec<Value> = rows
        .iter()
        .map(|row| json!({ "id": row.update.to_string(), "kind": row.kind.as_str(), "title": row.title }))
        .collect();
    Ok(json!({ "categories": list }))
}
