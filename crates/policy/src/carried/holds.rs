//! Policy: which revision of an update serves, where decisions about it come from another server.

use super::{Known, TakenIn, Taking};
use crate::approvals::Change;
use crate::decisions::Decisions;
use crate::succession::{Hold, HoldReason};
use sluicegate_terms::{RevisionNumber, UpdateId};

impl Taking<'_> {
    /// Which revision of an update is to serve while its newest waits here as it does there.
    pub(super) fn hold(&self, own: &Decisions, known: &Known) -> Option<(RevisionNumber, HoldReason)> {
        let update = known.subject.update;
        let (serving, reason) = self.carried.held.get(&update).copied()?;
        let open = !self.settled.contains(&update) && !own.held.contains_key(&update);
        (open && known.can_wait_behind(serving)).then_some((serving, reason))
    }
}

impl Decisions {
    pub(super) fn take_holds<E>(
        &mut self,
        taking: &Taking<'_>,
        mut known: impl FnMut(&Self, UpdateId) -> Result<Option<Known>, E>,
        since: Change,
        taken: &mut TakenIn,
    ) -> Result<(), E> {
        for &update in taking.carried.held.keys() {
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
                let since = Change { at: at.min(since.at), ..since };
                self.held.insert(update, Hold { serving, reason, since });
                taken.held += 1;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "holds_tests.rs"]
mod tests;
