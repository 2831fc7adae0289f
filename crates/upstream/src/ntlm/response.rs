//! NTLM: our AUTHENTICATE_MESSAGE (MS-NLMP 2.2.1.3) with the proofs of NTLMv2 (3.3.2).

use super::challenge::{Challenge, attribute};
use super::{Identity, SIGNATURE, flags};
use hmac::{Hmac, Mac as _};
use md4::{Digest as _, Md4};
use md5::Md5;

/// Length of the fixed part, with the version and the integrity code.
const HEADER: usize = 88;

/// Where the integrity code stands.
const CODE: core::ops::Range<usize> = 72..88;

/// What must be fresh for every message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nonce {
    /// Random bytes.
    pub(crate) client: [u8; 8],
    /// The time in units of 100 ns since 1601, used where the proxy tells none.
    pub(crate) filetime: u64,
}

/// The message that proves who we are. `negotiated` is the first message as it was sent.
pub(crate) fn authenticate(
    negotiated: &[u8],
    challenge: &Challenge,
    identity: &Identity<'_>,
    workstation: &str,
    nonce: &Nonce,
) -> Vec<u8> {
    let key = response_key(identity);
    let told = challenge.timestamp();
    let time = told.unwrap_or(nonce.filetime.to_le_bytes());
    let mut attributes = challenge.attributes.clone();
    if told.is_some() {
        // 3.1.5.1.2: bit 1 of MsvAvFlags tells that the integrity code is there.
        attributes.retain(|(id, _)| *id != attribute::FLAGS);
        attributes.push((attribute::FLAGS, 2_u32.to_le_bytes().to_vec()));
    }
    let temp = temp(time, nonce.client, &attributes);
    let proof = hmac(&key, &[&challenge.nonce, &temp]);
    // 3.1.5.1.2: with a time told by the server, the old response is left out.
    let lm = match told {
        Some(_) => vec![0; 24],
        None => [hmac(&key, &[&challenge.nonce, &nonce.client]).as_slice(), &nonce.client].concat(),
    };
    let nt = [proof.as_slice(), &temp].concat();
    let agreed = flags::OFFERED & challenge.flags & !flags::OEM;

    let parts = [
        lm,
        nt,
        utf16(identity.domain),
        utf16(identity.user),
        utf16(workstation),
        Vec::new(), // No session key is exchanged.
    ];
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(SIGNATURE);
    out.extend_from_slice(&3_u32.to_le_bytes());
    let mut offset = HEADER;
    for part in &parts {
        let length = u16::try_from(part.len()).unwrap_or(u16::MAX).to_le_bytes();
        out.extend_from_slice(&length);
        out.extend_from_slice(&length);
        out.extend_from_slice(&u32::try_from(offset).unwrap_or(u32::MAX).to_le_bytes());
        offset += part.len();
    }
    out.extend_from_slice(&(agreed | challenge.flags & flags::TARGET_INFO).to_le_bytes());
    out.resize(HEADER, 0);
    for part in &parts {
        out.extend_from_slice(part);
    }
    if told.is_some() {
        // Without key exchange the exported session key is the session base key (3.4.5.1).
        let session_key = hmac(&key, &[&proof]);
        let code = hmac(&session_key, &[negotiated, &challenge.message, &out]);
        if let Some(place) = out.get_mut(CODE) {
            place.copy_from_slice(&code);
        }
    }
    out
}

/// NTOWFv2.
fn response_key(identity: &Identity<'_>) -> [u8; 16] {
    let password: [u8; 16] = Md4::digest(utf16(identity.password)).into();
    hmac(&password, &[&utf16(&upper(identity.user)), &utf16(identity.domain)])
}

/// Upper case letter by letter, as Windows does: a letter whose capital form is several letters stays.
fn upper(text: &str) -> String {
    let one = |letter: char| {
        let mut capital = letter.to_uppercase();
        match (capital.next(), capital.next()) {
            (Some(capital), None) => capital,
            _ => letter,
        }
    };
    text.chars().map(one).collect()
}

