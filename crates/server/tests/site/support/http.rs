//! The smallest HTTP/1.1 client that can see everything: bytes out, status, header fields and body in.

use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// A header field, by name in any letter case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The text of the first element of this name.
    pub fn element(&self, name: &str) -> Option<String> {
        let text = self.text();
        let start = text.find(&format!("<{name}>"))? + name.len() + 2;
        let end = text[start..].find(&format!("</{name}>"))?;
        Some(text[start..start + end].to_owned())
    }
}

/// One request on a connection of its own.
pub async fn exchange(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Answer> {
    let mut head =
        format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str(&format!("Host: {addr}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    raw(addr, &[head.as_bytes(), body].concat(), method == "HEAD").await
}

/// Sends bytes as they are and reads one answer to the end of the connection.
pub async fn raw(addr: SocketAddr, bytes: &[u8], head_only: bool) -> io::Result<Answer> {
    let stream = TcpStream::connect(addr).await?;
    let (mut from, mut to) = stream.into_split();
    let bytes = bytes.to_vec();
    // A server that refuses early closes while we still send; its answer counts all the same.
    let sending = tokio::spawn(async move {
        let _ = to.write_all(&bytes).await;
        to
    });
    let mut received = Vec::new();
    let read = from.read_to_end(&mut received).await;
    sending.abort();
    if received.is_empty() {
        read?;
    }
    parse(&received, head_only)
        .ok_or_else(|| io::Error::other(format!("no answer: {:?}", String::from_utf8_lossy(&received))))
}

fn parse(received: &[u8], head_only: bool) -> Option<Answer> {
    let end = received.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = String::from_utf8(received[..end].to_vec()).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> =
        lines.filter_map(|line| line.split_once(": ")).map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    let rest = &received[end + 4..];
    let answer = Answer { status, headers, body: rest.to_vec() };
    if answer.header("transfer-encoding") == Some("chunked") {
        return Some(Answer { body: dechunk(rest)?, ..answer });
    }
    if let Some(len) = answer.header("content-length")
        && !head_only
    {
        assert_eq!(len.parse::<usize>().ok()?, rest.len(), "the length announced is the length sent");
    }
    Some(answer)
}

fn dechunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|w| w == b"\r\n")?;
        let len = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?, 16).ok()?;
        rest = &rest[end + 2..];
        if len == 0 {
            return Some(body);
        }
        body.extend_from_slice(&rest[..len]);
        rest = &rest[len + 2..];
    }
}
