//! Catalog: reads the documents of an export package one by one.

use super::utf8::Utf8;
use super::{MOST_NOTES, NOTE, PackageDocument, PackageError};
use crate::Limits;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use sluicegate_terms::{RevisionNumber, Sha1Digest, UpdateId, UpdateIdentity};
use std::io::BufRead;

/// The documents of a package: of `metadata.txt` as it is in the Cabinet, or of the unpacked `.xml.gz`. Which
/// of the two is told by the first characters.
///
/// In `metadata.txt` each document is an entry `update id,revision,length,document` with revision and
/// length in hexadecimal, the length counted in UTF-16 units, and a line end after it (as public tools
/// that interoperate with WSUS 2016 write it). In the XML form, every element inside
/// `ExportPackage/Updates/Update` whose text is a document counts; a package of another major version than 1 is
/// refused before its first document, one that says none is read. XML of anything else is no package, and one that
/// ends before its `ExportPackage` does is not whole.
pub fn read<R: BufRead>(source: R, limits: Limits) -> Documents<R> {
    Documents {
        state: State::Start(Utf8::new(source)),
        limits,
        offset: 0,
        notes: Notes::default(),
        addresses: Vec::new(),
        bare: Vec::new(),
        empty: false,
    }
}

/// See [`read`]. Ends after the first error.
pub struct Documents<R: BufRead> {
    state: State<R>,
    limits: Limits,
    offset: u64,
    notes: Notes,
    addresses: Vec<(Sha1Digest, String)>,
    bare: Vec<Option<UpdateIdentity>>,
    empty: bool,
}

/// Most updates without a document that are kept of one package.
const MOST_BARE: usize = 1 << 20;

/// Most addresses of files that are kept of one package.
const MOST_ADDRESSES: usize = 1 << 20;

/// Longest address of a file, in bytes.
const LONGEST_ADDRESS: usize = 2_048;

/// Notes of our own that stood between or behind the documents.
#[derive(Default)]
struct Notes {
    list: Vec<String>,
    bytes: usize,
}

enum State<R: BufRead> {
    Start(Utf8<R>),
    Entries(Utf8<R>),
    Xml(Box<XmlState<R>>),
    Done,
}

struct XmlState<R: BufRead> {
    reader: quick_xml::Reader<Utf8<R>>,
    buffer: Vec<u8>,
    /// The `ExportPackage` has begun.
    begun: bool,
    /// How many elements are open.
    depth: usize,
    /// The identity of the `Update` we are inside of.
    update: Option<Option<UpdateIdentity>>,
    /// Its document was given.
    given: bool,
    /// The text of the innermost element inside it.
    text: String,
}

impl<R: BufRead> Iterator for Documents<R> {
    type Item = Result<PackageDocument, PackageError>;

    fn next(&mut self) -> Option<Self::Item> {
        let result = self.advance();
        if !matches!(result, Ok(Some(_))) {
            self.state = State::Done;
        }
        result.transpose()
    }
}

impl<R: BufRead> Documents<R> {
    /// The notes that were read so far ([`push_note`](super::push_note)); the `.xml.gz` form has them, and behind
    /// its documents.
    pub fn take_notes(&mut self) -> Vec<String> {
        core::mem::take(&mut self.notes.list)
    }

    /// The addresses of files that were read so far (`File/@MUUrl`), which stand before the documents: a million at
    /// most, of at most 2,048 bytes each, http or https. What is beyond is passed over; files have other sources.
    pub fn take_addresses(&mut self) -> Vec<(Sha1Digest, String)> {
        core::mem::take(&mut self.addresses)
    }

    /// The updates that the XML form lists without a document, as far as it says which they are; a million at most.
    /// Those are all of them in the list of a Cabinet, where documents stand beside it.
    pub fn take_bare(&mut self) -> Vec<Option<UpdateIdentity>> {
        core::mem::take(&mut self.bare)
    }

    /// Whether there was nothing to read at all: an export of nothing as `metadata.txt`, and no package in the XML form.
    pub fn is_empty(&self) -> bool {
        self.empty
    }

    fn advance(&mut self) -> Result<Option<PackageDocument>, PackageError> {
        match core::mem::replace(&mut self.state, State::Done) {
            State::Done => Ok(None),
            State::Start(mut source) => {
                self.skip_white_space(&mut source)?;
                match self.peek(&mut source)? {
                    None => {
                        self.empty = true;
                        Ok(None)
                    }
                    Some(b'<') => {
                        let mut reader = quick_xml::Reader::from_reader(source);
                        reader.config_mut().enable_all_checks(true);
                        let state = XmlState {
                            reader,
                            buffer: Vec::new(),
                            begun: false,
                            depth: 0,
                            update: None,
                            given: false,
                            text: String::new(),
                        };
                        self.state = State::Xml(Box::new(state));
                        self.advance()
                    }
                    Some(first) if first.is_ascii_hexdigit() || first == b'{' => {
                        self.state = State::Entries(source);
                        self.advance()
                    }
                    Some(_) => Err(PackageError::NotAPackage),
                }
            }
            State::Entries(mut source) => {
                let entry = self.entry(&mut source)?;
                self.state = State::Entries(source);
                Ok(entry)
            }
            State::Xml(mut state) => {
                let document = state.next(
                    self.limits.max_bytes,
                    &mut self.offset,
                    &mut self.notes,
                    &mut self.addresses,
                    &mut self.bare,
                )?;
                self.state = State::Xml(state);
                Ok(document)
            }
        }
    }

