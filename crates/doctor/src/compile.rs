//! Doctor room: rules made fast. Every literal of every signal goes into one automaton; a small one of
//! the literals that a signal cannot do without finds the lines worth a closer look.

use crate::book::Book;
use crate::rule::Signal;
use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::dfa::DFA;
use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, Anchored, StartKind};
use regex::bytes::Regex;
use rustc_hash::FxHashMap;
use std::ops::Range;

/// Which literals a line holds: one bit each.
pub(crate) type LiteralSet = [u64; LITERAL_WORDS];
const LITERAL_WORDS: usize = 16;
const NO_LITERALS: LiteralSet = [0; LITERAL_WORDS];
/// More literals than this do not fit the set; loading says so.
pub(crate) const MAX_LITERALS: usize = LITERAL_WORDS * 64;

/// What a signal that holds means to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Meaning {
    /// A signal of a rule: number of the rule, number of the signal within all signals.
    Rule(usize),
    /// An error code: number of its rule.
    Code(usize),
    /// One the engine understands itself: see `rules/shared.toml`.
    Mark(Mark),
}

/// The shared signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mark {
    RunBegins,
    RunStarted,
    RunInProgress,
    RunContacting,
    RunSyncing,
    RunProgress,
    RunDatabase,
    RunSucceeded,
    RunFailed,
    RunExported,
    RunTime,
    ScanSucceeded,
    IisFields,
}

const MARKS: [(&str, Mark); 13] = [
    ("run-begins", Mark::RunBegins),
    ("run-started", Mark::RunStarted),
    ("run-inprogress", Mark::RunInProgress),
    ("run-contacting", Mark::RunContacting),
    ("run-syncing", Mark::RunSyncing),
    ("run-progress", Mark::RunProgress),
    ("run-database", Mark::RunDatabase),
    ("run-succeeded", Mark::RunSucceeded),
    ("run-failed", Mark::RunFailed),
    ("run-exported", Mark::RunExported),
    ("run-time", Mark::RunTime),
    ("scan-succeeded", Mark::ScanSucceeded),
    ("iis-fields", Mark::IisFields),
];

/// A condition on text, with its literals as numbers.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    all: Vec<usize>,
    any: Vec<usize>,
    none: Vec<usize>,
    pub(crate) pattern: Option<Regex>,
}

/// A signal ready to be looked for.
#[derive(Debug, Clone)]
pub(crate) struct Compiled {
    pub(crate) meaning: Meaning,
    pub(crate) condition: Condition,
    pub(crate) iis: Option<crate::rule::IisCondition>,
    captures: bool,
}

/// What a pattern took from a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Captured {
    /// What joins the line with other files.
    pub(crate) key: Option<Box<str>>,
    /// The server it names.
    pub(crate) host: Option<Box<str>>,
}

/// What stands next to an occurrence of a literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    None,
    /// Digits of an error code in hexadecimal: nothing that would make it part of a GUID or a longer number.
    Hexadecimal,
    /// An error code in decimal.
    Decimal,
}

/// Everything a worker needs to look at lines.
#[derive(Debug)]
pub(crate) struct Matcher {
    anchors: AhoCorasick,
    literals: DFA,
    /// The state of `literals` at the beginning of a line.
    at_start: StateID,
    bounds: Vec<Bound>,
    /// For each literal, the signals that are looked at when it occurs.
    by_anchor: Vec<Vec<usize>>,
    pub(crate) signals: Vec<Compiled>,
    /// (rule, signal name) to the number of the signal.
    pub(crate) names: FxHashMap<(usize, String), usize>,
    /// The text conditions of run matches, by (rule, match).
    pub(crate) run_texts: FxHashMap<(usize, usize), Condition>,
}

/// A rule that cannot be compiled.
#[derive(Debug, thiserror::Error)]
#[error("rule {rule}: {what}")]
pub struct CompileError {
    rule: String,
    what: String,
}

#[derive(Default)]
struct Interner {
    texts: Vec<String>,
    bounds: Vec<Bound>,
    known: FxHashMap<String, usize>,
}

impl Interner {
    fn id(&mut self, text: &str, bound: Bound) -> usize {
        let text = text.to_ascii_lowercase();
        let key = format!("{text}\0{bound:?}");
        *self.known.entry(key).or_insert_with(|| {
            self.texts.push(text);
            self.bounds.push(bound);
            self.texts.len() - 1
        })
    }

