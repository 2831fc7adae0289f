//! Browse: what the catalog says of each update, by place. Whatever has many parts (texts, categories, what
//! is superseded or bundled) stands in arenas, and titles are compared once, not in each query: at a quarter
//! of a million updates a query goes over one flat table. There are as many entries as updates, so they are narrow.

use crate::facts::{Reboot, Severity, UpdateFacts};
use crate::fleet::{NEVER, State};
use crate::ledger::{Ledger, Line};
use crate::lists::{Links, Texts};
use crate::moments::Moments;
use crate::paged::Paged;
use crate::places::Places;
use crate::settling::Named;
use crate::updates::ApprovalState;
use rustc_hash::FxHashMap;
use sluicegate_policy::EulaId;
use sluicegate_terms::{CategoryKind, RevisionId, Timestamp, UpdateId, UpdateKind};

/// One update's columns.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Ticks, as bytes so that nothing has to be aligned to them; [`NEVER`] when it is not known.
    created: [u8; 8],
    /// Numbers of [`Shelf::moments`].
    arrived: u32,
    pub(crate) first_arrived: u32,
    pub(crate) newest: RevisionId,
    /// Where its text and its links begin.
    text: u32,
    links: u32,
    /// Number of its licence terms; 0 for none.
    pub(crate) eula: u32,
    /// Its title among the titles, as of the last arranging; equal titles have equal numbers.
    pub(crate) title: u32,
    pub(crate) kind: UpdateKind,
    pub(crate) category_kind: Option<CategoryKind>,
    /// What the document says and takes one bit.
    traits: u8,
    pub(crate) severity: Severity,
    pub(crate) reboot: Reboot,
    // What `settle` works out.
    pub(crate) approval: ApprovalState,
    pub(crate) licence_open: bool,
    pub(crate) superseded: bool,
    pub(crate) bundled: bool,
    /// What it supersedes and bundles counts in `Shelf::named`.
    pub(crate) settled: bool,
    /// How the ledger has it.
    pub(crate) line: Line,
}

const DEPLOYABLE: u8 = 1;
const EXPIRED: u8 = 2;
const SUPERSEDES: u8 = 4;

impl Entry {
    /// Whether lists show it: what people approve, which is neither a category nor a detectoid nor a part
    /// of a bundle.
    pub(crate) fn listed(&self) -> bool {
        matches!(self.kind, UpdateKind::Software | UpdateKind::Driver)
            && self.traits & DEPLOYABLE != 0
            && !self.bundled
    }

    /// When it was published, in ticks; [`NEVER`] when that is not known.
    pub(crate) const fn created_or_never(&self) -> i64 {
        i64::from_le_bytes(self.created)
    }

    /// When it was published, in ticks.
    pub(crate) fn created(&self) -> Option<i64> {
        Some(self.created_or_never()).filter(|created| *created != NEVER)
    }

    /// Whether its publisher let it expire.
    pub(crate) const fn expired(&self) -> bool {
        self.traits & EXPIRED != 0
    }

    /// Whether it supersedes anything.
    pub(crate) const fn supersedes(&self) -> bool {
        self.traits & SUPERSEDES != 0
    }
}

/// The updates.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    places: Places,
    /// By place; `None` is an update that something names and that is not in the catalog.
    pub(crate) entries: Paged<Option<Entry>>,
    /// When revisions arrived.
    pub(crate) moments: Moments,
    /// Titles and what else a search looks at.
    pub(crate) texts: Texts,
    links: Links,
    /// Numbers of licence terms, and the terms by their number less one.
    pub(crate) eulas: FxHashMap<EulaId, u32>,
    pub(crate) terms: Vec<EulaId>,
    /// Places of those with an entry, by title as of the last arranging.
    pub(crate) by_title: Vec<u32>,
    /// Places that got another entry since.
    pub(crate) untitled: Vec<u32>,
    /// Places that got another entry since the last settling.
    pub(crate) fresh: Vec<u32>,
    /// By place: how many entries that are settled name it.
    pub(crate) named: Paged<Named>,
    /// Places that such entries named before they were replaced, since the last settling.
    pub(crate) unnamed: Vec<u32>,
    /// How many entries there are, and the sum of their newest revisions.
    sum: (u64, u64),
    pub(crate) ledger: Option<Ledger>,
}

