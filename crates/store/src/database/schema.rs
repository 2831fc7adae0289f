//! Store: whether the schema of a database is the one that its version says. What the steps make is found by taking
//! them in memory, so there is no second list to keep.

use super::migrations;
use crate::error::{During, StoreError};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::Path;

/// Kind and name of an object, and what made it.
type Objects = BTreeMap<String, String>;

fn objects(db: &Connection) -> Result<Objects, StoreError> {
    let mut statement = db
        .prepare(
            "SELECT type || ' ' || name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
        )
        .during("read its schema")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).during("read its schema")?;
    rows.collect::<Result<_, _>>().during("read its schema")
}

/// Compares the schema with what the steps make. Objects besides are told of and do no harm.
pub(super) fn verify(db: &Connection, path: &Path) -> Result<(), StoreError> {
    let mut fresh = Connection::open_in_memory().during("verify its schema")?;
    migrations::model(&mut fresh)?;
    let (mut found, version) = (objects(db)?, migrations::version(db)?);
    for (object, made_by) in objects(&fresh)? {
        let difference = match found.remove(&object) {
            Some(same) if same == made_by => continue,
            Some(_) => "is not what the steps of this program make",
            None => "is missing",
        };
        return Err(StoreError::SchemaMismatch { path: path.to_owned(), object, difference, version });
    }
    for object in found.keys() {
        tracing::warn!(object, "the database has an object that this program did not make");
    }
    Ok(())
}
