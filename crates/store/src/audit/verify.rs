//! Store: verifying the audit log, in a running server or over a data folder that nobody serves. Names the
//! first entry that is not what was written.

use super::chain::{self, AuditEntry, AuditHash, AuditHead};
use super::head;
use crate::columns::Columns;
use crate::database;
use crate::error::{During, StoreError};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;

/// What is wrong with the log. Numbers are those of entries.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AuditBreak {
    /// An entry's content is not what its hash was made from.
    #[error("entry {seq} was changed: its content does not belong to its hash")]
    Changed {
        /// The first one.
        seq: u64,
    },
    /// Entries are gone from the middle.
    #[error("entries {first} to {last} are missing")]
    Missing {
        /// The first missing one.
        first: u64,
        /// The last missing one.
        last: u64,
    },
    /// An entry lies at another's place.
    #[error("entries were reordered: what was entry {seq} lies at place {lies_at}")]
    Reordered {
        /// The first place with another entry.
        seq: u64,
        /// Where its entry lies.
        lies_at: u64,
    },
    /// The log ends earlier than the file beside the database remembers.
    #[error("the end was cut off: there are {found} entries, and there were at least {expected}")]
    Truncated {
        /// How many there are.
        found: u64,
        /// How many are remembered.
        expected: u64,
    },
    /// The chain is in order and is not the one that the file beside the database remembers.
    #[error("the log was rewritten: entry {seq} has another hash than the file `audit.head` remembers")]
    Rewritten {
        /// The remembered entry.
        seq: u64,
    },
    /// There is nothing to compare the end with.
    #[error("the file `audit.head` is missing or unreadable, so a cut-off end would not show")]
    NoMemory,
    /// A start of the server found the log cut or rewritten, and wrote that down.
    #[error("entry {seq} tells of an earlier break that the server found at its start: {what}")]
    Noted {
        /// The entry.
        seq: u64,
        /// What it says.
        what: String,
    },
}

/// What verifying found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuditVerdict {
    /// The end of the log as it is.
    pub head: AuditHead,
    /// How many entries were verified before the first break.
    pub verified: u64,
    /// What is wrong, in the order of the entries; empty when all is well.
    pub breaks: Vec<AuditBreak>,
}

impl AuditVerdict {
    /// Whether the log is whole.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.breaks.is_empty()
    }
}

/// Verifies the log of a data folder, whether or not a server runs there. Nothing is changed.
///
/// # Errors
/// When the database cannot be read or is older than the audit log.
pub fn verify_folder(dir: &Path) -> Result<AuditVerdict, StoreError> {
    let path = dir.join(database::FILE);
    // The file first: entries that are committed meanwhile do no harm, the other way round they would.
    let remembered = head::read(&dir.join(head::FILE))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).during("open its file")?;
    verify(&db, remembered)
}

/// Verifies the log and compares its end with what is remembered of it.
pub(crate) fn verify(db: &Connection, remembered: Option<AuditHead>) -> Result<AuditVerdict, StoreError> {
    let mut verdict = AuditVerdict::default();
    let mut at_remembered = None;
    let mut statement = db
        .prepare(&format!("SELECT {} FROM audit ORDER BY seq", chain::COLUMNS))
        .during("read the audit log")?;
    let mut rows = statement.query([]).during("read the audit log")?;
    while let Some(row) = rows.next().during("read the audit log")? {
        let expected = verdict.verified + 1;
        let seq = row.natural(0)?;
        if seq != expected {
            verdict.breaks.push(AuditBreak::Missing { first: expected, last: seq.saturating_sub(1) });
            break;
        }
        // A row that cannot even be read was changed as well.
        let previous = verdict.head.hash;
        let Ok(entry) = chain::read(row) else {
            verdict.breaks.push(AuditBreak::Changed { seq });
            break;
        };
        if entry.hash_at(seq, previous) != entry.hash {
            verdict.breaks.push(match lies_at(db, seq, previous)? {
                Some(lies_at) => AuditBreak::Reordered { seq, lies_at },
                None => AuditBreak::Changed { seq },
            });
            break;
        }
        if entry.action == "audit-broken" {
            verdict.breaks.push(AuditBreak::Noted { seq, what: entry.subject.clone() });
        }
        verdict.verified = seq;
        verdict.head = AuditHead { count: seq, hash: entry.hash };
        if remembered.is_some_and(|head| head.count == seq) {
            at_remembered = Some(entry.hash);
        }
    }
    drop(rows);
    let end = chain::last(db)?;
    match remembered {
        Some(head) if head.count > end.count => {
            verdict.breaks.push(AuditBreak::Truncated { found: end.count, expected: head.count });
        }
        Some(head) if at_remembered.is_some_and(|hash| hash != head.hash) => {
            verdict.breaks.push(AuditBreak::Rewritten { seq: head.count });
        }
        None if end.count > 0 => verdict.breaks.push(AuditBreak::NoMemory),
        _ => {}
    }
    verdict.head = end;
    Ok(verdict)
}

/// Where the entry lies that belongs to place `seq`.
fn lies_at(db: &Connection, seq: u64, previous: AuditHash) -> Result<Option<u64>, StoreError> {
    let mut statement = db
        .prepare(&format!("SELECT {} FROM audit WHERE seq > ?1 ORDER BY seq", chain::COLUMNS))
        .during("read the audit log")?;
    let mut rows = statement.query([crate::columns::signed(seq)]).during("read the audit log")?;
    while let Some(row) = rows.next().during("read the audit log")? {
        let Ok(entry): Result<AuditEntry, _> = chain::read(row) else { continue };
        if entry.hash_at(seq, previous) == entry.hash {
            return Ok(Some(entry.seq));
        }
    }
    Ok(None)
}
