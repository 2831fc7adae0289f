//! Files of a run: what is said of those that do not come, and what a run that ends early has to show for itself.

use super::*;
use parking_lot::Mutex;
use sluicegate_upstream::sync::Phase;

/// `count` approved updates, each with a file that the upstream has.
pub async fn with_files(count: u8) -> (Upstream, tempfile::TempDir, Store) {
    let upstream = parent(1).await;
    for n in 0..count {
        let bytes = [n; 40];
        let mut document = update(6_000 + u128::from(n), 1, PRODUCT);
        document.files.push(file(&bytes, "a.cab"));
        give(&upstream, &document, PRODUCT);
        put(&upstream, n, bytes.to_vec());
    }
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |s| s.content.when = ContentWhen::All);
    (upstream, dir, store)
}

/// Has the upstream serve these bytes as the file of an update.
fn put(upstream: &Upstream, n: u8, bytes: Vec<u8>) {
    let hex = Sha1Digest(Sha1::digest([n; 40]).into()).to_hex_upper();
    upstream.state.lock().files.insert(format!("{}/{hex}.cab", &hex[38..]), bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_does_not_come_is_told_of_in_its_run_and_in_those_until_it_is_tried_again() {
    let (upstream, _dir, store) = with_files(3).await;
    put(&upstream, 1, b"something else".to_vec());
    let ended = run_well(&store).await;
    assert_eq!((ended.counts.files, ended.counts.files_failed), (2, 1));
    assert_eq!(ended.counts.file_bytes, 80, "what was thrown away is no file");
    let warning = ended.warning.unwrap();
    assert!(warning.contains("1 of 3 files did not come") && warning.contains("`a.cab`"), "{warning}");
    assert_eq!(store.sync_history(1).unwrap()[0].warning.as_ref(), Some(&warning));
    let warning = run_well(&store).await.warning.unwrap();
    assert!(warning.contains("1 file waits") && warning.contains("`a.cab`"), "{warning}");
    assert!(warning.contains("`sluicegate sync now --retry-failed`"), "{warning}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_while_the_clock_was_ahead_does_not_wait_for_that_time() {
    let (upstream, _dir, store) = with_files(1).await;
    put(&upstream, 0, b"something else".to_vec());
    let broken = update(7_001, 1, PRODUCT).identity;
    give(&upstream, &update(7_001, 1, PRODUCT), PRODUCT);
    upstream.state.lock().broken.push(broken);
    let ahead: fn() -> Timestamp = || now().plus_seconds(400 * 86_400);
    let mut around = surroundings();
    around.clock = Arc::new(ahead);
    let options = SynchronizerOptions { around, random: Arc::new(|| 4) };
    let synchronizer = Synchronizer::start(store.clone(), options).unwrap();
    synchronizer.request_run("test").await.unwrap();
    let counts = synchronizer.wait().await.counts;
    assert_eq!((counts.files_failed, counts.quarantined), (1, 1));
    drop(synchronizer);

    put(&upstream, 0, vec![0; 40]);
    upstream.state.lock().broken.clear();
    let ended = run_well(&store).await;
    assert_eq!((ended.counts.files, ended.counts.new, ended.warning), (1, 1, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_cancelled_while_files_come_counts_those_that_came() {
    let (upstream, _dir, store) = with_files(40).await;
    upstream.state.lock().slow = Duration::from_millis(30);
    let synchronizer = synchronizer(&store);
    synchronizer.request_run("test").await.unwrap();
    let mut watch = synchronizer.watch();
    watch.wait_for(|p| p.phase == Phase::Files && p.done >= 5).await.unwrap();
    assert!(synchronizer.cancel());
    let ended = synchronizer.wait().await;
    assert_eq!(ended.error_code, Some("Cancelled"));
    let came = store.sync_history(1).unwrap()[0].counts;
    assert!(came.files >= 4 && came.files < 40, "{came:?}");
    assert!(came.file_bytes >= 40 * came.files, "{came:?}");
    assert!(store.content().totals().0 as u64 >= came.files);
    assert_eq!(store.last_succeeded().unwrap(), None, "cancelled is not succeeded");
    upstream.state.lock().slow = Duration::ZERO;
    run_well(&store).await;
    assert_eq!(store.content().totals().0, 40);
    assert!(store.last_succeeded().unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_tells_of_a_run_under_way_what_it_has_done_should_the_process_end() {
    let (upstream, _dir, store) = with_files(40).await;
    upstream.state.lock().slow = Duration::from_millis(300);
    let mut around = surroundings();
    // It is written down as files come, not only when somebody looks whether the run is stuck.
    around.glance = Duration::from_secs(3_600);
    let options = SynchronizerOptions { around, random: Arc::new(|| 4) };
    let synchronizer = Synchronizer::start(store.clone(), options).unwrap();
    synchronizer.request_run("test").await.unwrap();
    let kept = loop {
        let kept = store.sync_history(1).unwrap().remove(0);
        assert_eq!(kept.outcome, RunOutcome::Running, "it ended before anything was written down");
        if kept.phase == "files" && kept.counts.files > 0 {
            break kept;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    assert_eq!(kept.counts.new, 44);
    assert!(kept.counts.file_bytes >= 40 * kept.counts.files && kept.counts.files < 40, "{kept:?}");
    // What the next start makes of it.
    store.close_interrupted_runs("CODE", "it was cut off", now()).unwrap();
    let closed = store.sync_history(1).unwrap().remove(0);
    assert_eq!((closed.outcome, closed.counts.new), (RunOutcome::Interrupted, 44));
    assert_eq!(
        (closed.error_code.as_deref(), closed.error_text.as_deref()),
        (Some("CODE"), Some("it was cut off"))
    );
    synchronizer.cancel();
    synchronizer.wait().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_the_upstream_still_does_not_have_in_the_next_run_is_told_of_until_it_comes() {
    let (upstream, _dir, store) = with_files(2).await;
    let absent = Sha1Digest(Sha1::digest([1; 40]).into());
    let hex = absent.to_hex_upper();
    upstream.state.lock().files.remove(&format!("{}/{hex}.cab", &hex[38..]));
    let first = run_well(&store).await;
    assert_eq!((first.counts.files, first.counts.files_failed, first.warning), (1, 0, None));
    assert_eq!(upstream.state.lock().asked_files, [absent]);
    assert_eq!(store.awaited_files().unwrap(), None, "it may come with the next run");
    for _ in 0..2 {
        let next = run_well(&store).await;
        let warning = next.warning.unwrap();
        assert!(warning.starts_with("1 file is wanted here and not at the upstream yet"), "{warning}");
        assert_eq!((next.counts.files, next.counts.files_failed), (0, 1));
        assert_eq!(store.awaited_files().unwrap().unwrap().files, 1);
    }
    put(&upstream, 1, vec![1; 40]);
    let last = run_well(&store).await;
    assert_eq!((last.counts.files, last.counts.files_failed, last.warning), (1, 0, None));
    assert_eq!(store.awaited_files().unwrap(), None);
    assert_eq!(run_well(&store).await.warning, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_nobody_wants_any_more_is_not_waited_for() {
    let (upstream, _dir, store) = with_files(1).await;
    let hex = Sha1Digest(Sha1::digest([0; 40]).into()).to_hex_upper();
    upstream.state.lock().files.remove(&format!("{}/{hex}.cab", &hex[38..]));
    run_well(&store).await;
    run_well(&store).await;
    assert_eq!(store.awaited_files().unwrap().unwrap().files, 1);
    let mut settings = UpstreamSettings::clone(&store.upstream_settings());
    settings.content.when = ContentWhen::Approved;
    store.set_upstream_settings(settings, now()).unwrap();
    assert_eq!(store.awaited_files().unwrap(), None, "nobody approved it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_under_way_fetches_no_more_files_once_nobody_wants_any() {
    let (upstream, _dir, store) = with_files(40).await;
    upstream.state.lock().slow = Duration::from_millis(200);
    let synchronizer = synchronizer(&store);
    synchronizer.request_run("test").await.unwrap();
    let mut watch = synchronizer.watch();
    watch.wait_for(|p| p.phase == Phase::Files && p.done >= 1).await.unwrap();
    follow(&store, &upstream, |s| s.content.when = ContentWhen::Never);
    synchronizer.settings_changed();
    let ended = synchronizer.wait().await;
    assert_eq!((ended.error, ended.warning), (None, None));
    let came = store.sync_history(1).unwrap()[0].counts.files;
    assert!((1..40).contains(&came), "{came}");
    assert_eq!(store.content().totals().0 as u64, came);
    // Who wants them again has the rest with the next run.
    upstream.state.lock().slow = Duration::ZERO;
    follow(&store, &upstream, |s| s.content.when = ContentWhen::All);
    assert_eq!(run_well(&store).await.counts.files, 40 - came);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_nobody_answers_any_more_the_rest_is_not_tried_and_a_run_comes_soon() {
    let (upstream, _dir, store) = with_files(40).await;
    follow(&store, &upstream, |s| {
        s.content.when = ContentWhen::All;
        s.schedule = "1@03:00".parse().unwrap();
    });
    upstream.state.lock().files_until_away = Some(5);
    let ended = run_well(&store).await;
    let counts = ended.counts;
    assert_eq!(counts.files, 5);
    // Those that were on their way when it was known.
    assert!((4..=7).contains(&counts.files_failed), "{counts:?}");
    let rest = 40 - 5 - counts.files_failed;
    let warning = ended.warning.unwrap();
    let said = format!("5 of 40 files came, {} failed, and {rest} were not tried", counts.files_failed);
    assert!(warning.starts_with(&said) && warning.contains("(503)"), "{warning}");
    assert_eq!(store.sync_state().unwrap().next_run, Some(now().plus_seconds(600)));
    upstream.state.lock().files_until_away = None;
    let ended = run_well(&store).await;
    assert_eq!((ended.counts.files, ended.counts.files_failed, ended.warning), (35, 0, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_fails_is_told_of_while_the_run_goes_on_and_is_no_coming_forward() {
    let (upstream, _dir, store) = with_files(3).await;
    upstream.state.lock().files_until_away = Some(0);
    upstream.state.lock().slow = Duration::from_millis(60);
    let time = Arc::new(Mutex::new(now()));
    let clock = Arc::clone(&time);
    let mut around = surroundings();
    around.clock = Arc::new(move || *clock.lock());
    let options = SynchronizerOptions { around, random: Arc::new(|| 4) };
    let synchronizer = Synchronizer::start(store.clone(), options).unwrap();
    synchronizer.request_run("test").await.unwrap();
    let mut watch = synchronizer.watch();
    watch.wait_for(|p| p.phase == Phase::Files).await.unwrap();
    *time.lock() = now().plus_seconds(60);
    let seen = watch.wait_for(|p| p.failed >= 1).await.unwrap().clone();
    assert!(seen.running, "{seen:?}");
    assert_eq!((seen.done, seen.total, seen.last_progress), (0, 3, Some(now())));
    assert!(seen.counts.files_failed >= 1 && seen.last_failure.unwrap().contains("(503)"));
    let ended = synchronizer.wait().await;
    assert_eq!((ended.counts.files_failed, ended.last_progress), (3, Some(now())));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_on_the_disk_is_named_and_keeps_nothing_else_from_coming() {
    let (upstream, _dir, store) = with_files(12).await;
    for n in 0..5_u8 {
        let mut document = update(7_000 + 2 * u128::from(n), 1, PRODUCT);
        let mut large = file(&[100 + n; 40], "large.cab");
        large.size = 500 << 50;
        document.files.push(large);
        give(&upstream, &document, PRODUCT);
    }
    for came in [12, 0] {
        let ended = run_well(&store).await;
        assert_eq!((ended.counts.files, ended.counts.files_failed), (came, 5));
        let warning = ended.warning.unwrap();
        let said = format!("5 of {} files do not fit on the disk; the first is of `Update 700", came + 5);
        assert!(warning.starts_with(&said) && warning.contains("`large.cab`"), "{warning}");
        assert!(!warning.contains("wait"), "room may be made at once: {warning}");
    }
    assert_eq!(store.content().partials().unwrap(), [], "nothing came of them");
}
