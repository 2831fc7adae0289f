//! Scan: laying a snapshot out. Rows in scope get their dense index in page order; clauses and gates in
//! use are renumbered and get the posting lists that answers follow.

use super::history::History;
use super::{NONE, Parted, alternatives, identity, is_installable};
use crate::builder::{Member, Parts, Row, SnapshotBuilder};
use crate::error::{LeftOut, LeftOutReason};
use crate::pool::{Ragged, at, count};
use crate::snapshot::{Base, Entry, IdIndex, Layout, Snapshot};
use core::hash::Hash;
use rustc_hash::{FxHashMap, FxHashSet};
use sluicegate_policy::Decisions;
use sluicegate_terms::{Anchor, RevisionId, RevisionNumber, Timestamp, UpdateId, UpdateKind};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Values of which there are few different ones, by number.
struct Few<T> {
    values: Vec<T>,
    numbers: FxHashMap<T, u32>,
}

impl<T: Copy + Eq + Hash> Few<T> {
    fn new() -> Self {
        Self { values: Vec::new(), numbers: FxHashMap::default() }
    }

    /// The number of a value, given to it now when it has none.
    fn number(&mut self, value: T) -> u32 {
        *self.numbers.entry(value).or_insert_with(|| {
            self.values.push(value);
            count(self.values.len() - 1)
        })
    }
}

/// What entries have in common.
struct Shared {
    anchors: Few<Anchor>,
    times: Few<Timestamp>,
}

/// The row as an entry of the snapshot; its gate still has the builder's number.
fn entry(
    builder: &SnapshotBuilder,
    row: &Row,
    in_service: bool,
    history: &History,
    decisions: &Decisions,
    shared: &mut Shared,
) -> Entry {
    let is_leaf = history.is_leaf(row.update);
    let declined = decisions.declined.get(&builder.update(row.update));
    let base = if !is_installable(row.kind) {
        Base::Evaluate
    } else if !in_service || history.is_member(row.update) {
        Base::Bundle
    } else if declined.is_some() {
        Base::Evaluate
    } else if row.expired {
        Base::Expired
    } else {
        Base::Free
    };
    let moment = builder.moment(row);
    // Each fact that can turn later than the revision arrived, with the anchor at which it did.
    let mut changed = moment.arrived.max(moment.leaf_changed).max(Anchor(1));
    if let Some(named) = history.named(row.update) {
        changed = changed.max(named);
    }
    if is_installable(row.kind) {
        let turned = history.bundled(row.update).or_else(|| history.dropped(row.update));
        changed = changed.max(turned.unwrap_or_default());
        if base != Base::Bundle {
            changed = changed.max(declined.map_or(Anchor::START, |change| change.anchor));
        }
    }
    Entry {
        id: row.id,
        gate: row.gate,
        core_len: row.core_len,
        changed: shared.anchors.number(changed),
        arrived_at: shared.times.number(moment.arrived_at),
        number: RevisionNumber::new(i64::from(row.number)).unwrap_or_default(),
        kind: row.kind,
        base,
        is_leaf,
        in_service,
    }
}

/// The rows as entries, in the memory of the rows: an entry is a little smaller than a row (see the test).
fn entries(
    builder: &SnapshotBuilder,
    rows: Vec<Row>,
    in_service: impl Fn(&Row) -> bool,
    history: &History,
    decisions: &Decisions,
    shared: &mut Shared,
) -> Vec<Entry> {
    let mut entries: Vec<Entry> = rows
        .into_iter()
        .map(|row| entry(builder, &row, in_service(&row), history, decisions, shared))
        .collect();
    entries.shrink_to_fit();
    entries
}

/// A list of so many things from what cannot say how many it has: doubling would take three times its room.
fn exactly<T>(len: usize, things: impl Iterator<Item = T>) -> Vec<T> {
    let mut list = Vec::with_capacity(len);
    list.extend(things);
    list
}

