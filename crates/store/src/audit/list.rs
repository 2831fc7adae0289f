//! Store: reading the audit log, page by page.

use super::chain::{self, AuditEntry};
use crate::Store;
use crate::columns::{for_rows, gathered, signed};
use crate::error::{During, StoreError};
use rusqlite::params;
use sluicegate_terms::{Timestamp, UpdateId};

/// Most entries of one page.
const LARGEST_PAGE: u32 = 10_000;

/// Which entries.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuditQuery {
    /// Only about this update.
    pub update: Option<UpdateId>,
    /// Only from this time on.
    pub since: Option<Timestamp>,
    /// Only before this time.
    pub until: Option<Timestamp>,
    /// Only with this action.
    pub action: Option<String>,
    /// Only entries with a lower number: the next page.
    pub below: Option<u64>,
    /// How many at most; no more than 10,000.
    pub limit: u32,
}

/// Entries, newest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuditPage {
    /// The entries.
    pub entries: Vec<AuditEntry>,
    /// There are more below the last of them.
    pub more: bool,
}

/// How many of the last entries are looked through for repairs.
const LOOKED_THROUGH: u32 = 20_000;

impl Store {
    /// The last repairs and returns to an earlier state among the last 20,000 entries, newest first.
    ///
    /// # Errors
    /// A failure to read.
    pub fn recent_repairs(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.shared.database.read(|db| {
            let mut statement = db
                .prepare_cached(&format!(
                    "SELECT {} FROM (SELECT * FROM audit ORDER BY seq DESC LIMIT ?1)
                     WHERE action IN ('repair', 'rollback') ORDER BY seq DESC LIMIT ?2",
                    chain::COLUMNS
                ))
                .during("read the audit log")?;
            let mut rows = statement.query((LOOKED_THROUGH, limit)).during("read the audit log")?;
            gathered(&mut rows, chain::read)
        })
    }

    /// Entries of the audit log, newest first.
    ///
    /// # Errors
    /// A failure to read.
    pub fn audit(&self, query: &AuditQuery) -> Result<AuditPage, StoreError> {
        let limit = query.limit.min(LARGEST_PAGE);
        self.shared.database.read(|db| {
            let mut statement = db
                .prepare_cached(&format!(
                    "SELECT {} FROM audit WHERE (?1 IS NULL OR update_id = ?1) AND (?2 IS NULL OR at >= ?2)
                         AND (?3 IS NULL OR at < ?3) AND (?4 IS NULL OR action = ?4) AND (?5 IS NULL OR seq < ?5)
                     ORDER BY seq DESC LIMIT ?6",
                    chain::COLUMNS
                ))
                .during("read the audit log")?;
            let mut rows = statement
                .query(params![
                    query.update.as_ref().map(|update| update.0.as_bytes()),
                    query.since.map(Timestamp::ticks),
                    query.until.map(Timestamp::ticks),
                    query.action,
                    query.below.map(signed),
                    i64::from(limit) + 1
                ])
                .during("read the audit log")?;
            let mut page = AuditPage::default();
            for_rows(&mut rows, |row| {
                page.entries.push(chain::read(row)?);
                Ok(())
            })?;
            page.more = page.entries.len() > limit as usize;
            page.entries.truncate(limit as usize);
            Ok(page)
        })
    }
}
