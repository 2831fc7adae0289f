//! Policy: when a server synchronizes by itself: never, or so many times a day from a time of day on,
//! each time a random while later, so that not all servers of a tree ask their upstream at once.

use core::fmt;
use core::str::FromStr;
use sluicegate_terms::Timestamp;

const DAY: i64 = 86_400;

/// When to synchronize. Times are UTC.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Schedule {
    /// Only on request.
    #[default]
    Manual,
    /// By itself; see [`Schedule::daily`].
    Daily {
        /// How many times a day, evenly spaced: 1 to 24.
        times: u8,
        /// The first of them, in minutes after midnight UTC: 0 to 1439.
        from: u16,
        /// Each run begins up to so many minutes later: 0 to 1439.
        spread: u16,
    },
}

/// Why a schedule is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// A number out of its range.
    #[error("a schedule cannot have {what} {value}; use {expected}")]
    Range {
        /// Which number.
        what: &'static str,
        /// What was given.
        value: u32,
        /// What would do.
        expected: &'static str,
    },
    /// Not a schedule at all.
    #[error(
        "`{0}` is not a schedule (use manual, or TIMES@HH:MM, or TIMES@HH:MM+MINUTES for a random offset)"
    )]
    Form(String),
    /// A time that no day has.
    #[error("`{0}` is no time of day for a schedule; use 00:00 to 23:59")]
    Time(String),
}

impl Schedule {
    /// Most synchronizations a day.
    pub const MOST_TIMES: u8 = 24;

    /// So many `times` a day (1 to 24), the first at `from` minutes after midnight UTC (0 to 1439), each
    /// up to `spread` minutes later (0 to 1439).
    ///
    /// # Errors
    /// [`ScheduleError::Range`].
    pub fn daily(times: u8, from: u16, spread: u16) -> Result<Self, ScheduleError> {
        let range = |what, value: u32, expected| Err(ScheduleError::Range { what, value, expected });
        if !(1..=Self::MOST_TIMES).contains(&times) {
            return range("a count of", times.into(), "1 to 24 times a day");
        }
        if from >= 1440 {
            return range("a first minute of", from.into(), "00:00 to 23:59");
        }
        if spread >= 1440 {
            return range("a random offset of", spread.into(), "0 to 1439 minutes");
        }
        Ok(Self::Daily { times, from, spread })
    }

    /// When to run next, strictly after `now`; `None` when only on request. `draw` is a random number that
    /// decides the offset; keep the answer until it has passed, or a restart draws again.
    #[must_use]
    pub fn next_run(self, now: Timestamp, draw: u64) -> Option<Timestamp> {
        let Self::Daily { times, from, spread } = self else { return None };
        let times = i64::from(times.max(1));
        let first = i64::from(from) * 60;
        let now = now.unix_seconds();
        let today = now.div_euclid(DAY) * DAY;
        // Yesterday's last slots can lie behind midnight.
        let slot = (-1..=1)
            .flat_map(|day| (0..times).map(move |n| today + day * DAY + first + n * DAY / times))
            .filter(|slot| *slot > now)
            .min()?;
        let width = u64::from(spread) * 60 + 1;
        let offset = i64::try_from(draw % width).unwrap_or(0);
        Some(Timestamp::from_unix_seconds(slot + offset))
    }

    /// The furthest ahead of now that [`Schedule::next_run`] lies, in seconds: what lies between two times, and the whole
    /// random offset. `None` when only on request.
    #[must_use]
    pub fn furthest(self) -> Option<i64> {
        let Self::Daily { times, spread, .. } = self else { return None };
        let times = i64::from(times.max(1));
        // Rounded up: a count that does not divide the day has some pairs a second further apart.
        Some((DAY + times - 1) / times + i64::from(spread) * 60)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Manual => f.write_str("manual"),
            Self::Daily { times, from, spread } => {
                write!(f, "{times}@{:02}:{:02}", from / 60, from % 60)?;
                if spread > 0 { write!(f, "+{spread}") } else { Ok(()) }
            }
        }
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("manual") {
            return Ok(Self::Manual);
        }
        let bad = || ScheduleError::Form(text.chars().take(40).collect());
        let wrong_time = |time: &str| ScheduleError::Time(time.chars().take(40).collect());
        let (times, rest) = text.split_once('@').ok_or_else(bad)?;
        let (time, spread) = rest.split_once('+').unwrap_or((rest, "0"));
        let number = |part: &str| part.trim().parse::<u16>().map_err(|_| bad());
        let from = time_of_day(time).ok_or_else(|| wrong_time(time))?;
        let times = u8::try_from(number(times)?).map_err(|_| bad())?;
        Self::daily(times, from, number(spread)?)
    }
}

