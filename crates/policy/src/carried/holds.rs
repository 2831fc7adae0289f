//! Policy: which revision of an update serves, where decisions about it come from another server.

use super::{Known, TakenIn, Taking};
use crate::approvals::{Change, Stamp};
use crate::decisions::Decisions;
use crate::refusals::ApprovalError;
use crate::succession::{Hold, HoldReason};
use sluicegate_terms::{RevisionNumber, UpdateId};

impl Taking<'_> {
    /// Which revision of an update is to serve while its newest waits here as it does there.
    pub(super) fn hold(&self, own: &Decisions, known: &Known) -> Option<(RevisionNumber, HoldReason)> {
        let update = known.subject.update;
        let (serving, reason) = self.carried.held.get(&update).copied()?;
        // Terms that were accepted here are nothing to wait for.
        let accepted = matches!(reason, HoldReason::Eula(eula) if own.accepted.contains_key(&eula));
        let settled = self.settled.get(&update).and_then(|decided| known.newest_at(*decided));
        // What somebody here decided about serves on, though another one serves there; and what came between the two
        // only if what is ordered here is possible with it.
        let serving = settled.map_or(serving, |settled| {
            let mut between = known.revisions.range(settled..=serving.max(settled)).rev();
            between.find(|(_, one)| own.stands_with(update, one, None)).map_or(settled, |(number, _)| *number)
        });
        let waits = !accepted && self.open(own, known) && known.can_wait_behind(serving);
        waits.then_some((serving, reason))
    }

    /// Whether the newest revision of an update may be made to wait: nobody here decided about it since it came.
    pub(super) fn open(&self, own: &Decisions, known: &Known) -> bool {
        let update = known.subject.update;
        let decided = self.settled.get(&update);
        !own.held.contains_key(&update)
            && decided.is_none_or(|decided| known.newest_came().is_some_and(|came| came > *decided))
    }
}

impl Decisions {
    /// Makes the newest revision of an update wait, so that its approvals are for another one now.
    pub(super) fn wait_behind(
        &mut self,
        update: UpdateId,
        hold: Hold,
        stamp: &mut Stamp,
    ) -> Result<(), ApprovalError> {
        self.held.insert(update, hold);
        // Clients that have been told of the newest are told of the one that serves.
        self.released.insert(update, stamp.change);
        self.renew(update, stamp)
    }

    pub(super) fn take_holds<E: From<ApprovalError>>(
        &mut self,
        taking: &Taking<'_>,
        mut known: impl FnMut(&Self, UpdateId) -> Result<Option<Known>, E>,
        stamp: &mut Stamp,
        taken: &mut TakenIn,
    ) -> Result<(), E> {
        for (&update, &(serving, _)) in &taking.carried.held {
            let Some(known) = known(self, update)? else {
                taken.skip(|| {
                    format!("a revision of {update} waits there, and it is not in the catalog here")
                });
                continue;
            };
            let deployed = self.approvals.of(update).filter(|approval| approval.action.deploys());
            let decided = deployed.map(|approval| approval.changed_at).max();
            if let Some(at) = decided
                && let Some((serving, reason)) = taking.hold(self, &known)
            {
                // It waits there since it was approved at the earliest; whoever decides later there has seen it.
                let since = Change { at: at.min(stamp.change.at), ..stamp.change };
                self.wait_behind(update, Hold { serving, reason, since }, stamp)?;
                taken.held += 1;
            } else if let Some(own) = self.held.get(&update).copied()
                && self.options.approvals_follow
                && own.reason == HoldReason::Review
                && own.serving < serving
                && known.can_wait_behind(serving)
                && known.revisions.get(&serving).is_some_and(|one| self.stands_with(update, one, None))
            {
                // It waits here since it did there; somebody there looked at one of those that waited.
                self.wait_behind(update, Hold { serving, ..own }, stamp)?;
                taken.held += 1;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "holds_tests.rs"]
mod tests;
