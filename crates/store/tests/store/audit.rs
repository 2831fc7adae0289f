//! The audit log: nothing decided is missing from it, nothing that did not happen is in it, and every kind of
//! tampering shows where it began.

use crate::support;

use rusqlite::Connection;
use sluicegate_policy::ApprovalAction;
use sluicegate_store::audit::{Actor, AuditBreak, AuditEntry, AuditQuery, verify_folder};
use sluicegate_store::hierarchy::{
    DeploymentNews, Password, ProxyCredentials, UpstreamSettings, UpstreamSource,
};
use sluicegate_store::{ApprovalOrder, Contact, Store};
use sluicegate_terms::{GroupId, Timestamp};
use std::path::Path;
use support::{at, import, open, software, uid};

fn order(n: u128, action: ApprovalAction) -> ApprovalOrder {
    let group = GroupId::ALL_COMPUTERS;
    ApprovalOrder { update: uid(n), group, action, deadline: None, by: "admin".to_owned() }
}

fn entries(store: &Store) -> Vec<AuditEntry> {
    let query = AuditQuery { limit: 10_000, ..AuditQuery::default() };
    let mut list = store.audit(&query).unwrap().entries;
    list.reverse();
    list
}

fn actions(store: &Store) -> Vec<String> {
    entries(store).into_iter().map(|entry| entry.action).collect()
}

/// A folder with some decisions in it, closed.
fn decided(dir: &Path) -> u64 {
    let store = open(dir).by(Actor::administrator("ada", "192.0.2.7"));
    import(&store, 0, &[software(1, 1, "One"), software(2, 1, "Two")]);
    store.approve(order(1, ApprovalAction::Install), at(1)).unwrap();
    store.decline(uid(2), at(2)).unwrap();
    store.create_group("Pilots".parse().unwrap(), None, at(3)).unwrap();
    store.audit_head().unwrap().count
}

/// Changes rows behind the server's back, as somebody with the file in hands can.
fn tamper(dir: &Path, sql: &str) {
    let db = Connection::open(dir.join("sluicegate.db")).unwrap();
    db.execute_batch("DROP TRIGGER audit_is_not_changed; DROP TRIGGER audit_is_not_shortened").unwrap();
    db.execute_batch(sql).unwrap();
}

fn breaks(dir: &Path) -> Vec<AuditBreak> {
    verify_folder(dir).unwrap().breaks
}

