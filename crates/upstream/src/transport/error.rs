//! Transport: why no usable answer came. Each failure has a stable code, the problem it is in the list of
//! known ones, a sentence that names what was tried, and one that says what to do next.

use super::certificate::Rejected;
use super::url::Url;
use core::fmt;
use sluicegate_soap::fault::{ErrorCode, ReceivedFault};
use std::time::Duration;

/// A request that brought no usable answer. `Display` is a sentence for an administrator: what failed,
/// where, by which way, and what to do next. It never holds a password.
#[derive(Debug)]
pub struct TransportError {
    url: Box<str>,
    via: Option<Box<str>>,
    failure: Box<Failure>,
}

/// Which of the two ends of a connection something is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Peer {
    /// The server that was addressed.
    Server,
    /// The proxy on the way to it.
    Proxy,
}

/// What happened.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// A host name has no address.
    NameNotResolved {
        /// The name.
        name: String,
        /// Whose name. A proxy resolves the server's name itself; then this is `Server` and the
        /// proxy said so.
        whose: Peer,
        /// What the resolver (or the proxy) said.
        resolver: String,
    },
    /// Nobody listens on the port.
    Refused {
        /// Who.
        whose: Peer,
    },
    /// No sign of life in time.
    TimedOut {
        /// Who was waited for.
        whose: Peer,
        /// For what, as the words after "waiting for".
        stage: &'static str,
        /// How long.
        waited: Duration,
    },
    /// There is no way to the address.
    Unreachable {
        /// To whom.
        whose: Peer,
        /// What the operating system or the proxy said.
        reason: String,
    },
    /// The connection broke before an answer began.
    ConnectionLost {
        /// Who was on the other end.
        whose: Peer,
        /// What the operating system or the HTTP reader said.
        reason: String,
    },
    /// The answer ended before its announced length.
    Truncated {
        /// Body bytes that had come.
        received: u64,
        /// What the HTTP reader said.
        reason: String,
    },
    /// The proxy wants to know who we are (407).
    ProxyAuthentication {
        /// The schemes it offers.
        offered: Vec<String>,
        /// The scheme that was tried in vain; none without credentials or without a common scheme.
        tried: Option<&'static str>,
    },
    /// The proxy does not let the request through, or could not.
    ProxyRefused {
        /// Its HTTP status.
        status: u16,
        /// What it said.
        reason: String,
    },
    /// The server's certificate is not acceptable.
    Certificate(Rejected),
    /// TLS could not be agreed on.
    Tls {
        /// What was wrong.
        reason: String,
    },
    /// A service wants to know who we are (401).
    Unauthorized,
    /// The server does not allow it (403).
    Forbidden,
    /// There is nothing at this address (404 and 410).
    NotFound,
    /// The server is too busy (429, 503 or the fault `ServerBusy`).
    Busy {
        /// For how long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// Another HTTP status without a SOAP fault.
    Status {
        /// The status.
        status: u16,
    },
    /// The answer is longer than the caller accepts.
    TooLarge {
        /// The bound, in bytes.
        limit: u64,
    },
    /// The answer is not a SOAP message: often the page of a proxy or of a guest network.
    NotSoap {
        /// Its media type, or what was wrong with it.
        what: String,
        /// The first words of it.
        excerpt: String,
    },
    /// The body cannot be decoded.
    Damaged {
        /// Why.
        reason: String,
    },
    /// The other side speaks a version of the protocol that we do not.
    IncompatibleVersion {
        /// What it said.
        said: String,
    },
    /// The service answered with a SOAP fault.
    Fault(Box<ReceivedFault>),
    /// There is no room for what comes.
    DiskFull {
        /// Where.
        path: String,
    },
    /// The transport's own settings are not usable.
    Settings {
        /// What is wrong.
        reason: String,
    },
}

impl TransportError {
    /// A failure on the way to `url`, by way of the proxy `via` (`host:port`) if there is one.
    #[must_use]
    pub fn new(url: &Url, via: Option<&str>, failure: Failure) -> Self {
        Self { url: url.to_string().into(), via: via.map(Into::into), failure: Box::new(failure) }
    }

    /// Settings that cannot be used, before any address is known.
    #[must_use]
    pub fn settings(reason: impl Into<String>) -> Self {
        let failure = Failure::Settings { reason: reason.into() };
        Self { url: "".into(), via: None, failure: Box::new(failure) }
    }

    /// What was asked for.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The proxy on the way, as `host:port`.
    #[must_use]
    pub fn via(&self) -> Option<&str> {
        self.via.as_deref()
    }

