//! Automatic approval rules, licence terms and decisions about many updates at once.

use crate::support;

use sluicegate_catalog::Clause;
use sluicegate_catalog::compose::Document;
use sluicegate_policy::rules::{DeadlineOffset, Rule, RuleId, RuleTerms, Skip};
use sluicegate_policy::{ApprovalAction, ApprovalError, HoldReason, SuccessionOptions};
use sluicegate_store::audit::AuditQuery;
use sluicegate_store::{ApprovalOrder, BulkOrder, Store, StoreError};
use sluicegate_terms::{CategoryKind, GroupId, Guid, UpdateId};
use support::{at, category, import, open, software, uid};

const FAMILY: u128 = 100;
const PRODUCT: u128 = 101;
const CRITICAL: u128 = 102;
const DRIVERS: u128 = 103;

fn catalog(dir: &std::path::Path) -> Store {
    let store = open(dir);
    let mut product = category(PRODUCT, CategoryKind::Product, "Windows 11", Some(FAMILY));
    product.relationships.prerequisites = vec![Clause::category(uid(FAMILY))];
    import(
        &store,
        0,
        &[
            category(FAMILY, CategoryKind::ProductFamily, "Windows", None),
            product,
            category(CRITICAL, CategoryKind::UpdateClassification, "Critical Updates", None),
            category(DRIVERS, CategoryKind::UpdateClassification, "Drivers", None),
        ],
    );
    store
}

fn update(n: u128, revision: i64, classification: u128) -> Document {
    let mut document = software(n, revision, &format!("Update {n}"));
    document.properties.can_uninstall = true;
    document.relationships.prerequisites =
        vec![Clause::category(uid(PRODUCT)), Clause::category(uid(classification))];
    document
}

fn terms(classifications: &[u128], products: &[u128], groups: &[GroupId]) -> RuleTerms {
    RuleTerms {
        name: "Windows now".parse().unwrap(),
        classifications: classifications.iter().map(|n| uid(*n)).collect(),
        products: products.iter().map(|n| uid(*n)).collect(),
        groups: groups.iter().copied().collect(),
        deadline: None,
    }
}

fn approved(store: &Store) -> Vec<UpdateId> {
    store.decisions().approvals.keys().map(|(update, _)| *update).collect()
}

#[test]
fn the_default_rule_is_there_and_off() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let rules = store.decisions().rules.clone();
    assert_eq!(rules.get(&RuleId::DEFAULT), Some(&Rule::default_rule()));
    assert!(!Rule::default_rule().enabled());
    assert!(matches!(store.remove_rule(RuleId::DEFAULT, at(1)), Err(StoreError::Rule(_))));
}

#[test]
fn an_import_runs_enabled_rules_on_new_updates_in_its_own_transaction() {
    let dir = tempfile::tempdir().unwrap();
    let store = catalog(dir.path());
    let pilots = store.create_group("Pilots".parse().unwrap(), None, at(1)).unwrap().id;
    let deadline = Some(DeadlineOffset::new(7, 180).unwrap());
    // By family: the update names the product, which stands under the family.
    let windows = RuleTerms { deadline, ..terms(&[CRITICAL], &[FAMILY], &[GroupId::ALL_COMPUTERS, pilots]) };
    let id = store.save_rule(None, Rule::new(windows, true).unwrap(), at(1)).unwrap();
    let anchor = store.anchor();
    let report = import(&store, 10, &[update(1, 1, CRITICAL), update(2, 1, DRIVERS)]);
    assert_eq!(report.decisions.approved_by_rules, 2);
    assert_eq!(store.anchor().0, anchor.0 + 1, "one change, one anchor");
    let decisions = store.decisions();
    let approval = decisions.approvals.get(&(uid(1), pilots)).unwrap();
    assert_eq!((approval.changed, approval.by.as_str()), (store.anchor(), "rule: Windows now"));
    assert_eq!(approval.deadline, Some("2026-09-28T03:00:00Z".parse().unwrap()));
    assert_eq!(approved(&store), [uid(1), uid(1)]);

    // New revisions are no new updates; withdrawn stays withdrawn.
    store.unapprove(uid(1), None, "admin".into(), at(11)).unwrap();
    assert_eq!(import(&store, 12, &[update(1, 2, CRITICAL)]).decisions.approved_by_rules, 0);
    assert!(approved(&store).is_empty());

    // Until somebody runs the rule.
    assert_eq!(store.run_rules(Some(&[id]), at(13)).unwrap().approved, 2);
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.decisions().rules.len(), 2);
    assert_eq!(approved(&store), [uid(1), uid(1)]);
}

