//! Checking a store: a sound one has no findings, each kind of damage is named, what has one right answer
//! is repaired, and a repaired store is sound and still says what it said.

use crate::support;

use rusqlite::Connection;
use sluicegate_catalog::{Limits, parse};
use sluicegate_policy::ApprovalAction;
use sluicegate_store::audit::Actor;
use sluicegate_store::check::{CheckOptions, CheckReport, check_folder};
use sluicegate_store::hierarchy::{UpstreamSettings, UpstreamSource};
use sluicegate_store::{ApprovalOrder, Document, PreparedRevision, Store};
use sluicegate_terms::{Anchor, CategoryKind, GroupId, UpdateIdentity};
use std::path::Path;
use support::{at, category, file, identity, import, needing, open, software, uid};

/// A folder with some of everything in it, closed.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).by(Actor::administrator("ada", ""));
    let mut with_file = needing(software(2, 1, "Two"), &[&[1]]);
    with_file.files.push(file("two.exe", b"content of two"));
    let mut bundle = software(3, 1, "Bundle");
    bundle.relationships.bundles.push(vec![identity(4, 1)]);
    import(
        &store,
        0,
        &[
            software(1, 1, "One"),
            with_file,
            software(4, 1, "Member"),
            bundle,
            category(9, CategoryKind::Product, "Product", None),
        ],
    );
    import(&store, 1, &[software(1, 2, "One, revised")]);
    store.add_content("two.exe", &mut &b"content of two"[..], at(1), &mut |_| {}).unwrap();
    let group = store.create_group("Pilots".parse().unwrap(), None, at(2)).unwrap().id;
    for (update, group) in [(1, group), (1, GroupId::ALL_COMPUTERS), (2, group)] {
        let order = ApprovalOrder {
            update: uid(update),
            group,
            action: ApprovalAction::Install,
            deadline: None,
            by: "ada".to_owned(),
        };
        store.approve(order, at(3)).unwrap();
    }
    store.decline(uid(3), at(4)).unwrap();
    store.touch(sluicegate_store::Contact::new("pc-1".parse().unwrap(), at(5))).unwrap();
    store.flush_contacts().unwrap();
    drop(store);
    dir
}

fn again(_: UpdateIdentity, document: Document) -> Option<PreparedRevision> {
    let plain = document.plain(1 << 30).ok()?.into_owned();
    let parsed = parse(&plain, &Limits::default()).ok()?;
    let core = format!("ready bytes of {}", parsed.identity).into_bytes();
    Some(PreparedRevision::from_document("again".to_owned(), parsed, core, 1_000, document))
}

fn options(repair: bool) -> CheckOptions<'static> {
    CheckOptions { content: true, repair, now: at(50), prepare: Some(&again) }
}

fn checked(dir: &Path) -> CheckReport {
    check_folder(dir, &options(false)).unwrap()
}

/// Damages the database as no program of ours would.
fn damage(dir: &Path, sql: &str) {
    let db = Connection::open(dir.join("sluicegate.db")).unwrap();
    db.pragma_update(None, "foreign_keys", false).unwrap();
    db.execute_batch(sql).unwrap();
}

/// Damage is found under a name, repaired, and gone. Answers the repaired store.
fn mends(dir: &Path, check: &str, part: &str) -> Store {
    let found = checked(dir);
    let named = found.findings.iter().find(|finding| finding.check == check && finding.what.contains(part));
    let named = named.unwrap_or_else(|| panic!("{check}, {part}: {:#?}", found.findings));
    assert!(named.repairable && !named.repaired, "{named:?}");
    let before = checked(dir);
    assert_eq!(before, found, "looking changes nothing");
    let repaired = check_folder(dir, &options(true)).unwrap();
    assert!(repaired.is_sound(), "{:#?}", repaired.findings);
    let after = checked(dir);
    assert_eq!(after.findings, [], "after the repair");
    let store = open(dir);
    assert!(store.verify_audit().unwrap().is_whole());
    store
}

/// Damage is found under a name, and left to people.
fn names(dir: &Path, check: &str, part: &str) {
    for repair in [false, true] {
        let found = check_folder(dir, &options(repair)).unwrap();
        assert!(
            found.findings.iter().any(|f| f.check == check && f.what.contains(part) && !f.repairable),
            "{:#?}",
            found.findings
        );
        assert!(!found.is_sound());
    }
}

