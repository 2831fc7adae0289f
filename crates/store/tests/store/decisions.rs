//! Groups, approvals and declines: what survives a restart, what is refused, which anchors are taken.

use crate::support;

use sluicegate_policy::{ApprovalAction, Decision, SuccessionOptions, effective};
use sluicegate_store::{ApprovalFilter, ApprovalOrder, Store, StoreError, UpdateQuery};
use sluicegate_terms::{Anchor, CategoryKind, DeploymentId, GroupId};
use std::path::Path;
use std::sync::Arc;
use support::{at, category, identity, import, open, software, uid};

fn order(n: u128, group: GroupId) -> ApprovalOrder {
    ApprovalOrder {
        update: uid(n),
        group,
        action: ApprovalAction::Install,
        deadline: Some(at(500)),
        by: "administrator".to_owned(),
    }
}

fn with_updates(dir: &std::path::Path) -> Store {
    let store = open(dir);
    import(
        &store,
        0,
        &[software(1, 1, "One"), software(2, 1, "Two"), category(9, CategoryKind::Company, "Maker", None)],
    );
    store
}

#[test]
fn decisions_are_the_same_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let before = {
        let store = with_updates(dir.path());
        let pilots = store.create_group("Pilots".parse().unwrap(), None, at(1)).unwrap();
        let nested = store.create_group("Nested".parse().unwrap(), Some(pilots.id), at(2)).unwrap();
        let approval = store.approve(order(1, pilots.id), at(3)).unwrap();
        assert_eq!(approval.deployment.get(), DeploymentId::FIRST_EXPLICIT);
        assert_eq!((approval.changed, approval.changed_at), (Anchor(4), at(3)));
        store.unapprove(uid(1), Some(nested.id), "administrator".to_owned(), at(4)).unwrap();
        store.approve(order(2, GroupId::ALL_COMPUTERS), at(5)).unwrap();
        store.decline(uid(2), at(6)).unwrap();
        store.decisions()
    };
    let store = open(dir.path());
    assert_eq!(store.decisions(), before);
    assert_eq!(store.anchor(), Anchor(7));
    assert_eq!(before.approvals.len(), 2);
    assert_eq!(before.withdrawn.len(), 1);
    assert!(before.declined.contains_key(&uid(2)));
    let approved =
        UpdateQuery { approval: Some(ApprovalFilter::Approved), limit: 9, ..UpdateQuery::default() };
    assert_eq!(store.updates(&approved).unwrap().rows[0].update, uid(1));
    let declined = UpdateQuery { approval: Some(ApprovalFilter::Declined), ..approved };
    assert!(store.updates(&declined).unwrap().rows[0].declined);
}

#[test]
fn a_refused_decision_changes_nothing_and_takes_no_anchor() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_updates(dir.path());
    let before = (store.anchor(), store.decisions());
    let unknown_group = GroupId(sluicegate_terms::Guid::from_u128(5));
    assert!(matches!(store.approve(order(1, unknown_group), at(1)), Err(StoreError::Decision(_))));
    assert!(matches!(store.approve(order(9, GroupId::ALL_COMPUTERS), at(1)), Err(StoreError::Decision(_))));
    assert!(matches!(
        store.approve(order(7, GroupId::ALL_COMPUTERS), at(1)),
        Err(StoreError::UnknownUpdate(_))
    ));
    assert!(matches!(
        store.create_group("all COMPUTERS".parse().unwrap(), None, at(1)),
        Err(StoreError::Decision(_))
    ));
    assert!(matches!(store.unapprove(uid(1), None, String::new(), at(1)), Err(StoreError::Decision(_))));
    assert_eq!((store.anchor(), store.decisions()), before);
}

#[test]
fn members_of_bundles_follow_their_bundle() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_updates(dir.path());
    let mut bundle = software(3, 1, "Bundle");
    bundle.relationships.bundles.push(vec![identity(1, 1)]);
    import(&store, 1, &[bundle]);
    assert_eq!(store.subject(uid(1)).unwrap().bundled_by, Some(uid(3)));
    assert!(matches!(store.approve(order(1, GroupId::ALL_COMPUTERS), at(2)), Err(StoreError::Decision(_))));
    let listed = store.updates(&UpdateQuery { limit: 9, ..UpdateQuery::default() }).unwrap();
    assert!(listed.rows.iter().all(|r| r.update != uid(1)));
}

