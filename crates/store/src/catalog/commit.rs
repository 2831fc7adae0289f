//! Store: the one transaction that ends an import: rows for what enters the catalog, quarantine for what
//! does not, release of what had waited, and the anchor.

use crate::Store;
use crate::audit::{self, Cause};
use crate::catalog::categories;
use crate::catalog::contradictions::{refusal, without_contradictions};
use crate::catalog::import::{Gathered, ImportReport, Staged};
use crate::catalog::in_order::{InOrder, Rows};
use crate::catalog::known::KnownCatalog;
use crate::catalog::quarantine;
use crate::catalog::shelf::{Lengths, Shelved};
use crate::catalog::summary::{FileRow, Summary};
use crate::columns::signed;
use crate::content::decryption;
use crate::database::next_anchor;
use crate::decisions;
use crate::error::{During, StoreError};
use crate::status::Arrived;
use rusqlite::{OptionalExtension, Transaction, params};
use sluicegate_catalog::ScanRecord;
use sluicegate_catalog::consistency::{Candidate, Problem, Verdict, check_set};
use sluicegate_policy::{Arrival, Decisions, EulaId};
use sluicegate_terms::{
    Anchor, DeploymentId, RevisionId, RevisionNumber, Sha1Digest, Timestamp, UpdateId, UpdateIdentity,
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
    /// For the lists; empty when there are revisions of updates that were here.
    arrived: Arrived,
}

impl Store {
    /// Writes an import's rows. `durable` answers once the segments are, up to `lengths`: a row may only point at what
    /// a power cut cannot take away, so nothing is committed before.
    pub(crate) fn commit_import(
        &self,
        gathered: Gathered,
        lengths: Lengths,
        now: Timestamp,
        progress: &mut dyn FnMut(u64, u64),
        durable: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<ImportReport, StoreError> {
        let committed = self.shared.database.write_import(
            |tx| {
                self.refuse_for_another_upstream(tx)?;
                // The writer is ours until the installing has run, so nobody changes decisions behind us.
                let replica = self.upstream_settings().holds_upstreams_decisions();
                let decisions = self.decisions();
                let before = crate::database::read_anchor(tx)?;
                let mut commit = Commit::new(tx, now, progress)?;
                let declares = |sha1| self.shared.files.read().has(sha1);
                let mut committed = commit.carry_out(gathered, lengths, &declares)?;
                committed.arrived.before = before;
                let when = (commit.anchor()?, now);
                self.note_import(tx, &committed, &commit.arrivals, now)?;
                (committed.report.decisions, committed.decisions) =
                    decisions::after_import(tx, &decisions, &commit.arrivals, replica, when)?;
                if let Some(after) = &committed.decisions {
                    audit::append(tx, &self.actor, now, &audit::decided(&decisions, after, Cause::Arrival))?;
                }
                durable()?;
                Ok(committed)
            },
            |committed| self.note_committed(committed),
        )?;
        self.note_audit_head();
        self.list_arrived(&committed.arrived);
        let mut report = committed.report;
        report.anchor = self.anchor();
        Ok(report)
    }

    /// What was committed is in memory from here on.
    fn note_committed(&self, committed: &Committed) {
        if let Some(decisions) = &committed.decisions {
            *self.shared.decisions.write() = Arc::clone(decisions);
        }
        if !committed.shelved.is_empty() {
            let shelf = self.cores().extended(&committed.shelved, self.shared.options.core_memory_budget);
            *self.shared.cores.write() = Arc::new(shelf);
        }
        let mut files = self.shared.files.write();
        sluicegate_allocator::bulk(|| {
            for file in &committed.files {
                files.insert(file.sha1, file.size, &file.name);
            }
        });
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
            older: committed.report.older,
            quarantined: committed.report.quarantined.len(),
            source: &committed.source,
            upstream: upstream.as_deref(),
        };
        audit::note_import(tx, &self.actor, now, &imported)
    }
}

const NEW_REVISION: &str =
    "INSERT INTO revision (update_id, number, record, core_at, core_len, core_escaped_len, fragments_at,
         fragments_len, document_at, document_len, content, arrived, arrived_at, leaf_changed, source,
         document_form)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?12, ?14, ?15)";

const NEW_LISTING: &str =
    "INSERT INTO listing (revision_id, kind, title, kb, search, created, deployable, size, severity, reboot, traits,
         categories, first)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

/// What a revision is beside those of its update that are there.
enum Came {
    New,
    Newer,
    Older,
}

