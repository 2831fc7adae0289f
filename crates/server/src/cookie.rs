//! The cookies clients carry (MS-WUSP 2.2.3.4, 2.2.3.5): a fixed binary layout, sealed with AES-256-GCM.
//! Any front end that has the key can open them; nothing in them names a type or has a length we did
//! not bound. Time and nonces are given, so this module is a pure function of its input.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sluicegate_scan::ProtocolVersion;
use sluicegate_terms::{Anchor, ComputerId, GroupId, Guid, Timestamp, UpdateId};
use std::fmt;

/// How long a cookie lives: one absolute hour, however often it is replaced (observed-behaviour 2).
pub const LIFETIME_SECONDS: i64 = 3600;

/// A computer is in at most this many groups.
pub const MAX_GROUPS: usize = 64;

/// Longest sealed cookie we look at: far above what `seal` can make.
pub const MAX_SEALED: usize = 8 * 1024;

/// The layout of what is sealed; another layout gets another number.
pub const VERSION: u8 = 2;

pub(crate) const HEADER: usize = 2;

/// What a cookie is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum CookieKind {
    /// From GetAuthorizationCookie, good only for GetCookie (MS-WUSP 2.2.3.4).
    Authorization = 1,
    /// From GetCookie and every `NewCookie` after it (MS-WUSP 2.2.3.5).
    Client = 2,
}

/// The categories of a scan of only some (`FilterCategoryIds`), reduced to a number of fixed size. The order
/// they come in and repetitions make no difference.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CategorySet(u64);

impl CategorySet {
    /// Of a scan that named these.
    #[must_use]
    pub fn of(categories: &[UpdateId]) -> Self {
        let mut sorted = categories.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        for category in &sorted {
            context.update(category.0.as_bytes());
        }
        let digest = context.finish();
        // 64 bits are plenty: who finds a collision only hides changes from itself.
        Self(digest.as_ref().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
    }
}

/// What scans of some categories have told beyond what regular scans have. Only the last set of categories
/// is remembered: an agent goes through the rounds of one category scan before it begins another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Partial {
    /// Which categories.
    pub categories: CategorySet,
    /// Up to where the client has seen software changes in them.
    pub software: Anchor,
    /// Up to where the client has seen driver changes in them.
    pub drivers: Anchor,
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
    /// What the last scans of some categories add to that.
    pub partial: Partial,
}

impl Cookie {
    /// The newest change that any kind of scan has seen.
    #[must_use]
    pub fn newest_seen(&self) -> Anchor {
        let partial = self.partial.software.max(self.partial.drivers);
        self.software.max(self.drivers).max(self.printers).max(partial)
    }

    /// Up to where the client has seen the changes that a scan would tell, of some `categories` or regular,
    /// in its software or its `drivers` pass. Regular scans see every category, so what they have seen counts
    /// for scans of some as well, but not the other way round.
    #[must_use]
    pub fn seen(&self, categories: Option<CategorySet>, drivers: bool) -> Anchor {
        let (regular, partial) = match drivers {
            true => (self.drivers, self.partial.drivers),
            false => (self.software, self.partial.software),
        };
        if categories == Some(self.partial.categories) { regular.max(partial) } else { regular }
    }

    /// Notes that such a scan has told every change up to `anchor`.
    pub fn note_seen(&mut self, categories: Option<CategorySet>, drivers: bool, anchor: Anchor) {
        let (software_seen, drivers_seen) = match categories {
            None => (&mut self.software, &mut self.drivers),
            Some(categories) => {
                if categories != self.partial.categories {
                    self.partial = Partial { categories, ..Partial::default() };
                }
                (&mut self.partial.software, &mut self.partial.drivers)
            }
        };
        *(if drivers { drivers_seen } else { software_seen }) = anchor;
    }

    /// Forgets what was seen.
    pub fn forget_seen(&mut self) {
        self.software = Anchor::START;
        self.drivers = Anchor::START;
        self.printers = Anchor::START;
        self.partial = Partial::default();
    }
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
    seal_bytes(key, [VERSION, kind as u8], nonce, encode(cookie)?)
}

/// Seals bytes behind a header in clear, which says what they are and is authenticated with them.
pub(crate) fn seal_bytes(
    key: &CookieKey,
    header: [u8; HEADER],
    nonce: [u8; NONCE_LEN],
    mut body: Vec<u8>,
) -> Option<Vec<u8>> {
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
    let body = open_bytes(key, [VERSION, kind as u8], sealed)?;
    decode(&body).ok_or(CookieError::NotOurs("its layout is not ours"))
}

