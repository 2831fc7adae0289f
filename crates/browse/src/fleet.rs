//! Browse: the computers, what each reported, and the counts per update that follow. A computer's states are
//! one word each. Computers with the same groups are one cohort, and counts are kept per update and cohort:
//! so a computer in several groups counts once in each group above them.

use crate::facts::{ComputerFacts, Membership};
use rustc_hash::FxHashMap;
use sluicegate_policy::UpdateState;
use sluicegate_terms::{ComputerId, Timestamp};

/// Stands for "never" where times are compared.
pub(crate) const NEVER: i64 = i64::MIN;

/// An update's place and a state in one word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct State(u32);

impl State {
    /// Updates beyond this place could not be told apart.
    pub(crate) const MOST_PLACES: u32 = 1 << 29;

    pub(crate) const fn new(place: u32, state: UpdateState) -> Self {
        Self(place << 3 | state as u32)
    }

    pub(crate) const fn place(self) -> u32 {
        self.0 >> 3
    }

    /// Whether the state is in a mask of `1 << state`.
    pub(crate) const fn is_in(self, mask: u8) -> bool {
        mask >> (self.0 & 7) & 1 == 1
    }

    pub(crate) fn state(self) -> UpdateState {
        // Made from a state by `new`.
        UpdateState::from_number((self.0 & 7) as u8).unwrap_or(UpdateState::Unknown)
    }
}

/// Of one update in one cohort: computers by reported state, and those among them that have not been heard
/// of since the update came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// From NotInstalled to InstalledPendingReboot, the states that are reported.
    pub(crate) by_state: [u32; 5],
    /// With a reported state although they have not reported since the update came.
    pub(crate) early: u32,
}

impl Tally {
    /// The state that `by_state` has at its beginning.
    pub(crate) const FIRST: u8 = UpdateState::NotInstalled as u8;

    fn change(&mut self, state: UpdateState, early: bool, add: bool) {
        let step = |count: &mut u32| *count = if add { *count + 1 } else { count.saturating_sub(1) };
        let at = usize::from((state as u8).saturating_sub(Self::FIRST));
        if let Some(count) = self.by_state.get_mut(at) {
            step(count);
        }
        if early {
            step(&mut self.early);
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, more) in self.by_state.iter_mut().zip(other.by_state) {
            *mine += more;
        }
        self.early += other.early;
    }

    pub(crate) fn reported(&self) -> u64 {
        self.by_state.iter().map(|count| u64::from(*count)).sum()
    }
}

/// An update as the fleet knows it.
#[derive(Debug)]
pub(crate) struct Reported {
    /// When the update came here (or was taken back from being declined). A computer that has not reported
    /// since then has said nothing about it.
    pub(crate) since: i64,
    /// By cohort, sorted; only those with a computer that reported a state.
    pub(crate) tallies: Vec<(u32, Tally)>,
}

/// One computer.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) key: i64,
    pub(crate) id: ComputerId,
    pub(crate) name: Option<Box<str>>,
    pub(crate) cohort: u32,
    /// When it last reported.
    pub(crate) heard: i64,
    /// Its states, by place.
    pub(crate) states: Box<[State]>,
}

impl Machine {
    /// What it says about the update at a place.
    pub(crate) fn reported(&self, place: u32) -> Option<UpdateState> {
        let at = self.states.partition_point(|state| state.place() < place);
        self.states.get(at).filter(|state| state.place() == place).map(|state| state.state())
    }

    /// The state of the update at a place that came at `since`.
    pub(crate) fn state(&self, place: u32, since: i64) -> UpdateState {
        match self.reported(place) {
            Some(state) => state,
            None if unheard(self.heard, since) => UpdateState::Unknown,
            None => UpdateState::NotApplicable,
        }
    }
}

/// Whether a computer that was heard of at `heard` has not spoken about what came at `since`: WSUS calls
/// that "No status" (EffectiveLastDetectionTime, MS-WSUSSS 3.1.1 Client Computers table).
pub(crate) const fn unheard(heard: i64, since: i64) -> bool {
    heard == NEVER || heard < since
}

/// All computers.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    machines: Vec<Machine>,
    by_key: FxHashMap<i64, usize>,
    cohorts: Vec<Membership>,
    cohort_of: FxHashMap<Membership, u32>,
    /// By place of the update.
    reported: Vec<Reported>,
}

impl Fleet {
    pub(crate) fn machines(&self) -> &[Machine] {
        &self.machines
    }

    pub(crate) fn machine(&self, key: i64) -> Option<&Machine> {
        self.machines.get(*self.by_key.get(&key)?)
    }

    pub(crate) fn cohorts(&self) -> &[Membership] {
        &self.cohorts
    }

