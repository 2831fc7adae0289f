//! Room: durable state. SQLite for rows, append-only segments for fragments, a folder for content. What
//! is acknowledged here survives a power cut; what is half-written is never visible. Knows nothing of
//! SOAP or HTTP; time comes in as parameters.
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod content;
mod database;
mod error;
mod folder;
mod segment;

pub use error::StoreError;
