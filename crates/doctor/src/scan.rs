//! Doctor room: one block of a log, looked at. Skips from one line worth a look to the next, and says
//! which signals hold there. Pure and stateless, so that blocks can be looked at side by side.

use crate::compile::Matcher;
use memchr::{memchr, memchr_iter, memrchr};

/// A signal that holds for a line.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    /// Number of the signal.
    pub(crate) signal: usize,
    /// Line within the block, from 0.
    pub(crate) line: u64,
    /// Where the line stands in the block.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// What joins it with other files.
    pub(crate) key: Option<Box<str>>,
    /// The server it names.
    pub(crate) host: Option<Box<str>>,
}

/// What a block holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct BlockHits {
    pub(crate) lines: u64,
    pub(crate) hits: Vec<Hit>,
}

/// Looks at a block of UTF-8 or single-byte text; lines end with a line feed.
pub(crate) fn scan(matcher: &Matcher, block: &[u8]) -> BlockHits {
    let mut result = BlockHits::default();
    let mut position = 0;
    // Lines are counted up to here.
    let mut counted = 0;
    while let Some(at) = matcher.next_candidate(block, position) {
        let before = block.get(..at).unwrap_or_default();
        let start = memrchr(b'\n', before).map_or(0, |n| n + 1);
        let rest = block.get(at..).unwrap_or_default();
        let end = memchr(b'\n', rest).map_or(block.len(), |n| at + n);
        result.lines += count_lines(block.get(counted..start).unwrap_or_default());
        counted = start;
        let mut line = block.get(start..end).unwrap_or_default();
        if let Some(without) = line.strip_suffix(b"\r") {
            line = without;
        }
        let number = result.lines;
        let hits = &mut result.hits;
        matcher.signals_of(line, |signal, compiled| {
            let (key, host) = compiled.captured(line);
            hits.push(Hit { signal, line: number, start, end: start + line.len(), key, host });
        });
        position = end;
    }
    result.lines += count_lines(block.get(counted..).unwrap_or_default());
    result
}

fn count_lines(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}