#[test]
fn every_kind_of_decision_has_an_entry_that_says_who_from_where_and_what_was_before() {
    let dir = tempfile::tempdir().unwrap();
    let plain = open(dir.path());
    let store = plain.by(Actor::administrator("ada", "192.0.2.7"));
    let mut removable = software(1, 1, "One");
    removable.properties.can_uninstall = true;
    import(&store, 0, &[removable, software(2, 1, "Two")]);
    store.approve(order(1, ApprovalAction::Install), at(1)).unwrap();
    store.approve(order(1, ApprovalAction::Uninstall), at(2)).unwrap();
    store.unapprove(uid(1), None, "ada".to_owned(), at(3)).unwrap();
    store.decline(uid(1), at(4)).unwrap();
    store.approve(order(1, ApprovalAction::Install), at(5)).unwrap();
    import(&store, 6, &[software(1, 2, "One, revised")]);
    let group = store.create_group("Pilots".parse().unwrap(), None, at(7)).unwrap();
    let computer: sluicegate_terms::ComputerId = "pc-1".parse().unwrap();
    store.touch(Contact::new(computer.clone(), at(8))).unwrap();
    store.move_computer(&computer, group.id, at(8)).unwrap();
    store.forget_computer(&computer, at(9)).unwrap();
    store.remove_group(group.id, false, at(9)).unwrap();
    store.set_config(&[("name".to_owned(), "value".to_owned())].into(), at(10)).unwrap();
    store.set_allowed_downstream(&["child".to_owned()], at(11)).unwrap();
    store
        .set_succession(
            sluicegate_policy::SuccessionOptions { approvals_follow: false, decline_expired: true },
            at(12),
        )
        .unwrap();
    assert_eq!(
        actions(&store),
        [
            "begin",
            "import",
            "approve",
            "approve",
            "unapprove",
            "decline",
            "approve",
            "import",
            "approvals-follow",
            "add-group",
            "move-computer",
            "forget-computer",
            "remove-group",
            "set-config",
            "set-allowed-downstream",
            "set-succession",
        ]
    );
    let list = entries(&store);
    for entry in &list[1..] {
        assert_eq!((&*entry.kind, &*entry.who, &*entry.origin), ("administrator", "ada", "192.0.2.7"));
    }
    assert_eq!(list[2].at, at(1));
    assert_eq!((list[2].update, list[2].before.as_deref()), (Some(uid(1)), None));
    assert!(list[3].before.as_deref().unwrap().contains("\"action\":\"install\""));
    assert!(list[3].after.as_deref().unwrap().contains("\"action\":\"uninstall\""));
    assert!(list[6].before.as_deref().unwrap().contains("\"declined\":true"));
    assert!(list[10].before.as_deref().unwrap().contains("Unassigned Computers"));
    assert!(list[10].after.as_deref().unwrap().contains("Pilots"));
    let about = AuditQuery { update: Some(uid(1)), since: Some(at(4)), limit: 2, ..AuditQuery::default() };
    let page = store.audit(&about).unwrap();
    assert_eq!(page.entries.iter().map(|e| &*e.action).collect::<Vec<_>>(), ["approvals-follow", "approve"]);
    assert!(page.more);
    let below = Some(page.entries[1].seq);
    let rest = store.audit(&AuditQuery { below, ..about }).unwrap();
    assert_eq!(rest.entries.iter().map(|e| &*e.action).collect::<Vec<_>>(), ["decline"]);
    assert!(store.verify_audit().unwrap().is_whole());
    assert!(plain.alerts().unwrap().is_empty(), "an administrator may bring updates in");
}

#[test]
fn a_newer_revision_that_waits_beside_another_is_told_as_one_that_waits() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "One")]);
    store.approve(order(1, ApprovalAction::Install), at(1)).unwrap();
    let review = sluicegate_policy::SuccessionOptions { approvals_follow: false, decline_expired: true };
    store.set_succession(review, at(2)).unwrap();
    for number in [2, 3] {
        import(&store, number, &[software(1, number, "One, revised")]);
    }
    let told = actions(&store);
    assert_eq!(told[told.len() - 4..], ["import", "hold-revision", "import", "hold-revision"]);
}

#[test]
fn what_was_refused_or_changed_nothing_has_no_entry() {
    let dir = tempfile::tempdir().unwrap();
    let count = decided(dir.path());
    let store = open(dir.path());
    assert!(store.approve(order(9, ApprovalAction::Install), at(9)).is_err());
    assert!(store.decline(uid(2), at(9)).is_err());
    let failed: Result<(), _> = store.change_decisions(at(9), |decisions, _| {
        decisions.options.approvals_follow = false;
        Err(sluicegate_store::StoreError::UnknownUpdate(uid(5)))
    });
    assert!(failed.is_err());
    store.set_config(&std::collections::BTreeMap::new(), at(9)).unwrap();
    import(&store, 9, &[software(1, 1, "One")]);
    assert_eq!(store.audit_head().unwrap().count, count);
}

#[test]
fn a_changed_entry_is_named() {
    let dir = tempfile::tempdir().unwrap();
    decided(dir.path());
    tamper(dir.path(), "UPDATE audit SET who = 'mallory' WHERE seq = 3");
    assert_eq!(breaks(dir.path()), [AuditBreak::Changed { seq: 3 }]);
}

