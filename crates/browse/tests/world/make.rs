//! The world's beginning and its changes.

use super::{Dice, Pc, World};
use sluicegate_browse::{ComputerFacts, Index, Membership, Reboot, Severity, UpdateFacts, UpdateQuery};
use sluicegate_policy::{ApprovalAction, Change, Decisions, EulaId, Order, Stamp, Subject, UpdateState};
use sluicegate_terms::{
    Anchor, CategoryKind, DeploymentId, GroupId, Guid, RevisionId, Timestamp, UpdateId, UpdateKind,
};
use std::collections::BTreeMap;

const UPDATES: u64 = 14;
const WORDS: [&str; 5] = ["cumulative", "Update", "for", "WINDOWS", "office"];

pub fn update(n: u64) -> UpdateId {
    UpdateId(Guid::from_u128(u128::from(n)))
}

pub fn category(n: u64) -> UpdateId {
    update(500 + n)
}

fn eula(n: u64) -> EulaId {
    EulaId(Guid::from_u128(u128::from(n)))
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut world = Self {
            index: Index::default(),
            decisions: Decisions::default(),
            settled: Decisions::default(),
            updates: BTreeMap::new(),
            pcs: BTreeMap::new(),
            dice: Dice::new(seed),
            clock: 1_000,
            next_deployment: i64::from(DeploymentId::FIRST_EXPLICIT),
            next_key: 1,
        };
        for n in 0..world.dice.below(5) {
            world.new_group(n);
        }
        world.new_categories();
        for n in 0..UPDATES {
            if world.dice.below(5) > 0 {
                world.revise(n);
            }
        }
        world.index.settle(&world.decisions);
        for _ in 0..world.dice.below(12) {
            world.report();
        }
        for _ in 0..world.dice.below(20) {
            world.decide();
        }
        world.settle();
        world
    }

    /// A few things happen.
    pub fn change(&mut self) {
        for _ in 0..=self.dice.below(6) {
            self.clock += self.dice.below(3) as i64;
            // Counts that were asked for are kept up to date from then on.
            let _ = self.index.decided(&[category(4)]);
            match self.dice.below(9) {
                0 => {
                    let n = self.dice.below(UPDATES);
                    self.revise(n);
                }
                1 | 2 => self.decide(),
                3 => self.move_or_forget(),
                8 => self.move_group(),
                4 => {
                    let n = 10 + self.clock as u64;
                    self.new_group(n);
                }
                5 if self.dice.below(3) == 0 => self.reload(),
                _ => self.report(),
            }
            // Sometimes several changes are settled together.
            if self.dice.below(3) > 0 {
                self.settle();
            }
        }
        self.settle();
        self.index.arrange();
    }

    /// As the owner of an index does it: only what is new is looked at while decisions stay as they are.
    fn settle(&mut self) {
        if self.settled == self.decisions {
            self.index.settle_new(&self.decisions);
        } else {
            self.index.settle(&self.decisions);
            self.settled = self.decisions.clone();
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.clock)
    }

    fn new_group(&mut self, n: u64) {
        let id = GroupId(Guid::from_u128(u128::from(n) + 1));
        let parents: Vec<GroupId> =
            self.all_groups().into_iter().filter(|g| *g != GroupId::UNASSIGNED_COMPUTERS).collect();
        let parent = *self.dice.pick(&parents);
        // A number that is taken makes no second group.
        let _ = self.decisions.groups.create(id, format!("Group {n}").parse().unwrap(), Some(parent));
    }

    fn new_categories(&mut self) {
        let tree = [
            (0, CategoryKind::Company, None),
            (1, CategoryKind::ProductFamily, Some(0)),
            (2, CategoryKind::Product, Some(1)),
            (3, CategoryKind::Product, Some(1)),
            (4, CategoryKind::UpdateClassification, None),
            (5, CategoryKind::UpdateClassification, None),
        ];
        for (n, kind, above) in tree {
            let facts = UpdateFacts {
                kind: UpdateKind::Category,
                category_kind: Some(kind),
                deployable: false,
                categories: above.map(category).into_iter().collect(),
                members: Vec::new(),
                supersedes: Vec::new(),
                ..self.facts(category(n))
            };
            self.put(facts);
        }
    }

    fn facts(&mut self, id: UpdateId) -> UpdateFacts {
        let dice = &mut self.dice;
        let mut search: Vec<String> =
            vec![(0..=dice.below(3)).map(|_| dice.pick(&WORDS).to_lowercase()).collect::<Vec<_>>().join(" ")];
        search.extend((0..dice.below(3)).map(|n| format!("kb{}", 5_000_000 + n * 10)));
        search.extend((0..dice.below(2)).map(|_| "ms08-067".to_owned()));
        search.extend((0..dice.below(2)).map(|_| "cve-2024-0001".to_owned()));
        let kinds = [UpdateKind::Software, UpdateKind::Software, UpdateKind::Driver, UpdateKind::Detectoid];
        let others = |dice: &mut Dice| -> Vec<UpdateId> {
            (0..dice.below(3)).map(|_| update(dice.below(UPDATES))).filter(|other| *other != id).collect()
        };
        let first_arrived =
            self.updates.get(&id).map_or(Timestamp::from_unix_seconds(self.clock), |f| f.first_arrived);
        UpdateFacts {
            update: id,
            newest: RevisionId::new(1 + dice.below(100_000) as i64).unwrap(),
            kind: *dice.pick(&kinds),
            category_kind: None,
            deployable: dice.below(6) > 0,
            expired: dice.below(5) == 0,
            search: search.join("\n"),
            severity: *dice.pick(&Severity::ALL),
            reboot: *dice.pick(&Reboot::ALL),
            eula: (dice.below(3) == 0).then(|| eula(dice.below(3))),
            categories: (0..dice.below(3)).map(|_| category(dice.below(6))).collect(),
            supersedes: others(dice),
            members: if dice.below(4) == 0 { others(dice) } else { Vec::new() },
            created: (dice.below(6) > 0).then(|| Timestamp::from_unix_seconds(dice.below(20) as i64)),
            arrived: Timestamp::from_unix_seconds(self.clock),
            first_arrived,
        }
    }

    fn put(&mut self, facts: UpdateFacts) {
        self.index.put_update(&facts);
        self.updates.insert(facts.update, facts);
    }

    fn revise(&mut self, n: u64) {
        let facts = self.facts(update(n));
        self.put(facts);
    }

    /// The whole catalog again, perhaps without an update.
    fn reload(&mut self) {
        let gone = update(self.dice.below(UPDATES));
        self.updates.remove(&gone);
        self.index.clear_updates();
        for facts in self.updates.values() {
            self.index.put_update(facts);
        }
    }

    fn membership(&mut self) -> Membership {
        let groups = self.all_groups();
        let mut assigned: Vec<GroupId> = (0..self.dice.below(4)).map(|_| *self.dice.pick(&groups)).collect();
        assigned.retain(|g| *g != GroupId::ALL_COMPUTERS && *g != GroupId::UNASSIGNED_COMPUTERS);
        if self.dice.below(8) == 0 {
            // A group that is gone.
            assigned.push(GroupId(Guid::from_u128(77_777)));
        }
        Membership { assigned, requested: Vec::new() }
    }

    /// A computer is new, or reports again.
    fn report(&mut self) {
        let known: Vec<i64> = self.pcs.keys().copied().collect();
        let key = match self.dice.below(2) {
            0 if !known.is_empty() => *self.dice.pick(&known),
            _ => {
                self.next_key += 1;
                self.next_key
            }
        };
        let membership = match self.pcs.get(&key) {
            Some(pc) => pc.membership.clone(),
            None => self.membership(),
        };
        let mut states = BTreeMap::new();
        for _ in 0..self.dice.below(9) {
            let about = if self.dice.below(9) == 0 { 900 } else { self.dice.below(UPDATES) };
            let state = *self.dice.pick(&UpdateState::ALL[2..]);
            states.insert(update(about), state);
        }
        let late = self.dice.below(4) as i64 - 1;
        let reported = (self.dice.below(6) > 0).then(|| Timestamp::from_unix_seconds(self.clock - late));
        let pc = Pc {
            key,
            id: format!("id-pc-{key}").parse().unwrap(),
            name: (self.dice.below(4) > 0).then(|| format!("Host{}", self.dice.below(4))),
            membership,
            reported,
            states,
        };
        self.index.put_computer(facts_of(&pc), Some(pc.states.clone()));
        self.pcs.insert(key, pc);
    }

    fn move_or_forget(&mut self) {
        let known: Vec<i64> = self.pcs.keys().copied().collect();
        if known.is_empty() {
            return;
        }
        let key = *self.dice.pick(&known);
        if self.dice.below(3) == 0 {
            self.pcs.remove(&key);
            self.index.remove_computer(key);
            return;
        }
        let membership = self.membership();
        if let Some(pc) = self.pcs.get_mut(&key) {
            pc.membership = membership;
            self.index.put_computer(facts_of(pc), None::<BTreeMap<UpdateId, UpdateState>>);
        }
    }

    /// A group goes below another one, with all that is nested in it.
    fn move_group(&mut self) {
        let groups = self.all_groups();
        let (group, parent) = (*self.dice.pick(&groups), *self.dice.pick(&groups));
        // What would make a circle, and the two groups that stay where they are, change nothing.
        let _ = self.decisions.groups.move_below(group, parent, Anchor(self.clock.unsigned_abs()));
    }

    /// An administrator decides something; what the rules refuse changes nothing.
    fn decide(&mut self) {
        self.clock += self.dice.below(2) as i64;
        let known: Vec<UpdateId> = self.updates.keys().copied().collect();
        let id = *self.dice.pick(&known);
        let groups = self.all_groups();
        let group = *self.dice.pick(&groups);
        let change = Change { anchor: Anchor(self.clock.unsigned_abs()), at: self.now() };
        let mut stamp = Stamp::new(change, self.next_deployment);
        let facts = &self.updates[&id];
        let subject = Subject { kind: facts.kind, eula: facts.eula, ..Subject::software(id) };
        let action = *self.dice.pick(&ApprovalAction::ALL);
        let _ = match self.dice.below(7) {
            0 => self.decisions.decline(&subject, change).is_ok(),
            1 => self.decisions.restore(id, change).is_ok(),
            2 => self.decisions.unapprove(id, Some(group), "test".to_owned(), &mut stamp).is_ok(),
            3 => self.decisions.accept_eula(eula(self.dice.below(3)), "test".to_owned(), &mut stamp).is_ok(),
            _ => {
                let order = Order { group, action, deadline: None, by: "test".to_owned() };
                self.decisions.approve(&subject, order, &mut stamp).is_ok()
            }
        };
        self.next_deployment = stamp.next_deployment();
    }

    /// Each filter by itself, with values that find some and values that find none.
    pub fn single_filters(&self, base: &UpdateQuery) -> Vec<UpdateQuery> {
        let at = |n: i64| Some(Timestamp::from_unix_seconds(n));
        let mut all = Vec::new();
        let mut with = |change: &dyn Fn(&mut UpdateQuery)| {
            let mut query = base.clone();
            change(&mut query);
            all.push(query);
        };
        for search in ["Windows", "update cumul", "kb500", "nothing", "MS08-067", &update(3).to_string()] {
            with(&|q| q.search = Some(search.to_owned()));
        }
        for kb in ["5000000", "KB5000010", "500"] {
            with(&|q| q.kb = Some(kb.to_owned()));
        }
        for cve in ["CVE-2024-0001", "ms08-067", "CVE-2024"] {
            with(&|q| q.cve = Some(cve.to_owned()));
        }
        for n in 0..7 {
            with(&|q| q.product = Some(category(n)));
            with(&|q| q.classification = Some(category(n)));
        }
        for severity in Severity::ALL {
            with(&|q| q.severities = vec![severity]);
            with(&|q| q.severities = vec![severity, Severity::Critical]);
        }
        for reboot in Reboot::ALL {
            with(&|q| q.reboot = Some(reboot));
        }
        for n in [0, 5, 10, 19, 30] {
            with(&|q| q.released_from = at(n));
            with(&|q| q.released_to = at(n));
        }
        for n in [999, 1_000, 1_003, self.clock] {
            with(&|q| q.arrived_from = at(n));
            with(&|q| q.arrived_to = at(n));
        }
        for yes in [true, false] {
            with(&|q| q.superseded = Some(yes));
            with(&|q| q.supersedes = Some(yes));
            with(&|q| q.needs_licence = Some(yes));
            with(&|q| q.expired = Some(yes));
        }
        for group in self.all_groups() {
            with(&|q| q.approved_for = Some(group));
        }
        all
    }
}

