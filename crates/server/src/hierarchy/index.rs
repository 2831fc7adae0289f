//! The index of all revisions for downstream servers, built with each snapshot and never changed: sorted
//! by arrival, so that what is new since an anchor is found by binary search and a server with nothing new
//! costs next to nothing.
//!
//! A revision counts as arrived at the time of its import, but never before one that was committed earlier:
//! imports may take minutes, and clocks may be set back. The anchor of an answer is the arrival of the
//! newest revision in it and not the time of the call as on real servers (observed-behaviour 8), so that
//! what is committed but not published yet is never passed over. Servers do not read anchors.

use super::anchor::SyncAnchor;
use super::filter::{Question, Verdict, Wanted};
use sluicegate_catalog::ScanRecord;
use sluicegate_terms::{Anchor, RevisionId, Timestamp, UpdateId, UpdateIdentity, UpdateKind};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// A revision in the order of arrival. There are as many as revisions, so it says in numbers where the rest stands.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// Which of [`RevisionIndex::held`] it is.
    held: u32,
    /// Number of its set of categories.
    set: u32,
}

/// A revision by its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) identity: UpdateIdentity,
    pub(crate) id: RevisionId,
    /// Which of [`RevisionIndex::moments`] it arrived at.
    moment: u32,
}

/// All revisions as of one anchor.
#[derive(Debug, Default)]
pub(crate) struct RevisionIndex {
    anchor: Anchor,
    /// Every revision of categories and detectoids: real servers list older ones too (observed), where
    /// MS-WSUSSS 3.1.4.5 wants only the newest.
    categories: Vec<Entry>,
    /// The newest revision of every other update.
    updates: Vec<Entry>,
    /// The sets of categories that revisions stand in, with everything above them.
    sets: Vec<Box<[UpdateId]>>,
    /// When revisions arrived, in order; an import is one moment for all that it brings.
    moments: Vec<SyncAnchor>,
    /// Every revision, sorted by identity.
    held: Vec<Held>,
    /// Where in `held` the ids begin that have each beginning of two bytes: looking one up then misses the
    /// processor's caches once or twice, not at each step of a search through all of them.
    beginnings: Vec<u32>,
    /// Hash of a hardware id, and which of `updates` fits it; sorted.
    drivers: Vec<(u64, u32)>,
}

impl RevisionIndex {
    /// The anchor of an answer given now.
    pub(crate) fn anchor(&self) -> SyncAnchor {
        let newest = [&self.categories, &self.updates].into_iter().filter_map(|list| list.last());
        let at = newest.map(|entry| self.moment(entry).at).max().unwrap_or(0);
        SyncAnchor { at, change: self.anchor }
    }

    fn moment(&self, entry: &Entry) -> SyncAnchor {
        self.held.get(entry.held as usize).map(|held| self.arrival(held)).unwrap_or_default()
    }

    fn arrival(&self, held: &Held) -> SyncAnchor {
        self.moments.get(held.moment as usize).copied().unwrap_or_default()
    }

    /// The change a revision came with.
    pub(crate) fn arrived(&self, held: &Held) -> Anchor {
        self.arrival(held).change
    }

    /// How many revisions it has.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// The revision of this identity.
    pub(crate) fn find(&self, identity: UpdateIdentity) -> Option<Held> {
        let near = self.near(identity.update);
        let at = near.binary_search_by_key(&key(identity), |held| key(held.identity)).ok()?;
        near.get(at).copied()
    }

    /// The revisions whose updates' ids begin as this one's.
    fn near(&self, update: UpdateId) -> &[Held] {
        let begin = beginning(update);
        let place = |at: usize| self.beginnings.get(at).map(|place| *place as usize);
        let range = place(begin).zip(place(begin + 1));
        range.and_then(|(from, end)| self.held.get(from..end)).unwrap_or(&self.held)
    }

    /// The revisions of an update, oldest number first.
    pub(crate) fn revisions_of(&self, update: UpdateId) -> &[Held] {
        let near = self.near(update);
        let from = near.partition_point(|held| held.identity.update < update);
        let rest = near.get(from..).unwrap_or_default();
        rest.get(..rest.partition_point(|held| held.identity.update == update)).unwrap_or_default()
    }

