//! Store: target groups that an administrator renames or deletes, with what is kept about their computers: that is this server's own
//! knowledge, which policy does not have.

use crate::Store;
use crate::columns::{Columns, for_rows};
use crate::computers::Targeting;
use crate::error::{During, StoreError};
use crate::hierarchy::place::HERE;
use crate::hierarchy::{GroupedBelow, asking, grouped};
use rusqlite::{Transaction, params};
use sluicegate_policy::{Group, GroupName, GroupTree, RemovedGroups};
use sluicegate_terms::{GroupId, Timestamp};
use std::collections::BTreeSet;

/// What went with a group that somebody deleted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupRemoval {
    /// Groups, approvals and rules.
    pub removed: RemovedGroups,
    /// How many computers of this server were in the groups.
    pub computers: u64,
    /// How many of them are in no other group, and so in Unassigned Computers.
    pub unassigned: u64,
    /// Computers of replicas below that are in them, as they told last: these leave with the next synchronization there.
    pub below: GroupedBelow,
}

/// A group that somebody renamed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupRenaming {
    /// As it is now.
    pub group: Group,
    /// The name it had.
    pub before: GroupName,
    /// How many computers ask for the name it had, and so are in it no longer; none where computers are assigned.
    pub left: u64,
    /// How many ask for the name it has, and so are in it now.
    pub joined: u64,
}

/// What became of the computers of groups that are gone.
#[derive(Default)]
struct Left {
    /// Rows of computers that were assigned to them.
    assigned: BTreeSet<i64>,
    computers: u64,
    unassigned: u64,
    below: GroupedBelow,
}

impl Store {
    /// Deletes a group and everything that was decided for it; with `nested` also those that are nested in it. Its
    /// computers are in Unassigned Computers when they are in no other group. They do not come back when somebody makes a
    /// group of that name: this was decided here, other than what goes by itself with an upstream's groups.
    ///
    /// # Errors
    /// [`StoreError::Decision`] when the group is unknown or built in, or has groups nested in it that are not to go;
    /// [`StoreError::Replica`], or a failure to write.
    pub fn remove_group(
        &self,
        group: GroupId,
        nested: bool,
        now: Timestamp,
    ) -> Result<GroupRemoval, StoreError> {
        self.refuse_on_replica()?;
        // What computers ask for may be noted and not written.
        self.flush_contacts()?;
        let targeting = self.targeting();
        let (removed, left) = self.change_decisions_inside(now, |tx, decisions, scope| {
            let before = decisions.groups.clone();
            let removed = match nested {
                true => decisions.remove_group_with_nested(group, scope.change)?,
                false => decisions.remove_group(group, scope.change)?,
            };
            let left = leave(tx, targeting, &removed, &before, &decisions.groups)?;
            Ok((removed, left))
        })?;
        for computer in left.assigned {
            self.shared.board.mark(computer, false);
        }
        Ok(GroupRemoval {
            removed,
            computers: left.computers,
            unassigned: left.unassigned,
            below: left.below,
        })
    }

    /// Gives a group another name. Approvals and assigned computers stay; computers that name their groups themselves are
    /// in it when they ask for the new name.
    ///
    /// # Errors
    /// [`StoreError::Decision`] when the group is unknown or built in, or another has the name;
    /// [`StoreError::Replica`], or a failure to write.
    pub fn rename_group(
        &self,
        group: GroupId,
        name: GroupName,
        now: Timestamp,
    ) -> Result<GroupRenaming, StoreError> {
        self.refuse_on_replica()?;
        self.flush_contacts()?;
        let targeting = self.targeting();
        self.change_decisions_inside(now, |tx, decisions, _| {
            let before = decisions.groups.require(group)?.clone();
            decisions.groups.rename(group, name)?;
            let after = decisions.groups.require(group)?.clone();
            let (mut left, mut joined) = (0, 0);
            if targeting == Targeting::Client {
                (left, joined) = (asking_only(tx, &before, &after)?, asking_only(tx, &after, &before)?);
            }
            Ok(GroupRenaming { group: after, before: before.name, left, joined })
        })
    }
}

