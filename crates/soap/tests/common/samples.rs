//! One message of every kind with every field set, and one with as few as may be.

use sluicegate_soap::client::sync_updates::{
    CategoryIdentifier, ComputerHardwareSpecification, Day, Device, DriverVersion, ExtensionDriver,
    InstalledDriver, ProductsParameters,
};
use sluicegate_soap::client::{self, *};
use sluicegate_soap::reporting::{self, *};
use sluicegate_soap::simple_auth::{self, *};
use sluicegate_soap::text::Text;
use sluicegate_terms::{
    DeploymentAction, DeploymentId, Guid, RevisionId, RevisionNumber, Sha1Digest, Timestamp, UpdateId,
    UpdateIdentity,
};

pub(crate) fn text(value: &str) -> Option<String> {
    Some(format!("{value} <&> \"ü\""))
}

pub(crate) fn time() -> Timestamp {
    "2026-10-04T16:03:35.9967236Z".parse().unwrap()
}

pub(crate) fn guid(value: u128) -> Guid {
    Guid::from_u128(value << 64 | 0x1234_5678)
}

pub(crate) fn cookie() -> Option<Cookie> {
    Some(Cookie { expiration: time(), encrypted_data: Some(Base64(vec![0, 1, 2, 254, 255])) })
}

fn identity() -> UpdateIdentity {
    UpdateIdentity { update: UpdateId(guid(9)), revision: RevisionNumber::new(200).unwrap() }
}

fn digest() -> Sha1Digest {
    Sha1Digest([7; 20])
}

fn long(value: &str) -> Option<Text<'static>> {
    Some(Text::new(&format!("{value}=1;Name=<<PROCESS>>: a&b;")))
}

pub(crate) fn deployment() -> Deployment {
    Deployment {
        id: DeploymentId::new(1 << 30).unwrap(),
        action: DeploymentAction::Install,
        deadline: Some(time()),
        is_assigned: true,
        last_change: Day::of(time()),
        download_priority: text("High"),
        hardware_ids: vec![r"PCI\VEN_8086&DEV_2918".to_owned()],
        auto_select: Some(0),
        auto_download: Some(0),
        supersedence_behavior: Some(0),
        flag_bitmask: Some(0),
    }
}

fn location() -> FileLocation {
    FileLocation {
        file_digest: Some(digest()),
        url: Some("http://host:8530/Content/07/0707.cab?a=1&b=2".to_owned()),
        pieces_hash_url: text("p"),
        block_map_url: text("b"),
        decryption_information: text("{}"),
        file_digest_algorithm: text("SHA1"),
        encrypted_file_digest: Some(Base64(vec![1])),
        encrypted_file_digest_algorithm: text("SHA256"),
    }
}

fn device() -> Device {
    let extension = ExtensionDriver {
        extension_id: text("{9}"),
        driver_ver_date: time(),
        driver_ver_version: DriverVersion(0x000A_0000_65F4_0001),
        class: text("Extension"),
        driver_rank: 5,
        matching_computer_hwid: Some(guid(3)),
    };
    Device {
        hardware_ids: vec!["A".to_owned(), String::new()],
        compatible_ids: vec!["B&C".to_owned()],
        installed_driver: Some(InstalledDriver {
            matching_id: text("A"),
            driver_ver_date: time(),
            driver_ver_version: DriverVersion(u64::MAX - 1),
            class: text("Printer"),
            manufacturer: text("m"),
            provider: text("p"),
            model: text("o"),
            matching_computer_hwid: Some(guid(4)),
            driver_rank: -1,
            skip_provider_filtering: Some(true),
            is_generic: Some(false),
        }),
        extension_drivers: vec![extension.clone()],
        extension_drivers_as_published: vec![extension],
        driver_recovery_ids: vec!["9".to_owned()],
        device_flags: Some(1),
    }
}

