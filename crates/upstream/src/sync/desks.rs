//! Synchronization: the threads that unpack and parse answers, as many as there are cores. Each keeps its memory
//! and its compressor for the whole run: what one answer leaves in the processor's caches, the next one finds there.

use crate::intake::Intake;
use parking_lot::Mutex;
use sluicegate_catalog::Limits;
use std::panic::resume_unwind;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};

/// How much desks stand back (`nice`). Whoever waits for an answer comes first, and so does the one thread that stores:
/// what it is late with at the end of a run, nothing goes on beside. It needs no core kept free for it besides: while it
/// waits for the disk, that core would wait too.
const STAND_BACK: i32 = 10;

type Work = Box<dyn FnOnce(&mut Intake) + Send>;

/// The threads. They end when this and all its doors are gone.
pub(super) struct Desks {
    door: Door,
    threads: JoinSet<()>,
}

/// Where work is brought to the desks.
#[derive(Clone)]
pub(super) struct Door {
    work: mpsc::Sender<Work>,
    /// Desks at which nobody sits.
    free: Arc<Semaphore>,
}

/// The desk's thread has ended: the work panicked.
pub(super) struct Broken;

impl Desks {
    /// One for each core: more would only take turns on the processor, and the storing thread would get fewer of them.
    pub(super) fn open(limits: Limits) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let (work, waiting) = mpsc::channel::<Work>(cores);
        let waiting = Arc::new(Mutex::new(waiting));
        let mut threads = JoinSet::new();
        for _ in 0..cores {
            let waiting = Arc::clone(&waiting);
            let work = move || {
                // Of this thread alone, on Linux. Where it may not be, the work is done all the same.
                let _ = rustix::process::setpriority_process(None, STAND_BACK);
                let mut intake = Intake::new(limits);
                loop {
                    // Of those that are idle, one waits for work and the others for their turn to wait.
                    let Some(work) = waiting.lock().blocking_recv() else { return };
                    work(&mut intake);
                }
            };
            threads.spawn_blocking(move || on_its_own(work));
        }
        Self { door: Door { work, free: Arc::new(Semaphore::new(cores)) }, threads }
    }

    pub(super) fn door(&self) -> Door {
        self.door.clone()
    }

    /// Why work was broken off.
    pub(super) async fn reason(&mut self) -> Option<JoinError> {
        self.threads.join_next().await.and_then(Result::err)
    }
}

/// Does the work on a thread that ends with it: the memory it worked with is given back then, which the runtime's
/// threads keep while they wait for something else to do.
pub(super) fn on_its_own<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|scope| scope.spawn(work).join()).unwrap_or_else(|panic| resume_unwind(panic))
}

impl Door {
    /// Does the work at a desk as soon as one is free.
    pub(super) async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Intake) -> R + Send + 'static,
    ) -> Result<R, Broken> {
        let (done, result) = oneshot::channel();
        let desk = Arc::clone(&self.free).acquire_owned().await.map_err(|_| Broken)?;
        let work: Work = Box::new(move |intake| {
            let result = work(intake);
            drop(desk);
            // Nobody waits for it when the run has been stopped.
            let _ = done.send(result);
        });
        self.work.send(work).await.map_err(|_| Broken)?;
        result.await.map_err(|_| Broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    /// How many were at work at once, at most.
    async fn crowd() -> usize {
        let desks = Desks::open(Limits::default());
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut all = JoinSet::new();
        for number in 0..20_usize {
            let (door, now, most) = (desks.door(), Arc::clone(&now), Arc::clone(&most));
            all.spawn(async move {
                let work = move |_: &mut Intake| {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(2));
                    now.fetch_sub(1, Ordering::SeqCst);
                    number
                };
                assert!(matches!(door.run(work).await, Ok(same) if same == number));
            });
        }
        while let Some(ended) = all.join_next().await {
            ended.unwrap();
        }
        most.load(Ordering::SeqCst)
    }

    #[tokio::test]
    async fn no_more_work_at_once_than_there_are_cores() {
        let cores = std::thread::available_parallelism().unwrap().get();
        assert!(crowd().await <= cores);
    }

    #[tokio::test]
    async fn work_that_panics_is_told_of_with_its_reason() {
        let mut desks = Desks::open(Limits::default());
        let door = desks.door();
        let broken = door.run(|_: &mut Intake| -> u8 { panic!("on purpose") }).await;
        assert!(broken.is_err());
        assert!(desks.reason().await.is_some_and(|error| error.is_panic()));
    }
}
