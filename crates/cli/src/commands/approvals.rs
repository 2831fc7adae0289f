//! Cli room: `approve`, `unapprove` and `decline`.

use crate::admin_client::{AdminClient, percent_encode};
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
            let done = client.post(&update_path(update, "approve"), &body).await?;
            output::show(json, &done, |_| match (&args.deadline, args.action) {
                (Some(deadline), _) => say!("Approved for `{group}`: {action}, by {deadline}."),
                (None, Action::NotApproved) => {
                    say!("Not approved for `{group}`, whatever groups above it have.")
                }
                (None, _) => say!("Approved for `{group}`: {action}."),
            });
            Ok(())
        }
        (updates, groups) => many(client, args, updates, groups, action, json).await,
    }
}

async fn accept(client: &AdminClient, args: &Approve, update: &str, json: bool) -> anyhow::Result<()> {
    let mut in_service = false;
    if args.accept_eula {
        let done = client.post(&update_path(update, "accept-eula"), &json!({})).await?;
        output::show(json, &done, |done| {
            say!("Licence terms {} accepted for all computers.", output::text(done.get("eula_id")));
        });
        // A revision that waited for these terms alone is in service with them.
        in_service = done["released"].as_array().is_some_and(|list| list.contains(&done["update_id"]));
    }
    if args.new_revision {
        if !in_service {
            let done = client.post(&update_path(update, "accept-revision"), &json!({})).await?;
            output::show(json, &done, |_| newest(update));
        } else if !json {
            newest(update);
        }
    }
    Ok(())
}

fn newest(update: &str) {
    say!("The newest revision of {update} is in service.");
}

/// Where an order about an update goes.
fn update_path(update: &str, order: &str) -> String {
    format!("updates/{}/{order}", percent_encode(update))
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
    let path = update_path(&args.update.update, "unapprove");
    let done = client.post(&path, &json!({"group": args.group})).await?;
    output::show(json, &done, |_| match &args.group {
        Some(group) => say!("No longer approved for `{group}`."),
        None => say!("No longer approved for any group."),
    });
    Ok(())
}

pub(crate) async fn decline(client: &AdminClient, update: &UpdateArg, json: bool) -> anyhow::Result<()> {
    let done = client.post(&update_path(&update.update, "decline"), &json!({})).await?;
    output::show(json, &done, |_| say!("Declined: computers are no longer told of this update."));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use crate::endpoint::Endpoint;
    use clap::Parser as _;
    use sluicegate_catalog::compose::Document;
    use sluicegate_server::{Server, ServerOptions};
    use sluicegate_terms::{Guid, RevisionNumber, UpdateId, UpdateIdentity};

    async fn typed(client: &AdminClient, words: &[&str]) -> anyhow::Result<()> {
        let words = ["sluicegate", "approve"].iter().chain(words);
        let Command::Approve(args) = Cli::try_parse_from(words)?.command else { bail!("another command") };
        approve(client, &args, false).await
    }

    async fn import(client: &AdminClient, revision: i64, terms: Option<Guid>) {
        let update = UpdateId(Guid::from_u128(7));
        let identity = UpdateIdentity { update, revision: RevisionNumber::new(revision).unwrap() };
        let mut document = Document::software(identity, "Licensed");
        document.properties.eula_id = terms;
        let xml = document.to_xml();
        let body = format!("{}\n{xml}", json!({ "name": "licensed.xml", "size": xml.len() }));
        let (chunks, receiver) = tokio::sync::mpsc::channel(1);
        chunks.send(Ok(body.into())).await.unwrap();
        drop(chunks);
        let answer = client.post_stream("catalog/import", receiver).await.unwrap();
        http_body_util::BodyExt::collect(answer.into_body()).await.unwrap();
    }

    #[tokio::test]
    async fn terms_and_the_new_revision_that_waits_for_them_are_accepted_in_one_go() {
        let dir = tempfile::tempdir().unwrap();
        let options = ServerOptions::new(dir.path(), "127.0.0.1:0".parse().unwrap());
        let running = Server::start(options).await.unwrap();
        let token = std::fs::read_to_string(dir.path().join("admin-token")).unwrap().trim().to_owned();
        let client = AdminClient::new(Endpoint { base: running.base_url(), token });
        let id = UpdateId(Guid::from_u128(7)).to_string();
        import(&client, 1, None).await;
        typed(&client, &[&id, "--group", "All Computers"]).await.unwrap();
        import(&client, 2, Some(Guid::from_u128(5))).await;
        let held = || async { client.get(&format!("updates/{id}"), &[]).await.unwrap()["held"].clone() };
        assert_eq!(held().await["reason"], "eula");
        let upper = id.to_uppercase();
        typed(&client, &[&upper, "--new-revision", "--accept-eula"]).await.unwrap();
        assert_eq!(held().await, Value::Null);
        let again = typed(&client, &[&id, "--new-revision"]).await.unwrap_err();
        assert!(again.to_string().contains("no newer revision"), "{again}");
        let odd = typed(&client, &["a/b?c#d", "--group", "All Computers"]).await.unwrap_err();
        assert!(odd.to_string().contains("a/b?c#d"), "the whole of it is the id: {odd}");
        running.shutdown().await;
    }
}
