//! Scan: why a snapshot cannot be compiled, and why a single revision is not in it.

use sluicegate_terms::{RevisionId, UpdateId, UpdateIdentity};

/// Data of which no snapshot can be made; the last good one serves on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// More than 2^32 elements of something.
    #[error("the catalog is too large: more than 4 billion {0}")]
    TooLarge(&'static str),
}

/// A revision in service, or one that such a revision bundles, that no client is given, because clients could not make sense of it.
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
    /// What is kept of it cannot be read.
    #[error("what is kept of it is damaged; `sluicegate check --repair` makes it anew from its document")]
    Damaged,
    /// Another revision has the same id.
    #[error("{0} has the same revision id; import this one again")]
    SharedRevisionId(UpdateIdentity),
    /// It is there once more under another id.
    #[error("it is in the catalog twice, also as revision id {0}; `sluicegate check` says more")]
    SharedIdentity(RevisionId),
}
