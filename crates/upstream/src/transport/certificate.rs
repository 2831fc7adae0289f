//! Transport: why a server's certificate was not accepted, in words that let an administrator find the
//! one certificate it is about.

use core::fmt;

/// A certificate that was not accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejected {
    /// Whose certificate: its subject.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Reason {
    /// No trusted authority stands behind it.
    UnknownIssuer,
    /// An authority of this name is trusted, and another key than that one's signed it.
    OtherKey,
    /// Its time is over, or has not come.
    Expired {
        /// The last day it is good for, as the certificate says.
        until: String,
    },
    /// The first day it is good for lies ahead; often a wrong clock.
    NotYetValid {
        /// That day.
        from: String,
    },
    /// It is for other names.
    WrongName {
        /// Those names; none where it has no subject alternative name, since a common name alone does not count
        /// (RFC 9525 2).
        names: Vec<String>,
    },
    /// It is signed by a method that is not accepted, an old one often.
    UnknownMethod {
        /// The method.
        method: String,
    },
    /// Its key is too short.
    ShortKey {
        /// The bits of it.
        bits: usize,
    },
    /// Something else.
    Other(String),
}

impl Rejected {
    /// The stable name of the failure.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.reason {
            Reason::UnknownIssuer | Reason::OtherKey => "UssCommunicationError/CertificateNotTrusted",
            Reason::Expired { .. } => "UssCommunicationError/CertificateExpired",
            Reason::NotYetValid { .. } => "UssCommunicationError/CertificateNotYetValid",
            Reason::WrongName { .. } => "UssCommunicationError/CertificateWrongName",
            Reason::UnknownMethod { .. } | Reason::ShortKey { .. } | Reason::Other(_) => {
                "UssCommunicationError/CertificateRejected"
            }
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(&self, host: &str) -> String {
        let bare = host.split(':').next().unwrap_or(host).to_ascii_lowercase();
        let microsoft = bare.ends_with(".microsoft.com") || bare.ends_with(".windowsupdate.com");
        match &self.reason {
            Reason::UnknownIssuer if microsoft => "Microsoft's update endpoints have certificates of Microsoft's own \
                roots, which the usual lists of trusted authorities lack: save the root certificate as PEM and give it \
                with --ca"
                .to_owned(),
            Reason::UnknownIssuer => format!(
                "if {host} is really yours, give the certificate of that authority (or the server's own, if it signed \
                 itself) as a PEM file with --ca"
            ),
            Reason::OtherKey => format!(
                "if that authority was renewed, or {host} has one of the same name, give its present certificate as a PEM \
                 file with --ca; if that is the one given already, the server's certificate is damaged and has to be \
                 issued anew"
            ),
            Reason::Expired { .. } => {
                "have it renewed on that server; if it looks good there, check this machine's clock".to_owned()
            }
            Reason::NotYetValid { .. } => "check the clocks of this machine and of that server".to_owned(),
            Reason::WrongName { names } if names.is_empty() => {
                format!("have it issued anew with `{bare}` as a subject alternative name")
            }
            Reason::UnknownMethod { .. } => "have it issued anew, signed with SHA-256 or better".to_owned(),
            Reason::ShortKey { .. } => "have it issued anew for an RSA key of 2,048 bits or more".to_owned(),
            Reason::WrongName { .. } => {
                "use one of the names in the certificate as the upstream's address, or have it issued anew".to_owned()
            }
            Reason::Other(_) => "have a usual server certificate issued for that server".to_owned(),
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, issuer, reason } = self;
        match reason {
            Reason::UnknownIssuer => {
                write!(
                    f,
                    "is not trusted: `{subject}` is signed by `{issuer}`, which this machine does not know"
                )
            }
            Reason::OtherKey => write!(
                f,
                "is not trusted: `{subject}` is signed by `{issuer}`, of which this machine (the file of --ca, or the \
                 system) knows a certificate with another key: its signature does not fit"
            ),
            Reason::Expired { until } => write!(f, "has expired: `{subject}` was good until {until}"),
            Reason::NotYetValid { from } => write!(f, "is not valid yet: `{subject}` is good from {from}"),
            Reason::WrongName { names } if names.is_empty() => write!(
                f,
                "names no host: `{subject}` has no subject alternative name, and its common name alone does not count"
            ),
            Reason::WrongName { names } => {
                write!(f, "is for other names: `{subject}` names {}", names.join(", "))
            }
            Reason::UnknownMethod { method } => {
                write!(
                    f,
                    "is signed by a method that is not accepted: `{subject}`, signed by `{issuer}` with {method}"
                )
            }
            Reason::ShortKey { bits } => {
                write!(f, "has too short a key: that of `{subject}` has {bits} bits, and 2048 are the least")
            }
            Reason::Other(why) => write!(f, "is not acceptable: `{subject}`, signed by `{issuer}`: {why}"),
        }
    }
}
