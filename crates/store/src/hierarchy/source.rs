//! Store: where the catalog comes from, as it is written in commands, messages and the database. The address of
//! a server is checked here once.

use super::settings::LONGEST;
use crate::error::StoreError;
use std::fmt;
use std::str::FromStr;

/// Where the catalog comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UpstreamSource {
    /// Microsoft Update's public synchronization service.
    MicrosoftUpdate,
    /// Another update server, by its address (`http://parent:8530`), without a slash at the end.
    Server(String),
}

impl UpstreamSource {
    /// How it is written in commands, messages and the database.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::MicrosoftUpdate => "microsoft-update",
            Self::Server(url) => url,
        }
    }
}

impl fmt::Display for UpstreamSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for UpstreamSource {
    type Err = StoreError;
    fn from_str(text: &str) -> Result<Self, StoreError> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("microsoft-update") {
            return Ok(Self::MicrosoftUpdate);
        }
        let bad = |reason: &str| StoreError::Invalid {
            what: "an upstream",
            reason: format!("`{}` {reason}", text.chars().take(80).collect::<String>()),
        };
        let rest = ["http://", "https://"]
            .iter()
            .find_map(|scheme| {
                text.get(..scheme.len()).filter(|t| t.eq_ignore_ascii_case(scheme)).map(|_| scheme.len())
            })
            .and_then(|at| text.get(at..))
            .ok_or_else(|| {
                bad("is neither microsoft-update nor an address beginning with http:// or https://")
            })?;
        let plain = |c: char| {
            c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '?' | '#' | '@')
        };
        let host = rest.split('/').next().unwrap_or_default();
        if host.is_empty() || !text.chars().all(plain) || text.len() > LONGEST {
            return Err(bad("is not a server's address (for example http://updates.example.org:8530)"));
        }
        Ok(Self::Server(text.trim_end_matches('/').to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_upstreams_are_checked() {
        let server = |text: &str| text.parse::<UpstreamSource>();
        assert_eq!(server("Microsoft-Update").unwrap(), UpstreamSource::MicrosoftUpdate);
        let parent = UpstreamSource::Server("http://parent:8530".to_owned());
        assert_eq!(server(" http://parent:8530/ ").unwrap(), parent);
        for odd in
            ["", "parent", "ftp://parent", "http://", "http:///x", "http://a b", "http://u@h", "http://h?x"]
        {
            assert!(server(odd).is_err(), "{odd}");
        }
    }
}
