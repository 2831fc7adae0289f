//! Store: computers whose groups go and come back. A replica has its upstream's groups, and these can go for a day:
//! another upstream is set, the one above is autonomous for a while, or this server changes its mode. What computers
//! were in is this server's own knowledge and must not go with them.

use super::place::HERE;
use crate::Store;
use crate::error::{During, StoreError};
use rusqlite::{Transaction, params};
use sluicegate_policy::hierarchy::Mode;
use sluicegate_policy::{Group, GroupName, GroupTree};
use sluicegate_terms::{GroupId, Timestamp};

/// So long it is known where a computer was, in seconds: 90 days.
const KNOWN_FOR: i64 = 90 * 86_400;

/// What became of computers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Moved {
    /// So often a computer lost a group that is gone.
    pub(crate) lost: u64,
    /// So often one is back in a group.
    pub(crate) put_back: u64,
}

/// Computers that are where the mode `?3` had them, whatever groups both modes have: it knows them, and nobody placed them
/// since.
macro_rules! settled {
    () => {
        "computer IN (SELECT s.computer FROM aside_membership s WHERE s.mode = ?3
             AND s.computer NOT IN (SELECT p.computer FROM placed_computer p))"
    };
}

/// Former memberships of the group `?1`, which has the name `?2`, that come back with it.
macro_rules! meant {
    () => {
        concat!(
            "(group_id = ?1 OR (name_key = ?2 AND NOT EXISTS (SELECT 1 FROM former_membership WHERE group_id = ?1)))
                 AND NOT ",
            settled!()
        )
    };
}

/// Brings memberships along with a change of groups that come and go by themselves, or of a group that somebody made. To be called before the
/// groups themselves are written, which takes the members of what is gone out. With a change of modes, to `mode`,
/// computers that it knows better are left out.
pub(crate) fn follow(
    tx: &Transaction<'_>,
    before: &GroupTree,
    after: &GroupTree,
    mode: Option<Mode>,
    now: Timestamp,
) -> Result<Moved, StoreError> {
    // Members of groups that are written after this.
    tx.execute_batch("PRAGMA defer_foreign_keys = ON").during("keep computers in their groups")?;
    let mut moved = Moved::default();
    let mode = mode.map(Mode::as_str);
    let oldest = now.plus_seconds(-KNOWN_FOR).ticks();
    run(tx, "DELETE FROM former_membership WHERE lost_at < ?1", params![oldest])?;
    for gone in before.iter().filter(|group| after.get(group.id).is_none()) {
        moved.lost += lost(tx, gone.id, mode)?;
        run(
            tx,
            concat!(
                "INSERT INTO former_membership (group_id, name_key, computer, lost_at)
                 SELECT group_id, ?2, computer, ?4 FROM membership WHERE group_id = ?1 AND NOT ",
                settled!(),
                " ON CONFLICT DO UPDATE SET name_key = ?2, lost_at = ?4"
            ),
            params![gone.id.0.as_bytes(), gone.name.as_str().to_lowercase(), mode, now.ticks()],
        )?;
    }
    let new = after.iter().filter(|group| before.get(group.id).is_none());
    for group in new.filter(|group| group.id != GroupId::ALL_COMPUTERS) {
        let (id, name) = (group.id.0.as_bytes(), group.name.as_str().to_lowercase());
        leave_stand_ins(tx, id, &name, mode)?;
        // The id says more than the name, which another group may have taken over.
        moved.put_back += run(
            tx,
            concat!(
                "INSERT INTO membership (group_id, computer)
                 SELECT DISTINCT ?1, computer FROM former_membership WHERE ",
                meant!(),
                " ON CONFLICT DO NOTHING"
            ),
            params![id, name, mode],
        )?;
        let taken = concat!(
            "DELETE FROM former_membership WHERE (group_id = ?1 OR name_key = ?2) AND NOT ",
            settled!()
        );
        run(tx, taken, params![id, name, mode])?;
    }
    Ok(moved)
}

/// How many computers that are here and not at a server below are in a group that goes.
fn lost(tx: &Transaction<'_>, group: GroupId, mode: Option<&'static str>) -> Result<u64, StoreError> {
    let sql = format!(
        "SELECT count(*) FROM membership JOIN computer o ON o.id = membership.computer
         WHERE group_id = ?1 AND {HERE} AND NOT {}",
        settled!()
    );
    let count: i64 = tx
        .prepare_cached(&sql)
        // The mode is the third in `settled`.
        .and_then(|mut s| s.query_row(params![group.0.as_bytes(), None::<i64>, mode], |row| row.get(0)))
        .during("keep computers in their groups")?;
    Ok(count.unsigned_abs())
}

