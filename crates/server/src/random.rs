//! Randomness for the rooms that take it as a parameter: ids of faults, nonces, secrets. All of it
//! comes from the operating system's generator.

use ring::rand::{SecureRandom, SystemRandom};
use sluicegate_terms::Guid;
use std::sync::atomic::{AtomicU64, Ordering};

/// The operating system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system's random generator failed; nothing can be sealed without it")]
pub struct NoRandomness;

/// The server's source of randomness, shared by all tasks.
#[derive(Debug)]
pub struct Randomness {
    system: SystemRandom,
    start: u128,
    drawn: AtomicU64,
}

impl Randomness {
    /// Opens the source.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn new() -> Result<Self, NoRandomness> {
        let system = SystemRandom::new();
        let mut start = [0_u8; 16];
        system.fill(&mut start).map_err(|_| NoRandomness)?;
        Ok(Self { system, start: u128::from_le_bytes(start), drawn: AtomicU64::new(0) })
    }

    /// A nonce that no other call in this process returns. It counts from a random 96-bit start, so
    /// two runs (or two front ends) with one key meet only if their whole ranges overlap: far less
    /// likely than with nonces drawn one by one, and without a system call for each.
    #[must_use]
    pub fn nonce(&self) -> [u8; 12] {
        let count = self.drawn.fetch_add(1, Ordering::Relaxed);
        let value = self.start.wrapping_add(u128::from(count)).to_le_bytes();
        let mut nonce = [0; 12];
        for (to, from) in nonce.iter_mut().zip(value) {
            *to = from;
        }
        nonce
    }

    /// A version 4 GUID. Should the system's generator fail after a good start, the id is derived
    /// from the count instead: ids of faults must be distinct, not secret.
    #[must_use]
    pub fn guid(&self) -> Guid {
        let mut bytes = [0_u8; 16];
        if self.system.fill(&mut bytes).is_err() {
            bytes =
                self.start.wrapping_add(u128::from(self.drawn.fetch_add(1, Ordering::Relaxed))).to_be_bytes();
        }
        let value = u128::from_be_bytes(bytes);
        let version = (value & !(0xf << 76)) | (0x4 << 76);
        Guid::from_u128((version & !(0x3 << 62)) | (0x2 << 62))
    }

    /// Secret bytes, for keys and tokens.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn secret<const N: usize>(&self) -> Result<[u8; N], NoRandomness> {
        let mut bytes = [0; N];
        self.system.fill(&mut bytes).map_err(|_| NoRandomness)?;
        Ok(bytes)
    }

    /// A number below `bound` (0 when `bound` is 0), for jitter; not for secrets.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        let mut bytes = [0_u8; 8];
        if bound == 0 || self.system.fill(&mut bytes).is_err() {
            return 0;
        }
        u64::from_le_bytes(bytes) % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn nonces_never_repeat() {
        let source = Randomness::new().unwrap();
        let seen: HashSet<_> = (0..10_000).map(|_| source.nonce()).collect();
        assert_eq!(seen.len(), 10_000);
    }

    #[test]
    fn guids_are_version_four() {
        let source = Randomness::new().unwrap();
        for _ in 0..100 {
            let text = source.guid().to_string();
            assert_eq!(&text[14..15], "4");
            assert!("89ab".contains(&text[19..20]));
        }
    }

    #[test]
    fn jitter_stays_below_its_bound() {
        let source = Randomness::new().unwrap();
        assert!((0..1000).all(|_| source.below(7) < 7));
        assert_eq!(source.below(0), 0);
    }
}