#[test]
fn a_preview_says_what_a_run_then_does_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = catalog(dir.path());
    let mut licensed = update(3, 1, CRITICAL);
    licensed.properties.eula_id = Some(Guid::from_u128(9));
    let mut newer = update(4, 1, CRITICAL);
    newer.relationships.supersedes.push(uid(1));
    import(
        &store,
        1,
        &[update(1, 1, CRITICAL), update(2, 1, CRITICAL), licensed, newer, update(5, 1, DRIVERS)],
    );
    store.decline(uid(2), at(2)).unwrap();
    let rule = Rule::new(terms(&[CRITICAL], &[], &[GroupId::ALL_COMPUTERS]), false).unwrap();
    let before = (store.anchor(), store.decisions());
    let plan = store.preview_rule(RuleId(0), &rule, at(3)).unwrap();
    assert_eq!((store.anchor(), store.decisions()), before);
    let planned: Vec<_> =
        plan.approvals.iter().map(|p| (p.subject.update, p.subject.superseded_by)).collect();
    assert_eq!(planned, [(uid(1), Some(uid(4))), (uid(4), None)]);
    let skipped: Vec<_> = plan.skipped.iter().map(|s| (s.update, s.why.clone())).collect();
    let terms = ApprovalError::EulaNotAccepted {
        update: uid(3),
        eula: sluicegate_policy::EulaId(Guid::from_u128(9)),
    };
    assert_eq!(skipped, [(uid(2), Skip::Declined), (uid(3), Skip::Refused(terms))]);

    let id = store.save_rule(None, rule, at(4)).unwrap();
    assert_eq!(store.run_rules(None, at(5)).unwrap().approved, 0, "it is not enabled");
    assert_eq!(store.run_rules(Some(&[id]), at(5)).unwrap().approved, 2);
    assert_eq!(approved(&store), [uid(1), uid(4)]);
    assert!(matches!(store.run_rules(Some(&[RuleId(77)]), at(5)), Err(StoreError::Rule(_))));
}

#[test]
fn licence_terms_are_accepted_once_and_new_ones_hold_the_revision_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = catalog(dir.path());
    let licensed = |revision, eula| {
        let mut document = update(1, revision, CRITICAL);
        document.properties.eula_id = Some(Guid::from_u128(eula));
        document
    };
    import(&store, 1, &[licensed(1, 7), update(2, 1, CRITICAL)]);
    let order = ApprovalOrder {
        update: uid(1),
        group: GroupId::ALL_COMPUTERS,
        action: ApprovalAction::Install,
        deadline: None,
        by: "admin".into(),
    };
    let refused = store.approve(order.clone(), at(2)).unwrap_err();
    assert!(refused.to_string().contains("licence terms"), "{refused}");
    assert!(matches!(store.accept_eula(uid(2), "admin".into(), at(2)), Err(StoreError::Invalid { .. })));
    store.accept_eula(uid(1), "Ada".into(), at(3)).unwrap();
    store.accept_eula(uid(1), "Bob".into(), at(4)).unwrap();
    let accepted = store.decisions().accepted.values().next().unwrap().clone();
    assert_eq!((accepted.by.as_str(), accepted.change.at), ("Ada", at(3)));
    store.approve(order, at(5)).unwrap();

    assert_eq!(import(&store, 6, &[licensed(2, 7)]).decisions.followed, 1, "the same terms");
    assert!(import(&store, 7, &[licensed(3, 8)]).decisions.held.contains(&uid(1)));
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.decisions().held.get(&uid(1)).unwrap().serving.get(), 2);
    let (_, released) = store.accept_eula(uid(1), "Ada".into(), at(8)).unwrap();
    assert_eq!(released, [uid(1)]);
    assert!(store.decisions().held.is_empty());
}

#[test]
fn an_update_that_expires_is_declined_unless_it_is_to_be_removed_or_the_option_is_off() {
    let dir = tempfile::tempdir().unwrap();
    let store = catalog(dir.path());
    let expiring = |n, revision| {
        let mut document = update(n, revision, CRITICAL);
        document.properties.expired = true;
        document
    };
    import(&store, 1, &[update(1, 1, CRITICAL), update(2, 1, CRITICAL), update(3, 1, CRITICAL)]);
    for (n, action) in
        [(1, ApprovalAction::Install), (2, ApprovalAction::Uninstall), (3, ApprovalAction::Install)]
    {
        let group = GroupId::ALL_COMPUTERS;
        let order = ApprovalOrder { update: uid(n), group, action, deadline: None, by: "admin".into() };
        store.approve(order, at(2)).unwrap();
    }
    assert_eq!(import(&store, 3, &[expiring(1, 2), expiring(2, 2)]).decisions.declined, 1);
    assert!(store.decisions().declined.contains_key(&uid(1)));
    let off = SuccessionOptions { decline_expired: false, ..SuccessionOptions::default() };
    store.set_succession(off, at(4)).unwrap();
    assert_eq!(import(&store, 5, &[expiring(3, 2)]).decisions.declined, 0);
    assert_eq!(approved(&store), [uid(2), uid(3)]);
    drop(store);
    assert_eq!(open(dir.path()).decisions().options, off);
}

