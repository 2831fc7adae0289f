//! The model's cleanup: who is declined and who goes, as WSUS's wizard and docs/cleanup.md say it.

use super::model::{Approval, Model, Revision};
use super::steps::{ALL, BUNDLE, MEMBER};
use sluicegate_policy::ApprovalAction::{Install, NotApproved, OptionalInstall, Uninstall};
use std::collections::{BTreeMap, BTreeSet};

const DAY: i64 = 86_400;

impl Model {
    fn aged(&self, since: i64, days: i64) -> bool {
        since + days * DAY <= self.now
    }

    /// Cleanup at this time, until it finds nothing more to do.
    pub(crate) fn clean(&mut self) {
        loop {
            let before = format!("{self:?}");
            self.clean_once();
            if format!("{self:?}") == before {
                break;
            }
        }
    }

    fn clean_once(&mut self) {
        if !self.replica {
            for list in [Self::expired, Self::superseded] {
                list(self).into_iter().for_each(|update| self.decline_by_itself(update));
            }
        }
        for whole in [false, true, true] {
            let (revisions, updates) = self.removable();
            let mut marks = revisions.clone();
            for update in &updates {
                marks.extend(self.updates[update].iter().map(|r| (*update, r.number)));
            }
            self.retire(&marks);
            let due =
                |key: &(u128, usize)| self.retiring.get(key).is_some_and(|since| since + DAY <= self.now);
            let mut gone: BTreeSet<(u128, usize)> = if whole {
                let all = |update: &u128| self.updates[update].iter().map(|r| (r.update, r.number));
                let ready = updates.iter().filter(|update| all(update).all(|key| due(&key)));
                ready.flat_map(all).collect()
            } else {
                revisions.into_iter().filter(due).collect()
            };
            // A bundle that has to wait keeps what it names.
            for bundle in self.updates.get(&BUNDLE).into_iter().flatten() {
                if let Some(named) = bundle.member.filter(|_| !gone.contains(&(BUNDLE, bundle.number))) {
                    gone.retain(|(update, number)| *update != MEMBER || (!whole && *number != named));
                }
            }
            self.remove(&gone);
        }
    }

    /// Withdrawn by their publisher and approved for nobody.
    fn expired(&self) -> Vec<u128> {
        let expired = self.updates.keys().copied().filter(|update| {
            self.newest(*update).unwrap().expired
                && self.stands_alone(*update)
                && !self.any(*update, |action| action != NotApproved)
        });
        expired.collect()
    }

    /// Neither part of a bundle, as it is or as it will be, nor declined nor held.
    fn stands_alone(&self, update: u128) -> bool {
        let soon = update == MEMBER && self.newest(BUNDLE).is_some_and(|bundle| bundle.member.is_some());
        !soon
            && !self.is_member(update)
            && !self.declined.contains_key(&update)
            && !self.held.contains_key(&update)
    }

    /// Replaced by approved ones, in the days the wizard wants. No computer reports, and none is mandatory.
    fn superseded(&self) -> Vec<u128> {
        let superseded = self.updates.keys().copied().filter(|update| {
            let replacers: Vec<u128> = (self.updates.keys().copied())
                .filter(|other| {
                    let live = self.live(*other).unwrap();
                    live.supersedes == Some(*update) && !live.expired && self.any(*other, |a| a == Install)
                })
                .collect();
            let first = self.updates[update].iter().map(|r| r.arrived).min().unwrap();
            let lately = (self.approvals.iter())
                .any(|((u, _), a)| u == update && a.action != NotApproved && !self.aged(a.at, 90));
            let replaced_in = |group: u128| match self.nearest(*update, group).map(|a| a.action) {
                Some(Uninstall) => false,
                Some(Install | OptionalInstall) => {
                    let holds = |other: &u128| self.nearest(*other, group).map(|a| a.action);
                    replacers.iter().any(|other| holds(other) == Some(Install))
                }
                Some(NotApproved) | None => true,
            };
            self.stands_alone(*update)
                && !replacers.is_empty()
                && self.aged(first, 30)
                && !lately
                && self.groups.keys().copied().chain([ALL]).all(replaced_in)
        });
        superseded.collect()
    }

