//! Store: writing past the system's cache. A large file that comes in is hashed from memory and not read again
//! soon: copying it through the cache costs time, and drives out what the database and clients need.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// What the system may ask places in the file and in memory to be multiples of, in bytes.
pub(super) const ALIGNMENT: usize = 4 << 10;

/// How much is written at a time, in bytes.
pub(super) const BLOCK: usize = 1 << 20;

/// A file open for writing past the cache, and the block that is being gathered for it.
#[derive(Debug)]
pub(super) struct Direct {
    file: File,
    room: Box<[u8]>,
    /// Where in `room` the block begins.
    start: usize,
    filled: usize,
}

impl Direct {
    /// `None` where file system or system cannot do it.
    pub(super) fn open(path: &Path) -> Option<Self> {
        let flags = i32::try_from(direct_flag()?).ok()?;
        let file = OpenOptions::new().write(true).custom_flags(flags).open(path).ok()?;
        let room = vec![0_u8; BLOCK + ALIGNMENT].into_boxed_slice();
        let start = room.as_ptr().align_offset(ALIGNMENT);
        (start <= ALIGNMENT).then_some(Self { file, room, start, filled: 0 })
    }

    /// Takes as much of `piece` as fits into the block; answers the rest.
    pub(super) fn take<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        let (now, later) = piece.split_at(piece.len().min(BLOCK - self.filled));
        let from = self.start + self.filled;
        if let Some(room) = self.room.get_mut(from..from + now.len()) {
            room.copy_from_slice(now);
            self.filled += now.len();
        }
        later
    }

    pub(super) fn is_full(&self) -> bool {
        self.filled == BLOCK
    }

    /// What waits to be written.
    pub(super) fn block(&self) -> &[u8] {
        self.room.get(self.start..self.start + self.filled).unwrap_or_default()
    }

    /// Writes a full block at `place`, a multiple of [`ALIGNMENT`].
    pub(super) fn write_at(&self, place: u64) -> std::io::Result<()> {
        self.file.write_all_at(self.block(), place)
    }

    pub(super) fn clear(&mut self) {
        self.filled = 0;
    }
}

#[cfg(target_os = "linux")]
fn direct_flag() -> Option<u32> {
    Some(rustix::fs::OFlags::DIRECT.bits())
}

#[cfg(not(target_os = "linux"))]
fn direct_flag() -> Option<u32> {
    None
}
