//! Policy: everything administrators decided, and how it may be changed. What was withdrawn leaves a mark
//! with its anchor, so that a client which has seen the approval is told of the change (`ChangedUpdates`,
//! MS-WUSP 3.1.5.7). Each change leaves a state that obeys every rule, or is refused and leaves no trace.

use crate::approvals::{
    Approval, ApprovalAction, Approvals, Change, Decline, Denial, Mark, Order, Stamp, next, of_update,
};
use crate::groups::GroupTree;
use crate::licences::{Acceptance, EulaId};
use crate::refusals::ApprovalError;
use crate::rules::{Rule, RuleId};
use crate::succession::{Hold, SuccessionOptions, refusal};
use sluicegate_terms::{GroupId, Timestamp, UpdateId, UpdateKind};
use std::collections::BTreeMap;

/// What has to be known about an update to judge a decision about it; all of it as its newest revision
/// says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Subject {
    /// Which update.
    pub update: UpdateId,
    /// Its kind.
    pub kind: UpdateKind,
    /// Whether it says `ExplicitlyDeployable="true"`.
    pub explicitly_deployable: bool,
    /// Whether the publisher let it expire.
    pub expired: bool,
    /// A bundle that has it as a member, if any.
    pub bundled_by: Option<UpdateId>,
    /// Its licence terms, if any.
    pub eula: Option<EulaId>,
    /// Whether computers can remove it again.
    pub removable: bool,
    /// Whether installing it may ask the user something.
    pub may_ask: bool,
    /// An update that supersedes it, if any. It can be approved all the same; people should be told.
    pub superseded_by: Option<UpdateId>,
}

impl Subject {
    /// Plain software that anybody may approve.
    #[must_use]
    pub const fn software(update: UpdateId) -> Self {
        Self {
            update,
            kind: UpdateKind::Software,
            explicitly_deployable: true,
            expired: false,
            bundled_by: None,
            eula: None,
            removable: true,
            may_ask: false,
            superseded_by: None,
        }
    }
}

/// What [`Decisions::unapprove`] did for one group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Withdrawal {
    /// The group's own approval was taken away; nothing is inherited instead.
    Removed(GroupId),
    /// A group above has an approval, so this group now has an explicit "not approved".
    Overridden(Approval),
}

/// Everything administrators decided.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Decisions {
    /// The target groups.
    pub groups: GroupTree,
    /// The decision per update and group.
    pub approvals: Approvals,
    /// Declined updates, and since when.
    pub declined: BTreeMap<UpdateId, Decline>,
    /// Approvals that were taken away and not given again, and since when.
    pub withdrawn: BTreeMap<(UpdateId, GroupId), Mark>,
    /// Updates that were declined once and are no longer, and since when.
    pub restored: BTreeMap<UpdateId, Mark>,
    /// Updates whose newest revision waits, so that an older one stays in service.
    pub held: BTreeMap<UpdateId, Hold>,
    /// Updates whose newest revision waited once, and since when it no longer does.
    pub released: BTreeMap<UpdateId, Change>,
    /// Accepted licence terms.
    pub accepted: BTreeMap<EulaId, Acceptance>,
    /// Automatic approval rules.
    pub rules: BTreeMap<RuleId, Rule>,
    /// What happens when a new revision arrives.
    pub options: SuccessionOptions,
}

impl Decisions {
    /// Whether an order about an update obeys the rules, without carrying it out.
    ///
    /// # Errors
    /// The rule it breaks.
    pub fn check(&self, subject: &Subject, order: &Order) -> Result<(), ApprovalError> {
        let update = subject.update;
        self.groups.require(order.group)?;
        check_subject(subject, "approve")?;
        if !subject.explicitly_deployable {
            return Err(ApprovalError::NotExplicitlyDeployable(update));
        }
        if order.deadline.is_some() && !order.action.can_be_due() {
            return Err(ApprovalError::DeadlineWithoutAction(update));
        }
        if let Some(error) = refusal(subject, order.action, order.deadline) {
            return Err(error);
        }
        if !order.action.installs() {
            return Ok(());
        }
        // WSUS too takes nothing but a removal for what has expired (IUpdate.Approve). That page refuses an
        // action when "a dependency has been approved for the opposite action" and says neither which relation
        // that is nor for which groups. There is no such rule here: groups are moved and prerequisites have
        // alternatives, so it could not hold, and agents judge by themselves. What needs an update that is being
        // removed is not applicable where that one is gone, and no scan fails over it.
        if subject.expired {
            return Err(ApprovalError::Expired(update));
        }
        match subject.eula.filter(|eula| !self.accepted.contains_key(eula)) {
            Some(eula) => Err(ApprovalError::EulaNotAccepted { update, eula }),
            None => Ok(()),
        }
    }

