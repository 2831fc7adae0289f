//! Store: two servers below with one id, as after a machine or a data folder was copied. Each takes the place of the
//! other here: what one tells of its computers is told of the other's. They are known by their names, which they give in
//! turns: a server that is renamed has one name and then another, and none of both again. Addresses say nothing, since
//! one server may come by several ways.

use super::downstream::{came_before, clean};
use super::{DownstreamContact, RolledServer, ring};
use crate::Store;
use crate::audit::{self, Entry};
use crate::columns::{Columns, for_rows};
use crate::config::RENEWED;
use crate::error::{During, StoreError};
use rusqlite::{OptionalExtension, Row, Transaction, params};
use sluicegate_terms::{Guid, Timestamp};
use std::sync::Arc;

/// A name that was not given for so many seconds is no longer one of two: 7 days.
pub const TWINS_END: i64 = 7 * 86_400;

/// So often names must have come back: one that is changed and changed back was tried.
const TURNS: i64 = 2;

/// Names kept of one id.
const MOST_NAMES: i64 = 8;

/// Several servers that ask under one id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Twins {
    /// Their id.
    pub server: Guid,
    /// Their names, the one that was given last first.
    pub names: Vec<String>,
}

/// Whether two names are those of one machine: with its domain and without.
fn same(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
    let host = long.split('.').next().unwrap_or(long);
    short.eq_ignore_ascii_case(long) || (!short.contains('.') && short.eq_ignore_ascii_case(host))
}

/// Notes the name that a server gives that asks here; its row is there. A name that only tried the way is none: it is the
/// one that a server has before its administrator names it. Contacts are written down a while after they were, so one
/// that is not later than the last says nothing new.
pub(super) fn note(tx: &Transaction<'_>, contact: &DownstreamContact) -> Result<(), StoreError> {
    let name = clean(&contact.name);
    if name.is_empty() || !contact.synced {
        return Ok(());
    }
    let last = last_name(tx, contact.id)?;
    if last.as_ref().is_some_and(|(_, seen)| came_before(contact.at, *seen)) {
        return Ok(());
    }
    write(tx, contact.id, &name, contact.at, last.map(|(name, _)| name))
}

/// Notes the name of a server that one below tells of as below itself, when it told of itself there later than is known
/// from anywhere: what is told of one that went elsewhere is its old name.
pub(super) fn note_told(
    tx: &Transaction<'_>,
    server: &RolledServer,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (name, at) = (clean(&server.name), server.last_rollup.map(|at| at.min(now)));
    let Some(at) = at.filter(|_| server.parent.is_some() && !name.is_empty()) else { return Ok(()) };
    let last = last_name(tx, server.id)?;
    if last.as_ref().is_some_and(|(_, seen)| at <= *seen) {
        return Ok(());
    }
    write(tx, server.id, &name, at, last.map(|(name, _)| name))
}

/// The name that was given last, and when.
fn last_name(tx: &Transaction<'_>, id: Guid) -> Result<Option<(String, Timestamp)>, StoreError> {
    tx.prepare_cached(
        "SELECT name, seen FROM downstream_name WHERE server_id = ?1 ORDER BY seen DESC, name LIMIT 1",
    )
    .and_then(|mut s| {
        let row = |row: &Row<'_>| Ok((row.get(0)?, Timestamp::from_ticks(row.get(1)?)));
        s.query_row([id.as_bytes()], row).optional()
    })
    .during("look up the name of a server")
}

fn write(
    tx: &Transaction<'_>,
    id: Guid,
    name: &str,
    at: Timestamp,
    last: Option<String>,
) -> Result<(), StoreError> {
    let during = "note the name of a server";
    let other = last.as_ref().is_some_and(|last| !same(last, name));
    // With and without its domain it is one name.
    let kept = last.filter(|last| same(last, name)).unwrap_or_else(|| name.to_owned());
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        tx.prepare_cached(sql).and_then(|mut s| s.execute(values)).during(during)
    };
    if other {
        let old = at.plus_seconds(-TWINS_END).ticks();
        run("DELETE FROM downstream_name WHERE server_id = ?1 AND seen <= ?2", params![id.as_bytes(), old])?;
        // What a clock said that was ahead is not the last for ever.
        run(
            "UPDATE downstream_name SET seen = ?2 - 1 WHERE server_id = ?1 AND seen >= ?2",
            params![id.as_bytes(), at.ticks()],
        )?;
    }
    run(
        "INSERT INTO downstream_name (server_id, name, seen) VALUES (?1, ?2, ?3)
         ON CONFLICT (server_id, name) DO UPDATE SET seen = ?3, returned = returned + ?4",
        params![id.as_bytes(), kept, at.ticks(), other],
    )?;
    if other {
        run(
            "DELETE FROM downstream_name WHERE server_id = ?1 AND name NOT IN (
                 SELECT name FROM downstream_name WHERE server_id = ?1 ORDER BY seen DESC LIMIT ?2)",
            params![id.as_bytes(), MOST_NAMES],
        )?;
    }
    // The copy has an id of its own now.
    run("DELETE FROM downstream_name WHERE name = ?2 AND server_id <> ?1", params![id.as_bytes(), kept])?;
    Ok(())
}

