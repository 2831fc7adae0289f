//! Cleanup and filters through the admin API.

mod support;

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
