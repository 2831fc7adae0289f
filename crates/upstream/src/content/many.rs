//! Content: many files, a bounded number at a time.

use super::error::ContentError;
use super::fetch::{Fetch, Outcome};
use super::places::{Places, Tried};
use crate::transport::{Transport, Url};
use sluicegate_store::Store;
use sluicegate_terms::Sha1Digest;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinSet;

/// Most threads that files are fetched on, however many are on their way.
const MOST_THREADS: usize = 16;

/// A file to fetch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WantedFile {
    /// Which one. The catalog must declare it.
    pub sha1: Sha1Digest,
    /// Its declared length in bytes; for progress.
    pub size: u64,
    /// Where it can be fetched, the best place first.
    pub sources: Vec<Url>,
}

/// How files are fetched.
#[derive(Clone)]
pub struct ContentOptions {
    /// Files at a time; at least one. The transport's own bound on requests holds besides.
    pub parallel: usize,
    /// Told of progress, from any thread; must be quick.
    pub progress: Arc<dyn Fn(ContentProgress) + Send + Sync>,
    /// Told of each file that fails, when it does; must be quick.
    pub failed: Arc<dyn Fn(&ContentError) + Send + Sync>,
}

impl Default for ContentOptions {
    fn default() -> Self {
        Self { parallel: 4, progress: Arc::new(|_| {}), failed: Arc::new(|_| {}) }
    }
}

impl std::fmt::Debug for ContentOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContentOptions").field("parallel", &self.parallel).finish_non_exhaustive()
    }
}

/// How far a run is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ContentProgress {
    /// Files that are done with: that came, are here, or that nobody has yet. One that failed is none of them.
    pub files: u64,
    /// Files in all.
    pub files_total: u64,
    /// Files that came.
    pub fetched: u64,
    /// Bytes of the files that came, whenever they did.
    pub fetched_bytes: u64,
    /// Bytes that came from the network.
    pub bytes: u64,
    /// Bytes of all files that were not held at the start. Resumed files need less.
    pub bytes_total: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct ContentReport {
    /// Files that came and were verified.
    pub fetched: Vec<Sha1Digest>,
    /// Files that were held before, or that somebody else is fetching.
    pub already_held: u64,
    /// Bytes that came from the network.
    pub bytes: u64,
    /// Files that nobody has yet; [`ContentError::NotThere`].
    pub not_there: Vec<Sha1Digest>,
    /// Files that failed.
    pub failed: Vec<FailedFile>,
    /// Files that were not begun, because a failure would have met them all: a full disk, or nobody to be reached
    /// where they are.
    pub not_begun: Vec<Sha1Digest>,
    /// For several files in a row nobody could be reached at a place where they are, and so it still was at the end.
    pub way_lost: bool,
}

/// A file that failed.
#[derive(Debug)]
pub struct FailedFile {
    /// Which one.
    pub sha1: Sha1Digest,
    /// Why.
    pub error: ContentError,
}

struct Counters {
    files: AtomicU64,
    fetched: AtomicU64,
    fetched_bytes: AtomicU64,
    bytes: AtomicU64,
    files_total: u64,
    bytes_total: u64,
    progress: Arc<dyn Fn(ContentProgress) + Send + Sync>,
}

impl Counters {
    fn done(&self) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.tell();
    }

    fn came(&self, bytes: u64) {
        self.fetched_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.fetched.fetch_add(1, Ordering::Relaxed);
        self.tell();
    }

    fn received(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.tell();
    }

    fn tell(&self) {
        (self.progress)(ContentProgress {
            files: self.files.load(Ordering::Relaxed),
            files_total: self.files_total,
            fetched: self.fetched.load(Ordering::Relaxed),
            fetched_bytes: self.fetched_bytes.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            bytes_total: self.bytes_total,
        });
    }
}

