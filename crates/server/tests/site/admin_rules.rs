//! Rules, bulk approvals and options through the admin API.

use crate::support;

use serde_json::{Value, json};
use sluicegate_catalog::compose::Document;
use sluicegate_terms::CategoryKind;
use support::Site;
use support::catalog::{self, BUNDLE, COMPANY, PLAIN, update};

#[tokio::test]
async fn a_rule_is_previewed_saved_run_and_removed() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let list = site.manage("GET", "rules", json!(null)).await;
    assert_eq!(list["rules"][0]["name"], "Default Automatic Approval Rule");
    assert_eq!(list["rules"][0]["enabled"], false);
    assert_eq!(list["options"], json!({ "approvals_follow": true, "decline_expired": true }));

    let rule = json!({
        "name": "Fixes", "classifications": ["Fixes"], "groups": ["All Computers"],
        "deadline_days": 7, "deadline_time": "03:05",
    });
    let preview = site.manage("POST", "rules/preview", rule.clone()).await;
    assert_eq!(
        (&preview["would_approve"], &preview["approvals"][0]["group"]),
        (&json!(2), &json!("All Computers"))
    );
    assert_eq!(preview["approvals"][0]["deadline"], "2026-10-11T03:05:00Z");
    let unapproved = site.manage("GET", "updates?approval=unapproved", json!(null)).await;
    assert_eq!(unapproved["total"], 2, "a preview changes nothing");

    let made = site.manage("POST", "rules", rule).await;
    assert_eq!(
        (&made["id"], &made["deadline_time"], &made["enabled"]),
        (&json!(2), &json!("03:05"), &json!(true))
    );
    let changed = site.manage("PUT", "rules/2", json!({ "deadline_days": null, "enabled": false })).await;
    assert_eq!((&changed["deadline_days"], &changed["classifications"]), (&Value::Null, &json!(["Fixes"])));
    assert_eq!(site.manage("POST", "rules/run", json!({})).await["approved"], 0, "it is not enabled");
    assert_eq!(site.manage("POST", "rules/run", json!({ "rules": [2] })).await["approved"], 2);
    let again = site.manage("POST", "rules/preview", json!({ "id": "2" })).await;
    assert_eq!((&again["would_approve"], &again["would_skip"]), (&json!(0), &json!(2)));
    site.manage("DELETE", "rules/2", json!(null)).await;

    let options = site.manage("PUT", "rules/options", json!({ "approvals_follow": false })).await;
    assert_eq!(options, json!({ "approvals_follow": false, "decline_expired": true }));
    for (method, path, body, status) in [
        ("DELETE", "rules/1", json!(null), 409),
        ("DELETE", "rules/2", json!(null), 404),
        ("PUT", "rules/x", json!({}), 400),
        ("POST", "rules", json!({ "classifications": ["Nothing"], "groups": ["All Computers"] }), 404),
        ("POST", "rules", json!({ "groups": [] }), 400),
        ("POST", "rules", json!({ "groups": ["Nobody"] }), 404),
        (
            "POST",
            "rules",
            json!({ "groups": ["All Computers"], "deadline_days": 7, "deadline_time": "25:00" }),
            400,
        ),
        ("POST", "rules/run", json!({ "rules": [9] }), 404),
    ] {
        let (got, value) = site.admin(method, path, body).await;
        assert_eq!(got, status, "{method} {path}: {value}");
    }
}

