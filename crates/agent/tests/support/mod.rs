//! A small update server for tests: answers by script, remembers what it was asked.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

pub mod protocol;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sluicegate_agent::http::{Address, Pool, PoolOptions};
use sluicegate_agent::session::{Session, SessionOptions};
use sluicegate_agent::{Profile, Random};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    /// The last part of SOAPAction; empty for downloads.
    pub operation: String,
    pub headers: http::HeaderMap,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// What to answer.
pub type Answer = http::Response<Bytes>;

pub fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
    http::Response::builder().status(status).body(body.into()).unwrap()
}

/// A server that answers with a function, on a port of its own.
pub struct FakeServer {
    pub address: Address,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl FakeServer {
    pub async fn start(respond: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        Self::turning_away(0, respond).await
    }

    /// One that closes the first so many connections without a word.
    pub async fn turning_away(
        mut first: usize,
        respond: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (record, respond) = (Arc::clone(&seen), Arc::new(respond));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if first > 0 {
                    first -= 1;
                    continue;
                }
                let (record, respond) = (Arc::clone(&record), Arc::clone(&respond));
                tokio::spawn(async move {
                    let service = service_fn(move |request: http::Request<Incoming>| {
                        let (record, respond) = (Arc::clone(&record), Arc::clone(&respond));
                        async move {
                            let seen = read(request).await;
                            record.lock().unwrap().push(seen.clone());
                            Ok::<_, Infallible>(respond(&seen).map(Full::new))
                        }
                    });
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { address, seen }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The operations called, in order.
    pub fn operations(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.operation).filter(|name| !name.is_empty()).collect()
    }

    pub fn pool(&self) -> Arc<Pool> {
        Arc::new(Pool::new(self.address.clone(), PoolOptions::default()))
    }

    pub fn session(&self) -> Session {
        self.session_with(SessionOptions::default())
    }

    pub fn session_with(&self, options: SessionOptions) -> Session {
        let profile = Profile::windows_11("e1da06a3-5601-43c9-bac3-52d5db701494", "pc.example").unwrap();
        Session::new(self.pool(), Arc::new(profile), options, Random::seeded(1))
    }
}

async fn read(request: http::Request<Incoming>) -> Seen {
    let (parts, body) = request.into_parts();
    let action = parts.headers.get("soapaction").map_or("", |value| value.to_str().unwrap());
    assert!(action.is_empty() || (action.starts_with('"') && action.ends_with('"')), "{action}");
    Seen {
        path: parts.uri.path().to_owned(),
        operation: action.trim_matches('"').rsplit('/').next().unwrap().to_owned(),
        headers: parts.headers.clone(),
        body: String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap(),
    }
}
