//! The model below an upstream: what a synchronization brings, what a replica takes over, and changes of the mode.

use super::model::{Approval, Aside, Model, Revision, Why};
use super::steps::MEMBER;
use sluicegate_policy::ApprovalAction::{self, NotApproved, Uninstall};
use std::collections::{BTreeMap, BTreeSet};

impl Model {
    /// Everything the upstream lists comes, but what is here and what cleanup removed; then what that needs.
    pub(crate) fn synchronize(&mut self, not_yet: usize) {
        let listed = self.published.len() - not_yet.min(self.published.len());
        let here = |model: &Self, update, number| {
            model.updates.get(&update).is_some_and(|list| list.iter().any(|r| r.number == number))
        };
        let missing: Vec<Revision> = self.published[..listed]
            .iter()
            .filter(|r| !here(self, r.update, r.number) && !self.removed.contains(&(r.update, r.number)))
            .cloned()
            .collect();
        let comes = |number| missing.iter().any(|r| r.update == MEMBER && r.number == number);
        let (ready, waiting): (Vec<_>, Vec<_>) = missing
            .iter()
            .cloned()
            .partition(|r| r.member.is_none_or(|number| here(self, MEMBER, number) || comes(number)));
        self.arrive(ready);
        let mut needed: BTreeSet<usize> = waiting.iter().filter_map(|r| r.member).collect();
        if needed.is_empty() {
            return;
        }
        if !self.updates.contains_key(&MEMBER) {
            // It comes back as the newest that was here, not only as the old revision that is named.
            needed.extend(self.removed.iter().filter(|(u, _)| *u == MEMBER).map(|(_, number)| *number).max());
        }
        let members = self.published.iter().filter(|r| r.update == MEMBER && needed.contains(&r.number));
        self.arrive(members.cloned().chain(waiting).collect());
    }

    pub(crate) fn accept(&mut self, terms: u128) {
        if !self.accepted.insert(terms) {
            return;
        }
        let waiting = self.held.iter().filter(|(_, (_, why))| *why == Why::Eula(terms));
        for update in waiting.map(|(update, _)| *update).collect::<Vec<_>>() {
            if self.waits_for_review {
                self.held.get_mut(&update).unwrap().1 = Why::Review;
            } else {
                self.put_in_service(update);
            }
        }
    }

    /// Decisions made elsewhere take the place of those that are here.
    pub(crate) fn adopt(
        &mut self,
        groups: BTreeMap<u128, u128>,
        deployments: &BTreeMap<(u128, u128), (ApprovalAction, usize)>,
        declined: &BTreeSet<u128>,
    ) {
        self.groups = groups;
        let mut missing = BTreeMap::new();
        self.held = self.held_above(deployments, declined, &mut missing);
        let mut awaited = self.removed_above(deployments, declined);
        self.ahead = self.ahead_above(deployments, declined);
        let fits = |update: u128| self.updates.contains_key(&update) && !self.is_member(update);
        let mut approvals = BTreeMap::new();
        for ((update, group), (action, _)) in deployments {
            let hidden = declined.contains(update) && *action != NotApproved;
            if hidden || !self.exists(*group) || !fits(*update) {
                continue;
            }
            let new = Approval { action: *action, deadline: None, at: self.now };
            let old = self.approvals.get(&(*update, *group));
            let same = old.filter(|old| (old.action, old.deadline) == (*action, None));
            if let Some(number) = missing.get(update).filter(|_| *action != NotApproved) {
                awaited.insert(*update, *number);
                // What is served goes on, and nothing newer takes the place of what is awaited.
                if same.is_none() || !self.held.contains_key(update) {
                    continue;
                }
            }
            approvals.insert((*update, *group), same.copied().unwrap_or(new));
        }
        let mut now_declined = self.declined.clone();
        now_declined.retain(|update, _| declined.contains(update));
        for update in declined.iter().filter(|update| fits(**update)) {
            now_declined.entry(*update).or_insert(self.now);
        }
        (self.approvals, self.awaited) = (approvals, awaited);
        self.declined = now_declined;
        self.settle();
    }

