//! Doctor room: synchronization runs of a site server. Follows one run from its first line to its end
//! and remembers how far it got, because the last line reached tells which connection failed.

use super::found::Group;
use super::{Kept, Line};
use crate::compile::{Condition, LiteralSet, Mark};
use crate::frame;
use crate::rule::{Outcome, RunCondition, Stage};
use std::collections::BTreeMap;

/// Bytes of failure text kept for one run.
const FAILURE_TEXT: usize = 16 << 10;

/// One run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Run {
    /// Its beginning is in the log, so that what is missing was not reached.
    whole: bool,
    /// A run without any run around it: a status message on its own.
    exported: bool,
    /// The first in its log, as far as is known.
    first: bool,
    reached: BTreeMap<Stage, Kept>,
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

/// The run under way in one file.
#[derive(Debug, Default)]
pub(crate) struct RunTracker {
    run: Option<Run>,
    any_succeeded: bool,
}

impl RunTracker {
    /// Takes the next line of a run; gives back a run that is over.
    pub(crate) fn mark(&mut self, mark: Mark, line: Line<'_>) -> Option<Run> {
        let mut over = None;
        if self.begins_anew(mark) {
            over = self.end();
        }
        let first = !self.any_succeeded;
        let run = self.run.get_or_insert_with(|| Run { first, ..Run::default() });
        run.last_line = line.number;
        match mark {
            Mark::RunBegins | Mark::RunStarted => {
                run.whole = true;
                run.started_at = run.started_at.or_else(|| line.seconds());
                if mark == Mark::RunStarted {
                    run.reach(Stage::Started, line);
                } else {
                    run.begun = Some(line.kept());
                }
            }
            Mark::RunInProgress => run.reach(Stage::Inprogress, line),
            Mark::RunContacting => {
                // Twice: with the name before it connects, with the full name once it has.
                let connected = run.reached.contains_key(&Stage::Contacting) || names_connected(line);
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
                if run.failure.is_empty() && !run.whole && run.reached.is_empty() {
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
    pub(crate) fn end(&mut self) -> Option<Run> {
        self.run.take()
    }

    fn begins_anew(&self, mark: Mark) -> bool {
        let Some(run) = &self.run else { return false };
        let closed = run.succeeded || !run.failure.is_empty();
        match mark {
            Mark::RunBegins => closed || run.begun.is_some() || run.reached.contains_key(&Stage::Started),
            Mark::RunStarted => closed || run.reached.contains_key(&Stage::Started),
            Mark::RunInProgress | Mark::RunSyncing => closed && run.exported,
            // Each exported message is a run of its own; its text may stand on several lines.
            Mark::RunExported => run.exported && run.failure.len() >= 4,
            Mark::RunFailed => run.succeeded || run.exported,
            _ => false,
        }
    }
}

impl Run {
    fn reach(&mut self, stage: Stage, line: Line<'_>) {
        // The latest line of a stage is the one to show; progress repeats, so it is not read each time.
        if stage != Stage::Progress || !self.reached.contains_key(&stage) {
            self.reached.insert(stage, line.kept());
        }
    }

    fn fail(&mut self, line: Line<'_>) {
        let text = line.text(FAILURE_TEXT);
        if text.contains("Will retry in") && !text.contains("Source:") {
            return;
        }
        if self.text.len() < FAILURE_TEXT {
            self.text.push_str(&frame::words(&text));
            self.text.push('\n');
        }
        if self.failure.len() < 4 {
            self.failure.push(line.kept());
        }
        self.ended_at = line.seconds().or(self.ended_at);
    }

    /// Whether this run is as `condition` describes.
    pub(crate) fn satisfies(
        &self,
        condition: &RunCondition,
        text: Option<&Condition>,
        literals: impl FnOnce() -> LiteralSet,
    ) -> bool {
        let outcome = if !self.failure.is_empty() {
            Outcome::Failed
        } else if self.succeeded {
            Outcome::Succeeded
        } else {
            Outcome::Unfinished
        };
        let took = self
            .took
            .or_else(|| self.ended_at.zip(self.started_at).map(|(end, start)| end - start))
            .and_then(|seconds| u32::try_from(seconds / 60).ok());
        outcome == condition.outcome
            && condition.reached.iter().all(|stage| self.reached.contains_key(stage))
            && (condition.not_reached.is_empty() || self.whole)
            && !condition.not_reached.iter().any(|stage| self.reached.contains_key(stage))
            && (!condition.first || self.first)
            && condition
                .minutes
                .is_none_or(|[from, to]| took.is_some_and(|minutes| (from..=to).contains(&minutes)))
            && text.is_none_or(|text| text.holds(&literals(), self.text.as_bytes()))
    }

    /// What the failure says.
    pub(crate) fn text(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The lines that show it: where it began, the last stage it reached, and what it said at the end.
    pub(crate) fn group(&self, file: &str, keep: bool) -> Group {
        let last_stage = self.reached.last_key_value().map(|(_, line)| line);
        let mut lines: Vec<&Kept> = self.begun.iter().chain(last_stage).chain(&self.failure).collect();
        lines.sort_by_key(|line| line.number());
        lines.dedup_by_key(|line| line.number());
        let first = lines.first().map_or(self.last_line, |line| line.number());
        let evidence = if keep { lines.iter().map(|line| line.evidence(file)).collect() } else { Vec::new() };
        Group { evidence, key: None, host: None, first, last: self.last_line }
    }
}

/// The line written once the connection stands ends in an ellipsis, of one character or of three dots.
fn names_connected(line: Line<'_>) -> bool {
    let text = line.text(super::SHOWN);
    let words = frame::words(&text);
    words.ends_with("...") || words.ends_with('…')
}
