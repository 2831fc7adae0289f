//! Bench: the storm. Every agent starts its first scan at once, each over a connection of its own;
//! all must finish, and whoever is refused is told when to come back.

use super::Setup;
use super::catalogs;
use super::process::Server;
use super::report::{Bound, Report};
use anyhow::Context as _;
use sluicegate_agent::fleet::{self, FleetOptions};
use std::sync::Arc;

pub(crate) async fn measure(bench: &Setup, size: usize, report: &mut Report) -> anyhow::Result<()> {
    let catalog = catalogs::ready(bench, size).await?;
    let server = Server::sluicegate(&catalog.data).await?;
    let address = format!("http://{}", server.addr).parse().context("the server's address")?;
    let options = FleetOptions::storm(address, bench.agents, 7);
    let outcome = fleet::run(&options, Arc::clone(&catalog.installed)).await?;
    let title = format!("storm of {} agents, {size} revisions", bench.agents);
    report.note(
        format!("{title}: time until the last had finished"),
        outcome.elapsed.as_secs_f64(),
        format!("{:.0} s", outcome.elapsed.as_secs_f64()),
    );
    report.note(
        format!("{title}: 503 answers, all with Retry-After"),
        outcome.first.refusals() as f64,
        outcome.first.refusals().to_string(),
    );
    report.note(
        format!("{title}: revisions delivered"),
        outcome.first.new_updates as f64,
        outcome.first.new_updates.to_string(),
    );
    report.check(
        format!("{title}: scans that did not finish"),
        outcome.first.unfinished_count() as f64,
        "",
        Bound::AtMost(0.0),
    );
    for (code, (count, example)) in &outcome.first.unfinished {
        report.note(format!("{title}: unfinished with 0x{code:08X}"), *count as f64, example.clone());
    }
    let (_, highest) = server.memory()?;
    report.check(
        format!("{title}: server memory at its highest"),
        highest as f64 / f64::from(1 << 20),
        " MiB",
        Bound::AtMost(1024.0),
    );
    Ok(())
}
