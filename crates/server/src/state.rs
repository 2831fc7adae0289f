//! What the requests of one server share.

use crate::admission::Gate;
use crate::clock::Clock;
use crate::contacts::Synchronized;
use crate::cookie::CookieKey;
use crate::directory::Directory;
use crate::hierarchy::lineage::Lineage;
use crate::options::Limits;
use crate::publisher::{Published, PublisherHealth};
use crate::random::Randomness;
use crate::refused::Refused;
use crate::settings::Settings;
use crate::telemetry::Telemetry;
use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;
use sluicegate_scan::Scratch;
use sluicegate_store::Store;
use sluicegate_terms::Guid;
use sluicegate_upstream::Synchronizer;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::sync::Notify;

/// The state of one server.
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Randomness,
    pub(crate) limits: Arc<Limits>,
    pub(crate) settings: ArcSwap<Settings>,
    pub(crate) directory: Directory,
    /// Downstream servers that synchronized and are not written down yet.
    pub(crate) synchronized: Mutex<Synchronized>,
    /// Held while they are: whoever wants to see what was heard waits for what is on its way.
    pub(crate) writing_synchronized: Mutex<()>,
    /// Servers that the list of those that may synchronize kept out.
    pub(crate) refused: Mutex<Refused>,
    pub(crate) published: ArcSwapOption<Published>,
    pub(crate) publisher: Mutex<PublisherHealth>,
    /// Rung when catalog or decisions changed.
    pub(crate) changed: Notify,
    /// The newest change of the catalog that somebody waits for to be in service.
    pub(crate) awaited: AtomicU64,
    /// Rung when the synchronizer brought something.
    pub(crate) synced: Arc<Notify>,
    pub(crate) synchronizer: Synchronizer,
    pub(crate) cleaner: crate::cleanup::Cleaner,
    pub(crate) cookie_key: CookieKey,
    pub(crate) server_id: Guid,
    pub(crate) lineage: Lineage,
    pub(crate) commit: Option<String>,
    /// Room for request bodies.
    pub(crate) bodies: Gate,
    /// Room for scan answers.
    pub(crate) answers: Gate,
    pub(crate) scratches: Scratches,
    pub(crate) telemetry: Telemetry,
    pub(crate) machine_name: String,
    /// Where it listens; URLs in answers use this port whatever the client's Host said (observed).
    pub(crate) ip: IpAddr,
    pub(crate) port: u16,
    /// What the server found when it looked after itself.
    pub(crate) watch: crate::watching::Watch,
    pub(crate) self_update: PathBuf,
    /// One change of settings at a time.
    pub(crate) settings_turn: tokio::sync::Mutex<()>,
}

impl App {
    /// A number in 0.0..1.0 that spreads clients out.
    pub(crate) fn jitter(&self) -> f64 {
        // Below 2^53, so the conversions keep the value.
        #[expect(clippy::cast_precision_loss, reason = "at most 1000")]
        let jitter = self.random.below(1000) as f64 / 1000.0;
        jitter
    }

    /// `host:port` for URLs in answers: the name the client used, our own port (observed-behaviour 4).
    pub(crate) fn authority(&self, host: &str) -> String {
        format!("{}:{}", host_name(host).unwrap_or(&self.fallback_name()), self.port)
    }

    /// For clients that name no usable host: the address we listen on.
    fn fallback_name(&self) -> String {
        match self.ip {
            ip if ip.is_unspecified() => self.machine_name.clone(),
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        }
    }
}

/// The name in a Host header, without its port; `None` when it is no name or address.
fn host_name(host: &str) -> Option<&str> {
    let name = if host.starts_with('[') {
        let end = host.find(']')?;
        host.get(..=end)?
    } else {
        host.split(':').next().unwrap_or_default()
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    (!name.is_empty() && name.len() <= 255 && name.chars().all(plain)).then_some(name)
}

/// Working memory of scans, used again and again.
#[derive(Debug, Default)]
pub(crate) struct Scratches(Mutex<Vec<Scratch>>);

/// More than this are not kept: scans run on the async workers, of which there are few.
const KEPT: usize = 64;

impl Scratches {
    pub(crate) fn take(&self) -> Scratch {
        self.0.lock().pop().unwrap_or_default()
    }

    pub(crate) fn give_back(&self, scratch: Scratch) {
        let mut kept = self.0.lock();
        if kept.len() < KEPT {
            kept.push(scratch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_host_header_is_kept_without_its_port() {
        assert_eq!(host_name("wsus.example:9999"), Some("wsus.example"));
        assert_eq!(host_name("192.0.2.1"), Some("192.0.2.1"));
        assert_eq!(host_name("[2001:db8::1]:8530"), Some("[2001:db8::1]"));
        for bad in ["", ":80", "a b", "a/b", "a<b", "[::1", "é"] {
            assert_eq!(host_name(bad), None, "{bad}");
        }
    }
}
