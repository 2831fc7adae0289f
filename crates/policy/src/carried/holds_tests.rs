//! Policy: which revision serves where decisions come from another server.

use crate::carried::tests::{at, gid, rev, stamp, uid};
use crate::carried::{CarriedDecisions, Known, KnownRevision, TakenIn};
use crate::{
    ApprovalAction, ApprovalError, Arrival, Decisions, EulaId, HoldReason, Order, Subject, Succession,
};
use sluicegate_terms::{Guid, Timestamp};
use std::collections::BTreeMap;

/// Everything here is about this update.
const UPDATE: u128 = 1;
const X: u128 = 11;
const Y: u128 = 12;

fn terms() -> EulaId {
    EulaId(Guid::from_u128(77))
}

/// What a revision says.
fn plain() -> Subject {
    Subject::software(uid(UPDATE))
}

fn grouped() -> Decisions {
    let mut decisions = Decisions::default();
    for (group, name) in [(X, "X"), (Y, "Y")] {
        decisions.groups.create(gid(group), name.parse().unwrap(), None).unwrap();
    }
    decisions
}

fn order(group: u128, action: ApprovalAction, deadline: Option<Timestamp>) -> Order {
    Order { group: gid(group), action, deadline, by: "admin".to_owned() }
}

/// The next revision comes; it is the one with this number.
fn arrive(decisions: &mut Decisions, number: i64, says: Subject, seconds: i64) -> Succession {
    let arrival = Arrival {
        update: uid(UPDATE),
        revision: rev(number),
        replaces: Some(rev(number - 1)),
        expired: says.expired,
        revives: false,
        eula: says.eula,
        removable: says.removable,
        may_ask: says.may_ask,
        bundled: false,
    };
    decisions.arrive(&arrival, &mut stamp(seconds)).unwrap()
}

/// Takes decisions in where these revisions are, of which the newest says this and the others nothing.
fn take(to: &mut Decisions, carried: &CarriedDecisions, here: (i64, Subject), seconds: i64) -> TakenIn {
    take_after(to, carried, here, None, seconds)
}

/// [`take`] where the newest revision came at this time.
fn take_after(
    to: &mut Decisions,
    carried: &CarriedDecisions,
    (revisions, newest): (i64, Subject),
    came: Option<i64>,
    seconds: i64,
) -> TakenIn {
    let known = |_: &Decisions, _| {
        let came = came.map_or(Timestamp::MIN, at);
        let mut here: BTreeMap<_, _> =
            (1..revisions).map(|n| (rev(n), KnownRevision::of(&plain(), Timestamp::MIN))).collect();
        here.insert(rev(revisions), KnownRevision::of(&newest, came));
        Ok::<_, ApprovalError>(Some(Known { subject: newest, revisions: here, came: None }))
    };
    to.take_in(carried, known, &mut stamp(seconds)).unwrap()
}

fn hold(decisions: &Decisions) -> Option<(u32, HoldReason)> {
    decisions.held.get(&uid(UPDATE)).map(|hold| (hold.serving.get(), hold.reason))
}

/// Two orders that can become impossible, and for each a revision with which it is.
fn impossible() -> [(ApprovalAction, Option<Timestamp>, Subject, HoldReason); 2] {
    let fixed = Subject { removable: false, ..plain() };
    let asking = Subject { may_ask: true, ..plain() };
    [
        (ApprovalAction::Uninstall, None, fixed, HoldReason::NotRemovable),
        (ApprovalAction::Install, Some(at(900)), asking, HoldReason::NeedsInput),
    ]
}

#[test]
fn an_order_from_elsewhere_puts_no_revision_in_service_with_which_another_order_is_impossible() {
    for (action, deadline, newest, reason) in impossible() {
        let mut from = grouped();
        from.approve(&plain(), order(X, action, deadline), &mut stamp(10)).unwrap();
        let mut to = grouped();
        take(&mut to, &from.to_carry(), (1, plain()), 20);
        for (decisions, seconds) in [(&mut from, 30), (&mut to, 35)] {
            assert_eq!(arrive(decisions, 2, newest, seconds), Succession::Held(reason));
        }
        from.approve(&newest, order(Y, ApprovalAction::Install, None), &mut stamp(40)).unwrap();
        assert_eq!(take(&mut to, &from.to_carry(), (2, newest), 50).approved, 1);
        assert_eq!((hold(&to), hold(&from)), (Some((1, reason)), Some((1, reason))));
        // Who gives the group for which it is impossible another order has seen it.
        from.approve(&newest, order(X, ApprovalAction::Install, None), &mut stamp(60)).unwrap();
        assert_eq!(take(&mut to, &from.to_carry(), (2, newest), 70).approved, 1);
        assert_eq!((hold(&to), hold(&from)), (None, None));
    }
}

