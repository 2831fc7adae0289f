//! Catalog and decisions out of one server and into another that it cannot reach.

use crate::support;

use serde_json::{Value, json};
use sluicegate_store::{StoreError, StoredRevision};
use sluicegate_terms::UpdateId;
use std::collections::BTreeMap;
use support::catalog::{self, BUNDLE, FILE, FILE_SHA1, PLAIN, identity, update};
use support::{Agent, Site};

/// What `GET export` sent.
struct Exported {
    head: Value,
    files: Vec<Value>,
    documents: Vec<(Value, Vec<u8>)>,
    decisions: Vec<Value>,
    end: Value,
}

async fn export(site: &Site, query: &str) -> Exported {
    let bearer = format!("Bearer {}", site.token());
    let answer =
        site.request("GET", &format!("/api/v1/export{query}"), &[("Authorization", &bearer)], b"").await;
    assert_eq!(answer.status, 200);
    let mut rest = answer.body.as_slice();
    let mut all = Exported {
        head: Value::Null,
        files: Vec::new(),
        documents: Vec::new(),
        decisions: Vec::new(),
        end: Value::Null,
    };
    while !rest.is_empty() {
        let end = rest.iter().position(|b| *b == b'\n').unwrap();
        let (line, more) = (&rest[..end], &rest[end + 1..]);
        rest = more;
        if line.is_empty() {
            continue;
        }
        assert_eq!(all.end, Value::Null, "nothing follows the end");
        let line: Value = serde_json::from_slice(line).unwrap();
        if let Some(document) = line.get("document") {
            let size = line["size"].as_u64().unwrap() as usize;
            all.documents.push((document.clone(), rest[..size].to_vec()));
            rest = &rest[size..];
        } else if let Some(head) = line.get("export") {
            all.head = head.clone();
        } else if let Some(file) = line.get("file") {
            all.files.push(file.clone());
        } else if let Some(decision) = line.get("decision") {
            all.decisions.push(decision.clone());
        } else {
            all.end = line["end"].clone();
        }
    }
    all
}

