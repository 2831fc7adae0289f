//! Doctor room: how a log's bytes become text. UTF-8 and UTF-16 are told by their marks or their
//! pattern; legacy code pages matter for display only, because rules match on ASCII.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use std::borrow::Cow;

/// How a file is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    /// UTF-8 or a code page in which a line feed is one byte.
    Bytes,
    /// UTF-16, little or big endian.
    Utf16(Endian),
    /// Not text.
    Binary,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endian {
    Little,
    Big,
}

/// Tells how a file is stored from its first bytes, and how many of them are a byte order mark.
pub(crate) fn storage(head: &[u8]) -> (Storage, usize) {
    match head {
        [0xEF, 0xBB, 0xBF, ..] => return (Storage::Bytes, 3),
        [0xFF, 0xFE, ..] => return (Storage::Utf16(Endian::Little), 2),
        [0xFE, 0xFF, ..] => return (Storage::Utf16(Endian::Big), 2),
        _ => {}
    }
    let sample = head.get(..head.len().min(4096) & !1).unwrap_or_default();
    // The frames of logs are ASCII in every language: in UTF-16 one of their two bytes is zero.
    let (mut even, mut odd) = (0usize, 0usize);
    for pair in sample.chunks_exact(2) {
        even += usize::from(pair.first() == Some(&0));
        odd += usize::from(pair.last() == Some(&0));
    }
    let pairs = sample.len() / 2;
    if even + odd == 0 {
        (Storage::Bytes, 0)
    } else if odd * 10 >= pairs * 3 && even * 20 <= pairs {
        (Storage::Utf16(Endian::Little), 0)
    } else if even * 10 >= pairs * 3 && odd * 20 <= pairs {
        (Storage::Utf16(Endian::Big), 0)
    } else if (even + odd) * 100 <= pairs {
        // A stray zero, as a crash leaves in a log, is no reason not to read it.
        (Storage::Bytes, 0)
    } else {
        (Storage::Binary, 0)
    }
}

/// The bytes of a block as UTF-8 (or as they are). A half character at the end is dropped.
pub(crate) fn to_bytes(storage: Storage, block: &[u8]) -> Cow<'_, [u8]> {
    let encoding = match storage {
        Storage::Utf16(Endian::Little) => UTF_16LE,
        Storage::Utf16(Endian::Big) => UTF_16BE,
        Storage::Bytes | Storage::Binary => return Cow::Borrowed(block),
    };
    match encoding.decode_without_bom_handling(block).0 {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// The code page of bytes that are not UTF-8.
pub(crate) fn code_page(sample: &[u8]) -> &'static Encoding {
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    detector.feed(sample, true);
    detector.guess(None, chardetng::Utf8Detection::Allow)
}

/// A line as text, cut to `limit` characters.
pub(crate) fn text<'a>(line: &'a [u8], page: Option<&'static Encoding>, limit: usize) -> Cow<'a, str> {
    // Enough bytes for that many characters in any encoding.
    let line = line.get(..limit.saturating_mul(4)).unwrap_or(line);
    if line.is_ascii() && page.is_none_or(Encoding::is_ascii_compatible) {
        // The same without going through characters.
        let blank = |b: &u8| *b == b' ' || b.is_ascii_control();
        let shown = line.get(..limit).unwrap_or(line);
        let start = shown.iter().position(|b| !blank(b)).unwrap_or(shown.len());
        let end = shown.iter().rposition(|b| !blank(b)).map_or(start, |last| last + 1);
        let shown = shown.get(start..end).unwrap_or_default();
        return match std::str::from_utf8(shown) {
            // Looking at all of them, without stopping at the first, is done many at a time.
            Ok(plain) if !shown.iter().fold(false, |any, b| any | b.is_ascii_control()) => {
                Cow::Borrowed(plain)
            }
            _ => shown.iter().map(|b| if b.is_ascii_control() { ' ' } else { char::from(*b) }).collect(),
        };
    }
    let (decoded, _) = page.unwrap_or(UTF_8).decode_without_bom_handling(line);
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    Cow::Owned(decoded.chars().take(limit).map(clean).collect::<String>().trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn plain_text_is_cut_and_cleaned_as_any_other(line in "[ a-c\t\r\u{7f}\u{1}]{0,20}", limit in 0usize..25) {
            let clean = |c: char| if c.is_control() { ' ' } else { c };
            let expected: String = line.chars().take(limit).map(clean).collect();
            prop_assert_eq!(text(line.as_bytes(), None, limit), expected.trim());
        }
    }

    #[test]
    fn code_pages_are_read() {
        let page = Some(encoding_rs::WINDOWS_1252);
        assert_eq!(text(b" f\xfcr\tx ", page, 10), "f\u{fc}r x");
        assert_eq!(text(b"f\xfcr", page, 2), "f\u{fc}");
    }
}
