//! Every rule against samples of its own: what must be found is found, what only looks like it is not,
//! in every encoding that Windows writes logs in. A sample is a file, or a folder of logs that belong
//! together, named `positive…` or `near…`, or `related…` where the problem leaves no line of its own and
//! must be explained beside another.

use sluicegate_doctor::{Doctor, Finding, Limits};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Logs that belong together, as (name, bytes).
type Logs = Vec<(String, Vec<u8>)>;

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")
}

/// The samples of one rule whose names begin with `kind`, each as a list of (name, bytes).
fn of(rule: &Path, kind: &str) -> Vec<(String, Logs)> {
    let mut found = Vec::new();
    let mut entries: Vec<PathBuf> = std::fs::read_dir(rule).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with(kind) {
            let mut logs = Vec::new();
            gather(&path, &mut logs);
            found.push((name, logs));
        }
    }
    found
}

fn gather(path: &Path, logs: &mut Logs) {
    if path.is_dir() {
        let mut inside: Vec<PathBuf> = std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).collect();
        inside.sort();
        inside.iter().for_each(|p| gather(p, logs));
    } else {
        logs.push((path.display().to_string(), std::fs::read(path).unwrap()));
    }
}

fn rules() -> Vec<(String, PathBuf)> {
    let mut rules: Vec<_> = std::fs::read_dir(samples())
        .unwrap()
        .map(|e| e.unwrap())
        .map(|e| (e.file_name().to_string_lossy().into_owned(), e.path()))
        .collect();
    rules.sort();
    rules
}

fn examine(doctor: &Doctor, logs: &[(String, Vec<u8>)]) -> Vec<Finding> {
    doctor.examine_bytes(logs.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))).unwrap()
}

fn ids(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|f| format!("{} {}", f.problem, f.confidence.word())).collect()
}

/// The problems that are explained beside what was found.
fn related(findings: &[Finding]) -> BTreeSet<&str> {
    findings.iter().flat_map(|f| f.related.iter().map(|r| r.problem.as_str())).collect()
}

#[test]
fn every_rule_has_samples_that_show_it_and_near_misses() {
    let doctor = Doctor::builtin().unwrap();
    for rule in doctor.book().rules() {
        let folder = samples().join(&rule.id);
        assert!(folder.is_dir(), "no samples for {}", rule.id);
        let found = rule.code.is_some() || !rule.matches.is_empty();
        for kind in [if found { "positive" } else { "related" }, "near"] {
            assert!(!of(&folder, kind).is_empty(), "{} has no {kind} sample", rule.id);
        }
    }
    let known: BTreeSet<&str> = doctor.book().rules().iter().map(|r| r.id.as_str()).collect();
    for (id, _) in rules() {
        assert!(known.contains(id.as_str()), "samples for a rule that does not exist: {id}");
    }
}

#[test]
fn what_leaves_no_line_is_explained_beside_each_finding_it_stands_with() {
    let doctor = Doctor::builtin().unwrap();
    for (id, folder) in rules() {
        let mut beside = BTreeSet::new();
        for (name, logs) in of(&folder, "related") {
            let findings = examine(&doctor, &logs);
            assert!(related(&findings).contains(id.as_str()), "{id}/{name}: beside {:?}", ids(&findings));
            assert!(!findings.iter().any(|f| f.problem == id), "{id}/{name} shows it outright");
            for finding in &findings {
                if let Some(told) = finding.related.iter().find(|r| r.problem == id) {
                    assert!(!told.cause.is_empty() && !told.remedy.is_empty(), "{id}/{name}");
                    beside.insert(finding.problem.clone());
                }
            }
        }
        let rule = doctor.book().rules().iter().find(|r| r.id == id).unwrap();
        if rule.code.is_none() && rule.matches.is_empty() {
            let named: BTreeSet<String> = rule.explained_with.iter().cloned().collect();
            assert_eq!(beside, named, "{id}: the findings its samples have, and those it names");
        }
    }
}

