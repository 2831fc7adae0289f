//! Cli room: `updates list` and `updates show`.

use super::catalog::entries;
use crate::admin_client::AdminClient;
use crate::args::Updates;
use crate::output;
use crate::output::say;

pub(crate) async fn run(client: &AdminClient, args: Updates, json: bool) -> anyhow::Result<()> {
    match args {
        Updates::List { search, approval, limit, offset } => {
            let query = [
                ("search", search),
                ("approval", approval),
                ("limit", Some(limit.to_string())),
                ("offset", Some(offset.to_string())),
            ];
            let list = client.get("updates", &query).await?;
            output::show(json, &list, |list| {
                output::rows(
                    entries(list, "updates"),
                    &[
                        ("UpdateID", "/update_id"),
                        ("Rev", "/revision"),
                        ("Kind", "/kind"),
                        ("KB", "/kb"),
                        ("Approval", "/approval"),
                        ("Needed", "/needed"),
                        ("Title", "/title"),
                    ],
                    "No updates.",
                );
            });
        }
        Updates::Show(update) => {
            let value = client.get(&format!("updates/{}", update.update), &[]).await?;
            output::show(json, &value, |value| {
                output::fields(
                    value,
                    &[
                        ("Title", "/title"),
                        ("UpdateID", "/update_id"),
                        ("Revision", "/revision"),
                        ("RevisionID", "/revision_id"),
                        ("Kind", "/kind"),
                        ("KB", "/kb"),
                        ("Severity", "/severity"),
                        ("Classification", "/classification"),
                        ("Products", "/products"),
                        ("Approval", "/approval"),
                        ("Licence terms", "/eula/id"),
                        ("Accepted by", "/eula/accepted_by"),
                        ("In service while held", "/held/serving"),
                        ("Held for", "/held/reason"),
                        ("Arrived", "/arrived"),
                        ("Supersedes", "/supersedes"),
                        ("Superseded by", "/superseded_by"),
                        ("Bundles", "/bundles"),
                        ("Bundled by", "/bundled_by"),
                        ("Description", "/description"),
                    ],
                );
                say!("\nApprovals");
                output::rows(
                    &value["approvals"],
                    &[
                        ("Group", "/group"),
                        ("Action", "/action"),
                        ("Deadline", "/deadline"),
                        ("Since", "/changed_at"),
                        ("By", "/by"),
                    ],
                    "None.",
                );
                say!("\nFiles");
                output::rows(
                    &value["files"],
                    &[("Name", "/name"), ("Size", "/size"), ("SHA-1", "/sha1"), ("Held", "/held")],
                    "None.",
                );
                say!("\nStatus");
                output::fields(value, &[("Computers", "/status")]);
            });
        }
    }
    Ok(())
}
