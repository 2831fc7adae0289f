//! Room: SOAP. Envelopes and faults of SOAP 1.1 and 1.2, the typed messages of every service, their
//! service descriptions (WSDL), Xpress bodies and Cabinet files. Bytes in, values out: no I/O, no clock,
//! no storage and no HTTP.
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod client;
pub mod dss_auth;
pub mod envelope;
pub mod fault;
pub mod gzip;
pub mod ready;
pub mod reporting;
pub mod server_reporting;
pub mod server_sync;
pub mod service;
pub mod simple_auth;
pub mod text;
pub mod wsdl;
pub mod xpress;

mod error;
mod field;
mod ints;
mod operations;
mod reader;
mod writer;

/// Cabinet files are a room of their own; messages carry them.
pub use sluicegate_cabinet as cabinet;

pub use envelope::{Limits, SoapVersion};
pub use error::{AnswerError, DecodeError, Problem};
pub use service::{Operation, RequestMessage, ResponseMessage, Service};
