//! Recorded traffic between servers: every request is read, every answer of a real upstream server is read
//! and written again to the same bytes.

mod common;
use common::{assert_same, recorded};
use sluicegate_soap::fault::{ErrorCode, Fault, FaultCode, ReceivedFault};
use sluicegate_soap::server_sync::{
    GetAuthConfigResponse, GetConfigDataResponse, GetCookieResponse, GetRevisionIdListResponse,
    GetUpdateDataResponse, Request,
};
use sluicegate_soap::{Limits, ResponseMessage, Service, SoapVersion, cabinet, dss_auth};

const FOLDER: &str = "captures/server-sync/exchanges";

const OPERATIONS: [&str; 19] = [
    "GetAuthConfig",
    "GetAuthorizationCookie",
    "GetCookie",
    "GetConfigData",
    "GetConfigData",
    "GetRevisionIdList",
    "GetRevisionIdList",
    "GetRevisionIdList",
    "GetRevisionIdList",
    "GetRevisionIdList",
    "GetRevisionIdList",
    "GetRevisionIdList",
    "GetUpdateData",
    "GetUpdateData",
    "GetUpdateData",
    "GetUpdateData",
    "GetUpdateData",
    "GetRevisionIdList",
    "GetRevisionIdList",
];

/// Number, operation, request and answer of each exchange.
fn exchanges() -> Vec<(usize, &'static str, Vec<u8>, Vec<u8>)> {
    let numbered = (1..).zip(OPERATIONS);
    let read = |number: usize, file: &str| recorded(&format!("{FOLDER}/{number:06}/{file}"));
    numbered
        .map_while(|(number, operation)| {
            Some((number, operation, read(number, "request.xml")?, read(number, "response.xml")?))
        })
        .collect()
}

#[test]
fn every_request_between_servers_is_read_and_means_the_same_when_it_is_written_again() {
    for (number, operation, request, _) in exchanges() {
        let limits = Limits::REQUEST;
        if operation == "GetAuthorizationCookie" {
            let (version, read) = dss_auth::Request::decode(&request, None, &limits).unwrap();
            let again = dss_auth::Request::decode(&read.encode(version), None, &limits).unwrap();
            assert_eq!(again.1, read, "{number}");
            let dss_auth::Request::GetAuthorizationCookie(read) = read else { panic!("{read:?}") };
            assert_eq!(read.account_name.as_deref(), Some("probe.lab.invalid"));
            assert_eq!(read.program_keys, None);
            continue;
        }
        let (version, read) = Request::decode(&request, None, &limits).unwrap();
        assert_eq!((version, read.operation().name), (SoapVersion::V11, operation), "{number}");
        let again = Request::decode(&read.encode(version), None, &limits).unwrap();
        assert_eq!(again.1, read, "{number}");
    }
}

#[test]
fn every_answer_of_an_upstream_server_is_written_back_to_the_same_bytes() {
    fn same<'a, T: ResponseMessage<'a>>(answer: &'a [u8], what: &str) -> T {
        let read = T::decode(answer, &Limits::ANSWER).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_same(&read.encode(SoapVersion::V11), answer, what);
        read
    }
    for (number, operation, _, answer) in exchanges() {
        let what = format!("{number} {operation}");
        match operation {
            _ if number >= 17 => {}
            "GetAuthConfig" => {
                let config = same::<GetAuthConfigResponse>(&answer, &what).config;
                assert_eq!(config.allowed_event_ids, None);
                assert_eq!(config.auth_info.len(), 1);
            }
            "GetAuthorizationCookie" => {
                let cookie = same::<dss_auth::GetAuthorizationCookieResponse>(&answer, &what).cookie;
                assert_eq!(cookie.plug_in_id.as_deref(), Some("DssTargeting"));
            }
            "GetCookie" => {
                let cookie = same::<GetCookieResponse>(&answer, &what).cookie;
                assert_eq!(cookie.encrypted_data.unwrap().0.len(), 208);
            }
            "GetConfigData" => {
                let config = same::<GetConfigDataResponse>(&answer, &what).config;
                assert_eq!(config.max_updates_per_request, 100);
                assert_eq!(config.languages.len(), if number == 4 { 0 } else { 39 });
            }
            "GetRevisionIdList" => {
                let list = same::<GetRevisionIdListResponse>(&answer, &what).list;
                assert!(list.anchor.unwrap().starts_with("9438,2026-10-04 "));
                assert_eq!(list.new_revisions.is_empty(), matches!(number, 7 | 8 | 11 | 12), "{what}");
            }
            "GetUpdateData" => {
                for update in same::<GetUpdateDataResponse<'_>>(&answer, &what).data.updates {
                    assert_eq!(update.xml.is_some(), update.compressed.is_none(), "{what}: one form");
                    let Some(blob) = update.compressed else { continue };
                    let members = cabinet::read(&blob.0, &cabinet::Limits::default()).unwrap();
                    assert_eq!(members.len(), 1);
                    assert_eq!(members[0].name, "blob");
                    // UTF-16LE without a mark; above 5,120 bytes of it, else it would be plain.
                    assert_eq!(&members[0].data[..4], b"<\0u\0");
                    assert!(members[0].data.len() > 5_120, "{what}");
                }
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn the_faults_of_an_upstream_server_are_written_back_to_the_same_bytes() {
    let expected = [
        (17, FaultCode::Server, ErrorCode::InternalServerError, ""),
        (18, FaultCode::Client, ErrorCode::InvalidParameters, "filter"),
        (19, FaultCode::Client, ErrorCode::InvalidCookie, ""),
    ];
    for (number, _, _, answer) in exchanges().into_iter().skip(16) {
        let (_, code, error_code, message) =
            expected.into_iter().find(|(expected, ..)| *expected == number).unwrap();
        let read = ReceivedFault::decode(&answer, &Limits::ANSWER).unwrap().unwrap();
        assert_eq!((read.error_code, read.message.as_str()), (Some(error_code), message), "{number}");
        let fault = Fault {
            code,
            error_code,
            message: message.to_owned(),
            id: read.id.unwrap(),
            method: read.method,
            actor: Some(read.actor),
        };
        assert_same(&fault.encode(Service::ServerSync, SoapVersion::V11), &answer, &number.to_string());
    }
}
