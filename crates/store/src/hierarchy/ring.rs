//! Store: servers in a ring: the one that answers as this server's upstream takes its catalog from here, by itself or
//! through others. Nothing comes from elsewhere then, and where all are replicas nobody can decide anything. Servers
//! trade places, too: one that was below becomes the upstream. So only an asking counts that came while it was the
//! upstream.

use super::downstream::came_before;
use super::{DownstreamContact, RolledServer};
use crate::Store;
use crate::error::{During, StoreError};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sluicegate_terms::{Guid, Timestamp};

/// A server that has not asked for so many seconds is no longer below: 2 days. Schedules have one synchronization a day at
/// least, so one may have failed.
pub const RING_ENDS: i64 = 2 * 86_400;

/// A server may ask so many seconds later than usual: an hour. Schedules draw their times at random within half of one.
pub const LATE: i64 = 3_600;

/// Under these names in `sync_state`, which is emptied when another upstream is set: that the upstream asked, when it
/// last told of itself as servers below have it, and when somebody set the upstream.
const ASKS: &str = "upstream-asks";
const TOLD: &str = "upstream-told";
const SET: &str = "upstream-set-at";

/// The upstream takes its catalog from this server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ring {
    /// The id of both: the upstream, and the server that asks.
    pub server: Guid,
    /// The name it gives itself.
    pub name: String,
    /// When it last asked for updates; when [`Ring::through_others`], when a server below last told that it does.
    pub asked: Timestamp,
    /// The longest that it took between two askings, in seconds; at most [`RING_ENDS`].
    pub usual: i64,
    /// It asks a server below this one, not this server.
    pub through_others: bool,
}

impl Ring {
    /// When it would have asked again, had nobody changed anything: a synchronization here that succeeds later shows
    /// that it is there and does not ask.
    #[must_use]
    pub fn due(&self) -> Timestamp {
        self.asked.plus_seconds((self.usual + LATE).min(RING_ENDS))
    }

    fn written(&self) -> String {
        let way = if self.through_others { "below" } else { "here" };
        format!("{} {} {} {way} {}", self.server, self.asked.ticks(), self.usual, self.name)
    }

    fn read(text: &str) -> Option<Self> {
        let mut words = text.splitn(5, ' ');
        Some(Self {
            server: words.next()?.parse().ok()?,
            asked: Timestamp::from_ticks(words.next()?.parse().ok()?),
            usual: words.next()?.parse().ok()?,
            through_others: words.next()? == "below",
            name: words.next()?.to_owned(),
        })
    }
}

fn value(db: &Connection, name: &str) -> Result<Option<String>, StoreError> {
    db.prepare_cached("SELECT value FROM sync_state WHERE name = ?1")
        .and_then(|mut s| s.query_row([name], |row| row.get(0)).optional())
        .during("look for a ring of servers")
}

fn put(tx: &Transaction<'_>, name: &str, value: &str) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO sync_state (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
    )
    .and_then(|mut s| s.execute(params![name, value]))
    .during("note a ring of servers")
    .map(|_| ())
}

/// The server that answers at the upstream's address, as far as that is known.
fn above(db: &Connection) -> Result<Option<Guid>, StoreError> {
    Ok(value(db, "server")?.and_then(|id| id.parse().ok()))
}

/// The upstream asks, at `asked`.
fn asks(
    tx: &Transaction<'_>,
    server: Guid,
    name: &str,
    asked: Timestamp,
    through_others: bool,
) -> Result<(), StoreError> {
    let before = value(tx, ASKS)?.as_deref().and_then(Ring::read).filter(|before| before.server == server);
    let usual = before.map_or(0, |before| {
        match asked.unix_seconds().saturating_sub(before.asked.unix_seconds()) {
            // Whatever was, was over.
            RING_ENDS.. => 0,
            between => between.max(before.usual),
        }
    });
    let name = super::downstream::clean(name);
    put(tx, ASKS, &Ring { server, name, asked, usual, through_others }.written())
}

