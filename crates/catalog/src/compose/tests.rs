use super::*;
use crate::{FeatureScore, Limits, parse};
use sluicegate_terms::{RevisionNumber, Sha1Digest, Sha256Digest};

fn id(number: u128) -> UpdateId {
    UpdateId(Guid::from_u128(number))
}
fn revision(number: u128, revision: i64) -> UpdateIdentity {
    UpdateIdentity { update: id(number), revision: RevisionNumber::new(revision).unwrap() }
}
fn file(name: &str) -> FileEntry {
    FileEntry {
        name: name.to_owned(),
        size: 1234,
        sha1: Sha1Digest([7; 20]),
        sha256: Some(Sha256Digest([9; 32])),
        modified: Some("2026-01-02T03:04:05Z".parse().unwrap()),
        patching: Some("SelfContained".to_owned()),
    }
}

/// Everything a document can say, with characters that need care.
fn full() -> Document {
    let mut document = Document::software(revision(1, 200), "Tools & \"more\" <1>");
    document.properties.auto_select_on_web_sites = true;
    document.properties.os_upgrade = true;
    document.properties.expired = true;
    document.properties.created = Some("2026-05-06T07:08:09.123Z".parse().unwrap());
    document.properties.handler = Some(COMMAND_LINE.to_owned());
    document.properties.eula_id = Some(Guid::from_u128(77));
    document.properties.max_download_size = Some(1234);
    document.properties.kb = vec!["5000001".to_owned()];
    document.properties.severity = Some("Critical".to_owned());
    document.properties.bulletins = vec!["MS26-001".to_owned()];
    document.properties.cves = vec!["CVE-2026-0001".to_owned(), "CVE-2026-0002".to_owned()];
    document.properties.support_url = Some("https://help.invalid/?a=1&b=2".to_owned());
    document.properties.reboot = Some("CanRequestReboot".to_owned());
    document.properties.can_uninstall = true;
    document.texts.push(LocalizedText {
        language: "de".parse().unwrap(),
        title: "Werkzeuge für „alle“".to_owned(),
        description: "Erste Zeile\nzweite".to_owned(),
        more_info_url: Some("https://mehr.invalid/".to_owned()),
        support_url: None,
    });
    document.relationships = Relationships {
        prerequisites: vec![
            Clause::one(id(2)),
            Clause { any_of: vec![id(3), id(4)], is_category: false },
            Clause::category(id(5)),
        ],
        bundles: vec![vec![revision(6, 1), revision(7, 2)], vec![revision(8, 0)]],
        supersedes: vec![id(9), id(10)],
    };
    document.rules = RuleTexts {
        is_installed: Some("<And><b.RegKeyExists Key=\"HKEY_LOCAL_MACHINE\" Subkey=\"A&amp;B\" /><Not><False /></Not></And>".to_owned()),
        is_superseded: Some("<CbsPackageInstalled />".to_owned()),
        is_installable: Some("<m.MsiProductInstalled ProductCode=\"{1}\" />".to_owned()),
        metadata: Some("<m.MsiPatchMetadata><MsiPatch xmlns=\"http://www.microsoft.com/msi/patch_applicability.xsd\" MinMsiVersion=\"3\"><TargetProduct>x</TargetProduct></MsiPatch></m.MsiPatchMetadata>".to_owned()),
    };
    document.files = vec![file("tool.exe"), FileEntry { sha256: None, patching: None, ..file("more.cab") }];
    document.eulas = vec![
        EulaFile { language: "en".parse().unwrap(), geo_id: None, file: file("eula.txt") },
        EulaFile {
            language: "en".parse().unwrap(),
            geo_id: Some("DEU".to_owned()),
            file: file("eula-deu.txt"),
        },
    ];
    document.command = Some(Command { program: "tool.exe".to_owned(), arguments: "/q \"x y\"".to_owned() });
    document
}

