//! Catalog: from the bytes of a document to text. Documents arrive as UTF-8 (folders, export packages) or
//! UTF-16 without mark or declaration (server synchronization, observed); the first bytes tell which.

use crate::{CatalogError, Limits, Reason};
use encoding_rs::{UTF_16BE, UTF_16LE};
use std::borrow::Cow;

/// Decodes a whole document. The byte order mark, if any, is not part of the text.
///
/// # Errors
/// When the bytes are neither UTF-8 nor UTF-16, or more than `limits` permit.
pub fn text_of<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Cow<'a, str>, CatalogError> {
    let fail = |offset: usize, reason| CatalogError::new("document", offset as u64, reason);
    // UTF-16 of ASCII text is twice as long as its UTF-8 form.
    if bytes.len() > limits.max_bytes.saturating_mul(2) {
        return Err(fail(0, Reason::TooLarge(limits.max_bytes)));
    }
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, UTF_16LE, "UTF-16 (little endian)"),
        [0xfe, 0xff, rest @ ..] => utf16(rest, UTF_16BE, "UTF-16 (big endian)"),
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        // `<` as the first character, or white space before it, shows the width of a character.
        [first, 0, ..] if first.is_ascii() && *first != 0 => utf16(bytes, UTF_16LE, "UTF-16 (little endian)"),
        [0, first, ..] if first.is_ascii() && *first != 0 => utf16(bytes, UTF_16BE, "UTF-16 (big endian)"),
        _ => utf8(bytes),
    };
    let text = text.map_err(|(offset, name)| fail(offset, Reason::Encoding(name)))?;
    if text.len() > limits.max_bytes {
        return Err(fail(0, Reason::TooLarge(limits.max_bytes)));
    }
    Ok(text)
}

fn utf8(bytes: &[u8]) -> Result<Cow<'_, str>, (usize, &'static str)> {
    core::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| (error.valid_up_to(), "UTF-8"))
}

fn utf16<'a>(
    bytes: &'a [u8],
    encoding: &'static encoding_rs::Encoding,
    name: &'static str,
) -> Result<Cow<'a, str>, (usize, &'static str)> {
    encoding.decode_without_bom_handling_and_without_replacement(bytes).ok_or((0, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str, bom: bool, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        bom.then_some(0xfeff).into_iter().chain(text.encode_utf16()).flat_map(unit).collect()
    }

    #[test]
    fn every_form_of_the_same_text_reads_the_same() {
        let text = "<a b=\"é€𝄞\"/>";
        let mut marked = vec![0xef, 0xbb, 0xbf];
        marked.extend_from_slice(text.as_bytes());
        let forms = [
            text.as_bytes().to_vec(),
            marked,
            encoded(text, false, u16::to_le_bytes),
            encoded(text, true, u16::to_le_bytes),
            encoded(text, false, u16::to_be_bytes),
            encoded(text, true, u16::to_be_bytes),
        ];
        for form in forms {
            assert_eq!(text_of(&form, &Limits::default()).unwrap(), text);
        }
    }

    #[test]
    fn broken_and_oversized_text_is_refused() {
        let limits = Limits { max_bytes: 4, ..Limits::default() };
        assert_eq!(text_of(b"<aaa>", &limits).unwrap_err().reason, Reason::TooLarge(4));
        assert_eq!(text_of(&[b' '; 9], &limits).unwrap_err().reason, Reason::TooLarge(4));
        let bad = text_of(b"<a>\xff</a>", &Limits::default()).unwrap_err();
        assert_eq!((bad.reason, bad.offset), (Reason::Encoding("UTF-8"), 3));
        assert!(text_of(b"<\0a\0\x00\xd8", &Limits::default()).is_err(), "lone surrogate");
        assert!(text_of(b"<\0a\0>", &Limits::default()).is_err(), "odd length");
    }
}
