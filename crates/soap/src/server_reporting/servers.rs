//! SOAP: GetRollupConfiguration (MS-WSUSSS 3.1.4.13) and RollupDownstreamServers (3.1.4.14).

use super::of;
use crate::client::Cookie;
use crate::field::message;
use crate::operations::operation;
use sluicegate_terms::{Guid, Timestamp, UpdateId};

message! {
    /// Asks what the upstream server wants to be told.
    #[derive(Default)]
    pub struct GetRollupConfigurationRequest {
        /// Expires 9999-12-31 and holds nothing, by the specification (3.2.4.5).
        cookie: Option<Cookie> = "cookie",
    }

    /// Says it.
    pub struct GetRollupConfigurationResponse {
        /// What it wants.
        configuration: RollupConfiguration = "GetRollupConfigurationResult",
    }

    /// What an upstream server wants to be told, and how much at once. Each limit is above zero.
    #[derive(Default)]
    pub struct RollupConfiguration {
        /// True when it wants to know computers one by one.
        do_detailed_rollup: bool = "DoDetailedRollup",
        /// When this is another than last time, everything is to be told again.
        rollup_reset: Guid = "RollupResetGuid",
        /// The upstream server's own id.
        server_id: Guid = "ServerId",
        /// Most client summaries in one RollupDownstreamServers.
        max_downstream_servers: i32 = "RollupDownstreamServersMaxBatchSize",
        /// Most computers in one RollupComputers.
        max_computers: i32 = "RollupComputersMaxBatchSize",
        /// Most computers in one GetOutOfSyncComputers.
        max_out_of_sync: i32 = "GetOutOfSyncComputersMaxBatchSize",
        /// Most computers in one RollupComputerStatus.
        max_status: i32 = "RollupComputerStatusMaxBatchSize",
    }

    /// Tells about servers: the sender first, then those below it, each after its parent.
    #[derive(Default)]
    pub struct RollupDownstreamServersRequest {
        /// As in GetRollupConfiguration.
        cookie: Option<Cookie> = "cookie",
        /// The sender's clock.
        client_time: Timestamp = "clientTime",
        /// The servers.
        servers: Option<Vec<DownstreamServerRollupInfo>> = "downstreamServers"["DownstreamServerRollupInfo"],
    }

    /// Nothing.
    #[derive(Default, Copy)]
    pub struct RollupDownstreamServersResponse {}

    /// What is known about a downstream server. A time that never was is 1753-01-01.
    #[derive(Default)]
    pub struct DownstreamServerRollupInfo {
        /// Which.
        server_id: Guid = "ServerId",
        /// Its DNS name.
        full_domain_name: Option<String> = "FullDomainName",
        /// When it last synchronized.
        last_sync: Timestamp = "LastSyncTime",
        /// The server above it; all zeros for the one that is told.
        parent: Guid = "ParentServerId",
        /// Version of its software, one to four numbers with periods between.
        version: Option<String> = "Version",
        /// True for a replica.
        is_replica: bool = "IsReplica",
        /// When it last told about itself.
        last_rollup: Timestamp = "LastRollupTime",
        /// Counts of its updates and computers.
        server_summary: Option<DownstreamServerRollupServerSummary> = "ServerSummary",
        /// Counts by kind of computer.
        client_summaries: Vec<DownstreamServerRollupClientSummary> =
            "ClientSummaries"["DownstreamServerRollupClientSummary"],
    }

    /// Counts of a server's updates and computers.
    #[derive(Default, Copy)]
    pub struct DownstreamServerRollupServerSummary {
        /// Updates.
        updates: i32 = "UpdateCount",
        /// Updates that are declined.
        declined: i32 = "DeclinedUpdateCount",
        /// Updates approved for some group.
        approved: i32 = "ApprovedUpdateCount",
        /// Updates neither approved nor declined.
        not_approved: i32 = "NotApprovedUpdateCount",
        /// Updates with an approval of another revision than the latest.
        stale_approvals: i32 = "UpdatesWithStaleUpdateApprovalsCount",
        /// Updates that are expired and have no approval.
        expired: i32 = "ExpiredUpdateCount",
        /// Critical or security updates without approval for installation.
        critical_not_approved: i32 = "CriticalOrSecurityUpdatesNotApprovedForInstallCount",
        /// Updates the update infrastructure needs, without approval for installation.
        infrastructure_not_approved: i32 = "WsusInfrastructureUpdatesNotApprovedForInstallCount",
        /// Updates that failed on some computer.
        with_client_errors: i32 = "UpdatesWithClientErrorsCount",
        /// Updates whose files could not be fetched.
        with_server_errors: i32 = "UpdatesWithServerErrorsCount",
        /// Updates whose files are not all there yet.
        needing_files: i32 = "UpdatesNeedingFilesCount",
        /// Updates some computer needs.
        needed: i32 = "UpdatesNeededByComputersCount",
        /// Updates installed wherever they apply.
        up_to_date: i32 = "UpdatesUpToDateCount",
        /// Target groups that are not built in.
        custom_groups: i32 = "CustomComputerTargetGroupCount",
        /// Computers.
        computers: i32 = "ComputerTargetCount",
        /// Computers that need some update.
        computers_needing_updates: i32 = "ComputerTargetsNeedingUpdatesCount",
        /// Computers some update failed on.
        computers_with_errors: i32 = "ComputerTargetsWithUpdateErrorsCount",
        /// Computers that have all they need.
        computers_up_to_date: i32 = "ComputersUpToDateCount",
    }

    /// How many computers of one kind there are, and what was installed on them.
    #[derive(Default)]
    pub struct DownstreamServerRollupClientSummary {
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
        /// Bits of installed suites.
        suite_mask: i32 = "SuiteMask",
        /// 1 workstation, 2 domain controller, 3 server.
        old_product_type: u8 = "OldProductType",
        /// The product code.
        new_product_type: i32 = "NewProductType",
        /// GetSystemMetrics bits.
        system_metrics: i32 = "SystemMetrics",
        /// Processor.
        processor_architecture: Option<String> = "ProcessorArchitecture",
        /// How many computers.
        count: i32 = "Count",
        /// What was installed on them since the last rollup.
        activity: Vec<DownstreamServerRollupClientActivitySummary> =
            "ActivitySummaries"["DownstreamServerRollupClientActivitySummary"],
    }

    /// How often one revision was installed on computers of one kind.
    pub struct DownstreamServerRollupClientActivitySummary {
        /// Which update.
        update: UpdateId = "UpdateId",
        /// Which revision; 0 for none.
        revision: i32 = "RevisionNumber",
        /// Successes.
        successes: i32 = "InstallSuccessCount",
        /// Failures.
        failures: i32 = "InstallFailureCount",
    }
}

operation!(GET_ROLLUP_CONFIGURATION = of("GetRollupConfiguration");
    GetRollupConfigurationRequest => GetRollupConfigurationResponse);
operation!(ROLLUP_DOWNSTREAM_SERVERS = of("RollupDownstreamServers");
    RollupDownstreamServersRequest => RollupDownstreamServersResponse);