pub fn facts_of(pc: &Pc) -> ComputerFacts {
    ComputerFacts {
        key: pc.key,
        id: pc.id.clone(),
        name: pc.name.clone(),
        membership: pc.membership.clone(),
        reported: pc.reported,
    }
}

/// Adds what `other` names to a query.
pub fn combine(query: &mut UpdateQuery, other: &UpdateQuery) {
    fn take<T: Clone>(mine: &mut Option<T>, other: &Option<T>) {
        if other.is_some() {
            mine.clone_from(other);
        }
    }
    take(&mut query.search, &other.search);
    take(&mut query.kb, &other.kb);
    take(&mut query.cve, &other.cve);
    take(&mut query.product, &other.product);
    take(&mut query.classification, &other.classification);
    take(&mut query.reboot, &other.reboot);
    take(&mut query.released_from, &other.released_from);
    take(&mut query.released_to, &other.released_to);
    take(&mut query.arrived_from, &other.arrived_from);
    take(&mut query.arrived_to, &other.arrived_to);
    take(&mut query.superseded, &other.superseded);
    take(&mut query.supersedes, &other.supersedes);
    take(&mut query.needs_licence, &other.needs_licence);
    take(&mut query.expired, &other.expired);
    take(&mut query.approved_for, &other.approved_for);
    if !other.severities.is_empty() {
        query.severities.clone_from(&other.severities);
    }
}
