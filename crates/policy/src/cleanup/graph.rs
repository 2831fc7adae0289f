//! Cleanup: the catalog as cleanup looks at it: which revision refers to which update. Built as revisions
//! stream by, so that their records need not be kept.

use sluicegate_terms::{RevisionId, Timestamp, UpdateId, UpdateIdentity, UpdateKind};
use std::collections::{BTreeSet, HashMap, HashSet};

/// One revision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RevisionFacts<'a> {
    /// Its id.
    pub id: RevisionId,
    /// Which revision of which update.
    pub identity: UpdateIdentity,
    /// What it is.
    pub kind: UpdateKind,
    /// Administrators can approve it.
    pub deployable: bool,
    /// Its publisher withdrew it.
    pub expired: bool,
    /// When it came.
    pub arrived_at: Timestamp,
    /// The updates it names as prerequisites.
    pub prerequisites: &'a [UpdateId],
    /// The revisions it bundles.
    pub members: &'a [UpdateIdentity],
    /// The updates it supersedes.
    pub supersedes: &'a [UpdateId],
}

/// No row.
const NONE: u32 = u32::MAX;

/// One revision as it is kept here; there are as many as revisions, so what differs in length stands elsewhere.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) id: RevisionId,
    pub(super) number: u32,
    pub(super) arrived_at: Timestamp,
    pub(super) kind: UpdateKind,
    pub(super) deployable: bool,
    pub(super) expired: bool,
    /// The next newer revision of its update.
    newer: u32,
    /// Where in [`Graph::edges`] what it refers to begins: prerequisites, members (two words each), what it supersedes;
    /// and how many words each take.
    edges: usize,
    prerequisites: u32,
    members: u32,
    supersedes: u32,
}

/// The revisions of one update, as rows: the oldest number and the newest; [`NONE`] for an update that is only named.
#[derive(Clone, Copy, Debug)]
struct Ends {
    oldest: u32,
    newest: u32,
}

/// All revisions and what they refer to. Everything is in few long lists: a catalog has a row in them for each revision.
#[derive(Debug, Default)]
pub struct Graph {
    numbers: HashMap<UpdateId, u32>,
    updates: Vec<UpdateId>,
    /// In the order in which they came; those that were taken out stay and are linked to no more.
    rows: Vec<Row>,
    /// What rows refer to, updates by their numbers.
    edges: Vec<u32>,
    /// By update.
    ends: Vec<Ends>,
    /// By update, how many revisions name it as a prerequisite.
    named: Vec<u32>,
    newest_id: Option<RevisionId>,
}

/// What else changes when a revision is removed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Dropped {
    /// Updates that no revision names as a prerequisite any more: they are leaves now.
    pub unnamed: Vec<UpdateId>,
    /// Members that no revision of this bundle has any more.
    pub members: Vec<UpdateId>,
}

impl Graph {
    /// Adds a revision; in any order.
    pub fn revision(&mut self, facts: &RevisionFacts<'_>) {
        let edges = self.edges.len();
        for update in facts.prerequisites {
            let update = self.number(*update);
            self.edges.push(update);
        }
        for member in facts.members {
            let update = self.number(member.update);
            self.edges.extend([update, member.revision.get()]);
        }
        for update in facts.supersedes {
            let update = self.number(*update);
            self.edges.push(update);
        }
        let words = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let row = Row {
            id: facts.id,
            number: facts.identity.revision.get(),
            arrived_at: facts.arrived_at,
            kind: facts.kind,
            deployable: facts.deployable,
            expired: facts.expired,
            newer: NONE,
            edges,
            prerequisites: words(facts.prerequisites.len()),
            members: words(facts.members.len() * 2),
            supersedes: words(facts.supersedes.len()),
        };
        self.newest_id = self.newest_id.max(Some(facts.id));
        for named in distinct(self.prerequisites(&row)) {
            if let Some(count) = self.named.get_mut(named as usize) {
                *count += 1;
            }
        }
        let update = self.number(facts.identity.update);
        self.link(update, row);
    }

