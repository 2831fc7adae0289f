//! Store: the data folder itself: its lock, so that two servers never share one, and the small secret
//! files beside the database (cookie key, administrator's token).

use crate::error::StoreError;
use ring::rand::{SecureRandom, SystemRandom};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

const LOCK_FILE: &str = "lock";

/// The name that [`nameless_file`] has for a moment where the system makes none without.
const OVERFLOW_FILE: &str = "overflow";

/// How often a lock that is held is tried again, and the time between. A server that is just ending lets go of
/// it in a moment, and so does a process started meanwhile, which holds what its parent had until it begins.
const TRIES: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(50);

/// Held as long as the store is open. The operating system releases it when the process ends in any
/// way, so a crash leaves nothing to clean up.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Makes the folder when it is missing and takes its lock.
    pub(crate) fn take(dir: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(dir).map_err(|e| StoreError::io("create the data folder", dir, e))?;
        let path = dir.join(LOCK_FILE);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| StoreError::io("open the lock file", &path, e))?;
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN),
                Err(TryLockError::Error(e)) => return Err(StoreError::io("lock", &path, e)),
            }
        }
        Err(StoreError::Locked { path: dir.to_owned() })
    }
}

/// A file in the folder that nobody else can open, and of which nothing stays when the process ends in any way.
pub(crate) fn nameless_file(dir: &Path) -> io::Result<File> {
    #[cfg(target_os = "linux")]
    if let Ok(file) = private().custom_flags(rustix::fs::OFlags::TMPFILE.bits().cast_signed()).open(dir) {
        return Ok(file);
    }
    made_nameless(dir)
}

/// The same where the system knows only files with names.
fn made_nameless(dir: &Path) -> io::Result<File> {
    let path = dir.join(OVERFLOW_FILE);
    // Left by a process that ended between the two lines below.
    let _ = fs::remove_file(&path);
    let file = private().create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// How a file is opened that its owner alone reads and writes.
fn private() -> OpenOptions {
    let mut how = OpenOptions::new();
    how.read(true).write(true).mode(0o600);
    how
}

/// Syncs a folder, so that a rename or a new file in it survives a power cut.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(|e| StoreError::io("sync the folder", dir, e))
}

/// Reads a small secret file, making it with `make` when it is missing. The file is readable by its
/// owner only; it appears whole or not at all.
pub(crate) fn secret_file(
    path: &Path,
    make: impl FnOnce() -> Result<Vec<u8>, StoreError>,
) -> Result<Vec<u8>, StoreError> {
    match fs::read(path) {
        Ok(bytes) => {
            restrict(path)?;
            return Ok(bytes);
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(StoreError::io("read", path, e)),
    }
    let bytes = make()?;
    let partial = path.with_extension("partial");
    let write = || -> io::Result<()> {
        let mut file =
            OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&partial)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&partial, path)
    };
    write().map_err(|e| StoreError::io("write", path, e))?;
    if let Some(dir) = path.parent() {
        sync_dir(dir)?;
    }
    Ok(bytes)
}

/// Takes group and others' rights away from a secret somebody copied carelessly.
fn restrict(path: &Path) -> Result<(), StoreError> {
    let meta = fs::metadata(path).map_err(|e| StoreError::io("read the rights of", path, e))?;
    if meta.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
            .map_err(|e| StoreError::io("restrict the rights of", path, e))?;
    }
    Ok(())
}

/// Random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0_u8; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| StoreError::Invalid {
        what: "a new secret",
        reason: "the operating system gave no random bytes".to_owned(),
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_on_the_same_folder_is_refused_until_the_first_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let held = FolderLock::take(dir.path()).unwrap();
        assert!(matches!(FolderLock::take(dir.path()), Err(StoreError::Locked { .. })));
        drop(held);
        FolderLock::take(dir.path()).unwrap();
    }

    #[test]
    fn a_lock_that_is_about_to_go_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let held = FolderLock::take(dir.path()).unwrap();
        let ending = std::thread::spawn(move || {
            std::thread::sleep(BETWEEN);
            drop(held);
        });
        FolderLock::take(dir.path()).unwrap();
        ending.join().unwrap();
    }

    #[test]
    fn a_nameless_file_is_ours_alone_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        // Of a process that ended while it made one.
        fs::write(dir.path().join(OVERFLOW_FILE), "left").unwrap();
        for make in [made_nameless, nameless_file] {
            let mut file = make(dir.path()).unwrap();
            file.write_all(b"something").unwrap();
            let meta = file.metadata().unwrap();
            assert_eq!((meta.len(), meta.permissions().mode() & 0o777), (9, 0o600));
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_secret_is_made_once_and_only_its_owner_may_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let first = secret_file(&path, || Ok(random::<32>()?.to_vec())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let second = secret_file(&path, || Ok(vec![])).unwrap();
        assert_eq!(first, second);
        assert_eq!(first.len(), 32);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
