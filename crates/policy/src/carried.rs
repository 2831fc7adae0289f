//! Policy: decisions carried between servers that cannot reach each other. Each has its time; what was
//! decided last about an update and a group counts, wherever it was decided, so that carrying the same
//! decisions twice changes nothing and an older file takes nothing back.

mod groups;
mod holds;
mod known;

pub use known::{Known, KnownRevision};

use crate::approvals::{ApprovalAction, Change, Decline, Mark, Order, Stamp};
use crate::decisions::{Decisions, Subject};
use crate::groups::Group;
use crate::licences::EulaId;
use crate::refusals::ApprovalError;
use crate::succession::{Hold, HoldReason};
use groups::Became;
use known::Fits;
use sluicegate_terms::{GroupId, RevisionNumber, Timestamp, UpdateId};
use std::collections::{BTreeMap, BTreeSet};

/// Most sentences about what could not be taken in.
const MOST_SENTENCES: usize = 100;

/// An approval under way between servers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CarriedApproval {
    /// Which update.
    pub update: UpdateId,
    /// For which group.
    pub group: GroupId,
    /// What is decided.
    pub action: ApprovalAction,
    /// By when agents are to have done it.
    pub deadline: Option<Timestamp>,
    /// Who decided.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What one server decided, as another can take it in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CarriedDecisions {
    /// The groups, without the two that every server has.
    pub groups: Vec<Group>,
    /// Accepted licence terms: by whom and when.
    pub accepted: BTreeMap<EulaId, (String, Timestamp)>,
    /// Declined updates, and since when.
    pub declined: BTreeMap<UpdateId, Timestamp>,
    /// Those of them that nobody decided about.
    pub automatic: BTreeSet<UpdateId>,
    /// Updates that were declined once and are no longer, and since when.
    pub restored: BTreeMap<UpdateId, Timestamp>,
    /// Approvals that were taken away, and since when.
    pub withdrawn: BTreeMap<(UpdateId, GroupId), Timestamp>,
    /// The approvals.
    pub approvals: Vec<CarriedApproval>,
    /// Updates whose newest revision waits: which one serves meanwhile, and why.
    pub held: BTreeMap<UpdateId, (RevisionNumber, HoldReason)>,
}

/// What taking them in changed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TakenIn {
    /// Groups made, renamed or moved.
    pub groups: u64,
    /// Licence terms accepted.
    pub accepted: u64,
    /// Approvals that are new or different.
    pub approved: u64,
    /// Approvals that are gone.
    pub withdrawn: u64,
    /// Updates that are declined now and were not, or that somebody declined now and nobody had.
    pub declined: u64,
    /// Updates that were declined and are no longer.
    pub restored: u64,
    /// Updates whose newest revision waits now.
    pub held: u64,
    /// Decisions left aside because a later one was made here.
    pub older: u64,
    /// Decisions that could not be taken in.
    pub skipped: u64,
    /// Why; at most a hundred sentences.
    pub reasons: Vec<String>,
    /// Groups that were here and have another name or place now, as sentences; at most a hundred.
    pub regrouped: Vec<String>,
    /// The names of groups that are here and not among the carried ones: made here, or deleted there since.
    pub unlisted: Vec<String>,
}

impl TakenIn {
    fn skip(&mut self, reason: impl FnOnce() -> String) {
        self.skipped += 1;
        if self.reasons.len() < MOST_SENTENCES {
            self.reasons.push(reason());
        }
    }

    fn regroup(&mut self, became: Became) {
        self.groups += u64::from(became != Became::AsItWas);
        if let Became::Different(sentence) = became
            && self.regrouped.len() < MOST_SENTENCES
        {
            self.regrouped.push(sentence);
        }
    }
}

/// What is looked up while decisions are taken in.
struct Taking<'a> {
    carried: &'a CarriedDecisions,
    /// Which group each of the carried ones is here.
    groups: BTreeMap<GroupId, GroupId>,
    /// Updates that were approved here before, and when that was decided last: which of the revisions that were here
    /// then the approvals are for is settled.
    settled: BTreeMap<UpdateId, Timestamp>,
}

