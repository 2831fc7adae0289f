//! Store: approvals that are gone without a mark of their own, since their group or their update is gone too. Servers
//! below are told of them as of every approval that was withdrawn: one that was away, or that has the group or the
//! update still, would take what it was told once for what holds as soon as both are back.

use crate::Store;
use crate::columns::{Columns, for_rows, signed};
use crate::database::read_anchor;
use crate::error::{During, StoreError};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sluicegate_policy::{Change, Decisions, GroupTree, Mark};
use sluicegate_terms::{Anchor, GroupId, UpdateId};

/// So many are remembered. A server that asks from before what is no longer remembered asks for everything anew.
const MOST: u64 = 50_000;

/// The counter of the newest change that is no longer remembered.
const FORGOTTEN: &str = "dropped-deployments";

type Key = (UpdateId, GroupId);

/// Notes which of the approvals, or marks, of a change are gone without leaving a mark, and forgets that of those which
/// are there again. `since` says since when something is gone; `None` is with this change.
pub(super) fn note<'a>(
    tx: &Transaction<'_>,
    after: &Decisions,
    gone: &[&'a Key],
    new: impl Iterator<Item = &'a Key>,
    since: impl Fn(&Key) -> Option<Anchor>,
) -> Result<(), StoreError> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<(), StoreError> {
        tx.prepare_cached(sql)
            .and_then(|mut s| s.execute(values))
            .during("note what was approved")
            .map(|_| ())
    };
    for (update, group) in new {
        run(
            "DELETE FROM dropped_deployment WHERE update_id = ?1 AND group_id = ?2",
            params![update.0.as_bytes(), group.0.as_bytes()],
        )?;
    }
    let dropped = |key: &&&Key| !after.approvals.contains_key(key) && !after.withdrawn.contains_key(key);
    let mut any = false;
    for key in gone.iter().filter(dropped) {
        let (update, group) = key;
        let changed = match since(key) {
            Some(since) => since,
            None => read_anchor(tx)?,
        };
        run(
            "INSERT INTO dropped_deployment (update_id, group_id, changed) VALUES (?1, ?2, ?3)
             ON CONFLICT (update_id, group_id) DO UPDATE SET changed = ?3",
            params![update.0.as_bytes(), group.0.as_bytes(), signed(changed.0)],
        )?;
        any = true;
    }
    if any { forget(tx, MOST) } else { Ok(()) }
}

/// Leaves marks for what went with groups that are here again and was not approved anew: a computer that was in one of them
/// all the time, as far as it can tell, has seen those approvals and would go on carrying them out.
pub(super) fn come_back(
    db: &Connection,
    before: &GroupTree,
    after: &mut Decisions,
    change: Change,
) -> Result<(), StoreError> {
    let back: Vec<GroupId> =
        after.groups.iter().map(|group| group.id).filter(|group| before.get(*group).is_none()).collect();
    for group in back {
        let mut statement = db
            .prepare_cached(
                "SELECT update_id FROM dropped_deployment JOIN known_update USING (update_id) WHERE group_id = ?1",
            )
            .during("look what was approved")?;
        let mut rows = statement.query([group.0.as_bytes()]).during("look what was approved")?;
        for_rows(&mut rows, |row| {
            let key = (row.update(0)?, group);
            if !after.approvals.contains_key(&key) {
                after.withdrawn.entry(key).or_insert(Mark::passing(change));
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Forgets the oldest of more than `most`, and remembers up to where.
fn forget(tx: &Connection, most: u64) -> Result<(), StoreError> {
    let newest: Option<i64> = tx
        .prepare_cached("SELECT changed FROM dropped_deployment ORDER BY changed DESC LIMIT 1 OFFSET ?1")
        .and_then(|mut s| s.query_row([signed(most)], |row| row.get(0)).optional())
        .during("count what was approved")?;
    let Some(newest) = newest else { return Ok(()) };
    tx.execute(
        "INSERT INTO counter (name, value) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = max(value, ?2)",
        params![FORGOTTEN, newest],
    )
    .and_then(|_| tx.execute("DELETE FROM dropped_deployment WHERE changed <= ?1", [newest]))
    .during("forget what was approved")
    .map(|_| ())
}

impl Store {
    /// Approvals that went with their group or their update after a change; `None` when that is no longer known.
    ///
    /// # Errors
    /// A failure to read.
    pub fn dropped_deployments(&self, since: Anchor) -> Result<Option<Vec<(UpdateId, GroupId)>>, StoreError> {
        self.shared.database.read(|db| {
            let db = db.transaction().during("look what was approved")?;
            let forgotten: Option<i64> = db
                .prepare_cached("SELECT value FROM counter WHERE name = ?1")
                .and_then(|mut s| s.query_row([FORGOTTEN], |row| row.get(0)).optional())
                .during("look what was approved")?;
            if forgotten.is_some_and(|forgotten| signed(since.0) < forgotten) {
                return Ok(None);
            }
            let mut statement = db
                .prepare_cached("SELECT update_id, group_id FROM dropped_deployment WHERE changed > ?1")
                .during("look what was approved")?;
            let mut rows = statement.query([signed(since.0)]).during("look what was approved")?;
            let mut list = Vec::new();
            for_rows(&mut rows, |row| {
                list.push((row.update(0)?, row.group(1)?));
                Ok(())
            })?;
            Ok(Some(list))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreOptions;
    use sluicegate_terms::Timestamp;

    #[test]
    fn a_server_that_asks_from_before_what_was_forgotten_is_told_that_it_is_not_known() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::new(Timestamp::from_unix_seconds(0))).unwrap();
        let known = |since| store.dropped_deployments(Anchor(since)).unwrap().map(|all| all.len());
        let fill = |tx: &Transaction<'_>| {
            for changed in 1..=6_i64 {
                let id = u128::from(changed.unsigned_abs().div_ceil(2)).to_be_bytes();
                tx.execute(
                    "INSERT INTO dropped_deployment VALUES (?1, ?2, ?3)",
                    params![
                        changed.to_be_bytes().repeat(2),
                        id,
                        changed.unsigned_abs().div_ceil(2).cast_signed()
                    ],
                )
                .during("fill")?;
            }
            forget(tx, 6)
        };
        store.shared.database.write(fill).unwrap();
        assert_eq!((known(0), known(1)), (Some(6), Some(4)), "as many as are kept");
        store.shared.database.write(|tx| forget(tx, 3)).unwrap();
        assert_eq!((known(0), known(1), known(2)), (None, None, Some(2)), "all of one change go together");
    }
}