#[tokio::test]
async fn many_updates_are_approved_for_many_groups_at_once() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    site.manage("POST", "groups", json!({ "name": "Pilot" })).await;
    let order = json!({
        "updates": [update(BUNDLE).to_string(), update(COMPANY).to_string()], "groups": ["Pilot", "All Computers"],
        "action": "optional-install",
    });
    let done = site.manage("POST", "updates/approve", order).await;
    assert_eq!((&done["updates"], &done["approvals"]), (&json!(1), &json!(2)));
    assert_eq!(done["refused"][0]["update_id"], update(COMPANY).to_string());
    let order =
        json!({ "filter": { "approval": "unapproved", "classification": "Fixes" }, "groups": ["Pilot"] });
    assert_eq!(site.manage("POST", "updates/approve", order).await["updates"], 1);
    let shown = site.manage("GET", &format!("updates/{}", update(PLAIN)), json!(null)).await;
    assert_eq!(
        (&shown["approvals"][0]["action"], &shown["held"], &shown["eula"]),
        (&json!("install"), &Value::Null, &Value::Null)
    );
    for body in [json!({}), json!({ "groups": ["Pilot"] }), json!({ "groups": ["Pilot"], "updates": ["x"] })]
    {
        assert_eq!(site.admin("POST", "updates/approve", body).await.0, 400);
    }
    let (status, value) =
        site.admin("POST", &format!("updates/{}/accept-revision", update(PLAIN)), json!({})).await;
    assert_eq!(status, 409, "{value}");
}

#[tokio::test]
async fn an_order_for_many_leaves_alone_what_its_filter_does_not_choose() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let declined = format!("updates/{}", update(PLAIN));
    site.manage("POST", &format!("{declined}/decline"), json!({})).await;
    for filter in [
        json!({ "product": "" }),
        json!({ "search": " " }),
        json!({ "classification": "Fixes", "approval": "" }),
        json!({}),
        json!({ "search": null }),
        json!({ "serch": "x" }),
    ] {
        let order = json!({ "filter": filter, "groups": ["All Computers"] });
        let (status, refused) = site.admin("POST", "updates/approve", order).await;
        assert_eq!(status, 400, "{filter}: {refused}");
    }
    let approve = |filter: Value| json!({ "filter": filter, "groups": ["All Computers"] });
    let done = site.manage("POST", "updates/approve", approve(json!({ "classification": "Fixes" }))).await;
    assert_eq!((&done["updates"], &done["declines_taken_back"]), (&json!(1), &json!([])));
    assert_eq!(site.manage("GET", &declined, json!(null)).await["approval"], "declined");
    let any = json!({ "classification": "Fixes", "approval": "any" });
    let done = site.manage("POST", "updates/approve", approve(any)).await;
    assert_eq!(done["declines_taken_back"], json!([update(PLAIN).to_string()]));
    let one = |group: &str| json!({ "group": group });
    let again = site.manage("POST", &format!("{declined}/approve"), one("All Computers")).await;
    assert_eq!(again["decline_taken_back"], false);
    site.manage("POST", &format!("{declined}/decline"), json!({})).await;
    let again = site.manage("POST", &format!("{declined}/approve"), one("All Computers")).await;
    assert_eq!(again["decline_taken_back"], true);
    let (status, refused) = site.admin("POST", &format!("{declined}/unapprove"), one("")).await;
    assert_eq!(status, 400, "{refused}");
    assert_eq!(site.manage("GET", &declined, json!(null)).await["approval"], "approved");
}

#[tokio::test]
async fn a_title_that_several_categories_have_names_none_of_them() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let product = update(catalog::PRODUCT).to_string();
    let by_title = json!({ "name": "By title", "products": ["contoso desk"], "groups": ["All Computers"] });
    let rule = site.manage("POST", "rules", by_title.clone()).await;
    assert_eq!((&rule["products"], &rule["product_ids"]), (&json!(["Contoso Desk"]), &json!([product])));
    let (same, company) = (CategoryKind::ProductFamily, Some(update(COMPANY)));
    let family = Document::category(catalog::identity(60, 100), same, "Contoso Desk", company);
    site.import(&[family]).await;
    let order = json!({ "filter": { "product": "Contoso Desk" }, "groups": ["All Computers"] });
    for (path, body) in [("rules", by_title), ("updates/approve", order)] {
        let (status, refused) = site.admin("POST", path, body).await;
        let said = refused["error"]["message"].as_str().unwrap();
        assert_eq!(status, 400, "{said}");
        assert!(said.contains(&product) && said.contains(&update(60).to_string()), "{said}");
    }
    let by_id = json!({ "name": "By id", "products": [product], "groups": ["All Computers"] });
    assert_eq!(site.manage("POST", "rules", by_id).await["product_ids"], json!([product]));
}