/// The rows are as large as half of what is made of them: they become entries where they are, and each thing here is
/// given back once it is not read any more.
pub(super) fn lay_out(
    mut builder: SnapshotBuilder,
    history: History,
    left_out: BTreeMap<u32, LeftOutReason>,
    scope: Vec<bool>,
    parted: Parted,
    decisions: Arc<Decisions>,
) -> Snapshot {
    let row_of = |number: u32| builder.rows.get(number as usize);
    let id_of = |number: &u32| row_of(*number).map(|row| row.id);
    // By id from here on, since rows are about to move.
    let parts: FxHashSet<RevisionId> = parted.parts.iter().filter_map(id_of).collect();
    let named: FxHashMap<Member, RevisionId> =
        parted.named.iter().filter_map(|(member, row)| Some((*member, id_of(row)?))).collect();
    drop(parted);
    let mut left_out: Vec<LeftOut> = left_out
        .into_iter()
        .filter_map(|(row, reason)| {
            let row = row_of(row)?;
            Some(LeftOut { identity: identity(&builder, row), revision: row.id, reason })
        })
        .collect();
    left_out.sort_unstable_by_key(|left| left.revision);

    let mut rows = core::mem::take(&mut builder.rows);
    let mut kept = scope.into_iter();
    rows.retain(|_| kept.next().unwrap_or(false));
    drop(kept);
    // Page order: what others depend on first, then by revision id.
    rows.sort_unstable_by_key(|row| (history.is_leaf(row.update), row.id));
    let size = rows.len();
    let in_service = |row: &Row| !parts.contains(&row.id);
    let indexed = || rows.iter().zip(0_u32..);
    let parts_in_scope: FxHashMap<RevisionId, u32> =
        indexed().filter(|(row, _)| !in_service(row)).map(|(row, index)| (row.id, index)).collect();
    let category_kinds = indexed().filter_map(|(row, index)| Some((index, row.category_kind?))).collect();
    let numbers = exactly(size, rows.iter().map(|row| row.update));
    // With the indices of the rows that have any; a driver has an entry here in any case.
    let with_parts: Vec<(u32, Parts)> = indexed()
        .filter(|(row, _)| row.has_parts() || row.kind == UpdateKind::Driver)
        .map(|(row, index)| (index, builder.parts(row)))
        .collect();
    let mut shared = Shared { anchors: Few::new(), times: Few::new() };
    let mut entries = entries(&builder, rows, in_service, &history, &decisions, &mut shared);
    drop(history);
    builder.forget_parts();

    let mut index_of = vec![NONE; builder.updates.ids().len()];
    // A part stands for its update nowhere but in bundles that name it: an id means the revision in service.
    for ((number, index), _) in
        numbers.iter().zip(0_u32..).zip(&entries).filter(|(_, entry)| entry.in_service)
    {
        if let Some(slot) = index_of.get_mut(*number as usize) {
            *slot = index;
        }
    }
    let find = |update: &u32| index_of.get(*update as usize).copied().filter(|index| *index != NONE);
    let relations = Relations::of(&builder, &mut entries, find);
    let find_member = |member: &Member| match named.get(member) {
        Some(revision) => parts_in_scope.get(revision).copied(),
        None => find(&member.update),
    };
    let members = members(&builder, size, &with_parts, find_member);
    let is_driver = |index: u32| entries.get(index as usize).is_some_and(|e| e.kind == UpdateKind::Driver);
    let drivers: Vec<(u32, (u32, u32))> = with_parts
        .iter()
        .filter(|(index, _)| is_driver(*index))
        .map(|(index, parts)| (*index, parts.drivers))
        .collect();
    drop((index_of, with_parts, parts, parts_in_scope, named));
    let (anchor, driver_rows, ids) = builder.into_drivers_and_ids();
    let updates: Vec<UpdateId> = numbers.iter().map(|number| at(&ids, *number)).collect();
    drop((numbers, ids));

    let mut by_update: Vec<u32> = (0..count(updates.len())).collect();
    let is_part = |index: u32| entries.get(index as usize).is_some_and(|entry| !entry.in_service);
    let update = |index: u32| at(&updates, index);
    by_update.sort_unstable_by(|one, other| {
        let same = || is_part(*one).cmp(&is_part(*other));
        update(*one).cmp(&update(*other)).then_with(same)
    });
    let layout = Layout {
        by_id: IdIndex::new(&entries),
        entries,
        anchors: shared.anchors.values,
        times: shared.times.values,
        updates,
        by_update,
        category_kinds,
        clauses: relations.clauses,
        clause_is_category: relations.clause_is_category,
        gates: relations.gates,
        satisfies: relations.satisfies,
        watchers: relations.watchers,
        open_gate: relations.open_gate,
        behind: relations.behind,
        members,
        drivers: driver_rows.compile(&drivers),
        filters: Default::default(),
        openings: Default::default(),
        left_out,
    };
    Snapshot::new(anchor, Arc::new(layout), decisions)
}

/// The members of each revision in scope that are in scope themselves, by index.
fn members(
    builder: &SnapshotBuilder,
    size: usize,
    parts: &[(u32, Parts)],
    find: impl Fn(&Member) -> Option<u32>,
) -> Ragged<u32> {
    let mut members = Ragged::with_room(size, 0);
    let mut of_row: Vec<u32> = Vec::new();
    for (index, parts) in parts {
        while members.len() < *index as usize {
            members.push([]);
        }
        of_row.clear();
        of_row.extend(builder.bundle_clauses_of(*parts).flatten().filter_map(&find));
        of_row.sort_unstable();
        of_row.dedup();
        members.push(of_row.iter().copied());
    }
    while members.len() < size {
        members.push([]);
    }
    members
}

