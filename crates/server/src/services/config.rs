//! The handshake: GetConfig (MS-WUSP 3.1.5.2) and GetCookie (3.1.5.4).

use super::{Caller, Failure, Reply, session};
use crate::cookie::{self, Cookie, CookieError, CookieKind, LIFETIME_SECONDS, Partial};
use crate::state::App;
use sluicegate_scan::ProtocolVersion;
use sluicegate_soap::SoapVersion;
use sluicegate_soap::client::{
    AuthPlugInInfo, Config, ConfigurationProperty, GetConfigRequest, GetConfigResponse, GetCookieRequest,
    GetCookieResponse,
};
use sluicegate_terms::{Anchor, ComputerId};

/// The server protocol version. Below 3.2, agents scan everything where they could scan one category.
pub(super) const PROTOCOL: ProtocolVersion = ProtocolVersion { major: 3, minor: 2 };

/// Most revisions in one GetExtendedUpdateInfo. The specification wants fewer than this in a request;
/// real servers take as many (observed-behaviour 4).
pub(super) const MAX_EXTENDED_UPDATES: usize = 50;

/// The name of the one authorization plug-in.
pub(super) const PLUG_IN: &str = "SimpleTargeting";

/// Answers GetConfig. `AllowedEventIds` is left out, as real servers do, and means all.
pub(super) fn get_config(
    app: &App,
    request: &GetConfigRequest,
    version: SoapVersion,
) -> Result<Reply, Failure> {
    // MS-WUSP 3.1.5.2 lets a server refuse any other shape.
    client_version(request.protocol_version.as_deref())?;
    let settings = app.settings.load();
    let plug_in = AuthPlugInInfo {
        plug_in_id: Some(PLUG_IN.into()),
        service_url: Some("SimpleAuthWebService/SimpleAuth.asmx".into()),
        parameter: Some(String::new()),
    };
    let config = Config {
        last_change: settings.config_changed,
        is_registration_required: settings.registration_required,
        auth_info: vec![plug_in],
        allowed_event_ids: Vec::new(),
        properties: properties(PROTOCOL, &app.machine_name),
    };
    Ok(Reply::message(&GetConfigResponse { config }, version))
}

/// The properties in the order real servers send them (observed-behaviour 2). Below server protocol
/// 3.0 only the first may appear (MS-WUSP 2.2.2.2.1).
fn properties(server: ProtocolVersion, machine: &str) -> Vec<ConfigurationProperty> {
    let all = [
        ("MaxExtendedUpdatesPerRequest", MAX_EXTENDED_UPDATES.to_string()),
        ("PackageServerShare", format!("\\\\{machine}\\UpdateServicesPackages")),
        ("ProtocolVersion", server.to_string()),
        ("IsInventoryRequired", "0".to_owned()),
        ("ClientReportingLevel", "2".to_owned()),
    ];
    let count = if server < (ProtocolVersion { major: 3, minor: 0 }) { 1 } else { all.len() };
    all.into_iter()
        .take(count)
        .map(|(name, value)| ConfigurationProperty { name: Some(name.into()), value: Some(value) })
        .collect()
}

fn client_version(text: Option<&str>) -> Result<ProtocolVersion, Failure> {
    let Some(text) = text else { return Err(Failure::parameter("protocolVersion", "it is missing")) };
    text.parse().map_err(|error: sluicegate_scan::ProtocolVersionError| {
        Failure::parameter("protocolVersion", error.to_string())
    })
}

/// Answers GetCookie.
pub(super) fn get_cookie(
    app: &App,
    caller: &Caller,
    request: &GetCookieRequest,
    version: SoapVersion,
    computer: &mut Option<ComputerId>,
) -> Result<Reply, Failure> {
    let [authorization] = request.auth_cookies.as_slice() else {
        let given = request.auth_cookies.len();
        return Err(Failure::Authorization(format!("exactly one must be given, not {given}")));
    };
    if authorization.plug_in_id.as_deref().is_some_and(|plug_in| plug_in != PLUG_IN) {
        return Err(Failure::Authorization("it is of another plug-in".into()));
    }
    let sealed = authorization.cookie_data.as_ref().map(|data| data.0.as_slice()).unwrap_or_default();
    let authorized =
        cookie::open(&app.cookie_key, CookieKind::Authorization, sealed, app.server_id, caller.now)
            .map_err(|error| Failure::Authorization(error.to_string()))?;
    *computer = Some(authorized.computer.clone());
    let old = old_cookie(app, request)?;
    let settings = app.settings.load();
    if request.last_change != settings.config_changed {
        return Err(Failure::ConfigChanged { known: request.last_change, changed: settings.config_changed });
    }
    let protocol = client_version(request.protocol_version.as_deref())?;
    let mut fresh = Cookie {
        issued: caller.now,
        expires: caller.now.plus_seconds(LIFETIME_SECONDS),
        server: app.server_id,
        config_changed: settings.config_changed,
        locations: settings.locations,
        protocol,
        software: Anchor::START,
        drivers: Anchor::START,
        printers: Anchor::START,
        partial: Partial::default(),
        ..authorized
    };
    // What an expired cookie of the same client knew goes over into the new one.
    if let Some(old) = old.filter(|old| old.computer == fresh.computer) {
        fresh.locations = old.locations;
        fresh.software = old.software;
        fresh.drivers = old.drivers;
        fresh.printers = old.printers;
        fresh.partial = old.partial;
        fresh.groups = old.groups;
    }
    let cookie = session::seal(app, &fresh)?;
    Ok(Reply::message(&GetCookieResponse { cookie }, version))
}

/// The cookie to renew, of any age. On its first call an agent sends one with nothing but an expiration
/// (observed-behaviour 2), which is none.
fn old_cookie(app: &App, request: &GetCookieRequest) -> Result<Option<Cookie>, Failure> {
    let data = request.old_cookie.as_ref().and_then(|cookie| cookie.encrypted_data.as_ref());
    let Some(sealed) = data.filter(|data| !data.0.is_empty()) else { return Ok(None) };
    let old = cookie::unseal(&app.cookie_key, CookieKind::Client, &sealed.0)?;
    if old.server != app.server_id {
        return Err(CookieError::OtherServer(old.server).into());
    }
    session::not_ahead(app, &old)?;
    Ok(Some(old))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_below_protocol_three_are_one() {
        let names = |version: &str| {
            let list = properties(version.parse().unwrap(), "updates");
            list.into_iter().filter_map(|property| property.name).collect::<Vec<_>>()
        };
        assert_eq!(names("2.90"), ["MaxExtendedUpdatesPerRequest"]);
        assert_eq!(
            names("3.2"),
            [
                "MaxExtendedUpdatesPerRequest",
                "PackageServerShare",
                "ProtocolVersion",
                "IsInventoryRequired",
                "ClientReportingLevel"
            ]
        );
    }

    #[test]
    fn a_version_has_two_parts() {
        assert!(client_version(Some("2.90")).is_ok());
        for bad in [None, Some(""), Some("2"), Some("2.9.0")] {
            assert_eq!(client_version(bad).unwrap_err().fault().2, "protocolVersion");
        }
    }
}
