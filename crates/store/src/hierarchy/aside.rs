//! Store: the decisions of the mode a server is not in. Becoming a replica puts the local groups, approvals
//! and declines aside, becoming autonomous brings them back; the same the other way round, so that
//! switching loses nothing.

use super::kept::{drop_aside, from_aside, put_aside};
use super::{asking, memberships};
use crate::Store;
use crate::audit::Cause;
use crate::computers::Targeting;
use crate::decisions::known;
use crate::error::StoreError;
use sluicegate_policy::hierarchy::{Mode, bring_back};
use sluicegate_terms::Timestamp;

impl Store {
    /// Puts the decisions of the present mode aside and brings back those of the other, if there are any. Answers how
    /// many computers are in no group any more.
    pub(crate) fn switch_decisions(&self, was_replica: bool, now: Timestamp) -> Result<u64, StoreError> {
        let (from, to) =
            if was_replica { (Mode::Replica, Mode::Autonomous) } else { (Mode::Autonomous, Mode::Replica) };
        // Contacts that were noted and not written could be of computers that are about to move.
        self.flush_contacts()?;
        let targeting = self.targeting();
        let ungrouped = self.change_decisions_because(Cause::Switch, now, |tx, decisions, scope| {
            let mut ungrouped = 0;
            let groups = decisions.groups.clone();
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
                ungrouped = memberships::switch(tx, (from, to), &groups, &decisions.groups, now)?;
                if targeting == Targeting::Client {
                    ungrouped = asking::for_what_is_gone(tx, &groups, &decisions.groups)?;
                }
                drop_aside(tx, to)?;
            }
            memberships::begin_mode(tx)?;
            Ok(ungrouped)
        })?;
        self.shared.board.mark_everybody();
        Ok(ungrouped)
    }
}
