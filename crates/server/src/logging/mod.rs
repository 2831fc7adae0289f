//! The log as administrators know it: `SoftwareDistribution.log` in the data folder, written by a thread of its
//! own from a bounded queue, so that nobody waits for a disk to log; and finding in it what belongs to a
//! fault's id.

mod explain;
mod file;
mod find;
mod layer;
mod line;
mod queue;

pub use explain::{Meaning, explain};
pub use file::LogFile;
pub use find::{Found, LogLine, find};
pub use layer::DistributionLog;
pub use queue::{Guard, Queue, dropped};

/// The log's name in the data folder; older parts have a number behind it, 1 being the newest.
pub const NAME: &str = "SoftwareDistribution.log";
