//! Store: computers and their status on the way up the tree (MS-WSUSSS 3.1.4.15 to 3.1.4.17): what
//! downstream servers told of theirs.

use super::crowd::{self, MostComputers};
use super::details::{ComputerDetails, LONGEST_TEXT, mark};
use super::downstream::{branch, known_parent};
use super::place::{self, BELOW};
use crate::Store;
use crate::catalog::LARGEST_PAGE;
use crate::columns::{Columns, for_rows, signed};
use crate::computers::find_row;
use crate::error::{During, StoreError, StoredAs};
use crate::keys::random_mark;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use sluicegate_policy::UpdateState;
use sluicegate_terms::{ComputerId, Guid, Timestamp, UpdateId};
use std::collections::BTreeSet;

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
    /// Its times as they are by the clock here, when the teller's clock says `teller` at `now`, as real servers take them
    /// (MS-WSUSSS 3.1.4.15, note 54): one that is ahead would make what it tells again later than what others told since. A
    /// difference of a minute is the time of a message.
    #[must_use]
    pub fn by_own_clock(mut self, teller: Timestamp, now: Timestamp) -> Self {
        let behind = now.ticks().saturating_sub(teller.ticks());
        if behind.unsigned_abs() > MINUTE.unsigned_abs() {
            let right = |time: Timestamp| Timestamp::from_ticks(time.ticks().saturating_add(behind));
            self.times().into_iter().for_each(|time| *time = time.map(right));
        }
        self
    }

    fn times(&mut self) -> [&mut Option<Timestamp>; 4] {
        [&mut self.last_sync, &mut self.last_reboot, &mut self.last_status, &mut self.last_inventory]
    }

    /// No time of it is later than `now`: what is, was said by a clock that is ahead, and would outlast what comes later.
    fn not_after(mut self, now: Timestamp) -> Self {
        self.times().into_iter().for_each(|time| *time = time.map(|time| time.min(now)));
        self
    }

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

/// In ticks.
const MINUTE: i64 = 60 * 10_000_000;

/// A message is under way for no longer than this.
const MESSAGE_TAKES: i64 = 10 * MINUTE;

impl Store {
    /// Takes in what a downstream server told of computers (RollupComputers). `None` when one is under a
    /// server that nobody knows; then nothing is taken. Of one server 100,000 computers are remembered, of all
    /// 500,000; those that are forgotten are answered as deleted. Times later than `now` are taken as `now`.
    ///
    /// # Errors
    /// A failure to write.
    pub fn roll_up_computers(
        &self,
        computers: Vec<RolledComputer>,
        now: Timestamp,
    ) -> Result<Option<Vec<(ComputerId, RollupChange)>>, StoreError> {
        self.roll_up_computers_within(computers, now, MostComputers::USUAL)
    }

    pub(super) fn roll_up_computers_within(
        &self,
        computers: Vec<RolledComputer>,
        now: Timestamp,
        most: MostComputers,
    ) -> Result<Option<Vec<(ComputerId, RollupChange)>>, StoreError> {
        let computers: Vec<_> = computers.into_iter().map(|computer| computer.not_after(now)).collect();
        let (changes, moved) = self.shared.database.write(move |tx| {
            for computer in &computers {
                if !known_parent(tx, computer.server)? {
                    return Ok((None, Vec::new()));
                }
            }
            let (mut changes, mut moved) = (Vec::new(), Vec::new());
            for computer in &computers {
                let needs_details = write_computer(tx, computer, now)? && computer.details.is_none();
                if needs_details && !changes.iter().any(|(id, _)| *id == computer.id) {
                    changes.push((computer.id.clone(), RollupChange::NewParent));
                }
                moved.extend(place::known_twice(tx, &computer.id)?);
            }
            let servers = computers.iter().map(|computer| computer.server).collect();
            let gone = crowd::keep_computers_within(tx, &servers, most)?;
            for id in &gone {
                moved.extend(find_row(tx, id)?);
            }
            changes.retain(|(id, _)| !gone.contains(id));
            let told = computers.iter().map(|computer| &computer.id).collect::<BTreeSet<_>>();
            let dropped = gone.into_iter().filter(|id| told.contains(id));
            changes.extend(dropped.map(|id| (id, RollupChange::Deleted)));
            Ok((Some(changes), moved))
        })?;
        self.look_again_where(&moved);
        Ok(changes)
    }

