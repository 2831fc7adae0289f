//! Content files that vanish from the disk while the server runs: the first who notices ends that they are held.

use crate::support;

use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use support::Site;
use support::catalog::{self, FILE, FILE_SHA1};

fn path() -> String {
    format!("/Content/12/{FILE_SHA1}.exe")
}

fn kept(site: &Site) -> PathBuf {
    site.dir.path().join(format!("Content/12/{FILE_SHA1}.exe"))
}

async fn holding() -> Site {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    assert_eq!(site.upload("fox.exe", FILE).await.0, 200);
    // It looks at a file too, and only what is tried here is to notice.
    let started = Instant::now();
    while site.get("/healthz").await.json()["self_test"].is_null() {
        assert!(started.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    site
}

async fn is_held(site: &Site) -> bool {
    site.manage("GET", "status", json!(null)).await["content"]["files"] == 1
}

async fn alerts(site: &Site) -> Vec<Value> {
    let list = site.manage("GET", "alerts", json!(null)).await;
    list["alerts"].as_array().unwrap().clone()
}

/// Waits until so many alerts stand.
async fn until(site: &Site, count: usize) -> Vec<Value> {
    let started = Instant::now();
    loop {
        let alerts = alerts(site).await;
        if alerts.len() == count {
            return alerts;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{alerts:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn check_of(site: &Site, name: &str) -> Value {
    let found = site.manage("POST", "diagnose", json!(null)).await;
    found["checks"].as_array().unwrap().iter().find(|check| check["check"] == name).unwrap().clone()
}

#[tokio::test]
async fn a_request_for_a_file_that_is_gone_or_cut_off_ends_that_it_is_held_and_is_an_alert_until_it_is_back()
{
    let site = holding().await;
    for cut in [false, true] {
        match cut {
            false => std::fs::remove_file(kept(&site)).unwrap(),
            true => std::fs::write(kept(&site), b"The quick").unwrap(),
        }
        let answer = site.get(&path()).await;
        assert_eq!((answer.status, is_held(&site).await), (404, false));
        let alert = until(&site, 1).await.remove(0);
        assert_eq!(alert["kind"], "files-lost");
        let text = alert["text"].as_str().unwrap();
        let what = if cut { "has 9 bytes instead of 43" } else { "is gone from the disk" };
        assert!(text.contains(what) && text.contains("`Fox.EXE`") && text.contains("content add"), "{text}");
        let files = check_of(&site, "files").await;
        assert!(files["result"] == "failed" && files["found"].as_str().unwrap().contains(what), "{files}");
        assert_eq!(site.upload("fox.exe", FILE).await.1["already_held"], false);
        assert_eq!(site.get(&path()).await.body, FILE);
        until(&site, 0).await;
        assert_eq!(check_of(&site, "files").await["result"], "passed");
    }
}

#[tokio::test]
async fn a_self_test_does_not_blame_the_endpoint_for_a_file_that_is_gone() {
    let site = holding().await;
    std::fs::remove_file(kept(&site)).unwrap();
    let endpoints = check_of(&site, "own-endpoints").await;
    assert_eq!(endpoints["result"], "passed", "{endpoints}");
    assert!(!is_held(&site).await);
    assert_eq!(until(&site, 1).await[0]["kind"], "files-lost");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_now_stays_held_and_the_advice_is_about_the_disk() {
    let site = holding().await;
    let aside = site.dir.path().join("aside");
    std::fs::rename(kept(&site), &aside).unwrap();
    std::os::unix::fs::symlink(kept(&site), kept(&site)).unwrap();
    assert_eq!(site.get(&path()).await.status, 500);
    let endpoints = check_of(&site, "own-endpoints").await;
    let remedy = endpoints["remedy"].as_str().unwrap();
    assert!(remedy.contains("see to the disk") && endpoints["problem"].is_null(), "{endpoints}");
    std::fs::rename(aside, kept(&site)).unwrap();
    assert_eq!(site.get(&path()).await.body, FILE);
}

#[tokio::test]
async fn a_good_file_is_asked_for_and_taken_when_the_one_on_the_disk_is_not() {
    let site = holding().await;
    let ask = || async {
        let answer = site.manage("POST", "content/missing", json!({ "sha1": [FILE_SHA1] })).await;
        (answer["missing"].clone(), answer["held"].clone(), answer["lost"].clone())
    };
    assert_eq!(ask().await, (json!([]), json!(1), json!(0)));
    std::fs::write(kept(&site), b"The quick").unwrap();
    assert_eq!(ask().await, (json!([FILE_SHA1]), json!(0), json!(1)));
    assert_eq!(ask().await, (json!([FILE_SHA1]), json!(0), json!(0)));
    site.upload("fox.exe", FILE).await;
    std::fs::remove_file(kept(&site)).unwrap();
    let (status, given) = site.upload("fox.exe", FILE).await;
    assert_eq!((status, &given["already_held"]), (200, &json!(false)), "{given}");
    assert_eq!(given["replaced"], "is gone from the disk");
    assert_eq!(site.get(&path()).await.body, FILE);
}

#[tokio::test]
async fn files_that_lay_there_before_their_update_came_are_verified_when_it_does() {
    let mut site = Site::start().await;
    site.stop().await;
    std::fs::create_dir_all(kept(&site).parent().unwrap()).unwrap();
    std::fs::write(kept(&site), FILE).unwrap();
    site.restart().await;
    site.import(&catalog::small()).await;
    let started = Instant::now();
    while !is_held(&site).await {
        assert!(started.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(site.get(&path()).await.body, FILE);
}

#[tokio::test]
async fn the_next_synchronization_fetches_what_the_disk_lost() {
    let (parent, child) = (holding().await, Site::start().await);
    child.manage("PUT", "upstream", json!({ "source": format!("http://{}", parent.addr) })).await;
    child.manage("PUT", "sync/content", json!({ "when": "all" })).await;
    for lost in [0, 1, 0] {
        if lost == 1 {
            std::fs::remove_file(kept(&child)).unwrap();
            assert_eq!(child.get(&path()).await.status, 404);
            let alert = until(&child, 1).await.remove(0);
            assert!(alert["text"].as_str().unwrap().contains("sync now"), "{alert}");
        }
        let held = is_held(&child).await;
        child.manage("POST", "sync/now", json!(null)).await;
        let started = Instant::now();
        let run = loop {
            let status = child.manage("GET", "sync", json!(null)).await;
            if status["running"] == false && !status["last_run"].is_null() {
                break status["last_run"].clone();
            }
            assert!(started.elapsed() < Duration::from_secs(60), "{status}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(run["counts"]["files"], u64::from(!held), "{run}");
        assert_eq!(child.get(&path()).await.body, FILE);
        until(&child, 0).await;
    }
}
