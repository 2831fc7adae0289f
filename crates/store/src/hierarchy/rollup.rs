//! Store: computers and their status on the way up the tree (MS-WSUSSS 3.1.4.15 to 3.1.4.17): what
//! downstream servers told of theirs, and what the upstream still has to be told.

use super::downstream::known_parent;
use crate::Store;
use crate::catalog::LARGEST_PAGE;
use crate::columns::{Columns, for_rows, signed};
use crate::computers::{assigned_groups, requested_names};
use crate::error::{During, StoreError, StoredAs};
use crate::wire::{Malformed, Reader, put_bytes, put_u32};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use sluicegate_policy::UpdateState;
use sluicegate_terms::{ComputerId, GroupId, Guid, Timestamp, UpdateId};

/// Longest text of a computer's details that is kept, in characters.
const LONGEST_TEXT: usize = 256;

/// What a computer is (`ComputerRollupDetails`, MS-WSUSSS 3.1.4.15.3.3).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)] // The names are the attributes'.
pub struct ComputerDetails {
    pub groups: Vec<GroupId>,
    pub requested_groups: Vec<String>,
    pub ip_address: String,
    pub full_domain_name: String,
    /// Major, minor, build, service pack major and minor.
    pub os_version: [i32; 5],
    pub os_locale: String,
    pub os_family: String,
    pub os_description: String,
    pub computer_make: String,
    pub computer_model: String,
    pub bios_version: String,
    pub bios_name: String,
    pub bios_release_date: Timestamp,
    pub processor_architecture: String,
    pub suite_mask: i16,
    pub old_product_type: u8,
    pub new_product_type: i32,
    pub system_metrics: i32,
    pub client_version: String,
}

impl ComputerDetails {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        put_u32(&mut out, u32::try_from(self.groups.len()).unwrap_or(u32::MAX));
        self.groups.iter().for_each(|g| out.extend_from_slice(g.0.as_bytes()));
        put_u32(&mut out, u32::try_from(self.requested_groups.len()).unwrap_or(u32::MAX));
        let mut put = |text: &str| {
            let text: String = text.chars().filter(|c| !c.is_control()).take(LONGEST_TEXT).collect();
            put_bytes(&mut out, text.as_bytes());
        };
        self.requested_groups.iter().for_each(|name| put(name));
        for text in [
            &self.ip_address,
            &self.full_domain_name,
            &self.os_locale,
            &self.os_family,
            &self.os_description,
            &self.computer_make,
            &self.computer_model,
            &self.bios_version,
            &self.bios_name,
            &self.processor_architecture,
            &self.client_version,
        ] {
            put(text);
        }
        self.os_version.iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
        out.extend_from_slice(&self.bios_release_date.ticks().to_le_bytes());
        out.extend_from_slice(&self.suite_mask.to_le_bytes());
        out.push(self.old_product_type);
        out.extend_from_slice(&self.new_product_type.to_le_bytes());
        out.extend_from_slice(&self.system_metrics.to_le_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader(bytes);
        let groups = (0..r.count(16)?).map(|_| r.guid().map(GroupId)).collect::<Result<_, _>>()?;
        let requested_groups =
            (0..r.count(4)?).map(|_| r.text().map(str::to_owned)).collect::<Result<_, _>>()?;
        let mut text = || r.text().map(str::to_owned);
        let mut details = Self {
            groups,
            requested_groups,
            ip_address: text()?,
            full_domain_name: text()?,
            os_locale: text()?,
            os_family: text()?,
            os_description: text()?,
            computer_make: text()?,
            computer_model: text()?,
            bios_version: text()?,
            bios_name: text()?,
            processor_architecture: text()?,
            client_version: text()?,
            ..Self::default()
        };
        for n in &mut details.os_version {
            *n = i32::from_le_bytes(r.array()?);
        }
        details.bios_release_date = Timestamp::from_ticks(i64::from_le_bytes(r.array()?));
        details.suite_mask = i16::from_le_bytes(r.array()?);
        details.old_product_type = r.u8()?;
        details.new_product_type = i32::from_le_bytes(r.array()?);
        details.system_metrics = i32::from_le_bytes(r.array()?);
        Ok(details)
    }

    /// Tells two details apart; see [`Told::details`].
    #[must_use]
    pub fn mark(&self) -> i64 {
        mark(&self.encode())
    }
}

