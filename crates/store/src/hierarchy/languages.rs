//! Store: what another choice of languages would mean for files, before it is made.

use super::files::{OF_ALL, OF_APPROVED, wants};
use crate::Store;
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError};
use sluicegate_policy::hierarchy::{ContentPolicy, ContentWhen, SyncFilter};
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
        let sql = match policy.when {
            ContentWhen::All => OF_ALL,
            ContentWhen::Approved => OF_APPROVED,
            ContentWhen::Never => return Ok(LanguageChange::default()),
        };
        let mut seen = BTreeSet::new();
        let mut change = LanguageChange::default();
        self.shared.database.read(|db| {
            let mut statement = db.prepare_cached(sql).during("look at files and their languages")?;
            let mut rows = statement.query([]).during("look at files and their languages")?;
            for_rows(&mut rows, |row| {
                let sha1 = row.sha1(0)?;
                if (!policy.express && row.int(1)? != 0) || !seen.insert(sha1) {
                    return Ok(());
                }
                let languages = row.text(2)?;
                let sum =
                    match (wants(before, &languages)?, wants(after, &languages)?, self.content().has(sha1)) {
                        (false, true, false) => &mut change.fetched,
                        (true, false, false) => &mut change.no_longer_fetched,
                        (true, false, true) => &mut change.kept,
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
