//! Lists, counts and reports of the admin API: the filters, whose computers count, and what a bad word gets.

use crate::support;

use serde_json::{Value, json};
use sluicegate_soap::reporting::{
    BasicData, ExtendedData, ReportEventBatchRequest, ReportingEvent, UpdateRevisionIdentifier,
};
use sluicegate_terms::{Guid, Timestamp};
use support::catalog::{self, BUNDLE, PLAIN, update};
use support::{Agent, Site, noon};

/// A computer joins and reports what it needs and has.
async fn report(site: &Site, name: &str, instance: u128, needed: &[u128], installed: &[u128]) {
    let mut agent = Agent::new(site, name);
    agent.join().await;
    let list = |key: &str, numbers: &[u128]| {
        let ids: Vec<String> = numbers.iter().map(|n| update(*n).to_string()).collect();
        format!("{key}={}", ids.join(";"))
    };
    let event = ReportingEvent {
        basic: Some(BasicData {
            time_at_target: noon(),
            event_instance_id: Guid::from_u128(instance),
            namespace_id: 1,
            event_id: 156,
            source_id: 101,
            update: Some(UpdateRevisionIdentifier { update: Guid::ZERO, revision: 0 }),
            ..BasicData::default()
        }),
        extended: Some(ExtendedData {
            misc_data: vec![list("U", needed), list("V", installed)],
            ..ExtendedData::default()
        }),
        private: None,
    };
    let cookie = Some(agent.cookie.clone());
    agent.call(&ReportEventBatchRequest { cookie, client_time: noon(), events: vec![event] }).await;
}

async fn site() -> Site {
    let site = Site::start().await;
    let mut documents = catalog::small();
    for document in &mut documents {
        if document.identity.update == update(PLAIN) {
            document.properties.severity = Some("Critical".to_owned());
            document.properties.cves.push("CVE-2026-0001".to_owned());
            document.relationships.supersedes.push(update(BUNDLE));
        }
    }
    site.import(&documents).await;
    site.manage("POST", "groups", json!({ "name": "Pilots" })).await;
    site.manage("POST", "groups", json!({ "name": "Labs", "parent": "Pilots" })).await;
    report(&site, "pc-1", 1, &[PLAIN], &[BUNDLE]).await;
    report(&site, "pc-2", 2, &[], &[PLAIN, BUNDLE]).await;
    site.manage("POST", "computers/pc-1/move", json!({ "group": "Labs" })).await;
    site
}

