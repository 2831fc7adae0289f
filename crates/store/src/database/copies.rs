//! Store: the copies of the database that are taken before its schema changes, and the way back to one of them.

use super::{FILE, connect, migrations};
use crate::audit::{self, Actor, Entry, HeadFile};
use crate::catalog::{Cores, Lengths, open_short};
use crate::error::{During, StoreError, free_space};
use crate::folder::{FolderLock, sync_dir};
use rusqlite::Connection;
use rusqlite::backup::Backup;
use sluicegate_terms::Timestamp;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What names of copies begin with; the number of the schema they were taken before follows.
const BEFORE: &str = "sluicegate.db.before-v";

/// So many copies are kept, the newest.
const KEPT: usize = 2;

/// While a copy is younger, cleanup gives no room in segments back: what the copy points to is still there.
const GRACE: Duration = Duration::from_secs(7 * 24 * 3_600);

/// The version from which on there is an audit log.
const WITH_AUDIT: u32 = 4;

/// Copies the database before its schema goes from `found` to `known`; whole or not at all.
pub(super) fn take(db: &Connection, dir: &Path, found: u32, known: u32) -> Result<(), StoreError> {
    let target = dir.join(format!("{BEFORE}{known}"));
    let partial = dir.join(format!("{BEFORE}{known}.partial"));
    let pages: i64 = db.query_row("PRAGMA page_count", [], |row| row.get(0)).during("read its size")?;
    let size: i64 = db.query_row("PRAGMA page_size", [], |row| row.get(0)).during("read its size")?;
    let needed = pages.saturating_mul(size).unsigned_abs();
    // The migration itself writes too.
    let needed = needed.saturating_add(needed / 4);
    if let Some(free) = free_space(dir).filter(|free| *free < needed) {
        return Err(StoreError::NoRoomForCopy { path: target, needed, free });
    }
    remove(&partial)?;
    {
        let mut copy = Connection::open(&partial).during("copy itself")?;
        let backup = Backup::new(db, &mut copy).during("copy itself")?;
        backup.run_to_completion(1_024, Duration::ZERO, None).during("copy itself")?;
    }
    let synced = fs::File::open(&partial).and_then(|file| file.sync_all());
    synced.map_err(|e| StoreError::io("sync", &partial, e))?;
    fs::rename(&partial, &target).map_err(|e| StoreError::io("rename", &partial, e))?;
    sync_dir(dir)?;
    tracing::info!(from = found, to = known, copy = %target.display(), "the database was copied before its schema changes");
    for (_, old) in copies(dir)?.into_iter().rev().skip(KEPT) {
        remove(&old)?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(StoreError::io("remove", path, e)),
        _ => Ok(()),
    }
}

/// The copies in a folder, by the version they were taken before, oldest first.
fn copies(dir: &Path) -> Result<Vec<(u32, PathBuf)>, StoreError> {
    let failed = |e| StoreError::io("list", dir, e);
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(BEFORE)).and_then(|n| n.parse().ok());
        found.extend(number.map(|number: u32| (number, entry.path())));
    }
    found.sort_unstable();
    Ok(found)
}

/// Whether a copy is so young that somebody may go back to it.
pub(crate) fn is_held(dir: &Path) -> bool {
    let age = |path: &Path| {
        let changed = fs::metadata(path).and_then(|meta| meta.modified()).ok()?;
        SystemTime::now().duration_since(changed).ok()
    };
    // One from the future is young.
    copies(dir).is_ok_and(|all| all.iter().any(|(_, path)| age(path).is_none_or(|age| age < GRACE)))
}

/// What going back to a copy comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rollback {
    /// The schema version now.
    pub from: u32,
    /// The schema version of the copy.
    pub to: u32,
    /// The copy.
    pub copy: PathBuf,
    /// Where the present database is kept.
    pub kept: PathBuf,
    /// Revisions that came after the copy; synchronization brings them again.
    pub newer_revisions: u64,
    /// Entries of the audit log since the copy: what was decided then is decided no longer.
    pub newer_entries: u64,
    /// Revisions of the copy whose bytes are gone meanwhile; `sluicegate check` names them.
    pub lost_revisions: u64,
}

