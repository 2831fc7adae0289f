//! SOAP: GetCookie (MS-WUSP 2.2.2.2.2) and the two kinds of cookie (2.2.3.4, 2.2.3.5).

use crate::field::{Base64, message};
use crate::operations::operation;
use crate::service::{Operation, Service};
use sluicegate_terms::Timestamp;

message! {
    /// What the server gives a client to carry; only the server can read its data.
    #[derive(Default)]
    pub struct Cookie {
        /// Until when it is good.
        expiration: Timestamp = "Expiration",
        /// Sealed. Absent in the `oldCookie` of a client that has none (observed).
        encrypted_data: Option<Base64> = "EncryptedData",
    }

    /// What the authorization service gives a client to carry to GetCookie.
    #[derive(Default)]
    pub struct AuthorizationCookie {
        /// `SimpleTargeting`. Spelled `PlugInID` in the configuration.
        plug_in_id: Option<String> = "PlugInId",
        /// Sealed.
        cookie_data: Option<Base64> = "CookieData",
    }

    /// Asks for a cookie, or renews one.
    #[derive(Default)]
    pub struct GetCookieRequest {
        /// Exactly one.
        auth_cookies: Vec<AuthorizationCookie> = "authCookies"["AuthorizationCookie"],
        /// The cookie to renew. On the first call it has only an `Expiration` (observed).
        old_cookie: Option<Cookie> = "oldCookie",
        /// `LastChange` of the configuration the client has.
        last_change: Timestamp = "lastChange",
        /// The client's clock.
        current_time: Timestamp = "currentTime",
        /// The client protocol version, as in GetConfig.
        protocol_version: Option<String> = "protocolVersion",
    }

    /// Gives it.
    pub struct GetCookieResponse {
        /// The cookie.
        cookie: Cookie = "GetCookieResult",
    }
}

operation!(GET_COOKIE = Operation::of(Service::Client, "GetCookie"); GetCookieRequest => GetCookieResponse);
