//! Messages between servers that nobody recorded: each is written, read again to the same value, and has
//! what the interface definitions ask for, attributes included.

use sluicegate_soap::client::{AuthorizationCookie, Base64, Cookie};
use sluicegate_soap::server_reporting::{self as rollup, ComputerChange};
use sluicegate_soap::server_sync as sync;
use sluicegate_soap::{DecodeError, Limits, RequestMessage, ResponseMessage, SoapVersion};
use sluicegate_terms::{GroupId, Guid, RevisionNumber, Sha1Digest, Timestamp, UpdateId, UpdateIdentity};

fn noon() -> Timestamp {
    "2026-10-04T12:00:00.5Z".parse().unwrap()
}

fn guid(number: u128) -> Guid {
    Guid::from_u128(number)
}

fn identity(number: u128) -> UpdateIdentity {
    UpdateIdentity { update: UpdateId(guid(number)), revision: RevisionNumber::new(200).unwrap() }
}

fn cookie() -> Option<Cookie> {
    Some(Cookie { expiration: Timestamp::MAX, encrypted_data: Some(Base64(Vec::new())) })
}

fn sync_requests() -> Vec<sync::Request> {
    use sync::Request;
    let entry = sync::IdAndDelta { id: guid(1), delta: true };
    vec![
        Request::GetAuthConfig(sync::GetAuthConfigRequest {}),
        Request::GetCookie(sync::GetCookieRequest {
            auth_cookies: vec![AuthorizationCookie {
                plug_in_id: Some("DssTargeting".into()),
                cookie_data: Some(Base64(vec![1, 2, 3])),
            }],
            old_cookie: cookie(),
            protocol_version: Some("1.20".into()),
        }),
        Request::GetConfigData(sync::GetConfigDataRequest { cookie: cookie(), config_anchor: None }),
        Request::GetRevisionIdList(sync::GetRevisionIdListRequest {
            cookie: cookie(),
            filter: Some(sync::ServerSyncFilter {
                anchor: Some("1,2026-10-04 12:00:00.000".into()),
                get_63_language_only: Some(false),
                categories: Some(vec![entry]),
                classifications: Some(Vec::new()),
                languages: Some(vec![sync::LanguageAndDelta { id: 1033, delta: false }]),
                ..sync::ServerSyncFilter::default()
            }),
        }),
        Request::GetUpdateDecryptionData(sync::GetUpdateDecryptionDataRequest {
            cookie: cookie(),
            update_ids: Some(vec![identity(1)]),
        }),
        Request::GetDriverIdList(sync::GetDriverIdListRequest {
            cookie: cookie(),
            filter: Some(sync::ServerSyncDriverFilter {
                dss_protocol_version: Some(sync::ProtocolVersionElement {}),
                computer_ids: Some(vec![entry]),
                pnp_hardware_ids: Some(vec![sync::HardwareIdAndDelta {
                    id: Some("PCI\\VEN_1&DEV_2".into()),
                    delta: false,
                }]),
                ..sync::ServerSyncDriverFilter::default()
            }),
        }),
        Request::GetDriverSetData(sync::GetDriverSetDataRequest {
            cookie: cookie(),
            driver_sets: Some(vec![guid(4)]),
        }),
        Request::DownloadFiles(sync::DownloadFilesRequest {
            cookie: cookie(),
            file_digests: Some(vec![Sha1Digest([7; 20])]),
        }),
        Request::GetDeployments(sync::GetDeploymentsRequest {
            cookie: cookie(),
            deployment_anchor: Some(String::new()),
            sync_anchor: Some("1,2026-10-04 12:00:00.000".into()),
        }),
        Request::GetRelatedRevisionsForUpdates(sync::GetRelatedRevisionsForUpdatesRequest {
            cookie: cookie(),
            update_ids: Some(vec![guid(1)]),
        }),
    ]
}

fn computer() -> rollup::ComputerRollupInfo {
    rollup::ComputerRollupInfo {
        computer_id: Some("a \"quoted\" <name> & more".into()),
        last_sync: noon(),
        last_sync_result: 1,
        parent: guid(9),
        details: Some(rollup::ComputerRollupDetails {
            full_domain_name: Some("pc.example.net".into()),
            os_build_number: 26_200,
            suite_mask: -3,
            old_product_type: 1,
            target_groups: vec![GroupId(guid(5))],
            requested_groups: vec!["Pilots".into()],
            ..rollup::ComputerRollupDetails::default()
        }),
        ..rollup::ComputerRollupInfo::default()
    }
}

