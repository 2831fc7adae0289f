//! Lists and counts through the store: the index follows every kind of change that reaches the rows.

use crate::support;

use sluicegate_policy::{ApprovalAction, UpdateState};
use sluicegate_store::{
    ApprovalFilter, ApprovalOrder, ApprovalState, ComputerFilter, ComputersOfUpdate, Contact, EventBatch,
    FleetScope, Reboot, ReportedEvent, Severity, StateCounts, StatusFilter, Store, Targeting, UpdateQuery,
};
use sluicegate_terms::{CategoryKind, ComputerId, GroupId, Guid};
use support::{at, category, identity, import, open, software, uid};

fn pc(name: &str) -> ComputerId {
    name.parse().unwrap()
}

/// A computer reports what it needs and has; each call is another event.
fn report(store: &Store, name: &str, seconds: i64, needed: &[u128], installed: &[u128]) {
    let list = |key: &str, ids: &[u128]| {
        let ids: Vec<String> = ids.iter().map(|n| uid(*n).to_string()).collect();
        format!("{key}={}", ids.join(";"))
    };
    send(store, name, seconds, 156, None, vec![list("U", needed), list("V", installed)]);
}

fn send(store: &Store, name: &str, seconds: i64, id: u16, update: Option<u128>, misc: Vec<String>) {
    let instance =
        Guid::from_u128(u128::from(seconds.unsigned_abs()) << 32 | name.len() as u128 | u128::from(id) << 96);
    let event = ReportedEvent {
        instance,
        namespace: 1,
        id,
        source: 101,
        update: update.map(|n| identity(n, 1)),
        at: at(seconds),
        result: -1,
        misc,
        details: String::new(),
    };
    let batch = EventBatch { computer: pc(name), received: at(seconds), events: vec![event] };
    store.record_events(batch).unwrap();
}

fn all() -> UpdateQuery {
    UpdateQuery { limit: 100, ..UpdateQuery::default() }
}

fn with(status: StatusFilter) -> UpdateQuery {
    UpdateQuery { status: Some(status), ..all() }
}

/// The numbers of the updates that fit, for a group.
fn found(store: &Store, query: &UpdateQuery, group: Option<GroupId>) -> Vec<u128> {
    let page = store.updates_for(query, FleetScope { group, targeting: Targeting::Server }).unwrap();
    assert_eq!((page.total, page.pending), (page.rows.len() as u64, 0));
    let mut numbers: Vec<u128> = page.rows.iter().map(|row| row.update.0.as_u128()).collect();
    numbers.sort_unstable();
    numbers
}

fn counts(states: &StateCounts) -> Vec<(UpdateState, u64)> {
    states.iter().collect()
}

#[test]
fn an_update_is_found_by_its_states_in_a_group_and_the_groups_nested_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "One"), software(2, 1, "Two"), software(3, 1, "Three")]);
    let outer = store.create_group("Outer".parse().unwrap(), None, at(0)).unwrap().id;
    let inner = store.create_group("Inner".parse().unwrap(), Some(outer), at(0)).unwrap().id;
    report(&store, "a", 10, &[1], &[2]);
    report(&store, "bb", 10, &[], &[1]);
    store.touch(Contact::new(pc("ccc"), at(10))).unwrap();
    store.flush_contacts().unwrap();
    store.move_computer(&pc("a"), inner, at(11)).unwrap();
    store.move_computer(&pc("bb"), outer, at(11)).unwrap();

    assert_eq!(found(&store, &with(StatusFilter::Needed), Some(outer)), [1]);
    assert_eq!(found(&store, &with(StatusFilter::Needed), Some(inner)), [1]);
    assert!(found(&store, &with(StatusFilter::Needed), Some(GroupId::UNASSIGNED_COMPUTERS)).is_empty());
    assert_eq!(found(&store, &with(StatusFilter::NoStatus), None), [1, 2, 3], "ccc never reported");
    assert!(found(&store, &with(StatusFilter::NoStatus), Some(outer)).is_empty());
    assert_eq!(found(&store, &with(StatusFilter::InstalledOrNotApplicable), Some(inner)), [2, 3]);
    let by_group = store.update_status(uid(1), Targeting::Server).unwrap();
    let of = |group| counts(&by_group.iter().find(|(g, _)| *g == group).unwrap().1);
    assert_eq!(of(outer), [(UpdateState::NotInstalled, 1), (UpdateState::Installed, 1)]);
    assert_eq!(of(inner), [(UpdateState::NotInstalled, 1)]);
    assert_eq!(of(GroupId::UNASSIGNED_COMPUTERS), [(UpdateState::Unknown, 1)]);
    assert_eq!(of(GroupId::ALL_COMPUTERS).len(), 3);

    // A failure, a move, and a computer that is forgotten.
    send(&store, "a", 12, 182, Some(1), Vec::new());
    assert_eq!(found(&store, &with(StatusFilter::Failed), Some(outer)), [1]);
    store.move_computer(&pc("a"), GroupId::UNASSIGNED_COMPUTERS, at(13)).unwrap();
    assert!(found(&store, &with(StatusFilter::Failed), Some(outer)).is_empty());
    assert_eq!(found(&store, &with(StatusFilter::Failed), None), [1]);
    store.forget_computer(&pc("a"), at(14)).unwrap();
    assert!(found(&store, &with(StatusFilter::Failed), None).is_empty());
    // Whoever gets the row's number next starts with nothing.
    store.touch(Contact::new(pc("dddd"), at(15))).unwrap();
    assert_eq!(counts(&store.computer(&pc("dddd")).unwrap().states), [(UpdateState::Unknown, 3)]);
}

