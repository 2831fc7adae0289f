//! Store: the audit log. Every decision is written in the transaction that makes it, as an entry of a
//! chain of hashes, so that what is missing, changed, reordered or cut off shows. Entries say who, when,
//! from where, and what was before and after.

mod alerts;
mod chain;
mod changes;
mod foreign;
mod head;
mod list;
mod standing;
mod verify;

pub use alerts::{Alert, AlertKind};
pub use chain::{AuditEntry, AuditHash, AuditHead};
pub use list::{AuditPage, AuditQuery};
pub use verify::{AuditBreak, AuditVerdict, verify_folder};

pub(crate) use alerts::{Imported, note_import, raise, raise_once, settle};
pub(crate) use chain::{Entry, append, last};
pub(crate) use changes::{Cause, decided, settings_changed};
pub(crate) use head::{HeadFile, begin};
pub(crate) use verify::verify;

use crate::Store;
use crate::error::StoreError;
use sluicegate_terms::Timestamp;
use std::sync::Arc;

/// Longest name or place of an actor that is kept, in characters.
const LONGEST_NAME: usize = 200;

/// What kind of actor changes something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ActorKind {
    /// A person, or a program on a person's behalf, through the admin API.
    Administrator,
    /// The upstream server, by synchronization.
    Upstream,
    /// This server by itself: jobs, rules, repairs, and programs that work on the data folder directly.
    Server,
}

impl ActorKind {
    /// The word in the database and the admin API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Upstream => "upstream",
            Self::Server => "server",
        }
    }
}

/// Who changes something, and from where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    /// What kind.
    pub kind: ActorKind,
    /// The account, the upstream's address, or the name of a job.
    pub name: String,
    /// An address or a place; may be empty.
    pub origin: String,
}

impl Actor {
    /// An administrator by account name, from an address.
    #[must_use]
    pub fn administrator(name: &str, origin: &str) -> Self {
        Self::new(ActorKind::Administrator, name, origin)
    }

    /// The upstream with this address (`microsoft-update` for Microsoft's).
    #[must_use]
    pub fn upstream(address: &str) -> Self {
        Self::new(ActorKind::Upstream, address, "")
    }

    /// The server itself; `job` says which part of it.
    #[must_use]
    pub fn server(job: &str) -> Self {
        Self::new(ActorKind::Server, job, "")
    }

    fn new(kind: ActorKind, name: &str, origin: &str) -> Self {
        let short = |text: &str| text.chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
        Self { kind, name: short(name), origin: short(origin) }
    }
}

impl Default for Actor {
    fn default() -> Self {
        Self::server("store")
    }
}

impl Store {
    /// This store, with everything that is changed through the answer put down to `actor`.
    #[must_use]
    pub fn by(&self, actor: Actor) -> Self {
        Self { shared: Arc::clone(&self.shared), actor: Arc::new(actor), generation: self.generation }
    }

    /// Whom changes through this handle are put down to.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Writes an entry that belongs to no change of this store: the beginning and end of a repair over
    /// several servers, say. `before` and `after` are JSON.
    ///
    /// # Errors
    /// A failure to write.
    pub fn record(
        &self,
        action: &'static str,
        subject: &str,
        before: Option<String>,
        after: Option<String>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let entry = Entry { action, subject: subject.to_owned(), update: None, before, after };
        self.shared.database.write_alone(|tx| append(tx, &self.actor, now, &[entry]), |_| {})?;
        self.note_audit_head();
        Ok(())
    }

    /// The last entry's number and hash, zero and zeros before the first.
    ///
    /// # Errors
    /// A failure to read.
    pub fn audit_head(&self) -> Result<AuditHead, StoreError> {
        self.shared.database.read(|db| last(db))
    }

    /// Verifies the whole log, and the file beside the database that remembers its end.
    ///
    /// # Errors
    /// A failure to read.
    pub fn verify_audit(&self) -> Result<AuditVerdict, StoreError> {
        // Held, so that the file is not ahead of what this reader sees.
        let file = self.shared.audit_head.lock();
        let remembered = file.remembered();
        let verdict = self.shared.database.read(|db| verify(db, remembered));
        drop(file);
        verdict
    }

    /// Brings the file beside the database up to date with what is committed.
    pub(crate) fn note_audit_head(&self) {
        let mut file = self.shared.audit_head.lock();
        let noted = self.shared.database.read(|db| last(db)).and_then(|head| {
            if file.remembered().is_none_or(|known| known.count < head.count) {
                tracing::info!(entries = head.count, hash = %head.hash, "audit log grew");
                file.write(head)?;
            }
            Ok(())
        });
        if let Err(error) = noted {
            tracing::warn!(%error, "the end of the audit log could not be noted beside the database");
        }
    }
}
