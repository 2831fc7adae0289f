//! Scan: working memory of one request after another. Marks carry the number of the request that set
//! them, so nothing the size of the catalog is ever cleared.

use crate::pool::at;
use crate::snapshot::{NO_GATE, Place, Snapshot};
use rustc_hash::FxHashSet;
use sluicegate_terms::GroupId;

/// Working memory for [`crate::answer`]; keep one per thread and use it again.
#[derive(Debug, Default)]
pub struct Scratch {
    generation: u32,
    /// What is known of each revision: a generation with flags.
    revisions: Vec<u32>,
    /// The satisfied clauses, those of `clauses`.
    satisfied: Bits,
    /// Ids the client holds; empty between uses.
    ids: Bits,
    /// The client holds ids that stand for no revision.
    pub(crate) strangers: bool,
    /// How many different revisions the client holds.
    pub(crate) held: usize,
    /// How many of the held revisions are needed.
    pub(crate) kept: usize,
    pub(crate) unknown: FxHashSet<i32>,
    pub(crate) groups: Vec<GroupId>,
    /// The satisfied clauses.
    pub(crate) clauses: Vec<u32>,
    pub(crate) candidates: Vec<u32>,
    pub(crate) changed: Vec<u32>,
    pub(crate) text: String,
}

/// Flags of a revision. All that was said of it in one request stands in one place, since looking at a
/// place is what costs.
const HELD: u32 = 1;
const NEEDED: u32 = 2;
const SETTLED: u32 = 4;
/// Between generations, so that flags have room.
const STEP: u32 = 8;

/// Sets a flag. True the first time in this generation.
#[inline]
fn mark(marks: &mut [u32], index: u32, generation: u32, flag: u32) -> bool {
    let Some(slot) = marks.get_mut(index as usize) else { return false };
    // Marks of earlier requests are below the generation and fall away.
    let known = generation.max(*slot);
    *slot = known | flag;
    known & flag == 0
}

/// A set of small numbers, one bit for each: what is looked at for every id a client sends has to stay
/// near the processor. Whoever fills it knows what is in it, so clearing does not walk through all.
#[derive(Debug, Default)]
struct Bits(Vec<u64>);

impl Bits {
    /// Makes room for numbers below `len`.
    fn fit(&mut self, len: usize) {
        let words = len.div_ceil(64);
        if self.0.len() < words {
            self.0.resize(words, 0);
        }
    }

    #[inline]
    fn has(&self, number: u32) -> bool {
        self.0.get(number as usize / 64).is_some_and(|word| word >> (number % 64) & 1 != 0)
    }

    /// True when it was not in the set and has room in it.
    #[inline]
    fn insert(&mut self, number: u32) -> bool {
        let Some(word) = self.0.get_mut(number as usize / 64) else { return false };
        let before = *word;
        *word |= 1 << (number % 64);
        before != *word
    }

    /// Empties a set that has only these numbers.
    fn clear(&mut self, numbers: impl Iterator<Item = u32>) {
        for number in numbers {
            if let Some(word) = self.0.get_mut(number as usize / 64) {
                *word = 0;
            }
        }
    }
}

impl Scratch {
    /// Working memory that grows to fit the first snapshot it is used with.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the last request.
    pub(crate) fn begin(&mut self, snapshot: &Snapshot) {
        self.begin_sized(snapshot.len(), snapshot.layout.clauses.len());
    }

    fn begin_sized(&mut self, revisions: usize, clauses: usize) {
        if self.generation >= u32::MAX - 2 * STEP {
            self.revisions.clear();
            self.generation = 0;
        }
        self.generation += STEP;
        if self.revisions.len() < revisions {
            self.revisions.resize(revisions, 0);
        }
        self.satisfied.clear(self.clauses.iter().copied());
        self.satisfied.fit(clauses);
        self.strangers = false;
        self.held = 0;
        self.kept = 0;
        self.unknown.clear();
        self.clauses.clear();
        self.candidates.clear();
        self.changed.clear();
    }

    /// Puts the groups in order, each once.
    pub(crate) fn set_groups(&mut self, groups: &[GroupId]) {
        self.groups.clear();
        self.groups.extend_from_slice(groups);
        self.groups.sort_unstable();
        self.groups.dedup();
    }

    /// Notes what the client holds, and how much of that is needed.
    /// `find` answers [`NOWHERE`](crate::snapshot::NOWHERE) for ids that stand for no revision.
    #[inline]
    pub(crate) fn hold_all(
        &mut self,
        ids: &[i32],
        find: impl Fn(i32) -> Place,
        is_needed: impl Fn(Place) -> bool,
    ) {
        // In variables of their own, so that they stay in registers.
        let (marks, generation) = (&mut *self.revisions, self.generation);
        let (mut held, mut kept, mut strangers) = (0, 0, false);
        for id in ids {
            let place = find(*id);
            let Some(slot) = marks.get_mut(place.index as usize) else {
                strangers = true;
                continue;
            };
            let known = generation.max(*slot);
            *slot = known | HELD;
            let first = known & HELD == 0;
            let needed = is_needed(place);
            held += usize::from(first);
            kept += usize::from(first & needed);
        }
        self.held += held;
        self.kept += kept;
        self.strangers |= strangers;
    }

