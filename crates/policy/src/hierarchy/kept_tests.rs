//! Tests of decisions that come into force again.

use super::*;
use crate::approvals::ApprovalAction;
use crate::licences::EulaId;
use crate::{Subject, SuccessionOptions};
use sluicegate_terms::{Anchor, Guid};

const EVERYBODY: GroupId = GroupId::ALL_COMPUTERS;

fn uid(n: u128) -> UpdateId {
    UpdateId(Guid::from_u128(n))
}

fn number(n: i64) -> RevisionNumber {
    RevisionNumber::new(n).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn change(anchor: u64) -> Change {
    Change { anchor: Anchor(anchor), at: at(anchor.cast_signed()) }
}

fn eula() -> EulaId {
    EulaId(Guid::from_u128(7))
}

/// Update 1 was approved at its revision 100, at second 5.
fn approved() -> KeptDecisions {
    let approval = CarriedApproval {
        update: uid(1),
        group: EVERYBODY,
        action: ApprovalAction::Install,
        deadline: None,
        by: "Ada".to_owned(),
        at: at(5),
    };
    KeptDecisions {
        approvals: vec![approval],
        newest: [(uid(1), number(100))].into(),
        ..KeptDecisions::default()
    }
}

fn held(reason: HoldReason) -> KeptDecisions {
    let hold = Hold { serving: number(99), reason, since: change(6) };
    KeptDecisions { held: [(uid(1), hold)].into(), ..approved() }
}

/// Brings back, with these revisions of every update here; the newest is as `subject` says.
fn back(decisions: &mut Decisions, kept: &KeptDecisions, revisions: &[i64], subject: Subject) -> Adopted {
    let mut stamp = Stamp::new(change(50), 0);
    let known = |_: &Decisions, update| {
        let one = KnownRevision::of(&subject, at(0));
        let revisions = revisions.iter().map(|n| (number(*n), one)).collect();
        let subject = Subject { update, ..subject };
        Ok::<_, ApprovalError>(Some(Known { subject, revisions, came: None }))
    };
    bring_back(decisions, kept, &mut stamp, known).unwrap()
}

fn review() -> Decisions {
    let options = SuccessionOptions { approvals_follow: false, ..SuccessionOptions::default() };
    Decisions { options, ..Decisions::default() }
}

fn plain() -> Subject {
    Subject::software(uid(1))
}

#[test]
fn decisions_have_the_times_they_were_made_at_and_the_anchor_of_their_return() {
    let decline = Decline { anchor: Anchor(1), at: at(4), decided: at(3), automatic: true };
    let kept = KeptDecisions {
        declined: [(uid(2), decline)].into(),
        restored: [(uid(3), at(4))].into(),
        withdrawn: [((uid(4), EVERYBODY), at(2))].into(),
        ..approved()
    };
    let mut decisions = Decisions::default();
    back(&mut decisions, &kept, &[100], plain());
    let approval = decisions.approvals.get(&(uid(1), EVERYBODY)).unwrap();
    assert_eq!((approval.changed_at, approval.changed, approval.by.as_str()), (at(5), Anchor(50), "Ada"));
    assert_eq!(decisions.declined[&uid(2)], Decline { anchor: Anchor(50), ..decline });
    let carried = decisions.to_carry();
    assert_eq!((carried.restored, carried.withdrawn), (kept.restored, kept.withdrawn));
}

#[test]
fn what_the_other_mode_had_decided_leaves_marks_for_clients_that_nobody_decided() {
    let mut decisions = Decisions::default();
    let mut stamp = Stamp::new(change(20), 0);
    let order = crate::Order {
        group: EVERYBODY,
        action: ApprovalAction::Install,
        deadline: None,
        by: "parent".to_owned(),
    };
    decisions.approve(&Subject::software(uid(8)), order, &mut stamp).unwrap();
    decisions.decline(&Subject::software(uid(9)), change(20)).unwrap();
    back(&mut decisions, &KeptDecisions::default(), &[100], plain());
    let marks = (decisions.withdrawn[&(uid(8), EVERYBODY)], decisions.restored[&uid(9)]);
    assert_eq!(marks, (Mark::passing(change(50)), Mark::passing(change(50))));
    let carried = decisions.to_carry();
    assert!(carried.withdrawn.is_empty() && carried.restored.is_empty());
    assert!(decisions.is_untouched(uid(8)) && decisions.is_untouched(uid(9)), "filters may decline them");
}

#[test]
fn what_was_held_is_held_again_until_somebody_accepts_it() {
    let mut decisions = review();
    back(&mut decisions, &held(HoldReason::Review), &[99, 100], plain());
    assert_eq!(decisions.held[&uid(1)].serving, number(99));
    // Options that changed since hold nothing back and release nothing.
    let mut decisions = Decisions::default();
    back(&mut decisions, &held(HoldReason::Review), &[99, 100], plain());
    assert_eq!(decisions.held[&uid(1)].reason, HoldReason::Review);
}

#[test]
fn terms_that_were_accepted_meanwhile_are_not_waited_for() {
    for (mut decisions, expected) in [(Decisions::default(), None), (review(), Some(HoldReason::Review))] {
        let acceptance = crate::Acceptance { by: "parent".to_owned(), change: change(9) };
        decisions.accepted.insert(eula(), acceptance);
        back(&mut decisions, &held(HoldReason::Eula(eula())), &[99, 100], plain());
        assert_eq!(decisions.held.get(&uid(1)).map(|hold| hold.reason), expected);
    }
}

#[test]
fn a_revision_that_came_meanwhile_is_judged_as_one_that_arrives() {
    let came = [99, 100, 101];
    let mut decisions = review();
    back(&mut decisions, &approved(), &came, plain());
    assert_eq!(
        (decisions.held[&uid(1)].serving, decisions.held[&uid(1)].reason),
        (number(100), HoldReason::Review)
    );
    let mut decisions = Decisions::default();
    let terms = Subject { eula: Some(eula()), ..plain() };
    back(&mut decisions, &approved(), &came, terms);
    assert_eq!(decisions.held[&uid(1)].reason, HoldReason::Eula(eula()));
    let mut decisions = Decisions::default();
    back(&mut decisions, &approved(), &came, plain());
    assert!(decisions.held.is_empty(), "approvals follow to it");
    back(&mut decisions, &held(HoldReason::Review), &came, plain());
    let hold = Hold { serving: number(99), reason: HoldReason::Review, since: change(50) };
    assert_eq!(decisions.held[&uid(1)], hold, "nobody has looked at what waited");
    let mut decisions = Decisions::default();
    back(&mut decisions, &held(HoldReason::Review), &came, Subject { expired: true, ..plain() });
    assert!(decisions.declined.contains_key(&uid(1)));
    let mut decisions = Decisions::default();
    let adopted = back(&mut decisions, &approved(), &came, Subject { expired: true, ..plain() });
    // That it expired is no decision: it counts as the last one about it.
    let decline = Decline { decided: next(at(5)), automatic: true, ..Decline::by_hand(change(50)) };
    assert_eq!((adopted.declined, decisions.declined[&uid(1)]), (1, decline));
    assert!(decisions.approvals.is_empty());
}

#[test]
fn a_revision_that_serves_again_has_new_deployments_and_the_old_times() {
    let mut decisions = review();
    back(&mut decisions, &approved(), &[100], plain());
    let first = decisions.approvals.get(&(uid(1), EVERYBODY)).cloned().unwrap();
    let mut stamp = Stamp::new(change(60), i64::from(first.deployment.get()) + 1);
    let known = |_: &Decisions, _| {
        let one = KnownRevision::of(&plain(), at(0));
        let revisions = [(number(99), one), (number(100), one)].into();
        Ok::<_, ApprovalError>(Some(Known { subject: plain(), revisions, came: None }))
    };
    bring_back(&mut decisions, &held(HoldReason::Review), &mut stamp, known).unwrap();
    let again = decisions.approvals.get(&(uid(1), EVERYBODY)).unwrap();
    assert_eq!((again.changed, again.changed_at), (Anchor(60), at(5)));
    assert_ne!(again.deployment, first.deployment);
    assert_eq!(decisions.released[&uid(1)].anchor, Anchor(60));
}

#[test]
fn what_would_install_terms_nobody_accepted_is_left_out_where_no_other_revision_is_left() {
    let mut decisions = Decisions::default();
    let adopted = back(&mut decisions, &approved(), &[101], Subject { eula: Some(eula()), ..plain() });
    assert!(decisions.approvals.is_empty());
    assert!(adopted.skipped[0].contains("licence terms"), "{:?}", adopted.skipped);
}

#[test]
fn a_revision_that_came_meanwhile_waits_since_the_decisions_are_in_force_again() {
    let since = |revisions: &[i64]| {
        let options = SuccessionOptions { approvals_follow: false, ..SuccessionOptions::default() };
        let mut decisions = Decisions { options, ..Decisions::default() };
        back(&mut decisions, &held(HoldReason::Review), revisions, plain());
        decisions.held[&uid(1)].since.at
    };
    assert_eq!(since(&[99, 100]), at(6), "as long as before");
    assert_eq!(since(&[99, 100, 101]), at(50));
}

#[test]
fn what_expired_meanwhile_is_declined_though_nobody_approved_it_unless_a_bundle_has_it() {
    let kept = KeptDecisions { expired: [uid(1), uid(2)].into(), ..approved() };
    let expired = Subject { expired: true, ..plain() };
    let mut decisions = Decisions::default();
    back(&mut decisions, &kept, &[99, 100, 101], expired);
    assert_eq!(decisions.declined.keys().collect::<Vec<_>>(), [&uid(1), &uid(2)]);
    let decline = decisions.declined[&uid(2)];
    assert!(
        (decline.anchor, decline.at, decline.automatic) == (change(50).anchor, at(50), true),
        "{decline:?}"
    );
    // Nobody ever decided about it here: whatever was decided elsewhere is later.
    assert_eq!(decline.decided, Timestamp::MIN);
    let taken_away =
        KeptDecisions { withdrawn: [((uid(2), GroupId::ALL_COMPUTERS), at(4))].into(), ..kept.clone() };
    let mut decisions = Decisions::default();
    back(&mut decisions, &taken_away, &[99, 100, 101], expired);
    assert_eq!(decisions.declined[&uid(2)].decided, at(4));
    let mut decisions = Decisions::default();
    back(&mut decisions, &kept, &[99, 100, 101], Subject { bundled_by: Some(uid(7)), ..expired });
    assert!(decisions.declined.is_empty() && !decisions.approvals.is_empty());
    let options = SuccessionOptions { decline_expired: false, ..SuccessionOptions::default() };
    let mut decisions = Decisions { options, ..Decisions::default() };
    back(&mut decisions, &kept, &[99, 100, 101], expired);
    assert!(decisions.declined.is_empty());
    // Somebody declined it before: it is declined since then.
    let earlier = KeptDecisions { declined: [(uid(2), Decline::by_hand(change(3)))].into(), ..kept };
    let mut decisions = Decisions::default();
    back(&mut decisions, &earlier, &[99, 100, 101], expired);
    assert_eq!(decisions.declined[&uid(2)].at, at(3));
}

#[test]
fn what_was_approved_serves_with_a_revision_with_which_it_is_possible_or_is_left_out() {
    let asking = Subject { may_ask: true, ..plain() };
    let licensed = Subject { eula: Some(eula()), ..plain() };
    let mut kept = approved();
    kept.approvals[0].deadline = Some(at(900));
    let other = CarriedApproval {
        group: GroupId::UNASSIGNED_COMPUTERS,
        action: ApprovalAction::Uninstall,
        ..kept.approvals[0].clone()
    };
    kept.approvals.push(other);
    // Its revision 100 is gone, and the newest may ask.
    let back = |here: &[(i64, Subject)]| {
        let mut decisions = Decisions::default();
        let known = |_: &Decisions, _| {
            let revisions =
                here.iter().map(|(n, says)| (number(*n), KnownRevision::of(says, at(0)))).collect();
            Ok::<_, ApprovalError>(Some(Known { subject: asking, revisions, came: None }))
        };
        let adopted = bring_back(&mut decisions, &kept, &mut Stamp::new(change(50), 0), known).unwrap();
        let orders: Vec<_> = decisions.approvals.values().map(|own| own.action).collect();
        (decisions.held.get(&uid(1)).map(|hold| hold.serving.get()), orders, adopted.skipped)
    };
    let (serving, orders, skipped) = back(&[(101, asking), (102, licensed), (103, plain()), (104, asking)]);
    assert_eq!((serving, orders.len(), skipped.len()), (Some(103), 2, 0));
    let (serving, orders, skipped) = back(&[(101, asking), (102, licensed), (104, asking)]);
    assert_eq!((serving, orders), (None, vec![ApprovalAction::Uninstall]));
    assert!(skipped[0].contains("cannot be due at a deadline"), "{skipped:?}");
    // What was approved goes on serving, whatever it says.
    assert_eq!(back(&[(100, licensed), (104, asking)]).0, Some(100));
}

#[test]
fn what_expired_meanwhile_comes_back_for_its_removal_alone() {
    let pilots = GroupId(Guid::from_u128(77));
    let mut kept = approved();
    let removal =
        CarriedApproval { group: pilots, action: ApprovalAction::Uninstall, ..kept.approvals[0].clone() };
    kept.approvals.push(removal);
    let mut decisions = Decisions::default();
    decisions.groups.create(pilots, "Pilots".parse().unwrap(), Some(EVERYBODY)).unwrap();
    kept.groups = decisions.groups.iter().cloned().collect();
    let subject = Subject { expired: true, removable: false, ..plain() };
    back(&mut decisions, &kept, &[100, 101], subject);
    let hold = decisions.held[&uid(1)];
    assert_eq!((hold.serving, hold.reason), (number(100), HoldReason::NotRemovable));
    let left: Vec<_> = decisions.approvals_of(uid(1)).map(|own| (own.group, own.action)).collect();
    assert_eq!(left, [(pilots, ApprovalAction::Uninstall)]);
    assert_eq!(decisions.withdrawn[&(uid(1), EVERYBODY)].decided, Some(next(at(5))));
}
