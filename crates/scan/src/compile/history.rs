//! Scan: since when updates are named by others. IsLeaf and the action of a member of a bundle follow from
//! that, and both can turn long after the update itself arrived, which clients must be told.

use super::{Live, NEVER, alternatives, bundle_clauses};
use crate::builder::SnapshotBuilder;
use sluicegate_terms::Anchor;

/// When updates came to be named by others.
pub(super) struct History {
    /// First named as a prerequisite by any revision, old ones included: from then on not a leaf.
    pub(super) named: Vec<Anchor>,
    /// Since when a revision in service bundles it.
    pub(super) bundled: Vec<Anchor>,
    /// When the revision of a bundle in service came not to have it, which another revision has.
    pub(super) dropped: Vec<Anchor>,
}

impl History {
    pub(super) fn of(builder: &SnapshotBuilder, live: &Live) -> Self {
        let updates = builder.updates.len();
        let mut history = Self {
            named: vec![NEVER; updates],
            bundled: vec![NEVER; updates],
            dropped: vec![Anchor::START; updates],
        };
        let lower = |slots: &mut [Anchor], index: u32, anchor: Anchor| {
            if let Some(slot) = slots.get_mut(index as usize) {
                *slot = anchor.min(*slot);
            }
        };
        let mut gates = vec![NEVER; builder.gates.lists().len()];
        for row in &builder.rows {
            lower(&mut gates, row.gate, row.arrived);
        }
        let mut clauses = vec![NEVER; builder.clauses.lists().len()];
        for (gate, arrived) in builder.gates.lists().iter().zip(&gates) {
            for clause in gate {
                lower(&mut clauses, *clause, *arrived);
            }
        }
        for (clause, arrived) in (0_u32..).zip(&clauses) {
            for update in alternatives(builder, clause) {
                lower(&mut history.named, *update, *arrived);
            }
        }
        for (row, number) in builder.rows.iter().zip(0_u32..) {
            let newest = live.of(row.update);
            if newest == Some(number) {
                for member in bundle_clauses(builder, row).flatten() {
                    lower(&mut history.bundled, *member, live.since(row));
                }
            } else if let Some(newest) = newest.and_then(|n| builder.rows.get(n as usize)) {
                for member in bundle_clauses(builder, row).flatten() {
                    let kept =
                        bundle_clauses(builder, newest).any(|clause| clause.binary_search(member).is_ok());
                    if let Some(slot) = history.dropped.get_mut(*member as usize).filter(|_| !kept) {
                        *slot = live.since(newest).max(*slot);
                    }
                }
            }
        }
        history
    }

    pub(super) fn is_leaf(&self, update: u32) -> bool {
        self.named.get(update as usize).is_none_or(|anchor| *anchor == NEVER)
    }

    pub(super) fn is_member(&self, update: u32) -> bool {
        self.bundled.get(update as usize).is_some_and(|anchor| *anchor != NEVER)
    }
}
