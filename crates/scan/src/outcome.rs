//! Scan: what a client is answered, before it is put into words. The server adds the Core fragments,
//! which this room knows only by a token, and the cookie.

use sluicegate_terms::{Anchor, DeploymentAction, DeploymentId, RevisionId, Timestamp, UpdateIdentity};

/// The fields AutoSelect, AutoDownload and SupersedenceBehavior, which are always 0 and always together
/// (MS-WUSP 2.2.2.2.4; observed behaviour 3.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct AutoFields {
    /// `AutoSelect`.
    pub select: u8,
    /// `AutoDownload`.
    pub download: u8,
    /// `SupersedenceBehavior`.
    pub supersedence: u8,
}

/// How a revision is deployed to the client (MS-WUSP 2.2.2.2.4, Deployment).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Deployed {
    /// `ID`.
    pub id: DeploymentId,
    /// `Action`.
    pub action: DeploymentAction,
    /// `Deadline`.
    pub deadline: Option<Timestamp>,
    /// `IsAssigned`; false for what users may install by themselves, true otherwise (observed).
    pub is_assigned: bool,
    /// `LastChangeTime`; its day is what goes on the wire.
    pub last_change: Timestamp,
    /// `DownloadPriority`; real servers leave it out (observed), and so do we.
    pub download_priority: Option<u8>,
    /// `HardwareIds`: the ids a driver was the best match by, in lower case, sorted; from protocol 1.6 on.
    pub hardware_ids: Vec<Box<str>>,
    /// From protocol 1.8 on.
    pub auto: Option<AutoFields>,
}

/// An entry of `NewUpdates`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewUpdate {
    /// `ID`.
    pub revision: RevisionId,
    /// The revision's place in this snapshot.
    pub index: u32,
    /// `Deployment`.
    pub deployment: Deployed,
    /// `IsLeaf`.
    pub is_leaf: bool,
    /// Length of its escaped Core fragment, in bytes.
    pub core_escaped_len: u32,
}

/// An entry of `ChangedUpdates`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangedUpdate {
    /// `ID`.
    pub revision: RevisionId,
    /// `Deployment`.
    pub deployment: Deployed,
    /// `IsLeaf`.
    pub is_leaf: bool,
}

/// The answer to SyncUpdates or SyncPrinterCatalog (MS-WUSP 2.2.2.2.4, SyncInfo).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SyncAnswer {
    /// `NewUpdates`: what others depend on first, then by revision id.
    pub new: Vec<NewUpdate>,
    /// `OutOfScopeRevisionIDs`, in the order of the request, each once.
    pub out_of_scope: Vec<i32>,
    /// `ChangedUpdates`, in the same order as `new`.
    pub changed: Vec<ChangedUpdate>,
    /// `Truncated`: more new updates wait.
    pub truncated: bool,
    /// `DeployedOutOfScopeRevisionIds`, in the order of the request, each once.
    pub deployed_out_of_scope: Vec<i32>,
    /// `DriverSyncNotNeeded`; `None` below protocol 1.7.
    pub driver_sync_not_needed: Option<bool>,
    /// What the client has seen once it has this answer; goes into `NewCookie`.
    pub anchor: Anchor,
}

/// An element of a RefreshCache answer (MS-WUSP 2.2.2.2.5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefreshedRevision {
    /// `GlobalID`.
    pub identity: UpdateIdentity,
    /// `RevisionID`.
    pub revision: RevisionId,
    /// `IsLeaf`.
    pub is_leaf: bool,
    /// `Deployment`.
    pub deployment: Deployed,
}
