//! Store: quarantine. Two kinds of rows: documents that wait for others (their bytes are kept and they
//! enter by themselves), and documents that were refused (only shown, until a good one replaces them).

use crate::Store;
use crate::catalog::commit::decode_record;
use crate::catalog::document::Form;
use crate::catalog::import::{Quarantined, Staged};
use crate::catalog::summary::Summary;
use crate::columns::{Columns, for_rows, signed};
use crate::error::{During, StoreError};
use crate::segment::Place;
use rusqlite::{Connection, Transaction, params};
use sluicegate_catalog::ScanRecord;
use sluicegate_terms::{RevisionNumber, Sha256Digest, Timestamp, UpdateId, UpdateIdentity};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Most refusals kept; the oldest are forgotten.
const MOST_REFUSALS: u32 = 10_000;

/// Something in quarantine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuarantineEntry {
    /// What and why.
    pub entry: Quarantined,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// It enters by itself when what it needs arrives; else the document itself has to change.
    pub waits: bool,
}

impl Store {
    /// What is in quarantine, oldest first.
    ///
    /// # Errors
    /// A failure to read.
    pub fn quarantine(&self) -> Result<Vec<QuarantineEntry>, StoreError> {
        self.shared.database.read(|db| {
            let mut statement = db
                .prepare_cached(
                    "SELECT source, update_id, number, reason, first_seen, held FROM quarantine ORDER BY first_seen, id",
                )
                .during("read the quarantine")?;
            let mut rows = statement.query([]).during("read the quarantine")?;
            let mut entries = Vec::new();
            for_rows(&mut rows, |row| {
                let update = row.get::<_, Option<[u8; 16]>>(1).during("read the quarantine")?;
                let number = row.get::<_, Option<i64>>(2).during("read the quarantine")?;
                entries.push(QuarantineEntry {
                    entry: Quarantined {
                        source: row.text(0)?,
                        update: update.map(|id| UpdateId(sluicegate_terms::Guid::from_bytes(id))),
                        revision: number.and_then(|n| RevisionNumber::new(n).ok()),
                        reason: row.text(3)?,
                    },
                    first_seen: row.time(4)?,
                    waits: row.int(5)? != 0,
                });
                Ok(())
            })?;
            Ok(entries)
        })
    }
}

/// The waiting documents that revisions of these updates may release, directly or through each other, and
/// those that came again. With many waiting, looking at all of them for each batch of an import would cost
/// their square.
pub(crate) fn held(
    tx: &Transaction<'_>,
    arrived: impl Iterator<Item = UpdateId>,
    again: &HashSet<UpdateIdentity>,
) -> Result<Vec<Staged>, StoreError> {
    let some: bool = tx
        .query_row("SELECT EXISTS (SELECT 1 FROM quarantine WHERE held = 1)", [], |row| row.get(0))
        .during("read the quarantine")?;
    if !some {
        return Ok(Vec::new());
    }
    let mut rows: BTreeSet<i64> = BTreeSet::new();
    let mut open: Vec<UpdateId> = arrived.collect();
    let mut seen: HashSet<UpdateId> = open.iter().copied().collect();
    // Rows of older programs say nothing of what they wait for.
    let silent = "SELECT id, update_id FROM quarantine q WHERE held = 1
         AND NOT EXISTS (SELECT 1 FROM quarantine_need n WHERE n.quarantine = q.id)";
    let mut add = |rows_of: &mut rusqlite::Rows<'_>, open: &mut Vec<UpdateId>| {
        for_rows(rows_of, |row| {
            let update = row.update(1)?;
            if rows.insert(row.int(0)?) && seen.insert(update) {
                open.push(update);
            }
            Ok(())
        })
    };
    let mut statement = tx.prepare_cached(silent).during("read the quarantine")?;
    add(&mut statement.query([]).during("read the quarantine")?, &mut open)?;
    let mut same = tx
        .prepare_cached(
            "SELECT id, update_id FROM quarantine WHERE held = 1 AND update_id = ?1 AND number = ?2",
        )
        .during("read the quarantine")?;
    for identity in again {
        let key = (identity.update.0.as_bytes(), identity.revision.get());
        add(&mut same.query(key).during("read the quarantine")?, &mut open)?;
    }
    let mut needing = tx
        .prepare_cached(
            "SELECT q.id, q.update_id FROM quarantine_need n JOIN quarantine q ON q.id = n.quarantine
             WHERE n.update_id = ?1",
        )
        .during("read the quarantine")?;
    while let Some(update) = open.pop() {
        add(&mut needing.query([update.0.as_bytes()]).during("read the quarantine")?, &mut open)?;
    }
    let mut waiting = Vec::with_capacity(rows.len());
    for row in rows {
        waiting.extend(one_held(tx, row)?);
    }
    Ok(waiting)
}

