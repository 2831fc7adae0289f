//! Browse: updates, filtered, in order, with the counts of their states.

use crate::categories::Branch;
use crate::counts::StateCounts;
use crate::filters::{ApprovalFilter, UpdateQuery, UpdateSort};
use crate::index::{Entry, Index};
use crate::page::{Page, cut};
use crate::scope::{Audience, Scope, counts_by_scope};
use crate::words::Words;
use core::cmp::Ordering;
use rustc_hash::FxHashMap;
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
    /// The updates that fit, a page of them. `decisions` are those the index was settled with.
    #[must_use]
    pub fn updates(&self, query: &UpdateQuery, decisions: &Decisions, scope: &Scope) -> Page<UpdateHit> {
        let filter = Filter::new(self, query, decisions);
        let audience = Audience::new(&self.fleet, scope);
        let counts = |place: u32| {
            self.fleet.reported().get(place as usize).map(|r| audience.counts(r)).unwrap_or_default()
        };
        let by_counts = matches!(query.sort, UpdateSort::Needed | UpdateSort::Failed | UpdateSort::Installed);
        let mut found: Vec<(i64, u32, &Entry)> = Vec::new();
        for (place, entry) in self.entries().filter(|(_, entry)| filter.fits(entry)) {
            let mut key = 0;
            if query.status.is_some() || by_counts {
                let states = counts(place);
                if query.status.is_some_and(|wanted| wanted.states().iter().all(|s| states.of(*s) == 0)) {
                    continue;
                }
                key = match query.sort {
                    UpdateSort::Needed => states.needed(),
                    UpdateSort::Failed => states.of(UpdateState::Failed),
                    UpdateSort::Installed => states.of(UpdateState::Installed),
                    _ => 0,
                } as i64;
            }
            match query.sort {
                UpdateSort::Released => key = entry.created.unwrap_or(i64::MIN),
                UpdateSort::Arrived => key = entry.arrived,
                UpdateSort::Severity => key = entry.severity as i64,
                _ => {}
            }
            found.push((key, place, entry));
        }
        let by_title = query.sort == UpdateSort::Title;
        let ascending = query.ascending.unwrap_or(by_title);
        let page = cut(found, (query.offset, query.limit), |(a_key, _, a), (b_key, _, b)| {
            let by_key = if ascending { a_key.cmp(b_key) } else { b_key.cmp(a_key) };
            let titles = || match by_title && !ascending {
                true => b.title().cmp(a.title()),
                false => a.title().cmp(b.title()),
            };
            match by_key {
                Ordering::Equal => titles().then_with(|| a.id.cmp(&b.id)),
                different => different,
            }
        });
        page.map(|(_, place, entry)| entry.hit(counts(place)))
    }

    /// One update, if the catalog has it.
    #[must_use]
    pub fn update(&self, update: UpdateId, scope: &Scope) -> Option<UpdateHit> {
        let place = self.place_of(update)?;
        let entry = self.entry(place)?;
        let reported = self.fleet.reported().get(place as usize)?;
        let counts = counts_by_scope(&self.fleet, reported, core::slice::from_ref(scope));
        Some(entry.hit(counts.into_iter().next()?))
    }

    /// How many computers of a scope are in which state of an update, for several scopes.
    #[must_use]
    pub fn counts_of(&self, update: UpdateId, scopes: &[Scope]) -> Vec<StateCounts> {
        let place = self.place_of(update).filter(|place| self.entry(*place).is_some());
        match place.and_then(|place| self.fleet.reported().get(place as usize)) {
            Some(reported) => counts_by_scope(&self.fleet, reported, scopes),
            None => scopes.iter().map(|_| StateCounts::default()).collect(),
        }
    }
}

impl Entry {
    pub(crate) fn hit(&self, states: StateCounts) -> UpdateHit {
        UpdateHit {
            update: self.id,
            newest: self.newest,
            approval: self.approval,
            superseded: self.superseded,
            states,
        }
    }
}

/// Everything of a query that does not depend on computers, made ready.
struct Filter<'a> {
    query: &'a UpdateQuery,
    words: Words,
    branches: Vec<Branch>,
    /// For a group: which updates are decided there or above, and whether the decision in force deploys.
    in_force: Option<FxHashMap<UpdateId, bool>>,
}

impl<'a> Filter<'a> {
    fn new(index: &Index, query: &'a UpdateQuery, decisions: &Decisions) -> Self {
        Self {
            query,
            words: Words::new(query.search.as_deref(), query.kb.as_deref(), query.cve.as_deref()),
            branches: [query.classification, query.product]
                .into_iter()
                .flatten()
                .map(|top| Branch::of(index, top))
                .collect(),
            in_force: query.approved_for.map(|group| in_force(decisions, group)),
        }
    }

    fn fits(&self, entry: &Entry) -> bool {
        let query = self.query;
        let is = |wanted: Option<bool>, value: bool| wanted.is_none_or(|wanted| wanted == value);
        let within = |value: Option<i64>, from: Option<Timestamp>, to: Option<Timestamp>| {
            from.is_none_or(|from| value.is_some_and(|value| value >= from.ticks()))
                && to.is_none_or(|to| value.is_some_and(|value| value < to.ticks()))
        };
        (query.everything || entry.listed())
            && query.approval.is_none_or(|filter| self.approval(entry).fits(filter))
            && (query.severities.is_empty() || query.severities.contains(&entry.severity))
            && query.reboot.is_none_or(|reboot| reboot == entry.reboot)
            && within(entry.created, query.released_from, query.released_to)
            && within(Some(entry.arrived), query.arrived_from, query.arrived_to)
            && is(query.superseded, entry.superseded)
            && is(query.supersedes, !entry.supersedes.is_empty())
            && is(query.needs_licence, entry.licence_open)
            && is(query.expired, entry.expired)
            && self.branches.iter().all(|branch| branch.has_any(&entry.categories))
            && self.words.fit(entry.id, &entry.search)
    }

    fn approval(&self, entry: &Entry) -> ApprovalState {
        match (&self.in_force, entry.approval) {
            (None, approval) | (_, approval @ ApprovalState::Declined) => approval,
            (Some(in_force), _) if in_force.get(&entry.id) == Some(&true) => ApprovalState::Approved,
            (Some(_), _) => ApprovalState::Undecided,
        }
    }
}

/// The decisions in force for a group: its own, else the nearest above.
fn in_force(decisions: &Decisions, group: GroupId) -> FxHashMap<UpdateId, bool> {
    let path: Vec<GroupId> = decisions.groups.path(group).collect();
    let mut nearest: FxHashMap<UpdateId, (usize, bool)> = FxHashMap::default();
    for approval in decisions.approvals.values() {
        let Some(far) = path.iter().position(|group| *group == approval.group) else { continue };
        let found = (far, approval.action.deploys());
        nearest
            .entry(approval.update)
            .and_modify(|known| {
                if far < known.0 {
                    *known = found;
                }
            })
            .or_insert(found);
    }
    nearest.into_iter().map(|(update, (_, deploys))| (update, deploys)).collect()
}
