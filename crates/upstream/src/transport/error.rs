//! Transport: why no usable answer came. Each failure has a stable code, the problem it is in the list of
//! known ones, a sentence that names what was tried, and one that says what to do next (`advice.rs`).

use super::certificate::Rejected;
use super::settings::Schemes;
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
    /// Where else the same host answers.
    answering: Box<str>,
}

/// What the fault of an upstream says that does not let a server synchronize.
pub const NOT_ALLOWED: &str = "accountGuid: not allowed";

/// What a port answers with that speaks something else.
pub(super) const NOT_HTTP: &str = "not even HTTP";

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
    /// A file's answers end before it does, and each begins at its first byte, whatever part is asked for.
    NotContinued {
        /// The most bytes that came.
        longest: u64,
        /// Those of the file.
        size: u64,
    },
    /// The proxy wants to know who we are (407).
    ProxyAuthentication {
        /// The schemes it offers.
        offered: Vec<String>,
        /// The scheme that was tried in vain; none without credentials or without a common scheme.
        tried: Option<&'static str>,
        /// The schemes that the settings allow; none without a user.
        allowed: Option<Schemes>,
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
    /// The server wants a certificate of its clients, which we have none of.
    WantsCertificate,
    /// A service wants to know who we are (401).
    Unauthorized,
    /// The server does not allow it (403).
    Forbidden,
    /// There is nothing at this address (404 and 410).
    NotFound,
    /// The server is too busy (429; the fault `ServerBusy` says the same).
    Busy {
        /// For how long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The service does not run at the moment, or has too much to do (503 without a fault).
    Unavailable {
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
    /// The answer is whole and lists more than is taken at once.
    TooMany {
        /// The call.
        call: &'static str,
        /// What there is too much of.
        reason: String,
    },
    /// The answer is not a SOAP message: often the page of a proxy or of a guest network.
    NotSoap {
        /// Its media type, or what was wrong with it.
        what: String,
        /// The first words of it.
        excerpt: String,
    },
    /// The server answers only by https (a redirection to itself).
    WantsTls {
        /// The HTTP status.
        status: u16,
        /// Scheme, host and port where it leads.
        base: String,
    },
    /// A file came encoded although it was asked for as it is.
    Encoded {
        /// The `Content-Encoding`.
        coding: String,
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
        /// What we speak.
        ours: &'static str,
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
        Self {
            url: url.to_string().into(),
            via: via.map(Into::into),
            failure: Box::new(failure),
            answering: "".into(),
        }
    }

    /// Settings that cannot be used, before any address is known.
    #[must_use]
    pub fn settings(reason: impl Into<String>) -> Self {
        let failure = Failure::Settings { reason: reason.into() };
        Self { url: "".into(), via: None, failure: Box::new(failure), answering: "".into() }
    }

    /// The same failure, with the addresses of the same host at which something answers.
    #[must_use]
    pub fn answering(mut self, addresses: &[String]) -> Self {
        self.answering = addresses.join(", ").into();
        self
    }

    /// The addresses of the same host at which something answers, as far as it was looked; empty for none.
    #[must_use]
    pub fn elsewhere(&self) -> &str {
        &self.answering
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
            Failure::Truncated { .. } | Failure::NotContinued { .. } => {
                "UssCommunicationError/AnswerTruncated"
            }
            Failure::ProxyAuthentication { .. } => "UssCommunicationError/ProxyAuthenticationRequired",
            Failure::ProxyRefused { .. } => "UssCommunicationError/ProxyRefused",
            Failure::Certificate(rejected) => rejected.code(),
            Failure::Tls { .. } | Failure::WantsCertificate => "UssCommunicationError/TlsFailed",
            Failure::Unauthorized if self.is_dss_auth() => "DssAuthenticationError/Unauthorized",
            Failure::Unauthorized => "UssCommunicationError/Unauthorized",
            Failure::Forbidden if self.is_dss_auth() => "DssAuthenticationError/Forbidden",
            Failure::Forbidden => "UssCommunicationError/Forbidden",
            Failure::NotFound => "UssCommunicationError/NotFound",
            Failure::Busy { .. } | Failure::Unavailable { .. } => "UssCommunicationError/ServerBusy",
            Failure::Status { .. } | Failure::WantsTls { .. } => "UssCommunicationError/UnexpectedStatus",
            Failure::TooLarge { .. } | Failure::TooMany { .. } => "UssCommunicationError/AnswerTooLarge",
            Failure::NotSoap { .. } => "UssCommunicationError/NotSoap",
            Failure::Damaged { .. } | Failure::Encoded { .. } => "UssCommunicationError/AnswerDamaged",
            Failure::IncompatibleVersion { .. } => "UssCommunicationError/IncompatibleProtocolVersion",
            Failure::Fault(_) if self.is_refusal() => "DssAuthenticationError/Refused",
            Failure::Fault(fault) => code_of(fault.error_code),
            Failure::DiskFull { .. } => "LocalError/DiskFull",
            Failure::Settings { .. } => "LocalError/TransportSettings",
        }
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
            | Failure::NotContinued { .. }
            | Failure::Busy { .. }
            | Failure::Unavailable { .. }
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
            Failure::Busy { retry_after } | Failure::Unavailable { retry_after } => *retry_after,
            _ => None,
        }
    }

    /// Whether the upstream does not let this server synchronize (known problem P-14): its service for authorization
    /// refuses who asks, or another one says that this server is not allowed.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match &*self.failure {
            Failure::Fault(fault) if fault.error_code == Some(ErrorCode::InvalidParameters) => {
                self.is_dss_auth() || fault.message == NOT_ALLOWED
            }
            _ => false,
        }
    }

    pub(super) fn is_dss_auth(&self) -> bool {
        self.url.to_ascii_lowercase().contains("/dssauthwebservice")
    }

    /// The proxy that may have answered in the place of the server: through a tunnel only the server does.
    pub(super) fn answering_proxy(&self) -> Option<&str> {
        self.via().filter(|_| self.is_plain())
    }

    pub(super) fn host(&self) -> &str {
        let rest = self.url.split_once("://").map_or(&*self.url, |(_, rest)| rest);
        rest.split(['/', '?']).next().unwrap_or(rest)
    }

    /// Scheme, host and port of what was asked for.
    fn base(&self) -> &str {
        let end =
            self.url.find("://").and_then(|at| self.url.get(at + 3..)?.find('/').map(|end| at + 3 + end));
        end.and_then(|end| self.url.get(..end)).unwrap_or(&self.url)
    }

    fn name_of(&self, peer: Peer) -> String {
        match (peer, self.via.as_deref()) {
            (Peer::Proxy, Some(proxy)) => format!("the proxy {proxy}"),
            (Peer::Proxy, None) => "a proxy that is not set here".to_owned(),
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
            Failure::NotContinued { longest, size } => write!(
                f,
                "each answer of {} was cut short, after at most {longest} of {size} bytes, and the file does not continue \
                 where it was cut: Range is ignored",
                self.host()
            ),
            Failure::ProxyAuthentication { offered, tried, allowed } => {
                let offered = if offered.is_empty() { "none".to_owned() } else { offered.join(", ") };
                write!(
                    f,
                    "{} asks for authentication (407; it offers: {offered})",
                    self.name_of(Peer::Proxy)
                )?;
                match (tried, allowed) {
                    (Some(scheme), _) => {
                        write!(f, " and did not accept the user and password given by {scheme}")
                    }
                    (None, Some(Schemes::NtlmOnly)) => {
                        f.write_str(", and the settings allow NTLM only (--proxy-ntlm-only)")
                    }
                    (None, _) => Ok(()),
                }
            }
            Failure::ProxyRefused { status, reason } => {
                write!(f, "{} did not pass the request on ({status}: {reason})", self.name_of(Peer::Proxy))
            }
            Failure::Certificate(rejected) => write!(f, "the certificate of {} {rejected}", self.host()),
            Failure::Tls { reason } => write!(f, "no TLS connection to {} ({reason})", self.host()),
            Failure::WantsCertificate => write!(
                f,
                "{} wants a certificate of whoever connects, and client certificates are not supported here",
                self.host()
            ),
            Failure::Unauthorized => write!(f, "the service wants authentication (401)"),
            Failure::Forbidden => match self.answering_proxy() {
                Some(proxy) => {
                    write!(f, "{}, or the proxy {proxy} for it, does not allow it (403)", self.host())
                }
                None => write!(f, "the server does not allow it (403)"),
            },
            Failure::NotFound => write!(f, "there is nothing at this address (404)"),
            Failure::Busy { retry_after: Some(wait) } => {
                write!(f, "{} is too busy and asks to be left alone for {} s", self.host(), wait.as_secs())
            }
            Failure::Busy { retry_after: None } => write!(f, "{} is too busy", self.host()),
            Failure::Unavailable { retry_after } => {
                match self.answering_proxy() {
                    Some(proxy) => write!(f, "{}, or the proxy {proxy} for it, says", self.host())?,
                    None => write!(f, "{} says", self.host())?,
                }
                f.write_str(" that the service is not available (503)")?;
                match retry_after {
                    Some(wait) => write!(f, " and asks to be left alone for {} s", wait.as_secs()),
                    None => Ok(()),
                }
            }
            Failure::Status { status: status @ 300..=399 } => {
                write!(
                    f,
                    "{} answered with a redirection (HTTP status {status}) that leads nowhere",
                    self.host()
                )
            }
            Failure::Status { status } => write!(f, "{} answered with HTTP status {status}", self.host()),
            Failure::TooLarge { limit } => {
                write!(f, "the answer of {} is larger than the {limit} bytes accepted", self.host())
            }
            Failure::TooMany { call, reason } => write!(
                f,
                "the answer of {} to {call} has more in it than is taken at once ({reason})",
                self.host()
            ),
            Failure::NotSoap { what, excerpt } if excerpt.is_empty() => {
                write!(f, "the answer is not a SOAP message but {what}")
            }
            Failure::NotSoap { what, excerpt } => {
                write!(f, "the answer is not a SOAP message but {what}: `{excerpt}`")
            }
            Failure::WantsTls { status, base } => {
                write!(f, "{} sends whoever asks it on to {base} ({status})", self.host())
            }
            Failure::Encoded { coding } => {
                write!(f, "the file comes with Content-Encoding: {coding}, and was asked for as it is")
            }
            Failure::Damaged { reason } => write!(f, "the answer of {} is damaged ({reason})", self.host()),
            Failure::IncompatibleVersion { said, ours } => {
                write!(f, "{} speaks version {said} of the protocol, and this server {ours}", self.host())
            }
            Failure::Fault(fault) if fault.error_code == Some(ErrorCode::ServerBusy) => {
                write!(f, "the server is too busy (the fault {fault})")
            }
            Failure::Fault(fault) => write!(f, "the service answered with the fault {fault}"),
            Failure::DiskFull { path } => write!(f, "the disk that holds {path} is full"),
            Failure::Settings { reason } => f.write_str(reason),
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
        write!(f, "; {}", self.advice())?;
        if self.answering.is_empty() {
            return Ok(());
        }
        write!(f, " (configured: {}; answers: {})", self.base(), self.answering)
    }
}

impl std::error::Error for TransportError {}
