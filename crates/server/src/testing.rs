//! For tests of this room that reach into it: the state of a server over a temporary folder, any handler
//! served over HTTP, a client that reads one answer, and what the log says meanwhile.

use crate::clock::ManualClock;
use crate::options::{Limits, ServerOptions};
use crate::state::App;
use crate::transport::listen::{self, Handler};
use parking_lot::Mutex;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tracing_subscriber::fmt::MakeWriter;

/// The state of a server that nothing runs for: no publisher, no listener.
pub(crate) async fn app() -> (TempDir, Arc<App>) {
    let dir = tempfile::tempdir().unwrap();
    let mut options = ServerOptions::new(dir.path(), SocketAddr::from(([127, 0, 0, 1], 0)));
    options.clock = Arc::new(ManualClock::new("2026-10-04T12:00:00Z".parse().unwrap()));
    let app = App::open(options, SocketAddr::from(([127, 0, 0, 1], 8530))).await.unwrap();
    (dir, Arc::new(app))
}

/// Serves a handler until the test ends.
pub(crate) async fn serve<H: Handler + Sync>(app: &Arc<App>, handler: H) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let limits: Arc<Limits> = Arc::clone(&app.limits);
    tokio::spawn(async move {
        let (_keep, stop) = watch::channel(false);
        listen::serve(listener, handler, limits, stop).await;
    });
    addr
}

/// The whole answer to a GET, head and body.
pub(crate) async fn get(addr: SocketAddr, path: &str) -> String {
    exchange(addr, "GET", path, "").await
}

/// The whole answer to a request without a body; `fields` are header lines.
pub(crate) async fn exchange(addr: SocketAddr, method: &str, path: &str, fields: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n{fields}\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// Collects what is logged on this thread.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// From now until the guard is dropped.
    pub(crate) fn collect(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(self.clone()).finish();
        tracing::subscriber::set_default(subscriber)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
