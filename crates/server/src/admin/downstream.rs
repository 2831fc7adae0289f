//! `GET downstream` and `PUT downstream/allowed`: the servers that synchronize from this one, and which may.

use super::error::AdminError;
use super::input::Input;
use super::with_store;
use crate::state::App;
use serde_json::{Value, json};
use sluicegate_store::hierarchy::DownstreamServer;
use sluicegate_terms::Timestamp;

/// Most servers on the list of those that may synchronize.
const MOST: usize = 10_000;

/// `GET downstream`: all servers below this one, parents before their children, and the list of those that
/// may synchronize; an empty list means all.
pub(super) async fn show(app: &App) -> Result<Value, AdminError> {
    let heard: Vec<_> = app.synchronized.lock().values().cloned().collect();
    let (servers, allowed) = with_store(app, move |store| {
        // Contacts are written every now and then; who lists the servers wants to see the last one.
        for contact in heard {
            store.record_downstream(contact)?;
        }
        Ok((store.downstream_servers()?, store.allowed_downstream()))
    })
    .await?;
    let name = |id| servers.iter().find(|s| s.told.id == id).map(|s| s.told.name.as_str());
    let list: Vec<Value> = servers.iter().map(|s| shown(s, s.told.parent.and_then(name))).collect();
    Ok(json!({ "servers": list, "allowed": *allowed, "everybody": allowed.is_empty() }))
}

fn shown(server: &DownstreamServer, parent: Option<&str>) -> Value {
    let told = &server.told;
    let summary = &told.summary;
    json!({
        "id": told.id.to_string(),
        "name": told.name,
        "parent": told.parent.map(|id| id.to_string()),
        "parent_name": parent,
        "version": told.version,
        "mode": if told.is_replica { "replica" } else { "autonomous" },
        "first_seen": server.first_seen.iso(),
        "last_contact": server.last_contact.iso(),
        "last_sync": told.last_sync.map(Timestamp::iso),
        "last_rollup": told.last_rollup.map(Timestamp::iso),
        "allowed": server.allowed,
        "computers": summary.computer_target_count,
        "computers_needing_updates": summary.computer_targets_needing_updates_count,
        "computers_with_errors": summary.computer_targets_with_update_errors_count,
        "updates": summary.update_count,
    })
}

/// `PUT downstream/allowed`: the whole list `allowed`, by name or id. Empty lets everybody synchronize.
pub(super) async fn allow(app: &App, input: &Input) -> Result<Value, AdminError> {
    if !input.0.contains_key("allowed") {
        let message = "`allowed` is missing; it is the whole list, by name or id, and empty means everybody";
        return Err(AdminError::invalid(message));
    }
    let who = input.texts("allowed")?;
    if who.len() > MOST {
        return Err(AdminError::invalid(format!(
            "the list has {} servers; at most {MOST} are kept",
            who.len()
        )));
    }
    if let Some(odd) = who.iter().find(|name| name.trim().is_empty() || name.chars().any(char::is_control)) {
        return Err(AdminError::invalid(format!("{odd:?} is neither the name nor the id of a server")));
    }
    let now = app.clock.now();
    with_store(app, move |store| store.set_allowed_downstream(&who, now)).await?;
    tracing::info!("the list of servers that may synchronize was changed");
    show(app).await
}
