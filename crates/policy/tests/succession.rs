//! What becomes of approvals when a new revision arrives, and of licence terms.

mod support;

use sluicegate_policy::ApprovalAction::{Install, NotApproved, OptionalInstall, Uninstall};
use sluicegate_policy::{
    ApprovalError, Arrival, Decision, Decisions, HoldReason, Mark, Order, Stamp, Subject, Succession,
    SuccessionOptions, effective,
};
use sluicegate_terms::{Anchor, DeploymentAction, DeploymentId};
use support::{approved, arrival, change, eula, gid, number, order, stamp, uid};

const REVIEW: SuccessionOptions = SuccessionOptions { approvals_follow: false, decline_expired: true };

fn subject() -> Subject {
    Subject::software(uid(1))
}

#[test]
fn approvals_follow_to_the_new_revision_with_deployments_of_their_own() {
    let mut decisions = approved(&[(0, Install), (2, NotApproved)]);
    let before: Vec<_> = decisions.approvals.values().cloned().collect();
    assert_eq!(decisions.arrive(&arrival(2), &mut stamp(9)), Ok(Succession::Followed));
    let after: Vec<_> = decisions.approvals.values().cloned().collect();
    for (old, new) in before.iter().zip(&after) {
        assert_eq!(
            (old.group, old.action, old.deadline, &old.by),
            (new.group, new.action, new.deadline, &new.by)
        );
        assert_ne!(old.deployment, new.deployment);
        assert_eq!((new.changed, new.changed_at), (Anchor(9), old.changed_at), "nobody decided anew");
    }
    assert_eq!(after.len(), 2);
    assert!(decisions.held.is_empty() && decisions.released.is_empty());
}

#[test]
fn new_updates_old_revisions_and_declined_updates_are_left_alone() {
    let mut decisions = approved(&[(0, Install)]);
    let before = decisions.clone();
    for untouched in [
        Arrival { replaces: None, ..arrival(2) },
        Arrival { replaces: Some(number(3)), ..arrival(2) },
        Arrival { replaces: Some(number(2)), ..arrival(2) },
        Arrival { update: uid(7), ..arrival(2) },
        Arrival { update: uid(7), eula: Some(eula(1)), ..arrival(2) },
    ] {
        assert_eq!(decisions.arrive(&untouched, &mut stamp(9)), Ok(Succession::Untouched), "{untouched:?}");
    }
    assert_eq!(decisions, before);
    decisions.decline(&subject(), change(3)).unwrap();
    let before = decisions.clone();
    let expired = Arrival { expired: true, ..arrival(2) };
    assert_eq!(decisions.arrive(&expired, &mut stamp(9)), Ok(Succession::Untouched));
    assert_eq!(decisions, before);
}

#[test]
fn a_revision_held_for_review_goes_into_service_when_accepted_or_approved() {
    for by_approval in [false, true] {
        let mut decisions = Decisions { options: REVIEW, ..approved(&[(0, Install), (3, Uninstall)]) };
        let held = Ok(Succession::Held(HoldReason::Review));
        assert_eq!(decisions.arrive(&arrival(2), &mut stamp(5)), held);
        assert_eq!(decisions.arrive(&arrival(3), &mut stamp(6)), held);
        let hold = decisions.held[&uid(1)];
        assert_eq!((hold.serving, hold.since), (number(1), change(6)));
        if by_approval {
            let made = decisions.approve(&subject(), order(2, Install), &mut stamp(9)).unwrap();
            assert_eq!(decisions.approvals.get(&(uid(1), gid(2))), Some(&made));
        } else {
            decisions.accept_revision(&subject(), &mut stamp(9)).unwrap();
        }
        assert!(decisions.held.is_empty());
        assert_eq!(decisions.released[&uid(1)], change(9));
        assert!(decisions.approvals.values().all(|a| a.changed == Anchor(9)));
        // Whoever accepts it decides about all of it; an order for one group is a decision for that group.
        let times: Vec<_> = decisions.approvals.values().map(|a| a.changed_at).collect();
        let before = approved(&[(0, Install), (3, Uninstall)]);
        let old: Vec<_> = before.approvals.values().map(|a| a.changed_at).collect();
        let now = change(9).at;
        let expected = if by_approval { vec![now, old[0], old[1]] } else { vec![now, now] };
        assert_eq!(times, expected);
        let again = decisions.accept_revision(&subject(), &mut stamp(10));
        assert_eq!(again, Err(ApprovalError::NothingHeld(uid(1))));
    }
}

