//! SOAP: GetConfig (MS-WUSP 2.2.2.2.1).

use crate::field::message;
use crate::operations::operation;
use crate::service::{Operation, Service};
use sluicegate_terms::Timestamp;

message! {
    /// Asks what the server wants of its clients.
    #[derive(Default)]
    pub struct GetConfigRequest {
        /// The client protocol version; the specification says 1.8, agents send 2.90 (observed).
        protocol_version: Option<String> = "protocolVersion",
    }

    /// Says it.
    pub struct GetConfigResponse {
        /// The configuration.
        config: Config = "GetConfigResult",
    }

    /// The configuration of a server.
    pub struct Config {
        /// When it last changed; clients send it back in GetCookie.
        last_change: Timestamp = "LastChange",
        /// True when clients must call RegisterComputer.
        is_registration_required: bool = "IsRegistrationRequired",
        /// Exactly one, `SimpleTargeting`.
        auth_info: Vec<AuthPlugInInfo> = "AuthInfo"["AuthPlugInInfo"],
        /// The events to report; real servers leave it out, which means all (observed).
        allowed_event_ids: Vec<i32> = "AllowedEventIds"["int"],
        /// `MaxExtendedUpdatesPerRequest` first, then those of protocol 3.0 and newer.
        properties: Vec<ConfigurationProperty> = "Properties"["ConfigurationProperty"],
    }

    /// Where authorization cookies come from.
    #[derive(Default)]
    pub struct AuthPlugInInfo {
        /// `SimpleTargeting`. Spelled `PlugInId` in cookies.
        plug_in_id: Option<String> = "PlugInID",
        /// Relative to the server's root.
        service_url: Option<String> = "ServiceUrl",
        /// Unused; real servers send it empty (observed) where MS-WUSP wants it left out.
        parameter: Option<String> = "Parameter",
    }

    /// A setting by name.
    #[derive(Default)]
    pub struct ConfigurationProperty {
        /// Which.
        name: Option<String> = "Name",
        /// Its value.
        value: Option<String> = "Value",
    }
}

operation!(GET_CONFIG = Operation::of(Service::Client, "GetConfig"); GetConfigRequest => GetConfigResponse);
