//! Catalog: a bounded tree of one XML document (or of a fragment, which has several roots). Nodes lie in
//! one list in document order, each element knowing where its subtree ends, so nothing here recurses
//! and hostile nesting costs no stack.

use crate::{CatalogError, Limits, Reason};
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{QName, ResolveResult};
use quick_xml::reader::NsReader;
use std::borrow::Cow;

/// Most different namespaces of one document.
const MAX_NAMESPACES: usize = 256;

/// A piece of text: in the source, or in the tree's side buffer when it had to be unescaped.
#[derive(Clone, Copy)]
struct Slice {
    start: u32,
    len: u32,
    side: bool,
}

enum Node {
    Element(ElementNode),
    Text(Slice),
}

struct ElementNode {
    local: Slice,
    namespace: u32,
    attributes: (u32, u32),
    /// The index after the last node inside.
    end: u32,
    offset: u32,
}

struct AttributeNode {
    local: Slice,
    namespace: u32,
    value: Slice,
    declaration: bool,
}

pub(crate) struct Tree<'a> {
    source: &'a str,
    side: String,
    namespaces: Vec<String>,
    nodes: Vec<Node>,
    attributes: Vec<AttributeNode>,
}

/// What [`Element::walk`] meets, in document order.
pub(crate) enum Step<'t> {
    /// An element starts; `empty` when it has no content.
    Open { element: Element<'t>, empty: bool },
    /// Text with references resolved.
    Text(&'t str),
    /// The innermost open element ends (not reported for empty ones).
    Close(Element<'t>),
}

/// One element of a [`Tree`].
#[derive(Clone, Copy)]
pub(crate) struct Element<'t> {
    tree: &'t Tree<'t>,
    index: usize,
    node: &'t ElementNode,
}

/// One attribute of an [`Element`].
#[derive(Clone, Copy)]
pub(crate) struct Attribute<'t> {
    /// The name without its prefix.
    pub(crate) local: &'t str,
    /// The namespace, empty for an attribute without prefix.
    pub(crate) namespace: &'t str,
    /// The value, references resolved.
    pub(crate) value: &'t str,
    /// `xmlns` or `xmlns:prefix`.
    pub(crate) declaration: bool,
}

impl<'a> Tree<'a> {
    /// Reads a document with exactly one root.
    pub(crate) fn document(source: &'a str, limits: &Limits) -> Result<Self, CatalogError> {
        let tree = Builder::new(source, limits)?.run()?;
        let mut roots = tree.roots();
        let single = roots.next().is_some() && roots.next().is_none();
        if single { Ok(tree) } else { Err(CatalogError::new("document", 0, Reason::NotAnUpdate)) }
    }

    /// Reads a sequence of elements, as fragments are.
    pub(crate) fn fragment(source: &'a str, limits: &Limits) -> Result<Self, CatalogError> {
        Builder::new(source, limits)?.run()
    }

    /// The elements at the top.
    pub(crate) fn roots(&self) -> Children<'_> {
        Children { tree: self, at: 0, end: self.nodes.len() }
    }

    fn str(&self, slice: Slice) -> &str {
        let from: &str = if slice.side { &self.side } else { self.source };
        let start = slice.start as usize;
        from.get(start..start + slice.len as usize).unwrap_or_default()
    }

    fn namespace(&self, index: u32) -> &str {
        self.namespaces.get(index as usize).map_or("", String::as_str)
    }

    fn element(&self, index: usize) -> Option<Element<'_>> {
        match self.nodes.get(index) {
            Some(Node::Element(node)) => Some(Element { tree: self, index, node }),
            _ => None,
        }
    }
}

/// The child elements of an element.
pub(crate) struct Children<'t> {
    tree: &'t Tree<'t>,
    at: usize,
    end: usize,
}

impl<'t> Iterator for Children<'t> {
    type Item = Element<'t>;
    fn next(&mut self) -> Option<Element<'t>> {
        while self.at < self.end {
            match self.tree.element(self.at) {
                Some(element) => {
                    self.at = element.node.end as usize;
                    return Some(element);
                }
                None => self.at += 1,
            }
        }
        None
    }
}

