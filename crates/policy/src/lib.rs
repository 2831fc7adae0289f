//! Room: what an administrator decided and what follows from it. Target groups, approvals and
//! declines; one pure function from decisions to the effective deployment of an update for a set of
//! groups; per-computer update status folded from reported events. No I/O, no clock.
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod approvals;
mod effective;
mod events;
mod groups;
pub mod hierarchy;
mod status;

pub use approvals::{Approval, ApprovalAction, ApprovalError, Change, Decisions, Subject, Withdrawal};
pub use effective::{Decision, Effective, effective, effective_on};
pub use events::{EventKind, Severity, StateGroup, event_kind, event_kinds};
pub use groups::{Group, GroupError, GroupName, GroupTree, MAX_GROUP_DEPTH, Paths};
pub use status::{ClientEvent, ComputerStatus, StateRow, StatusLists, UpdateState};
