//! The rules of delivery, one by one (observed behaviour 3.2 and 3.3; MS-WUSP 3.1.5.7).

use crate::fixture::{Catalog, ask, bundles, changed_ids, identity, needs, new_ids, query, record};
use crate::world::uid;
use sluicegate_catalog::ScanRecord;
use sluicegate_policy::ApprovalAction::{Install, Uninstall};
use sluicegate_scan::{AutoFields, LeftOutReason, PageBudget, ProtocolVersion, SyncQuery};
use sluicegate_terms::UpdateKind::{Category, Detectoid, Driver, Software};
use sluicegate_terms::{Anchor, DeploymentAction, DeploymentId, GroupId, RevisionId, Timestamp};
use std::sync::Arc;

/// A category, a detectoid in need of it, and an update in need of both.
fn chain() -> Catalog {
    Catalog::default().with([
        record(0, Category),
        needs(record(1, Detectoid), &[0]),
        needs(record(2, Software), &[0, 1]),
    ])
}

#[test]
fn an_update_waits_for_all_its_prerequisites_to_be_installed() {
    let snapshot = chain().snapshot();
    assert_eq!(new_ids(&ask(&snapshot, query())), [1]);
    let next = SyncQuery { installed_non_leaf: &[1], ..query() };
    assert_eq!(new_ids(&ask(&snapshot, next)), [2]);
    let last = SyncQuery { installed_non_leaf: &[1, 2], ..query() };
    assert_eq!(new_ids(&ask(&snapshot, last)), [3]);
}

#[test]
fn held_but_not_installed_ids_never_satisfy_a_prerequisite() {
    let held = SyncQuery { installed_non_leaf: &[1], other_cached: &[2], ..query() };
    let answer = ask(&chain().snapshot(), held);
    assert_eq!((new_ids(&answer), answer.out_of_scope), (vec![], vec![]));
}

#[test]
fn held_ids_whose_prerequisites_are_no_longer_installed_go_out_of_scope() {
    let answer = ask(&chain().snapshot(), SyncQuery { other_cached: &[2, 3, 3, 1], ..query() });
    assert_eq!(answer.out_of_scope, [2, 3]);
}

#[test]
fn unknown_repeated_and_negative_ids_are_answered_once_each() {
    let ids = [77, -5, 77, i32::MAX, 0, -5];
    let answer =
        ask(&chain().snapshot(), SyncQuery { installed_non_leaf: &ids, other_cached: &ids, ..query() });
    assert_eq!(answer.out_of_scope, [77, -5, i32::MAX, 0]);
    assert_eq!(new_ids(&answer), [1]);
}

#[test]
fn only_the_newest_revision_is_delivered_and_counts_as_installed() {
    let newer = ScanRecord { identity: identity(0, 101), ..record(0, Category) };
    let snapshot = chain().with([newer]).snapshot();
    let answer = ask(&snapshot, SyncQuery { installed_non_leaf: &[1], other_cached: &[2], ..query() });
    assert_eq!(new_ids(&answer), [4]);
    assert_eq!(answer.out_of_scope, [1, 2]);
}

#[test]
fn a_leaf_is_what_no_revision_names_not_even_an_old_one() {
    let newer = ScanRecord { identity: identity(2, 101), ..record(2, Software) };
    let snapshot = chain().with([newer]).snapshot();
    let answer = ask(&snapshot, SyncQuery { installed_non_leaf: &[1], ..query() });
    let leaves: Vec<_> = answer.new.iter().map(|new| (new.revision.get(), new.is_leaf)).collect();
    assert_eq!(leaves, [(2, false), (4, true)]);
}

#[test]
fn being_bundled_does_not_make_an_update_a_non_leaf() {
    let snapshot =
        Catalog::default().with([record(0, Software), bundles(record(1, Software), &[0])]).snapshot();
    assert!(ask(&snapshot, query()).new.iter().all(|new| new.is_leaf));
}

