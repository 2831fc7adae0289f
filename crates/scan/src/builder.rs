//! Scan: collects revisions into flat rows as they stream by, so that the records themselves need not be
//! kept. [`SnapshotBuilder::finish`] compiles the rows.

use crate::drivers::DriverRows;
use crate::error::CompileError;
use crate::numbers::Numbers;
use crate::pool::{Pool, Ragged, at, count};
use crate::snapshot::Snapshot;
use rustc_hash::FxHashSet;
use sluicegate_catalog::ScanRecord;
use sluicegate_policy::Decisions;
use sluicegate_terms::{Anchor, CategoryKind, RevisionId, Timestamp, UpdateId, UpdateKind};
use std::sync::Arc;

/// One revision on its way into a snapshot.
#[derive(Clone, Debug)]
pub struct RevisionInput {
    /// Its id.
    pub id: RevisionId,
    /// What it is and how it relates to others.
    pub record: ScanRecord,
    /// Length of its escaped Core fragment, in bytes; pages are measured by it.
    pub core_escaped_len: u32,
    /// The anchor of the import that brought it.
    pub arrived: Anchor,
    /// The time of that import.
    pub arrived_at: Timestamp,
    /// The anchor at which `IsLeaf` last changed, if the caller knows one; [`Anchor::START`] otherwise.
    /// Changes that follow from the revisions given are found here in any case.
    pub leaf_changed: Anchor,
}

/// When a revision came, and when its `IsLeaf` last changed. Those of one import are the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Moment {
    pub(crate) arrived: Anchor,
    pub(crate) arrived_at: Timestamp,
    pub(crate) leaf_changed: Anchor,
}

/// So many of the last moments are looked at for one that comes again.
const LAST_MOMENTS: usize = 8;

/// What few revisions have.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parts {
    /// Its bundle clauses, as a range of [`SnapshotBuilder::bundle_clauses`].
    pub(crate) bundles: (u32, u32),
    /// Its driver entries, as a range of rows.
    pub(crate) drivers: (u32, u32),
}

/// What a bundle names: an update by its number, and which revision of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Member {
    pub(crate) update: u32,
    pub(crate) number: u32,
}

/// A revision as kept until it is compiled: as narrow as it can be, since the snapshot is made beside all rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) id: RevisionId,
    /// Number of its update id.
    pub(crate) update: u32,
    pub(crate) number: u32,
    pub(crate) kind: UpdateKind,
    pub(crate) category_kind: Option<CategoryKind>,
    pub(crate) explicitly_deployable: bool,
    pub(crate) expired: bool,
    /// Number of its set of prerequisite clauses.
    pub(crate) gate: u32,
    /// Number of its parts, plus one; 0 when it has none.
    parts: u32,
    pub(crate) core_len: u32,
    /// Number of the moment it came.
    pub(crate) moment: u32,
}

impl Row {
    /// Whether it has what few have.
    pub(crate) const fn has_parts(&self) -> bool {
        self.parts > 0
    }
}

/// Makes a [`Snapshot`].
#[derive(Debug, Default)]
pub struct SnapshotBuilder {
    pub(crate) anchor: Anchor,
    pub(crate) rows: Vec<Row>,
    parts: Vec<Parts>,
    pub(crate) moments: Vec<Moment>,
    pub(crate) updates: Numbers,
    /// Each clause: 1 or 0 for IsCategory, then the numbers of its alternatives in order.
    pub(crate) clauses: Pool<u32>,
    /// Each gate: the numbers of its clauses in order.
    pub(crate) gates: Pool<u32>,
    pub(crate) bundle_clauses: Ragged<Member>,
    pub(crate) drivers: DriverRows,
    pub(crate) decisions: Option<Arc<Decisions>>,
    pub(crate) damaged: FxHashSet<RevisionId>,
    buffer: Vec<u32>,
    gate_buffer: Vec<u32>,
    member_buffer: Vec<Member>,
}

impl SnapshotBuilder {
    /// A builder for the state at `anchor`, which clients will have seen once they are answered.
    #[must_use]
    pub fn new(anchor: Anchor) -> Self {
        Self { anchor, ..Self::default() }
    }

    /// Makes room for so many revisions at once: growing by halves takes twice the memory for a while.
    #[must_use]
    pub fn with_room(mut self, revisions: usize) -> Self {
        self.rows.reserve_exact(revisions);
        self.updates.reserve(revisions);
        self
    }

