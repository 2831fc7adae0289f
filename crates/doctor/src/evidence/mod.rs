//! Doctor room: where logs come from. Finds files in folders, opens zip and gzip archives of them, and
//! bounds everything: counts, depths, sizes, and how much an archive may unpack to. The only part of the
//! room, with `examine`, that touches files.

mod blocks;
mod sources;

pub(crate) use blocks::{Block, Blocks};
pub(crate) use sources::{Source, each_stream, find};

/// How much is read at most. The defaults read any honest collection of logs.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Files, those within archives included.
    pub files: usize,
    /// Folders within folders.
    pub depth: usize,
    /// Bytes of one file once unpacked.
    pub file_bytes: u64,
    /// Bytes of everything once unpacked.
    pub total_bytes: u64,
    /// How many times its packed size a file may unpack to (the first 64 MiB are free).
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { files: 20_000, depth: 16, file_bytes: 16 << 30, total_bytes: 256 << 30, ratio: 400 }
    }
}
