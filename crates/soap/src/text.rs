//! SOAP: text inside XML. Escaping that can never write a character XML forbids, and text that stays
//! borrowed and escaped until somebody wants it.

use memchr::{memchr, memchr2};
use std::borrow::Cow;

/// Writes text as XML character data. `&`, `<`, `>` and carriage returns are escaped, quotes are not
/// (observed on real servers); characters that XML 1.0 forbids even in escaped form are left out.
pub fn escape_into(out: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| is_special(*byte)) {
        let (plain, tail) = rest.split_at(at);
        out.extend_from_slice(plain);
        let taken = match tail {
            [b'&', ..] => put(out, b"&amp;", 1),
            [b'<', ..] => put(out, b"&lt;", 1),
            [b'>', ..] => put(out, b"&gt;", 1),
            [b'\r', ..] => put(out, b"&#xD;", 1),
            // U+FFFE and U+FFFF are EF BF BE and EF BF BF.
            [0xEF, 0xBF, 0xBE | 0xBF, ..] => 3,
            [0xEF, ..] => put(out, b"\xEF", 1),
            _ => 1,
        };
        rest = tail.get(taken..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

fn put(out: &mut Vec<u8>, bytes: &[u8], taken: usize) -> usize {
    out.extend_from_slice(bytes);
    taken
}

/// Bytes that cannot simply be copied: see [`escape_into`]. Tab and line feed are the two control
/// characters that may stay as they are.
const fn is_special(byte: u8) -> bool {
    matches!(byte, b'&' | b'<' | b'>' | 0xEF | 0..=0x08 | 0x0B..=0x1F)
}

/// Text of a message, kept as it stands in the XML (escaped) and borrowed from it where possible, so
/// that long texts nobody reads cost nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text<'a>(Cow<'a, str>);

impl<'a> Text<'a> {
    /// From plain text.
    #[must_use]
    pub fn new(plain: &str) -> Self {
        let mut out = Vec::with_capacity(plain.len());
        escape_into(&mut out, plain);
        Self(Cow::Owned(String::from_utf8(out).unwrap_or_default()))
    }

    /// From XML character data whose references were checked with [`check_references`].
    pub(crate) fn from_checked(escaped: Cow<'a, str>) -> Self {
        Self(escaped)
    }

    /// The text as it stands in the XML.
    #[must_use]
    pub fn escaped(&self) -> &str {
        &self.0
    }

    /// The plain text.
    #[must_use]
    pub fn plain(&self) -> Cow<'_, str> {
        unescape(&self.0)
    }

    /// True when there is no text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A copy that borrows nothing.
    #[must_use]
    pub fn into_owned(self) -> Text<'static> {
        Text(Cow::Owned(self.0.into_owned()))
    }
}

impl From<&str> for Text<'_> {
    fn from(plain: &str) -> Self {
        Self::new(plain)
    }
}

/// Says what is wrong with the first reference (`&…;`) that means nothing without a DTD.
pub(crate) fn check_references(escaped: &str) -> Result<(), String> {
    if memchr(b'&', escaped.as_bytes()).is_none() {
        return Ok(());
    }
    quick_xml::escape::unescape(escaped).map(|_| ()).map_err(|error| error.to_string())
}

/// Plain text from XML character data; references must have been checked. Line ends become `\n`
/// (XML 1.0, 2.11).
pub(crate) fn unescape(escaped: &str) -> Cow<'_, str> {
    if memchr2(b'&', b'\r', escaped.as_bytes()).is_none() {
        return Cow::Borrowed(escaped);
    }
    let lines = if memchr(b'\r', escaped.as_bytes()).is_some() {
        Cow::Owned(escaped.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(escaped)
    };
    match quick_xml::escape::unescape(&lines) {
        Ok(plain) => Cow::Owned(plain.into_owned()),
        Err(_) => lines,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = Vec::new();
        escape_into(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn markup_is_escaped_and_quotes_are_not() {
        assert_eq!(escaped("<a b=\"1\">&</a>"), "&lt;a b=\"1\"&gt;&amp;&lt;/a&gt;");
        assert_eq!(escaped("tab\t line\n return\r"), "tab\t line\n return&#xD;");
    }

    #[test]
    fn characters_forbidden_in_xml_are_never_written() {
        assert_eq!(
            escaped("a\0b\u{1}c\u{1f}d\u{fffe}e\u{ffff}f\u{fffd}g\u{f000}"),
            "abcdef\u{fffd}g\u{f000}"
        );
    }

    #[test]
    fn plain_text_survives() {
        for text in ["", "plain", "ü €\u{fffd}", "a&b<c>d\r\ne"] {
            assert_eq!(Text::new(text).plain(), text);
        }
        assert_eq!(Text::from_checked("a\r\nb\rc".into()).plain(), "a\nb\nc");
    }

    #[test]
    fn references_without_meaning_are_named() {
        assert!(check_references("a &amp; b &#x41; &#65;").is_ok());
        assert!(check_references("&nbsp;").unwrap_err().contains("nbsp"));
        assert!(check_references("a & b").is_err());
    }
}
