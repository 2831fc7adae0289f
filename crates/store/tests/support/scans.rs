//! Clients of a store: snapshots made of it as a server makes them, and agents that scan and keep what they
//! are told.

#![allow(dead_code)]

use sluicegate_scan::{
    Deployed, PageBudget, ProtocolVersion, RevisionInput, Scratch, Snapshot, SnapshotBuilder, SyncAnswer,
    SyncQuery, answer,
};
use sluicegate_store::{Store, StoreError};
use sluicegate_terms::{Anchor, GroupId, UpdateIdentity};
use std::collections::BTreeMap;

/// The snapshot of the present state, and which revision each id stands for.
pub(crate) struct Served {
    pub(crate) snapshot: Snapshot,
    pub(crate) identities: BTreeMap<i32, UpdateIdentity>,
}

pub(crate) fn serve(store: &Store) -> Served {
    let anchor = store.anchor();
    let decisions = store.decisions();
    let mut builder = SnapshotBuilder::new(anchor);
    let mut identities = BTreeMap::new();
    let read = store.for_each_revision(|revision| {
        identities.insert(i32::try_from(revision.id.get()).unwrap(), revision.record.identity);
        builder.revision(RevisionInput {
            id: revision.id,
            record: revision.record,
            core_escaped_len: revision.core_escaped_len,
            arrived: revision.arrived,
            arrived_at: revision.arrived_at,
            leaf_changed: revision.leaf_changed,
        });
        Ok::<_, StoreError>(())
    });
    read.unwrap();
    builder.shared_decisions(decisions);
    let snapshot = builder.finish().expect("every state of a store can be served");
    assert!(snapshot.left_out().is_empty(), "{:?}", snapshot.left_out());
    Served { snapshot, identities }
}

/// A computer on which everything that others depend on is installed.
#[derive(Default)]
pub(crate) struct Agent {
    pub(crate) groups: Vec<GroupId>,
    pub(crate) seen: Anchor,
    /// By revision id: whether it is a leaf, and its deployment.
    pub(crate) held: BTreeMap<i32, (bool, Deployed)>,
}

impl Agent {
    pub(crate) fn of(groups: &[GroupId]) -> Self {
        Self { groups: groups.to_vec(), ..Self::default() }
    }

    /// Joins groups. A cookie speaks for the groups it was made for.
    pub(crate) fn join(&mut self, groups: &[GroupId]) {
        if self.groups != groups {
            self.groups = groups.to_vec();
            self.seen = Anchor::START;
        }
    }

    /// Scans until nothing is new. Panics at whatever would break a real agent: a revision that is there
    /// twice, one that was not held, a scan without end.
    pub(crate) fn scan(&mut self, served: &Served) {
        let mut scratch = Scratch::new();
        for round in 0.. {
            assert!(round < 50, "the scan does not end");
            let ids = |leaf: bool| self.held.iter().filter(move |(_, h)| h.0 == leaf).map(|(id, _)| *id);
            let (installed, other): (Vec<i32>, Vec<i32>) = (ids(false).collect(), ids(true).collect());
            let query = SyncQuery {
                installed_non_leaf: &installed,
                other_cached: &other,
                cached_drivers: &[],
                system_spec: &[],
                computer_hardware_ids: &[],
                feature_score_key: None,
                filter_categories: &[],
                skip_software: false,
                also_regular: true,
                two_groups: true,
                groups: &self.groups,
                seen: self.seen,
                protocol: ProtocolVersion { major: 2, minor: 90 },
                budget: PageBudget::default(),
                without: &[],
            };
            let answer = answer(&served.snapshot, &query, &mut scratch);
            self.take(&answer);
            if answer.new.is_empty() && answer.out_of_scope.is_empty() && answer.changed.is_empty() {
                break;
            }
        }
    }

    fn take(&mut self, answer: &SyncAnswer) {
        for new in &answer.new {
            let id = i32::try_from(new.revision.get()).unwrap();
            let twice = self.held.insert(id, (new.is_leaf, new.deployment.clone()));
            assert!(twice.is_none(), "revision {id} was delivered twice");
        }
        for id in answer.out_of_scope.iter().chain(&answer.deployed_out_of_scope) {
            assert!(self.held.remove(id).is_some(), "revision {id} was not held");
        }
        for changed in &answer.changed {
            let id = i32::try_from(changed.revision.get()).unwrap();
            let held = self.held.get_mut(&id).unwrap_or_else(|| panic!("revision {id} is not held"));
            *held = (changed.is_leaf, changed.deployment.clone());
        }
        self.seen = answer.anchor;
    }
}
