//! Cli room: `catalog import` streams documents from disk to the server and shows its progress;
//! `catalog quarantine` lists what is held back and why, `catalog categories` what updates are sorted under.

use crate::admin_client::{AdminClient, Chunks};
use crate::args::Catalog;
use crate::output;
use crate::output::say;
use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tokio::io::AsyncReadExt as _;

const PIECE: usize = 256 * 1024;

pub(crate) async fn run(client: &AdminClient, args: Catalog, json: bool) -> anyhow::Result<()> {
    match args {
        Catalog::Import { paths } => import(client, &paths, json).await,
        Catalog::Quarantine => {
            let list = client.get("catalog/quarantine", &[]).await?;
            output::show(json, &list, |value| quarantine_table(entries(value, "quarantine")));
            Ok(())
        }
        Catalog::Categories { search } => {
            let mut list = client.get("categories", &[]).await?;
            if let Some(Value::Array(all)) = list.get_mut("categories") {
                let words = search.unwrap_or_default().to_lowercase();
                all.retain(|category| {
                    let title = category["title"].as_str().unwrap_or_default().to_lowercase();
                    words.split_whitespace().all(|word| title.contains(word))
                });
            }
            output::show(json, &list, |value| categories_table(entries(value, "categories")));
            Ok(())
        }
    }
}

async fn import(client: &AdminClient, paths: &[PathBuf], json: bool) -> anyhow::Result<()> {
    let files = collect(paths)?;
    if files.is_empty() {
        bail!("nothing to import: no .xml, .cab or .xml.gz file in the given paths");
    }
    let total = files.len();
    let (pieces, body) = tokio::sync::mpsc::channel(8);
    let sender = tokio::spawn(async move { send_files(&files, pieces).await });
    let response = client.post_stream("catalog/import", body).await;
    // A file that could not be read explains a broken upload better than the server can.
    match sender.await? {
        Err(e) if response.is_err() || e.downcast_ref::<UploadClosed>().is_none() => return Err(e),
        _ => {}
    }
    let report = follow(response?, total, json).await?;
    output::show(json, &report, report_table);
    Ok(())
}

/// What an import did.
pub(crate) fn report_table(report: &Value) {
    output::fields(
        report,
        &[("Added", "/added"), ("Revised", "/revised"), ("Unchanged", "/unchanged"), ("Anchor", "/anchor")],
    );
    // What else became of documents and of decisions as they came, where anything did.
    let became: Vec<_> = [
        ("Older than here", "/older"),
        ("Approvals followed", "/approvals_followed"),
        ("Held for review", "/held_for_review"),
        ("Declined, expired", "/declined_expired"),
        ("Declined by filters", "/filtered"),
        ("Given again, no longer declined", "/given_again"),
        ("Approved by rules", "/approved_by_rules"),
    ]
    .into_iter()
    .filter(|(_, pointer)| report.pointer(pointer).and_then(Value::as_u64).unwrap_or(0) > 0)
    .collect();
    output::fields(report, &became);
    for warning in report["warnings"].as_array().into_iter().flatten() {
        say!("Warning: {}", output::text(Some(warning)));
    }
    let held = &report["quarantined"];
    if held.as_array().is_some_and(|list| !list.is_empty()) {
        say!("\nHeld back; everything else is in the catalog:");
        quarantine_table(held);
    }
}

fn quarantine_table(list: &Value) {
    output::rows(
        list,
        &[
            ("Source", "/source"),
            ("UpdateID", "/update_id"),
            ("Revision", "/revision"),
            ("Reason", "/reason"),
        ],
        "Nothing is held back.",
    );
}

fn categories_table(list: &Value) {
    let columns = [("Title", "/title"), ("Kind", "/kind"), ("ID", "/id")];
    output::rows(list, &columns, "No such category is in the catalog.");
}

/// An answer that is either the list itself or an object with the list under `key`.
pub(crate) fn entries<'a>(value: &'a Value, key: &str) -> &'a Value {
    if value.is_array() { value } else { &value[key] }
}

