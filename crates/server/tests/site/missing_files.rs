//! Files that are wanted and do not come: `diagnose` fails with them, and alerts stand, until they are here.

use crate::support;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::Site;
use support::catalog::{self, FILE, FILE_SHA1, PLAIN, update};

/// What `diagnose` finds of files, and its exit code.
async fn diagnosed(site: &Site) -> (Value, Value) {
    let found = site.manage("POST", "diagnose", json!(null)).await;
    let checks = found["checks"].as_array().unwrap();
    let files = checks.iter().find(|check| check["check"] == "files").unwrap();
    (files["found"].clone(), found["exit_code"].clone())
}

async fn kinds(site: &Site) -> Vec<String> {
    let list = site.manage("GET", "alerts", json!(null)).await;
    let alerts = list["alerts"].as_array().unwrap();
    alerts.iter().map(|alert| alert["kind"].as_str().unwrap().to_owned()).collect()
}

/// Waits until these alerts stand: conclusions are drawn a moment after a start or a run.
async fn until(site: &Site, wanted: &[&str]) {
    let started = Instant::now();
    while kinds(site).await != wanted {
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", kinds(site).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn synchronized(site: &Site) -> Value {
    site.manage("POST", "sync/now", json!({ "retry_failed": true })).await;
    let started = Instant::now();
    loop {
        let status = site.manage("GET", "sync", json!(null)).await;
        if status["running"] == false {
            return status["last_run"].clone();
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_file_that_does_not_come_fails_the_diagnosis_of_a_run_that_succeeded() {
    let (parent, child) = (Site::start().await, Site::start().await);
    parent.import(&catalog::small()).await;
    parent.upload("fox.exe", FILE).await;
    let kept = parent.dir.path().join(format!("Content/12/{FILE_SHA1}.exe"));
    std::fs::write(&kept, vec![b'x'; FILE.len()]).unwrap();
    child.manage("PUT", "upstream", json!({ "source": format!("http://{}", parent.addr) })).await;
    child.manage("PUT", "sync/content", json!({ "when": "all" })).await;
    let run = synchronized(&child).await;
    assert_eq!((&run["outcome"], &run["counts"]["files_failed"]), (&json!("succeeded"), &json!(1)), "{run}");
    let (found, code) = diagnosed(&child).await;
    assert_eq!(code, 24, "{found}");
    assert!(found.as_str().unwrap().starts_with("1 file is wanted here and did not come: "), "{found}");
    until(&child, &["files-failing"]).await;
    // A run that does not try it yet says nothing new of it.
    child.manage("POST", "sync/now", json!(null)).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(diagnosed(&child).await.1, 24);
    std::fs::write(&kept, FILE).unwrap();
    assert_eq!(synchronized(&child).await["counts"]["files"], 1);
    assert_eq!(diagnosed(&child).await, (json!("none is"), json!(0)));
    until(&child, &[]).await;
}

#[tokio::test]
async fn files_of_approved_updates_that_nobody_fetches_fail_the_diagnosis_without_an_upstream() {
    let mut island = Site::start().await;
    island.import(&catalog::small()).await;
    assert_eq!(diagnosed(&island).await, (json!("none is"), json!(0)), "nobody approved anything");
    let approve = format!("updates/{}/approve", update(PLAIN));
    island.manage("POST", &approve, json!({ "group": "All Computers" })).await;
    let (found, code) = diagnosed(&island).await;
    assert_eq!(code, 24, "{found}");
    assert!(found.as_str().unwrap().contains("no upstream is set") && found.to_string().contains("Fox.EXE"));
    island.manage("PUT", "sync/content", json!({ "when": "never" })).await;
    assert_eq!(diagnosed(&island).await.1, 0, "computers get files elsewhere");
    island.manage("PUT", "sync/content", json!({ "when": "approved" })).await;
    island.upload("fox.exe", FILE).await;
    assert_eq!(diagnosed(&island).await.1, 0);
    // Moved away while it was stopped.
    island.stop().await;
    std::fs::remove_dir_all(island.dir.path().join("Content")).unwrap();
    island.restart().await;
    assert_eq!(diagnosed(&island).await.1, 24);
    // Whatever ends it is seen at once, not within the hour.
    for remedy in ["never", "content", "decline"] {
        island.manage("PUT", "sync/content", json!({ "when": "approved" })).await;
        island.stop().await;
        drop(std::fs::remove_dir_all(island.dir.path().join("Content")));
        island.restart().await;
        until(&island, &["files-failing"]).await;
        match remedy {
            "never" => drop(island.manage("PUT", "sync/content", json!({ "when": "never" })).await),
            "content" => drop(island.upload("fox.exe", FILE).await),
            _ => drop(island.manage("POST", &format!("updates/{}/decline", update(PLAIN)), json!({})).await),
        }
        until(&island, &[]).await;
    }
}
