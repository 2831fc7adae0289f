//! Store: the decisions of the mode a server is not in. Becoming a replica puts the local groups, approvals
//! and declines aside, becoming autonomous brings them back; the same the other way round, so that
//! switching loses nothing.

use super::kept::{drop_aside, from_aside, put_aside};
use crate::Store;
use crate::audit::Cause;
use crate::decisions::known;
use crate::error::{During, StoreError};
use sluicegate_policy::hierarchy::{Mode, bring_back};
use sluicegate_terms::Timestamp;

impl Store {
    /// Puts the decisions of the present mode aside and brings back those of the other, if there are any.
    pub(crate) fn switch_decisions(&self, was_replica: bool, now: Timestamp) -> Result<(), StoreError> {
        let (from, to) =
            if was_replica { (Mode::Replica, Mode::Autonomous) } else { (Mode::Autonomous, Mode::Replica) };
        // Contacts that were noted and not written could be of computers that are about to move.
        self.flush_contacts()?;
        self.change_decisions_because(Cause::Switch, now, |tx, decisions, scope| {
            // At once with the decisions: a run under way must not write its upstream's over them.
            super::generation::raise(tx)?;
            put_aside(tx, from, decisions)?;
            if let Some(kept) = from_aside(tx, to, now)? {
                // The upstream says which revision serves; until it does, none that it may hold back.
                let options = decisions.options;
                decisions.options.approvals_follow &= to == Mode::Autonomous;
                let back = bring_back(decisions, &kept, &mut scope.stamp, |decisions, update| {
                    known(tx, decisions, update, true)
                })?;
                decisions.options = options;
                for skipped in &back.skipped {
                    tracing::warn!(reason = skipped, "a decision that was put aside does not come back");
                }
                // Deferred keys: the groups are written after this.
                tx.execute_batch("PRAGMA defer_foreign_keys = ON").during("switch the mode")?;
                tx.execute("DELETE FROM membership", []).during("switch the mode")?;
                tx.execute(
                    "INSERT INTO membership (group_id, computer)
                     SELECT group_id, computer FROM aside_membership WHERE mode = ?1",
                    [to.as_str()],
                )
                .during("switch the mode")?;
                drop_aside(tx, to)?;
            }
            Ok(())
        })?;
        self.shared.board.mark_everybody();
        Ok(())
    }
}
