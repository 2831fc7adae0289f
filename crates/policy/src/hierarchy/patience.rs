//! Policy: how long a synchronization may go without coming forward before it is ended. It is lack of progress
//! that is bounded, not the time in all: a first synchronization may take a day.

use core::fmt;
use core::str::FromStr;

/// Minutes without progress after which a run is ended: 1 to 1,440, usually 30.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Patience(u16);

/// Not a time to wait for progress.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time to wait for progress: give whole minutes, from 1 to 1440")]
pub struct PatienceError(String);

impl Default for Patience {
    fn default() -> Self {
        Self(30)
    }
}

impl Patience {
    /// In minutes.
    #[must_use]
    pub const fn minutes(self) -> u16 {
        self.0
    }

    /// In seconds.
    #[must_use]
    pub fn seconds(self) -> i64 {
        i64::from(self.0) * 60
    }
}

impl fmt::Display for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Patience {
    type Err = PatienceError;
    fn from_str(text: &str) -> Result<Self, PatienceError> {
        let minutes = text.trim().parse::<u16>().ok().filter(|minutes| (1..=1_440).contains(minutes));
        minutes.map(Self).ok_or_else(|| PatienceError(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_between_a_minute_and_a_day() {
        assert_eq!((Patience::default().minutes(), Patience::default().seconds()), (30, 1_800));
        for good in ["1", " 45 ", "1440"] {
            assert_eq!(good.parse::<Patience>().unwrap().to_string(), good.trim());
        }
        for odd in ["0", "1441", "-1", "", "half an hour"] {
            assert!(odd.parse::<Patience>().is_err(), "{odd}");
        }
    }
}
