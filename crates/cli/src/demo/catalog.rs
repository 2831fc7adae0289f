//! Demo: the catalog, written for it: the documents of an imaginary publisher of measuring software and the
//! files they name. Both are made at start and are the same every time.

use super::ids::{
    COMPANY, DESK, DRIVERS, FAMILY, FEATURES, GAUGES, HAS_DESK, HAS_STATION, SECURITY, STATION, UPDATES, X64,
    revision,
};
use super::rules;
use super::updates;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use sluicegate_catalog::compose::{Command, Document};
use sluicegate_catalog::document::LocalizedText;
use sluicegate_catalog::{Clause, FileEntry};
use sluicegate_terms::{CategoryKind, Sha1Digest, Sha256Digest, Timestamp, UpdateId};

/// Documents and files.
pub(super) struct Catalog {
    /// What to import.
    pub(super) documents: Vec<Document>,
    /// What to add as content: names and bytes.
    pub(super) files: Vec<(String, Vec<u8>)>,
}

/// A title and a description in one language.
pub(super) type Words = (&'static str, &'static str);

impl Catalog {
    /// The whole demo catalog.
    pub(super) fn build() -> Self {
        let mut catalog = Self { documents: Vec::new(), files: Vec::new() };
        catalog.categories();
        catalog.detectoids();
        updates::add_to(&mut catalog);
        catalog
    }

    fn categories(&mut self) {
        use CategoryKind::{Company, Product, ProductFamily, UpdateClassification};
        for (id, kind, parent, english, german) in [
            (COMPANY, Company, None, "Heron Works", "Heron Works"),
            (FAMILY, ProductFamily, Some(COMPANY), "Heron Suite", "Heron-Suite"),
            (DESK, Product, Some(FAMILY), "Heron Desk", "Heron Desk"),
            (STATION, Product, Some(FAMILY), "Heron Station", "Heron Station"),
            (GAUGES, Product, Some(FAMILY), "Heron Gauges", "Heron-Messuhren"),
            (SECURITY, UpdateClassification, None, "Heron Security Updates", "Heron-Sicherheitsupdates"),
            (UPDATES, UpdateClassification, None, "Heron Updates", "Heron-Updates"),
            (FEATURES, UpdateClassification, None, "Heron Feature Packs", "Heron-Funktionspakete"),
            (DRIVERS, UpdateClassification, None, "Heron Drivers", "Heron-Treiber"),
        ] {
            let mut document = Document::category(revision(id), kind, english, parent);
            say(&mut document, (english, ""), (german, ""));
            self.documents.push(document);
        }
    }

    fn detectoids(&mut self) {
        for (id, english, german, rule) in [
            (X64, "Computers with a 64-bit processor", "Computer mit 64-Bit-Prozessor", rules::processor(9)),
            (
                HAS_DESK,
                "Heron Desk 4 is installed",
                "Heron Desk 4 ist installiert",
                rules::at_least(rules::DESK, "4.0.0.0"),
            ),
            (
                HAS_STATION,
                "Heron Station 7 is installed",
                "Heron Station 7 ist installiert",
                rules::at_least(rules::STATION, "7.0.0.0"),
            ),
        ] {
            let mut document = Document::detectoid(revision(id), english, &rule);
            say(&mut document, (english, ""), (german, ""));
            document.relationships.prerequisites = vec![Clause::category(FAMILY)];
            self.documents.push(document);
        }
    }

    /// Adds a document.
    pub(super) fn add(&mut self, document: Document) {
        self.documents.push(document);
    }

    /// Adds a file as content and says how a document names it.
    pub(super) fn file(&mut self, name: &str, bytes: Vec<u8>) -> FileEntry {
        let entry = FileEntry {
            name: name.to_owned(),
            size: bytes.len() as u64,
            sha1: Sha1Digest(Sha1::digest(&bytes).into()),
            sha256: Some(Sha256Digest(Sha256::digest(&bytes).into())),
            modified: Some(published()),
            patching: None,
        };
        self.files.push((name.to_owned(), bytes));
        entry
    }

    /// Lets a document install a file.
    pub(super) fn installer(&mut self, document: &mut Document, name: &str, bytes: Vec<u8>) {
        let entry = self.file(name, bytes);
        document.properties.max_download_size = Some(entry.size);
        document.command = Some(Command { program: name.to_owned(), arguments: "/quiet".to_owned() });
        document.files.push(entry);
    }
}

/// When all of it was published: 2026-10-13.
pub(super) fn published() -> Timestamp {
    Timestamp::from_unix_seconds(1_791_910_800)
}

/// Places an update in the category tree and names what must be there first.
pub(super) fn place(
    document: &mut Document,
    product: UpdateId,
    classification: UpdateId,
    needs: &[UpdateId],
) {
    let prerequisites = &mut document.relationships.prerequisites;
    prerequisites.extend(needs.iter().copied().map(Clause::one));
    prerequisites.push(Clause::category(product));
    prerequisites.push(Clause::category(classification));
    document.properties.created = Some(published());
}

/// Gives a document its words in English and German.
pub(super) fn say(document: &mut Document, english: Words, german: Words) {
    document.texts = [("en", english), ("de", german)]
        .into_iter()
        .filter_map(|(language, (title, description))| {
            Some(LocalizedText {
                language: language.parse().ok()?,
                title: title.to_owned(),
                description: description.to_owned(),
                more_info_url: None,
                support_url: None,
            })
        })
        .collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_catalog::{Limits, parse};
    use sluicegate_terms::UpdateKind;
    use std::collections::HashSet;

    #[test]
    fn every_document_is_valid_and_everything_it_refers_to_is_there() {
        let catalog = Catalog::build();
        let parsed: Vec<_> = catalog
            .documents
            .iter()
            .map(|d| parse(d.to_xml().as_bytes(), &Limits::default()).unwrap())
            .collect();
        let present: HashSet<_> = parsed.iter().map(|d| d.identity).collect();
        assert_eq!(present.len(), parsed.len(), "every id is used once");
        let updates: HashSet<_> = present.iter().map(|identity| identity.update).collect();
        let files: HashSet<_> =
            catalog.files.iter().map(|(_, bytes)| Sha1Digest(Sha1::digest(bytes).into())).collect();
        for document in &parsed {
            let relationships = &document.relationships;
            assert!(relationships.bundles.iter().flatten().all(|member| present.contains(member)));
            assert!(relationships.supersedes.iter().all(|older| updates.contains(older)));
            let needed = relationships.prerequisites.iter().flat_map(|clause| &clause.any_of);
            assert!(needed.into_iter().all(|id| updates.contains(id)), "{}", document.identity);
            let named = document.files.iter().chain(document.eulas.iter().map(|eula| &eula.file));
            assert!(named.into_iter().all(|file| files.contains(&file.sha1)));
            assert_eq!(document.texts.len(), 2, "{} speaks two languages", document.identity);
        }
        let real = parsed.iter().filter(|d| matches!(d.kind, UpdateKind::Software | UpdateKind::Driver));
        assert_eq!(real.count(), 14);
        assert!(parsed.iter().any(|d| !d.eulas.is_empty()) && parsed.iter().any(|d| !d.drivers.is_empty()));
    }

    #[test]
    fn the_catalog_is_the_same_every_time() {
        let (one, other) = (Catalog::build(), Catalog::build());
        assert_eq!(one.documents, other.documents);
        assert_eq!(one.files, other.files);
    }
}
