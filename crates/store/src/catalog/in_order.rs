//! Store: those rows of an import whose keys come in no order (ids of updates, digests of files). They are
//! gathered and written in the order of their keys: neighbours in a table are then written one after the
//! other, which in a large catalog costs a fraction of jumping about in it.

use crate::catalog::summary::{FileRow, Summary};
use crate::catalog::supersedence;
use crate::columns::signed;
use crate::error::{During, StoreError};
use rusqlite::{CachedStatement, ToSql, Transaction, params};
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
pub(crate) struct InOrder<'s> {
    tips: BTreeMap<UpdateId, Tip>,
    removed: Vec<(UpdateId, RevisionNumber)>,
    members: Vec<(UpdateId, UpdateId)>,
    superseded: Vec<(UpdateId, i64)>,
    files: Vec<NamedFile<'s>>,
}

/// A file as a revision names it.
#[derive(Debug)]
struct NamedFile<'s> {
    file: &'s FileRow,
    revision: i64,
    /// The languages the revision is for.
    languages: &'s str,
}

impl<'s> InOrder<'s> {
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

    /// What a revision supersedes.
    pub(crate) fn supersedes(&mut self, record: &ScanRecord, revision: i64) {
        self.superseded.extend(record.supersedes.iter().map(|update| (*update, revision)));
    }

    /// The files of a revision.
    pub(crate) fn files(&mut self, summary: &'s Summary, revision: i64) {
        let languages = summary.languages.as_str();
        self.files.extend(summary.files.iter().map(|file| NamedFile { file, revision, languages }));
    }

    /// Writes all of it.
    pub(crate) fn write(self, tx: &Transaction<'_>) -> Result<(), StoreError> {
        let Self { tips, mut removed, mut members, mut superseded, mut files } = self;
        let mut newest = Rows::of(
            tx,
            "INSERT INTO known_update (update_id, newest) VALUES (?1, ?2)
             ON CONFLICT (update_id) DO UPDATE SET newest = ?2",
        )?;
        for (update, tip) in &tips {
            newest.add(params![update.0.as_bytes(), tip.revision])?;
        }
        let mut category = Rows::of(
            tx,
            "INSERT INTO category (update_id, kind) VALUES (?1, ?2)
             ON CONFLICT (update_id) DO UPDATE SET kind = ?2",
        )?;
        for (update, tip) in &tips {
            let Some(kind) = tip.category_kind else { continue };
            category.add(params![update.0.as_bytes(), kind.as_str()])?;
        }
        removed.sort_unstable();
        let mut back = Rows::of(tx, "DELETE FROM removed_revision WHERE update_id = ?1 AND number = ?2")?;
        for (update, number) in removed {
            back.add(params![update.0.as_bytes(), number.get()])?;
        }
        members.sort_unstable();
        members.dedup();
        let mut member = Rows::of(
            tx,
            "INSERT INTO bundle_member (member, bundle) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        )?;
        for (update, bundle) in members {
            member.add(params![update.0.as_bytes(), bundle.0.as_bytes()])?;
        }
        superseded.sort_unstable();
        let mut pair = Rows::of(tx, supersedence::INSERT)?;
        for (update, revision) in superseded {
            pair.add(params![update.0.as_bytes(), revision])?;
        }
        // Stable: of two names of one file the first stays.
        files.sort_by_key(|named| named.file.sha1);
        let mut declared = Rows::of(
            tx,
            // A file is for the languages of all revisions that name it.
            "INSERT INTO file (sha1, size, sha256, name, languages) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (sha1) DO UPDATE SET sha256 = coalesce(sha256, excluded.sha256), languages =
                 CASE WHEN languages = '' OR excluded.languages = '' THEN ''
                     WHEN instr(char(10) || languages || char(10), char(10) || excluded.languages || char(10)) > 0
                         THEN languages
                     ELSE languages || char(10) || excluded.languages END",
        )?;
        for NamedFile { file, languages, .. } in &files {
            let sha256 = file.sha256.map(|d| d.0);
            declared.add(params![file.sha1.0, signed(file.size), sha256, file.name, languages])?;
        }
        let mut named = Rows::of(
            tx,
            "INSERT INTO revision_file (sha1, revision_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        )?;
        for NamedFile { file, revision, .. } in &files {
            named.add(params![file.sha1.0, revision])?;
        }
        Ok(())
    }
}

/// One statement, run for many rows.
pub(crate) struct Rows<'a>(CachedStatement<'a>);

impl<'a> Rows<'a> {
    pub(crate) fn of(tx: &'a Transaction<'_>, sql: &str) -> Result<Self, StoreError> {
        tx.prepare_cached(sql).during("write a revision").map(Self)
    }

    pub(crate) fn add(&mut self, values: &[&dyn ToSql]) -> Result<(), StoreError> {
        self.0.execute(values).during("write a revision").map(|_| ())
    }
}