pub(crate) fn client_requests() -> Vec<client::Request<'static>> {
    use client::Request as R;
    vec![
        R::GetConfig(GetConfigRequest { protocol_version: text("2.90") }),
        R::GetConfig(GetConfigRequest::default()),
        R::GetCookie(GetCookieRequest {
            auth_cookies: vec![AuthorizationCookie {
                plug_in_id: text("SimpleTargeting"),
                cookie_data: Some(Base64(vec![9; 100])),
            }],
            old_cookie: Some(Cookie { expiration: time(), encrypted_data: None }),
            last_change: time(),
            current_time: Timestamp::MAX,
            protocol_version: text("1.8"),
        }),
        R::GetCookie(GetCookieRequest::default()),
        R::RegisterComputer(RegisterComputerRequest {
            cookie: cookie(),
            computer_info: Some(ComputerInfo {
                dns_name: text("host"),
                os_major_version: 10,
                os_minor_version: -1,
                os_build_number: 26_200,
                os_service_pack_major_number: 1,
                os_service_pack_minor_number: 2,
                os_locale: text("en-US"),
                computer_manufacturer: text("m"),
                computer_model: text("o"),
                bios_version: text("v"),
                bios_name: text("n"),
                bios_release_date: time(),
                processor_architecture: text("AMD64"),
                suite_mask: 256,
                old_product_type: 255,
                new_product_type: 48,
                system_metrics: 3,
                client_version_major_number: 1507,
                client_version_minor_number: 2601,
                client_version_build_number: 30_012,
                client_version_qfe_number: 4,
                os_description: text("Windows"),
                oem: text("e"),
                device_type: text("t"),
                firmware_version: text("f"),
                mobile_operator: text("x"),
            }),
        }),
        R::RegisterComputer(RegisterComputerRequest::default()),
        R::StartCategoryScan(StartCategoryScanRequest {
            requested_categories: (0..3)
                .map(|n| CategoryRelationship { index_of_and_group: n, category_id: UpdateId(guid(5)) })
                .collect(),
        }),
        R::SyncUpdates(SyncUpdatesRequest {
            cookie: cookie(),
            parameters: Some(SyncUpdateParameters {
                express_query: Some(false),
                installed_non_leaf: vec![1, 22, 108_226, i32::MAX],
                other_cached: (1000..1500).collect(),
                system_spec: vec![device(), Device::default()],
                cached_drivers: vec![i32::MIN, 0],
                skip_software_sync: true,
                filter_categories: vec![CategoryIdentifier { id: UpdateId(guid(6)) }],
                need_two_group_out_of_scope: Some(true),
                also_perform_regular_sync: Some(true),
                computer_spec: Some(ComputerHardwareSpecification { hardware_ids: vec![guid(7), guid(8)] }),
                feature_score_matching_key: text("AMD64.10.0"),
                products_parameters: Some(ProductsParameters {
                    sync_current_version_only: Some(false),
                    device_attributes: long("OSVersion"),
                    caller_attributes: long("Interactive"),
                    products: long("PN"),
                }),
            }),
        }),
        R::SyncUpdates(SyncUpdatesRequest {
            cookie: None,
            parameters: Some(SyncUpdateParameters { express_query: Some(false), ..Default::default() }),
        }),
        R::SyncPrinterCatalog(SyncPrinterCatalogRequest {
            cookie: cookie(),
            installed_non_leaf: vec![1],
            printer_updates: vec![2, 3],
        }),
        R::RefreshCache(RefreshCacheRequest { cookie: cookie(), global_ids: vec![identity(); 3] }),
        R::GetExtendedUpdateInfo(GetExtendedUpdateInfoRequest {
            cookie: cookie(),
            revision_ids: vec![4, 5],
            info_types: FragmentType::ALL.to_vec(),
            locales: vec!["en-US".to_owned(), "en".to_owned()],
            device_attributes: long("OSVersion"),
            geo_id: text("USA"),
            caller_attributes: long("Id"),
        }),
        R::GetExtendedUpdateInfo2(GetExtendedUpdateInfo2Request {
            cookie: cookie(),
            update_ids: vec![identity()],
            info_types: vec![FragmentType::FileUrl],
            locales: vec!["de".to_owned()],
            device_attributes: long("OSVersion"),
            caller_attributes: long("Id"),
        }),
        R::GetFileLocations(GetFileLocationsRequest { cookie: cookie(), file_digests: vec![digest(); 2] }),
    ]
}

