//! Groups that an administrator deletes or renames: what goes with them, who is where afterwards, and what stays as it was.

use crate::declined_again::denied_elsewhere;
use crate::scans::{Agent, serve};
use crate::support;

use sluicegate_policy::hierarchy::Mode;
use sluicegate_policy::rules::{Rule, RuleTerms};
use sluicegate_policy::{ApprovalAction, Group};
use sluicegate_store::audit::{AuditEntry, AuditQuery};
use sluicegate_store::check::CheckOptions;
use sluicegate_store::cleanup::CleanupOrder;
use sluicegate_store::hierarchy::{DeploymentNews, UpstreamSettings};
use sluicegate_store::{ApprovalOrder, Contact, FleetScope, Store, StoreError, Targeting};
use sluicegate_terms::{ComputerId, GroupId};
use std::path::Path;
use support::{at, import, open, software, uid};

const EVERYBODY: GroupId = GroupId::ALL_COMPUTERS;

fn pc(n: u32) -> ComputerId {
    format!("pc-{n}").parse().unwrap()
}

fn place(store: &Store, n: u32, group: GroupId, now: i64) {
    store.touch(Contact::new(pc(n), at(now))).unwrap();
    store.move_computer(&pc(n), group, at(now)).unwrap();
}

fn groups_of(store: &Store, n: u32) -> Vec<GroupId> {
    store.groups_of(&pc(n)).unwrap().assigned
}

fn approve(store: &Store, n: u128, group: GroupId, action: ApprovalAction, now: i64) {
    let order = ApprovalOrder { update: uid(n), group, action, deadline: None, by: "Ada".to_owned() };
    store.approve(order, at(now)).unwrap();
}

fn approved(store: &Store) -> Vec<(u128, GroupId)> {
    store.decisions().approvals.keys().map(|(update, group)| (update.0.as_u128(), *group)).collect()
}

fn sound(store: &Store) {
    let report =
        store.check(&CheckOptions { content: false, repair: false, now: at(99), prepare: None }).unwrap();
    assert!(report.is_sound(), "{:?}", report.findings);
}

/// Servers with Web in it, and Pilots; two updates approved for each, a computer in each.
fn fleet(dir: &Path) -> (Store, [GroupId; 3]) {
    let store = open(dir);
    import(&store, 0, &[software(1, 1, "One"), software(2, 1, "Two")]);
    let make = |name: &str, parent| store.create_group(name.parse().unwrap(), parent, at(1)).unwrap().id;
    let servers = make("Servers", None);
    let groups = [servers, make("Web", Some(servers)), make("Pilots", None)];
    for (n, group) in groups.iter().enumerate() {
        place(&store, n as u32, *group, 2);
        approve(&store, 1, *group, ApprovalAction::Install, 3);
        approve(&store, 2, *group, ApprovalAction::NotApproved, 3);
    }
    (store, groups)
}

fn rule(name: &str, groups: &[GroupId]) -> Rule {
    let terms = RuleTerms {
        name: name.parse().unwrap(),
        classifications: [].into(),
        products: [].into(),
        groups: groups.iter().copied().collect(),
        deadline: None,
    };
    Rule::new(terms, true).unwrap()
}

#[test]
fn a_deleted_group_takes_its_approvals_and_memberships_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (store, [servers, web, pilots]) = fleet(dir.path());
    approve(&store, 1, EVERYBODY, ApprovalAction::Install, 4);
    let only = store.save_rule(None, rule("Only", &[pilots]), at(5)).unwrap();
    let both = store.save_rule(None, rule("Both", &[pilots, web]), at(5)).unwrap();
    let scope = |store: &Store, group| {
        let of = FleetScope { group: Some(group), targeting: Targeting::Server };
        store.summary(of).unwrap().0.computers.total
    };
    assert_eq!(scope(&store, EVERYBODY), 3);
    let anchor = store.anchor();
    let gone = store.remove_group(pilots, false, at(6)).unwrap();
    assert_eq!(store.anchor().0, anchor.0 + 1, "one change");
    assert_eq!((gone.removed.approvals, gone.computers, gone.unassigned), (2, 1, 1));
    assert_eq!((gone.removed.rules, gone.removed.rules_without_group), (vec![both], vec![only]));
    assert!(gone.removed.nested.is_empty());
    assert_eq!(scope(&store, GroupId::UNASSIGNED_COMPUTERS), 1);

    let mut wanted = vec![(1, EVERYBODY), (1, servers), (1, web), (2, servers), (2, web)];
    wanted.sort_unstable();
    let check = |store: &Store| {
        assert_eq!(approved(store), wanted);
        assert_eq!([0, 1, 2].map(|n| groups_of(store, n)), [vec![servers], vec![web], vec![]]);
        let rules = store.decisions().rules.clone();
        assert!(!rules[&only].enabled() && rules[&only].terms().groups.is_empty());
        assert!(rules[&both].enabled() && rules[&both].terms().groups == [web].into());
        sound(store);
        // A rule without a group approves for nobody, also when somebody runs it.
        assert_eq!(store.run_rules(Some(&[only]), at(7)).unwrap().approved, 0);
    };
    check(&store);
    drop(store);
    let store = open(dir.path());
    check(&store);
    assert!(matches!(store.remove_group(pilots, false, at(8)), Err(StoreError::Decision(_))), "it is gone");
    // One of that name is another group: what was decided here does not come back by itself.
    let (anew, back) = store.make_group("Pilots".parse().unwrap(), None, at(9)).unwrap();
    assert_eq!((back, groups_of(&store, 2)), (0, vec![]));
    assert_ne!(anew.id, pilots);
}

