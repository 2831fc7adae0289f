//! Cli room: an answer that comes piece by piece: lines of JSON, with bytes between them where a line
//! announces some.

use anyhow::{Context as _, bail};
use http_body_util::BodyExt as _;
use hyper::Response;
use hyper::body::Incoming;
use serde_json::Value;

/// Longest line, in bytes. Servers write shorter ones.
const LONGEST_LINE: usize = 64 << 20;

/// Reads an answer.
pub(crate) struct Lines {
    body: Incoming,
    buffer: Vec<u8>,
    /// How much of the buffer is used up.
    at: usize,
    ended: bool,
}

impl Lines {
    pub(crate) fn new(response: Response<Incoming>) -> Self {
        Self { body: response.into_body(), buffer: Vec::new(), at: 0, ended: false }
    }

    /// The next line; `None` at the end. A line that is an error ends the reading with its sentence.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Value>> {
        let mut looked = 0;
        loop {
            let rest = &self.buffer[self.at..];
            if let Some(end) = rest[looked..].iter().position(|b| *b == b'\n').map(|end| looked + end) {
                let line = rest[..end].to_vec();
                self.at += end + 1;
                looked = 0;
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                let line: Value =
                    serde_json::from_slice(&line).context("a line of the server's answer is not JSON")?;
                if let Some(message) = line.pointer("/error/message").and_then(Value::as_str) {
                    bail!("{message}");
                }
                return Ok(Some(line));
            }
            looked = rest.len();
            if looked > LONGEST_LINE {
                bail!("a line of the server's answer is longer than {LONGEST_LINE} bytes");
            }
            if !self.more().await? {
                if looked > 0 {
                    bail!("the server's answer broke off; look at its log");
                }
                return Ok(None);
            }
        }
    }

    /// Exactly so many bytes.
    pub(crate) async fn bytes(&mut self, count: usize) -> anyhow::Result<Vec<u8>> {
        while self.buffer.len() - self.at < count {
            if !self.more().await? {
                bail!("the server's answer broke off; look at its log");
            }
        }
        let bytes = self.buffer[self.at..self.at + count].to_vec();
        self.at += count;
        Ok(bytes)
    }

    /// Receives some; false at the end.
    async fn more(&mut self) -> anyhow::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        if self.at > 0 {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        match self.body.frame().await.transpose().context("the server's answer broke off")? {
            Some(frame) => {
                if let Ok(data) = frame.into_data() {
                    self.buffer.extend_from_slice(&data);
                }
                Ok(true)
            }
            None => {
                self.ended = true;
                Ok(false)
            }
        }
    }
}