/// A hash for telling values apart (FNV-1a).
fn mark(bytes: &[u8]) -> i64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    i64::from_le_bytes(hash.to_le_bytes())
}

/// A computer as servers tell it to each other (`ComputerRollupInfo`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RolledComputer {
    /// Its id.
    pub id: ComputerId,
    /// The server it gets updates from.
    pub server: Guid,
    /// When it last asked for updates.
    pub last_sync: Option<Timestamp>,
    /// 0 unknown, 1 succeeded, 2 failed.
    pub last_sync_result: u8,
    /// When it last said it had started.
    pub last_reboot: Option<Timestamp>,
    /// When it last reported the status of updates.
    pub last_status: Option<Timestamp>,
    /// When it last reported its inventory.
    pub last_inventory: Option<Timestamp>,
    /// What it is; missing when it was told before.
    pub details: Option<ComputerDetails>,
}

impl RolledComputer {
    /// Tells two reports apart, details aside.
    #[must_use]
    pub fn mark(&self) -> i64 {
        let mut bytes = self.server.as_bytes().to_vec();
        for time in [self.last_sync, self.last_reboot, self.last_status, self.last_inventory] {
            bytes.extend_from_slice(&time.map_or(i64::MIN, Timestamp::ticks).to_le_bytes());
        }
        bytes.push(self.last_sync_result);
        mark(&bytes)
    }
}

/// What the teller should do about a computer (`ChangedComputer`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RollupChange {
    /// Tell its details: it is new, or under another server than before.
    NewParent,
    /// Tell no more of it.
    Deleted,
}

/// The state of one update on one computer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RolledStatus {
    /// Which update.
    pub update: UpdateId,
    /// Its state; "not applicable" takes an older row away.
    pub state: UpdateState,
    /// Since when.
    pub since: Timestamp,
}

/// The status of one computer's updates (`ComputerStatusRollupInfo`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatusReport {
    /// Which computer.
    pub computer: ComputerId,
    /// When the newest update it reported about became available on its server.
    pub detected: Option<Timestamp>,
    /// Counts the reports about this computer.
    pub number: u32,
    /// It speaks of all updates, not just of changes.
    pub full: bool,
    /// The states.
    pub updates: Vec<RolledStatus>,
}

/// A computer of a downstream server as it is known here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DownstreamComputer {
    /// What was told.
    pub told: RolledComputer,
    /// The name of the server it gets updates from.
    pub server_name: String,
    /// How many updates it has in each state.
    pub states: Vec<(UpdateState, u64)>,
}

/// Which computers of downstream servers to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DownstreamComputerFilter {
    /// Only those of this server.
    pub server: Option<Guid>,
    /// Only those whose name or id has this in it.
    pub search: Option<String>,
    /// At most so many rows (at most 10,000).
    pub limit: u32,
    /// Skip so many.
    pub offset: u32,
}

/// How far a computer has been told to the upstream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Told {
    /// The [`RolledComputer::mark`] that was told last; `None` when it never was.
    pub mark: Option<i64>,
    /// The [`ComputerDetails::mark`] of the details the upstream has.
    pub details: Option<i64>,
    /// The number of the newest status the upstream accepted.
    pub number: u32,
    /// Which status that was; `None` asks for it to be sent again.
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
    /// Changes with every change of its status.
    pub status: i64,
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
    /// The groups an administrator put it in.
    pub groups: Vec<GroupId>,
    /// The groups it asks for.
    pub requested: Vec<String>,
}

impl Store {
    /// Takes in what a downstream server told of computers (RollupComputers). `None` when one is under a
    /// server that nobody knows; then nothing is taken.
    ///
    /// # Errors
    /// A failure to write.
    pub fn roll_up_computers(
        &self,
        computers: Vec<RolledComputer>,
    ) -> Result<Option<Vec<(ComputerId, RollupChange)>>, StoreError> {
        self.shared.database.write(move |tx| {
            for computer in &computers {
                if !known_parent(tx, computer.server)? {
                    return Ok(None);
                }
            }
            let mut changes = Vec::new();
            for computer in &computers {
                let needs_details = write_computer(tx, computer)? && computer.details.is_none();
                if needs_details && !changes.iter().any(|(id, _)| *id == computer.id) {
                    changes.push((computer.id.clone(), RollupChange::NewParent));
                }
            }
            Ok(Some(changes))
        })
    }

