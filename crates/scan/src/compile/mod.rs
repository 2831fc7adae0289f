//! Scan: compiling. Picks the revision of each update that is in service, leaves out what clients could not make
//! sense of, and works out the scope: everything not declined, and what it needs. The layout follows in
//! its own file.

mod history;
mod layout;
mod soundness;

use crate::builder::{Row, SnapshotBuilder};
use crate::error::{CompileError, LeftOutReason};
use crate::pool::{at, count};
use crate::snapshot::Snapshot;
use history::History;
use sluicegate_policy::{ApprovalAction, Decisions};
use sluicegate_terms::{Anchor, RevisionNumber, UpdateId, UpdateIdentity, UpdateKind};
use soundness::left_out;
use std::collections::BTreeMap;

/// "No row", "no index".
const NONE: u32 = u32::MAX;
/// "No anchor".
const NEVER: Anchor = Anchor(u64::MAX);

pub(crate) fn compile(mut builder: SnapshotBuilder) -> Result<Snapshot, CompileError> {
    check_sizes(&builder)?;
    let twins = pass_over_twins(&mut builder);
    let decisions = builder.decisions.clone().unwrap_or_default();
    let live = newest(&builder, &decisions);
    // Not asked again, and as large as what is being made.
    builder.forget_numbers();
    let history = History::of(&builder, &live);
    let mut left_out = left_out(&builder, &live);
    left_out.extend(twins);
    let scope = scope(&builder, &live, &history, &left_out, &decisions);
    Ok(layout::lay_out(builder, &history, left_out, &scope, decisions))
}

fn check_sizes(builder: &SnapshotBuilder) -> Result<(), CompileError> {
    let sizes = [
        ("revisions", builder.rows.len()),
        ("updates", builder.updates.len()),
        ("prerequisites", builder.clauses.lists().total()),
        ("prerequisite clauses", builder.gates.lists().total()),
        ("bundled updates", builder.bundle_clauses.total()),
        ("driver entries", builder.drivers.len()),
    ];
    match sizes.iter().find(|(_, size)| *size >= NONE as usize) {
        Some((what, _)) => Err(CompileError::TooLarge(what)),
        None => Ok(()),
    }
}

fn identity(builder: &SnapshotBuilder, row: &Row) -> UpdateIdentity {
    UpdateIdentity {
        update: at(&builder.updates, row.update),
        revision: RevisionNumber::new(i64::from(row.number)).unwrap_or_default(),
    }
}

/// Of rows with one revision id, and of rows of one revision, the first stays: clients know it. The others are
/// passed over, by row.
fn pass_over_twins(builder: &mut SnapshotBuilder) -> BTreeMap<u32, LeftOutReason> {
    let mut twins = BTreeMap::new();
    let mut rows: Vec<(&Row, u32)> = builder.rows.iter().zip(0_u32..).collect();
    rows.sort_unstable_by_key(|(row, _)| (row.id, identity(builder, row)));
    for same in rows.chunk_by(|(one, _), (other, _)| one.id == other.id) {
        if let [(first, _), others @ ..] = same {
            let reason = || LeftOutReason::SharedRevisionId(identity(builder, first));
            twins.extend(others.iter().map(|(_, row)| (*row, reason())));
        }
    }
    rows.retain(|(_, row)| !twins.contains_key(row));
    rows.sort_unstable_by_key(|(row, _)| (row.update, row.number, row.id));
    for same in rows.chunk_by(|(one, _), (other, _)| (one.update, one.number) == (other.update, other.number))
    {
        if let [(first, _), others @ ..] = same {
            twins.extend(others.iter().map(|(_, row)| (*row, LeftOutReason::SharedIdentity(first.id))));
        }
    }
    for row in twins.keys() {
        if let Some(row) = builder.rows.get_mut(*row as usize) {
            row.passed_over = true;
        }
    }
    twins
}

/// The row of the revision of each update that is in service, by number of the update: the newest, or an
/// older one while the newest is held.
struct Live {
    rows: Vec<u32>,
    /// Rows that went into service later than they arrived.
    released: BTreeMap<u32, Anchor>,
}

