//! Store: the history of synchronization runs. A run is written when it begins, so that one that was cut
//! off by a crash shows.

use crate::Store;
use crate::columns::{Columns, for_rows, gathered, signed};
use crate::error::{During, StoreError};
use rusqlite::{Row, params};
use sluicegate_terms::Timestamp;

/// How many runs are kept.
const MOST_RUNS: u32 = 500;

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RunOutcome {
    /// It has not ended.
    Running,
    /// Everything is as on the upstream.
    Succeeded,
    /// An error stopped it.
    Failed,
    /// Somebody stopped it.
    Cancelled,
    /// The server stopped while it ran.
    Interrupted,
}

impl RunOutcome {
    /// The word commands, the admin API and the database use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    fn from_word(word: &str) -> Result<Self, StoreError> {
        [Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled, Self::Interrupted]
            .into_iter()
            .find(|outcome| outcome.as_str() == word)
            .ok_or_else(|| StoreError::Unreadable {
                what: "outcome of a run".to_owned(),
                reason: format!("`{word}` is not known"),
            })
    }
}

/// What a run did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RunCounts {
    /// Updates that are new.
    pub new: u64,
    /// New revisions of updates that were there. Older ones, which bundles and upstreams ask for by name, are among them.
    pub revised: u64,
    /// Of the new and revised: those their publisher let expire.
    pub expired: u64,
    /// Revisions that could not be used.
    pub quarantined: u64,
    /// Approvals, declines and groups that changed (replicas).
    pub approvals: u64,
    /// Files fetched.
    pub files: u64,
    /// Bytes of them.
    pub file_bytes: u64,
    /// Files that could not be fetched.
    pub files_failed: u64,
    /// Updates that came although the filter does not choose them.
    pub strays: u64,
    /// Decisions of the upstream that a replica could not take over yet, since it does not have their update or group.
    pub waiting: u64,
}

/// One run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyncRun {
    /// Its number.
    pub id: u64,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Who asked for it; `schedule` for the clock.
    pub started_by: String,
    /// The upstream.
    pub upstream: String,
    /// How it ended.
    pub outcome: RunOutcome,
    /// The phase it was in last.
    pub phase: String,
    /// What it did.
    pub counts: RunCounts,
    /// The stable code of the error that stopped it.
    pub error_code: Option<String>,
    /// The sentence for an administrator.
    pub error_text: Option<String>,
    /// Something that did not stop it and is worth knowing.
    pub warning: Option<String>,
    /// What of the warning is about files.
    pub files_warning: Option<String>,
    /// Which of the upstream's decisions could not be taken over yet: sentences about the first of them.
    pub waiting: Vec<String>,
}

impl SyncRun {
    /// A run as it stands at its beginning.
    #[must_use]
    pub fn begun(id: u64, started_by: String, upstream: String, started: Timestamp) -> Self {
        Self {
            id,
            started,
            ended: None,
            started_by,
            upstream,
            outcome: RunOutcome::Running,
            phase: STARTING.to_owned(),
            counts: RunCounts::default(),
            error_code: None,
            error_text: None,
            warning: None,
            files_warning: None,
            waiting: Vec::new(),
        }
    }
}

impl SyncRun {
    /// Why files did not come: what was said of them, or everything, of a run whose record does not tell them apart.
    #[must_use]
    pub fn about_files(&self) -> &str {
        self.files_warning.as_deref().or(self.warning.as_deref()).unwrap_or_default()
    }
}

/// The phase of a run that is in none yet.
const STARTING: &str = "starting";

/// The last phase of a run that is for categories only.
const CATEGORIES: &str = "categories";

const COLUMNS: &str =
    "id, started, ended, started_by, upstream, outcome, phase, new, revised, expired, quarantined,
    approvals, files, file_bytes, files_failed, error_code, error_text, strays, warning, waiting, waiting_which,
    files_warning";

fn run(row: &Row<'_>) -> Result<SyncRun, StoreError> {
    Ok(SyncRun {
        id: row.natural(0)?,
        started: row.time(1)?,
        ended: row.time_if_any(2)?,
        started_by: row.text(3)?,
        upstream: row.text(4)?,
        outcome: RunOutcome::from_word(&row.text(5)?)?,
        phase: row.text(6)?,
        counts: RunCounts {
            new: row.natural(7)?,
            revised: row.natural(8)?,
            expired: row.natural(9)?,
            quarantined: row.natural(10)?,
            approvals: row.natural(11)?,
            files: row.natural(12)?,
            file_bytes: row.natural(13)?,
            files_failed: row.natural(14)?,
            strays: row.natural(17)?,
            waiting: row.natural(19)?,
        },
        error_code: row.text_if_any(15)?,
        error_text: row.text_if_any(16)?,
        warning: row.text_if_any(18)?,
        files_warning: row.text_if_any(21)?,
        waiting: row.text(20)?.lines().map(str::to_owned).collect(),
    })
}

impl Store {
    /// Begins a run; answers its number.
    ///
    /// # Errors
    /// A failure to write.
    pub fn begin_sync_run(&self, by: &str, upstream: &str, now: Timestamp) -> Result<u64, StoreError> {
        self.shared.database.write_alone(
            |tx| {
                tx.execute(
                    "INSERT INTO sync_run (started, started_by, upstream, outcome, phase)
                     VALUES (?1, ?2, ?3, 'running', ?4)",
                    params![now.ticks(), by, upstream, STARTING],
                )
                .during("begin a run")?;
                let id = tx.last_insert_rowid();
                tx.execute("DELETE FROM sync_run WHERE id <= ?1 - ?2", params![id, MOST_RUNS])
                    .during("forget old runs")?;
                Ok(id.unsigned_abs())
            },
            |_| {},
        )
    }

