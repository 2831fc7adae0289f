//! Tests of the engine's own rules: what is close, what is a run, what is noise.

use super::Engine;
use crate::doctor::Doctor;
use crate::finding::Finding;
use crate::rule::Sureness;
use crate::scan::scan;
use proptest::prelude::*;

fn doctor() -> Doctor {
    Doctor::builtin().unwrap()
}

fn find(logs: &[(&str, &str)]) -> Vec<Finding> {
    doctor().examine_bytes(logs.iter().map(|(name, text)| (*name, text.as_bytes()))).unwrap()
}

fn found<'a>(findings: &'a [Finding], problem: &str) -> Option<&'a Finding> {
    findings.iter().find(|f| f.problem == problem)
}

const CLIENT: &str = "\
2008-08-01\t10:11:12:100\t 788\tee4\tPT\tWARNING: SyncUpdates failure, error = 0x8024400E, soap client error = 7, soap error code = 400, HTTP status code = 200
2008-08-01\t10:11:12:100\t 788\tee4\tPT\tWARNING: SOAP Fault: 0x000190
2008-08-01\t10:11:12:100\t 788\tee4\tPT\tWARNING:     ErrorCode:InternalServerError(5)
2008-08-01\t10:11:12:100\t 788\tee4\tPT\tWARNING:     ID:11111111-2222-3333-4444-555555555555
2008-08-01\t10:11:13:100\t 788\tee4\tAgent\t  * WARNING: Exit code = 0x8024400E
";

fn server(exception: &str, frame: &str, id: &str) -> String {
    format!(
        "2008-08-01 08:11:12.000 UTC\tError\tw3wp.12\tClientImplementation.SyncUpdates\t{exception}\n\
         \u{20}  bei System.Collections.Hashtable.Insert(Object key, Object nvalue, Boolean add)\n\
         \u{20}  bei Microsoft.UpdateServices.Internal.ClientImplementation.{frame}(DataAccess dataAccess)\n\
         2008-08-01 08:11:12.000 UTC\tWarning\tw3wp.12\tSoapUtilities.CreateException\tThrowException: actor = http://x/client.asmx, ID={id}, ErrorCode=InternalServerError, Message=, Client=?\n"
    )
}

#[test]
fn a_fault_id_that_client_and_server_share_makes_one_certain_finding_with_both_as_evidence() {
    let server = server(
        "System.ArgumentException: doppelt '17'",
        "GetSyncInfo",
        "11111111-2222-3333-4444-555555555555",
    );
    let findings = find(&[("WindowsUpdate.log", CLIENT), ("SoftwareDistribution.log", &server)]);
    let finding = found(&findings, "P-30").unwrap();
    assert_eq!(finding.confidence, Sureness::Certain);
    for file in ["WindowsUpdate.log", "SoftwareDistribution.log"] {
        assert!(finding.evidence.iter().any(|e| e.file == file), "{file} is missing");
    }
    assert!(found(&findings, "0x8024400E").is_none(), "the code is explained");
}

#[test]
fn another_cause_under_the_same_fault_id_takes_the_suspicion_away() {
    let server =
        server("System.NullReferenceException: x", "GetCookie", "11111111-2222-3333-4444-555555555555");
    let findings = find(&[("WindowsUpdate.log", CLIENT), ("SoftwareDistribution.log", &server)]);
    assert!(found(&findings, "P-30").is_none());
    assert!(found(&findings, "0x8024400E").is_some(), "the code needs a finding again");
}

#[test]
fn a_client_alone_makes_it_possible_and_a_server_alone_likely() {
    let findings = find(&[("a.log", CLIENT)]);
    assert_eq!(found(&findings, "P-30").unwrap().confidence, Sureness::Possible);
    let server = server("System.ArgumentException: x", "GetSyncInfo", "99999999-2222-3333-4444-555555555555");
    let findings = find(&[("b.log", &server)]);
    assert_eq!(found(&findings, "P-30").unwrap().confidence, Sureness::Likely);
    // Different ids: nothing is joined.
    let findings = find(&[("a.log", CLIENT), ("b.log", &server)]);
    assert_eq!(found(&findings, "P-30").unwrap().confidence, Sureness::Likely);
}

