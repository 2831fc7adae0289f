//! Store: severity and restart behaviour of revisions that were stored before there were columns for them,
//! read from their documents; once, when the data folder is opened.

use crate::Store;
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError};
use rusqlite::params;
use sluicegate_catalog::{Limits, parse};
use sluicegate_terms::RevisionId;

/// So many revisions are written in one transaction.
const AT_ONCE: usize = 1_000;

impl Store {
    /// Fills the columns, unless that was done.
    pub(crate) fn fill_facets(&self) -> Result<(), StoreError> {
        let (filled, revisions) = self.shared.database.read(|db| {
            let filled: i64 = db
                .query_row("SELECT value FROM counter WHERE name = 'facets'", [], |row| row.get(0))
                .during("look at the facets")?;
            let mut revisions: Vec<RevisionId> = Vec::new();
            if filled == 0 {
                let mut statement =
                    db.prepare("SELECT id FROM revision ORDER BY id").during("read the revisions")?;
                for_rows(&mut statement.query([]).during("read the revisions")?, |row| {
                    revisions.push(row.revision_id(0)?);
                    Ok(())
                })?;
            }
            Ok((filled > 0, revisions))
        })?;
        if filled {
            return Ok(());
        }
        if !revisions.is_empty() {
            tracing::info!(revisions = revisions.len(), "reading severities from documents, once");
        }
        for some in revisions.chunks(AT_ONCE) {
            let facets: Vec<_> = some.iter().filter_map(|id| Some((*id, self.facets(*id)?))).collect();
            self.shared.database.write_alone(
                |tx| {
                    let mut update = tx
                        .prepare_cached(
                            "UPDATE listing SET severity = ?2, reboot = ?3 WHERE revision_id = ?1",
                        )
                        .during("write the facets")?;
                    for (id, (severity, reboot)) in &facets {
                        update.execute(params![id.get(), severity, reboot]).during("write the facets")?;
                    }
                    Ok(())
                },
                |()| {},
            )?;
        }
        self.shared.database.write_alone(
            |tx| {
                tx.execute("UPDATE counter SET value = 1 WHERE name = 'facets'", [])
                    .during("write the facets")
                    .map(|_| ())
            },
            |()| {},
        )
    }

    /// What a document says; a document that cannot be read must not keep the store from opening.
    fn facets(&self, id: RevisionId) -> Option<(String, String)> {
        let document = match self.document_bytes(id) {
            Ok(document) => document,
            Err(error) => {
                tracing::warn!(revision = %id, %error, "its severity is not known");
                return None;
            }
        };
        let listing = parse(&document, &Limits::default()).ok()?.listing();
        Some((listing.severity.unwrap_or_default(), listing.reboot.unwrap_or_default()))
    }
}
