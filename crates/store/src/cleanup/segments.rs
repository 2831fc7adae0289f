//! Cleanup: compaction of segments. Records of windows that are mostly dead are written again at the end of
//! their segment, in bounded pieces, each durable before rows point to it; then the room of everything dead
//! is given back to the disk by punching holes. Bytes are never written over, so a reader that knows an old
//! place reads the old, equal record, and a kill at any point leaves rows that point to whole records. Holes are
//! punched only when no reader is left that knows a place in them.

use super::{Cleanup, StepReport};
use crate::Store;
use crate::catalog::{Cores, Epoch, Lengths};
use crate::columns::{Columns, for_rows, signed};
use crate::database::next_anchor;
use crate::error::{During, StoreError};
use crate::segment::{Place, Segment};
use parking_lot::Mutex;
use rusqlite::{Connection, params};
use std::ops::Range;
use std::sync::Arc;

/// Segments are judged in windows of so many bytes.
const WINDOW: u64 = 256 << 10;

/// Less dead room than this is not worth a run, in bytes of one segment.
const LEAST: u64 = 1 << 20;

/// Records moved in one transaction: at most so many, and so many bytes.
const RECORDS_AT_ONCE: usize = 256;
const BYTES_AT_ONCE: u64 = 8 << 20;

/// What is dead and waits until nobody knows a place in it.
#[derive(Default)]
pub(crate) struct Reclaim(Mutex<Option<Waiting>>);

struct Waiting {
    /// Alive while a shelf is in use that was made before the dead were dead.
    epoch: Epoch,
    dead: Vec<(Kind, Range<u64>)>,
}

/// Which segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Core,
    Fragments,
    Documents,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Core, Self::Fragments, Self::Documents];

    const fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Fragments => "fragments",
            Self::Documents => "documents",
        }
    }

    /// The columns that hold its places.
    const fn columns(self) -> [&'static str; 2] {
        match self {
            Self::Core => ["core_at", "core_len"],
            Self::Fragments => ["fragments_at", "fragments_len"],
            Self::Documents => ["document_at", "document_len"],
        }
    }

    const fn committed(self, lengths: Lengths) -> u64 {
        match self {
            Self::Core => lengths.core,
            Self::Fragments => lengths.fragments,
            Self::Documents => lengths.documents,
        }
    }
}

/// A record that a row points to.
#[derive(Clone, Copy, Debug)]
struct Live {
    table: &'static str,
    row: i64,
    place: Place,
}

impl Store {
    fn segment(&self, kind: Kind) -> &Segment {
        let segments = &self.shared.segments;
        match kind {
            Kind::Core => &segments.core,
            Kind::Fragments => &segments.fragments,
            Kind::Documents => &segments.documents,
        }
    }
}

