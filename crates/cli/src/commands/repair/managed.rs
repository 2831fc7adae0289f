//! Repair: what the remedy needs of a server, whatever its make. Sluicegate's admin API gives it; the admin
//! remoting API of WSUS has the same operations (ExecuteSPGetConfiguration and SetConfiguration for ReplicaMode,
//! GetDeploymentsByUpdate1, DeployUpdate1, DeclineUpdate, StartSubscriptionManually).

use serde::{Deserialize, Serialize};
use sluicegate_terms::UpdateId;
use std::future::Future;
use std::pin::Pin;

/// What a call of a server comes to.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = anyhow::Result<T>> + 'a>>;

/// An approval as it is, to be given again unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptApproval {
    /// The group's id: names may be the same on several servers and mean different groups.
    pub(crate) group: String,
    /// Its name, for people.
    pub(crate) group_name: String,
    /// `install`, `optional-install`, `uninstall` or `not-approved`.
    pub(crate) action: String,
    pub(crate) deadline: Option<String>,
    /// Why the server would refuse the same order now, if it would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<String>,
}

impl KeptApproval {
    /// Whether computers are told anything by it.
    pub(crate) fn deploys(&self) -> bool {
        self.action != "not-approved"
    }
}

/// What is decided about the update.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct UpdateState {
    pub(crate) title: String,
    pub(crate) declined: bool,
    pub(crate) approvals: Vec<KeptApproval>,
    /// Why a newer revision waits and which one is in service meanwhile, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) held: Option<String>,
}

/// What became of an approval that was given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Again {
    /// It is as it was.
    Given,
    /// Its group is gone.
    NoGroup,
    /// The server's rules forbid it, for this reason.
    Refused(String),
}

impl UpdateState {
    /// Whether computers are told of it by an approval.
    pub(crate) fn is_deployed(&self) -> bool {
        !self.declined && self.approvals.iter().any(KeptApproval::deploys)
    }

    /// Why it would not be as it is when it was declined and approved again.
    pub(crate) fn lost_by_a_reset(&self) -> Option<String> {
        if let Some(held) = &self.held {
            return Some(format!("{held}, and a reset would put the newest one in service"));
        }
        let refused = |approval: &KeptApproval| {
            let reason = approval.refused.as_ref()?;
            Some(format!(
                "{} for {} could not be given again: {reason}",
                approval.action, approval.group_name
            ))
        };
        self.approvals.iter().find_map(refused)
    }
}

/// A server that can be told what to do.
pub(crate) trait ManagedServer {
    /// Its name in the tree.
    fn name(&self) -> &str;
    /// Whether its upstream decides for it.
    fn is_replica(&self) -> Answer<'_, bool>;
    /// Makes it a replica of the upstream it has, or lets it decide for itself, with the decisions it has.
    fn set_replica(&self, replica: bool) -> Answer<'_, ()>;
    /// What is decided about an update; `None` when the server does not have it.
    fn update(&self, update: UpdateId) -> Answer<'_, Option<UpdateState>>;
    /// Approves the update.
    fn approve<'a>(&'a self, update: UpdateId, approval: &'a KeptApproval) -> Answer<'a, Again>;
    /// Declines the update, which is not declined.
    fn decline(&self, update: UpdateId) -> Answer<'_, ()>;
    /// Asks it to synchronize; does not wait for the end.
    fn synchronize(&self) -> Answer<'_, ()>;
}
