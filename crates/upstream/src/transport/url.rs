//! Transport: where a service or a file is. Text from settings, from `ServiceUrl` and from `MUUrl` becomes
//! a [`Url`] once; behind this border host, port and path are known to be good.

use core::fmt;
use core::str::FromStr;

/// Longest address that is read, in bytes.
const LONGEST: usize = 4096;

/// An absolute `http` or `https` address without user name, password and fragment.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url {
    tls: bool,
    host: Box<str>,
    port: u16,
    path: Box<str>,
}

/// Text that is not such an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a usable address: {reason} (expected for example http://update.example:8530)")]
pub struct UrlError {
    text: String,
    reason: &'static str,
}

impl Url {
    /// Whether TLS is spoken there.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The host in lower case; an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(&self.host)
    }

    /// The port, 80 or 443 where none was given.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`, brackets included.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The `Host` header: the port only where it is not the usual one.
    #[must_use]
    pub fn host_header(&self) -> String {
        if self.port == usual_port(self.tls) { self.host.to_string() } else { self.authority() }
    }

    /// Path and query, beginning with a slash.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What `below` means seen from this address: an absolute address, a path from the root, or a path below
    /// this one. `ServiceUrl` is relative on real servers (observed-behaviour 8); its text names no
    /// directory of its own, so this address counts as the directory.
    ///
    /// # Errors
    /// [`UrlError`] when the result is no address.
    pub fn join(&self, below: &str) -> Result<Self, UrlError> {
        if below.contains("://") {
            return below.parse();
        }
        let path = match below.strip_prefix('/') {
            Some(_) => below.to_owned(),
            None => format!("{}/{below}", self.path.trim_end_matches('/')),
        };
        Ok(Self { path: clean_path(&path, below)?, ..self.clone() })
    }
}

const fn usual_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

fn error(text: &str, reason: &'static str) -> UrlError {
    // A password typed into an address must not reach a log through its refusal.
    let shown = match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            format!("{}://…{}", text.get(..scheme).unwrap_or(""), text.get(at..).unwrap_or(""))
        }
        _ => text.to_owned(),
    };
    UrlError { text: shown.chars().take(120).collect(), reason }
}

/// Escapes what may not stand in a request line: `MUUrl` is written by people and programs of all kinds.
fn clean_path(path: &str, whole: &str) -> Result<Box<str>, UrlError> {
    let path = path.split('#').next().unwrap_or("");
    let mut out = String::with_capacity(path.len() + 8);
    for byte in path.bytes() {
        match byte {
            0..=0x1f | 0x7f => return Err(error(whole, "it has control characters")),
            b' ' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0x80.. => {
                out.push_str(&format!("%{byte:02X}"));
            }
            plain => out.push(char::from(plain)),
        }
    }
    if !out.starts_with('/') {
        out.insert(0, '/');
    }
    Ok(out.into())
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let text = text.trim();
        let bad = |reason| error(text, reason);
        if text.len() > LONGEST {
            return Err(bad("it is too long"));
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| bad("it has no http:// or https://"))?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(bad("only http and https are spoken")),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(bad("user name and password do not belong in it; give them as credentials"));
        }
        // The last colon separates the port, except inside the brackets of an IPv6 address.
        let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
            Some((host, "")) => (host, usual_port(tls)),
            Some((host, port)) => {
                let port = port.parse().ok().filter(|port| *port != 0);
                (host, port.ok_or_else(|| bad("the port is not a number from 1 to 65535"))?)
            }
            None => (authority, usual_port(tls)),
        };
        if !good_host(host) {
            return Err(bad("the host name is missing or has characters that do not belong there"));
        }
        let path = clean_path(path, text)?;
        Ok(Self { tls, host: host.to_ascii_lowercase().into(), port, path })
    }
}

fn good_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        return inner.parse::<std::net::Ipv6Addr>().is_ok();
    }
    !host.is_empty()
        && host.len() <= 253
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.host_header(), self.path)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_servers_services_and_files_are_read() {
        let server: Url = "HTTP://Parent.Example:8530".parse().unwrap();
        assert_eq!((server.host(), server.port(), server.is_tls()), ("parent.example", 8530, false));
        let service = server.join("DssAuthWebService/DssAuthWebService.asmx").unwrap();
        assert_eq!(
            service.to_string(),
            "http://parent.example:8530/DssAuthWebService/DssAuthWebService.asmx"
        );
        assert_eq!(service.join("/Content/AB/CD.cab").unwrap().path(), "/Content/AB/CD.cab");
        let other = server.join("https://sws.example/a.asmx?x=1#part").unwrap();
        assert_eq!((other.to_string().as_str(), other.port()), ("https://sws.example/a.asmx?x=1", 443));
        let six: Url = "https://[::1]:8531/x".parse().unwrap();
        assert_eq!((six.host(), six.authority().as_str()), ("::1", "[::1]:8531"));
        let file: Url = "http://host/d/my file_ü.cab".parse().unwrap();
        assert_eq!(file.path(), "/d/my%20file_%C3%BC.cab");
        assert_eq!("http://host?x".parse::<Url>().unwrap().path(), "/?x");
    }

    #[test]
    fn other_texts_are_refused_with_a_reason_and_without_a_password() {
        for (text, reason) in [
            ("parent.example", "no http://"),
            ("ftp://parent", "only http and https"),
            ("http://", "host name"),
            ("http://a:0", "port"),
            ("http://a:99999", "port"),
            ("http://a b/", "host name"),
            ("http://[::g]/", "host name"),
            ("http://h/a\r\nHost: x", "control"),
            ("http://me:secret@host/", "credentials"),
        ] {
            let message = text.parse::<Url>().unwrap_err().to_string();
            assert!(message.contains(reason), "{message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
