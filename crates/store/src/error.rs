//! Store: everything that can go wrong in this room, each error with the thing it is about and what to
//! do next. SQLite and file errors are turned into these at the place that knows the path.

use sluicegate_policy::rules::{RuleError, SaveError};
use sluicegate_policy::{ApprovalError, GroupError};
use sluicegate_terms::{ComputerId, Sha1Digest, TermError, UpdateId};
use std::io;
use std::path::{Path, PathBuf};

/// Below this much free space a failed write is blamed on the disk being full, in bytes. File systems
/// and SQLite report a full disk in several ways (`ENOSPC`, a failed write-ahead index, a short write).
const NEARLY_FULL: u64 = 1 << 20;

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process works on the same data folder.
    #[error(
        "the data folder {} is in use by another server; stop that one or choose another folder with --data",
        path.display()
    )]
    Locked {
        /// The data folder.
        path: PathBuf,
    },
    /// A file operation failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as the words after "cannot".
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no room for what should be written. Nothing of it is kept; reading goes on.
    #[error(
        "the disk that holds {} is full ({free} bytes free); nothing was changed; free some space and repeat",
        path.display()
    )]
    DiskFull {
        /// The data folder or the file that could not grow.
        path: PathBuf,
        /// Bytes free there when the write failed.
        free: u64,
    },
    /// A file of an update would leave too little room on the disk of the content folder.
    #[error(
        "the disk that holds {} has {} MiB left and {} MiB of `{name}` are to come, besides {} MiB that are kept free \
         and {} MiB of other files on their way; give it more room, run `sluicegate cleanup run`, decline the update, or \
         fetch fewer files (`sluicegate sync content approved`); what came before is kept, and the next run goes on \
         with it",
        path.display(), free >> 20, missing.div_ceil(1 << 20), reserve >> 20, promised.div_ceil(1 << 20)
    )]
    NoRoom {
        /// Its name in the catalog.
        name: String,
        /// The content folder.
        path: PathBuf,
        /// Bytes of the file that are not here.
        missing: u64,
        /// Bytes that are kept free.
        reserve: u64,
        /// Bytes of other files that are on their way.
        promised: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// SQLite refused.
    #[error("the database (schema version {}) could not {action}: {source}", crate::database::SCHEMA_VERSION)]
    Database {
        /// What was tried.
        action: &'static str,
        /// Why.
        source: rusqlite::Error,
    },
    /// The data folder was written by a newer program.
    #[error(
        "{} has schema version {found}, this program knows versions up to {known}; run the newer sluicegate",
        path.display()
    )]
    NewerSchema {
        /// The database file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// The schema is not what the steps of this program make: somebody changed it by other means.
    #[error(
        "in {} (schema version {version}, made and known by this program: {}) the {object} {difference}; restore the \
         data folder from a backup, or go back with `sluicegate rollback` when an upgrade broke off",
        path.display(),
        crate::database::SCHEMA_VERSION
    )]
    SchemaMismatch {
        /// The database file.
        path: PathBuf,
        /// Kind and name of the first object that differs.
        object: String,
        /// How.
        difference: &'static str,
        /// The version the database says it has.
        version: u32,
    },
    /// There is no room for the copy that is taken before the schema changes.
    #[error(
        "the database has to change its schema, and there is no room for the copy that is taken before ({}): it and the \
         change need {needed} bytes, {free} are free; nothing was changed; free some space and start again",
        path.display()
    )]
    NoRoomForCopy {
        /// The copy.
        path: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// Stored bytes are not what was written.
    #[error("{} is damaged: {what}; restore the data folder from a backup", path.display())]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// What was found, and where.
        what: String,
    },
    /// A stored value breaks the rule of its type.
    #[error("a stored {what} is not valid: {source}; restore the data folder from a backup")]
    Stored {
        /// Which column.
        what: &'static str,
        /// The broken rule.
        source: TermError,
    },
    /// A stored value does not have the layout it was written in.
    #[error("a stored {what} cannot be read: {reason}; restore the data folder from a backup")]
    Unreadable {
        /// What kind of value, and whose.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A number space is used up.
    #[error("no {what} is left; this server cannot take more of them")]
    IdsExhausted {
        /// Which ids.
        what: &'static str,
    },
    /// Nobody knows this update.
    #[error("update {0} is not in the catalog; import its document first")]
    UnknownUpdate(UpdateId),
    /// Nobody knows this revision.
    #[error("revision {0} is not in the catalog")]
    UnknownRevision(u32),
    /// The decision breaks a rule of approvals or groups.
    #[error(transparent)]
    Decision(#[from] ApprovalError),
    /// An automatic approval rule cannot be as it is wanted.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// This server's upstream decides.
    #[error(
        "this server is a replica of {upstream}: approvals, declines, groups and licence terms are decided there, and \
         rules do not run here; change them on {upstream}, or make this server autonomous first"
    )]
    Replica {
        /// The upstream.
        upstream: String,
    },
    /// The upstream or the mode was changed since the work began that wanted to write.
    #[error(
        "the upstream or the mode was changed meanwhile, so what belongs to the one before is not written; \
         the next synchronization begins with the new settings"
    )]
    UpstreamChanged,
    /// Nobody knows this computer.
    #[error("there is no computer {0}")]
    UnknownComputer(ComputerId),
    /// A file that no update names.
    #[error(
        "no update in the catalog has a file with SHA-1 {sha1} (the given file is `{name}`, {size} bytes); \
         import the update's document first"
    )]
    UndeclaredContent {
        /// The name the giver used.
        name: String,
        /// Its digest.
        sha1: Sha1Digest,
        /// Its length in bytes.
        size: u64,
    },
    /// A file that is not what the catalog says.
    #[error("the content of `{name}` is not what the catalog declares: {reason}; get the file again")]
    ContentMismatch {
        /// The name the giver used.
        name: String,
        /// Which length or digest differs.
        reason: String,
    },
    /// The giver of a file broke off.
    #[error("reading `{name}` failed after {after} bytes: {source}; send it again")]
    ContentSource {
        /// The name the giver used.
        name: String,
        /// How many bytes had come.
        after: u64,
        /// Why.
        source: io::Error,
    },
    /// What was named is not there, or not of use for what was asked for.
    #[error("{what} cannot be used: {reason}")]
    Unusable {
        /// What was named.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// A value given by the caller cannot be stored.
    #[error("{what} cannot be stored: {reason}")]
    Invalid {
        /// Which value.
        what: &'static str,
        /// Why.
        reason: String,
    },
}