    /// Decides about an update for a group, in place of what was decided for that group before. Whatever is
    /// ordered takes back a decline, as on WSUS (a decline is taken back by DeployUpdate1 with "not approved" there);
    /// an approval that deploys puts a held revision in service: only one revision of an update has approvals.
    ///
    /// # Errors
    /// What [`Decisions::check`] says, or when no deployment id is left.
    pub fn approve(
        &mut self,
        subject: &Subject,
        order: Order,
        stamp: &mut Stamp,
    ) -> Result<Approval, ApprovalError> {
        // What was ordered elsewhere, or before this was refused, is carried as it is.
        if let Some(deadline) = order.deadline.filter(|at| !can_be_told(*at)) {
            return Err(ApprovalError::DeadlineUntellable { update: subject.update, deadline });
        }
        let approval = self.place(subject, order, Some(subject), stamp)?;
        // Not where decisions are carried: what is not approved there may be declined all the same.
        if self.declined.remove(&subject.update).is_some() {
            let change = Change { at: approval.changed_at, ..stamp.change };
            self.restored.insert(subject.update, Mark::decided(change));
        }
        Ok(approval)
    }

    /// [`Decisions::approve`] of what `subject` says. `newest` is what the newest revision says, when the order may put
    /// that one in service although it was held.
    pub(crate) fn place(
        &mut self,
        subject: &Subject,
        order: Order,
        newest: Option<&Subject>,
        stamp: &mut Stamp,
    ) -> Result<Approval, ApprovalError> {
        self.check(subject, &order)?;
        let update = subject.update;
        if order.action.deploys()
            && self.held.contains_key(&update)
            && newest.is_some_and(|newest| self.may_serve(newest, &order))
        {
            self.put_in_service(update, stamp)?;
        }
        let change = stamp.change.after(self.last_decided(update, order.group));
        let approval = Approval {
            update,
            group: order.group,
            action: order.action,
            deadline: order.deadline,
            deployment: stamp.deployment()?,
            changed: change.anchor,
            changed_at: change.at,
            by: order.by,
        };
        self.approvals.insert(approval.clone())?;
        self.withdrawn.remove(&(update, order.group));
        if !order.action.deploys() {
            self.settle(update, stamp.change);
        } else if self.declined.remove(&update).is_some() {
            self.restored.insert(update, Mark::decided(change));
        }
        Ok(approval)
    }

    /// Whether the newest revision may go into service with an order. A removal does not speak for the licence that
    /// others' approvals to install need, and an order for one group not for those of others that would be refused.
    pub(crate) fn may_serve(&self, newest: &Subject, order: &Order) -> bool {
        self.may_install(newest.eula)
            && refusal(newest, order.action, order.deadline).is_none()
            && self.refused_for(newest, Some(order.group)).is_none()
    }

    /// Withdraws approvals: for one group, or for every group that has one when `group` is `None`.
    /// Where a group above still has an approval that deploys, the group gets an explicit "not approved".
    ///
    /// # Errors
    /// When the group is unknown or there is nothing to withdraw, also since the update is declined.
    pub fn unapprove(
        &mut self,
        update: UpdateId,
        group: Option<GroupId>,
        by: String,
        stamp: &mut Stamp,
    ) -> Result<Vec<Withdrawal>, ApprovalError> {
        let Some(group) = group else {
            let groups = self.groups_of(update);
            if groups.is_empty() {
                return Err(self.nothing_to_withdraw(update, "any group".to_owned()));
            }
            self.withdraw_all(update, stamp.change);
            return Ok(groups.into_iter().map(Withdrawal::Removed).collect());
        };
        let name = self.groups.require(group)?.name.clone();
        let inherited = self
            .groups
            .path(group)
            .skip(1)
            .find_map(|above| self.approvals.get(&(update, above)))
            .is_some_and(|a| a.action.deploys());
        let done = if inherited {
            let at = stamp.change.after(self.last_decided(update, group)).at;
            Withdrawal::Overridden(self.deny(update, Denial { group, by, at }, stamp)?)
        } else if self.approvals.contains_key(&(update, group)) {
            self.withdraw(update, group, stamp.change);
            Withdrawal::Removed(group)
        } else {
            return Err(self.nothing_to_withdraw(update, format!("`{name}`")));
        };
        self.settle(update, stamp.change);
        Ok(vec![done])
    }

