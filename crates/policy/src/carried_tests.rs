//! Policy: decisions carried from one server to another, and back.

use super::*;
use crate::succession::{Arrival, Hold};
use sluicegate_terms::{Anchor, DeploymentId, Guid};

pub(super) fn uid(n: u128) -> UpdateId {
    UpdateId(Guid::from_u128(n))
}

pub(super) fn gid(n: u128) -> GroupId {
    GroupId(Guid::from_u128(n))
}

pub(super) fn rev(n: i64) -> RevisionNumber {
    RevisionNumber::new(n).unwrap()
}

pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

pub(super) fn stamp(seconds: i64) -> Stamp {
    let change = Change { anchor: Anchor(seconds.unsigned_abs()), at: at(seconds) };
    Stamp::new(change, i64::from(DeploymentId::FIRST_EXPLICIT) + seconds * 100)
}

/// Revisions that say what `subject` does.
pub(super) fn revisions(numbers: &[i64], subject: &Subject) -> BTreeMap<RevisionNumber, KnownRevision> {
    numbers.iter().map(|n| (rev(*n), KnownRevision::of(subject, Timestamp::MIN))).collect()
}

/// Updates below 100 are here, with the revisions 1 and 2.
fn known(_: &Decisions, update: UpdateId) -> Result<Option<Known>, ApprovalError> {
    let here = update.0.as_u128() < 100;
    let subject = Subject::software(update);
    Ok(here.then(|| Known { subject, revisions: revisions(&[1, 2], &subject), came: None }))
}

fn approve(decisions: &mut Decisions, update: u128, group: GroupId, seconds: i64) {
    let order = Order { group, action: ApprovalAction::Install, deadline: None, by: "admin".to_owned() };
    decisions.approve(&Subject::software(uid(update)), order, &mut stamp(seconds)).unwrap();
}

pub(super) fn origin() -> Decisions {
    let mut decisions = Decisions::default();
    decisions.groups.create(gid(9), "Outer".parse().unwrap(), None).unwrap();
    decisions.groups.create(gid(1), "Inner".parse().unwrap(), Some(gid(9))).unwrap();
    approve(&mut decisions, 10, gid(1), 10);
    approve(&mut decisions, 11, gid(9), 11);
    decisions.decline(&Subject::software(uid(12)), stamp(12).change).unwrap();
    decisions.accept_eula(EulaId(Guid::from_u128(77)), "admin".to_owned(), &mut stamp(13)).unwrap();
    decisions
}

