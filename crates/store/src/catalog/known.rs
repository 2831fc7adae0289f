//! Store: the catalog as the import checks ask for it (`catalog::consistency`), looked up row by row.

use crate::catalog::commit::decode_record;
use crate::columns::Columns;
use crate::error::{During, StoreError, StoredAs};
use rusqlite::{OptionalExtension, Transaction};
use sluicegate_catalog::Clause;
use sluicegate_catalog::consistency::{Known, KnownUpdate};
use sluicegate_terms::{RevisionNumber, Sha256Digest, UpdateId, UpdateIdentity};
use std::cell::RefCell;
use std::collections::HashMap;

/// Looks into the catalog inside a transaction.
pub(crate) struct KnownCatalog<'a> {
    tx: &'a Transaction<'a>,
    /// Nothing is known, so nothing needs to be asked: the first, largest import.
    empty: bool,
    updates: RefCell<HashMap<UpdateId, Option<KnownUpdate>>>,
    /// The checks cannot fail, looking up can; the first failure is kept for afterwards.
    failed: RefCell<Option<StoreError>>,
}

impl<'a> KnownCatalog<'a> {
    pub(crate) fn new(tx: &'a Transaction<'a>) -> Result<Self, StoreError> {
        let some: bool = tx
            .query_row("SELECT EXISTS (SELECT 1 FROM revision)", [], |row| row.get(0))
            .during("look at the catalog")?;
        Ok(Self { tx, empty: !some, updates: RefCell::default(), failed: RefCell::new(None) })
    }

    /// Looks updates up in the order of their ids, which costs less than in the order they are asked for.
    pub(crate) fn look_up(&self, mut updates: Vec<UpdateId>) {
        updates.sort_unstable();
        for update in updates {
            self.update(update);
        }
    }

    /// The number of the newest revision.
    pub(crate) fn newest(&self, update: UpdateId) -> Option<RevisionNumber> {
        self.update(update).map(|known| known.revision)
    }

    /// The first failure to look something up; then the verdicts mean nothing.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.failed.take().map_or(Ok(()), Err)
    }

    fn or_fail<T: Default>(&self, found: Result<T, StoreError>) -> T {
        found.unwrap_or_else(|error| {
            self.failed.borrow_mut().get_or_insert(error);
            T::default()
        })
    }

    fn find(&self, update: UpdateId) -> Result<Option<KnownUpdate>, StoreError> {
        let mut statement = self
            .tx
            .prepare_cached(
                "SELECT r.number, l.kind, c.kind FROM known_update k JOIN revision r ON r.id = k.newest
                 JOIN listing l ON l.revision_id = k.newest LEFT JOIN category c ON c.update_id = k.update_id
                 WHERE k.update_id = ?1",
            )
            .during("look up an update")?;
        let mut rows = statement.query([update.0.as_bytes()]).during("look up an update")?;
        let Some(row) = rows.next().during("look up an update")? else { return Ok(None) };
        let category_kind =
            row.text_if_any(2)?.map(|k| k.parse()).transpose().stored_as("kind of category")?;
        Ok(Some(KnownUpdate {
            revision: row.revision_number(0)?,
            kind: row.text(1)?.parse().stored_as("kind of update")?,
            category_kind,
        }))
    }
}

impl Known for KnownCatalog<'_> {
    fn content(&self, revision: UpdateIdentity) -> Option<Sha256Digest> {
        // No revision is there without its update.
        self.update(revision.update)?;
        let found = self
            .tx
            .prepare_cached("SELECT content FROM revision WHERE update_id = ?1 AND number = ?2")
            .and_then(|mut s| {
                let key = (revision.update.0.as_bytes(), revision.revision.get());
                s.query_row(key, |row| row.get(0).map(Sha256Digest)).optional()
            })
            .during("look up a revision");
        self.or_fail(found)
    }

    fn update(&self, update: UpdateId) -> Option<KnownUpdate> {
        if self.empty {
            return None;
        }
        if let Some(known) = self.updates.borrow().get(&update) {
            return *known;
        }
        let found = self.or_fail(self.find(update));
        self.updates.borrow_mut().insert(update, found);
        found
    }

    fn prerequisites(&self, update: UpdateId) -> Vec<Clause> {
        let found = self
            .tx
            .prepare_cached(
                "SELECT r.number, r.record FROM known_update k JOIN revision r ON r.id = k.newest
                 WHERE k.update_id = ?1",
            )
            .during("look up an update")
            .and_then(|mut s| {
                let mut rows = s.query([update.0.as_bytes()]).during("look up an update")?;
                let Some(row) = rows.next().during("look up an update")? else { return Ok(Vec::new()) };
                let identity = UpdateIdentity { update, revision: row.revision_number(0)? };
                let record = row.get::<_, Vec<u8>>(1).during("look up an update")?;
                decode_record(identity, &record).map(|record| record.prerequisites)
            });
        self.or_fail(found)
    }
}
