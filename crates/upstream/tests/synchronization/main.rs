//! Synchronization against a scripted upstream: what a run brings, what a second one does not ask for, and that
//! trouble at any call, or the end of the process, changes nothing about where it ends.

#![allow(unreachable_pub)]

mod asked_above;
mod bounds;
mod categories;
mod chaos;
mod clients;
mod files;
mod keys;
mod moved;
mod narrowed;
mod refused_files;
mod replica;
mod schedule;
mod strays;
mod stuck;
mod switched;
mod unusable;
mod upstream;

use sha1::{Digest as _, Sha1};
use sluicegate_catalog::compose::Document;
use sluicegate_catalog::{Clause, FileEntry};
use sluicegate_policy::ApprovalAction;
use sluicegate_policy::hierarchy::{Choice, ContentPolicy, ContentWhen, SyncFilter};
use sluicegate_soap::fault::ErrorCode;
use sluicegate_store::hierarchy::{RunOutcome, UpstreamSettings, UpstreamSource};
use sluicegate_store::{
    ApprovalOrder, Contact, EventBatch, Registration, ReportedEvent, Store, StoreError, StoreOptions,
};
use sluicegate_terms::{
    CategoryKind, GroupId, Guid, RevisionNumber, Sha1Digest, Timestamp, UpdateId, UpdateIdentity,
};
use sluicegate_upstream::sync::{Progress, Surroundings};
use sluicegate_upstream::transport::RetryPolicy;
use sluicegate_upstream::{Synchronizer, SynchronizerOptions};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use upstream::{Trouble, Upstream};

const PRODUCT: u128 = 100;
const OTHER_PRODUCT: u128 = 101;
const CLASS: u128 = 200;

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_790_000_000)
}

fn uid(n: u128) -> UpdateId {
    UpdateId(Guid::from_u128(n))
}

fn identity(n: u128, revision: i64) -> UpdateIdentity {
    UpdateIdentity { update: uid(n), revision: RevisionNumber::new(revision).unwrap() }
}

fn category(n: u128, kind: CategoryKind, title: &str) -> Document {
    Document::category(identity(n, 1), kind, title, None)
}

/// An update of a product; odd ones have long documents, which travel as blobs.
fn update(n: u128, revision: i64, product: u128) -> Document {
    let title = format!("Update {n} {}", if n % 2 == 1 { "long ".repeat(900) } else { String::new() });
    let mut document = Document::software(identity(n, revision), &title);
    document.properties.explicitly_deployable = true;
    for category in [product, CLASS] {
        document.relationships.prerequisites.push(Clause::category(uid(category)));
    }
    document
}

fn give(upstream: &Upstream, document: &Document, product: u128) {
    upstream.add(document.identity, document.to_xml(), false, &[uid(product), uid(CLASS)]);
}

/// Two products, a classification and `count` updates of the first product.
async fn parent(count: u128) -> Upstream {
    let upstream = Upstream::start().await;
    for (n, kind) in [
        (PRODUCT, CategoryKind::Product),
        (OTHER_PRODUCT, CategoryKind::Product),
        (CLASS, CategoryKind::UpdateClassification),
    ] {
        let document = category(n, kind, &format!("Category {n}"));
        upstream.add(document.identity, document.to_xml(), true, &[]);
    }
    for n in 1_000..1_000 + count {
        give(&upstream, &update(n, 1, PRODUCT), PRODUCT);
    }
    upstream
}

fn open(dir: &Path) -> Store {
    Store::open(dir, StoreOptions::new(now())).unwrap()
}

fn follow(store: &Store, upstream: &Upstream, change: impl FnOnce(&mut UpstreamSettings)) {
    let mut settings = UpstreamSettings {
        source: Some(UpstreamSource::Server(upstream.url.clone())),
        content: ContentPolicy { when: ContentWhen::Never, express: false },
        ..UpstreamSettings::default()
    };
    change(&mut settings);
    store.set_upstream_settings(settings, now()).unwrap();
}

fn surroundings() -> Surroundings {
    let mut around = Surroundings::new(Arc::new(now), "child.example".to_owned());
    around.batch = 10;
    around.transport.retry = RetryPolicy { first: Duration::from_millis(1), ..RetryPolicy::default() };
    around
}

fn synchronizer(store: &Store) -> Synchronizer {
    let options = SynchronizerOptions { around: surroundings(), random: Arc::new(|| 4) };
    Synchronizer::start(store.clone(), options).unwrap()
}

async fn run(store: &Store) -> Progress {
    let synchronizer = synchronizer(store);
    synchronizer.request_run("test").await.unwrap();
    synchronizer.wait().await
}

