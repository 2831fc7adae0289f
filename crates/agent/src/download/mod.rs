//! Agent: fetching one file as agents do (observed-behaviour 5): aligned pieces of 1 MiB by ranged GETs in
//! shuffled order, three connections per file, and nothing believed before its digests match.

mod contents;
mod pieces;

pub use contents::{Contents, Place};

use crate::correlation::CorrelationVector;
use crate::fragments::FileSpec;
use crate::hresult::HResult;
use crate::http::{Address, Answer, HttpError, Pool};
use crate::random::Random;
use bytes::Bytes;
use contents::Sink;
use http::{Request, StatusCode, header};
use pieces::Piece;
use sluicegate_terms::{Sha1Digest, Sha256Digest};
use std::io;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;

/// How a download behaves when the server or the network does not.
#[derive(Clone, Copy, Debug)]
pub struct DownloadOptions {
    /// How often one piece is asked for before the file is given up.
    pub attempts_per_piece: u32,
    /// Wait before a piece is asked for again, when the server names no time; plus up to as much jitter.
    pub retry_delay: Duration,
}

impl Default for DownloadOptions {
    fn default() -> Self {
        Self { attempts_per_piece: 4, retry_delay: Duration::from_secs(1) }
    }
}

/// Why a file did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The location is not one this agent can fetch from.
    #[error("{name}: the server names a location that cannot be used: {source}")]
    Location {
        /// Which file.
        name: String,
        /// What is wrong with it.
        source: crate::http::AddressError,
    },
    /// The server named no location at all.
    #[error("{name}: the server gave no location for the file {sha1}")]
    NoLocation {
        /// Which file.
        name: String,
        /// Its digest.
        sha1: Sha1Digest,
    },
    /// The server refused.
    #[error("{name}: {url} answered {status}; is the content of this update on the server?")]
    Status {
        /// Which file.
        name: String,
        /// Where.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// A piece came back other than asked for, every time.
    #[error("{name}: {url} sent {got} for bytes {first}-{last}")]
    WrongPiece {
        /// Which file.
        name: String,
        /// Where.
        url: String,
        /// First byte asked for.
        first: u64,
        /// Last byte asked for.
        last: u64,
        /// What came instead.
        got: String,
    },
    /// All bytes came, and they are not the file that the metadata describes.
    #[error("{name}: the downloaded file has the {algorithm} digest {got}, the metadata says {expected}")]
    Digest {
        /// Which file.
        name: String,
        /// Which digest.
        algorithm: &'static str,
        /// What was computed.
        got: String,
        /// What was declared.
        expected: String,
    },
    /// No connection, or it broke, every time.
    #[error("{name}: {source}")]
    Http {
        /// Which file.
        name: String,
        /// What happened.
        source: HttpError,
    },
    /// The file could not be kept.
    #[error("{name}: cannot write the downloaded file: {source}")]
    Write {
        /// Which file.
        name: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is longer than may be kept in memory.
    #[error(
        "{name}: {size} bytes are more than the {limit} that may be kept in memory; give the agent a folder"
    )]
    TooLarge {
        /// Which file.
        name: String,
        /// Its length.
        size: u64,
        /// The bound.
        limit: u64,
    },
}

impl DownloadError {
    /// The code event 161 carries.
    #[must_use]
    pub fn hresult(&self) -> HResult {
        match self {
            Self::Location { .. } | Self::NoLocation { .. } => HResult::URL_NOT_AVAILABLE,
            // Transfer errors of Windows are this base plus the HTTP status (0x80190194 is 404).
            Self::Status { status, .. } => HResult(0x8019_0000 | u32::from(*status)),
            Self::Digest { .. } => HResult::INCORRECT_FILE_HASH,
            Self::WrongPiece { .. } => HResult::CONNECTION_ERROR,
            Self::Http { source, .. } => crate::error::of_http(source),
            // HRESULT_FROM_WIN32(ERROR_WRITE_FAULT), HRESULT_FROM_WIN32(ERROR_DISK_FULL).
            Self::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull => HResult(0x8007_0070),
            Self::Write { .. } => HResult(0x8007_001D),
            Self::TooLarge { .. } => HResult(0x8007_000E),
        }
    }
}

/// One file on its way.
#[derive(Debug)]
pub struct Download<'a> {
    /// Connections to the server that has it.
    pub pool: &'a Pool,
    /// Where on that server.
    pub location: &'a Address,
    /// What it must be.
    pub file: &'a FileSpec,
    /// How to behave when something fails.
    pub options: DownloadOptions,
}

