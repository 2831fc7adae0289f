//! An update that its publisher withdrew and gives again is as good as new: no longer declined unless somebody declined
//! it, looked at by filters and rules, and not taken for something that was declined long ago.

use crate::support::{at, import, open, software, uid};
use sluicegate_catalog::compose::Document;
use sluicegate_policy::hierarchy::Mode;
use sluicegate_policy::rules::{Rule, RuleTerms};
use sluicegate_policy::{ApprovalAction, SuccessionOptions};
use sluicegate_store::audit::AuditQuery;
use sluicegate_store::cleanup::CleanupOrder;
use sluicegate_store::hierarchy::UpstreamSettings;
use sluicegate_store::{ApprovalOrder, Store};
use sluicegate_terms::GroupId;
use std::path::Path;

const DAY: i64 = 86_400;
const EVERYBODY: GroupId = GroupId::ALL_COMPUTERS;

fn expired(n: u128, revision: i64) -> Document {
    let mut document = software(n, revision, "Withdrawn");
    document.properties.expired = true;
    document
}

fn approve(store: &Store, group: GroupId, action: ApprovalAction, day: i64) {
    let order = ApprovalOrder { update: uid(1), group, action, deadline: None, by: "Ada".to_owned() };
    store.approve(order, at(day * DAY)).unwrap();
}

fn approve_whatever_comes(store: &Store) {
    let (classifications, products) = ([].into(), [].into());
    let name = "all".parse().unwrap();
    let terms = RuleTerms { name, classifications, products, groups: [EVERYBODY].into(), deadline: None };
    store.save_rule(None, Rule::new(terms, true).unwrap(), at(0)).unwrap();
}

fn filter(store: &Store, filters: &[&str]) {
    let mut settings = store.cleanup_settings().unwrap();
    settings.filters = filters.iter().map(|filter| filter.parse().unwrap()).collect();
    store.set_cleanup_settings(&settings, at(0)).unwrap();
}

fn clean(store: &Store, days: &[i64]) {
    for day in days {
        store.cleanup(&CleanupOrder::default(), at(day * DAY), &mut || true).unwrap();
    }
}

/// Update 1, approved by hand, withdrawn by its publisher on the second day.
fn withdrawn(folder: &Path) -> Store {
    let store = open(folder);
    import(&store, 0, &[software(1, 1, "Good")]);
    approve(&store, EVERYBODY, ApprovalAction::Install, 1);
    import(&store, 2 * DAY, &[expired(1, 2)]);
    assert!(store.decisions().declined[&uid(1)].automatic);
    store
}

fn is_declined(store: &Store) -> bool {
    store.decisions().declined.contains_key(&uid(1))
}

fn approvals(store: &Store) -> Vec<(GroupId, ApprovalAction)> {
    store.decisions().approvals_of(uid(1)).map(|own| (own.group, own.action)).collect()
}

fn switch(store: &Store, mode: Mode, day: i64) {
    let source = Some("http://parent:8530".parse().unwrap());
    let settings = UpstreamSettings { source, mode, ..UpstreamSettings::default() };
    store.set_upstream_settings(settings, at(day * DAY)).unwrap();
}

#[test]
fn it_is_not_approved_and_cleanup_leaves_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = withdrawn(folder.path());
    clean(&store, &[20, 60, 62]);
    let report = import(&store, 63 * DAY, &[software(1, 3, "Good again")]);
    assert_eq!(report.decisions.revived, [uid(1)].into());
    assert!(!is_declined(&store) && approvals(&store).is_empty());
    let log = store.audit(&AuditQuery { limit: 1, ..AuditQuery::default() }).unwrap().entries;
    assert_eq!(log[0].action, "undecline");
    let now = store.decisions();
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.decisions(), now);
    clean(&store, &[64, 66, 100, 103, 500, 503]);
    assert_eq!(store.catalog_size().unwrap().updates, 1);
    approve(&store, EVERYBODY, ApprovalAction::Install, 504);
}

