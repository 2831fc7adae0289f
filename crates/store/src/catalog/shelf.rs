//! Store: where each revision's bytes lie, and the Core fragments that are kept in memory. A shelf is
//! immutable; an import puts a longer one in its place, so readers never wait.

use crate::catalog::damage::Damage;
use crate::catalog::fragments::{self, RevisionFragments};
use crate::columns::Columns;
use crate::error::{During, StoreError};
use crate::segment::{HEADER, Place, Segment};
use bytes::{Bytes, BytesMut};
use parking_lot::RwLock;
use rusqlite::Connection;
use sluicegate_allocator::bulk;
use sluicegate_terms::RevisionId;
use std::path::Path;
use std::sync::{Arc, Weak};

/// Cores longer than this are always read from the segment, in bytes; there are few, and huge ones.
const LARGEST_IN_MEMORY: u32 = 64 << 10;

/// One allocation of the arena, in bytes; an offset in it takes three bytes of a slot.
const CHUNK: usize = 8 << 20;

/// Up to here imports add to the arena, in bytes.
const MOST_BY_IMPORTS: usize = 8 << 20;

/// What stands in memory of each revision beside its Core fragment, in bytes: places, lists, the snapshot. Fragments take
/// what that leaves of the budget.
const BESIDE: usize = 400;

/// How much of the segment is read at a time when the arena is filled, in bytes.
const WINDOW: usize = 4 << 20;

/// Not in memory: the number of no chunk.
const ON_DISK: u16 = u16::MAX;

/// The three segment files.
#[derive(Clone, Debug)]
pub(crate) struct Segments {
    /// Held for reading by whoever looks a place up in a row and then reads there; for writing while room is
    /// given back.
    pub(crate) gate: Arc<RwLock<()>>,
    pub(crate) core: Segment,
    pub(crate) fragments: Segment,
    pub(crate) documents: Segment,
}

/// The committed lengths of the three segment files.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Lengths {
    pub(crate) core: u64,
    pub(crate) fragments: u64,
    pub(crate) documents: u64,
}

impl Segments {
    /// Opens the files in `fragments/` of the data folder.
    pub(crate) fn open(dir: &Path, lengths: Lengths) -> Result<Self, StoreError> {
        let folder = dir.join("fragments");
        std::fs::create_dir_all(&folder).map_err(|e| StoreError::io("create", &folder, e))?;
        let segments = Self {
            gate: Arc::default(),
            core: Segment::open(&folder.join("core.seg"), lengths.core)?,
            fragments: Segment::open(&folder.join("fragments.seg"), lengths.fragments)?,
            documents: Segment::open(&folder.join("documents.seg"), lengths.documents)?,
        };
        // The files' names must be durable before a row counts on them.
        crate::folder::sync_dir(&folder)?;
        crate::folder::sync_dir(dir)?;
        Ok(segments)
    }
}

/// Opens the segments, shorter than they should be if need be; says which are.
pub(crate) fn open_short(dir: &Path, lengths: Lengths) -> Result<(Segments, Vec<String>), StoreError> {
    let mut short = Vec::new();
    let mut open = |name: &str, committed: u64| {
        let path = dir.join("fragments").join(name);
        let there = std::fs::metadata(&path).map_or(0, |meta| meta.len());
        if there < committed {
            short.push(format!("{} has {there} bytes, the database expects {committed}", path.display()));
        }
        Segment::open(&path, committed.min(there))
    };
    let segments = Segments {
        gate: Arc::default(),
        core: open("core.seg", lengths.core)?,
        fragments: open("fragments.seg", lengths.fragments)?,
        documents: open("documents.seg", lengths.documents)?,
    };
    Ok((segments, short))
}

impl Lengths {
    /// Reads what is committed.
    pub(crate) fn load(db: &Connection) -> Result<Self, StoreError> {
        let one = |name: &str| {
            db.query_row("SELECT length FROM segment WHERE name = ?1", [name], |row| row.get::<_, i64>(0))
                .during("read the length of a segment")
                .map(i64::unsigned_abs)
        };
        Ok(Self { core: one("core")?, fragments: one("fragments")?, documents: one("documents")? })
    }
}

/// Where one revision's bytes lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shelved {
    pub(crate) revision: RevisionId,
    pub(crate) core: Place,
    pub(crate) fragments: Place,
    /// Whether clients get it, as the newest revision of an update that is not declined.
    pub(crate) wanted: bool,
}

