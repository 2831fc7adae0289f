//! Tests of taking over an upstream's decisions.

use super::*;
use sluicegate_terms::Anchor;

fn uid(n: u128) -> UpdateId {
    UpdateId(Guid::from_u128(n))
}

fn gid(n: u128) -> GroupId {
    GroupId(Guid::from_u128(n))
}

fn change(anchor: u64) -> Change {
    Change { anchor: Anchor(anchor), at: Timestamp::UNIX_EPOCH }
}

fn group(n: u128, name: &str, parent: Option<u128>) -> Group {
    let parent = Some(parent.map_or(GroupId::ALL_COMPUTERS, gid));
    Group { id: gid(n), name: name.parse().unwrap(), parent }
}

fn install(guid: u128, update: u128, group: u128) -> UpstreamDeployment {
    UpstreamDeployment {
        guid: Guid::from_u128(guid),
        update: uid(update),
        group: gid(group),
        action: ApprovalAction::Install,
        deadline: None,
        by: "parent\\admin".to_owned(),
        revision: number(2),
        decided: None,
    }
}

/// Updates below 100 are here; 50 is a bundle's member, 60 a category.
fn known(_: &Decisions, update: UpdateId) -> Result<Option<Subject>, ApprovalError> {
    let n = update.0.as_u128();
    let software = Subject::software(update);
    let kind = if n == 60 { UpdateKind::Category } else { software.kind };
    Ok((n < 100).then_some(Subject { kind, bundled_by: (n == 50).then(|| uid(51)), ..software }))
}

fn number(n: i64) -> RevisionNumber {
    RevisionNumber::new(n).unwrap()
}

/// Every update has the revisions 1 and 2 here.
fn place(_: UpdateId, revision: RevisionNumber) -> Result<Place, ApprovalError> {
    Ok(match revision.get() {
        0 => Place::Missing,
        1 => Place::Behind,
        _ => Place::Foremost,
    })
}

fn stamp(decisions: &Decisions, anchor: u64) -> Stamp {
    let last = decisions.approvals.values().map(|a| i64::from(a.deployment.get())).max().unwrap_or(0);
    Stamp::new(change(anchor), last + 1)
}

fn run(decisions: &mut Decisions, wanted: &UpstreamDecisions, anchor: u64) -> Adopted {
    adopt(decisions, wanted, &mut stamp(decisions, anchor), known, place).unwrap()
}

/// A newer revision of an update waits for review.
fn hold(decisions: &mut Decisions, update: u128) {
    let hold = crate::Hold {
        serving: sluicegate_terms::RevisionNumber::new(1).unwrap(),
        reason: crate::HoldReason::Review,
        since: change(6),
    };
    decisions.held.insert(uid(update), hold);
}

fn parent() -> UpstreamDecisions {
    UpstreamDecisions {
        groups: vec![group(2, "Web", Some(1)), group(1, "Servers", None)],
        deployments: vec![install(1, 10, 1), install(2, 11, 2)],
        declined: [uid(12)].into_iter().collect(),
        complete: false,
    }
}

#[test]
fn a_replica_becomes_what_its_parent_is_and_a_second_time_changes_nothing() {
    let mut decisions = Decisions::default();
    let adopted = run(&mut decisions, &parent(), 5);
    assert_eq!((adopted.approved, adopted.declined, adopted.groups), (2, 1, 2));
    assert!(decisions.approvals.contains_key(&(uid(11), gid(2))));
    assert_eq!(decisions.groups.get(gid(2)).unwrap().parent, Some(gid(1)));
    let once = decisions.clone();
    assert!(!run(&mut decisions, &parent(), 6).changed());
    assert_eq!(decisions, once);
}

#[test]
fn what_the_parent_takes_away_leaves_a_mark_for_clients() {
    let mut decisions = Decisions::default();
    run(&mut decisions, &parent(), 5);
    let mut later = parent();
    later.deployments.remove(0);
    later.declined.clear();
    let adopted = run(&mut decisions, &later, 9);
    assert_eq!((adopted.withdrawn, adopted.restored, adopted.approved), (1, 1, 0));
    assert_eq!(decisions.withdrawn.get(&(uid(10), gid(1))), Some(&Mark::decided(change(9))));
    assert_eq!(decisions.restored.get(&uid(12)), Some(&Mark::decided(change(9))));
}

