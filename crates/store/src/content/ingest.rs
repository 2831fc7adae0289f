//! Store: taking in one content file: hash while copying, compare with every declaration, sync, and only
//! then give it its name.

use super::digests::Digests;
use super::{ContentStore, Held, INCOMING, ensure_folder, extension_of, place};
use crate::error::StoreError;
use crate::folder::sync_dir;
use sluicegate_terms::{Sha1Digest, Sha256Digest, Timestamp};
use std::fs::{self, File, FileTimes};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

/// How much is read, hashed and written at a time, in bytes.
const CHUNK: usize = 1 << 18;

/// What the catalog declares of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Expected {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) sha256: Option<Sha256Digest>,
}

/// A file that was taken in (or was here already).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ingested {
    /// Its digest, the name everything knows it by.
    pub sha1: Sha1Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Whether it was held before this call, and is as it must be.
    pub already_held: bool,
    /// What was wrong with the file of which it took the place, if one was held.
    pub replaced: Option<String>,
}

/// Removes a temporary file unless it has been given its final name.
struct Temporary {
    path: PathBuf,
    kept: bool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.kept {
            // At worst it stays until the next start, which clears the folder.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl ContentStore {
    /// Copies `source` in. `expected` looks the digest up in the catalog; `name` is for messages only.
    /// `progress` gets the number of bytes read so far.
    pub(crate) fn ingest(
        &self,
        name: &str,
        source: &mut dyn Read,
        now: Timestamp,
        expected: impl FnOnce(Sha1Digest) -> Result<Option<Expected>, StoreError>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Ingested, StoreError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = self.root.join(INCOMING).join(format!("{}-{number}", std::process::id()));
        let mut file = File::create_new(&path).map_err(|e| StoreError::io("create", &path, e))?;
        let mut temporary = Temporary { path, kept: false };

        let (sha1, sha256, size) = copy(name, source, &mut file, &temporary.path, progress)?;
        let Some(expected) = expected(sha1)? else {
            return Err(StoreError::UndeclaredContent { name: name.to_owned(), sha1, size });
        };
        compare(name, &expected, size, sha256)?;

        // The bytes at hand are verified; those on the disk were once.
        let replaced = match self.look_into(sha1, expected.sha256) {
            Ok(None) if self.has(sha1) => {
                return Ok(Ingested { sha1, size, already_held: true, replaced: None });
            }
            Ok(damage) => damage.map(|damage| damage.to_string()),
            Err(error) => Some(format!("cannot be read: {error}")),
        };
        self.put_in_place(&temporary.path, &file, sha1, &expected, now)?;
        temporary.kept = true;
        Ok(Ingested { sha1, size, already_held: false, replaced })
    }

    /// Gives a verified file its name, durably, and lists it.
    pub(super) fn put_in_place(
        &self,
        from: &Path,
        file: &File,
        sha1: Sha1Digest,
        expected: &Expected,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let extension = extension_of(&expected.name).to_ascii_lowercase();
        let target = place(&self.root, sha1, &extension);
        let stamp = UNIX_EPOCH + Duration::from_secs(u64::try_from(now.unix_seconds()).unwrap_or(0));
        file.set_times(FileTimes::new().set_modified(stamp))
            .and_then(|()| file.sync_all())
            .map_err(|e| StoreError::io("sync", from, e))?;
        ensure_folder(&self.root, &target)?;
        let verified = Timestamp::from_unix_seconds(now.unix_seconds());
        let held = Held { extension: extension.into(), size: expected.size, verified };
        {
            let _placing = self.placing.lock();
            fs::rename(from, &target).map_err(|e| StoreError::io("put in place", &target, e))?;
            self.held.write().insert(sha1, held);
            self.lost.lock().remove(&sha1);
        }
        match target.parent() {
            Some(folder) => sync_dir(folder),
            None => Ok(()),
        }
    }
}

fn copy(
    name: &str,
    source: &mut dyn Read,
    file: &mut File,
    path: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<(Sha1Digest, Option<Sha256Digest>, u64), StoreError> {
    let mut digests = Digests::both();
    let mut buffer = vec![0_u8; CHUNK];
    let mut size = 0_u64;
    loop {
        let read = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(source) => {
                return Err(StoreError::ContentSource { name: name.to_owned(), after: size, source });
            }
        };
        let chunk = buffer.get(..read).unwrap_or_default();
        digests.update(chunk);
        file.write_all(chunk).map_err(|e| StoreError::io("write", path, e))?;
        size += read as u64;
        progress(size);
    }
    let (sha1, sha256) = digests.finish();
    Ok((sha1, sha256, size))
}

pub(super) fn compare(
    name: &str,
    expected: &Expected,
    size: u64,
    sha256: Option<Sha256Digest>,
) -> Result<(), StoreError> {
    let mismatch = |reason| Err(StoreError::ContentMismatch { name: name.to_owned(), reason });
    if expected.size != size {
        return mismatch(format!("it has {size} bytes, declared are {}", expected.size));
    }
    match (expected.sha256, sha256) {
        (Some(declared), Some(sha256)) if declared != sha256 => {
            mismatch(format!("its SHA-256 is {sha256}, declared is {declared}"))
        }
        (Some(_), None) => mismatch("its SHA-256 was not taken".to_owned()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::was_left_out;
    use sha2::{Digest as _, Sha256};
    use std::io;

    const NOW: i64 = 1_790_000_000;

    fn now() -> Timestamp {
        Timestamp::from_unix_seconds(NOW)
    }

    fn declared(bytes: &[u8]) -> Expected {
        Expected {
            name: "Patch.CAB".to_owned(),
            size: bytes.len() as u64,
            sha256: Some(Sha256Digest(Sha256::digest(bytes).into())),
        }
    }

    fn files_under(root: &Path) -> Vec<PathBuf> {
        let mut out = Vec::new();
        for entry in fs::read_dir(root).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { out.extend(files_under(&path)) } else { out.push(path) }
        }
        out
    }

    #[test]
    fn a_declared_file_is_held_under_its_digest_and_found_again_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let store = ContentStore::load(dir.path()).unwrap();
        let bytes = vec![7_u8; CHUNK + 3];
        let done = store
            .ingest("p.cab", &mut bytes.as_slice(), now(), |_| Ok(Some(declared(&bytes))), &mut |_| {})
            .unwrap();
        assert!(!done.already_held);
        let hex = done.sha1.to_hex_upper();
        let path = dir.path().join("Content").join(&hex[38..]).join(format!("{hex}.cab"));
        assert_eq!(fs::read(&path).unwrap(), bytes);

        let again = ContentStore::load(dir.path()).unwrap();
        let held = again.held(done.sha1).unwrap();
        assert_eq!(held, Held { extension: "cab".into(), size: bytes.len() as u64, verified: now() });
        let mut read = Vec::new();
        again.open(done.sha1).unwrap().unwrap().file.read_to_end(&mut read).unwrap();
        assert_eq!(read, bytes);
        let second = again
            .ingest("p.cab", &mut bytes.as_slice(), now(), |_| Ok(Some(declared(&bytes))), &mut |_| {})
            .unwrap();
        assert!(second.already_held);
    }

    #[test]
    fn files_that_break_their_declaration_never_appear() {
        let dir = tempfile::tempdir().unwrap();
        let store = ContentStore::load(dir.path()).unwrap();
        let good = declared(b"content");
        let longer = Expected { size: 8, ..good.clone() };
        let other = Expected { sha256: Some(Sha256Digest([1; 32])), ..good };
        for expected in [longer, other] {
            let refused = store.ingest("x", &mut &b"content"[..], now(), |_| Ok(Some(expected)), &mut |_| {});
            assert!(matches!(refused, Err(StoreError::ContentMismatch { .. })), "{refused:?}");
        }
        let unknown = store.ingest("x", &mut &b"content"[..], now(), |_| Ok(None), &mut |_| {});
        assert!(matches!(unknown, Err(StoreError::UndeclaredContent { size: 7, .. })));
        assert!(files_under(dir.path()).is_empty());
        assert_eq!(store.totals(), (0, 0));
    }

    #[test]
    fn a_source_that_breaks_off_leaves_nothing() {
        struct Broken(bool);
        impl Read for Broken {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                if std::mem::replace(&mut self.0, true) {
                    return Err(io::Error::other("connection lost"));
                }
                buffer[..5].copy_from_slice(b"bytes");
                Ok(5)
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let store = ContentStore::load(dir.path()).unwrap();
        let broken = store.ingest("x", &mut Broken(false), now(), |_| Ok(None), &mut |_| {});
        assert!(matches!(broken, Err(StoreError::ContentSource { after: 5, .. })));
        assert!(files_under(dir.path()).is_empty());
    }

    #[test]
    fn unfinished_files_of_an_earlier_run_are_removed_and_foreign_files_ignored() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("Content");
        fs::create_dir_all(root.join(INCOMING)).unwrap();
        fs::create_dir_all(root.join("AB")).unwrap();
        fs::write(root.join(INCOMING).join("99-0"), b"half").unwrap();
        fs::write(root.join("AB").join("readme.txt"), b"not ours").unwrap();
        // Right name, wrong folder: it was not put there by us.
        fs::write(root.join("AB").join(format!("{}.cab", "00".repeat(20))), b"misplaced").unwrap();
        let store = ContentStore::load(dir.path()).unwrap();
        assert_eq!(store.totals(), (0, 0));
        assert!(fs::read_dir(root.join(INCOMING)).unwrap().next().is_none());
    }

    #[test]
    fn endings_are_those_of_declared_names_where_they_can_stand_in_an_address() {
        assert_eq!(extension_of("windows10-kb5000001-x64.cab"), "cab");
        assert_eq!(extension_of("archive.tar.PSF"), "PSF");
        for real in ["ex_", "v1_2", "msixbundle-signature", "a+b"] {
            assert_eq!(extension_of(&format!("setup.{real}")), real);
            assert!(was_left_out(real), "{real}");
        }
        assert!(!was_left_out("cab") && !was_left_out(""));
        let long = format!("x.{}", "a".repeat(101));
        for odd in ["noending", "dot.", "x.../../etc", &long, "x.c b", "x.é", "x.a%41"] {
            assert_eq!(extension_of(odd), "", "{odd}");
        }
    }
}