#[test]
fn nothing_is_held_where_nothing_is_deployed() {
    let held = || {
        let mut decisions = Decisions { options: REVIEW, ..approved(&[(3, Install)]) };
        decisions.arrive(&arrival(2), &mut stamp(5)).unwrap();
        assert!(decisions.held.contains_key(&uid(1)));
        decisions
    };
    let lifted = |decisions: Decisions| {
        assert!(decisions.held.is_empty());
        assert_eq!(decisions.released[&uid(1)], change(9));
    };
    let mut decisions = held();
    decisions.unapprove(uid(1), Some(gid(3)), String::new(), &mut stamp(9)).unwrap();
    lifted(decisions);
    let mut decisions = held();
    decisions.unapprove(uid(1), None, String::new(), &mut stamp(9)).unwrap();
    lifted(decisions);
    let mut decisions = held();
    decisions.decline(&subject(), change(9)).unwrap();
    lifted(decisions);
    let mut decisions = held();
    decisions.remove_group(gid(3), change(9)).unwrap();
    lifted(decisions);
    let mut decisions = held();
    decisions.approve(&subject(), order(3, NotApproved), &mut stamp(9)).unwrap();
    lifted(decisions);
    let mut decisions = held();
    decisions.approve(&subject(), order(2, NotApproved), &mut stamp(9)).unwrap();
    assert!(decisions.held.contains_key(&uid(1)), "another group still deploys it");

    let mut decisions = Decisions { options: REVIEW, ..approved(&[(0, NotApproved)]) };
    assert_eq!(decisions.arrive(&arrival(2), &mut stamp(9)), Ok(Succession::Followed));
    assert!(decisions.held.is_empty());
}

#[test]
fn what_expires_is_declined_unless_it_is_to_be_removed_or_nobody_wants_that() {
    let expired = Arrival { expired: true, ..arrival(2) };
    let mut decisions = approved(&[(0, Install), (2, OptionalInstall)]);
    assert_eq!(decisions.arrive(&expired, &mut stamp(9)), Ok(Succession::Declined));
    let own = decisions.declined[&uid(1)];
    assert_eq!((own.anchor, own.at, own.automatic), (change(9).anchor, change(9).at, true));
    assert!(own.decided < own.at, "nobody decided so then");
    assert!(decisions.approvals.is_empty());
    assert_eq!(decisions.withdrawn.len(), 2);

    let mut decisions = approved(&[(0, Install), (2, Uninstall)]);
    assert_eq!(decisions.arrive(&expired, &mut stamp(9)), Ok(Succession::Followed));
    assert!(decisions.declined.is_empty());

    let mut decisions = approved(&[(0, Install)]);
    decisions.options.decline_expired = false;
    assert_eq!(decisions.arrive(&expired, &mut stamp(9)), Ok(Succession::Followed));
    assert_eq!(decisions.approvals.len(), 1);

    let mut decisions = Decisions { options: REVIEW, ..approved(&[(0, Uninstall)]) };
    decisions.arrive(&arrival(2), &mut stamp(8)).unwrap();
    let third = Arrival { expired: true, ..arrival(3) };
    assert_eq!(decisions.arrive(&third, &mut stamp(9)), Ok(Succession::Followed));
    assert!(decisions.held.is_empty(), "a withdrawn revision is not kept in service");

    let mut decisions = approved(&[]);
    assert_eq!(decisions.arrive(&expired, &mut stamp(9)), Ok(Succession::Declined), "undecided ones too");
}