/// Computers leave groups that somebody deleted.
fn leave(
    tx: &Transaction<'_>,
    targeting: Targeting,
    removed: &RemovedGroups,
    before: &GroupTree,
    after: &GroupTree,
) -> Result<Left, StoreError> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<(), StoreError> {
        let done = tx.prepare_cached(sql).and_then(|mut s| s.execute(values));
        done.during("take computers out of a group").map(|_| ())
    };
    let mut left = Left::default();
    let mut asking = BTreeSet::new();
    for group in removed.groups() {
        let (id, name) = (group.id.0.as_bytes(), key(group));
        left.assigned.extend(rows(
            tx,
            "DELETE FROM membership WHERE group_id = ?1 RETURNING computer",
            params![id],
        )?);
        asking.extend(rows(
            tx,
            &format!(
                "SELECT q.computer FROM requested_group q JOIN computer o ON o.id = q.computer
                 WHERE q.name_key = ?1 AND {HERE}"
            ),
            params![name],
        )?);
        // Nobody who was once in a group of this id or name is to be put back, and what was said of updates that cleanup
        // removed goes with what is said of the others.
        run("DELETE FROM former_membership WHERE group_id = ?1 OR name_key = ?2", params![id, name])?;
        run("DELETE FROM removed_denial WHERE group_id = ?1", params![id])?;
    }
    // One that has moved to a server below counts there.
    let (mut assigned, mut nowhere) = (0, 0);
    for computer in &left.assigned {
        let here = u64::from(is_here(tx, *computer)?);
        assigned += here;
        let elsewhere: bool = tx
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM membership WHERE computer = ?1)")
            .and_then(|mut s| s.query_row([computer], |row| row.get(0)))
            .during("take computers out of a group")?;
        if !elsewhere {
            nowhere += here;
            // Nobody placed it in Unassigned Computers: another mode has it where it had it.
            run("DELETE FROM placed_computer WHERE computer = ?1", params![computer])?;
        }
    }
    (left.computers, left.unassigned) = match targeting {
        Targeting::Server => (assigned, nowhere),
        Targeting::Client => (asking.len() as u64, asking::for_what_is_gone(tx, before, after)?),
    };
    let gone = removed.groups().map(|group| group.id).collect();
    left.below = grouped::in_groups(tx, Some(&gone), before)?;
    Ok(left)
}

/// Whether a computer is here, and not at a server below.
fn is_here(tx: &Transaction<'_>, computer: i64) -> Result<bool, StoreError> {
    tx.prepare_cached(&format!("SELECT EXISTS (SELECT 1 FROM computer o WHERE o.id = ?1 AND {HERE})"))
        .and_then(|mut s| s.query_row([computer], |row| row.get(0)))
        .during("look where a computer is")
}

/// How many computers ask for the name of one group and not for that of the other.
fn asking_only(tx: &Transaction<'_>, one: &Group, other: &Group) -> Result<u64, StoreError> {
    let count: i64 = tx
        .prepare_cached(&format!(
            "SELECT count(*) FROM requested_group q JOIN computer o ON o.id = q.computer
             WHERE q.name_key = ?1 AND {HERE} AND NOT EXISTS
                 (SELECT 1 FROM requested_group r WHERE r.computer = q.computer AND r.name_key = ?2)"
        ))
        .and_then(|mut s| s.query_row(params![key(one), key(other)], |row| row.get(0)))
        .during("count the computers that ask for a group")?;
    Ok(count.unsigned_abs())
}

fn rows(tx: &Transaction<'_>, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<i64>, StoreError> {
    let mut statement = tx.prepare_cached(sql).during("look which computers are in a group")?;
    let mut rows = statement.query(values).during("look which computers are in a group")?;
    let mut found = Vec::new();
    for_rows(&mut rows, |row| {
        found.push(row.int(0)?);
        Ok(())
    })?;
    Ok(found)
}

/// What makes two names the same.
fn key(group: &Group) -> String {
    group.name.as_str().to_lowercase()
}
