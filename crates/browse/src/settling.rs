//! Browse: what follows from catalog and decisions together: what is decided about each update, what replaces or
//! bundles it, since when it counts. All of it is worked out anew when decisions changed; when only updates came,
//! as many places are looked at as there are new ones, however large the catalog.

use crate::bits::Bits;
use crate::moments::Moments;
use crate::paged::Paged;
use crate::shelf::{Entry, Shelf};
use crate::updates::ApprovalState;
use sluicegate_policy::Decisions;

/// When so large a part of all updates is new, everything is worked out anew: that is quicker then.
const LARGE_PART: usize = 4;

/// How many entries name an update. What so many name that they cannot be counted stays named until everything is
/// worked out anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Named {
    /// As superseded; those that were declined replace nothing (`policy::Subject::superseded_by`).
    superseded: u16,
    /// As a member of a bundle.
    bundled: u16,
}

const fn one_more(count: u16) -> u16 {
    count.saturating_add(1)
}

const fn one_less(count: u16) -> u16 {
    if count == u16::MAX { count } else { count.saturating_sub(1) }
}

/// What settling found out for the figures of computers.
#[derive(Debug)]
pub(crate) struct Settled {
    /// By place: when the update came here, as far as agents were told, as a number of `moments`.
    pub(crate) since: Paged<u32>,
    pub(crate) moments: Moments,
    /// The places of those that count in the figures of a computer.
    pub(crate) counted: Bits,
}

/// The same of one place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SettledOne {
    pub(crate) place: u32,
    pub(crate) since: i64,
    pub(crate) counted: bool,
}

impl Shelf {
    /// Works out everything.
    pub(crate) fn settle(&mut self, decisions: &Decisions) -> Settled {
        self.fresh = Vec::new();
        self.unnamed = Vec::new();
        self.ledger = None;
        self.decide_all(decisions);
        self.relate_all();
        let mut moments = self.moments.clone();
        let mut since = Paged::default();
        let mut counted = Bits::for_places(self.places());
        for (place, slot) in (0..).zip(self.entries.iter()) {
            since.push(slot.as_ref().map_or(Moments::NEVER, |entry| entry.first_arrived));
            if slot.as_ref().is_some_and(Entry::counted) {
                counted.set(place);
            }
        }
        for (update, change) in &decisions.restored {
            // Agents were not told of it while it was declined.
            if let Some(since) = self
                .find(*update)
                .filter(|place| self.entry(*place).is_some())
                .and_then(|place| since.get_mut(place))
            {
                *since = moments.number(change.at.ticks().max(moments.at(*since)));
            }
        }
        Settled { since, moments, counted }
    }

    /// Works out what follows from the entries that are new, with the decisions of the last settling. `None` when
    /// there are so many that everything is to be worked out.
    pub(crate) fn settle_new(&mut self, decisions: &Decisions) -> Option<Vec<SettledOne>> {
        if self.fresh.len() * LARGE_PART > self.sum().0 as usize {
            return None;
        }
        let mut fresh = core::mem::take(&mut self.fresh);
        fresh.sort_unstable();
        fresh.dedup();
        for place in &fresh {
            self.decide(*place, decisions);
            self.note_links(*place);
        }
        let mut places = core::mem::take(&mut self.unnamed);
        places.append(&mut fresh);
        places.sort_unstable();
        places.dedup();
        Some(places.into_iter().filter_map(|place| self.relate(place, decisions)).collect())
    }

    fn decide(&mut self, place: u32, decisions: &Decisions) {
        let Some(update) = self.id(place) else { return };
        let approval = if decisions.declined.contains_key(&update) {
            ApprovalState::Declined
        } else if decisions.approvals.of(update).any(|approval| approval.action.deploys()) {
            ApprovalState::Approved
        } else {
            ApprovalState::Undecided
        };
        let Some(Some(entry)) = self.entries.get_mut(place) else { return };
        let terms = entry.eula.checked_sub(1).and_then(|at| self.terms.get(at as usize));
        entry.licence_open = terms.is_some_and(|terms| !decisions.accepted.contains_key(terms));
        entry.approval = approval;
    }

