//! Room: ready bytes. A Core fragment is escaped and compressed once, when its revision enters the
//! catalog; every later answer that carries it copies those bytes. Xpress blocks are independent, so the
//! copy stands unchanged between any other blocks.

use crate::xpress::{self, Effort};

/// A fragment as answers carry it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ready {
    /// The escaped fragment as Xpress blocks, in the frame of MS-WUSP 2.1.1.
    pub bytes: Vec<u8>,
    /// How many bytes the blocks hold: the length of the escaped fragment.
    pub escaped_len: u32,
}

/// Why a fragment cannot stand in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadyError {
    /// A character that no XML 1.0 document may contain, even escaped.
    #[error("the fragment has the character U+{code:04X} at byte {at}, which XML does not permit")]
    Forbidden {
        /// The character.
        code: u32,
        /// Where it stands.
        at: usize,
    },
    /// A fragment of 4 GiB or more.
    #[error("the fragment is {0} bytes long; at most 4294967295 are permitted")]
    TooLong(usize),
}

/// Escapes a fragment as element text and compresses it with [`Effort::Fast`]: on Core fragments
/// [`Effort::Best`] saves one byte in thirteen for more than ten times the time, and would be the largest part of a first
/// synchronization.
///
/// # Errors
/// [`ReadyError`].
pub fn from_fragment(fragment: &str) -> Result<Ready, ReadyError> {
    let mut escaped = Vec::with_capacity(fragment.len() + fragment.len() / 4);
    escape_into(&mut escaped, fragment)?;
    let escaped_len = u32::try_from(escaped.len()).map_err(|_| ReadyError::TooLong(escaped.len()))?;
    let mut bytes = Vec::with_capacity(escaped.len() / 2 + 64);
    xpress::compress_into(&mut bytes, &escaped, Effort::Fast);
    Ok(Ready { bytes, escaped_len })
}

/// Appends `text` escaped as the text of an element.
///
/// Quotation marks stay as they are. A carriage return becomes `&#xD;`, since readers would turn a bare
/// one into a line feed (XML 1.0, 2.11).
///
/// # Errors
/// [`ReadyError::Forbidden`]; what was appended before the character stays.
pub fn escape_into(out: &mut Vec<u8>, text: &str) -> Result<(), ReadyError> {
    let bytes = text.as_bytes();
    if bytes.iter().fold(false, |odd, byte| odd | is_odd(*byte)) {
        return escape_odd_into(out, bytes);
    }
    let mut plain_from = 0;
    for at in memchr::memchr3_iter(b'&', b'<', b'>', bytes) {
        out.extend_from_slice(bytes.get(plain_from..at).unwrap_or_default());
        out.extend_from_slice(match bytes.get(at) {
            Some(b'&') => b"&amp;",
            Some(b'<') => b"&lt;",
            _ => b"&gt;",
        });
        plain_from = at + 1;
    }
    out.extend_from_slice(bytes.get(plain_from..).unwrap_or_default());
    Ok(())
}

/// Whether a byte needs more than the three usual escapes, or may begin something forbidden. Hardly any fragment has
/// one, and this compares many bytes at once.
#[inline]
const fn is_odd(byte: u8) -> bool {
    (byte < 0x20) & (byte != b'\t') & (byte != b'\n') | (byte == 0xEF)
}

/// [`escape_into`] for a text with such bytes.
fn escape_odd_into(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), ReadyError> {
    let mut plain_from = 0;
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(plain) = rest.iter().position(|byte| is_notable(*byte)) else { break };
        at += plain;
        let escape: &[u8] = match rest.get(plain) {
            Some(b'&') => b"&amp;",
            Some(b'<') => b"&lt;",
            Some(b'>') => b"&gt;",
            Some(b'\r') => b"&#xD;",
            // U+FFFE and U+FFFF are EF BF BE and EF BF BF.
            Some(0xEF) => match rest.get(plain + 1..plain + 3) {
                Some([0xBF, last @ (0xBE | 0xBF)]) => {
                    return Err(ReadyError::Forbidden { code: 0xFFC0 | u32::from(last & 0x3F), at });
                }
                _ => {
                    at += 1;
                    continue;
                }
            },
            other => {
                let code = other.copied().map_or(0, u32::from);
                return Err(ReadyError::Forbidden { code, at });
            }
        };
        out.extend_from_slice(bytes.get(plain_from..at).unwrap_or_default());
        out.extend_from_slice(escape);
        at += 1;
        plain_from = at;
    }
    out.extend_from_slice(bytes.get(plain_from..).unwrap_or_default());
    Ok(())
}

/// Whether escaping has to look twice at a byte. All but one are below 64, so one shift tells.
#[inline]
const fn is_notable(byte: u8) -> bool {
    const CONTROLS: u64 = 0xFFFF_FFFF & !(1 << b'\t' | 1 << b'\n');
    const NOTABLE: u64 = CONTROLS | 1 << b'&' | 1 << b'<' | 1 << b'>';
    byte < 64 && NOTABLE >> byte & 1 == 1 || byte == 0xEF
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> Result<String, ReadyError> {
        let mut out = Vec::new();
        escape_into(&mut out, text)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn only_what_text_needs_is_escaped() {
        assert_eq!(escaped(r#"<a b="1">x & 'y'</a>"#).unwrap(), r#"&lt;a b="1"&gt;x &amp; 'y'&lt;/a&gt;"#);
        assert_eq!(escaped("grün\t日本\n").unwrap(), "grün\t日本\n");
        assert_eq!(escaped("a\r\nb").unwrap(), "a&#xD;\nb");
        assert_eq!(escaped("").unwrap(), "");
    }

    #[test]
    fn characters_that_xml_forbids_are_refused() {
        for (text, code, at) in
            [("ab\u{0}", 0, 2), ("\u{1b}", 0x1B, 0), ("é\u{FFFE}", 0xFFFE, 2), ("\u{FFFF}", 0xFFFF, 0)]
        {
            assert_eq!(escaped(text), Err(ReadyError::Forbidden { code, at }), "{text:?}");
        }
        assert!(escaped("\u{FFFD}\u{FEFF}\u{7f}").is_ok());
    }

    #[test]
    fn a_ready_fragment_holds_its_escaped_form_and_is_smaller() {
        let fragment = format!(
            "<UpdateIdentity UpdateID=\"{}\" RevisionNumber=\"200\" />{}",
            "56309036-4c77-4dd9-951a-99ee9c246a94",
            "<b.RegDword Key=\"HKEY_LOCAL_MACHINE\" Value=\"Start\" Comparison=\"EqualTo\" Data=\"4\" />"
                .repeat(20)
        );
        let ready = from_fragment(&fragment).unwrap();
        let held = xpress::decompress(&ready.bytes, 1 << 20).unwrap();
        assert_eq!(String::from_utf8(held.clone()).unwrap(), escaped(&fragment).unwrap());
        assert_eq!(ready.escaped_len as usize, held.len());
        assert!(ready.bytes.len() * 5 < held.len());
    }

    #[test]
    fn ready_fragments_join_with_literal_pieces_into_one_body() {
        let mut body = Vec::new();
        xpress::literal_block_into(&mut body, b"<Xml>");
        body.extend_from_slice(&from_fragment("<A />").unwrap().bytes);
        xpress::literal_block_into(&mut body, b"</Xml>");
        assert_eq!(xpress::decompress(&body, 1 << 16).unwrap(), b"<Xml>&lt;A /&gt;</Xml>");
    }
}
