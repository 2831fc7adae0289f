//! Cleanup: revisions and updates leave the catalog. First they retire: downstream servers are told of them no
//! longer. When every synchronization that was told of them must have ended, they are removed, a bounded
//! number in each transaction, what refers to others first.

use super::{Cleanup, StepReport};
use crate::Store;
use crate::audit::{self, Entry};
use crate::catalog::forget_supersedence;
use crate::columns::{Columns, for_rows, gathered, signed};
use crate::database::next_anchor;
use crate::decisions::{remember_decline, write_difference};
use crate::error::{During, StoreError};
use rusqlite::{Connection, Transaction, params};
use sluicegate_policy::Decisions;
use sluicegate_policy::cleanup::{CleanupStep, Graph, Referred, RevisionFacts};
use sluicegate_terms::{Anchor, GroupId, Guid, RevisionId, Timestamp, UpdateId};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// So many updates or revisions are removed in one transaction.
const AT_ONCE: usize = 100;

/// So often a removal looks at the catalog again because somebody changed it meanwhile.
const MOST_LOOKS: usize = 20;

/// What is removed together: a whole update, or one revision of it.
struct Going {
    update: UpdateId,
    revisions: Vec<(RevisionId, u32)>,
    whole: bool,
}

impl Store {
    /// The catalog as cleanup looks at it.
    pub(super) fn catalog_graph(&self) -> Result<Graph, StoreError> {
        let mut graph = Graph::default();
        self.for_each_revision(|revision| {
            let record = &revision.record;
            let prerequisites: Vec<UpdateId> =
                record.prerequisites.iter().flat_map(|clause| clause.any_of.iter().copied()).collect();
            let members: Vec<_> = record.bundles.iter().flatten().copied().collect();
            graph.revision(&RevisionFacts {
                id: revision.id,
                identity: record.identity,
                kind: record.kind,
                deployable: record.explicitly_deployable,
                expired: record.expired,
                arrived_at: revision.arrived_at,
                prerequisites: &prerequisites,
                members: &members,
                supersedes: &record.supersedes,
            });
            Ok::<_, StoreError>(())
        })?;
        Ok(graph)
    }

    /// The updates that cleanup removed and that have not come back. Replicas are told of them as of declined ones:
    /// the decline is forgotten with its update, and is not taken back by that. Not of what this server's own upstream
    /// has approved: that is asked for again, and whoever is below may have it still.
    ///
    /// # Errors
    /// A failure to read.
    pub fn removed_updates(&self) -> Result<Vec<UpdateId>, StoreError> {
        self.shared.database.read(|db| {
            let mut statement = db
                .prepare_cached(
                    "SELECT DISTINCT update_id FROM removed_revision m
                     WHERE NOT EXISTS (SELECT 1 FROM known_update k WHERE k.update_id = m.update_id)
                         AND update_id NOT IN
                             (SELECT d.update_id FROM upstream_deployment d WHERE d.action <> 'not-approved')",
                )
                .during("look what was removed")?;
            let mut rows = statement.query([]).during("look what was removed")?;
            gathered(&mut rows, |row| row.update(0))
        })
    }

    /// What is referred to from outside the catalog's own documents: what a filter or rule chooses, what was
    /// decided in the mode this server is not in, and what documents in quarantine wait for.
    fn referred_to(&self) -> Result<Referred, StoreError> {
        self.shared.database.read(|db| {
            let mut kept = BTreeSet::new();
            let mut tables = vec![
                "SELECT update_id FROM aside_approval",
                "SELECT choice FROM approval_rule_choice WHERE part <> 'group'",
                "SELECT update_id FROM quarantine_need",
            ];
            // Of a list the choice counts, not what else is below it; "all" is spelled out in what is synchronized.
            let filter = &self.upstream_settings().filter;
            match filter.products.listed() {
                Some(listed) => kept.extend(listed),
                None => tables.push("SELECT category FROM sync_covered WHERE part = 'product'"),
            }
            match filter.classifications.listed() {
                Some(listed) => kept.extend(listed),
                None => tables.push("SELECT category FROM sync_covered WHERE part = 'classification'"),
            }
            for sql in tables {
                let mut statement = db.prepare_cached(sql).during("look what is referred to")?;
                let mut rows = statement.query([]).during("look what is referred to")?;
                for_rows(&mut rows, |row| {
                    kept.insert(row.update(0)?);
                    Ok(())
                })?;
            }
            // What served in that mode, and what was the newest then, may serve again.
            let mut revisions = BTreeSet::new();
            for sql in [
                "SELECT update_id, newest FROM aside_approval WHERE newest IS NOT NULL",
                "SELECT update_id, serving FROM aside_held",
            ] {
                let mut statement = db.prepare_cached(sql).during("look what is referred to")?;
                let mut rows = statement.query([]).during("look what is referred to")?;
                for_rows(&mut rows, |row| {
                    revisions.insert((row.update(0)?, row.revision_number(1)?.get()));
                    Ok(())
                })?;
            }
            Ok(Referred { updates: kept, revisions })
        })
    }
}

