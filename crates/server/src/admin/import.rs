//! `POST catalog/import`: documents as they come, parsed, turned into ready bytes and given to the store,
//! which takes all of them in one transaction. Progress goes back line by line while the body is read.

use super::addresses;
use super::catalog::held_back;
use super::catalog_in_service;
use super::error::AdminError;
use super::framed::{Document, Documents};
use super::input::Query;
use crate::state::App;
use crate::transport::blocking;
use crate::transport::body::Body;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;
use serde_json::{Value, json};
use sluicegate_catalog::Limits as DocumentLimits;
use sluicegate_catalog::package::{self, Listing, METADATA_MEMBER, PACKAGE_MEMBER, PackageError};
use sluicegate_soap::cabinet::{self, Cabinet, Entry};
use sluicegate_store::{ImportReport, Importer, Store, StoreError};
use sluicegate_terms::Sha1Digest;
use sluicegate_upstream::intake::Intake;
use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::mpsc as pipe;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How often progress is told.
const EVERY: Duration = Duration::from_millis(200);

/// Most bytes unpacked from one export package.
const LARGEST_PACKAGE: u64 = 64 << 30;

/// Begins an import; the answer's lines come while it goes on.
pub(super) fn import(
    app: &Arc<App>,
    query: &Query,
    request: Request<Incoming>,
) -> Result<Response<Body>, AdminError> {
    let (lines, answer) = mpsc::channel(64);
    let body = blocking::reader(request.into_body(), app.limits.body_time);
    let limits = DocumentLimits { max_bytes: app.limits.document, ..DocumentLimits::default() };
    let (worker, query) = (Arc::clone(app), query.clone());
    let store = super::actor::store(app);
    tokio::spawn(async move {
        let app = Arc::clone(&worker);
        let out = lines.clone();
        let outcome = tokio::task::spawn_blocking(move || {
            let mut import = Import {
                progress: Progress::new(out),
                limits,
                intake: Intake::new(limits),
                addresses: Vec::new(),
                warnings: Vec::new(),
            };
            let report = import.run(&app, &store, body)?;
            Ok((report, import.warnings))
        })
        .await
        .unwrap_or_else(|error| Err(AdminError::internal(error.to_string())));
        let last = match outcome {
            Ok((report, warnings)) => {
                if brought(&report) {
                    catalog_in_service(&worker, &query).await;
                }
                reported(&report, &warnings)
            }
            Err(error) => {
                let id = worker.random.guid();
                tracing::error!(%id, code = error.code, cause = error.message, "import failed");
                error.to_json(id)
            }
        };
        // The client may be gone; what was committed stays.
        let _ = lines.send(line(&last)).await;
    });
    let mut response = Response::new(Body::lines(answer));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Whether there is something for scans to see. What a synchronization brought meanwhile is none of it.
fn brought(report: &ImportReport) -> bool {
    report.added + report.revised + report.older + report.released > 0
}

fn line(value: &Value) -> Bytes {
    Bytes::from(format!("{value}\n"))
}

fn reported(report: &ImportReport, warnings: &[String]) -> Value {
    let held: Vec<Value> = report.quarantined.iter().map(held_back).collect();
    tracing::info!(
        added = report.added,
        revised = report.revised,
        older = report.older,
        unchanged = report.unchanged,
        quarantined = held.len(),
        anchor = %report.anchor,
        "import committed"
    );
    json!({ "report": {
        "added": report.added,
        "revised": report.revised,
        "older": report.older,
        "unchanged": report.unchanged,
        "released": report.released,
        "approvals_followed": report.decisions.followed,
        "held_for_review": report.decisions.held.len(),
        "declined_expired": report.decisions.declined,
        "given_again": report.decisions.revived.len(),
        "approved_by_rules": report.decisions.approved_by_rules,
        "filtered": report.decisions.filtered,
        "quarantined": held,
        "warnings": warnings,
        "anchor": report.anchor.0,
    }})
}

/// Tells how far an import is, not too often.
struct Progress {
    out: mpsc::Sender<Bytes>,
    read: u64,
    told: Instant,
}

impl Progress {
    fn new(out: mpsc::Sender<Bytes>) -> Self {
        Self { out, read: 0, told: Instant::now() }
    }

    /// Tells it when it is time. A client that is gone ends the import: nobody waits for it.
    fn tell(&mut self, more: Option<Value>) -> Result<(), AdminError> {
        if self.told.elapsed() < EVERY {
            return Ok(());
        }
        self.told = Instant::now();
        let mut progress = json!({ "read": self.read });
        if let (Some(more), Some(progress)) = (more, progress.as_object_mut()) {
            progress.insert("committing".to_owned(), more);
        }
        let gone = || AdminError::invalid("the client is gone; nothing was imported");
        match self.out.try_send(line(&json!({ "progress": progress }))) {
            Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(gone()),
        }
    }
}

struct Import {
    progress: Progress,
    limits: DocumentLimits,
    intake: Intake,
    /// Where Microsoft Update has files, as packages say it.
    addresses: Vec<(Sha1Digest, String)>,
    /// What is wrong with packages whose documents were taken in all the same.
    warnings: Vec<String>,
}

impl Import {
    fn run(&mut self, app: &App, store: &Store, body: impl Read) -> Result<ImportReport, AdminError> {
        let mut documents = Documents::new(body, self.limits.max_bytes);
        let mut importer = store.importer(app.clock.now())?;
        while let Some(document) = documents.next().map_err(|error| AdminError::invalid(error.to_string()))? {
            self.document(&mut importer, document)?;
            self.progress.read += 1;
            self.progress.tell(None)?;
        }
        let mut last = Instant::now();
        let progress = &mut self.progress;
        let report = importer.commit_with_progress(&mut |done, total| {
            if last.elapsed() >= EVERY {
                last = Instant::now();
                // From here on nothing is undone because a client went away.
                let _ = progress.tell(Some(json!({ "rows": done, "total": total })));
            }
        })?;
        addresses::note(store, std::mem::take(&mut self.addresses))?;
        Ok(report)
    }

    /// One file: a document, or a package of them.
    fn document(&mut self, importer: &mut Importer<'_>, document: Document) -> Result<(), AdminError> {
        let Document { name, bytes } = document;
        match bytes {
            Err(error) => importer.reject(name, None, error.to_string()),
            Ok(bytes) if bytes.starts_with(b"MSCF") => self.cabinet(importer, &name, &bytes)?,
            Ok(bytes) if bytes.starts_with(&[0x1f, 0x8b]) => {
                let plain = MultiGzDecoder::new(bytes.as_slice()).take(LARGEST_PACKAGE);
                self.package(importer, &name, plain)?;
            }
            Ok(bytes) if is_package(&bytes) => self.package(importer, &name, bytes.as_slice())?,
            Ok(bytes) => add(importer, &mut self.intake, name, &bytes)?,
        }
        Ok(())
    }

    /// An export package in a Cabinet, or a Cabinet of documents.
    fn cabinet(&mut self, importer: &mut Importer<'_>, name: &str, bytes: &[u8]) -> Result<(), AdminError> {
        let limits = cabinet::Limits {
            member_bytes: LARGEST_PACKAGE,
            total_bytes: LARGEST_PACKAGE,
            members: 1 << 20,
            ..cabinet::Limits::default()
        };
        let opened = match Cabinet::open(bytes, &limits) {
            Ok(opened) => opened,
            Err(error) => {
                importer.reject(name.to_owned(), None, error.to_string());
                return Ok(());
            }
        };
        let metadata = opened.entries().iter().find(|entry| entry.name.eq_ignore_ascii_case(METADATA_MEMBER));
        match metadata {
            Some(entry) => {
                if let Err(reason) = self.listing(name, &opened) {
                    importer.reject(name.to_owned(), None, reason);
                    return Ok(());
                }
                self.unpacked(importer, name, &opened, entry)
            }
            None => {
                let documents = opened.entries().iter().filter(|entry| is_document(&entry.name));
                for entry in documents {
                    let source = format!("{name}: {}", entry.name);
                    if entry.size > self.limits.max_bytes as u64 {
                        importer.reject(source, None, format!("it has {} bytes, too many", entry.size));
                        continue;
                    }
                    match opened.read(entry) {
                        Ok(document) => add(importer, &mut self.intake, source, &document)?,
                        Err(error) => importer.reject(source, None, error.to_string()),
                    }
                    self.progress.tell(None)?;
                }
                Ok(())
            }
        }
    }

    /// Reads `package.xml`; the reason that is answered refuses the package.
    fn listing(&mut self, name: &str, opened: &Cabinet<'_>) -> Result<(), String> {
        let entry = opened.entries().iter().find(|entry| entry.name.eq_ignore_ascii_case(PACKAGE_MEMBER));
        let member = entry.map(|entry| (entry.size, || opened.read(entry)));
        let Listing { mut addresses, unread, .. } =
            Listing::of(member, self.limits).map_err(|error| error.to_string())?;
        self.addresses.append(&mut addresses);
        if let Some(unread) = unread {
            let warning = format!("the package `{name}` is not whole: {unread}");
            tracing::warn!(package = name, warning, "a package has no list that can be read");
            self.warnings.push(warning);
        }
        Ok(())
    }

    /// The documents of `metadata.txt`, unpacked on a thread of its own: full exports pass many gigabytes
    /// and are never whole in memory.
    fn unpacked(
        &mut self,
        importer: &mut Importer<'_>,
        name: &str,
        opened: &Cabinet<'_>,
        entry: &Entry,
    ) -> Result<(), AdminError> {
        let (sender, receiver) = pipe::sync_channel(8);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let outcome = opened.pieces(entry, |piece| sender.send(Ok(piece.to_vec())).is_ok());
                if let Err(error) = outcome {
                    // A reader that stopped early does not want to know.
                    let _ = sender.send(Err(io::Error::other(error)));
                }
            });
            self.package(importer, name, Pieces { receiver, current: Vec::new(), at: 0 })
        })
    }

    fn package(
        &mut self,
        importer: &mut Importer<'_>,
        name: &str,
        from: impl Read,
    ) -> Result<(), AdminError> {
        let mut documents = package::read(BufReader::with_capacity(256 << 10, from), self.limits);
        for document in documents.by_ref() {
            match document {
                Ok(document) => {
                    let source = match document.identity {
                        Some(identity) => format!("{name}: {identity}"),
                        None => name.to_owned(),
                    };
                    add(importer, &mut self.intake, source, document.xml.as_bytes())?;
                }
                // What came before is good; the rest cannot be found any more.
                Err(error @ PackageError::Read { .. }) => {
                    return Err(AdminError::invalid(format!("`{name}`: {error}")));
                }
                Err(error) => importer.reject(name.to_owned(), None, error.to_string()),
            }
            self.progress.tell(None)?;
        }
        self.addresses.append(&mut documents.take_addresses());
        Ok(())
    }
}

