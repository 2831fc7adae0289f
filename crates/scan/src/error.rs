//! Scan: why a snapshot cannot be compiled, and why a single revision is not in it.

use sluicegate_terms::{RevisionId, UpdateId, UpdateIdentity};

/// Data that contradicts itself as a whole. No snapshot is made; the last good one serves on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// Two revisions under one id.
    #[error(
        "the revision id {revision} stands for both {first} and {second}; import one of them again under another id"
    )]
    SharedRevisionId {
        /// The id.
        revision: RevisionId,
        /// One holder.
        first: UpdateIdentity,
        /// The other.
        second: UpdateIdentity,
    },
    /// One revision under two ids.
    #[error("{identity} is in the catalog twice, as revision ids {first} and {second}; remove one of them")]
    SharedIdentity {
        /// The revision.
        identity: UpdateIdentity,
        /// One id.
        first: RevisionId,
        /// The other.
        second: RevisionId,
    },
    /// More than 2^32 elements of something.
    #[error("the catalog is too large: more than 4 billion {0}")]
    TooLarge(&'static str),
}

/// A newest revision that no client is given, because clients could not make sense of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{identity} is left out of scans: {reason}")]
pub struct LeftOut {
    /// Which revision.
    pub identity: UpdateIdentity,
    /// Its id.
    pub revision: RevisionId,
    /// Why.
    pub reason: LeftOutReason,
}

/// Why a revision is left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeftOutReason {
    /// No alternative of a prerequisite clause is in the catalog.
    #[error("it needs {0}, which is not in the catalog; import that update too")]
    MissingPrerequisite(UpdateId),
    /// A clause of prerequisites or of bundled updates without an alternative.
    #[error("one of its clauses names no update; import a corrected revision")]
    EmptyClause,
    /// No alternative of a clause of bundled updates is in the catalog.
    #[error("it bundles {0}, which is not in the catalog; import that update too")]
    MissingBundled(UpdateId),
    /// What it bundles is itself left out.
    #[error("it bundles {0}, which is left out itself")]
    BundledLeftOut(UpdateId),
    /// It bundles itself, directly or through others.
    #[error(
        "it is part of, or contains, a ring of bundles that contain each other; import a corrected revision"
    )]
    BundleCycle,
}
