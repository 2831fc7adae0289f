//! What servers below tell of computers: whose news of a computer counts when several know it.

use crate::support;

use sluicegate_policy::UpdateState;
use sluicegate_store::hierarchy::{
    CLOCK_BELIEVED_AFTER, DownstreamComputerFilter, RolledComputer, RolledServer, RolledStatus,
    ServerSummary, StatusReport, TellComputer, Told,
};
use sluicegate_store::{Contact, EventBatch, ReportedEvent, Store};
use sluicegate_terms::{ComputerId, Guid};
use support::{at, identity, open, uid};
use tempfile::TempDir;

pub(crate) const NORTH: Guid = Guid::from_u128(1);
pub(crate) const SOUTH: Guid = Guid::from_u128(2);
/// Below `NORTH`.
pub(crate) const BRANCH: Guid = Guid::from_u128(3);

pub(crate) fn server(id: Guid, parent: Option<Guid>) -> RolledServer {
    RolledServer {
        id,
        name: id.to_string(),
        parent,
        version: String::new(),
        is_replica: false,
        last_sync: None,
        last_rollup: Some(at(0)),
        summary: ServerSummary::default(),
        clients: Vec::new(),
    }
}

pub(crate) fn tree() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let servers = vec![server(NORTH, None), server(SOUTH, None), server(BRANCH, Some(NORTH))];
    assert!(store.roll_up_servers(servers, at(0)).unwrap());
    (dir, store)
}

fn pc() -> ComputerId {
    "pc-1".parse().unwrap()
}

/// The computer asked a server for updates.
pub(crate) fn asked(store: &Store, server: Guid, seconds: i64) {
    asked_and_told(store, server, seconds, 1_000);
}

/// It asked at one time, and that is told at another.
fn asked_and_told(store: &Store, server: Guid, seconds: i64, now: i64) {
    let computer = RolledComputer {
        id: pc(),
        server,
        last_sync: Some(at(seconds)),
        last_sync_result: 1,
        last_reboot: None,
        last_status: Some(at(seconds)),
        last_inventory: None,
        details: None,
    };
    assert!(store.roll_up_computers(vec![computer], at(now)).unwrap().is_some());
}

/// The servers and what they stand below, parents first.
fn places(store: &Store) -> Vec<(Guid, Option<Guid>)> {
    store.downstream_servers().unwrap().iter().map(|s| (s.told.id, s.told.parent)).collect()
}

#[test]
fn no_server_stands_below_itself() {
    let (_dir, store) = tree();
    let before = places(&store);
    for ring in [
        vec![server(BRANCH, Some(BRANCH))],
        vec![server(NORTH, Some(NORTH))],
        vec![server(NORTH, Some(BRANCH))],
        vec![server(SOUTH, Some(BRANCH)), server(NORTH, Some(SOUTH))],
    ] {
        assert!(!store.roll_up_servers(ring, at(1)).unwrap());
        assert_eq!(places(&store), before, "all or nothing");
    }
    // Two that change places are no ring, in whatever order they are told.
    for told in [
        vec![server(NORTH, Some(BRANCH)), server(BRANCH, None)],
        vec![server(NORTH, None), server(BRANCH, Some(NORTH))],
    ] {
        assert!(store.roll_up_servers(told, at(1)).unwrap());
    }
    assert_eq!(places(&store), before);
}

#[test]
fn a_ring_that_was_taken_in_once_is_listed_as_a_tree() {
    let (dir, store) = tree();
    drop(store);
    let db = rusqlite::Connection::open(dir.path().join("sluicegate.db")).unwrap();
    let hang = |id: Guid, parent: Guid| {
        let sql = "UPDATE downstream_server SET parent = ?2 WHERE server_id = ?1";
        assert_eq!(db.execute(sql, [id.as_bytes(), parent.as_bytes()]).unwrap(), 1);
    };
    hang(NORTH, BRANCH);
    hang(SOUTH, SOUTH);
    drop(db);
    let store = open(dir.path());
    assert_eq!(places(&store), [(NORTH, None), (BRANCH, Some(NORTH)), (SOUTH, None)]);
}

