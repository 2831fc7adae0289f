//! Two servers below with one id, as after a machine was copied: known by names that take turns, and over when the copy
//! has an id of its own.

use crate::support;

use sluicegate_store::hierarchy::{
    DownstreamComputerFilter, DownstreamContact, RolledServer, ServerSummary, TWINS_END, TellComputer, Told,
};
use sluicegate_store::{Contact, Store};
use sluicegate_terms::{Guid, Timestamp};
use support::{at, open};

const DAY: i64 = 86_400;

fn asks(store: &Store, id: u128, name: &str, when: Timestamp) {
    for synced in [false, true] {
        let contact = DownstreamContact { id: Guid::from_u128(id), name: name.to_owned(), at: when, synced };
        store.record_downstream(contact).unwrap();
    }
}

fn twins(store: &Store, now: Timestamp) -> Vec<Vec<String>> {
    store.downstream_twins(now).unwrap().into_iter().map(|twins| twins.names).collect()
}

#[test]
fn names_that_take_turns_are_two_servers_and_renamed_ones_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for (day, name) in (0..).zip(["east", "east.example", "EAST", "east", "east.example"]) {
        asks(&store, 2, name, at(day * DAY));
    }
    for (day, name) in (0..).zip(["south", "north", "north", "south", "south"]) {
        asks(&store, 3, name, at(day * DAY));
    }
    assert_eq!(twins(&store, at(5 * DAY)), [] as [Vec<String>; 0], "renamed, once forth and back");
    for (day, name) in (0..4).zip(["west", "west-copy", "west", "west-copy"]) {
        asks(&store, 1, name, at(day * DAY));
    }
    assert_eq!(twins(&store, at(4 * DAY)), [["west-copy", "west"]]);
    assert_eq!(store.downstream_twins(at(4 * DAY)).unwrap()[0].server, Guid::from_u128(1));
    // One of them asks no more.
    for day in 4..9 {
        asks(&store, 1, "west", at(day * DAY));
    }
    assert_eq!(twins(&store, at(9 * DAY)), [["west", "west-copy"]]);
    assert!(twins(&store, at(3 * DAY + TWINS_END)).is_empty());
}

#[test]
fn a_contact_that_is_written_after_a_later_one_is_no_name_that_came_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let contact = |name: &str, second: i64, synced: bool| {
        let id = Guid::from_u128(1);
        store
            .record_downstream(DownstreamContact { id, name: name.to_owned(), at: at(second), synced })
            .unwrap();
        store.downstream_servers().unwrap().remove(0).told.name
    };
    assert_eq!(contact("north", 1, true), "north");
    assert_eq!(contact("south", 20, true), "south");
    // The synchronization of before is written late, and again with each list.
    for _ in 0..3 {
        assert_eq!(contact("north", 10, true), "south");
        assert_eq!(contact("south", 20, true), "south");
    }
    assert!(twins(&store, at(30)).is_empty());
    // One machine that only tried the way under its own name, before it was given another.
    for second in [40, 42, 44] {
        assert_eq!(contact("machine", second, false), "machine");
        assert_eq!(contact("south", second + 1, true), "south");
    }
    assert!(twins(&store, at(50)).is_empty());
    for (second, name) in (60..).zip(["north", "machine", "south", "north"]) {
        contact(name, second, name != "machine");
    }
    assert_eq!(twins(&store, at(70)), [["north", "south"]], "the machine's name is none of them");
}

/// A server tells of itself or of one below it.
fn tells(store: &Store, id: u128, name: &str, parent: Option<u128>, last_rollup: Timestamp, now: Timestamp) {
    let server = RolledServer {
        id: Guid::from_u128(id),
        name: name.to_owned(),
        parent: parent.map(Guid::from_u128),
        version: String::new(),
        is_replica: false,
        last_sync: None,
        last_rollup: Some(last_rollup),
        summary: ServerSummary::default(),
        clients: Vec::new(),
    };
    assert!(store.roll_up_servers(vec![server], now).unwrap());
}

#[test]
fn a_copy_that_asks_a_server_below_is_noticed_by_what_that_one_tells() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    asks(&store, 9, "middle", at(0));
    for hour in (0..4).map(|hour| hour * 3_600) {
        asks(&store, 1, "west", at(hour));
        tells(&store, 1, "west", None, at(hour + 5), at(hour + 5));
        tells(&store, 1, "west-copy", Some(9), at(hour + 600), at(hour + 900));
    }
    assert_eq!(twins(&store, at(4 * 3_600)), [["west-copy", "west"]]);
}

#[test]
fn a_server_that_went_elsewhere_under_another_name_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    asks(&store, 9, "middle", at(0));
    // From below the one in the middle, which tells of it for as long as it remembers, to this one.
    tells(&store, 1, "old", Some(9), at(10), at(20));
    asks(&store, 1, "new", at(3 * 3_600));
    for hour in 4..8 {
        tells(&store, 1, "old", Some(9), at(3_600), at(hour * 3_600));
        asks(&store, 1, "new", at(hour * 3_600 + 60));
    }
    // The other way, and the clock in the middle is ahead.
    asks(&store, 2, "old", at(0));
    for hour in 1..5 {
        tells(&store, 2, "new", Some(9), at(DAY + hour * 3_600), at(hour * 3_600));
        tells(&store, 2, "new", Some(9), at(DAY + hour * 3_600), at(hour * 3_600 + 600));
    }
    // And back.
    asks(&store, 2, "old", at(6 * 3_600));
    for hour in 6..9 {
        tells(&store, 2, "new", Some(9), at(DAY + 4 * 3_600), at(hour * 3_600 + 900));
        asks(&store, 2, "old", at(hour * 3_600 + 1_800));
    }
    assert!(twins(&store, at(9 * 3_600)).is_empty());
}

