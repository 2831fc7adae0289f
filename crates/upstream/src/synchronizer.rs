//! The synchronizer: the one coordinator of a server's synchronization. Runs by schedule or on request, one at a
//! time; who asks while one is under way joins it, and one that does not come forward any more is ended (known
//! problem P-24). Progress is there to be watched.

mod ending;
mod planned;

use crate::sync::{Phase, Progress, Reason, Run, Stop, Surroundings, SyncError, Watched};
use crate::timetable::begin_again_soon;
use crate::transport::RetryPolicy;
use ending::Ending;
use parking_lot::Mutex;
use sluicegate_store::hierarchy::{
    Generation, RunCounts, RunOutcome, SyncRun, UpstreamSettings, UpstreamSource,
};
use sluicegate_store::{Store, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// Files that come within this time are written down together: should the process be killed, so much is not told of.
const FILES_TOGETHER: Duration = Duration::from_secs(1);

/// Longest wait for a look at the schedule.
const LOOKED_AT: Duration = Duration::from_secs(5);

/// What a synchronizer needs.
#[derive(Clone)]
pub struct SynchronizerOptions {
    /// Clock, name, bounds, and whom to tell of changes.
    pub around: Surroundings,
    /// Any random number; spreads scheduled runs.
    pub random: Arc<dyn Fn() -> u64 + Send + Sync>,
}

impl std::fmt::Debug for SynchronizerOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SynchronizerOptions").field("around", &self.around).finish_non_exhaustive()
    }
}

/// What became of a request to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Started {
    /// The run's number in the history.
    pub run: u64,
    /// One was under way already; it was begun by this one.
    pub joined: Option<String>,
}

/// What a probe of an upstream found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Probe {
    /// The protocol version it speaks.
    pub protocol: String,
    /// Most revisions it answers at once.
    pub updates_per_request: i32,
    /// It keeps no files.
    pub catalog_only: bool,
}

/// The coordinator. Cloning is cheap, all clones are one.
#[derive(Clone)]
pub struct Synchronizer {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    options: SynchronizerOptions,
    progress: Watched,
    current: Mutex<Option<Current>>,
    woken: Arc<Notify>,
    /// How often the settings changed, and the last of these changes with which the schedule was looked at.
    changes: AtomicU64,
    looked: watch::Sender<u64>,
    schedule: Mutex<Option<JoinHandle<()>>>,
    /// Ends of runs that could not be written yet.
    unwritten: Mutex<Vec<Ending>>,
}

struct Current {
    run: u64,
    by: String,
    /// The upstream it works for.
    generation: Generation,
    only_categories: bool,
    stop: watch::Sender<Option<Reason>>,
}

impl Inner {
    /// Ends a run for an upstream or a mode that is no longer set.
    fn end_for_another_upstream(&self) -> Result<(), StoreError> {
        let present = self.store.generation()?;
        if let Some(running) = &*self.current.lock()
            && running.generation != present
        {
            running.stop.send_replace(Some(Reason::UpstreamChanged));
        }
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(task) = self.schedule.lock().take() {
            task.abort();
        }
    }
}

impl std::fmt::Debug for Synchronizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Synchronizer").field("progress", &self.inner.progress.get()).finish_non_exhaustive()
    }
}

