//! Store: the SQLite file. One writer connection whose small transactions are grouped into one durable
//! commit, a few readers, and the counter of committed changes (the Anchor).

pub(crate) mod copies;
mod group_commit;
mod migrations;
mod schema;

pub(crate) use migrations::VERSION as SCHEMA_VERSION;

use crate::error::{During, StoreError};
use group_commit::Queue;
use parking_lot::{Mutex, MutexGuard};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use sluicegate_terms::Anchor;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The database's file name in the data folder.
pub(crate) const FILE: &str = "sluicegate.db";

/// The size of a page of a new database, in bytes. Larger ones make imports cheaper and the reports of clients dearer.
const PAGE: i64 = 8_192;

/// The write-ahead log goes into the main file when it has so many bytes.
const CHECKPOINT: i64 = 32 << 20;

/// Pages the writer keeps in memory, in KiB: the keys of a large catalog come in no order.
const WRITER_CACHE_KIB: i32 = 32_768;

/// The open database.
pub(crate) struct Database {
    dir: PathBuf,
    path: PathBuf,
    writer: Mutex<Connection>,
    /// Idle readers; more are opened when all are busy and closed again beyond `keep_readers`.
    readers: Mutex<Vec<Connection>>,
    keep_readers: usize,
    queue: Queue,
    anchors: Anchors,
}

/// The anchors of what is committed. Written under the writer's lock, read by everybody.
struct Anchors {
    newest: AtomicU64,
    /// The newest of a change that may have touched more than decisions.
    catalog: AtomicU64,
}

impl Anchors {
    /// Notes a commit that left the counter at `anchor`; it may have taken no anchor of its own.
    fn reach(&self, anchor: Anchor, reach: Reach) {
        let taken = anchor.0 > self.newest.load(Ordering::Acquire);
        // First, so that nobody who sees the new anchor takes it for one of decisions.
        if taken && reach != Reach::Decisions {
            self.catalog.fetch_max(anchor.0, Ordering::AcqRel);
        }
        self.newest.fetch_max(anchor.0, Ordering::AcqRel);
    }
}

/// What a change with a new anchor may have touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Decisions,
    Everything,
    /// Everything, with rows that are known to agree.
    Import,
}

impl Database {
    /// Opens or makes the database in `dir` and brings its schema up to date.
    pub(crate) fn open(dir: &Path, keep_readers: usize) -> Result<Self, StoreError> {
        let path = dir.join(FILE);
        let mut writer = connect(&path, false).map_err(|e| e.with_disk_check(dir))?;
        if let Some(found) = migrations::pending(&writer, &path)?.filter(|found| *found > 0) {
            copies::take(&writer, dir, found, SCHEMA_VERSION).map_err(|e| e.with_disk_check(dir))?;
        }
        migrations::run(&mut writer, &path).map_err(|e| e.with_disk_check(dir))?;
        let anchor = read_anchor(&writer)?;
        Ok(Self {
            dir: dir.to_owned(),
            path,
            writer: Mutex::new(writer),
            readers: Mutex::new(Vec::new()),
            keep_readers,
            queue: Queue::default(),
            anchors: Anchors { newest: AtomicU64::new(anchor.0), catalog: AtomicU64::new(anchor.0) },
        })
    }

    /// Compares the schema with what this program makes.
    pub(crate) fn verify_schema(&self) -> Result<(), StoreError> {
        self.read(|db| schema::verify(db, &self.path))
    }

    /// The newest committed anchor.
    pub(crate) fn anchor(&self) -> Anchor {
        Anchor(self.anchors.newest.load(Ordering::Acquire))
    }

    /// The newest committed anchor of a change that may have touched more than decisions.
    pub(crate) fn catalog_anchor(&self) -> Anchor {
        Anchor(self.anchors.catalog.load(Ordering::Acquire))
    }

