//! Every filter against the plainest thing that could answer it: a world of updates, nested groups,
//! decisions and computers, and a pass over all pairs of update and computer.
#![allow(unreachable_pub)]

mod world;

use sluicegate_browse::{
    ApprovalFilter, ApprovalState, ComputerQuery, ComputersOfUpdate, Reboot, Scope, Severity, StatusFilter,
    UpdateQuery, UpdateSort,
};
use sluicegate_terms::GroupId;
use world::{Dice, World};

/// So many worlds; `SLUICEGATE_WORLDS` asks for more.
fn worlds() -> u64 {
    std::env::var("SLUICEGATE_WORLDS").ok().and_then(|n| n.parse().ok()).unwrap_or(60)
}

const APPROVALS: [Option<ApprovalFilter>; 5] = [
    None,
    Some(ApprovalFilter::Approved),
    Some(ApprovalFilter::Undecided),
    Some(ApprovalFilter::Declined),
    Some(ApprovalFilter::AnyExceptDeclined),
];

fn statuses() -> impl Iterator<Item = Option<StatusFilter>> {
    StatusFilter::ALL.into_iter().map(Some).chain([None])
}

/// Answers how many of the catalog's updates fit.
fn check(world: &World, query: &UpdateQuery, group: Option<GroupId>) -> usize {
    let scope = world.scope(group);
    let page = world.index.updates(query, &world.decisions, &scope);
    let expected = world.updates(query, group);
    assert_eq!(page.total, expected.len() as u64, "{query:?} in {group:?}");
    let found = expected.len();
    let wanted = expected.into_iter().skip(query.offset as usize).take(query.limit as usize);
    assert_eq!(page.rows, wanted.collect::<Vec<_>>(), "{query:?} in {group:?}");
    found
}

#[test]
fn every_pair_of_the_console_s_filters_finds_for_every_group_what_a_pass_over_everything_finds() {
    // How often a status found some updates, and how often none.
    let mut seen = std::collections::BTreeMap::<_, (usize, usize)>::new();
    for seed in 0..worlds() {
        let mut world = World::new(seed);
        for _ in 0..3 {
            for group in world.all_groups().into_iter().map(Some).chain([None]) {
                for approval in APPROVALS {
                    for status in statuses() {
                        let query = UpdateQuery { approval, status, limit: 1_000, ..UpdateQuery::default() };
                        let found = check(&world, &query, group);
                        let tally = seen
                            .entry((status.map(StatusFilter::as_str), approval.map(ApprovalFilter::as_str)));
                        let (some, none) = tally.or_default();
                        *(if found > 0 { some } else { none }) += 1;
                        let query = UpdateQuery { approved_for: group, everything: true, ..query };
                        check(&world, &query, group);
                    }
                }
            }
            world.change();
        }
    }
    assert_eq!(seen.len(), 35);
    for (pair, (some, none)) in seen {
        assert!(some > 0 && (none > 0 || pair.0.is_none()), "the worlds do not try {pair:?}: {some}, {none}");
    }
}

#[test]
fn every_other_filter_alone_and_any_of_them_together_find_what_a_pass_over_everything_finds() {
    for seed in 0..worlds() {
        let mut world = World::new(1_000_000 + seed);
        let mut dice = Dice::new(seed);
        for _ in 0..3 {
            let base = UpdateQuery { limit: 1_000, ..UpdateQuery::default() };
            for query in world.single_filters(&base) {
                check(&world, &query, None);
                check(&world, &UpdateQuery { everything: true, ..query }, None);
            }
            for _ in 0..60 {
                let singles = world.single_filters(&base);
                let mut query = base.clone();
                for _ in 0..dice.below(4) {
                    world::combine(&mut query, dice.pick(&singles));
                }
                query.approval = *dice.pick(&APPROVALS);
                query.status = *dice.pick(&statuses().collect::<Vec<_>>());
                query.sort = *dice.pick(&UpdateSort::ALL);
                query.ascending = *dice.pick(&[None, Some(true), Some(false)]);
                query.everything = dice.below(2) == 0;
                query.limit = *dice.pick(&[0, 1, 3, 1_000]);
                query.offset = *dice.pick(&[0, 0, 1, 5]);
                let groups: Vec<_> = world.all_groups().into_iter().map(Some).chain([None]).collect();
                let group = *dice.pick(&groups);
                check(&world, &query, group);
            }
            world.change();
        }
    }
}