#[test]
fn a_server_that_tells_no_name_keeps_the_one_it_has() {
    let (_dir, store) = tree();
    assert!(
        store
            .roll_up_servers(vec![RolledServer { name: "  ".into(), ..server(NORTH, None) }], at(1))
            .unwrap()
    );
    assert!(
        store
            .roll_up_servers(vec![RolledServer { name: String::new(), ..server(SOUTH, None) }], at(1))
            .unwrap()
    );
    let named: Vec<_> =
        store.downstream_servers().unwrap().into_iter().map(|s| (s.told.id, s.told.name)).collect();
    assert!(
        named.contains(&(NORTH, NORTH.to_string())) && named.contains(&(SOUTH, SOUTH.to_string())),
        "{named:?}"
    );
}

/// A server tells that the computer needs one update.
pub(crate) fn tells(store: &Store, teller: Guid, number: u32, needed: u128) {
    let updates = vec![RolledStatus { update: uid(needed), state: UpdateState::NotInstalled, since: at(0) }];
    let report = StatusReport { computer: pc(), detected: None, number, full: true, updates };
    store.roll_up_status(teller, vec![report], at(1_000)).unwrap();
}

/// Where the computer is, and what it needs.
pub(crate) fn known(store: &Store) -> (Guid, Vec<u128>) {
    let filter = DownstreamComputerFilter { limit: 10, ..Default::default() };
    let [computer] = &store.downstream_computers(&filter).unwrap()[..] else { panic!("one computer") };
    let rows = store.downstream_status(&pc()).unwrap();
    (computer.told.server, rows.iter().map(|row| u128::from_be_bytes(*row.update.0.as_bytes())).collect())
}

/// Whether a teller that remembers this number has to tell of the computer anew.
pub(crate) fn behind(store: &Store, teller: Guid, number: u32) -> bool {
    !store.out_of_sync_computers(teller, &[(pc(), number)]).unwrap().is_empty()
}

#[test]
fn a_status_that_the_server_a_computer_left_tells_late_is_left_aside() {
    let (_dir, store) = tree();
    asked(&store, NORTH, 20);
    tells(&store, NORTH, 1, 100);
    asked(&store, SOUTH, 10);
    tells(&store, SOUTH, 1, 200);
    assert_eq!(known(&store), (NORTH, vec![100]));
    assert!(!behind(&store, NORTH, 1) && !behind(&store, SOUTH, 1), "nobody is to tell it again");
    asked(&store, SOUTH, 30);
    assert!(behind(&store, SOUTH, 1), "that number stood for a status that was left aside");
    tells(&store, SOUTH, 2, 200);
    assert_eq!(known(&store), (SOUTH, vec![200]));
    assert!(!behind(&store, SOUTH, 2));
}

#[test]
fn a_computer_that_comes_back_is_told_anew_though_the_numbers_are_the_same() {
    let (_dir, store) = tree();
    asked(&store, NORTH, 10);
    tells(&store, NORTH, 1, 100);
    asked(&store, SOUTH, 20);
    assert!(!behind(&store, SOUTH, 0), "it has told nothing, and will");
    tells(&store, SOUTH, 1, 200);
    asked(&store, NORTH, 30);
    assert!(behind(&store, NORTH, 1), "what is here is another server's first report");
    tells(&store, NORTH, 2, 300);
    assert_eq!(known(&store), (NORTH, vec![300]));
}

#[test]
fn a_status_counts_from_the_server_of_the_computer_and_from_those_above_it() {
    let (_dir, store) = tree();
    asked(&store, BRANCH, 10);
    tells(&store, NORTH, 1, 100);
    assert_eq!(known(&store), (BRANCH, vec![100]), "told by the server between");
    tells(&store, SOUTH, 2, 200);
    assert_eq!(known(&store), (BRANCH, vec![100]), "nothing to do with it");
    // It is hung under this server now, and counts from one again.
    assert!(store.roll_up_servers(vec![server(BRANCH, None)], at(20)).unwrap());
    assert!(behind(&store, BRANCH, 1), "the first report is the one of the server that was between");
    tells(&store, BRANCH, 1, 300);
    tells(&store, NORTH, 2, 100);
    assert_eq!(known(&store), (BRANCH, vec![300]), "no longer below the one that told");
    asked(&store, NORTH, 20);
    tells(&store, BRANCH, 2, 300);
    tells(&store, Guid::from_u128(99), 3, 400);
    assert_eq!(known(&store), (NORTH, vec![300]), "from below, or from nobody knows whom");
}

/// The computer asked this server for updates.
fn asked_here(store: &Store, seconds: i64) {
    store.touch(Contact { synced: true, ..Contact::new(pc(), at(seconds)) }).unwrap();
}

