//! Cleanup over a store: what is declined, removed, forgotten and given back, what clients and downstream
//! servers see of it, and that it may be cut off anywhere.

use crate::scans;
use crate::support;

use scans::{Agent, serve};
use sluicegate_catalog::compose::Document;
use sluicegate_policy::ApprovalAction;
use sluicegate_policy::cleanup::{CleanupSettings, CleanupStep};
use sluicegate_store::cleanup::{CleanupOrder, CleanupOutcome, CleanupReport};
use sluicegate_store::{ApprovalOrder, Contact, EventBatch, ReportedEvent, Store, StoreError};
use sluicegate_terms::{GroupId, Guid, RevisionId, UpdateIdentity};
use support::{at, file, identity, import, needing, open, software, uid};

const DAY: i64 = 86_400;

fn detectoid(n: u128) -> Document {
    Document::detectoid(identity(n, 1), "Is it there", "<lar:True />")
}

fn superseding(n: u128, old: &[u128]) -> Document {
    let mut document = software(n, 1, "Replaces");
    document.relationships.supersedes.extend(old.iter().map(|n| uid(*n)));
    document
}

fn approve(store: &Store, n: u128, seconds: i64) {
    let order = ApprovalOrder {
        update: uid(n),
        group: GroupId::ALL_COMPUTERS,
        action: ApprovalAction::Install,
        deadline: None,
        by: "admin".to_owned(),
    };
    store.approve(order, at(seconds)).unwrap();
}

fn clean(store: &Store, day: i64) -> CleanupReport {
    store.cleanup(&CleanupOrder::default(), at(day * DAY), &mut || true).unwrap()
}

fn only(store: &Store, step: CleanupStep, day: i64) -> CleanupReport {
    let order = CleanupOrder { steps: Some([step].into()), dry_run: false };
    store.cleanup(&order, at(day * DAY), &mut || true).unwrap()
}

fn done(report: &CleanupReport, step: CleanupStep) -> u64 {
    report.step(step).unwrap().done
}

fn updates(store: &Store) -> u64 {
    store.catalog_size().unwrap().updates
}

fn identities(store: &Store) -> Vec<UpdateIdentity> {
    let mut list = Vec::new();
    store
        .for_each_revision(|revision| {
            list.push(revision.record.identity);
            Ok::<_, StoreError>(())
        })
        .unwrap();
    list.sort_unstable_by_key(|i| (i.update, i.revision));
    list
}

/// Every document and fragment can be read.
fn readable(store: &Store) -> usize {
    let cores = store.cores();
    let mut ids = Vec::new();
    store
        .for_each_revision(|revision| {
            ids.push((revision.id, revision.record.identity));
            Ok::<_, StoreError>(())
        })
        .unwrap();
    for (id, identity) in &ids {
        let bytes = cores.core(*id).unwrap();
        assert!(bytes.ends_with(identity.to_string().as_bytes()));
        cores.fragments(*id).unwrap();
        let text = store.document_bytes(*id).unwrap();
        assert!(!text.is_empty());
    }
    ids.len()
}

fn status(store: &Store, computer: &str, day: i64, needed: &[u128]) {
    let ids: Vec<String> = needed.iter().map(|n| uid(*n).to_string()).collect();
    let instance = Guid::from_u128(u128::try_from(day).unwrap() << 64 | u128::from(computer.len() as u64));
    let event = ReportedEvent {
        instance,
        namespace: 1,
        id: 156,
        source: 101,
        update: None,
        at: at(day * DAY),
        result: 0,
        misc: vec![format!("U={}", ids.join(";")), "V=".to_owned()],
        details: String::new(),
    };
    let batch =
        EventBatch { computer: computer.parse().unwrap(), received: at(day * DAY), events: vec![event] };
    store.record_events(batch).unwrap();
}

#[test]
fn what_is_removed_supersedes_nothing_any_more() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "Oldest"), superseding(2, &[1]), superseding(3, &[2])]);
    approve(&store, 3, 0);
    for day in [32, 62, 63] {
        clean(&store, day);
    }
    assert_eq!(identities(&store), [identity(1, 1), identity(3, 1)]);
    assert_eq!(store.update(uid(1)).unwrap().superseded_by, []);
    let rows = sluicegate_store::check::CheckOptions {
        content: true,
        repair: false,
        now: at(63 * DAY),
        prepare: None,
    };
    assert_eq!(store.check(&rows).unwrap().findings, []);
}

