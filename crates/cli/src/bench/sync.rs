//! Bench: a downstream server over an upstream one, as two processes: the first synchronization against
//! unpacking and parsing the same documents (one after the other, and on all cores at once), one without changes,
//! and one of a hundred.

use super::Setup;
use super::catalogs;
use super::process::{Server, cpu_of};
use super::report::{Bound, Report};
use crate::admin_client::AdminClient;
use crate::endpoint::Endpoint;
use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use serde_json::{Value, json};
use sluicegate_catalog::{FileEntry, Limits, compose::Document, parse};
use sluicegate_store::{Document as Served, Store, StoreError, StoreOptions};
use sluicegate_terms::{Guid, RevisionNumber, Timestamp, UpdateId, UpdateIdentity};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Documents held in memory at a time while they are unpacked and parsed alone.
const HELD: usize = 4_000;

/// So many of them a core takes at a time: none waits long for the other at the end.
const TAKEN: usize = 25;

/// Updates in a small change.
const DELTA: u128 = 100;

/// First synchronizations, each compared with the baseline right after it, of which the median counts.
const PAIRS: usize = 3;

/// Small changes and synchronizations without changes, of which the median counts.
pub(super) const ROUNDS: usize = 5;

/// Longest synchronization.
const PATIENCE: Duration = Duration::from_secs(1_800);

/// A process and its admin API.
pub(super) struct Node {
    pub(super) server: Server,
    pub(super) client: AdminClient,
}

impl Node {
    pub(super) async fn start(data: &Path) -> anyhow::Result<Self> {
        let server = Server::sluicegate(data).await?;
        let read = |name: &str| {
            std::fs::read_to_string(data.join(name))
                .with_context(|| format!("no {name} in {}", data.display()))
        };
        let client = AdminClient::new(Endpoint {
            base: read("listen")?.trim().to_owned(),
            token: read("admin-token")?.trim().to_owned(),
        });
        Ok(Self { server, client })
    }

    /// A server without a catalog below another.
    pub(super) async fn below(upstream: &Self, data: &Path, content: &str) -> anyhow::Result<Self> {
        let _ = std::fs::remove_dir_all(data);
        std::fs::create_dir_all(data)?;
        let node = Self::start(data).await?;
        node.client.put("upstream", &json!({ "source": format!("http://{}", upstream.server.addr) })).await?;
        node.client.put("sync/content", &json!({ "when": content })).await?;
        Ok(node)
    }