    /// Counts what a decided entry names.
    fn note_links(&mut self, place: u32) {
        self.count_links(place, one_more);
        if let Some(Some(entry)) = self.entries.get_mut(place) {
            entry.settled = true;
        }
    }

    /// Takes back what [`Shelf::note_links`] counted; an entry is about to go.
    pub(crate) fn forget_links(&mut self, place: u32) {
        if self.entry(place).is_some_and(|entry| entry.settled) {
            self.count_links(place, one_less);
        }
    }

    fn count_links(&mut self, place: u32, step: fn(u16) -> u16) {
        let Some(entry) = self.entry(place) else { return };
        let (_, supersedes, members) = self.lists(entry);
        // What was declined replaces nothing.
        let supersedes = if entry.approval == ApprovalState::Declined { &[] } else { supersedes };
        let (supersedes, members) = (supersedes.to_vec(), members.to_vec());
        for (places, bundled) in [(supersedes, false), (members, true)] {
            for place in places {
                if let Some(named) = self.named.get_mut(place) {
                    let count = if bundled { &mut named.bundled } else { &mut named.superseded };
                    *count = step(*count);
                    self.unnamed.push(place);
                }
            }
        }
    }

    /// What follows for one place from what names it.
    fn relate(&mut self, place: u32, decisions: &Decisions) -> Option<SettledOne> {
        let restored = self.id(place).and_then(|update| decisions.restored.get(&update));
        let named = self.named.get(place).copied().unwrap_or_default();
        let first = self.first_arrived(self.entry(place)?);
        let since = restored.map_or(first, |change| change.at.ticks().max(first));
        let entry = self.entries.get_mut(place)?.as_mut()?;
        (entry.superseded, entry.bundled) = (named.superseded > 0, named.bundled > 0);
        let counted = entry.counted();
        self.enter_in_ledger(place);
        Some(SettledOne { place, since, counted })
    }

    fn decide_all(&mut self, decisions: &Decisions) {
        let mut open = vec![true; self.eulas.len() + 1];
        for number in core::iter::once(&0).chain(decisions.accepted.keys().filter_map(|e| self.eulas.get(e)))
        {
            if let Some(open) = open.get_mut(*number as usize) {
                *open = false;
            }
        }
        for entry in self.entries.iter_mut().flatten() {
            entry.licence_open = open.get(entry.eula as usize).copied().unwrap_or(false);
            entry.approval = ApprovalState::Undecided;
        }
        let mut last = None;
        for approval in decisions.approvals.values().filter(|approval| approval.action.deploys()) {
            // Those of one update stand together.
            if last.replace(approval.update) != Some(approval.update)
                && let Some(entry) = self.find_mut(approval.update)
            {
                entry.approval = ApprovalState::Approved;
            }
        }
        for update in decisions.declined.keys() {
            if let Some(entry) = self.find_mut(*update) {
                entry.approval = ApprovalState::Declined;
            }
        }
    }

    fn relate_all(&mut self) {
        let mut all = core::mem::take(&mut self.named);
        all.iter_mut().for_each(|named| *named = Named::default());
        for entry in self.entries.iter().flatten() {
            let (_, supersedes, members) = self.lists(entry);
            let supersedes = if entry.approval == ApprovalState::Declined { &[] } else { supersedes };
            for place in members {
                all.get_mut(*place).into_iter().for_each(|named| named.bundled = one_more(named.bundled));
            }
            for place in supersedes {
                all.get_mut(*place)
                    .into_iter()
                    .for_each(|named| named.superseded = one_more(named.superseded));
            }
        }
        for (slot, named) in self.entries.iter_mut().zip(all.iter()) {
            let Some(entry) = slot else { continue };
            (entry.superseded, entry.bundled) = (named.superseded > 0, named.bundled > 0);
            entry.settled = true;
        }
        self.named = all;
    }
}

impl Entry {
    /// Whether it counts in the figures of a computer.
    pub(crate) fn counted(&self) -> bool {
        self.listed() && self.approval != ApprovalState::Declined
    }
}