impl Cleanup<'_> {
    /// Retires what may go, takes that back for what may no longer, and removes what retired long enough ago.
    pub(super) fn remove(&mut self, step: CleanupStep, report: &mut StepReport) -> Result<(), StoreError> {
        let grace = i64::from(self.settings.grace_hours) * 3_600;
        let due = self.now.plus_seconds(-grace);
        let mut marks: BTreeSet<RevisionId> = BTreeSet::new();
        for look in 0..MOST_LOOKS {
            // Decisions are read first: a change of them after this is noticed below.
            let decisions = self.store.decisions();
            let mut graph = self.store.catalog_graph()?;
            let kept = self.store.referred_to()?;
            let all = graph.removable(&decisions, &self.settings, &kept, self.now);
            let whole = |update: &UpdateId| Going {
                update: *update,
                revisions: graph.revisions_of(*update).collect(),
                whole: true,
            };
            let going: Vec<Going> = match step {
                CleanupStep::OldRevisions => (all.revisions.iter())
                    .map(|(update, id)| {
                        let number = graph.revisions_of(*update).find(|(other, _)| other == id);
                        Going { update: *update, revisions: number.into_iter().collect(), whole: false }
                    })
                    .collect(),
                CleanupStep::UnusedUpdates => all.updates.iter().map(whole).collect(),
                _ => all.detectoids.iter().map(whole).collect(),
            };
            // The steps share the marks, so each brings those of all up to date. A step that is off has none: what
            // is never removed must not be kept from downstream servers.
            let on = |other: CleanupStep| other == step || self.settings.steps.contains(&other);
            marks.clear();
            if on(CleanupStep::OldRevisions) {
                marks.extend(all.revisions.iter().map(|(_, id)| *id));
            }
            for (of, updates) in
                [(CleanupStep::UnusedUpdates, &all.updates), (CleanupStep::UnusedDetectoids, &all.detectoids)]
            {
                for update in updates.iter().filter(|_| on(of)) {
                    marks.extend(graph.revisions_of(*update).map(|(id, _)| id));
                }
            }
            if look == 0 {
                report.found = going.len() as u64;
                going.iter().for_each(|going| report.name(going.update));
                if self.dry {
                    return Ok(());
                }
                self.mark(&marks)?;
            }
            let retired = self.store.shared.database.read(|db| retired(db, due))?;
            let due = |going: &&Going| going.revisions.iter().all(|(id, _)| retired.contains_key(id));
            let leaving: HashSet<RevisionId> = going
                .iter()
                .filter(due)
                .flat_map(|going| going.revisions.iter().map(|(id, _)| *id))
                .collect();
            // What retired long ago may be named by something that came since and has to wait itself.
            let held_up = graph.held_up(|id| leaving.contains(&id));
            let free = |going: &&Going| match going.whole {
                true => !held_up.updates.contains(&going.update),
                false => going.revisions.iter().all(|(id, _)| !held_up.revisions.contains(id)),
            };
            let ready: Vec<&Going> = going.iter().filter(due).filter(free).collect();
            let newest = graph.newest_id();
            let mut seen = decisions;
            let mut again = false;
            for some in ready.chunks(AT_ONCE) {
                if !self.go_on() {
                    report.note = Some("stopped; the next run goes on".to_owned());
                    return Ok(());
                }
                match self.remove_some(some, &mut graph, &seen, newest)? {
                    Some(after) => {
                        seen = after;
                        report.done += some.len() as u64;
                    }
                    None => {
                        again = true;
                        break;
                    }
                }
            }
            if !again {
                break;
            }
        }
        // Last, so that a run which is cut off before this finds the same to remove when it goes on.
        self.bring_back(&marks)?;
        if report.done < report.found {
            report.note = Some(format!(
                "the others are removed {} hours after they were found, when no downstream server can ask for them any more",
                self.settings.grace_hours
            ));
        }
        Ok(())
    }

    /// Marks what may go.
    fn mark(&mut self, marks: &BTreeSet<RevisionId>) -> Result<(), StoreError> {
        let before = self.store.shared.database.read(|db| retired(db, Timestamp::MAX))?;
        let added: Vec<RevisionId> = marks.iter().filter(|id| !before.contains_key(id)).copied().collect();
        for some in added.chunks(5 * AT_ONCE) {
            self.change_marks(some, |tx, id, _, now| {
                tx.prepare_cached(
                    "INSERT INTO retiring (revision_id, since)
                     SELECT id, ?2 FROM revision WHERE id = ?1 ON CONFLICT DO NOTHING",
                )?
                .execute(params![id.get(), now.ticks()])
                .map(|_| ())
            })?;
        }
        Ok(())
    }

    /// What is marked and may no longer go is as if it had just arrived: a downstream server that asked meanwhile
    /// was not told of it.
    fn bring_back(&mut self, marks: &BTreeSet<RevisionId>) -> Result<(), StoreError> {
        let before = self.store.shared.database.read(|db| retired(db, Timestamp::MAX))?;
        let back: Vec<RevisionId> = before.into_keys().filter(|id| !marks.contains(id)).collect();
        for some in back.chunks(AT_ONCE) {
            self.change_marks(some, |tx, id, anchor, now| {
                tx.prepare_cached("DELETE FROM retiring WHERE revision_id = ?1")?.execute([id.get()])?;
                tx.prepare_cached(
                    "UPDATE revision SET arrived = ?2, arrived_at = ?3, leaf_changed = ?2 WHERE id = ?1",
                )?
                .execute(params![id.get(), signed(anchor.0), now.ticks()])
                .map(|_| ())
            })?;
        }
        Ok(())
    }

    /// Changes some marks in one transaction, unless the run is to stop.
    fn change_marks(
        &mut self,
        some: &[RevisionId],
        change: impl Fn(&Transaction<'_>, RevisionId, Anchor, Timestamp) -> Result<(), rusqlite::Error>,
    ) -> Result<(), StoreError> {
        if !self.go_on() {
            return Ok(());
        }
        let now = self.now;
        self.store.shared.database.write_alone(
            |tx| {
                let anchor = next_anchor(tx)?;
                let each = |id: &RevisionId| change(tx, *id, anchor, now);
                some.iter().try_for_each(each).during("mark a revision for removal")
            },
            |()| {},
        )
    }

    /// Removes some in one transaction. `None` when catalog or decisions are no longer what the graph was made
    /// of.
    fn remove_some(
        &mut self,
        some: &[&Going],
        graph: &mut Graph,
        seen: &Arc<Decisions>,
        newest: Option<RevisionId>,
    ) -> Result<Option<Arc<Decisions>>, StoreError> {
        let store = self.store;
        let now = self.now;
        store.shared.database.write_alone(
            |tx| {
                let before = store.decisions();
                if !Arc::ptr_eq(&before, seen) || last_revision(tx)? != newest.map(RevisionId::get) {
                    return Ok(None);
                }
                let mut after = Decisions::clone(&before);
                let anchor = next_anchor(tx)?;
                let replica = store.upstream_settings().holds_upstreams_decisions();
                for going in some {
                    if going.whole {
                        remember_decline(tx, &before, going.update, replica)?;
                        forget_decisions(&mut after, going.update);
                    }
                }
                write_difference(tx, &before, &after)?;
                for going in some {
                    remove_rows(tx, going, graph, anchor, now)?;
                }
                audit::append(tx, &store.actor, now, &[entry(some)])?;
                Ok(Some(Arc::new(after)))
            },
            |after| {
                if let Some(after) = after {
                    *store.shared.decisions.write() = Arc::clone(after);
                    store.shared.board.catalog_rewritten();
                }
            },
        )
    }
}

