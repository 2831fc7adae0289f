//! A server that becomes a replica and is autonomous again has its own decisions as they were, each with its time:
//! what was held waits on, what came meanwhile is judged as what arrives.

use crate::support;

use sluicegate_policy::hierarchy::{Mode, UpstreamDeployment};
use sluicegate_policy::rules::{Rule, RuleTerms};
use sluicegate_policy::{ApprovalAction, HoldReason, SuccessionOptions};
use sluicegate_store::audit::AuditQuery;
use sluicegate_store::check::CheckOptions;
use sluicegate_store::hierarchy::{DeploymentNews, UpstreamSettings};
use sluicegate_store::{ApprovalOrder, Store, StoreOptions};
use sluicegate_terms::{GroupId, Guid, RevisionNumber};
use std::path::Path;
use support::{at, import, open, software, uid};

const EVERYBODY: GroupId = GroupId::ALL_COMPUTERS;

fn order(n: u128) -> ApprovalOrder {
    let action = ApprovalAction::Install;
    ApprovalOrder { update: uid(n), group: EVERYBODY, action, deadline: None, by: "Ada".to_owned() }
}

fn set(store: &Store, mode: Mode, now: i64) {
    let source = Some("http://parent:8530".parse().unwrap());
    let settings = UpstreamSettings { source, mode, ..UpstreamSettings::default() };
    store.set_upstream_settings(settings, at(now)).unwrap();
}

fn adopt(store: &Store, deployments: Vec<UpstreamDeployment>, declined: &[u128], now: i64) {
    let news = DeploymentNews {
        deployments,
        declined: declined.iter().map(|n| uid(*n)).collect(),
        anchor: "1".to_owned(),
        complete: true,
        ..DeploymentNews::default()
    };
    store.adopt_deployments(&news, at(now)).unwrap();
}

fn deployment(n: u128) -> UpstreamDeployment {
    UpstreamDeployment {
        guid: Guid::from_u128(n),
        update: uid(n),
        group: EVERYBODY,
        action: ApprovalAction::Install,
        deadline: None,
        by: "parent".to_owned(),
        revision: RevisionNumber::default(),
        decided: None,
    }
}

/// Approvals wait for a review, and update 1 has a revision that does.
fn waiting(dir: &Path) -> Store {
    let store = open(dir);
    import(&store, 0, &[1, 2, 3, 4].map(|n| software(n, 1, "One")));
    let options = SuccessionOptions { approvals_follow: false, ..SuccessionOptions::default() };
    store.set_succession(options, at(1)).unwrap();
    store.approve(order(1), at(2)).unwrap();
    import(&store, 3, &[software(1, 2, "Two")]);
    assert!(store.decisions().held.contains_key(&uid(1)));
    store
}

#[test]
fn what_waits_for_review_waits_on_and_nobody_is_said_to_have_accepted_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = waiting(dir.path());
    let before = store.decisions();
    set(&store, Mode::Replica, 10);
    set(&store, Mode::Autonomous, 11);
    assert_eq!(store.decisions(), before, "nothing at all is different");
    set(&store, Mode::Replica, 12);
    adopt(&store, vec![deployment(1)], &[], 13);
    set(&store, Mode::Autonomous, 14);
    let hold = store.decisions().held[&uid(1)];
    assert_eq!((hold.serving, hold.reason), (RevisionNumber::new(1).unwrap(), HoldReason::Review));
    let log = store.audit(&AuditQuery { limit: 100, ..AuditQuery::default() }).unwrap().entries;
    // What the adoption did is its upstream's.
    let mut here = log.iter().filter(|entry| entry.at != at(13));
    assert!(here.all(|entry| entry.action != "accept-revision"), "{log:?}");
    assert!(log.iter().any(|entry| entry.action == "switch-mode"), "{log:?}");
}

#[test]
fn what_came_meanwhile_is_judged_as_what_arrives_and_what_served_is_still_there() {
    let dir = tempfile::tempdir().unwrap();
    let store = waiting(dir.path());
    for n in [2, 3, 4] {
        store.approve(order(n), at(5)).unwrap();
    }
    set(&store, Mode::Replica, 10);
    adopt(&store, vec![deployment(2), deployment(3)], &[], 11);
    let mut licensed = software(2, 2, "With terms");
    licensed.properties.eula_id = Some(Guid::from_u128(77));
    let mut expired = software(3, 2, "Expired");
    expired.properties.expired = true;
    import(&store, 12, &[licensed, expired, software(4, 2, "Plain")]);
    adopt(&store, vec![deployment(2), deployment(3)], &[], 13);
    let month = 40 * 86_400;
    for day in [0, 2] {
        let order = sluicegate_store::cleanup::CleanupOrder::default();
        store.cleanup(&order, at(month + day * 86_400), &mut || true).unwrap();
    }
    set(&store, Mode::Autonomous, month * 2);
    let decisions = store.decisions();
    let first = RevisionNumber::new(1).unwrap();
    for (n, terms) in [(1, false), (2, true), (4, false)] {
        let hold = decisions.held[&uid(n)];
        assert_eq!((hold.serving, hold.reason == HoldReason::Review), (first, !terms), "update {n}");
        let mut served = false;
        store
            .for_each_revision(|revision| {
                served |= revision.record.identity == support::identity(n, 1);
                Ok::<_, sluicegate_store::StoreError>(())
            })
            .unwrap();
        assert!(served, "what is to serve again was not cleaned up");
    }
    assert_eq!(decisions.declined.keys().collect::<Vec<_>>(), [&uid(3)], "it expired");
}

