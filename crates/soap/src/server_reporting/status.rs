//! SOAP: GetOutOfSyncComputers (MS-WSUSSS 3.1.4.16) and RollupComputerStatus (3.1.4.17): the status of each
//! update on each computer of a downstream server.

use super::of;
use crate::client::Cookie;
use crate::field::message;
use crate::operations::operation;
use sluicegate_terms::{Guid, Timestamp, UpdateId};

message! {
    /// Asks which computers' status the upstream server has missed.
    #[derive(Default)]
    pub struct GetOutOfSyncComputersRequest {
        /// As in GetRollupConfiguration.
        cookie: Option<Cookie> = "cookie",
        /// The sender.
        parent: Guid = "parentServerId",
        /// What was last told of each computer.
        last_rollup_numbers: Option<Vec<ComputerLastRollupNumber>> =
            "lastRollupNumbers"["ComputerLastRollupNumber"],
    }

    /// Names them.
    #[derive(Default)]
    pub struct GetOutOfSyncComputersResponse {
        /// Computers to be told completely.
        computers: Vec<String> = "GetOutOfSyncComputersResult"["string"],
    }

    /// The number of the last status that was told of a computer.
    #[derive(Default)]
    pub struct ComputerLastRollupNumber {
        /// Which computer.
        computer_id: Option<String> = "ComputerId",
        /// The number.
        rollup_number: i32 = "RollupNumber",
    }

    /// Tells the status of computers.
    #[derive(Default)]
    pub struct RollupComputerStatusRequest {
        /// As in GetRollupConfiguration.
        cookie: Option<Cookie> = "cookie",
        /// The sender's clock.
        client_time: Timestamp = "clientTime",
        /// The sender.
        parent: Guid = "parentServerId",
        /// The computers.
        computers: Option<Vec<ComputerStatusRollupInfo>> = "computers"["ComputerStatusRollupInfo"],
    }

    /// Whether it was taken.
    pub struct RollupComputerStatusResponse {
        /// False when the server is busy: send it again later.
        taken: bool = "RollupComputerStatusResult",
    }

    /// The status of one computer.
    #[derive(Default)]
    pub struct ComputerStatusRollupInfo {
        /// A new one each time.
        instance: Guid = "InstanceId",
        /// Which computer.
        computer_id: Option<String> = "ComputerId",
        /// Up to which updates it has told; 1753-01-01 for none.
        effective_last_detection: Timestamp = "EffectiveLastDetectionTime",
        /// Greater than the last time.
        rollup_number: i32 = "RollupNumber",
        /// True when this is everything, false for changes.
        is_full: bool = "IsFullRollup",
        /// By update.
        updates: Vec<ComputerStatusRollupUpdateStatus> = "UpdateStatus"["ComputerStatusRollupUpdateStatus"],
    }

    /// The status of one update on one computer.
    #[derive(Copy)]
    pub struct ComputerStatusRollupUpdateStatus {
        /// Which update.
        update: UpdateId = "UpdateId",
        /// 0 not applicable or unknown, 2 not installed, 3 downloaded, 4 installed, 5 failed, 6 restart pending.
        state: i32 = "SummarizationState",
        /// Since when.
        last_change: Timestamp = "LastChangeTime",
    }
}

operation!(GET_OUT_OF_SYNC_COMPUTERS = of("GetOutOfSyncComputers");
    GetOutOfSyncComputersRequest => GetOutOfSyncComputersResponse);
operation!(ROLLUP_COMPUTER_STATUS = of("RollupComputerStatus");
    RollupComputerStatusRequest => RollupComputerStatusResponse);
