//! The model: what a store and its scans have to be, written as plainly as it can be said. Shares nothing
//! with policy, store and scan but the words for actions.

use super::steps::{ALL, BUNDLE, Draft, MEMBER, Step};
use sluicegate_policy::ApprovalAction::{self, Install, NotApproved, Uninstall};
use std::collections::{BTreeMap, BTreeSet};

/// One revision of an update.
#[derive(Clone, Debug)]
pub(crate) struct Revision {
    pub(crate) update: u128,
    pub(crate) number: usize,
    /// When it came here, in seconds.
    pub(crate) arrived: i64,
    pub(crate) expired: bool,
    pub(crate) eula: Option<u128>,
    /// The revision of [`MEMBER`] that it bundles.
    pub(crate) member: Option<usize>,
    pub(crate) supersedes: Option<u128>,
    /// Its update had no revision as it came.
    pub(crate) first: bool,
    /// When it came, whatever cleanup did to it since.
    pub(crate) came: i64,
}

/// What was decided for a group, and when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Approval {
    pub(crate) action: ApprovalAction,
    pub(crate) deadline: Option<i64>,
    pub(crate) at: i64,
}

/// What was decided in the mode the server is not in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aside {
    pub(crate) groups: BTreeMap<u128, u128>,
    pub(crate) names: BTreeMap<u128, u128>,
    pub(crate) approvals: BTreeMap<(u128, u128), Approval>,
    pub(crate) declined: BTreeMap<u128, i64>,
    pub(crate) automatic: BTreeSet<u128>,
    pub(crate) held: BTreeMap<u128, (usize, Why)>,
    /// By update: the newest revision of then.
    pub(crate) newest: BTreeMap<u128, usize>,
    /// Since when, in seconds.
    pub(crate) since: i64,
}

/// Why a revision waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    Review,
    Eula(u128),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    /// What time it is, in seconds.
    pub(crate) now: i64,
    /// Everything that was ever published, in order. What is imported by hand the upstream has too.
    pub(crate) published: Vec<Revision>,
    /// By update: the revisions that are here, the newest last.
    pub(crate) updates: BTreeMap<u128, Vec<Revision>>,
    /// Revisions that cleanup removed.
    pub(crate) removed: BTreeSet<(u128, usize)>,
    /// Revisions that are about to be removed, and since when.
    pub(crate) retiring: BTreeMap<(u128, usize), i64>,
    /// By group: its parent. All Computers is not listed.
    pub(crate) groups: BTreeMap<u128, u128>,
    /// By group: the number in its name.
    pub(crate) names: BTreeMap<u128, u128>,
    pub(crate) approvals: BTreeMap<(u128, u128), Approval>,
    /// By update: since when.
    pub(crate) declined: BTreeMap<u128, i64>,
    /// Those of them that nobody declined.
    pub(crate) automatic: BTreeSet<u128>,
    /// What cleanup removed: whether somebody had declined it, and for which groups it was not approved.
    pub(crate) refused: BTreeMap<u128, (bool, BTreeMap<u128, Approval>)>,
    pub(crate) held: BTreeMap<u128, (usize, Why)>,
    pub(crate) accepted: BTreeSet<u128>,
    pub(crate) waits_for_review: bool,
    pub(crate) keep_expired: bool,
    pub(crate) rule_enabled: bool,
    pub(crate) replica: bool,
    pub(crate) aside: Option<Aside>,
    /// What the upstream said of its deployments, by update and group: the action and the revision in service.
    pub(crate) parent: BTreeMap<(u128, u128), (ApprovalAction, usize)>,
    /// What was approved there for a revision that is not here when its decisions were last taken over, by update.
    pub(crate) awaited: BTreeMap<u128, usize>,
    /// The same where something older of the update is here, and nothing was removed.
    pub(crate) ahead: BTreeMap<u128, usize>,
}

