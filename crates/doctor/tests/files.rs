//! Files as they are met: archives, damaged ones, lines without end, random bytes.

use flate2::write::GzEncoder;
use proptest::prelude::*;
use sluicegate_doctor::{Doctor, Limits, Report};
use std::io::Write as _;
use std::path::{Path, PathBuf};

fn doctor() -> &'static Doctor {
    static DOCTOR: std::sync::OnceLock<Doctor> = std::sync::OnceLock::new();
    DOCTOR.get_or_init(|| Doctor::builtin().unwrap())
}

fn examine(path: &Path, limits: &Limits) -> Report {
    doctor().examine(&[path.to_owned()], limits, &mut |_| {}).unwrap()
}

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)).unwrap()
}

fn zip(path: &Path, entries: &[(&str, &[u8])]) {
    let mut archive = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, bytes) in entries {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
}

fn problems(report: &Report) -> Vec<&str> {
    report.findings.iter().map(|f| f.problem.as_str()).collect()
}

#[test]
fn logs_in_a_zip_file_are_joined() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("support.zip");
    zip(
        &path,
        &[
            ("pc1\\WindowsUpdate.log", &sample("P-30/positive-polish/WindowsUpdate.log")),
            ("server/SoftwareDistribution.log", &sample("P-30/positive-polish/SoftwareDistribution.log")),
        ],
    );
    let report = examine(&path, &Limits::default());
    let finding = report.findings.first().unwrap();
    assert_eq!((finding.problem.as_str(), finding.confidence.word()), ("P-30", "certain"));
    assert!(finding.evidence.iter().any(|e| e.file.ends_with("support.zip/pc1/WindowsUpdate.log")));
    assert!(report.notes.is_empty(), "{:?}", report.notes);
}

#[test]
fn packed_and_rolled_logs_in_folders_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a/b");
    std::fs::create_dir_all(&deep).unwrap();
    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&sample("P-12/positive-german.log")).unwrap();
    std::fs::write(deep.join("wsyncmgr.log.gz"), packed.finish().unwrap()).unwrap();
    std::fs::write(folder.path().join("wsyncmgr.lo_"), sample("P-14/positive-english.log")).unwrap();
    let report = examine(folder.path(), &Limits::default());
    let found = problems(&report);
    assert!(found.contains(&"P-12") && found.contains(&"P-14"), "{found:?}");
    assert_eq!(report.files.len(), 2);
}

#[test]
fn what_cannot_be_read_is_said_and_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.evtx"), b"ElfFile\0and so on").unwrap();
    std::fs::write(folder.path().join("b.zip"), b"PK\x03\x04 but no more").unwrap();
    std::fs::write(folder.path().join("c.bin"), vec![0u8; 5000]).unwrap();
    std::fs::write(folder.path().join("d.log"), sample("P-13/positive-french.log")).unwrap();
    zip(&folder.path().join("e.zip"), &[("inner.zip", b"PK\x03\x04nested")]);
    let missing = folder.path().join("missing.log");
    let report =
        doctor().examine(&[folder.path().to_owned(), missing], &Limits::default(), &mut |_| {}).unwrap();
    assert!(problems(&report).contains(&"P-13"));
    for name in ["a.evtx", "b.zip", "c.bin", "inner.zip", "missing.log"] {
        assert!(report.notes.iter().any(|n| n.file.ends_with(name)), "nothing is said of {name}");
    }
}

#[test]
fn archives_that_unpack_to_too_much_are_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.zip");
    zip(&path, &[("a.log", &vec![b'\n'; 80 << 20])]);
    let report = examine(&path, &Limits { ratio: 20, ..Limits::default() });
    assert!(report.notes.iter().any(|n| n.what.contains("too much")), "{:?}", report.notes);
    assert!(report.files.iter().all(|f| f.bytes <= 65 << 20));
    let many: Vec<(String, &[u8])> = (0..40).map(|n| (format!("{n}.log"), b"x".as_slice())).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(n, b)| (n.as_str(), *b)).collect();
    zip(&path, &many);
    let report = examine(&path, &Limits { files: 10, ..Limits::default() });
    assert_eq!(report.files.len(), 10);
    assert!(report.notes.iter().any(|n| n.what.contains("more than 10")));
}

#[test]
fn evidence_has_the_right_line_in_a_log_of_many_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.log");
    let filler = "2023/01/10 10:00:00.1234567 1000  2000  Agent           nothing to see on this line\n";
    let mut text = filler.repeat(50_000);
    text.push_str("2023/01/10 10:00:00.1234567 1000  2000  Agent           *FAILED* [80070422] x\n");
    text.push_str(&filler.repeat(50_000));
    for (name, bytes) in [
        ("utf-8", text.clone().into_bytes()),
        ("utf-16", text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let report = examine(&path, &Limits::default());
        assert_eq!(report.findings.first().unwrap().evidence.first().unwrap().line, 50_001, "{name}");
        assert_eq!(report.files.first().unwrap().lines, 100_001, "{name}");
    }
}

