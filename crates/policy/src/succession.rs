//! Policy: what becomes of decisions when a new revision arrives. Approvals follow to it; or it is held
//! and the approved revision stays in service, because its licence terms are new or because the
//! administrator wants to look first (`IUpdateServerConfiguration.AutoRefreshUpdateApprovals` of WSUS).

use crate::approvals::{Approval, ApprovalAction, Change, Stamp};
use crate::decisions::{Decisions, Subject};
use crate::licences::EulaId;
use crate::refusals::ApprovalError;
use sluicegate_terms::{RevisionNumber, UpdateId};
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
}

/// That an older revision stays in service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hold {
    /// The revision that was approved and stays in service. Whoever removes old revisions keeps it.
    pub serving: RevisionNumber,
    /// Why.
    pub reason: HoldReason,
    /// Since when.
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
    /// Its licence terms, if any.
    pub eula: Option<EulaId>,
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
}

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
        if self.declined.contains_key(&update) {
            return Ok(Succession::Untouched);
        }
        let actions: Vec<ApprovalAction> =
            self.approvals.of(update).map(|approval| approval.action).collect();
        let becomes = self.judge(arrival, &actions);
        match becomes {
            Succession::Untouched => {}
            Succession::Declined => self.set_declined(update, stamp.change),
            Succession::Held(reason) => {
                let hold = Hold { serving: replaces, reason, since: stamp.change };
                self.held.entry(update).or_insert(hold).reason = reason;
            }
            Succession::Followed => self.put_in_service(update, stamp)?,
        }
        Ok(becomes)
    }

    /// What is to become of the decisions about an update, which are these actions, with a newer revision.
    pub(crate) fn judge(&self, arrival: &Arrival, actions: &[ApprovalAction]) -> Succession {
        let of = |deployed: fn(ApprovalAction) -> bool| actions.iter().any(|action| deployed(*action));
        let (deploys, installs) = (of(ApprovalAction::deploys), of(ApprovalAction::installs));
        if arrival.expired {
            // An order to remove it is what an administrator wants of an update that went wrong.
            if self.options.decline_expired && !of(|action| action == ApprovalAction::Uninstall) {
                return Succession::Declined;
            }
        } else if deploys {
            let terms = arrival.eula.filter(|eula| installs && !self.accepted.contains_key(eula));
            if let Some(eula) = terms {
                return Succession::Held(HoldReason::Eula(eula));
            }
            if !self.options.approvals_follow {
                return Succession::Held(HoldReason::Review);
            }
        }
        if actions.is_empty() { Succession::Untouched } else { Succession::Followed }
    }

    /// Puts a held revision in service: the approvals hold for it from now on.
    ///
    /// # Errors
    /// When nothing is held, or its licence terms were not accepted.
    pub fn accept_revision(&mut self, subject: &Subject, stamp: &mut Stamp) -> Result<(), ApprovalError> {
        let update = subject.update;
        if !self.held.contains_key(&update) {
            return Err(ApprovalError::NothingHeld(update));
        }
        match subject.eula.filter(|eula| !self.accepted.contains_key(eula)) {
            Some(eula) => Err(ApprovalError::EulaNotAccepted { update, eula }),
            None => self.put_in_service(update, stamp),
        }
    }

    /// Lets the approvals of an update hold for its newest revision. Each gets a new deployment id, since
    /// a deployment is one revision's (MS-WUSP 3.1.1, Deployment table), and the anchor of the change, so
    /// that downstream servers are told.
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
                changed_at: stamp.change.at,
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
