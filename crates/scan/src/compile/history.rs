//! Scan: since when updates are named by others. IsLeaf and the action of a member of a bundle follow from
//! that, and both can turn long after the update itself arrived, which clients must be told.

use super::{Live, alternatives, bundle_clauses};
use crate::builder::{Member, SnapshotBuilder};
use crate::pool::{at, count};
use sluicegate_terms::Anchor;

/// An anchor by its place among all that there are, from 1: few anchors, and many updates to keep them for.
type Rank = u32;

/// Before all anchors: nothing ever happened.
const START: Rank = 0;
/// After all anchors: it did not happen yet.
const NEVER: Rank = u32::MAX;

/// When updates came to be named by others.
pub(super) struct History {
    /// All anchors of arrivals and releases, in order.
    anchors: Vec<Anchor>,
    /// First named as a prerequisite by any revision, old ones included: from then on not a leaf.
    named: Vec<Rank>,
    /// Since when a revision in service bundles it.
    bundled: Vec<Rank>,
    /// When the revision of a bundle in service came not to have it, which another revision has. Where a revision can
    /// be in scope without being in service, also since when the one in service is that.
    dropped: Vec<Rank>,
}

impl History {
    pub(super) fn of(builder: &SnapshotBuilder, live: &Live) -> Self {
        let updates = builder.updates.ids().len();
        let mut history = Self {
            anchors: anchors(builder, live),
            named: vec![NEVER; updates],
            bundled: vec![NEVER; updates],
            dropped: vec![START; updates],
        };
        let arrivals: Vec<Rank> = builder.moments.iter().map(|moment| history.rank(moment.arrived)).collect();
        let lower = |slots: &mut [Rank], index: u32, rank: Rank| {
            if let Some(slot) = slots.get_mut(index as usize) {
                *slot = rank.min(*slot);
            }
        };
        let mut gates = vec![NEVER; builder.gates.lists().len()];
        for row in &builder.rows {
            lower(&mut gates, row.gate, at(&arrivals, row.moment));
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
            if bundle_clauses(builder, row).next().is_none() {
                continue;
            }
            let newest = live.of(row.update);
            if newest == Some(number) {
                let since = history.rank(live.since(builder, row));
                for member in bundle_clauses(builder, row).flatten() {
                    lower(&mut history.bundled, member.update, since);
                }
            } else if let Some(newest) = newest.and_then(|n| builder.rows.get(n as usize)) {
                let since = history.rank(live.since(builder, newest));
                for member in bundle_clauses(builder, row).flatten() {
                    let has = |clause: &[Member]| {
                        clause.binary_search_by_key(&member.update, |other| other.update).is_ok()
                    };
                    if !bundle_clauses(builder, newest).any(has) {
                        history.dropped_at(member.update, since);
                    }
                }
            }
        }
        let parts = live.parts.iter().filter_map(|row| builder.rows.get(*row as usize));
        for update in parts.map(|row| row.update).chain(live.released.keys().copied()) {
            if let Some(row) = live.of(update).and_then(|row| builder.rows.get(row as usize)) {
                let since = history.rank(live.since(builder, row));
                history.dropped_at(update, since);
            }
        }
        history
    }

    fn dropped_at(&mut self, update: u32, since: Rank) {
        if let Some(slot) = self.dropped.get_mut(update as usize) {
            *slot = since.max(*slot);
        }
    }

    /// Since when any revision needs an update.
    pub(super) fn named(&self, update: u32) -> Option<Anchor> {
        self.anchor(&self.named, update)
    }

    /// Since when a revision in service bundles an update.
    pub(super) fn bundled(&self, update: u32) -> Option<Anchor> {
        self.anchor(&self.bundled, update)
    }

    /// When an update came to stand by itself, for all that bundles have to do with it.
    pub(super) fn dropped(&self, update: u32) -> Option<Anchor> {
        self.anchor(&self.dropped, update)
    }

    pub(super) fn is_leaf(&self, update: u32) -> bool {
        self.named(update).is_none()
    }

    pub(super) fn is_member(&self, update: u32) -> bool {
        self.bundled(update).is_some()
    }

    fn anchor(&self, ranks: &[Rank], update: u32) -> Option<Anchor> {
        let rank = *ranks.get(update as usize)?;
        self.anchors.get(rank.checked_sub(1)? as usize).copied()
    }

    fn rank(&self, anchor: Anchor) -> Rank {
        self.anchors.binary_search(&anchor).map_or(START, |place| count(place + 1))
    }
}

/// Every anchor that an update can be named since.
fn anchors(builder: &SnapshotBuilder, live: &Live) -> Vec<Anchor> {
    let arrivals = builder.moments.iter().map(|moment| moment.arrived);
    let mut anchors: Vec<Anchor> = arrivals.chain(live.released.values().copied()).collect();
    anchors.sort_unstable();
    anchors.dedup();
    anchors
}
