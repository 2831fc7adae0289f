//! Transport: what happened, as the sentence for an administrator that a failure is shown by.

use super::{Failure, Peer, TransportError};
use crate::transport::settings::Schemes;
use core::fmt;
use sluicegate_soap::fault::ErrorCode;

impl TransportError {
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
            // Squid says so in words of its own, which are understood; of others only the status tells.
            Failure::ProxyRefused { status: status @ (502 | 504), reason } => write!(
                f,
                "{} could not pass the request on ({status}: {reason}), mostly since it cannot reach {} itself",
                self.name_of(Peer::Proxy),
                self.host()
            ),
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
            Failure::WrongRange { from } => write!(
                f,
                "the answer of {} is damaged (it was asked for bytes from {from} on and has another Content-Range)",
                self.host()
            ),
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

/// What happened, without what to do about it.
struct Found<'a>(&'a TransportError);

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.found(f)
    }
}

impl TransportError {
    /// What happened, where the usual advice does not hold.
    pub(crate) fn without_advice(&self) -> String {
        Found(self).to_string()
    }

    fn found(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.url.is_empty() {
            let way = match &self.via {
                Some(proxy) => format!("through the proxy {proxy}"),
                None => "without a proxy".to_owned(),
            };
            write!(f, "{} ({way}): ", self.url)?;
        }
        self.sentence(f)
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.found(f)?;
        write!(f, "; {}", self.advice())?;
        if self.answering.is_empty() {
            return Ok(());
        }
        write!(f, " (configured: {}; answers: {})", self.base(), self.answering)
    }
}
