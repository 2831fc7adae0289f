//! Store: revisions that came into the database behind the server's back. Imports write down which they bring, so at
//! every start the last of them says whether there are more.

use super::{Actor, AlertKind, Entry, append, raise};
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError};
use rusqlite::{Connection, OptionalExtension, Transaction};
use sluicegate_terms::{Timestamp, UpdateId};

/// Looks for revisions behind the last one that the log accounts for, and raises an alert; once for the same ones.
pub(super) fn look(tx: &Transaction<'_>, now: Timestamp) -> Result<(), StoreError> {
    let Some(known) = last_accounted_for(tx)? else { return Ok(()) };
    let (updates, last) = behind(tx, known)?;
    if updates.is_empty() {
        return Ok(());
    }
    let text = format!(
        "{} revisions, up to number {last}, are in the catalog and no import brought them (the last import ended with \
         number {known}): somebody wrote them into the database; find out who, and decline them when nobody can say",
        updates.len()
    );
    let kind = AlertKind::ForeignUpdates;
    let told: bool = tx
        .query_row(
            "SELECT EXISTS (SELECT 1 FROM alert WHERE kind = ?1 AND text = ?2)",
            (kind.as_str(), &text),
            |row| row.get(0),
        )
        .during("look for an alert")?;
    if told {
        return Ok(());
    }
    let subject = format!("{} revisions that no import brought", updates.len());
    let entry = Entry { action: "foreign-updates", subject, update: None, before: None, after: None };
    append(tx, &Actor::server("start"), now, &[entry])?;
    raise(tx, kind, &text, &updates, now)
}

/// The last revision that an import brought, or that was there when the log began. Ids are given in order.
fn last_accounted_for(db: &Connection) -> Result<Option<i64>, StoreError> {
    db.query_row(
        "SELECT json_extract(after, '$.last_revision') FROM audit
         WHERE action IN ('begin', 'import') AND json_valid(after) ORDER BY seq DESC LIMIT 1",
        [],
        |row| row.get::<_, Option<i64>>(0),
    )
    .optional()
    .during("read the audit log")
    .map(Option::flatten)
}

/// The updates with revisions behind a number, and the last of these.
fn behind(db: &Connection, known: i64) -> Result<(Vec<UpdateId>, i64), StoreError> {
    let mut statement = db
        .prepare("SELECT update_id, id FROM revision WHERE id > ?1 ORDER BY id")
        .during("look for foreign revisions")?;
    let mut rows = statement.query([known]).during("look for foreign revisions")?;
    let (mut updates, mut last) = (Vec::new(), known);
    for_rows(&mut rows, |row| {
        updates.push(row.update(0)?);
        last = row.int(1)?;
        Ok(())
    })?;
    Ok((updates, last))
}
