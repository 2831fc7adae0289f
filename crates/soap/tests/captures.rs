//! Recorded traffic: every request of a real agent is read and written again to the same bytes, and so
//! is every answer of a real server.

mod common;
use common::{assert_same, recorded};
use sluicegate_soap::client::{
    FragmentType, GetConfigResponse, GetCookieResponse, GetExtendedUpdateInfoResponse,
    RegisterComputerResponse, Request, StartCategoryScanResponse, SyncUpdatesResponse,
};
use sluicegate_soap::reporting::{self, ReportEventBatchResponse};
use sluicegate_soap::{Limits, ResponseMessage, SoapVersion, simple_auth};
use sluicegate_terms::{DeploymentAction, Timestamp};

const CLIENT_REQUESTS: [(&str, &str); 13] = [
    ("client-scan/000001", "GetConfig"),
    ("client-scan/000003", "GetCookie"),
    ("client-scan/000004", "RegisterComputer"),
    ("client-scan/000005", "StartCategoryScan"),
    ("client-scan/000006", "SyncUpdates"),
    ("client-scan/000007", "SyncUpdates"),
    ("client-scan/000008", "SyncUpdates"),
    ("client-scan/000009", "SyncUpdates"),
    ("client-scan/000010", "GetExtendedUpdateInfo"),
    ("client-flow/000001", "SyncUpdates"),
    ("client-flow/000012", "SyncUpdates"),
    ("client-flow/000013", "SyncUpdates"),
    ("client-flow/000015", "GetExtendedUpdateInfo"),
];

fn request_of(folder: &str) -> Option<(Vec<u8>, String)> {
    let body = recorded(&format!("captures/{folder}/request.xml"))?;
    let headers = String::from_utf8(recorded(&format!("captures/{folder}/request.headers"))?).unwrap();
    let action = headers.lines().find_map(|line| line.strip_prefix("SOAPAction: ")).unwrap();
    Some((body, action.trim().to_owned()))
}

/// What the agent writes for "no computer hardware id matched"; we leave the element out instead.
const NIL_HWID: &str =
    r#"<MatchingComputerHWID a:nil="true" xmlns:a="http://www.w3.org/2001/XMLSchema-instance"/>"#;

#[test]
fn every_client_request_is_read_and_written_back_to_the_same_bytes() {
    for (folder, operation) in CLIENT_REQUESTS {
        let Some((body, action)) = request_of(folder) else { return };
        let (version, request) = Request::decode(&body, Some(&action), &Limits::REQUEST)
            .unwrap_or_else(|error| panic!("{folder}: {error}"));
        assert_eq!(version, SoapVersion::V11);
        assert_eq!(request.operation().name, operation, "{folder}");
        let expected = String::from_utf8(body.clone()).unwrap().replace(NIL_HWID, "");
        assert_same(&request.encode(version), expected.as_bytes(), folder);
    }
}

#[test]
fn the_authorization_request_is_read_and_written_back_to_the_same_bytes() {
    let Some((body, action)) = request_of("client-scan/000002") else { return };
    let (version, request) = simple_auth::Request::decode(&body, Some(&action), &Limits::REQUEST).unwrap();
    assert_same(&request.encode(version), &body, "GetAuthorizationCookie");
    let simple_auth::Request::GetAuthorizationCookie(request) = request else { panic!("{request:?}") };
    assert_eq!(request.client_id.as_deref(), Some("e1da06a3-5601-43c9-bac3-52d5db701494"));
    assert_eq!(request.target_group_name, None);
}

#[test]
fn every_event_batch_is_read_and_written_back_to_the_same_bytes() {
    for (folder, events, last_event) in
        [("client-flow/000016", 4, 148), ("client-flow/000017", 9, 181), ("client-flow/000018", 2, 182)]
    {
        let Some((body, action)) = request_of(folder) else { return };
        let (version, request) = reporting::Request::decode(&body, Some(&action), &Limits::REQUEST).unwrap();
        assert_same(&request.encode(version), &body, folder);
        let reporting::Request::ReportEventBatch(batch) = request else { panic!("{request:?}") };
        assert_eq!(batch.events.len(), events, "{folder}");
        let last = batch.events.last().unwrap().basic.as_ref().unwrap();
        assert_eq!(last.event_id, last_event, "{folder}");
        assert_eq!(
            last.target.as_ref().unwrap().sid.as_deref(),
            Some("e1da06a3-5601-43c9-bac3-52d5db701494")
        );
    }
}

