//! Synchronization: how far a run is, for whoever watches.

use core::fmt;
use sluicegate_store::hierarchy::RunCounts;
use sluicegate_terms::Timestamp;
use std::sync::Arc;
use tokio::sync::watch;

/// So many bytes are a step forward. A connection that brings a few bytes a minute is as good as none.
const STEP: u64 = 64 << 10;

/// Most characters of all warnings of a run.
const LONGEST_WARNING: usize = 2_000;

/// What a run is doing, in the order in which it does it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Phase {
    /// Nothing.
    #[default]
    Idle,
    /// Getting a cookie.
    Authorization,
    /// Asking for the upstream's configuration.
    Configuration,
    /// Fetching categories, classifications and detectoids.
    Categories,
    /// Fetching updates.
    Updates,
    /// Taking over groups and decisions.
    Deployments,
    /// Telling the upstream of servers and computers.
    Rollup,
    /// Fetching files.
    Files,
}

impl Phase {
    const ALL: [Self; 8] = [
        Self::Idle,
        Self::Authorization,
        Self::Configuration,
        Self::Categories,
        Self::Updates,
        Self::Deployments,
        Self::Rollup,
        Self::Files,
    ];

    /// What the history means by a word. A run that has only begun stands there with one that is no phase.
    #[must_use]
    pub fn of_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|phase| phase.as_str() == word).unwrap_or_default()
    }

    /// The word that commands, the admin API and the history use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Authorization => "authorization",
            Self::Configuration => "configuration",
            Self::Categories => "categories",
            Self::Updates => "updates",
            Self::Deployments => "deployments",
            Self::Rollup => "rollup",
            Self::Files => "files",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far a run is. When none is running, the last one's end.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Progress {
    /// Whether a run is under way.
    pub running: bool,
    /// Its number in the history.
    pub run: Option<u64>,
    /// Who asked for it.
    pub started_by: String,
    /// When it began.
    pub started: Option<Timestamp>,
    /// The upstream.
    pub upstream: String,
    /// No metadata was ever complete: this fills the catalog for the first time (P-25).
    pub first: bool,
    /// What it is doing.
    pub phase: Phase,
    /// Revisions, computers or files of this phase that are done.
    pub done: u64,
    /// Files of this phase that failed; they are not among those that are done.
    pub failed: u64,
    /// Why the last of them did.
    pub last_failure: Option<String>,
    /// Of so many; 0 when that is not known.
    pub total: u64,
    /// Bytes received in this phase.
    pub bytes: u64,
    /// Of them, those that were there when it last came forward.
    pub bytes_counted: u64,
    /// Bytes a second in this phase.
    pub bytes_per_second: u64,
    /// When it last came forward. A run is stuck when this is long ago, however long it takes in all (P-24).
    pub last_progress: Option<Timestamp>,
    /// When the phase began.
    pub phase_started: Option<Timestamp>,
    /// What it has done so far.
    pub counts: RunCounts,
    /// Something that did not stop it and is worth knowing.
    pub warning: Option<String>,
    /// What of that is about files.
    pub files_warning: Option<String>,
    /// It goes well and could not try everything: another run soon may.
    pub try_soon: bool,
    /// Which of the upstream's decisions could not be taken over yet: sentences about the first of them.
    pub waiting: Vec<String>,
    /// The stable code of the error that stopped the last run.
    pub error_code: Option<&'static str>,
    /// The sentence for it.
    pub error: Option<String>,
}

impl Progress {
    /// Whether a run has not come forward for so many seconds.
    #[must_use]
    pub fn is_stuck(&self, now: Timestamp, patience_seconds: i64) -> bool {
        self.running && self.last_progress.is_some_and(|at| now > at.plus_seconds(patience_seconds))
    }
}

/// The writing end of a progress.
#[derive(Clone, Debug)]
pub(crate) struct Watched(Arc<watch::Sender<Progress>>);

