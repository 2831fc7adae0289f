//! Doctor room: synchronization runs of a site server. Follows one run from its first line to its end
//! and remembers how far it got, because the last line reached tells which connection failed.

use super::found::Group;
use super::{KEPT, Line};
use crate::compile::Mark;
use crate::finding::Evidence;
use crate::frame;
use crate::rule::{Outcome, RunCondition, Stage};
use core::cell::OnceCell;
use core::ops::Range;
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// Bytes of failure text kept for one run.
const FAILURE_TEXT: usize = 16 << 10;
/// Lines that tell of a failure, kept for one run.
const FAILURE_LINES: usize = 4;
/// Bytes of lines kept for one run side by side; what comes after is kept each by itself.
const LINES: usize = 64 << 10;
/// `Stage::Database` is the last one.
const STAGES: usize = Stage::Database as usize + 1;

static WILL_RETRY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("Will retry in"));
static SOURCE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("Source:"));

/// A line that may be shown. Of many none ever is, so what can wait is kept as it came.
#[derive(Debug)]
enum Kept {
    /// ASCII, and not long: a part of the run's `lines`.
    Plain { number: u64, place: Range<usize> },
    /// What depends on more than its own bytes.
    Ready(Evidence),
}

impl Kept {
    const fn number(&self) -> u64 {
        match self {
            Self::Plain { number, .. } => *number,
            Self::Ready(evidence) => evidence.line,
        }
    }
}

/// One run.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// The lines that are kept as they came.
    lines: Vec<u8>,
    /// Its beginning is in the log, so that what is missing was not reached.
    whole: bool,
    /// A run without any run around it: a status message on its own.
    exported: bool,
    /// The first in its log, as far as is known.
    first: bool,
    /// The latest line of each stage.
    reached: [Option<Kept>; STAGES],
    begun: Option<Kept>,
    failure: Vec<Kept>,
    /// What the failure says, without frames.
    text: String,
    succeeded: bool,
    /// Seconds, as the log says at the end.
    took: Option<i64>,
    started_at: Option<i64>,
    ended_at: Option<i64>,
    last_line: u64,
}

/// How a run ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    outcome: Outcome,
    minutes: Option<u32>,
}

/// The run under way in one file.
#[derive(Debug, Default)]
pub(crate) struct RunTracker {
    run: Option<Box<Run>>,
    /// One that is over, for its memory: a log may tell of a million runs.
    spare: Option<Box<Run>>,
    any_succeeded: bool,
}

impl RunTracker {
    /// Takes the next line of a run; gives back a run that is over.
    pub(crate) fn mark(&mut self, mark: Mark, line: Line<'_>) -> Option<Box<Run>> {
        let mut over = None;
        if self.begins_anew(mark) {
            over = self.end();
        }
        let first = !self.any_succeeded;
        let spare = &mut self.spare;
        let run = self.run.get_or_insert_with(|| {
            let mut run = spare.take().unwrap_or_default();
            run.first = first;
            run
        });
        run.last_line = line.number;
        match mark {
            Mark::RunBegins | Mark::RunStarted => {
                run.whole = true;
                run.started_at = run.started_at.or_else(|| line.seconds());
                if mark == Mark::RunStarted {
                    run.reach(Stage::Started, line);
                } else {
                    run.begun = Some(run.keep(line));
                }
            }
            Mark::RunInProgress => run.reach(Stage::Inprogress, line),
            Mark::RunContacting => {
                // Twice: with the name before it connects, with the full name once it has.
                let connected = run.has(Stage::Contacting) || names_connected(line);
                run.reach(if connected { Stage::Connected } else { Stage::Contacting }, line);
            }
            Mark::RunSyncing => run.reach(Stage::Syncing, line),
            Mark::RunProgress => run.reach(Stage::Progress, line),
            Mark::RunDatabase => run.reach(Stage::Database, line),
            Mark::RunSucceeded => {
                run.succeeded = true;
                run.ended_at = line.seconds();
                self.any_succeeded = true;
            }
            Mark::RunFailed => run.fail(line),
            Mark::RunExported => {
                if run.failure.is_empty() && !run.whole && run.last_stage().is_none() {
                    run.exported = true;
                }
                run.fail(line);
            }
            Mark::RunTime => {
                run.took = frame::sync_time(&line.text(super::SHOWN));
                return over.or_else(|| self.end());
            }
            Mark::ScanSucceeded | Mark::IisFields => {}
        }
        over
    }

    /// The run under way is over.
    pub(crate) fn end(&mut self) -> Option<Box<Run>> {
        self.run.take()
    }

    /// Takes back a run that was looked at.
    pub(crate) fn done(&mut self, mut run: Box<Run>) {
        run.clear();
        self.spare = Some(run);
    }

