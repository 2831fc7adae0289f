//! Browse: the index itself. Each update has a place for as long as the index lives; its columns are kept by
//! place. After a change of catalog or decisions the owner calls [`Index::settle`] once.

use crate::facts::{ComputerFacts, Membership, Reboot, Severity, UpdateFacts};
use crate::fleet::{Fleet, NEVER, State};
use crate::scope::Scope;
use crate::updates::ApprovalState;
use rustc_hash::FxHashMap;
use sluicegate_policy::{Decisions, EulaId, UpdateState};
use sluicegate_terms::{CategoryKind, RevisionId, Timestamp, UpdateId, UpdateKind};

/// One update's columns.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: UpdateId,
    pub(crate) newest: RevisionId,
    pub(crate) kind: UpdateKind,
    pub(crate) category_kind: Option<CategoryKind>,
    pub(crate) deployable: bool,
    pub(crate) expired: bool,
    pub(crate) severity: Severity,
    pub(crate) reboot: Reboot,
    pub(crate) eula: Option<EulaId>,
    pub(crate) created: Option<i64>,
    pub(crate) arrived: i64,
    first_arrived: i64,
    /// Places of categories.
    pub(crate) categories: Box<[u32]>,
    pub(crate) supersedes: Box<[u32]>,
    members: Box<[u32]>,
    pub(crate) search: Box<str>,
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

    /// Its title in lower case.
    pub(crate) fn title(&self) -> &str {
        self.search.lines().next().unwrap_or_default()
    }
}

/// The index. It answers for what it was told; it is for its owner to keep up.
#[derive(Debug, Default)]
pub struct Index {
    places: FxHashMap<UpdateId, u32>,
    /// By place; `None` is an update that something names and that is not in the catalog.
    entries: Vec<Option<Entry>>,
    pub(crate) fleet: Fleet,
    /// By place: whether the update counts in the figures of a computer.
    pub(crate) counted: Vec<bool>,
    /// When those that count came here, sorted.
    pub(crate) counted_since: Vec<i64>,
}

impl Index {
    /// Puts an update in, or in the place of what was known of it.
    pub fn put_update(&mut self, facts: UpdateFacts) {
        let places = |index: &mut Self, ids: &[UpdateId]| -> Box<[u32]> {
            ids.iter().filter_map(|id| index.place(*id)).collect()
        };
        let (categories, supersedes, members) =
            (places(self, &facts.categories), places(self, &facts.supersedes), places(self, &facts.members));
        let Some(place) = self.place(facts.update) else { return };
        let entry = Entry {
            id: facts.update,
            newest: facts.newest,
            kind: facts.kind,
            category_kind: facts.category_kind,
            deployable: facts.deployable,
            expired: facts.expired,
            severity: facts.severity,
            reboot: facts.reboot,
            eula: facts.eula,
            created: facts.created.map(Timestamp::ticks),
            arrived: facts.arrived.ticks(),
            first_arrived: facts.first_arrived.ticks(),
            categories,
            supersedes,
            members,
            search: facts.search.into_boxed_str(),
            approval: ApprovalState::Undecided,
            licence_open: false,
            superseded: false,
            bundled: false,
        };
        if let Some(slot) = self.entries.get_mut(place as usize) {
            *slot = Some(entry);
        }
    }

