//! NTLM (MS-NLMP): the three messages by which a proxy comes to know who we are. Only NTLMv2, only what
//! proves an identity: no signing or sealing of what follows. Pure: the clock and the nonce come in.

mod challenge;
mod response;

pub(crate) use challenge::Challenge;
pub(crate) use response::{Nonce, authenticate};

const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";

/// Flags of MS-NLMP 2.2.2.5 that are used here.
mod flags {
    pub(super) const UNICODE: u32 = 1;
    pub(super) const OEM: u32 = 1 << 1;
    pub(super) const REQUEST_TARGET: u32 = 1 << 2;
    pub(super) const NTLM: u32 = 1 << 9;
    pub(super) const ALWAYS_SIGN: u32 = 1 << 15;
    pub(super) const EXTENDED_SESSIONSECURITY: u32 = 1 << 19;
    pub(super) const TARGET_INFO: u32 = 1 << 23;
    pub(super) const BITS_128: u32 = 1 << 29;
    pub(super) const BITS_56: u32 = 1 << 31;

    /// What we can do.
    pub(super) const OFFERED: u32 =
        UNICODE | OEM | REQUEST_TARGET | NTLM | ALWAYS_SIGN | EXTENDED_SESSIONSECURITY | BITS_128 | BITS_56;
}

/// The NEGOTIATE_MESSAGE (2.2.1.1), without a domain, a workstation and a version.
pub(crate) fn negotiate() -> Vec<u8> {
    let mut out = Vec::with_capacity(40);
    out.extend_from_slice(SIGNATURE);
    out.extend_from_slice(&1_u32.to_le_bytes());
    out.extend_from_slice(&flags::OFFERED.to_le_bytes());
    for _absent in ["domain", "workstation"] {
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&40_u32.to_le_bytes());
    }
    out.extend_from_slice(&[0; 8]);
    out
}

/// Who we are, as typed by an administrator.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Identity<'a> {
    pub(crate) user: &'a str,
    pub(crate) domain: &'a str,
    pub(crate) password: &'a str,
}

impl<'a> Identity<'a> {
    /// `DOMAIN\name` is taken apart; `name@domain` stays whole, as domain controllers expect a user
    /// principal name with an empty domain.
    pub(crate) fn new(user: &'a str, password: &'a str) -> Self {
        let (domain, user) = user.split_once('\\').unwrap_or(("", user));
        Self { user, domain, password }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_message_has_its_fixed_layout() {
        let message = negotiate();
        assert_eq!(message.len(), 40);
        assert_eq!(&message[..12], b"NTLMSSP\0\x01\0\0\0");
        let offered = u32::from_le_bytes(message[12..16].try_into().unwrap());
        assert_eq!(offered & (flags::UNICODE | flags::NTLM), flags::UNICODE | flags::NTLM);
    }

    #[test]
    fn domains_are_taken_from_the_users_name() {
        let of = |text| {
            let identity = Identity::new(text, "x");
            (identity.domain.to_owned(), identity.user.to_owned())
        };
        assert_eq!(of("CORP\\sync"), ("CORP".to_owned(), "sync".to_owned()));
        assert_eq!(of("sync@corp.example"), (String::new(), "sync@corp.example".to_owned()));
        assert_eq!(of("sync"), (String::new(), "sync".to_owned()));
    }
}
