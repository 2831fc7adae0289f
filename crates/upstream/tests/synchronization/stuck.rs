//! A run that does not come forward is ended, whatever trickles in, and the next one goes on (known problem P-24).

use super::{follow, now, open, parent, run_well};
use crate::upstream::Trouble;
use parking_lot::Mutex;
use sluicegate_store::hierarchy::RunOutcome;
use sluicegate_terms::Timestamp;
use sluicegate_upstream::sync::{Phase, Surroundings};
use sluicegate_upstream::{Synchronizer, SynchronizerOptions};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_to_which_only_bytes_trickle_is_ended_and_the_next_one_goes_on() {
    let upstream = parent(20).await;
    upstream.state.lock().trouble = (8..100).map(|call| (call, Trouble::Trickle)).collect();
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |s| {
        s.patience = "10".parse().unwrap();
        s.schedule = "1@03:00".parse().unwrap();
    });
    let time: Arc<Mutex<Timestamp>> = Arc::new(Mutex::new(now()));
    let clock = Arc::clone(&time);
    let mut around = Surroundings::new(Arc::new(move || *clock.lock()), "child.example".to_owned());
    around.glance = Duration::from_millis(2);
    let options = SynchronizerOptions { around, random: Arc::new(|| 4) };
    let synchronizer = Synchronizer::start(store.clone(), options).unwrap();
    synchronizer.request_run("test").await.unwrap();
    while upstream.state.lock().calls.len() < 9 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // It may take long, as long as it comes forward.
    *time.lock() = now().plus_seconds(599);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(synchronizer.status().running);
    *time.lock() = now().plus_seconds(601);
    let ended = synchronizer.wait().await;
    assert_eq!(ended.error_code, Some("UssCommunicationError/Stuck"));
    let said = ended.error.unwrap();
    assert!(said.contains("updates") && said.contains(&now().iso()) && said.contains("--patience"), "{said}");
    let run = store.sync_history(1).unwrap().remove(0);
    assert_eq!((run.outcome, run.phase.as_str()), (RunOutcome::Failed, Phase::Updates.as_str()));
    let next = store.sync_state().unwrap().next_run.unwrap();
    assert_eq!(next, now().plus_seconds(601 + 600), "tried again sooner than the schedule says");
    drop(synchronizer);
    upstream.state.lock().trouble.clear();
    assert_eq!(run_well(&store).await.counts.new, 20, "what came before is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_has_stored_is_in_the_history_before_anybody_looks_after_the_run() {
    let upstream = parent(20).await;
    // The categories come; of the updates nothing does.
    upstream.state.lock().trouble = (8..100).map(|call| (call, Trouble::Hang)).collect();
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    let mut around = Surroundings::new(Arc::new(now), "child.example".to_owned());
    around.glance = Duration::from_secs(3_600);
    let options = SynchronizerOptions { around, random: Arc::new(|| 4) };
    let synchronizer = Synchronizer::start(store.clone(), options).unwrap();
    synchronizer.request_run("test").await.unwrap();
    let kept = async {
        loop {
            let run = store.sync_history(1).unwrap().remove(0);
            if run.counts.new == 3 && run.phase == Phase::Updates.as_str() {
                return run.outcome;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let outcome = tokio::time::timeout(Duration::from_secs(60), kept).await.expect("it is written down");
    assert_eq!(outcome, RunOutcome::Running);
    assert!(synchronizer.cancel());
    assert_eq!(synchronizer.wait().await.error_code, Some("Cancelled"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_come_is_kept_and_others_get_their_turn_while_the_upstream_says_nothing_more() {
    let upstream = parent(200).await;
    // The categories and some of the updates come, far fewer than a commit is to have.
    upstream.state.lock().trouble = (10..200).map(|call| (call, Trouble::Hang)).collect();
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    let around = Surroundings::new(Arc::new(now), "child.example".to_owned());
    let options = SynchronizerOptions { around, random: Arc::new(|| 4) };
    let synchronizer = Synchronizer::start(store.clone(), options).unwrap();
    synchronizer.request_run("test").await.unwrap();
    let updates_given = || upstream.state.lock().given.values().sum::<u32>();
    let started = Instant::now();
    let kept = || store.catalog_size().unwrap().revisions;
    while kept() < u64::from(updates_given()) || kept() < 8 {
        assert!(started.elapsed() < Duration::from_secs(120), "{} of {} are kept", kept(), updates_given());
        assert!(synchronizer.status().running, "{:?}", synchronizer.status());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let other = store.clone();
    let report = tokio::task::spawn_blocking(move || other.importer(now()).unwrap().commit().unwrap());
    let report =
        tokio::time::timeout(Duration::from_secs(60), report).await.expect("its turn comes").unwrap();
    assert_eq!(report.added, 0);
    assert!(synchronizer.status().running);
    assert!(synchronizer.status().counts.new >= 8, "what is kept is told of");
    assert!(synchronizer.cancel());
    synchronizer.wait().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_tries_settings_does_not_wait_as_long_as_a_run_would() {
    let upstream = parent(1).await;
    upstream.state.lock().trouble = (0..100).map(|call| (call, Trouble::Hang)).collect();
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    let mut around = Surroundings::new(Arc::new(now), "child.example".to_owned());
    around.transport.waits.person = Duration::from_millis(150);
    let options = SynchronizerOptions { around, random: Arc::new(|| 4) };
    let synchronizer = Synchronizer::start(store.clone(), options).unwrap();
    let tried = synchronizer.probe((*store.upstream_settings()).clone());
    let failed = tokio::time::timeout(Duration::from_secs(60), tried).await.unwrap().unwrap_err();
    assert_eq!(failed.code(), "UssCommunicationError/TimedOut", "{failed}");
    assert!(failed.to_string().contains("0.15 s"), "{failed}");
}
