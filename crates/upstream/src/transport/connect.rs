//! Transport: making a connection: name, address, proxy tunnel, TLS, HTTP; with a typed failure for each
//! step.

use super::error::{Failure, Peer};
use super::settings::Waits;
use super::tls;
use super::url::Url;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The requests of one connection.
pub(super) type Sender = SendRequest<Full<Bytes>>;

/// How much of an answer waits in one connection, in bytes. Files come in large pieces; small answers do not
/// take this room.
const READ_BUFFER: usize = 1 << 20;

/// Addresses of one name that are tried.
const MOST_ADDRESSES: usize = 8;

/// Connects to the server or proxy at `url`.
pub(super) async fn dial(url: &Url, whose: Peer, waits: &Waits) -> Result<TcpStream, Failure> {
    let waited = waits.connect;
    let unresolved =
        |resolver: String| Failure::NameNotResolved { name: url.host().to_owned(), whose, resolver };
    let found = timeout(waited, tokio::net::lookup_host((url.host(), url.port())))
        .await
        .map_err(|_| unresolved(format!("no answer of the resolver in {} s", waited.as_secs_f64())))?
        .map_err(|e| unresolved(e.to_string()))?;
    let addresses: Vec<_> = found.take(MOST_ADDRESSES).collect();
    let began = Instant::now();
    let mut last = unresolved("it has no address".to_owned());
    for (at, address) in addresses.iter().enumerate() {
        // What is left is shared, so that a dead first address does not use up everything.
        let left = waited.saturating_sub(began.elapsed());
        let others = u32::try_from(addresses.len() - at).unwrap_or(1).max(1);
        let share = (left / others).max(Duration::from_millis(1));
        last = match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Small requests wait for their answer each; Nagle's algorithm would only add delay.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => not_connected(&error, whose, waited),
            Err(_) => Failure::TimedOut { whose, stage: "a connection", waited: began.elapsed() },
        };
    }
    Err(last)
}

fn not_connected(error: &io::Error, whose: Peer, waited: Duration) -> Failure {
    match error.kind() {
        ErrorKind::ConnectionRefused => Failure::Refused { whose },
        ErrorKind::TimedOut => Failure::TimedOut { whose, stage: "a connection", waited },
        _ => Failure::Unreachable { whose, reason: error.to_string() },
    }
}

/// Speaks TLS over `io` with the server at `url`.
pub(super) async fn secure<I: AsyncRead + AsyncWrite + Unpin>(
    io: I,
    url: &Url,
    config: &Arc<ClientConfig>,
    waits: &Waits,
) -> Result<TlsStream<I>, Failure> {
    let name = ServerName::try_from(url.host().to_owned())
        .map_err(|_| Failure::Tls { reason: format!("`{}` cannot stand in a certificate", url.host()) })?;
    let connecting = TlsConnector::from(Arc::clone(config)).connect(name, io);
    match timeout(waits.connect, connecting).await {
        Err(_) => {
            Err(Failure::TimedOut { whose: Peer::Server, stage: "the TLS handshake", waited: waits.connect })
        }
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) if tls::wants_certificate(&error) => Err(Failure::WantsCertificate),
        Ok(Err(error)) => Err(match tls::rejected(&error) {
            Ok(rejected) => Failure::Certificate(rejected),
            Err(reason) => Failure::Tls { reason },
        }),
    }
}

/// Speaks HTTP/1.1 over `io`.
pub(super) async fn speak<I>(io: I, whose: Peer) -> Result<Sender, Failure>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(io);
    start(io).await.map_err(|error| Failure::ConnectionLost { whose, reason: error.to_string() })
}

async fn start<I: Read + Write + Unpin + Send + 'static>(io: I) -> hyper::Result<Sender> {
    let (sender, connection) =
        Builder::new().title_case_headers(true).max_buf_size(READ_BUFFER).handshake(io).await?;
    // Ends by itself when the sender is dropped or the other side closes. With upgrades: a tunnel takes
    // the connection over.
    tokio::spawn(async move { drop(connection.with_upgrades().await) });
    Ok(sender)
}