/// One entry for what one transaction removed: the log grows by cleanup as little as it can.
fn entry(some: &[&Going]) -> Entry {
    let mut updates: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for going in some {
        updates
            .entry(going.update.to_string())
            .or_default()
            .extend(going.revisions.iter().map(|(_, number)| *number));
    }
    Entry {
        action: "remove-revisions",
        subject: format!("{} updates", updates.len()),
        update: None,
        before: Some(serde_json::json!({ "revisions": updates }).to_string()),
        after: None,
    }
}

/// The marks made until some time.
fn retired(db: &Connection, until: Timestamp) -> Result<HashMap<RevisionId, Timestamp>, StoreError> {
    let mut statement = db
        .prepare_cached("SELECT revision_id, since FROM retiring WHERE since <= ?1")
        .during("look what is to be removed")?;
    let mut rows = statement.query([until.ticks()]).during("look what is to be removed")?;
    let mut marks = HashMap::new();
    for_rows(&mut rows, |row| {
        marks.insert(row.revision_id(0)?, row.time(1)?);
        Ok(())
    })?;
    Ok(marks)
}

fn last_revision(tx: &Transaction<'_>) -> Result<Option<u32>, StoreError> {
    tx.query_row("SELECT max(id) FROM revision", [], |row| row.get(0)).during("look at the newest revision")
}

