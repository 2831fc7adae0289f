//! Transport: when a failed request is repeated. Pure: the number of the attempt, a drawn number and what
//! the server asked for go in, a wait comes out.

use std::time::Duration;

/// Exponential backoff with jitter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetryPolicy {
    /// Requests in all, the first included; 1 means that nothing is repeated.
    pub attempts: u32,
    /// The longest wait after the first failure; it doubles with each further one.
    pub first: Duration,
    /// No wait is longer than this, unless the server names a longer one.
    pub longest: Duration,
    /// A server that asks for more than this is given up on for this run.
    pub patience: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 5,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(60),
            patience: Duration::from_secs(300),
        }
    }
}

impl RetryPolicy {
    /// Nothing is repeated; for probes that a person waits for.
    pub const NEVER: Self =
        Self { attempts: 1, first: Duration::ZERO, longest: Duration::ZERO, patience: Duration::ZERO };

    /// How long to wait after failure number `failed` (from 1), or `None` when it was the last attempt.
    /// `draw` is any random number: waits are spread over the upper half, so that many servers cut off by the same
    /// parent do not all come back at once. `asked` is the server's `Retry-After`, the least that is waited.
    #[must_use]
    pub fn wait(&self, failed: u32, draw: u32, asked: Option<Duration>) -> Option<Duration> {
        if failed >= self.attempts || asked.is_some_and(|asked| asked > self.patience) {
            return None;
        }
        let doubled = 1_u32.checked_shl(failed.saturating_sub(1)).unwrap_or(u32::MAX);
        let full = self.first.saturating_mul(doubled).min(self.longest);
        let share = 0.5 + 0.5 * f64::from(draw) / f64::from(u32::MAX);
        let spread = full.mul_f64(share);
        // What the server asked for is spread upwards only.
        Some(asked.map_or(spread, |asked| spread.max(asked + full.mul_f64(share - 0.5))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        attempts: 5,
        first: Duration::from_secs(1),
        longest: Duration::from_secs(6),
        patience: Duration::from_secs(30),
    };

    #[test]
    fn waits_double_up_to_the_longest_and_end() {
        let full = |failed| POLICY.wait(failed, u32::MAX, None).map(|w| w.as_secs_f64());
        assert_eq!([full(1), full(2), full(3), full(4)], [Some(1.0), Some(2.0), Some(4.0), Some(6.0)]);
        assert_eq!(full(5), None);
        assert_eq!(full(u32::MAX), None);
        let endless = RetryPolicy { attempts: u32::MAX, ..POLICY };
        assert_eq!(endless.wait(4_000_000, u32::MAX, None), Some(Duration::from_secs(6)));
    }

    #[test]
    fn waits_are_spread_over_the_upper_half() {
        for draw in [0, 1, 1 << 16, 1 << 31, u32::MAX] {
            let wait = POLICY.wait(3, draw, None).unwrap().as_secs_f64();
            assert!((2.0..=4.0).contains(&wait), "{wait}");
        }
        assert_ne!(POLICY.wait(3, 0, None), POLICY.wait(3, u32::MAX, None));
    }

    #[test]
    fn a_server_that_names_a_wait_is_given_at_least_that() {
        let asked = Duration::from_secs(20);
        for draw in [0, u32::MAX] {
            let wait = POLICY.wait(1, draw, Some(asked)).unwrap();
            assert!(wait >= asked && wait <= asked + Duration::from_secs(1), "{wait:?}");
        }
        assert_eq!(POLICY.wait(1, 0, Some(Duration::from_secs(31))), None);
        assert_eq!(RetryPolicy::NEVER.wait(1, 0, None), None);
    }
}
