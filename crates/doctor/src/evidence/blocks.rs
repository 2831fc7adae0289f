//! Doctor room: a log in blocks that end with a line. A line longer than a block comes in pieces, so
//! that no line, however long, takes more memory than a block.

use crate::charset::{self, Endian, Storage};
use std::io::Read;

/// Bytes of a block.
pub(crate) const BLOCK: usize = 1 << 20;

/// One block: `bytes[..len]`.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub(crate) bytes: Vec<u8>,
    pub(crate) len: usize,
}

/// Cuts a stream into blocks.
pub(crate) struct Blocks<R> {
    stream: R,
    storage: Option<Storage>,
    carry: Vec<u8>,
    over: bool,
}

impl<R: Read> Blocks<R> {
    pub(crate) fn new(stream: R) -> Self {
        Self { stream, storage: None, carry: Vec::new(), over: false }
    }

    /// How the log is stored; known after the first block.
    pub(crate) fn storage(&self) -> Storage {
        self.storage.unwrap_or(Storage::Bytes)
    }

    /// Fills `block` with the next lines; false when there are no more.
    pub(crate) fn next(&mut self, block: &mut Block) -> std::io::Result<bool> {
        block.bytes.resize(BLOCK, 0);
        let mut filled = self.carry.len();
        if let Some(start) = block.bytes.get_mut(..filled) {
            start.copy_from_slice(&self.carry);
        }
        self.carry.clear();
        while filled < BLOCK && !self.over {
            let room = block.bytes.get_mut(filled..).unwrap_or_default();
            match self.stream.read(room) {
                Ok(0) => self.over = true,
                Ok(n) => filled += n,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        if self.storage.is_none() {
            let (storage, mark) = charset::storage(block.bytes.get(..filled).unwrap_or_default());
            self.storage = Some(storage);
            block.bytes.copy_within(mark..filled, 0);
            filled -= mark;
        }
        let text = block.bytes.get(..filled).unwrap_or_default();
        let whole = if self.over { filled } else { last_line_end(self.storage(), text) };
        self.carry.extend_from_slice(text.get(whole..).unwrap_or_default());
        block.len = whole;
        Ok(filled > 0)
    }
}

/// Where the last whole line ends; everything, when there is none.
fn last_line_end(storage: Storage, text: &[u8]) -> usize {
    let found = match storage {
        Storage::Bytes | Storage::Binary => memchr::memrchr(b'\n', text).map(|at| at + 1),
        Storage::Utf16(endian) => {
            let line_feed = match endian {
                Endian::Little => [b'\n', 0],
                Endian::Big => [0, b'\n'],
            };
            text.chunks_exact(2).rposition(|unit| unit == line_feed).map(|at| (at + 1) * 2)
        }
    };
    // Pieces of a long line end between characters of UTF-16 (between its halves at worst).
    found.unwrap_or(text.len() & !1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(bytes: &[u8]) -> Vec<usize> {
        let mut blocks = Blocks::new(bytes);
        let (mut block, mut lengths) = (Block::default(), Vec::new());
        while blocks.next(&mut block).unwrap() {
            lengths.push(block.len);
        }
        lengths
    }

    #[test]
    fn blocks_end_with_a_line() {
        let mut text = "a line of a log\n".repeat(100_000).into_bytes();
        text.extend_from_slice(b"the last, unfinished");
        let lengths = cut(&text);
        assert_eq!(lengths.iter().sum::<usize>(), text.len());
        let mut at = 0;
        for length in lengths.iter().take(lengths.len() - 1) {
            at += length;
            assert_eq!(text[at - 1], b'\n');
        }
    }

    #[test]
    fn a_line_without_end_comes_in_pieces() {
        let lengths = cut(&vec![b'x'; 3 * BLOCK + 5]);
        assert_eq!(lengths.iter().sum::<usize>(), 3 * BLOCK + 5);
        assert!(lengths.iter().all(|length| *length <= BLOCK));
    }

    #[test]
    fn nothing_gives_no_block() {
        assert!(cut(b"").is_empty());
    }
}
