//! Store: checking everything that is kept, in a running server or over a folder that nobody serves. What has
//! one right answer is repaired on request, in one transaction with its entries in the audit log; the rest is
//! named with what would help.

mod audit;
mod content;
mod decisions;
mod references;
mod repair;
mod revisions;
mod rows;
mod start;
mod steps;

pub(crate) use start::mend;

use crate::Store;
use crate::audit::HeadFile;
use crate::catalog::{Cores, Document, Lengths, PreparedRevision, Segments, open_short};
use crate::content::{ContentStore, Held};
use crate::database::Database;
use crate::error::{During, StoreError};
use crate::folder::FolderLock;
use repair::{By, Fix, Rebuild};
use rusqlite::Connection;
use sluicegate_terms::{Anchor, Timestamp, UpdateIdentity};
use std::path::Path;
use std::sync::Arc;

/// How many findings are kept; the others are counted.
const MOST: usize = 1_000;

/// Makes a document ready again, as an import does; it belongs to another room.
pub type Prepare<'a> = dyn Fn(UpdateIdentity, Document) -> Option<PreparedRevision> + 'a;

/// What is checked, and whether it is repaired.
pub struct CheckOptions<'a> {
    /// Read every content file and compare its digests; without, it is only looked whether each is there whole.
    pub content: bool,
    /// Repair what has one right answer.
    pub repair: bool,
    /// The time for the audit log.
    pub now: Timestamp,
    /// How bytes that are damaged are made again from their document; without it they are only named.
    pub prepare: Option<&'a Prepare<'a>>,
}

/// Something that is not as it must be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Which check found it: `database`, `revision`, `newest`, `deployments`, `references`, `relations`,
    /// `content`, `audit`, `foreign-updates`, `decisions`, `segments`, `snapshot`.
    pub check: &'static str,
    /// What is wrong, with which thing.
    pub what: String,
    /// The one right answer, or what would help.
    pub remedy: String,
    /// It has one right answer.
    pub repairable: bool,
    /// That answer was carried out.
    pub repaired: bool,
}

/// What a check found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CheckReport {
    /// How many revisions were read.
    pub revisions: u64,
    /// How many content files were looked at.
    pub files: u64,
    /// How many entries of the audit log were verified.
    pub audit_entries: u64,
    /// What is wrong; at most 1,000.
    pub findings: Vec<Finding>,
    /// How many findings there were besides.
    pub more: u64,
}

impl CheckReport {
    /// Whether nothing is wrong, or all that was wrong has been repaired.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.more == 0 && self.findings.iter().all(|finding| finding.repaired)
    }

    /// Adds something that is wrong.
    pub fn push(&mut self, finding: Finding) {
        if self.findings.len() < MOST {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }
}

/// A check under way.
struct Check<'a> {
    db: &'a Connection,
    segments: &'a Segments,
    content: &'a ContentStore,
    prepare: Option<&'a Prepare<'a>>,
    report: CheckReport,
    fixes: Vec<Fix>,
    rebuilds: Vec<Rebuild>,
    discards: Vec<(sluicegate_terms::Sha1Digest, Held)>,
}

impl<'a> Check<'a> {
    fn new(
        db: &'a Connection,
        segments: &'a Segments,
        content: &'a ContentStore,
        prepare: Option<&'a Prepare<'a>>,
    ) -> Self {
        let report = CheckReport::default();
        let (fixes, rebuilds, discards) = (Vec::new(), Vec::new(), Vec::new());
        Self { db, segments, content, prepare, report, fixes, rebuilds, discards }
    }

    /// What was found, and what would repair it.
    fn into_plan(self) -> (CheckReport, repair::Plan) {
        let Self { report, fixes, rebuilds, discards, .. } = self;
        (report, repair::Plan { fixes, rebuilds, discards })
    }

    /// Something that only people can put right.
    fn wrong(&mut self, check: &'static str, what: String, remedy: impl Into<String>) {
        let remedy = remedy.into();
        self.report.push(Finding { check, what, remedy, repairable: false, repaired: false });
    }

    /// Something with one right answer; `fixes` carry it out.
    fn repairable(&mut self, check: &'static str, what: String, remedy: impl Into<String>) {
        let remedy = remedy.into();
        self.report.push(Finding { check, what, remedy, repairable: true, repaired: false });
    }

    fn fix(&mut self, sql: &'static str, values: Vec<rusqlite::types::Value>) {
        self.fixes.push(Fix { sql: sql.into(), values });
    }

    /// Before approvals, or their marks, are deleted: servers below are told that they are gone.
    fn dropped(&mut self, table: &str, lost: &str, values: Vec<rusqlite::types::Value>) {
        let sql = format!(
            "INSERT INTO dropped_deployment (update_id, group_id, changed)
             SELECT update_id, group_id, (SELECT value FROM counter WHERE name = 'anchor') FROM {table}
             WHERE ({lost}) AND length(update_id) = 16 AND length(group_id) = 16
             ON CONFLICT (update_id, group_id) DO UPDATE SET changed = excluded.changed"
        );
        self.fixes.push(Fix { sql: sql.into(), values });
    }

