//! Browse: from the id of an update to its place. An open table of places that compares with the ids where
//! they stand anyway: a third of what a map with ids of its own takes.

use crate::paged::Paged;
use rustc_hash::FxBuildHasher;
use sluicegate_terms::UpdateId;
use std::hash::BuildHasher;

/// Places of updates, by id. Places are given in order and never taken back.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// By place.
    ids: Paged<UpdateId>,
    /// Places plus one, 0 where there is none. A power of two long, at most three quarters full.
    table: Vec<u32>,
}

impl Places {
    pub(crate) fn id(&self, place: u32) -> Option<UpdateId> {
        self.ids.get(place).copied()
    }

    pub(crate) fn find(&self, id: UpdateId) -> Option<u32> {
        for at in self.probes(id) {
            let place = self.table.get(at)?.checked_sub(1)?;
            if self.id(place) == Some(id) {
                return Some(place);
            }
        }
        None
    }

    /// Gives the next place to an id that has none. `None` when `most` are given.
    pub(crate) fn add(&mut self, id: UpdateId, most: u32) -> Option<u32> {
        let place = u32::try_from(self.ids.len()).ok().filter(|place| *place < most)?;
        self.ids.push(id);
        if self.ids.len() * 4 > self.table.len() * 3 {
            self.table = vec![0; (self.table.len() * 2).max(16)];
            (0..=place).for_each(|place| self.enter(place));
        } else {
            self.enter(place);
        }
        Some(place)
    }

    fn enter(&mut self, place: u32) {
        let Some(id) = self.id(place) else { return };
        let free = self.probes(id).find(|at| self.table.get(*at) == Some(&0));
        if let Some(slot) = free.and_then(|at| self.table.get_mut(at)) {
            *slot = place + 1;
        }
    }

    /// Where an id can stand, each position of the table once.
    fn probes(&self, id: UpdateId) -> impl Iterator<Item = usize> + use<> {
        let (length, mask) = (self.table.len(), self.table.len().wrapping_sub(1));
        let hash = FxBuildHasher.hash_one(id);
        // The upper half is the better mixed one of this hash.
        let start = (hash >> 32 ^ hash) as usize;
        (0..length).map(move |step| start.wrapping_add(step) & mask)
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.ids.heap_bytes() + self.table.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_terms::Guid;

    #[test]
    fn each_id_finds_its_place_and_others_none() {
        let id = |n: u128| UpdateId(Guid::from_u128(n * 0x1_0000_0001));
        let mut places = Places::default();
        assert_eq!(places.find(id(0)), None);
        for n in 0..1_000_u32 {
            assert_eq!(places.add(id(u128::from(n)), 1_000), Some(n));
            assert_eq!(places.find(id(u128::from(n) + 1)), None);
        }
        for n in 0..1_000 {
            assert_eq!(places.find(id(u128::from(n))), Some(n));
            assert_eq!(places.id(n), Some(id(u128::from(n))));
        }
        assert_eq!(places.add(id(5_000), 1_000), None, "all are given");
        assert_eq!(places.find(id(5_000)), None);
    }
}
