//! Room: the field's terms. Identifiers, digests, times and the few enumerations that every other
//! room shares, each with the rule that makes a value valid. Text from outside is parsed here once;
//! behind this border nothing is stringly. No I/O, no clock.
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod digest;
mod guid;
mod identity;
mod kinds;
mod timestamp;

pub use digest::{Sha1Digest, Sha256Digest};
pub use guid::Guid;
pub use identity::{
    Anchor, ComputerId, DeploymentId, GroupId, Locale, RevisionId, RevisionNumber, UpdateId, UpdateIdentity,
};
pub use kinds::{CategoryKind, DeploymentAction, UpdateKind};
pub use timestamp::Timestamp;

/// A value from outside that breaks the rule of its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TermError {
    /// Not a GUID in the 8-4-4-4-12 form.
    #[error("`{0}` is not a GUID (expected 8-4-4-4-12 hexadecimal digits)")]
    Guid(String),
    /// A number outside the range its term allows.
    #[error("{term} {value} is out of range (expected {expected})")]
    Range {
        /// Which term.
        term: &'static str,
        /// What was given.
        value: i64,
        /// What would do.
        expected: &'static str,
    },
    /// Text that is empty, too long or has control characters.
    #[error("{term} is not valid: {reason}")]
    Text {
        /// Which term.
        term: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Not an `xs:dateTime` or `xs:date`.
    #[error("`{0}` is not a date and time (expected ISO 8601, for example 2026-10-04T15:03:36Z)")]
    Timestamp(String),
    /// A digest of the wrong length or encoding.
    #[error("`{0}` is not a {1} digest")]
    Digest(String, &'static str),
    /// A word that is not one of an enumeration.
    #[error("`{value}` is not a known {term}")]
    Word {
        /// Which enumeration.
        term: &'static str,
        /// What was given.
        value: String,
    },
}

/// At most this many characters of a bad value are repeated in an error.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
}
