//! Cleanup: who decides, whom a superseded update waits for, and how many events are kept, over a store.

use crate::support::{at, identity, import, open, prepared, served, software, uid};
use sluicegate_catalog::compose::Document;
use sluicegate_catalog::{Limits, parse};
use sluicegate_policy::cleanup::CleanupStep;
use sluicegate_policy::hierarchy::Mode;
use sluicegate_policy::{ApprovalAction, UpdateState};
use sluicegate_store::check::CheckOptions;
use sluicegate_store::cleanup::{CleanupOrder, StepReport};
use sluicegate_store::hierarchy::{
    RolledComputer, RolledServer, RolledStatus, ServerSummary, StatusReport, UpstreamSettings, UpstreamSource,
};
use sluicegate_store::{ApprovalOrder, Contact, EventBatch, PreparedRevision, ReportedEvent, Store};
use sluicegate_terms::{GroupId, Guid};

const DAY: i64 = 86_400;

fn superseding(n: u128, old: u128) -> Document {
    let mut document = software(n, 1, "Replaces");
    document.relationships.supersedes.push(uid(old));
    document
}

fn approve(store: &Store, n: u128) {
    let order = ApprovalOrder {
        update: uid(n),
        group: GroupId::ALL_COMPUTERS,
        action: ApprovalAction::Install,
        deadline: None,
        by: "admin".to_owned(),
    };
    store.approve(order, at(0)).unwrap();
}

fn run(store: &Store, step: CleanupStep, day: i64, dry_run: bool) -> StepReport {
    let order = CleanupOrder { steps: Some([step].into()), dry_run };
    let report = store.cleanup(&order, at(day * DAY), &mut || true).unwrap();
    report.step(step).unwrap().clone()
}

fn is_declined(store: &Store, n: u128) -> bool {
    store.decisions().declined.contains_key(&uid(n))
}

#[test]
fn on_a_replica_neither_a_run_nor_a_dry_run_names_anything_to_decline() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut expired = software(3, 1, "Withdrawn");
    expired.properties.expired = true;
    import(&store, 0, &[software(1, 1, "Old"), superseding(2, 1), expired, software(4, 1, "A Preview")]);
    approve(&store, 2);
    let mut settings = store.cleanup_settings().unwrap();
    settings.set("filters", "title=*Preview*").unwrap();
    store.set_cleanup_settings(&settings, at(1)).unwrap();
    let deciding =
        [CleanupStep::ExpiredUpdates, CleanupStep::SupersededUpdates, CleanupStep::FilteredUpdates];
    for step in deciding {
        assert_eq!(run(&store, step, 100, true).found, 1, "{step} on a server that decides");
    }

    let replica = UpstreamSettings {
        source: Some(UpstreamSource::Server("http://parent:8530".to_owned())),
        mode: Mode::Replica,
        ..UpstreamSettings::default()
    };
    store.set_upstream_settings(replica, at(2)).unwrap();
    for step in deciding {
        let dry = run(&store, step, 100, true);
        assert_eq!((dry.found, &*dry.examples), (0, &[][..]), "{step}");
        assert_eq!(dry.note.as_deref(), Some("the upstream of this replica decides"));
        assert_eq!(run(&store, step, 100, false), dry, "a run says the same");
    }
    assert!([1, 3, 4].iter().all(|n| !is_declined(&store, *n)));
    let unused = run(&store, CleanupStep::UnusedUpdates, 365, true);
    assert_eq!(unused.found, 1, "what goes without a decision is still named: the withdrawn one");
}

/// A document as it would be with `IsMandatory`, which nobody here composes.
fn mandatory(document: &Document, value: &str) -> PreparedRevision {
    let xml = document.to_xml();
    let changed = xml.replacen("Properties ", &format!("Properties IsMandatory=\"{value}\" "), 1);
    assert_ne!(changed, xml);
    let parsed = parse(changed.as_bytes(), &Limits::default()).unwrap();
    PreparedRevision::from_document("mandatory.xml".to_owned(), parsed, vec![b'x'; 40], 40, served(&changed))
}

#[test]
fn a_superseded_update_that_its_publisher_made_mandatory_is_never_declined() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut importer = store.importer(at(0)).unwrap();
    importer.add(mandatory(&software(1, 1, "Must stay"), "true")).unwrap();
    importer.add(mandatory(&software(3, 1, "May go"), "false")).unwrap();
    importer.add(prepared("2.xml", &superseding(2, 1))).unwrap();
    importer.add(prepared("4.xml", &superseding(4, 3))).unwrap();
    importer.commit().unwrap();
    approve(&store, 2);
    approve(&store, 4);
    let found = run(&store, CleanupStep::SupersededUpdates, 1_000, false);
    assert_eq!(found.examples, [uid(3).to_string()]);
    assert_eq!((is_declined(&store, 1), is_declined(&store, 3)), (false, true));
}

