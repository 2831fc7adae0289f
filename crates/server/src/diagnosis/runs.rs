//! Server: whether synchronizing works: what the way to the upstream does not show, a run shows. And whether it brought
//! all revisions, and told the upstream.

use super::{Check, unread};
use crate::{missing, standing, untold, unusable};
use sluicegate_policy::hierarchy::Schedule;
use sluicegate_store::hierarchy::{RunOutcome, SyncRun, UpstreamSettings, UpstreamSource};
use sluicegate_store::{Store, StoreError};
use sluicegate_terms::Timestamp;
use sluicegate_upstream::sync::say_missing_and_why;
use sluicegate_upstream::transport::problem_of;

const NAME: &str = "last-run";
const EXPECTED: &str = "the last synchronization succeeded, and none that the schedule wants is overdue";

/// So many seconds after its time a synchronization is overdue.
const GRACE: i64 = 3_600;

/// What the history and the schedule say.
#[derive(Debug)]
pub(super) struct Runs {
    runs: Vec<SyncRun>,
    next: Option<Timestamp>,
    succeeded: Option<Timestamp>,
}

impl Runs {
    pub(super) fn of(store: &Store) -> Result<Self, StoreError> {
        Ok(Self {
            runs: store.sync_history(u32::MAX)?,
            next: store.sync_state()?.next_run,
            succeeded: store.last_succeeded()?,
        })
    }

    /// `probed`: the upstream lets this server in just now. `running`: a run is under way.
    fn check(self, upstream: &str, schedule: Schedule, probed: bool, running: bool, now: Timestamp) -> Check {
        let here = |run: &SyncRun| run.upstream == upstream;
        if let Some(run) = standing::newest(self.runs.clone(), upstream, probed, |_| true) {
            return failed(&run);
        }
        let late = schedule.furthest().map(|seconds| seconds.saturating_add(GRACE));
        if let (Some(at), Some(_), false) = (self.next, late, running)
            && at.plus_seconds(GRACE) < now
        {
            let remedy = "look in this server's log since then, and at its clock; `sluicegate sync now --wait` begins one";
            let found = format!("the schedule wanted one at {}, and none has begun", at.iso());
            return Check::failed(NAME, EXPECTED, found, remedy);
        }
        let Some(last) = self.runs.iter().find(|run| here(run) && run.outcome != RunOutcome::Running) else {
            return Check::passed(NAME, EXPECTED, "none has ended yet with this upstream");
        };
        let began = format!("the last one, which began at {}, ", last.started.iso());
        if last.outcome == RunOutcome::Succeeded {
            return Check::passed(NAME, EXPECTED, format!("{began}succeeded"));
        }
        let first = self.runs.iter().rev().find(|run| here(run)).map(|run| run.started);
        let since = self.succeeded.max(first);
        if let (Some(since), Some(late), false) = (since, late, running)
            && since.plus_seconds(late) < now
        {
            let found = format!(
                "none has succeeded since {}, longer than the schedule has between two ({schedule}); {began}{}",
                since.iso(),
                ended(last)
            );
            let remedy = "`sluicegate sync history` says how each ended; let one go on to its end: `sluicegate sync now \
                          --wait`";
            return Check::failed(NAME, EXPECTED, found, remedy);
        }
        Check::passed(NAME, EXPECTED, format!("{began}{}", ended(last)))
    }
}

/// Whether revisions that the upstream lists are missing.
pub(super) fn revisions(store: &Store, now: Timestamp) -> Check {
    let (name, expected) = ("revisions", "what the upstream lists it also gives, undamaged");
    if store.upstream_settings().source.is_none() {
        return Check::skipped(name, expected, "nothing is synchronized");
    }
    let looked = unusable::judge(store, now).and_then(|()| store.missing_failed_revisions());
    match looked {
        Err(error) => unread(name, &error),
        Ok(None) => Check::passed(name, expected, "none is missing"),
        Ok(Some(missing)) => {
            Check::failed(name, expected, say_missing_and_why(&missing, now), unusable::REMEDY)
        }
    }
}

/// Whether the upstream takes what it is told.
pub(super) fn rollup(store: &Store, now: Timestamp) -> Check {
    let (name, expected) = ("rollup", "the upstream takes what it is told of this server and its computers");
    if !matches!(store.upstream_settings().source, Some(UpstreamSource::Server(_))) {
        return Check::skipped(name, expected, "there is no server above that wants to know");
    }
    let looked = untold::judge(store, now).and_then(|()| store.sync_state());
    match looked.map(|state| (state.not_told, state.last_rollup)) {
        Err(error) => unread(name, &error),
        Ok((Some(not_told), _)) => Check::failed(name, expected, untold::say(&not_told), untold::REMEDY),
        Ok((None, Some(at))) => Check::passed(name, expected, format!("it was told last at {}", at.iso())),
        Ok((None, None)) => Check::passed(name, expected, "it has not been told yet"),
    }
}

