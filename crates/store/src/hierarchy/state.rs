//! Store: how far synchronization with the upstream is. Every step writes its anchor when it is complete,
//! so that whatever was cut off is done again and nothing else is.

use crate::Store;
use crate::columns::{Columns, for_rows, gathered};
use crate::error::{During, StoreError, StoredAs};
use rusqlite::{Connection, Transaction};
use sluicegate_terms::{Guid, RevisionNumber, Timestamp, UpdateId, UpdateIdentity};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Longest anchor of an upstream that is kept, in bytes; real ones have about 30.
pub(crate) const LONGEST_ANCHOR: usize = 4_096;

/// So many characters of why it could not be told are kept.
const LONGEST_SENTENCE: usize = 1_000;

/// What the upstream said of itself (`ServerSyncConfigData`, MS-WSUSSS 3.1.4.4.3.1).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UpstreamFacts {
    /// It keeps no files; they come from Microsoft's addresses.
    pub catalog_only: bool,
    /// It fetches files only once an update is approved.
    pub lazy: bool,
    /// It keeps express files.
    pub express: bool,
    /// Most revisions it answers at once.
    pub updates_per_request: u32,
    /// Its protocol version.
    pub protocol: String,
}

/// What the updates anchor speaks for: an update is known to be up to date only when the anchor covered
/// its product and its classification.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum CoveredFilter {
    /// Nothing has been synchronized yet.
    #[default]
    Nothing,
    /// All updates.
    Everything,
    /// Updates that are in one of each. What stood below something chosen is named too: what comes below it later the
    /// anchor does not speak for.
    Parts {
        /// Products, product families and companies.
        products: BTreeSet<UpdateId>,
        /// Classifications.
        classifications: BTreeSet<UpdateId>,
    },
}

/// That the upstream could not be told of this server and its computers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotTold {
    /// When that was first so; no synchronization could since.
    pub since: Timestamp,
    /// How many synchronizations tried and could not.
    pub tries: u32,
    /// What the newest of them said.
    pub sentence: String,
}

/// How far synchronization is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SyncState {
    /// Of the upstream's configuration.
    pub config_anchor: Option<String>,
    /// Of categories, classifications and detectoids.
    pub categories_anchor: Option<String>,
    /// Of updates, for what `covered` says.
    pub updates_anchor: Option<String>,
    /// What the updates anchor speaks for.
    pub covered: CoveredFilter,
    /// Of groups and deployments.
    pub deployments_anchor: Option<String>,
    /// What the upstream said of itself.
    pub facts: UpstreamFacts,
    /// When metadata was last complete.
    pub last_success: Option<Timestamp>,
    /// When the schedule wants the next run.
    pub next_run: Option<Timestamp>,
    /// When this server last told its upstream of itself.
    pub last_rollup: Option<Timestamp>,
    /// That it could not when it last tried.
    pub not_told: Option<NotTold>,
    /// The upstream's `RollupResetGuid`; another one asks for everything again.
    pub rollup_reset: Option<Guid>,
    /// The id of the server that answers at the upstream's address; anchors are that server's.
    pub server: Option<Guid>,
}

impl SyncState {
    /// The anchors are of no use any more: everything is to be asked for anew.
    pub fn forget_anchors(&mut self) {
        self.config_anchor = None;
        self.categories_anchor = None;
        self.updates_anchor = None;
        self.covered = CoveredFilter::Nothing;
        self.deployments_anchor = None;
    }
}