fn one_held(tx: &Transaction<'_>, row: i64) -> Result<Option<Staged>, StoreError> {
    let mut statement = tx
        .prepare_cached(
            "SELECT source, update_id, number, record, summary, content, core_at, core_len, core_escaped_len,
                    fragments_at, fragments_len, document_at, document_len, document_form
             FROM quarantine WHERE id = ?1",
        )
        .during("read the quarantine")?;
    let mut rows = statement.query([row]).during("read the quarantine")?;
    let mut waiting = None;
    for_rows(&mut rows, |row| {
        let bytes = |at| row.get::<_, Vec<u8>>(at).during("read the quarantine");
        let identity = UpdateIdentity { update: row.update(1)?, revision: row.revision_number(2)? };
        waiting = Some(Staged {
            source: row.text(0)?.into(),
            identity,
            record: decode_record(identity, &bytes(3)?)?,
            summary: decode_summary(identity, &bytes(4)?)?,
            content: Sha256Digest(row.get(5).during("read the quarantine")?),
            core: Place { at: row.natural(6)?, len: row.word(7)? },
            core_escaped_len: row.word(8)?,
            fragments: Place { at: row.natural(9)?, len: row.word(10)? },
            document: Place { at: row.natural(11)?, len: row.word(12)? },
            document_form: Form::of_number(row.int(13)?)?,
            waited: true,
        });
        Ok(())
    })?;
    Ok(waiting)
}

/// The content of each waiting document, to recognise it when it comes again.
pub(crate) fn waiting_contents(db: &Connection) -> Result<HashMap<UpdateIdentity, Sha256Digest>, StoreError> {
    let mut statement = db
        .prepare_cached("SELECT update_id, number, content FROM quarantine WHERE held = 1")
        .during("read the quarantine")?;
    let mut rows = statement.query([]).during("read the quarantine")?;
    let mut contents = HashMap::new();
    for_rows(&mut rows, |row| {
        let identity = UpdateIdentity { update: row.update(0)?, revision: row.revision_number(1)? };
        contents.insert(identity, Sha256Digest(row.get(2).during("read the quarantine")?));
        Ok(())
    })?;
    Ok(contents)
}

fn decode_summary(identity: UpdateIdentity, bytes: &[u8]) -> Result<Summary, StoreError> {
    Summary::decode(bytes).map_err(|_| StoreError::Unreadable {
        what: format!("summary of {identity}"),
        reason: "its layout is not known".to_owned(),
    })
}

