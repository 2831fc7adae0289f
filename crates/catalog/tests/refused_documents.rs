//! Documents that are refused, each for one reason, and what the error says.

use sluicegate_catalog::compose::Document;
use sluicegate_catalog::{CatalogError, Clause, DriverEntry, Limits, Reason, parse};
use sluicegate_terms::{CategoryKind, Guid, RevisionNumber, UpdateId, UpdateIdentity};

fn revision(id: u128) -> UpdateIdentity {
    UpdateIdentity { update: UpdateId(Guid::from_u128(id)), revision: RevisionNumber::new(7).unwrap() }
}

fn refused(xml: &str) -> CatalogError {
    parse(xml.as_bytes(), &Limits::default()).expect_err("the document must be refused")
}

fn software() -> Document {
    Document::software(revision(0xabc), "An update")
}

/// A valid document, changed in one place.
fn changed(document: &Document, from: &str, to: &str) -> CatalogError {
    let xml = document.to_xml();
    parse(xml.as_bytes(), &Limits::default()).expect("valid before the change");
    assert!(xml.contains(from), "nothing to change: {from}");
    refused(&xml.replacen(from, to, 1))
}

#[test]
fn errors_name_update_element_place_and_reason() {
    let error = changed(&software(), "UpdateType=\"Software\"", "UpdateType=\"Softwear\"");
    assert_eq!(error.update, Some(revision(0xabc).update));
    assert_eq!(error.element, "Properties");
    let xml = software().to_xml();
    assert_eq!(error.offset, xml.find("<upd:Properties").unwrap() as u64);
    let said = error.to_string();
    for part in
        ["00000000-0000-0000-0000-000000000abc", "<Properties>", "`Softwear` is not a known UpdateType"]
    {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn things_that_are_not_update_documents() {
    for other in ["<html/>", "<Update/>", "plain text", "", "{}", "<a/><b/>"] {
        assert!(parse(other.as_bytes(), &Limits::default()).is_err(), "{other}");
    }
    assert_eq!(refused("<html/>").reason, Reason::NotAnUpdate);
    assert_eq!(refused("<Update/>").reason, Reason::MissingElement("UpdateIdentity"));
}

#[test]
fn identities_must_be_valid() {
    let id = "00000000-0000-0000-0000-000000000abc";
    assert!(matches!(changed(&software(), id, "nonsense").reason, Reason::Value { name: "UpdateID", .. }));
    for bad in ["-1", "2147483648", "one", ""] {
        let error = changed(&software(), "RevisionNumber=\"7\"", &format!("RevisionNumber=\"{bad}\""));
        assert!(matches!(error.reason, Reason::Value { .. } | Reason::Unexpected { .. }), "{error}");
    }
    assert_eq!(
        changed(&software(), "RevisionNumber=\"7\"", "").reason,
        Reason::MissingAttribute("RevisionNumber")
    );
}

#[test]
fn sections_may_not_repeat() {
    let error =
        changed(&software(), "<upd:Properties", "<upd:Properties UpdateType=\"Software\" /><upd:Properties");
    assert_eq!(error.reason, Reason::RepeatedElement("Properties"));
}

#[test]
fn relationships_with_oneself_and_empty_clauses() {
    let own = revision(0xabc);
    let mut document = software();
    document.relationships.prerequisites = vec![Clause::one(own.update)];
    assert_eq!(refused(&document.to_xml()).reason, Reason::SelfReference("its prerequisites"));
    document.relationships.prerequisites = vec![Clause { any_of: vec![], is_category: true }];
    assert_eq!(refused(&document.to_xml()).reason, Reason::EmptyClause("the prerequisites"));
    document.relationships.prerequisites.clear();
    document.relationships.bundles = vec![vec![own]];
    assert_eq!(refused(&document.to_xml()).reason, Reason::SelfReference("its bundled updates"));
    document.relationships.bundles = vec![vec![]];
    assert_eq!(refused(&document.to_xml()).reason, Reason::EmptyClause("the bundled updates"));
    document.relationships.bundles.clear();
    document.relationships.supersedes = vec![own.update];
    assert_eq!(refused(&document.to_xml()).reason, Reason::SelfReference("its superseded updates"));
}

#[test]
fn one_language_has_one_set_of_texts() {
    let mut document = software();
    document.texts.push(document.texts[0].clone());
    assert_eq!(refused(&document.to_xml()).reason, Reason::RepeatedLanguage("en".parse().unwrap()));
    let error = changed(&software(), "<upd:Language>en<", "<upd:Language>not a language<");
    assert!(matches!(error.reason, Reason::Value { name: "Language", .. }), "{error}");
    let error = changed(&software(), "<upd:Title>An update</upd:Title>", "");
    assert_eq!(error.reason, Reason::MissingElement("Title"));
}

#[test]
fn categories_need_their_level() {
    let category = Document::category(revision(1), CategoryKind::Company, "Company", None);
    let error = changed(&category, "CategoryInformation", "SomethingElse");
    assert_eq!(error.reason, Reason::MissingElement("CategoryInformation"));
    let error = changed(&category, "CategoryType=\"Company\"", "CategoryType=\"Shelf\"");
    assert!(matches!(error.reason, Reason::Value { name: "CategoryType", .. }));
    let error = changed(&category, "ProhibitsUpdates=\"true\"", "ProhibitsUpdates=\"perhaps\"");
    assert!(matches!(error.reason, Reason::Unexpected { name: "ProhibitsUpdates", .. }));
}

#[test]
fn files_need_digest_name_and_size() {
    let file = "<upd:Files><upd:File Digest=\"h/W9BGlYUAaqXTp30cZi/SiV3c0=\" DigestAlgorithm=\"SHA1\" FileName=\"a.exe\" Size=\"1\"/></upd:Files></upd:Update>";
    let xml = software().to_xml().replace("</upd:Update>", file);
    parse(xml.as_bytes(), &Limits::default()).expect("valid before the change");
    let changes = [
        ("h/W9BGlYUAaqXTp30cZi/SiV3c0=", "AAAA"),
        ("Digest=\"h/W9BGlYUAaqXTp30cZi/SiV3c0=\"", ""),
        ("SHA1", "SHA256"),
        ("Size=\"1\"", "Size=\"-1\""),
        ("Size=\"1\"", "Size=\"many\""),
        ("a.exe", "..\\a.exe"),
        ("a.exe", "x/a.exe"),
        ("a.exe", ""),
    ];
    for (from, to) in changes {
        let error = refused(&xml.replace(from, to));
        assert_eq!(error.element, "File", "{from} -> {to}: {error}");
    }
}

#[test]
fn drivers_need_what_matching_needs() {
    let entry =
        DriverEntry { hardware_id: "pci\\ven_1".to_owned(), ver_version: 1, ..DriverEntry::default() };
    let driver = Document::driver(revision(1), "Driver", vec![entry]);
    let changes = [
        ("HardwareID=\"pci\\ven_1\"", "HardwareID=\"\""),
        ("HardwareID=\"pci\\ven_1\"", ""),
        ("DriverVerVersion=\"0.0.0.1\"", "DriverVerVersion=\"1.2.3.70000\""),
        ("DriverVerVersion=\"0.0.0.1\"", "DriverVerVersion=\"new\""),
        ("DriverVerDate=\"1970-01-01\"", "DriverVerDate=\"soon\""),
        ("WhqlDriverID=\"0\"", "WhqlDriverID=\"-4\""),
    ];
    for (from, to) in changes {
        assert_eq!(changed(&driver, from, to).element, "WindowsDriverMetaData", "{from} -> {to}");
    }
    let error = changed(&driver, "WindowsDriverMetaData", "Unrelated");
    assert!(matches!(error.reason, Reason::Syntax(_)), "only the start tag was changed: {error}");
    let bare = Document::driver(revision(1), "Driver", vec![]);
    assert_eq!(refused(&bare.to_xml()).reason, Reason::MissingElement("WindowsDriverMetaData"));
}

#[test]
fn feature_scores_are_two_hexadecimal_digits() {
    let mut entry = DriverEntry { hardware_id: "x".to_owned(), ..DriverEntry::default() };
    entry
        .feature_scores
        .push(sluicegate_catalog::FeatureScore { operating_system: "AMD64.10.0".into(), score: 255 });
    let driver = Document::driver(revision(1), "Driver", vec![entry]);
    for bad in ["100", "G0", "", "+F"] {
        let error = changed(&driver, "FeatureScore=\"FF\"", &format!("FeatureScore=\"{bad}\""));
        assert_eq!(error.element, "FeatureScore", "{bad}");
    }
    let xml = driver.to_xml().replace("FeatureScore=\"FF\"", "FeatureScore=\"0x0A\"");
    assert_eq!(parse(xml.as_bytes(), &Limits::default()).unwrap().drivers[0].feature_scores[0].score, 10);
}

#[test]
fn hostile_xml_costs_little() {
    let bomb = "<!DOCTYPE u [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><Update>&b;</Update>";
    assert_eq!(refused(bomb).reason, Reason::Doctype);
    let deep = "<Update>".to_owned() + &"<a>".repeat(1_000_000);
    assert_eq!(refused(&deep).reason, Reason::TooDeep(256));
    let wide = format!("<Update {}/>", (0..1000).map(|n| format!("a{n}=\"\" ")).collect::<String>());
    assert_eq!(refused(&wide).reason, Reason::TooManyAttributes(256));
}

mod arbitrary {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Damage anywhere gives a document or an error, never a panic.
        #[test]
        fn damaged_documents_are_answered(at in any::<prop::sample::Index>(), with in prop::collection::vec(any::<u8>(), 0..6), cut in 0_usize..40) {
            let mut document = software();
            document.relationships.prerequisites = vec![Clause::category(UpdateId(Guid::from_u128(5)))];
            let mut bytes = document.to_xml().into_bytes();
            let start = at.index(bytes.len());
            let end = (start + cut).min(bytes.len());
            bytes.splice(start..end, with);
            let _ = parse(&bytes, &Limits::default());
        }

        #[test]
        fn arbitrary_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes, &Limits::default());
        }
    }
}
