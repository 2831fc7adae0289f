//! Opening a folder to serve from: contradictions among decisions are repaired first, the schema is verified, and
//! what came in behind the server's back is told of.

use crate::support;

use rusqlite::Connection;
use sluicegate_policy::ApprovalAction;
use sluicegate_store::audit::{Actor, AuditQuery};
use sluicegate_store::hierarchy::{RunOutcome, SyncRun};
use sluicegate_store::{ApprovalOrder, Store, StoreError, StoreOptions};
use sluicegate_terms::GroupId;
use std::path::Path;
use support::{at, import, open, software, uid};

fn serve(dir: &Path) -> Result<Store, StoreError> {
    Store::open(dir, StoreOptions { serving: true, ..StoreOptions::new(at(40)) })
}

fn order(n: u128) -> ApprovalOrder {
    let (group, action) = (GroupId::ALL_COMPUTERS, ApprovalAction::Install);
    ApprovalOrder { update: uid(n), group, action, deadline: None, by: "ada".to_owned() }
}

fn stocked(dir: &Path) {
    let store = open(dir).by(Actor::administrator("ada", ""));
    import(&store, 0, &[software(1, 1, "One"), software(2, 1, "Two")]);
    store.approve(order(1), at(1)).unwrap();
    store.approve(order(2), at(2)).unwrap();
}

fn damage(dir: &Path, sql: &str) {
    let db = Connection::open(dir.join("sluicegate.db")).unwrap();
    db.pragma_update(None, "foreign_keys", false).unwrap();
    db.execute_batch(sql).unwrap();
}

fn repairs(store: &Store) -> Vec<(String, String)> {
    let entries = store.recent_repairs(10).unwrap();
    entries.into_iter().map(|entry| (entry.who.to_string(), entry.subject.to_string())).collect()
}

const BOTH: &str = "INSERT INTO decline (update_id, changed, changed_at)
    SELECT update_id, changed + 100, changed_at FROM approval WHERE deployment = 1073741824";

#[test]
fn a_contradiction_is_repaired_before_anybody_is_told_of_it_and_stands_in_the_audit_log() {
    let dir = tempfile::tempdir().unwrap();
    stocked(dir.path());
    damage(dir.path(), BOTH);
    // Whoever only looks changes nothing.
    assert_eq!(open(dir.path()).decisions().approvals.len(), 2);
    let store = serve(dir.path()).unwrap();
    let decisions = store.decisions();
    assert_eq!((decisions.approvals.len(), decisions.declined.len()), (1, 1), "the later decision holds");
    let told = repairs(&store);
    assert!(told.iter().any(|(_, subject)| subject.contains("declined and approved")), "{told:?}");
    assert!(told.iter().all(|(who, _)| who == "start"), "{told:?}");
    assert!(store.verify_audit().unwrap().is_whole());
    assert!(store.anchor().0 > 100, "clients are told");
    drop(store);
    let again = serve(dir.path()).unwrap();
    assert_eq!(repairs(&again), told, "once");
    assert_eq!(again.alert_count().unwrap(), 0);
}

#[test]
fn approvals_of_nothing_and_groups_under_nothing_are_repaired_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    stocked(dir.path());
    open(dir.path()).create_group("Pilots".parse().unwrap(), None, at(3)).unwrap();
    damage(
        dir.path(),
        "UPDATE approval SET group_id = x'ffffffffffffffffffffffffffffffff' WHERE deployment = 1073741824;
         UPDATE target_group SET parent = x'ffffffffffffffffffffffffffffffff' WHERE name = 'Pilots'",
    );
    assert!(Store::open(dir.path(), StoreOptions::new(at(9))).is_err(), "it could not even be read");
    let store = serve(dir.path()).unwrap();
    assert_eq!(store.decisions().approvals.len(), 1);
    assert_eq!(store.decisions().groups.find("Pilots").unwrap().parent, Some(GroupId::ALL_COMPUTERS));
    assert_eq!(repairs(&store).len(), 2);
}

/// A folder as the program of schema version 3 left it, which had no audit log yet.
pub(crate) fn older(dir: &Path) {
    let db = Connection::open(dir.join("sluicegate.db")).unwrap();
    for step in [
        include_str!("../../migrations/0001_first_schema.sql"),
        include_str!("../../migrations/0002_hierarchy.sql"),
        include_str!("../../migrations/0003_decisions.sql"),
    ] {
        db.execute_batch(step).unwrap();
    }
    db.pragma_update(None, "user_version", 3).unwrap();
    db.execute_batch(
        "INSERT INTO target_group (id, name, name_key, parent)
             VALUES (x'00000000000000000000000000000042', 'Pilots', 'pilots', x'a0a087464dbe4a379adf9e7b652029e7')",
    )
    .unwrap();
}