    /// Adds a revision; in any order. Older revisions matter too: an update is a leaf only if no
    /// revision at all names it (MS-WUSP 3.1.5.7, IsLeaf).
    pub fn revision(&mut self, input: RevisionInput) -> &mut Self {
        let record = &input.record;
        let update = self.updates.number(record.identity.update);
        let mut gate = core::mem::take(&mut self.gate_buffer);
        let mut clause = core::mem::take(&mut self.buffer);
        gate.clear();
        for prerequisite in &record.prerequisites {
            clause.clear();
            for alternative in &prerequisite.any_of {
                clause.push(self.updates.number(*alternative));
            }
            clause.sort_unstable();
            clause.dedup();
            clause.insert(0, u32::from(prerequisite.is_category));
            gate.push(self.clauses.intern(&clause));
        }
        gate.sort_unstable();
        gate.dedup();
        let gate_number = self.gates.intern(&gate);
        let first = count(self.bundle_clauses.len());
        let mut members = core::mem::take(&mut self.member_buffer);
        for bundle in &record.bundles {
            members.clear();
            for member in bundle {
                let update = self.updates.number(member.update);
                members.push(Member { update, number: member.revision.get() });
            }
            members.sort_unstable();
            members.dedup();
            self.bundle_clauses.push(members.iter().copied());
        }
        self.buffer = clause;
        self.member_buffer = members;
        self.gate_buffer = gate;
        let bundles = (first, count(self.bundle_clauses.len()));
        let parts = Parts { bundles, drivers: self.drivers.add(&record.drivers) };
        let parts = self.number_of_parts(parts);
        let moment = self.number_of_moment(Moment {
            arrived: input.arrived,
            arrived_at: input.arrived_at,
            leaf_changed: input.leaf_changed,
        });
        self.rows.push(Row {
            id: input.id,
            update,
            number: record.identity.revision.get(),
            kind: record.kind,
            category_kind: record.category_kind,
            explicitly_deployable: record.explicitly_deployable,
            expired: record.expired,
            gate: gate_number,
            parts,
            core_len: input.core_escaped_len,
            moment,
        });
        self
    }

    /// Says that what is kept of a revision is damaged: its update is left out, and told of as such. Of one whose
    /// record cannot be read, a record without relationships is given.
    pub fn damaged(&mut self, revision: RevisionId) -> &mut Self {
        self.damaged.insert(revision);
        self
    }

    /// Sets what administrators decided.
    pub fn decisions(&mut self, decisions: &Decisions) -> &mut Self {
        self.shared_decisions(Arc::new(decisions.clone()))
    }

    /// [`SnapshotBuilder::decisions`] without copying them.
    pub fn shared_decisions(&mut self, decisions: Arc<Decisions>) -> &mut Self {
        self.decisions = Some(decisions);
        self
    }

    /// Compiles the snapshot. Single revisions that clients could not make sense of are left out and
    /// listed in [`Snapshot::left_out`].
    ///
    /// # Errors
    /// When the data as a whole contradicts itself.
    pub fn finish(self) -> Result<Snapshot, CompileError> {
        crate::compile::compile(self)
    }

    /// What a row has that few have.
    pub(crate) fn parts(&self, row: &Row) -> Parts {
        row.parts.checked_sub(1).map(|number| at(&self.parts, number)).unwrap_or_default()
    }

    /// When a row came.
    pub(crate) fn moment(&self, row: &Row) -> Moment {
        at(&self.moments, row.moment)
    }

    /// The id of an update, by its number.
    pub(crate) fn update(&self, number: u32) -> UpdateId {
        at(self.updates.ids(), number)
    }

    /// The clauses of a bundle.
    pub(crate) fn bundle_clauses_of(&self, parts: Parts) -> impl Iterator<Item = &[Member]> + use<'_> {
        let (first, end) = parts.bundles;
        (first..end).map(|clause| self.bundle_clauses.get(clause))
    }

    /// Gives back what only the rows refer to.
    pub(crate) fn forget_parts(&mut self) {
        (self.parts, self.moments) = Default::default();
    }

    /// Gives everything back but the anchor, the driver entries and the ids of updates.
    pub(crate) fn into_drivers_and_ids(self) -> (Anchor, DriverRows, Vec<UpdateId>) {
        (self.anchor, self.drivers, self.updates.into_ids())
    }

    fn number_of_parts(&mut self, parts: Parts) -> u32 {
        let none = |(start, end): (u32, u32)| start == end;
        if none(parts.bundles) && none(parts.drivers) {
            return 0;
        }
        self.parts.push(parts);
        count(self.parts.len())
    }

    fn number_of_moment(&mut self, moment: Moment) -> u32 {
        let last = self.moments.iter().enumerate().rev().take(LAST_MOMENTS);
        let known = last.filter(|(_, known)| **known == moment).map(|(number, _)| count(number)).next();
        known.unwrap_or_else(|| {
            self.moments.push(moment);
            count(self.moments.len() - 1)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_stays_narrow() {
        assert_eq!(size_of::<Row>(), 32);
    }
}
