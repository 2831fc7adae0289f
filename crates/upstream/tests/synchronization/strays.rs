//! What an upstream gives although nobody asked for it, and what a filter chooses that is gone.

use super::replica::approval;
use super::{OTHER_PRODUCT, PRODUCT, follow, give, identity, now, open, parent, run_well, uid, update};
use sluicegate_catalog::compose::Document;
use sluicegate_policy::hierarchy::{Choice, Mode, SyncFilter};
use sluicegate_soap::server_sync::SyncAction;
use sluicegate_store::cleanup::CleanupOrder;
use sluicegate_terms::{GroupId, UpdateId};

fn only(products: &[u128]) -> SyncFilter {
    SyncFilter { products: Choice::Only(products.iter().map(|n| uid(*n)).collect()), ..SyncFilter::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_outside_the_filter_are_counted_and_listed_until_it_chooses_them() {
    let upstream = parent(4).await;
    for n in 2_000..2_003 {
        give(&upstream, &update(n, 1, OTHER_PRODUCT), OTHER_PRODUCT);
    }
    // Members and prerequisites belong to what needs them.
    let member = Document::software(identity(5_000, 1), "Member");
    let needed = update(5_002, 1, OTHER_PRODUCT);
    let mut bundle = update(5_001, 1, PRODUCT);
    bundle.relationships.bundles.push(vec![member.identity]);
    bundle.relationships.prerequisites.push(sluicegate_catalog::Clause::one(needed.identity.update));
    give(&upstream, &bundle, PRODUCT);
    give(&upstream, &needed, OTHER_PRODUCT);
    upstream.add(member.identity, member.to_xml(), false, &[uid(99)]);
    upstream.state.lock().lists_everything = true;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |s| s.filter = only(&[PRODUCT]));
    let ended = run_well(&store).await;
    assert_eq!((ended.counts.new, ended.counts.strays), (3 + 4 + 3 + 3, 3));
    assert_eq!(store.sync_history(1).unwrap()[0].counts.strays, 3);
    let listed = |filter: &SyncFilter| -> Vec<UpdateId> {
        store.strays(filter).unwrap().iter().map(|stray| stray.update).collect()
    };
    assert_eq!(listed(&only(&[PRODUCT])), [uid(2_000), uid(2_001), uid(2_002)]);
    assert_eq!(run_well(&store).await.counts.strays, 0, "they are of the run that brought them");
    assert_eq!(listed(&only(&[PRODUCT])).len(), 3);
    assert!(listed(&only(&[PRODUCT, OTHER_PRODUCT])).is_empty());
    assert!(listed(&SyncFilter::default()).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_replica_asks_for_by_name_is_no_stray() {
    let upstream = parent(1).await;
    give(&upstream, &update(2_000, 1, OTHER_PRODUCT), OTHER_PRODUCT);
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |s| s.mode = Mode::Replica);
    upstream.state.lock().hidden.push(uid(2_000));
    run_well(&store).await;
    for days in [40, 42] {
        let later = now().plus_seconds(days * 86_400);
        store.cleanup(&CleanupOrder::default(), later, &mut || true).unwrap();
    }
    assert_eq!(store.removed_updates().unwrap(), [uid(2_000)]);
    {
        let mut state = upstream.state.lock();
        state.hidden.clear();
        state.clock += 1;
        let at = state.clock;
        let everybody = GroupId::ALL_COMPUTERS.0.as_u128();
        state.deployments.push((at, approval(1, 2_000, everybody, SyncAction::Install)));
    }
    follow(&store, &upstream, |s| (s.mode, s.filter) = (Mode::Replica, only(&[PRODUCT])));
    assert_eq!(run_well(&store).await.counts.strays, 0);
    assert_eq!(store.decisions().approvals.len(), 1, "it came, since the upstream approves it");
    assert_eq!(store.strays(&only(&[PRODUCT])).unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chosen_category_that_is_gone_is_a_warning_and_stays_chosen() {
    let upstream = parent(3).await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |s| s.filter = only(&[PRODUCT, 777]));
    let ended = run_well(&store).await;
    let warning = ended.warning.unwrap();
    assert!(
        warning.contains(&uid(777).to_string()) && !warning.contains(&uid(PRODUCT).to_string()),
        "{warning}"
    );
    assert_eq!(store.sync_history(1).unwrap()[0].warning, Some(warning));
    assert_eq!((ended.counts.new, ended.counts.strays), (6, 0));
    assert_eq!(store.upstream_settings().filter, only(&[PRODUCT, 777]));
    follow(&store, &upstream, |s| s.filter = only(&[PRODUCT]));
    assert_eq!(run_well(&store).await.warning, None);
}