/// Computers that somebody placed in a group which is about to be there again leave what they were in only for want of it,
/// and what they would come back to from there.
fn leave_stand_ins(
    tx: &Transaction<'_>,
    id: &[u8; 16],
    name: &str,
    mode: Option<&'static str>,
) -> Result<(), StoreError> {
    const COMING: &str = concat!("SELECT computer FROM former_membership WHERE stand_in = 1 AND ", meant!());
    for sql in [
        format!("DELETE FROM membership WHERE computer IN ({COMING})"),
        format!("DELETE FROM former_membership WHERE stand_in = 0 AND computer IN ({COMING})"),
        // Of several groups the first to be there again ends it for all.
        format!("UPDATE former_membership SET stand_in = 0 WHERE computer IN ({COMING})"),
    ] {
        run(tx, &sql, params![id, name, mode])?;
    }
    Ok(())
}

/// Brings memberships along with a change of modes, whose groups are others: computers are where the other mode had
/// them. Whom somebody placed since the last change, and whom that mode does not know, stays in the groups that both have,
/// by id or name; who was placed where the other mode has nothing is where it had him until it has that group too. Answers
/// how many computers are in no group any more.
pub(super) fn switch(
    tx: &Transaction<'_>,
    (from, to): (Mode, Mode),
    before: &GroupTree,
    after: &GroupTree,
    now: Timestamp,
) -> Result<u64, StoreError> {
    follow(tx, before, after, Some(to), now)?;
    for gone in before.iter().filter(|group| after.get(group.id).is_none()) {
        run(tx, "DELETE FROM membership WHERE group_id = ?1", params![gone.id.0.as_bytes()])?;
    }
    let elsewhere = "DELETE FROM membership WHERE computer IN (SELECT a.computer FROM aside_membership a WHERE a.mode = ?1)
         AND computer NOT IN (SELECT computer FROM placed_computer)";
    run(tx, elsewhere, params![to.as_str()])?;
    let stand_in = "UPDATE former_membership SET stand_in = 1
         WHERE computer IN (SELECT p.computer FROM placed_computer p
             WHERE EXISTS (SELECT 1 FROM aside_membership a WHERE a.mode = ?1 AND a.computer = p.computer)
                 AND NOT EXISTS (SELECT 1 FROM membership m WHERE m.computer = p.computer))";
    run(tx, stand_in, params![to.as_str()])?;
    // Who was placed in Unassigned Computers is in no group of either mode.
    let back = "INSERT INTO membership (group_id, computer)
         SELECT a.group_id, a.computer FROM aside_membership a WHERE a.mode = ?1
             AND NOT EXISTS (SELECT 1 FROM membership m WHERE m.computer = a.computer)
             AND (a.computer NOT IN (SELECT computer FROM placed_computer)
                 OR EXISTS (SELECT 1 FROM aside_membership b WHERE b.mode = ?2 AND b.computer = a.computer))
         ON CONFLICT DO NOTHING";
    run(tx, back, params![to.as_str(), from.as_str()])?;
    let ungrouped: i64 = tx
        .query_row(
            "SELECT count(DISTINCT computer) FROM aside_membership a WHERE mode = ?1
                 AND NOT EXISTS (SELECT 1 FROM membership m WHERE m.computer = a.computer)",
            [from.as_str()],
            |row| row.get(0),
        )
        .during("switch the mode")?;
    Ok(ungrouped.unsigned_abs())
}

impl Store {
    /// Makes a target group below `parent` (All Computers when `None`).
    ///
    /// # Errors
    /// [`StoreError::Decision`] when the name is taken or the parent does not fit, or a failure to write.
    pub fn create_group(
        &self,
        name: GroupName,
        parent: Option<GroupId>,
        now: Timestamp,
    ) -> Result<Group, StoreError> {
        self.make_group(name, parent, now).map(|(group, _)| group)
    }

    /// [`Store::create_group`] that answers too how many computers are back in it, which were in a group of that name
    /// until it went by itself.
    ///
    /// # Errors
    /// As those of [`Store::create_group`].
    pub fn make_group(
        &self,
        name: GroupName,
        parent: Option<GroupId>,
        now: Timestamp,
    ) -> Result<(Group, u64), StoreError> {
        self.refuse_on_replica()?;
        let id = GroupId(crate::keys::random_guid()?);
        let (group, moved) = self.change_decisions_inside(now, |tx, decisions, _| {
            let before = decisions.groups.clone();
            let group = decisions.groups.create(id, name, parent)?.clone();
            Ok((group, follow(tx, &before, &decisions.groups, None, now)?))
        })?;
        if moved != Moved::default() {
            self.shared.board.mark_everybody();
        }
        Ok((group, moved.put_back))
    }
}

/// A mode begins: nobody placed a computer in it yet.
pub(super) fn begin_mode(tx: &Transaction<'_>) -> Result<(), StoreError> {
    run(tx, "DELETE FROM placed_computer", params![]).map(|_| ())
}

fn run(tx: &Transaction<'_>, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<u64, StoreError> {
    let done = tx.prepare_cached(sql).and_then(|mut s| s.execute(values));
    done.during("keep computers in their groups").map(|rows| rows as u64)
}
