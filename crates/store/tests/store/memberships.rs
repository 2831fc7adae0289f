//! Computers of a replica whose groups its upstream takes away and gives back.

use crate::support;

use sluicegate_policy::hierarchy::{Adopted, Mode};
use sluicegate_policy::{CarriedDecisions, Group};
use sluicegate_store::hierarchy::{DeploymentNews, UpstreamSettings};
use sluicegate_store::{Contact, Store};
use sluicegate_terms::{ComputerId, GroupId, Guid};
use std::path::Path;
use support::{at, open};

const DAY: i64 = 86_400;

fn pc(n: u32) -> ComputerId {
    format!("pc-{n}").parse().unwrap()
}

fn gid(n: u128) -> GroupId {
    GroupId(Guid::from_u128(n))
}

/// The upstream's groups are these now.
fn adopt(store: &Store, groups: &[(u128, &str)], now: i64) -> Adopted {
    let group = |(id, name): &(u128, &str)| {
        let parent = Some(GroupId::ALL_COMPUTERS);
        Group { id: gid(*id), name: name.parse().unwrap(), parent }
    };
    let groups = groups.iter().map(group).collect();
    let news = DeploymentNews { groups, anchor: "1".to_owned(), complete: true, ..DeploymentNews::default() };
    store.adopt_deployments(&news, at(now)).unwrap()
}

fn groups_of(store: &Store, n: u32) -> Vec<GroupId> {
    store.groups_of(&pc(n)).unwrap().assigned
}

/// Computers 1 and 2 are in the group Berlin of the upstream, 3 in Web.
fn replica(dir: &Path) -> Store {
    let store = open(dir);
    let source = Some("http://parent:8530".parse().unwrap());
    let settings = UpstreamSettings { source, mode: Mode::Replica, ..UpstreamSettings::default() };
    store.set_upstream_settings(settings, at(0)).unwrap();
    adopt(&store, &[(1, "Berlin"), (2, "Web")], 1);
    for (computer, group) in [(1, 1), (2, 1), (3, 2)] {
        store.touch(Contact::new(pc(computer), at(1))).unwrap();
        store.move_computer(&pc(computer), gid(group), at(2)).unwrap();
    }
    store
}

#[test]
fn computers_are_back_in_a_group_that_was_gone_for_a_while() {
    let dir = tempfile::tempdir().unwrap();
    let store = replica(dir.path());
    let adopted = adopt(&store, &[(2, "Web")], 10);
    assert_eq!((adopted.ungrouped, adopted.put_back), (2, 0));
    assert_eq!((groups_of(&store, 1), groups_of(&store, 3)), (vec![], vec![gid(2)]));
    // Whoever is placed anew meanwhile stays there.
    store.move_computer(&pc(2), gid(2), at(11)).unwrap();
    let adopted = adopt(&store, &[(1, "BERLIN"), (2, "Web")], 12);
    assert_eq!((adopted.ungrouped, adopted.put_back), (0, 1));
    assert_eq!((groups_of(&store, 1), groups_of(&store, 2)), (vec![gid(1)], vec![gid(2)]));
    assert_eq!(adopt(&store, &[(1, "BERLIN"), (2, "Web")], 13), Adopted::default());
}

#[test]
fn a_group_of_the_same_name_takes_the_computers_over_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = replica(dir.path());
    let adopted = adopt(&store, &[(7, "berlin"), (8, "Database")], 10);
    assert_eq!((adopted.ungrouped, adopted.put_back), (3, 2));
    assert_eq!((groups_of(&store, 1), groups_of(&store, 2)), (vec![gid(7)], vec![gid(7)]));
    assert_eq!(groups_of(&store, 3), []);
}

#[test]
fn where_a_computer_was_is_known_for_ninety_days() {
    for (days, back) in [(90, 2), (91, 0)] {
        let dir = tempfile::tempdir().unwrap();
        let store = replica(dir.path());
        adopt(&store, &[(2, "Web")], 10);
        assert_eq!(adopt(&store, &[(1, "Berlin"), (2, "Web")], 10 + days * DAY).put_back, back, "{days}");
    }
}

fn settings(source: Option<&str>, mode: Mode) -> UpstreamSettings {
    let source = source.map(|url| url.parse().unwrap());
    UpstreamSettings { source, mode, ..UpstreamSettings::default() }
}

