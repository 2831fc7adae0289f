//! Cleanup: updates that are declined because they expired or because newer, approved ones replace them.

use super::{Cleanup, EXAMPLES, StepReport};
use crate::Store;
use crate::columns::{Columns, for_rows, gathered};
use crate::decisions::{Gallery, subject};
use crate::error::{During, StoreError};
use crate::hierarchy::place::Elsewhere;
use rusqlite::Connection;
use sluicegate_policy::filters::UpdateFilter;
use sluicegate_policy::{ApprovalError, UpdateState};
use sluicegate_terms::{RevisionId, UpdateId};
use std::collections::{BTreeSet, HashSet};

/// So many updates are declined in one transaction.
const AT_ONCE: usize = 200;

/// An opening `Properties` tag is looked for in so much of a document, in characters.
const LOOK_INTO: usize = 256 << 10;

impl Cleanup<'_> {
    pub(super) fn decline_expired(&mut self, report: &mut StepReport) -> Result<(), StoreError> {
        let expired = self.store.catalog_graph()?.expired(&self.store.decisions());
        self.decline(&expired, report)
    }

    pub(super) fn decline_superseded(&mut self, report: &mut StepReport) -> Result<(), StoreError> {
        let graph = self.store.catalog_graph()?;
        let needed = self.store.needed_updates()?;
        let decisions = self.store.decisions();
        let list = graph.superseded(
            &decisions,
            &self.settings,
            |update| needed.contains(&update),
            |revision| self.store.is_mandatory(revision),
            self.now,
        );
        drop(graph);
        self.decline(&list, report)
    }

    pub(super) fn decline_filtered(&mut self, report: &mut StepReport) -> Result<(), StoreError> {
        if self.settings.filters.is_empty() {
            return Ok(());
        }
        if !self.dry {
            self.read_traits()?;
        }
        let (list, _) = self.store.named_by(&self.settings.filters)?;
        self.decline(&list, report)
    }

    /// Reads what the documents declare of updates that came before that was kept.
    fn read_traits(&mut self) -> Result<(), StoreError> {
        while self.go_on() {
            let unread = self.store.shared.database.read(without_traits)?;
            if unread.is_empty() {
                break;
            }
            let limits = sluicegate_catalog::Limits::default();
            let read = |id: &RevisionId| {
                let bytes = self.store.document_bytes(*id).ok()?;
                Some(sluicegate_catalog::parse(&bytes, &limits).ok()?.traits().to_text())
            };
            // A document that cannot be read declares nothing; `check` tells of it.
            let texts: Vec<_> = unread.iter().map(|id| (id.get(), read(id).unwrap_or_default())).collect();
            self.store.shared.database.write(move |tx| {
                for (id, text) in &texts {
                    tx.prepare_cached("UPDATE listing SET traits = ?2 WHERE revision_id = ?1")
                        .and_then(|mut s| s.execute((id, text)))
                        .during("keep what a document declares")?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    pub(super) fn decline(
        &mut self,
        updates: &[UpdateId],
        report: &mut StepReport,
    ) -> Result<(), StoreError> {
        report.found = updates.len() as u64;
        updates.iter().for_each(|update| report.name(update));
        if self.dry {
            return Ok(());
        }
        for some in updates.chunks(AT_ONCE) {
            if !self.go_on() {
                break;
            }
            self.store.refuse_on_replica()?;
            report.done += self.store.change_decisions_inside(self.now, |tx, decisions, scope| {
                let mut done = 0;
                for update in some {
                    let subject = match subject(tx, decisions, *update) {
                        Ok(subject) => subject,
                        Err(StoreError::UnknownUpdate(_)) => continue,
                        Err(error) => return Err(error),
                    };
                    match decisions.decline_by_itself(&subject, scope.change) {
                        Ok(()) => done += 1,
                        // Somebody was faster, or bundled it meanwhile.
                        Err(ApprovalError::AlreadyDeclined(_) | ApprovalError::BundleMember { .. }) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Ok(done)
            })?;
        }
        Ok(())
    }
}

impl Store {
    /// What a filter would decline now if it were the only one: how many updates, and the titles of the first.
    ///
    /// # Errors
    /// A failure to read.
    pub fn preview_filter(&self, filter: &UpdateFilter) -> Result<(u64, Vec<String>), StoreError> {
        let (list, gallery) = self.named_by(&[filter.clone()].into())?;
        let titles = list.iter().filter_map(|update| gallery.title(*update));
        Ok((list.len() as u64, titles.take(EXAMPLES).map(str::to_owned).collect()))
    }

    /// The updates that one of the filters names and nobody decided about.
    fn named_by(&self, filters: &BTreeSet<UpdateFilter>) -> Result<(Vec<UpdateId>, Gallery), StoreError> {
        let graph = self.catalog_graph()?;
        let files = filters.iter().any(|filter| matches!(filter, UpdateFilter::Language(_)));
        let gallery = self.shared.database.read(|db| Gallery::whole(db, files))?;
        let named = |update| {
            let (needs, members) = graph.surroundings(update);
            let looks = gallery.looks(update, &needs, &members);
            looks.is_some_and(|looks| filters.iter().any(|filter| filter.names(&looks)))
        };
        let list = graph.filtered(&self.decisions(), named);
        Ok((list, gallery))
    }

    /// The updates that some computer, of this server or of one below it, needs, as the console counts them: what
    /// failed is still needed, and so is what waits for a restart.
    fn needed_updates(&self) -> Result<HashSet<UpdateId>, StoreError> {
        let needed = [
            UpdateState::NotInstalled,
            UpdateState::Downloaded,
            UpdateState::Failed,
            UpdateState::InstalledPendingReboot,
        ]
        .map(|s| s as i64);
        self.flush_contacts_if_possible();
        self.shared.database.read(|db| {
            let mut updates = HashSet::new();
            let db = db.transaction().during("look which updates are needed")?;
            let elsewhere = Elsewhere::find(&db)?;
            for (table, elsewhere) in
                [("update_status", &elsewhere.own), ("downstream_status", &elsewhere.below)]
            {
                let mut statement = db
                    .prepare_cached(&format!(
                        "SELECT DISTINCT update_id FROM {table} WHERE state IN (?1, ?2, ?3, ?4)
                             AND computer NOT IN (SELECT value FROM json_each(?5))"
                    ))
                    .during("look which updates are needed")?;
                let [one, two, three, four] = needed;
                let mut rows = statement
                    .query((one, two, three, four, elsewhere))
                    .during("look which updates are needed")?;
                for_rows(&mut rows, |row| {
                    updates.insert(row.update(0)?);
                    Ok(())
                })?;
            }
            Ok(updates)
        })
    }

    /// Whether a revision's publisher made it mandatory (`/Update/Properties/@IsMandatory`, MS-WSUSSS note
    /// 72). One whose document cannot be read counts as mandatory: it is not declined without knowing.
    fn is_mandatory(&self, revision: RevisionId) -> bool {
        let Ok(bytes) = self.document_bytes(revision) else { return true };
        let limits = sluicegate_catalog::Limits::default();
        sluicegate_catalog::text_of(&bytes, &limits).map_or(true, |text| says_mandatory(&text))
    }
}

/// Some revisions of which it is not known what their documents declare.
fn without_traits(db: &mut Connection) -> Result<Vec<RevisionId>, StoreError> {
    let mut statement = db
        .prepare_cached("SELECT revision_id FROM listing WHERE traits IS NULL LIMIT ?1")
        .during("look for documents to read")?;
    let mut rows = statement.query([AT_ONCE]).during("look for documents to read")?;
    gathered(&mut rows, |row| row.revision_id(0))
}

fn says_mandatory(document: &str) -> bool {
    let end = document.char_indices().nth(LOOK_INTO).map_or(document.len(), |(at, _)| at);
    let head = document.get(..end).unwrap_or(document);
    // The first element of that name is the update's own; texts before it cannot hold a `<`.
    let tags = head.split('<').filter_map(|piece| piece.split_once('>').map(|(tag, _)| tag));
    let mut properties = tags.filter(|tag| {
        let name = tag.split([' ', '\t', '\r', '\n', '/']).next().unwrap_or_default();
        name.rsplit(':').next() == Some("Properties")
    });
    let Some((_, rest)) = properties.next().and_then(|tag| tag.split_once("IsMandatory")) else {
        return false;
    };
    let value = rest.trim_start().trim_start_matches('=').trim_start();
    let value = value.trim_start_matches(['"', '\'']);
    value.starts_with('1') || value.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("true"))
}

#[cfg(test)]
mod tests {
    use super::says_mandatory;

    #[test]
    fn mandatory_is_read_from_the_properties_of_the_update() {
        let document = |attributes: &str| {
            format!(
                "<upd:Update xmlns:upd=\"u\"><upd:UpdateIdentity UpdateID=\"IsMandatory\"/><upd:Properties {attributes}><x IsMandatory=\"true\"/></upd:Properties></upd:Update>"
            )
        };
        for yes in ["IsMandatory=\"true\"", "A=\"b\" IsMandatory = 'True'", "IsMandatory=\"1\""] {
            assert!(says_mandatory(&document(yes)), "{yes}");
        }
        for no in ["", "IsMandatory=\"false\"", "A=\"b\"", "IsMandatory=\"0\""] {
            assert!(!says_mandatory(&document(no)), "{no}");
        }
    }
}
