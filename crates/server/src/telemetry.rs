//! What the server counts about itself, and its Prometheus text form (`/metrics`). Counters are plain
//! atomics in a table that is laid out at start: counting costs the hot path no lock, no hash and no
//! allocation, and several servers in one process do not share anything.

use sluicegate_soap::fault::ErrorCode;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Everything that is counted by itself: service and operation.
pub const ENDPOINTS: &[(&str, &str)] = &[
    ("SimpleAuth", "GetAuthorizationCookie"),
    ("SimpleAuth", "Ping"),
    ("Client", "GetConfig"),
    ("Client", "GetCookie"),
    ("Client", "RegisterComputer"),
    ("Client", "StartCategoryScan"),
    ("Client", "SyncUpdates"),
    ("Client", "SyncPrinterCatalog"),
    ("Client", "RefreshCache"),
    ("Client", "GetExtendedUpdateInfo"),
    ("Client", "GetExtendedUpdateInfo2"),
    ("Client", "GetFileLocations"),
    ("Reporting", "ReportEventBatch"),
    ("Reporting", "ReportEventBatch2"),
    ("Reporting", "GetRequiredInventoryType"),
    ("Reporting", "ReportInventory"),
    ("Reporting", "GetRollupConfiguration"),
    ("Reporting", "RollupDownstreamServers"),
    ("Reporting", "RollupComputers"),
    ("Reporting", "GetOutOfSyncComputers"),
    ("Reporting", "RollupComputerStatus"),
    ("Reporting", "Ping"),
    ("DssAuth", "GetAuthorizationCookie"),
    ("DssAuth", "Ping"),
    ("ServerSync", "GetAuthConfig"),
    ("ServerSync", "GetCookie"),
    ("ServerSync", "GetConfigData"),
    ("ServerSync", "GetRevisionIdList"),
    ("ServerSync", "GetUpdateData"),
    ("ServerSync", "GetUpdateDecryptionData"),
    ("ServerSync", "GetDriverIdList"),
    ("ServerSync", "GetDriverSetData"),
    ("ServerSync", "DownloadFiles"),
    ("ServerSync", "GetDeployments"),
    ("ServerSync", "GetRelatedRevisionsForUpdates"),
    ("ServerSync", "Ping"),
    ("Content", "file"),
    ("SelfUpdate", "file"),
    ("Admin", "request"),
    ("Other", "request"),
];

/// How a request ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Answered.
    Ok,
    /// A SOAP fault that the client caused or must react to.
    Fault,
    /// 4xx.
    Refused,
    /// 503: come back later.
    Busy,
    /// Our failure.
    Error,
}

const OUTCOMES: [(Outcome, &str); 5] = [
    (Outcome::Ok, "ok"),
    (Outcome::Fault, "fault"),
    (Outcome::Refused, "refused"),
    (Outcome::Busy, "busy"),
    (Outcome::Error, "error"),
];

/// Upper ends of the latency buckets, in microseconds.
const BUCKETS: [u64; 12] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000, 5_000_000, 30_000_000];

#[derive(Debug, Default)]
struct Counted {
    outcomes: [AtomicU64; OUTCOMES.len()],
    buckets: [AtomicU64; BUCKETS.len()],
    micros: AtomicU64,
    sent: AtomicU64,
}

/// The counters of one server.
#[derive(Debug)]
pub struct Telemetry {
    endpoints: Vec<Counted>,
    faults: Vec<AtomicU64>,
    panics: AtomicU64,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            endpoints: ENDPOINTS.iter().map(|_| Counted::default()).collect(),
            faults: ErrorCode::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            panics: AtomicU64::new(0),
        }
    }
}

/// A figure that is read when asked for.
#[derive(Debug, Clone, Copy)]
pub struct Gauge {
    /// Its name, without the prefix.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// Its value now.
    pub value: f64,
}