#[test]
fn many_are_approved_at_once_and_what_cannot_be_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let store = catalog(dir.path());
    let pilots = store.create_group("Pilots".parse().unwrap(), None, at(1)).unwrap().id;
    import(&store, 2, &[update(1, 1, CRITICAL), update(2, 1, CRITICAL)]);
    let mut order = BulkOrder {
        updates: vec![uid(1), uid(2), uid(PRODUCT), uid(77), uid(1)],
        groups: vec![GroupId::ALL_COMPUTERS, pilots, pilots],
        action: ApprovalAction::Install,
        deadline: None,
        by: "admin".into(),
    };
    let anchor = store.anchor();
    let done = store.approve_many(&order, at(3)).unwrap();
    assert_eq!((done.updates, done.approvals, store.anchor().0), (2, 4, anchor.0 + 1));
    let refused: Vec<_> = done.refused.iter().map(|refused| refused.update).collect();
    assert_eq!(refused, [uid(77), uid(PRODUCT)]);
    assert_eq!(done.taken_back, []);
    store.decline(uid(2), at(3)).unwrap();
    assert_eq!(store.approve_many(&order, at(3)).unwrap().taken_back, [uid(2)]);
    let anchor = store.anchor();
    order.updates = vec![uid(77)];
    assert_eq!(store.approve_many(&order, at(4)).unwrap().updates, 0);
    assert_eq!(store.anchor().0, anchor.0, "nothing was changed");
    order.groups.push(GroupId(Guid::from_u128(1)));
    assert!(matches!(store.approve_many(&order, at(4)), Err(StoreError::Decision(_))));
}

#[test]
fn a_removed_group_leaves_rules_which_then_wait_for_another() {
    let dir = tempfile::tempdir().unwrap();
    let store = catalog(dir.path());
    let pilots = store.create_group("Pilots".parse().unwrap(), None, at(1)).unwrap().id;
    let id = store.save_rule(None, Rule::new(terms(&[], &[], &[pilots]), true).unwrap(), at(2)).unwrap();
    store.remove_group(pilots, false, at(3)).unwrap();
    drop(store);
    let store = open(dir.path());
    let mut rule = store.decisions().rules.get(&id).unwrap().clone();
    assert!(!rule.enabled() && rule.waits_for_group() && rule.terms().groups.is_empty());
    assert!(rule.set_enabled(true).is_err());
    let unknown = Rule::new(terms(&[], &[], &[pilots]), true).unwrap();
    assert!(matches!(store.save_rule(Some(id), unknown, at(4)), Err(StoreError::Decision(_))));
}

#[test]
fn a_revision_for_which_what_is_approved_would_be_refused_is_held_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let store = catalog(dir.path());
    let asks = |mut document: Document| {
        document.properties.may_ask = true;
        document
    };
    let fixed = |mut document: Document| {
        document.properties.can_uninstall = false;
        document
    };
    import(&store, 1, &[update(1, 1, CRITICAL), update(2, 1, CRITICAL), update(3, 1, CRITICAL)]);
    for (n, action, deadline) in [
        (1, ApprovalAction::Uninstall, None),
        (2, ApprovalAction::Install, Some(at(9_000))),
        (3, ApprovalAction::Install, None),
    ] {
        let group = GroupId::ALL_COMPUTERS;
        store
            .approve(ApprovalOrder { update: uid(n), group, action, deadline, by: "a".into() }, at(2))
            .unwrap();
    }
    let newer = [update(1, 2, CRITICAL), update(2, 2, CRITICAL), update(3, 2, CRITICAL)];
    import(&store, 3, &newer.map(|document| asks(fixed(document))));
    let reasons = |store: &Store| -> Vec<_> {
        store.decisions().held.iter().map(|(update, hold)| (*update, hold.reason)).collect()
    };
    let expected = [(uid(1), HoldReason::NotRemovable), (uid(2), HoldReason::NeedsInput)];
    assert_eq!(reasons(&store), expected);
    let told = store.audit(&AuditQuery { update: Some(uid(1)), limit: 1, ..AuditQuery::default() }).unwrap();
    assert!(told.entries[0].after.as_deref().unwrap().contains("cannot be removed"), "{told:?}");
    drop(store);
    let store = open(dir.path());
    assert_eq!(reasons(&store), expected, "it is kept");
    assert!(matches!(
        store.accept_revision(uid(1), at(4)),
        Err(StoreError::Decision(ApprovalError::NotRemovable(_)))
    ));
    import(&store, 5, &[update(1, 3, CRITICAL)]);
    assert_eq!(reasons(&store), expected[1..], "this one can be removed");
    // What its publisher withdraws and gives no way to remove is held too: the one before can be removed.
    let mut withdrawn = fixed(update(1, 4, CRITICAL));
    withdrawn.properties.expired = true;
    import(&store, 6, &[withdrawn]);
    assert_eq!(reasons(&store), expected);
    assert_eq!(store.decisions().held[&uid(1)].serving.get(), 3);
}
