//! Catalog: checks a set of revisions against each other and against the catalog before they enter it, so that
//! nothing contradictory, dangling or circular is ever published. Pure and linear in the relationships;
//! works on compact records and a lookup, not on documents.

use crate::ScanRecord;
use core::fmt;
use sluicegate_terms::{CategoryKind, RevisionNumber, Sha256Digest, UpdateId, UpdateIdentity, UpdateKind};

mod bundles;
mod cycles;
mod set;

/// One revision that wants to enter the catalog.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The file it came from; named in contradictions.
    pub source: &'a str,
    /// Its compact record.
    pub record: &'a ScanRecord,
    /// [`crate::UpdateDocument::content`] of its document.
    pub content: Sha256Digest,
}

/// What the catalog already has of one update.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KnownUpdate {
    /// Its highest revision.
    pub revision: RevisionNumber,
    /// What it is.
    pub kind: UpdateKind,
    /// Its level, for categories.
    pub category_kind: Option<CategoryKind>,
}

/// The catalog as it is, asked by [`check_set`]. The revisions in it are taken to be sound.
pub trait Known {
    /// The content digest of a revision that is present.
    fn content(&self, revision: UpdateIdentity) -> Option<Sha256Digest>;
    /// The highest revision of an update that is present.
    fn update(&self, update: UpdateId) -> Option<KnownUpdate>;
    /// The prerequisites of that highest revision. Only asked when a candidate revises an update that
    /// is present, for updates its prerequisites lead to.
    fn prerequisites(&self, update: UpdateId) -> Vec<crate::Clause>;
}

/// An empty catalog.
#[derive(Clone, Copy, Debug, Default)]
pub struct NothingKnown;

impl Known for NothingKnown {
    fn content(&self, _: UpdateIdentity) -> Option<Sha256Digest> {
        None
    }
    fn update(&self, _: UpdateId) -> Option<KnownUpdate> {
        None
    }
    fn prerequisites(&self, _: UpdateId) -> Vec<crate::Clause> {
        Vec::new()
    }
}

/// What to do with a candidate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Sound, and the first revision of its update.
    Added,
    /// Sound, and another revision of an update that is present or comes with it.
    Revised,
    /// The same revision with the same content is present already, or earlier in the set.
    Unchanged,
    /// To be kept out, with the reason. Missing parts may still arrive: check it again then.
    Refused(Problem),
}

/// Why a candidate is kept out.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Problem {
    /// Two documents claim to be the same revision.
    #[error("another document has the same identity but other content: {other}; keep the genuine one")]
    Contradiction {
        /// Where the other one is.
        other: String,
    },
    /// Revisions of one update are of one kind.
    #[error("it is a {is} but other revisions of the update are a {was}")]
    KindChanged {
        /// The kind of the other revisions.
        was: UpdateKind,
        /// The kind of this one.
        is: UpdateKind,
    },
    /// Nothing can satisfy a prerequisite clause.
    #[error("prerequisite {} {}", list(any_of), absent(refused))]
    MissingPrerequisite {
        /// The clause's alternatives.
        any_of: Vec<UpdateId>,
        /// Some alternative came along but was refused itself.
        refused: bool,
    },
    /// A bundled revision is absent. Every member of every clause is required: agents are given its id.
    #[error("bundled update {member} {}", absent(refused))]
    MissingBundled {
        /// The member.
        member: UpdateIdentity,
        /// It came along but was refused itself.
        refused: bool,
    },
    /// Updates that wait for each other: no client could ever be given any of them.
    #[error("its prerequisites lead back to itself: {}", list(path))]
    PrerequisiteCycle {
        /// The circle, shortened when very long.
        path: Vec<UpdateId>,
    },
    /// Bundles that contain each other.
    #[error("it bundles itself: {}", list(path))]
    BundleCycle {
        /// The circle, shortened when very long.
        path: Vec<UpdateIdentity>,
    },
    /// An `IsCategory` clause names something else.
    #[error("{category} is named as its category but is a {kind}")]
    NotACategory {
        /// What is named.
        category: UpdateId,
        /// What it is.
        kind: UpdateKind,
    },
    /// Categories go from company over family to product; classifications have nothing under them.
    #[error("a {kind} cannot stand under {parent}, which is a {parent_kind}")]
    CategoryOrder {
        /// The upper one.
        parent: UpdateId,
        /// The level of the upper one.
        parent_kind: CategoryKind,
        /// The level of this one.
        kind: CategoryKind,
    },
}

fn list<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

fn absent(refused: &bool) -> &'static str {
    if *refused {
        "was refused too"
    } else {
        "is not in the catalog; import it and this update enters by itself"
    }
}

/// Checks every candidate; the verdicts are in the order given.
///
/// Prerequisites name updates, meaning their highest revision. A clause is satisfiable when one of
/// its alternatives is in the catalog or in the set and sound itself. Refusing one candidate refuses
/// what depends on it.
pub fn check_set(candidates: &[Candidate<'_>], known: &impl Known) -> Vec<Verdict> {
    let mut set = set::Set::new(candidates, known);
    set.check_identities();
    set.check_categories();
    set.check_presence();
    // Refusing the members of a circle can leave an older revision in charge of an update, with
    // other prerequisites; so look again, but not for ever.
    for _ in 0..MAX_ROUNDS {
        let bundled = bundles::refuse_cycles(&mut set);
        let circular = cycles::refuse_cycles(&mut set, false);
        if !bundled && !circular {
            return set.verdicts();
        }
    }
    cycles::refuse_cycles(&mut set, true);
    set.verdicts()
}

/// Real sets need two rounds; contrived ones must not need more than a bounded number.
const MAX_ROUNDS: usize = 32;

/// The longest circle spelled out in a problem.
const MAX_PATH: usize = 16;

#[cfg(test)]
#[path = "consistency/tests.rs"]
mod tests;
