//! Fragments: a small reader of element sequences, shared by the readers of the single fragments.

use super::FragmentError;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use std::borrow::Cow;

/// One step through a fragment.
pub(super) enum Step<'a> {
    /// An element begins. `empty` when it ends at once (no [`Step::Close`] follows).
    Open { element: BytesStart<'a>, empty: bool },
    /// The innermost open element ends.
    Close,
    /// A piece of the text of the innermost open element.
    Text(Cow<'a, str>),
    /// The fragment is over.
    End,
}

/// Walks a fragment. Bounded by the size of the fragment, which its owner bounded.
pub(super) struct Steps<'a> {
    reader: Reader<&'a [u8]>,
    fragment: &'static str,
}

impl<'a> Steps<'a> {
    pub(super) fn new(xml: &'a str, fragment: &'static str) -> Self {
        Self { reader: Reader::from_str(xml), fragment }
    }

    pub(super) fn next(&mut self) -> Result<Step<'a>, FragmentError> {
        loop {
            let event = self.reader.read_event();
            return Ok(match event.map_err(|source| self.xml(source))? {
                Event::Start(element) => Step::Open { element, empty: false },
                Event::Empty(element) => Step::Open { element, empty: true },
                Event::End(_) => Step::Close,
                Event::Text(text) => Step::Text(Cow::Owned(text.xml10_content().into_owned())),
                Event::CData(text) => Step::Text(Cow::Owned(text.xml10_content().into_owned())),
                Event::GeneralRef(reference) => {
                    let resolved = match reference.resolve_char_ref().map_err(|source| self.xml(source))? {
                        Some(character) => Some(character),
                        None => predefined(&reference),
                    };
                    Step::Text(resolved.map_or(Cow::Borrowed(""), |c| Cow::Owned(c.to_string())))
                }
                Event::Eof => Step::End,
                _ => continue,
            });
        }
    }

    pub(super) fn xml(&self, source: quick_xml::Error) -> FragmentError {
        FragmentError::Xml { fragment: self.fragment, source }
    }
}

fn predefined(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

/// The value of an attribute, by its name without a prefix.
pub(super) fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    element
        .attributes()
        .with_checks(false)
        .filter_map(Result::ok)
        .find(|a| a.key.local_name().as_ref() == name)
        .and_then(|a| a.normalized_value(XmlVersion::Implicit1_0).ok().map(Cow::into_owned))
}
