//! Tests of what expires: nobody decides by that, here or elsewhere.

use crate::carried::tests::{at, rev, revisions, stamp, uid};
use crate::carried::{Known, TakenIn};
use crate::{ApprovalAction, ApprovalError, Arrival, Decisions, Order, Subject, Succession};
use sluicegate_terms::GroupId;

/// Everything here is about this update.
const UPDATE: u128 = 1;

fn plain() -> Subject {
    Subject::software(uid(UPDATE))
}

fn approve(decisions: &mut Decisions, group: GroupId, action: ApprovalAction, seconds: i64) {
    let order = Order { group, action, deadline: None, by: "admin".to_owned() };
    decisions.approve(&plain(), order, &mut stamp(seconds)).unwrap();
}

/// A revision comes that lets it expire.
fn expire(decisions: &mut Decisions, seconds: i64) -> Succession {
    let arrival = Arrival {
        update: uid(UPDATE),
        revision: rev(2),
        replaces: Some(rev(1)),
        expired: true,
        revives: false,
        eula: None,
        removable: true,
        may_ask: false,
        bundled: false,
    };
    decisions.arrive(&arrival, &mut stamp(seconds)).unwrap()
}

fn carry(from: &Decisions, to: &mut Decisions, expired: bool, seconds: i64) -> TakenIn {
    let known = |_: &Decisions, _| {
        let subject = Subject { expired, ..plain() };
        let came = Some(at(5));
        Ok::<_, ApprovalError>(Some(Known { subject, revisions: revisions(&[1, 2], &subject), came }))
    };
    to.take_in(&from.to_carry(), known, &mut stamp(seconds)).unwrap()
}

const ALL: GroupId = GroupId::ALL_COMPUTERS;
const REST: GroupId = GroupId::UNASSIGNED_COMPUTERS;

/// Approved on both sides before it expires.
fn both() -> (Decisions, Decisions) {
    let (mut from, mut to) = (Decisions::default(), Decisions::default());
    approve(&mut from, ALL, ApprovalAction::Install, 10);
    carry(&from, &mut to, false, 20);
    (from, to)
}

#[test]
fn an_order_to_remove_what_expired_there_counts_although_it_expires_here_later() {
    let (mut from, mut to) = both();
    assert_eq!(expire(&mut from, 30), Succession::Declined);
    approve(&mut from, ALL, ApprovalAction::Uninstall, 40);
    assert_eq!(expire(&mut to, 50), Succession::Declined);
    let taken = carry(&from, &mut to, true, 50);
    assert_eq!((taken.approved, taken.older), (1, 0), "{taken:?}");
    assert!(to.declined.is_empty());
    assert_eq!(to.to_carry(), from.to_carry());
    // Neither a second time nor back does it change anything.
    let (once, origin) = (to.clone(), from.clone());
    assert_eq!((carry(&from, &mut to, true, 60), to), (TakenIn::default(), once.clone()));
    carry(&once, &mut from, true, 70);
    assert_eq!(from, origin);
}

#[test]
fn that_it_expires_elsewhere_takes_no_order_back() {
    let (mut from, mut to) = both();
    expire(&mut from, 30);
    approve(&mut from, ALL, ApprovalAction::Uninstall, 40);
    expire(&mut to, 50);
    let before = from.clone();
    assert_eq!(carry(&to, &mut from, true, 60).older, 2);
    assert_eq!(from, before);
}

#[test]
fn what_was_decided_later_here_than_there_stands_although_it_expired_since() {
    let (mut from, mut to) = both();
    approve(&mut from, ALL, ApprovalAction::Uninstall, 30);
    approve(&mut to, ALL, ApprovalAction::Install, 40);
    expire(&mut to, 50);
    assert_eq!(carry(&from, &mut to, true, 60).older, 1);
    assert!(to.declined.contains_key(&uid(UPDATE)));
}

#[test]
fn what_expired_here_is_not_approved_again_by_what_was_ordered_there() {
    let (mut from, mut to) = both();
    approve(&mut from, REST, ApprovalAction::Install, 30);
    expire(&mut to, 50);
    let taken = carry(&from, &mut to, true, 60);
    assert_eq!((taken.approved, taken.skipped), (0, 1), "{:?}", taken.reasons);
    assert!(to.declined.contains_key(&uid(UPDATE)));
    // Nor is it restored by what was said of it before.
    let mut restored = Decisions::default();
    restored.decline(&plain(), stamp(28).change).unwrap();
    restored.restore(uid(UPDATE), stamp(29).change).unwrap();
    assert_eq!(carry(&restored, &mut to, true, 61), TakenIn::default());
    // Who keeps what expired is told of it as of anything.
    let mut keeping = Decisions::default();
    keeping.options.decline_expired = false;
    assert_eq!(carry(&from, &mut keeping, true, 60).approved, 2);
}

#[test]
fn an_update_that_expires_is_declined_where_its_approvals_are_carried_to() {
    let (mut from, mut to) = both();
    expire(&mut from, 30);
    // Here it does not expire, or has not yet.
    assert_eq!(carry(&from, &mut to, false, 40).declined, 1);
    assert!(to.declined[&uid(UPDATE)].automatic && to.approvals.is_empty());
    assert_eq!(to.declined[&uid(UPDATE)].at, at(40), "cleanup counts from here on");
    assert_eq!(to.to_carry(), from.to_carry());
    // Of what nobody decided about nothing is carried.
    let mut untouched = Decisions::default();
    assert_eq!(expire(&mut untouched, 30), Succession::Declined);
    assert!(untouched.to_carry().declined.is_empty());
}

#[test]
fn what_is_declined_although_nobody_decided_so_can_be_decided_and_is_later_then() {
    let mut here = Decisions::default();
    here.decline_by_itself(&plain(), stamp(10).change).unwrap();
    let mut from = Decisions::default();
    approve(&mut from, REST, ApprovalAction::Install, 20);
    let known = here.declined[&uid(UPDATE)];
    here.decline(&plain(), stamp(30).change).unwrap();
    let own = here.declined[&uid(UPDATE)];
    assert_eq!((own.anchor, own.at, own.decided, own.automatic), (known.anchor, known.at, at(30), false));
    assert_eq!(carry(&from, &mut here, false, 40).older, 1);
    assert!(here.declined.contains_key(&uid(UPDATE)));
    let again = here.decline(&plain(), stamp(50).change);
    assert_eq!(again, Err(ApprovalError::AlreadyDeclined(uid(UPDATE))));
    let itself = here.decline_by_itself(&plain(), stamp(50).change);
    assert_eq!(itself, Err(ApprovalError::AlreadyDeclined(uid(UPDATE))));
}

#[test]
fn a_decline_that_somebody_decided_there_is_decided_here_too() {
    let (mut from, mut to) = (Decisions::default(), Decisions::default());
    from.decline(&plain(), stamp(20).change).unwrap();
    to.decline_by_itself(&plain(), stamp(10).change).unwrap();
    assert_eq!(carry(&from, &mut to, false, 30), TakenIn { declined: 1, ..TakenIn::default() });
    assert_eq!(to.to_carry(), from.to_carry());
    assert_eq!(carry(&from, &mut to, false, 40), TakenIn::default());
}
