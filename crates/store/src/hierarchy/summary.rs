//! Store: what a server tells its upstream of its updates in numbers (MS-WSUSSS 3.2.4.5), told in every
//! synchronization, so counted in one pass over the updates that can be offered.

use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError};
use rusqlite::Connection;

/// Critical Updates and Security Updates; the ids are the same on every server.
const URGENT: &str = "x'e6cf1350c01b414da61f263d14d133b4', x'0fa1201d43304fa88ae9b877473b6441'";

/// Updates that can be decided about: software and drivers that are no members of bundles.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Offered {
    pub(super) all: i32,
    pub(super) declined: i32,
    pub(super) approved: i32,
    /// Neither of the two.
    pub(super) undecided: i32,
    /// Those of them that are critical or security updates.
    pub(super) undecided_urgent: i32,
}

impl Offered {
    /// Counts them.
    pub(super) fn count(db: &Connection) -> Result<Self, StoreError> {
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM decline d WHERE d.update_id = k.update_id),
                 EXISTS (SELECT 1 FROM approval a WHERE a.update_id = k.update_id AND a.action <> 'not-approved'),
                 EXISTS (SELECT 1 FROM listing_category c WHERE c.revision_id = k.newest AND c.category IN ({URGENT})),
                 count(*)
             FROM known_update k JOIN listing l ON l.revision_id = k.newest
             WHERE l.kind IN ('Software', 'Driver') AND l.deployable = 1
                 AND NOT EXISTS (SELECT 1 FROM bundle_member b WHERE b.member = k.update_id)
             GROUP BY 1, 2, 3"
        );
        let mut statement = db.prepare_cached(&sql).during("count updates")?;
        let mut rows = statement.query([]).during("count updates")?;
        let mut offered = Self::default();
        for_rows(&mut rows, |row| {
            let (declined, approved, urgent) = (row.int(0)? != 0, row.int(1)? != 0, row.int(2)? != 0);
            let updates = i32::try_from(row.int(3)?).unwrap_or(i32::MAX);
            let add = |count: &mut i32, counts: bool| {
                *count = count.saturating_add(if counts { updates } else { 0 });
            };
            add(&mut offered.all, true);
            add(&mut offered.declined, declined);
            add(&mut offered.approved, approved);
            add(&mut offered.undecided, !declined && !approved);
            add(&mut offered.undecided_urgent, !declined && !approved && urgent);
            Ok(())
        })?;
        Ok(offered)
    }
}