fn rollup_requests() -> Vec<rollup::Request> {
    use rollup::Request;
    let activity = rollup::DownstreamServerRollupClientActivitySummary {
        update: UpdateId(guid(1)),
        revision: 200,
        successes: 3,
        failures: 1,
    };
    let client = rollup::DownstreamServerRollupClientSummary {
        count: 12,
        activity: vec![activity],
        ..rollup::DownstreamServerRollupClientSummary::default()
    };
    let server = rollup::DownstreamServerRollupInfo {
        server_id: guid(9),
        full_domain_name: Some("child.example.net".into()),
        server_summary: Some(rollup::DownstreamServerRollupServerSummary::default()),
        client_summaries: vec![client],
        ..rollup::DownstreamServerRollupInfo::default()
    };
    let status =
        rollup::ComputerStatusRollupUpdateStatus { update: UpdateId(guid(1)), state: 4, last_change: noon() };
    vec![
        Request::GetRollupConfiguration(rollup::GetRollupConfigurationRequest { cookie: cookie() }),
        Request::RollupDownstreamServers(rollup::RollupDownstreamServersRequest {
            cookie: cookie(),
            client_time: noon(),
            servers: Some(vec![server]),
        }),
        Request::RollupComputers(rollup::RollupComputersRequest {
            cookie: cookie(),
            client_time: noon(),
            computers: Some(vec![computer()]),
        }),
        Request::GetOutOfSyncComputers(rollup::GetOutOfSyncComputersRequest {
            cookie: cookie(),
            parent: guid(9),
            last_rollup_numbers: Some(vec![rollup::ComputerLastRollupNumber {
                computer_id: Some("pc".into()),
                rollup_number: 3,
            }]),
        }),
        Request::RollupComputerStatus(rollup::RollupComputerStatusRequest {
            cookie: cookie(),
            client_time: noon(),
            parent: guid(9),
            computers: Some(vec![rollup::ComputerStatusRollupInfo {
                computer_id: Some("pc".into()),
                rollup_number: 3,
                is_full: true,
                updates: vec![status],
                ..rollup::ComputerStatusRollupInfo::default()
            }]),
        }),
    ]
}

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
    let version = SoapVersion::V11;
    let deployment = sync::ServerSyncDeployment {
        update: UpdateId(guid(1)),
        revision: RevisionNumber::new(200).unwrap(),
        action: sync::SyncAction::Other(5),
        admin_name: Some("CONTOSO\\admin".into()),
        deadline: Timestamp::MAX,
        is_assigned: true,
        go_live_time: noon(),
        deployment: guid(2),
        target_group: GroupId::ALL_COMPUTERS,
        download_priority: 2,
    };
    let result = sync::ServerSyncDeploymentResult {
        anchor: Some("1,2026-10-04 12:00:00.000".into()),
        groups: vec![sync::ServerSyncTargetGroup { name: Some("All".into()), ..Default::default() }],
        deployments: vec![deployment],
        dead_deployments: vec![guid(3)],
        ..Default::default()
    };
    let deployments = sync::GetDeploymentsResponse { result };
    let bytes = deployments.encode(version);
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.contains("<HiddenUpdates /><AcceptedEulas />"), "lists that must be there: {text}");
    assert!(text.contains("<Deadline>9999-12-31T23:59:59.9999999Z</Deadline>"), "{text}");
    back(&bytes, &deployments);

    let changed =
        vec![rollup::ChangedComputer { computer_id: Some("pc".into()), change: ComputerChange::NewParent }];
    let computers = rollup::RollupComputersResponse { changed };
    let bytes = computers.encode(version);
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.contains("<ChangedComputer ComputerId=\"pc\" Change=\"NewParent\" />"), "{text}");
    back(&bytes, &computers);

    let list = sync::DriverSetAndRevisionIdList {
        new_revisions: vec![identity(1)],
        removed_driver_sets: vec![guid(4)],
        ..Default::default()
    };
    let drivers = sync::GetDriverIdListResponse { list };
    back(&drivers.encode(version), &drivers);
    let keys = sync::ServerSyncUpdateFileDecryption {
        id: identity(1),
        files: vec![sync::ServerSyncFileDecryption {
            file_digest: Some(Sha1Digest([1; 20])),
            decryption_key: Some(Base64(vec![5; 16])),
        }],
    };
    let data = sync::ServerDecryptionData { updates: vec![keys] };
    let keys = sync::GetUpdateDecryptionDataResponse { data };
    back(&keys.encode(version), &keys);
    let status = rollup::RollupComputerStatusResponse { taken: false };
    back(&status.encode(version), &status);
    let computers = rollup::GetOutOfSyncComputersResponse { computers: vec!["pc".into()] };
    back(&computers.encode(version), &computers);
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
