//! Bytes and rows that a failing disk changed: each costs the update it belongs to and nothing else, is told of, and
//! is offered again once it is repaired.

use crate::support;

use serde_json::{Value, json};
use sluicegate_catalog::compose::Document;
use sluicegate_soap::client::{FragmentType, GetExtendedUpdateInfoRequest, GetExtendedUpdateInfoResponse};
use sluicegate_soap::fault::ErrorCode;
use sluicegate_soap::server_sync::{GetUpdateDataRequest, GetUpdateDataResponse};
use sluicegate_soap::{Limits, ResponseMessage};
use std::collections::BTreeMap;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};
use support::agent::held;
use support::catalog::{self, BUNDLE, PLAIN, identity, update};
use support::{Agent, Downstream, Site};

/// A large update, whose Core fragment is read when it is asked for.
const LARGE: u128 = 30;

fn database(site: &Site) -> rusqlite::Connection {
    let db = rusqlite::Connection::open(site.dir.path().join("sluicegate.db")).unwrap();
    db.busy_timeout(Duration::from_secs(20)).unwrap();
    db
}

/// Where the bytes of an update lie in a segment, and how many they are.
fn place(site: &Site, segment: &str, number: u128) -> (u64, u64) {
    let sql = format!("SELECT {segment}_at, {segment}_len FROM revision WHERE update_id = ?1");
    let place: (i64, i64) = database(site)
        .query_row(&sql, [update(number).0.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    (place.0.cast_unsigned(), place.1.cast_unsigned())
}

/// Turns a byte of an update over in the files `core`, `fragments` or `document`.
fn flip(site: &Site, segment: &str, number: u128) {
    let (at, len) = place(site, segment, number);
    let name = if segment == "document" { "documents" } else { segment };
    let path = site.dir.path().join("fragments").join(format!("{name}.seg"));
    let file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    let at = at + 8 + len / 2;
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[!byte[0]], at).unwrap();
}

async fn stocked() -> (Site, BTreeMap<u128, u32>) {
    let site = Site::start().await;
    site.import(&catalog::small()).await;
    let ids = ids(&site).await;
    (site, ids)
}

async fn ids(site: &Site) -> BTreeMap<u128, u32> {
    let list = site.manage("GET", "updates?everything=true", json!(null)).await;
    let row = |row: &Value| {
        let id: sluicegate_terms::UpdateId = row["update_id"].as_str().unwrap().parse().unwrap();
        (id.0.as_u128() & 0xffff, u32::try_from(row["revision_id"].as_u64().unwrap()).unwrap())
    };
    list["updates"].as_array().unwrap().iter().map(row).collect()
}

/// What a computer holds: what is installed and no leaf, and the rest.
#[derive(Default)]
struct Held(Vec<i32>, Vec<i32>);

impl Held {
    /// Scans until nothing is new. Answers what was.
    async fn scan(&mut self, agent: &mut Agent<'_>) -> Vec<u32> {
        let mut all = Vec::new();
        for _ in 0..50 {
            let scan = agent.sync(held(&self.0, &self.1)).await;
            let gone = |id: &i32| scan.out_of_scope.contains(id);
            self.0.retain(|id| !gone(id));
            self.1.retain(|id| !gone(id));
            for (id, _, leaf) in &scan.new {
                let list = if *leaf { &mut self.1 } else { &mut self.0 };
                list.push(id.cast_signed());
                all.push(*id);
            }
            if scan.new.is_empty() && !scan.truncated {
                return all;
            }
        }
        panic!("the scan does not end");
    }

    fn has(&self, id: u32) -> bool {
        self.0.iter().chain(&self.1).any(|held| *held == id.cast_signed())
    }
}

/// Waits until the snapshot in service leaves exactly this update out, and says so everywhere.
async fn left_out(site: &Site, number: u128) {
    let started = Instant::now();
    let health = loop {
        let health = site.get("/healthz").await.json();
        if health["snapshot"]["left_out_count"] == 1 {
            break health;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{health}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!((&health["status"], &health["snapshot"]["damaged"]), (&json!("degraded"), &json!(1)));
    let left = &health["snapshot"]["left_out"][0];
    assert_eq!(left["update_id"], update(number).to_string());
    assert!(left["reason"].as_str().unwrap().contains("check --repair"), "{left}");
    let metrics = site.get("/metrics").await.text();
    for line in ["sluicegate_left_out_revisions 1", "sluicegate_damaged_revisions 1"] {
        assert!(metrics.lines().any(|found| found == line), "{line}");
    }
    let status = site.manage("GET", "status", json!(null)).await;
    assert_eq!(status["health"]["snapshot"]["left_out"][0]["update_id"], update(number).to_string());
}

async fn repair(site: &Site) {
    let report = site.manage("POST", "check", json!({ "repair": true })).await;
    assert!(!report["findings"].as_array().unwrap().is_empty(), "{report}");
    let after = site.manage("POST", "check", json!({})).await;
    assert_eq!(after["findings"], json!([]));
    let health = site.get("/healthz").await.json();
    assert_eq!((&health["status"], &health["snapshot"]["left_out"]), (&json!("ok"), &json!([])), "{health}");
}

#[tokio::test]
async fn after_a_restart_a_damaged_core_fragment_costs_its_update_and_nothing_else() {
    let (mut site, ids) = stocked().await;
    site.stop().await;
    flip(&site, "core", PLAIN);
    site.restart().await;
    left_out(&site, PLAIN).await;
    let (mut agent, mut computer) = (Agent::new(&site, "pc-1"), Held::default());
    agent.join().await;
    let new = computer.scan(&mut agent).await;
    assert_eq!(new.len(), ids.len() - 1);
    assert!(!computer.has(ids[&PLAIN]) && computer.has(ids[&BUNDLE]));
    repair(&site).await;
    assert_eq!(computer.scan(&mut agent).await, [ids[&PLAIN]], "it is offered once it is whole");
}

#[tokio::test]
async fn a_core_fragment_damaged_while_the_server_runs_is_passed_over_by_the_scan_that_finds_it() {
    let site = Site::start().await;
    let mut seed = 1_u64;
    let mut noise = String::new();
    while noise.len() < 400_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        noise.push_str(&format!("{:08x}", seed >> 32));
    }
    let rule = format!("<b.RegKeyExists Key=\"HKEY_LOCAL_MACHINE\" Subkey=\"{noise}\" />");
    let mut documents = catalog::small();
    documents.push(Document::detectoid(identity(LARGE, 100), "Large", &rule));
    site.import(&documents).await;
    let ids = ids(&site).await;
    assert!(place(&site, "core", LARGE).1 > 64 << 10, "it is not kept in memory");
    flip(&site, "core", LARGE);
    for accept in ["xpress", "identity"] {
        let (mut agent, mut computer) = (Agent::new(&site, accept), Held::default());
        agent.accept = accept;
        agent.join().await;
        let new = computer.scan(&mut agent).await;
        assert_eq!((new.len(), computer.has(ids[&LARGE])), (ids.len() - 1, false), "{accept}");
    }
    left_out(&site, LARGE).await;
    repair(&site).await;
    let (mut agent, mut computer) = (Agent::new(&site, "pc-9"), Held::default());
    agent.join().await;
    assert_eq!(computer.scan(&mut agent).await.len(), ids.len());
}

#[tokio::test]
async fn damaged_fragments_are_missing_from_extended_information_and_the_others_are_there() {
    let (site, ids) = stocked().await;
    let (mut agent, mut computer) = (Agent::new(&site, "pc-1"), Held::default());
    agent.join().await;
    computer.scan(&mut agent).await;
    flip(&site, "fragments", PLAIN);
    let ask = |agent: &Agent<'_>| GetExtendedUpdateInfoRequest {
        cookie: Some(agent.cookie.clone()),
        revision_ids: vec![ids[&PLAIN].cast_signed(), ids[&BUNDLE].cast_signed()],
        info_types: vec![FragmentType::Extended],
        ..GetExtendedUpdateInfoRequest::default()
    };
    let answer = agent.call(&ask(&agent)).await;
    let info = GetExtendedUpdateInfoResponse::decode(&answer.body, &Limits::ANSWER).unwrap().info;
    let given: Vec<u32> = info.updates.iter().map(|update| update.id.get()).collect();
    assert_eq!((given, info.out_of_scope), (vec![ids[&BUNDLE]], vec![ids[&PLAIN].cast_signed()]));
    left_out(&site, PLAIN).await;
    assert_eq!(computer.scan(&mut agent).await, Vec::<u32>::new());
    assert!(!computer.has(ids[&PLAIN]), "the next scan takes it away");
    repair(&site).await;
    assert_eq!(computer.scan(&mut agent).await, [ids[&PLAIN]]);
    let answer = agent.call(&ask(&agent)).await;
    let info = GetExtendedUpdateInfoResponse::decode(&answer.body, &Limits::ANSWER).unwrap().info;
    assert_eq!((info.updates.len(), info.out_of_scope.len()), (2, 0));
}

#[tokio::test]
async fn a_damaged_row_costs_its_update_before_and_after_a_restart() {
    let (mut site, ids) = stocked().await;
    database(&site)
        .execute(
            "UPDATE revision SET record = CAST(x'7f' || substr(record, 2) AS BLOB) WHERE update_id = ?1",
            [update(PLAIN).0.as_bytes()],
        )
        .unwrap();
    // Something has to change for the rows to be read again.
    site.import(&[catalog::plain(20, 100, "Something new")]).await;
    for _ in 0..2 {
        left_out(&site, PLAIN).await;
        let (mut agent, mut computer) = (Agent::new(&site, "pc-1"), Held::default());
        agent.join().await;
        let new = computer.scan(&mut agent).await;
        assert_eq!((new.len(), computer.has(ids[&PLAIN])), (ids.len(), false));
        site.restart().await;
    }
    let (mut agent, mut computer) = (Agent::new(&site, "pc-2"), Held::default());
    agent.join().await;
    computer.scan(&mut agent).await;
    repair(&site).await;
    assert_eq!(computer.scan(&mut agent).await, [ids[&PLAIN]]);
}

#[tokio::test]
async fn a_damaged_document_is_missing_from_its_batch_and_named_when_it_is_asked_for_alone() {
    let (site, _) = stocked().await;
    flip(&site, "document", PLAIN);
    let server = Downstream::authorized(&site, 1).await;
    let ask = |numbers: &[u128]| GetUpdateDataRequest {
        cookie: server.cookie.clone(),
        update_ids: Some(numbers.iter().map(|number| identity(*number, 200)).collect()),
    };
    let answer = server.call(&ask(&[PLAIN, BUNDLE])).await;
    let data = GetUpdateDataResponse::decode(&answer.body, &Limits::ANSWER).unwrap().data;
    let given: Vec<_> = data.updates.iter().map(|update| update.id).collect();
    assert_eq!(given, [identity(BUNDLE, 200)]);
    let (code, message) = server.refusal(&ask(&[PLAIN])).await;
    assert_eq!((code, message), (ErrorCode::InternalServerError, update(PLAIN).to_string()));
    let metrics = site.get("/metrics").await.text();
    assert!(metrics.lines().any(|line| line == "sluicegate_damaged_revisions 1"));
    let (mut agent, mut computer) = (Agent::new(&site, "pc-1"), Held::default());
    agent.join().await;
    assert_eq!(computer.scan(&mut agent).await.len(), 8, "computers need no documents");
}
