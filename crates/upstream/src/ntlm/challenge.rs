//! NTLM: the proxy's CHALLENGE_MESSAGE (MS-NLMP 2.2.1.2), and the attributes it says about itself.

use super::{SIGNATURE, flags};

/// Longest message that is read, in bytes; real ones have some 300.
const LONGEST: usize = 8192;

/// Ids of attributes (2.2.2.1).
pub(super) mod attribute {
    pub(in crate::ntlm) const END: u16 = 0;
    pub(in crate::ntlm) const FLAGS: u16 = 6;
    pub(in crate::ntlm) const TIMESTAMP: u16 = 7;
}

/// What the proxy asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Challenge {
    /// The message as it came; the integrity code covers it.
    pub(super) message: Vec<u8>,
    pub(super) flags: u32,
    pub(super) nonce: [u8; 8],
    /// Attributes without the closing one: id and value.
    pub(super) attributes: Vec<(u16, Vec<u8>)>,
}

/// A message that is no challenge.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the NTLM challenge is not valid: {0}")]
pub(crate) struct ChallengeError(pub(crate) &'static str);

impl Challenge {
    /// Reads a message.
    pub(crate) fn parse(message: &[u8]) -> Result<Self, ChallengeError> {
        let bad = ChallengeError;
        if message.len() > LONGEST {
            return Err(bad("it is too long"));
        }
        if message.get(..8) != Some(SIGNATURE.as_slice()) || word(message, 8) != Some(2) {
            return Err(bad("it is not a CHALLENGE_MESSAGE"));
        }
        let cut = bad("it is cut short");
        let flags = word(message, 20).ok_or(cut)?;
        let nonce = message.get(24..32).and_then(|n| n.try_into().ok()).ok_or(cut)?;
        if flags & flags::UNICODE == 0 {
            return Err(bad("it does not agree to Unicode"));
        }
        let attributes = if flags & flags::TARGET_INFO == 0 {
            Vec::new() // Old servers end the message before this field.
        } else {
            let length = word(message, 40).and_then(|n| usize::try_from(n & 0xffff).ok()).ok_or(cut)?;
            let start = word(message, 44).and_then(|n| usize::try_from(n).ok()).ok_or(cut)?;
            let end = start.checked_add(length).ok_or(cut)?;
            read_attributes(message.get(start..end).ok_or(cut)?).ok_or(cut)?
        };
        Ok(Self { message: message.to_vec(), flags, nonce, attributes })
    }

    /// The proxy's clock, where it tells (MsvAvTimestamp). Then it expects an integrity code.
    pub(super) fn timestamp(&self) -> Option<[u8; 8]> {
        let (_, value) = self.attributes.iter().find(|(id, _)| *id == attribute::TIMESTAMP)?;
        value.as_slice().try_into().ok()
    }
}

fn word(message: &[u8], at: usize) -> Option<u32> {
    message.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes)
}

fn read_attributes(mut bytes: &[u8]) -> Option<Vec<(u16, Vec<u8>)>> {
    let mut out = Vec::new();
    loop {
        let (head, rest) = bytes.split_at_checked(4)?;
        let pair = |at: usize| head.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes);
        let (id, length) = (pair(0)?, pair(2)?);
        if id == attribute::END {
            return Some(out);
        }
        let (value, rest) = rest.split_at_checked(usize::from(length))?;
        out.push((id, value.to_vec()));
        bytes = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ntlm::response::tests::SPECIFIED_CHALLENGE;

    #[test]
    fn the_challenge_of_the_specification_is_read() {
        let challenge = Challenge::parse(&SPECIFIED_CHALLENGE).unwrap();
        assert_eq!(challenge.nonce, [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);
        assert_eq!(challenge.flags, 0xe28a_8233);
        let ids: Vec<u16> = challenge.attributes.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids, [2, 1]);
        assert_eq!(challenge.timestamp(), None);
    }

    #[test]
    fn broken_challenges_are_refused() {
        for cut in 0..SPECIFIED_CHALLENGE.len() {
            assert!(Challenge::parse(&SPECIFIED_CHALLENGE[..cut]).is_err(), "cut at {cut}");
        }
        let mut other = SPECIFIED_CHALLENGE;
        other[8] = 3;
        assert!(Challenge::parse(&other).unwrap_err().to_string().contains("not a CHALLENGE_MESSAGE"));
        let mut oem = SPECIFIED_CHALLENGE;
        oem[20] &= !1;
        assert!(Challenge::parse(&oem).unwrap_err().to_string().contains("Unicode"));
        assert!(Challenge::parse(&vec![0; LONGEST + 1]).unwrap_err().to_string().contains("too long"));
    }

    #[test]
    fn an_old_server_without_attributes_is_understood() {
        let mut old = SPECIFIED_CHALLENGE[..32].to_vec();
        old[22] &= !0x80;
        assert_eq!(Challenge::parse(&old).unwrap().attributes, Vec::new());
    }
}
