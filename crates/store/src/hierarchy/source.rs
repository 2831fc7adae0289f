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
    /// Another update server, by its address (`http://parent:8530`), without a slash at the end; scheme and host in
    /// lower case, since their case means nothing (RFC 3986 6.2.2.1).
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
        let (scheme, rest) = ["http://", "https://"]
            .iter()
            .find_map(|scheme| {
                let (given, rest) = text.split_at_checked(scheme.len())?;
                given.eq_ignore_ascii_case(scheme).then_some((scheme, rest))
            })
            .ok_or_else(|| {
                bad("is neither microsoft-update nor an address beginning with http:// or https://")
            })?;
        let plain = |c: char| {
            c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '?' | '#' | '@')
        };
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if host.is_empty() || !text.chars().all(plain) || text.len() > LONGEST {
            return Err(bad("is not a server's address (for example http://updates.example.org:8530)"));
        }
        let address = format!("{scheme}{}{path}", host.to_ascii_lowercase());
        Ok(Self::Server(address.trim_end_matches('/').to_owned()))
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
        assert_eq!(server("HTTP://Parent:8530").unwrap(), parent);
        assert_eq!(server("http://Parent/A").unwrap().as_str(), "http://parent/A", "a path is as it is");
        for odd in
            ["", "parent", "ftp://parent", "http://", "http:///x", "http://a b", "http://u@h", "http://h?x"]
        {
            assert!(server(odd).is_err(), "{odd}");
        }
    }
}