#[test]
fn each_kind_of_update_gets_its_action() {
    let catalog = Catalog::default()
        .with([
            record(0, Category),
            record(1, Detectoid),
            record(2, Software),
            bundles(record(3, Software), &[2]),
            bundles(record(4, Software), &[3]),
            record(5, Software),
            record(6, Software),
        ])
        .approve(5, GroupId::ALL_COMPUTERS, Install)
        .approve(6, GroupId::UNASSIGNED_COMPUTERS, Uninstall);
    let answer = ask(&catalog.snapshot(), query());
    let actions: Vec<_> = answer.new.iter().map(|new| new.deployment.action).collect();
    use DeploymentAction::{Bundle, Evaluate, PreDeploymentCheck};
    let install = DeploymentAction::Install;
    let uninstall = DeploymentAction::Uninstall;
    assert_eq!(actions, [Evaluate, Evaluate, Bundle, Bundle, PreDeploymentCheck, install, uninstall]);
    let ids: Vec<_> = answer.new.iter().map(|new| new.deployment.id).collect();
    assert_eq!(ids[4], DeploymentId::implicit(RevisionId::new(5).unwrap()));
    assert!(ids[5].get() >= DeploymentId::FIRST_EXPLICIT);
    assert!(answer.new.iter().all(|new| new.deployment.is_assigned));
}

#[test]
fn approvals_reach_the_groups_nested_in_theirs_only() {
    let mut catalog = Catalog::default().with([record(0, Software)]);
    let (parent, child, other) = (crate::world::gid(1), crate::world::gid(2), crate::world::gid(3));
    for (id, name, below) in [(parent, "a", None), (child, "b", Some(parent)), (other, "c", None)] {
        catalog.decisions.groups.create(id, name.parse().unwrap(), below).unwrap();
    }
    let snapshot = catalog.approve(0, parent, Install).snapshot();
    let action =
        |groups: &[GroupId]| ask(&snapshot, SyncQuery { groups, ..query() }).new[0].deployment.action;
    assert_eq!(action(&[parent]), DeploymentAction::Install);
    assert_eq!(action(&[child]), DeploymentAction::Install);
    assert_eq!(action(&[other]), DeploymentAction::PreDeploymentCheck);
    assert_eq!(action(&[other, child, other]), DeploymentAction::Install);
    assert_eq!(action(&[]), DeploymentAction::PreDeploymentCheck);
}

#[test]
fn a_deadline_in_the_past_is_delivered_as_it_is_to_install_and_to_uninstall() {
    // Long before anything here happens; agents act on it at once.
    let past = Timestamp::from_unix_seconds(-86_400);
    for action in [Install, Uninstall] {
        let catalog = Catalog::default().with([record(0, Software), record(1, Software)]);
        let catalog = catalog.approve_by(0, GroupId::ALL_COMPUTERS, action, Some(past));
        let snapshot = catalog.approve(1, GroupId::ALL_COMPUTERS, action).snapshot();
        let answer = ask(&snapshot, query());
        let told: Vec<_> = (answer.new.iter())
            .map(|new| (new.revision.get(), new.deployment.deadline, new.deployment.is_assigned))
            .collect();
        assert_eq!(told, [(1, Some(past), true), (2, None, true)]);
    }
}

#[test]
fn declined_and_expired_updates_are_not_delivered() {
    let expired = ScanRecord { expired: true, ..record(1, Software) };
    let snapshot =
        Catalog::default().with([record(0, Software), expired, record(2, Software)]).decline(0).snapshot();
    let answer = ask(&snapshot, SyncQuery { other_cached: &[1], ..query() });
    assert_eq!((new_ids(&answer), answer.out_of_scope), (vec![3], vec![1]));
    assert!(!snapshot.is_deployed(1) && !snapshot.is_deployed(2) && snapshot.is_deployed(3));
}

#[test]
fn a_declined_update_that_another_needs_is_evaluated_only() {
    let catalog = Catalog::default().with([record(0, Software), needs(record(1, Software), &[0])]).decline(0);
    let answer = ask(&catalog.snapshot(), query());
    assert_eq!(new_ids(&answer), [1]);
    assert_eq!(answer.new[0].deployment.action, DeploymentAction::Evaluate);
}