/// Where one revision's bytes lie, in as few bytes as it takes: there are as many as revisions, and all are in memory.
/// Numbers are little-endian.
#[derive(Clone, Copy, Debug)]
struct Slot {
    core_at: [u8; 6],
    core_len: [u8; 4],
    fragments_at: [u8; 6],
    fragments_len: [u8; 4],
    /// [`ON_DISK`] when it is not in memory.
    chunk: [u8; 2],
    start: [u8; 3],
}

impl Slot {
    fn new(core: Place, fragments: Place) -> Self {
        Self {
            core_at: narrow(core.at),
            core_len: core.len.to_le_bytes(),
            fragments_at: narrow(fragments.at),
            fragments_len: fragments.len.to_le_bytes(),
            ..EMPTY
        }
    }

    fn core(&self) -> Place {
        Place { at: wide(self.core_at), len: u32::from_le_bytes(self.core_len) }
    }

    fn fragments(&self) -> Place {
        Place { at: wide(self.fragments_at), len: u32::from_le_bytes(self.fragments_len) }
    }

    /// The chunk and the place in it that its Core bytes have in memory, if they are there.
    fn in_memory(&self) -> Option<(usize, usize)> {
        let [a, b, c] = self.start;
        let chunk = Some(u16::from_le_bytes(self.chunk)).filter(|chunk| *chunk != ON_DISK)?;
        Some((chunk.into(), u32::from_le_bytes([a, b, c, 0]) as usize))
    }

    /// Says that they are there now; they stay on disk when there are too many chunks.
    fn keep(&mut self, chunk: usize, start: usize) {
        let [a, b, c, ..] = start.to_le_bytes();
        self.chunk = u16::try_from(chunk).unwrap_or(ON_DISK).to_le_bytes();
        self.start = [a, b, c];
    }
}

/// An offset in a segment. No file system has files of 256 TiB; what were longer would be found damaged.
fn narrow(at: u64) -> [u8; 6] {
    let [a, b, c, d, e, f, ..] = at.to_le_bytes();
    [a, b, c, d, e, f]
}

fn wide(at: [u8; 6]) -> u64 {
    let [a, b, c, d, e, f] = at;
    u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
}

/// Slots of a page. An import copies the pages it changes, which with ids in order are the last ones.
const PAGE: usize = 4_096;

const EMPTY: Slot = Slot {
    core_at: [0; 6],
    core_len: [0; 4],
    fragments_at: [0; 6],
    fragments_len: [0; 4],
    chunk: ON_DISK.to_le_bytes(),
    start: [0; 3],
};

/// The Core fragments (ready bytes) and other fragments of all revisions, as of some anchor. Reading
/// takes no lock and no SQL: memory, else one `pread`.
#[derive(Clone, Debug)]
pub struct Cores {
    /// By revision id, in pages that shelves share; ids are handed out one after another, so there are hardly any
    /// holes.
    slots: Vec<Arc<Vec<Slot>>>,
    chunks: Vec<Bytes>,
    in_memory: usize,
    segments: Segments,
    /// Shared by all shelves that were extended from the same one read from the database.
    origin: Arc<Damage>,
}

/// Stands for all shelves that came from one reading of the database, without keeping them.
#[derive(Debug)]
pub(crate) struct Epoch(Weak<Damage>);

impl Epoch {
    /// Whether one of them is still in use.
    pub(crate) fn in_use(&self) -> bool {
        self.0.strong_count() > 0
    }
}

impl Cores {
    /// Reads all places from the database and fills the arena up to `budget` bytes, newest first, with what
    /// clients are given: declined updates mostly are not.
    pub(crate) fn load(db: &Connection, segments: Segments, budget: usize) -> Result<Self, StoreError> {
        let all = bulk(|| Self::places(db))?;
        let none =
            Self { slots: Vec::new(), chunks: Vec::new(), in_memory: 0, segments, origin: Arc::default() };
        let room = room_for_cores(budget, all.len());
        Ok(none.longer(&all, room))
    }