    fn all(&mut self, lengths: Lengths, content: bool) -> Result<(), StoreError> {
        if !rows::structure(self)? {
            // Nothing that is read from such a file means anything.
            return Ok(());
        }
        references::check(self)?;
        revisions::newest(self)?;
        revisions::check(self, lengths)?;
        decisions::check(self)?;
        content::check(self, content)?;
        audit::foreign(self)
    }
}

/// What the checks found and what would repair it.
struct Checked {
    report: CheckReport,
    plan: repair::Plan,
}

fn look(
    db: &Connection,
    segments: &Segments,
    content: &ContentStore,
    lengths: Lengths,
    options: &CheckOptions<'_>,
) -> Result<Checked, StoreError> {
    let mut check = Check::new(db, segments, content, options.prepare);
    check.all(lengths, options.content)?;
    let (report, plan) = check.into_plan();
    Ok(Checked { report, plan })
}

impl Store {
    /// Checks everything while the server runs; scans and reports go on. A repair waits for the writer, and is
    /// in service when this returns.
    ///
    /// # Errors
    /// A failure to read or write; what is damaged is no failure but a finding.
    pub fn check(&self, options: &CheckOptions<'_>) -> Result<CheckReport, StoreError> {
        // No import appends to the segments meanwhile.
        let _turn = self.shared.import_turn.lock();
        let shared = &self.shared;
        let checked = shared.database.read(|db| {
            let db = db.transaction().during("begin a check")?;
            let lengths = Lengths::load(&db)?;
            // What revisions say of each other is of the whole catalog.
            sluicegate_allocator::bulk(|| look(&db, &shared.segments, &shared.content, lengths, options))
        });
        sluicegate_allocator::set_aside();
        let Checked { mut report, plan } = checked?;
        audit::verified(&mut report, &self.verify_audit()?);
        if !options.repair || plan.is_empty() {
            return Ok(report);
        }
        shared.database.write_alone(
            |tx| {
                let by = By { actor: &self.actor, now: options.now, prepare: options.prepare };
                repair::carry_out(tx, &shared.segments, &plan, &report, &by)?;
                let decisions = crate::decisions::load(tx)?;
                let cores = Cores::load(tx, shared.segments.clone(), shared.options.core_memory_budget)?;
                Ok((Arc::new(decisions), Arc::new(cores)))
            },
            |(decisions, cores)| {
                *shared.decisions.write() = Arc::clone(decisions);
                *shared.cores.write() = Arc::clone(cores);
                shared.board.catalog_rewritten();
            },
        )?;
        self.note_audit_head();
        repair::discard(&shared.content, &plan)?;
        repair::done(&mut report);
        Ok(report)
    }
}

/// Checks a data folder that no server works on.
///
/// # Errors
/// [`StoreError::Locked`] when one does, or a failure to read or write.
pub fn check_folder(dir: &Path, options: &CheckOptions<'_>) -> Result<CheckReport, StoreError> {
    if !dir.join(crate::database::FILE).is_file() {
        let reason = format!("{} holds no database", dir.display());
        return Err(StoreError::Unusable { what: "the data folder", reason });
    }
    let _lock = FolderLock::take(dir)?;
    let database = Database::open(dir, 1)?;
    let mut head = HeadFile::load(dir)?;
    let content = ContentStore::load(dir)?;
    let (mut report, plan, segments) = database.read(|db| {
        let lengths = Lengths::load(db)?;
        let (segments, short) = open_short(dir, lengths)?;
        let Checked { mut report, plan } = look(db, &segments, &content, lengths, options)?;
        for what in short {
            let remedy =
                "restore the data folder from a backup, or let the server synchronize anew".to_owned();
            report.push(Finding { check: "segments", what, remedy, repairable: false, repaired: false });
        }
        audit::verified(&mut report, &crate::audit::verify(db, head.remembered())?);
        Ok((report, plan, segments))
    })?;
    if !options.repair || plan.is_empty() {
        return Ok(report);
    }
    let actor = crate::audit::Actor::server("check");
    let end = database.write_alone(
        |tx| {
            let by = By { actor: &actor, now: options.now, prepare: options.prepare };
            repair::carry_out(tx, &segments, &plan, &report, &by)?;
            crate::audit::last(tx)
        },
        |_| {},
    )?;
    // A file that remembers a longer log is evidence, and stays for the server's next start to write down.
    if head.remembered().is_some_and(|known| known.count < end.count) {
        head.write(end)?;
    }
    repair::discard(&content, &plan)?;
    repair::done(&mut report);
    Ok(report)
}

/// The anchor as a check sees it.
fn anchor(db: &Connection) -> Result<Anchor, StoreError> {
    crate::database::read_anchor(db)
}
