//! How a downstream server gets in: GetAuthConfig (MS-WSUSSS 3.1.4.1), GetAuthorizationCookie (3.1.4.2) and
//! GetCookie (3.1.4.3); and the check of its cookie in everything after.

use super::{Caller, Failure, Reply, in_store};
use crate::cookie::CookieError;
use crate::hierarchy::pass::{self, DssVersion, LIFETIME_SECONDS, LONGEST_NAME, Pass, PassKind};
use crate::state::App;
use sluicegate_soap::SoapVersion;
use sluicegate_soap::client::{AuthPlugInInfo, AuthorizationCookie, Base64, Cookie as WireCookie};
use sluicegate_soap::dss_auth::{GetAuthorizationCookieRequest, GetAuthorizationCookieResponse};
use sluicegate_soap::server_sync::{
    GetAuthConfigResponse, GetCookieRequest, GetCookieResponse, ServerAuthConfig,
};
use sluicegate_store::hierarchy::DownstreamContact;
use sluicegate_terms::{Guid, Timestamp};
use std::sync::Arc;

/// The name of the one authorization plug-in.
const PLUG_IN: &str = "DssTargeting";

/// Answers GetAuthConfig. `Parameter` is there and empty and `AllowedEventIds` is left out, as on real
/// servers (exchange 000001; MS-WSUSSS 3.1.4.1 wants no `Parameter`).
pub(super) fn get_auth_config(app: &App, version: SoapVersion) -> Reply {
    let plug_in = AuthPlugInInfo {
        plug_in_id: Some(PLUG_IN.into()),
        service_url: Some("DssAuthWebService/DssAuthWebService.asmx".into()),
        parameter: Some(String::new()),
    };
    let config = ServerAuthConfig {
        last_change: app.settings.load().config_changed,
        auth_info: vec![plug_in],
        allowed_event_ids: None,
    };
    Reply::message(&GetAuthConfigResponse { config }, version)
}

/// Answers GetAuthorizationCookie and takes note of the server that asks.
pub(super) async fn get_authorization_cookie(
    app: &Arc<App>,
    caller: &Caller,
    request: GetAuthorizationCookieRequest,
    version: SoapVersion,
) -> Result<Reply, Failure> {
    let name = account_name(request.account_name.as_deref().unwrap_or_default())?;
    let account: Guid = request
        .account_guid
        .unwrap_or_default()
        .trim()
        .parse()
        .map_err(|error| Failure::parameter("accountGuid", format!("{error}")))?;
    if account == Guid::ZERO {
        return Err(Failure::parameter("accountGuid", "it is all zeros, which names no server"));
    }
    if account == app.server_id {
        return Err(Failure::parameter(
            "accountGuid",
            "it is this server's own id; a server cannot be its own upstream, and a copy of one needs an id of its own \
             (`sluicegate repair identity` there)",
        ));
    }
    let contact = DownstreamContact { id: account, name: name.clone(), at: caller.now, synced: false };
    if !app.store.downstream_allowed(account, &name) {
        return Err(refused(app, account, name, caller.now));
    }
    app.refused.lock().forget(account);
    in_store(app, move |store| store.record_downstream(contact)).await?;
    let pass = Pass {
        expires: caller.now.plus_seconds(LIFETIME_SECONDS),
        server: app.server_id,
        account,
        name,
        protocol: DssVersion { major: 0, minor: 0 },
    };
    let data = Base64(sealed(app, PassKind::Authorization, &pass)?);
    let cookie = AuthorizationCookie { plug_in_id: Some(PLUG_IN.into()), cookie_data: Some(data) };
    Ok(Reply::message(&GetAuthorizationCookieResponse { cookie }, version))
}

fn account_name(text: &str) -> Result<String, Failure> {
    if !is_account_name(text) {
        return Err(Failure::parameter("accountName", "it is missing or no DNS name"));
    }
    Ok(text.strip_suffix('.').unwrap_or(text).to_owned())
}

/// Whether upstream servers take this as the name of a server: a name as DNS has them (RFC 1035 2.3), one label
/// or more. Underscores occur in names of computers.
pub(crate) fn is_account_name(text: &str) -> bool {
    let label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        !label.is_empty() && label.len() <= 63 && label.bytes().all(plain)
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    name.len() <= LONGEST_NAME && name.split('.').all(label)
}

