//! SOAP: GetDeployments (MS-WSUSSS 3.1.4.10): target groups and approvals, for replicas.

use super::of;
use crate::client::Cookie;
use crate::error::DecodeError;
use crate::field::{Field, message, read_scalar};
use crate::operations::operation;
use crate::reader::XmlReader;
use crate::writer::XmlWriter;
use sluicegate_terms::{GroupId, Guid, RevisionNumber, Timestamp, UpdateId};

message! {
    /// A replica asks for the decisions made since an anchor.
    #[derive(Default)]
    pub struct GetDeploymentsRequest {
        /// The downstream server's cookie.
        cookie: Option<Cookie> = "cookie",
        /// The anchor of the last answer; absent or empty for everything.
        deployment_anchor: Option<String> = "deploymentAnchor",
        /// The anchor of the last GetRevisionIdList: up to when the replica has updates.
        sync_anchor: Option<String> = "syncAnchor",
    }

    /// Gives them.
    #[derive(Default)]
    pub struct GetDeploymentsResponse {
        /// The decisions.
        result: ServerSyncDeploymentResult = "GetDeploymentsResult",
    }

    /// Groups and decisions. Groups, hidden updates and accepted licences are complete lists, deployments
    /// and dead deployments are changes.
    #[derive(Default)]
    pub struct ServerSyncDeploymentResult {
        /// To be sent next time, unread.
        anchor: Option<String> = "Anchor",
        /// Every target group.
        groups: Vec<ServerSyncTargetGroup> = "Groups"["ServerSyncTargetGroup"],
        /// Deployments that are new.
        deployments: Vec<ServerSyncDeployment> = "Deployments"["ServerSyncDeployment"],
        /// Deployments that are gone, by `DeploymentGuid`.
        dead_deployments: Vec<Guid> = "DeadDeployments"["guid"],
        /// Every declined update.
        hidden_updates: Vec<Guid> = "HiddenUpdates"["guid"],
        /// Every accepted licence.
        accepted_eulas: Vec<Guid> = "AcceptedEulas"["guid"],
    }

    /// A target group.
    #[derive(Default)]
    pub struct ServerSyncTargetGroup {
        /// Which.
        id: Guid = "TargetGroupID",
        /// The group above it; all zeros at the top.
        parent: Guid = "ParentGroupId",
        /// Its name.
        name: Option<String> = "Name",
        /// True when no administrator made it.
        is_builtin: bool = "IsBuiltin",
    }

    /// An approval.
    pub struct ServerSyncDeployment {
        /// Which update.
        update: UpdateId = "UpdateId",
        /// Which revision of it.
        revision: RevisionNumber = "RevisionNumber",
        /// What to do with it.
        action: SyncAction = "Action",
        /// Who decided so.
        admin_name: Option<String> = "AdminName",
        /// Until when it must be done; [`Timestamp::MAX`] for never.
        deadline: Timestamp = "Deadline",
        /// True to install without asking.
        is_assigned: bool = "IsAssigned",
        /// From when on it is good.
        go_live_time: Timestamp = "GoLiveTime",
        /// The deployment's own id, the same on every server below.
        deployment: Guid = "DeploymentGuid",
        /// Which group.
        target_group: GroupId = "TargetGroupId",
        /// 1 lowest to 3 highest.
        download_priority: u8 = "DownloadPriority",
    }
}

/// What a deployment does (MS-WSUSSS 3.1.4.10.3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SyncAction {
    /// 0.
    Install,
    /// 1.
    Uninstall,
    /// 2: find out whether it is needed.
    Scan,
    /// 3: nothing.
    Block,
    /// A number the specification does not have; never equal to one of the others' when read.
    Other(i32),
}

impl SyncAction {
    /// From its number.
    #[must_use]
    pub const fn from_number(number: i32) -> Self {
        match number {
            0 => Self::Install,
            1 => Self::Uninstall,
            2 => Self::Scan,
            3 => Self::Block,
            other => Self::Other(other),
        }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::Install => 0,
            Self::Uninstall => 1,
            Self::Scan => 2,
            Self::Block => 3,
            Self::Other(number) => number,
        }
    }
}

impl<'a> Field<'a> for SyncAction {
    fn read(reader: &mut XmlReader<'a>) -> Result<Self, DecodeError> {
        read_scalar(reader, <i32 as crate::field::Attribute>::from_text).map(Self::from_number)
    }
    fn write(&self, out: &mut XmlWriter, element: &str) {
        self.number().write(out, element);
    }
}

operation!(GET_DEPLOYMENTS = of("GetDeployments"); GetDeploymentsRequest => GetDeploymentsResponse);