#[test]
fn what_the_upstream_no_longer_holds_is_released_and_clients_are_told() {
    let mut decisions = Decisions::default();
    run(&mut decisions, &parent(), 5);
    hold(&mut decisions, 10);
    run(&mut decisions, &parent(), 7);
    assert!(decisions.held.is_empty());
    assert_eq!(decisions.released.get(&uid(10)), Some(&change(7)));
}

#[test]
fn what_only_a_held_revision_bundled_is_decided_by_itself() {
    let mut decisions = Decisions::default();
    run(&mut decisions, &parent(), 5);
    hold(&mut decisions, 10);
    let member = |decisions: &Decisions, update| {
        let bundled_by = decisions.held.keys().next().copied().filter(|_| update == uid(12));
        Ok::<_, ApprovalError>(Some(Subject { bundled_by, ..Subject::software(update) }))
    };
    decisions.declined.clear();
    let mut stamp = stamp(&decisions, 7);
    let adopted = adopt(&mut decisions, &parent(), &mut stamp, member, place).unwrap();
    assert_eq!(adopted.declined, 1);
}

#[test]
fn an_approval_has_the_time_of_its_decision_where_the_upstream_says_it() {
    let at = Timestamp::from_unix_seconds(-50);
    let mut wanted = parent();
    wanted.deployments[0].decided = Some(at);
    let mut decisions = Decisions::default();
    run(&mut decisions, &wanted, 5);
    let times = |decisions: &Decisions| -> Vec<_> {
        decisions.approvals.values().map(|a| (a.changed_at, a.deployment, a.changed)).collect()
    };
    let first = times(&decisions);
    assert_eq!([first[0].0, first[1].0], [at, change(5).at]);
    // Decided again there, and the same: agents are told of nothing.
    let again = at.plus_seconds(10);
    wanted.deployments[0].decided = Some(again);
    assert!(!run(&mut decisions, &wanted, 6).changed());
    assert_eq!(times(&decisions), [(again, first[0].1, first[0].2), first[1]]);
}

#[test]
fn a_changed_approval_gets_a_new_deployment_and_others_keep_theirs() {
    let mut decisions = Decisions::default();
    run(&mut decisions, &parent(), 5);
    let kept = decisions.approvals.get(&(uid(11), gid(2))).cloned();
    let mut later = parent();
    later.deployments[0].action = ApprovalAction::Uninstall;
    assert_eq!(run(&mut decisions, &later, 7).approved, 1);
    assert_eq!(decisions.approvals.get(&(uid(10), gid(1))).unwrap().changed, Anchor(7));
    assert_eq!(decisions.approvals.get(&(uid(11), gid(2))).cloned(), kept);
}

#[test]
fn what_cannot_be_taken_over_is_said_and_hinders_nothing_else() {
    let mut wanted = parent();
    wanted.groups.push(group(3, "SERVERS", None));
    wanted.groups.push(group(4, "Orphan", Some(99)));
    wanted.deployments.push(install(3, 10, 4));
    wanted.deployments.push(install(4, 500, 1));
    wanted.deployments.push(install(5, 50, 1));
    let mut decisions = Decisions::default();
    let adopted = run(&mut decisions, &wanted, 5);
    assert_eq!((adopted.approved, adopted.skipped.len()), (2, 4), "{:?}", adopted.skipped);
}

#[test]
fn a_group_that_the_parent_removed_takes_its_approvals_along_and_a_moved_one_is_noted() {
    let mut decisions = Decisions::default();
    run(&mut decisions, &parent(), 5);
    let before = decisions.groups.reshaped();
    let mut later = parent();
    later.groups = vec![group(2, "Web", None)];
    let adopted = run(&mut decisions, &later, 8);
    assert_eq!(adopted.groups, 2);
    assert!(decisions.approvals.keys().all(|(_, g)| *g == gid(2)));
    assert!(decisions.groups.reshaped() > before);
}
#[test]
fn any_single_change_counts_as_one() {
    assert!(!Adopted { skipped: vec!["x".to_owned()], ..Adopted::default() }.changed());
    for one in [
        Adopted { approved: 1, ..Adopted::default() },
        Adopted { withdrawn: 1, ..Adopted::default() },
        Adopted { declined: 1, ..Adopted::default() },
        Adopted { restored: 1, ..Adopted::default() },
        Adopted { turned: 1, ..Adopted::default() },
        Adopted { groups: 1, ..Adopted::default() },
        Adopted { licences: 1, ..Adopted::default() },
    ] {
        assert!(one.changed(), "{one:?}");
    }
}

