//! Cli room: `downstream`, the servers that synchronize from this one, and which of them may.

use crate::admin_client::{AdminClient, percent_encode};
use crate::args::hierarchy::Downstream;
use crate::output;
use crate::output::say;
use anyhow::bail;
use serde_json::{Value, json};

pub(crate) async fn run(client: &AdminClient, args: Downstream, json: bool) -> anyhow::Result<()> {
    let servers = async || client.get("downstream", &[]).await;
    let mut given = Vec::new();
    let after = match args {
        Downstream::Computers { id: Some(id), .. } => return computer(client, &id, json).await,
        Downstream::Computers { of, search, limit, offset, .. } => {
            let server = match of {
                Some(server) => Some(server_id(&servers().await?, &server)?),
                None => None,
            };
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
            output::show(json, &servers().await?, table);
            return Ok(());
        }
        Downstream::Forget { who } => {
            let id = server_id(&servers().await?, &who)?;
            let gone = client.delete(&format!("downstream/{}", percent_encode(&id))).await?;
            output::show(json, &gone, forgotten);
            return Ok(());
        }
        Downstream::Allow { all: true, .. } => {
            client.put("downstream/allowed", &json!({ "allowed": [] })).await?
        }
        // What shall change is said, not what the list shall be: somebody else may be changing it too.
        Downstream::Allow { servers, .. } => {
            given.clone_from(&servers);
            client.post("downstream/allowed", &json!({ "add": servers })).await?
        }
        Downstream::Disallow { servers } => {
            client.post("downstream/allowed", &json!({ "remove": servers })).await?
        }
    };
    output::show(json, &after, |after| {
        if after["everybody"] == true {
            say!("Every server may synchronize.");
        } else {
            say!("Only these may synchronize: {}.", listed(after));
            if after["everybody_before"] == true {
                say!(
                    "Until now every server could. From now on one that comes new, or under another name, is refused \
                     until `sluicegate downstream allow NAME`; `sluicegate downstream allow --all` lets in everybody again."
                );
            }
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
        say!("\nOnly these may synchronize: {}", listed(downstream));
    }
    let strangers = words(&downstream["never_seen"]);
    if !strangers.is_empty() {
        say!("Of them never here: {}", strangers.join(", "));
    }
    for one in downstream["refused"].as_array().map(Vec::as_slice).unwrap_or_default() {
        say!("{}", refused(one));
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

/// That a server was kept out since it is not on the list.
fn refused(one: &Value) -> String {
    let name = output::text(one.get("name"));
    let known = match one["known_as"].as_str() {
        Some(known) if !known.is_empty() && !known.eq_ignore_ascii_case(&name) => {
            format!(", which was here as {known},")
        }
        _ => String::new(),
    };
    format!(
        "Refused: {name} ({}){known} last at {}; `sluicegate downstream allow {name}` lets it in.",
        output::text(one.get("id")),
        output::text(one.get("at"))
    )
}

/// The list of those that may synchronize, for people: an id of a server that was here has its name with it.
fn listed(downstream: &Value) -> String {
    let servers = downstream["servers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let shown = |who: String| {
        let known = servers
            .iter()
            .find(|one| one["id"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(&who)))
            .and_then(|one| one["name"].as_str())
            .filter(|name| !name.is_empty());
        known.map_or_else(|| who.clone(), |name| format!("{name} ({who})"))
    };
    words(&downstream["allowed"]).into_iter().map(shown).collect::<Vec<_>>().join(", ")
}

fn words(list: &Value) -> Vec<String> {
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers() -> Value {
        json!({ "servers": [{ "id": "A1", "name": "north" }, { "id": "B2", "name": "south" }] })
    }

    fn list(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_server_is_found_by_name_or_id_and_only_when_it_is_the_only_one() {
        let id = |named: &str| server_id(&servers(), named);
        assert_eq!((id("NORTH").unwrap(), id("b2").unwrap()), ("A1".to_owned(), "B2".to_owned()));
        assert!(id("west").unwrap_err().to_string().contains("downstream list"));
        let twins = json!({ "servers": [{ "id": "A1", "name": "x" }, { "id": "B2", "name": "x" }] });
        assert!(server_id(&twins, "x").unwrap_err().to_string().contains("by its id"));
    }

    #[test]
    fn ids_on_the_list_are_shown_with_the_names_of_their_servers() {
        let downstream = json!({
            "servers": [{ "id": "a1", "name": "north" }, { "id": "b2", "name": "" }],
            "allowed": ["a1", "b2", "c3", "north"],
        });
        assert_eq!(listed(&downstream), "north (a1), b2, c3, north");
    }

    #[test]
    fn who_was_refused_is_named_with_the_name_it_had_before() {
        let mut one = json!({ "id": "a1", "name": "b", "known_as": "a", "at": "T" });
        let said =
            "Refused: b (a1), which was here as a, last at T; `sluicegate downstream allow b` lets it in.";
        assert_eq!(refused(&one), said);
        one["known_as"] = Value::Null;
        assert!(refused(&one).starts_with("Refused: b (a1) last at T"));
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
}