/// Takes an export in, as the command does.
async fn import(site: &Site, exported: &Exported) -> (Value, Value) {
    let files: Vec<(&str, &[u8])> =
        exported.documents.iter().map(|(_, bytes)| ("export.cab", bytes.as_slice())).collect();
    let report = site.import_files(&files).await["report"].clone();
    let lines: String = exported.decisions.iter().map(|line| format!("{line}\n")).collect();
    let bearer = format!("Bearer {}", site.token());
    let headers = [("Authorization", bearer.as_str())];
    let answer = site.request("POST", "/api/v1/import/decisions", &headers, lines.as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    (report, answer.json())
}

async fn origin() -> Site {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    site.manage("POST", "groups", json!({ "name": "Outer" })).await;
    site.manage("POST", "groups", json!({ "name": "Büro ?>", "parent": "Outer" })).await;
    site.clock.advance_seconds(60);
    let approve = format!("updates/{}/approve", update(BUNDLE));
    site.manage("POST", &approve, json!({ "group": "Büro ?>", "deadline": "2027-01-31T03:00:00Z" })).await;
    site.manage("POST", &format!("updates/{}/decline", update(PLAIN)), json!(null)).await;
    site.clock.advance_seconds(60);
    site
}

fn decided(site: &Site) -> sluicegate_policy::CarriedDecisions {
    site.running.as_ref().unwrap().store().decisions().to_carry()
}

/// Everything a computer in the group is told: revisions and what to do with them.
async fn told(site: &Site) -> Vec<(String, String, bool)> {
    let mut names = BTreeMap::new();
    let store = site.running.as_ref().unwrap().store();
    let each = |revision: StoredRevision| {
        names.insert(revision.id.get(), revision.record.identity.to_string());
        Ok::<_, StoreError>(())
    };
    store.for_each_revision(each).unwrap();
    let mut agent = Agent::new(site, "PC-1");
    agent.join().await;
    site.manage("POST", "computers/PC-1/move", json!({ "group": "Büro ?>" })).await;
    let scan = agent.scan().await;
    let mut all: Vec<_> =
        scan.into_iter().map(|(id, action, leaf)| (names[&id].clone(), action, leaf)).collect();
    all.sort();
    all
}

#[tokio::test]
async fn a_catalog_with_its_decisions_goes_into_an_empty_server_as_it_was() {
    let (from, to) = (origin().await, Site::start().await);
    let exported = export(&from, "").await;
    assert_eq!((exported.documents.len(), &exported.head["revisions"]), (8, &json!(8)));
    assert_eq!(exported.end, json!({ "revisions": 8, "files": 1, "decisions": exported.decisions.len() }));
    let file = &exported.files[0];
    assert_eq!(
        (&file["sha1"], &file["name"], &file["held"]),
        (&json!(FILE_SHA1), &json!("Fox.EXE"), &json!(false))
    );
    let (bundle, _) = exported
        .documents
        .iter()
        .find(|(document, _)| document["update"] == update(BUNDLE).to_string())
        .unwrap();
    assert_eq!(
        (bundle["categories"].as_array().unwrap().len(), bundle["classifications"].as_array().unwrap().len()),
        (1, 1)
    );

    to.clock.advance_seconds(86_400);
    let (report, taken) = import(&to, &exported).await;
    assert_eq!((&report["added"], &report["quarantined"]), (&json!(8), &json!([])));
    assert_eq!((&taken["groups"], &taken["approved"], &taken["declined"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!((&taken["skipped"], &taken["reasons"]), (&json!(0), &json!([])));
    assert_eq!(decided(&to), decided(&from));
    let again = export(&to, "").await;
    let documents = |all: &Exported| {
        let mut list: Vec<Vec<u8>> = all.documents.iter().map(|(_, bytes)| bytes.clone()).collect();
        list.sort();
        list
    };
    assert_eq!(documents(&again), documents(&exported));
    let scan = told(&to).await;
    assert!(scan.iter().any(|(_, action, _)| action == "Install"), "{scan:?}");
    assert_eq!(scan, told(&from).await);
}

#[tokio::test]
async fn taking_the_same_in_twice_changes_nothing() {
    let (from, to) = (origin().await, Site::start().await);
    let exported = export(&from, "").await;
    import(&to, &exported).await;
    let anchor = to.running.as_ref().unwrap().store().anchor();
    let (report, taken) = import(&to, &exported).await;
    assert_eq!((&report["added"], &report["unchanged"]), (&json!(0), &json!(8)));
    for (name, count) in taken.as_object().unwrap() {
        assert!(*count == json!(0) || *count == json!([]), "{name}: {count}");
    }
    assert_eq!(to.running.as_ref().unwrap().store().anchor(), anchor, "clients are told nothing again");
}

#[tokio::test]
async fn decisions_can_be_left_out() {
    let (from, to) = (origin().await, Site::start().await);
    let exported = export(&from, "?decisions=false").await;
    assert_eq!((exported.decisions.len(), &exported.end["decisions"]), (0, &json!(0)));
    let (_, taken) = import(&to, &exported).await;
    assert_eq!(taken["approved"], 0);
    assert_eq!(decided(&to), sluicegate_policy::CarriedDecisions::default());
}

#[tokio::test]
async fn a_decision_about_what_is_not_here_is_said_and_the_others_count() {
    let (from, to) = (origin().await, Site::start().await);
    let mut exported = export(&from, "").await;
    let plain: UpdateId = update(PLAIN);
    exported.documents.retain(|(document, _)| document["update"] != plain.to_string());
    exported.decisions.push(json!({ "wish": {} }));
    let (_, taken) = import(&to, &exported).await;
    assert_eq!(
        (&taken["approved"], &taken["declined"], &taken["skipped"]),
        (&json!(1), &json!(0), &json!(2))
    );
    assert!(taken["reasons"].to_string().contains(&plain.to_string()), "{taken}");
    assert_eq!(identity(PLAIN, 200).update, plain);
}

#[tokio::test]
async fn marks_of_what_is_not_here_cost_no_other_decision() {
    let (from, to) = (origin().await, Site::start().await);
    let mut exported = export(&from, "").await;
    let (missing, at) = (update(999).to_string(), "2026-10-04T12:00:00Z");
    let everybody = sluicegate_terms::GroupId::ALL_COMPUTERS.to_string();
    exported.decisions.push(json!({ "withdrawn": { "at": at, "group": everybody, "update": missing } }));
    exported.decisions.push(json!({ "restored": { "at": at, "update": missing } }));
    let (_, taken) = import(&to, &exported).await;
    assert_eq!((&taken["approved"], &taken["declined"]), (&json!(1), &json!(1)));
    assert_eq!(taken["skipped"], 2, "{taken}");
    assert!(taken["reasons"].to_string().contains(&missing), "{taken}");
    assert_eq!(decided(&to), decided(&from));
}

#[tokio::test]
async fn only_files_that_are_missing_are_asked_for() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let other = "00112233445566778899AABBCCDDEEFF00112233";
    site.manage("PUT", "sync/content", json!({ "when": "all" })).await;
    let wanted = site.admin("GET", "content/wanted", json!(null)).await.1;
    let size = wanted["bytes"].as_u64().unwrap();
    assert_eq!((&wanted["upstream"], size >= FILE.len() as u64), (&json!(false), true), "{wanted}");
    let ask = json!({ "sha1": [FILE_SHA1, other] });
    let answer = site.manage("POST", "content/missing", ask.clone()).await;
    assert_eq!(answer, json!({ "missing": [FILE_SHA1], "held": 0, "undeclared": 1, "lost": 0 }));
    assert_eq!(site.upload("Fox.EXE", FILE).await.0, 200);
    let fewer = site.admin("GET", "content/wanted", json!(null)).await.1;
    assert_eq!(wanted["files"].as_u64().unwrap() - fewer["files"].as_u64().unwrap(), 1);
    assert_eq!(size - fewer["bytes"].as_u64().unwrap(), FILE.len() as u64);
    let answer = site.manage("POST", "content/missing", ask).await;
    assert_eq!(answer, json!({ "missing": [], "held": 1, "undeclared": 1, "lost": 0 }));
    assert_eq!(site.admin("POST", "content/missing", json!({ "sha1": ["x"] })).await.0, 400);
    let exported = export(&site, "").await;
    assert_eq!(exported.files[0]["held"], true);
    let path = format!("/Content/{}", exported.files[0]["path"].as_str().unwrap());
    assert_eq!(site.get(&path).await.body, FILE);
}