#[test]
fn a_part_goes_with_its_last_bundle() {
    let part = ScanRecord { explicitly_deployable: false, ..record(0, Software) };
    let catalog = Catalog::default().with([
        part,
        bundles(record(1, Software), &[0]),
        bundles(record(2, Software), &[0]),
    ]);
    assert_eq!(new_ids(&ask(&catalog.clone().decline(1).snapshot(), query())), [1, 3]);
    assert_eq!(new_ids(&ask(&catalog.decline(1).decline(2).snapshot(), query())), [0_u32; 0]);
}

#[test]
fn a_new_cookie_is_told_everything_it_holds_as_changed_and_a_late_one_nothing() {
    let snapshot = chain().snapshot();
    let held = SyncQuery { installed_non_leaf: &[1, 2], other_cached: &[3], ..query() };
    let fresh = ask(&snapshot, held);
    assert_eq!(changed_ids(&fresh), [1, 2, 3]);
    assert_eq!(changed_ids(&ask(&snapshot, SyncQuery { seen: fresh.anchor, ..held })), [0_u32; 0]);
}

#[test]
fn an_approval_and_its_withdrawal_are_told_as_changes() {
    let catalog = Catalog::default().with([record(0, Software), record(1, Software)]);
    let before = catalog.snapshot().anchor();
    let approved = catalog.approve(0, GroupId::ALL_COMPUTERS, Install);
    let held = SyncQuery { other_cached: &[1, 2], seen: before, ..query() };
    let answer = ask(&approved.snapshot(), held);
    assert_eq!(changed_ids(&answer), [1]);
    assert_eq!(answer.changed[0].deployment.action, DeploymentAction::Install);

    let mut withdrawn = approved.clone();
    let mut stamp = withdrawn.stamp();
    withdrawn.decisions.unapprove(uid(0), None, String::new(), &mut stamp).unwrap();
    let answer = ask(&withdrawn.snapshot(), SyncQuery { seen: answer.anchor, ..held });
    assert_eq!(changed_ids(&answer), [1]);
    assert_eq!(answer.changed[0].deployment.action, DeploymentAction::PreDeploymentCheck);
}

#[test]
fn an_approval_needs_no_compiling_what_changes_the_scope_does() {
    let catalog = chain();
    let snapshot = catalog.snapshot();
    let again = |other: Catalog| {
        let anchor = Anchor(other.anchor);
        snapshot.with_decisions(Arc::new(other.decisions), anchor)
    };
    let approved = again(catalog.clone().approve(2, GroupId::ALL_COMPUTERS, Install)).unwrap();
    assert!(approved.anchor() > snapshot.anchor());
    let seen = snapshot.anchor();
    let told = ask(&approved, SyncQuery { installed_non_leaf: &[1, 2], other_cached: &[3], seen, ..query() });
    assert_eq!(changed_ids(&told), [3]);
    assert!(again(catalog.clone().decline(2)).is_none());
}

#[test]
fn becoming_a_prerequisite_is_told_as_a_change_of_is_leaf() {
    let catalog = Catalog::default().with([record(0, Detectoid)]);
    let before = catalog.snapshot().anchor();
    let after = catalog.with([needs(record(1, Software), &[0])]).snapshot();
    let answer = ask(&after, SyncQuery { other_cached: &[1], seen: before, ..query() });
    assert_eq!(changed_ids(&answer), [1]);
    assert!(!answer.changed[0].is_leaf);
}

#[test]
fn a_page_holds_what_fits_the_budget_non_leaves_first_and_at_least_one() {
    let catalog = Catalog::default().with((0..6).map(|n| record(n, Software)));
    let snapshot = catalog.with([needs(record(6, Software), &[4])]).snapshot();
    let budget = |floor| PageBudget { floor, per_held: 0, ceiling: 1 << 20 };
    let page = |budget| ask(&snapshot, SyncQuery { budget, ..query() });
    let two = page(budget(3_000));
    assert_eq!((new_ids(&two), two.truncated), (vec![5, 1], true));
    let one = page(budget(1));
    assert_eq!((new_ids(&one), one.truncated), (vec![5], true));
    let all = page(budget(6 * 1_400));
    assert_eq!((all.new.len(), all.truncated), (6, false));
}

