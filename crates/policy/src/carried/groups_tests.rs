//! Tests of groups that are carried: one of the same name is the same, and what was renamed or moved there is here.

use crate::carried::tests::{carry, gid, origin, uid};
use crate::carried::*;
use crate::groups::GroupTree;
use sluicegate_terms::Anchor;

#[test]
fn a_group_of_the_same_name_is_the_same_group() {
    let from = origin();
    let mut to = Decisions::default();
    to.groups.create(gid(500), "INNER".parse().unwrap(), None).unwrap();
    let taken = carry(&from, &mut to, 50);
    assert_eq!((taken.groups, taken.approved), (2, 2));
    assert!(to.approvals.contains_key(&(uid(10), gid(500))));
    assert!(to.groups.get(gid(1)).is_none());
    let inner = to.groups.get(gid(500)).unwrap();
    assert_eq!(
        (inner.name.as_str(), inner.parent),
        ("Inner", Some(gid(9))),
        "it has the name and place it has there"
    );
    assert_eq!(
        taken.regrouped,
        ["the group `INNER` is called `Inner` now and is in `Outer`, no longer in `All Computers`"]
    );
    assert_eq!(carry(&from, &mut to, 60), TakenIn::default());
}

#[test]
fn a_name_that_went_over_to_another_group_there_does_not_make_two_groups_one() {
    let mut from = Decisions::default();
    from.groups.create(gid(9), "Ring".parse().unwrap(), None).unwrap();
    from.groups.create(gid(5), "Outer".parse().unwrap(), None).unwrap();
    let mut to = Decisions::default();
    to.groups.create(gid(9), "Outer".parse().unwrap(), None).unwrap();
    let taken = carry(&from, &mut to, 60);
    assert_eq!((taken.groups, taken.skipped), (2, 0), "{taken:?}");
    assert_eq!(to.groups, from.groups);
}

#[test]
fn a_group_that_was_renamed_or_moved_there_is_so_here_and_counted_once() {
    let mut from = origin();
    let mut to = Decisions::default();
    carry(&from, &mut to, 50);
    from.groups.rename(gid(1), "Kernel".parse().unwrap()).unwrap();
    assert_eq!(carry(&from, &mut to, 60).groups, 1, "one has another name");
    assert_eq!(to.groups.get(gid(1)).unwrap().name.as_str(), "Kernel");
    from.groups.move_below(gid(1), GroupId::ALL_COMPUTERS, Anchor(61)).unwrap();
    assert_eq!(carry(&from, &mut to, 70).groups, 1, "one has another place");
    assert_eq!(to.groups.get(gid(1)).unwrap().parent, Some(GroupId::ALL_COMPUTERS));
}

#[test]
fn groups_that_are_here_and_not_there_stay_and_are_named() {
    let mut from = origin();
    let mut to = Decisions::default();
    assert!(carry(&from, &mut to, 50).unlisted.is_empty());
    let left = from.groups.iter().filter(|group| group.id != gid(1)).cloned();
    from.groups = GroupTree::restore(left, Anchor(55)).unwrap();
    from.approvals.retain(|(_, group), _| *group != gid(1));
    to.groups.create(gid(500), "Made here".parse().unwrap(), None).unwrap();
    to.groups.create(gid(501), "Namesake".parse().unwrap(), None).unwrap();
    from.groups.create(gid(2), "namesake".parse().unwrap(), None).unwrap();
    let before = to.groups.clone();
    let taken = carry(&from, &mut to, 60);
    assert_eq!(taken.unlisted, ["Inner", "Made here"]);
    assert!(before.iter().all(|group| to.groups.get(group.id).is_some()));
    assert!(to.approvals.contains_key(&(uid(10), gid(1))), "with what is approved for it");
}

#[test]
fn a_group_that_cannot_be_moved_keeps_its_name_too() {
    let (mut from, mut to) = (Decisions::default(), Decisions::default());
    from.groups.create(gid(500), "Top".parse().unwrap(), None).unwrap();
    from.groups.create(gid(9), "RING".parse().unwrap(), Some(gid(500))).unwrap();
    for (here, name) in [(9, "Outer"), (700, "Ring")] {
        to.groups = GroupTree::new();
        to.groups.create(gid(here), name.parse().unwrap(), None).unwrap();
        // As deep as groups nest: one place lower it would be too deep.
        let mut above = gid(here);
        for n in 2..crate::groups::MAX_GROUP_DEPTH as u128 - 1 {
            to.groups.create(gid(1_000 + n), format!("{n}").parse().unwrap(), Some(above)).unwrap();
            above = gid(1_000 + n);
        }
        to.groups.create(gid(999), "Lowest".parse().unwrap(), Some(above)).unwrap();
        let taken = carry(&from, &mut to, 60);
        assert_eq!((taken.groups, taken.skipped), (1, 1), "{taken:?}");
        assert!(taken.reasons[0].contains("`RING`"), "{taken:?}");
        let group = to.groups.get(gid(here)).unwrap();
        assert_eq!((group.name.as_str(), group.parent), (name, Some(GroupId::ALL_COMPUTERS)));
    }
}