    /// Puts a row among those of its update, which are in the order of their numbers.
    fn link(&mut self, update: u32, mut row: Row) {
        let before =
            self.places(update).take_while(|at| self.row(*at).is_some_and(|r| r.number < row.number));
        let before = before.last();
        let place = u32::try_from(self.rows.len()).unwrap_or(NONE);
        let Some(ends) = self.ends.get_mut(update as usize) else { return };
        let link = match before.and_then(|at| self.rows.get_mut(at as usize)) {
            Some(before) => &mut before.newer,
            None => &mut ends.oldest,
        };
        row.newer = std::mem::replace(link, place);
        if row.newer == NONE {
            ends.newest = place;
        }
        self.rows.push(row);
    }

    /// Takes a row out of those of its update.
    fn unlink(&mut self, update: u32, place: u32) {
        let before = self.places(update).take_while(|at| *at != place).last();
        let newer = self.row(place).map_or(NONE, |row| row.newer);
        let Some(ends) = self.ends.get_mut(update as usize) else { return };
        match before.and_then(|at| self.rows.get_mut(at as usize)) {
            Some(before) => before.newer = newer,
            None => ends.oldest = newer,
        }
        if newer == NONE {
            ends.newest = before.unwrap_or(NONE);
        }
    }

    /// The highest revision id: what came later is not in here.
    #[must_use]
    pub fn newest_id(&self) -> Option<RevisionId> {
        self.newest_id
    }

    fn number(&mut self, update: UpdateId) -> u32 {
        let next = u32::try_from(self.updates.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(update).or_insert(next);
        if number == next {
            self.updates.push(update);
            self.ends.push(Ends { oldest: NONE, newest: NONE });
            self.named.push(0);
        }
        number
    }

    /// The revisions of an update, oldest number first.
    pub fn revisions_of(&self, update: UpdateId) -> impl Iterator<Item = (RevisionId, u32)> + '_ {
        let at = self.numbers.get(&update).copied();
        at.into_iter().flat_map(|at| self.rows(at)).map(|row| (row.id, row.number))
    }

    /// What the newest revision of an update names as prerequisites, and what it bundles.
    #[must_use]
    pub fn surroundings(&self, update: UpdateId) -> (Vec<UpdateId>, Vec<UpdateId>) {
        let newest = self.numbers.get(&update).and_then(|at| self.newest(*at));
        let Some(newest) = newest else { return (Vec::new(), Vec::new()) };
        let needs = self.prerequisites(newest).iter().map(|number| self.update(*number)).collect();
        let members = self.members_of(newest).map(|(number, _)| self.update(number)).collect();
        (needs, members)
    }

