//! Bench: one file in 1 MiB ranges in shuffled order, as agents fetch it, from our server and from
//! nginx, rounds alternating.

use super::Setup;
use super::load::{self, Connection, RawRequest, get};
use super::process::Server;
use super::report::{Bound, Report};
use crate::admin_client::AdminClient;
use crate::endpoint::Endpoint;
use anyhow::{Context as _, ensure};
use bytes::Bytes;
use sluicegate_agent::Random;
use sluicegate_catalog::{FileEntry, compose::Document};
use sluicegate_terms::{Guid, RevisionNumber, Sha1Digest, UpdateId, UpdateIdentity};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const SIZE: usize = 256 << 20;
const PIECE: usize = 1 << 20;
const ROUNDS: usize = 5;
const NAME: &str = "bench-file.cab";

pub(crate) async fn measure(bench: &Setup, report: &mut Report) -> anyhow::Result<()> {
    let data = bench.folder.join("content");
    let _ = std::fs::remove_dir_all(&data);
    std::fs::create_dir_all(&data)?;
    let mut random = Random::seeded(8530);
    let file: Vec<u8> = (0..SIZE / 8).flat_map(|_| random.next_u64().to_le_bytes()).collect();
    let ours = Server::sluicegate(&data).await?;
    let path = store(&data, &file).await?;
    let folder = std::fs::canonicalize(&data)?;
    let beside = folder.join("nginx");
    std::fs::create_dir_all(&beside)?;
    std::fs::write(beside.join(NAME), &file)?;
    let nginx = nginx(&beside, &beside, &format!("/{NAME}")).await?;

    let mut starts: Vec<usize> = (0..SIZE / PIECE).map(|n| n * PIECE).collect();
    for at in (1..starts.len()).rev() {
        starts.swap(at, (random.next_u64() % (at as u64 + 1)) as usize);
    }
    let sequence = |path: &str| -> Arc<Vec<RawRequest>> {
        let range = |start: &usize| {
            get(path, &[("Range", &format!("bytes={start}-{}", start + PIECE - 1)), ("Accept", "*/*")])
        };
        Arc::new(starts.iter().map(range).collect())
    };
    let (to_ours, to_nginx) = (sequence(&path), sequence(&format!("/{NAME}")));
    let time = Duration::from_secs_f64(bench.seconds as f64 / ROUNDS as f64);
    load::run(ours.addr, 3, Arc::clone(&to_ours), time / 4).await;
    load::run(nginx.addr, 3, Arc::clone(&to_nginx), time / 4).await;
    let mut ratios = Vec::new();
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let one = load::run(ours.addr, 3, Arc::clone(&to_ours), time).await;
        let other = load::run(nginx.addr, 3, Arc::clone(&to_nginx), time).await;
        ensure!(one.failures == 0 && other.failures == 0, "a range failed");
        let rate = |load: &load::Load| load.bytes as f64 / load.elapsed.as_secs_f64();
        ratios.push(rate(&one) / rate(&other));
        rates.push((rate(&one), rate(&other)));
    }
    ratios.sort_by(f64::total_cmp);
    rates.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (one, other) = rates[ROUNDS / 2];
    let size = |rate: f64| crate::output::size(rate as u64);
    report.note(
        "content in 1 MiB ranges: bytes a second, ours and nginx",
        one,
        format!("{} and {}", size(one), size(other)),
    );
    report.check("content in 1 MiB ranges: rate against nginx", ratios[ROUNDS / 2], "x", Bound::AtLeast(0.8));
    Ok(())
}

/// Imports an update that declares the file, adds the file, and answers with its path.
async fn store(data: &Path, file: &[u8]) -> anyhow::Result<String> {
    let (document, sha1) = document(file)?;
    let read = |name: &str| std::fs::read_to_string(data.join(name)).context("the server left no address");
    let client = AdminClient::new(Endpoint {
        base: read("listen")?.trim().to_owned(),
        token: read("admin-token")?.trim().to_owned(),
    });
    for (path, bytes) in [
        (
            "catalog/import".to_owned(),
            [
                format!("{}\n", serde_json::json!({"name": "bench.xml", "size": document.len()})).as_bytes(),
                document.as_bytes(),
            ]
            .concat(),
        ),
        (format!("content?name={NAME}"), file.to_vec()),
    ] {
        let (pieces, body) = tokio::sync::mpsc::channel(1);
        let sender = tokio::spawn(async move { pieces.send(Ok(Bytes::from(bytes))).await });
        let response = client.post_stream(&path, body).await?;
        use http_body_util::BodyExt as _;
        response.into_body().collect().await?;
        sender.await?.ok().context("the server closed the upload")?;
    }
    let hex = sha1.to_hex_upper();
    Ok(format!("/Content/{}/{hex}.cab", &hex[38..]))
}

/// An update with just this file.
fn document(file: &[u8]) -> anyhow::Result<(String, Sha1Digest)> {
    use sha1::Digest as _;
    let identity =
        UpdateIdentity { update: UpdateId(Guid::from_u128(8530)), revision: RevisionNumber::new(1)? };
    let sha1 = Sha1Digest(sha1::Sha1::digest(file).into());
    let mut document = Document::software(identity, "A file to measure");
    document.files.push(FileEntry {
        name: NAME.to_owned(),
        size: file.len() as u64,
        sha1,
        sha256: None,
        modified: None,
        patching: None,
    });
    Ok((document.to_xml(), sha1))
}

/// nginx over a folder of files, of which it has one at `path`; `folder` is for its own. It cannot report a port it
/// chose, so one is chosen for it; when somebody else takes that port first, another is tried.
pub(super) async fn nginx(files: &Path, folder: &Path, path: &str) -> anyhow::Result<Server> {
    std::fs::create_dir_all(folder)?;
    for _ in 0..5 {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        if let Some(server) = nginx_on(files, folder, path, port).await? {
            return Ok(server);
        }
    }
    anyhow::bail!("nginx did not come up; its reasons are in {}", folder.join("error.log").display())
}

/// nginx on a port, with sendfile and as many workers as cores; `None` when it is not nginx that answers there.
async fn nginx_on(files: &Path, folder: &Path, path: &str, port: u16) -> anyhow::Result<Option<Server>> {
    let (root, own) = (files.display(), folder.display());
    // Started by root, its workers would be somebody who may not read a private folder.
    let user = if std::fs::metadata(files)?.uid() == 0 { "user root; " } else { "" };
    let config = format!(
        "{user}daemon off; master_process on; worker_processes auto; pid {own}/pid; error_log {own}/error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;\n\
         server {{ listen 127.0.0.1:{port}; root {root}; }} }}\n"
    );
    std::fs::write(folder.join("nginx.conf"), config)?;
    let listen = folder.join("listen");
    let mut command = Command::new("nginx");
    command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf"));
    // `start` waits for the file that says where the server listens; nginx writes none.
    std::fs::write(&listen, format!("http://127.0.0.1:{port}"))?;
    let server = Server::start(command, &listen)
        .await
        .context("nginx is the baseline: apt-get install nginx-light")?;
    let first_byte = get(path, &[("Range", "bytes=0-0")]);
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if let Ok(mut connection) = Connection::open(server.addr).await {
            let answer = connection.exchange(&first_byte, None).await;
            return Ok(matches!(answer, Ok((206, 1))).then_some(server));
        }
    }
    Ok(None)
}
