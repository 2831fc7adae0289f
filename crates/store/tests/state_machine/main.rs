//! Random sequences of everything that changes catalog and decisions, against policy, store and scan
//! together. After each step the store has to be what a plain model says, and agents that scan have to hold
//! what the model says, told by changes alone. `SLUICEGATE_SEQUENCES` says how many sequences are tried:
//! 500 by default, 10,000 for a long run.

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/scans.rs"]
mod scans;

mod model;
mod steps;

use model::{Model, Why};
use proptest::prelude::*;
use scans::{Agent, serve};
use sluicegate_catalog::Clause;
use sluicegate_policy::hierarchy::{UpstreamDecisions, UpstreamDeployment, adopt};
use sluicegate_policy::rules::{Rule, RuleId, RuleTerms};
use sluicegate_policy::{ApprovalAction, HoldReason, SuccessionOptions};
use sluicegate_store::{ApprovalOrder, BulkOrder, Store, StoreError};
use sluicegate_terms::{CategoryKind, GroupId, Guid, Timestamp};
use std::collections::BTreeMap;
use std::path::Path;
use steps::{ALL, BUNDLE, MEMBER, Step};
use support::{at, category, identity, import, open, software, uid};

const CLASSIFICATION: u128 = 100;

fn gid(n: u128) -> GroupId {
    if n == ALL { GroupId::ALL_COMPUTERS } else { GroupId(Guid::from_u128(0x6000 + n)) }
}

fn by() -> String {
    "administrator".to_owned()
}

fn rule(enabled: bool) -> Rule {
    let terms = RuleTerms {
        name: "Even ones".parse().unwrap(),
        classifications: [uid(CLASSIFICATION)].into(),
        products: [].into(),
        groups: [GroupId::ALL_COMPUTERS].into(),
        deadline: None,
    };
    Rule::new(terms, enabled).unwrap()
}

/// Does a step on the real thing; `before` is the model before the step.
fn take(store: &Store, step: &Step, before: &Model, now: i64) -> Result<(), StoreError> {
    let (now, time) = (at(now), now);
    match step.clone() {
        Step::Import { update, expired, eula, bundles_member } => {
            let number = before.updates.get(&update).map_or(0, Vec::len) as i64 + 1;
            let mut document = software(update, number, &format!("Update {update}"));
            document.properties.can_uninstall = true;
            document.properties.expired = expired;
            document.properties.eula_id = eula.map(Guid::from_u128);
            if update.is_multiple_of(2) {
                document.relationships.prerequisites.push(Clause::category(uid(CLASSIFICATION)));
            }
            if bundles_member && update == BUNDLE && before.updates.contains_key(&MEMBER) {
                document.relationships.bundles.push(vec![identity(MEMBER, 1)]);
            }
            let report = import(store, time, &[document]);
            assert_eq!((report.added + report.revised, report.quarantined.len()), (1, 0), "{report:?}");
            Ok(())
        }
        Step::Approve { update, group, action, deadline } => {
            let deadline = deadline.map(Timestamp::from_unix_seconds);
            let order = ApprovalOrder { update: uid(update), group: gid(group), action, deadline, by: by() };
            store.approve(order, now).map(|_| ())
        }
        Step::ApproveMany { updates, groups } => {
            let order = BulkOrder {
                updates: updates.into_iter().map(uid).collect(),
                groups: groups.into_iter().map(gid).collect(),
                action: ApprovalAction::Install,
                deadline: None,
                by: by(),
            };
            store.approve_many(&order, now).map(|_| ())
        }
        Step::Unapprove { update, group } => {
            store.unapprove(uid(update), group.map(gid), by(), now).map(|_| ())
        }
        Step::Decline { update } => store.decline(uid(update), now),
        Step::CreateGroup { group, parent } => store.change_decisions(now, |decisions, _| {
            let name = format!("group {group}").parse()?;
            Ok(decisions.groups.create(gid(group), name, Some(gid(parent))).map(|_| ())?)
        }),
        Step::MoveGroup { group, parent } => store.change_decisions(now, |decisions, scope| {
            Ok(decisions.groups.move_below(gid(group), gid(parent), scope.change.anchor)?)
        }),
        Step::DeleteGroup { group } => store.change_decisions(now, |decisions, scope| {
            Ok(decisions.remove_group(gid(group), scope.change).map(|_| ())?)
        }),
        Step::AcceptEula { update } => store.accept_eula(uid(update), by(), now).map(|_| ()),
        Step::AcceptRevision { update } => store.accept_revision(uid(update), now),
        Step::Options { follow, decline_expired } => {
            store.set_succession(SuccessionOptions { approvals_follow: follow, decline_expired }, now)
        }
        Step::EnableRule { enabled } => {
            store.save_rule(Some(RuleId::DEFAULT), rule(enabled), now).map(|_| ())
        }
        Step::RunRule => store.run_rules(Some(&[RuleId::DEFAULT]), now).map(|_| ()),
        Step::Adopt { deployments, declined } => {
            let deployments =
                deployments.into_iter().zip(1..).map(|((update, group, action), n)| UpstreamDeployment {
                    guid: Guid::from_u128(n),
                    update: uid(update),
                    group: gid(group),
                    action,
                    deadline: None,
                    by: by(),
                });
            let wanted = UpstreamDecisions {
                groups: store.decisions().groups.iter().cloned().collect(),
                deployments: deployments.collect(),
                declined: declined.into_iter().map(uid).collect(),
            };
            let subject = |update| match store.subject(update) {
                Ok(subject) => Ok(Some(subject)),
                Err(StoreError::UnknownUpdate(_)) => Ok(None),
                Err(error) => Err(error),
            };
            store.change_decisions(now, |decisions, scope| {
                adopt(decisions, &wanted, scope.change, subject, || scope.deployment()).map(|_| ())
            })
        }
        Step::Crash => Ok(()),
    }
}

