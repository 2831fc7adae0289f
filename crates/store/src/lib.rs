//! Room: durable state. SQLite for rows, append-only segments for fragments, a folder for content. What
//! is acknowledged here survives a power cut; what is half-written is never visible. Knows nothing of
//! SOAP or HTTP; time comes in as parameters.
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod audit;
mod catalog;
pub mod check;
pub mod cleanup;
mod columns;
mod computers;
mod config;
pub mod content;
mod database;
mod decisions;
mod error;
mod folder;
pub mod hierarchy;
mod keys;
mod segment;
mod status;
mod wire;

pub use catalog::{
    CatalogSize, CategoryPlace, CategoryRow, Cores, DamagedRevision, Document, Documents, FileAddress,
    FileFacts, ImportReport, Importer, PackedRevision, PreparedRevision, QuarantineEntry, Quarantined,
    RevisionFile, RevisionFragments, RevisionRow, Serving, StoredRevision, UpdateDetails, UpdatePage,
    UpdateRow,
};
pub use computers::{
    Computer, ComputerFilter, ComputerGroups, ComputerPage, Contact, EventBatch, OwnClients, Recorded,
    Registration, ReportedEvent, StoredEvent, Targeting,
};
pub use config::Config;
pub use database::copies::{Rollback, rollback};
pub use decisions::{
    ApprovalOrder, BulkApproval, BulkOrder, DecisionScope, GroupRemoval, GroupRenaming, ImportedDecisions,
    Refused, RuleRun,
};
pub use error::StoreError;
pub use sluicegate_browse::{
    ApprovalFilter, ApprovalState, ComputerSummary, ComputersOfUpdate, Page, Reboot, Severity, StateCounts,
    StatusFilter, Summary, UpdateQuery, UpdateSort,
};
pub use status::{ComputerState, FleetScope};

use catalog::{FileIndex, Lengths, Segments};
use computers::Contacts;
use content::{ContentStore, Ingested};
use database::Database;
use folder::FolderLock;
use hierarchy::UpstreamSettings;
use keys::Keys;
use parking_lot::{Mutex, RwLock};
use sluicegate_policy::Decisions;
use sluicegate_terms::{Anchor, Timestamp};
use std::io::Read;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The version of the database's schema that this program makes and knows.
pub const SCHEMA_VERSION: u32 = database::SCHEMA_VERSION;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The time of opening; dates the first start.
    pub now: Timestamp,
    /// How many bytes of Core fragments are kept in memory at most; beside a large catalog fewer are.
    pub core_memory_budget: usize,
    /// How many bytes of large pieces of memory the program may have, besides the Core fragments, before what there is one
    /// of for each revision goes to a file of the data folder. The first store that a process opens says so.
    pub large_in_memory: usize,
    /// How many reading connections stay open while idle.
    pub idle_readers: usize,
    /// It is opened to be served from: the schema is verified, and decisions that contradict each other are repaired
    /// before anybody is told of them, as far as that has one right answer.
    pub serving: bool,
    /// How many events about updates are kept per computer; the oldest go first. A computer's current
    /// status does not depend on them.
    pub events_per_computer: u32,
}

impl StoreOptions {
    /// The usual: 256 MiB of Core fragments, four idle readers, 1,000 events per computer, not to be served from.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self {
            now,
            core_memory_budget: 256 << 20,
            large_in_memory: 128 << 20,
            idle_readers: 4,
            serving: false,
            events_per_computer: 1_000,
        }
    }
}

/// Has large pieces of memory beyond `bound` bytes lie in a file of the data folder (`allocator`). Without, a large catalog
/// takes more memory; nothing else is different.
fn overflow_into(dir: &Path, bound: usize) {
    match folder::nameless_file(dir) {
        Ok(file) => {
            sluicegate_allocator::overflow_into(file, bound);
        }
        Err(error) => {
            let folder = dir.display();
            tracing::debug!(%error, %folder, "all of a large catalog's lists will stand in memory");
        }
    }
}

/// The open data folder. Cloning is cheap, all clones are one store. Calls block (SQLite, disk): call
/// them where blocking is allowed, except those that say "cheap" or "from memory".
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    /// Whom changes through this handle are put down to.
    actor: Arc<audit::Actor>,
    /// The generation of the upstream that this handle works for; it writes nothing once that is another.
    generation: Option<hierarchy::Generation>,
}