impl Telemetry {
    /// Counts one finished request with `bytes` of ready answer.
    pub fn request(&self, service: &str, operation: &str, outcome: Outcome, took: Duration, bytes: u64) {
        let at = ENDPOINTS.iter().position(|known| *known == (service, operation));
        let at = at.unwrap_or(ENDPOINTS.len() - 1);
        let Some(counted) = self.endpoints.get(at) else { return };
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        for ((known, _), count) in OUTCOMES.iter().zip(&counted.outcomes) {
            if *known == outcome {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        if let Some(bucket) =
            BUCKETS.iter().position(|end| micros <= *end).and_then(|at| counted.buckets.get(at))
        {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        counted.micros.fetch_add(micros, Ordering::Relaxed);
        counted.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts a fault by its error code.
    pub fn fault(&self, code: ErrorCode) {
        let known = ErrorCode::ALL.iter().position(|known| *known == code);
        if let Some(count) = known.and_then(|at| self.faults.get(at)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a caught panic.
    pub fn panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// Everything, as Prometheus reads it.
    #[must_use]
    pub fn render(&self, gauges: &[Gauge]) -> String {
        let mut out = String::with_capacity(16 << 10);
        // Writing to a String cannot fail.
        let _ = self.write_all(&mut out, gauges);
        out
    }

    fn write_all(&self, out: &mut String, gauges: &[Gauge]) -> std::fmt::Result {
        head(out, "requests_total", "counter", "Requests by service, operation and outcome.")?;
        for ((service, operation), counted) in ENDPOINTS.iter().zip(&self.endpoints) {
            for ((_, outcome), count) in OUTCOMES.iter().zip(&counted.outcomes) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    writeln!(
                        out,
                        "sluicegate_requests_total{{service=\"{service}\",operation=\"{operation}\",outcome=\"{outcome}\"}} {count}"
                    )?;
                }
            }
        }
        head(out, "request_seconds", "histogram", "Time from the end of a request to its ready answer.")?;
        for ((service, operation), counted) in ENDPOINTS.iter().zip(&self.endpoints) {
            let total: u64 = counted.outcomes.iter().map(|count| count.load(Ordering::Relaxed)).sum();
            if total == 0 {
                continue;
            }
            let labels = format!("service=\"{service}\",operation=\"{operation}\"");
            let mut below = 0;
            for (end, count) in BUCKETS.iter().zip(&counted.buckets) {
                below += count.load(Ordering::Relaxed);
                writeln!(
                    out,
                    "sluicegate_request_seconds_bucket{{{labels},le=\"{}\"}} {below}",
                    seconds(*end)
                )?;
            }
            writeln!(out, "sluicegate_request_seconds_bucket{{{labels},le=\"+Inf\"}} {total}")?;
            writeln!(
                out,
                "sluicegate_request_seconds_sum{{{labels}}} {}",
                seconds(counted.micros.load(Ordering::Relaxed))
            )?;
            writeln!(out, "sluicegate_request_seconds_count{{{labels}}} {total}")?;
        }
        head(out, "answer_bytes_total", "counter", "Bytes of answer bodies.")?;
        for ((service, operation), counted) in ENDPOINTS.iter().zip(&self.endpoints) {
            let sent = counted.sent.load(Ordering::Relaxed);
            if sent > 0 {
                writeln!(
                    out,
                    "sluicegate_answer_bytes_total{{service=\"{service}\",operation=\"{operation}\"}} {sent}"
                )?;
            }
        }
        head(out, "faults_total", "counter", "SOAP faults by error code (MS-WUSP 2.2.2.4).")?;
        for (code, count) in ErrorCode::ALL.iter().zip(&self.faults) {
            writeln!(out, "sluicegate_faults_total{{code=\"{code}\"}} {}", count.load(Ordering::Relaxed))?;
        }
        head(out, "panics_total", "counter", "Requests that failed by a defect of the server.")?;
        writeln!(out, "sluicegate_panics_total {}", self.panics.load(Ordering::Relaxed))?;
        for gauge in gauges {
            head(out, gauge.name, "gauge", gauge.help)?;
            writeln!(out, "sluicegate_{} {}", gauge.name, gauge.value)?;
        }
        Ok(())
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) -> std::fmt::Result {
    writeln!(out, "# HELP sluicegate_{name} {help}\n# TYPE sluicegate_{name} {kind}")
}

/// Microseconds as seconds, exactly.
fn seconds(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_shown() {
        let telemetry = Telemetry::default();
        telemetry.request("Client", "SyncUpdates", Outcome::Ok, Duration::from_micros(300), 1000);
        telemetry.request("Client", "SyncUpdates", Outcome::Busy, Duration::from_secs(60), 0);
        telemetry.request("Nobody", "knows", Outcome::Refused, Duration::ZERO, 0);
        telemetry.fault(ErrorCode::ServerBusy);
        let text = telemetry.render(&[Gauge { name: "snapshot_age_seconds", help: "Age.", value: 1.5 }]);
        for line in [
            "sluicegate_requests_total{service=\"Client\",operation=\"SyncUpdates\",outcome=\"ok\"} 1",
            "sluicegate_requests_total{service=\"Other\",operation=\"request\",outcome=\"refused\"} 1",
            "sluicegate_request_seconds_bucket{service=\"Client\",operation=\"SyncUpdates\",le=\"0.0005\"} 1",
            "sluicegate_request_seconds_bucket{service=\"Client\",operation=\"SyncUpdates\",le=\"30\"} 1",
            "sluicegate_request_seconds_bucket{service=\"Client\",operation=\"SyncUpdates\",le=\"+Inf\"} 2",
            "sluicegate_request_seconds_sum{service=\"Client\",operation=\"SyncUpdates\"} 60.0003",
            "sluicegate_answer_bytes_total{service=\"Client\",operation=\"SyncUpdates\"} 1000",
            "sluicegate_faults_total{code=\"ServerBusy\"} 1",
            "sluicegate_faults_total{code=\"CookieExpired\"} 0",
            "sluicegate_snapshot_age_seconds 1.5",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn every_series_has_its_help_and_type_once() {
        let text = Telemetry::default().render(&[]);
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap();
            assert_eq!(text.matches(&format!("# TYPE {name} ")).count(), 1, "{name}");
        }
    }
}