/// The files named, and those in named folders with an ending the server reads.
fn collect(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        let meta = std::fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        if meta.is_dir() {
            walk(path, &mut files)?;
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
        .with_context(|| format!("cannot list `{}`", folder.display()))?;
    found.sort_by_key(std::fs::DirEntry::path);
    for entry in found {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            walk(&path, files)?;
        } else {
            let name = entry.file_name().to_string_lossy().to_lowercase();
            if [".xml", ".cab", ".xml.gz"].iter().any(|ending| name.ends_with(ending)) {
                files.push(path);
            }
        }
    }
    Ok(())
}

/// The server closed the upload early; its own answer says why.
#[derive(Debug)]
struct UploadClosed;
impl std::fmt::Display for UploadClosed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the server closed the upload")
    }
}
impl std::error::Error for UploadClosed {}

async fn send_files(files: &[PathBuf], pieces: Chunks) -> anyhow::Result<()> {
    // Small documents are sent together: a quarter of a million tiny frames would be slow.
    let mut pending = Vec::with_capacity(PIECE * 2);
    for path in files {
        let unreadable = || format!("cannot read `{}`", path.display());
        let mut file = tokio::fs::File::open(path).await.with_context(unreadable)?;
        let size = file.metadata().await.with_context(unreadable)?.len();
        serde_json::to_writer(&mut pending, &json!({"name": path.display().to_string(), "size": size}))?;
        pending.push(b'\n');
        let mut left = size;
        while left > 0 {
            let want = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let start = pending.len();
            pending.resize(start + want, 0);
            let read = file.read(&mut pending[start..]).await.with_context(unreadable)?;
            pending.truncate(start + read);
            if read == 0 {
                // The server must see a broken upload, not a short file taken for whole.
                let broken = std::io::Error::other("file became shorter");
                let _ = pieces.send(Err(broken)).await;
                bail!("`{}` became shorter while it was read; nothing was imported", path.display());
            }
            left -= read as u64;
            if pending.len() >= PIECE {
                send(&pieces, &mut pending).await?;
            }
        }
    }
    if !pending.is_empty() {
        send(&pieces, &mut pending).await?;
    }
    Ok(())
}

async fn send(pieces: &Chunks, pending: &mut Vec<u8>) -> anyhow::Result<()> {
    let piece = Bytes::from(std::mem::replace(pending, Vec::with_capacity(PIECE * 2)));
    pieces.send(Ok(piece)).await.map_err(|_| UploadClosed.into())
}

/// Shows progress lines as a bar and returns the report of the last line. How many documents come may not be
/// known (0).
pub(crate) async fn follow(
    response: hyper::Response<hyper::body::Incoming>,
    files: usize,
    json: bool,
) -> anyhow::Result<Value> {
    let bar = if json { indicatif::ProgressBar::hidden() } else { indicatif::ProgressBar::new(files as u64) };
    let mut body = response.into_body();
    let mut buffer = Vec::new();
    let mut report = None;
    loop {
        let frame = body
            .frame()
            .await
            .transpose()
            .context("the server's answer broke off; look at `sluicegate status`")?;
        let ended = frame.is_none();
        if let Some(Ok(data)) = frame.map(hyper::body::Frame::into_data) {
            buffer.extend_from_slice(&data);
        }
        while let Some(end) =
            buffer.iter().position(|b| *b == b'\n').or((ended && !buffer.is_empty()).then_some(buffer.len()))
        {
            let line: Vec<u8> = buffer.drain(..buffer.len().min(end + 1)).collect();
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let mut line: Value =
                serde_json::from_slice(&line).context("the server's progress is not JSON")?;
            if let Some(read) = line.pointer("/progress/read").and_then(Value::as_u64) {
                if let Some(total) = line.pointer("/progress/total").and_then(Value::as_u64) {
                    bar.set_length(total);
                }
                bar.set_position(read);
            } else if let Some(message) = line.pointer("/error/message").and_then(Value::as_str) {
                bar.abandon();
                bail!("{message}");
            } else if line.get("report").is_some() {
                report = Some(line["report"].take());
            }
        }
        if ended {
            break;
        }
    }
    bar.finish_and_clear();
    report.context("the server ended the import without a report; look at `sluicegate status` and its log")
}
