//! An upstream that takes its catalog from this server: what a clock that was ahead and another id change about it.

use crate::support;

use sluicegate_store::Store;
use sluicegate_store::hierarchy::{
    DownstreamContact, RolledServer, RunOutcome, ServerSummary, SyncRun, UpstreamSettings, UpstreamSource,
};
use sluicegate_terms::{Guid, Timestamp};
use support::{at, open};

const UPSTREAM: &str = "http://127.0.0.1:1";
const ABOVE: Guid = Guid::from_u128(6);

fn below(dir: &std::path::Path) -> Store {
    let store = open(dir);
    let source = Some(UpstreamSource::Server(UPSTREAM.to_owned()));
    store.set_upstream_settings(UpstreamSettings { source, ..UpstreamSettings::default() }, at(0)).unwrap();
    store.note_upstream_server(ABOVE, at(0)).unwrap();
    store
}

fn asks(store: &Store, at: Timestamp) {
    let contact = DownstreamContact { id: ABOVE, name: "above".to_owned(), at, synced: true };
    store.record_downstream(contact).unwrap();
}

fn synchronized(store: &Store, started: Timestamp) {
    let id = store.begin_sync_run("schedule", UPSTREAM, started).unwrap();
    let run = SyncRun {
        ended: Some(started),
        outcome: RunOutcome::Succeeded,
        phase: "files".to_owned(),
        ..SyncRun::begun(id, String::new(), String::new(), started)
    };
    store.write_sync_run(&run).unwrap();
}

#[test]
fn a_synchronization_that_is_ahead_of_the_clock_ends_no_ring() {
    let dir = tempfile::tempdir().unwrap();
    let store = below(dir.path());
    let later = 400 * 86_400;
    synchronized(&store, at(later));
    asks(&store, at(10));
    let ring = store.ring(at(20)).unwrap().unwrap();
    synchronized(&store, at(later));
    assert_eq!(store.ring(at(30)).unwrap(), Some(ring.clone()));
    let due = ring.due();
    synchronized(&store, due.plus_seconds(1));
    assert!(store.ring(due).unwrap().is_some(), "not yet");
    assert!(store.ring(due.plus_seconds(1)).unwrap().is_none());
}

#[test]
fn an_upstream_below_that_was_told_of_by_a_clock_ahead_is_noticed_once_it_is_right() {
    let dir = tempfile::tempdir().unwrap();
    let store = below(dir.path());
    let server = |id: Guid, parent, said| RolledServer {
        id,
        name: "above".to_owned(),
        parent,
        version: String::new(),
        is_replica: false,
        last_sync: None,
        last_rollup: Some(at(said)),
        summary: ServerSummary::default(),
        clients: Vec::new(),
    };
    let between = Guid::from_u128(8);
    let tells = |said: i64, now: i64| {
        assert!(store.roll_up_servers(vec![server(between, None, now)], at(now)).unwrap());
        assert!(store.roll_up_servers(vec![server(ABOVE, Some(between), said)], at(now)).unwrap());
        store.ring(at(now)).unwrap().is_some()
    };
    let later = 400 * 86_400;
    assert!(!tells(later, 10), "it may have been there before");
    assert!(!tells(later, 20), "told on of what it was");
    assert!(tells(30, 40), "the clock is right, and it told again");
}

#[test]
fn a_copy_with_an_id_of_its_own_is_in_no_ring_of_the_other_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = below(dir.path());
    asks(&store, at(10));
    assert!(store.ring(at(20)).unwrap().is_some());
    store.renew_identity(at(30)).unwrap();
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.ring(at(40)).unwrap(), None, "it was the other one that was asked");
    asks(&store, at(50));
    assert!(store.ring(at(60)).unwrap().is_some(), "noticed when it asks the copy");
}
