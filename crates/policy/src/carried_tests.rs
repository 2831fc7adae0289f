//! Policy: decisions carried from one server to another, and back.

use super::*;
use sluicegate_terms::{Anchor, DeploymentId, Guid};

fn uid(n: u128) -> UpdateId {
    UpdateId(Guid::from_u128(n))
}

fn gid(n: u128) -> GroupId {
    GroupId(Guid::from_u128(n))
}

fn rev(n: i64) -> RevisionNumber {
    RevisionNumber::new(n).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn stamp(seconds: i64) -> Stamp {
    let change = Change { anchor: Anchor(seconds.unsigned_abs()), at: at(seconds) };
    Stamp::new(change, i64::from(DeploymentId::FIRST_EXPLICIT) + seconds * 100)
}

/// Updates below 100 are here, with the revisions 1 and 2.
fn known(update: UpdateId) -> Option<Known> {
    let here = update.0.as_u128() < 100;
    here.then(|| Known { subject: Subject::software(update), revisions: vec![rev(1), rev(2)] })
}

fn approve(decisions: &mut Decisions, update: u128, group: GroupId, seconds: i64) {
    let order = Order { group, action: ApprovalAction::Install, deadline: None, by: "admin".to_owned() };
    decisions.approve(&Subject::software(uid(update)), order, &mut stamp(seconds)).unwrap();
}

fn origin() -> Decisions {
    let mut decisions = Decisions::default();
    decisions.groups.create(gid(9), "Outer".parse().unwrap(), None).unwrap();
    decisions.groups.create(gid(1), "Inner".parse().unwrap(), Some(gid(9))).unwrap();
    approve(&mut decisions, 10, gid(1), 10);
    approve(&mut decisions, 11, gid(9), 11);
    decisions.decline(&Subject::software(uid(12)), stamp(12).change).unwrap();
    decisions.accept_eula(EulaId(Guid::from_u128(77)), "admin".to_owned(), &mut stamp(13)).unwrap();
    decisions
}

fn carry(from: &Decisions, to: &mut Decisions, seconds: i64) -> TakenIn {
    to.take_in(&from.to_carry(), known, &mut stamp(seconds)).unwrap()
}

#[test]
fn decisions_arrive_with_their_times_and_a_second_time_changes_nothing() {
    let from = origin();
    let mut to = Decisions::default();
    let taken = carry(&from, &mut to, 50);
    assert_eq!((taken.groups, taken.accepted, taken.approved, taken.declined), (2, 1, 2, 1));
    assert_eq!(taken.skipped, 0, "{:?}", taken.reasons);
    assert_eq!(to.to_carry(), from.to_carry());
    assert!(to.approvals.values().all(|a| a.changed == Anchor(50)), "clients are told of them now");
    let deployments: BTreeSet<_> = to.approvals.values().map(|a| a.deployment).collect();
    assert_eq!(deployments.len(), 2);
    let once = to.clone();
    assert_eq!(carry(&from, &mut to, 60), TakenIn::default());
    assert_eq!(to, once);
}

#[test]
fn what_was_withdrawn_there_is_withdrawn_here_and_an_older_file_does_not_bring_it_back() {
    let mut from = origin();
    let older = from.to_carry();
    let mut to = Decisions::default();
    carry(&from, &mut to, 50);
    from.unapprove(uid(10), Some(gid(1)), "admin".to_owned(), &mut stamp(20)).unwrap();
    assert_eq!(carry(&from, &mut to, 60).withdrawn, 1);
    assert!(!to.approvals.contains_key(&(uid(10), gid(1))));
    let taken = to.take_in(&older, known, &mut stamp(70)).unwrap();
    assert_eq!((taken.approved, taken.older), (0, 1));
    assert_eq!(to.to_carry(), from.to_carry());
}

#[test]
fn the_later_decision_counts_wherever_it_was_made() {
    let from = origin();
    let mut to = Decisions::default();
    carry(&from, &mut to, 50);
    // Later here: the update is declined after it was approved there, and the other way round.
    to.decline(&Subject::software(uid(10)), stamp(55).change).unwrap();
    approve(&mut to, 12, gid(1), 56);
    let kept = to.clone();
    let taken = carry(&from, &mut to, 60);
    assert_eq!((taken.approved, taken.declined, taken.older), (0, 0, 2));
    assert_eq!(to, kept);
    // Later there.
    let mut from = from;
    approve(&mut from, 12, gid(1), 70);
    from.decline(&Subject::software(uid(12)), stamp(71).change).unwrap();
    assert_eq!(carry(&from, &mut to, 80).declined, 1);
    assert!(to.declined.contains_key(&uid(12)) && !to.approvals.contains_key(&(uid(12), gid(1))));
}

#[test]
fn a_decline_taken_back_there_is_taken_back_here() {
    let mut from = origin();
    let mut to = Decisions::default();
    carry(&from, &mut to, 50);
    from.restore(uid(12), stamp(60).change).unwrap();
    assert_eq!(carry(&from, &mut to, 61).restored, 1);
    assert!(to.declined.is_empty());
}

#[test]
fn a_group_of_the_same_name_is_the_same_group() {
    let from = origin();
    let mut to = Decisions::default();
    to.groups.create(gid(500), "INNER".parse().unwrap(), None).unwrap();
    let taken = carry(&from, &mut to, 50);
    assert_eq!((taken.groups, taken.approved), (1, 2));
    assert!(to.approvals.contains_key(&(uid(10), gid(500))));
    assert!(to.groups.get(gid(1)).is_none());
}

#[test]
fn what_cannot_be_taken_in_is_said_and_hinders_nothing_else() {
    let mut from = origin();
    approve(&mut from, 200, gid(1), 15);
    from.decline(&Subject::software(uid(201)), stamp(16).change).unwrap();
    let mut carried = from.to_carry();
    carried.groups.retain(|group| group.id != gid(9));
    let mut to = Decisions::default();
    let taken = to.take_in(&carried, known, &mut stamp(50)).unwrap();
    // The inner group lacks the outer one, so three approvals have no group.
    assert_eq!((taken.skipped, taken.declined), (5, 1), "{:?}", taken.reasons);
}

#[test]
fn a_revision_that_waits_there_waits_here_unless_it_is_in_service() {
    let mut from = origin();
    from.held.insert(uid(10), Hold { serving: rev(1), reason: HoldReason::Review, since: stamp(14).change });
    let mut to = Decisions::default();
    assert_eq!(carry(&from, &mut to, 50).held, 1);
    assert_eq!(to.held.get(&uid(10)).map(|hold| hold.serving), Some(rev(1)));
    let mut elsewhere = Decisions::default();
    carry(&origin(), &mut elsewhere, 50);
    assert_eq!(carry(&from, &mut elsewhere, 60).held, 0);
}