    /// Old revisions of updates that stay, and updates that go.
    fn removable(&self) -> (BTreeSet<(u128, usize)>, BTreeSet<u128>) {
        let mut old = BTreeSet::new();
        for (update, revisions) in &self.updates {
            let newest = revisions.last().unwrap();
            let serving = self.live(*update).unwrap().number;
            let aside = self.aside.as_ref().filter(|aside| aside.approvals.keys().any(|(u, _)| u == update));
            let mut stays = vec![newest.number, serving];
            stays.extend(aside.map(|aside| aside.newest[update]));
            stays.extend(aside.and_then(|aside| Some(aside.held.get(update)?.0)));
            if self.aged(newest.arrived, 30) {
                let others = revisions.iter().map(|r| r.number).filter(|n| !stays.contains(n));
                old.extend(others.map(|number| (*update, number)));
            }
        }
        let bundles: &[Revision] = self.updates.get(&BUNDLE).map_or(&[], Vec::as_slice);
        for bundle in
            bundles.iter().filter(|bundle| !old.contains(&(BUNDLE, bundle.number))).collect::<Vec<_>>()
        {
            bundle.member.map(|number| old.remove(&(MEMBER, number)));
        }
        let aside = |update: u128| {
            self.aside.as_ref().is_some_and(|aside| aside.approvals.keys().any(|(u, _)| *u == update))
        };
        let mut going: BTreeSet<u128> = (self.updates.keys().copied())
            .filter(|update| {
                let newest = self.newest(*update).unwrap();
                let long = match self.declined.get(update) {
                    Some(since) => {
                        self.aged(*since, 30) && (!newest.expired || self.aged(newest.arrived, 30))
                    }
                    None => newest.expired && self.aged(newest.arrived, 30),
                };
                let deployed = self.any(*update, |action| action != NotApproved);
                long && !deployed && !self.held.contains_key(update) && !aside(*update)
            })
            .collect();
        let needs = |bundle: &&Revision| bundle.member.is_some() && !old.contains(&(BUNDLE, bundle.number));
        if !going.contains(&BUNDLE) && bundles.iter().any(|bundle| needs(&bundle)) {
            going.remove(&MEMBER);
        }
        old.retain(|(update, _)| !going.contains(update));
        (old, going)
    }

    /// What is marked and may no longer go is as if it had just arrived.
    fn retire(&mut self, marks: &BTreeSet<(u128, usize)>) {
        let back: Vec<(u128, usize)> =
            self.retiring.keys().filter(|key| !marks.contains(key)).copied().collect();
        for key in back {
            self.retiring.remove(&key);
            let now = self.now;
            let list = self.updates.get_mut(&key.0).unwrap();
            list.iter_mut().filter(|r| r.number == key.1).for_each(|r| r.arrived = now);
        }
        for key in marks {
            self.retiring.entry(*key).or_insert(self.now);
        }
    }

    fn remove(&mut self, gone: &BTreeSet<(u128, usize)>) {
        for (update, number) in gone {
            self.retiring.remove(&(*update, *number));
            self.removed.insert((*update, *number));
            let list = self.updates.get_mut(update).unwrap();
            list.retain(|r| r.number != *number);
            if list.is_empty() {
                self.updates.remove(update);
                let declined = self.declined.remove(update).is_some() && !self.replica;
                let by_hand = declined && !self.automatic.remove(update);
                let own = self.approvals.iter().filter(|((u, _), _)| u == update);
                let denied: BTreeMap<u128, Approval> = match self.replica {
                    true => BTreeMap::new(),
                    false => own.map(|((_, group), own)| (*group, *own)).collect(),
                };
                let refused = by_hand || !denied.is_empty();
                self.refused.extend(refused.then_some((*update, (by_hand, denied))));
                self.approvals.retain(|(u, _), _| u != update);
                if let Some(aside) = &mut self.aside {
                    let declined = aside.declined.remove(update).is_some() && self.replica;
                    let by_hand = declined && !aside.automatic.remove(update);
                    self.refused.extend(by_hand.then(|| (*update, (true, BTreeMap::new()))));
                }
            }
        }
    }
}