/// Notes it when the server that asks is the upstream. One that was only tried, and did not ask for updates, is none.
/// Contacts are written down a while after they were: one from before the upstream was set says nothing.
pub(super) fn note(tx: &Transaction<'_>, contact: &DownstreamContact) -> Result<(), StoreError> {
    if !contact.synced || above(tx)? != Some(contact.id) {
        return Ok(());
    }
    let set = value(tx, SET)?.and_then(|set| set.parse().ok()).map(Timestamp::from_ticks);
    if set.is_some_and(|set| came_before(contact.at, set)) {
        return Ok(());
    }
    asks(tx, contact.id, &contact.name, contact.at, false)
}

/// Notes it when the upstream is among the servers that one below tells of as below itself. Servers tell of one that
/// went elsewhere for as long as they remember it, so it counts when it told of itself there since: the first time is
/// what later ones are compared with.
pub(super) fn note_told(
    tx: &Transaction<'_>,
    servers: &[RolledServer],
    now: Timestamp,
) -> Result<(), StoreError> {
    let told = servers.iter().filter(|server| server.parent.is_some() && server.last_rollup.is_some());
    let Some(above) = above(tx)? else { return Ok(()) };
    for server in told.filter(|server| server.id == above) {
        let Some(at) = server.last_rollup.map(Timestamp::ticks) else { continue };
        let known = value(tx, TOLD)?;
        let known = known.as_deref().and_then(|text| text.split_once(' '));
        let before =
            known.filter(|(id, _)| id.parse() == Ok(above)).and_then(|(_, at)| at.parse::<i64>().ok());
        // A clock that was ahead and has been put right tells of earlier times than before.
        let ahead = |before: i64| before > now.ticks();
        if before.is_some_and(|before| at == before || (at < before && !ahead(before))) {
            continue;
        }
        put(tx, TOLD, &format!("{above} {at}"))?;
        if before.is_some() {
            asks(tx, above, &server.name, now, true)?;
        }
    }
    Ok(())
}

/// What is known of the upstream's asking was asked of another server.
pub(super) fn forget(tx: &Transaction<'_>) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM sync_state WHERE name IN (?1, ?2)")
        .and_then(|mut s| s.execute([ASKS, TOLD]))
        .during("forget a ring of servers")
        .map(|_| ())
}

impl Store {
    /// The ring that this server is in with its upstream, if any. It is over when an upstream is set, when a
    /// synchronization succeeded that began after the upstream was [due](Ring::due) to ask again (not one that is ahead of
    /// the clock), and when it has not asked
    /// for [`RING_ENDS`].
    ///
    /// # Errors
    /// A failure to read.
    pub fn ring(&self, now: Timestamp) -> Result<Option<Ring>, StoreError> {
        self.shared.database.read(|db| {
            let db = db.transaction().during("look for a ring of servers")?;
            let (above, noted) = (above(&db)?, value(&db, ASKS)?);
            let Some(ring) = noted.as_deref().and_then(Ring::read).filter(|ring| above == Some(ring.server))
            else {
                return Ok(None);
            };
            let missed: bool = db
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM sync_run
                         WHERE outcome = 'succeeded' AND started >= ?1 AND started <= ?2)",
                )
                .and_then(|mut s| s.query_row([ring.due().ticks(), now.ticks()], |row| row.get(0)))
                .during("look for a ring of servers")?;
            let over = missed || ring.asked.plus_seconds(RING_ENDS) <= now;
            Ok((!over).then_some(ring))
        })
    }

    /// Somebody set the upstream, be it the same: that it asked here before then says nothing. Should it ask again, it
    /// is noted again.
    ///
    /// # Errors
    /// A failure to write.
    pub fn forget_ring(&self, now: Timestamp) -> Result<(), StoreError> {
        self.shared.database.write_alone(
            |tx| {
                tx.execute("DELETE FROM sync_state WHERE name = ?1", [ASKS])
                    .during("forget a ring of servers")?;
                put(tx, SET, &now.ticks().to_string())
            },
            |()| {},
        )
    }
}
