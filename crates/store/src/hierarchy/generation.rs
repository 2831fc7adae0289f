//! Store: which upstream a synchronization works for. Another upstream or another mode is another generation; a
//! run keeps the one it began with, and what it would write after a change is refused.

use super::settings;
use crate::Store;
use crate::error::{During, StoreError};
use crate::hierarchy::UpstreamSettings;
use rusqlite::{Connection, OptionalExtension, Transaction};
use std::sync::Arc;

/// Counts the changes of upstream and mode.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Generation(u64);

/// Under this name in `sync_state`.
pub(super) const NAME: &str = "generation";

fn load(db: &Connection) -> Result<Generation, StoreError> {
    db.prepare_cached("SELECT CAST(value AS INTEGER) FROM sync_state WHERE name = ?1")
        .and_then(|mut s| s.query_row([NAME], |row| row.get::<_, i64>(0)).optional())
        .during("read the generation of the upstream")
        .map(|value| Generation(value.unwrap_or(0).unsigned_abs()))
}

/// The upstream or the mode becomes another.
pub(super) fn raise(tx: &Transaction<'_>) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO sync_state (name, value) VALUES (?1, '1')
         ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)",
    )
    .and_then(|mut s| s.execute([NAME]))
    .during("raise the generation of the upstream")
    .map(|_| ())
}

impl Store {
    /// The present generation of the upstream.
    ///
    /// # Errors
    /// A failure to read.
    pub fn generation(&self) -> Result<Generation, StoreError> {
        self.shared.database.read(|db| load(db))
    }

    /// The generation that this handle works for; `None` when it is bound to none.
    #[must_use]
    pub fn works_for(&self) -> Option<Generation> {
        self.generation
    }

    /// A handle that works for the upstream as it is set now, and its settings, read together. Once the source or
    /// the mode is another, whatever synchronization writes through the handle fails with
    /// [`StoreError::UpstreamChanged`].
    ///
    /// # Errors
    /// A failure to read.
    pub fn for_upstream(&self) -> Result<(Self, Arc<UpstreamSettings>), StoreError> {
        // From the database, not from memory: there the new settings are seen a moment after their generation.
        let (generation, settings) = self.shared.database.read(|db| {
            let db = db.transaction().during("read the upstream's settings")?;
            Ok((load(&db)?, settings::load(&db)?))
        })?;
        Ok((Self { generation: Some(generation), ..self.clone() }, Arc::new(settings)))
    }

    /// Refuses to write for an upstream that is no longer the one.
    pub(crate) fn refuse_for_another_upstream(&self, tx: &Connection) -> Result<(), StoreError> {
        match self.generation {
            Some(mine) if load(tx)? != mine => Err(StoreError::UpstreamChanged),
            _ => Ok(()),
        }
    }
}
