//! Browse: computers, filtered, with the counts of their updates; and the computers of one update.

use crate::counts::StateCounts;
use crate::filters::StatusFilter;
use crate::fleet::{Machine, unheard};
use crate::index::Index;
use crate::page::{Page, cut};
use crate::scope::Scope;
use core::cmp::Ordering;
use sluicegate_policy::UpdateState;
use sluicegate_terms::UpdateId;

/// Which computers to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ComputerQuery {
    /// This in the name or the id.
    pub search: Option<String>,
    /// With at least one update in one of these states.
    pub status: Option<StatusFilter>,
    /// At most so many rows.
    pub limit: u32,
    /// Skip so many.
    pub offset: u32,
}

/// A computer that fits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ComputerHit {
    /// Its owner's key.
    pub key: i64,
    /// The updates that lists show and that are not declined, by its state of them.
    pub states: StateCounts,
}

/// Which computers of an update to list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ComputersOfUpdate {
    /// Which update.
    pub update: UpdateId,
    /// In one of these states; `None` lists those in every state.
    pub status: Option<StatusFilter>,
    /// At most so many rows.
    pub limit: u32,
    /// Skip so many.
    pub offset: u32,
}

impl Index {
    /// The computers of a scope that fit, by name.
    #[must_use]
    pub fn computers(&self, query: &ComputerQuery, scope: &Scope) -> Page<ComputerHit> {
        let search = query.search.as_deref().map(str::to_lowercase);
        let named = |machine: &Machine| {
            search.as_deref().is_none_or(|search| {
                machine.name.as_deref().is_some_and(|name| name.to_lowercase().contains(search))
                    || machine.id.as_str().contains(search)
            })
        };
        let found: Vec<&Machine> = self
            .fleet
            .machines()
            .iter()
            .filter(|m| scope.has(m.cohort) && named(m))
            .filter(|m| query.status.is_none_or(|status| self.has_update_in(m, status)))
            .collect();
        cut(found, (query.offset, query.limit), |a, b| by_name(a, b))
            .map(|machine| ComputerHit { key: machine.key, states: self.states_of(machine) })
    }

    /// One computer's updates by state.
    #[must_use]
    pub fn states_of_computer(&self, key: i64) -> Option<StateCounts> {
        Some(self.states_of(self.fleet.machine(key)?))
    }

    /// Computers of a scope with their state of an update, by name. Empty for an update that is not in
    /// the catalog.
    #[must_use]
    pub fn computers_of(&self, query: &ComputersOfUpdate, scope: &Scope) -> Page<(i64, UpdateState)> {
        let place = self.place_of(query.update).filter(|place| self.entry(*place).is_some());
        let Some(place) = place else { return Page::default() };
        let since = self.fleet.since(place);
        let found: Vec<(&Machine, UpdateState)> = self
            .fleet
            .machines()
            .iter()
            .filter(|m| scope.has(m.cohort))
            .map(|m| (m, m.state(place, since)))
            .filter(|(_, state)| query.status.is_none_or(|status| status.includes(*state)))
            .collect();
        cut(found, (query.offset, query.limit), |(a, _), (b, _)| by_name(a, b))
            .map(|(machine, state)| (machine.key, state))
    }

    /// The state of each of a computer's updates that it did not report by itself follows from this: how
    /// many updates there are to have a state of, and how many of them came after it was heard of.
    fn derived(&self, machine: &Machine) -> (u64, u64) {
        let older = self.counted_since.partition_point(|since| !unheard(machine.heard, *since));
        (self.counted_since.len() as u64, (self.counted_since.len() - older) as u64)
    }

    pub(crate) fn states_of(&self, machine: &Machine) -> StateCounts {
        let (all, newer) = self.derived(machine);
        let (mut counts, mut reported, mut early) = (StateCounts::default(), 0, 0);
        for state in self.counted_states(machine) {
            counts.add(state.1, 1);
            reported += 1;
            early += u64::from(unheard(machine.heard, self.fleet.since(state.0)));
        }
        let unknown = newer.saturating_sub(early);
        counts.add(UpdateState::Unknown, unknown);
        counts.add(UpdateState::NotApplicable, all.saturating_sub(unknown).saturating_sub(reported));
        counts
    }

    fn counted_states<'a>(&'a self, machine: &'a Machine) -> impl Iterator<Item = (u32, UpdateState)> + 'a {
        let counted = |place: u32| self.counted.get(place as usize).copied().unwrap_or(false);
        machine.states.iter().map(|s| (s.place(), s.state())).filter(move |(place, _)| counted(*place))
    }

    /// Whether a computer has an update in one of a filter's states; looks no further than it must.
    fn has_update_in(&self, machine: &Machine, status: StatusFilter) -> bool {
        let mask = status.states().iter().fold(0_u8, |mask, state| mask | 1 << (*state as u8));
        let counted = |place: u32| self.counted.get(place as usize).copied().unwrap_or(false);
        if machine.states.iter().any(|state| state.is_in(mask) && counted(state.place())) {
            return true;
        }
        let (na, unknown) =
            (status.includes(UpdateState::NotApplicable), status.includes(UpdateState::Unknown));
        if !na && !unknown {
            return false;
        }
        // Each state it reported can take one away from either; beyond that nothing needs counting.
        let (all, newer) = self.derived(machine);
        let reported = machine.states.len() as u64;
        if (unknown && newer > reported) || (na && all - newer > reported) {
            return true;
        }
        let counts = self.states_of(machine);
        (na && counts.of(UpdateState::NotApplicable) > 0) || (unknown && counts.of(UpdateState::Unknown) > 0)
    }
}

fn by_name(a: &Machine, b: &Machine) -> Ordering {
    a.name.cmp(&b.name).then_with(|| a.id.as_str().cmp(b.id.as_str()))
}
