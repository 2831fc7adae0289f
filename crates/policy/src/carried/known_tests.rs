//! Policy: which of an update's revisions an order from elsewhere is for.

use super::*;
use crate::approvals::{Approval, ApprovalAction};
use crate::carried::tests::{at, gid, rev, stamp, uid};
use crate::carried::{CarriedDecisions, TakenIn};
use crate::succession::{Arrival, Hold, Succession};
use sluicegate_terms::{GroupId, Guid, Timestamp};

/// Everything here is about this update.
const UPDATE: u128 = 1;
const ALL: GroupId = GroupId::ALL_COMPUTERS;
const DUE: Option<i64> = Some(900);

fn terms() -> EulaId {
    EulaId(Guid::from_u128(77))
}

fn plain() -> Subject {
    Subject::software(uid(UPDATE))
}

fn asking() -> Subject {
    Subject { may_ask: true, ..plain() }
}

fn fixed() -> Subject {
    Subject { removable: false, ..plain() }
}

fn licensed() -> Subject {
    Subject { eula: Some(terms()), ..plain() }
}

fn order(group: GroupId, action: ApprovalAction, due: Option<i64>) -> Order {
    Order { group, action, deadline: due.map(at), by: "admin".to_owned() }
}

fn grouped() -> Decisions {
    let mut decisions = Decisions::default();
    decisions.groups.create(gid(11), "X".parse().unwrap(), None).unwrap();
    decisions
}

/// Where the update was approved with these orders while it said nothing.
fn origin(orders: &[Order]) -> Decisions {
    let mut from = grouped();
    for (order, seconds) in orders.iter().zip(10..) {
        from.approve(&plain(), order.clone(), &mut stamp(seconds)).unwrap();
    }
    from
}

/// Takes decisions in where these revisions are; each came at the second of its number.
fn take(to: &mut Decisions, carried: &CarriedDecisions, here: &[Subject], seconds: i64) -> TakenIn {
    let known = |_: &Decisions, _| {
        let revisions =
            here.iter().zip(1..).map(|(says, n)| (rev(n), KnownRevision::of(says, at(n)))).collect();
        Ok::<_, ApprovalError>(Some(Known { subject: *here.last().unwrap(), revisions, came: None }))
    };
    to.take_in(carried, known, &mut stamp(seconds)).unwrap()
}

fn serving(decisions: &Decisions) -> Option<u32> {
    decisions.held.get(&uid(UPDATE)).map(|hold| hold.serving.get())
}

#[test]
fn an_order_that_is_impossible_with_the_newest_revision_is_for_the_newest_with_which_it_is_possible() {
    let expired = Subject { expired: true, ..plain() };
    let part = Subject { explicitly_deployable: false, ..plain() };
    for between in [asking(), expired, licensed(), part] {
        let from = origin(&[order(ALL, ApprovalAction::Install, DUE)]).to_carry();
        let here = [plain(), plain(), between, between, asking()];
        let mut to = grouped();
        let taken = take(&mut to, &from, &here, 50);
        assert_eq!((taken.approved, taken.held, taken.skipped), (1, 1, 0), "{:?}", taken.reasons);
        assert_eq!(serving(&to), Some(2), "{between:?}");
        let once = to.clone();
        assert_eq!((take(&mut to, &from, &here, 60), to), (TakenIn::default(), once));

        let mut to = grouped();
        let taken = take(&mut to, &from, &[between, between, asking()], 50);
        assert_eq!((taken.approved, taken.held, taken.skipped), (0, 0, 1), "{between:?}");
        assert!(taken.reasons[0].contains("cannot be due at a deadline"), "{:?}", taken.reasons);
        assert!(to.approvals.is_empty() && to.held.is_empty());
    }
    let from = origin(&[order(ALL, ApprovalAction::Uninstall, None)]).to_carry();
    let mut to = grouped();
    take(&mut to, &from, &[plain(), expired, fixed(), fixed()], 50);
    assert_eq!(serving(&to), Some(2), "what expired can be removed");
}

#[test]
fn terms_are_no_obstacle_where_somebody_accepted_them_here_or_there() {
    let here = [plain(), licensed(), asking()];
    let deadline = [order(ALL, ApprovalAction::Install, DUE)];
    let (mut there, mut other) = (origin(&deadline), origin(&deadline));
    there.accept_eula(terms(), "admin".to_owned(), &mut stamp(20)).unwrap();
    other.accept_eula(EulaId(Guid::from_u128(78)), "admin".to_owned(), &mut stamp(20)).unwrap();
    let mut accepted = grouped();
    accepted.accept_eula(terms(), "admin".to_owned(), &mut stamp(5)).unwrap();
    for (mut to, from, revision) in
        [(grouped(), there, 2), (grouped(), other, 1), (accepted, origin(&deadline), 2)]
    {
        take(&mut to, &from.to_carry(), &here, 50);
        assert_eq!(serving(&to), Some(revision));
    }
}

