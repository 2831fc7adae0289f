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
    include_str!("../../migrations/0007_all_computers.sql"),
    include_str!("../../migrations/0008_traits.sql"),
    include_str!("../../migrations/0009_outside_filter.sql"),
    include_str!("../../migrations/0010_file_keys.sql"),
    include_str!("../../migrations/0011_fewer_rows.sql"),
    include_str!("../../migrations/0012_kept_decisions.sql"),
    include_str!("../../migrations/0013_awaited_files.sql"),
    include_str!("../../migrations/0014_held_orders.sql"),
    include_str!("../../migrations/0015_lives.sql"),
    include_str!("../../migrations/0016_former_memberships.sql"),
    include_str!("../../migrations/0017_rollup_marks.sql"),
    include_str!("../../migrations/0018_placed_computers.sql"),
    include_str!("../../migrations/0019_when_it_was_decided.sql"),
    include_str!("../../migrations/0020_waiting.sql"),
    include_str!("../../migrations/0021_gone_and_back.sql"),
    include_str!("../../migrations/0023_names_of_servers.sql"),
];

/// The version of the schema that this program makes and knows.
pub(crate) const VERSION: u32 = {
    assert!(STEPS.len() < 10_000, "a step is one of a few");
    #[expect(clippy::cast_possible_truncation, reason = "asserted above")]
    let version = STEPS.len() as u32;
    version
};

/// The version of a database's schema, zero for an empty one.
pub(crate) fn version(db: &Connection) -> Result<u32, StoreError> {
    db.query_row("PRAGMA user_version", [], |row| row.get(0)).during("read its version")
}

/// The version a database has, when steps are missing.
pub(crate) fn pending(db: &Connection, path: &Path) -> Result<Option<u32>, StoreError> {
    let found = version(db)?;
    if found > VERSION {
        return Err(StoreError::NewerSchema { path: path.to_owned(), found, known: VERSION });
    }
    Ok((found < VERSION).then_some(found))
}

/// Takes the steps that are still missing. References are not enforced meanwhile: a row that refers to nothing is no
/// reason to stay at the old schema, and is repaired at the start like any other.
pub(crate) fn run(db: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let Some(found) = pending(db, path)? else { return Ok(()) };
    let enforced: bool =
        db.query_row("PRAGMA foreign_keys", [], |row| row.get(0)).during("prepare a migration")?;
    db.pragma_update(None, "foreign_keys", false).during("prepare a migration")?;
    let taken = take(db, found);
    db.pragma_update(None, "foreign_keys", enforced).during("end a migration")?;
    taken
}

