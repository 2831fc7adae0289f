//! Transport: which of the known problems a failure is, and how far on the way it happened. Pure.

use super::error::{Failure, Peer, TransportError};
use sluicegate_soap::fault::ErrorCode;

/// The steps of the way to an upstream, in the order in which they are taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Step {
    /// This server's own settings of the way: a proxy's address, the file of certificates.
    Settings,
    /// The upstream's name has an address.
    Name,
    /// A connection can be made.
    Connection,
    /// The proxy lets the request through.
    Proxy,
    /// TLS is agreed on, and the certificate accepted.
    Tls,
    /// The services of an update server answer.
    Service,
    /// The upstream lets this server in.
    Authorization,
    /// Both speak the same protocol, and the configuration can be used.
    Configuration,
}

impl TransportError {
    /// The number of its problem in the list of known ones, where it is one of them.
    #[must_use]
    pub fn problem(&self) -> Option<&'static str> {
        problem_of(self.code())
    }

    /// Where on the way it happened: all steps before were taken.
    #[must_use]
    pub fn step(&self) -> Step {
        match self.failure() {
            Failure::Settings { .. } | Failure::DiskFull { .. } => Step::Settings,
            Failure::NameNotResolved { whose: Peer::Proxy, .. }
            | Failure::Refused { whose: Peer::Proxy }
            | Failure::TimedOut { whose: Peer::Proxy, .. }
            | Failure::Unreachable { whose: Peer::Proxy, .. }
            | Failure::ConnectionLost { whose: Peer::Proxy, .. }
            | Failure::ProxyAuthentication { .. }
            | Failure::ProxyRefused { .. } => Step::Proxy,
            Failure::NameNotResolved { .. } => Step::Name,
            Failure::TimedOut { stage: "a connection", .. }
            | Failure::Refused { .. }
            | Failure::Unreachable { .. } => Step::Connection,
            Failure::TimedOut { stage: "the TLS handshake", .. }
            | Failure::Certificate(_)
            | Failure::Tls { .. }
            | Failure::WantsCertificate => Step::Tls,
            Failure::Unauthorized | Failure::Forbidden => Step::Authorization,
            Failure::IncompatibleVersion { .. } => Step::Configuration,
            Failure::Fault(fault) => match fault.error_code {
                Some(ErrorCode::IncompatibleProtocolVersion) => Step::Configuration,
                Some(
                    ErrorCode::InvalidCookie
                    | ErrorCode::CookieExpired
                    | ErrorCode::InvalidAuthorizationCookie
                    | ErrorCode::RegistrationRequired,
                ) => Step::Authorization,
                _ if self.is_refusal() => Step::Authorization,
                _ => Step::Service,
            },
            _ => Step::Service,
        }
    }
}

/// The number of the known problem that an error code stands for, where it is one of them. Codes stay the same
/// between versions, so runs in the history have their problem too.
#[must_use]
pub fn problem_of(code: &str) -> Option<&'static str> {
    let (family, name) = code.split_once('/')?;
    Some(match (family, name) {
        ("DssAuthenticationError", _) => "P-14",
        ("LocalError", "NoUpstream") => "P-21",
        ("UssCommunicationError", "NameNotResolved") => "P-11",
        ("UssCommunicationError", "ProxyAuthenticationRequired" | "ProxyRefused") => "P-03",
        ("UssCommunicationError", "ConnectionRefused" | "TimedOut" | "Unreachable" | "TlsFailed") => "P-13",
        ("UssCommunicationError", name) if name.starts_with("Certificate") => "P-13",
        ("UssCommunicationError", "NotFound" | "NotSoap") => "P-02",
        ("UssCommunicationError", "Unauthorized" | "Forbidden") => "P-04",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Url;

    fn failed(url: &str, failure: Failure) -> TransportError {
        TransportError::new(&url.parse::<Url>().unwrap(), Some("proxy:3128"), failure)
    }

    #[test]
    fn failures_stand_where_they_happened() {
        let sync = "http://parent:8530/ServerSyncWebService/ServerSyncWebService.asmx";
        let auth = "http://parent:8530/DssAuthWebService/DssAuthWebService.asmx";
        let name = |whose| Failure::NameNotResolved { name: "x".into(), whose, resolver: "y".into() };
        for (url, failure, step, problem) in [
            (sync, name(Peer::Server), Step::Name, Some("P-11")),
            (sync, name(Peer::Proxy), Step::Proxy, Some("P-11")),
            (sync, Failure::Refused { whose: Peer::Server }, Step::Connection, Some("P-13")),
            (sync, Failure::Refused { whose: Peer::Proxy }, Step::Proxy, Some("P-13")),
            (
                sync,
                Failure::ProxyAuthentication { offered: vec![], tried: None, allowed: None },
                Step::Proxy,
                Some("P-03"),
            ),
            (sync, Failure::Tls { reason: "x".into() }, Step::Tls, Some("P-13")),
            (sync, Failure::NotFound, Step::Service, Some("P-02")),
            (sync, Failure::Busy { retry_after: None }, Step::Service, None),
            (sync, Failure::Unauthorized, Step::Authorization, Some("P-04")),
            (auth, Failure::Unauthorized, Step::Authorization, Some("P-14")),
            (
                sync,
                Failure::IncompatibleVersion { said: "2.0".into(), ours: "1.20" },
                Step::Configuration,
                None,
            ),
        ] {
            let error = failed(url, failure);
            assert_eq!((error.step(), error.problem()), (step, problem), "{error}");
        }
    }

    #[test]
    fn a_code_without_a_known_problem_has_none() {
        for code in
            ["", "Cancelled", "LocalError/DiskFull", "UssFault/Other", "UssCommunicationError/ServerBusy"]
        {
            assert_eq!(problem_of(code), None, "{code}");
        }
        assert_eq!(problem_of("LocalError/NoUpstream"), Some("P-21"));
        assert_eq!(problem_of("DssAuthenticationError/Refused"), Some("P-14"));
    }

    #[test]
    fn what_answers_elsewhere_is_told_beside_what_is_configured() {
        let error = failed("http://parent:8530/x/y.asmx", Failure::NotFound);
        assert!(!error.to_string().contains("answers"));
        let error = error.answering(&["https://parent:8531".to_owned()]);
        let said = error.to_string();
        assert!(said.ends_with("(configured: http://parent:8530; answers: https://parent:8531)"), "{said}");
    }
}
