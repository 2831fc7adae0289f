//! Scan: category scans. Which revisions a set of categories concerns (MS-WUSP 2.2.2.2.4,
//! FilterCategoryIds), worked out when first asked for, and kept.

use crate::pool::{Ragged, at};
use crate::snapshot::Snapshot;
use rustc_hash::FxHashMap;
use sluicegate_terms::{UpdateId, UpdateKind};
use std::sync::{Arc, PoisonError, RwLock};

/// The revisions a category scan is about: the categories asked for, the categories and updates placed
/// in them by an IsCategory clause, and all that those need or contain. For a category without updates
/// that leaves its chain up to the company (observed behaviour 3.3, rule 10).
#[derive(Debug)]
pub(crate) struct Filter {
    bits: Vec<u64>,
    has_drivers: bool,
}

impl Filter {
    pub(crate) fn allows(&self, index: u32) -> bool {
        at(&self.bits, index / 64) >> (index % 64) & 1 == 1
    }

    /// Whether a driver is among the revisions.
    pub(crate) fn has_drivers(&self) -> bool {
        self.has_drivers
    }

    /// True the first time.
    fn add(&mut self, index: u32) -> bool {
        let bit = 1 << (index % 64);
        match self.bits.get_mut(index as usize / 64) {
            Some(word) if *word & bit == 0 => {
                *word |= bit;
                true
            }
            _ => false,
        }
    }
}

/// Filters by the categories asked for, as sorted indices.
#[derive(Debug, Default)]
pub(crate) struct FilterCache(RwLock<FxHashMap<Box<[u32]>, Arc<Filter>>>);

/// Filters kept at once; each takes an eighth of a byte per revision.
const KEPT: usize = 256;

impl Snapshot {
    /// The filter for a set of categories. Unknown ones concern nothing.
    pub(crate) fn filter(&self, categories: &[UpdateId]) -> Arc<Filter> {
        let is_category =
            |index: &u32| self.entry(*index).is_some_and(|entry| entry.kind == UpdateKind::Category);
        let mut wanted: Vec<u32> =
            categories.iter().filter_map(|id| self.index_of_update(*id)).filter(is_category).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let cache = &self.layout.filters.0;
        if let Some(found) = cache.read().unwrap_or_else(PoisonError::into_inner).get(wanted.as_slice()) {
            return Arc::clone(found);
        }
        let made = Arc::new(self.make_filter(&wanted));
        let mut kept = cache.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(wanted.into(), Arc::clone(&made));
        made
    }

    fn make_filter(&self, categories: &[u32]) -> Filter {
        let mut filter = Filter { bits: vec![0; self.len().div_ceil(64)], has_drivers: false };
        let placing = self.layout.gates.iter().zip(0_u32..).flat_map(|(gate, number)| {
            let clauses = gate.iter().filter(|clause| at(&self.layout.clause_is_category, **clause));
            clauses.map(move |clause| (*clause, number))
        });
        let gates_of_clause = Ragged::group(self.layout.clauses.len(), placing);
        let by_gate = self.layout.entries.iter().zip(0_u32..).map(|(entry, index)| (entry.gate, index));
        let revisions_of_gate = Ragged::group(self.layout.gates.len(), by_gate);
        let kind = |index: u32| self.entry(index).map(|entry| entry.kind);

        // Down the tree: what is placed in the categories.
        let mut found: Vec<u32> = categories.iter().copied().filter(|index| filter.add(*index)).collect();
        let mut waiting = found.clone();
        while let Some(category) = waiting.pop() {
            for clause in self.layout.satisfies.get(category) {
                for gate in gates_of_clause.get(*clause) {
                    for index in revisions_of_gate.get(*gate) {
                        if filter.add(*index) {
                            found.push(*index);
                            if kind(*index) == Some(UpdateKind::Category) {
                                waiting.push(*index);
                            }
                        }
                    }
                }
            }
        }
        // And everything that is needed or contained.
        while let Some(index) = found.pop() {
            filter.has_drivers |= kind(index) == Some(UpdateKind::Driver);
            let gate = self.entry(index).map_or(&[][..], |entry| self.layout.gates.get(entry.gate));
            let needed = gate.iter().flat_map(|clause| self.layout.clauses.get(*clause));
            for other in needed.chain(self.layout.members.get(index)) {
                if filter.add(*other) {
                    found.push(*other);
                }
            }
        }
        filter
    }
}
