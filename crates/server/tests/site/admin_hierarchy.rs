//! The admin API of a tree of servers: setting an upstream, synchronizing with it and watching, the filter,
//! the servers below, and decisions that only an upstream makes.

use crate::support;

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::Site;
use support::catalog::{self, BUNDLE, CLASSIFICATION, COMPANY, PLAIN, PRODUCT, plain, update};

/// A parent with the small catalog, and a child that is told of it.
async fn tree(mode: &str) -> (Site, Site) {
    let (parent, child) = (Site::start().await, Site::start().await);
    parent.import(&catalog::small()).await;
    let source = format!("http://{}", parent.addr);
    child.manage("PUT", "upstream", json!({ "source": source, "mode": mode })).await;
    (parent, child)
}

/// The lines of `sync/progress` until a run has ended; the last says how.
async fn watched(site: &Site, run: &Value) -> Vec<Value> {
    let bearer = format!("Bearer {}", site.token());
    let path = format!("/api/v1/sync/progress?run={run}");
    let answer = site.request("GET", &path, &[("Authorization", &bearer)], b"").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/x-ndjson")));
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn synchronize(site: &Site) -> Value {
    let begun = site.manage("POST", "sync/now", json!(null)).await;
    let lines = watched(site, &begun["run"]).await;
    lines.last().unwrap()["ended"].clone()
}

#[tokio::test]
async fn a_run_is_begun_watched_to_its_end_and_stands_in_the_history() {
    let (parent, child) = tree("autonomous").await;
    let ended = synchronize(&child).await;
    assert_eq!(ended["outcome"], "succeeded", "{ended}");
    assert_eq!(ended["counts"]["new"], 8);
    assert_eq!(ended["by"], "admin");
    assert_eq!(ended["upstream"], format!("http://{}", parent.addr));
    let ids = |list: Value| -> Vec<Value> {
        let mut ids: Vec<Value> =
            list["updates"].as_array().unwrap().iter().map(|row| row["update_id"].clone()).collect();
        ids.sort_by_key(Value::to_string);
        ids
    };
    let updates = ids(child.manage("GET", "updates", json!(null)).await);
    assert_eq!(updates, ids(parent.manage("GET", "updates", json!(null)).await));
    assert!(!updates.is_empty());
    let history = child.manage("GET", "sync/history?limit=5", json!(null)).await;
    assert_eq!(history["runs"], json!([ended]));
    let part = child.manage("GET", "status", json!(null)).await["sync"].clone();
    assert_eq!((&part["upstream"], &part["running"]), (&ended["upstream"], &json!(false)));
    assert_eq!((&part["last_outcome"], &part["last_success"]), (&json!("succeeded"), &ended["ended"]));
    let status = child.manage("GET", "sync", json!(null)).await;
    assert_eq!(
        (&status["running"], &status["stuck"], &status["last_run"]),
        (&json!(false), &json!(false), &ended)
    );
    assert!(status["last_success"].is_string());
    // The parent knows who came, and nothing is new the second time.
    let below = parent.manage("GET", "downstream", json!(null)).await;
    assert_eq!((below["servers"].as_array().unwrap().len(), &below["everybody"]), (1, &json!(true)));
    let again = synchronize(&child).await;
    assert_eq!((&again["outcome"], &again["counts"]["new"]), (&json!("succeeded"), &json!(0)));
}

#[tokio::test]
async fn progress_goes_through_the_phases_in_order_and_says_that_it_is_the_first_synchronization() {
    const PHASES: [&str; 8] =
        ["idle", "authorization", "configuration", "categories", "updates", "deployments", "rollup", "files"];
    let (_parent, child) = tree("replica").await;
    let mut first = Vec::new();
    for _ in 0..2 {
        let begun = child.manage("POST", "sync/now", json!(null)).await;
        let lines = watched(&child, &begun["run"]).await;
        let (ended, told) = lines.split_last().unwrap();
        assert_eq!(ended["ended"]["outcome"], "succeeded");
        let mut reached = 0;
        for line in told {
            let progress = &line["progress"];
            assert_eq!(progress["run"], begun["run"]);
            let phase = PHASES.iter().position(|phase| progress["phase"] == *phase).unwrap();
            assert!(phase >= reached, "{told:?}");
            reached = phase;
            let number = |name: &str| progress[name].as_u64().unwrap();
            assert!(number("total") == 0 || number("done") <= number("total"), "{progress}");
            assert!(number("bytes_per_second") == 0 || number("bytes") > 0, "{progress}");
            first.push(progress["first"].clone());
        }
    }
    // How many lines there are depends on the machine; never is a second synchronization called the first.
    assert!(first.is_sorted_by_key(|first| first == &json!(false)), "{first:?}");
}

#[tokio::test]
async fn strays_are_listed_and_a_chosen_category_that_is_gone_is_shown_as_such() {
    let (_parent, child) = tree("autonomous").await;
    synchronize(&child).await;
    assert_eq!(child.manage("GET", "sync/strays", json!(null)).await, json!({ "strays": [] }));
    let gone = update(99).to_string();
    let filter = child.manage("PUT", "sync/filter", json!({ "products": [gone, "Contoso Desk"] })).await;
    let shown = filter["products"].as_array().unwrap();
    let known = |id: &str| shown.iter().find(|one| one["id"] == id).unwrap()["in_catalog"].clone();
    assert_eq!((known(&gone), known(&update(PRODUCT).to_string())), (json!(false), json!(true)));
    let ended = synchronize(&child).await;
    assert!(ended["warning"].as_str().unwrap().contains(&gone), "{ended}");
    assert_eq!((&ended["outcome"], &ended["counts"]["strays"]), (&json!("succeeded"), &json!(0)));
}

#[tokio::test]
async fn what_a_run_brings_is_in_service_without_anybody_ringing() {
    let (parent, child) = tree("autonomous").await;
    synchronize(&child).await;
    parent.import(&[plain(20, 100, "Something new")]).await;
    assert_eq!(synchronize(&child).await["counts"]["new"], 1);
    let wanted = child.running.as_ref().unwrap().store().anchor().0;
    let started = Instant::now();
    loop {
        let health = child.get("/healthz").await.json();
        if health["snapshot"]["anchor"] == wanted {
            break;
        }
        // The publisher looks by itself every few seconds; it was rung.
        assert!(started.elapsed() < Duration::from_secs(20), "not published: {health}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn changes_during_a_run_whose_upstream_went_silent_are_in_service_at_once() {
    let child = Site::start().await;
    child.import(&catalog::small()).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let source = format!("http://{}", silent.local_addr().unwrap());
    child.manage("PUT", "upstream", json!({ "source": source, "probe": false })).await;
    child.manage("POST", "sync/now", json!(null)).await;
    let running = async || child.manage("GET", "sync", json!(null)).await["running"] == json!(true);
    let served = async || child.get("/healthz").await.json()["snapshot"]["anchor"].as_u64().unwrap();
    let newest = || child.running.as_ref().unwrap().store().anchor().0;

    let started = Instant::now();
    child.import(&[plain(20, 100, "Something new")]).await;
    assert_eq!(served().await, newest(), "it was waited for, and came");
    // Nobody waits for these, as nobody does for what a run brings.
    let path = "/api/v1/catalog/import?wait=false";
    let document = plain(21, 100, "Something else").to_xml();
    let mut body = json!({ "name": "21.xml", "size": document.len() }).to_string().into_bytes();
    body.push(b'\n');
    body.extend_from_slice(document.as_bytes());
    let bearer = format!("Bearer {}", child.token());
    child.request("POST", path, &[("Authorization", &bearer)], &body).await;
    let gathered = newest();
    assert!(served().await < gathered, "it is gathered with what the run brings");
    child.import(&[plain(21, 100, "Something else")]).await;
    child.manage("POST", "import/decisions", json!(null)).await;
    assert!(served().await < gathered, "nothing changed, so nothing is compiled for it");
    child.manage("POST", "groups", json!({ "name": "Pilots" })).await;
    assert_eq!(served().await, newest());
    assert!(running().await, "all of it while the run waits");
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    child.manage("POST", "sync/cancel", json!(null)).await;
}

#[tokio::test]
async fn a_probe_says_what_it_found_or_why_not_and_saves_nothing() {
    let (parent, child) = (Site::start().await, Site::start().await);
    let source = format!("http://{}", parent.addr);
    let found = child.manage("POST", "upstream/probe", json!({ "source": source })).await;
    assert_eq!(found["source"], source);
    assert!(
        found["updates_per_request"].as_i64().unwrap() > 0 && !found["protocol"].as_str().unwrap().is_empty()
    );
    assert_eq!(child.manage("GET", "upstream", json!(null)).await["source"], json!(null));
    let (status, none) = child.admin("POST", "upstream/probe", json!({})).await;
    assert_eq!((status, &none["error"]["code"]), (409, &json!("LocalError/NoUpstream")), "{none}");
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (status, refused) =
        child.admin("POST", "upstream/probe", json!({ "source": format!("http://{gone}") })).await;
    assert_eq!(status, 502, "{refused}");
    assert!(refused["error"]["message"].as_str().unwrap().contains(&gone.to_string()), "{refused}");
}

#[tokio::test]
async fn a_run_that_fails_says_why_in_progress_and_history() {
    let (mut parent, child) = tree("autonomous").await;
    parent.stop().await;
    child.manage("POST", "sync/now", json!(null)).await;
    // It would be tried again for a while; nobody needs to wait for that.
    let cancelled = child.manage("POST", "sync/cancel", json!(null)).await;
    assert_eq!(cancelled["cancelled"], true);
    let lines = watched(&child, &json!(1)).await;
    let ended = &lines.last().unwrap()["ended"];
    assert!(["cancelled", "failed"].contains(&ended["outcome"].as_str().unwrap()), "{ended}");
    assert!(!ended["error"].as_str().unwrap().is_empty());
    assert_eq!(child.manage("POST", "sync/cancel", json!(null)).await["cancelled"], false);
    for limit in ["x", "0"] {
        let (status, unknown) = child.admin("GET", &format!("sync/history?limit={limit}"), json!(null)).await;
        assert_eq!((status, &unknown["error"]["code"]), (400, &json!("invalid")));
    }
}

#[tokio::test]
async fn without_an_upstream_nothing_is_synchronized_and_the_next_step_is_named() {
    let site = Site::start().await;
    for (method, path) in [("POST", "sync/now"), ("POST", "upstream/probe")] {
        let (status, refused) = site.admin(method, path, json!(null)).await;
        assert_eq!(status, 409);
        assert!(refused["error"]["message"].as_str().unwrap().contains("upstream set"), "{refused}");
    }
    let (status, refused) = site.admin("GET", "sync/progress?run=999", json!(null)).await;
    assert_eq!((status, &refused["error"]["code"]), (404, &json!("unknown")), "{refused}");
    let (status, refused) = site.admin("GET", "sync/progress", json!(null)).await;
    assert_eq!((status, &refused["error"]["code"]), (404, &json!("unknown")));
}

#[tokio::test]
async fn a_replica_takes_decisions_over_and_refuses_its_own() {
    let (parent, child) = tree("replica").await;
    let filters = child.manage("POST", "filters", json!({ "add": "preview" })).await;
    assert_eq!(filters, json!({ "filters": ["preview"], "ignored": true }));
    assert_eq!(parent.manage("GET", "filters", json!(null)).await["ignored"], false);
    parent.manage("POST", "groups", json!({ "name": "Pilots" })).await;
    let approve = format!("updates/{}/approve", update(BUNDLE));
    parent.manage("POST", &approve, json!({ "group": "Pilots" })).await;
    assert_eq!(synchronize(&child).await["outcome"], "succeeded");
    let shown = child.manage("GET", &format!("updates/{}", update(BUNDLE)), json!(null)).await;
    assert_eq!(shown["approvals"][0]["group"], "Pilots", "{shown}");
    for (method, path, body) in [
        ("POST", approve.clone(), json!({ "group": "Pilots" })),
        ("POST", format!("updates/{}/decline", update(PLAIN)), json!(null)),
        ("POST", "groups".to_owned(), json!({ "name": "Mine" })),
        (
            "POST",
            "import/decisions".to_owned(),
            json!({ "declined": {
            "update": update(PLAIN).to_string(), "at": "2026-10-04T12:00:00Z" } }),
        ),
    ] {
        let (status, refused) = child.admin(method, &path, body).await;
        assert_eq!(status, 409, "{path}: {refused}");
        let sentence = refused["error"]["message"].as_str().unwrap();
        assert!(sentence.contains(&parent.addr.to_string()), "{sentence}");
    }
    // Autonomous again, it decides for itself, beginning with what it had decided before.
    let settings = child.manage("PUT", "upstream", json!({ "mode": "autonomous" })).await;
    assert_eq!(settings["decided_by"], json!(null));
    child.manage("POST", "groups", json!({ "name": "Mine" })).await;
}

#[tokio::test]
async fn replica_mode_is_lifted_and_restored_without_another_decision_for_anybody() {
    let (parent, child) = (Site::start().await, Site::start().await);
    parent.import(&catalog::small()).await;
    child.import(&catalog::small()).await;
    child.manage("POST", "groups", json!({ "name": "Local" })).await;
    let approve = |number| format!("updates/{}/approve", update(number));
    child.manage("POST", &approve(PLAIN), json!({ "group": "Local" })).await;
    parent.manage("POST", "groups", json!({ "name": "Pilots" })).await;
    parent.manage("POST", &approve(BUNDLE), json!({ "group": "Pilots" })).await;
    let source = format!("http://{}", parent.addr);
    child.manage("PUT", "upstream", json!({ "source": source, "mode": "replica" })).await;
    assert_eq!(synchronize(&child).await["outcome"], "succeeded");
    let approved = async |number| {
        let shown = child.manage("GET", &format!("updates/{}", update(number)), json!(null)).await;
        let approvals = shown["approvals"].as_array().unwrap().clone();
        approvals.into_iter().map(|approval| approval["group"].clone()).collect::<Vec<Value>>()
    };
    let before = (approved(BUNDLE).await, approved(PLAIN).await);
    assert_eq!(before, (vec![json!("Pilots")], vec![]));
    let lift = json!({ "mode": "autonomous", "keep_decisions": true });
    let lifted = child.manage("PUT", "upstream", lift).await;
    assert_eq!((&lifted["lifted"], &lifted["decided_by"]), (&json!(true), &json!(null)));
    assert_eq!((approved(BUNDLE).await, approved(PLAIN).await), before);
    child.manage("POST", &format!("updates/{}/decline", update(BUNDLE)), json!(null)).await;
    let restored = child.manage("PUT", "upstream", json!({ "mode": "replica" })).await;
    assert_eq!((&restored["lifted"], &restored["mode"]), (&json!(false), &json!("replica")));
    assert_eq!(synchronize(&child).await["outcome"], "succeeded");
    assert_eq!((approved(BUNDLE).await, approved(PLAIN).await), before, "as its parent says");
    child.manage("PUT", "upstream", json!({ "mode": "autonomous" })).await;
    assert_eq!((approved(BUNDLE).await, approved(PLAIN).await), (vec![], vec![json!("Local")]));
}

#[tokio::test]
async fn schedules_and_content_policies_are_set_and_shown() {
    let site = Site::start().await;
    assert_eq!(site.manage("GET", "sync/schedule", json!(null)).await["schedule"], "manual");
    let set = site.manage("PUT", "sync/schedule", json!({ "schedule": "4@03:30+20" })).await;
    assert_eq!(
        set,
        json!({ "schedule": "4@03:30+20", "times": 4, "at": "03:30", "spread": 20, "patience": 30 })
    );
    let set = site.manage("PUT", "sync/schedule", json!({ "patience": 45 })).await;
    assert_eq!((&set["schedule"], &set["patience"]), (&json!("4@03:30+20"), &json!(45)));
    for wrong in [json!(0), json!(1_441), json!("soon")] {
        let (status, refused) = site.admin("PUT", "sync/schedule", json!({ "patience": wrong })).await;
        assert_eq!((status, &refused["error"]["code"]), (400, &json!("invalid")), "{wrong}");
    }
    for wrong in ["5", "25@03:00", "1@24:00", "1@03:00+1440", "often"] {
        let (status, refused) = site.admin("PUT", "sync/schedule", json!({ "schedule": wrong })).await;
        assert_eq!((status, &refused["error"]["code"]), (400, &json!("invalid")), "{wrong}");
    }
    // An offset that passes the next time would leave it out.
    for (wrong, apart) in [("24@23:59+720", "60 minutes apart"), ("24@00:00+60", "at most 59")] {
        let (status, refused) = site.admin("PUT", "sync/schedule", json!({ "schedule": wrong })).await;
        assert_eq!(status, 400, "{refused}");
        assert!(refused["error"]["message"].as_str().unwrap().contains(apart), "{refused}");
    }
    site.manage("PUT", "sync/schedule", json!({ "schedule": "24@00:00+59" })).await;
    assert_eq!(
        site.manage("GET", "sync/content", json!(null)).await,
        json!({ "when": "approved", "express": false })
    );
    let set = site.manage("PUT", "sync/content", json!({ "when": "all", "express": true })).await;
    assert_eq!(set, json!({ "when": "all", "express": true }));
    assert_eq!(site.manage("PUT", "sync/content", json!({ "when": "never" })).await["express"], true);
    assert_eq!(site.admin("PUT", "sync/content", json!({ "when": "sometimes" })).await.0, 400);
}

#[tokio::test]
async fn a_schedule_gives_the_next_run_its_time() {
    let (_parent, child) = tree("autonomous").await;
    child.manage("PUT", "sync/schedule", json!({ "schedule": "1@13:00" })).await;
    let started = Instant::now();
    loop {
        let status = child.manage("GET", "sync", json!(null)).await;
        // It is noon.
        if status["next_run"] == "2026-10-04T13:00:00Z" {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_filter_takes_titles_and_ids_and_narrows_what_is_synchronized() {
    let (parent, child) = tree("autonomous").await;
    let (status, refused) = child.admin("PUT", "sync/filter", json!({ "products": ["Contoso Desk"] })).await;
    assert_eq!(status, 404);
    assert!(refused["error"]["message"].as_str().unwrap().contains("Synchronize once"), "{refused}");
    let elsewhere = update(99).to_string();
    child.manage("PUT", "sync/filter", json!({ "products": [elsewhere] })).await;
    assert_eq!(synchronize(&child).await["outcome"], "succeeded");
    let categories = child.manage("GET", "categories", json!(null)).await;
    assert_eq!(
        categories["categories"].as_array().unwrap().len(),
        3,
        "categories come whatever the filter says"
    );
    assert_eq!(child.manage("GET", "updates", json!(null)).await["updates"], json!([]));

    let filter = child
        .manage("PUT", "sync/filter", json!({
            "products": ["contoso DESK"], "classifications": [update(CLASSIFICATION).to_string()], "languages": ["de"],
        }))
        .await;
    assert_eq!(
        filter["products"],
        json!([{
            "id": update(PRODUCT).to_string(), "title": "Contoso Desk", "in_catalog": true,
        }])
    );
    assert_eq!(
        (&filter["classifications"][0]["title"], &filter["languages"]),
        (&json!("Fixes"), &json!(["de"]))
    );
    assert_eq!(synchronize(&child).await["outcome"], "succeeded");
    assert_eq!(child.manage("GET", "updates", json!(null)).await["updates"].as_array().unwrap().len(), 2);

    let kept = child.manage("PUT", "sync/filter", json!({ "languages": "all" })).await;
    assert_eq!((&kept["languages"], &kept["products"]), (&json!("all"), &filter["products"]));
    for (wrong, said) in [
        (json!({ "products": ["Contoso Dusk"] }), "`Contoso Desk`"),
        (json!({ "classifications": ["Contoso Desk"] }), "no classification"),
        (json!({ "classifications": [update(COMPANY).to_string()] }), "`Contoso`"),
        (json!({ "languages": ["???"] }), "???"),
        (json!({ "languages": ["pt_br"] }), "pt_br"),
        (json!({ "languages": ["all", "en"] }), "`all` beside others"),
        (json!({ "products": ["Contoso Desk", "ALL"] }), "`all` beside others"),
        (json!({ "product": ["Contoso Desk"] }), "no `product`; it has products"),
        (json!({ "products": [] }), "no product"),
    ] {
        let (status, refused) = child.admin("PUT", "sync/filter", wrong.clone()).await;
        assert!(status == 400 || status == 404, "{wrong}");
        assert!(refused["error"]["message"].as_str().unwrap().contains(said), "{refused}");
    }
    let unchanged = child.manage("GET", "sync/filter", json!(null)).await;
    assert_eq!((&unchanged["languages"], &unchanged["products"]), (&json!("all"), &filter["products"]));
    drop(parent);
}

#[tokio::test]
async fn a_language_nobody_knows_is_warned_of_and_refused_once_the_catalog_says_its_languages() {
    let site = Site::start().await;
    let set = site.manage("PUT", "sync/filter", json!({ "languages": ["de", "english"] })).await;
    assert_eq!(set["languages"], json!(["de", "english"]));
    assert!(set["warnings"][0].as_str().unwrap().contains("do you mean `en`"), "{set}");
    assert_eq!(set["warnings"].as_array().unwrap().len(), 1);
    let mut icelandic = plain(30, 100, "For one language");
    icelandic.properties.languages = vec!["is".parse().unwrap()];
    let mut file = catalog::file();
    file.sha1 = sluicegate_terms::Sha1Digest::from_hex("00000000000000000000000000000000000000AA").unwrap();
    icelandic.files = vec![file];
    site.import(&catalog::small()).await;
    site.import(&[icelandic]).await;
    for path in ["sync/filter", "sync/filter/preview"] {
        let method = if path == "sync/filter" { "PUT" } else { "POST" };
        let (status, refused) = site.admin(method, path, json!({ "languages": ["is", "zz"] })).await;
        assert_eq!((status, &refused["error"]["code"]), (404, &json!("unknown")), "{refused}");
        assert!(refused["error"]["message"].as_str().unwrap().contains("no language `zz`"), "{refused}");
    }
    let set = site.manage("PUT", "sync/filter", json!({ "languages": ["is", "de"] })).await;
    assert_eq!((&set["languages"], &set["warnings"]), (&json!(["de", "is"]), &json!([])));
}

#[tokio::test]
async fn only_servers_on_the_list_may_synchronize_once_there_is_one() {
    let (parent, child) = tree("autonomous").await;
    parent.manage("PUT", "downstream/allowed", json!({ "allowed": ["someone.else"] })).await;
    let ended = synchronize(&child).await;
    assert_eq!(ended["outcome"], "failed", "{ended}");
    let id = child.running.as_ref().unwrap().store().server_id().to_string();
    let list = parent.manage("PUT", "downstream/allowed", json!({ "allowed": [id.to_uppercase()] })).await;
    assert_eq!((&list["allowed"], &list["everybody"]), (&json!([id]), &json!(false)));
    assert_eq!(synchronize(&child).await["outcome"], "succeeded");
    let below = parent.manage("GET", "downstream", json!(null)).await;
    assert_eq!((&below["servers"][0]["id"], &below["servers"][0]["allowed"]), (&json!(id), &json!(true)));
    for wrong in [json!({}), json!({ "allowed": [" "] }), json!({ "allowed": "all" })] {
        assert_eq!(parent.admin("PUT", "downstream/allowed", wrong).await.0, 400);
    }
}
