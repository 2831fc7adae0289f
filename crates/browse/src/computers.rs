//! Browse: computers, filtered, with the counts of their updates; and the computers of one update.

use crate::counts::StateCounts;
use crate::filters::StatusFilter;
use crate::fleet::{Machine, unheard};
use crate::index::Index;
use crate::page::{Page, cut};
use crate::scope::{Scope, reported};
use core::cmp::Ordering;
use memchr::memmem;
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
        let search = query.search.as_deref().map(NamePart::new);
        let named = |machine: &Machine| {
            search.as_ref().is_none_or(|search| {
                machine.name.as_deref().is_some_and(|name| search.is_in(name))
                    || search.lower.find(machine.id.as_str().as_bytes()).is_some()
            })
        };
        let found = self
            .fleet
            .machines()
            .iter()
            .filter(|m| scope.has(m.cohort) && named(m))
            .filter(|m| query.status.is_none_or(|status| self.has_update_in(m, status)));
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
        let found = self
            .fleet
            .machines()
            .iter()
            .filter(|m| scope.has(m.cohort))
            .filter(|m| query.status.is_none_or(|status| status.includes(m.state(place, since))));
        cut(found, (query.offset, query.limit), |a, b| by_name(a, b))
            .map(|machine| (machine.key, machine.state(place, since)))
    }

    pub(crate) fn states_of(&self, machine: &Machine) -> StateCounts {
        let mut counts = reported(&machine.figures);
        let unknown = self.unheard_of(machine);
        counts.add(UpdateState::Unknown, unknown);
        let rest = (self.counted_since.len() as u64).saturating_sub(unknown);
        counts.add(UpdateState::NotApplicable, rest.saturating_sub(machine.figures.reported()));
        counts
    }

    /// How many updates came after a computer was heard of, without those that it spoke of all the same.
    fn unheard_of(&self, machine: &Machine) -> u64 {
        let all = self.counted_since.len();
        let newer = match self.counted_since.last() {
            // Most computers were heard of after the newest update came.
            Some(newest) if unheard(machine.heard, newest) => {
                all - self.counted_since.count_while(|since| !unheard(machine.heard, since))
            }
            _ => 0,
        };
        (newer as u64).saturating_sub(u64::from(machine.figures.early))
    }

    /// Whether a computer has an update in one of a filter's states; looks no further than it must.
    fn has_update_in(&self, machine: &Machine, status: StatusFilter) -> bool {
        let spoken_of = reported(&machine.figures);
        status.states().iter().any(|state| spoken_of.of(*state) > 0)
            || (status.includes(UpdateState::Unknown) || status.includes(UpdateState::NotApplicable))
                && status.states().iter().any(|state| self.states_of(machine).of(*state) > 0)
    }
}

/// What is looked for in names, letter case aside.
struct NamePart {
    lower: memmem::Finder<'static>,
    ascii: bool,
}

impl NamePart {
    fn new(part: &str) -> Self {
        let lower = part.to_lowercase();
        Self { ascii: lower.is_ascii(), lower: memmem::Finder::new(&lower).into_owned() }
    }

    fn is_in(&self, name: &str) -> bool {
        if self.ascii && name.is_ascii() {
            let part = self.lower.needle();
            return part.is_empty()
                || name.as_bytes().windows(part.len()).any(|piece| piece.eq_ignore_ascii_case(part));
        }
        self.lower.find(name.to_lowercase().as_bytes()).is_some()
    }
}

fn by_name(a: &Machine, b: &Machine) -> Ordering {
    a.name.cmp(&b.name).then_with(|| a.id.as_str().cmp(b.id.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_names_are_found_whatever_their_letter_case() {
        let is_in = |part: &str, name: &str| NamePart::new(part).is_in(name);
        assert!(is_in("WS-07", "ws-070.example") && is_in("", "ws") && is_in("", ""));
        assert!(!is_in("ws-08", "ws-070.example") && !is_in("ws-0700", "ws-070"));
        assert!(is_in("MÜLLER", "pc-müller") && is_in("pc-m", "PC-Müller") && !is_in("mull", "pc-müller"));
    }
}
