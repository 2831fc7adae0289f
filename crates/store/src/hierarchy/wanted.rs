//! Store: files that servers below wait for (DownloadFiles). They are fetched, or asked of the own upstream, until they
//! come, whatever is chosen here; and only as long as somebody waits, which each server says when it tells of itself.

use super::RolledServer;
use crate::Store;
use crate::error::{During, StoreError};
use rusqlite::{Transaction, params};
use sluicegate_terms::{Guid, Sha1Digest, Timestamp};

/// So many seconds, 90 days, after the last asking nobody waits: a server that is gone does not say so.
const WANTED_FOR: i64 = 90 * 86_400;

/// What became of a request to fetch files.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WantedFiles {
    /// Files that no update here names (`FileDigestsMissing`, MS-WSUSSS 3.1.4.11).
    pub unknown: Vec<Sha1Digest>,
    /// Files that will be fetched.
    pub wanted: Vec<Sha1Digest>,
}

/// A server that waits for some files and has not asked for another one in so many seconds, 7 days, though it told of
/// itself since, does not wait for that one. Real servers may ask once and try the file again by themselves.
const ASKS_WITHIN: i64 = 7 * 86_400;

/// A downstream server is forgotten, and with it what only it asked for.
pub(super) fn forget_asker(tx: &Transaction<'_>, server: Guid) -> Result<(), StoreError> {
    waits_no_more(tx, server, i64::MAX)
}

/// A server told of itself (RollupDownstreamServers), and the last time at `before`. One that says that no update there
/// needs a file waits for none.
pub(super) fn settle(
    tx: &Transaction<'_>,
    server: &RolledServer,
    before: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let told = &server.summary;
    if told.updates_needing_files_count <= 0 && told.updates_with_server_errors_count <= 0 {
        return waits_no_more(tx, server.id, i64::MAX);
    }
    // Noted by a clock that was ahead.
    tx.prepare_cached("UPDATE wanted_by SET asked = ?2 WHERE server_id = ?1 AND asked > ?2")
        .and_then(|mut s| s.execute(params![server.id.as_bytes(), now.ticks()]))
        .during("note who waits for files")?;
    match before {
        Some(before) => waits_no_more(tx, server.id, before.min(now).plus_seconds(-ASKS_WITHIN).ticks()),
        None => Ok(()),
    }
}

/// A server does not wait for what it asked for until then.
fn waits_no_more(tx: &Transaction<'_>, server: Guid, until: i64) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM wanted_file WHERE sha1 IN (SELECT w.sha1 FROM wanted_by w WHERE w.server_id = ?1 AND w.asked <= ?2
             AND NOT EXISTS (SELECT 1 FROM wanted_by o WHERE o.sha1 = w.sha1 AND o.server_id <> ?1))",
        "DELETE FROM wanted_by WHERE server_id = ?1 AND asked <= ?2",
    ] {
        tx.prepare_cached(sql)
            .and_then(|mut s| s.execute(params![server.as_bytes(), until]))
            .during("forget who waits for files")?;
    }
    Ok(())
}

impl Store {
    /// The downstream server `by` asks this one to fetch files (DownloadFiles). Nothing is noted when any of them
    /// is unknown.
    ///
    /// # Errors
    /// A failure to write.
    pub fn want_files(
        &self,
        files: &[Sha1Digest],
        by: Guid,
        now: Timestamp,
    ) -> Result<WantedFiles, StoreError> {
        let mut answer = WantedFiles::default();
        for &sha1 in files {
            if self.file(sha1).is_none() {
                answer.unknown.push(sha1);
            } else if !self.content().has(sha1) {
                answer.wanted.push(sha1);
            }
        }
        if !answer.unknown.is_empty() || answer.wanted.is_empty() {
            return Ok(answer);
        }
        self.shared.database.write_alone(
            |tx| {
                for sha1 in &answer.wanted {
                    tx.prepare_cached(
                        "INSERT INTO wanted_file (sha1, asked) VALUES (?1, ?2)
                         ON CONFLICT (sha1) DO UPDATE SET asked = max(asked, ?2)",
                    )
                    .and_then(|mut s| s.execute(params![sha1.0, now.ticks()]))
                    .during("note a wanted file")?;
                    tx.prepare_cached(
                        "INSERT INTO wanted_by (server_id, sha1, asked) VALUES (?1, ?2, ?3)
                         ON CONFLICT (server_id, sha1) DO UPDATE SET asked = ?3",
                    )
                    .and_then(|mut s| s.execute(params![by.as_bytes(), sha1.0, now.ticks()]))
                    .during("note a wanted file")?;
                }
                Ok(())
            },
            |()| {},
        )?;
        Ok(answer)
    }

    /// Forgets files that nobody has asked for since long. Answers how many.
    ///
    /// # Errors
    /// A failure to write.
    pub fn forget_wanted_files(&self, now: Timestamp) -> Result<u64, StoreError> {
        let oldest = now.plus_seconds(-WANTED_FOR).ticks();
        self.shared.database.write_alone(
            |tx| {
                let gone = tx
                    .execute("DELETE FROM wanted_file WHERE asked < ?1", [oldest])
                    .during("forget files that nobody waits for")?;
                tx.execute("DELETE FROM wanted_by WHERE sha1 NOT IN (SELECT sha1 FROM wanted_file)", [])
                    .during("forget files that nobody waits for")?;
                Ok(gone as u64)
            },
            |_| {},
        )
    }
}
