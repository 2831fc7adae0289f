//! Demo: its updates. Each shows one thing a real catalog has: a chain of supersedence, a bundle with
//! alternatives, licence terms, a driver, something to remove, something to decline.

use super::catalog::{Catalog, Words, place, published, say};
use super::ids::{
    CONVERTER, DESK, DESK_412, DESK_413, DESK_420, DIAGNOSTICS, DICTIONARY, DRIVERS, FEATURES, FONTS,
    GAUGE_DRIVER, GAUGES, HAS_DESK, HAS_STATION, RUNTIME_DESK, RUNTIME_STATION, SECURITY, STATION,
    STATION_704, SUITE, SYNC_AGENT, UPDATES, VIEWER, X64, revision,
};
use super::rules;
use sluicegate_agent::simulated::{Ending, Package};
use sluicegate_catalog::compose::Document;
use sluicegate_catalog::document::EulaFile;
use sluicegate_catalog::{DriverEntry, FeatureScore, Version};
use sluicegate_terms::UpdateId;

/// Hardware id of the gauge.
pub(super) const GAUGE: &str = "USB\\VID_1209&PID_4E41";

/// An update of the workbench: id, version, article, and bytes of its file.
type Release = (UpdateId, &'static str, &'static str, usize);

/// Adds all updates.
pub(super) fn add_to(catalog: &mut Catalog) {
    desk_updates(catalog);
    extras(catalog);
    station(catalog);
    suite(catalog);
    driver(catalog);
}

/// The package that brings an update, as [`add_to`] puts it into the update's file. Computers that have
/// the update from the start have it from this.
pub(super) fn package(update: UpdateId) -> Package {
    let version = |key, version| Package::setting(&rules::full(key), &[("Version", version)]);
    let extra = |name, version| Package::setting(&rules::full(rules::EXTRAS), &[(name, version)]);
    match update {
        DESK_412 => version(rules::DESK, "4.1.2.0"),
        DESK_413 => version(rules::DESK, "4.1.3.0"),
        DESK_420 => Package { ending: Ending::Restarts, ..version(rules::DESK, "4.2.0.0") },
        STATION_704 => version(rules::STATION, "7.0.4.0"),
        VIEWER => extra("Viewer", "2.0"),
        DICTIONARY => extra("Dictionary", "3.5"),
        SYNC_AGENT => extra("SyncAgent", "1.8"),
        CONVERTER => extra("Converter", "1.0"),
        DIAGNOSTICS => extra("Diagnostics", "5.1"),
        RUNTIME_DESK => extra("Runtime", "26.1"),
        RUNTIME_STATION => extra("ServerRuntime", "26.1"),
        FONTS => extra("Fonts", "26.1"),
        _ => Package::setting(&rules::full(rules::EXTRAS), &[]),
    }
}

/// Software that brings a product or an extra to a version.
fn software(
    update: UpdateId,
    english: Words,
    german: Words,
    installed: String,
    installable: String,
) -> Document {
    let mut document = Document::software(revision(update), english.0);
    say(&mut document, english, german);
    document.rules.is_installed = Some(installed);
    document.rules.is_installable = Some(installable);
    document
}

fn desk_updates(catalog: &mut Catalog) {
    let chain: [(Release, &[UpdateId], Words, Words); 3] = [
        (
            (DESK_412, "4.1.2.0", "9904120", 180_000),
            &[],
            (
                "Security Update for Heron Desk 4.1.2 (KB9904120)",
                "Keeps a damaged measurement file from stopping the workbench.",
            ),
            (
                "Sicherheitsupdate für Heron Desk 4.1.2 (KB9904120)",
                "Verhindert, dass eine beschädigte Messdatei die Werkbank anhält.",
            ),
        ),
        (
            (DESK_413, "4.1.3.0", "9904130", 220_000),
            &[DESK_412],
            (
                "Security Update for Heron Desk 4.1.3 (KB9904130)",
                "Checks the origin of shared templates before they are opened.",
            ),
            (
                "Sicherheitsupdate für Heron Desk 4.1.3 (KB9904130)",
                "Prüft die Herkunft gemeinsamer Vorlagen, bevor sie geöffnet werden.",
            ),
        ),
        (
            (DESK_420, "4.2.0.0", "9904200", 2_700_000),
            &[DESK_413, DESK_412],
            (
                "Cumulative Update for Heron Desk 4.2 (KB9904200)",
                "Brings all corrections since version 4.0. The computer must be restarted.",
            ),
            (
                "Kumulatives Update für Heron Desk 4.2 (KB9904200)",
                "Bringt alle Korrekturen seit Version 4.0. Der Computer muss neu gestartet werden.",
            ),
        ),
    ];
    for ((update, version, kb, size), supersedes, english, german) in chain {
        let installed = rules::at_least(rules::DESK, version);
        let mut document =
            software(update, english, german, installed, rules::at_least(rules::DESK, "4.0.0.0"));
        document.relationships.supersedes = supersedes.to_vec();
        document.properties.kb = vec![kb.to_owned()];
        document.properties.severity =
            Some(if update == DESK_420 { "Critical" } else { "Important" }.to_owned());
        if update == DESK_420 {
            document.properties.reboot = Some("AlwaysRequiresReboot".to_owned());
        }
        place(&mut document, DESK, SECURITY, &[X64, HAS_DESK]);
        let name = format!("heron-desk-{}-x64.exe", version.trim_end_matches(".0"));
        catalog.installer(&mut document, &name, package(update).to_bytes(size));
        catalog.add(document);
    }
}

