//! Store: decisions that were carried here from another server. Each update is judged in the transaction that
//! takes them in, by the decisions as they are becoming: one that is taken in may put a revision in service and
//! so change which updates are members of bundles.

use super::subject;
use crate::Store;
use crate::error::{During, StoreError};
use crate::hierarchy::memberships::{self, Moved};
use rusqlite::Connection;
use sluicegate_policy::{ApprovalAction, CarriedDecisions, Change, Decisions, Known, Stamp, TakenIn};
use sluicegate_terms::{Timestamp, UpdateId};
use std::collections::{BTreeMap, BTreeSet};

impl Store {
    /// Takes in what another server decided, in one change; in none at all when it says nothing new.
    ///
    /// # Errors
    /// [`StoreError::Replica`] when the upstream decides for this server, [`StoreError::Decision`] when no
    /// deployment id is left, or a failure to read or write.
    pub fn take_in(&self, carried: &CarriedDecisions, now: Timestamp) -> Result<TakenIn, StoreError> {
        self.refuse_on_replica()?;
        // Of these it counts which revisions are here: one waits, or may have to.
        let before = self.decisions();
        let orders = carried.approvals.iter();
        let may_wait = orders.filter(|a| a.deadline.is_some() || a.action == ApprovalAction::Uninstall);
        let waits = carried.held.keys().chain(before.held.keys());
        let choosy: BTreeSet<UpdateId> = may_wait.map(|a| a.update).chain(waits.copied()).collect();
        let mut trial = Decisions::clone(&before);
        let change = Change { anchor: self.anchor(), at: now };
        // What is tried needs ids that no approval has; those that count come with the change.
        let next = trial.approvals.values().map(|own| i64::from(own.deployment.get()) + 1).max().unwrap_or(0);
        let told = self.shared.database.read(|db| {
            let known =
                |decisions: &Decisions, update| known(db, decisions, update, choosy.contains(&update));
            trial.take_in(carried, known, &mut Stamp::new(change, next))
        })?;
        if trial == *before {
            return Ok(told);
        }
        let (told, moved) = self.change_decisions_inside(now, |tx, decisions, scope| {
            let known =
                |decisions: &Decisions, update| known(tx, decisions, update, choosy.contains(&update));
            let groups = decisions.groups.clone();
            let told = decisions.take_in(carried, known, &mut scope.stamp)?;
            Ok((told, memberships::follow(tx, &groups, &decisions.groups, None, now)?))
        })?;
        if moved != Moved::default() {
            tracing::info!(computers = moved.put_back, "computers are back in groups that came back");
            self.shared.board.mark_everybody();
        }
        Ok(told)
    }
}

/// What the catalog knows of an update that a decision made elsewhere, or before, is about; its revisions only where
/// they are asked for.
pub(crate) fn known(
    db: &Connection,
    decisions: &Decisions,
    update: UpdateId,
    with_revisions: bool,
) -> Result<Option<Known>, StoreError> {
    let subject = match subject::subject(db, decisions, update) {
        Ok(subject) => subject,
        Err(StoreError::UnknownUpdate(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let came: Option<i64> = db
        .prepare_cached("SELECT min(arrived_at) FROM revision WHERE update_id = ?1")
        .and_then(|mut s| s.query_row([update.0.as_bytes()], |row| row.get(0)))
        .during("look up when an update came")?;
    let came = came.map(Timestamp::from_ticks);
    let revisions = if with_revisions { subject::revisions(db, update)? } else { BTreeMap::new() };
    Ok(Some(Known { subject, revisions, came }))
}
