//! Store: the files that updates name, by digest. What content locations need is kept in memory, so that
//! no client request asks SQL.

use crate::columns::{Columns, for_rows, gathered};
use crate::content::{Expected, extension_of};
use crate::error::{During, StoreError};
use rusqlite::Connection;
use sluicegate_terms::{Sha1Digest, Sha256Digest, UpdateId};
use std::collections::HashMap;
use std::sync::Arc;

/// What a content address needs of a declared file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileFacts {
    /// The length in bytes.
    pub size: u64,
    /// The ending of its name, lower case, without the dot; may be empty.
    pub extension: Arc<str>,
}

/// All declared files by SHA-1. There are more of them than updates, so they are kept sorted in many short lists:
/// a table would be up to half empty, and three times as large at the moment it grows.
#[derive(Debug)]
pub(crate) struct FileIndex {
    /// By the first twelve bits of the digest, sorted.
    shelves: Vec<Vec<Packed>>,
    len: usize,
    /// Sizes that do not fit into [`Packed`], which no real file has.
    huge: HashMap<Sha1Digest, u64>,
    /// Endings are few; each is kept once.
    extensions: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

/// What is kept of a file, no wider than it must be.
#[derive(Clone, Copy, Debug)]
struct Packed {
    sha1: [u8; 20],
    /// Little-endian; [`HUGE`] when it is among the huge ones.
    size: [u8; 6],
    /// Which of the endings, little-endian.
    extension: [u8; 3],
}

const SHELVES: usize = 1 << 12;

/// Stands for sizes from here on.
const HUGE: u64 = (1 << 48) - 1;

/// A full shelf grows by this part.
const GROWTH: usize = 8;

impl Default for FileIndex {
    fn default() -> Self {
        Self {
            shelves: vec![Vec::new(); SHELVES],
            len: 0,
            huge: HashMap::new(),
            extensions: Vec::new(),
            numbers: HashMap::new(),
        }
    }
}

impl Packed {
    fn new(sha1: Sha1Digest, size: u64, extension: u32) -> Self {
        let [a, b, c, d, e, f, ..] = size.min(HUGE).to_le_bytes();
        let [x, y, z, _] = extension.to_le_bytes();
        Self { sha1: sha1.0, size: [a, b, c, d, e, f], extension: [x, y, z] }
    }

    const fn size(&self) -> u64 {
        let [a, b, c, d, e, f] = self.size;
        u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
    }

    const fn extension(&self) -> u32 {
        let [x, y, z] = self.extension;
        u32::from_le_bytes([x, y, z, 0])
    }
}

/// Which shelf a digest belongs on.
fn shelf(sha1: Sha1Digest) -> usize {
    let [first, second, ..] = sha1.0;
    usize::from(first) << 4 | usize::from(second >> 4)
}

impl FileIndex {
    pub(crate) fn load(db: &Connection) -> Result<Self, StoreError> {
        let mut index = Self::default();
        let mut statement = db.prepare("SELECT sha1, size, name FROM file").during("read the files")?;
        let mut rows = statement.query([]).during("read the files")?;
        for_rows(&mut rows, |row| {
            index.insert(row.sha1(0)?, row.natural(1)?, &row.text(2)?);
            Ok(())
        })?;
        Ok(index)
    }

    /// Adds a file. The first name decides, as in the database.
    pub(crate) fn insert(&mut self, sha1: Sha1Digest, size: u64, name: &str) {
        let key = extension_of(name).to_ascii_lowercase();
        let extension = match self.numbers.get(key.as_str()) {
            Some(known) => *known,
            None => {
                // There are no more of them than files.
                let number = u32::try_from(self.extensions.len()).unwrap_or(u32::MAX);
                let ending: Arc<str> = key.into();
                self.extensions.push(Arc::clone(&ending));
                self.numbers.insert(ending, number);
                number
            }
        };
        let Some(shelf) = self.shelves.get_mut(shelf(sha1)) else { return };
        let Err(place) = shelf.binary_search_by_key(&sha1.0, |packed| packed.sha1) else { return };
        if shelf.len() == shelf.capacity() {
            shelf.reserve_exact(shelf.len() / GROWTH + 1);
        }
        shelf.insert(place, Packed::new(sha1, size, extension));
        self.len += 1;
        if size >= HUGE {
            self.huge.insert(sha1, size);
        }
    }

