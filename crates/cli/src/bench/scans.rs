//! Bench: scans over loopback HTTP, against a bare handler that reads the same request bytes and
//! returns the same answer bytes. Both are processes of their own; rounds alternate.

use super::Setup;
use super::catalogs;
use super::dialogue::{Client, Exchange};
use super::load::{self, Load, RawRequest};
use super::process::Server;
use super::report::{Bound, Report};
use anyhow::ensure;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const ROUNDS: usize = 5;
/// Turns of each side when answer times are compared.
const TURNS: usize = 40;
/// Enough that neither server waits for the load generator: what is compared is the rate each can reach.
const CONNECTIONS: usize = 64;

/// A client that has everything and to whom nothing is new.
pub(crate) async fn steady(bench: &Setup, size: usize, report: &mut Report) -> anyhow::Result<()> {
    let catalog = catalogs::ready(bench, size).await?;
    let ours = Server::sluicegate(&catalog.data).await?;
    let mut client = Client::sign_on(ours.addr, "bench-steady").await?;
    let first = client.first_scan(&catalog.installed).await?;
    let exchange = client.sync(&first.held).await?;
    ensure!(
        exchange.answer.len() < 2048,
        "a client with everything was told {} bytes",
        exchange.answer.len()
    );
    let ids = first.held.installed_non_leaf.len() + first.held.other.len();
    let pair = Pair::new(bench, ours, std::slice::from_ref(&exchange)).await?;
    let rounds = pair.rounds(bench, CONNECTIONS).await?;
    let title = format!("steady SyncUpdates, {size} revisions, {ids} cached ids");
    let rate = median(rounds.iter().map(|r| r.ours.rate() / r.bare.rate()));
    report.note(
        format!("{title}: requests a second, ours and bare"),
        median(rounds.iter().map(|r| r.ours.rate())),
        format!(
            "{:.0} and {:.0}",
            median(rounds.iter().map(|r| r.ours.rate())),
            median(rounds.iter().map(|r| r.bare.rate()))
        ),
    );
    let micros = |cpu: f64| cpu * 1e6;
    let ours_cpu = median(rounds.iter().map(|r| micros(r.ours_cpu_per_answer())));
    let bare_cpu = median(rounds.iter().map(|r| micros(r.bare_cpu_per_answer())));
    report.note(
        format!("{title}: server CPU a request, ours and bare"),
        ours_cpu,
        format!("{ours_cpu:.1} µs and {bare_cpu:.1} µs"),
    );
    report.check(format!("{title}: rate against the bare handler"), rate, "x", Bound::AtLeast(0.5));
    Ok(())
}

/// The whole first scan of a fresh client.
pub(crate) async fn first(bench: &Setup, size: usize, report: &mut Report) -> anyhow::Result<()> {
    let catalog = catalogs::ready(bench, size).await?;
    let ours = Server::sluicegate(&catalog.data).await?;
    let mut client = Client::sign_on(ours.addr, "bench-first").await?;
    let scan = client.first_scan(&catalog.installed).await?;
    let wire: usize = scan.calls.iter().map(|call| call.answer.len()).sum();
    let title = format!("first scan, {size} revisions, {} delivered", scan.delivered);
    report.note(
        format!("{title}: answers on the wire and decoded"),
        wire as f64,
        format!("{} and {}", crate::output::size(wire as u64), crate::output::size(scan.decoded as u64)),
    );
    report.check(format!("{title}: round trips"), scan.calls.len() as f64, "", Bound::AtMost(29.0));
    let pair = Pair::new(bench, ours, &scan.calls).await?;
    let rounds = pair.rounds(bench, CONNECTIONS).await?;
    let cpu = median(rounds.iter().map(|r| r.ours_cpu_per_answer() / r.bare_cpu_per_answer()));
    let calls = scan.calls.len() as f64;
    report.note(
        format!("{title}: server CPU per scan, ours and bare"),
        median(rounds.iter().map(|r| r.ours_cpu_per_answer() * calls * 1e3)),
        format!(
            "{:.2} ms and {:.2} ms",
            median(rounds.iter().map(|r| r.ours_cpu_per_answer() * calls * 1e3)),
            median(rounds.iter().map(|r| r.bare_cpu_per_answer() * calls * 1e3))
        ),
    );
    report.check(format!("{title}: server CPU against copying the answers"), cpu, "x", Bound::AtMost(2.0));
    Ok(())
}