/// Pieces from another thread as a reader.
struct Pieces {
    receiver: pipe::Receiver<io::Result<Vec<u8>>>,
    current: Vec<u8>,
    at: usize,
}

impl Read for Pieces {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.current.len() {
            match self.receiver.recv() {
                Err(_) => return Ok(0),
                Ok(piece) => self.current = piece?,
            }
            self.at = 0;
        }
        let rest = self.current.get(self.at..).unwrap_or_default();
        let count = rest.len().min(to.len());
        for (to, from) in to.iter_mut().zip(rest) {
            *to = *from;
        }
        self.at += count;
        Ok(count)
    }
}

/// The XML form of an export, not compressed.
fn is_package(bytes: &[u8]) -> bool {
    let head = bytes.get(..bytes.len().min(1024)).unwrap_or_default();
    head.windows(14).any(|window| window == b"<ExportPackage")
}

/// Whether a member of a Cabinet may be an update document.
fn is_document(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".xml") || !name.contains('.')
}

/// Prepares one document and gives it to the store; what cannot be read is noted with its reason.
fn add(
    importer: &mut Importer<'_>,
    intake: &mut Intake,
    source: String,
    bytes: &[u8],
) -> Result<(), StoreError> {
    match intake.bytes(source, bytes) {
        Ok(revision) => importer.add(revision),
        Err(refused) => {
            importer.reject(refused.source_name, refused.update, refused.reason);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_one_stream() {
        let (sender, receiver) = pipe::sync_channel(4);
        sender.send(Ok(b"ab".to_vec())).unwrap();
        sender.send(Ok(Vec::new())).unwrap();
        sender.send(Ok(b"cde".to_vec())).unwrap();
        drop(sender);
        let mut all = String::new();
        Pieces { receiver, current: Vec::new(), at: 0 }.read_to_string(&mut all).unwrap();
        assert_eq!(all, "abcde");
    }

    #[test]
    fn packages_are_told_from_documents() {
        assert!(is_package(b"<?xml version=\"1.0\"?><ExportPackage>"));
        assert!(!is_package(b"<upd:Update/>"));
        assert!(is_document("a.XML") && is_document("blob") && !is_document("setup.exe"));
    }
}
