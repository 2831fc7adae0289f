//! Browse: updates, filtered, in order, with the counts of their states.

use crate::bits::Bits;
use crate::categories::Branch;
use crate::counts::StateCounts;
use crate::filters::{ApprovalFilter, StatusFilter, UpdateQuery, UpdateSort};
use crate::index::Index;
use crate::page::{Page, cut};
use crate::scope::{Audience, Scope, counts_by_scope};
use crate::shelf::{Entry, Shelf};
use crate::words::Words;
use sluicegate_policy::{Decisions, UpdateState};
use sluicegate_terms::{GroupId, RevisionId, Timestamp, UpdateId};

/// What is decided about an update.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ApprovalState {
    /// Nothing.
    Undecided,
    /// To install or to remove it, for at least one group.
    Approved,
    /// Not to have it.
    Declined,
}

impl ApprovalState {
    /// The word the admin API uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undecided => "unapproved",
            Self::Approved => "approved",
            Self::Declined => "declined",
        }
    }

    const fn fits(self, filter: ApprovalFilter) -> bool {
        match filter {
            ApprovalFilter::Approved => matches!(self, Self::Approved),
            ApprovalFilter::Undecided => matches!(self, Self::Undecided),
            ApprovalFilter::Declined => matches!(self, Self::Declined),
            ApprovalFilter::AnyExceptDeclined => !matches!(self, Self::Declined),
        }
    }
}

/// An update that fits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UpdateHit {
    /// Which.
    pub update: UpdateId,
    /// Its newest revision.
    pub newest: RevisionId,
    /// What is decided about it for any group.
    pub approval: ApprovalState,
    /// An update that is not declined supersedes it.
    pub superseded: bool,
    /// Computers of the scope by state.
    pub states: StateCounts,
}

impl Index {
    /// The updates that fit, a page of them. `decisions` are those the index was settled with, and it is arranged.
    #[must_use]
    pub fn updates(&self, query: &UpdateQuery, decisions: &Decisions, scope: &Scope) -> Page<UpdateHit> {
        let filter = Filter::new(self, query, decisions);
        let audience = Audience::new(&self.fleet, scope);
        let counts = |place: u32| audience.counts(self.fleet.reported(place));
        let unreported = |status: StatusFilter| {
            status.includes(UpdateState::Unknown) || status.includes(UpdateState::NotApplicable)
        };
        let by_counts = matches!(query.sort, UpdateSort::Needed | UpdateSort::Failed | UpdateSort::Installed);
        let found = self.entries().filter(|(place, entry)| filter.fits(*place, entry)).filter_map(
            |(place, entry)| {
                let mut states = StateCounts::default();
                if query.status.is_some() || by_counts {
                    states = match query.status {
                        Some(status) if unreported(status) => counts(place),
                        _ => audience.reported(self.fleet.reported(place)),
                    };
                    if query.status.is_some_and(|wanted| wanted.states().iter().all(|s| states.of(*s) == 0)) {
                        return None;
                    }
                }
                let key = match query.sort {
                    UpdateSort::Released => entry.created_or_never(),
                    UpdateSort::Arrived => self.shelf.arrived(entry),
                    UpdateSort::Title => i64::from(entry.title),
                    UpdateSort::Severity => entry.severity as i64,
                    UpdateSort::Needed => states.needed() as i64,
                    UpdateSort::Failed => states.of(UpdateState::Failed) as i64,
                    UpdateSort::Installed => states.of(UpdateState::Installed) as i64,
                };
                Some((key, place, entry))
            },
        );
        let ascending = query.ascending.unwrap_or(query.sort == UpdateSort::Title);
        let page = cut(found, (query.offset, query.limit), |(a_key, a_place, a), (b_key, b_place, b)| {
            let by_key = if ascending { a_key.cmp(b_key) } else { b_key.cmp(a_key) };
            by_key
                .then_with(|| a.title.cmp(&b.title))
                .then_with(|| self.shelf.id(*a_place).cmp(&self.shelf.id(*b_place)))
        });
        let rows =
            page.rows.into_iter().filter_map(|(_, place, entry)| self.hit(place, entry, counts(place)));
        Page { rows: rows.collect(), total: page.total }
    }

    /// One update, if the catalog has it.
    #[must_use]
    pub fn update(&self, update: UpdateId, scope: &Scope) -> Option<UpdateHit> {
        let place = self.place_of(update)?;
        let entry = self.entry(place)?;
        let counts = counts_by_scope(&self.fleet, self.fleet.reported(place), core::slice::from_ref(scope));
        self.hit(place, entry, counts.into_iter().next()?)
    }

