//! A run for categories only, so that what else is fetched can be chosen by its titles.

use super::{CLASS, OTHER_PRODUCT, PRODUCT, follow, open, parent, run_well, synchronizer, uid};
use sluicegate_policy::hierarchy::{Choice, SyncFilter};
use sluicegate_store::hierarchy::RunOutcome;
use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread")]
async fn a_first_run_may_fetch_the_categories_alone_and_the_next_what_was_chosen() {
    let upstream = parent(3).await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    let synchronizer = synchronizer(&store);
    synchronizer.request_categories("test").await.unwrap();
    let ended = synchronizer.wait().await;
    assert_eq!((ended.error, ended.counts.new), (None, 3));
    let titled: BTreeSet<_> = store.categories().unwrap().into_iter().map(|row| row.update).collect();
    assert_eq!(titled, [PRODUCT, OTHER_PRODUCT, CLASS].map(uid).into());
    assert_eq!(store.catalog_size().unwrap().updates, 3, "nothing else came");
    let history = store.sync_history(1).unwrap();
    assert_eq!((history[0].outcome, history[0].phase.as_str()), (RunOutcome::Succeeded, "categories"));
    assert_eq!(store.last_succeeded().unwrap(), None, "the catalog is not complete");
    assert_eq!(store.sync_state().unwrap().last_success, None);

    let products = Choice::Only([uid(OTHER_PRODUCT)].into());
    follow(&store, &upstream, |settings| {
        settings.filter = SyncFilter { products, ..SyncFilter::default() };
    });
    run_well(&store).await;
    assert_eq!(store.catalog_size().unwrap().updates, 3, "of that product there is nothing");
    assert!(store.last_succeeded().unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_everything_while_categories_come_gets_a_run_of_its_own() {
    let upstream = parent(3).await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    let synchronizer = synchronizer(&store);
    let categories = synchronizer.request_categories("alice").await.unwrap();
    let everything = synchronizer.request_run("bob").await.unwrap();
    assert!(everything.joined.is_none() && everything.run > categories.run);
    assert_eq!(synchronizer.wait().await.error, None);
    assert_eq!(store.catalog_size().unwrap().updates, 6);
}
