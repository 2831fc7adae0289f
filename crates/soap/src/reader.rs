//! SOAP: the pull reader under all messages: quick-xml with namespaces, limits and the path of the
//! element it stands in. Prefixes do not matter, unknown elements are passed over, DTDs are refused.

use crate::envelope::Limits;
use crate::error::{DecodeError, Problem};
use crate::text::{Text, check_references, escape_into, unescape};
use memchr::memchr;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{NamespaceResolver, ResolveResult};
use quick_xml::reader::Reader;
use std::borrow::Cow;
use std::io::BufRead as _;

/// An element that was just opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opened<'a> {
    /// Its name without prefix.
    pub(crate) name: &'a str,
    /// Its namespace, empty for none.
    pub(crate) namespace: String,
}

enum Step {
    Open,
    Close,
}

/// Reads one message. Every `read` of a value begins just behind the value's start tag and ends just
/// behind its end tag.
pub(crate) struct XmlReader<'a> {
    body: &'a str,
    inner: Reader<&'a [u8]>,
    scopes: NamespaceResolver,
    limits: Limits,
    /// Names of the open elements; those from `depth` on are closed ones, kept to name what is missing.
    names: Vec<&'a str>,
    /// For each of them, whether `scopes` knows it: those without attributes declare nothing.
    scoped: Vec<bool>,
    /// What `foreign` is for an element without prefix, until the scopes change.
    unprefixed_foreign: Option<bool>,
    depth: usize,
    elements: usize,
    /// Depth of the operation element: paths begin below it.
    root: usize,
    /// Namespace of the operation; its elements are in it or in none.
    namespace: &'static str,
    /// The open element was written `<x/>`.
    self_closed: bool,
    /// The open element has `xsi:nil="true"`.
    nil: bool,
    /// The open element is neither in the operation's namespace nor in none.
    foreign: bool,
    /// What stands between the brackets of the tag opened last, when it has attributes; else empty.
    tag: &'a str,
    /// The namespace of the open element; kept only until the operation is entered.
    found_namespace: String,
}

impl<'a> XmlReader<'a> {
    pub(crate) fn new(body: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        if body.len() > limits.bytes {
            return Err(DecodeError::TooLarge { bytes: body.len(), limit: limits.bytes });
        }
        let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
        // UTF-16 of ASCII without a mark would be UTF-8 full of zeros, and is told as what it is.
        match body {
            [0, other, ..] if *other != 0 => return Err(DecodeError::NotUtf8 { offset: 0 }),
            [other, 0, ..] if *other != 0 => return Err(DecodeError::NotUtf8 { offset: 1 }),
            _ => {}
        }
        let body = std::str::from_utf8(body).map_err(|e| DecodeError::NotUtf8 { offset: e.valid_up_to() })?;
        if let Some(at) = first_forbidden(body) {
            let reason = "it has a control character, which XML forbids".to_owned();
            return Err(DecodeError::Malformed { offset: at as u64, reason });
        }
        let mut inner = Reader::from_str(body);
        inner.config_mut().check_end_names = true;
        Ok(Self {
            body,
            inner,
            scopes: NamespaceResolver::default(),
            limits: *limits,
            names: Vec::with_capacity(16),
            scoped: Vec::with_capacity(16),
            unprefixed_foreign: None,
            depth: 0,
            elements: 0,
            root: 0,
            namespace: "",
            self_closed: false,
            nil: false,
            foreign: false,
            tag: "",
            found_namespace: String::new(),
        })
    }

    /// From here on paths begin below the open element, and elements belong to this namespace.
    pub(crate) fn enter_operation(&mut self, namespace: &'static str) {
        self.root = self.depth;
        self.namespace = namespace;
        self.unprefixed_foreign = None;
    }

