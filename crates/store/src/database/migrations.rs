//! Store: the schema's numbered, forward-only steps. Each is one SQL file and one transaction; the
//! database's `user_version` says how many have been taken.

use crate::error::{During, StoreError};
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// Step n is at index n-1. Never edit a released step; add one.
const STEPS: &[&str] = &[
    include_str!("../../migrations/0001_first_schema.sql"),
    include_str!("../../migrations/0002_hierarchy.sql"),
    include_str!("../../migrations/0003_decisions.sql"),
    include_str!("../../migrations/0004_audit.sql"),
    include_str!("../../migrations/0005_update_facets.sql"),
    include_str!("../../migrations/0006_cleanup.sql"),
];

/// Takes the steps that are still missing.
pub(crate) fn run(db: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found: u32 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).during("read its version")?;
    let known = u32::try_from(STEPS.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(StoreError::NewerSchema { path: path.to_owned(), found, known });
    }
    for (number, step) in (1_u32..).zip(STEPS).skip(usize::try_from(found).unwrap_or(usize::MAX)) {
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).during("begin a migration")?;
        tx.execute_batch(step).during("migrate its schema")?;
        tx.pragma_update(None, "user_version", number).during("record its version")?;
        tx.commit().during("commit a migration")?;
        tracing::info!(version = number, "database schema migrated");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_a_newer_program_is_refused() {
        let mut db = Connection::open_in_memory().unwrap();
        db.pragma_update(None, "user_version", 9999).unwrap();
        let refused = run(&mut db, Path::new("x.db"));
        assert!(matches!(refused, Err(StoreError::NewerSchema { found: 9999, .. })));
    }

    #[test]
    fn every_step_runs_once() {
        let mut db = Connection::open_in_memory().unwrap();
        run(&mut db, Path::new("x.db")).unwrap();
        run(&mut db, Path::new("x.db")).unwrap();
        let version: usize = db.query_row("PRAGMA user_version", [], |r| r.get(0)).unwrap();
        assert_eq!(version, STEPS.len());
    }
}