pub(crate) fn config() -> GetConfigResponse {
    GetConfigResponse {
        config: Config {
            last_change: time(),
            is_registration_required: true,
            auth_info: vec![AuthPlugInInfo {
                plug_in_id: text("SimpleTargeting"),
                service_url: text("u"),
                parameter: Some(String::new()),
            }],
            allowed_event_ids: vec![147, 148],
            properties: vec![ConfigurationProperty { name: text("n"), value: text("v") }],
        },
    }
}

pub(crate) fn sync_info() -> SyncInfo<'static> {
    let update = UpdateInfo {
        id: RevisionId::new(9).unwrap(),
        deployment: Some(deployment()),
        is_leaf: true,
        xml: long("<UpdateIdentity />"),
    };
    SyncInfo {
        new_updates: vec![update.clone(), UpdateInfo { deployment: None, ..update.clone() }],
        out_of_scope: vec![1, 2],
        changed_updates: vec![UpdateInfo { xml: None, ..update }],
        truncated: true,
        new_cookie: cookie(),
        deployed_out_of_scope: vec![3],
        driver_sync_not_needed: Some("true".to_owned()),
    }
}

pub(crate) fn refreshed() -> RefreshCacheResponse {
    let revision = RefreshedRevision {
        revision: RevisionId::new(4).unwrap(),
        identity: Some(identity()),
        is_leaf: false,
        deployment: Some(deployment()),
    };
    RefreshCacheResponse { revisions: vec![revision; 2] }
}

pub(crate) fn extended() -> GetExtendedUpdateInfoResponse<'static> {
    GetExtendedUpdateInfoResponse {
        info: ExtendedUpdateInfo {
            updates: vec![UpdateData {
                id: RevisionId::new(4).unwrap(),
                xml: long("<ExtendedProperties />"),
            }],
            file_locations: vec![location()],
            out_of_scope: vec![5],
        },
    }
}

pub(crate) fn extended2() -> GetExtendedUpdateInfo2Response<'static> {
    let decryption = FileDecryption {
        file_digest: Some(digest()),
        decryption_key: Some(Base64(vec![1, 2])),
        security_data: vec![Base64(vec![1, 2])],
    };
    GetExtendedUpdateInfo2Response {
        info: ExtendedUpdateInfo2 {
            updates: vec![UpdateData {
                id: RevisionId::new(4).unwrap(),
                xml: long("<ExtendedProperties />"),
            }],
            file_locations: vec![location()],
            file_decryption_data: vec![decryption.clone()],
            file_decryption_data2: vec![decryption],
            update_encryption_details: vec![UpdateEncryptionDetail {
                identity: identity(),
                has_encrypted_files: false,
            }],
        },
    }
}

pub(crate) fn locations() -> GetFileLocationsResponse {
    let result = GetFileLocationsResults { file_locations: vec![location()], new_cookie: cookie() };
    GetFileLocationsResponse { result }
}

pub(crate) fn events() -> Vec<ReportingEvent> {
    let event = ReportingEvent {
        basic: Some(BasicData {
            target: Some(ComputerTargetIdentifier { sid: text("id") }),
            sequence_number: 0,
            time_at_target: time(),
            event_instance_id: guid(1),
            namespace_id: 1,
            event_id: 182,
            source_id: 101,
            update: Some(UpdateRevisionIdentifier { update: guid(2), revision: 200 }),
            win32_hresult: -2_145_123_272,
            app_name: text("app"),
        }),
        extended: Some(ExtendedData {
            replacement_strings: vec!["0x80240438".to_owned()],
            misc_data: vec!["U=A;B;".to_owned(), "M=<1>;2".to_owned()],
            computer_brand: text("b"),
            computer_model: text("m"),
            bios_revision: text("r"),
            processor_architecture: ProcessorArchitecture::Amd64Compatible,
            os_version: DetailedVersion {
                major: 10,
                minor: 0,
                build: 26_200,
                revision: 65_792,
                service_pack_major: 1,
                service_pack_minor: 2,
            },
            os_locale_id: 1033,
            device_id: text("d"),
        }),
        private: Some(PrivateData { computer_dns_name: text("x"), user_account_name: text("y") }),
    };
    vec![event, ReportingEvent::default()]
}

