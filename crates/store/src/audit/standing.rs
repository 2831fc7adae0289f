//! Store: alerts about a state that lasts: one of each kind stands while the state does, and goes by itself when it
//! is over. An administrator who acknowledges one is not told again until it was over and came back.

use super::{AlertKind, raise};
use crate::Store;
use crate::columns::signed;
use crate::error::{During, StoreError};
use rusqlite::{OptionalExtension, params};
use sluicegate_terms::Timestamp;

/// Who has seen an alert that went by itself.
const BY_ITSELF: &str = "(over)";

impl Store {
    /// Raises an alert, or, when the newest one of its kind still stands, brings its text up to date. Answers whether
    /// one was raised. What was acknowledged stays so as long as nothing was raised since; see
    /// [`Store::end_alert`].
    ///
    /// # Errors
    /// A failure to write.
    pub fn hold_alert(&self, kind: AlertKind, text: &str, now: Timestamp) -> Result<bool, StoreError> {
        if self.newest_alert(kind)?.is_some_and(|(_, known, over)| !over && known == text) {
            return Ok(false);
        }
        self.shared.database.write_alone(
            |tx| match newest(tx, kind)? {
                Some((id, known, false)) => {
                    if known != text {
                        tx.execute("UPDATE alert SET text = ?2 WHERE id = ?1", params![signed(id), text])
                            .during("bring an alert up to date")?;
                    }
                    Ok(false)
                }
                _ => raise(tx, kind, text, &[], now).map(|()| true),
            },
            |_| {},
        )
    }

    /// The state behind an alert is over: it is taken off the list, and the next one of the kind is raised anew.
    /// Answers whether there was one.
    ///
    /// # Errors
    /// A failure to write.
    pub fn end_alert(&self, kind: AlertKind, now: Timestamp) -> Result<bool, StoreError> {
        if self.newest_alert(kind)?.is_none_or(|(_, _, over)| over) {
            return Ok(false);
        }
        let ended = self.shared.database.write_alone(
            |tx| {
                tx.execute(
                    "UPDATE alert SET seen_at = coalesce(seen_at, ?2), seen_by = ?3 WHERE kind = ?1
                         AND (seen_at IS NULL OR id = (SELECT max(id) FROM alert WHERE kind = ?1))",
                    params![kind.as_str(), now.ticks(), BY_ITSELF],
                )
                .during("end an alert")
            },
            |_| {},
        )?;
        tracing::info!(kind = kind.as_str(), "what an alert was about is over");
        Ok(ended > 0)
    }

    fn newest_alert(&self, kind: AlertKind) -> Result<Option<(u64, String, bool)>, StoreError> {
        self.shared.database.read(|db| newest(db, kind))
    }
}

/// The newest alert of a kind: its number, its text, and whether it went by itself.
fn newest(db: &rusqlite::Connection, kind: AlertKind) -> Result<Option<(u64, String, bool)>, StoreError> {
    db.prepare_cached(
        "SELECT id, text, coalesce(seen_by = ?2, 0) FROM alert WHERE kind = ?1 ORDER BY id DESC LIMIT 1",
    )
    .and_then(|mut s| {
        s.query_row(params![kind.as_str(), BY_ITSELF], |row| {
            Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?, row.get(2)?))
        })
        .optional()
    })
    .during("look up an alert")
}
