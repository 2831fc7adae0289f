//! Store: which updates supersede which, as rows, so that it is seen from both sides.

use crate::catalog::decode_record;
use crate::columns::Columns;
use crate::database::Database;
use crate::error::{During, StoreError};
use rusqlite::{Transaction, params};
use sluicegate_terms::{RevisionId, UpdateIdentity};

/// Adds one pair.
pub(crate) const INSERT: &str =
    "INSERT INTO supersedence (superseded, revision_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING";

/// Writes the rows of revisions that were stored before there was a table for them; once.
pub(crate) fn fill(database: &Database) -> Result<(), StoreError> {
    let filled = database.read(|db| {
        db.query_row("SELECT value FROM counter WHERE name = 'supersedence'", [], |row| row.get::<_, i64>(0))
            .during("look at the supersedence")
    })?;
    if filled > 0 { Ok(()) } else { database.write_alone(write_all, |()| ()) }
}

/// Takes a revision's rows away, which its record names: the revision must still be there.
pub(crate) fn forget(tx: &Transaction<'_>, revision: RevisionId) -> Result<(), StoreError> {
    let mut statement = tx
        .prepare_cached("SELECT update_id, number, record FROM revision WHERE id = ?1")
        .during("read what a revision supersedes")?;
    let mut rows = statement.query([revision.get()]).during("read what a revision supersedes")?;
    let Some(row) = rows.next().during("read what a revision supersedes")? else { return Ok(()) };
    let identity = UpdateIdentity { update: row.update(0)?, revision: row.revision_number(1)? };
    let bytes = row.get_ref(2).and_then(|value| Ok(value.as_blob()?)).during("read a scan record")?;
    // The rows of a damaged one refer to nothing from now on, which does no harm; a check removes them.
    let supersedes = decode_record(identity, bytes).map(|record| record.supersedes).unwrap_or_default();
    for superseded in supersedes {
        tx.prepare_cached("DELETE FROM supersedence WHERE superseded = ?1 AND revision_id = ?2")
            .and_then(|mut s| s.execute(params![superseded.0.as_bytes(), revision.get()]))
            .during("forget what a revision supersedes")?;
    }
    Ok(())
}

fn write_all(tx: &Transaction<'_>) -> Result<(), StoreError> {
    let mut statement = tx
        .prepare("SELECT id, update_id, number, record FROM revision ORDER BY id")
        .during("read the revisions")?;
    let mut insert = tx.prepare(INSERT).during("write the supersedence")?;
    let mut rows = statement.query([]).during("read the revisions")?;
    while let Some(row) = rows.next().during("read the revisions")? {
        let identity = UpdateIdentity { update: row.update(1)?, revision: row.revision_number(2)? };
        let bytes = row.get_ref(3).and_then(|value| Ok(value.as_blob()?)).during("read a scan record")?;
        // What is damaged is noted when it is repaired.
        let supersedes = decode_record(identity, bytes).map(|record| record.supersedes).unwrap_or_default();
        for superseded in supersedes {
            insert.execute(params![superseded.0.as_bytes(), row.int(0)?]).during("write the supersedence")?;
        }
    }
    drop(rows);
    tx.execute("UPDATE counter SET value = 1 WHERE name = 'supersedence'", [])
        .during("write the supersedence")?;
    Ok(())
}