/// What the upstream is to be told of the computer.
fn to_tell(store: &Store) -> TellComputer {
    told_at(store, AHEAD).expect("it is told once")
}

/// The same at a time.
fn told_at(store: &Store, seconds: i64) -> Option<TellComputer> {
    let mut list = store.computers_to_tell(None, 10, at(seconds)).unwrap();
    assert!(list.len() <= 1, "it is told once");
    list.pop()
}

#[test]
fn a_computer_known_here_and_below_is_told_as_where_it_asked_last() {
    let (_dir, store) = tree();
    let place = |store: &Store| {
        let tell = to_tell(store);
        (tell.computer.server, tell.computer.last_sync, tell.own.is_some())
    };
    let here = store.server_id();
    asked_here(&store, 10);
    assert_eq!(place(&store), (here, Some(at(10)), true));
    asked(&store, BRANCH, 20);
    assert_eq!(place(&store), (BRANCH, Some(at(20)), false), "it went to a server below");
    asked_here(&store, 20);
    assert_eq!(place(&store), (here, Some(at(20)), true), "of two that say the same this one knows best");
    asked(&store, SOUTH, 30);
    assert_eq!(place(&store), (SOUTH, Some(at(30)), false));
    asked_here(&store, 40);
    assert_eq!(place(&store), (here, Some(at(40)), true), "it came back");
}

#[test]
fn a_computer_that_asked_here_last_is_none_of_a_server_below() {
    let (_dir, store) = tree();
    let below = || {
        let listed =
            store.downstream_computers(&DownstreamComputerFilter { limit: 10, ..Default::default() });
        let servers: Vec<Guid> = listed.unwrap().into_iter().map(|c| c.told.server).collect();
        assert_eq!(store.knows_downstream_computer(&pc()).unwrap(), !servers.is_empty());
        servers
    };
    asked(&store, BRANCH, 10);
    assert_eq!(below(), [BRANCH]);
    asked_here(&store, 20);
    assert!(below().is_empty(), "it came here");
    asked(&store, BRANCH, 10);
    assert!(below().is_empty(), "what is told on of before is left aside");
    asked(&store, SOUTH, 30);
    assert_eq!(below(), [SOUTH]);
}

/// Whether the computer's status is to be told to the upstream; then it has been.
fn status_is_told(store: &Store) -> bool {
    let tell = to_tell(store);
    let told = Told { number: tell.told.number + 1, status: tell.status, ..tell.told };
    let due = tell.status.is_some() && tell.status != tell.told.status;
    store.note_told(&[(pc(), told)]).unwrap();
    due
}

#[test]
fn a_status_that_comes_under_a_number_of_before_is_told_on() {
    let (_dir, store) = tree();
    asked(&store, BRANCH, 10);
    assert!(!status_is_told(&store), "there is none yet");
    tells(&store, NORTH, 1, 100);
    assert!(status_is_told(&store) && !status_is_told(&store));
    // The server below was restored or replaced.
    tells(&store, NORTH, 1, 200);
    assert!(status_is_told(&store) && !status_is_told(&store));
    // It was forgotten, and comes again.
    store.forget_downstream(BRANCH, at(20)).unwrap();
    assert!(store.roll_up_servers(vec![server(BRANCH, Some(NORTH))], at(20)).unwrap());
    asked(&store, BRANCH, 20);
    assert!(!status_is_told(&store));
    tells(&store, NORTH, 1, 300);
    assert!(status_is_told(&store) && !status_is_told(&store));
    // It moved elsewhere in between, where it was told of late.
    asked(&store, SOUTH, 30);
    tells(&store, NORTH, 2, 100);
    assert!(!status_is_told(&store), "what is left aside changes nothing");
}

/// The computer reports to this server: 156 that it needs an update, 182 that installing one failed.
fn reports_here(store: &Store, seconds: i64, id: u16, update: u128) {
    let event = ReportedEvent {
        instance: Guid::from_u128(u128::from(seconds.unsigned_abs())),
        namespace: 1,
        id,
        source: 101,
        update: (id == 182).then(|| identity(update, 1)),
        at: at(seconds),
        result: -1,
        misc: if id == 156 { vec![format!("U={}", uid(update))] } else { Vec::new() },
        details: String::new(),
    };
    // Always at the same moment of this server's clock.
    let batch = EventBatch { computer: pc(), received: at(50), events: vec![event] };
    store.record_events(batch).unwrap();
}