impl Cleanup<'_> {
    pub(super) fn compact(&mut self, report: &mut StepReport) -> Result<(), StoreError> {
        report.bytes += self.punch(report)?;
        let mut moved = false;
        let mut worth = false;
        for kind in Kind::ALL {
            let Some(_turn) = self.store.shared.import_turn.try_lock() else {
                report.note = Some("an import is under way; the next run compacts".to_owned());
                return Ok(());
            };
            let (live, committed) = self.store.shared.database.read(|db| live(db, kind))?;
            let used: u64 = live.iter().map(|record| record.place.end() - record.place.at).sum();
            let dead = self.store.segment(kind).allocated()?.saturating_sub(used);
            if dead < LEAST.max(used / 4) {
                continue;
            }
            worth = true;
            let moving = sparse(&live, committed);
            report.found += moving.len() as u64;
            if self.dry {
                report.bytes += dead;
                continue;
            }
            for some in pieces(&moving) {
                if !self.go_on() {
                    report.note = Some("stopped; the next run goes on".to_owned());
                    return Ok(());
                }
                self.relocate(kind, some)?;
                report.done += some.len() as u64;
                moved = true;
            }
        }
        if self.dry || !worth {
            return Ok(());
        }
        self.renew(moved)?;
        report.bytes += self.punch(report)?;
        Ok(())
    }

    /// Writes some records again at the end, then points their rows there.
    fn relocate(&mut self, kind: Kind, some: &[Live]) -> Result<(), StoreError> {
        let store = self.store;
        let segment = store.segment(kind);
        let committed = kind.committed(store.shared.database.read(|db| Lengths::load(db))?);
        let mut out = segment.append(committed)?;
        let mut places = Vec::with_capacity(some.len());
        for record in some {
            // Its checksum is verified here: damage is not carried over as if it were good.
            places.push(out.push(&[&segment.read(record.place)?])?);
        }
        let length = out.sync()?;
        let [at, len] = kind.columns();
        store.shared.database.write_alone(
            |tx| {
                for (record, place) in some.iter().zip(&places) {
                    tx.prepare_cached(&format!(
                        "UPDATE {} SET {at} = ?3 WHERE id = ?1 AND {at} = ?2 AND {len} = ?4",
                        record.table
                    ))
                    .and_then(|mut s| {
                        s.execute(params![record.row, signed(record.place.at), signed(place.at), place.len])
                    })
                    .during("move a fragment")?;
                }
                tx.execute(
                    "UPDATE segment SET length = ?2 WHERE name = ?1",
                    params![kind.name(), signed(length)],
                )
                .during("move a fragment")
                .map(|_| ())
            },
            |()| {},
        )
    }

    /// Puts a shelf in service that knows only living places, and notes what is dead until the last reader
    /// with an older one is gone.
    fn renew(&mut self, moved: bool) -> Result<(), StoreError> {
        let store = self.store;
        let shared = &store.shared;
        // Only imports, checks and cleanup make shelves; all have this turn.
        let Some(_turn) = shared.import_turn.try_lock() else { return Ok(()) };
        let mut dead = Vec::new();
        for kind in Kind::ALL {
            let (live, committed) = shared.database.read(|db| live(db, kind))?;
            dead.extend(gaps(&live, committed).map(|gap| (kind, gap)));
        }
        let fresh = shared
            .database
            .read(|db| Cores::load(db, shared.segments.clone(), shared.options.core_memory_budget))?;
        let old = std::mem::replace(&mut *shared.cores.write(), Arc::new(fresh));
        let epoch = old.epoch();
        drop(old);
        *shared.reclaim.0.lock() = Some(Waiting { epoch, dead });
        if moved {
            // A new anchor makes whoever serves a snapshot take the new shelf.
            shared.database.write_alone(|tx| next_anchor(tx).map(|_| ()), |()| {})?;
        }
        Ok(())
    }

    /// Gives dead room back, once nobody can read there. Answers how many bytes the disk got.
    fn punch(&mut self, report: &mut StepReport) -> Result<u64, StoreError> {
        if self.dry {
            return Ok(0);
        }
        let store = self.store;
        if crate::database::copies::is_held(&store.shared.dir) {
            report.note = Some("room is kept for a week after an upgrade, for the way back".to_owned());
            return Ok(0);
        }
        let waiting = {
            let mut slot = store.shared.reclaim.0.lock();
            match slot.take() {
                Some(waiting) if waiting.epoch.in_use() => {
                    *slot = Some(waiting);
                    report.note =
                        Some("room is given back when the snapshot in service is renewed".to_owned());
                    return Ok(0);
                }
                Some(waiting) => waiting,
                None => return Ok(0),
            }
        };
        let mut before = 0;
        let mut after = 0;
        for kind in Kind::ALL {
            before += store.segment(kind).allocated()?;
        }
        for (number, (kind, gap)) in waiting.dead.into_iter().enumerate() {
            if number % 1_024 == 1_023 && !self.go_on() {
                break;
            }
            // Nobody is between reading a place in a row and reading the bytes there.
            let _gate = store.shared.segments.gate.write();
            if !store.segment(kind).punch(gap)? {
                report.note = Some("this file system cannot give back room inside of files".to_owned());
                break;
            }
        }
        for kind in Kind::ALL {
            after += store.segment(kind).allocated()?;
        }
        Ok(before.saturating_sub(after))
    }
}

/// All records of a segment that rows point to, by place, and the segment's length.
fn live(db: &mut Connection, kind: Kind) -> Result<(Vec<Live>, u64), StoreError> {
    let db = db.transaction().during("read where fragments lie")?;
    let committed = kind.committed(Lengths::load(&db)?);
    let [at, len] = kind.columns();
    let mut list = Vec::new();
    for (table, which) in [("revision", ""), ("quarantine", "WHERE held = 1")] {
        let mut statement = db
            .prepare(&format!("SELECT id, {at}, {len} FROM {table} {which}"))
            .during("read where fragments lie")?;
        let mut rows = statement.query([]).during("read where fragments lie")?;
        for_rows(&mut rows, |row| {
            let place = Place { at: row.natural(1)?, len: row.word(2)? };
            list.push(Live { table, row: row.int(0)?, place });
            Ok(())
        })?;
    }
    list.sort_unstable_by_key(|record| record.place.at);
    Ok((list, committed))
}

/// The records that lie in windows which are less than half alive. The last window is where new records go.
fn sparse(live: &[Live], committed: u64) -> Vec<Live> {
    let windows = usize::try_from(committed / WINDOW + 1).unwrap_or(0);
    let mut alive = vec![0_u64; windows];
    let window = |record: &Live| usize::try_from(record.place.at / WINDOW).unwrap_or(usize::MAX);
    for record in live {
        if let Some(sum) = alive.get_mut(window(record)) {
            *sum += record.place.end() - record.place.at;
        }
    }
    let chosen = |record: &&Live| {
        let at = window(record);
        at + 1 < windows && alive.get(at).is_some_and(|sum| *sum * 2 < WINDOW)
    };
    live.iter().filter(chosen).copied().collect()
}

/// Pieces of bounded number and size; one huge record is a piece of its own.
fn pieces(moving: &[Live]) -> impl Iterator<Item = &[Live]> {
    let mut rest = moving;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = rest.iter().take(RECORDS_AT_ONCE).take_while(|record| {
            bytes += u64::from(record.place.len);
            bytes <= BYTES_AT_ONCE
        });
        let count = fits.count().max(1);
        let (piece, left) = rest.split_at_checked(count)?;
        rest = left;
        Some(piece)
    })
}

/// What lies between living records.
fn gaps(live: &[Live], committed: u64) -> impl Iterator<Item = Range<u64>> {
    let ends = live.iter().map(|record| (record.place.at, record.place.end()));
    let mut from = 0;
    ends.chain([(committed, committed)]).filter_map(move |(at, end)| {
        let gap = from..at;
        from = end.max(from);
        (gap.start < gap.end).then_some(gap)
    })
}
