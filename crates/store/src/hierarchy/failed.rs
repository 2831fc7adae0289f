//! Store: revisions that the upstream listed and whose documents it gave damaged or not at all. They are asked for again
//! after a while, and as long as they are not here somebody is told of them.

use crate::Store;
use crate::columns::{Columns, for_rows, gathered};
use crate::error::{During, StoreError};
use rusqlite::{Connection, Row, Transaction, params};
use sluicegate_terms::{Timestamp, UpdateIdentity};
use std::collections::BTreeSet;

/// So many seconds after the first, the second and the third attempt that failed, and after each later one, a revision is
/// asked for again. What a proxy spoilt for a moment comes soon; the last is less than a day, so that what is synchronized
/// once a day at a time that differs a little is asked for each day.
const WAITS: [i64; 4] = [3_600, 4 * 3_600, 12 * 3_600, 20 * 3_600];

/// Waiting revisions are counted up to so many: that a detectoid of Windows is missing is worth no more than that.
pub const MOST_WAITING: u64 = 10_000;

const NOTE: &str = "note a revision that could not be used";
const LIST: &str = "list revisions that could not be used";

/// A revision whose document could not be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FailedRevision {
    /// Which.
    pub identity: UpdateIdentity,
    /// How often it was asked for.
    pub attempts: u32,
    /// When it first could not be used.
    pub since: Timestamp,
    /// Not before then again.
    pub again_at: Timestamp,
    /// What was wrong.
    pub reason: String,
}

impl FailedRevision {
    /// After so many attempts what is to come comes at its usual time.
    pub const EARLY_ATTEMPTS: u32 = 3;

    /// Whether it is not asked for yet. A time further ahead than any that is given was reckoned by a clock that has been
    /// put back since.
    #[must_use]
    pub fn waits(&self, now: Timestamp) -> bool {
        let [.., longest] = WAITS;
        self.again_at > now && self.again_at <= now.plus_seconds(longest)
    }

    fn of(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            identity: UpdateIdentity { update: row.update(0)?, revision: row.revision_number(1)? },
            attempts: row.word(2)?,
            since: row.time(3)?,
            again_at: row.time(4)?,
            reason: row.text(5)?,
        })
    }
}

/// Those of them that are missing in the catalog.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FailedRevisions {
    /// How many.
    pub revisions: u64,
    /// Revisions in quarantine that need one of them, or what needs one; at most [`MOST_WAITING`] are counted.
    pub waiting: u64,
    /// The one that has been missing longest.
    pub first: FailedRevision,
    /// The earliest time at which one of them is asked for again.
    pub again_at: Timestamp,
    /// The most attempts that one of them took.
    pub attempts: u32,
    /// The fewest attempts that one of them took.
    pub fewest_attempts: u32,
}

/// What waits in quarantine for an update, or for this revision of it where a bundle names that. What waits for others
/// only has another revision of it here.
const WAITING_FOR: &str = "SELECT q.id, q.update_id, q.number FROM quarantine_need n CROSS JOIN quarantine q ON q.id = n.quarantine
     WHERE n.update_id = ?1 AND (n.number = ?2 OR NOT EXISTS (SELECT 1 FROM revision r WHERE r.update_id = ?1))";

/// How many revisions in quarantine need one of these, or what needs one. Looks at those alone.
fn waiting_for(db: &Connection, mut open: Vec<UpdateIdentity>) -> Result<u64, StoreError> {
    let during = "count what waits for missing revisions";
    let mut statement = db.prepare_cached(WAITING_FOR).during(during)?;
    let mut found = BTreeSet::new();
    while let Some(UpdateIdentity { update, revision }) = open.pop() {
        let mut rows = statement.query(params![update.0.as_bytes(), revision.get()]).during(during)?;
        while let Some(row) = rows.next().during(during)? {
            if found.insert(row.int(0)?) {
                if found.len() as u64 >= MOST_WAITING {
                    return Ok(MOST_WAITING);
                }
                open.push(UpdateIdentity { update: row.update(1)?, revision: row.revision_number(2)? });
            }
        }
    }
    Ok(found.len() as u64)
}

/// The revisions whose documents could not be used, in order of their ids.
pub(super) fn revisions(db: &Connection) -> Result<Vec<FailedRevision>, StoreError> {
    let mut statement = db
        .prepare_cached(
            "SELECT update_id, number, attempts, since, again_at, reason FROM sync_failed ORDER BY 1, 2",
        )
        .during(LIST)?;
    let mut rows = statement.query([]).during(LIST)?;
    gathered(&mut rows, FailedRevision::of)
}

/// Lets files that failed be tried in the next run. Answers how many that are.
pub(super) fn retry_files(tx: &Transaction<'_>, now: Timestamp) -> Result<usize, StoreError> {
    tx.execute("UPDATE failed_file SET again_at = ?1 WHERE again_at > ?1", [now.ticks()])
        .during("let files that failed be asked for again")
}

