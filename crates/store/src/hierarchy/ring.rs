//! Store: servers in a ring: the one that answers as this server's upstream takes its catalog from here. Neither gets
//! anything new then, and where both are replicas nobody can decide anything. Servers trade places, too: one that was below
//! becomes the upstream. So only an asking counts that came while it was the upstream.

use super::DownstreamContact;
use crate::Store;
use crate::error::{During, StoreError};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sluicegate_terms::{Guid, Timestamp};

/// A server that has not asked for so many seconds is no longer below: 2 days. Schedules have one synchronization a day at
/// least, so one may have failed.
pub const RING_ENDS: i64 = 2 * 86_400;

/// Under this name in `sync_state`, which is emptied when another upstream is set.
const NAME: &str = "upstream-asked";

/// The upstream takes its catalog from this server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ring {
    /// The id of both: the upstream, and the server that asks.
    pub server: Guid,
    /// The name it gives itself.
    pub name: String,
    /// When it last asked for updates.
    pub asked: Timestamp,
}

fn value(db: &Connection, name: &str) -> Result<Option<String>, StoreError> {
    db.prepare_cached("SELECT value FROM sync_state WHERE name = ?1")
        .and_then(|mut s| s.query_row([name], |row| row.get(0)).optional())
        .during("look for a ring of servers")
}

/// The server that answers at the upstream's address, as far as that is known.
fn above(db: &Connection) -> Result<Option<Guid>, StoreError> {
    Ok(value(db, "server")?.and_then(|id| id.parse().ok()))
}

/// Notes it when the server that asks is the upstream. One that was only tried, and did not ask for updates, is none.
pub(super) fn note(tx: &Transaction<'_>, contact: &DownstreamContact) -> Result<(), StoreError> {
    if !contact.synced || above(tx)? != Some(contact.id) {
        return Ok(());
    }
    let asked = format!("{} {} {}", contact.id, contact.at.ticks(), super::downstream::clean(&contact.name));
    tx.prepare_cached(
        "INSERT INTO sync_state (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
    )
    .and_then(|mut s| s.execute(params![NAME, asked]))
    .during("note a ring of servers")
    .map(|_| ())
}

impl Store {
    /// The ring that this server is in with its upstream, if any. It is over when another upstream is set, and when the
    /// upstream has not asked for [`RING_ENDS`].
    ///
    /// # Errors
    /// A failure to read.
    pub fn ring(&self, now: Timestamp) -> Result<Option<Ring>, StoreError> {
        let (above, noted) = self.shared.database.read(|db| {
            let db = db.transaction().during("look for a ring of servers")?;
            Ok((above(&db)?, value(&db, NAME)?))
        })?;
        let (Some(above), Some(noted)) = (above, noted) else { return Ok(None) };
        let mut words = noted.splitn(3, ' ');
        let server = words.next().and_then(|id| id.parse::<Guid>().ok());
        let asked = words.next().and_then(|at| at.parse().ok()).map(Timestamp::from_ticks);
        let name = words.next().unwrap_or_default().to_owned();
        let lasts = |asked: &Timestamp| asked.plus_seconds(RING_ENDS) > now;
        Ok(match (server, asked.filter(lasts)) {
            (Some(server), Some(asked)) if server == above => Some(Ring { server, name, asked }),
            _ => None,
        })
    }
}
