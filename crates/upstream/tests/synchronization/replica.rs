//! A replica takes its upstream's decisions over, and its own come back when it is none any more.

use super::{
    OTHER_PRODUCT, PRODUCT, contents, follow, give, identity, now, open, parent, run_well, uid, update,
};
use sluicegate_catalog::compose::Document;
use sluicegate_policy::hierarchy::{Choice, Mode, SyncFilter};
use sluicegate_policy::{ApprovalAction, EulaId};
use sluicegate_soap::server_sync as sync;
use sluicegate_store::cleanup::CleanupOrder;
use sluicegate_store::{ApprovalOrder, Contact, Registration, Store, StoreError};
use sluicegate_terms::{GroupId, Guid, RevisionNumber, Timestamp, UpdateId};

pub(super) fn approval(
    number: u128,
    update: u128,
    group: u128,
    action: sync::SyncAction,
) -> sync::ServerSyncDeployment {
    sync::ServerSyncDeployment {
        update: uid(update),
        revision: RevisionNumber::new(1).unwrap(),
        action,
        admin_name: Some("PARENT\\admin".to_owned()),
        deadline: Timestamp::MAX,
        is_assigned: true,
        go_live_time: now(),
        deployment: Guid::from_u128(number),
        target_group: GroupId(Guid::from_u128(group)),
        download_priority: 1,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_takes_decisions_over_refuses_its_own_and_gets_them_back_afterwards() {
    let upstream = parent(6).await;
    let long_ago = now().plus_seconds(-1_000);
    {
        let mut state = upstream.state.lock();
        let at = state.clock;
        state.groups.push(sync::ServerSyncTargetGroup {
            id: Guid::from_u128(900),
            parent: GroupId::ALL_COMPUTERS.0,
            name: Some("Servers".to_owned()),
            is_builtin: false,
        });
        state.deployments.push((at, approval(1, 1_000, 900, sync::SyncAction::Install)));
        state.deployments.push((at, approval(2, 1_001, 900, sync::SyncAction::Scan)));
        state.deployments.push((at, {
            let assigned = approval(3, 1_003, 900, sync::SyncAction::Install);
            sync::ServerSyncDeployment { is_assigned: false, go_live_time: long_ago, ..assigned }
        }));
        state.hidden.push(uid(1_002));
        state.eulas.push(Guid::from_u128(77));
    }
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |_| {});
    run_well(&store).await;
    let local = store.create_group("Local".parse().unwrap(), None, now()).unwrap();
    let order = |update| ApprovalOrder {
        update: uid(update),
        group: local.id,
        action: ApprovalAction::Install,
        deadline: None,
        by: "admin".to_owned(),
    };
    store.approve(order(1_004), now()).unwrap();
    let computer = "pc-1".parse().unwrap();
    store
        .register(Registration {
            contact: Contact::new("pc-1".parse().unwrap(), now()),
            inventory: "{}".to_owned(),
        })
        .unwrap();
    store.move_computer(&computer, local.id, now()).unwrap();
    let before = store.decisions();

    follow(&store, &upstream, |s| s.mode = Mode::Replica);
    run_well(&store).await;
    let taken = store.decisions();
    let actions: Vec<_> = taken.approvals.values().map(|a| (a.update, a.action)).collect();
    let optional = (uid(1_003), ApprovalAction::OptionalInstall);
    assert_eq!(actions, [(uid(1_000), ApprovalAction::Install), optional]);
    assert!(taken.accepted[&EulaId(Guid::from_u128(77))].by.contains(&upstream.url));
    assert!(taken.declined.contains_key(&uid(1_002)) && taken.groups.find("Servers").is_ok());
    let refused = store.approve(order(1_005), now()).unwrap_err();
    assert!(matches!(refused, StoreError::Replica { .. }));
    assert!(refused.to_string().contains(&upstream.url), "{refused}");
    assert!(store.create_group("Mine".parse().unwrap(), None, now()).is_err());
    assert!(store.decline(uid(1_005), now()).is_err());

    // The parent takes its approval back: incrementally.
    {
        let mut state = upstream.state.lock();
        state.clock += 1;
        let at = state.clock;
        state.dead.push((at, Guid::from_u128(1)));
    }
    assert_eq!(run_well(&store).await.counts.approvals, 1);
    // What it did not tell again was decided when it said so at first.
    let times: Vec<_> = store.decisions().approvals.values().map(|a| a.changed_at).collect();
    assert_eq!(times, [long_ago]);

    follow(&store, &upstream, |_| {});
    let back = store.decisions();
    let groups = |d: &sluicegate_policy::Decisions| d.groups.iter().cloned().collect::<Vec<_>>();
    assert_eq!(groups(&back), groups(&before));
    let approved: Vec<_> = back.approvals.iter().map(|(key, a)| (*key, a.action)).collect();
    assert_eq!(approved, before.approvals.iter().map(|(key, a)| (*key, a.action)).collect::<Vec<_>>());
    assert_eq!(store.groups_of(&computer).unwrap().assigned, [local.id]);
    store.approve(order(1_005), now()).unwrap();
    // What is in memory is what lies on the disk.
    drop(back);
    let written = store.decisions();
    drop(store);
    assert_eq!(*open(dir.path()).decisions(), *written);
}

/// An upstream that approved revision 1 of 1000 and 1001 for everybody and holds the newest back, which is all that it
/// lists. 1000 bundles a member that no list names.
async fn holding() -> super::Upstream {
    let upstream = parent(0).await;
    let member = Document::software(identity(5_000, 1), "Member");
    upstream.add(member.identity, member.to_xml(), false, &[uid(99)]);
    for (n, revision) in [(1_000, 1), (1_000, 2), (1_001, 1), (1_001, 2)] {
        let mut document = update(n, revision, PRODUCT);
        if n == 1_000 && revision == 1 {
            document.relationships.bundles.push(vec![member.identity]);
        }
        give(&upstream, &document, PRODUCT);
    }
    let mut state = upstream.state.lock();
    let at = state.clock;
    let everybody = GroupId::ALL_COMPUTERS.0.as_u128();
    for (number, update) in [(1, 1_000), (2, 1_001)] {
        state.unlisted.push(identity(update, 1));
        state.deployments.push((at, approval(number, update, everybody, sync::SyncAction::Install)));
    }
    drop(state);
    upstream
}

fn serving(store: &Store) -> Vec<(UpdateId, RevisionNumber)> {
    store.decisions().held.iter().map(|(update, hold)| (*update, hold.serving)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_fetches_what_serves_at_its_upstream_though_no_list_names_it() {
    let upstream = holding().await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let only_the_product =
        SyncFilter { products: Choice::Only([uid(PRODUCT)].into_iter().collect()), ..SyncFilter::default() };
    follow(&store, &upstream, |s| (s.mode, s.filter) = (Mode::Replica, only_the_product));
    let ended = run_well(&store).await;
    assert_eq!(ended.warning, None);
    let one = RevisionNumber::new(1).unwrap();
    assert_eq!(serving(&store), [(uid(1_000), one), (uid(1_001), one)]);
    let approved: Vec<_> = store.decisions().approvals.keys().map(|(update, _)| *update).collect();
    assert_eq!(approved, [uid(1_000), uid(1_001)]);
    assert!(
        contents(&store).iter().any(|(id, _)| *id == identity(5_000, 1)),
        "the member came with its bundle"
    );
    assert_eq!(ended.counts.strays, 0);
    upstream.calls();
    assert_eq!(run_well(&store).await.counts.approvals, 0);
    assert!(!upstream.calls().contains(&"GetUpdateData"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_upstream_approves_and_the_filter_leaves_out_is_a_warning_of_each_run() {
    let upstream = parent(1).await;
    for n in [2_000, 2_001, 2_002] {
        give(&upstream, &update(n, 1, OTHER_PRODUCT), OTHER_PRODUCT);
    }
    {
        let mut state = upstream.state.lock();
        let (at, everybody) = (state.clock, GroupId::ALL_COMPUTERS.0.as_u128());
        for (n, action) in [
            (1_000, sync::SyncAction::Install),
            (2_000, sync::SyncAction::Install),
            (2_001, sync::SyncAction::Uninstall),
            (2_002, sync::SyncAction::Block),
        ] {
            state.deployments.push((at, approval(n, n, everybody, action)));
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let only_the_product =
        SyncFilter { products: Choice::Only([uid(PRODUCT)].into_iter().collect()), ..SyncFilter::default() };
    follow(&store, &upstream, |s| (s.mode, s.filter) = (Mode::Replica, only_the_product));
    for _ in 0..2 {
        let warning = run_well(&store).await.warning.unwrap();
        assert!(
            warning.contains("approves 2 updates that the filter of this replica leaves out"),
            "{warning}"
        );
        assert!(warning.contains(&uid(2_001).to_string()) && !warning.contains(&uid(2_002).to_string()));
        assert_eq!(store.sync_history(1).unwrap()[0].warning, Some(warning));
        assert_eq!(store.approved_outside_filter().unwrap(), [uid(2_000), uid(2_001)]);
    }
    follow(&store, &upstream, |s| s.mode = Mode::Replica);
    assert_eq!(run_well(&store).await.warning, None);
    assert!(store.approved_outside_filter().unwrap().is_empty());
    let approved: Vec<_> = store.decisions().approvals.keys().map(|(update, _)| *update).collect();
    assert!(approved.contains(&uid(2_000)) && approved.contains(&uid(2_001)), "{approved:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_upstream_cannot_give_is_not_approved_in_a_newer_form_and_the_run_says_so() {
    let upstream = holding().await;
    upstream.state.lock().withheld.push(identity(1_001, 1));
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |s| s.mode = Mode::Replica);
    let approved =
        |store: &Store| -> Vec<_> { store.decisions().approvals.keys().map(|(update, _)| *update).collect() };
    for _ in 0..2 {
        let warning = run_well(&store).await.warning.unwrap();
        assert!(warning.contains("a revision that it does not give"), "{warning}");
        assert!(warning.contains(&identity(1_001, 1).to_string()), "{warning}");
        assert_eq!(approved(&store), [uid(1_000)]);
    }
    assert_eq!(store.quarantine().unwrap().len(), 1);
    // The next run asks again.
    upstream.state.lock().withheld.clear();
    assert_eq!(run_well(&store).await.warning, None);
    assert_eq!(approved(&store), [uid(1_000), uid(1_001)]);
    assert_eq!((serving(&store).len(), store.quarantine().unwrap().len()), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cleanup_removed_comes_back_once_the_upstream_approves_it() {
    let upstream = parent(2).await;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |s| s.mode = Mode::Replica);
    upstream.state.lock().hidden.push(uid(1_000));
    run_well(&store).await;
    for days in [40, 42] {
        let later = now().plus_seconds(days * 86_400);
        store.cleanup(&CleanupOrder::default(), later, &mut || true).unwrap();
    }
    let here = |store: &Store| contents(store).iter().any(|(id, _)| *id == identity(1_000, 1));
    assert!(!here(&store));
    upstream.state.lock().hidden.clear();
    run_well(&store).await;
    assert!(!here(&store), "the list names it, and nobody decided about it");

    let everybody = GroupId::ALL_COMPUTERS.0.as_u128();
    {
        let mut state = upstream.state.lock();
        state.clock += 1;
        let at = state.clock;
        state.deployments.push((at, approval(1, 1_000, everybody, sync::SyncAction::Install)));
        state.withheld.push(identity(1_000, 1));
    }
    let warning = run_well(&store).await.warning.unwrap();
    assert!(warning.contains("a revision that it does not give"), "{warning}");
    assert_eq!(store.removed_updates().unwrap(), [], "servers below that have it do not decline it");
    upstream.state.lock().withheld.clear();
    assert_eq!(run_well(&store).await.warning, None);
    assert!(here(&store));
    assert_eq!(store.decisions().approvals.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_gives_nothing_of_what_serves_there_stops_no_other_decision() {
    let upstream = parent(1).await;
    {
        let mut state = upstream.state.lock();
        let at = state.clock;
        let everybody = GroupId::ALL_COMPUTERS.0.as_u128();
        state.deployments.push((at, approval(1, 1_000, everybody, sync::SyncAction::Install)));
    }
    for n in 2_000..2_040 {
        give(&upstream, &update(n, 2, PRODUCT), PRODUCT);
        let mut state = upstream.state.lock();
        let at = state.clock;
        let everybody = GroupId::ALL_COMPUTERS.0.as_u128();
        state.deployments.push((at, approval(n, n, everybody, sync::SyncAction::Install)));
    }
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |s| s.mode = Mode::Replica);
    for _ in 0..2 {
        let warning = run_well(&store).await.warning.unwrap();
        assert!(warning.contains("40 revisions that it does not give"), "{warning}");
        let approved: Vec<_> = store.decisions().approvals.keys().map(|(update, _)| *update).collect();
        assert_eq!(approved, [uid(1_000)]);
    }
    assert!(store.failed_revisions().unwrap().len() > 26, "the second run asks for others first");
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_about_what_is_not_here_are_counted_and_named_until_it_is() {
    let upstream = parent(2).await;
    {
        let mut state = upstream.state.lock();
        let at = state.clock;
        let everybody = GroupId::ALL_COMPUTERS.0.as_u128();
        for (number, update, group, action) in [
            (1, 1_000, everybody, sync::SyncAction::Install),
            (2, 9_000, everybody, sync::SyncAction::Install),
            (3, 9_001, everybody, sync::SyncAction::Block),
            (4, 1_001, 900, sync::SyncAction::Install),
        ] {
            state.deployments.push((at, approval(number, update, group, action)));
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    follow(&store, &upstream, |settings| settings.mode = Mode::Replica);
    let ended = run_well(&store).await;
    assert_eq!(ended.counts.waiting, 3, "{:?}", ended.waiting);
    let says = |update: u128, words: &str| {
        let id = uid(update).to_string();
        ended.waiting.iter().any(|reason| reason.contains(&id) && reason.contains(words))
    };
    assert!(says(9_000, "is approved on the upstream and not here yet"), "{:?}", ended.waiting);
    assert!(says(9_001, "is not approved for a group on the upstream"), "{:?}", ended.waiting);
    assert!(says(1_001, "which the upstream does not list"), "{:?}", ended.waiting);
    assert_eq!(ended.warning, None, "that a replica has less than its upstream is nothing to warn of");
    // Nothing new is told, and what is about updates waits still. What is for a group that is gone is told anew once the
    // group is there.
    assert_eq!(run_well(&store).await.counts.waiting, 2);
    {
        let mut state = upstream.state.lock();
        state.groups.push(sync::ServerSyncTargetGroup {
            id: Guid::from_u128(900),
            parent: GroupId::ALL_COMPUTERS.0,
            name: Some("Servers".to_owned()),
            is_builtin: false,
        });
        state.clock += 1;
        let at = state.clock;
        state.deployments.push((at, approval(4, 1_001, 900, sync::SyncAction::Install)));
    }
    let ended = run_well(&store).await;
    assert_eq!((ended.counts.waiting, ended.waiting.len()), (2, 2));
    assert!(store.decisions().approvals.contains_key(&(uid(1_001), GroupId(Guid::from_u128(900)))));
}
