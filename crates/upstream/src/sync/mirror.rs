//! Synchronization: a private mirror of Microsoft Update. What comes from there becomes what whole fleets install, so
//! it is asked over TLS; in plain http only on this machine.

use crate::transport::Url;
use core::str::FromStr;
use std::net::IpAddr;

/// The address of a private mirror of Microsoft Update's synchronization service, without a slash at the end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mirror(String);

/// Not an address of a mirror.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MirrorError {
    /// It cannot be read.
    #[error("`{given}` is not the address of a mirror of Microsoft Update ({reason}); write https://HOST")]
    Unreadable {
        /// What was given, shortened.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Anybody on the way could change what computers install.
    #[error(
        "the mirror of Microsoft Update at `{0}` has to be asked over https; http will do on this machine alone"
    )]
    Plain(String),
}

impl Mirror {
    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Mirror {
    type Err = MirrorError;
    fn from_str(text: &str) -> Result<Self, MirrorError> {
        let text = text.trim().trim_end_matches('/');
        let shown = || text.chars().take(80).collect::<String>();
        let unreadable = |reason: String| MirrorError::Unreadable { given: shown(), reason };
        let url: Url =
            text.parse().map_err(|error: crate::transport::UrlError| unreadable(error.to_string()))?;
        let here = url.host() == "localhost"
            || url.host().trim_matches(['[', ']']).parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        if url.is_tls() || here { Ok(Self(text.to_owned())) } else { Err(MirrorError::Plain(shown())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_is_asked_over_tls_or_lies_on_this_machine() {
        for good in
            ["https://mirror.example", "http://127.0.0.1:8530", "http://[::1]:8530", "http://localhost:1"]
        {
            assert_eq!(format!("{good}/").parse::<Mirror>().unwrap().as_str(), good);
        }
        for plain in ["http://mirror.example", "http://10.0.0.1:8530", "http://localhost.example"] {
            assert_eq!(plain.parse::<Mirror>().unwrap_err(), MirrorError::Plain(plain.to_owned()));
        }
        for odd in ["", "mirror.example", "ftp://127.0.0.1"] {
            assert!(matches!(odd.parse::<Mirror>(), Err(MirrorError::Unreadable { .. })), "{odd}");
        }
    }
}
