//! The session a cookie stands for: opened at the start of every operation that has one, replaced at the
//! end of some. Here are the checks that MS-WUSP 3.1.5 asks of each of them.

use super::Failure;
use crate::contacts;
use crate::cookie::{self, Cookie, CookieKind};
use crate::state::App;
use sluicegate_soap::client::{Base64, Cookie as WireCookie};
use sluicegate_terms::{ComputerId, GroupId, Timestamp};
use std::sync::Arc;

/// Opens the cookie of a request: present, ours, of this server, not expired, and not from a future that
/// this server lost. Names the client as soon as it is known.
pub(super) fn open(
    app: &App,
    cookie: Option<&WireCookie>,
    now: Timestamp,
    computer: &mut Option<ComputerId>,
) -> Result<Cookie, Failure> {
    let sealed = cookie.and_then(|cookie| cookie.encrypted_data.as_ref()).filter(|data| !data.0.is_empty());
    let Some(sealed) = sealed else { return Err(Failure::NoCookie) };
    let opened = cookie::open(&app.cookie_key, CookieKind::Client, &sealed.0, app.server_id, now)?;
    *computer = Some(opened.computer.clone());
    not_ahead(app, &opened)?;
    Ok(opened)
}

/// Refuses a cookie that has seen changes which this server has not (any more).
pub(super) fn not_ahead(app: &App, cookie: &Cookie) -> Result<(), Failure> {
    let seen = cookie.newest_seen();
    match app.published.load().as_ref() {
        Some(published) if seen > published.snapshot.anchor() => {
            Err(Failure::SetBack { seen, last: published.snapshot.anchor() })
        }
        _ => Ok(()),
    }
}

/// The further checks of the synchronizing operations (MS-WUSP 3.1.5.7, 3.1.5.12): the configuration and
/// the content locations the client knows are the present ones, and it is registered if it must be.
/// Answers the groups the client is in.
pub(super) async fn check_for_sync(app: &App, cookie: &Cookie) -> Result<Arc<[GroupId]>, Failure> {
    let settings = app.settings.load();
    if cookie.config_changed != settings.config_changed {
        return Err(Failure::ConfigChanged {
            known: cookie.config_changed,
            changed: settings.config_changed,
        });
    }
    if cookie.locations != settings.locations {
        return Err(Failure::FileLocationChanged { known: cookie.locations, now: settings.locations });
    }
    let known = contacts::known(app, &cookie.computer).await?;
    if settings.registration_required && !known.registered {
        return Err(Failure::RegistrationRequired(cookie.computer.clone()));
    }
    Ok(known.groups)
}

/// Takes note of the groups whose deployments the client is about to be told. When they are others than
/// before, what it has seen so far says nothing about them.
pub(super) fn set_groups(cookie: &mut Cookie, groups: &[GroupId]) {
    if cookie.groups != groups {
        cookie.groups = groups.to_vec();
        cookie.forget_seen();
    }
}

/// Seals a cookie for the wire.
pub(super) fn seal(app: &App, cookie: &Cookie) -> Result<WireCookie, Failure> {
    let sealed = cookie::seal(&app.cookie_key, CookieKind::Client, cookie, app.random.nonce())
        .ok_or_else(|| Failure::Internal(format!("the cookie of {} cannot be sealed", cookie.computer)))?;
    Ok(WireCookie { expiration: cookie.expires, encrypted_data: Some(Base64(sealed)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cookie::{CategorySet, Partial};
    use sluicegate_terms::{Anchor, Guid};

    #[test]
    fn other_groups_forget_what_was_seen() {
        let noon: Timestamp = "2026-10-04T12:00:00Z".parse().unwrap();
        let mut cookie = Cookie {
            issued: noon,
            expires: noon,
            server: Guid::ZERO,
            config_changed: noon,
            locations: 0,
            protocol: "2.90".parse().unwrap(),
            computer: "c".parse().unwrap(),
            groups: vec![GroupId::UNASSIGNED_COMPUTERS],
            software: Anchor(5),
            drivers: Anchor(6),
            printers: Anchor(7),
            partial: Partial { categories: CategorySet::of(&[]), software: Anchor(8), drivers: Anchor(9) },
        };
        set_groups(&mut cookie, &[GroupId::UNASSIGNED_COMPUTERS]);
        assert_eq!(cookie.software, Anchor(5));
        set_groups(&mut cookie, &[GroupId::ALL_COMPUTERS]);
        assert_eq!(cookie.newest_seen(), Anchor::START);
        assert_eq!(cookie.groups, [GroupId::ALL_COMPUTERS]);
    }
}
