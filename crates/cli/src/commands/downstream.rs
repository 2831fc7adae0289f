//! Cli room: `downstream`, the servers that synchronize from this one, and which of them may.

use crate::admin_client::{AdminClient, percent_encode};
use crate::args::hierarchy::Downstream;
use crate::output;
use crate::output::say;
use anyhow::bail;
use serde_json::{Value, json};

pub(crate) async fn run(client: &AdminClient, args: Downstream, json: bool) -> anyhow::Result<()> {
    let before = client.get("downstream", &[]).await?;
    let mut given = Vec::new();
    let allowed = match args {
        Downstream::Computers { id: Some(id), .. } => return computer(client, &id, json).await,
        Downstream::Computers { of, search, limit, offset, .. } => {
            let server = of.map(|server| server_id(&before, &server)).transpose()?;
            let query = [
                ("server", server),
                ("search", search),
                ("limit", Some(limit.to_string())),
                ("offset", Some(offset.to_string())),
            ];
            let found = client.get("downstream/computers", &query).await?;
            output::show(json, &found, computers_table);
            return Ok(());
        }
        Downstream::List => {
            output::show(json, &before, table);
            return Ok(());
        }
        Downstream::Forget { who } => {
            let gone =
                client.delete(&format!("downstream/{}", percent_encode(&server_id(&before, &who)?))).await?;
            output::show(json, &gone, forgotten);
            return Ok(());
        }
        Downstream::Allow { all: true, .. } => Vec::new(),
        Downstream::Allow { servers, .. } => {
            given.clone_from(&servers);
            allow(&before, &servers)
        }
        Downstream::Disallow { servers } => disallow(&before, &servers)?,
    };
    let after = client.put("downstream/allowed", &json!({ "allowed": allowed })).await?;
    output::show(json, &after, |after| {
        if after["everybody"] == true {
            say!("Every server may synchronize.");
        } else {
            say!("Only these may synchronize: {}.", output::text(after.get("allowed")));
        }
        if let Some(warning) = never_seen(after, &given) {
            say!("Warning: {warning}");
        }
    });
    Ok(())
}

/// What is to be said when servers were allowed that were never here: a misspelt name keeps everybody else out.
fn never_seen(after: &Value, given: &[String]) -> Option<String> {
    let strangers = words(&after["never_seen"]);
    let new: Vec<String> = strangers
        .iter()
        .filter(|who| given.iter().any(|one| one.trim().trim_end_matches('.').eq_ignore_ascii_case(who)))
        .map(|who| format!("`{who}`"))
        .collect();
    if new.is_empty() {
        return None;
    }
    let nobody = match strangers.len() == words(&after["allowed"]).len() {
        true => ". No server that was here may synchronize now",
        false => "",
    };
    Some(format!(
        "no server called {} was ever here{nobody}; `sluicegate downstream list` shows those that were",
        new.join(" or ")
    ))
}

fn forgotten(gone: &Value) {
    let name = match gone["name"].as_str() {
        None | Some("") => output::text(gone.get("id")),
        Some(name) => name.to_owned(),
    };
    let computers = gone["computers"].as_u64().unwrap_or(0);
    say!(
        "Forgot {name}, and {} it told of. It is listed again when it comes again.",
        output::count(computers, "computer")
    );
    if gone["on_the_list"] == true {
        say!(
            "It stays on the list of those that may synchronize: `sluicegate downstream disallow` takes it off."
        );
    }
}

fn table(downstream: &Value) {
    output::rows(
        &downstream["servers"],
        &[
            ("Name", "/name"),
            ("Id", "/id"),
            ("Below", "/parent_name"),
            ("Mode", "/mode"),
            ("Version", "/version"),
            ("Last sync", "/last_sync"),
            ("Last rollup", "/last_rollup"),
            ("Computers", "/computers"),
            ("Needing", "/computers_needing_updates"),
            ("Failing", "/computers_with_errors"),
            ("Allowed", "/allowed"),
        ],
        "No server synchronizes from this one.",
    );
    if downstream["everybody"] == false {
        say!("\nOnly these may synchronize: {}", output::text(downstream.get("allowed")));
    }
    let strangers = words(&downstream["never_seen"]);
    if !strangers.is_empty() {
        say!("Of them never here: {}", strangers.join(", "));
    }
    if let Some(warning) = downstream["warning"].as_str() {
        say!("\nWarning: {warning}.");
    }
}

fn computers_table(found: &Value) {
    output::rows(
        &found["computers"],
        &[
            ("Name", "/dns_name"),
            ("Id", "/id"),
            ("Server", "/server_name"),
            ("Groups", "/groups"),
            ("System", "/os"),
            ("Last sync", "/last_sync"),
            ("Last report", "/last_status"),
            ("Needed", "/needed"),
            ("Failed", "/failed"),
            ("Installed", "/installed"),
            ("Restart", "/pending_reboot"),
        ],
        "No server below this one has told of such computers.",
    );
}

async fn computer(client: &AdminClient, id: &str, json: bool) -> anyhow::Result<()> {
    let shown = client.get(&format!("downstream/computers/{}", percent_encode(id)), &[]).await?;
    output::show(json, &shown, |shown| {
        output::rows(
            &shown["updates"],
            &[("Update", "/update_id"), ("State", "/state"), ("Since", "/since")],
            "No update was told of for this computer.",
        );
    });
    Ok(())
}