    /// Answers a question: how many revisions at most, and which, in the order of arrival.
    pub(crate) fn select(&self, question: &Question) -> Selection<'_> {
        let list = if question.updates.is_some() { &self.updates } else { &self.categories };
        let new_from =
            question.since.map_or(0, |since| list.partition_point(|entry| self.moment(entry) <= since));
        let verdicts: Option<Vec<Verdict>> = match &question.updates {
            None | Some(Wanted::Everything) => None,
            Some(Wanted::Nothing) => return Selection { held: &[], old: &[], new: &[], verdicts: None },
            Some(wanted) => Some(self.sets.iter().map(|set| wanted.verdict(set)).collect()),
        };
        let (old, new) = list.split_at_checked(new_from).unwrap_or((list, &[]));
        // Nothing before the anchor is wanted unless some entry wants everything again.
        let again = verdicts.iter().flatten().any(|verdict| *verdict == Verdict::Everything);
        Selection { held: &self.held, old: if again { old } else { &[] }, new, verdicts }
    }

    /// The drivers that fit a hardware id, given in any letter case; and when each arrived.
    pub(crate) fn drivers_for(&self, hardware_id: &str) -> impl Iterator<Item = DriverRow<'_>> {
        let hash = hash_of(hardware_id);
        let from = self.drivers.partition_point(|(other, _)| *other < hash);
        let rest = self.drivers.get(from..).unwrap_or_default();
        rest.iter().take_while(move |(other, _)| *other == hash).filter_map(|(_, at)| {
            let entry = self.updates.get(usize::try_from(*at).ok()?)?;
            Some(DriverRow {
                identity: self.held.get(entry.held as usize)?.identity,
                arrived: self.moment(entry),
                categories: self.categories_of(entry),
            })
        })
    }

    fn categories_of(&self, entry: &Entry) -> &[UpdateId] {
        usize::try_from(entry.set).ok().and_then(|at| self.sets.get(at)).map_or(&[], AsRef::as_ref)
    }
}

/// A driver found by hardware id.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DriverRow<'a> {
    pub(crate) identity: UpdateIdentity,
    pub(crate) arrived: SyncAnchor,
    /// The categories it stands in.
    pub(crate) categories: &'a [UpdateId],
}

/// The answer to a question, not yet gone through.
#[derive(Debug)]
pub(crate) struct Selection<'a> {
    held: &'a [Held],
    /// Before the anchor.
    old: &'a [Entry],
    /// After it.
    new: &'a [Entry],
    /// By set of categories; `None` wants every new one.
    verdicts: Option<Vec<Verdict>>,
}

impl Selection<'_> {
    /// The revisions.
    pub(crate) fn iter(&self) -> impl Iterator<Item = UpdateIdentity> + '_ {
        let verdict = |entry: &Entry| match &self.verdicts {
            None => Verdict::Changes,
            Some(all) => {
                let at = usize::try_from(entry.set).ok();
                at.and_then(|at| all.get(at)).copied().unwrap_or(Verdict::Nothing)
            }
        };
        let again = self.old.iter().filter(move |entry| verdict(entry) == Verdict::Everything);
        let fresh = self.new.iter().filter(move |entry| verdict(entry) != Verdict::Nothing);
        again.chain(fresh).filter_map(|entry| Some(self.held.get(entry.held as usize)?.identity))
    }
}

/// A number of things of which there are never 2^32.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

const fn key(identity: UpdateIdentity) -> (UpdateId, u32) {
    (identity.update, identity.revision.get())
}

/// The first two bytes of an id.
fn beginning(update: UpdateId) -> usize {
    let [first, second, ..] = *update.0.as_bytes();
    usize::from(u16::from_be_bytes([first, second]))
}

/// Where the revisions begin whose updates' ids have each beginning, and where the last ones end.
fn beginnings(held: &[Held]) -> Vec<u32> {
    let mut places = vec![0; usize::from(u16::MAX) + 2];
    for held in held {
        if let Some(slot) = places.get_mut(beginning(held.identity.update) + 1) {
            *slot += 1;
        }
    }
    let mut sum = 0;
    for slot in &mut places {
        sum += *slot;
        *slot = sum;
    }
    places
}

fn hash_of(hardware_id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hardware_id.to_lowercase().hash(&mut hasher);
    hasher.finish()
}

