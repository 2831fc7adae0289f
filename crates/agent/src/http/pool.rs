//! HTTP: a bounded pool of keep-alive connections to one server, as agents keep them.

use super::Address;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How many connections a pool may have, and how long it waits.
#[derive(Clone, Copy, Debug)]
pub struct PoolOptions {
    /// At most this many connections at once; callers beyond wait. Real agents open up to 7
    /// (observed-behaviour 5).
    pub connections: usize,
    /// Longest wait for a connection to be made.
    pub connect_timeout: Duration,
    /// Longest wait for a whole answer, once the request is sent.
    pub answer_timeout: Duration,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            connections: 7,
            connect_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(300),
        }
    }
}

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No connection to the server.
    #[error("cannot connect to {authority}: {source}; is the server running and the port right?")]
    Connect {
        /// Host and port.
        authority: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The connection broke before the answer was complete.
    #[error("the connection to {authority} broke: {source}")]
    Broken {
        /// Host and port.
        authority: String,
        /// What HTTP said.
        source: hyper::Error,
    },
    /// No complete answer in time.
    #[error("{authority} did not answer within {seconds} s")]
    Timeout {
        /// Host and port.
        authority: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The answer is longer than the caller accepts.
    #[error("{authority} sent an answer of more than {limit} bytes")]
    TooLong {
        /// Host and port.
        authority: String,
        /// The bound.
        limit: usize,
    },
}

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body as it came, still encoded.
    pub body: Bytes,
}

impl Answer {
    /// `Retry-After` in seconds, if the server gave one. The date form is not read: no update server
    /// has been seen to send it.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
        text.trim().parse().ok().map(Duration::from_secs)
    }
}

/// Keep-alive connections to one server.
#[derive(Debug)]
pub struct Pool {
    address: Address,
    host: HeaderValue,
    options: PoolOptions,
    permits: Semaphore,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
    received: AtomicU64,
    opened: AtomicU64,
}

impl Pool {
    /// A pool without connections yet.
    #[must_use]
    pub fn new(address: Address, options: PoolOptions) -> Self {
        // An Address has graphic ASCII only, which every header value may have.
        let host =
            HeaderValue::from_str(&address.host_header()).unwrap_or(HeaderValue::from_static("localhost"));
        Self {
            permits: Semaphore::new(options.connections.max(1)),
            idle: Mutex::new(Vec::new()),
            received: AtomicU64::new(0),
            opened: AtomicU64::new(0),
            address,
            host,
            options,
        }
    }

    /// Which server.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Its bounds.
    #[must_use]
    pub fn options(&self) -> PoolOptions {
        self.options
    }

    /// Body bytes received so far, as they were on the wire.
    #[must_use]
    pub fn bytes_received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Connections opened so far.
    #[must_use]
    pub fn connections_opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Sends one request and reads the whole answer, at most `limit` body bytes.
    ///
    /// A kept connection may have been closed by the server in the meantime; then the request is sent
    /// once more on a new one. So it is when a server in a storm closes a new one unanswered. Every
    /// operation of the protocol may be repeated: a second ReportEventBatch with the same event instances
    /// is kept once (observed-behaviour 6).
    ///
    /// # Errors
    /// [`HttpError`], when there is no complete answer.
    pub async fn send(&self, request: &Request<Bytes>, limit: usize) -> Result<Answer, HttpError> {
        // The semaphore is never closed; treating an error as "no bound" keeps the call total.
        let _permit = self.permits.acquire().await.ok();
        let seconds = self.options.answer_timeout;
        while let Some(kept) = self.take_idle() {
            match timeout(seconds, self.exchange(kept, request, limit)).await {
                Ok(Err(error)) if was_turned_away(&error) => {}
                Ok(result) => return result,
                Err(_) => return Err(self.timed_out(seconds)),
            }
        }
        let mut again = true;
        loop {
            let result = match self.connect().await {
                Ok(fresh) => timeout(seconds, self.exchange(fresh, request, limit))
                    .await
                    .unwrap_or_else(|_| Err(self.timed_out(seconds))),
                Err(error) => Err(error),
            };
            match result {
                Err(error) if again && was_turned_away(&error) => again = false,
                result => return result,
            }
        }
    }

