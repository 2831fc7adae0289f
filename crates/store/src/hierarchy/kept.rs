//! Store: the decisions of the mode a server is not in, as rows: groups, approvals, declines, what waits and what was
//! taken away, each with its time.

use crate::catalog::decode_record;
use crate::columns::{Columns, for_rows};
use crate::decisions::{reason_columns, reason_of_columns};
use crate::error::{During, StoreError, StoredAs};
use rusqlite::{Row, Transaction, params};
use sluicegate_policy::hierarchy::{KeptDecisions, Mode};
use sluicegate_policy::{CarriedApproval, Change, Decisions, Decline, Group, GroupName, Hold};
use sluicegate_terms::{Anchor, GroupId, Guid, RevisionNumber, Timestamp, UpdateId, UpdateIdentity};
use std::collections::BTreeSet;

const TABLES: [&str; 7] = [
    "aside_group",
    "aside_approval",
    "aside_decline",
    "aside_held",
    "aside_withdrawn",
    "aside_restored",
    "aside_membership",
];

pub(super) fn drop_aside(tx: &Transaction<'_>, mode: Mode) -> Result<(), StoreError> {
    for table in TABLES {
        tx.execute(&format!("DELETE FROM {table} WHERE mode = ?1"), [mode.as_str()])
            .during("switch the mode")?;
    }
    Ok(())
}

pub(super) fn put_aside(tx: &Transaction<'_>, mode: Mode, decisions: &Decisions) -> Result<(), StoreError> {
    drop_aside(tx, mode)?;
    let mode = mode.as_str();
    // Revisions with a higher id came while the other mode was in force; ids are never given twice.
    tx.execute(
        "INSERT INTO counter (name, value) SELECT 'aside-' || ?1, coalesce(max(id), 0) FROM revision WHERE true
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        [mode],
    )
    .during("switch the mode")?;
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<(), StoreError> {
        tx.prepare_cached(sql).and_then(|mut s| s.execute(values)).during("switch the mode").map(|_| ())
    };
    for group in decisions.groups.iter() {
        run(
            "INSERT INTO aside_group (mode, id, name, parent) VALUES (?1, ?2, ?3, ?4)",
            params![
                mode,
                group.id.0.as_bytes(),
                group.name.as_str(),
                group.parent.as_ref().map(|p| p.0.as_bytes())
            ],
        )?;
    }
    for a in decisions.approvals.values() {
        run(
            "INSERT INTO aside_approval (mode, update_id, group_id, action, deadline, admin, changed_at, newest)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,
                 (SELECT r.number FROM known_update k JOIN revision r ON r.id = k.newest WHERE k.update_id = ?2))",
            params![
                mode,
                a.update.0.as_bytes(),
                a.group.0.as_bytes(),
                a.action.as_str(),
                a.deadline.map(Timestamp::ticks),
                a.by,
                a.changed_at.ticks()
            ],
        )?;
    }
    for (update, own) in &decisions.declined {
        run(
            "INSERT INTO aside_decline (mode, update_id, changed_at, decided_at, automatic)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![mode, update.0.as_bytes(), own.at.ticks(), own.decided.ticks(), own.automatic],
        )?;
    }
    for (update, hold) in &decisions.held {
        let (eula, refused) = reason_columns(&hold.reason);
        run(
            "INSERT INTO aside_held (mode, update_id, serving, eula, changed_at, refused)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![mode, update.0.as_bytes(), hold.serving.get(), eula, hold.since.at.ticks(), refused],
        )?;
    }
    for ((update, group), mark) in &decisions.withdrawn {
        if let Some(at) = mark.decided {
            run(
                "INSERT INTO aside_withdrawn (mode, update_id, group_id, changed_at) VALUES (?1, ?2, ?3, ?4)",
                params![mode, update.0.as_bytes(), group.0.as_bytes(), at.ticks()],
            )?;
        }
    }
    for (update, mark) in &decisions.restored {
        if let Some(at) = mark.decided {
            run(
                "INSERT INTO aside_restored (mode, update_id, changed_at) VALUES (?1, ?2, ?3)",
                params![mode, update.0.as_bytes(), at.ticks()],
            )?;
        }
    }
    run(
        "INSERT INTO aside_membership (mode, group_id, computer) SELECT ?1, group_id, computer FROM membership",
        params![mode],
    )
}

