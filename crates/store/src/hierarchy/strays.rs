//! Store: updates outside the filter (known problem P-20): an upstream gave them, and neither what was asked for nor
//! anything that was asked for and needs them explains why. And those that a replica misses for its filter.

use crate::Store;
use crate::catalog::CategoryTree;
use crate::columns::{Columns, for_rows, gathered, signed};
use crate::error::{During, StoreError};
use rusqlite::params;
use sluicegate_policy::ApprovalAction;
use sluicegate_policy::hierarchy::SyncFilter;
use sluicegate_terms::UpdateId;
use std::collections::BTreeSet;

/// An update that came although nobody asked for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stray {
    /// Which.
    pub update: UpdateId,
    /// Its title.
    pub title: String,
    /// The run that brought it.
    pub run: u64,
}

impl Store {
    /// Notes updates whose documents name nothing of what a run asked for. Whether that makes them strays shows when
    /// all that belongs to them is here.
    ///
    /// # Errors
    /// A failure to write.
    pub fn note_outside_filter(&self, updates: &[UpdateId], run: u64) -> Result<(), StoreError> {
        let sql = "INSERT INTO outside_filter (update_id, run) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.for_each_of_run(updates.iter(), run, sql)
    }

    /// Runs a statement with each of these updates and the run's number, in one transaction.
    fn for_each_of_run<'u>(
        &self,
        updates: impl ExactSizeIterator<Item = &'u UpdateId>,
        run: u64,
        sql: &str,
    ) -> Result<(), StoreError> {
        if updates.len() == 0 {
            return Ok(());
        }
        self.shared.database.write_alone(
            |tx| {
                self.refuse_for_another_upstream(tx)?;
                for update in updates {
                    tx.prepare_cached(sql)
                        .and_then(|mut s| s.execute(params![update.0.as_bytes(), signed(run)]))
                        .during("note what came outside the filter")?;
                }
                Ok(())
            },
            |()| {},
        )
    }

    /// Of these updates those that did not come outside the filter yet.
    ///
    /// # Errors
    /// A failure to read.
    pub fn not_outside_filter(
        &self,
        mut updates: BTreeSet<UpdateId>,
    ) -> Result<BTreeSet<UpdateId>, StoreError> {
        let during = "look which updates came outside the filter";
        self.shared.database.read(|db| {
            let mut outside = db
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM outside_filter WHERE update_id = ?1)")
                .during(during)?;
            for update in updates.clone() {
                if outside.query_row([update.0.as_bytes()], |row| row.get(0)).during(during)? {
                    updates.remove(&update);
                }
            }
            Ok(updates)
        })
    }

    /// What a run asked for by name came because somebody asked, whatever the filter chooses.
    ///
    /// # Errors
    /// A failure to write.
    pub fn note_asked_for(&self, updates: &BTreeSet<UpdateId>, run: u64) -> Result<(), StoreError> {
        self.for_each_of_run(
            updates.iter(),
            run,
            "DELETE FROM outside_filter WHERE update_id = ?1 AND run = ?2",
        )
    }

    /// Updates that came outside a filter, by title: not those that the filter chooses by now, and not what other
    /// updates have as a prerequisite or a member.
    ///
    /// # Errors
    /// A failure to read.
    pub fn strays(&self, filter: &SyncFilter) -> Result<Vec<Stray>, StoreError> {
        self.shared.database.read(|db| {
            let db = db.transaction().during("list what came outside the filter")?;
            let mut statement = db
                .prepare_cached(
                    "SELECT o.update_id, l.title, o.run FROM outside_filter o
                     JOIN known_update k USING (update_id) JOIN listing l ON l.revision_id = k.newest
                     WHERE NOT EXISTS (SELECT 1 FROM named_prerequisite n WHERE n.update_id = o.update_id)
                         AND NOT EXISTS (SELECT 1 FROM bundle_member m WHERE m.member = o.update_id)
                     ORDER BY l.title, o.update_id",
                )
                .during("list what came outside the filter")?;
            let mut rows = statement.query([]).during("list what came outside the filter")?;
            let (mut list, mut tree) = (Vec::new(), CategoryTree::default());
            for_rows(&mut rows, |row| {
                let stray = Stray { update: row.update(0)?, title: row.text(1)?, run: row.natural(2)? };
                // Those above too: who asks for a family asks for its products.
                let stands_in = tree.over(&db, stray.update)?;
                let names = |chosen: &BTreeSet<UpdateId>| stands_in.iter().any(|id| chosen.contains(id));
                let chosen = filter.products.listed().is_none_or(names)
                    && filter.classifications.listed().is_none_or(names);
                if !chosen {
                    list.push(stray);
                }
                Ok(())
            })?;
            Ok(list)
        })
    }

    /// Updates that a replica's upstream approves and that are not here since the filter leaves them out: none where it
    /// chooses everything. What came and could not be used has another reason.
    ///
    /// # Errors
    /// A failure to read.
    pub fn approved_outside_filter(&self) -> Result<Vec<UpdateId>, StoreError> {
        let settings = self.upstream_settings();
        let filter = &settings.filter;
        let chosen = [filter.products.listed(), filter.classifications.listed()];
        if settings.decided_by().is_none() || chosen.iter().all(Option::is_none) {
            return Ok(Vec::new());
        }
        let during = "list what is approved outside the filter";
        self.shared.database.read(|db| {
            let mut statement = db
                .prepare_cached(
                    "SELECT DISTINCT d.update_id FROM upstream_deployment d WHERE d.action <> ?1
                         AND NOT EXISTS (SELECT 1 FROM known_update k WHERE k.update_id = d.update_id)
                         AND NOT EXISTS (SELECT 1 FROM sync_failed f WHERE f.update_id = d.update_id)
                         AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.update_id = d.update_id)
                     ORDER BY 1",
                )
                .during(during)?;
            let mut rows = statement.query([ApprovalAction::NotApproved.as_str()]).during(during)?;
            gathered(&mut rows, |row| row.update(0))
        })
    }
}
