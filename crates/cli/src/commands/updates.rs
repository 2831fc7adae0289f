//! Cli room: `updates list` and `updates show`, by update or with its computers.

use super::catalog::entries;
use crate::admin_client::{AdminClient, percent_encode};
use crate::args::Updates;
use crate::args::browse::{UpdatesList, UpdatesShow};
use crate::output;
use crate::output::say;
use serde_json::Value;

pub(crate) async fn run(client: &AdminClient, args: Updates, json: bool) -> anyhow::Result<()> {
    match args {
        Updates::List(args) => list(client, *args, json).await?,
        Updates::Show(args) if args.computers => computers(client, &args, json).await?,
        Updates::Show(update) => {
            let value = client.get(&format!("updates/{}", percent_encode(&update.update)), &[]).await?;
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
                        ("Follows the bundle", "/follows"),
                        ("Licence terms", "/eula/id"),
                        ("Accepted by", "/eula/accepted_by"),
                        ("In service while held", "/held/serving"),
                        ("Held for", "/held/reason"),
                        ("Arrived", "/arrived"),
                        ("Restarts", "/reboot"),
                        ("CVEs", "/cves"),
                        ("Bulletins", "/bulletins"),
                        ("Description", "/description"),
                    ],
                );
                if value["follows"].is_string() && value["approval"] != "unapproved" {
                    say!(
                        "\nComputers are told of it as of a part of that bundle. What was decided about it alone counts \
                         again when no bundle in service has it."
                    );
                }
                say!("\nRelated updates");
                output::rows(
                    &value["related"],
                    &[("Relation", "/relation"), ("UpdateID", "/update_id"), ("Title", "/title")],
                    "None.",
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
                    &[
                        ("Name", "/name"),
                        ("Size", "/size"),
                        ("SHA-1", "/sha1"),
                        ("Held", "/held"),
                        ("Revision", "/revision"),
                        ("In service", "/in_service"),
                    ],
                    "None.",
                );
                say!("\nStatus");
                output::rows(
                    &value["status_by_group"],
                    &[
                        ("Group", "/group"),
                        ("Computers", "/computers"),
                        ("Failed", "/failed"),
                        ("Needed", "/needed"),
                        ("Installed", "/installed"),
                        ("Not applicable", "/not_applicable"),
                        ("No status", "/no_status"),
                    ],
                    "No computers.",
                );
            });
        }
    }
    Ok(())
}

async fn list(client: &AdminClient, args: UpdatesList, json: bool) -> anyhow::Result<()> {
    let query = [
        ("search", args.search),
        ("approval", args.approval),
        ("approved_for", args.approved_for),
        ("status", args.status),
        ("group", args.group),
        ("product", args.product),
        ("classification", args.classification),
        ("severity", args.severity),
        ("cve", args.cve),
        ("kb", args.kb),
        ("released_from", args.released_from),
        ("released_to", args.released_to),
        ("arrived_from", args.arrived_from),
        ("arrived_to", args.arrived_to),
        ("superseded", args.superseded),
        ("supersedes", args.supersedes),
        ("needs_licence", args.needs_licence),
        ("expired", args.expired),
        ("reboot", args.reboot),
        ("everything", args.everything.then(|| "true".to_owned())),
        ("sort", args.sort),
        ("order", args.order),
        ("limit", Some(args.page.limit.to_string())),
        ("offset", Some(args.page.offset.to_string())),
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
                ("Severity", "/severity"),
                ("Approval", "/approval"),
                ("Failed", "/failed"),
                ("Needed", "/needed"),
                ("Installed", "/installed"),
                ("No status", "/no_status"),
                ("Title", "/title"),
            ],
            "No updates.",
        );
        footer(list, "updates");
    });
    Ok(())
}

async fn computers(client: &AdminClient, args: &UpdatesShow, json: bool) -> anyhow::Result<()> {
    let query = [
        ("status", args.status.clone()),
        ("group", args.group.clone()),
        ("limit", Some(args.page.limit.to_string())),
        ("offset", Some(args.page.offset.to_string())),
    ];
    let list = client.get(&format!("updates/{}/computers", percent_encode(&args.update)), &query).await?;
    output::show(json, &list, |list| {
        output::rows(
            entries(list, "computers"),
            &[
                ("Name", "/dns_name"),
                ("State", "/state"),
                ("Since", "/since"),
                ("Error", "/error"),
                ("Id", "/id"),
            ],
            "No computers.",
        );
        footer(list, "computers");
    });
    Ok(())
}

/// What a page does not show.
pub(super) fn footer(list: &Value, key: &str) {
    let shown = list[key].as_array().map_or(0, Vec::len) as u64;
    let total = list["total"].as_u64().unwrap_or(shown);
    if total > shown {
        say!("\n{shown} of {total}; --limit and --offset show others.");
    }
    if let Some(pending) = list["pending"].as_u64().filter(|pending| *pending > 0) {
        say!("\nThe newest reports of {} are not counted yet.", output::count(pending, "computer"));
    }
}
