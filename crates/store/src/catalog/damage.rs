//! Store: revisions whose bytes were found damaged, so that they are told of once and left out of scans until they
//! are repaired. Known for one reading of the database: a repair reads anew and begins with nothing.

use crate::error::StoreError;
use parking_lot::Mutex;
use sluicegate_terms::RevisionId;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Damage {
    /// Revisions whose fragments cannot be read.
    fragments: Mutex<BTreeSet<RevisionId>>,
    /// Revisions whose document cannot be read; clients do without it.
    documents: Mutex<BTreeSet<RevisionId>>,
    /// How many of the former, to be asked without a lock.
    count: AtomicUsize,
}

impl Damage {
    /// Notes that the fragments of a revision cannot be read; tells of it the first time.
    pub(crate) fn fragments(&self, revision: RevisionId, error: &dyn std::fmt::Display) {
        let mut known = self.fragments.lock();
        if known.insert(revision) {
            self.count.store(known.len(), Ordering::Release);
            tracing::error!(
                %revision,
                %error,
                "the fragments of a revision are damaged; clients do without it until `sluicegate check --repair` \
                 has made them anew"
            );
        }
    }

    /// Notes that the document of a revision cannot be read; tells of it the first time.
    pub(crate) fn document(&self, revision: RevisionId, error: &StoreError) {
        if self.documents.lock().insert(revision) {
            tracing::error!(%revision, %error, "the document of a revision is damaged; downstream servers do without it");
        }
    }

    /// How many revisions have damaged fragments. Cheap.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Which have.
    pub(crate) fn list(&self) -> Vec<RevisionId> {
        self.fragments.lock().iter().copied().collect()
    }

    /// How many have a damaged document.
    pub(crate) fn documents(&self) -> usize {
        self.documents.lock().len()
    }
}