    fn entry(&mut self, source: &mut Utf8<R>) -> Result<Option<PackageDocument>, PackageError> {
        self.skip_white_space(source)?;
        if self.peek(source)?.is_none() {
            return Ok(None);
        }
        let offset = self.offset;
        let bad = |reason| PackageError::Entry { offset, reason };
        let update: UpdateId =
            self.field(source, 38)?.parse().map_err(|_| bad("the update id is not a GUID"))?;
        let revision = i64::from_str_radix(&self.field(source, 8)?, 16).ok();
        let revision = revision.and_then(|revision| RevisionNumber::new(revision).ok());
        let revision = revision.ok_or_else(|| bad("the revision is not a hexadecimal number"))?;
        let units = u32::from_str_radix(&self.field(source, 8)?, 16)
            .map_err(|_| bad("the length is not a hexadecimal number"))? as usize;
        let limit = self.limits.max_bytes;
        if units > limit {
            return Err(PackageError::TooLarge { offset, limit });
        }
        let xml = self.units(source, units, offset)?;
        match self.peek(source)? {
            None | Some(b'\r' | b'\n') => {}
            Some(_) => return Err(bad("the document is longer than its length says")),
        }
        Ok(Some(PackageDocument { identity: Some(UpdateIdentity { update, revision }), xml }))
    }

    /// A field up to the next comma.
    fn field(&mut self, source: &mut Utf8<R>, longest: usize) -> Result<String, PackageError> {
        let mut field = String::new();
        let start = self.offset;
        loop {
            match self.peek(source)? {
                Some(b',') => {
                    self.take(source);
                    return Ok(field);
                }
                Some(byte) if byte.is_ascii_graphic() && field.len() < longest => {
                    field.push(char::from(byte));
                    self.take(source);
                }
                _ => {
                    return Err(PackageError::Entry { offset: start, reason: "a comma is missing" });
                }
            }
        }
    }

    /// Text of so many UTF-16 units.
    fn units(&mut self, source: &mut Utf8<R>, units: usize, entry: u64) -> Result<String, PackageError> {
        let mut bytes = Vec::with_capacity(units.min(1 << 20));
        let mut left = units;
        // Every byte that starts a character counts: one unit, or two for the longest characters.
        loop {
            let offset = self.offset;
            let available = source.fill_buf().map_err(|problem| PackageError::Read { offset, problem })?;
            if available.is_empty() {
                break;
            }
            let mut count = 0;
            for byte in available {
                let starts = byte & 0xc0 != 0x80;
                if starts {
                    let size = if *byte >= 0xf0 { 2 } else { 1 };
                    if left < size {
                        break;
                    }
                    left -= size;
                }
                count += 1;
            }
            bytes.extend_from_slice(available.get(..count).unwrap_or_default());
            let more = count == available.len();
            source.consume(count);
            self.offset += count as u64;
            if bytes.len() > self.limits.max_bytes {
                return Err(PackageError::TooLarge { offset: entry, limit: self.limits.max_bytes });
            }
            if !more {
                break;
            }
        }
        if left > 0 {
            return Err(PackageError::Entry {
                offset: entry,
                reason: "the package ends inside the document",
            });
        }
        String::from_utf8(bytes)
            .map_err(|_| PackageError::Entry { offset: entry, reason: "the text is damaged" })
    }

    fn skip_white_space(&mut self, source: &mut Utf8<R>) -> Result<(), PackageError> {
        while self.peek(source)?.is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.take(source);
        }
        Ok(())
    }

    fn peek(&self, source: &mut Utf8<R>) -> Result<Option<u8>, PackageError> {
        let offset = self.offset;
        let available = source.fill_buf().map_err(|problem| PackageError::Read { offset, problem })?;
        Ok(available.first().copied())
    }

    fn take(&mut self, source: &mut Utf8<R>) {
        source.consume(1);
        self.offset += 1;
    }
}

