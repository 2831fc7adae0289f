//! Store: this server's place in a tree of servers: its upstream and how far synchronization is, the
//! servers and computers below it, and where files come from.

mod aside;
mod crowd;
mod downstream;
mod files;
mod history;
mod rollup;
mod settings;
mod state;

pub use aside::DeploymentNews;
pub use downstream::{
    ActivitySummary, ClientSummary, DownstreamContact, DownstreamServer, RolledServer, ServerSummary,
};
pub use files::{FileNeed, WantedFiles};
pub use history::{RunCounts, RunOutcome, SyncRun};
pub use rollup::{
    ComputerDetails, DownstreamComputer, DownstreamComputerFilter, OwnComputer, RolledComputer, RolledStatus,
    RollupChange, StatusReport, TellComputer, Told,
};
pub(crate) use settings::load as load_upstream;
pub use settings::{
    Password, ProxyCredentials, ProxyServer, ProxySettings, UpstreamSettings, UpstreamSource,
};
pub use state::{CoveredFilter, FailedRevision, SyncState, UpstreamFacts};
