//! The computers of the fleet, in memory: what a scan must know of its client without asking a
//! database, and when each was last heard of, written back from time to time. A computer enters when
//! it is first asked for, from the store.

use parking_lot::RwLock;
use sluicegate_policy::GroupTree;
use sluicegate_store::{ComputerGroups, Targeting};
use sluicegate_terms::{ComputerId, GroupId, Timestamp};
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;

const SHARDS: usize = 64;

/// What is known of one computer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// It has called RegisterComputer.
    pub registered: bool,
    /// The groups it is in; never empty.
    pub groups: Arc<[GroupId]>,
}

/// When a computer was last heard of, since the last write-back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heard {
    /// Any request with a cookie.
    pub contact: Option<Timestamp>,
    /// A SyncUpdates.
    pub sync: Option<Timestamp>,
}

#[derive(Debug)]
struct Entry {
    belongs: ComputerGroups,
    groups: Arc<[GroupId]>,
}

#[derive(Debug, Default)]
struct Shard {
    known: HashMap<ComputerId, Entry>,
    heard: HashMap<ComputerId, Heard>,
}

/// All computers heard of since the start, in shards so that requests of different computers do not wait
/// for each other.
#[derive(Debug)]
pub struct Directory {
    hasher: RandomState,
    shards: Vec<RwLock<Shard>>,
}

impl Default for Directory {
    fn default() -> Self {
        Self { hasher: RandomState::new(), shards: (0..SHARDS).map(|_| RwLock::default()).collect() }
    }
}

impl Directory {
    fn shard(&self, id: &ComputerId) -> &RwLock<Shard> {
        let at = self.hasher.hash_one(id) % SHARDS as u64;
        // `at` is below SHARDS, the number of shards made.
        &self.shards[usize::try_from(at).unwrap_or(0)]
    }

    /// What is known of a computer; `None` when it was not heard of since the start.
    #[must_use]
    pub fn get(&self, id: &ComputerId) -> Option<Known> {
        let shard = self.shard(id).read();
        let entry = shard.known.get(id)?;
        Some(Known { registered: entry.belongs.registered, groups: Arc::clone(&entry.groups) })
    }

    /// Adds a computer, or replaces what is known of it.
    pub fn put(
        &self,
        id: ComputerId,
        belongs: ComputerGroups,
        targeting: Targeting,
        tree: &GroupTree,
    ) -> Known {
        let groups: Arc<[GroupId]> = belongs.effective(targeting, tree).into();
        let known = Known { registered: belongs.registered, groups: Arc::clone(&groups) };
        self.shard(&id).write().known.insert(id, Entry { belongs, groups });
        known
    }

    /// Forgets what is known of a computer; the next request asks the store again.
    pub fn forget(&self, id: &ComputerId) {
        self.shard(id).write().known.remove(id);
    }

    /// Forgets what is known of all computers, after they were placed in groups anew; each is asked for
    /// again with its next request. When they were heard of is kept.
    pub fn forget_everybody(&self) {
        for shard in &self.shards {
            shard.write().known.clear();
        }
    }

    /// Works out everybody's groups again, after a change of the tree or of who decides.
    pub fn regroup(&self, targeting: Targeting, tree: &GroupTree) {
        for shard in &self.shards {
            for entry in shard.write().known.values_mut() {
                entry.groups = entry.belongs.effective(targeting, tree).into();
            }
        }
    }

    /// Notes that a computer was heard of.
    pub fn heard(&self, id: &ComputerId, now: Timestamp, sync: bool) {
        let mut shard = self.shard(id).write();
        if !shard.known.contains_key(id) {
            return;
        }
        match shard.heard.get_mut(id) {
            Some(heard) => heard.note(now, sync),
            None => {
                let mut heard = Heard::default();
                heard.note(now, sync);
                shard.heard.insert(id.clone(), heard);
            }
        }
    }

    /// Takes what was heard since the last call, to be written down.
    #[must_use]
    pub fn take_heard(&self) -> Vec<(ComputerId, Heard)> {
        self.shards.iter().flat_map(|shard| std::mem::take(&mut shard.write().heard)).collect()
    }

    /// How many computers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().known.len()).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Heard {
    fn note(&mut self, now: Timestamp, sync: bool) {
        self.contact = Some(now);
        if sync {
            self.sync = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ComputerId {
        text.parse().unwrap()
    }

    fn tree() -> GroupTree {
        let mut tree = GroupTree::new();
        tree.create(pilots(), "Pilots".parse().unwrap(), None).unwrap();
        tree
    }

    fn pilots() -> GroupId {
        GroupId(sluicegate_terms::Guid::from_u128(7))
    }

    #[test]
    fn a_computer_without_groups_is_unassigned() {
        let directory = Directory::default();
        directory.put(id("a"), ComputerGroups::default(), Targeting::Server, &tree());
        let known = directory.get(&id("A")).unwrap();
        assert_eq!(&*known.groups, &[GroupId::UNASSIGNED_COMPUTERS]);
        assert!(!known.registered);
        assert!(directory.get(&id("b")).is_none());
    }

    #[test]
    fn groups_follow_a_change_of_who_decides() {
        let directory = Directory::default();
        let belongs = ComputerGroups { requested: vec!["pilots".into()], ..ComputerGroups::default() };
        directory.put(id("a"), belongs, Targeting::Server, &tree());
        assert_eq!(&*directory.get(&id("a")).unwrap().groups, &[GroupId::UNASSIGNED_COMPUTERS]);
        directory.regroup(Targeting::Client, &tree());
        assert_eq!(&*directory.get(&id("a")).unwrap().groups, &[pilots()]);
    }

    #[test]
    fn what_was_heard_is_taken_once() {
        let directory = Directory::default();
        directory.put(id("a"), ComputerGroups::default(), Targeting::Server, &tree());
        let noon: Timestamp = "2026-10-04T12:00:00Z".parse().unwrap();
        directory.heard(&id("a"), noon, true);
        directory.heard(&id("a"), noon.plus_seconds(5), false);
        directory.heard(&id("stranger"), noon, true);
        let heard = directory.take_heard();
        let expected = Heard { contact: Some(noon.plus_seconds(5)), sync: Some(noon) };
        assert_eq!(heard, [(id("a"), expected)]);
        assert!(directory.take_heard().is_empty());
    }

    #[test]
    fn a_forgotten_computer_is_asked_for_again() {
        let directory = Directory::default();
        directory.put(id("a"), ComputerGroups::default(), Targeting::Server, &tree());
        directory.forget(&id("a"));
        assert!(directory.get(&id("a")).is_none());
        assert!(directory.is_empty());
    }
}
