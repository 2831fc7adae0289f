//! Bench: files that a downstream server fetches from another, against curl over as many connections: bare, with
//! its files verified, and with its files on the disk, since ours are both. And curl's from nginx, which says whether
//! it is our upstream server that curl waits for.

use super::Setup;
use super::content::nginx;
use super::report::{Bound, Report};
use super::sync::{Node, ROUNDS, median, update};
use anyhow::{Context as _, ensure};
use serde_json::json;
use sha1::Digest as _;
use sluicegate_agent::Random;
use sluicegate_catalog::FileEntry;
use sluicegate_terms::{Sha1Digest, Sha256Digest};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Files fetched, and bytes of each.
const FILES: u128 = 4;
const FILE: usize = 256 << 20;

/// What verifies curl's files: the quickest tool there is, which uses the processor's instructions for it, and the
/// usual one, which in many systems does not.
const QUICK: &[&str] = &["openssl", "dgst", "-sha256"];
const USUAL: &[&str] = &["sha256sum"];

/// Seconds of one round.
#[derive(Debug, Clone, Copy)]
struct Curl {
    /// Until curl had ended.
    bare: f64,
    /// And its files were verified by a tool.
    quick: f64,
    usual: f64,
    /// And, instead, its files were on the disk.
    durable: f64,
    /// The same from nginx.
    nginx: f64,
}

/// Measures.
pub(crate) async fn measure(bench: &Setup, report: &mut Report) -> anyhow::Result<()> {
    let top = bench.folder.join("sync-content");
    let _ = std::fs::remove_dir_all(&top);
    std::fs::create_dir_all(&top)?;
    let upstream = Node::start(&top).await?;
    let mut random = Random::seeded(8531);
    let mut paths = Vec::new();
    for number in 0..FILES {
        let bytes: Vec<u8> = (0..FILE / 8).flat_map(|_| random.next_u64().to_le_bytes()).collect();
        let sha1 = Sha1Digest(sha1::Sha1::digest(&bytes).into());
        let sha256 = Sha256Digest(sha2::Sha256::digest(&bytes).into());
        let name = format!("sync-{number}.cab");
        let file = FileEntry {
            name: name.clone(),
            size: bytes.len() as u64,
            sha1,
            sha256: Some(sha256),
            modified: None,
            patching: None,
        };
        upstream.import(vec![update(0x00F1_1E00 + number, &[file])?]).await?;
        upstream.upload(&format!("content?name={name}"), bytes).await?;
        let hex = sha1.to_hex_upper();
        paths.push(format!("/Content/{}/{hex}.cab", &hex[38..]));
    }
    let folder = std::fs::canonicalize(&top)?;
    let other = nginx(&folder, &folder.join("nginx"), paths.first().map_or("/", String::as_str)).await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let data = bench.folder.join("sync-content-below");
        let below = Node::below(&upstream, &data, "never").await?;
        below.synchronize().await?;
        below.client.put("sync/content", &json!({ "when": "all" })).await?;
        let (took, run) = below.synchronize().await?;
        ensure!(run["counts"]["files"] == json!(FILES as u64), "round {round}: {run}");
        ours.push(took);
        drop(below);
        theirs.push(curl(upstream.server.addr, other.addr, &paths, bench.folder.join("curl"))?);
    }
    let ours = median(ours);
    let of = |pick: fn(&Curl) -> f64| median(theirs.iter().map(pick).collect());
    let bare = of(|curl| curl.bare);
    let rate = |seconds: f64| crate::output::size((FILES as f64 * FILE as f64 / seconds) as u64);
    report.note(
        "files from an upstream: bytes a second, ours verified and durable, and curl, which is neither",
        FILES as f64 * FILE as f64 / ours,
        format!("{} and {}", rate(ours), rate(bare)),
    );
    report.check(
        "files from an upstream: rate against bare curl, which neither verifies nor waits for the disk",
        bare / ours,
        "x",
        Bound::AtLeast(0.8),
    );
    report.check(
        "files from an upstream: rate against curl with verification (openssl dgst -sha256 of its files, all at once)",
        of(|curl| curl.quick) / ours,
        "x",
        Bound::AtLeast(0.8),
    );
    for (what, seconds) in [
        ("curl with verification by sha256sum, all files at once", of(|curl| curl.usual)),
        // A file that a row speaks of must survive a power cut; curl leaves that to the system.
        ("curl with a sync of its files, without verification", of(|curl| curl.durable)),
        ("bare curl that has them from nginx", of(|curl| curl.nginx)),
    ] {
        report.note(
            format!("files from an upstream: rate against {what}"),
            seconds / ours,
            format!("{:.2}x", seconds / ours),
        );
    }
    Ok(())
}

/// What curl takes for the same files.
fn curl(ours: SocketAddr, nginx: SocketAddr, paths: &[String], folder: PathBuf) -> anyhow::Result<Curl> {
    let files: Vec<PathBuf> = (0..paths.len()).map(|number| folder.join(number.to_string())).collect();
    let fetch = |server: SocketAddr| -> anyhow::Result<f64> {
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        let mut command = Command::new("curl");
        command.args(["-s", "-f", "--no-progress-meter", "--parallel", "--parallel-max", "4"]);
        for (file, path) in files.iter().zip(paths) {
            command.arg("-o").arg(file).arg(format!("http://{server}{path}"));
        }
        let began = Instant::now();
        let ended = command.status().context("curl is the baseline: apt-get install curl")?;
        ensure!(ended.success(), "curl failed: {ended}");
        Ok(began.elapsed().as_secs_f64())
    };
    let (nginx, bare) = (fetch(nginx)?, fetch(ours)?);
    // First, while all of them wait for the disk as much as they will.
    let syncing = Instant::now();
    for file in &files {
        std::fs::File::open(file)?.sync_all()?;
    }
    let durable = bare + syncing.elapsed().as_secs_f64();
    Ok(Curl {
        bare,
        quick: bare + digest(QUICK, &files)?,
        usual: bare + digest(USUAL, &files)?,
        durable,
        nginx,
    })
}

/// Seconds that a tool takes to read and digest files, one process for each.
fn digest(tool: &[&str], files: &[PathBuf]) -> anyhow::Result<f64> {
    let [program, arguments @ ..] = tool else { return Ok(0.0) };
    let began = Instant::now();
    let start = |file: &PathBuf| -> anyhow::Result<_> {
        let path: &Path = file;
        let mut command = Command::new(program);
        command.args(arguments).arg(path).stdout(Stdio::null());
        command.spawn().with_context(|| format!("{program} verifies curl's files: apt-get install it"))
    };
    let running = files.iter().map(start).collect::<Result<Vec<_>, _>>()?;
    for mut one in running {
        let ended = one.wait()?;
        ensure!(ended.success(), "{program} failed: {ended}");
    }
    Ok(began.elapsed().as_secs_f64())
}
