//! The decoder against anything: it never panics, and its fast path agrees with the general one.

mod common;
use common::samples;
use proptest::prelude::*;
use sluicegate_soap::client::sync_updates::SyncUpdateParameters;
use sluicegate_soap::client::{Request, SyncUpdatesRequest, SyncUpdatesResponse};
use sluicegate_soap::fault::ReceivedFault;
use sluicegate_soap::{
    Limits, RequestMessage as _, ResponseMessage as _, SoapVersion, reporting, simple_auth,
};

fn decode_as_everything(body: &[u8]) {
    let limits =
        Limits { bytes: 1 << 20, depth: 20, elements: 10_000, text: 10_000, array: 1000, records: 100 };
    let _ = Request::decode(body, Some("\"x/SyncUpdates\""), &limits).map_err(|error| error.to_string());
    let _ = Request::decode(body, None, &limits).map_err(|error| error.fault());
    let _ = reporting::Request::decode(body, None, &limits);
    let _ = simple_auth::Request::decode(body, None, &limits);
    let _ = SyncUpdatesResponse::decode(body, &limits).map_err(|error| error.to_string());
    let _ = ReceivedFault::decode(body, &limits);
}

/// Pieces that put together are often nearly a message.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\">",
        "</s:Envelope>",
        "<s:Body>",
        "</s:Body>",
        "<SyncUpdates xmlns=\"http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService\">",
        "</SyncUpdates>",
        "<parameters>",
        "</parameters>",
        "<InstalledNonLeafUpdateIDs>",
        "</InstalledNonLeafUpdateIDs>",
        "<int>12</int>",
        "<int>",
        "</int>",
        "<int/>",
        "<x xmlns:y='z'>",
        "</x>",
        "<y:a/>",
        "&amp;",
        "&bad;",
        "&#x1F600;",
        "&#0;",
        "<!-- c -->",
        "<![CDATA[d]]>",
        "<?p i?>",
        "<!DOCTYPE a>",
        "text",
        " ",
        "\u{feff}",
        "é",
        "<",
        ">",
        "]]>",
        " nil='true'",
    ]);
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn arbitrary_bytes_never_panic(body in prop::collection::vec(any::<u8>(), 0..400)) {
        decode_as_everything(&body);
    }

    #[test]
    fn pieces_of_messages_never_panic(body in pieces()) {
        decode_as_everything(body.as_bytes());
        let wrapped = format!(
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
             <SyncUpdates xmlns=\"http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService\">\
             <parameters>{body}</parameters></SyncUpdates></s:Body></s:Envelope>"
        );
        decode_as_everything(wrapped.as_bytes());
    }

    #[test]
    fn damaged_messages_never_panic(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(),
                                    byte: u8, cut in any::<prop::sample::Index>()) {
        let requests = samples::client_requests();
        let mut body = which.get(&requests).encode(SoapVersion::V11);
        let at = at.index(body.len());
        body[at] = byte;
        decode_as_everything(&body);
        body.truncate(cut.index(body.len()));
        decode_as_everything(&body);
    }

    #[test]
    fn the_fast_path_agrees_with_the_general_reader(
        ids in prop::collection::vec(any::<i32>(), 0..60),
        slow in prop::collection::vec(prop::sample::select(vec!["<int>", "<int >", " <int>", "<!--x--><int>"]), 60),
    ) {
        let parameters = SyncUpdateParameters { installed_non_leaf: ids.clone(), ..Default::default() };
        let request = SyncUpdatesRequest { cookie: None, parameters: Some(parameters) };
        let fast = String::from_utf8(request.encode(SoapVersion::V11)).unwrap();
        // The same ids in spellings that leave the fast path at any of them.
        let mut mixed = String::new();
        let mut spellings = slow.iter();
        let mut parts = fast.split("<int>");
        mixed.push_str(parts.next().unwrap());
        for part in parts {
            mixed.push_str(spellings.next().unwrap());
            mixed.push_str(part);
        }
        for body in [fast, mixed] {
            let (_, read) = Request::decode(body.as_bytes(), None, &Limits::REQUEST).unwrap();
            let Request::SyncUpdates(read) = read else { panic!("{read:?}") };
            prop_assert_eq!(&read.parameters.unwrap().installed_non_leaf, &ids);
        }
    }

    #[test]
    fn any_text_survives_except_characters_xml_forbids(text: String) {
        let request = sluicegate_soap::client::GetConfigRequest { protocol_version: Some(text.clone()) };
        let body = request.encode(SoapVersion::V12);
        let (_, read) = Request::decode(&body, None, &Limits::REQUEST).unwrap();
        let Request::GetConfig(read) = read else { panic!("{read:?}") };
        let allowed = |c: &char| !matches!(c, '\0'..='\x08' | '\x0B' | '\x0C' | '\x0E'..='\x1F' | '\u{FFFE}' | '\u{FFFF}');
        prop_assert_eq!(read.protocol_version.unwrap(), text.chars().filter(allowed).collect::<String>());
    }
}
