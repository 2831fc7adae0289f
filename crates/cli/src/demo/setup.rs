//! Demo: what an administrator does on the first morning, over the admin API as anybody could: import the
//! catalog, add the files, make groups, decide.

use super::catalog::Catalog;
use super::ids;
use crate::admin_client::{AdminClient, percent_encode, read_json};
use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use sluicegate_terms::{Timestamp, UpdateId};

/// The groups: names and parents.
pub(super) const GROUPS: [(&str, Option<&str>); 3] =
    [("Workstations", None), ("Pilot", Some("Workstations")), ("Servers", None)];

/// Makes everything ready; what is there from an earlier run stays as it is.
pub(super) async fn prepare(client: &AdminClient, catalog: &Catalog, now: Timestamp) -> anyhow::Result<()> {
    let added = import(client, catalog).await.context("importing the demo catalog")?;
    for (name, bytes) in &catalog.files {
        let body = stream(vec![Bytes::from(bytes.clone())])?;
        let answer = client.post_stream(&format!("content?name={}", percent_encode(name)), body).await;
        read_json(answer.with_context(|| format!("adding the file `{name}`"))?).await?;
    }
    let made = groups(client).await.context("making the demo groups")?;
    // Decisions of an earlier run may have been changed by whoever is looking around: they stay.
    if added > 0 || made {
        decide(client, now).await.context("deciding about the demo updates")?;
    }
    Ok(())
}

/// Sends the documents; the number of new revisions.
async fn import(client: &AdminClient, catalog: &Catalog) -> anyhow::Result<u64> {
    let mut pieces = Vec::new();
    for document in &catalog.documents {
        let xml = document.to_xml();
        let name = format!("{}.xml", document.identity.update);
        let mut piece = serde_json::to_vec(&json!({"name": name, "size": xml.len()}))?;
        piece.push(b'\n');
        piece.extend_from_slice(xml.as_bytes());
        pieces.push(Bytes::from(piece));
    }
    let answer = client.post_stream("catalog/import", stream(pieces)?).await?;
    let lines = answer.into_body().collect().await.context("the server's answer broke off")?.to_bytes();
    let last = lines.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty()).unwrap_or_default();
    let last: Value = serde_json::from_slice(last).context("the server's answer is not JSON")?;
    let report = last.get("report").with_context(|| format!("the import was refused: {last}"))?;
    if let Some(held) = report["quarantined"].as_array().filter(|held| !held.is_empty()) {
        tracing::warn!(?held, "demo documents were held back");
    }
    Ok(report["added"].as_u64().unwrap_or(0) + report["revised"].as_u64().unwrap_or(0))
}

/// A body that is already complete.
fn stream(pieces: Vec<Bytes>) -> anyhow::Result<tokio::sync::mpsc::Receiver<std::io::Result<Bytes>>> {
    let (sender, receiver) = tokio::sync::mpsc::channel(pieces.len().max(1));
    for piece in pieces {
        sender.try_send(Ok(piece)).context("the channel has room for every piece")?;
    }
    Ok(receiver)
}

/// Makes the groups that are missing; whether any was.
async fn groups(client: &AdminClient) -> anyhow::Result<bool> {
    let list = client.get("groups", &[]).await?;
    let known: Vec<&str> = list["groups"]
        .as_array()
        .map(|groups| groups.iter().filter_map(|group| group["name"].as_str()).collect())
        .unwrap_or_default();
    let mut made = false;
    for (name, parent) in GROUPS {
        if !known.contains(&name) {
            client.post("groups", &json!({"name": name, "parent": parent})).await?;
            made = true;
        }
    }
    Ok(made)
}

async fn decide(client: &AdminClient, now: Timestamp) -> anyhow::Result<()> {
    let in_a_week = now.plus_seconds(7 * 24 * 3600).iso();
    // Its licence terms are accepted as an administrator would who read them.
    post(client, ids::VIEWER, "accept-eula", &json!({})).await?;
    for (update, group, action, deadline) in [
        (ids::DESK_420, "Pilot", "install", Some(in_a_week.as_str())),
        (ids::DESK_413, "Workstations", "install", None),
        (ids::VIEWER, "Pilot", "install", None),
        (ids::SUITE, "All Computers", "install", None),
        (ids::DIAGNOSTICS, "Workstations", "install", None),
        (ids::SYNC_AGENT, "Workstations", "uninstall", None),
        (ids::STATION_704, "Servers", "install", None),
        (ids::GAUGE_DRIVER, "All Computers", "install", None),
    ] {
        let decision = json!({"group": group, "action": action, "deadline": deadline});
        post(client, update, "approve", &decision).await?;
    }
    post(client, ids::CONVERTER, "decline", &json!({})).await
}

async fn post(client: &AdminClient, update: UpdateId, what: &str, body: &Value) -> anyhow::Result<()> {
    client
        .post(&format!("updates/{update}/{what}"), body)
        .await
        .with_context(|| format!("{what} {update}"))?;
    Ok(())
}