#[test]
fn a_folder_of_an_older_schema_is_migrated_then_repaired() {
    let dir = tempfile::tempdir().unwrap();
    older(dir.path());
    damage(
        dir.path(),
        "UPDATE target_group SET parent = x'ffffffffffffffffffffffffffffffff' WHERE name = 'Pilots'",
    );
    let store = serve(dir.path()).unwrap();
    assert_eq!(store.decisions().groups.find("Pilots").unwrap().parent, Some(GroupId::ALL_COMPUTERS));
    assert!(repairs(&store)[0].1.contains("lie under a group"), "{:?}", repairs(&store));
    let first = store.audit(&AuditQuery { limit: 10, ..AuditQuery::default() }).unwrap().entries;
    assert_eq!(first.last().map(|entry| entry.action.to_string()).as_deref(), Some("begin"));
}

#[test]
fn a_schema_that_somebody_changed_is_not_served_from_and_the_object_is_named() {
    for (sql, named, how) in [
        ("DROP TRIGGER audit_is_not_changed", "trigger audit_is_not_changed", "missing"),
        ("DROP INDEX alert_unseen", "index alert_unseen", "missing"),
        (
            "DROP INDEX alert_unseen; CREATE INDEX alert_unseen ON alert (at)",
            "index alert_unseen",
            "is not what",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        stocked(dir.path());
        damage(dir.path(), "CREATE INDEX of_an_administrator ON alert (kind)");
        drop(serve(dir.path()).unwrap());
        damage(dir.path(), sql);
        let refused = serve(dir.path()).unwrap_err();
        let said = refused.to_string();
        assert!(matches!(refused, StoreError::SchemaMismatch { .. }), "{said}");
        assert!(said.contains(named) && said.contains(how) && said.contains("version"), "{said}");
    }
}

#[test]
fn revisions_written_into_the_database_raise_an_alert_at_the_next_start_once() {
    let dir = tempfile::tempdir().unwrap();
    stocked(dir.path());
    assert_eq!(serve(dir.path()).unwrap().alert_count().unwrap(), 0);
    damage(
        dir.path(),
        "CREATE TABLE copy AS SELECT * FROM revision WHERE id = 2;
         UPDATE copy SET id = 40, number = 3; INSERT INTO revision SELECT * FROM copy; DROP TABLE copy",
    );
    let alert = {
        let alerts = open(dir.path()).alerts().unwrap();
        assert_eq!(alerts.len(), 1, "{alerts:?}");
        alerts[0].clone()
    };
    assert_eq!((&*alert.kind, &alert.updates[..]), ("foreign-updates", &[uid(2)][..]));
    assert!(alert.text.contains("1 revisions, up to number 40"), "{}", alert.text);
    let store = open(dir.path());
    assert_eq!(store.alerts().unwrap(), std::slice::from_ref(&alert), "told once");
    assert!(store.acknowledge_alert(alert.id, at(50)).unwrap());
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.alert_count().unwrap(), 0, "and not again when somebody has seen it");
    import(&store.by(Actor::administrator("ada", "")), 60, &[software(3, 1, "Three")]);
    assert!(store.verify_audit().unwrap().is_whole());
}

#[test]
fn approvals_that_another_took_the_place_of_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    stocked(dir.path());
    damage(
        dir.path(),
        "CREATE TABLE copy AS SELECT * FROM approval; DROP TABLE approval;
         CREATE TABLE approval (deployment INTEGER PRIMARY KEY AUTOINCREMENT, update_id BLOB NOT NULL,
             group_id BLOB NOT NULL, action TEXT NOT NULL, deadline INTEGER, changed INTEGER NOT NULL,
             changed_at INTEGER NOT NULL, decided_by TEXT NOT NULL, optional INTEGER NOT NULL DEFAULT 0);
         INSERT INTO approval SELECT * FROM copy;
         INSERT INTO approval (update_id, group_id, action, changed, changed_at, decided_by)
             SELECT update_id, group_id, 'uninstall', changed, changed_at, decided_by FROM copy;
         DROP TABLE copy",
    );
    let store = open(dir.path());
    assert_eq!((store.replaced_approvals(), store.decisions().approvals.len()), (2, 2));
    let sound = tempfile::tempdir().unwrap();
    stocked(sound.path());
    assert_eq!(open(sound.path()).replaced_approvals(), 0);
}

