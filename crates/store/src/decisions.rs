//! Store: what administrators decided. Rules are policy's; here a change is applied to a copy of the
//! decisions inside a transaction, the difference becomes rows, and the copy counts once it is durable.

mod again;
mod bulk;
mod carried;
mod dropped;
mod groups;
mod looks;
mod rows;
mod rules;
mod subject;
mod succession;

pub use bulk::{BulkApproval, BulkOrder, Refused};
pub use groups::{GroupRemoval, GroupRenaming};
pub use rules::RuleRun;
pub use succession::ImportedDecisions;

pub(crate) use again::remember as remember_decline;
pub(crate) use carried::known;
pub(crate) use looks::Gallery;
pub(crate) use rows::{difference, load, reason_columns, reason_of_columns, replaced, write_difference};
pub(crate) use subject::subject;
pub(crate) use succession::after_import;

use crate::Store;
use crate::audit::{self, Cause};
use crate::database::next_anchor;
use crate::error::{During, StoreError};
use rusqlite::{Connection, Transaction};
use sluicegate_policy::{
    Approval, ApprovalAction, ApprovalError, Change, Decisions, EulaId, Order, Stamp, Subject,
    SuccessionOptions, Withdrawal,
};
use sluicegate_terms::{Anchor, GroupId, Timestamp, UpdateId};
use std::sync::Arc;

/// What a change of decisions is made with: its place in history and fresh deployment ids.
#[derive(Debug)]
pub struct DecisionScope {
    /// The anchor the change will have, and its time.
    pub change: Change,
    /// The same for policy's functions.
    pub stamp: Stamp,
}

impl DecisionScope {
    /// For a change with an anchor, inside its transaction.
    pub(crate) fn new(tx: &Connection, anchor: Anchor, now: Timestamp) -> Result<Self, StoreError> {
        let last: i64 = tx
            .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'approval'", [], |r| r.get(0))
            .during("read the last deployment id")?;
        let change = Change { anchor, at: now };
        Ok(Self { change, stamp: Stamp::new(change, last.saturating_add(1)) })
    }
}

/// An approval as an administrator orders it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApprovalOrder {
    /// Which update.
    pub update: UpdateId,
    /// For which group.
    pub group: GroupId,
    /// What agents are to do.
    pub action: ApprovalAction,
    /// By when.
    pub deadline: Option<Timestamp>,
    /// Who ordered it.
    pub by: String,
}

impl Store {
    /// The decisions as last committed. Cheap.
    #[must_use]
    pub fn decisions(&self) -> Arc<Decisions> {
        Arc::clone(&self.shared.decisions.read())
    }

    /// How many approvals were not taken over when decisions were read at the start, because there was another for
    /// the same update and group; `sluicegate check --repair` removes them. Cheap.
    #[must_use]
    pub fn replaced_approvals(&self) -> u64 {
        self.shared.replaced
    }

    /// Changes decisions in one transaction that takes one anchor. `work` sees the current decisions
    /// and edits them with policy's own functions; when it fails, nothing is changed.
    ///
    /// # Errors
    /// [`StoreError::Replica`] when the upstream decides for this server, what `work` gives, or a failure to
    /// write.
    pub fn change_decisions<R>(
        &self,
        now: Timestamp,
        work: impl FnOnce(&mut Decisions, &mut DecisionScope) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        self.refuse_on_replica()?;
        self.change_decisions_inside(now, |_, decisions, scope| work(decisions, scope))
    }

