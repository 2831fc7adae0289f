//! Content: many files, a bounded number at a time.

use super::error::ContentError;
use super::fetch::{Fetch, Outcome};
use crate::transport::{Transport, Url};
use sluicegate_store::Store;
use sluicegate_terms::Sha1Digest;
use std::collections::HashSet;
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
}

impl Default for ContentOptions {
    fn default() -> Self {
        Self { parallel: 4, progress: Arc::new(|_| {}) }
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
    /// Files that are done with, well or not.
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
    /// Files that were not begun, because a failure would have met them all (a full disk).
    pub not_begun: Vec<Sha1Digest>,
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
    let mut queue = Vec::with_capacity(wanted.len());
    for file in wanted {
        if store.content().has(file.sha1) || !seen.insert(file.sha1) {
            report.already_held += 1;
        } else {
            queue.push(file);
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
    let mut queue = queue.into_iter();
    let workers = Workers::new(options.parallel);
    // Dropped with the future: then its tasks end.
    let mut running = JoinSet::new();
    let mut go_on = true;
    loop {
        while go_on
            && running.len() < options.parallel.max(1)
            && let Some(file) = queue.next()
        {
            let fetched = one(store.clone(), transport.clone(), file, Arc::clone(&counters));
            running.spawn_on(fetched, &workers.handle);
        }
        let Some(joined) = running.join_next().await else { break };
        counters.files.fetch_add(1, Ordering::Relaxed);
        counters.tell();
        report.bytes = counters.bytes.load(Ordering::Relaxed);
        // A task that panicked has been reported by the panic itself; its file stays wanted.
        let Ok((sha1, result)) = joined else { continue };
        match result {
            Ok(Outcome::Fetched) => {
                report.fetched.push(sha1);
                // What was thrown away, or lies there until its rest comes, is none.
                counters.came(store.content().held(sha1).map_or(0, |held| held.size));
            }
            Ok(Outcome::Held | Outcome::Elsewhere) => report.already_held += 1,
            Err(ContentError::NotThere { .. }) => report.not_there.push(sha1),
            Err(error) => {
                tracing::warn!(%error, code = error.code(), "a file did not come");
                go_on &= !error.concerns_all();
                report.failed.push(FailedFile { sha1, error });
            }
        }
    }
    report.not_begun.extend(queue.map(|file| file.sha1));
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

async fn one(
    store: Store,
    transport: Transport,
    file: WantedFile,
    counters: Arc<Counters>,
) -> (Sha1Digest, Result<Outcome, ContentError>) {
    let received = |bytes| counters.received(bytes);
    let fetch = Fetch {
        store: &store,
        transport: &transport,
        sha1: file.sha1,
        sources: &file.sources,
        received: &received,
    };
    (file.sha1, fetch.run().await)
}