/// Answers GetCookie. What `oldCookie` says is not needed for anything.
pub(super) fn get_cookie(
    app: &App,
    caller: &Caller,
    request: &GetCookieRequest,
    version: SoapVersion,
) -> Result<Reply, Failure> {
    let [cookie] = request.auth_cookies.as_slice() else {
        let count = request.auth_cookies.len();
        return Err(Failure::parameter("authCookies", format!("it has {count} cookies; one must be there")));
    };
    let protocol = dss_version(request.protocol_version.as_deref())?;
    let data = cookie.cookie_data.as_ref().filter(|data| !data.0.is_empty());
    let data = data.ok_or_else(|| Failure::Authorization("it has no CookieData".into()))?;
    let pass = pass::open(&app.cookie_key, PassKind::Authorization, &data.0, app.server_id, caller.now)
        .map_err(|error| Failure::Authorization(error.to_string()))?;
    let pass = allowed(app, pass, caller.now)?;
    tracing::info!(
        server = %pass.account,
        name = pass.name,
        its_protocol = %protocol,
        our_protocol = super::config_data::PROTOCOL,
        "a downstream server is let in"
    );
    let pass = Pass { expires: caller.now.plus_seconds(LIFETIME_SECONDS), protocol, ..pass };
    let data = Base64(sealed(app, PassKind::Synchronization, &pass)?);
    let cookie = WireCookie { expiration: pass.expires, encrypted_data: Some(data) };
    Ok(Reply::message(&GetCookieResponse { cookie }, version))
}

/// The protocol version of a downstream server: `1.y` (MS-WSUSSS 3.1.4.3).
fn dss_version(text: Option<&str>) -> Result<DssVersion, Failure> {
    let version: DssVersion = text
        .unwrap_or_default()
        .trim()
        .parse()
        .map_err(|reason: String| Failure::parameter("protocolVersion", reason))?;
    if version.major == 1 { Ok(version) } else { Err(Failure::IncompatibleProtocol(version)) }
}

/// Opens the cookie of a request. One that expired is InvalidCookie too: the protocol between servers has no
/// other word for it (MS-WSUSSS 2.2.9.3), and the reaction, to begin again, is the right one.
pub(super) fn open(app: &App, cookie: Option<&WireCookie>, now: Timestamp) -> Result<Pass, Failure> {
    let sealed = cookie.and_then(|cookie| cookie.encrypted_data.as_ref()).filter(|data| !data.0.is_empty());
    let Some(sealed) = sealed else { return Err(Failure::NoCookie) };
    let opened = pass::open(&app.cookie_key, PassKind::Synchronization, &sealed.0, app.server_id, now);
    let pass = opened.map_err(|error| match error {
        CookieError::NotOurs(_) => Failure::Cookie(error),
        CookieError::Expired(_) | CookieError::OtherServer(_) => Failure::StalePass(error),
    })?;
    allowed(app, pass, now)
}

/// The list of allowed servers holds for every call: who is taken off it is refused in the middle of a synchronization.
fn allowed(app: &App, pass: Pass, now: Timestamp) -> Result<Pass, Failure> {
    match app.store.downstream_allowed(pass.account, &pass.name) {
        true => Ok(pass),
        false => Err(refused(app, pass.account, pass.name, now)),
    }
}

/// Takes note of it, so that whoever looks after the list sees who is kept out.
fn refused(app: &App, account: Guid, name: String, now: Timestamp) -> Failure {
    app.refused.lock().note(account, &name, now);
    Failure::DownstreamRefused { account, name }
}

fn sealed(app: &App, kind: PassKind, pass: &Pass) -> Result<Vec<u8>, Failure> {
    pass::seal(&app.cookie_key, kind, pass, app.random.nonce())
        .ok_or_else(|| Failure::Internal(format!("the cookie of server {} cannot be sealed", pass.account)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_names_are_those_of_dns() {
        for good in ["probe.lab.invalid", "server", "a_b.example.net", "x.example.net."] {
            assert!(account_name(good).is_ok(), "{good}");
        }
        let long = "x.".repeat(200);
        for bad in ["", ".", "a..b", "a b", "ü.example", "<x>", "a/b", long.as_str(), &"x".repeat(64)] {
            assert_eq!(account_name(bad).unwrap_err().fault().2, "accountName", "{bad}");
        }
    }

    #[test]
    fn only_version_1_of_the_protocol_is_spoken() {
        use sluicegate_soap::fault::ErrorCode;
        assert_eq!(dss_version(Some("1.20")).unwrap().minor, 20);
        for (text, code) in [
            (Some("2.0"), ErrorCode::IncompatibleProtocolVersion),
            (Some("0.9"), ErrorCode::IncompatibleProtocolVersion),
            (Some("one"), ErrorCode::InvalidParameters),
            (Some(""), ErrorCode::InvalidParameters),
            (None, ErrorCode::InvalidParameters),
        ] {
            assert_eq!(dss_version(text).unwrap_err().fault().1, code, "{text:?}");
        }
    }
}