    /// What the upstream holds back of what is here. What it serves and is not here goes to `missing`.
    fn held_above(
        &self,
        deployments: &BTreeMap<(u128, u128), (ApprovalAction, usize)>,
        declined: &BTreeSet<u128>,
        missing: &mut BTreeMap<u128, usize>,
    ) -> BTreeMap<u128, (usize, Why)> {
        let mut held = BTreeMap::new();
        for (update, revisions) in &self.updates {
            let counts = |((u, g), (action, _)): &(&(u128, u128), &(ApprovalAction, usize))| {
                u == update && self.exists(*g) && *action != NotApproved
            };
            let told: Vec<_> = deployments.iter().filter(counts).map(|(_, told)| *told).collect();
            let newest = revisions.last().unwrap();
            let Some(serving) = told.iter().map(|(_, number)| *number).max() else { continue };
            if serving >= newest.number || declined.contains(update) {
                continue;
            }
            if !revisions.iter().any(|r| r.number == serving) {
                missing.insert(*update, serving);
                held.extend(self.held.get(update).filter(|own| own.0 < serving).map(|own| (*update, *own)));
            } else {
                let installs = told.iter().any(|(action, _)| *action != Uninstall);
                let terms = newest.eula.filter(|terms| installs && !self.accepted.contains(terms));
                held.insert(*update, (serving, terms.map_or(Why::Review, Why::Eula)));
            }
        }
        held
    }

    /// What the upstream serves and cleanup removed here.
    fn removed_above(
        &self,
        deployments: &BTreeMap<(u128, u128), (ApprovalAction, usize)>,
        declined: &BTreeSet<u128>,
    ) -> BTreeMap<u128, usize> {
        let mut served = self.served_above(deployments, declined);
        let gone = |update: u128| self.removed.range((update, 0)..=(update, usize::MAX)).next().is_some();
        served.retain(|update, number| match self.newest(*update) {
            None => gone(*update),
            Some(newest) => {
                newest.number < *number
                    && self.removed.contains(&(*update, *number))
                    && !self.is_member(*update)
            }
        });
        served
    }

    /// What the upstream serves and has not come here, while something older of the update has.
    fn ahead_above(
        &self,
        deployments: &BTreeMap<(u128, u128), (ApprovalAction, usize)>,
        declined: &BTreeSet<u128>,
    ) -> BTreeMap<u128, usize> {
        let mut served = self.served_above(deployments, declined);
        served.retain(|update, number| {
            self.newest(*update).is_some_and(|newest| newest.number < *number)
                && !self.removed.contains(&(*update, *number))
                && !self.is_member(*update)
        });
        served
    }

    /// The newest revision that the upstream says it serves of each update that it deploys.
    fn served_above(
        &self,
        deployments: &BTreeMap<(u128, u128), (ApprovalAction, usize)>,
        declined: &BTreeSet<u128>,
    ) -> BTreeMap<u128, usize> {
        let mut served: BTreeMap<u128, usize> = BTreeMap::new();
        for ((update, group), (action, number)) in deployments {
            if *action != NotApproved && self.exists(*group) && !declined.contains(update) {
                let newest = served.entry(*update).or_default();
                *newest = (*newest).max(*number);
            }
        }
        served
    }

    /// What was put aside is as it was, but for the revisions that came meanwhile: they come now.
    fn bring_back(&mut self, back: Aside) {
        let here = |update: &u128| self.updates.contains_key(update);
        (self.groups, self.names) = (back.groups, back.names);
        (self.approvals, self.held) = (back.approvals, back.held);
        self.declined = back.declined.into_iter().filter(|(update, _)| here(update)).collect();
        self.automatic = back.automatic;
        let approved: BTreeSet<u128> = self.approvals.keys().map(|(update, _)| *update).collect();
        let mut updates: Vec<u128> = self.updates.keys().copied().collect();
        // Who is a member shows once it is settled which revision of the bundle serves.
        updates.sort_by_key(|update| *update == MEMBER);
        for update in updates {
            let newest = self.newest(update).unwrap().clone();
            if !approved.contains(&update) {
                if newest.expired && newest.came > back.since && !newest.first {
                    self.succeed(&newest, 0);
                }
                continue;
            }
            let before = back.newest[&update];
            if newest.number > before {
                self.succeed(&newest, before);
            } else if let Some((_, Why::Eula(terms))) = self.held.get(&update)
                && self.accepted.contains(terms)
            {
                if self.waits_for_review || self.replica {
                    self.held.get_mut(&update).unwrap().1 = Why::Review;
                } else {
                    self.held.remove(&update);
                }
            }
        }
    }

    pub(crate) fn switch(&mut self, replica: bool) {
        if replica == self.replica {
            return;
        }
        self.replica = replica;
        self.parent.clear();
        let aside = Aside {
            groups: self.groups.clone(),
            names: self.names.clone(),
            approvals: self.approvals.clone(),
            declined: self.declined.clone(),
            automatic: self.automatic.clone(),
            held: self.held.clone(),
            newest: self
                .updates
                .keys()
                .map(|update| (*update, self.newest(*update).unwrap().number))
                .collect(),
            since: self.now,
        };
        if let Some(back) = self.aside.replace(aside) {
            self.bring_back(back);
        }
    }
}
