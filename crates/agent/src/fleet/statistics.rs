//! Fleet: what is counted while a fleet runs, and the report at its end.

use super::latency::{Latencies, LatencySummary};
use crate::error::AgentError;
use crate::hresult::HResult;
use crate::scan::ScanSummary;
use crate::session::Observer;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a fleet did.
#[derive(Clone, Debug)]
pub struct FleetReport {
    /// How many agents there were.
    pub agents: usize,
    /// From the first call to the last answer.
    pub elapsed: Duration,
    /// The first scan of each agent.
    pub first: PhaseReport,
    /// The scans after it, in steady mode.
    pub rescans: Option<PhaseReport>,
}

/// What a fleet did in one phase.
#[derive(Clone, Debug)]
pub struct PhaseReport {
    /// How long it took.
    pub elapsed: Duration,
    /// Scans that finished.
    pub finished: u64,
    /// Scans that did not, by the code a real agent would log, with an example of each.
    pub unfinished: BTreeMap<u32, (u64, String)>,
    /// Revisions delivered.
    pub new_updates: u64,
    /// SyncUpdates calls of the scan that needed most.
    pub most_trips: u32,
    /// Body bytes as they were on the wire.
    pub wire_bytes: u64,
    /// Body bytes after decompression.
    pub body_bytes: u64,
    /// Calls and their latencies, by operation.
    pub operations: BTreeMap<&'static str, OperationReport>,
}

/// What one operation did.
#[derive(Clone, Copy, Debug, Default)]
pub struct OperationReport {
    /// Times the server was busy and the agent waited.
    pub refusals: u64,
    /// Of answered calls, without waits between them.
    pub latency: LatencySummary,
}

impl PhaseReport {
    /// Scans that did not finish.
    #[must_use]
    pub fn unfinished_count(&self) -> u64 {
        self.unfinished.values().map(|(count, _)| count).sum()
    }

    /// Answered calls per second.
    #[must_use]
    pub fn calls_per_second(&self) -> f64 {
        let calls: u64 = self.operations.values().map(|operation| operation.latency.count).sum();
        // Exact up to 2^53 calls.
        calls as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Times the server was busy.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.operations.values().map(|operation| operation.refusals).sum()
    }
}

impl fmt::Display for PhaseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} scans finished, {} did not, in {:.1} s: {:.0} calls/s, {} refusals, {} updates delivered, \
             at most {} round trips, {:.1} MB on the wire ({:.1} MB unpacked)",
            self.finished,
            self.unfinished_count(),
            self.elapsed.as_secs_f64(),
            self.calls_per_second(),
            self.refusals(),
            self.new_updates,
            self.most_trips,
            self.wire_bytes as f64 / 1e6,
            self.body_bytes as f64 / 1e6,
        )?;
        for (name, operation) in &self.operations {
            let latency = &operation.latency;
            writeln!(
                f,
                "  {name:<24} {:>8} calls, median {:>9.2?}, p90 {:>9.2?}, p99 {:>9.2?}, longest {:>9.2?}, {} refusals",
                latency.count, latency.median, latency.p90, latency.p99, latency.longest, operation.refusals
            )?;
        }
        for (code, (count, example)) in &self.unfinished {
            writeln!(f, "  {} x {count}: {example}", HResult(*code))?;
        }
        Ok(())
    }
}

impl fmt::Display for FleetReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} agents, first scan: {}", self.agents, self.first)?;
        self.rescans.as_ref().map_or(Ok(()), |rescans| write!(f, "rescans: {rescans}"))
    }
}

/// Counts one phase. Shared by all agents.
#[derive(Debug, Default)]
pub(super) struct Phase {
    finished: AtomicU64,
    new_updates: AtomicU64,
    most_trips: AtomicU64,
    wire_bytes: AtomicU64,
    body_bytes: AtomicU64,
    unfinished: Mutex<BTreeMap<u32, (u64, String)>>,
    operations: Mutex<BTreeMap<&'static str, std::sync::Arc<Counted>>>,
}

#[derive(Debug, Default)]
struct Counted {
    refusals: AtomicU64,
    latencies: Latencies,
}

impl Phase {
    pub(super) fn finished(&self, result: Result<&ScanSummary, &AgentError>) {
        match result {
            Ok(summary) => {
                self.finished.fetch_add(1, Ordering::Relaxed);
                self.new_updates.fetch_add(summary.new_updates as u64, Ordering::Relaxed);
                self.most_trips.fetch_max(u64::from(summary.trips), Ordering::Relaxed);
            }
            Err(error) => self.failed(error.hresult(), error.to_string()),
        }
    }

    /// An agent of which nothing more is known.
    pub(super) fn lost(&self) {
        // E_UNEXPECTED.
        self.failed(HResult(0x8000_FFFF), "the simulated agent itself failed".to_owned());
    }

    fn failed(&self, code: HResult, example: String) {
        if let Ok(mut unfinished) = self.unfinished.lock() {
            unfinished.entry(code.0).or_insert((0, example)).0 += 1;
        }
    }

    fn operation(&self, name: &'static str) -> std::sync::Arc<Counted> {
        self.operations.lock().map(|mut all| all.entry(name).or_default().clone()).unwrap_or_default()
    }

    pub(super) fn report(&self, elapsed: Duration) -> PhaseReport {
        let operations = self.operations.lock().map(|operations| {
            operations
                .iter()
                .map(|(name, counted)| {
                    let refusals = counted.refusals.load(Ordering::Relaxed);
                    (*name, OperationReport { refusals, latency: counted.latencies.summary() })
                })
                .collect()
        });
        PhaseReport {
            elapsed,
            finished: self.finished.load(Ordering::Relaxed),
            unfinished: self.unfinished.lock().map(|unfinished| unfinished.clone()).unwrap_or_default(),
            new_updates: self.new_updates.load(Ordering::Relaxed),
            most_trips: u32::try_from(self.most_trips.load(Ordering::Relaxed)).unwrap_or(u32::MAX),
            wire_bytes: self.wire_bytes.load(Ordering::Relaxed),
            body_bytes: self.body_bytes.load(Ordering::Relaxed),
            operations: operations.unwrap_or_default(),
        }
    }
}

impl Observer for Phase {
    fn answered(&self, operation: &'static str, took: Duration, wire_bytes: usize, body_bytes: usize) {
        self.operation(operation).latencies.record(took);
        self.wire_bytes.fetch_add(wire_bytes as u64, Ordering::Relaxed);
        self.body_bytes.fetch_add(body_bytes as u64, Ordering::Relaxed);
    }

    fn refused(&self, operation: &'static str, _: Duration) {
        self.operation(operation).refusals.fetch_add(1, Ordering::Relaxed);
    }
}