    /// Those of some computers whose newest status here is another than the teller remembers
    /// (GetOutOfSyncComputers); only computers of `server` and the servers below it count.
    ///
    /// # Errors
    /// A failure to read.
    pub fn out_of_sync_computers(
        &self,
        server: Guid,
        numbers: &[(ComputerId, u32)],
    ) -> Result<Vec<ComputerId>, StoreError> {
        self.shared.database.read(|db| {
            let db = db.transaction().during("compare statuses")?;
            let mut statement = db
                .prepare_cached(
                    "WITH RECURSIVE below (id) AS (
                         SELECT server_id FROM downstream_server WHERE server_id = ?1
                         UNION SELECT s.server_id FROM below b JOIN downstream_server s ON s.parent = b.id)
                     SELECT c.received FROM downstream_computer c
                     WHERE c.computer_id = ?2 AND c.server_id IN (SELECT id FROM below)",
                )
                .during("compare statuses")?;
            let mut list = Vec::new();
            for (id, number) in numbers {
                let received: Option<i64> = statement
                    .query_row(params![server.as_bytes(), id.as_str()], |row| row.get(0))
                    .optional()
                    .during("compare statuses")?;
                if received.is_some_and(|r| r != i64::from(*number)) {
                    list.push(id.clone());
                }
            }
            Ok(list)
        })
    }

    /// Takes in statuses (RollupComputerStatus); those of unknown computers are left aside.
    ///
    /// # Errors
    /// A failure to write.
    pub fn roll_up_status(&self, reports: Vec<StatusReport>) -> Result<(), StoreError> {
        self.shared.database.write(move |tx| reports.iter().try_for_each(|report| write_status(tx, report)))
    }

    /// The computers of downstream servers, by name.
    ///
    /// # Errors
    /// A failure to read.
    pub fn downstream_computers(
        &self,
        filter: &DownstreamComputerFilter,
    ) -> Result<Vec<DownstreamComputer>, StoreError> {
        let search = filter.search.as_deref().map(str::to_lowercase);
        self.shared.database.read(|db| {
            let db = db.transaction().during("list computers of downstream servers")?;
            let sql = format!(
                "SELECT {DOWNSTREAM}, s.name, c.id FROM downstream_computer c JOIN downstream_server s USING (server_id)
                 WHERE (?1 IS NULL OR c.server_id = ?1)
                     AND (?2 IS NULL OR instr(lower(coalesce(c.dns_name, '')), ?2) > 0 OR instr(c.computer_id, ?2) > 0)
                 ORDER BY c.dns_name, c.computer_id LIMIT ?3 OFFSET ?4"
            );
            let mut statement = db.prepare_cached(&sql).during("list computers of downstream servers")?;
            let mut rows = statement
                .query(params![
                    filter.server.as_ref().map(Guid::as_bytes),
                    search,
                    filter.limit.min(LARGEST_PAGE),
                    filter.offset
                ])
                .during("list computers of downstream servers")?;
            let mut list = Vec::new();
            for_rows(&mut rows, |row| {
                list.push(DownstreamComputer {
                    told: downstream(row)?,
                    server_name: row.text(8)?,
                    states: counts(&db, row.int(9)?)?,
                });
                Ok(())
            })?;
            Ok(list)
        })
    }

    /// The states of updates on a computer of a downstream server; empty when it is not known.
    ///
    /// # Errors
    /// A failure to read.
    pub fn downstream_status(&self, computer: &ComputerId) -> Result<Vec<RolledStatus>, StoreError> {
        self.shared.database.read(|db| {
            statuses(
                db,
                "SELECT s.update_id, s.state, s.since FROM downstream_status s
                 JOIN downstream_computer c ON c.id = s.computer WHERE c.computer_id = ?1 ORDER BY 1",
                computer,
            )
        })
    }

    /// Computers that the upstream is to know of, by id, those after `after`.
    ///
    /// # Errors
    /// A failure to read.
    pub fn computers_to_tell(
        &self,
        after: Option<&ComputerId>,
        limit: u32,
    ) -> Result<Vec<TellComputer>, StoreError> {
        self.flush_contacts_if_possible();
        let after = after.map_or("", ComputerId::as_str);
        let server = self.server_id();
        self.shared.database.read(|db| {
            let db = db.transaction().during("list computers for the upstream")?;
            let mut list = own_to_tell(&db, server, after, limit)?;
            let sql = format!(
                "SELECT {DOWNSTREAM}, c.received, r.told, r.details, r.number, r.status FROM downstream_computer c
                 LEFT JOIN rollup_sent r USING (computer_id) WHERE c.computer_id > ?1 ORDER BY c.computer_id LIMIT ?2"
            );
            let mut statement = db.prepare_cached(&sql).during("list computers for the upstream")?;
            let mut rows = statement.query(params![after, limit]).during("list computers for the upstream")?;
            for_rows(&mut rows, |row| {
                list.push(TellComputer {
                    computer: downstream(row)?,
                    inventory: None,
                    own: None,
                    status: row.int(8)?,
                    told: told(row, 9)?,
                });
                Ok(())
            })?;
            list.sort_by(|a, b| a.computer.id.cmp(&b.computer.id));
            // A computer that moved from a downstream server to this one is known twice; it is ours.
            list.dedup_by(|b, a| {
                let same = a.computer.id == b.computer.id;
                if same && a.own.is_none() {
                    std::mem::swap(a, b);
                }
                same
            });
            list.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            Ok(list)
        })
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

    /// The upstream asks for everything again (`RollupResetGuid`).
    ///
    /// # Errors
    /// A failure to write.
    pub fn forget_told(&self) -> Result<(), StoreError> {
        self.shared.database.write_alone(
            |tx| {
                tx.execute("DELETE FROM rollup_sent", [])
                    .during("forget what the upstream was told")
                    .map(|_| ())
            },
            |()| {},
        )
    }
}