#[test]
fn a_superseded_update_is_declined_then_retires_and_is_removed_and_synchronization_does_not_bring_it_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[detectoid(7), needing(software(1, 1, "Old"), &[&[7]]), superseding(2, &[1])]);
    approve(&store, 2, 0);
    let mut agent = Agent::of(&[GroupId::ALL_COMPUTERS]);
    agent.scan(&serve(&store));
    assert_eq!(agent.held.len(), 3);

    assert_eq!(done(&clean(&store, 29), CleanupStep::SupersededUpdates), 0, "29 days on the server");
    status(&store, "pc", 29, &[1]);
    assert_eq!(done(&only(&store, CleanupStep::SupersededUpdates, 31), CleanupStep::SupersededUpdates), 0);
    status(&store, "pc", 31, &[]);
    assert_eq!(done(&clean(&store, 32), CleanupStep::SupersededUpdates), 1, "nobody needs it any more");
    agent.scan(&serve(&store));
    assert_eq!(agent.held.len(), 2, "the agent let go of it");

    let report = clean(&store, 62);
    let step = report.step(CleanupStep::UnusedUpdates).unwrap();
    assert_eq!((step.found, step.done), (1, 0), "it retires");
    assert!(step.note.as_ref().is_some_and(|note| note.contains("24 hours")));
    let retiring = || {
        let mut list = Vec::new();
        let each = |revision: sluicegate_store::StoredRevision| {
            list.extend(revision.retiring.then_some(revision.record.identity));
            Ok::<_, StoreError>(())
        };
        store.for_each_revision(each).unwrap();
        list
    };
    assert_eq!(retiring(), [identity(1, 1)]);
    assert_eq!(done(&clean(&store, 63), CleanupStep::UnusedUpdates), 1);
    assert_eq!(identities(&store), [identity(2, 1), identity(7, 1)]);
    let served = serve(&store);
    agent.scan(&served);
    assert_eq!(agent.held.len(), 2);
    let leaf = agent.held.iter().find(|(id, _)| served.identities[id] == identity(7, 1)).unwrap().1.0;
    assert!(leaf, "the agent was told that the detectoid is a leaf now");

    let listed = [identity(1, 1), identity(1, 2), identity(9, 1)];
    assert_eq!(store.missing_revisions(&listed).unwrap(), listed[1..]);
    let many: Vec<_> = listed.into_iter().chain((10_000..12_000).map(|n| identity(n, 1))).collect();
    assert_eq!(store.missing_revisions(&many).unwrap(), many[1..], "also among thousands");
    assert!(store.verify_audit().unwrap().is_whole());
    assert_eq!(import(&store, 70 * DAY, &[software(1, 1, "Old")]).added, 1, "importing it by hand works");
}

#[test]
fn what_retires_comes_back_when_somebody_approves_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "Old")]);
    store.decline(uid(1), at(0)).unwrap();
    clean(&store, 40);
    let before = store.anchor();
    approve(&store, 1, 40 * DAY + 60);
    assert_eq!(done(&clean(&store, 42), CleanupStep::UnusedUpdates), 0);
    let mut arrived = None;
    store
        .for_each_revision(|revision| {
            assert!(!revision.retiring);
            arrived = Some((revision.arrived, revision.arrived_at));
            Ok::<_, StoreError>(())
        })
        .unwrap();
    let (anchor, time) = arrived.unwrap();
    assert!(anchor > before, "downstream servers that were not told of it are told now");
    assert_eq!(time, at(42 * DAY));
}

#[test]
fn a_removed_detectoid_that_a_new_update_needs_is_asked_for_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[detectoid(7), software(1, 1, "Stays")]);
    clean(&store, 91);
    assert_eq!(done(&clean(&store, 92), CleanupStep::UnusedDetectoids), 1);
    assert!(store.missing_members().unwrap().is_empty());

    let report = import(&store, 100 * DAY, &[needing(software(2, 1, "Needs it"), &[&[7]])]);
    assert_eq!(report.quarantined.len(), 1);
    assert_eq!(store.missing_members().unwrap(), [identity(7, 1)]);
    assert_eq!(store.missing_revisions(&[identity(7, 1)]).unwrap(), [identity(7, 1)]);
    let report = import(&store, 100 * DAY + 1, &[detectoid(7)]);
    assert_eq!((report.added, report.released), (2, 1));
    assert!(serve(&store).snapshot.left_out().is_empty());
}

