//! `GET downstream/computers` and `GET downstream/computers/{id}`: the computers of the servers below this one and the
//! state of updates on them, as those servers told it (MS-WSUSSS 3.1.4.14 and 3.1.4.16).

use super::error::AdminError;
use super::input::Query;
use super::with_store;
use crate::inventory::os_name;
use crate::state::App;
use serde_json::{Value, json};
use sluicegate_policy::{GroupTree, UpdateState};
use sluicegate_store::Store;
use sluicegate_store::hierarchy::{
    ComputerDetails, DownstreamComputer, DownstreamComputerFilter, GroupedBelow, ShareBelow,
};
use sluicegate_terms::{ComputerId, Guid, Timestamp};

/// `GET downstream/computers?server=ID&search=TEXT&limit=N&offset=N`, by name.
pub(super) async fn list(app: &App, query: &Query) -> Result<Value, AdminError> {
    let server = match query.get("server") {
        None => None,
        Some(text) => match text.parse::<Guid>() {
            Ok(id) => Some(id),
            Err(_) => {
                return Err(AdminError::invalid(format!(
                    "`{text}` is not the id of a server; `GET downstream` lists them"
                )));
            }
        },
    };
    let filter = DownstreamComputerFilter {
        server,
        search: query.get("search").map(str::to_owned),
        limit: query.number("limit", 100)?,
        offset: query.number("offset", 0)?,
    };
    let computers = with_store(app, move |store| store.downstream_computers(&filter)).await?;
    let decisions = app.store.decisions();
    let shown = |computer| shown(computer, &decisions.groups);
    Ok(json!({ "computers": computers.iter().map(shown).collect::<Vec<_>>() }))
}

/// The servers that have some computers, and how many.
pub(super) fn shares(found: &GroupedBelow) -> Vec<Value> {
    let share = |one: &ShareBelow| json!({ "id": one.server.to_string(), "name": one.name, "computers": one.computers });
    found.servers.iter().map(share).collect()
}

fn shown(computer: &DownstreamComputer, tree: &GroupTree) -> Value {
    let told = &computer.told;
    let of =
        |state| computer.states.iter().filter(|(one, _)| *one == state).map(|(_, count)| count).sum::<u64>();
    let details = told.details.as_ref();
    // Groups that are not here are those of a server that decides itself.
    let groups = |details: &ComputerDetails| -> Vec<String> {
        details.groups.iter().filter_map(|id| tree.get(*id)).map(|group| group.name.to_string()).collect()
    };
    json!({
        "id": told.id.as_str(),
        "groups": details.map(groups),
        "dns_name": details.map(|d| d.full_domain_name.as_str()),
        "ip": details.map(|d| d.ip_address.as_str()),
        "os": details.map(system),
        "server": told.server.to_string(),
        "server_name": computer.server_name,
        "last_sync": told.last_sync.map(Timestamp::iso),
        "last_status": told.last_status.map(Timestamp::iso),
        "needed": of(UpdateState::NotInstalled) + of(UpdateState::Downloaded),
        "failed": of(UpdateState::Failed),
        "installed": of(UpdateState::Installed),
        "pending_reboot": of(UpdateState::InstalledPendingReboot),
    })
}

/// The system by the name it has in the list of this server's own computers.
fn system(details: &ComputerDetails) -> String {
    let [major, minor, build, ..] = details.os_version;
    os_name(&details.os_description, [major, minor, build], details.old_product_type)
}

/// `GET downstream/computers/{id}`: the state of each update on it.
pub(super) async fn show(app: &App, id: &str) -> Result<Value, AdminError> {
    let id: ComputerId = id.parse()?;
    let wanted = id.clone();
    let told = move |store: &Store| match store.knows_downstream_computer(&wanted)? {
        true => store.downstream_status(&wanted).map(Some),
        false => Ok(None),
    };
    let rows = with_store(app, told).await?.ok_or_else(|| {
        AdminError::unknown(format!(
            "no server below this one has told of a computer with the id `{}`, or it asked this one since; `sluicegate \
             downstream computers` lists them (GET downstream/computers)",
            id.as_str()
        ))
    })?;
    let updates: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "update_id": row.update.to_string(),
                "state": row.state.as_str(),
                "since": row.since.iso(),
            })
        })
        .collect();
    Ok(json!({ "id": id.as_str(), "updates": updates }))
}
