//! Browse: whose reports count. A scope is a set of cohorts; it stays good until the index changes.

use crate::counts::StateCounts;
use crate::facts::Membership;
use crate::fleet::{Fleet, Reported, Tally, unheard};
use sluicegate_policy::UpdateState;

/// The computers whose reports count.
#[derive(Clone, Debug)]
pub struct Scope {
    /// By cohort; `None` is every computer.
    cohorts: Option<Vec<bool>>,
}

impl Scope {
    /// Every computer.
    #[must_use]
    pub const fn everybody() -> Self {
        Self { cohorts: None }
    }

    pub(crate) fn of(fleet: &Fleet, within: impl Fn(&Membership) -> bool) -> Self {
        Self { cohorts: Some(fleet.cohorts().iter().map(within).collect()) }
    }

    pub(crate) fn has(&self, cohort: u32) -> bool {
        self.cohorts.as_ref().is_none_or(|cohorts| cohorts.get(cohort as usize).copied().unwrap_or(false))
    }
}

/// A scope with the times its computers were heard of: what counts per update are made from.
#[derive(Debug)]
pub(crate) struct Audience<'a> {
    scope: &'a Scope,
    /// When each of its computers last reported, sorted.
    heard: Vec<i64>,
}

impl<'a> Audience<'a> {
    pub(crate) fn new(fleet: &Fleet, scope: &'a Scope) -> Self {
        let mut heard: Vec<i64> =
            fleet.machines().iter().filter(|m| scope.has(m.cohort)).map(|m| m.heard).collect();
        heard.sort_unstable();
        Self { scope, heard }
    }

    /// How many of its computers are in which state of an update.
    pub(crate) fn counts(&self, update: Reported<'_>) -> StateCounts {
        let silent = match self.heard.first() {
            // Most updates are older than the last word of any computer.
            Some(first) if !unheard(*first, update.since) => 0,
            _ => self.heard.partition_point(|heard| unheard(*heard, update.since)),
        };
        counts(self.scope, update, self.len(), silent as u64)
    }

    /// The same without the states that nobody reports, which cost more to find out.
    pub(crate) fn reported(&self, update: Reported<'_>) -> StateCounts {
        reported(&sum(self.scope, update))
    }

    pub(crate) fn len(&self) -> u64 {
        self.heard.len() as u64
    }
}

fn sum(scope: &Scope, update: Reported<'_>) -> Tally {
    let mut sum = Tally::default();
    update.tallies.iter().filter(|(cohort, _)| scope.has(*cohort)).for_each(|(_, t)| sum.add(t));
    sum
}

/// The counts of a tally by the states they are of.
pub(crate) fn reported(tally: &Tally) -> StateCounts {
    let mut counts = StateCounts::default();
    for (number, count) in (Tally::FIRST..).zip(tally.by_state) {
        if let Some(state) = UpdateState::from_number(number) {
            counts.add(state, u64::from(count));
        }
    }
    counts
}

/// How many computers of a scope are in which state of an update. It has `computers`, of which `silent`
/// have not reported since the update came.
fn counts(scope: &Scope, update: Reported<'_>, computers: u64, silent: u64) -> StateCounts {
    let sum = sum(scope, update);
    let mut counts = reported(&sum);
    let unknown = silent.saturating_sub(u64::from(sum.early));
    counts.add(UpdateState::Unknown, unknown);
    let rest = computers.saturating_sub(unknown).saturating_sub(sum.reported());
    counts.add(UpdateState::NotApplicable, rest);
    counts
}

/// The same for one update and many scopes: one pass over the computers.
pub(crate) fn counts_by_scope(fleet: &Fleet, update: Reported<'_>, scopes: &[Scope]) -> Vec<StateCounts> {
    let mut cohorts = vec![(0_u64, 0_u64); fleet.cohorts().len()];
    for machine in fleet.machines() {
        if let Some((all, silent)) = cohorts.get_mut(machine.cohort as usize) {
            *all += 1;
            *silent += u64::from(unheard(machine.heard, update.since));
        }
    }
    let of_scope = |scope: &Scope| {
        let inside = (0..).zip(&cohorts).filter(|(cohort, _)| scope.has(*cohort));
        let (all, silent) = inside.fold((0, 0), |sum, (_, more)| (sum.0 + more.0, sum.1 + more.1));
        counts(scope, update, all, silent)
    };
    scopes.iter().map(of_scope).collect()
}
