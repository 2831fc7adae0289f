//! Policy: what becomes of decisions when a new revision arrives. Approvals follow to it; or it is held
//! and the approved revision stays in service, because its licence terms are new, because what is approved would be
//! refused for it, or because the administrator wants to look first (`IUpdateServerConfiguration.AutoRefreshUpdateApprovals` of WSUS).

use crate::approvals::{Approval, ApprovalAction, Change, Denial, Mark, Stamp, next};
use crate::decisions::{Decisions, Subject};
use crate::licences::EulaId;
use crate::refusals::ApprovalError;
use sluicegate_terms::{GroupId, RevisionNumber, Timestamp, UpdateId};
use std::collections::{BTreeMap, BTreeSet};

/// What happens when a new revision arrives; both on by default, as on WSUS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SuccessionOptions {
    /// Approvals follow to the new revision; otherwise it is held for review.
    pub approvals_follow: bool,
    /// An update that a new revision lets expire is declined.
    pub decline_expired: bool,
}

impl Default for SuccessionOptions {
    fn default() -> Self {
        Self { approvals_follow: true, decline_expired: true }
    }
}

/// Why a revision is not in service although it is the newest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HoldReason {
    /// An administrator wants to see it first; of a replica, one of its upstream.
    Review,
    /// Its licence terms were not accepted yet.
    Eula(EulaId),
    /// Some group is to remove the update, and its publisher gives no way to remove this revision.
    NotRemovable,
    /// Some group has a deadline for the update, and this revision may ask the user something.
    NeedsInput,
}

/// That an older revision stays in service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hold {
    /// The revision that was approved and stays in service. Whoever removes old revisions keeps it.
    pub serving: RevisionNumber,
    /// Why.
    pub reason: HoldReason,
    /// Since when the newest revision waits.
    pub since: Change,
}

/// A revision that enters the catalog.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// Of which update.
    pub update: UpdateId,
    /// Its number.
    pub revision: RevisionNumber,
    /// The newest revision before it; `None` for an update that is new.
    pub replaces: Option<RevisionNumber>,
    /// It lets the update expire.
    pub expired: bool,
    /// What it replaces had let the update expire, and it does not: its publisher gives the update again.
    pub revives: bool,
    /// Its licence terms, if any.
    pub eula: Option<EulaId>,
    /// Whether computers can remove it again.
    pub removable: bool,
    /// Whether installing it may ask the user something.
    pub may_ask: bool,
    /// Whether a bundle in service has its update as a member.
    pub bundled: bool,
}

/// What became of the decisions about an update.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Succession {
    /// Nothing: the update is new, the revision an old one, or nobody decided anything.
    Untouched,
    /// The approvals hold for the new revision, with new deployment ids.
    Followed,
    /// The revision that was approved stays in service.
    Held(HoldReason),
    /// The update was declined because it expired.
    Declined,
    /// The update was declined although nobody decided so, and its publisher gives it again: it is as good as new.
    Revived,
}

/// An order that stands, as far as a new revision can make it impossible: action and deadline.
pub(crate) type Standing = (ApprovalAction, Option<Timestamp>);

impl Decisions {
    /// Brings decisions up to date with a revision that enters the catalog. Belongs into the transaction
    /// that lets it enter.
    ///
    /// # Errors
    /// When no deployment id is left.
    pub fn arrive(&mut self, arrival: &Arrival, stamp: &mut Stamp) -> Result<Succession, ApprovalError> {
        let update = arrival.update;
        let Some(replaces) = arrival.replaces.filter(|old| *old < arrival.revision) else {
            return Ok(Succession::Untouched);
        };
        if let Some(own) = self.declined.get(&update) {
            return Ok(match own.automatic && arrival.revives {
                true => self.revive(update, stamp.change),
                false => Succession::Untouched,
            });
        }
        let orders: Vec<Standing> = self.approvals.of(update).map(|a| (a.action, a.deadline)).collect();
        let becomes = match self.judge(arrival, &orders) {
            Succession::Followed if !arrival.expired && self.waits_for_review(update) => {
                Succession::Held(HoldReason::Review)
            }
            becomes => becomes,
        };
        match becomes {
            Succession::Untouched | Succession::Revived => {}
            Succession::Declined => self.expire(update, stamp.change),
            Succession::Held(reason) => {
                // What was decided since an older one waits is not decided about this one.
                let serving = self.held.get(&update).map_or(replaces, |own| own.serving);
                self.held.insert(update, Hold { serving, reason, since: stamp.change });
                if arrival.expired {
                    self.withdraw_installs(update, stamp)?;
                }
            }
            Succession::Followed => self.put_in_service(update, stamp)?,
        }
        Ok(becomes)
    }