/// Neither the expiry nor its end is a decision; what was decided, a decline or that a group does not get it, stays.
#[test]
fn what_expired_and_is_given_again_is_no_longer_declined_unless_somebody_declined_it() {
    let expired = Arrival { expired: true, ..arrival(2) };
    let given_again = Arrival { revives: true, ..arrival(3) };
    let mut decisions = approved(&[(0, Install), (2, NotApproved)]);
    decisions.arrive(&expired, &mut stamp(5)).unwrap();
    let left = |d: &Decisions| d.approvals.values().map(|own| (own.group, own.action)).collect::<Vec<_>>();
    assert_eq!(left(&decisions), [(gid(2), NotApproved)]);

    let mut replaced = decisions.clone();
    let as_before = Arrival { revives: false, ..given_again };
    assert_eq!(replaced.arrive(&as_before, &mut stamp(9)), Ok(Succession::Untouched));
    assert_eq!(replaced, decisions, "it had not expired: something else declined it");

    let mut confirmed = decisions.clone();
    confirmed.decline(&subject(), change(7)).unwrap();
    assert_eq!(confirmed.arrive(&given_again, &mut stamp(9)), Ok(Succession::Untouched));
    assert!(confirmed.declined.contains_key(&uid(1)));

    assert_eq!(decisions.arrive(&given_again, &mut stamp(9)), Ok(Succession::Revived));
    assert!(decisions.declined.is_empty());
    assert_eq!(
        decisions.restored[&uid(1)],
        Mark::passing(change(9)),
        "clients are told, and nobody decided so"
    );
    assert_eq!(left(&decisions), [(gid(2), NotApproved)]);
    assert!(decisions.approve(&subject(), order(0, Install), &mut stamp(10)).is_ok());
}

/// Cleanup and filters decline nothing that somebody decided.
#[test]
fn what_nobody_declined_is_still_not_approved_for_its_groups() {
    let mut decisions = approved(&[(0, Install), (2, NotApproved)]);
    decisions.decline_by_itself(&subject(), change(5)).unwrap();
    assert!(decisions.declined[&uid(1)].automatic);
    let left: Vec<_> = decisions.approvals.values().map(|own| (own.group, own.action)).collect();
    assert_eq!(left, [(gid(2), NotApproved)]);
    assert_eq!(decisions.withdrawn.len(), 1);
    decisions.restore(uid(1), change(6)).unwrap();
    decisions.decline(&subject(), change(7)).unwrap();
    assert_eq!(
        (decisions.approvals.values().count(), decisions.withdrawn.len()),
        (0, 2),
        "by hand: all of it"
    );
}

#[test]
fn a_removal_is_not_put_onto_what_expired_and_cannot_be_removed() {
    for (options, actions) in [
        (SuccessionOptions::default(), vec![(0, Uninstall)]),
        (SuccessionOptions::default(), vec![(0, Install), (2, Uninstall)]),
        (SuccessionOptions { decline_expired: false, ..SuccessionOptions::default() }, vec![(0, Uninstall)]),
        (REVIEW, vec![(0, Uninstall)]),
    ] {
        let mut decisions = Decisions { options, ..approved(&actions) };
        let fixed = Arrival { expired: true, removable: false, may_ask: true, ..arrival(2) };
        assert_eq!(
            decisions.arrive(&fixed, &mut stamp(8)),
            Ok(Succession::Held(HoldReason::NotRemovable)),
            "{actions:?}"
        );
        assert_eq!(decisions.held[&uid(1)].serving, number(1));
        // The next one waits behind the same, or can be removed.
        let next = Arrival { replaces: Some(number(2)), ..fixed };
        let third = Arrival { revision: number(3), ..next };
        let held = Ok(Succession::Held(HoldReason::NotRemovable));
        assert_eq!(decisions.clone().arrive(&third, &mut stamp(9)), held);
        let third = Arrival { removable: true, ..third };
        assert_eq!(decisions.arrive(&third, &mut stamp(9)), Ok(Succession::Followed));
        assert!(decisions.held.is_empty());
    }
    // What is only to be installed keeps nothing in service.
    let options = SuccessionOptions { decline_expired: false, ..SuccessionOptions::default() };
    let mut decisions = Decisions { options, ..approved(&[(0, Install)]) };
    let fixed = Arrival { expired: true, removable: false, ..arrival(2) };
    assert_eq!(decisions.arrive(&fixed, &mut stamp(8)), Ok(Succession::Followed));
}