    /// [`Store::change_decisions`] whoever decides, with the transaction for what belongs to the change: nothing
    /// that [`Store::for_each_revision`] tells of may change in it.
    pub(crate) fn change_decisions_inside<R>(
        &self,
        now: Timestamp,
        work: impl FnOnce(&Transaction<'_>, &mut Decisions, &mut DecisionScope) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        self.change_decisions_because(Cause::Decision, now, work)
    }

    /// [`Store::change_decisions_inside`] for whatever cause the audit log is to tell.
    pub(crate) fn change_decisions_because<R>(
        &self,
        cause: Cause,
        now: Timestamp,
        work: impl FnOnce(&Transaction<'_>, &mut Decisions, &mut DecisionScope) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        let change = |tx: &Transaction<'_>| {
            let anchor = next_anchor(tx)?;
            let mut scope = DecisionScope::new(tx, anchor, now)?;
            // The writer is ours until `install` has run, so nobody changes decisions behind us.
            let before = self.decisions();
            let mut after = Decisions::clone(&before);
            let result = work(tx, &mut after, &mut scope)?;
            dropped::come_back(tx, &before.groups, &mut after, scope.change)?;
            write_difference(tx, &before, &after)?;
            audit::append(tx, &self.actor, now, &audit::decided(&before, &after, cause))?;
            Ok((result, Arc::new(after)))
        };
        let install = |(_, after): &(R, Arc<Decisions>)| *self.shared.decisions.write() = Arc::clone(after);
        let done = self.shared.database.write_decisions(change, install).map(|(result, _)| result);
        self.note_audit_head();
        done
    }

    /// Changes decisions about one update. It is looked up where the change is made: what an import or somebody
    /// else brings meanwhile comes before it or after it.
    fn decide_about<R>(
        &self,
        update: UpdateId,
        now: Timestamp,
        work: impl FnOnce(&Subject, &mut Decisions, &mut DecisionScope) -> Result<R, ApprovalError>,
    ) -> Result<R, StoreError> {
        self.refuse_on_replica()?;
        self.change_decisions_inside(now, |tx, decisions, scope| {
            let subject = subject(tx, decisions, update)?;
            Ok(work(&subject, decisions, scope)?)
        })
    }

    /// Approves an update for a group (or sets it to not approved), in place of what was decided there.
    ///
    /// # Errors
    /// [`StoreError::UnknownUpdate`], [`StoreError::Decision`] when the rules forbid it, or a failure to
    /// write.
    pub fn approve(&self, order: ApprovalOrder, now: Timestamp) -> Result<Approval, StoreError> {
        self.decide_about(order.update, now, |subject, decisions, scope| {
            let order =
                Order { group: order.group, action: order.action, deadline: order.deadline, by: order.by };
            decisions.approve(subject, order, &mut scope.stamp)
        })
    }

    /// Withdraws approvals of an update: for one group, or all of them.
    ///
    /// # Errors
    /// [`StoreError::UnknownUpdate`], [`StoreError::Decision`], or a failure to write.
    pub fn unapprove(
        &self,
        update: UpdateId,
        group: Option<GroupId>,
        by: String,
        now: Timestamp,
    ) -> Result<Vec<Withdrawal>, StoreError> {
        self.decide_about(update, now, |_, decisions, scope| {
            decisions.unapprove(update, group, by, &mut scope.stamp)
        })
    }

    /// Declines an update for everybody.
    ///
    /// # Errors
    /// [`StoreError::UnknownUpdate`], [`StoreError::Decision`], or a failure to write.
    pub fn decline(&self, update: UpdateId, now: Timestamp) -> Result<(), StoreError> {
        self.decide_about(update, now, |subject, decisions, scope| decisions.decline(subject, scope.change))
    }

    /// Lets the approvals of an update hold for its newest revision, which was held.
    ///
    /// # Errors
    /// [`StoreError::UnknownUpdate`], [`StoreError::Decision`] when nothing is held or the licence terms were
    /// not accepted, or a failure to write.
    pub fn accept_revision(&self, update: UpdateId, now: Timestamp) -> Result<(), StoreError> {
        self.decide_about(update, now, |subject, decisions, scope| {
            decisions.accept_revision(subject, &mut scope.stamp)
        })
    }

    /// Accepts the licence terms of an update for all computers. Answers the terms and the updates whose
    /// held revision is in service now.
    ///
    /// # Errors
    /// [`StoreError::UnknownUpdate`], [`StoreError::Invalid`] when it has no terms, or a failure to write.
    pub fn accept_eula(
        &self,
        update: UpdateId,
        by: String,
        now: Timestamp,
    ) -> Result<(EulaId, Vec<UpdateId>), StoreError> {
        let Some(eula) = self.subject(update)?.eula else {
            let reason = format!("{update} has none, so it can be approved as it is");
            return Err(StoreError::Invalid { what: "the acceptance of licence terms", reason });
        };
        self.change_decisions(now, |decisions, scope| {
            Ok((eula, decisions.accept_eula(eula, by, &mut scope.stamp)?))
        })
    }

    /// Says what happens to approvals when a new revision arrives.
    ///
    /// # Errors
    /// A failure to write.
    pub fn set_succession(&self, options: SuccessionOptions, now: Timestamp) -> Result<(), StoreError> {
        self.change_succession(now, |own| *own = options).map(|_| ())
    }

    /// The same for a part of it: what is not changed is as it is once this change has its turn. Answers what it is then.
    ///
    /// # Errors
    /// A failure to write.
    pub fn change_succession(
        &self,
        now: Timestamp,
        change: impl FnOnce(&mut SuccessionOptions),
    ) -> Result<SuccessionOptions, StoreError> {
        self.change_decisions(now, |decisions, _| {
            change(&mut decisions.options);
            Ok(decisions.options)
        })
    }

    /// What policy needs to know about an update to judge a decision about it.
    ///
    /// # Errors
    /// [`StoreError::UnknownUpdate`], or a failure to read.
    pub fn subject(&self, update: UpdateId) -> Result<Subject, StoreError> {
        let decisions = self.decisions();
        self.shared.database.read(|db| subject::subject(db, &decisions, update))
    }
}

/// Running out of ids is no matter of a single decision.
pub(crate) fn refused(error: ApprovalError) -> StoreError {
    match error {
        ApprovalError::DeploymentIdsExhausted => StoreError::IdsExhausted { what: "deployment id" },
        other => StoreError::Decision(other),
    }
}