    /// How many computers of a scope are in which state of an update, for several scopes.
    #[must_use]
    pub fn counts_of(&self, update: UpdateId, scopes: &[Scope]) -> Vec<StateCounts> {
        match self.place_of(update).filter(|place| self.entry(*place).is_some()) {
            Some(place) => counts_by_scope(&self.fleet, self.fleet.reported(place), scopes),
            None => scopes.iter().map(|_| StateCounts::default()).collect(),
        }
    }

    fn hit(&self, place: u32, entry: &Entry, states: StateCounts) -> Option<UpdateHit> {
        Some(UpdateHit {
            update: self.shelf.id(place)?,
            newest: entry.newest,
            approval: entry.approval,
            superseded: entry.superseded,
            states,
        })
    }
}

/// Everything of a query that does not depend on computers, made ready.
struct Filter<'a> {
    shelf: &'a Shelf,
    query: &'a UpdateQuery,
    words: Words,
    branches: Vec<Branch>,
    /// For a group: the updates that the decision in force there deploys.
    in_force: Option<Bits>,
}

impl<'a> Filter<'a> {
    fn new(index: &'a Index, query: &'a UpdateQuery, decisions: &Decisions) -> Self {
        Self {
            shelf: &index.shelf,
            query,
            words: Words::new(query.search.as_deref(), query.kb.as_deref(), query.cve.as_deref()),
            branches: [query.classification, query.product]
                .into_iter()
                .flatten()
                .map(|top| Branch::of(&index.shelf, top))
                .collect(),
            in_force: query.approved_for.map(|group| in_force(&index.shelf, decisions, group)),
        }
    }

    fn fits(&self, place: u32, entry: &Entry) -> bool {
        let query = self.query;
        let is = |wanted: Option<bool>, value: bool| wanted.is_none_or(|wanted| wanted == value);
        // What is not asked about is not looked at: that would be another line of memory of each update.
        let arrived = || Some(self.shelf.arrived(entry));
        let within = |value: &dyn Fn() -> Option<i64>, from: Option<Timestamp>, to: Option<Timestamp>| {
            from.is_none_or(|from| value().is_some_and(|value| value >= from.ticks()))
                && to.is_none_or(|to| value().is_some_and(|value| value < to.ticks()))
        };
        (query.everything || entry.listed())
            && query.approval.is_none_or(|filter| self.approval(place, entry).fits(filter))
            && (query.severities.is_empty() || query.severities.contains(&entry.severity))
            && query.reboot.is_none_or(|reboot| reboot == entry.reboot)
            && within(&|| entry.created(), query.released_from, query.released_to)
            && within(&arrived, query.arrived_from, query.arrived_to)
            && is(query.superseded, entry.superseded)
            && is(query.supersedes, entry.supersedes())
            && is(query.needs_licence, entry.licence_open)
            && is(query.expired, entry.expired())
            && self.branches.iter().all(|branch| branch.has_any(self.shelf.categories(entry)))
            && (self.words.are_none() || self.words.fit(self.shelf.id(place), self.shelf.text(entry)))
    }

    fn approval(&self, place: u32, entry: &Entry) -> ApprovalState {
        match (&self.in_force, entry.approval) {
            (None, approval) | (_, approval @ ApprovalState::Declined) => approval,
            (Some(in_force), _) if in_force.has(place) => ApprovalState::Approved,
            (Some(_), _) => ApprovalState::Undecided,
        }
    }
}

/// The updates that the decision in force for a group deploys: its own, else the nearest above.
fn in_force(shelf: &Shelf, decisions: &Decisions, group: GroupId) -> Bits {
    let path: Vec<GroupId> = decisions.groups.path(group).collect();
    let mut deployed = Bits::for_places(shelf.places());
    let mut nearest: Option<(UpdateId, usize, bool)> = None;
    let mut close = |nearest: Option<(UpdateId, usize, bool)>| {
        if let Some((update, _, true)) = nearest
            && let Some(place) = shelf.find(update)
        {
            deployed.set(place);
        }
    };
    // Those of one update stand together.
    for approval in decisions.approvals.values() {
        let Some(far) = path.iter().position(|group| *group == approval.group) else { continue };
        let found = Some((approval.update, far, approval.action.deploys()));
        match nearest {
            Some((update, known, _)) if update == approval.update => {
                if far < known {
                    nearest = found;
                }
            }
            _ => close(core::mem::replace(&mut nearest, found)),
        }
    }
    close(nearest);
    deployed
}