/// The id of a server that is named by its id or its name.
fn server_id(downstream: &Value, named: &str) -> anyhow::Result<String> {
    let servers = downstream["servers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let same = |value: &Value| value.as_str().is_some_and(|text| text.eq_ignore_ascii_case(named));
    let found: Vec<&Value> = servers.iter().filter(|one| same(&one["id"]) || same(&one["name"])).collect();
    match found.as_slice() {
        [one] => Ok(output::text(one.get("id"))),
        [] => bail!("no server below this one is called `{named}`; `sluicegate downstream list` shows them"),
        _ => bail!("several servers are called `{named}`; name the one you mean by its id"),
    }
}

fn words(list: &Value) -> Vec<String> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The list with these servers on it.
fn allow(before: &Value, servers: &[String]) -> Vec<String> {
    let mut list = words(&before["allowed"]);
    for server in servers {
        if !list.iter().any(|known| known.eq_ignore_ascii_case(server)) {
            list.push(server.clone());
        }
    }
    list
}

/// The list without these servers. While it is empty everybody may synchronize, so it becomes a list of all
/// known servers but these.
fn disallow(before: &Value, servers: &[String]) -> anyhow::Result<Vec<String>> {
    let known = before["servers"].as_array().map(Vec::as_slice).unwrap_or_default();
    // A server may stand on the list by its name or by its id; both have to go.
    let names = |server: &str| -> Vec<String> {
        let same = |value: &Value| value.as_str().is_some_and(|text| text.eq_ignore_ascii_case(server));
        let found = known.iter().filter(|one| same(&one["id"]) || same(&one["name"]));
        let both = found.flat_map(|one| [output::text(one.get("id")), output::text(one.get("name"))]);
        both.chain([server.to_owned()]).map(|name| name.to_lowercase()).collect()
    };
    let gone: Vec<String> = servers.iter().flat_map(|server| names(server)).collect();
    let listed = words(&before["allowed"]);
    let list: Vec<String> = match listed.is_empty() {
        true => known
            .iter()
            .filter(|one| !gone.contains(&output::text(one.get("id")).to_lowercase()))
            .map(|one| output::text(one.get("id")))
            .collect(),
        false => listed.iter().filter(|name| !gone.contains(&name.to_lowercase())).cloned().collect(),
    };
    if list.len() == listed.len() && !listed.is_empty() {
        bail!("none of them is on the list of servers that may synchronize: {}", listed.join(", "));
    }
    if list.is_empty() {
        bail!(
            "no other server would be left on the list, and an empty list lets every server synchronize; \
             allow the ones that may first (`sluicegate downstream allow NAME`)"
        );
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(allowed: &[&str]) -> Value {
        json!({
            "servers": [{ "id": "A1", "name": "north" }, { "id": "B2", "name": "south" }],
            "allowed": allowed,
        })
    }

    fn list(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_server_is_taken_off_the_list_by_its_name_and_by_its_id() {
        let gone = |allowed: &[&str], who: &str| disallow(&servers(allowed), &list(&[who])).unwrap();
        assert_eq!(gone(&["north", "a1", "south"], "NORTH"), list(&["south"]));
        assert_eq!(gone(&["north", "south"], "A1"), list(&["south"]));
        assert_eq!(gone(&["elsewhere", "south"], "elsewhere"), list(&["south"]));
    }

    #[test]
    fn the_first_one_disallowed_leaves_the_others_on_a_list() {
        assert_eq!(disallow(&servers(&[]), &list(&["north"])).unwrap(), list(&["B2"]));
    }

    #[test]
    fn a_list_that_would_let_everybody_in_is_refused() {
        assert!(disallow(&servers(&["north"]), &list(&["north"])).is_err());
        assert!(disallow(&servers(&[]), &list(&["north", "south"])).is_err());
        assert!(disallow(&servers(&["north"]), &list(&["south"])).is_err());
    }

    #[test]
    fn a_server_is_found_by_name_or_id_and_only_when_it_is_the_only_one() {
        let id = |named: &str| server_id(&servers(&[]), named);
        assert_eq!((id("NORTH").unwrap(), id("b2").unwrap()), ("A1".to_owned(), "B2".to_owned()));
        assert!(id("west").unwrap_err().to_string().contains("downstream list"));
        let twins = json!({ "servers": [{ "id": "A1", "name": "x" }, { "id": "B2", "name": "x" }] });
        assert!(server_id(&twins, "x").unwrap_err().to_string().contains("by its id"));
    }

    #[test]
    fn a_name_that_was_never_here_is_warned_of_and_more_so_when_it_keeps_everybody_out() {
        let after = |never: &[&str]| json!({ "allowed": ["midle", "north"], "never_seen": never });
        let said = |never: &[&str], given: &str| never_seen(&after(never), &list(&[given]));
        assert_eq!(said(&[], "north"), None);
        assert_eq!(said(&["midle"], "north"), None, "an old one is no news");
        let one = said(&["midle"], "MIDLE").unwrap();
        assert!(one.contains("`midle`") && !one.contains("No server that was here"), "{one}");
        assert!(said(&["midle", "north"], "midle").unwrap().contains("No server that was here"));
    }

    #[test]
    fn allowing_one_twice_lists_it_once() {
        assert_eq!(allow(&servers(&["north"]), &list(&["North", "south"])), list(&["north", "south"]));
    }
}