    fn condition(&mut self, rule: &str, signal: &Signal) -> Result<Condition, CompileError> {
        let wrong = |what: String| CompileError { rule: rule.to_owned(), what };
        let mut ids = |texts: &[String]| -> Result<Vec<usize>, CompileError> {
            texts
                .iter()
                .map(|text| {
                    if text.len() < 2 || !text.is_ascii() {
                        Err(wrong(format!(
                            "`{text}` is not an invariant: it must be ASCII, 2 characters or more"
                        )))
                    } else {
                        Ok(self.id(text, Bound::None))
                    }
                })
                .collect()
        };
        let (all, mut any, none) = (ids(&signal.all)?, ids(&signal.any)?, ids(&signal.none)?);
        if let Some(iis) = &signal.iis {
            for status in &iis.status {
                any.push(self.id(&format!(" {status} "), Bound::None));
            }
        }
        let pattern = signal
            .pattern
            .as_deref()
            .map(|p| {
                regex::bytes::RegexBuilder::new(p)
                    .unicode(false)
                    .case_insensitive(true)
                    .size_limit(1 << 20)
                    .build()
                    .map_err(|cause| wrong(format!("its pattern `{p}` is wrong: {cause}")))
            })
            .transpose()?;
        Ok(Condition { all, any, none, pattern })
    }
}

impl Matcher {
    pub(crate) fn new(book: &Book) -> Result<Self, CompileError> {
        let mut interner = Interner::default();
        let mut signals = Vec::new();
        let mut names = FxHashMap::default();
        let mut run_texts = FxHashMap::default();
        for (name, mark) in MARKS {
            let missing =
                || CompileError { rule: "shared".to_owned(), what: format!("signal `{name}` is missing") };
            let signal = book.shared.get(name).ok_or_else(missing)?;
            signals.push(compiled(Meaning::Mark(mark), interner.condition("shared", signal)?, signal));
        }
        for (index, rule) in book.rules.iter().enumerate() {
            for (name, signal) in &rule.signals {
                let condition = interner.condition(&rule.id, signal)?;
                if condition.all.is_empty() && condition.any.is_empty() {
                    let what = format!("signal `{name}` needs a literal in `all`, `any` or `iis`");
                    return Err(CompileError { rule: rule.id.clone(), what });
                }
                names.insert((index, name.clone()), signals.len());
                signals.push(compiled(Meaning::Rule(signals.len()), condition, signal));
            }
            for found in &rule.matches {
                for name in found.line.iter().chain(&found.near) {
                    if let Some(shared) = book.shared.get(name).filter(|_| !rule.signals.contains_key(name))
                        && !names.contains_key(&(index, name.clone()))
                    {
                        names.insert((index, name.clone()), signals.len());
                        let condition = interner.condition(&rule.id, shared)?;
                        signals.push(compiled(Meaning::Rule(signals.len()), condition, shared));
                    }
                }
            }
            for (number, found) in rule.matches.iter().enumerate() {
                if let Some(text) = found.run.as_ref().and_then(|run| run.text.as_ref()) {
                    run_texts.insert((index, number), interner.condition(&rule.id, text)?);
                }
            }
            if let Some(code) = &rule.code {
                let any = code_literals(code)
                    .ok_or_else(|| CompileError {
                        rule: rule.id.clone(),
                        what: format!("`{code}` is not a code such as 0x8024400E"),
                    })?
                    .into_iter()
                    .map(|(text, bound)| interner.id(&text, bound))
                    .collect();
                let condition = Condition { all: Vec::new(), any, none: Vec::new(), pattern: None };
                signals.push(Compiled {
                    meaning: Meaning::Code(index),
                    condition,
                    iis: None,
                    captures: false,
                });
            }
        }
        Self::build(interner, signals, names, run_texts)
    }

