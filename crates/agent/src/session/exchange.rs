//! Session: one SOAP call over HTTP, with the header fields of a native agent (observed-behaviour 1.2),
//! and the patience a busy server asks for.

use super::page_memory::{Page, PageMemory};
use crate::correlation::CorrelationVector;
use crate::error::AgentError;
use crate::http::{Answer, Pool};
use crate::profile::user_agent;
use crate::random::Random;
use crate::recovery::{Patience, Reaction, reaction};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use sluicegate_soap::fault::ReceivedFault;
use sluicegate_soap::{Limits, Operation, RequestMessage, Service, SoapVersion, xpress};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Sees every call of an agent. A fleet counts with it.
pub trait Observer: Send + Sync {
    /// A call was answered with a result or a fault.
    fn answered(&self, operation: &'static str, took: Duration, wire_bytes: usize, body_bytes: usize);
    /// The server was busy; the agent waits and calls again.
    fn refused(&self, operation: &'static str, wait: Duration);
}

/// Makes calls. Everything about one server and one computer that calls share.
pub(super) struct Caller {
    pub(super) pool: Arc<Pool>,
    pub(super) patience: Patience,
    pub(super) random: Random,
    pub(super) observer: Option<Arc<dyn Observer>>,
    pub(super) correlation: CorrelationVector,
    pub(super) user_agent: HeaderValue,
    pub(super) limits: Limits,
    pub(super) memory: Option<Arc<PageMemory>>,
}

/// An answer, unpacked. With a page, the body has only what is not in the page.
pub(super) struct Reply {
    pub(super) body: Bytes,
    pub(super) page: Option<Arc<Page>>,
}

impl Reply {
    fn body_bytes(&self) -> usize {
        self.page.as_ref().map_or(self.body.len(), |page| page.body_bytes)
    }
}

fn is_xpress(answer: &Answer) -> bool {
    answer.headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding == "xpress")
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").field("server", &self.pool.address().to_string()).finish_non_exhaustive()
    }
}

impl Caller {
    pub(super) fn new(pool: Arc<Pool>, patience: Patience, limits: Limits, mut random: Random) -> Self {
        let correlation = CorrelationVector::new(&mut random);
        // The text is a constant of digits, dots and words.
        let user_agent = HeaderValue::from_str(&user_agent()).unwrap_or(HeaderValue::from_static("agent"));
        Self { pool, patience, random, observer: None, correlation, user_agent, limits, memory: None }
    }

    /// Calls, waits while the server is busy, and gives the answer, unpacked.
    pub(super) async fn call<R: RequestMessage>(
        &mut self,
        path: &str,
        request: &R,
    ) -> Result<Reply, AgentError> {
        let operation = R::OPERATION;
        let request = self.request(path, &operation, request.encode(SoapVersion::V11));
        let mut refusals = 0;
        loop {
            let begun = Instant::now();
            let answer = self
                .pool
                .send(&request, self.limits.bytes)
                .await
                .map_err(|source| AgentError::Http { operation: operation.name, source })?;
            let took = begun.elapsed();
            let retry_after = answer.retry_after();
            let wire_bytes = answer.body.len();
            let outcome = self.outcome(&operation, answer)?;
            let Some(result) = outcome else {
                refusals += 1;
                let wait = self.patience.wait(refusals, retry_after, &mut self.random);
                let busy = || AgentError::Busy { operation: operation.name, refusals, retry_after };
                let wait = wait.ok_or_else(busy)?;
                if let Some(observer) = &self.observer {
                    observer.refused(operation.name, wait);
                }
                tokio::time::sleep(wait).await;
                continue;
            };
            if let Some(observer) = &self.observer {
                let body_bytes = result.as_ref().map_or(0, Reply::body_bytes);
                observer.answered(operation.name, took, wire_bytes, body_bytes);
            }
            return result.map_err(|fault| AgentError::Fault { operation: operation.name, fault });
        }
    }

    /// `None` when the server is busy.
    fn outcome(
        &self,
        operation: &Operation,
        answer: Answer,
    ) -> Result<Option<Result<Reply, Box<ReceivedFault>>>, AgentError> {
        let status = answer.status;
        if status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::TOO_MANY_REQUESTS {
            return Ok(None);
        }
        if status == StatusCode::OK {
            return self.reply(operation, answer).map(|reply| Some(Ok(reply)));
        }
        let body = self.decompress(operation, answer)?;
        // Faults come with HTTP 500.
        match ReceivedFault::decode(&body, &self.limits) {
            Ok(Some(fault)) => match fault.error_code.map(reaction) {
                Some(Reaction::RetrySoon) => Ok(None),
                _ => Ok(Some(Err(Box::new(fault)))),
            },
            _ => {
                let excerpt = String::from_utf8_lossy(&body).chars().take(200).collect();
                Err(AgentError::Status { operation: operation.name, status: status.as_u16(), excerpt })
            }
        }
    }

    fn reply(&self, operation: &Operation, answer: Answer) -> Result<Reply, AgentError> {
        let memory = self.memory.as_ref().filter(|_| operation.name == "SyncUpdates" && is_xpress(&answer));
        let known = memory.and_then(|memory| Some((memory, PageMemory::parts(&answer.body)?)));
        let Some((memory, parts)) = known else {
            return Ok(Reply { body: self.decompress(operation, answer)?, page: None });
        };
        if let Some(page) = memory.recall(parts.key) {
            return Ok(Reply { body: parts.rest.into(), page: Some(page) });
        }
        let body = self.decompress(operation, answer)?;
        memory.remember(parts.key, &body, &self.limits);
        Ok(Reply { body, page: None })
    }

    fn decompress(&self, operation: &Operation, answer: Answer) -> Result<Bytes, AgentError> {
        let bad = |reason: String| AgentError::Encoding { operation: operation.name, reason };
        match answer.headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
            None | Some(b"identity" | b"") => Ok(answer.body),
            Some(b"xpress") => {
                let plain =
                    xpress::decompress(&answer.body, self.limits.bytes).map_err(|e| bad(e.to_string()))?;
                Ok(plain.into())
            }
            Some(other) => Err(bad(format!("Content-Encoding `{}` was not asked for", other.escape_ascii()))),
        }
    }

    fn request(&mut self, path: &str, operation: &Operation, body: Vec<u8>) -> Request<Bytes> {
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = Method::POST;
        // What is no path becomes the root, where no service is: the server says so.
        *request.uri_mut() = path.parse().unwrap_or_default();
        let headers = request.headers_mut();
        self.fill(headers, operation);
        request
    }

    fn fill(&mut self, headers: &mut HeaderMap, operation: &Operation) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("Keep-Alive"));
        headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("xpress"));
        headers.insert(header::USER_AGENT, self.user_agent.clone());
        if let Ok(action) = format!("\"{}\"", operation.soap_action()).try_into() {
            headers.insert("soapaction", action);
        }
        // Only the Client service is sent the correlation vector (observed).
        if operation.service == Service::Client
            && let Ok(vector) = self.correlation.advance().try_into()
        {
            headers.insert("ms-cv", vector);
        }
    }
}
