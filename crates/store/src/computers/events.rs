//! Store: reported events. Kept as a real server keeps them (observed-behaviour 6, Storage): with an
//! update one row per instance, without one the newest of its kind, event 156 only as the status it tells.

use crate::Store;
use crate::catalog::LARGEST_PAGE;
use crate::columns::{Columns, for_rows};
use crate::computers::directory::{find_row, row_of};
use crate::computers::status;
use crate::error::{During, StoreError};
use crate::hierarchy::WRITTEN_WITHIN;
use rusqlite::{Transaction, params};
use sluicegate_policy::ClientEvent;
use sluicegate_terms::{ComputerId, Guid, RevisionNumber, Timestamp, UpdateId, UpdateIdentity};

/// "Client status with inventory": its lists become status rows and it is not stored itself.
const STATUS_EVENT: u16 = 156;

/// One event of a report (`ReportingEvent`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReportedEvent {
    /// `EventInstanceID`: the same instance counts once.
    pub instance: Guid,
    /// `NamespaceID`.
    pub namespace: u8,
    /// `EventID`.
    pub id: u16,
    /// `SourceID`.
    pub source: u16,
    /// `UpdateID`, unless it is the zero GUID.
    pub update: Option<UpdateIdentity>,
    /// `TimeAtTarget`, the computer's clock.
    pub at: Timestamp,
    /// `Win32HResult`.
    pub result: i32,
    /// `MiscData`, strings of the form `key=value`; status follows from them.
    pub misc: Vec<String>,
    /// Everything else worth keeping, in the caller's form.
    pub details: String,
}

/// What one computer reported at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventBatch {
    /// Which computer.
    pub computer: ComputerId,
    /// When the report came, by the server's clock.
    pub received: Timestamp,
    /// The events.
    pub events: Vec<ReportedEvent>,
}

/// What became of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Recorded {
    /// Events that were new.
    pub new: u32,
    /// Events that were known already.
    pub repeated: u32,
    /// The computer's status changed.
    pub status_changed: bool,
}

/// An event as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredEvent {
    /// `EventInstanceID`.
    pub instance: Guid,
    /// `NamespaceID`.
    pub namespace: u8,
    /// `EventID`.
    pub id: u16,
    /// `SourceID`.
    pub source: u16,
    /// The update it is about.
    pub update: Option<UpdateIdentity>,
    /// By the computer's clock.
    pub at: Timestamp,
    /// By the server's clock.
    pub received: Timestamp,
    /// `Win32HResult`.
    pub result: i32,
    /// As the caller gave them.
    pub details: String,
}

impl Store {
    /// Records a batch; durable when it returns. Concurrent batches share one disk sync.
    ///
    /// # Errors
    /// A failure to write; then nothing of the batch is kept.
    pub fn record_events(&self, batch: EventBatch) -> Result<Recorded, StoreError> {
        let cap = self.shared.options.events_per_computer;
        let (recorded, row) = self.shared.database.write(move |tx| record(tx, &batch, cap))?;
        self.shared.board.mark(row, recorded.status_changed);
        Ok(recorded)
    }

    /// A computer's kept events, newest first by the server's clock.
    ///
    /// # Errors
    /// [`StoreError::UnknownComputer`], or a failure to read.
    pub fn events_of(&self, computer: &ComputerId, limit: u32) -> Result<Vec<StoredEvent>, StoreError> {
        self.shared.database.read(|db| {
            let db = db.transaction().during("list events")?;
            let row = find_row(&db, computer)?.ok_or_else(|| StoreError::UnknownComputer(computer.clone()))?;
            let mut statement = db
                .prepare_cached(
                    "SELECT instance, namespace, event_id, source, update_id, revision, at, received, result, details
                     FROM event WHERE computer = ?1
                     UNION ALL
                     SELECT instance, namespace, event_id, source, NULL, NULL, at, received, result, details
                     FROM newest_event WHERE computer = ?1
                     ORDER BY received DESC, at DESC LIMIT ?2",
                )
                .during("list events")?;
            let mut rows = statement.query((row, limit.min(LARGEST_PAGE))).during("list events")?;
            let mut list = Vec::new();
            for_rows(&mut rows, |row| {
                let update = row.get::<_, Option<[u8; 16]>>(4).during("read an event")?;
                let update = match update {
                    Some(id) => Some(UpdateIdentity {
                        update: UpdateId(Guid::from_bytes(id)),
                        revision: row.revision_number(5)?,
                    }),
                    None => None,
                };
                list.push(StoredEvent {
                    instance: row.guid(0)?,
                    namespace: row.get(1).during("read an event")?,
                    id: row.get(2).during("read an event")?,
                    source: row.get(3).during("read an event")?,
                    update,
                    at: row.time(6)?,
                    received: row.time(7)?,
                    result: row.get(8).during("read an event")?,
                    details: row.text(9)?,
                });
                Ok(())
            })?;
            Ok(list)
        })
    }
}

