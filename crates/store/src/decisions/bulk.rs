//! Store: one decision about many updates for many groups, in one transaction and with one anchor, so that
//! clients see all of it or nothing and snapshots are made once.

use super::subject;
use crate::Store;
use crate::error::StoreError;
use sluicegate_policy::{ApprovalAction, ApprovalError, Order, Subject};
use sluicegate_terms::{GroupId, Timestamp, UpdateId};
use std::collections::BTreeSet;

/// What is ordered for many at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BulkOrder {
    /// Which updates; repeated ones count once.
    pub updates: Vec<UpdateId>,
    /// For which groups; repeated ones count once.
    pub groups: Vec<GroupId>,
    /// What agents are to do.
    pub action: ApprovalAction,
    /// By when.
    pub deadline: Option<Timestamp>,
    /// Who ordered it.
    pub by: String,
}

/// An update of a bulk order that was left out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// Which.
    pub update: UpdateId,
    /// Why, and what would help.
    pub reason: String,
}

/// What a bulk order did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BulkApproval {
    /// How many updates were approved.
    pub updates: u64,
    /// How many approvals that made.
    pub approvals: u64,
    /// Of the approved updates: those that another one supersedes.
    pub superseded: Vec<UpdateId>,
    /// Updates that were left out.
    pub refused: Vec<Refused>,
}

impl Store {
    /// Approves many updates for many groups. What cannot be approved is left out with its reason; the rest
    /// is approved. When nothing can be, nothing is changed.
    ///
    /// # Errors
    /// [`StoreError::Decision`] when a group is unknown or the order makes no sense, or a failure to write.
    pub fn approve_many(&self, order: &BulkOrder, now: Timestamp) -> Result<BulkApproval, StoreError> {
        let updates: BTreeSet<UpdateId> = order.updates.iter().copied().collect();
        let groups: BTreeSet<GroupId> = order.groups.iter().copied().collect();
        let decisions = self.decisions();
        for group in &groups {
            decisions.groups.require(*group).map_err(ApprovalError::from)?;
        }
        let single =
            |group| Order { group, action: order.action, deadline: order.deadline, by: order.by.clone() };
        let mut done = BulkApproval::default();
        let mut subjects: Vec<Subject> = Vec::with_capacity(updates.len());
        self.shared.database.read(|db| {
            for update in updates {
                let checked = subject::subject(db, &decisions, update).and_then(|subject| {
                    groups.iter().try_for_each(|group| decisions.check(&subject, &single(*group)))?;
                    Ok(subject)
                });
                match checked {
                    Ok(subject) => subjects.push(subject),
                    Err(error @ (StoreError::UnknownUpdate(_) | StoreError::Decision(_))) => {
                        done.refused.push(Refused { update, reason: error.to_string() });
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        })?;
        if subjects.is_empty() || groups.is_empty() {
            return Ok(done);
        }
        self.change_decisions(now, move |decisions, scope| {
            for subject in subjects {
                for group in &groups {
                    decisions.approve(&subject, single(*group), &mut scope.stamp).map_err(super::refused)?;
                    done.approvals += 1;
                }
                done.updates += 1;
                done.superseded.extend(subject.superseded_by.map(|_| subject.update));
            }
            Ok(done)
        })
    }
}
