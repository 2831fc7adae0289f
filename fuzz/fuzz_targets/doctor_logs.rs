//! Logs given to the doctor, several in one input: whatever they hold, what is found has bounds, names lines
//! that are there, and is found again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluicegate_doctor::Doctor;
use std::sync::LazyLock;

static DOCTOR: LazyLock<Doctor> = LazyLock::new(|| Doctor::builtin().expect("the built-in rules are good"));

/// Parts one log from the next.
const SEPARATOR: u8 = 0x1E;
const NAMES: [&str; 4] = ["WindowsUpdate.log", "SoftwareDistribution.log", "wsyncmgr.log", "u_ex260102.log"];

fuzz_target!(|data: &[u8]| {
    let logs = || NAMES.into_iter().zip(data.split(|byte| *byte == SEPARATOR));
    let findings = DOCTOR.examine_bytes(logs()).expect("the built-in rules can be used");
    for finding in &findings {
        assert!(finding.count > 0 && finding.evidence.len() <= 24, "{finding:?}");
        for evidence in &finding.evidence {
            let (_, log) = logs().find(|(name, _)| *name == evidence.file).expect("a log that was given");
            let lines = log.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
            assert!((1..=lines).contains(&evidence.line), "{evidence:?} of {lines} lines");
            assert!(evidence.text.chars().count() <= 500, "{evidence:?}");
        }
    }
    assert_eq!(DOCTOR.examine_bytes(logs()).as_ref().ok(), Some(&findings));
});