#[test]
fn what_expired_and_serves_on_for_a_removal_is_installed_nowhere() {
    let fixed = Arrival { expired: true, removable: false, ..arrival(2) };
    // The groups to remove it and those to install it, one nested in the other, and who is told what afterwards.
    for (removes, installs) in [(vec![2], vec![0, 3]), (vec![0], vec![2]), (vec![0, 3], vec![2])] {
        let orders: Vec<_> = (removes.iter().map(|group| (*group, Uninstall)))
            .chain(installs.iter().map(|group| (*group, Install)))
            .collect();
        let mut decisions = approved(&orders);
        let before: Vec<_> = decisions.approvals_of(uid(1)).cloned().collect();
        decisions.arrive(&fixed, &mut stamp(9)).unwrap();
        assert_eq!(decisions.held[&uid(1)].serving, number(1));
        for group in [0, 2, 3] {
            let told = effective(&decisions, uid(1), &[gid(group)]);
            let removed =
                matches!(told.decision, Decision::Deployed { action: DeploymentAction::Uninstall, .. });
            assert_eq!(removed, removes.contains(&group), "{orders:?} {group}");
            assert!(removed || told.decision == Decision::Undecided, "{orders:?} {group}");
            // Who was told of the installation is told that it is over.
            assert!(!installs.contains(&group) || told.since >= change(9).anchor, "{orders:?} {group}");
        }
        // It counts as decided just after what it takes back, so what somebody decided elsewhere since is later.
        for own in before.iter().filter(|own| own.action == Install) {
            let denied = decisions.approvals.get(&(uid(1), own.group)).map(|denial| denial.changed_at);
            let withdrawn = decisions.withdrawn.get(&(uid(1), own.group)).and_then(|mark| mark.decided);
            let at = denied.or(withdrawn).unwrap();
            assert!(own.changed_at < at && at < change(9).at, "{orders:?}");
        }
    }
}

#[test]
fn a_member_of_a_bundle_that_expires_is_not_declined_by_itself() {
    let member = Arrival { expired: true, bundled: true, ..arrival(2) };
    let mut decisions = Decisions::default();
    assert_eq!(decisions.arrive(&member, &mut stamp(9)), Ok(Succession::Untouched));
    assert!(decisions.declined.is_empty());
    // What was approved before it became a member is not withdrawn either.
    let mut decisions = approved(&[(0, Install)]);
    assert_eq!(decisions.arrive(&member, &mut stamp(9)), Ok(Succession::Followed));
    assert!(decisions.declined.is_empty() && !decisions.approvals.is_empty());
}

#[test]
fn licence_terms_stand_before_installing_and_not_before_removing() {
    let mut decisions = approved(&[]);
    let licensed = Subject { eula: Some(eula(5)), ..subject() };
    for action in [Install, OptionalInstall] {
        let refused = decisions.approve(&licensed, order(0, action), &mut stamp(1));
        assert_eq!(refused, Err(ApprovalError::EulaNotAccepted { update: uid(1), eula: eula(5) }));
    }
    decisions.approve(&licensed, order(0, Uninstall), &mut stamp(1)).unwrap();
    decisions.approve(&licensed, order(0, NotApproved), &mut stamp(2)).unwrap();
    assert!(!decisions.may_install(Some(eula(5))) && decisions.may_install(None));
    assert_eq!(decisions.accept_eula(eula(5), "Ada".to_owned(), &mut stamp(3)), Ok(vec![]));
    assert_eq!(decisions.accept_eula(eula(5), "Bob".to_owned(), &mut stamp(4)), Ok(vec![]));
    assert_eq!(
        (decisions.accepted[&eula(5)].by.as_str(), decisions.accepted[&eula(5)].change),
        ("Ada", change(3))
    );
    assert!(decisions.may_install(Some(eula(5))) && !decisions.may_install(Some(eula(6))));
    decisions.approve(&licensed, order(0, Install), &mut stamp(5)).unwrap();
}