const DOWNSTREAM: &str = "c.computer_id, c.server_id, c.last_sync, c.last_sync_result, c.last_reboot,
    c.last_status, c.last_inventory, c.details";

fn downstream(row: &Row<'_>) -> Result<RolledComputer, StoreError> {
    let id: ComputerId = row.text(0)?.parse().stored_as("computer id")?;
    let details: Option<Vec<u8>> = row.get(7).during("read a computer's details")?;
    let details = details.map(|b| ComputerDetails::decode(&b)).transpose();
    Ok(RolledComputer {
        server: row.guid(1)?,
        last_sync: row.time_if_any(2)?,
        last_sync_result: u8::try_from(row.int(3)?).unwrap_or(0),
        last_reboot: row.time_if_any(4)?,
        last_status: row.time_if_any(5)?,
        last_inventory: row.time_if_any(6)?,
        details: details.map_err(|_| StoreError::Unreadable {
            what: format!("details of the computer {id}"),
            reason: "their layout is not known".to_owned(),
        })?,
        id,
    })
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

fn own_to_tell(
    db: &Connection,
    server: Guid,
    after: &str,
    limit: u32,
) -> Result<Vec<TellComputer>, StoreError> {
    let mut statement = db
        .prepare_cached(
            "SELECT c.id, c.computer_id, c.last_sync, c.last_report, c.status_at, c.registered_at, c.inventory,
                 c.dns_name, c.ip, c.client_version, c.requested_groups, r.told, r.details, r.number, r.status
             FROM computer c LEFT JOIN rollup_sent r USING (computer_id)
             WHERE c.computer_id > ?1 ORDER BY c.computer_id LIMIT ?2",
        )
        .during("list computers for the upstream")?;
    let mut rows = statement.query(params![after, limit]).during("list computers for the upstream")?;
    let mut list = Vec::new();
    for_rows(&mut rows, |row| {
        let last_sync = row.time_if_any(2)?;
        let status = row.get::<_, Option<i64>>(3).during("read a computer")?;
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
            status: status.unwrap_or(0),
            told: told(row, 11)?,
        });
        Ok(())
    })?;
    Ok(list)
}

