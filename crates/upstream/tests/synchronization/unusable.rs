//! Revisions that the upstream lists and gives damaged or not at all: each run says so while they are missing, and they
//! are asked for again soon at first, then later.

use super::{follow, give, identity, now, open, parent, run_well, uid, update};
use parking_lot::Mutex;
use sluicegate_store::Store;
use sluicegate_store::hierarchy::RunOutcome;
use sluicegate_terms::{RevisionNumber, Timestamp};
use sluicegate_upstream::intake::Intake;
use sluicegate_upstream::sync::Surroundings;
use sluicegate_upstream::{Synchronizer, SynchronizerOptions};
use std::sync::Arc;
use std::time::Duration;

const HOUR: i64 = 3_600;

type Time = Arc<Mutex<Timestamp>>;

fn starting(store: &Store, time: &Time) -> Synchronizer {
    let clock = Arc::clone(time);
    let around = Surroundings::new(Arc::new(move || *clock.lock()), "child.example".to_owned());
    Synchronizer::start(store.clone(), SynchronizerOptions { around, random: Arc::new(|| 0) }).unwrap()
}

/// A run that succeeds, with what it warned of.
async fn warning(synchronizer: &Synchronizer) -> Option<String> {
    synchronizer.request_run("test").await.unwrap();
    let ended = synchronizer.wait().await;
    assert_eq!(ended.error, None);
    ended.warning
}

#[tokio::test(flavor = "multi_thread")]
async fn each_run_warns_of_what_is_missing_until_it_is_here_some_way() {
    let upstream = parent(3).await;
    upstream.state.lock().broken.extend([identity(1_000, 1), identity(1_001, 1)]);
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    let said = run_well(&store).await.warning.unwrap();
    for part in ["2 revisions that the upstream lists are missing", &now().iso(), "--retry-failed"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(said.contains(&now().plus_seconds(HOUR).iso()), "{said}");
    upstream.calls();
    let said = run_well(&store).await.warning.unwrap();
    assert!(said.contains("2 revisions") && !upstream.calls().contains(&"GetUpdateData"), "{said}");
    // One comes another way, of the other a newer revision does.
    let mut newer = update(1_001, 1, super::PRODUCT);
    newer.identity.revision = RevisionNumber::new(2).unwrap();
    give(&upstream, &newer, super::PRODUCT);
    let mut importer = store.importer(now()).unwrap();
    let xml = update(1_000, 1, super::PRODUCT).to_xml();
    let mut intake = Intake::new(sluicegate_catalog::Limits::default());
    importer.add(intake.bytes("by hand".to_owned(), xml.as_bytes()).unwrap()).unwrap();
    importer.commit().unwrap();
    assert_eq!(run_well(&store).await.warning, None);
    assert!(store.missing_failed_revisions().unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_damaged_is_asked_for_again_after_one_hour_then_later() {
    let upstream = parent(1).await;
    let broken = identity(1_000, 1);
    upstream.state.lock().broken.push(broken);
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    let time = Arc::new(Mutex::new(now()));
    let synchronizer = starting(&store, &time);
    let mut hours = 0;
    for (attempt, wait) in [(1, 1), (2, 4), (3, 12), (4, 20), (5, 20)] {
        *time.lock() = now().plus_seconds(hours * HOUR);
        assert!(warning(&synchronizer).await.is_some());
        let failed = store.failed_revisions().unwrap().remove(0);
        assert_eq!((failed.identity, failed.attempts, failed.since), (broken, attempt, now()));
        hours += wait;
        assert_eq!(failed.again_at, now().plus_seconds(hours * HOUR));
        *time.lock() = now().plus_seconds(hours * HOUR - 1);
        assert!(warning(&synchronizer).await.is_some());
        assert_eq!(store.failed_revisions().unwrap().remove(0).attempts, attempt, "its time has not come");
    }
    upstream.state.lock().broken.clear();
    *time.lock() = now().plus_seconds(hours * HOUR);
    assert_eq!(warning(&synchronizer).await, None);
    assert!(store.failed_revisions().unwrap().is_empty() && store.subject(uid(1_000)).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_a_schedule_a_run_is_made_for_what_came_damaged() {
    let upstream = parent(1).await;
    upstream.state.lock().broken.push(identity(1_000, 1));
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let time = Arc::new(Mutex::new(now()));
    follow(&store, &upstream, |s| s.schedule = "1@03:00".parse().unwrap());
    let far = store.upstream_settings().schedule.next_run(now(), 0).unwrap();
    assert!(far > now().plus_seconds(HOUR), "the schedule would not ask so soon");
    let synchronizer = starting(&store, &time);
    assert!(warning(&synchronizer).await.is_some());
    assert_eq!(store.sync_state().unwrap().next_run, Some(now().plus_seconds(HOUR)));
    upstream.state.lock().broken.clear();
    *time.lock() = now().plus_seconds(HOUR);
    synchronizer.settings_changed();
    let ended = async {
        while !store
            .sync_history(1)
            .unwrap()
            .iter()
            .any(|run| run.id == 2 && run.outcome == RunOutcome::Succeeded)
        {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ended).await.expect("a run begins by itself");
    let run = store.sync_history(1).unwrap().remove(0);
    assert_eq!((run.started_by.as_str(), run.counts.new, run.warning), ("schedule", 1, None));
    assert_eq!(store.sync_state().unwrap().next_run, Some(far), "then the schedule goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_given_for_ninety_days_is_no_longer_asked_for() {
    let upstream = parent(2).await;
    {
        let mut state = upstream.state.lock();
        state.withheld.push(identity(1_000, 1));
        state.broken.push(identity(1_001, 1));
    }
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    let time = Arc::new(Mutex::new(now()));
    let synchronizer = starting(&store, &time);
    assert!(warning(&synchronizer).await.unwrap().contains("2 revisions"));
    *time.lock() = now().plus_seconds(89 * 24 * HOUR);
    assert!(warning(&synchronizer).await.unwrap().contains("2 revisions"));
    *time.lock() = now().plus_seconds(91 * 24 * HOUR);
    let said = warning(&synchronizer).await.unwrap();
    assert!(said.contains("1 revision") && said.contains(&identity(1_001, 1).to_string()), "{said}");
}