#[test]
fn a_line_without_end_breaks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one-line.log");
    let mut bytes = vec![b'x'; 5 << 20];
    bytes.extend_from_slice(b" error 0x80070422 ");
    bytes.extend(vec![b'y'; 5 << 20]);
    std::fs::write(&path, bytes).unwrap();
    let report = examine(&path, &Limits::default());
    let finding = report.findings.first().unwrap();
    assert_eq!(finding.problem, "0x80070422");
    assert_eq!(finding.evidence.first().unwrap().line, 1);
    assert!(finding.evidence.first().unwrap().text.chars().count() <= 500);
}

#[test]
fn an_empty_log_and_an_empty_folder_are_read() {
    let folder = tempfile::tempdir().unwrap();
    assert!(examine(folder.path(), &Limits::default()).files.is_empty());
    std::fs::write(folder.path().join("empty.log"), b"").unwrap();
    let report = examine(folder.path(), &Limits::default());
    assert_eq!(report.files.len(), 1);
    assert!(report.findings.is_empty());
}

/// Pieces that make random text look like logs.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&'static str> = vec![
        "Performing sync on ",
        "ID=6701 ",
        "ID=6703 ISTR0=\"",
        "\" ISTR1=\"",
        "Sync failed: ",
        "Sync time: 9d",
        "Synchronizing WSUS server ",
        "0x8024400E",
        "SyncUpdates",
        "ID:",
        "ErrorCode:InternalServerError",
        "11111111-2222-3333-4444-555555555555",
        "<![LOG[",
        "]LOG]!><time=\"",
        "$$<",
        "><",
        "#Fields: ",
        " 503 ",
        "/ClientWebService/",
        "System.ArgumentException",
        "ThrowException",
        "\n",
        "\n",
        "\r\n",
        "é漢字",
    ];
    prop_oneof![
        3 => prop::sample::select(words).prop_map(|w| w.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn random_bytes_never_break_it(pieces in prop::collection::vec(piece(), 0..120), wide in any::<bool>()) {
        let mut bytes: Vec<u8> = pieces.concat();
        if wide {
            bytes = String::from_utf8_lossy(&bytes).encode_utf16().flat_map(u16::to_le_bytes).collect();
        }
        let findings = doctor().examine_bytes([("random.log", bytes.as_slice())]).unwrap();
        for finding in &findings {
            prop_assert!(!finding.evidence.is_empty() && finding.evidence.len() <= 24);
            for evidence in &finding.evidence {
                prop_assert!(evidence.line >= 1 && evidence.text.chars().count() <= 500);
            }
        }
    }

    #[test]
    fn random_archives_never_break_it(mut bytes in prop::collection::vec(any::<u8>(), 0..600), kind in 0..3u8) {
        if kind == 0 {
            bytes.splice(0..0, *b"PK\x03\x04");
        } else if kind == 1 {
            bytes.splice(0..0, [0x1f, 0x8b, 8, 0]);
        }
        let folder = tempfile::tempdir().unwrap();
        let path: PathBuf = folder.path().join("x");
        std::fs::write(&path, &bytes).unwrap();
        let report = examine(&path, &Limits::default());
        prop_assert!(report.files.len() + report.notes.len() >= 1);
    }
}

#[test]
fn a_storm_read_in_many_pieces_side_by_side_tells_the_same_as_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("WindowsUpdate.log");
    let mut log = Vec::new();
    let samples = ["P-30/positive-polish/WindowsUpdate.log", "P-30/positive-polish/SoftwareDistribution.log"];
    for n in 0.. {
        if log.len() > 4 << 20 {
            break;
        }
        log.extend_from_slice(&sample(samples[n % 2]));
        let id = format!(
            "2008-08-11\t10:11:12:345\t 788\tee4\tPT\tWARNING:     ID:{n:08x}-2222-3333-4444-555555555555\n"
        );
        log.extend_from_slice(id.as_bytes());
    }
    std::fs::write(&path, &log).unwrap();
    let report = examine(&path, &Limits::default());
    let name = report.files.first().unwrap().file.clone();
    let whole = doctor().examine_bytes([(name.as_str(), log.as_slice())]).unwrap();
    assert!(whole.iter().any(|finding| finding.problem == "P-30" && finding.count > 1_000));
    assert_eq!(report.findings, whole);
}
