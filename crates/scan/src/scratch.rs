//! Scan: working memory of one request after another. Marks carry the number of the request that set
//! them, so nothing the size of the catalog is ever cleared.

use crate::pool::at;
use rustc_hash::FxHashSet;
use sluicegate_terms::GroupId;

/// Working memory for [`crate::answer`]; keep one per thread and use it again.
#[derive(Debug, Default)]
pub struct Scratch {
    generation: u32,
    held: Vec<u32>,
    needed: Vec<u32>,
    satisfied: Vec<u32>,
    /// The client holds ids that stand for no revision.
    pub(crate) strangers: bool,
    /// How many of the held revisions are needed.
    pub(crate) kept: usize,
    pub(crate) unknown: FxHashSet<i32>,
    pub(crate) groups: Vec<GroupId>,
    pub(crate) clauses: Vec<u32>,
    pub(crate) candidates: Vec<u32>,
    pub(crate) changed: Vec<u32>,
    pub(crate) text: String,
}

/// Generations are used two at a time: the even one for "held", the odd one for "held and answered".
const STEP: u32 = 2;

fn mark(marks: &mut [u32], index: u32, generation: u32) -> bool {
    match marks.get_mut(index as usize) {
        Some(slot) if *slot < generation => {
            *slot = generation;
            true
        }
        _ => false,
    }
}

impl Scratch {
    /// Working memory that grows to fit the first snapshot it is used with.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the last request.
    pub(crate) fn begin(&mut self, revisions: usize, clauses: usize) {
        if self.generation >= u32::MAX - 2 * STEP {
            for marks in [&mut self.held, &mut self.needed, &mut self.satisfied] {
                marks.clear();
            }
            self.generation = 0;
        }
        self.generation += STEP;
        for (marks, len) in
            [(&mut self.held, revisions), (&mut self.needed, revisions), (&mut self.satisfied, clauses)]
        {
            if marks.len() < len {
                marks.resize(len, 0);
            }
        }
        self.strangers = false;
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

    /// Notes that the client holds a revision. True the first time.
    pub(crate) fn hold(&mut self, index: u32) -> bool {
        mark(&mut self.held, index, self.generation)
    }

    pub(crate) fn is_held(&self, index: u32) -> bool {
        at(&self.held, index) >= self.generation
    }

    /// Notes that a held revision has been dealt with. True the first time.
    pub(crate) fn settle(&mut self, index: u32) -> bool {
        mark(&mut self.held, index, self.generation + 1)
    }

    pub(crate) fn need(&mut self, index: u32) -> bool {
        mark(&mut self.needed, index, self.generation)
    }

    pub(crate) fn is_needed(&self, index: u32) -> bool {
        at(&self.needed, index) == self.generation
    }

    /// Notes that a clause is satisfied. True the first time.
    pub(crate) fn satisfy(&mut self, clause: u32) -> bool {
        mark(&mut self.satisfied, clause, self.generation)
    }

    pub(crate) fn all_satisfied(&self, clauses: &[u32]) -> bool {
        clauses.iter().all(|clause| at(&self.satisfied, *clause) == self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_do_not_outlive_their_request_even_when_the_count_wraps() {
        let mut scratch = Scratch::new();
        for start in [0, u32::MAX - 6] {
            scratch.generation = start - start % 2;
            for _ in 0..4 {
                scratch.begin(4, 4);
                assert!(!scratch.is_held(1) && !scratch.is_needed(2) && !scratch.all_satisfied(&[3]));
                assert!(scratch.hold(1) && !scratch.hold(1) && scratch.is_held(1));
                assert!(scratch.settle(1) && !scratch.settle(1) && scratch.is_held(1));
                assert!(scratch.need(2) && scratch.is_needed(2) && !scratch.is_needed(1));
                assert!(scratch.satisfy(3) && scratch.all_satisfied(&[3]) && !scratch.all_satisfied(&[2, 3]));
            }
        }
    }
}
