//! Random sequences of everything that changes catalog and decisions, against policy, store and scan
//! together. After each step the store has to be what a plain model says, and agents that scan have to hold
//! what the model says, told by changes alone. Days pass, cleanup is cut off, synchronizations come short, the
//! upstream takes over and gives back, the power goes. `SLUICEGATE_SEQUENCES` says how many sequences are tried:
//! 500 by default, 10,000 for a long run.

#[path = "../support/mod.rs"]
mod support;

#[path = "../support/scans.rs"]
mod scans;

mod abandon;
mod model;
mod model_cleanup;
mod model_told;
mod model_upstream;
mod steps;

use abandon::abandon;
use model::{Model, Revision, Why};
use proptest::prelude::*;
use scans::{Agent, serve};
use sluicegate_catalog::Clause;
use sluicegate_catalog::compose::Document;
use sluicegate_policy::hierarchy::{Mode, UpstreamDeployment};
use sluicegate_policy::rules::{Rule, RuleId, RuleTerms};
use sluicegate_policy::{ApprovalAction, EulaId, Group, HoldReason, SuccessionOptions};
use sluicegate_store::check::CheckOptions;
use sluicegate_store::cleanup::CleanupOrder;
use sluicegate_store::hierarchy::{DeploymentNews, UpstreamSettings, UpstreamSource};
use sluicegate_store::{ApprovalOrder, BulkOrder, Store, StoreError};
use sluicegate_terms::{CategoryKind, GroupId, Guid, RevisionNumber, Timestamp, UpdateIdentity};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use steps::{ALL, MEMBER, Step};
use support::{at, category, identity, import, open, prepared, software, uid};

const CLASSIFICATION: u128 = 100;

const DAY: i64 = 86_400;

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

fn document(revision: &Revision) -> Document {
    let (update, number) = (revision.update, i64::try_from(revision.number).unwrap());
    let mut document = software(update, number, &format!("Update {update}"));
    document.properties.can_uninstall = true;
    document.properties.expired = revision.expired;
    document.properties.eula_id = revision.eula.map(Guid::from_u128);
    if update.is_multiple_of(2) {
        document.relationships.prerequisites.push(Clause::category(uid(CLASSIFICATION)));
    }
    if let Some(member) = revision.member {
        document.relationships.bundles.push(vec![identity(MEMBER, i64::try_from(member).unwrap())]);
    }
    document.relationships.supersedes.extend(revision.supersedes.map(uid));
    document
}

/// Imports what a synchronization found to be missing, as it does.
fn receive(store: &Store, published: &[Revision], wanted: &[UpdateIdentity], now: i64) {
    let mut importer = store.importer(at(now)).unwrap();
    importer.expect_missing();
    for revision in published {
        let document = document(revision);
        if wanted.contains(&document.identity) {
            importer.add(prepared(&document.identity.to_string(), &document)).unwrap();
        }
    }
    importer.commit().unwrap();
}

/// A synchronization: what is listed and missing, then what that turned out to need.
fn synchronize(store: &Store, published: &[Revision], not_yet: usize, now: i64) {
    let listed: Vec<UpdateIdentity> = published[..published.len() - not_yet.min(published.len())]
        .iter()
        .map(|r| document(r).identity)
        .collect();
    receive(store, published, &store.missing_revisions(&listed).unwrap(), now);
    let needed = store.missing_revisions(&store.missing_members().unwrap()).unwrap();
    if !needed.is_empty() {
        receive(store, published, &needed, now);
    }
    assert!(store.quarantine().unwrap().is_empty(), "{:?}", store.quarantine());
}

/// Cleans up until nothing is left to do.
fn clean(store: &Store, now: i64) {
    for round in 0.. {
        assert!(round < 6, "cleanup does not come to an end");
        let before = store.anchor();
        store.cleanup(&CleanupOrder::default(), at(now), &mut || true).unwrap();
        if store.anchor() == before {
            break;
        }
    }
}

fn upstream(replica: bool) -> UpstreamSettings {
    UpstreamSettings {
        source: Some(UpstreamSource::Server("http://parent:8530".to_owned())),
        mode: if replica { Mode::Replica } else { Mode::Autonomous },
        ..UpstreamSettings::default()
    }
}

/// The name that a deployment of the upstream has everywhere.
fn deployment((update, group): (u128, u128)) -> Guid {
    Guid::from_u128(1 + update * 100 + group)
}

