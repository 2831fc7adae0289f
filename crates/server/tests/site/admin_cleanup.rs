//! Cleanup and filters through the admin API.

use crate::support;

use serde_json::json;
use support::Site;
use support::catalog;

#[tokio::test]
async fn cleanup_is_set_tried_run_and_remembered() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let before = site.manage("GET", "cleanup", json!(null)).await;
    assert_eq!((&before["settings"]["enabled"], &before["runs"]), (&json!("true"), &json!([])));
    let set = site.manage("PUT", "cleanup", json!({ "computer-days": 90 })).await;
    assert_eq!(set["settings"]["computer-days"], "90");

    let trial = site.manage("POST", "cleanup/run", json!({ "dry_run": true })).await;
    assert_eq!(trial["steps"].as_array().unwrap().len(), 10);
    let done = site.manage("POST", "cleanup/run", json!({ "steps": ["computers", "events"] })).await;
    assert_eq!(done["stopped"], false);
    let after = site.manage("GET", "cleanup", json!(null)).await;
    assert_eq!(after["runs"].as_array().unwrap().len(), 1, "a trial is not a run");
    assert_eq!(after["runs"][0]["outcome"], "done");
    assert_eq!(after["runs"][0]["steps"][0]["step"], "computers");
}

#[tokio::test]
async fn a_filter_is_previewed_added_and_declines_what_nobody_decided_about() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let all = site.manage("GET", "updates?approval=unapproved", json!(null)).await;
    let title = all["updates"][0]["title"].as_str().unwrap().to_owned();
    let filter = format!("title={title}");
    let preview = site.manage("POST", "filters/preview", json!({ "filter": filter })).await;
    assert_eq!((&preview["count"], &preview["titles"]), (&json!(1), &json!([title])));
    let added = site.manage("POST", "filters", json!({ "add": filter })).await;
    assert_eq!(added["filters"], json!([filter]));
    let done = site.manage("POST", "cleanup/run", json!({ "steps": ["filtered-updates"] })).await;
    assert_eq!(done["steps"][0]["done"], 1);
    let declined = site.manage("GET", "updates?approval=declined", json!(null)).await;
    assert_eq!(declined["updates"][0]["title"], json!(title));
    let removed = site.manage("POST", "filters", json!({ "remove": filter })).await;
    assert_eq!(removed["filters"], json!([]));
}

#[tokio::test]
async fn what_is_excluded_from_synchronization_comes_in_declined_and_stays_known() {
    let (parent, child) = (Site::start().await, Site::start().await);
    parent.import(&catalog::small()).await;
    child.manage("PUT", "upstream", json!({ "source": format!("http://{}", parent.addr) })).await;
    let set = child.manage("PUT", "sync/filter", json!({ "exclude": ["title=Plain*", "preview"] })).await;
    assert_eq!((&set["exclude"], &set["products"]), (&json!(["title=Plain*", "preview"]), &json!("all")));
    assert_eq!(child.manage("GET", "filters", json!(null)).await["filters"], set["exclude"]);
    let (status, refused) = child.admin("PUT", "sync/filter", json!({ "exclude": ["colour=red"] })).await;
    assert_eq!((status, &refused["error"]["code"]), (400, &json!("invalid")), "{refused}");

    child.manage("POST", "sync/now", json!(null)).await;
    let started = std::time::Instant::now();
    let declined = loop {
        let found = child.manage("GET", "updates?approval=declined", json!(null)).await["updates"].clone();
        if found.as_array().is_some_and(|rows| !rows.is_empty()) {
            break found;
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(30), "nothing was declined");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!(declined.as_array().unwrap().len(), 1, "{declined}");
    assert_eq!(declined[0]["title"], "Plain update (KB5000002)");

    let none = child.manage("PUT", "sync/filter", json!({ "exclude": [] })).await;
    assert_eq!(none["exclude"], json!([]));
}

#[tokio::test]
async fn what_a_filter_names_only_after_a_new_revision_is_declined_when_the_synchronization_ends() {
    let (parent, child) = (Site::start().await, Site::start().await);
    parent.import(&catalog::small()).await;
    child.manage("PUT", "upstream", json!({ "source": format!("http://{}", parent.addr) })).await;
    child.manage("PUT", "sync/filter", json!({ "exclude": ["preview"] })).await;
    let run = |wanted: usize| {
        let child = &child;
        async move {
            child.manage("POST", "sync/now", json!(null)).await;
            let started = std::time::Instant::now();
            loop {
                let status = child.manage("GET", "sync", json!(null)).await;
                let declined = child.manage("GET", "updates?approval=declined", json!(null)).await;
                let declined = declined["updates"].as_array().unwrap().len();
                if status["running"] == false && status["last_success"].is_string() && declined == wanted {
                    return;
                }
                assert!(started.elapsed() < std::time::Duration::from_secs(30), "{declined} are declined");
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
    };
    run(0).await;
    parent.import(&[catalog::plain(catalog::PLAIN, 201, "Plain update Preview")]).await;
    run(1).await;
    let runs = child.manage("GET", "cleanup", json!(null)).await["runs"].clone();
    assert_eq!(runs, json!([]), "this is no run of cleanup and puts none off");
    // A filter of now looks at what was there before it, although the run brings nothing.
    child.manage("POST", "filters", json!({ "add": "title=Bundle*" })).await;
    run(2).await;
}

#[tokio::test]
async fn a_deadline_or_a_removal_that_cannot_be_is_refused_with_what_to_do() {
    let site = Site::start().await;
    let mut asking = catalog::plain(40, 1, "Asks");
    asking.properties.may_ask = true;
    site.import(&catalog::small()).await;
    site.import(&[asking]).await;
    let path = format!("updates/{}/approve", catalog::update(40));
    let order = |action: &str, deadline: serde_json::Value| json!({ "group": "All Computers", "action": action, "deadline": deadline });
    for (body, said) in [
        (order("install", json!("2026-12-01")), "approve it without one"),
        (order("uninstall", json!(null)), "withdraw its approval or decline it"),
    ] {
        let (status, refused) = site.admin("POST", &path, body).await;
        assert_eq!(status, 409, "{refused}");
        assert!(refused["error"]["message"].as_str().unwrap().contains(said), "{refused}");
    }
    site.manage("POST", &path, order("install", json!(null))).await;
    let shown = site.manage("GET", &format!("updates/{}", catalog::update(40)), json!(null)).await;
    assert_eq!((&shown["may_ask_user"], &shown["can_uninstall"]), (&json!(true), &json!(false)), "{shown}");
}
