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
    include_str!("../../migrations/0022_what_was_refused.sql"),
    include_str!("../../migrations/0023_names_of_servers.sql"),
    include_str!("../../migrations/0024_missing_since.sql"),
    include_str!("../../migrations/0025_who_waits_since.sql"),
    include_str!("../../migrations/0026_behind.sql"),
    include_str!("../../migrations/0027_warnings_of_files.sql"),
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
    steps(db, found, |number| {
        if found > 0 {
            tracing::info!(version = number, "database schema migrated");
        } else if number == VERSION {
            tracing::info!(version = number, "database schema made");
        }
    })
}

/// Takes all steps in an empty database that is there only to be compared with.
pub(super) fn model(db: &mut Connection) -> Result<(), StoreError> {
    steps(db, 0, |_| {})
}

fn steps(db: &mut Connection, found: u32, taken: impl Fn(u32)) -> Result<(), StoreError> {
    let enforced: bool =
        db.query_row("PRAGMA foreign_keys", [], |row| row.get(0)).during("prepare a migration")?;
    db.pragma_update(None, "foreign_keys", false).during("prepare a migration")?;
    let all = take(db, found, taken);
    db.pragma_update(None, "foreign_keys", enforced).during("end a migration")?;
    all
}

fn take(db: &mut Connection, found: u32, taken: impl Fn(u32)) -> Result<(), StoreError> {
    for (number, step) in (1_u32..).zip(STEPS).skip(usize::try_from(found).unwrap_or(usize::MAX)) {
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).during("begin a migration")?;
        tx.execute_batch(step).during("migrate its schema")?;
        tx.pragma_update(None, "user_version", number).during("record its version")?;
        tx.commit().during("commit a migration")?;
        taken(number);
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
    fn revisions_that_failed_before_their_time_was_kept_have_been_missing_for_a_day_before_their_next_attempt()
     {
        let mut db = Connection::open_in_memory().unwrap();
        for step in &STEPS[..23] {
            db.execute_batch(step).unwrap();
        }
        db.pragma_update(None, "user_version", 23).unwrap();
        let again = sluicegate_terms::Timestamp::from_unix_seconds(1_790_000_000);
        db.execute_batch(&format!(
            "INSERT INTO sync_failed (update_id, number, attempts, again_at, reason)
                 VALUES (zeroblob(16), 1, 2, {}, 'damaged');",
            again.ticks()
        ))
        .unwrap();
        run(&mut db, Path::new("x.db")).unwrap();
        let since: i64 = db.query_row("SELECT since FROM sync_failed", [], |r| r.get(0)).unwrap();
        assert_eq!(since, again.plus_seconds(-86_400).ticks());
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

    /// An update that is declined, by its number, since this time.
    fn declined(update: u8, at: i64) -> String {
        format!(
            "INSERT INTO known_update (update_id, newest) VALUES (x'{update:032x}', {update});
             INSERT INTO decline (update_id, changed, changed_at) VALUES (x'{update:032x}', 1, {at});"
        )
    }

    /// The log says that somebody did something at this time.
    fn logged(kind: &str, action: &str, update: Option<u8>, at: i64) -> String {
        let update = update.map_or_else(|| "NULL".to_owned(), |update| format!("x'{update:032x}'"));
        format!(
            "INSERT INTO audit (seq, at, kind, who, origin, action, subject, update_id, hash)
             SELECT coalesce(max(seq), 0) + 1, {at}, '{kind}', 'who', '', '{action}', '', {update}, zeroblob(32)
             FROM audit;"
        )
    }

    /// A database of before declines said who decided them, migrated; the numbers of the updates that somebody declined,
    /// in the mode it is in and in its own, put aside.
    fn by_somebody(rows: &[String]) -> (Vec<u128>, Vec<u128>) {
        let mut db = Connection::open_in_memory().unwrap();
        for step in &STEPS[..18] {
            db.execute_batch(step).unwrap();
        }
        db.pragma_update(None, "foreign_keys", false).unwrap();
        db.pragma_update(None, "user_version", 18).unwrap();
        db.execute_batch(&rows.concat()).unwrap();
        run(&mut db, Path::new("x.db")).unwrap();
        let decisions = crate::decisions::load(&db).unwrap();
        let own = decisions.declined.iter().filter(|(_, own)| !own.automatic);
        let mut aside = db
            .prepare(
                "SELECT update_id FROM aside_decline WHERE mode = 'autonomous' AND automatic = 0 ORDER BY 1",
            )
            .unwrap();
        let aside = aside.query_map([], |row| row.get::<_, [u8; 16]>(0)).unwrap();
        let aside = aside.map(|id| u128::from_be_bytes(id.unwrap())).collect();
        (own.map(|(update, _)| update.0.as_u128()).collect(), aside)
    }

    /// What was declined before the upgrade, in all the ways there are. Times are those of the change but for what was
    /// carried.
    fn declines_of_before() -> Vec<String> {
        let (administrator, upstream, server) = ("administrator", "upstream", "server");
        [
            // By somebody, as `decline` does; the second approved it in between.
            vec![declined(1, 100), logged(administrator, "decline", Some(1), 100)],
            vec![
                declined(2, 120),
                logged(server, "decline", Some(2), 100),
                logged(administrator, "approve", Some(2), 110),
                logged(administrator, "decline", Some(2), 120),
            ],
            // By somebody elsewhere: `import` took it in, with its own time.
            vec![declined(3, 50), logged(administrator, "decline", Some(3), 130)],
            // It expired in a synchronization; the second after somebody had declined and approved it.
            vec![declined(4, 140), logged(upstream, "decline", Some(4), 140)],
            vec![
                declined(5, 143),
                logged(administrator, "decline", Some(5), 141),
                logged(administrator, "approve", Some(5), 142),
                logged(upstream, "decline", Some(5), 143),
            ],
            // It expired, or a filter named it, as somebody imported it.
            vec![
                logged(administrator, "import", None, 150),
                declined(6, 150),
                logged(administrator, "decline", Some(6), 150),
            ],
            // By a filter that looked again, by cleanup, and by the cleanup that somebody began.
            vec![declined(7, 160), logged(server, "decline", Some(7), 160)],
            vec![declined(8, 161), logged(server, "decline", Some(8), 161)],
            vec![
                "INSERT INTO cleanup_run (started, started_by, outcome) VALUES (162, 'who', 'done');"
                    .to_owned(),
                declined(9, 162),
                logged(administrator, "decline", Some(9), 162),
            ],
            // By somebody, before a parent that declined it too decided for a while.
            vec![
                declined(10, 170),
                logged(administrator, "decline", Some(10), 170),
                logged(administrator, "switch-mode", Some(10), 171),
                logged(upstream, "decline", Some(10), 172),
                logged(administrator, "switch-mode", Some(10), 173),
            ],
            // Before there was a log.
            vec![declined(11, 10)],
        ]
        .concat()
    }

    const BY_SOMEBODY: [u128; 5] = [1, 2, 3, 10, 11];

    #[test]
    fn a_decline_of_before_is_somebodys_where_somebody_decided_it() {
        assert_eq!(by_somebody(&declines_of_before()), (BY_SOMEBODY.into(), Vec::new()));
    }

    #[test]
    fn declines_of_before_that_a_replica_put_aside_are_somebodys_where_somebody_decided_them() {
        let mut rows = declines_of_before();
        rows.push(
            "INSERT INTO aside_decline (mode, update_id, changed_at)
                 SELECT 'autonomous', update_id, changed_at FROM decline;
             DELETE FROM decline; DELETE FROM upstream_setting WHERE name = 'mode';
             INSERT INTO upstream_setting (name, value) VALUES ('mode', 'replica');"
                .to_owned(),
        );
        // What its parent declines is its parent's.
        rows.extend([declined(20, 200), logged("upstream", "decline", Some(20), 200)]);
        assert_eq!(by_somebody(&rows), (vec![20], BY_SOMEBODY.into()));
    }
}
