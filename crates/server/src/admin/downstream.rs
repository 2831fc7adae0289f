//! `GET downstream` and `DELETE downstream/{id}`: the servers that synchronize from this one, and forgetting one.

use super::error::AdminError;
use super::with_store;
use crate::contacts;
use crate::state::App;
use crate::twins;
use serde_json::{Value, json};
use sluicegate_store::hierarchy::DownstreamServer;
use sluicegate_terms::{Guid, Timestamp};
use std::sync::Arc;

/// `GET downstream`: all servers below this one, parents before their children, and the list of those that
/// may synchronize; an empty list means all.
pub(super) async fn show(app: &Arc<App>) -> Result<Value, AdminError> {
    let now = app.clock.now();
    let writer = Arc::clone(app);
    let (servers, allowed, twins) = with_store(app, move |store| {
        // Contacts are written every now and then; who lists the servers wants to see the last one.
        contacts::write_synchronized(&writer)?;
        twins::judge(store, now)?;
        Ok((store.downstream_servers()?, store.allowed_downstream(), store.downstream_twins(now)?))
    })
    .await?;
    // Of those that were refused, whoever may come in by now does so when it asks again.
    let mut refused = app.refused.lock().all();
    refused.retain(|(id, name, _)| !app.store.downstream_allowed(*id, name));
    let name = |id| servers.iter().find(|s| s.told.id == id).map(|s| s.told.name.as_str());
    let list: Vec<Value> = servers.iter().map(|s| shown(s, s.told.parent.and_then(name), &refused)).collect();
    let kept_out: Vec<Value> = refused
        .iter()
        .map(|(id, given, at)| json!({ "id": id.to_string(), "name": given, "known_as": name(*id), "at": at.iso() }))
        .collect();
    let strangers = strangers(&allowed, &servers);
    Ok(json!({
        "servers": list,
        "allowed": *allowed,
        "never_seen": strangers,
        "refused": kept_out,
        "everybody": allowed.is_empty(),
        "warning": twins::sentences(&twins).map(|said| format!("{said}; {}", twins::REMEDY)),
    }))
}

/// Those of a list that are neither name nor id of a server that was here: misspelt, or still to come.
pub(super) fn strangers<'a>(list: &'a [String], servers: &[DownstreamServer]) -> Vec<&'a str> {
    let is = |who: &str, server: &DownstreamServer| {
        let told = &server.told;
        who.eq_ignore_ascii_case(&told.id.to_string()) || who.to_lowercase() == told.name.to_lowercase()
    };
    let strange = |who: &&str| !servers.iter().any(|server| is(who, server));
    list.iter().map(String::as_str).filter(strange).collect()
}

fn shown(server: &DownstreamServer, parent: Option<&str>, refused: &[(Guid, String, Timestamp)]) -> Value {
    // The list may have its name of before, and it comes under another one now.
    let comes_as_another = refused.iter().any(|(id, _, _)| *id == server.told.id);
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
        "allowed": server.allowed && !comes_as_another,
        "computers": summary.computer_target_count,
        "computers_needing_updates": summary.computer_targets_needing_updates_count,
        "computers_with_errors": summary.computer_targets_with_update_errors_count,
        "updates": summary.update_count,
    })
}

/// `DELETE downstream/{id}`: forgets a server and the computers it told of. When it comes again it is listed again.
pub(super) async fn forget(app: &Arc<App>, id: &str) -> Result<Value, AdminError> {
    let unknown = || {
        let shown: String = id.chars().take(80).collect();
        AdminError::unknown(format!(
            "no server below this one has the id `{shown}`; `GET downstream` (`sluicegate downstream list`) lists them"
        ))
    };
    let server: Guid = id.parse().map_err(|_| unknown())?;
    let (now, writer) = (app.clock.now(), Arc::clone(app));
    let gone = with_store(app, move |store| {
        // A contact that is not written down yet would bring it back.
        let _turn = writer.writing_synchronized.lock();
        let heard = writer.synchronized.lock().take_of(server);
        writer.refused.lock().forget(server);
        for contact in heard {
            store.record_downstream(contact)?;
        }
        let gone = store.forget_downstream(server, now)?;
        twins::judge(store, now)?;
        Ok(gone)
    })
    .await?;
    let (name, computers) = gone.ok_or_else(unknown)?;
    tracing::info!(%server, name, computers, "a downstream server was forgotten");
    let listed = [server.to_string().to_lowercase(), name.to_lowercase()];
    let allowed = app.store.allowed_downstream();
    Ok(json!({
        "id": server.to_string(),
        "name": name,
        "computers": computers,
        "on_the_list": allowed.iter().any(|who| listed.contains(who)),
    }))
}
