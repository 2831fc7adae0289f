//! Store: computers as administrators look at them.

use crate::Store;
use crate::catalog::{LARGEST_PAGE, StateCounts};
use crate::columns::{Columns, for_rows};
use crate::computers::directory::{Targeting, assigned, split_groups};
use crate::error::{During, StoreError, StoredAs};
use rusqlite::{Connection, Row, ToSql};
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
    /// Its updates by reported state.
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
}

const ROW: &str = "SELECT c.id, c.computer_id, c.dns_name, c.requested_groups, c.registered_at, c.inventory,
    c.client_version, c.ip, c.first_seen, c.last_contact, c.last_sync, c.last_report, c.status_at FROM computer c";

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
        self.flush_contacts_if_possible();
        self.shared.database.read(|db| {
            let db = db.transaction().during("look up a computer")?;
            let mut statement =
                db.prepare_cached(&format!("{ROW} WHERE c.computer_id = ?1")).during("look up a computer")?;
            let mut rows = statement.query([id.as_str()]).during("look up a computer")?;
            match rows.next().during("look up a computer")? {
                Some(row) => computer(&db, row),
                None => Err(StoreError::UnknownComputer(id.clone())),
            }
        })
    }

    /// Lists computers by name.
    ///
    /// # Errors
    /// A failure to read.
    pub fn computers(&self, filter: &ComputerFilter) -> Result<ComputerPage, StoreError> {
        self.flush_contacts_if_possible();
        let (condition, values) = condition(filter);
        self.shared.database.read(|db| {
            let db = db.transaction().during("list computers")?;
            let parameters: Vec<&dyn ToSql> = values.iter().map(AsRef::as_ref).collect();
            let total: i64 = db
                .prepare(&format!("SELECT count(*) FROM computer c{condition}"))
                .and_then(|mut s| s.query_row(parameters.as_slice(), |row| row.get(0)))
                .during("count computers")?;
            let sql = format!(
                "{ROW}{condition} ORDER BY c.dns_name, c.computer_id LIMIT {} OFFSET {}",
                filter.limit.min(LARGEST_PAGE),
                filter.offset
            );
            let mut statement = db.prepare(&sql).during("list computers")?;
            let mut found = statement.query(parameters.as_slice()).during("list computers")?;
            let mut rows = Vec::new();
            for_rows(&mut found, |row| {
                rows.push(computer(&db, row)?);
                Ok(())
            })?;
            Ok(ComputerPage { rows, total: total.unsigned_abs() })
        })
    }

    /// How many computers are directly in each group; groups without any are left out.
    ///
    /// # Errors
    /// A failure to read.
    pub fn group_sizes(&self, targeting: Targeting) -> Result<BTreeMap<GroupId, u64>, StoreError> {
        self.flush_contacts_if_possible();
        let sql = match targeting {
            Targeting::Server => "SELECT group_id, count(*) FROM membership GROUP BY group_id",
            Targeting::Client => {
                "SELECT g.id, count(*) FROM requested_group q JOIN target_group g USING (name_key) GROUP BY g.id"
            }
        };
        let nowhere = format!("SELECT count(*) FROM computer c WHERE NOT EXISTS ({})", membership(targeting));
        self.shared.database.read(|db| {
            let db = db.transaction().during("count computers")?;
            let mut sizes = BTreeMap::new();
            let mut statement = db.prepare_cached(sql).during("count computers")?;
            let mut rows = statement.query([]).during("count computers")?;
            for_rows(&mut rows, |row| {
                sizes.insert(row.group(0)?, row.natural(1)?);
                Ok(())
            })?;
            let rest: i64 = db.query_row(&nowhere, [], |row| row.get(0)).during("count computers")?;
            if rest > 0 {
                *sizes.entry(GroupId::UNASSIGNED_COMPUTERS).or_default() += rest.unsigned_abs();
            }
            Ok(sizes)
        })
    }
}

/// The WHERE clause of a filter and its values.
fn condition(filter: &ComputerFilter) -> (String, Vec<Box<dyn ToSql>>) {
    let mut parts: Vec<String> = Vec::new();
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    if let Some(groups) = &filter.groups {
        let of_computer = membership(filter.targeting);
        let mut marks = Vec::new();
        for group in groups {
            values.push(Box::new(group.0.as_bytes().to_vec()));
            marks.push(format!("?{}", values.len()));
        }
        let mut part = format!("EXISTS (SELECT 1 FROM ({of_computer}) WHERE id IN ({}))", marks.join(", "));
        if groups.contains(&GroupId::UNASSIGNED_COMPUTERS) {
            part = format!("({part} OR NOT EXISTS ({of_computer}))");
        }
        parts.push(part);
    }
    if let Some(search) = &filter.search {
        values.push(Box::new(search.to_lowercase()));
        let at = values.len();
        parts.push(format!(
            "(instr(lower(coalesce(c.dns_name, '')), ?{at}) > 0 OR instr(c.computer_id, ?{at}) > 0)"
        ));
    }
    let text = if parts.is_empty() { String::new() } else { format!(" WHERE {}", parts.join(" AND ")) };
    (text, values)
}

fn computer(db: &Connection, row: &Row<'_>) -> Result<Computer, StoreError> {
    let number = row.int(0)?;
    Ok(Computer {
        id: row.text(1)?.parse().stored_as("computer id")?,
        dns_name: row.text_if_any(2)?,
        assigned: assigned(db, number)?,
        requested: split_groups(&row.text(3)?),
        registered_at: row.time_if_any(4)?,
        inventory: row.text_if_any(5)?,
        client_version: row.text_if_any(6)?,
        ip: row.text_if_any(7)?,
        first_seen: row.time(8)?,
        last_contact: row.time(9)?,
        last_sync: row.time_if_any(10)?,
        last_report: row.time_if_any(11)?,
        status_at: row.time_if_any(12)?,
        states: states(db, number)?,
    })
}

fn states(db: &Connection, computer: i64) -> Result<StateCounts, StoreError> {
    let mut counts = StateCounts::default();
    let mut statement = db
        .prepare_cached("SELECT state, count(*) FROM update_status WHERE computer = ?1 GROUP BY state")
        .during("count states")?;
    let mut rows = statement.query([computer]).during("count states")?;
    for_rows(&mut rows, |row| {
        counts.0.insert(row.get(0).during("count states")?, row.natural(1)?);
        Ok(())
    })?;
    Ok(counts)
}