#[test]
fn what_came_after_a_report_has_no_status_until_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "One")]);
    report(&store, "a", 10, &[], &[1]);
    import(&store, 20, &[software(2, 1, "Two"), software(1, 2, "One again")]);
    assert_eq!(found(&store, &with(StatusFilter::NoStatus), None), [2], "a new revision asks nothing anew");
    report(&store, "a", 30, &[], &[1]);
    assert!(found(&store, &with(StatusFilter::NoStatus), None).is_empty());
    // Agents are not told of what is declined: taken back, it is new to them.
    store.decline(uid(2), at(40)).unwrap();
    assert_eq!(found(&store, &all(), None), [1, 2]);
    assert_eq!(counts(&store.computer(&pc("a")).unwrap().states), [(UpdateState::Installed, 1)]);
    let approve = ApprovalOrder {
        update: uid(2),
        group: GroupId::ALL_COMPUTERS,
        action: ApprovalAction::Install,
        deadline: None,
        by: "test".to_owned(),
    };
    store.approve(approve, at(50)).unwrap();
    assert_eq!(found(&store, &with(StatusFilter::NoStatus), None), [2]);
    let query = ComputersOfUpdate { update: uid(2), status: None, limit: 9, offset: 0 };
    let computers = store.computers_of(&query, FleetScope::default()).unwrap();
    assert_eq!((computers.rows[0].state, computers.rows[0].row), (UpdateState::Unknown, None));
    let query =
        ComputersOfUpdate { update: uid(1), status: Some(StatusFilter::InstalledOrNotApplicable), ..query };
    let computers = store.computers_of(&query, FleetScope::default()).unwrap();
    assert_eq!(computers.rows[0].row.unwrap().since, at(10));
}

#[test]
fn a_clock_that_runs_ahead_does_not_speak_for_what_comes_later() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "One")]);
    let year = 365 * 86_400;
    let event = ReportedEvent {
        instance: Guid::from_u128(1),
        namespace: 1,
        id: 156,
        source: 101,
        update: None,
        at: at(year),
        result: 0,
        misc: vec!["U=".to_owned()],
        details: String::new(),
    };
    store.record_events(EventBatch { computer: pc("a"), received: at(10), events: vec![event] }).unwrap();
    import(&store, 20, &[software(2, 1, "Two")]);
    assert_eq!(found(&store, &with(StatusFilter::NoStatus), None), [2]);
}