impl Model {
    pub(crate) fn newest(&self, update: u128) -> Option<&Revision> {
        self.updates.get(&update)?.last()
    }

    /// The revision in service.
    pub(crate) fn live(&self, update: u128) -> Option<&Revision> {
        match self.held.get(&update) {
            Some((serving, _)) => self.updates.get(&update)?.iter().find(|r| r.number == *serving),
            None => self.newest(update),
        }
    }

    pub(crate) fn is_member(&self, update: u128) -> bool {
        update == MEMBER && self.live(BUNDLE).is_some_and(|bundle| bundle.member.is_some())
    }

    pub(crate) fn any(&self, update: u128, wanted: impl Fn(ApprovalAction) -> bool) -> bool {
        self.approvals.iter().any(|((u, _), a)| *u == update && wanted(a.action))
    }

    pub(crate) fn exists(&self, group: u128) -> bool {
        group == ALL || self.groups.contains_key(&group)
    }

    /// Whether a group has the name with this number.
    pub(crate) fn is_named(&self, name: u128) -> bool {
        self.names.values().any(|own| *own == name)
    }

    /// A group and those above it.
    pub(crate) fn path(&self, group: u128) -> Vec<u128> {
        let mut path = vec![group];
        while let Some(parent) = self.groups.get(path.last().unwrap()) {
            path.push(*parent);
        }
        path
    }

    /// What holds for a group: its own approval or the nearest above.
    pub(crate) fn nearest(&self, update: u128, group: u128) -> Option<Approval> {
        self.path(group).into_iter().find_map(|g| self.approvals.get(&(update, g))).copied()
    }

    fn may(&self, update: u128, group: u128, action: ApprovalAction, deadline: Option<i64>) -> bool {
        let Some(newest) = self.newest(update) else { return false };
        let installs = !matches!(action, Uninstall | NotApproved);
        self.exists(group)
            && !self.is_member(update)
            && (deadline.is_none() || matches!(action, Install | Uninstall))
            && !(installs && (newest.expired || newest.eula.is_some_and(|e| !self.accepted.contains(&e))))
    }

    fn approve(&mut self, update: u128, group: u128, action: ApprovalAction, deadline: Option<i64>) -> bool {
        if !self.may(update, group, action, deadline) {
            return false;
        }
        let terms = self.newest(update).and_then(|newest| newest.eula);
        if action != NotApproved
            && self.held.contains_key(&update)
            && terms.is_none_or(|terms| self.accepted.contains(&terms))
        {
            self.put_in_service(update);
        }
        self.approvals.insert((update, group), Approval { action, deadline, at: self.now });
        self.declined.remove(&update);
        self.settle();
        true
    }

    /// What is approved of an update holds for its newest revision; it was decided when it was.
    pub(crate) fn put_in_service(&mut self, update: u128) {
        self.held.remove(&update);
    }

    /// Nothing waits where nothing is deployed.
    pub(crate) fn settle(&mut self) {
        let deployed = self.approvals.iter().filter(|(_, a)| a.action != NotApproved);
        let deployed: BTreeSet<u128> = deployed.map(|((u, _), _)| *u).collect();
        self.held.retain(|update, _| deployed.contains(update));
    }

    pub(crate) fn decline(&mut self, update: u128) {
        self.approvals.retain(|(u, _), _| *u != update);
        self.settle();
        self.declined.insert(update, self.now);
    }

    /// That it is not approved for some group was decided.
    pub(crate) fn decline_by_itself(&mut self, update: u128) {
        let denials: Vec<_> = self
            .approvals
            .iter()
            .filter(|((u, _), own)| *u == update && own.action == NotApproved)
            .map(|(key, own)| (*key, *own))
            .collect();
        self.decline(update);
        self.approvals.extend(denials);
        self.automatic.insert(update);
    }

