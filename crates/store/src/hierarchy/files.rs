//! Store: where files come from and which are still to be fetched. A file that is held is never listed.

use crate::Store;
use crate::catalog::given;
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError, StoredAs};
use rusqlite::{Connection, OptionalExtension, Row, params};
use sluicegate_policy::hierarchy::{ContentWhen, SyncFilter};
use sluicegate_terms::{Locale, Sha1Digest, Sha256Digest, Timestamp};
use std::collections::BTreeSet;

/// Longest address of a file that is kept, in bytes.
const LONGEST_URL: usize = 2_048;

/// A file that could not be had from any place is asked for again after so many seconds.
pub const FILE_WAITS: i64 = 3_600;

/// Digest, whether it is an express file, and languages of every file.
const ALL: &str = "SELECT sha1, express OR name LIKE '%.psf', languages FROM file";

/// The same as [`ALL`] of one revision. `CROSS JOIN` keeps the order of the tables: what a plan made without statistics
/// begins with may be the whole catalog.
const OF_REVISION: &str = "SELECT f.sha1, f.express OR f.name LIKE '%.psf', f.languages
     FROM revision_file r CROSS JOIN file f ON f.sha1 = r.sha1 WHERE r.revision_id = ?1";

/// Calls `take` with the digest of each file that a policy is about and `chosen` chooses: by its row of [`ALL`], which
/// costs less than whose file it is.
pub(super) fn for_each_file_of(
    db: &Connection,
    when: ContentWhen,
    mut chosen: impl FnMut(&Row<'_>) -> Result<bool, StoreError>,
    mut take: impl FnMut(Sha1Digest, &Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let during = "look at the files of updates";
    match when {
        ContentWhen::Never => Ok(()),
        ContentWhen::All => {
            let mut statement = db.prepare_cached(ALL).during(during)?;
            for_rows(&mut statement.query([]).during(during)?, |row| {
                if !chosen(row)? {
                    return Ok(());
                }
                let sha1 = row.sha1(0)?;
                if given::needs_file(db, sha1)? { take(sha1, row) } else { Ok(()) }
            })
        }
        ContentWhen::Approved => {
            let mut seen = BTreeSet::new();
            let mut statement = db.prepare_cached(OF_REVISION).during(during)?;
            for revision in given::of_approved(db)? {
                for_rows(&mut statement.query([revision]).during(during)?, |row| {
                    let sha1 = row.sha1(0)?;
                    if chosen(row)? && seen.insert(sha1) { take(sha1, row) } else { Ok(()) }
                })?;
            }
            Ok(())
        }
    }
}

/// A file that should be here and is not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileNeed {
    /// Its digest.
    pub sha1: Sha1Digest,
    /// Its length in bytes.
    pub size: u64,
    /// The digest that proves it, when declared.
    pub sha256: Option<Sha256Digest>,
    /// Its name; the ending is part of its address.
    pub name: String,
    /// Where Microsoft Update has it, when the upstream said so.
    pub url: Option<String>,
}

impl Store {
    /// Notes where Microsoft Update has files; durable when it returns. Addresses longer than 2,048 bytes or
    /// with control characters are left out.
    ///
    /// # Errors
    /// A failure to write.
    pub fn record_file_urls(&self, urls: &[(Sha1Digest, String)]) -> Result<(), StoreError> {
        if urls.is_empty() {
            return Ok(());
        }
        self.shared.database.write_alone(
            |tx| {
                let mut insert = tx
                    .prepare_cached(
                        "INSERT INTO file_url (sha1, url) VALUES (?1, ?2)
                         ON CONFLICT (sha1) DO UPDATE SET url = ?2 WHERE url <> ?2",
                    )
                    .during("note where a file is")?;
                for (sha1, url) in urls {
                    if url.len() <= LONGEST_URL && !url.chars().any(char::is_control) {
                        insert.execute(params![sha1.0, url]).during("note where a file is")?;
                    }
                }
                Ok(())
            },
            |()| {},
        )
    }

    /// Where Microsoft Update has a file, if the upstream said so.
    ///
    /// # Errors
    /// A failure to read.
    pub fn file_url(&self, sha1: Sha1Digest) -> Result<Option<String>, StoreError> {
        self.shared.database.read(|db| file_url(db, sha1))
    }

    /// The name of a declared file and where Microsoft Update has it, if the upstream said so; `None` when no
    /// update declares it.
    ///
    /// # Errors
    /// A failure to read.
    pub fn file_source(&self, sha1: Sha1Digest) -> Result<Option<(String, Option<String>)>, StoreError> {
        self.shared.database.read(|db| {
            db.prepare_cached(
                "SELECT f.name, u.url FROM file f LEFT JOIN file_url u ON u.sha1 = f.sha1 WHERE f.sha1 = ?1",
            )
            .and_then(|mut s| s.query_row([sha1.0], |row| Ok((row.get(0)?, row.get(1)?))).optional())
            .during("look up where a file is")
        })
    }

    /// The files that the policy wants, and those that downstream servers asked for, which are not held and
    /// did not fail lately. Express files are known by their ending: they are in the patch storage format (PSF,
    /// MS-WSUSSS 3.1.1, ServerHostsPsfFiles). Approved are updates with an approval to install, with everything they bundle:
    /// of each the revision that clients are given.
    ///
    /// # Errors
    /// A failure to read.
    pub fn missing_files(
        &self,
        when: ContentWhen,
        express: bool,
        filter: &SyncFilter,
        now: Timestamp,
    ) -> Result<Vec<FileNeed>, StoreError> {
        self.shared.database.read(|db| {
            let db = db.transaction().during("list missing files")?;
            let mut wanted: BTreeSet<Sha1Digest> = BTreeSet::new();
            let missing = |row: &Row<'_>| {
                let absent = !self.content().has(row.sha1(0)?);
                Ok(absent && (express || row.int(1)? == 0) && wants(filter, &row.text(2)?)?)
            };
            for_each_file_of(&db, when, missing, |sha1, _| {
                wanted.insert(sha1);
                Ok(())
            })?;
            let mut list = Vec::new();
            for sha1 in wanted {
                list.extend(need(&db, sha1, now)?);
            }
            let mut statement = db
                .prepare_cached("SELECT sha1 FROM wanted_file ORDER BY asked")
                .during("list missing files")?;
            let mut rows = statement.query([]).during("list missing files")?;
            for_rows(&mut rows, |row| {
                let sha1 = row.sha1(0)?;
                if !self.content().has(sha1) && !list.iter().any(|n: &FileNeed| n.sha1 == sha1) {
                    list.extend(need(&db, sha1, now)?);
                }
                Ok(())
            })?;
            Ok(list)
        })
    }

    /// The update whose file it is, for messages: its knowledge base article and title. Of several the first.
    ///
    /// # Errors
    /// A failure to read.
    pub fn update_of_file(&self, sha1: Sha1Digest) -> Result<Option<String>, StoreError> {
        let owners = self.file_owners(sha1)?;
        let Some(first) = owners.first() else { return Ok(None) };
        let (title, articles) = self.title_and_kb(*first)?;
        Ok(Some(match articles.first() {
            Some(article) if !title.contains(article.as_str()) => format!("KB{article} {title}"),
            _ => title,
        }))
    }

    /// Files came: nothing about their fetching needs to be remembered.
    ///
    /// # Errors
    /// A failure to write.
    pub fn files_arrived(&self, files: &[Sha1Digest]) -> Result<(), StoreError> {
        if files.is_empty() {
            return Ok(());
        }
        self.shared.database.write_alone(
            |tx| {
                for sha1 in files {
                    for sql in [
                        "DELETE FROM wanted_file WHERE sha1 = ?1",
                        "DELETE FROM wanted_by WHERE sha1 = ?1",
                        "DELETE FROM failed_file WHERE sha1 = ?1",
                        "DELETE FROM awaited_file WHERE sha1 = ?1",
                    ] {
                        tx.prepare_cached(sql)
                            .and_then(|mut s| s.execute([sha1.0]))
                            .during("note an arrived file")?;
                    }
                }
                Ok(())
            },
            |()| {},
        )
    }

    /// Files could not be fetched, each for a reason, and asking again within [`FILE_WAITS`] would end the same way.
    ///
    /// # Errors
    /// A failure to write.
    pub fn files_failed(&self, files: &[(Sha1Digest, String)], now: Timestamp) -> Result<(), StoreError> {
        if files.is_empty() {
            return Ok(());
        }
        let again_at = now.plus_seconds(FILE_WAITS);
        self.shared.database.write_alone(
            |tx| {
                self.refuse_for_another_upstream(tx)?;
                for (sha1, reason) in files {
                    tx.prepare_cached(
                        "INSERT INTO failed_file (sha1, attempts, again_at, reason) VALUES (?1, 1, ?2, ?3)
                         ON CONFLICT (sha1) DO UPDATE SET attempts = attempts + 1, again_at = ?2, reason = ?3",
                    )
                    .and_then(|mut s| s.execute(params![sha1.0, again_at.ticks(), reason]))
                    .during("note a file that could not be fetched")?;
                }
                Ok(())
            },
            |()| {},
        )
    }

    /// The files that could not be fetched, and why.
    ///
    /// # Errors
    /// A failure to read.
    pub fn failed_files(&self) -> Result<Vec<(Sha1Digest, String)>, StoreError> {
        self.shared.database.read(|db| {
            let mut statement = db
                .prepare_cached("SELECT sha1, reason FROM failed_file ORDER BY sha1")
                .during("list files that could not be fetched")?;
            let mut rows = statement.query([]).during("list files that could not be fetched")?;
            let mut list = Vec::new();
            for_rows(&mut rows, |row| {
                list.push((row.sha1(0)?, row.text(1)?));
                Ok(())
            })?;
            Ok(list)
        })
    }
}

