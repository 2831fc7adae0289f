//! The engine and the reference agree about random worlds, and clients are told of every change.

use crate::model::Model;
use crate::world::{Draws, GROUPS, LAST_ANCHOR, Question, World, cases, draws, group, recovery_ids, uid};
use proptest::prelude::*;
use sluicegate_policy::{ApprovalAction, Decisions};
use sluicegate_scan::{Deployed, PageBudget, PrinterQuery, Scratch, Snapshot, SyncAnswer, answer};
use sluicegate_terms::{Anchor, RevisionNumber, UpdateIdentity};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The answer without what only this snapshot knows.
fn comparable(mut answer: SyncAnswer) -> SyncAnswer {
    for new in &mut answer.new {
        new.index = 0;
    }
    answer
}

fn ask(snapshot: &Snapshot, question: &Question, scratch: &mut Scratch) -> SyncAnswer {
    comparable(answer(snapshot, &question.query(), scratch))
}

/// A client that keeps what it is given, and finds some of it installed.
#[derive(Default)]
pub(crate) struct Client {
    /// Held revisions: whether it is installed, whether it is a leaf, and the deployment.
    pub(crate) held: BTreeMap<i32, (bool, bool, Deployed)>,
    pub(crate) seen: Anchor,
}

impl Client {
    pub(crate) fn fill(&self, question: &mut Question) {
        let installed = |(installed, leaf, _): &(bool, bool, Deployed)| *installed && !*leaf;
        question.installed = self.held.iter().filter(|(_, h)| installed(h)).map(|(id, _)| *id).collect();
        question.other = self.held.iter().filter(|(_, h)| !installed(h)).map(|(id, _)| *id).collect();
        question.seen = self.seen;
    }

    /// Takes an answer in. Returns whether the client has to ask again.
    pub(crate) fn take(&mut self, answer: &SyncAnswer, installed: impl Fn(i32) -> bool) -> bool {
        for new in &answer.new {
            let id = i32::try_from(new.revision.get()).unwrap();
            let old = self.held.insert(id, (installed(id), new.is_leaf, new.deployment.clone()));
            assert!(old.is_none(), "revision {id} was delivered again");
        }
        for id in answer.out_of_scope.iter().chain(&answer.deployed_out_of_scope) {
            assert!(self.held.remove(id).is_some(), "revision {id} was not held");
        }
        for changed in &answer.changed {
            let held = self.held.get_mut(&i32::try_from(changed.revision.get()).unwrap()).unwrap();
            (held.1, held.2) = (changed.is_leaf, changed.deployment.clone());
        }
        self.seen = answer.anchor;
        answer.truncated || answer.new.iter().any(|new| !new.is_leaf)
    }
}

/// The question twice as it is, then as many ids in another order, one in the place of another, and one told
/// as installed that is not or the other way round.
fn near_misses(question: &Question, draws: &mut Draws) -> Vec<Question> {
    let mut all = vec![question.clone(), question.clone()];
    let mut turned = question.clone();
    turned.other.reverse();
    all.push(turned);
    if !question.other.is_empty() {
        let at = draws.below(question.other.len());
        let ids = [question.other.as_slice(), &question.installed, &[0, -1, i32::MAX]].concat();
        let mut replaced = question.clone();
        replaced.other[at] = ids[draws.below(ids.len())];
        all.push(replaced);
        let mut moved = question.clone();
        moved.installed.push(moved.other.remove(at));
        all.extend([moved.clone(), moved]);
    }
    if let Some(last) = question.installed.last() {
        let mut doubled = question.clone();
        doubled.other.push(*last);
        doubled.installed[0] = *last;
        all.extend([doubled.clone(), doubled]);
    }
    all
}

