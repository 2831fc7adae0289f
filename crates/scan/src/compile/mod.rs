//! Scan: compiling. Picks the revision of each update that is in service, leaves out what clients could not make
//! sense of, and works out the scope: everything not declined, and what it needs. The layout follows in
//! its own file.

mod history;
mod layout;
mod soundness;

use crate::builder::{Member, Row, SnapshotBuilder};
use crate::error::{CompileError, LeftOutReason};
use crate::pool::{at, count};
use crate::snapshot::Snapshot;
use history::History;
use rustc_hash::{FxHashMap, FxHashSet};
use sluicegate_policy::{ApprovalAction, Decisions};
use sluicegate_terms::{Anchor, RevisionNumber, UpdateId, UpdateIdentity, UpdateKind};
use soundness::left_out;
use std::collections::BTreeMap;

/// "No row", "no index".
const NONE: u32 = u32::MAX;

pub(crate) fn compile(mut builder: SnapshotBuilder) -> Result<Snapshot, CompileError> {
    check_sizes(&builder)?;
    let twins = twins(&builder);
    let decisions = builder.decisions.clone().unwrap_or_default();
    let mut live = newest(&builder, &twins, &decisions);
    live.find_parts(&builder, &twins);
    // Not asked again.
    builder.updates.forget();
    let history = History::of(&builder, &live);
    let mut left_out = left_out(&builder, &live);
    left_out.extend(twins);
    let scope = scope(&builder, &live, &history, &left_out, &decisions);
    let Live { named, parts, .. } = live;
    Ok(layout::lay_out(builder, history, left_out, scope, Parted { named, parts }, decisions))
}

fn check_sizes(builder: &SnapshotBuilder) -> Result<(), CompileError> {
    let sizes = [
        ("revisions", builder.rows.len()),
        ("updates", builder.updates.ids().len()),
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
        update: builder.update(row.update),
        revision: RevisionNumber::new(i64::from(row.number)).unwrap_or_default(),
    }
}

/// Of rows with one revision id, and of rows of one revision, the first stays: clients know it. These are the others,
/// which are passed over, by row.
fn twins(builder: &SnapshotBuilder) -> BTreeMap<u32, LeftOutReason> {
    let mut twins = BTreeMap::new();
    let row = |number: u32| builder.rows.get(number as usize);
    // A store gives rows in the order of their ids, and then none has another's.
    if !builder.rows.is_sorted_by(|one, next| one.id < next.id) {
        let mut rows: Vec<u32> = (0..count(builder.rows.len())).collect();
        rows.sort_unstable_by_key(|number| row(*number).map(|row| (row.id, identity(builder, row))));
        let id = |number: &u32| row(*number).map(|row| row.id);
        for same in rows.chunk_by(|one, other| id(one) == id(other)) {
            if let [first, others @ ..] = same
                && let Some(first) = row(*first)
            {
                let reason = || LeftOutReason::SharedRevisionId(identity(builder, first));
                twins.extend(others.iter().map(|number| (*number, reason())));
            }
        }
    }
    let mut rows = with_sisters(builder);
    rows.retain(|number| !twins.contains_key(number));
    rows.sort_unstable_by_key(|number| row(*number).map(|row| (row.update, row.number, row.id)));
    let revision = |number: &u32| row(*number).map(|row| (row.update, row.number));
    for same in rows.chunk_by(|one, other| revision(one) == revision(other)) {
        if let [first, others @ ..] = same
            && let Some(first) = row(*first)
        {
            twins.extend(others.iter().map(|number| (*number, LeftOutReason::SharedIdentity(first.id))));
        }
    }
    twins
}

/// The rows of updates that have several.
fn with_sisters(builder: &SnapshotBuilder) -> Vec<u32> {
    // How many, as far as it matters.
    let mut rows_of = vec![0_u8; builder.updates.ids().len()];
    for row in &builder.rows {
        if let Some(rows) = rows_of.get_mut(row.update as usize) {
            *rows = rows.saturating_add(1);
        }
    }
    let numbered = builder.rows.iter().zip(0_u32..);
    numbered.filter(|(row, _)| at(&rows_of, row.update) > 1).map(|(_, number)| number).collect()
}

/// The row of the revision of each update that is in service, by number of the update: the newest, or an
/// older one while the newest is held.
struct Live {
    rows: Vec<u32>,
    /// Rows that went into service later than they arrived.
    released: BTreeMap<u32, Anchor>,
    /// The rows of what bundles name and what is not the revision in service; few bundles name such a one.
    named: FxHashMap<Member, u32>,
    /// Those of them that are given to clients as members: what is in service bundles them, or one of them does.
    parts: FxHashSet<u32>,
}

