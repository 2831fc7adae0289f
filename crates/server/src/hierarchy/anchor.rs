//! Anchors of downstream servers: `<counter>,<yyyy-MM-dd HH:mm:ss.fff>`, as real servers write them. The
//! time decides (observed-behaviour 8); the counter only tells apart what came within one millisecond.

use sluicegate_terms::{Anchor, Timestamp};
use std::fmt;
use std::str::FromStr;

/// Ticks in a millisecond; anchors have no finer time.
const TICKS: i64 = 10_000;

/// A point in the history of a catalog. Ordered by time, then by counter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SyncAnchor {
    /// Milliseconds since 1970.
    pub(crate) at: i64,
    /// Number of the last change.
    pub(crate) change: Anchor,
}

impl SyncAnchor {
    /// From a time, cut to whole milliseconds.
    pub(crate) const fn new(at: Timestamp, change: Anchor) -> Self {
        Self { at: at.ticks().div_euclid(TICKS), change }
    }

    /// Reads an anchor that may be left out; one that is empty means the same (MS-WSUSSS 3.1.4.5).
    pub(crate) fn optional(text: Option<&str>) -> Result<Option<Self>, NotAnAnchor> {
        text.filter(|text| !text.is_empty()).map(str::parse).transpose()
    }
}

/// Text that is no anchor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no anchor; it has the form of a count, a comma and a time (9438,2026-10-04 16:33:26.671)")]
pub(crate) struct NotAnAnchor(String);

impl fmt::Display for SyncAnchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = Timestamp::from_ticks(self.at.saturating_mul(TICKS));
        let seconds = Timestamp::from_unix_seconds(at.unix_seconds()).iso();
        let (date, time) = seconds.trim_end_matches('Z').split_once('T').unwrap_or_default();
        let millis = at.ticks().div_euclid(TICKS).rem_euclid(1000);
        write!(f, "{},{date} {time}.{millis:03}", self.change.0)
    }
}

impl FromStr for SyncAnchor {
    type Err = NotAnAnchor;
    fn from_str(text: &str) -> Result<Self, NotAnAnchor> {
        let bad = || NotAnAnchor(text.chars().take(60).collect());
        let (count, time) = text.split_once(',').ok_or_else(bad)?;
        if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad());
        }
        let shape = time.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            10 => byte == b' ',
            13 | 16 => byte == b':',
            19 => byte == b'.',
            _ => byte.is_ascii_digit(),
        });
        if !shape || !(time.len() == 19 || (21..=27).contains(&time.len())) {
            return Err(bad());
        }
        let at: Timestamp = format!("{}Z", time.replace(' ', "T")).parse().map_err(|_| bad())?;
        Ok(Self::new(at, Anchor(count.parse().map_err(|_| bad())?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_reads_back_as_it_was_written() {
        for text in ["9438,2026-10-04 16:33:26.671", "0,1970-01-01 00:00:00.000", "7,0001-01-01 00:00:00.001"]
        {
            assert_eq!(text.parse::<SyncAnchor>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn time_decides_and_the_counter_only_within_a_millisecond() {
        let anchor = |text: &str| text.parse::<SyncAnchor>().unwrap();
        assert!(anchor("1,2026-10-04 16:33:26.672") > anchor("9,2026-10-04 16:33:26.671"));
        assert!(anchor("2,2026-10-04 16:33:26.671") > anchor("1,2026-10-04 16:33:26.671"));
        assert_eq!(anchor("2,2026-10-04 16:33:26"), anchor("2,2026-10-04 16:33:26.0004"));
    }

    #[test]
    fn other_shapes_are_refused() {
        for bad in [
            "garbage",
            ",",
            "1",
            "1,",
            ",2026-10-04 16:33:26.671",
            "-1,2026-10-04 16:33:26.671",
            "99999999999999999999999,2026-10-04 16:33:26.671",
            "1,2026-10-04T16:33:26.671",
            "1,2026-10-04 16:33:26.",
            "1,2026-13-04 16:33:26.671",
            "1,2026-10-04 16:33:26.12345678",
            "1,2026-10-04 16:33:26.671,2",
        ] {
            assert!(bad.parse::<SyncAnchor>().is_err(), "{bad}");
        }
        assert_eq!(SyncAnchor::optional(None), Ok(None));
        assert_eq!(SyncAnchor::optional(Some("")), Ok(None));
        assert!(SyncAnchor::optional(Some(" ")).is_err());
    }
}
