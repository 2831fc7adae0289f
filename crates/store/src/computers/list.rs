//! Store: computers as administrators look at them.

use crate::Store;
use crate::columns::{Columns, for_rows};
use crate::computers::directory::{Targeting, assigned, split_groups};
use crate::error::{During, StoreError, StoredAs};
use crate::hierarchy::place::Elsewhere;
use rusqlite::Connection;
use sluicegate_browse::{StateCounts, StatusFilter};
use sluicegate_terms::{ComputerId, GroupId, Timestamp};
use std::collections::BTreeMap;

/// Everything known about a computer except its single events and states.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Computer {
    /// Its id.
    pub id: ComputerId,
    /// Its name, as it says.
    pub dns_name: Option<String>,
    /// The groups an administrator put it in; empty means Unassigned Computers.
    pub assigned: Vec<GroupId>,
    /// The groups it asks for.
    pub requested: Vec<String>,
    /// When it registered first.
    pub registered_at: Option<Timestamp>,
    /// What it said about itself when it registered last, in the form it was given.
    pub inventory: Option<String>,
    /// Its agent's version.
    pub client_version: Option<String>,
    /// The address it came from last.
    pub ip: Option<String>,
    /// When it was first here.
    pub first_seen: Timestamp,
    /// When it was last here.
    pub last_contact: Timestamp,
    /// When it last asked for updates to the end.
    pub last_sync: Option<Timestamp>,
    /// When it last reported.
    pub last_report: Option<Timestamp>,
    /// When it made its newest status report, by its own clock.
    pub status_at: Option<Timestamp>,
    /// The updates that lists show and that are not declined, by its state of them.
    pub states: StateCounts,
}

/// Which computers to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ComputerFilter {
    /// Only those directly in one of these groups; `None` lists all.
    pub groups: Option<Vec<GroupId>>,
    /// Which kind of membership counts.
    pub targeting: Targeting,
    /// Only those whose name or id has this in it.
    pub search: Option<String>,
    /// Only those with at least one update in one of these states.
    pub status: Option<StatusFilter>,
    /// At most so many rows (at most 10,000).
    pub limit: u32,
    /// Skip so many.
    pub offset: u32,
}

/// A page of computers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ComputerPage {
    /// The page's rows.
    pub rows: Vec<Computer>,
    /// How many rows all pages have.
    pub total: u64,
    /// Computers whose newest reports are not in the counts yet.
    pub pending: u64,
}

const ROW: &str = "SELECT c.computer_id, c.dns_name, c.requested_groups, c.registered_at, c.inventory,
    c.client_version, c.ip, c.first_seen, c.last_contact, c.last_sync, c.last_report, c.status_at
    FROM computer c WHERE c.id = ?1";

/// The ids of the groups of computer `c`, by targeting.
const fn membership(targeting: Targeting) -> &'static str {
    match targeting {
        Targeting::Server => "SELECT m.group_id AS id FROM membership m WHERE m.computer = c.id",
        Targeting::Client => {
            "SELECT g.id AS id FROM requested_group q JOIN target_group g USING (name_key) WHERE q.computer = c.id"
        }
    }
}

impl Store {
    /// One computer.
    ///
    /// # Errors
    /// [`StoreError::UnknownComputer`], or a failure to read.
    pub fn computer(&self, id: &ComputerId) -> Result<Computer, StoreError> {
        let (row, states) = self.states_of_computer(id)?;
        self.shared.database.read(|db| {
            let db = db.transaction().during("look up a computer")?;
            computer_row(&db, row, states)?.ok_or_else(|| StoreError::UnknownComputer(id.clone()))
        })
    }

    /// The computer with this id; where there is none, those with this DNS name in any letter case (ten at most).
    ///
    /// # Errors
    /// A failure to read.
    pub fn computers_called(&self, wanted: &ComputerId) -> Result<Vec<ComputerId>, StoreError> {
        self.flush_contacts_if_possible();
        let by_id = "SELECT computer_id FROM computer WHERE computer_id = ?1";
        let by_name = "SELECT computer_id FROM computer WHERE dns_name = ?1 COLLATE NOCASE
            ORDER BY computer_id LIMIT 10";
        self.shared.database.read(|db| {
            let db = db.transaction().during("look up a computer")?;
            let mut found = Vec::new();
            for sql in [by_id, by_name] {
                let mut statement = db.prepare_cached(sql).during("look up a computer")?;
                let mut rows = statement.query([wanted.as_str()]).during("look up a computer")?;
                for_rows(&mut rows, |row| {
                    found.push(row.text(0)?.parse().stored_as("computer id")?);
                    Ok(())
                })?;
                if !found.is_empty() {
                    break;
                }
            }
            Ok(found)
        })
    }

    /// How many computers are directly in each group; groups without any are left out.
    ///
    /// # Errors
    /// A failure to read.
    pub fn group_sizes(&self, targeting: Targeting) -> Result<BTreeMap<GroupId, u64>, StoreError> {
        self.flush_contacts_if_possible();
        let sql = match targeting {
            Targeting::Server => {
                "SELECT group_id, count(*) FROM membership
                 WHERE computer NOT IN (SELECT value FROM json_each(?1)) GROUP BY group_id"
            }
            Targeting::Client => {
                "SELECT g.id, count(*) FROM requested_group q JOIN target_group g USING (name_key)
                 WHERE q.computer NOT IN (SELECT value FROM json_each(?1)) GROUP BY g.id"
            }
        };
        let nowhere = format!(
            "SELECT count(*) FROM computer c WHERE c.id NOT IN (SELECT value FROM json_each(?1)) AND NOT EXISTS ({})",
            membership(targeting)
        );
        self.shared.database.read(|db| {
            let db = db.transaction().during("count computers")?;
            let elsewhere = Elsewhere::find(&db)?.own;
            let mut sizes = BTreeMap::new();
            let mut statement = db.prepare_cached(sql).during("count computers")?;
            let mut rows = statement.query([&elsewhere]).during("count computers")?;
            for_rows(&mut rows, |row| {
                sizes.insert(row.group(0)?, row.natural(1)?);
                Ok(())
            })?;
            let rest: i64 =
                db.query_row(&nowhere, [&elsewhere], |row| row.get(0)).during("count computers")?;
            if rest > 0 {
                *sizes.entry(GroupId::UNASSIGNED_COMPUTERS).or_default() += rest.unsigned_abs();
            }
            Ok(sizes)
        })
    }
}

/// The row of a computer with the counts of its updates; `None` when it is gone.
pub(crate) fn computer_row(
    db: &Connection,
    number: i64,
    states: StateCounts,
) -> Result<Option<Computer>, StoreError> {
    let mut statement = db.prepare_cached(ROW).during("look up a computer")?;
    let mut rows = statement.query([number]).during("look up a computer")?;
    let Some(row) = rows.next().during("look up a computer")? else { return Ok(None) };
    Ok(Some(Computer {
        id: row.text(0)?.parse().stored_as("computer id")?,
        dns_name: row.text_if_any(1)?,
        assigned: assigned(db, number)?,
        requested: split_groups(&row.text(2)?),
        registered_at: row.time_if_any(3)?,
        inventory: row.text_if_any(4)?,
        client_version: row.text_if_any(5)?,
        ip: row.text_if_any(6)?,
        first_seen: row.time(7)?,
        last_contact: row.time(8)?,
        last_sync: row.time_if_any(9)?,
        last_report: row.time_if_any(10)?,
        status_at: row.time_if_any(11)?,
        states,
    }))
}
