//! What a server does with its folder before it answers anybody, and what it says of itself.

use crate::support;

use serde_json::json;
use std::time::Duration;
use support::Site;
use support::catalog::{self, BUNDLE, PLAIN, update};

#[tokio::test]
async fn contradictory_decisions_are_repaired_before_the_first_scan_and_the_status_tells_of_it() {
    let mut site = Site::start().await;
    site.import(&catalog::small()).await;
    for number in [PLAIN, BUNDLE] {
        let approve = format!("updates/{}/approve", update(number));
        site.manage("POST", &approve, json!({ "group": "All Computers" })).await;
    }
    let status = site.manage("GET", "status", json!(null)).await;
    assert_eq!((&status["repairs"], &status["decisions"]["replaced_at_start"]), (&json!([]), &json!(0)));
    assert_eq!(status["schema_version"], sluicegate_store::SCHEMA_VERSION);
    assert_eq!((&status["commit"], &status["version"]), (&json!(null), &json!(env!("CARGO_PKG_VERSION"))));
    site.stop().await;
    {
        let db = rusqlite::Connection::open(site.dir.path().join("sluicegate.db")).unwrap();
        db.busy_timeout(Duration::from_secs(20)).unwrap();
        db.execute(
            "INSERT INTO decline (update_id, changed, changed_at)
                 SELECT update_id, changed, changed_at FROM approval WHERE update_id = ?1",
            [update(PLAIN).0.as_bytes()],
        )
        .unwrap();
    }
    site.restart().await;
    let shown = site.manage("GET", &format!("updates/{}", update(PLAIN)), json!(null)).await;
    assert_eq!((&shown["approval"], &shown["approvals"]), (&json!("declined"), &json!([])), "{shown}");
    let other = site.manage("GET", &format!("updates/{}", update(BUNDLE)), json!(null)).await;
    assert_eq!(other["approvals"].as_array().unwrap().len(), 1);
    let status = site.manage("GET", "status", json!(null)).await;
    let repaired = status["repairs"][0].as_str().unwrap();
    assert!(repaired.contains("repair") && repaired.contains("declined and approved"), "{status}");
    let audit = site.manage("GET", "audit?action=repair", json!(null)).await;
    assert_eq!(audit["entries"].as_array().unwrap().len(), 1, "{audit}");
}

#[tokio::test]
async fn a_check_that_finds_something_raises_one_alert_and_a_sound_one_ends_it() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let db = rusqlite::Connection::open(site.dir.path().join("sluicegate.db")).unwrap();
    db.busy_timeout(Duration::from_secs(20)).unwrap();
    db.execute_batch("UPDATE listing SET title = 'Another' WHERE title LIKE 'Plain%'").unwrap();
    let kinds = |alerts: serde_json::Value| -> Vec<String> {
        let list = alerts["alerts"].as_array().unwrap().clone();
        list.iter().map(|alert| alert["kind"].as_str().unwrap().to_owned()).collect()
    };
    for _ in 0..2 {
        let report = site.manage("POST", "check", json!({})).await;
        assert_eq!(report["sound"], false, "{report}");
        assert_eq!(kinds(site.manage("GET", "alerts", json!(null)).await), ["check-failed"]);
    }
    site.manage("POST", "check", json!({ "repair": true })).await;
    assert_eq!(kinds(site.manage("GET", "alerts", json!(null)).await), Vec::<String>::new());
}
