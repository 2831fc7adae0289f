//! SOAP: RollupComputers (MS-WSUSSS 3.1.4.15): computers of a downstream server, one by one. Most of what
//! is told stands in attributes.

use super::of;
use crate::client::Cookie;
use crate::field::{Attribute, message, message_with_attributes};
use crate::operations::operation;
use sluicegate_terms::{GroupId, Guid, Timestamp};

message! {
    /// Tells about computers.
    #[derive(Default)]
    pub struct RollupComputersRequest {
        /// As in GetRollupConfiguration.
        cookie: Option<Cookie> = "cookie",
        /// The sender's clock.
        client_time: Timestamp = "clientTime",
        /// The computers.
        computers: Option<Vec<ComputerRollupInfo>> = "computers"["ComputerRollupInfo"],
    }

    /// What the upstream server has to say to that.
    #[derive(Default)]
    pub struct RollupComputersResponse {
        /// Each computer at most once.
        changed: Vec<ChangedComputer> = "RollupComputersResult"["ChangedComputer"],
    }
}

message_with_attributes! {
    /// A computer. A time that never was is 1753-01-01.
    #[derive(Default)]
    pub struct ComputerRollupInfo {
        attributes {
            /// The computer's own name for itself.
            computer_id: Option<String> = "ComputerId",
            /// When it last synchronized.
            last_sync: Timestamp = "LastSyncTime",
            /// 0 unknown, 1 succeeded, 2 failed.
            last_sync_result: i32 = "LastSyncResult",
            /// When it last told of a restart.
            last_reported_reboot: Timestamp = "LastReportedRebootTime",
            /// When it last told a status.
            last_reported_status: Timestamp = "LastReportedStatusTime",
            /// When it last sent an inventory.
            last_inventory: Timestamp = "LastInventoryTime",
            /// The server it gets updates from.
            parent: Guid = "ParentServerId",
        }
        /// What it is; only when that changed.
        details: Option<ComputerRollupDetails> = "Details",
    }

    /// What a computer is.
    #[derive(Default)]
    pub struct ComputerRollupDetails {
        attributes {
            /// Its address.
            ip_address: Option<String> = "IPAddress",
            /// Its DNS name.
            full_domain_name: Option<String> = "FullDomainName",
            /// Version of the system, first part.
            os_major_version: i32 = "OSMajorVersion",
            /// Second part.
            os_minor_version: i32 = "OSMinorVersion",
            /// Build.
            os_build_number: i32 = "OSBuildNumber",
            /// Service pack.
            os_service_pack_major_number: i32 = "OSServicePackMajorNumber",
            /// Service pack.
            os_service_pack_minor_number: i32 = "OSServicePackMinorNumber",
            /// Language of the system.
            os_locale: Option<String> = "OSLocale",
            /// Family of the system.
            os_family: Option<String> = "OSFamily",
            /// Name of the system.
            os_description: Option<String> = "OSDescription",
            /// Maker of the computer.
            computer_make: Option<String> = "ComputerMake",
            /// Its model.
            computer_model: Option<String> = "ComputerModel",
            /// Version of the firmware.
            bios_version: Option<String> = "BiosVersion",
            /// Name of the firmware.
            bios_name: Option<String> = "BiosName",
            /// Date of the firmware.
            bios_release_date: Timestamp = "BiosReleaseDate",
            /// Processor.
            processor_architecture: Option<String> = "ProcessorArchitecture",
            /// Bits of installed suites.
            suite_mask: i32 = "SuiteMask",
            /// 1 workstation, 2 domain controller, 3 server.
            old_product_type: u8 = "OldProductType",
            /// The product code.
            new_product_type: i32 = "NewProductType",
            /// GetSystemMetrics bits.
            system_metrics: i32 = "SystemMetrics",
            /// Version of the agent.
            client_version: Option<String> = "ClientVersion",
        }
        /// The groups it is in.
        target_groups: Vec<GroupId> = "TargetGroupIdList"["guid"],
        /// The groups it asked to be in.
        requested_groups: Vec<String> = "RequestedTargetGroupNames"["string"],
    }

    /// What is to be done about a computer.
    pub struct ChangedComputer {
        attributes {
            /// Which.
            computer_id: Option<String> = "ComputerId",
            /// What.
            change: ComputerChange = "Change",
        }
    }
}

/// What is to be done about a computer (MS-WSUSSS 3.1.4.15.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ComputerChange {
    /// Tell nothing of it any more.
    Deleted,
    /// Tell its details next time.
    NewParent,
}

impl ComputerChange {
    /// The spelling on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "Deleted",
            Self::NewParent => "NewParent",
        }
    }
}

impl Attribute for ComputerChange {
    fn from_text(text: &str) -> Result<Self, String> {
        [Self::Deleted, Self::NewParent].into_iter().find(|known| known.as_str() == text).ok_or_else(|| {
            format!("`{}` is neither Deleted nor NewParent", text.chars().take(40).collect::<String>())
        })
    }
    fn to_text(&self) -> String {
        self.as_str().to_owned()
    }
}

operation!(ROLLUP_COMPUTERS = of("RollupComputers"); RollupComputersRequest => RollupComputersResponse);