    /// The next revision of an update, published; `member` is what it bundles if it bundles anything.
    fn publish(&mut self, draft: Draft, member: Option<usize>) -> Revision {
        let number = self.published.iter().filter(|r| r.update == draft.update).count() + 1;
        let revision = Revision {
            update: draft.update,
            number,
            arrived: 0,
            expired: draft.expired,
            eula: draft.eula,
            member: member.filter(|_| draft.bundles_member && draft.update == BUNDLE),
            supersedes: draft.supersedes,
            first: false,
            came: 0,
        };
        self.published.push(revision.clone());
        revision
    }

    /// Revisions enter together; then the rule looks at the updates that are new.
    pub(crate) fn arrive(&mut self, revisions: Vec<Revision>) {
        let (mut new, mut newer) = (BTreeSet::new(), Vec::new());
        for revision in revisions {
            let (update, number) = (revision.update, revision.number);
            self.removed.remove(&(update, number));
            let before = self.newest(update).map(|newest| newest.number);
            let list = self.updates.entry(update).or_default();
            list.push(Revision {
                arrived: self.now,
                first: before.is_none(),
                came: self.now,
                ..revision.clone()
            });
            list.sort_by_key(|r| r.number);
            match before {
                None => drop(new.insert(update)),
                Some(before) if before < number => newer.push((revision, before)),
                Some(_) => {}
            }
        }
        // Who is a member shows once it is settled which revision of the bundle serves.
        newer.sort_by_key(|(revision, _)| revision.update == MEMBER);
        for update in &new {
            self.decline_again(*update);
        }
        for (revision, before) in newer {
            if self.revive(&revision, before) {
                new.insert(revision.update);
            } else {
                self.succeed(&revision, before);
            }
        }
        for update in new.into_iter().filter(|_| self.rule_enabled && !self.replica).collect::<Vec<_>>() {
            self.follow_rule(update);
        }
    }

    /// What somebody declined before it was removed is declined when it comes again, where its own administrators
    /// decide, or once they do; and what was not approved for a group is not.
    fn decline_again(&mut self, update: u128) {
        let Some((by_hand, mut denials)) = self.refused.remove(&update) else { return };
        let newest = self.newest(update).unwrap().number;
        let mut groups = &self.groups;
        if let Some(aside) = self.aside.as_ref().filter(|_| self.replica) {
            groups = &aside.groups;
        }
        denials.retain(|group, _| *group == ALL || groups.contains_key(group));
        let denials: Vec<_> = denials.into_iter().map(|(group, own)| ((update, group), own)).collect();
        if let Some(aside) = self.aside.as_mut().filter(|_| self.replica) {
            if by_hand {
                aside.declined.insert(update, self.now);
            }
            aside.approvals.extend(denials);
            aside.newest.insert(update, newest);
            return;
        }
        if by_hand && !self.is_member(update) {
            self.decline(update);
        }
        self.approvals.extend(denials);
    }

    /// What expired and is given again is no longer declined unless somebody declined it; where the upstream decides, as
    /// soon as its own administrators do again.
    fn revive(&mut self, revision: &Revision, before: usize) -> bool {
        let update = revision.update;
        let expired = self.updates[&update].iter().any(|old| old.number == before && old.expired);
        if revision.expired || !expired {
            return false;
        }
        if self.replica {
            if let Some(aside) = self.aside.as_mut()
                && aside.automatic.remove(&update)
            {
                aside.declined.remove(&update);
            }
            return false;
        }
        self.automatic.contains(&update) && self.declined.remove(&update).is_some()
    }

    fn follow_rule(&mut self, update: u128) {
        let decided = self.declined.contains_key(&update) || self.approvals.contains_key(&(update, ALL));
        if update.is_multiple_of(2) && !decided {
            self.approve(update, ALL, Install, None);
        }
    }

    /// What nobody has looked at yet is joined by what nobody has looked at either.
    fn held_for_review(&self, update: u128) -> bool {
        self.held.get(&update).is_some_and(|(_, why)| *why == Why::Review)
    }

