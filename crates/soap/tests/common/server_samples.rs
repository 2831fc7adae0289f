//! One message of every kind that servers send each other, with what may be left out.

use sluicegate_soap::client::{AuthorizationCookie, Base64, Cookie};
use sluicegate_soap::dss_auth;
use sluicegate_soap::server_reporting::{self as rollup, ComputerChange};
use sluicegate_soap::server_sync as sync;
use sluicegate_soap::simple_auth::PingRequest;
use sluicegate_soap::text::Text;
use sluicegate_terms::{GroupId, Guid, RevisionNumber, Sha1Digest, Timestamp, UpdateId, UpdateIdentity};

pub(crate) fn noon() -> Timestamp {
    "2026-10-04T12:00:00.5Z".parse().unwrap()
}

pub(crate) fn guid(number: u128) -> Guid {
    Guid::from_u128(number)
}

pub(crate) fn identity(number: u128) -> UpdateIdentity {
    UpdateIdentity { update: UpdateId(guid(number)), revision: RevisionNumber::new(200).unwrap() }
}

pub(crate) fn cookie() -> Option<Cookie> {
    Some(Cookie { expiration: Timestamp::MAX, encrypted_data: Some(Base64(Vec::new())) })
}

pub(crate) fn sync_requests() -> Vec<sync::Request> {
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
        Request::GetUpdateData(sync::GetUpdateDataRequest {
            cookie: cookie(),
            update_ids: Some(vec![identity(1), identity(2)]),
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

pub(crate) fn computer() -> rollup::ComputerRollupInfo {
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

pub(crate) fn rollup_requests() -> Vec<rollup::Request> {
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

pub(crate) fn dss_auth_requests() -> Vec<dss_auth::Request> {
    use dss_auth::Request;
    vec![
        Request::GetAuthorizationCookie(dss_auth::GetAuthorizationCookieRequest {
            account_name: Some("child.example.net".into()),
            account_guid: Some(guid(9).to_string()),
            program_keys: Some(vec![guid(1)]),
        }),
        Request::Ping(PingRequest { ping_level: 0 }),
    ]
}

pub(crate) fn authorization() -> dss_auth::GetAuthorizationCookieResponse {
    let cookie_data = Some(Base64(vec![1, 2, 3]));
    let cookie = AuthorizationCookie { plug_in_id: Some("DssTargeting".into()), cookie_data };
    dss_auth::GetAuthorizationCookieResponse { cookie }
}

pub(crate) fn configuration() -> sync::GetConfigDataResponse {
    let language = sync::ServerSyncLanguageData { language_id: 1033, ..Default::default() };
    let config = sync::ServerSyncConfigData {
        new_config_anchor: Some("1,2026-10-04 12:00:00.000".into()),
        protocol_version: Some("1.20".into()),
        languages: vec![language],
        max_computer_ids: Some(0),
        max_driver_sets: Some(0),
        max_pnp_hardware_ids: Some(0),
        max_updates_in_decryption_data: Some(100),
        ..Default::default()
    };
    sync::GetConfigDataResponse { config }
}

pub(crate) fn update_data() -> sync::GetUpdateDataResponse<'static> {
    let update = |xml: Option<&str>, blob: Option<Vec<u8>>| sync::ServerSyncUpdateData {
        id: identity(1),
        xml: xml.map(|xml| Text::new(xml).into_owned()),
        file_digests: Some(vec![Sha1Digest([7; 20])]),
        compressed: blob.map(Base64),
    };
    let url = sync::ServerSyncUrlData {
        file_digest: Some(Sha1Digest([7; 20])),
        mu_url: Some("http://download.example.net/a.cab".into()),
        uss_url: Some(String::new()),
        ..Default::default()
    };
    let updates = vec![update(Some("<upd:Update />"), None), update(None, Some(b"MSCF".to_vec()))];
    sync::GetUpdateDataResponse { data: sync::ServerUpdateData { updates, file_urls: vec![url] } }
}

pub(crate) fn deployments() -> sync::GetDeploymentsResponse {
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
    sync::GetDeploymentsResponse { result }
}

pub(crate) fn changed_computers() -> rollup::RollupComputersResponse {
    let changed =
        vec![rollup::ChangedComputer { computer_id: Some("pc".into()), change: ComputerChange::NewParent }];
    rollup::RollupComputersResponse { changed }
}

pub(crate) fn drivers() -> sync::GetDriverIdListResponse {
    let list = sync::DriverSetAndRevisionIdList {
        new_revisions: vec![identity(1)],
        removed_driver_sets: vec![guid(4)],
        ..Default::default()
    };
    sync::GetDriverIdListResponse { list }
}

pub(crate) fn keys() -> sync::GetUpdateDecryptionDataResponse {
    let keys = sync::ServerSyncUpdateFileDecryption {
        id: identity(1),
        files: vec![sync::ServerSyncFileDecryption {
            file_digest: Some(Sha1Digest([1; 20])),
            decryption_key: Some(Base64(vec![5; 16])),
        }],
    };
    let data = sync::ServerDecryptionData { updates: vec![keys] };
    sync::GetUpdateDecryptionDataResponse { data }
}

pub(crate) fn limits() -> rollup::GetRollupConfigurationResponse {
    let configuration = rollup::RollupConfiguration {
        do_detailed_rollup: true,
        rollup_reset: guid(8),
        server_id: guid(9),
        max_downstream_servers: 5_000,
        max_computers: 1_500,
        max_out_of_sync: 20_000,
        max_status: 500,
    };
    rollup::GetRollupConfigurationResponse { configuration }
}

pub(crate) fn out_of_sync() -> rollup::GetOutOfSyncComputersResponse {
    rollup::GetOutOfSyncComputersResponse { computers: vec!["pc".into()] }
}

/// Calls a macro with a sample of every answer that has more than an empty element.
macro_rules! every_server_answer {
    ($call:ident) => {{
        use $crate::common::server_samples as samples;
        $call!(samples::authorization());
        $call!(samples::configuration());
        $call!(samples::update_data());
        $call!(samples::deployments());
        $call!(samples::drivers());
        $call!(samples::keys());
        $call!(samples::changed_computers());
        $call!(samples::limits());
        $call!(samples::out_of_sync());
        $call!(sluicegate_soap::server_reporting::RollupComputerStatusResponse { taken: false });
    }};
}
pub(crate) use every_server_answer;