pub(crate) fn reporting_requests() -> Vec<reporting::Request> {
    use reporting::Request as R;
    vec![
        R::ReportEventBatch(ReportEventBatchRequest {
            cookie: cookie(),
            client_time: time(),
            events: events(),
        }),
        R::ReportEventBatch(ReportEventBatchRequest::default()),
        R::ReportEventBatch2(ReportEventBatch2Request {
            computer_id: text("id"),
            client_time: time(),
            events: events(),
        }),
        R::GetRequiredInventoryType(GetRequiredInventoryTypeRequest {
            cookie: cookie(),
            rules_id: guid(4),
            rules_version: text("1"),
        }),
        R::ReportInventory(ReportInventoryRequest {
            cookie: cookie(),
            client_time: time(),
            inventory: Some(ReportingInventory {
                is_compressed: true,
                raw_xml: text("<x/>"),
                compressed_xml: Some(Base64(vec![0; 9])),
            }),
        }),
    ]
}

pub(crate) fn simple_auth_requests() -> Vec<simple_auth::Request> {
    use simple_auth::Request as R;
    vec![
        R::GetAuthorizationCookie(GetAuthorizationCookieRequest {
            client_id: text("id"),
            target_group_name: text("group"),
            dns_name: text("host"),
        }),
        R::GetAuthorizationCookie(GetAuthorizationCookieRequest::default()),
        R::Ping(PingRequest { ping_level: 1 }),
    ]
}

pub(crate) fn ping() -> PingResponse {
    PingResponse {
        state: Some(MonitoredServicesResponse {
            success: true,
            time: time(),
            name: text("n"),
            machine: text("m"),
            is_https: false,
            request_content_type: text("t"),
            config_file_path: text("p"),
            config_file_project_name: text("j"),
            config_file_environment_name: text("e"),
            config_file_last_modified: time(),
            config_file_version: text("v"),
            config_file_next_expiration: time(),
            config_file_expiration_modulo_in_minutes: 5,
            database_info: text("d"),
            custom_info: text("c"),
        }),
    }
}

/// Calls a macro with every answer.
#[macro_export]
macro_rules! every_answer {
    ($call:ident) => {{
        use sluicegate_soap::client::*;
        use sluicegate_soap::reporting::*;
        use sluicegate_soap::simple_auth::*;
        use $crate::common::samples::*;
        $call!(config());
        $call!(GetCookieResponse { cookie: cookie().unwrap() });
        $call!(RegisterComputerResponse {});
        $call!(StartCategoryScanResponse {
            preferred_category_ids: vec![guid(1), guid(2)],
            requested_category_ids_in_error: vec![guid(3)],
        });
        $call!(StartCategoryScanResponse::default());
        $call!(SyncUpdatesResponse { info: sync_info() });
        $call!(SyncUpdatesResponse::default());
        $call!(SyncPrinterCatalogResponse { info: sync_info() });
        $call!(refreshed());
        $call!(RefreshCacheResponse::default());
        $call!(extended());
        $call!(GetExtendedUpdateInfoResponse::default());
        $call!(extended2());
        $call!(locations());
        $call!(ping());
        $call!(GetAuthorizationCookieResponse {
            cookie: AuthorizationCookie {
                plug_in_id: text("SimpleTargeting"),
                cookie_data: Some(Base64(vec![1]))
            },
        });
        $call!(ReportEventBatchResponse { received: true });
        $call!(ReportEventBatch2Response { received: false });
        $call!(GetRequiredInventoryTypeResponse { inventory_type: 0 });
        $call!(ReportInventoryResponse { received: true });
    }};
}
