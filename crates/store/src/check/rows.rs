//! Check: the database file itself, by SQLite's own check: pages, indexes, and the constraints of the schema.

use super::Check;
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError};

/// Checks it. Answers whether the tables can be read at all.
pub(super) fn structure(check: &mut Check<'_>) -> Result<bool, StoreError> {
    integrity(check, "PRAGMA integrity_check(100)")
}

/// Checks one table with its indexes. Answers whether it can be read at all.
pub(super) fn of_table(check: &mut Check<'_>, table: &str) -> Result<bool, StoreError> {
    // A name of our own schema; a quote in it would be another's.
    integrity(check, &format!("PRAGMA integrity_check('{}')", table.replace('\'', "''")))
}

fn integrity(check: &mut Check<'_>, pragma: &str) -> Result<bool, StoreError> {
    let mut said = Vec::new();
    {
        let mut statement = check.db.prepare(pragma).during("check its file")?;
        let mut rows = statement.query([]).during("check its file")?;
        for_rows(&mut rows, |row| {
            said.push(row.text(0)?);
            Ok(())
        })?;
    }
    said.retain(|line| line != "ok");
    let mut readable = true;
    let mut reindex = false;
    for line in said {
        let index = ["missing from index", "wrong # of entries in index", "non-unique entry in index"]
            .iter()
            .any(|known| line.contains(known));
        if index && !line.starts_with("non-unique") {
            check.repairable("database", line, "the index is built anew from its table");
            reindex = true;
        } else if line.contains("never used") {
            check.wrong(
                "database",
                line,
                "space in the file is lost, nothing else; SQLite's VACUUM gives it back",
            );
        } else if index || line.contains("constraint failed") || line.contains("NULL value") {
            check.wrong("database", line, "the checks below say which rows it is about");
        } else {
            check.wrong("database", line, "restore the data folder from a backup");
            readable = false;
        }
    }
    if reindex {
        check.fix("REINDEX", Vec::new());
    }
    Ok(readable)
}
