//! Browse: how many of something are in which state.

use sluicegate_policy::UpdateState;

/// Counts by [`UpdateState`]: computers of an update, or updates of a computer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StateCounts([u64; UpdateState::ALL.len()]);

impl StateCounts {
    /// How many are in this state.
    #[must_use]
    pub fn of(&self, state: UpdateState) -> u64 {
        self.0.get(state as usize).copied().unwrap_or(0)
    }

    /// Counts `more` in this state.
    pub fn add(&mut self, state: UpdateState, more: u64) {
        if let Some(count) = self.0.get_mut(state as usize) {
            *count = count.saturating_add(more);
        }
    }

    /// How many need it: not installed, downloaded, or installed once the computer restarts. So WSUS
    /// counts (`Needed` of its update status report), with failed ones beside it.
    #[must_use]
    pub fn needed(&self) -> u64 {
        self.of(UpdateState::NotInstalled)
            + self.of(UpdateState::Downloaded)
            + self.of(UpdateState::InstalledPendingReboot)
    }

    /// How many there are in all states.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The states that occur, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (UpdateState, u64)> + '_ {
        UpdateState::ALL.into_iter().map(|state| (state, self.of(state))).filter(|(_, count)| *count > 0)
    }
}
