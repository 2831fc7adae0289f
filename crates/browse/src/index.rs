//! Browse: the index itself. Each update has a place for as long as the index lives; its columns are kept by
//! place. After a change of catalog or decisions the owner calls [`Index::settle`] once, or [`Index::settle_new`].

use crate::facts::{ComputerFacts, Membership, UpdateFacts};
use crate::fleet::{Fleet, State};
use crate::moments::Since;
use crate::scope::Scope;
use crate::shelf::{Entry, Shelf};
use sluicegate_policy::{Decisions, UpdateState};
use sluicegate_terms::UpdateId;

/// The index. It answers for what it was told; it is for its owner to keep up.
#[derive(Debug, Default)]
pub struct Index {
    pub(crate) shelf: Shelf,
    pub(crate) fleet: Fleet,
    /// When those updates came here that count in the figures of a computer.
    pub(crate) counted_since: Since,
}

impl Index {
    /// Puts an update in, or in the place of what was known of it.
    pub fn put_update(&mut self, facts: &UpdateFacts) {
        self.shelf.put(facts);
        self.fleet.reach(self.shelf.places());
    }

    /// Takes every update out, before the whole catalog is put in again. Computers stay.
    pub fn clear_updates(&mut self) {
        self.shelf.clear();
    }

    /// Puts a computer in, or in the place of what was known of it. Without `states` it keeps what it had
    /// reported; states that are never reported are passed over, and of a repeated update the last counts.
    pub fn put_computer(
        &mut self,
        facts: ComputerFacts,
        states: Option<impl IntoIterator<Item = (UpdateId, UpdateState)>>,
    ) {
        let states = states.map(|states| {
            let mut list: Vec<State> = states
                .into_iter()
                .filter(|(_, state)| !matches!(state, UpdateState::Unknown | UpdateState::NotApplicable))
                .filter_map(|(update, state)| Some(State::new(self.shelf.place(update)?, state)))
                .collect();
            // Stable, so that of a repeated update the last stays last.
            list.sort_by_key(|state| state.place());
            list.reverse();
            list.dedup_by_key(|state| state.place());
            list.reverse();
            list
        });
        self.fleet.reach(self.shelf.places());
        self.fleet.put(facts, states);
    }

    /// Takes a computer out.
    pub fn remove_computer(&mut self, key: i64) {
        self.fleet.remove(key);
    }

    /// Works out what follows from catalog and decisions together, and puts titles in order.
    pub fn settle(&mut self, decisions: &Decisions) {
        self.arrange();
        let settled = self.shelf.settle(decisions);
        let mut counts: Vec<(i64, usize)> = settled.moments.iter().map(|at| (at, 0)).collect();
        for (place, since) in (0..).zip(settled.since.iter()) {
            if settled.counted.has(place)
                && let Some((_, count)) = counts.get_mut(*since as usize)
            {
                *count += 1;
            }
        }
        self.counted_since = Since::of(counts);
        self.fleet.settle(settled);
    }

    /// [`Index::settle`] when updates were put in and decisions are those of the last settling: it costs what was put
    /// in, however many updates there are. Titles are left for [`Index::arrange`].
    pub fn settle_new(&mut self, decisions: &Decisions) {
        let Some(settled) = self.shelf.settle_new(decisions) else { return self.settle(decisions) };
        for one in &settled {
            let before = self.fleet.counts(one.place).then(|| self.fleet.since(one.place));
            let now = one.counted.then_some(one.since);
            if before == now {
                continue;
            }
            if let Some(before) = before {
                self.counted_since.remove(before);
            }
            if let Some(now) = now {
                self.counted_since.add(now);
            }
        }
        self.fleet.settle_some(settled);
    }

    /// Puts titles in order, which lists need after [`Index::settle_new`], and gives memory back.
    pub fn arrange(&mut self) {
        self.shelf.arrange();
    }

    /// Whether there is nothing to arrange.
    #[must_use]
    pub fn is_arranged(&self) -> bool {
        self.shelf.is_arranged()
    }

    /// The computers whose groups fit.
    pub fn scope(&self, within: impl Fn(&Membership) -> bool) -> Scope {
        Scope::of(&self.fleet, within)
    }

    /// How many updates there are, categories and detectoids too.
    #[must_use]
    pub fn updates_len(&self) -> usize {
        self.shelf.sum().0 as usize
    }

    /// A sum over all updates and their newest revisions: with the same sum over what the owner has, it says
    /// whether the index has all of it and nothing else.
    #[must_use]
    pub fn updates_sum(&self) -> (u64, u64) {
        self.shelf.sum()
    }

    /// How many computers there are.
    #[must_use]
    pub fn computers_len(&self) -> usize {
        self.fleet.machines().len()
    }

    /// Bytes of memory that the updates and the computers take, counted from what they are made of.
    #[must_use]
    pub fn heap_bytes(&self) -> (usize, usize) {
        let updates = self.shelf.heap_bytes() + self.counted_since.heap_bytes();
        let (by_place, computers) = self.fleet.heap_bytes();
        (updates + by_place, computers)
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (u32, &Entry)> {
        self.shelf.entries()
    }

    pub(crate) fn entry(&self, place: u32) -> Option<&Entry> {
        self.shelf.entry(place)
    }

    pub(crate) fn place_of(&self, update: UpdateId) -> Option<u32> {
        self.shelf.find(update)
    }
}