#[test]
fn orders_from_elsewhere_are_taken_in_as_they_were_given() {
    for (action, deadline, newest, reason) in impossible() {
        let mut from = grouped();
        from.approve(&plain(), order(X, ApprovalAction::Install, None), &mut stamp(10)).unwrap();
        from.approve(&plain(), order(Y, action, deadline), &mut stamp(11)).unwrap();
        let mut to = grouped();
        take(&mut to, &from.to_carry(), (1, plain()), 20);
        for decisions in [&mut from, &mut to] {
            assert_eq!(arrive(decisions, 2, newest, 30), Succession::Held(reason));
        }
        // First the order that stands against it, then one that puts it in service.
        from.approve(&newest, order(Y, ApprovalAction::NotApproved, None), &mut stamp(40)).unwrap();
        assert_eq!(hold(&from), Some((1, reason)));
        from.approve(&newest, order(X, ApprovalAction::OptionalInstall, None), &mut stamp(41)).unwrap();
        take(&mut to, &from.to_carry(), (2, newest), 50);
        assert_eq!((hold(&to), hold(&from)), (None, None));
    }
}

#[test]
fn an_impossible_order_from_elsewhere_is_for_the_revision_that_serves() {
    for (action, deadline, newest, reason) in impossible() {
        let mut from = grouped();
        from.approve(&plain(), order(X, action, deadline), &mut stamp(10)).unwrap();
        let mut to = grouped();
        take(&mut to, &from.to_carry(), (1, plain()), 20);
        // Decided there before the revision came with which it is impossible.
        from.approve(&plain(), order(Y, action, deadline), &mut stamp(30)).unwrap();
        arrive(&mut to, 2, newest, 40);
        assert_eq!(take(&mut to, &from.to_carry(), (2, newest), 41).approved, 1);
        assert_eq!(hold(&to), Some((1, reason)));
    }
}

#[test]
fn an_order_from_elsewhere_needs_no_terms_of_a_revision_that_waits_here() {
    let licensed = Subject { eula: Some(terms()), ..plain() };
    let mut from = grouped();
    from.approve(&plain(), order(X, ApprovalAction::Install, None), &mut stamp(10)).unwrap();
    let mut to = grouped();
    take(&mut to, &from.to_carry(), (1, plain()), 20);
    from.approve(&plain(), order(Y, ApprovalAction::Install, None), &mut stamp(30)).unwrap();
    let waits = Succession::Held(HoldReason::Eula(terms()));
    for (decisions, seconds) in [(&mut from, 40), (&mut to, 45)] {
        assert_eq!(arrive(decisions, 2, licensed, seconds), waits);
    }
    let taken = take(&mut to, &from.to_carry(), (2, licensed), 50);
    assert_eq!((taken.approved, taken.skipped), (1, 0), "{:?}", taken.reasons);
    assert_eq!(hold(&to), Some((1, HoldReason::Eula(terms()))), "nobody accepted them");
    assert_eq!(to.to_carry(), from.to_carry());
}

/// Approvals for X that are carried to a server that reviews new revisions itself.
fn reviewing() -> (Decisions, Decisions) {
    let mut from = grouped();
    from.approve(&plain(), order(X, ApprovalAction::Install, None), &mut stamp(10)).unwrap();
    let mut to = grouped();
    to.options.approvals_follow = false;
    take(&mut to, &from.to_carry(), (1, plain()), 20);
    (from, to)
}

#[test]
fn a_decision_from_elsewhere_speaks_for_no_revision_that_came_there_after_it() {
    let (mut from, mut to) = reviewing();
    for decisions in [&mut from, &mut to] {
        arrive(decisions, 2, plain(), 30);
    }
    from.approve(&plain(), order(Y, ApprovalAction::Install, None), &mut stamp(40)).unwrap();
    for decisions in [&mut from, &mut to] {
        arrive(decisions, 3, plain(), 50);
    }
    assert_eq!(take(&mut to, &from.to_carry(), (3, plain()), 51).approved, 1);
    assert_eq!(hold(&to), Some((1, HoldReason::Review)), "nobody has looked at the third");
    from.approve(&plain(), order(Y, ApprovalAction::Install, None), &mut stamp(60)).unwrap();
    take(&mut to, &from.to_carry(), (3, plain()), 61);
    assert_eq!(hold(&to), None);
}