    /// Runs `work` on a reader. What it sees is one consistent state when it runs one statement; use a
    /// transaction inside for more.
    pub(crate) fn read<R>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let idle = self.readers.lock().pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => connect(&self.path, true).map_err(|e| e.with_disk_check(&self.dir))?,
        };
        let result = work(&mut reader).map_err(|e| e.with_disk_check(&self.dir));
        let mut readers = self.readers.lock();
        if readers.len() < self.keep_readers {
            readers.push(reader);
        }
        drop(readers);
        result
    }

    /// Gives back the memory of pages that nobody reads now: connections keep what they read for as long as they live.
    pub(crate) fn give_memory_back(&self) -> Result<(), StoreError> {
        self.readers.lock().clear();
        self.writer.lock().execute_batch("PRAGMA shrink_memory").during("give memory back")?;
        sluicegate_allocator::give_back_now();
        sluicegate_allocator::set_aside();
        Ok(())
    }

    /// Runs `work` in a transaction of the writer and returns when it is durable. Calls that come while
    /// another commit is under way share the next one. `work` runs again when its group failed, so it
    /// must not change anything but the database.
    pub(crate) fn write<R, W>(&self, work: W) -> Result<R, StoreError>
    where
        R: Send + 'static,
        W: FnMut(&Transaction<'_>) -> Result<R, StoreError> + Send + 'static,
    {
        self.queue.submit(&self.writer, work, &self.anchors).map_err(|e| e.with_disk_check(&self.dir))
    }

    /// Runs `work` in a transaction of its own and returns when it is durable; for long work such as an
    /// import's commit. `install` runs after the commit and before anybody can see the new anchor; use
    /// it to bring what is kept in memory up to date.
    pub(crate) fn write_alone<R>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<R, StoreError>,
        install: impl FnOnce(&R),
    ) -> Result<R, StoreError> {
        self.alone(Reach::Everything, work, install)
    }

    /// [`Database::write_alone`] for a change of nothing but decisions.
    pub(crate) fn write_decisions<R>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<R, StoreError>,
        install: impl FnOnce(&R),
    ) -> Result<R, StoreError> {
        self.alone(Reach::Decisions, work, install)
    }

    /// [`Database::write_alone`] for an import. Foreign keys are not looked after: its rows refer to each other by
    /// construction (`check` verifies it), and looking costs a tenth of the commit. Nothing is deleted along with
    /// what it refers to either, so `work` does that itself.
    pub(crate) fn write_import<R>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<R, StoreError>,
        install: impl FnOnce(&R),
    ) -> Result<R, StoreError> {
        self.alone(Reach::Import, work, install)
    }

    fn alone<R>(
        &self,
        reach: Reach,
        work: impl FnOnce(&Transaction<'_>) -> Result<R, StoreError>,
        install: impl FnOnce(&R),
    ) -> Result<R, StoreError> {
        let mut writer = Writer::lock(&self.writer, reach).map_err(|e| e.with_disk_check(&self.dir))?;
        let run = || {
            let tx = begin(&mut writer.connection)?;
            let result = work(&tx)?;
            let anchor = read_anchor(&tx)?;
            tx.commit().during("commit")?;
            install(&result);
            self.anchors.reach(anchor, reach);
            Ok(result)
        };
        run().map_err(|e: StoreError| e.with_disk_check(&self.dir))
    }
}

/// The writer while one change has it.
struct Writer<'a> {
    connection: MutexGuard<'a, Connection>,
    /// Foreign keys are not looked after.
    unkeyed: bool,
}

impl<'a> Writer<'a> {
    fn lock(writer: &'a Mutex<Connection>, reach: Reach) -> Result<Self, StoreError> {
        let connection = writer.lock();
        let unkeyed = reach == Reach::Import;
        if unkeyed {
            connection.pragma_update(None, "foreign_keys", false).during("begin an import")?;
        }
        Ok(Self { connection, unkeyed })
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        if self.unkeyed
            && let Err(error) = self.connection.pragma_update(None, "foreign_keys", true)
        {
            tracing::error!(%error, "foreign keys are not looked after until the next start");
        }
    }
}

/// Takes the next anchor inside a write transaction.
pub(crate) fn next_anchor(tx: &Transaction<'_>) -> Result<Anchor, StoreError> {
    tx.prepare_cached("UPDATE counter SET value = value + 1 WHERE name = 'anchor' RETURNING value")
        .and_then(|mut s| s.query_row([], |row| row.get::<_, i64>(0)))
        .during("take the next anchor")
        .map(|value| Anchor(value.unsigned_abs()))
}

/// The newest anchor that a connection sees.
pub(crate) fn read_anchor(db: &Connection) -> Result<Anchor, StoreError> {
    db.query_row("SELECT value FROM counter WHERE name = 'anchor'", [], |row| row.get::<_, i64>(0))
        .during("read the anchor")
        .map(|value| Anchor(value.unsigned_abs()))
}

fn begin(writer: &mut Connection) -> Result<Transaction<'_>, StoreError> {
    writer.transaction_with_behavior(TransactionBehavior::Immediate).during("begin a transaction")
}

fn connect(path: &Path, read_only: bool) -> Result<Connection, StoreError> {
    let access = if read_only {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    } else {
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
    };
    let db = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .during("open its file")?;
    let set = |db: &Connection| -> Result<(), rusqlite::Error> {
        db.busy_timeout(Duration::from_secs(30))?;
        db.set_prepared_statement_cache_capacity(64);
        db.pragma_update(None, "foreign_keys", true)?;
        db.pragma_update(None, "temp_store", "MEMORY")?;
        if !read_only {
            // Of a database that is there already, pages keep the size they have.
            db.pragma_update(None, "page_size", PAGE)?;
            // WAL lets scans of the tables go on beside a commit; FULL makes each commit survive a
            // power cut, which is what "acknowledged" means here.
            db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
            db.pragma_update(None, "synchronous", "FULL")?;
            db.pragma_update(None, "journal_size_limit", 64 << 20)?;
            // Pages of an import are written many times over; the fewer times they go into the main file, the better.
            let page: i64 = db.pragma_query_value(None, "page_size", |row| row.get(0))?;
            db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT / page.max(1))?;
            db.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
        } else {
            db.pragma_update(None, "cache_size", -8_192)?;
        }
        Ok(())
    };
    set(&db).during("set up a connection")?;
    Ok(db)
}
