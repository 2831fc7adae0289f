//! Store: one decision about many updates for many groups, in one transaction and with one anchor, so that
//! clients see all of it or nothing and snapshots are made once.

use super::subject;
use crate::Store;
use crate::error::StoreError;
use rusqlite::Connection;
use sluicegate_policy::{ApprovalAction, ApprovalError, Decisions, Order};
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
    /// Of the approved updates: those that were declined until then.
    pub taken_back: Vec<UpdateId>,
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
        let judge = |db: &Connection, decisions: &Decisions, update| {
            let subject = subject::subject(db, decisions, update)?;
            groups.iter().try_for_each(|group| decisions.check(&subject, &single(*group)))?;
            Ok(subject)
        };
        let mut done = BulkApproval::default();
        let possible = self.shared.database.read(|db| {
            for update in &updates {
                match judge(db, &decisions, *update) {
                    Ok(_) => return Ok(true),
                    Err(error) => done.refused.push(refused(*update, error)?),
                }
            }
            Ok(false)
        })?;
        if !possible || groups.is_empty() {
            return Ok(done);
        }
        self.refuse_on_replica()?;
        done.refused.clear();
        // One after the other, each by what is decided so far: a bundle whose held revision is put in service by
        // this may take a member in or let one go.
        self.change_decisions_inside(now, |tx, decisions, scope| {
            for update in &updates {
                let subject = match judge(tx, decisions, *update) {
                    Ok(subject) => subject,
                    Err(error) => {
                        done.refused.push(refused(*update, error)?);
                        continue;
                    }
                };
                let was_declined = decisions.declined.contains_key(update);
                for group in &groups {
                    decisions.approve(&subject, single(*group), &mut scope.stamp).map_err(super::refused)?;
                    done.approvals += 1;
                }
                done.updates += 1;
                let taken_back = was_declined && !decisions.declined.contains_key(update);
                done.taken_back.extend(taken_back.then_some(*update));
                done.superseded.extend(subject.superseded_by.map(|_| *update));
            }
            Ok(done)
        })
    }
}

/// Why an update of an order is left out.
///
/// # Errors
/// What is not about that update alone.
fn refused(update: UpdateId, error: StoreError) -> Result<Refused, StoreError> {
    match error {
        StoreError::UnknownUpdate(_) | StoreError::Decision(_) => {
            Ok(Refused { update, reason: error.to_string() })
        }
        error => Err(error),
    }
}