#[test]
fn lines_far_apart_are_not_one_failure() {
    let filler = "2008-08-01\t10:11:12:100\t 788\tee4\tAgent\tsomething else\n".repeat(40);
    let text = CLIENT.replacen(
        "\tWARNING:     ErrorCode",
        &format!("\tx\n{filler}2008-08-01\tWARNING:     ErrorCode"),
        1,
    );
    assert!(found(&find(&[("a.log", &text)]), "P-30").is_none());
}

#[test]
fn a_single_error_before_a_scan_that_works_is_noise() {
    let failure = "2023/01/10 10:00:00.1 1000 2000 Agent *FAILED* [8024401C] Web service call failed\n";
    let works = "2023/01/10 10:30:00.1 1000 2000 Agent Found 3 updates and 70 categories in search\n";
    assert!(found(&find(&[("a.log", &format!("{failure}{works}"))]), "0x8024401C").is_none());
    // Without the scan that works it may be the beginning of a pattern.
    assert_eq!(found(&find(&[("a.log", failure)]), "0x8024401C").unwrap().confidence, Sureness::Possible);
    // Failing again after the scan that worked is one.
    let again = failure.replace("10:00:00", "11:00:00");
    let findings = find(&[("a.log", &format!("{failure}{works}{again}"))]);
    let finding = found(&findings, "0x8024401C").unwrap();
    assert_eq!((finding.confidence, finding.count), (Sureness::Likely, 2));
}

#[test]
fn lines_of_one_failure_are_one_incident() {
    let mut text = String::new();
    for second in 0..30 {
        text.push_str(&format!("2023/01/10 10:00:{second:02}.1 1000 2000 Agent *FAILED* [80072EE2] x\n"));
    }
    assert_eq!(found(&find(&[("a.log", &text)]), "0x80072EE2").unwrap().count, 1);
    let later = text.replace("10:00:", "10:20:");
    assert_eq!(found(&find(&[("a.log", &format!("{text}{later}"))]), "0x80072EE2").unwrap().count, 2);
}

#[test]
fn a_code_is_found_in_every_way_logs_write_it() {
    for written in ["0x80072EE2", "0X80072ee2", "[80072EE2]", "hr=80072ee2,", "-2147012894", "2147954402"] {
        assert!(found(&find(&[("a.log", &format!("x {written} y"))]), "0x80072EE2").is_some(), "{written}");
    }
    for other in
        ["180072EE2", "80072EE21", "{80072EE2-0000-1111-2222-333333333333}", "-21470128945", "x80072EE2"]
    {
        assert!(found(&find(&[("a.log", &format!("x {other} y"))]), "0x80072EE2").is_none(), "{other}");
    }
}

#[test]
fn runs_without_a_sync_time_are_measured_by_their_lines() {
    let line = |text: &str, time: &str| {
        format!("{text}  $$<SMS_WSUS_SYNC_MANAGER><03-03-2009 {time}.000+000><thread=1 (0x1)>\n")
    };
    let status = |id: u32, source: &str| {
        format!("STATMSG: ID={id} SEV=E ISTR0=\"{source}\" ISTR1=\"\" ISTR2=\"\" NUMATTRS=0")
    };
    let gate = |end: &str| {
        [
            line("Performing sync on regular schedule", "09:00:00"),
            line(&status(6701, ""), "09:00:01"),
            line("Sync failed: nichts geht. Source: CWSyncMgr::DoSync", end),
            line(&status(6703, "CWSyncMgr::DoSync"), end),
        ]
        .concat()
    };
    let sure = |text: &str| found(&find(&[("wsyncmgr.log", text)]), "P-10").map(|f| f.confidence);
    assert_eq!(sure(&gate("09:05:01")), Some(Sureness::Certain));
    assert_eq!(sure(&gate("09:00:03")), Some(Sureness::Likely));
}

