//! Transport: how an upstream is reached. Proxies, credentials, trusted certificates, waits and bounds,
//! as an administrator sets them.

use super::no_proxy::NoProxy;
use super::retry::RetryPolicy;
use super::url::Url;
use core::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How an upstream is reached.
#[derive(Clone, Debug)]
pub struct TransportSettings {
    /// The proxy for plain `http`, and for `https` where [`tls_proxy`](Self::tls_proxy) names none.
    pub proxy: Option<ProxySettings>,
    /// Another proxy for `https`.
    pub tls_proxy: Option<ProxySettings>,
    /// Hosts reached without a proxy.
    pub no_proxy: NoProxy,
    /// A PEM file of certificates that are trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// How long is waited for what.
    pub waits: Waits,
    /// Requests under way at once, to all servers together; at least one.
    pub connections: usize,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// When and how often a request is repeated.
    pub retry: RetryPolicy,
}

impl Default for TransportSettings {
    fn default() -> Self {
        Self {
            proxy: None,
            tls_proxy: None,
            no_proxy: NoProxy::default(),
            ca_file: None,
            waits: Waits::default(),
            connections: 8,
            user_agent: concat!("Sluicegate/", env!("CARGO_PKG_VERSION")).to_owned(),
            retry: RetryPolicy::default(),
        }
    }
}

/// How long is waited for what.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// For a name to be resolved, a connection to be made, a proxy's tunnel and TLS, each.
    pub connect: Duration,
    /// For the next byte of an answer. A real upstream lists a large catalog in one answer and thinks about
    /// it for minutes before the first byte.
    pub silence: Duration,
    /// The same where a person waits: settings that are tried ask for nothing that takes long, but a server may just
    /// be starting its service.
    pub person: Duration,
    /// For a whole answer to a call of a service; files have no such bound, only that of silence.
    pub call: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            silence: Duration::from_secs(300),
            person: Duration::from_secs(60),
            call: Duration::from_secs(3600),
        }
    }
}

/// One HTTP proxy.
#[derive(Clone, Debug)]
pub struct ProxySettings {
    /// Where it is; spoken to in plain HTTP, also for `https` (by way of CONNECT).
    pub address: Url,
    /// Who we are to it, if it asks.
    pub credentials: Option<ProxyCredentials>,
}

/// A user of a proxy. `Debug` shows no password.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyCredentials {
    /// `DOMAIN\name`, `name@domain` or `name`.
    pub user: String,
    /// The password.
    pub password: String,
    /// Which schemes may be used.
    pub schemes: Schemes,
}

impl fmt::Debug for ProxyCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyCredentials")
            .field("user", &self.user)
            .field("password", &"…")
            .field("schemes", &self.schemes)
            .finish()
    }
}

/// Which ways of proving who we are may be used with a proxy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Schemes {
    /// NTLM when it is offered, else basic.
    #[default]
    Any,
    /// NTLM only: basic shows the password to everybody on the way to the proxy.
    NtlmOnly,
    /// Basic only.
    BasicOnly,
}

impl TransportSettings {
    /// The proxy on the way to an address, if there is one.
    #[must_use]
    pub fn proxy_for(&self, url: &Url) -> Option<&ProxySettings> {
        if self.no_proxy.covers(url.host()) {
            return None;
        }
        let own = if url.is_tls() { self.tls_proxy.as_ref() } else { None };
        own.or(self.proxy.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_takes_its_own_proxy_where_there_is_one() {
        let proxy = |at: &str| ProxySettings { address: at.parse().unwrap(), credentials: None };
        let mut settings = TransportSettings { proxy: Some(proxy("http://a:1")), ..Default::default() };
        let (plain, tls) = ("http://x/".parse().unwrap(), "https://x/".parse().unwrap());
        let host = |s: &TransportSettings, url| s.proxy_for(url).map(|p| p.address.host().to_owned());
        assert_eq!(host(&settings, &tls).as_deref(), Some("a"));
        settings.tls_proxy = Some(proxy("http://b:1"));
        assert_eq!(host(&settings, &tls).as_deref(), Some("b"));
        assert_eq!(host(&settings, &plain).as_deref(), Some("a"));
        settings.no_proxy = NoProxy::from_list("X");
        assert_eq!(host(&settings, &plain), None);
    }

    #[test]
    fn a_password_is_not_shown() {
        let credentials = ProxyCredentials {
            user: "CORP\\sync".to_owned(),
            password: "hunter2".to_owned(),
            schemes: Schemes::Any,
        };
        let settings = TransportSettings {
            proxy: Some(ProxySettings {
                address: "http://a:1".parse().unwrap(),
                credentials: Some(credentials),
            }),
            ..Default::default()
        };
        let shown = format!("{settings:?}");
        assert!(shown.contains("sync") && !shown.contains("hunter2"), "{shown}");
    }
}
