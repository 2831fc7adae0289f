//! Approvals and what follows from them, through the public interface: inheritance, conflicts between
//! groups, declines, refusals, and that no change goes unnoticed.

use proptest::prelude::*;
use sluicegate_policy::{
    Approval, ApprovalAction, ApprovalError, Approvals, Change, Decision, Decisions, Group, Order, Stamp,
    Subject, Withdrawal, effective,
};
use sluicegate_terms::{
    Anchor, DeploymentAction, DeploymentId, GroupId, Guid, Timestamp, UpdateId, UpdateKind,
};

fn uid(n: u128) -> UpdateId {
    UpdateId(Guid::from_u128(n))
}

fn gid(n: u128) -> GroupId {
    match n {
        0 => GroupId::ALL_COMPUTERS,
        1 => GroupId::UNASSIGNED_COMPUTERS,
        n => GroupId(Guid::from_u128(n)),
    }
}

fn at(day: i64) -> Timestamp {
    Timestamp::from_unix_seconds(day * 86_400)
}

fn change(anchor: u64) -> Change {
    Change { anchor: Anchor(anchor), at: at(anchor as i64) }
}

fn subject(n: u128) -> Subject {
    Subject::software(uid(n))
}

/// What a change is made with; ids of different anchors do not meet.
fn stamp(anchor: u64) -> Stamp {
    Stamp::new(change(anchor), i64::from(DeploymentId::FIRST_EXPLICIT) + 1_000 * anchor as i64)
}

fn order(group: u128, action: ApprovalAction) -> Order {
    Order { group: gid(group), action, deadline: None, by: "admin".to_owned() }
}

fn due(group: u128, day: i64) -> Order {
    Order { deadline: Some(at(day)), ..order(group, Install) }
}

/// All Computers > 2 > 3 > 4, and 5 beside 2.
fn decisions() -> Decisions {
    let mut decisions = Decisions::default();
    for (group, parent) in [(2, 0), (3, 2), (4, 3), (5, 0)] {
        decisions.groups.create(gid(group), format!("g{group}").parse().unwrap(), Some(gid(parent))).unwrap();
    }
    decisions
}

fn action(decisions: &Decisions, update: u128, groups: &[u128]) -> Option<DeploymentAction> {
    let groups: Vec<GroupId> = groups.iter().map(|g| gid(*g)).collect();
    match effective(decisions, uid(update), &groups).decision {
        Decision::Deployed { action, .. } => Some(action),
        Decision::Undecided | Decision::Declined => None,
    }
}

use ApprovalAction::{Install, NotApproved, OptionalInstall, Uninstall};

#[test]
fn the_nearest_approval_on_the_way_up_wins() {
    let mut decisions = decisions();
    decisions.approve(&subject(1), order(0, Install), &mut stamp(1)).unwrap();
    decisions.approve(&subject(1), order(3, Uninstall), &mut stamp(2)).unwrap();
    decisions.approve(&subject(1), order(4, NotApproved), &mut stamp(3)).unwrap();
    assert_eq!(action(&decisions, 1, &[2]), Some(DeploymentAction::Install));
    assert_eq!(action(&decisions, 1, &[3]), Some(DeploymentAction::Uninstall));
    assert_eq!(action(&decisions, 1, &[4]), None);
    assert_eq!(action(&decisions, 1, &[]), Some(DeploymentAction::Install));
    assert_eq!(action(&decisions, 2, &[3]), None);
}

#[test]
fn between_groups_install_beats_uninstall_beats_not_approved() {
    let mut decisions = decisions();
    decisions.approve(&subject(1), order(2, NotApproved), &mut stamp(1)).unwrap();
    decisions.approve(&subject(1), order(5, Uninstall), &mut stamp(2)).unwrap();
    assert_eq!(action(&decisions, 1, &[2, 5]), Some(DeploymentAction::Uninstall));
    decisions.approve(&subject(1), order(4, Install), &mut stamp(3)).unwrap();
    assert_eq!(action(&decisions, 1, &[5, 4, 2]), Some(DeploymentAction::Install));
}