    /// Opens the next child of the open element, or closes that element and answers `None`.
    /// Text between elements is refused.
    pub(crate) fn next_opened(&mut self) -> Result<Option<Opened<'a>>, DecodeError> {
        Ok(match self.step(true)? {
            Step::Close => None,
            Step::Open => {
                Some(Opened { name: self.current(), namespace: std::mem::take(&mut self.found_namespace) })
            }
        })
    }

    /// The name of the next child that belongs to the operation; others are passed over. `None`
    /// closes the open element. Children without a namespace are taken too: the published WSDL of
    /// SimpleAuth and Reporting lacks `elementFormDefault`, so SOAP toolkits send them so.
    pub(crate) fn next_child(&mut self) -> Result<Option<&'a str>, DecodeError> {
        loop {
            match self.step(true)? {
                Step::Close => return Ok(None),
                Step::Open if self.foreign => self.skip()?,
                Step::Open => return Ok(Some(self.current())),
            }
        }
    }

    /// Passes over the rest of the open element, whatever it holds.
    pub(crate) fn skip(&mut self) -> Result<(), DecodeError> {
        let floor = self.depth;
        while self.depth >= floor {
            self.step(false)?;
        }
        Ok(())
    }

    /// True when the open element says it holds nothing (`xsi:nil`).
    pub(crate) fn is_nil(&self) -> bool {
        self.nil
    }

    /// The plain text of an attribute without namespace of the element that was just opened.
    pub(crate) fn attribute(&self, name: &str) -> Result<Option<String>, DecodeError> {
        if self.tag.is_empty() {
            return Ok(None);
        }
        let length = self.tag.find(|c: char| c.is_ascii_whitespace()).unwrap_or(self.tag.len());
        let tag = BytesStart::from_content(self.tag, length);
        let found = tag.attributes().with_checks(false).filter_map(Result::ok).find(|attribute| {
            attribute.key.prefix().is_none() && attribute.key.local_name().into_inner() == name
        });
        let Some(found) = found else { return Ok(None) };
        if found.value.len() > self.limits.text {
            return Err(self.wrong_attribute(name, Problem::TooLong(self.limits.text)));
        }
        if let Err(reason) = check_references(&found.value) {
            return Err(self.wrong_attribute(name, Problem::Value(reason)));
        }
        Ok(Some(unescape(&found.value).into_owned()))
    }

    /// An error about an attribute of the open element.
    pub(crate) fn wrong_attribute(&self, name: &str, problem: Problem) -> DecodeError {
        DecodeError::Parameter { path: format!("{}.{name}", self.path(self.depth)), problem }
    }

    /// The text of the open element, through its end tag, borrowed and escaped.
    pub(crate) fn text(&mut self) -> Result<Text<'a>, DecodeError> {
        if self.self_closed {
            self.step(false)?;
            return Ok(Text::default());
        }
        let rest = self.rest();
        let plain = memchr(b'<', rest.as_bytes())
            .and_then(|at| rest.split_at_checked(at))
            .filter(|(_, markup)| markup.starts_with("</"));
        let escaped = match plain {
            Some((text, _)) => {
                self.jump(text.len());
                Cow::Borrowed(text)
            }
            None => Cow::Owned(self.pieced_text()?),
        };
        if escaped.len() > self.limits.text {
            return Err(self.wrong(Problem::TooLong(self.limits.text)));
        }
        if let Err(reason) = check_references(&escaped) {
            return Err(self.wrong(Problem::Value(reason)));
        }
        if matches!(escaped, Cow::Borrowed(_)) {
            self.step(false)?;
        }
        Ok(Text::from_checked(escaped))
    }

    /// Text that comes in pieces, with comments or CDATA sections between them.
    fn pieced_text(&mut self) -> Result<String, DecodeError> {
        let mut escaped = Vec::new();
        loop {
            match self.event()? {
                Event::Text(piece) => escaped.extend_from_slice(piece.as_bytes()),
                Event::GeneralRef(reference) => {
                    escaped.push(b'&');
                    escaped.extend_from_slice(reference.as_bytes());
                    escaped.push(b';');
                }
                Event::CData(piece) => escape_into(&mut escaped, &piece),
                Event::Comment(_) => {}
                Event::End(_) => {
                    self.pop();
                    return String::from_utf8(escaped)
                        .map_err(|e| DecodeError::NotUtf8 { offset: e.utf8_error().valid_up_to() });
                }
                Event::Start(_) | Event::Empty(_) => return Err(self.wrong(Problem::NotText)),
                other => return Err(self.forbidden(&other)),
            }
            if escaped.len() > self.limits.text {
                return Err(self.wrong(Problem::TooLong(self.limits.text)));
            }
        }
    }

    /// After the root element: nothing but space and comments may follow.
    pub(crate) fn finish(&mut self) -> Result<(), DecodeError> {
        loop {
            match self.event()? {
                Event::Eof => return Ok(()),
                Event::Comment(_) => {}
                Event::Text(text) if text.trim().is_empty() => {}
                other => {
                    let reason = "there is more after the end of the envelope";
                    return Err(match other {
                        Event::DocType(_) | Event::PI(_) => self.forbidden(&other),
                        _ => self.malformed(reason),
                    });
                }
            }
        }
    }

    /// An error about the open element.
    pub(crate) fn wrong(&self, problem: Problem) -> DecodeError {
        DecodeError::Parameter { path: self.path(self.depth), problem }
    }

    /// An error about the element that was closed last.
    pub(crate) fn wrong_closed(&self, problem: Problem) -> DecodeError {
        DecodeError::Parameter { path: self.path(self.depth + 1), problem }
    }

    /// An error about a child that the element closed last should have had.
    pub(crate) fn missing(&self, child: &str) -> DecodeError {
        let mut path = self.path(self.depth + 1);
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(child);
        DecodeError::Parameter { path, problem: Problem::Missing }
    }

    fn path(&self, depth: usize) -> String {
        self.names.get(self.root..depth).unwrap_or_default().join(".")
    }

    /// The limits in force.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The unread rest of the message.
    pub(crate) fn rest(&self) -> &'a str {
        usize::try_from(self.inner.buffer_position())
            .ok()
            .and_then(|at| self.body.get(at..))
            .unwrap_or_default()
    }

    /// True when elements without prefix belong to the operation here, and the open element is not
    /// written `<x/>`: then its content may be read past this reader.
    pub(crate) fn may_read_directly(&self) -> bool {
        let unprefixed = match self.scopes.resolve_prefix(None, true) {
            ResolveResult::Bound(namespace) => namespace.into_inner(),
            ResolveResult::Unbound => "",
            ResolveResult::Unknown(_) => return false,
        };
        !self.self_closed && (unprefixed.is_empty() || unprefixed == self.namespace)
    }

    /// Goes on behind the next `bytes` bytes, in which so many elements were read.
    pub(crate) fn resume_after(&mut self, bytes: usize, elements: usize) -> Result<(), DecodeError> {
        self.jump(bytes);
        self.count(elements)
    }

    fn jump(&mut self, bytes: usize) {
        let bytes = bytes.min(self.rest().len());
        self.inner.stream().consume(bytes);
    }

    fn current(&self) -> &'a str {
        self.depth.checked_sub(1).and_then(|at| self.names.get(at)).copied().unwrap_or_default()
    }

    /// Opens or closes the next element. `strict` refuses text between elements.
    fn step(&mut self, strict: bool) -> Result<Step, DecodeError> {
        if self.self_closed {
            self.pop();
            return Ok(Step::Close);
        }
        loop {
            match self.event()? {
                Event::Start(tag) => return self.push(&tag, false),
                Event::Empty(tag) => return self.push(&tag, true),
                Event::End(_) => {
                    self.pop();
                    return Ok(Step::Close);
                }
                Event::Comment(_) => {}
                Event::Text(text) if !strict || text.trim().is_empty() => {}
                Event::CData(_) | Event::GeneralRef(_) if !strict => {}
                Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                    return Err(match self.depth > self.root && self.root > 0 {
                        true => self.wrong(Problem::NotElements),
                        false => self.malformed("there is text where only elements belong"),
                    });
                }
                Event::Decl(declaration) if self.elements == 0 => {
                    if let Some(Ok(encoding)) = declaration.encoding()
                        && !encoding.eq_ignore_ascii_case("utf-8")
                        && !encoding.eq_ignore_ascii_case("us-ascii")
                    {
                        return Err(DecodeError::Encoding(encoding.chars().take(40).collect()));
                    }
                }
                other => return Err(self.forbidden(&other)),
            }
        }
    }

    fn push(&mut self, tag: &BytesStart<'a>, self_closed: bool) -> Result<Step, DecodeError> {
        self.count(1)?;
        if self.depth >= self.limits.depth {
            return Err(DecodeError::TooDeep { limit: self.limits.depth });
        }
        let scoped = !tag.attributes_raw().is_empty();
        if scoped {
            self.scopes.push(tag).map_err(|e| self.malformed(&e.to_string()))?;
            self.unprefixed_foreign = None;
        }
        // The tag as it stands in the body, so that its name outlives the event.
        let behind = usize::try_from(self.inner.buffer_position()).unwrap_or(usize::MAX);
        let start = behind.saturating_sub(tag.len() + if self_closed { 2 } else { 1 });
        let full = self.body.get(start..).and_then(|rest| rest.get(..tag.name().into_inner().len()));
        let colon = full.and_then(|full| full.bytes().position(|byte| byte == b':'));
        let name = match colon {
            Some(colon) => full.and_then(|full| full.get(colon + 1..)),
            None => full,
        };
        self.tag = match scoped {
            true => self.body.get(start..).and_then(|rest| rest.get(..tag.len())).unwrap_or_default(),
            false => "",
        };
        self.names.truncate(self.depth);
        self.names.push(name.unwrap_or_default());
        self.scoped.truncate(self.depth);
        self.scoped.push(scoped);
        self.depth += 1;
        self.self_closed = self_closed;
        self.nil = scoped && is_nil(tag);
        match self.unprefixed_foreign {
            Some(foreign) if colon.is_none() => self.foreign = foreign,
            _ => self.place(tag, colon.is_none())?,
        }
        Ok(Step::Open)
    }

    /// Finds out whose the element is that was just opened.
    fn place(&mut self, tag: &BytesStart<'a>, unprefixed: bool) -> Result<(), DecodeError> {
        let (namespace, _) = self.scopes.resolve_element(tag.name());
        match namespace {
            ResolveResult::Bound(namespace) => {
                let namespace = namespace.into_inner();
                self.foreign = namespace != self.namespace;
                if self.root == 0 {
                    namespace.clone_into(&mut self.found_namespace);
                }
            }
            ResolveResult::Unbound => {
                self.foreign = false;
                self.found_namespace.clear();
            }
            ResolveResult::Unknown(prefix) => {
                return Err(self.malformed(&format!("the prefix `{prefix}` is not declared")));
            }
        }
        // Before the operation is entered its namespace is asked for with each element.
        if unprefixed && self.root > 0 {
            self.unprefixed_foreign = Some(self.foreign);
        }
        Ok(())
    }

    fn pop(&mut self) {
        self.self_closed = false;
        self.nil = false;
        self.depth = self.depth.saturating_sub(1);
        if self.scoped.get(self.depth).copied().unwrap_or_default() {
            self.scopes.pop();
            self.unprefixed_foreign = None;
        }
    }

    fn count(&mut self, elements: usize) -> Result<(), DecodeError> {
        self.elements = self.elements.saturating_add(elements);
        if self.elements > self.limits.elements {
            return Err(DecodeError::TooManyElements { limit: self.limits.elements });
        }
        Ok(())
    }

    fn event(&mut self) -> Result<Event<'a>, DecodeError> {
        let event = self.inner.read_event().map_err(|e| DecodeError::Malformed {
            offset: self.inner.error_position(),
            reason: e.to_string(),
        })?;
        match event {
            Event::Eof if self.depth > 0 || self.elements == 0 => {
                Err(self.malformed("the message ends too early"))
            }
            event => Ok(event),
        }
    }

    fn forbidden(&self, event: &Event<'_>) -> DecodeError {
        match event {
            Event::DocType(_) => DecodeError::DocumentType,
            Event::PI(_) => DecodeError::ProcessingInstruction,
            _ => self.malformed("this does not belong here"),
        }
    }

    pub(crate) fn malformed(&self, reason: &str) -> DecodeError {
        DecodeError::Malformed { offset: self.inner.buffer_position(), reason: reason.to_owned() }
    }
}

/// Where the first control character stands that XML forbids. Asked once for the whole body, markup
/// included, so that such a character reaches no name and no value.
fn first_forbidden(body: &str) -> Option<usize> {
    let forbidden = |byte: u8| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r');
    // Most stretches have no control character at all, which their smallest byte tells; the compiler
    // makes a wide pass of that.
    const STRETCH: usize = 1024;
    body.as_bytes().chunks(STRETCH).zip(0_usize..).find_map(|(stretch, before)| {
        let least = stretch.iter().fold(u8::MAX, |least, byte| least.min(*byte));
        let suspect = least < 0x20 && stretch.iter().fold(false, |found, byte| found | forbidden(*byte));
        let at = if suspect { stretch.iter().position(|byte| forbidden(*byte)) } else { None };
        at.map(|at| before * STRETCH + at)
    })
}

/// `xsi:nil` under whatever prefix. Without the check for repeated names, whose time grows with the
/// square of their number.
fn is_nil(tag: &BytesStart<'_>) -> bool {
    tag.attributes().with_checks(false).filter_map(Result::ok).any(|attribute| {
        attribute.key.local_name().into_inner() == "nil"
            && attribute.key.prefix().is_some()
            && matches!(attribute.value.trim(), "true" | "1")
    })
}
