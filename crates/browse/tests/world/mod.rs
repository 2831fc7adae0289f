//! A random world, kept as plainly as can be beside the index that is told of each of its changes.

mod answers;
mod make;

use sluicegate_browse::{Index, Membership, Scope, UpdateFacts};
use sluicegate_policy::{Decisions, UpdateState};
use sluicegate_terms::{ComputerId, GroupId, Timestamp, UpdateId};
use std::collections::{BTreeMap, BTreeSet};

pub use make::{category, combine};

/// Numbers that follow from a seed (splitmix64).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5EED)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}

pub struct Pc {
    pub key: i64,
    pub id: ComputerId,
    pub name: Option<String>,
    pub membership: Membership,
    pub reported: Option<Timestamp>,
    pub states: BTreeMap<UpdateId, UpdateState>,
}

pub struct World {
    pub index: Index,
    pub decisions: Decisions,
    /// Those that the index was settled with.
    settled: Decisions,
    updates: BTreeMap<UpdateId, UpdateFacts>,
    pcs: BTreeMap<i64, Pc>,
    dice: Dice,
    clock: i64,
    next_deployment: i64,
    next_key: i64,
}

impl World {
    pub fn all_groups(&self) -> Vec<GroupId> {
        self.decisions.groups.iter().map(|group| group.id).collect()
    }

    /// Those of the catalog, one that only computers know of, and one that nobody knows.
    pub fn all_updates(&self) -> Vec<UpdateId> {
        self.updates.keys().copied().chain([make::update(900), make::update(999)]).collect()
    }

    /// Where a computer is, with every group above.
    fn groups_of(&self, membership: &Membership) -> BTreeSet<GroupId> {
        let tree = &self.decisions.groups;
        let mut groups: Vec<GroupId> =
            membership.assigned.iter().copied().filter(|id| tree.get(*id).is_some()).collect();
        if groups.is_empty() {
            groups.push(GroupId::UNASSIGNED_COMPUTERS);
        }
        groups.into_iter().flat_map(|id| tree.path(id).collect::<Vec<_>>()).collect()
    }

    /// An index that is told of everything as it is now.
    pub fn indexed_anew(&self) -> Index {
        let mut index = Index::default();
        self.updates.values().for_each(|facts| index.put_update(facts));
        for pc in self.pcs.values() {
            index.put_computer(make::facts_of(pc), Some(pc.states.clone()));
        }
        index.settle(&self.decisions);
        index
    }

    pub fn scope(&self, group: Option<GroupId>) -> Scope {
        match group {
            None => Scope::everybody(),
            Some(group) => self.index.scope(|membership| self.groups_of(membership).contains(&group)),
        }
    }
}
