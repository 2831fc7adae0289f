//! Store: which computers changed since they were read into the index. A mark is one entry in a map, made
//! after the change is durable.

use std::collections::BTreeMap;

/// Marked computers.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// By row; whether what it reported changed too.
    computers: BTreeMap<i64, bool>,
    everybody: bool,
}

impl Marks {
    pub(super) fn one(&mut self, computer: i64, status: bool) {
        *self.computers.entry(computer).or_default() |= status;
    }

    pub(super) fn everybody(&mut self) {
        self.everybody = true;
    }

    /// Whether everybody was marked; takes that mark.
    pub(super) fn take_everybody(&mut self) -> bool {
        std::mem::take(&mut self.everybody)
    }

    /// Takes at most so many.
    pub(super) fn take(&mut self, most: usize) -> Vec<(i64, bool)> {
        std::iter::from_fn(|| self.computers.pop_first()).take(most).collect()
    }

    /// Takes one, if it is marked.
    pub(super) fn take_one(&mut self, computer: i64) -> Option<(i64, bool)> {
        self.computers.remove_entry(&computer)
    }

    pub(super) fn len(&self) -> u64 {
        self.computers.len() as u64
    }
}
