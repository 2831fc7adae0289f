//! Tests of target groups: names, nesting, what is refused, and what is read back.

use super::*;
use sluicegate_terms::Guid;

fn gid(n: u128) -> GroupId {
    GroupId(Guid::from_u128(n))
}

fn name(text: &str) -> GroupName {
    text.parse().unwrap()
}

fn nested() -> GroupTree {
    let mut tree = GroupTree::new();
    tree.create(gid(1), name("Servers"), None).unwrap();
    tree.create(gid(2), name("Web"), Some(gid(1))).unwrap();
    tree.create(gid(3), name("Pilot"), Some(gid(2))).unwrap();
    tree
}

#[test]
fn unassigned_computers_hangs_below_all_computers() {
    let tree = GroupTree::new();
    let path: Vec<_> = tree.path(GroupId::UNASSIGNED_COMPUTERS).collect();
    assert_eq!(path, [GroupId::UNASSIGNED_COMPUTERS, GroupId::ALL_COMPUTERS]);
    assert_eq!(tree.find("all computers").unwrap().id, GroupId::ALL_COMPUTERS);
}

#[test]
fn a_path_leads_from_the_group_to_the_root() {
    let path: Vec<_> = nested().path(gid(3)).collect();
    assert_eq!(path, [gid(3), gid(2), gid(1), GroupId::ALL_COMPUTERS]);
}

#[test]
fn names_are_unique_without_regard_to_case() {
    let mut tree = nested();
    assert_eq!(tree.create(gid(9), name("SERVERS"), None), Err(GroupError::NameTaken(name("SERVERS"))));
    assert_eq!(tree.rename(gid(3), name("web")), Err(GroupError::NameTaken(name("web"))));
    tree.rename(gid(2), name("WEB")).unwrap();
    assert_eq!(tree.find("web").unwrap().name.as_str(), "WEB");
    assert_eq!(tree.find(&gid(2).to_string()).unwrap().id, gid(2));
    assert!(matches!(tree.find("nobody"), Err(GroupError::UnknownName(_))));
}

#[test]
fn bad_names_are_refused() {
    for bad in ["", "  ", "a\u{1}b", &"x".repeat(257)] {
        assert!(bad.parse::<GroupName>().is_err(), "{bad:?}");
    }
}

#[test]
fn built_in_groups_stay_as_they_are() {
    let mut tree = nested();
    for id in [GroupId::ALL_COMPUTERS, GroupId::UNASSIGNED_COMPUTERS] {
        assert!(matches!(tree.remove(id), Err(GroupError::BuiltIn { .. })));
        assert!(matches!(tree.rename(id, name("x")), Err(GroupError::BuiltIn { .. })));
        assert!(matches!(tree.move_below(id, gid(1), Anchor(1)), Err(GroupError::BuiltIn { .. })));
    }
    let below = tree.create(gid(9), name("x"), Some(GroupId::UNASSIGNED_COMPUTERS));
    assert!(matches!(below, Err(GroupError::BuiltIn { .. })));
}

#[test]
fn a_group_cannot_be_moved_into_itself() {
    let mut tree = nested();
    assert!(matches!(tree.move_below(gid(1), gid(3), Anchor(5)), Err(GroupError::Cycle { .. })));
    assert!(matches!(tree.move_below(gid(1), gid(1), Anchor(5)), Err(GroupError::Cycle { .. })));
    assert_eq!(tree.reshaped(), Anchor::START);
    tree.move_below(gid(3), GroupId::ALL_COMPUTERS, Anchor(5)).unwrap();
    assert_eq!(tree.path(gid(3)).count(), 2);
    assert_eq!(tree.reshaped(), Anchor(5));
}

#[test]
fn only_groups_without_subgroups_are_removed() {
    let mut tree = nested();
    tree.create(gid(4), name("Db"), Some(gid(1))).unwrap();
    let refused = tree.remove(gid(1)).unwrap_err();
    let nested = ["Web", "Db", "Pilot"].map(name).into();
    assert_eq!(refused, GroupError::HasSubgroups { group: name("Servers"), nested });
    assert!(refused.to_string().starts_with("`Servers` has groups nested in it (`Web`, `Db`, `Pilot`), "));
    assert_eq!(tree.remove(gid(3)).unwrap().name, name("Pilot"));
    assert!(tree.find("pilot").is_err());
    assert_eq!(tree.remove(gid(3)), Err(GroupError::UnknownId(gid(3))));
}

#[test]
fn nesting_is_bounded() {
    let mut tree = GroupTree::new();
    let mut parent = None;
    for n in 1..MAX_GROUP_DEPTH {
        tree.create(gid(n as u128), name(&format!("g{n}")), parent).unwrap();
        parent = Some(gid(n as u128));
    }
    assert_eq!(tree.create(gid(99), name("deep"), parent), Err(GroupError::TooDeep(name("deep"))));
    tree.create(gid(98), name("top"), None).unwrap();
    assert!(matches!(tree.move_below(gid(1), gid(98), Anchor(1)), Err(GroupError::TooDeep(_))));
}

#[test]
fn a_stored_ring_is_refused() {
    let ring = [
        Group { id: gid(1), name: name("a"), parent: Some(gid(2)) },
        Group { id: gid(2), name: name("b"), parent: Some(gid(1)) },
    ];
    assert!(matches!(GroupTree::restore(ring, Anchor::START), Err(GroupError::Detached(_))));
    let orphan = [Group { id: gid(1), name: name("a"), parent: Some(gid(7)) }];
    assert!(matches!(GroupTree::restore(orphan, Anchor::START), Err(GroupError::Detached(_))));
}

#[test]
fn stored_groups_come_back_in_any_order() {
    let tree = nested();
    let mut stored: Vec<_> = tree.iter().cloned().collect();
    stored.reverse();
    assert_eq!(GroupTree::restore(stored, Anchor::START).unwrap(), tree);
}

#[test]
fn computers_of_unknown_groups_are_unassigned() {
    let paths = nested().paths(&[gid(77)]);
    let all: Vec<_> = paths.iter().collect();
    assert_eq!(all, [&[GroupId::UNASSIGNED_COMPUTERS, GroupId::ALL_COMPUTERS][..]]);
}

#[test]
fn a_refusal_names_the_first_of_many_nested_groups() {
    let mut tree = nested();
    for n in 10..20 {
        tree.create(gid(n), name(&format!("g{n}")), Some(gid(3))).unwrap();
    }
    let said = tree.remove(gid(1)).unwrap_err().to_string();
    assert!(said.contains("`g17` and 2 more"), "{said}");
}
