//! Policy: a replica takes over its upstream's groups and decisions. Only what differs is changed, so that
//! clients are told of real changes and of nothing else.

use crate::{Approval, ApprovalAction, Change, Decisions, Group, GroupTree, Subject};
use sluicegate_terms::{DeploymentId, GroupId, Guid, Timestamp, UpdateId, UpdateKind};
use std::collections::{BTreeMap, BTreeSet};

/// A deployment as the upstream lists it (`ServerSyncDeployment`, MS-WSUSSS 3.1.4.10.3.5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpstreamDeployment {
    /// Its name on every server; what a dead deployment is known by.
    pub guid: Guid,
    /// Which update.
    pub update: UpdateId,
    /// For which group.
    pub group: GroupId,
    /// What is decided.
    pub action: ApprovalAction,
    /// By when agents are to have done it.
    pub deadline: Option<Timestamp>,
    /// Who decided, on the upstream.
    pub by: String,
}

/// Everything the upstream has decided.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UpstreamDecisions {
    /// All groups; the two built-in ones may be among them.
    pub groups: Vec<Group>,
    /// All living deployments that are decisions.
    pub deployments: Vec<UpstreamDeployment>,
    /// The declined updates (`HiddenUpdates`).
    pub declined: BTreeSet<UpdateId>,
}

/// What taking them over changed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Adopted {
    /// Approvals that are new or different.
    pub approved: u64,
    /// Approvals that are gone.
    pub withdrawn: u64,
    /// Updates that are declined now and were not.
    pub declined: u64,
    /// Updates that were declined and are no longer.
    pub restored: u64,
    /// Groups made, renamed, moved or removed.
    pub groups: u64,
    /// Licence terms that are accepted now and were not.
    pub licences: u64,
    /// What could not be taken over, each with a reason; it is tried again with the next synchronization.
    pub skipped: Vec<String>,
}

impl Adopted {
    /// Whether anything is different from before.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.approved + self.withdrawn + self.declined + self.restored + self.groups + self.licences > 0
    }
}

/// Puts the upstream's groups and decisions in place of `decisions`. `subject` tells about an update as the
/// decisions given with it let it be seen, `None` when this server does not have it; `next` gives fresh
/// deployment ids.
///
/// # Errors
/// What `next` and `subject` give.
pub fn adopt<E>(
    decisions: &mut Decisions,
    wanted: &UpstreamDecisions,
    change: Change,
    mut subject: impl FnMut(&Decisions, UpdateId) -> Result<Option<Subject>, E>,
    mut next: impl FnMut() -> Result<DeploymentId, E>,
) -> Result<Adopted, E> {
    let mut adopted = Adopted::default();
    // The upstream has decided about its newest revisions, and a replica holds none back. First of all: which
    // updates are members of bundles depends on the revisions in service.
    decisions.release_all(change);
    adopt_groups(decisions, &wanted.groups, change, &mut adopted);

    let mut target: BTreeMap<(UpdateId, GroupId), &UpstreamDeployment> = BTreeMap::new();
    for deployment in &wanted.deployments {
        if wanted.declined.contains(&deployment.update) {
            continue;
        }
        if decisions.groups.get(deployment.group).is_none() {
            adopted.skipped.push(format!(
                "an approval of {} is for the group {}, which the upstream does not list",
                deployment.update, deployment.group
            ));
            continue;
        }
        let Some(subject) = subject(decisions, deployment.update)? else {
            adopted
                .skipped
                .push(format!("{} is approved on the upstream and not here yet", deployment.update));
            continue;
        };
        // Real upstreams list deployments of members and categories too; those follow by themselves.
        if subject.bundled_by.is_none()
            && !matches!(subject.kind, UpdateKind::Category | UpdateKind::Detectoid)
        {
            target.insert((deployment.update, deployment.group), deployment);
        }
    }

    let gone: Vec<_> = decisions.approvals.keys().filter(|key| !target.contains_key(*key)).copied().collect();
    for key in gone {
        decisions.approvals.remove(&key);
        decisions.withdrawn.insert(key, change);
        adopted.withdrawn += 1;
    }
    for (key, deployment) in target {
        let same = decisions
            .approvals
            .get(&key)
            .is_some_and(|a| a.action == deployment.action && a.deadline == deployment.deadline);
        if same {
            continue;
        }
        let (update, group) = key;
        let approval = Approval {
            update,
            group,
            action: deployment.action,
            deadline: deployment.deadline.filter(|_| deployment.action.can_be_due()),
            deployment: next()?,
            changed: change.anchor,
            changed_at: change.at,
            by: deployment.by.clone(),
        };
        match decisions.approvals.insert(approval) {
            Ok(()) => {
                decisions.withdrawn.remove(&key);
                adopted.approved += 1;
            }
            Err(error) => adopted.skipped.push(error.to_string()),
        }
    }
    adopt_declines(decisions, &wanted.declined, change, &mut subject, &mut adopted)?;
    Ok(adopted)
}

