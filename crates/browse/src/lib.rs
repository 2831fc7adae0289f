//! Room: updates and computers as administrators look for them. An index in memory over what the catalog,
//! the decisions and the reports of computers say; filters, counts and pages are answered from it by going
//! through columns, never by SQL. No I/O, no clock: whoever owns an index feeds it.
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod arena;
mod bits;
mod categories;
mod computers;
mod counts;
mod facts;
mod filters;
mod fleet;
mod index;
mod ledger;
mod lists;
mod moments;
mod page;
mod paged;
mod places;
mod scope;
mod settling;
mod shelf;
mod summary;
mod titles;
mod updates;
mod words;

pub use computers::{ComputerHit, ComputerQuery, ComputersOfUpdate};
pub use counts::StateCounts;
pub use facts::{ComputerFacts, Membership, Reboot, Severity, UpdateFacts};
pub use filters::{ApprovalFilter, StatusFilter, UnknownWord, UpdateQuery, UpdateSort};
pub use index::Index;
pub use page::Page;
pub use scope::Scope;
pub use summary::{ComputerSummary, Decided, Summary, UpdateSummary};
pub use updates::{ApprovalState, UpdateHit};