#[test]
fn old_protocols_do_not_get_fields_they_do_not_know() {
    let snapshot = chain().snapshot();
    let answer =
        |minor| ask(&snapshot, SyncQuery { protocol: ProtocolVersion { major: 1, minor }, ..query() });
    assert_eq!(
        answer(8).new[0].deployment.auto,
        Some(AutoFields { select: 0, download: 0, supersedence: 0 })
    );
    assert_eq!(answer(7).new[0].deployment.auto, None);
    assert_eq!((answer(7).driver_sync_not_needed, answer(6).driver_sync_not_needed), (Some(false), None));
}

#[test]
fn the_software_pass_has_no_drivers() {
    let snapshot = Catalog::default().with([record(0, Driver), record(1, Software)]).snapshot();
    assert_eq!(new_ids(&ask(&snapshot, query())), [2]);
}

#[test]
fn revisions_clients_could_not_make_sense_of_are_left_out_with_the_reason() {
    let mut empty = record(5, Software);
    empty.bundles.push(Vec::new());
    let catalog = Catalog::default().with([
        needs(record(0, Software), &[77]),
        bundles(record(1, Software), &[88]),
        bundles(record(2, Software), &[1]),
        bundles(record(3, Software), &[4]),
        bundles(record(4, Software), &[3]),
        empty,
        record(6, Software),
        bundles(record(7, Software), &[3]),
    ]);
    let snapshot = catalog.snapshot();
    let reasons: Vec<_> =
        snapshot.left_out().iter().map(|left| (left.revision.get(), left.reason.clone())).collect();
    let expected = [
        (1, LeftOutReason::MissingPrerequisite(uid(77))),
        (2, LeftOutReason::MissingBundled(uid(88))),
        (3, LeftOutReason::BundledLeftOut(uid(1))),
        (4, LeftOutReason::BundleCycle),
        (5, LeftOutReason::BundleCycle),
        (6, LeftOutReason::EmptyClause),
        (8, LeftOutReason::BundleCycle),
    ];
    assert_eq!(reasons, expected);
    assert_eq!(new_ids(&ask(&snapshot, query())), [7]);
    assert!(snapshot.left_out()[0].to_string().contains(&uid(77).to_string()));
}

#[test]
fn what_was_left_out_is_delivered_once_what_it_needs_is_there() {
    let catalog = Catalog::default().with([needs(record(0, Software), &[1])]);
    assert_eq!(catalog.snapshot().left_out().len(), 1);
    let snapshot = catalog.with([record(1, Detectoid)]).snapshot();
    assert!(snapshot.left_out().is_empty());
    assert_eq!(new_ids(&ask(&snapshot, SyncQuery { installed_non_leaf: &[2], ..query() })), [1]);
}

#[test]
fn of_revisions_that_are_there_twice_one_is_served_and_the_other_named() {
    let mut shared_id =
        Catalog::default().with([record(1, Software), record(0, Software), record(2, Software)]);
    shared_id.revisions[1].id = shared_id.revisions[0].id;
    let (kept, other) = (identity(0, 100).min(identity(1, 100)), identity(0, 100).max(identity(1, 100)));
    for _ in 0..2 {
        let snapshot = shared_id.snapshot();
        assert_eq!(new_ids(&ask(&snapshot, query())), [1, 3]);
        assert_eq!(snapshot.identity_of(1), Some(kept), "whichever came first");
        let reasons: Vec<_> = snapshot.left_out().iter().map(|left| (left.identity, &left.reason)).collect();
        assert_eq!(reasons, [(other, &LeftOutReason::SharedRevisionId(kept))]);
        shared_id.revisions.swap(0, 1);
    }

    let twice = Catalog::default().with([record(0, Software), record(0, Software), record(1, Software)]);
    let snapshot = twice.snapshot();
    assert_eq!(new_ids(&ask(&snapshot, query())), [1, 3]);
    let left: Vec<_> = snapshot.left_out().iter().map(|left| (left.revision.get(), &left.reason)).collect();
    assert_eq!(left, [(2, &LeftOutReason::SharedIdentity(twice.revisions[0].id))]);
}

