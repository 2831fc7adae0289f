//! Store: the directory of computers: registration, and the groups each belongs to, assigned by an
//! administrator (server-side targeting) or asked for by itself (client-side targeting).

use crate::Store;
use crate::audit::{self, Entry};
use crate::columns::{Columns, gathered};
use crate::computers::contacts::{Contact, write_now};
use crate::error::{During, StoreError};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sluicegate_policy::{GroupError, GroupTree};
use sluicegate_terms::{ComputerId, GroupId, Timestamp};

/// Who decides which groups a computer is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Targeting {
    /// An administrator moves it (WSUS: "Use the Update Services console").
    #[default]
    Server,
    /// Its own policy names them (WSUS: "Use Group Policy or registry settings").
    Client,
}

/// A computer registers (RegisterComputer, MS-WUSP 2.2.2.2.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registration {
    /// Who and when.
    pub contact: Contact,
    /// What it says about itself (`computerInfo`), in the caller's form.
    pub inventory: String,
}

/// Where a computer belongs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ComputerGroups {
    /// It has registered.
    pub registered: bool,
    /// The groups an administrator put it in; empty means Unassigned Computers.
    pub assigned: Vec<GroupId>,
    /// The groups it asks for.
    pub requested: Vec<String>,
}

impl ComputerGroups {
    /// The groups that count: those of the chosen kind that exist, else Unassigned Computers. Their
    /// ancestors are not listed; the tree knows them.
    #[must_use]
    pub fn effective(&self, targeting: Targeting, tree: &GroupTree) -> Vec<GroupId> {
        let mut groups: Vec<GroupId> = match targeting {
            Targeting::Server => self.assigned.iter().copied().filter(|g| tree.get(*g).is_some()).collect(),
            Targeting::Client => {
                self.requested.iter().filter_map(|name| tree.find(name).ok()).map(|g| g.id).collect()
            }
        };
        groups.sort_unstable();
        groups.dedup();
        if groups.is_empty() {
            groups.push(GroupId::UNASSIGNED_COMPUTERS);
        }
        groups
    }
}

impl Store {
    /// Registers a computer or takes its new inventory; durable when it returns.
    ///
    /// # Errors
    /// A failure to write.
    pub fn register(&self, registration: Registration) -> Result<(), StoreError> {
        let row = self.shared.database.write(move |tx| {
            let row = write_now(tx, &registration.contact)?;
            tx.prepare_cached(
                "UPDATE computer SET inventory = ?2, registered_at = coalesce(registered_at, ?3) WHERE id = ?1",
            )
            .and_then(|mut s| s.execute(params![row, registration.inventory, registration.contact.at.ticks()]))
            .during("register a computer")
            .map(|_| row)
        })?;
        self.shared.board.mark(row, false);
        Ok(())
    }

    /// Where a computer belongs, as last said; for an unknown computer only what it asked for.
    ///
    /// # Errors
    /// A failure to read.
    pub fn groups_of(&self, computer: &ComputerId) -> Result<ComputerGroups, StoreError> {
        let said = || self.shared.contacts.lock().requested_groups(computer).map(<[String]>::to_vec);
        // Asked before and after: what is written between the two may be in neither the database, as it is read, nor memory.
        let before = said();
        let mut groups = self.shared.database.read(|db| groups_of(db, computer))?;
        if let Some(requested) = said().or(before) {
            groups.requested = requested;
        }
        Ok(groups)
    }

    /// Moves a computer to one group, out of all others; durable when it returns.
    ///
    /// # Errors
    /// [`StoreError::UnknownComputer`], [`StoreError::Decision`] for a group that is unknown or cannot have
    /// members, or a failure to write.
    pub fn move_computer(
        &self,
        computer: &ComputerId,
        group: GroupId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let decisions = self.decisions();
        let name = decisions.groups.require(group)?.name.clone();
        if group == GroupId::ALL_COMPUTERS {
            let what = "given computers: every computer is in it; name another group";
            return Err(GroupError::BuiltIn { name, what }.into());
        }
        // The computer may have been noted and not written.
        self.flush_contacts()?;
        let (computer, actor) = (computer.clone(), std::sync::Arc::clone(&self.actor));
        let row = self.shared.database.write(move |tx| {
            let row =
                find_row(tx, &computer)?.ok_or_else(|| StoreError::UnknownComputer(computer.clone()))?;
            let before = places(&decisions.groups, &assigned(tx, row)?);
            // Whoever places it anew decides also against what it was in before.
            for sql in [
                "DELETE FROM membership WHERE computer = ?1",
                "DELETE FROM former_membership WHERE computer = ?1",
                "INSERT INTO placed_computer (computer) VALUES (?1) ON CONFLICT DO NOTHING",
            ] {
                tx.prepare_cached(sql).and_then(|mut s| s.execute([row])).during("move a computer")?;
            }
            // Unassigned Computers is having no membership.
            if group != GroupId::UNASSIGNED_COMPUTERS {
                tx.prepare_cached("INSERT INTO membership (group_id, computer) VALUES (?1, ?2)")
                    .and_then(|mut s| s.execute(params![group.0.as_bytes(), row]))
                    .during("move a computer")?;
            }
            let after = places(&decisions.groups, &assigned(tx, row)?);
            let subject = computer.as_str().to_owned();
            let entry = Entry { action: "move-computer", subject, update: None, before, after };
            audit::append(tx, &actor, now, &[entry])?;
            Ok(row)
        })?;
        self.shared.board.mark(row, false);
        self.note_audit_head();
        Ok(())
    }

