//! Cli room: `content add` streams files to the server, which keeps each only if its length and
//! every digest are those an update declares.

use crate::admin_client::{AdminClient, percent_encode, read_json};
use crate::args::Content;
use crate::output;
use anyhow::{Context as _, bail};
use bytes::Bytes;
use serde_json::{Value, json};
use std::path::Path;
use tokio::io::AsyncReadExt as _;

pub(crate) async fn run(client: &AdminClient, args: Content, json: bool) -> anyhow::Result<()> {
    let Content::Add { files } = args;
    let mut results = Vec::new();
    let mut refused = 0;
    for file in &files {
        match add(client, file, json).await {
            Ok(result) => results.push(result),
            Err(e) => {
                refused += 1;
                results.push(json!({"name": file.display().to_string(), "error": format!("{e:#}")}));
            }
        }
    }
    let results = Value::Array(results);
    output::show(json, &results, |results| {
        let mut shown = results.clone();
        for result in shown.as_array_mut().into_iter().flatten().filter(|result| result["error"].is_null()) {
            result["done"] = done(result).into();
        }
        output::rows(
            &shown,
            &[
                ("File", "/name"),
                ("SHA-1", "/sha1"),
                ("Size", "/size"),
                ("Updates", "/updates"),
                ("Done", "/done"),
                ("Refused because", "/error"),
            ],
            "No files.",
        );
    });
    if refused > 0 {
        let were = if refused == 1 { "was" } else { "were" };
        bail!("{refused} of {} {were} refused", output::count(files.len() as u64, "file"));
    }
    Ok(())
}

/// What became of a file that was not refused.
fn done(result: &Value) -> String {
    match (result["already_held"] == true, result["replaced"].as_str()) {
        (true, _) => "nothing, it is held".to_owned(),
        (_, Some(damage)) => format!("taken, in the place of one that {damage}"),
        _ => "taken".to_owned(),
    }
}

pub(crate) async fn add(client: &AdminClient, path: &Path, json: bool) -> anyhow::Result<Value> {
    let unreadable = || format!("cannot read `{}`", path.display());
    let mut file = tokio::fs::File::open(path).await.with_context(unreadable)?;
    let size = file.metadata().await.with_context(unreadable)?.len();
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let bar = if json || size < 16 << 20 {
        indicatif::ProgressBar::hidden()
    } else {
        indicatif::ProgressBar::new(size)
    };
    let (pieces, body) = tokio::sync::mpsc::channel(8);
    let progress = bar.clone();
    let reader = tokio::spawn(async move {
        loop {
            let mut piece = Vec::with_capacity(256 * 1024);
            let read = (&mut file).take(256 * 1024).read_to_end(&mut piece).await;
            progress.inc(piece.len() as u64);
            if matches!(read, Ok(0)) {
                break;
            }
            // A file that cannot be read on must reach the server as a broken upload.
            let failed = read.as_ref().err().map(std::io::Error::to_string);
            if pieces.send(read.map(|_| Bytes::from(piece))).await.is_err() || failed.is_some() {
                return failed;
            }
        }
        None
    });
    let answer = client.post_stream(&format!("content?name={}", percent_encode(&name)), body).await;
    let failed = reader.await?;
    bar.finish_and_clear();
    // It explains a broken upload better than the connection can.
    if let Some(why) = failed {
        bail!("{}: {why}", unreadable());
    }
    read_json(answer?).await
}
