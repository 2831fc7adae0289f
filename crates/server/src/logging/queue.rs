//! Logging: a bounded queue of lines and the thread that writes them. A full queue drops lines and counts
//! them: a request is never held up by its log.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};
use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait at most.
const ROOM: usize = 8_192;

/// How long the end of the program waits for what is still queued.
const PATIENCE: Duration = Duration::from_secs(2);

static DROPPED: AtomicU64 = AtomicU64::new(0);

/// How many lines this process has dropped, over all its queues.
#[must_use]
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// What one queue has dropped, from its first line on: its gaps tell of its own lines only.
#[derive(Debug, Clone, Default)]
struct Lost(Arc<AtomicU64>);

impl Lost {
    fn one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

enum Piece {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

/// Where lines are put; clones put them into the same queue.
#[derive(Debug, Clone)]
pub struct Queue {
    sender: SyncSender<Piece>,
    lost: Lost,
}

/// Waits at its end until the queue is written.
#[derive(Debug)]
pub struct Guard {
    queue: Queue,
}

impl Queue {
    /// Starts a thread that writes to `out`. `gap` makes the line that tells of dropped ones.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(
        out: impl Write + Send + 'static,
        gap: impl Fn(u64) -> String + Send + 'static,
    ) -> io::Result<(Self, Guard)> {
        Self::with_room(ROOM, out, gap)
    }

    fn with_room(
        room: usize,
        out: impl Write + Send + 'static,
        gap: impl Fn(u64) -> String + Send + 'static,
    ) -> io::Result<(Self, Guard)> {
        let (sender, receiver) = sync_channel(room);
        let lost = Lost::default();
        std::thread::Builder::new().name("log".to_owned()).spawn({
            let lost = lost.clone();
            move || write(&receiver, &lost, out, &gap)
        })?;
        let queue = Self { sender, lost };
        Ok((queue.clone(), Guard { queue }))
    }

    /// Puts a line into the queue, or drops it.
    pub fn put(&self, line: Vec<u8>) {
        match self.sender.try_send(Piece::Line(line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.lost.one(),
        }
    }
}

fn write(pieces: &Receiver<Piece>, lost: &Lost, mut out: impl Write, gap: &impl Fn(u64) -> String) {
    let mut told = 0;
    // A log that cannot be written is counted as dropped; there is nowhere to say so.
    let mut put = |bytes: &[u8]| {
        if out.write_all(bytes).is_err() {
            lost.one();
        }
    };
    while let Ok(piece) = pieces.recv() {
        let now = lost.count();
        if now > told {
            put(gap(now - told).as_bytes());
            told = now;
        }
        match piece {
            Piece::Line(line) => put(&line),
            // Whoever waited may have stopped waiting.
            Piece::Flush(done) => drop(done.try_send(())),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let (done, written) = sync_channel(1);
        let end = Instant::now() + PATIENCE;
        let mut flush = Piece::Flush(done);
        loop {
            match self.queue.sender.try_send(flush) {
                Ok(()) => break,
                Err(TrySendError::Disconnected(_)) => return,
                Err(TrySendError::Full(_)) if Instant::now() >= end => return,
                Err(TrySendError::Full(same)) => flush = same,
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        match written.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(()) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }
}

/// One event of another format (text or JSON on standard error), put into the queue as it comes.
impl Write for Queue {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use std::sync::Arc;

    /// A writer that stands still while its lock is held.
    #[derive(Clone, Default)]
    struct Slow(Arc<Mutex<Vec<u8>>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_writer_that_stands_still_holds_nobody_up_and_what_was_dropped_is_counted_and_told() {
        let slow = Slow::default();
        let (queue, guard) =
            Queue::with_room(4, slow.clone(), |count| format!("{count} lines dropped\n")).unwrap();
        {
            let _standing_still = slow.0.lock();
            for number in 0..50 {
                queue.put(format!("line {number}\n").into_bytes());
            }
        }
        // Four wait and one may be under way.
        let lost = queue.lost.count();
        assert!((45..=46).contains(&lost), "{lost}");
        assert!(dropped() >= lost);
        // Room again after the others are written.
        while !String::from_utf8_lossy(&slow.0.lock()).contains("line 3") {
            std::thread::yield_now();
        }
        queue.put(b"last\n".to_vec());
        drop(guard);
        let text = String::from_utf8(slow.0.lock().clone()).unwrap();
        // Wherever the writer wakes, it tells first of what was dropped until then.
        let count = |line: &str| line.strip_suffix(" lines dropped").map(|n| n.parse::<u64>().unwrap());
        assert_eq!(text.lines().filter_map(count).sum::<u64>(), lost, "{text}");
        let lines: Vec<&str> = text.lines().filter(|line| count(line).is_none()).collect();
        assert!(lines.starts_with(&["line 0", "line 1", "line 2", "line 3"]), "{text}");
        assert!(text.ends_with("last\n"), "{text}");
    }
}
