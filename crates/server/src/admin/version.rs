//! Which version of this interface the two sides speak, said in a header both ways (known problem P-01): `1/0.1.0` is
//! version 1 of the interface, in program version 0.1.0. Who says nothing is taken to speak this one.

use super::error::AdminError;
use crate::state::App;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use std::net::IpAddr;

/// The header.
const NAME: HeaderName = HeaderName::from_static("sluicegate-version");

/// The version of the interface; another one means that paths or members have changed their meaning.
const INTERFACE: u32 = 1;

/// What this server says.
const OURS: &str = concat!("1/", env!("CARGO_PKG_VERSION"));

/// Longest version that is read, in characters.
const LONGEST: usize = 40;

/// Clients that are remembered as logged.
const MOST: usize = 1_000;

/// Says ours.
pub(super) fn say(headers: &mut HeaderMap) {
    headers.insert(NAME, HeaderValue::from_static(OURS));
}

/// Whether a client of this version can be answered. A client is logged when it first says its version.
pub(super) fn agrees(app: &App, headers: &HeaderMap, peer: IpAddr) -> Result<(), AdminError> {
    let Some(said) = headers.get(NAME) else { return Ok(()) };
    let said: String = String::from_utf8_lossy(said.as_bytes()).chars().take(LONGEST).collect();
    let interface = said.split('/').next().and_then(|interface| interface.parse::<u32>().ok());
    {
        let mut known = app.watch.clients.lock();
        let new = known.len() < MOST && known.insert((peer, said.clone()));
        if new {
            tracing::info!(%peer, its_version = said, our_version = OURS, "an admin client said its version");
        }
    }
    match interface {
        Some(INTERFACE) => Ok(()),
        Some(other) => Err(AdminError::other_version(format!(
            "the command speaks version {other} of the admin API ({said}), this server version {INTERFACE} ({OURS}); use \
             the `sluicegate` that this server runs, or update the older of the two"
        ))),
        None => Err(AdminError::other_version(format!(
            "the header `{NAME}` says `{said}`; it must be like `{OURS}`, or be left out"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, Log};

    fn saying(version: &str) -> HeaderMap {
        [(NAME, HeaderValue::from_str(version).unwrap())].into_iter().collect()
    }

    #[test]
    fn what_is_said_begins_with_the_version_of_the_interface() {
        assert!(OURS.starts_with(&format!("{INTERFACE}/")));
    }

    #[tokio::test]
    async fn another_version_of_the_interface_is_refused_with_what_to_do() {
        let (_dir, app) = testing::app().await;
        let peer = IpAddr::from([127, 0, 0, 1]);
        assert!(agrees(&app, &HeaderMap::new(), peer).is_ok());
        assert!(agrees(&app, &saying(OURS), peer).is_ok());
        assert!(agrees(&app, &saying("1/99.0.0"), peer).is_ok());
        for (said, words) in [("2/1.0.0", "version 2"), ("new", "like")] {
            let refused = agrees(&app, &saying(said), peer).unwrap_err();
            assert_eq!(refused.code, "other-version");
            assert!(refused.message.contains(words) && refused.message.contains(OURS), "{}", refused.message);
        }
    }

    #[tokio::test]
    async fn a_client_is_logged_once() {
        let (_dir, app) = testing::app().await;
        let log = Log::default();
        let _collecting = log.collect();
        for _ in 0..3 {
            agrees(&app, &saying("1/0.0.9"), IpAddr::from([192, 0, 2, 7])).unwrap();
        }
        let text = log.text();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("192.0.2.7") && text.contains("1/0.0.9") && text.contains(OURS), "{text}");
    }
}
