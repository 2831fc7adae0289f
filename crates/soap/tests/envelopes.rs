//! Envelopes as other stacks write them, and envelopes that are refused, each with a sentence that says
//! what is wrong.

use sluicegate_soap::client::Request;
use sluicegate_soap::fault::{ErrorCode, FaultCode};
use sluicegate_soap::{DecodeError, Limits, Problem, SoapVersion, simple_auth};

const V11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const V12: &str = "http://www.w3.org/2003/05/soap-envelope";
const CLIENT: &str = "http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService";
const SIMPLE_AUTH: &str = "http://www.microsoft.com/SoftwareDistribution/Server/SimpleAuthWebService";

fn envelope(content: &str) -> String {
    format!("<s:Envelope xmlns:s=\"{V11}\"><s:Body>{content}</s:Body></s:Envelope>")
}

fn sync(parameters: &str) -> String {
    envelope(&format!(
        "<SyncUpdates xmlns=\"{CLIENT}\"><parameters><ExpressQuery>false</ExpressQuery>\
         <SkipSoftwareSync>false</SkipSoftwareSync>{parameters}</parameters></SyncUpdates>"
    ))
}

fn decode(body: &str) -> Result<(SoapVersion, Request<'_>), DecodeError> {
    Request::decode(body.as_bytes(), None, &Limits::REQUEST)
}

fn refused(body: &str) -> DecodeError {
    decode(body).expect_err("must be refused")
}

/// A parameter error's path and problem.
fn parameter(body: &str) -> (String, Problem) {
    match refused(body) {
        DecodeError::Parameter { path, problem } => (path, problem),
        other => panic!("{other:?}"),
    }
}

fn ids(body: &str) -> Vec<i32> {
    match decode(body).unwrap().1 {
        Request::SyncUpdates(request) => request.parameters.unwrap().installed_non_leaf,
        other => panic!("{other:?}"),
    }
}

#[test]
fn prefixes_space_comments_headers_and_declarations_do_not_matter() {
    let body = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- hello -->\n<S12:Envelope xmlns:S12=\"{V12}\" \
         xmlns:c='{CLIENT}'>\n <S12:Header><x xmlns=\"urn:y\"><Body>no</Body> text</x></S12:Header>\n <S12:Body>\n\
         <c:GetConfig >\n <c:protocolVersion\n>2<![CDATA[.9]]><!-- --><x/></c:protocolVersion ></c:GetConfig>\
         </S12:Body></S12:Envelope>\n<!-- bye -->\n"
    );
    let error = refused(&body);
    assert_eq!(error.to_string(), "parameter protocolVersion holds elements where text belongs");
    let body = body.replace("<x/>", "&#x30;");
    let (version, request) = decode(&body).unwrap();
    assert_eq!(version, SoapVersion::V12);
    let Request::GetConfig(request) = request else { panic!("{request:?}") };
    assert_eq!(request.protocol_version.as_deref(), Some("2.90"));
}

#[test]
fn ids_are_read_in_every_spelling() {
    let list =
        |content: &str| sync(&format!("<InstalledNonLeafUpdateIDs>{content}</InstalledNonLeafUpdateIDs>"));
    assert_eq!(ids(&list("<int>1</int><int>-2</int><int>300</int>")), [1, -2, 300]);
    assert_eq!(ids(&list(" <int>1</int>\n<int> 2 </int><int>+3</int> <int>4</int>")), [1, 2, 3, 4]);
    assert_eq!(ids(&list("<int>1</int><!-- x --><int>0000000000002</int><other/><int>3</int>")), [1, 2, 3]);
    assert_eq!(ids(&list(&format!("<i:int xmlns:i=\"{CLIENT}\">1</i:int><int>2</int>"))), [1, 2]);
    assert_eq!(ids(&list("<int xmlns=\"urn:other\">1</int><int>2</int>")), [2]);
    assert_eq!(ids(&list("")), []);
    assert_eq!(ids(&sync("<InstalledNonLeafUpdateIDs/>")), []);
    assert_eq!(ids(&sync("")), []);
    // The default namespace here is foreign, so these are not the operation's ids.
    assert_eq!(
        ids(&sync(&format!(
            "<c:InstalledNonLeafUpdateIDs xmlns:c=\"{CLIENT}\" xmlns=\"urn:x\"><int>1</int></c:InstalledNonLeafUpdateIDs>"
        ))),
        []
    );
}

