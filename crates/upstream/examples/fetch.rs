//! Drives the transport from outside, for black-box tests with real proxies and servers, and measures a
//! download with verification.
//!
//! `fetch post URL` calls a service; `fetch get URL` reads a file; `fetch content URL SIZE SHA1 SHA256` takes a file
//! into a fresh store and prints the seconds it took. Options before the command: `--proxy URL`,
//! `--user NAME`, `--password TEXT`, `--ca FILE`. A failure is printed as `CODE: sentence`, exit code 1.

use sluicegate_catalog::compose::Document;
use sluicegate_catalog::{FileEntry, Limits};
use sluicegate_store::{Store, StoreOptions};
use sluicegate_terms::{Guid, RevisionNumber, Sha1Digest, Sha256Digest, Timestamp, UpdateId, UpdateIdentity};
use sluicegate_upstream::content::{ContentOptions, ContentReport, WantedFile, fetch_all};
use sluicegate_upstream::intake::Intake;
use sluicegate_upstream::transport::{
    AnswerLimits, ProxyCredentials, ProxySettings, RetryPolicy, Schemes, Transport, TransportError,
    TransportSettings, Url,
};
use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            match error.downcast_ref::<TransportError>() {
                Some(known) => println!("{}: {known}", known.code()),
                None => println!("{error}"),
            }
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut settings = TransportSettings { retry: RetryPolicy::NEVER, ..Default::default() };
    let (mut proxy, mut user, mut password) = (None, None, String::new());
    let mut rest = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--proxy" => proxy = Some(value()?.parse::<Url>()?),
            "--user" => user = Some(value()?),
            "--password" => password = value()?,
            "--ca" => settings.ca_file = Some(value()?.into()),
            _ => rest.push(argument),
        }
    }
    settings.proxy = proxy.map(|address| ProxySettings {
        address,
        credentials: user.map(|user| ProxyCredentials { user, password, schemes: Schemes::Any }),
    });
    let transport = Transport::new(settings)?;
    let words: Vec<&str> = rest.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["post", url] => {
            // Twice: the second call goes over the kept connection.
            for _ in 0..2 {
                let answer = transport.post(&url.parse()?, "x", "<x/>", AnswerLimits::of(1 << 20)).await?;
                println!("answer of {} bytes", answer.body.len());
            }
            Ok(())
        }
        ["get", url] => {
            let mut download = transport.get_range(&url.parse()?, 0).await?;
            let mut bytes = 0;
            while let Some(piece) = download.next().await? {
                bytes += piece.len();
            }
            println!("file of {bytes} bytes");
            Ok(())
        }
        ["content", url, size, sha1, sha256] => content(&transport, url, size, sha1, sha256).await,
        _ => Err("expected: post URL, get URL, or content URL SIZE SHA1 SHA256".into()),
    }
}

async fn content(
    transport: &Transport,
    url: &str,
    size: &str,
    sha1: &str,
    sha256: &str,
) -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir_in(".")?;
    let now = Timestamp::from_unix_seconds(1_790_000_000);
    let store = Store::open(dir.path(), StoreOptions::new(now))?;
    let identity = UpdateIdentity { update: UpdateId(Guid::from_u128(1)), revision: RevisionNumber::new(1)? };
    let mut document = Document::software(identity, "An update with a file");
    let (sha1, size) = (Sha1Digest::from_hex(sha1)?, size.parse()?);
    document.files.push(FileEntry {
        name: "large.cab".to_owned(),
        size,
        sha1,
        sha256: Some(Sha256Digest::from_hex(sha256)?),
        modified: None,
        patching: None,
    });
    let mut importer = store.importer(now)?;
    importer
        .add(Intake::new(Limits::default()).bytes("example".to_owned(), document.to_xml().as_bytes())?)?;
    importer.commit()?;
    let began = Instant::now();
    let wanted = vec![WantedFile { sha1, size, sources: vec![url.parse()?] }];
    let mut report = ContentReport::default();
    fetch_all(&store, transport, wanted, &ContentOptions::default(), &mut report).await;
    let seconds = began.elapsed().as_secs_f64();
    if let Some(failed) = report.failed.into_iter().next() {
        return Err(failed.error.into());
    }
    println!("{seconds:.3}");
    Ok(())
}
