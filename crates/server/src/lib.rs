//! HTTP and nothing else: the client, reporting and content endpoints, cookies, admission, the admin
//! API, and the publishing of snapshots. Rules live in `scan` and `policy`, state in `store`; this
//! room carries bytes between them and the network.
#![deny(missing_docs)]

pub mod admission;
mod aside;
mod browsing;
pub mod checking;
pub mod clock;
pub mod content;
pub mod cookie;
pub mod directory;
pub mod logging;
pub mod random;
pub mod routes;
pub mod settings;
mod standing;
pub mod telemetry;
pub mod transport;
mod twins;
mod untold;
mod unusable;

mod admin;
mod cleanup;
mod contacts;
mod diagnosis;
mod endpoint;
mod found;
mod health;
mod hierarchy;
mod inventory;
mod lost;
mod missing;
mod options;
mod publisher;
mod refused;
mod ring;
mod self_test;
mod server;
mod services;
mod state;
mod synchronizing;
#[cfg(test)]
mod testing;
mod watching;

pub use options::{Limits, Mirror, ServerOptions};
pub use server::{Running, Server, StartError};
