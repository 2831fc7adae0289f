//! Policy: who decides on a downstream server.

use core::fmt;
use core::str::FromStr;

/// Who decides about updates and groups (MS-WSUSSS 1.1, autonomous and replica DSS).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Mode {
    /// Metadata and files come from the upstream, decisions are made here.
    #[default]
    Autonomous,
    /// Groups and approvals come from the upstream too and cannot be changed here.
    Replica,
}

impl Mode {
    /// The word commands and the admin API use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Autonomous => "autonomous",
            Self::Replica => "replica",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Not a word for a mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a mode of a downstream server (use autonomous or replica)")]
pub struct ModeError(String);

impl FromStr for Mode {
    type Err = ModeError;
    fn from_str(text: &str) -> Result<Self, ModeError> {
        [Self::Autonomous, Self::Replica]
            .into_iter()
            .find(|mode| mode.as_str().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| ModeError(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_the_words_of_the_field_and_come_back_from_them() {
        assert_eq!([Mode::Autonomous, Mode::Replica].map(|mode| mode.to_string()), ["autonomous", "replica"]);
        for mode in [Mode::Autonomous, Mode::Replica] {
            assert_eq!(format!(" {} ", mode.as_str().to_uppercase()).parse::<Mode>(), Ok(mode));
        }
        assert!("master".parse::<Mode>().unwrap_err().to_string().contains("`master`"));
    }
}
