//! Policy: a replica takes over its upstream's groups and decisions. Only what differs is changed, so that
//! clients are told of real changes and of nothing else.

use crate::approvals::next;
use crate::{
    Approval, ApprovalAction, ApprovalError, Change, Decisions, Decline, Group, GroupTree, Hold, HoldReason,
    Mark, Stamp, Subject,
};
use sluicegate_terms::{GroupId, Guid, RevisionNumber, Timestamp, UpdateId, UpdateIdentity, UpdateKind};
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
    /// The revision it is for: the one in service there.
    pub revision: RevisionNumber,
    /// When it was decided there, where the upstream says so.
    pub decided: Option<Timestamp>,
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
    /// It was all asked for anew; what is not named may never have been the upstream's.
    pub complete: bool,
}

/// Where a revision stands among those of its update that are here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Nothing newer is here.
    Foremost,
    /// It is here beside a newer one.
    Behind,
    /// It is not here, and a newer one is.
    Missing,
    /// Neither it nor a newer one is here, since cleanup removed it: lists do not bring it again.
    Removed,
    /// Only older ones are here: no list names it, as where the filter leaves it out.
    Ahead,
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
    /// Updates whose approvals are the same and that have another revision in service.
    pub turned: u64,
    /// Groups made, renamed, moved or removed.
    pub groups: u64,
    /// Licence terms that are accepted now and were not.
    pub licences: u64,
    /// So often a computer lost a group that is gone.
    pub ungrouped: u64,
    /// So often one is back in a group that it lost.
    pub put_back: u64,
    /// So many computers ask for groups that are gone, and for none that is left (client-side targeting).
    pub unmet: u64,
    /// Revisions in service there that are not here, while newer ones are, or since cleanup removed them. What is
    /// approved for them waits.
    pub awaited: BTreeSet<UpdateIdentity>,
    /// Revisions in service there of whose updates only older ones are here. What is approved for them is approved for
    /// these until they come.
    pub ahead: BTreeSet<UpdateIdentity>,
    /// What could not be taken over, each with a reason; it is tried again with the next synchronization.
    pub skipped: Vec<String>,
}

impl Adopted {
    /// Whether anything is different from before.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.changes() > 0
    }

    /// How much is different from before.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.approved
            + self.withdrawn
            + self.declined
            + self.restored
            + self.turned
            + self.groups
            + self.licences
    }
}

