//! Agent: the correlation vector (`MS-CV`) that agents put on requests to the Client service and on
//! downloads, and that servers may log.

use crate::random::Random;

/// Names one chain of requests; its last number counts them.
#[derive(Clone, Debug)]
pub struct CorrelationVector {
    base: String,
    count: u32,
}

impl CorrelationVector {
    /// A new chain: 16 random Base64 characters and the levels agents write (observed).
    pub fn new(random: &mut Random) -> Self {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let letters = (0..16).map(|_| {
            let at = usize::try_from(random.below(64)).unwrap_or(0);
            char::from(ALPHABET.get(at).copied().unwrap_or(b'A'))
        });
        Self { base: letters.collect(), count: 0 }
    }

    /// The value for the next request.
    pub fn advance(&mut self) -> String {
        self.count = self.count.saturating_add(1);
        format!("{}.1.0.0.2.{}", self.base, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_one_chain_are_counted() {
        let mut vector = CorrelationVector::new(&mut Random::seeded(1));
        let (first, second) = (vector.advance(), vector.advance());
        assert_eq!(first.split('.').next().map(str::len), Some(16));
        assert!(first.ends_with(".1.0.0.2.1") && second.ends_with(".1.0.0.2.2"));
        assert_eq!(first[..16], second[..16]);
    }
}
