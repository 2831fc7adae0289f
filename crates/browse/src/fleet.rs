//! Browse: the computers, what each reported, and the counts per update that follow. A computer's states are
//! one word each. Computers with the same groups are one cohort, and counts are kept per update and cohort:
//! so a computer in several groups counts once in each group above them.

use crate::bits::Bits;
use crate::facts::{ComputerFacts, Membership};
use crate::moments::Moments;
use crate::paged::Paged;
use crate::settling::{Settled, SettledOne};
use rustc_hash::FxHashMap;
use sluicegate_policy::UpdateState;
use sluicegate_terms::{ComputerId, GroupId, Timestamp};

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

    pub(crate) fn state(self) -> UpdateState {
        // Made from a state by `new`.
        UpdateState::from_number((self.0 & 7) as u8).unwrap_or(UpdateState::Unknown)
    }
}

/// Computers of one update in one cohort, or updates of one computer, by reported state; and those among
/// them where the computer has not been heard of since the update came.
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
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reported<'a> {
    /// When the update came here (or was taken back from being declined). A computer that has not reported
    /// since then has said nothing about it.
    pub(crate) since: i64,
    /// By cohort, sorted; only those with a computer that reported a state.
    pub(crate) tallies: &'a [(u32, Tally)],
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
    /// Its states of updates that count in the figures of a computer.
    pub(crate) figures: Tally,
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
    /// By place of the update: when it came here, as a number of `moments`.
    since: Paged<u32>,
    moments: Moments,
    /// The places of updates that count in the figures of a computer.
    counted: Bits,
    /// By place of the update: where its tallies are, plus one; 0 when no computer ever spoke of it, as is so
    /// of most of a catalog.
    slots: Paged<u32>,
    tallies: Vec<Vec<(u32, Tally)>>,
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

    /// What is reported of the update at a place.
    pub(crate) fn reported(&self, place: u32) -> Reported<'_> {
        let slot = self.slots.get(place).and_then(|slot| slot.checked_sub(1));
        let tallies = slot.and_then(|slot| self.tallies.get(slot as usize));
        Reported { since: self.since(place), tallies: tallies.map(Vec::as_slice).unwrap_or_default() }
    }

    pub(crate) fn since(&self, place: u32) -> i64 {
        self.since.get(place).map_or(NEVER, |since| self.moments.at(*since))
    }

    /// Makes room for updates up to a place.
    pub(crate) fn reach(&mut self, places: usize) {
        if places > self.since.len() {
            self.since.reach(places, Moments::NEVER);
            self.slots.reach(places, 0);
        }
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
            let figures = self.figures(heard, &states);
            self.by_key.insert(facts.key, self.machines.len());
            let name = facts.name.map(String::into_boxed_str);
            self.machines.push(Machine {
                key: facts.key,
                id: facts.id,
                name,
                cohort,
                heard,
                states,
                figures,
            });
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
        let figures = self.figures(heard, &new);
        if let Some(machine) = known.and_then(|at| self.machines.get_mut(at)) {
            machine.states = new;
            machine.figures = figures;
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

    /// Says since when updates are here and which of them count; what follows for computers that spoke of
    /// them is counted again.
    pub(crate) fn settle(&mut self, settled: Settled) {
        self.reach(settled.since.len());
        let changed = Changed::between(self, &settled);
        let since = core::mem::replace(&mut self.since, settled.since);
        let moments = core::mem::replace(&mut self.moments, settled.moments);
        let counted = core::mem::replace(&mut self.counted, settled.counted);
        self.count_again(&changed, |place| {
            (since.get(place).map_or(NEVER, |since| moments.at(*since)), counted.has(place))
        });
    }

    /// Whether the update at a place counts in the figures of a computer.
    pub(crate) fn counts(&self, place: u32) -> bool {
        self.counted.has(place)
    }

    /// [`Fleet::settle`] where nothing else changed than these places, in their order.
    pub(crate) fn settle_some(&mut self, settled: Vec<SettledOne>) {
        self.counted.reach(self.since.len());
        let mut before = Vec::new();
        for SettledOne { place, since, counted } in settled {
            let was = (self.since(place), self.counted.has(place));
            if was == (since, counted) {
                continue;
            }
            if let Some(slot) = self.since.get_mut(place) {
                *slot = self.moments.number(since);
            }
            self.counted.put(place, counted);
            if self.slots.get(place).is_some_and(|slot| *slot > 0) {
                before.push((place, was));
            }
        }
        let mut changed =
            Changed { list: before.iter().map(|(place, _)| *place).collect(), marks: Bits::default() };
        if changed.list.len() > FEW {
            changed.marks.reach(self.slots.len());
            changed.list.iter().for_each(|place| changed.marks.set(*place));
        }
        self.count_again(&changed, |place| {
            let at = before.binary_search_by_key(&place, |(place, _)| *place);
            at.ok().and_then(|at| before.get(at)).map_or((NEVER, false), |(_, was)| *was)
        });
    }

    /// Counts again what computers said of changed updates. `was` says since when one was here and whether it counted.
    fn count_again(&mut self, changed: &Changed, was: impl Fn(u32) -> (i64, bool)) {
        if changed.list.is_empty() {
            return;
        }
        let (since, moments, counted, slots) = (&self.since, &self.moments, &self.counted, &self.slots);
        for machine in &mut self.machines {
            let Machine { states, figures, heard, cohort, .. } = machine;
            changed.each_of(states, |state| {
                let place = state.place();
                let (was_since, did_count) = was(place);
                let is_since = since.get(place).map_or(NEVER, |since| moments.at(*since));
                let (was_early, is_early) = (unheard(*heard, was_since), unheard(*heard, is_since));
                if did_count {
                    figures.change(state.state(), was_early, false);
                }
                if counted.has(place) {
                    figures.change(state.state(), is_early, true);
                }
                if was_early != is_early
                    && let Some(slot) = slots.get(place).and_then(|slot| slot.checked_sub(1))
                    && let Some(tallies) = self.tallies.get_mut(slot as usize)
                    && let Ok(at) = tallies.binary_search_by_key(cohort, |(cohort, _)| *cohort)
                    && let Some((_, tally)) = tallies.get_mut(at)
                {
                    tally.early = if is_early { tally.early + 1 } else { tally.early.saturating_sub(1) };
                }
            });
        }
    }

    /// Bytes of memory: what goes with the number of updates, and what goes with computers and what they say.
    pub(crate) fn heap_bytes(&self) -> (usize, usize) {
        let by_place = self.since.heap_bytes()
            + self.moments.heap_bytes()
            + self.slots.heap_bytes()
            + self.counted.heap_bytes();
        let machine = |m: &Machine| {
            size_of_val(&*m.states) + m.id.as_str().len() + m.name.as_deref().map_or(0, str::len)
        };
        let tallies: usize = self.tallies.iter().map(|t| t.capacity() * size_of::<(u32, Tally)>()).sum();
        let groups = |m: &Membership| {
            size_of::<Membership>()
                + m.assigned.capacity() * size_of::<GroupId>()
                + m.requested.iter().map(|name| size_of::<String>() + name.capacity()).sum::<usize>()
        };
        let computers = self.machines.iter().map(machine).sum::<usize>()
            + self.machines.capacity() * size_of::<Machine>()
            + self.by_key.capacity() * (size_of::<(i64, usize)>() + 1)
            // The list and the map have them both.
            + self.cohorts.iter().map(groups).sum::<usize>() * 2
            + self.tallies.capacity() * size_of::<Vec<(u32, Tally)>>()
            + tallies;
        (by_place, computers)
    }

    fn figures(&self, heard: i64, states: &[State]) -> Tally {
        let mut figures = Tally::default();
        for state in states.iter().filter(|state| self.counted.has(state.place())) {
            figures.change(state.state(), unheard(heard, self.since(state.place())), true);
        }
        figures
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
            let place = state.place();
            let early = unheard(heard, self.since(place));
            let Some(slot) = self.slots.get_mut(place) else { continue };
            if *slot == 0 {
                self.tallies.push(Vec::new());
                // At most one for each place.
                *slot = self.tallies.len() as u32;
            }
            let Some(tallies) = self.tallies.get_mut(*slot as usize - 1) else { continue };
            let at = match tallies.binary_search_by_key(&cohort, |(c, _)| *c) {
                Ok(at) => at,
                Err(at) => {
                    tallies.insert(at, (cohort, Tally::default()));
                    at
                }
            };
            let Some((_, tally)) = tallies.get_mut(at) else { continue };
            tally.change(state.state(), early, add);
            if *tally == Tally::default() {
                tallies.remove(at);
            }
        }
    }
}

