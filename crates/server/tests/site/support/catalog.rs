//! A small catalog: a company, a product, a classification, a detectoid, a bundle of two, and a plain
//! update with a file.

use sluicegate_catalog::compose::Document;
use sluicegate_catalog::{Clause, FileEntry};
use sluicegate_terms::{CategoryKind, Guid, RevisionNumber, Sha1Digest, UpdateId, UpdateIdentity};

pub fn update(number: u128) -> UpdateId {
    UpdateId(Guid::from_u128(0x1000_0000_0000_4000_8000_0000_0000_0000 + number))
}

pub fn identity(number: u128, revision: i64) -> UpdateIdentity {
    UpdateIdentity { update: update(number), revision: RevisionNumber::new(revision).unwrap() }
}

pub const COMPANY: u128 = 1;
pub const PRODUCT: u128 = 2;
pub const CLASSIFICATION: u128 = 3;
pub const DETECTOID: u128 = 4;
pub const MEMBER_A: u128 = 5;
pub const MEMBER_B: u128 = 6;
pub const BUNDLE: u128 = 7;
pub const PLAIN: u128 = 8;

/// The content of the plain update's file and its SHA-1.
pub const FILE: &[u8] = b"The quick brown fox jumps over the lazy dog";
pub const FILE_SHA1: &str = "2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12";

pub fn file() -> FileEntry {
    FileEntry {
        name: "Fox.EXE".into(),
        size: FILE.len() as u64,
        sha1: Sha1Digest::from_hex(FILE_SHA1).unwrap(),
        sha256: None,
        modified: None,
        patching: None,
    }
}

fn placed(mut document: Document) -> Document {
    document.relationships.prerequisites.extend([
        Clause::category(update(PRODUCT)),
        Clause::category(update(CLASSIFICATION)),
        Clause::one(update(DETECTOID)),
    ]);
    document
}

/// A plain update of any number and revision.
pub fn plain(number: u128, revision: i64, title: &str) -> Document {
    placed(Document::software(identity(number, revision), title))
}

pub fn small() -> Vec<Document> {
    let category = |number, kind, title: &str, parent: Option<u128>| {
        Document::category(identity(number, 100), kind, title, parent.map(update))
    };
    let member = |number, title: &str| {
        let mut member = Document::software(identity(number, 200), title);
        member.properties.explicitly_deployable = false;
        member.relationships.prerequisites.push(Clause::one(update(DETECTOID)));
        member
    };
    let mut bundle = plain(BUNDLE, 200, "Bundle of two (KB5000001)");
    bundle.properties.kb = vec!["5000001".into()];
    bundle.properties.can_uninstall = true;
    bundle.relationships.bundles = vec![vec![identity(MEMBER_A, 200)], vec![identity(MEMBER_B, 200)]];
    let mut single = plain(PLAIN, 200, "Plain update (KB5000002)");
    single.properties.kb = vec!["5000002".into()];
    single.files = vec![file()];
    single.properties.can_uninstall = true;
    let mut german = single.texts.first().cloned().unwrap();
    german.language = "de".parse().unwrap();
    german.title = "Einfache Aktualisierung".into();
    single.texts.push(german);
    vec![
        category(COMPANY, CategoryKind::Company, "Contoso", None),
        category(PRODUCT, CategoryKind::Product, "Contoso Desk", Some(COMPANY)),
        category(CLASSIFICATION, CategoryKind::UpdateClassification, "Fixes", None),
        Document::detectoid(identity(DETECTOID, 100), "x64", "<b.Processor Architecture=\"9\" />"),
        member(MEMBER_A, "Member A"),
        member(MEMBER_B, "Member B"),
        bundle,
        single,
    ]
}