#[test]
fn nested_groups_go_only_when_that_is_said_and_built_in_ones_never() {
    let dir = tempfile::tempdir().unwrap();
    let (store, [servers, web, pilots]) = fleet(dir.path());
    let before = (store.anchor(), store.decisions());
    for (group, nested, said) in [
        (servers, false, "`Servers` has groups nested in it (`Web`), so nothing was deleted"),
        (EVERYBODY, true, "`All Computers` is built in: it cannot be deleted"),
        (GroupId::UNASSIGNED_COMPUTERS, false, "`Unassigned Computers` is built in: it cannot be deleted"),
    ] {
        let refused = store.remove_group(group, nested, at(5)).unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
    }
    assert_eq!((store.anchor(), store.decisions()), before, "what is refused leaves no trace");
    let gone = store.remove_group(servers, true, at(6)).unwrap();
    assert_eq!(gone.removed.nested.iter().map(|group| group.id).collect::<Vec<_>>(), [web]);
    assert_eq!((gone.removed.approvals, gone.computers, gone.unassigned), (4, 2, 2));
    assert_eq!([0, 1, 2].map(|n| groups_of(&store, n)), [vec![], vec![], vec![pilots]]);
    let entries = store.audit(&AuditQuery { limit: 20, ..AuditQuery::default() }).unwrap().entries;
    let told: Vec<&AuditEntry> = entries.iter().filter(|entry| entry.action == "remove-group").collect();
    assert_eq!(told.len(), 2);
    assert!(told.iter().any(|entry| entry.subject.starts_with("Web ")), "{told:?}");
    // What was withdrawn of each update stands there too.
    assert!(entries.iter().filter(|entry| entry.action == "unapprove").count() >= 2, "{entries:?}");
    sound(&store);
}

fn mode(store: &Store, mode: Mode, groups: &[Group], now: i64) {
    let source = Some("http://parent:8530".parse().unwrap());
    let settings = UpstreamSettings { source, mode, ..UpstreamSettings::default() };
    store.set_upstream_settings(settings, at(now)).unwrap();
    if mode == Mode::Replica {
        let anchor = "1".to_owned();
        let news =
            DeploymentNews { groups: groups.to_vec(), anchor, complete: true, ..DeploymentNews::default() };
        store.adopt_deployments(&news, at(now)).unwrap();
    }
}

#[test]
fn a_replica_deletes_no_group_and_has_the_computers_of_a_deleted_one_where_it_had_them() {
    let dir = tempfile::tempdir().unwrap();
    let (store, [.., pilots]) = fleet(dir.path());
    let above = Group { id: GroupId(uid(70).0), name: "Above".parse().unwrap(), parent: Some(EVERYBODY) };
    let there = [above.clone()];
    mode(&store, Mode::Replica, &there, 10);
    assert!(matches!(store.remove_group(above.id, false, at(11)), Err(StoreError::Replica { .. })));
    place(&store, 2, above.id, 12);
    mode(&store, Mode::Autonomous, &there, 13);
    // Placed in this mode, and then the group goes: nobody placed it in Unassigned Computers.
    place(&store, 2, pilots, 14);
    store.remove_group(pilots, false, at(15)).unwrap();
    assert_eq!(groups_of(&store, 2), []);
    mode(&store, Mode::Replica, &there, 16);
    assert_eq!(groups_of(&store, 2), [above.id]);
    mode(&store, Mode::Autonomous, &there, 17);
    assert_eq!((groups_of(&store, 2), store.decisions().groups.get(pilots)), (vec![], None));
}