#[test]
fn order_and_unknown_elements_do_not_matter() {
    let body = envelope(&format!(
        "<SyncUpdates xmlns=\"{CLIENT}\"><new><a>1</a>text</new><parameters><SkipSoftwareSync>1</SkipSoftwareSync>\
         <Later x=\"y\"><Truncated/></Later><InstalledNonLeafUpdateIDs><int>5</int></InstalledNonLeafUpdateIDs>\
         <ExpressQuery>0</ExpressQuery></parameters><cookie><Expiration>2026-10-04T16:03:35Z</Expiration></cookie>\
         </SyncUpdates>"
    ));
    let (_, Request::SyncUpdates(request)) = decode(&body).unwrap() else { panic!() };
    let parameters = request.parameters.unwrap();
    assert!(parameters.skip_software_sync);
    assert_eq!(parameters.installed_non_leaf, [5]);
    assert_eq!(request.cookie.unwrap().encrypted_data, None);
}

/// SOAP toolkits do so, because the published WSDL of this service does not say "qualified".
#[test]
fn elements_without_namespace_are_taken_and_foreign_ones_are_not() {
    let request = |attributes: &str| {
        let body = envelope(&format!(
            "<a:GetAuthorizationCookie xmlns:a=\"{SIMPLE_AUTH}\"><clientId {attributes}>id</clientId>\
             </a:GetAuthorizationCookie>"
        ));
        match simple_auth::Request::decode(body.as_bytes(), None, &Limits::REQUEST).unwrap().1 {
            simple_auth::Request::GetAuthorizationCookie(request) => request.client_id,
            simple_auth::Request::Ping(_) => panic!("not Ping"),
        }
    };
    assert_eq!(request("").as_deref(), Some("id"));
    assert_eq!(request(&format!("xmlns=\"{SIMPLE_AUTH}\"")).as_deref(), Some("id"));
    assert_eq!(request("xmlns=\"urn:other\""), None);
}

#[test]
fn nil_is_absent() {
    let nil = "xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\" i:nil=\"true\"";
    let body = sync(&format!(
        "<FeatureScoreMatchingKey {nil}/><OtherCachedUpdateIDs {nil}></OtherCachedUpdateIDs>\
         <SystemSpec><Device {nil}/><Device></Device></SystemSpec>"
    ));
    let (_, Request::SyncUpdates(request)) = decode(&body).unwrap() else { panic!() };
    let parameters = request.parameters.unwrap();
    assert_eq!(parameters.feature_score_matching_key, None);
    assert_eq!(parameters.system_spec.len(), 1);
    let missing = sync("").replace("<ExpressQuery>", &format!("<ExpressQuery {nil}>"));
    assert!(decode(&missing).is_ok(), "ExpressQuery is to be ignored");
    let missing = sync("").replace("<SkipSoftwareSync>", &format!("<SkipSoftwareSync {nil}>"));
    assert_eq!(parameter(&missing), ("parameters.SkipSoftwareSync".to_owned(), Problem::Missing));
}

#[test]
fn wrong_parameters_are_named_by_their_path() {
    let (path, problem) =
        parameter(&sync("<InstalledNonLeafUpdateIDs><int>1</int><int>x</int></InstalledNonLeafUpdateIDs>"));
    assert_eq!(path, "parameters.InstalledNonLeafUpdateIDs.int");
    assert!(problem.to_string().contains("`x` is not a whole number"), "{problem}");
    let too_large = sync("<CachedDriverIDs><int>2147483648</int></CachedDriverIDs>");
    assert_eq!(parameter(&too_large).0, "parameters.CachedDriverIDs.int");
    assert_eq!(
        parameter(&sync("<SkipSoftwareSync>true</SkipSoftwareSync>")),
        ("parameters.SkipSoftwareSync".to_owned(), Problem::Repeated)
    );
    assert_eq!(
        parameter(&sync("").replace("<SkipSoftwareSync>false</SkipSoftwareSync>", "")),
        ("parameters.SkipSoftwareSync".to_owned(), Problem::Missing)
    );
    assert_eq!(parameter(&sync("oops")), ("parameters".to_owned(), Problem::NotElements));
    assert_eq!(
        parameter(&sync("<SystemSpec><Device><DeviceFlags>256</DeviceFlags></Device></SystemSpec>")).0,
        "parameters.SystemSpec.Device.DeviceFlags"
    );
    let body = envelope(&format!("<GetCookie xmlns=\"{CLIENT}\"><lastChange>soon</lastChange></GetCookie>"));
    assert_eq!(parameter(&body).0, "lastChange");
    let body = envelope(&format!("<GetCookie xmlns=\"{CLIENT}\"/>"));
    assert_eq!(parameter(&body), ("lastChange".to_owned(), Problem::Missing));
    assert_eq!(
        parameter(&sync("<FeatureScoreMatchingKey>&nbsp;</FeatureScoreMatchingKey>")).0,
        "parameters.FeatureScoreMatchingKey"
    );
}