#[test]
fn whoever_was_placed_in_one_mode_is_in_the_same_group_of_the_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    // Berlin has another id here than at the upstream; Local is only here.
    let berlin = store.create_group("berlin".parse().unwrap(), None, at(0)).unwrap().id;
    let local = store.create_group("Local".parse().unwrap(), None, at(0)).unwrap().id;
    for (computer, group) in [(4, Some(local)), (5, Some(berlin)), (6, None)] {
        store.touch(Contact::new(pc(computer), at(0))).unwrap();
        if let Some(group) = group {
            store.move_computer(&pc(computer), group, at(0)).unwrap();
        }
    }
    let parent = Some("http://parent:8530");
    store.set_upstream_settings(settings(parent, Mode::Replica), at(1)).unwrap();
    adopt(&store, &[(1, "Berlin"), (2, "Web")], 2);
    assert_eq!((groups_of(&store, 4), groups_of(&store, 5)), (vec![], vec![gid(1)]));
    store.move_computer(&pc(6), gid(1), at(3)).unwrap();
    store.move_computer(&pc(5), gid(2), at(3)).unwrap();
    store.touch(Contact::new(pc(7), at(3))).unwrap();
    store.move_computer(&pc(7), gid(2), at(3)).unwrap();

    let ungrouped = store.set_upstream_settings(settings(None, Mode::Autonomous), at(4)).unwrap();
    assert_eq!(ungrouped, 1, "7 was in Web, which is not here");
    assert_eq!(groups_of(&store, 4), [local], "a group that the other mode does not have");
    assert_eq!(groups_of(&store, 6), [berlin], "placed meanwhile, in the group of that name");
    assert_eq!(groups_of(&store, 5), [berlin], "placed meanwhile in a group that is not here: where it was");
    assert_eq!(groups_of(&store, 7), []);

    // What an import brings takes them in.
    let web = Group { id: gid(2), name: "Web".parse().unwrap(), parent: Some(GroupId::ALL_COMPUTERS) };
    let carried = CarriedDecisions { groups: vec![web], ..CarriedDecisions::default() };
    store.take_in(&carried, at(5)).unwrap();
    assert_eq!(
        (groups_of(&store, 5), groups_of(&store, 7)),
        (vec![gid(2)], vec![gid(2)]),
        "5 was moved there"
    );

    // And back: nobody is lost.
    let ungrouped = store.set_upstream_settings(settings(parent, Mode::Replica), at(6)).unwrap();
    assert_eq!(ungrouped, 1, "4 is in Local");
    let all: Vec<_> = (4..8).map(|n| groups_of(&store, n)).collect();
    assert_eq!(all, [vec![], vec![gid(2)], vec![gid(1)], vec![gid(2)]], "5 was placed there in this mode");
}

/// A server that decides itself, with groups Servers and Own, below a parent with Servers and Web. Computers 1 to 3 are in
/// Servers, and the server is a replica now.
fn switching(dir: &Path) -> (Store, GroupId, GroupId) {
    let store = open(dir);
    let [servers, own] =
        ["Servers", "Own"].map(|name| store.create_group(name.parse().unwrap(), None, at(0)).unwrap().id);
    for computer in 1..4 {
        store.touch(Contact::new(pc(computer), at(0))).unwrap();
        store.move_computer(&pc(computer), servers, at(0)).unwrap();
    }
    to(&store, Mode::Replica);
    (store, servers, own)
}

fn to(store: &Store, mode: Mode) {
    store.set_upstream_settings(settings(Some("http://parent:8530"), mode), at(1)).unwrap();
    if mode == Mode::Replica {
        adopt(store, &[(1, "Servers"), (2, "Web")], 2);
    }
}

#[test]
fn a_round_trip_between_modes_puts_nobody_back_into_a_group_that_he_was_moved_out_of() {
    let dir = tempfile::tempdir().unwrap();
    let (store, servers, own) = switching(dir.path());
    store.move_computer(&pc(1), gid(2), at(3)).unwrap();
    let all = |store: &Store| [1, 2, 3].map(|n| groups_of(store, n));
    let [web, there, here] = [vec![gid(2)], vec![gid(1)], vec![servers]];
    for _ in 0..2 {
        to(&store, Mode::Autonomous);
        assert_eq!(all(&store), [here.clone(), here.clone(), here.clone()]);
        to(&store, Mode::Replica);
        assert_eq!(all(&store), [web.clone(), there.clone(), there.clone()]);
    }
    // The other way round, and in Unassigned Computers, which both modes have.
    to(&store, Mode::Autonomous);
    store.move_computer(&pc(2), own, at(4)).unwrap();
    store.move_computer(&pc(3), GroupId::UNASSIGNED_COMPUTERS, at(4)).unwrap();
    for _ in 0..2 {
        to(&store, Mode::Replica);
        assert_eq!(all(&store), [web.clone(), there.clone(), vec![]]);
        to(&store, Mode::Autonomous);
        assert_eq!(all(&store), [here.clone(), vec![own], vec![]]);
    }
}

