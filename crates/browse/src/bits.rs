//! Browse: a mark for each place, small enough to stay in the fastest memory.

/// Marks by place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    /// As many as places can be told apart by their number.
    pub(crate) fn for_places(places: usize) -> Self {
        Self(vec![0; places.div_ceil(64)])
    }

    /// Marks a place; one that there is no room for is passed over.
    pub(crate) fn set(&mut self, place: u32) {
        if let Some(word) = self.0.get_mut(place as usize / 64) {
            *word |= 1 << (place % 64);
        }
    }

    /// Marks a place or takes its mark away.
    pub(crate) fn put(&mut self, place: u32, marked: bool) {
        if marked {
            self.set(place);
        } else if let Some(word) = self.0.get_mut(place as usize / 64) {
            *word &= !(1 << (place % 64));
        }
    }

    /// Makes room for so many places.
    pub(crate) fn reach(&mut self, places: usize) {
        let words = places.div_ceil(64);
        if words > self.0.len() {
            self.0.resize(words, 0);
        }
    }

    pub(crate) fn has(&self, place: u32) -> bool {
        self.0.get(place as usize / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stay_where_they_are_set() {
        let mut bits = Bits::for_places(65);
        for place in [0, 63, 64, 100_000] {
            bits.set(place);
        }
        let marked: Vec<u32> = (0..200).filter(|place| bits.has(*place)).collect();
        assert_eq!(marked, [0, 63, 64], "what there is no room for is not marked");
        bits.reach(200);
        bits.put(199, true);
        bits.put(63, false);
        bits.reach(1);
        let marked: Vec<u32> = (0..200).filter(|place| bits.has(*place)).collect();
        assert_eq!(marked, [0, 64, 199]);
    }
}