/// A server that reviews new revisions, with an approval for X.
fn reviewer() -> Decisions {
    let mut from = grouped();
    from.options.approvals_follow = false;
    from.approve(&plain(), order(X, ApprovalAction::Install, None), &mut stamp(10)).unwrap();
    from
}

const REVIEW: Option<(u32, HoldReason)> = Some((1, HoldReason::Review));

#[test]
fn what_waits_for_a_review_elsewhere_goes_on_waiting_when_another_revision_comes() {
    let (mut from, mut to) = (reviewer(), grouped());
    arrive(&mut from, 2, plain(), 20);
    assert_eq!(take(&mut to, &from.to_carry(), (2, plain()), 30).held, 1);
    for (decisions, seconds) in [(&mut from, 40), (&mut to, 45)] {
        assert_eq!(arrive(decisions, 3, plain(), seconds), Succession::Held(HoldReason::Review));
    }
    take(&mut to, &from.to_carry(), (3, plain()), 50);
    assert_eq!((hold(&to), hold(&from)), (REVIEW, REVIEW));
    from.accept_revision(&plain(), &mut stamp(60)).unwrap();
    take(&mut to, &from.to_carry(), (3, plain()), 70);
    assert_eq!((hold(&to), hold(&from)), (None, None));
    // One of those that wait is looked at there, and the next comes before that is known here.
    let (mut from, mut to) = (reviewer(), grouped());
    arrive(&mut from, 2, plain(), 20);
    take(&mut to, &from.to_carry(), (2, plain()), 30);
    from.accept_revision(&plain(), &mut stamp(40)).unwrap();
    for (decisions, seconds) in [(&mut from, 50), (&mut to, 55)] {
        arrive(decisions, 3, plain(), seconds);
    }
    let mut reviews = to.clone();
    reviews.options.approvals_follow = false;
    for (to, serving) in [(&mut to, 2), (&mut reviews, 1)] {
        take(to, &from.to_carry(), (3, plain()), 60);
        assert_eq!(hold(to), Some((serving, HoldReason::Review)));
        assert_eq!(take(to, &from.to_carry(), (3, plain()), 61), TakenIn::default());
    }
    // A removal is wanted of what expires, however new that is.
    let mut removed = reviewer();
    removed.approve(&plain(), order(Y, ApprovalAction::Uninstall, None), &mut stamp(11)).unwrap();
    arrive(&mut removed, 2, plain(), 20);
    let expired = Subject { expired: true, ..plain() };
    assert_eq!(arrive(&mut removed, 3, expired, 30), Succession::Followed);
}

#[test]
fn what_is_to_be_reviewed_there_waits_here_where_nobody_decided_since_it_came() {
    let mut from = reviewer();
    let mut to = grouped();
    take(&mut to, &from.to_carry(), (1, plain()), 20);
    arrive(&mut from, 2, plain(), 30);
    assert_eq!(arrive(&mut to, 2, plain(), 35), Succession::Followed);
    let before: Vec<_> = to.approvals.values().map(|own| own.deployment).collect();
    let mut decided = to.clone();
    decided.approve(&plain(), order(Y, ApprovalAction::Install, None), &mut stamp(36)).unwrap();
    let taken = take_after(&mut decided, &from.to_carry(), (2, plain()), Some(35), 40);
    assert_eq!((taken.held, hold(&decided)), (0, None), "somebody here put it in service");

    let taken = take_after(&mut to, &from.to_carry(), (2, plain()), Some(35), 40);
    assert_eq!((taken.held, hold(&to)), (1, REVIEW));
    let own = to.approvals.values().next().unwrap();
    assert!(!before.contains(&own.deployment) && own.changed_at == at(10), "it is for another revision");
    assert_eq!(to.released[&uid(UPDATE)].at, at(40), "clients are told");
    let once = to.clone();
    assert_eq!(take_after(&mut to, &from.to_carry(), (2, plain()), Some(35), 50), TakenIn::default());
    assert_eq!(to, once);
    from.accept_revision(&plain(), &mut stamp(60)).unwrap();
    take_after(&mut to, &from.to_carry(), (2, plain()), Some(35), 70);
    assert_eq!(hold(&to), None);
}