fn file_url(db: &Connection, sha1: Sha1Digest) -> Result<Option<String>, StoreError> {
    db.prepare_cached("SELECT url FROM file_url WHERE sha1 = ?1")
        .and_then(|mut s| s.query_row([sha1.0], |row| row.get(0)).optional())
        .during("look up where a file is")
}

pub(super) fn wants(filter: &SyncFilter, languages: &str) -> Result<bool, StoreError> {
    if filter.languages.listed().is_none() || languages.is_empty() {
        return Ok(true);
    }
    for tag in languages.lines() {
        let language: Locale = tag.parse().stored_as("language of a file")?;
        if filter.wants_language(Some(&language)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A file that is not here, unless it failed lately. A time further ahead than any that is given was reckoned by a clock
/// that has been put back since.
fn need(db: &Connection, sha1: Sha1Digest, now: Timestamp) -> Result<Option<FileNeed>, StoreError> {
    let mut statement = db
        .prepare_cached(
            "SELECT f.size, f.sha256, f.name, u.url FROM file f LEFT JOIN file_url u USING (sha1)
             WHERE f.sha1 = ?1 AND NOT EXISTS (
                 SELECT 1 FROM failed_file x WHERE x.sha1 = ?1 AND x.again_at > ?2 AND x.again_at <= ?3)",
        )
        .during("look up a missing file")?;
    let latest = now.plus_seconds(FILE_WAITS);
    let mut rows =
        statement.query(params![sha1.0, now.ticks(), latest.ticks()]).during("look up a missing file")?;
    let Some(row) = rows.next().during("look up a missing file")? else { return Ok(None) };
    Ok(Some(FileNeed {
        sha1,
        size: row.natural(0)?,
        sha256: row.get::<_, Option<[u8; 32]>>(1).during("read a digest")?.map(Sha256Digest),
        name: row.text(2)?,
        url: row.text_if_any(3)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreOptions;

    /// Without statistics a plan may begin with any table; looking for the files of a few approved updates must not go
    /// through the files of the whole catalog, nor may asking whose file one is.
    #[test]
    fn no_question_about_files_goes_through_the_catalog() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::new(Timestamp::from_unix_seconds(0))).unwrap();
        let plan = |sql: &str| {
            store.shared.database.read(|db| {
                let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).during("explain")?;
                let lines = statement.query_map([], |row| row.get::<_, String>(3)).during("explain")?;
                lines.collect::<Result<Vec<_>, _>>().during("explain")
            })
        };
        let scanned = |sql: &str| -> Vec<String> {
            plan(sql).unwrap().into_iter().filter(|step| step.starts_with("SCAN")).collect()
        };
        let few = ["SCAN a", "SCAN CONSTANT ROW"];
        for sql in given::QUESTIONS.into_iter().chain([OF_REVISION]) {
            for step in scanned(&sql.replace("?1", "x'00'").replace("?2", "1")) {
                assert!(few.contains(&step.as_str()), "{step} in the plan of {sql}");
            }
        }
        assert_eq!(scanned(ALL), ["SCAN file"], "a plan says what it scans");
    }
}