    /// Takes every update out, before the whole catalog is put in again. Computers stay.
    pub fn clear_updates(&mut self) {
        self.entries.iter_mut().for_each(|slot| *slot = None);
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
                .filter_map(|(update, state)| Some(State::new(self.place(update)?, state)))
                .collect();
            // Stable, so that of a repeated update the last stays last.
            list.sort_by_key(|state| state.place());
            list.reverse();
            list.dedup_by_key(|state| state.place());
            list.reverse();
            list
        });
        self.fleet.put(facts, states);
    }

    /// Takes a computer out.
    pub fn remove_computer(&mut self, key: i64) {
        self.fleet.remove(key);
    }

    /// Works out what follows from catalog and decisions together.
    pub fn settle(&mut self, decisions: &Decisions) {
        let mut superseded = vec![false; self.entries.len()];
        let mut bundled = vec![false; self.entries.len()];
        let mark = |marks: &mut Vec<bool>, places: &[u32]| {
            for place in places {
                if let Some(mark) = marks.get_mut(*place as usize) {
                    *mark = true;
                }
            }
        };
        for entry in self.entries.iter().flatten() {
            mark(&mut bundled, &entry.members);
            // What was declined replaces nothing (policy::Subject::superseded_by).
            if !decisions.declined.contains_key(&entry.id) {
                mark(&mut superseded, &entry.supersedes);
            }
        }
        for ((slot, superseded), bundled) in self.entries.iter_mut().zip(superseded).zip(bundled) {
            let Some(entry) = slot else { continue };
            entry.superseded = superseded;
            entry.bundled = bundled;
            entry.licence_open = entry.eula.is_some_and(|eula| !decisions.accepted.contains_key(&eula));
            entry.approval = if decisions.declined.contains_key(&entry.id) {
                ApprovalState::Declined
            } else {
                ApprovalState::Undecided
            };
        }
        for approval in decisions.approvals.values().filter(|approval| approval.action.deploys()) {
            if let Some(entry) = self.find_mut(approval.update)
                && entry.approval == ApprovalState::Undecided
            {
                entry.approval = ApprovalState::Approved;
            }
        }
        let restored = &decisions.restored;
        let since: Vec<i64> = self
            .entries
            .iter()
            .map(|slot| match slot {
                // Agents were not told of it while it was declined.
                Some(entry) => {
                    entry.first_arrived.max(restored.get(&entry.id).map_or(NEVER, |change| change.at.ticks()))
                }
                None => NEVER,
            })
            .collect();
        self.counted = self.entries.iter().map(|slot| slot.as_ref().is_some_and(Entry::counted)).collect();
        self.counted_since = since
            .iter()
            .zip(&self.counted)
            .filter(|(_, counted)| **counted)
            .map(|(since, _)| *since)
            .collect();
        self.counted_since.sort_unstable();
        self.fleet.set_since(since.into_iter());
    }

    /// The computers whose groups fit.
    pub fn scope(&self, within: impl Fn(&Membership) -> bool) -> Scope {
        Scope::of(&self.fleet, within)
    }

    /// How many updates there are, categories and detectoids too.
    #[must_use]
    pub fn updates_len(&self) -> usize {
        self.entries.iter().flatten().count()
    }

    /// A sum over all updates and their newest revisions: with the same sum over what the owner has, it says
    /// whether the index has all of it and nothing else.
    #[must_use]
    pub fn updates_sum(&self) -> (u64, u64) {
        self.entries
            .iter()
            .flatten()
            .fold((0, 0), |(count, sum), entry| (count + 1, sum + u64::from(entry.newest.get())))
    }

    /// How many computers there are.
    #[must_use]
    pub fn computers_len(&self) -> usize {
        self.fleet.machines().len()
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (u32, &Entry)> {
        (0..).zip(&self.entries).filter_map(|(place, slot)| Some((place, slot.as_ref()?)))
    }

    pub(crate) fn entry(&self, place: u32) -> Option<&Entry> {
        self.entries.get(place as usize)?.as_ref()
    }

    pub(crate) fn place_of(&self, update: UpdateId) -> Option<u32> {
        self.places.get(&update).copied()
    }

    fn find_mut(&mut self, update: UpdateId) -> Option<&mut Entry> {
        let place = *self.places.get(&update)?;
        self.entries.get_mut(place as usize)?.as_mut()
    }

    /// The place of an update, given to it now when it has none; `None` when all places are taken, which no
    /// catalog comes near.
    fn place(&mut self, update: UpdateId) -> Option<u32> {
        if let Some(place) = self.places.get(&update) {
            return Some(*place);
        }
        let place = u32::try_from(self.entries.len()).ok().filter(|place| *place < State::MOST_PLACES)?;
        self.places.insert(update, place);
        self.entries.push(None);
        self.fleet.reach(self.entries.len());
        Some(place)
    }
}
