//! What a server finds out about itself and its way to the upstream, and whom it tells: the self-test, `diagnose`,
//! alerts, probes before settings are saved, refusals that say whose fault it is.

use crate::support;

use serde_json::{Value, json};
use sluicegate_soap::fault::ErrorCode;
use sluicegate_soap::server_reporting::{
    ComputerRollupInfo, ComputerStatusRollupInfo, GetOutOfSyncComputersRequest, RollupComputerStatusRequest,
    RollupComputersRequest,
};
use sluicegate_soap::server_sync::{GetConfigDataRequest, GetRevisionIdListRequest};
use std::time::{Duration, Instant};
use support::catalog::{self, CLASSIFICATION, update};
use support::{Downstream, Site, noon};

/// An address at which nobody listens.
async fn nobody() -> String {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    format!("http://{gone}")
}

fn check<'a>(found: &'a Value, name: &str) -> &'a Value {
    let checks = found["checks"].as_array().unwrap();
    checks.iter().find(|check| check["check"] == name).unwrap_or_else(|| panic!("{name}: {found}"))
}

async fn kinds(site: &Site) -> Vec<String> {
    let list = site.manage("GET", "alerts", json!(null)).await;
    let alerts = list["alerts"].as_array().unwrap();
    alerts.iter().map(|alert| alert["kind"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_server_tests_its_endpoints_by_itself_and_says_so() {
    let site = Site::start().await;
    let started = Instant::now();
    let tested = loop {
        let health = site.get("/healthz").await.json();
        if !health["self_test"].is_null() {
            break health["self_test"].clone();
        }
        assert!(started.elapsed() < Duration::from_secs(20), "no self-test after the start: {health}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!((&tested["fine"], &tested["at"]), (&json!(true), &json!(noon().iso())), "{tested}");
    assert_eq!(tested["address"], site.addr.to_string());
    assert_eq!(tested["endpoints"].as_array().unwrap().len(), 7);
    let status = site.manage("GET", "status", json!(null)).await;
    assert_eq!(status["health"]["self_test"], tested);
    assert_eq!(status["listening"]["port"], site.addr.port());
    assert!(site.get("/metrics").await.text().contains("\nsluicegate_endpoints_failing 0\n"));
    assert_eq!(kinds(&site).await, [] as [&str; 0]);
}

#[tokio::test]
async fn diagnosing_names_the_first_thing_that_fails_and_what_to_do() {
    let (parent, child) = (Site::start().await, Site::start().await);
    let found = child.manage("POST", "diagnose", json!(null)).await;
    assert_eq!(
        (&found["first_failure"], &found["exit_code"]),
        (&json!("upstream-set"), &json!(11)),
        "{found}"
    );
    parent.import(&catalog::small()).await;
    child.manage("PUT", "upstream", json!({ "source": format!("http://{}", parent.addr) })).await;
    let found = child.manage("POST", "diagnose", json!(null)).await;
    for name in
        ["own-endpoints", "upstream-set", "name", "connection", "service", "authorization", "protocol"]
    {
        assert_eq!(check(&found, name)["result"], "passed", "{found}");
    }
    for name in ["proxy", "tls"] {
        assert_eq!(check(&found, name)["result"], "skipped", "neither is on the way: {found}");
    }
    assert!(check(&found, "protocol")["found"].as_str().unwrap().contains("1.20"), "{found}");
    assert_eq!((&found["sound"], &found["exit_code"]), (&json!(true), &json!(0)), "{found}");

    parent.manage("PUT", "downstream/allowed", json!({ "allowed": ["someone.else"] })).await;
    let found = child.manage("POST", "diagnose", json!(null)).await;
    assert_eq!(
        (&found["first_failure"], &found["exit_code"]),
        (&json!("authorization"), &json!(17)),
        "{found}"
    );
    let refused = check(&found, "authorization");
    assert_eq!(refused["problem"], "P-14");
    assert!(refused["remedy"].as_str().unwrap().contains("downstream allow"), "{refused}");
    assert_eq!(check(&found, "protocol")["result"], "skipped");
    assert_eq!(kinds(&child).await, ["upstream-failing"]);
    parent.manage("PUT", "downstream/allowed", json!({ "allowed": [] })).await;
    assert_eq!(child.manage("POST", "diagnose", json!(null)).await["sound"], true);
    assert_eq!(kinds(&child).await, [] as [&str; 0], "what is over is off the list");
}

#[tokio::test]
async fn diagnosing_looks_at_the_mirror_that_is_asked_for_microsoft_update() {
    let (parent, mut child) = (Site::start().await, Site::start().await);
    let mirror = format!("http://{}", parent.addr);
    child.mirror = Some(mirror.parse().unwrap());
    child.restart().await;
    child.manage("PUT", "upstream", json!({ "source": "microsoft-update", "probe": false })).await;
    let found = child.manage("POST", "diagnose", json!(null)).await;
    assert_eq!(check(&found, "upstream-set")["found"], format!("microsoft-update, asked at {mirror}"));
    assert_eq!(check(&found, "name")["found"], "127.0.0.1");
    for name in ["connection", "service"] {
        assert_eq!(
            (&check(&found, name)["result"], &check(&found, name)["found"]),
            (&json!("passed"), &json!(mirror))
        );
    }
    assert_eq!(check(&found, "tls")["result"], "skipped", "the mirror is asked in plain http: {found}");
    assert!(!found.to_string().contains("sws.update.microsoft.com"), "{found}");
}

#[tokio::test]
async fn an_upstream_is_tried_before_it_is_saved_unless_nobody_wants_that() {
    let (parent, child) = (Site::start().await, Site::start().await);
    let (good, gone) = (format!("http://{}", parent.addr), nobody().await);
    let (status, refused) = child.admin("PUT", "upstream", json!({ "source": gone })).await;
    assert_eq!((status, &refused["error"]["code"]), (502, &json!("UssCommunicationError/ConnectionRefused")));
    assert!(refused["error"]["message"].as_str().unwrap().starts_with("nothing was saved"), "{refused}");
    assert_eq!(child.manage("GET", "upstream", json!(null)).await["source"], json!(null));
    let saved = child.manage("PUT", "upstream", json!({ "source": good })).await;
    assert_eq!((&saved["source"], &saved["probe"]["protocol"]), (&json!(good), &json!("1.20")));
    let mode = child.manage("PUT", "upstream", json!({ "mode": "replica" })).await;
    assert_eq!(mode["probe"], json!(null), "it does not change the way");
    let (status, _) = child.admin("PUT", "upstream", json!({ "proxy": gone })).await;
    assert_eq!(status, 502, "a proxy is on the way");
    assert_eq!(kinds(&child).await, [] as [&str; 0], "the first upstream replaces none");

    let untried = child.manage("PUT", "upstream", json!({ "source": gone, "probe": false })).await;
    assert_eq!((&untried["source"], &untried["probe"]), (&json!(gone), &json!(null)));
    let alerts = child.manage("GET", "alerts", json!(null)).await;
    assert_eq!(alerts["alerts"][0]["kind"], "upstream-changed", "another source is never silent: {alerts}");
    let said = alerts["alerts"][0]["text"].as_str().unwrap();
    assert!(said.contains(&good) && said.contains(&gone) && said.contains("admin"), "{said}");
}

#[tokio::test]
async fn a_run_that_fails_has_its_known_problem_and_raises_an_alert_until_one_succeeds() {
    let (parent, child) = (Site::start().await, Site::start().await);
    parent.import(&catalog::small()).await;
    child.manage("PUT", "upstream", json!({ "source": format!("http://{}", parent.addr) })).await;
    parent.manage("PUT", "downstream/allowed", json!({ "allowed": ["someone.else"] })).await;
    let run = synchronized(&child).await;
    assert_eq!(
        (&run["outcome"], &run["error_code"], &run["problem"]),
        (&json!("failed"), &json!("DssAuthenticationError/Refused"), &json!("P-14")),
        "{run}"
    );
    until(&child, &["upstream-failing"]).await;
    parent.manage("PUT", "downstream/allowed", json!({ "allowed": [] })).await;
    let run = synchronized(&child).await;
    assert_eq!((&run["outcome"], &run["problem"]), (&json!("succeeded"), &json!(null)), "{run}");
    until(&child, &[]).await;
}

#[tokio::test]
async fn a_server_that_is_set_as_its_own_upstream_or_below_what_it_is_a_copy_of_is_told_so() {
    let site = Site::start().await;
    let own = json!({ "source": format!("http://{}", site.addr), "probe": false });
    site.manage("PUT", "upstream", own).await;
    let run = synchronized(&site).await;
    let said = run["error"].as_str().unwrap();
    assert!(said.contains("a server cannot be its own upstream"), "{said}");
    // Both have one id then, and nothing tells them apart.
    assert!(said.contains("sluicegate repair identity"), "{said}");
}

async fn synchronized(site: &Site) -> Value {
    site.manage("POST", "sync/now", json!(null)).await;
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

/// Waits until these alerts stand: conclusions are drawn a moment after a run has ended.
async fn until(site: &Site, wanted: &[&str]) {
    let started = Instant::now();
    while kinds(site).await != wanted {
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", kinds(site).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_server_taken_off_the_list_is_refused_in_the_middle_of_everything() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let server = Downstream::authorized(&site, 1).await;
    let config = GetConfigDataRequest { cookie: server.cookie.clone(), config_anchor: None };
    let list = GetRevisionIdListRequest { cookie: server.cookie.clone(), filter: Some(Default::default()) };
    let computers = RollupComputersRequest {
        cookie: None,
        client_time: noon(),
        computers: Some(vec![ComputerRollupInfo {
            computer_id: Some("pc-1".into()),
            parent: server.id,
            last_sync: noon(),
            last_reported_reboot: noon(),
            last_reported_status: noon(),
            last_inventory: noon(),
            last_sync_result: 1,
            details: None,
        }]),
    };
    let status = RollupComputerStatusRequest {
        cookie: None,
        client_time: noon(),
        parent: server.id,
        computers: Some(vec![ComputerStatusRollupInfo {
            computer_id: Some("pc-1".into()),
            effective_last_detection: noon(),
            rollup_number: 1,
            ..Default::default()
        }]),
    };
    let numbers = GetOutOfSyncComputersRequest {
        cookie: None,
        parent: server.id,
        last_rollup_numbers: Some(Vec::new()),
    };
    for _ in 0..2 {
        server.call(&config).await;
        server.call(&list).await;
        server.call(&computers).await;
        server.call(&status).await;
        server.call(&numbers).await;
    }
    site.manage("PUT", "downstream/allowed", json!({ "allowed": ["someone.else"] })).await;
    let refused = (ErrorCode::InvalidParameters, "accountGuid: not allowed".to_owned());
    assert_eq!(server.refusal(&config).await, refused);
    assert_eq!(server.refusal(&list).await, refused);
    assert_eq!(server.refusal(&computers).await, refused);
    assert_eq!(server.refusal(&status).await, refused);
    assert_eq!(server.refusal(&numbers).await, refused);
    site.manage("PUT", "downstream/allowed", json!({ "allowed": [server.name] })).await;
    server.call(&config).await;
    server.call(&status).await;
}

#[tokio::test]
async fn both_sides_of_the_admin_api_say_their_version() {
    let site = Site::start().await;
    let bearer = format!("Bearer {}", site.token());
    let ask = async |version: &str| {
        let headers = [("Authorization", bearer.as_str()), ("Sluicegate-Version", version)];
        site.request("GET", "/api/v1/status", &headers, b"").await
    };
    let ours = ask("1/0.0.1").await;
    assert_eq!(ours.status, 200);
    assert!(ours.header("sluicegate-version").unwrap().starts_with("1/"));
    let other = ask("7/3.2.1").await;
    assert_eq!((other.status, &other.json()["error"]["code"]), (400, &json!("other-version")));
    for (token, said) in
        [(None, "no token"), (Some("Bearer x"), "wrong token"), (Some("Basic eA=="), "another kind")]
    {
        let headers: Vec<_> = token.map(|token| ("Authorization", token)).into_iter().collect();
        let refused = site.request("GET", "/api/v1/status", &headers, b"").await;
        assert_eq!(refused.status, 401);
        assert!(refused.text().contains(said), "{}", refused.text());
        assert!(refused.header("sluicegate-version").is_some(), "also to who is not let in");
    }
}

#[tokio::test]
async fn a_filter_that_cannot_be_used_is_refused_by_name_and_a_preview_saves_nothing() {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let meant = site.manage("POST", "sync/filter/preview", json!({ "languages": ["de"] })).await;
    assert_eq!(meant["fetched"], json!({ "files": 0, "bytes": 0 }), "{meant}");
    assert_eq!(site.manage("GET", "sync/filter", json!(null)).await["languages"], "all");
    let (status, refused) = site.admin("POST", "sync/filter/preview", json!({ "languages": ["???"] })).await;
    assert_eq!(status, 400, "{refused}");
    let ids = json!([update(CLASSIFICATION).to_string()]);
    site.manage("PUT", "sync/filter", json!({ "classifications": ids, "languages": ["en"] })).await;
    let (status, refused) = site.admin("POST", "sync/now", json!(null)).await;
    assert_eq!((status, &refused["error"]["code"]), (409, &json!("LocalError/NoUpstream")));
}
