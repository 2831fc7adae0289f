//! Cleanup: content that no update needs, parts of it that came, and what is known of files that no revision declares
//! any more.

use super::{Cleanup, StepReport};
use crate::Store;
use crate::catalog::given;
use crate::columns::{Columns, gathered};
use crate::error::{During, StoreError};
use rusqlite::Connection;
use sluicegate_terms::Sha1Digest;

/// So many declarations are removed in one transaction.
const AT_ONCE: u32 = 500;

/// Content is left alone for so long after it came: what declares it, or a decision about it, may still be on
/// its way. In seconds.
const FRESH: i64 = 86_400;

impl Cleanup<'_> {
    pub(super) fn remove_files(&mut self, report: &mut StepReport) -> Result<(), StoreError> {
        let mut held = self.store.content().list();
        held.sort_unstable();
        for (at, sha1) in held.into_iter().enumerate() {
            if at % 256 == 255 && !self.go_on() {
                return Ok(());
            }
            let Some(file) = self.store.content().held(sha1) else { continue };
            if file.verified.plus_seconds(FRESH) > self.now || self.store.needs_file(sha1)? {
                continue;
            }
            report.found += 1;
            report.bytes += file.size;
            report.name(sha1.to_hex_upper());
            if !self.dry {
                self.store.content().discard(sha1, &file)?;
                report.done += 1;
            }
        }
        self.remove_unverified(report)?;
        self.remove_parts(report)?;
        if !self.dry {
            self.forget_declarations()?;
        }
        Ok(())
    }

    /// Files that lie here unverified, and that no update came for in the meantime.
    fn remove_unverified(&mut self, report: &mut StepReport) -> Result<(), StoreError> {
        for (sha1, found) in self.store.content().unverified() {
            if found.since.plus_seconds(FRESH) > self.now || self.store.needs_file(sha1)? {
                continue;
            }
            if !self.go_on() {
                return Ok(());
            }
            report.found += 1;
            report.bytes += found.size;
            report.name(sha1.to_hex_upper());
            if !self.dry {
                self.store.content().forget_unverified(sha1)?;
                report.done += 1;
            }
        }
        Ok(())
    }

    /// Parts of files that no run goes on with: nobody wants the file any more, or it came whole another way.
    fn remove_parts(&mut self, report: &mut StepReport) -> Result<(), StoreError> {
        let (store, content) = (self.store, self.store.content());
        let of_use = |sha1| Ok::<_, StoreError>(!content.has(sha1) && store.needs_file(sha1)?);
        for (sha1, part) in content.parts()? {
            if part.since.plus_seconds(FRESH) > self.now || content.is_taken(sha1) || of_use(sha1)? {
                continue;
            }
            if !self.go_on() {
                return Ok(());
            }
            let gone = !self.dry && content.forget_part(sha1, || of_use(sha1))?;
            if self.dry || gone {
                report.found += 1;
                report.done += u64::from(gone);
                report.bytes += part.size;
                report.name(sha1.to_hex_upper());
            }
        }
        Ok(())
    }

    /// Forgets files that no revision declares, here or in quarantine. One that is declared again comes back
    /// with its declaration.
    fn forget_declarations(&mut self) -> Result<(), StoreError> {
        while self.go_on() {
            let store = self.store;
            let content = store.content();
            let gone = store.shared.database.write_alone(
                |tx| {
                    let mut gone = unclaimed(tx)?;
                    gone.retain(|sha1| !content.has(*sha1));
                    for sha1 in &gone {
                        for table in ["file_url", "failed_file", "awaited_file", "file"] {
                            tx.prepare_cached(&format!("DELETE FROM {table} WHERE sha1 = ?1"))
                                .and_then(|mut s| s.execute([sha1.0]))
                                .during("forget a file")?;
                        }
                    }
                    Ok(gone)
                },
                |gone| {
                    let mut files = store.shared.files.write();
                    gone.iter().for_each(|sha1| files.remove(*sha1));
                },
            )?;
            if gone.is_empty() {
                break;
            }
        }
        Ok(())
    }
}

impl Store {
    /// Whether somebody needs a file: an update that is not declined, or a downstream server that asked for it. Members
    /// of bundles are never declined, but those of declined bundles alone are not needed; they go when their bundle is
    /// removed. A replica needs those of what it has approved itself too.
    pub(crate) fn needs_file(&self, sha1: Sha1Digest) -> Result<bool, StoreError> {
        self.shared.database.read(|db| {
            let wanted = db
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM wanted_file w WHERE w.sha1 = ?1)")
                .and_then(|mut s| s.query_row([sha1.0], |row| row.get(0)))
                .during("look who needs a file")?;
            Ok(wanted || given::needs_file(db, sha1)? || given::is_put_aside(db, sha1)?)
        })
    }
}

fn unclaimed(db: &Connection) -> Result<Vec<Sha1Digest>, StoreError> {
    let mut statement = db
        .prepare_cached(
            "SELECT f.sha1 FROM file f WHERE NOT EXISTS (SELECT 1 FROM revision_file r WHERE r.sha1 = f.sha1)
                 AND NOT EXISTS (SELECT 1 FROM wanted_file w WHERE w.sha1 = f.sha1) LIMIT ?1",
        )
        .during("look for files nobody declares")?;
    let mut rows = statement.query([AT_ONCE]).during("look for files nobody declares")?;
    gathered(&mut rows, |row| row.sha1(0))
}
