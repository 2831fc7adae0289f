//! Agent: the client metadata cache (MS-WUSP 3.2.1): every revision the server delivered, how it is
//! deployed and what evaluation said. Pure; the scan feeds it, reports and downloads read it.

use crate::fragments::{CoreFacts, ExtendedFacts};
use sluicegate_catalog::applicability::{self, Applicability};
use sluicegate_terms::{DeploymentAction, DeploymentId, RevisionId, Timestamp, UpdateIdentity, UpdateKind};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What evaluation says about a revision on this computer (MS-WUSP 3.2.1, ApplicabilityState).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Verdict {
    /// Not for this computer.
    #[default]
    NotApplicable,
    /// For this computer, and not there yet.
    Needed,
    /// There.
    Installed,
}

impl From<&Applicability> for Verdict {
    /// What cannot be told is left alone, as real agents do with rules they do not know.
    fn from(judged: &Applicability) -> Self {
        match judged {
            Applicability::Installed => Self::Installed,
            Applicability::Installable => Self::Needed,
            Applicability::NotApplicable | Applicability::Unknown(_) => Self::NotApplicable,
        }
    }
}

impl From<Verdict> for Applicability {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Installed => Self::Installed,
            Verdict::Needed => Self::Installable,
            Verdict::NotApplicable => Self::NotApplicable,
        }
    }
}

/// How a revision is deployed to this computer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deployment {
    /// The server's number for it.
    pub id: DeploymentId,
    /// What to do.
    pub action: DeploymentAction,
    /// Until when, if an administrator said.
    pub deadline: Option<Timestamp>,
}

/// One revision of the cache. `R` is what a machine made of its rules.
#[derive(Clone, Debug)]
pub struct Cached<R> {
    /// The server's number for it.
    pub id: RevisionId,
    /// Identity, kind, relationships.
    pub core: CoreFacts,
    /// How it is deployed.
    pub deployment: Deployment,
    /// Nothing names it as a prerequisite.
    pub is_leaf: bool,
    /// The last evaluation.
    pub verdict: Verdict,
    /// Its rules, ready to evaluate.
    pub rules: R,
    /// Files and command, once fetched.
    pub extended: Option<ExtendedFacts>,
    /// Its title in the computer's language, once fetched.
    pub title: Option<String>,
}

/// The ids a SyncUpdates request carries (MS-WUSP 2.2.2.2.4), ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldIds {
    /// Non-leaf revisions that evaluated as installed.
    pub installed_non_leaf: Vec<i32>,
    /// Every other software revision (observed: leaves included, drivers not).
    pub other: Vec<i32>,
}

/// Something an approval asks for, and the revisions that carry it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The approved revision: a bundle, or a single update.
    pub parent: RevisionId,
    /// The revisions to install or remove: the needed members of a bundle, or the parent itself.
    pub parts: Vec<RevisionId>,
    /// True to remove, false to install.
    pub uninstall: bool,
}

/// Every revision held.
#[derive(Clone, Debug)]
pub struct Cache<R> {
    by_id: BTreeMap<RevisionId, Cached<R>>,
    by_identity: HashMap<UpdateIdentity, RevisionId>,
}

impl<R> Default for Cache<R> {
    fn default() -> Self {
        Self { by_id: BTreeMap::new(), by_identity: HashMap::new() }
    }
}

impl<R> Cache<R> {
    /// How many revisions are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// True before the first scan.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// One revision.
    #[must_use]
    pub fn get(&self, id: RevisionId) -> Option<&Cached<R>> {
        self.by_id.get(&id)
    }

    /// One revision, to note what was fetched for it.
    pub fn get_mut(&mut self, id: RevisionId) -> Option<&mut Cached<R>> {
        self.by_id.get_mut(&id)
    }

    /// Every revision, by ascending id.
    pub fn iter(&self) -> impl Iterator<Item = &Cached<R>> {
        self.by_id.values()
    }

    /// Takes in a delivered revision. A revision delivered again replaces what was held.
    pub fn insert(&mut self, revision: Cached<R>) {
        self.remove(revision.id);
        if let Some(old) = self.by_identity.insert(revision.core.identity, revision.id) {
            self.by_id.remove(&old);
        }
        self.by_id.insert(revision.id, revision);
    }

    /// Forgets a revision (`OutOfScopeRevisionIDs`).
    pub fn remove(&mut self, id: RevisionId) {
        if let Some(gone) = self.by_id.remove(&id) {
            self.by_identity.remove(&gone.core.identity);
        }
    }