#[test]
fn the_steady_scan_tells_installed_from_cached() {
    let Some((body, _)) = request_of("client-flow/000001") else { return };
    let (_, request) = Request::decode(&body, None, &Limits::REQUEST).unwrap();
    let Request::SyncUpdates(request) = request else { panic!("{request:?}") };
    let parameters = request.parameters.unwrap();
    assert_eq!(parameters.installed_non_leaf.len(), 87);
    assert_eq!(parameters.installed_non_leaf[..3], [16, 28, 55]);
    assert_eq!(parameters.other_cached.len(), 1029);
    assert!(!parameters.skip_software_sync);
    assert_eq!(parameters.also_perform_regular_sync, Some(true));
    let products = parameters.products_parameters.unwrap();
    assert!(products.products.as_ref().unwrap().plain().starts_with("PN=Client.OS.rs2.amd64&Branch="));
    assert!(products.caller_attributes.unwrap().plain().contains("Id=<<PROCESS>>: powershell.exe;"));
    assert_eq!(request.cookie.unwrap().encrypted_data.unwrap().0.len(), 224);
}

#[test]
fn the_driver_pass_describes_devices_and_the_computer() {
    let Some((body, _)) = request_of("client-scan/000009") else { return };
    let (_, request) = Request::decode(&body, None, &Limits::REQUEST).unwrap();
    let Request::SyncUpdates(request) = request else { panic!("{request:?}") };
    let parameters = request.parameters.unwrap();
    assert!(parameters.skip_software_sync);
    assert_eq!(parameters.feature_score_matching_key.as_deref(), Some("AMD64.10.0"));
    assert_eq!(parameters.computer_spec.unwrap().hardware_ids.len(), 6);
    assert_eq!(parameters.system_spec.len(), 70);
    assert!(parameters.system_spec.iter().any(|device| device.extensions().count() > 0));
    let mouse = &parameters.system_spec[7];
    assert_eq!(mouse.hardware_ids[0], r"HID\VID_0627&PID_0001&REV_0000");
    let driver = mouse.installed_driver.as_ref().unwrap();
    assert_eq!(driver.driver_rank, 16_715_779);
    // 10.0.26100.x packed into 64 bits.
    assert_eq!(driver.driver_ver_version.0 >> 16, 0x000A_0000_65F4);
    assert_eq!(driver.matching_computer_hwid, None);
    let none = parameters.system_spec[8].installed_driver.as_ref().unwrap();
    assert_eq!((none.driver_rank, none.driver_ver_date), (-1, Timestamp::MIN));
    assert!(parameters.system_spec.iter().any(|device| {
        device.installed_driver.as_ref().is_some_and(|driver| driver.skip_provider_filtering == Some(true))
    }));
    assert!(parameters.system_spec.iter().any(|device| device.device_flags == Some(1)));
}

fn rewritten<'a, T: ResponseMessage<'a> + 'a>(body: &'a [u8]) -> T {
    let answer = T::decode(body, &Limits::ANSWER).unwrap();
    assert_same(&answer.encode(SoapVersion::V11), body, T::OPERATION.name);
    answer
}

