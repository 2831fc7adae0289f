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
    /// The generation in which each clause was last satisfied.
    satisfied: Vec<u32>,
    /// The generation in which each gate was last open.
    opened: Vec<u32>,
    /// The client holds ids that stand for no revision.
    pub(crate) strangers: bool,
    /// How many different revisions the client holds.
    pub(crate) held: usize,
    /// How many of the held revisions are needed.
    pub(crate) kept: usize,
    pub(crate) unknown: FxHashSet<i32>,
    pub(crate) groups: Vec<GroupId>,
    pub(crate) clauses: Vec<u32>,
    /// The open gates.
    pub(crate) gates: Vec<u32>,
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

impl Scratch {
    /// Working memory that grows to fit the first snapshot it is used with.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the last request.
    pub(crate) fn begin(&mut self, snapshot: &Snapshot) {
        self.begin_sized(snapshot.len(), snapshot.clauses.len(), snapshot.gates.len());
    }

    fn begin_sized(&mut self, revisions: usize, clauses: usize, gates: usize) {
        if self.generation >= u32::MAX - 2 * STEP {
            for marks in [&mut self.revisions, &mut self.satisfied, &mut self.opened] {
                marks.clear();
            }
            self.generation = 0;
        }
        self.generation += STEP;
        for (marks, len) in
            [(&mut self.revisions, revisions), (&mut self.satisfied, clauses), (&mut self.opened, gates)]
        {
            if marks.len() < len {
                marks.resize(len, 0);
            }
        }
        self.strangers = false;
        self.held = 0;
        self.kept = 0;
        self.unknown.clear();
        self.clauses.clear();
        self.gates.clear();
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

    /// Notes what the client holds, and how much of that is needed as `allowed` and the open gates say.
    /// `find` answers [`NOWHERE`](crate::snapshot::NOWHERE) for ids that stand for no revision.
    #[inline]
    pub(crate) fn hold_all(
        &mut self,
        ids: &[i32],
        find: impl Fn(i32) -> Place,
        allowed: impl Fn(u32) -> bool,
    ) {
        // In variables of their own, so that they stay in registers.
        let (marks, opened, generation) = (&mut *self.revisions, &*self.opened, self.generation);
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
            let needed = at(opened, place.gate) == generation && allowed(place.index);
            held += usize::from(first);
            kept += usize::from(first & needed);
        }
        self.held += held;
        self.kept += kept;
        self.strangers |= strangers;
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

    /// Notes that a gate is open.
    pub(crate) fn open(&mut self, gate: u32) {
        if let Some(slot) = self.opened.get_mut(gate as usize) {
            *slot = self.generation;
            self.gates.push(gate);
        }
    }

    /// Whether a gate is open; [`NO_GATE`] never is.
    pub(crate) fn is_open(&self, gate: u32) -> bool {
        gate != NO_GATE && at(&self.opened, gate) == self.generation
    }

    /// Notes that a clause is satisfied. True the first time.
    #[inline]
    pub(crate) fn satisfy(&mut self, clause: u32) -> bool {
        match self.satisfied.get_mut(clause as usize) {
            Some(slot) if *slot != self.generation => {
                *slot = self.generation;
                true
            }
            _ => false,
        }
    }

    #[inline]
    pub(crate) fn all_satisfied(&self, clauses: &[u32]) -> bool {
        clauses.iter().all(|clause| at(&self.satisfied, *clause) == self.generation)
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
                scratch.begin_sized(4, 4, 4);
                assert!(!scratch.is_held(1) && !scratch.is_needed(2) && !scratch.all_satisfied(&[3]));
                assert!(!scratch.is_open(0) && scratch.gates.is_empty());
                scratch.hold_all(&[1, 1], place, |_| true);
                assert!(scratch.is_held(1) && !scratch.is_needed(1) && !scratch.is_held(2));
                assert!(scratch.settle(1) && !scratch.settle(1) && scratch.is_held(1));
                assert!(scratch.need(2) && !scratch.need(2) && scratch.is_needed(2) && !scratch.is_held(2));
                assert!(scratch.satisfy(3) && !scratch.satisfy(3));
                assert!(scratch.all_satisfied(&[3]) && !scratch.all_satisfied(&[2, 3]));
                scratch.open(0);
                assert!(scratch.is_open(0) && !scratch.is_open(1) && !scratch.is_open(NO_GATE));
            }
        }
    }

    #[test]
    fn each_revision_is_counted_once_however_often_its_id_is_said() {
        let mut scratch = Scratch::new();
        scratch.begin_sized(8, 0, 4);
        scratch.open(1);
        scratch.hold_all(&[2, 2, 3, 4], place, |index| index != 3);
        assert_eq!((scratch.held, scratch.kept, scratch.strangers), (3, 1, false));
        scratch.hold_all(&[4, 2, 5, -1], place, |_| true);
        assert_eq!((scratch.held, scratch.kept, scratch.strangers), (4, 1, true));
    }
}
