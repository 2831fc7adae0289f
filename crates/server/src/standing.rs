//! Failed synchronizations that nothing has overcome yet. What failed is over when it worked: in a later run that came
//! further, or in a probe where that does the same. An alert and `diagnose` go by this.

use crate::missing;
use sluicegate_store::hierarchy::{RunOutcome, SyncRun};
use sluicegate_store::{Store, StoreError};
use sluicegate_upstream::sync::{Phase, probe_overcomes};

/// Whether the code of a failed run is about the upstream or the way to it, and not about this server.
pub(crate) fn is_about_the_way(code: &str) -> bool {
    code.starts_with("Uss") || code.starts_with("DssAuthenticationError/")
}

/// What an alert about a failed run that lies at the upstream or before it says.
pub(crate) fn of_the_way(code: &str, sentence: &str) -> String {
    format!("the upstream cannot be synchronized with ({code}): {sentence}")
}

/// The newest failed run whose failure lies at the upstream (`there`) or here, and that nothing has overcome. `probed`: a
/// probe has just got through. What files ended is not among those of the upstream: missing files tell of it.
pub(crate) fn failure(store: &Store, there: bool, probed: bool) -> Result<Option<SyncRun>, StoreError> {
    let Some(upstream) = store.upstream_settings().source.as_ref().map(ToString::to_string) else {
        return Ok(None);
    };
    let wanted = |run: &SyncRun| is_about_the_way(run.error_code.as_deref().unwrap_or_default()) == there;
    Ok(newest(store.sync_history(u32::MAX)?, &upstream, probed, wanted))
}

/// The same among these runs, newest first. Those of another upstream, and those before them, say nothing.
pub(crate) fn newest(
    runs: Vec<SyncRun>,
    upstream: &str,
    mut probed: bool,
    wanted: impl Fn(&SyncRun) -> bool,
) -> Option<SyncRun> {
    // Everything before this phase has worked since.
    let mut reached = Phase::Idle;
    for run in runs.into_iter().take_while(|run| run.upstream == upstream) {
        let phase = Phase::of_word(&run.phase);
        match run.outcome {
            RunOutcome::Succeeded if phase != Phase::Categories => return None,
            // It was for categories only.
            RunOutcome::Succeeded => reached = reached.max(Phase::Updates),
            RunOutcome::Failed => {
                let code = run.error_code.as_deref().unwrap_or_default();
                let over = phase < reached || probed && probe_overcomes(phase, code);
                let by_files = missing::failed_at_files(&run) && is_about_the_way(code);
                if !over && !by_files && wanted(&run) {
                    return Some(run);
                }
                reached = reached.max(phase);
            }
            RunOutcome::Running | RunOutcome::Cancelled | RunOutcome::Interrupted => {
                reached = reached.max(phase);
            }
        }
        probed |= reached > Phase::Configuration;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_store::hierarchy::RunCounts;
    use sluicegate_terms::Timestamp;

    fn run(outcome: RunOutcome, phase: Phase, code: &str) -> SyncRun {
        SyncRun {
            id: 1,
            started: Timestamp::from_unix_seconds(0),
            ended: None,
            started_by: "schedule".to_owned(),
            upstream: "http://parent:8530".to_owned(),
            outcome,
            phase: phase.as_str().to_owned(),
            counts: RunCounts::default(),
            error_code: Some(code.to_owned()),
            error_text: None,
            warning: None,
            files_warning: None,
            waiting: Vec::new(),
        }
    }

    fn stands(runs: Vec<SyncRun>, probed: bool) -> Option<String> {
        newest(runs, "http://parent:8530", probed, |_| true).and_then(|run| run.error_code)
    }

    const STATUS: &str = "UssCommunicationError/UnexpectedStatus";
    const REFUSED: &str = "UssCommunicationError/ConnectionRefused";

    #[test]
    fn what_failed_behind_the_handshake_is_not_over_because_a_probe_gets_through() {
        let documents = || run(RunOutcome::Failed, Phase::Updates, STATUS);
        assert_eq!(stands(vec![documents()], true).as_deref(), Some(STATUS));
        let handshake = run(RunOutcome::Failed, Phase::Authorization, STATUS);
        assert_eq!(stands(vec![handshake.clone()], false).as_deref(), Some(STATUS));
        assert_eq!(stands(vec![handshake], true), None);
        // The way broke in the middle of a run.
        assert_eq!(stands(vec![run(RunOutcome::Failed, Phase::Updates, REFUSED)], true), None);
        // That the way broke later does not mean that documents come.
        let both = vec![run(RunOutcome::Failed, Phase::Authorization, REFUSED), documents()];
        assert_eq!(stands(both, true).as_deref(), Some(STATUS));
    }

    #[test]
    fn a_later_run_overcomes_what_it_came_past() {
        let documents = || run(RunOutcome::Failed, Phase::Updates, STATUS);
        let later = |outcome, phase| stands(vec![run(outcome, phase, REFUSED), documents()], false);
        assert_eq!(later(RunOutcome::Succeeded, Phase::Files), None);
        assert_eq!(later(RunOutcome::Cancelled, Phase::Files), None);
        assert_eq!(later(RunOutcome::Cancelled, Phase::Updates).as_deref(), Some(STATUS));
        assert_eq!(later(RunOutcome::Interrupted, Phase::Idle).as_deref(), Some(STATUS));
        // One for categories only asked for no updates.
        assert_eq!(later(RunOutcome::Succeeded, Phase::Categories).as_deref(), Some(STATUS));
        let categories = run(RunOutcome::Failed, Phase::Categories, STATUS);
        assert_eq!(stands(vec![run(RunOutcome::Succeeded, Phase::Categories, ""), categories], false), None);
    }

    #[test]
    fn what_another_upstream_did_and_what_files_ended_is_not_told_here() {
        let mut elsewhere = run(RunOutcome::Failed, Phase::Updates, STATUS);
        elsewhere.upstream = "http://before:8530".to_owned();
        assert_eq!(stands(vec![elsewhere], false), None);
        assert_eq!(stands(vec![run(RunOutcome::Failed, Phase::Files, STATUS)], false), None);
        let full = run(RunOutcome::Failed, Phase::Files, "LocalError/DiskFull");
        assert_eq!(stands(vec![full], true).as_deref(), Some("LocalError/DiskFull"));
    }
}
