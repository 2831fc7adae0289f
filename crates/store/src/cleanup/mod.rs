//! Store: cleanup. Policy says who may go; here it goes, in short transactions between which scans and reports
//! have the writer. Every step looks at what is there and not at what an earlier run remembered, so a run
//! that was stopped or killed at any point is simply followed by the next.

mod catalog;
mod decline;
mod files;
mod fleet;
mod runs;
mod segments;

pub(crate) use segments::Reclaim;

pub(crate) use runs::filters;
pub use runs::{CleanupOutcome, CleanupRun};

use crate::Store;
use crate::error::StoreError;
use serde::{Deserialize, Serialize};
use sluicegate_policy::cleanup::{CleanupSettings, CleanupStep};
use sluicegate_terms::{ComputerId, Timestamp};
use std::collections::BTreeSet;

/// How many names of what a step is about a report has at most.
const EXAMPLES: usize = 20;

/// What a cleanup is to do.
#[derive(Clone, Debug, Default)]
pub struct CleanupOrder {
    /// The steps; `None` is those of the settings.
    pub steps: Option<BTreeSet<CleanupStep>>,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// What one step did, or would do.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct StepReport {
    /// Which ([`CleanupStep::as_str`]).
    pub step: String,
    /// How many things it found to go.
    pub found: u64,
    /// How many of them are gone. The others wait for their time of grace or the next run.
    pub done: u64,
    /// Bytes given back, where that is known.
    pub bytes: u64,
    /// The first of what it found, by name.
    pub examples: Vec<String>,
    /// Why it did less than it found.
    pub note: Option<String>,
}

impl StepReport {
    fn of(step: CleanupStep) -> Self {
        Self { step: step.as_str().to_owned(), ..Self::default() }
    }

    fn name(&mut self, what: impl ToString) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(what.to_string());
        }
    }
}

/// What a cleanup did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CleanupReport {
    /// The steps, in order.
    pub steps: Vec<StepReport>,
    /// Computers that were forgotten, for whoever keeps them in memory.
    pub forgotten: Vec<ComputerId>,
    /// It was stopped before its end.
    pub stopped: bool,
}

impl CleanupReport {
    /// What a step did, if it ran.
    #[must_use]
    pub fn step(&self, step: CleanupStep) -> Option<&StepReport> {
        self.steps.iter().find(|report| report.step == step.as_str())
    }
}

/// One cleanup under way.
struct Cleanup<'a> {
    store: &'a Store,
    settings: CleanupSettings,
    dry: bool,
    now: Timestamp,
    /// Asked between two transactions: whether to go on. May take its time, so that others get the writer.
    go_on: &'a mut dyn FnMut() -> bool,
    forgotten: Vec<ComputerId>,
}

impl Cleanup<'_> {
    fn go_on(&mut self) -> bool {
        (self.go_on)()
    }

    fn step(&mut self, step: CleanupStep) -> Result<StepReport, StoreError> {
        let mut report = StepReport::of(step);
        if step.decides() && self.store.refuse_on_replica().is_err() {
            report.note = Some("the upstream of this replica decides".to_owned());
            return Ok(report);
        }
        match step {
            CleanupStep::ExpiredUpdates => self.decline_expired(&mut report)?,
            CleanupStep::SupersededUpdates => self.decline_superseded(&mut report)?,
            CleanupStep::FilteredUpdates => self.decline_filtered(&mut report)?,
            CleanupStep::OldRevisions | CleanupStep::UnusedUpdates | CleanupStep::UnusedDetectoids => {
                self.remove(step, &mut report)?;
            }
            CleanupStep::Computers => self.forget_computers(&mut report)?,
            CleanupStep::Events => self.shorten_events(&mut report)?,
            CleanupStep::Files => self.remove_files(&mut report)?,
            CleanupStep::Segments => self.compact(&mut report)?,
        }
        Ok(report)
    }
}

impl Store {
    /// Cleans up, step by step. `go_on` is asked between two transactions and stops it with `false`; what
    /// was done until then stays done.
    ///
    /// # Errors
    /// A failure to read or write; the steps before it stay done.
    pub fn cleanup(
        &self,
        order: &CleanupOrder,
        now: Timestamp,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<CleanupReport, StoreError> {
        let settings = self.cleanup_settings()?;
        let steps = order.steps.clone().unwrap_or_else(|| settings.steps.clone());
        let mut cleanup =
            Cleanup { store: self, settings, dry: order.dry_run, now, go_on, forgotten: Vec::new() };
        let mut report = CleanupReport::default();
        for step in steps {
            if !cleanup.go_on() {
                report.stopped = true;
                break;
            }
            // Steps look at the whole catalog.
            let done = sluicegate_allocator::bulk(|| cleanup.step(step));
            sluicegate_allocator::set_aside();
            let done = done?;
            if done.found > 0 {
                tracing::info!(step = %step, found = done.found, done = done.done, bytes = done.bytes, dry_run = order.dry_run, "cleanup");
            }
            report.steps.push(done);
        }
        report.stopped |= !cleanup.go_on();
        report.forgotten = cleanup.forgotten;
        self.note_audit_head();
        Ok(report)
    }
}
