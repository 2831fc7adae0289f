//! Policy: approvals and declines. At most one approval per (update, group), by construction: the map
//! is keyed by the pair. What was withdrawn leaves a mark with its anchor, so that a client which has
//! seen the approval is told of the change (`ChangedUpdates`, MS-WUSP 3.1.5.7).

use crate::groups::{Group, GroupError, GroupTree};
use core::fmt;
use core::str::FromStr;
use sluicegate_terms::{Anchor, DeploymentId, GroupId, Guid, Timestamp, UpdateId, UpdateKind};
use std::collections::BTreeMap;

/// What an administrator can decide about an update for a group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ApprovalAction {
    /// Install it.
    Install,
    /// Remove it.
    Uninstall,
    /// Explicitly neither, whatever a group above says.
    NotApproved,
}

impl ApprovalAction {
    /// The word the admin API and the database use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Uninstall => "uninstall",
            Self::NotApproved => "not-approved",
        }
    }
}

impl fmt::Display for ApprovalAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ApprovalAction {
    type Err = ApprovalError;
    fn from_str(text: &str) -> Result<Self, ApprovalError> {
        [Self::Install, Self::Uninstall, Self::NotApproved]
            .into_iter()
            .find(|a| a.as_str().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| ApprovalError::Action(text.chars().take(40).collect()))
    }
}

/// When something changed: by the server's count, and for people.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Change {
    /// The anchor of the change.
    pub anchor: Anchor,
    /// The time of the change.
    pub at: Timestamp,
}

/// A decision about one update for one group (MS-WUSP 3.1.1, Deployment table).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Approval {
    /// Which update; the decision holds for its newest revision.
    pub update: UpdateId,
    /// For which group and, unless decided otherwise there, the groups nested in it.
    pub group: GroupId,
    /// What is decided.
    pub action: ApprovalAction,
    /// By when agents are to have done it.
    pub deadline: Option<Timestamp>,
    /// The id clients see; new with every decision.
    pub deployment: DeploymentId,
    /// The anchor of the decision.
    pub changed: Anchor,
    /// The time of the decision.
    pub changed_at: Timestamp,
    /// Who decided.
    pub by: String,
}

/// What has to be known about an update to judge a decision about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Subject {
    /// Which update.
    pub update: UpdateId,
    /// The kind of its newest revision.
    pub kind: UpdateKind,
    /// Whether the newest revision says `ExplicitlyDeployable="true"`.
    pub explicitly_deployable: bool,
    /// Whether the publisher let it expire.
    pub expired: bool,
    /// A bundle that has it as a member, if any.
    pub bundled_by: Option<UpdateId>,
}

/// What [`Decisions::unapprove`] did for one group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Withdrawal {
    /// The group's own approval was taken away; nothing is inherited instead.
    Removed(GroupId),
    /// A group above has an approval, so this group now has an explicit "not approved".
    Overridden(Approval),
}

/// Why a decision is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// Not a word for an action.
    #[error("`{0}` is not an approval action (use install, uninstall or not-approved)")]
    Action(String),
    /// Categories and detectoids are evaluated by every agent and never installed.
    #[error(
        "{update} is a {kind}, which agents evaluate but never install: {verb} an update that needs it instead"
    )]
    NotInstallable {
        /// Which update.
        update: UpdateId,
        /// Its kind.
        kind: UpdateKind,
        /// What was tried: approve or decline.
        verb: &'static str,
    },
    /// A member of a bundle follows its bundle.
    #[error("{update} is part of the bundle {bundle} and follows it: decide about {bundle} instead")]
    BundleMember {
        /// Which update.
        update: UpdateId,
        /// Its bundle.
        bundle: UpdateId,
    },
    /// The publisher does not let it be deployed by itself.
    #[error(
        "{0} cannot be approved by itself: its publisher marks it as not explicitly deployable, so it is only a part of other updates"
    )]
    NotExplicitlyDeployable(UpdateId),
    /// The publisher withdrew it.
    #[error(
        "{0} has expired: its publisher withdrew it, so it is no longer offered; approve the update that supersedes it"
    )]
    Expired(UpdateId),
    /// A deadline where none makes sense.
    #[error("a deadline needs the action install or uninstall ({0} is being set to not approved)")]
    DeadlineWithoutAction(UpdateId),
    /// Nothing to withdraw.
    #[error("{update} has no approval for {group}, and none is inherited: there is nothing to withdraw")]
    NothingToWithdraw {
        /// Which update.
        update: UpdateId,
        /// Which group, or every group.
        group: String,
    },
    /// Already declined.
    #[error("{0} is already declined; approve it to take that back")]
    AlreadyDeclined(UpdateId),
    /// Not declined.
    #[error("{0} is not declined")]
    NotDeclined(UpdateId),
    /// The deployment id lies in the range of implicit deployments or is in use.
    #[error("the deployment id {0} is not free for an approval; the counter of deployment ids is behind")]
    DeploymentId(DeploymentId),
    /// About the group.
    #[error(transparent)]
    Group(#[from] GroupError),
}

