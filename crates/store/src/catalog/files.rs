//! Store: the files that updates name, by digest. What content locations need is kept in memory, so that
//! no client request asks SQL.

use crate::columns::{Columns, for_rows};
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

/// All declared files by SHA-1.
#[derive(Debug, Default)]
pub(crate) struct FileIndex {
    files: HashMap<Sha1Digest, Packed>,
    /// Endings are few; each is kept once.
    extensions: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

/// What is kept of a file: there are more of them than updates. Its parts are no wider than they must be, so that
/// with its digest it takes 32 bytes.
#[derive(Clone, Copy, Debug)]
struct Packed {
    /// Little-endian.
    size: [u8; 8],
    /// Which of the endings.
    extension: u32,
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
        self.files.entry(sha1).or_insert(Packed { size: size.to_le_bytes(), extension });
    }

    /// Forgets a file that nothing declares any more.
    pub(crate) fn remove(&mut self, sha1: Sha1Digest) {
        self.files.remove(&sha1);
    }

    pub(crate) fn get(&self, sha1: Sha1Digest) -> Option<FileFacts> {
        let packed = self.files.get(&sha1)?;
        let extension = self.extensions.get(packed.extension as usize)?;
        Some(FileFacts { size: u64::from_le_bytes(packed.size), extension: Arc::clone(extension) })
    }

    /// Whether some update names it.
    pub(crate) fn has(&self, sha1: Sha1Digest) -> bool {
        self.files.contains_key(&sha1)
    }

    pub(crate) fn len(&self) -> usize {
        self.files.len()
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
    let mut updates = Vec::new();
    for_rows(&mut rows, |row| {
        updates.push(row.update(0)?);
        Ok(())
    })?;
    Ok(updates)
}