impl Decisions {
    /// Everything decided here, to be carried elsewhere. Rules and options are settings and stay.
    #[must_use]
    pub fn to_carry(&self) -> CarriedDecisions {
        CarriedDecisions {
            groups: self.groups.iter().filter(|g| !built_in(g.id)).cloned().collect(),
            accepted: self.accepted.iter().map(|(id, a)| (*id, (a.by.clone(), a.change.at))).collect(),
            // What expired while nothing was decided about it is judged wherever the revision comes.
            declined: (self.declined.iter().map(|(update, own)| (*update, own.decided)))
                .filter(|(_, at)| *at > Timestamp::MIN)
                .collect(),
            automatic: (self
                .declined
                .iter()
                .filter(|(_, own)| own.automatic && own.decided > Timestamp::MIN))
            .map(|(update, _)| *update)
            .collect(),
            restored: decided(&self.restored),
            withdrawn: decided(&self.withdrawn),
            approvals: self
                .approvals
                .values()
                .map(|a| CarriedApproval {
                    update: a.update,
                    group: a.group,
                    action: a.action,
                    deadline: a.deadline,
                    by: a.by.clone(),
                    at: a.changed_at,
                })
                .collect(),
            held: self.held.iter().map(|(update, hold)| (*update, (hold.serving, hold.reason))).collect(),
        }
    }

    /// Takes in what another server decided. Groups become what they are there; of each other decision the
    /// later one counts, and what filters and rules decided here as an update came counts as earlier. What is taken in keeps its own time and gets the anchor of `stamp`. `known` tells
    /// about an update as the decisions given with it let it be seen, `None` when this server does not have it.
    ///
    /// # Errors
    /// What `known` gives, or that no deployment id is left; everything else is left out and said.
    pub fn take_in<E: From<ApprovalError>>(
        &mut self,
        carried: &CarriedDecisions,
        mut known: impl FnMut(&Self, UpdateId) -> Result<Option<Known>, E>,
        stamp: &mut Stamp,
    ) -> Result<TakenIn, E> {
        let mut taken = TakenIn::default();
        let groups = self.take_groups(&carried.groups, stamp.change, &mut taken);
        self.yield_to(carried, &mut known)?;
        let mut settled: BTreeMap<UpdateId, Timestamp> = BTreeMap::new();
        for own in self.approvals.values() {
            let decided = settled.entry(own.update).or_insert(own.changed_at);
            *decided = own.changed_at.max(*decided);
        }
        let taking = Taking { carried, groups, settled };
        for (eula, (by, at)) in &carried.accepted {
            if !self.accepted.contains_key(eula) {
                let mut own = dated(stamp, *at);
                self.accept_eula(*eula, by.clone(), &mut own)?;
                *stamp = Stamp::new(stamp.change, own.next_deployment());
                taken.accepted += 1;
            }
        }
        self.take_restored(carried, &mut known, stamp.change, &mut taken)?;
        // One order may rest on another that was given before.
        let mut approvals: Vec<&CarriedApproval> = carried.approvals.iter().collect();
        approvals.sort_by_key(|approval| approval.at);
        // Which updates are members of bundles, and can be decided about only with them, depends on the revisions
        // in service: those first that are not the newest.
        for waits in [true, false] {
            if !waits {
                self.take_declines(carried, &mut known, stamp.change, &mut taken)?;
            }
            for (&(update, group), &at) in &carried.withdrawn {
                if carried.held.contains_key(&update) == waits {
                    let change = Change { at, ..stamp.change };
                    self.take_withdrawal((update, group), &taking, &mut known, change, &mut taken)?;
                }
            }
            for &approval in &approvals {
                if carried.held.contains_key(&approval.update) == waits {
                    self.take_approval(approval, &taking, &mut known, stamp, &mut taken)?;
                }
            }
            if waits {
                self.take_holds(&taking, &mut known, stamp, &mut taken)?;
            }
        }
        Ok(taken)
    }

