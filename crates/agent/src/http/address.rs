//! HTTP: the address of a server or of a file on it, as `WUServer` policy and `Url` elements give it.

use core::fmt;
use core::str::FromStr;

/// A host, a port and a path. Only `http` is spoken; for TLS put a reverse proxy in front.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Address {
    host: String,
    port: u16,
    path: String,
}

/// Text that is not the address of an HTTP server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not an address of an update server: {reason} (expected for example http://update.example:8530)"
)]
pub struct AddressError {
    text: String,
    reason: &'static str,
}

impl Address {
    /// The path, without a trailing slash; empty for the root.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// `host:port`, to connect to.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The `Host` header: the port only where it is not 80.
    #[must_use]
    pub fn host_header(&self) -> String {
        if self.port == 80 { self.host.clone() } else { self.authority() }
    }

    /// True when both are served by the same host and port.
    #[must_use]
    pub fn same_server(&self, other: &Self) -> bool {
        self.port == other.port && self.host.eq_ignore_ascii_case(&other.host)
    }

    /// The path of something below this address. `ServiceUrl` of GetConfig is relative (observed), so
    /// an absolute address is taken only as far as its path.
    #[must_use]
    pub fn join(&self, below: &str) -> String {
        let below = match below.parse::<Self>() {
            Ok(absolute) => return absolute.path,
            Err(_) => below.trim_start_matches('/'),
        };
        format!("{}/{below}", self.path)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let bad = |reason| AddressError { text: text.chars().take(120).collect(), reason };
        let scheme_end = text.find("://").ok_or_else(|| bad("it has no http://"))?;
        let (scheme, rest) = text.split_at(scheme_end);
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(bad("only plain http is spoken here"));
        }
        let rest = rest.trim_start_matches("://");
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        // The last colon separates the port, except inside the brackets of an IPv6 address.
        let (host, port) = match authority.rfind(':').filter(|at| !authority[*at..].contains(']')) {
            Some(at) => {
                let (host, port) = authority.split_at(at);
                let port =
                    port.trim_start_matches(':').parse().map_err(|_| bad("the port is not a number"))?;
                (host, port)
            }
            None => (authority, 80),
        };
        if host.is_empty() || host.contains('@') || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(bad("the host name is missing or has characters that do not belong there"));
        }
        Ok(Self { host: host.to_owned(), port, path: path.trim_end_matches('/').to_owned() })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.host_header(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_policy_and_content_are_read() {
        let server: Address = "http://update.example:8530/".parse().unwrap();
        assert_eq!(server.authority(), "update.example:8530");
        assert_eq!(server.join("ClientWebService/client.asmx"), "/ClientWebService/client.asmx");
        assert_eq!(server.to_string(), "http://update.example:8530");
        let file: Address = "HTTP://UPDATE.example:8530/Content/AB/CD.exe".parse().unwrap();
        assert!(file.same_server(&server));
        assert_eq!(file.path(), "/Content/AB/CD.exe");
        assert_eq!("http://[::1]:8530".parse::<Address>().unwrap().authority(), "[::1]:8530");
        assert_eq!("http://[::1]".parse::<Address>().unwrap().authority(), "[::1]:80");
        assert_eq!(server.join("http://other:1/a/b.asmx"), "/a/b.asmx");
    }

    #[test]
    fn other_texts_are_refused_with_a_reason() {
        for (text, reason) in [
            ("update.example", "http://"),
            ("https://update.example", "plain http"),
            ("http://", "host name"),
            ("http://a:port", "port"),
            ("http://user@host", "host name"),
            ("http://a b", "host name"),
        ] {
            let message = text.parse::<Address>().unwrap_err().to_string();
            assert!(message.contains(reason), "{message}");
        }
    }
}
