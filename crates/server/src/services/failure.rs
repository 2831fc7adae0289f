//! Why a SOAP request fails, and the fault that says so: every ErrorCode of MS-WUSP 2.2.2.4 is made
//! here and nowhere else, from the situation that the specification names for it.

use crate::admission::Busy;
use crate::cookie::CookieError;
use crate::hierarchy::lineage::OtherHistory;
use crate::hierarchy::pass::DssVersion;
use crate::random::NoRandomness;
use sluicegate_soap::DecodeError;
use sluicegate_soap::fault::{ErrorCode, FaultCode};
use sluicegate_store::StoreError;
use sluicegate_terms::{Anchor, ComputerId, Guid, Sha1Digest, Timestamp, UpdateIdentity};
use sluicegate_upstream::transport::NOT_ALLOWED;

/// Why a request fails. Displays as the cause for the log; the client gets only what its fault has room for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A cookie that cannot be used.
    #[error(transparent)]
    Cookie(#[from] CookieError),
    /// No cookie where one must be.
    #[error("the request has no cookie")]
    NoCookie,
    /// The cookie knows changes that this server does not: it was set back to an earlier state.
    #[error(
        "the cookie has seen change {seen}, but this server's last one is {last}; was it restored from a backup?"
    )]
    SetBack {
        /// What the cookie has seen.
        seen: Anchor,
        /// The newest change here.
        last: Anchor,
    },
    /// The anchor is of changes that this server does not have.
    #[error(
        "the anchor is of change {} of another history than this server's; was it restored from a backup, or does it \
         stand in another's place?",
        .0.0
    )]
    OtherHistory(OtherHistory),
    /// What was withdrawn since the anchor is no longer known in full.
    #[error(
        "the anchor is of change {0}, and not everything that was withdrawn since is still known here; the server below \
         asks for everything anew"
    )]
    TooLongAgo(Anchor),
    /// The configuration changed since the client's GetConfig.
    #[error("the client knows the configuration of {known}; it changed at {changed}")]
    ConfigChanged {
        /// What the client knows.
        known: Timestamp,
        /// The truth.
        changed: Timestamp,
    },
    /// The client must register first.
    #[error("computer {0} is not registered")]
    RegistrationRequired(ComputerId),
    /// The client registers though it was told not to.
    #[error("computers need not register here, as GetConfig says")]
    RegistrationNotRequired,
    /// A parameter breaks a rule.
    #[error("parameter {name}: {reason}")]
    Parameter {
        /// Its path, as the fault's message has it.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A parameter could not even be read.
    #[error(transparent)]
    Unreadable(DecodeError),
    /// The authorization cookie is not good.
    #[error("the authorization cookie is not good: {0}")]
    Authorization(String),
    /// Content is elsewhere now.
    #[error("the client knows content locations number {known}; they are number {now} now")]
    FileLocationChanged {
        /// What the client knows.
        known: u32,
        /// The truth.
        now: u32,
    },
    /// A downstream server's cookie that was good once.
    #[error(transparent)]
    StalePass(CookieError),
    /// A downstream server speaks a protocol this server does not.
    #[error("the downstream server speaks protocol {0}; 1.x is spoken here")]
    IncompatibleProtocol(DssVersion),
    /// A downstream server that is not on the list of those allowed.
    #[error(
        "server {account} ({name}) asks for updates and is not among the allowed downstream servers; \
         add its id or name to that list, or empty the list to allow all"
    )]
    DownstreamRefused {
        /// Its id.
        account: Guid,
        /// Its name.
        name: String,
    },
    /// A downstream server asks for a revision that is not here.
    #[error("revision {0} is not in this server's catalog (any more)")]
    UnknownRevision(UpdateIdentity),
    /// What is kept of a revision cannot be read.
    #[error("revision {identity} is damaged: {cause}")]
    Damaged {
        /// Which revision.
        identity: UpdateIdentity,
        /// What is wrong.
        cause: StoreError,
    },
    /// A downstream server asks for files that no update here names.
    #[error("{} of the files asked for belong to no update of this server", .0.len())]
    FilesMissing(Vec<Sha1Digest>),
    /// What is told is below a server that nobody knows, or below itself.
    #[error(
        "it tells of a server or computer below a server that is not known here, which must authorize first, or of a \
         server that would stand below itself"
    )]
    UnknownParent,
    /// No room for more work.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing can be sealed.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// Anything else that is our fault.
    #[error("{0}")]
    Internal(String),
}

impl Failure {
    /// A parameter that is wrong.
    pub(crate) fn parameter(name: &'static str, reason: impl Into<String>) -> Self {
        Self::Parameter { name, reason: reason.into() }
    }

    /// An array that must be there and has no elements. MS-WUSP 3.1.5 asks only that it be present, but one
    /// that was left out decodes to the same value as an empty one, and senders differ in which of the two
    /// they write for "nothing" (observed-behaviour 1.3 has both from real servers). Both are refused.
    pub(crate) fn no_elements(name: &'static str) -> Self {
        Self::parameter(name, "it is missing or empty")
    }

