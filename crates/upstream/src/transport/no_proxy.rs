//! Transport: which hosts are reached without a proxy. Administrators of WSUS and of browsers write such lists in many
//! ways; what can never match is refused when it is set, since its requests would go through the proxy unnoticed.

use std::net::IpAddr;

/// Hosts reached without a proxy.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NoProxy(Vec<Entry>);

/// Why an entry cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{entry}` cannot be a host that is reached without the proxy: {reason}; possible are names (`wsus.example.net`), \
     domains (`.example.net`, `*.example.net`), addresses (`10.1.2.3`, `10.1.*`, `10.0.0.0/8`), `<local>` for names \
     without a dot, and `*` for everything"
)]
pub struct NoProxyError {
    entry: String,
    reason: &'static str,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Entry {
    All,
    /// Names without a dot.
    Local,
    /// A name, and what is below it.
    Name(Box<str>),
    /// What is below a name, without it.
    Below(Box<str>),
    /// Addresses that agree in their first bits.
    Network(IpAddr, u8),
}

impl NoProxy {
    /// Entries as [`NoProxy::entries`] answers them. What is none, as earlier versions stored, matches nothing.
    pub fn new<S: AsRef<str>>(entries: impl IntoIterator<Item = S>) -> Self {
        Self(entries.into_iter().filter_map(|entry| Entry::read(entry.as_ref()).ok()).collect())
    }

    /// The entries of a text such as the environment variable `NO_PROXY` holds.
    #[must_use]
    pub fn from_list(text: &str) -> Self {
        Self::new(pieces(text))
    }

    /// The single entries of what an administrator wrote, one or a list with `;` or `,` in each.
    ///
    /// # Errors
    /// [`NoProxyError`] for the first that could never match.
    pub fn entries<S: AsRef<str>>(written: &[S]) -> Result<Vec<String>, NoProxyError> {
        let all = written.iter().flat_map(|text| pieces(text.as_ref()));
        all.map(|entry| Entry::read(entry).map(|_| entry.to_owned())).collect()
    }

    /// Whether a host is reached without a proxy.
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
        let address: Option<IpAddr> = host.parse().ok();
        let below = |name: &str| host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
        self.0.iter().any(|entry| match (entry, address) {
            (Entry::All, _) => true,
            (Entry::Network(network, bits), Some(address)) => within(address, *network, *bits),
            (Entry::Network(..), None) | (_, Some(_)) => false,
            (Entry::Local, None) => !host.contains('.'),
            (Entry::Name(name), None) => host == **name || below(name),
            (Entry::Below(name), None) => below(name),
        })
    }
}

fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ';', ' ']).map(str::trim).filter(|piece| !piece.is_empty())
}

impl Entry {
    fn read(written: &str) -> Result<Self, NoProxyError> {
        let refused = |reason| NoProxyError { entry: written.chars().take(80).collect(), reason };
        let text = written.trim().to_ascii_lowercase();
        let plain = text.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = plain.parse::<IpAddr>() {
            return Ok(Self::Network(address, if address.is_ipv4() { 32 } else { 128 }));
        }
        match text.as_str() {
            "*" => return Ok(Self::All),
            "<local>" => return Ok(Self::Local),
            "none" => return Err(refused("it stands for an empty list, and only alone")),
            _ => {}
        }
        if text.contains("://") {
            return Err(refused("it is an address with a scheme, write the host alone"));
        }
        if let Some((network, bits)) = text.split_once('/') {
            return Self::network(network, bits)
                .ok_or_else(|| refused("it is not an address and the bits that count, as in 10.0.0.0/8"));
        }
        if text.contains(':') {
            return Err(refused("a port cannot be told apart, write the host alone"));
        }
        if let Some(network) = Self::octets(&text) {
            return Ok(network);
        }
        let below = text.starts_with("*.") || text.starts_with('.');
        let name = text.trim_start_matches('*').trim_start_matches('.').trim_end_matches('.');
        if name.contains('*') {
            return Err(refused("`*` can only stand for the beginning of a name or the end of an address"));
        }
        let label = |label: &str| {
            !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        if !name.split('.').all(label) {
            return Err(refused("it is not the name of a host"));
        }
        // As in 10.0.1 or *.0.0.1: the last part of a name is never a number.
        if name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
            return Err(refused("it is neither a name nor a whole address"));
        }
        Ok(if below { Self::Below(name.into()) } else { Self::Name(name.into()) })
    }

