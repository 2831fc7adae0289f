//! Check: everything but the bytes of content files, in small steps beside the server's work and without changing
//! anything but that content files which are gone or cut off are not held any more. Each step sees one state; what
//! several steps add up to counts only when the catalog stayed as it was meanwhile.

use super::revisions::{self, Relations};
use super::{Check, CheckReport, Finding, Prepare, audit, content, decisions, references, rows};
use crate::Store;
use crate::audit::AlertKind;
use crate::catalog::Lengths;
use crate::error::{During, StoreError};
use rusqlite::{OptionalExtension, params};
use sluicegate_terms::Timestamp;

/// How many revisions are read in one step.
const REVISIONS: u32 = 256;

/// How many content files are looked at in one step.
const FILES: usize = 512;

/// The name of the counter that says when the last whole check ended.
const CHECKED: &str = "checked";

/// A part of the check that is one step.
type Part = fn(&mut Check<'_>) -> Result<(), StoreError>;

impl Store {
    /// Checks everything but the bytes of content files, and repairs nothing; but a content file that is gone or cut off
    /// is not held any more. Between two steps `go_on` is asked, which may wait; when it says no, the answer is `None`.
    ///
    /// # Errors
    /// A failure to read; what is damaged is no failure but a finding.
    pub fn check_in_steps(
        &self,
        prepare: &Prepare<'_>,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<CheckReport>, StoreError> {
        let mut report = CheckReport::default();
        let catalog = self.catalog_anchor();
        for table in self.tables()? {
            let readable = self.step(prepare, &mut report, |check| rows::of_table(check, &table))?;
            if !readable {
                return Ok(Some(report));
            }
            if !go_on() {
                return Ok(None);
            }
        }
        let parts: [Part; 4] = [references::check, revisions::newest, decisions::check, audit::foreign];
        for part in parts {
            self.step(prepare, &mut report, part)?;
            if !go_on() {
                return Ok(None);
            }
        }
        let mut held = self.content().list();
        held.sort_unstable();
        for some in held.chunks(FILES) {
            self.step(prepare, &mut report, |check| content::some(check, some))?;
            if !go_on() {
                return Ok(None);
            }
        }
        let (mut relations, mut after) = (Relations::default(), Some(i64::MIN));
        while let Some(from) = after {
            after = self.step(prepare, &mut report, |check| {
                let lengths = Lengths::load(check.db)?;
                revisions::some(check, lengths, &mut relations, from, REVISIONS)
            })?;
            if !go_on() {
                return Ok(None);
            }
        }
        // Else the next check sees it; a revision that came or went in between would be missed or missing.
        if self.catalog_anchor() == catalog {
            self.step(prepare, &mut report, |check| revisions::related(check, &relations))?;
        }
        audit::verified(&mut report, &self.verify_audit()?);
        Ok(Some(report))
    }

    fn step<T>(
        &self,
        prepare: &Prepare<'_>,
        report: &mut CheckReport,
        work: impl FnOnce(&mut Check<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let shared = &self.shared;
        // Between looking a place up and reading there, nobody gives its room back.
        let _gate = shared.segments.gate.read();
        shared.database.read(|db| {
            let db = db.transaction().during("begin a check")?;
            let mut check = Check::new(&db, &shared.segments, &shared.content, Some(prepare));
            check.report = std::mem::take(report);
            // What revisions say of each other is of the whole catalog.
            let done = sluicegate_allocator::bulk(|| work(&mut check));
            sluicegate_allocator::set_aside();
            *report = check.report;
            done
        })
    }

    fn tables(&self) -> Result<Vec<String>, StoreError> {
        self.shared.database.read(|db| {
            let mut statement = db
                .prepare_cached(
                    "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 ORDER BY name",
                )
                .during("list the tables")?;
            let names = statement.query_map([], |row| row.get(0)).during("list the tables")?;
            names.collect::<Result<_, _>>().during("list the tables")
        })
    }

    /// When the last whole check by itself ended, if one ever did.
    ///
    /// # Errors
    /// A failure to read.
    pub fn last_checked(&self) -> Result<Option<Timestamp>, StoreError> {
        self.shared.database.read(|db| {
            db.prepare_cached("SELECT value FROM counter WHERE name = ?1")
                .and_then(|mut s| s.query_row([CHECKED], |row| row.get::<_, i64>(0)).optional())
                .during("read when everything was checked")
                .map(|ticks| ticks.map(Timestamp::from_ticks))
        })
    }

    /// Notes what a check of everything found: an alert when something is wrong, and the end of an earlier one when
    /// nothing is.
    ///
    /// # Errors
    /// A failure to write.
    pub fn note_check(&self, report: &CheckReport, now: Timestamp) -> Result<(), StoreError> {
        let open: Vec<&Finding> = report.findings.iter().filter(|finding| !finding.repaired).collect();
        let kind = AlertKind::CheckFailed;
        let text = open.first().map(|first| {
            let count = open.len() as u64 + report.more;
            let what = &first.what;
            let found = match count {
                1 => format!("one thing that is not as it must be: {what}; `sluicegate check` tells more"),
                _ => format!(
                    "{count} things that are not as they must be, the first of them: {what}; `sluicegate check` names \
                     them all"
                ),
            };
            format!("the check found {found}, and --repair repairs what has one right answer")
        });
        self.shared.database.write(move |tx| {
            tx.execute(
                "INSERT INTO counter (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
                params![CHECKED, now.ticks().max(0)],
            )
            .during("note a check")?;
            match &text {
                Some(text) => crate::audit::raise_once(tx, kind, text, now),
                None => crate::audit::settle(tx, kind, "check", now),
            }
        })
    }
}
