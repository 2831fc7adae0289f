//! Doctor room: the engine. Takes the signals of one log after another, in the order of their lines,
//! and keeps what matches need: lines close together, synchronization runs, error codes, fault ids.

mod found;
mod iis;
mod near;
mod plan;
mod run;
mod tally;
#[cfg(test)]
mod tests;
mod verdict;

use crate::book::Book;
use crate::charset;
use crate::compile::{Captured, CompileError, Mark, Matcher, Meaning};
use crate::finding::{Evidence, Finding};
use crate::frame;
use crate::literals::LiteralSet;
use crate::scan::{BlockHits, Hit};
use encoding_rs::Encoding;
use found::{Group, Occurrences};
use near::Near;
use plan::{Plan, Use};
use run::RunTracker;
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::cell::OnceCell;
use tally::Tally;

/// Characters of a line that are shown.
pub(crate) const SHOWN: usize = 500;
/// Stands where the beginning of a line is not shown.
const CUT: &str = "… ";
/// Bytes shown before what a long line is evidence for.
const BEFORE: usize = 160;
/// Bytes of a line that are kept while it may still become evidence.
const KEPT: usize = 2_000;

/// Everything found so far, and the state of the log being read.
#[derive(Debug)]
pub(crate) struct Engine<'a> {
    book: &'a Book,
    matcher: &'a Matcher,
    plan: Plan,
    occurrences: Vec<Occurrences>,
    /// Error codes, by number of their rule; one tally for each file they were seen in.
    codes: FxHashMap<usize, Vec<Tally>>,
    file: Option<FileState>,
    files: usize,
    failure: FailureText,
}

#[derive(Debug)]
struct FileState {
    label: String,
    number: usize,
    near: FxHashMap<usize, Near>,
    run: RunTracker,
    codes: FxHashMap<usize, Tally>,
    page: Option<&'static Encoding>,
    page_known: bool,
    iis: Option<iis::Fields>,
}

/// One line that has signals, with where it stands.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) bytes: &'a [u8],
    /// Number in the file, from 1.
    pub(crate) number: u64,
    file: &'a str,
    page: Option<&'static Encoding>,
    /// When it was written, once somebody asked: several signals hold on one line.
    clock: &'a OnceCell<Option<i64>>,
    /// What it is evidence for: the signal that holds.
    signal: Option<(&'a Matcher, usize)>,
}

impl Line<'_> {
    pub(crate) fn text(&self, limit: usize) -> Cow<'_, str> {
        charset::text(self.bytes, self.page, limit)
    }

    pub(crate) fn evidence(&self) -> Evidence {
        let mut text = self.text(SHOWN).into_owned();
        if let Some(from) = self.shown_from() {
            let rest = self.bytes.get(from..).unwrap_or_default();
            text = format!("{CUT}{}", charset::text(rest, self.page, SHOWN - CUT.chars().count()));
        }
        let time = self.on_moment(|moment| moment.written());
        Evidence { file: self.file.to_owned(), line: self.number, text, time }
    }

    /// From where on a line is shown whose beginning does not show what it is evidence for.
    fn shown_from(&self) -> Option<usize> {
        let (matcher, signal) = self.signal.filter(|_| self.bytes.len() > SHOWN)?;
        let place = matcher.place(signal, self.bytes).filter(|place| place.end > SHOWN)?;
        let from = place.start.saturating_sub(BEFORE);
        // From a word on where there is one, and never from within a character.
        let before = self.bytes.get(from..place.start)?;
        let word = memchr::memchr(b' ', before).map(|blank| from + blank + 1);
        Some(
            word.unwrap_or_else(|| {
                from + before.iter().take_while(|byte| (0x80..0xC0).contains(*byte)).count()
            }),
        )
    }

    /// When the line was written, in seconds that can be compared within its file.
    pub(crate) fn seconds(&self) -> Option<i64> {
        *self.clock.get_or_init(|| self.on_moment(|moment| moment.seconds))
    }

    fn on_moment<T>(&self, take: impl FnOnce(frame::Moment<'_>) -> T) -> Option<T> {
        match std::str::from_utf8(self.bytes) {
            Ok(text) => frame::moment(text).map(take),
            Err(_) => frame::moment(&self.text(KEPT)).map(take),
        }
    }
}

impl<'a> Engine<'a> {
    pub(crate) fn new(book: &'a Book, matcher: &'a Matcher) -> Result<Self, CompileError> {
        let plan = Plan::new(book, matcher)?;
        let occurrences = plan.matches.iter().map(|_| Occurrences::default()).collect();
        Ok(Self {
            book,
            matcher,
            plan,
            occurrences,
            codes: FxHashMap::default(),
            file: None,
            files: 0,
            failure: FailureText::default(),
        })
    }

    /// A new log begins.
    pub(crate) fn begin_file(&mut self, label: &str) {
        self.end_file();
        self.files += 1;
        self.file = Some(FileState {
            label: label.to_owned(),
            number: self.files,
            near: FxHashMap::default(),
            run: RunTracker::default(),
            codes: FxHashMap::default(),
            page: None,
            page_known: false,
            iis: None,
        });
    }