impl Live {
    fn of(&self, update: u32) -> Option<u32> {
        self.rows.get(update as usize).copied().filter(|row| *row != NONE)
    }

    /// Since when a row is in service.
    fn since(&self, row: &Row) -> Anchor {
        row.arrived.max(self.released.get(&row.update).copied().unwrap_or(Anchor::START))
    }
}

fn newest(builder: &SnapshotBuilder, decisions: &Decisions) -> Live {
    let numbers = |update: &UpdateId| builder.number_of(*update);
    let serving: BTreeMap<u32, u32> = decisions
        .held
        .iter()
        .filter_map(|(update, hold)| Some((numbers(update)?, hold.serving.get())))
        .collect();
    let released = decisions
        .released
        .iter()
        .filter_map(|(update, change)| Some((numbers(update)?, change.anchor)))
        .collect();
    // Should the revision that is to stay be gone, the oldest of the others is closest to it.
    let rank = |row: &Row| match serving.get(&row.update) {
        Some(serving) if row.number > *serving => (false, u32::MAX - row.number),
        _ => (true, row.number),
    };
    let mut live = vec![NONE; builder.updates.len()];
    for (row, number) in builder.rows.iter().zip(0_u32..).filter(|(row, _)| !row.passed_over) {
        if let Some(slot) = live.get_mut(row.update as usize) {
            let better = builder.rows.get(*slot as usize).is_none_or(|other| rank(other) < rank(row));
            if better {
                *slot = number;
            }
        }
    }
    Live { rows: live, released }
}

fn bundle_clauses<'a>(builder: &'a SnapshotBuilder, row: &Row) -> impl Iterator<Item = &'a [u32]> + use<'a> {
    (row.bundles.0..row.bundles.1).map(|clause| builder.bundle_clauses.get(clause))
}

/// The alternatives of a prerequisite clause; the first element says whether it is IsCategory.
fn alternatives(builder: &SnapshotBuilder, clause: u32) -> &[u32] {
    builder.clauses.get(clause).get(1..).unwrap_or(&[])
}

/// Every revision in service that is neither declined nor expired, and what those need and contain
/// (observed behaviour 3.3, rule 1). What has expired is in scope while it is to be removed somewhere
/// (IUpdate.Approve of WSUS takes no other order for it). What is only there as a part is in scope with its bundle: once all
/// its bundles are declined, nobody is given it.
fn scope(
    builder: &SnapshotBuilder,
    live: &Live,
    history: &History,
    left_out: &BTreeMap<u32, LeftOutReason>,
    decisions: &Decisions,
) -> Vec<bool> {
    let usable = |update: &u32| live.of(*update).filter(|row| !left_out.contains_key(row));
    let mut scope = vec![false; builder.rows.len()];
    let mut waiting: Vec<u32> = (0..count(builder.updates.len()))
        .filter_map(|update| {
            let number = usable(&update)?;
            let row = builder.rows.get(number as usize)?;
            let part_only =
                is_installable(row.kind) && history.is_member(update) && !row.explicitly_deployable;
            let id = at(&builder.updates, update);
            let declined = decisions.declined.contains_key(&id);
            let gone = row.expired && !is_removed(decisions, id);
            (!gone && !declined && !part_only).then_some(number)
        })
        .collect();
    while let Some(number) = waiting.pop() {
        match scope.get_mut(number as usize) {
            Some(slot) if !*slot => *slot = true,
            _ => continue,
        }
        let Some(row) = builder.rows.get(number as usize) else { continue };
        for clause in builder.gates.get(row.gate) {
            waiting.extend(alternatives(builder, *clause).iter().filter_map(usable));
        }
        for clause in bundle_clauses(builder, row) {
            waiting.extend(clause.iter().filter_map(usable));
        }
    }
    scope
}

/// Whether some group is to remove the update.
pub(crate) fn is_removed(decisions: &Decisions, update: UpdateId) -> bool {
    decisions.approvals.of(update).any(|approval| approval.action == ApprovalAction::Uninstall)
}

fn is_installable(kind: UpdateKind) -> bool {
    matches!(kind, UpdateKind::Software | UpdateKind::Driver)
}
