//! A computer that asked this server and one below: it is where it asked last, and counts there and nowhere else.

use crate::support;

use sluicegate_policy::UpdateState;
use sluicegate_store::hierarchy::{
    ClientSummary, DownstreamComputerFilter, RolledComputer, RolledServer, RolledStatus, ServerSummary,
    StatusReport,
};
use sluicegate_store::{
    ComputerFilter, ComputersOfUpdate, Contact, EventBatch, FleetScope, Registration, ReportedEvent,
    StatusFilter, Store, Targeting, UpdateQuery,
};
use sluicegate_terms::{ComputerId, GroupId, Guid};
use support::{at, import, open, software, uid};
use tempfile::TempDir;

const BRANCH: Guid = Guid::from_u128(0xd0);

fn pc() -> ComputerId {
    "moves".parse().unwrap()
}

/// One of this server's own computers that stays, and one that may go; both need update 1.
fn fleet() -> (TempDir, Store, GroupId) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "One"), software(2, 1, "Two")]);
    let group = store.create_group("Desks".parse().unwrap(), None, at(0)).unwrap().id;
    for (name, number) in [("stays", 1), ("moves", 2)] {
        let computer: ComputerId = name.parse().unwrap();
        let contact = Contact { dns_name: Some(name.to_owned()), ..Contact::new(computer.clone(), at(5)) };
        store.register(Registration { contact, inventory: String::new() }).unwrap();
        store.move_computer(&computer, group, at(6)).unwrap();
        asks_here(&store, name, 10);
        reports_here(&store, name, number, 1);
    }
    (dir, store, group)
}

fn asks_here(store: &Store, name: &str, second: i64) {
    let contact = Contact::new(name.parse().unwrap(), at(second));
    store.touch(Contact { synced: true, ..contact }).unwrap();
}

fn reports_here(store: &Store, name: &str, number: u128, needed: u128) {
    let event = ReportedEvent {
        instance: Guid::from_u128(number),
        namespace: 1,
        id: 156,
        source: 101,
        update: None,
        at: at(11),
        result: 0,
        misc: vec![format!("U={}", uid(needed))],
        details: String::new(),
    };
    let batch = EventBatch { computer: name.parse().unwrap(), received: at(11), events: vec![event] };
    store.record_events(batch).unwrap();
}

/// The branch tells that the computer asked it, and needs update 2.
fn asks_below(store: &Store, second: i64) {
    let server = RolledServer {
        id: BRANCH,
        name: "branch".to_owned(),
        parent: None,
        version: String::new(),
        is_replica: false,
        last_sync: None,
        last_rollup: Some(at(second)),
        summary: ServerSummary::default(),
        clients: Vec::new(),
    };
    assert!(store.roll_up_servers(vec![server], at(second)).unwrap());
    let computer = RolledComputer {
        id: pc(),
        server: BRANCH,
        last_sync: Some(at(second)),
        last_sync_result: 1,
        last_reboot: None,
        last_status: None,
        last_inventory: None,
        details: None,
    };
    assert!(store.roll_up_computers(vec![computer], at(1_000)).unwrap().is_some());
    let updates = vec![RolledStatus { update: uid(2), state: UpdateState::NotInstalled, since: at(0) }];
    let report = StatusReport { computer: pc(), detected: None, number: 1, full: true, updates };
    store.roll_up_status(BRANCH, vec![report], at(second)).unwrap();
}

/// How many own computers each list and figure has; all say the same.
fn counted(store: &Store, group: GroupId) -> usize {
    let listed = store.computers(&ComputerFilter { limit: 10, ..Default::default() }).unwrap();
    let names: Vec<_> = listed.rows.iter().filter_map(|row| row.dns_name.as_deref()).collect();
    let query = ComputersOfUpdate { update: uid(1), status: Some(StatusFilter::Needed), limit: 9, offset: 0 };
    let needing = store.computers_of(&query, FleetScope::default()).unwrap();
    let scope = FleetScope { group: Some(group), targeting: Targeting::Server };
    let (summary, _) = store.summary(scope).unwrap();
    let rollup = store.rollup_summary().unwrap();
    let kinds = store.own_clients(|_| ClientSummary::default()).unwrap().summaries;
    let own =
        store.computers_to_tell(None, 10, at(1_000)).unwrap().into_iter().filter(|tell| tell.own.is_some());
    let sizes = store.group_sizes(Targeting::Server).unwrap();
    let counts = [
        listed.total,
        names.len() as u64,
        needing.total,
        summary.computers.total,
        summary.computers.needing,
        rollup.computer_target_count.unsigned_abs().into(),
        rollup.computer_targets_needing_updates_count.unsigned_abs().into(),
        kinds.iter().map(|kind| u64::from(kind.count.unsigned_abs())).sum(),
        own.count() as u64,
        sizes.get(&group).copied().unwrap_or_default(),
    ];
    assert_eq!(counts, [counts[0]; 10], "{names:?}");
    assert_eq!(rollup.updates_needed_by_computers_count, 1);
    let query = UpdateQuery { status: Some(StatusFilter::Needed), limit: 9, ..UpdateQuery::default() };
    let updates = store.updates(&query).unwrap().rows;
    assert_eq!(updates.iter().map(|row| row.update).collect::<Vec<_>>(), [uid(1)]);
    names.len()
}