pub(super) fn carry(from: &Decisions, to: &mut Decisions, seconds: i64) -> TakenIn {
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
fn every_kind_of_decision_about_an_update_that_is_not_here_is_left_out_and_said() {
    let (missing, everybody) = (uid(200), GroupId::ALL_COMPUTERS);
    let approval = CarriedApproval {
        update: missing,
        group: everybody,
        action: ApprovalAction::Install,
        deadline: None,
        by: "admin".to_owned(),
        at: at(5),
    };
    let nothing = CarriedDecisions::default;
    for (what, carried) in [
        ("declined", CarriedDecisions { declined: [(missing, at(5))].into(), ..nothing() }),
        ("restored", CarriedDecisions { restored: [(missing, at(5))].into(), ..nothing() }),
        ("withdrawn", CarriedDecisions { withdrawn: [((missing, everybody), at(5))].into(), ..nothing() }),
        ("approval", CarriedDecisions { approvals: vec![approval], ..nothing() }),
        ("held", CarriedDecisions { held: [(missing, (rev(1), HoldReason::Review))].into(), ..nothing() }),
    ] {
        let mut to = Decisions::default();
        let taken = take(&mut to, &carried, 50);
        assert_eq!((taken.skipped, &to), (1, &Decisions::default()), "{what}");
        assert!(taken.reasons[0].contains(&missing.to_string()), "{what}: {:?}", taken.reasons);
        assert!(taken.reasons[0].contains("not in the catalog here"), "{what}: {:?}", taken.reasons);
    }
}

#[test]
fn a_withdrawal_for_a_group_that_is_not_carried_is_left_out_and_said() {
    let withdrawn = [((uid(10), gid(1)), at(5))].into();
    let mut to = Decisions::default();
    let taken = take(&mut to, &CarriedDecisions { withdrawn, ..CarriedDecisions::default() }, 50);
    assert_eq!((taken.skipped, to), (1, Decisions::default()));
    assert!(taken.reasons[0].contains(&gid(1).to_string()), "{:?}", taken.reasons);
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

/// Revision 2 of an update comes.
fn revise(decisions: &mut Decisions, update: u128, seconds: i64) {
    let arrival = Arrival {
        update: uid(update),
        revision: rev(2),
        replaces: Some(rev(1)),
        expired: false,
        revives: false,
        eula: None,
        removable: true,
        may_ask: false,
        bundled: false,
    };
    decisions.arrive(&arrival, &mut stamp(seconds)).unwrap();
}

#[test]
fn what_was_decided_there_counts_although_a_new_revision_came_here_after_it() {
    let mut from = origin();
    approve(&mut from, 13, gid(1), 14);
    approve(&mut from, 14, gid(1), 15);
    let mut to = Decisions::default();
    carry(&from, &mut to, 50);
    from.unapprove(uid(10), None, "admin".to_owned(), &mut stamp(60)).unwrap();
    from.decline(&Subject::software(uid(11)), stamp(61).change).unwrap();
    let denied =
        Order { group: gid(1), action: ApprovalAction::NotApproved, deadline: None, by: "admin".to_owned() };
    from.approve(&Subject::software(uid(13)), denied, &mut stamp(62)).unwrap();
    for (seconds, update) in (65..).zip([10, 11, 13, 14]) {
        revise(&mut from, update, seconds);
        revise(&mut to, update, seconds + 5);
    }
    let taken = carry(&from, &mut to, 75);
    assert_eq!((taken.withdrawn, taken.declined, taken.approved, taken.older), (1, 1, 1, 0), "{taken:?}");
    assert_eq!(to.to_carry(), from.to_carry());
    // And nothing of it is taken back at the origin.
    let before = from.clone();
    carry(&to, &mut from, 80);
    assert_eq!(from, before);
}

#[test]
fn an_approval_that_followed_there_takes_nothing_back_that_was_decided_here() {
    let mut from = origin();
    let mut to = Decisions::default();
    carry(&from, &mut to, 50);
    to.unapprove(uid(10), None, "admin".to_owned(), &mut stamp(55)).unwrap();
    to.decline(&Subject::software(uid(11)), stamp(56).change).unwrap();
    for (seconds, update) in (60..).zip([10, 11]) {
        revise(&mut from, update, seconds);
        revise(&mut to, update, seconds + 5);
    }
    let before = to.clone();
    let taken = carry(&from, &mut to, 70);
    assert_eq!((taken.approved, taken.older), (0, 2), "{taken:?}");
    assert_eq!(to, before);
}

#[test]
fn what_waits_here_for_a_review_goes_on_waiting_unless_somebody_decided_since() {
    let mut from = origin();
    let mut to = Decisions::default();
    carry(&from, &mut to, 50);
    to.options.approvals_follow = false;
    // For another group, before the new revision came here.
    approve(&mut from, 10, gid(9), 60);
    revise(&mut from, 10, 65);
    revise(&mut to, 10, 70);
    assert_eq!(carry(&from, &mut to, 71).approved, 1);
    assert_eq!(to.held.get(&uid(10)).map(|hold| hold.serving), Some(rev(1)), "nobody has reviewed it");
    approve(&mut from, 10, GroupId::ALL_COMPUTERS, 80);
    assert_eq!(carry(&from, &mut to, 90).approved, 1);
    assert!(to.held.is_empty());
}

#[test]
fn what_waited_there_too_is_in_service_here_when_it_is_accepted_there() {
    let mut from = origin();
    from.options.approvals_follow = false;
    revise(&mut from, 10, 20);
    let waiting = from.to_carry();
    from.accept_revision(&Subject::software(uid(10)), &mut stamp(30)).unwrap();
    let mut to = Decisions::default();
    assert_eq!(take(&mut to, &waiting, 50).held, 1, "it is taken in later than it was accepted there");
    assert_eq!(carry(&from, &mut to, 60).approved, 1);
    assert!(to.held.is_empty());
    assert_eq!(to.to_carry(), from.to_carry());
}

#[test]
fn a_decision_counts_after_the_one_it_replaces_although_the_clock_here_is_behind() {
    let mut from = origin();
    from.decline(&Subject::software(uid(13)), stamp(14).change).unwrap();
    let older = from.to_carry();
    let mut to = Decisions::default();
    carry(&from, &mut to, 50);
    // It is as early here as when nothing was decided there.
    to.unapprove(uid(10), None, "admin".to_owned(), &mut stamp(1)).unwrap();
    to.decline(&Subject::software(uid(11)), stamp(2).change).unwrap();
    approve(&mut to, 12, gid(1), 3);
    to.restore(uid(13), stamp(4).change).unwrap();
    let before = to.clone();
    assert_eq!(take(&mut to, &older, 5).older, 4);
    assert_eq!(to, before);
    // Carried back they count there too, and what replaces these is later again.
    let taken = carry(&to, &mut from, 60);
    assert_eq!((taken.withdrawn, taken.declined, taken.approved, taken.restored), (1, 1, 1, 2), "{taken:?}");
    assert_eq!(from.to_carry(), to.to_carry());
    approve(&mut to, 10, gid(1), 6);
    to.restore(uid(11), stamp(7).change).unwrap();
    to.decline(&Subject::software(uid(12)), stamp(8).change).unwrap();
    to.decline(&Subject::software(uid(13)), stamp(9).change).unwrap();
    carry(&to, &mut from, 70);
    assert_eq!(from.to_carry(), to.to_carry());
}

#[test]
fn a_group_that_is_left_out_or_a_revision_that_is_accepted_is_decided_later_than_before() {
    let everybody = GroupId::ALL_COMPUTERS;
    let mut to = Decisions::default();
    to.groups.create(gid(1), "Inner".parse().unwrap(), None).unwrap();
    approve(&mut to, 10, everybody, 20);
    approve(&mut to, 10, gid(1), 21);
    to.unapprove(uid(10), Some(gid(1)), "admin".to_owned(), &mut stamp(5)).unwrap();
    let own = to.approvals.get(&(uid(10), gid(1))).unwrap();
    assert!(own.action == ApprovalAction::NotApproved && own.changed_at > at(21), "{own:?}");
    to.options.approvals_follow = false;
    revise(&mut to, 10, 6);
    to.accept_revision(&Subject::software(uid(10)), &mut stamp(7)).unwrap();
    assert!(to.approvals.get(&(uid(10), everybody)).unwrap().changed_at > at(20));
}

/// What `take_in` does with decisions of which only one part is filled in.
fn take(to: &mut Decisions, carried: &CarriedDecisions, seconds: i64) -> TakenIn {
    to.take_in(carried, known, &mut stamp(seconds)).unwrap()
}

#[test]
fn a_hundred_reasons_are_given_and_all_that_was_left_out_is_counted() {
    let declined = (200..330).map(|n| (uid(n), at(1))).collect();
    let carried = CarriedDecisions { declined, ..Decisions::default().to_carry() };
    let taken = take(&mut Decisions::default(), &carried, 50);
    assert_eq!((taken.skipped, taken.reasons.len()), (130, 100));
}

#[test]
fn a_revision_waits_only_for_a_newer_one_beside_one_that_is_here_and_deployed() {
    let held = |from: &Decisions, serving: i64, revisions: &[i64]| {
        let mut carried = from.to_carry();
        carried.held.insert(uid(10), (rev(serving), HoldReason::Review));
        let revisions = super::tests::revisions(revisions, &Subject::software(uid(10)));
        let known = |decisions: &Decisions, update| {
            let known = known(decisions, update)?;
            Ok::<_, ApprovalError>(known.map(|known| Known { revisions: revisions.clone(), ..known }))
        };
        Decisions::default().take_in(&carried, known, &mut stamp(50)).unwrap().held
    };
    assert_eq!(held(&origin(), 1, &[1, 2]), 1);
    assert_eq!(held(&origin(), 2, &[1, 2]), 0, "the newest waits for nothing");
    assert_eq!(held(&origin(), 1, &[2, 3]), 0, "the one that serves there is not here");
    assert_eq!(held(&Decisions::default(), 1, &[1, 2]), 0, "nothing is deployed");
}

#[test]
fn what_expired_since_it_was_approved_there_is_approved_where_it_stays_and_what_is_impossible_is_not() {
    let approval = |update: u128, action, deadline| CarriedApproval {
        update: uid(update),
        group: GroupId::ALL_COMPUTERS,
        action,
        deadline,
        by: "admin".to_owned(),
        at: at(5),
    };
    let approvals = vec![
        approval(1, ApprovalAction::Install, None),
        approval(2, ApprovalAction::Uninstall, None),
        approval(3, ApprovalAction::Install, Some(at(900))),
    ];
    let carried = CarriedDecisions { approvals, ..Decisions::default().to_carry() };
    let known = |_: &Decisions, update: UpdateId| {
        let n = update.0.as_u128();
        let subject =
            Subject { expired: n == 1, removable: n != 2, may_ask: n == 3, ..Subject::software(update) };
        Ok::<_, ApprovalError>(Some(Known { subject, revisions: revisions(&[1], &subject), came: None }))
    };
    let mut to = Decisions::default();
    // Who keeps what expired keeps its approvals.
    to.options.decline_expired = false;
    let taken = to.take_in(&carried, known, &mut stamp(50)).unwrap();
    assert_eq!((taken.approved, taken.skipped), (1, 2), "{:?}", taken.reasons);
}

#[test]
fn a_withdrawal_counts_from_its_time_on_and_the_latest_is_remembered() {
    let key = (uid(10), GroupId::ALL_COMPUTERS);
    let withdrawn = |seconds| CarriedDecisions {
        withdrawn: [(key, at(seconds))].into(),
        ..Decisions::default().to_carry()
    };
    let mut to = Decisions::default();
    approve(&mut to, 10, GroupId::ALL_COMPUTERS, 20);
    for seconds in [19, 20] {
        let taken = take(&mut to, &withdrawn(seconds), 50);
        assert_eq!((taken.withdrawn, taken.older), (0, 1), "it was approved at 20");
    }
    assert_eq!(take(&mut to, &withdrawn(21), 50).withdrawn, 1);
    let mark = |anchor, seconds| Some(Mark::decided(Change { anchor: Anchor(anchor), at: at(seconds) }));
    assert_eq!(to.withdrawn.get(&key).copied(), mark(50, 21));
    for (seconds, expected) in [(20, mark(50, 21)), (21, mark(50, 21)), (30, mark(60, 30))] {
        take(&mut to, &withdrawn(seconds), 60);
        assert_eq!(to.withdrawn.get(&key).copied(), expected, "withdrawn at {seconds}");
    }
}

#[test]
fn a_decline_that_is_taken_back_counts_from_its_time_on_and_the_latest_is_remembered() {
    let restored = |seconds| CarriedDecisions {
        restored: [(uid(12), at(seconds))].into(),
        ..Decisions::default().to_carry()
    };
    let mut to = Decisions::default();
    to.decline(&Subject::software(uid(12)), stamp(20).change).unwrap();
    for seconds in [19, 20] {
        let taken = take(&mut to, &restored(seconds), 50);
        assert_eq!((taken.restored, taken.older), (0, 1), "it was declined at 20");
        assert!(to.declined.contains_key(&uid(12)));
    }
    assert_eq!(take(&mut to, &restored(21), 50).restored, 1);
    let mark = |anchor, seconds| Some(Mark::decided(Change { anchor: Anchor(anchor), at: at(seconds) }));
    assert_eq!(to.restored.get(&uid(12)).copied(), mark(50, 21), "with its own time");
    for (seconds, expected) in [(20, mark(50, 21)), (21, mark(50, 21)), (30, mark(60, 30))] {
        assert_eq!(take(&mut to, &restored(seconds), 60).older, 0);
        assert_eq!(to.restored.get(&uid(12)).copied(), expected, "taken back at {seconds}");
    }
    let mut new = Decisions::default();
    take(&mut new, &restored(5), 60);
    assert_eq!(new.restored.get(&uid(12)).copied(), mark(60, 5), "where nothing was declined");
}

#[test]
fn members_of_a_bundle_are_those_of_the_revision_that_serves_once_all_is_taken_in() {
    let hold = Hold {
        serving: rev(1),
        reason: HoldReason::Eula(EulaId(Guid::from_u128(77))),
        since: stamp(14).change,
    };
    // There the bundle's second revision waits, so its member is no part of it yet and is decided about by itself.
    let mut from = Decisions::default();
    approve(&mut from, 10, GroupId::ALL_COMPUTERS, 10);
    from.held.insert(uid(10), hold);
    approve(&mut from, 21, GroupId::ALL_COMPUTERS, 15);
    for held_back in [false, true] {
        let mut carried = from.to_carry();
        if held_back {
            carried.approvals.retain(|approval| approval.update == uid(10));
            carried.declined.insert(uid(21), at(15));
        }
        let mut to = Decisions::default();
        let taken = to.take_in(&carried, bundle, &mut stamp(50)).unwrap();
        assert_eq!((taken.held, taken.skipped), (1, 0), "{:?}", taken.reasons);
        assert_eq!(to.to_carry(), carried);
        assert_eq!(
            to.take_in(&carried, bundle, &mut stamp(60)).unwrap(),
            TakenIn::default(),
            "it is all here"
        );
    }
    // There the terms are accepted, so the second revision serves and its former member is declined by itself.
    let mut to = from.clone();
    from.accept_eula(EulaId(Guid::from_u128(77)), "admin".to_owned(), &mut stamp(16)).unwrap();
    from.withdraw(uid(21), GroupId::ALL_COMPUTERS, stamp(17).change);
    from.decline(&bundle(&from, uid(20)).unwrap().unwrap().subject, stamp(18).change).unwrap();
    let taken = to.take_in(&from.to_carry(), bundle, &mut stamp(70)).unwrap();
    assert_eq!((taken.accepted, taken.declined, taken.skipped), (1, 1, 0), "{:?}", taken.reasons);
    assert!(to.held.is_empty() && to.declined.contains_key(&uid(20)));
}

/// Update 10 is a bundle: its first revision has the member 20, its second the member 21.
fn bundle(decisions: &Decisions, update: UpdateId) -> Result<Option<Known>, ApprovalError> {
    let first = decisions.held.get(&uid(10)).is_some_and(|hold| hold.serving == rev(1));
    let member = if first { uid(20) } else { uid(21) };
    let bundled_by = (update == member).then_some(uid(10));
    let eula = (update == uid(10)).then_some(EulaId(Guid::from_u128(77)));
    let subject = Subject { bundled_by, eula, ..Subject::software(update) };
    let plain = Subject::software(update);
    Ok(Some(Known { subject, revisions: revisions(&[1, 2], &plain), came: None }))
}
