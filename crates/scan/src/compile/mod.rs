//! Scan: compiling. Picks the newest revision of each update, leaves out what clients could not make
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
use sluicegate_policy::Decisions;
use sluicegate_terms::{Anchor, DeploymentId, RevisionNumber, UpdateIdentity, UpdateKind};
use soundness::left_out;
use std::collections::BTreeMap;

/// "No row", "no index".
const NONE: u32 = u32::MAX;
/// "No anchor".
const NEVER: Anchor = Anchor(u64::MAX);

pub(crate) fn compile(builder: SnapshotBuilder) -> Result<Snapshot, CompileError> {
    check_sizes(&builder)?;
    check_rows(&builder)?;
    let decisions = builder.decisions.clone().unwrap_or_default();
    check_deployments(&decisions)?;
    let live = newest(&builder);
    let history = History::of(&builder, &live);
    let left_out = left_out(&builder, &live);
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

fn check_rows(builder: &SnapshotBuilder) -> Result<(), CompileError> {
    let mut rows: Vec<&Row> = builder.rows.iter().collect();
    rows.sort_unstable_by_key(|row| row.id);
    for pair in rows.windows(2) {
        if let [first, second] = pair
            && first.id == second.id
        {
            let revision = first.id;
            let (one, other) = (identity(builder, first), identity(builder, second));
            return Err(CompileError::SharedRevisionId {
                revision,
                first: one.min(other),
                second: one.max(other),
            });
        }
    }
    rows.sort_unstable_by_key(|row| (row.update, row.number, row.id));
    for pair in rows.windows(2) {
        if let [first, second] = pair
            && (first.update, first.number) == (second.update, second.number)
        {
            let identity = identity(builder, first);
            return Err(CompileError::SharedIdentity { identity, first: first.id, second: second.id });
        }
    }
    Ok(())
}

/// One effective deployment per (update, group) is a matter of the map's key; what is left to check is
/// that no two of them look the same to a client.
fn check_deployments(decisions: &Decisions) -> Result<(), CompileError> {
    let mut seen = BTreeMap::new();
    for ((update, group), approval) in &decisions.approvals {
        let own = approval.deployment.get() >= DeploymentId::FIRST_EXPLICIT
            && (approval.update, approval.group) == (*update, *group);
        if !own || seen.insert(approval.deployment, ()).is_some() {
            let (update, group, deployment) = (*update, *group, approval.deployment);
            return Err(CompileError::SharedDeployment { update, group, deployment });
        }
    }
    Ok(())
}

/// The row of the newest revision of each update, by number of the update.
struct Live(Vec<u32>);

impl Live {
    fn of(&self, update: u32) -> Option<u32> {
        self.0.get(update as usize).copied().filter(|row| *row != NONE)
    }
}

fn newest(builder: &SnapshotBuilder) -> Live {
    let mut live = vec![NONE; builder.updates.len()];
    for (row, number) in builder.rows.iter().zip(0_u32..) {
        if let Some(slot) = live.get_mut(row.update as usize) {
            let older = builder.rows.get(*slot as usize).is_none_or(|other| other.number < row.number);
            if older {
                *slot = number;
            }
        }
    }
    Live(live)
}

fn bundle_clauses<'a>(builder: &'a SnapshotBuilder, row: &Row) -> impl Iterator<Item = &'a [u32]> + use<'a> {
    (row.bundles.0..row.bundles.1).map(|clause| builder.bundle_clauses.get(clause))
}

/// The alternatives of a prerequisite clause; the first element says whether it is IsCategory.
fn alternatives(builder: &SnapshotBuilder, clause: u32) -> &[u32] {
    builder.clauses.get(clause).get(1..).unwrap_or(&[])
}

/// Every newest revision that is neither declined nor expired, and what those need and contain
/// (observed behaviour 3.3, rule 1). What is only there as a part is in scope with its bundle: once all
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
            let declined = decisions.declined.contains_key(&at(&builder.updates, update));
            (!row.expired && !declined && !part_only).then_some(number)
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

fn is_installable(kind: UpdateKind) -> bool {
    matches!(kind, UpdateKind::Software | UpdateKind::Driver)
}