impl StoreError {
    /// Whether the disk is full, and so the same call may succeed later.
    #[must_use]
    pub const fn is_disk_full(&self) -> bool {
        matches!(self, Self::DiskFull { .. } | Self::NoRoom { .. })
    }

    /// A failed file operation; a full disk becomes [`StoreError::DiskFull`].
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let full = matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        );
        if full {
            Self::DiskFull { path: path.to_owned(), free: free_space(path).unwrap_or(0) }
        } else {
            Self::Io { action, path: path.to_owned(), source }
        }
    }

    /// Recognises a full disk behind an SQLite error; `dir` is the data folder.
    pub(crate) fn with_disk_check(self, dir: &Path) -> Self {
        let Self::Database { source: rusqlite::Error::SqliteFailure(code, _), .. } = &self else {
            return self;
        };
        let free = || free_space(dir).unwrap_or(u64::MAX);
        match code.code {
            rusqlite::ErrorCode::DiskFull => Self::DiskFull { path: dir.to_owned(), free: free() },
            // A write-ahead index that cannot grow and a short write are plain I/O errors to SQLite.
            rusqlite::ErrorCode::SystemIoFailure | rusqlite::ErrorCode::CannotOpen
                if free() < NEARLY_FULL =>
            {
                Self::DiskFull { path: dir.to_owned(), free: free() }
            }
            _ => self,
        }
    }
}

impl From<SaveError> for StoreError {
    fn from(error: SaveError) -> Self {
        match error {
            SaveError::Rule(error) => error.into(),
            SaveError::Group(error) => error.into(),
        }
    }
}

impl From<GroupError> for StoreError {
    fn from(error: GroupError) -> Self {
        Self::Decision(ApprovalError::Group(error))
    }
}

/// Bytes an ordinary user may still write on the file system that holds `path` (or its folder).
pub(crate) fn free_space(path: &Path) -> Option<u64> {
    let mut at = Some(path);
    while let Some(place) = at {
        if let Ok(fs) = rustix::fs::statvfs(place) {
            return Some(fs.f_bavail.saturating_mul(fs.f_frsize));
        }
        at = place.parent();
    }
    None
}

/// Adds what was being done to an SQLite error.
pub(crate) trait During<T> {
    /// `action` completes "the database could not …".
    fn during(self, action: &'static str) -> Result<T, StoreError>;
}

impl<T> During<T> for Result<T, rusqlite::Error> {
    fn during(self, action: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Database { action, source })
    }
}

/// Adds which column held a broken value.
pub(crate) trait StoredAs<T> {
    /// `what` names the value.
    fn stored_as(self, what: &'static str) -> Result<T, StoreError>;
}

impl<T> StoredAs<T> for Result<T, TermError> {
    fn stored_as(self, what: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Stored { what, source })
    }
}