/// Puts the upstream's groups and decisions in place of `decisions`. `subject` tells about an update as the
/// decisions given with it let it be seen, `None` when this server does not have it; `place` where a revision of it
/// stands.
///
/// # Errors
/// What `subject` and `place` give, or that no deployment id is left.
pub fn adopt<E: From<ApprovalError>>(
    decisions: &mut Decisions,
    wanted: &UpstreamDecisions,
    stamp: &mut Stamp,
    mut subject: impl FnMut(&Decisions, UpdateId) -> Result<Option<Subject>, E>,
    mut place: impl FnMut(UpdateId, RevisionNumber) -> Result<Place, E>,
) -> Result<Adopted, E> {
    let mut adopted = Adopted::default();
    let change = stamp.change;
    put_groups(decisions, &wanted.groups, change, &mut adopted);
    // Before anything about updates: which of them are members of bundles depends on the revisions in service.
    let mut holds = BTreeMap::new();
    let (mut missing, mut removed, mut ahead) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (update, (serving, installs)) in serving(decisions, wanted) {
        match place(update, serving)? {
            Place::Foremost => {}
            Place::Removed => drop(removed.insert(update, serving)),
            Place::Ahead => drop(ahead.insert(update, serving)),
            Place::Behind => {
                let eula = subject(decisions, update)?.and_then(|subject| subject.eula);
                let terms = eula.filter(|eula| installs && !decisions.accepted.contains_key(eula));
                let reason = terms.map_or(HoldReason::Review, HoldReason::Eula);
                holds.insert(update, Hold { serving, reason, since: change });
            }
            Place::Missing => {
                missing.insert(update, serving);
                // What it served before that one stays; what is newer the upstream holds back.
                if let Some(own) = decisions.held.get(&update).copied()
                    && own.serving < serving
                    && place(update, own.serving)? == Place::Behind
                {
                    holds.insert(update, own);
                }
            }
        }
    }
    let turned = decisions.replace_holds(holds, change);

    let mut target = BTreeMap::new();
    for deployment in &wanted.deployments {
        // That it is not approved for some group may be said of a declined update too.
        if wanted.declined.contains(&deployment.update) && deployment.action.deploys() {
            continue;
        }
        if decisions.groups.get(deployment.group).is_none() {
            adopted.skipped.push(format!(
                "an approval of {} is for the group {}, which the upstream does not list",
                deployment.update, deployment.group
            ));
            continue;
        }
        let subject = subject(decisions, deployment.update)?;
        // Real upstreams list deployments of members and categories too; those follow by themselves.
        if subject.as_ref().is_some_and(|subject| !decidable(subject)) {
            continue;
        }
        if let Some(&revision) = ahead.get(&deployment.update) {
            adopted.ahead.insert(UpdateIdentity { update: deployment.update, revision });
        }
        if let Some(&revision) = removed.get(&deployment.update).filter(|_| deployment.action.deploys()) {
            adopted.awaited.insert(UpdateIdentity { update: deployment.update, revision });
        } else if subject.is_none() {
            let said = if deployment.action.deploys() { "approved" } else { "not approved for a group" };
            adopted.skipped.push(format!("{} is {said} on the upstream and not here yet", deployment.update));
        }
        if subject.is_some() {
            let action = deployment.action;
            let deadline = deployment.deadline.filter(|_| action.can_be_due());
            if let Some(&revision) = missing.get(&deployment.update).filter(|_| action.deploys()) {
                adopted.awaited.insert(UpdateIdentity { update: deployment.update, revision });
                let own = decisions.approvals.get(&(deployment.update, deployment.group));
                let stays = own.is_some_and(|own| own.action == action && own.deadline == deadline);
                if !stays || !decisions.held.contains_key(&deployment.update) {
                    continue;
                }
            }
            let placed = Placed { action, deadline, by: deployment.by.clone(), at: deployment.decided };
            target.insert((deployment.update, deployment.group), placed);
        }
    }
    // What is missing in a complete list may never have been the upstream's, and then nobody withdrew it.
    let mark = if wanted.complete { Mark::passing(change) } else { Mark::decided(change) };
    put_approvals(decisions, target, mark, stamp, &mut adopted)?;

    let mut declined = BTreeMap::new();
    for &update in &wanted.declined {
        // No server tells when it declined something; it is as of the synchronization that brought it. Nothing here is
        // compared with that: a replica takes in no packages, and its own decisions come back as they were. In a package
        // of its own it is later than it was, and undoes what was decided elsewhere in between (docs/hierarchies.md): an
        // earlier time would let what is older than the decline stand.
        let there = decisions.declined.get(&update).copied();
        if there.is_some() || subject(decisions, update)?.is_some_and(|subject| decidable(&subject)) {
            declined.insert(update, there.unwrap_or(Decline::by_hand(change)));
        }
    }
    put_declines(decisions, &declined, mark, change, &mut adopted);
    for update in decisions.held.keys().copied().collect::<Vec<_>>() {
        decisions.settle(update, change);
    }
    for update in turned {
        let stays = |approval: &Approval| approval.action.deploys() && approval.changed != change.anchor;
        adopted.turned += u64::from(decisions.approvals.of(update).any(stays));
        decisions.renew(update, stamp)?;
    }
    Ok(adopted)
}

/// Which revision of each deployed update the upstream serves, and whether it has it installed. An upstream that
/// names several is about to put the newest of them in service.
fn serving(decisions: &Decisions, wanted: &UpstreamDecisions) -> BTreeMap<UpdateId, (RevisionNumber, bool)> {
    let mut serving: BTreeMap<UpdateId, (RevisionNumber, bool)> = BTreeMap::new();
    for deployment in &wanted.deployments {
        let counts = deployment.action.deploys()
            && !wanted.declined.contains(&deployment.update)
            && decisions.groups.get(deployment.group).is_some();
        if counts {
            let (newest, installs) = serving.entry(deployment.update).or_insert((deployment.revision, false));
            *newest = deployment.revision.max(*newest);
            *installs |= deployment.action.installs();
        }
    }
    serving
}