#[test]
fn a_sound_store_has_no_findings_closed_or_open() {
    let dir = folder();
    let report = checked(dir.path());
    assert_eq!(report.findings, []);
    assert_eq!((report.revisions, report.files), (6, 1));
    let store = open(dir.path());
    let online = store.check(&options(true)).unwrap();
    assert_eq!((online.findings.len(), online.revisions), (0, 6));
    assert!(check_folder(dir.path(), &options(false)).is_err(), "a server works on it");
    assert!(check_folder(&dir.path().join("elsewhere"), &options(false)).is_err());
}

#[test]
fn a_wrong_newest_revision_is_mended() {
    let dir = folder();
    damage(
        dir.path(),
        "UPDATE known_update SET newest = (SELECT id FROM revision WHERE number = 1
             AND update_id = known_update.update_id)",
    );
    let anchor = open(dir.path()).anchor();
    let store = mends(dir.path(), "newest", "is noted as it");
    assert_eq!(store.update(uid(1)).unwrap().row.revision.get(), 2);
    assert!(store.anchor() > anchor, "clients are told");
}

#[test]
fn an_update_without_revisions_goes_with_its_decisions() {
    let dir = folder();
    damage(
        dir.path(),
        "DELETE FROM revision WHERE update_id = (SELECT update_id FROM decline);
         DELETE FROM listing WHERE revision_id NOT IN (SELECT id FROM revision)",
    );
    let store = mends(dir.path(), "newest", "has no revision");
    assert!(store.decisions().declined.is_empty());
}

#[test]
fn of_two_deployments_for_one_group_the_newest_stays() {
    let dir = folder();
    damage(
        dir.path(),
        "CREATE TABLE copy AS SELECT * FROM approval;
         DROP TABLE approval;
         CREATE TABLE approval (deployment INTEGER PRIMARY KEY AUTOINCREMENT, update_id BLOB NOT NULL,
             group_id BLOB NOT NULL, action TEXT NOT NULL, deadline INTEGER, changed INTEGER NOT NULL,
             changed_at INTEGER NOT NULL, decided_by TEXT NOT NULL, optional INTEGER NOT NULL DEFAULT 0);
         INSERT INTO approval SELECT * FROM copy;
         INSERT INTO approval (update_id, group_id, action, changed, changed_at, decided_by)
             SELECT update_id, group_id, 'uninstall', changed, changed_at, decided_by FROM copy;
         DROP TABLE copy",
    );
    let store = mends(dir.path(), "deployments", "more than one effective deployment");
    let decisions = store.decisions();
    assert_eq!(decisions.approvals.len(), 3);
    assert!(decisions.approvals.values().all(|a| a.action == ApprovalAction::Uninstall));
}

#[test]
fn of_a_decline_and_an_approval_the_later_stays() {
    let dir = folder();
    damage(
        dir.path(),
        "INSERT INTO decline (update_id, changed, changed_at)
             SELECT update_id, changed + 100, changed_at FROM approval GROUP BY update_id",
    );
    let store = mends(dir.path(), "deployments", "declined and approved");
    assert_eq!((store.decisions().approvals.len(), store.decisions().declined.len()), (0, 3));
    assert!(store.anchor().0 > 100, "the counter of changes is ahead of every change");
}

#[test]
fn approvals_of_what_is_not_there_are_removed() {
    for (sql, part) in [
        (
            "UPDATE approval SET update_id = x'ffffffffffffffffffffffffffffffff' WHERE deployment = 1073741824",
            "approvals of updates",
        ),
        (
            "UPDATE approval SET group_id = x'ffffffffffffffffffffffffffffffff' WHERE deployment = 1073741824",
            "approvals for groups",
        ),
    ] {
        let dir = folder();
        damage(dir.path(), sql);
        let store = mends(dir.path(), "references", part);
        assert_eq!(store.decisions().approvals.len(), 2);
        let dropped = store.dropped_deployments(Anchor::START).unwrap().unwrap();
        assert_eq!(dropped.len(), 1, "servers below are told");
    }
}

