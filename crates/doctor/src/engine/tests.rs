//! Tests of the engine's own rules: what is close, what is a run, what is noise.

use crate::doctor::Doctor;
use crate::finding::Finding;
use crate::rule::Sureness;

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
    let text = CLIENT.replacen("\tWARNING:     ID", &format!("\tx\n{filler}2008-08-01\tWARNING:     ID"), 1);
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