#[test]
fn rules_that_cannot_work_are_refused_with_the_reason() {
    use crate::book::Book;
    let rule = |body: &str| {
        format!(
            "id = \"X-1\"\ntitle = \"t\"\nweight = 1\ncause = \"c\"\nremedy = [\"r\"]\nsluicegate = \"s\"\n{body}"
        )
    };
    for (body, reason) in [
        ("", "never be found"),
        ("[[match]]\nline = \"nothing\"\nsure = \"likely\"", "not described"),
        ("[[match]]\nneeds = [\"P-99\"]", "does not exist"),
        ("surprise = 1", "surprise"),
    ] {
        let error = Book::read([("x.toml", rule(body).as_str())]).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    let not_ascii = rule("[signal.a]\nall = [\"Schlüssel\"]\n[[match]]\nline = \"a\"\nsure = \"likely\"");
    let book = Book::read([("x.toml", not_ascii.as_str())]).unwrap();
    assert!(Doctor::with(book).unwrap_err().to_string().contains("not an invariant"));
}

/// The text of every sample, so that every rule has something to find.
fn text_of_samples() -> &'static [Vec<u8>] {
    static LINES: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
    LINES.get_or_init(|| {
        let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")];
        let mut lines = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.is_dir() {
                    folders.push(entry);
                } else if let Ok(text) = String::from_utf8(std::fs::read(entry).unwrap()) {
                    lines.push(text.trim_end().as_bytes().to_vec());
                }
            }
        }
        lines.sort();
        lines
    })
}

proptest! {
    /// Whole samples one after another, so that what must stand close together does.
    #[test]
    fn a_log_in_pieces_tells_the_same_as_the_log_as_a_whole(
        samples in proptest::collection::vec((any::<proptest::sample::Index>(), 1..40_usize), 1..12),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
    ) {
        static DOCTOR: std::sync::OnceLock<Doctor> = std::sync::OnceLock::new();
        let doctor = DOCTOR.get_or_init(doctor);
        let mut log = Vec::new();
        for (sample, times) in samples {
            for _ in 0..times {
                log.extend_from_slice(sample.get::<Vec<u8>>(text_of_samples()));
                log.push(b'\n');
            }
        }
        let ends: Vec<usize> = memchr::memchr_iter(b'\n', &log).map(|at| at + 1).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| *cut.get(&ends)).chain([0, log.len()]).collect();
        cuts.sort_unstable();
        let mut engine = Engine::new(&doctor.book, &doctor.matcher).unwrap();
        engine.begin_file("a.log");
        let mut lines = 0;
        for piece in cuts.windows(2) {
            let block = &log[piece[0]..piece[1]];
            let hits = scan(&doctor.matcher, block);
            engine.block(block, &hits, lines);
            lines += hits.lines;
        }
        let whole = doctor.examine_bytes([("a.log", log.as_slice())]).unwrap();
        prop_assert_eq!(engine.finish(), whole);
    }
}

#[test]
fn a_storm_without_keys_shows_its_first_lines_and_a_late_one() {
    let line =
        "2026-01-02 03:04:05 10.0.0.1 POST /ClientWebService/client.asmx - 8530 - 10.0.0.9 A - 503 0 0 4\n";
    let findings = find(&[("u_ex.log", &line.repeat(10_000))]);
    let finding = findings.first().unwrap();
    assert_eq!(finding.count, 10_000);
    let lines: Vec<u64> = finding.evidence.iter().map(|e| e.line).collect();
    assert_eq!(lines.get(..4), Some([1, 2, 3, 4].as_slice()));
    assert!(lines.last().is_some_and(|last| *last > 9_900), "{lines:?}");
}

#[test]
fn of_a_long_line_the_part_is_shown_that_shows_the_problem() {
    let line = |code: &str| {
        let (before, after) = ("ä word ".repeat(300), " and so on".repeat(200));
        format!("2023/01/10 10:11:12.1234567 1000  2000  Agent  {before}*FAILED* [{code}] scan{after}\n")
    };
    let findings = find(&[("a.log", &line("80072EE2"))]);
    let shown = &found(&findings, "0x80072EE2").unwrap().evidence[0];
    assert!(shown.text.starts_with("… ") && shown.text.contains("[80072EE2] scan"), "{}", shown.text);
    assert!(!shown.text.contains('\u{fffd}') && shown.text.chars().count() == super::SHOWN);
    assert_eq!(shown.time.as_deref(), Some("2023/01/10 10:11:12"), "the line's own time");
    // So it is where several lines show it together.
    let far = "x ".repeat(3_000);
    let client = CLIENT.replace("WARNING: SyncUpdates", &format!("{far}WARNING: SyncUpdates"));
    let findings = find(&[("a.log", &client)]);
    let evidence = &found(&findings, "P-30").unwrap().evidence;
    assert!(
        evidence.iter().any(|e| e.text.starts_with("… ") && e.text.contains("0x8024400E")),
        "{evidence:?}"
    );
}