/// A server below.
const BRANCH: Guid = Guid::from_u128(0xd0);

/// What it tells of the one update of its one computer.
fn told(store: &Store, state: UpdateState, number: u32) {
    let report = StatusReport {
        computer: "below".parse().unwrap(),
        detected: None,
        number,
        full: true,
        updates: vec![RolledStatus { update: uid(1), state, since: at(0) }],
    };
    store.roll_up_status(BRANCH, vec![report], at(DAY)).unwrap();
}

/// Its computer asked it then.
fn branch_with_a_computer(store: &Store, second: i64) {
    let below = RolledServer {
        id: BRANCH,
        name: "branch".to_owned(),
        parent: None,
        version: "1".to_owned(),
        is_replica: false,
        last_sync: None,
        last_rollup: Some(at(0)),
        summary: ServerSummary::default(),
        clients: vec![],
    };
    assert!(store.roll_up_servers(vec![below], at(0)).unwrap());
    let computer = RolledComputer {
        id: "below".parse().unwrap(),
        server: BRANCH,
        last_sync: Some(at(second)),
        last_sync_result: 1,
        last_reboot: None,
        last_status: Some(at(0)),
        last_inventory: None,
        details: None,
    };
    assert!(store.roll_up_computers(vec![computer], at(DAY)).unwrap().is_some());
}

#[test]
fn a_superseded_update_waits_for_the_computers_of_servers_below() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "Old"), superseding(2, 1)]);
    approve(&store, 2);
    branch_with_a_computer(&store, 0);
    let states = [UpdateState::NotInstalled, UpdateState::Failed, UpdateState::InstalledPendingReboot];
    for (state, number) in states.into_iter().zip(1..) {
        told(&store, state, number);
        assert_eq!(run(&store, CleanupStep::SupersededUpdates, 31, false).found, 0, "{state:?}");
    }
    told(&store, UpdateState::Installed, 9);
    assert_eq!(run(&store, CleanupStep::SupersededUpdates, 31, false).done, 1);
    assert!(is_declined(&store, 1));
}

#[test]
fn a_superseded_update_does_not_wait_for_what_a_computer_said_before_it_moved() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "Old"), superseding(2, 1)]);
    approve(&store, 2);
    let asks_here = |second| {
        let contact = Contact::new("below".parse().unwrap(), at(second));
        store.touch(Contact { synced: true, ..contact }).unwrap();
    };
    asks_here(5);
    events(&store, "below", 0..1);
    let found = || run(&store, CleanupStep::SupersededUpdates, 31, true).found;
    assert_eq!(found(), 0, "it needs it");
    branch_with_a_computer(&store, 10);
    told(&store, UpdateState::Installed, 1);
    assert_eq!(found(), 1, "it went to the branch and has it since");
    asks_here(20);
    assert_eq!(found(), 0);
    // It is here now, and what was told of it below says nothing.
    branch_with_a_computer(&store, 15);
    told(&store, UpdateState::NotInstalled, 2);
    let installed = ReportedEvent {
        instance: Guid::from_u128(99),
        namespace: 1,
        id: 156,
        source: 101,
        update: None,
        at: at(30),
        result: 0,
        misc: vec![format!("V={}", uid(1))],
        details: String::new(),
    };
    let batch = EventBatch { computer: "below".parse().unwrap(), received: at(DAY), events: vec![installed] };
    store.record_events(batch).unwrap();
    assert_eq!(found(), 1);
}

/// Events about update 1, each of its own instance; `numbers` are their order of arrival. The first of all says
/// that its computer needs the update; it is no event about an update and not kept as one.
fn events(store: &Store, computer: &str, numbers: std::ops::Range<u128>) {
    let event = |n: u128| ReportedEvent {
        instance: Guid::from_u128(n + 1),
        namespace: 1,
        id: if n == 0 { 156 } else { 147 },
        source: 101,
        update: (n > 0).then(|| identity(1, 1)),
        at: at(i64::try_from(n).unwrap()),
        result: 0,
        misc: if n == 0 { vec![format!("U={}", uid(1)), "V=".to_owned()] } else { vec![] },
        details: String::new(),
    };
    let events = numbers.map(event).collect();
    let batch = EventBatch { computer: computer.parse().unwrap(), received: at(DAY), events };
    store.record_events(batch).unwrap();
}

