//! Scan: the answer to SyncUpdates (MS-WUSP 3.1.5.7, with observed behaviour 3.3 where they differ).
//! The cost follows what the client says and what it gets: its installed ids satisfy clauses, satisfied
//! clauses open gates, open gates list revisions.

use crate::Deployed;
use crate::drivers::{BestMatch, best_matches};
use crate::filter::Filter;
use crate::opening::Opening;
use crate::outcome::{ChangedUpdate, NewUpdate, SyncAnswer};
use crate::overlay::Overlay;
use crate::query::{PageBudget, ProtocolVersion, SyncQuery};
use crate::scratch::Scratch;
use crate::snapshot::{IdIndex, NOWHERE, Place, Snapshot};
use sluicegate_terms::{Anchor, RevisionId};
use std::sync::Arc;

/// Answers one SyncUpdates call. Pure: the same snapshot and query give the same answer, whatever
/// `scratch` was used for before.
#[must_use]
pub fn answer(snapshot: &Snapshot, query: &SyncQuery<'_>, scratch: &mut Scratch) -> SyncAnswer {
    scratch.begin(snapshot);
    scratch.set_groups(query.groups);
    let overlay = snapshot.overlay(&scratch.groups);
    let category_scan = query.protocol >= ProtocolVersion::CATEGORY_SCAN
        && !query.filter_categories.is_empty()
        && !query.also_regular;
    let filter: Option<Arc<Filter>> = category_scan.then(|| snapshot.filter(query.filter_categories));
    let filter = filter.as_deref();
    let pass = Pass {
        snapshot,
        overlay: &overlay,
        filter,
        seen: query.seen,
        protocol: query.protocol,
        budget: query.budget,
        two_groups: query.two_groups && category_scan,
        without: query.without,
    };
    let no_drivers = match filter {
        Some(filter) => !filter.has_drivers(),
        None => snapshot.layout.drivers.revisions().is_empty(),
    };
    let mut answer = if query.skip_software {
        snapshot.satisfy(query.installed_non_leaf, scratch);
        let needed = best_matches(snapshot, query, &overlay, filter, scratch);
        pass.drivers(&needed, query.cached_drivers, scratch)
    } else {
        pass.software(query.installed_non_leaf, query.other_cached, scratch)
    };
    // A regular software pass never says that there are no drivers, a category scan does, and so does
    // the driver pass (observed behaviour 3.3, rule 9).
    let said = (query.skip_software || category_scan) && no_drivers;
    answer.driver_sync_not_needed = (query.protocol >= ProtocolVersion::CATEGORY_SCAN).then_some(said);
    answer
}

/// What the passes of one call have in common.
pub(crate) struct Pass<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) overlay: &'a Overlay,
    pub(crate) filter: Option<&'a Filter>,
    pub(crate) seen: Anchor,
    pub(crate) protocol: ProtocolVersion,
    pub(crate) budget: PageBudget,
    pub(crate) two_groups: bool,
    pub(crate) without: &'a [RevisionId],
}

