//! Runs that nobody asks for: their time, a time that was missed, and another try soon after a passing failure.

use super::{follow, now, open, parent};
use crate::upstream::Trouble;
use parking_lot::Mutex;
use sluicegate_store::Store;
use sluicegate_store::hierarchy::RunOutcome;
use sluicegate_terms::Timestamp;
use sluicegate_upstream::sync::Surroundings;
use sluicegate_upstream::transport::RetryPolicy;
use sluicegate_upstream::{Synchronizer, SynchronizerOptions};
use std::sync::Arc;
use std::time::Duration;

type Time = Arc<Mutex<Timestamp>>;

fn starting(store: &Store, time: &Time, random: u64) -> Synchronizer {
    let clock = Arc::clone(time);
    let mut around = Surroundings::new(Arc::new(move || *clock.lock()), "child.example".to_owned());
    around.transport.retry = RetryPolicy { first: Duration::from_millis(1), ..RetryPolicy::default() };
    let options = SynchronizerOptions { around, random: Arc::new(move || random) };
    Synchronizer::start(store.clone(), options).unwrap()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

fn next(store: &Store) -> Option<Timestamp> {
    store.sync_state().unwrap().next_run
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_begins_by_itself_when_its_time_has_come_and_the_drawn_time_outlives_a_restart() {
    let upstream = parent(3).await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let time = Arc::new(Mutex::new(now()));
    follow(&store, &upstream, |s| s.schedule = "1@03:00+30".parse().unwrap());
    let first = starting(&store, &time, 7);
    until("a time is drawn", || next(&store).is_some()).await;
    let drawn = next(&store).unwrap();
    let schedule = store.upstream_settings().schedule;
    assert_ne!(schedule.next_run(now(), 7), schedule.next_run(now(), 1_000_003), "the offset is drawn");
    assert_eq!(Some(drawn), schedule.next_run(now(), 7));
    drop(first);
    // Another draw would be another time.
    let second = starting(&store, &time, 1_000_003);
    second.settings_changed();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(next(&store), Some(drawn));
    assert!(store.sync_history(1).unwrap().is_empty(), "its time has not come");
    *time.lock() = drawn;
    second.settings_changed();
    until("the run ends", || {
        store.sync_history(1).unwrap().first().is_some_and(|run| run.outcome == RunOutcome::Succeeded)
    })
    .await;
    let run = store.sync_history(1).unwrap().remove(0);
    assert_eq!((run.started_by.as_str(), run.started, run.counts.new), ("schedule", drawn, 6));
    assert!(next(&store).unwrap() > drawn);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_could_not_be_written_is_told_and_written_later_with_what_follows_from_it() {
    let upstream = parent(3).await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |s| s.schedule = "1@03:00".parse().unwrap());
    let synchronizer = starting(&store, &Arc::new(Mutex::new(now())), 0);
    until("a time is drawn", || next(&store).is_some()).await;
    let drawn = next(&store).unwrap();
    let db = rusqlite::Connection::open(dir.path().join("sluicegate.db")).unwrap();
    db.execute_batch(
        "CREATE TRIGGER no_room BEFORE UPDATE ON sync_run WHEN NEW.outcome <> 'running'
         BEGIN SELECT RAISE(ABORT, 'no room'); END",
    )
    .unwrap();
    upstream.state.lock().trouble = (0..10_000).map(|call| (call, Trouble::Cut)).collect();
    synchronizer.request_run("test").await.unwrap();
    synchronizer.wait().await;
    let told = store.sync_history(1).unwrap().remove(0);
    assert_eq!(told.outcome, RunOutcome::Failed, "told from memory: {told:?}");
    assert!(!synchronizer.ends_are_written());
    let written = || {
        db.query_row("SELECT outcome FROM sync_run WHERE id = ?1", [told.id], |row| row.get::<_, String>(0))
            .unwrap()
    };
    assert_eq!((written().as_str(), next(&store)), ("running", Some(drawn)));
    db.execute_batch("DROP TRIGGER no_room").unwrap();
    synchronizer.settings_changed();
    until("the end is written", || synchronizer.ends_are_written()).await;
    assert_eq!(written(), "failed");
    assert_eq!(store.sync_history(1).unwrap(), [told], "and it says the same");
    assert_eq!(next(&store), Some(now().plus_seconds(600)), "tried again soon");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_passed_while_the_server_was_off_is_caught_up_at_start() {
    let upstream = parent(3).await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |s| s.schedule = "1@03:00".parse().unwrap());
    store.change_sync_state(|state| state.next_run = Some(now().plus_seconds(-7_200))).unwrap();
    let synchronizer = starting(&store, &Arc::new(Mutex::new(now())), 0);
    until("a run ends", || {
        store.sync_history(1).unwrap().first().is_some_and(|run| run.outcome == RunOutcome::Succeeded)
    })
    .await;
    assert_eq!(store.sync_history(5).unwrap().len(), 1, "once, however long it was off");
    assert_eq!(store.sync_history(1).unwrap()[0].started_by, "schedule");
    assert!(next(&store).unwrap() > now());
    drop(synchronizer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_the_end_of_the_server_cut_off_is_begun_again_soon_after_the_start() {
    let upstream = parent(3).await;
    for (killed, schedule) in [(true, "1@03:00"), (false, "1@03:00"), (false, "manual")] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        follow(&store, &upstream, |s| s.schedule = schedule.parse().unwrap());
        let time = Arc::new(Mutex::new(now()));
        if killed {
            store.begin_sync_run("schedule", &upstream.url, now()).unwrap();
        } else {
            let stopped = starting(&store, &time, 0);
            until("a time is drawn", || schedule == "manual" || next(&store).is_some()).await;
            stopped.request_run("schedule").await.unwrap();
            stopped.stop();
            assert_eq!(stopped.wait().await.error_code, Some("Interrupted"));
        }
        let again = starting(&store, &time, 0);
        let cut_off = store.sync_history(1).unwrap().remove(0);
        assert_eq!(cut_off.outcome, RunOutcome::Interrupted);
        assert!(cut_off.error_text.unwrap().contains("goes on from there"));
        if schedule == "manual" {
            assert_eq!(next(&store), None, "nobody wants runs that nobody asks for");
            continue;
        }
        let soon = now().plus_seconds(600);
        assert_eq!(next(&store), Some(soon));
        *time.lock() = soon;
        again.settings_changed();
        until("a run ends", || {
            store.sync_history(1).unwrap().first().is_some_and(|run| run.outcome == RunOutcome::Succeeded)
        })
        .await;
        until("the schedule goes on", || next(&store) > Some(soon)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_passing_failure_it_is_tried_again_sooner_and_after_another_one_by_schedule() {
    let upstream = parent(3).await;
    for (trouble, soon) in [(Trouble::Cut, true), (Trouble::Page, false)] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        follow(&store, &upstream, |s| s.schedule = "1@03:00".parse().unwrap());
        let by_schedule = store.upstream_settings().schedule.next_run(now(), 0);
        upstream.state.lock().trouble = (0..10_000).map(|call| (call, trouble)).collect();
        let synchronizer = starting(&store, &Arc::new(Mutex::new(now())), 0);
        synchronizer.request_run("test").await.unwrap();
        let ended = synchronizer.wait().await;
        assert!(ended.error_code.is_some());
        let expected = if soon { Some(now().plus_seconds(600)) } else { by_schedule };
        until("the next time is there", || next(&store) == expected).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_by_schedule_that_cannot_begin_stands_in_the_history_as_failed() {
    let upstream = parent(3).await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let cut = dir.path().join("ca.pem");
    std::fs::write(&cut, "-----BEGIN CERTIFICATE-----\nTUlJ\n").unwrap();
    follow(&store, &upstream, |s| {
        s.schedule = "1@03:00".parse().unwrap();
        s.ca_file = Some(cut.clone());
    });
    let due = now().plus_seconds(-60);
    store.change_sync_state(|state| state.next_run = Some(due)).unwrap();
    let synchronizer = starting(&store, &Arc::new(Mutex::new(now())), 0);
    until("the run is noted", || !store.sync_history(1).unwrap().is_empty()).await;
    until("it ended", || store.sync_history(1).unwrap()[0].outcome != RunOutcome::Running).await;
    let run = store.sync_history(1).unwrap().remove(0);
    assert_eq!((run.outcome, run.started_by.as_str()), (RunOutcome::Failed, "schedule"));
    assert_eq!(run.upstream, upstream.url);
    assert_eq!((run.ended, run.error_code.as_deref()), (Some(now()), Some("LocalError/TransportSettings")));
    let said = run.error_text.unwrap();
    assert!(said.contains("it is cut off, the line `-----END CERTIFICATE-----` is missing"), "{said}");
    until("the status tells", || synchronizer.status().run == Some(run.id)).await;
    assert_eq!(synchronizer.status().error_code, Some("LocalError/TransportSettings"));
    assert!(!synchronizer.status().running);
    assert!(next(&store).unwrap() > now(), "and it is tried again by schedule");
    // Once it can begin, it does.
    follow(&store, &upstream, |s| s.schedule = "1@03:00".parse().unwrap());
    synchronizer.request_run("test").await.unwrap();
    assert_eq!(synchronizer.wait().await.error_code, None);
}

/// What becomes of a time that a clock drew which was so many seconds ahead: at the start, and while the server runs.
async fn drawn_ahead(
    schedule: &str,
    seconds: i64,
    while_running: bool,
) -> (Option<Timestamp>, Option<Timestamp>) {
    let upstream = parent(3).await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |s| s.schedule = schedule.parse().unwrap());
    let schedule = store.upstream_settings().schedule;
    let ahead = now().plus_seconds(seconds);
    let drawn = schedule.next_run(ahead, 0);
    let time = Arc::new(Mutex::new(if while_running { ahead } else { now() }));
    store.change_sync_state(|state| state.next_run = drawn).unwrap();
    let synchronizer = starting(&store, &time, 5);
    if while_running {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(next(&store), drawn, "it is right by this clock");
        *time.lock() = now();
        synchronizer.settings_changed();
    }
    until("it is drawn anew", || next(&store) != drawn).await;
    drop(synchronizer);
    (next(&store), schedule.next_run(now(), 5))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_a_wrong_clock_drew_is_drawn_anew() {
    let (drawn, right) = drawn_ahead("4@03:00+30", 400 * 86_400, false).await;
    assert_eq!(drawn, right);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_of_every_hour_does_not_wait_for_the_hours_that_a_clock_was_ahead() {
    for while_running in [false, true] {
        for (schedule, hours) in [("24@00:00", 12), ("24@00:00+30", 3), ("4@03:00", 13)] {
            let (drawn, right) = drawn_ahead(schedule, hours * 3_600, while_running).await;
            assert_eq!(drawn, right, "{schedule}, {hours} h");
        }
    }
}
