//! Doctor room: rules made fast. Every literal of every signal goes into one automaton; a small one of
//! the literals that a signal cannot do without finds the lines worth a closer look.

use crate::book::Book;
use crate::literals::{Bound, LiteralSet, Literals, MAX_LITERALS};
use crate::rule::Signal;
use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind};
use regex::bytes::Regex;
use rustc_hash::FxHashMap;
use std::ops::Range;

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

/// Everything a worker needs to look at lines.
#[derive(Debug)]
pub(crate) struct Matcher {
    anchors: AhoCorasick,
    pub(crate) literals: Literals,
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
        let literals =
            Literals::new(&interner.texts, interner.bounds).map_err(|cause| no_automaton(&cause))?;
        Ok(Self { anchors, literals, by_anchor, signals, names, run_texts })
    }

    /// Where the next literal that a signal cannot do without ends, from `from` on.
    pub(crate) fn next_candidate(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let input = aho_corasick::Input::new(bytes).span(from..bytes.len());
        self.anchors.find(input).map(|found| found.start())
    }

    /// Where in `line` the first thing stands that `signal` looks for.
    pub(crate) fn place(&self, signal: usize, line: &[u8]) -> Option<Range<usize>> {
        let condition = &self.signals.get(signal)?.condition;
        let matched = condition.pattern.as_ref().and_then(|pattern| pattern.find(line));
        matched.map(|found| found.range()).or_else(|| {
            self.literals.first(line, |id| condition.all.contains(&id) || condition.any.contains(&id))
        })
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
