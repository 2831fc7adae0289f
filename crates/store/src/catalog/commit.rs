//! Store: the one transaction that ends an import: rows for what enters the catalog, quarantine for what
//! does not, release of what had waited, and the anchor.

use crate::Store;
use crate::audit::{self, Cause};
use crate::catalog::import::{Gathered, ImportReport, Quarantined, Staged};
use crate::catalog::known::KnownCatalog;
use crate::catalog::quarantine;
use crate::catalog::shelf::{Lengths, Shelved};
use crate::catalog::summary::{FileRow, Summary};
use crate::catalog::supersedence;
use crate::columns::signed;
use crate::database::next_anchor;
use crate::decisions;
use crate::error::{During, StoreError, StoredAs};
use rusqlite::{OptionalExtension, Transaction, params};
use sluicegate_catalog::ScanRecord;
use sluicegate_catalog::consistency::{Candidate, Problem, Verdict, check_set};
use sluicegate_policy::{Arrival, Decisions, EulaId};
use sluicegate_terms::{
    Anchor, DeploymentId, RevisionId, RevisionNumber, Sha1Digest, Sha256Digest, Timestamp, UpdateId,
    UpdateIdentity,
};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How many rows are written between two calls of the progress callback.
const PROGRESS_STEP: usize = 512;

/// What a committed import changes in memory.
struct Committed {
    report: ImportReport,
    shelved: Vec<Shelved>,
    files: Vec<FileRow>,
    decisions: Option<Arc<Decisions>>,
    /// Where the first of the revisions came from.
    source: String,
}

/// What is declared of a file: length and SHA-256.
type Declared = (u64, Option<Sha256Digest>);

impl Store {
    /// Writes an import's rows. The segments are durable up to `lengths`.
    pub(crate) fn commit_import(
        &self,
        gathered: Gathered,
        lengths: Lengths,
        now: Timestamp,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<ImportReport, StoreError> {
        let committed = self.shared.database.write_alone(
            |tx| {
                // The writer is ours until the installing has run, so nobody changes decisions behind us.
                let (decisions, replica) = (self.decisions(), self.refuse_on_replica().is_err());
                let mut commit = Commit { tx, now, progress, arrivals: Vec::new() };
                let mut committed = commit.carry_out(gathered, lengths)?;
                let when = (commit.anchor()?, now);
                self.note_import(tx, &committed, &commit.arrivals, now)?;
                (committed.report.decisions, committed.decisions) =
                    decisions::after_import(tx, &decisions, &commit.arrivals, replica, when)?;
                if let Some(after) = &committed.decisions {
                    audit::append(tx, &self.actor, now, &audit::decided(&decisions, after, Cause::Arrival))?;
                }
                Ok(committed)
            },
            |committed| {
                if let Some(decisions) = &committed.decisions {
                    *self.shared.decisions.write() = Arc::clone(decisions);
                }
                if !committed.shelved.is_empty() {
                    let shelf =
                        self.cores().extended(&committed.shelved, self.shared.options.core_memory_budget);
                    *self.shared.cores.write() = Arc::new(shelf);
                }
                let mut files = self.shared.files.write();
                for file in &committed.files {
                    files.insert(file.sha1, file.size, &file.name);
                }
            },
        )?;
        self.note_audit_head();
        let mut report = committed.report;
        report.anchor = self.anchor();
        Ok(report)
    }

    /// Puts what entered into the audit log.
    fn note_import(
        &self,
        tx: &Transaction<'_>,
        committed: &Committed,
        arrivals: &[Arrival],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // Both are in the order in which the revisions entered.
        let entered = committed.shelved.iter().zip(arrivals);
        let revisions: Vec<_> =
            entered.map(|(shelved, arrival)| (shelved.revision, arrival.update)).collect();
        let upstream = self.upstream_settings().source.as_ref().map(ToString::to_string);
        let imported = audit::Imported {
            revisions: &revisions,
            added: committed.report.added,
            revised: committed.report.revised,
            quarantined: committed.report.quarantined.len(),
            source: &committed.source,
            upstream: upstream.as_deref(),
        };
        audit::note_import(tx, &self.actor, now, &imported)
    }
}

struct Commit<'a> {
    tx: &'a Transaction<'a>,
    now: Timestamp,
    progress: &'a mut dyn FnMut(u64, u64),
    /// The revisions that enter, for what follows from it.
    arrivals: Vec<Arrival>,
}

