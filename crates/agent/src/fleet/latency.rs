//! Fleet: how long things took, counted in buckets: bounded memory, and many agents may count at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets per doubling; the error of a quantile is at most 1/8.
const STEPS: u64 = 8;
/// Buckets in all: up to 2^37 microseconds, more than a day.
const BUCKETS: usize = 38 * 8;

/// Counts durations. Shared between agents.
#[derive(Debug)]
pub struct Latencies {
    buckets: Vec<AtomicU64>,
    count: AtomicU64,
    total_micros: AtomicU64,
    longest_micros: AtomicU64,
}

/// Quantiles of what was counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LatencySummary {
    /// How many.
    pub count: u64,
    /// Half were faster than this.
    pub median: Duration,
    /// Nine of ten were.
    pub p90: Duration,
    /// 99 of 100 were.
    pub p99: Duration,
    /// The slowest, exactly.
    pub longest: Duration,
    /// The mean.
    pub mean: Duration,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            count: AtomicU64::new(0),
            total_micros: AtomicU64::new(0),
            longest_micros: AtomicU64::new(0),
        }
    }
}

impl Latencies {
    /// Counts one.
    pub fn record(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get(bucket_of(micros)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.total_micros.fetch_add(micros, Ordering::Relaxed);
        self.longest_micros.fetch_max(micros, Ordering::Relaxed);
    }

    /// The quantiles so far.
    #[must_use]
    pub fn summary(&self) -> LatencySummary {
        let count = self.count.load(Ordering::Relaxed);
        let longest = self.longest_micros.load(Ordering::Relaxed);
        let quantile = |percent: u64| {
            let wanted = (count * percent).div_ceil(100);
            let mut seen = 0;
            let bucket = self.buckets.iter().position(|bucket| {
                seen += bucket.load(Ordering::Relaxed);
                seen >= wanted
            });
            Duration::from_micros(bucket.map_or(0, end_of).min(longest))
        };
        LatencySummary {
            count,
            median: quantile(50),
            p90: quantile(90),
            p99: quantile(99),
            longest: Duration::from_micros(longest),
            mean: Duration::from_micros(
                self.total_micros.load(Ordering::Relaxed).checked_div(count).unwrap_or(0),
            ),
        }
    }
}

/// Below 8 µs one bucket each; above, eight per doubling.
fn bucket_of(micros: u64) -> usize {
    let bucket = if micros < STEPS {
        micros
    } else {
        let doubling = u64::from(micros.ilog2()) - 3;
        (doubling + 1) * STEPS + ((micros >> doubling) - STEPS)
    };
    usize::try_from(bucket).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The longest duration that a bucket counts.
fn end_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket;
    }
    let doubling = bucket / STEPS - 1;
    ((bucket % STEPS + STEPS + 1) << doubling) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_falls_into_the_bucket_that_ends_after_it() {
        for micros in (0..5_000).chain([1 << 20, (1 << 30) + 12345, 1 << 36]) {
            let bucket = bucket_of(micros);
            assert!(micros <= end_of(bucket), "{micros}");
            assert!(bucket == 0 || micros > end_of(bucket - 1), "{micros}");
            assert!(end_of(bucket) <= micros + micros / 8, "{micros}");
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_within_their_bucket() {
        let latencies = Latencies::default();
        assert_eq!(latencies.summary(), LatencySummary::default());
        (1..=100).for_each(|ms| latencies.record(Duration::from_millis(ms)));
        let summary = latencies.summary();
        assert_eq!((summary.count, summary.longest), (100, Duration::from_millis(100)));
        assert!((50.0..57.0).contains(&(summary.median.as_secs_f64() * 1000.0)), "{summary:?}");
        assert!((90.0..=100.0).contains(&(summary.p90.as_secs_f64() * 1000.0)), "{summary:?}");
        assert_eq!(summary.mean, Duration::from_micros(50_500));
    }
}