#[test]
fn members_categories_and_what_is_not_here_are_not_declined_although_the_parent_lists_them() {
    let mut wanted = parent();
    wanted.declined.extend([50, 60, 500].map(uid));
    let mut decisions = Decisions::default();
    assert_eq!(run(&mut decisions, &wanted, 5).declined, 1);
    assert_eq!(decisions.declined.keys().copied().collect::<Vec<_>>(), [uid(12)]);
}

#[test]
fn a_group_that_is_only_renamed_changes_no_computers_deployments() {
    let mut decisions = Decisions::default();
    run(&mut decisions, &parent(), 5);
    let before = decisions.groups.reshaped();
    let mut later = parent();
    later.groups = vec![group(2, "Web servers", Some(1)), group(1, "Servers", None)];
    assert_eq!(run(&mut decisions, &later, 8).groups, 1);
    assert_eq!(decisions.groups.get(gid(2)).unwrap().name.to_string(), "Web servers");
    assert_eq!(decisions.groups.reshaped(), before);
}

#[test]
fn what_was_decided_here_before_is_no_withdrawal_of_the_upstreams() {
    let mut decisions = Decisions::default();
    run(&mut decisions, &parent(), 5);
    let nothing = UpstreamDecisions { deployments: Vec::new(), declined: BTreeSet::new(), ..parent() };
    run(&mut decisions, &UpstreamDecisions { complete: true, ..nothing }, 9);
    let carried = decisions.to_carry();
    assert!(carried.withdrawn.is_empty() && carried.restored.is_empty(), "{carried:?}");
    assert_eq!((decisions.withdrawn.len(), decisions.restored.len()), (2, 1), "clients are told");
}

#[test]
fn what_the_upstream_holds_back_is_held_back_here_until_it_serves_it() {
    let mut decisions = Decisions::default();
    run(&mut decisions, &parent(), 5);
    let before = decisions.approvals.get(&(uid(10), gid(1))).cloned().unwrap();
    let mut holding = parent();
    holding.deployments[0].revision = number(1);
    let adopted = run(&mut decisions, &holding, 6);
    assert_eq!((adopted.turned, adopted.changes()), (1, 1));
    let hold = decisions.held[&uid(10)];
    assert_eq!((hold.serving, hold.reason), (number(1), crate::HoldReason::Review));
    let after = decisions.approvals.get(&(uid(10), gid(1))).cloned().unwrap();
    assert_ne!(after.deployment, before.deployment, "a deployment is one revision's");
    assert_eq!(after.changed, Anchor(6));
    let once = decisions.clone();
    run(&mut decisions, &holding, 7);
    assert_eq!(decisions, once, "a second time changes nothing");
    assert_eq!(run(&mut decisions, &parent(), 8).changes(), 1);
    assert!(decisions.held.is_empty());
    assert_eq!(decisions.released[&uid(10)], change(8));
}

#[test]
fn what_only_waits_for_terms_there_waits_for_them_here() {
    let licensed = |_: &Decisions, update| {
        let eula = Some(crate::EulaId(Guid::from_u128(7)));
        Ok::<_, ApprovalError>(Some(Subject { eula, ..Subject::software(update) }))
    };
    let mut holding = parent();
    holding.deployments[0].revision = number(1);
    let mut decisions = Decisions::default();
    let mut stamp = stamp(&decisions, 5);
    adopt(&mut decisions, &holding, &mut stamp, licensed, place).unwrap();
    assert_eq!(decisions.held[&uid(10)].reason, crate::HoldReason::Eula(crate::EulaId(Guid::from_u128(7))));
}

#[test]
fn a_deployment_of_the_newest_revision_or_of_one_that_is_to_come_holds_nothing() {
    for revision in [2, 77] {
        let mut wanted = parent();
        wanted.deployments[0].revision = number(revision);
        let mut decisions = Decisions::default();
        run(&mut decisions, &wanted, 5);
        assert!(decisions.held.is_empty(), "{revision}");
    }
    let mut denial = parent();
    denial.deployments[0] = UpstreamDeployment {
        action: ApprovalAction::NotApproved,
        revision: number(1),
        ..denial.deployments[0].clone()
    };
    let mut decisions = Decisions::default();
    run(&mut decisions, &denial, 5);
    assert!(decisions.held.is_empty());
}

