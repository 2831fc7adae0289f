//! Store: the content store, the files that updates install. A file appears here only when its length
//! and every digest the catalog declares for it match; what is here is never changed afterwards.

pub(crate) mod decryption;
mod digests;
mod direct;
mod disk;
mod ingest;
mod partial;
mod parts;
mod unverified;

pub use decryption::LONGEST_KEY;
pub use disk::{Damage, LostFile};
pub(crate) use ingest::Expected;
pub use ingest::Ingested;
pub use partial::{ContentTurn, PartialContent};

use crate::error::StoreError;
use crate::folder::sync_dir;
use parking_lot::{Mutex, RwLock};
use sluicegate_terms::{Sha1Digest, Timestamp};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::UNIX_EPOCH;
use unverified::Unverified;

/// Where files are taken in, inside the content folder so that the final rename stays on one file system.
const INCOMING: &str = ".incoming";

/// Where files lie that come in pieces and may come over several runs.
const PARTIAL: &str = ".partial";

/// Where files lie that nobody verified.
const UNVERIFIED: &str = ".unverified";

/// Longest file-name ending that is kept, in characters; no real one comes near.
const LONGEST_EXTENSION: usize = 100;

/// The verified files of one data folder.
#[derive(Debug)]
pub struct ContentStore {
    root: PathBuf,
    held: RwLock<HashMap<Sha1Digest, Held>>,
    /// Files that somebody is fetching now.
    taken: Mutex<HashSet<Sha1Digest>>,
    /// Bytes that are still to come of files on their way: room that no other file may take.
    promised: Mutex<u64>,
    /// Held while a file gets its place or loses it, so that nobody takes away what somebody else has just put there.
    placing: Mutex<()>,
    /// Files that were damaged on the disk and have not come again.
    lost: Mutex<BTreeMap<Sha1Digest, Damage>>,
    has_lost: AtomicBool,
    /// Files that lay in the folder and that nobody verified.
    unverified: Mutex<HashMap<Sha1Digest, Unverified>>,
}

/// Somebody's turn with a file; nobody else fetches or verifies it meanwhile.
struct Turn<'a> {
    content: &'a ContentStore,
    sha1: Sha1Digest,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.content.taken.lock().remove(&self.sha1);
    }
}

/// What is known of a held file without opening it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// The ending of its name, lower case, without the dot; may be empty.
    pub extension: Box<str>,
    /// Its length in bytes.
    pub size: u64,
    /// When it was verified; good as `Last-Modified`.
    pub verified: Timestamp,
}

/// A held file, open for reading.
#[derive(Debug)]
pub struct ContentFile {
    /// The open file, positioned at its start.
    pub file: File,
    /// What it is.
    pub held: Held,
}

impl ContentStore {
    /// Opens `Content` in the data folder: forgets files that were never finished and lists the rest.
    pub(crate) fn load(data_dir: &Path) -> Result<Self, StoreError> {
        let root = data_dir.join("Content");
        let incoming = root.join(INCOMING);
        fs::create_dir_all(&incoming).map_err(|e| StoreError::io("create", &incoming, e))?;
        for entry in read_dir(&incoming)? {
            fs::remove_file(&entry).map_err(|e| StoreError::io("remove the unfinished file", &entry, e))?;
        }
        let mut held = HashMap::new();
        for folder in read_dir(&root)? {
            let two_digits = file_name(&folder).is_some_and(|n| n.len() == 2);
            if !two_digits || !folder.is_dir() {
                continue;
            }
            for path in read_dir(&folder)? {
                match Self::recognise(&root, &path)? {
                    Some((sha1, found)) => {
                        held.insert(sha1, found);
                    }
                    None => {
                        tracing::warn!(path = %path.display(), "not a content file of this server; left alone")
                    }
                }
            }
        }
        let held = RwLock::new(held);
        let store = Self {
            root,
            held,
            taken: Mutex::default(),
            promised: Mutex::default(),
            placing: Mutex::default(),
            lost: Mutex::default(),
            has_lost: AtomicBool::new(false),
            unverified: Mutex::default(),
        };
        store.tidy_partials()?;
        Ok(store)
    }

    /// Reads a file's digest and ending from its name, when it lies where we would put it.
    fn recognise(root: &Path, path: &Path) -> Result<Option<(Sha1Digest, Held)>, StoreError> {
        let Some(name) = file_name(path) else { return Ok(None) };
        let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
        let Ok(sha1) = Sha1Digest::from_hex(stem) else { return Ok(None) };
        if place(root, sha1, extension) != path {
            return Ok(None);
        }
        let meta = fs::metadata(path).map_err(|e| StoreError::io("read the length of", path, e))?;
        let modified = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        let seconds = modified.and_then(|d| i64::try_from(d.as_secs()).ok()).unwrap_or(0);
        let verified = Timestamp::from_unix_seconds(seconds);
        Ok(meta.is_file().then(|| (sha1, Held { extension: extension.into(), size: meta.len(), verified })))
    }

