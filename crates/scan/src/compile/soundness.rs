//! Scan: which revisions in service, and revisions they bundle, make no sense to a client: those that need or bundle
//! what is not there, bundles that contain themselves, and those of which something is damaged. One such revision must
//! not stop the rest of the catalog.

use super::{Live, NONE, alternatives, bundle_clauses};
use crate::builder::{Member, SnapshotBuilder};
use crate::error::LeftOutReason;
use crate::pool::{Ragged, at, count};
use std::collections::BTreeMap;

/// The revisions in service, and those they bundle, that clients could not make sense of, by row.
pub(super) fn left_out(builder: &SnapshotBuilder, live: &Live) -> BTreeMap<u32, LeftOutReason> {
    Soundness::of(builder, live).left_out
}

struct Soundness {
    left_out: BTreeMap<u32, LeftOutReason>,
}

impl Soundness {
    fn of(builder: &SnapshotBuilder, live: &Live) -> Self {
        let mut sound = Self { left_out: BTreeMap::new() };
        // Members before their bundles: a row is judged once all it bundles has been judged. Rows of a
        // ring, and what contains one, are never reached.
        let mut waiting_for = vec![0_u32; builder.rows.len()];
        let mut edges = Vec::new();
        let rows = || live.rows.iter().copied().filter(|row| *row != NONE).chain(live.parts.iter().copied());
        for row in rows() {
            let Some(bundle) = builder.rows.get(row as usize) else { continue };
            let mut members: Vec<u32> =
                bundle_clauses(builder, bundle).flatten().filter_map(|member| live.member(member)).collect();
            members.sort_unstable();
            members.dedup();
            if let Some(slot) = waiting_for.get_mut(row as usize) {
                *slot = count(members.len());
            }
            edges.extend(members.into_iter().map(|member| (member, row)));
        }
        let bundles_of = Ragged::group(builder.rows.len(), edges.iter().copied());
        let mut ready: Vec<u32> = rows().filter(|row| at(&waiting_for, *row) == 0).collect();
        let faults: Vec<Option<LeftOutReason>> = (0..count(builder.clauses.lists().len()))
            .map(|clause| clause_fault(builder, live, clause))
            .collect();
        let mut judged = 0_usize;
        while let Some(row) = ready.pop() {
            judged += 1;
            if let Some(reason) = sound.judge(builder, live, &faults, row) {
                sound.left_out.insert(row, reason);
            }
            if let Some(slot) = waiting_for.get_mut(row as usize) {
                *slot = NONE;
            }
            for bundle in bundles_of.get(row) {
                if let Some(slot) = waiting_for.get_mut(*bundle as usize) {
                    *slot -= 1;
                    if *slot == 0 {
                        ready.push(*bundle);
                    }
                }
            }
        }
        if judged < rows().count() {
            for row in rows().filter(|row| at(&waiting_for, *row) != NONE) {
                sound.left_out.insert(row, LeftOutReason::BundleCycle);
            }
        }
        sound
    }

    fn judge(
        &self,
        builder: &SnapshotBuilder,
        live: &Live,
        faults: &[Option<LeftOutReason>],
        row: u32,
    ) -> Option<LeftOutReason> {
        let row = builder.rows.get(row as usize)?;
        if builder.damaged.contains(&row.id) {
            return Some(LeftOutReason::Damaged);
        }
        let gate = builder.gates.get(row.gate);
        let fault = gate.iter().find_map(|clause| faults.get(*clause as usize).cloned().flatten());
        fault.or_else(|| {
            bundle_clauses(builder, row).find_map(|clause| self.bundle_fault(builder, live, clause))
        })
    }

    fn bundle_fault(
        &self,
        builder: &SnapshotBuilder,
        live: &Live,
        clause: &[Member],
    ) -> Option<LeftOutReason> {
        let Some(first) = clause.iter().map(|member| builder.update(member.update)).min() else {
            return Some(LeftOutReason::EmptyClause);
        };
        let mut present = clause.iter().filter_map(|member| live.member(member)).peekable();
        if present.peek().is_none() {
            Some(LeftOutReason::MissingBundled(first))
        } else if present.all(|member| self.left_out.contains_key(&member)) {
            Some(LeftOutReason::BundledLeftOut(first))
        } else {
            None
        }
    }
}

fn clause_fault(builder: &SnapshotBuilder, live: &Live, clause: u32) -> Option<LeftOutReason> {
    let alternatives = alternatives(builder, clause);
    let Some(first) = alternatives.iter().map(|update| builder.update(*update)).min() else {
        return Some(LeftOutReason::EmptyClause);
    };
    let known = alternatives.iter().any(|update| live.of(*update).is_some());
    (!known).then_some(LeftOutReason::MissingPrerequisite(first))
}
