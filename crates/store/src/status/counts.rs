//! Store: lists and counts, answered from the index and filled in with the rows of one page.

use super::Rows;
use crate::Store;
use crate::catalog::{LARGEST_PAGE, UpdatePage, update_row};
use crate::columns::Columns;
use crate::computers::{ComputerFilter, ComputerGroups, ComputerPage, Targeting, computer_row, state_row};
use crate::error::{During, StoreError, StoredAs};
use rusqlite::OptionalExtension;
use sluicegate_browse::{
    ComputerQuery, ComputersOfUpdate, Decided, Index, Membership, Page, Scope, StateCounts, Summary,
    UpdateHit, UpdateQuery,
};
use sluicegate_policy::{GroupTree, StateRow, UpdateState};
use sluicegate_terms::{ComputerId, GroupId, UpdateId};
use std::collections::BTreeSet;

/// Whose reports count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FleetScope {
    /// A group with all nested in it; `None` is every computer.
    pub group: Option<GroupId>,
    /// Which kind of membership counts.
    pub targeting: Targeting,
}

/// One computer's state of one update.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ComputerState {
    /// Which computer.
    pub computer: ComputerId,
    /// Its name.
    pub dns_name: Option<String>,
    /// The state.
    pub state: UpdateState,
    /// What it reported; `None` when the state follows from its silence.
    pub row: Option<StateRow>,
}

impl Store {
    /// Lists updates, by default the most recently published first, with the states of every computer.
    ///
    /// # Errors
    /// A failure to read.
    pub fn updates(&self, query: &UpdateQuery) -> Result<UpdatePage, StoreError> {
        self.updates_for(query, FleetScope::default())
    }

    /// Lists updates with the states of the computers of a scope.
    ///
    /// # Errors
    /// A failure to read.
    pub fn updates_for(&self, query: &UpdateQuery, of: FleetScope) -> Result<UpdatePage, StoreError> {
        let query = UpdateQuery { limit: query.limit.min(LARGEST_PAGE), ..query.clone() };
        let (index, pending) = self.look()?;
        let decisions = self.decisions();
        let page = index.updates(&query, &decisions, &scope(&index, of, &decisions.groups));
        drop(index);
        self.shared.database.read(|db| {
            let db = db.transaction().during("list updates")?;
            let mut rows = Vec::with_capacity(page.rows.len());
            for hit in &page.rows {
                // What was removed since the look is not in the list any more.
                rows.extend(update_row(&db, hit)?);
            }
            Ok(UpdatePage { rows, total: page.total, pending })
        })
    }

    /// How many computers are in which state of an update, for each group with all nested in it.
    ///
    /// # Errors
    /// A failure to read.
    pub fn update_status(
        &self,
        update: UpdateId,
        targeting: Targeting,
    ) -> Result<Vec<(GroupId, StateCounts)>, StoreError> {
        let (index, _) = self.look()?;
        let decisions = self.decisions();
        let groups: Vec<GroupId> = decisions.groups.iter().map(|group| group.id).collect();
        let scopes: Vec<Scope> = groups
            .iter()
            .map(|group| scope(&index, FleetScope { group: Some(*group), targeting }, &decisions.groups))
            .collect();
        let counts = index.counts_of(update, &scopes);
        Ok(groups.into_iter().zip(counts).collect())
    }

    /// The computers of a scope with their state of an update, by name; also those whose state follows from
    /// not naming it. At most 10,000 at once.
    ///
    /// # Errors
    /// A failure to read.
    pub fn computers_of(
        &self,
        query: &ComputersOfUpdate,
        of: FleetScope,
    ) -> Result<Page<ComputerState>, StoreError> {
        let query = ComputersOfUpdate { limit: query.limit.min(LARGEST_PAGE), ..*query };
        let (index, _) = self.look()?;
        let decisions = self.decisions();
        let page = index.computers_of(&query, &scope(&index, of, &decisions.groups));
        drop(index);
        self.shared.database.read(|db| {
            let db = db.transaction().during("list an update's computers")?;
            let mut statement = db
                .prepare_cached(
                    "SELECT c.computer_id, c.dns_name, s.state, s.since, s.error FROM computer c
                     LEFT JOIN update_status s ON s.computer = c.id AND s.update_id = ?2 WHERE c.id = ?1",
                )
                .during("list an update's computers")?;
            let mut list = Vec::with_capacity(page.rows.len());
            for (key, state) in &page.rows {
                let mut rows =
                    statement.query((key, query.update.0.as_bytes())).during("list an update's computers")?;
                let Some(row) = rows.next().during("list an update's computers")? else { continue };
                let reported = row.get::<_, Option<i64>>(2).during("list an update's computers")?;
                list.push(ComputerState {
                    computer: row.text(0)?.parse().stored_as("computer id")?,
                    dns_name: row.text_if_any(1)?,
                    state: *state,
                    row: reported.map(|_| state_row(row, 2)).transpose()?,
                });
            }
            Ok(Page { rows: list, total: page.total })
        })
    }

