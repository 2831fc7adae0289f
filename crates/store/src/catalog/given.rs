//! Store: which revisions clients are given, as scans see it: of each update the one in service, which is the newest or
//! another while that one is held, and of members the revisions that bundles name. Who fetches or removes files asks here.

use crate::catalog::decode_record;
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError};
use rusqlite::{Connection, OptionalExtension, Row, params};
use sluicegate_terms::{RevisionNumber, Sha1Digest, UpdateId, UpdateIdentity};
use std::collections::BTreeSet;

/// The id of the revision in service of the update in `k`. Should the one that stays be gone, the newest is what is left.
macro_rules! serving {
    () => {
        "coalesce((SELECT s.id FROM held h CROSS JOIN revision s ON s.update_id = h.update_id AND s.number = h.serving
             WHERE h.update_id = k.update_id), k.newest)"
    };
}

/// Whether any revision of the update in `k` bundles something; seldom, and cheaper to know than to read its record.
macro_rules! bundles {
    () => {
        "EXISTS (SELECT 1 FROM bundle_member m WHERE m.bundle = k.update_id)"
    };
}

/// The revisions in service of what is approved to be installed. `CROSS JOIN` keeps the order of the tables: what a plan
/// made without statistics begins with may be the whole catalog.
const APPROVED: &str = concat!(
    "SELECT DISTINCT ",
    serving!(),
    ", ",
    bundles!(),
    " FROM approval a CROSS JOIN known_update k ON k.update_id = a.update_id WHERE a.action = 'install'"
);

/// The revision of a member: the one that the bundle names, or the one in service where that is not here.
const MEMBER: &str = concat!(
    "SELECT coalesce((SELECT n.id FROM revision n WHERE n.update_id = ?1 AND n.number = ?2), ",
    serving!(),
    "), ",
    bundles!(),
    " FROM known_update k WHERE k.update_id = ?1"
);

/// What a revision bundles is in its record.
const RECORD: &str = "SELECT update_id, number, record FROM revision WHERE id = ?1";

/// The revisions that name a file: which, and whether it is the newest or the one in service of an update that is not
/// declined.
const DECLARING: &str = concat!(
    "SELECT r.update_id, r.number, (r.id = k.newest OR r.id = ",
    serving!(),
    ")
         AND NOT EXISTS (SELECT 1 FROM decline d WHERE d.update_id = k.update_id)
     FROM revision_file f CROSS JOIN revision r ON r.id = f.revision_id
     CROSS JOIN known_update k ON k.update_id = r.update_id WHERE f.sha1 = ?1"
);

/// The revisions that may bundle a revision of an update, and whether each is in service and its update not declined.
const BUNDLING: &str = concat!(
    "SELECT b.update_id, b.number, b.record, b.id = ",
    serving!(),
    "
         AND NOT EXISTS (SELECT 1 FROM decline d WHERE d.update_id = k.update_id)
     FROM bundle_member m CROSS JOIN known_update k ON k.update_id = m.bundle
     CROSS JOIN revision b ON b.update_id = k.update_id WHERE m.member = ?1"
);

/// Whether a revision `x` of the update in `k` is one that this server, which is a replica now, has in service for what
/// it approved where it decides itself.
macro_rules! aside {
    () => {
        "EXISTS (SELECT 1 FROM aside_approval a WHERE a.mode = 'autonomous' AND a.update_id = k.update_id
             AND a.action <> 'not-approved' AND (x.number = coalesce(a.newest, x.number) OR x.id = k.newest))
         OR EXISTS (SELECT 1 FROM aside_held h WHERE h.mode = 'autonomous' AND h.update_id = k.update_id
             AND h.serving = x.number)"
    };
}

/// As [`DECLARING`], of what is put aside.
const DECLARING_ASIDE: &str = concat!(
    "SELECT x.update_id, x.number, ",
    aside!(),
    " FROM revision_file f CROSS JOIN revision x ON x.id = f.revision_id
     CROSS JOIN known_update k ON k.update_id = x.update_id WHERE f.sha1 = ?1"
);

/// As [`BUNDLING`], of what is put aside.
const BUNDLING_ASIDE: &str = concat!(
    "SELECT x.update_id, x.number, x.record, ",
    aside!(),
    " FROM bundle_member m CROSS JOIN known_update k ON k.update_id = m.bundle
     CROSS JOIN revision x ON x.update_id = k.update_id WHERE m.member = ?1"
);

/// All questions asked here, for the test that reads their plans.
#[cfg(test)]
pub(crate) const QUESTIONS: [&str; 7] =
    [APPROVED, MEMBER, RECORD, DECLARING, BUNDLING, DECLARING_ASIDE, BUNDLING_ASIDE];

