//! A server over a temporary folder, and a client that speaks plain HTTP to it: what the tests of this
//! room have in common.
#![allow(
    dead_code,
    unused_imports,
    missing_docs,
    unreachable_pub,
    reason = "each test uses its part of this"
)]

pub mod agent;
pub mod catalog;
pub mod downstream;
pub mod http;

pub use agent::Agent;
pub use downstream::Downstream;
pub use http::{Answer, exchange};

use serde_json::{Value, json};
use sluicegate_catalog::compose::Document;
use sluicegate_server::clock::ManualClock;
use sluicegate_server::{Limits, Mirror, Running, Server, ServerOptions};
use sluicegate_terms::Timestamp;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub struct Site {
    pub dir: TempDir,
    pub clock: Arc<ManualClock>,
    pub running: Option<Running>,
    pub addr: SocketAddr,
    pub limits: Limits,
    /// What it asks in the place of Microsoft Update, from the next start on.
    pub mirror: Option<Mirror>,
}

pub fn noon() -> Timestamp {
    "2026-10-04T12:00:00Z".parse().unwrap()
}

impl Site {
    pub async fn start() -> Self {
        Self::with_limits(Limits::default()).await
    }

    pub async fn with_limits(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(noon()));
        let mut site = Self {
            dir,
            clock,
            running: None,
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            limits,
            mirror: None,
        };
        site.launch().await;
        site
    }

    async fn launch(&mut self) {
        let mut options = ServerOptions::new(self.dir.path(), SocketAddr::from(([127, 0, 0, 1], 0)));
        options.clock = Arc::clone(&self.clock) as Arc<_>;
        options.limits = self.limits.clone();
        options.microsoft_update.clone_from(&self.mirror);
        let running = Server::start(options).await.unwrap();
        self.addr = running.local_addr();
        self.running = Some(running);
        let started = Instant::now();
        while self.get("/healthz").await.status != 200 {
            assert!(started.elapsed() < Duration::from_secs(20), "no snapshot was published");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stops the server and starts it again over the same folder.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.launch().await;
    }

    pub async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.shutdown().await;
        }
    }

    pub fn token(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("admin-token")).unwrap().trim().to_owned()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], b"").await
    }

    pub async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        exchange(self.addr, method, path, headers, body).await.unwrap()
    }

    /// A request to the admin API with a JSON body (nothing for null).
    pub async fn admin(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let bearer = format!("Bearer {}", self.token());
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let path = format!("/api/v1/{path}");
        let answer = self.request(method, &path, &[("Authorization", &bearer)], body.as_bytes()).await;
        (answer.status, answer.json())
    }

    /// The same, and it must work.
    pub async fn manage(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, value) = self.admin(method, path, body).await;
        assert_eq!(status, 200, "{method} {path}: {value}");
        value
    }

    /// Sends files to the import and answers its last line.
    pub async fn import_files(&self, files: &[(&str, &[u8])]) -> Value {
        let mut body = Vec::new();
        for (name, bytes) in files {
            body.extend_from_slice(json!({ "name": name, "size": bytes.len() }).to_string().as_bytes());
            body.push(b'\n');
            body.extend_from_slice(bytes);
        }
        let bearer = format!("Bearer {}", self.token());
        let answer =
            self.request("POST", "/api/v1/catalog/import", &[("Authorization", &bearer)], &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let text = answer.text();
        serde_json::from_str(text.lines().last().unwrap()).unwrap()
    }

    /// Imports documents; all must enter.
    pub async fn import(&self, documents: &[Document]) {
        let texts: Vec<(String, String)> =
            documents.iter().map(|d| (format!("{}.xml", d.identity), d.to_xml())).collect();
        let files: Vec<(&str, &[u8])> =
            texts.iter().map(|(name, text)| (name.as_str(), text.as_bytes())).collect();
        let report = self.import_files(&files).await;
        assert_eq!(report["report"]["quarantined"], json!([]), "{report}");
    }

    pub async fn upload(&self, name: &str, bytes: &[u8]) -> (u16, Value) {
        let bearer = format!("Bearer {}", self.token());
        let path = format!("/api/v1/content?name={name}");
        let answer = self.request("POST", &path, &[("Authorization", &bearer)], bytes).await;
        (answer.status, answer.json())
    }
}