/// The minutes after midnight of `HH:MM`.
fn time_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |part: &str| part.trim().parse::<u16>().ok();
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 23 && minutes <= 59).then(|| hours * 60 + minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn runs_are_evenly_spaced_from_the_first_time_of_day() {
        let schedule = Schedule::daily(4, 180, 0).unwrap();
        let next = |now: &str| schedule.next_run(at(now), 12_345).unwrap().iso();
        assert_eq!(next("2026-03-01T02:59:59Z"), at("2026-03-01T03:00:00Z").iso());
        assert_eq!(next("2026-03-01T03:00:00Z"), at("2026-03-01T09:00:00Z").iso());
        assert_eq!(next("2026-03-01T21:30:00Z"), at("2026-03-02T03:00:00Z").iso());
    }

    #[test]
    fn a_count_that_does_not_divide_the_day_counts_from_the_first_time_on() {
        let schedule = Schedule::daily(7, 0, 0).unwrap();
        assert_eq!(schedule.next_run(at("2026-03-01T00:00:00Z"), 0), Some(at("2026-03-01T03:25:42Z")));
    }

    #[test]
    fn slots_behind_midnight_belong_to_the_day_before() {
        let schedule = Schedule::daily(2, 22 * 60, 0).unwrap();
        assert_eq!(schedule.next_run(at("2026-03-01T01:00:00Z"), 0), Some(at("2026-03-01T10:00:00Z")));
        let late = Schedule::daily(3, 22 * 60, 0).unwrap();
        assert_eq!(late.next_run(at("2026-03-01T01:00:00Z"), 0), Some(at("2026-03-01T06:00:00Z")));
    }

    #[test]
    fn the_offset_stays_within_its_spread_and_uses_all_of_it() {
        let schedule = Schedule::daily(1, 0, 30).unwrap();
        let slot = at("2026-03-02T00:00:00Z").unix_seconds();
        let offsets: Vec<i64> = (0..5_000)
            .map(|draw| schedule.next_run(at("2026-03-01T12:00:00Z"), draw).unwrap().unix_seconds() - slot)
            .collect();
        assert!(offsets.iter().all(|o| (0..=1_800).contains(o)));
        assert!(offsets.contains(&0) && offsets.contains(&1_800));
    }

    #[test]
    fn no_time_is_drawn_further_ahead_than_two_lie_apart() {
        for (times, from, spread) in
            [(1, 180, 0), (1, 1439, 1439), (4, 180, 30), (7, 0, 0), (24, 0, 0), (24, 59, 90)]
        {
            let schedule = Schedule::daily(times, from, spread).unwrap();
            let ahead = (0..86_400).step_by(7).chain((0..24).map(|hour| hour * 3_600)).map(|second| {
                let now = at("2026-03-01T00:00:00Z").plus_seconds(second);
                schedule.next_run(now, u64::from(spread) * 60).unwrap().unix_seconds() - now.unix_seconds()
            });
            let (most, furthest) = (ahead.max().unwrap(), schedule.furthest().unwrap());
            assert!((furthest - 8..=furthest).contains(&most), "{schedule}: {most} of {furthest}");
        }
    }

    #[test]
    fn manual_never_runs_by_itself() {
        assert_eq!(Schedule::Manual.next_run(Timestamp::UNIX_EPOCH, 1), None);
        assert_eq!(Schedule::Manual.furthest(), None);
    }

    #[test]
    fn schedules_come_back_from_their_text_and_odd_ones_are_refused() {
        for text in ["manual", "4@03:00", "1@23:59+1439", "24@00:00+5"] {
            assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        }
        for odd in ["", "0@03:00", "25@03:00", "4@24:00", "4@03:60", "4@03:00+1440", "x@y", "4", "-1@00:00"] {
            assert!(odd.parse::<Schedule>().is_err(), "{odd}");
        }
        for odd in ["24:00", "03:60", "noon"] {
            let error = format!("4@{odd}+5").parse::<Schedule>().unwrap_err();
            assert_eq!(error, ScheduleError::Time(odd.to_owned()));
            assert!(error.to_string().contains("00:00 to 23:59"), "{error}");
        }
    }
}