    /// Whether each of these ids is behind a gate that `is_open`, by the `gates` of the ids, and none is
    /// said twice.
    #[inline]
    pub(crate) fn each_once(
        &mut self,
        ids: [&[i32]; 2],
        gates: &[u32],
        is_open: impl Fn(u32) -> bool,
    ) -> bool {
        self.ids.fit(gates.len());
        let noted = &mut self.ids;
        let mut all = true;
        // A loop for each list: one over both keeps asking which it is in.
        for list in ids {
            for id in list {
                // Negative ones are beyond the table.
                let id = id.cast_unsigned();
                let gate = gates.get(id as usize).copied().unwrap_or(NO_GATE);
                all &= is_open(gate) & noted.insert(id);
            }
        }
        for list in ids {
            noted.clear(list.iter().map(|id| id.cast_unsigned()));
        }
        all
    }

    /// Whether the client holds a revision.
    #[inline]
    pub(crate) fn is_held(&self, index: u32) -> bool {
        self.has(index, HELD)
    }

    /// Notes that a held revision has been dealt with. True the first time.
    pub(crate) fn settle(&mut self, index: u32) -> bool {
        mark(&mut self.revisions, index, self.generation, SETTLED)
    }

    /// Notes that the client needs a driver. True the first time.
    pub(crate) fn need(&mut self, index: u32) -> bool {
        mark(&mut self.revisions, index, self.generation, NEEDED)
    }

    /// Whether a driver was noted as needed.
    pub(crate) fn is_needed(&self, index: u32) -> bool {
        self.has(index, NEEDED)
    }

    #[inline]
    fn has(&self, index: u32, flag: u32) -> bool {
        let known = at(&self.revisions, index);
        known >= self.generation && known & flag != 0
    }

    /// Notes that a clause is satisfied.
    #[inline]
    pub(crate) fn satisfy(&mut self, clause: u32) {
        if self.satisfied.insert(clause) {
            self.clauses.push(clause);
        }
    }

    #[inline]
    pub(crate) fn all_satisfied(&self, clauses: &[u32]) -> bool {
        clauses.iter().all(|clause| self.satisfied.has(*clause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::NOWHERE;

    fn place(id: i32) -> Place {
        u32::try_from(id).map_or(NOWHERE, |id| Place { index: id, gate: id / 2 })
    }

    #[test]
    fn marks_do_not_outlive_their_request_even_when_the_count_wraps() {
        let mut scratch = Scratch::new();
        for start in [0, u32::MAX - 40] {
            scratch.generation = start - start % STEP;
            for _ in 0..8 {
                scratch.begin_sized(4, 4);
                assert!(!scratch.is_held(1) && !scratch.is_needed(2) && !scratch.all_satisfied(&[3]));
                scratch.hold_all(&[1, 1], place, |_| false);
                assert!(scratch.is_held(1) && !scratch.is_needed(1) && !scratch.is_held(2));
                assert!(scratch.settle(1) && !scratch.settle(1) && scratch.is_held(1));
                assert!(scratch.need(2) && !scratch.need(2) && scratch.is_needed(2) && !scratch.is_held(2));
                scratch.satisfy(3);
                scratch.satisfy(3);
                assert_eq!(scratch.clauses, [3]);
                assert!(scratch.all_satisfied(&[3]) && !scratch.all_satisfied(&[2, 3]));
            }
        }
    }

    #[test]
    fn ids_behind_open_gates_are_told_from_all_others() {
        let mut scratch = Scratch::new();
        scratch.begin_sized(8, 0);
        let gates = [NO_GATE, 1, 2, 3, 1];
        for (ids, expected) in [
            ([&[1, 2][..], &[4][..]], true),
            ([&[][..], &[][..]], true),
            ([&[1, 2], &[2]], false),
            ([&[1, 1], &[]], false),
            ([&[1, 3], &[]], false),
            ([&[0], &[]], false),
            ([&[5], &[]], false),
            ([&[-1], &[]], false),
            ([&[1], &[i32::MAX]], false),
        ] {
            assert_eq!(scratch.each_once(ids, &gates, |gate| gate == 1 || gate == 2), expected, "{ids:?}");
        }
    }

    #[test]
    fn each_revision_is_counted_once_however_often_its_id_is_said() {
        let mut scratch = Scratch::new();
        scratch.begin_sized(8, 0);
        scratch.hold_all(&[2, 2, 3, 4], place, |place| place.index != 3 && place.gate == 1);
        assert_eq!((scratch.held, scratch.kept, scratch.strangers), (3, 1, false));
        scratch.hold_all(&[4, 2, 5, -1], place, |place| place.gate == 1);
        assert_eq!((scratch.held, scratch.kept, scratch.strangers), (4, 1, true));
    }
}
