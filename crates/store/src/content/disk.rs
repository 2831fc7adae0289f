//! Store: what lies on the disk against what is believed of it. A file that is gone or has another length is a fact, and
//! such a file is not held any more; one that only cannot be read now stays as it is, since that may pass.

use super::digests::Digests;
use super::{ContentFile, ContentStore, Held, INCOMING, place};
use crate::error::StoreError;
use crate::{Store, catalog};
use sluicegate_terms::{Sha1Digest, Sha256Digest};
use std::fmt;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::sync::atomic::Ordering;

/// How much is read and hashed at a time, in bytes.
const PIECE: usize = 1 << 20;

/// What somebody or something did to a file that is held.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Damage {
    /// Nothing lies where it was.
    Gone,
    /// It has another length than its update declares.
    Length {
        /// Its bytes.
        found: u64,
        /// The bytes it must have.
        declared: u64,
    },
    /// Its bytes have another digest than its name or its update says.
    Digest(&'static str),
}

/// A file that was held, is not any more, and is needed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LostFile {
    /// Which one.
    pub sha1: Sha1Digest,
    /// Its name in the catalog.
    pub name: String,
    /// What was found.
    pub damage: Damage,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("is gone from the disk"),
            Self::Length { found, declared } => write!(f, "has {found} bytes instead of {declared}"),
            Self::Digest(which) => write!(f, "has other bytes than its {which} says"),
        }
    }
}

impl ContentStore {
    /// Looks whether a held file lies there with its length; one that is not held is not damaged.
    pub(crate) fn look(&self, sha1: Sha1Digest) -> Result<Option<Damage>, StoreError> {
        let Some(held) = self.held(sha1) else { return Ok(None) };
        let path = place(&self.root, sha1, &held.extension);
        match fs::metadata(&path) {
            Ok(meta) if meta.len() == held.size => Ok(None),
            Ok(meta) => Ok(Some(Damage::Length { found: meta.len(), declared: held.size })),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.is_there()?;
                Ok(Some(Damage::Gone))
            }
            Err(error) => Err(StoreError::io("look at", &path, error)),
        }
    }

    /// Whether the content folder is there at all: where a disk is not mounted, no file of it is known to be gone.
    pub(crate) fn is_there(&self) -> Result<(), StoreError> {
        let path = self.root.join(INCOMING);
        fs::metadata(&path)
            .map(|_| ())
            .map_err(|e| StoreError::io("recognise the content folder by", &path, e))
    }

    /// Looks as [`ContentStore::look`] does, and then reads the file and compares its digests.
    pub(crate) fn look_into(
        &self,
        sha1: Sha1Digest,
        sha256: Option<Sha256Digest>,
    ) -> Result<Option<Damage>, StoreError> {
        if let Some(damage) = self.look(sha1)? {
            return Ok(Some(damage));
        }
        let Some(mut open) = self.open(sha1)? else { return Ok(None) };
        let path = place(&self.root, sha1, &open.held.extension);
        let which = differs(&mut open.file, sha1, sha256).map_err(|e| StoreError::io("read", &path, e))?;
        Ok(which.map(Damage::Digest))
    }

    /// Looks at a held file; one that is gone or has another length is not held from now on, so that it is wanted and
    /// fetched again. Says what was wrong with it.
    ///
    /// # Errors
    /// [`StoreError::Io`] when it cannot be looked at; it stays held, as that may pass.
    pub fn lose_if_damaged(&self, sha1: Sha1Digest) -> Result<Option<Damage>, StoreError> {
        let _placing = self.placing.lock();
        let Some(damage) = self.look(sha1)? else { return Ok(None) };
        let Some(held) = self.held.write().remove(&sha1) else { return Ok(None) };
        self.lose(sha1, &held, &damage);
        Ok(Some(damage))
    }

    /// What is left of a file that is not held any more is removed, as a repair does, and noted.
    pub(super) fn lose(&self, sha1: Sha1Digest, held: &Held, damage: &Damage) {
        let path = place(&self.root, sha1, &held.extension);
        tracing::error!(
            path = %path.display(),
            "this content file {damage}; it is not held any more, and fetched again where there is an upstream; without \
             one, give it with `sluicegate content add`"
        );
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "what is left of this content file cannot be removed");
        }
        self.lost.lock().insert(sha1, damage.clone());
        self.has_lost.store(true, Ordering::Relaxed);
    }

    /// Whether any file was lost since the start, also one that has come again.
    #[must_use]
    pub fn has_lost(&self) -> bool {
        self.has_lost.load(Ordering::Relaxed)
    }

    /// Opens a held file for somebody who asked for it; `None` when it is not held, or not any more, since it is gone or
    /// has another length.
    ///
    /// # Errors
    /// [`StoreError::Io`] when it cannot be opened; it stays held, as that may pass.
    pub fn open_or_lose(&self, sha1: Sha1Digest) -> Result<Option<ContentFile>, StoreError> {
        let failed = match self.open(sha1) {
            Ok(opened) => return Ok(opened),
            Err(failed) => failed,
        };
        match self.lose_if_damaged(sha1)? {
            Some(_) => Ok(None),
            // It may have been put in place anew in between.
            None => self.open(sha1).map_err(|_| failed),
        }
    }
}

impl Store {
    /// The files that were lost since the start, have not come again and are still needed.
    ///
    /// # Errors
    /// A failure to read.
    pub fn lost_files(&self) -> Result<Vec<LostFile>, StoreError> {
        let content = self.content();
        let lost = content.lost.lock().clone();
        let mut list = Vec::new();
        for (sha1, damage) in lost {
            let declared = self.shared.database.read(|db| catalog::declared_file(db, sha1))?;
            match declared {
                Some(declared) if self.needs_file(sha1)? => {
                    list.push(LostFile { sha1, name: declared.name, damage });
                }
                _ => {
                    content.lost.lock().remove(&sha1);
                }
            }
        }
        Ok(list)
    }
}

/// Reads a file to its end and says which digest it does not have.
pub(super) fn differs(
    file: &mut File,
    sha1: Sha1Digest,
    sha256: Option<Sha256Digest>,
) -> std::io::Result<Option<&'static str>> {
    let mut digests = if sha256.is_some() { Digests::both() } else { Digests::default() };
    let mut piece = vec![0_u8; PIECE];
    loop {
        let count = match file.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        digests.update(piece.get(..count).unwrap_or_default());
    }
    let (first, second) = digests.finish();
    if first != sha1 {
        return Ok(Some("SHA-1"));
    }
    Ok((second != sha256).then_some("SHA-256"))
}