#[test]
fn rows_of_the_log_cannot_be_changed_or_deleted_by_accident() {
    let dir = tempfile::tempdir().unwrap();
    decided(dir.path());
    let db = Connection::open(dir.path().join("sluicegate.db")).unwrap();
    for sql in ["UPDATE audit SET who = 'x'", "DELETE FROM audit WHERE seq = 2"] {
        let refused = db.execute_batch(sql).unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{refused}");
    }
    assert_eq!(breaks(dir.path()), []);
}

#[test]
fn a_missing_entry_is_named() {
    let dir = tempfile::tempdir().unwrap();
    decided(dir.path());
    tamper(dir.path(), "DELETE FROM audit WHERE seq IN (2, 3)");
    assert_eq!(breaks(dir.path()), [AuditBreak::Missing { first: 2, last: 3 }]);
}

#[test]
fn reordered_entries_are_named() {
    let dir = tempfile::tempdir().unwrap();
    decided(dir.path());
    tamper(
        dir.path(),
        "UPDATE audit SET seq = 99 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 4;
         UPDATE audit SET seq = 4 WHERE seq = 99",
    );
    assert_eq!(breaks(dir.path()), [AuditBreak::Reordered { seq: 3, lies_at: 4 }]);
}

#[test]
fn a_tail_that_was_cut_off_is_missed_and_never_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let count = decided(dir.path());
    tamper(dir.path(), &format!("DELETE FROM audit WHERE seq > {}", count - 2));
    assert_eq!(breaks(dir.path()), [AuditBreak::Truncated { found: count - 2, expected: count }]);
    let store = open(dir.path());
    let alerts = store.alerts().unwrap();
    assert_eq!((alerts.len(), &*alerts[0].kind), (1, "audit-broken"));
    // The server goes on, and its log tells of the cut for good.
    store.decline(uid(1), at(20)).unwrap();
    let verdict = store.verify_audit().unwrap();
    assert!(matches!(&verdict.breaks[..], [AuditBreak::Noted { .. }]), "{verdict:?}");
    drop(store);
    assert_eq!(open(dir.path()).alerts().unwrap().len(), 1, "and says so once");
}

#[test]
fn a_log_that_was_written_anew_does_not_match_what_is_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    decided(dir.path());
    decided(other.path());
    std::fs::copy(other.path().join("audit.head"), dir.path().join("audit.head")).unwrap();
    // Same decisions, other group ids: the chains differ.
    let [found] = &breaks(dir.path())[..] else { panic!("one break") };
    assert!(matches!(found, AuditBreak::Rewritten { .. }), "{found}");
    std::fs::remove_file(dir.path().join("audit.head")).unwrap();
    assert_eq!(breaks(dir.path()), [AuditBreak::NoMemory]);
}

#[test]
fn a_running_server_is_verified_from_outside() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "One")]);
    let verdict = verify_folder(dir.path()).unwrap();
    assert!(verdict.is_whole(), "{:?}", verdict.breaks);
    assert_eq!(verdict.head, store.audit_head().unwrap());
}

#[test]
fn updates_that_neither_the_upstream_nor_an_administrator_brought_raise_an_alert() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let settings = UpstreamSettings {
        source: Some(UpstreamSource::Server("http://parent:8530".to_owned())),
        ..UpstreamSettings::default()
    };
    let admin = store.by(Actor::administrator("ada", ""));
    admin.set_upstream_settings(settings, at(0)).unwrap();
    import(&admin, 1, &[software(1, 1, "By hand")]);
    import(&store.by(Actor::upstream("http://parent:8530")), 2, &[software(2, 1, "From upstream")]);
    assert!(store.alerts().unwrap().is_empty());
    import(&store.by(Actor::upstream("http://elsewhere")), 3, &[software(3, 1, "From elsewhere")]);
    import(&store, 4, &[software(4, 1, "From nobody"), software(5, 1, "From nobody")]);
    let alerts = store.alerts().unwrap();
    let named: Vec<_> = alerts.iter().map(|a| (&*a.kind, a.count, a.updates.clone())).collect();
    assert_eq!(named, [("foreign-updates", 2, vec![uid(4), uid(5)]), ("foreign-updates", 1, vec![uid(3)])]);
    let ways: Vec<String> =
        entries(&store).into_iter().filter_map(|e| e.after.filter(|a| a.contains("way"))).collect();
    for (way, after) in ["manual", "synchronization", "unexpected", "unexpected"].iter().zip(&ways) {
        assert!(after.contains(way), "{after}");
    }
    assert!(admin.acknowledge_alert(alerts[0].id, at(5)).unwrap());
    assert!(!admin.acknowledge_alert(alerts[0].id, at(5)).unwrap());
    assert_eq!(store.alert_count().unwrap(), 1);
    assert_eq!(actions(&store).last().map(String::as_str), Some("acknowledge-alert"));
}