    /// The turn with a file, when nobody has it.
    fn turn(&self, sha1: Sha1Digest) -> Option<Turn<'_>> {
        self.taken.lock().insert(sha1).then_some(Turn { content: self, sha1 })
    }

    /// Where the files lie.
    pub(crate) fn folder(&self) -> &Path {
        &self.root
    }

    /// What is known of a file, if it is held.
    #[must_use]
    pub fn held(&self, sha1: Sha1Digest) -> Option<Held> {
        self.held.read().get(&sha1).cloned()
    }

    /// Whether a file is held.
    #[must_use]
    pub fn has(&self, sha1: Sha1Digest) -> bool {
        self.held.read().contains_key(&sha1)
    }

    /// How many files are held, and their bytes together.
    #[must_use]
    pub fn totals(&self) -> (usize, u64) {
        let held = self.held.read();
        (held.len(), held.values().map(|h| h.size).sum())
    }

    /// The digests of all held files, in no order.
    #[must_use]
    pub fn list(&self) -> Vec<Sha1Digest> {
        self.held.read().keys().copied().collect()
    }

    /// Removes a file of which `held` was known, unless it was put in place anew since.
    pub(crate) fn discard(&self, sha1: Sha1Digest, held: &Held) -> Result<(), StoreError> {
        let _placing = self.placing.lock();
        if self.held.read().get(&sha1) != Some(held) {
            return Ok(());
        }
        self.held.write().remove(&sha1);
        let path = place(&self.root, sha1, &held.extension);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::io("remove", &path, error))
            }
            _ => Ok(()),
        }
    }

    /// Opens a held file; `None` when it is not held.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the file cannot be opened, [`StoreError::Corrupt`] when somebody changed
    /// its length behind our back.
    pub fn open(&self, sha1: Sha1Digest) -> Result<Option<ContentFile>, StoreError> {
        let Some(held) = self.held(sha1) else { return Ok(None) };
        let path = place(&self.root, sha1, &held.extension);
        let file = File::open(&path).map_err(|e| StoreError::io("open", &path, e))?;
        let length = file.metadata().map_err(|e| StoreError::io("read the length of", &path, e))?.len();
        if length != held.size {
            return Err(StoreError::Corrupt {
                path,
                what: format!("it has {length} bytes and had {} when it was verified", held.size),
            });
        }
        Ok(Some(ContentFile { file, held }))
    }
}

/// `<root>/<last SHA-1 byte>/<SHA-1>.<ending>`, hexadecimal in upper case (observed-behaviour 5; the
/// Base64 folder of MS-WSUSSS 3.2.4.4 is not what real servers use).
fn place(root: &Path, sha1: Sha1Digest, extension: &str) -> PathBuf {
    let hex = sha1.to_hex_upper();
    let folder = root.join(hex.get(38..).unwrap_or_default());
    folder.join(if extension.is_empty() { hex } else { format!("{hex}.{extension}") })
}

/// The ending under which a file is stored and addressed, here and at an upstream: that of its declared name, as real
/// servers keep it (observed-behaviour 5), when it can stand in an address as it is; else none. Here it is in lower case.
#[must_use]
pub fn extension_of(file_name: &str) -> &str {
    let usable = |e: &&str| {
        (1..=LONGEST_EXTENSION).contains(&e.len())
            && e.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'~' | b'+'))
    };
    file_name.rsplit_once('.').map(|(_, e)| e).filter(usable).unwrap_or("")
}

/// Whether files with this ending were once stored and addressed without any, as clients may remember.
#[must_use]
pub fn was_left_out(extension: &str) -> bool {
    extension.len() > 15 || !extension.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn file_name(path: &Path) -> Option<&str> {
    path.file_name().and_then(|n| n.to_str())
}

fn read_dir(path: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let list =
        || fs::read_dir(path)?.map(|entry| entry.map(|e| e.path())).collect::<std::io::Result<Vec<_>>>();
    list().map_err(|e| StoreError::io("list", path, e))
}

/// Makes the folder of a file, durably.
fn ensure_folder(root: &Path, path: &Path) -> Result<(), StoreError> {
    let Some(folder) = path.parent() else { return Ok(()) };
    if !folder.is_dir() {
        fs::create_dir_all(folder).map_err(|e| StoreError::io("create", folder, e))?;
        sync_dir(root)?;
    }
    Ok(())
}
