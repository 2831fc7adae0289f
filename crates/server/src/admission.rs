//! Admission: how much work is taken on at once. Memory for request bodies and for answers is counted
//! in bytes; a bounded number of requests waits its turn, the rest is told when to come back. Refused
//! clients get consecutive places in time at the rate work really completes, so that a storm of ten
//! thousand scans becomes a queue outside the server instead of inside it.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes are counted in units of this many.
const UNIT: usize = 4096;

/// Longest time a refused client is told to stay away, in seconds, before jitter.
const LONGEST_RETRY: f64 = 120.0;

/// Whether a request begins something or goes on with it. What has begun is let through first: it
/// holds nothing here, but its client would otherwise have done its work for nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// The first request of a scan.
    Begins,
    /// A later one.
    Continues,
}

/// There is no room; come back later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server has as much work as it may hold; the client was told to come back in {retry_after} s")]
pub struct Busy {
    /// Seconds to wait, at least 1.
    pub retry_after: u32,
}

/// Room held by one request; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    room: Option<OwnedSemaphorePermit>,
    gate: Arc<Shared>,
}

impl Permit {
    /// Gives back what is not needed after all, keeping room for `bytes`.
    pub fn shrink_to(&mut self, bytes: usize) {
        let keep = units(bytes);
        if let Some(room) = self.room.as_mut() {
            let surplus = room.num_permits().saturating_sub(keep);
            drop(room.split(surplus));
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        drop(self.room.take());
        self.gate.pace.lock().completed(self.gate.since_start());
    }
}

#[derive(Debug)]
struct Shared {
    room: Arc<Semaphore>,
    capacity: usize,
    waiting: AtomicUsize,
    max_waiting: usize,
    max_wait: Duration,
    started: Instant,
    pace: Mutex<Pace>,
}

impl Shared {
    fn since_start(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}

/// One kind of room: for request bodies, or for answers.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Shared>);

fn units(bytes: usize) -> usize {
    bytes.div_ceil(UNIT).max(1)
}

impl Gate {
    /// Room for `bytes` at once, with at most `max_waiting` requests waiting at most `max_wait`.
    #[must_use]
    pub fn new(bytes: usize, max_waiting: usize, max_wait: Duration) -> Self {
        let capacity = units(bytes).min(Semaphore::MAX_PERMITS).min(u32::MAX as usize);
        Self(Arc::new(Shared {
            room: Arc::new(Semaphore::new(capacity)),
            capacity,
            waiting: AtomicUsize::new(0),
            max_waiting,
            max_wait,
            started: Instant::now(),
            pace: Mutex::new(Pace::default()),
        }))
    }

    /// Waits for room for `bytes` (more than the whole gate counts as the whole gate).
    ///
    /// # Errors
    /// [`Busy`] when too many wait already or the wait took too long. `jitter`, in 0.0..1.0, spreads the
    /// clients that are told so; it is asked for only then.
    pub async fn admit(&self, bytes: usize, stage: Stage, jitter: impl Fn() -> f64) -> Result<Permit, Busy> {
        let wanted = units(bytes).min(self.0.capacity);
        // `new` bounds the capacity to what fits.
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        if let Ok(room) = Arc::clone(&self.0.room).try_acquire_many_owned(wanted) {
            return Ok(self.permit(room));
        }
        let ceiling = match stage {
            Stage::Continues => self.0.max_waiting,
            Stage::Begins => self.0.max_waiting / 2,
        };
        let Some(_place) = Place::take(&self.0, ceiling) else { return Err(self.refuse(jitter())) };
        let turn = Arc::clone(&self.0.room).acquire_many_owned(wanted);
        match tokio::time::timeout(self.0.max_wait, turn).await {
            Ok(Ok(room)) => Ok(self.permit(room)),
            Ok(Err(_)) | Err(_) => Err(self.refuse(jitter())),
        }
    }

    /// Requests waiting now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// Bytes held now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.0.capacity.saturating_sub(self.0.room.available_permits()) * UNIT
    }

    fn permit(&self, room: OwnedSemaphorePermit) -> Permit {
        Permit { room: Some(room), gate: Arc::clone(&self.0) }
    }

    fn refuse(&self, jitter: f64) -> Busy {
        Busy { retry_after: self.0.pace.lock().refused(self.0.since_start(), jitter) }
    }
}

/// A place among the waiting.
struct Place<'a>(&'a Shared);

impl<'a> Place<'a> {
    fn take(shared: &'a Shared, ceiling: usize) -> Option<Self> {
        let count = |waiting: usize| (waiting < ceiling).then_some(waiting + 1);
        shared.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).ok().map(|_| Self(shared))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Measures how fast work completes and hands out places in time at that rate. Seconds since start
/// are given, so this is a pure state machine.
#[derive(Debug)]
struct Pace {
    /// Completions per second, smoothed.
    rate: f64,
    window_start: f64,
    window_count: f64,
    /// The next free place.
    next: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { rate: 200.0, window_start: 0.0, window_count: 0.0, next: 0.0 }
    }
}

