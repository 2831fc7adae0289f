//! Store: rows into the index. The catalog is read in order of revisions, so that a look after an import
//! reads what the import brought; computers are read one by one as they were marked.

use super::{AT_ONCE, Progress, Rows};
use crate::Store;
use crate::catalog::{categories_of_row, decode_record};
use crate::columns::{Columns, for_rows, gathered};
use crate::computers::{assigned_groups, requested_names};
use crate::error::{During, StoreError, StoredAs};
use crate::hierarchy::place::HERE;
use rusqlite::{Connection, OptionalExtension};
use sluicegate_browse::{ComputerFacts, Membership, Reboot, Severity, UpdateFacts};
use sluicegate_catalog::ScanRecord;
use sluicegate_policy::{EulaId, UpdateState};
use sluicegate_terms::{Timestamp, UpdateId, UpdateIdentity, UpdateKind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// So many revisions are read and put into the index at once.
const REVISIONS_AT_ONCE: u32 = 4_096;

/// A computer as it was read; `None` when it is gone, or at a server below. States only when they may have changed.
type Read = (i64, Option<(ComputerFacts, Option<Vec<(UpdateId, UpdateState)>>)>);

impl Store {
    /// Reads what changed in catalog and decisions.
    pub(super) fn feed_catalog(&self, turn: &mut Progress, rows: Rows) -> Result<(), StoreError> {
        // Read first: what is committed from here on is at worst read twice.
        let rewritten = self.shared.board.rewritten.load(Ordering::Acquire);
        let anchor = self.anchor();
        let compared = rows == Rows::Trusted || turn.compared == Some(anchor);
        if turn.anchor == Some(anchor) && turn.rewritten == rewritten && compared {
            return Ok(());
        }
        // What was removed or is older than before is not seen in what is added.
        if turn.rewritten != rewritten {
            self.begin_anew(turn);
            turn.rewritten = rewritten;
        }
        self.feed_revisions(turn)?;
        if !compared {
            let sum = self.shared.database.read(|db| catalog_sum(db))?;
            if self.shared.board.index.read().updates_sum() != sum {
                self.begin_anew(turn);
                self.feed_revisions(turn)?;
            }
            turn.compared = Some(anchor);
        }
        let decisions = self.decisions();
        let known = turn.settled.as_ref().is_some_and(|settled| Arc::ptr_eq(settled, &decisions));
        let mut index = self.shared.board.index.write();
        sluicegate_allocator::bulk(|| match known {
            true => index.settle_new(&decisions),
            false => index.settle(&decisions),
        });
        drop(index);
        turn.settled = Some(decisions);
        turn.anchor = Some(anchor);
        Ok(())
    }

    fn begin_anew(&self, turn: &mut Progress) {
        self.shared.board.index.write().clear_updates();
        turn.newest = 0;
        (turn.anchor, turn.compared, turn.settled) = (None, None, None);
    }

    fn feed_revisions(&self, turn: &mut Progress) -> Result<(), StoreError> {
        loop {
            let facts = self.shared.database.read(|db| read_updates(db, turn.newest))?;
            let Some(last) = facts.last() else { return Ok(()) };
            turn.newest = i64::from(last.newest.get());
            let mut index = self.shared.board.index.write();
            sluicegate_allocator::bulk(|| facts.iter().for_each(|facts| index.put_update(facts)));
        }
    }

    /// Reads at most `most` of the computers that changed.
    pub(super) fn feed_computers(&self, turn: &mut Progress, most: usize) -> Result<(), StoreError> {
        let board = &self.shared.board;
        if !turn.counted || board.marks.lock().take_everybody() {
            let all = match self.shared.database.read(|db| computer_rows(db)) {
                Ok(all) => all,
                Err(error) => {
                    board.marks.lock().everybody();
                    return Err(error);
                }
            };
            let mut marks = board.marks.lock();
            all.into_iter().for_each(|row| marks.one(row, !turn.counted));
            turn.counted = true;
        }
        let mut left = most;
        while left > 0 {
            let batch = board.marks.lock().take(left.min(AT_ONCE));
            if batch.is_empty() {
                return Ok(());
            }
            left -= batch.len();
            self.feed_batch(batch)?;
        }
        Ok(())
    }

    /// Reads one computer, when it is marked.
    pub(super) fn feed_computer(&self, row: i64) -> Result<(), StoreError> {
        let _turn = self.shared.board.turn.lock();
        let marked = self.shared.board.marks.lock().take_one(row);
        marked.map_or(Ok(()), |mark| self.feed_batch(vec![mark]))
    }

    fn feed_batch(&self, batch: Vec<(i64, bool)>) -> Result<(), StoreError> {
        let board = &self.shared.board;
        let read: Result<Vec<Read>, StoreError> = self.shared.database.read(|db| {
            let db = db.transaction().during("read computers")?;
            batch.iter().map(|(row, status)| read_computer(&db, *row, *status)).collect()
        });
        match read {
            Ok(read) => {
                let mut index = board.index.write();
                for (row, found) in read {
                    match found {
                        Some((facts, states)) => index.put_computer(facts, states),
                        None => index.remove_computer(row),
                    }
                }
                Ok(())
            }
            Err(error) => {
                let mut marks = board.marks.lock();
                batch.into_iter().for_each(|(row, status)| marks.one(row, status));
                Err(error)
            }
        }
    }
}

/// What [`sluicegate_browse::Index::updates_sum`] is to be.
fn catalog_sum(db: &Connection) -> Result<(u64, u64), StoreError> {
    db.prepare_cached("SELECT count(*), coalesce(sum(newest), 0) FROM known_update")
        .and_then(|mut s| s.query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))))
        .during("count the updates")
        .map(|(count, sum)| (count.unsigned_abs(), sum.unsigned_abs()))
}

