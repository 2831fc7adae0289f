//! The audit log, alerts and the check of the whole store through the admin API: every change says who made it and
//! from where, what came from elsewhere is told, and damage is found and repaired.

use crate::support;

use serde_json::{Value, json};
use sluicegate_catalog::Limits;
use sluicegate_store::audit::Actor;
use sluicegate_upstream::intake::Intake;
use support::Site;
use support::catalog::{self, BUNDLE, FILE, FILE_SHA1, PLAIN, plain, update};

async fn entries(site: &Site, query: &str) -> Vec<Value> {
    let page = site.manage("GET", &format!("audit?{query}"), json!(null)).await;
    page["entries"].as_array().unwrap().clone()
}

#[tokio::test]
async fn every_change_of_settings_and_decisions_is_put_down_to_whoever_asked() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let before = entries(&site, "limit=1").await[0]["seq"].as_u64().unwrap();
    let decline = update(PLAIN).to_string();
    let carried = json!({ "declined": { "update": decline, "at": "2026-10-01T00:00:00Z" } });
    for (method, path, body, action) in [
        ("PUT", "upstream", json!({ "source": "http://127.0.0.1:9", "probe": false }), "set-upstream"),
        ("PUT", "sync/schedule", json!({ "schedule": "2@03:00+10" }), "set-upstream"),
        ("PUT", "sync/content", json!({ "when": "all" }), "set-upstream"),
        ("PUT", "sync/filter", json!({ "languages": ["de"] }), "set-upstream"),
        ("PUT", "sync/filter", json!({ "exclude": ["preview"] }), "set-cleanup"),
        ("POST", "filters", json!({ "add": "architecture=arm64" }), "set-cleanup"),
        ("PUT", "cleanup", json!({ "computer-days": 60 }), "set-cleanup"),
        ("PUT", "config", json!({ "targeting": "server" }), ""),
        ("POST", "import/decisions", carried, "decline"),
        ("POST", "groups", json!({ "name": "Pilots" }), "add-group"),
    ] {
        let last = entries(&site, "limit=1").await[0]["seq"].as_u64().unwrap();
        let (status, answer) = site.admin(method, path, body).await;
        assert!(status == 200 || action.is_empty(), "{method} {path}: {answer}");
        let new: Vec<Value> = entries(&site, "limit=50")
            .await
            .into_iter()
            .filter(|e| e["seq"].as_u64().unwrap() > last)
            .collect();
        assert!(action.is_empty() || new.iter().any(|e| e["action"] == action), "{method} {path}: {new:?}");
    }
    for entry in entries(&site, "limit=500").await {
        if entry["seq"].as_u64().unwrap() > before {
            assert_eq!(
                (&entry["kind"], &entry["who"], &entry["from"]),
                (&json!("administrator"), &json!("admin"), &json!("127.0.0.1")),
                "{entry}"
            );
        }
    }
}

#[tokio::test]
async fn a_probe_leaves_nothing_behind() {
    let site = Site::start().await;
    let before = site.manage("GET", "audit", json!(null)).await["head"].clone();
    let (status, _) = site.admin("POST", "upstream/probe", json!({ "source": "http://127.0.0.1:9" })).await;
    assert_eq!(status, 502);
    assert_eq!(site.manage("GET", "audit", json!(null)).await["head"], before);
}

#[tokio::test]
async fn entries_are_found_by_update_action_and_time_and_listed_page_by_page() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let path = |number, action: &str| format!("updates/{}/{action}", update(number));
    site.manage("POST", &path(PLAIN, "approve"), json!({ "group": "All Computers" })).await;
    site.manage("POST", &path(BUNDLE, "decline"), json!(null)).await;
    let of_plain = entries(&site, &format!("update={}", update(PLAIN))).await;
    assert_eq!(of_plain.len(), 1);
    assert_eq!((&of_plain[0]["action"], &of_plain[0]["before"]), (&json!("approve"), &json!(null)));
    assert_eq!(of_plain[0]["after"]["approvals"][0]["action"], "install");
    assert_eq!(entries(&site, "action=decline").await.len(), 1);
    assert_eq!(entries(&site, "since=2026-10-05T00:00:00Z").await, [] as [Value; 0]);
    let newest = site.manage("GET", "audit?limit=1", json!(null)).await;
    assert_eq!((newest["more"].clone(), newest["entries"].as_array().unwrap().len()), (json!(true), 1));
    let seq = &newest["entries"][0]["seq"];
    assert_eq!(entries(&site, "below=0").await, Vec::<Value>::new(), "there is nothing below the first");
    let older = entries(&site, &format!("limit=1&below={seq}")).await;
    assert!(older[0]["seq"].as_u64() < seq.as_u64());
    let (status, refused) = site.admin("GET", "audit?update=nonsense", json!(null)).await;
    assert_eq!(status, 400, "{refused}");
}

