//! Products that move in the tree of categories: what they hold comes with them below what the filter chooses.

use super::replica::approval;
use super::{CLASS, Upstream, contents, follow, give, identity, now, open, parent, run_well, uid, update};
use sluicegate_catalog::compose::Document;
use sluicegate_policy::hierarchy::{Choice, Mode, SyncFilter};
use sluicegate_soap::server_sync::{IdAndDelta, SyncAction};
use sluicegate_store::Store;
use sluicegate_store::cleanup::CleanupOrder;
use sluicegate_store::hierarchy::CoveredFilter;
use sluicegate_terms::{CategoryKind, GroupId, UpdateId};
use tempfile::TempDir;

const FAMILY: u128 = 300;
const OTHER_FAMILY: u128 = 301;
const MOVING: u128 = 102;

fn product(revision: i64, family: u128) -> Document {
    Document::category(identity(MOVING, revision), CategoryKind::Product, "Moving", Some(uid(family)))
}

/// Two families; the second has a product with three updates, each listed as of whatever its product stands in.
async fn families() -> Upstream {
    let upstream = parent(0).await;
    for n in [FAMILY, OTHER_FAMILY] {
        let document = super::category(n, CategoryKind::ProductFamily, &format!("Family {n}"));
        upstream.add(document.identity, document.to_xml(), true, &[]);
    }
    let document = product(1, OTHER_FAMILY);
    upstream.add(document.identity, document.to_xml(), true, &[]);
    for n in 1_000..1_003 {
        give(&upstream, &update(n, 1, MOVING), MOVING);
    }
    judge_by(&upstream, OTHER_FAMILY);
    upstream
}

/// The upstream's own tree, by which it decides what a list has. No update changes by that.
fn judge_by(upstream: &Upstream, family: u128) {
    for (id, held) in &mut upstream.state.lock().revisions {
        if (1_000..1_003).any(|n| id.update == uid(n)) {
            held.categories = [MOVING, family, CLASS].map(uid).to_vec();
        }
    }
}

fn move_to(upstream: &Upstream, revision: i64, family: u128) {
    let document = product(revision, family);
    upstream.add(document.identity, document.to_xml(), true, &[]);
    judge_by(upstream, family);
}

fn only_the_family() -> SyncFilter {
    SyncFilter {
        products: Choice::Only([uid(FAMILY)].into_iter().collect()),
        classifications: Choice::Only([uid(CLASS)].into_iter().collect()),
        ..SyncFilter::default()
    }
}

/// A server that chooses the family, in a mode.
fn below(upstream: &Upstream, mode: Mode) -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, upstream, |s| (s.mode, s.filter) = (mode, only_the_family()));
    (dir, store)
}

fn updates(store: &Store) -> Vec<UpdateId> {
    let all = contents(store).into_iter().map(|(id, _)| id.update);
    all.filter(|id| (1_000..2_000).any(|n| *id == uid(n))).collect()
}

