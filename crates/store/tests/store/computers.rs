//! Computers: contacts, registration, groups, events and the status derived from them.

use crate::support;

use sluicegate_policy::UpdateState;
use sluicegate_store::{
    ComputerFilter, Contact, EventBatch, Registration, ReportedEvent, Store, StoreError, StoreOptions,
    Targeting,
};
use sluicegate_terms::{ComputerId, GroupId, Guid};
use support::{at, identity, open, uid};

fn pc(name: &str) -> ComputerId {
    name.parse().unwrap()
}

fn event(instance: u128, id: u16, update: Option<u128>, seconds: i64) -> ReportedEvent {
    ReportedEvent {
        instance: Guid::from_u128(instance),
        namespace: 1,
        id,
        source: 101,
        update: update.map(|n| identity(n, 1)),
        at: at(seconds),
        result: 0,
        misc: Vec::new(),
        details: format!("details of {instance}"),
    }
}

fn lists(instance: u128, seconds: i64, needed: &[u128], installed: &[u128]) -> ReportedEvent {
    let list = |key: &str, ids: &[u128]| {
        let ids: Vec<String> = ids.iter().map(|n| uid(*n).to_string().to_uppercase()).collect();
        format!("{key}={}", ids.join(";"))
    };
    ReportedEvent {
        misc: vec![list("U", needed), list("V", installed)],
        ..event(instance, 156, None, seconds)
    }
}

fn report(
    store: &Store,
    computer: &str,
    seconds: i64,
    events: Vec<ReportedEvent>,
) -> sluicegate_store::Recorded {
    store.record_events(EventBatch { computer: pc(computer), received: at(seconds), events }).unwrap()
}

#[test]
fn contacts_are_gathered_and_written_with_the_newest_facts() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = open(dir.path());
        let named = Contact {
            dns_name: Some("pc1.example".to_owned()),
            synced: true,
            ..Contact::new(pc("PC-1"), at(1))
        };
        store.touch(named).unwrap();
        store.touch(Contact { ip: Some("10.0.0.1".to_owned()), ..Contact::new(pc("pc-1"), at(5)) }).unwrap();
        assert!(!store.groups_of(&pc("pc-1")).unwrap().registered);
        // Dropping the store writes what has gathered.
    }
    let store = open(dir.path());
    let computer = store.computer(&pc("pc-1")).unwrap();
    assert_eq!(computer.dns_name.as_deref(), Some("pc1.example"));
    assert_eq!(computer.ip.as_deref(), Some("10.0.0.1"));
    assert_eq!((computer.first_seen, computer.last_contact, computer.last_sync), (at(1), at(5), Some(at(1))));
    assert!(matches!(store.computer(&pc("pc-2")), Err(StoreError::UnknownComputer(_))));
}

#[test]
fn registration_is_kept_with_its_inventory() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = open(dir.path());
        for (seconds, inventory) in [(1, "first"), (2, "second")] {
            let contact = Contact::new(pc("pc-1"), at(seconds));
            store.register(Registration { contact, inventory: inventory.to_owned() }).unwrap();
        }
    }
    let store = open(dir.path());
    let computer = store.computer(&pc("pc-1")).unwrap();
    assert_eq!(computer.registered_at, Some(at(1)));
    assert_eq!(computer.inventory.as_deref(), Some("second"));
    assert!(store.groups_of(&pc("pc-1")).unwrap().registered);
}