#[tokio::test]
async fn a_whole_log_is_whole_and_an_altered_one_is_named_at_its_entry() {
    let mut site = Site::start().await;
    site.import(&catalog::small()).await;
    let verdict = site.manage("GET", "audit/verify", json!(null)).await;
    assert_eq!((&verdict["whole"], &verdict["breaks"]), (&json!(true), &json!([])), "{verdict}");
    let head = site.manage("GET", "audit", json!(null)).await["head"].clone();
    let (status, refused) = site.admin("POST", "audit/verify", json!(null)).await;
    assert_eq!((status, &refused["error"]["code"]), (405, &json!("method")), "{refused}");
    site.restart().await;
    assert_eq!(site.manage("GET", "audit", json!(null)).await["head"], head, "a restart writes nothing");
}

#[tokio::test]
async fn updates_from_elsewhere_than_the_upstream_raise_an_alert_until_it_is_acknowledged() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    assert_eq!(site.manage("GET", "alerts", json!(null)).await["alerts"], json!([]), "administrators may");
    let foreign = plain(77, 1, "Who brought this?").to_xml();
    let prepared =
        Intake::new(Limits::default()).bytes("foreign.xml".to_owned(), foreign.as_bytes()).unwrap();
    let store = site.running.as_ref().unwrap().store().by(Actor::server("somewhere"));
    tokio::task::spawn_blocking(move || {
        let mut importer = store.importer(support::noon()).unwrap();
        importer.add(prepared).unwrap();
        importer.commit().unwrap();
    })
    .await
    .unwrap();
    let alerts = site.manage("GET", "alerts", json!(null)).await["alerts"].clone();
    assert_eq!(alerts.as_array().unwrap().len(), 1, "{alerts}");
    assert_eq!((&alerts[0]["kind"], &alerts[0]["count"]), (&json!("foreign-updates"), &json!(1)));
    assert_eq!(alerts[0]["updates"], json!([update(77).to_string()]));
    let path = format!("alerts/{}/acknowledge", alerts[0]["id"]);
    assert_eq!(site.manage("POST", &path, json!(null)).await["acknowledged"], alerts[0]["id"]);
    assert_eq!(site.manage("GET", "alerts", json!(null)).await["alerts"], json!([]));
    let (status, again) = site.admin("POST", &path, json!(null)).await;
    assert_eq!((status, &again["error"]["code"]), (404, &json!("unknown")), "{again}");
    let (status, nonsense) = site.admin("POST", "alerts/x/acknowledge", json!(null)).await;
    assert_eq!(status, 400, "{nonsense}");
}

#[tokio::test]
async fn a_check_finds_a_damaged_file_and_repairs_what_has_one_right_answer() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    assert_eq!(site.upload("Fox.EXE", FILE).await.0, 200);
    let sound = site.manage("POST", "check", json!({ "content": true })).await;
    assert_eq!(sound["findings"], json!([]), "{sound}");
    let folder = site.dir.path().join("Content").join(&FILE_SHA1[38..]);
    let held = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    let mut damaged = FILE.to_vec();
    damaged[0] ^= 1;
    std::fs::write(&held, &damaged).unwrap();
    let quick = site.manage("POST", "check", json!({})).await;
    assert_eq!(quick["findings"], json!([]), "files are read only when asked");
    let found = site.manage("POST", "check", json!({ "content": true })).await;
    assert_eq!(found["findings"].as_array().unwrap().len(), 1, "{found}");
    assert!(found.to_string().to_uppercase().contains(FILE_SHA1), "{found}");
    let repaired = site.manage("POST", "check", json!({ "content": true, "repair": true })).await;
    assert_eq!(repaired["findings"][0]["repaired"], true, "{repaired}");
    let after = site.manage("POST", "check", json!({ "content": true })).await;
    assert_eq!(after["findings"], json!([]), "{after}");
    let (status, refused) = site.admin("POST", "check", json!({ "content": "yes" })).await;
    assert_eq!(status, 400, "{refused}");
}

#[tokio::test]
async fn nothing_of_this_is_told_to_anybody_without_the_token() {
    let site = Site::start().await;
    for (method, path) in [
        ("GET", "audit"),
        ("GET", "audit/verify"),
        ("GET", "alerts"),
        ("POST", "alerts/1/acknowledge"),
        ("POST", "check"),
    ] {
        let answer =
            site.request(method, &format!("/api/v1/{path}"), &[("Authorization", "Bearer wrong")], b"").await;
        assert_eq!(answer.status, 401, "{path}");
        assert!(!answer.text().contains("entries"), "{}", answer.text());
    }
}