impl<R: BufRead> XmlState<R> {
    fn next(
        &mut self,
        limit: usize,
        offset: &mut u64,
        notes: &mut Notes,
        addresses: &mut Vec<(Sha1Digest, String)>,
        bare: &mut Vec<Option<UpdateIdentity>>,
    ) -> Result<Option<PackageDocument>, PackageError> {
        loop {
            self.buffer.clear();
            let at = self.reader.buffer_position();
            *offset = at;
            let fail = |reason: String| PackageError::Xml { offset: at, reason };
            // One event, a text or CDATA section say, is collected whole: bound it.
            self.reader.get_mut().allow(limit.saturating_mul(2).saturating_add(1 << 16));
            let event = self.reader.read_event_into(&mut self.buffer).map_err(|error| match error {
                quick_xml::Error::Io(problem) => PackageError::Read {
                    offset: at,
                    problem: std::io::Error::new(problem.kind(), problem.to_string()),
                },
                other => fail(other.to_string()),
            })?;
            match &event {
                Event::Start(start) | Event::Empty(start) => {
                    if self.depth == 0 && start.local_name().into_inner() != "ExportPackage" {
                        return Err(PackageError::NotAPackage);
                    }
                    known_version(start)?;
                    self.begun = true;
                    self.depth += usize::from(matches!(event, Event::Start(_)));
                }
                Event::End(_) => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            match event {
                Event::Empty(update)
                    if self.update.is_none()
                        && update.local_name().into_inner() == "Update"
                        && bare.len() < MOST_BARE =>
                {
                    bare.push(identity(&update));
                }
                Event::Empty(file) if self.update.is_none() && addresses.len() < MOST_ADDRESSES => {
                    addresses.extend(address(&file));
                }
                Event::Start(start) => {
                    self.text.clear();
                    if self.update.is_none() && addresses.len() < MOST_ADDRESSES {
                        addresses.extend(address(&start));
                    }
                    if self.update.is_none() && start.local_name().into_inner() == "Update" {
                        (self.update, self.given) = (Some(identity(&start)), false);
                    }
                }
                Event::Text(text) if self.update.is_some() => self.text.push_str(&text.xml10_content()),
                Event::CData(text) if self.update.is_some() => self.text.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) if self.update.is_some() => {
                    let character = match reference.resolve_char_ref() {
                        Ok(Some(character)) => character,
                        _ => predefined(&reference.xml10_content())
                            .ok_or_else(|| fail("an unknown entity".to_owned()))?,
                    };
                    self.text.push(character);
                }
                Event::End(end) => {
                    let text = core::mem::take(&mut self.text);
                    let identity = self.update;
                    let document = text.trim_start().starts_with('<');
                    self.given |= document;
                    if end.local_name().into_inner() == "Update" {
                        let named = self.update.take().filter(|_| !self.given && bare.len() < MOST_BARE);
                        bare.extend(named);
                    }
                    if let Some(identity) = identity.filter(|_| document) {
                        return Ok(Some(PackageDocument { identity, xml: text }));
                    }
                }
                Event::PI(note) if note.target() == NOTE => {
                    let note = note.content().trim().to_owned();
                    notes.bytes += note.len();
                    if notes.bytes > MOST_NOTES {
                        return Err(PackageError::TooLarge { offset: at, limit: MOST_NOTES });
                    }
                    notes.list.push(note);
                }
                Event::DocType(_) => return Err(fail("document type definitions are refused".to_owned())),
                Event::Eof if !self.begun => return Err(PackageError::NotAPackage),
                Event::Eof if self.depth > 0 => return Err(fail("it ends inside of an element".to_owned())),
                Event::Eof => return Ok(None),
                _ => {}
            }
            if self.text.len() > limit {
                return Err(PackageError::TooLarge { offset: at, limit });
            }
        }
    }
}

fn value(start: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = start.attributes().flatten().find(|attribute| attribute.key.into_inner() == name)?;
    attribute.normalized_value(XmlVersion::Implicit1_0).ok().map(|value| value.into_owned())
}

/// Refuses a package of another major version. Servers agree on their protocol the same way: major version 1
/// (MS-WSUSSS 1.7).
fn known_version(start: &BytesStart<'_>) -> Result<(), PackageError> {
    if start.local_name().into_inner() != "ExportPackage" {
        return Ok(());
    }
    for what in ["FormatVersion", "ProtocolVersion"] {
        let said = value(start, what).unwrap_or_default();
        let major = said.trim().split('.').next().unwrap_or_default();
        if !major.is_empty() && major != "1" {
            return Err(PackageError::Version { what, said: said.chars().take(20).collect() });
        }
    }
    Ok(())
}

/// Where a file is, when this is a `File` that says so.
fn address(start: &BytesStart<'_>) -> Option<(Sha1Digest, String)> {
    if start.local_name().into_inner() != "File" {
        return None;
    }
    let url = value(start, "MUUrl")?;
    let web = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
    if !web || url.len() > LONGEST_ADDRESS || url.chars().any(char::is_control) {
        return None;
    }
    Some((Sha1Digest::from_base64(&value(start, "Digest")?).ok()?, url))
}

fn identity(start: &BytesStart<'_>) -> Option<UpdateIdentity> {
    let update = value(start, "UpdateId")?.parse().ok()?;
    let revision = RevisionNumber::new(value(start, "RevisionNumber")?.parse().ok()?).ok()?;
    Some(UpdateIdentity { update, revision })
}

fn predefined(name: &str) -> Option<char> {
    [("lt", '<'), ("gt", '>'), ("amp", '&'), ("apos", '\''), ("quot", '"')]
        .into_iter()
        .find(|(known, _)| *known == name)
        .map(|(_, character)| character)
}