    fn begins_anew(&self, mark: Mark) -> bool {
        let Some(run) = &self.run else { return false };
        let closed = run.succeeded || !run.failure.is_empty();
        match mark {
            Mark::RunBegins => closed || run.begun.is_some() || run.has(Stage::Started),
            Mark::RunStarted => closed || run.has(Stage::Started),
            Mark::RunInProgress | Mark::RunSyncing => closed && run.exported,
            // Each exported message is a run of its own; its text may stand on several lines.
            Mark::RunExported => run.exported && run.failure.len() >= FAILURE_LINES,
            Mark::RunFailed => run.succeeded || run.exported,
            _ => false,
        }
    }
}

impl Run {
    /// As before anything happened; memory stays.
    fn clear(&mut self) {
        let Self { lines, failure, text, .. } = core::mem::take(self);
        *self = Self { lines, failure, text, ..Self::default() };
        self.lines.clear();
        self.failure.clear();
        self.text.clear();
    }

    fn keep(&mut self, line: Line<'_>) -> Kept {
        let place = self.lines.len()..self.lines.len() + line.bytes.len();
        if line.bytes.len() <= KEPT && place.end <= LINES && line.bytes.is_ascii() {
            self.lines.extend_from_slice(line.bytes);
            Kept::Plain { number: line.number, place }
        } else {
            // Lines of runs say at their beginning what they are about.
            Kept::Ready(Line { signal: None, ..line }.evidence())
        }
    }

    fn evidence(&self, kept: &Kept, file: &str) -> Evidence {
        match kept {
            Kept::Plain { number, place } => {
                let (bytes, clock) = (self.lines.get(place.clone()).unwrap_or_default(), OnceCell::new());
                Line { bytes, number: *number, file, page: None, clock: &clock, signal: None }.evidence()
            }
            Kept::Ready(evidence) => evidence.clone(),
        }
    }

    fn reach(&mut self, stage: Stage, line: Line<'_>) {
        // The latest line of a stage is the one to show; progress repeats, so it is not read each time.
        if stage == Stage::Progress && self.has(stage) {
            return;
        }
        let kept = self.keep(line);
        if let Some(slot) = self.reached.get_mut(stage as usize) {
            *slot = Some(kept);
        }
    }

    fn has(&self, stage: Stage) -> bool {
        self.reached.get(stage as usize).is_some_and(Option::is_some)
    }

    fn last_stage(&self) -> Option<&Kept> {
        self.reached.iter().rev().find_map(Option::as_ref)
    }

    fn fail(&mut self, line: Line<'_>) {
        let text = line.text(FAILURE_TEXT);
        if WILL_RETRY.find(text.as_bytes()).is_some() && SOURCE.find(text.as_bytes()).is_none() {
            return;
        }
        if self.text.len() < FAILURE_TEXT {
            self.text.push_str(&frame::words(&text));
            self.text.push('\n');
        }
        if self.failure.len() < FAILURE_LINES {
            let kept = self.keep(line);
            self.failure.push(kept);
        }
        self.ended_at = line.seconds().or(self.ended_at);
    }

    /// How it ended, and after how many minutes.
    pub(crate) fn end(&self) -> End {
        let outcome = if !self.failure.is_empty() {
            Outcome::Failed
        } else if self.succeeded {
            Outcome::Succeeded
        } else {
            Outcome::Unfinished
        };
        let minutes = self
            .took
            .or_else(|| self.ended_at.zip(self.started_at).map(|(end, start)| end - start))
            .and_then(|seconds| u32::try_from(seconds / 60).ok());
        End { outcome, minutes }
    }

    /// Whether this run, which ended so, is as `condition` describes, apart from what its failure says.
    pub(crate) fn satisfies(&self, condition: &RunCondition, end: End) -> bool {
        end.outcome == condition.outcome
            && condition.reached.iter().all(|stage| self.has(*stage))
            && (condition.not_reached.is_empty() || self.whole)
            && !condition.not_reached.iter().any(|stage| self.has(*stage))
            && (!condition.first || self.first)
            && condition
                .minutes
                .is_none_or(|[from, to]| end.minutes.is_some_and(|took| (from..=to).contains(&took)))
    }

    /// What the failure says.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The lines that show it: where it began, the last stage it reached, and what it said at the end.
    pub(crate) fn group(&self, file: &str, keep: bool) -> Group {
        let lines = || self.begun.iter().chain(self.last_stage()).chain(&self.failure);
        let first = lines().map(Kept::number).min().unwrap_or(self.last_line);
        let mut evidence = Vec::new();
        if keep {
            let mut lines: Vec<&Kept> = lines().collect();
            lines.sort_by_key(|line| line.number());
            lines.dedup_by_key(|line| line.number());
            evidence.extend(lines.iter().map(|line| self.evidence(line, file)));
        }
        Group { evidence, key: None, host: None, first, last: self.last_line }
    }
}

/// The line written once the connection stands ends in an ellipsis, of one character or of three dots.
fn names_connected(line: Line<'_>) -> bool {
    let text = line.text(super::SHOWN);
    let words = frame::words(&text);
    words.ends_with("...") || words.ends_with('…')
}
