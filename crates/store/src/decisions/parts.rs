//! Store: updates that were declined alone and are parts of a bundle in service now. They follow the bundle, and nobody
//! can decide about them by themselves, so the decline goes: it would only be shown, and nobody could take it back.

use super::subject;
use crate::Store;
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError};
use rusqlite::{Connection, Transaction};
use sluicegate_policy::{Change, Decisions};
use sluicegate_terms::{Timestamp, UpdateId};
use std::collections::BTreeSet;

/// Lets go of declines of parts, as `before` became `after` and bundles came that have the declined updates `parts`.
pub(crate) fn follow(
    tx: &Transaction<'_>,
    before: &Decisions,
    after: &mut Decisions,
    parts: BTreeSet<UpdateId>,
    change: Change,
) -> Result<(), StoreError> {
    // Bundles that may have another revision in service, or are in service again.
    let serving = |decisions: &Decisions, update| decisions.held.get(update).map(|hold| hold.serving);
    let turned = (before.held.keys().chain(after.held.keys()))
        .filter(|update| serving(before, update) != serving(after, update));
    let again = before.declined.keys().filter(|update| !after.declined.contains_key(update));
    let mut declined = parts_of(tx, after, turned.chain(again).copied())?;
    declined.extend(parts);
    declined.extend(after.declined.keys().filter(|update| !before.declined.contains_key(update)));
    release(tx, after, declined, change)
}

/// The declined ones among the members that revisions of these updates bundle.
pub(super) fn parts_of(
    db: &Connection,
    decisions: &Decisions,
    bundles: impl Iterator<Item = UpdateId>,
) -> Result<BTreeSet<UpdateId>, StoreError> {
    let mut declined = BTreeSet::new();
    if decisions.declined.is_empty() {
        return Ok(declined);
    }
    let mut members = db
        .prepare_cached("SELECT member FROM bundle_member WHERE bundle = ?1")
        .during("look up the members of a bundle")?;
    for bundle in bundles.collect::<BTreeSet<_>>() {
        let mut rows = members.query([bundle.0.as_bytes()]).during("look up the members of a bundle")?;
        for_rows(&mut rows, |row| {
            declined.extend(Some(row.update(0)?).filter(|member| decisions.declined.contains_key(member)));
            Ok(())
        })?;
    }
    Ok(declined)
}

/// Those of these updates that are parts of bundles in service are declined no longer.
fn release(
    db: &Connection,
    decisions: &mut Decisions,
    declined: BTreeSet<UpdateId>,
    change: Change,
) -> Result<(), StoreError> {
    for update in declined {
        let in_force = |bundle| !decisions.declined.contains_key(&bundle);
        if let Some(bundle) = subject::bundled_by(db, decisions, update, in_force)? {
            tracing::info!(%update, %bundle, "it was declined alone, and is a part of the bundle now and follows it");
            decisions.follow_bundle(update, change);
        }
    }
    Ok(())
}

impl Store {
    /// Lets go of declines of parts that earlier versions kept.
    pub(crate) fn release_parts(&self, now: Timestamp) -> Result<(), StoreError> {
        let parts = |db: &Connection| {
            let mut found = BTreeSet::new();
            let mut statement = db
                .prepare_cached(
                    "SELECT d.update_id FROM decline d
                     WHERE EXISTS (SELECT 1 FROM bundle_member b WHERE b.member = d.update_id)",
                )
                .during("look for declined parts of bundles")?;
            let mut rows = statement.query([]).during("look for declined parts of bundles")?;
            for_rows(&mut rows, |row| {
                found.insert(row.update(0)?);
                Ok(())
            })?;
            Ok::<_, StoreError>(found)
        };
        let before = self.decisions();
        let mut trial = Decisions::clone(&before);
        let change = Change { anchor: self.anchor(), at: now };
        self.shared.database.read(|db| release(db, &mut trial, parts(db)?, change))?;
        if trial == *before {
            return Ok(());
        }
        self.change_decisions_inside(now, |tx, decisions, scope| {
            release(tx, decisions, parts(tx)?, scope.change)
        })
    }
}