#[test]
fn runs_that_never_ended_get_a_code_and_so_do_those_that_an_earlier_version_closed_without_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let begin = |second| store.begin_sync_run("schedule", "http://127.0.0.1:1", at(second)).unwrap();
    let runs = [begin(0), begin(10), begin(20)];
    let ended = |id, outcome, code: Option<&str>| SyncRun {
        ended: Some(at(5)),
        outcome,
        error_code: code.map(str::to_owned),
        ..SyncRun::begun(id, String::new(), String::new(), at(0))
    };
    store.write_sync_run(&ended(runs[0], RunOutcome::Interrupted, None)).unwrap();
    store.write_sync_run(&ended(runs[1], RunOutcome::Interrupted, Some("Interrupted"))).unwrap();
    let close = || store.close_interrupted_runs("CODE", "it was cut off", at(30)).unwrap();
    assert_eq!(close(), [runs[2]]);
    let history: Vec<_> = store.sync_history(10).unwrap().into_iter().rev().collect();
    assert!(history.iter().all(|run| run.outcome == RunOutcome::Interrupted));
    assert_eq!(
        history.iter().map(|run| (run.ended, run.error_code.as_deref())).collect::<Vec<_>>(),
        [(Some(at(5)), Some("CODE")), (Some(at(5)), Some("Interrupted")), (Some(at(30)), Some("CODE"))]
    );
    assert!(close().is_empty());
}

#[test]
fn an_end_that_cannot_be_written_is_told_from_memory_until_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let id = store.begin_sync_run("schedule", "http://127.0.0.1:1", at(0)).unwrap();
    let db = Connection::open(dir.path().join("sluicegate.db")).unwrap();
    db.execute_batch(
        "CREATE TRIGGER no_room BEFORE UPDATE ON sync_run BEGIN SELECT RAISE(ABORT, 'no room'); END",
    )
    .unwrap();
    let mut end = SyncRun::begun(id, "schedule".to_owned(), "http://127.0.0.1:1".to_owned(), at(0));
    (end.ended, end.outcome) = (Some(at(7)), RunOutcome::Succeeded);
    store.end_sync_run(&end).unwrap_err();
    store.end_sync_run(&end).unwrap_err();
    assert_eq!(store.sync_history(5).unwrap(), [end.clone()]);
    assert_eq!(store.last_succeeded().unwrap(), Some(at(7)));
    db.execute_batch("DROP TRIGGER no_room").unwrap();
    store.end_sync_run(&end).unwrap();
    drop(db);
    drop(store);
    assert_eq!(open(dir.path()).sync_history(5).unwrap(), [end], "it is written");
}

#[test]
fn what_an_earlier_version_left_approved_of_a_withdrawn_update_is_withdrawn_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).by(Actor::administrator("ada", ""));
    let revision = |number, expired: bool| {
        let mut document = software(1, number, "One");
        document.properties.can_uninstall = !expired;
        document.properties.expired = expired;
        document
    };
    import(&store, 0, &[revision(1, false)]);
    let pilots = store.create_group("Pilots".parse().unwrap(), None, at(1)).unwrap().id;
    store.approve(order(1), at(2)).unwrap();
    let removal = ApprovalOrder { group: pilots, action: ApprovalAction::Uninstall, ..order(1) };
    store.approve(removal, at(3)).unwrap();
    import(&store, 4, &[revision(2, true)]);
    let approved = |store: &Store| -> Vec<_> {
        let decisions = store.decisions();
        assert_eq!(decisions.held[&uid(1)].serving.get(), 1);
        decisions.approvals_of(uid(1)).map(|own| (own.group, own.action)).collect()
    };
    assert_eq!(approved(&store), [(pilots, ApprovalAction::Uninstall)]);
    drop(store);
    // As one had it for which that was no reason.
    damage(
        dir.path(),
        "INSERT INTO approval (update_id, group_id, action, changed, changed_at, decided_by)
             SELECT update_id, group_id, 'install', changed, changed_at, 'ada' FROM withdrawn;
         DELETE FROM withdrawn",
    );
    assert_eq!(approved(&open(dir.path())).len(), 2, "whoever only looks changes nothing");
    let store = serve(dir.path()).unwrap();
    assert_eq!(approved(&store), [(pilots, ApprovalAction::Uninstall)]);
    let anchor = store.anchor();
    let told = store.audit(&AuditQuery { update: Some(uid(1)), limit: 1, ..AuditQuery::default() }).unwrap();
    assert_eq!(told.entries[0].who.to_string(), "start", "{told:?}");
    drop(store);
    assert_eq!(serve(dir.path()).unwrap().anchor(), anchor, "once");
}