    fn take_approval<E: From<ApprovalError>>(
        &mut self,
        approval: &CarriedApproval,
        taking: &Taking<'_>,
        mut known: impl FnMut(&Self, UpdateId) -> Result<Option<Known>, E>,
        stamp: &mut Stamp,
        taken: &mut TakenIn,
    ) -> Result<(), E> {
        let update = approval.update;
        let Some(&group) = taking.groups.get(&approval.group) else {
            let group = approval.group;
            taken.skip(|| format!("an approval of {update} is for the group {group}, which is not carried"));
            return Ok(());
        };
        if let Some(own) = self.last_decided(update, group)
            && own >= approval.at
        {
            let same = self.approvals.get(&(update, group)).is_some_and(|own| own.changed_at == approval.at);
            taken.older += u64::from(!same);
            return Ok(());
        }
        let Some(known) = known(self, update)? else {
            taken.skip(|| format!("{update} is approved there and not in the catalog here"));
            return Ok(());
        };
        // What expires is declined here, whether it was approved before or not.
        if known.subject.expired && approval.action.installs() && self.options.decline_expired {
            taken.skip(|| ApprovalError::Expired(update).to_string());
            return Ok(());
        }
        // Where the newest revision waits, here or there, the order is for the one that serves.
        let CarriedApproval { action, deadline, .. } = *approval;
        let order = Order { group, action, deadline, by: approval.by.clone() };
        // What waits here for a review has been looked at only by whoever decided since, and by nobody where it waits
        // too.
        let waits_there =
            taking.carried.held.get(&update).is_some_and(|(serving, _)| known.can_wait_behind(*serving));
        let lifts = !waits_there
            && (self.held.get(&update))
                .is_none_or(|hold| hold.reason != HoldReason::Review || hold.since.at < approval.at);
        // The one that serves: not the one that the order takes out of service.
        let lifted = lifts && action.deploys() && self.may_serve(&known.subject, &order);
        let serving = match self.held.get(&update) {
            Some(hold) => Some(hold.serving).filter(|_| !lifted),
            None => taking.hold(self, &known).map(|(serving, _)| serving),
        };
        let fits = match taking.fit(self, &known, serving, &order) {
            Ok(fits) => fits,
            Err(reason) => {
                taken.skip(|| reason);
                return Ok(());
            }
        };
        let waits_now = match fits {
            Fits::AsItIs => None,
            Fits::Behind(serving, reason) => Some((serving, reason)),
        };
        let eula = known.subject.eula.filter(|_| serving.is_none() && waits_now.is_none());
        // It was approved before it expired, and where the order was possible.
        let subject = Subject { eula, expired: false, removable: true, may_ask: false, ..known.subject };
        let mut own = dated(stamp, approval.at);
        match self.place(&subject, order, lifts.then_some(&known.subject), &mut own) {
            Ok(_) => {
                taken.approved += 1;
                if let Some((serving, reason)) = waits_now {
                    let since = Change { at: approval.at, ..stamp.change };
                    self.wait_behind(update, Hold { serving, reason, since }, &mut own)?;
                    taken.held += 1;
                }
            }
            Err(error @ ApprovalError::DeploymentIdsExhausted) => return Err(error.into()),
            Err(error) => taken.skip(|| error.to_string()),
        }
        *stamp = Stamp::new(stamp.change, own.next_deployment());
        Ok(())
    }