#[test]
fn every_pair_of_filters_finds_what_a_pass_over_everything_finds() {
    // A pass for each pair is thousands; few worlds do, because each has all the pairs.
    let (mut pairs, mut some) = (0, 0);
    for seed in 0..worlds().div_ceil(20) {
        let mut world = World::new(5_000_000 + seed);
        for _ in 0..10 {
            world.change();
        }
        let base = UpdateQuery { limit: 1_000, everything: seed % 2 == 0, ..UpdateQuery::default() };
        let singles = world.single_filters(&base);
        for (at, one) in singles.iter().enumerate() {
            for other in &singles[at + 1..] {
                let mut query = one.clone();
                world::combine(&mut query, other);
                // Two values of one filter are one filter.
                if query != *other {
                    pairs += 1;
                    some += usize::from(check(&world, &query, None) > 0);
                }
            }
        }
    }
    assert!(pairs > 2_000 && some * 10 > pairs, "{some} of {pairs} pairs find anything");
}

#[test]
fn computers_and_their_counts_are_what_a_pass_over_everything_finds() {
    for seed in 0..worlds() {
        let mut world = World::new(2_000_000 + seed);
        for _ in 0..4 {
            for group in world.all_groups().into_iter().map(Some).chain([None]) {
                let scope = world.scope(group);
                for status in statuses() {
                    for search in [None, Some("PC-1".to_owned()), Some("host".to_owned())] {
                        let query = ComputerQuery { search, status, limit: 1_000, offset: 0 };
                        let page = world.index.computers(&query, &scope);
                        let found: Vec<_> = page.rows.iter().map(|hit| (hit.key, hit.states)).collect();
                        assert_eq!(found, world.computers(&query, group), "{query:?} in {group:?}");
                    }
                    for update in world.all_updates() {
                        let all = world.computers_of(update, None, group);
                        let counts = world.index.counts_of(update, std::slice::from_ref(&scope))[0];
                        assert_eq!(counts.total(), all.len() as u64);
                        for (state, count) in counts.iter() {
                            assert_eq!(count, all.iter().filter(|(_, s)| *s == state).count() as u64);
                        }
                        let query = ComputersOfUpdate { update, status, limit: 1_000, offset: 0 };
                        let page = world.index.computers_of(&query, &scope);
                        assert_eq!(page.rows, world.computers_of(update, status, group), "{query:?}");
                    }
                }
                assert_eq!(world.index.summary(&scope), world.summary(group), "{group:?}");
            }
            world.change();
        }
    }
}

#[test]
fn what_is_decided_is_counted_as_a_pass_over_everything_counts_it() {
    let mut undecided_in = 0;
    for seed in 0..worlds() {
        let mut world = World::new(3_000_000 + seed);
        for _ in 0..6 {
            for categories in [vec![], vec![world::category(4)], (1..5).map(world::category).collect()] {
                let expected = world.decided(&categories);
                assert_eq!(world.index.decided(&categories), expected, "in {categories:?}");
                undecided_in += expected.undecided_in;
            }
            world.change();
        }
    }
    assert!(undecided_in > 0, "the worlds have no undecided update in a category");
}

#[test]
fn an_index_that_lived_through_changes_answers_as_a_new_one_and_takes_no_more_memory_for_texts() {
    for seed in 0..worlds().min(20) {
        let mut world = World::new(4_000_000 + seed);
        for _ in 0..30 {
            world.change();
        }
        let new = world.indexed_anew();
        let query = UpdateQuery { everything: true, limit: 1_000, ..UpdateQuery::default() };
        for sort in UpdateSort::ALL {
            let query = UpdateQuery { sort, ..query.clone() };
            let everybody = Scope::everybody();
            assert_eq!(
                world.index.updates(&query, &world.decisions, &everybody),
                new.updates(&query, &world.decisions, &everybody)
            );
        }
        let query = ComputerQuery { limit: 1_000, ..ComputerQuery::default() };
        assert_eq!(
            world.index.computers(&query, &Scope::everybody()),
            new.computers(&query, &Scope::everybody())
        );
        assert!(world.index.heap_bytes().0 <= new.heap_bytes().0 * 2, "{:?}", world.index.heap_bytes());
    }
}

#[test]
fn the_words_of_severities_and_restarts_come_back() {
    for severity in Severity::ALL {
        assert_eq!(severity.as_str().parse(), Ok(severity));
    }
    assert_eq!(Severity::of_document(Some("Critical")), Severity::Critical);
    assert_eq!(Severity::of_document(Some("Terrible")), Severity::Unspecified);
    for reboot in Reboot::ALL {
        assert_eq!(reboot.as_str().parse(), Ok(reboot));
    }
    assert_eq!(Reboot::of_document(Some("CanRequestReboot")), Reboot::CanRequest);
    assert_eq!(ApprovalState::Undecided.as_str(), "unapproved");
}