    /// Where the bytes of all revisions lie, in the order of their ids.
    fn places(db: &Connection) -> Result<Vec<Shelved>, StoreError> {
        let mut all = Vec::new();
        let mut statement = db
            .prepare(
                "SELECT r.id, r.core_at, r.core_len, r.fragments_at, r.fragments_len,
                     k.newest = r.id AND NOT EXISTS (SELECT 1 FROM decline d WHERE d.update_id = r.update_id)
                 FROM revision r JOIN known_update k USING (update_id) ORDER BY r.id",
            )
            .during("read where fragments lie")?;
        let mut rows = statement.query([]).during("read where fragments lie")?;
        crate::columns::for_rows(&mut rows, |row| {
            all.push(Shelved {
                revision: row.revision_id(0)?,
                core: Place { at: row.natural(1)?, len: row.word(2)? },
                fragments: Place { at: row.natural(3)?, len: row.word(4)? },
                wanted: row.int(5)? != 0,
            });
            Ok(())
        })?;
        Ok(all)
    }

    /// How many revisions have bytes that cannot be read.
    pub(crate) fn unreadable(db: &Connection, segments: &Segments) -> Result<u64, StoreError> {
        let mut statement = db
            .prepare(
                "SELECT core_at, core_len, fragments_at, fragments_len, document_at, document_len
                 FROM revision ORDER BY document_at",
            )
            .during("read where fragments lie")?;
        let mut rows = statement.query([]).during("read where fragments lie")?;
        let mut count = 0;
        crate::columns::for_rows(&mut rows, |row| {
            let place = |at| Ok::<_, StoreError>(Place { at: row.natural(at)?, len: row.word(at + 1)? });
            let whole = segments.core.read(place(0)?).is_ok()
                && segments.fragments.read(place(2)?).is_ok()
                && segments.documents.read(place(4)?).is_ok();
            count += u64::from(!whole);
            Ok(())
        })?;
        Ok(count)
    }

    /// This shelf and more revisions, whose cores go into the arena while it is small: memory of an import that
    /// brings a whole catalog is for the import. The next start takes in the rest.
    pub(crate) fn extended(&self, more: &[Shelved], budget: usize) -> Self {
        self.longer(more, budget.min(MOST_BY_IMPORTS))
    }

    fn longer(&self, more: &[Shelved], budget: usize) -> Self {
        let mut next = self.clone();
        bulk(|| {
            for shelved in more {
                let fresh = Slot::new(shelved.core, shelved.fragments);
                next.change_slot(shelved.revision, |slot| *slot = fresh);
            }
        });
        // The bytes of fragments have a bound of their own, and clients wait for them.
        next.fill(more, budget);
        next
    }

    /// Puts the chosen cores into the arena, reading the segment front to back.
    fn fill(&mut self, more: &[Shelved], budget: usize) {
        let mut room = budget.saturating_sub(self.in_memory);
        let mut chosen: Vec<&Shelved> = more
            .iter()
            .rev()
            .filter(|s| s.wanted && s.core.len <= LARGEST_IN_MEMORY)
            .take_while(|s| {
                let fits = s.core.len as usize <= room;
                room = room.saturating_sub(s.core.len as usize);
                fits
            })
            .collect();
        chosen.sort_unstable_by_key(|s| s.core.at);
        let mut window = Window::default();
        let mut left: usize = chosen.iter().map(|s| s.core.len as usize).sum();
        let mut chunk = BytesMut::with_capacity(left.min(CHUNK));
        for shelved in chosen {
            let bytes = match window.payload(&self.segments.core, shelved.core) {
                Ok(bytes) => bytes,
                Err(error) => {
                    self.origin.fragments(shelved.revision, &error);
                    continue;
                }
            };
            if chunk.len() + bytes.len() > CHUNK {
                let next = BytesMut::with_capacity(left.min(CHUNK));
                self.chunks.push(std::mem::replace(&mut chunk, next).freeze());
            }
            let number = self.chunks.len();
            self.change_slot(shelved.revision, |slot| slot.keep(number, chunk.len()));
            left -= bytes.len().min(left);
            chunk.extend_from_slice(bytes);
            self.in_memory += bytes.len();
        }
        if !chunk.is_empty() {
            self.chunks.push(chunk.freeze());
        }
    }

    /// The ready bytes of a revision's Core fragment.
    ///
    /// # Errors
    /// [`StoreError::UnknownRevision`], or a failure to read.
    pub fn core(&self, revision: RevisionId) -> Result<Bytes, StoreError> {
        let slot = self.slot(revision.get())?;
        let place = slot.core();
        let kept = slot.in_memory().and_then(|(chunk, start)| {
            let (chunk, end) = (self.chunks.get(chunk)?, start + place.len as usize);
            (end <= chunk.len()).then(|| chunk.slice(start..end))
        });
        match kept {
            Some(bytes) => Ok(bytes),
            None => {
                let read = self.segments.core.read(place).map(Bytes::from);
                read.inspect_err(|error| self.found_damage(revision, error))
            }
        }
    }