fn extras(catalog: &mut Catalog) {
    let all: [(UpdateId, &str, &str, &str, UpdateId, Words, Words); 5] = [
        (
            VIEWER,
            "Viewer",
            "2.0",
            "heron-viewer-2.0.exe",
            FEATURES,
            (
                "Heron Viewer 2.0",
                "Shows measurements on computers without the workbench. Comes with licence terms.",
            ),
            ("Heron Viewer 2.0", "Zeigt Messungen auf Computern ohne Werkbank. Mit Lizenzbestimmungen."),
        ),
        (
            DICTIONARY,
            "Dictionary",
            "3.5",
            "heron-dictionary-3.5.cab",
            FEATURES,
            ("Technical Dictionary 3.5 for Heron Desk", "Terms of measuring in eleven languages."),
            ("Fachwörterbuch 3.5 für Heron Desk", "Begriffe der Messtechnik in elf Sprachen."),
        ),
        (
            SYNC_AGENT,
            "SyncAgent",
            "1.8",
            "heron-sync-1.8.exe",
            UPDATES,
            (
                "Heron Sync Agent 1.8",
                "Copies measurements to Heron Station. Replaced by the shared folders of version 4.",
            ),
            (
                "Heron Sync-Agent 1.8",
                "Kopiert Messungen zu Heron Station. Ersetzt durch die gemeinsamen Ordner der Version 4.",
            ),
        ),
        (
            CONVERTER,
            "Converter",
            "1.0",
            "heron-converter-1.0.exe",
            UPDATES,
            ("Converter for Heron Desk 2 Files", "Reads files of a version that is no longer in use."),
            (
                "Konverter für Dateien von Heron Desk 2",
                "Liest Dateien einer Version, die nicht mehr benutzt wird.",
            ),
        ),
        (
            DIAGNOSTICS,
            "Diagnostics",
            "5.1",
            "heron-diagnostics-5.1.exe",
            UPDATES,
            ("Heron Diagnostics 5.1 (KB9905100)", "Finds out why a gauge does not answer."),
            ("Heron-Diagnose 5.1 (KB9905100)", "Findet heraus, warum eine Messuhr nicht antwortet."),
        ),
    ];
    for (update, value, version, file, classification, english, german) in all {
        let installed = rules::has_extra(value, version);
        // What is to go is offered nowhere any more.
        let offered = if update == SYNC_AGENT { "<False />".to_owned() } else { rules::windows(1) };
        let mut document = software(update, english, german, installed, offered);
        document.properties.can_uninstall = update == SYNC_AGENT;
        if update == DIAGNOSTICS {
            document.properties.kb = vec!["9905100".to_owned()];
        }
        place(&mut document, DESK, classification, &[X64]);
        catalog.installer(&mut document, file, package(update).to_bytes(60_000 + file.len() * 1_000));
        if update == VIEWER {
            licence(catalog, &mut document);
        }
        catalog.add(document);
    }
}

/// Licence terms in both languages.
fn licence(catalog: &mut Catalog, document: &mut Document) {
    document.properties.eula_id = Some(VIEWER.0);
    for (language, name, text) in [
        (
            "en",
            "heron-viewer-licence-en.txt",
            "Heron Viewer may be used by anybody, on as many computers as they like.\n",
        ),
        (
            "de",
            "heron-viewer-licence-de.txt",
            "Heron Viewer darf von jedem auf beliebig vielen Computern benutzt werden.\n",
        ),
    ] {
        let file = catalog.file(name, text.as_bytes().to_vec());
        if let Ok(language) = language.parse() {
            document.eulas.push(EulaFile { language, geo_id: None, file });
        }
    }
}

