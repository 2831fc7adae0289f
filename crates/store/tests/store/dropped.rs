//! Approvals that go with their group or their update: servers below are told of them as of all that was withdrawn, and
//! a replica does not take up again what it was told of them once.

use crate::support;

use sluicegate_policy::hierarchy::{Mode, UpstreamDeployment};
use sluicegate_policy::{ApprovalAction, Group};
use sluicegate_store::cleanup::CleanupOrder;
use sluicegate_store::hierarchy::{DeploymentNews, UpstreamSettings};
use sluicegate_store::{ApprovalOrder, Store};
use sluicegate_terms::{Anchor, GroupId, Guid, RevisionNumber};
use std::path::Path;
use support::{at, import, open, software, uid};

const DAY: i64 = 86_400;
const EVERYBODY: GroupId = GroupId::ALL_COMPUTERS;

fn gid(n: u128) -> GroupId {
    GroupId(Guid::from_u128(n))
}

fn replica(dir: &Path) -> Store {
    let store = open(dir);
    import(&store, 0, &[software(1, 1, "One"), software(2, 1, "Two")]);
    let source = Some("http://parent:8530".parse().unwrap());
    let settings = UpstreamSettings { source, mode: Mode::Replica, ..UpstreamSettings::default() };
    store.set_upstream_settings(settings, at(1)).unwrap();
    store
}

/// News of an upstream that has these groups and tells of approvals of updates for groups.
fn news(groups: &[u128], approvals: &[(u128, GroupId, ApprovalAction)]) -> DeploymentNews {
    let group =
        |n: &u128| Group { id: gid(*n), name: format!("G{n}").parse().unwrap(), parent: Some(EVERYBODY) };
    let deployment = |&(n, group, action): &(u128, GroupId, ApprovalAction)| UpstreamDeployment {
        guid: Guid::from_u128(n << 64 | group.0.as_u128() >> 64),
        update: uid(n),
        group,
        action,
        deadline: None,
        by: "parent".to_owned(),
        revision: RevisionNumber::new(1).unwrap(),
        decided: None,
    };
    DeploymentNews {
        groups: groups.iter().map(group).collect(),
        deployments: approvals.iter().map(deployment).collect(),
        anchor: "1".to_owned(),
        ..DeploymentNews::default()
    }
}

fn approved(store: &Store) -> Vec<(u128, GroupId)> {
    store.decisions().approvals.keys().map(|(update, group)| (update.0.as_u128(), *group)).collect()
}

fn dropped(store: &Store, since: Anchor) -> Vec<(u128, GroupId)> {
    let all = store.dropped_deployments(since).unwrap().unwrap();
    let mut all: Vec<_> = all.into_iter().map(|(update, group)| (update.0.as_u128(), group)).collect();
    all.sort_unstable();
    all
}

#[test]
fn approvals_that_go_with_their_group_are_known_as_gone_until_they_are_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = replica(dir.path());
    let pilots = news(&[9], &[(1, gid(9), ApprovalAction::Install), (2, EVERYBODY, ApprovalAction::Install)]);
    store.adopt_deployments(&DeploymentNews { complete: true, ..pilots.clone() }, at(2)).unwrap();
    assert_eq!((approved(&store).len(), dropped(&store, Anchor::START)), (2, vec![]));
    let told = store.anchor();
    // Another parent has no such group.
    let other = DeploymentNews { complete: true, ..news(&[], &[]) };
    store.adopt_deployments(&other, at(3)).unwrap();
    assert_eq!(approved(&store), []);
    assert_eq!(dropped(&store, told), [(1, gid(9))], "the other leaves a mark");
    assert_eq!(dropped(&store, store.anchor()), []);
    // The group is back without it, and then a mark says so to computers too; then with it.
    store.adopt_deployments(&DeploymentNews { complete: true, ..news(&[9], &[]) }, at(4)).unwrap();
    assert_eq!(dropped(&store, told), []);
    let mark = store.decisions().withdrawn[&(uid(1), gid(9))];
    assert_eq!((mark.anchor, mark.decided), (store.anchor(), None));
    store.adopt_deployments(&DeploymentNews { complete: true, ..pilots }, at(5)).unwrap();
    assert_eq!((approved(&store).len(), dropped(&store, told)), (2, vec![]));
}

#[test]
fn marks_of_removed_groups_and_updates_outlive_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "One"), software(2, 1, "Two")]);
    let group = store.create_group("Pilots".parse().unwrap(), None, at(1)).unwrap().id;
    for (n, group) in [(1, EVERYBODY), (2, group)] {
        let action = ApprovalAction::Install;
        let order = ApprovalOrder { update: uid(n), group, action, deadline: None, by: "Ada".to_owned() };
        store.approve(order, at(2)).unwrap();
    }
    let told = store.anchor();
    store.unapprove(uid(2), Some(group), "Ada".to_owned(), at(3)).unwrap();
    let withdrawn = store.anchor();
    store.remove_group(group, false, at(4)).unwrap();
    assert_eq!(dropped(&store, told), [(2, group)]);
    assert_eq!(dropped(&store, withdrawn), [], "whoever asks from behind it was told");
    store.decline(uid(1), at(5)).unwrap();
    for day in [31, 33] {
        store.cleanup(&CleanupOrder::default(), at(day * DAY), &mut || true).unwrap();
    }
    assert_eq!(store.removed_updates().unwrap(), [uid(1)]);
    assert_eq!(dropped(&store, told), [(1, EVERYBODY), (2, group)]);
    import(&store, 34 * DAY, &[software(1, 1, "One")]);
    assert_eq!(dropped(&store, told), [(1, EVERYBODY), (2, group)], "it is here again, and not approved");
}

#[test]
fn a_replica_forgets_what_it_was_told_for_groups_that_are_gone_and_of_what_is_declined() {
    let dir = tempfile::tempdir().unwrap();
    let store = replica(dir.path());
    let block = (2, gid(9), ApprovalAction::NotApproved);
    let all = [(1, gid(9), ApprovalAction::Install), (2, EVERYBODY, ApprovalAction::Install), block];
    store.adopt_deployments(&news(&[9], &all), at(2)).unwrap();
    assert_eq!(approved(&store).len(), 3);
    // An upstream that does not know any more what it told, and names nothing as dead.
    store.adopt_deployments(&DeploymentNews { declined: vec![uid(2)], ..news(&[9], &[]) }, at(3)).unwrap();
    store.adopt_deployments(&news(&[9], &[]), at(4)).unwrap();
    assert_eq!(
        approved(&store),
        [(1, gid(9)), (2, gid(9))],
        "that it is not approved there was never taken back"
    );
    store.adopt_deployments(&news(&[], &[]), at(5)).unwrap();
    store.adopt_deployments(&news(&[9], &[]), at(6)).unwrap();
    assert_eq!(approved(&store), []);
    // What is told for a group that comes a moment later waits for it.
    store.adopt_deployments(&news(&[], &all[..1]), at(7)).unwrap();
    assert_eq!(approved(&store), []);
    store.adopt_deployments(&news(&[9], &[]), at(8)).unwrap();
    assert_eq!(approved(&store), [(1, gid(9))]);
}
