//! Intake: from the bytes of a document, as a folder, a package or an upstream has it, to a revision that the
//! store can take. All that costs time (unpacking, parsing, deriving fragments, packing) happens here, away
//! from the store, so that it can go on beside the store's work.

use sluicegate_cabinet::BlobWriter;
use sluicegate_catalog::{Limits, parse, text_of};
use sluicegate_soap::ready;
use sluicegate_store::{Document, PreparedRevision};
use sluicegate_terms::UpdateId;

/// A document that cannot become a revision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{source_name}: {reason}")]
pub struct Refused {
    /// Where it came from.
    pub source_name: String,
    /// Which update it is about, when that much could be read.
    pub update: Option<UpdateId>,
    /// Why, and what would help.
    pub reason: String,
}

/// Prepares documents one after the other; one per thread.
#[derive(Debug)]
pub struct Intake {
    limits: Limits,
    writer: BlobWriter,
}

impl Intake {
    /// With bounds on one document.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, writer: BlobWriter::new() }
    }

    /// Prepares a document from its own bytes: UTF-8 or UTF-16, with or without mark and declaration.
    ///
    /// # Errors
    /// [`Refused`] with the reason, for the quarantine.
    pub fn bytes(&mut self, source: String, bytes: &[u8]) -> Result<PreparedRevision, Box<Refused>> {
        let served = match text_of(bytes, &self.limits) {
            Ok(text) => Document::of_text(&text, &mut self.writer).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match served {
            Ok(document) => self.prepare(source, bytes, document),
            Err(reason) => Err(refused(source, None, reason)),
        }
    }

    /// Prepares a document in the form in which an upstream serves it. That form is kept as it is.
    ///
    /// # Errors
    /// [`Refused`] with the reason; a Cabinet file that was damaged on the way is worth asking for again.
    pub fn served(&mut self, source: String, document: Document) -> Result<PreparedRevision, Box<Refused>> {
        // UTF-16 of plain text takes twice its bytes in UTF-8, which the limit is about.
        let limit = (self.limits.max_bytes as u64).saturating_mul(2);
        let plain = match document.plain(limit) {
            Ok(plain) => plain.into_owned(),
            Err(error) => return Err(refused(source, None, error.to_string())),
        };
        self.prepare(source, &plain, document)
    }

    fn prepare(
        &mut self,
        source: String,
        plain: &[u8],
        document: Document,
    ) -> Result<PreparedRevision, Box<Refused>> {
        let parsed = match parse(plain, &self.limits) {
            Ok(parsed) => parsed,
            Err(error) => return Err(refused(source, error.update, error.to_string())),
        };
        match ready::from_fragment(&parsed.fragments.core) {
            Ok(ready) => {
                Ok(PreparedRevision::from_document(source, parsed, ready.bytes, ready.escaped_len, document))
            }
            Err(error) => Err(refused(source, Some(parsed.identity.update), error.to_string())),
        }
    }
}

fn refused(source_name: String, update: Option<UpdateId>, reason: String) -> Box<Refused> {
    Box::new(Refused { source_name, update, reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_catalog::compose;
    use sluicegate_terms::{Guid, RevisionNumber, UpdateIdentity};

    fn document(title: &str) -> String {
        let update = UpdateId(Guid::from_u128(7));
        let identity = UpdateIdentity { update, revision: RevisionNumber::new(3).unwrap() };
        compose::Document::software(identity, title).to_xml()
    }

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn every_form_of_a_document_becomes_the_same_revision() {
        let mut intake = Intake::new(Limits::default());
        let xml = document(&"A long title. ".repeat(400));
        let blob = BlobWriter::new().write(&wide(&xml)).unwrap();
        let from_bytes = intake.bytes("a".to_owned(), xml.as_bytes()).unwrap();
        let from_wide = intake.bytes("a".to_owned(), &wide(&xml)).unwrap();
        let from_blob = intake.served("a".to_owned(), Document::Cabinet(blob.clone())).unwrap();
        let from_text = intake.served("a".to_owned(), Document::Text(xml)).unwrap();
        for other in [&from_wide, &from_blob, &from_text] {
            assert_eq!((&other.record, other.content), (&from_bytes.record, from_bytes.content));
            assert_eq!(other.core_ready, from_bytes.core_ready);
        }
        assert_eq!(from_blob.document, Document::Cabinet(blob.clone()), "a blob is kept as it came");
        assert_eq!(from_bytes.document, Document::Cabinet(blob), "and made where there was none");
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        let mut intake = Intake::new(Limits { max_bytes: 1_000, ..Limits::default() });
        let cases: [Document; 3] = [
            Document::Cabinet(b"MSCF but not really".to_vec()),
            Document::Cabinet(BlobWriter::new().write(&[b' '; 4_000]).unwrap()),
            Document::Text("<html/>".to_owned()),
        ];
        for case in cases {
            let refused = intake.served("upstream".to_owned(), case).unwrap_err();
            assert!(!refused.reason.is_empty() && refused.source_name == "upstream", "{refused}");
        }
        assert!(intake.bytes("x".to_owned(), b"\xff\xff").is_err());
    }
}
