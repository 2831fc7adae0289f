//! Which revision of a member goes with a bundle: the one the bundle names, since agents look members up by
//! identity.

use crate::fixture::{Catalog, ask, changed_ids, identity, needs, new_ids, query, record};
use crate::world::{gid, uid};
use sluicegate_catalog::ScanRecord;
use sluicegate_policy::ApprovalAction::Install;
use sluicegate_policy::{Arrival, SuccessionOptions};
use sluicegate_scan::{LeftOutReason, Snapshot, SyncQuery};
use sluicegate_terms::UpdateKind::{Detectoid, Software};
use sluicegate_terms::{DeploymentAction, GroupId};

fn part(number: i64) -> ScanRecord {
    ScanRecord { identity: identity(0, number), explicitly_deployable: false, ..record(0, Software) }
}

fn bundle(update: usize, number: i64, part: i64) -> ScanRecord {
    ScanRecord {
        identity: identity(update, number),
        bundles: vec![vec![identity(0, part)]],
        ..record(update, Software)
    }
}

/// What a new client is given.
fn given(snapshot: &Snapshot) -> Vec<(u32, DeploymentAction)> {
    ask(snapshot, query()).new.iter().map(|new| (new.revision.get(), new.deployment.action)).collect()
}

use DeploymentAction::{Bundle, Evaluate, PreDeploymentCheck};

#[test]
fn a_bundle_keeps_the_revision_of_its_member_that_it_names() {
    let snapshot = Catalog::default().with([part(100), bundle(1, 100, 100), part(101)]).snapshot();
    assert_eq!(given(&snapshot), [(1, Bundle), (2, PreDeploymentCheck)]);
    assert_eq!(snapshot.revision_of(identity(0, 100)).map(|id| id.get()), Some(1));
    assert_eq!(snapshot.revision_of(identity(0, 101)), None, "no bundle names it, and it is only a part");
    assert_eq!(snapshot.identity_of(1), Some(identity(0, 100)));
}

#[test]
fn while_the_newest_revision_of_a_bundle_is_held_the_one_in_service_keeps_its_member() {
    let mut catalog = Catalog::default().with([part(100), bundle(1, 100, 100)]);
    catalog.decisions.options = SuccessionOptions { approvals_follow: false, ..SuccessionOptions::default() };
    let mut catalog =
        catalog.approve(1, GroupId::ALL_COMPUTERS, Install).with([part(101), bundle(1, 101, 101)]);
    let of_bundle = identity(1, 101);
    let arrival = Arrival {
        update: of_bundle.update,
        revision: of_bundle.revision,
        replaces: Some(identity(1, 100).revision),
        expired: false,
        revives: false,
        eula: None,
        removable: true,
        may_ask: false,
        bundled: false,
    };
    let mut stamp = catalog.stamp();
    catalog.decisions.arrive(&arrival, &mut stamp).unwrap();
    let held = catalog.snapshot();
    assert_eq!(given(&held), [(1, Bundle), (2, DeploymentAction::Install)]);

    // Once it is accepted, the old revisions are out of scope and the new ones come.
    let subject = sluicegate_policy::Subject::software(uid(1));
    let mut stamp = catalog.stamp();
    catalog.decisions.accept_revision(&subject, &mut stamp).unwrap();
    let answer =
        ask(&catalog.snapshot(), SyncQuery { other_cached: &[1, 2], seen: held.anchor(), ..query() });
    assert_eq!((new_ids(&answer), answer.out_of_scope), (vec![3, 4], vec![1, 2]));
}

#[test]
fn bundles_that_name_different_revisions_of_a_member_each_have_theirs() {
    let both = Catalog::default().with([part(100), part(101), bundle(1, 100, 100), bundle(2, 100, 101)]);
    let expected = [(1, Bundle), (2, Bundle), (3, PreDeploymentCheck), (4, PreDeploymentCheck)];
    assert_eq!(given(&both.snapshot()), expected);
    // Of a bundle that goes, the member goes.
    assert_eq!(given(&both.clone().decline(1).snapshot()), [(2, Bundle), (4, PreDeploymentCheck)]);
    assert_eq!(given(&both.decline(2).snapshot()), [(1, Bundle), (3, PreDeploymentCheck)]);
}