/// Everything administrators decided.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Decisions {
    /// The target groups.
    pub groups: GroupTree,
    /// The decision per update and group.
    pub approvals: BTreeMap<(UpdateId, GroupId), Approval>,
    /// Declined updates, and since when.
    pub declined: BTreeMap<UpdateId, Change>,
    /// Approvals that were taken away and not given again, and since when.
    pub withdrawn: BTreeMap<(UpdateId, GroupId), Change>,
    /// Updates that were declined once and are no longer, and since when.
    pub restored: BTreeMap<UpdateId, Change>,
}

/// A range over all groups of one update in a map keyed by (update, group).
pub(crate) fn of_update(update: UpdateId) -> core::ops::RangeInclusive<(UpdateId, GroupId)> {
    (update, GroupId(Guid::ZERO))..=(update, GroupId(Guid::from_u128(u128::MAX)))
}

impl Decisions {
    /// Decides about an update for a group, in place of what was decided for that group before. An
    /// approval to install or uninstall takes back a decline, as on WSUS.
    ///
    /// # Errors
    /// When the update cannot be deployed by itself, the group is unknown, or the id is not free.
    pub fn approve(&mut self, subject: &Subject, approval: Approval) -> Result<(), ApprovalError> {
        let update = subject.update;
        let group = self.groups.require(approval.group)?.id;
        check_subject(subject, "approve")?;
        if !subject.explicitly_deployable {
            return Err(ApprovalError::NotExplicitlyDeployable(update));
        }
        if subject.expired && approval.action == ApprovalAction::Install {
            return Err(ApprovalError::Expired(update));
        }
        if approval.action == ApprovalAction::NotApproved && approval.deadline.is_some() {
            return Err(ApprovalError::DeadlineWithoutAction(update));
        }
        let taken = approval.deployment.get() < DeploymentId::FIRST_EXPLICIT
            || self.approvals.values().any(|a| a.deployment == approval.deployment);
        if taken {
            return Err(ApprovalError::DeploymentId(approval.deployment));
        }
        if approval.action != ApprovalAction::NotApproved && self.declined.remove(&update).is_some() {
            self.restored.insert(update, Change { anchor: approval.changed, at: approval.changed_at });
        }
        self.withdrawn.remove(&(update, group));
        self.approvals.insert((update, group), Approval { update, ..approval });
        Ok(())
    }

