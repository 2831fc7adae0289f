//! Room: what an administrator decided and what follows from it. Target groups, approvals and declines,
//! licence terms, automatic rules, what a new revision changes; one pure function from decisions to the effective deployment of an update for a set of
//! groups; per-computer update status folded from reported events. No I/O, no clock.
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod approvals;
mod carried;
pub mod cleanup;
mod decisions;
mod effective;
mod events;
pub mod filters;
mod groups;
pub mod hierarchy;
mod licences;
mod refusals;
mod removal;
pub mod rules;
mod status;
mod succession;
mod yielding;

pub use approvals::{Approval, ApprovalAction, Approvals, Change, Decline, Denial, Mark, Order, Stamp};
pub use carried::{CarriedApproval, CarriedDecisions, Known, KnownRevision, TakenIn};
pub use decisions::{Decisions, Subject, Withdrawal};
pub use effective::{Decision, Effective, effective, effective_on};
pub use events::{EventKind, Severity, StateGroup, event_kind};
pub use groups::{Group, GroupError, GroupName, GroupTree, MAX_GROUP_DEPTH, Paths};
pub use licences::{Acceptance, EulaId};
pub use refusals::ApprovalError;
pub use removal::RemovedGroups;
pub use status::{ClientEvent, ComputerStatus, StateRow, StatusLists, UpdateState};
pub use succession::{Arrival, Hold, HoldReason, Succession, SuccessionOptions};
