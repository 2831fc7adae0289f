//! The reference: MS-WUSP 3.1.5.7 and the observed rules 3.2 and 3.3, as literally as they can be
//! written, with loops over everything. Shares nothing with the engine but the types of question and
//! answer.

use sluicegate_catalog::{Clause, ScanRecord};
use sluicegate_policy::{Approval, ApprovalAction, Decisions};
use sluicegate_scan::{
    AutoFields, ChangedUpdate, Deployed, NewUpdate, PageBudget, ProtocolVersion, RefreshedRevision,
    RevisionInput, SyncAnswer, SyncQuery,
};
use sluicegate_terms::{
    Anchor, DeploymentAction, DeploymentId, GroupId, Timestamp, UpdateId, UpdateIdentity, UpdateKind,
};
use std::collections::{BTreeMap, BTreeSet};

/// The catalog and the decisions as they are at one anchor.
pub(crate) struct Model<'a> {
    pub(crate) anchor: Anchor,
    pub(crate) all: Vec<&'a RevisionInput>,
    pub(crate) decisions: &'a Decisions,
    /// The revisions in scope.
    pub(crate) scope: BTreeMap<UpdateIdentity, &'a RevisionInput>,
    /// The revision of each update in service: the newest, or the one that stays while that is held.
    live: BTreeMap<UpdateId, &'a RevisionInput>,
    /// Ids of the revisions that are left out.
    pub(crate) left_out: BTreeSet<u32>,
}

fn update_of(revision: &RevisionInput) -> UpdateId {
    revision.record.identity.update
}

pub(crate) fn members(record: &ScanRecord) -> BTreeSet<UpdateId> {
    record.bundles.iter().flatten().map(|member| member.update).collect()
}

fn names(record: &ScanRecord) -> BTreeSet<UpdateId> {
    record.prerequisites.iter().flat_map(|clause| clause.any_of.iter().copied()).collect()
}

fn installable(record: &ScanRecord) -> bool {
    matches!(record.kind, UpdateKind::Software | UpdateKind::Driver)
}

impl<'a> Model<'a> {
    pub(crate) fn new(all: &[&'a RevisionInput], decisions: &'a Decisions, anchor: Anchor) -> Self {
        let mut live: BTreeMap<UpdateId, &RevisionInput> = BTreeMap::new();
        let number = |revision: &RevisionInput| revision.record.identity.revision;
        for revision in all {
            let newest = live.entry(update_of(revision)).or_insert(revision);
            if number(newest) < number(revision) {
                *newest = revision;
            }
        }
        for (update, hold) in &decisions.held {
            let stays = all.iter().find(|r| update_of(r) == *update && number(r) == hold.serving);
            live.insert(*update, stays.expect("a held revision has one before it"));
        }
        let mut model = Self {
            anchor,
            all: all.to_vec(),
            decisions,
            scope: BTreeMap::new(),
            live,
            left_out: BTreeSet::new(),
        };
        model.leave_out();
        model.find_scope();
        model
    }

    /// What a clause of a bundle can be: the revisions it names, since agents look members up by identity. One that
    /// is not here is stood for by the revision in service.
    fn contained(&self, clause: &[UpdateIdentity]) -> Vec<&'a RevisionInput> {
        let named = |member: &UpdateIdentity| self.all.iter().find(|r| r.record.identity == *member);
        let serving = |member: &UpdateIdentity| self.live.get(&member.update);
        clause.iter().filter_map(|member| named(member).or_else(|| serving(member)).copied()).collect()
    }

