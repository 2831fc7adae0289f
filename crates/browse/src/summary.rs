//! Browse: a group in a few figures.

use crate::fleet::NEVER;
use crate::index::Index;
use crate::scope::{Audience, Scope, reported};
use crate::updates::ApprovalState;
use sluicegate_policy::UpdateState;
use sluicegate_terms::UpdateId;

/// Computers by the worst that is known of them: each is counted in exactly one of the four.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ComputerSummary {
    /// All of the group and the groups nested in it.
    pub total: u64,
    /// At least one update failed.
    pub failed: u64,
    /// None failed, at least one is needed.
    pub needing: u64,
    /// Everything is installed or not applicable, as far as it reported.
    pub up_to_date: u64,
    /// It never reported what it needs and has.
    pub no_status: u64,
}

/// Updates that lists show, by decision, and those that are not declined by state: of these four an update
/// can be counted in several.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UpdateSummary {
    /// Not declined.
    pub total: u64,
    /// Approved for some group.
    pub approved: u64,
    /// Undecided.
    pub unapproved: u64,
    /// Declined.
    pub declined: u64,
    /// Failed on some computer.
    pub failed: u64,
    /// Needed by some computer.
    pub needed: u64,
    /// Needed by some computer and not approved for any group.
    pub needed_unapproved: u64,
    /// Installed or not applicable everywhere.
    pub done: u64,
    /// Some computer has not said anything about it.
    pub no_status: u64,
}

/// A group in a few figures.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// Its computers.
    pub computers: ComputerSummary,
    /// The updates, by their state on these computers.
    pub updates: UpdateSummary,
}

/// Updates that lists show, by decision.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Decided {
    /// All of them.
    pub total: u64,
    /// Approved for some group.
    pub approved: u64,
    /// Declined.
    pub declined: u64,
    /// Neither of the two.
    pub undecided: u64,
    /// Those of the undecided that stand under one of the categories that were asked for.
    pub undecided_in: u64,
}

impl Index {
    /// What is decided about the updates that lists show; and how many under one of these categories, or a
    /// category below it, are undecided. Asked for the same categories again, it costs nothing.
    #[must_use]
    pub fn decided(&mut self, categories: &[UpdateId]) -> Decided {
        self.shelf.decided(categories)
    }

    /// The computers of a scope, and the updates as they stand there.
    #[must_use]
    pub fn summary(&self, scope: &Scope) -> Summary {
        let audience = Audience::new(&self.fleet, scope);
        let mut summary = Summary::default();
        let computers = &mut summary.computers;
        computers.total = audience.len();
        for machine in self.fleet.machines().iter().filter(|m| scope.has(m.cohort)) {
            let states = reported(&machine.figures);
            if states.of(UpdateState::Failed) > 0 {
                computers.failed += 1;
            } else if states.needed() > 0 {
                computers.needing += 1;
            } else if machine.heard == NEVER {
                // A failure can be told before the first report.
                computers.no_status += 1;
            } else {
                computers.up_to_date += 1;
            }
        }
        let updates = &mut summary.updates;
        for (place, entry) in self.entries().filter(|(_, entry)| entry.listed()) {
            match entry.approval {
                ApprovalState::Declined => {
                    updates.declined += 1;
                    continue;
                }
                ApprovalState::Approved => updates.approved += 1,
                ApprovalState::Undecided => updates.unapproved += 1,
            }
            updates.total += 1;
            let counts = audience.counts(self.fleet.reported(place));
            let (needed, failed) = (counts.needed() > 0, counts.of(UpdateState::Failed) > 0);
            let unknown = counts.of(UpdateState::Unknown) > 0;
            updates.failed += u64::from(failed);
            updates.needed += u64::from(needed);
            updates.needed_unapproved += u64::from(needed && entry.approval == ApprovalState::Undecided);
            updates.no_status += u64::from(unknown);
            updates.done += u64::from(!needed && !failed && !unknown && counts.total() > 0);
        }
        summary
    }
}