impl Synchronizer {
    /// Begins to look at the schedule. Must be called on a tokio runtime. Runs that a crash cut off are marked in
    /// the history; what they had done is kept and the next run goes on from there. Where there is a schedule, one that
    /// was cut off, by a crash or a stop, is begun again soon.
    ///
    /// # Errors
    /// A failure to write.
    pub fn start(store: Store, options: SynchronizerOptions) -> Result<Self, StoreError> {
        let cut_off = SyncError::ServerEnded;
        let closed =
            store.close_interrupted_runs(cut_off.code(), &cut_off.to_string(), options.around.now())?;
        closed.into_iter().for_each(|run| log_end(run, &cut_off));
        begin_again_soon(&store, options.around.now())?;
        let inner = Arc::new(Inner {
            store,
            options,
            progress: Watched::new(),
            current: Mutex::new(None),
            woken: Arc::new(Notify::new()),
            changes: AtomicU64::new(0),
            looked: watch::Sender::new(0),
            schedule: Mutex::new(None),
            unwritten: Mutex::default(),
        });
        let watching = Arc::downgrade(&inner);
        let task = tokio::spawn(async move {
            let mut known = None;
            while let Some(inner) = watching.upgrade() {
                let this = Self { inner };
                let changes = this.inner.changes.load(Ordering::Acquire);
                let wait = this.look(&mut known).await;
                this.inner.looked.send_replace(changes);
                let woken = Arc::clone(&this.inner.woken);
                // While it sleeps it keeps nobody's synchronizer alive, and no store open.
                drop(this);
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = woken.notified() => {}
                }
            }
        });
        *inner.schedule.lock() = Some(task);
        Ok(Self { inner })
    }

    /// The settings changed: the schedule is looked at anew, and a run for another upstream than the present one
    /// ends.
    pub fn settings_changed(&self) {
        self.inner.changes.fetch_add(1, Ordering::AcqRel);
        self.inner.woken.notify_one();
    }

    /// Waits until the schedule was looked at with the settings as they are now, so that who asks next is told when the
    /// next run begins; not for long.
    pub async fn schedule_looked_at(&self) {
        let changes = self.inner.changes.load(Ordering::Acquire);
        let mut looked = self.inner.looked.subscribe();
        // A store that is busy takes longer; the settings are durable in any case.
        let _ = tokio::time::timeout(LOOKED_AT, looked.wait_for(|at| *at >= changes)).await;
    }

    /// Begins a run, or joins the one that is under way. One for another upstream than the present one is ended
    /// first, and one for categories only is waited for. `by` says who asks, for the history.
    ///
    /// # Errors
    /// [`SyncError::NoUpstream`], settings that cannot be used, or a failure to write.
    pub async fn request_run(&self, by: &str) -> Result<Started, SyncError> {
        self.request(by, false).await
    }

    /// The same for a run that ends once categories, classifications and detectoids are here: what to synchronize can
    /// then be chosen by its titles.
    ///
    /// # Errors
    /// As [`Self::request_run`].
    pub async fn request_categories(&self, by: &str) -> Result<Started, SyncError> {
        self.request(by, true).await
    }

    async fn request(&self, by: &str, only_categories: bool) -> Result<Started, SyncError> {
        loop {
            let (this, by) = (self.clone(), by.to_owned());
            let runtime = tokio::runtime::Handle::current();
            let begin = move || this.begin(by, only_categories, &runtime);
            if let Some(started) = tokio::task::spawn_blocking(begin).await?? {
                return Ok(started);
            }
            self.wait().await;
        }
    }

    /// `None` when one that does not do what is asked is about to end.
    fn begin(
        &self,
        by: String,
        only_categories: bool,
        runtime: &tokio::runtime::Handle,
    ) -> Result<Option<Started>, SyncError> {
        let inner = &self.inner;
        let mut current = inner.current.lock();
        if let Some(running) = &*current {
            if running.generation != inner.store.generation()? {
                running.stop.send_replace(Some(Reason::UpstreamChanged));
                return Ok(None);
            }
            if running.only_categories && !only_categories {
                return Ok(None);
            }
            tracing::info!(run = running.run, by = %by, begun_by = %running.by, "joins the synchronization under way");
            return Ok(Some(Started { run: running.run, joined: Some(running.by.clone()) }));
        }
        let now = inner.options.around.now();
        let (stop, stopped) = Stop::new();
        let mut run =
            Run::new(inner.store.clone(), inner.options.around.clone(), inner.progress.clone(), stopped)?;
        let upstream = run.settings.source.as_ref().ok_or(SyncError::NoUpstream)?.to_string();
        inner.write_ends();
        let first = inner.store.sync_state()?.last_success.is_none();
        let id = inner.store.begin_sync_run(&by, &upstream, now)?;
        (run.number, run.only_categories) = (id, only_categories);
        // Known problem P-05: what is wanted, and what is asked in fact.
        tracing::info!(
            run = id,
            by = %by,
            upstream = %upstream,
            asks = %run.address(),
            mode = run.settings.mode.as_str(),
            only_categories,
            "synchronization begins"
        );
        inner.progress.update(|p| {
            *p = Progress {
                running: true,
                run: Some(id),
                started_by: by.clone(),
                started: Some(now),
                upstream: upstream.clone(),
                first,
                last_progress: Some(now),
                ..Progress::default()
            };
        });
        let record = SyncRun::begun(id, by.clone(), upstream, now);
        *current = Some(Current { run: id, by, generation: run.generation(), only_categories, stop });
        runtime.spawn(self.clone().carry_out(run, record));
        Ok(Some(Started { run: id, joined: None }))
    }

    async fn carry_out(self, mut run: Run, mut record: SyncRun) {
        // A panic of a step must not leave "running" behind.
        let patience = run.settings.patience.seconds();
        let mut task = tokio::spawn(async move { run.carry_out().await });
        let (mut steps, mut files) = (self.watch(), self.watch());
        let ended = loop {
            tokio::select! {
                ended = &mut task => break ended,
                () = more_files(&mut files, &record) => self.keep_counts(&mut record).await,
                () = another_step(&mut steps, &record) => self.keep_counts(&mut record).await,
                () = tokio::time::sleep(self.inner.options.around.glance) => {
                    self.end_when_stuck(patience);
                    self.keep_counts(&mut record).await;
                }
            }
        };
        let (counts, outcome) = match ended {
            Ok(ended) => ended,
            Err(error) => (self.inner.progress.counts(), Err(SyncError::Task(error))),
        };
        let now = self.inner.options.around.now();
        record.counts = counts;
        record.ended = Some(now);
        let reached = self.inner.progress.get();
        record.phase = reached.phase.as_str().to_owned();
        record.warning = reached.warning;
        record.files_warning = reached.files_warning;
        record.waiting = reached.waiting;
        record.outcome = match &outcome {
            Ok(()) => RunOutcome::Succeeded,
            Err(SyncError::ServerStops | SyncError::ServerEnded) => RunOutcome::Interrupted,
            Err(error) if error.is_cancelled() => RunOutcome::Cancelled,
            Err(_) => RunOutcome::Failed,
        };
        let mut retry = reached.try_soon;
        match &outcome {
            Ok(()) => {
                tracing::info!(run = record.id, new = counts.new, revised = counts.revised, "synchronized")
            }
            Err(error) => {
                log_end(record.id, error);
                record.error_code = Some(error.code().to_owned());
                record.error_text = Some(error.to_string());
                retry = error.is_transient();
            }
        }
        let (inner, ending) =
            (Arc::clone(&self.inner), Ending { record: record.clone(), at: now, soon: retry });
        if let Err(error) = tokio::task::spawn_blocking(move || inner.end(ending)).await {
            tracing::error!(run = record.id, %error, "the end of the run could not be written to the history");
        }
        *self.inner.current.lock() = None;
        self.inner.progress.update(|p| {
            p.running = false;
            p.phase = Phase::Idle;
            p.error_code = outcome.as_ref().err().map(SyncError::code);
            p.error = record.error_text;
        });
        (self.inner.options.around.changed)();
        self.inner.woken.notify_one();
    }

    /// Writes down what the run under way has done so far: should the process end, the history tells.
    async fn keep_counts(&self, record: &mut SyncRun) {
        let reached = self.inner.progress.get();
        if (reached.counts, reached.phase.as_str()) == (record.counts, record.phase.as_str()) {
            return;
        }
        record.counts = reached.counts;
        reached.phase.as_str().clone_into(&mut record.phase);
        let (inner, kept) = (Arc::clone(&self.inner), record.clone());
        let written = tokio::task::spawn_blocking(move || inner.store.write_sync_run(&kept)).await;
        if !matches!(written, Ok(Ok(()))) {
            tracing::warn!(run = record.id, "how far the run is could not be written to the history");
        }
    }

    /// Asks the run under way to stop; `false` when there is none. What it has done stays.
    pub fn cancel(&self) -> bool {
        self.end(Reason::Cancelled)
    }

    /// The server stops, and with it the run under way, if there is one. It is begun again after the next start.
    pub fn stop(&self) {
        self.end(Reason::ServerStops);
    }

    fn end(&self, reason: Reason) -> bool {
        match &*self.inner.current.lock() {
            Some(running) => running.stop.send(Some(reason)).is_ok(),
            None => false,
        }
    }

    /// Ends the run under way when it has not come forward for so many seconds.
    fn end_when_stuck(&self, patience: i64) {
        let progress = self.inner.progress.get();
        if !progress.is_stuck(self.inner.options.around.now(), patience) {
            return;
        }
        if let (Some(running), Some(since)) = (&*self.inner.current.lock(), progress.last_progress) {
            running.stop.send_replace(Some(Reason::Stuck { phase: progress.phase, since }));
        }
    }

    /// How far it is.
    #[must_use]
    pub fn status(&self) -> Progress {
        self.inner.progress.get()
    }

    /// Progress, to be watched.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Progress> {
        self.inner.progress.watch()
    }

    /// Whether the history has the ends of all runs. One that it does not have yet is told from memory, and written as
    /// soon as that can be.
    #[must_use]
    pub fn ends_are_written(&self) -> bool {
        self.inner.unwritten.lock().is_empty()
    }

    /// Waits until no run is under way; answers how the last one ended.
    pub async fn wait(&self) -> Progress {
        let mut watch = self.watch();
        match watch.wait_for(|progress| !progress.running).await {
            Ok(progress) => progress.clone(),
            Err(_) => self.status(),
        }
    }

    /// The address that is asked for an upstream; for Microsoft Update that of its mirror, where there is one.
    #[must_use]
    pub fn asked<'a>(&'a self, source: &'a UpstreamSource) -> &'a str {
        self.inner.options.around.asked(source)
    }

    /// Tries settings before they are saved: reaches the upstream, gets a cookie and asks for its configuration.
    ///
    /// # Errors
    /// What is wrong, with a sentence for an administrator.
    pub async fn probe(&self, settings: UpstreamSettings) -> Result<Probe, SyncError> {
        let mut around = self.inner.options.around.clone();
        // A person waits for the answer.
        around.transport.retry = RetryPolicy::NEVER;
        let waits = &mut around.transport.waits;
        waits.silence = waits.silence.min(waits.person);
        crate::sync::probe(&self.inner.store, &around, settings).await
    }
}

/// The line of the log about a run that did not succeed.
fn log_end(run: u64, error: &SyncError) {
    let problem = error.problem().unwrap_or("none of the known ones");
    tracing::warn!(run, code = error.code(), problem, %error, "synchronization ended early");
}

/// Waits until files came, or did not, since a run's record was written, and a little longer: many small ones are written
/// down together.
async fn more_files(steps: &mut watch::Receiver<Progress>, kept: &SyncRun) {
    let tried = |counts: &RunCounts| (counts.files, counts.file_bytes, counts.files_failed);
    if steps.wait_for(|p| tried(&p.counts) != tried(&kept.counts)).await.is_err() {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(FILES_TOGETHER).await;
}

/// Waits until a run has stored revisions, or begun another phase, since its record was written.
async fn another_step(steps: &mut watch::Receiver<Progress>, kept: &SyncRun) {
    let further = |p: &Progress| {
        let stored = |counts: &RunCounts| (counts.new, counts.revised, counts.quarantined);
        p.phase.as_str() != kept.phase || stored(&p.counts) != stored(&kept.counts)
    };
    if steps.wait_for(further).await.is_err() {
        std::future::pending::<()>().await;
    }
}
