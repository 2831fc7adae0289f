//! SOAP: the first calls of a synchronization. GetAuthConfig (MS-WSUSSS 3.1.4.1), GetCookie (3.1.4.3) and
//! GetConfigData (3.1.4.4).

use super::of;
use crate::client::{AuthPlugInInfo, AuthorizationCookie, Cookie};
use crate::field::message;
use crate::operations::operation;
use sluicegate_terms::Timestamp;

message! {
    /// Asks where authorization cookies come from.
    #[derive(Default, Copy)]
    pub struct GetAuthConfigRequest {}

    /// Says it.
    pub struct GetAuthConfigResponse {
        /// The configuration.
        config: ServerAuthConfig = "GetAuthConfigResult",
    }

    /// Where authorization cookies come from.
    #[derive(Default)]
    pub struct ServerAuthConfig {
        /// When it last changed.
        last_change: Timestamp = "LastChange",
        /// Exactly one, `DssTargeting`.
        auth_info: Vec<AuthPlugInInfo> = "AuthInfo"["AuthPlugInInfo"],
        /// Events to report; real servers leave it out (observed).
        allowed_event_ids: Option<Vec<i32>> = "AllowedEventIds"["int"],
    }

    /// Asks for a cookie.
    #[derive(Default)]
    pub struct GetCookieRequest {
        /// Exactly one.
        auth_cookies: Vec<AuthorizationCookie> = "authCookies"["AuthorizationCookie"],
        /// The cookie to renew; optional (observed).
        old_cookie: Option<Cookie> = "oldCookie",
        /// The protocol version of the downstream server, `1.20` today (observed).
        protocol_version: Option<String> = "protocolVersion",
    }

    /// Gives it.
    pub struct GetCookieResponse {
        /// The cookie, good for 240 minutes on real servers (observed).
        cookie: Cookie = "GetCookieResult",
    }

    /// Asks for the configuration that governs a synchronization.
    #[derive(Default)]
    pub struct GetConfigDataRequest {
        /// The downstream server's cookie.
        cookie: Option<Cookie> = "cookie",
        /// The anchor of the last answer.
        config_anchor: Option<String> = "configAnchor",
    }

    /// Gives it.
    pub struct GetConfigDataResponse {
        /// The configuration.
        config: ServerSyncConfigData = "GetConfigDataResult",
    }

    /// What governs a synchronization. The limits of driver calls are missing from servers older than
    /// those calls (MS-WSUSSS appendix B, notes 40 and 43).
    #[derive(Default)]
    pub struct ServerSyncConfigData {
        /// True when the server has no files to download, only metadata.
        catalog_only_sync: bool = "CatalogOnlySync",
        /// True when the server fetches files once an update is approved.
        lazy_sync: bool = "LazySync",
        /// True when the server also has express files.
        server_hosts_psf_files: bool = "ServerHostsPsfFiles",
        /// Most entries of `ComputerIds` in GetDriverIdList.
        max_computer_ids: Option<i32> = "MaxNumberOfComputerIdsInRequest",
        /// Most entries of GetDriverSetData.
        max_driver_sets: Option<i32> = "MaxNumberOfDriverSetsPerRequest",
        /// Most entries of `PnpHardwareIds` in GetDriverIdList.
        max_pnp_hardware_ids: Option<i32> = "MaxNumberOfPnpHardwareIdsInRequest",
        /// Most entries of GetUpdateData; 100 on real servers (observed).
        max_updates_per_request: i32 = "MaxNumberOfUpdatesPerRequest",
        /// To be sent next time, unread.
        new_config_anchor: Option<String> = "NewConfigAnchor",
        /// The protocol version of the server.
        protocol_version: Option<String> = "ProtocolVersion",
        /// The languages whose settings changed since the anchor.
        languages: Vec<ServerSyncLanguageData> = "LanguageUpdateList"["ServerSyncLanguageData"],
        /// Most entries of GetUpdateDecryptionData.
        max_updates_in_decryption_data: Option<i32> = "MaxUpdatesPerRequestInGetUpdateDecryptionData",
    }

    /// A language that updates may speak. Id 0, `all`, stands for every language.
    #[derive(Default)]
    pub struct ServerSyncLanguageData {
        /// Windows' number of it, for example 1033.
        language_id: i32 = "LanguageID",
        /// For example `en`.
        short_language: Option<String> = "ShortLanguage",
        /// For example `English`.
        long_language: Option<String> = "LongLanguage",
        /// True when the server wants updates in it.
        enabled: bool = "Enabled",
    }
}

operation!(GET_AUTH_CONFIG = of("GetAuthConfig"); GetAuthConfigRequest => GetAuthConfigResponse);
operation!(GET_COOKIE = of("GetCookie"); GetCookieRequest => GetCookieResponse);
operation!(GET_CONFIG_DATA = of("GetConfigData"); GetConfigDataRequest => GetConfigDataResponse);
