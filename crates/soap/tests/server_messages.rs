//! Messages between servers that nobody recorded: each is written, read again to the same value, and has
//! what the interface definitions ask for, attributes included.

mod common;
use common::server_samples::{self as samples, every_server_answer, guid, rollup_requests, sync_requests};
use sluicegate_soap::server_reporting as rollup;
use sluicegate_soap::server_sync as sync;
use sluicegate_soap::{DecodeError, Limits, RequestMessage, ResponseMessage, SoapVersion};

#[test]
fn every_request_reads_back_as_it_was_written() {
    for version in [SoapVersion::V11, SoapVersion::V12] {
        for request in sync_requests() {
            let action = request.operation().soap_action();
            let bytes = request.encode(version);
            let read = sync::Request::decode(&bytes, Some(&action), &Limits::REQUEST).unwrap();
            assert_eq!(read, (version, request));
        }
        for request in rollup_requests() {
            let action = request.operation().soap_action();
            let bytes = request.encode(version);
            let read = rollup::Request::decode(&bytes, Some(&action), &Limits::REQUEST).unwrap();
            assert_eq!(read, (version, request));
        }
    }
}

fn back<'a, T: ResponseMessage<'a> + PartialEq + std::fmt::Debug>(bytes: &'a [u8], answer: &T) {
    assert_eq!(&T::decode(bytes, &Limits::ANSWER).unwrap(), answer);
}

#[test]
fn every_answer_reads_back_as_it_was_written() {
    macro_rules! check {
        ($answer:expr) => {{
            let answer = $answer;
            back(&answer.encode(SoapVersion::V11), &answer);
        }};
    }
    every_server_answer!(check);
}

#[test]
fn lists_that_must_be_there_are_there_and_nothing_to_come_is_the_last_moment() {
    let text = String::from_utf8(samples::deployments().encode(SoapVersion::V11)).unwrap();
    assert!(text.contains("<HiddenUpdates /><AcceptedEulas />"), "{text}");
    assert!(text.contains("<Deadline>9999-12-31T23:59:59.9999999Z</Deadline>"), "{text}");
    let text = String::from_utf8(samples::changed_computers().encode(SoapVersion::V11)).unwrap();
    assert!(text.contains("<ChangedComputer ComputerId=\"pc\" Change=\"NewParent\" />"), "{text}");
}

fn rollup_with(attributes: &str) -> Result<(SoapVersion, rollup::Request), DecodeError> {
    let body = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
         <RollupComputers xmlns=\"http://www.microsoft.com/SoftwareDistribution\">\
         <clientTime>2026-10-04T12:00:00Z</clientTime><computers><ComputerRollupInfo {attributes} />\
         </computers></RollupComputers></s:Body></s:Envelope>"
    );
    rollup::Request::decode(body.as_bytes(), None, &Limits::REQUEST)
}

const TIMES: &str = "LastSyncTime='1753-01-01T00:00:00' LastReportedRebootTime='1753-01-01T00:00:00' \
    LastReportedStatusTime='1753-01-01T00:00:00' LastInventoryTime='1753-01-01T00:00:00'";

#[test]
fn attributes_are_read_in_any_order_with_references_and_either_quotes() {
    let rest = format!(
        "ParentServerId=\"{}\" x:ComputerId='other' xmlns:x='urn:x' ComputerId='a&amp;&#x42;' {TIMES} LastSyncResult=' 2 '",
        guid(9)
    );
    let (_, request) = rollup_with(&rest).unwrap();
    let rollup::Request::RollupComputers(request) = request else { panic!("{request:?}") };
    let computer = request.computers.unwrap().remove(0);
    assert_eq!((computer.computer_id.as_deref(), computer.last_sync_result), (Some("a&B"), 2));
    assert_eq!((computer.parent, computer.details), (guid(9), None));
}

#[test]
fn a_wrong_attribute_is_named() {
    let wrong = |attributes: &str| match rollup_with(attributes) {
        Err(DecodeError::Parameter { path, problem }) => format!("{path} {problem}"),
        other => panic!("{other:?}"),
    };
    let error = wrong(&format!("{TIMES} ParentServerId='{}'", guid(9)));
    assert_eq!(error, "computers.ComputerRollupInfo.LastSyncResult is missing");
    let error = wrong(&format!("{TIMES} LastSyncResult='x' ParentServerId='{}'", guid(9)));
    assert!(error.starts_with("computers.ComputerRollupInfo.LastSyncResult is not valid"), "{error}");
    let error =
        wrong(&format!("ComputerId='&nbsp;' {TIMES} LastSyncResult='1' ParentServerId='{}'", guid(9)));
    assert!(error.contains("ComputerId is not valid"), "{error}");
}

#[test]
fn requests_to_servers_are_written_as_servers_write() {
    let bytes = sync::GetAuthConfigRequest {}.encode(SoapVersion::V11);
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope "), "{text}");
    assert!(
        text.contains("<GetAuthConfig xmlns=\"http://www.microsoft.com/SoftwareDistribution\" />"),
        "{text}"
    );
}
