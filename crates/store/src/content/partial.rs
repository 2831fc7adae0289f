//! Store: a file that comes in pieces, perhaps over several runs. What has come lies in a folder of its own and
//! survives a kill; going on with it reads and hashes it again, so nothing is taken on trust.

use super::digests::Digests;
use super::direct::{ALIGNMENT, Direct};
use super::ingest::compare;
use super::{ContentStore, Expected, Held, Ingested, PARTIAL};
use crate::error::{StoreError, free_space};
use crate::{Store, catalog};
use sluicegate_terms::{Sha1Digest, Timestamp};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::thread::{Builder, JoinHandle};

/// How much is read and hashed at a time, in bytes.
const CHUNK: usize = 1 << 20;

/// What has been written is sent to the disk each time this many more bytes have come.
const STRIDE: u64 = 16 << 20;

/// Files of at least so many bytes are written past the system's cache.
const LARGE: u64 = 8 << 20;

/// Left free when a file is begun, in bytes: the database must be able to go on.
const RESERVE: u64 = 64 << 20;

/// A file that is made only to see whether that can be done; no digest has such a name.
const TRIED: &str = "is-writable";

/// Whose turn it is to fetch a file.
#[derive(Debug)]
pub enum ContentTurn {
    /// Nobody's: it is held.
    Held(Held),
    /// Somebody else's: it is being fetched now.
    Taken,
    /// The caller's.
    Yours(Box<PartialContent>),
}

/// A file of the catalog that is on its way. Dropping it keeps what has come, for [`Store::begin_content`] to
/// go on with.
#[derive(Debug)]
pub struct PartialContent {
    store: Store,
    digest: Sha1Digest,
    expected: Expected,
    path: PathBuf,
    file: File,
    /// Only for a large file, where the system can do it.
    direct: Option<Direct>,
    /// Bytes that are written and hashed; more may wait in `direct`.
    settled: u64,
    /// Of the bytes that are to come, those that have room kept for them.
    promised: u64,
    digests: Digests,
    ahead: WriteAhead,
}

impl Drop for PartialContent {
    fn drop(&mut self) {
        // What cannot be written now comes again.
        let _ = self.settle_rest();
        if self.settled == 0 {
            // Nothing came of it. At worst an empty file stays, which the next attempt takes up.
            let _ = fs::remove_file(&self.path);
        }
        self.give_back(self.promised);
        self.store.content().taken.lock().remove(&self.digest);
    }
}

impl Store {
    /// Begins to take in a file of the catalog, or goes on where an earlier attempt ended. Reads what had come.
    ///
    /// # Errors
    /// [`StoreError::UndeclaredContent`] when no update names it, [`StoreError::NoRoom`] when there is no room
    /// for the rest of it, [`StoreError::Io`].
    pub fn begin_content(&self, sha1: Sha1Digest) -> Result<ContentTurn, StoreError> {
        let content = self.content();
        if !content.taken.lock().insert(sha1) {
            return Ok(ContentTurn::Taken);
        }
        let turn = self.open_partial(sha1);
        if !matches!(turn, Ok(ContentTurn::Yours(_))) {
            content.taken.lock().remove(&sha1);
        }
        turn
    }

    fn open_partial(&self, digest: Sha1Digest) -> Result<ContentTurn, StoreError> {
        let content = self.content();
        if let Some(held) = content.held(digest) {
            return Ok(ContentTurn::Held(held));
        }
        let Some(expected) = self.shared.database.read(|db| catalog::declared_file(db, digest))? else {
            let name = digest.to_hex_upper();
            return Err(StoreError::UndeclaredContent { name, sha1: digest, size: 0 });
        };
        // It may lie here already, unverified; it counts from the start, when it was found.
        if let Some(held) = content.take_unverified(digest, &expected, self.shared.options.now)? {
            return Ok(ContentTurn::Held(held));
        }
        let path = content.root.join(PARTIAL).join(digest.to_hex_upper());
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = file.map_err(|e| StoreError::io("open", &path, e))?;
        let mut digests = Digests::of(&expected);
        let mut length = 0_u64;
        let mut buffer = vec![0_u8; CHUNK];
        loop {
            let read = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(StoreError::io("read", &path, e)),
            };
            digests.update(buffer.get(..read).unwrap_or_default());
            length += read as u64;
        }
        let missing = expected.size.saturating_sub(length);
        if let Err(error) = content.promise(&expected.name, missing) {
            if length == 0 {
                let _ = fs::remove_file(&path);
            }
            return Err(error);
        }
        let direct = if expected.size >= LARGE { Direct::open(&path) } else { None };
        let mut partial = PartialContent {
            store: self.clone(),
            digest,
            expected,
            path,
            direct,
            file,
            settled: length,
            promised: missing,
            digests,
            ahead: WriteAhead::default(),
        };
        if partial.settled > partial.expected.size {
            partial.restart()?;
        }
        Ok(ContentTurn::Yours(Box::new(partial)))
    }
}