#[test]
fn each_change_of_an_own_computers_status_is_told_and_the_status_of_below_once_it_is_there() {
    let (_dir, store) = tree();
    asked_here(&store, 10);
    assert!(!status_is_told(&store), "it has reported nothing");
    for (seconds, id) in [(11, 156), (12, 182), (13, 156)] {
        reports_here(&store, seconds, id, 100);
        assert!(status_is_told(&store) && !status_is_told(&store), "{seconds}");
    }
    asked(&store, BRANCH, 20);
    assert!(!status_is_told(&store), "nothing is not told as a status without updates");
    tells(&store, NORTH, 1, 200);
    assert!(status_is_told(&store) && !status_is_told(&store));
    asked_here(&store, 30);
    assert!(status_is_told(&store), "what is known here counts again");
}

const DAY: i64 = CLOCK_BELIEVED_AFTER;
const AHEAD: i64 = 400 * DAY;

#[test]
fn a_server_whose_clock_was_ahead_is_where_it_told_of_itself_last() {
    let (_dir, store) = tree();
    let tells = |parent: Option<Guid>, said: i64, now: i64| {
        let told = RolledServer { last_rollup: Some(at(said)), ..server(BRANCH, parent) };
        assert!(store.roll_up_servers(vec![told], at(now)).unwrap());
        let listed = store.downstream_servers().unwrap();
        let branch = listed.into_iter().find(|server| server.told.id == BRANCH).unwrap().told;
        (branch.parent, branch.last_rollup)
    };
    assert_eq!(tells(Some(NORTH), AHEAD, 10), (Some(NORTH), Some(at(10))), "no later than it is");
    assert_eq!(tells(Some(SOUTH), 20, 30), (Some(SOUTH), Some(at(20))), "put right, and gone elsewhere");
    assert_eq!(tells(Some(NORTH), 9, 40), (Some(SOUTH), Some(at(20))), "told late");
    assert_eq!(tells(Some(NORTH), AHEAD, 50), (Some(SOUTH), Some(at(20))), "by one that does not look");
    assert_eq!(
        tells(None, AHEAD, 60),
        (None, Some(at(60))),
        "it tells of itself now, whatever its clock says"
    );
}

#[test]
fn a_computer_of_a_server_whose_clock_was_ahead_is_where_it_asked_last() {
    let (_dir, store) = tree();
    asked_and_told(&store, NORTH, AHEAD, 10);
    let filter = DownstreamComputerFilter { limit: 10, ..Default::default() };
    let listed = store.downstream_computers(&filter).unwrap().remove(0).told;
    assert_eq!((listed.last_sync, listed.last_status), (Some(at(10)), Some(at(10))));
    tells(&store, NORTH, 1, 100);
    asked_and_told(&store, SOUTH, 20, 30);
    tells(&store, SOUTH, 1, 200);
    assert_eq!(known(&store), (SOUTH, vec![200]));
    asked_and_told(&store, NORTH, 9, 40);
    assert_eq!(known(&store).0, SOUTH, "told late");
    // Here it was so, and it went to the one below.
    asked_here(&store, AHEAD);
    assert_eq!(to_tell(&store).computer.server, store.server_id());
    asked_and_told(&store, SOUTH, 50, 60);
    assert_eq!(to_tell(&store).computer.server, SOUTH);
}

#[test]
fn times_ahead_that_were_noted_before_say_nothing() {
    let (dir, store) = tree();
    asked(&store, NORTH, 10);
    asked_here(&store, 5);
    store.flush_contacts().unwrap();
    drop(store);
    let db = rusqlite::Connection::open(dir.path().join("sluicegate.db")).unwrap();
    let ahead = || {
        for (table, column) in [
            ("computer", "last_sync"),
            ("downstream_computer", "last_sync"),
            ("downstream_server", "last_rollup"),
        ] {
            let sql = format!("UPDATE {table} SET {column} = ?1");
            assert!(db.execute(&sql, [at(AHEAD).ticks()]).unwrap() > 0);
        }
    };
    ahead();
    let store = open(dir.path());
    // What comes next counts.
    let moved = RolledServer { last_rollup: Some(at(20)), ..server(BRANCH, Some(SOUTH)) };
    assert!(store.roll_up_servers(vec![moved], at(30)).unwrap());
    assert!(places(&store).contains(&(BRANCH, Some(SOUTH))));
    asked_and_told(&store, SOUTH, 20, 30);
    assert_eq!(to_tell(&store).computer.server, SOUTH);
    drop(store);
    // None of them is told on, and when the clock has said the same for a day they are forgotten.
    ahead();
    let store = open(dir.path());
    let rolled_up =
        || store.downstream_servers().unwrap().iter().any(|known| known.told.last_rollup.is_some());
    for seconds in [40, 39 + DAY] {
        store.forget_times_ahead(at(seconds)).unwrap();
        assert!(told_at(&store, seconds).is_none() && rolled_up(), "{seconds}");
    }
    store.forget_times_ahead(at(40 + DAY)).unwrap();
    assert_eq!(told_at(&store, 40 + DAY).unwrap().computer.last_sync, None);
    assert!(!rolled_up());
    asked_here(&store, 50 + DAY);
    assert_eq!(told_at(&store, 50 + DAY).unwrap().computer.last_sync, Some(at(50 + DAY)), "now is not ahead");
}

