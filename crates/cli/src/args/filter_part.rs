//! Cli room: a part of what `approve --filter` chooses by.

use std::str::FromStr;

/// The names there are.
const NAMES: [&str; 4] = ["search", "classification", "product", "approval"];

/// `NAME=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilterPart {
    /// One of those there are.
    pub(crate) name: &'static str,
    /// Never empty: an empty one would choose everything.
    pub(crate) value: String,
}

impl FromStr for FilterPart {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = || format!("use {}=", NAMES.join("=, "));
        let Some((name, value)) = text.split_once('=') else {
            return Err(format!("it is not NAME=VALUE ({})", known()));
        };
        let Some(name) = NAMES.into_iter().find(|one| *one == name.trim()) else {
            return Err(format!("there is no filter `{name}` ({})", known()));
        };
        if value.trim().is_empty() {
            return Err(format!("{name} is empty, so nothing was done; give it a value, or leave it out"));
        }
        Ok(Self { name, value: value.to_owned() })
    }
}