    fn nothing_to_withdraw(&self, update: UpdateId, group: String) -> ApprovalError {
        match self.declined.contains_key(&update) {
            true => ApprovalError::DeclinedInstead(update),
            false => ApprovalError::NothingToWithdraw { update, group },
        }
    }

    fn groups_of(&self, update: UpdateId) -> Vec<GroupId> {
        self.approvals.of(update).map(|approval| approval.group).collect()
    }

    pub(crate) fn withdraw(&mut self, update: UpdateId, group: GroupId, change: Change) {
        if let Some(own) = self.approvals.remove(&(update, group)) {
            self.withdrawn.insert((update, group), Mark::decided(change.after(Some(own.changed_at))));
        }
    }

    pub(crate) fn withdraw_all(&mut self, update: UpdateId, change: Change) {
        for group in self.groups_of(update) {
            self.withdraw(update, group, change);
        }
        self.settle(update, change);
    }

    /// Declines an update, as somebody decided: no agent gets it any more, and its approvals are gone. What is declined
    /// although nobody decided so is decided now.
    ///
    /// # Errors
    /// When it is a category, detectoid or member of a bundle, or somebody declined it already.
    pub fn decline(&mut self, subject: &Subject, change: Change) -> Result<(), ApprovalError> {
        check_subject(subject, "decline")?;
        match self.declined.get_mut(&subject.update) {
            Some(own) if own.automatic => {
                own.decided = change.after(Some(own.decided)).at;
                own.automatic = false;
                Ok(())
            }
            Some(_) => Err(ApprovalError::AlreadyDeclined(subject.update)),
            None => {
                self.set_declined(subject.update, change);
                Ok(())
            }
        }
    }

    /// Declines an update although nobody decided so: a filter names it, or cleanup found that it is not needed. That it
    /// is not approved for some group was decided, and stays so.
    ///
    /// # Errors
    /// When it is a category, detectoid or member of a bundle, or declined already.
    pub fn decline_by_itself(&mut self, subject: &Subject, change: Change) -> Result<(), ApprovalError> {
        if self.declined.contains_key(&subject.update) {
            return Err(ApprovalError::AlreadyDeclined(subject.update));
        }
        let update = subject.update;
        let denials: Vec<Approval> =
            self.approvals.of(update).filter(|own| !own.action.deploys()).cloned().collect();
        for denial in &denials {
            self.approvals.remove(&(update, denial.group));
        }
        let declined = self.decline(subject, change);
        for denial in denials {
            self.approvals.insert(denial)?;
        }
        declined?;
        if let Some(own) = self.declined.get_mut(&update) {
            own.automatic = true;
        }
        Ok(())
    }

    /// Declines an update that comes again, as somebody decided before it was removed.
    ///
    /// # Errors
    /// As [`Decisions::decline`].
    pub fn decline_again(
        &mut self,
        subject: &Subject,
        decided: Timestamp,
        change: Change,
    ) -> Result<(), ApprovalError> {
        self.decline(subject, change)?;
        if let Some(own) = self.declined.get_mut(&subject.update) {
            own.decided = decided;
        }
        Ok(())
    }

    /// That an update that comes again is not approved for some groups, as somebody decided before it was removed; for
    /// those that are still here.
    ///
    /// # Errors
    /// When no deployment id is left.
    pub fn deny_again(
        &mut self,
        update: UpdateId,
        denials: Vec<Denial>,
        stamp: &mut Stamp,
    ) -> Result<(), ApprovalError> {
        for denial in denials {
            if self.groups.get(denial.group).is_some() {
                self.deny(update, denial, stamp)?;
            }
        }
        Ok(())
    }

    /// Writes down that an update is not approved for a group that is here.
    pub(crate) fn deny(
        &mut self,
        update: UpdateId,
        Denial { group, by, at }: Denial,
        stamp: &mut Stamp,
    ) -> Result<Approval, ApprovalError> {
        let denial = Approval {
            update,
            group,
            action: ApprovalAction::NotApproved,
            deadline: None,
            deployment: stamp.deployment()?,
            changed: stamp.change.anchor,
            changed_at: at,
            by,
        };
        self.approvals.insert(denial.clone())?;
        self.withdrawn.remove(&(update, group));
        Ok(denial)
    }

    pub(crate) fn set_declined(&mut self, update: UpdateId, change: Change) {
        let approved = self.approvals.of(update).map(|own| own.changed_at).max();
        let restored = self.restored.remove(&update).and_then(|mark| mark.decided);
        self.withdraw_all(update, change);
        self.declined.insert(update, Decline::by_hand(change.after(approved.max(restored))));
    }