struct Commit<'a> {
    tx: &'a Transaction<'a>,
    now: Timestamp,
    progress: &'a mut dyn FnMut(u64, u64),
    /// The revisions that enter, for what follows from it.
    arrivals: Vec<Arrival>,
    /// Some revisions were cleaned away; one of them may come back.
    some_removed: bool,
    /// The newest revision of updates that this import has brought.
    newest: HashMap<UpdateId, RevisionNumber>,
    revisions: Rows<'a>,
    listings: Rows<'a>,
}

impl<'a> Commit<'a> {
    fn new(
        tx: &'a Transaction<'a>,
        now: Timestamp,
        progress: &'a mut dyn FnMut(u64, u64),
    ) -> Result<Self, StoreError> {
        let some_removed = tx
            .query_row("SELECT EXISTS (SELECT 1 FROM removed_revision)", [], |row| row.get(0))
            .during("look for removed revisions")?;
        let (arrivals, newest) = (Vec::new(), HashMap::new());
        let revisions = Rows::of(tx, NEW_REVISION)?;
        let listings = Rows::of(tx, NEW_LISTING)?;
        Ok(Self { tx, now, progress, arrivals, some_removed, newest, revisions, listings })
    }

    fn anchor(&self) -> Result<Anchor, StoreError> {
        crate::database::read_anchor(self.tx)
    }