    /// What becomes of decisions when a newer revision comes.
    pub(crate) fn succeed(&mut self, revision: &Revision, before: usize) {
        let update = revision.update;
        if self.declined.contains_key(&update) {
            return;
        }
        let removed = self.any(update, |action| action == Uninstall);
        if revision.expired && !self.keep_expired && !removed && !self.is_member(update) {
            self.decline_by_itself(update);
        } else if !revision.expired && self.any(update, |action| action != NotApproved) {
            let installs = self.any(update, |action| !matches!(action, Uninstall | NotApproved));
            let terms = revision.eula.filter(|terms| installs && !self.accepted.contains(terms));
            let serving = self.held.get(&update).map_or(before, |(serving, _)| *serving);
            match terms {
                Some(terms) => drop(self.held.insert(update, (serving, Why::Eula(terms)))),
                None if self.waits_for_review || self.replica || self.held_for_review(update) => {
                    self.held.insert(update, (serving, Why::Review));
                }
                None => self.put_in_service(update),
            }
        } else {
            self.put_in_service(update);
        }
    }

    /// Does a step; answers whether it is allowed.
    pub(crate) fn take(&mut self, step: &Step) -> bool {
        let allowed = self.take_step(step);
        self.automatic.retain(|update| self.declined.contains_key(update));
        allowed
    }