#[test]
fn an_update_whose_newest_revision_is_damaged_is_left_out_and_offered_again_when_it_is_whole() {
    let newer = ScanRecord { identity: identity(0, 101), ..record(0, Software) };
    let catalog = Catalog::default().with([
        record(0, Software),
        newer,
        record(1, Software),
        ScanRecord { bundles: vec![vec![identity(0, 101)]], ..record(2, Software) },
    ]);
    let mut builder = catalog.builder();
    builder.damaged(catalog.revisions[1].id).damaged(RevisionId::new(77).unwrap());
    let snapshot = builder.finish().unwrap();
    let left: Vec<_> = snapshot.left_out().iter().map(|left| (left.identity, &left.reason)).collect();
    let bundle = LeftOutReason::BundledLeftOut(uid(0));
    assert_eq!(left, [(identity(0, 101), &LeftOutReason::Damaged), (identity(2, 100), &bundle)]);
    assert_eq!(new_ids(&ask(&snapshot, query())), [3], "nobody is given the older revision instead");
    let held = SyncQuery { other_cached: &[2, 3], seen: snapshot.anchor(), ..query() };
    assert_eq!(ask(&snapshot, held).out_of_scope, [2]);
    let whole = catalog.snapshot();
    let again = SyncQuery { other_cached: &[3], seen: whole.anchor(), ..query() };
    assert_eq!(new_ids(&ask(&whole, again)), [2, 4]);
}

#[test]
fn what_cannot_be_delivered_takes_no_room_on_a_page_and_is_offered_by_the_next_scan() {
    let catalog = Catalog::default().with((0..4).map(|n| record(n, Software)));
    let snapshot = catalog.snapshot();
    let ids = [1, 2, 4].map(|id| RevisionId::new(id).unwrap());
    let one = PageBudget { floor: 1, per_held: 0, ceiling: 1 };
    let first = ask(&snapshot, SyncQuery { budget: one, without: &ids, ..query() });
    assert_eq!((new_ids(&first), first.truncated), (vec![3], false));
    let next = SyncQuery { other_cached: &[3], seen: first.anchor, ..query() };
    assert_eq!(new_ids(&ask(&snapshot, next)), [1, 2, 4]);
    let held = SyncQuery { other_cached: &[1, 2, 3, 4], seen: first.anchor, without: &ids, ..query() };
    assert_eq!(ask(&snapshot, held), ask(&snapshot, SyncQuery { without: &[], ..held }));
}

#[test]
fn refresh_cache_leaves_out_members_of_bundles_and_old_revisions() {
    let newer = ScanRecord { identity: identity(0, 101), ..record(0, Software) };
    let catalog = Catalog::default().with([
        record(0, Software),
        newer,
        record(1, Software),
        bundles(record(2, Software), &[1]),
    ]);
    let snapshot = catalog.snapshot();
    let ids = [identity(0, 100), identity(0, 101), identity(1, 100), identity(2, 100), identity(9, 100)];
    let refreshed = snapshot.refresh_cache(&ids, &[], ProtocolVersion { major: 2, minor: 90 });
    let found: Vec<_> = refreshed.iter().map(|r| (r.identity, r.revision.get())).collect();
    assert_eq!(found, [(identity(0, 101), 2), (identity(2, 100), 4)]);
    assert_eq!(snapshot.revision_of(identity(1, 100)).map(RevisionId::get), Some(3));
    assert_eq!(snapshot.identity_of(3), Some(identity(1, 100)));
}
