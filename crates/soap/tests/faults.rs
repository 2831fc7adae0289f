//! Faults: their shape byte by byte, and that agents read what servers write.

mod common;
use common::{assert_same, recorded};
use sluicegate_soap::client::GetConfigResponse;
use sluicegate_soap::fault::{ErrorCode, Fault, FaultCode, ReceivedFault};
use sluicegate_soap::{AnswerError, Limits, ResponseMessage, Service, SoapVersion};
use sluicegate_terms::Guid;

fn fault() -> Fault {
    Fault {
        code: FaultCode::Client,
        error_code: ErrorCode::InvalidParameters,
        message: "parameters.InstalledNonLeafUpdateIDs".to_owned(),
        id: Guid::from_u128(0x6ea6_93bc_a66e_4334_a797_0437_2856_1c7d),
        method: "\"http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService/SyncUpdates\""
            .to_owned(),
        actor: Some("http://host:8530/ClientWebService/Client.asmx".to_owned()),
    }
}

const DETAIL: &str = "<ErrorCode>InvalidParameters</ErrorCode><Message>parameters.InstalledNonLeafUpdateIDs\
    </Message><ID>6ea693bc-a66e-4334-a797-043728561c7d</ID><Method>\"http://www.microsoft.com/SoftwareDistribution\
    /Server/ClientWebService/SyncUpdates\"</Method>";

#[test]
fn the_client_service_names_no_actor() {
    let expected = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><s:Fault>\
         <faultcode>s:Client</faultcode><faultstring>Fault occurred</faultstring><detail>{DETAIL}</detail>\
         </s:Fault></s:Body></s:Envelope>"
    );
    assert_same(&fault().encode(Service::Client, SoapVersion::V11), expected.as_bytes(), "SOAP 1.1");
}

#[test]
fn soap_1_2_has_its_own_names() {
    let expected = format!(
        "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body><s:Fault><s:Code>\
         <s:Value>s:Sender</s:Value></s:Code><s:Reason><s:Text xml:lang=\"en\">Fault occurred</s:Text></s:Reason>\
         <s:Detail>{DETAIL}</s:Detail></s:Fault></s:Body></s:Envelope>"
    );
    assert_same(&fault().encode(Service::Client, SoapVersion::V12), expected.as_bytes(), "SOAP 1.2");
}

/// The recorded faults are of the server-to-server service, whose stack the Reporting service shares.
#[test]
fn recorded_faults_are_read_and_reproduced() {
    for (exchange, code, error_code, message) in [
        ("000017", FaultCode::Server, ErrorCode::InternalServerError, ""),
        ("000018", FaultCode::Client, ErrorCode::InvalidParameters, "filter"),
        ("000019", FaultCode::Client, ErrorCode::InvalidCookie, ""),
    ] {
        let path = format!("captures/server-sync/exchanges/{exchange}/response.xml");
        let Some(body) = recorded(&path) else { return };
        let received = ReceivedFault::decode(&body, &Limits::ANSWER).unwrap().unwrap();
        assert_eq!(received.error_code, Some(error_code));
        assert_eq!(received.text, "Fault occurred");
        let again = Fault {
            code,
            error_code,
            message: message.to_owned(),
            id: received.id.unwrap(),
            method: received.method,
            actor: Some(received.actor),
        };
        assert_same(&again.encode(Service::Reporting, SoapVersion::V11), &body, exchange);
    }
}

#[test]
fn every_fault_is_read_as_it_was_written() {
    for error_code in ErrorCode::ALL {
        for version in [SoapVersion::V11, SoapVersion::V12] {
            for service in Service::ALL {
                let sent = Fault { error_code, code: FaultCode::Server, ..fault() };
                let body = sent.encode(service, version);
                let received = ReceivedFault::decode(&body, &Limits::ANSWER).unwrap().unwrap();
                assert_eq!(received.error_code, Some(error_code));
                assert_eq!(received.message, sent.message);
                assert_eq!(received.id, Some(sent.id));
                assert_eq!(received.method, sent.method);
                assert_eq!(received.code, if version == SoapVersion::V11 { "Server" } else { "Receiver" });
                assert_eq!(received.actor.is_empty(), service == Service::Client);
            }
        }
    }
}

#[test]
fn an_answer_that_is_a_fault_is_told_apart_from_one_that_cannot_be_read() {
    let body = fault().encode(Service::Client, SoapVersion::V11);
    match GetConfigResponse::decode(&body, &Limits::ANSWER) {
        Err(AnswerError::Fault(fault)) => {
            assert_eq!(fault.error_code, Some(ErrorCode::InvalidParameters));
            let shown = fault.to_string();
            assert!(shown.contains("parameters.Installed") && shown.contains("6ea693bc-"), "{shown}");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        GetConfigResponse::decode(b"<html>no</html>", &Limits::ANSWER),
        Err(AnswerError::Unreadable(_))
    ));
}

#[test]
fn faults_of_other_servers_are_read_as_far_as_they_go() {
    let body = b"<?xml version=\"1.0\"?><e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body>\
        <e:Fault><faultcode>e:Server.Busy</faultcode><faultstring>go away</faultstring></e:Fault></e:Body></e:Envelope>";
    let received = ReceivedFault::decode(body, &Limits::ANSWER).unwrap().unwrap();
    assert_eq!((received.code.as_str(), received.text.as_str()), ("Server.Busy", "go away"));
    assert_eq!((received.error_code, received.id), (None, None));
    assert_eq!(ErrorCode::from_wire("FileLocationsChanged"), Some(ErrorCode::FileLocationChanged));
    assert_eq!(ErrorCode::from_wire("Nonsense"), None);
}

#[test]
fn a_message_with_markup_and_control_characters_cannot_break_the_fault() {
    let sent = Fault { message: "a<b>&\u{0}\u{1}]]>".to_owned(), method: String::new(), ..fault() };
    let body = sent.encode(Service::Reporting, SoapVersion::V12);
    let received = ReceivedFault::decode(&body, &Limits::ANSWER).unwrap().unwrap();
    assert_eq!(received.message, "a<b>&]]>");
    assert_eq!(received.method, "");
}
