//! Store: the file beside the database that remembers the end of the audit log, so that a tail that was cut
//! off is missed. One line within one sector, written in place after the commit: it is never ahead of the
//! database, and after a crash at most behind it.

use super::foreign;
use super::{Actor, AlertKind, AuditBreak, AuditHash, AuditHead, Entry, append, last, raise};
use crate::columns::signed;
use crate::database::Database;
use crate::error::{During, StoreError};
use rusqlite::{Connection, OptionalExtension};
use sluicegate_terms::Timestamp;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Its name in the data folder.
pub(super) const FILE: &str = "audit.head";

/// The open file.
#[derive(Debug)]
pub(crate) struct HeadFile {
    path: PathBuf,
    remembered: Option<AuditHead>,
    file: Option<File>,
}

impl HeadFile {
    /// Reads what the file remembers.
    pub(crate) fn load(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(FILE);
        let remembered = read(&path)?;
        Ok(Self { path, remembered, file: None })
    }

    pub(crate) const fn remembered(&self) -> Option<AuditHead> {
        self.remembered
    }

    /// Remembers a new end.
    pub(crate) fn write(&mut self, head: AuditHead) -> Result<(), StoreError> {
        let line = format!("{:020} {}\n", head.count, head.hash);
        let file = match &self.file {
            Some(file) => file,
            None => {
                let open = || {
                    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&self.path)
                };
                let opened = open().map_err(|e| StoreError::io("open", &self.path, e))?;
                self.file.insert(opened)
            }
        };
        file.write_all_at(line.as_bytes(), 0).map_err(|e| StoreError::io("write", &self.path, e))?;
        self.remembered = Some(head);
        Ok(())
    }
}

/// Looks at the log when the store is opened: begins it in a new store, and writes down when it is not the one
/// that the file remembers, so that this is never forgotten.
pub(crate) fn begin(dir: &Path, database: &Database, now: Timestamp) -> Result<HeadFile, StoreError> {
    let mut file = HeadFile::load(dir)?;
    let remembered = file.remembered();
    let end = database.write(move |tx| {
        let end = last(tx)?;
        let server = Actor::server("start");
        if end.count == 0 && remembered.is_none() {
            let known: (i64, i64) = tx
                .query_row("SELECT count(*), coalesce(max(id), 0) FROM revision", [], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .during("begin the audit log")?;
            // What is here already came before anybody wrote down how.
            let after = serde_json::json!({ "revisions": known.0, "last_revision": known.1 }).to_string();
            let subject = "audit log".to_owned();
            let entry = Entry { action: "begin", subject, update: None, before: None, after: Some(after) };
            append(tx, &server, now, &[entry])?;
        } else if let Some(what) = broken(tx, remembered, end)? {
            let text =
                format!("the audit log is not what it was: {what}; `sluicegate audit verify` says more");
            let entry =
                Entry { action: "audit-broken", subject: what, update: None, before: None, after: None };
            append(tx, &server, now, &[entry])?;
            raise(tx, AlertKind::AuditBroken, &text, &[], now)?;
        }
        foreign::look(tx, now)?;
        last(tx)
    })?;
    if file.remembered() != Some(end) {
        file.write(end)?;
    }
    Ok(file)
}

/// What of the log's end does not fit what is remembered. The chain itself is verified on request only.
fn broken(
    db: &Connection,
    remembered: Option<AuditHead>,
    end: AuditHead,
) -> Result<Option<String>, StoreError> {
    let Some(head) = remembered else { return Ok(Some(AuditBreak::NoMemory.to_string())) };
    if head.count > end.count {
        let cut = AuditBreak::Truncated { found: end.count, expected: head.count };
        return Ok(Some(cut.to_string()));
    }
    let hash = db
        .query_row("SELECT hash FROM audit WHERE seq = ?1", [signed(head.count)], |row| row.get(0))
        .optional()
        .during("read the audit log")?;
    let same = head.count == 0 || hash.map(AuditHash) == Some(head.hash);
    Ok((!same).then(|| AuditBreak::Rewritten { seq: head.count }.to_string()))
}

/// What the file of a folder remembers; `None` when it is missing or not in its form.
pub(super) fn read(path: &Path) -> Result<Option<AuditHead>, StoreError> {
    let text = match std::fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(StoreError::io("read", path, e)),
    };
    let line = text.lines().next().unwrap_or_default();
    Ok(line.split_once(' ').and_then(|(count, hash)| {
        Some(AuditHead { count: count.parse().ok()?, hash: AuditHash::from_hex(hash)? })
    }))
}
