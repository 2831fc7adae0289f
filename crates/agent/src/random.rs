//! Agent: a small seeded random generator. Everything an agent chooses by chance (event ids, the order of
//! download pieces, jitter) comes from one of these, so that a fleet can be run twice alike.

use core::time::Duration;
use sluicegate_terms::Guid;

/// The SplitMix64 generator. Not for secrets.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator that always gives the same numbers for the same seed.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator of its own, independent of what this one gives afterwards.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(self.next_u64())
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Multiply-shift: the bias is below 2^-32 for the small bounds used here.
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// True in about `percent` of 100 calls.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A random GUID (version 4).
    pub fn guid(&mut self) -> Guid {
        let wide = (u128::from(self.next_u64()) << 64) | u128::from(self.next_u64());
        let version = (wide & !(0xf << 76)) | (0x4 << 76);
        Guid::from_u128((version & !(0x3 << 62)) | (0x2 << 62))
    }

    /// Puts items in a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            let other = usize::try_from(self.below(at as u64 + 1)).unwrap_or(0);
            items.swap(at, other);
        }
    }

    /// A span between 0 and `most`.
    pub fn span(&mut self, most: Duration) -> Duration {
        let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.below(micros.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_fleet() {
        let mut a = Random::seeded(7);
        let mut b = Random::seeded(7);
        assert_eq!((a.guid(), a.below(10)), (b.guid(), b.below(10)));
        assert_ne!(a.fork().next_u64(), a.next_u64());
    }

    #[test]
    fn numbers_keep_their_bounds_and_shuffles_keep_their_items() {
        let mut random = Random::seeded(1);
        assert_eq!(random.below(0), 0);
        assert!((0..1000).all(|_| random.below(3) < 3));
        let mut items: Vec<u32> = (0..100).collect();
        random.shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
        assert_eq!(&random.guid().to_string()[14..15], "4");
    }
}
