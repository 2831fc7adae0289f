//! Store: those rows of an import whose keys come in no order (ids of updates, digests of files). They are
//! gathered and written in the order of their keys: neighbours in a table are then written one after the
//! other, which in a large catalog costs a fraction of jumping about in it.

use crate::catalog::summary::{FileRow, Summary};
use crate::columns::signed;
use crate::error::{During, StoreError};
use rusqlite::{ToSql, Transaction, params};
use sluicegate_catalog::ScanRecord;
use sluicegate_terms::{CategoryKind, RevisionNumber, UpdateId};
use std::collections::BTreeMap;

/// The newest revision of an update that something new is known of.
#[derive(Debug)]
struct Tip {
    revision: i64,
    category_kind: Option<CategoryKind>,
}

/// Rows to be written.
#[derive(Debug, Default)]
pub(crate) struct InOrder {
    tips: BTreeMap<UpdateId, Tip>,
    removed: Vec<(UpdateId, RevisionNumber)>,
    members: Vec<(UpdateId, UpdateId)>,
    files: Vec<NamedFile>,
}

/// A file as a revision names it.
#[derive(Debug)]
struct NamedFile {
    file: FileRow,
    revision: i64,
    /// The languages the revision is for.
    languages: String,
}

impl InOrder {
    /// A revision that is the newest of its update.
    pub(crate) fn newest(&mut self, record: &ScanRecord, revision: i64) {
        let tip = self
            .tips
            .entry(record.identity.update)
            .or_insert(Tip { revision, category_kind: record.category_kind });
        tip.revision = revision;
        tip.category_kind = record.category_kind.or(tip.category_kind);
    }

    /// A revision that may have been cleaned away and came back.
    pub(crate) fn came_back(&mut self, record: &ScanRecord) {
        self.removed.push((record.identity.update, record.identity.revision));
    }

    /// The members of a bundle.
    pub(crate) fn bundle(&mut self, record: &ScanRecord) {
        let bundle = record.identity.update;
        self.members.extend(record.bundles.iter().flatten().map(|member| (member.update, bundle)));
    }

    /// The files of a revision.
    pub(crate) fn files(&mut self, summary: &Summary, revision: i64) {
        self.files.extend(summary.files.iter().map(|file| NamedFile {
            file: file.clone(),
            revision,
            languages: summary.languages.clone(),
        }));
    }

    /// Writes all of it.
    pub(crate) fn write(self, tx: &Transaction<'_>) -> Result<(), StoreError> {
        let Self { tips, mut removed, mut members, mut files } = self;
        let run = |sql: &str, values: &[&dyn ToSql]| {
            tx.prepare_cached(sql).and_then(|mut s| s.execute(values)).during("write a revision").map(|_| ())
        };
        for (update, tip) in &tips {
            run(
                "INSERT INTO known_update (update_id, newest) VALUES (?1, ?2)
                 ON CONFLICT (update_id) DO UPDATE SET newest = ?2",
                params![update.0.as_bytes(), tip.revision],
            )?;
        }
        for (update, tip) in &tips {
            let Some(kind) = tip.category_kind else { continue };
            run(
                "INSERT INTO category (update_id, kind) VALUES (?1, ?2)
                 ON CONFLICT (update_id) DO UPDATE SET kind = ?2",
                params![update.0.as_bytes(), kind.as_str()],
            )?;
        }
        removed.sort_unstable();
        for (update, number) in removed {
            run(
                "DELETE FROM removed_revision WHERE update_id = ?1 AND number = ?2",
                params![update.0.as_bytes(), number.get()],
            )?;
        }
        members.sort_unstable();
        members.dedup();
        for (member, bundle) in members {
            run(
                "INSERT INTO bundle_member (member, bundle) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                params![member.0.as_bytes(), bundle.0.as_bytes()],
            )?;
        }
        // Stable: of two names of one file the first stays.
        files.sort_by_key(|named| named.file.sha1);
        for NamedFile { file, languages, .. } in &files {
            run(
                // A file is for the languages of all revisions that name it.
                "INSERT INTO file (sha1, size, sha256, name, languages) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (sha1) DO UPDATE SET sha256 = coalesce(sha256, excluded.sha256), languages =
                     CASE WHEN languages = '' OR excluded.languages = '' THEN ''
                         WHEN instr(char(10) || languages || char(10), char(10) || excluded.languages || char(10)) > 0
                             THEN languages
                         ELSE languages || char(10) || excluded.languages END",
                params![file.sha1.0, signed(file.size), file.sha256.map(|d| d.0), file.name, languages],
            )?;
        }
        for NamedFile { file, revision, .. } in &files {
            run(
                "INSERT INTO revision_file (sha1, revision_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                params![file.sha1.0, revision],
            )?;
        }
        Ok(())
    }
}