    fn take_idle(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle.lock().ok()?;
        while let Some(sender) = idle.pop() {
            if !sender.is_closed() {
                return Some(sender);
            }
        }
        None
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, HttpError> {
        let authority = self.address.authority();
        let stream = timeout(self.options.connect_timeout, TcpStream::connect(&authority))
            .await
            .map_err(|_| self.timed_out(self.options.connect_timeout))?
            .map_err(|source| HttpError::Connect { authority, source })?;
        // Small requests wait for their answer each; Nagle's algorithm would only add delay.
        let _ = stream.set_nodelay(true);
        let (sender, connection) = Builder::new()
            .title_case_headers(true)
            // Bounds the memory of one connection; thousands of agents have one each.
            .max_buf_size(128 * 1024)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|source| self.broken(source))?;
        self.opened.fetch_add(1, Ordering::Relaxed);
        // Ends by itself when the sender is dropped or the server closes.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    async fn exchange(
        &self,
        mut sender: SendRequest<Full<Bytes>>,
        request: &Request<Bytes>,
        limit: usize,
    ) -> Result<Answer, HttpError> {
        sender.ready().await.map_err(|source| self.broken(source))?;
        let mut out = Request::new(Full::new(request.body().clone()));
        *out.method_mut() = request.method().clone();
        *out.uri_mut() = request.uri().clone();
        *out.headers_mut() = request.headers().clone();
        out.headers_mut().insert(header::HOST, self.host.clone());
        let response = sender.send_request(out).await.map_err(|source| self.broken(source))?;
        let (parts, body) = response.into_parts();
        let body = self.read(body, limit).await?;
        if let Ok(mut idle) = self.idle.lock()
            && idle.len() < self.options.connections
        {
            idle.push(sender);
        }
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }

    async fn read(&self, mut body: Incoming, limit: usize) -> Result<Bytes, HttpError> {
        let too_long = || HttpError::TooLong { authority: self.address.authority(), limit };
        let announced = hyper::body::Body::size_hint(&body).exact().unwrap_or(0);
        if announced > limit as u64 {
            return Err(too_long());
        }
        let mut first: Option<Bytes> = None;
        let mut rest = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|source| self.broken(source))?.into_data() else { continue };
            self.received.fetch_add(data.len() as u64, Ordering::Relaxed);
            match first.take() {
                // Most answers are one frame: it is kept as it is.
                None if rest.is_empty() => first = Some(data),
                None => rest.extend_from_slice(&data),
                Some(earlier) => {
                    // `announced` is bounded above.
                    rest.reserve(usize::try_from(announced).unwrap_or(0));
                    rest.extend_from_slice(&earlier);
                    rest.extend_from_slice(&data);
                }
            }
            if first.as_ref().map_or(rest.len(), Bytes::len) > limit {
                return Err(too_long());
            }
        }
        Ok(first.unwrap_or_else(|| rest.freeze()))
    }

    fn broken(&self, source: hyper::Error) -> HttpError {
        HttpError::Broken { authority: self.address.authority(), source }
    }

    fn timed_out(&self, waited: Duration) -> HttpError {
        HttpError::Timeout { authority: self.address.authority(), seconds: waited.as_secs() }
    }
}

/// The server closed the connection before it read the request, or without a word of answer.
fn was_turned_away(error: &HttpError) -> bool {
    match error {
        HttpError::Connect { source, .. } => was_cut(source),
        HttpError::Broken { source, .. } => {
            let cause = std::error::Error::source(source).and_then(|cause| cause.downcast_ref());
            source.is_canceled()
                || source.is_closed()
                || source.is_incomplete_message()
                || cause.is_some_and(was_cut)
        }
        HttpError::Timeout { .. } | HttpError::TooLong { .. } => false,
    }
}

/// Cut by the other side. A refused connection is another matter: nobody listens there.
fn was_cut(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset)
}