    /// The fault: who erred, the code, and the message.
    pub(crate) fn fault(&self) -> (FaultCode, ErrorCode, String) {
        let client = |code| (FaultCode::Client, code, String::new());
        match self {
            Self::Cookie(CookieError::NotOurs(_)) | Self::NoCookie => client(ErrorCode::InvalidCookie),
            Self::Cookie(CookieError::Expired(_)) => client(ErrorCode::CookieExpired),
            Self::Cookie(CookieError::OtherServer(_))
            | Self::SetBack { .. }
            | Self::OtherHistory(_)
            | Self::TooLongAgo(_) => client(ErrorCode::ServerChanged),
            Self::ConfigChanged { .. } => client(ErrorCode::ConfigChanged),
            Self::RegistrationRequired(_) => client(ErrorCode::RegistrationRequired),
            Self::RegistrationNotRequired => client(ErrorCode::RegistrationNotRequired),
            Self::Parameter { name, .. } => {
                (FaultCode::Client, ErrorCode::InvalidParameters, (*name).to_owned())
            }
            Self::Unreadable(error) => error.fault(),
            Self::Authorization(_) => client(ErrorCode::InvalidAuthorizationCookie),
            Self::FileLocationChanged { .. } => client(ErrorCode::FileLocationChanged),
            Self::StalePass(_) => client(ErrorCode::InvalidCookie),
            Self::IncompatibleProtocol(_) => client(ErrorCode::IncompatibleProtocolVersion),
            // The one code that makes a downstream server stop and not begin again (MS-WSUSSS 3.1.4.2). The message tells
            // it from a parameter that is wrong (known problem P-14).
            Self::DownstreamRefused { .. } => {
                (FaultCode::Client, ErrorCode::InvalidParameters, NOT_ALLOWED.to_owned())
            }
            Self::FilesMissing(files) => {
                // With a bar between them (MS-WSUSSS 3.1.4.11).
                let list: Vec<String> = files.iter().map(Sha1Digest::to_base64).collect();
                (FaultCode::Client, ErrorCode::FileDigestsMissing, list.join("|"))
            }
            Self::Busy(_) => (FaultCode::Server, ErrorCode::ServerBusy, String::new()),
            // Whoever reads the fault learns which update is to blame.
            Self::Damaged { identity, .. } => {
                (FaultCode::Server, ErrorCode::InternalServerError, identity.update.to_string())
            }
            // An unknown revision is the server's fault on real servers (exchange 000017).
            Self::UnknownRevision(_)
            | Self::UnknownParent
            | Self::Store(_)
            | Self::Randomness(_)
            | Self::Internal(_) => (FaultCode::Server, ErrorCode::InternalServerError, String::new()),
        }
    }

    /// Seconds after which a busy server wants to be asked again.
    pub(crate) fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Busy(busy) => Some(busy.retry_after),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_code_has_its_situation() {
        let computer: ComputerId = "c".parse().unwrap();
        let cases = [
            (Failure::NoCookie, ErrorCode::InvalidCookie),
            (CookieError::NotOurs("x").into(), ErrorCode::InvalidCookie),
            (
                Failure::ConfigChanged { known: Timestamp::MIN, changed: Timestamp::MAX },
                ErrorCode::ConfigChanged,
            ),
            (Failure::RegistrationRequired(computer), ErrorCode::RegistrationRequired),
            (CookieError::OtherServer(sluicegate_terms::Guid::ZERO).into(), ErrorCode::ServerChanged),
            (Failure::SetBack { seen: Anchor(9), last: Anchor(3) }, ErrorCode::ServerChanged),
            (Failure::TooLongAgo(Anchor(9)), ErrorCode::ServerChanged),
            (Failure::Internal("x".into()), ErrorCode::InternalServerError),
            (CookieError::Expired(Timestamp::MIN).into(), ErrorCode::CookieExpired),
            (Failure::parameter("globalIDs", "is missing"), ErrorCode::InvalidParameters),
            (Failure::Authorization("x".into()), ErrorCode::InvalidAuthorizationCookie),
            (Failure::RegistrationNotRequired, ErrorCode::RegistrationNotRequired),
            (Busy { retry_after: 3 }.into(), ErrorCode::ServerBusy),
            (Failure::FileLocationChanged { known: 1, now: 2 }, ErrorCode::FileLocationChanged),
            (Failure::StalePass(CookieError::Expired(Timestamp::MIN)), ErrorCode::InvalidCookie),
            (
                Failure::IncompatibleProtocol(DssVersion { major: 2, minor: 0 }),
                ErrorCode::IncompatibleProtocolVersion,
            ),
            (
                Failure::DownstreamRefused { account: Guid::ZERO, name: "s".into() },
                ErrorCode::InvalidParameters,
            ),
            (Failure::UnknownParent, ErrorCode::InternalServerError),
            (Failure::FilesMissing(vec![Sha1Digest([0; 20])]), ErrorCode::FileDigestsMissing),
        ];
        for code in ErrorCode::ALL {
            assert!(cases.iter().any(|(_, made)| *made == code), "{code} is never made");
        }
        for (failure, code) in cases {
            assert_eq!(failure.fault().1, code, "{failure}");
        }
        let missing = Failure::FilesMissing(vec![Sha1Digest([0; 20]), Sha1Digest([1; 20])]).fault().2;
        assert_eq!(missing, "AAAAAAAAAAAAAAAAAAAAAAAAAAA=|AQEBAQEBAQEBAQEBAQEBAQEBAQE=");
        assert_eq!(Failure::parameter("globalIDs", "is missing").fault().2, "globalIDs");
    }
}
