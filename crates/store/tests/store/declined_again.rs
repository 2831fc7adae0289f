//! What somebody declined and cleanup removed is declined when it comes again, with what was decided beside that.

use crate::support::{at, import, open, software, uid};
use sluicegate_policy::hierarchy::Mode;
use sluicegate_policy::rules::{Rule, RuleTerms};
use sluicegate_policy::{ApprovalAction, CarriedApproval, CarriedDecisions};
use sluicegate_store::cleanup::CleanupOrder;
use sluicegate_store::hierarchy::UpstreamSettings;
use sluicegate_store::{ApprovalOrder, Store};
use sluicegate_terms::GroupId;
use std::collections::BTreeSet;

const DAY: i64 = 86_400;

fn order(n: u128, group: GroupId, action: ApprovalAction) -> ApprovalOrder {
    ApprovalOrder { update: uid(n), group, action, deadline: None, by: "Ada".to_owned() }
}

fn approve(store: &Store, n: u128, seconds: i64) {
    store.approve(order(n, GroupId::ALL_COMPUTERS, ApprovalAction::Install), at(seconds)).unwrap();
}

fn clean(store: &Store, day: i64) {
    store.cleanup(&CleanupOrder::default(), at(day * DAY), &mut || true).unwrap();
}

fn updates(store: &Store) -> u64 {
    store.catalog_size().unwrap().updates
}

fn follow_parent(store: &Store, mode: Mode, day: i64) {
    let source = Some("http://parent:8530".parse().unwrap());
    let settings = UpstreamSettings { source, mode, ..UpstreamSettings::default() };
    store.set_upstream_settings(settings, at(day * DAY)).unwrap();
}

#[test]
fn what_somebody_declined_is_declined_when_it_comes_again_after_cleanup_removed_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    import(&store, 1, &[software(1, 1, "Unwanted"), software(2, 1, "Preview"), software(3, 1, "Plain")]);
    let mut settings = store.cleanup_settings().unwrap();
    settings.filters = ["title=preview".parse().unwrap()].into();
    store.set_cleanup_settings(&settings, at(2)).unwrap();
    store.decline(uid(1), at(3)).unwrap();
    let carried = {
        let elsewhere = tempfile::tempdir().unwrap();
        let origin = open(elsewhere.path());
        import(&origin, 1, &[software(1, 1, "Unwanted")]);
        approve(&origin, 1, 2);
        origin.decisions().to_carry()
    };
    for day in [0, 40, 43] {
        clean(&store, day);
    }
    assert_eq!(updates(&store), 1, "both are removed");
    drop(store);
    let store = open(folder.path());
    settings.filters.clear();
    store.set_cleanup_settings(&settings, at(44 * DAY)).unwrap();
    import(&store, 45 * DAY, &[software(1, 2, "Unwanted"), software(2, 2, "Preview")]);
    let own = store.decisions().declined[&uid(1)];
    assert_eq!((own.at, own.decided, own.automatic), (at(45 * DAY), at(3), false));
    assert!(!store.decisions().declined.contains_key(&uid(2)), "nobody declined it");
    // What was decided elsewhere before counts no more than it did then.
    assert_eq!(store.take_in(&carried, at(46 * DAY)).unwrap().older, 1);
    assert!(store.decisions().approvals.is_empty());
    // Once it is here again, whoever approves it takes the decline back for good.
    approve(&store, 1, 47 * DAY);
    store.unapprove(uid(1), None, "admin".to_owned(), at(48 * DAY)).unwrap();
    import(&store, 49 * DAY, &[software(1, 3, "Unwanted")]);
    assert!(store.decisions().declined.is_empty());
}

/// Takes in from another server that updates are not approved for groups. Ordered here that would take a decline back; a
/// server above, or one of an earlier version, may have both.
pub(crate) fn denied_elsewhere(store: &Store, updates: &[u128], groups: &[GroupId], seconds: i64) {
    let denial = |n: &u128, group: &GroupId| {
        let order = order(*n, *group, ApprovalAction::NotApproved);
        let (at, action) = (at(seconds), order.action);
        CarriedApproval { update: order.update, group: *group, action, deadline: None, by: order.by, at }
    };
    let approvals = updates.iter().flat_map(|n| groups.iter().map(move |group| denial(n, group))).collect();
    let groups = store.decisions().to_carry().groups;
    let carried = CarriedDecisions { groups, approvals, ..CarriedDecisions::default() };
    let taken = store.take_in(&carried, at(seconds)).unwrap();
    assert_eq!((taken.skipped, taken.older), (0, 0), "{taken:?}");
}

