//! Store: the servers that take their catalog from this one, and what they told about themselves
//! (MS-WSUSSS 3.1.1, DSS Table and Client Computer Activity Summary Table).

use super::allowed::is_allowed;
use super::counts::{ClientSummary, ServerSummary, decode_clients, encode_clients, merged};
use super::crowd::{self, MOST_STRANGERS};
use super::place;
use super::{ring, twins, wanted};
use crate::Store;
use crate::audit::{self, Entry};
use crate::columns::{Columns, for_rows, gathered};
use crate::error::{During, StoreError};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sluicegate_terms::{Guid, Timestamp};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Longest name or version of a server that is kept, in characters.
const LONGEST_NAME: usize = 256;

/// A downstream server asks this one (GetAuthorizationCookie).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DownstreamContact {
    /// Its own id (`accountGuid`).
    pub id: Guid,
    /// Its name (`accountName`), usually a host name.
    pub name: String,
    /// When.
    pub at: Timestamp,
    /// It asked for updates to the end (GetRevisionIdList for updates was answered).
    pub synced: bool,
}

/// What a server tells about itself or one below it (`DownstreamServerRollupInfo`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RolledServer {
    /// Its id.
    pub id: Guid,
    /// Its name.
    pub name: String,
    /// Its upstream; `None` when that is this server (the zero GUID on the wire).
    pub parent: Option<Guid>,
    /// Its version.
    pub version: String,
    /// Whether it is a replica.
    pub is_replica: bool,
    /// When it last synchronized.
    pub last_sync: Option<Timestamp>,
    /// When it last told of itself.
    pub last_rollup: Option<Timestamp>,
    /// Its counts.
    pub summary: ServerSummary,
    /// Its computers by operating system.
    pub clients: Vec<ClientSummary>,
}

/// A downstream server as it is known here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DownstreamServer {
    /// What it told.
    pub told: RolledServer,
    /// When it was first heard of.
    pub first_seen: Timestamp,
    /// When it was last heard of.
    pub last_contact: Timestamp,
    /// Whether it may synchronize from here.
    pub allowed: bool,
}

pub(super) fn clean(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect()
}

/// Contacts are written down seconds after they were. What is later than one by more than this, an hour, was said by a
/// clock that has been put back since.
pub(crate) const WRITTEN_WITHIN: i64 = 3_600;

/// Whether a contact is not later than the last one that is known.
pub(super) fn came_before(at: Timestamp, last: Timestamp) -> bool {
    at <= last && last <= at.plus_seconds(WRITTEN_WITHIN)
}

pub(super) fn known_parent(db: &Connection, id: Guid) -> Result<bool, StoreError> {
    db.prepare_cached("SELECT EXISTS (SELECT 1 FROM downstream_server WHERE server_id = ?1)")
        .and_then(|mut s| s.query_row([id.as_bytes()], |row| row.get(0)))
        .during("look up a downstream server")
}

/// A downstream server and all that are below it. Empty when nobody knows it.
pub(super) fn branch(db: &Connection, top: Guid) -> Result<BTreeSet<Guid>, StoreError> {
    let mut statement = db
        .prepare_cached(
            "WITH RECURSIVE below (id) AS (
                 SELECT server_id FROM downstream_server WHERE server_id = ?1
                 UNION SELECT s.server_id FROM below b JOIN downstream_server s ON s.parent = b.id)
             SELECT id FROM below",
        )
        .during("look up a branch of servers")?;
    let mut rows = statement.query([top.as_bytes()]).during("look up a branch of servers")?;
    gathered(&mut rows, |row| row.guid(0))
}

/// Whether the way up from a server leads back to it.
fn stands_below_itself(db: &Connection, server: Guid) -> Result<bool, StoreError> {
    db.prepare_cached(
        "WITH RECURSIVE above (id) AS (
             SELECT parent FROM downstream_server WHERE server_id = ?1
             UNION SELECT s.parent FROM above a JOIN downstream_server s ON s.server_id = a.id)
         SELECT EXISTS (SELECT 1 FROM above WHERE id = ?1)",
    )
    .and_then(|mut s| s.query_row([server.as_bytes()], |row| row.get(0)))
    .during("look up the servers above one")
}