/// The NTLMv2_CLIENT_CHALLENGE (2.2.2.7) with its closing zeros, `temp` of 3.3.2.
fn temp(time: [u8; 8], client: [u8; 8], attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut out = vec![1, 1, 0, 0, 0, 0, 0, 0];
    out.extend_from_slice(&time);
    out.extend_from_slice(&client);
    out.extend_from_slice(&[0; 4]);
    for (id, value) in attributes {
        out.extend_from_slice(&id.to_le_bytes());
        out.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend_from_slice(value);
    }
    out.extend_from_slice(&[0; 8]); // The end of the attributes, and four bytes more.
    out
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    // HMAC takes keys of any length; were it not so, the proof would be wrong and the proxy would say so.
    let Ok(mut mac) = Hmac::<Md5>::new_from_slice(key) else { return [0; 16] };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn utf16(text: &str) -> Vec<u8> {
    // Names are short; a password of this length is refused by every domain.
    text.encode_utf16().take(8192).flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The CHALLENGE_MESSAGE of MS-NLMP 4.2.4.3.
    pub(in crate::ntlm) const SPECIFIED_CHALLENGE: [u8; 104] = {
        let mut message = [0; 104];
        let head =
            *b"NTLMSSP\0\x02\0\0\0\x0c\0\x0c\0\x38\0\0\0\x33\x82\x8a\xe2\x01\x23\x45\x67\x89\xab\xcd\xef\
            \0\0\0\0\0\0\0\0\x24\0\x24\0\x44\0\0\0\x06\0\x70\x17\0\0\0\x0fS\0e\0r\0v\0e\0r\0\
            \x02\0\x0c\0D\0o\0m\0a\0i\0n\0\x01\0\x0c\0S\0e\0r\0v\0e\0r\0\0\0\0\0";
        let mut at = 0;
        while at < message.len() {
            message[at] = head[at];
            at += 1;
        }
        message
    };

    const IDENTITY: Identity<'_> = Identity { user: "User", domain: "Domain", password: "Password" };
    const NONCE: Nonce = Nonce { client: [0xaa; 8], filetime: 0 };

    fn field(message: &[u8], at: usize) -> &[u8] {
        let length = usize::from(u16::from_le_bytes(message[at..at + 2].try_into().unwrap()));
        let start = u32::from_le_bytes(message[at + 4..at + 8].try_into().unwrap()) as usize;
        &message[start..start + length]
    }

    fn hex(text: &str) -> Vec<u8> {
        text.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
    }

    #[test]
    fn keys_are_those_of_the_specification() {
        // MS-NLMP 4.2.4.1.1.
        let key = response_key(&IDENTITY);
        assert_eq!(key.as_slice(), hex("0c 86 8a 40 3b fd 7a 93 a3 00 1e f2 2e f0 2e 3f"));
        // 4.2.4.1.2.
        let challenge = Challenge::parse(&SPECIFIED_CHALLENGE).unwrap();
        let temp = temp([0; 8], [0xaa; 8], &challenge.attributes);
        let session = hmac(&key, &[&hmac(&key, &[&challenge.nonce, &temp])]);
        assert_eq!(session.as_slice(), hex("8d e4 0c ca db c1 4a 82 f1 5c b0 ad 0d e9 5c a3"));
    }

    #[test]
    fn responses_are_those_of_the_specification() {
        let challenge = Challenge::parse(&SPECIFIED_CHALLENGE).unwrap();
        let message = authenticate(b"", &challenge, &IDENTITY, "COMPUTER", &NONCE);
        // 4.2.4.2.1 and 4.2.4.2.2; what follows the proof is `temp` of 4.2.4.1.3.
        let lm = hex("86 c3 50 97 ac 9c ec 10 25 54 76 4a 57 cc cc 19 aa aa aa aa aa aa aa aa");
        assert_eq!(field(&message, 12), lm);
        let nt = field(&message, 20);
        assert_eq!(nt[..16], hex("68 cd 0a b8 51 e5 1c 96 aa bc 92 7b eb ef 6a 1c"));
        assert_eq!(nt.len(), 0x54);
        assert_eq!(nt[16..28], hex("01 01 00 00 00 00 00 00 00 00 00 00"));
        assert_eq!(field(&message, 28), b"D\0o\0m\0a\0i\0n\0");
        assert_eq!(field(&message, 36), b"U\0s\0e\0r\0");
        assert_eq!(field(&message, 44), b"C\0O\0M\0P\0U\0T\0E\0R\0");
        assert_eq!(message[CODE], [0; 16]);
    }

    #[test]
    fn a_proxy_that_tells_its_time_gets_an_integrity_code_over_all_messages() {
        let mut challenge = Challenge::parse(&SPECIFIED_CHALLENGE).unwrap();
        challenge.attributes.push((attribute::TIMESTAMP, vec![9; 8]));
        let first = super::super::negotiate();
        let message = authenticate(&first, &challenge, &IDENTITY, "", &NONCE);
        assert_eq!(field(&message, 12), [0; 24]);
        let nt = field(&message, 20);
        assert_eq!(nt[24..32], [9; 8], "the proxy's time is used");
        let flagged = [6_u8, 0, 4, 0, 2, 0, 0, 0];
        assert!(nt.windows(8).any(|w| w == flagged), "MsvAvFlags tells of the code");

        let key = response_key(&IDENTITY);
        let session = hmac(&key, &[&nt[..16]]);
        let mut blank = message.clone();
        blank[CODE].fill(0);
        let code = hmac(&session, &[&first, &challenge.message, &blank]);
        assert_eq!(message[CODE], code);
        assert_ne!(message[CODE], [0; 16]);
    }

    #[test]
    fn names_of_any_language_are_raised_letter_by_letter() {
        assert_eq!(upper("ma\u{f1}ana"), "MA\u{d1}ANA");
        assert_eq!(upper("stra\u{df}e"), "STRA\u{df}E");
    }
}
