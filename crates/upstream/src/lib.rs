//! Room: the upstream side. Talks to Microsoft Update or to a parent server through whatever network
//! lies between, and brings metadata and files into the store. Knows nothing of the server's own
//! services.
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod content;
pub mod intake;
pub mod sync;
pub mod transport;

mod ntlm;
mod synchronizer;
mod timetable;

pub use synchronizer::{Probe, Started, Synchronizer, SynchronizerOptions};
