//! Store: computers whose groups an upstream takes away and gives back. A replica has its upstream's groups, and these
//! can go for a day: another upstream is set, or the one above is autonomous for a while. What computers were in is
//! this server's own knowledge and must not go with them.

use crate::error::{During, StoreError};
use rusqlite::{Transaction, params};
use sluicegate_policy::GroupTree;
use sluicegate_terms::{GroupId, Timestamp};

/// So long it is known where a computer was, in seconds: 90 days.
const KNOWN_FOR: i64 = 90 * 86_400;

/// What became of computers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Moved {
    /// So often a computer lost a group that is gone.
    pub(super) lost: u64,
    /// So often one is back in a group.
    pub(super) put_back: u64,
}

/// Brings memberships along with a change of groups that an upstream made. To be called before the groups themselves are
/// written, which takes the members of what is gone out.
pub(super) fn follow(
    tx: &Transaction<'_>,
    before: &GroupTree,
    after: &GroupTree,
    now: Timestamp,
) -> Result<Moved, StoreError> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<u64, StoreError> {
        let done = tx.prepare_cached(sql).and_then(|mut s| s.execute(values));
        done.during("keep computers in their groups").map(|rows| rows as u64)
    };
    let mut moved = Moved::default();
    let oldest = now.plus_seconds(-KNOWN_FOR).ticks();
    run("DELETE FROM former_membership WHERE lost_at < ?1", params![oldest])?;
    for gone in before.iter().filter(|group| after.get(group.id).is_none()) {
        moved.lost += run(
            "INSERT INTO former_membership (group_id, name_key, computer, lost_at)
             SELECT group_id, ?2, computer, ?3 FROM membership WHERE group_id = ?1
             ON CONFLICT DO UPDATE SET name_key = ?2, lost_at = ?3",
            params![gone.id.0.as_bytes(), gone.name.as_str().to_lowercase(), now.ticks()],
        )?;
    }
    let new = after.iter().filter(|group| before.get(group.id).is_none());
    for group in new.filter(|group| group.id != GroupId::ALL_COMPUTERS) {
        let (id, name) = (group.id.0.as_bytes(), group.name.as_str().to_lowercase());
        // The id says more than the name, which another group may have taken over.
        moved.put_back += run(
            "INSERT INTO membership (group_id, computer)
             SELECT DISTINCT ?1, computer FROM former_membership WHERE group_id = ?1
                 OR (name_key = ?2 AND NOT EXISTS (SELECT 1 FROM former_membership WHERE group_id = ?1))
             ON CONFLICT DO NOTHING",
            params![id, name],
        )?;
        run("DELETE FROM former_membership WHERE group_id = ?1 OR name_key = ?2", params![id, name])?;
    }
    Ok(moved)
}
