//! SOAP: the half of the Reporting service that downstream servers use (MS-WSUSSS 3.1.4.13 to 3.1.4.17):
//! what they tell about themselves, their computers and the status of those. The other half, for agents,
//! is [`reporting`](crate::reporting); both are at one address.

mod computers;
mod servers;
mod status;

pub use computers::{
    ChangedComputer, ComputerChange, ComputerRollupDetails, ComputerRollupInfo, RollupComputersRequest,
    RollupComputersResponse,
};
pub use servers::{
    DownstreamServerRollupClientActivitySummary, DownstreamServerRollupClientSummary,
    DownstreamServerRollupInfo, DownstreamServerRollupServerSummary, GetRollupConfigurationRequest,
    GetRollupConfigurationResponse, RollupConfiguration, RollupDownstreamServersRequest,
    RollupDownstreamServersResponse,
};
pub use status::{
    ComputerLastRollupNumber, ComputerStatusRollupInfo, ComputerStatusRollupUpdateStatus,
    GetOutOfSyncComputersRequest, GetOutOfSyncComputersResponse, RollupComputerStatusRequest,
    RollupComputerStatusResponse,
};

use crate::operations::requests;
use crate::service::{Operation, Service};
use crate::simple_auth::{PING, PingRequest};

const fn of(name: &'static str) -> Operation {
    Operation::of(Service::Reporting, name)
}

requests! {
    /// A request of a downstream server to the Reporting service.
    []
    /// MS-WSUSSS 3.1.4.13.
    GetRollupConfiguration(GetRollupConfigurationRequest) = servers::GET_ROLLUP_CONFIGURATION,
    /// MS-WSUSSS 3.1.4.14.
    RollupDownstreamServers(RollupDownstreamServersRequest) = servers::ROLLUP_DOWNSTREAM_SERVERS,
    /// MS-WSUSSS 3.1.4.15.
    RollupComputers(RollupComputersRequest) = computers::ROLLUP_COMPUTERS,
    /// MS-WSUSSS 3.1.4.16.
    GetOutOfSyncComputers(GetOutOfSyncComputersRequest) = status::GET_OUT_OF_SYNC_COMPUTERS,
    /// MS-WSUSSS 3.1.4.17.
    RollupComputerStatus(RollupComputerStatusRequest) = status::ROLLUP_COMPUTER_STATUS,
    /// Asks whether the service is there.
    Ping(PingRequest) = PING,
}