#[test]
fn groups_follow_the_administrator_or_the_computer_by_targeting() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let pilots = store.create_group("Pilots".parse().unwrap(), None, at(0)).unwrap().id;
    let servers = store.create_group("Servers".parse().unwrap(), None, at(0)).unwrap().id;
    let asks = Some(vec!["pilots".to_owned(), "No such group".to_owned()]);
    store.touch(Contact { requested_groups: asks, ..Contact::new(pc("pc-1"), at(1)) }).unwrap();
    store.touch(Contact::new(pc("pc-2"), at(1))).unwrap();
    let tree = store.decisions();
    // Before it is written and after.
    for _ in 0..2 {
        let groups = store.groups_of(&pc("pc-1")).unwrap();
        assert_eq!(groups.effective(Targeting::Client, &tree.groups), [pilots]);
        assert_eq!(groups.effective(Targeting::Server, &tree.groups), [GroupId::UNASSIGNED_COMPUTERS]);
        store.flush_contacts().unwrap();
    }
    store.move_computer(&pc("pc-1"), servers, at(5)).unwrap();
    let groups = store.groups_of(&pc("pc-1")).unwrap();
    assert_eq!(groups.effective(Targeting::Server, &tree.groups), [servers]);

    let members = |group, targeting| {
        let filter =
            ComputerFilter { groups: Some(vec![group]), targeting, limit: 9, ..ComputerFilter::default() };
        let page = store.computers(&filter).unwrap();
        page.rows.into_iter().map(|c| c.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(members(servers, Targeting::Server), ["pc-1"]);
    assert_eq!(members(GroupId::UNASSIGNED_COMPUTERS, Targeting::Server), ["pc-2"]);
    assert_eq!(members(pilots, Targeting::Client), ["pc-1"]);
    assert_eq!(members(GroupId::UNASSIGNED_COMPUTERS, Targeting::Client), ["pc-2"]);
    let sizes = store.group_sizes(Targeting::Server).unwrap();
    assert_eq!((sizes.get(&servers), sizes.get(&GroupId::UNASSIGNED_COMPUTERS)), (Some(&1), Some(&1)));

    store.move_computer(&pc("pc-1"), GroupId::UNASSIGNED_COMPUTERS, at(5)).unwrap();
    assert!(store.groups_of(&pc("pc-1")).unwrap().assigned.is_empty());
    assert!(matches!(
        store.move_computer(&pc("pc-1"), GroupId::ALL_COMPUTERS, at(5)),
        Err(StoreError::Decision(_))
    ));
    assert!(matches!(store.move_computer(&pc("pc-9"), servers, at(5)), Err(StoreError::UnknownComputer(_))));
}

#[test]
fn status_follows_the_reported_lists_and_failures_across_restarts() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = open(dir.path());
        let done = report(&store, "pc-1", 1, vec![event(1, 147, None, 0), lists(2, 1, &[10, 11], &[12])]);
        assert_eq!((done.new, done.repeated, done.status_changed), (2, 0, true));
        let failed = ReportedEvent { result: -2_145_116_156, ..event(3, 182, Some(10), 5) };
        report(&store, "pc-1", 6, vec![failed]);
    }
    let store = open(dir.path());
    let status = store.computer_status(&pc("pc-1")).unwrap();
    assert_eq!(status.reported, Some(at(1)));
    assert_eq!(status.state(uid(10)), UpdateState::Failed);
    assert_eq!(status.rows[&uid(10)].error, -2_145_116_156);
    assert_eq!(status.state(uid(11)), UpdateState::NotInstalled);
    assert_eq!(status.state(uid(12)), UpdateState::Installed);

    report(&store, "pc-1", 10, vec![lists(4, 9, &[], &[10])]);
    let status = store.computer_status(&pc("pc-1")).unwrap();
    assert_eq!(status.state(uid(10)), UpdateState::Installed);
    assert_eq!(status.state(uid(11)), UpdateState::NotApplicable);
    assert_eq!(status.rows.len(), 1);
}

#[test]
fn an_event_instance_counts_once_and_lists_are_not_stored() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let batch = vec![event(1, 147, None, 0), event(2, 167, Some(10), 1), lists(3, 2, &[10], &[])];
    assert_eq!(report(&store, "pc-1", 3, batch.clone()).new, 3);
    let again = report(&store, "pc-1", 4, batch);
    assert_eq!((again.repeated, again.status_changed), (2, false));
    let kept = store.events_of(&pc("pc-1"), 99).unwrap();
    assert_eq!(kept.iter().map(|e| e.id).collect::<Vec<_>>(), [167, 147]);
    assert_eq!(kept[0].details, "details of 2");
    // Without an update only the newest of a kind is kept.
    report(&store, "pc-1", 9, vec![event(4, 147, None, 8), event(5, 147, None, 7)]);
    let kept = store.events_of(&pc("pc-1"), 99).unwrap();
    assert_eq!(
        kept.iter().filter(|e| e.id == 147).map(|e| e.instance).collect::<Vec<_>>(),
        [Guid::from_u128(4)]
    );
}

#[test]
fn history_is_capped_per_computer_and_status_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions { events_per_computer: 5, ..StoreOptions::new(at(0)) };
    let store = Store::open(dir.path(), options).unwrap();
    report(&store, "pc-1", 0, vec![lists(1, 0, &[10], &[])]);
    for n in 0..12_u128 {
        report(&store, "pc-1", 1 + n as i64, vec![event(100 + n, 167, Some(10), n as i64)]);
    }
    report(&store, "pc-2", 1, vec![event(500, 167, Some(10), 0)]);
    let kept = store.events_of(&pc("pc-1"), 99).unwrap();
    assert_eq!(kept.len(), 5);
    assert_eq!(kept[0].instance, Guid::from_u128(111));
    assert_eq!(store.events_of(&pc("pc-2"), 99).unwrap().len(), 1);
    assert_eq!(store.computer_status(&pc("pc-1")).unwrap().state(uid(10)), UpdateState::NotInstalled);
    store.forget_computer(&pc("pc-1"), at(5)).unwrap();
    assert!(matches!(store.events_of(&pc("pc-1"), 9), Err(StoreError::UnknownComputer(_))));
}

#[test]
fn many_computers_report_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    std::thread::scope(|scope| {
        for thread in 0..8_u128 {
            let store = &store;
            scope.spawn(move || {
                for n in 0..20_u128 {
                    let instance = thread * 100 + n + 1;
                    report(store, &format!("pc-{instance}"), 1, vec![event(instance, 162, Some(10), 0)]);
                }
            });
        }
    });
    let page = store.computers(&ComputerFilter {
        limit: 1,
        search: Some("PC-".to_owned()),
        ..ComputerFilter::default()
    });
    assert_eq!(page.unwrap().total, 160);
}
