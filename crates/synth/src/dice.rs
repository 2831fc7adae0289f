//! Synth: reproducible randomness. SplitMix64 started from what a number is for, so that each thing has
//! its own sequence and nothing depends on the order in which things are made.

use sluicegate_terms::Guid;

/// What a sequence of numbers is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub(crate) enum Topic {
    Fixed = 1,
    Live = 2,
    Retired = 3,
    Driver = 4,
    Release = 5,
    Rules = 6,
    Files = 7,
    Text = 8,
    Client = 9,
    Hardware = 10,
    Computer = 11,
}

/// A sequence of numbers.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

/// The increment of SplitMix64: 2^64 divided by the golden ratio, odd.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

impl Dice {
    /// The sequence of the `number`th thing of a topic.
    pub(crate) const fn new(seed: u64, topic: Topic, number: u64) -> Self {
        // Three roundabout steps so that neighbouring seeds and numbers have nothing in common.
        Self(
            seed.wrapping_mul(0xD6E8_FEB8_6659_FD93)
                ^ (topic as u64).wrapping_mul(0xA076_1D64_78BD_642F)
                ^ number.wrapping_mul(0xE703_7ED1_A0B4_28DB),
        )
    }

    /// 64 random bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(mix(self.0))
    }

    /// A number below `bound`, which is at least 1.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        // The top of the product of a 32-bit fraction and the bound, as Lemire describes it; the bias is
        // far below anything a catalog could show.
        let fraction = u128::from(self.next());
        usize::try_from((fraction * bound as u128) >> 64).unwrap_or(0)
    }

    /// True in `percent` of 100 cases.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of several things; the default of nothing.
    pub(crate) fn pick<T: Copy + Default>(&mut self, things: &[T]) -> T {
        things.get(self.below(things.len().max(1))).copied().unwrap_or_default()
    }

    /// A GUID of the random kind.
    pub(crate) fn guid(&mut self) -> Guid {
        let bits = u128::from(self.next()) << 64 | u128::from(self.next());
        // Version 4, variant 1, as every GUID generator marks them.
        let version = 0x4000_u128 << 64;
        let variant = 0x8000_u128 << 48;
        Guid::from_u128((bits & !(0xF000_u128 << 64) & !(0xC000_u128 << 48)) | version | variant)
    }

    /// `N` random bytes, such as a digest of content that does not exist.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        for chunk in out.chunks_mut(8) {
            for (slot, byte) in chunk.iter_mut().zip(self.next().to_le_bytes()) {
                *slot = byte;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_beginnings_make_equal_sequences_and_others_do_not() {
        let take = |mut dice: Dice| [dice.next(), dice.next(), dice.next()];
        assert_eq!(take(Dice::new(1, Topic::Live, 2)), take(Dice::new(1, Topic::Live, 2)));
        assert_ne!(take(Dice::new(1, Topic::Live, 2)), take(Dice::new(2, Topic::Live, 1)));
        assert_ne!(take(Dice::new(1, Topic::Live, 2)), take(Dice::new(1, Topic::Retired, 2)));
    }

    #[test]
    fn numbers_stay_below_their_bound_and_reach_all_of_it() {
        let mut dice = Dice::new(5, Topic::Rules, 0);
        let mut seen = [0; 7];
        for _ in 0..7000 {
            seen[dice.below(7)] += 1;
        }
        assert!(seen.iter().all(|&count| (800..1200).contains(&count)), "{seen:?}");
    }

    #[test]
    fn guids_are_marked_as_random_ones() {
        let text = Dice::new(5, Topic::Rules, 0).guid().to_string();
        assert_eq!(&text[14..15], "4", "{text}");
        assert!("89ab".contains(&text[19..20]), "{text}");
    }
}
