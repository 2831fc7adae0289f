//! The SimpleAuth service: GetAuthorizationCookie (MS-WUSP 3.1.5.3) and Ping.

use super::{Caller, Failure, Reply, config::PLUG_IN};
use crate::contacts;
use crate::cookie::{self, Cookie, CookieKind, LIFETIME_SECONDS, Partial};
use crate::state::App;
use sluicegate_scan::ProtocolVersion;
use sluicegate_soap::SoapVersion;
use sluicegate_soap::client::{AuthorizationCookie, Base64};
use sluicegate_soap::simple_auth::{
    GetAuthorizationCookieRequest, GetAuthorizationCookieResponse, MonitoredServicesResponse, PingResponse,
};
use sluicegate_store::Contact;
use sluicegate_terms::{Anchor, ComputerId};

/// Longest DNS name, in characters.
const LONGEST_NAME: usize = 255;

/// Most groups a client may ask for; further ones are passed over.
const MOST_GROUPS: usize = 32;

/// Answers GetAuthorizationCookie. The specification allows InvalidParameters or InternalServerError for a
/// bad parameter, and says real servers give the latter; the former tells an administrator more.
pub(super) async fn get_authorization_cookie(
    app: &App,
    caller: &Caller,
    request: GetAuthorizationCookieRequest,
    version: SoapVersion,
) -> (Result<Reply, Failure>, Option<ComputerId>) {
    let computer = match request.client_id.as_deref().unwrap_or_default().parse::<ComputerId>() {
        Ok(computer) => computer,
        Err(error) => return (Err(Failure::parameter("clientId", error.to_string())), None),
    };
    (authorize(app, caller, request, &computer, version).await, Some(computer))
}

async fn authorize(
    app: &App,
    caller: &Caller,
    request: GetAuthorizationCookieRequest,
    computer: &ComputerId,
    version: SoapVersion,
) -> Result<Reply, Failure> {
    let name = dns_name(request.dns_name)?;
    let requested = group_names(request.target_group_name.as_deref().unwrap_or_default());
    let contact = Contact {
        dns_name: Some(name),
        requested_groups: Some(requested),
        ip: Some(caller.peer.ip().to_string()),
        ..Contact::new(computer.clone(), caller.now)
    };
    let groups = contacts::introduce(app, contact).await?.groups;
    let settings = app.settings.load();
    let cookie = Cookie {
        issued: caller.now,
        expires: caller.now.plus_seconds(LIFETIME_SECONDS),
        server: app.server_id,
        config_changed: settings.config_changed,
        locations: settings.locations,
        protocol: ProtocolVersion { major: 0, minor: 0 },
        computer: computer.clone(),
        groups: groups.to_vec(),
        software: Anchor::START,
        drivers: Anchor::START,
        printers: Anchor::START,
        partial: Partial::default(),
    };
    let sealed = cookie::seal(&app.cookie_key, CookieKind::Authorization, &cookie, app.random.nonce())
        .ok_or_else(|| {
            Failure::Internal(format!("the authorization cookie of {computer} cannot be sealed"))
        })?;
    let cookie = AuthorizationCookie { plug_in_id: Some(PLUG_IN.into()), cookie_data: Some(Base64(sealed)) };
    Ok(Reply::message(&GetAuthorizationCookieResponse { cookie }, version))
}

/// The client's name: present, and of characters that names have. Underscores and spaces occur in NetBIOS
/// names that agents send, so they pass.
fn dns_name(given: Option<String>) -> Result<String, Failure> {
    let name = given.unwrap_or_default().trim().to_owned();
    if name.is_empty() {
        return Err(Failure::parameter("dnsName", "it is missing or empty"));
    }
    if name.chars().count() > LONGEST_NAME || name.chars().any(|c| c.is_control() || "<>&\"/\\".contains(c)) {
        return Err(Failure::parameter("dnsName", "it is no name of a computer"));
    }
    Ok(name)
}

/// The groups a client asks for; a policy may name several with semicolons between.
fn group_names(given: &str) -> Vec<String> {
    let names = given.split(';').map(str::trim).filter(|name| !name.is_empty());
    names.take(MOST_GROUPS).map(|name| name.chars().take(256).collect()).collect()
}

/// Answers Ping for the service of this name: it is there.
pub(super) fn ping(caller: &Caller, name: &str, version: SoapVersion) -> Reply {
    let state = MonitoredServicesResponse {
        success: true,
        time: caller.now,
        name: Some(name.into()),
        request_content_type: Some(version.content_type().into()),
        ..MonitoredServicesResponse::default()
    };
    Reply::message(&PingResponse { state: Some(state) }, version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_groups_may_be_named() {
        assert_eq!(group_names("Pilots; Servers ;;"), ["Pilots", "Servers"]);
        assert!(group_names("").is_empty());
        assert_eq!(group_names(&"x;".repeat(500)).len(), MOST_GROUPS);
    }

    #[test]
    fn names_are_checked() {
        assert_eq!(dns_name(Some("pc_1.example.net".into())).unwrap(), "pc_1.example.net");
        for bad in
            [None, Some(String::new()), Some("a\u{7}".into()), Some("<x>".into()), Some("x".repeat(256))]
        {
            assert_eq!(dns_name(bad).unwrap_err().fault().2, "dnsName");
        }
    }
}
