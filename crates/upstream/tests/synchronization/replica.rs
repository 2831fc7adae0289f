//! A replica takes its upstream's decisions over, and its own come back when it is none any more.

use super::{follow, now, open, parent, run_well, uid};
use sluicegate_policy::hierarchy::Mode;
use sluicegate_policy::{ApprovalAction, EulaId};
use sluicegate_soap::server_sync as sync;
use sluicegate_store::{ApprovalOrder, Contact, Registration, StoreError};
use sluicegate_terms::{GroupId, Guid, RevisionNumber, Timestamp};

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
            sync::ServerSyncDeployment { is_assigned: false, ..assigned }
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
    assert_eq!(store.decisions().approvals.iter().count(), 1);

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
