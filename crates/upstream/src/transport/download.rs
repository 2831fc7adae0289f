//! Transport: a file as it comes, piece by piece, from any place in it.

use super::answer;
use super::client::Inner;
use super::error::{Failure, TransportError};
use super::exchange::{Link, Route};
use super::url::Url;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use hyper::body::Incoming;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// A file on its way. Dropping it gives it up.
pub struct Download {
    pub(super) inner: Arc<Inner>,
    pub(super) url: Url,
    pub(super) route: Route,
    pub(super) link: Option<Link>,
    pub(super) body: Incoming,
    pub(super) start: u64,
    pub(super) total: Option<u64>,
    pub(super) received: u64,
    pub(super) _permit: Option<OwnedSemaphorePermit>,
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { url, start, total, received, .. } = self;
        f.debug_struct("Download")
            .field("url", url)
            .field("start", start)
            .field("total", total)
            .field("received", received)
            .finish_non_exhaustive()
    }
}

impl Download {
    /// Where in the file the first piece belongs: what was asked for, or 0 when the server sends the whole.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The length of the whole file, if the server tells.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// Where it comes from, after redirections.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// [`Failure::Truncated`], [`Failure::TimedOut`]; the pieces so far are good to go on from.
    pub async fn next(&mut self) -> Result<Option<Bytes>, TransportError> {
        match answer::next(&mut self.body, self.received, &self.inner.settings.waits).await {
            Ok(Some(piece)) => {
                self.received += piece.len() as u64;
                Ok(Some(piece))
            }
            Ok(None) => {
                if let Some(link) = self.link.take() {
                    self.inner.keep(self.route.clone(), link);
                }
                Ok(None)
            }
            Err(failure) => Err(self.inner.error(&self.url, failure)),
        }
    }
}

/// Start and total length of what an answer holds, when `from` was asked for.
pub(super) fn extent(
    status: StatusCode,
    headers: &HeaderMap,
    from: u64,
) -> Result<(u64, Option<u64>), Failure> {
    let text = |name| headers.get(name).and_then(|v: &http::HeaderValue| v.to_str().ok());
    if status != StatusCode::PARTIAL_CONTENT {
        return Ok((0, text(header::CONTENT_LENGTH).and_then(|n| n.trim().parse().ok())));
    }
    let wrong = || Failure::WrongRange { from };
    let range =
        text(header::CONTENT_RANGE).and_then(|r| r.trim().strip_prefix("bytes ")).ok_or_else(wrong)?;
    let (span, total) = range.split_once('/').ok_or_else(wrong)?;
    let start: u64 = span.split('-').next().and_then(|s| s.trim().parse().ok()).ok_or_else(wrong)?;
    if start != from {
        return Err(wrong());
    }
    Ok((start, total.trim().parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: http::HeaderName, value: &'static str) -> HeaderMap {
        [(name, http::HeaderValue::from_static(value))].into_iter().collect()
    }

    #[test]
    fn a_range_must_begin_where_it_was_asked_to() {
        let partial = StatusCode::PARTIAL_CONTENT;
        let range = |text| extent(partial, &with(header::CONTENT_RANGE, text), 100);
        assert_eq!(range("bytes 100-199/200"), Ok((100, Some(200))));
        assert_eq!(range("bytes 100-199/*"), Ok((100, None)));
        for wrong in ["bytes 0-199/200", "bytes */200", "items 100-199/200", "bytes 100-199", ""] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
        assert!(extent(partial, &HeaderMap::new(), 100).is_err());
    }

    #[test]
    fn a_server_without_ranges_sends_the_whole() {
        let whole = extent(StatusCode::OK, &with(header::CONTENT_LENGTH, "200"), 100);
        assert_eq!(whole, Ok((0, Some(200))));
    }
}