/// The store's decisions are the model's.
fn check_store(store: &Store, model: &Model) {
    let decisions = store.decisions();
    let approvals: BTreeMap<_, _> = decisions
        .approvals
        .iter()
        .map(|(key, approval)| (*key, (approval.action, approval.deadline.map(Timestamp::unix_seconds))))
        .collect();
    let wanted = model.approvals.iter().map(|((u, g), what)| ((uid(*u), gid(*g)), *what)).collect();
    assert_eq!(approvals, wanted);
    let declined: Vec<_> = decisions.declined.keys().copied().collect();
    assert_eq!(declined, model.declined.iter().copied().map(uid).collect::<Vec<_>>());
    let held = decisions.held.iter().map(|(update, hold)| {
        let why = match hold.reason {
            HoldReason::Review => Why::Review,
            HoldReason::Eula(eula) => Why::Eula(eula.0.as_u128()),
        };
        (*update, (hold.serving.get() as usize, why))
    });
    let wanted = model.held.iter().map(|(update, hold)| (uid(*update), *hold));
    assert_eq!(held.collect::<BTreeMap<_, _>>(), wanted.collect());
    // Nothing an agent is told depends on rows that are only in memory.
    assert!(decisions.withdrawn.keys().all(|key| decisions.approvals.get(key).is_none()));
    assert!(decisions.restored.keys().all(|update| !decisions.declined.contains_key(update)));
}

/// Agents that were told of every change, and one that is new, hold what the model says.
fn check_agents(store: &Store, model: &Model, agents: &mut [(Vec<u128>, Agent)], new: usize) {
    let served = serve(store);
    let index = new % agents.len();
    let newcomer = (agents[index].0.clone(), Agent::default());
    let mut fresh = [newcomer];
    for (groups, agent) in agents.iter_mut().chain(&mut fresh) {
        let here: Vec<GroupId> =
            groups.iter().filter(|g| model.groups.contains_key(g)).map(|g| gid(*g)).collect();
        agent.join(&here);
        agent.scan(&served);
        let mut told = BTreeMap::new();
        for (id, (_, deployed)) in &agent.held {
            let identity = served.identities[id];
            let update = identity.update.0.as_u128();
            if update == CLASSIFICATION {
                continue;
            }
            let deadline = deployed.deadline.map(Timestamp::unix_seconds);
            let number = identity.revision.get() as usize;
            let twice =
                told.insert(update, (number, deployed.action.as_str(), deployed.is_assigned, deadline));
            assert!(twice.is_none(), "two revisions of update {update} are held");
        }
        assert_eq!(told, model.expected(groups), "for an agent of the groups {groups:?}");
        let mut ids: Vec<_> = agent.held.values().map(|(_, deployed)| deployed.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), agent.held.len(), "two deployments share an id");
    }
}

fn run(dir: &Path, bytes: &[[u8; 4]]) {
    let mut store = open(dir);
    import(&store, 0, &[category(CLASSIFICATION, CategoryKind::UpdateClassification, "Critical", None)]);
    store.save_rule(Some(RuleId::DEFAULT), rule(false), at(0)).unwrap();
    let mut model = Model::new();
    let mut agents: Vec<(Vec<u128>, Agent)> = [vec![], vec![1], vec![2], vec![1, 3], vec![4, 2, 3]]
        .into_iter()
        .map(|groups| (groups, Agent::default()))
        .collect();
    for (n, bytes) in bytes.iter().enumerate() {
        let step = Step::read(*bytes);
        let before = model.clone();
        let allowed = model.take(&step);
        let (anchor, decisions) = (store.anchor(), store.decisions());
        let done = take(&store, &step, &before, n as i64 + 1);
        assert_eq!(done.is_ok(), allowed, "step {n}, {step:?}: {done:?}");
        if !allowed {
            assert_eq!(
                (store.anchor(), store.decisions()),
                (anchor, decisions),
                "a refused step left traces"
            );
            model = before;
        }
        if matches!(step, Step::Crash) {
            let decisions = store.decisions();
            drop(store);
            store = open(dir);
            assert_eq!(store.decisions(), decisions, "a restart changed decisions");
        }
        check_store(&store, &model);
        check_agents(&store, &model, &mut agents, n);
    }
}

fn sequences() -> u32 {
    std::env::var("SLUICEGATE_SEQUENCES").ok().and_then(|n| n.parse().ok()).unwrap_or(500)
}

/// In memory where there is such a place: thousands of small databases wear a disk for nothing.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: sequences(), failure_persistence: None, max_shrink_iters: 2_000, ..ProptestConfig::default()
    })]

    #[test]
    fn policy_store_and_scans_are_what_a_plain_model_says(bytes in prop::collection::vec(any::<[u8; 4]>(), 1..40)) {
        let dir = folder();
        run(dir.path(), &bytes);
    }
}