proptest! {
    #![proptest_config(cases(8_000))]

    #[test]
    fn the_engine_and_the_reference_agree(numbers in draws()) {
        let mut draws = Draws::new(numbers);
        let world = World::draw(&mut draws);
        let anchor = Anchor(LAST_ANCHOR);
        let revisions = world.revisions_at(anchor);
        let decisions = world.decisions_at(anchor);
        let snapshot = World::snapshot(&revisions, &decisions, anchor);
        let model = Model::new(&revisions, &decisions, anchor);
        let left_out: BTreeSet<u32> = snapshot.left_out().iter().map(|left| left.revision.get()).collect();
        prop_assert_eq!(left_out, model.left_out.clone());
        prop_assert_eq!(snapshot.len(), model.scope.len());
        let mut scratch = Scratch::new();
        for _ in 0..4 {
            let question = Question::draw(&mut draws, &world, recovery_ids());
            let theirs = model.answer(&question.query());
            prop_assert_eq!(ask(&snapshot, &question, &mut scratch), theirs, "{:?}", question);
            let printers = PrinterQuery {
                installed_non_leaf: &question.installed,
                printer_updates: &question.cached_drivers,
                groups: &question.groups,
                seen: question.seen,
                protocol: question.protocol,
                budget: question.budget,
            };
            let ours = comparable(snapshot.sync_printer_catalog(&printers, &mut scratch));
            prop_assert_eq!(ours, model.printers(&printers));
            let ids: Vec<UpdateIdentity> = (0..world.updates + 1)
                .map(|n| UpdateIdentity { update: uid(n), revision: RevisionNumber::new(100 + draws.below(3) as i64).unwrap() })
                .collect();
            let ours = snapshot.refresh_cache(&ids, &question.groups, question.protocol);
            prop_assert_eq!(ours, model.refresh(&ids, &question.groups, question.protocol));
        }
    }

    #[test]
    fn a_snapshot_with_other_decisions_is_what_compiling_them_gives(numbers in draws()) {
        let mut draws = Draws::new(numbers);
        let world = World::draw(&mut draws);
        let (early, last) = (Anchor(1 + draws.below(LAST_ANCHOR as usize) as u64), Anchor(LAST_ANCHOR));
        let revisions = world.revisions_at(last);
        let before = world.decisions_at(early);
        let mut after = world.decisions_at(last);
        if draws.chance(80) {
            // What puts revisions in scope stays, so that compiling can be spared.
            after.declined.clone_from(&before.declined);
            after.held.clone_from(&before.held);
            after.released.clone_from(&before.released);
        }
        let first = World::snapshot(&revisions, &before, early);
        let mut scratch = Scratch::new();
        let questions: Vec<Question> =
            (0..4).map(|_| Question::draw(&mut draws, &world, recovery_ids())).collect();
        // Fills the caches that both share.
        questions.iter().for_each(|question| drop(ask(&first, question, &mut scratch)));
        let compiled = World::snapshot(&revisions, &after, last);
        match first.with_decisions(Arc::new(after.clone()), last) {
            Some(other) => {
                prop_assert_eq!(other.anchor(), last);
                prop_assert_eq!(other.len(), compiled.len());
                for question in &questions {
                    let ours = ask(&other, question, &mut scratch);
                    prop_assert_eq!(ours, ask(&compiled, question, &mut scratch), "{:?}", question);
                }
            }
            None => {
                let removes = |decisions: &Decisions| -> BTreeSet<_> {
                    let all = decisions.approvals.values();
                    all.filter(|a| a.action == ApprovalAction::Uninstall).map(|a| a.update).collect()
                };
                prop_assert!(
                    before.declined != after.declined
                        || before.held != after.held
                        || before.released != after.released
                        || removes(&before) != removes(&after)
                );
            }
        }
    }

    #[test]
    fn driver_passes_agree(numbers in draws()) {
        let mut draws = Draws::new(numbers);
        let world = World::draw_drivers(&mut draws);
        let anchor = Anchor(LAST_ANCHOR);
        let (revisions, decisions) = (world.revisions_at(anchor), world.decisions_at(anchor));
        let snapshot = World::snapshot(&revisions, &decisions, anchor);
        let model = Model::new(&revisions, &decisions, anchor);
        let mut scratch = Scratch::new();
        for _ in 0..6 {
            let mut question = Question::draw(&mut draws, &world, recovery_ids());
            question.skip_software = true;
            question.also_regular |= draws.chance(70);
            let theirs = model.answer(&question.query());
            prop_assert_eq!(ask(&snapshot, &question, &mut scratch), theirs, "{:?}", question);
        }
    }

    #[test]
    fn whole_scans_agree_and_a_second_one_tells_every_change(numbers in draws()) {
        let mut draws = Draws::new(numbers);
        let world = World::draw(&mut draws);
        let mut question = Question::draw(&mut draws, &world, recovery_ids());
        question.categories.clear();
        question.skip_software = false;
        question.protocol = "2.90".parse().unwrap();
        let verdicts = draws.below(1 << 20);
        let installed = |id: i32| verdicts >> (id.unsigned_abs() % 20) & 1 == 0;
        let early = Anchor(1 + draws.below(LAST_ANCHOR as usize) as u64);
        // A computer keeps its groups; that a cookie for other groups starts anew is the server's part.
        let before = world.decisions_at(early);
        let after = world.decisions_at(Anchor(LAST_ANCHOR));
        question.groups = (0..GROUPS + 2)
            .map(group)
            .filter(|g| before.groups.get(*g).is_some() && after.groups.get(*g).is_some())
            .filter(|_| draws.chance(40))
            .collect();
        let mut client = Client::default();
        let mut scratch = Scratch::new();
        for (anchor, decisions) in [(early, before), (Anchor(LAST_ANCHOR), after)] {
            let revisions = world.revisions_at(anchor);
            let snapshot = World::snapshot(&revisions, &decisions, anchor);
            let model = Model::new(&revisions, &decisions, anchor);
            let mut rounds = 0;
            loop {
                client.fill(&mut question);
                let ours = ask(&snapshot, &question, &mut scratch);
                prop_assert_eq!(&ours, &model.answer(&question.query()));
                rounds += 1;
                // Each round but the last brings something new or takes something stale away.
                prop_assert!(rounds <= 2 * (snapshot.len() + world.revisions.len()) + 2, "the scan does not end");
                client.take(&ours, installed);
                // An update that others have come to need since counts only once its new IsLeaf is known,
                // which an agent puts to use in its next scan; so scans go on until nothing is new.
                if ours.new.is_empty() && ours.out_of_scope.is_empty() && ours.changed.is_empty() {
                    break;
                }
            }
            client.fill(&mut question);
            // Clients that have everything are told so in a shorter way, which must not take others for them.
            for near in near_misses(&question, &mut draws) {
                prop_assert_eq!(ask(&snapshot, &near, &mut scratch), model.answer(&near.query()), "{:?}", near);
            }
            let needed = model.needed_software(&question.query());
            let held: BTreeSet<i32> = client.held.keys().copied().collect();
            let ids = needed.iter().map(|found| i32::try_from(model.scope[found].id.get()).unwrap());
            prop_assert_eq!(held, ids.collect::<BTreeSet<i32>>());
            for found in needed {
                let id = i32::try_from(model.scope[&found].id.get()).unwrap();
                let (_, is_leaf, deployed) = &client.held[&id];
                prop_assert_eq!(*is_leaf, model.is_leaf(found.update), "IsLeaf of {}", id);
                prop_assert_eq!(deployed, &model.deployed(found, &question.groups, question.protocol));
            }
        }
    }

    #[test]
    fn the_order_of_revisions_given_does_not_matter(numbers in draws()) {
        let mut draws = Draws::new(numbers);
        let world = World::draw(&mut draws);
        let anchor = Anchor(LAST_ANCHOR);
        let decisions = world.decisions_at(anchor);
        let mut revisions = world.revisions_at(anchor);
        let one = World::snapshot(&revisions, &decisions, anchor);
        revisions.reverse();
        let other = World::snapshot(&revisions, &decisions, anchor);
        let mut scratch = Scratch::new();
        let mut question = Question::draw(&mut draws, &world, recovery_ids());
        question.budget = PageBudget::default();
        prop_assert_eq!(ask(&one, &question, &mut scratch), ask(&other, &question, &mut scratch));
        prop_assert_eq!(one.left_out(), other.left_out());
    }
}