impl<'t> Element<'t> {
    /// The name without its prefix.
    pub(crate) fn local(self) -> &'t str {
        self.tree.str(self.node.local)
    }

    /// The namespace, empty when there is none.
    pub(crate) fn namespace(self) -> &'t str {
        self.tree.namespace(self.node.namespace)
    }

    /// Where its start tag begins, in bytes of the source.
    pub(crate) fn offset(self) -> u64 {
        u64::from(self.node.offset)
    }

    pub(crate) fn attributes(self) -> impl Iterator<Item = Attribute<'t>> {
        let tree = self.tree;
        let (start, end) = self.node.attributes;
        tree.attributes.get(start as usize..end as usize).unwrap_or_default().iter().map(move |node| {
            Attribute {
                local: tree.str(node.local),
                namespace: tree.namespace(node.namespace),
                value: tree.str(node.value),
                declaration: node.declaration,
            }
        })
    }

    /// The value of an attribute without prefix.
    pub(crate) fn attribute(self, name: &str) -> Option<&'t str> {
        self.attributes()
            .find(|attribute| {
                !attribute.declaration && attribute.namespace.is_empty() && attribute.local == name
            })
            .map(|attribute| attribute.value)
    }

    pub(crate) fn children(self) -> Children<'t> {
        Children { tree: self.tree, at: self.index + 1, end: self.node.end as usize }
    }

    pub(crate) fn child(self, local: &str) -> Option<Self> {
        self.children().find(|child| child.local() == local)
    }

    /// The text directly inside.
    pub(crate) fn text(self) -> Cow<'t, str> {
        let mut text = Cow::Borrowed("");
        let mut at = self.index + 1;
        while at < self.node.end as usize {
            match self.tree.nodes.get(at) {
                Some(Node::Text(slice)) => {
                    text += self.tree.str(*slice);
                    at += 1;
                }
                Some(Node::Element(node)) => at = node.end as usize,
                None => break,
            }
        }
        text
    }

    /// Meets the element and everything inside it, in document order.
    pub(crate) fn walk(self, mut meet: impl FnMut(Step<'t>)) {
        let mut open: Vec<Element<'t>> = Vec::new();
        let end = self.node.end as usize;
        for at in self.index..end {
            while let Some(innermost) = open.pop_if(|innermost| innermost.node.end as usize <= at) {
                meet(Step::Close(innermost));
            }
            match self.tree.nodes.get(at) {
                Some(Node::Element(node)) => {
                    let element = Element { tree: self.tree, index: at, node };
                    let empty = node.end as usize == at + 1;
                    meet(Step::Open { element, empty });
                    if !empty {
                        open.push(element);
                    }
                }
                Some(Node::Text(slice)) => meet(Step::Text(self.tree.str(*slice))),
                None => break,
            }
        }
        while let Some(innermost) = open.pop() {
            meet(Step::Close(innermost));
        }
    }
}

struct Builder<'a, 'l> {
    tree: Tree<'a>,
    limits: &'l Limits,
    /// Indices of open elements.
    open: Vec<u32>,
    /// The text being collected, and whether any of it is more than white space in the source.
    text: String,
    significant: bool,
}

impl<'a, 'l> Builder<'a, 'l> {
    fn new(source: &'a str, limits: &'l Limits) -> Result<Self, CatalogError> {
        // Slices are 32 bits wide; the side buffer is never longer than the source.
        if source.len() > limits.max_bytes || u32::try_from(source.len()).is_err() {
            return Err(CatalogError::new("document", 0, Reason::TooLarge(limits.max_bytes)));
        }
        let tree = Tree {
            source,
            side: String::new(),
            namespaces: vec![String::new()],
            nodes: Vec::new(),
            attributes: Vec::new(),
        };
        Ok(Self { tree, limits, open: Vec::new(), text: String::new(), significant: false })
    }

