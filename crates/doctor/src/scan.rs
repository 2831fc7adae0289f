//! Doctor room: one block of a log, looked at. Skips from one line worth a look to the next, and says
//! which signals hold there. Pure and stateless, so that blocks can be looked at side by side.

use crate::compile::{Captured, Matcher};
use crate::literals::LiteralSet;
use memchr::{memchr, memchr_iter, memrchr};

/// A signal that holds for a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hit {
    /// Number of the signal.
    pub(crate) signal: usize,
    /// Line within the block, from 0.
    pub(crate) line: u64,
    /// Where the line stands in the block.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// What its pattern took from the line.
    pub(crate) captured: Captured,
}

/// What a block holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BlockHits {
    pub(crate) lines: u64,
    pub(crate) hits: Vec<Hit>,
}

/// After so many lines in a row that were worth a look, the next ones are looked at without asking first:
/// where every line is worth it, asking costs as much as looking.
const BUSY: u32 = 2;

/// Looks at a block of UTF-8 or single-byte text; lines end with a line feed.
pub(crate) fn scan(matcher: &Matcher, block: &[u8]) -> BlockHits {
    let mut looked = Looked { matcher, block, result: BlockHits::default(), counted: 0, in_a_row: 0 };
    // The beginning of a line, or the end.
    let mut position = 0;
    while position < block.len() {
        if looked.in_a_row < BUSY {
            let Some(at) = matcher.next_candidate(block, position) else { break };
            let before = block.get(position..at).unwrap_or_default();
            let start = memrchr(b'\n', before).map_or(position, |n| position + n + 1);
            if start > position {
                looked.in_a_row = 0;
            }
            let span = Span { start, end: line_end(block, at) };
            looked.line(span, &matcher.literals.of(span.of(block)));
            position = span.end + 1;
        } else {
            let one = Span { start: position, end: line_end(block, position) };
            let other = Span { start: one.end + 1, end: line_end(block, one.end + 1) };
            let (in_one, in_other) = matcher.literals.of_two(one.of(block), other.of(block));
            looked.line(one, &in_one);
            if other.start < block.len() {
                looked.line(other, &in_other);
            }
            position = other.end + 1;
        }
    }
    looked.result.lines += count_lines(block.get(looked.counted..).unwrap_or_default());
    looked.result
}

/// A line of a block, without its line feed.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
}

impl Span {
    /// Its text, without the carriage return that some logs write.
    fn of(self, block: &[u8]) -> &[u8] {
        let line = block.get(self.start..self.end).unwrap_or_default();
        line.strip_suffix(b"\r").unwrap_or(line)
    }
}

/// Where the line that holds `from` ends.
fn line_end(block: &[u8], from: usize) -> usize {
    memchr(b'\n', block.get(from..).unwrap_or_default()).map_or(block.len(), |n| from + n)
}

/// How far a block is looked at.
struct Looked<'a> {
    matcher: &'a Matcher,
    block: &'a [u8],
    result: BlockHits,
    /// Lines are counted up to here.
    counted: usize,
    /// Lines worth a look, without one between them that was not.
    in_a_row: u32,
}

impl Looked<'_> {
    fn line(&mut self, span: Span, literals: &LiteralSet) {
        if self.counted < span.start {
            self.result.lines += count_lines(self.block.get(self.counted..span.start).unwrap_or_default());
        }
        let (line, number) = (span.of(self.block), self.result.lines);
        let hits = &mut self.result.hits;
        let worth_it = self.matcher.signals_of(line, literals, |signal, captured| {
            hits.push(Hit {
                signal,
                line: number,
                start: span.start,
                end: span.start + line.len(),
                captured,
            });
        });
        self.in_a_row = if worth_it { self.in_a_row.saturating_add(1) } else { 0 };
        self.counted = (span.end + 1).min(self.block.len());
        self.result.lines += u64::from(span.end < self.block.len());
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Doctor;
    use proptest::prelude::*;

    /// Each line by itself.
    fn plainly(matcher: &Matcher, block: &[u8]) -> BlockHits {
        let mut result = BlockHits { lines: count_lines(block), hits: Vec::new() };
        let mut start = 0;
        for (number, line) in (0..).zip(block.split(|byte| *byte == b'\n')) {
            let text = line.strip_suffix(b"\r").unwrap_or(line);
            matcher.signals_of(text, &matcher.literals.of(text), |signal, captured| {
                result.hits.push(Hit { signal, line: number, start, end: start + text.len(), captured });
            });
            start += line.len() + 1;
        }
        result
    }

    const LINES: [&str; 7] = [
        "2008-08-01\t10:11:12:100\t 788\tee4\tPT\tWARNING: SyncUpdates failure, error = 0x8024400E",
        "2023/01/10 10:00:00.1 1000 2000 Agent *FAILED* [80072EE2] Web service call failed\r",
        "{80072EE2-0000-1111-2222-333333333333} is no code",
        "Sync failed: x. Source: CWSyncMgr::DoSync  $$<SMS_X><08-01-2008 10:11:12.345+420><thread=1 (0x1)>",
        "2008-08-01 08:11:12.000 UTC\tWarning\tw3wp.12\tSoapUtilities.CreateException\tThrowException: actor = http://x/client.asmx, ID=11111111-2222-3333-4444-555555555555, ErrorCode=InternalServerError, Message=, Client=?",
        "nothing to see",
        "",
    ];

    proptest! {
        #[test]
        fn skipping_ahead_finds_what_looking_at_each_line_finds(
            lines in proptest::collection::vec(0..LINES.len(), 0..40),
            ends in any::<bool>(),
        ) {
            static DOCTOR: std::sync::OnceLock<Doctor> = std::sync::OnceLock::new();
            let matcher = &DOCTOR.get_or_init(|| Doctor::builtin().unwrap()).matcher;
            let mut block = lines.iter().map(|n| LINES[*n]).collect::<Vec<_>>().join("\n");
            if ends {
                block.push('\n');
            }
            let found = scan(matcher, block.as_bytes());
            prop_assert!(found.hits.is_empty() == lines.iter().all(|n| [2, 5, 6].contains(n)));
            prop_assert_eq!(found, plainly(matcher, block.as_bytes()));
        }
    }
}