    /// Takes back a decline that nobody decided. Neither is this a decision: whatever somebody decided elsewhere counts, and
    /// filters and rules look at the update as at a new one. What was approved before it expired stays withdrawn.
    fn revive(&mut self, update: UpdateId, change: Change) -> Succession {
        self.declined.remove(&update);
        self.restored.insert(update, Mark::passing(change));
        Succession::Revived
    }

    /// Whether somebody is to look at its newest revision, here or where its approvals come from: a newer one that joins
    /// it has not been looked at either.
    fn waits_for_review(&self, update: UpdateId) -> bool {
        self.held.get(&update).is_some_and(|own| own.reason == HoldReason::Review)
    }

    /// What is to become of the orders that stand about an update with a newer revision.
    pub(crate) fn judge(&self, arrival: &Arrival, orders: &[Standing]) -> Succession {
        let of = |deployed: fn(ApprovalAction) -> bool| orders.iter().any(|(action, _)| deployed(*action));
        let (deploys, installs) = (of(ApprovalAction::deploys), of(ApprovalAction::installs));
        if arrival.expired {
            // An order to remove it is what an administrator wants of an update that went wrong. A member of a bundle is
            // not declined by itself, here as elsewhere: it goes with its bundle, and cleanup declines it once it is alone.
            let removed = of(|action| action == ApprovalAction::Uninstall);
            if self.options.decline_expired && !removed && !arrival.bundled {
                return Succession::Declined;
            }
            // Computers could not carry it out with this revision, so the one that can be removed stays in service, for
            // that alone. What is to be installed keeps none: nobody installs what has expired.
            let impossible = impossible(ApprovalAction::Uninstall, None, arrival.removable, arrival.may_ask);
            if let Some(reason) = impossible.filter(|_| removed) {
                return Succession::Held(reason);
            }
        } else if deploys {
            let terms = arrival.eula.filter(|eula| installs && !self.accepted.contains_key(eula));
            // Whoever ordered what cannot be done with it has to decide anew, whatever else it waits for.
            let impossible = orders.iter().find_map(|(action, deadline)| {
                impossible(*action, *deadline, arrival.removable, arrival.may_ask)
            });
            let reason = match terms {
                _ if impossible.is_some() => impossible,
                Some(eula) => Some(HoldReason::Eula(eula)),
                None if !self.options.approvals_follow => Some(HoldReason::Review),
                None => None,
            };
            if let Some(reason) = reason {
                return Succession::Held(reason);
            }
        }
        if orders.is_empty() { Succession::Untouched } else { Succession::Followed }
    }

    /// An update expired, and a revision from before stays in service for its removal: what was approved for installation
    /// is withdrawn, as it is where the update is declined. That is no decision: whatever somebody decides elsewhere
    /// after it was approved is later. A group that would inherit the removal now does not get it.
    ///
    /// # Errors
    /// When no deployment id is left.
    pub fn withdraw_installs(&mut self, update: UpdateId, stamp: &mut Stamp) -> Result<(), ApprovalError> {
        let installs: Vec<Approval> =
            self.approvals.of(update).filter(|approval| approval.action.installs()).cloned().collect();
        for own in &installs {
            self.approvals.remove(&(update, own.group));
        }
        for own in installs {
            let (group, at) = (own.group, next(own.changed_at));
            let above =
                self.groups.path(group).skip(1).find_map(|above| self.approvals.get(&(update, above)));
            if above.is_some_and(|above| above.action.deploys()) {
                self.deny(update, Denial { group, by: own.by, at }, stamp)?;
            } else {
                let mark = Mark { decided: Some(at), ..Mark::passing(stamp.change) };
                self.withdrawn.insert((update, group), mark);
            }
        }
        Ok(())
    }

    /// Puts a held revision in service: the approvals hold for it from now on. Somebody looked at it and decided so,
    /// so what is deployed is decided as of now.
    ///
    /// # Errors
    /// When nothing is held, its licence terms were not accepted, or what is approved would be refused for it.
    pub fn accept_revision(&mut self, subject: &Subject, stamp: &mut Stamp) -> Result<(), ApprovalError> {
        let update = subject.update;
        if !self.held.contains_key(&update) {
            return Err(ApprovalError::NothingHeld(update));
        }
        if let Some(error) = self.refused_for(subject, None) {
            return Err(error);
        }
        match subject.eula.filter(|eula| !self.accepted.contains_key(eula)) {
            Some(eula) => return Err(ApprovalError::EulaNotAccepted { update, eula }),
            None => self.put_in_service(update, stamp)?,
        }
        let deployed: Vec<Approval> =
            self.approvals.of(update).filter(|approval| approval.action.deploys()).cloned().collect();
        for approval in deployed {
            let changed_at = stamp.change.after(Some(approval.changed_at)).at;
            self.approvals.insert(Approval { changed_at, ..approval })?;
        }
        Ok(())
    }