    pub(crate) fn reported(&self) -> &[Reported] {
        &self.reported
    }

    pub(crate) fn since(&self, place: u32) -> i64 {
        usize::try_from(place).ok().and_then(|at| self.reported.get(at)).map_or(NEVER, |r| r.since)
    }

    /// Makes room for updates up to a place.
    pub(crate) fn reach(&mut self, places: usize) {
        self.reported
            .resize_with(places.max(self.reported.len()), || Reported { since: NEVER, tallies: Vec::new() });
    }

    /// Puts a computer in, or in the place of what was known of it; without `states` it keeps those it has.
    /// They are sorted, one per place.
    pub(crate) fn put(&mut self, facts: ComputerFacts, states: Option<Vec<State>>) {
        let cohort = self.cohort(facts.membership);
        let heard = facts.reported.map_or(NEVER, Timestamp::ticks);
        let known = self.by_key.get(&facts.key).copied();
        let Some(machine) = known.and_then(|at| self.machines.get_mut(at)) else {
            let states = states.unwrap_or_default().into_boxed_slice();
            self.count(cohort, heard, &states, true);
            self.by_key.insert(facts.key, self.machines.len());
            let name = facts.name.map(String::into_boxed_str);
            self.machines.push(Machine { key: facts.key, id: facts.id, name, cohort, heard, states });
            return;
        };
        machine.id = facts.id;
        machine.name = facts.name.map(String::into_boxed_str);
        let before =
            (core::mem::replace(&mut machine.cohort, cohort), core::mem::replace(&mut machine.heard, heard));
        if before == (cohort, heard) && states.as_ref().is_none_or(|new| **new == *machine.states) {
            return;
        }
        let old = core::mem::take(&mut machine.states);
        self.count(before.0, before.1, &old, false);
        let new = states.map_or(old, Vec::into_boxed_slice);
        self.count(cohort, heard, &new, true);
        if let Some(machine) = known.and_then(|at| self.machines.get_mut(at)) {
            machine.states = new;
        }
    }

    /// Takes a computer out.
    pub(crate) fn remove(&mut self, key: i64) {
        let Some(at) = self.by_key.remove(&key) else { return };
        if at >= self.machines.len() {
            return;
        }
        let gone = self.machines.swap_remove(at);
        if let Some(moved) = self.machines.get(at) {
            self.by_key.insert(moved.key, at);
        }
        self.count(gone.cohort, gone.heard, &gone.states, false);
    }

    /// Says since when updates are here, by place; what follows for the counts is counted again.
    pub(crate) fn set_since(&mut self, since: impl Iterator<Item = i64>) {
        let mut again = vec![false; self.reported.len()];
        let mut any = false;
        for ((reported, since), again) in self.reported.iter_mut().zip(since).zip(&mut again) {
            if reported.since != since {
                reported.since = since;
                *again = !reported.tallies.is_empty();
                any |= *again;
            }
        }
        if !any {
            return;
        }
        let marked = |place: usize| again.get(place).copied().unwrap_or(false);
        for (_, reported) in self.reported.iter_mut().enumerate().filter(|(place, _)| marked(*place)) {
            reported.tallies.iter_mut().for_each(|(_, tally)| tally.early = 0);
        }
        for machine in &self.machines {
            for state in &machine.states {
                let place = state.place() as usize;
                if marked(place)
                    && let Some(reported) = self.reported.get_mut(place)
                    && unheard(machine.heard, reported.since)
                    && let Ok(at) = reported.tallies.binary_search_by_key(&machine.cohort, |(c, _)| *c)
                    && let Some((_, tally)) = reported.tallies.get_mut(at)
                {
                    tally.early += 1;
                }
            }
        }
    }

    fn cohort(&mut self, membership: Membership) -> u32 {
        if let Some(known) = self.cohort_of.get(&membership) {
            return *known;
        }
        let cohort = u32::try_from(self.cohorts.len()).unwrap_or(u32::MAX);
        self.cohorts.push(membership.clone());
        self.cohort_of.insert(membership, cohort);
        cohort
    }

    fn count(&mut self, cohort: u32, heard: i64, states: &[State], add: bool) {
        for state in states {
            let Some(reported) = self.reported.get_mut(state.place() as usize) else { continue };
            let early = unheard(heard, reported.since);
            let at = match reported.tallies.binary_search_by_key(&cohort, |(c, _)| *c) {
                Ok(at) => at,
                Err(at) => {
                    reported.tallies.insert(at, (cohort, Tally::default()));
                    at
                }
            };
            let Some((_, tally)) = reported.tallies.get_mut(at) else { continue };
            tally.change(state.state(), early, add);
            if *tally == Tally::default() {
                reported.tallies.remove(at);
            }
        }
    }
}