/// [`Live::named`] and [`Live::parts`].
struct Parted {
    named: FxHashMap<Member, u32>,
    parts: FxHashSet<u32>,
}

impl Live {
    fn of(&self, update: u32) -> Option<u32> {
        self.rows.get(update as usize).copied().filter(|row| *row != NONE)
    }

    /// The row of a member of a bundle: the revision that the bundle names, since agents resolve members by it. One
    /// that is not here is stood for by the revision in service.
    fn member(&self, member: &Member) -> Option<u32> {
        self.named.get(member).copied().or_else(|| self.of(member.update))
    }

    fn find_parts(&mut self, builder: &SnapshotBuilder, twins: &BTreeMap<u32, LeftOutReason>) {
        let row = |number: u32| builder.rows.get(number as usize);
        let serves = |member: &Member| {
            self.of(member.update).and_then(row).is_none_or(|row| row.number == member.number)
        };
        let members = builder.bundle_clauses.iter().flatten();
        let mut named: FxHashMap<Member, u32> =
            members.filter(|member| !serves(member)).map(|member| (*member, NONE)).collect();
        if named.is_empty() {
            return;
        }
        for (row, number) in builder.rows.iter().zip(0_u32..) {
            let member = Member { update: row.update, number: row.number };
            if let Some(slot) = named.get_mut(&member).filter(|_| !twins.contains_key(&number)) {
                *slot = number;
            }
        }
        named.retain(|_, row| *row != NONE);
        let parts_of = |number: u32| {
            let clauses = row(number).into_iter().flat_map(|row| bundle_clauses(builder, row));
            clauses.flatten().filter_map(|member| named.get(member).copied())
        };
        let serving = self.rows.iter().copied().filter(|row| *row != NONE);
        let mut waiting: Vec<u32> = serving.flat_map(parts_of).collect();
        while let Some(part) = waiting.pop() {
            if self.parts.insert(part) {
                waiting.extend(parts_of(part));
            }
        }
        self.named = named;
    }

    /// Since when a row is in service.
    fn since(&self, builder: &SnapshotBuilder, row: &Row) -> Anchor {
        let released = self.released.get(&row.update).copied().unwrap_or(Anchor::START);
        builder.moment(row).arrived.max(released)
    }
}

fn newest(builder: &SnapshotBuilder, twins: &BTreeMap<u32, LeftOutReason>, decisions: &Decisions) -> Live {
    let numbers = |update: &UpdateId| builder.updates.find(*update);
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
    let mut live = vec![NONE; builder.updates.ids().len()];
    for (row, number) in builder.rows.iter().zip(0_u32..).filter(|(_, number)| !twins.contains_key(number)) {
        if let Some(slot) = live.get_mut(row.update as usize) {
            let better = builder.rows.get(*slot as usize).is_none_or(|other| rank(other) < rank(row));
            if better {
                *slot = number;
            }
        }
    }
    Live { rows: live, released, named: FxHashMap::default(), parts: FxHashSet::default() }
}

fn bundle_clauses<'a>(
    builder: &'a SnapshotBuilder,
    row: &Row,
) -> impl Iterator<Item = &'a [Member]> + use<'a> {
    builder.bundle_clauses_of(builder.parts(row))
}

/// The alternatives of a prerequisite clause; the first element says whether it is IsCategory.
fn alternatives(builder: &SnapshotBuilder, clause: u32) -> &[u32] {
    builder.clauses.get(clause).get(1..).unwrap_or(&[])
}

/// Every revision in service that is neither declined nor expired, and what those need and contain
/// (observed behaviour 3.3, rule 1). What has expired is in scope while it is to be removed somewhere
/// (IUpdate.Approve of WSUS takes no other order for it). What is only there as a part is in scope with its bundle: once all
/// its bundles are declined, nobody is given it. A bundle brings the revisions of its members that it names, also
/// where another revision of a member is in service: then both can be in scope.
fn scope(
    builder: &SnapshotBuilder,
    live: &Live,
    history: &History,
    left_out: &BTreeMap<u32, LeftOutReason>,
    decisions: &Decisions,
) -> Vec<bool> {
    let whole = |row: &u32| !left_out.contains_key(row);
    let usable = |update: &u32| live.of(*update).filter(whole);
    let mut scope = vec![false; builder.rows.len()];
    let mut waiting: Vec<u32> = (0..count(builder.updates.ids().len()))
        .filter_map(|update| {
            let number = usable(&update)?;
            let row = builder.rows.get(number as usize)?;
            let part_only =
                is_installable(row.kind) && history.is_member(update) && !row.explicitly_deployable;
            let id = builder.update(update);
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
            waiting.extend(clause.iter().filter_map(|member| live.member(member)).filter(whole));
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
