//! Room: the SyncUpdates engine. An immutable snapshot compiled from catalog and decisions, and the
//! answer for one client as a pure function of (snapshot, query). No I/O, no clock, no SQL; Core
//! fragments are known only by a token and a length.
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod builder;
mod compile;
mod drivers;
mod error;
mod filter;
mod lookups;
mod numbers;
mod opening;
mod outcome;
mod overlay;
mod pool;
mod printers;
mod query;
mod scratch;
mod snapshot;
mod sync;

pub use builder::{RevisionInput, SnapshotBuilder};
pub use error::{CompileError, LeftOut, LeftOutReason};
pub use lookups::{CategoryRequest, CategoryScan, CategoryScanError, MAX_REQUESTED_CATEGORIES};
pub use outcome::{AutoFields, ChangedUpdate, Deployed, NewUpdate, RefreshedRevision, SyncAnswer};
pub use printers::PrinterQuery;
pub use query::{
    Device, ExtensionDriver, InstalledDriver, PageBudget, ProtocolVersion, ProtocolVersionError, SyncQuery,
};
pub use scratch::Scratch;
pub use snapshot::Snapshot;
pub use sync::answer;
