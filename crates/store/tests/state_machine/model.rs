//! The model: what a store and its scans have to be, written as plainly as it can be said. Shares nothing
//! with policy, store and scan but the words for actions.

use super::steps::{ALL, BUNDLE, MEMBER, Step};
use sluicegate_policy::ApprovalAction::{self, Install, NotApproved, Uninstall};
use std::collections::{BTreeMap, BTreeSet};

/// One revision of an update.
#[derive(Clone, Debug)]
pub(crate) struct Revision {
    pub(crate) expired: bool,
    pub(crate) eula: Option<u128>,
    pub(crate) bundles_member: bool,
}

/// Why a revision waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    Review,
    Eula(u128),
}

/// What an agent is to be told about an update: revision number, action on the wire, assigned, deadline.
pub(crate) type Told = (usize, &'static str, bool, Option<i64>);

#[derive(Clone, Debug)]
pub(crate) struct Model {
    /// By update: its revisions, the first with number 1.
    pub(crate) updates: BTreeMap<u128, Vec<Revision>>,
    /// By group: its parent. All Computers is not listed.
    pub(crate) groups: BTreeMap<u128, u128>,
    pub(crate) approvals: BTreeMap<(u128, u128), (ApprovalAction, Option<i64>)>,
    pub(crate) declined: BTreeSet<u128>,
    pub(crate) held: BTreeMap<u128, (usize, Why)>,
    pub(crate) accepted: BTreeSet<u128>,
    pub(crate) follow: bool,
    pub(crate) decline_expired: bool,
    pub(crate) rule_enabled: bool,
}

impl Model {
    pub(crate) fn new() -> Self {
        Self {
            updates: BTreeMap::new(),
            groups: BTreeMap::new(),
            approvals: BTreeMap::new(),
            declined: BTreeSet::new(),
            held: BTreeMap::new(),
            accepted: BTreeSet::new(),
            follow: true,
            decline_expired: true,
            rule_enabled: false,
        }
    }

    fn newest(&self, update: u128) -> Option<&Revision> {
        self.updates.get(&update)?.last()
    }

    /// The revision in service: number and facts.
    fn live(&self, update: u128) -> Option<(usize, &Revision)> {
        let revisions = self.updates.get(&update)?;
        let number = self.held.get(&update).map_or(revisions.len(), |(serving, _)| *serving);
        Some((number, &revisions[number - 1]))
    }

    fn is_member(&self, update: u128) -> bool {
        update == MEMBER && self.live(BUNDLE).is_some_and(|(_, bundle)| bundle.bundles_member)
    }

    fn any(&self, update: u128, wanted: impl Fn(ApprovalAction) -> bool) -> bool {
        self.approvals.iter().any(|((u, _), (action, _))| *u == update && wanted(*action))
    }

    fn exists(&self, group: u128) -> bool {
        group == ALL || self.groups.contains_key(&group)
    }

    /// A group and those above it.
    fn path(&self, group: u128) -> Vec<u128> {
        let mut path = vec![group];
        while let Some(parent) = self.groups.get(path.last().unwrap()) {
            path.push(*parent);
        }
        path
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
        self.approvals.insert((update, group), (action, deadline));
        if action != NotApproved {
            self.declined.remove(&update);
            let terms = self.newest(update).and_then(|newest| newest.eula);
            if terms.is_none_or(|terms| self.accepted.contains(&terms)) {
                self.held.remove(&update);
            }
        }
        self.settle();
        true
    }

    /// Nothing waits where nothing is deployed.
    fn settle(&mut self) {
        let deployed: BTreeSet<u128> =
            self.approvals.iter().filter(|(_, (a, _))| *a != NotApproved).map(|((u, _), _)| *u).collect();
        self.held.retain(|update, _| deployed.contains(update));
    }

    fn decline(&mut self, update: u128) {
        self.approvals.retain(|(u, _), _| *u != update);
        self.settle();
        self.declined.insert(update);
    }

    fn import(&mut self, update: u128, revision: Revision) {
        let before = self.updates.get(&update).map_or(0, Vec::len);
        let Revision { expired, eula, .. } = revision;
        self.updates.entry(update).or_default().push(revision);
        if before == 0 {
            if self.rule_enabled && update.is_multiple_of(2) {
                self.approve(update, ALL, Install, None);
            }
        } else if self.declined.contains(&update) {
        } else if expired {
            if self.decline_expired && !self.any(update, |action| action == Uninstall) {
                self.decline(update);
            } else {
                self.held.remove(&update);
            }
        } else if self.any(update, |action| action != NotApproved) {
            let installs = self.any(update, |action| !matches!(action, Uninstall | NotApproved));
            let terms = eula.filter(|terms| installs && !self.accepted.contains(terms));
            let serving = self.held.get(&update).map_or(before, |(serving, _)| *serving);
            match terms {
                Some(terms) => drop(self.held.insert(update, (serving, Why::Eula(terms)))),
                None if !self.follow => drop(self.held.insert(update, (serving, Why::Review))),
                None => drop(self.held.remove(&update)),
            }
        }
    }

    /// Does a step; answers whether it is allowed.
    pub(crate) fn take(&mut self, step: &Step) -> bool {
        match step.clone() {
            Step::Import { update, expired, eula, bundles_member } => {
                let bundles_member = bundles_member && update == BUNDLE && self.updates.contains_key(&MEMBER);
                self.import(update, Revision { expired, eula, bundles_member });
                true
            }
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
                let allowed = if above.is_some_and(|(action, _)| *action != NotApproved) {
                    self.approvals.insert((update, group), (NotApproved, None));
                    true
                } else {
                    self.approvals.remove(&(update, group)).is_some()
                };
                self.settle();
                allowed
            }
            Step::Decline { update } => {
                let allowed = self.updates.contains_key(&update)
                    && !self.is_member(update)
                    && !self.declined.contains(&update);
                if allowed {
                    self.decline(update);
                }
                allowed
            }
            Step::CreateGroup { group, parent } => {
                let allowed = !self.exists(group) && self.exists(parent);
                if allowed {
                    self.groups.insert(group, parent);
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
            Step::DeleteGroup { group } => {
                let allowed =
                    self.groups.contains_key(&group) && !self.groups.values().any(|parent| *parent == group);
                if allowed {
                    self.groups.remove(&group);
                    self.approvals.retain(|(_, g), _| *g != group);
                    self.settle();
                }
                allowed
            }
            Step::AcceptEula { update } => {
                let Some(terms) = self.newest(update).and_then(|newest| newest.eula) else { return false };
                if self.accepted.insert(terms) {
                    if self.follow {
                        self.held.retain(|_, (_, why)| *why != Why::Eula(terms));
                    }
                    let waiting = self.held.values_mut().filter(|(_, why)| *why == Why::Eula(terms));
                    waiting.for_each(|(_, why)| *why = Why::Review);
                }
                true
            }
            Step::AcceptRevision { update } => {
                let terms = self.newest(update).and_then(|newest| newest.eula);
                let allowed = self.held.contains_key(&update)
                    && terms.is_none_or(|terms| self.accepted.contains(&terms));
                if allowed {
                    self.held.remove(&update);
                }
                allowed
            }
            Step::Options { follow, decline_expired } => {
                (self.follow, self.decline_expired) = (follow, decline_expired);
                true
            }
            Step::EnableRule { enabled } => {
                self.rule_enabled = enabled;
                true
            }
            Step::RunRule => {
                let updates: Vec<u128> =
                    self.updates.keys().copied().filter(|n| n.is_multiple_of(2)).collect();
                for update in updates {
                    if !self.declined.contains(&update) && !self.approvals.contains_key(&(update, ALL)) {
                        self.approve(update, ALL, Install, None);
                    }
                }
                true
            }
            Step::Adopt { deployments, declined } => {
                let fits = |update: &u128| self.updates.contains_key(update) && !self.is_member(*update);
                let approvals = deployments
                    .into_iter()
                    .filter(|(update, group, _)| {
                        !declined.contains(update) && self.exists(*group) && fits(update)
                    })
                    .map(|(update, group, action)| ((update, group), (action, None)))
                    .collect();
                let kept = self.declined.iter().copied().filter(|update| declined.contains(update));
                self.declined = kept.chain(declined.iter().copied().filter(fits)).collect();
                self.approvals = approvals;
                self.held.clear();
                true
            }
            Step::Crash => true,
        }
    }

    /// What an agent of these groups has to hold, by update.
    pub(crate) fn expected(&self, groups: &[u128]) -> BTreeMap<u128, Told> {
        let wanted = |update: u128, revision: &Revision| {
            let gone = revision.expired && !self.any(update, |action| action == Uninstall);
            !gone && !self.declined.contains(&update)
        };
        let mut told = BTreeMap::new();
        for update in self.updates.keys() {
            let (number, revision) = self.live(*update).unwrap();
            if self.is_member(*update) {
                let (_, bundle) = self.live(BUNDLE).unwrap();
                if wanted(*update, revision) || wanted(BUNDLE, bundle) {
                    told.insert(*update, (number, "Bundle", true, None));
                }
            } else if wanted(*update, revision) {
                let (action, assigned, deadline) = self.decided(*update, revision, groups);
                told.insert(*update, (number, action, assigned, deadline));
            }
        }
        told
    }

    fn decided(
        &self,
        update: u128,
        revision: &Revision,
        groups: &[u128],
    ) -> (&'static str, bool, Option<i64>) {
        let mut here: Vec<u128> = groups.iter().copied().filter(|group| self.exists(*group)).collect();
        if here.is_empty() {
            here.push(ALL);
        }
        let nearest: Vec<(ApprovalAction, Option<i64>)> = here
            .iter()
            .filter_map(|group| self.path(*group).into_iter().find_map(|g| self.approvals.get(&(update, g))))
            .copied()
            .collect();
        for action in ApprovalAction::ALL {
            let of_action: Vec<Option<i64>> =
                nearest.iter().filter(|(a, _)| *a == action).map(|(_, deadline)| *deadline).collect();
            if of_action.is_empty() {
                continue;
            }
            let deadline = of_action.into_iter().flatten().min();
            return match action {
                Install if !revision.expired => ("Install", true, deadline),
                Uninstall => ("Uninstall", true, deadline),
                ApprovalAction::OptionalInstall if !revision.expired => ("Install", false, None),
                _ if revision.expired => ("Evaluate", true, None),
                _ => ("PreDeploymentCheck", true, None),
            };
        }
        (if revision.expired { "Evaluate" } else { "PreDeploymentCheck" }, true, None)
    }
}