    fn carry_out(
        &mut self,
        gathered: Gathered,
        lengths: Lengths,
        declares: &dyn Fn(Sha1Digest) -> bool,
    ) -> Result<Committed, StoreError> {
        let Gathered { mut staged, mut refused, unchanged, still_waiting, encrypted } = gathered;
        decryption::want(self.tx, &encrypted)?;
        let mut report = ImportReport { unchanged: unchanged.len() as u64, ..ImportReport::default() };
        let arrived: HashSet<UpdateIdentity> = staged.iter().map(|s| s.identity).collect();
        let updates = arrived.iter().map(|identity| identity.update);
        let waiting = quarantine::held(self.tx, updates, &still_waiting)?;
        staged.extend(waiting.into_iter().filter(|w| !arrived.contains(&w.identity)));
        let mut candidates = without_contradictions(self.tx, staged, declares, &mut refused)?;

        let known = KnownCatalog::new(self.tx)?;
        let Checked { enter, wait, refuse } = check(&known, &candidates)?;
        let anchor = if enter.is_empty() { Anchor::START } else { next_anchor(self.tx)? };
        self.check_ids_left(enter.len())?;
        let mut committed = Committed {
            report: ImportReport::default(),
            shelved: Vec::new(),
            files: Vec::new(),
            decisions: None,
            source: String::new(),
            arrived: Arrived::default(),
        };
        // Nothing enters the quarantine before all that may leave it has.
        let quarantined = quarantine::some(self.tx)?;
        let mut named: HashSet<UpdateId> = HashSet::new();
        let mut rows = InOrder::default();
        let total = enter.len() as u64;
        for (done, &index) in enter.iter().enumerate() {
            let Some(staged) = candidates.get(index) else { continue };
            let (shelved, came) = self.enter(staged, &known, anchor, &mut rows)?;
            self.name_prerequisites(&staged.record, anchor, &mut named)?;
            *match came {
                Came::New => &mut report.added,
                Came::Newer => &mut report.revised,
                Came::Older => &mut report.older,
            } += 1;
            report.released += u64::from(staged.waited);
            if quarantined {
                quarantine::forget(self.tx, &staged.source, staged.identity)?;
            }
            if committed.shelved.is_empty() {
                committed.source = staged.source.to_string();
            }
            committed.shelved.push(shelved);
            if (done + 1) % PROGRESS_STEP == 0 {
                (self.progress)(done as u64 + 1, total);
            }
        }
        rows.write(self.tx)?;
        for (&index, shelved) in enter.iter().zip(&committed.shelved) {
            let Some(staged) = candidates.get_mut(index) else { continue };
            committed.files.append(&mut staged.summary.files);
            if report.revised + report.older == 0 {
                committed.arrived.first(staged, shelved.revision, self.now);
            }
        }
        (self.progress)(total, total);

        // Everything staged may have been refused; then the segments' new bytes belong to nobody.
        let fresh = |index: usize| candidates.get(index).is_some_and(|staged| !staged.waited);
        let keep_bytes = enter.iter().copied().any(fresh) || wait.iter().any(|(index, _)| fresh(*index));
        for (index, reason) in wait {
            let Some(staged) = candidates.get(index) else { continue };
            let reason = quarantine::hold(self.tx, staged, &reason, self.now)?;
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

    /// Writes all rows of one revision. Answers where it lies and as what it came.
    fn enter<'s>(
        &mut self,
        staged: &'s Staged,
        known: &KnownCatalog<'_>,
        anchor: Anchor,
        rows: &mut InOrder<'s>,
    ) -> Result<(Shelved, Came), StoreError> {
        let Staged { record, summary, .. } = staged;
        let update = staged.identity.update;
        let number = staged.identity.revision.get();
        self.revisions.add(params![
            update.0.as_bytes(),
            number,
            record.encode(),
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
        ])?;
        let id = self.tx.last_insert_rowid();
        let newest_before = self.newest.get(&update).copied().or_else(|| known.newest(update));
        let newest = newest_before.is_none_or(|before| before < staged.identity.revision);
        if newest {
            self.newest.insert(update, staged.identity.revision);
            rows.newest(record, id);
        }
        if self.some_removed {
            rows.came_back(record);
        }
        rows.bundle(record);
        rows.files(summary, id);
        rows.supersedes(record, id);
        self.list(id, record, summary, newest_before.is_none())?;
        self.arrivals.push(Arrival {
            update,
            revision: staged.identity.revision,
            replaces: newest_before,
            expired: record.expired,
            revives: false,
            eula: summary.eula.map(EulaId),
            // Asked once all of it is written, and only where it counts: parts of a bundle speak for it.
            removable: true,
            may_ask: false,
            bundled: false,
        });
        let revision = RevisionId::new(id).map_err(|_| StoreError::IdsExhausted { what: "revision id" })?;
        let shelved = Shelved { revision, core: staged.core, fragments: staged.fragments, wanted: newest };
        let came = match newest_before {
            None => Came::New,
            Some(_) if newest => Came::Newer,
            Some(_) => Came::Older,
        };
        Ok((shelved, came))
    }

    /// Writes what lists and content need of a revision; `first` when its update had none before.
    fn list(
        &mut self,
        id: i64,
        record: &ScanRecord,
        summary: &Summary,
        first: bool,
    ) -> Result<(), StoreError> {
        let size = summary.files.iter().fold(0_u64, |sum, f| sum.saturating_add(f.size));
        self.listings.add(params![
            id,
            record.kind.as_str(),
            summary.title,
            summary.kb,
            summary.search,
            summary.created.map(Timestamp::ticks),
            record.explicitly_deployable,
            signed(size),
            summary.severity,
            summary.reboot,
            summary.traits,
            categories::column(&summary.categories),
            first
        ])?;
        if let Some(eula) = summary.eula {
            self.run(
                "INSERT INTO revision_eula (revision_id, eula) VALUES (?1, ?2)",
                params![id, eula.as_bytes()],
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
    for table in ["listing", "revision_eula", "supersedence", "revision_file"] {
        tx.execute(&format!("DELETE FROM {table} WHERE revision_id = ?1"), [id]).during("write a listing")?;
    }
    let mut progress = |_, _| {};
    let mut commit = Commit::new(tx, Timestamp::MIN, &mut progress)?;
    commit.list(id, record, summary, false)?;
    let mut rows = InOrder::default();
    rows.files(summary, id);
    rows.supersedes(record, id);
    rows.write(tx)
}

/// What becomes of the candidates, by their index.
#[derive(Default)]
struct Checked {
    enter: Vec<usize>,
    wait: Vec<(usize, String)>,
    refuse: Vec<(usize, String)>,
}

/// Checks the candidates against each other and the catalog.
fn check(known: &KnownCatalog<'_>, candidates: &[Staged]) -> Result<Checked, StoreError> {
    known.look_up(candidates.iter().map(|staged| staged.identity.update).collect());
    let set: Vec<Candidate<'_>> = candidates
        .iter()
        .map(|staged| Candidate { source: &staged.source, record: &staged.record, content: staged.content })
        .collect();
    let verdicts = check_set(&set, known);
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

/// Reads a scan record back.
pub(crate) fn decode_record(identity: UpdateIdentity, bytes: &[u8]) -> Result<ScanRecord, StoreError> {
    let unreadable =
        |reason: String| StoreError::Unreadable { what: format!("scan record of {identity}"), reason };
    match ScanRecord::decode(bytes) {
        Ok(record) if record.identity == identity => Ok(record),
        Ok(other) => Err(unreadable(format!("it is the record of {}", other.identity))),
        Err(error) => Err(unreadable(error.to_string())),
    }
}