impl Download<'_> {
    /// Fetches the whole file and verifies it.
    ///
    /// # Errors
    /// [`DownloadError`]; nothing of the file is kept then.
    pub async fn fetch(&self, place: &Place, random: &mut Random) -> Result<Contents, DownloadError> {
        let sink = Sink::create(place, self.file).await?;
        let mut todo: Vec<Piece> = pieces::of(self.file.size).collect();
        random.shuffle(&mut todo);
        let work = Work {
            todo: Mutex::new(todo),
            sink: AsyncMutex::new(sink),
            correlation: Mutex::new(CorrelationVector::new(random)),
        };
        let mut randoms = [random.fork(), random.fork(), random.fork()];
        let [a, b, c] = &mut randoms;
        // Three connections per file (observed-behaviour 5).
        let done = tokio::try_join!(self.worker(&work, a), self.worker(&work, b), self.worker(&work, c));
        let sink = work.sink.into_inner();
        match done {
            Ok(_) => sink.finish(self.file).await,
            Err(error) => {
                sink.discard().await;
                Err(error)
            }
        }
    }

    async fn worker(&self, work: &Work, random: &mut Random) -> Result<(), DownloadError> {
        while let Some(piece) = work.next() {
            let bytes = self.piece(piece, work, random).await?;
            let mut sink = work.sink.lock().await;
            sink.write(piece.first, &bytes).await.map_err(|source| self.write_error(source))?;
        }
        Ok(())
    }

    /// One piece, asked for again while it may still come.
    async fn piece(&self, piece: Piece, work: &Work, random: &mut Random) -> Result<Bytes, DownloadError> {
        let mut attempt = 1;
        loop {
            let request = self.request(piece, work);
            let limit = usize::try_from(piece.length()).unwrap_or(usize::MAX);
            let (error, wait) = match self.pool.send(&request, limit).await {
                Ok(answer) => match self.accept(piece, &answer) {
                    Ok(()) => return Ok(answer.body),
                    Err(error) => (error, answer.retry_after()),
                },
                Err(source) => (DownloadError::Http { name: self.file.name.clone(), source }, None),
            };
            if attempt >= self.options.attempts_per_piece || !may_pass(&error) {
                return Err(error);
            }
            attempt += 1;
            let base = wait.unwrap_or(self.options.retry_delay);
            tokio::time::sleep(base + random.span(self.options.retry_delay)).await;
        }
    }

    fn request(&self, piece: Piece, work: &Work) -> Request<Bytes> {
        let mut request = Request::new(Bytes::new());
        // An Address has graphic ASCII only; what still is no path becomes the root, which is a 404.
        *request.uri_mut() = self.location.path().parse().unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert(header::CONNECTION, http::HeaderValue::from_static("Keep-Alive"));
        headers.insert(header::ACCEPT, http::HeaderValue::from_static("*/*"));
        headers.insert(
            header::USER_AGENT,
            http::HeaderValue::from_static("Microsoft-Delivery-Optimization/10.1"),
        );
        if let Ok(range) = format!("bytes={}-{}", piece.first, piece.last).try_into() {
            headers.insert(header::RANGE, range);
        }
        if let Some(vector) = work.correlation.lock().ok().and_then(|mut v| v.advance().try_into().ok()) {
            headers.insert("ms-cv", vector);
        }
        request
    }

    /// Whether an answer is the piece that was asked for.
    fn accept(&self, piece: Piece, answer: &Answer) -> Result<(), DownloadError> {
        let got = match answer.status {
            StatusCode::PARTIAL_CONTENT => {
                let range =
                    answer.headers.get(header::CONTENT_RANGE).and_then(|v| v.to_str().ok()).unwrap_or("");
                let expected = format!("bytes {}-{}/{}", piece.first, piece.last, self.file.size);
                if range == expected && answer.body.len() as u64 == piece.length() {
                    return Ok(());
                }
                format!("{} bytes with Content-Range `{range}`", answer.body.len())
            }
            // A server without ranges sends the whole file; that is the piece if there is only one.
            StatusCode::OK
                if piece.length() == self.file.size && answer.body.len() as u64 == self.file.size =>
            {
                return Ok(());
            }
            StatusCode::OK => format!("the whole file or other than its {} bytes", self.file.size),
            status => {
                let (name, url) = (self.file.name.clone(), self.location.to_string());
                return Err(DownloadError::Status { name, url, status: status.as_u16() });
            }
        };
        let (name, url) = (self.file.name.clone(), self.location.to_string());
        Err(DownloadError::WrongPiece { name, url, first: piece.first, last: piece.last, got })
    }

    fn write_error(&self, source: io::Error) -> DownloadError {
        DownloadError::Write { name: self.file.name.clone(), source }
    }
}

/// Whether asking again can help.
fn may_pass(error: &DownloadError) -> bool {
    match error {
        DownloadError::Status { status, .. } => matches!(status, 408 | 429 | 500 | 502 | 503 | 504),
        DownloadError::Http { .. } | DownloadError::WrongPiece { .. } => true,
        _ => false,
    }
}

/// What the workers of one file share.
struct Work {
    todo: Mutex<Vec<Piece>>,
    sink: AsyncMutex<Sink>,
    correlation: Mutex<CorrelationVector>,
}

impl Work {
    fn next(&self) -> Option<Piece> {
        self.todo.lock().ok()?.pop()
    }
}

/// Compares computed digests with the declared ones.
fn verify(file: &FileSpec, sha1: Sha1Digest, sha256: Sha256Digest) -> Result<(), DownloadError> {
    let wrong = |algorithm, got: String, expected: String| DownloadError::Digest {
        name: file.name.clone(),
        algorithm,
        got,
        expected,
    };
    if sha1 != file.sha1 {
        return Err(wrong("SHA-1", sha1.to_string(), file.sha1.to_string()));
    }
    match file.sha256 {
        Some(expected) if expected != sha256 => {
            Err(wrong("SHA-256", sha256.to_string(), expected.to_string()))
        }
        _ => Ok(()),
    }
}
