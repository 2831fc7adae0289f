//! Logging: a bounded queue of lines and the thread that writes them. A full queue drops lines and counts
//! them: a request is never held up by its log.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait at most.
const ROOM: usize = 8_192;

/// How long the end of the program waits for what is still queued.
const PATIENCE: Duration = Duration::from_secs(2);

static DROPPED: AtomicU64 = AtomicU64::new(0);

/// How many lines this process has dropped.
#[must_use]
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

enum Piece {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

/// Where lines are put; clones put them into the same queue.
#[derive(Debug, Clone)]
pub struct Queue {
    sender: SyncSender<Piece>,
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
        std::thread::Builder::new().name("log".to_owned()).spawn(move || write(&receiver, out, &gap))?;
        let queue = Self { sender };
        Ok((queue.clone(), Guard { queue }))
    }

    /// Puts a line into the queue, or drops it.
    pub fn put(&self, line: Vec<u8>) {
        match self.sender.try_send(Piece::Line(line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                DROPPED.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn write(pieces: &Receiver<Piece>, mut out: impl Write, gap: &impl Fn(u64) -> String) {
    let mut told = dropped();
    // A log that cannot be written is counted as dropped; there is nowhere to say so.
    let mut put = |bytes: &[u8]| {
        if out.write_all(bytes).is_err() {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    };
    while let Ok(piece) = pieces.recv() {
        let now = dropped();
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
        if self.queue.sender.try_send(Piece::Flush(done)).is_ok() {
            match written.recv_timeout(PATIENCE) {
                Ok(()) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
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
        let before = dropped();
        {
            let _standing_still = slow.0.lock();
            for number in 0..50 {
                queue.put(format!("line {number}\n").into_bytes());
            }
        }
        let lost = dropped() - before;
        // Four wait and some may be under way; other tests may drop lines of theirs meanwhile.
        assert!(lost >= 40, "{lost}");
        // Room again after the others are written.
        while !String::from_utf8_lossy(&slow.0.lock()).contains("line 3") {
            std::thread::yield_now();
        }
        queue.put(b"last\n".to_vec());
        drop(guard);
        let text = String::from_utf8(slow.0.lock().clone()).unwrap();
        assert!(text.starts_with("line 0\n") && text.contains("lines dropped\n"), "{text}");
        assert!(text.ends_with("last\n"), "{text}");
    }
}
