//! Transport: the client itself: its settings, its kept connections, calls and downloads, and repeating
//! what may succeed the next time.

use super::answer::{self, Answer, AnswerLimits};
use super::download::{self, Download};
use super::error::{Failure, TransportError};
use super::exchange::{Ask, Link, Route};
use super::proxy_auth::Scheme;
use super::retry::RetryPolicy;
use super::settings::{ProxySettings, TransportSettings};
use super::url::Url;
use super::{tls, verdict};
use bytes::Bytes;
use core::fmt;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use ring::rand::{SecureRandom as _, SystemRandom};
use rustls::ClientConfig;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Idle connections that are kept for one server or proxy.
const MOST_IDLE: usize = 8;

/// Servers close idle connections after a minute or two; younger ones are worth a try.
const LONGEST_IDLE: Duration = Duration::from_secs(50);

/// Redirections that are followed for one file.
const MOST_REDIRECTIONS: u32 = 3;

/// Speaks HTTP with upstream servers. Cloning is cheap; clones share connections.
#[derive(Clone, Debug)]
pub struct Transport {
    inner: Arc<Inner>,
    retry: RetryPolicy,
}

pub(super) struct Inner {
    pub(super) settings: TransportSettings,
    /// Made when TLS is first spoken: reading the system's authorities takes some milliseconds.
    tls: OnceLock<Arc<ClientConfig>>,
    permits: Arc<Semaphore>,
    idle: Mutex<HashMap<Route, Vec<Link>>>,
    /// What each proxy (by `host:port`) wants to have proven how.
    schemes: Mutex<HashMap<String, Scheme>>,
    random: SystemRandom,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Transport {
    /// A transport without connections yet. Reads the file of trusted certificates, if one is named.
    ///
    /// # Errors
    /// [`Failure::Settings`] when that file or a proxy's address is not usable.
    pub fn new(settings: TransportSettings) -> Result<Self, TransportError> {
        for proxy in [&settings.proxy, &settings.tls_proxy].into_iter().flatten() {
            if proxy.address.is_tls() {
                return Err(TransportError::settings(format!(
                    "the proxy's address {} begins with https; proxies are spoken to in plain http",
                    proxy.address
                )));
            }
        }
        let ready = OnceLock::new();
        if settings.ca_file.is_some() {
            // A mistake in it shows now, not in the middle of a run.
            let config = tls::config(settings.ca_file.as_deref())?;
            let _ = ready.set(config);
        }
        let inner = Inner {
            tls: ready,
            permits: Arc::new(Semaphore::new(settings.connections.clamp(1, 1024))),
            idle: Mutex::default(),
            schemes: Mutex::default(),
            random: SystemRandom::new(),
            settings,
        };
        Ok(Self { retry: inner.settings.retry, inner: Arc::new(inner) })
    }

    /// The same connections with another rule for repeating.
    #[must_use]
    pub fn with_retry(&self, retry: RetryPolicy) -> Self {
        Self { inner: Arc::clone(&self.inner), retry }
    }

    /// The rule for repeating.
    #[must_use]
    pub fn retry(&self) -> RetryPolicy {
        self.retry
    }

    /// The settings it was made with.
    #[must_use]
    pub fn settings(&self) -> &TransportSettings {
        &self.inner.settings
    }

    /// A failure about `url` found by the caller, for example that an answer does not decode; it names the way
    /// as every other does.
    #[must_use]
    pub fn error(&self, url: &Url, failure: Failure) -> TransportError {
        self.inner.error(url, failure)
    }

    /// Calls a service and returns its SOAP answer. Transient failures are repeated as the policy says.
    /// `action` is the SOAPAction without its quotes.
    ///
    /// # Errors
    /// [`TransportError`]; [`Failure::Fault`] when the service answered with a fault.
    pub async fn post(
        &self,
        url: &Url,
        action: &str,
        body: impl Into<Bytes>,
        limits: AnswerLimits,
    ) -> Result<Answer, TransportError> {
        let ask = self.inner.call(url, action, body.into(), limits)?;
        let mut failed = 0;
        loop {
            let waits = &self.inner.settings.waits;
            let once = match timeout(waits.call, self.inner.post(url, &ask, limits)).await {
                Ok(result) => result,
                Err(_) => Err(Failure::TimedOut {
                    whose: super::Peer::Server,
                    stage: "its whole answer",
                    waited: waits.call,
                }),
            };
            match once {
                Ok(answer) => return Ok(answer),
                Err(failure) => self.pause(&mut failed, self.inner.error(url, failure)).await?,
            }
        }
    }

    /// Begins to fetch the file at `url` from byte `from` on. Transient failures before its first byte are
    /// repeated; later ones come from [`Download::next`], and the caller goes on from where it is.
    ///
    /// # Errors
    /// [`TransportError`]; [`Failure::Status`] 416 when the file is not longer than `from`.
    pub async fn get_range(&self, url: &Url, from: u64) -> Result<Download, TransportError> {
        let mut failed = 0;
        loop {
            match self.get_once(url, from).await {
                Ok(download) => return Ok(download),
                Err(error) => self.pause(&mut failed, error).await?,
            }
        }
    }

    async fn get_once(&self, url: &Url, from: u64) -> Result<Download, TransportError> {
        let inner = &self.inner;
        let permit = Arc::clone(&inner.permits).acquire_owned().await.ok();
        let mut url = url.clone();
        let mut headers = inner.headers();
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        // Length and digests are those of the file as it is.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if from > 0 {
            let range =
                HeaderValue::try_from(format!("bytes={from}-")).unwrap_or(HeaderValue::from_static(""));
            headers.insert(header::RANGE, range);
        }
        let ask = Ask { method: Method::GET, headers, body: Bytes::new() };
        for _ in 0..=MOST_REDIRECTIONS {
            let error = |failure| inner.error(&url, failure);
            let (link, answer) = inner.open(&url, &ask).await.map_err(error)?;
            let status = answer.status();
            if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
                let location = answer.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
                if let Some(next) = location.and_then(|to| url.join(to).ok()) {
                    // What is fetched is judged by its digests, wherever it comes from.
                    url = next;
                    continue;
                }
                // Not what is said where a SOAP message is awaited.
                return Err(error(Failure::Status { status: status.as_u16() }));
            }
            let via = inner.settings.proxy_for(&url).is_some();
            if let Some(failure) = verdict::of_status(&url, via, status, answer.headers(), SystemTime::now())
            {
                return Err(error(failure));
            }
            if let Some(failure) = verdict::of_encoding(answer.headers()) {
                return Err(error(failure));
            }
            let (start, total) = download::extent(status, answer.headers(), from).map_err(error)?;
            return Ok(Download {
                inner: Arc::clone(inner),
                route: inner.route(&url),
                link: Some(link),
                body: answer.into_body(),
                start,
                total,
                received: 0,
                _permit: permit,
                url,
            });
        }
        Err(inner.error(&url, Failure::Status { status: 310 }))
    }

    /// Waits before the next attempt, or gives the failure back when there is none.
    async fn pause(&self, failed: &mut u32, error: TransportError) -> Result<(), TransportError> {
        *failed += 1;
        let draw = u32::from_le_bytes(self.inner.random());
        let wait = self.retry.wait(*failed, draw, error.retry_after());
        match wait.filter(|_| error.is_transient()) {
            None => Err(error),
            Some(wait) => {
                tracing::warn!(%error, code = error.code(), wait_ms = wait.as_millis(), "a request is repeated");
                tokio::time::sleep(wait).await;
                Ok(())
            }
        }
    }
}