    fn take_withdrawal<E>(
        &mut self,
        (update, group): (UpdateId, GroupId),
        taking: &Taking<'_>,
        mut known: impl FnMut(&Self, UpdateId) -> Result<Option<Known>, E>,
        change: Change,
        taken: &mut TakenIn,
    ) -> Result<(), E> {
        let Some(&here) = taking.groups.get(&group) else {
            taken.skip(|| {
                format!("the withdrawal of {update} is for the group {group}, which is not carried")
            });
            return Ok(());
        };
        let key = (update, here);
        if let Some(own) = self.approvals.get(&key) {
            if own.changed_at < change.at {
                self.withdraw(update, here, change);
                self.settle(update, change);
                taken.withdrawn += 1;
            } else {
                taken.older += 1;
            }
        } else if self.withdrawn.get(&key).and_then(|own| own.decided) < Some(change.at) {
            if known(self, update)?.is_none() {
                taken.skip(|| format!("{update} is no longer approved there and not in the catalog here"));
                return Ok(());
            }
            // Remembered, so that an older file does not bring the approval back.
            self.withdrawn.insert(key, Mark::decided(change));
        }
        Ok(())
    }

    fn take_restored<E>(
        &mut self,
        carried: &CarriedDecisions,
        mut known: impl FnMut(&Self, UpdateId) -> Result<Option<Known>, E>,
        change: Change,
        taken: &mut TakenIn,
    ) -> Result<(), E> {
        for (&update, &at) in &carried.restored {
            let mark = Mark::decided(Change { at, ..change });
            match self.declined.get(&update) {
                // What expired stays declined here; an order to remove it is what takes that back.
                Some(own)
                    if own.automatic
                        && self.options.decline_expired
                        && known(self, update)?.is_some_and(|known| known.subject.expired) => {}
                Some(own) if own.decided < at => {
                    self.declined.remove(&update);
                    self.restored.insert(update, mark);
                    taken.restored += 1;
                }
                Some(_) => taken.older += 1,
                None if self.restored.get(&update).and_then(|own| own.decided) < Some(at) => {
                    if known(self, update)?.is_some() {
                        self.restored.insert(update, mark);
                    } else {
                        taken.skip(|| {
                            format!("{update} is no longer declined there and not in the catalog here")
                        });
                    }
                }
                None => {}
            }
        }
        Ok(())
    }

    fn take_declines<E>(
        &mut self,
        carried: &CarriedDecisions,
        mut known: impl FnMut(&Self, UpdateId) -> Result<Option<Known>, E>,
        change: Change,
        taken: &mut TakenIn,
    ) -> Result<(), E> {
        for (&update, &at) in &carried.declined {
            let restored = self.restored.get(&update).and_then(|own| own.decided);
            let approved = self.approvals.of(update).map(|own| own.changed_at).max();
            let automatic = carried.automatic.contains(&update);
            if let Some(own) = self.declined.get_mut(&update) {
                // Both say so; what somebody decided about it is later than the last of it.
                if own.automatic && !automatic {
                    *own = Decline { decided: at.max(own.decided), automatic, ..*own };
                    taken.declined += 1;
                }
                continue;
            }
            if restored.max(approved).is_some_and(|own| own >= at) {
                taken.older += 1;
                continue;
            }
            let Some(known) = known(self, update)? else {
                taken.skip(|| format!("{update} is declined there and not in the catalog here"));
                continue;
            };
            match self.decline(&known.subject, Change { at, ..change }) {
                Ok(()) => {
                    taken.declined += 1;
                    if let Some(own) = self.declined.get_mut(&update).filter(|_| automatic) {
                        *own = Decline { at: change.at, automatic, ..*own };
                    }
                }
                Err(error) => taken.skip(|| error.to_string()),
            }
        }
        Ok(())
    }
}

/// When somebody here decided so; what nobody did is not carried.
fn decided<K: Ord + Copy>(marks: &BTreeMap<K, Mark>) -> BTreeMap<K, Timestamp> {
    marks.iter().filter_map(|(key, mark)| Some((*key, mark.decided?))).collect()
}

fn built_in(id: GroupId) -> bool {
    id == GroupId::ALL_COMPUTERS || id == GroupId::UNASSIGNED_COMPUTERS
}

/// The stamp of a change at another time.
fn dated(stamp: &Stamp, at: Timestamp) -> Stamp {
    Stamp::new(Change { at, ..stamp.change }, stamp.next_deployment())
}

#[cfg(test)]
mod expired_tests;
#[cfg(test)]
#[path = "carried_tests.rs"]
mod tests;