impl Pass<'_> {
    /// Notes what the client holds; ids that stand for no revision too.
    fn hold(&self, ids: &[i32], opening: Option<&Opening>, scratch: &mut Scratch) {
        let is_open = |gate| opening.is_some_and(|opening| opening.has(gate));
        // Decided once for all ids instead of for each.
        match (&self.snapshot.layout.by_id, self.filter) {
            (IdIndex::Table { indices, gates }, None) => {
                scratch.hold_all(
                    ids,
                    |id| IdIndex::in_tables(indices, gates, id),
                    |place| is_open(place.gate),
                );
            }
            (by_id, filter) => {
                let allowed = |index| filter.is_none_or(|filter| filter.allows(index));
                scratch.hold_all(
                    ids,
                    |id| by_id.place(id).unwrap_or(NOWHERE),
                    |place| is_open(place.gate) && allowed(place.index),
                );
            }
        }
    }

    fn software(&self, installed: &[i32], other: &[i32], scratch: &mut Scratch) -> SyncAnswer {
        let snapshot = self.snapshot;
        let (opening, met_before) = snapshot.opening(installed, scratch);
        let opening = &*opening;
        if self.is_steady(installed, other, opening, met_before, scratch) {
            return SyncAnswer { anchor: snapshot.anchor, ..SyncAnswer::default() };
        }
        self.hold(installed, Some(opening), scratch);
        self.hold(other, Some(opening), scratch);
        // Often the client holds everything behind the open gates, which the counts tell. And who has seen
        // this snapshot's anchor has seen every change in it.
        if self.filter.is_some() || scratch.kept != opening.needed || self.seen < snapshot.anchor {
            self.behind_open_gates(opening, scratch);
        }
        let is_needed = |_: &Scratch, place: Place| {
            opening.has(place.gate) && self.filter.is_none_or(|filter| filter.allows(place.index))
        };
        self.conclude(installed.iter().chain(other), scratch, is_needed, |_, deployed| deployed)
    }

    /// Whether the client has seen all changes and holds what is behind the open gates, all of it and
    /// nothing else. So it is with nearly every scan, and looking at the ids tells.
    fn is_steady(
        &self,
        installed: &[i32],
        other: &[i32],
        opening: &Opening,
        met_before: bool,
        scratch: &mut Scratch,
    ) -> bool {
        if self.filter.is_some()
            || self.seen < self.snapshot.anchor
            || installed.len() + other.len() != opening.needed
        {
            return false;
        }
        // The counts agree, so ids in order that are all among the others are all of them.
        if met_before && self.snapshot.others(opening).is_some_and(|others| others.holds_ascending(other)) {
            return true;
        }
        match &self.snapshot.layout.by_id {
            IdIndex::Table { gates, .. } => {
                scratch.each_once([installed, other], gates, |gate| opening.has(gate))
            }
            IdIndex::Map(_) => false,
        }
    }

    /// Everything behind the open gates is needed: what the client lacks of it is new to it.
    fn behind_open_gates(&self, opening: &Opening, scratch: &mut Scratch) {
        for gate in &opening.gates {
            for index in self.snapshot.layout.behind.get(*gate) {
                if self.filter.is_none_or(|filter| filter.allows(*index)) {
                    self.sort_out(*index, scratch);
                }
            }
        }
    }

    /// A needed revision is new to the client, or perhaps changed.
    fn sort_out(&self, index: u32, scratch: &mut Scratch) {
        if !scratch.is_held(index) {
            if self.without.is_empty() || !self.is_without(index) {
                scratch.candidates.push(index);
            }
        } else if self.seen < self.snapshot.anchor
            && let Some(entry) = self.snapshot.entry(index)
            && self.snapshot.changed(entry, index, self.overlay) > self.seen
        {
            scratch.changed.push(index);
        }
    }

    #[cold]
    fn is_without(&self, index: u32) -> bool {
        self.snapshot.entry(index).is_some_and(|entry| self.without.contains(&entry.id))
    }

    /// The driver pass: `needed` is sorted by index.
    pub(crate) fn drivers(&self, needed: &[BestMatch], cached: &[i32], scratch: &mut Scratch) -> SyncAnswer {
        self.hold(cached, None, scratch);
        // No gate was opened, so nothing counts as kept yet.
        for found in needed {
            if scratch.need(found.revision) {
                scratch.kept += usize::from(scratch.is_held(found.revision));
                self.sort_out(found.revision, scratch);
            }
        }
        let texts = self.snapshot.layout.drivers.texts();
        let hardware_ids = |index: u32| {
            let first = needed.partition_point(|found| found.revision < index);
            let of_revision = needed.iter().skip(first).take_while(move |found| found.revision == index);
            let mut ids: Vec<Box<str>> =
                of_revision.filter_map(|found| found.hardware).map(|text| texts.text(text).into()).collect();
            ids.sort_unstable();
            ids
        };
        let with_ids = self.protocol >= ProtocolVersion::HARDWARE_IDS;
        let is_needed = |scratch: &Scratch, place: Place| scratch.is_needed(place.index);
        self.conclude(cached.iter(), scratch, is_needed, |index, deployed| Deployed {
            hardware_ids: if with_ids { hardware_ids(index) } else { Vec::new() },
            ..deployed
        })
    }

    fn conclude<'i>(
        &self,
        ids: impl Iterator<Item = &'i i32>,
        scratch: &mut Scratch,
        is_needed: impl Fn(&Scratch, Place) -> bool,
        dress: impl Fn(u32, Deployed) -> Deployed,
    ) -> SyncAnswer {
        let mut answer = SyncAnswer { anchor: self.snapshot.anchor, ..SyncAnswer::default() };
        self.fill_page(scratch, &dress, &mut answer);
        scratch.changed.sort_unstable();
        answer.changed = scratch
            .changed
            .iter()
            .filter_map(|index| {
                let entry = self.snapshot.entry(*index)?;
                let deployment = self.snapshot.deployed(entry, *index, self.overlay, self.protocol);
                let deployment = dress(*index, deployment);
                Some(ChangedUpdate { revision: entry.id, deployment, is_leaf: entry.is_leaf })
            })
            .collect();
        // Nearly always everything held is still needed, which the counts tell without another look.
        if scratch.kept == scratch.held && !scratch.strangers {
            return answer;
        }
        for id in ids {
            match self.snapshot.layout.by_id.place(*id) {
                None if scratch.unknown.insert(*id) => answer.out_of_scope.push(*id),
                // In a category scan the two groups tell what is no longer deployed at all from what
                // is only not part of this scan (MS-WUSP 2.2.2.2.4, OutOfScopeRevisionIDs).
                Some(place) if !is_needed(scratch, place) && scratch.settle(place.index) => {
                    match self.two_groups {
                        true => answer.deployed_out_of_scope.push(*id),
                        false => answer.out_of_scope.push(*id),
                    }
                }
                _ => {}
            }
        }
        answer
    }

    /// Takes new updates in page order until the budget is used up, always at least one.
    fn fill_page(
        &self,
        scratch: &mut Scratch,
        dress: &impl Fn(u32, Deployed) -> Deployed,
        answer: &mut SyncAnswer,
    ) {
        /// Sorted at a time: a page of a large backlog is a small part of it.
        const RUN: usize = 1024;
        let budget = self.budget.bytes(scratch.held);
        let mut bytes = 0_u64;
        let mut rest = scratch.candidates.as_mut_slice();
        answer.new.reserve(rest.len().min(RUN));
        while !rest.is_empty() {
            if rest.len() > RUN {
                rest.select_nth_unstable(RUN);
            }
            let (run, later) = rest.split_at_mut(rest.len().min(RUN));
            run.sort_unstable();
            for index in run.iter().copied() {
                let Some(entry) = self.snapshot.entry(index) else { continue };
                let size = u64::from(entry.core_len) + u64::from(PageBudget::FRAME_BYTES);
                if !answer.new.is_empty() && bytes + size > budget {
                    answer.truncated = true;
                    return;
                }
                bytes += size;
                let deployment = self.snapshot.deployed(entry, index, self.overlay, self.protocol);
                answer.new.push(NewUpdate {
                    revision: entry.id,
                    index,
                    deployment: dress(index, deployment),
                    is_leaf: entry.is_leaf,
                    core_escaped_len: entry.core_len,
                });
            }
            rest = later;
        }
    }
}
