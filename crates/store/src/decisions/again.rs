//! Store: what somebody had declined, or said to be not approved for a group, when cleanup removed it. That goes with the
//! update, and nobody took it back: when the update comes again, it is so again, before rules look at it and before older
//! decisions are carried here.

use super::{refused, subject};
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sluicegate_policy::hierarchy::Mode;
use sluicegate_policy::{Approval, ApprovalAction, Arrival, Change, Decisions, Denial, Stamp};
use sluicegate_terms::{Timestamp, UpdateId};

/// Remembers what somebody refused of an update that cleanup removes now, in the mode the server is in or in its own
/// before it became a replica. What was put aside with an approval of any kind is not removed.
pub(crate) fn remember(
    tx: &Transaction<'_>,
    decisions: &Decisions,
    update: UpdateId,
    replica: bool,
) -> Result<(), StoreError> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<(), StoreError> {
        tx.prepare_cached(sql).and_then(|mut s| s.execute(values)).during("remember a decline").map(|_| ())
    };
    let id = update.0.as_bytes();
    let declined = decisions.declined.get(&update).filter(|own| !own.automatic && !replica);
    if let Some(own) = declined {
        run(
            "INSERT INTO removed_decline (update_id, decided_at) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET decided_at = ?2",
            params![id, own.decided.ticks()],
        )?;
    }
    // Somebody said so, though a filter or an expiry declined the update. Nothing else is approved of what is removed.
    let denied = |own: &&Approval| !own.action.deploys() && !replica;
    for own in decisions.approvals.of(update).filter(denied) {
        run(
            "INSERT INTO removed_denial (update_id, group_id, admin, decided_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET admin = ?3, decided_at = ?4",
            params![id, own.group.0.as_bytes(), own.by, own.changed_at.ticks()],
        )?;
    }
    run(
        "INSERT INTO removed_decline (update_id, decided_at)
         SELECT update_id, coalesce(decided_at, changed_at) FROM aside_decline
         WHERE update_id = ?1 AND mode = ?2 AND automatic = 0 AND coalesce(decided_at, changed_at) IS NOT NULL
         ON CONFLICT DO NOTHING",
        params![id, Mode::Autonomous.as_str()],
    )
}

/// Whether there is anything to remember.
pub(super) fn any(db: &Connection) -> Result<bool, StoreError> {
    db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM removed_decline) OR EXISTS (SELECT 1 FROM removed_denial)",
    )
    .and_then(|mut s| s.query_row([], |row| row.get(0)))
    .during("look for declines of what was removed")
}

/// Declines what came again. On a replica that is for the time when it decides itself. What is part of a bundle now
/// follows that one. Answers for which groups what came is not approved besides: [`deny`] says so once filters have looked
/// at it, which leave alone what anybody decided about.
pub(super) fn decline(
    tx: &Transaction<'_>,
    decisions: &mut Decisions,
    arrivals: &[Arrival],
    replica: bool,
    change: Change,
) -> Result<Vec<(UpdateId, Vec<Denial>)>, StoreError> {
    let mut denied = Vec::new();
    for update in arrivals.iter().filter(|arrival| arrival.replaces.is_none()).map(|arrival| arrival.update) {
        let (decided, denials) = forget(tx, update)?;
        if replica {
            put_aside(tx, update, decided, &denials, change.at)?;
            continue;
        }
        if !denials.is_empty() {
            denied.push((update, denials));
        }
        let Some(decided) = decided else { continue };
        let subject = subject::subject(tx, decisions, update)?;
        if let Err(error) = decisions.decline_again(&subject, decided, change) {
            tracing::info!(%update, %error, "it was declined before it was removed, and came again");
        }
    }
    Ok(denied)
}

/// Says that what came again is not approved for these groups.
pub(super) fn deny(
    decisions: &mut Decisions,
    denied: Vec<(UpdateId, Vec<Denial>)>,
    stamp: &mut Stamp,
) -> Result<(), StoreError> {
    denied
        .into_iter()
        .try_for_each(|(update, denials)| decisions.deny_again(update, denials, stamp).map_err(refused))
}

fn put_aside(
    tx: &Transaction<'_>,
    update: UpdateId,
    decided: Option<Timestamp>,
    denials: &[Denial],
    now: Timestamp,
) -> Result<(), StoreError> {
    let (mode, id) = (Mode::Autonomous.as_str(), update.0.as_bytes());
    if let Some(decided) = decided {
        tx.prepare_cached(
            "INSERT INTO aside_decline (mode, update_id, changed_at, decided_at, automatic)
             VALUES (?1, ?2, ?3, ?4, 0) ON CONFLICT DO NOTHING",
        )
        .and_then(|mut s| s.execute(params![mode, id, now.ticks(), decided.ticks()]))
        .during("decline what came again")?;
    }
    for own in denials {
        tx.prepare_cached(
            "INSERT INTO aside_approval (mode, update_id, group_id, action, admin, changed_at, newest)
             SELECT ?1, ?2, id, ?4, ?5, ?6,
                 (SELECT r.number FROM known_update k JOIN revision r ON r.id = k.newest WHERE k.update_id = ?2)
             FROM aside_group WHERE mode = ?1 AND id = ?3 ON CONFLICT DO NOTHING",
        )
        .and_then(|mut s| {
            let denied = ApprovalAction::NotApproved.as_str();
            s.execute(params![mode, id, own.group.0.as_bytes(), denied, own.by, own.at.ticks()])
        })
        .during("decline what came again")?;
    }
    Ok(())
}

/// Whether an update is declined, though nobody decided so, as this server's own administrators left it.
pub(super) fn is_declined_aside(tx: &Transaction<'_>, update: UpdateId) -> Result<bool, StoreError> {
    tx.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM aside_decline WHERE mode = ?1 AND update_id = ?2 AND automatic = 1)",
    )
    .and_then(|mut s| s.query_row(params![Mode::Autonomous.as_str(), update.0.as_bytes()], |row| row.get(0)))
    .during("look for a decline that was put aside")
}

/// Forgets that.
pub(super) fn undecline_aside(tx: &Transaction<'_>, update: UpdateId) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM aside_decline WHERE mode = ?1 AND update_id = ?2 AND automatic = 1")
        .and_then(|mut s| s.execute(params![Mode::Autonomous.as_str(), update.0.as_bytes()]))
        .during("take back a decline that was put aside")
        .map(|_| ())
}

/// When somebody declined an update that was removed, if so, and for which groups it is not approved besides; that is
/// known of what is here from now on.
fn forget(tx: &Transaction<'_>, update: UpdateId) -> Result<(Option<Timestamp>, Vec<Denial>), StoreError> {
    let what = "look for the decline of what was removed";
    let decided = tx
        .prepare_cached("DELETE FROM removed_decline WHERE update_id = ?1 RETURNING decided_at")
        .and_then(|mut s| s.query_row([update.0.as_bytes()], |row| Ok(row.time(0))).optional())
        .during(what)?
        .transpose()?;
    let mut statement = tx
        .prepare_cached(
            "DELETE FROM removed_denial WHERE update_id = ?1 RETURNING group_id, admin, decided_at",
        )
        .during(what)?;
    let mut rows = statement.query([update.0.as_bytes()]).during(what)?;
    let mut denials = Vec::new();
    for_rows(&mut rows, |row| {
        denials.push(Denial { group: row.group(0)?, by: row.text(1)?, at: row.time(2)? });
        Ok(())
    })?;
    Ok((decided, denials))
}
