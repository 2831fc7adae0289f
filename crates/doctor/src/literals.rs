//! Doctor room: the literals of all signals, looked for at once. Says which of them a line holds, where they count:
//! the digits of an error code are none within a GUID or a longer number.

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, BuildError, MatchError, StartKind};
use std::ops::Range;

/// Which literals a line holds: one bit each.
pub(crate) type LiteralSet = [u64; LITERAL_WORDS];
const LITERAL_WORDS: usize = 16;
const NO_LITERALS: LiteralSet = [0; LITERAL_WORDS];
/// More literals than this do not fit the set; loading says so.
pub(crate) const MAX_LITERALS: usize = LITERAL_WORDS * 64;

/// What stands next to an occurrence of a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    None,
    /// Digits of an error code in hexadecimal: nothing that would make it part of a GUID or a longer number.
    Hexadecimal,
    /// An error code in decimal.
    Decimal,
}

/// All literals, by their numbers. Letter case does not matter.
#[derive(Debug)]
pub(crate) struct Literals {
    automaton: DFA,
    /// Its state at the beginning of a line.
    at_start: StateID,
    bounds: Vec<Bound>,
}

/// Why there is no automaton.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LiteralsError {
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Start(#[from] MatchError),
}

impl Literals {
    pub(crate) fn new(texts: &[String], bounds: Vec<Bound>) -> Result<Self, LiteralsError> {
        let automaton = DFA::builder()
            .ascii_case_insensitive(true)
            .start_kind(StartKind::Unanchored)
            .prefilter(false)
            .build(texts)?;
        let at_start = automaton.start_state(Anchored::No)?;
        Ok(Self { automaton, at_start, bounds })
    }

    /// Those that `line` holds.
    pub(crate) fn of(&self, line: &[u8]) -> LiteralSet {
        let mut set = NO_LITERALS;
        self.follow(&mut set, self.at_start, line, 0);
        set
    }

    /// Those that each of two lines holds. Each step through the automaton waits for the one before, so two
    /// lines side by side take little longer than one.
    pub(crate) fn of_two(&self, one: &[u8], other: &[u8]) -> (LiteralSet, LiteralSet) {
        let (mut one_set, mut other_set) = (NO_LITERALS, NO_LITERALS);
        let (mut one_state, mut other_state) = (self.at_start, self.at_start);
        let both = one.len().min(other.len());
        for (at, (a, b)) in one.iter().zip(other).enumerate() {
            one_state = self.automaton.next_state(Anchored::No, one_state, *a);
            other_state = self.automaton.next_state(Anchored::No, other_state, *b);
            if self.automaton.is_special(one_state) {
                self.add(&mut one_set, one_state, one, at + 1);
            }
            if self.automaton.is_special(other_state) {
                self.add(&mut other_set, other_state, other, at + 1);
            }
        }
        self.follow(&mut one_set, one_state, one, both);
        self.follow(&mut other_set, other_state, other, both);
        (one_set, other_set)
    }

    /// Where the first of those that are `wanted` stands in `line`.
    pub(crate) fn first(&self, line: &[u8], wanted: impl Fn(usize) -> bool) -> Option<Range<usize>> {
        let mut state = self.at_start;
        for (at, byte) in line.iter().enumerate() {
            state = self.automaton.next_state(Anchored::No, state, *byte);
            let mut here = self.ending(state, line, at + 1);
            if let Some((_, start)) = here.find(|(id, _)| wanted(*id)) {
                return Some(start..at + 1);
            }
        }
        None
    }

    /// Adds those that end behind `from`, where the automaton has come to `state`.
    fn follow(&self, set: &mut LiteralSet, mut state: StateID, line: &[u8], from: usize) {
        // By hand: for every byte of every line worth a look, the general search does three times the work.
        for (at, byte) in line.iter().enumerate().skip(from) {
            state = self.automaton.next_state(Anchored::No, state, *byte);
            if self.automaton.is_special(state) {
                self.add(set, state, line, at + 1);
            }
        }
    }

    /// Adds those that end before `end`. Kept out of the loop over bytes, which then has registers enough.
    #[inline(never)]
    fn add(&self, set: &mut LiteralSet, state: StateID, line: &[u8], end: usize) {
        for (id, _) in self.ending(state, line, end) {
            if let Some(word) = set.get_mut(id / 64) {
                *word |= 1 << (id % 64);
            }
        }
    }

    /// Number and start of each that ends before `end`, where the automaton is in `state`.
    fn ending(&self, state: StateID, line: &[u8], end: usize) -> impl Iterator<Item = (usize, usize)> {
        let count = if self.automaton.is_match(state) { self.automaton.match_len(state) } else { 0 };
        (0..count).filter_map(move |index| {
            let pattern = self.automaton.match_pattern(state, index);
            let start = end.saturating_sub(self.automaton.pattern_len(pattern));
            let bound = self.bounds.get(pattern.as_usize()).copied().unwrap_or(Bound::None);
            stands_alone(line, start, end, bound).then_some((pattern.as_usize(), start))
        })
    }
}

fn stands_alone(line: &[u8], start: usize, end: usize, bound: Bound) -> bool {
    let next = line.get(end).copied();
    let before = line.get(..start).unwrap_or_default();
    let prefixed = before.last_chunk::<2>().is_some_and(|two| two.eq_ignore_ascii_case(b"0x"));
    let previous = before.last().copied();
    match bound {
        Bound::None => true,
        Bound::Decimal => {
            !previous.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
                && !next.is_some_and(|b| b.is_ascii_alphanumeric())
        }
        Bound::Hexadecimal => {
            let joined = next.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
            let guid = next == Some(b'-') && line.get(end + 1).is_some_and(u8::is_ascii_hexdigit);
            if prefixed {
                !joined
            } else {
                !joined && !guid && !previous.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'-')
            }
        }
    }
}
