//! Check: carrying out repairs. All rows change in one transaction, with an entry in the audit log for each
//! finding; bytes that are made anew are appended to their segments first, as by an import.

use super::{CheckReport, Prepare, revisions};
use crate::audit::{Actor, Entry, append};
use crate::catalog::{Document, Form, LONGEST_DOCUMENT, Lengths, Segments, decode_document, relist};
use crate::columns::{Columns, signed};
use crate::content::{ContentStore, Held};
use crate::database::next_anchor;
use crate::error::{During, StoreError};
use crate::segment::{Appender, Place};
use rusqlite::{Transaction, params, params_from_iter, types::Value};
use sluicegate_catalog::Limits;
use sluicegate_terms::{RevisionId, Sha1Digest, Timestamp, UpdateIdentity};
use std::borrow::Cow;

/// One statement of a repair.
pub(super) struct Fix {
    pub(super) sql: Cow<'static, str>,
    pub(super) values: Vec<Value>,
}

/// What is made anew from a document.
pub(super) enum Rebuild {
    /// The bytes in the segments.
    Bytes { id: RevisionId, identity: UpdateIdentity },
    /// The rows of lists.
    Listing { id: RevisionId, identity: UpdateIdentity },
}

/// Everything that has one right answer.
pub(super) struct Plan {
    pub(super) fixes: Vec<Fix>,
    pub(super) rebuilds: Vec<Rebuild>,
    /// Content files, as they were known when something was wrong with them.
    pub(super) discards: Vec<(Sha1Digest, Held)>,
}

impl Plan {
    pub(super) fn is_empty(&self) -> bool {
        self.fixes.is_empty() && self.rebuilds.is_empty() && self.discards.is_empty()
    }
}

/// Who repairs, when, and how bytes are made.
pub(super) struct By<'a> {
    pub(super) actor: &'a Actor,
    pub(super) now: Timestamp,
    pub(super) prepare: Option<&'a Prepare<'a>>,
}

/// Carries a plan out inside a transaction.
pub(super) fn carry_out(
    tx: &Transaction<'_>,
    segments: &Segments,
    plan: &Plan,
    report: &CheckReport,
    by: &By<'_>,
) -> Result<(), StoreError> {
    tx.execute_batch("PRAGMA defer_foreign_keys = ON").during("begin a repair")?;
    // Clients that have seen everything up to now are told of what changes.
    next_anchor(tx)?;
    for fix in &plan.fixes {
        tx.execute(&fix.sql, params_from_iter(&fix.values)).during("repair rows")?;
    }
    rebuild(tx, segments, plan, by)?;
    next_anchor(tx)?;
    // What cannot be read back is no repair.
    crate::decisions::load(tx)?;
    let entries: Vec<Entry> = report
        .findings
        .iter()
        .filter(|finding| finding.repairable)
        .map(|finding| Entry {
            action: "repair",
            subject: finding.what.clone(),
            update: None,
            before: None,
            after: Some(serde_json::json!({ "check": finding.check, "remedy": finding.remedy }).to_string()),
        })
        .collect();
    append(tx, by.actor, by.now, &entries)
}

struct Appenders {
    core: Appender,
    fragments: Appender,
}

fn rebuild(tx: &Transaction<'_>, segments: &Segments, plan: &Plan, by: &By<'_>) -> Result<(), StoreError> {
    let lengths = Lengths::load(tx)?;
    let mut appenders: Option<Appenders> = None;
    for rebuild in &plan.rebuilds {
        let (id, identity) = match rebuild {
            Rebuild::Bytes { id, identity } | Rebuild::Listing { id, identity } => (*id, *identity),
        };
        let document = document(tx, segments, id)?;
        match rebuild {
            Rebuild::Listing { .. } => {
                let unreadable = |reason: String| StoreError::Unreadable {
                    what: format!("document of revision {id}"),
                    reason,
                };
                let plain = document.plain(LONGEST_DOCUMENT).map_err(|e| unreadable(e.to_string()))?;
                let parsed = sluicegate_catalog::parse(&plain, &Limits::default())
                    .map_err(|e| unreadable(e.to_string()))?;
                relist(tx, i64::from(id.get()), &parsed.scan_record(), &revisions::summary(&parsed))?;
            }
            Rebuild::Bytes { .. } => {
                let prepared = by.prepare.and_then(|prepare| prepare(identity, document));
                let prepared = prepared.ok_or_else(|| StoreError::Unreadable {
                    what: format!("document of revision {id}"),
                    reason: "nothing can be made ready from it".to_owned(),
                })?;
                let out = match &mut appenders {
                    Some(out) => out,
                    None => appenders.insert(Appenders {
                        core: segments.core.append(lengths.core)?,
                        fragments: segments.fragments.append(lengths.fragments)?,
                    }),
                };
                let core = out.core.push(&[&prepared.core_ready])?;
                let fragments = out.fragments.push(&[&prepared.fragments])?;
                tx.execute(
                    "UPDATE revision SET core_at = ?2, core_len = ?3, core_escaped_len = ?4, fragments_at = ?5,
                         fragments_len = ?6 WHERE id = ?1",
                    params![
                        id.get(),
                        signed(core.at),
                        core.len,
                        prepared.core_escaped_len,
                        signed(fragments.at),
                        fragments.len
                    ],
                )
                .during("repair a revision")?;
            }
        }
    }
    if let Some(mut out) = appenders {
        // Bytes first: a row may only point at what a power cut cannot take away.
        for (name, length) in [("core", out.core.sync()?), ("fragments", out.fragments.sync()?)] {
            tx.execute("UPDATE segment SET length = ?2 WHERE name = ?1", params![name, signed(length)])
                .during("repair a revision")?;
        }
    }
    Ok(())
}

/// The document of a revision.
fn document(tx: &Transaction<'_>, segments: &Segments, id: RevisionId) -> Result<Document, StoreError> {
    let mut statement = tx
        .prepare_cached("SELECT document_at, document_len, document_form FROM revision WHERE id = ?1")
        .during("look up a document")?;
    let mut rows = statement.query([id.get()]).during("look up a document")?;
    let row = rows.next().during("look up a document")?.ok_or(StoreError::UnknownRevision(id.get()))?;
    let place = Place { at: row.natural(0)?, len: row.word(1)? };
    decode_document(segments.documents.read(place)?, Form::of_number(row.int(2)?)?, id)
}

/// Removes the content files of a plan.
pub(super) fn discard(content: &ContentStore, plan: &Plan) -> Result<(), StoreError> {
    plan.discards.iter().try_for_each(|(sha1, held)| content.discard(*sha1, held))
}

/// Notes in a report that everything with one right answer has it now.
pub(super) fn done(report: &mut CheckReport) {
    for finding in report.findings.iter_mut().filter(|finding| finding.repairable) {
        finding.repaired = true;
    }
}
