//! Store: a computer's status per update, folded by policy from the events it reports and kept as rows.

use crate::Store;
use crate::columns::{Columns, for_rows};
use crate::computers::directory::find_row;
use crate::error::{During, StoreError};
use crate::keys::random_mark;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sluicegate_policy::{ComputerStatus, StateRow, UpdateState};
use sluicegate_terms::{ComputerId, Timestamp};

impl Store {
    /// What a computer last reported about updates.
    ///
    /// # Errors
    /// [`StoreError::UnknownComputer`], or a failure to read.
    pub fn computer_status(&self, computer: &ComputerId) -> Result<ComputerStatus, StoreError> {
        self.shared.database.read(|db| {
            let db = db.transaction().during("read a computer's status")?;
            let row =
                find_row(&db, computer)?.ok_or_else(|| StoreError::UnknownComputer(computer.clone()))?;
            load(&db, row)
        })
    }
}

/// A reported state from the columns state, since and error.
pub(crate) fn state_row(row: &rusqlite::Row<'_>, at: usize) -> Result<StateRow, StoreError> {
    let number = row.int(at)?;
    let state = u8::try_from(number).ok().and_then(UpdateState::from_number).ok_or_else(|| {
        StoreError::Unreadable {
            what: "update state".to_owned(),
            reason: format!("{number} is not a known state"),
        }
    })?;
    let error = row.get::<_, i32>(at + 2).during("read an error code")?;
    Ok(StateRow { state, since: row.time(at + 1)?, error })
}

/// Reads a computer's status.
pub(crate) fn load(db: &Connection, computer: i64) -> Result<ComputerStatus, StoreError> {
    let reported: Option<Option<i64>> = db
        .prepare_cached("SELECT status_at FROM computer WHERE id = ?1")
        .and_then(|mut s| s.query_row([computer], |row| row.get(0)).optional())
        .during("read a computer's status")?;
    let mut status = ComputerStatus {
        reported: reported.flatten().map(Timestamp::from_ticks),
        ..ComputerStatus::default()
    };
    let mut statement = db
        .prepare_cached("SELECT update_id, state, since, error FROM update_status WHERE computer = ?1")
        .during("read a computer's status")?;
    let mut rows = statement.query([computer]).during("read a computer's status")?;
    for_rows(&mut rows, |row| {
        status.rows.insert(row.update(0)?, state_row(row, 1)?);
        Ok(())
    })?;
    Ok(status)
}

/// Writes what changed between two statuses of a computer.
pub(crate) fn save(
    tx: &Transaction<'_>,
    computer: i64,
    before: &ComputerStatus,
    after: &ComputerStatus,
) -> Result<(), StoreError> {
    if before == after {
        return Ok(());
    }
    // A failure changes the status and not the time of the last report.
    let mark = random_mark()?;
    tx.prepare_cached("UPDATE computer SET status_at = ?2, status_mark = ?3 WHERE id = ?1")
        .and_then(|mut s| s.execute((computer, after.reported.map(Timestamp::ticks), mark)))
        .during("write a computer's status")?;
    for gone in before.rows.keys().filter(|update| !after.rows.contains_key(update)) {
        tx.prepare_cached("DELETE FROM update_status WHERE computer = ?1 AND update_id = ?2")
            .and_then(|mut s| s.execute((computer, gone.0.as_bytes())))
            .during("write a computer's status")?;
    }
    for (update, row) in after.rows.iter().filter(|(update, row)| before.rows.get(update) != Some(row)) {
        tx.prepare_cached(
            "INSERT INTO update_status (computer, update_id, state, since, error) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (computer, update_id) DO UPDATE SET state = ?3, since = ?4, error = ?5",
        )
        .and_then(|mut s| {
            s.execute(params![computer, update.0.as_bytes(), row.state as u8, row.since.ticks(), row.error])
        })
        .during("write a computer's status")?;
    }
    Ok(())
}