#[test]
fn the_newest_events_are_kept_however_their_numbers_have_gaps_and_status_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "One")]);
    let mut settings = store.cleanup_settings().unwrap();
    settings.set("most-events", "1000").unwrap();
    store.set_cleanup_settings(&settings, at(0)).unwrap();
    // 300 of b lie between those of a and go with b, so that numbers and rows are different things.
    events(&store, "a", 0..701);
    events(&store, "b", 701..1_001);
    events(&store, "c", 1_001..1_201);
    store.forget_computer(&"b".parse().unwrap(), at(DAY)).unwrap();
    assert_eq!(run(&store, CleanupStep::Events, 2, true).found, 0, "900 rows, though 1,200 numbers");
    assert_eq!(run(&store, CleanupStep::Events, 2, false).done, 0);

    for some in 0..4 {
        events(&store, &format!("d{some}"), 1_201 + some * 400..1_201 + (some + 1) * 400);
    }
    let status = |name: &str| store.computer_status(&name.parse().unwrap()).unwrap();
    assert_eq!(status("a").rows.len(), 1);
    let before: Vec<_> = ["a", "c", "d0", "d3"].into_iter().map(status).collect();
    let kept = |name: &str| store.events_of(&name.parse().unwrap(), 5_000).unwrap().len();
    assert_eq!(run(&store, CleanupStep::Events, 2, true).found, 1_500, "2,500 rows");
    assert_eq!(run(&store, CleanupStep::Events, 2, false).done, 1_500);
    assert_eq!([kept("a"), kept("c"), kept("d0"), kept("d1")], [0, 0, 0, 200]);
    assert_eq!([kept("d2"), kept("d3")], [400, 400], "the newest stay");
    assert_eq!(["a", "c", "d0", "d3"].into_iter().map(status).collect::<Vec<_>>(), before);
    assert_eq!(run(&store, CleanupStep::Events, 2, true).found, 0, "and the next run finds none");
}

#[test]
fn what_retired_long_ago_waits_for_what_came_since_and_refers_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let withdrawn = |n| {
        let mut document = software(n, 1, "Withdrawn");
        document.properties.expired = true;
        document
    };
    import(&store, 0, &[withdrawn(5)]);
    let mut settings = store.cleanup_settings().unwrap();
    settings.set("expired-days", "30").unwrap();
    store.set_cleanup_settings(&settings, at(0)).unwrap();
    assert_eq!(run(&store, CleanupStep::UnusedUpdates, 31, false).found, 1, "the part retires");
    let mut bundle = withdrawn(4);
    bundle.relationships.bundles.push(vec![identity(5, 1)]);
    import(&store, 32 * DAY, &[bundle]);
    // Nobody cleaned up for a month: the bundle may go too, after its time of grace, and the part with it.
    let first = run(&store, CleanupStep::UnusedUpdates, 63, false);
    assert_eq!((first.found, first.done), (2, 0), "the part does not leave before the bundle");
    let options = CheckOptions { content: false, repair: false, now: at(63 * DAY), prepare: None };
    assert!(store.check(&options).unwrap().is_sound());
    let second = run(&store, CleanupStep::UnusedUpdates, 64, false);
    assert_eq!((second.found, second.done), (2, 2));
}

#[test]
fn a_bundle_that_names_a_revision_which_was_removed_gets_it_back_although_a_newer_one_is_here() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(5, 1, "Part"), software(5, 2, "Part")]);
    for day in [31, 33] {
        run(&store, CleanupStep::OldRevisions, day, false);
    }
    assert_eq!(store.missing_revisions(&[identity(5, 1), identity(5, 2)]).unwrap(), []);
    let mut bundle = software(4, 1, "Bundle");
    bundle.relationships.bundles.push(vec![identity(5, 1)]);
    assert_eq!(import(&store, 34 * DAY, &[bundle]).quarantined.len(), 1);
    assert_eq!(store.missing_members().unwrap(), [identity(5, 1)]);
    let report = import(&store, 34 * DAY, &[software(5, 1, "Part")]);
    assert_eq!((report.released, store.quarantine().unwrap().len()), (1, 0));
}

#[test]
fn a_replica_is_told_of_removed_updates_as_of_declined_ones_until_they_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "Unwanted"), software(2, 1, "Revised"), software(2, 2, "Revised")]);
    store.decline(uid(1), at(0)).unwrap();
    assert_eq!(store.removed_updates().unwrap(), []);
    for day in [31, 33] {
        run(&store, CleanupStep::OldRevisions, day, false);
        run(&store, CleanupStep::UnusedUpdates, day, false);
    }
    assert!(!is_declined(&store, 1), "the decline went with its update");
    assert_eq!(store.removed_updates().unwrap(), [uid(1)], "not one of which a revision is left");
    import(&store, 34 * DAY, &[software(1, 1, "Unwanted")]);
    assert_eq!(store.removed_updates().unwrap(), []);
}