#[test]
fn what_serves_there_and_is_not_here_is_awaited_and_nothing_newer_is_deployed_in_its_place() {
    let mut waiting = parent();
    waiting.deployments[0].revision = number(0);
    let denial = UpstreamDeployment { action: ApprovalAction::NotApproved, ..install(3, 10, 2) };
    waiting.deployments.push(denial);
    let awaited = [UpdateIdentity { update: uid(10), revision: number(0) }];
    let first = Decisions::default();
    let mut installed = Decisions::default();
    run(&mut installed, &parent(), 4);
    for mut decisions in [first, installed] {
        let adopted = run(&mut decisions, &waiting, 5);
        assert_eq!(adopted.awaited, awaited.into());
        assert!(decisions.held.is_empty() && decisions.approvals.contains_key(&(uid(11), gid(2))));
        let left: Vec<_> = decisions.approvals.of(uid(10)).map(|a| (a.group, a.action)).collect();
        assert_eq!(left, [(gid(2), ApprovalAction::NotApproved)]);
        let once = decisions.clone();
        assert!(!run(&mut decisions, &waiting, 6).changed());
        assert_eq!(decisions, once, "a second time changes nothing");
        waiting.deployments[0].revision = number(1);
        assert_eq!(run(&mut decisions, &waiting, 7).awaited, [].into());
        assert_eq!(decisions.held[&uid(10)].serving, number(1));
        assert!(decisions.approvals.contains_key(&(uid(10), gid(1))));
        waiting.deployments[0].revision = number(0);
    }
}

#[test]
fn what_was_served_stays_in_service_while_a_later_one_is_awaited_and_nothing_new_is_approved_for_it() {
    let here = |_: UpdateId, revision: RevisionNumber| {
        Ok::<_, ApprovalError>(match revision.get() {
            5 => Place::Missing,
            1 | 6 => Place::Behind,
            _ => Place::Foremost,
        })
    };
    for (serving, stays) in [(1, true), (6, false)] {
        let mut decisions = Decisions::default();
        run(&mut decisions, &parent(), 5);
        hold(&mut decisions, 10);
        decisions.held.get_mut(&uid(10)).unwrap().serving = number(serving);
        let mut wanted = parent();
        wanted.deployments[0].revision = number(5);
        wanted.deployments.push(UpstreamDeployment { revision: number(5), ..install(3, 10, 2) });
        wanted.deployments[1].revision = number(7);
        let mut stamp = stamp(&decisions, 7);
        let adopted = adopt(&mut decisions, &wanted, &mut stamp, known, here).unwrap();
        assert_eq!(adopted.awaited.len(), 1);
        assert_eq!(decisions.held.contains_key(&uid(10)), stays);
        let groups: Vec<_> = decisions.approvals.of(uid(10)).map(|a| a.group).collect();
        assert_eq!(groups, if stays { vec![gid(1)] } else { Vec::new() });
    }
}

#[test]
fn what_cleanup_removed_here_is_awaited_once_the_upstream_deploys_it() {
    let removed = |_: UpdateId, _: RevisionNumber| Ok::<_, ApprovalError>(Place::Removed);
    let mut wanted = parent();
    // Not here: approved, not approved and declined. 10 is here in an older revision, and 50 is a member.
    let denial = UpstreamDeployment { action: ApprovalAction::NotApproved, ..install(4, 501, 1) };
    wanted.deployments = vec![install(1, 10, 1), install(2, 50, 1), install(3, 500, 1), denial];
    wanted.deployments.push(install(5, 502, 1));
    wanted.declined.insert(uid(502));
    let mut decisions = Decisions::default();
    let mut stamp = stamp(&decisions, 5);
    let adopted = adopt(&mut decisions, &wanted, &mut stamp, known, removed).unwrap();
    let awaited = [10, 500].map(|n| UpdateIdentity { update: uid(n), revision: number(2) });
    assert_eq!(adopted.awaited, awaited.into());
    assert_eq!(adopted.skipped.len(), 1, "{:?}", adopted.skipped);
    assert_eq!(decisions.approvals.keys().collect::<Vec<_>>(), [&(uid(10), gid(1))]);
}

#[test]
fn what_serves_there_and_is_newer_than_all_that_is_here_is_named_and_the_older_one_is_approved_meanwhile() {
    let ahead = |update: UpdateId, _: RevisionNumber| {
        Ok::<_, ApprovalError>(if update == uid(11) { Place::Foremost } else { Place::Ahead })
    };
    let mut wanted = parent();
    // 50 is a member, 12 is declined, and 13 has nothing that deploys it.
    let denial = UpstreamDeployment { action: ApprovalAction::NotApproved, ..install(5, 13, 1) };
    wanted.deployments.extend([install(3, 50, 1), install(4, 12, 1), denial, install(6, 10, 2)]);
    let mut decisions = Decisions::default();
    let mut stamp = stamp(&decisions, 5);
    let adopted = adopt(&mut decisions, &wanted, &mut stamp, known, ahead).unwrap();
    assert_eq!(adopted.ahead, [UpdateIdentity { update: uid(10), revision: number(2) }].into());
    assert_eq!((adopted.awaited, adopted.skipped.len()), ([].into(), 0));
    let approved: Vec<_> = decisions.approvals.of(uid(10)).map(|a| a.group).collect();
    assert_eq!(approved, [gid(1), gid(2)]);
}

