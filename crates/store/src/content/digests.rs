//! Store: both digests of a file at once. Each waits for its own last step most of the time, so the processor
//! gets through both sooner when they take turns with few bytes than one after the other with many.

use super::Expected;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use sluicegate_terms::{Sha1Digest, Sha256Digest};

/// Bytes of a turn: two blocks of either digest, which the processor can look ahead over.
const TURN: usize = 128;

/// The digests of what has come so far.
#[derive(Debug, Default)]
pub(super) struct Digests {
    sha1: Sha1,
    sha256: Option<Sha256>,
}

impl Digests {
    /// Those that can be compared: SHA-1, and SHA-256 where it is declared.
    pub(super) fn of(expected: &Expected) -> Self {
        Self { sha1: Sha1::new(), sha256: expected.sha256.map(|_| Sha256::new()) }
    }

    /// Both.
    pub(super) fn both() -> Self {
        Self { sha1: Sha1::new(), sha256: Some(Sha256::new()) }
    }

    /// Takes the next bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        let Some(sha256) = &mut self.sha256 else { return self.sha1.update(bytes) };
        for turn in bytes.chunks(TURN) {
            self.sha1.update(turn);
            sha256.update(turn);
        }
    }

    /// The digests of all that was taken.
    pub(super) fn finish(self) -> (Sha1Digest, Option<Sha256Digest>) {
        let sha256 = self.sha256.map(|sha256| Sha256Digest(sha256.finalize().into()));
        (Sha1Digest(self.sha1.finalize().into()), sha256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_of_any_length_give_the_digests_of_the_whole() {
        let bytes: Vec<u8> = (0..5_000_u32).map(|n| (n * 7 % 253) as u8).collect();
        let sha1 = Sha1Digest(Sha1::digest(&bytes).into());
        let sha256 = Sha256Digest(Sha256::digest(&bytes).into());
        for step in [1, 63, 64, 127, 128, 129, 1_000, 5_000] {
            let (mut both, mut one) = (Digests::both(), Digests::default());
            for piece in bytes.chunks(step) {
                both.update(piece);
                one.update(piece);
            }
            assert_eq!(both.finish(), (sha1, Some(sha256)), "{step}");
            assert_eq!(one.finish(), (sha1, None), "{step}");
        }
    }
}
