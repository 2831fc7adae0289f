//! SOAP: the SimpleAuth service. GetAuthorizationCookie (MS-WUSP 2.2.2.1.1) and Ping, which the
//! services of a real server share (MS-WSUSSS 3.1.4.12 names it unused).

use crate::client::AuthorizationCookie;
use crate::field::message;
use crate::operations::{operation, requests};
use crate::service::{Operation, Service};
use sluicegate_terms::Timestamp;

message! {
    /// Asks for an authorization cookie.
    #[derive(Default)]
    pub struct GetAuthorizationCookieRequest {
        /// The agent's own name for itself; a GUID in practice, any string by the specification.
        client_id: Option<String> = "clientId",
        /// The group the client says it is in; agents leave it out unless client-side targeting is set.
        target_group_name: Option<String> = "targetGroupName",
        /// The client's DNS name.
        dns_name: Option<String> = "dnsName",
    }

    /// Gives one.
    pub struct GetAuthorizationCookieResponse {
        /// The cookie; its plug-in is `SimpleTargeting`.
        cookie: AuthorizationCookie = "GetAuthorizationCookieResult",
    }

    /// Asks whether the service is there.
    pub struct PingRequest {
        /// How thorough the answer shall be; nothing is known to use it.
        ping_level: i32 = "pingLevel",
    }

    /// Says how the service is.
    pub struct PingResponse {
        /// The state of the service.
        state: Option<MonitoredServicesResponse> = "PingResult",
    }

    /// The state of a service. Only what an update server has to tell is more than filler.
    #[derive(Default)]
    pub struct MonitoredServicesResponse {
        /// True when all is well.
        success: bool = "SuccessFlag",
        /// The server's clock.
        time: Timestamp = "ServicesTime",
        /// Name of the service.
        name: Option<String> = "ServicesName",
        /// Name of the machine.
        machine: Option<String> = "ServicesMachine",
        /// True when the request came over TLS.
        is_https: bool = "IsHttps",
        /// Media type of the request.
        request_content_type: Option<String> = "RequestContentType",
        /// Path of a configuration file.
        config_file_path: Option<String> = "ConfigFilePath",
        /// Name of a configuration.
        config_file_project_name: Option<String> = "ConfigFileProjectName",
        /// Name of a configuration's environment.
        config_file_environment_name: Option<String> = "ConfigFileEnvironmentName",
        /// When the configuration last changed.
        config_file_last_modified: Timestamp = "ConfigFileLastModifiedTime",
        /// Version of the configuration.
        config_file_version: Option<String> = "ConfigFileVersion",
        /// When the configuration is read again.
        config_file_next_expiration: Timestamp = "ConfigFileNextExpirationTime",
        /// How often it is read, in minutes.
        config_file_expiration_modulo_in_minutes: i32 = "ConfigFileExpirationModuloInMinutes",
        /// About the database.
        database_info: Option<String> = "DatabaseInfo",
        /// Anything else.
        custom_info: Option<String> = "CustomInfo",
    }
}

/// Ping lives in a namespace of its own on every service of a real server.
pub(crate) const MONITORABLE: &str = "http://www.microsoft.com/SoftwareDistribution/Server/IMonitorable";

operation!(GET_AUTHORIZATION_COOKIE = Operation::of(Service::SimpleAuth, "GetAuthorizationCookie");
    GetAuthorizationCookieRequest => GetAuthorizationCookieResponse);
operation!(PING = Operation { service: Service::SimpleAuth, name: "Ping", namespace: MONITORABLE };
    PingRequest => PingResponse);

requests! {
    /// A request to the SimpleAuth service.
    []
    /// MS-WUSP 2.2.2.1.1.
    GetAuthorizationCookie(GetAuthorizationCookieRequest) = GET_AUTHORIZATION_COOKIE,
    /// Asks whether the service is there.
    Ping(PingRequest) = PING,
}
