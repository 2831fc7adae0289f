//! Room: update documents. Reads the XML that describes an update (UTF-8 or UTF-16), checks it, derives
//! the fragments a client is sent, the compact record the scan engine needs and what listings show;
//! checks sets of documents against each other, reads export packages, evaluates applicability rules.
//! No I/O, no clock, nothing about approvals.
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod applicability;
pub mod compose;
pub mod consistency;
pub mod document;
mod encoding;
mod error;
pub mod fragments;
mod limits;
mod listing;
mod namespaces;
pub mod package;
mod parse;
pub mod record;
mod traits;
mod version;
mod xml;

pub use document::UpdateDocument;
pub use encoding::text_of;
pub use error::{CatalogError, Reason};
pub use fragments::{Eula, Fragments};
pub use limits::Limits;
pub use listing::{FileEntry, Listing};
pub use parse::parse;
pub use record::{Clause, DriverEntry, FeatureScore, RecordError, ScanRecord};
pub use traits::Traits;
pub use version::Version;
