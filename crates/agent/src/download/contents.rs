//! Download: where the bytes of a file are kept while its pieces arrive in any order, and afterwards.

use super::{DownloadError, verify};
use crate::fragments::FileSpec;
use bytes::Bytes;
use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use sluicegate_terms::{Sha1Digest, Sha256Digest};
use std::io::{self, SeekFrom};
use std::path::PathBuf;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

/// Where downloaded files go.
#[derive(Clone, Debug)]
pub enum Place {
    /// Into memory, files up to this many bytes.
    Memory {
        /// The bound, in bytes.
        limit: u64,
    },
    /// Into this folder, named by their SHA-1 digest.
    Folder(PathBuf),
}

/// A file that was downloaded and verified.
#[derive(Clone, Debug)]
pub enum Contents {
    /// Its bytes.
    Memory(Bytes),
    /// Where it lies.
    File(PathBuf),
}

/// A file that is not complete yet.
pub(super) enum Sink {
    Memory(Vec<u8>),
    File { file: File, partial: PathBuf, complete: PathBuf },
}

impl Sink {
    pub(super) async fn create(place: &Place, spec: &FileSpec) -> Result<Self, DownloadError> {
        match place {
            Place::Memory { limit } => match usize::try_from(spec.size) {
                Ok(size) if spec.size <= *limit => Ok(Self::Memory(vec![0; size])),
                _ => Err(DownloadError::TooLarge { name: spec.name.clone(), size: spec.size, limit: *limit }),
            },
            Place::Folder(folder) => {
                let complete = folder.join(spec.sha1.to_hex_upper());
                let partial = complete.with_extension("part");
                let file =
                    File::options().read(true).write(true).create(true).truncate(true).open(&partial).await;
                let file = file.map_err(|source| DownloadError::Write { name: spec.name.clone(), source })?;
                Ok(Self::File { file, partial, complete })
            }
        }
    }

    pub(super) async fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Memory(buffer) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let end = start.saturating_add(bytes.len());
                let beyond = || io::Error::other("a piece lies beyond the end of the file");
                buffer.get_mut(start..end).ok_or_else(beyond)?.copy_from_slice(bytes);
                Ok(())
            }
            Self::File { file, .. } => {
                file.seek(SeekFrom::Start(offset)).await?;
                file.write_all(bytes).await
            }
        }
    }

    /// Verifies the digests; a file gets its lasting name only then.
    pub(super) async fn finish(self, spec: &FileSpec) -> Result<Contents, DownloadError> {
        match self {
            Self::Memory(buffer) => {
                let sha1 = Sha1Digest(Sha1::digest(&buffer).into());
                verify(spec, sha1, Sha256Digest(Sha256::digest(&buffer).into()))?;
                Ok(Contents::Memory(buffer.into()))
            }
            Self::File { mut file, partial, complete } => {
                let result = match digests(&mut file).await {
                    Ok((sha1, sha256)) => verify(spec, sha1, sha256),
                    Err(source) => Err(DownloadError::Write { name: spec.name.clone(), source }),
                };
                let result = match result {
                    Ok(()) => tokio::fs::rename(&partial, &complete)
                        .await
                        .map_err(|source| DownloadError::Write { name: spec.name.clone(), source }),
                    Err(error) => Err(error),
                };
                if let Err(error) = result {
                    drop(tokio::fs::remove_file(&partial).await);
                    return Err(error);
                }
                Ok(Contents::File(complete))
            }
        }
    }

    /// Removes what has arrived.
    pub(super) async fn discard(self) {
        if let Self::File { partial, .. } = self {
            drop(tokio::fs::remove_file(&partial).await);
        }
    }
}

async fn digests(file: &mut File) -> io::Result<(Sha1Digest, Sha256Digest)> {
    file.flush().await?;
    file.seek(SeekFrom::Start(0)).await?;
    let (mut sha1, mut sha256) = (Sha1::new(), Sha256::new());
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = file.read(&mut buffer).await?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        sha1.update(bytes);
        sha256.update(bytes);
    }
    Ok((Sha1Digest(sha1.finalize().into()), Sha256Digest(sha256.finalize().into())))
}