#[test]
fn whom_another_mode_had_in_a_group_of_that_name_is_not_put_into_one_that_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let [own, berlin] =
        ["Own", "Berlin"].map(|name| store.create_group(name.parse().unwrap(), None, at(0)).unwrap().id);
    place(&store, 1, own, 1);
    let above = Group { id: GroupId(uid(70).0), name: "berlin".parse().unwrap(), parent: Some(EVERYBODY) };
    mode(&store, Mode::Replica, std::slice::from_ref(&above), 2);
    place(&store, 1, above.id, 3);
    mode(&store, Mode::Autonomous, &[], 4);
    place(&store, 1, own, 5);
    // Where the upstream has it is gone, and so it is known as one that was in a group of that name.
    mode(&store, Mode::Replica, std::slice::from_ref(&above), 6);
    assert_eq!(groups_of(&store, 1), [above.id]);
    mode(&store, Mode::Replica, &[], 7);
    mode(&store, Mode::Autonomous, &[], 8);
    assert_eq!(groups_of(&store, 1), [own]);
    store.remove_group(berlin, false, at(9)).unwrap();
    let (_, back) = store.make_group("BERLIN".parse().unwrap(), None, at(10)).unwrap();
    assert_eq!((back, groups_of(&store, 1)), (0, vec![own]));
}

#[test]
fn computers_that_ask_for_a_deleted_group_by_name_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let (store, [_, _, pilots]) = fleet(dir.path());
    store.set_config(&[("targeting".to_owned(), "client".to_owned())].into(), at(4)).unwrap();
    for (computer, names) in [(1, &["PILOTS", "Nowhere"][..]), (2, &["Web", "pilots"]), (3, &["Nowhere"])] {
        let requested_groups = Some(names.iter().map(ToString::to_string).collect());
        store.touch(Contact { requested_groups, ..Contact::new(pc(computer), at(5)) }).unwrap();
    }
    let gone = store.remove_group(pilots, false, at(6)).unwrap();
    assert_eq!((gone.computers, gone.unassigned), (2, 1), "the other is in Web");
}

#[test]
fn a_package_from_before_brings_a_deleted_group_back_with_its_approvals_and_without_computers() {
    let dir = tempfile::tempdir().unwrap();
    let (store, [.., pilots]) = fleet(dir.path());
    store.decline(uid(2), at(4)).unwrap();
    approve(&store, 2, pilots, ApprovalAction::NotApproved, 5);
    let carried = store.decisions().to_carry();
    store.remove_group(pilots, false, at(6)).unwrap();
    let after = store.decisions().to_carry();
    let taken = store.take_in(&carried, at(7)).unwrap();
    assert_eq!((taken.groups, taken.skipped), (1, 0), "{:?}", taken.reasons);
    assert!(approved(&store).contains(&(1, pilots)) && approved(&store).contains(&(2, pilots)));
    assert_eq!(groups_of(&store, 2), []);
    sound(&store);
    // One from after does not delete it: that is no decision that is carried.
    let taken = store.take_in(&after, at(8)).unwrap();
    assert_eq!((taken.groups, taken.withdrawn), (0, 0));
    assert!(store.decisions().groups.get(pilots).is_some());
}

#[test]
fn what_was_refused_of_a_removed_update_goes_with_the_group_also_when_that_is_back() {
    const DAY: i64 = 86_400;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 1, &[software(1, 1, "Unwanted")]);
    let pilots = store.create_group("Pilots".parse().unwrap(), None, at(2)).unwrap().id;
    let with_group = store.decisions().to_carry();
    store.decline(uid(1), at(3)).unwrap();
    denied_elsewhere(&store, &[1], &[pilots], 4);
    for day in [0, 40, 43] {
        store.cleanup(&CleanupOrder::default(), at(day * DAY), &mut || true).unwrap();
    }
    assert_eq!(store.catalog_size().unwrap().updates, 0);
    store.remove_group(pilots, false, at(44 * DAY)).unwrap();
    store.take_in(&with_group, at(45 * DAY)).unwrap();
    import(&store, 46 * DAY, &[software(1, 2, "Unwanted")]);
    assert!(store.decisions().declined.contains_key(&uid(1)), "it is for everybody");
    assert_eq!(approved(&store), []);
}

