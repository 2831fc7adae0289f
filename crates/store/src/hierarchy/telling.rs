//! Store: what the upstream still has to be told of computers, this server's own and those of the servers below it
//! (MS-WSUSSS 3.2.4.5), and how far it has been told.

use super::place::{BELOW, HERE};
use super::rollup::{DOWNSTREAM, RolledComputer, RolledStatus, downstream, statuses};
use crate::Store;
use crate::columns::{Columns, for_rows};
use crate::computers::{ComputerGroups, Targeting, assigned_groups, requested_names};
use crate::config::RENEWED;
use crate::error::{During, StoreError, StoredAs};
use rusqlite::{Connection, OptionalExtension, Row, params};
use sluicegate_terms::{ComputerId, GroupId, Guid, Timestamp};

/// How far a computer has been told to the upstream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Told {
    /// The [`RolledComputer::mark`] that was told last; `None` when it never was.
    pub mark: Option<i64>,
    /// The [`ComputerDetails::mark`](super::ComputerDetails::mark) of the details the upstream has.
    pub details: Option<i64>,
    /// The number of the newest status the upstream accepted.
    pub number: u32,
    /// Which status that was ([`TellComputer::status`]); `None` asks for it to be sent again.
    pub status: Option<i64>,
}

/// A computer that the upstream is to know of: one of this server's own, or of a server below.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TellComputer {
    /// As known; details only for computers of downstream servers.
    pub computer: RolledComputer,
    /// For an own computer: what it said when it registered, in the form it was given.
    pub inventory: Option<String>,
    /// For an own computer: name, address, agent version, groups, asked for groups.
    pub own: Option<OwnComputer>,
    /// A mark that this server took when the status changed last here, whatever number it was told under; `None`
    /// while there is no status.
    pub status: Option<i64>,
    /// How far it has been told.
    pub told: Told,
}

/// What a computer of this server's own is known by, besides its inventory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OwnComputer {
    /// Its name, as it says.
    pub dns_name: String,
    /// The address it came from last.
    pub ip: String,
    /// Its agent's version.
    pub client_version: String,
    /// The groups it is in: those an administrator put it in, or of those it asks for the ones there are.
    pub groups: Vec<GroupId>,
    /// The groups it asks for.
    pub requested: Vec<String>,
}

