//! Browse: what the catalog says of each update, by place. Whatever has many parts (texts, categories, what
//! is superseded or bundled) stands in arenas, and titles are compared once, not in each query: at a quarter
//! of a million updates a query goes over one flat table.

use crate::arena::{Arena, Span, shrink};
use crate::bits::Bits;
use crate::facts::{Reboot, Severity, UpdateFacts};
use crate::fleet::{NEVER, State};
use crate::places::Places;
use crate::updates::ApprovalState;
use rustc_hash::FxHashMap;
use sluicegate_policy::{Decisions, EulaId};
use sluicegate_terms::{CategoryKind, RevisionId, Timestamp, UpdateId, UpdateKind};

/// One update's columns.
#[derive(Debug)]
pub(crate) struct Entry {
    /// [`NEVER`] when it is not known.
    pub(crate) created: i64,
    pub(crate) arrived: i64,
    first_arrived: i64,
    pub(crate) newest: RevisionId,
    text: Span,
    /// Places: categories, then what it supersedes, then what it bundles.
    links: Span,
    categories: u32,
    supersedes: u32,
    /// Number of its licence terms; 0 for none.
    eula: u32,
    /// Its title among the titles, as of the last settling; equal titles have equal numbers.
    pub(crate) title: u32,
    pub(crate) kind: UpdateKind,
    pub(crate) category_kind: Option<CategoryKind>,
    pub(crate) deployable: bool,
    pub(crate) expired: bool,
    pub(crate) severity: Severity,
    pub(crate) reboot: Reboot,
    // What `settle` works out.
    pub(crate) approval: ApprovalState,
    pub(crate) licence_open: bool,
    pub(crate) superseded: bool,
    pub(crate) bundled: bool,
}

impl Entry {
    /// Whether lists show it: what people approve, which is neither a category nor a detectoid nor a part
    /// of a bundle.
    pub(crate) fn listed(&self) -> bool {
        matches!(self.kind, UpdateKind::Software | UpdateKind::Driver) && self.deployable && !self.bundled
    }

    /// Whether it counts in the figures of a computer.
    pub(crate) fn counted(&self) -> bool {
        self.listed() && self.approval != ApprovalState::Declined
    }

    /// When it was published, in ticks.
    pub(crate) fn created(&self) -> Option<i64> {
        Some(self.created).filter(|created| *created != NEVER)
    }

    /// Whether it supersedes anything.
    pub(crate) const fn supersedes(&self) -> bool {
        self.supersedes > 0
    }
}

/// The updates.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    places: Places,
    /// By place; `None` is an update that something names and that is not in the catalog.
    entries: Vec<Option<Entry>>,
    /// Titles and what else a search looks at.
    texts: Arena<u8>,
    links: Arena<u32>,
    eulas: FxHashMap<EulaId, u32>,
    /// Places of those with an entry, by title as of the last settling.
    by_title: Vec<u32>,
    /// Places that got another entry since.
    fresh: Vec<u32>,
}

/// What settling found out for the figures of computers.
#[derive(Debug)]
pub(crate) struct Settled {
    /// By place: when the update came here, as far as agents were told.
    pub(crate) since: Vec<i64>,
    /// The places of those that count in the figures of a computer.
    pub(crate) counted: Bits,
}