#[test]
fn errors_say_which_fault_answers_them() {
    let error = refused(&sync("<CachedDriverIDs><int/></CachedDriverIDs>"));
    assert!(error.is_parameter());
    assert_eq!(
        error.fault(),
        (FaultCode::Client, ErrorCode::InvalidParameters, "parameters.CachedDriverIDs.int".to_owned())
    );
    let cookie = |element: &str, content: &str| {
        envelope(&format!(
            "<GetCookie xmlns=\"{CLIENT}\"><{element}>{content}</{element}>\
             <lastChange>2026-10-04T16:03:35Z</lastChange><currentTime>2026-10-04T16:03:35Z</currentTime></GetCookie>"
        ))
    };
    let old =
        cookie("oldCookie", "<Expiration>2026-10-04T16:03:35Z</Expiration><EncryptedData>?</EncryptedData>");
    assert_eq!(refused(&old).fault().1, ErrorCode::InvalidCookie);
    let auth = cookie("authCookies", "<AuthorizationCookie><CookieData>?</CookieData></AuthorizationCookie>");
    assert_eq!(refused(&auth).fault().1, ErrorCode::InvalidAuthorizationCookie);
    assert!(!refused("<html/>").is_parameter());
}

#[test]
fn base64_may_be_broken_into_lines() {
    let body = envelope(&format!(
        "<GetFileLocations xmlns=\"{CLIENT}\"><fileDigests><base64Binary>\n h/W9BGlYUAaqXTp3\r\n0cZi/SiV3c0=\n\
         </base64Binary></fileDigests></GetFileLocations>"
    ));
    let (_, Request::GetFileLocations(request)) = decode(&body).unwrap() else { panic!() };
    assert_eq!(request.file_digests[0].to_hex_upper(), "87F5BD0469585006AA5D3A77D1C662FD2895DDCD");
}

#[test]
fn document_types_and_processing_instructions_are_refused() {
    let bomb = format!("<!DOCTYPE x [<!ENTITY a \"b\">]>{}", sync(""));
    assert_eq!(refused(&bomb), DecodeError::DocumentType);
    assert_eq!(refused(&sync("<?php x ?>")), DecodeError::ProcessingInstruction);
    assert_eq!(refused(&format!("{}<?x?>", sync(""))), DecodeError::ProcessingInstruction);
    assert_eq!(refused(&sync("<Unknown><?x?></Unknown>")), DecodeError::ProcessingInstruction);
    assert_eq!(
        refused(&sync("<FeatureScoreMatchingKey>a<?x?></FeatureScoreMatchingKey>")),
        DecodeError::ProcessingInstruction
    );
}

#[test]
fn what_is_not_a_message_is_refused_with_a_reason() {
    for (body, expected) in [
        ("", "ends too early"),
        ("   ", "ends too early"),
        ("hello", "text where only elements belong"),
        ("<html><body/></html>", "the root element is `{}html`"),
        ("<s:Envelope/>", "prefix `s` is not declared"),
        (&format!("<Envelope xmlns=\"{V11}\"/>"), "no Body"),
        (&format!("<Envelope xmlns=\"{V11}\"><Body/></Envelope>"), "no Body"),
        (&format!("<Body xmlns=\"{V11}\"/>"), "the root element"),
        (&envelope("<Nope/>"), "no operation `{}Nope`; it has GetConfig, GetCookie,"),
        (&envelope("<GetConfig/>"), "no operation `{}GetConfig`"),
        (&envelope(&format!("<GetConfig xmlns=\"{SIMPLE_AUTH}\"/>")), "SimpleAuthWebService}GetConfig"),
        (&sync("<a>"), "not well-formed"),
        (sync("").trim_end_matches("</s:Envelope>"), "ends too early"),
        (&format!("{}<again/>", sync("")), "more after the end"),
        (&format!("{} and more", sync("")), "more after the end"),
        (&format!("<?xml version=\"1.0\" encoding=\"utf-16\"?>{}", sync("")), "encoding `utf-16`"),
    ] {
        let Err(error) = decode(body) else { panic!("must be refused: {body}") };
        assert!(error.to_string().contains(expected), "{error} (for {body})");
    }
    let error = Request::decode(b"<a>\xFF</a>", None, &Limits::REQUEST).unwrap_err();
    assert_eq!(error, DecodeError::NotUtf8 { offset: 3 });
}

