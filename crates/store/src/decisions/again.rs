//! Store: what somebody had declined when cleanup removed it. The decline goes with its update, and nobody took it back:
//! when the update comes again, it is declined again, before rules look at it and before older decisions are carried here.

use super::subject;
use crate::columns::Columns;
use crate::error::{During, StoreError};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sluicegate_policy::hierarchy::Mode;
use sluicegate_policy::{Arrival, Change, Decisions};
use sluicegate_terms::{Timestamp, UpdateId};

/// Remembers that somebody declined an update that cleanup removes now, in the mode the server is in or in its own
/// before it became a replica.
pub(crate) fn remember(
    tx: &Transaction<'_>,
    decisions: &Decisions,
    update: UpdateId,
    replica: bool,
) -> Result<(), StoreError> {
    let own = decisions.declined.get(&update).filter(|own| !own.automatic && !replica);
    if let Some(own) = own {
        tx.prepare_cached(
            "INSERT INTO removed_decline (update_id, decided_at) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET decided_at = ?2",
        )
        .and_then(|mut s| s.execute(params![update.0.as_bytes(), own.decided.ticks()]))
        .during("remember a decline")?;
    }
    tx.prepare_cached(
        "INSERT INTO removed_decline (update_id, decided_at)
         SELECT update_id, coalesce(decided_at, changed_at) FROM aside_decline
         WHERE update_id = ?1 AND mode = ?2 AND automatic = 0 AND coalesce(decided_at, changed_at) IS NOT NULL
         ON CONFLICT DO NOTHING",
    )
    .and_then(|mut s| s.execute(params![update.0.as_bytes(), Mode::Autonomous.as_str()]))
    .during("remember a decline")
    .map(|_| ())
}

/// Whether there is anything to remember.
pub(super) fn any(db: &Connection) -> Result<bool, StoreError> {
    db.prepare_cached("SELECT EXISTS (SELECT 1 FROM removed_decline)")
        .and_then(|mut s| s.query_row([], |row| row.get(0)))
        .during("look for declines of what was removed")
}

/// Declines what came again. On a replica that is for the time when it decides itself. What is part of a bundle now
/// follows that one.
pub(super) fn decline(
    tx: &Transaction<'_>,
    decisions: &mut Decisions,
    arrivals: &[Arrival],
    replica: bool,
    change: Change,
) -> Result<(), StoreError> {
    for update in arrivals.iter().filter(|arrival| arrival.replaces.is_none()).map(|arrival| arrival.update) {
        let Some(decided) = forget(tx, update)? else { continue };
        if replica {
            tx.prepare_cached(
                "INSERT INTO aside_decline (mode, update_id, changed_at, decided_at, automatic)
                 VALUES (?1, ?2, ?3, ?4, 0) ON CONFLICT DO NOTHING",
            )
            .and_then(|mut s| {
                let (mode, at) = (Mode::Autonomous.as_str(), change.at.ticks());
                s.execute(params![mode, update.0.as_bytes(), at, decided.ticks()])
            })
            .during("decline what came again")?;
            continue;
        }
        let subject = subject::subject(tx, decisions, update)?;
        if let Err(error) = decisions.decline_again(&subject, decided, change) {
            tracing::info!(%update, %error, "it was declined before it was removed, and came again");
        }
    }
    Ok(())
}

/// When somebody declined an update that was removed; that is known of what is here from now on.
fn forget(tx: &Transaction<'_>, update: UpdateId) -> Result<Option<Timestamp>, StoreError> {
    tx.prepare_cached("DELETE FROM removed_decline WHERE update_id = ?1 RETURNING decided_at")
        .and_then(|mut s| s.query_row([update.0.as_bytes()], |row| Ok(row.time(0))).optional())
        .during("look for the decline of what was removed")?
        .transpose()
}
