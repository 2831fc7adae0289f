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
}

/// What is decided about the update.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct UpdateState {
    pub(crate) title: String,
    pub(crate) declined: bool,
    pub(crate) approvals: Vec<KeptApproval>,
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
    /// Approves the update. `Ok(Some(reason))` when the server's rules forbid it.
    fn approve<'a>(&'a self, update: UpdateId, approval: &'a KeptApproval) -> Answer<'a, Option<String>>;
    /// Declines the update, which is not declined.
    fn decline(&self, update: UpdateId) -> Answer<'_, ()>;
    /// Asks it to synchronize; does not wait for the end.
    fn synchronize(&self) -> Answer<'_, ()>;
}
