//! Cli room: `import`, what `export` or `wsusutil export` wrote: documents first, then decisions, then the
//! files of updates that the server lacks. The file is unpacked here, one document at a time.

use crate::admin_client::{AdminClient, Chunks, read_json};
use crate::args::hierarchy::Import;
use crate::carry::unpack::Beside;
use crate::carry::{content, unpack};
use crate::commands::catalog;
use crate::output;
use crate::output::say;
use anyhow::Context as _;
use bytes::Bytes;
use serde_json::json;
use std::path::Path;

/// Bytes sent at once.
const PIECE: usize = 256 << 10;

/// Addresses of files sent at once.
const ADDRESSES: usize = 2_000;

pub(crate) async fn run(client: &AdminClient, args: &Import, json: bool) -> anyhow::Result<()> {
    let (pieces, body) = tokio::sync::mpsc::channel(8);
    let path = args.path.clone();
    let unpacking = tokio::task::spawn_blocking(move || send(&path, pieces));
    let response = client.post_stream("catalog/import", body).await;
    // A file that cannot be read on explains a broken upload better than the server can.
    let beside = unpacking.await?;
    let (report, beside) = match (response, beside) {
        (Err(refused), Ok(_)) => return Err(refused),
        (_, Err(unreadable)) => return Err(unreadable),
        (Ok(response), Ok(beside)) => (catalog::follow(response, 0, json).await?, beside),
    };
    let Beside { notes, addresses } = beside;
    for some in addresses.chunks(ADDRESSES) {
        let pairs: Vec<_> = some.iter().map(|(sha1, url)| json!([sha1.to_hex_upper(), url])).collect();
        client
            .post("import/addresses", &json!({ "files": pairs }))
            .await
            .context("the documents are in the catalog, the addresses of their files are not")?;
    }
    let decisions = match notes.is_empty() {
        true => None,
        false => Some(
            send_decisions(client, notes)
                .await
                .context("the documents are in the catalog, the decisions are not")?,
        ),
    };
    let copied = match &args.content {
        Some(folder) => Some(content::send(client, folder, json).await?),
        None => None,
    };
    let all = json!({
        "catalog": report,
        "decisions": decisions,
        "content": copied.as_ref().map(content::Sent::to_json),
    });
    output::show(json, &all, |all| {
        catalog::report_table(&all["catalog"]);
        match decisions {
            None => say!("\nThe file has no decisions."),
            Some(_) => {
                say!("\nDecisions");
                output::fields(
                    &all["decisions"],
                    &[
                        ("Groups", "/groups"),
                        ("Approved", "/approved"),
                        ("Withdrawn", "/withdrawn"),
                        ("Declined", "/declined"),
                        ("Taken back", "/restored"),
                        ("Older than here", "/older"),
                        ("Left out", "/skipped"),
                    ],
                );
                for reason in all["decisions"]["reasons"].as_array().into_iter().flatten() {
                    say!("  {}", output::text(Some(reason)));
                }
            }
        }
        if let Some(copied) = &copied {
            say!("\n{copied}");
        }
    });
    if let Some(copied) = copied.filter(|copied| !copied.refused.is_empty()) {
        anyhow::bail!("{} files were refused", copied.refused.len());
    }
    Ok(())
}

/// Unpacks the file and sends its documents; answers what stands beside them.
fn send(path: &Path, pieces: Chunks) -> anyhow::Result<Beside> {
    let name = path.display().to_string();
    let mut pending = Vec::with_capacity(PIECE * 2);
    let mut closed = false;
    let outcome = unpack::each(path, |identity, xml| {
        let source = match identity {
            Some(identity) => format!("{name}: {identity}"),
            None => name.clone(),
        };
        serde_json::to_writer(&mut pending, &json!({ "name": source, "size": xml.len() }))?;
        pending.push(b'\n');
        pending.extend_from_slice(xml.as_bytes());
        if pending.len() >= PIECE {
            let piece = Bytes::from(std::mem::replace(&mut pending, Vec::with_capacity(PIECE * 2)));
            // The server closed the upload early; its own answer says why.
            closed = pieces.blocking_send(Ok(piece)).is_err();
        }
        Ok(!closed)
    });
    match outcome {
        Ok(beside) => {
            let _ = pieces.blocking_send(Ok(Bytes::from(pending)));
            Ok(beside)
        }
        Err(error) => {
            // The server must see a broken upload, not a short one taken for whole.
            let _ = pieces.blocking_send(Err(std::io::Error::other("the file cannot be read on")));
            Err(error)
        }
    }
}

async fn send_decisions(client: &AdminClient, notes: Vec<String>) -> anyhow::Result<serde_json::Value> {
    let (pieces, body) = tokio::sync::mpsc::channel(8);
    let sending = tokio::spawn(async move {
        let mut pending = Vec::new();
        for note in notes {
            pending.extend_from_slice(note.as_bytes());
            pending.push(b'\n');
            if pending.len() >= PIECE
                && pieces.send(Ok(Bytes::from(std::mem::take(&mut pending)))).await.is_err()
            {
                return;
            }
        }
        let _ = pieces.send(Ok(Bytes::from(pending))).await;
    });
    let answer = client.post_stream("import/decisions", body).await;
    sending.await?;
    read_json(answer?).await
}