    /// Those of some computers whose newest status here is another than the teller remembers
    /// (GetOutOfSyncComputers), and those that nobody knows here: their server was forgotten, or this one was
    /// restored from a backup. One that is known counts only below `teller`: elsewhere somebody else tells of it.
    ///
    /// # Errors
    /// A failure to read.
    pub fn out_of_sync_computers(
        &self,
        teller: Guid,
        numbers: &[(ComputerId, u32)],
    ) -> Result<Vec<ComputerId>, StoreError> {
        self.shared.database.read(|db| {
            let db = db.transaction().during("compare statuses")?;
            let branch = branch(&db, teller)?;
            let mut statement = db
                .prepare_cached(
                    "SELECT server_id, received, received_from FROM downstream_computer WHERE computer_id = ?1",
                )
                .during("compare statuses")?;
            let mut list = Vec::new();
            for (id, number) in numbers {
                let known: Option<([u8; 16], i64, Option<[u8; 16]>)> = statement
                    .query_row([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                    .optional()
                    .during("compare statuses")?;
                let behind = known.is_none_or(|(server, received, from)| {
                    // Each teller counts for itself: of another one's status this one has told nothing.
                    let from = from.map(Guid::from_bytes);
                    let received = if from == Some(teller) { received } else { 0 };
                    branch.contains(&Guid::from_bytes(server)) && received != i64::from(*number)
                });
                if behind {
                    list.push(id.clone());
                }
            }
            Ok(list)
        })
    }

    /// Takes in statuses (RollupComputerStatus) of computers that are at `teller` or below it. Those of others are
    /// left aside: a computer has moved on, and where it is now is told by somebody else; or nobody knows it. So are those
    /// of a computer of which `teller` told a last report that is older than the one known here, as a server does that was
    /// restored from a backup: MS-WSUSSS 3.1.4.17 takes a full status for the newest. Times later than `now` are taken as
    /// `now`.
    ///
    /// # Errors
    /// A failure to write.
    pub fn roll_up_status(
        &self,
        teller: Guid,
        reports: Vec<StatusReport>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.shared.database.write(move |tx| {
            let branch = branch(tx, teller)?;
            reports.iter().try_for_each(|report| write_status(tx, teller, &branch, report, now))
        })
    }

    /// The computers of downstream servers, by name; without those that asked this server since.
    ///
    /// # Errors
    /// A failure to read.
    pub fn downstream_computers(
        &self,
        filter: &DownstreamComputerFilter,
    ) -> Result<Vec<DownstreamComputer>, StoreError> {
        let search = filter.search.as_deref().map(str::to_lowercase);
        self.flush_contacts_if_possible();
        self.shared.database.read(|db| {
            let db = db.transaction().during("list computers of downstream servers")?;
            let sql = format!(
                "SELECT {DOWNSTREAM}, s.name, c.id FROM downstream_computer c JOIN downstream_server s USING (server_id)
                 WHERE {BELOW} AND (?1 IS NULL OR c.server_id = ?1)
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

    /// Whether a downstream server told of a computer, and it has not asked this one since.
    ///
    /// # Errors
    /// A failure to read.
    pub fn knows_downstream_computer(&self, computer: &ComputerId) -> Result<bool, StoreError> {
        Ok(self.place_below(computer)?.is_some())
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
}

pub(super) const DOWNSTREAM: &str =
    "c.computer_id, c.server_id, c.last_sync, c.last_sync_result, c.last_reboot,
    c.last_status, c.last_inventory, c.details";

pub(super) fn downstream(row: &Row<'_>) -> Result<RolledComputer, StoreError> {
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

/// Writes a computer; answers whether it is new or under another server than before. What is known and later than the
/// present says nothing, here and below.
fn write_computer(
    tx: &Transaction<'_>,
    computer: &RolledComputer,
    now: Timestamp,
) -> Result<bool, StoreError> {
    tx.prepare_cached("UPDATE computer SET last_sync = NULL WHERE computer_id = ?1 AND last_sync > ?2")
        .and_then(|mut s| s.execute(params![computer.id.as_str(), now.ticks()]))
        .during("write a computer of a downstream server")?;
    let known: Option<([u8; 16], Option<i64>, Option<i64>)> = tx
        .prepare_cached(
            "SELECT server_id, last_sync, last_status FROM downstream_computer WHERE computer_id = ?1",
        )
        .and_then(|mut s| {
            s.query_row([computer.id.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
        })
        .during("look up a computer of a downstream server")?;
    let mut last_sync = computer.last_sync.map(Timestamp::ticks);
    let mut last_status = computer.last_status.map(Timestamp::ticks);
    if let Some((server, at, reported)) = &known {
        let [at, reported] = [at, reported].map(|at| at.filter(|at| *at <= now.ticks()));
        let behind = (reported > last_status).then_some(computer.server.as_bytes());
        tx.prepare_cached("UPDATE downstream_computer SET behind = ?2 WHERE computer_id = ?1")
            .and_then(|mut s| s.execute(params![computer.id.as_str(), behind]))
            .during("write a computer of a downstream server")?;
        last_status = last_status.max(reported);
        // How wrong a teller's clock is is known but for the time of a message: the same told twice may seem older.
        let same = Guid::from_bytes(*server) == computer.server;
        let told = if same { last_sync.map(|told| told.saturating_add(MESSAGE_TAKES)) } else { last_sync };
        if at > told {
            return Ok(false);
        }
        last_sync = last_sync.max(at);
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
            last_status,
            computer.last_inventory.map(Timestamp::ticks),
            details.map(ComputerDetails::encode)
        ])
    })
    .during("write a computer of a downstream server")?;
    Ok(known.is_none_or(|(server, ..)| Guid::from_bytes(server) != computer.server))
}

fn write_status(
    tx: &Transaction<'_>,
    teller: Guid,
    branch: &BTreeSet<Guid>,
    report: &StatusReport,
    now: Timestamp,
) -> Result<(), StoreError> {
    let run = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<usize, StoreError> {
        tx.prepare_cached(sql).and_then(|mut s| s.execute(values)).during("write a rolled-up status")
    };
    let known: Option<(i64, [u8; 16], Option<[u8; 16]>)> = tx
        .prepare_cached("SELECT id, server_id, behind FROM downstream_computer WHERE computer_id = ?1")
        .and_then(|mut s| {
            s.query_row([report.computer.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()
        })
        .during("look up a computer of a downstream server")?;
    let at = known.filter(|(_, server, _)| branch.contains(&Guid::from_bytes(*server)));
    let Some((row, _, behind)) = at else { return Ok(()) };
    if behind.is_some_and(|server| branch.contains(&Guid::from_bytes(server))) {
        // No number is as that of this status, so the teller is asked for all of it again until it knows more.
        run(
            "UPDATE downstream_computer SET received = -1, received_from = ?2 WHERE id = ?1",
            params![row, teller.as_bytes()],
        )?;
        return Ok(());
    }
    run(
        "UPDATE downstream_computer SET received = ?2, received_from = ?3, detected = ?4, status_mark = ?5
         WHERE id = ?1",
        params![
            row,
            signed(u64::from(report.number)),
            teller.as_bytes(),
            report.detected.map(|at| at.min(now).ticks()),
            random_mark()?
        ],
    )?;
    if report.full {
        run("DELETE FROM downstream_status WHERE computer = ?1", params![row])?;
    }
    for one in &report.updates {
        let (update, since, now) = (one.update.0.as_bytes(), one.since.min(now).ticks(), now.ticks());
        if matches!(one.state, UpdateState::Unknown | UpdateState::NotApplicable) {
            run(
                "DELETE FROM downstream_status WHERE computer = ?1 AND update_id = ?2
                     AND (since <= ?3 OR since > ?4)",
                params![row, update, since, now],
            )?;
        } else {
            run(
                "INSERT INTO downstream_status (computer, update_id, state, since) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (computer, update_id) DO UPDATE SET state = ?3, since = ?4 WHERE since <= ?4 OR since > ?5",
                params![row, update, one.state as u8, since, now],
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

pub(super) fn statuses(
    db: &Connection,
    sql: &str,
    computer: &ComputerId,
) -> Result<Vec<RolledStatus>, StoreError> {
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