/// What was put aside; `None` when nothing ever was. Every mode has at least the built-in groups. What an earlier
/// version put aside without its time is as of `now`.
pub(super) fn from_aside(
    tx: &Transaction<'_>,
    mode: Mode,
    now: Timestamp,
) -> Result<Option<KeptDecisions>, StoreError> {
    let mut kept = KeptDecisions::default();
    let read = |sql: &str, each: &mut dyn FnMut(&Row<'_>) -> Result<(), StoreError>| {
        let mut statement = tx.prepare_cached(sql).during("read what was put aside")?;
        let mut rows = statement.query([mode.as_str()]).during("read what was put aside")?;
        for_rows(&mut rows, each)
    };
    read("SELECT id, name, parent FROM aside_group WHERE mode = ?1", &mut |row| {
        let parent: Option<[u8; 16]> = row.get(2).during("read a group")?;
        kept.groups.push(Group {
            id: row.group(0)?,
            name: row.text(1)?.parse::<GroupName>()?,
            parent: parent.map(|p| GroupId(Guid::from_bytes(p))),
        });
        Ok(())
    })?;
    if kept.groups.is_empty() {
        return Ok(None);
    }
    read(
        "SELECT update_id, group_id, action, deadline, admin, changed_at, newest FROM aside_approval
         WHERE mode = ?1",
        &mut |row| {
            let update = row.update(0)?;
            kept.approvals.push(CarriedApproval {
                update,
                group: row.group(1)?,
                action: row.text(2)?.parse()?,
                deadline: row.time_if_any(3)?,
                by: row.text(4)?,
                at: row.time_if_any(5)?.unwrap_or(now),
            });
            if let Some(newest) = row.get::<_, Option<i64>>(6).during("read what was put aside")? {
                kept.newest.insert(update, RevisionNumber::new(newest).stored_as("revision number")?);
            }
            Ok(())
        },
    )?;
    read(
        "SELECT update_id, changed_at, decided_at, automatic FROM aside_decline WHERE mode = ?1",
        &mut |row| {
            let at = row.time_if_any(1)?.unwrap_or(now);
            let (decided, automatic) = (row.time_if_any(2)?.unwrap_or(at), row.int(3)? != 0);
            let decline = Decline { anchor: Anchor::START, at, decided, automatic };
            kept.declined.insert(row.update(0)?, decline);
            Ok(())
        },
    )?;
    read(
        "SELECT update_id, serving, eula, changed_at, refused FROM aside_held WHERE mode = ?1",
        &mut |row| {
            let eula = row.get::<_, Option<[u8; 16]>>(2).during("read what was put aside")?;
            let refused = row.get::<_, Option<String>>(4).during("read what was put aside")?;
            let reason = reason_of_columns(eula, refused.as_deref());
            let since = Change { anchor: Anchor::START, at: row.time(3)? };
            kept.held.insert(row.update(0)?, Hold { serving: row.revision_number(1)?, reason, since });
            Ok(())
        },
    )?;
    read("SELECT update_id, group_id, changed_at FROM aside_withdrawn WHERE mode = ?1", &mut |row| {
        kept.withdrawn.insert((row.update(0)?, row.group(1)?), row.time(2)?);
        Ok(())
    })?;
    read("SELECT update_id, changed_at FROM aside_restored WHERE mode = ?1", &mut |row| {
        kept.restored.insert(row.update(0)?, row.time(1)?);
        Ok(())
    })?;
    kept.expired = expired_since(tx, mode)?;
    Ok(Some(kept))
}

/// Updates that a revision which replaced another one let expire since a mode was put aside. Earlier versions did not note
/// since when it is; then nothing is held against anything.
fn expired_since(tx: &Transaction<'_>, mode: Mode) -> Result<BTreeSet<UpdateId>, StoreError> {
    let mut statement = tx
        .prepare_cached(
            "SELECT r.update_id, r.number, r.record FROM revision r CROSS JOIN known_update k ON k.newest = r.id
             CROSS JOIN listing l ON l.revision_id = r.id
             WHERE r.id > (SELECT value FROM counter WHERE name = 'aside-' || ?1) AND l.first = 0",
        )
        .during("look what came since")?;
    let mut rows = statement.query([mode.as_str()]).during("look what came since")?;
    let mut expired = BTreeSet::new();
    for_rows(&mut rows, |row| {
        let identity = UpdateIdentity { update: row.update(0)?, revision: row.revision_number(1)? };
        let record: Vec<u8> = row.get(2).during("look what came since")?;
        if decode_record(identity, &record)?.expired {
            expired.insert(identity.update);
        }
        Ok(())
    })?;
    Ok(expired)
}
