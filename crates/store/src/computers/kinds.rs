//! Store: this server's own computers by kind, and what was installed on each kind since the upstream was last told
//! (MS-WSUSSS 3.1.1, Client Computer Activity Summary Table). Counted from inventories and events when it is asked
//! for, so nothing has to be kept beside them.

use crate::Store;
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError};
use crate::hierarchy::place::HERE;
use crate::hierarchy::{ActivitySummary, ClientSummary};
use rusqlite::{Connection, OptionalExtension, params};
use sluicegate_terms::UpdateIdentity;
use std::collections::{BTreeMap, HashMap};

/// Where in the numbers of events the last telling ended; goes with everything else when the upstream changes.
const MARK: &str = "client-activity";

/// Events that tell of an installation that succeeded (observed-behaviour 6). 201 is what agents send in place of
/// 184 when a restart is needed, so what follows the restart (202, 203) is not counted again.
const SUCCEEDED: &str = "183, 184, 190, 191, 197, 199, 201";

/// Events that tell of one that failed.
const FAILED: &str = "182, 187, 192, 195, 198, 200, 204";

/// Most pairs of kind and revision that are told at once; it bounds a message.
const MOST_ACTIVITY: usize = 50_000;

/// What is told of own computers, and how far it counts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OwnClients {
    /// One entry for each kind that has a computer.
    pub summaries: Vec<ClientSummary>,
    /// To be given to [`Store::own_clients_told`] once the upstream has taken it.
    pub counted: i64,
}

impl Store {
    /// Own computers by kind, with what was installed since [`Store::own_clients_told`]. `kind` reads an inventory,
    /// in the form it was registered in, and leaves count and activity empty.
    ///
    /// # Errors
    /// A failure to read.
    pub fn own_clients(
        &self,
        kind: impl Fn(Option<&str>) -> ClientSummary,
    ) -> Result<OwnClients, StoreError> {
        self.flush_contacts_if_possible();
        self.shared.database.read(|db| {
            let db = db.transaction().during("count computers for the upstream")?;
            let (mut summaries, computers) = by_kind(&db, &kind)?;
            let counted: i64 = db
                .query_row("SELECT coalesce(max(id), 0) FROM event", [], |row| row.get(0))
                .during("count installations for the upstream")?;
            // When the newest events are gone, what comes later has lower numbers than what was told.
            let since = mark(&db)?.min(counted);
            for ((kind, revision), (succeeded, failed)) in activity(&db, since, counted, &computers)? {
                if let Some(summary) = summaries.get_mut(kind) {
                    summary.activity.push(ActivitySummary { revision, succeeded, failed });
                }
            }
            // Those that moved to a server below count there; what they did here is told all the same.
            summaries.retain(|kind| kind.count > 0 || !kind.activity.is_empty());
            Ok(OwnClients { summaries, counted })
        })
    }

    /// The upstream has taken what [`Store::own_clients`] gave: none of it is told again.
    ///
    /// # Errors
    /// A failure to write.
    pub fn own_clients_told(&self, told: &OwnClients) -> Result<(), StoreError> {
        self.shared.database.write_alone(
            |tx| {
                tx.prepare_cached(
                    "INSERT INTO sync_state (name, value) VALUES (?1, ?2)
                     ON CONFLICT (name) DO UPDATE SET value = ?2",
                )
                .and_then(|mut s| s.execute(params![MARK, told.counted.to_string()]))
                .during("note which installations the upstream was told of")
                .map(|_| ())
            },
            |()| {},
        )
    }
}

fn mark(db: &Connection) -> Result<i64, StoreError> {
    let text: Option<String> = db
        .prepare_cached("SELECT value FROM sync_state WHERE name = ?1")
        .and_then(|mut s| s.query_row([MARK], |row| row.get(0)).optional())
        .during("read which installations the upstream was told of")?;
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// What makes a kind: everything but how many there are and what they did.
type Key = ([i32; 5], String, i16, u8, i32, i32, String);

/// The kinds with their counts, and the kind of each computer by its row.
fn by_kind(
    db: &Connection,
    kind: &impl Fn(Option<&str>) -> ClientSummary,
) -> Result<(Vec<ClientSummary>, HashMap<i64, usize>), StoreError> {
    let mut kinds: HashMap<Key, usize> = HashMap::new();
    let mut summaries: Vec<ClientSummary> = Vec::new();
    let mut computers = HashMap::new();
    let mut statement = db
        .prepare_cached(&format!("SELECT o.id, o.inventory, {HERE} FROM computer o ORDER BY o.id"))
        .during("count computers for the upstream")?;
    let mut rows = statement.query([]).during("count computers for the upstream")?;
    for_rows(&mut rows, |row| {
        let summary = kind(row.text_if_any(1)?.as_deref());
        let key = (
            summary.os_version,
            summary.os_locale.clone(),
            summary.suite_mask,
            summary.old_product_type,
            summary.new_product_type,
            summary.system_metrics,
            summary.architecture.clone(),
        );
        let at = *kinds.entry(key).or_insert_with(|| {
            summaries.push(summary);
            summaries.len() - 1
        });
        if let Some(summary) = summaries.get_mut(at) {
            summary.count = summary.count.saturating_add(i32::from(row.int(2)? != 0));
        }
        computers.insert(row.int(0)?, at);
        Ok(())
    })?;
    Ok((summaries, computers))
}

type Activity = BTreeMap<(usize, UpdateIdentity), (i32, i32)>;

/// Installations by kind and revision, of the events with numbers after `since` up to `counted`.
fn activity(
    db: &Connection,
    since: i64,
    counted: i64,
    computers: &HashMap<i64, usize>,
) -> Result<Activity, StoreError> {
    let sql = format!(
        "SELECT computer, update_id, revision, sum(event_id IN ({SUCCEEDED})), sum(event_id IN ({FAILED})) FROM event
         WHERE id > ?1 AND id <= ?2 AND namespace = 1 AND event_id IN ({SUCCEEDED}, {FAILED})
         GROUP BY computer, update_id, revision"
    );
    let mut statement = db.prepare_cached(&sql).during("count installations for the upstream")?;
    let mut rows = statement.query([since, counted]).during("count installations for the upstream")?;
    let mut found = Activity::new();
    for_rows(&mut rows, |row| {
        let revision = UpdateIdentity { update: row.update(1)?, revision: row.revision_number(2)? };
        let Some(kind) = computers.get(&row.int(0)?) else { return Ok(()) };
        if found.len() >= MOST_ACTIVITY && !found.contains_key(&(*kind, revision)) {
            return Ok(());
        }
        let sum = found.entry((*kind, revision)).or_default();
        let more = |at| row.int(at).map(|n| i32::try_from(n).unwrap_or(i32::MAX));
        *sum = (sum.0.saturating_add(more(3)?), sum.1.saturating_add(more(4)?));
        Ok(())
    })?;
    Ok(found)
}
