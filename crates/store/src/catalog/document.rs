//! Store: documents in the form in which servers give them to each other: as a Cabinet blob when they are
//! long, else as text (MS-WSUSSS 3.1.4.6). Kept so, they are received and served without being packed again.

use crate::Store;
use crate::catalog::serving::Serving;
use crate::error::{During, StoreError};
use flate2::read::DeflateDecoder;
use sluicegate_cabinet::{BlobWriter, CabinetError, read_blob};
use sluicegate_terms::RevisionId;
use std::io::Read;

/// Longest document that is given back, in bytes; bounds what a damaged record can expand to.
pub(crate) const LONGEST_DOCUMENT: u64 = 1 << 30;

/// One update document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Document {
    /// A Cabinet file of one member, the text in UTF-16LE without a mark (observed-behaviour 8).
    Cabinet(Vec<u8>),
    /// The text.
    Text(String),
}

impl Document {
    /// Texts of more bytes in UTF-16 than this are served as Cabinet files (MS-WSUSSS 3.1.4.6).
    pub const LARGEST_TEXT: usize = 5_120;

    /// The form in which a text is served. An XML declaration, which speaks of another encoding, is left out.
    ///
    /// # Errors
    /// [`CabinetError`] for a text past 2 GiB.
    pub fn of_text(text: &str, writer: &mut BlobWriter) -> Result<Self, CabinetError> {
        let text = without_declaration(text);
        // Two bytes for each byte of text at most: most documents need no counting.
        let short = text.len() <= Self::LARGEST_TEXT / 2
            || (text.len() <= Self::LARGEST_TEXT * 2
                && text.encode_utf16().count() <= Self::LARGEST_TEXT / 2);
        if short {
            return Ok(Self::Text(text.to_owned()));
        }
        let mut wide = Vec::with_capacity(text.len() * 2);
        wide.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
        writer.write(&wide).map(Self::Cabinet)
    }

    /// The bytes of the document itself: UTF-8, or UTF-16LE out of a Cabinet file. `limit` bounds them.
    ///
    /// # Errors
    /// [`CabinetError`] for a Cabinet file that is damaged or too large.
    pub fn plain(&self, limit: u64) -> Result<std::borrow::Cow<'_, [u8]>, CabinetError> {
        match self {
            Self::Cabinet(bytes) => read_blob(bytes, limit).map(Into::into),
            Self::Text(text) => Ok(text.as_bytes().into()),
        }
    }

    pub(crate) const fn form(&self) -> Form {
        match self {
            Self::Cabinet(_) => Form::Cabinet,
            Self::Text(_) => Form::Text,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Cabinet(bytes) => bytes,
            Self::Text(text) => text.as_bytes(),
        }
    }
}

fn without_declaration(text: &str) -> &str {
    let text = text.trim_start_matches('\u{feff}');
    match text.trim_start().strip_prefix("<?xml").and_then(|rest| rest.split_once("?>")) {
        Some((_, rest)) => rest.trim_start(),
        None => text,
    }
}

/// How a document lies in its segment; the number is the column's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Form {
    /// The document's bytes, deflated; written by the first program.
    Deflated = 0,
    Cabinet = 1,
    Text = 2,
}

impl Form {
    pub(crate) fn of_number(number: i64) -> Result<Self, StoreError> {
        match number {
            0 => Ok(Self::Deflated),
            1 => Ok(Self::Cabinet),
            2 => Ok(Self::Text),
            other => Err(StoreError::Unreadable {
                what: "form of a document".to_owned(),
                reason: format!("{other} is not known"),
            }),
        }
    }
}

impl Store {
    /// The document of a revision as it is served.
    ///
    /// # Errors
    /// [`StoreError::UnknownRevision`], or a failure to read.
    pub fn document(&self, revision: RevisionId) -> Result<Document, StoreError> {
        self.serve(|serving| serving.document(revision))
    }

    /// Reads several documents, and where their files are: one look at the database serves all of them.
    ///
    /// # Errors
    /// What `work` gives, or a failure to read.
    pub fn serve<R, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Serving<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        // Between looking places up and reading there, nobody gives their room back.
        let _gate = self.shared.segments.gate.read();
        self.shared.database.read(|db| {
            let db = db.transaction().during("look up documents")?;
            Ok(work(&Serving::new(self, &db)))
        })?
    }

    /// The document of a revision as bytes that a parser takes: UTF-8 or UTF-16LE.
    ///
    /// # Errors
    /// [`StoreError::UnknownRevision`], or a failure to read.
    pub fn document_bytes(&self, revision: RevisionId) -> Result<Vec<u8>, StoreError> {
        let document = self.document(revision)?;
        let plain = document.plain(LONGEST_DOCUMENT).map_err(|e| StoreError::Unreadable {
            what: format!("document of revision {revision}"),
            reason: e.to_string(),
        })?;
        Ok(plain.into_owned())
    }
}

/// A document from its bytes in the segment.
pub(crate) fn decode(bytes: Vec<u8>, form: Form, revision: RevisionId) -> Result<Document, StoreError> {
    let unreadable =
        |reason: String| StoreError::Unreadable { what: format!("document of revision {revision}"), reason };
    match form {
        Form::Cabinet => Ok(Document::Cabinet(bytes)),
        Form::Text => String::from_utf8(bytes).map(Document::Text).map_err(|e| unreadable(e.to_string())),
        Form::Deflated => {
            let mut plain = Vec::new();
            DeflateDecoder::new(bytes.as_slice())
                .take(LONGEST_DOCUMENT)
                .read_to_end(&mut plain)
                .map_err(|e| unreadable(e.to_string()))?;
            let limits = sluicegate_catalog::Limits::default();
            let text = sluicegate_catalog::text_of(&plain, &limits).map_err(|e| unreadable(e.to_string()))?;
            Document::of_text(&text, &mut BlobWriter::new()).map_err(|e| unreadable(e.to_string()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(text: &str) -> Document {
        Document::of_text(text, &mut BlobWriter::new()).unwrap()
    }

    #[test]
    fn texts_of_up_to_5120_bytes_of_utf_16_are_served_as_text() {
        assert_eq!(served(&"a".repeat(2_560)), Document::Text("a".repeat(2_560)));
        assert!(matches!(served(&"a".repeat(2_561)), Document::Cabinet(_)));
        // Three bytes of UTF-8 each, two of UTF-16.
        assert!(matches!(served(&"日".repeat(2_560)), Document::Text(_)));
        assert!(matches!(served(&"日".repeat(2_561)), Document::Cabinet(_)));
        // Four bytes each in either.
        assert!(matches!(served(&"𝄞".repeat(1_281)), Document::Cabinet(_)));
    }

    #[test]
    fn a_blob_holds_utf_16_without_mark_or_declaration() {
        let body = format!("<a>{}é</a>", "x".repeat(3_000));
        let document = served(&format!("\u{feff}<?xml version=\"1.0\" encoding=\"utf-16\"?>\r\n{body}"));
        let wide: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(document.plain(1 << 20).unwrap().as_ref(), wide.as_slice());
        assert_eq!(served("<?xml version=\"1.0\"?><a/>"), Document::Text("<a/>".to_owned()));
    }
}