/// Answers what became of the batch, and the row of its computer.
fn record(tx: &Transaction<'_>, batch: &EventBatch, cap: u32) -> Result<(Recorded, i64), StoreError> {
    let computer = row_of(tx, &batch.computer, batch.received)?;
    tx.prepare_cached(
        "UPDATE computer SET last_contact = CASE WHEN last_contact > ?3 THEN ?2 ELSE max(last_contact, ?2) END,
             last_report = CASE WHEN last_report > ?3 THEN ?2 ELSE max(coalesce(last_report, ?2), ?2) END
         WHERE id = ?1",
    )
    .and_then(|mut s| {
        // As for contacts: later by more than reports are late is what a clock said that was ahead.
        let ahead = batch.received.plus_seconds(WRITTEN_WITHIN).ticks();
        s.execute((computer, batch.received.ticks(), ahead))
    })
    .during("note a report")?;

    let mut recorded = Recorded::default();
    let mut of_updates = false;
    // Loaded at the first event that could change it.
    let mut before_and_after = None;
    for event in &batch.events {
        let is_new = match (event.namespace, event.id, event.update) {
            (1, STATUS_EVENT, _) => true,
            (_, _, Some(update)) => {
                of_updates = true;
                keep(tx, computer, event, update, batch.received)?
            }
            (_, _, None) => keep_newest(tx, computer, event, batch.received)?,
        };
        *(if is_new { &mut recorded.new } else { &mut recorded.repeated }) += 1;
        if is_new && event.namespace == 1 && changes_status(event.id) {
            if before_and_after.is_none() {
                let before = status::load(tx, computer)?;
                before_and_after = Some((before.clone(), before));
            }
            if let Some((_, after)) = &mut before_and_after {
                let misc: Vec<&str> = event.misc.iter().map(String::as_str).collect();
                recorded.status_changed |= after.apply(&ClientEvent {
                    namespace: event.namespace,
                    id: event.id,
                    at: event.at,
                    update: event.update.map(|u| u.update).unwrap_or_default(),
                    result: event.result,
                    misc: &misc,
                });
            }
        }
    }
    if let Some((before, after)) = before_and_after {
        status::save(tx, computer, &before, &after)?;
    }
    if of_updates {
        trim(tx, computer, cap)?;
    }
    Ok((recorded, computer))
}

/// The events that policy derives status from; for all others reading the status would be wasted.
const fn changes_status(id: u16) -> bool {
    matches!(id, STATUS_EVENT | 182)
}

fn keep(
    tx: &Transaction<'_>,
    computer: i64,
    event: &ReportedEvent,
    update: UpdateIdentity,
    received: Timestamp,
) -> Result<bool, StoreError> {
    tx.prepare_cached(
        "INSERT INTO event (instance, computer, event_id, namespace, source, update_id, revision, at, received,
             result, details)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (instance) DO NOTHING",
    )
    .and_then(|mut s| {
        s.execute(params![
            event.instance.as_bytes(),
            computer,
            event.id,
            event.namespace,
            event.source,
            update.update.0.as_bytes(),
            RevisionNumber::get(update.revision),
            event.at.ticks(),
            received.ticks(),
            event.result,
            event.details
        ])
    })
    .during("keep an event")
    .map(|rows| rows > 0)
}

fn keep_newest(
    tx: &Transaction<'_>,
    computer: i64,
    event: &ReportedEvent,
    received: Timestamp,
) -> Result<bool, StoreError> {
    tx.prepare_cached(
        "INSERT INTO newest_event (computer, namespace, event_id, instance, source, at, received, result, details)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (computer, namespace, event_id) DO UPDATE
             SET instance = ?4, source = ?5, at = ?6, received = ?7, result = ?8, details = ?9
             WHERE at <= ?6 AND instance <> ?4",
    )
    .and_then(|mut s| {
        s.execute(params![
            computer,
            event.namespace,
            event.id,
            event.instance.as_bytes(),
            event.source,
            event.at.ticks(),
            received.ticks(),
            event.result,
            event.details
        ])
    })
    .during("keep an event")
    .map(|rows| rows > 0)
}

/// Drops a computer's oldest events beyond the cap. An instance dropped here would be taken as new if it
/// were reported once more; agents repeat only what was not acknowledged.
fn trim(tx: &Transaction<'_>, computer: i64, cap: u32) -> Result<(), StoreError> {
    tx.prepare_cached(
        "DELETE FROM event WHERE computer = ?1
             AND id <= (SELECT id FROM event WHERE computer = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
    )
    .and_then(|mut s| s.execute((computer, cap)))
    .during("drop old events")
    .map(|_| ())
}
