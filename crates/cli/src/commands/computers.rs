//! Cli room: `computers list`, `computers show` and `computers move`.

use super::catalog::entries;
use crate::admin_client::{AdminClient, percent_encode};
use crate::args::Computers;
use crate::output;
use crate::output::say;
use serde_json::json;

pub(crate) async fn run(client: &AdminClient, args: Computers, json: bool) -> anyhow::Result<()> {
    match args {
        Computers::List { group, limit, offset } => {
            let query =
                [("group", group), ("limit", Some(limit.to_string())), ("offset", Some(offset.to_string()))];
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
                        ("Last contact", "/last_contact"),
                        ("Id", "/id"),
                    ],
                    "No computers have registered yet.",
                );
            });
        }
        Computers::Show { id } => {
            let value = client.get(&format!("computers/{}", percent_encode(&id)), &[]).await?;
            output::show(json, &value, |value| {
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
                    ],
                );
                say!("\nUpdates");
                output::rows(
                    &value["updates"],
                    &[
                        ("State", "/state"),
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
