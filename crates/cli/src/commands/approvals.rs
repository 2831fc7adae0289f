//! Cli room: `approve`, `unapprove` and `decline`.

use crate::admin_client::AdminClient;
use crate::args::{Action, Approve, Unapprove, UpdateArg};
use crate::output;
use crate::output::say;
use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};

pub(crate) async fn approve(client: &AdminClient, args: &Approve, json: bool) -> anyhow::Result<()> {
    if args.accept_eula || args.new_revision {
        if args.updates.is_empty() {
            bail!("name the updates whose licence terms or new revision you accept");
        }
        for update in &args.updates {
            accept(client, args, update, json).await?;
        }
    }
    let action = match args.action {
        Action::Install => "install",
        Action::OptionalInstall => "optional-install",
        Action::Uninstall => "uninstall",
        Action::NotApproved => "not-approved",
    };
    match (args.updates.as_slice(), args.group.as_slice()) {
        (_, []) if args.accept_eula || args.new_revision => Ok(()),
        (_, []) => bail!("name a target group with --group"),
        ([update], [group]) if args.filter.is_empty() => {
            let body = json!({"group": group, "action": action, "deadline": args.deadline});
            let done = client.post(&format!("updates/{update}/approve"), &body).await?;
            output::show(json, &done, |_| match &args.deadline {
                Some(deadline) => say!("Approved for `{group}`: {action}, by {deadline}."),
                None => say!("Approved for `{group}`: {action}."),
            });
            Ok(())
        }
        (updates, groups) => many(client, args, updates, groups, action, json).await,
    }
}

async fn accept(client: &AdminClient, args: &Approve, update: &str, json: bool) -> anyhow::Result<()> {
    if args.accept_eula {
        let done = client.post(&format!("updates/{update}/accept-eula"), &json!({})).await?;
        output::show(json, &done, |done| {
            say!("Licence terms {} accepted for all computers.", output::text(done.get("eula_id")));
        });
    }
    if args.new_revision {
        let done = client.post(&format!("updates/{update}/accept-revision"), &json!({})).await?;
        output::show(json, &done, |_| say!("The newest revision of {update} is in service."));
    }
    Ok(())
}

/// Several updates or groups, in one change.
async fn many(
    client: &AdminClient,
    args: &Approve,
    updates: &[String],
    groups: &[String],
    action: &str,
    json: bool,
) -> anyhow::Result<()> {
    let mut filter = Map::new();
    for part in &args.filter {
        let (name, value) = part.split_once('=').with_context(|| {
            format!("`{part}` is no filter (use search=, classification=, product= or approval=)")
        })?;
        if !["search", "classification", "product", "approval"].contains(&name) {
            bail!("there is no filter `{name}` (use search=, classification=, product= or approval=)");
        }
        filter.insert(name.to_owned(), json!(value));
    }
    let filter = if filter.is_empty() { Value::Null } else { Value::Object(filter) };
    let body = json!({
        "updates": updates, "filter": filter, "groups": groups, "action": action, "deadline": args.deadline,
    });
    let done = client.post("updates/approve", &body).await?;
    output::show(json, &done, |done| {
        say!(
            "Updates: {}. Approvals made: {}. Superseded among them: {}.",
            output::text(done.get("updates")),
            output::text(done.get("approvals")),
            done["superseded"].as_array().map_or(0, Vec::len)
        );
        if done["refused"].as_array().is_some_and(|list| !list.is_empty()) {
            say!("\nLeft out");
            output::rows(&done["refused"], &[("UpdateID", "/update_id"), ("Reason", "/reason")], "");
        }
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