    /// Withdraws approvals: for one group, or for every group that has one when `group` is `None`.
    /// Where a group above still has an approval to install or uninstall, the group gets an explicit
    /// "not approved", for which `next` is used; it carries the new deployment id, the change and who
    /// made it (its update, group, action and deadline are set here).
    ///
    /// # Errors
    /// When the group is unknown or there is nothing to withdraw.
    pub fn unapprove(
        &mut self,
        update: UpdateId,
        group: Option<GroupId>,
        next: Approval,
    ) -> Result<Vec<Withdrawal>, ApprovalError> {
        let change = Change { anchor: next.changed, at: next.changed_at };
        let Some(group) = group else {
            let groups: Vec<GroupId> =
                self.approvals.range(of_update(update)).map(|((_, g), _)| *g).collect();
            if groups.is_empty() {
                return Err(ApprovalError::NothingToWithdraw { update, group: "any group".to_owned() });
            }
            for group in &groups {
                self.withdraw(update, *group, change);
            }
            return Ok(groups.into_iter().map(Withdrawal::Removed).collect());
        };
        let name = self.groups.require(group)?.name.clone();
        let inherited = self
            .groups
            .path(group)
            .skip(1)
            .find_map(|above| self.approvals.get(&(update, above)))
            .is_some_and(|a| a.action != ApprovalAction::NotApproved);
        if inherited {
            let free = next.deployment.get() >= DeploymentId::FIRST_EXPLICIT
                && self.approvals.values().all(|a| a.deployment != next.deployment);
            if !free {
                return Err(ApprovalError::DeploymentId(next.deployment));
            }
            let denial =
                Approval { update, group, action: ApprovalAction::NotApproved, deadline: None, ..next };
            self.withdrawn.remove(&(update, group));
            self.approvals.insert((update, group), denial.clone());
            Ok(vec![Withdrawal::Overridden(denial)])
        } else if self.approvals.contains_key(&(update, group)) {
            self.withdraw(update, group, change);
            Ok(vec![Withdrawal::Removed(group)])
        } else {
            Err(ApprovalError::NothingToWithdraw { update, group: format!("`{name}`") })
        }
    }

    fn withdraw(&mut self, update: UpdateId, group: GroupId, change: Change) {
        if self.approvals.remove(&(update, group)).is_some() {
            self.withdrawn.insert((update, group), change);
        }
    }

    /// Declines an update: no agent gets it any more, and its approvals are gone.
    ///
    /// # Errors
    /// When it is a category, detectoid or member of a bundle, or declined already.
    pub fn decline(&mut self, subject: &Subject, change: Change) -> Result<(), ApprovalError> {
        check_subject(subject, "decline")?;
        let update = subject.update;
        if self.declined.contains_key(&update) {
            return Err(ApprovalError::AlreadyDeclined(update));
        }
        let groups: Vec<GroupId> = self.approvals.range(of_update(update)).map(|((_, g), _)| *g).collect();
        for group in groups {
            self.withdraw(update, group, change);
        }
        self.restored.remove(&update);
        self.declined.insert(update, change);
        Ok(())
    }

    /// Takes back a decline without approving anything.
    ///
    /// # Errors
    /// When the update is not declined.
    pub fn restore(&mut self, update: UpdateId, change: Change) -> Result<(), ApprovalError> {
        self.declined.remove(&update).ok_or(ApprovalError::NotDeclined(update))?;
        self.restored.insert(update, change);
        Ok(())
    }

    /// Removes a group and the decisions for it.
    ///
    /// # Errors
    /// When the group is unknown, built in or has subgroups.
    pub fn remove_group(&mut self, id: GroupId) -> Result<Group, GroupError> {
        let group = self.groups.remove(id)?;
        self.approvals.retain(|(_, g), _| *g != id);
        self.withdrawn.retain(|(_, g), _| *g != id);
        Ok(group)
    }

    /// The updates somebody ever decided about, each once, in order.
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

    /// The decisions about one update, by group.
    pub fn approvals_of(&self, update: UpdateId) -> impl Iterator<Item = &Approval> {
        self.approvals.range(of_update(update)).map(|(_, approval)| approval)
    }
}

fn check_subject(subject: &Subject, verb: &'static str) -> Result<(), ApprovalError> {
    if matches!(subject.kind, UpdateKind::Category | UpdateKind::Detectoid) {
        return Err(ApprovalError::NotInstallable { update: subject.update, kind: subject.kind, verb });
    }
    match subject.bundled_by {
        Some(bundle) => Err(ApprovalError::BundleMember { update: subject.update, bundle }),
        None => Ok(()),
    }
}