    /// What happened.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        &self.failure
    }

    /// The SOAP fault, when the service answered with one.
    #[must_use]
    pub fn fault(&self) -> Option<&ReceivedFault> {
        match &*self.failure {
            Failure::Fault(fault) => Some(fault),
            _ => None,
        }
    }

    /// A stable name for status, history and doctor. What comes before the slash is what real servers log
    /// for this (`UssCommunicationError`, `DssAuthenticationError`; known problems P-11 and P-14).
    #[must_use]
    pub fn code(&self) -> &'static str {
        match &*self.failure {
            Failure::NameNotResolved { .. } => "UssCommunicationError/NameNotResolved",
            Failure::Refused { .. } => "UssCommunicationError/ConnectionRefused",
            Failure::TimedOut { .. } => "UssCommunicationError/TimedOut",
            Failure::Unreachable { .. } => "UssCommunicationError/Unreachable",
            Failure::ConnectionLost { .. } => "UssCommunicationError/ConnectionLost",
            Failure::Truncated { .. } => "UssCommunicationError/AnswerTruncated",
            Failure::ProxyAuthentication { .. } => "UssCommunicationError/ProxyAuthenticationRequired",
            Failure::ProxyRefused { .. } => "UssCommunicationError/ProxyRefused",
            Failure::Certificate(rejected) => rejected.code(),
            Failure::Tls { .. } => "UssCommunicationError/TlsFailed",
            Failure::Unauthorized if self.is_dss_auth() => "DssAuthenticationError/Unauthorized",
            Failure::Unauthorized => "UssCommunicationError/Unauthorized",
            Failure::Forbidden if self.is_dss_auth() => "DssAuthenticationError/Forbidden",
            Failure::Forbidden => "UssCommunicationError/Forbidden",
            Failure::NotFound => "UssCommunicationError/NotFound",
            Failure::Busy { .. } => "UssCommunicationError/ServerBusy",
            Failure::Status { .. } => "UssCommunicationError/UnexpectedStatus",
            Failure::TooLarge { .. } => "UssCommunicationError/AnswerTooLarge",
            Failure::NotSoap { .. } => "UssCommunicationError/NotSoap",
            Failure::Damaged { .. } => "UssCommunicationError/AnswerDamaged",
            Failure::IncompatibleVersion { .. } => "UssCommunicationError/IncompatibleProtocolVersion",
            Failure::Fault(fault) => code_of(fault.error_code),
            Failure::DiskFull { .. } => "LocalError/DiskFull",
            Failure::Settings { .. } => "LocalError/TransportSettings",
        }
    }

    /// Its number in the list of known problems, where it is one of them.
    #[must_use]
    pub fn problem(&self) -> Option<&'static str> {
        Some(match &*self.failure {
            Failure::NameNotResolved { .. } => "P-11",
            Failure::ProxyAuthentication { .. } | Failure::ProxyRefused { .. } => "P-03",
            Failure::Refused { .. }
            | Failure::TimedOut { .. }
            | Failure::Unreachable { .. }
            | Failure::Certificate(_)
            | Failure::Tls { .. } => "P-13",
            Failure::Unauthorized | Failure::Forbidden if self.is_dss_auth() => "P-14",
            Failure::Unauthorized | Failure::Forbidden => "P-04",
            _ => return None,
        })
    }

    /// Whether the same request may well succeed later, with nobody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match &*self.failure {
            Failure::NameNotResolved { .. }
            | Failure::Refused { .. }
            | Failure::TimedOut { .. }
            | Failure::Unreachable { .. }
            | Failure::ConnectionLost { .. }
            | Failure::Truncated { .. }
            | Failure::Busy { .. }
            | Failure::Damaged { .. } => true,
            // The only fault of MS-WSUSSS 2.2.9.3 that passes by itself; what each of the others asks for is the
            // synchronization's business.
            Failure::Fault(fault) => fault.error_code == Some(ErrorCode::ServerBusy),
            Failure::ProxyRefused { status, .. } | Failure::Status { status } => {
                matches!(status, 408 | 500 | 502..=504)
            }
            _ => false,
        }
    }

    /// How long the server asks to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match &*self.failure {
            Failure::Busy { retry_after } => *retry_after,
            _ => None,
        }
    }

    fn is_dss_auth(&self) -> bool {
        self.url.to_ascii_lowercase().contains("/dssauthwebservice")
    }

    fn host(&self) -> &str {
        let rest = self.url.split_once("://").map_or(&*self.url, |(_, rest)| rest);
        rest.split(['/', '?']).next().unwrap_or(rest)
    }

    fn name_of(&self, peer: Peer) -> String {
        match (peer, self.via.as_deref()) {
            (Peer::Proxy, Some(proxy)) => format!("the proxy {proxy}"),
            (Peer::Proxy, None) => "the proxy".to_owned(),
            (Peer::Server, _) => self.host().to_owned(),
        }
    }

    /// What happened, in one sentence without its end.
    fn sentence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.failure {
            Failure::NameNotResolved { name, resolver, .. } => {
                write!(f, "the name `{name}` could not be resolved ({resolver})")
            }
            Failure::Refused { whose } => write!(f, "{} refused the connection", self.name_of(*whose)),
            Failure::TimedOut { whose, stage, waited } => {
                let seconds = waited.as_secs_f64();
                write!(f, "{} did not answer in {seconds} s, waiting for {stage}", self.name_of(*whose))
            }
            Failure::Unreachable { whose, reason } => {
                write!(f, "{} cannot be reached ({reason})", self.name_of(*whose))
            }
            Failure::ConnectionLost { whose, reason } => {
                write!(f, "the connection to {} broke ({reason})", self.name_of(*whose))
            }
            Failure::Truncated { received, reason } => {
                write!(f, "the answer of {} broke off after {received} bytes ({reason})", self.host())
            }
            Failure::ProxyAuthentication { offered, tried } => {
                let offered = if offered.is_empty() { "none".to_owned() } else { offered.join(", ") };
                write!(
                    f,
                    "{} asks for authentication (407; it offers: {offered})",
                    self.name_of(Peer::Proxy)
                )?;
                match tried {
                    Some(scheme) => write!(f, " and did not accept the user and password given by {scheme}"),
                    None => Ok(()),
                }
            }
            Failure::ProxyRefused { status, reason } => {
                write!(f, "{} did not pass the request on ({status}: {reason})", self.name_of(Peer::Proxy))
            }
            Failure::Certificate(rejected) => write!(f, "the certificate of {} {rejected}", self.host()),
            Failure::Tls { reason } => write!(f, "no TLS connection to {} ({reason})", self.host()),
            Failure::Unauthorized => write!(f, "the service wants authentication (401)"),
            Failure::Forbidden => write!(f, "the server does not allow it (403)"),
            Failure::NotFound => write!(f, "there is nothing at this address (404)"),
            Failure::Busy { retry_after: Some(wait) } => {
                write!(f, "{} is too busy and asks to be left alone for {} s", self.host(), wait.as_secs())
            }
            Failure::Busy { retry_after: None } => write!(f, "{} is too busy", self.host()),
            Failure::Status { status } => write!(f, "{} answered with HTTP status {status}", self.host()),
            Failure::TooLarge { limit } => {
                write!(f, "the answer of {} is larger than the {limit} bytes accepted", self.host())
            }
            Failure::NotSoap { what, excerpt } => {
                write!(f, "the answer is not a SOAP message but {what}: `{excerpt}`")
            }
            Failure::Damaged { reason } => write!(f, "the answer of {} is damaged ({reason})", self.host()),
            Failure::IncompatibleVersion { said } => {
                write!(f, "{} speaks another version of the protocol ({said})", self.host())
            }
            Failure::Fault(fault) => write!(f, "the service answered with the fault {fault}"),
            Failure::DiskFull { path } => write!(f, "the disk that holds {path} is full"),
            Failure::Settings { reason } => f.write_str(reason),
        }
    }

    /// What to do next.
    #[must_use]
    pub fn advice(&self) -> String {
        let own_side = "check the upstream's address with `sluicegate upstream show`";
        match &*self.failure {
            Failure::NameNotResolved { whose: Peer::Proxy, .. } => {
                "check the proxy's name in the upstream settings, and this machine's DNS".to_owned()
            }
            Failure::NameNotResolved { .. } if self.via.is_some() => {
                "the proxy resolves names for this server: check the upstream's name and the proxy's DNS".to_owned()
            }
            Failure::NameNotResolved { .. } => format!(
                "{own_side} and this machine's DNS; where only a proxy knows names outside, set it with --proxy"
            ),
            Failure::Refused { whose: Peer::Proxy } => {
                "check that the proxy is running and that its port is right".to_owned()
            }
            Failure::Refused { .. } => {
                "check that the server is running and the port is right (8530 for http, 8531 for https is usual)"
                    .to_owned()
            }
            Failure::TimedOut { .. } | Failure::Unreachable { .. } => match self.via {
                Some(_) => "check the way to the proxy and from there to the server".to_owned(),
                None => "check the network and firewalls on the way; where a proxy is needed, set it with --proxy"
                    .to_owned(),
            },
            Failure::ConnectionLost { .. } | Failure::Truncated { .. } => {
                "the run continues where it was; if this repeats, look at the network and at firewalls that inspect traffic"
                    .to_owned()
            }
            Failure::ProxyAuthentication { tried: None, .. } => {
                "give a user and password for the proxy, for a scheme that it offers (basic and NTLM are known here)"
                    .to_owned()
            }
            Failure::ProxyAuthentication { .. } => {
                "check the proxy user's name, domain and password, and whether the password has expired".to_owned()
            }
            Failure::ProxyRefused { .. } => {
                "ask whoever runs the proxy to let this server reach that address".to_owned()
            }
            Failure::Certificate(rejected) => rejected.advice(self.host()),
            Failure::Tls { .. } => {
                "check that the port speaks TLS (8531 and 443 are usual) and that the server allows TLS 1.2 or 1.3"
                    .to_owned()
            }
            Failure::Unauthorized | Failure::Forbidden => format!(
                "the fault lies with the server at {}, not with this one: its administrator must allow anonymous \
                 access to this path{}",
                self.url,
                if self.is_dss_auth() { " and check its list of allowed downstream servers" } else { "" }
            ),
            Failure::NotFound => format!("{own_side}; it must be that of an update server, without a path"),
            Failure::Busy { .. } => "nothing to do here: it is tried again later".to_owned(),
            Failure::Status { .. } => "look in that server's log for this time".to_owned(),
            Failure::TooLarge { .. } => {
                "choose fewer products or languages, or check that the address is that of an update server".to_owned()
            }
            Failure::NotSoap { .. } => format!(
                "{own_side}; a proxy's or a guest network's page in place of the service means that this machine \
                 must sign in there first or be exempted"
            ),
            Failure::Damaged { .. } => "something on the way changes answers: look at proxies that inspect traffic".to_owned(),
            Failure::IncompatibleVersion { .. } => {
                "update the older of the two servers".to_owned()
            }
            Failure::Fault(fault) if fault.error_code == Some(ErrorCode::IncompatibleProtocolVersion) => {
                "update the older of the two servers".to_owned()
            }
            Failure::Fault(fault) if self.is_dss_auth() && fault.error_code == Some(ErrorCode::InvalidParameters) => {
                format!(
                    "the administrator of {} must let this server synchronize (`sluicegate downstream allow` there), \
                     under a name that a host can have",
                    self.host()
                )
            }
            Failure::Fault(fault) => match fault.id {
                Some(id) => format!("look for the id {id} in the log of {}", self.host()),
                None => format!("look in the log of {} for this time", self.host()),
            },
            Failure::DiskFull { .. } => "free some space; what is already fetched is kept".to_owned(),
            Failure::Settings { .. } => "change it with `sluicegate upstream set`".to_owned(),
        }
    }
}