impl Commit<'_> {
    fn anchor(&self) -> Result<Anchor, StoreError> {
        crate::database::read_anchor(self.tx)
    }

    fn carry_out(&mut self, gathered: Gathered, lengths: Lengths) -> Result<Committed, StoreError> {
        let Gathered { staged, mut refused, unchanged, still_waiting } = gathered;
        let mut report = ImportReport { unchanged: unchanged.len() as u64, ..ImportReport::default() };
        let arrived: HashSet<UpdateIdentity> = staged.iter().map(|s| s.identity).collect();
        let updates = arrived.iter().map(|identity| identity.update);
        let waiting = quarantine::held(self.tx, updates, &still_waiting)?;
        let waiting = waiting.into_iter().filter(|w| !arrived.contains(&w.identity));
        let (candidates, records) =
            self.without_contradictions(staged.into_iter().chain(waiting), &mut refused)?;

        let Checked { enter, wait, refuse } = check(self.tx, &candidates, &records)?;
        let anchor = if enter.is_empty() { Anchor::START } else { next_anchor(self.tx)? };
        self.check_ids_left(enter.len())?;
        let mut committed = Committed {
            report: ImportReport::default(),
            shelved: Vec::new(),
            files: Vec::new(),
            decisions: None,
            source: String::new(),
        };
        // Nothing enters the quarantine before all that may leave it has.
        let quarantined = quarantine::some(self.tx)?;
        let mut named: HashSet<UpdateId> = HashSet::new();
        let total = enter.len() as u64;
        for (done, &index) in enter.iter().enumerate() {
            let (Some(staged), Some(record)) = (candidates.get(index), records.get(index)) else { continue };
            let summary = decode_summary(staged)?;
            let (shelved, is_new_update) = self.enter(staged, record, &summary, anchor)?;
            self.name_prerequisites(record, anchor, &mut named)?;
            *(if is_new_update { &mut report.added } else { &mut report.revised }) += 1;
            report.released += u64::from(staged.waited);
            if quarantined {
                quarantine::forget(self.tx, &staged.source, staged.identity)?;
            }
            if committed.shelved.is_empty() {
                committed.source = staged.source.to_string();
            }
            committed.shelved.push(shelved);
            committed.files.extend(summary.files);
            if (done + 1) % PROGRESS_STEP == 0 {
                (self.progress)(done as u64 + 1, total);
            }
        }
        (self.progress)(total, total);

        // Everything staged may have been refused; then the segments' new bytes belong to nobody.
        let fresh = |index: usize| candidates.get(index).is_some_and(|staged| !staged.waited);
        let keep_bytes = enter.iter().copied().any(fresh) || wait.iter().any(|(index, _)| fresh(*index));
        for (index, reason) in wait {
            let (Some(staged), Some(record)) = (candidates.get(index), records.get(index)) else { continue };
            let reason = quarantine::hold(self.tx, staged, record, &reason, self.now)?;
            if !staged.waited || still_waiting.contains(&staged.identity) {
                report.quarantined.push(reason);
            }
        }
        for (index, reason) in refuse {
            let Some(staged) = candidates.get(index) else { continue };
            quarantine::forget(self.tx, &staged.source, staged.identity)?;
            refused.push(refusal(staged, reason));
        }
        if quarantined {
            for (source, identity) in &unchanged {
                quarantine::forget_refusal(self.tx, source, *identity)?;
            }
        }
        for entry in &refused {
            quarantine::refuse(self.tx, entry, self.now)?;
        }
        if !refused.is_empty() {
            quarantine::trim_refusals(self.tx)?;
        }
        report.quarantined.extend(refused);
        if keep_bytes {
            self.record_lengths(lengths)?;
        }
        committed.report = report;
        Ok(committed)
    }

    /// Leaves out what says something else about a file than the catalog or an earlier candidate does.
    fn without_contradictions(
        &self,
        candidates: impl Iterator<Item = Staged>,
        refused: &mut Vec<Quarantined>,
    ) -> Result<(Vec<Staged>, Vec<ScanRecord>), StoreError> {
        let mut known: HashMap<Sha1Digest, Option<Declared>> = HashMap::new();
        let (mut kept, mut records) = (Vec::new(), Vec::new());
        for staged in candidates {
            let files = decode_summary(&staged)?.files;
            let mut contradiction = None;
            for file in &files {
                let declared = match known.get(&file.sha1) {
                    Some(declared) => *declared,
                    None => declared_file(self.tx, file.sha1)?,
                };
                if let Some(reason) = declared.and_then(|d| contradicts(file, d)) {
                    contradiction = Some(reason);
                    break;
                }
                let sha256 = file.sha256.or(declared.and_then(|d| d.1));
                known.insert(file.sha1, Some((file.size, sha256)));
            }
            if let Some(reason) = contradiction {
                quarantine::forget(self.tx, &staged.source, staged.identity)?;
                refused.push(refusal(&staged, reason));
                continue;
            }
            records.push(decode_record(staged.identity, &staged.record)?);
            kept.push(staged);
        }
        Ok((kept, records))
    }

    fn check_ids_left(&self, wanted: usize) -> Result<(), StoreError> {
        let last: Option<i64> = self
            .tx
            .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'revision'", [], |row| row.get(0))
            .optional()
            .during("read the last revision id")?;
        let left = i64::from(DeploymentId::FIRST_EXPLICIT) - 1 - last.unwrap_or(0);
        match i64::try_from(wanted) {
            Ok(wanted) if wanted <= left => Ok(()),
            _ => Err(StoreError::IdsExhausted { what: "revision id" }),
        }
    }

    /// Writes all rows of one revision. Answers where it lies and whether its update is new.
    fn enter(
        &mut self,
        staged: &Staged,
        record: &ScanRecord,
        summary: &Summary,
        anchor: Anchor,
    ) -> Result<(Shelved, bool), StoreError> {
        let update = staged.identity.update;
        let number = staged.identity.revision.get();
        self.run(
            "INSERT INTO revision (update_id, number, record, core_at, core_len, core_escaped_len, fragments_at,
                 fragments_len, document_at, document_len, content, arrived, arrived_at, leaf_changed, source,
                 document_form)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?12, ?14, ?15)",
            params![
                update.0.as_bytes(),
                number,
                staged.record,
                signed(staged.core.at),
                staged.core.len,
                staged.core_escaped_len,
                signed(staged.fragments.at),
                staged.fragments.len,
                signed(staged.document.at),
                staged.document.len,
                staged.content.0,
                signed(anchor.0),
                self.now.ticks(),
                staged.source,
                staged.document_form as u8
            ],
        )?;
        let id = self.tx.last_insert_rowid();
        let newest_before: Option<u32> = self
            .tx
            .prepare_cached(
                "SELECT r.number FROM known_update k JOIN revision r ON r.id = k.newest WHERE k.update_id = ?1",
            )
            .and_then(|mut s| s.query_row([update.0.as_bytes()], |row| row.get(0)).optional())
            .during("look up an update")?;
        let newest = newest_before.is_none_or(|before| before < number);
        if newest {
            self.run(
                "INSERT INTO known_update (update_id, newest) VALUES (?1, ?2)
                 ON CONFLICT (update_id) DO UPDATE SET newest = ?2",
                params![update.0.as_bytes(), id],
            )?;
            if let Some(kind) = record.category_kind {
                self.run(
                    "INSERT INTO category (update_id, kind) VALUES (?1, ?2)
                     ON CONFLICT (update_id) DO UPDATE SET kind = ?2",
                    params![update.0.as_bytes(), kind.as_str()],
                )?;
            }
        }
        self.run(
            "DELETE FROM removed_revision WHERE update_id = ?1 AND number = ?2",
            params![update.0.as_bytes(), number],
        )?;
        for member in record.bundles.iter().flatten() {
            self.run(
                "INSERT INTO bundle_member (member, bundle) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                params![member.update.0.as_bytes(), update.0.as_bytes()],
            )?;
        }
        self.list(id, record, summary)?;
        self.arrivals.push(Arrival {
            update,
            revision: staged.identity.revision,
            replaces: newest_before
                .map(|number| RevisionNumber::new(i64::from(number)))
                .transpose()
                .stored_as("revision number")?,
            expired: record.expired,
            eula: summary.eula.map(EulaId),
        });
        let revision = RevisionId::new(id).map_err(|_| StoreError::IdsExhausted { what: "revision id" })?;
        let shelved = Shelved { revision, core: staged.core, fragments: staged.fragments, newest };
        Ok((shelved, newest_before.is_none()))
    }

    /// Writes what lists and content need of a revision.
    fn list(&self, id: i64, record: &ScanRecord, summary: &Summary) -> Result<(), StoreError> {
        let size = summary.files.iter().fold(0_u64, |sum, f| sum.saturating_add(f.size));
        self.run(
            "INSERT INTO listing (revision_id, kind, title, kb, search, created, deployable, size, severity, reboot)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                id,
                record.kind.as_str(),
                summary.title,
                summary.kb,
                summary.search,
                summary.created.map(Timestamp::ticks),
                record.explicitly_deployable,
                signed(size),
                summary.severity,
                summary.reboot
            ],
        )?;
        if let Some(eula) = summary.eula {
            self.run(
                "INSERT INTO revision_eula (revision_id, eula) VALUES (?1, ?2)",
                params![id, eula.as_bytes()],
            )?;
        }
        for superseded in &record.supersedes {
            self.run(supersedence::INSERT, params![superseded.0.as_bytes(), id])?;
        }
        for category in &summary.categories {
            self.run(
                "INSERT INTO listing_category (category, revision_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                params![category.0.as_bytes(), id],
            )?;
        }
        for file in &summary.files {
            self.run(
                // A file is for the languages of all revisions that name it.
                "INSERT INTO file (sha1, size, sha256, name, languages) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (sha1) DO UPDATE SET sha256 = coalesce(sha256, excluded.sha256), languages =
                     CASE WHEN languages = '' OR excluded.languages = '' THEN ''
                         WHEN instr(char(10) || languages || char(10), char(10) || excluded.languages || char(10)) > 0
                             THEN languages
                         ELSE languages || char(10) || excluded.languages END",
                params![
                    file.sha1.0,
                    signed(file.size),
                    file.sha256.map(|d| d.0),
                    file.name,
                    summary.languages
                ],
            )?;
            self.run(
                "INSERT INTO revision_file (sha1, revision_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                params![file.sha1.0, id],
            )?;
        }
        Ok(())
    }

    /// Marks updates that are leaves no longer: `IsLeaf` is false exactly when some update in the whole
    /// catalog names it as a prerequisite (observed-behaviour 3.2).
    fn name_prerequisites(
        &self,
        record: &ScanRecord,
        anchor: Anchor,
        named: &mut HashSet<UpdateId>,
    ) -> Result<(), StoreError> {
        for update in record.prerequisites.iter().flat_map(|clause| &clause.any_of) {
            if !named.insert(*update) {
                continue;
            }
            let first = self.run(
                "INSERT INTO named_prerequisite (update_id, since) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                params![update.0.as_bytes(), signed(anchor.0)],
            )?;
            if first > 0 {
                self.run(
                    "UPDATE revision SET leaf_changed = ?2 WHERE update_id = ?1 AND arrived < ?2",
                    params![update.0.as_bytes(), signed(anchor.0)],
                )?;
            }
        }
        Ok(())
    }

    fn record_lengths(&self, lengths: Lengths) -> Result<(), StoreError> {
        let all =
            [("core", lengths.core), ("fragments", lengths.fragments), ("documents", lengths.documents)];
        for (name, length) in all {
            self.run("UPDATE segment SET length = ?2 WHERE name = ?1", params![name, signed(length)])?;
        }
        Ok(())
    }

    fn run(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<usize, StoreError> {
        self.tx.prepare_cached(sql).and_then(|mut s| s.execute(values)).during("write a revision")
    }
}

