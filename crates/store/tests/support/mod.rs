//! Helpers of this crate's tests: documents made on the spot, a fresh data folder, times.
#![allow(dead_code, missing_docs, unreachable_pub)]

pub mod child;

use sha1::{Digest, Sha1};
use sha2::Sha256;
use sluicegate_catalog::compose::Document;
use sluicegate_catalog::{Clause, FileEntry, Limits, parse};
use sluicegate_store::{Document as Served, ImportReport, PreparedRevision, Store, StoreOptions};
use sluicegate_terms::{
    CategoryKind, Guid, RevisionNumber, Sha1Digest, Sha256Digest, Timestamp, UpdateId, UpdateIdentity,
};
use std::path::Path;

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(1_790_000_000 + seconds)
}

pub fn open(dir: &Path) -> Store {
    Store::open(dir, StoreOptions::new(at(0))).unwrap()
}

pub fn uid(n: u128) -> UpdateId {
    UpdateId(Guid::from_u128(n))
}

pub fn identity(n: u128, revision: i64) -> UpdateIdentity {
    UpdateIdentity { update: uid(n), revision: RevisionNumber::new(revision).unwrap() }
}

pub fn file(name: &str, bytes: &[u8]) -> FileEntry {
    FileEntry {
        name: name.to_owned(),
        size: bytes.len() as u64,
        sha1: Sha1Digest(Sha1::digest(bytes).into()),
        sha256: Some(Sha256Digest(Sha256::digest(bytes).into())),
        modified: None,
        patching: None,
    }
}

pub fn software(n: u128, revision: i64, title: &str) -> Document {
    Document::software(identity(n, revision), title)
}

pub fn category(n: u128, kind: CategoryKind, title: &str, parent: Option<u128>) -> Document {
    Document::category(identity(n, 1), kind, title, parent.map(uid))
}

/// With prerequisites, each clause given by its alternatives.
pub fn needing(mut document: Document, clauses: &[&[u128]]) -> Document {
    document.relationships.prerequisites.extend(
        clauses.iter().map(|c| Clause { any_of: c.iter().map(|n| uid(*n)).collect(), is_category: false }),
    );
    document
}

/// Stands in for the ready bytes: this room treats them as opaque.
pub fn core_bytes(document: &Document) -> Vec<u8> {
    format!("ready bytes of {}", document.identity).into_bytes()
}

pub fn prepared(source: &str, document: &Document) -> PreparedRevision {
    let xml = document.to_xml().into_bytes();
    let parsed = parse(&xml, &Limits::default()).unwrap();
    let core = core_bytes(document);
    PreparedRevision::from_document(source.to_owned(), parsed, core, 1_000, served(&document.to_xml()))
}

pub fn served(xml: &str) -> Served {
    Served::of_text(xml, &mut sluicegate_cabinet::BlobWriter::new()).unwrap()
}

pub fn import(store: &Store, seconds: i64, documents: &[Document]) -> ImportReport {
    let mut importer = store.importer(at(seconds)).unwrap();
    for (number, document) in documents.iter().enumerate() {
        importer.add(prepared(&format!("{number}.xml"), document)).unwrap();
    }
    importer.commit().unwrap()
}