/// Does a step on the real thing; `model` is the model after the step.
fn take(store: &Store, step: &Step, model: &Model) -> Result<(), StoreError> {
    let (now, time) = (at(model.now), model.now);
    match step.clone() {
        Step::Import(_) => {
            let revision = model.published.last().unwrap();
            let report = import(store, time, &[document(revision)]);
            assert_eq!(
                (report.added + report.revised + report.older, report.quarantined.len()),
                (1, 0),
                "{report:?}"
            );
            Ok(())
        }
        Step::Sync { not_yet, .. } => {
            synchronize(store, &model.published, not_yet, time);
            Ok(())
        }
        Step::Mode { replica } => store.set_upstream_settings(upstream(replica), now).map(|_| ()),
        // What a crash in the middle leaves is the caller's.
        Step::Cleanup { .. } | Step::Crash => Ok(()),
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
        Step::RenameGroup { group, name } => {
            store.rename_group(gid(group), format!("group {name}").parse()?, now).map(|_| ())
        }
        Step::DeleteGroup { group, nested } => store.remove_group(gid(group), nested, now).map(|_| ()),
        Step::AcceptEula { update } => store.accept_eula(uid(update), by(), now).map(|_| ()),
        Step::AcceptRevision { update } => store.accept_revision(uid(update), now),
        Step::Options { follow, decline_expired } => {
            store.set_succession(SuccessionOptions { approvals_follow: follow, decline_expired }, now)
        }
        Step::EnableRule { enabled } => {
            store.save_rule(Some(RuleId::DEFAULT), rule(enabled), now).map(|_| ())
        }
        Step::RunRule => store.run_rules(Some(&[RuleId::DEFAULT]), now).map(|_| ()),
        Step::Adopt { deployments, dead, declined, accepted, new_group, complete, .. } => {
            let mut groups: Vec<Group> = store.decisions().groups.iter().cloned().collect();
            if let Some(group) = new_group {
                let name = format!("group {group}").parse()?;
                if groups.iter().all(|g| g.id != gid(group) && g.name != name) {
                    groups.push(Group { id: gid(group), name, parent: Some(GroupId::ALL_COMPUTERS) });
                }
            }
            let revision =
                |key| model.parent.get(&key).map_or(0, |(_, number)| i64::try_from(*number).unwrap());
            let deployments = deployments.into_iter().map(|(update, group, action)| UpstreamDeployment {
                guid: deployment((update, group)),
                update: uid(update),
                group: gid(group),
                action,
                deadline: None,
                by: by(),
                revision: RevisionNumber::new(revision((update, group))).unwrap(),
                decided: None,
            });
            let news = DeploymentNews {
                groups,
                deployments: deployments.collect(),
                dead: dead.map(deployment).into_iter().collect(),
                declined: declined.into_iter().map(uid).collect(),
                accepted: accepted.map(|terms| EulaId(Guid::from_u128(terms))).into_iter().collect(),
                anchor: format!("{time}"),
                complete,
            };
            let awaited = store.awaited_revisions(&news, now);
            let adopted = store.adopt_deployments(&news, now)?;
            let identities = |of: &BTreeMap<u128, usize>| -> BTreeSet<_> {
                of.iter().map(|(update, number)| identity(*update, i64::try_from(*number).unwrap())).collect()
            };
            let (waits, ahead) = (identities(&model.awaited), identities(&model.ahead));
            assert_eq!((&adopted.awaited, &adopted.ahead), (&waits, &ahead));
            assert_eq!(awaited.unwrap(), waits.into_iter().chain(ahead).collect::<Vec<_>>());
            Ok(())
        }
    }
}

/// The catalog is the model's, and so is what is about to leave it.
fn check_catalog(store: &Store, model: &Model) {
    let mut here = BTreeMap::new();
    let each = |revision: sluicegate_store::StoredRevision| {
        let identity = revision.record.identity;
        let key = (identity.update.0.as_u128(), identity.revision.get() as usize);
        here.insert(key, (revision.retiring, revision.arrived_at));
        Ok::<_, StoreError>(())
    };
    store.for_each_revision(each).unwrap();
    here.remove(&(CLASSIFICATION, 1)).expect("a category in use stays");
    let wanted = model.updates.values().flatten().map(|r| {
        let key = (r.update, r.number);
        (key, (model.retiring.contains_key(&key), at(r.arrived)))
    });
    assert_eq!(here, wanted.collect());
}

