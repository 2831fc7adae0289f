//! HTTP and nothing else: the client, reporting and content endpoints, cookies, admission, the admin
//! API, and the publishing of snapshots. Rules live in `scan` and `policy`, state in `store`; this
//! room carries bytes between them and the network.
#![deny(missing_docs)]

pub mod admission;
pub mod clock;
pub mod content;
pub mod cookie;

mod options;
pub mod random;
pub mod transport;

pub use options::{Limits, ServerOptions};