/// Writes anew what lists and content need of a revision that is in the catalog.
pub(crate) fn relist(
    tx: &Transaction<'_>,
    id: i64,
    record: &ScanRecord,
    summary: &Summary,
) -> Result<(), StoreError> {
    for table in ["listing", "listing_category", "revision_eula", "supersedence", "revision_file"] {
        tx.execute(&format!("DELETE FROM {table} WHERE revision_id = ?1"), [id]).during("write a listing")?;
    }
    let commit = Commit { tx, now: Timestamp::MIN, progress: &mut |_, _| {}, arrivals: Vec::new() };
    commit.list(id, record, summary)
}

/// What becomes of the candidates, by their index.
#[derive(Default)]
struct Checked {
    enter: Vec<usize>,
    wait: Vec<(usize, String)>,
    refuse: Vec<(usize, String)>,
}

/// Checks the candidates against each other and the catalog.
fn check(tx: &Transaction<'_>, candidates: &[Staged], records: &[ScanRecord]) -> Result<Checked, StoreError> {
    let known = KnownCatalog::new(tx)?;
    let set: Vec<Candidate<'_>> = candidates
        .iter()
        .zip(records)
        .map(|(staged, record)| Candidate { source: &staged.source, record, content: staged.content })
        .collect();
    let verdicts = check_set(&set, &known);
    known.check()?;
    let mut checked = Checked::default();
    for (index, verdict) in verdicts.into_iter().enumerate() {
        match verdict {
            Verdict::Added | Verdict::Revised => checked.enter.push(index),
            Verdict::Unchanged => {}
            // Only what others can still bring is worth waiting for.
            Verdict::Refused(
                problem @ (Problem::MissingPrerequisite { .. } | Problem::MissingBundled { .. }),
            ) => {
                checked.wait.push((index, problem.to_string()));
            }
            Verdict::Refused(problem) => checked.refuse.push((index, problem.to_string())),
        }
    }
    Ok(checked)
}