/// The store's decisions are the model's.
fn check_store(store: &Store, model: &Model) {
    let decisions = store.decisions();
    let own = |group: &&Group| group.name.as_str().starts_with("group ");
    let groups = decisions.groups.iter().filter(own).map(|g| (g.id, (g.parent, g.name.to_string())));
    let wanted = (model.groups.iter())
        .map(|(g, parent)| (gid(*g), (Some(gid(*parent)), format!("group {}", model.names[g]))));
    assert_eq!(groups.collect::<BTreeMap<_, _>>(), wanted.collect());
    let approvals: BTreeMap<_, _> = decisions
        .approvals
        .iter()
        .map(|(key, a)| (*key, (a.action, a.deadline.map(Timestamp::unix_seconds), a.changed_at)))
        .collect();
    let wanted = (model.approvals.iter())
        .map(|((u, g), a)| ((uid(*u), gid(*g)), (a.action, a.deadline, at(a.at))))
        .collect();
    assert_eq!(approvals, wanted);
    let declined: BTreeMap<_, _> =
        decisions.declined.iter().map(|(update, change)| (*update, change.at)).collect();
    assert_eq!(declined, model.declined.iter().map(|(update, since)| (uid(*update), at(*since))).collect());
    let held = decisions.held.iter().map(|(update, hold)| {
        let why = match hold.reason {
            HoldReason::Review => Why::Review,
            HoldReason::Eula(eula) => Why::Eula(eula.0.as_u128()),
            other => {
                panic!("every revision here can be removed and asks nothing, and one is held: {other:?}")
            }
        };
        (*update, (hold.serving.get() as usize, why))
    });
    let wanted = model.held.iter().map(|(update, hold)| (uid(*update), *hold));
    assert_eq!(held.collect::<BTreeMap<_, _>>(), wanted.collect());
    // Nothing an agent is told depends on rows that are only in memory.
    assert!(decisions.withdrawn.keys().all(|key| decisions.approvals.get(key).is_none()));
    assert!(decisions.restored.keys().all(|update| !decisions.declined.contains_key(update)));
}

/// Agents that were told of every change, one that comes now and then, and one that is new, hold what the model
/// says.
fn check_agents(store: &Store, model: &Model, agents: &mut [(Vec<u128>, Agent)], turn: usize) {
    let served = serve(store);
    let index = turn % agents.len();
    let newcomer = (agents[index].0.clone(), Agent::default());
    let mut fresh = [newcomer];
    let often = if turn.is_multiple_of(SELDOM) { agents.len() } else { agents.len() - 1 };
    for (groups, agent) in agents[..often].iter_mut().chain(&mut fresh) {
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
            told.insert((update, number), (deployed.action.as_str(), deployed.is_assigned, deadline));
        }
        assert_eq!(told, model.expected(groups), "for an agent of the groups {groups:?}");
        let mut ids: Vec<_> = agent.held.values().map(|(_, deployed)| deployed.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), agent.held.len(), "two deployments share an id");
    }
}

/// The last of the agents scans only after so many steps.
const SELDOM: usize = 7;

fn cut_off(store: &Store, after: u8, now: i64) {
    let mut left = after;
    let mut go_on = || {
        left = left.saturating_sub(1);
        left > 0
    };
    store.cleanup(&CleanupOrder::default(), at(now), &mut go_on).unwrap();
    // Whatever was done and was not: all of it can be served and read.
    serve(store);
}

