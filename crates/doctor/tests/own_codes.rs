//! The codes under which Sluicegate itself logs why a synchronization failed: whichever one a source of
//! `upstream` can write is explained, in both forms of our logs.

use sluicegate_doctor::Doctor;
use std::collections::BTreeSet;
use std::path::Path;

const KINDS: [&str; 5] =
    ["UssCommunicationError", "DssAuthenticationError", "UssFault", "LocalError", "ContentError"];

/// Every string in the sources that is a code.
fn codes(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            codes(&entry, found);
        } else {
            let text = std::fs::read_to_string(&entry).unwrap();
            let quoted = text.split('"');
            found.extend(quoted.filter(|word| is_code(word)).map(str::to_owned));
        }
    }
}

fn is_code(word: &str) -> bool {
    let Some((kind, rest)) = word.split_once('/') else { return false };
    KINDS.contains(&kind) && !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphabetic())
}

#[test]
fn every_code_of_a_failed_synchronization_is_explained() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../upstream/src");
    let mut known = BTreeSet::new();
    codes(&sources, &mut known);
    for kind in KINDS {
        assert!(known.iter().any(|code| code.starts_with(kind)), "no code of {kind} among {known:?}");
    }
    let doctor = Doctor::builtin().unwrap();
    for code in known {
        let message = if code.starts_with("ContentError/") {
            "a file did not come"
        } else {
            "synchronization ended early"
        };
        let text = format!(
            "2026-03-03 09:00:08.250 UTC\tWarning\tsluicegate.7\tUpstream\t{message} code={code} error=x\n"
        );
        let json = format!(
            "{{\"timestamp\":\"2026-03-03T09:00:08.250Z\",\"level\":\"WARN\",\"message\":\"{message}\",\
             \"code\":\"{code}\",\"error\":\"x\"}}\n"
        );
        for log in [text, json] {
            let findings = doctor.examine_bytes([("a.log", log.as_bytes())]).unwrap();
            let first = findings.first().unwrap_or_else(|| panic!("{code} is not explained: {log}"));
            assert!(first.confidence.word() != "possible", "{code}: {first:?}");
            assert_eq!(first.evidence.first().unwrap().line, 1, "{code}");
        }
    }
}

#[test]
fn a_cancelled_synchronization_is_no_finding() {
    let log = "2026-03-03 09:00:08.250 UTC\tWarning\tsluicegate.7\tUpstream.Synchronizer\tsynchronization ended \
               early run=3 code=Cancelled error=\"the synchronization was cancelled\"\n";
    let findings = Doctor::builtin().unwrap().examine_bytes([("a.log", log.as_bytes())]).unwrap();
    assert!(findings.is_empty(), "{findings:?}");
}