    /// The signals of the next block of the log; `base` lines came before it.
    pub(crate) fn block(&mut self, block: &[u8], hits: &BlockHits, base: u64) {
        let Some(mut file) = self.file.take() else { return };
        for line in hits.hits.chunk_by(|a, b| a.line == b.line) {
            let Some(first) = line.first() else { continue };
            let bytes = block.get(first.start..first.end).unwrap_or_default();
            if !file.page_known && std::str::from_utf8(bytes).is_err() {
                file.page = Some(charset::code_page(block));
                file.page_known = true;
            }
            let clock = OnceCell::new();
            for hit in line {
                self.hit(&mut file, hit, bytes, base + hit.line + 1, &clock);
            }
        }
        self.file = Some(file);
    }

    /// The log ends.
    pub(crate) fn end_file(&mut self) {
        let Some(mut file) = self.file.take() else { return };
        if let Some(run) = file.run.end() {
            self.close_run(&run, file.number, &file.label);
        }
        for (rule, tally) in file.codes {
            self.codes.entry(rule).or_default().push(tally);
        }
    }

    /// Everything is read: what is it?
    pub(crate) fn finish(mut self) -> Vec<Finding> {
        self.end_file();
        verdict::findings(self.book, &self.plan, &self.occurrences, &self.codes)
    }

    fn hit(
        &mut self,
        file: &mut FileState,
        hit: &Hit,
        bytes: &[u8],
        number: u64,
        clock: &OnceCell<Option<i64>>,
    ) {
        let Some(signal) = self.matcher.signals.get(hit.signal) else { return };
        let label = std::mem::take(&mut file.label);
        let signal_of = Some((self.matcher, hit.signal));
        let line = Line { bytes, number, file: &label, page: file.page, clock, signal: signal_of };
        match signal.meaning {
            Meaning::Code(rule) => file.codes.entry(rule).or_default().seen(line),
            Meaning::Mark(Mark::ScanSucceeded) => file.codes.values_mut().for_each(Tally::recovered),
            Meaning::Mark(Mark::IisFields) => file.iis = iis::Fields::read(bytes),
            Meaning::Mark(mark) => {
                if let Some(run) = file.run.mark(mark, line) {
                    self.close_run(&run, file.number, &label);
                    file.run.done(run);
                }
            }
            Meaning::Rule(_) => {
                let request = signal.iis.as_ref();
                if request.is_none_or(|condition| iis::holds(condition, file.iis.as_ref(), bytes)) {
                    self.use_signal(file, hit, line);
                }
            }
        }
        file.label = label;
    }

    fn use_signal(&mut self, file: &mut FileState, hit: &Hit, line: Line<'_>) {
        for part in 0..self.plan.uses(hit.signal).len() {
            let Some(Use { found, position }) = self.plan.uses(hit.signal).get(part).copied() else { return };
            let Some(planned) = self.plan.matches.get(found) else { continue };
            let Some(rule) = self.book.rules.get(planned.rule) else { continue };
            let Some(description) = rule.matches.get(planned.number) else { continue };
            let Some(occurrences) = self.occurrences.get_mut(found) else { continue };
            let keep = |key: Option<&str>| occurrences.wants_evidence(key);
            let group = if description.near.is_empty() {
                let Captured { key, host } = &hit.captured;
                Group {
                    evidence: if keep(key.as_deref()) { vec![line.evidence()] } else { Vec::new() },
                    key: key.clone(),
                    host: host.clone(),
                    first: line.number,
                    last: line.number,
                }
            } else {
                let near = file.near.entry(found).or_insert_with(|| Near::new(description.near.len()));
                near.set(position, hit, line);
                match near.complete(line, description.within, description.ordered, keep) {
                    Some(group) => group,
                    None => continue,
                }
            };
            for code in &planned.explains {
                if let Some(tally) = file.codes.get_mut(code) {
                    tally.claim(group.first, group.last, planned.rule);
                }
            }
            occurrences.add(group, file.number);
        }
    }

    fn close_run(&mut self, run: &run::Run, file: usize, label: &str) {
        let (end, text) = (run.end(), run.text());
        let literals = OnceCell::new();
        let mut explained = false;
        for planned in &self.plan.runs {
            if planned.condition.unexplained && explained {
                return;
            }
            if !run.satisfies(&planned.condition, end) {
                continue;
            }
            if let Some(condition) = &planned.text {
                let literals = literals.get_or_init(|| self.failure.literals(self.matcher, text));
                if !condition.holds(literals, text.as_bytes()) {
                    continue;
                }
            }
            // One that holds for the unexplained only does not explain: others like it hold as well.
            explained |= planned.explains_it && !planned.condition.unexplained;
            if let Some(occurrences) = self.occurrences.get_mut(planned.found) {
                let keep = occurrences.wants_evidence(None);
                occurrences.add(run.group(label, keep), file);
            }
        }
    }
}

/// What the latest failed run said, and the literals in it: a server that fails says the same each time.
#[derive(Debug, Default)]
struct FailureText {
    text: String,
    literals: Option<LiteralSet>,
}

impl FailureText {
    fn literals(&mut self, matcher: &Matcher, text: &str) -> LiteralSet {
        if self.text != text {
            self.text.clear();
            self.text.push_str(text);
            self.literals = None;
        }
        *self.literals.get_or_insert_with(|| matcher.literals.of(text.as_bytes()))
    }
}