impl Pace {
    fn completed(&mut self, now: f64) {
        self.window_count += 1.0;
        let passed = now - self.window_start;
        if passed >= 1.0 {
            let measured = self.window_count / passed;
            // A quiet second says how much was asked, not how much is possible: only let the rate
            // fall while clients are being refused.
            if measured > self.rate || self.next > now {
                self.rate += 0.3 * (measured - self.rate);
            }
            self.window_start = now;
            self.window_count = 0.0;
        }
    }

    fn refused(&mut self, now: f64, jitter: f64) -> u32 {
        let place = self.next.max(now + 1.0);
        self.next = (place + 1.0 / self.rate.max(1.0)).min(now + LONGEST_RETRY);
        let wait = (place - now).min(LONGEST_RETRY) * (1.0 + jitter.clamp(0.0, 1.0) / 4.0);
        // 1.0..=150.0, so the cast keeps the value.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded above")]
        let seconds = wait.ceil().clamp(1.0, LONGEST_RETRY * 1.25) as u32;
        seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(units: usize, waiting: usize) -> Gate {
        Gate::new(units * UNIT, waiting, Duration::from_millis(50))
    }

    #[tokio::test]
    async fn room_is_given_back() {
        let gate = gate(4, 0);
        let all = gate.admit(4 * UNIT, Stage::Begins, || 0.0).await.unwrap();
        assert_eq!(gate.held(), 4 * UNIT);
        assert!(gate.admit(1, Stage::Continues, || 0.0).await.is_err());
        drop(all);
        assert!(gate.admit(1, Stage::Continues, || 0.0).await.is_ok());
        assert_eq!(gate.held(), 0);
    }

    #[tokio::test]
    async fn shrinking_lets_others_in() {
        let gate = gate(4, 0);
        let mut first = gate.admit(4 * UNIT, Stage::Begins, || 0.0).await.unwrap();
        first.shrink_to(UNIT);
        assert_eq!(gate.held(), UNIT);
        assert!(gate.admit(3 * UNIT, Stage::Begins, || 0.0).await.is_ok());
    }

    #[tokio::test]
    async fn more_than_everything_is_everything() {
        let gate = gate(2, 0);
        assert!(gate.admit(usize::MAX / 2, Stage::Begins, || 0.0).await.is_ok());
    }

    #[tokio::test]
    async fn a_waiting_request_gets_its_turn() {
        let gate = gate(1, 4);
        let held = gate.admit(1, Stage::Begins, || 0.0).await.unwrap();
        let later = tokio::spawn({
            let gate = gate.clone();
            async move { gate.admit(1, Stage::Continues, || 0.0).await.is_ok() }
        });
        while gate.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        drop(held);
        assert!(later.await.unwrap());
        assert_eq!(gate.waiting(), 0);
    }

    #[tokio::test]
    async fn beginners_are_refused_before_those_who_have_begun() {
        let gate = gate(1, 2);
        let _held = gate.admit(1, Stage::Begins, || 0.0).await.unwrap();
        let waiting = tokio::spawn({
            let gate = gate.clone();
            async move { gate.admit(1, Stage::Begins, || 0.0).await }
        });
        while gate.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        let at_once = tokio::time::timeout(Duration::ZERO, gate.admit(1, Stage::Begins, || 0.0)).await;
        assert!(at_once.expect("a beginner is refused without waiting").is_err());
        assert!(gate.admit(1, Stage::Continues, || 0.0).await.is_err(), "waits and times out");
        assert!(waiting.await.unwrap().is_err());
    }

    #[test]
    fn refused_clients_get_places_at_the_rate_of_completion() {
        let mut pace = Pace { rate: 10.0, ..Pace::default() };
        let waits: Vec<u32> = (0..100).map(|_| pace.refused(0.0, 0.0)).collect();
        assert_eq!(waits[0], 1);
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(waits[99], 11, "100 clients at 10 a second, the first after one second");
    }

    #[test]
    fn nobody_is_sent_away_for_long() {
        let mut pace = Pace { rate: 1.0, ..Pace::default() };
        for _ in 0..10_000 {
            assert!((1..=150).contains(&pace.refused(0.0, 0.99)));
        }
    }

    #[test]
    fn the_rate_follows_what_completes() {
        let mut pace = Pace::default();
        for tick in 0..20_000 {
            pace.completed(f64::from(tick) / 1000.0);
        }
        assert!(pace.rate > 900.0, "{}", pace.rate);
    }
}
