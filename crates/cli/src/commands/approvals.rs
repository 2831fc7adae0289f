//! Cli room: `approve`, `unapprove` and `decline`.

use crate::admin_client::AdminClient;
use crate::args::{Action, Approve, Unapprove, UpdateArg};
use crate::output;
use crate::output::say;
use serde_json::json;

pub(crate) async fn approve(client: &AdminClient, args: &Approve, json: bool) -> anyhow::Result<()> {
    let action = match args.action {
        Action::Install => "install",
        Action::Uninstall => "uninstall",
    };
    let body = json!({"group": args.group, "action": action, "deadline": args.deadline});
    let done = client.post(&format!("updates/{}/approve", args.update.update), &body).await?;
    output::show(json, &done, |_| match &args.deadline {
        Some(deadline) => say!("Approved for `{}`: {action}, by {deadline}.", args.group),
        None => say!("Approved for `{}`: {action}.", args.group),
    });
    Ok(())
}

pub(crate) async fn unapprove(client: &AdminClient, args: &Unapprove, json: bool) -> anyhow::Result<()> {
    let path = format!("updates/{}/unapprove", args.update.update);
    let done = client.post(&path, &json!({"group": args.group})).await?;
    output::show(json, &done, |_| match &args.group {
        Some(group) => say!("No longer approved for `{group}`."),
        None => say!("No longer approved for any group."),
    });
    Ok(())
}

pub(crate) async fn decline(client: &AdminClient, update: &UpdateArg, json: bool) -> anyhow::Result<()> {
    let done = client.post(&format!("updates/{}/decline", update.update), &json!({})).await?;
    output::show(json, &done, |_| say!("Declined: computers are no longer told of this update."));
    Ok(())
}
