//! The address of a proxy, as administrators write it and as it is shown to them.

use super::error::AdminError;
use sluicegate_store::hierarchy::ProxyServer;

/// The port of a proxy whose address names none.
const USUAL_PORT: u16 = 8080;

/// As [`parse`] takes it.
pub(super) fn address(server: &ProxyServer) -> String {
    let host = &server.host;
    if host.contains(':') {
        format!("http://[{host}]:{}", server.port)
    } else {
        format!("http://{host}:{}", server.port)
    }
}

/// A proxy from `http://host:port`, `host:port` or `host`.
pub(super) fn parse(text: &str) -> Result<ProxyServer, AdminError> {
    let shown: String = text.chars().take(80).collect();
    let bad = |why: &str| {
        AdminError::invalid(format!(
            "`{shown}` is not the address of a proxy ({why}); write http://HOST:PORT"
        ))
    };
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let uri: http::Uri = whole.parse().map_err(|_| bad("it cannot be read"))?;
    if uri.scheme_str() != Some("http") {
        return Err(bad("proxies are spoken to in plain http, also about https addresses"));
    }
    let authority = uri.authority().ok_or_else(|| bad("it has no host"))?;
    if authority.as_str().contains('@') {
        return Err(bad("the name and password are set on their own"));
    }
    if uri.path_and_query().is_some_and(|rest| rest.as_str() != "/") {
        return Err(bad("nothing can follow the port"));
    }
    let host = authority.host().trim_matches(['[', ']']);
    if host.is_empty() {
        return Err(bad("it has no host"));
    }
    // The last colon separates the port, except inside the brackets of an IPv6 address.
    let port = match authority.as_str().rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
        None | Some((_, "")) => USUAL_PORT,
        Some((_, port)) => port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(|| bad(&format!("its port `{port}` is not a number from 1 to 65535")))?,
    };
    Ok(ProxyServer { host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_and_without_scheme_and_port() {
        for (text, host, port) in [
            ("proxy", "proxy", 8080),
            ("proxy:3128", "proxy", 3128),
            ("http://proxy:3128/", "proxy", 3128),
            ("http://[::1]", "::1", 8080),
            ("[::1]:65535", "::1", 65_535),
        ] {
            let server = parse(text).unwrap();
            assert_eq!((server.host.as_str(), server.port), (host, port), "{text}");
            assert_eq!(parse(&address(&server)).unwrap(), server);
        }
    }

    #[test]
    fn other_addresses_are_refused_with_what_is_wrong_in_them() {
        for (text, said) in [
            ("https://proxy:1", "plain http"),
            ("http://u:p@proxy:1", "on their own"),
            ("http://proxy:1/x", "follow the port"),
            ("http://pro xy", "cannot be read"),
            ("proxy:70000", "`70000`"),
            ("http://proxy:0", "`0`"),
            ("[::1]:99999", "`99999`"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.message.contains(said), "{}", error.message);
        }
    }
}