    /// Forgets a file that nothing declares any more.
    pub(crate) fn remove(&mut self, sha1: Sha1Digest) {
        let Some(shelf) = self.shelves.get_mut(shelf(sha1)) else { return };
        if let Ok(place) = shelf.binary_search_by_key(&sha1.0, |packed| packed.sha1) {
            shelf.remove(place);
            self.len -= 1;
            self.huge.remove(&sha1);
        }
    }

    fn find(&self, sha1: Sha1Digest) -> Option<&Packed> {
        let shelf = self.shelves.get(shelf(sha1))?;
        let place = shelf.binary_search_by_key(&sha1.0, |packed| packed.sha1).ok()?;
        shelf.get(place)
    }

    pub(crate) fn get(&self, sha1: Sha1Digest) -> Option<FileFacts> {
        let packed = self.find(sha1)?;
        let extension = self.extensions.get(packed.extension() as usize)?;
        let size = self.huge.get(&sha1).copied().filter(|_| packed.size() == HUGE).unwrap_or(packed.size());
        Some(FileFacts { size, extension: Arc::clone(extension) })
    }

    /// Whether some update names it.
    pub(crate) fn has(&self, sha1: Sha1Digest) -> bool {
        self.find(sha1).is_some()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

/// What all documents together declare of one file.
pub(crate) fn declared(db: &Connection, sha1: Sha1Digest) -> Result<Option<Expected>, StoreError> {
    let mut statement =
        db.prepare_cached("SELECT size, sha256, name FROM file WHERE sha1 = ?1").during("look up a file")?;
    let mut rows = statement.query([sha1.0]).during("look up a file")?;
    let Some(row) = rows.next().during("look up a file")? else { return Ok(None) };
    let sha256 = row.get::<_, Option<[u8; 32]>>(1).during("read a digest")?.map(Sha256Digest);
    Ok(Some(Expected { size: row.natural(0)?, sha256, name: row.text(2)? }))
}

/// The updates whose file it is, each once.
pub(crate) fn owners(db: &Connection, sha1: Sha1Digest) -> Result<Vec<UpdateId>, StoreError> {
    let mut statement = db
        .prepare_cached(
            "SELECT DISTINCT r.update_id FROM revision_file f JOIN revision r ON r.id = f.revision_id
             WHERE f.sha1 = ?1 ORDER BY r.update_id",
        )
        .during("look up whose file it is")?;
    let mut rows = statement.query([sha1.0]).during("look up whose file it is")?;
    gathered(&mut rows, |row| row.update(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_found_with_its_size_and_ending_until_it_is_removed() {
        let digest = |n: u32| {
            let mut bytes = [7; 20];
            bytes[..4].copy_from_slice(&n.wrapping_mul(2_654_435_761).to_le_bytes());
            Sha1Digest(bytes)
        };
        let size = |n: u32| if n % 1_000 == 3 { u64::MAX - u64::from(n) } else { u64::from(n) << 20 };
        let mut index = FileIndex::default();
        for n in 0..20_000 {
            index.insert(digest(n), size(n), &format!("a.X{}", n % 300));
            index.insert(digest(n), 1, "other.txt");
        }
        assert_eq!(
            (index.len(), index.get(digest(20_000)), index.has(digest(20_001))),
            (20_000, None, false)
        );
        for n in 0..20_000 {
            let facts = index.get(digest(n)).unwrap();
            assert_eq!((facts.size, &*facts.extension), (size(n), &*format!("x{}", n % 300)));
        }
        (0..20_000).step_by(2).for_each(|n| index.remove(digest(n)));
        index.remove(digest(0));
        assert_eq!((index.len(), index.has(digest(4)), index.has(digest(5))), (10_000, false, true));
        index.insert(Sha1Digest([1; 20]), HUGE, "none");
        assert_eq!(
            index.get(Sha1Digest([1; 20])).map(|f| (f.size, f.extension.is_empty())),
            Some((HUGE, true))
        );
    }
}
