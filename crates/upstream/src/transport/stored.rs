//! Transport: the administrator's settings as they are stored, made into those of a transport.

use super::error::TransportError;
use super::no_proxy::NoProxy;
use super::settings::{ProxyCredentials, ProxySettings, Schemes, TransportSettings};
use super::url::Url;
use sluicegate_store::hierarchy as store;

impl TransportSettings {
    /// The way to the upstream that an administrator set. Waits, bounds and repeating are the usual ones.
    ///
    /// # Errors
    /// [`Failure::Settings`](super::Failure::Settings) when a proxy's address is not usable.
    pub fn stored(settings: &store::UpstreamSettings) -> Result<Self, TransportError> {
        let stored = &settings.proxy;
        let credentials = stored.credentials.as_ref().map(|known| ProxyCredentials {
            user: match known.domain.as_str() {
                "" => known.user.clone(),
                domain => format!("{domain}\\{}", known.user),
            },
            password: known.password.0.clone(),
            schemes: if stored.ntlm_only { Schemes::NtlmOnly } else { Schemes::Any },
        });
        let proxy = |server: &Option<store::ProxyServer>| -> Result<Option<ProxySettings>, TransportError> {
            let Some(server) = server else { return Ok(None) };
            let host = match server.host.parse::<std::net::Ipv6Addr>() {
                Ok(_) => format!("[{}]", server.host),
                Err(_) => server.host.clone(),
            };
            let address: Url = format!("http://{host}:{}", server.port)
                .parse()
                .map_err(|error| TransportError::settings(format!("the proxy's address: {error}")))?;
            Ok(Some(ProxySettings { address, credentials: credentials.clone() }))
        };
        Ok(Self {
            proxy: proxy(&stored.http)?,
            tls_proxy: proxy(&stored.https)?,
            no_proxy: NoProxy::new(&stored.bypass),
            ca_file: settings.ca_file.clone(),
            ..Self::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_proxies_and_credentials_are_taken_over() {
        let mut settings = store::UpstreamSettings {
            proxy: store::ProxySettings {
                http: Some(store::ProxyServer { host: "proxy.example".to_owned(), port: 3128 }),
                https: Some(store::ProxyServer { host: "::1".to_owned(), port: 8080 }),
                credentials: Some(store::ProxyCredentials {
                    user: "sync".to_owned(),
                    domain: "CORP".to_owned(),
                    password: store::Password("hunter2".to_owned()),
                }),
                ntlm_only: true,
                bypass: vec![".corp.example".to_owned()],
                ..Default::default()
            },
            ..Default::default()
        };
        let made = TransportSettings::stored(&settings).unwrap();
        let plain = made.proxy_for(&"http://parent.example/".parse().unwrap()).unwrap();
        assert_eq!(plain.address.authority(), "proxy.example:3128");
        let known = plain.credentials.as_ref().unwrap();
        assert_eq!((known.user.as_str(), known.schemes), ("CORP\\sync", Schemes::NtlmOnly));
        let tls = made.proxy_for(&"https://parent.example/".parse().unwrap()).unwrap();
        assert_eq!(tls.address.authority(), "[::1]:8080");
        assert!(made.proxy_for(&"http://a.corp.example/".parse().unwrap()).is_none());

        settings.proxy.http = Some(store::ProxyServer { host: "a b".to_owned(), port: 1 });
        assert!(TransportSettings::stored(&settings).unwrap_err().to_string().contains("proxy's address"));
    }
}