/// The UpdateIDs a query lists.
async fn found(site: &Site, query: &str) -> Vec<String> {
    let list = site.manage("GET", &format!("updates?{query}"), json!(null)).await;
    let rows = list["updates"].as_array().unwrap();
    assert_eq!(list["total"], rows.len());
    rows.iter().map(|row| row["update_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn updates_are_found_by_the_filters_of_the_console() {
    let site = site().await;
    let (plain, bundle) = (update(PLAIN).to_string(), update(BUNDLE).to_string());
    let one = |id: &String| vec![id.clone()];
    assert_eq!(found(&site, "status=needed").await, one(&plain));
    assert_eq!(found(&site, "status=failed-or-needed&group=Pilots").await, one(&plain), "nested");
    assert!(found(&site, "status=needed&group=Unassigned%20Computers").await.is_empty());
    assert_eq!(found(&site, "status=any&approval=any").await.len(), 2);
    assert!(found(&site, "status=no-status").await.is_empty());
    assert_eq!(found(&site, "severity=critical,low").await, one(&plain));
    assert_eq!(found(&site, "cve=CVE-2026-0001").await, one(&plain));
    assert_eq!(found(&site, "kb=KB5000001").await, one(&bundle));
    assert_eq!(found(&site, "superseded=yes").await, one(&bundle));
    assert_eq!(found(&site, "superseded=no&supersedes=yes").await, one(&plain));
    assert_eq!(found(&site, "product=Contoso&sort=title").await, [bundle.clone(), plain.clone()]);
    assert_eq!(found(&site, "arrived_from=2026-10-04&arrived_to=2026-10-04").await.len(), 2, "that day");
    assert!(found(&site, "arrived_to=2026-10-03").await.is_empty());
    site.manage("POST", &format!("updates/{plain}/approve"), json!({ "group": "Labs" })).await;
    assert_eq!(found(&site, "approval=approved&approved_for=Labs").await, one(&plain));
    assert!(found(&site, "approval=approved&approved_for=Pilots").await.is_empty());
    site.manage("POST", &format!("updates/{bundle}/decline"), json!(null)).await;
    assert_eq!(found(&site, "approval=any-except-declined").await, one(&plain));
    for bad in
        ["status=maybe", "approval=maybe", "sort=size", "severity=bad", "superseded=perhaps", "order=up"]
    {
        let (status, value) = site.admin("GET", &format!("updates?{bad}"), json!(null)).await;
        assert_eq!(status, 400, "{bad}: {value}");
        assert!(value["error"]["message"].as_str().unwrap().contains("one of"), "{value}");
    }
    let (status, _) = site.admin("GET", "updates?group=Nobody", json!(null)).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn updates_are_found_by_what_their_documents_declare_and_by_their_ids() {
    const OTHER: u128 = 77;
    let day = |days: i64| Some(Timestamp::from_unix_seconds(1_773_144_000 + days * 86_400));
    let site = Site::start().await;
    let mut documents = catalog::small();
    let mut other = catalog::plain(OTHER, 1, "Withdrawn update");
    other.properties.created = day(2);
    other.properties.expired = true;
    other.properties.reboot = Some("NeverReboots".to_owned());
    let plain = documents.iter_mut().find(|one| one.identity.update == update(PLAIN)).unwrap();
    plain.properties.created = day(0);
    plain.properties.eula_id = Some(Guid::from_u128(9));
    plain.properties.reboot = Some("CanRequestReboot".to_owned());
    documents.push(other);
    site.import(&documents).await;
    let (plain, other) = (update(PLAIN).to_string(), update(OTHER).to_string());
    let one = |id: &String| vec![id.clone()];
    // The first is of 10 March 2026, the other of the 12th; a bundle says no day.
    assert_eq!(found(&site, "released_from=2026-03-10&released_to=2026-03-10").await, one(&plain));
    assert_eq!(found(&site, "released_from=2026-03-11").await, one(&other));
    assert_eq!(found(&site, "released_to=2026-03-11").await, one(&plain));
    assert!(found(&site, "released_from=2026-03-11&released_to=2026-03-11").await.is_empty());
    assert_eq!(found(&site, "needs_licence=yes").await, one(&plain));
    assert_eq!(found(&site, "expired=yes").await, one(&other));
    assert!(!found(&site, "expired=no").await.contains(&other));
    assert_eq!(found(&site, "reboot=can-request").await, one(&plain));
    assert_eq!(found(&site, "reboot=never&expired=yes").await, one(&other));
    assert!(found(&site, "classification=Fixes").await.contains(&plain));
    let (status, _) = site.admin("GET", "updates?classification=Nothing", json!(null)).await;
    assert_eq!(status, 404);
    for id in [plain.to_uppercase(), plain.to_lowercase()] {
        assert_eq!(found(&site, &format!("search={id}")).await, one(&plain));
    }
}

#[tokio::test]
async fn an_update_shows_its_relations_and_its_states_per_group_and_computer() {
    let site = site().await;
    let shown = site.manage("GET", &format!("updates/{}", update(BUNDLE)), json!(null)).await;
    assert_eq!(shown["superseded_by"], json!([update(PLAIN).to_string()]));
    let related = shown["related"].as_array().unwrap();
    let superseding = related.iter().find(|row| row["relation"] == "superseded-by").unwrap();
    assert_eq!(superseding["title"], "Plain update (KB5000002)");
    let above = site.manage("GET", &format!("updates/{}", update(PLAIN)), json!(null)).await;
    let related = above["related"].as_array().unwrap();
    let superseded = related.iter().find(|row| row["relation"] == "supersedes").unwrap();
    assert_eq!(superseded["update_id"], update(BUNDLE).to_string());
    assert_eq!(superseded["title"], "Bundle of two (KB5000001)");
    let path = format!("updates/{}", update(PLAIN));
    let shown = site.manage("GET", &path, json!(null)).await;
    let group = |name: &str| -> Value {
        shown["status_by_group"].as_array().unwrap().iter().find(|row| row["group"] == name).unwrap().clone()
    };
    assert_eq!(
        (group("All Computers")["needed"].as_u64(), group("Pilots")["needed"].as_u64()),
        (Some(1), Some(1))
    );
    assert_eq!(group("Unassigned Computers")["installed"], 1);
    let list = site.manage("GET", &format!("{path}/computers?status=needed"), json!(null)).await;
    assert_eq!((list["total"].as_u64(), list["computers"][0]["id"].as_str()), (Some(1), Some("pc-1")));
    let (status, _) = site.admin("GET", &format!("updates/{}/computers", update(77)), json!(null)).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn computers_are_listed_by_status_and_a_group_has_a_summary() {
    let site = site().await;
    let list = site.manage("GET", "computers?status=needed", json!(null)).await;
    assert_eq!((list["total"].as_u64(), list["computers"][0]["id"].as_str()), (Some(1), Some("pc-1")));
    assert_eq!((list["computers"][0]["needed"].as_u64(), list["pending"].as_u64()), (Some(1), Some(0)));
    let report = site.manage("GET", "reports/summary", json!(null)).await;
    assert_eq!(
        (report["computers"]["total"].as_u64(), report["computers"]["needing"].as_u64()),
        (Some(2), Some(1))
    );
    assert_eq!(report["updates"]["needed_unapproved"], 1);
    let report = site.manage("GET", "reports/summary?group=Unassigned%20Computers", json!(null)).await;
    assert_eq!(
        (report["computers"]["up_to_date"].as_u64(), report["updates"]["done"].as_u64()),
        (Some(1), Some(2))
    );
}