#[test]
fn a_clock_that_was_ahead_holds_no_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    asks(&store, 1, "north", at(30 * DAY));
    for day in 0..4 {
        asks(&store, 1, "south", at(day * DAY));
        assert_eq!(store.downstream_servers().unwrap()[0].told.name, "south");
    }
    assert!(twins(&store, at(4 * DAY)).is_empty(), "it was renamed once");
    asks(&store, 1, "north", at(4 * DAY));
    asks(&store, 1, "south", at(5 * DAY));
    assert_eq!(twins(&store, at(5 * DAY)).len(), 1);
}

#[test]
fn it_is_over_when_the_copy_has_an_id_of_its_own_or_the_id_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let both = |from: i64| {
        for (hour, name) in (from..from + 4).zip(["west", "west-copy", "west", "west-copy"]) {
            asks(&store, 1, name, at(hour * 3_600));
        }
        twins(&store, at((from + 4) * 3_600))
    };
    assert_eq!(both(0).len(), 1);
    asks(&store, 7, "west-copy", at(5 * 3_600));
    assert!(twins(&store, at(5 * 3_600)).is_empty());
    assert_eq!(both(10).len(), 1);
    store.forget_downstream(Guid::from_u128(1), at(15 * 3_600)).unwrap();
    assert!(twins(&store, at(15 * 3_600)).is_empty());
}

#[test]
fn a_copy_that_gets_an_id_of_its_own_has_it_from_the_next_start_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let before = store.server_id();
    asks(&store, 5, "below", at(0));
    let after = store.renew_identity(at(1)).unwrap();
    assert_ne!(before, after);
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.server_id(), after);
    assert_eq!(store.rollup_reset().unwrap(), after, "servers below tell everything again, too");
    assert!(store.downstream_servers().unwrap().is_empty(), "they are below the other one");
    assert!(store.config().values.is_empty(), "nothing of it is a setting");
    drop(store);
    let db = rusqlite::Connection::open(dir.path().join("sluicegate.db")).unwrap();
    let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM audit WHERE action = 'renew-identity'"), 1);
}

/// A computer asks a server for updates.
fn computer_asks(store: &Store, computer: &str, second: i64) {
    let contact = Contact::new(computer.parse().unwrap(), at(second));
    store.touch(Contact { synced: true, ..contact }).unwrap();
}

/// A server tells the one above of itself, and of the computers of which that has not been told; answers which.
fn rolls_up(from: &Store, top: &Store, now: i64) -> Vec<String> {
    tells(top, u128::from_be_bytes(*from.server_id().as_bytes()), "", None, at(now), at(now));
    let due = from.computers_to_tell(None, 100, at(now)).unwrap().into_iter();
    let due: Vec<_> = due.filter(|tell| tell.told.mark != Some(tell.computer.mark())).collect();
    let computers = due.iter().map(|tell| tell.computer.clone()).collect();
    assert!(top.roll_up_computers(computers, at(now)).unwrap().is_some());
    let told = |tell: &TellComputer| Told { mark: Some(tell.computer.mark()), ..tell.told };
    let told: Vec<_> = due.iter().map(|tell| (tell.computer.id.clone(), told(tell))).collect();
    from.note_told(&told).unwrap();
    told.into_iter().map(|(id, _)| id.to_string()).collect()
}

#[test]
fn a_copy_with_an_id_of_its_own_tells_of_the_computers_that_ask_it_and_of_no_other() {
    let [top, original, folder] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let top = open(top.path());
    let west = open(original.path());
    computer_asks(&west, "stays", 10);
    computer_asks(&west, "moves", 11);
    // It came and has not asked to the end.
    west.touch(Contact::new("silent".parse().unwrap(), at(12))).unwrap();
    assert_eq!(rolls_up(&west, &top, 20), ["moves", "silent", "stays"]);
    let place = |computer: &str| {
        let filter = DownstreamComputerFilter { limit: 10, ..Default::default() };
        let listed = top.downstream_computers(&filter).unwrap();
        listed.into_iter().find(|c| c.told.id.as_str() == computer).map(|c| c.told.server)
    };
    drop(west);
    for file in std::fs::read_dir(original.path()).unwrap().map(Result::unwrap) {
        if file.file_type().unwrap().is_file() {
            std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
        }
    }
    let (west, copy) = (open(original.path()), open(folder.path()));
    let (here, there) = (west.server_id(), copy.renew_identity(at(30)).unwrap());
    drop(copy);
    let copy = open(folder.path());
    assert_eq!(rolls_up(&copy, &top, 31), [""; 0], "none has asked it");
    // As when the one above was restored, or another one is: nothing is known of what it was told.
    copy.forget_told().unwrap();
    assert_eq!(rolls_up(&copy, &top, 32), [""; 0]);
    assert_eq!(rolls_up(&west, &top, 33), [""; 0]);
    assert_eq!(["stays", "moves", "silent"].map(place), [Some(here); 3]);
    computer_asks(&copy, "moves", 40);
    copy.touch(Contact::new("new".parse().unwrap(), at(41))).unwrap();
    assert_eq!(rolls_up(&copy, &top, 50), ["moves", "new"]);
    assert_eq!(["stays", "moves", "silent", "new"].map(place), [here, there, here, there].map(Some));
}
