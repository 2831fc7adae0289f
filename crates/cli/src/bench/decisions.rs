//! Bench: one decision about many updates for many groups, over HTTP, and what scans see of it: their answer times
//! from the order until the snapshot with it is in service, against those just before.

use super::Setup;
use super::catalogs;
use super::dialogue::Client;
use super::load::{self, Load, RawRequest};
use super::process::Server;
use super::report::{Bound, Report};
use crate::admin_client::AdminClient;
use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Updates of one order.
const UPDATES: usize = 5_000;
/// Groups of one order.
const GROUPS: usize = 20;
/// Orders that are measured; each changes every approval.
const ROUNDS: usize = 4;
/// Computers that scan all the time.
const SCANNING: usize = 2;
/// Load comes in pieces of this length, so that it ends soon after what it is meant to accompany.
const PIECE: Duration = Duration::from_millis(200);
/// Longest wait for a snapshot.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn measure(bench: &Setup, size: usize, report: &mut Report) -> anyhow::Result<()> {
    let catalog = catalogs::ready(bench, size).await?;
    // Decisions change the folder; the kept one stays as it is for the other measurements.
    let copy = bench.folder.join(format!("decisions-{size}"));
    let _ = std::fs::remove_dir_all(&copy);
    copy_folder(&catalog.data, &copy)?;
    let server = Server::sluicegate(&copy).await?;
    let admin = AdminClient::new(catalogs::endpoint(&copy)?);
    let mut client = Client::sign_on(server.addr, "bench-decisions").await?;
    let first = client.first_scan(&catalog.installed).await?;
    let scans = Arc::new(vec![client.sync(&first.held).await?.request]);
    let updates = approvable(&admin).await?;
    if updates.len() < UPDATES {
        report.note(
            format!("{UPDATES} updates approved for {GROUPS} groups, {size} revisions"),
            0.0,
            format!("left out, it has {} that can be approved", updates.len()),
        );
        drop(server);
        return Ok(std::fs::remove_dir_all(&copy)?);
    }
    let mut groups = Vec::new();
    for number in 0..GROUPS {
        let name = format!("Bench {number}");
        admin.post("groups", &json!({ "name": name })).await?;
        groups.push(name);
    }
    let mut durable = Vec::new();
    let mut served = Vec::new();
    let (mut before, mut meanwhile) = (Load::default(), Load::default());
    for round in 0..ROUNDS {
        let quiet = Duration::from_secs(bench.seconds) / ROUNDS as u32;
        add(&mut before, load::run(server.addr, SCANNING, Arc::clone(&scans), quiet).await);
        let action = if round % 2 == 0 { "install" } else { "not-approved" };
        let order = json!({ "updates": updates, "groups": groups, "action": action });
        let done = Arc::new(AtomicBool::new(false));
        let scanning = tokio::spawn(until(server.addr, Arc::clone(&scans), Arc::clone(&done)));
        let began = Instant::now();
        let answer = admin.post("updates/approve?wait=false", &order).await;
        durable.push(began.elapsed().as_secs_f64());
        let in_service = wait(&admin).await;
        served.push(began.elapsed().as_secs_f64());
        done.store(true, Ordering::Release);
        add(&mut meanwhile, scanning.await?);
        in_service?;
        let made = answer?["approvals"].as_u64().unwrap_or(0);
        ensure!(made == (UPDATES * GROUPS) as u64, "{made} approvals were made");
    }
    ensure!(before.failures + meanwhile.failures == 0, "a scan failed");
    let title = format!("{UPDATES} updates approved for {GROUPS} groups, {size} revisions");
    report.check(
        format!("{title}: durable and answered, slowest"),
        highest(&durable),
        " s",
        Bound::AtMost(2.0),
    );
    report.note(
        format!("{title}: in service, slowest"),
        highest(&served),
        format!("{:.2} s", highest(&served)),
    );
    for (name, share) in [("median", 0.5), ("p99", 0.99)] {
        let (quiet, busy) = (millis(&before, share), millis(&meanwhile, share));
        report.note(
            format!("{title}: {name} of scans, before and meanwhile"),
            busy,
            format!("{quiet:.2} ms and {busy:.2} ms"),
        );
    }
    report.check(
        format!("{title}: p99 of scans meanwhile against before"),
        millis(&meanwhile, 0.99) / millis(&before, 0.99),
        "x",
        Bound::AtMost(2.0),
    );
    drop(server);
    std::fs::remove_dir_all(&copy)?;
    Ok(())
}

fn millis(load: &Load, share: f64) -> f64 {
    load.percentile(share).as_secs_f64() * 1e3
}

fn highest(seconds: &[f64]) -> f64 {
    seconds.iter().copied().fold(0.0, f64::max)
}

fn add(sum: &mut Load, load: Load) {
    sum.answers += load.answers;
    sum.failures += load.failures;
    sum.bytes += load.bytes;
    sum.elapsed += load.elapsed;
    sum.times.extend(load.times);
    sum.times.sort_unstable();
}

/// Scans until it is done.
async fn until(addr: std::net::SocketAddr, scans: Arc<Vec<RawRequest>>, done: Arc<AtomicBool>) -> Load {
    let mut sum = Load::default();
    while !done.load(Ordering::Acquire) {
        add(&mut sum, load::run(addr, SCANNING, Arc::clone(&scans), PIECE).await);
    }
    sum
}

/// The ids of updates that anybody may approve, as many as one order takes if there are so many.
async fn approvable(admin: &AdminClient) -> anyhow::Result<Vec<Value>> {
    let mut found = Vec::new();
    while found.len() < UPDATES {
        let query = [
            ("approval", Some("unapproved".to_owned())),
            // Those with terms that nobody has accepted are refused, and some of them are in any large catalog.
            ("needs_licence", Some("false".to_owned())),
            ("limit", Some("1000".to_owned())),
            ("offset", Some(found.len().to_string())),
        ];
        let page = admin.get("updates", &query).await?;
        let rows = page["updates"].as_array().context("no list of updates")?;
        if rows.is_empty() {
            break;
        }
        found.extend(rows.iter().map(|row| row["update_id"].clone()));
    }
    found.truncate(UPDATES);
    Ok(found)
}

/// Waits until a snapshot with every change so far is in service.
async fn wait(admin: &AdminClient) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let status = admin.get("status", &[]).await?;
        let wanted = status["anchor"].as_u64();
        if wanted.is_some() && status.pointer("/health/snapshot/anchor").and_then(Value::as_u64) >= wanted {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "the approvals are not in service after a minute: {status}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)
                .with_context(|| format!("cannot copy {}", entry.path().display()))?;
        }
    }
    Ok(())
}