#[test]
fn an_approval_that_is_marked_as_withdrawn_is_decided_by_time() {
    let dir = folder();
    damage(
        dir.path(),
        "INSERT INTO withdrawn SELECT update_id, group_id, 1, changed_at, changed_at FROM approval",
    );
    assert_eq!(mends(dir.path(), "deployments", "marked as withdrawn").decisions().approvals.len(), 3);
}

#[test]
fn status_and_events_of_unknown_computers_are_removed() {
    let dir = folder();
    damage(
        dir.path(),
        "INSERT INTO update_status (computer, update_id, state, since, error) VALUES (77, x'ffffffffffffffffffffffffffffffff', 4, 0, 0);
         INSERT INTO event (instance, computer, event_id, namespace, source, update_id, revision, at, received, result, details)
             VALUES (x'ffffffffffffffffffffffffffffffff', 77, 1, 1, 1, x'ffffffffffffffffffffffffffffffff', 1, 0, 0, 0, '')",
    );
    let found = checked(dir.path());
    assert!(found.findings.iter().any(|f| f.what.contains("status of computers")), "{:?}", found.findings);
    mends(dir.path(), "references", "events of computers");
}

#[test]
fn groups_under_a_missing_group_come_under_all_computers() {
    let dir = folder();
    damage(
        dir.path(),
        "UPDATE target_group SET parent = x'ffffffffffffffffffffffffffffffff' WHERE name = 'Pilots'",
    );
    let store = mends(dir.path(), "references", "lie under a group");
    assert_eq!(store.decisions().groups.find("Pilots").unwrap().parent, Some(GroupId::ALL_COMPUTERS));
}

/// Turns one byte of a file over.
fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 0xff;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn damaged_fragments_are_made_anew_from_their_document() {
    for segment in ["core.seg", "fragments.seg"] {
        let dir = folder();
        let good: Vec<Vec<u8>> = cores(&open(dir.path()));
        flip(&dir.path().join("fragments").join(segment), 12);
        let store = mends(dir.path(), "revision", "checksum");
        assert_eq!(cores(&store), good, "{segment}");
    }
}

fn cores(store: &Store) -> Vec<Vec<u8>> {
    let shelf = store.cores();
    let mut all = Vec::new();
    store
        .for_each_revision(|revision| {
            shelf.fragments(revision.id)?;
            all.push(shelf.core(revision.id)?.to_vec());
            Ok::<_, sluicegate_store::StoreError>(())
        })
        .unwrap();
    all
}

#[test]
fn a_segment_that_lost_its_end_is_named_and_what_documents_know_comes_back() {
    let dir = folder();
    let path = dir.path().join("fragments/core.seg");
    let length = std::fs::metadata(&path).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 5).unwrap();
    assert!(Store::open(dir.path(), sluicegate_store::StoreOptions::new(at(9))).is_err());
    let found = check_folder(dir.path(), &options(true)).unwrap();
    assert!(found.findings.iter().any(|f| f.check == "segments"), "{:?}", found.findings);
    assert!(found.findings.iter().any(|f| f.check == "revision" && f.repaired), "{:?}", found.findings);
    assert_eq!(checked(dir.path()).findings, []);
    assert_eq!(cores(&open(dir.path())).len(), 6);
}

#[test]
fn a_damaged_document_is_left_to_people() {
    let dir = folder();
    flip(&dir.path().join("fragments/documents.seg"), 12);
    names(dir.path(), "revision", "document cannot be read");
}

#[test]
fn a_scan_record_that_is_not_what_the_document_says_is_made_anew() {
    let dir = folder();
    damage(
        dir.path(),
        "UPDATE revision SET record = (SELECT record FROM revision WHERE id = 2) WHERE id = 1",
    );
    mends(dir.path(), "revision", "scan record");
    damage(dir.path(), "UPDATE revision SET record = x'00' WHERE id = 3");
    mends(dir.path(), "revision", "scan record");
}

#[test]
fn listings_are_made_anew() {
    let dir = folder();
    damage(dir.path(), "UPDATE listing SET title = 'Another' WHERE title = 'Two'; DELETE FROM revision_file");
    let store = mends(dir.path(), "revision", "lists say");
    assert_eq!(store.update(uid(2)).unwrap().row.title, "Two");
    damage_open(&store, dir.path());
    drop(store);
    damage(dir.path(), "UPDATE listing SET categories = zeroblob(16) WHERE title = 'One, revised'");
    mends(dir.path(), "revision", "lists say");
}