impl PartialContent {
    /// Which file it is.
    #[must_use]
    pub fn digest(&self) -> Sha1Digest {
        self.digest
    }

    /// Its name in the catalog; for messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.expected.name
    }

    /// Bytes that have come.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.settled + self.direct.as_ref().map_or(0, |direct| direct.block().len() as u64)
    }

    /// Bytes that it must have.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.expected.size
    }

    /// Takes the next piece: writes and hashes it. Of a large file up to a mebibyte waits for more.
    ///
    /// # Errors
    /// [`StoreError::ContentMismatch`] when more comes than was declared, [`StoreError::DiskFull`],
    /// [`StoreError::Io`]; what had come before stays good.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), StoreError> {
        let length = self.length().saturating_add(piece.len() as u64);
        if length > self.expected.size {
            let reason = format!("more than the declared {} bytes came", self.expected.size);
            return Err(StoreError::ContentMismatch { name: self.expected.name.clone(), reason });
        }
        let mut rest = piece;
        while !rest.is_empty() {
            let beyond = usize::try_from(self.settled % ALIGNMENT as u64).unwrap_or(0);
            let now = match &mut self.direct {
                Some(direct) if beyond == 0 => {
                    rest = direct.take(rest);
                    if direct.is_full() {
                        self.settle_block()?;
                    }
                    continue;
                }
                // An earlier attempt ended anywhere: first to where a block may begin.
                Some(_) => rest.len().min(ALIGNMENT - beyond),
                None => rest.len(),
            };
            let (now, later) = rest.split_at(now);
            self.settle(now)?;
            rest = later;
        }
        Ok(())
    }

    /// Writes a full block past the cache, and hashes it.
    fn settle_block(&mut self) -> Result<(), StoreError> {
        let Some(direct) = &mut self.direct else { return Ok(()) };
        match direct.write_at(self.settled) {
            Ok(()) => {
                let block = direct.block();
                let length = block.len() as u64;
                self.digests.update(block);
                self.settled += length;
                direct.clear();
                self.give_back(length);
                Ok(())
            }
            // Some file systems say only now that they cannot do it.
            Err(error) if error.kind() == ErrorKind::InvalidInput => self.settle_rest(),
            Err(error) => {
                direct.clear();
                Err(self.not_written(error))
            }
        }
    }

    /// Writes what waits as an ordinary file is written; from then on everything is.
    fn settle_rest(&mut self) -> Result<(), StoreError> {
        match self.direct.take() {
            Some(direct) => self.settle(direct.block()),
            None => Ok(()),
        }
    }

    fn settle(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        if let Err(error) = self.file.write_all_at(bytes, self.settled) {
            return Err(self.not_written(error));
        }
        self.digests.update(bytes);
        self.settled += bytes.len() as u64;
        self.give_back(bytes.len() as u64);
        self.ahead.wrote(bytes.len() as u64, &self.file, &self.path)
    }

    /// So much of the room that was kept for this file is used, or not needed.
    fn give_back(&mut self, bytes: u64) {
        let bytes = bytes.min(self.promised);
        self.promised -= bytes;
        let mut promised = self.store.content().promised.lock();
        *promised = promised.saturating_sub(bytes);
    }

    /// A part of it may be there: nothing is known of bytes that were not hashed.
    fn not_written(&self, error: std::io::Error) -> StoreError {
        let _ = self.file.set_len(self.settled);
        StoreError::io("write", &self.path, error)
    }

    /// Throws away what has come.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn restart(&mut self) -> Result<(), StoreError> {
        self.ahead.wait(&self.path)?;
        self.file.set_len(0).map_err(|e| StoreError::io("empty", &self.path, e))?;
        if let Some(direct) = &mut self.direct {
            direct.clear();
        }
        self.settled = 0;
        self.digests = Digests::of(&self.expected);
        // What is thrown away makes the room that it will take again.
        *self.store.content().promised.lock() += self.expected.size - self.promised;
        self.promised = self.expected.size;
        Ok(())
    }

    /// Compares the whole file with its declaration and, when all is as declared, gives it its place.
    ///
    /// # Errors
    /// [`StoreError::ContentMismatch`]; then what came is thrown away. [`StoreError::Io`].
    pub fn finish(mut self, now: Timestamp) -> Result<Ingested, StoreError> {
        self.settle_rest()?;
        let (sha1, sha256) = std::mem::take(&mut self.digests).finish();
        let name = &self.expected.name;
        let compared = compare(name, &self.expected, self.settled, sha256).and_then(|()| {
            if sha1 == self.digest {
                return Ok(());
            }
            let reason = format!("its SHA-1 is {sha1}, declared is {}", self.digest);
            Err(StoreError::ContentMismatch { name: name.clone(), reason })
        });
        if let Err(error) = compared {
            fs::remove_file(&self.path).map_err(|e| StoreError::io("remove", &self.path, e))?;
            return Err(error);
        }
        self.ahead.wait(&self.path)?;
        let content = self.store.content();
        let (size, damage) = (self.settled, content.look(sha1));
        if content.has(sha1) && matches!(damage, Ok(None)) {
            // It was given by hand in the meantime.
            fs::remove_file(&self.path).map_err(|e| StoreError::io("remove", &self.path, e))?;
            return Ok(Ingested { sha1, size, already_held: true, replaced: None });
        }
        content.put_in_place(&self.path, &self.file, sha1, &self.expected, now)?;
        let replaced = damage.ok().flatten().map(|damage| damage.to_string());
        Ok(Ingested { sha1, size, already_held: false, replaced })
    }
}