impl Shelf {
    /// How many places there are, with or without an entry.
    pub(crate) fn places(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (u32, &Entry)> {
        (0..).zip(self.entries.iter()).filter_map(|(place, slot)| Some((place, slot.as_ref()?)))
    }

    pub(crate) fn entry(&self, place: u32) -> Option<&Entry> {
        self.entries.get(place)?.as_ref()
    }

    pub(crate) fn id(&self, place: u32) -> Option<UpdateId> {
        self.places.id(place)
    }

    pub(crate) fn find(&self, update: UpdateId) -> Option<u32> {
        self.places.find(update)
    }

    /// When its newest revision arrived, in ticks.
    pub(crate) fn arrived(&self, entry: &Entry) -> i64 {
        self.moments.at(entry.arrived)
    }

    /// When its first revision arrived, in ticks.
    pub(crate) fn first_arrived(&self, entry: &Entry) -> i64 {
        self.moments.at(entry.first_arrived)
    }

    /// In lower case, one thing a line, the title first.
    pub(crate) fn text(&self, entry: &Entry) -> &[u8] {
        self.texts.get(entry.text)
    }

    /// Places of the categories it stands under.
    pub(crate) fn categories(&self, entry: &Entry) -> &[u32] {
        self.lists(entry).0
    }

    /// Categories, what is superseded, what is bundled.
    pub(crate) fn lists(&self, entry: &Entry) -> (&[u32], &[u32], &[u32]) {
        self.links.get(entry.links)
    }

    /// How many entries there are, and the sum of their newest revisions.
    pub(crate) const fn sum(&self) -> (u64, u64) {
        self.sum
    }

    pub(crate) fn find_mut(&mut self, update: UpdateId) -> Option<&mut Entry> {
        let place = self.places.find(update)?;
        self.entries.get_mut(place)?.as_mut()
    }

    /// The place of an update, given to it now when it has none; `None` when all places are taken, which no
    /// catalog comes near.
    pub(crate) fn place(&mut self, update: UpdateId) -> Option<u32> {
        if let Some(place) = self.places.find(update) {
            return Some(place);
        }
        let place = self.places.add(update, State::MOST_PLACES)?;
        self.entries.push(None);
        self.named.push(Named::default());
        Some(place)
    }

    pub(crate) fn put(&mut self, facts: &UpdateFacts) {
        let mut links = Vec::with_capacity(8);
        let mut put = |shelf: &mut Self, ids: &[UpdateId]| {
            let before = links.len();
            links.extend(ids.iter().filter_map(|id| shelf.place(*id)));
            links.len() - before
        };
        let categories = put(self, &facts.categories);
        let supersedes = put(self, &facts.supersedes);
        put(self, &facts.members);
        let Some(place) = self.place(facts.update) else { return };
        self.take_out(place);
        let eula = facts.eula.map_or(0, |eula| self.number_of(eula));
        let entry = Entry {
            created: facts.created.map_or(NEVER, Timestamp::ticks).to_le_bytes(),
            first_arrived: self.moments.number(facts.first_arrived.ticks()),
            arrived: self.moments.number(facts.arrived.ticks()),
            newest: facts.newest,
            text: self.texts.add(facts.search.as_bytes()),
            links: self.links.add(&links, categories, supersedes),
            eula,
            title: u32::MAX,
            kind: facts.kind,
            category_kind: facts.category_kind,
            traits: (u8::from(facts.deployable) * DEPLOYABLE)
                | (u8::from(facts.expired) * EXPIRED)
                | (u8::from(supersedes > 0) * SUPERSEDES),
            severity: facts.severity,
            reboot: facts.reboot,
            approval: ApprovalState::Undecided,
            licence_open: false,
            superseded: false,
            bundled: false,
            settled: false,
            line: Line::None,
        };
        if let Some(slot) = self.entries.get_mut(place) {
            self.sum = (self.sum.0 + 1, self.sum.1 + u64::from(entry.newest.get()));
            *slot = Some(entry);
            self.fresh.push(place);
            self.untitled.push(place);
        }
    }

    fn number_of(&mut self, eula: EulaId) -> u32 {
        let next = self.terms.len() as u32 + 1;
        let number = *self.eulas.entry(eula).or_insert(next);
        if number == next {
            self.terms.push(eula);
        }
        number
    }

    /// Takes the entry out that another comes in the place of, with all that follows from it.
    fn take_out(&mut self, place: u32) {
        self.forget_links(place);
        let Some(old) = self.entries.get_mut(place).and_then(Option::take) else { return };
        self.texts.free(old.text);
        self.links.free(old.links);
        self.sum = (self.sum.0.saturating_sub(1), self.sum.1.saturating_sub(u64::from(old.newest.get())));
        match &mut self.ledger {
            // Other updates may stand under other categories now.
            Some(_) if old.category_kind.is_some() => self.ledger = None,
            Some(ledger) => ledger.change(old.line, Line::None),
            None => {}
        }
    }

    /// Takes every entry out; places stay.
    pub(crate) fn clear(&mut self) {
        self.entries.iter_mut().for_each(|slot| *slot = None);
        self.named.iter_mut().for_each(|named| *named = Named::default());
        self.moments.clear();
        self.texts.clear();
        self.links.clear();
        self.by_title.clear();
        self.untitled.clear();
        self.fresh.clear();
        self.unnamed.clear();
        self.sum = (0, 0);
        self.ledger = None;
    }

    /// Moves texts and links together where much of them is not used any more.
    pub(crate) fn tidy(&mut self) {
        self.texts.tidy(self.entries.iter_mut().flatten().map(|entry| &mut entry.text));
        self.links.tidy(self.entries.iter_mut().flatten().map(|entry| &mut entry.links));
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let eula = size_of::<(EulaId, u32)>() + 1;
        self.places.heap_bytes()
            + self.entries.heap_bytes()
            + self.moments.heap_bytes()
            + self.texts.heap_bytes()
            + self.links.heap_bytes()
            + self.eulas.capacity() * eula
            + self.named.heap_bytes()
            + (self.by_title.capacity() + self.untitled.capacity() + self.fresh.capacity()) * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_stays_narrow() {
        assert_eq!(size_of::<Option<Entry>>(), 48);
    }
}
