//! Files that servers below wait for: until when, by what each tells of itself.

use crate::support;

use crate::files_given::with_file;
use crate::rollup::server;
use sluicegate_policy::hierarchy::{ContentPolicy, ContentWhen, SyncFilter};
use sluicegate_store::Store;
use sluicegate_store::hierarchy::{RolledServer, ServerSummary, UpstreamSettings};
use sluicegate_terms::{Guid, Sha1Digest};
use support::{at, import, open, uid};

const NORTH: Guid = Guid::from_u128(7);
const SOUTH: Guid = Guid::from_u128(8);

const fn days(n: i64) -> i64 {
    n * 86_400
}

/// A server tells that so many updates there need files, and so many failed to have theirs.
fn tells(store: &Store, id: Guid, seconds: i64, waits: (i32, i32)) {
    tells_late(store, id, seconds, seconds, waits);
}

/// It says that it tells at one time, and that comes at another.
fn tells_late(store: &Store, id: Guid, seconds: i64, now: i64, (needing, failing): (i32, i32)) {
    let summary = ServerSummary {
        updates_needing_files_count: needing,
        updates_with_server_errors_count: failing,
        ..ServerSummary::default()
    };
    let told = RolledServer { last_rollup: Some(at(seconds)), summary, ..server(id, None) };
    assert!(store.roll_up_servers(vec![told], at(now)).unwrap());
}

fn wanted(store: &Store) -> Vec<Sha1Digest> {
    let missing =
        store.missing_files(ContentWhen::Never, false, &SyncFilter::default(), at(days(80))).unwrap();
    missing.into_iter().map(|need| need.sha1).collect()
}

#[test]
fn a_server_that_tells_of_no_update_without_files_waits_for_none() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[1, 2].map(|n| with_file(n, 1)));
    let files = [1, 2].map(|n| with_file(n, 1).files[0].sha1);
    store.want_files(&files, NORTH, at(10)).unwrap();
    store.want_files(&files[..1], SOUTH, at(10)).unwrap();
    for waits in [(2, 0), (0, 1)] {
        tells(&store, NORTH, 20 + i64::from(waits.0), waits);
        assert_eq!(wanted(&store).len(), 2, "{waits:?}");
    }
    tells(&store, NORTH, 30, (0, 0));
    assert_eq!(wanted(&store), files[..1], "the other one has not said so");
    // What is told late says nothing.
    tells(&store, SOUTH, 40, (1, 0));
    tells_late(&store, SOUTH, 35, 45, (0, 0));
    assert_eq!(wanted(&store), files[..1]);
    tells(&store, SOUTH, 50, (0, 0));
    assert_eq!(wanted(&store), []);
    store.want_files(&files[1..], NORTH, at(60)).unwrap();
    assert_eq!(wanted(&store), files[1..], "who asks again waits again");
}

#[test]
fn a_file_that_a_server_asks_for_no_more_while_it_waits_for_others_is_waited_for_a_week() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[1, 2].map(|n| with_file(n, 1)));
    let files = [1, 2].map(|n| with_file(n, 1).files[0].sha1);
    store.want_files(&files, NORTH, at(days(1))).unwrap();
    for day in 2..=8 {
        tells(&store, NORTH, days(day), (1, 0));
        store.want_files(&files[..1], NORTH, at(days(day) + 60)).unwrap();
        assert_eq!(wanted(&store).len(), 2, "day {day}");
    }
    // A run that was over a week after the asking did not ask either.
    tells(&store, NORTH, days(9), (1, 0));
    assert_eq!(wanted(&store), files[..1]);
    // One that is silent says nothing.
    tells(&store, NORTH, days(70), (1, 0));
    assert_eq!(wanted(&store), files[..1]);
}

#[test]
fn what_an_upstream_is_told_counts_updates_whose_files_are_missing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[1, 2, 3].map(|n| with_file(n, 1)));
    let files = [1, 2, 3].map(|n| with_file(n, 1).files[0].sha1);
    let told = || {
        let told = store.rollup_summary().unwrap();
        (told.updates_needing_files_count, told.updates_with_server_errors_count)
    };
    let choose = |when| {
        let content = ContentPolicy { when, ..ContentPolicy::default() };
        let settings = UpstreamSettings { content, ..UpstreamSettings::default() };
        store.set_upstream_settings(settings, at(1)).unwrap();
    };
    choose(ContentWhen::All);
    assert_eq!(told(), (3, 0));
    store.files_failed(&[(files[0], "it is gone".to_owned())], at(2)).unwrap();
    assert_eq!(told(), (3, 1));
    // A failure of what nobody wants any more is none.
    store.decline(uid(1), at(3)).unwrap();
    assert_eq!(told(), (2, 0));
    choose(ContentWhen::Never);
    assert_eq!(told(), (0, 0));
    store.want_files(&files[1..2], NORTH, at(4)).unwrap();
    assert_eq!(told(), (1, 0), "what a server below waits for, this one asks its own upstream for");
}
