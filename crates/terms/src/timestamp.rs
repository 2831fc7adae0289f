//! Terms: a point in time, read from and written as the `xs:dateTime` forms seen on the wire.

use crate::{TermError, excerpt};
use core::fmt;
use core::str::FromStr;
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime, PrimitiveDateTime};

/// A point in time in UTC, counted in ticks of 100 nanoseconds since 1970-01-01 (the resolution
/// .NET servers write). Covers the years 1 to 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

const TICKS_PER_SECOND: i64 = 10_000_000;

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Self = Self(0);
    /// 0001-01-01T00:00:00Z, what agents send for "no driver" (observed).
    pub const MIN: Self = Self(-62_135_596_800 * TICKS_PER_SECOND);
    /// 9999-12-31T23:59:59.9999999Z, what servers write for "never expires".
    pub const MAX: Self = Self(253_402_300_800 * TICKS_PER_SECOND - 1);

    /// From ticks of 100 ns since 1970, clamped to the years 1 to 9999.
    #[must_use]
    pub fn from_ticks(ticks: i64) -> Self {
        Self(ticks.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// From seconds since 1970, clamped to the years 1 to 9999.
    #[must_use]
    pub fn from_unix_seconds(seconds: i64) -> Self {
        Self::from_ticks(seconds.saturating_mul(TICKS_PER_SECOND))
    }

    /// Ticks of 100 ns since 1970.
    #[must_use]
    pub const fn ticks(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(TICKS_PER_SECOND)
    }

    /// This time moved by so many seconds, clamped to the years 1 to 9999.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self::from_ticks(self.0.saturating_add(seconds.saturating_mul(TICKS_PER_SECOND)))
    }

    /// Just the day, as `xs:date` (`Deployment/LastChangeTime`, observed).
    #[must_use]
    pub fn date(self) -> String {
        let mut out = String::with_capacity(10);
        put_date(&mut out, self.offset_date_time().date());
        out
    }

    /// UTC with `Z` and up to seven fraction digits, trailing zeros trimmed (observed on the wire).
    #[must_use]
    pub fn iso(self) -> String {
        let t = self.offset_date_time();
        let mut out = String::with_capacity(28);
        put_date(&mut out, t.date());
        for (before, number) in [('T', t.hour()), (':', t.minute()), (':', t.second())] {
            out.push(before);
            put_digits::<2>(&mut out, u32::from(number));
        }
        let fraction = self.0.rem_euclid(TICKS_PER_SECOND);
        if fraction != 0 {
            out.push('.');
            put_digits::<7>(&mut out, u32::try_from(fraction).unwrap_or_default());
            out.truncate(out.trim_end_matches('0').len());
        }
        out.push('Z');
        out
    }

    fn offset_date_time(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.unix_seconds()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    fn from_offset(t: OffsetDateTime) -> Self {
        Self::from_ticks(i64::try_from(t.unix_timestamp_nanos().div_euclid(100)).unwrap_or(0))
    }
}

/// The last `DIGITS` digits of a number, zeros included. Every answer has times in it, and formatting is slow.
fn put_digits<const DIGITS: u32>(out: &mut String, number: u32) {
    for place in (0..DIGITS).rev() {
        let digit = number / 10_u32.pow(place) % 10;
        out.push(char::from_digit(digit, 10).unwrap_or('0'));
    }
}

fn put_date(out: &mut String, date: Date) {
    put_digits::<4>(out, date.year().unsigned_abs());
    for number in [u8::from(date.month()), date.day()] {
        out.push('-');
        put_digits::<2>(out, u32::from(number));
    }
}

impl FromStr for Timestamp {
    type Err = TermError;
    /// Reads `xs:dateTime` (without a zone it is taken as UTC) and `xs:date`.
    fn from_str(text: &str) -> Result<Self, TermError> {
        let text = text.trim();
        let bad = || TermError::Timestamp(excerpt(text));
        if text.len() > 64 || !text.is_ascii() {
            return Err(bad());
        }
        if let Ok(t) = OffsetDateTime::parse(text, &Rfc3339) {
            return Ok(Self::from_offset(t));
        }
        let day = time::macros::format_description!("[year]-[month]-[day]");
        if let Ok(date) = Date::parse(text.trim_end_matches('Z'), &day) {
            return Ok(Self::from_offset(date.midnight().assume_utc()));
        }
        let local = time::format_description::well_known::Iso8601::DEFAULT;
        PrimitiveDateTime::parse(text, &local).map(|t| Self::from_offset(t.assume_utc())).map_err(|_| bad())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_forms_round_trip() {
        for form in [
            "2026-10-04T13:17:07.59Z",
            "2026-10-04T16:03:35.9967236Z",
            "2026-10-04T15:03:36Z",
            "0001-01-01T00:00:00Z",
        ] {
            assert_eq!(form.parse::<Timestamp>().unwrap().iso(), form);
        }
    }

    #[test]
    fn other_accepted_forms() {
        let utc: Timestamp = "2026-10-04T15:03:36Z".parse().unwrap();
        assert_eq!("2026-10-04T17:03:36+02:00".parse::<Timestamp>().unwrap(), utc);
        assert_eq!("2026-10-04T15:03:36".parse::<Timestamp>().unwrap(), utc);
        assert_eq!("2026-10-04".parse::<Timestamp>().unwrap().iso(), "2026-10-04T00:00:00Z");
        assert_eq!(utc.date(), "2026-10-04");
        assert_eq!(utc.plus_seconds(3600).iso(), "2026-10-04T16:03:36Z");
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in ["", "yesterday", "2026-13-01T00:00:00Z", "2026-10-04T25:00:00Z"] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }

    #[test]
    fn extremes_are_exact() {
        assert_eq!(Timestamp::MAX.iso(), "9999-12-31T23:59:59.9999999Z");
        assert_eq!("9999-12-31T23:59:59.9999999Z".parse::<Timestamp>().unwrap(), Timestamp::MAX);
        assert_eq!(Timestamp::from_ticks(i64::MAX), Timestamp::MAX);
    }
}
