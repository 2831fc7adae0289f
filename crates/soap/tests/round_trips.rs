//! Every message, with every field set and with few, is read back as it was written, in both versions of
//! SOAP. No operation may be without a sample.

mod common;
use common::samples;
use sluicegate_soap::{Limits, ResponseMessage as _, SoapVersion, client, reporting, simple_auth};

const VERSIONS: [SoapVersion; 2] = [SoapVersion::V11, SoapVersion::V12];

macro_rules! check_requests {
    ($requests:expr, $module:ident) => {{
        let requests = $requests;
        for operation in $module::Request::OPERATIONS {
            assert!(
                requests.iter().any(|request| request.operation() == *operation),
                "no sample of {operation:?}"
            );
        }
        for request in requests {
            for version in VERSIONS {
                let body = request.encode(version);
                let action = request.operation().soap_action();
                let read = $module::Request::decode(&body, Some(&action), &Limits::REQUEST)
                    .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&body)));
                assert_eq!(read, (version, request.clone()));
            }
        }
    }};
}

#[test]
fn every_request_is_read_as_it_was_written() {
    check_requests!(samples::client_requests(), client);
    check_requests!(samples::reporting_requests(), reporting);
    check_requests!(samples::simple_auth_requests(), simple_auth);
}

#[test]
fn every_answer_is_read_as_it_was_written() {
    fn operation_of<'a, T: sluicegate_soap::ResponseMessage<'a>>(_: &T) -> sluicegate_soap::Operation {
        T::OPERATION
    }
    let mut answered = Vec::new();
    macro_rules! check {
        ($answer:expr) => {{
            let answer = $answer;
            answered.push(operation_of(&answer));
            for version in VERSIONS {
                let body = answer.encode(version);
                assert_eq!(decode_like(&answer, &body), answer);
            }
        }};
    }
    fn decode_like<'a, T: sluicegate_soap::ResponseMessage<'a>>(_: &T, body: &'a [u8]) -> T {
        T::decode(body, &Limits::ANSWER)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(body)))
    }
    every_answer!(check);
    let all = [simple_auth::Request::OPERATIONS, client::Request::OPERATIONS, reporting::Request::OPERATIONS];
    for operation in all.concat() {
        assert!(answered.contains(&operation), "no sample answer of {operation:?}");
    }
}
