//! The cookies clients carry (MS-WUSP 2.2.3.4, 2.2.3.5): a fixed binary layout, sealed with AES-256-GCM.
//! Any front end that has the key can open them; nothing in them names a type or has a length we did
//! not bound. Time and nonces are given, so this module is a pure function of its input.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sluicegate_scan::ProtocolVersion;
use sluicegate_terms::{Anchor, ComputerId, GroupId, Guid, Timestamp};
use std::fmt;

/// How long a cookie lives: one absolute hour, however often it is replaced (observed-behaviour 2).
pub const LIFETIME_SECONDS: i64 = 3600;

/// A computer is in at most this many groups.
pub const MAX_GROUPS: usize = 64;

/// Longest sealed cookie we look at: far above what `seal` can make.
pub const MAX_SEALED: usize = 8 * 1024;

const VERSION: u8 = 1;
const HEADER: usize = 2;

/// What a cookie is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum CookieKind {
    /// From GetAuthorizationCookie, good only for GetCookie (MS-WUSP 2.2.3.4).
    Authorization = 1,
    /// From GetCookie and every `NewCookie` after it (MS-WUSP 2.2.3.5).
    Client = 2,
}

/// What a cookie says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cookie {
    /// When the handshake that led to it took place.
    pub issued: Timestamp,
    /// When it stops being good. Replacing a cookie does not move this (observed-behaviour 2).
    pub expires: Timestamp,
    /// Which server made it.
    pub server: Guid,
    /// The configuration the client knows: `LastChange` of GetConfig.
    pub config_changed: Timestamp,
    /// Counts changes of where content is; the client's cached file locations are of this count.
    pub locations: u32,
    /// The client protocol version.
    pub protocol: ProtocolVersion,
    /// Which client.
    pub computer: ComputerId,
    /// The groups whose deployments the client was last told.
    pub groups: Vec<GroupId>,
    /// Up to where the client has seen software changes.
    pub software: Anchor,
    /// Up to where the client has seen driver changes.
    pub drivers: Anchor,
    /// Up to where the client has seen changes of the printer catalog.
    pub printers: Anchor,
}

/// Why a cookie is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CookieError {
    /// It cannot be opened with our key or is not of our layout: InvalidCookie.
    #[error("the cookie cannot be opened: {0}")]
    NotOurs(&'static str),
    /// It is ours and its hour is over: CookieExpired.
    #[error("the cookie expired at {0}")]
    Expired(Timestamp),
    /// It opens with our key but another server made it: ServerChanged.
    #[error("the cookie was made by server {0}")]
    OtherServer(Guid),
}

/// The key that seals cookies, kept in the data folder.
pub struct CookieKey(LessSafeKey);

impl fmt::Debug for CookieKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieKey(..)")
    }
}

impl CookieKey {
    /// From 32 secret bytes.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Option<Self> {
        UnboundKey::new(&AES_256_GCM, bytes).ok().map(|key| Self(LessSafeKey::new(key)))
    }
}

/// Seals a cookie: version and kind in clear (authenticated), nonce, ciphertext, tag. The nonce must
/// never repeat under one key. `None` only when the cookie breaks its own bounds ([`MAX_GROUPS`]).
#[must_use]
pub fn seal(key: &CookieKey, kind: CookieKind, cookie: &Cookie, nonce: [u8; NONCE_LEN]) -> Option<Vec<u8>> {
    let header = [VERSION, kind as u8];
    let mut body = encode(cookie)?;
    let tag = key
        .0
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(header), &mut body)
        .ok()?;
    let mut sealed = Vec::with_capacity(HEADER + NONCE_LEN + body.len() + tag.as_ref().len());
    sealed.extend_from_slice(&header);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(&body);
    sealed.extend_from_slice(tag.as_ref());
    Some(sealed)
}

