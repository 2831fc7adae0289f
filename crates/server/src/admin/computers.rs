//! Computers: listed, shown with what they reported, and moved between groups.

use super::error::AdminError;
use super::input::{Input, Names, Query};
use super::{listed, with_store};
use crate::contacts;
use crate::inventory::Inventory;
use crate::state::App;
use serde_json::{Value, json};
use sluicegate_policy::GroupTree;
use sluicegate_store::{Computer, ComputerFilter, ComputerGroups, StateCounts, Targeting};
use sluicegate_terms::{ComputerId, Timestamp};
use std::sync::Arc;

/// Events shown of one computer.
const EVENTS: u32 = 50;

/// `GET computers`. A group's list has the computers of the groups nested in it too.
pub(super) async fn list(app: &Arc<App>, query: &Query) -> Result<Value, AdminError> {
    let decisions = app.store.decisions();
    let targeting = app.settings.load().targeting.into();
    let groups = match query.get("group") {
        None => None,
        Some(name) => {
            let top = decisions.groups.find(name)?.id;
            let below =
                decisions.groups.iter().filter(|group| decisions.groups.path(group.id).any(|id| id == top));
            Some(below.map(|group| group.id).collect())
        }
    };
    let filter = ComputerFilter {
        groups,
        targeting,
        search: query.get("search").map(str::to_owned),
        status: listed::status_filter(query.get("status"))?,
        limit: query.number("limit", 100)?,
        offset: query.number("offset", 0)?,
    };
    note_contacts(app).await?;
    let page = with_store(app, move |store| store.computers(&filter)).await?;
    let rows: Vec<Value> = page.rows.iter().map(|row| shown(row, targeting, &decisions.groups)).collect();
    Ok(json!({ "computers": rows, "total": page.total, "pending": page.pending }))
}

/// `GET computers/{id}`; a DNS name does as well. Of one that has moved to a server below `at_server` says to which.
pub(super) async fn show(app: &Arc<App>, id: &str) -> Result<Value, AdminError> {
    note_contacts(app).await?;
    let id = called(app, id).await?;
    let decisions = app.store.decisions();
    let targeting = app.settings.load().targeting.into();
    with_store(app, move |store| {
        let computer = store.computer(&id)?;
        let below = store.place_below(&id)?;
        let status = store.computer_status(&id)?;
        let updates: Vec<Value> = status
            .rows
            .iter()
            .map(|(update, row)| {
                // An update that was reported and is not in the catalog has no title.
                let known = store.title_and_kb(*update).ok();
                json!({
                    "update_id": update.to_string(),
                    "title": known.as_ref().map(|(title, _)| title),
                    "kb": known.as_ref().map(|(_, kb)| kb),
                    "state": row.state.as_str(),
                    // Told by the computer, and counted nowhere.
                    "declined": decisions.declined.contains_key(update),
                    "since": row.since.iso(),
                    "error": (row.error != 0).then(|| format!("0x{:08X}", row.error)),
                })
            })
            .collect();
        let events: Vec<Value> = store
            .events_of(&id, EVENTS)?
            .iter()
            .map(|event| {
                json!({
                    "event": event.id,
                    "namespace": event.namespace,
                    "source": event.source,
                    "update_id": event.update.map(|identity| identity.update.to_string()),
                    "revision": event.update.map(|identity| identity.revision.get()),
                    "at": event.at.iso(),
                    "received": event.received.iso(),
                    "result": format!("0x{:08X}", event.result),
                })
            })
            .collect();
        let mut value = shown(&computer, targeting, &decisions.groups);
        if below.is_some() {
            // What counts is counted where it is; of what was known here only what it reported is.
            let mut states = StateCounts::default();
            let counted = status.rows.iter().filter(|(update, _)| !decisions.declined.contains_key(update));
            counted.for_each(|(_, row)| states.add(row.state, 1));
            if let (Value::Object(all), Value::Object(known)) = (&mut value, listed::states(&states)) {
                all.extend(known);
            }
            (value["not_applicable"], value["no_status"]) = (Value::Null, Value::Null);
        }
        value["at_server"] = json!(below.map(|place| {
            json!({
                "id": place.server.to_string(),
                "name": place.name,
                "last_sync": place.last_sync.map(Timestamp::iso),
            })
        }));
        value["updates"] = json!(updates);
        value["events"] = json!(events);
        value["inventory"] = json!(Inventory::from_text(computer.inventory.as_deref()));
        Ok(value)
    })
    .await
}

