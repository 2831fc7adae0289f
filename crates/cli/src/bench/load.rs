//! Bench: a load generator small enough not to be what is measured. Keep-alive connections that send
//! ready request bytes and read answers by their Content-Length.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One request, ready to be written, made with [`post`] or [`get`].
pub(crate) type RawRequest = Vec<u8>;

/// A POST with these header lines (`Name: value`) and body.
pub(crate) fn post(path: &str, headers: &[(&str, &str)], body: &[u8]) -> RawRequest {
    let mut out =
        format!("POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n", body.len()).into_bytes();
    for (name, value) in headers {
        out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    out
}

/// A GET with these header lines.
pub(crate) fn get(path: &str, headers: &[(&str, &str)]) -> RawRequest {
    let mut out = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n").into_bytes();
    for (name, value) in headers {
        out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// What one run of load saw.
#[derive(Debug, Clone, Default)]
pub(crate) struct Load {
    /// Answers with a success status.
    pub(crate) answers: u64,
    /// Answers with another status, and broken connections.
    pub(crate) failures: u64,
    /// Body bytes received.
    pub(crate) bytes: u64,
    /// Wall time.
    pub(crate) elapsed: Duration,
    /// Every answer time, sorted.
    pub(crate) times: Vec<Duration>,
}

impl Load {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.answers as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// The answer time that `share` (0 to 1) of the answers did not exceed.
    pub(crate) fn percentile(&self, share: f64) -> Duration {
        let last = self.times.len().saturating_sub(1);
        let at = ((last as f64) * share).round() as usize;
        self.times.get(at.min(last)).copied().unwrap_or_default()
    }
}

/// Sends the `sequence` of requests over and over on each of `connections` connections for `time`.
pub(crate) async fn run(
    addr: SocketAddr,
    connections: usize,
    sequence: Arc<Vec<RawRequest>>,
    time: Duration,
) -> Load {
    let started = Instant::now();
    let until = started + time;
    let tasks: Vec<_> = (0..connections)
        .map(|_| {
            let sequence = Arc::clone(&sequence);
            tokio::spawn(async move {
                let mut load = Load::default();
                while Instant::now() < until {
                    let Ok(mut connection) = Connection::open(addr).await else {
                        load.failures += 1;
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        continue;
                    };
                    if connection.drive(&sequence, until, &mut load).await.is_err() {
                        load.failures += 1;
                    }
                }
                load
            })
        })
        .collect();
    let mut sum = Load::default();
    for task in tasks {
        let Ok(load) = task.await else { continue };
        sum.answers += load.answers;
        sum.failures += load.failures;
        sum.bytes += load.bytes;
        sum.times.extend(load.times);
    }
    sum.elapsed = started.elapsed();
    sum.times.sort_unstable();
    sum
}

/// One keep-alive connection.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(addr: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 256 * 1024] })
    }

    async fn drive(
        &mut self,
        sequence: &[RawRequest],
        until: Instant,
        load: &mut Load,
    ) -> std::io::Result<()> {
        loop {
            for request in sequence {
                let began = Instant::now();
                if began >= until {
                    return Ok(());
                }
                let (status, length) = self.exchange(request, None).await?;
                load.times.push(began.elapsed());
                load.bytes += length as u64;
                if (200..300).contains(&status) { load.answers += 1 } else { load.failures += 1 }
            }
        }
    }

    /// Sends one request and reads its answer; keeps the body if asked to.
    pub(crate) async fn exchange(
        &mut self,
        request: &[u8],
        mut keep: Option<&mut Vec<u8>>,
    ) -> std::io::Result<(u16, usize)> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        let head_end = loop {
            if filled == self.buffer.len() {
                return Err(std::io::Error::other("the answer's head is too long"));
            }
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            if read == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            filled += read;
            if let Some(at) = self.buffer[..filled].windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..head_end]).to_ascii_lowercase();
        let status = head.get(9..12).and_then(|s| s.parse().ok()).unwrap_or(0);
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .and_then(|value| value.trim().parse().ok())
            .ok_or_else(|| std::io::Error::other("the answer has no Content-Length"))?;
        let mut got = filled - head_end;
        if let Some(keep) = keep.as_deref_mut() {
            keep.extend_from_slice(&self.buffer[head_end..filled]);
        }
        while got < length {
            let want = (length - got).min(self.buffer.len());
            let read = self.stream.read(&mut self.buffer[..want]).await?;
            if read == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(keep) = keep.as_deref_mut() {
                keep.extend_from_slice(&self.buffer[..read]);
            }
            got += read;
        }
        Ok((status, length))
    }
}