#[test]
fn rules_approve_it_but_not_for_a_group_that_somebody_said_no_for() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let pilots = store.create_group("Pilots".parse().unwrap(), None, at(0)).unwrap().id;
    approve_whatever_comes(&store);
    import(&store, 0, &[software(1, 1, "Good")]);
    approve(&store, pilots, ApprovalAction::NotApproved, 1);
    import(&store, 2 * DAY, &[expired(1, 2)]);
    assert_eq!(approvals(&store), [(pilots, ApprovalAction::NotApproved)]);
    let report = import(&store, 63 * DAY, &[software(1, 3, "Good again")]);
    assert_eq!(report.decisions.approved_by_rules, 1);
    let mut held = approvals(&store);
    held.sort();
    let mut wanted = [(EVERYBODY, ApprovalAction::Install), (pilots, ApprovalAction::NotApproved)];
    wanted.sort();
    assert_eq!(held, wanted);
}

#[test]
fn a_filter_looks_at_it_before_rules_do() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    filter(&store, &["title=preview"]);
    import(&store, 0, &[software(1, 1, "Preview")]);
    assert!(is_declined(&store));
    approve_whatever_comes(&store);
    import(&store, DAY, &[expired(1, 2)]);
    let report = import(&store, 2 * DAY, &[software(1, 3, "Preview")]);
    assert_eq!((report.decisions.filtered, report.decisions.approved_by_rules), (1, 0));
    assert!(is_declined(&store));
    // A newer revision of what is good takes no filter's decline back; one whose title is another does, once withdrawn.
    import(&store, 3 * DAY, &[software(1, 4, "Final")]);
    assert!(is_declined(&store));
    import(&store, 4 * DAY, &[expired(1, 5)]);
    import(&store, 5 * DAY, &[software(1, 6, "Final")]);
    assert_eq!(approvals(&store), [(EVERYBODY, ApprovalAction::Install)]);
}

#[test]
fn what_somebody_declined_stays_declined() {
    for by_hand_first in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        import(&store, 0, &[software(1, 1, "Good")]);
        if by_hand_first {
            store.decline(uid(1), at(DAY)).unwrap();
        }
        import(&store, 2 * DAY, &[expired(1, 2)]);
        if !by_hand_first {
            store.decline(uid(1), at(3 * DAY)).unwrap();
        }
        let report = import(&store, 4 * DAY, &[software(1, 3, "Good again")]);
        assert!(report.decisions.revived.is_empty() && is_declined(&store), "{by_hand_first}");
    }
}

#[test]
fn both_revisions_may_come_at_once_or_in_the_other_order() {
    for both in [[expired(1, 2), software(1, 3, "Good again")], [software(1, 3, "Good again"), expired(1, 2)]]
    {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        import(&store, 0, &[software(1, 1, "Good")]);
        import(&store, DAY, &both);
        assert!(!is_declined(&store));
    }
}

#[test]
fn what_cleanup_declined_since_it_had_expired_is_no_longer_either() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let keep = SuccessionOptions { decline_expired: false, ..SuccessionOptions::default() };
    store.set_succession(keep, at(0)).unwrap();
    import(&store, 0, &[software(1, 1, "Good")]);
    import(&store, DAY, &[expired(1, 2)]);
    assert!(!is_declined(&store));
    clean(&store, &[2]);
    assert!(is_declined(&store));
    import(&store, 3 * DAY, &[software(1, 3, "Good again")]);
    assert!(!is_declined(&store));
}

/// While it retires, it comes back as what is new does.
#[test]
fn what_is_about_to_be_removed_stays_when_it_is_given_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = withdrawn(folder.path());
    clean(&store, &[400]);
    import(&store, 400 * DAY + 60, &[software(1, 3, "Good again")]);
    assert!(!is_declined(&store));
    clean(&store, &[402, 404, 440, 443]);
    assert_eq!(store.catalog_size().unwrap().updates, 1);
}

#[test]
fn on_a_replica_its_upstream_says_what_is_declined_and_its_own_administrators_find_it_undeclined() {
    let folder = tempfile::tempdir().unwrap();
    let store = withdrawn(folder.path());
    import(&store, 2 * DAY, &[software(2, 1, "By hand")]);
    store.decline(uid(2), at(2 * DAY)).unwrap();
    switch(&store, Mode::Replica, 3);
    import(&store, 4 * DAY, &[software(1, 3, "Good again"), expired(2, 2)]);
    import(&store, 5 * DAY, &[software(2, 3, "By hand, again")]);
    switch(&store, Mode::Autonomous, 6);
    let decisions = store.decisions();
    assert_eq!(decisions.declined.keys().copied().collect::<Vec<_>>(), [uid(2)]);
    assert!(!decisions.declined[&uid(2)].automatic);
}