impl Store {
    /// Computers that the upstream is to know of, by id, those after `after`. Own ones that have not asked since this
    /// server was given another id ([`Store::renew_identity`]) are left out: they are at the server that it is a copy of.
    /// So are those that asked later than `now`: a clock was ahead then, or this one is behind, and the upstream would
    /// believe what it is told ([`Store::forget_times_ahead`]).
    ///
    /// # Errors
    /// A failure to read.
    pub fn computers_to_tell(
        &self,
        after: Option<&ComputerId>,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<TellComputer>, StoreError> {
        self.flush_contacts_if_possible();
        let after = after.map_or("", ComputerId::as_str);
        let server = self.server_id();
        self.shared.database.read(|db| {
            let db = db.transaction().during("list computers for the upstream")?;
            let mut list = own_to_tell(&db, server, after, limit, now)?;
            let sql = format!(
                "SELECT {DOWNSTREAM}, c.status_mark, r.told, r.details, r.number, r.status FROM downstream_computer c
                 LEFT JOIN rollup_sent r USING (computer_id)
                 WHERE c.computer_id > ?1 AND coalesce(c.last_sync, ?3) <= ?3 AND {BELOW} ORDER BY c.computer_id LIMIT ?2"
            );
            let mut statement = db.prepare_cached(&sql).during("list computers for the upstream")?;
            let mut rows = statement.query(params![after, limit, now.ticks()]).during("list computers for the upstream")?;
            for_rows(&mut rows, |row| {
                list.push(TellComputer {
                    computer: downstream(row)?,
                    inventory: None,
                    own: None,
                    status: status_mark(row, 8)?,
                    told: told(row, 9)?,
                });
                Ok(())
            })?;
            self.put_in_groups_asked_for(&mut list);
            list.sort_by(|a, b| a.computer.id.cmp(&b.computer.id));
            list.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            Ok(list)
        })
    }

    /// Where computers name their groups themselves, own ones are in those of them that there are.
    fn put_in_groups_asked_for(&self, list: &mut [TellComputer]) {
        let targeting = self.targeting();
        if targeting == Targeting::Server {
            return;
        }
        let decisions = self.decisions();
        for own in list.iter_mut().filter_map(|tell| tell.own.as_mut()) {
            let asks =
                ComputerGroups { registered: true, requested: own.requested.clone(), assigned: Vec::new() };
            own.groups = asks.effective(targeting, &decisions.groups);
            own.groups.retain(|group| *group != GroupId::UNASSIGNED_COMPUTERS);
        }
    }

    /// The states of updates on a computer, own or of a downstream server.
    ///
    /// # Errors
    /// A failure to read.
    pub fn status_to_tell(&self, computer: &ComputerId, own: bool) -> Result<Vec<RolledStatus>, StoreError> {
        if !own {
            return self.downstream_status(computer);
        }
        self.shared.database.read(|db| {
            statuses(
                db,
                "SELECT s.update_id, s.state, s.since FROM update_status s
                 JOIN computer c ON c.id = s.computer WHERE c.computer_id = ?1 ORDER BY 1",
                computer,
            )
        })
    }

    /// Notes how far computers have been told.
    ///
    /// # Errors
    /// A failure to write.
    pub fn note_told(&self, told: &[(ComputerId, Told)]) -> Result<(), StoreError> {
        if told.is_empty() {
            return Ok(());
        }
        self.shared.database.write_alone(
            |tx| {
                self.refuse_for_another_upstream(tx)?;
                for (id, t) in told {
                    tx.prepare_cached(
                        "INSERT INTO rollup_sent (computer_id, told, details, number, status) VALUES (?1, ?2, ?3, ?4, ?5)
                         ON CONFLICT (computer_id) DO UPDATE SET told = ?2, details = ?3, number = ?4, status = ?5",
                    )
                    .and_then(|mut s| {
                        s.execute(params![id.as_str(), t.mark.unwrap_or(0), t.details, t.number, t.status])
                    })
                    .during("note what the upstream was told")?;
                }
                Ok(())
            },
            |()| {},
        )
    }

    /// The upstream may not know what it was told of computers, as after it was restored from a backup: all are told
    /// again. Of their statuses it is asked which it has.
    ///
    /// # Errors
    /// A failure to write.
    pub fn tell_computers_again(&self) -> Result<(), StoreError> {
        self.shared.database.write_alone(
            |tx| {
                self.refuse_for_another_upstream(tx)?;
                tx.execute("UPDATE rollup_sent SET told = 0, details = NULL", [])
                    .during("forget what the upstream was told")
                    .map(|_| ())
            },
            |()| {},
        )
    }

    /// The upstream asks for everything again (`RollupResetGuid`).
    ///
    /// # Errors
    /// A failure to write.
    pub fn forget_told(&self) -> Result<(), StoreError> {
        self.shared.database.write_alone(
            |tx| {
                self.refuse_for_another_upstream(tx)?;
                tx.execute("DELETE FROM rollup_sent", [])
                    .during("forget what the upstream was told")
                    .map(|_| ())
            },
            |()| {},
        )
    }
}

fn told(row: &Row<'_>, at: usize) -> Result<Told, StoreError> {
    let number = |at| row.get::<_, Option<i64>>(at).during("read what the upstream was told");
    Ok(Told {
        mark: number(at)?,
        details: number(at + 1)?,
        number: number(at + 2)?.and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
        status: number(at + 3)?,
    })
}

fn status_mark(row: &Row<'_>, at: usize) -> Result<Option<i64>, StoreError> {
    row.get(at).during("read the mark of a computer's status")
}

fn own_to_tell(
    db: &Connection,
    server: Guid,
    after: &str,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<TellComputer>, StoreError> {
    let renewed: Option<String> = db
        .prepare_cached("SELECT value FROM config WHERE name = ?1")
        .and_then(|mut s| s.query_row([RENEWED], |row| row.get(0)).optional())
        .during("list computers for the upstream")?;
    let renewed = renewed.and_then(|after| after.parse().ok()).unwrap_or(i64::MIN);
    let mut statement = db
        .prepare_cached(&format!(
            "SELECT o.id, o.computer_id, o.last_sync, o.status_mark, o.status_at, o.registered_at, o.inventory,
                 o.dns_name, o.ip, o.client_version, o.requested_groups, r.told, r.details, r.number, r.status
             FROM computer o LEFT JOIN rollup_sent r USING (computer_id)
             WHERE o.computer_id > ?1 AND (o.first_seen > ?3 OR o.last_sync > ?3)
                 AND coalesce(o.last_sync, ?4) <= ?4 AND {HERE}
             ORDER BY o.computer_id LIMIT ?2"
        ))
        .during("list computers for the upstream")?;
    let mut rows = statement
        .query(params![after, limit, renewed, now.ticks()])
        .during("list computers for the upstream")?;
    let mut list = Vec::new();
    for_rows(&mut rows, |row| {
        let last_sync = row.time_if_any(2)?;
        list.push(TellComputer {
            computer: RolledComputer {
                id: row.text(1)?.parse().stored_as("computer id")?,
                server,
                last_sync,
                last_sync_result: u8::from(last_sync.is_some()),
                last_reboot: None,
                last_status: row.time_if_any(4)?,
                last_inventory: row.time_if_any(5)?,
                details: None,
            },
            inventory: row.text_if_any(6)?,
            own: Some(OwnComputer {
                dns_name: row.text_if_any(7)?.unwrap_or_default(),
                ip: row.text_if_any(8)?.unwrap_or_default(),
                client_version: row.text_if_any(9)?.unwrap_or_default(),
                groups: assigned_groups(db, row.int(0)?)?,
                requested: requested_names(&row.text(10)?),
            }),
            status: status_mark(row, 3)?,
            told: told(row, 11)?,
        });
        Ok(())
    })?;
    Ok(list)
}