/// The place of the first of these servers that stands below itself.
fn in_a_ring(servers: &[DownstreamServer]) -> Option<usize> {
    let parents: HashMap<Guid, Option<Guid>> =
        servers.iter().map(|server| (server.told.id, server.told.parent)).collect();
    let above = |id: &Guid| parents.get(id).copied().flatten();
    servers.iter().position(|server| {
        let start = server.told.id;
        // No way without a ring is longer than there are servers.
        std::iter::successors(above(&start), above).take(servers.len()).any(|id| id == start)
    })
}

impl Store {
    /// Notes that a downstream server was here; durable when it returns. Of servers that are not on the list
    /// of allowed ones, 10,000 are remembered.
    ///
    /// # Errors
    /// A failure to write.
    pub fn record_downstream(&self, contact: DownstreamContact) -> Result<(), StoreError> {
        let moved = self.shared.database.write(move |tx| {
            let new = !known_parent(tx, contact.id)?;
            tx.prepare_cached(
                "INSERT INTO downstream_server (server_id, name, first_seen, last_contact, last_sync)
                 VALUES (?1, ?2, ?3, ?3, ?4) ON CONFLICT (server_id) DO UPDATE SET
                     name = CASE WHEN ?2 = '' OR (last_contact > ?3 AND last_contact <= ?5) THEN name ELSE ?2 END,
                     parent = NULL,
                     last_contact = CASE WHEN last_contact > ?5 THEN ?3 ELSE max(last_contact, ?3) END, last_sync = coalesce(?4, last_sync)",
            )
            .and_then(|mut s| {
                let synced = contact.synced.then_some(contact.at.ticks());
                // A name that was given later stays.
                let later = contact.at.plus_seconds(WRITTEN_WITHIN).ticks();
                s.execute(params![
                    contact.id.as_bytes(),
                    clean(&contact.name),
                    contact.at.ticks(),
                    synced,
                    later
                ])
            })
            .during("note a downstream server")?;
            ring::note(tx, &contact)?;
            twins::note(tx, &contact)?;
            if new { crowd::keep_within(tx, MOST_STRANGERS) } else { Ok(Vec::new()) }
        })?;
        self.look_again_where(&moved);
        Ok(())
    }

    /// Takes in what servers told of themselves (RollupDownstreamServers), all or nothing; older news than
    /// what is known is left aside. Times later than `now` are taken as `now`. Answers `false` when one names an upstream that nobody knows
    /// (MS-WSUSSS 3.1.4.14), or would stand below itself. A name that is empty takes none away. Of servers that are not on the list of allowed ones, 10,000 are remembered.
    ///
    /// # Errors
    /// A failure to write.
    pub fn roll_up_servers(&self, servers: Vec<RolledServer>, now: Timestamp) -> Result<bool, StoreError> {
        self.shared
            .database
            .write(move |tx| {
                for server in &servers {
                    if let Some(parent) = server.parent
                        && !known_parent(tx, parent)?
                    {
                        return Err(StoreError::Invalid {
                            what: "a downstream server",
                            reason: format!("nobody knows its upstream {parent}"),
                        });
                    }
                    write_server(tx, server, now)?;
                }
                // When all of them have their places: one may have gone below another that was below it.
                for server in &servers {
                    if stands_below_itself(tx, server.id)? {
                        return Err(StoreError::Invalid {
                            what: "a downstream server",
                            reason: format!("{} would stand below itself", server.id),
                        });
                    }
                }
                ring::note_told(tx, &servers, now)?;
                crowd::keep_within(tx, MOST_STRANGERS)
            })
            .map(|moved| {
                self.look_again_where(&moved);
                true
            })
            .or_else(|error| match error {
                StoreError::Invalid { what: "a downstream server", .. } => Ok(false),
                other => Err(other),
            })
    }