/// Says what going back to the newest copy comes to, and does it unless `dry`. The program of that time has to be
/// installed afterwards: the present one would take the same step forward again.
///
/// # Errors
/// [`StoreError::Locked`] while a server runs, [`StoreError::Unusable`] when there is no copy or the database is
/// already that old, [`StoreError::Corrupt`] when the copy is damaged, or a failure to read or write.
pub fn rollback(dir: &Path, dry: bool, now: Timestamp) -> Result<Rollback, StoreError> {
    let unusable = |reason: String| StoreError::Unusable { what: "an earlier state of the database", reason };
    let path = dir.join(FILE);
    if !path.is_file() {
        return Err(unusable(format!("{} holds no database", dir.display())));
    }
    let _lock = FolderLock::take(dir)?;
    let Some((_, copy)) = copies(dir)?.pop() else {
        return Err(unusable(format!("no copy is kept in {}", dir.display())));
    };
    let present = connect(&path, false)?;
    let old = connect(&copy, true)?;
    let (from, to) = (migrations::version(&present)?, migrations::version(&old)?);
    if from <= to {
        return Err(unusable(format!("its schema version is {from}, that of the copy is {to}")));
    }
    let sound: String =
        old.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).during("check the copy")?;
    if sound != "ok" {
        return Err(StoreError::Corrupt { path: copy, what: sound });
    }
    let kept = dir.join(format!("{FILE}.rolled-back-v{from}"));
    let (newer_revisions, newer_entries) = newer(&present, &old, to)?;
    let lost_revisions = lost(dir, &present, &old)?;
    drop(old);
    let outcome =
        Rollback { from, to, copy: copy.clone(), kept, newer_revisions, newer_entries, lost_revisions };
    if dry {
        return Ok(outcome);
    }
    put_back(dir, present, &outcome)?;
    if to >= WITH_AUDIT {
        note(dir, &outcome, now)?;
    }
    Ok(outcome)
}

/// Revisions and entries of the audit log that the copy does not have.
fn newer(present: &Connection, old: &Connection, to: u32) -> Result<(u64, u64), StoreError> {
    let one = |db: &Connection, sql: &str| {
        db.query_row(sql, [], |row| row.get::<_, i64>(0)).during("compare with the copy")
    };
    let ids = "SELECT coalesce(max(id), 0) FROM revision";
    let sql = format!("SELECT count(*) FROM revision WHERE id > {}", one(old, ids)?);
    let revisions = one(present, &sql)?;
    let entries = "SELECT coalesce(max(seq), 0) FROM audit";
    let before = if to >= WITH_AUDIT { one(old, entries)? } else { 0 };
    Ok((revisions.unsigned_abs(), (one(present, entries)? - before).max(0).unsigned_abs()))
}

/// How many revisions of the copy have bytes that cannot be read any more.
fn lost(dir: &Path, present: &Connection, old: &Connection) -> Result<u64, StoreError> {
    // By its own lengths the copy would cut off what came since.
    let (segments, _) = open_short(dir, Lengths::load(present)?)?;
    Cores::unreadable(old, &segments)
}

/// Puts a copy of the copy in the place of the database, which stays beside it. At every moment one of the two is
/// the database.
fn put_back(dir: &Path, present: Connection, outcome: &Rollback) -> Result<(), StoreError> {
    let path = dir.join(FILE);
    present
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
        .during("write its log back")?;
    // The last connection takes the log away with it.
    present.close().map_err(|(_, e)| e).during("close its file")?;
    for ending in ["-wal", "-shm"] {
        remove(&dir.join(format!("{FILE}{ending}")))?;
    }
    let fresh = dir.join(format!("{FILE}.partial"));
    fs::copy(&outcome.copy, &fresh).map_err(|e| StoreError::io("write", &fresh, e))?;
    let synced = fs::File::open(&fresh).and_then(|file| file.sync_all());
    synced.map_err(|e| StoreError::io("sync", &fresh, e))?;
    remove(&outcome.kept)?;
    fs::hard_link(&path, &outcome.kept).map_err(|e| StoreError::io("keep", &path, e))?;
    fs::rename(&fresh, &path).map_err(|e| StoreError::io("replace", &path, e))?;
    sync_dir(dir)
}

/// Writes down that it was done; the log ends earlier than before, and that is why.
fn note(dir: &Path, outcome: &Rollback, now: Timestamp) -> Result<(), StoreError> {
    let mut db = connect(&dir.join(FILE), false)?;
    let tx = db.transaction().during("note the way back")?;
    let before = serde_json::json!({ "schema": outcome.from, "entries_lost": outcome.newer_entries });
    let after = serde_json::json!({ "schema": outcome.to, "revisions_lost": outcome.newer_revisions });
    let entry = Entry {
        action: "rollback",
        subject: format!("the database, kept as {}", outcome.kept.display()),
        update: None,
        before: Some(before.to_string()),
        after: Some(after.to_string()),
    };
    audit::append(&tx, &Actor::server("rollback"), now, &[entry])?;
    let end = audit::last(&tx)?;
    tx.commit().during("note the way back")?;
    HeadFile::load(dir)?.write(end)
}