    fn build(
        interner: Interner,
        signals: Vec<Compiled>,
        names: FxHashMap<(usize, String), usize>,
        run_texts: FxHashMap<(usize, usize), Condition>,
    ) -> Result<Self, CompileError> {
        let wrong = |what: String| CompileError { rule: "all".to_owned(), what };
        if interner.texts.len() > MAX_LITERALS {
            return Err(wrong(format!("more than {MAX_LITERALS} different literals in all rules")));
        }
        let mut by_anchor = vec![Vec::new(); interner.texts.len()];
        for (number, signal) in signals.iter().enumerate() {
            // The longest literal that must occur is the rarest; without one, each alternative is looked for.
            let longest =
                signal.condition.all.iter().max_by_key(|id| interner.texts.get(**id).map_or(0, String::len));
            let wanted = longest.map_or(signal.condition.any.as_slice(), std::slice::from_ref);
            for id in wanted {
                if let Some(list) = by_anchor.get_mut(*id) {
                    list.push(number);
                }
            }
        }
        let no_automaton =
            |cause: &dyn std::fmt::Display| wrong(format!("the literals make no automaton: {cause}"));
        let wanted: Vec<&String> =
            interner.texts.iter().zip(&by_anchor).filter(|(_, s)| !s.is_empty()).map(|(t, _)| t).collect();
        let anchors = AhoCorasickBuilder::new()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .build(wanted)
            .map_err(|cause| no_automaton(&cause))?;
        let literals = DFA::builder()
            .ascii_case_insensitive(true)
            .start_kind(StartKind::Unanchored)
            .prefilter(false)
            .build(&interner.texts)
            .map_err(|cause| no_automaton(&cause))?;
        let at_start = literals.start_state(Anchored::No).map_err(|cause| no_automaton(&cause))?;
        Ok(Self {
            anchors,
            literals,
            at_start,
            bounds: interner.bounds,
            by_anchor,
            signals,
            names,
            run_texts,
        })
    }

    /// Where the next literal that a signal cannot do without ends, from `from` on.
    pub(crate) fn next_candidate(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let input = aho_corasick::Input::new(bytes).span(from..bytes.len());
        self.anchors.find(input).map(|found| found.start())
    }

    /// The literals that `line` holds.
    pub(crate) fn literals(&self, line: &[u8]) -> LiteralSet {
        let mut set = NO_LITERALS;
        self.follow(&mut set, self.at_start, line, 0);
        set
    }

    /// The literals that each of two lines holds. Each step through the automaton waits for the one before,
    /// so two lines side by side take little longer than one.
    pub(crate) fn literals_of_two(&self, one: &[u8], other: &[u8]) -> (LiteralSet, LiteralSet) {
        let (mut one_set, mut other_set) = (NO_LITERALS, NO_LITERALS);
        let (mut one_state, mut other_state) = (self.at_start, self.at_start);
        let both = one.len().min(other.len());
        for (at, (a, b)) in one.iter().zip(other).enumerate() {
            one_state = self.literals.next_state(Anchored::No, one_state, *a);
            other_state = self.literals.next_state(Anchored::No, other_state, *b);
            if self.literals.is_special(one_state) {
                self.add_literals(&mut one_set, one_state, one, at + 1);
            }
            if self.literals.is_special(other_state) {
                self.add_literals(&mut other_set, other_state, other, at + 1);
            }
        }
        self.follow(&mut one_set, one_state, one, both);
        self.follow(&mut other_set, other_state, other, both);
        (one_set, other_set)
    }

    /// Adds the literals that end behind `from`, where the automaton has come to `state`.
    fn follow(&self, set: &mut LiteralSet, mut state: StateID, line: &[u8], from: usize) {
        // By hand: for every byte of every line worth a look, the general search does three times the work.
        for (at, byte) in line.iter().enumerate().skip(from) {
            state = self.literals.next_state(Anchored::No, state, *byte);
            if self.literals.is_special(state) {
                self.add_literals(set, state, line, at + 1);
            }
        }
    }

    /// Adds the literals that end before `end`, where the automaton is in `state`. Kept out of the loop over
    /// bytes, which then has registers enough.
    #[inline(never)]
    fn add_literals(&self, set: &mut LiteralSet, state: StateID, line: &[u8], end: usize) {
        if !self.literals.is_match(state) {
            return;
        }
        for index in 0..self.literals.match_len(state) {
            let pattern = self.literals.match_pattern(state, index);
            let id = pattern.as_usize();
            let fits = match self.bounds.get(id) {
                None | Some(Bound::None) => true,
                Some(bound) => {
                    let start = end.saturating_sub(self.literals.pattern_len(pattern));
                    stands_alone(line, start, end, *bound)
                }
            };
            if fits && let Some(word) = set.get_mut(id / 64) {
                *word |= 1 << (id % 64);
            }
        }
    }