/// Opens a cookie of any age and any server that shares the key.
///
/// # Errors
/// [`CookieError::NotOurs`].
pub fn unseal(key: &CookieKey, kind: CookieKind, sealed: &[u8]) -> Result<Cookie, CookieError> {
    if sealed.len() > MAX_SEALED {
        return Err(CookieError::NotOurs("it is too long"));
    }
    let Some((&[version, kind_byte], rest)) = sealed.split_first_chunk::<HEADER>() else {
        return Err(CookieError::NotOurs("it is too short"));
    };
    if version != VERSION || kind_byte != kind as u8 {
        return Err(CookieError::NotOurs("it has another version or purpose"));
    }
    let Some((&nonce, sealed_body)) = rest.split_first_chunk::<NONCE_LEN>() else {
        return Err(CookieError::NotOurs("it is too short"));
    };
    let mut body = sealed_body.to_vec();
    let plain = key
        .0
        .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from([version, kind_byte]), &mut body)
        .map_err(|_| CookieError::NotOurs("its seal does not match our key"))?;
    decode(plain).ok_or(CookieError::NotOurs("its layout is not ours"))
}

/// Opens a cookie and checks that `server` made it and that it has not expired at `now`.
///
/// # Errors
/// [`CookieError`], one variant per ErrorCode of MS-WUSP 2.2.2.4 that concerns cookies.
pub fn open(
    key: &CookieKey,
    kind: CookieKind,
    sealed: &[u8],
    server: Guid,
    now: Timestamp,
) -> Result<Cookie, CookieError> {
    let cookie = unseal(key, kind, sealed)?;
    if cookie.server != server {
        return Err(CookieError::OtherServer(cookie.server));
    }
    if now >= cookie.expires {
        return Err(CookieError::Expired(cookie.expires));
    }
    Ok(cookie)
}

fn encode(cookie: &Cookie) -> Option<Vec<u8>> {
    let name = cookie.computer.as_str().as_bytes();
    let name_len = u16::try_from(name.len()).ok()?;
    let groups_len = u8::try_from(cookie.groups.len()).ok().filter(|n| usize::from(*n) <= MAX_GROUPS)?;
    let mut out = Vec::with_capacity(96 + name.len() + 16 * cookie.groups.len());
    out.extend_from_slice(&cookie.issued.ticks().to_le_bytes());
    out.extend_from_slice(&cookie.expires.ticks().to_le_bytes());
    out.extend_from_slice(cookie.server.as_bytes());
    out.extend_from_slice(&cookie.config_changed.ticks().to_le_bytes());
    out.extend_from_slice(&cookie.locations.to_le_bytes());
    out.extend_from_slice(&cookie.protocol.major.to_le_bytes());
    out.extend_from_slice(&cookie.protocol.minor.to_le_bytes());
    out.extend_from_slice(&cookie.software.0.to_le_bytes());
    out.extend_from_slice(&cookie.drivers.0.to_le_bytes());
    out.extend_from_slice(&cookie.printers.0.to_le_bytes());
    out.extend_from_slice(&name_len.to_le_bytes());
    out.extend_from_slice(name);
    out.push(groups_len);
    for group in &cookie.groups {
        out.extend_from_slice(group.0.as_bytes());
    }
    Some(out)
}

/// Takes fixed-size pieces off the front of the opened bytes.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn slice(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    fn time(&mut self) -> Option<Timestamp> {
        self.array().map(i64::from_le_bytes).map(Timestamp::from_ticks)
    }
}