/// Sends what was written to the disk while more comes, so that little is left to wait for at the end.
#[derive(Debug, Default)]
struct WriteAhead {
    since: u64,
    running: Option<JoinHandle<std::io::Result<()>>>,
}

impl WriteAhead {
    fn wrote(&mut self, bytes: u64, file: &File, path: &Path) -> Result<(), StoreError> {
        self.since += bytes;
        if self.since < STRIDE || self.running.as_ref().is_some_and(|running| !running.is_finished()) {
            return Ok(());
        }
        self.wait(path)?;
        self.since = 0;
        // Without a second handle or a thread for it, everything is synced at the end.
        if let Ok(file) = file.try_clone() {
            self.running = Builder::new().name("write-ahead".to_owned()).spawn(move || file.sync_data()).ok();
        }
        Ok(())
    }

    /// The system tells of a failed write once: what it told here must not be lost.
    fn wait(&mut self, path: &Path) -> Result<(), StoreError> {
        match self.running.take().map(JoinHandle::join) {
            Some(Ok(Err(error))) => Err(StoreError::io("sync", path, error)),
            _ => Ok(()),
        }
    }
}

impl ContentStore {
    /// Keeps room for so many bytes of a file.
    fn promise(&self, name: &str, missing: u64) -> Result<(), StoreError> {
        let mut promised = self.promised.lock();
        if let Some(free) = free_space(&self.root)
            && free < missing.saturating_add(RESERVE).saturating_add(*promised)
            && missing > 0
        {
            let (name, path) = (name.to_owned(), self.root.clone());
            return Err(StoreError::NoRoom {
                name,
                path,
                missing,
                reserve: RESERVE,
                promised: *promised,
                free,
            });
        }
        *promised += missing;
        Ok(())
    }

    /// Makes and removes a file where files of updates arrive: whether any can.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::DiskFull`]: what stands against it.
    pub fn try_writing(&self) -> Result<(), StoreError> {
        let path = self.root.join(PARTIAL).join(TRIED);
        fs::write(&path, b"x").map_err(|e| StoreError::io("write", &path, e))?;
        fs::remove_file(&path).map_err(|e| StoreError::io("remove", &path, e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_files_can_arrive_is_tried_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let content = ContentStore::load(dir.path()).unwrap();
        let folder = content.folder().join(PARTIAL);
        content.try_writing().unwrap();
        assert!(fs::read_dir(&folder).unwrap().next().is_none());
        fs::remove_dir(&folder).unwrap();
        let refused = content.try_writing().unwrap_err().to_string();
        assert!(refused.contains(PARTIAL), "{refused}");
    }

    #[test]
    fn want_of_room_names_what_is_kept_free() {
        let path = PathBuf::from("/data/Content");
        let error = StoreError::NoRoom {
            name: "a.cab".to_owned(),
            path,
            missing: 5 << 20,
            reserve: RESERVE,
            promised: 0,
            free: 60 << 20,
        };
        let said = error.to_string();
        assert!(
            said.contains("60 MiB left and 5 MiB of `a.cab`") && said.contains("64 MiB that are kept free"),
            "{said}"
        );
        assert!(error.is_disk_full() && !said.contains("nothing was changed"), "{said}");
    }
}