fn below(store: &Store) -> usize {
    let filter = DownstreamComputerFilter { limit: 10, ..Default::default() };
    let listed = store.downstream_computers(&filter).unwrap().len();
    let place = store.place_below(&pc()).unwrap();
    assert_eq!((place.is_some(), store.knows_downstream_computer(&pc()).unwrap()), (listed > 0, listed > 0));
    assert!(place.is_none_or(|place| (place.server, place.name.as_str()) == (BRANCH, "branch")));
    listed
}

#[test]
fn a_computer_that_moved_below_counts_there_until_it_asks_here_again() {
    let (dir, store, group) = fleet();
    assert_eq!((counted(&store, group), below(&store)), (2, 0));
    asks_below(&store, 20);
    assert_eq!((counted(&store, group), below(&store)), (1, 1));
    // What it still reports here is no asking.
    reports_here(&store, "moves", 3, 1);
    store.touch(Contact::new(pc(), at(21))).unwrap();
    assert_eq!((counted(&store, group), below(&store)), (1, 1));
    drop(store);
    let store = open(dir.path());
    assert_eq!((counted(&store, group), below(&store)), (1, 1), "also after a start");
    assert_eq!(store.computer(&pc()).unwrap().id, pc(), "it is found by its id");
    assert_eq!(store.computers_called(&pc()).unwrap(), [pc()]);
    asks_here(&store, "moves", 30);
    assert_eq!((counted(&store, group), below(&store)), (2, 0), "with what it reported here");
    asks_below(&store, 25);
    assert_eq!((counted(&store, group), below(&store)), (2, 0), "told late");
    asks_below(&store, 40);
    assert_eq!((counted(&store, group), below(&store)), (1, 1));
}

#[test]
fn a_computer_whose_server_below_is_forgotten_counts_here_again() {
    let (_dir, store, group) = fleet();
    asks_below(&store, 20);
    assert_eq!((counted(&store, group), below(&store)), (1, 1));
    store.forget_downstream(BRANCH, at(30)).unwrap();
    assert_eq!((counted(&store, group), below(&store)), (2, 0));
}

#[test]
fn a_computer_that_comes_from_below_counts_here_when_it_has_asked() {
    let (_dir, store, group) = fleet();
    store.forget_computer(&pc(), at(12)).unwrap();
    asks_below(&store, 20);
    assert_eq!((counted(&store, group), below(&store)), (1, 1));
    let contact = Contact { dns_name: Some("moves".to_owned()), ..Contact::new(pc(), at(21)) };
    store.register(Registration { contact, inventory: String::new() }).unwrap();
    store.move_computer(&pc(), group, at(22)).unwrap();
    reports_here(&store, "moves", 4, 1);
    assert_eq!((counted(&store, group), below(&store)), (1, 1), "it has registered and reported");
    asks_here(&store, "moves", 23);
    assert_eq!((counted(&store, group), below(&store)), (2, 0));
}

#[test]
fn a_group_that_is_deleted_loses_no_computer_that_has_moved_below() {
    for moved in [false, true] {
        let (_dir, store, group) = fleet();
        if moved {
            asks_below(&store, 20);
        }
        let here = 2 - u64::from(moved);
        assert_eq!(store.group_sizes(Targeting::Server).unwrap()[&group], here);
        let gone = store.remove_group(group, false, at(30)).unwrap();
        assert_eq!((gone.computers, gone.unassigned), (here, here));
        // Its place went too: when it comes back it is in no group.
        asks_here(&store, "moves", 40);
        assert_eq!(
            store.group_sizes(Targeting::Server).unwrap(),
            [(GroupId::UNASSIGNED_COMPUTERS, 2)].into()
        );
    }
}