impl Shelf {
    /// How many places there are, with or without an entry.
    pub(crate) fn places(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (u32, &Entry)> {
        (0..).zip(&self.entries).filter_map(|(place, slot)| Some((place, slot.as_ref()?)))
    }

    pub(crate) fn entry(&self, place: u32) -> Option<&Entry> {
        self.entries.get(place as usize)?.as_ref()
    }

    pub(crate) fn id(&self, place: u32) -> Option<UpdateId> {
        self.places.id(place)
    }

    pub(crate) fn find(&self, update: UpdateId) -> Option<u32> {
        self.places.find(update)
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
    fn lists(&self, entry: &Entry) -> (&[u32], &[u32], &[u32]) {
        let nothing: (&[u32], &[u32]) = Default::default();
        let all = self.links.get(entry.links);
        let (categories, rest) = all.split_at_checked(entry.categories as usize).unwrap_or(nothing);
        let (supersedes, members) = rest.split_at_checked(entry.supersedes as usize).unwrap_or(nothing);
        (categories, supersedes, members)
    }

    fn find_mut(&mut self, update: UpdateId) -> Option<&mut Entry> {
        let place = self.places.find(update)?;
        self.entries.get_mut(place as usize)?.as_mut()
    }

    /// The place of an update, given to it now when it has none; `None` when all places are taken, which no
    /// catalog comes near.
    pub(crate) fn place(&mut self, update: UpdateId) -> Option<u32> {
        if let Some(place) = self.places.find(update) {
            return Some(place);
        }
        let place = self.places.add(update, State::MOST_PLACES)?;
        self.entries.push(None);
        Some(place)
    }

    pub(crate) fn put(&mut self, facts: &UpdateFacts) {
        let mut links = Vec::with_capacity(8);
        let mut put = |shelf: &mut Self, ids: &[UpdateId]| {
            let before = links.len();
            links.extend(ids.iter().filter_map(|id| shelf.place(*id)));
            (links.len() - before) as u32
        };
        let categories = put(self, &facts.categories);
        let supersedes = put(self, &facts.supersedes);
        put(self, &facts.members);
        let Some(place) = self.place(facts.update) else { return };
        if let Some(Some(old)) = self.entries.get(place as usize) {
            self.texts.free(old.text);
            self.links.free(old.links);
        }
        let next_eula = self.eulas.len() as u32 + 1;
        let entry = Entry {
            created: facts.created.map_or(NEVER, Timestamp::ticks),
            arrived: facts.arrived.ticks(),
            first_arrived: facts.first_arrived.ticks(),
            newest: facts.newest,
            text: self.texts.add(facts.search.as_bytes()).unwrap_or_default(),
            links: self.links.add(&links).unwrap_or_default(),
            categories,
            supersedes,
            eula: facts.eula.map_or(0, |eula| *self.eulas.entry(eula).or_insert(next_eula)),
            title: u32::MAX,
            kind: facts.kind,
            category_kind: facts.category_kind,
            deployable: facts.deployable,
            expired: facts.expired,
            severity: facts.severity,
            reboot: facts.reboot,
            approval: ApprovalState::Undecided,
            licence_open: false,
            superseded: false,
            bundled: false,
        };
        if let Some(slot) = self.entries.get_mut(place as usize) {
            *slot = Some(entry);
            self.fresh.push(place);
        }
    }

    /// Takes every entry out; places stay.
    pub(crate) fn clear(&mut self) {
        self.entries.iter_mut().for_each(|slot| *slot = None);
        self.texts.clear();
        self.links.clear();
        self.by_title.clear();
        self.fresh.clear();
    }

    /// Works out what follows from catalog and decisions together.
    pub(crate) fn settle(&mut self, decisions: &Decisions) -> Settled {
        if !self.fresh.is_empty() {
            self.texts.tidy(self.entries.iter_mut().flatten().map(|entry| &mut entry.text));
            self.links.tidy(self.entries.iter_mut().flatten().map(|entry| &mut entry.links));
            shrink(&mut self.entries);
            self.order_titles();
        }
        self.decide(decisions);
        self.relate();
        let mut settled =
            Settled { since: vec![NEVER; self.places()], counted: Bits::for_places(self.places()) };
        for ((place, slot), since) in (0..).zip(&self.entries).zip(&mut settled.since) {
            let Some(entry) = slot else { continue };
            *since = entry.first_arrived;
            if entry.counted() {
                settled.counted.set(place);
            }
        }
        for (update, change) in &decisions.restored {
            // Agents were not told of it while it was declined.
            if let Some(since) = self
                .find(*update)
                .filter(|place| self.entry(*place).is_some())
                .and_then(|place| settled.since.get_mut(place as usize))
            {
                *since = change.at.ticks().max(*since);
            }
        }
        settled
    }

    fn decide(&mut self, decisions: &Decisions) {
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

    fn relate(&mut self) {
        let mut superseded = Bits::for_places(self.places());
        let mut bundled = Bits::for_places(self.places());
        for entry in self.entries.iter().flatten() {
            let (_, supersedes, members) = self.lists(entry);
            members.iter().for_each(|place| bundled.set(*place));
            // What was declined replaces nothing (policy::Subject::superseded_by).
            if entry.approval != ApprovalState::Declined {
                supersedes.iter().for_each(|place| superseded.set(*place));
            }
        }
        for (place, slot) in (0..).zip(&mut self.entries) {
            let Some(entry) = slot else { continue };
            entry.superseded = superseded.has(place);
            entry.bundled = bundled.has(place);
        }
    }

    /// Numbers the titles in their order.
    fn order_titles(&mut self) {
        let mut fresh = Bits::for_places(self.places());
        self.fresh.iter().for_each(|place| fresh.set(*place));
        self.by_title.retain(|place| !fresh.has(*place));
        self.fresh.sort_unstable();
        self.fresh.dedup();
        self.by_title.append(&mut self.fresh);
        self.fresh = Vec::new();
        let title = |place: u32| {
            let text = self.entry(place).map(|entry| self.text(entry)).unwrap_or_default();
            text.split(|byte| *byte == b'\n').next().unwrap_or_default()
        };
        let mut titles: Vec<(&[u8], u32)> =
            self.by_title.iter().map(|place| (title(*place), *place)).collect();
        // Stable, because that is quick where most are in order already.
        titles.sort_by_key(|(title, _)| *title);
        let mut numbers = Vec::with_capacity(titles.len());
        let (mut number, mut last) = (0_u32, None);
        for (title, place) in titles {
            number += u32::from(last.replace(title).is_some_and(|last| last != title));
            numbers.push((place, number));
        }
        for (place, number) in &numbers {
            if let Some(Some(entry)) = self.entries.get_mut(*place as usize) {
                entry.title = *number;
            }
        }
        self.by_title = numbers.into_iter().map(|(place, _)| place).collect();
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let eula = size_of::<(EulaId, u32)>() + 1;
        self.places.heap_bytes()
            + self.entries.capacity() * size_of::<Option<Entry>>()
            + self.texts.heap_bytes()
            + self.links.heap_bytes()
            + self.eulas.capacity() * eula
            + (self.by_title.capacity() + self.fresh.capacity()) * size_of::<u32>()
    }
}