#[test]
fn that_it_is_not_approved_for_a_group_comes_back_with_the_decline() {
    for replica in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        import(&store, 1, &[software(1, 1, "Unwanted")]);
        let [pilots, gone] =
            ["Pilots", "Gone"].map(|name| store.create_group(name.parse().unwrap(), None, at(2)).unwrap().id);
        store.decline(uid(1), at(3)).unwrap();
        denied_elsewhere(&store, &[1], &[pilots, gone], 4);
        assert!(store.decisions().declined.contains_key(&uid(1)), "it stands beside the decline");
        for day in [0, 40, 43] {
            clean(&store, day);
        }
        assert_eq!((updates(&store), store.decisions().approvals.len()), (0, 0));
        store.remove_group(gone, false, at(43 * DAY)).unwrap();
        drop(store);
        let store = open(folder.path());
        let set = |mode, day| follow_parent(&store, mode, day);
        if replica {
            set(Mode::Replica, 44);
        }
        import(&store, 45 * DAY, &[software(1, 2, "Unwanted")]);
        if replica {
            assert!(store.decisions().declined.is_empty() && store.decisions().approvals.is_empty());
            set(Mode::Autonomous, 46);
        }
        let decisions = store.decisions();
        assert_eq!(decisions.declined[&uid(1)].decided, at(3));
        let own: Vec<_> =
            decisions.approvals.values().map(|own| (own.group, own.action, own.changed_at)).collect();
        assert_eq!(own, [(pilots, ApprovalAction::NotApproved, at(4))]);
        assert_eq!(decisions.approvals.values().next().unwrap().by, "Ada");
    }
}

#[test]
fn that_it_is_not_approved_for_a_group_comes_back_though_nobody_declined_it() {
    for replica in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let mut settings = store.cleanup_settings().unwrap();
        settings.filters = ["title=preview".parse().unwrap(), "title=beta".parse().unwrap()].into();
        settings.expired_days = 30;
        store.set_cleanup_settings(&settings, at(1)).unwrap();
        let expired = |number, expired| {
            let mut document = software(3, number, "Withdrawn");
            document.properties.expired = expired;
            document
        };
        import(&store, 2, &[software(1, 1, "Preview"), software(2, 1, "Beta"), expired(1, false)]);
        import(&store, 3, &[expired(2, true)]);
        assert_eq!(store.decisions().declined.len(), 3);
        let pilots = store.create_group("Pilots".parse().unwrap(), None, at(3)).unwrap().id;
        denied_elsewhere(&store, &[1, 2, 3], &[pilots], 4);
        assert_eq!(store.decisions().declined.len(), 3);
        for day in [0, 40, 43] {
            clean(&store, day);
        }
        assert_eq!((updates(&store), store.decisions().approvals.len()), (0, 0));
        drop(store);
        let store = open(folder.path());
        settings.filters = ["title=beta".parse().unwrap()].into();
        store.set_cleanup_settings(&settings, at(44 * DAY)).unwrap();
        let terms = RuleTerms {
            name: "Everything".parse().unwrap(),
            classifications: BTreeSet::new(),
            products: BTreeSet::new(),
            groups: [pilots].into(),
            deadline: None,
        };
        store.save_rule(None, Rule::new(terms, true).unwrap(), at(44 * DAY)).unwrap();
        let set = |mode, day| follow_parent(&store, mode, day);
        if replica {
            set(Mode::Replica, 44);
        }
        let new = software(4, 1, "New");
        import(
            &store,
            45 * DAY,
            &[software(1, 2, "Preview"), software(2, 2, "Beta"), expired(3, false), new],
        );
        if replica {
            assert_eq!(store.decisions().approvals.len(), 0);
            set(Mode::Autonomous, 46);
        }
        let decisions = store.decisions();
        let declined: Vec<_> = decisions.declined.keys().copied().collect();
        // What a filter still names it declines as before, where this server decides.
        assert_eq!(declined, [uid(2)][usize::from(replica)..], "{replica}");
        let own: Vec<_> = decisions
            .approvals
            .values()
            .map(|own| (own.update, own.action, own.changed_at == at(4)))
            .collect();
        let mut expected: Vec<_> = [1, 2, 3].map(|n| (uid(n), ApprovalAction::NotApproved, true)).into();
        expected.extend((!replica).then_some((uid(4), ApprovalAction::Install, false)));
        assert_eq!(own, expected, "{replica}");
    }
}