    fn take_step(&mut self, step: &Step) -> bool {
        match step.clone() {
            Step::Import(draft) => {
                let member = self.newest(MEMBER).map(|newest| newest.number);
                let revision = self.publish(draft, member);
                self.arrive(vec![revision]);
                true
            }
            Step::Sync { drafts, not_yet } => {
                for draft in drafts {
                    let member = self.published.iter().filter(|r| r.update == MEMBER).count();
                    self.publish(draft, (member > 0).then_some(member));
                }
                self.synchronize(not_yet);
                true
            }
            Step::Cleanup { .. } => {
                self.clean();
                true
            }
            Step::Mode { replica } => {
                self.switch(replica);
                true
            }
            Step::Adopt { deployments, dead, declined, accepted, new_group, complete, holds }
                if self.replica =>
            {
                if complete {
                    self.parent.clear();
                }
                dead.map(|key| self.parent.remove(&key));
                let mut groups = self.groups.clone();
                let new = new_group.filter(|group| !self.exists(*group) && !self.is_named(*group));
                new.map(|group| (groups.insert(group, ALL), self.names.insert(group, group)));
                // What was told once goes with its group, and with a decline.
                self.parent.retain(|(update, group), (action, _)| {
                    (*group == ALL || groups.contains_key(group))
                        && (*action == NotApproved || !declined.contains(update))
                });
                for (update, group, action) in deployments {
                    // The upstream's, which may not have come here yet.
                    let numbers = self.published.iter().filter(|r| r.update == update).map(|r| r.number);
                    let newest = numbers.max().unwrap_or(0);
                    self.parent.insert((update, group), (action, newest.saturating_sub(holds.into())));
                }
                accepted.into_iter().for_each(|terms| self.accept(terms));
                let deployments = self.parent.clone();
                self.adopt(groups, &deployments, &declined);
                true
            }
            Step::Adopt { .. } => false,
            Step::Crash => true,
            // Where nothing of it can be approved anyway there is nothing to refuse.
            Step::ApproveMany { updates, groups } if self.replica => {
                let fits =
                    |update: &u128| groups.iter().all(|group| self.may(*update, *group, Install, None));
                groups.iter().all(|group| self.exists(*group)) && !updates.iter().any(fits)
            }
            // Everything else is an administrator's, and a replica has none.
            _ if self.replica => false,
            Step::Approve { update, group, action, deadline } => {
                self.approve(update, group, action, deadline)
            }
            Step::ApproveMany { updates, groups } => {
                for update in updates {
                    if groups.iter().all(|group| self.may(update, *group, Install, None)) {
                        for group in &groups {
                            self.approve(update, *group, Install, None);
                        }
                    }
                }
                groups.iter().all(|group| self.exists(*group))
            }
            Step::Unapprove { update, group: None } => {
                let some = self.any(update, |_| true);
                self.approvals.retain(|(u, _), _| *u != update);
                self.settle();
                some
            }
            Step::Unapprove { update, group: Some(group) } => {
                if !self.exists(group) || !self.updates.contains_key(&update) {
                    return false;
                }
                let above =
                    self.path(group).into_iter().skip(1).find_map(|g| self.approvals.get(&(update, g)));
                let allowed = if above.is_some_and(|a| a.action != NotApproved) {
                    let denial = Approval { action: NotApproved, deadline: None, at: self.now };
                    self.approvals.insert((update, group), denial);
                    true
                } else {
                    self.approvals.remove(&(update, group)).is_some()
                };
                self.settle();
                allowed
            }
            Step::Decline { update } => {
                // What nobody declined can be declined.
                let confirms = self.declined.contains_key(&update);
                let allowed = self.updates.contains_key(&update)
                    && !self.is_member(update)
                    && (!confirms || self.automatic.remove(&update));
                if allowed && !confirms {
                    self.decline(update);
                }
                allowed
            }
            Step::CreateGroup { group, parent } => {
                let allowed = !self.exists(group) && self.exists(parent) && !self.is_named(group);
                if allowed {
                    self.groups.insert(group, parent);
                    self.names.insert(group, group);
                }
                allowed
            }
            Step::MoveGroup { group, parent } => {
                let allowed = self.groups.contains_key(&group)
                    && self.exists(parent)
                    && !self.path(parent).contains(&group);
                if allowed {
                    self.groups.insert(group, parent);
                }
                allowed
            }
            Step::RenameGroup { group, name } => {
                let own = self.names.get(&group).copied();
                let allowed = own.is_some_and(|own| own == name || !self.is_named(name));
                if allowed {
                    self.names.insert(group, name);
                }
                allowed
            }
            Step::DeleteGroup { group, nested } => {
                let within: Vec<u128> =
                    self.groups.keys().copied().filter(|g| self.path(*g).contains(&group)).collect();
                let allowed = self.groups.contains_key(&group) && (nested || within.len() == 1);
                if allowed {
                    let gone = |g: &u128| within.contains(g);
                    self.groups.retain(|g, _| !gone(g));
                    self.names.retain(|g, _| !gone(g));
                    self.approvals.retain(|(_, g), _| !gone(g));
                    self.refused.values_mut().for_each(|(_, denials)| denials.retain(|g, _| !gone(g)));
                    self.settle();
                }
                allowed
            }
            Step::AcceptEula { update } => {
                let Some(terms) = self.newest(update).and_then(|newest| newest.eula) else { return false };
                self.accept(terms);
                true
            }
            Step::AcceptRevision { update } => {
                let terms = self.newest(update).and_then(|newest| newest.eula);
                let allowed = self.held.contains_key(&update)
                    && terms.is_none_or(|terms| self.accepted.contains(&terms));
                if allowed {
                    self.put_in_service(update);
                    let now = self.now;
                    let deployed = self.approvals.iter_mut();
                    let deployed = deployed.filter(|((u, _), a)| *u == update && a.action != NotApproved);
                    deployed.for_each(|(_, a)| a.at = now);
                }
                allowed
            }
            Step::Options { follow, decline_expired } => {
                (self.waits_for_review, self.keep_expired) = (!follow, !decline_expired);
                true
            }
            Step::EnableRule { enabled } => {
                self.rule_enabled = enabled;
                true
            }
            Step::RunRule => {
                for update in self.updates.keys().copied().collect::<Vec<_>>() {
                    self.follow_rule(update);
                }
                true
            }
        }
    }
}