#[test]
fn a_dry_run_changes_nothing_and_says_what_it_would_do() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "Old"), superseding(2, &[1]), detectoid(7)]);
    approve(&store, 2, 0);
    store.touch(Contact::new("silent".parse().unwrap(), at(0))).unwrap();
    store.flush_contacts().unwrap();
    let before = (store.anchor(), identities(&store), store.audit_head().unwrap());
    let order = CleanupOrder { steps: None, dry_run: true };
    let report = store.cleanup(&order, at(200 * DAY), &mut || true).unwrap();
    assert_eq!(before, (store.anchor(), identities(&store), store.audit_head().unwrap()));
    let found = |step| report.step(step).unwrap().found;
    assert_eq!(found(CleanupStep::SupersededUpdates), 1);
    assert_eq!(found(CleanupStep::UnusedDetectoids), 1);
    assert_eq!(found(CleanupStep::Computers), 1);
    assert!(report.steps.iter().all(|step| step.done == 0));
    assert_eq!(report.step(CleanupStep::SupersededUpdates).unwrap().examples, [uid(1).to_string()]);
}

#[test]
fn silent_computers_and_old_events_go_and_the_others_keep_their_status() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "One")]);
    status(&store, "silent", 0, &[1]);
    status(&store, "alive", 0, &[1]);
    let about = |computer: &str, n: u128, day: i64| {
        let event = ReportedEvent {
            instance: Guid::from_u128(n),
            namespace: 1,
            id: 147,
            source: 101,
            update: Some(identity(1, 1)),
            at: at(day * DAY),
            result: 0,
            misc: vec![],
            details: String::new(),
        };
        let computer = computer.parse().unwrap();
        store.record_events(EventBatch { computer, received: at(day * DAY), events: vec![event] }).unwrap();
    };
    about("alive", 1, 1);
    about("alive", 2, 190);
    let report = clean(&store, 200);
    assert_eq!(report.forgotten, ["silent".parse().unwrap()]);
    assert!(store.computer(&"silent".parse().unwrap()).is_err());
    assert_eq!(done(&report, CleanupStep::Events), 1);
    let alive = "alive".parse().unwrap();
    let kept = store.events_of(&alive, 10).unwrap();
    assert_eq!(kept.iter().filter(|event| event.update.is_some()).count(), 1);
    assert_eq!(store.computer_status(&alive).unwrap().rows.len(), 1, "status does not depend on history");
}

#[test]
fn content_goes_when_every_update_that_declares_it_is_declined_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let with = |n, bytes: &[u8]| {
        let mut document = software(n, 1, "With a file");
        document.files.push(file("a.cab", bytes));
        document
    };
    import(&store, 0, &[with(1, b"shared"), with(2, b"shared"), with(3, b"own")]);
    for bytes in [b"shared".as_slice(), b"own"] {
        store.add_content("a.cab", &mut { bytes }, at(0), &mut |_| {}).unwrap();
    }
    store.decline(uid(1), at(0)).unwrap();
    store.decline(uid(3), at(0)).unwrap();
    let own = file("a.cab", b"own").sha1;
    let shared = file("a.cab", b"shared").sha1;
    // The file's age is that of the real file, long before the simulated days.
    assert_eq!(done(&only(&store, CleanupStep::Files, 20), CleanupStep::Files), 1);
    assert!(!store.content().has(own) && store.content().has(shared));
    assert!(store.file(own).is_some(), "its update still declares it");
    clean(&store, 40);
    clean(&store, 42);
    assert_eq!(store.file(own), None, "nobody declares it any more");
    assert!(store.content().has(shared));
}

/// Updates with large documents, all but every tenth of them declined.
fn large(store: &Store, count: u128) {
    let documents: Vec<Document> = (1..=count)
        .map(|n| {
            let mut document = software(n, 1, "Large");
            let noise: String = (0..600_u64)
                .map(|i| format!("{:016x}", (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ (n as u64) << 17)))
                .collect();
            document.texts[0].description = noise;
            document
        })
        .collect();
    import(store, 0, &documents);
    for n in (1..=count).filter(|n| n % 10 != 0) {
        store.decline(uid(n), at(0)).unwrap();
    }
}

