//! The demo as a newcomer sees it: a server of its own, the admin API, and a minute's patience.

use super::*;
use serde_json::Value;
use sluicegate_server::{Server, ServerOptions};
use std::time::Instant;

/// How long a newcomer looks on.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the admin API shows of all computers, by name.
async fn computers(client: &AdminClient) -> Vec<Value> {
    let list = client.get("computers", &[]).await.unwrap();
    let mut shown = Vec::new();
    for computer in list["computers"].as_array().unwrap() {
        let path = format!("computers/{}", computer["id"].as_str().unwrap());
        shown.push(client.get(&path, &[]).await.unwrap());
    }
    shown
}

/// The state of an update on a computer, by the computer's name.
fn state<'a>(computers: &'a [Value], name: &str, update: sluicegate_terms::UpdateId) -> &'a str {
    let computer = computers.iter().find(|c| c["dns_name"].as_str().is_some_and(|dns| dns.starts_with(name)));
    let update = update.to_string();
    computer
        .and_then(|c| c["updates"].as_array()?.iter().find(|row| row["update_id"] == update.as_str()))
        .and_then(|row| row["state"].as_str())
        .unwrap_or("")
}

/// What is still missing from the picture.
fn missing(computers: &[Value]) -> Vec<String> {
    let wanted = [
        ("pilot-anvil", ids::DESK_420, "installed"),
        ("pilot-birch", ids::VIEWER, "installed"),
        ("desk-cedar", ids::DESK_413, "installed"),
        ("desk-cedar", ids::DICTIONARY, "needed"),
        ("desk-drift", ids::DIAGNOSTICS, "failed"),
        // Removed, and not offered to anybody.
        ("desk-drift", ids::SYNC_AGENT, ""),
        ("desk-ember", ids::SUITE, "installed"),
        ("station-fjord", ids::STATION_704, "installed"),
        ("station-grove", ids::SUITE, "installed"),
        ("bench-heath", ids::GAUGE_DRIVER, "installed"),
        // Declined updates are not delivered and so never reported.
        ("desk-cedar", ids::CONVERTER, ""),
    ];
    wanted
        .iter()
        .filter(|(name, update, expected)| state(computers, name, *update) != *expected)
        .map(|(name, update, expected)| {
            format!("{update} on {name} is `{}`, not `{expected}`", state(computers, name, *update))
        })
        .chain((computers.len() != COMPUTERS.len()).then(|| format!("{} computers", computers.len())))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_sees_a_living_fleet_within_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let running =
        Server::start(ServerOptions::new(folder.path(), "127.0.0.1:0".parse().unwrap())).await.unwrap();
    let base = format!("http://{}", running.local_addr());
    let token_file = folder.path().join("admin-token");
    let token = std::fs::read_to_string(&token_file).unwrap().trim().to_owned();
    let client = AdminClient::new(Endpoint { base: base.clone(), token });
    let begun = Instant::now();
    let demo = tokio::spawn(run(base, token_file));
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let computers = computers(&client).await;
        let missing = missing(&computers);
        if missing.is_empty() {
            break;
        }
        assert!(!demo.is_finished(), "the demo gave up");
        assert!(begun.elapsed() < PATIENCE, "after {PATIENCE:?}: {missing:#?}");
    }
    let quarantine = client.get("catalog/quarantine", &[]).await.unwrap();
    assert_eq!(quarantine["quarantine"].as_array().map(Vec::len), Some(0));
    let groups = client.get("groups", &[]).await.unwrap();
    let size = |name: &str| {
        let groups = groups["groups"].as_array().unwrap();
        groups.iter().find(|group| group["name"] == name).map(|group| group["computers"].as_u64().unwrap())
    };
    assert_eq!((size("Pilot"), size("Workstations"), size("Servers")), (Some(2), Some(3), Some(2)));
    demo.abort();
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_keeps_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let running =
        Server::start(ServerOptions::new(folder.path(), "127.0.0.1:0".parse().unwrap())).await.unwrap();
    let token = std::fs::read_to_string(folder.path().join("admin-token")).unwrap().trim().to_owned();
    let client = AdminClient::new(Endpoint { base: format!("http://{}", running.local_addr()), token });
    let catalog = Catalog::build();
    let now = Clock::system().now();
    setup::prepare(&client, &catalog, now).await.unwrap();
    // Somebody changes a decision; the next start must not undo it.
    let path = format!("updates/{}", ids::DESK_420);
    client.post(&format!("{path}/unapprove"), &json!({})).await.unwrap();
    let before = client.get(&path, &[]).await.unwrap();
    setup::prepare(&client, &catalog, now).await.unwrap();
    assert_eq!(client.get(&path, &[]).await.unwrap(), before);
    running.shutdown().await;
}
