//! What a synchronization writes counts for the upstream and the mode it began with, and for no other.

use crate::support;

use sluicegate_policy::hierarchy::Mode;
use sluicegate_store::hierarchy::{DeploymentNews, SyncState, Told, UpstreamSettings, UpstreamSource};
use sluicegate_store::{Store, StoreError};
use sluicegate_terms::{GroupId, Guid};
use support::{at, category, identity, open, prepared};

fn follow(store: &Store, url: &str, mode: Mode) {
    let source = Some(UpstreamSource::Server(url.to_owned()));
    store.set_upstream_settings(UpstreamSettings { source, mode, ..Default::default() }, at(0)).unwrap();
}

/// Tries every step of a synchronization through a handle; answers how many were done.
fn steps(store: &Store) -> usize {
    let mut importer = store.importer(at(1)).unwrap();
    let document = category(700, sluicegate_terms::CategoryKind::Product, "Desk", None);
    importer.add(prepared("test", &document)).unwrap();
    let all = sluicegate_policy::Group {
        id: GroupId::ALL_COMPUTERS,
        name: "All Computers".parse().unwrap(),
        parent: None,
    };
    let unassigned = sluicegate_policy::Group {
        id: GroupId::UNASSIGNED_COMPUTERS,
        name: "Unassigned Computers".parse().unwrap(),
        parent: Some(all.id),
    };
    let news =
        DeploymentNews { groups: vec![all, unassigned], anchor: "theirs".to_owned(), ..Default::default() };
    let failed = (identity(701, 1), "broken".to_owned());
    let told = [("pc-1".parse().unwrap(), Told::default())];
    let outcomes = [
        store.change_sync_state(|state| state.updates_anchor = Some("theirs".to_owned())).map(|_| ()),
        store.adopt_deployments(&news, at(1)).map(|_| ()),
        importer.commit().map(|_| ()),
        store.note_failed_revisions(&[failed], at(1)),
        store.forget_failed_revisions(&[identity(702, 1)]),
        store.note_told(&told),
        store.forget_told(),
        store.downstream_told(&[Guid::from_u128(1)]),
        store.files_failed(&[(sluicegate_terms::Sha1Digest([1; 20]), "gone".to_owned())], at(9)),
    ];
    for outcome in &outcomes {
        assert!(matches!(outcome, Ok(()) | Err(StoreError::UpstreamChanged)), "{outcome:?}");
    }
    outcomes.iter().filter(|outcome| outcome.is_ok()).count()
}

#[test]
fn nothing_is_written_for_an_upstream_or_a_mode_that_is_no_longer_the_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, "http://first", Mode::Replica);
    let (first, settings) = store.for_upstream().unwrap();
    assert_eq!(*settings, *store.upstream_settings());
    assert_eq!(steps(&first), 9, "while it is the one, all is written");
    follow(&store, "http://second", Mode::Replica);
    assert_eq!(store.sync_state().unwrap(), SyncState::default(), "the second begins from the start");
    let before = (store.anchor(), store.decisions());
    assert_eq!(steps(&first), 0);
    assert_eq!(store.sync_state().unwrap(), SyncState::default());
    assert!(store.failed_revisions().unwrap().is_empty());
    assert_eq!((store.anchor(), store.decisions()), before);

    let (second, _) = store.for_upstream().unwrap();
    follow(&store, "http://second", Mode::Autonomous);
    assert_eq!(second.change_sync_state(|s| s.next_run = None).err().map(|e| e.to_string()), {
        Some(StoreError::UpstreamChanged.to_string())
    });
    // Coming back to the first does not make it the run's upstream again.
    follow(&store, "http://first", Mode::Replica);
    assert_eq!(steps(&first), 0);
    drop((first, second));
    let (generation, dir) = (store.generation().unwrap(), dir);
    drop(store);
    assert_eq!(open(dir.path()).generation().unwrap(), generation, "it outlives a restart");
}

#[test]
fn other_settings_leave_a_run_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, "http://first", Mode::Replica);
    let (run, _) = store.for_upstream().unwrap();
    let mut settings = UpstreamSettings::clone(&store.upstream_settings());
    settings.schedule = "4@03:00".parse().unwrap();
    settings.account_name = "other.example".to_owned();
    store.set_upstream_settings(settings, at(2)).unwrap();
    assert_eq!(steps(&run), 9);
}
