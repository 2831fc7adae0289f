//! Store: what another choice of languages would mean for files, before it is made.

use super::files::{for_each_file_of, wants};
use crate::Store;
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError, StoredAs};
use rusqlite::Row;
use sluicegate_policy::hierarchy::{ContentPolicy, SyncFilter};
use sluicegate_terms::Locale;
use std::collections::BTreeSet;

/// Some files.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FileSum {
    /// How many.
    pub files: u64,
    /// Their bytes together.
    pub bytes: u64,
}

/// What another filter means for files.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LanguageChange {
    /// Not held, not wanted before, wanted then: the next synchronization fetches them.
    pub fetched: FileSum,
    /// Not held, wanted before, not wanted then: they are not fetched any more.
    pub no_longer_fetched: FileSum,
    /// Held, and wanted before only: they stay.
    pub kept: FileSum,
}

impl Store {
    /// The languages that files of the catalog are for, as far as their updates say so. It looks at every file.
    ///
    /// # Errors
    /// A failure to read.
    pub fn file_languages(&self) -> Result<BTreeSet<Locale>, StoreError> {
        let during = "list the languages of files";
        self.shared.database.read(|db| {
            let mut statement = db
                .prepare_cached("SELECT DISTINCT languages FROM file WHERE languages <> ''")
                .during(during)?;
            let mut rows = statement.query([]).during(during)?;
            let mut found = BTreeSet::new();
            for_rows(&mut rows, |row| {
                for tag in row.text(0)?.lines() {
                    found.insert(tag.parse().stored_as("language of a file")?);
                }
                Ok(())
            })?;
            Ok(found)
        })
    }

    /// What the languages of `after` in place of those of `before` would mean for the files that `policy` wants.
    ///
    /// # Errors
    /// A failure to read.
    pub fn language_change(
        &self,
        policy: ContentPolicy,
        before: &SyncFilter,
        after: &SyncFilter,
    ) -> Result<LanguageChange, StoreError> {
        let mut change = LanguageChange::default();
        let wanted = |row: &Row<'_>| {
            let languages = row.text(2)?;
            Ok::<_, StoreError>((wants(before, &languages)?, wants(after, &languages)?))
        };
        let differs = |row: &Row<'_>| {
            let (before, after) = wanted(row)?;
            Ok(before != after && (policy.express || row.int(1)? == 0))
        };
        self.shared.database.read(|db| {
            for_each_file_of(db, policy.when, differs, |sha1, row| {
                let sum = match (wanted(row)?, self.content().has(sha1)) {
                    ((false, true), false) => &mut change.fetched,
                    ((true, false), false) => &mut change.no_longer_fetched,
                    ((true, false), true) => &mut change.kept,
                    _ => return Ok(()),
                };
                sum.files += 1;
                sum.bytes = sum.bytes.saturating_add(self.file(sha1).map_or(0, |file| file.size));
                Ok(())
            })
        })?;
        Ok(change)
    }
}
