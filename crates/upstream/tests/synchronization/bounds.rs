//! How much is asked at once, and an upstream that is too busy.

use super::{PRODUCT, file, follow, give, now, open, parent, register, report, run_well, uid, update};
use crate::upstream::Upstream;
use sluicegate_policy::hierarchy::ContentWhen;
use sluicegate_store::Store;
use sluicegate_upstream::sync::{Progress, Surroundings};
use sluicegate_upstream::{Synchronizer, SynchronizerOptions};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn several_requests_are_under_way_at_once_and_never_more_than_permitted() {
    let upstream = parent(40).await;
    for n in 6_000..6_012 {
        let bytes = format!("file of {n}").into_bytes();
        let mut document = update(n, 1, PRODUCT);
        let entry = file(&bytes, "a.cab");
        let hex = entry.sha1.to_hex_upper();
        document.files.push(entry);
        give(&upstream, &document, PRODUCT);
        upstream.state.lock().files.insert(format!("{}/{hex}.cab", &hex[38..]), bytes);
    }
    upstream.state.lock().slow = Duration::from_millis(30);
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |s| s.content.when = ContentWhen::All);
    assert_eq!(run_well(&store).await.counts.files, 12);
    let [documents, files] = upstream.state.lock().under_way.map(|(_, most)| most);
    assert!((2..=4).contains(&documents), "{documents} requests for documents at once");
    assert!((2..=4).contains(&files), "{files} files at once");
}

async fn run_hastily(store: &Store) -> Progress {
    let mut around = Surroundings::new(Arc::new(now), "child.example".to_owned());
    around.busy_wait = Duration::from_millis(1);
    let options = SynchronizerOptions { around, random: Arc::new(|| 4) };
    let synchronizer = Synchronizer::start(store.clone(), options).unwrap();
    synchronizer.request_run("test").await.unwrap();
    synchronizer.wait().await
}

fn told(upstream: &Upstream) -> usize {
    upstream.calls().iter().filter(|call| **call == "RollupComputerStatus").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_upstream_is_told_again_and_what_it_never_takes_is_told_in_the_next_run() {
    let upstream = parent(2).await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    register(&store);
    store.record_events(report(1, 10, 1_000)).unwrap();
    upstream.state.lock().busy = 2;
    let ended = run_hastily(&store).await;
    assert_eq!((ended.error, ended.warning), (None, None));
    assert_eq!((told(&upstream), upstream.state.lock().statuses.len()), (3, 1));

    store.record_events(report(2, 20, 1_001)).unwrap();
    upstream.state.lock().busy = 1_000;
    let ended = run_hastily(&store).await;
    assert_eq!(ended.error, None, "files and metadata do not wait for it");
    assert!(ended.warning.unwrap().contains("too busy"));
    assert_eq!((told(&upstream), upstream.state.lock().statuses.len()), (5, 1));
    upstream.state.lock().busy = 0;
    assert_eq!(run_hastily(&store).await.warning, None);
    let state = upstream.state.lock();
    assert_eq!(state.statuses.len(), 2);
    assert_eq!(state.statuses[1].updates.iter().map(|s| s.update).max(), Some(uid(1_001)));
}
