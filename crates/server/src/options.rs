//! What `Server::start` is told: where the data is, where to listen, and every bound on what clients
//! may make the server do. The defaults suit a fleet of 100,000 computers on a small machine.

use crate::clock::{Clock, SystemClock};
pub use sluicegate_upstream::sync::Mirror;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Bounds on input, memory and time.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest request body of the client and SimpleAuth services, as sent, in bytes. A recorded driver
    /// pass has 51 KB, a request with 10,000 cached ids 180 KB.
    pub client_body: usize,
    /// Largest request body of the reporting service, as sent, in bytes.
    pub reporting_body: usize,
    /// Largest request body after decompression, as a multiple of the bound on the sent one.
    pub expansion: usize,
    /// Largest JSON body of the admin API, in bytes.
    pub admin_body: usize,
    /// Largest single document of an import, in bytes.
    pub document: usize,
    /// Bytes of request bodies held at once by all requests; more wait their turn.
    pub bodies_in_flight: usize,
    /// Bytes of scan answers made or being sent at once; more wait their turn.
    pub answers_in_flight: usize,
    /// Requests that may wait for their turn; beyond, the answer is 503 with Retry-After.
    pub waiting: usize,
    /// Longest wait for a turn.
    pub wait: Duration,
    /// Connections held open at once; more wait in the system's queue.
    pub connections: usize,
    /// Longest time to send a request's head; also how long a kept connection may be idle.
    pub head_time: Duration,
    /// Longest time to send a request's body.
    pub body_time: Duration,
    /// A client that takes nothing of its answer for so long is disconnected.
    pub stall_time: Duration,
    /// Most header fields in a request.
    pub header_fields: usize,
    /// Largest request head, in bytes (at least 8192).
    pub head_bytes: usize,
    /// How long a shutdown waits for requests under way.
    pub drain_time: Duration,
    /// Bytes of the lists of a catalog that stand in memory; more of them lie in a file of the data folder. The first
    /// server that a process starts says so.
    pub lists_in_memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            client_body: 2 << 20,
            reporting_body: 16 << 20,
            expansion: 8,
            admin_body: 1 << 20,
            document: 256 << 20,
            bodies_in_flight: 64 << 20,
            answers_in_flight: 192 << 20,
            waiting: 2048,
            wait: Duration::from_secs(20),
            connections: 16_384,
            head_time: Duration::from_secs(60),
            body_time: Duration::from_secs(60),
            stall_time: Duration::from_secs(60),
            header_fields: 64,
            head_bytes: 32 << 10,
            drain_time: Duration::from_secs(20),
            lists_in_memory: 96 << 20,
        }
    }
}

/// How to run a server.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The data folder; made when it does not exist.
    pub data: PathBuf,
    /// Where to listen; port 0 lets the system choose (see `Running::local_addr`).
    pub listen: SocketAddr,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// The bounds.
    pub limits: Limits,
    /// A private mirror that is asked where the upstream is Microsoft Update; see [`Mirror`].
    pub microsoft_update: Option<Mirror>,
    /// Which commit the program was built from, if that is known; shown in its status.
    pub commit: Option<String>,
}

impl ServerOptions {
    /// With the system's clock and the default limits.
    #[must_use]
    pub fn new(data: impl Into<PathBuf>, listen: SocketAddr) -> Self {
        Self {
            data: data.into(),
            listen,
            clock: Arc::new(SystemClock),
            limits: Limits::default(),
            microsoft_update: None,
            commit: None,
        }
    }
}