#[test]
fn what_expired_while_others_decided_is_declined_although_nobody_here_had_approved_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let expired = |n, revision| {
        let mut document = software(n, revision, "Expired");
        document.properties.expired = true;
        document
    };
    import(&store, 0, &[1, 2, 3].map(|n| software(n, 1, "One")));
    // Somebody wants this one all the same; that was decided about what had come by then.
    import(&store, 1, &[expired(3, 2)]);
    let restore = |n, now| {
        let back =
            store.change_decisions(at(now), |decisions, scope| Ok(decisions.restore(uid(n), scope.change)?));
        back.unwrap();
    };
    restore(3, 2);
    set(&store, Mode::Replica, 10);
    import(&store, 11, &[expired(1, 2), software(4, 1, "New"), expired(5, 1)]);
    import(&store, 12, &[expired(4, 2)]);
    adopt(&store, vec![], &[], 13);
    assert!(store.decisions().declined.is_empty(), "its upstream decides");
    set(&store, Mode::Autonomous, 20);
    let declined: Vec<_> = store.decisions().declined.keys().copied().collect();
    assert_eq!(declined, [1, 4].map(uid), "as they would be had they come now");
    // Back and forth without anything that came decides nothing.
    restore(1, 21);
    set(&store, Mode::Replica, 22);
    set(&store, Mode::Autonomous, 23);
    assert_eq!(store.decisions().declined.keys().copied().collect::<Vec<_>>(), [uid(4)]);
}

#[test]
fn decisions_keep_their_times_and_what_the_upstream_decided_is_nobodys_here() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    import(&store, 0, &[1, 2, 3, 4, 5].map(|n| software(n, 1, "Preview")));
    store.approve(order(1), at(2)).unwrap();
    store.decline(uid(2), at(3)).unwrap();
    store.approve(order(3), at(3)).unwrap();
    store.unapprove(uid(3), None, "Ada".to_owned(), at(4)).unwrap();
    let before = store.decisions().to_carry();
    set(&store, Mode::Replica, 10);
    adopt(&store, vec![deployment(4)], &[1, 5], 11);
    set(&store, Mode::Autonomous, 12);
    assert_eq!(store.decisions().to_carry(), before, "a package carries nothing new elsewhere");
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.decisions().to_carry(), before, "also after a restart");
    let mut settings = store.cleanup_settings().unwrap();
    settings.filters = ["preview".parse().unwrap()].into();
    store.set_cleanup_settings(&settings, at(20)).unwrap();
    store.cleanup(&sluicegate_store::cleanup::CleanupOrder::default(), at(21), &mut || true).unwrap();
    let declined: Vec<_> = store.decisions().declined.keys().copied().collect();
    assert_eq!(declined, [2, 4, 5].map(uid), "what nobody here decided about is as new to the filters");
}

#[test]
fn a_replica_serves_what_its_upstream_serves_from_the_moment_a_revision_arrives() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let number = |n| RevisionNumber::new(n).unwrap();
    import(&store, 0, &[software(1, 1, "One")]);
    set(&store, Mode::Replica, 1);
    let serving = |n| UpstreamDeployment { revision: number(n), ..deployment(1) };
    adopt(&store, vec![serving(1)], &[], 2);
    assert!(store.decisions().held.is_empty());
    import(&store, 3, &[software(1, 2, "Two")]);
    assert_eq!(
        store.decisions().held[&uid(1)].serving,
        number(1),
        "its upstream has not put it in service yet"
    );
    adopt(&store, vec![serving(1)], &[], 4);
    assert_eq!(store.decisions().held[&uid(1)].serving, number(1), "and it holds it back");
    let nothing_new = DeploymentNews { anchor: "2".to_owned(), ..DeploymentNews::default() };
    store.adopt_deployments(&nothing_new, at(5)).unwrap();
    assert_eq!(store.decisions().held[&uid(1)].serving, number(1), "what is not told again still holds");
    adopt(&store, vec![serving(2)], &[], 6);
    assert!(store.decisions().held.is_empty());
    assert!(store.decisions().options.approvals_follow, "its own options are what they were");
}

/// They name groups that were put aside, and are nothing that a check has to mend.
#[test]
fn automatic_rules_of_a_replica_have_their_groups_again_when_it_decides_itself() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let own = store.create_group("Own".parse().unwrap(), None, at(1)).unwrap().id;
    let terms = RuleTerms {
        name: "For ours".parse().unwrap(),
        classifications: [].into(),
        products: [].into(),
        groups: [own].into(),
        deadline: None,
    };
    let rule = Rule::new(terms, true).unwrap();
    let id = store.save_rule(None, rule.clone(), at(2)).unwrap();
    set(&store, Mode::Replica, 3);
    adopt(&store, Vec::new(), &[], 4);
    assert!(store.decisions().groups.get(own).is_none());
    let options = CheckOptions { content: false, repair: true, now: at(5), prepare: None };
    let report = store.check(&options).unwrap();
    assert!(report.is_sound() && report.findings.is_empty(), "{:?}", report.findings);
    drop(store);
    // A start repairs what it finds without being asked.
    let options = StoreOptions { serving: true, ..StoreOptions::new(at(5)) };
    let store = Store::open(dir.path(), options).unwrap();
    set(&store, Mode::Autonomous, 6);
    assert_eq!(store.decisions().rules[&id], rule);
    assert!(store.decisions().groups.get(own).is_some());
}