impl Store {
    /// Notes revisions whose documents could not be used just now, and why.
    ///
    /// # Errors
    /// A failure to write.
    pub fn note_failed_revisions(
        &self,
        failed: &[(UpdateIdentity, String)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let [first, second, third, later] = WAITS.map(|seconds| now.plus_seconds(seconds).ticks());
        self.shared.database.write_alone(
            |tx| {
                self.refuse_for_another_upstream(tx)?;
                let mut note = tx
                    .prepare_cached(
                        "INSERT INTO sync_failed (update_id, number, attempts, since, again_at, reason)
                         VALUES (?1, ?2, 1, ?3, ?4, ?8) ON CONFLICT (update_id, number)
                         DO UPDATE SET attempts = attempts + 1, since = min(since, ?3), reason = ?8,
                             again_at = CASE attempts WHEN 1 THEN ?5 WHEN 2 THEN ?6 ELSE ?7 END",
                    )
                    .during(NOTE)?;
                for (identity, reason) in failed {
                    let (update, number) = (identity.update.0.as_bytes(), identity.revision.get());
                    note.execute(params![update, number, now.ticks(), first, second, third, later, reason])
                        .during(NOTE)?;
                }
                Ok(())
            },
            |()| {},
        )
    }

    /// Lets everything that failed, revisions and files, be asked for in the next run. Answers how much that is.
    ///
    /// # Errors
    /// A failure to write.
    pub fn retry_failed(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.shared.database.write_alone(
            |tx| {
                let revisions = tx
                    .execute("UPDATE sync_failed SET again_at = ?1 WHERE again_at > ?1", [now.ticks()])
                    .during("let what failed be asked for again")?;
                Ok((revisions + retry_files(tx, now)?) as u64)
            },
            |_| {},
        )
    }

    /// The revisions whose documents could not be used, in order of their ids.
    ///
    /// # Errors
    /// A failure to read.
    pub fn failed_revisions(&self) -> Result<Vec<FailedRevision>, StoreError> {
        self.shared.database.read(|db| revisions(db))
    }

    /// Those that are missing: neither they nor a newer revision of their update came another way, or something that waits
    /// needs just them. `None` when none is.
    ///
    /// # Errors
    /// A failure to read.
    pub fn missing_failed_revisions(&self) -> Result<Option<FailedRevisions>, StoreError> {
        self.shared.database.read(|db| {
            let mut statement = db
                .prepare_cached(
                    "SELECT f.update_id, f.number, f.attempts, f.since, f.again_at, f.reason FROM sync_failed f
                     WHERE NOT EXISTS (SELECT 1 FROM revision r
                             WHERE r.update_id = f.update_id AND r.number = f.number)
                         AND NOT EXISTS (SELECT 1 FROM quarantine q
                             WHERE q.held = 1 AND q.update_id = f.update_id AND q.number = f.number)
                         AND (NOT EXISTS (SELECT 1 FROM revision r
                                 WHERE r.update_id = f.update_id AND r.number > f.number)
                             OR EXISTS (SELECT 1 FROM quarantine_need n
                                 WHERE n.update_id = f.update_id AND n.number = f.number))
                     ORDER BY f.since, f.update_id, f.number",
                )
                .during(LIST)?;
            let mut rows = statement.query([]).during(LIST)?;
            let mut all: Option<FailedRevisions> = None;
            let mut missing = Vec::new();
            for_rows(&mut rows, |row| {
                let one = FailedRevision::of(row)?;
                missing.push(one.identity);
                match &mut all {
                    None => {
                        all = Some(FailedRevisions {
                            revisions: 1,
                            waiting: 0,
                            again_at: one.again_at,
                            attempts: one.attempts,
                            fewest_attempts: one.attempts,
                            first: one,
                        });
                    }
                    Some(all) => {
                        all.revisions += 1;
                        all.again_at = all.again_at.min(one.again_at);
                        all.attempts = all.attempts.max(one.attempts);
                        all.fewest_attempts = all.fewest_attempts.min(one.attempts);
                    }
                }
                Ok(())
            })?;
            if let Some(all) = &mut all {
                all.waiting = waiting_for(db, missing)?;
            }
            Ok(all)
        })
    }

    /// Forgets such revisions: they are in the catalog now, or nobody waits for them any more.
    ///
    /// # Errors
    /// A failure to write.
    pub fn forget_failed_revisions(&self, forgotten: &[UpdateIdentity]) -> Result<(), StoreError> {
        if forgotten.is_empty() {
            return Ok(());
        }
        self.shared.database.write_alone(
            |tx| {
                self.refuse_for_another_upstream(tx)?;
                for identity in forgotten {
                    tx.prepare_cached("DELETE FROM sync_failed WHERE update_id = ?1 AND number = ?2")
                        .and_then(|mut s| s.execute((identity.update.0.as_bytes(), identity.revision.get())))
                        .during("forget a revision that could not be used")?;
                }
                Ok(())
            },
            |()| {},
        )
    }
}