    /// Lists computers by name.
    ///
    /// # Errors
    /// A failure to read.
    pub fn computers(&self, filter: &ComputerFilter) -> Result<ComputerPage, StoreError> {
        let (index, pending) = self.look()?;
        let decisions = self.decisions();
        let scope = match &filter.groups {
            None => Scope::everybody(),
            Some(groups) => {
                let inside = groups.iter().copied().collect();
                within(&index, &inside, filter.targeting, &decisions.groups)
            }
        };
        let query = ComputerQuery {
            search: filter.search.clone(),
            status: filter.status,
            limit: filter.limit.min(LARGEST_PAGE),
            offset: filter.offset,
        };
        let page = index.computers(&query, &scope);
        drop(index);
        self.shared.database.read(|db| {
            let db = db.transaction().during("list computers")?;
            let mut rows = Vec::with_capacity(page.rows.len());
            for hit in &page.rows {
                rows.extend(computer_row(&db, hit.key, hit.states)?);
            }
            Ok(ComputerPage { rows, total: page.total, pending })
        })
    }

    /// A group with all nested in it, in a few figures; and how many computers' newest reports are not in
    /// them yet.
    ///
    /// # Errors
    /// A failure to read.
    pub fn summary(&self, of: FleetScope) -> Result<(Summary, u64), StoreError> {
        let (index, pending) = self.look()?;
        let decisions = self.decisions();
        Ok((index.summary(&scope(&index, of, &decisions.groups)), pending))
    }

    /// What is decided about the updates that lists show, and how many under some categories are undecided.
    pub(crate) fn updates_decided(&self, categories: &[UpdateId]) -> Result<Decided, StoreError> {
        self.flush_contacts_if_possible();
        self.bring_up_to_date(0, Rows::Trusted)?;
        Ok(self.shared.board.index.write().decided(categories))
    }

    /// The states of every computer for one update. From memory, after what changed was read.
    pub(crate) fn states_of_update(&self, update: UpdateId) -> Result<Option<UpdateHit>, StoreError> {
        let (index, _) = self.look()?;
        Ok(index.update(update, &Scope::everybody()))
    }

    /// The row of a computer and its updates by state.
    pub(crate) fn states_of_computer(&self, id: &ComputerId) -> Result<(i64, StateCounts), StoreError> {
        drop(self.look()?);
        let row = self
            .shared
            .database
            .read(|db| {
                db.prepare_cached("SELECT id FROM computer WHERE computer_id = ?1")
                    .and_then(|mut s| s.query_row([id.as_str()], |row| row.get(0)).optional())
                    .during("look up a computer")
            })?
            .ok_or_else(|| StoreError::UnknownComputer(id.clone()))?;
        // In a storm of reports it could still wait for its turn.
        self.feed_computer(row)?;
        Ok((row, self.shared.board.index.read().states_of_computer(row).unwrap_or_default()))
    }
}

fn scope(index: &Index, of: FleetScope, tree: &GroupTree) -> Scope {
    let Some(top) = of.group else { return Scope::everybody() };
    let inside = tree.iter().map(|group| group.id).filter(|id| tree.path(*id).any(|above| above == top));
    within(index, &inside.collect(), of.targeting, tree)
}

/// The computers that are in one of these groups.
fn within(index: &Index, groups: &BTreeSet<GroupId>, targeting: Targeting, tree: &GroupTree) -> Scope {
    index.scope(|membership: &Membership| {
        let belongs = ComputerGroups {
            registered: true,
            assigned: membership.assigned.clone(),
            requested: membership.requested.clone(),
        };
        belongs.effective(targeting, tree).iter().any(|group| groups.contains(group))
    })
}
