//! Room: SOAP. Envelopes and faults of SOAP 1.1 and 1.2, the typed messages of every service, their
//! service descriptions (WSDL), Xpress bodies and Cabinet files. Bytes in, values out: no I/O, no clock,
//! no storage and no HTTP.
#![deny(missing_docs)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod cabinet;
pub mod gzip;
pub mod ready;
pub mod xpress;