impl Store {
    /// Servers below this one that share an id with another. It is over when all but one name have not been given for
    /// [`TWINS_END`], or belong to another id; and when the id is forgotten.
    ///
    /// # Errors
    /// A failure to read.
    pub fn downstream_twins(&self, now: Timestamp) -> Result<Vec<Twins>, StoreError> {
        self.shared.database.read(|db| {
            let during = "look for servers with one id";
            let mut statement = db
                .prepare_cached(
                    "SELECT server_id, name FROM downstream_name WHERE seen > ?1 AND server_id IN (
                         SELECT server_id FROM downstream_name WHERE seen > ?1
                         GROUP BY server_id HAVING count(*) > 1 AND sum(returned) >= ?2)
                     ORDER BY server_id, seen DESC, name",
                )
                .during(during)?;
            let after = now.plus_seconds(-TWINS_END).ticks();
            let mut rows = statement.query(params![after, TURNS]).during(during)?;
            let mut found: Vec<Twins> = Vec::new();
            for_rows(&mut rows, |row| {
                let (server, name) = (row.guid(0)?, row.text(1)?);
                match found.last_mut().filter(|last| last.server == server) {
                    Some(last) => last.names.push(name),
                    None => found.push(Twins { server, names: vec![name] }),
                }
                Ok(())
            })?;
            Ok(found)
        })
    }

    /// Gives this server another id than the one it shares with what it is a copy of, from the next opening on; answers
    /// that id. The servers below are those of the other one, and so are the computers: which of them come here, they show
    /// by asking, and its upstream is told of a computer when it has.
    ///
    /// # Errors
    /// No randomness, or a failure to write.
    pub fn renew_identity(&self, now: Timestamp) -> Result<Guid, StoreError> {
        let (before, after) = (self.server_id(), self.fresh_guid()?);
        let actor = Arc::clone(&self.actor);
        self.shared.database.write(move |tx| {
            let during = "give the server another id";
            tx.execute(
                "UPDATE config SET value = ?1, changed_at = ?2 WHERE name = 'server-id'",
                params![after.to_string(), now.ticks()],
            )
            .during(during)?;
            // By what is known of computers: the clock of who repairs may be another one.
            let newest: Option<i64> = tx
                .query_row("SELECT max(last_contact) FROM computer", [], |row| row.get(0))
                .during(during)?;
            let newest = newest.unwrap_or(i64::MIN).min(now.ticks());
            tx.execute(
                "INSERT INTO config (name, value, changed_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET value = ?2, changed_at = ?3",
                params![RENEWED, newest.to_string(), now.ticks()],
            )
            .during(during)?;
            tx.execute_batch(
                "DELETE FROM rollup_reset; DELETE FROM downstream_server; DELETE FROM wanted_by;
                 DELETE FROM wanted_file",
            )
            .during(during)?;
            ring::forget(tx)?;
            let entry = Entry {
                action: "renew-identity",
                subject: "server".to_owned(),
                update: None,
                before: Some(before.to_string()),
                after: Some(after.to_string()),
            };
            audit::append(tx, &actor, now, &[entry])
        })?;
        self.note_audit_head();
        Ok(after)
    }
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn a_name_with_its_domain_and_without_is_one() {
        for (one, other) in [("west", "WEST"), ("west", "west.corp.example"), ("West.corp.example", "west")] {
            assert!(same(one, other), "{one} {other}");
        }
        for (one, other) in
            [("west", "westend.example"), ("west.a.example", "west.b.example"), ("west", "east")]
        {
            assert!(!same(one, other), "{one} {other}");
        }
    }
}
