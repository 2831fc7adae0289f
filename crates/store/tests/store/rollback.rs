//! The copy that is taken before the schema changes, and the way back to it.

use super::start::older;
use crate::support;

use rusqlite::Connection;
use sluicegate_store::{SCHEMA_VERSION, Store, StoreError, StoreOptions, rollback};
use std::path::{Path, PathBuf};
use support::{at, import, open, software};

fn copy(dir: &Path, version: u32) -> PathBuf {
    dir.join(format!("sluicegate.db.before-v{version}"))
}

/// Everything in a database: its version, its schema and all rows.
fn content(path: &Path) -> Vec<String> {
    let db = Connection::open(path).unwrap();
    let mut lines =
        vec![db.query_row("PRAGMA user_version", [], |r| r.get::<_, i64>(0)).unwrap().to_string()];
    let list = |sql: &str| -> Vec<(String, Option<String>)> {
        let mut statement = db.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    for (name, sql) in list("SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name") {
        lines.push(format!("{name}: {sql:?}"));
        let mut statement = db.prepare(&format!("SELECT * FROM \"{name}\"")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            lines.push((0..columns).map(|at| format!("{:?} ", row.get_ref(at).unwrap())).collect());
        }
    }
    lines
}

#[test]
fn before_a_migration_the_database_is_copied_and_rolling_back_brings_it_back() {
    let dir = tempfile::tempdir().unwrap();
    older(dir.path());
    let database = dir.path().join("sluicegate.db");
    let before = content(&database);
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "One"), software(2, 1, "Two")]);
    let running = rollback(dir.path(), false, at(1)).unwrap_err();
    assert!(matches!(running, StoreError::Locked { .. }), "{running}");
    drop(store);
    assert_eq!(content(&copy(dir.path(), SCHEMA_VERSION)), before);
    let migrated = content(&database);

    let plan = rollback(dir.path(), true, at(2)).unwrap();
    assert_eq!((plan.from, plan.to, plan.newer_revisions, plan.lost_revisions), (SCHEMA_VERSION, 3, 2, 0));
    assert!(plan.newer_entries >= 2, "{plan:?}");
    assert_eq!(content(&database), migrated, "a dry run changes nothing");
    assert_eq!(open(dir.path()).catalog_size().unwrap().revisions, 2, "nor the fragments");
    assert_eq!(rollback(dir.path(), false, at(3)).unwrap().kept, plan.kept);
    assert_eq!(content(&database), before);
    assert!(content(&plan.kept).len() > before.len());
    let twice = rollback(dir.path(), false, at(4)).unwrap_err().to_string();
    assert!(twice.contains("schema version is 3"), "{twice}");

    // And forward once more, as the newer program would.
    let store = open(dir.path());
    assert_eq!(store.catalog_size().unwrap().revisions, 0);
    import(&store, 5, &[software(1, 1, "One")]);
    assert_eq!(store.update(support::uid(1)).unwrap().row.title, "One");
}

#[test]
fn a_new_folder_and_one_that_is_up_to_date_have_no_copy_and_no_way_back() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    drop(open(dir.path()));
    assert!(!copy(dir.path(), SCHEMA_VERSION).exists());
    let refused = rollback(dir.path(), false, at(1)).unwrap_err().to_string();
    assert!(refused.contains("no copy is kept"), "{refused}");
    let elsewhere = rollback(&dir.path().join("elsewhere"), false, at(1)).unwrap_err().to_string();
    assert!(elsewhere.contains("holds no database"), "{elsewhere}");
}

#[test]
fn the_last_two_copies_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    for version in [2, 5] {
        std::fs::write(copy(dir.path(), version), b"a copy of an earlier upgrade").unwrap();
    }
    older(dir.path());
    drop(open(dir.path()));
    let there: Vec<bool> = [2, 5, SCHEMA_VERSION].map(|version| copy(dir.path(), version).exists()).into();
    assert_eq!(there, [false, true, true]);
}

#[test]
fn a_damaged_copy_is_not_gone_back_to() {
    let dir = tempfile::tempdir().unwrap();
    older(dir.path());
    drop(open(dir.path()));
    let path = copy(dir.path(), SCHEMA_VERSION);
    let mut bytes = std::fs::read(&path).unwrap();
    let from = bytes.len() / 2 / 4_096 * 4_096;
    bytes[from..].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let before = content(&dir.path().join("sluicegate.db"));
    assert!(rollback(dir.path(), false, at(1)).is_err());
    assert_eq!(content(&dir.path().join("sluicegate.db")), before);
    assert!(Store::open(dir.path(), StoreOptions::new(at(2))).is_ok());
}