const DURING: &str = "look up what clients are given";

/// The ids of the revisions in service of updates that are approved to be installed, and of all that they bundle. Costs
/// what is approved.
pub(crate) fn of_approved(db: &Connection) -> Result<BTreeSet<i64>, StoreError> {
    let mut given = BTreeSet::new();
    let mut bundles = Vec::new();
    let mut take = |row: &Row<'_>, bundles: &mut Vec<i64>| {
        let revision = row.int(0)?;
        if given.insert(revision) && row.int(1)? != 0 {
            bundles.push(revision);
        }
        Ok::<_, StoreError>(())
    };
    let mut approved = db.prepare_cached(APPROVED).during(DURING)?;
    for_rows(&mut approved.query([]).during(DURING)?, |row| take(row, &mut bundles))?;
    let mut record = db.prepare_cached(RECORD).during(DURING)?;
    let mut of_member = db.prepare_cached(MEMBER).during(DURING)?;
    while let Some(bundle) = bundles.pop() {
        let members = record.query_row([bundle], |row| Ok(members(row))).optional().during(DURING)?;
        for member in members.transpose()?.unwrap_or_default() {
            let named = params![member.update.0.as_bytes(), member.revision.get()];
            for_rows(&mut of_member.query(named).during(DURING)?, |row| take(row, &mut bundles))?;
        }
    }
    Ok(given)
}

/// Whether a file belongs to what is or will be in service: to the newest revision of an update that is not declined, to
/// the one in service, or to a member that a bundle in service names.
pub(crate) fn needs_file(db: &Connection, sha1: Sha1Digest) -> Result<bool, StoreError> {
    belongs(db, sha1, DECLARING, BUNDLING)
}

/// Whether a file belongs to what will be in service when this server, a replica, decides itself again. It may have
/// nobody then to fetch it from.
pub(crate) fn is_put_aside(db: &Connection, sha1: Sha1Digest) -> Result<bool, StoreError> {
    belongs(db, sha1, DECLARING_ASIDE, BUNDLING_ASIDE)
}

/// Whether a revision that names a file is one that `declaring` chooses, or bundled by one that `bundling` chooses.
fn belongs(
    db: &Connection,
    sha1: Sha1Digest,
    declaring: &'static str,
    bundling: &'static str,
) -> Result<bool, StoreError> {
    let mut others = Vec::new();
    let mut statement = db.prepare_cached(declaring).during(DURING)?;
    let mut rows = statement.query([sha1.0]).during(DURING)?;
    while let Some(row) = rows.next().during(DURING)? {
        if row.int(2)? != 0 {
            return Ok(true);
        }
        others.push(UpdateIdentity { update: row.update(0)?, revision: row.revision_number(1)? });
    }
    for identity in others {
        if is_bundled(db, identity, bundling)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether clients are given a revision as what its update is, or as what a bundle in service names.
pub(crate) fn is_given(
    db: &Connection,
    update: UpdateId,
    revision: RevisionNumber,
    serving: RevisionNumber,
) -> Result<bool, StoreError> {
    Ok(revision == serving || is_bundled(db, UpdateIdentity { update, revision }, BUNDLING)?)
}

/// Whether a bundle that `bundling` chooses names a revision, or a revision of a bundle that is named by one itself.
fn is_bundled(db: &Connection, member: UpdateIdentity, bundling: &'static str) -> Result<bool, StoreError> {
    let mut seen = BTreeSet::from([member]);
    let mut open = vec![member];
    let mut statement = db.prepare_cached(bundling).during(DURING)?;
    while let Some(member) = open.pop() {
        let mut rows = statement.query([member.update.0.as_bytes()]).during(DURING)?;
        while let Some(row) = rows.next().during(DURING)? {
            if !members(row)?.contains(&member) {
                continue;
            }
            if row.int(3)? != 0 {
                return Ok(true);
            }
            let bundle = UpdateIdentity { update: row.update(0)?, revision: row.revision_number(1)? };
            if seen.insert(bundle) {
                open.push(bundle);
            }
        }
    }
    Ok(false)
}

/// The members of the revision in a row. Nobody is given a revision whose record is damaged, so it has none; `check` tells.
fn members(row: &Row<'_>) -> Result<Vec<UpdateIdentity>, StoreError> {
    let identity = UpdateIdentity { update: row.update(0)?, revision: row.revision_number(1)? };
    let record: Vec<u8> = row.get(2).during(DURING)?;
    let record = decode_record(identity, &record).ok();
    Ok(record.map(|record| record.bundles.into_iter().flatten().collect()).unwrap_or_default())
}