    /// Writes how a run stands or how it ended (by its number; the start does not change).
    ///
    /// # Errors
    /// A failure to write.
    pub fn write_sync_run(&self, run: &SyncRun) -> Result<(), StoreError> {
        let c = run.counts;
        self.shared.database.write_alone(
            |tx| {
                tx.prepare_cached(
                    "UPDATE sync_run SET ended = ?2, outcome = ?3, phase = ?4, new = ?5, revised = ?6, expired = ?7,
                         quarantined = ?8, approvals = ?9, files = ?10, file_bytes = ?11, files_failed = ?12,
                         error_code = ?13, error_text = ?14, strays = ?15, warning = ?16, waiting = ?17,
                         waiting_which = ?18, files_warning = ?19 WHERE id = ?1",
                )
                .and_then(|mut s| {
                    s.execute(params![
                        signed(run.id),
                        run.ended.map(Timestamp::ticks),
                        run.outcome.as_str(),
                        run.phase,
                        signed(c.new),
                        signed(c.revised),
                        signed(c.expired),
                        signed(c.quarantined),
                        signed(c.approvals),
                        signed(c.files),
                        signed(c.file_bytes),
                        signed(c.files_failed),
                        run.error_code,
                        run.error_text,
                        signed(c.strays),
                        run.warning,
                        signed(c.waiting),
                        run.waiting.join("\n"),
                        run.files_warning
                    ])
                })
                .during("write how a run stands")
                .map(|_| ())
            },
            |()| {},
        )
    }

    /// Writes how a run ended. Where that cannot be written, as on a full disk, it is told from memory until it is: whoever
    /// calls this tries again.
    ///
    /// # Errors
    /// A failure to write.
    pub fn end_sync_run(&self, run: &SyncRun) -> Result<(), StoreError> {
        let written = self.write_sync_run(run);
        let mut unwritten = self.shared.unwritten_ends.lock();
        unwritten.retain(|kept| kept.id != run.id);
        if written.is_err() {
            unwritten.push(run.clone());
        }
        written
    }

    /// Marks runs that never ended as interrupted, with the code and the sentence for that; for the start of a server.
    /// Answers their numbers. Earlier versions marked such runs without a code; they get it now.
    ///
    /// # Errors
    /// A failure to write.
    pub fn close_interrupted_runs(
        &self,
        code: &str,
        sentence: &str,
        now: Timestamp,
    ) -> Result<Vec<u64>, StoreError> {
        let during = "close interrupted runs";
        self.shared.database.write_alone(
            |tx| {
                let mut closed = Vec::new();
                {
                    let mut statement = tx
                        .prepare(
                            "UPDATE sync_run SET outcome = 'interrupted', ended = ?1, error_code = ?2, error_text = ?3
                             WHERE outcome = 'running' RETURNING id",
                        )
                        .during(during)?;
                    let mut rows = statement.query(params![now.ticks(), code, sentence]).during(during)?;
                    for_rows(&mut rows, |row| {
                        closed.push(row.natural(0)?);
                        Ok(())
                    })?;
                }
                tx.execute(
                    "UPDATE sync_run SET error_code = ?1 WHERE outcome = 'interrupted' AND error_code IS NULL",
                    [code],
                )
                .during(during)?;
                Ok(closed)
            },
            |_| {},
        )
    }

    /// When a run last succeeded, files and all.
    ///
    /// # Errors
    /// A failure to read.
    pub fn last_succeeded(&self) -> Result<Option<Timestamp>, StoreError> {
        // Looked at first: what is written meanwhile is found below.
        let succeeded = |run: &&SyncRun| run.outcome == RunOutcome::Succeeded && run.phase != CATEGORIES;
        let kept =
            self.shared.unwritten_ends.lock().iter().filter(succeeded).filter_map(|run| run.ended).max();
        let written: Option<Timestamp> = self.shared.database.read(|db| {
            // Of those that were to end with the categories there is no other phase to be reached.
            let sql = "SELECT ended FROM sync_run WHERE outcome = 'succeeded' AND phase <> 'categories'
                       ORDER BY id DESC LIMIT 1";
            let mut statement = db.prepare_cached(sql).during("look up the last run that succeeded")?;
            let mut rows = statement.query([]).during("look up the last run that succeeded")?;
            let row = rows.next().during("look up the last run that succeeded")?;
            row.map(|row| row.time_if_any(0)).transpose().map(Option::flatten)
        })?;
        Ok(written.max(kept))
    }

    /// The newest runs, newest first.
    ///
    /// # Errors
    /// A failure to read.
    pub fn sync_history(&self, limit: u32) -> Result<Vec<SyncRun>, StoreError> {
        // Looked at first: what is written meanwhile is found below.
        let kept = self.shared.unwritten_ends.lock().clone();
        let mut runs: Vec<SyncRun> = self.shared.database.read(|db| {
            let sql = format!("SELECT {COLUMNS} FROM sync_run ORDER BY id DESC LIMIT ?1");
            let mut statement = db.prepare_cached(&sql).during("list the runs")?;
            let mut rows = statement.query([limit.min(MOST_RUNS)]).during("list the runs")?;
            gathered(&mut rows, run)
        })?;
        for run in &mut runs {
            if let Some(end) = kept.iter().find(|end| end.id == run.id) {
                run.clone_from(end);
            }
        }
        Ok(runs)
    }
}