/// Whether it can be decided about by itself.
fn decidable(subject: &Subject) -> bool {
    subject.bundled_by.is_none() && !matches!(subject.kind, UpdateKind::Category | UpdateKind::Detectoid)
}

/// An approval as it was made elsewhere, or before.
pub(super) struct Placed {
    pub(super) action: ApprovalAction,
    pub(super) deadline: Option<Timestamp>,
    pub(super) by: String,
    /// When; `None` is now, or what is known of it here.
    pub(super) at: Option<Timestamp>,
}

/// Makes the approvals these. What is the same keeps its deployment; what is gone leaves a mark.
pub(super) fn put_approvals(
    decisions: &mut Decisions,
    target: BTreeMap<(UpdateId, GroupId), Placed>,
    gone: Mark,
    stamp: &mut Stamp,
    adopted: &mut Adopted,
) -> Result<(), ApprovalError> {
    let change = stamp.change;
    let stale: Vec<_> =
        decisions.approvals.keys().filter(|key| !target.contains_key(*key)).copied().collect();
    for key in stale {
        decisions.approvals.remove(&key);
        decisions.withdrawn.insert(key, gone);
        adopted.withdrawn += 1;
    }
    for (key, placed) in target {
        let own = decisions.approvals.get(&key).cloned();
        // What was told of this upstream before.
        let told = gone.decided.is_some();
        if let Some(own) = own.filter(|a| a.action == placed.action && a.deadline == placed.deadline) {
            if let Some(at) = placed.at {
                let changed_at = if told { at.max(own.changed_at) } else { at };
                decisions.approvals.insert(Approval { changed_at, by: placed.by, ..own })?;
            }
            continue;
        }
        let (update, group) = key;
        // An upstream does not say when it declined or withdrew something, so that is dated when it was heard of. What it
        // approved since may have been decided before this server heard, or its clock be behind; it is later all the same.
        let withdrawn = decisions.withdrawn.get(&key).and_then(|mark| mark.decided);
        let heard = withdrawn.max(decisions.declined.get(&update).map(|own| own.decided));
        let heard = heard.filter(|_| told).map(next);
        let at = placed.at.unwrap_or(change.at);
        decisions.approvals.insert(Approval {
            update,
            group,
            action: placed.action,
            deadline: placed.deadline,
            deployment: stamp.deployment()?,
            changed: change.anchor,
            changed_at: heard.map_or(at, |heard| heard.max(at)),
            by: placed.by,
        })?;
        decisions.withdrawn.remove(&key);
        adopted.approved += 1;
    }
    Ok(())
}

/// Makes the declined updates these, each since its time. What is no longer declined leaves a mark.
pub(super) fn put_declines(
    decisions: &mut Decisions,
    wanted: &BTreeMap<UpdateId, Decline>,
    gone: Mark,
    change: Change,
    adopted: &mut Adopted,
) {
    let stale: Vec<UpdateId> =
        decisions.declined.keys().filter(|update| !wanted.contains_key(*update)).copied().collect();
    for update in stale {
        decisions.declined.remove(&update);
        decisions.restored.insert(update, gone);
        adopted.restored += 1;
    }
    for (&update, &decline) in wanted {
        // That it is not approved for some group may be said of a declined update too.
        debug_assert!(decisions.approvals.of(update).all(|approval| !approval.action.deploys()));
        let anchor = match decisions.declined.get(&update) {
            Some(own) => own.anchor,
            None => {
                adopted.declined += 1;
                change.anchor
            }
        };
        decisions.restored.remove(&update);
        decisions.declined.insert(update, Decline { anchor, ..decline });
    }
}

/// Makes the group tree this one. A group that cannot be part of one tree is left out, and with it
/// its approvals; everything else must not wait for it.
pub(super) fn put_groups(decisions: &mut Decisions, wanted: &[Group], change: Change, adopted: &mut Adopted) {
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
                adopted.skipped.push(format!("the group `{}`: {error}", group.name));
            }
        }
    }
    for group in waiting {
        let reason = "the group it is nested in is missing";
        adopted.skipped.push(format!("the group `{}`: {reason}", group.name));
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
#[path = "adopt_tests.rs"]
mod tests;