/// Fetches files into the store. What is held is not fetched, whoever brought it; each file is fetched once, however
/// often it is wanted. Dropping the future breaks off; what has come is gone on with next time, and `report` says what
/// that is.
pub async fn fetch_all(
    store: &Store,
    transport: &Transport,
    wanted: Vec<WantedFile>,
    options: &ContentOptions,
    report: &mut ContentReport,
) {
    let mut seen = HashSet::new();
    let mut queue = VecDeque::with_capacity(wanted.len());
    for file in wanted {
        if store.content().has(file.sha1) || !seen.insert(file.sha1) {
            report.already_held += 1;
        } else {
            queue.push_back(file);
        }
    }
    let counters = Arc::new(Counters {
        files: AtomicU64::new(0),
        fetched: AtomicU64::new(0),
        fetched_bytes: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
        files_total: queue.len() as u64,
        bytes_total: queue.iter().fold(0, |sum, file| sum.saturating_add(file.size)),
        progress: Arc::clone(&options.progress),
    });
    counters.tell();
    // What can only be had where nobody could be reached lately.
    let mut aside = VecDeque::new();
    let mut places = Places::default();
    let workers = Workers::new(options.parallel.min(queue.len()));
    // Dropped with the future: then its tasks end.
    let mut running = JoinSet::new();
    let mut go_on = true;
    loop {
        while go_on
            && running.len() < options.parallel.max(1)
            && let Some(mut file) = queue.pop_front()
        {
            if places.lead_nowhere(&file.sources) {
                aside.push_back(file);
                continue;
            }
            places.put_lost_last(&mut file.sources);
            let fetched = one(store.clone(), transport.clone(), file, Arc::clone(&counters));
            running.spawn_on(fetched, &workers.handle);
        }
        let Some(joined) = running.join_next().await else { break };
        report.bytes = counters.bytes.load(Ordering::Relaxed);
        // A task that panicked has been reported by the panic itself; its file stays wanted.
        let Ok(Ended { sha1, result, tried }) = joined else { continue };
        if places.note(&tried) {
            queue.append(&mut aside);
        }
        match result {
            Ok(Outcome::Fetched) => {
                counters.done();
                report.fetched.push(sha1);
                // What was thrown away, or lies there until its rest comes, is none.
                counters.came(store.content().held(sha1).map_or(0, |held| held.size));
            }
            Ok(Outcome::Held | Outcome::Elsewhere) => {
                counters.done();
                report.already_held += 1;
            }
            Err(ContentError::NotThere { .. }) => {
                counters.done();
                report.not_there.push(sha1);
            }
            Err(error) => {
                tracing::warn!(%error, code = error.code(), "a file did not come");
                (options.failed)(&error);
                go_on &= !error.concerns_all();
                report.failed.push(FailedFile { sha1, error });
            }
        }
    }
    let by_the_way = report.failed.iter().any(|failed| failed.error.concerns_the_way());
    report.way_lost |= !aside.is_empty() || by_the_way && places.any_lost();
    report.not_begun.extend(queue.into_iter().chain(aside).map(|file| file.sha1));
}

/// Threads that files are received, hashed and written on, apart from those that answer clients: a piece goes from the
/// network to the disk without changing the processor, and nobody else waits for the disk.
struct Workers {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Workers {
    fn new(parallel: usize) -> Self {
        let threads = parallel.clamp(1, MOST_THREADS);
        let built =
            Builder::new_multi_thread().worker_threads(threads).thread_name("content").enable_all().build();
        match built {
            Ok(runtime) => Self { handle: runtime.handle().clone(), runtime: Some(runtime) },
            Err(error) => {
                tracing::warn!(%error, "files are fetched without threads of their own");
                Self { handle: Handle::current(), runtime: None }
            }
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // What waits for the disk ends by itself.
            runtime.shutdown_background();
        }
    }
}

/// What became of one file.
struct Ended {
    sha1: Sha1Digest,
    result: Result<Outcome, ContentError>,
    tried: Vec<Tried>,
}

async fn one(store: Store, transport: Transport, file: WantedFile, counters: Arc<Counters>) -> Ended {
    let received = |bytes| counters.received(bytes);
    let fetch = Fetch {
        store: &store,
        transport: &transport,
        sha1: file.sha1,
        sources: &file.sources,
        received: &received,
    };
    let mut tried = Vec::new();
    let result = fetch.run(&mut tried).await;
    Ended { sha1: file.sha1, result, tried }
}