/// What it may name.
pub(super) const MOVE: Names = Names::new("the move of a computer", &["group"]);

/// `POST computers/{id}/move`; a DNS name does as well.
pub(super) async fn move_to(app: &Arc<App>, id: &str, input: &Input) -> Result<Value, AdminError> {
    let decisions = app.store.decisions();
    let Some(group) = input.group("group", &decisions.groups)? else {
        return Err(AdminError::invalid("`group` is missing"));
    };
    if app.settings.load().targeting == crate::settings::Targeting::Client {
        return Err(AdminError::invalid(
            "computers name their own groups here; set `targeting` to `server` to move them",
        ));
    }
    note_contacts(app).await?;
    let id = called(app, id).await?;
    let (moved, now) = (id.clone(), app.clock.now());
    with_store(app, move |store| store.move_computer(&moved, group, now)).await?;
    contacts::reread(app, &id).await?;
    Ok(json!({
        "id": id.as_str(),
        "group": decisions.groups.require(group)?.name.as_str(),
        "group_id": group.to_string(),
    }))
}

/// The computer with an id, or else the only one with a DNS name.
async fn called(app: &Arc<App>, text: &str) -> Result<ComputerId, AdminError> {
    let wanted: ComputerId = text.parse()?;
    let asked = wanted.clone();
    let found = with_store(app, move |store| store.computers_called(&asked)).await?;
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(AdminError::unknown(format!(
            "there is no computer with the id or DNS name `{wanted}`; `sluicegate computers list` lists them \
             (GET computers)"
        ))),
        several => {
            let ids: Vec<&str> = several.iter().map(ComputerId::as_str).collect();
            Err(AdminError::invalid(format!(
                "several computers have the DNS name `{wanted}`; name the one you mean by its id: {}",
                ids.join(", ")
            )))
        }
    }
}

/// What was heard a moment ago is to be seen.
async fn note_contacts(app: &Arc<App>) -> Result<(), AdminError> {
    let writer = Arc::clone(app);
    match tokio::task::spawn_blocking(move || contacts::write_back(&writer)).await {
        Ok(outcome) => Ok(outcome?),
        Err(error) => Err(AdminError::internal(error.to_string())),
    }
}

fn shown(computer: &Computer, targeting: Targeting, tree: &GroupTree) -> Value {
    let belongs = ComputerGroups {
        registered: computer.registered_at.is_some(),
        assigned: computer.assigned.clone(),
        requested: computer.requested.clone(),
    };
    let groups = belongs.effective(targeting, tree);
    let names: Vec<&str> =
        groups.iter().filter_map(|id| tree.get(*id)).map(|group| group.name.as_str()).collect();
    let inventory = Inventory::from_text(computer.inventory.as_deref());
    let time = |time: Option<Timestamp>| time.map(Timestamp::iso);
    let mut value = listed::states(&computer.states);
    let about = json!({
        "id": computer.id.as_str(),
        "dns_name": computer.dns_name,
        "groups": names,
        "requested_groups": computer.requested,
        "os": inventory.os,
        "manufacturer": inventory.manufacturer,
        "model": inventory.model,
        "client_version": computer.client_version,
        "ip": computer.ip,
        "registered": time(computer.registered_at),
        "first_seen": computer.first_seen.iso(),
        "last_contact": computer.last_contact.iso(),
        "last_sync": time(computer.last_sync),
        "last_report": time(computer.last_report),
        "last_status": time(computer.status_at),
    });
    if let (Value::Object(all), Value::Object(about)) = (&mut value, about) {
        all.extend(about);
    }
    value
}
