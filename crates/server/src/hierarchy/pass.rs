//! The cookies downstream servers carry (MS-WSUSSS 2.2.4.7, 2.2.4.8): what a server said of itself, in a
//! layout of its own, sealed like the cookies of clients and never taken for one of those.

use crate::cookie::{CookieError, CookieKey, Reader, open_bytes, seal_bytes};
use sluicegate_terms::{Guid, Timestamp};
use std::fmt;
use std::str::FromStr;

/// How long a cookie is good: 240 minutes (observed-behaviour 8).
pub(crate) const LIFETIME_SECONDS: i64 = 240 * 60;

/// The layout of what is sealed.
const VERSION: u8 = 1;

/// Longest account name, in bytes; DNS names end there (RFC 1035 2.3.4).
pub(crate) const LONGEST_NAME: usize = 255;

/// What a cookie is for. Numbers that cookies of clients do not use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum PassKind {
    /// From GetAuthorizationCookie, good only for GetCookie.
    Authorization = 0x11,
    /// From GetCookie, for everything after it.
    Synchronization = 0x12,
}

/// A version of the protocol between servers (MS-WSUSSS 1.7).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct DssVersion {
    pub(crate) major: u16,
    pub(crate) minor: u16,
}

impl FromStr for DssVersion {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            let shown: String = text.chars().take(40).collect();
            format!("`{shown}` is no protocol version; it has the form x.y")
        };
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            if digits { part.parse().ok() } else { None }
        };
        let (major, minor) = text.split_once('.').ok_or_else(bad)?;
        Ok(Self { major: number(major).ok_or_else(bad)?, minor: number(minor).ok_or_else(bad)? })
    }
}

impl fmt::Display for DssVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// What a cookie says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Pass {
    /// When it stops being good.
    pub(crate) expires: Timestamp,
    /// Which server made it.
    pub(crate) server: Guid,
    /// Which server carries it.
    pub(crate) account: Guid,
    /// What that server calls itself.
    pub(crate) name: String,
    /// The protocol it speaks; 0.0 until GetCookie.
    pub(crate) protocol: DssVersion,
}

const fn header(kind: PassKind) -> [u8; 2] {
    [VERSION, kind as u8]
}

/// Seals a cookie. `None` when its name is longer than [`LONGEST_NAME`].
pub(crate) fn seal(key: &CookieKey, kind: PassKind, pass: &Pass, nonce: [u8; 12]) -> Option<Vec<u8>> {
    let name = pass.name.as_bytes();
    let length = u16::try_from(name.len()).ok().filter(|length| usize::from(*length) <= LONGEST_NAME)?;
    let mut body = Vec::with_capacity(64 + name.len());
    body.extend_from_slice(&pass.expires.ticks().to_le_bytes());
    body.extend_from_slice(pass.server.as_bytes());
    body.extend_from_slice(pass.account.as_bytes());
    body.extend_from_slice(&pass.protocol.major.to_le_bytes());
    body.extend_from_slice(&pass.protocol.minor.to_le_bytes());
    body.extend_from_slice(&length.to_le_bytes());
    body.extend_from_slice(name);
    seal_bytes(key, header(kind), nonce, body)
}

/// Opens a cookie and checks that `server` made it and that it is still good at `now`.
///
/// # Errors
/// [`CookieError`].
pub(crate) fn open(
    key: &CookieKey,
    kind: PassKind,
    sealed: &[u8],
    server: Guid,
    now: Timestamp,
) -> Result<Pass, CookieError> {
    let body = open_bytes(key, header(kind), sealed)?;
    let pass = decode(&body).ok_or(CookieError::NotOurs("its layout is not ours"))?;
    if pass.server != server {
        return Err(CookieError::OtherServer(pass.server));
    }
    if now >= pass.expires {
        return Err(CookieError::Expired(pass.expires));
    }
    Ok(pass)
}

fn decode(bytes: &[u8]) -> Option<Pass> {
    let mut from = Reader(bytes);
    let expires = from.time()?;
    let server = Guid::from_bytes(from.array()?);
    let account = Guid::from_bytes(from.array()?);
    let major = u16::from_le_bytes(from.array()?);
    let minor = u16::from_le_bytes(from.array()?);
    let length = usize::from(u16::from_le_bytes(from.array()?));
    let name = std::str::from_utf8(from.slice(length)?).ok()?.to_owned();
    let protocol = DssVersion { major, minor };
    from.0.is_empty().then_some(Pass { expires, server, account, name, protocol })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cookie::{CookieKind, unseal};

    fn sample() -> Pass {
        Pass {
            expires: "2026-10-04T16:00:00Z".parse().unwrap(),
            server: Guid::from_u128(7),
            account: Guid::from_u128(8),
            name: "child.example.net".into(),
            protocol: "1.20".parse().unwrap(),
        }
    }

    fn key() -> CookieKey {
        CookieKey::new(&[9; 32]).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_until_it_expires_and_only_here() {
        let kind = PassKind::Synchronization;
        let sealed = seal(&key(), kind, &sample(), [1; 12]).unwrap();
        let now = sample().expires.plus_seconds(-1);
        assert_eq!(open(&key(), kind, &sealed, sample().server, now), Ok(sample()));
        let at = |server, now| open(&key(), kind, &sealed, server, now);
        assert_eq!(at(sample().server, sample().expires), Err(CookieError::Expired(sample().expires)));
        assert_eq!(at(Guid::ZERO, now), Err(CookieError::OtherServer(sample().server)));
    }

    #[test]
    fn every_flipped_bit_and_every_other_purpose_is_refused() {
        let kind = PassKind::Synchronization;
        let sealed = seal(&key(), kind, &sample(), [1; 12]).unwrap();
        let now = sample().expires.plus_seconds(-1);
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            let opened = open(&key(), kind, &bad, sample().server, now);
            assert!(matches!(opened, Err(CookieError::NotOurs(_))), "byte {at}");
        }
        let opened = open(&key(), PassKind::Authorization, &sealed, sample().server, now);
        assert!(matches!(opened, Err(CookieError::NotOurs(_))));
        for kind in [CookieKind::Authorization, CookieKind::Client] {
            assert!(unseal(&key(), kind, &sealed).is_err(), "no cookie of a client");
        }
    }

    #[test]
    fn versions_have_two_numbers() {
        assert_eq!("1.20".parse::<DssVersion>().unwrap().to_string(), "1.20");
        for bad in ["", "1", "1.", ".2", "1.2.3", "a.b", "+1.2", "1.99999"] {
            assert!(bad.parse::<DssVersion>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_that_is_too_long_is_not_sealed() {
        let long = Pass { name: "x".repeat(LONGEST_NAME + 1), ..sample() };
        assert!(seal(&key(), PassKind::Authorization, &long, [1; 12]).is_none());
    }
}