/// Computers that ask for their groups by name are in a group of the same id again before they come again.
#[test]
fn a_computer_that_was_away_is_told_what_is_not_approved_any_more_for_a_group_that_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[software(1, 1, "One"), software(2, 1, "Two")]);
    let pilots = store.create_group("Pilots".parse().unwrap(), None, at(1)).unwrap().id;
    let approvals =
        |agent: &Agent| agent.held.values().filter(|(_, d)| d.action.as_str() == "Install").count();
    approve(&store, 1, pilots, ApprovalAction::Install, 2);
    let package = store.decisions().to_carry();
    approve(&store, 2, pilots, ApprovalAction::Install, 3);
    let mut agent = Agent::of(&[pilots]);
    agent.scan(&serve(&store));
    assert_eq!(approvals(&agent), 2);
    store.remove_group(pilots, false, at(4)).unwrap();
    drop(store);
    let store = open(dir.path());
    store.take_in(&package, at(5)).unwrap();
    agent.scan(&serve(&store));
    assert_eq!(approvals(&agent), 1, "of the other it was told");
    assert!(store.decisions().is_untouched(uid(2)), "a mark for computers is nobody's decision");
    sound(&store);
}

#[test]
fn a_renamed_group_keeps_its_id_approvals_and_computers() {
    let dir = tempfile::tempdir().unwrap();
    let (store, [servers, web, pilots]) = fleet(dir.path());
    let before = store.decisions();
    for (group, name, said) in [
        (web, "servers", "already a group named `servers`"),
        (EVERYBODY, "Everybody", "`All Computers` is built in: it cannot be renamed"),
        (GroupId(uid(99).0), "New", "there is no group"),
    ] {
        let refused = store.rename_group(group, name.parse().unwrap(), at(4)).unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
    }
    assert_eq!(store.decisions(), before);
    let done = store.rename_group(pilots, "Early birds".parse().unwrap(), at(5)).unwrap();
    assert_eq!((done.before.as_str(), done.group.name.as_str()), ("Pilots", "Early birds"));
    assert_eq!((done.left, done.joined, done.group.id), (0, 0, pilots));
    // The name is free, and a third lets two trade theirs.
    store.rename_group(web, "PILOTS".parse().unwrap(), at(6)).unwrap();
    store.rename_group(web, "Pilots".parse().unwrap(), at(7)).unwrap();
    drop(store);
    let store = open(dir.path());
    let tree = &store.decisions().groups;
    assert_eq!((tree.find("pilots").unwrap().id, tree.find("early BIRDS").unwrap().id), (web, pilots));
    assert_eq!((&store.decisions().approvals, &store.decisions().rules), (&before.approvals, &before.rules));
    assert_eq!([0, 1, 2].map(|n| groups_of(&store, n)), [vec![servers], vec![web], vec![pilots]]);
    let entries = store.audit(&AuditQuery { limit: 20, ..AuditQuery::default() }).unwrap().entries;
    let told: Vec<&AuditEntry> = entries.iter().filter(|entry| entry.action == "change-group").collect();
    assert_eq!(told.len(), 3);
    assert!(
        told[2].before.as_ref().unwrap().contains("Pilots") && told[2].subject.starts_with("Early birds (")
    );
    mode(&store, Mode::Replica, &[], 10);
    let refused = store.rename_group(pilots, "Mine".parse().unwrap(), at(11));
    assert!(matches!(refused, Err(StoreError::Replica { .. })), "{refused:?}");
}

#[test]
fn a_renamed_group_has_the_computers_that_ask_for_its_new_name() {
    let dir = tempfile::tempdir().unwrap();
    let (store, [_, web, pilots]) = fleet(dir.path());
    store.set_config(&[("targeting".to_owned(), "client".to_owned())].into(), at(4)).unwrap();
    let wishes =
        [(1, &["PILOTS", "Nowhere"][..]), (2, &["Web", "pilots"]), (3, &["new"]), (4, &["New", "Pilots"])];
    for (computer, names) in wishes {
        let requested_groups = Some(names.iter().map(ToString::to_string).collect());
        store.touch(Contact { requested_groups, ..Contact::new(pc(computer), at(5)) }).unwrap();
    }
    let inside = |group| {
        let of = FleetScope { group: Some(group), targeting: Targeting::Client };
        store.summary(of).unwrap().0.computers.total
    };
    assert_eq!((inside(pilots), inside(web)), (3, 1));
    let done = store.rename_group(pilots, "pilots".parse().unwrap(), at(6)).unwrap();
    assert_eq!((done.left, done.joined), (0, 0), "the same but for the letters");
    let done = store.rename_group(pilots, "New".parse().unwrap(), at(7)).unwrap();
    assert_eq!((done.left, done.joined), (2, 1), "the fourth asks for both");
    assert_eq!((inside(pilots), inside(web)), (2, 1));
}