    /// Takes a revision out, as it is removed, and says what that changes for others.
    pub fn forget(&mut self, update: UpdateId, revision: RevisionId) -> Dropped {
        let mut dropped = Dropped::default();
        let Some(at) = self.numbers.get(&update).copied() else { return dropped };
        let found = self.places(at).find(|place| self.row(*place).is_some_and(|row| row.id == revision));
        let Some(place) = found else { return dropped };
        self.unlink(at, place);
        let Some(row) = self.row(place) else { return dropped };
        let names = distinct(self.prerequisites(row));
        let left: HashSet<u32> =
            self.rows(at).flat_map(|row| self.members_of(row)).map(|(member, _)| member).collect();
        let members: BTreeSet<u32> =
            self.members_of(row).map(|(member, _)| member).filter(|member| !left.contains(member)).collect();
        dropped.members = members.into_iter().map(|member| self.update(member)).collect();
        for named in names {
            if let Some(count) = self.named.get_mut(named as usize) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    dropped.unnamed.push(self.updates.get(named as usize).copied().unwrap_or_default());
                }
            }
        }
        dropped
    }

    pub(super) fn update(&self, number: u32) -> UpdateId {
        self.updates.get(number as usize).copied().unwrap_or_default()
    }

    fn row(&self, place: u32) -> Option<&Row> {
        self.rows.get(place as usize)
    }

    /// Where the rows of an update are, oldest number first.
    fn places(&self, update: u32) -> impl Iterator<Item = u32> + '_ {
        let oldest = self.ends.get(update as usize).map_or(NONE, |ends| ends.oldest);
        let some = |place: u32| Some(place).filter(|place| *place != NONE);
        std::iter::successors(some(oldest), move |place| some(self.row(*place)?.newer))
    }

    /// The revisions of an update, oldest number first.
    pub(super) fn rows(&self, update: u32) -> impl Iterator<Item = &Row> {
        self.places(update).filter_map(|place| self.row(place))
    }

    pub(super) fn newest(&self, update: u32) -> Option<&Row> {
        self.row(self.ends.get(update as usize)?.newest)
    }

    /// The updates that have revisions, with the newest of each.
    pub(super) fn present(&self) -> impl Iterator<Item = (u32, UpdateId, &Row)> {
        (0_u32..).zip(&self.updates).filter_map(|(at, update)| Some((at, *update, self.newest(at)?)))
    }

    fn words(&self, row: &Row, skip: u32, count: u32) -> &[u32] {
        let from = row.edges + skip as usize;
        self.edges.get(from..from + count as usize).unwrap_or_default()
    }

    /// The updates that a revision names as prerequisites.
    pub(super) fn prerequisites(&self, row: &Row) -> &[u32] {
        self.words(row, 0, row.prerequisites)
    }

    /// Update and revision number of each revision that it bundles.
    pub(super) fn members_of(&self, row: &Row) -> impl Iterator<Item = (u32, u32)> + use<'_> {
        let pairs = self.words(row, row.prerequisites, row.members).chunks_exact(2);
        pairs.filter_map(|pair| if let [update, number] = pair { Some((*update, *number)) } else { None })
    }

    /// The updates that it supersedes.
    pub(super) fn supersedes(&self, row: &Row) -> &[u32] {
        self.words(row, row.prerequisites + row.members, row.supersedes)
    }

    /// The updates it cannot be without.
    pub(super) fn needs(&self, row: &Row) -> impl Iterator<Item = u32> + use<'_> {
        self.prerequisites(row).iter().copied().chain(self.members_of(row).map(|(update, _)| update))
    }
}

fn distinct(numbers: &[u32]) -> BTreeSet<u32> {
    numbers.iter().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_terms::{Guid, RevisionNumber};

    #[test]
    fn a_row_stays_narrow() {
        assert_eq!(size_of::<Row>(), 48);
    }

    #[test]
    fn revisions_are_in_the_order_of_their_numbers_however_they_come_and_go() {
        let update = UpdateId(Guid::from_u128(1));
        let id = |number: u32| RevisionId::new(i64::from(1_000 - number)).unwrap();
        let add = |graph: &mut Graph, number: u32| {
            graph.revision(&RevisionFacts {
                id: id(number),
                identity: UpdateIdentity {
                    update,
                    revision: RevisionNumber::new(i64::from(number)).unwrap(),
                },
                kind: UpdateKind::Software,
                deployable: true,
                expired: false,
                arrived_at: Timestamp::MIN,
                prerequisites: &[],
                members: &[],
                supersedes: &[],
            });
        };
        let mut graph = Graph::default();
        [4, 2, 9, 1, 5].into_iter().for_each(|number| add(&mut graph, number));
        let numbers =
            |graph: &Graph| graph.revisions_of(update).map(|(_, number)| number).collect::<Vec<_>>();
        let newest = |graph: &Graph| graph.newest(0).map(|row| row.number);
        assert_eq!((numbers(&graph), newest(&graph)), (vec![1, 2, 4, 5, 9], Some(9)));
        for (gone, left, new) in [(4, vec![1, 2, 5, 9], 9), (9, vec![1, 2, 5], 5), (1, vec![2, 5], 5)] {
            graph.forget(update, id(gone));
            graph.forget(update, id(gone));
            assert_eq!((numbers(&graph), newest(&graph)), (left, Some(new)), "without {gone}");
        }
        add(&mut graph, 7);
        [2, 5].into_iter().for_each(|number| drop(graph.forget(update, id(number))));
        assert_eq!((numbers(&graph), newest(&graph)), (vec![7], Some(7)));
        graph.forget(update, id(7));
        assert_eq!((numbers(&graph), newest(&graph), graph.present().count()), (vec![], None, 0));
        add(&mut graph, 3);
        assert_eq!((numbers(&graph), newest(&graph)), (vec![3], Some(3)));
    }
}
