//! Store: times of computers and servers that are later than the present, here or below.

use super::downstream::WRITTEN_WITHIN;
use super::place::known_twice;
use crate::Store;
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError, StoredAs};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sluicegate_terms::{ComputerId, Timestamp};

/// In seconds: a clock that has called times later than the present for so long is believed. One that a machine starts
/// with before it has asked for the time is put right sooner.
pub const CLOCK_BELIEVED_AFTER: i64 = 86_400;

/// In `sync_state`: since when this server's clock calls times of its computers or of servers below later than the present.
const AHEAD_SINCE: &str = "ahead-since";

impl Store {
    /// Times later than the present are none: a clock was ahead when they were noted, here or below, and they would
    /// outlast what comes later. But where the clock of now is behind, they are true, and only time tells which it is: they
    /// are forgotten when the clock has said the same for [`CLOCK_BELIEVED_AFTER`].
    ///
    /// # Errors
    /// A failure to write.
    pub fn forget_times_ahead(&self, now: Timestamp) -> Result<(), StoreError> {
        self.flush_contacts_if_possible();
        // What computers ask meanwhile is no later than that.
        let present = now.plus_seconds(WRITTEN_WITHIN);
        let (any, since) = self.shared.database.read(|db| Ok((any_after(db, present)?, ahead_since(db)?)))?;
        if !any && since.is_none() {
            return Ok(());
        }
        let moved = self.shared.database.write(move |tx| {
            if !any_after(tx, present)? {
                note_ahead_since(tx, None)?;
                return Ok(Vec::new());
            }
            // Put further back since, the clock says something else than it did.
            match ahead_since(tx)?.filter(|since| *since <= now) {
                Some(since) if since.plus_seconds(CLOCK_BELIEVED_AFTER) <= now => {
                    note_ahead_since(tx, None)?;
                    forget_after(tx, present)
                }
                Some(_) => Ok(Vec::new()),
                None => {
                    tracing::warn!(
                        %now,
                        "computers or servers below are known by times later than this server's clock says it is; they are \
                         kept for a day, in case this clock is behind, and forgotten then: look whether it is right"
                    );
                    note_ahead_since(tx, Some(now)).map(|()| Vec::new())
                }
            }
        })?;
        self.look_again_where(&moved);
        Ok(())
    }
}

const LOOK: &str = "look for times ahead of the clock";

fn any_after(db: &Connection, present: Timestamp) -> Result<bool, StoreError> {
    db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM computer WHERE last_sync > ?1)
             OR EXISTS (SELECT 1 FROM downstream_computer WHERE last_sync > ?1)
             OR EXISTS (SELECT 1 FROM downstream_server WHERE last_rollup > ?1)",
    )
    .and_then(|mut s| s.query_row([present.ticks()], |row| row.get(0)))
    .during(LOOK)
}

fn ahead_since(db: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let value: Option<String> = db
        .prepare_cached("SELECT value FROM sync_state WHERE name = ?1")
        .and_then(|mut s| s.query_row([AHEAD_SINCE], |row| row.get(0)).optional())
        .during(LOOK)?;
    value.map(|value| value.parse()).transpose().stored_as("time of synchronization")
}

fn note_ahead_since(tx: &Transaction<'_>, since: Option<Timestamp>) -> Result<(), StoreError> {
    match since {
        Some(since) => tx.execute(
            "INSERT INTO sync_state (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
            params![AHEAD_SINCE, since.iso()],
        ),
        None => tx.execute("DELETE FROM sync_state WHERE name = ?1", [AHEAD_SINCE]),
    }
    .during(LOOK)
    .map(|_| ())
}

/// Answers the own rows of computers that may be elsewhere now.
fn forget_after(tx: &Transaction<'_>, present: Timestamp) -> Result<Vec<i64>, StoreError> {
    let mut moved = Vec::new();
    for sql in [
        "UPDATE computer SET last_sync = NULL WHERE last_sync > ?1 RETURNING computer_id",
        "UPDATE downstream_computer SET last_sync = NULL WHERE last_sync > ?1 RETURNING computer_id",
    ] {
        let mut statement = tx.prepare_cached(sql).during(LOOK)?;
        let mut rows = statement.query([present.ticks()]).during(LOOK)?;
        for_rows(&mut rows, |row| {
            moved.push(row.text(0)?.parse::<ComputerId>().stored_as("computer id")?);
            Ok(())
        })?;
    }
    tx.prepare_cached("UPDATE downstream_server SET last_rollup = NULL WHERE last_rollup > ?1")
        .and_then(|mut s| s.execute([present.ticks()]))
        .during(LOOK)?;
    let twice = moved.iter().map(|id| known_twice(tx, id)).collect::<Result<Vec<_>, _>>()?;
    Ok(twice.into_iter().flatten().collect())
}
