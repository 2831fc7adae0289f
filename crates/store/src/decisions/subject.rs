//! Store: what policy has to know about an update, looked up in one state of the catalog.

use crate::catalog::decode_record;
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError};
use rusqlite::{Connection, OptionalExtension};
use sluicegate_catalog::{ScanRecord, Traits};
use sluicegate_policy::{Decisions, EulaId, KnownRevision, Subject};
use sluicegate_terms::{Guid, RevisionNumber, UpdateId, UpdateIdentity};
use std::collections::BTreeMap;

/// An update by its newest revision.
pub(crate) fn subject(
    db: &Connection,
    decisions: &Decisions,
    update: UpdateId,
) -> Result<Subject, StoreError> {
    let newest = record(db, update, None)?.ok_or(StoreError::UnknownUpdate(update))?;
    let eula = db
        .prepare_cached(
            "SELECT e.eula FROM known_update k JOIN revision_eula e ON e.revision_id = k.newest
             WHERE k.update_id = ?1",
        )
        .and_then(|mut s| s.query_row([update.0.as_bytes()], |row| row.get::<_, [u8; 16]>(0)).optional())
        .during("look up licence terms")?;
    let own = traits(db, newest.identity)?;
    let (removable, may_ask) = with_parts(db, own, &newest)?;
    Ok(Subject {
        update,
        kind: newest.kind,
        explicitly_deployable: newest.explicitly_deployable,
        expired: newest.expired,
        bundled_by: bundled_by(db, decisions, update)?,
        eula: eula.map(|id| EulaId(Guid::from_bytes(id))),
        removable,
        may_ask,
        superseded_by: superseded_by(db, update)?,
    })
}

/// What each revision of an update says that decides which orders are possible with it. One whose row is damaged cannot
/// serve, and is left out.
pub(super) fn revisions(
    db: &Connection,
    update: UpdateId,
) -> Result<BTreeMap<RevisionNumber, KnownRevision>, StoreError> {
    let mut statement = db
        .prepare_cached(
            "SELECT r.number, r.arrived_at, r.record, l.traits, e.eula FROM revision r
             LEFT JOIN listing l ON l.revision_id = r.id LEFT JOIN revision_eula e ON e.revision_id = r.id
             WHERE r.update_id = ?1",
        )
        .during("look up the revisions of an update")?;
    let mut rows = statement.query([update.0.as_bytes()]).during("look up the revisions of an update")?;
    let mut found = BTreeMap::new();
    for_rows(&mut rows, |row| {
        let number = row.revision_number(0)?;
        let get = "look up the revisions of an update";
        let (bytes, text): (Vec<u8>, Option<String>) = (row.get(2).during(get)?, row.get(3).during(get)?);
        let eula: Option<[u8; 16]> = row.get(4).during(get)?;
        let Ok(record) = decode_record(UpdateIdentity { update, revision: number }, &bytes) else {
            return Ok(());
        };
        let own = text.map(|text| Traits::from_text(&text));
        let (removable, may_ask) = with_parts(db, own, &record)?;
        let one = KnownRevision {
            came: row.time(1)?,
            deployable: record.explicitly_deployable,
            expired: record.expired,
            eula: eula.map(|id| EulaId(Guid::from_bytes(id))),
            removable,
            may_ask,
        };
        found.insert(number, one);
        Ok(())
    })?;
    Ok(found)
}

/// Whether a revision can be removed, and whether it may ask. A bundle can be removed when its parts can, and asks when
/// one of them does.
fn with_parts(db: &Connection, own: Option<Traits>, record: &ScanRecord) -> Result<(bool, bool), StoreError> {
    let mut parts = Vec::new();
    for member in record.bundles.iter().flatten() {
        parts.extend(traits(db, *member)?);
    }
    let parts_removable = !parts.is_empty() && parts.iter().all(|part| part.removable);
    // What is not known yet is not held against it.
    let removable = own.as_ref().is_none_or(|own| own.removable) || parts_removable;
    Ok((removable, own.iter().chain(&parts).any(|one| one.may_ask)))
}

/// What the document of a revision declares; `None` when that was not kept.
fn traits(db: &Connection, identity: UpdateIdentity) -> Result<Option<Traits>, StoreError> {
    let text = db
        .prepare_cached(
            "SELECT l.traits FROM revision r CROSS JOIN listing l ON l.revision_id = r.id
             WHERE r.update_id = ?1 AND r.number = ?2",
        )
        .and_then(|mut s| {
            let key = (identity.update.0.as_bytes(), identity.revision.get());
            s.query_row(key, |row| row.get::<_, Option<String>>(0)).optional()
        })
        .during("look up what an update declares")?;
    Ok(text.flatten().map(|text| Traits::from_text(&text)))
}

/// A bundle whose revision in service has this member; what only an older or a held revision bundles is
/// approved by itself, as scans see it.
fn bundled_by(
    db: &Connection,
    decisions: &Decisions,
    member: UpdateId,
) -> Result<Option<UpdateId>, StoreError> {
    let bundles = ids(db, "SELECT bundle FROM bundle_member WHERE member = ?1", member)?;
    for bundle in bundles {
        let serving = decisions.held.get(&bundle).map(|hold| hold.serving);
        let record = record(db, bundle, serving)?;
        if record.is_some_and(|r| r.bundles.iter().flatten().any(|identity| identity.update == member)) {
            return Ok(Some(bundle));
        }
    }
    Ok(None)
}

/// An update that is not declined and whose newest revision supersedes this one.
fn superseded_by(db: &Connection, update: UpdateId) -> Result<Option<UpdateId>, StoreError> {
    let sql = "SELECT k.update_id FROM supersedence s JOIN known_update k ON k.newest = s.revision_id
               WHERE s.superseded = ?1
                   AND NOT EXISTS (SELECT 1 FROM decline d WHERE d.update_id = k.update_id) LIMIT 1";
    Ok(ids(db, sql, update)?.into_iter().next())
}

fn ids(db: &Connection, sql: &str, update: UpdateId) -> Result<Vec<UpdateId>, StoreError> {
    let mut statement = db.prepare_cached(sql).during("look up relations of an update")?;
    let mut rows = statement.query([update.0.as_bytes()]).during("look up relations of an update")?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().during("look up relations of an update")? {
        found.push(row.update(0)?);
    }
    Ok(found)
}

/// The record of an update's revision with this number, or of its newest.
pub(super) fn record(
    db: &Connection,
    update: UpdateId,
    number: Option<RevisionNumber>,
) -> Result<Option<ScanRecord>, StoreError> {
    let sql = match number {
        Some(_) => "SELECT number, record FROM revision WHERE update_id = ?1 AND number = ?2",
        None => {
            "SELECT r.number, r.record FROM known_update k JOIN revision r ON r.id = k.newest
             WHERE k.update_id = ?1 AND ?2 = 0"
        }
    };
    let wanted = number.map_or(0, RevisionNumber::get);
    let found = db
        .prepare_cached(sql)
        .and_then(|mut s| {
            s.query_row((update.0.as_bytes(), wanted), |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
            })
            .optional()
        })
        .during("look up an update")?;
    found
        .map(|(number, bytes)| {
            let revision = RevisionNumber::new(number).unwrap_or_default();
            decode_record(UpdateIdentity { update, revision }, &bytes)
        })
        .transpose()
}
