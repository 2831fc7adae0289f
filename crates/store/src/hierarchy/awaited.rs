//! Store: files that the upstream does not have. It is asked to fetch them, and in a chain of servers they may well come a
//! run later; what a second run does not find either, somebody has to see to.

use crate::Store;
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError};
use rusqlite::params;
use sluicegate_terms::{Sha1Digest, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// Files that were asked of the upstream in an earlier run and are still not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Awaited {
    /// How many.
    pub files: u64,
    /// When the upstream was first asked for the oldest of them.
    pub since: Timestamp,
}

impl Store {
    /// A run found that the upstream, which was asked for these files, does not have them, and has all others. Answers
    /// which of them it was asked for by an earlier run already, `None` when there are none.
    ///
    /// # Errors
    /// A failure to write.
    pub fn files_not_upstream(
        &self,
        files: &[Sha1Digest],
        now: Timestamp,
    ) -> Result<Option<Awaited>, StoreError> {
        let known = self.files_asked_for()?;
        if known.is_empty() && files.is_empty() {
            return Ok(None);
        }
        let still: BTreeSet<Sha1Digest> = files.iter().copied().collect();
        self.shared.database.write_alone(
            |tx| {
                self.refuse_for_another_upstream(tx)?;
                for sha1 in known.iter().filter(|sha1| !still.contains(sha1)) {
                    tx.prepare_cached("DELETE FROM awaited_file WHERE sha1 = ?1")
                        .and_then(|mut s| s.execute([sha1.0]))
                        .during("note that a file is awaited no longer")?;
                }
                for sha1 in &still {
                    tx.prepare_cached(
                        "INSERT INTO awaited_file (sha1, asked, runs) VALUES (?1, ?2, 1)
                         ON CONFLICT (sha1) DO UPDATE SET runs = runs + 1",
                    )
                    .and_then(|mut s| s.execute(params![sha1.0, now.ticks()]))
                    .during("note an awaited file")?;
                }
                Ok(())
            },
            |()| {},
        )?;
        self.awaited_files()
    }

    /// The files that the upstream was asked for and did not have when it was asked last.
    ///
    /// # Errors
    /// A failure to read.
    pub fn files_asked_for(&self) -> Result<Vec<Sha1Digest>, StoreError> {
        self.shared.database.read(|db| {
            let mut known = Vec::new();
            let mut statement =
                db.prepare_cached("SELECT sha1 FROM awaited_file").during("list awaited files")?;
            for_rows(&mut statement.query([]).during("list awaited files")?, |row| {
                known.push(row.sha1(0)?);
                Ok::<_, StoreError>(())
            })?;
            Ok(known)
        })
    }

    /// The files that more than one run did not find at the upstream, that did not come another way since, and that are
    /// still wanted.
    ///
    /// # Errors
    /// A failure to read.
    pub fn awaited_files(&self) -> Result<Option<Awaited>, StoreError> {
        let absent = self.shared.database.read(|db| {
            let mut absent = BTreeMap::new();
            let mut statement = db
                .prepare_cached("SELECT sha1, asked FROM awaited_file WHERE runs > 1")
                .during("list awaited files")?;
            for_rows(&mut statement.query([]).during("list awaited files")?, |row| {
                if !self.content().has(row.sha1(0)?) {
                    absent.insert(row.sha1(0)?, row.time(1)?);
                }
                Ok::<_, StoreError>(())
            })?;
            Ok(absent)
        })?;
        if absent.is_empty() {
            return Ok(None);
        }
        let settings = self.upstream_settings();
        let policy = settings.content;
        let wanted = self.missing_files(policy.when, policy.express, &settings.filter, Timestamp::MAX)?;
        let mut awaited: Option<Awaited> = None;
        for asked in wanted.iter().filter_map(|need| absent.get(&need.sha1).copied()) {
            let before = awaited.unwrap_or(Awaited { files: 0, since: asked });
            awaited = Some(Awaited { files: before.files + 1, since: before.since.min(asked) });
        }
        Ok(awaited)
    }
}
