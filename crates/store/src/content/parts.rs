//! Store: the parts of files that stopped on their way, as they lie on the disk. A run goes on with them; those that
//! nobody wants whole any more go.

use super::{ContentStore, PARTIAL, file_name, read_dir};
use crate::error::StoreError;
use sluicegate_terms::{Sha1Digest, Timestamp};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;

/// What has come of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Part {
    /// Its bytes.
    pub(crate) size: u64,
    /// When the last of them came.
    pub(crate) since: Timestamp,
}

impl ContentStore {
    /// Files of which only a part is here, with the bytes of it.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the folder cannot be listed.
    pub fn partials(&self) -> Result<Vec<(Sha1Digest, u64)>, StoreError> {
        Ok(self.parts()?.into_iter().map(|(sha1, part)| (sha1, part.size)).collect())
    }

    /// Files of which only a part is here, and what is known of it.
    pub(crate) fn parts(&self) -> Result<Vec<(Sha1Digest, Part)>, StoreError> {
        let (mut found, folder) = (Vec::new(), self.root.join(PARTIAL));
        if matches!(folder.try_exists(), Ok(false)) {
            return Ok(found);
        }
        for path in read_dir(&folder)? {
            let Some(sha1) = file_name(&path).and_then(|name| Sha1Digest::from_hex(name).ok()) else {
                continue;
            };
            // One that is finished at this moment has gone from here.
            if let Ok(meta) = fs::metadata(&path) {
                let since = Timestamp::from_unix_seconds(meta.mtime());
                found.push((sha1, Part { size: meta.len(), since }));
            }
        }
        Ok(found)
    }

    /// Whether somebody fetches or verifies a file now.
    pub(crate) fn is_taken(&self, sha1: Sha1Digest) -> bool {
        self.taken.lock().contains(&sha1)
    }

    /// Throws away the part of a file, unless somebody fetches that file or it is `needed`; whether it did. Nobody begins
    /// to fetch any file between that question and its end, so whoever begins then finds nothing of it and fetches it whole.
    pub(crate) fn forget_part(
        &self,
        sha1: Sha1Digest,
        needed: impl FnOnce() -> Result<bool, StoreError>,
    ) -> Result<bool, StoreError> {
        let taken = self.taken.lock();
        if taken.contains(&sha1) || needed()? {
            return Ok(false);
        }
        let path = self.root.join(PARTIAL).join(sha1.to_hex_upper());
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(StoreError::io("remove", &path, e)),
        }
    }

    /// At the start: what is held has no part any more.
    pub(super) fn tidy_partials(&self) -> Result<(), StoreError> {
        let folder = self.root.join(PARTIAL);
        fs::create_dir_all(&folder).map_err(|e| StoreError::io("create", &folder, e))?;
        for (sha1, _) in self.parts()? {
            if self.has(sha1) {
                self.forget_part(sha1, || Ok(false))?;
            }
        }
        Ok(())
    }
}