async fn run_well(store: &Store) -> Progress {
    let ended = run(store).await;
    assert_eq!(ended.error, None);
    ended
}

/// Everything that a catalog has, in comparable form.
fn contents(store: &Store) -> Vec<(UpdateIdentity, String)> {
    let mut list = Vec::new();
    store
        .for_each_revision(|revision| {
            list.push((revision.record.identity, format!("{:?}", store.document(revision.id)?)));
            Ok::<_, StoreError>(())
        })
        .unwrap();
    list.sort();
    list
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_brings_everything_and_a_second_one_fetches_nothing() {
    let upstream = parent(40).await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    let ended = run_well(&store).await;
    assert_eq!((ended.counts.new, ended.counts.quarantined), (43, 0));
    assert!(upstream.state.lock().given.values().all(|times| *times == 1));
    upstream.calls();
    let again = run_well(&store).await;
    assert_eq!(again.counts.new, 0);
    let calls = upstream.calls();
    assert!(!calls.contains(&"GetUpdateData"), "{calls:?}");
    assert_eq!(calls.iter().filter(|c| **c == "GetRevisionIdList").count(), 2);
    let history = store.sync_history(10).unwrap();
    assert_eq!(history.len(), 2);
    assert!(history.iter().all(|run| run.outcome == RunOutcome::Succeeded && run.started_by == "test"));
    assert_eq!(history[1].counts.new, 43);
}

#[tokio::test(flavor = "multi_thread")]
async fn short_answers_are_asked_again_for_their_rest() {
    let upstream = parent(30).await;
    upstream.state.lock().short_answers = true;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    assert_eq!(run_well(&store).await.counts.new, 33);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_added_to_the_filter_brings_its_updates_and_a_removed_one_takes_none_away() {
    let upstream = parent(10).await;
    for n in 2_000..2_005 {
        give(&upstream, &update(n, 1, OTHER_PRODUCT), OTHER_PRODUCT);
    }
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let only = |products: &[u128]| SyncFilter {
        products: Choice::Only(products.iter().map(|n| uid(*n)).collect()),
        ..SyncFilter::default()
    };
    follow(&store, &upstream, |s| s.filter = only(&[PRODUCT]));
    assert_eq!(run_well(&store).await.counts.new, 13);
    follow(&store, &upstream, |s| s.filter = only(&[PRODUCT, OTHER_PRODUCT]));
    assert_eq!(run_well(&store).await.counts.new, 5);
    follow(&store, &upstream, |s| s.filter = only(&[OTHER_PRODUCT]));
    assert_eq!(run_well(&store).await.counts.new, 0);
    assert_eq!(store.catalog_size().unwrap().revisions, 18);
    let asked = &upstream.state.lock().lists;
    let last = asked.last().unwrap();
    assert!(last.anchor.is_some() && last.categories.as_ref().unwrap().iter().all(|c| c.delta));
}

#[tokio::test(flavor = "multi_thread")]
async fn new_expired_and_superseding_revisions_arrive() {
    let upstream = parent(4).await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    run_well(&store).await;
    let mut expired = update(1_000, 2, PRODUCT);
    expired.properties.expired = true;
    let mut superseding = update(3_000, 1, PRODUCT);
    superseding.relationships.supersedes.push(uid(1_001));
    give(&upstream, &expired, PRODUCT);
    give(&upstream, &superseding, PRODUCT);
    give(&upstream, &update(1_002, 5, PRODUCT), PRODUCT);
    let ended = run_well(&store).await;
    assert_eq!((ended.counts.new, ended.counts.revised, ended.counts.expired), (1, 2, 1));
    assert!(store.subject(uid(1_000)).unwrap().expired);
    assert_eq!(store.update(uid(1_002)).unwrap().row.revision.get(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_no_list_names_are_reached_through_their_bundles() {
    let upstream = parent(2).await;
    let member = Document::software(identity(5_000, 3), "Member");
    let mut bundle = update(5_001, 1, PRODUCT);
    bundle.relationships.bundles.push(vec![member.identity]);
    give(&upstream, &bundle, PRODUCT);
    upstream.add(member.identity, member.to_xml(), false, &[uid(99)]);
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let filter =
        SyncFilter { products: Choice::Only([uid(PRODUCT)].into_iter().collect()), ..SyncFilter::default() };
    follow(&store, &upstream, |s| s.filter = filter);
    run_well(&store).await;
    assert!(store.subject(uid(5_001)).is_ok() && store.subject(uid(5_000)).is_ok());
    assert!(store.quarantine().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_is_refetched_once_quarantined_and_shown() {
    let upstream = parent(20).await;
    upstream.state.lock().broken.push(identity(1_003, 1));
    upstream.state.lock().withheld.push(identity(1_008, 1));
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    let ended = run_well(&store).await;
    assert_eq!((ended.counts.new, ended.counts.quarantined), (21, 2));
    assert_eq!(upstream.state.lock().given.get(&identity(1_003, 1)), Some(&2));
    let shown: Vec<UpdateId> = store.quarantine().unwrap().iter().filter_map(|q| q.entry.update).collect();
    assert!(shown.contains(&uid(1_003)) && shown.contains(&uid(1_008)), "{shown:?}");
    assert_eq!(store.failed_revisions().unwrap().len(), 2);
    // Not again on the same day.
    upstream.calls();
    run_well(&store).await;
    assert!(!upstream.calls().contains(&"GetUpdateData"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_that_is_no_longer_good_is_replaced() {
    let upstream = parent(10).await;
    for (call, code) in [
        (3, ErrorCode::InvalidCookie),
        (9, ErrorCode::CookieExpired),
        (14, ErrorCode::InvalidAuthorizationCookie),
        (18, ErrorCode::ServerBusy),
    ] {
        upstream.state.lock().trouble.insert(call, Trouble::Fault(code));
    }
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    assert_eq!(run_well(&store).await.counts.new, 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_changed_is_asked_for_everything_anew() {
    let upstream = parent(10).await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    run_well(&store).await;
    upstream.calls();
    upstream.state.lock().trouble.insert(5, Trouble::Fault(ErrorCode::ServerChanged));
    let ended = run_well(&store).await;
    assert!(ended.warning.is_some_and(|said| said.contains("restored from a backup")));
    let anchors: Vec<bool> =
        upstream.state.lock().lists.iter().rev().take(2).map(|l| l.anchor.is_some()).collect();
    assert_eq!(anchors, [false, false]);
    assert!(!upstream.calls().contains(&"GetUpdateData"), "what is here is not fetched again");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_faults_end_a_run_with_their_code_and_the_next_one_goes_on() {
    let upstream = parent(10).await;
    upstream.state.lock().trouble.insert(5, Trouble::Fault(ErrorCode::InternalServerError));
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    let failed = run(&store).await;
    assert_eq!(failed.error_code, Some("UssFault/InternalServerError"));
    let history = store.sync_history(1).unwrap();
    assert_eq!(history[0].outcome, RunOutcome::Failed);
    assert!(history[0].error_text.as_ref().unwrap().contains(&upstream.url));
    assert_eq!(run_well(&store).await.counts.new, 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_request_joins_the_run_under_way_and_cancelling_keeps_what_came() {
    let upstream = parent(60).await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    let synchronizer = synchronizer(&store);
    assert!(!synchronizer.cancel());
    let first = synchronizer.request_run("alice").await.unwrap();
    let second = synchronizer.request_run("bob").await.unwrap();
    assert_eq!(second, sluicegate_upstream::Started { run: first.run, joined: Some("alice".to_owned()) });
    assert!(synchronizer.cancel());
    let ended = synchronizer.wait().await;
    assert_eq!((ended.error_code, ended.started_by.as_str()), (Some("Cancelled"), "alice"));
    assert_eq!(store.sync_history(1).unwrap()[0].outcome, RunOutcome::Cancelled);
    synchronizer.request_run("bob").await.unwrap();
    assert_eq!(synchronizer.wait().await.error, None);
    assert_eq!(store.catalog_size().unwrap().revisions, 63);
}

fn file(bytes: &[u8], name: &str) -> FileEntry {
    FileEntry {
        name: name.to_owned(),
        size: bytes.len() as u64,
        sha1: Sha1Digest(Sha1::digest(bytes).into()),
        sha256: None,
        modified: None,
        patching: None,
    }
}

/// A computer.
fn register(store: &Store) {
    let contact = Contact::new("pc-1".parse().unwrap(), now());
    store.register(Registration { contact, inventory: "{}".to_owned() }).unwrap();
}

/// It says which update it needs.
fn report(instance: u128, seconds: i64, needed: u128) -> EventBatch {
    EventBatch {
        computer: "pc-1".parse().unwrap(),
        received: now().plus_seconds(seconds),
        events: vec![ReportedEvent {
            instance: Guid::from_u128(instance),
            namespace: 1,
            id: 156,
            source: 101,
            update: None,
            at: now().plus_seconds(seconds),
            result: 0,
            misc: vec![format!("U={}", uid(needed))],
            details: String::new(),
        }],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn computers_and_their_status_are_told_once_until_they_change() {
    let upstream = parent(2).await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    register(&store);
    store.record_events(report(1, 10, 1_000)).unwrap();
    assert_eq!(run_well(&store).await.warning, None);
    {
        let state = upstream.state.lock();
        assert_eq!(state.servers.len(), 1);
        assert_eq!(state.servers[0].server_summary.unwrap().updates, 2);
        assert_eq!(state.computers.len(), 1);
        assert!(state.computers[0].details.is_some());
        assert_eq!(state.statuses[0].updates[0].update, uid(1_000));
        assert_eq!((state.statuses[0].rollup_number, state.statuses[0].is_full), (1, true));
    }
    run_well(&store).await;
    let told = || {
        let state = upstream.state.lock();
        (state.computers.len(), state.statuses.len())
    };
    assert_eq!(told(), (1, 1));
    store.record_events(report(2, 20, 1_001)).unwrap();
    run_well(&store).await;
    let state = upstream.state.lock();
    assert_eq!((state.computers.len(), state.statuses.len()), (2, 2));
    assert_eq!(state.statuses[1].rollup_number, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_approved_updates_come_and_missing_ones_are_asked_for() {
    let upstream = parent(1).await;
    let (here, absent) = (b"payload of an update".as_slice(), b"not there yet".as_slice());
    for (n, bytes) in [(6_000, here), (6_001, absent), (6_002, b"not approved".as_slice())] {
        let mut document = update(n, 1, PRODUCT);
        document.files.push(file(bytes, "a.cab"));
        if n == 6_002 {
            document.files.push(file(b"differences", "a.PSF"));
        }
        give(&upstream, &document, PRODUCT);
    }
    let sha1 = Sha1Digest(Sha1::digest(here).into());
    let hex = sha1.to_hex_upper();
    upstream.state.lock().files.insert(format!("{}/{hex}.cab", &hex[38..]), here.to_vec());
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |s| s.content.when = ContentWhen::Approved);
    run_well(&store).await;
    assert_eq!(store.content().totals().0, 0);
    for n in [6_000, 6_001] {
        let order = ApprovalOrder {
            update: uid(n),
            group: GroupId::ALL_COMPUTERS,
            action: ApprovalAction::Install,
            deadline: None,
            by: "admin".to_owned(),
        };
        store.approve(order, now()).unwrap();
    }
    let missing = |express| {
        store.missing_files(ContentWhen::All, express, &SyncFilter::default(), now()).unwrap().len()
    };
    assert_eq!((missing(false), missing(true)), (3, 4), "express files only on request");
    let ended = run_well(&store).await;
    assert_eq!((ended.counts.files, ended.counts.file_bytes), (1, here.len() as u64));
    assert!(store.content().has(sha1));
    assert_eq!(upstream.state.lock().asked_files, [Sha1Digest(Sha1::digest(absent).into())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_before_it_asks_again_is_cancelled_at_once() {
    let upstream = parent(2).await;
    upstream.state.lock().trouble.extend((0..100).map(|call| (call, Trouble::Fault(ErrorCode::ServerBusy))));
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    let mut around = Surroundings::new(Arc::new(now), "child.example".to_owned());
    let hour = Duration::from_secs(3_600);
    around.transport.retry = RetryPolicy { first: hour, longest: hour, ..RetryPolicy::default() };
    let options = SynchronizerOptions { around, random: Arc::new(|| 4) };
    let synchronizer = Synchronizer::start(store.clone(), options).unwrap();
    synchronizer.request_run("test").await.unwrap();
    while upstream.state.lock().calls.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(synchronizer.cancel());
    // It would come back in an hour.
    let ended = tokio::time::timeout(hour / 60, synchronizer.wait()).await.expect("it ends");
    assert_eq!(ended.error_code, Some("Cancelled"));
    assert_eq!(upstream.state.lock().calls.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_waits_its_time_unless_somebody_asks_for_it_at_once() {
    let upstream = parent(1).await;
    let broken = update(7_001, 1, PRODUCT);
    give(&upstream, &broken, PRODUCT);
    upstream.state.lock().broken.push(broken.identity);
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    run_well(&store).await;
    assert_eq!(store.failed_revisions().unwrap().len(), 1);
    upstream.state.lock().broken.clear();
    run_well(&store).await;
    assert_eq!(store.failed_revisions().unwrap().len(), 1, "its time has not come");
    assert_eq!(store.retry_failed(now()).unwrap(), 1);
    assert_eq!(run_well(&store).await.counts.new, 1);
    assert!(store.failed_revisions().unwrap().is_empty());
    assert_eq!(store.retry_failed(now()).unwrap(), 0);
}