impl Inner {
    /// Header fields of every request.
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Ok(agent) = HeaderValue::from_str(&self.settings.user_agent) {
            headers.insert(header::USER_AGENT, agent);
        }
        headers.insert(header::CONNECTION, HeaderValue::from_static("Keep-Alive"));
        headers
    }

    /// A call as the classic .NET stack sends it: SOAP 1.1, the action in quotes (observed-behaviour 1.1).
    fn call(
        &self,
        url: &Url,
        action: &str,
        body: Bytes,
        limits: AnswerLimits,
    ) -> Result<Ask, TransportError> {
        let mut headers = self.headers();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
        let action = HeaderValue::try_from(format!("\"{}\"", action.trim_matches('"'))).map_err(|_| {
            let reason = "its SOAP action has characters that no header may have".to_owned();
            self.error(url, Failure::Settings { reason })
        })?;
        headers.insert("soapaction", action);
        if limits.compressed {
            // Xpress first: real servers know it on every service (observed-behaviour 8).
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("xpress, gzip"));
        }
        Ok(Ask { method: Method::POST, headers, body })
    }

    async fn post(&self, url: &Url, ask: &Ask, limits: AnswerLimits) -> Result<Answer, Failure> {
        let _permit = self.permits.acquire().await.ok();
        let (link, answer) = self.open(url, ask).await?;
        let (head, body) = answer.into_parts();
        let wire = answer::read(body, limits.bytes, &self.settings.waits).await?;
        self.keep(self.route(url), link);
        let received = wire.len() as u64;
        let body = answer::decode(&head.headers, wire, limits.bytes).await?;
        let via = self.settings.proxy_for(url).is_some();
        match verdict::of_call(url, via, head.status, &head.headers, &body, SystemTime::now()) {
            Some(failure) => Err(failure),
            None => Ok(Answer { body, received }),
        }
    }

    pub(super) fn error(&self, url: &Url, failure: Failure) -> TransportError {
        let via = self.settings.proxy_for(url).map(|proxy| proxy.address.authority());
        TransportError::new(url, via.as_deref(), failure)
    }

    pub(super) fn tls(&self) -> Result<&Arc<ClientConfig>, Failure> {
        if let Some(ready) = self.tls.get() {
            return Ok(ready);
        }
        let config = tls::config(self.settings.ca_file.as_deref())
            .map_err(|error| Failure::Settings { reason: error.to_string() })?;
        Ok(self.tls.get_or_init(|| config))
    }

    /// A kept connection of this route.
    pub(super) fn take(&self, route: &Route) -> Option<Link> {
        let mut idle = self.idle.lock().ok()?;
        let links = idle.get_mut(route)?;
        while let Some(link) = links.pop() {
            if !link.sender.is_closed() && link.last_used.elapsed() < LONGEST_IDLE {
                return Some(link);
            }
        }
        None
    }

    /// Keeps a connection whose answer has been read to its end.
    pub(super) fn keep(&self, route: Route, mut link: Link) {
        if link.sender.is_closed() {
            return;
        }
        link.last_used = Instant::now();
        if let Ok(mut idle) = self.idle.lock() {
            idle.retain(|_, links| {
                links.retain(|link| link.last_used.elapsed() < LONGEST_IDLE);
                !links.is_empty()
            });
            let links = idle.entry(route).or_default();
            if links.len() < MOST_IDLE {
                links.push(link);
            }
        }
    }

    pub(super) fn scheme(&self, proxy: &ProxySettings) -> Option<Scheme> {
        proxy.credentials.as_ref()?;
        self.schemes.lock().ok()?.get(&proxy.address.authority()).copied()
    }

    pub(super) fn remember(&self, proxy: &ProxySettings, scheme: Scheme) {
        if let Ok(mut schemes) = self.schemes.lock() {
            schemes.insert(proxy.address.authority(), scheme);
        }
    }

    /// Random bytes. Where the system gives none, zeros: they spread waits and mark messages, no more.
    pub(super) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        if self.random.fill(&mut bytes).is_err() {
            bytes = [0; N];
        }
        bytes
    }
}
