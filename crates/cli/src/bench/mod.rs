//! Bench: measures this machine. Every figure is a ratio against a baseline taken in the same run,
//! alternating, so that a noisy machine disturbs both alike. `BENCHMARKS.md` keeps what was seen.

pub(crate) mod bare;
mod catalogs;
mod content;
mod decisions;
mod dialogue;
mod load;
mod process;
mod report;
mod scans;
mod storm;
mod sync;
mod sync_files;

use crate::args::Bench;
use crate::output::say;
use anyhow::bail;
use report::Report;
use std::path::PathBuf;

const NAMES: &[(&str, &str)] = &[
    ("catalogs", "import, snapshot, start and memory at each size"),
    ("steady", "a client with everything cached, against a bare handler with the same bytes"),
    ("first", "first full scan of a fresh client: CPU against copying the answers, and round trips"),
    ("scaling", "answer times at the largest size against the smallest"),
    ("storm", "ten thousand agents at once"),
    ("content", "files in ranges, against nginx"),
    ("decisions", "approving 5,000 updates for 20 groups at once, and scans meanwhile"),
    ("sync", "a downstream server below another: first, unchanged, small changes"),
    (
        "sync-files",
        "a downstream server that fetches files from another, against curl bare and with verification",
    ),
];

/// Runs the measurements asked for and prints their report.
pub(crate) async fn run(args: &Bench, json: bool) -> anyhow::Result<()> {
    if args.list {
        for (name, what) in NAMES {
            say!("{name:<10} {what}");
        }
        return Ok(());
    }
    let wants = |name: &str| args.which.iter().any(|which| which == "all" || which == name);
    if let Some(unknown) =
        args.which.iter().find(|which| *which != "all" && !NAMES.iter().any(|(name, _)| name == which))
    {
        bail!("there is no measurement `{unknown}`; `sluicegate bench --list` names them");
    }
    let bench = Setup { folder: args.folder.clone(), seconds: args.seconds.max(1), agents: args.agents };
    std::fs::create_dir_all(&bench.folder)?;
    let mut report = Report::default();
    let mut sizes = args.sizes.clone();
    sizes.sort_unstable();
    sizes.dedup();
    if wants("catalogs") {
        for size in &sizes {
            catalogs::measure(&bench, *size, &mut report).await?;
        }
    }
    if let (Some(smallest), Some(largest)) = (sizes.first(), sizes.last()) {
        if wants("steady") {
            scans::steady(&bench, *smallest, &mut report).await?;
            if smallest != largest {
                scans::steady(&bench, *largest, &mut report).await?;
            }
        }
        if wants("first") {
            scans::first(&bench, *largest, &mut report).await?;
        }
        if wants("scaling") {
            scans::scaling(&bench, *smallest, *largest, &mut report).await?;
        }
        if wants("storm") {
            storm::measure(&bench, *smallest, &mut report).await?;
        }
    }
    if wants("content") {
        content::measure(&bench, &mut report).await?;
    }
    if wants("decisions") {
        for size in &sizes {
            decisions::measure(&bench, *size, &mut report).await?;
        }
    }
    if wants("sync") {
        sync::measure(&bench, &sizes, &mut report).await?;
    }
    if wants("sync-files") {
        sync_files::measure(&bench, &mut report).await?;
    }
    report.print(json);
    Ok(())
}

/// What every measurement needs to know.
pub(crate) struct Setup {
    /// Where the synthetic catalogs are kept between runs.
    pub(crate) folder: PathBuf,
    /// Seconds of load for each rate.
    pub(crate) seconds: u64,
    /// Agents in a storm.
    pub(crate) agents: usize,
}
