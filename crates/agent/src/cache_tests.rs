//! Tests of the client metadata cache.

use super::*;
use sluicegate_terms::{Guid, RevisionNumber, UpdateId};

fn identity(n: u128) -> UpdateIdentity {
    UpdateIdentity { update: UpdateId(Guid::from_u128(n)), revision: RevisionNumber::new(1).unwrap() }
}

fn revision_id(n: u128) -> RevisionId {
    RevisionId::new(i64::try_from(n).unwrap()).unwrap()
}

fn deployment_id(n: u128) -> DeploymentId {
    DeploymentId::implicit(revision_id(n))
}

/// A revision whose number on the server is the number of its update.
fn held(n: u128, action: DeploymentAction) -> Cached<Verdict> {
    Cached {
        id: revision_id(n),
        core: CoreFacts {
            identity: identity(n),
            kind: UpdateKind::Software,
            bundles: Vec::new(),
            supersedes: Vec::new(),
            eula: None,
            has_rules: true,
        },
        deployment: Deployment { id: deployment_id(n), action, deadline: None },
        is_leaf: true,
        verdict: Verdict::NotApplicable,
        rules: Verdict::NotApplicable,
        extended: None,
        title: None,
    }
}

fn bundle(n: u128, clauses: &[&[u128]]) -> Cached<Verdict> {
    let mut bundle = held(n, DeploymentAction::Install);
    bundle.core.bundles =
        clauses.iter().map(|clause| clause.iter().copied().map(identity).collect()).collect();
    bundle.core.has_rules = false;
    bundle
}

fn judged(n: u128, rules: Verdict) -> Cached<Verdict> {
    Cached { rules, ..held(n, DeploymentAction::Bundle) }
}

fn cache(revisions: impl IntoIterator<Item = Cached<Verdict>>) -> Cache<Verdict> {
    let mut cache = Cache::default();
    for revision in revisions {
        cache.insert(revision);
    }
    cache.evaluate(|held| held.rules);
    cache
}

fn verdict_of_bundle(clauses: &[&[u128]], members: &[(u128, Verdict)]) -> Verdict {
    let mut revisions = vec![bundle(1, clauses)];
    revisions.extend(members.iter().map(|(n, rules)| judged(*n, *rules)));
    cache(revisions).get(revision_id(1)).unwrap().verdict
}

#[test]
fn only_installed_non_leaves_satisfy_prerequisites_and_everything_else_is_held() {
    let mut category = judged(5, Verdict::Installed);
    category.is_leaf = false;
    let mut detectoid = judged(6, Verdict::NotApplicable);
    detectoid.is_leaf = false;
    let mut driver = judged(8, Verdict::Needed);
    driver.core.kind = UpdateKind::Driver;
    let ids = cache([judged(7, Verdict::Installed), category, detectoid, driver]).ids();
    assert_eq!(ids, HeldIds { installed_non_leaf: vec![5], other: vec![6, 7] });
}

#[test]
fn a_bundle_follows_its_members() {
    use Verdict::{Installed, Needed, NotApplicable};
    assert_eq!(verdict_of_bundle(&[&[2, 3]], &[(2, NotApplicable), (3, Needed)]), Needed);
    assert_eq!(verdict_of_bundle(&[&[2, 3]], &[(2, NotApplicable), (3, Installed)]), Installed);
    assert_eq!(verdict_of_bundle(&[&[2, 3]], &[(2, Installed), (3, Needed)]), Needed);
    assert_eq!(verdict_of_bundle(&[&[2], &[3]], &[(2, Needed), (3, NotApplicable)]), NotApplicable);
    assert_eq!(verdict_of_bundle(&[&[2], &[3]], &[(2, Installed), (3, Needed)]), Needed);
    // A member that was never delivered is not for this computer.
    assert_eq!(verdict_of_bundle(&[&[2]], &[]), NotApplicable);
}

#[test]
fn bundles_of_bundles_and_circles_are_evaluated() {
    let mut inner = bundle(2, &[&[3]]);
    inner.deployment.action = DeploymentAction::Bundle;
    let outer = cache([bundle(1, &[&[2]]), inner, judged(3, Verdict::Needed)]);
    assert_eq!(outer.get(revision_id(1)).unwrap().verdict, Verdict::Needed);
    assert_eq!(outer.tasks()[0].parts, [revision_id(3)]);
    let circle = cache([bundle(1, &[&[2]]), bundle(2, &[&[1]])]);
    assert_eq!(circle.get(revision_id(1)).unwrap().verdict, Verdict::NotApplicable);
}

#[test]
fn approvals_become_tasks_and_superseded_updates_give_way() {
    let mut newer = held(2, DeploymentAction::Install);
    newer.core.supersedes = vec![identity(1).update];
    newer.rules = Verdict::Needed;
    let mut older = held(1, DeploymentAction::Install);
    older.rules = Verdict::Needed;
    let mut removed = held(3, DeploymentAction::Uninstall);
    removed.rules = Verdict::Installed;
    let mut detected = held(4, DeploymentAction::PreDeploymentCheck);
    detected.rules = Verdict::Needed;
    let cache = cache([newer, older, removed, detected]);
    let tasks = cache.tasks();
    assert_eq!(
        tasks.iter().map(|t| (t.parent.get(), t.uninstall)).collect::<Vec<_>>(),
        [(2, false), (3, true)]
    );
    assert_eq!(cache.reported().count(), 4);
    assert_eq!(cache.without_extended().len(), 4);
}

#[test]
fn refresh_gives_new_numbers_and_forgets_what_the_server_does_not_name() {
    let mut cache = cache([judged(1, Verdict::Installed), judged(2, Verdict::Needed)]);
    let deployment = Deployment { id: deployment_id(9), action: DeploymentAction::Install, deadline: None };
    cache.renumber([
        (identity(2), revision_id(1), deployment, false),
        (identity(77), revision_id(3), deployment, true),
    ]);
    assert_eq!(cache.len(), 1);
    let kept = cache.get(revision_id(1)).unwrap();
    assert_eq!((kept.core.identity, kept.deployment, kept.is_leaf), (identity(2), deployment, false));
    assert_eq!(kept.verdict, Verdict::Needed);
    assert_eq!(cache.identities(), [identity(2)]);
}

#[test]
fn changes_and_removals_apply_to_held_revisions_only() {
    let mut cache = cache([judged(1, Verdict::Needed)]);
    let install = Deployment {
        id: deployment_id(5),
        action: DeploymentAction::Install,
        deadline: Some(Timestamp::MAX),
    };
    cache.change(revision_id(1), install, false);
    cache.change(revision_id(2), install, false);
    assert_eq!(cache.get(revision_id(1)).unwrap().deployment, install);
    cache.remove(revision_id(2));
    cache.remove(revision_id(1));
    assert!(cache.is_empty() && cache.identities().is_empty());
}

#[test]
fn a_newer_number_for_the_same_revision_replaces_the_old_one() {
    let mut again = judged(1, Verdict::Needed);
    again.id = revision_id(50);
    let cache = cache([judged(1, Verdict::Needed), again]);
    assert_eq!(cache.iter().map(|held| held.id.get()).collect::<Vec<_>>(), [50]);
}