/// So few updates are looked up in the states of each computer; for more, all states are gone through.
const FEW: usize = 2;

/// The updates that computers spoke of and for which something else holds now.
struct Changed {
    list: Vec<u32>,
    marks: Bits,
}

impl Changed {
    fn between(fleet: &Fleet, settled: &Settled) -> Self {
        let mut changed = Self { list: Vec::new(), marks: Bits::for_places(fleet.slots.len()) };
        let places = (0..).zip(fleet.slots.iter()).zip(fleet.since.iter().zip(settled.since.iter()));
        for ((place, _), (before, now)) in places.filter(|((_, slot), _)| **slot > 0) {
            if fleet.moments.at(*before) != settled.moments.at(*now)
                || fleet.counted.has(place) != settled.counted.has(place)
            {
                changed.list.push(place);
                changed.marks.set(place);
            }
        }
        changed
    }

    /// Those among a computer's states, which are sorted by place.
    fn each_of(&self, states: &[State], mut each: impl FnMut(State)) {
        if self.list.len() > FEW {
            states.iter().filter(|state| self.marks.has(state.place())).for_each(|state| each(*state));
            return;
        }
        for place in &self.list {
            let at = states.partition_point(|state| state.place() < *place);
            if let Some(state) = states.get(at).filter(|state| state.place() == *place) {
                each(*state);
            }
        }
    }
}