/// The stable name of a fault of the upstream.
const fn code_of(error: Option<ErrorCode>) -> &'static str {
    match error {
        Some(ErrorCode::ServerBusy) => "UssCommunicationError/ServerBusy",
        Some(ErrorCode::IncompatibleProtocolVersion) => "UssCommunicationError/IncompatibleProtocolVersion",
        Some(ErrorCode::InvalidCookie) => "UssFault/InvalidCookie",
        Some(ErrorCode::CookieExpired) => "UssFault/CookieExpired",
        Some(ErrorCode::InvalidAuthorizationCookie) => "UssFault/InvalidAuthorizationCookie",
        Some(ErrorCode::InvalidParameters) => "UssFault/InvalidParameters",
        Some(ErrorCode::InternalServerError) => "UssFault/InternalServerError",
        Some(ErrorCode::ServerChanged) => "UssFault/ServerChanged",
        Some(ErrorCode::ConfigChanged) => "UssFault/ConfigChanged",
        Some(ErrorCode::FileDigestsMissing) => "UssFault/FileDigestsMissing",
        _ => "UssFault/Other",
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.url.is_empty() {
            let way = match &self.via {
                Some(proxy) => format!("through the proxy {proxy}"),
                None => "without a proxy".to_owned(),
            };
            write!(f, "{} ({way}): ", self.url)?;
        }
        self.sentence(f)?;
        write!(f, "; {}", self.advice())
    }
}

impl std::error::Error for TransportError {}