#[test]
fn utf_16_is_told_as_what_it_is_in_either_order_and_without_a_mark() {
    let units: Vec<u16> = sync("").encode_utf16().collect();
    let marked: Vec<u16> = std::iter::once(0xfeff).chain(units.iter().copied()).collect();
    for (body, offset) in [
        (units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<u8>>(), 1),
        (units.iter().flat_map(|unit| unit.to_be_bytes()).collect(), 0),
        (marked.iter().flat_map(|unit| unit.to_le_bytes()).collect(), 0),
        (marked.iter().flat_map(|unit| unit.to_be_bytes()).collect(), 0),
    ] {
        let error = Request::decode(&body, None, &Limits::REQUEST).unwrap_err();
        assert_eq!(error, DecodeError::NotUtf8 { offset });
        assert!(error.to_string().contains("charset=utf-8"), "{error}");
    }
}

#[test]
fn an_action_that_names_another_operation_is_refused() {
    let body = sync("");
    let action = format!("\"{CLIENT}/GetConfig\"");
    let error = Request::decode(body.as_bytes(), Some(&action), &Limits::REQUEST).unwrap_err();
    assert!(matches!(error, DecodeError::ActionMismatch { operation: "SyncUpdates", .. }), "{error}");
}

#[test]
fn every_limit_is_kept_and_named() {
    let limits = Limits { bytes: 4000, depth: 12, elements: 60, text: 100, array: 20, records: 3 };
    let decode = |body: &str| Request::decode(body.as_bytes(), None, &limits).map(|_| ());
    let ids = |count: usize, spelling: &str| {
        sync(&format!("<InstalledNonLeafUpdateIDs>{}</InstalledNonLeafUpdateIDs>", spelling.repeat(count)))
    };
    assert_eq!(decode(&sync("")), Ok(()));
    let long = sync(&" ".repeat(4000));
    assert_eq!(decode(&long), Err(DecodeError::TooLarge { bytes: long.len(), limit: 4000 }));
    for spelling in ["<int>1</int>", "<int >1</int>"] {
        assert_eq!(decode(&ids(20, spelling)), Ok(()));
        assert_eq!(
            decode(&ids(21, spelling)),
            Err(DecodeError::Parameter {
                path: "parameters.InstalledNonLeafUpdateIDs".to_owned(),
                problem: Problem::TooMany(20)
            })
        );
        let both = sync(&format!(
            "<InstalledNonLeafUpdateIDs>{0}</InstalledNonLeafUpdateIDs><OtherCachedUpdateIDs>{0}</OtherCachedUpdateIDs>\
             <CachedDriverIDs>{0}</CachedDriverIDs>",
            spelling.repeat(20)
        ));
        assert_eq!(decode(&both), Err(DecodeError::TooManyElements { limit: 60 }));
    }
    let devices = |count: usize| sync(&format!("<SystemSpec>{}</SystemSpec>", "<Device/>".repeat(count)));
    assert_eq!(decode(&devices(3)), Ok(()));
    assert_eq!(
        decode(&devices(4)),
        Err(DecodeError::Parameter {
            path: "parameters.SystemSpec".to_owned(),
            problem: Problem::TooMany(3)
        })
    );
    let deep = sync(&format!("{}{}", "<a>".repeat(9), "</a>".repeat(9)));
    assert_eq!(decode(&deep), Err(DecodeError::TooDeep { limit: 12 }));
    let key = |text: &str| sync(&format!("<FeatureScoreMatchingKey>{text}</FeatureScoreMatchingKey>"));
    assert_eq!(decode(&key(&"x".repeat(100))), Ok(()));
    for text in ["x".repeat(101), format!("<![CDATA[{}]]>", "x".repeat(101))] {
        let error = decode(&key(&text)).unwrap_err();
        assert!(error.to_string().contains("FeatureScoreMatchingKey has more than 100 bytes"), "{error}");
    }
}

/// Comparing each attribute with all others would take minutes here.
#[test]
fn very_many_attributes_take_time_in_proportion() {
    let attributes: String = (0..300_000).map(|n| format!(" a{n}=''")).collect();
    let body = sync("").replace("<ExpressQuery>", &format!("<ExpressQuery{attributes}>"));
    assert!(decode(&body).is_ok());
}

#[test]
fn control_characters_are_refused_wherever_they_stand() {
    for place in
        ["<x\u{0}y/>", "<InstalledNonLeafUpdateIDs>\u{1}</InstalledNonLeafUpdateIDs>", "<!-- \u{b} -->"]
    {
        let error = refused(&sync(place));
        assert!(matches!(error, DecodeError::Malformed { .. }), "{place:?}: {error}");
        assert!(error.to_string().contains("control character"), "{error}");
    }
}
