//! The end of a run in the history, and what follows from it for the schedule. An end that cannot be written, as on a full
//! disk, is written with a later look at the schedule, or before the next run.

use super::Inner;
use crate::timetable::{run_for_missing, run_soon};
use sluicegate_store::StoreError;
use sluicegate_store::hierarchy::{RunOutcome, SyncRun};
use sluicegate_terms::Timestamp;

/// How a run ended.
pub(super) struct Ending {
    pub(super) record: SyncRun,
    pub(super) at: Timestamp,
    /// What stopped it, or left something out, passes: it is tried again soon.
    pub(super) soon: bool,
}

impl Inner {
    /// Writes how a run ended; what cannot be written is kept until it can.
    pub(super) fn end(&self, ending: Ending) {
        if let Err(error) = self.write(&ending) {
            let run = ending.record.id;
            tracing::error!(run, %error, "the end of the run could not be written to the history; it is tried again");
            self.unwritten.lock().push(ending);
        }
    }

    /// Writes ends that could not be written before; whether one was. The others stay.
    pub(super) fn write_ends(&self) -> bool {
        let mut unwritten = self.unwritten.lock();
        let before = unwritten.len();
        unwritten.retain(|ending| match self.write(ending) {
            Ok(()) => {
                tracing::info!(run = ending.record.id, "the end of the run is written to the history now");
                false
            }
            Err(_) => true,
        });
        unwritten.len() < before
    }

    fn write(&self, ending: &Ending) -> Result<(), StoreError> {
        self.store.end_sync_run(&ending.record)?;
        match ending.record.outcome {
            RunOutcome::Failed if ending.soon => run_soon(&self.store, ending.at),
            RunOutcome::Succeeded => {
                run_for_missing(&self.store, ending.at)?;
                if ending.soon { run_soon(&self.store, ending.at) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }
}
