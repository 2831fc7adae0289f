//! Transport: why no usable answer came. Each failure has a stable code, the problem it is in the list of
//! known ones, a sentence that names what was tried, and one that says what to do next (`advice.rs`).

mod sentence;

use super::certificate::Rejected;
use super::settings::Schemes;
use super::url::Url;
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
    /// A part of a file was asked for, and the answer is called a part and does not say that it is this one.
    WrongRange {
        /// The first byte that was asked for.
        from: u64,
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
            Failure::Damaged { .. } | Failure::Encoded { .. } | Failure::WrongRange { .. } => {
                "UssCommunicationError/AnswerDamaged"
            }
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
            | Failure::WrongRange { .. }
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

impl std::error::Error for TransportError {}