fn take(db: &mut Connection, found: u32) -> Result<(), StoreError> {
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

    #[test]
    fn all_computers_takes_the_id_of_every_other_server_along_with_what_names_it() {
        let mut db = Connection::open_in_memory().unwrap();
        db.pragma_update(None, "foreign_keys", true).unwrap();
        for step in &STEPS[..6] {
            db.execute_batch(step).unwrap();
        }
        db.pragma_update(None, "user_version", 6).unwrap();
        db.execute_batch(
            "INSERT INTO target_group (id, name, name_key, parent)
                 VALUES (zeroblob(16), 'Pilots', 'pilots', x'a0a087464dbe4a379adf9e7b652029e7');
             INSERT INTO computer (id, computer_id, first_seen, last_contact) VALUES (7, 'pc', 1, 1);
             INSERT INTO membership (group_id, computer)
                 VALUES (zeroblob(16), 7), (x'a0a087464dbe4a379adf9e7b652029e7', 7);
             INSERT INTO aside_membership (mode, group_id, computer)
                 VALUES ('replica', x'a0a087464dbe4a379adf9e7b652029e7', 7);",
        )
        .unwrap();
        run(&mut db, Path::new("x.db")).unwrap();
        let count = |sql: &str| db.query_row(sql, [], |r| r.get::<_, i64>(0)).unwrap();
        let here = "x'a0a087464dbe4a379adf9e7652c0b421'";
        assert_eq!(count(&format!("SELECT count(*) FROM target_group WHERE parent = {here}")), 2);
        assert_eq!(
            count(&format!("SELECT count(*) FROM target_group WHERE id = {here} AND parent IS NULL")),
            1
        );
        assert_eq!(count(&format!("SELECT count(*) FROM membership WHERE group_id = {here}")), 1);
        assert_eq!(count(&format!("SELECT count(*) FROM aside_membership WHERE group_id = {here}")), 1);
        assert_eq!(count(&format!("SELECT count(*) FROM approval_rule_choice WHERE choice = {here}")), 1);
        assert_eq!(count("SELECT count(*) FROM pragma_foreign_key_check"), 0);
        assert_eq!(sluicegate_terms::GroupId::ALL_COMPUTERS.0.to_string().replace('-', ""), here[2..34]);
    }
    #[test]
    fn the_step_to_fewer_rows_keeps_what_they_said() {
        let mut db = Connection::open_in_memory().unwrap();
        db.pragma_update(None, "foreign_keys", false).unwrap();
        for step in &STEPS[..10] {
            db.execute_batch(step).unwrap();
        }
        db.pragma_update(None, "user_version", 10).unwrap();
        db.execute_batch(
            "INSERT INTO listing (revision_id, kind, title, kb, search, deployable, size)
                 VALUES (1, 'Software', 'a', '', 'a', 1, 0), (2, 'Software', 'b', '', 'b', 1, 0);
             INSERT INTO listing_category (category, revision_id)
                 VALUES (x'0b000000000000000000000000000000', 1), (x'00000000000000000000000000000a0a', 1);
             INSERT INTO supersedence (superseded, revision_id) VALUES (zeroblob(16), 2);
             INSERT INTO file (sha1, size, sha256, name, express, languages)
                 VALUES (zeroblob(20), 7, NULL, 'a.cab', 1, 'de');
             INSERT INTO revision_file (sha1, revision_id) VALUES (zeroblob(20), 1);",
        )
        .unwrap();
        run(&mut db, Path::new("x.db")).unwrap();
        let text = |sql: &str| db.query_row(sql, [], |r| r.get::<_, String>(0)).unwrap();
        let listed =
            text("SELECT group_concat(hex(categories) || ' ' || first) FROM listing ORDER BY revision_id");
        assert_eq!(listed, "00000000000000000000000000000A0A0B000000000000000000000000000000 0, 0");
        assert_eq!(text("SELECT hex(superseded) || revision_id FROM supersedence"), format!("{:032}2", 0));
        let file =
            text("SELECT size || name || express || languages FROM file JOIN revision_file USING (sha1)");
        assert_eq!(file, "7a.cab1de");
    }

    #[test]
    fn statuses_of_earlier_versions_are_told_once_more_where_there_are_any() {
        let mut db = Connection::open_in_memory().unwrap();
        for step in &STEPS[..16] {
            db.execute_batch(step).unwrap();
        }
        db.pragma_update(None, "user_version", 16).unwrap();
        db.execute_batch(
            "INSERT INTO computer (computer_id, first_seen, last_contact, status_at)
                 VALUES ('here', 1, 1, 5), ('silent', 1, 1, NULL);
             INSERT INTO downstream_server (server_id, name, first_seen, last_contact) VALUES (zeroblob(16), 's', 1, 1);
             INSERT INTO downstream_computer (computer_id, server_id, last_sync_result, received)
                 VALUES ('below', zeroblob(16), 1, 3), ('silent-below', zeroblob(16), 1, 0);",
        )
        .unwrap();
        run(&mut db, Path::new("x.db")).unwrap();
        let sql = "SELECT group_concat(computer_id) FROM (SELECT computer_id, status_mark FROM computer
                       UNION SELECT computer_id, status_mark FROM downstream_computer ORDER BY 1)
                   WHERE status_mark = -1";
        let again: String = db.query_row(sql, [], |r| r.get(0)).unwrap();
        assert_eq!(again, "below,here");
    }
}
