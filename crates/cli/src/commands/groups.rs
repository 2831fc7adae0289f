//! Cli room: `groups create` and `groups list`.

use super::catalog::entries;
use crate::admin_client::AdminClient;
use crate::args::Groups;
use crate::output;
use crate::output::say;
use serde_json::json;

pub(crate) async fn run(client: &AdminClient, args: Groups, json: bool) -> anyhow::Result<()> {
    match args {
        Groups::Create { name, parent } => {
            let made = client.post("groups", &json!({"name": name, "parent": parent})).await?;
            output::show(json, &made, |made| {
                say!("Created the group `{name}` under `{parent}`.");
                match made["put_back"].as_u64() {
                    None | Some(0) => {}
                    Some(1) => say!("1 computer is back in it, which was in a group of this name before."),
                    Some(count) => {
                        say!("{count} computers are back in it, which were in a group of this name before.");
                    }
                }
            });
        }
        Groups::List => {
            let list = client.get("groups", &[]).await?;
            output::show(json, &list, |list| {
                output::rows(
                    entries(list, "groups"),
                    &[
                        ("Name", "/name"),
                        ("Parent", "/parent"),
                        ("Computers", "/computers"),
                        ("GroupID", "/id"),
                    ],
                    "No groups.",
                );
            });
        }
    }
    Ok(())
}
