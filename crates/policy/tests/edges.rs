//! The last thing that is still permitted and the first that is not, and what people read: where a rule says a
//! number or a word, this is that number or word.

mod support;

use sluicegate_policy::ApprovalAction::{Install, NotApproved};
use sluicegate_policy::{
    Approval, ApprovalAction, ApprovalError, Approvals, Decisions, EulaId, GroupError, GroupName, GroupTree,
    MAX_GROUP_DEPTH, Mark, Order, Subject, effective,
};
use sluicegate_terms::{Anchor, DeploymentId, GroupId, Guid, UpdateId};
use support::{approved, at, change, eula, gid, order, stamp, uid};

fn approval(update: u128, deployment: i64) -> Approval {
    Approval {
        update: uid(update),
        group: gid(0),
        action: Install,
        deadline: None,
        deployment: DeploymentId::new(deployment).unwrap(),
        changed: Anchor(1),
        changed_at: at(1),
        by: "admin".to_owned(),
    }
}

#[test]
fn actions_terms_and_names_are_shown_as_they_are_written() {
    for action in ApprovalAction::ALL {
        assert_eq!(action.to_string(), action.as_str());
        assert_eq!(action.to_string().parse(), Ok(action));
    }
    let id: EulaId = eula(7);
    assert_eq!(id.to_string(), Guid::from_u128(7).to_string());
    let name: GroupName = " Pilots ".parse().unwrap();
    assert_eq!(name.to_string(), "Pilots");
}

#[test]
fn explicit_deployments_begin_at_two_to_the_thirty() {
    let first = i64::from(DeploymentId::FIRST_EXPLICIT);
    let mut approvals = Approvals::default();
    assert!((approvals.is_empty(), approvals.len()) == (true, 0));
    approvals.insert(approval(1, first)).unwrap();
    approvals.insert(approval(2, first + 1)).unwrap();
    assert!((approvals.is_empty(), approvals.len()) == (false, 2));
    let implicit = DeploymentId::new(first - 1).unwrap();
    assert_eq!(approvals.insert(approval(3, first - 1)), Err(ApprovalError::DeploymentId(implicit)));
    assert_eq!(approvals.len(), 2);
}

#[test]
fn a_group_name_has_up_to_256_characters() {
    assert!("x".repeat(GroupName::MAX_CHARS).parse::<GroupName>().is_ok());
    assert!(matches!(
        "x".repeat(GroupName::MAX_CHARS + 1).parse::<GroupName>(),
        Err(GroupError::Name { .. })
    ));
}

/// A chain of `length` groups below All Computers, numbered from `first`.
fn chain(tree: &mut GroupTree, first: u128, length: usize) -> GroupId {
    let mut parent = None;
    for n in 0..length as u128 {
        let id = gid(first + n);
        tree.create(id, format!("g{}", first + n).parse().unwrap(), parent).unwrap();
        parent = Some(id);
    }
    parent.unwrap()
}

#[test]
fn a_group_is_moved_with_those_below_it_as_deep_as_groups_may_be_and_not_deeper() {
    // All Computers is the first level.
    let half = MAX_GROUP_DEPTH / 2;
    let mut tree = GroupTree::new();
    let deep = chain(&mut tree, 100, half - 1);
    chain(&mut tree, 200, MAX_GROUP_DEPTH - half);
    chain(&mut tree, 300, MAX_GROUP_DEPTH - half + 1);
    assert!(matches!(tree.move_below(gid(300), deep, Anchor(1)), Err(GroupError::TooDeep(_))));
    tree.move_below(gid(200), deep, Anchor(1)).unwrap();
    let last = gid(200 + (MAX_GROUP_DEPTH - half) as u128 - 1);
    assert_eq!(tree.path(last).count(), MAX_GROUP_DEPTH);
}

#[test]
fn removing_a_group_forgets_what_was_withdrawn_for_it_and_for_no_other() {
    let mut decisions = approved(&[(2, Install), (3, NotApproved)]);
    decisions.approve(&Subject::software(uid(1)), order(0, Install), &mut stamp(5)).unwrap();
    for group in [0, 3] {
        decisions.approvals.remove(&(uid(1), gid(group)));
        decisions.withdrawn.insert((uid(1), gid(group)), Mark::decided(change(6)));
    }
    decisions.remove_group(gid(3), change(7)).unwrap();
    assert_eq!(decisions.withdrawn.keys().collect::<Vec<_>>(), [&(uid(1), gid(0))]);
}

#[test]
fn an_update_nobody_decided_about_is_not_new_to_clients_because_a_group_moved() {
    let mut decisions = approved(&[(2, Install)]);
    decisions.groups.move_below(gid(3), GroupId::ALL_COMPUTERS, Anchor(9)).unwrap();
    let since = |decisions: &Decisions, update: UpdateId| effective(decisions, update, &[gid(3)]).since;
    assert_eq!(since(&decisions, uid(2)), Anchor::START);
    assert_eq!(since(&decisions, uid(1)), Anchor(9));
    let denied = Order { action: NotApproved, ..order(3, NotApproved) };
    decisions.approve(&Subject::software(uid(2)), denied, &mut stamp(10)).unwrap();
    assert_eq!(since(&decisions, uid(2)), Anchor(10));
}