#[test]
fn new_licence_terms_hold_a_revision_back_until_they_are_accepted() {
    let terms = Arrival { eula: Some(eula(5)), ..arrival(2) };
    let licensed = Subject { eula: Some(eula(5)), ..subject() };
    let why = HoldReason::Eula(eula(5));

    let mut decisions = approved(&[(0, Uninstall)]);
    assert_eq!(decisions.arrive(&terms, &mut stamp(5)), Ok(Succession::Followed), "nothing is installed");

    let mut decisions = approved(&[(0, Install)]);
    assert_eq!(decisions.arrive(&terms, &mut stamp(5)), Ok(Succession::Held(why)));
    let refused = decisions.accept_revision(&licensed, &mut stamp(6));
    assert_eq!(refused, Err(ApprovalError::EulaNotAccepted { update: uid(1), eula: eula(5) }));
    decisions.approve(&licensed, order(3, Uninstall), &mut stamp(6)).unwrap();
    assert!(decisions.held.contains_key(&uid(1)), "a removal does not accept terms");
    assert_eq!(decisions.accept_eula(eula(6), "Ada".to_owned(), &mut stamp(7)), Ok(vec![]));
    assert_eq!(decisions.accept_eula(eula(5), "Ada".to_owned(), &mut stamp(8)), Ok(vec![uid(1)]));
    assert!(decisions.held.is_empty());
    assert!(decisions.approvals.values().all(|a| a.changed == Anchor(8)));
    assert_eq!(
        decisions.arrive(&Arrival { eula: Some(eula(5)), ..arrival(3) }, &mut stamp(9)),
        Ok(Succession::Followed)
    );

    let mut decisions = Decisions { options: REVIEW, ..approved(&[(0, Install)]) };
    assert_eq!(decisions.arrive(&terms, &mut stamp(5)), Ok(Succession::Held(why)));
    assert_eq!(decisions.accept_eula(eula(5), "Ada".to_owned(), &mut stamp(8)), Ok(vec![]));
    assert_eq!(decisions.held[&uid(1)].reason, HoldReason::Review, "terms are one thing, a review another");
}