pub(super) fn load(db: &Connection) -> Result<SyncState, StoreError> {
    let mut rows = BTreeMap::new();
    let mut statement =
        db.prepare_cached("SELECT name, value FROM sync_state").during("read how far it is")?;
    let mut found = statement.query([]).during("read how far synchronization is")?;
    for_rows(&mut found, |row| {
        rows.insert(row.text(0)?, row.text(1)?);
        Ok(())
    })?;
    let text = |name: &str| rows.get(name).cloned();
    let flag = |name: &str| rows.get(name).is_some_and(|v| v == "true");
    let time = |name: &str| -> Result<Option<Timestamp>, StoreError> {
        rows.get(name).map(|v| v.parse::<Timestamp>()).transpose().stored_as("time of synchronization")
    };
    let covered = match rows.get("covered").map(String::as_str) {
        Some("everything") => CoveredFilter::Everything,
        Some("parts") => parts(db)?,
        _ => CoveredFilter::Nothing,
    };
    Ok(SyncState {
        config_anchor: text("config-anchor"),
        categories_anchor: text("categories-anchor"),
        updates_anchor: text("updates-anchor"),
        covered,
        deployments_anchor: text("deployments-anchor"),
        facts: UpstreamFacts {
            catalog_only: flag("catalog-only"),
            lazy: flag("lazy"),
            express: flag("express"),
            updates_per_request: rows.get("updates-per-request").and_then(|v| v.parse().ok()).unwrap_or(0),
            protocol: text("protocol").unwrap_or_default(),
        },
        last_success: time("last-success")?,
        next_run: time("next-run")?,
        last_rollup: time("last-rollup")?,
        not_told: time("not-told-since")?.map(|since| NotTold {
            since,
            tries: rows.get("not-told-tries").and_then(|v| v.parse().ok()).unwrap_or(1),
            sentence: text("not-told-why").unwrap_or_default(),
        }),
        rollup_reset: rows.get("rollup-reset").map(|v| v.parse()).transpose().stored_as("rollup mark")?,
        server: rows.get("server").map(|v| v.parse()).transpose().stored_as("id of the upstream")?,
    })
}

fn parts(db: &Connection) -> Result<CoveredFilter, StoreError> {
    let (mut products, mut classifications) = (BTreeSet::new(), BTreeSet::new());
    let mut statement =
        db.prepare_cached("SELECT part, category FROM sync_covered").during("read what is synchronized")?;
    let mut found = statement.query([]).during("read what is synchronized")?;
    for_rows(&mut found, |row| {
        let set = if row.text(0)? == "product" { &mut products } else { &mut classifications };
        set.insert(row.update(1)?);
        Ok(())
    })?;
    Ok(CoveredFilter::Parts { products, classifications })
}

pub(super) fn save(tx: &Transaction<'_>, before: &SyncState, state: &SyncState) -> Result<(), StoreError> {
    let put = |name: &str, value: Option<String>| -> Result<(), StoreError> {
        match value {
            Some(value) if value.len() > LONGEST_ANCHOR => Err(StoreError::Invalid {
                what: "a value of the upstream",
                reason: format!("its {name} has {} bytes, at most {LONGEST_ANCHOR} are kept", value.len()),
            }),
            Some(value) => tx
                .prepare_cached(
                    "INSERT INTO sync_state (name, value) VALUES (?1, ?2)
                     ON CONFLICT (name) DO UPDATE SET value = ?2",
                )
                .and_then(|mut s| s.execute((name, value)))
                .during("write how far synchronization is")
                .map(|_| ()),
            None => tx
                .prepare_cached("DELETE FROM sync_state WHERE name = ?1")
                .and_then(|mut s| s.execute([name]))
                .during("write how far synchronization is")
                .map(|_| ()),
        }
    };
    let facts = &state.facts;
    put("config-anchor", state.config_anchor.clone())?;
    put("categories-anchor", state.categories_anchor.clone())?;
    put("updates-anchor", state.updates_anchor.clone())?;
    put("deployments-anchor", state.deployments_anchor.clone())?;
    put("catalog-only", Some(facts.catalog_only.to_string()))?;
    if before.facts.catalog_only != facts.catalog_only {
        // Files can be had from elsewhere now than when they did not come.
        tx.execute("DELETE FROM failed_file", []).during("forget which files did not come")?;
    }
    put("lazy", Some(facts.lazy.to_string()))?;
    put("express", Some(facts.express.to_string()))?;
    put("updates-per-request", Some(facts.updates_per_request.to_string()))?;
    put("protocol", Some(facts.protocol.clone()))?;
    put("last-success", state.last_success.map(Timestamp::iso))?;
    put("next-run", state.next_run.map(Timestamp::iso))?;
    put("last-rollup", state.last_rollup.map(Timestamp::iso))?;
    let not_told = state.not_told.as_ref();
    put("not-told-since", not_told.map(|not| not.since.iso()))?;
    put("not-told-tries", not_told.map(|not| not.tries.to_string()))?;
    put("not-told-why", not_told.map(|not| not.sentence.chars().take(LONGEST_SENTENCE).collect()))?;
    put("rollup-reset", state.rollup_reset.map(|g| g.to_string()))?;
    put("server", state.server.map(|g| g.to_string()))?;
    if before.covered == state.covered {
        return Ok(());
    }
    tx.execute("DELETE FROM sync_covered", []).during("write what is synchronized")?;
    let word = match &state.covered {
        CoveredFilter::Nothing => None,
        CoveredFilter::Everything => Some("everything"),
        CoveredFilter::Parts { products, classifications } => {
            for (part, ids) in [("product", products), ("classification", classifications)] {
                for id in ids {
                    tx.prepare_cached("INSERT INTO sync_covered (part, category) VALUES (?1, ?2)")
                        .and_then(|mut s| s.execute((part, id.0.as_bytes())))
                        .during("write what is synchronized")?;
                }
            }
            Some("parts")
        }
    };
    put("covered", word.map(str::to_owned))
}