#[test]
fn whoever_is_placed_in_a_group_of_both_modes_is_in_that_one_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (store, servers, own) = switching(dir.path());
    to(&store, Mode::Autonomous);
    store.move_computer(&pc(1), own, at(4)).unwrap();
    to(&store, Mode::Replica);
    store.move_computer(&pc(1), gid(1), at(5)).unwrap();
    to(&store, Mode::Autonomous);
    assert_eq!(groups_of(&store, 1), [servers]);
}

#[test]
fn whoever_was_placed_where_the_upstream_has_a_group_too_is_there_alone_once_it_was_asked() {
    let dir = tempfile::tempdir().unwrap();
    let (store, servers, _) = switching(dir.path());
    store.move_computer(&pc(1), gid(2), at(3)).unwrap();
    to(&store, Mode::Autonomous);
    let new = store.create_group("New".parse().unwrap(), None, at(4)).unwrap().id;
    for computer in [1, 2] {
        store.move_computer(&pc(computer), new, at(4)).unwrap();
    }
    // The groups that were put aside do not have it yet.
    to(&store, Mode::Replica);
    let all = |store: &Store| [1, 2, 3].map(|n| groups_of(store, n));
    assert_eq!(all(&store), [vec![gid(2)], vec![gid(1)], vec![gid(1)]]);
    // The group that one of them stands in goes meanwhile, and comes back.
    adopt(&store, &[(2, "Web")], 5);
    adopt(&store, &[(2, "Web"), (3, "new")], 6);
    assert_eq!(all(&store), [vec![gid(3)], vec![gid(3)], vec![]]);
    adopt(&store, &[(1, "Servers"), (2, "Web"), (3, "new")], 7);
    assert_eq!(all(&store), [vec![gid(3)], vec![gid(3)], vec![gid(1)]]);
    store.set_upstream_settings(settings(None, Mode::Autonomous), at(8)).unwrap();
    assert_eq!(all(&store), [vec![new], vec![new], vec![servers]]);
}

#[test]
fn a_group_that_somebody_makes_takes_back_who_was_in_one_of_that_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = replica(dir.path());
    let ungrouped = store.set_upstream_settings(settings(None, Mode::Autonomous), at(4)).unwrap();
    assert_eq!((ungrouped, groups_of(&store, 3)), (3, vec![]));
    let (web, back) = store.make_group("WEB".parse().unwrap(), None, at(5)).unwrap();
    assert_eq!((back, groups_of(&store, 3)), (1, vec![web.id]));
    store.move_computer(&pc(1), web.id, at(6)).unwrap();
    let (_, back) = store.make_group("Berlin".parse().unwrap(), None, at(7)).unwrap();
    assert_eq!((back, groups_of(&store, 1)), (1, vec![web.id]), "1 was placed anew");
}

#[test]
fn computers_that_ask_for_groups_by_name_are_counted_when_the_last_of_them_goes() {
    let dir = tempfile::tempdir().unwrap();
    let store = replica(dir.path());
    store.set_config(&[("targeting".to_owned(), "client".to_owned())].into(), at(3)).unwrap();
    for (computer, names) in [(1, &["BERLIN", "Nowhere"][..]), (2, &["Web", "berlin"]), (3, &["Nowhere"])] {
        let requested_groups = Some(names.iter().map(ToString::to_string).collect());
        store.touch(Contact { requested_groups, ..Contact::new(pc(computer), at(4)) }).unwrap();
    }
    let adopted = adopt(&store, &[(2, "Web")], 10);
    assert_eq!((adopted.unmet, adopted.ungrouped, adopted.put_back), (1, 0, 0), "2 is in Web");
    assert_eq!(adopt(&store, &[(7, "Berlin"), (2, "Web")], 11).unmet, 0);
    let ungrouped = store.set_upstream_settings(settings(None, Mode::Autonomous), at(12)).unwrap();
    assert_eq!(ungrouped, 2);
}