fn run(dir: &Path, bytes: &[[u8; 4]]) {
    let mut store = open(&dir.join("0"));
    import(&store, 0, &[category(CLASSIFICATION, CategoryKind::UpdateClassification, "Critical", None)]);
    store.save_rule(Some(RuleId::DEFAULT), rule(false), at(0)).unwrap();
    store.set_upstream_settings(upstream(false), at(0)).unwrap();
    // What expired goes as soon as it may: nobody waits a year here.
    let mut settings = store.cleanup_settings().unwrap();
    settings.set("expired-days", "30").unwrap();
    store.set_cleanup_settings(&settings, at(0)).unwrap();
    let mut model = Model::default();
    let mut agents: Vec<(Vec<u128>, Agent)> =
        [vec![], vec![1], vec![2], vec![1, 3], vec![4, 2, 3], vec![3, 1]]
            .into_iter()
            .map(|groups| (groups, Agent::default()))
            .collect();
    for (n, bytes) in bytes.iter().enumerate() {
        let step = Step::read(*bytes);
        // No two steps are of one moment: a decision is said to be later than the one that it replaces.
        model.now += if let Step::Cleanup { days, .. } = step { (days * DAY).max(1) } else { 1 };
        let before = model.clone();
        let allowed = model.take(&step);
        let (anchor, decisions) = (store.anchor(), store.decisions());
        let done = take(&store, &step, &model);
        assert_eq!(done.is_ok(), allowed, "step {n}, {step:?}: {done:?}");
        if !allowed {
            assert_eq!(
                (store.anchor(), store.decisions()),
                (anchor, decisions),
                "a refused step left traces"
            );
            model = before;
        }
        match step {
            Step::Crash => store = abandon(store, dir, n),
            Step::Cleanup { cut, crash, .. } => {
                if let Some(after) = cut {
                    cut_off(&store, after, model.now);
                    if crash {
                        store = abandon(store, dir, n);
                    }
                }
                clean(&store, model.now);
            }
            _ => {}
        }
        check_store(&store, &model);
        check_catalog(&store, &model);
        check_agents(&store, &model, &mut agents, n);
    }
    let options = CheckOptions { content: false, repair: false, now: at(model.now), prepare: None };
    let mut report = store.check(&options).unwrap();
    // Some were imported by hand beside an upstream, and that is told; it is nothing damaged.
    report.findings.retain(|finding| finding.check != "foreign-updates");
    assert!(report.is_sound(), "{:?}", report.findings);
}

/// Which steps random bytes can stand for.
fn kinds() -> HashSet<std::mem::Discriminant<Step>> {
    (0..=u8::MAX).map(|what| std::mem::discriminant(&Step::read([what, 0, 0, 0]))).collect()
}

#[test]
fn every_step_is_drawn() {
    assert_eq!(kinds().len(), 19);
}

fn sequences() -> u32 {
    std::env::var("SLUICEGATE_SEQUENCES").ok().and_then(|n| n.parse().ok()).unwrap_or(500)
}

/// In memory where there is such a place: thousands of small databases wear a disk for nothing.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

/// A bundle's held revision has a member that the newest one lets go of. The upstream accepts the terms that it
/// waits for and declines the former member, in one answer.
#[test]
fn a_member_that_is_let_go_of_is_declined_with_the_upstream_at_once() {
    let steps = [
        [0, 77, 0, 0],
        [177, 126, 0, 0],
        [48, 160, 0, 162],
        [222, 214, 115, 12],
        [105, 0, 0, 0],
        [0, 34, 223, 115],
        [78, 0, 47, 7],
    ];
    run(folder().path(), &steps);
}

/// The same where one order for many updates puts the bundle's revision in service, and where it takes the member in.
#[test]
fn an_order_for_many_updates_sees_what_it_has_done_to_a_bundle() {
    let (bundles, alone) = ([0, 4, 1, 2], [0, 4, 1, 1]);
    for (first, second) in [(bundles, alone), (alone, bundles)] {
        let waits_for_review = [27, 0, 1, 0];
        let steps = [[0, 5, 1, 1], first, [9, 4, 0, 0], waits_for_review, second, [15, 0, 0, 0]];
        run(folder().path(), &steps);
    }
}

/// An expired member that the newest revision of its bundle lets go of, while that revision is held: it cannot be
/// declined, so cleanup must not find it again and again.
#[test]
fn a_member_of_what_serves_is_nothing_for_cleanup() {
    let member_expires = [0, 5, 156, 0];
    let steps = [[28, 0, 188, 0], member_expires, [0, 4, 1, 162], [0, 4, 1, 43], [38, 0, 0, 0]];
    run(folder().path(), &steps);
}

/// An update that is declined since it expired, and said to be not approved for everybody: both come back together.
#[test]
fn a_declined_update_that_is_not_approved_besides_comes_back_with_the_mode() {
    let expires = [35, 238, 6, 0];
    let (replica, autonomous) = ([33, 126, 0, 0], [33, 127, 0, 0]);
    run(folder().path(), &[[0, 226, 0, 0], expires, [9, 232, 235, 107], replica, autonomous]);
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