/// Writes a computer; answers whether it is new or under another server than before.
fn write_computer(tx: &Transaction<'_>, computer: &RolledComputer) -> Result<bool, StoreError> {
    let known: Option<([u8; 16], Option<i64>)> = tx
        .prepare_cached("SELECT server_id, last_sync FROM downstream_computer WHERE computer_id = ?1")
        .and_then(|mut s| {
            s.query_row([computer.id.as_str()], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .during("look up a computer of a downstream server")?;
    let last_sync = computer.last_sync.map(Timestamp::ticks);
    if known.as_ref().is_some_and(|(_, at)| *at > last_sync) {
        return Ok(false);
    }
    let details = computer.details.as_ref();
    tx.prepare_cached(
        "INSERT INTO downstream_computer (computer_id, server_id, dns_name, last_sync, last_sync_result, last_reboot,
             last_status, last_inventory, details)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (computer_id) DO UPDATE SET server_id = ?2, dns_name = coalesce(?3, dns_name), last_sync = ?4,
             last_sync_result = ?5, last_reboot = ?6, last_status = ?7, last_inventory = ?8,
             details = coalesce(?9, details)",
    )
    .and_then(|mut s| {
        s.execute(params![
            computer.id.as_str(),
            computer.server.as_bytes(),
            details.map(|d| d.full_domain_name.chars().take(LONGEST_TEXT).collect::<String>()),
            last_sync,
            computer.last_sync_result,
            computer.last_reboot.map(Timestamp::ticks),
            computer.last_status.map(Timestamp::ticks),
            computer.last_inventory.map(Timestamp::ticks),
            details.map(ComputerDetails::encode)
        ])
    })
    .during("write a computer of a downstream server")?;
    Ok(known.is_none_or(|(server, _)| Guid::from_bytes(server) != computer.server))
}

fn write_status(tx: &Transaction<'_>, report: &StatusReport) -> Result<(), StoreError> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<usize, StoreError> {
        tx.prepare_cached(sql).and_then(|mut s| s.execute(values)).during("write a rolled-up status")
    };
    let row: Option<i64> = tx
        .prepare_cached("SELECT id FROM downstream_computer WHERE computer_id = ?1")
        .and_then(|mut s| s.query_row([report.computer.as_str()], |row| row.get(0)).optional())
        .during("look up a computer of a downstream server")?;
    let Some(row) = row else { return Ok(()) };
    run(
        "UPDATE downstream_computer SET received = ?2, detected = ?3 WHERE id = ?1",
        params![row, signed(u64::from(report.number)), report.detected.map(Timestamp::ticks)],
    )?;
    if report.full {
        run("DELETE FROM downstream_status WHERE computer = ?1", params![row])?;
    }
    for one in &report.updates {
        let (update, since) = (one.update.0.as_bytes(), one.since.ticks());
        if matches!(one.state, UpdateState::Unknown | UpdateState::NotApplicable) {
            run(
                "DELETE FROM downstream_status WHERE computer = ?1 AND update_id = ?2 AND since <= ?3",
                params![row, update, since],
            )?;
        } else {
            run(
                "INSERT INTO downstream_status (computer, update_id, state, since) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (computer, update_id) DO UPDATE SET state = ?3, since = ?4 WHERE since <= ?4",
                params![row, update, one.state as u8, since],
            )?;
        }
    }
    Ok(())
}

fn state(number: i64) -> Result<UpdateState, StoreError> {
    u8::try_from(number).ok().and_then(UpdateState::from_number).ok_or_else(|| StoreError::Unreadable {
        what: "update state".to_owned(),
        reason: format!("{number} is not a known state"),
    })
}

fn statuses(db: &Connection, sql: &str, computer: &ComputerId) -> Result<Vec<RolledStatus>, StoreError> {
    let mut statement = db.prepare_cached(sql).during("read the status of a computer")?;
    let mut rows = statement.query([computer.as_str()]).during("read the status of a computer")?;
    let mut list = Vec::new();
    for_rows(&mut rows, |row| {
        list.push(RolledStatus { update: row.update(0)?, state: state(row.int(1)?)?, since: row.time(2)? });
        Ok(())
    })?;
    Ok(list)
}

fn counts(db: &Connection, computer: i64) -> Result<Vec<(UpdateState, u64)>, StoreError> {
    let mut statement = db
        .prepare_cached("SELECT state, count(*) FROM downstream_status WHERE computer = ?1 GROUP BY state")
        .during("count states")?;
    let mut rows = statement.query([computer]).during("count states")?;
    let mut list = Vec::new();
    for_rows(&mut rows, |row| {
        list.push((state(row.int(0)?)?, row.natural(1)?));
        Ok(())
    })?;
    Ok(list)
}