/// The same while the store is open: an online repair is in service at once.
fn damage_open(store: &Store, dir: &Path) {
    damage(dir, "DELETE FROM listing WHERE title = 'Two'");
    let report = store.check(&options(true)).unwrap();
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    assert!(report.is_sound());
    assert_eq!(store.update(uid(2)).unwrap().row.title, "Two");
}

#[test]
fn an_online_repair_of_decisions_is_in_service_at_once() {
    let dir = folder();
    let store = open(dir.path()).by(Actor::administrator("ada", "192.0.2.7"));
    damage(
        dir.path(),
        "INSERT INTO withdrawn SELECT update_id, group_id, changed + 1000, changed_at, changed_at FROM approval",
    );
    let report = store.check(&options(true)).unwrap();
    assert!(report.is_sound() && !report.findings.is_empty(), "{:?}", report.findings);
    assert_eq!(store.decisions().approvals.len(), 0);
    let page = store.audit(&sluicegate_store::audit::AuditQuery { limit: 1, ..Default::default() }).unwrap();
    assert_eq!((&*page.entries[0].action, &*page.entries[0].who), ("repair", "ada"));
}

#[test]
fn relations_that_are_not_noted_are() {
    let dir = folder();
    damage(
        dir.path(),
        "DELETE FROM named_prerequisite; DELETE FROM bundle_member; UPDATE category SET kind = 'Company'",
    );
    let found = checked(dir.path());
    for part in ["noted as a leaf", "has the member", "is a Product"] {
        assert!(found.findings.iter().any(|f| f.what.contains(part)), "{part}: {:?}", found.findings);
    }
    let store = mends(dir.path(), "relations", "noted as a leaf");
    assert_eq!(store.subject(uid(4)).unwrap().bundled_by, Some(uid(3)));
}

#[test]
fn references_to_updates_that_are_not_here_are_named() {
    let dir = folder();
    damage(
        dir.path(),
        "DELETE FROM revision WHERE update_id = (SELECT member FROM bundle_member);
         DELETE FROM known_update WHERE update_id NOT IN (SELECT update_id FROM revision);
         DELETE FROM listing WHERE revision_id NOT IN (SELECT id FROM revision)",
    );
    names(dir.path(), "relations", "bundles");
}

#[test]
fn content_that_is_not_what_its_name_says_is_removed() {
    let dir = folder();
    let sha1 = file("two.exe", b"content of two").sha1;
    let hex = sha1.to_hex_upper();
    let path = dir.path().join("Content").join(&hex[38..]).join(format!("{hex}.exe"));
    flip(&path, 3);
    let quick = CheckOptions { content: false, ..options(false) };
    assert_eq!(check_folder(dir.path(), &quick).unwrap().findings, [], "only reading it shows");
    let store = mends(dir.path(), "content", "SHA-1");
    assert!(!store.content().has(sha1) && !path.exists());
    drop(store);
    std::fs::write(&path, b"short").unwrap();
    let found = check_folder(dir.path(), &quick).unwrap();
    assert!(found.findings[0].what.contains("5 bytes"), "{:?}", found.findings);
    let nobody = &found.findings[0].remedy;
    assert!(nobody.contains("add it with `sluicegate content add`"), "nobody fetches it: {nobody}");
    let store = open(dir.path());
    let source = Some(UpstreamSource::Server("http://parent.example:8530".to_owned()));
    store.set_upstream_settings(UpstreamSettings { source, ..Default::default() }, at(60)).unwrap();
    drop(store);
    let found = check_folder(dir.path(), &quick).unwrap();
    assert!(found.findings[0].remedy.ends_with("will be fetched again"), "{:?}", found.findings);
}