#[test]
fn what_somebody_here_looked_at_serves_on_while_a_later_one_waits_as_it_does_there() {
    let (mut from, mut to) = (reviewer(), grouped());
    arrive(&mut from, 2, plain(), 20);
    take(&mut to, &from.to_carry(), (2, plain()), 30);
    to.accept_revision(&plain(), &mut stamp(40)).unwrap();
    arrive(&mut from, 3, plain(), 50);
    assert_eq!(arrive(&mut to, 3, plain(), 55), Succession::Followed);
    let came = [(1, 5), (2, 25), (3, 55)];
    let known = |_: &Decisions, _| {
        let revisions = came.map(|(n, came)| (rev(n), KnownRevision::of(&plain(), at(came)))).into();
        Ok::<_, ApprovalError>(Some(Known { subject: plain(), revisions, came: Some(at(5)) }))
    };
    assert_eq!(hold(&from), REVIEW);
    assert_eq!(to.take_in(&from.to_carry(), known, &mut stamp(60)).unwrap().held, 1);
    assert_eq!(hold(&to), Some((2, HoldReason::Review)));
}

#[test]
fn a_decision_from_elsewhere_puts_nothing_in_service_that_waits_there_too() {
    let (mut from, mut to) = reviewing();
    arrive(&mut to, 2, plain(), 30);
    from.approve(&plain(), order(Y, ApprovalAction::Install, None), &mut stamp(40)).unwrap();
    let mut carried = from.to_carry();
    carried.held.insert(uid(UPDATE), (rev(1), HoldReason::Review));
    assert_eq!(take(&mut to, &carried, (2, plain()), 50).approved, 1);
    assert_eq!(hold(&to), REVIEW);
    // What serves there is the newest here.
    let mut newer = from.to_carry();
    newer.held.insert(uid(UPDATE), (rev(2), HoldReason::Review));
    newer.approvals.iter_mut().for_each(|approval| approval.at = at(60));
    take(&mut to, &newer, (2, plain()), 70);
    assert_eq!(hold(&to), None);
}

#[test]
fn terms_that_were_accepted_here_are_nothing_to_wait_for() {
    let licensed = Subject { eula: Some(terms()), ..plain() };
    let (mut from, mut to) = (grouped(), grouped());
    from.approve(&plain(), order(X, ApprovalAction::Install, None), &mut stamp(10)).unwrap();
    arrive(&mut from, 2, licensed, 20);
    to.accept_eula(terms(), "admin".to_owned(), &mut stamp(5)).unwrap();
    let taken = take(&mut to, &from.to_carry(), (2, licensed), 30);
    assert_eq!((taken.approved, taken.held, hold(&to)), (1, 0, None));
}

#[test]
fn with_an_order_that_is_impossible_with_the_newest_revision_an_older_one_serves() {
    for (action, deadline, newest, reason) in impossible() {
        let mut from = grouped();
        from.approve(&plain(), order(X, action, deadline), &mut stamp(10)).unwrap();
        from.approve(&plain(), order(Y, ApprovalAction::Install, None), &mut stamp(11)).unwrap();
        let mut to = grouped();
        let taken = take(&mut to, &from.to_carry(), (2, newest), 20);
        assert_eq!((taken.approved, taken.held, taken.skipped), (2, 1, 0), "{:?}", taken.reasons);
        assert_eq!(hold(&to), Some((1, reason)));
        assert_eq!(take(&mut to, &from.to_carry(), (2, newest), 30), TakenIn::default());
    }
}

#[test]
fn an_order_that_is_impossible_here_is_left_out_and_said() {
    for (action, deadline, newest, _) in impossible() {
        let mut from = grouped();
        from.approve(&plain(), order(X, action, deadline), &mut stamp(10)).unwrap();
        // Nothing older is here.
        let mut to = grouped();
        let taken = take(&mut to, &from.to_carry(), (1, newest), 20);
        assert_eq!((taken.approved, taken.skipped), (0, 1), "{:?}", taken.reasons);
        assert!(to.approvals.is_empty() && taken.reasons[0].contains(&uid(UPDATE).to_string()));
        // Somebody here decided about the newest.
        let mut to = grouped();
        to.approve(&newest, order(Y, ApprovalAction::Install, None), &mut stamp(15)).unwrap();
        let taken = take_after(&mut to, &from.to_carry(), (2, newest), Some(14), 20);
        assert_eq!((taken.approved, taken.skipped, hold(&to)), (0, 1, None), "{:?}", taken.reasons);
    }
}