    /// Where in `line` the first thing stands that `signal` looks for.
    pub(crate) fn place(&self, signal: usize, line: &[u8]) -> Option<Range<usize>> {
        let condition = &self.signals.get(signal)?.condition;
        if let Some(found) = condition.pattern.as_ref().and_then(|pattern| pattern.find(line)) {
            return Some(found.range());
        }
        let mut state = self.at_start;
        for (at, byte) in line.iter().enumerate() {
            state = self.literals.next_state(Anchored::No, state, *byte);
            if !self.literals.is_match(state) {
                continue;
            }
            for index in 0..self.literals.match_len(state) {
                let pattern = self.literals.match_pattern(state, index);
                let (id, end) = (pattern.as_usize(), at + 1);
                let start = end.saturating_sub(self.literals.pattern_len(pattern));
                let bound = self.bounds.get(id).copied().unwrap_or(Bound::None);
                let wanted = condition.all.contains(&id) || condition.any.contains(&id);
                if wanted && stands_alone(line, start, end, bound) {
                    return Some(start..end);
                }
            }
        }
        None
    }

    /// Calls `found` with the number of each signal that holds for `line`, in which the literals of `set` stand,
    /// and what it captured. Answers whether any of them is one that a signal cannot do without.
    pub(crate) fn signals_of(
        &self,
        line: &[u8],
        set: &LiteralSet,
        mut found: impl FnMut(usize, Captured),
    ) -> bool {
        let mut any = false;
        let mut seen = [usize::MAX; 32];
        let mut seen_count = 0;
        for (word_index, word) in set.iter().enumerate() {
            let mut rest = *word;
            while rest != 0 {
                let id = word_index * 64 + rest.trailing_zeros() as usize;
                rest &= rest - 1;
                for number in self.by_anchor.get(id).into_iter().flatten() {
                    any = true;
                    // A signal with alternatives can be reached through several of them.
                    if seen.iter().take(seen_count).any(|s| s == number) {
                        continue;
                    }
                    if let Some(captured) = self.signals.get(*number).and_then(|s| s.holds(set, line)) {
                        if let Some(slot) = seen.get_mut(seen_count) {
                            *slot = *number;
                            seen_count += 1;
                        }
                        found(*number, captured);
                    }
                }
            }
        }
        any
    }
}

impl Condition {
    pub(crate) fn holds(&self, set: &LiteralSet, text: &[u8]) -> bool {
        self.literals_hold(set) && self.pattern.as_ref().is_none_or(|p| p.is_match(text))
    }

    fn literals_hold(&self, set: &LiteralSet) -> bool {
        let has = |id: &usize| set.get(id / 64).is_some_and(|word| word & (1 << (id % 64)) != 0);
        self.all.iter().all(has)
            && (self.any.is_empty() || self.any.iter().any(has))
            && !self.none.iter().any(has)
    }
}

impl Compiled {
    /// Whether the signal holds for a line, and what the groups `key` and `host` of its pattern hold.
    fn holds(&self, set: &LiteralSet, line: &[u8]) -> Option<Captured> {
        if !self.condition.literals_hold(set) {
            return None;
        }
        match &self.condition.pattern {
            None => Some(Captured::default()),
            Some(pattern) if !self.captures => pattern.is_match(line).then(Captured::default),
            Some(pattern) => {
                let captures = pattern.captures(line)?;
                let group = |name| {
                    captures
                        .name(name)
                        .map(|m| String::from_utf8_lossy(m.as_bytes()).to_ascii_lowercase().into_boxed_str())
                };
                Some(Captured { key: group("key"), host: group("host") })
            }
        }
    }
}

fn compiled(meaning: Meaning, condition: Condition, signal: &Signal) -> Compiled {
    let captures = condition.pattern.as_ref().is_some_and(|p| p.captures_len() > 1);
    Compiled { meaning, condition, iis: signal.iis.clone(), captures }
}

/// The three ways in which logs write a code: `8024400E` (mostly behind `0x`), and as a decimal number
/// with and without sign.
fn code_literals(code: &str) -> Option<[(String, Bound); 3]> {
    let digits = code.strip_prefix("0x")?;
    if digits.len() != 8 {
        return None;
    }
    let value = u32::from_str_radix(digits, 16).ok()?;
    Some([
        (digits.to_owned(), Bound::Hexadecimal),
        (value.cast_signed().to_string(), Bound::Decimal),
        (value.to_string(), Bound::Decimal),
    ])
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
