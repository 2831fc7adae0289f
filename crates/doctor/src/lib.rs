//! Room: the doctor. Reads the logs that update servers, site servers and clients leave behind, and
//! names the known problems in them. Rules are data (`rules/`); the engine is pure over bytes, and only
//! `evidence` and `examine` touch files.
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod book;
mod charset;
mod compile;
mod doctor;
mod engine;
mod evidence;
mod examine;
mod finding;
mod frame;
mod literals;
mod rule;
mod scan;

pub use book::{Book, BookError};
pub use compile::CompileError;
pub use doctor::{Doctor, DoctorError};
pub use evidence::Limits;
pub use examine::{FileRead, Note, Progress, Report};
pub use finding::{Evidence, Finding, Related};
pub use rule::{IisCondition, Match, Outcome, Rule, RunCondition, Signal, Stage, Sureness};