#[test]
fn every_answer_is_read_and_written_back_to_the_same_bytes() {
    let answer = |folder: &str| recorded(&format!("captures/{folder}/response.xml"));
    let Some(body) = answer("client-scan/000003") else { return };
    let cookie = rewritten::<GetCookieResponse>(&body).cookie;
    assert_eq!(cookie.expiration.iso(), "2026-10-04T16:03:35.9967236Z");

    let body = answer("client-scan/000005").unwrap();
    assert_eq!(rewritten::<StartCategoryScanResponse>(&body).preferred_category_ids.len(), 1);

    for (folder, updates) in [("000006", 1), ("000007", 1), ("000008", 1), ("000009", 0)]
        .map(|(n, u)| (format!("client-scan/{n}"), u))
    {
        let body = answer(&folder).unwrap();
        let info = rewritten::<SyncUpdatesResponse<'_>>(&body).info;
        assert_eq!(info.new_updates.len(), updates, "{folder}");
        assert_eq!(info.driver_sync_not_needed.as_deref(), Some("true"), "{folder}");
    }
    let body = answer("client-flow/000001").unwrap();
    let info = rewritten::<SyncUpdatesResponse<'_>>(&body).info;
    assert!(info.new_updates.len() > 5 && !info.truncated);
    let first = &info.new_updates[0];
    assert_eq!((first.id.get(), first.is_leaf), (107_176, false));
    assert_eq!(first.deployment.as_ref().unwrap().action, DeploymentAction::Evaluate);
    assert!(first.xml.as_ref().unwrap().plain().starts_with("<UpdateIdentity UpdateID=\"378c0b3f-"));

    let body = answer("client-scan/000010").unwrap();
    assert_eq!(rewritten::<GetExtendedUpdateInfoResponse<'_>>(&body).info.updates.len(), 6);
    let body = answer("client-flow/000015").unwrap();
    let info = rewritten::<GetExtendedUpdateInfoResponse<'_>>(&body).info;
    assert!(info.file_locations.iter().all(|file| {
        let name = file.file_digest.unwrap().to_hex_upper();
        file.url.as_ref().unwrap().contains(&format!("/Content/{}/{name}.", &name[38..]))
    }));

    let body = answer("client-flow/000016").unwrap();
    assert!(rewritten::<ReportEventBatchResponse>(&body).received);
}

#[test]
fn the_extended_request_asks_for_fragments_of_revisions() {
    let Some((body, _)) = request_of("client-scan/000010") else { return };
    let (_, request) = Request::decode(&body, None, &Limits::REQUEST).unwrap();
    let Request::GetExtendedUpdateInfo(request) = request else { panic!("{request:?}") };
    assert_eq!(request.revision_ids, [72_571, 108_226, 108_231]);
    assert_eq!(request.info_types, [FragmentType::Extended, FragmentType::LocalizedProperties]);
    assert_eq!(request.locales, ["en-US", "en"]);
    assert_eq!(request.geo_id.as_deref(), Some("USA"));
}

/// The bodies of these two answers are not recorded, but their lengths are.
#[test]
fn answers_without_a_recorded_body_have_the_recorded_length() {
    let length = |folder: &str| -> Option<usize> {
        let headers = String::from_utf8(recorded(&format!("captures/{folder}/response.headers"))?).unwrap();
        headers.lines().find_map(|line| line.strip_prefix("Content-Length: "))?.trim().parse().ok()
    };
    let Some(registered) = length("client-scan/000004") else { return };
    assert_eq!(RegisterComputerResponse {}.encode(SoapVersion::V11).len(), registered);
    let config = length("client-scan/000001").unwrap();
    let server_name = |name: &str| config_with_server(name).encode(SoapVersion::V11).len();
    // All but the server's name is known; a NetBIOS name has one to fifteen characters.
    let rest = server_name("");
    assert!((1..=15).contains(&(config - rest)), "{config} - {rest}");
}

fn config_with_server(server: &str) -> GetConfigResponse {
    use sluicegate_soap::client::{AuthPlugInInfo, Config, ConfigurationProperty};
    let property = |name: &str, value: &str| ConfigurationProperty {
        name: Some(name.to_owned()),
        value: Some(value.to_owned()),
    };
    GetConfigResponse {
        config: Config {
            last_change: "2026-10-04T13:17:07.59Z".parse().unwrap(),
            is_registration_required: true,
            auth_info: vec![AuthPlugInInfo {
                plug_in_id: Some("SimpleTargeting".to_owned()),
                service_url: Some("SimpleAuthWebService/SimpleAuth.asmx".to_owned()),
                parameter: Some(String::new()),
            }],
            allowed_event_ids: Vec::new(),
            properties: vec![
                property("MaxExtendedUpdatesPerRequest", "50"),
                property("PackageServerShare", &format!(r"\\{server}\UpdateServicesPackages")),
                property("ProtocolVersion", "3.2"),
                property("IsInventoryRequired", "0"),
                property("ClientReportingLevel", "2"),
            ],
        },
    }
}
