//! What was declined alone and is part of a bundle in service later follows the bundle: the decline is over.

use crate::support::{at, identity, import, open, software, uid};
use sluicegate_catalog::compose::Document;
use sluicegate_policy::hierarchy::Mode;
use sluicegate_policy::{ApprovalAction, SuccessionOptions};
use sluicegate_store::audit::AuditQuery;
use sluicegate_store::cleanup::CleanupOrder;
use sluicegate_store::hierarchy::UpstreamSettings;
use sluicegate_store::{ApprovalOrder, Store};
use sluicegate_terms::GroupId;

const PART: u128 = 1;
const BUNDLE: u128 = 2;

fn bundle(revision: i64, member: Option<u128>) -> Document {
    let mut document = software(BUNDLE, revision, "Bundle");
    document.relationships.bundles.extend(member.map(|member| vec![identity(member, 1)]));
    document
}

fn approve(store: &Store, update: u128, seconds: i64) {
    let (group, action) = (GroupId::ALL_COMPUTERS, ApprovalAction::Install);
    let order = ApprovalOrder { update: uid(update), group, action, deadline: None, by: "Ada".to_owned() };
    store.approve(order, at(seconds)).unwrap();
}

/// The part came, and somebody declined it.
fn declined(dir: &std::path::Path) -> Store {
    let store = open(dir);
    import(&store, 1, &[software(PART, 1, "Part")]);
    store.decline(uid(PART), at(2)).unwrap();
    store
}

fn is_declined(store: &Store) -> bool {
    store.decisions().declined.contains_key(&uid(PART))
}

#[test]
fn a_decline_goes_when_a_bundle_with_the_part_comes() {
    let dir = tempfile::tempdir().unwrap();
    let store = declined(dir.path());
    import(&store, 3, &[bundle(1, Some(PART))]);
    assert!(!is_declined(&store));
    let decisions = store.decisions();
    assert!(decisions.restored.contains_key(&uid(PART)), "clients are told");
    let carried = decisions.to_carry();
    assert!(carried.restored.is_empty() && carried.declined.is_empty(), "nobody took it back");
    let log = store.audit(&AuditQuery { limit: 1, ..AuditQuery::default() }).unwrap().entries;
    assert_eq!((log[0].action.as_str(), log[0].update), ("undecline", Some(uid(PART))));
    // It is on its own again, and undecided.
    import(&store, 4, &[bundle(2, None)]);
    store.decline(uid(PART), at(5)).unwrap();
    drop(store);
    assert!(is_declined(&open(dir.path())));
}

#[test]
fn a_decline_goes_when_the_revision_that_has_the_part_is_put_in_service() {
    let dir = tempfile::tempdir().unwrap();
    let store = declined(dir.path());
    let options = SuccessionOptions { approvals_follow: false, ..SuccessionOptions::default() };
    store.set_succession(options, at(3)).unwrap();
    import(&store, 4, &[bundle(1, None)]);
    approve(&store, BUNDLE, 5);
    import(&store, 6, &[bundle(2, Some(PART))]);
    assert!(is_declined(&store), "it waits");
    store.accept_revision(uid(BUNDLE), at(7)).unwrap();
    assert!(!is_declined(&store));
}

#[test]
fn a_decline_stays_while_the_bundle_is_declined_itself() {
    let dir = tempfile::tempdir().unwrap();
    let store = declined(dir.path());
    import(&store, 3, &[bundle(1, None)]);
    store.decline(uid(BUNDLE), at(4)).unwrap();
    import(&store, 5, &[bundle(2, Some(PART))]);
    assert!(is_declined(&store));
    approve(&store, BUNDLE, 6);
    assert!(!is_declined(&store));
}

#[test]
fn a_decline_that_was_put_aside_does_not_come_back_where_a_bundle_has_the_part() {
    for has in [None, Some(PART)] {
        let dir = tempfile::tempdir().unwrap();
        let store = declined(dir.path());
        let set = |mode, now| {
            let source = Some("http://parent:8530".parse().unwrap());
            let settings = UpstreamSettings { source, mode, ..UpstreamSettings::default() };
            store.set_upstream_settings(settings, at(now)).unwrap();
        };
        set(Mode::Replica, 3);
        import(&store, 4, &[bundle(1, has)]);
        set(Mode::Autonomous, 5);
        assert_eq!(is_declined(&store), has.is_none());
    }
}

#[test]
fn cleanup_lets_go_of_what_earlier_versions_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 1, &[software(PART, 1, "Part"), software(9, 1, "Other"), bundle(1, Some(PART))]);
    store.decline(uid(9), at(2)).unwrap();
    drop(store);
    let database = rusqlite::Connection::open(dir.path().join("sluicegate.db")).unwrap();
    let part = uid(PART);
    database
        .execute(
            "INSERT INTO decline (update_id, changed, changed_at, decided_at) SELECT ?1, changed, changed_at, decided_at FROM decline",
            [part.0.as_bytes()],
        )
        .unwrap();
    drop(database);
    let store = open(dir.path());
    assert!(is_declined(&store));
    for dry_run in [true, false] {
        let order = CleanupOrder { dry_run, ..CleanupOrder::default() };
        store.cleanup(&order, at(3), &mut || true).unwrap();
        assert_eq!(
            (is_declined(&store), store.decisions().declined.len()),
            (dry_run, 1 + usize::from(dry_run))
        );
    }
    let anchor = store.anchor();
    store.cleanup(&CleanupOrder::default(), at(4), &mut || true).unwrap();
    assert_eq!(store.anchor(), anchor, "nothing more is to be done");
}
