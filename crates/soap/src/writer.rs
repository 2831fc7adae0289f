//! SOAP: writes envelopes. One growing buffer, names that are constants, and the small differences
//! between the two stacks of a real server (observed-behaviour 1.3).

use crate::envelope::SoapVersion;
use crate::service::{Operation, Style};
use crate::text::escape_into;

pub(crate) const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
pub(crate) const XSD: &str = "http://www.w3.org/2001/XMLSchema";

/// Writes elements into a buffer.
pub(crate) struct XmlWriter {
    out: Vec<u8>,
    style: Style,
}

impl XmlWriter {
    pub(crate) fn new(style: Style, capacity: usize) -> Self {
        Self { out: Vec::with_capacity(capacity), style }
    }

    pub(crate) fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Bytes as Base64, written where they belong: documents in answers are long.
    pub(crate) fn base64(&mut self, bytes: &[u8]) {
        base64_simd::STANDARD.encode_append(bytes, &mut self.out);
    }

    pub(crate) fn escaped(&mut self, text: &str) {
        escape_into(&mut self.out, text);
    }

    /// True when an array without entries has an element all the same (observed-behaviour 1.3).
    pub(crate) fn writes_empty_arrays(&self) -> bool {
        self.style == Style::Declared
    }

    /// An attribute of the element whose tag is being written.
    pub(crate) fn attribute(&mut self, name: &str, value: &str) {
        let mut escaped = Vec::with_capacity(value.len());
        escape_into(&mut escaped, value);
        self.raw(" ");
        self.raw(name);
        self.raw("=\"");
        for byte in escaped {
            match byte {
                b'"' => self.raw("&quot;"),
                b'\t' => self.raw("&#x9;"),
                b'\n' => self.raw("&#xA;"),
                other => self.out.push(other),
            }
        }
        self.raw("\"");
    }

    /// An element with attributes.
    pub(crate) fn element_with(
        &mut self,
        name: &str,
        attributes: impl FnOnce(&mut Self),
        content: impl FnOnce(&mut Self),
    ) {
        self.raw("<");
        self.raw(name);
        attributes(self);
        self.raw(">");
        self.close(name, content);
    }

    /// An element with whatever `content` writes; `<name/>` when that is nothing. The Client service
    /// and agents write it so, the other services with a space before the slash.
    pub(crate) fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.raw("<");
        self.raw(name);
        self.raw(">");
        self.close(name, content);
    }

    fn close(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        let before = self.out.len();
        content(self);
        if self.out.len() == before {
            self.out.pop();
            self.raw(if self.style == Style::Declared { " />" } else { "/>" });
        } else {
            self.raw("</");
            self.raw(name);
            self.raw(">");
        }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out
    }
}

/// What comes before the operation's element, without its attributes: the envelope opened.
pub(crate) fn write_prologue(out: &mut Vec<u8>, style: Style, version: SoapVersion) {
    let soap = version.namespace();
    let mut put = |parts: &[&str]| parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
    match style {
        Style::Agent => put(&["<s:Envelope xmlns:s=\"", soap, "\"><s:Body>"]),
        Style::Plain => put(&[
            "<s:Envelope xmlns:s=\"",
            soap,
            "\"><s:Body xmlns:xsi=\"",
            XSI,
            "\" xmlns:xsd=\"",
            XSD,
            "\">",
        ]),
        Style::Declared => put(&[
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope xmlns:soap=\"",
            soap,
            "\" xmlns:xsi=\"",
            XSI,
            "\" xmlns:xsd=\"",
            XSD,
            "\"><soap:Body>",
        ]),
    }
}

/// What closes it.
pub(crate) fn epilogue(style: Style) -> &'static str {
    match style {
        Style::Agent | Style::Plain => "</s:Body></s:Envelope>",
        Style::Declared => "</soap:Body></soap:Envelope>",
    }
}

/// A whole message: envelope, the operation's element (`suffix` is `Response` for answers), content of about `length`
/// bytes.
pub(crate) fn message(
    style: Style,
    version: SoapVersion,
    operation: &Operation,
    suffix: &str,
    length: usize,
    content: impl FnOnce(&mut XmlWriter),
) -> Vec<u8> {
    let mut writer = XmlWriter::new(style, 1024 + length);
    write_prologue(&mut writer.out, style, version);
    for part in ["<", operation.name, suffix, " xmlns=\"", operation.namespace, "\">"] {
        writer.raw(part);
    }
    let before = writer.out.len();
    content(&mut writer);
    if writer.out.len() == before {
        writer.out.pop();
        writer.raw(if style == Style::Declared { " />" } else { "/>" });
    } else {
        for part in ["</", operation.name, suffix, ">"] {
            writer.raw(part);
        }
    }
    writer.raw(epilogue(style));
    writer.into_bytes()
}
