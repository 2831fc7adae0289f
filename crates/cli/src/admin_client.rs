//! Cli room: the admin API's client. One request at a time over plain HTTP, JSON in and out, with
//! uploads streamed from disk and line-by-line progress read back.

use crate::endpoint::Endpoint;
use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::sync::mpsc;

type Body = BoxBody<Bytes, std::io::Error>;

/// Speaks to one server's admin API.
pub(crate) struct AdminClient {
    endpoint: Endpoint,
    http: Client<HttpConnector, Body>,
}

/// The sending half of a streamed upload. Dropping it without `finish` tells the server the upload
/// broke off.
pub(crate) type Chunks = mpsc::Sender<std::io::Result<Bytes>>;

impl AdminClient {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, http: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// GET of `path` (below `/api/v1/`), with query parameters that have a value.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, Option<String>)]) -> anyhow::Result<Value> {
        self.json(Method::GET, &with_query(path, query), empty()).await
    }

    /// GET of an answer that is read as it comes.
    pub(crate) async fn stream(
        &self,
        path: &str,
        query: &[(&str, Option<String>)],
    ) -> anyhow::Result<Response<Incoming>> {
        self.send(Method::GET, &with_query(path, query), empty()).await
    }

    /// GET of a file that the server gives to everybody, by its whole path.
    pub(crate) async fn fetch(&self, path: &str) -> anyhow::Result<Response<Incoming>> {
        self.request(Method::GET, format!("{}/{path}", self.endpoint.base), empty()).await
    }

    /// POST of a JSON value.
    pub(crate) async fn post(&self, path: &str, value: &Value) -> anyhow::Result<Value> {
        self.json(Method::POST, path, full(serde_json::to_vec(value)?)).await
    }

    /// PUT of a JSON value.
    pub(crate) async fn put(&self, path: &str, value: &Value) -> anyhow::Result<Value> {
        self.json(Method::PUT, path, full(serde_json::to_vec(value)?)).await
    }

    /// DELETE of what is at `path`.
    pub(crate) async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.json(Method::DELETE, path, empty()).await
    }

    /// POST of a body that the caller sends in pieces.
    pub(crate) async fn post_stream(
        &self,
        path: &str,
        body: mpsc::Receiver<std::io::Result<Bytes>>,
    ) -> anyhow::Result<Response<Incoming>> {
        let stream = ReceiverStream(body);
        self.send(Method::POST, path, BodyExt::boxed(StreamBody::new(stream))).await
    }

    async fn json(&self, method: Method, path: &str, body: Body) -> anyhow::Result<Value> {
        read_json(self.send(method, path, body).await?).await
    }

    async fn send(&self, method: Method, path: &str, body: Body) -> anyhow::Result<Response<Incoming>> {
        self.request(method, format!("{}/api/v1/{path}", self.endpoint.base), body).await
    }

    async fn request(&self, method: Method, uri: String, body: Body) -> anyhow::Result<Response<Incoming>> {
        let request = Request::builder()
            .method(method)
            .uri(&uri)
            .header("authorization", format!("Bearer {}", self.endpoint.token))
            .header("content-type", "application/json")
            .header(VERSION, OURS)
            .body(body)
            .with_context(|| format!("`{uri}` is not a usable address"))?;
        let response = self.http.request(request).await.map_err(|e| {
            Unreachable(format!(
                "cannot reach the server at {}: {}. Is `sluicegate serve` running?",
                self.endpoint.base,
                root_cause(&e)
            ))
        })?;
        same_interface(&self.endpoint.base, &response)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body =
            response.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let said = serde_json::from_slice::<Value>(&body).unwrap_or_default();
        let part = |pointer: &str| said.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let message = part("/error/message")
            .unwrap_or_else(|| String::from_utf8_lossy(&body).trim().chars().take(400).collect());
        Err(Refused { status, code: part("/error/code").unwrap_or_default(), message }.into())
    }
}

/// No answer came, or no whole one.
#[derive(Debug)]
pub(crate) struct Unreachable(String);

impl std::fmt::Display for Unreachable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreachable {}

/// The server answered, and refused.
#[derive(Debug)]
pub(crate) struct Refused {
    status: StatusCode,
    /// For programs.
    pub(crate) code: String,
    /// The server's sentence.
    pub(crate) message: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the server refused ({}): {}", self.status, self.message)
    }
}

impl std::error::Error for Refused {}

/// The header in which both sides say which version of the admin API they speak, and in which program.
const VERSION: &str = "sluicegate-version";

/// What this program says.
const OURS: &str = concat!("1/", env!("CARGO_PKG_VERSION"));

/// Refuses to read the answers of a server whose admin API is another one. Servers that say nothing are older than the
/// header and speak this one.
fn same_interface(base: &str, response: &Response<Incoming>) -> anyhow::Result<()> {
    let said = response.headers().get(VERSION).map(|said| String::from_utf8_lossy(said.as_bytes()));
    match said {
        Some(said) if interface(&said) != interface(OURS) => bail!(
            "the server at {base} speaks version {} of the admin API ({said}), this command version {} ({OURS}); use the \
             `sluicegate` that the server runs, or update the older of the two",
            interface(&said),
            interface(OURS)
        ),
        _ => Ok(()),
    }
}

fn interface(version: &str) -> &str {
    version.split('/').next().unwrap_or(version)
}

/// The whole body as JSON.
pub(crate) async fn read_json(response: Response<Incoming>) -> anyhow::Result<Value> {
    let broke_off = |error| Unreachable(format!("the server's answer broke off: {error}"));
    let body = response.into_body().collect().await.map_err(broke_off)?.to_bytes();
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&body).context("the server's answer is not JSON")
}

fn with_query(path: &str, query: &[(&str, Option<String>)]) -> String {
    let mut uri = path.to_owned();
    let mut mark = '?';
    for (name, value) in query {
        if let Some(value) = value {
            uri.push(mark);
            uri.push_str(name);
            uri.push('=');
            uri.push_str(&percent_encode(value));
            mark = '&';
        }
    }
    uri
}

fn empty() -> Body {
    full(Vec::new())
}

fn full(bytes: Vec<u8>) -> Body {
    BodyExt::boxed(Full::new(Bytes::from(bytes)).map_err(|never| match never {}))
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// Everything but RFC 3986's unreserved characters, as `%XX`.
pub(crate) fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A channel as a stream of body frames.
struct ReceiverStream(mpsc::Receiver<std::io::Result<Bytes>>);

impl futures_core::Stream for ReceiverStream {
    type Item = std::io::Result<Frame<Bytes>>;
    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|item| item.map(|chunk| chunk.map(Frame::data)))
    }
}

#[cfg(test)]
mod tests {
    use super::percent_encode;

    #[test]
    fn group_names_survive_a_query() {
        assert_eq!(percent_encode("Büro & Labor"), "B%C3%BCro%20%26%20Labor");
        assert_eq!(percent_encode("a-b.c_d~e"), "a-b.c_d~e");
    }
}