#[test]
fn everything_written_is_read_back() {
    let written = full();
    let read = parse(written.to_xml().as_bytes(), &Limits::default()).unwrap();
    assert_eq!(read.identity, written.identity);
    assert_eq!(read.kind, written.kind);
    assert_eq!(read.properties, written.properties);
    assert_eq!(read.texts, written.texts);
    assert_eq!(read.relationships, written.relationships);
    assert_eq!(read.files, written.files);
    assert_eq!(read.eulas, written.eulas);
    let rules = [
        &written.rules.is_installed,
        &written.rules.is_superseded,
        &written.rules.is_installable,
        &written.rules.metadata,
    ];
    for rule in rules {
        let rule = rule.as_deref().unwrap();
        assert!(read.fragments.core.contains(rule), "{rule} not in {}", read.fragments.core);
    }
}

#[test]
fn drivers_written_are_read_back() {
    let driver = DriverEntry {
        hardware_id: "pci\\ven_1234&dev_5678".to_owned(),
        ver_date: "2025-06-07".parse().unwrap(),
        ver_version: 0x0001_0002_0003_0004,
        class: "Printers".to_owned(),
        manufacturer: "Maker".to_owned(),
        provider: "Provider".to_owned(),
        model: "Model <1>".to_owned(),
        whql_driver_id: 4_000_000_000,
        compatible_providers: vec!["Other".to_owned()],
        feature_scores: vec![FeatureScore { operating_system: "AMD64.10.0".to_owned(), score: 0xE6 }],
        distribution_computer_ids: vec![Guid::from_u128(5)],
        target_computer_ids: vec![Guid::from_u128(6), Guid::from_u128(7)],
    };
    let document = Document::driver(revision(1, 1), "A driver", vec![driver.clone()]);
    let read = parse(document.to_xml().as_bytes(), &Limits::default()).unwrap();
    assert_eq!(read.drivers, [driver]);
    assert_eq!(read.kind, UpdateKind::Driver);
    assert!(
        read.fragments.core.contains("<d.WindowsDriverMetaData HardwareID=\"pci\\ven_1234&amp;dev_5678\"")
    );
    assert!(read.fragments.core.contains("<IsInstalled><d.WindowsDriverInstalled /></IsInstalled>"));
}

#[test]
fn categories_and_detectoids_written_are_read_back() {
    let category = Document::category(revision(1, 3), CategoryKind::Product, "Product", Some(id(2)));
    let read = parse(category.to_xml().as_bytes(), &Limits::default()).unwrap();
    assert_eq!(read.category, category.category);
    assert_eq!(read.scan_record().category_kind, Some(CategoryKind::Product));
    assert_eq!(read.relationships.prerequisites, [Clause::category(id(2))]);

    let detectoid = Document::detectoid(revision(4, 1), "Detects", "<b.Processor Architecture=\"9\" />");
    let read = parse(detectoid.to_xml().as_bytes(), &Limits::default()).unwrap();
    assert_eq!(read.kind, UpdateKind::Detectoid);
    assert_eq!(
        read.fragments.core,
        "<UpdateIdentity UpdateID=\"00000000-0000-0000-0000-000000000004\" RevisionNumber=\"1\" /><Properties UpdateType=\"Detectoid\" /><ApplicabilityRules><IsInstalled><b.Processor Architecture=\"9\" /></IsInstalled></ApplicabilityRules>"
    );
}

#[test]
fn malformed_rules_make_a_document_that_is_refused() {
    let document = Document::detectoid(revision(4, 1), "Detects", "<b.Processor");
    let error = parse(document.to_xml().as_bytes(), &Limits::default()).unwrap_err();
    assert!(matches!(error.reason, crate::Reason::Syntax(_)), "{error}");
}