    /// Takes in new deployment data (`ChangedUpdates`); of revisions not held it means nothing.
    pub fn change(&mut self, id: RevisionId, deployment: Deployment, is_leaf: bool) {
        if let Some(held) = self.by_id.get_mut(&id) {
            held.deployment = deployment;
            held.is_leaf = is_leaf;
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.by_id.clear();
        self.by_identity.clear();
    }

    /// The ids to send.
    #[must_use]
    pub fn ids(&self) -> HeldIds {
        let mut ids = HeldIds::default();
        for held in self.by_id.values().filter(|held| held.core.kind != UpdateKind::Driver) {
            // A RevisionId fits the wire type by its own rule.
            let id = held.id.get().cast_signed();
            if held.verdict == Verdict::Installed && !held.is_leaf {
                ids.installed_non_leaf.push(id);
            } else {
                ids.other.push(id);
            }
        }
        ids
    }

    /// The identities held, for RefreshCache.
    #[must_use]
    pub fn identities(&self) -> Vec<UpdateIdentity> {
        self.by_id.values().map(|held| held.core.identity).collect()
    }

    /// Gives held revisions the numbers of another server (RefreshCache, MS-WUSP 3.1.5.8). Revisions
    /// the server does not name are forgotten; real servers leave out those with the action `Bundle`
    /// (observed), so those come again with the next sync.
    pub fn renumber(
        &mut self,
        answers: impl IntoIterator<Item = (UpdateIdentity, RevisionId, Deployment, bool)>,
    ) {
        let mut old = std::mem::take(self);
        for (identity, id, deployment, is_leaf) in answers {
            let held = old.by_identity.remove(&identity).and_then(|old_id| old.by_id.remove(&old_id));
            if let Some(held) = held {
                self.insert(Cached { id, deployment, is_leaf, ..held });
            }
        }
    }

    /// Evaluates every revision again. `judge` decides by a revision's own rules; a bundle without
    /// rules follows its members.
    pub fn evaluate(&mut self, mut judge: impl FnMut(&Cached<R>) -> Verdict) {
        for held in self.by_id.values_mut().filter(|held| held.core.bundles.is_empty() || held.core.has_rules)
        {
            held.verdict = judge(held);
        }
        self.evaluate_bundles();
    }

    /// Evaluates bundles again, after members were delivered or judged.
    pub fn evaluate_bundles(&mut self) {
        let bundles: Vec<RevisionId> =
            self.by_id.values().filter(|held| !held.core.bundles.is_empty()).map(|held| held.id).collect();
        let mut done = HashSet::new();
        for id in bundles {
            self.evaluate_bundle(id, &mut done);
        }
    }

    /// Judges a bundle and the bundles in it. A member that was never delivered is not for this computer,
    /// and so is a bundle that contains itself.
    fn evaluate_bundle(&mut self, id: RevisionId, done: &mut HashSet<RevisionId>) -> Verdict {
        let Some(held) = self.by_id.get(&id) else { return Verdict::NotApplicable };
        if held.core.bundles.is_empty() || !done.insert(id) {
            return held.verdict;
        }
        // A bundle with rules of its own needs its members only when those say it is needed.
        if held.core.has_rules && held.verdict != Verdict::Needed {
            return held.verdict;
        }
        let members: Vec<Vec<Option<RevisionId>>> = held
            .core
            .bundles
            .iter()
            .map(|clause| clause.iter().map(|member| self.by_identity.get(member).copied()).collect())
            .collect();
        let clauses: Vec<Vec<Applicability>> = members
            .into_iter()
            .map(|clause| {
                let judged = clause.into_iter().map(|member| match member {
                    Some(member) => self.evaluate_bundle(member, done).into(),
                    None => Applicability::NotApplicable,
                });
                judged.collect()
            })
            .collect();
        let verdict = Verdict::from(&applicability::evaluate_bundle(&clauses));
        if let Some(held) = self.by_id.get_mut(&id) {
            held.verdict = verdict;
        }
        verdict
    }

    /// Updates that the status event 156 names: those administrators see, which are bundle parents
    /// and single updates, detection-only ones included (observed). `Evaluate` and `Bundle` are not.
    pub fn reported(&self) -> impl Iterator<Item = &Cached<R>> {
        self.by_id.values().filter(|held| {
            !matches!(held.deployment.action, DeploymentAction::Evaluate | DeploymentAction::Bundle)
                && matches!(held.core.kind, UpdateKind::Software | UpdateKind::Driver)
        })
    }

    /// Software of which extended information is wanted and not there yet: everything that applies,
    /// unapproved updates included (observed).
    #[must_use]
    pub fn without_extended(&self) -> Vec<RevisionId> {
        self.by_id
            .values()
            .filter(|held| held.extended.is_none() && held.verdict != Verdict::NotApplicable)
            .filter(|held| matches!(held.core.kind, UpdateKind::Software | UpdateKind::Driver))
            .map(|held| held.id)
            .collect()
    }

    /// What approvals ask for now. An update that another task's update supersedes is left out: the
    /// newer one replaces it.
    #[must_use]
    pub fn tasks(&self) -> Vec<Task> {
        let wanted = |held: &&Cached<R>| match held.deployment.action {
            DeploymentAction::Install => held.verdict == Verdict::Needed,
            DeploymentAction::Uninstall => held.verdict == Verdict::Installed,
            _ => false,
        };
        let wanted: Vec<&Cached<R>> = self.by_id.values().filter(wanted).collect();
        let superseded: HashSet<_> = wanted
            .iter()
            .filter(|held| held.deployment.action == DeploymentAction::Install)
            .flat_map(|held| held.core.supersedes.iter().copied())
            .collect();
        wanted
            .into_iter()
            .filter(|held| {
                held.deployment.action == DeploymentAction::Uninstall
                    || !superseded.contains(&held.core.identity.update)
            })
            .map(|held| {
                let uninstall = held.deployment.action == DeploymentAction::Uninstall;
                let state = if uninstall { Verdict::Installed } else { Verdict::Needed };
                let mut parts = Vec::new();
                self.parts(held, state, &mut parts);
                Task { parent: held.id, parts, uninstall }
            })
            .collect()
    }

    /// The revisions in or below `held` that are in `state` and bundle nothing themselves.
    fn parts(&self, held: &Cached<R>, state: Verdict, parts: &mut Vec<RevisionId>) {
        if held.verdict != state || parts.contains(&held.id) {
            return;
        }
        if held.core.bundles.is_empty() {
            parts.push(held.id);
            return;
        }
        // Bundles hold other revisions than themselves and their parents: a server refuses cycles.
        for member in held.core.bundles.iter().flatten() {
            if let Some(member) = self.by_identity.get(member).and_then(|id| self.by_id.get(id)) {
                self.parts(member, state, parts);
            }
        }
    }
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