    /// Forgets a computer and everything it reported; durable when it returns.
    ///
    /// # Errors
    /// [`StoreError::UnknownComputer`], or a failure to write.
    pub fn forget_computer(&self, computer: &ComputerId, now: Timestamp) -> Result<(), StoreError> {
        self.flush_contacts()?;
        let (computer, actor) = (computer.clone(), std::sync::Arc::clone(&self.actor));
        let row = self.shared.database.write(move |tx| {
            let row = find_row(tx, &computer)?;
            let gone = tx
                .prepare_cached("DELETE FROM computer WHERE computer_id = ?1")
                .and_then(|mut s| s.execute([computer.as_str()]))
                .during("forget a computer")?;
            let Some(row) = row.filter(|_| gone > 0) else {
                return Err(StoreError::UnknownComputer(computer.clone()));
            };
            let subject = computer.as_str().to_owned();
            let entry = Entry { action: "forget-computer", subject, update: None, before: None, after: None };
            audit::append(tx, &actor, now, &[entry])?;
            Ok(row)
        })?;
        // The number of a row can be given again.
        self.shared.board.mark(row, true);
        self.note_audit_head();
        Ok(())
    }
}

/// The names of groups, for the audit log; none is Unassigned Computers.
fn places(tree: &GroupTree, groups: &[GroupId]) -> Option<String> {
    let unassigned = [GroupId::UNASSIGNED_COMPUTERS];
    let groups = if groups.is_empty() { &unassigned } else { groups };
    let names: Vec<String> = groups
        .iter()
        .map(|id| tree.get(*id).map_or_else(|| id.to_string(), |group| group.name.as_str().to_owned()))
        .collect();
    Some(serde_json::json!({ "groups": names }).to_string())
}

fn groups_of(db: &Connection, computer: &ComputerId) -> Result<ComputerGroups, StoreError> {
    let found: Option<(i64, Option<i64>, String)> = db
        .prepare_cached("SELECT id, registered_at, requested_groups FROM computer WHERE computer_id = ?1")
        .and_then(|mut s| {
            s.query_row([computer.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
        })
        .during("look up a computer")?;
    let Some((row, registered, requested)) = found else { return Ok(ComputerGroups::default()) };
    Ok(ComputerGroups {
        registered: registered.is_some(),
        assigned: assigned(db, row)?,
        requested: split_groups(&requested),
    })
}

/// The groups an administrator put a computer in.
pub(crate) fn assigned(db: &Connection, row: i64) -> Result<Vec<GroupId>, StoreError> {
    let mut statement = db
        .prepare_cached("SELECT group_id FROM membership WHERE computer = ?1 ORDER BY group_id")
        .during("look up a computer's groups")?;
    let mut rows = statement.query([row]).during("look up a computer's groups")?;
    gathered(&mut rows, |row| row.group(0))
}

/// The names in the column, one a line.
pub(crate) fn split_groups(column: &str) -> Vec<String> {
    column.lines().filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// A computer's row, if it has one.
pub(crate) fn find_row(db: &Connection, computer: &ComputerId) -> Result<Option<i64>, StoreError> {
    db.prepare_cached("SELECT id FROM computer WHERE computer_id = ?1")
        .and_then(|mut s| s.query_row([computer.as_str()], |row| row.get(0)).optional())
        .during("look up a computer")
}

/// A computer's row, made when it is missing.
pub(crate) fn row_of(tx: &Transaction<'_>, computer: &ComputerId, at: Timestamp) -> Result<i64, StoreError> {
    if let Some(row) = find_row(tx, computer)? {
        return Ok(row);
    }
    tx.prepare_cached("INSERT INTO computer (computer_id, first_seen, last_contact) VALUES (?1, ?2, ?2)")
        .and_then(|mut s| s.execute((computer.as_str(), at.ticks())))
        .during("add a computer")?;
    Ok(tx.last_insert_rowid())
}

/// Notes which groups a computer asks for.
pub(crate) fn set_requested(tx: &Transaction<'_>, row: i64, groups: &[String]) -> Result<(), StoreError> {
    let names: Vec<String> =
        groups.iter().map(|g| g.trim().replace(['\n', '\r'], " ")).filter(|g| !g.is_empty()).collect();
    let column = names.join("\n");
    let changed = tx
        .prepare_cached("UPDATE computer SET requested_groups = ?2 WHERE id = ?1 AND requested_groups <> ?2")
        .and_then(|mut s| s.execute((row, &column)))
        .during("note a computer's groups")?;
    if changed == 0 {
        return Ok(());
    }
    tx.prepare_cached("DELETE FROM requested_group WHERE computer = ?1")
        .and_then(|mut s| s.execute([row]))
        .during("note a computer's groups")?;
    for name in names {
        tx.prepare_cached(
            "INSERT INTO requested_group (name_key, computer) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        )
        .and_then(|mut s| s.execute((name.to_lowercase(), row)))
        .during("note a computer's groups")?;
    }
    Ok(())
}