/// Each list of updates that was asked for since the last look: with an anchor or not, and of which products.
fn asked(upstream: &Upstream) -> Vec<(bool, Vec<u128>)> {
    let lists = std::mem::take(&mut upstream.state.lock().lists);
    let products = |ids: &[IdAndDelta]| ids.iter().map(|e| e.id.as_u128()).collect();
    lists
        .iter()
        .filter(|filter| !filter.get_config)
        .map(|f| (f.anchor.is_some(), products(f.categories.as_deref().unwrap_or_default())))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_product_holds_comes_when_it_moves_below_a_chosen_family_and_is_asked_for_once() {
    let upstream = families().await;
    let (_dir, store) = below(&upstream, Mode::Autonomous);
    run_well(&store).await;
    assert!(updates(&store).is_empty());
    asked(&upstream);
    move_to(&upstream, 2, FAMILY);
    let ended = run_well(&store).await;
    assert_eq!((ended.counts.new, ended.counts.strays), (3, 0));
    assert_eq!(asked(&upstream), [(true, vec![FAMILY]), (false, vec![MOVING])]);
    assert_eq!(updates(&store), [1_000, 1_001, 1_002].map(uid));

    // Nothing has changed since.
    upstream.calls();
    assert_eq!(run_well(&store).await.counts.new, 0);
    assert_eq!(asked(&upstream), [(true, vec![FAMILY])]);
    assert!(!upstream.calls().contains(&"GetUpdateData"));

    // What it gets from now on comes as changes of the family.
    give(&upstream, &update(1_500, 1, MOVING), FAMILY);
    assert_eq!(run_well(&store).await.counts.new, 1);
    assert_eq!(asked(&upstream), [(true, vec![FAMILY])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_product_holds_stays_when_it_moves_away_and_what_it_got_meanwhile_comes_when_it_is_back() {
    let upstream = families().await;
    move_to(&upstream, 2, FAMILY);
    let (_dir, store) = below(&upstream, Mode::Autonomous);
    run_well(&store).await;
    assert_eq!(updates(&store).len(), 3);
    move_to(&upstream, 3, OTHER_FAMILY);
    asked(&upstream);
    upstream.calls();
    assert_eq!(run_well(&store).await.counts.new, 0);
    assert_eq!(asked(&upstream), [(true, vec![FAMILY])]);
    assert_eq!(upstream.calls().iter().filter(|call| **call == "GetUpdateData").count(), 1, "the product");
    assert_eq!(updates(&store).len(), 3);

    give(&upstream, &update(1_500, 1, MOVING), MOVING);
    assert_eq!(run_well(&store).await.counts.new, 0, "it is of the other family");
    upstream.state.lock().given.clear();
    move_to(&upstream, 4, FAMILY);
    assert_eq!(run_well(&store).await.counts.new, 1);
    assert_eq!(updates(&store).last(), Some(&uid(1_500)));
    let given = upstream.state.lock().given.clone();
    assert_eq!(given.len(), 2, "the product and what is new of it: {given:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_cut_off_behind_the_categories_leaves_the_moved_product_to_the_next() {
    let upstream = families().await;
    let (_dir, store) = below(&upstream, Mode::Autonomous);
    run_well(&store).await;
    move_to(&upstream, 2, FAMILY);
    let synchronizer = super::synchronizer(&store);
    synchronizer.request_categories("test").await.unwrap();
    assert_eq!(synchronizer.wait().await.error, None);
    drop(synchronizer);
    assert!(updates(&store).is_empty());
    assert_eq!(run_well(&store).await.counts.new, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_move_left_out_before_the_anchor_spoke_for_products_is_made_up_for() {
    let upstream = families().await;
    let (_dir, store) = below(&upstream, Mode::Autonomous);
    run_well(&store).await;
    move_to(&upstream, 2, FAMILY);
    // As a version left it that noted the choice alone.
    let (at, id) = (upstream.state.lock().clock, |n| [uid(n)].into_iter().collect());
    store
        .change_sync_state(|state| {
            state.updates_anchor = Some(format!("at {at}"));
            state.covered = CoveredFilter::Parts { products: id(FAMILY), classifications: id(CLASS) };
        })
        .unwrap();
    assert_eq!(run_well(&store).await.counts.new, 3);
    asked(&upstream);
    run_well(&store).await;
    assert_eq!(asked(&upstream), [(true, vec![FAMILY])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_takes_over_what_is_approved_of_a_moved_product_and_says_nothing_of_its_filter() {
    let upstream = families().await;
    let (_dir, store) = below(&upstream, Mode::Replica);
    let approve = |n: u128| {
        let mut state = upstream.state.lock();
        state.clock += 1;
        let at = state.clock;
        let everybody = GroupId::ALL_COMPUTERS.0.as_u128();
        state.deployments.push((at, approval(n, n, everybody, SyncAction::Install)));
    };
    approve(1_000);
    let warning = run_well(&store).await.warning.unwrap();
    assert!(warning.contains("that the filter of this replica leaves out"), "{warning}");
    approve(1_001);
    move_to(&upstream, 2, FAMILY);
    assert_eq!(run_well(&store).await.warning, None);
    assert!(store.approved_outside_filter().unwrap().is_empty());
    let approved: Vec<_> = store.decisions().approvals.keys().map(|(update, _)| *update).collect();
    assert_eq!(approved, [1_000, 1_001].map(uid));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_product_below_a_chosen_family_is_removed_by_cleanup_as_before() {
    let upstream = families().await;
    let mut withdrawn =
        Document::category(identity(400, 1), CategoryKind::Product, "Gone", Some(uid(FAMILY)));
    withdrawn.properties.expired = true;
    upstream.add(withdrawn.identity, withdrawn.to_xml(), true, &[]);
    let (_dir, store) = below(&upstream, Mode::Autonomous);
    run_well(&store).await;
    let CoveredFilter::Parts { products, .. } = store.sync_state().unwrap().covered else { panic!() };
    assert!(products.contains(&uid(400)));
    for days in [100, 102] {
        let later = now().plus_seconds(days * 86_400);
        store.cleanup(&CleanupOrder::default(), later, &mut || true).unwrap();
    }
    let here = |n| contents(&store).iter().any(|(id, _)| id.update == uid(n));
    assert!(!here(400) && here(FAMILY));
}
