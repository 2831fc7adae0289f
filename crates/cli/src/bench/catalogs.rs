//! Bench: synthetic catalogs in data folders of their own, imported once over the admin API and kept;
//! and what import, start and memory cost at each size.

use super::Setup;
use super::dialogue;
use super::process::Server;
use super::report::{Bound, Report};
use crate::admin_client::AdminClient;
use crate::endpoint::Endpoint;
use anyhow::{Context as _, ensure};
use bytes::Bytes;
use serde_json::Value;
use sluicegate_agent::cache::Verdict;
use sluicegate_agent::fleet::Installed;
use sluicegate_store::{Store, StoreOptions};
use sluicegate_synth::{Catalog, Client, Shape};
use sluicegate_terms::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// The seed of every catalog measured here.
const SEED: u64 = 2008;
/// How many different machines there are.
const MACHINES: u64 = 64;

/// A catalog that a server can be started over.
pub(crate) struct Ready {
    /// Its data folder.
    pub(crate) data: PathBuf,
    /// What its simulated computers have.
    pub(crate) installed: Arc<Installed>,
}

/// The catalog of this size, imported if it is not there yet.
pub(crate) async fn ready(bench: &Setup, size: usize) -> anyhow::Result<Ready> {
    let data = bench.folder.join(format!("catalog-{size}"));
    let catalog = Arc::new(Catalog::new(Shape::new(size, SEED)));
    kept(&data, &catalog, size).await?;
    // Different machines, as many as matter; agents beyond them repeat.
    let machines: Vec<Client> = (0..MACHINES).map(|seed| catalog.client(seed)).collect();
    let installed: Arc<Installed> = Arc::new(move |agent, update| {
        let has = machines.get(agent % machines.len()).is_some_and(|machine| machine.has(update));
        if has { Verdict::Installed } else { Verdict::NotApplicable }
    });
    Ok(Ready { data, installed })
}

/// The data folder of a catalog in which each revision is the newest of its update: an upstream lists them all.
pub(crate) async fn all_newest(bench: &Setup, size: usize) -> anyhow::Result<PathBuf> {
    let data = bench.folder.join(format!("sync-up-{size}"));
    let catalog = Arc::new(Catalog::new(Shape::new(size, SEED).with_live(size)));
    kept(&data, &catalog, size).await?;
    Ok(data)
}

/// Says that a catalog is about to be changed: it is made anew for the next run, so that all measure the same.
pub(super) fn spend(data: &Path) -> anyhow::Result<()> {
    std::fs::remove_file(data.join(DONE)).context("cannot mark the catalog as changed")
}

/// Stands in a data folder whose catalog is complete.
const DONE: &str = "bench-complete";

/// Imports a catalog unless that was done in an earlier run.
async fn kept(data: &Path, catalog: &Arc<Catalog>, size: usize) -> anyhow::Result<()> {
    let done = data.join(DONE);
    if !done.exists() {
        let _ = std::fs::remove_dir_all(data);
        std::fs::create_dir_all(data)?;
        import(data, catalog, size).await?;
        std::fs::write(done, "")?;
    }
    Ok(())
}

/// Import, start-up and memory.
pub(crate) async fn measure(bench: &Setup, size: usize, report: &mut Report) -> anyhow::Result<()> {
    let catalog = ready(bench, size).await?;
    let server = Server::sluicegate(&catalog.data).await?;
    let mut client = dialogue::Client::sign_on(server.addr, "bench-start").await?;
    let scan = client.sync(&sluicegate_agent::cache::HeldIds::default()).await?;
    let took = server.started.elapsed().as_secs_f64();
    ensure!(scan.answer.len() > 200, "the first answer is empty");
    report.check(
        format!("{size} revisions: process start to first correct scan answer"),
        took,
        " s",
        Bound::AtMost(5.0),
    );
    let status = AdminClient::new(endpoint(&catalog.data)?).get("status", &[]).await?;
    if let Some(seconds) = status.pointer("/health/snapshot/compiled_in_seconds").and_then(Value::as_f64) {
        report.check(format!("{size} revisions: snapshot compiled"), seconds, " s", Bound::AtMost(5.0));
    }
    client.first_scan(&catalog.installed).await?;
    let (_, highest) = server.memory()?;
    report.check(
        format!("{size} revisions: process memory at its highest"),
        highest as f64 / f64::from(1 << 20),
        " MiB",
        Bound::AtMost(1024.0),
    );
    Ok(())
}

/// Where the server over a data folder is, and its token.
pub(crate) fn endpoint(data: &Path) -> anyhow::Result<Endpoint> {
    let read = |name: &str| {
        std::fs::read_to_string(data.join(name)).with_context(|| format!("no {name} in {}", data.display()))
    };
    Ok(Endpoint { base: read("listen")?.trim().to_owned(), token: read("admin-token")?.trim().to_owned() })
}

async fn import(data: &Path, catalog: &Arc<Catalog>, size: usize) -> anyhow::Result<()> {
    eprintln!("importing a synthetic catalog of {size} revisions (once; kept in {})", data.display());
    let began = Instant::now();
    let server = Server::sluicegate(data).await?;
    let client = AdminClient::new(endpoint(data)?);
    let (pieces, body) = tokio::sync::mpsc::channel(8);
    let documents = Arc::clone(catalog);
    let sender = tokio::task::spawn_blocking(move || {
        let mut piece = Vec::new();
        for revision in documents.revisions() {
            let document = revision.document();
            let head = serde_json::json!({"name": revision.source(), "size": document.len()});
            piece.extend_from_slice(head.to_string().as_bytes());
            piece.push(b'\n');
            piece.extend_from_slice(document.as_bytes());
            if piece.len() > 1 << 20
                && pieces.blocking_send(Ok(Bytes::from(std::mem::take(&mut piece)))).is_err()
            {
                return;
            }
        }
        let _ = pieces.blocking_send(Ok(Bytes::from(piece)));
    });
    let response = client.post_stream("catalog/import", body).await?;
    // The last line is the report; the others are progress.
    let report = read_last_line(response).await?;
    sender.await?;
    let held = report["report"]["quarantined"].as_array().map_or(0, Vec::len);
    ensure!(
        held == 0,
        "{held} synthetic documents were held back, the first: {}",
        report["report"]["quarantined"][0]
    );
    let took = began.elapsed().as_secs_f64();
    eprintln!("imported in {took:.1} s, {:.0} revisions a second", size as f64 / took);
    drop(server);
    decline_retired(data, catalog)
}

/// Declines what an administrator of such a catalog would have declined, in one decision.
fn decline_retired(data: &Path, catalog: &Catalog) -> anyhow::Result<()> {
    let now = Timestamp::from_unix_seconds(1_790_000_000);
    let store = Store::open(data, StoreOptions::new(now))?;
    let subjects = catalog.declined().map(|update| store.subject(update)).collect::<Result<Vec<_>, _>>()?;
    store.change_decisions(now, |decisions, scope| {
        // Members of bundles follow their bundle.
        for subject in subjects.iter().filter(|subject| subject.bundled_by.is_none()) {
            decisions.decline(subject, scope.change)?;
        }
        Ok(())
    })?;
    Ok(())
}

async fn read_last_line(response: hyper::Response<hyper::body::Incoming>) -> anyhow::Result<Value> {
    use http_body_util::BodyExt as _;
    let body = response.into_body().collect().await.context("the import broke off")?.to_bytes();
    let line =
        body.split(|b| *b == b'\n').rfind(|line| !line.is_empty()).context("the import had no report")?;
    serde_json::from_slice(line).context("the report is not JSON")
}