#[test]
fn a_clock_that_is_behind_for_a_moment_takes_no_times_with_it() {
    let (_dir, store) = tree();
    let last = || store.downstream_servers().unwrap().iter().filter_map(|known| known.told.last_rollup).max();
    // Each time the machine starts without the time and gets it later; the second time it is less far behind.
    for (moved, behind) in [(10 * DAY, DAY), (30 * DAY, 20 * DAY)] {
        asked_and_told(&store, NORTH, moved - 20, moved - 10);
        asked_here(&store, moved);
        let told = RolledServer { last_rollup: Some(at(moved)), ..server(SOUTH, None) };
        assert!(store.roll_up_servers(vec![told], at(moved)).unwrap());
        for seconds in [behind + 60, behind, behind + 120] {
            store.forget_times_ahead(at(seconds)).unwrap();
            assert_eq!(told_at(&store, seconds), None, "nothing is told that the upstream would believe");
            assert_eq!(store.place_below(&pc()).unwrap(), None, "it is still here");
        }
        store.forget_times_ahead(at(moved + 60)).unwrap();
        let told = told_at(&store, moved + 60).unwrap().computer;
        assert_eq!((told.server, told.last_sync), (store.server_id(), Some(at(moved))));
        assert_eq!(last(), Some(at(moved)));
    }
}

#[test]
fn an_own_computer_that_was_noted_by_a_clock_ahead_is_noted_anew_when_it_comes() {
    let (_dir, store) = tree();
    let noted = || {
        store.flush_contacts().unwrap();
        let computer = store.computer(&pc()).unwrap();
        (computer.last_contact, computer.last_sync, computer.last_report)
    };
    asked_here(&store, AHEAD);
    reports_here_at(&store, AHEAD, 1);
    assert_eq!(noted(), (at(AHEAD), Some(at(AHEAD)), Some(at(AHEAD))));
    asked_here(&store, 20);
    assert_eq!(noted(), (at(20), Some(at(20)), Some(at(AHEAD))));
    reports_here_at(&store, 30, 2);
    assert_eq!(noted(), (at(30), Some(at(20)), Some(at(30))));
    // Written late.
    asked_here(&store, 10);
    reports_here_at(&store, 10, 3);
    assert_eq!(noted(), (at(30), Some(at(20)), Some(at(30))));
}

fn reports_here_at(store: &Store, seconds: i64, number: u128) {
    let event = ReportedEvent {
        instance: Guid::from_u128(number),
        namespace: 1,
        id: 147,
        source: 101,
        update: None,
        at: at(5),
        result: 0,
        misc: Vec::new(),
        details: String::new(),
    };
    let batch = EventBatch { computer: pc(), received: at(seconds), events: vec![event] };
    store.record_events(batch).unwrap();
}

#[test]
fn a_state_since_a_time_ahead_is_followed_by_the_next() {
    let (_dir, store) = tree();
    asked(&store, NORTH, 10);
    for (number, state, since, now) in
        [(1, UpdateState::NotInstalled, AHEAD, 20), (2, UpdateState::Installed, 30, 40)]
    {
        let updates = vec![RolledStatus { update: uid(1), state, since: at(since) }];
        let report = StatusReport { computer: pc(), detected: None, number, full: false, updates };
        store.roll_up_status(NORTH, vec![report], at(now)).unwrap();
    }
    let rows = store.downstream_status(&pc()).unwrap();
    assert_eq!(
        rows.iter().map(|row| (row.state, row.since)).collect::<Vec<_>>(),
        [(UpdateState::Installed, at(30))]
    );
}