/// Answer times do not grow with the catalog.
pub(crate) async fn scaling(
    bench: &Setup,
    small: usize,
    large: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    if small == large {
        return Ok(());
    }
    let mut servers = Vec::new();
    for size in [small, large] {
        let catalog = catalogs::ready(bench, size).await?;
        let server = Server::sluicegate(&catalog.data).await?;
        let mut client = Client::sign_on(server.addr, "bench-scaling").await?;
        let first = client.first_scan(&catalog.installed).await?;
        let steady = client.sync(&first.held).await?;
        servers.push((
            server,
            requests(&first.calls),
            requests(std::slice::from_ref(&steady)),
            first.delivered,
        ));
    }
    let [(a, first_a, steady_a, delivered_a), (b, first_b, steady_b, delivered_b)] = &servers[..] else {
        return Ok(());
    };
    for (what, small_requests, large_requests) in
        [("steady", steady_a, steady_b), ("first-scan", first_a, first_b)]
    {
        let mut ratios = Vec::new();
        // Many short turns: answer times of one client are short beside what else a machine does, and what
        // it does changes from second to second.
        let turn = Duration::from_secs_f64(bench.seconds as f64 / TURNS as f64);
        for _ in 0..TURNS {
            let one = load::run(a.addr, 1, Arc::clone(small_requests), turn).await;
            let other = load::run(b.addr, 1, Arc::clone(large_requests), turn).await;
            ensure!(one.failures == 0 && other.failures == 0, "a request failed");
            ratios.push(other.percentile(0.5).as_secs_f64() / one.percentile(0.5).as_secs_f64());
        }
        // First scans deliver about, not exactly, the same at both sizes.
        let share = if what == "steady" { 1.0 } else { *delivered_b as f64 / *delivered_a as f64 };
        report.check(
            format!(
                "median {what} answer time, {large} against {small} revisions, for the same number delivered"
            ),
            median(ratios) / share,
            "x",
            Bound::AtMost(1.5),
        );
    }
    Ok(())
}

fn requests(calls: &[Exchange]) -> Arc<Vec<RawRequest>> {
    Arc::new(calls.iter().map(|call| call.request.clone()).collect())
}

fn round_time(bench: &Setup) -> Duration {
    Duration::from_secs_f64(bench.seconds as f64 / ROUNDS as f64)
}

/// One round: a while of ours, a while of the baseline.
struct Round {
    ours: Load,
    bare: Load,
    ours_cpu: Duration,
    bare_cpu: Duration,
}

impl Round {
    fn ours_cpu_per_answer(&self) -> f64 {
        self.ours_cpu.as_secs_f64() / self.ours.answers.max(1) as f64
    }
    fn bare_cpu_per_answer(&self) -> f64 {
        self.bare_cpu.as_secs_f64() / self.bare.answers.max(1) as f64
    }
}

/// Our server and the baseline, with the requests for each.
struct Pair {
    ours: Server,
    bare: Server,
    to_ours: Arc<Vec<RawRequest>>,
    to_bare: Arc<Vec<RawRequest>>,
}

impl Pair {
    async fn new(bench: &Setup, ours: Server, calls: &[Exchange]) -> anyhow::Result<Self> {
        let folder = bench.folder.join("answers");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        for (at, call) in calls.iter().enumerate() {
            std::fs::write(folder.join(at.to_string()), &call.answer)?;
        }
        let bare = Server::bare(Path::new(&folder), &bench.folder).await?;
        let to_bare = calls.iter().enumerate().map(|(at, call)| naming_answer(&call.request, at)).collect();
        Ok(Self { ours, bare, to_ours: requests(calls), to_bare: Arc::new(to_bare) })
    }

    async fn rounds(&self, bench: &Setup, connections: usize) -> anyhow::Result<Vec<Round>> {
        let time = round_time(bench);
        // One short round beforehand warms both.
        load::run(self.ours.addr, connections, Arc::clone(&self.to_ours), time / 4).await;
        load::run(self.bare.addr, connections, Arc::clone(&self.to_bare), time / 4).await;
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let before = self.ours.cpu()?;
            let ours = load::run(self.ours.addr, connections, Arc::clone(&self.to_ours), time).await;
            let ours_cpu = self.ours.cpu()?.saturating_sub(before);
            let before = self.bare.cpu()?;
            let bare = load::run(self.bare.addr, connections, Arc::clone(&self.to_bare), time).await;
            let bare_cpu = self.bare.cpu()?.saturating_sub(before);
            ensure!(
                ours.failures == 0 && bare.failures == 0,
                "a request failed ({} and {})",
                ours.failures,
                bare.failures
            );
            rounds.push(Round { ours, bare, ours_cpu, bare_cpu });
        }
        Ok(rounds)
    }
}

/// The same request with the header that tells the baseline which answer to return.
fn naming_answer(request: &[u8], at: usize) -> RawRequest {
    let line_end = request.windows(2).position(|w| w == b"\r\n").map_or(0, |at| at + 2);
    let mut out = request[..line_end].to_vec();
    out.extend_from_slice(format!("x-answer: {at}\r\n").as_bytes());
    out.extend_from_slice(&request[line_end..]);
    out
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
