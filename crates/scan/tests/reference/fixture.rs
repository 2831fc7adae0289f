//! Small catalogs written out by hand, for tests of single rules.

use crate::world::{time, uid};
use sluicegate_catalog::{Clause, ScanRecord};
use sluicegate_policy::{ApprovalAction, Change, Decisions, Order, Stamp, Subject};
use sluicegate_scan::{
    PageBudget, RevisionInput, Scratch, Snapshot, SnapshotBuilder, SyncAnswer, SyncQuery, answer,
};
use sluicegate_terms::{
    Anchor, DeploymentId, GroupId, RevisionId, RevisionNumber, Timestamp, UpdateIdentity, UpdateKind,
};

pub(crate) fn identity(update: usize, number: i64) -> UpdateIdentity {
    UpdateIdentity { update: uid(update), revision: RevisionNumber::new(number).unwrap() }
}

pub(crate) fn record(update: usize, kind: UpdateKind) -> ScanRecord {
    ScanRecord { explicitly_deployable: true, ..ScanRecord::new(identity(update, 100), kind) }
}

/// A record that needs each of these updates.
pub(crate) fn needs(mut record: ScanRecord, updates: &[usize]) -> ScanRecord {
    record.prerequisites.extend(updates.iter().map(|update| Clause::one(uid(*update))));
    record
}

/// A record placed in these categories.
pub(crate) fn within(mut record: ScanRecord, categories: &[usize]) -> ScanRecord {
    record.prerequisites.extend(categories.iter().map(|update| Clause::category(uid(*update))));
    record
}

/// A record that bundles each of these updates.
pub(crate) fn bundles(mut record: ScanRecord, updates: &[usize]) -> ScanRecord {
    record.bundles.extend(updates.iter().map(|update| vec![identity(*update, 100)]));
    record
}

#[derive(Default, Clone)]
pub(crate) struct Catalog {
    pub(crate) revisions: Vec<RevisionInput>,
    pub(crate) decisions: Decisions,
    pub(crate) anchor: u64,
}

impl Catalog {
    /// Adds revisions, each with the next anchor; ids count from 1.
    pub(crate) fn with(mut self, records: impl IntoIterator<Item = ScanRecord>) -> Self {
        for record in records {
            self.anchor += 1;
            let id = self.revisions.len() as u32 + 1;
            self.revisions.push(RevisionInput {
                id: RevisionId::new(i64::from(id)).unwrap(),
                record,
                core_escaped_len: 1_000,
                arrived: Anchor(self.anchor),
                arrived_at: time(0),
                leaf_changed: Anchor::START,
            });
        }
        self
    }

    fn subject(update: usize) -> Subject {
        Subject::software(uid(update))
    }

    /// What the next change of decisions is made with.
    pub(crate) fn stamp(&mut self) -> Stamp {
        self.anchor += 1;
        let change = Change { anchor: Anchor(self.anchor), at: time(self.anchor as usize) };
        Stamp::new(change, i64::from(DeploymentId::FIRST_EXPLICIT) + 100 * self.anchor as i64)
    }

    pub(crate) fn approve(self, update: usize, group: GroupId, action: ApprovalAction) -> Self {
        self.approve_by(update, group, action, None)
    }

    pub(crate) fn approve_by(
        mut self,
        update: usize,
        group: GroupId,
        action: ApprovalAction,
        deadline: Option<Timestamp>,
    ) -> Self {
        let mut stamp = self.stamp();
        let order = Order { group, action, deadline, by: "admin".to_owned() };
        self.decisions.approve(&Self::subject(update), order, &mut stamp).unwrap();
        self
    }

    pub(crate) fn decline(mut self, update: usize) -> Self {
        let change = self.stamp().change;
        self.decisions.decline(&Self::subject(update), change).unwrap();
        self
    }

    pub(crate) fn builder(&self) -> SnapshotBuilder {
        let mut builder = SnapshotBuilder::new(Anchor(self.anchor));
        for revision in &self.revisions {
            builder.revision(revision.clone());
        }
        builder.decisions(&self.decisions);
        builder
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.builder().finish().unwrap()
    }
}

/// A software pass of a client of Unassigned Computers that holds nothing.
pub(crate) fn query() -> SyncQuery<'static> {
    SyncQuery {
        installed_non_leaf: &[],
        other_cached: &[],
        cached_drivers: &[],
        system_spec: &[],
        computer_hardware_ids: &[],
        feature_score_key: None,
        filter_categories: &[],
        skip_software: false,
        also_regular: true,
        two_groups: true,
        groups: &[],
        seen: Anchor::START,
        protocol: sluicegate_scan::ProtocolVersion { major: 2, minor: 90 },
        budget: PageBudget::default(),
        without: &[],
    }
}

pub(crate) fn ask(snapshot: &Snapshot, query: SyncQuery<'_>) -> SyncAnswer {
    answer(snapshot, &query, &mut Scratch::new())
}

pub(crate) fn new_ids(answer: &SyncAnswer) -> Vec<u32> {
    answer.new.iter().map(|new| new.revision.get()).collect()
}

pub(crate) fn changed_ids(answer: &SyncAnswer) -> Vec<u32> {
    answer.changed.iter().map(|changed| changed.revision.get()).collect()
}