    fn network(network: &str, bits: &str) -> Option<Self> {
        let address: IpAddr = network.trim_matches(['[', ']']).parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits: u8 = bits.parse().ok().filter(|bits| *bits <= most)?;
        Some(Self::Network(address, bits))
    }

    /// `10.*`, `10.1.*` and `10.1.2.*`, also with a star for each part that does not count.
    fn octets(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('.').collect();
        let known: Vec<u8> = parts.iter().map_while(|part| part.parse().ok()).collect();
        let stars = parts.iter().skip(known.len()).all(|part| *part == "*");
        if known.is_empty() || known.len() == parts.len() || !stars || parts.len() > 4 {
            return None;
        }
        let bits = u8::try_from(known.len() * 8).ok()?;
        let mut octets = [0; 4];
        octets.iter_mut().zip(known).for_each(|(octet, known)| *octet = known);
        Some(Self::Network(IpAddr::from(octets), bits))
    }
}

fn within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let number = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)) << 96,
        IpAddr::V6(ip) => u128::from(ip),
    };
    let differ = number(address) ^ number(network);
    address.is_ipv4() == network.is_ipv4() && differ.leading_zeros() >= u32::from(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_exempt_by_name_domain_and_shape() {
        let list = NoProxy::from_list("parent.example, .corp.example,10.1.2.3;<local> *.lab [::1]");
        for host in
            ["PARENT.example", "a.corp.example", "10.1.2.3", "wsus", "x.lab", "sub.parent.example", "::1"]
        {
            assert!(list.covers(host), "{host}");
        }
        for host in ["parent.example.org", "notcorp.example", "10.1.2.30", "::2", "update.microsoft.com"] {
            assert!(!list.covers(host), "{host}");
        }
        assert!(NoProxy::from_list("*").covers("update.microsoft.com"));
        assert!(!NoProxy::default().covers("localhost"));
    }

    #[test]
    fn whatever_is_taken_matches() {
        for (written, host) in [
            ("127.*", "127.0.0.1"),
            ("10.1.*.*", "10.1.255.0"),
            ("192.168.7.*", "192.168.7.1"),
            ("127.0.0.0/8", "127.9.9.9"),
            ("10.0.0.0/0", "192.0.2.1"),
            ("10.4.0.0/14", "10.7.0.1"),
            ("fd00::/8", "fd12::1"),
            ("[fe80::1]", "fe80::1"),
            ("<local>", "wsus"),
            ("<LOCAL>", "wsus"),
            ("127.0.0.1;10.0.0.1", "10.0.0.1"),
            ("127.0.0.1,10.0.0.1;", "10.0.0.1"),
            ("*.example.net", "a.example.net"),
            ("*example.net", "a.example.net"),
            ("*example.net", "example.net"),
            ("Example.NET.", "example.net"),
            ("*", "anything.example"),
        ] {
            let entries = NoProxy::entries(&[written]).unwrap();
            assert!(NoProxy::new(&entries).covers(host), "{written} for {host}");
        }
        let near = NoProxy::from_list("10.4.0.0/14 127.* 192.168.7.* *.example.net <local>");
        for host in ["10.8.0.1", "128.0.0.1", "192.168.8.7", "example.net", "notexample.net", "::7f00:1"] {
            assert!(!near.covers(host), "{host}");
        }
    }

    #[test]
    fn what_can_never_match_is_refused_with_what_is_possible() {
        for (written, why) in [
            ("*.0.0.1", "neither a name nor"),
            ("10.0.1", "neither a name nor"),
            ("http://127.0.0.1", "scheme"),
            ("127.0.0.1:8530", "port"),
            ("wsus:8530", "port"),
            ("10.0.0.0/33", "bits"),
            ("example.net/8", "bits"),
            ("a.*.example.net", "beginning"),
            ("10.*.0.1", "beginning"),
            ("<-loopback>", "not the name"),
            ("a..b", "not the name"),
            ("none", "only alone"),
            ("10.0.0.1;none", "only alone"),
        ] {
            let error = NoProxy::entries(&["good.example", written]).unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("<local>"), "{written}: {error}");
        }
        // Stored by an earlier version: it matched nothing then.
        assert_eq!(NoProxy::new(["http://127.0.0.1"]), NoProxy::default());
    }
}
