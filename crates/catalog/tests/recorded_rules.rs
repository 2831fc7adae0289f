//! Rules of the recorded documents, judged on computers one would expect to meet.

mod support;

use sluicegate_catalog::applicability::{
    Applicability, FileFacts, RegistryValue, Rules, SimulatedFacts, evaluate, evaluate_bundle,
};
use sluicegate_catalog::{Limits, parse};
use std::collections::BTreeMap;
use std::path::Path;

const UPDATES: &str = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows Defender\\Signature Updates";
const MISCELLANEOUS: &str =
    "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows Defender\\Miscellaneous Configuration";

fn recorded(shared: &Path) -> BTreeMap<String, Rules> {
    let documents = support::documents(shared).into_iter();
    documents
        .map(|(name, bytes)| {
            let document = parse(&bytes, &Limits::default()).expect("a recorded document");
            let rules =
                Rules::from_core(&document.fragments.core, &Limits::default()).expect("readable rules");
            (name.chars().take(8).collect(), rules)
        })
        .collect()
}

/// A workstation with antivirus files of these versions.
fn computer(engine: &str, signatures: &str) -> SimulatedFacts {
    let mut computer = SimulatedFacts::workstation(26200);
    let folder = "C:\\ProgramData\\Definitions";
    computer.set_value(UPDATES, "SignatureLocation", RegistryValue::Text(folder.to_owned()));
    computer.set_file(&format!("{folder}\\mpengine.dll"), engine.parse().expect("a version"));
    for name in ["mpasdlta.vdm", "mpavdlta.vdm"] {
        computer.set_file(&format!("{folder}\\{name}"), signatures.parse().expect("a version"));
    }
    computer
}

#[test]
fn categories_are_installed_where_they_should_be() {
    let Some(shared) = support::shared() else { return };
    let rules = recorded(&shared);
    let (client, server) = (SimulatedFacts::workstation(26200), SimulatedFacts::server(26100));
    for always in ["56309036", "6964aab4"] {
        assert_eq!(evaluate(&rules[always], &client), Applicability::Installed);
    }
    assert_eq!(evaluate(&rules["dd78b8a1"], &client), Applicability::Installed);
    assert_eq!(evaluate(&rules["dd78b8a1"], &server), Applicability::NotApplicable, "workstations only");
}

#[test]
fn an_engine_is_installed_needed_or_left_to_a_delta() {
    let Some(shared) = support::shared() else { return };
    let rules = &recorded(&shared)["ff36f0b5"];
    assert_eq!(evaluate(rules, &computer("1.1.26080.3", "1.459.547.0")), Applicability::Installed);
    assert_eq!(evaluate(rules, &computer("1.1.26050.1", "1.450.0.0")), Applicability::Installable);
    // A delta package exists for exactly this engine, so the full one is not offered...
    let mut patchable = computer("1.1.26070.7", "1.450.0.0");
    assert_eq!(evaluate(rules, &patchable), Applicability::NotApplicable);
    // ...unless the delta failed before.
    patchable.set_value(MISCELLANEOUS, "DeltaUpdateFailure", RegistryValue::Dword(1));
    assert_eq!(evaluate(rules, &patchable), Applicability::Installable);
    // Without any antivirus files the folder is unknown to the registry: not installed, and installable.
    assert_eq!(evaluate(rules, &SimulatedFacts::workstation(26200)), Applicability::Installable);
}

#[test]
fn full_deltas_are_installed_needed_or_not() {
    let Some(shared) = support::shared() else { return };
    let all = recorded(&shared);
    let rules = &all["266f6222"];
    assert_eq!(evaluate(rules, &computer("1.1.26080.3", "1.459.547.0")), Applicability::Installed);
    assert_eq!(evaluate(rules, &computer("1.1.26080.3", "1.459.100.0")), Applicability::Installable);
    assert_eq!(evaluate(rules, &computer("1.1.26080.3", "1.459.516.0")), Applicability::NotApplicable);
    // The licensing value turns the offer off.
    let mut licensed = computer("1.1.26080.3", "1.459.100.0");
    licensed.licenses.insert("CE163B38-1AEC-47AF-854D-FC90ABD6951C".to_owned(), 1);
    assert_eq!(evaluate(rules, &licensed), Applicability::NotApplicable);
    // A signature file without version resource counts as no version at all.
    let mut broken = computer("1.1.26080.3", "1.459.547.0");
    broken.set_file_facts("C:\\ProgramData\\Definitions\\mpasdlta.vdm", FileFacts::default());
    assert_eq!(evaluate(rules, &broken), Applicability::Installable);
    // The other recorded package is an earlier one of the same kind.
    assert_ne!(all["266f6222"], all["7366a74a"]);
    assert_eq!(
        evaluate(&all["7366a74a"], &computer("1.1.26080.3", "1.459.100.0")),
        Applicability::Installable
    );
}

#[test]
fn bundles_have_no_rules_and_follow_their_members() {
    let Some(shared) = support::shared() else { return };
    let all = recorded(&shared);
    for bundle in ["1f9bd9bb", "a2fef9b0", "ccb78947"] {
        assert!(all[bundle].is_empty(), "{bundle}");
    }
    let member = |engine: &str| evaluate(&all["ff36f0b5"], &computer(engine, "1.450.0.0"));
    assert_eq!(
        evaluate_bundle(&[vec![member("1.1.26050.1"), Applicability::NotApplicable]]),
        Applicability::Installable
    );
    assert_eq!(
        evaluate_bundle(&[vec![member("1.1.26080.3"), Applicability::NotApplicable]]),
        Applicability::Installed
    );
}

#[test]
fn every_operator_of_the_recorded_rules_is_known() {
    let Some(shared) = support::shared() else { return };
    for (name, rules) in recorded(&shared) {
        for facts in [SimulatedFacts::workstation(26200), SimulatedFacts::server(20348)] {
            let verdict = evaluate(&rules, &facts);
            assert!(!matches!(verdict, Applicability::Unknown(_)), "{name}: {verdict:?}");
        }
    }
}