#[test]
fn updates_are_found_by_what_their_documents_say_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = open(dir.path());
        let mut old = software(1, 1, "Old");
        old.properties.severity = Some("Critical".to_owned());
        old.properties.reboot = Some("NeverReboots".to_owned());
        old.properties.cves.push("CVE-2026-0001".to_owned());
        let mut new = software(2, 1, "New");
        new.relationships.supersedes.push(uid(1));
        new.properties.kb.push("5000002".to_owned());
        let family = category(10, CategoryKind::ProductFamily, "Windows", None);
        let product = category(11, CategoryKind::Product, "Windows 11", Some(10));
        new.relationships.prerequisites.push(sluicegate_catalog::Clause::category(uid(11)));
        import(&store, 0, &[old, new, family, product]);
        check(&store);
    }
    // As an older program left it: the columns are filled from the documents.
    let db = rusqlite::Connection::open(dir.path().join("sluicegate.db")).unwrap();
    db.execute_batch(
        "UPDATE listing SET severity = '', reboot = ''; UPDATE counter SET value = 0 WHERE name = 'facets'",
    )
    .unwrap();
    drop(db);
    let store = open(dir.path());
    check(&store);
    // The superseding update is declined: then it replaces nothing.
    store.decline(uid(2), at(1)).unwrap();
    assert!(found(&store, &UpdateQuery { superseded: Some(true), ..all() }, None).is_empty());
    assert_eq!(
        found(&store, &UpdateQuery { approval: Some(ApprovalFilter::AnyExceptDeclined), ..all() }, None),
        [1]
    );
    assert_eq!(store.update(uid(1)).unwrap().superseded_by, [uid(2)]);

    fn check(store: &Store) {
        let find = |query: UpdateQuery| found(store, &query, None);
        assert_eq!(find(UpdateQuery { severities: vec![Severity::Critical], ..all() }), [1]);
        assert_eq!(find(UpdateQuery { reboot: Some(Reboot::Never), ..all() }), [1]);
        assert_eq!(find(UpdateQuery { cve: Some("cve-2026-0001".to_owned()), ..all() }), [1]);
        assert_eq!(find(UpdateQuery { kb: Some("5000002".to_owned()), ..all() }), [2]);
        assert_eq!(find(UpdateQuery { product: Some(uid(10)), ..all() }), [2], "by its product's family");
        assert_eq!(find(UpdateQuery { superseded: Some(true), ..all() }), [1]);
        let details = store.update(uid(1)).unwrap();
        assert_eq!((details.superseded_by, details.row.severity), (vec![uid(2)], Severity::Critical));
        assert_eq!(details.row.approval, ApprovalState::Undecided);
    }
}

#[test]
fn computers_are_listed_by_the_states_of_their_updates() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "One"), software(2, 1, "Two")]);
    report(&store, "a", 10, &[1], &[2]);
    report(&store, "bb", 10, &[], &[1, 2]);
    store.touch(Contact { dns_name: Some("zz".to_owned()), ..Contact::new(pc("ccc"), at(10)) }).unwrap();
    let list = |status| {
        let page =
            store.computers(&ComputerFilter { status, limit: 9, ..ComputerFilter::default() }).unwrap();
        page.rows.into_iter().map(|row| row.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(list(None), ["a", "bb", "ccc"]);
    assert_eq!(list(Some(StatusFilter::FailedOrNeeded)), ["a"]);
    assert_eq!(list(Some(StatusFilter::InstalledOrNotApplicable)), ["a", "bb"]);
    assert_eq!(list(Some(StatusFilter::NoStatus)), ["ccc"]);
    let (summary, pending) = store.summary(FleetScope::default()).unwrap();
    let computers = summary.computers;
    assert_eq!((computers.total, computers.needing, computers.up_to_date, computers.no_status), (3, 1, 1, 1));
    assert_eq!((summary.updates.needed, summary.updates.needed_unapproved, pending), (1, 1, 0));
}

#[test]
fn a_storm_of_reports_is_read_in_parts_and_says_how_many_wait() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "One")]);
    for n in 0..700 {
        store.touch(Contact::new(pc(&format!("pc-{n}")), at(1))).unwrap();
    }
    let page = store.updates(&all()).unwrap();
    assert_eq!((page.rows[0].states.total(), page.pending), (500, 200));
    // One computer that is asked for does not wait for its turn.
    assert_eq!(store.computer(&pc("pc-699")).unwrap().states.total(), 1);
    assert_eq!(store.catch_up(10_000).unwrap(), 0);
    assert_eq!(store.updates(&all()).unwrap().rows[0].states.total(), 700);
}

#[test]
fn updates_that_are_removed_from_the_rows_leave_the_lists() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "One"), software(2, 1, "Two")]);
    assert_eq!(found(&store, &all(), None), [1, 2]);
    let db = rusqlite::Connection::open(dir.path().join("sluicegate.db")).unwrap();
    db.execute_batch(
        "PRAGMA foreign_keys = ON; BEGIN;
         DELETE FROM revision WHERE update_id = (SELECT update_id FROM known_update ORDER BY newest LIMIT 1);
         DELETE FROM known_update WHERE newest NOT IN (SELECT id FROM revision); COMMIT;",
    )
    .unwrap();
    drop(db);
    // Any change of catalog or decisions has it looked at again.
    store.create_group("Later".parse().unwrap(), None, at(1)).unwrap();
    assert_eq!(found(&store, &all(), None), [2]);
}
