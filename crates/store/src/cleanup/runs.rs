//! Cleanup: its settings and the history of its runs, as rows.

use super::StepReport;
use crate::Store;
use crate::audit;
use crate::columns::{Columns, for_rows, signed};
use crate::error::{During, StoreError};
use rusqlite::{Connection, params};
use sluicegate_policy::cleanup::CleanupSettings;
use sluicegate_policy::filters::UpdateFilter;
use sluicegate_terms::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// So many runs are remembered.
const KEPT_RUNS: u32 = 100;

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CleanupOutcome {
    /// It is under way.
    Running,
    /// It came to its end.
    Done,
    /// Somebody stopped it, or the server was shut down.
    Stopped,
    /// Something failed; the log says what.
    Failed,
    /// The server ended without stopping it.
    Interrupted,
}

impl CleanupOutcome {
    const ALL: [Self; 5] = [Self::Running, Self::Done, Self::Stopped, Self::Failed, Self::Interrupted];

    /// The word in the database and the admin API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// One run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CleanupRun {
    /// Its number.
    pub id: u64,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Who started it.
    pub by: String,
    /// How it ended.
    pub outcome: CleanupOutcome,
    /// What its steps did.
    pub steps: Vec<StepReport>,
}

fn load(db: &Connection) -> Result<CleanupSettings, StoreError> {
    let mut settings = CleanupSettings::default();
    let mut statement =
        db.prepare("SELECT name, value FROM cleanup_setting").during("read the settings of cleanup")?;
    let mut rows = statement.query([]).during("read the settings of cleanup")?;
    for_rows(&mut rows, |row| {
        let (name, value) = (row.text(0)?, row.text(1)?);
        if let Err(error) = settings.set(&name, &value) {
            // Written by another program; the default is the safe choice.
            tracing::warn!(%error, "a setting of cleanup is not used");
        }
        Ok(())
    })?;
    Ok(settings)
}

/// The filters of unwanted updates, inside a transaction that brings updates.
pub(crate) fn filters(db: &Connection) -> Result<BTreeSet<UpdateFilter>, StoreError> {
    Ok(load(db)?.filters)
}

impl Store {
    /// How cleanup is set.
    ///
    /// # Errors
    /// A failure to read.
    pub fn cleanup_settings(&self) -> Result<CleanupSettings, StoreError> {
        self.shared.database.read(|db| load(db))
    }

    /// Sets how cleanup works; durable when it returns.
    ///
    /// # Errors
    /// A failure to write.
    pub fn set_cleanup_settings(&self, settings: &CleanupSettings, now: Timestamp) -> Result<(), StoreError> {
        let all = |own: &mut CleanupSettings| {
            own.clone_from(settings);
            Ok::<_, std::convert::Infallible>(())
        };
        self.change_cleanup_settings(now, all).map(|_| ())
    }

    /// Changes the settings of cleanup as they are once this change has its turn, so that what somebody else changes at
    /// the same moment stays. Answers what they are then, or what `change` refuses, and nothing is written.
    ///
    /// # Errors
    /// A failure to write.
    pub fn change_cleanup_settings<E>(
        &self,
        now: Timestamp,
        change: impl FnOnce(&mut CleanupSettings) -> Result<(), E>,
    ) -> Result<Result<CleanupSettings, E>, StoreError> {
        let texts = |settings: &CleanupSettings| -> BTreeMap<String, String> {
            settings.texts().into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
        };
        let settings = self.shared.database.write_alone(
            |tx| {
                let mut settings = load(tx)?;
                let before = texts(&settings);
                if let Err(refused) = change(&mut settings) {
                    return Ok(Err(refused));
                }
                let after = texts(&settings);
                for (name, value) in &after {
                    tx.execute(
                        "INSERT INTO cleanup_setting (name, value) VALUES (?1, ?2)
                         ON CONFLICT (name) DO UPDATE SET value = ?2",
                        (name, value),
                    )
                    .during("write a setting of cleanup")?;
                }
                let changed = audit::settings_changed("set-cleanup", &before, &after);
                audit::append(tx, &self.actor, now, &changed)?;
                Ok(Ok(settings))
            },
            |_| {},
        )?;
        self.note_audit_head();
        Ok(settings)
    }

    /// Notes that a run begins. Runs that were under way when the server ended are interrupted ones.
    ///
    /// # Errors
    /// A failure to write.
    pub fn begin_cleanup_run(&self, by: &str, now: Timestamp) -> Result<u64, StoreError> {
        let by: String = by.chars().take(200).collect();
        self.shared.database.write_alone(
            |tx| {
                let write = || -> Result<i64, rusqlite::Error> {
                    tx.execute(
                        "UPDATE cleanup_run SET outcome = 'interrupted' WHERE outcome = 'running'",
                        [],
                    )?;
                    tx.execute(
                        "INSERT INTO cleanup_run (started, started_by, outcome) VALUES (?1, ?2, 'running')",
                        (now.ticks(), &by),
                    )?;
                    let id = tx.last_insert_rowid();
                    tx.execute("DELETE FROM cleanup_run WHERE id <= ?1", [id - i64::from(KEPT_RUNS)])?;
                    Ok(id)
                };
                write().during("note a run of cleanup").map(i64::unsigned_abs)
            },
            |_| {},
        )
    }

    /// Notes how a run ended.
    ///
    /// # Errors
    /// A failure to write.
    pub fn end_cleanup_run(
        &self,
        id: u64,
        outcome: CleanupOutcome,
        steps: &[StepReport],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let steps = serde_json::to_string(steps)
            .map_err(|e| StoreError::Invalid { what: "a report of cleanup", reason: e.to_string() })?;
        self.shared.database.write_alone(
            |tx| {
                tx.execute(
                    "UPDATE cleanup_run SET ended = ?2, outcome = ?3, steps = ?4 WHERE id = ?1",
                    params![signed(id), now.ticks(), outcome.as_str(), steps],
                )
                .during("note a run of cleanup")
                .map(|_| ())
            },
            |()| {},
        )
    }

    /// The newest runs, newest first.
    ///
    /// # Errors
    /// A failure to read.
    pub fn cleanup_runs(&self, limit: u32) -> Result<Vec<CleanupRun>, StoreError> {
        self.shared.database.read(|db| {
            let mut statement = db
                .prepare_cached(
                    "SELECT id, started, ended, started_by, outcome, steps FROM cleanup_run
                     ORDER BY id DESC LIMIT ?1",
                )
                .during("read the runs of cleanup")?;
            let mut rows = statement.query([limit.min(KEPT_RUNS)]).during("read the runs of cleanup")?;
            let mut list = Vec::new();
            for_rows(&mut rows, |row| {
                let outcome = row.text(4)?;
                list.push(CleanupRun {
                    id: row.natural(0)?,
                    started: row.time(1)?,
                    ended: row.time_if_any(2)?,
                    by: row.text(3)?,
                    outcome: CleanupOutcome::ALL
                        .into_iter()
                        .find(|known| known.as_str() == outcome)
                        .unwrap_or(CleanupOutcome::Interrupted),
                    steps: serde_json::from_str(&row.text(5)?).unwrap_or_default(),
                });
                Ok(())
            })?;
            Ok(list)
        })
    }
}