impl Watched {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Progress::default())))
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Progress> {
        self.0.subscribe()
    }

    pub(crate) fn get(&self) -> Progress {
        self.0.borrow().clone()
    }

    pub(crate) fn counts(&self) -> RunCounts {
        self.0.borrow().counts
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut Progress)) {
        self.0.send_modify(change);
    }

    /// Adds something that does not stop the run and is worth knowing.
    pub(crate) fn warn(&self, text: &str) {
        self.update(|p| add(&mut p.warning, text));
    }

    /// The same about files.
    pub(crate) fn warn_of_files(&self, text: &str) {
        self.update(|p| {
            add(&mut p.warning, text);
            add(&mut p.files_warning, text);
        });
    }

    pub(crate) fn begin(&self, phase: Phase, now: Timestamp) {
        self.update(|p| {
            p.phase = phase;
            (p.done, p.total, p.bytes, p.bytes_per_second, p.bytes_counted) = (0, 0, 0, 0, 0);
            (p.failed, p.last_failure) = (0, None);
            p.phase_started = Some(now);
            p.last_progress = Some(now);
        });
    }

    /// Something came: so many more bytes. Less than [`STEP`] since the run last came forward is a trickle, which
    /// does not count as coming forward.
    pub(crate) fn received(&self, bytes: u64, now: Timestamp) {
        self.update(|p| {
            p.bytes += bytes;
            if p.bytes - p.bytes_counted >= STEP {
                p.bytes_counted = p.bytes;
                p.last_progress = Some(now);
            }
            let ticks = p.phase_started.map_or(0, |from| now.ticks().saturating_sub(from.ticks()));
            if let Ok(ticks @ 1..) = u64::try_from(ticks) {
                p.bytes_per_second = (u128::from(p.bytes) * 10_000_000 / u128::from(ticks)) as u64;
            }
        });
    }

    /// An answer came whole: a step forward, however short it is.
    pub(crate) fn answered(&self, bytes: u64, now: Timestamp) {
        self.received(bytes, now);
        self.update(|p| p.last_progress = Some(now));
    }

    /// So many more are done.
    pub(crate) fn done(&self, count: u64, now: Timestamp) {
        self.update(|p| {
            p.done += count;
            p.last_progress = Some(now);
        });
    }
}

fn add(warning: &mut Option<String>, text: &str) {
    let warning = warning.get_or_insert_default();
    if !warning.is_empty() {
        warning.push_str("; ");
    }
    let room = LONGEST_WARNING.saturating_sub(warning.chars().count());
    warning.extend(text.chars().take(room));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn a_run_is_stuck_when_nothing_comes_and_not_when_it_takes_long() {
        let watched = Watched::new();
        watched.update(|p| p.running = true);
        watched.begin(Phase::Updates, at(0));
        watched.received(STEP, at(3_000));
        assert!(!watched.get().is_stuck(at(3_300), 600));
        watched.received(STEP - 1, at(3_500));
        assert!(watched.get().is_stuck(at(3_601), 600));
        watched.done(1, at(3_601));
        assert!(!watched.get().is_stuck(at(3_700), 600));
    }

    #[test]
    fn what_is_said_of_files_stands_apart_too() {
        let watched = Watched::new();
        watched.warn("the filter is narrow");
        watched.warn_of_files("1 file waits");
        watched.warn_of_files("1 does not fit");
        let now = watched.get();
        assert_eq!(now.warning.as_deref(), Some("the filter is narrow; 1 file waits; 1 does not fit"));
        assert_eq!(now.files_warning.as_deref(), Some("1 file waits; 1 does not fit"));
    }

    #[test]
    fn the_rate_is_of_the_phase() {
        let watched = Watched::new();
        watched.begin(Phase::Files, at(100));
        watched.received(5_000, at(110));
        assert_eq!(watched.get().bytes_per_second, 500);
    }
}