    fn run(mut self) -> Result<Tree<'a>, CatalogError> {
        // Names too: text and values are checked again once references in them are resolved.
        if let Some((at, _)) = forbidden_char(self.tree.source) {
            return Err(self.fail(at as u64, Reason::Syntax("a character XML forbids".to_owned())));
        }
        let mut reader = NsReader::from_str(self.tree.source);
        reader.config_mut().enable_all_checks(true);
        loop {
            let offset = reader.buffer_position();
            let event =
                reader.read_event().map_err(|error| self.fail(offset, Reason::Syntax(error.to_string())))?;
            match event {
                Event::Start(start) => self.start(&reader, &start, offset, false)?,
                Event::Empty(start) => self.start(&reader, &start, offset, true)?,
                Event::End(_) => {
                    self.flush(offset)?;
                    let end = self.tree.nodes.len() as u32;
                    let opened = self.open.pop().and_then(|index| self.tree.nodes.get_mut(index as usize));
                    if let Some(Node::Element(node)) = opened {
                        node.end = end;
                    }
                }
                Event::Text(text) => {
                    let text = text.xml10_content();
                    self.significant |= text.bytes().any(|byte| !byte.is_ascii_whitespace());
                    self.text.push_str(&text);
                }
                Event::CData(text) => {
                    self.significant = true;
                    self.text.push_str(&text.xml10_content());
                }
                Event::GeneralRef(reference) => {
                    let resolved = match reference.resolve_char_ref() {
                        Ok(Some(character)) => Some(character),
                        Ok(None) => predefined(&reference.xml10_content()),
                        Err(_) => None,
                    };
                    let character = resolved.filter(|c| is_xml_char(*c)).ok_or_else(|| {
                        self.fail(
                            offset,
                            Reason::Syntax("a reference to an unknown character or entity".to_owned()),
                        )
                    })?;
                    self.significant = true;
                    self.text.push(character);
                }
                Event::DocType(_) => return Err(self.fail(offset, Reason::Doctype)),
                // Neither means anything to an update; servers do not pass them on.
                Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
                Event::Eof => break,
            }
        }
        let end = self.tree.source.len() as u64;
        self.flush(end)?;
        if self.open.is_empty() {
            Ok(self.tree)
        } else {
            Err(self.fail(end, Reason::Syntax("the document ends inside an element".to_owned())))
        }
    }

    fn start(
        &mut self,
        reader: &NsReader<&'a [u8]>,
        start: &BytesStart<'_>,
        offset: u64,
        empty: bool,
    ) -> Result<(), CatalogError> {
        self.flush(offset)?;
        if self.open.len() >= self.limits.max_depth {
            return Err(self.fail(offset, Reason::TooDeep(self.limits.max_depth)));
        }
        let (namespace, _) = reader.resolver().resolve_element(start.name());
        let namespace = self.namespace(&namespace, start.name(), offset)?;
        let local = self.slice(start.local_name().into_inner());
        let first = self.tree.attributes.len() as u32;
        for (count, attribute) in start.attributes().enumerate() {
            let syntax = |error: &dyn core::fmt::Display| Reason::Syntax(error.to_string());
            let attribute = attribute.map_err(|error| self.fail(offset, syntax(&error)))?;
            if count >= self.limits.max_attributes {
                return Err(self.fail(offset, Reason::TooManyAttributes(self.limits.max_attributes)));
            }
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| self.fail(offset, syntax(&error)))?;
            if !is_xml_text(&value) {
                return Err(
                    self.fail(offset, Reason::Syntax("an attribute has a character XML forbids".to_owned()))
                );
            }
            let declaration = attribute.key.as_namespace_binding().is_some();
            let namespace = if declaration {
                0
            } else {
                let (namespace, _) = reader.resolver().resolve_attribute(attribute.key);
                self.namespace(&namespace, attribute.key, offset)?
            };
            let local = self.slice(attribute.key.local_name().into_inner());
            let value = self.slice(&value);
            self.tree.attributes.push(AttributeNode { local, namespace, value, declaration });
        }
        let index = self.tree.nodes.len() as u32;
        let attributes = (first, self.tree.attributes.len() as u32);
        let offset = u32::try_from(offset).unwrap_or(u32::MAX);
        self.push(Node::Element(ElementNode { local, namespace, attributes, end: index + 1, offset }))?;
        if !empty {
            self.open.push(index);
        }
        Ok(())
    }

    /// Ends the current run of text. White space between elements is formatting, not content.
    fn flush(&mut self, offset: u64) -> Result<(), CatalogError> {
        if self.significant {
            if !is_xml_text(&self.text) {
                return Err(self.fail(offset, Reason::Syntax("a character XML forbids".to_owned())));
            }
            if self.open.is_empty() {
                return Err(self.fail(offset, Reason::Syntax("text outside of any element".to_owned())));
            }
            let slice = Slice { start: self.tree.side.len() as u32, len: self.text.len() as u32, side: true };
            self.tree.side.push_str(&self.text);
            self.push(Node::Text(slice))?;
        }
        self.text.clear();
        self.significant = false;
        Ok(())
    }

    fn push(&mut self, node: Node) -> Result<(), CatalogError> {
        if self.tree.nodes.len() >= self.limits.max_nodes {
            return Err(CatalogError::new("document", 0, Reason::TooManyNodes(self.limits.max_nodes)));
        }
        self.tree.nodes.push(node);
        Ok(())
    }

    /// Remembers text: where it stands in the source when it stands there unchanged, else a copy.
    fn slice(&mut self, text: &str) -> Slice {
        let start = (text.as_ptr() as usize).wrapping_sub(self.tree.source.as_ptr() as usize);
        let unchanged = start
            .checked_add(text.len())
            .and_then(|end| self.tree.source.get(start..end))
            .is_some_and(|found| found.len() == text.len() && core::ptr::eq(found.as_ptr(), text.as_ptr()));
        let len = text.len() as u32;
        if unchanged {
            return Slice { start: start as u32, len, side: false };
        }
        let start = self.tree.side.len() as u32;
        self.tree.side.push_str(text);
        Slice { start, len, side: true }
    }

    fn namespace(
        &mut self,
        found: &ResolveResult<'_>,
        name: QName<'_>,
        offset: u64,
    ) -> Result<u32, CatalogError> {
        let uri = match found {
            ResolveResult::Unbound => return Ok(0),
            ResolveResult::Bound(namespace) => namespace.into_inner(),
            ResolveResult::Unknown(_) => {
                let name = name.into_inner();
                return Err(
                    self.fail(offset, Reason::Syntax(format!("the prefix of `{name}` is not declared")))
                );
            }
        };
        // A document has a handful of namespaces; a list is faster than a map, but only a short one.
        let known = self.tree.namespaces.iter().position(|known| known == uri);
        if known.is_none() && self.tree.namespaces.len() >= MAX_NAMESPACES {
            return Err(self.fail(offset, Reason::TooMany { what: "namespaces", limit: MAX_NAMESPACES }));
        }
        let index = known.unwrap_or_else(|| {
            self.tree.namespaces.push(uri.to_owned());
            self.tree.namespaces.len() - 1
        });
        Ok(index as u32)
    }

    fn fail(&self, offset: u64, reason: Reason) -> CatalogError {
        let innermost = self.open.last().and_then(|index| self.tree.element(*index as usize));
        CatalogError::new(innermost.map_or("document", Element::local), offset, reason)
    }
}

fn predefined(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        _ => return None,
    })
}

fn is_xml_text(text: &str) -> bool {
    forbidden_char(text).is_none()
}

/// The first character XML forbids, and where it stands.
fn forbidden_char(text: &str) -> Option<(usize, char)> {
    // Nearly everything is plain ASCII, which one pass without branches settles.
    let suspicious = |byte: u8| (byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')) || byte == 0xef;
    if !text.bytes().fold(false, |found, byte| found | suspicious(byte)) {
        return None;
    }
    text.char_indices().find(|(_, c)| !is_xml_char(*c))
}

/// The `Char` production of XML 1.0: control characters cannot be sent to agents in any form.
fn is_xml_char(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
#[path = "xml_tests.rs"]
mod tests;