#[test]
fn settings_of_the_upstream_are_told_without_their_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let with = |password: &str| {
        let mut settings = UpstreamSettings::default();
        settings.proxy.credentials = Some(ProxyCredentials {
            user: "svc".to_owned(),
            password: Password(password.to_owned()),
            ..ProxyCredentials::default()
        });
        settings
    };
    store.set_upstream_settings(with("hunter2"), at(1)).unwrap();
    store.set_upstream_settings(with("hunter3"), at(2)).unwrap();
    store.set_upstream_settings(with("hunter3"), at(3)).unwrap();
    let list = entries(&store);
    assert_eq!(list.iter().filter(|e| e.subject == "proxy-password").count(), 2);
    assert!(!format!("{list:?}").contains("hunter"));
}

#[test]
fn what_a_replica_takes_over_is_put_down_to_its_upstream() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store.by(Actor::administrator("ada", "")), 0, &[software(1, 1, "One")]);
    let settings = UpstreamSettings {
        source: Some(UpstreamSource::Server("http://parent:8530".to_owned())),
        mode: sluicegate_policy::hierarchy::Mode::Replica,
        ..UpstreamSettings::default()
    };
    store.set_upstream_settings(settings, at(1)).unwrap();
    let groups = store.decisions().groups.iter().cloned().collect();
    let news = DeploymentNews { groups, declined: vec![uid(1)], complete: true, ..DeploymentNews::default() };
    let sync = store.by(Actor::upstream("http://parent:8530"));
    sync.adopt_deployments(&news, at(2)).unwrap();
    sync.adopt_deployments(&news, at(3)).unwrap();
    let about = AuditQuery { update: Some(uid(1)), limit: 9, ..AuditQuery::default() };
    let list = store.audit(&about).unwrap().entries;
    assert_eq!(list.len(), 1, "the second time nothing was different");
    assert_eq!(
        (&*list[0].action, &*list[0].kind, &*list[0].who),
        ("decline", "upstream", "http://parent:8530")
    );
}

#[test]
fn a_large_order_is_one_entry_per_update() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let documents: Vec<_> = (1..=50).map(|n| software(n, 1, "Many")).collect();
    import(&store, 0, &documents);
    let mut groups = vec![GroupId::ALL_COMPUTERS];
    for n in 0..4 {
        groups.push(store.create_group(format!("g{n}").parse().unwrap(), None, at(1)).unwrap().id);
    }
    let before = store.audit_head().unwrap().count;
    let order = sluicegate_store::BulkOrder {
        updates: (1..=50).map(uid).collect(),
        groups,
        action: ApprovalAction::Install,
        deadline: Some(Timestamp::from_unix_seconds(1_800_000_000)),
        by: "admin".to_owned(),
    };
    store.approve_many(&order, at(2)).unwrap();
    assert_eq!(store.audit_head().unwrap().count, before + 50);
    assert_eq!(entries(&store).last().unwrap().after.as_deref().unwrap().matches("install").count(), 5);
}