    /// Synchronizes; answers how long it took, by this process's clock, and its record.
    pub(super) async fn synchronize(&self) -> anyhow::Result<(f64, Value)> {
        let began = Instant::now();
        self.client.post("sync/now", &json!({})).await?;
        loop {
            let status = self.client.get("sync", &[]).await?;
            if status["running"] == false {
                let run = &status["last_run"];
                ensure!(run["outcome"] == "succeeded", "the synchronization failed: {}", run["error"]);
                return Ok((began.elapsed().as_secs_f64(), run.clone()));
            }
            ensure!(began.elapsed() < PATIENCE, "the synchronization does not end");
            // Short against what is measured, long against what asking costs.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the newest state is in service: compiling it must not disturb what is measured next.
    async fn settle(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        loop {
            let status = self.client.get("status", &[]).await?;
            if status["anchor"] == status["health"]["snapshot"]["anchor"] {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "the newest state does not come into service");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Imports documents.
    pub(super) async fn import(&self, documents: Vec<(String, String)>) -> anyhow::Result<()> {
        let mut body = Vec::new();
        for (name, document) in documents {
            let head = json!({ "name": name, "size": document.len() });
            body.extend_from_slice(format!("{head}\n{document}").as_bytes());
        }
        self.upload("catalog/import", body).await
    }

    pub(super) async fn upload(&self, path: &str, bytes: Vec<u8>) -> anyhow::Result<()> {
        use http_body_util::BodyExt as _;
        let (pieces, body) = tokio::sync::mpsc::channel(1);
        let sender = tokio::spawn(async move { pieces.send(Ok(Bytes::from(bytes))).await });
        self.client.post_stream(path, body).await?.into_body().collect().await?;
        sender.await?.ok().context("the server closed the upload")
    }
}

/// Catalogs of these sizes.
pub(crate) async fn measure(bench: &Setup, sizes: &[usize], report: &mut Report) -> anyhow::Result<()> {
    let mut deltas = Vec::new();
    for size in sizes {
        deltas.push((*size, metadata(bench, *size, report).await?));
    }
    if let (Some((small, first)), Some((large, last))) = (deltas.first(), deltas.last())
        && small != large
    {
        report.check(
            format!("a synchronization of {DELTA} revisions at {large} revisions against {small}"),
            last / first,
            "x",
            Bound::AtMost(2.0),
        );
    }
    Ok(())
}

/// The first synchronization, one without changes, and small ones. Answers how long a small one takes.
async fn metadata(bench: &Setup, size: usize, report: &mut Report) -> anyhow::Result<f64> {
    let above = catalogs::all_newest(bench, size).await?;
    let upstream = Node::start(&above).await?;
    let data = bench.folder.join(format!("downstream-{size}"));
    let mut firsts = Vec::new();
    for _ in 0..PAIRS {
        firsts.push(first(&upstream, &data, size).await?);
    }
    let below = Node::start(&data).await?;
    report_first(size, &firsts, report);
    let mut idle = Vec::new();
    for _ in 0..ROUNDS {
        below.settle().await?;
        let (took, run) = below.synchronize().await?;
        ensure!(run["counts"]["new"] == 0, "something changed: {run}");
        idle.push(took);
    }
    let idle = median(idle);
    report.check(
        format!("{size} revisions: synchronization without changes"),
        idle,
        " s",
        Bound::AtMost(1.0),
    );
    catalogs::spend(&above)?;
    let mut small = Vec::new();
    for round in 0..ROUNDS {
        // Other updates each time.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_nanos();
        let documents = (0..DELTA).map(|n| update(now + n, &[])).collect::<Result<_, _>>()?;
        upstream.import(documents).await?;
        upstream.settle().await?;
        below.settle().await?;
        let (took, run) = below.synchronize().await?;
        ensure!(run["counts"]["new"] == json!(DELTA as u64), "round {round}: {run}");
        small.push(took);
    }
    let small = median(small);
    report.note(
        format!("{size} revisions: synchronization of {DELTA} new revisions"),
        small,
        format!("{:.0} ms, {:.0} ms without changes", small * 1e3, idle * 1e3),
    );
    Ok(small)
}

/// A synchronization of everything, and right after it unpacking and parsing of the same documents.
struct First {
    seconds: f64,
    upstream_cpu: Duration,
    downstream_cpu: Duration,
    /// Highest memory of the downstream server, in bytes.
    memory: u64,
    /// Unpacking and parsing, on all cores.
    alone: Alone,
    /// The same, one document after the other.
    in_turn: Alone,
}

/// Synchronizes into an empty folder.
async fn first(upstream: &Node, data: &Path, size: usize) -> anyhow::Result<First> {
    // As it is by default; nothing is approved, so no file is fetched.
    let below = Node::below(upstream, data, "approved").await?;
    let (above_before, below_before) = (upstream.server.cpu()?, below.server.cpu()?);
    let (seconds, run) = below.synchronize().await?;
    let (upstream_cpu, downstream_cpu) =
        (upstream.server.cpu()? - above_before, below.server.cpu()? - below_before);
    below.settle().await?;
    let (_, memory) = below.server.memory()?;
    // The same documents, out of the store that they have just come into.
    drop(below);
    let place = data.to_owned();
    let (alone, in_turn) = tokio::task::spawn_blocking(move || {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        anyhow::Ok((unpack_and_parse(&place, cores)?, unpack_and_parse(&place, 1)?))
    })
    .await??;
    ensure!(
        alone.documents >= size && run["counts"]["quarantined"] == 0,
        "{} revisions came: {run}",
        alone.documents
    );
    Ok(First { seconds, upstream_cpu, downstream_cpu, memory, alone, in_turn })
}

/// Medians: the machine is not equally fast at all times, and what is compared is measured one after the other.
fn report_first(size: usize, firsts: &[First], report: &mut Report) {
    let of = |figure: &dyn Fn(&First) -> f64| median(firsts.iter().map(figure).collect());
    let new = |one: &First| one.alone.documents as f64;
    report.check(
        format!("{size} revisions: first synchronization, revisions a second"),
        of(&|one| new(one) / one.seconds),
        "/s",
        Bound::AtLeast(5_000.0),
    );
    let alone = of(&|one| one.alone.seconds);
    let text = of(&|one| one.alone.bytes as f64 / f64::from(1 << 20));
    report.note(
        format!("{size} revisions: unpacking and parsing alone, on all cores"),
        alone,
        format!("{alone:.2} s for {text:.0} MiB of text"),
    );
    let in_turn = of(&|one| one.in_turn.seconds);
    report.note(
        format!("{size} revisions: unpacking and parsing alone, one document after the other"),
        in_turn,
        format!("{in_turn:.2} s"),
    );
    report.check(
        format!(
            "{size} revisions: first synchronization against unpacking and parsing alone, one after the other"
        ),
        of(&|one| one.seconds / one.in_turn.seconds),
        "x",
        Bound::AtMost(2.0),
    );
    report.check(
        format!("{size} revisions: first synchronization against unpacking and parsing alone, on all cores"),
        of(&|one| one.seconds / one.alone.seconds),
        "x",
        Bound::AtMost(2.0),
    );
    let each = |cpu: &dyn Fn(&First) -> Duration| of(&|one| cpu(one).as_secs_f64() * 1e6 / new(one));
    let (above, below) = (each(&|one| one.upstream_cpu), each(&|one| one.downstream_cpu));
    report.note(
        format!("{size} revisions: CPU a revision, upstream, downstream, and unpacking and parsing alone"),
        above + below,
        format!("{above:.0} µs, {below:.0} µs and {:.0} µs", each(&|one| one.alone.cpu)),
    );
    // On a machine that does other things too, this is what the ratio of times would be without them.
    report.check(
        format!("{size} revisions: CPU of both servers against unpacking and parsing alone"),
        of(&|one| (one.upstream_cpu + one.downstream_cpu).as_secs_f64() / one.alone.cpu.as_secs_f64()),
        "x",
        Bound::AtMost(2.0),
    );
    let memory = firsts.iter().map(|one| one.memory).max().unwrap_or(0);
    report.check(
        format!("{size} revisions: memory of the downstream server at its highest"),
        memory as f64 / f64::from(1 << 20),
        " MiB",
        Bound::AtMost(512.0),
    );
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// An update, as a name and a document.
pub(super) fn update(number: u128, files: &[FileEntry]) -> anyhow::Result<(String, String)> {
    let identity =
        UpdateIdentity { update: UpdateId(Guid::from_u128(number)), revision: RevisionNumber::new(1)? };
    let mut document = Document::software(identity, &format!("Measured update {number}"));
    document.files.extend_from_slice(files);
    Ok((format!("{number}.xml"), document.to_xml()))
}

struct Alone {
    documents: usize,
    bytes: usize,
    seconds: f64,
    cpu: Duration,
}

/// What nobody can do without: documents as the upstream serves them, unpacked and parsed by so many threads. Reading
/// them from the disk is not counted.
fn unpack_and_parse(data: &Path, cores: usize) -> anyhow::Result<Alone> {
    let store = Store::open(data, StoreOptions::new(Timestamp::from_unix_seconds(1_790_000_000)))?;
    let mut ids = Vec::new();
    store.for_each_revision(|revision| {
        ids.push(revision.id);
        Ok::<_, StoreError>(())
    })?;
    let mut alone = Alone { documents: ids.len(), bytes: 0, seconds: 0.0, cpu: Duration::ZERO };
    let limits = Limits::default();
    for some in ids.chunks(HELD) {
        let documents = some.iter().map(|id| store.document(*id)).collect::<Result<Vec<Served>, _>>()?;
        let before = cpu_of("self")?;
        let began = Instant::now();
        let next = AtomicUsize::new(0);
        let bytes: anyhow::Result<usize> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..cores)
                .map(|_| {
                    let (limits, next, documents) = (&limits, &next, &documents);
                    scope.spawn(move || {
                        let mut bytes = 0;
                        let take = || documents.chunks(TAKEN).nth(next.fetch_add(1, Ordering::Relaxed));
                        while let Some(some) = take() {
                            for document in some {
                                let plain = document.plain(limits.max_bytes as u64 * 2)?;
                                bytes += plain.len();
                                std::hint::black_box(parse(&plain, limits)?);
                            }
                        }
                        anyhow::Ok(bytes)
                    })
                })
                .collect();
            let mut bytes = 0;
            for worker in workers {
                match worker.join() {
                    Ok(part) => bytes += part?,
                    Err(_) => bail!("a document could not be parsed"),
                }
            }
            Ok(bytes)
        });
        alone.bytes += bytes?;
        alone.seconds += began.elapsed().as_secs_f64();
        alone.cpu += cpu_of("self")?.saturating_sub(before);
    }
    Ok(alone)
}