    /// All that a revision contains.
    fn contents(&self, revision: &RevisionInput) -> BTreeMap<UpdateIdentity, &'a RevisionInput> {
        let clauses = revision.record.bundles.iter();
        clauses.flat_map(|clause| self.contained(clause)).map(|r| (r.record.identity, r)).collect()
    }

    /// Whether it is the revision of its update that counts, not only one that a bundle names.
    fn serves(&self, identity: UpdateIdentity) -> bool {
        self.live.get(&identity.update).is_some_and(|r| r.record.identity == identity)
    }

    /// The revision in service of an update, when that is in scope.
    pub(crate) fn serving(&self, update: UpdateId) -> Option<&'a RevisionInput> {
        let live = self.live.get(&update)?;
        self.scope.get(&live.record.identity).copied()
    }

    /// Judges a revision once all that it bundles has been judged; what never gets judged is part of a
    /// ring of bundles or contains one.
    fn leave_out(&mut self) {
        let mut given: BTreeMap<UpdateIdentity, &RevisionInput> =
            self.live.values().map(|r| (r.record.identity, *r)).collect();
        loop {
            let before = given.len();
            given.extend(given.clone().values().flat_map(|revision| self.contents(revision)));
            if given.len() == before {
                break;
            }
        }
        let mut verdicts: BTreeMap<UpdateIdentity, bool> = BTreeMap::new();
        loop {
            let before = verdicts.len();
            for (identity, revision) in &given {
                let judged = self.contents(revision).keys().all(|member| verdicts.contains_key(member));
                if judged && !verdicts.contains_key(identity) {
                    let present = |update: &UpdateId| self.live.contains_key(update);
                    let needs = |clause: &Clause| clause.any_of.iter().any(present);
                    let contains = |clause: &Vec<UpdateIdentity>| {
                        let mut members = self.contained(clause).into_iter();
                        members.any(|member| verdicts[&member.record.identity])
                    };
                    let sound = revision.record.prerequisites.iter().all(needs)
                        && revision.record.bundles.iter().all(contains);
                    verdicts.insert(*identity, sound);
                }
            }
            if verdicts.len() == before {
                break;
            }
        }
        let sound = |identity: &UpdateIdentity| verdicts.get(identity) == Some(&true);
        self.left_out =
            given.iter().filter(|(identity, _)| !sound(identity)).map(|(_, r)| r.id.get()).collect();
    }

    fn find_scope(&mut self) {
        let mut scope: BTreeMap<UpdateIdentity, &RevisionInput> = BTreeMap::new();
        for (update, revision) in &self.live {
            let part_only = installable(&revision.record)
                && self.is_member(*update)
                && !revision.record.explicitly_deployable;
            let declined = self.decisions.declined.contains_key(update);
            let removed = self.decisions.approvals.of(*update).any(|a| a.action == ApprovalAction::Uninstall);
            if (!revision.record.expired || removed) && !declined && !part_only {
                scope.insert(revision.record.identity, revision);
            }
        }
        scope.retain(|_, revision| !self.left_out.contains(&revision.id.get()));
        loop {
            let mut more = scope.clone();
            for revision in scope.values() {
                let needed = names(&revision.record).into_iter().filter_map(|update| self.live.get(&update));
                more.extend(needed.map(|r| (r.record.identity, *r)));
                more.extend(self.contents(revision));
            }
            more.retain(|_, revision| !self.left_out.contains(&revision.id.get()));
            if more.len() == scope.len() {
                break;
            }
            scope = more;
        }
        self.scope = scope;
    }

    /// A leaf is named as a prerequisite by no revision at all.
    pub(crate) fn is_leaf(&self, update: UpdateId) -> bool {
        !self.all.iter().any(|revision| names(&revision.record).contains(&update))
    }

    fn is_member(&self, update: UpdateId) -> bool {
        self.live.values().any(|revision| members(&revision.record).contains(&update))
    }

    /// The anchor from which on deployment and IsLeaf may be what they are.
    pub(crate) fn changed(&self, identity: UpdateIdentity, groups: &[GroupId]) -> Anchor {
        self.anchor.min(self.changed_by_facts(identity, groups))
    }

    fn changed_by_facts(&self, identity: UpdateIdentity, groups: &[GroupId]) -> Anchor {
        let revision = self.scope[&identity];
        let update = identity.update;
        let mut changed = vec![Anchor(1), revision.arrived, revision.leaf_changed];
        changed
            .extend(self.all.iter().filter(|r| names(&r.record).contains(&update)).map(|r| r.arrived).min());
        if installable(&revision.record) {
            let bundles = |revision: &RevisionInput| members(&revision.record).contains(&update);
            if self.is_member(update) {
                changed.extend(self.live.values().filter(|r| bundles(r)).map(|r| self.in_service(r)).min());
                return changed.into_iter().max().unwrap();
            }
            let dropped = self.all.iter().filter(|old| bundles(old));
            let dropped = dropped.map(|old| self.in_service(self.live[&update_of(old)]));
            changed.extend(dropped);
            // From then on another revision was only what a bundle names, and this one no longer.
            changed.push(self.in_service(self.live[&update]));
            if !self.serves(identity) {
                return changed.into_iter().max().unwrap();
            }
            changed.extend(self.decisions.declined.get(&update).map(|change| change.anchor));
            if !self.decisions.declined.contains_key(&update) {
                changed.push(self.decided(revision, groups).1);
            }
        }
        changed.into_iter().max().unwrap()
    }

    /// Since when a live revision is in service.
    fn in_service(&self, revision: &RevisionInput) -> Anchor {
        let released = self.decisions.released.get(&update_of(revision)).map(|change| change.anchor);
        revision.arrived.max(released.unwrap_or(Anchor(0)))
    }

    /// The action without approvals.
    fn base(&self, identity: UpdateIdentity) -> DeploymentAction {
        let record = &self.scope[&identity].record;
        if !installable(record) {
            DeploymentAction::Evaluate
        } else if self.is_member(identity.update) || !self.serves(identity) {
            DeploymentAction::Bundle
        } else if record.expired || self.decisions.declined.contains_key(&identity.update) {
            DeploymentAction::Evaluate
        } else {
            DeploymentAction::PreDeploymentCheck
        }
    }

    /// The approval that wins for these groups, and since when that is decided.
    fn decided(&self, revision: &RevisionInput, groups: &[GroupId]) -> (Option<Approval>, Anchor) {
        let update = update_of(revision);
        let tree = &self.decisions.groups;
        let mut since = self.decisions.restored.get(&update).map_or(Anchor(0), |change| change.anchor);
        let recorded =
            self.decisions.approvals.keys().chain(self.decisions.withdrawn.keys()).any(|(u, _)| *u == update);
        if recorded {
            since = since.max(tree.reshaped());
        }
        let mut starts: Vec<GroupId> =
            groups.iter().copied().filter(|group| tree.get(*group).is_some()).collect();
        if starts.is_empty() {
            starts.push(GroupId::UNASSIGNED_COMPUTERS);
        }
        let mut winners: Vec<&Approval> = Vec::new();
        for start in starts {
            let mut group = Some(start);
            while let Some(here) = group {
                if let Some(change) = self.decisions.withdrawn.get(&(update, here)) {
                    since = since.max(change.anchor);
                }
                if let Some(approval) = self.decisions.approvals.get(&(update, here)) {
                    since = since.max(approval.changed);
                    winners.push(approval);
                    break;
                }
                group = tree.get(here).unwrap().parent;
            }
        }
        let expired = revision.record.expired;
        for action in [ApprovalAction::Install, ApprovalAction::OptionalInstall, ApprovalAction::Uninstall] {
            let of_action = winners.iter().filter(|approval| approval.action == action);
            let first = of_action.min_by_key(|a| (a.deadline.unwrap_or(Timestamp::MAX), a.deployment));
            if let Some(approval) = first {
                let holds = !expired || action == ApprovalAction::Uninstall;
                return (holds.then(|| (*approval).clone()), since);
            }
        }
        (None, since)
    }

    pub(crate) fn deployed(
        &self,
        identity: UpdateIdentity,
        groups: &[GroupId],
        protocol: ProtocolVersion,
    ) -> Deployed {
        let revision = self.scope[&identity];
        let mut deployed = Deployed {
            id: DeploymentId::implicit(revision.id),
            action: self.base(identity),
            deadline: None,
            is_assigned: true,
            last_change: revision.arrived_at,
            download_priority: None,
            hardware_ids: Vec::new(),
            auto: (protocol >= ProtocolVersion { major: 1, minor: 8 }).then_some(AutoFields {
                select: 0,
                download: 0,
                supersedence: 0,
            }),
        };
        let fixed = !installable(&revision.record)
            || !self.serves(identity)
            || self.is_member(identity.update)
            || self.decisions.declined.contains_key(&identity.update);
        if !fixed && let (Some(approval), _) = self.decided(revision, groups) {
            deployed.id = approval.deployment;
            deployed.deadline = approval.deadline;
            deployed.last_change = approval.changed_at.max(revision.arrived_at);
            deployed.is_assigned = approval.action != ApprovalAction::OptionalInstall;
            deployed.action = match approval.action {
                ApprovalAction::Install | ApprovalAction::OptionalInstall => DeploymentAction::Install,
                _ => DeploymentAction::Uninstall,
            };
        }
        deployed
    }

    /// The revisions in scope that are among these ids.
    fn with_ids(&self, ids: &[i32]) -> BTreeSet<UpdateIdentity> {
        let listed = |revision: &RevisionInput| ids.contains(&i32::try_from(revision.id.get()).unwrap());
        self.scope.iter().filter(|(_, revision)| listed(revision)).map(|(identity, _)| *identity).collect()
    }

    /// Only the revision in service counts as its update.
    pub(crate) fn satisfied(&self, identity: UpdateIdentity, installed: &[i32]) -> bool {
        let installed = self.with_ids(installed).into_iter().filter(|identity| self.serves(*identity));
        let installed: BTreeSet<UpdateId> = installed.map(|identity| identity.update).collect();
        let clauses = &self.scope[&identity].record.prerequisites;
        clauses.iter().all(|clause| clause.any_of.iter().any(|alternative| installed.contains(alternative)))
    }

    /// What a category scan is about; `None` for a regular scan.
    pub(crate) fn concerned(&self, query: &SyncQuery<'_>) -> Option<BTreeSet<UpdateIdentity>> {
        let regular = query.filter_categories.is_empty()
            || query.also_regular
            || query.protocol < ProtocolVersion { major: 1, minor: 7 };
        if regular {
            return None;
        }
        let is_category = |update: &UpdateId| {
            self.serving(*update).is_some_and(|revision| revision.record.kind == UpdateKind::Category)
        };
        let asked = query.filter_categories.iter().filter(|update| is_category(update));
        let mut placed: BTreeSet<UpdateIdentity> =
            asked.filter_map(|update| self.serving(*update)).map(|r| r.record.identity).collect();
        loop {
            let among = |update: &UpdateId| {
                is_category(update)
                    && self.serving(*update).is_some_and(|r| placed.contains(&r.record.identity))
            };
            let inside = |clause: &Clause| clause.is_category && clause.any_of.iter().any(among);
            let more: BTreeSet<UpdateIdentity> = self
                .scope
                .iter()
                .filter(|(identity, r)| {
                    placed.contains(identity) || r.record.prerequisites.iter().any(inside)
                })
                .map(|(identity, _)| *identity)
                .collect();
            if more == placed {
                break;
            }
            placed = more;
        }
        loop {
            let mut more = placed.clone();
            for identity in &placed {
                let revision = self.scope[identity];
                let needed = names(&revision.record).into_iter().filter_map(|update| self.serving(update));
                more.extend(needed.map(|r| r.record.identity));
                more.extend(self.contents(revision).into_keys());
            }
            more.retain(|identity| self.scope.contains_key(identity));
            if more == placed {
                return Some(placed);
            }
            placed = more;
        }
    }

    /// The revisions a software pass needs.
    pub(crate) fn needed_software(&self, query: &SyncQuery<'_>) -> BTreeSet<UpdateIdentity> {
        let concerned = self.concerned(query);
        self.scope
            .iter()
            .filter(|(_, revision)| revision.record.kind != UpdateKind::Driver)
            .map(|(identity, _)| *identity)
            .filter(|identity| self.satisfied(*identity, query.installed_non_leaf))
            .filter(|identity| concerned.as_ref().is_none_or(|concerned| concerned.contains(identity)))
            .collect()
    }

    pub(crate) fn answer(&self, query: &SyncQuery<'_>) -> SyncAnswer {
        let concerned = self.concerned(query);
        let mut needed: BTreeMap<UpdateIdentity, BTreeSet<Box<str>>> = BTreeMap::new();
        let cached: Vec<i32> = if query.skip_software {
            needed = self.needed_drivers(query);
            query.cached_drivers.to_vec()
        } else {
            needed.extend(self.needed_software(query).into_iter().map(|found| (found, BTreeSet::new())));
            [query.installed_non_leaf, query.other_cached].concat()
        };
        let mut answer =
            self.compose(&needed, &cached, query.groups, query.seen, query.protocol, query.budget);
        if query.two_groups && concerned.is_some() {
            let deployed = |id: &i32| !self.with_ids(&[*id]).is_empty();
            let (deployed, gone) = answer.out_of_scope.into_iter().partition(deployed);
            answer.out_of_scope = gone;
            answer.deployed_out_of_scope = deployed;
        }
        if query.protocol >= (ProtocolVersion { major: 1, minor: 7 }) {
            let drivers = self
                .scope
                .iter()
                .filter(|(update, _)| concerned.as_ref().is_none_or(|c| c.contains(update)))
                .any(|(_, revision)| revision.record.kind == UpdateKind::Driver);
            answer.driver_sync_not_needed = Some(!drivers && (query.skip_software || concerned.is_some()));
        }
        answer
    }

    pub(crate) fn compose(
        &self,
        needed: &BTreeMap<UpdateIdentity, BTreeSet<Box<str>>>,
        cached: &[i32],
        groups: &[GroupId],
        seen: Anchor,
        protocol: ProtocolVersion,
        budget: PageBudget,
    ) -> SyncAnswer {
        let held = self.with_ids(cached);
        let deployed = |identity: UpdateIdentity| Deployed {
            hardware_ids: match protocol >= (ProtocolVersion { major: 1, minor: 6 }) {
                true => needed[&identity].iter().cloned().collect(),
                false => Vec::new(),
            },
            ..self.deployed(identity, groups, protocol)
        };
        let mut order: Vec<UpdateIdentity> = needed.keys().copied().collect();
        order.sort_by_key(|identity| (self.is_leaf(identity.update), self.scope[identity].id));
        let mut answer = SyncAnswer { anchor: self.anchor, ..SyncAnswer::default() };
        let mut room = i64::from(budget.floor) + held.len() as i64 * i64::from(budget.per_held);
        room = room.min(i64::from(budget.ceiling));
        for identity in &order {
            let revision = self.scope[identity];
            let is_leaf = self.is_leaf(identity.update);
            if held.contains(identity) {
                if self.changed(*identity, groups) > seen {
                    answer.changed.push(ChangedUpdate {
                        revision: revision.id,
                        deployment: deployed(*identity),
                        is_leaf,
                    });
                }
                continue;
            }
            room -= i64::from(revision.core_escaped_len) + 400;
            if answer.truncated || (room < 0 && !answer.new.is_empty()) {
                answer.truncated = true;
                continue;
            }
            answer.new.push(NewUpdate {
                revision: revision.id,
                index: 0,
                deployment: deployed(*identity),
                is_leaf,
                core_escaped_len: revision.core_escaped_len,
            });
        }
        for id in cached {
            let needed = self.with_ids(&[*id]).iter().any(|held| needed.contains_key(held));
            if !needed && !answer.out_of_scope.contains(id) {
                answer.out_of_scope.push(*id);
            }
        }
        answer
    }

    /// RefreshCache (MS-WUSP 3.1.5.8; members of bundles are missing: observed behaviour 4).
    pub(crate) fn refresh(
        &self,
        ids: &[UpdateIdentity],
        groups: &[GroupId],
        v: ProtocolVersion,
    ) -> Vec<RefreshedRevision> {
        ids.iter()
            .filter(|identity| self.scope.contains_key(identity))
            .filter(|identity| self.base(**identity) != DeploymentAction::Bundle)
            .map(|identity| RefreshedRevision {
                identity: *identity,
                revision: self.scope[identity].id,
                is_leaf: self.is_leaf(identity.update),
                deployment: self.deployed(*identity, groups, v),
            })
            .collect()
    }
}