fn decode(bytes: &[u8]) -> Option<Cookie> {
    let mut from = Reader(bytes);
    let issued = from.time()?;
    let expires = from.time()?;
    let server = Guid::from_bytes(from.array()?);
    let config_changed = from.time()?;
    let locations = u32::from_le_bytes(from.array()?);
    let protocol = ProtocolVersion {
        major: u16::from_le_bytes(from.array()?),
        minor: u16::from_le_bytes(from.array()?),
    };
    let software = Anchor(u64::from_le_bytes(from.array()?));
    let drivers = Anchor(u64::from_le_bytes(from.array()?));
    let printers = Anchor(u64::from_le_bytes(from.array()?));
    let name_len = usize::from(u16::from_le_bytes(from.array()?));
    let computer = std::str::from_utf8(from.slice(name_len)?).ok()?.parse().ok()?;
    let [count] = from.array()?;
    if usize::from(count) > MAX_GROUPS {
        return None;
    }
    let mut groups = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        groups.push(GroupId(Guid::from_bytes(from.array()?)));
    }
    from.0.is_empty().then_some(Cookie {
        issued,
        expires,
        server,
        config_changed,
        locations,
        protocol,
        computer,
        groups,
        software,
        drivers,
        printers,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: Guid = Guid::from_u128(7);

    fn key() -> CookieKey {
        CookieKey::new(&[9; 32]).unwrap()
    }

    fn noon() -> Timestamp {
        "2026-10-04T12:00:00Z".parse().unwrap()
    }

    fn sample() -> Cookie {
        Cookie {
            issued: noon(),
            expires: noon().plus_seconds(LIFETIME_SECONDS),
            server: SERVER,
            config_changed: noon().plus_seconds(-5),
            locations: 3,
            protocol: ProtocolVersion { major: 2, minor: 90 },
            computer: "e1da06a3-5601-43c9-bac3-52d5db701494".parse().unwrap(),
            groups: vec![GroupId::ALL_COMPUTERS, GroupId::UNASSIGNED_COMPUTERS],
            software: Anchor(u64::MAX),
            drivers: Anchor(12),
            printers: Anchor(0),
        }
    }

    #[test]
    fn what_is_sealed_opens_unchanged() {
        let sealed = seal(&key(), CookieKind::Client, &sample(), [1; 12]).unwrap();
        assert_eq!(open(&key(), CookieKind::Client, &sealed, SERVER, noon()).unwrap(), sample());
    }

    #[test]
    fn every_flipped_bit_and_every_shortening_is_not_ours() {
        let sealed = seal(&key(), CookieKind::Client, &sample(), [1; 12]).unwrap();
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert!(
                matches!(unseal(&key(), CookieKind::Client, &bad), Err(CookieError::NotOurs(_))),
                "byte {at}"
            );
            assert!(unseal(&key(), CookieKind::Client, &sealed[..at]).is_err(), "length {at}");
        }
    }

    #[test]
    fn an_authorization_cookie_is_no_client_cookie() {
        let sealed = seal(&key(), CookieKind::Authorization, &sample(), [1; 12]).unwrap();
        assert!(matches!(unseal(&key(), CookieKind::Client, &sealed), Err(CookieError::NotOurs(_))));
        let mut relabelled = sealed.clone();
        relabelled[1] = CookieKind::Client as u8;
        assert!(matches!(unseal(&key(), CookieKind::Client, &relabelled), Err(CookieError::NotOurs(_))));
    }

    #[test]
    fn the_reasons_are_told_apart() {
        let sealed = seal(&key(), CookieKind::Client, &sample(), [1; 12]).unwrap();
        let open_at = |server, now| open(&key(), CookieKind::Client, &sealed, server, now);
        let end = sample().expires;
        assert!(open_at(SERVER, end.plus_seconds(-1)).is_ok());
        assert_eq!(open_at(SERVER, end), Err(CookieError::Expired(end)));
        assert_eq!(open_at(Guid::from_u128(8), noon()), Err(CookieError::OtherServer(SERVER)));
        let other_key = CookieKey::new(&[8; 32]).unwrap();
        assert!(matches!(unseal(&other_key, CookieKind::Client, &sealed), Err(CookieError::NotOurs(_))));
    }

    #[test]
    fn too_many_groups_are_not_sealed() {
        let mut cookie = sample();
        cookie.groups = vec![GroupId::ALL_COMPUTERS; MAX_GROUPS + 1];
        assert!(seal(&key(), CookieKind::Client, &cookie, [1; 12]).is_none());
    }
}
