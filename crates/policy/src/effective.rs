//! Policy: from decisions to the one effective deployment of an update for a computer's groups. Along
//! each group's path the nearest approval wins (as on WSUS, whose `NotApproved` overrides what All Computers
//! has: UpdateApprovalAction in its programming reference). Between several groups the stronger one does: install
//! over optional over uninstall over not approved, and the earliest deadline among equals.
//!
//! This order between groups is chosen. Neither MS-WUSP (its Deployment table has one group for each client,
//! 3.1.1) nor MS-WSUSSS nor Microsoft's pages for administrators say what holds when a computer's groups
//! disagree; the column `GroupPriority` that WSUS keeps with a group is nowhere explained. What is chosen errs to
//! the side of updates being installed, needs no order of groups that somebody has to keep up, and does not
//! depend on who decided first.

use crate::approvals::{Approval, ApprovalAction};
use crate::decisions::Decisions;
use crate::groups::Paths;
use core::cmp::Reverse;
use sluicegate_terms::{Anchor, DeploymentAction, DeploymentId, GroupId, Timestamp, UpdateId};

/// What holds for an update and a computer's groups.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Declined: not deployed to anybody.
    Declined,
    /// Nobody approved it, or somebody set it to "not approved".
    Undecided,
    /// Approved.
    Deployed {
        /// The id clients see.
        deployment: DeploymentId,
        /// `Install` or `Uninstall`.
        action: DeploymentAction,
        /// Agents do it by themselves; otherwise users are offered it (MS-WUSP 2.2.2.2.4, IsAssigned).
        assigned: bool,
        /// By when. In the past: at the next contact.
        deadline: Option<Timestamp>,
        /// When it was decided.
        last_change: Timestamp,
    },
}

/// A [`Decision`] and the anchor from which on it holds (never too early: a client that has seen this
/// anchor knows the decision).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Effective {
    /// What holds.
    pub decision: Decision,
    /// Since which anchor; [`Anchor::START`] when nobody ever decided anything.
    pub since: Anchor,
}

/// What holds for `update` on a computer in `groups` (unknown groups are ignored; none at all means
/// Unassigned Computers). Exactly one decision comes out, whatever was decided.
#[must_use]
pub fn effective(decisions: &Decisions, update: UpdateId, groups: &[GroupId]) -> Effective {
    effective_on(decisions, update, &decisions.groups.paths(groups))
}

/// [`effective`] for paths worked out before, for many updates in a row.
#[must_use]
pub fn effective_on(decisions: &Decisions, update: UpdateId, paths: &Paths) -> Effective {
    if let Some(change) = decisions.declined.get(&update) {
        return Effective { decision: Decision::Declined, since: change.anchor };
    }
    let mut since = decisions.restored.get(&update).map_or(Anchor::START, |change| change.anchor);
    if !decisions.is_decided(update) {
        return Effective { decision: Decision::Undecided, since };
    }
    // A moved group inherits from elsewhere, which no approval's own anchor tells.
    since = since.max(decisions.groups.reshaped());
    let mut best: Option<&Approval> = None;
    for path in paths.iter() {
        for group in path {
            if let Some(change) = decisions.withdrawn.get(&(update, *group)) {
                since = since.max(change.anchor);
            }
            if let Some(approval) = decisions.approvals.get(&(update, *group)) {
                since = since.max(approval.changed);
                if best.is_none_or(|other| strength(approval) > strength(other)) {
                    best = Some(approval);
                }
                break;
            }
        }
    }
    let deployed = |approval: &Approval, action| Decision::Deployed {
        deployment: approval.deployment,
        action,
        assigned: approval.action != ApprovalAction::OptionalInstall,
        deadline: approval.deadline,
        last_change: approval.changed_at,
    };
    let decision = match best {
        Some(approval) => match approval.action {
            ApprovalAction::Install | ApprovalAction::OptionalInstall => {
                deployed(approval, DeploymentAction::Install)
            }
            ApprovalAction::Uninstall => deployed(approval, DeploymentAction::Uninstall),
            ApprovalAction::NotApproved => Decision::Undecided,
        },
        None => Decision::Undecided,
    };
    Effective { decision, since }
}

/// Orders approvals of several groups; the greatest wins. The deployment id makes it a total order.
fn strength(approval: &Approval) -> (u8, Reverse<Timestamp>, Reverse<DeploymentId>) {
    let action = match approval.action {
        ApprovalAction::Install => 3,
        ApprovalAction::OptionalInstall => 2,
        ApprovalAction::Uninstall => 1,
        ApprovalAction::NotApproved => 0,
    };
    (action, Reverse(approval.deadline.unwrap_or(Timestamp::MAX)), Reverse(approval.deployment))
}
