//! SOAP: the DSS Authorization service. GetAuthorizationCookie (MS-WSUSSS 3.1.4.2) and the Ping that the
//! services of a real server share (named unused in 3.1.4.12).

use crate::client::AuthorizationCookie;
use crate::field::message;
use crate::operations::{operation, requests};
use crate::service::{Operation, Service};
use crate::simple_auth::{PING, PingRequest};
use sluicegate_terms::Guid;

message! {
    /// A downstream server asks for an authorization cookie.
    #[derive(Default)]
    pub struct GetAuthorizationCookieRequest {
        /// The downstream server's DNS name.
        account_name: Option<String> = "accountName",
        /// The downstream server's own id, a GUID as text.
        account_guid: Option<String> = "accountGuid",
        /// Programs the server takes part in; in the interface definition only.
        program_keys: Option<Vec<Guid>> = "programKeys"["guid"],
    }

    /// Gives one.
    pub struct GetAuthorizationCookieResponse {
        /// The cookie; its plug-in is `DssTargeting`.
        cookie: AuthorizationCookie = "GetAuthorizationCookieResult",
    }
}

operation!(GET_AUTHORIZATION_COOKIE = Operation::of(Service::DssAuth, "GetAuthorizationCookie");
    GetAuthorizationCookieRequest => GetAuthorizationCookieResponse);

requests! {
    /// A request to the DSS Authorization service.
    []
    /// MS-WSUSSS 3.1.4.2.
    GetAuthorizationCookie(GetAuthorizationCookieRequest) = GET_AUTHORIZATION_COOKIE,
    /// Asks whether the service is there.
    Ping(PingRequest) = PING,
}