/// Clauses and gates in use, renumbered, with their posting lists.
struct Relations {
    clauses: Ragged<u32>,
    clause_is_category: Vec<bool>,
    gates: Ragged<u32>,
    satisfies: Ragged<u32>,
    watchers: Ragged<u32>,
    open_gate: Option<u32>,
    behind: Ragged<u32>,
}

/// The next free number for a thing seen for the first time, else the number it has.
fn renumber(numbers: &mut [u32], old: u32, next: u32) -> (u32, bool) {
    match numbers.get_mut(old as usize) {
        Some(slot) if *slot == NONE => {
            *slot = next;
            (next, true)
        }
        Some(slot) => (*slot, false),
        None => (next, false),
    }
}

impl Relations {
    fn of(builder: &SnapshotBuilder, entries: &mut [Entry], index_of: impl Fn(&u32) -> Option<u32>) -> Self {
        let mut clauses = Ragged::default();
        let mut clause_is_category = Vec::new();
        let mut gates = Ragged::default();
        let mut clause_numbers = vec![NONE; builder.clauses.lists().len()];
        let mut gate_numbers = vec![NONE; builder.gates.lists().len()];
        let mut of_gate = Vec::new();
        for entry in entries.iter_mut() {
            let old = entry.gate;
            let (gate, new) = renumber(&mut gate_numbers, old, count(gates.len()));
            entry.gate = gate;
            if !new {
                continue;
            }
            of_gate.clear();
            for old in builder.gates.get(old) {
                let (clause, new) = renumber(&mut clause_numbers, *old, count(clauses.len()));
                if new {
                    clauses.push(alternatives(builder, *old).iter().filter_map(&index_of));
                    clause_is_category.push(builder.clauses.get(*old).first() == Some(&1));
                }
                of_gate.push(clause);
            }
            gates.push(of_gate.iter().copied());
        }
        let satisfied_by =
            || clauses.iter().zip(0_u32..).flat_map(|(of, clause)| of.iter().map(move |i| (*i, clause)));
        let satisfies = Ragged::group(entries.len(), satisfied_by());
        let mut uses = vec![0_u32; clauses.len()];
        for clause in gates.iter().flatten() {
            if let Some(slot) = uses.get_mut(*clause as usize) {
                *slot += 1;
            }
        }
        let rarest = |gate: &[u32]| gate.iter().copied().min_by_key(|clause| (at(&uses, *clause), *clause));
        let watched: Vec<(u32, u32)> =
            gates.iter().zip(0_u32..).filter_map(|(gate, number)| Some((rarest(gate)?, number))).collect();
        let watchers = Ragged::group(clauses.len(), watched.iter().copied());
        let open_gate = gates.iter().zip(0_u32..).find(|(gate, _)| gate.is_empty()).map(|(_, number)| number);
        let software = entries.iter().zip(0_u32..).filter(|(entry, _)| entry.kind != UpdateKind::Driver);
        let behind = Ragged::group(gates.len(), software.map(|(entry, index)| (entry.gate, index)));
        Self { clauses, clause_is_category, gates, satisfies, watchers, open_gate, behind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::RevisionInput;
    use sluicegate_catalog::ScanRecord;
    use sluicegate_terms::{Guid, UpdateIdentity};

    #[test]
    fn rows_become_entries_where_they_are() {
        let mut builder = SnapshotBuilder::new(Anchor(1)).with_room(100);
        for id in 1..=100_u32 {
            let update = UpdateId(Guid::from_u128(id.into()));
            let identity = UpdateIdentity { update, revision: RevisionNumber::default() };
            builder.revision(RevisionInput {
                id: RevisionId::new(id.into()).unwrap(),
                record: ScanRecord::new(identity, UpdateKind::Detectoid),
                core_escaped_len: 1,
                arrived: Anchor(1),
                arrived_at: Timestamp::MIN,
                leaf_changed: Anchor::START,
            });
        }
        let live = super::super::newest(&builder, &BTreeMap::new(), &Decisions::default());
        let history = History::of(&builder, &live);
        let mut shared = Shared { anchors: Few::new(), times: Few::new() };
        let rows = core::mem::take(&mut builder.rows);
        let place = rows.as_ptr() as usize;
        let entries = entries(&builder, rows, |_| true, &history, &Decisions::default(), &mut shared);
        assert_eq!((entries.len(), entries.as_ptr() as usize), (100, place));
        assert_eq!((shared.anchors.values.len(), shared.times.values.len()), (1, 1));
    }
}
