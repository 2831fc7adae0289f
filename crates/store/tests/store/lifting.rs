//! Replica mode lifted for a while: decisions, groups and the places of computers stay, and so does what was put
//! aside, in both directions and across a restart.

use crate::support;

use rusqlite::Connection;
use sluicegate_policy::hierarchy::Mode;
use sluicegate_policy::{ApprovalAction, Group};
use sluicegate_store::hierarchy::{DeploymentNews, UpstreamSettings};
use sluicegate_store::{ApprovalOrder, Store, StoreError};
use sluicegate_terms::{GroupId, Guid, UpdateId};
use std::path::Path;
use support::{at, import, open, software, uid};

fn order(n: u128, group: GroupId) -> ApprovalOrder {
    let action = ApprovalAction::Install;
    ApprovalOrder { update: uid(n), group, action, deadline: None, by: "administrator".to_owned() }
}

fn set(store: &Store, mode: Mode, lifted: bool) {
    let source = Some("http://parent:8530".parse().unwrap());
    let settings = UpstreamSettings { source, mode, lifted, ..UpstreamSettings::default() };
    store.set_upstream_settings(settings, at(10)).unwrap();
}

/// All rows of what is put aside, and of places in groups.
fn kept(dir: &Path) -> Vec<String> {
    let db = Connection::open(dir.join("sluicegate.db")).unwrap();
    let mut rows = Vec::new();
    for table in ["aside_group", "aside_approval", "aside_decline", "aside_membership", "membership"] {
        let mut statement = db
            .prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2, 3"))
            .unwrap_or_else(|_| db.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap());
        let columns = statement.column_count();
        let mut found = statement.query([]).unwrap();
        while let Some(row) = found.next().unwrap() {
            let values: Vec<String> =
                (0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap())).collect();
            rows.push(format!("{table}: {}", values.join(" ")));
        }
    }
    rows
}

/// A replica that adopted a nested group with a computer in it, and that had decided for itself before.
fn replica(dir: &Path) -> (Store, GroupId) {
    let store = open(dir);
    import(&store, 0, &[software(1, 1, "One"), software(2, 1, "Two")]);
    let local = store.create_group("Local".parse().unwrap(), None, at(1)).unwrap();
    store.approve(order(1, local.id), at(2)).unwrap();
    store.decline(uid(2), at(3)).unwrap();
    set(&store, Mode::Replica, false);
    let [servers, pilots] = [21, 22].map(|n| GroupId(Guid::from_u128(n)));
    let group = |id, name: &str, parent| Group { id, name: name.parse().unwrap(), parent: Some(parent) };
    let mut groups: Vec<Group> =
        store.decisions().groups.iter().filter(|g| g.id != local.id).cloned().collect();
    groups.push(group(servers, "Servers", GroupId::ALL_COMPUTERS));
    groups.push(group(pilots, "Pilots", servers));
    let news = DeploymentNews { groups, anchor: "1".to_owned(), complete: true, ..DeploymentNews::default() };
    store.adopt_deployments(&news, at(11)).unwrap();
    let db = Connection::open(dir.join("sluicegate.db")).unwrap();
    db.execute_batch(
        "INSERT INTO computer (id, computer_id, first_seen, last_contact) VALUES (7, 'pc', 1, 1)",
    )
    .unwrap();
    db.execute("INSERT INTO membership (group_id, computer) VALUES (?1, 7)", [pilots.0.as_bytes()]).unwrap();
    (store, pilots)
}

#[test]
fn lifting_replica_mode_and_restoring_it_leaves_decisions_places_and_what_was_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pilots) = replica(dir.path());
    let (before, decisions) = (kept(dir.path()), store.decisions());
    assert!(before.iter().any(|row| row.starts_with("aside_approval: ")), "{before:?}");
    assert!(before.iter().any(|row| row.starts_with("membership: ")), "{before:?}");
    assert!(matches!(store.approve(order(1, pilots), at(12)), Err(StoreError::Replica { .. })));

    set(&store, Mode::Autonomous, true);
    assert_eq!((kept(dir.path()), store.decisions()), (before.clone(), decisions));
    store.approve(order(1, pilots), at(13)).unwrap();
    drop(store);
    let store = open(dir.path());
    assert!(store.upstream_settings().lifted, "it is remembered");
    let lifted = store.decisions();
    set(&store, Mode::Replica, false);
    assert_eq!((kept(dir.path()), store.decisions()), (before, lifted));
    assert_eq!(
        store.sync_state().unwrap().deployments_anchor,
        None,
        "all of the upstream's are asked for again"
    );

    set(&store, Mode::Autonomous, false);
    assert!(store.decisions().declined.contains_key(&uid(2)), "its own decisions are back");
    let approved: Vec<UpdateId> = store.decisions().approvals.values().map(|a| a.update).collect();
    assert_eq!(approved, [uid(1)]);
    assert!(store.decisions().groups.iter().all(|group| group.id != pilots));
}

#[test]
fn a_lifted_mode_that_is_ended_for_good_brings_back_what_was_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    let (store, pilots) = replica(dir.path());
    set(&store, Mode::Autonomous, true);
    set(&store, Mode::Autonomous, false);
    assert!(store.decisions().declined.contains_key(&uid(2)));
    set(&store, Mode::Replica, false);
    assert!(store.decisions().groups.iter().any(|group| group.id == pilots), "and what it had as a replica");
    assert!(kept(dir.path()).iter().any(|row| row.starts_with("membership: ")));
    let odd = UpstreamSettings { mode: Mode::Autonomous, lifted: true, ..UpstreamSettings::default() };
    assert!(store.set_upstream_settings(odd, at(20)).is_err(), "without an upstream nothing is lifted");
}
