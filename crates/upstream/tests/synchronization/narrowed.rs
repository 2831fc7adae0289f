//! A replica with updates that its filter leaves out: what serves of them at its upstream is asked for by name.

use super::replica::approval;
use super::{
    OTHER_PRODUCT, PRODUCT, Upstream, contents, follow, give, identity, now, open, parent, run_well, uid,
    update,
};
use sluicegate_catalog::Clause;
use sluicegate_policy::hierarchy::{Choice, Mode, SyncFilter};
use sluicegate_soap::server_sync::{ServerSyncDeployment, SyncAction};
use sluicegate_store::Store;
use sluicegate_terms::{GroupId, RevisionNumber, UpdateIdentity};
use tempfile::TempDir;

const OUTSIDE: u128 = 2_000;

fn only_the_product() -> SyncFilter {
    SyncFilter { products: Choice::Only([uid(PRODUCT)].into()), ..SyncFilter::default() }
}

/// The upstream has a revision of the update in service for everybody.
fn serves(upstream: &Upstream, revision: i64) {
    let mut state = upstream.state.lock();
    state.clock += 1;
    let at = state.clock;
    let approval = approval(1, OUTSIDE, GroupId::ALL_COMPUTERS.0.as_u128(), SyncAction::Install);
    let revision = RevisionNumber::new(revision).unwrap();
    state.deployments.push((at, ServerSyncDeployment { revision, ..approval }));
}

/// A replica with an approved update that its filter leaves out by now.
async fn narrowed() -> (Upstream, TempDir, Store) {
    let upstream = parent(1).await;
    give(&upstream, &update(OUTSIDE, 1, OTHER_PRODUCT), OTHER_PRODUCT);
    serves(&upstream, 1);
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |s| s.mode = Mode::Replica);
    assert_eq!(run_well(&store).await.warning, None);
    follow(&store, &upstream, |s| (s.mode, s.filter) = (Mode::Replica, only_the_product()));
    assert_eq!(run_well(&store).await.warning, None);
    upstream.calls();
    (upstream, dir, store)
}

fn has(store: &Store, wanted: UpdateIdentity) -> bool {
    contents(store).iter().any(|(id, _)| *id == wanted)
}

fn asked(upstream: &Upstream) -> usize {
    upstream.calls().iter().filter(|call| **call == "GetUpdateData").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_serves_at_the_upstream_comes_though_the_filter_leaves_it_out_and_is_no_stray() {
    let (upstream, _dir, store) = narrowed().await;
    let two = update(OUTSIDE, 2, OTHER_PRODUCT);
    give(&upstream, &two, OTHER_PRODUCT);
    serves(&upstream, 2);
    let ended = run_well(&store).await;
    assert_eq!((ended.warning, ended.counts.revised, asked(&upstream)), (None, 1, 1));
    assert!(has(&store, two.identity));
    assert_eq!(store.strays(&only_the_product()).unwrap(), []);
    let again = run_well(&store).await;
    assert_eq!((again.warning, again.counts.approvals, asked(&upstream)), (None, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_upstream_does_not_give_is_a_warning_of_each_run_and_asked_for_when_its_time_has_come() {
    let (upstream, _dir, store) = narrowed().await;
    let two = update(OUTSIDE, 2, OTHER_PRODUCT);
    give(&upstream, &two, OTHER_PRODUCT);
    serves(&upstream, 2);
    upstream.state.lock().withheld.push(two.identity);
    for first in [true, false] {
        let warning = run_well(&store).await.warning.unwrap();
        for part in
            ["a newer revision of an update than is here", "told of the one", "1 revision that the upstream"]
        {
            assert!(warning.contains(part), "{part}: {warning}");
        }
        assert!(warning.contains(&two.identity.to_string()), "{warning}");
        assert_eq!(asked(&upstream) > 0, first, "it waits for its time");
        let approved: Vec<_> = store.decisions().approvals.keys().map(|(update, _)| *update).collect();
        assert_eq!(approved, [uid(OUTSIDE)], "what is here stays approved");
    }
    upstream.state.lock().withheld.clear();
    store.retry_failed(now()).unwrap();
    assert_eq!(run_well(&store).await.warning, None);
    assert!(has(&store, two.identity));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_something_that_is_not_here_is_a_warning_and_asked_for_once() {
    let (upstream, _dir, store) = narrowed().await;
    let needed = update(2_001, 1, OTHER_PRODUCT);
    let mut two = update(OUTSIDE, 2, OTHER_PRODUCT);
    two.relationships.prerequisites.push(Clause::one(needed.identity.update));
    give(&upstream, &two, OTHER_PRODUCT);
    give(&upstream, &needed, OTHER_PRODUCT);
    serves(&upstream, 2);
    for calls in [1, 0] {
        let warning = run_well(&store).await.warning.unwrap();
        assert!(warning.contains("quarantine") && warning.contains(&two.identity.to_string()), "{warning}");
        assert_eq!(asked(&upstream), calls);
        assert!(!has(&store, two.identity) && has(&store, identity(OUTSIDE, 1)));
    }
    follow(&store, &upstream, |s| s.mode = Mode::Replica);
    assert_eq!(run_well(&store).await.warning, None);
    assert!(has(&store, two.identity));
}