#[test]
fn lists_show_the_default_language_and_sorted_categories() {
    let mut document = full();
    document.relationships.prerequisites.push(Clause::category(id(50)));
    document.relationships.prerequisites.push(Clause::category(id(51)));
    document.relationships.prerequisites.push(Clause::category(id(50)));
    let read =
        |document: &Document| parse(document.to_xml().as_bytes(), &Limits::default()).unwrap().listing();
    let mut listing = read(&document);
    assert_eq!(listing.title, "Tools & \"more\" <1>");
    assert_eq!(listing.languages, ["en", "de"]);
    assert_eq!(listing.support_url.as_deref(), Some("https://help.invalid/?a=1&b=2"));
    assert_eq!(listing.categories, [id(5), id(50), id(51)]);
    assert_eq!((listing.classification, listing.products.len()), (None, 0));
    listing.classify(|category| match category {
        c if c == id(50) => Some(CategoryKind::UpdateClassification),
        c if c == id(5) => Some(CategoryKind::Product),
        _ => None,
    });
    assert_eq!((listing.classification, listing.products.as_slice()), (Some(id(50)), [id(5)].as_slice()));

    document.properties.default_language = Some("de".parse().unwrap());
    let german = read(&document);
    assert_eq!(
        (german.title.as_str(), german.description.as_str()),
        ("Werkzeuge für „alle“", "Erste Zeile\nzweite")
    );
    document.properties.default_language = Some("fr".parse().unwrap());
    assert_eq!(read(&document).title, "Tools & \"more\" <1>", "English when the default is absent");
    document.texts.clear();
    assert_eq!(read(&document).title, id(1).to_string());
}

mod properties {
    use super::*;
    use crate::ScanRecord;
    use proptest::prelude::*;

    fn text() -> impl Strategy<Value = String> {
        // Everything XML can carry, white space and markup in front of and between it.
        "[a-z<>&\"' \t\n\r\u{e9}\u{4e2d}\u{1f600}]{0,12}x".prop_map(String::from)
    }
    fn document() -> impl Strategy<Value = Document> {
        let ids = || prop::collection::vec(2_u128..40, 1..4);
        (
            (0_i64..i64::from(i32::MAX), text(), text(), any::<bool>(), any::<bool>()),
            prop::collection::vec((ids(), any::<bool>()), 0..4),
            prop::collection::vec(ids(), 0..3),
            prop::collection::vec(2_u128..40, 0..4),
            prop::collection::vec((text(), any::<u64>(), any::<u32>(), any::<u8>()), 0..3),
        )
            .prop_map(
                |((number, title, description, deployable, expired), needs, bundles, supersedes, drivers)| {
                    let mut document = Document::software(revision(1, number), &title);
                    document.texts[0].description = description;
                    document.properties.explicitly_deployable = deployable;
                    document.properties.expired = expired;
                    document.relationships.prerequisites = needs
                        .into_iter()
                        .map(|(ids, is_category)| Clause {
                            any_of: ids.into_iter().map(id).collect(),
                            is_category,
                        })
                        .collect();
                    document.relationships.bundles = bundles
                        .into_iter()
                        .map(|ids| ids.into_iter().map(|n| revision(n, 3)).collect())
                        .collect();
                    document.relationships.supersedes = supersedes.into_iter().map(id).collect();
                    document.drivers = drivers
                        .into_iter()
                        .map(|(hardware_id, ver_version, whql_driver_id, score)| DriverEntry {
                            hardware_id,
                            ver_version,
                            whql_driver_id,
                            feature_scores: vec![FeatureScore {
                                operating_system: "ARM64.10.0".to_owned(),
                                score,
                            }],
                            ..DriverEntry::default()
                        })
                        .collect();
                    document
                },
            )
    }

    proptest! {
        /// What is composed is read back, and its Core fragment tells an agent the same.
        #[test]
        fn documents_and_their_core_fragments_say_the_same(written in document()) {
            let read = parse(written.to_xml().as_bytes(), &Limits::default()).unwrap();
            prop_assert_eq!(&read.texts, &written.texts);
            prop_assert_eq!(&read.relationships, &written.relationships);
            prop_assert_eq!(&read.drivers, &written.drivers);
            let record = read.scan_record();
            prop_assert_eq!(ScanRecord::decode(&record.encode()), Ok(record.clone()));
            let from_core = ScanRecord::from_core(&read.fragments.core, &Limits::default()).unwrap();
            prop_assert_eq!(ScanRecord { expired: record.expired, ..from_core }, record);
        }
    }
}