struct Shared {
    dir: PathBuf,
    options: StoreOptions,
    database: Database,
    segments: Segments,
    cores: RwLock<Arc<Cores>>,
    files: RwLock<FileIndex>,
    decisions: RwLock<Arc<Decisions>>,
    /// Approvals that another one for the same update and group took the place of when they were read.
    replaced: u64,
    config: RwLock<Arc<Config>>,
    upstream: RwLock<Arc<UpstreamSettings>>,
    /// Which servers may synchronize from this one.
    allowed: RwLock<Arc<Vec<String>>>,
    contacts: Mutex<Contacts>,
    /// Held while they are written.
    writing_contacts: Mutex<()>,
    /// Runs whose end could not be written yet, as they ended.
    unwritten_ends: Mutex<Vec<hierarchy::SyncRun>>,
    content: ContentStore,
    keys: Keys,
    audit_head: Mutex<audit::HeadFile>,
    import_turn: Mutex<()>,
    /// Room in segments that waits to be given back.
    reclaim: cleanup::Reclaim,
    /// What administrators look things up in.
    board: status::Board,
    /// Dropped last, so that nobody else opens the folder before all is closed.
    _lock: FolderLock,
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Err(error) = self.flush_contacts() {
            tracing::warn!(%error, "the last contacts of computers could not be written");
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.shared.dir).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a data folder, making it when it is missing.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another server has it, [`StoreError::NewerSchema`] when a newer program
    /// wrote it, [`StoreError::Corrupt`] when files are shorter than the database says.
    pub fn open(dir: impl AsRef<Path>, options: StoreOptions) -> Result<Self, StoreError> {
        let dir = dir.as_ref().to_owned();
        let lock = FolderLock::take(&dir)?;
        overflow_into(&dir, options.large_in_memory);
        let database = Database::open(&dir, options.idle_readers)?;
        let keys = Keys::load(&dir, &database, options.now)?;
        let lengths = database.read(|db| Lengths::load(db))?;
        let segments = Segments::open(&dir, lengths)?;
        let content = ContentStore::load(&dir)?;
        let mut audit_head = audit::begin(&dir, &database, options.now)?;
        if options.serving {
            database.verify_schema()?;
            check::mend(&database, &segments, &content, &mut audit_head, options.now)?;
        }
        let cores = database.read(|db| Cores::load(db, segments.clone(), options.core_memory_budget))?;
        sluicegate_allocator::beside(cores.bytes_in_memory());
        let files = database.read(|db| sluicegate_allocator::bulk(|| FileIndex::load(db)))?;
        content.compare_with(|sha1| files.get(sha1).map(|file| file.size), options.serving)?;
        catalog::fill_supersedence(&database)?;
        let decisions = database.read(|db| decisions::load(db))?;
        let replaced = database.read(|db| decisions::replaced(db, &decisions))?;
        let config = database.read(|db| config::load(db))?;
        let upstream = database.read(|db| hierarchy::load_upstream(db))?;
        let allowed = database.read(|db| hierarchy::load_allowed(db))?;
        let shared = Shared {
            dir,
            options,
            database,
            segments,
            cores: RwLock::new(Arc::new(cores)),
            files: RwLock::new(files),
            decisions: RwLock::new(Arc::new(decisions)),
            replaced,
            config: RwLock::new(Arc::new(config)),
            upstream: RwLock::new(Arc::new(upstream)),
            allowed: RwLock::new(Arc::new(allowed)),
            contacts: Mutex::default(),
            writing_contacts: Mutex::default(),
            unwritten_ends: Mutex::default(),
            content,
            keys,
            audit_head: Mutex::new(audit_head),
            import_turn: Mutex::new(()),
            reclaim: cleanup::Reclaim::default(),
            board: status::Board::default(),
            _lock: lock,
        };
        let store = Self { shared: Arc::new(shared), actor: Arc::default(), generation: None };
        store.fill_facets()?;
        if store.shared.options.serving {
            store.withdraw_what_expired()?;
        }
        Ok(store)
    }

    /// The data folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }

    /// The newest committed change of catalog or decisions. Cheap; everything up to it is already visible
    /// to the reading calls.
    #[must_use]
    pub fn anchor(&self) -> Anchor {
        self.shared.database.anchor()
    }

    /// The newest committed change that may have touched the catalog, not only decisions: while it stays, so does
    /// what [`Store::for_each_revision`] and [`Store::cores`] tell. Cheap.
    #[must_use]
    pub fn catalog_anchor(&self) -> Anchor {
        self.shared.database.catalog_anchor()
    }

    /// The content store: which files are held, and opening them.
    #[must_use]
    pub fn content(&self) -> &ContentStore {
        &self.shared.content
    }

    /// Takes one content file in; it appears only when its length and every declared digest match. `name`
    /// is for messages; `progress` gets the bytes read so far.
    ///
    /// # Errors
    /// [`StoreError::UndeclaredContent`], [`StoreError::ContentMismatch`], [`StoreError::ContentSource`] when
    /// `source` fails, [`StoreError::DiskFull`], or another failure to write; then nothing remains of it.
    pub fn add_content(
        &self,
        name: &str,
        source: &mut dyn Read,
        now: Timestamp,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Ingested, StoreError> {
        let expected = |sha1| self.shared.database.read(|db| catalog::declared_file(db, sha1));
        self.shared.content.ingest(name, source, now, expected, progress)
    }

    /// Bytes free where the data folder lies, if the system tells.
    #[must_use]
    pub fn free_space(&self) -> Option<u64> {
        error::free_space(&self.shared.dir)
    }

    /// The content folder, and the bytes free there, when it lies on another disk than the data folder.
    #[must_use]
    pub fn content_disk(&self) -> Option<(PathBuf, Option<u64>)> {
        let content = self.content().folder();
        let device = |path: &Path| std::fs::metadata(path).map(|meta| meta.dev()).ok();
        (device(content) != device(&self.shared.dir))
            .then(|| (content.to_owned(), error::free_space(content)))
    }
}