    /// The fragments of a revision that clients ask for by id, and its files.
    ///
    /// # Errors
    /// [`StoreError::UnknownRevision`], or a failure to read.
    pub fn fragments(&self, revision: RevisionId) -> Result<RevisionFragments, StoreError> {
        let place = self.slot(revision.get())?.fragments();
        let decode = |record| {
            fragments::decode(record).map_err(|_| StoreError::Unreadable {
                what: format!("fragment record of revision {revision}"),
                reason: "its layout is not known".to_owned(),
            })
        };
        let read = self.segments.fragments.read(place).and_then(decode);
        read.inspect_err(|error| self.found_damage(revision, error))
    }

    /// Notes that bytes of a revision turned out to be damaged, for the next snapshot to leave it out.
    pub fn found_damage(&self, revision: RevisionId, error: &dyn std::fmt::Display) {
        self.origin.fragments(revision, error);
    }

    /// How many revisions turned out to be damaged since the shelf was read from the database. Cheap.
    #[must_use]
    pub fn damaged_count(&self) -> usize {
        self.origin.count()
    }

    /// The revisions that turned out to be damaged.
    #[must_use]
    pub fn damaged(&self) -> Vec<RevisionId> {
        self.origin.list()
    }

    /// How many documents turned out to be damaged; clients do without them.
    #[must_use]
    pub fn damaged_documents(&self) -> usize {
        self.origin.documents()
    }

    /// Notes that the document of a revision turned out to be damaged.
    pub(crate) fn found_damaged_document(&self, revision: RevisionId, error: &StoreError) {
        self.origin.document(revision, error);
    }

    /// All shelves that come from the same reading of the database as this one.
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(Arc::downgrade(&self.origin))
    }

    /// How many bytes of Core fragments are in memory.
    #[must_use]
    pub fn bytes_in_memory(&self) -> usize {
        self.in_memory
    }

    /// Changes the slot of a revision, which is made when there is none.
    fn change_slot(&mut self, revision: RevisionId, change: impl FnOnce(&mut Slot)) {
        let (page, at) = (revision.get() as usize / PAGE, revision.get() as usize % PAGE);
        while self.slots.len() <= page {
            self.slots.push(Arc::new(vec![EMPTY; PAGE]));
        }
        if let Some(slot) = self.slots.get_mut(page).and_then(|page| Arc::make_mut(page).get_mut(at)) {
            change(slot);
        }
    }

    fn slot(&self, number: u32) -> Result<&Slot, StoreError> {
        // No fragment record is empty, so a hole is recognised by its length.
        self.slots
            .get(number as usize / PAGE)
            .and_then(|page| page.get(number as usize % PAGE))
            .filter(|slot| slot.fragments_len != [0; 4])
            .ok_or(StoreError::UnknownRevision(number))
    }
}

/// How many bytes of Core fragments a catalog of so many revisions may have in memory: the larger it is, the fewer, or a
/// server with a large one would need twice the memory after a restart.
fn room_for_cores(budget: usize, revisions: usize) -> usize {
    budget.saturating_sub(revisions.saturating_mul(BESIDE)).max(budget.min(MOST_BY_IMPORTS))
}

/// A part of the segment, read ahead.
#[derive(Default)]
struct Window {
    offset: u64,
    bytes: Vec<u8>,
}

impl Window {
    fn payload(&mut self, segment: &Segment, place: Place) -> Result<&[u8], StoreError> {
        let inside = place.at >= self.offset && place.end() <= self.offset + self.bytes.len() as u64;
        if !inside {
            let need = HEADER as usize + place.len as usize;
            self.bytes = segment.read_range(place.at, need.max(WINDOW))?;
            self.offset = place.at;
        }
        let range = segment.payload_in(&self.bytes, self.offset, place)?;
        Ok(self.bytes.get(range).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_BY_IMPORTS, room_for_cores};

    #[test]
    fn a_large_catalog_has_fewer_fragments_in_memory() {
        let budget = 256 << 20;
        assert_eq!(room_for_cores(budget, 0), budget);
        assert_eq!(room_for_cores(budget, 250_000), budget - 100_000_000);
        assert_eq!(room_for_cores(budget, 5_000_000), MOST_BY_IMPORTS);
        assert_eq!(room_for_cores(1_000, 5_000_000), 1_000, "never more than was given");
    }
}
