//! Store: a prepared revision on its way to the thread that stores it: one piece of memory. Small pieces that one
//! thread makes and another gives back, thousands of revisions later, would leave the maker's memory full of holes.

use crate::catalog::document::Form;
use crate::catalog::import::PreparedRevision;
use crate::catalog::summary::Summary;
use crate::error::StoreError;
use sluicegate_catalog::ScanRecord;
use sluicegate_terms::{Sha256Digest, UpdateIdentity};

/// A [`PreparedRevision`] in one piece.
#[derive(Clone, Debug)]
pub struct PackedRevision {
    identity: UpdateIdentity,
    expired: bool,
    pub(crate) content: Sha256Digest,
    pub(crate) core_escaped_len: u32,
    pub(crate) form: Form,
    pub(crate) encrypted: bool,
    /// The parts, one behind the other.
    bytes: Box<[u8]>,
    /// How long each is.
    lengths: [usize; PARTS],
}

const PARTS: usize = 6;

/// The parts, in their order.
#[derive(Clone, Copy)]
enum Part {
    Source,
    Record,
    Summary,
    Core,
    Fragments,
    Document,
}

impl PackedRevision {
    /// Which revision.
    #[must_use]
    pub const fn identity(&self) -> UpdateIdentity {
        self.identity
    }

    /// Its publisher withdrew it.
    #[must_use]
    pub const fn expired(&self) -> bool {
        self.expired
    }

    /// About the bytes it takes in memory.
    #[must_use]
    pub fn weight(&self) -> usize {
        size_of::<Self>() + self.bytes.len()
    }

    /// Where it came from.
    pub(crate) fn source(&self) -> &str {
        std::str::from_utf8(self.part(Part::Source)).unwrap_or_default()
    }

    pub(crate) fn core(&self) -> &[u8] {
        self.part(Part::Core)
    }

    pub(crate) fn fragments(&self) -> &[u8] {
        self.part(Part::Fragments)
    }

    pub(crate) fn document(&self) -> &[u8] {
        self.part(Part::Document)
    }

    /// What scans need, and what becomes rows.
    pub(crate) fn unpack(&self) -> Result<(ScanRecord, Summary), StoreError> {
        let broken = |reason: String| StoreError::Invalid { what: "a prepared revision", reason };
        let record =
            ScanRecord::decode(self.part(Part::Record)).map_err(|error| broken(error.to_string()))?;
        let summary = Summary::decode(self.part(Part::Summary))
            .map_err(|_| broken(format!("the summary of {} cannot be read", self.identity)))?;
        Ok((record, summary))
    }

    fn part(&self, part: Part) -> &[u8] {
        let at = part as usize;
        let before: usize = self.lengths.iter().take(at).sum();
        let length = self.lengths.get(at).copied().unwrap_or(0);
        self.bytes.get(before..before + length).unwrap_or_default()
    }
}

impl PreparedRevision {
    /// Puts it into one piece.
    #[must_use]
    pub fn pack(&self) -> PackedRevision {
        let (record, summary) = (self.record.encode(), self.summary.encode());
        let parts: [&[u8]; PARTS] = [
            self.source.as_bytes(),
            &record,
            &summary,
            &self.core_ready,
            &self.fragments,
            self.document.bytes(),
        ];
        PackedRevision {
            identity: self.record.identity,
            expired: self.record.expired,
            content: self.content,
            core_escaped_len: self.core_escaped_len,
            form: self.document.form(),
            encrypted: self.encrypted,
            bytes: parts.concat().into_boxed_slice(),
            lengths: parts.map(<[u8]>::len),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Document;
    use sluicegate_catalog::{FileEntry, Limits, compose, parse};
    use sluicegate_terms::{Guid, RevisionNumber, Sha1Digest, UpdateId};

    #[test]
    fn all_parts_come_out_of_the_one_piece() {
        let identity = UpdateIdentity {
            update: UpdateId(Guid::from_u128(5)),
            revision: RevisionNumber::new(7).unwrap(),
        };
        let mut document = compose::Document::software(identity, "Größe");
        document.files.push(FileEntry {
            name: "a.cab".to_owned(),
            size: 9,
            sha1: Sha1Digest([3; 20]),
            sha256: None,
            modified: None,
            patching: None,
        });
        let xml = document.to_xml();
        let parsed = parse(xml.as_bytes(), &Limits::default()).unwrap();
        for core in [b"core".to_vec(), Vec::new()] {
            let text = Document::Text(xml.clone());
            let prepared =
                PreparedRevision::from_document("quelle ü".to_owned(), parsed.clone(), core, 40, text);
            let packed = prepared.pack();
            assert_eq!((packed.identity(), packed.expired()), (identity, prepared.record.expired));
            assert_eq!((packed.source(), packed.core()), ("quelle ü", prepared.core_ready.as_slice()));
            assert_eq!((packed.fragments(), packed.document()), (&*prepared.fragments, xml.as_bytes()));
            assert_eq!(packed.unpack().unwrap(), (prepared.record.clone(), prepared.summary.clone()));
            let told = (packed.content, packed.core_escaped_len, packed.form, packed.encrypted);
            assert_eq!(told, (prepared.content, 40, Form::Text, false));
            assert!(packed.weight() > xml.len());
        }
    }
}
