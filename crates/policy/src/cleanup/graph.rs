//! Cleanup: the catalog as cleanup looks at it: which revision refers to which update. Built as revisions
//! stream by, so that their records need not be kept.

use sluicegate_terms::{RevisionId, Timestamp, UpdateId, UpdateIdentity, UpdateKind};
use std::collections::{BTreeSet, HashMap, HashSet};

/// One revision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RevisionFacts<'a> {
    /// Its id.
    pub id: RevisionId,
    /// Which revision of which update.
    pub identity: UpdateIdentity,
    /// What it is.
    pub kind: UpdateKind,
    /// Administrators can approve it.
    pub deployable: bool,
    /// Its publisher withdrew it.
    pub expired: bool,
    /// When it came.
    pub arrived_at: Timestamp,
    /// The updates it names as prerequisites.
    pub prerequisites: &'a [UpdateId],
    /// The revisions it bundles.
    pub members: &'a [UpdateIdentity],
    /// The updates it supersedes.
    pub supersedes: &'a [UpdateId],
}

/// One revision as it is kept here; updates by their numbers.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: RevisionId,
    pub(super) number: u32,
    pub(super) kind: UpdateKind,
    pub(super) deployable: bool,
    pub(super) expired: bool,
    pub(super) arrived_at: Timestamp,
    pub(super) prerequisites: Box<[u32]>,
    /// Update and revision number.
    pub(super) members: Box<[(u32, u32)]>,
    pub(super) supersedes: Box<[u32]>,
}

impl Row {
    /// The updates it cannot be without.
    pub(super) fn needs(&self) -> impl Iterator<Item = u32> + '_ {
        self.prerequisites.iter().copied().chain(self.members.iter().map(|(update, _)| *update))
    }
}

/// All revisions and what they refer to.
#[derive(Debug, Default)]
pub struct Graph {
    numbers: HashMap<UpdateId, u32>,
    updates: Vec<UpdateId>,
    /// By update, the newest revision last; empty for an update that is only named.
    revisions: Vec<Vec<Row>>,
    /// By update, how many revisions name it as a prerequisite.
    named: Vec<u32>,
    newest_id: Option<RevisionId>,
}

/// What else changes when a revision is removed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Dropped {
    /// Updates that no revision names as a prerequisite any more: they are leaves now.
    pub unnamed: Vec<UpdateId>,
    /// Members that no revision of this bundle has any more.
    pub members: Vec<UpdateId>,
}

impl Graph {
    /// Adds a revision; in any order.
    pub fn revision(&mut self, facts: &RevisionFacts<'_>) {
        let number = facts.identity.revision.get();
        let row = Row {
            id: facts.id,
            number,
            kind: facts.kind,
            deployable: facts.deployable,
            expired: facts.expired,
            arrived_at: facts.arrived_at,
            prerequisites: facts.prerequisites.iter().map(|update| self.number(*update)).collect(),
            members: facts.members.iter().map(|m| (self.number(m.update), m.revision.get())).collect(),
            supersedes: facts.supersedes.iter().map(|update| self.number(*update)).collect(),
        };
        self.newest_id = self.newest_id.max(Some(facts.id));
        for named in distinct(&row.prerequisites) {
            if let Some(count) = self.named.get_mut(named as usize) {
                *count += 1;
            }
        }
        let update = self.number(facts.identity.update);
        if let Some(rows) = self.revisions.get_mut(update as usize) {
            let at = rows.partition_point(|other| other.number < number);
            rows.insert(at, row);
        }
    }

    /// The highest revision id: what came later is not in here.
    #[must_use]
    pub fn newest_id(&self) -> Option<RevisionId> {
        self.newest_id
    }

    fn number(&mut self, update: UpdateId) -> u32 {
        let next = u32::try_from(self.updates.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(update).or_insert(next);
        if number == next {
            self.updates.push(update);
            self.revisions.push(Vec::new());
            self.named.push(0);
        }
        number
    }

    /// The revisions of an update.
    pub fn revisions_of(&self, update: UpdateId) -> impl Iterator<Item = (RevisionId, u32)> + '_ {
        let rows = self.numbers.get(&update).map_or(&[][..], |at| self.rows(*at));
        rows.iter().map(|row| (row.id, row.number))
    }

    /// What the newest revision of an update names as prerequisites, and what it bundles.
    #[must_use]
    pub fn surroundings(&self, update: UpdateId) -> (Vec<UpdateId>, Vec<UpdateId>) {
        let newest = self.numbers.get(&update).and_then(|at| self.newest(*at));
        let Some(newest) = newest else { return (Vec::new(), Vec::new()) };
        let needs = newest.prerequisites.iter().map(|number| self.update(*number)).collect();
        let members = newest.members.iter().map(|(number, _)| self.update(*number)).collect();
        (needs, members)
    }

    /// Takes a revision out, as it is removed, and says what that changes for others.
    pub fn forget(&mut self, update: UpdateId, revision: RevisionId) -> Dropped {
        let mut dropped = Dropped::default();
        let Some(at) = self.numbers.get(&update).copied() else { return dropped };
        let Some(rows) = self.revisions.get_mut(at as usize) else { return dropped };
        let Some(position) = rows.iter().position(|row| row.id == revision) else { return dropped };
        let row = rows.remove(position);
        for named in distinct(&row.prerequisites) {
            if let Some(count) = self.named.get_mut(named as usize) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    dropped.unnamed.push(self.updates.get(named as usize).copied().unwrap_or_default());
                }
            }
        }
        let left: HashSet<u32> =
            self.rows(at).iter().flat_map(|row| row.members.iter().map(|(member, _)| *member)).collect();
        let mut members: Vec<u32> = row.members.iter().map(|(member, _)| *member).collect();
        members.retain(|member| !left.contains(member));
        dropped.members = distinct(&members).into_iter().map(|member| self.update(member)).collect();
        dropped
    }

    pub(super) fn update(&self, number: u32) -> UpdateId {
        self.updates.get(number as usize).copied().unwrap_or_default()
    }

    pub(super) fn rows(&self, update: u32) -> &[Row] {
        self.revisions.get(update as usize).map_or(&[], Vec::as_slice)
    }

    pub(super) fn newest(&self, update: u32) -> Option<&Row> {
        self.rows(update).last()
    }

    /// The updates that have revisions, with the newest of each.
    pub(super) fn present(&self) -> impl Iterator<Item = (u32, UpdateId, &Row)> {
        (0_u32..).zip(&self.updates).filter_map(|(at, update)| Some((at, *update, self.newest(at)?)))
    }
}

fn distinct(numbers: &[u32]) -> BTreeSet<u32> {
    numbers.iter().copied().collect()
}