fn station(catalog: &mut Catalog) {
    let english = ("Service Update for Heron Station 7.0.4 (KB9907040)", "Speeds up nightly archiving.");
    let german =
        ("Wartungsupdate für Heron Station 7.0.4 (KB9907040)", "Beschleunigt die nächtliche Archivierung.");
    let installed = rules::at_least(rules::STATION, "7.0.4.0");
    let mut document = software(STATION_704, english, german, installed, rules::windows(3));
    document.properties.kb = vec!["9907040".to_owned()];
    place(&mut document, STATION, UPDATES, &[X64, HAS_STATION]);
    catalog.installer(&mut document, "heron-station-7.0.4.exe", package(STATION_704).to_bytes(1_300_000));
    catalog.add(document);
}

/// A bundle of two clauses: one of two runtimes, and the fonts.
fn suite(catalog: &mut Catalog) {
    let members: [(UpdateId, &str, UpdateId, String, Words, Words); 3] = [
        (
            RUNTIME_DESK,
            "Runtime",
            DESK,
            rules::windows(1),
            ("Heron Runtime 26.1 for workstations", "Part of Heron Suite 26.1."),
            ("Heron-Laufzeit 26.1 für Arbeitsplätze", "Teil der Heron-Suite 26.1."),
        ),
        (
            RUNTIME_STATION,
            "ServerRuntime",
            STATION,
            rules::windows(3),
            ("Heron Runtime 26.1 for servers", "Part of Heron Suite 26.1."),
            ("Heron-Laufzeit 26.1 für Server", "Teil der Heron-Suite 26.1."),
        ),
        (
            FONTS,
            "Fonts",
            DESK,
            "<True />".to_owned(),
            ("Heron Fonts 26.1", "Part of Heron Suite 26.1."),
            ("Heron-Schriften 26.1", "Teil der Heron-Suite 26.1."),
        ),
    ];
    for (update, value, product, installable, english, german) in members {
        let mut document = software(update, english, german, rules::has_extra(value, "26.1"), installable);
        document.properties.explicitly_deployable = false;
        place(&mut document, product, FEATURES, &[X64]);
        let file = format!("heron-{}-26.1.cab", value.to_ascii_lowercase());
        catalog.installer(&mut document, &file, package(update).to_bytes(90_000));
        catalog.add(document);
    }
    let mut bundle = Document::software(revision(SUITE), "Heron Suite 26.1");
    say(
        &mut bundle,
        (
            "Heron Suite 26.1",
            "The common parts of all Heron products: one runtime for each kind of computer, and the fonts.",
        ),
        (
            "Heron-Suite 26.1",
            "Die gemeinsamen Teile aller Heron-Produkte: je Computerart eine Laufzeit, dazu die Schriften.",
        ),
    );
    place(&mut bundle, DESK, FEATURES, &[X64]);
    bundle.relationships.bundles =
        vec![vec![revision(RUNTIME_DESK), revision(RUNTIME_STATION)], vec![revision(FONTS)]];
    catalog.add(bundle);
}

fn driver(catalog: &mut Catalog) {
    let entry = DriverEntry {
        hardware_id: GAUGE.to_ascii_lowercase(),
        ver_date: published(),
        ver_version: Version([3, 1, 0, 26]).packed().unwrap_or_default(),
        class: "USB".to_owned(),
        manufacturer: "Heron Works".to_owned(),
        provider: "Heron Works".to_owned(),
        model: "Heron Gauge N41".to_owned(),
        whql_driver_id: 4_100_026,
        feature_scores: vec![FeatureScore { operating_system: "AMD64.10.0".to_owned(), score: 0xc0 }],
        ..DriverEntry::default()
    };
    let mut document = Document::driver(revision(GAUGE_DRIVER), "Heron Gauge N41", vec![entry]);
    say(
        &mut document,
        ("Heron Works - USB - Heron Gauge N41 - 3.1.0.26", "Driver of the N41 gauge."),
        ("Heron Works - USB - Heron-Messuhr N41 - 3.1.0.26", "Treiber der Messuhr N41."),
    );
    place(&mut document, GAUGES, DRIVERS, &[]);
    let file = catalog.file("heron-gauge-n41-3.1.0.26.cab", package(GAUGE_DRIVER).to_bytes(140_000));
    document.properties.max_download_size = Some(file.size);
    document.files.push(file);
    catalog.add(document);
}