fn allocated(store: &Store) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let folder = std::fs::read_dir(store.dir().join("fragments")).unwrap();
    folder.map(|entry| entry.unwrap().metadata().unwrap().blocks() * 512).sum()
}

#[test]
fn compaction_gives_room_back_only_when_no_reader_knows_the_old_places() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    large(&store, 400);
    let reader = store.cores();
    let ids: Vec<RevisionId> = (1..=400).map(|n| RevisionId::new(n).unwrap()).collect();
    clean(&store, 40);
    let full = allocated(&store);
    assert_eq!(done(&clean(&store, 42), CleanupStep::UnusedUpdates), 360);
    assert!(allocated(&store) >= full, "a reader still knows every place");
    for id in &ids {
        reader.fragments(*id).unwrap();
    }
    assert_eq!(readable(&store), 40);
    drop(reader);
    let report = only(&store, CleanupStep::Segments, 43);
    let given = report.step(CleanupStep::Segments).unwrap();
    if given.note.as_ref().is_some_and(|note| note.contains("file system")) {
        println!("this file system cannot punch holes; the rest of the test is skipped");
        return;
    }
    assert!(given.bytes > full / 2, "{given:?} of {full}");
    assert!(allocated(&store) < full / 2);
    assert_eq!(readable(&store), 40);
    assert!(store.cores().fragments(ids[0]).is_err(), "what was removed is not there any more");
    drop(store);
    let store = open(dir.path());
    assert_eq!(readable(&store), 40);
    import(&store, 50 * DAY, &[software(1_000, 1, "Afterwards")]);
    assert_eq!(readable(&store), 41);
}

#[test]
fn a_run_that_is_cut_off_anywhere_is_finished_by_the_next_to_the_same_end() {
    let build = |dir: &std::path::Path| {
        let store = open(dir);
        large(&store, 250);
        import(&store, 1, &[detectoid(900), software(5_000, 1, "a"), software(5_000, 2, "b")]);
        for n in 0..120 {
            store.touch(Contact::new(format!("pc-{n}").parse().unwrap(), at(0))).unwrap();
        }
        store
    };
    let whole = tempfile::tempdir().unwrap();
    let store = build(whole.path());
    clean(&store, 100);
    clean(&store, 102);
    let expected = identities(&store);
    assert_eq!(expected.len(), 26);
    assert!(store.computer(&"pc-7".parse().unwrap()).is_err());

    for steps in [1, 2, 5, 9, 14, 20] {
        let dir = tempfile::tempdir().unwrap();
        drop(build(dir.path()));
        for day in [100, 102] {
            let store = open(dir.path());
            let mut left = steps;
            let mut go_on = || {
                left -= 1;
                left >= 0
            };
            let report = store.cleanup(&CleanupOrder::default(), at(day * DAY), &mut go_on).unwrap();
            assert_eq!(readable(&store), identities(&store).len());
            assert!(serve(&store).snapshot.left_out().is_empty());
            if report.stopped {
                drop(store);
                let store = open(dir.path());
                let rest = store.cleanup(&CleanupOrder::default(), at(day * DAY), &mut || true).unwrap();
                assert!(!rest.stopped);
            }
        }
        assert_eq!(identities(&open(dir.path())), expected, "cut off after {steps}");
    }
}

#[test]
fn settings_and_runs_are_remembered_and_an_interrupted_run_shows() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    assert_eq!(store.cleanup_settings().unwrap(), CleanupSettings::default());
    let mut settings = CleanupSettings::default();
    settings.set("computer-days", "90").unwrap();
    store.set_cleanup_settings(&settings, at(1)).unwrap();
    let first = store.begin_cleanup_run("schedule", at(2)).unwrap();
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.cleanup_settings().unwrap().computer_days, 90);
    let second = store.begin_cleanup_run("admin", at(3)).unwrap();
    store.end_cleanup_run(second, CleanupOutcome::Done, &clean(&store, 1).steps, at(4)).unwrap();
    let runs = store.cleanup_runs(10).unwrap();
    assert_eq!(
        runs.iter().map(|r| (r.id, r.outcome)).collect::<Vec<_>>(),
        [(second, CleanupOutcome::Done), (first, CleanupOutcome::Interrupted)]
    );
    assert_eq!(runs[0].steps.len(), CleanupStep::ALL.len());
    assert_eq!(updates(&store), 0);
}