fn refusal(staged: &Staged, reason: String) -> Quarantined {
    Quarantined {
        source: staged.source.to_string(),
        update: Some(staged.identity.update),
        revision: Some(staged.identity.revision),
        reason,
    }
}

fn declared_file(tx: &Transaction<'_>, sha1: Sha1Digest) -> Result<Option<Declared>, StoreError> {
    tx.prepare_cached("SELECT size, sha256 FROM file WHERE sha1 = ?1")
        .and_then(|mut s| {
            s.query_row([sha1.0], |row| {
                Ok((
                    row.get::<_, i64>(0)?.unsigned_abs(),
                    row.get::<_, Option<[u8; 32]>>(1)?.map(Sha256Digest),
                ))
            })
            .optional()
        })
        .during("look up a file")
}

fn contradicts(file: &FileRow, (size, sha256): Declared) -> Option<String> {
    if file.size != size {
        return Some(format!(
            "its file {} (SHA-1 {}) has {} bytes, another update declares {size} bytes for it",
            file.name, file.sha1, file.size
        ));
    }
    match (file.sha256, sha256) {
        (Some(ours), Some(theirs)) if ours != theirs => Some(format!(
            "its file {} (SHA-1 {}) has the SHA-256 {ours}, another update declares {theirs}",
            file.name, file.sha1
        )),
        _ => None,
    }
}

fn decode_summary(staged: &Staged) -> Result<Summary, StoreError> {
    Summary::decode(&staged.summary).map_err(|_| StoreError::Unreadable {
        what: format!("summary of {}", staged.identity),
        reason: "its layout is not known".to_owned(),
    })
}

/// Reads a scan record back.
pub(crate) fn decode_record(identity: UpdateIdentity, bytes: &[u8]) -> Result<ScanRecord, StoreError> {
    ScanRecord::decode(bytes).map_err(|e| StoreError::Unreadable {
        what: format!("scan record of {identity}"),
        reason: e.to_string(),
    })
}