#[test]
fn a_member_that_expires_is_declined_only_once_no_bundle_in_service_has_it() {
    let expired = |n, revision| {
        let mut document = software(n, revision, "Expired");
        document.properties.expired = true;
        document
    };
    let bundle = |revision, member: Option<u128>| {
        let mut bundle = software(3, revision, "Bundle");
        bundle.relationships.bundles.extend(member.map(|member| vec![identity(member, 1)]));
        bundle
    };
    let with_member = |dir: &Path| {
        let store = with_updates(dir);
        import(&store, 1, &[bundle(1, Some(1))]);
        store.approve(order(3, GroupId::ALL_COMPUTERS), at(2)).unwrap();
        store
    };
    let declined = |store: &Store| store.decisions().declined.keys().copied().collect::<Vec<_>>();
    let dir = tempfile::tempdir().unwrap();
    let store = with_member(dir.path());
    import(&store, 3, &[expired(1, 2)]);
    assert_eq!(declined(&store), [], "the bundle in service needs it");
    import(&store, 4, &[bundle(2, None)]);
    store.cleanup(&sluicegate_store::cleanup::CleanupOrder::default(), at(5), &mut || true).unwrap();
    assert_eq!(declined(&store), [uid(1)], "it is alone");
    // Both at once, in either order: which revision of the bundle serves is settled first.
    for (waits, both) in [
        (true, [expired(1, 2), bundle(2, None)]),
        (true, [bundle(2, None), expired(1, 2)]),
        (false, [expired(1, 2), bundle(2, None)]),
        (false, [bundle(2, None), expired(1, 2)]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let store = with_member(dir.path());
        let options = SuccessionOptions { approvals_follow: !waits, ..SuccessionOptions::default() };
        store.set_succession(options, at(2)).unwrap();
        import(&store, 3, &both);
        assert_eq!(declined(&store).is_empty(), waits);
    }
}

#[test]
fn a_new_decision_has_a_new_deployment_id_and_one_row_per_group() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_updates(dir.path());
    let first = store.approve(order(1, GroupId::ALL_COMPUTERS), at(1)).unwrap();
    let second = store.approve(order(1, GroupId::ALL_COMPUTERS), at(2)).unwrap();
    assert!(second.deployment > first.deployment);
    assert_eq!(store.decisions().approvals.len(), 1);
    store.unapprove(uid(1), None, String::new(), at(3)).unwrap();
    drop(store);
    let store = open(dir.path());
    let third = store.approve(order(1, GroupId::ALL_COMPUTERS), at(4)).unwrap();
    assert!(third.deployment > second.deployment);
    let holds = effective(&store.decisions(), uid(1), &[GroupId::UNASSIGNED_COMPUTERS]);
    assert!(
        matches!(holds.decision, Decision::Deployed { deployment, .. } if deployment == third.deployment)
    );
}

#[test]
fn removing_a_group_frees_its_computers_and_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_updates(dir.path());
    let group = store.create_group("Pilots".parse().unwrap(), None, at(1)).unwrap();
    let computer: sluicegate_terms::ComputerId = "pc-1".parse().unwrap();
    store.touch(sluicegate_store::Contact::new(computer.clone(), at(2))).unwrap();
    store.move_computer(&computer, group.id, at(2)).unwrap();
    store.approve(order(1, group.id), at(3)).unwrap();
    store.remove_group(group.id, false, at(4)).unwrap();
    assert!(store.groups_of(&computer).unwrap().assigned.is_empty());
    store.create_group("pilots".parse().unwrap(), None, at(5)).unwrap();
    drop(store);
    assert!(open(dir.path()).decisions().approvals.is_empty());
}

#[test]
fn concurrent_changes_all_count() {
    let dir = tempfile::tempdir().unwrap();
    let store = with_updates(dir.path());
    let first = store.anchor();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for n in 0..10 {
                    store.create_group(format!("g{thread}-{n}").parse().unwrap(), None, at(n)).unwrap();
                }
            });
        }
    });
    assert_eq!(store.anchor().0, first.0 + 40);
    let tree = Arc::clone(&store.decisions());
    assert_eq!(tree.groups.iter().count(), 42);
    drop(store);
    assert_eq!(open(dir.path()).decisions(), tree);
}
