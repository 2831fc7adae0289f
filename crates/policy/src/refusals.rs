//! Policy: why a decision is refused. Each says which update or group it is about and what would help.

use crate::groups::GroupError;
use crate::licences::EulaId;
use sluicegate_terms::{DeploymentId, Timestamp, UpdateId, UpdateKind};

/// Why a decision is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// Not a word for an action.
    #[error("`{0}` is not an approval action (use install, optional-install, uninstall or not-approved)")]
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
    /// Its licence terms were not accepted yet.
    #[error("{update} has licence terms ({eula}) that nobody has accepted yet: accept them first")]
    EulaNotAccepted {
        /// Which update.
        update: UpdateId,
        /// Which terms.
        eula: EulaId,
    },
    /// A deadline where none makes sense.
    #[error("a deadline needs the action install or uninstall ({0} is being set to another one)")]
    DeadlineWithoutAction(UpdateId),
    /// A deadline that other servers and agents cannot be told.
    #[error(
        "{update} cannot be due at {deadline}: update servers and agents carry deadlines of the years 1754 to 9998 only, \
         and take the end of 9999 for none; leave the deadline out, or give a time that has passed for \"at once\""
    )]
    DeadlineUntellable {
        /// Which update.
        update: UpdateId,
        /// The deadline.
        deadline: Timestamp,
    },
    /// A deadline for what may ask the user something.
    #[error(
        "{0} may ask the user something while it is installed, so it cannot be due at a deadline: approve it without one"
    )]
    DeadlineNeedsInput(UpdateId),
    /// A removal of what cannot be removed.
    #[error(
        "{0} cannot be removed from computers: its publisher gives no way to uninstall it; withdraw its approval or decline it, so that no further computer gets it"
    )]
    NotRemovable(UpdateId),
    /// Nothing to withdraw.
    #[error("{update} has no approval for {group}, and none is inherited: there is nothing to withdraw")]
    NothingToWithdraw {
        /// Which update.
        update: UpdateId,
        /// Which group, or every group.
        group: String,
    },
    /// Nothing to withdraw, since it is declined.
    #[error(
        "{0} is declined, so it is approved for no group; to take the decline back without approving anything, set it to \
         not approved: `sluicegate approve {0} --group GROUP --action not-approved`"
    )]
    DeclinedInstead(UpdateId),
    /// Already declined.
    #[error("{0} is already declined; approve it, or set it to not approved for a group, to take that back")]
    AlreadyDeclined(UpdateId),
    /// Not declined.
    #[error("{0} is not declined")]
    NotDeclined(UpdateId),
    /// No newer revision waits.
    #[error("no newer revision of {0} is held for review")]
    NothingHeld(UpdateId),
    /// The deployment id lies in the range of implicit deployments or is in use.
    #[error("the deployment id {0} is not free for an approval; the counter of deployment ids is behind")]
    DeploymentId(DeploymentId),
    /// All deployment ids are used up.
    #[error("no deployment id is left; this server cannot take more approvals")]
    DeploymentIdsExhausted,
    /// About the group.
    #[error(transparent)]
    Group(#[from] GroupError),
}
