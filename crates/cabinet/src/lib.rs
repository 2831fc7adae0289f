//! Room: Cabinet files (MS-CAB). Metadata exports and the update blobs between servers are cabinets;
//! reading takes stored, MSZIP and LZX folders from bytes in memory, each folder decoded once and every
//! size bounded before anything is allocated for it. Writing makes MSZIP. Bytes in, bytes out.
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod blob;
mod folder;
mod layout;
mod stream;
mod write;

#[cfg(test)]
mod tests;

pub use blob::{BLOB_MEMBER, BlobWriter, read_blob};
use folder::FolderReader;
use layout::Layout;
pub use stream::{MOST_FOLDER_BYTES, write_streamed};
pub use write::write;

/// What a cabinet may hold at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Members.
    pub members: usize,
    /// Folders (separately compressed streams). A real cabinet has one or a few; each costs a window.
    pub folders: usize,
    /// Bytes of one member.
    pub member_bytes: u64,
    /// Bytes of all members together.
    pub total_bytes: u64,
}

impl Default for Limits {
    /// For one update document or a small export: 4,096 members, 64 folders, 256 MiB.
    fn default() -> Self {
        Self { members: 4096, folders: 64, member_bytes: 256 << 20, total_bytes: 256 << 20 }
    }
}

/// Why bytes are not a usable cabinet, or cannot become one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CabinetError {
    /// The bytes do not begin with `MSCF`.
    #[error("this is not a Cabinet file (it does not begin with MSCF)")]
    Signature,
    /// A version other than 1.x up to 1.3.
    #[error("the Cabinet file has version {major}.{minor}; up to 1.3 is supported")]
    Version {
        /// Major version.
        major: u8,
        /// Minor version.
        minor: u8,
    },
    /// The bytes end early.
    #[error("the Cabinet file ends inside its {0}")]
    Cut(&'static str),
    /// A member or folder continues in another file.
    #[error("the Cabinet file is one part of a set; join the set first")]
    Spanned,
    /// One of the [`Limits`].
    #[error("the Cabinet file has {what} of {value}; at most {limit} is permitted")]
    Limit {
        /// Which quantity.
        what: &'static str,
        /// Its value.
        value: u64,
        /// The bound.
        limit: u64,
    },
    /// A compression scheme that is not read (Quantum, or an unknown one).
    #[error("the Cabinet file uses compression type 0x{0:04x}; stored, MSZIP and LZX are supported")]
    Compression(u16),
    /// Something points at what is not there.
    #[error("the Cabinet file is damaged: {0}")]
    Damaged(String),
    /// A data block with a wrong checksum.
    #[error("data block {block} of folder {folder} has a wrong checksum")]
    Checksum {
        /// Which folder, from 0.
        folder: usize,
        /// Which block of it, from 0.
        block: usize,
    },
    /// A member name that a cabinet cannot hold.
    #[error("`{0}` cannot be a member name (1 to 255 bytes, no control characters)")]
    Name(String),
    /// The writer failed.
    #[error("the Cabinet file could not be written: {0}")]
    Write(String),
}

/// The name and size of one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As stored, perhaps with backslashes. Never to be used as a path.
    pub name: String,
    /// Uncompressed bytes.
    pub size: u64,
    folder: usize,
    offset: u64,
}

/// One member with its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// As stored, perhaps with backslashes. Never to be used as a path.
    pub name: String,
    /// Uncompressed.
    pub data: Vec<u8>,
}

/// A cabinet whose directory has been read and checked.
#[derive(Debug)]
pub struct Cabinet<'a> {
    layout: Layout<'a>,
}

impl<'a> Cabinet<'a> {
    /// Reads the directory.
    ///
    /// # Errors
    /// [`CabinetError`]; nothing is decompressed yet.
    pub fn open(bytes: &'a [u8], limits: &Limits) -> Result<Self, CabinetError> {
        Layout::parse(bytes, limits).map(|layout| Self { layout })
    }

    /// The members in the order of the directory.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.layout.entries
    }

    /// Decompresses one member and hands it on in pieces of at most 64 KiB. For members too large to hold;
    /// what lies before it in its folder is decompressed too. A piece for which `take` returns false is
    /// the last.
    ///
    /// # Errors
    /// [`CabinetError`]; pieces handed on before stay handed on.
    pub fn pieces(&self, entry: &Entry, mut take: impl FnMut(&[u8]) -> bool) -> Result<(), CabinetError> {
        if entry.size == 0 {
            return Ok(());
        }
        let end = entry.offset.saturating_add(entry.size);
        let mut reader = FolderReader::new(&self.layout, entry.folder)?;
        while reader.position() < end {
            let from = reader.position();
            let block = reader.next_block()?;
            let part = clip(block, from, entry.offset, end);
            if !part.is_empty() && !take(part) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Decompresses one member.
    ///
    /// # Errors
    /// [`CabinetError`].
    pub fn read(&self, entry: &Entry) -> Result<Vec<u8>, CabinetError> {
        let mut data = Vec::new();
        self.pieces(entry, |piece| {
            data.extend_from_slice(piece);
            true
        })?;
        Ok(data)
    }

    /// Decompresses every member, each folder once.
    ///
    /// # Errors
    /// [`CabinetError`].
    pub fn read_all(&self) -> Result<Vec<Member>, CabinetError> {
        let entries = &self.layout.entries;
        let mut members: Vec<Member> =
            entries.iter().map(|entry| Member { name: entry.name.clone(), data: Vec::new() }).collect();
        for folder in 0..self.layout.folders.len() {
            let needed = |entry: &Entry| entry.folder == folder && entry.size > 0;
            let end = entries.iter().filter(|e| needed(e)).map(|e| e.offset.saturating_add(e.size)).max();
            let Some(end) = end else { continue };
            // Decode first, cut after: members may lie in any order and overlap, and the directory's
            // sizes are within the limits already.
            let mut whole: Vec<u8> = Vec::new();
            let mut reader = FolderReader::new(&self.layout, folder)?;
            while reader.position() < end {
                whole.extend_from_slice(reader.next_block()?);
            }
            for (entry, member) in entries.iter().zip(&mut members).filter(|(entry, _)| needed(entry)) {
                member.data = clip(&whole, 0, entry.offset, entry.offset.saturating_add(entry.size)).to_vec();
            }
        }
        Ok(members)
    }
}

/// The part of `block`, which begins at position `from`, that lies in `start..end`.
fn clip(block: &[u8], from: u64, start: u64, end: u64) -> &[u8] {
    let index = |position: u64| usize::try_from(position.saturating_sub(from)).unwrap_or(usize::MAX);
    let end = index(end).min(block.len());
    block.get(index(start).min(end)..end).unwrap_or_default()
}

/// Reads every member of a cabinet.
///
/// # Errors
/// [`CabinetError`].
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Vec<Member>, CabinetError> {
    Cabinet::open(bytes, limits)?.read_all()
}