#[test]
fn a_revision_for_which_what_is_approved_would_be_refused_is_held_until_that_is_decided_anew() {
    let due = Some(change(900).at);
    let fixed = Arrival { removable: false, ..arrival(2) };
    let asking = Arrival { may_ask: true, eula: Some(eula(5)), ..arrival(2) };

    let mut decisions = approved(&[(2, Uninstall), (3, Install)]);
    assert_eq!(decisions.arrive(&fixed, &mut stamp(5)), Ok(Succession::Held(HoldReason::NotRemovable)));
    assert_eq!(decisions.held[&uid(1)].serving, number(1));
    let subject_now = Subject { removable: false, ..subject() };
    let refused = decisions.accept_revision(&subject_now, &mut stamp(6));
    assert_eq!(refused, Err(ApprovalError::NotRemovable(uid(1))));
    decisions.approve(&subject_now, order(3, Install), &mut stamp(7)).unwrap();
    assert!(decisions.held.contains_key(&uid(1)), "the other group's order stands");
    decisions.approve(&subject_now, order(2, NotApproved), &mut stamp(8)).unwrap();
    decisions.accept_revision(&subject_now, &mut stamp(9)).unwrap();
    assert!(decisions.held.is_empty());

    let mut decisions = approved(&[]);
    decisions.approve(&subject(), Order { deadline: due, ..order(0, Install) }, &mut stamp(1)).unwrap();
    assert_eq!(decisions.arrive(&asking, &mut stamp(5)), Ok(Succession::Held(HoldReason::NeedsInput)));
    assert_eq!(
        decisions.accept_eula(eula(5), "Ada".to_owned(), &mut stamp(6)),
        Ok(vec![]),
        "not for the terms alone"
    );
    let subject_now = Subject { may_ask: true, eula: Some(eula(5)), ..subject() };
    let refused = decisions.accept_revision(&subject_now, &mut stamp(6));
    assert_eq!(refused, Err(ApprovalError::DeadlineNeedsInput(uid(1))));
    decisions.approve(&subject_now, order(0, Install), &mut stamp(7)).unwrap();
    assert!(decisions.held.is_empty(), "it is approved without a deadline");

    let mut decisions = approved(&[(2, Uninstall)]);
    decisions.arrive(&fixed, &mut stamp(5)).unwrap();
    assert_eq!(
        decisions.arrive(&arrival(3), &mut stamp(6)),
        Ok(Succession::Followed),
        "this one can be removed"
    );
    assert!(decisions.held.is_empty());
    for (action, arrival) in [(Uninstall, asking), (Install, fixed)] {
        let arrival = Arrival { eula: None, ..arrival };
        assert_eq!(approved(&[(0, action)]).arrive(&arrival, &mut stamp(5)), Ok(Succession::Followed));
    }
}

#[test]
fn what_is_optional_is_offered_and_yields_to_what_is_not() {
    let decisions = approved(&[(0, OptionalInstall), (2, Uninstall), (3, Install)]);
    let told = |groups: Vec<_>| match effective(&decisions, uid(1), &groups).decision {
        Decision::Deployed { action, assigned, .. } => (action, assigned),
        other => panic!("{other:?}"),
    };
    assert_eq!(told(vec![gid(0)]), (DeploymentAction::Install, false));
    assert_eq!(told(vec![gid(2)]), (DeploymentAction::Uninstall, true));
    assert_eq!(told(vec![gid(2), gid(0)]), (DeploymentAction::Install, false));
    assert_eq!(told(vec![gid(0), gid(3), gid(2)]), (DeploymentAction::Install, true));
}

#[test]
fn a_stamp_gives_each_id_once_and_never_an_implicit_one() {
    let mut stamp = Stamp::new(change(1), 5);
    assert_eq!(stamp.deployment().unwrap().get(), DeploymentId::FIRST_EXPLICIT);
    assert_eq!(stamp.deployment().unwrap().get(), DeploymentId::FIRST_EXPLICIT + 1);
    assert_eq!(stamp.next_deployment(), i64::from(DeploymentId::FIRST_EXPLICIT) + 2);
    let mut last = Stamp::new(change(1), i64::from(i32::MAX));
    last.deployment().unwrap();
    assert_eq!(last.deployment(), Err(ApprovalError::DeploymentIdsExhausted));
}

#[test]
fn a_restored_update_is_marked_whether_approved_again_or_not() {
    let mut decisions = approved(&[(0, Install)]);
    decisions.decline(&subject(), change(5)).unwrap();
    decisions.approve(&subject(), order(2, NotApproved), &mut stamp(6)).unwrap();
    assert_eq!((decisions.declined.len(), decisions.restored[&uid(1)]), (0, Mark::decided(change(6))));
    decisions.decline(&subject(), change(7)).unwrap();
    decisions.approve(&subject(), order(2, Install), &mut stamp(8)).unwrap();
    assert_eq!((decisions.declined.len(), decisions.restored[&uid(1)]), (0, Mark::decided(change(8))));
    let touched: Vec<_> = decisions.touched().collect();
    assert_eq!(touched, [uid(1)]);
}