/// Another upstream: everything begins anew.
pub(crate) fn forget(tx: &Transaction<'_>) -> Result<(), StoreError> {
    tx.execute_batch(
        "DELETE FROM sync_state WHERE name NOT IN ('next-run', 'generation', 'ahead-since'); DELETE FROM sync_covered; DELETE FROM sync_failed;
         DELETE FROM failed_file; DELETE FROM awaited_file; DELETE FROM rollup_sent",
    )
    .during("forget how far synchronization was")
}

/// Groups and deployments are to be asked for from the start.
pub(crate) fn forget_deployments(tx: &Transaction<'_>) -> Result<(), StoreError> {
    tx.execute_batch(
        "DELETE FROM sync_state WHERE name = 'deployments-anchor'; DELETE FROM upstream_deployment",
    )
    .during("forget the upstream's deployments")
}

/// So many revisions asked about at once are a first synchronization's, or nearly.
const MANY: usize = 1_000;

impl Store {
    /// How far synchronization is.
    ///
    /// # Errors
    /// A failure to read.
    pub fn sync_state(&self) -> Result<SyncState, StoreError> {
        self.shared.database.read(|db| {
            let db = db.transaction().during("read how far synchronization is")?;
            load(&db)
        })
    }

    /// Changes it; durable when it returns. Answers the new state.
    ///
    /// # Errors
    /// A value of the upstream that is too long, or a failure to write.
    pub fn change_sync_state(&self, work: impl FnOnce(&mut SyncState)) -> Result<SyncState, StoreError> {
        self.shared.database.write_alone(
            |tx| {
                self.refuse_for_another_upstream(tx)?;
                let before = load(tx)?;
                let mut after = before.clone();
                work(&mut after);
                if before != after {
                    save(tx, &before, &after)?;
                }
                Ok(after)
            },
            |_| {},
        )
    }

