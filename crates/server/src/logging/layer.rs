//! Logging: what the program logs, taken from `tracing` into the queue.

use super::line::Event;
use super::queue::{Guard, Queue};
use super::{LogFile, NAME};
use crate::clock::{Clock, SystemClock};
use std::cell::Cell;
use std::fmt::Debug;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tracing::field::{Field, Visit};
use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Writes `SoftwareDistribution.log`.
#[derive(Debug)]
pub struct DistributionLog {
    queue: Queue,
    clock: Arc<dyn Clock>,
}

impl DistributionLog {
    /// Begins to write to a file. Keep the guard until the end of the program.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(file: LogFile) -> io::Result<(Self, Guard)> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let time = Arc::clone(&clock);
        let gap = move |count: u64| {
            let message = format!("{count} lines were dropped: more was logged than {NAME} could take");
            let event = Event { level: "Warning", target: "logging".to_owned(), message, ..Event::default() };
            event.lines(time.now())
        };
        let (queue, guard) = Queue::start(file, gap)?;
        Ok((Self { queue, clock }, guard))
    }
}

impl<S: Subscriber> Layer<S> for DistributionLog {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let level = match *event.metadata().level() {
            Level::ERROR => "Error",
            Level::WARN => "Warning",
            Level::INFO => "Info",
            Level::DEBUG | Level::TRACE => "Trace",
        };
        let target = event.metadata().target().to_owned();
        let mut taken = Event { level, target, thread: thread(), ..Event::default() };
        event.record(&mut taken);
        self.queue.put(taken.lines(self.clock.now()).into_bytes());
    }
}

impl Visit for Event {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.fields.push((field.name().to_owned(), value.to_owned()));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// A number for this thread; real servers show the thread's number in the runtime.
fn thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static OWN: Cell<u64> = const { Cell::new(0) };
    }
    OWN.with(|own| {
        if own.get() == 0 {
            own.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        own.get()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt as _;

    #[test]
    fn what_is_logged_stands_in_the_file_when_the_guard_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let (layer, guard) = DistributionLog::start(LogFile::open(dir.path(), 1 << 20, 1).unwrap()).unwrap();
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(anchor = 7, who = %"ada", "something happened");
        });
        drop(guard);
        let text = std::fs::read_to_string(dir.path().join(NAME)).unwrap();
        assert!(
            text.contains("\tWarning\tsluicegate.")
                && text.ends_with("something happened anchor=7 who=ada\n"),
            "{text}"
        );
    }
}