#[test]
fn of_a_member_that_can_be_deployed_alone_the_revision_in_service_is_there_too() {
    let alone = |number| ScanRecord { explicitly_deployable: true, ..part(number) };
    let catalog = Catalog::default().with([alone(100), bundle(1, 100, 100), alone(101)]);
    assert_eq!(given(&catalog.snapshot()), [(1, Bundle), (2, PreDeploymentCheck), (3, Bundle)]);
    // When the bundle lets go of it, it stands by itself again, and the old revision is gone.
    let before = catalog.snapshot();
    let without = ScanRecord { identity: identity(1, 101), ..record(1, Software) };
    let answer = ask(
        &catalog.with([without]).snapshot(),
        SyncQuery { other_cached: &[1, 2, 3], seen: before.anchor(), ..query() },
    );
    assert_eq!((new_ids(&answer), answer.out_of_scope.clone()), (vec![4], vec![1, 2]));
    assert_eq!(changed_ids(&answer), [3]);
    assert_eq!(answer.changed[0].deployment.action, PreDeploymentCheck);
}

#[test]
fn only_the_revision_in_service_of_a_member_counts_as_its_update() {
    let alone = |number| ScanRecord { explicitly_deployable: true, ..part(number) };
    let snapshot = Catalog::default()
        .with([alone(100), bundle(1, 100, 100), alone(101), needs(record(2, Software), &[0])])
        .snapshot();
    assert_eq!(new_ids(&ask(&snapshot, query())), [1, 3, 2]);
    let installed = |ids: &[i32]| {
        new_ids(&ask(&snapshot, SyncQuery { installed_non_leaf: ids, other_cached: &[2], ..query() }))
    };
    assert_eq!(installed(&[1]), [3]);
    assert_eq!(installed(&[1, 3]), [4]);
}

#[test]
fn an_update_that_a_bundle_comes_to_name_an_old_revision_of_is_told_as_changed() {
    let alone = |number| ScanRecord { explicitly_deployable: true, ..part(number) };
    let catalog = Catalog::default().with([alone(100)]).approve(0, GroupId::ALL_COMPUTERS, Install);
    let before = catalog.snapshot();
    let after = catalog.with([alone(101), bundle(1, 100, 100)]).snapshot();
    let answer = ask(&after, SyncQuery { other_cached: &[1], seen: before.anchor(), ..query() });
    assert_eq!((new_ids(&answer), changed_ids(&answer)), (vec![2, 3], vec![1]));
    assert_eq!(answer.changed[0].deployment.action, Bundle);
    for groups in [&[][..], &[gid(1)]] {
        assert!(after.deployment(1, groups, "2.90".parse().unwrap()).unwrap().id.get() < 1 << 30);
    }
}

#[test]
fn a_member_of_a_member_goes_along_by_its_revision_too() {
    let inner = |number| ScanRecord { identity: identity(2, number), ..part(0) };
    let outer = |number, of: i64| ScanRecord { bundles: vec![vec![identity(2, of)]], ..part(number) };
    let catalog = Catalog::default().with([inner(100), outer(100, 100), bundle(1, 100, 100)]);
    let newer = catalog.with([inner(101), outer(101, 101)]);
    assert_eq!(given(&newer.snapshot()), [(1, Bundle), (2, Bundle), (3, PreDeploymentCheck)]);
}

#[test]
fn a_named_revision_that_is_damaged_takes_its_bundle_along_and_one_that_is_gone_does_not() {
    let catalog = Catalog::default().with([part(100), bundle(1, 100, 100), part(101)]);
    let mut builder = catalog.builder();
    builder.damaged(catalog.revisions[0].id);
    let snapshot = builder.finish().unwrap();
    let left: Vec<_> = snapshot.left_out().iter().map(|left| (left.identity, &left.reason)).collect();
    let bundled = LeftOutReason::BundledLeftOut(uid(0));
    assert_eq!(left, [(identity(0, 100), &LeftOutReason::Damaged), (identity(1, 100), &bundled)]);
    assert_eq!(given(&snapshot), []);

    let gone = Catalog::default().with([part(101), bundle(1, 100, 100)]);
    assert_eq!(given(&gone.snapshot()), [(1, Bundle), (2, PreDeploymentCheck)]);
}

#[test]
fn a_category_scan_has_the_members_that_its_bundles_name() {
    let category =
        ScanRecord { identity: identity(3, 100), ..record(3, sluicegate_terms::UpdateKind::Category) };
    let placed = crate::fixture::within(bundle(1, 100, 100), &[3]);
    let snapshot =
        Catalog::default().with([category, part(100), placed, part(101), record(4, Detectoid)]).snapshot();
    let wanted = [uid(3)];
    let scan =
        SyncQuery { installed_non_leaf: &[1], filter_categories: &wanted, also_regular: false, ..query() };
    assert_eq!(new_ids(&ask(&snapshot, scan)), [2, 3]);
    assert_eq!(snapshot.deployment(5, &[], "2.90".parse().unwrap()).unwrap().action, Evaluate);
    let refreshed =
        snapshot.refresh_cache(&[identity(0, 100), identity(1, 100)], &[], "2.90".parse().unwrap());
    assert_eq!(refreshed.len(), 1, "members of bundles are missing from it");
}
