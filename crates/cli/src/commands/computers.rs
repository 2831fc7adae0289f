//! Cli room: `computers list`, `computers show` and `computers move`.

use super::catalog::entries;
use super::updates::footer;
use crate::admin_client::{AdminClient, percent_encode};
use crate::args::Computers;
use crate::output;
use crate::output::say;
use serde_json::{Value, json};

pub(crate) async fn run(client: &AdminClient, args: Computers, json: bool) -> anyhow::Result<()> {
    match args {
        Computers::List(args) => {
            let query = [
                ("group", args.group),
                ("status", args.status),
                ("search", args.search),
                ("limit", Some(args.page.limit.to_string())),
                ("offset", Some(args.page.offset.to_string())),
            ];
            let list = client.get("computers", &query).await?;
            output::show(json, &list, |list| {
                output::rows(
                    entries(list, "computers"),
                    &[
                        ("Name", "/dns_name"),
                        ("Group", "/groups"),
                        ("System", "/os"),
                        ("Needed", "/needed"),
                        ("Failed", "/failed"),
                        ("Installed", "/installed"),
                        ("No status", "/no_status"),
                        ("Last contact", "/last_contact"),
                        ("Id", "/id"),
                    ],
                    "No such computers.",
                );
                footer(list, "computers");
            });
        }
        Computers::Show { id } => {
            let value = client.get(&format!("computers/{}", percent_encode(&id)), &[]).await?;
            output::show(json, &value, |value| {
                if let Some(server) = value.pointer("/at_server/name").and_then(Value::as_str) {
                    let id = value["id"].as_str().unwrap_or_default();
                    say!(
                        "It asked `{server}`, a server below this one, for updates since, and counts there: \
                         `sluicegate downstream computers {id}` shows what it needs and has. This is what was known \
                         when it last asked here.\n"
                    );
                }
                output::fields(
                    value,
                    &[
                        ("Name", "/dns_name"),
                        ("Id", "/id"),
                        ("Groups", "/groups"),
                        ("System", "/os"),
                        ("Agent", "/client_version"),
                        ("Address", "/ip"),
                        ("Manufacturer", "/manufacturer"),
                        ("Model", "/model"),
                        ("Registered", "/registered"),
                        ("Last contact", "/last_contact"),
                        ("Last scan", "/last_sync"),
                        ("Last report", "/last_status"),
                        ("Failed", "/failed"),
                        ("Needed", "/needed"),
                        ("Installed", "/installed"),
                        ("Not applicable", "/not_applicable"),
                        ("No status", "/no_status"),
                    ],
                );
                say!("\nUpdates");
                output::rows(
                    &value["updates"],
                    &[
                        ("State", "/state"),
                        ("Declined", "/declined"),
                        ("Since", "/since"),
                        ("KB", "/kb"),
                        ("Title", "/title"),
                        ("UpdateID", "/update_id"),
                    ],
                    "Nothing reported yet.",
                );
            });
        }
        Computers::Move { id, group } => {
            let path = format!("computers/{}/move", percent_encode(&id));
            let done = client.post(&path, &json!({"group": group})).await?;
            output::show(json, &done, |_| say!("Moved `{id}` to `{group}`."));
        }
    }
    Ok(())
}