/// A number below 2^31, which all revisions have, and a mark.
#[derive(Debug, Clone, Copy, Default)]
struct Place(u32);

impl Place {
    const fn new(number: u32, newest: bool) -> Self {
        Self(number << 1 | newest as u32)
    }

    const fn number(self) -> u32 {
        self.0 >> 1
    }

    const fn newest(self) -> bool {
        self.0 & 1 == 1
    }
}

/// Puts things in the order that says of each place which of them belongs there, without a second list of them.
fn put_in_order<T>(things: &mut [T], mut order: Vec<u32>) {
    for start in 0..order.len() {
        let mut at = start;
        // Along the ring of those that take each other's places, which ends where it began.
        while let Some(slot) = order.get_mut(at) {
            let from = std::mem::replace(slot, count(at)) as usize;
            if from == start || from >= things.len() || from == at {
                break;
            }
            things.swap(at, from);
            at = from;
        }
    }
}

/// What is known of a revision while the index is built, beside what is held of it.
#[derive(Debug, Clone, Copy)]
struct Row {
    set: u32,
    /// Which of [`IndexBuilder::ranges`] its hardware ids have, plus one; 0 when it has none.
    drivers: u32,
    config: bool,
    /// Downstream servers are told of it.
    listed: bool,
}

/// Makes a [`RevisionIndex`]. It stands in memory beside all rows of a snapshot, so what is held is put in order where
/// it is, and the rest is narrow.
#[derive(Debug, Default)]
pub(crate) struct IndexBuilder {
    /// Their moments are numbers of `arrivals` until all have come.
    held: Vec<Held>,
    rows: Vec<Row>,
    /// What came together has one.
    arrivals: Vec<(Anchor, Timestamp)>,
    /// Hashes of hardware ids.
    drivers: Vec<u64>,
    /// Those of one revision.
    ranges: Vec<(u32, u32)>,
    sets: Vec<Box<[UpdateId]>>,
    numbers: HashMap<Box<[UpdateId]>, u32>,
    /// What each category stands in itself, by its newest revision.
    parents: HashMap<UpdateId, (u32, u32)>,
}

impl IndexBuilder {
    /// One with room for so many revisions at once.
    pub(crate) fn with_room(revisions: usize) -> Self {
        let (held, rows) = (Vec::with_capacity(revisions), Vec::with_capacity(revisions));
        Self { held, rows, ..Self::default() }
    }

    /// Adds a revision; in any order.
    pub(crate) fn revision(&mut self, id: RevisionId, record: &ScanRecord, arrived: Anchor, at: Timestamp) {
        let clauses = record.prerequisites.iter().filter(|clause| clause.is_category);
        let mut categories: Vec<UpdateId> =
            clauses.flat_map(|clause| clause.any_of.iter().copied()).collect();
        categories.sort_unstable();
        categories.dedup();
        let set = self.number_of(categories);
        let config = matches!(record.kind, UpdateKind::Category | UpdateKind::Detectoid);
        if config {
            let number = record.identity.revision.get();
            let known = self.parents.entry(record.identity.update).or_insert((number, set));
            if number >= known.0 {
                *known = (number, set);
            }
        }
        let mut drivers = 0;
        if !record.drivers.is_empty() {
            let first = count(self.drivers.len());
            self.drivers.extend(record.drivers.iter().map(|entry| hash_of(&entry.hardware_id)));
            self.ranges.push((first, count(self.drivers.len())));
            drivers = count(self.ranges.len());
        }
        if self.arrivals.last() != Some(&(arrived, at)) {
            self.arrivals.push((arrived, at));
        }
        let moment = count(self.arrivals.len()).saturating_sub(1);
        self.held.push(Held { identity: record.identity, id, moment });
        self.rows.push(Row { set, drivers, config, listed: true });
    }

    /// The revision added last will be removed: nobody is told of it any more, and whoever was still gets it.
    pub(crate) fn not_listed(&mut self) {
        if let Some(row) = self.rows.last_mut() {
            row.listed = false;
        }
    }

    fn number_of(&mut self, categories: Vec<UpdateId>) -> u32 {
        let categories = categories.into_boxed_slice();
        if let Some(number) = self.numbers.get(&categories) {
            return *number;
        }
        let number = count(self.sets.len());
        self.sets.push(categories.clone());
        self.numbers.insert(categories, number);
        number
    }

