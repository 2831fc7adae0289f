//! Scan: which gates a set of installed revisions opens. Machines of one kind have the same detectoids and
//! categories installed, so what one of them opens is worked out once and kept for the others.

use crate::scratch::Scratch;
use crate::snapshot::Snapshot;
use core::hash::{Hash, Hasher};
use rustc_hash::FxHasher;
use std::sync::{Arc, PoisonError, RwLock};

/// The gates that some installed revisions open.
#[derive(Debug)]
pub(crate) struct Opening {
    installed: Box<[i32]>,
    /// The open gates, each once.
    pub(crate) gates: Box<[u32]>,
    /// The same as one bit for each gate: looked at for every id a client sends, so it has to stay near
    /// the processor.
    bits: Box<[u64]>,
    /// How many revisions are behind them; a revision is behind one gate.
    pub(crate) needed: usize,
}

impl Opening {
    /// Whether a gate is open. [`NO_GATE`](crate::snapshot::NO_GATE) never is.
    #[inline]
    pub(crate) fn has(&self, gate: u32) -> bool {
        self.bits.get(gate as usize / 64).is_some_and(|word| word >> (gate % 64) & 1 != 0)
    }
}

/// Openings kept at once; a newer one takes the place of an older one with the same hash.
const KEPT: usize = 256;

/// Larger sets are not kept; agents hold some hundred non-leaf revisions.
const LARGEST_KEPT: usize = 2048;

/// Openings by set of installed revisions.
#[derive(Debug)]
pub(crate) struct OpeningCache(Box<[RwLock<Option<Arc<Opening>>>]>);

impl Default for OpeningCache {
    fn default() -> Self {
        Self((0..KEPT).map(|_| RwLock::default()).collect())
    }
}

impl OpeningCache {
    fn slot(&self, installed: &[i32]) -> Option<&RwLock<Option<Arc<Opening>>>> {
        if installed.len() > LARGEST_KEPT {
            return None;
        }
        let mut hasher = FxHasher::default();
        installed.hash(&mut hasher);
        // The high bits of this hash are its best.
        self.0.get((hasher.finish() >> 48) as usize % KEPT)
    }
}

impl Snapshot {
    /// What these installed revisions open. The order of the ids makes a difference only to what is kept.
    pub(crate) fn opening(&self, installed: &[i32], scratch: &mut Scratch) -> Arc<Opening> {
        let slot = self.layout.openings.slot(installed);
        if let Some(slot) = slot {
            let kept = slot.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = kept.as_ref().filter(|opening| *opening.installed == *installed) {
                return Arc::clone(found);
            }
        }
        let made = Arc::new(self.make_opening(installed, scratch));
        if let Some(slot) = slot {
            *slot.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&made));
        }
        made
    }

    fn make_opening(&self, installed: &[i32], scratch: &mut Scratch) -> Opening {
        self.satisfy(installed, scratch);
        // A gate is watched by one clause, and each clause is here once, so each gate is opened once.
        let mut gates: Vec<u32> = self.layout.open_gate.into_iter().collect();
        for clause in &scratch.clauses {
            let watchers = self.layout.watchers.get(*clause).iter();
            gates.extend(watchers.filter(|gate| scratch.all_satisfied(self.layout.gates.get(**gate))));
        }
        let mut bits = vec![0_u64; self.layout.gates.len().div_ceil(64)];
        for gate in &gates {
            if let Some(word) = bits.get_mut(*gate as usize / 64) {
                *word |= 1 << (gate % 64);
            }
        }
        let needed = gates.iter().map(|gate| self.layout.behind.get(*gate).len()).sum();
        Opening { installed: installed.into(), gates: gates.into(), bits: bits.into(), needed }
    }

    /// Marks the clauses that the installed revisions satisfy. Only the revision in scope counts: "an id
    /// means the highest revision" (observed behaviour 3.3, rule 2).
    pub(crate) fn satisfy(&self, installed: &[i32], scratch: &mut Scratch) {
        for index in installed.iter().filter_map(|id| self.layout.by_id.get(*id)) {
            for clause in self.layout.satisfies.get(index) {
                scratch.satisfy(*clause);
            }
        }
    }
}