/// The check of the last run, of what could be read.
pub(super) fn check(
    runs: Result<Runs, StoreError>,
    settings: &UpstreamSettings,
    probed: bool,
    running: bool,
    now: Timestamp,
) -> Check {
    let Some(source) = &settings.source else {
        return Check::skipped(NAME, EXPECTED, "nothing is synchronized");
    };
    match runs {
        Err(error) => unread(NAME, &error),
        Ok(runs) => runs.check(source.as_str(), settings.schedule, probed, running, now),
    }
}

fn ended(run: &SyncRun) -> String {
    match run.outcome {
        RunOutcome::Failed => {
            let code = run.error_code.as_deref().unwrap_or_default();
            if missing::failed_at_files(run) && standing::is_about_the_way(code) {
                return format!("failed at its files ({code}); `files` looks at what is missing since");
            }
            format!("failed ({code}); what it failed with works again")
        }
        other => format!("was {}", other.as_str()),
    }
}

fn failed(run: &SyncRun) -> Check {
    let code = run.error_code.as_deref().unwrap_or_default();
    let found = format!(
        "the one that began at {} failed in its phase {} ({code}): {}; nothing has overcome that since",
        run.started.iso(),
        run.phase,
        run.error_text.as_deref().unwrap_or_default()
    );
    let remedy = if standing::is_about_the_way(code) {
        "see to what that names; the log of the upstream, or of a proxy on the way, has the same time; then try with \
         `sluicegate sync now --wait`"
    } else {
        "see to what that names on this server, then try with `sluicegate sync now --wait`"
    };
    Check::failed(NAME, EXPECTED, found, remedy).of(problem_of(code))
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;
    use sluicegate_store::hierarchy::RunCounts;

    const UPSTREAM: &str = "http://parent:8530";
    const DAY: i64 = 86_400;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn run(began: i64, outcome: RunOutcome, phase: &str) -> SyncRun {
        SyncRun {
            id: 1,
            started: at(began),
            ended: Some(at(began + 60)),
            started_by: "schedule".to_owned(),
            upstream: UPSTREAM.to_owned(),
            outcome,
            phase: phase.to_owned(),
            counts: RunCounts::default(),
            error_code: (outcome == RunOutcome::Failed).then(|| "UssCommunicationError/TimedOut".to_owned()),
            error_text: (outcome == RunOutcome::Failed).then(|| "GetUpdateData took too long".to_owned()),
            warning: None,
            files_warning: None,
            waiting: Vec::new(),
        }
    }

    fn looked(runs: Vec<SyncRun>, next: Option<i64>, now: i64) -> Check {
        let succeeded =
            runs.iter().find(|run| run.outcome == RunOutcome::Succeeded).and_then(|run| run.ended);
        let daily = "1@03:00+30".parse().unwrap();
        Runs { runs, next: next.map(at), succeeded }.check(UPSTREAM, daily, true, false, at(now))
    }

    #[test]
    fn a_run_that_failed_behind_what_a_probe_does_fails() {
        let check = looked(vec![run(0, RunOutcome::Failed, "updates")], Some(DAY), 10);
        assert_eq!(check.verdict, Verdict::Failed);
        assert!(check.found.contains("phase updates") && check.found.contains("took too long"), "{check:?}");
        let passing = looked(vec![run(0, RunOutcome::Failed, "authorization")], Some(DAY), 10);
        assert_eq!(passing.verdict, Verdict::Passed, "the upstream lets this server in now: {passing:?}");
        assert!(passing.found.contains("TimedOut"), "{passing:?}");
    }

    #[test]
    fn of_what_files_ended_nobody_says_that_it_works_again() {
        let check = looked(vec![run(0, RunOutcome::Failed, "files")], Some(DAY), 10);
        assert_eq!(check.verdict, Verdict::Passed, "the check of the files fails");
        assert!(check.found.contains("TimedOut") && check.found.contains("`files`"), "{check:?}");
        assert!(!check.found.contains("works again"), "{check:?}");
    }

    #[test]
    fn what_the_schedule_wants_and_did_not_get_fails() {
        assert_eq!(looked(vec![], Some(DAY), 0).verdict, Verdict::Passed);
        let sound = || run(0, RunOutcome::Succeeded, "files");
        assert_eq!(looked(vec![sound()], Some(DAY), DAY + GRACE).verdict, Verdict::Passed);
        let overdue = looked(vec![sound()], Some(DAY), DAY + GRACE + 1);
        assert_eq!(overdue.verdict, Verdict::Failed);
        assert!(overdue.found.contains("none has begun"), "{overdue:?}");
        // Begun each night, and never let to its end.
        let cut = |days: i64| run(days * DAY, RunOutcome::Cancelled, "updates");
        assert_eq!(looked(vec![cut(1), sound()], Some(2 * DAY), DAY + 90).verdict, Verdict::Passed);
        let never = looked(vec![cut(2), cut(1), sound()], Some(3 * DAY), 2 * DAY + 90);
        assert_eq!(never.verdict, Verdict::Failed);
        assert!(never.found.contains("none has succeeded since 1970-01-01"), "{never:?}");
        assert!(never.found.contains("was cancelled"), "{never:?}");
    }
}