    /// Declines an update that expired. That is no decision: whatever somebody decides elsewhere after the last decision
    /// about it here is later, and that it is not approved for some group stays decided.
    pub(crate) fn expire(&mut self, update: UpdateId, change: Change) {
        let deployed: Vec<Approval> =
            self.approvals.of(update).filter(|own| own.action.deploys()).cloned().collect();
        for own in deployed {
            self.approvals.remove(&(update, own.group));
            let mark = Mark { decided: Some(next(own.changed_at)), ..Mark::passing(change) };
            self.withdrawn.insert((update, own.group), mark);
        }
        self.settle(update, change);
        let withdrawn = self.withdrawn.range(of_update(update)).filter_map(|(_, mark)| mark.decided).max();
        let restored = self.restored.remove(&update).and_then(|mark| mark.decided);
        let decided = withdrawn.max(restored.map(next)).unwrap_or(Timestamp::MIN);
        self.declined.insert(update, Decline { decided, automatic: true, ..Decline::by_hand(change) });
    }

    /// When something was last decided here about an update for a group.
    pub(crate) fn last_decided(&self, update: UpdateId, group: GroupId) -> Option<Timestamp> {
        let key = (update, group);
        [
            self.approvals.get(&key).map(|approval| approval.changed_at),
            self.withdrawn.get(&key).and_then(|mark| mark.decided),
            self.declined.get(&update).map(|own| own.decided),
        ]
        .into_iter()
        .flatten()
        .max()
    }

    /// Takes back a decline without approving anything.
    ///
    /// # Errors
    /// When the update is not declined.
    pub fn restore(&mut self, update: UpdateId, change: Change) -> Result<(), ApprovalError> {
        let own = self.declined.remove(&update).ok_or(ApprovalError::NotDeclined(update))?;
        self.restored.insert(update, Mark::decided(change.after(Some(own.decided))));
        Ok(())
    }

    /// The updates somebody ever decided about, here or on a server whose decisions were taken over, each once, in
    /// order.
    pub fn touched(&self) -> impl Iterator<Item = UpdateId> {
        let mut updates: Vec<UpdateId> = self
            .approvals
            .keys()
            .chain(self.withdrawn.keys())
            .map(|(update, _)| *update)
            .chain(self.declined.keys().copied())
            .chain(self.restored.keys().copied())
            .collect();
        updates.sort_unstable();
        updates.dedup();
        updates.into_iter()
    }

    /// Whether nobody ever decided anything about an update: not for a group, nor that it is declined or no
    /// longer is. Only such updates are declined by filters. What another mode's decisions left behind for clients
    /// is nobody's decision.
    #[must_use]
    pub fn is_untouched(&self, update: UpdateId) -> bool {
        let decided = |mark: &Mark| mark.decided.is_some();
        !self.declined.contains_key(&update)
            && self.approvals.of(update).next().is_none()
            && !self.restored.get(&update).is_some_and(decided)
            && !self.withdrawn.range(of_update(update)).any(|(_, mark)| decided(mark))
    }

    /// Whether anything was ever decided about an update for some group, here or elsewhere.
    pub(crate) fn is_decided(&self, update: UpdateId) -> bool {
        self.approvals.of(update).next().is_some() || self.withdrawn.range(of_update(update)).next().is_some()
    }

    /// The decisions about one update, by group.
    pub fn approvals_of(&self, update: UpdateId) -> impl Iterator<Item = &Approval> {
        self.approvals.of(update)
    }
}

/// Whether servers and agents can be told of a deadline. Databases of real servers hold no time before 1753, whose first
/// day means none there, and the last one of 9999 means none on the wire (MS-WSUSSS 3.1.4.10.3.5).
fn can_be_told(deadline: Timestamp) -> bool {
    (FIRST_DEADLINE..NO_DEADLINE).contains(&deadline.unix_seconds())
}

/// 1754-01-01T00:00:00Z.
const FIRST_DEADLINE: i64 = -6_816_268_800;

/// 9999-01-01T00:00:00Z.
const NO_DEADLINE: i64 = 253_370_764_800;

pub(crate) fn check_subject(subject: &Subject, verb: &'static str) -> Result<(), ApprovalError> {
    if matches!(subject.kind, UpdateKind::Category | UpdateKind::Detectoid) {
        return Err(ApprovalError::NotInstallable { update: subject.update, kind: subject.kind, verb });
    }
    match subject.bundled_by {
        Some(bundle) => Err(ApprovalError::BundleMember { update: subject.update, bundle }),
        None => Ok(()),
    }
}
