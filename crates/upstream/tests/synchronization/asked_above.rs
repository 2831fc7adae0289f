//! Asking the upstream to fetch files that it does not have: how a run ends that ends meanwhile, and which files the
//! upstream counts as asked for.

use super::files::with_files;
use super::*;
use parking_lot::Mutex;
use sluicegate_upstream::sync::Phase;

/// The upstream has the update of one file, and not the file.
async fn lacking() -> (Upstream, tempfile::TempDir, Store) {
    let (upstream, dir, store) = with_files(1).await;
    upstream.state.lock().files.clear();
    follow(&store, &upstream, |s| {
        s.content.when = ContentWhen::All;
        s.patience = "10".parse().unwrap();
        s.schedule = "1@03:00".parse().unwrap();
    });
    (upstream, dir, store)
}

/// Ends a run while the upstream does not answer DownloadFiles.
async fn ended_meanwhile(
    upstream: &Upstream,
    store: &Store,
    end: impl FnOnce(&Synchronizer, &Mutex<Timestamp>),
) -> Progress {
    upstream.state.lock().trouble_with = Some(("DownloadFiles", Trouble::Hang));
    // What an earlier run asked for is not what this one asks.
    upstream.calls();
    let time = Arc::new(Mutex::new(now()));
    let clock = Arc::clone(&time);
    let mut around = surroundings();
    around.clock = Arc::new(move || *clock.lock());
    around.glance = Duration::from_millis(2);
    let options = SynchronizerOptions { around, random: Arc::new(|| 4) };
    let synchronizer = Synchronizer::start(store.clone(), options).unwrap();
    synchronizer.request_run("test").await.unwrap();
    while upstream.state.lock().calls.last() != Some(&"DownloadFiles") {
        assert!(synchronizer.status().running, "it ended before it asked");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    end(&synchronizer, &time);
    let ended = synchronizer.wait().await;
    upstream.state.lock().trouble_with = None;
    ended
}

/// In the history: how the run ended, with which code, and where.
fn last(store: &Store) -> (RunOutcome, Option<String>, String) {
    let run = store.sync_history(1).unwrap().remove(0);
    (run.outcome, run.error_code, run.phase)
}

fn files(outcome: RunOutcome, code: &str) -> (RunOutcome, Option<String>, String) {
    (outcome, Some(code.to_owned()), Phase::Files.as_str().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_cancelled_or_stopped_while_the_upstream_is_asked_for_files_has_not_succeeded() {
    let (upstream, _dir, store) = lacking().await;
    ended_meanwhile(&upstream, &store, |run, _| assert!(run.cancel())).await;
    assert_eq!(last(&store), files(RunOutcome::Cancelled, "Cancelled"));
    ended_meanwhile(&upstream, &store, |run, _| run.stop()).await;
    assert_eq!(last(&store), files(RunOutcome::Interrupted, "Interrupted"));
    assert_eq!(store.last_succeeded().unwrap(), None);
    assert_eq!(store.files_asked_for().unwrap(), [], "nobody answered");
    // So this is the first that asks for the file, and the next the first that may expect it.
    assert_eq!(run_well(&store).await.warning, None);
    assert_eq!(store.files_asked_for().unwrap().len(), 1);
    assert!(run_well(&store).await.warning.unwrap().contains("which was first asked at"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_stuck_while_the_upstream_is_asked_for_files_has_failed_and_is_tried_soon() {
    let (upstream, _dir, store) = lacking().await;
    let later = now().plus_seconds(601);
    ended_meanwhile(&upstream, &store, |_, time| *time.lock() = later).await;
    assert_eq!(last(&store), files(RunOutcome::Failed, "UssCommunicationError/Stuck"));
    assert_eq!(store.sync_state().unwrap().next_run, Some(later.plus_seconds(600)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_upstream_becomes_another_while_it_is_asked_for_files_ends_with_that_once() {
    let (upstream, _dir, store) = lacking().await;
    let ended = ended_meanwhile(&upstream, &store, |run, _| {
        follow(&store, &upstream, |s| {
            s.source = Some(UpstreamSource::Server("http://127.0.0.1:9/".to_owned()));
        });
        run.settings_changed();
    })
    .await;
    assert_eq!(last(&store), files(RunOutcome::Cancelled, "Cancelled/UpstreamChanged"));
    assert_eq!(ended.warning, None, "its end says so");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_the_upstream_could_not_be_asked_for_is_not_said_to_be_asked() {
    let (upstream, _dir, store) = lacking().await;
    let refused = Some(("DownloadFiles", Trouble::Fault(ErrorCode::InternalServerError)));
    upstream.state.lock().trouble_with = refused;
    for _ in 0..2 {
        let ended = run_well(&store).await;
        let warning = ended.warning.unwrap();
        assert!(!warning.contains("first asked at"), "{warning}");
        assert_eq!((ended.counts.files, ended.counts.files_failed), (0, 1), "{warning}");
        assert_eq!(store.files_asked_for().unwrap(), []);
    }
    upstream.state.lock().trouble_with = None;
    let ended = run_well(&store).await;
    assert_eq!((ended.counts.files_failed, ended.warning), (0, None), "it is on its way now");
    // What was asked for stays so, whatever a later run gets for an answer, and counts once.
    upstream.state.lock().trouble_with = refused;
    let ended = run_well(&store).await;
    assert!(ended.warning.unwrap().contains("1 file is wanted here and not at the upstream yet"));
    assert_eq!(ended.counts.files_failed, 1);
    assert_eq!(store.awaited_files().unwrap().map(|awaited| awaited.files), Some(1));
}