    /// Those of some revisions that the catalog does not have and that do not wait in quarantine, in the
    /// given order. What cleanup removed is not missing, unless something in quarantine waits for it.
    ///
    /// # Errors
    /// A failure to read.
    pub fn missing_revisions(&self, listed: &[UpdateIdentity]) -> Result<Vec<UpdateIdentity>, StoreError> {
        self.shared.database.read(|db| {
            let db = db.transaction().during("look up revisions")?;
            // A catalog of categories asks for a hundred thousand updates: looking at each would take longer than at
            // all that is here.
            let few = listed.len() >= MANY && count_here(&db)? < listed.len() as u64 / 8;
            let known = if few { Some(known_updates(&db)?) } else { None };
            let mut here = db
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM revision WHERE update_id = ?1 AND number = ?2)
                         OR EXISTS (SELECT 1 FROM quarantine WHERE held = 1 AND update_id = ?1 AND number = ?2)
                         OR EXISTS (SELECT 1 FROM removed_revision m WHERE m.update_id = ?1 AND m.number = ?2
                             AND NOT EXISTS (SELECT 1 FROM quarantine_need n WHERE n.update_id = ?1))",
                )
                .during("look up revisions")?;
            let mut missing = Vec::new();
            for identity in listed {
                if known.as_ref().is_some_and(|known| !known.contains(&identity.update)) {
                    missing.push(*identity);
                    continue;
                }
                let key = (identity.update.0.as_bytes(), identity.revision.get());
                if !here.query_row(key, |row| row.get::<_, bool>(0)).during("look up revisions")? {
                    missing.push(*identity);
                }
            }
            Ok(missing)
        })
    }

    /// Members of bundles that neither the catalog nor the quarantine has, as the bundles name them. What
    /// an upstream's filter does not list is reached through its bundles (observed-behaviour 8). Also what
    /// cleanup removed and a newer revision in quarantine needs.
    ///
    /// # Errors
    /// A failure to read.
    pub fn missing_members(&self) -> Result<Vec<UpdateIdentity>, StoreError> {
        self.shared.database.read(|db| {
            let mut statement = db
                .prepare_cached(
                    "SELECT DISTINCT n.update_id, n.number FROM quarantine_need n
                     JOIN quarantine q ON q.id = n.quarantine
                     WHERE n.number IS NOT NULL AND q.held = 1
                         AND NOT EXISTS (SELECT 1 FROM revision r
                             WHERE r.update_id = n.update_id AND r.number = n.number)
                         AND NOT EXISTS (SELECT 1 FROM quarantine h WHERE h.held = 1
                             AND h.update_id = n.update_id AND h.number = n.number)
                     UNION
                     SELECT m.update_id, max(m.number) FROM removed_revision m
                     JOIN quarantine_need n ON n.update_id = m.update_id
                     JOIN quarantine q ON q.id = n.quarantine
                     WHERE q.held = 1 AND NOT EXISTS (SELECT 1 FROM known_update k WHERE k.update_id = m.update_id)
                     GROUP BY m.update_id",
                )
                .during("look up members of bundles")?;
            let mut rows = statement.query([]).during("look up members of bundles")?;
            let mut list = Vec::new();
            for_rows(&mut rows, |row| {
                let revision = RevisionNumber::new(row.int(1)?).stored_as("revision number")?;
                list.push(UpdateIdentity { update: row.update(0)?, revision });
                Ok(())
            })?;
            Ok(list)
        })
    }
}

/// How many revisions the catalog, the quarantine, and the list of what cleanup removed have together.
fn count_here(db: &Connection) -> Result<u64, StoreError> {
    db.query_row(
        "SELECT (SELECT count(*) FROM revision) + (SELECT count(*) FROM quarantine WHERE held = 1)
             + (SELECT count(*) FROM removed_revision)",
        [],
        |row| row.get::<_, i64>(0),
    )
    .during("look up revisions")
    .map(i64::unsigned_abs)
}

/// The updates that the catalog, the quarantine, or what cleanup removed has some revision of.
fn known_updates(db: &Connection) -> Result<HashSet<UpdateId>, StoreError> {
    let mut statement = db
        .prepare_cached(
            "SELECT update_id FROM revision UNION ALL SELECT update_id FROM quarantine WHERE held = 1
             UNION ALL SELECT update_id FROM removed_revision",
        )
        .during("look up revisions")?;
    let mut rows = statement.query([]).during("look up revisions")?;
    gathered(&mut rows, |row| row.update(0))
}