fn adopt_declines<E>(
    decisions: &mut Decisions,
    wanted: &BTreeSet<UpdateId>,
    change: Change,
    subject: &mut impl FnMut(&Decisions, UpdateId) -> Result<Option<Subject>, E>,
    adopted: &mut Adopted,
) -> Result<(), E> {
    let gone: Vec<UpdateId> =
        decisions.declined.keys().filter(|update| !wanted.contains(*update)).copied().collect();
    for update in gone {
        decisions.declined.remove(&update);
        decisions.restored.insert(update, change);
        adopted.restored += 1;
    }
    for &update in wanted {
        if decisions.declined.contains_key(&update) {
            continue;
        }
        let declinable = subject(decisions, update)?.is_some_and(|s| {
            s.bundled_by.is_none() && !matches!(s.kind, UpdateKind::Category | UpdateKind::Detectoid)
        });
        if declinable {
            debug_assert!(decisions.approvals.of(update).next().is_none());
            decisions.restored.remove(&update);
            decisions.declined.insert(update, change);
            adopted.declined += 1;
        }
    }
    Ok(())
}

/// Makes the group tree the upstream's. A group that cannot be part of one tree is left out, and with it
/// its approvals; everything else must not wait for it.
fn adopt_groups(decisions: &mut Decisions, wanted: &[Group], change: Change, adopted: &mut Adopted) {
    let mut tree = GroupTree::new();
    let mut waiting: Vec<&Group> = wanted.iter().filter(|g| tree.get(g.id).is_none()).collect();
    loop {
        let (ready, later): (Vec<&Group>, Vec<&Group>) =
            waiting.into_iter().partition(|g| tree.get(g.parent.unwrap_or(GroupId::ALL_COMPUTERS)).is_some());
        waiting = later;
        if ready.is_empty() {
            break;
        }
        for group in ready {
            if let Err(error) = tree.create(group.id, group.name.clone(), group.parent) {
                adopted.skipped.push(format!("the upstream's group `{}`: {error}", group.name));
            }
        }
    }
    for group in waiting {
        let reason = "the group it is nested in is missing";
        adopted.skipped.push(format!("the upstream's group `{}`: {reason}", group.name));
    }
    let before = &decisions.groups;
    let moved = tree.iter().any(|g| before.get(g.id).is_some_and(|old| old.parent != g.parent));
    let changed = tree.iter().filter(|g| before.get(g.id) != Some(*g)).count()
        + before.iter().filter(|g| tree.get(g.id).is_none()).count();
    if changed == 0 {
        return;
    }
    let reshaped = if moved { before.reshaped().max(change.anchor) } else { before.reshaped() };
    // The groups came out of a tree, so they form one.
    if let Ok(tree) = GroupTree::restore(tree.iter().cloned(), reshaped) {
        adopted.groups = changed as u64;
        decisions.groups = tree;
        let groups = &decisions.groups;
        decisions.approvals.retain(|(_, group), _| groups.get(*group).is_some());
        decisions.withdrawn.retain(|(_, group), _| groups.get(*group).is_some());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::convert::Infallible;
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
        }
    }

    /// Updates below 100 are here; 50 is a bundle's member, 60 a category.
    fn known(_: &Decisions, update: UpdateId) -> Result<Option<Subject>, Infallible> {
        let n = update.0.as_u128();
        let software = Subject::software(update);
        let kind = if n == 60 { UpdateKind::Category } else { software.kind };
        Ok((n < 100).then_some(Subject { kind, bundled_by: (n == 50).then(|| uid(51)), ..software }))
    }

    fn run(decisions: &mut Decisions, wanted: &UpstreamDecisions, anchor: u64) -> Adopted {
        let mut last = i64::from(DeploymentId::FIRST_EXPLICIT)
            + decisions.approvals.values().map(|a| i64::from(a.deployment.get())).max().unwrap_or(0);
        let next = || {
            last = (last + 1).min(i64::from(i32::MAX));
            Ok(DeploymentId::new(last).unwrap())
        };
        let Ok(adopted) = adopt(decisions, wanted, change(anchor), known, next);
        adopted
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
        assert_eq!(decisions.withdrawn.get(&(uid(10), gid(1))), Some(&change(9)));
        assert_eq!(decisions.restored.get(&uid(12)), Some(&change(9)));
    }

    #[test]
    fn nothing_is_held_on_a_replica_and_clients_are_told_of_the_revision_that_was() {
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
            Ok::<_, Infallible>(Some(Subject { bundled_by, ..Subject::software(update) }))
        };
        decisions.declined.clear();
        let Ok(adopted) =
            adopt(&mut decisions, &parent(), change(7), member, || Ok(DeploymentId::new(9).unwrap()));
        assert_eq!(adopted.declined, 1);
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
}
