//! Store: reading revisions back: all of them as a stream for a snapshot, or one with its document.

use crate::Store;
use crate::catalog::commit::decode_record;
use crate::catalog::shelf::Cores;
use crate::catalog::{FileFacts, files};
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError};
use rusqlite::{OptionalExtension, Row};
use sluicegate_catalog::ScanRecord;
use sluicegate_terms::{Anchor, RevisionId, Sha1Digest, Timestamp, UpdateId, UpdateIdentity};
use std::sync::Arc;

/// One revision as a snapshot needs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredRevision {
    /// Its id.
    pub id: RevisionId,
    /// Its relationships.
    pub record: ScanRecord,
    /// The length of its escaped Core fragment before compression, in bytes.
    pub core_escaped_len: u32,
    /// The anchor it came with.
    pub arrived: Anchor,
    /// When it came.
    pub arrived_at: Timestamp,
    /// Since which anchor its `IsLeaf` is as it is; at least `arrived`.
    pub leaf_changed: Anchor,
    /// It will be removed: downstream servers are told of it no longer, and still get it when they ask.
    pub retiring: bool,
}

/// A row of the catalog that cannot be understood.
#[derive(Debug)]
pub struct DamagedRevision {
    /// Its id, if that can be read.
    pub id: Option<RevisionId>,
    /// Which revision it is, if that can be read.
    pub identity: Option<UpdateIdentity>,
    /// What is wrong.
    pub cause: StoreError,
}

impl Store {
    /// Calls `each` for every revision of the catalog, by id. All calls see one state, even while imports
    /// go on.
    ///
    /// # Errors
    /// What `each` gives, or a failure to read; a single row that is damaged is one.
    pub fn for_each_revision<E: From<StoreError>>(
        &self,
        mut each: impl FnMut(StoredRevision) -> Result<(), E>,
    ) -> Result<(), E> {
        self.for_each_row(|row| match row {
            Ok(revision) => each(revision),
            Err(damaged) => Err(damaged.cause.into()),
        })
    }

    /// [`Store::for_each_revision`] for those who can do without single ones.
    ///
    /// # Errors
    /// What `each` gives, or a failure to read the table as a whole.
    pub fn for_each_row<E: From<StoreError>>(
        &self,
        mut each: impl FnMut(Result<StoredRevision, DamagedRevision>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut stopped = None;
        let read = self.shared.database.read(|db| {
            let mut statement = db
                .prepare_cached(
                    "SELECT id, update_id, number, record, core_escaped_len, arrived, arrived_at, leaf_changed,
                         EXISTS (SELECT 1 FROM retiring t WHERE t.revision_id = revision.id)
                     FROM revision ORDER BY id",
                )
                .during("read the revisions")?;
            let mut rows = statement.query([]).during("read the revisions")?;
            while let Some(row) = rows.next().during("read the revisions")? {
                let revision = stored(row).map_err(|cause| DamagedRevision {
                    id: row.revision_id(0).ok(),
                    identity: identity(row).ok(),
                    cause,
                });
                if let Err(error) = each(revision) {
                    stopped = Some(error);
                    break;
                }
            }
            Ok(())
        });
        match stopped {
            Some(error) => Err(error),
            None => Ok(read?),
        }
    }

    /// The fragments of all revisions as of now; take it once per snapshot or request and read from it
    /// without locks.
    #[must_use]
    pub fn cores(&self) -> Arc<Cores> {
        Arc::clone(&self.shared.cores.read())
    }

    /// What content addresses need of a declared file; `None` when no update names it. From memory.
    #[must_use]
    pub fn file(&self, sha1: Sha1Digest) -> Option<FileFacts> {
        self.shared.files.read().get(sha1)
    }

    /// How many distinct files the catalog declares.
    #[must_use]
    pub fn file_count(&self) -> usize {
        self.shared.files.read().len()
    }

    /// The updates whose file it is.
    ///
    /// # Errors
    /// A failure to read.
    pub fn file_owners(&self, sha1: Sha1Digest) -> Result<Vec<UpdateId>, StoreError> {
        self.shared.database.read(|db| files::owners(db, sha1))
    }

    /// The scan record of an update's newest revision.
    pub(crate) fn newest_record(&self, update: UpdateId) -> Result<ScanRecord, StoreError> {
        let found = self.shared.database.read(|db| {
            db.prepare_cached(
                "SELECT r.record FROM known_update k JOIN revision r ON r.id = k.newest WHERE k.update_id = ?1",
            )
            .and_then(|mut s| s.query_row([update.0.as_bytes()], |row| row.get::<_, Vec<u8>>(0)).optional())
            .during("look up an update")
        })?;
        let bytes = found.ok_or(StoreError::UnknownUpdate(update))?;
        ScanRecord::decode(&bytes).map_err(|e| StoreError::Unreadable {
            what: format!("scan record of update {update}"),
            reason: e.to_string(),
        })
    }

    /// How many revisions the catalog has, and how many updates.
    ///
    /// # Errors
    /// A failure to read.
    pub fn catalog_size(&self) -> Result<CatalogSize, StoreError> {
        self.shared.database.read(|db| {
            let mut size = CatalogSize::default();
            let mut statement = db
                .prepare_cached(
                    "SELECT (SELECT count(*) FROM revision), (SELECT count(*) FROM known_update),
                            (SELECT count(*) FROM quarantine)",
                )
                .during("count the revisions")?;
            let mut rows = statement.query([]).during("count the revisions")?;
            for_rows(&mut rows, |row| {
                size = CatalogSize {
                    revisions: row.natural(0)?,
                    updates: row.natural(1)?,
                    quarantined: row.natural(2)?,
                };
                Ok(())
            })?;
            Ok(size)
        })
    }
}

fn identity(row: &Row<'_>) -> Result<UpdateIdentity, StoreError> {
    Ok(UpdateIdentity { update: row.update(1)?, revision: row.revision_number(2)? })
}

fn stored(row: &Row<'_>) -> Result<StoredRevision, StoreError> {
    let id = row.revision_id(0)?;
    let record = row.get_ref(3).and_then(|value| Ok(value.as_blob()?)).during("read a scan record")?;
    Ok(StoredRevision {
        id,
        record: decode_record(identity(row)?, record)?,
        core_escaped_len: row.word(4)?,
        arrived: row.anchor(5)?,
        arrived_at: row.time(6)?,
        leaf_changed: row.anchor(7)?,
        retiring: row.int(8)? != 0,
    })
}

/// Counts for a status page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CatalogSize {
    /// Revisions.
    pub revisions: u64,
    /// Updates, each with one or more revisions.
    pub updates: u64,
    /// Documents in quarantine.
    pub quarantined: u64,
}
