//! Transport: just enough of DER to name a certificate in a message: subject, issuer and the time it is
//! good for (RFC 5280 4.1). Decides nothing; that is the verifier's business.

/// What a message says of a certificate.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Facts {
    pub(super) subject: String,
    pub(super) issuer: String,
    /// `YYYYMMDDhhmmss`, UTC.
    pub(super) not_before: String,
    pub(super) not_after: String,
    /// The method it is signed by, as its algorithm identifier says it.
    pub(super) method: Vec<u8>,
    /// The bits of its key, where that is one for RSA.
    rsa_bits: Option<usize>,
}

impl Facts {
    /// The bits of its key, when they are fewer than anybody accepts.
    pub(super) fn short_key(&self) -> Option<usize> {
        self.rsa_bits.filter(|bits| *bits < LEAST_RSA_BITS)
    }
}

/// The shortest key for RSA that signatures are accepted of.
const LEAST_RSA_BITS: usize = 2_048;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const BMP_STRING: u8 = 0x1e;
const VERSION: u8 = 0xa0;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;

/// `rsaEncryption` (RFC 3279 2.3.1).
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];

/// Methods of signing that were usual once (RFC 3279 2.2, RFC 5758 3.2).
const METHODS: [(&[u8], &str); 4] = [
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4], "MD5 and RSA"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5], "SHA-1 and RSA"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3], "SHA-1 and DSA"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1], "SHA-1 and ECDSA"),
];

/// The name of a method of signing, from its algorithm identifier.
pub(super) fn method(identifier: &[u8]) -> String {
    let oid = Der(identifier).expect(OID).map_or(identifier, |oid| oid.0);
    match METHODS.iter().find(|(known, _)| *known == oid) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("the method {}", oid.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}

/// The two attributes of a name that say most: common name and organization (RFC 5280 A.1).
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const ORGANIZATION: &[u8] = &[0x55, 4, 10];

/// Reads a certificate; what cannot be read stays empty.
pub(super) fn facts(certificate: &[u8]) -> Facts {
    read(certificate).unwrap_or_default()
}

fn read(certificate: &[u8]) -> Option<Facts> {
    let mut outer = Der(certificate).expect(SEQUENCE)?;
    let mut body = outer.expect(SEQUENCE)?;
    if body.peek() == Some(VERSION) {
        body.next()?;
    }
    body.next()?; // Serial number.
    let method = body.expect(SEQUENCE)?.0.to_vec();
    let issuer = name(body.expect(SEQUENCE)?);
    let mut validity = body.expect(SEQUENCE)?;
    let not_before = time(validity.next()?)?;
    let not_after = time(validity.next()?)?;
    let subject = name(body.expect(SEQUENCE)?);
    let rsa_bits = rsa_bits(body);
    Some(Facts { subject, issuer, not_before, not_after, method, rsa_bits })
}

/// The bits of the modulus in what comes after the subject (RFC 3279 2.3.1).
fn rsa_bits(mut body: Der<'_>) -> Option<usize> {
    let mut public = body.expect(SEQUENCE)?;
    public.expect(SEQUENCE)?.expect(OID).filter(|kind| kind.0 == RSA)?;
    // The first byte says how many bits at the end are not used: none.
    let (_, key) = public.expect(BIT_STRING)?.0.split_first()?;
    let modulus = Der(key).expect(SEQUENCE)?.expect(INTEGER)?.0;
    let start = modulus.iter().position(|byte| *byte != 0)?;
    let digits = modulus.get(start..)?;
    let unused = digits.first()?.leading_zeros() as usize;
    Some((digits.len() * 8).saturating_sub(unused))
}

/// Elements one after the other.
#[derive(Clone, Copy)]
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Tag and content of the next element.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // Certificates pass no more than 24 bits of length through TLS.
            0x81..=0x83 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (digits.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    fn expect(&mut self, wanted: u8) -> Option<Self> {
        self.next().filter(|(tag, _)| *tag == wanted).map(|(_, content)| Self(content))
    }
}

/// `CN (O)`, as far as they are there.
fn name(mut attributes: Der<'_>) -> String {
    let (mut common, mut organization) = (None, None);
    while let Some(mut set) = attributes.expect(SET) {
        let Some(mut pair) = set.expect(SEQUENCE) else { continue };
        let (Some(kind), Some((tag, value))) = (pair.expect(OID), pair.next()) else { continue };
        match kind.0 {
            COMMON_NAME => common = Some(text(tag, value)),
            ORGANIZATION => organization = Some(text(tag, value)),
            _ => {}
        }
    }
    match (common, organization) {
        (Some(common), Some(organization)) => format!("{common} ({organization})"),
        (one, other) => one.or(other).unwrap_or_else(|| "a certificate without a name".to_owned()),
    }
}

fn text(tag: u8, value: &[u8]) -> String {
    let text = if tag == BMP_STRING {
        let units = value.chunks_exact(2).map(|pair| pair.iter().fold(0, |sum, &b| sum << 8 | u16::from(b)));
        char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect()
    } else {
        String::from_utf8_lossy(value).into_owned()
    };
    // It goes into messages and logs, and anybody can write a certificate.
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// `YYYYMMDDhhmmss`; two digits of a year mean 1950 to 2049 (RFC 5280 4.1.2.5.1).
fn time((tag, value): (u8, &[u8])) -> Option<String> {
    let digits = std::str::from_utf8(value).ok()?.strip_suffix('Z')?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    match (tag, digits.len()) {
        (UTC_TIME, 12) => Some(format!("{}{digits}", if digits < "50" { "20" } else { "19" })),
        (GENERALIZED_TIME, 14) => Some(digits.to_owned()),
        _ => None,
    }
}

/// `2026-10-04 15:03 UTC` from `20261004150336`.
pub(super) fn readable(time: &str) -> String {
    match (time.get(..4), time.get(4..6), time.get(6..8), time.get(8..10), time.get(10..12)) {
        (Some(year), Some(month), Some(day), Some(hour), Some(minute)) => {
            format!("{year}-{month}-{day} {hour}:{minute} UTC")
        }
        _ => "an unknown day".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate() -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(vec!["parent.example".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "parent\u{e4}.example");
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "Example Org");
        params.not_before = rcgen::date_time_ymd(2020, 1, 2);
        params.not_after = rcgen::date_time_ymd(2061, 3, 4);
        let key = rcgen::KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn names_and_times_of_a_certificate_are_read() {
        let facts = facts(&certificate());
        assert_eq!(facts.subject, "parent\u{e4}.example (Example Org)");
        assert_eq!(facts.issuer, facts.subject);
        assert_eq!(readable(&facts.not_before), "2020-01-02 00:00 UTC");
        assert_eq!(readable(&facts.not_after), "2061-03-04 00:00 UTC");
    }

    #[test]
    fn broken_certificates_yield_nothing_and_harm_nobody() {
        let whole = certificate();
        for cut in 0..whole.len() {
            assert_eq!(facts(&whole[..cut]), Facts::default(), "cut at {cut}");
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x80;
            let facts = facts(&changed);
            assert!(facts.subject.len() < 1000);
        }
    }
}