    /// All servers below this one, parents before their children.
    ///
    /// # Errors
    /// A failure to read.
    pub fn downstream_servers(&self) -> Result<Vec<DownstreamServer>, StoreError> {
        let mut all = self.shared.database.read(|db| {
            let db = db.transaction().during("list downstream servers")?;
            let allowed = self.allowed_downstream();
            let mut statement = db
                .prepare_cached(
                    "SELECT server_id, name, parent, version, is_replica, first_seen, last_contact, last_sync,
                         last_rollup, summary, clients FROM downstream_server ORDER BY name, server_id",
                )
                .during("list downstream servers")?;
            let mut rows = statement.query([]).during("list downstream servers")?;
            let mut list = Vec::new();
            for_rows(&mut rows, |row| {
                let id = row.guid(0)?;
                let name = row.text(1)?;
                let unreadable = |_| StoreError::Unreadable {
                    what: format!("summary of the downstream server {name}"),
                    reason: "its layout is not known".to_owned(),
                };
                let blob = |at| row.get::<_, Option<Vec<u8>>>(at).during("read a summary");
                let summary = blob(9)?.map(|b| ServerSummary::decode(&b)).transpose().map_err(unreadable)?;
                let clients = blob(10)?.map(|b| decode_clients(&b)).transpose().map_err(unreadable)?;
                let parent: Option<[u8; 16]> = row.get(2).during("read a server's upstream")?;
                list.push(DownstreamServer {
                    allowed: is_allowed(&allowed, id, &name),
                    told: RolledServer {
                        id,
                        name,
                        parent: parent.map(Guid::from_bytes),
                        version: row.text(3)?,
                        is_replica: row.int(4)? != 0,
                        last_sync: row.time_if_any(7)?,
                        last_rollup: row.time_if_any(8)?,
                        summary: summary.unwrap_or_default(),
                        clients: clients.unwrap_or_default(),
                    },
                    first_seen: row.time(5)?,
                    last_contact: row.time(6)?,
                });
                Ok(())
            })?;
            Ok(list)
        })?;
        let mut ordered: Vec<DownstreamServer> = Vec::with_capacity(all.len());
        while !all.is_empty() {
            let (ready, later): (Vec<_>, Vec<_>) = all.into_iter().partition(|server| {
                server.told.parent.is_none_or(|p| ordered.iter().any(|s| s.told.id == p))
            });
            all = later;
            if !ready.is_empty() {
                ordered.extend(ready);
            } else if let Some(at) = in_a_ring(&all) {
                // Versions before took rings in. Nobody is left out, and whoever is told of it gets a tree.
                let mut first = all.remove(at);
                first.told.parent = None;
                ordered.push(first);
            } else {
                // A parent that was forgotten; they are still shown.
                ordered.append(&mut all);
            }
        }
        Ok(ordered)
    }

    /// Forgets a downstream server and the computers it told of. Servers below it stay, and so does its place on the
    /// list of those that may synchronize. Answers its name and how many computers went with it; `None` when it is not
    /// known.
    ///
    /// # Errors
    /// A failure to write.
    pub fn forget_downstream(&self, id: Guid, now: Timestamp) -> Result<Option<(String, u64)>, StoreError> {
        let actor = Arc::clone(&self.actor);
        let reset = self.fresh_guid()?;
        let gone = self.shared.database.write(move |tx| {
            let during = "forget a downstream server";
            let computers = tx
                .prepare_cached("SELECT count(*) FROM downstream_computer WHERE server_id = ?1")
                .and_then(|mut s| s.query_row([id.as_bytes()], |row| row.get::<_, i64>(0)))
                .during(during)?;
            let moved = place::own_of_server(tx, id)?;
            // The computers go with it, and their status with them.
            let name: Option<String> = tx
                .prepare_cached("DELETE FROM downstream_server WHERE server_id = ?1 RETURNING name")
                .and_then(|mut s| s.query_row([id.as_bytes()], |row| row.get(0)).optional())
                .during(during)?;
            let Some(name) = name else { return Ok(None) };
            wanted::forget_asker(tx, id)?;
            // Should it come again, it has to tell of all its computers, not of those that changed.
            tx.prepare_cached("INSERT OR REPLACE INTO rollup_reset (one, guid) VALUES (1, ?1)")
                .and_then(|mut s| s.execute([reset.as_bytes()]))
                .during(during)?;
            let before = Some(name.clone());
            let subject = id.to_string();
            let entry = Entry { action: "forget-downstream", subject, update: None, before, after: None };
            audit::append(tx, &actor, now, &[entry])?;
            Ok(Some((name, u64::try_from(computers).unwrap_or(0), moved)))
        })?;
        let Some((name, computers, moved)) = gone else { return Ok(None) };
        self.look_again_where(&moved);
        self.note_audit_head();
        Ok(Some((name, computers)))
    }

