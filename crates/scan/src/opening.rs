//! Scan: which gates a set of installed revisions opens. Machines of one kind have the same detectoids and
//! categories installed, so what one of them opens is worked out once and kept for the others.

use crate::scratch::Scratch;
use crate::snapshot::{IdIndex, Snapshot};
use core::hash::{Hash, Hasher};
use rustc_hash::FxHasher;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

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
    /// What an up-to-date client holds beside the installed ones; worked out when the opening is met again.
    others: OnceLock<Option<IdSet>>,
}

/// A set of revision ids, one bit for each.
#[derive(Debug)]
pub(crate) struct IdSet(Box<[u64]>);

impl IdSet {
    fn with_room_for(ids: usize) -> Self {
        Self(vec![0; ids.div_ceil(64)].into())
    }

    fn insert(&mut self, id: u32) {
        if let Some(word) = self.0.get_mut(id as usize / 64) {
            *word |= 1 << (id % 64);
        }
    }

    /// True when it was in the set.
    fn remove(&mut self, id: u32) -> bool {
        let Some(word) = self.0.get_mut(id as usize / 64) else { return false };
        let before = *word;
        *word &= !(1 << (id % 64));
        before != *word
    }

    /// Whether all of these are in the set and each is greater than the one before. Looked at for every id
    /// of nearly every scan, so nothing in it waits for the id before. By itself, so that it has the registers it needs
    /// whatever stands around the one call.
    #[inline(never)]
    pub(crate) fn holds_ascending(&self, ids: &[i32]) -> bool {
        let words = &*self.0;
        let mut all = true;
        let mut before = -1;
        for id in ids {
            // Negative ones are beyond the set.
            let number = id.cast_unsigned();
            let word = words.get(number as usize / 64).copied().unwrap_or(0);
            all &= (word >> (number % 64) & 1 != 0) & (*id > before);
            before = *id;
        }
        all
    }
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

/// Ids up to here may get a set of their own for each opening kept: 16 MiB of them at most.
const LARGEST_ID_SET: usize = 512 << 10;

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
    /// What these installed revisions open, and whether that was asked before. The order of the ids makes a
    /// difference only to what is kept.
    pub(crate) fn opening(&self, installed: &[i32], scratch: &mut Scratch) -> (Arc<Opening>, bool) {
        let slot = self.layout.openings.slot(installed);
        if let Some(slot) = slot {
            let kept = slot.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = kept.as_ref().filter(|opening| *opening.installed == *installed) {
                return (Arc::clone(found), true);
            }
        }
        let made = Arc::new(self.make_opening(installed, scratch));
        if let Some(slot) = slot {
            *slot.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&made));
        }
        (made, false)
    }

    /// What a client with these installed revisions holds beside them when it holds everything behind the
    /// open gates. `None` when the installed ones are not all behind them, each once, and when ids are too
    /// far apart or too many for a set.
    pub(crate) fn others<'o>(&self, opening: &'o Opening) -> Option<&'o IdSet> {
        opening.others.get_or_init(|| self.make_others(opening)).as_ref()
    }

    fn make_others(&self, opening: &Opening) -> Option<IdSet> {
        let IdIndex::Table { gates, .. } = &self.layout.by_id else { return None };
        if gates.len() > LARGEST_ID_SET {
            return None;
        }
        let mut others = IdSet::with_room_for(gates.len());
        let needed = opening.gates.iter().flat_map(|gate| self.layout.behind.get(*gate));
        for entry in needed.filter_map(|index| self.entry(*index)) {
            others.insert(entry.id.get());
        }
        let each_once = opening.installed.iter().all(|id| others.remove(id.cast_unsigned()));
        each_once.then_some(others)
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
        Opening {
            installed: installed.into(),
            gates: gates.into(),
            bits: bits.into(),
            needed,
            others: OnceLock::new(),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_held_in_order_each_once_and_not_beyond_the_set() {
        let mut set = IdSet::with_room_for(200);
        [0, 1, 63, 64, 199].into_iter().for_each(|id| set.insert(id));
        set.insert(5000);
        for good in [&[][..], &[0], &[0, 1, 63, 64, 199], &[1, 64]] {
            assert!(set.holds_ascending(good), "{good:?}");
        }
        for bad in
            [&[2][..], &[1, 0], &[1, 1], &[0, 0], &[-1], &[0, 65], &[199, 5000], &[i32::MIN], &[i32::MAX]]
        {
            assert!(!set.holds_ascending(bad), "{bad:?}");
        }
        assert!(set.remove(64) && !set.remove(64) && !set.remove(65) && !set.remove(9999));
        assert!(!set.holds_ascending(&[63, 64]));
    }
}
