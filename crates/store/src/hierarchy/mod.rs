//! Store: this server's place in a tree of servers: its upstream and how far synchronization is, the
//! servers and computers below it, and where files come from.

mod above;
mod adopted;
mod ahead;
mod allowed;
mod aside;
pub(crate) mod asking;
mod awaited;
mod counts;
mod crowd;
mod details;
mod downstream;
mod failed;
mod files;
mod generation;
pub(crate) mod grouped;
mod history;
mod kept;
mod languages;
mod lives;
pub(crate) mod memberships;
pub(crate) mod place;
mod ring;
mod rollup;
mod settings;
mod source;
mod state;
mod strays;
mod summary;
mod telling;
mod twins;
mod wanted;

pub use adopted::DeploymentNews;
pub use ahead::CLOCK_BELIEVED_AFTER;
pub(crate) use allowed::load as load_allowed;
pub use awaited::Awaited;
pub use counts::{ActivitySummary, ClientSummary, ServerSummary};
pub use details::ComputerDetails;
pub(crate) use downstream::WRITTEN_WITHIN;
pub use downstream::{DownstreamContact, DownstreamServer, RolledServer};
pub use failed::{FailedRevision, FailedRevisions, MOST_WAITING};
pub use files::{FILE_WAITS, FileNeed};
pub use generation::Generation;
pub use grouped::{GroupSizesBelow, GroupedBelow, ShareBelow};
pub use history::{RunCounts, RunOutcome, SyncRun};
pub use languages::{FileSum, LanguageChange};
pub use lives::{GREATEST_MARK, Life};
pub use place::PlaceBelow;
pub use ring::{LATE, RING_ENDS, Ring};
pub use rollup::{
    DownstreamComputer, DownstreamComputerFilter, RolledComputer, RolledStatus, RollupChange, StatusReport,
};
pub(crate) use settings::load as load_upstream;
pub use settings::{Password, ProxyCredentials, ProxyServer, ProxySettings, UpstreamSettings};
pub use source::UpstreamSource;
pub use state::{CoveredFilter, NotTold, SyncState, UpstreamFacts};
pub use strays::Stray;
pub use telling::{OwnComputer, TellComputer, Told};
pub use twins::{TWINS_END, Twins};
pub use wanted::WantedFiles;
