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