#[test]
fn what_is_not_approved_for_a_group_is_so_for_a_declined_update_too() {
    let mut wanted = parent();
    for action in [ApprovalAction::NotApproved, ApprovalAction::Install] {
        let group = wanted.deployments.len() as u128 - 1;
        wanted.deployments.push(UpstreamDeployment { action, ..install(10 + group, 12, group) });
    }
    let mut decisions = Decisions::default();
    run(&mut decisions, &wanted, 5);
    let of_declined = |decisions: &Decisions| {
        decisions.approvals.of(uid(12)).map(|a| (a.group, a.action, a.changed)).collect::<Vec<_>>()
    };
    let not_approved = [(gid(1), ApprovalAction::NotApproved, Anchor(5))];
    assert_eq!(of_declined(&decisions), not_approved, "nothing that deploys");
    assert!(decisions.declined.contains_key(&uid(12)));
    // Once the parent takes the decline back, the groups have what they have there.
    wanted.declined.clear();
    wanted.deployments.pop();
    let adopted = run(&mut decisions, &wanted, 9);
    assert_eq!((adopted.restored, adopted.approved, adopted.withdrawn), (1, 0, 0));
    assert_eq!(of_declined(&decisions), not_approved);
}

#[test]
fn what_the_parent_approves_is_later_than_the_decline_or_withdrawal_that_was_heard_of_before() {
    let at = Timestamp::from_unix_seconds;
    let install = |n: u128, seconds| UpstreamDeployment { decided: Some(at(seconds)), ..install(n, n, 1) };
    let mut parent = UpstreamDecisions { declined: BTreeSet::new(), ..parent() };
    parent.deployments = vec![install(10, 1), install(11, 2)];
    let (mut replica, mut island) = (Decisions::default(), Decisions::default());
    // Each synchronization is carried to a server that has no connection.
    let mut heard = |replica: &mut Decisions, parent: &UpstreamDecisions, seconds: i64| {
        let stamped = |seconds: i64, own: &Decisions| {
            let last = own.approvals.values().map(|a| i64::from(a.deployment.get())).max().unwrap_or(0);
            Stamp::new(Change { anchor: Anchor(seconds.unsigned_abs()), at: at(seconds) }, last + 1)
        };
        let mut stamp = stamped(seconds, replica);
        adopt(replica, parent, &mut stamp, known, place).unwrap();
        let here = |_: &Decisions, update| {
            let (subject, revisions) = (Subject::software(update), BTreeMap::new());
            Ok::<_, ApprovalError>(Some(crate::Known { subject, revisions, came: None }))
        };
        let mut stamp = stamped(seconds + 1, &island);
        let taken = island.take_in(&replica.to_carry(), here, &mut stamp).unwrap();
        (taken, island.declined.len(), island.approvals.len())
    };
    let (taken, ..) = heard(&mut replica, &parent, 10);
    assert_eq!(taken.approved, 2);
    let wanted = std::mem::take(&mut parent.deployments);
    parent.declined = [uid(10)].into();
    let (taken, declined, approved) = heard(&mut replica, &parent, 20);
    assert_eq!((taken.declined, taken.withdrawn, declined, approved), (1, 1, 1, 0));
    // Both are approved again a moment after the parent answered, before this server wrote down what it said.
    parent.declined.clear();
    parent.deployments = vec![install(10, 19), install(11, 19)];
    let (taken, declined, approved) = heard(&mut replica, &parent, 30);
    assert_eq!((taken.older, declined, approved), (0, 0, 2), "{taken:?}");
    let later = replica.clone();
    assert_eq!(heard(&mut replica, &parent, 40).0, crate::TakenIn::default());
    assert_eq!(replica, later);
    // Another upstream's, or all anew: what stands here was not heard from it.
    parent.complete = true;
    parent.deployments = wanted;
    heard(&mut replica, &parent, 50);
    assert!(replica.approvals.values().all(|own| own.changed_at <= at(2)), "{replica:?}");
}