/// Updates whose newest revision is above `after`, in order.
pub(super) fn read_updates(db: &mut Connection, after: i64) -> Result<Vec<UpdateFacts>, StoreError> {
    let db = db.transaction().during("read updates")?;
    let mut statement = db
        .prepare_cached(
            // Other revisions have lower numbers; most updates never had any.
            "SELECT k.update_id, r.number, r.id, r.record, r.arrived_at, l.search, l.created, l.severity, l.reboot,
                 CASE WHEN l.first = 0 THEN (SELECT min(f.arrived_at) FROM revision f
                     WHERE f.update_id = k.update_id AND f.number < r.number) END, l.categories
             FROM known_update k JOIN revision r ON r.id = k.newest JOIN listing l ON l.revision_id = k.newest
             WHERE k.newest > ?1 ORDER BY k.newest LIMIT ?2",
        )
        .during("read updates")?;
    let mut rows = statement.query((after, REVISIONS_AT_ONCE)).during("read updates")?;
    let mut list = Vec::new();
    for_rows(&mut rows, |row| {
        let identity = UpdateIdentity { update: row.update(0)?, revision: row.revision_number(1)? };
        let bytes = row.get_ref(3).and_then(|value| Ok(value.as_blob()?)).during("read a scan record")?;
        // Administrators see it in their lists all the same, and scans tell of it.
        let record = decode_record(identity, bytes)
            .unwrap_or_else(|_| ScanRecord::new(identity, UpdateKind::Software));
        let word = |text: String| if text.is_empty() { None } else { Some(text) };
        let arrived = row.time(4)?;
        list.push(UpdateFacts {
            update: identity.update,
            newest: row.revision_id(2)?,
            kind: record.kind,
            category_kind: record.category_kind,
            deployable: record.explicitly_deployable,
            expired: record.expired,
            search: row.text(5)?,
            severity: Severity::of_document(word(row.text(7)?).as_deref()),
            reboot: Reboot::of_document(word(row.text(8)?).as_deref()),
            eula: None,
            categories: categories_of_row(row, 10)?,
            members: record.bundles.iter().flatten().map(|member| member.update).collect(),
            supersedes: record.supersedes,
            created: row.time_if_any(6)?,
            arrived,
            first_arrived: row.time_if_any(9)?.map_or(arrived, |first| first.min(arrived)),
        });
        Ok(())
    })?;
    let Some(last) = list.last().map(|facts| facts.newest.get()) else { return Ok(list) };
    eulas(&db, (after, last), &mut list)?;
    Ok(list)
}

/// Adds the licence terms of the updates whose newest revisions are in this range. Few have some: both are walked
/// through in the order of revisions.
fn eulas(db: &Connection, range: (i64, u32), list: &mut [UpdateFacts]) -> Result<(), StoreError> {
    let mut statement = db
        .prepare_cached(
            "SELECT revision_id, eula FROM revision_eula WHERE revision_id > ?1 AND revision_id <= ?2
             ORDER BY revision_id",
        )
        .during("read updates")?;
    let mut rows = statement.query(range).during("read updates")?;
    let mut rest = list.iter_mut().peekable();
    for_rows(&mut rows, |row| {
        let revision = row.revision_id(0)?;
        while rest.next_if(|facts| facts.newest < revision).is_some() {}
        if let Some(facts) = rest.next_if(|facts| facts.newest == revision) {
            facts.eula = Some(EulaId(row.guid(1)?));
        }
        Ok(())
    })
}

fn computer_rows(db: &Connection) -> Result<Vec<i64>, StoreError> {
    let mut statement = db.prepare_cached("SELECT id FROM computer").during("read computers")?;
    let mut rows = statement.query([]).during("read computers")?;
    gathered(&mut rows, |row| row.int(0))
}

fn read_computer(db: &Connection, row: i64, status: bool) -> Result<Read, StoreError> {
    type Columns5 = (String, Option<String>, String, Option<i64>, Option<i64>);
    let found: Option<Columns5> = db
        .prepare_cached(&format!(
            "SELECT o.computer_id, o.dns_name, o.requested_groups, o.status_at, o.last_report
                 FROM computer o WHERE o.id = ?1 AND {HERE}"
        ))
        .and_then(|mut s| {
            s.query_row([row], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
                .optional()
        })
        .during("read a computer")?;
    let Some((id, name, requested, status_at, last_report)) = found else { return Ok((row, None)) };
    // Status is dated by the computer's clock. One that runs ahead must not speak for updates that came
    // after the server last heard of it.
    let reported = status_at.map(|at| last_report.map_or(at, |last| at.min(last)));
    let facts = ComputerFacts {
        key: row,
        id: id.parse().stored_as("computer id")?,
        name,
        membership: Membership {
            assigned: assigned_groups(db, row)?,
            requested: requested_names(&requested),
        },
        reported: reported.map(Timestamp::from_ticks),
    };
    if !status {
        return Ok((row, Some((facts, None))));
    }
    let mut statement = db
        .prepare_cached("SELECT update_id, state FROM update_status WHERE computer = ?1")
        .during("read a computer's status")?;
    let mut rows = statement.query([row]).during("read a computer's status")?;
    let mut states = Vec::new();
    for_rows(&mut rows, |row| {
        let state = u8::try_from(row.int(1)?).ok().and_then(UpdateState::from_number);
        states.extend(state.map(|state| Ok::<_, StoreError>((row.update(0)?, state))).transpose()?);
        Ok(())
    })?;
    Ok((row, Some((facts, Some(states)))))
}