/// Opens what [`seal_bytes`] sealed behind the same header.
pub(crate) fn open_bytes(
    key: &CookieKey,
    header: [u8; HEADER],
    sealed: &[u8],
) -> Result<Vec<u8>, CookieError> {
    if sealed.len() > MAX_SEALED {
        return Err(CookieError::NotOurs("it is too long"));
    }
    let Some((found, rest)) = sealed.split_first_chunk::<HEADER>() else {
        return Err(CookieError::NotOurs("it is too short"));
    };
    if *found != header {
        return Err(CookieError::NotOurs("it has another version or purpose"));
    }
    let Some((&nonce, sealed_body)) = rest.split_first_chunk::<NONCE_LEN>() else {
        return Err(CookieError::NotOurs("it is too short"));
    };
    let mut body = sealed_body.to_vec();
    let length = key
        .0
        .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(header), &mut body)
        .map_err(|_| CookieError::NotOurs("its seal does not match our key"))?
        .len();
    body.truncate(length);
    Ok(body)
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
    let mut out = Vec::with_capacity(128 + name.len() + 16 * cookie.groups.len());
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
    out.extend_from_slice(&cookie.partial.categories.0.to_le_bytes());
    out.extend_from_slice(&cookie.partial.software.0.to_le_bytes());
    out.extend_from_slice(&cookie.partial.drivers.0.to_le_bytes());
    out.extend_from_slice(&name_len.to_le_bytes());
    out.extend_from_slice(name);
    out.push(groups_len);
    for group in &cookie.groups {
        out.extend_from_slice(group.0.as_bytes());
    }
    Some(out)
}

/// Takes fixed-size pieces off the front of the opened bytes.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    pub(crate) fn slice(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    pub(crate) fn time(&mut self) -> Option<Timestamp> {
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
    let partial = Partial {
        categories: CategorySet(u64::from_le_bytes(from.array()?)),
        software: Anchor(u64::from_le_bytes(from.array()?)),
        drivers: Anchor(u64::from_le_bytes(from.array()?)),
    };
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
        partial,
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
            partial: Partial {
                categories: CategorySet::of(&[UpdateId(Guid::from_u128(5))]),
                software: Anchor(13),
                drivers: Anchor(14),
            },
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
    fn a_set_of_categories_has_neither_order_nor_repetitions() {
        let [a, b] = [1, 2].map(|n| UpdateId(Guid::from_u128(n)));
        assert_eq!(CategorySet::of(&[a, b]), CategorySet::of(&[b, a, b]));
        assert_ne!(CategorySet::of(&[a, b]), CategorySet::of(&[a]));
        assert_ne!(CategorySet::of(&[a]), CategorySet::of(&[b]));
    }

    #[test]
    fn a_scan_of_some_categories_has_seen_nothing_of_the_others() {
        let one = Some(CategorySet::of(&[UpdateId(Guid::from_u128(1))]));
        let other = Some(CategorySet::of(&[UpdateId(Guid::from_u128(2))]));
        let mut cookie = sample();
        cookie.forget_seen();
        cookie.note_seen(None, false, Anchor(3));
        assert_eq!(cookie.seen(one, false), Anchor(3), "a regular scan sees every category");
        cookie.note_seen(one, false, Anchor(9));
        cookie.note_seen(one, true, Anchor(8));
        assert_eq!((cookie.seen(one, false), cookie.seen(one, true)), (Anchor(9), Anchor(8)));
        assert_eq!((cookie.seen(None, false), cookie.seen(None, true)), (Anchor(3), Anchor::START));
        assert_eq!(cookie.seen(other, false), Anchor(3));
        assert_eq!(cookie.newest_seen(), Anchor(9));
        cookie.note_seen(other, true, Anchor(10));
        assert_eq!((cookie.seen(one, false), cookie.seen(one, true)), (Anchor(3), Anchor::START));
        assert_eq!((cookie.seen(other, false), cookie.seen(other, true)), (Anchor(3), Anchor(10)));
        cookie.note_seen(None, false, Anchor(11));
        assert_eq!(cookie.seen(other, false), Anchor(11));
    }

    #[test]
    fn too_many_groups_are_not_sealed() {
        let mut cookie = sample();
        cookie.groups = vec![GroupId::ALL_COMPUTERS; MAX_GROUPS + 1];
        assert!(seal(&key(), CookieKind::Client, &cookie, [1; 12]).is_none());
    }
}