#[test]
fn a_content_file_that_somebody_removed_is_no_longer_held_after_a_repair() {
    let dir = folder();
    let sha1 = file("two.exe", b"content of two").sha1;
    let hex = sha1.to_hex_upper();
    let store = open(dir.path());
    std::fs::remove_file(dir.path().join("Content").join(&hex[38..]).join(format!("{hex}.exe"))).unwrap();
    let found = store.check(&options(true)).unwrap();
    assert!(
        found.is_sound() && found.findings[0].what.contains("is gone from the disk"),
        "{:?}",
        found.findings
    );
    assert!(!store.content().has(sha1));
}

#[test]
fn a_broken_audit_log_is_left_to_people() {
    let dir = folder();
    damage(dir.path(), "DROP TRIGGER audit_is_not_changed; UPDATE audit SET who = 'x' WHERE seq = 4");
    names(dir.path(), "audit", "entry 4 was changed");
}

#[test]
fn revisions_that_no_import_brought_are_named() {
    let dir = folder();
    damage(
        dir.path(),
        "CREATE TABLE copy AS SELECT * FROM revision WHERE id = 6;
         UPDATE copy SET id = 40, number = 3; INSERT INTO revision SELECT * FROM copy; DROP TABLE copy;",
    );
    names(dir.path(), "foreign-updates", "revision 40");
}

#[test]
fn an_index_that_lost_rows_is_built_anew() {
    let dir = folder();
    damage(
        dir.path(),
        "PRAGMA writable_schema = ON;
         CREATE TABLE spare (x); CREATE INDEX spare_index ON spare (x);
         CREATE TABLE roots AS SELECT name, rootpage FROM sqlite_schema WHERE name IN ('spare_index', 'computer_name');
         UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM roots WHERE roots.name <> sqlite_schema.name)
             WHERE name IN ('spare_index', 'computer_name')",
    );
    mends(dir.path(), "database", "index");
}

/// The check in steps, to its end.
fn in_steps(store: &Store) -> CheckReport {
    let mut steps = 0;
    let report = store.check_in_steps(&again, &mut || {
        steps += 1;
        true
    });
    assert!(steps > 20, "{steps}");
    report.unwrap().unwrap()
}

#[test]
fn a_check_in_steps_finds_what_the_whole_one_finds_and_changes_nothing() {
    let dir = folder();
    let store = open(dir.path());
    let sound = in_steps(&store);
    assert_eq!((sound.findings.len(), sound.revisions), (0, 6));
    damage(
        dir.path(),
        "DELETE FROM named_prerequisite; DELETE FROM bundle_member; UPDATE revision SET record = x'00' WHERE id = 3;
         INSERT INTO withdrawn SELECT update_id, group_id, 1, changed_at, changed_at FROM approval",
    );
    flip(&dir.path().join("fragments/fragments.seg"), 12);
    let found = |report: &CheckReport| {
        let mut all: Vec<String> = report.findings.iter().map(|finding| finding.what.clone()).collect();
        all.sort();
        all
    };
    let whole = store.check(&options(false)).unwrap();
    assert!(whole.findings.len() > 4, "{:#?}", whole.findings);
    assert_eq!(found(&in_steps(&store)), found(&whole));
    assert_eq!(found(&in_steps(&store)), found(&whole));
    let mut asked = 0;
    let stopped = store.check_in_steps(&again, &mut || {
        asked += 1;
        asked < 3
    });
    assert_eq!((stopped.unwrap(), asked), (None, 3));
}

#[test]
fn what_a_check_found_stays_one_alert_until_a_sound_one_ends_it() {
    let dir = folder();
    let store = open(dir.path());
    assert_eq!(store.last_checked().unwrap(), None);
    let kinds = || -> Vec<String> { store.alerts().unwrap().into_iter().map(|alert| alert.kind).collect() };
    store.note_check(&in_steps(&store), at(60)).unwrap();
    assert_eq!((kinds(), store.last_checked().unwrap()), (vec![], Some(at(60))));
    damage(dir.path(), "DELETE FROM bundle_member");
    for second in [70, 80] {
        store.note_check(&in_steps(&store), at(second)).unwrap();
        assert_eq!(kinds(), ["check-failed"]);
    }
    assert!(store.alerts().unwrap()[0].text.contains("has the member"));
    store.check(&options(true)).unwrap();
    store.note_check(&in_steps(&store), at(90)).unwrap();
    assert_eq!(kinds(), Vec::<String>::new());
}