#[test]
fn positive_samples_are_found_with_evidence_that_stands_in_them() {
    let doctor = Doctor::builtin().unwrap();
    let mut failures = Vec::new();
    for (id, folder) in rules() {
        for (name, logs) in of(&folder, "positive") {
            let findings = examine(&doctor, &logs);
            let Some(finding) = findings.iter().find(|f| f.problem == id) else {
                failures.push(format!("{id}/{name}: found only {:?}", ids(&findings)));
                continue;
            };
            assert!(!finding.evidence.is_empty(), "{id}/{name}: no evidence");
            for evidence in &finding.evidence {
                let (_, bytes) = logs.iter().find(|(n, _)| *n == evidence.file).unwrap();
                let text = String::from_utf8_lossy(bytes).into_owned();
                let line = text.lines().nth(evidence.line as usize - 1).unwrap_or_default();
                let clean: String =
                    line.chars().take(500).map(|c| if c.is_control() { ' ' } else { c }).collect();
                assert_eq!(evidence.text, clean.trim(), "{id}/{name}: line {} is another", evidence.line);
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn near_misses_are_not_found() {
    let doctor = Doctor::builtin().unwrap();
    let mut failures = Vec::new();
    for (id, folder) in rules() {
        for (name, logs) in of(&folder, "near") {
            let findings = examine(&doctor, &logs);
            let told = !of(&folder, "related").is_empty() && related(&findings).contains(id.as_str());
            if told || findings.iter().any(|f| f.problem == id) {
                failures.push(format!("{id}/{name}: {:?}", ids(&findings)));
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn positive_samples_are_found_in_every_encoding() {
    let doctor = Doctor::builtin().unwrap();
    let pages = [
        encoding_rs::SHIFT_JIS,
        encoding_rs::WINDOWS_1250,
        encoding_rs::WINDOWS_1251,
        encoding_rs::WINDOWS_1252,
        encoding_rs::WINDOWS_1254,
        encoding_rs::GBK,
        encoding_rs::EUC_KR,
    ];
    let mut used = BTreeSet::new();
    for (id, folder) in rules() {
        for (name, logs) in of(&folder, "positive") {
            let mut forms: Vec<(String, Logs)> = Vec::new();
            for (form, mark, big) in [
                ("utf-16le", false, false),
                ("utf-16le with mark", true, false),
                ("utf-16be with mark", true, true),
                ("utf-16be", false, true),
            ] {
                forms.push((form.to_owned(), each(&logs, |text| utf16(text, mark, big))));
            }
            forms.push((
                "utf-8 with mark".to_owned(),
                each(&logs, |text| [b"\xEF\xBB\xBF", text.as_bytes()].concat()),
            ));
            for page in pages {
                let fits = logs.iter().all(|(_, b)| !page.encode(std::str::from_utf8(b).unwrap()).2);
                let foreign = logs.iter().any(|(_, b)| !b.is_ascii());
                if fits && foreign {
                    used.insert(page.name());
                    forms
                        .push((page.name().to_owned(), each(&logs, |text| page.encode(text).0.into_owned())));
                }
            }
            let before: BTreeSet<String> = ids(&examine(&doctor, &logs)).into_iter().collect();
            for (form, logs) in forms {
                let after: BTreeSet<String> = ids(&examine(&doctor, &logs)).into_iter().collect();
                assert_eq!(before, after, "{id}/{name} as {form}");
            }
        }
    }
    assert!(used.len() >= 6, "legacy code pages that a sample fits: {used:?}");
}

fn each(logs: &[(String, Vec<u8>)], form: impl Fn(&str) -> Vec<u8>) -> Logs {
    logs.iter().map(|(name, bytes)| (name.clone(), form(std::str::from_utf8(bytes).unwrap()))).collect()
}

fn utf16(text: &str, mark: bool, big: bool) -> Vec<u8> {
    let units = mark.then_some(0xFEFFu16).into_iter().chain(text.encode_utf16());
    units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

/// Words of exceptions that only one language has. The logs around them are English everywhere.
const LANGUAGES: [(&str, &[&str]); 11] = [
    (
        "english",
        &["could not be resolved", "request failed with", "Unable to connect to", "Key in dictionary:"],
    ),
    ("german", &["konnte nicht aufgel", "Fehler bei der", "Die Verbindung mit", "Das Element wurde"]),
    ("french", &["Le nom distant", "La demande a", "Impossible de se connecter", "L'élément a"]),
    ("spanish", &["No se puede resolver"]),
    ("polish", &["Nie można", "Żądanie nie powiodło", "Element został"]),
    ("norwegian", &["Kan ikke", "Forespørselen mislyktes", "Elementet er allerede"]),
    ("russian", &["Невозможно", "Сбой запроса", "Элемент уже"]),
    ("turkish", &["Öğe zaten"]),
    ("japanese", &["できませ", "失敗しました", "辞書のキー"]),
    ("korean", &["원격 이름", "항목이 이미"]),
    ("chinese", &["未能解析", "已添加了"]),
];

/// The languages in which logs quote an exception.
fn languages(logs: &Logs) -> BTreeSet<&'static str> {
    let texts: Vec<&str> = logs.iter().filter_map(|(_, bytes)| std::str::from_utf8(bytes).ok()).collect();
    LANGUAGES
        .into_iter()
        .filter(|(_, words)| words.iter().any(|word| texts.iter().any(|text| text.contains(word))))
        .map(|(language, _)| language)
        .collect()
}

#[test]
fn the_story_is_told_in_at_least_six_languages() {
    for rule in ["P-11", "P-12", "P-13", "P-30"] {
        let mut told = BTreeSet::new();
        for (name, logs) in of(&samples().join(rule), "positive") {
            let spoken = languages(&logs);
            if let Some((named, _)) = LANGUAGES.iter().find(|(language, _)| name.contains(language)) {
                assert_eq!(spoken, BTreeSet::from([*named]), "{rule}/{name}");
            }
            told.extend(spoken);
        }
        assert!(told.len() >= 6, "{rule} is told in {told:?}");
    }
}

#[test]
fn every_row_of_the_known_problems_is_found_or_explained() {
    let doctor = Doctor::builtin().unwrap();
    let known: BTreeSet<&str> = doctor.book().rules().iter().map(|r| r.id.as_str()).collect();
    let rows = (1..=5).chain(10..=14).chain(20..=26).chain(30..=39);
    for row in rows {
        let id = format!("P-{row:02}");
        assert!(known.contains(id.as_str()), "{id} has no rule");
    }
    let findings = examine(&doctor, &of(&samples().join("P-05"), "positive").remove(0).1);
    let finding = findings.iter().find(|f| f.problem == "P-05").unwrap();
    let related: Vec<&str> = finding.related.iter().map(|r| r.problem.as_str()).collect();
    assert_eq!(related, ["P-20", "P-21"]);
}

#[test]
fn a_healthy_log_has_no_finding() {
    let doctor = Doctor::builtin().unwrap();
    for (rule, name) in [("P-10", "near-good.log"), ("P-25", "near-done.log"), ("P-02", "near-connected.log")]
    {
        let bytes = std::fs::read(samples().join(rule).join(name)).unwrap();
        let findings = examine(&doctor, &[(name.to_owned(), bytes)]);
        assert!(findings.is_empty(), "{rule}/{name}: {:?}", ids(&findings));
    }
}

#[test]
fn folders_of_logs_are_read_like_the_logs_themselves() {
    let doctor = Doctor::builtin().unwrap();
    let folder = samples().join("P-30/positive-japanese");
    let report = doctor.examine(&[folder], &Limits::default(), &mut |_| {}).unwrap();
    assert_eq!(report.files.len(), 2);
    assert_eq!(report.findings.first().unwrap().problem, "P-30");
    assert_eq!(report.findings.first().unwrap().confidence.word(), "certain");
}