    /// What servers below are to compare with what they were told last; another one makes them tell everything again.
    ///
    /// # Errors
    /// A failure to read.
    pub fn rollup_reset(&self) -> Result<Guid, StoreError> {
        let set = self.shared.database.read(|db| {
            db.prepare_cached("SELECT guid FROM rollup_reset")
                .and_then(|mut s| s.query_row([], |row| row.get::<_, [u8; 16]>(0)).optional())
                .during("read the mark of rollup")
        })?;
        Ok(set.map_or_else(|| self.server_id(), Guid::from_bytes))
    }

    /// The activities of these servers have been passed on upstream and count from zero again.
    ///
    /// # Errors
    /// A failure to write.
    pub fn downstream_told(&self, ids: &[Guid]) -> Result<(), StoreError> {
        let (ids, mine) = (ids.to_vec(), self.clone());
        self.shared.database.write(move |tx| {
            mine.refuse_for_another_upstream(tx)?;
            for id in &ids {
                let clients: Option<Option<Vec<u8>>> = tx
                    .prepare_cached("SELECT clients FROM downstream_server WHERE server_id = ?1")
                    .and_then(|mut s| s.query_row([id.as_bytes()], |row| row.get(0)).optional())
                    .during("look up a downstream server")?;
                let Some(mut clients) = clients.flatten().and_then(|b| decode_clients(&b).ok()) else {
                    continue;
                };
                clients.iter_mut().for_each(|c| c.activity.clear());
                tx.prepare_cached("UPDATE downstream_server SET clients = ?2 WHERE server_id = ?1")
                    .and_then(|mut s| s.execute(params![id.as_bytes(), encode_clients(&clients)]))
                    .during("note what was passed on")?;
            }
            Ok(())
        })
    }
}

fn write_server(tx: &Transaction<'_>, server: &RolledServer, now: Timestamp) -> Result<(), StoreError> {
    let present = |at: Option<Timestamp>| at.map(|at| at.min(now).ticks());
    type Known = (Option<i64>, Option<Vec<u8>>, Option<[u8; 16]>);
    let known: Option<Known> = tx
        .prepare_cached("SELECT last_rollup, clients, parent FROM downstream_server WHERE server_id = ?1")
        .and_then(|mut s| {
            s.query_row([server.id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
        })
        .during("look up a downstream server")?;
    let told_at = present(server.last_rollup);
    let mut clients = server.clients.clone();
    let mut news = true;
    let mut before = None;
    if let Some((known_at, known_clients, parent)) = known {
        // Told on from before a clock was put right, it would be the latest each time.
        let ahead = server.last_rollup.is_some_and(|at| at > now);
        if ahead && server.parent.is_some() && server.parent != parent.map(Guid::from_bytes) {
            return Ok(());
        }
        // What is later than the present says nothing.
        let known_at = known_at.filter(|at| *at <= now.ticks());
        if known_at > told_at {
            return Ok(());
        }
        news = told_at > known_at;
        before = known_at.map(Timestamp::from_ticks);
        let old = known_clients.and_then(|b| decode_clients(&b).ok()).unwrap_or_default();
        clients = merged(old, &server.clients);
    }
    tx.prepare_cached(
        "INSERT INTO downstream_server (server_id, name, parent, version, is_replica, first_seen, last_contact,
             last_sync, last_rollup, summary, clients)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (server_id) DO UPDATE SET name = CASE WHEN ?2 = '' THEN name ELSE ?2 END, parent = ?3, version = ?4, is_replica = ?5,
             last_contact = ?6, last_sync = coalesce(?7, last_sync), last_rollup = ?8,
             summary = ?9, clients = ?10",
    )
    .and_then(|mut s| {
        s.execute(params![
            server.id.as_bytes(),
            clean(&server.name),
            server.parent.as_ref().map(Guid::as_bytes),
            clean(&server.version),
            server.is_replica,
            now.ticks(),
            present(server.last_sync),
            told_at,
            server.summary.encode(),
            encode_clients(&clients)
        ])
    })
    .during("write a downstream server")?;
    if !news {
        return Ok(());
    }
    if server.parent.is_none() {
        wanted::settle(tx, server, before, now)?;
    }
    twins::note_told(tx, server, now)
}