/// No decision about an update is left: none of them deploys it.
fn forget_decisions(decisions: &mut Decisions, update: UpdateId) {
    let groups: Vec<_> = decisions.approvals_of(update).map(|approval| approval.group).collect();
    for group in groups {
        decisions.approvals.remove(&(update, group));
    }
    let every = (update, GroupId(Guid::ZERO))..=(update, GroupId(Guid::from_u128(u128::MAX)));
    let withdrawn: Vec<_> = decisions.withdrawn.range(every).map(|(key, _)| *key).collect();
    for key in withdrawn {
        decisions.withdrawn.remove(&key);
    }
    decisions.declined.remove(&update);
    decisions.restored.remove(&update);
    decisions.released.remove(&update);
}

fn remove_rows(
    tx: &Transaction<'_>,
    going: &Going,
    graph: &mut Graph,
    anchor: Anchor,
    now: Timestamp,
) -> Result<(), StoreError> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<(), StoreError> {
        tx.prepare_cached(sql).and_then(|mut s| s.execute(values)).during("remove a revision").map(|_| ())
    };
    let update = going.update.0.as_bytes();
    for (id, number) in &going.revisions {
        let dropped = graph.forget(going.update, *id);
        // Its prerequisites may be leaves now and its members stand for themselves; clients are told.
        for leaf in &dropped.unnamed {
            run("DELETE FROM named_prerequisite WHERE update_id = ?1", params![leaf.0.as_bytes()])?;
        }
        for changed in dropped.unnamed.iter().chain(&dropped.members) {
            run(
                "UPDATE revision SET leaf_changed = ?2 WHERE update_id = ?1",
                params![changed.0.as_bytes(), signed(anchor.0)],
            )?;
        }
        for member in &dropped.members {
            run(
                "DELETE FROM bundle_member WHERE member = ?1 AND bundle = ?2",
                params![member.0.as_bytes(), update],
            )?;
        }
        run(
            "INSERT INTO removed_revision (update_id, number, removed_at) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET removed_at = ?3",
            params![update, number, now.ticks()],
        )?;
        forget_supersedence(tx, *id)?;
        if !going.whole {
            run("DELETE FROM revision WHERE id = ?1", params![id.get()])?;
        }
    }
    if going.whole {
        for sql in [
            "DELETE FROM category WHERE update_id = ?1",
            "DELETE FROM bundle_member WHERE bundle = ?1",
            "DELETE FROM update_status WHERE update_id = ?1",
            "DELETE FROM downstream_status WHERE update_id = ?1",
            "DELETE FROM aside_decline WHERE update_id = ?1",
            "DELETE FROM aside_withdrawn WHERE update_id = ?1",
            "DELETE FROM aside_restored WHERE update_id = ?1",
            "DELETE FROM revision WHERE update_id = ?1",
            "DELETE FROM known_update WHERE update_id = ?1",
        ] {
            run(sql, params![update])?;
        }
    }
    Ok(())
}