#[test]
fn all_orders_are_possible_with_the_revision_that_serves() {
    let removal = order(gid(11), ApprovalAction::Uninstall, None);
    let deadline = order(ALL, ApprovalAction::Install, DUE);
    // The one before the newest cannot be removed; what was ordered first stands.
    let mut to = grouped();
    let from = origin(&[removal.clone(), deadline.clone()]).to_carry();
    let taken = take(&mut to, &from, &[plain(), fixed(), asking()], 50);
    assert_eq!((taken.approved, taken.skipped, serving(&to)), (2, 0, Some(1)), "{:?}", taken.reasons);
    // No revision is right for both.
    let mut to = grouped();
    let from = origin(&[deadline, removal]).to_carry();
    let taken = take(&mut to, &from, &[fixed(), asking()], 50);
    assert_eq!((taken.approved, taken.skipped, serving(&to)), (1, 1, Some(1)), "{:?}", taken.reasons);
    assert!(taken.reasons[0].contains("its revision 1 serves"), "{:?}", taken.reasons);
}

#[test]
fn an_order_is_left_out_that_is_impossible_with_the_revision_that_serves_here_while_another_waits() {
    let mut to = grouped();
    to.approve(&licensed(), order(gid(11), ApprovalAction::Uninstall, None), &mut stamp(5)).unwrap();
    let hold = Hold { serving: rev(1), reason: HoldReason::NotRemovable, since: stamp(6).change };
    to.held.insert(uid(UPDATE), hold);
    let from = origin(&[order(ALL, ApprovalAction::Install, None)]);
    let taken = take(&mut to, &from.to_carry(), &[licensed(), fixed()], 50);
    assert_eq!((taken.approved, taken.skipped), (0, 1));
    assert!(taken.reasons[0].contains("licence terms"), "{:?}", taken.reasons);
    to.accept_eula(terms(), "admin".to_owned(), &mut stamp(60)).unwrap();
    assert_eq!(take(&mut to, &from.to_carry(), &[licensed(), fixed()], 70).approved, 1);
}

#[test]
fn no_revision_serves_that_is_older_than_what_somebody_here_decided_about() {
    let here = [plain(), asking(), asking()];
    let from = origin(&[order(ALL, ApprovalAction::Install, DUE)]);
    let mut to = grouped();
    // Decided here when the second was the newest.
    to.approve(&asking(), order(gid(11), ApprovalAction::Install, None), &mut stamp(2)).unwrap();
    let taken = take(&mut to, &from.to_carry(), &here, 50);
    assert_eq!((taken.approved, taken.skipped, serving(&to)), (0, 1, None), "{:?}", taken.reasons);
    let taken = take(&mut to, &from.to_carry(), &[plain(), plain(), asking()], 51);
    assert_eq!((taken.approved, taken.skipped, serving(&to)), (1, 0, Some(2)), "{:?}", taken.reasons);
}

#[test]
fn what_waits_there_waits_here_behind_a_revision_with_which_what_is_ordered_here_is_possible() {
    // There the second serves; here its arrival and the third's were one, and a group has a deadline.
    let mut from = grouped();
    from.options.approvals_follow = false;
    from.approve(&plain(), order(ALL, ApprovalAction::Install, None), &mut stamp(10)).unwrap();
    let mut to = grouped();
    to.approve(&plain(), order(gid(11), ApprovalAction::Install, DUE), &mut stamp(1)).unwrap();
    let arrival = Arrival {
        update: uid(UPDATE),
        revision: rev(3),
        replaces: Some(rev(2)),
        expired: false,
        revives: false,
        eula: None,
        removable: true,
        may_ask: false,
        bundled: false,
    };
    assert_eq!(from.arrive(&arrival, &mut stamp(20)).unwrap(), Succession::Held(HoldReason::Review));
    for (between, revision) in [(asking(), 1), (plain(), 2)] {
        let mut to = to.clone();
        take(&mut to, &from.to_carry(), &[plain(), between, plain()], 50);
        assert_eq!(serving(&to), Some(revision), "{between:?}");
    }
}

#[test]
fn a_deadline_that_nobody_may_order_is_carried_as_it_was_ordered() {
    let never: Timestamp = "9999-12-31T23:59:59Z".parse().unwrap();
    let mut from = origin(&[order(ALL, ApprovalAction::Install, DUE)]);
    let ordered = from.approvals_of(uid(UPDATE)).next().unwrap().clone();
    from.approvals.insert(Approval { deadline: Some(never), ..ordered }).unwrap();
    let mut to = grouped();
    let taken = take(&mut to, &from.to_carry(), &[plain()], 50);
    assert_eq!((taken.approved, taken.skipped), (1, 0), "{:?}", taken.reasons);
    assert_eq!(to.approvals_of(uid(UPDATE)).map(|own| own.deadline).collect::<Vec<_>>(), [Some(never)]);
}