#[test]
fn between_equal_approvals_the_earliest_deadline_wins() {
    let mut decisions = decisions();
    decisions.approve(&subject(1), order(2, Install), &mut stamp(1)).unwrap();
    decisions.approve(&subject(1), due(5, 9), &mut stamp(2)).unwrap();
    let deadline =
        |decisions: &Decisions| match effective(decisions, uid(1), &[gid(2), gid(5), gid(4)]).decision {
            Decision::Deployed { deadline, .. } => deadline,
            other => panic!("{other:?}"),
        };
    assert_eq!(deadline(&decisions), Some(at(9)));
    decisions.approve(&subject(1), due(4, 5), &mut stamp(3)).unwrap();
    assert_eq!(deadline(&decisions), Some(at(5)));
}

#[test]
fn a_deadline_in_the_past_is_taken_as_it_is_and_beats_one_to_come_and_none_to_install_and_to_uninstall() {
    let yesterday = 20;
    for action in [Install, Uninstall] {
        let due = |group, day| Order { deadline: Some(at(day)), ..order(group, action) };
        let mut decisions = decisions();
        // Anchors date the changes of these tests: this one is made on day 21, after the deadline.
        let made = decisions.approve(&subject(1), due(2, yesterday), &mut stamp(21)).unwrap();
        assert!(made.deadline.unwrap() < made.changed_at);
        decisions.approve(&subject(1), due(5, 30), &mut stamp(22)).unwrap();
        decisions.approve(&subject(1), order(0, action), &mut stamp(23)).unwrap();
        let deadline = |groups: &[u128]| {
            let groups: Vec<GroupId> = groups.iter().map(|group| gid(*group)).collect();
            match effective(&decisions, uid(1), &groups).decision {
                Decision::Deployed { deadline, .. } => deadline,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(deadline(&[2]), Some(at(yesterday)));
        assert_eq!(deadline(&[5, 2]), Some(at(yesterday)), "over one to come");
        assert_eq!(deadline(&[1, 2]), Some(at(yesterday)), "over none");
        assert_eq!(deadline(&[3]), Some(at(yesterday)), "inherited");
        assert_eq!((deadline(&[5]), deadline(&[1])), (Some(at(30)), None));
    }
}

#[test]
fn a_decline_overrides_and_an_approval_takes_it_back() {
    let mut decisions = decisions();
    decisions.approve(&subject(1), order(0, Install), &mut stamp(1)).unwrap();
    decisions.decline(&subject(1), change(2)).unwrap();
    assert_eq!(effective(&decisions, uid(1), &[]).decision, Decision::Declined);
    assert!(decisions.approvals.is_empty(), "approvals of a declined update are gone");
    assert_eq!(decisions.decline(&subject(1), change(3)), Err(ApprovalError::AlreadyDeclined(uid(1))));
    decisions.approve(&subject(1), order(2, Install), &mut stamp(4)).unwrap();
    assert_eq!(action(&decisions, 1, &[2]), Some(DeploymentAction::Install));
    assert_eq!(action(&decisions, 1, &[5]), None);
    assert_eq!(decisions.restore(uid(1), change(5)), Err(ApprovalError::NotDeclined(uid(1))));
}

#[test]
fn not_approved_takes_a_decline_back_and_approves_nothing() {
    let mut decisions = decisions();
    decisions.approve(&subject(1), order(0, Install), &mut stamp(1)).unwrap();
    decisions.decline(&subject(1), change(2)).unwrap();
    for group in [None, Some(gid(3))] {
        let refused = decisions.unapprove(uid(1), group, "admin".to_owned(), &mut stamp(3));
        assert_eq!(
            refused,
            Err(ApprovalError::DeclinedInstead(uid(1))),
            "nothing is approved, and it says why"
        );
    }
    decisions.approve(&subject(1), order(3, NotApproved), &mut stamp(4)).unwrap();
    assert!(decisions.declined.is_empty());
    assert!(
        decisions.restored[&uid(1)].decided > Some(change(2).at),
        "it is the later decision wherever it is carried"
    );
    for group in [2, 3, 4] {
        assert_eq!(action(&decisions, 1, &[group]), None, "nobody has it approved");
    }
    assert!(!decisions.is_untouched(uid(1)), "no filter declines it again");
    // What a filter, cleanup or an expiry declined is taken back so too.
    decisions.decline_by_itself(&subject(2), change(5)).unwrap();
    decisions.approve(&subject(2), order(0, NotApproved), &mut stamp(6)).unwrap();
    assert!(decisions.declined.is_empty() && decisions.restored.contains_key(&uid(2)));
    // One that is refused leaves it declined.
    decisions.decline(&subject(1), change(7)).unwrap();
    assert!(decisions.approve(&subject(1), order(77, NotApproved), &mut stamp(8)).is_err());
    assert!(decisions.declined.contains_key(&uid(1)));
}

#[test]
fn unapproving_a_group_that_inherits_denies_it_there_only() {
    let mut decisions = decisions();
    decisions.approve(&subject(1), order(0, Install), &mut stamp(1)).unwrap();
    let done = decisions.unapprove(uid(1), Some(gid(3)), "admin".to_owned(), &mut stamp(2)).unwrap();
    assert!(
        matches!(&done[..], [Withdrawal::Overridden(denial)] if denial.action == NotApproved && denial.group == gid(3))
    );
    assert_eq!(
        (action(&decisions, 1, &[4]), action(&decisions, 1, &[2])),
        (None, Some(DeploymentAction::Install))
    );
    let done = decisions.unapprove(uid(1), None, "admin".to_owned(), &mut stamp(3)).unwrap();
    assert_eq!(done.len(), 2);
    assert_eq!(action(&decisions, 1, &[2]), None);
    let nothing = decisions.unapprove(uid(1), Some(gid(2)), "admin".to_owned(), &mut stamp(4)).unwrap_err();
    assert!(nothing.to_string().contains("nothing to withdraw"), "{nothing}");
}

#[test]
fn what_cannot_be_deployed_by_itself_is_refused_with_the_reason() {
    let mut decisions = decisions();
    let mut refuse = |subject: Subject, action| {
        decisions.approve(&subject, order(0, action), &mut stamp(1)).unwrap_err().to_string()
    };
    assert!(refuse(Subject { kind: UpdateKind::Category, ..subject(1) }, Install).contains("is a Category"));
    assert!(
        refuse(Subject { kind: UpdateKind::Detectoid, ..subject(1) }, Install).contains("is a Detectoid")
    );
    let member = Subject { bundled_by: Some(uid(7)), ..subject(1) };
    assert!(refuse(member, Install).contains(&uid(7).to_string()));
    let part = Subject { explicitly_deployable: false, ..subject(1) };
    assert!(refuse(part, Install).contains("not explicitly deployable"));
    assert!(refuse(Subject { expired: true, ..subject(1) }, Install).contains("expired"));
    for subject in [member, Subject { kind: UpdateKind::Category, ..subject(1) }] {
        assert!(decisions.decline(&subject, change(1)).is_err());
    }
    for action in [NotApproved, OptionalInstall] {
        let late = Order { deadline: Some(at(1)), ..order(0, action) };
        let refused = decisions.approve(&subject(1), late, &mut stamp(1));
        assert_eq!(refused, Err(ApprovalError::DeadlineWithoutAction(uid(1))));
    }
    assert!(matches!(
        decisions.approve(&subject(1), order(77, Install), &mut stamp(1)),
        Err(ApprovalError::Group(_))
    ));
    assert_eq!(decisions.touched().count(), 0, "a refused decision leaves nothing behind");
}

#[test]
fn a_deadline_that_cannot_be_told_is_refused() {
    let mut decisions = decisions();
    let mut due = |iso: &str| {
        let deadline = Some(iso.parse().unwrap());
        let order = Order { deadline, ..order(0, Install) };
        decisions.approve(&subject(1), order, &mut stamp(1)).map(|own| own.deadline == deadline)
    };
    for fine in ["1754-01-01T00:00:00Z", "2026-12-01T03:00:00Z", "9998-12-31T23:59:59Z"] {
        assert_eq!(due(fine), Ok(true), "{fine}");
    }
    for none in [
        "0001-01-01",
        "1600-05-05",
        "1753-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59.9999999Z",
    ] {
        let refused = due(none).unwrap_err();
        assert!(matches!(refused, ApprovalError::DeadlineUntellable { .. }), "{none}");
        assert!(refused.to_string().contains("1754 to 9998"), "{refused}");
    }
}

#[test]
fn what_may_ask_the_user_is_approved_but_never_due() {
    let mut decisions = decisions();
    let asking = Subject { may_ask: true, ..subject(1) };
    let refused = decisions.approve(&asking, due(0, 1), &mut stamp(1)).unwrap_err();
    assert_eq!(refused, ApprovalError::DeadlineNeedsInput(uid(1)));
    assert!(refused.to_string().contains("without one"), "{refused}");
    let removal = Order { action: Uninstall, ..due(0, 1) };
    decisions.approve(&asking, removal, &mut stamp(1)).unwrap();
    decisions.approve(&asking, order(0, Install), &mut stamp(2)).unwrap();
    decisions.approve(&subject(2), due(0, 1), &mut stamp(3)).unwrap();
}

#[test]
fn what_cannot_be_removed_is_not_approved_for_removal() {
    let mut decisions = decisions();
    let lasting = Subject { removable: false, ..subject(1) };
    let refused = decisions.approve(&lasting, order(0, Uninstall), &mut stamp(1)).unwrap_err();
    assert_eq!(refused, ApprovalError::NotRemovable(uid(1)));
    assert!(refused.to_string().contains("withdraw its approval or decline it"), "{refused}");
    for action in [Install, OptionalInstall, NotApproved] {
        decisions.approve(&lasting, order(0, action), &mut stamp(2)).unwrap();
    }
}

#[test]
fn an_expired_update_can_still_be_removed() {
    let mut decisions = decisions();
    decisions.approve(&Subject { expired: true, ..subject(1) }, order(0, Uninstall), &mut stamp(1)).unwrap();
}

#[test]
fn deployment_ids_are_never_shared() {
    let mut decisions = decisions();
    let first = decisions.approve(&subject(1), order(0, Install), &mut stamp(1)).unwrap();
    let again = decisions.approve(&subject(2), order(0, Install), &mut stamp(1));
    assert_eq!(again, Err(ApprovalError::DeploymentId(first.deployment)));
    let mut approvals = Approvals::default();
    let low = Approval { deployment: DeploymentId::new(5).unwrap(), ..first.clone() };
    assert_eq!(approvals.insert(low.clone()), Err(ApprovalError::DeploymentId(low.deployment)));
    approvals.insert(first.clone()).unwrap();
    approvals.insert(first.clone()).unwrap();
    let other = Approval { update: uid(2), ..first.clone() };
    assert_eq!(approvals.insert(other.clone()), Err(ApprovalError::DeploymentId(first.deployment)));
    approvals.remove(&(uid(1), gid(0))).unwrap();
    approvals.insert(other.clone()).unwrap();
    approvals.retain(|(update, _), _| *update == uid(1));
    assert!(approvals.is_empty());
    approvals.insert(first).unwrap();
    assert_eq!((approvals.len(), approvals.of(uid(1)).count(), approvals.of(uid(2)).count()), (1, 1, 0));
}

#[test]
fn a_removed_group_takes_its_approvals_along() {
    let mut decisions = decisions();
    decisions.approve(&subject(1), order(4, Install), &mut stamp(1)).unwrap();
    assert!(decisions.remove_group(gid(3), change(2)).is_err());
    decisions.remove_group(gid(4), change(2)).unwrap();
    assert!(decisions.approvals.is_empty());
    assert_eq!(action(&decisions, 1, &[4]), None);
}

#[test]
fn groups_nested_in_a_deleted_one_go_with_it_when_that_is_said_and_take_their_approvals_along() {
    let before = {
        let mut decisions = decisions();
        for (update, group) in [(1, 1), (1, 2), (2, 3), (2, 4)] {
            decisions.approve(&subject(update), order(group, Install), &mut stamp(1 + group as u64)).unwrap();
        }
        decisions.unapprove(uid(2), Some(gid(4)), String::new(), &mut stamp(9)).unwrap();
        decisions
    };
    let mut decisions = before.clone();
    for id in [GroupId::ALL_COMPUTERS, GroupId::UNASSIGNED_COMPUTERS, gid(77)] {
        let refused = decisions.remove_group_with_nested(id, change(10)).unwrap_err().to_string();
        let named = decisions.groups.get(id).map_or_else(|| id.to_string(), |group| group.name.to_string());
        assert!(refused.contains(&named), "{refused}");
    }
    assert_eq!(decisions, before, "what is refused leaves no trace");
    let names = |groups: &[Group]| groups.iter().map(|g| g.id).collect::<Vec<_>>();
    let below = before.groups.below(gid(2)).into_iter().cloned().collect::<Vec<_>>();
    let removed = decisions.remove_group_with_nested(gid(2), change(10)).unwrap();
    assert_eq!((removed.group.id, names(&removed.nested)), (gid(2), names(&below)));
    assert!(!below.is_empty());
    let gone: Vec<GroupId> = removed.groups().map(|group| group.id).collect();
    let lost = before.approvals.keys().filter(|(_, group)| gone.contains(group)).count();
    assert_eq!(removed.approvals, lost as u64);
    assert_eq!(decisions.approvals.len() + lost, before.approvals.len());
    assert!(gone.iter().all(|group| decisions.groups.get(*group).is_none()));
    assert!(decisions.withdrawn.keys().all(|(_, group)| !gone.contains(group)));
    assert_eq!(action(&decisions, 1, &[1]), action(&before, 1, &[1]), "other groups keep theirs");
}

#[test]
fn words_for_actions_are_read_in_any_letter_case() {
    assert_eq!("Install".parse(), Ok(Install));
    assert_eq!("NOT-APPROVED".parse(), Ok(NotApproved));
    assert!("maybe".parse::<ApprovalAction>().is_err());
}

/// Does one random deed; refusals are part of the game.
fn do_deed(decisions: &mut Decisions, (what, update, group, other): (u8, u128, u128, u128), anchor: u64) {
    let subject = subject(update);
    let stamp = &mut stamp(anchor);
    let _ = match what {
        0 => decisions.approve(&subject, order(group, Install), stamp).map(|_| ()),
        1 => decisions.approve(&subject, order(group, Uninstall), stamp).map(|_| ()),
        2 => decisions.approve(&subject, order(group, NotApproved), stamp).map(|_| ()),
        3 => decisions.unapprove(subject.update, Some(gid(group)), String::new(), stamp).map(|_| ()),
        4 => decisions.unapprove(subject.update, None, String::new(), stamp).map(|_| ()),
        5 => decisions.decline(&subject, change(anchor)),
        6 => decisions.restore(subject.update, change(anchor)),
        _ => decisions.groups.move_below(gid(group), gid(other), Anchor(anchor)).map_err(ApprovalError::from),
    };
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn a_changed_decision_always_has_a_newer_anchor(
        deeds in prop::collection::vec((0_u8..8, 0_u128..2, 0_u128..6, 0_u128..6), 1..30),
        groups in prop::collection::vec(0_u128..6, 0..3),
        seen in 0_usize..30,
    ) {
        let groups: Vec<GroupId> = groups.into_iter().map(gid).collect();
        let mut decisions = decisions();
        let mut before = None;
        for (deed, anchor) in deeds.iter().zip(1_u64..) {
            if anchor as usize > seen && before.is_none() {
                before = Some((decisions.clone(), Anchor(anchor - 1)));
            }
            do_deed(&mut decisions, *deed, anchor);
        }
        let Some((before, seen)) = before else { return Ok(()) };
        for update in [uid(0), uid(1)] {
            let (old, new) = (effective(&before, update, &groups), effective(&decisions, update, &groups));
            prop_assert!(old.decision == new.decision || new.since > seen, "{:?} became {:?}", old, new);
        }
    }

    #[test]
    fn one_decision_comes_out_whatever_the_order_of_groups(
        deeds in prop::collection::vec((0_u8..8, 0_u128..2, 0_u128..6, 0_u128..6), 1..30),
        mut groups in prop::collection::vec((0_u128..7).prop_map(gid), 1..5),
    ) {
        let mut decisions = decisions();
        for (deed, anchor) in deeds.iter().zip(1_u64..) {
            do_deed(&mut decisions, *deed, anchor);
        }
        let forward = effective(&decisions, uid(1), &groups);
        groups.reverse();
        prop_assert_eq!(forward, effective(&decisions, uid(1), &groups));
        let first = groups[0];
        groups.push(first);
        prop_assert_eq!(forward, effective(&decisions, uid(1), &groups));
    }
}