    /// The index of what was added, as of `anchor`.
    pub(crate) fn finish(mut self, anchor: Anchor) -> RevisionIndex {
        let sets = (0..self.sets.len()).map(|set| self.with_all_above(set)).collect();
        let held = |at: u32| self.held.get(at as usize);
        let mut by_identity: Vec<u32> = (0..count(self.held.len())).collect();
        by_identity.sort_unstable_by_key(|at| held(*at).map(|held| key(held.identity)));
        let places = self.places(&by_identity);
        let mut by_arrival: Vec<u32> = (0..count(self.held.len())).collect();
        let arrival = |held: &Held| self.arrivals.get(held.moment as usize).copied().unwrap_or_default();
        by_arrival.sort_unstable_by_key(|at| held(*at).map(|held| (arrival(held).0, held.id)));
        let mut index = RevisionIndex { anchor, sets, ..RevisionIndex::default() };
        index.updates.reserve_exact(places.iter().filter(|place| place.newest()).count());
        let mut latest = i64::MIN;
        for at in by_arrival {
            let at = at as usize;
            let (Some(held), Some(row), Some(place)) =
                (self.held.get_mut(at), self.rows.get(at), places.get(at))
            else {
                continue;
            };
            let (change, time) = self.arrivals.get(held.moment as usize).copied().unwrap_or_default();
            latest = latest.max(SyncAnchor::new(time, change).at);
            let arrived = SyncAnchor { at: latest, change };
            if index.moments.last() != Some(&arrived) {
                index.moments.push(arrived);
            }
            held.moment = count(index.moments.len()).saturating_sub(1);
            if !row.listed {
                continue;
            }
            let entry = Entry { held: place.number(), set: row.set };
            if row.config {
                index.categories.push(entry);
            } else if place.newest() {
                let at = count(index.updates.len());
                index.updates.push(entry);
                let hashes = self.hashes(row);
                index.drivers.extend(hashes.iter().map(|hash| (*hash, at)));
            }
        }
        index.drivers.sort_unstable();
        index.drivers.dedup();
        index.drivers.shrink_to_fit();
        put_in_order(&mut self.held, by_identity);
        index.held = self.held;
        index.beginnings = beginnings(&index.held);
        index
    }

    /// Of each row, where it stands by identity, and whether it is the newest of its update.
    fn places(&self, by_identity: &[u32]) -> Vec<Place> {
        let mut places = vec![Place::default(); self.held.len()];
        let update = |at: &u32| self.held.get(*at as usize).map(|held| held.identity.update);
        let mut number = 0;
        for same in by_identity.chunk_by(|one, other| update(one) == update(other)) {
            let is_config = |at: u32| self.rows.get(at as usize).is_none_or(|row| row.config);
            let newest = same.iter().rev().find(|at| !is_config(**at));
            for at in same {
                if let Some(slot) = places.get_mut(*at as usize) {
                    *slot = Place::new(number, newest == Some(at));
                }
                number += 1;
            }
        }
        places
    }

    fn hashes(&self, row: &Row) -> &[u64] {
        let range = row.drivers.checked_sub(1).and_then(|number| self.ranges.get(number as usize));
        let (first, end) = range.copied().unwrap_or_default();
        self.drivers.get(first as usize..end as usize).unwrap_or_default()
    }

    /// A set of categories and whatever those stand in: a filter may name a product family.
    fn with_all_above(&self, set: usize) -> Box<[UpdateId]> {
        let mut open: Vec<UpdateId> = self.sets.get(set).map(|set| set.to_vec()).unwrap_or_default();
        let mut all: HashSet<UpdateId> = HashSet::new();
        while let Some(category) = open.pop() {
            if !all.insert(category) {
                continue;
            }
            let above = self.parents.get(&category).and_then(|(_, set)| usize::try_from(*set).ok());
            open.extend(above.and_then(|set| self.sets.get(set)).into_iter().flat_map(|set| set.iter()));
        }
        let mut all: Vec<UpdateId> = all.into_iter().collect();
        all.sort_unstable();
        all.into_boxed_slice()
    }
}