    /// Why an approval that stands would be refused for the newest revision; that of the group `except` is not
    /// looked at.
    pub(crate) fn refused_for(&self, subject: &Subject, except: Option<GroupId>) -> Option<ApprovalError> {
        let others = self.approvals.of(subject.update).filter(|approval| Some(approval.group) != except);
        others.into_iter().find_map(|a| refusal(subject, a.action, a.deadline))
    }

    /// Lets the approvals of an update hold for its newest revision. Each gets a new deployment id, since
    /// a deployment is one revision's (MS-WUSP 3.1.1, Deployment table), and the anchor of the change, so
    /// that downstream servers are told. When it was decided stays: nobody decides anew by a revision's coming,
    /// and what was decided elsewhere meanwhile is later.
    pub(crate) fn put_in_service(
        &mut self,
        update: UpdateId,
        stamp: &mut Stamp,
    ) -> Result<(), ApprovalError> {
        let approvals: Vec<Approval> = self.approvals.of(update).cloned().collect();
        for approval in approvals {
            self.approvals.insert(Approval {
                deployment: stamp.deployment()?,
                changed: stamp.change.anchor,
                ..approval
            })?;
        }
        self.release(update, stamp.change);
        Ok(())
    }

    /// Lifts a hold that has lost its purpose: nothing is deployed any more.
    pub(crate) fn settle(&mut self, update: UpdateId, change: Change) {
        if !self.approvals.of(update).any(|approval| approval.action.deploys()) {
            self.release(update, change);
        }
    }

    /// Puts these holds in the place of those there are: somebody else's decisions are taken over. Answers the
    /// updates that have another revision in service now; clients are told of it.
    pub(crate) fn replace_holds(
        &mut self,
        mut holds: BTreeMap<UpdateId, Hold>,
        change: Change,
    ) -> BTreeSet<UpdateId> {
        for (update, hold) in &mut holds {
            if let Some(own) = self.held.get(update).filter(|own| own.serving == hold.serving) {
                hold.since = own.since;
            }
        }
        let serving = |holds: &BTreeMap<UpdateId, Hold>, update| holds.get(update).map(|hold| hold.serving);
        let turned: BTreeSet<UpdateId> = self
            .held
            .keys()
            .chain(holds.keys())
            .filter(|update| serving(&self.held, update) != serving(&holds, update))
            .copied()
            .collect();
        self.released.extend(turned.iter().map(|update| (*update, change)));
        self.held = holds;
        turned
    }

    /// Gives the approvals of an update new deployment ids, since they hold for another revision. When they were
    /// decided stays.
    pub(crate) fn renew(&mut self, update: UpdateId, stamp: &mut Stamp) -> Result<(), ApprovalError> {
        let old: Vec<Approval> =
            self.approvals.of(update).filter(|a| a.changed != stamp.change.anchor).cloned().collect();
        for approval in old {
            let deployment = stamp.deployment()?;
            self.approvals.insert(Approval { deployment, changed: stamp.change.anchor, ..approval })?;
        }
        Ok(())
    }

    fn release(&mut self, update: UpdateId, change: Change) {
        if self.held.remove(&update).is_some() {
            self.released.insert(update, change);
        }
    }
}

/// What a revision has that makes an order impossible.
pub(crate) fn impossible(
    action: ApprovalAction,
    deadline: Option<Timestamp>,
    removable: bool,
    may_ask: bool,
) -> Option<HoldReason> {
    // "Remove an installed update if that update supports removal" (windowsserverdocs, updates-operations).
    if action == ApprovalAction::Uninstall && !removable {
        return Some(HoldReason::NotRemovable);
    }
    // At its deadline an agent installs without anybody there to answer; WSUS sets none either (the same page: no
    // deadline where user input is required).
    (deadline.is_some() && action.installs() && may_ask).then_some(HoldReason::NeedsInput)
}

/// Why an order is refused for what the newest revision of an update is.
pub(crate) fn refusal(
    subject: &Subject,
    action: ApprovalAction,
    deadline: Option<Timestamp>,
) -> Option<ApprovalError> {
    match impossible(action, deadline, subject.removable, subject.may_ask)? {
        HoldReason::NotRemovable => Some(ApprovalError::NotRemovable(subject.update)),
        _ => Some(ApprovalError::DeadlineNeedsInput(subject.update)),
    }
}