/// Notes what a waiting document waits for.
fn note_needs(tx: &Transaction<'_>, identity: UpdateIdentity, record: &ScanRecord) -> Result<(), StoreError> {
    let row: i64 = tx
        .prepare_cached("SELECT id FROM quarantine WHERE held = 1 AND update_id = ?1 AND number = ?2")
        .and_then(|mut s| {
            s.query_row((identity.update.0.as_bytes(), identity.revision.get()), |row| row.get(0))
        })
        .during("put a revision into quarantine")?;
    tx.prepare_cached("DELETE FROM quarantine_need WHERE quarantine = ?1")
        .and_then(|mut s| s.execute([row]))
        .during("put a revision into quarantine")?;
    let members = record.bundles.iter().flatten().map(|m| (m.update, Some(m.revision.get())));
    let prerequisites = record.prerequisites.iter().flat_map(|c| &c.any_of).map(|u| (*u, None));
    let mut insert = tx
        .prepare_cached(
            "INSERT INTO quarantine_need (update_id, number, quarantine) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )
        .during("put a revision into quarantine")?;
    for (update, number) in members.chain(prerequisites) {
        insert.execute(params![update.0.as_bytes(), number, row]).during("put a revision into quarantine")?;
    }
    Ok(())
}

/// Keeps a document waiting; a newer document of the same revision takes an older one's place.
pub(crate) fn hold(
    tx: &Transaction<'_>,
    staged: &Staged,
    reason: &str,
    now: Timestamp,
) -> Result<Quarantined, StoreError> {
    let identity = staged.identity;
    let values = params![
        staged.source,
        identity.update.0.as_bytes(),
        identity.revision.get(),
        reason,
        now.ticks(),
        staged.record.encode(),
        staged.summary.encode(),
        staged.content.0,
        signed(staged.core.at),
        staged.core.len,
        staged.core_escaped_len,
        signed(staged.fragments.at),
        staged.fragments.len,
        signed(staged.document.at),
        staged.document.len,
        staged.document_form as u8
    ];
    tx.prepare_cached(
        "INSERT INTO quarantine (source, update_id, number, reason, first_seen, held, record, summary, content,
             core_at, core_len, core_escaped_len, fragments_at, fragments_len, document_at, document_len, document_form)
         VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
         ON CONFLICT (update_id, number) WHERE held = 1 DO UPDATE SET
             source = ?1, reason = ?4, record = ?6, summary = ?7, content = ?8, core_at = ?9, core_len = ?10,
             core_escaped_len = ?11, fragments_at = ?12, fragments_len = ?13, document_at = ?14, document_len = ?15,
             document_form = ?16",
    )
    .and_then(|mut s| s.execute(values))
    .during("put a revision into quarantine")?;
    note_needs(tx, identity, &staged.record)?;
    Ok(Quarantined {
        source: staged.source.to_string(),
        update: Some(identity.update),
        revision: Some(identity.revision),
        reason: reason.to_owned(),
    })
}

/// Shows a refusal, with the time it was first seen.
pub(crate) fn refuse(tx: &Transaction<'_>, entry: &Quarantined, now: Timestamp) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO quarantine (source, update_id, number, reason, first_seen, held) VALUES (?1, ?2, ?3, ?4, ?5, 0)
         ON CONFLICT (source, coalesce(update_id, x''), coalesce(number, -1)) WHERE held = 0
         DO UPDATE SET reason = ?4",
    )
    .and_then(|mut s| {
        s.execute(params![
            entry.source,
            entry.update.as_ref().map(|u| u.0.as_bytes()),
            entry.revision.map(RevisionNumber::get),
            entry.reason,
            now.ticks()
        ])
    })
    .during("note a refused document")
    .map(|_| ())
}

/// Forgets the oldest refusals beyond the cap.
pub(crate) fn trim_refusals(tx: &Transaction<'_>) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM quarantine WHERE held = 0
             AND id <= (SELECT id FROM quarantine WHERE held = 0 ORDER BY id DESC LIMIT 1 OFFSET ?1)",
        [MOST_REFUSALS],
    )
    .during("forget old refusals")
    .map(|_| ())
}

/// Whether there is anything in quarantine: most imports need not look for each of their revisions.
pub(crate) fn some(tx: &Transaction<'_>) -> Result<bool, StoreError> {
    tx.query_row("SELECT EXISTS (SELECT 1 FROM quarantine)", [], |row| row.get(0))
        .during("read the quarantine")
}

/// A revision entered (or was refused): it waits no longer, and old refusals of it are settled.
pub(crate) fn forget(tx: &Transaction<'_>, source: &str, identity: UpdateIdentity) -> Result<(), StoreError> {
    // What it waited for goes with it by hand: imports do not look after foreign keys.
    for sql in [
        "DELETE FROM quarantine_need WHERE quarantine IN
             (SELECT id FROM quarantine WHERE held = 1 AND update_id = ?1 AND number = ?2)",
        "DELETE FROM quarantine WHERE held = 1 AND update_id = ?1 AND number = ?2",
    ] {
        tx.prepare_cached(sql)
            .and_then(|mut s| s.execute((identity.update.0.as_bytes(), identity.revision.get())))
            .during("release a revision from quarantine")?;
    }
    forget_refusal(tx, source, identity)
}

/// The source now has a good document: what was refused from it before is settled.
pub(crate) fn forget_refusal(
    tx: &Transaction<'_>,
    source: &str,
    identity: UpdateIdentity,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "DELETE FROM quarantine WHERE held = 0 AND source = ?1
             AND (update_id IS NULL OR update_id = ?2) AND (number IS NULL OR number = ?3)",
    )
    .and_then(|mut s| s.execute((source, identity.update.0.as_bytes(), identity.revision.get())))
    .during("forget a refusal")
    .map(|_| ())
}
