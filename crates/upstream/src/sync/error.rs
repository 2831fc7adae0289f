//! Synchronization: why a run stopped, with a stable code for status and history and a sentence for an
//! administrator.

use super::Phase;
use crate::content::ContentError;
use crate::transport::{Step, TransportError, problem_of};
use sluicegate_soap::fault::ErrorCode;
use sluicegate_store::StoreError;
use sluicegate_terms::Timestamp;

/// Why a run stopped.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// There is no upstream.
    #[error(
        "no upstream is set, so there is nothing to synchronize with; set one with `sluicegate upstream set`"
    )]
    NoUpstream,
    /// Somebody cancelled it.
    #[error("the synchronization was cancelled; the next one goes on where it was")]
    Cancelled,
    /// The server was stopped.
    #[error(
        "the server was stopped while it was under way; what it had stored is kept, and the next one goes on from there"
    )]
    ServerStops,
    /// Its end is not in the history at the next start: the server ended without having been asked to, or could not write
    /// how the run ended.
    #[error(
        "nothing was written of its end: the server ended while it was under way, without having been stopped (killed, a \
         crash, no power), or could not write how it ended (a full disk; the log has it then); what it had stored is kept, \
         and the next one goes on from there"
    )]
    ServerEnded,
    /// The upstream or the mode was changed while the run was under way.
    #[error(
        "the upstream or the mode was changed while this synchronization was under way, so it was ended; the next \
         one begins with the new settings"
    )]
    UpstreamChanged,
    /// It did not come forward any more, and was ended.
    #[error(
        "the synchronization did not come forward since {} (phase {phase}), so it was ended; the next one goes on \
         where it was. If the upstream is slow rather than stuck, give it longer: \
         `sluicegate sync schedule --patience MINUTES`",
        since.iso()
    )]
    Stuck {
        /// What it was doing.
        phase: Phase,
        /// When it last came forward.
        since: Timestamp,
    },
    /// The upstream could not be talked to.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The upstream changed in a way that needs a fresh start; handled within the run.
    #[error("the upstream says again that it has changed, though everything was asked for anew")]
    ServerChanged,
    /// An answer was understood and is of no use.
    #[error("the upstream's answer to {call} is of no use: {reason}")]
    Answer {
        /// Which call.
        call: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The filter cannot be asked for.
    #[error("the filter cannot be used: {0}")]
    Filter(String),
    /// A failure that would meet every file.
    #[error(transparent)]
    Content(Box<ContentError>),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// A task of this program failed.
    #[error("a part of the synchronization failed inside this program: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl SyncError {
    /// A stable name for status, history and doctor.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoUpstream => "LocalError/NoUpstream",
            Self::Cancelled => "Cancelled",
            Self::ServerStops => "Interrupted",
            Self::ServerEnded => "Interrupted/ServerEnded",
            Self::UpstreamChanged => "Cancelled/UpstreamChanged",
            Self::Stuck { .. } => "UssCommunicationError/Stuck",
            Self::Transport(error) => error.code(),
            Self::ServerChanged => "UssFault/ServerChanged",
            Self::Answer { .. } => "UssCommunicationError/UnusableAnswer",
            Self::Filter(_) => "LocalError/Filter",
            Self::Content(error) => error.code(),
            Self::Store(error) if error.is_disk_full() => "LocalError/DiskFull",
            Self::Store(_) => "LocalError/Store",
            Self::Task(_) => "LocalError/Internal",
        }
    }

    /// The number of its problem in the list of known ones, where it is one of them.
    #[must_use]
    pub fn problem(&self) -> Option<&'static str> {
        problem_of(self.code())
    }

    /// Where on the way to the upstream it happened; `None` when it has nothing to do with that way.
    #[must_use]
    pub fn step(&self) -> Option<Step> {
        match self {
            Self::Transport(error) => Some(error.step()),
            Self::Answer { .. } | Self::ServerChanged => Some(Step::Configuration),
            _ => None,
        }
    }

    /// Whether the upstream does not let this server synchronize.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Transport(error) if error.is_refusal())
    }

    /// Whether somebody ended the run, rather than a failure.
    pub(crate) fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled | Self::ServerStops | Self::ServerEnded | Self::UpstreamChanged)
    }

    /// Whether the same may succeed when it is tried again soon.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Transport(error) => error.is_transient(),
            Self::Content(error) => error.is_transient(),
            Self::Stuck { .. } => true,
            _ => false,
        }
    }

    /// Whether the run ends with it, also where a failure of the upstream would not end it.
    pub(crate) fn ends_everything(&self) -> bool {
        self.is_cancelled() || matches!(self, Self::Stuck { .. } | Self::Store(_))
    }

    /// The error code of the fault that the upstream answered with, if that is what happened.
    pub(crate) fn fault(&self) -> Option<ErrorCode> {
        match self {
            Self::Transport(error) => error.fault().and_then(|fault| fault.error_code),
            _ => None,
        }
    }
}

impl From<StoreError> for SyncError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::UpstreamChanged => Self::UpstreamChanged,
            other => Self::Store(other),
        }
    }
}
