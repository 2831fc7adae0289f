//! Scan: numbers of update ids while a snapshot is made. An open table of numbers that compares with the ids where
//! they stand anyway: a fifth of what a map with ids of its own takes.

use core::hash::BuildHasher;
use rustc_hash::FxBuildHasher;
use sluicegate_terms::UpdateId;

/// Ids in the order in which they came first, and from each id to its number.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    ids: Vec<UpdateId>,
    /// Numbers plus one, 0 where there is none. A power of two long, at most three quarters full.
    table: Vec<u32>,
}

impl Numbers {
    /// Makes room for so many ids at once.
    pub(crate) fn reserve(&mut self, ids: usize) {
        self.ids.reserve_exact(ids);
        if ids * 4 > self.table.len() * 3 {
            self.rebuild((ids * 4 / 3 + 1).next_power_of_two());
        }
    }

    /// By number.
    pub(crate) fn ids(&self) -> &[UpdateId] {
        &self.ids
    }

    /// Only the ids.
    pub(crate) fn into_ids(self) -> Vec<UpdateId> {
        self.ids
    }

    /// The number of an id, given to it now when it has none.
    pub(crate) fn number(&mut self, id: UpdateId) -> u32 {
        if let Some(known) = self.find(id) {
            return known;
        }
        let number = crate::pool::count(self.ids.len());
        self.ids.push(id);
        if self.ids.len() * 4 > self.table.len() * 3 {
            self.rebuild((self.table.len() * 2).max(16));
        } else {
            self.enter(number, id);
        }
        number
    }

    /// The number of an id that has one.
    pub(crate) fn find(&self, id: UpdateId) -> Option<u32> {
        for at in probes(id, self.table.len()) {
            let number = self.table.get(at)?.checked_sub(1)?;
            if self.ids.get(number as usize) == Some(&id) {
                return Some(number);
            }
        }
        None
    }

    /// Gives the memory for [`Numbers::find`] back, which finds nothing from then on.
    pub(crate) fn forget(&mut self) {
        self.table = Vec::new();
    }

    fn rebuild(&mut self, len: usize) {
        self.table = vec![0; len];
        for at in 0..self.ids.len() {
            if let Some(id) = self.ids.get(at).copied() {
                self.enter(crate::pool::count(at), id);
            }
        }
    }

    fn enter(&mut self, number: u32, id: UpdateId) {
        let free = probes(id, self.table.len()).find(|at| self.table.get(*at) == Some(&0));
        if let Some(slot) = free.and_then(|at| self.table.get_mut(at)) {
            *slot = number.wrapping_add(1);
        }
    }
}

/// Where an id can stand, each position of a table once.
fn probes(id: UpdateId, length: usize) -> impl Iterator<Item = usize> {
    let hash = FxBuildHasher.hash_one(id);
    // The upper half is the better mixed one of this hash.
    let start = (hash >> 32 ^ hash) as usize;
    (0..length).map(move |step| start.wrapping_add(step) & length.wrapping_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_terms::Guid;

    #[test]
    fn each_id_has_one_number_with_room_made_for_it_or_not() {
        for room in [0, 10, 1_000] {
            let mut numbers = Numbers::default();
            numbers.reserve(room);
            let id = |n: u32| UpdateId(Guid::from_u128(u128::from(n) * 0x1_0000_0001));
            for n in 0..1_000 {
                assert_eq!(numbers.find(id(n)), None);
                assert_eq!(numbers.number(id(n)), n);
                assert_eq!(numbers.number(id(n / 2)), n / 2);
            }
            assert!((0..1_000).all(|n| numbers.find(id(n)) == Some(n) && numbers.ids()[n as usize] == id(n)));
            numbers.forget();
            assert_eq!((numbers.find(id(5)), numbers.ids().len()), (None, 1_000));
        }
    }
}
