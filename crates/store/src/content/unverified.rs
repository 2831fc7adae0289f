//! Store: files that lie in the content folder and that nobody verified, as where one was filled before its catalog came,
//! or where the database is older than its files. They are put aside, and are held only when a catalog declares them and
//! every digest matches; a file of another length than declared is not held either, and needs no reading.

use super::disk::differs;
use super::{ContentStore, Damage, Expected, Held, UNVERIFIED, file_name, place, read_dir};
use crate::error::StoreError;
use crate::folder::sync_dir;
use crate::{Store, catalog};
use sluicegate_terms::{Sha1Digest, Timestamp};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A file that nobody verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Unverified {
    path: PathBuf,
    /// Its bytes.
    pub(crate) size: u64,
    /// Since when it lies there.
    pub(crate) since: Timestamp,
}

impl Unverified {
    fn read(path: PathBuf) -> Option<(Sha1Digest, Self)> {
        let name = file_name(&path)?;
        let sha1 = Sha1Digest::from_hex(name.split_once('.').map_or(name, |(stem, _)| stem)).ok()?;
        let meta = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
        let since = Timestamp::from_unix_seconds(meta.ctime());
        Some((sha1, Self { path, size: meta.len(), since }))
    }
}

impl ContentStore {
    /// At the start, when the catalog is read: what no update declares is put aside, and what has another length than
    /// declared is not held. Lengths were read with the names, so nothing is looked at again. On the disk nothing changes
    /// unless the store is `serving`.
    pub(crate) fn compare_with(
        &self,
        declared: impl Fn(Sha1Digest) -> Option<u64>,
        serving: bool,
    ) -> Result<(), StoreError> {
        let mut wrong: Vec<(Sha1Digest, Held, Option<u64>)> = Vec::new();
        for (sha1, held) in self.held.read().iter() {
            let size = declared(*sha1);
            if size != Some(held.size) {
                wrong.push((*sha1, held.clone(), size));
            }
        }
        if serving {
            let folder = self.root.join(UNVERIFIED);
            fs::create_dir_all(&folder).map_err(|e| StoreError::io("create", &folder, e))?;
        }
        let mut aside = 0_u64;
        for (sha1, held, size) in wrong {
            self.held.write().remove(&sha1);
            match size {
                _ if !serving => {}
                Some(declared) => self.lose(sha1, &held, &Damage::Length { found: held.size, declared }),
                None => {
                    self.put_aside(sha1, &held)?;
                    aside += 1;
                }
            }
        }
        if serving {
            self.list_unverified()?;
        }
        if aside > 0 {
            let folder = self.root.join(UNVERIFIED);
            sync_dir(&folder)?;
            tracing::warn!(
                files = aside, folder = %folder.display(),
                "files that no update declares lay among the content files; they are put aside, and taken when an update \
                 declares them and their digests match"
            );
        }
        Ok(())
    }

    fn put_aside(&self, sha1: Sha1Digest, held: &Held) -> Result<(), StoreError> {
        let from = place(&self.root, sha1, &held.extension);
        let Some(name) = from.file_name() else { return Ok(()) };
        fs::rename(&from, self.root.join(UNVERIFIED).join(name))
            .map_err(|e| StoreError::io("put aside", &from, e))
    }

    fn list_unverified(&self) -> Result<(), StoreError> {
        let list = read_dir(&self.root.join(UNVERIFIED))?;
        self.unverified.lock().extend(list.into_iter().filter_map(Unverified::read));
        Ok(())
    }

    /// Whether there are files that nobody verified.
    #[must_use]
    pub fn has_unverified(&self) -> bool {
        !self.unverified.lock().is_empty()
    }

    /// The files that nobody verified, in no order.
    pub(crate) fn unverified(&self) -> Vec<(Sha1Digest, Unverified)> {
        self.unverified.lock().iter().map(|(sha1, found)| (*sha1, found.clone())).collect()
    }

    /// Removes such a file.
    pub(crate) fn forget_unverified(&self, sha1: Sha1Digest) -> Result<(), StoreError> {
        let Some(found) = self.unverified.lock().remove(&sha1) else { return Ok(()) };
        remove(&found.path)
    }

    /// Verifies such a file and puts it in place, or removes it when it is not the declared one. One that cannot be read is
    /// left for the next start. Whoever calls this has the file's turn.
    pub(super) fn take_unverified(
        &self,
        sha1: Sha1Digest,
        expected: &Expected,
        now: Timestamp,
    ) -> Result<Option<Held>, StoreError> {
        let Some(found) = self.unverified.lock().remove(&sha1) else { return Ok(None) };
        let path = &found.path;
        let opened = File::open(path).and_then(|mut file| {
            let found = file.metadata()?.len();
            if found != expected.size {
                return Ok((file, Some(Damage::Length { found, declared: expected.size })));
            }
            let which = differs(&mut file, sha1, expected.sha256)?;
            Ok((file, which.map(Damage::Digest)))
        });
        match opened {
            Ok((file, None)) => {
                self.put_in_place(path, &file, sha1, expected, now)?;
                Ok(self.held(sha1))
            }
            Ok((_, Some(damage))) => {
                tracing::warn!(path = %path.display(), file = expected.name, "a file that lay here {damage}; it is removed");
                remove(path).map(|()| None)
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a file that lay here cannot be verified");
                Ok(None)
            }
        }
    }
}

impl Store {
    /// Verifies files that lay in the content folder before an update declared them, as far as one does now. Before each
    /// `go_on` is asked, which may wait. Answers how many were taken.
    ///
    /// # Errors
    /// A failure to read the database or to put a file in place.
    pub fn verify_found(&self, now: Timestamp, go_on: &mut dyn FnMut() -> bool) -> Result<u64, StoreError> {
        let content = self.content();
        let mut taken = 0;
        for (sha1, _) in content.unverified() {
            if self.file(sha1).is_none() {
                continue;
            }
            if !go_on() {
                break;
            }
            if content.has(sha1) {
                content.forget_unverified(sha1)?;
                continue;
            }
            let Some(expected) = self.shared.database.read(|db| catalog::declared_file(db, sha1))? else {
                continue;
            };
            let Some(_turn) = content.turn(sha1) else { continue };
            taken += u64::from(content.take_unverified(sha1, &expected, now)?.is_some());
        }
        Ok(taken)
    }
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::io("remove", path, error)),
        _ => Ok(()),
    }
}
