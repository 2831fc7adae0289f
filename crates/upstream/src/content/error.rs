//! Content: why a file did not come.

use crate::transport::{Failure, TransportError};
use sluicegate_store::StoreError;

/// Why a file did not come.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// Nobody has it now. A parent that fetches files only when they are approved (`LazySync`) may have it later.
    #[error("the file `{name}` is not there yet ({at}); it is asked for again in the next run")]
    NotThere {
        /// Its name.
        name: String,
        /// Where it was looked for last.
        at: String,
    },
    /// There is no address to fetch it from.
    #[error(
        "nobody says where the file `{name}` can be fetched; give it by hand with `sluicegate content add`"
    )]
    NoSource {
        /// Its name.
        name: String,
    },
    /// Nobody says where it is, and the upstream keeps no files.
    #[error(
        "the file `{name}` cannot be fetched: the upstream {upstream} keeps no files (on Sluicegate that is \
         `sluicegate sync content never`), and nobody says where else it is; have the upstream keep files, or give this \
         one by hand with `sluicegate content add`"
    )]
    KeptNowhere {
        /// Its name.
        name: String,
        /// The upstream's address.
        upstream: String,
    },
    /// What came is not the file.
    #[error(
        "the file `{name}` from {at} is not what its update declares: {reason}; it was thrown away, and the fault lies \
         with that server or something on the way that changes files"
    )]
    Corrupt {
        /// Its name.
        name: String,
        /// Where it came from last.
        at: String,
        /// Which length or digest differs.
        reason: String,
    },
    /// The way to it failed.
    #[error("the file `{name}` could not be fetched: {source}")]
    Transport {
        /// Its name.
        name: String,
        /// Why.
        source: TransportError,
    },
    /// The store failed; a full disk is the usual reason.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The program ended a thread of its own.
    #[error("writing the file `{name}` was broken off; it is gone on with in the next run")]
    BrokenOff {
        /// Its name.
        name: String,
    },
}

impl ContentError {
    /// A stable name for status, history and doctor.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotThere { .. } => "ContentError/NotThereYet",
            Self::NoSource { .. } | Self::KeptNowhere { .. } => "ContentError/NoSource",
            Self::Corrupt { .. } => "ContentError/Corrupt",
            Self::Transport { source, .. } => source.code(),
            Self::Store(error) if error.is_disk_full() => "LocalError/DiskFull",
            Self::Store(_) => "LocalError/Store",
            Self::BrokenOff { .. } => "LocalError/BrokenOff",
        }
    }

    /// Whether it may come later without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::NotThere { .. } | Self::BrokenOff { .. } => true,
            Self::Transport { source, .. } => source.is_transient(),
            Self::NoSource { .. } | Self::KeptNowhere { .. } | Self::Corrupt { .. } | Self::Store(_) => false,
        }
    }

    /// Whether nobody could be reached where it was looked for, which says nothing about this file.
    pub(crate) fn concerns_the_way(&self) -> bool {
        matches!(self, Self::Transport { source, .. } if nobody_reached(source))
    }

    /// Whether there is no room for this file; a smaller one may fit.
    pub(crate) fn does_not_fit(&self) -> bool {
        matches!(self, Self::Store(StoreError::NoRoom { .. }))
    }

    /// Whether every other file would fail in the same way now.
    pub(crate) fn concerns_all(&self) -> bool {
        match self {
            Self::Store(StoreError::DiskFull { .. } | StoreError::Io { .. }) => true,
            // Whether there is room for any.
            Self::Store(StoreError::NoRoom { reserve, promised, free, .. }) => {
                *free <= reserve.saturating_add(*promised)
            }
            Self::Transport { source, .. } => {
                matches!(source.failure(), Failure::ProxyAuthentication { .. } | Failure::Settings { .. })
            }
            _ => false,
        }
    }
}

/// Whether nobody could be reached, or nobody who had time for this.
pub(super) fn nobody_reached(error: &TransportError) -> bool {
    matches!(
        error.failure(),
        Failure::NameNotResolved { .. }
            | Failure::Refused { .. }
            | Failure::TimedOut { .. }
            | Failure::Unreachable { .. }
            | Failure::ProxyAuthentication { .. }
            | Failure::ProxyRefused { .. }
            | Failure::Certificate(_)
            | Failure::Tls { .. }
            | Failure::WantsCertificate
            | Failure::Busy { .. }
            | Failure::Unavailable { .. }
    )
}
