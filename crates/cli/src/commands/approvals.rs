//! Cli room: `approve`, `unapprove` and `decline`.

use crate::admin_client::{AdminClient, percent_encode};
use crate::args::{Action, Approve, Unapprove, UpdateArg};
use crate::output;
use crate::output::say;
use anyhow::bail;
use serde_json::{Map, Value, json};

/// Everything that one command did, as one document for programs; people are told as it happens.
struct Told {
    json: bool,
    document: Map<String, Value>,
}

impl Told {
    /// One more thing in the list `name`.
    fn item(&mut self, name: &str, item: Value, table: impl FnOnce(&Value)) {
        if !self.json {
            return table(&item);
        }
        if let Value::Array(items) = self.document.entry(name).or_insert_with(|| json!([])) {
            items.push(item);
        }
    }

    /// The answer to the order itself.
    fn answer(&mut self, answer: Value, table: impl FnOnce(&Value)) {
        match answer {
            Value::Object(members) if self.json => self.document.extend(members),
            answer => table(&answer),
        }
    }
}

pub(crate) async fn approve(client: &AdminClient, args: &Approve, json: bool) -> anyhow::Result<()> {
    let mut told = Told { json, document: Map::new() };
    let outcome = carry_out(client, args, &mut told).await;
    // What was accepted stays accepted, also when the approval is refused.
    if !told.document.is_empty() {
        say!("{:#}", Value::Object(told.document));
    }
    outcome
}

async fn carry_out(client: &AdminClient, args: &Approve, told: &mut Told) -> anyhow::Result<()> {
    if args.accept_eula || args.new_revision {
        if args.updates.is_empty() {
            bail!("name the updates whose licence terms or new revision you accept");
        }
        for update in &args.updates {
            accept(client, args, update, told).await?;
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
            told.answer(done, |done| {
                let was_declined = done["decline_taken_back"] == true;
                match (&args.deadline, args.action) {
                    (Some(deadline), _) => say!("Approved for `{group}`: {action}, by {deadline}."),
                    (None, Action::NotApproved) if was_declined => {
                        say!(
                            "No longer declined; not approved for `{group}`, whatever groups above it have."
                        );
                    }
                    (None, Action::NotApproved) => {
                        say!("Not approved for `{group}`, whatever groups above it have.");
                    }
                    (None, _) => say!("Approved for `{group}`: {action}."),
                }
                if was_declined && !matches!(args.action, Action::NotApproved) {
                    say!("It was declined until now; that is taken back.");
                }
            });
            Ok(())
        }
        (updates, groups) => many(client, args, (updates, groups), action, told).await,
    }
}

async fn accept(client: &AdminClient, args: &Approve, update: &str, told: &mut Told) -> anyhow::Result<()> {
    let mut in_service = None;
    if args.accept_eula {
        let done = client.post(&update_path(update, "accept-eula"), &json!({})).await?;
        // A revision that waited for these terms alone is in service with them.
        let released = done["released"].as_array().is_some_and(|list| list.contains(&done["update_id"]));
        in_service = released.then(|| done["update_id"].clone());
        told.item("accepted", done, |done| {
            say!("Licence terms {} accepted for all computers.", output::text(done.get("eula_id")));
        });
    }
    if args.new_revision {
        let in_service = match in_service {
            Some(update) => update,
            None => {
                let done = client.post(&update_path(update, "accept-revision"), &json!({})).await?;
                done["update_id"].clone()
            }
        };
        told.item("in_service", in_service, |_| say!("The newest revision of {update} is in service."));
    }
    Ok(())
}

/// Where an order about an update goes.
fn update_path(update: &str, order: &str) -> String {
    format!("updates/{}/{order}", percent_encode(update))
}

/// Several updates or groups, in one change. What was left out is a failure: a script must not take the order for done.
async fn many(
    client: &AdminClient,
    args: &Approve,
    (updates, groups): (&[String], &[String]),
    action: &str,
    told: &mut Told,
) -> anyhow::Result<()> {
    let filter: Map<String, Value> =
        args.filter.iter().map(|part| (part.name.to_owned(), json!(part.value))).collect();
    let filter = if filter.is_empty() { Value::Null } else { Value::Object(filter) };
    let body = json!({
        "updates": updates, "filter": filter, "groups": groups, "action": action, "deadline": args.deadline,
    });
    let done = client.post("updates/approve", &body).await?;
    let length = |name: &str| done[name].as_array().map_or(0, Vec::len);
    let (left_out, taken_back) = (length("refused"), length("declines_taken_back"));
    told.answer(done, |done| {
        let made = if action == "not-approved" { "Set to not approved" } else { "Approvals made" };
        say!(
            "Updates: {}. {made}: {}. Superseded among them: {}.",
            output::text(done.get("updates")),
            output::text(done.get("approvals")),
            done["superseded"].as_array().map_or(0, Vec::len)
        );
        if taken_back > 0 {
            say!(
                "Declined until now, which is taken back: {}.",
                output::text(done.get("declines_taken_back"))
            );
        }
        if left_out > 0 {
            say!("\nLeft out");
            output::rows(&done["refused"], &[("UpdateID", "/update_id"), ("Reason", "/reason")], "");
        }
    });
    if left_out > 0 {
        let updates = output::count(u64::try_from(left_out)?, "update");
        bail!("{updates} left out; `refused` in the answer (the table `Left out`) says why");
    }
    Ok(())
}

pub(crate) async fn unapprove(client: &AdminClient, args: &Unapprove, json: bool) -> anyhow::Result<()> {
    let path = update_path(&args.update.update, "unapprove");
    let done = client.post(&path, &json!({"group": args.group})).await?;
    output::show(json, &done, |done| {
        match &args.group {
            Some(group) => say!("No longer approved for `{group}`."),
            None => say!("No longer approved for any group."),
        }
        if done["declined"] == true {
            say!(
                "It is declined all the same; `sluicegate approve {} --group GROUP --action not-approved` takes that back.",
                args.update.update
            );
        }
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
    use crate::args::Command;
    use crate::endpoint::Endpoint;
    use sluicegate_catalog::compose::Document;
    use sluicegate_server::{Server, ServerOptions};
    use sluicegate_terms::{Guid, RevisionNumber, UpdateId, UpdateIdentity};

    async fn typed(client: &AdminClient, words: &[&str]) -> anyhow::Result<()> {
        let words = ["sluicegate", "approve"].iter().chain(words);
        let Command::Approve(args) = crate::typed::parse(words)?.command else { bail!("another command") };
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
