//! The loop that accepts connections and serves HTTP/1.1 on them, within bounds on their number, the size
//! of a request's head and the time for it, until told to stop; then what is under way is finished.

use crate::options::Limits;
use crate::transport::body::Body;
use crate::transport::lane::Lane;
use crate::transport::stall::Guarded;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Answers one request; `SocketAddr` is the client's.
pub(crate) trait Handler: Clone + Send + 'static {
    /// The answer.
    fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> impl Future<Output = Response<Body>> + Send;
}

/// Serves until `stop` says true, then waits for requests under way, at most `limits.drain_time`.
pub(crate) async fn serve<H: Handler>(
    listener: TcpListener,
    handler: H,
    limits: Arc<Limits>,
    mut stop: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = told(&mut stop) => break,
            accepted = accept(&listener, &room) => accepted,
        };
        let (stream, peer, place) = accepted;
        let (handler, limits, stop) = (handler.clone(), Arc::clone(&limits), stop.clone());
        connections.spawn(async move {
            connection(stream, peer, handler, &limits, stop).await;
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain_time, drained).await.is_err() {
        tracing::warn!("requests were still under way when the server stopped");
    }
    connections.shutdown().await;
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit) {
    loop {
        let Ok(place) = Arc::clone(room).acquire_owned().await else {
            // The semaphore is never closed; were it, no connection could be counted.
            std::future::pending::<()>().await;
            continue;
        };
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
            Err(error) => {
                // Out of file descriptors, mostly: waiting is all there is to do, and spinning would not help.
                tracing::warn!(%error, "a connection could not be accepted; raise the limit of open files if this goes on");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection<H: Handler>(
    stream: TcpStream,
    peer: SocketAddr,
    handler: H,
    limits: &Limits,
    mut stop: watch::Receiver<bool>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %peer, "TCP_NODELAY could not be set");
    }
    let lane = Lane::default();
    let by = lane.clone();
    let service = service_fn(move |request| {
        let (handler, lane) = (handler.clone(), by.clone());
        async move {
            let mut response = handler.answer(request, peer).await;
            response.body_mut().send_by(lane);
            Ok::<_, Infallible>(response)
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_headers(limits.header_fields)
        .max_buf_size(limits.head_bytes.max(8192))
        .serve_connection(TokioIo::new(Guarded::new(stream, lane, limits.stall_time)), service);
    let mut served = pin!(served);
    let ended = tokio::select! {
        biased;
        outcome = served.as_mut() => Some(outcome),
        () = told(&mut stop) => None,
    };
    let outcome = match ended {
        Some(outcome) => outcome,
        None => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, %peer, "the connection ended early");
    }
}

/// Waits until the server is told to stop (or whoever could tell is gone).
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stopping| *stopping).await.map(drop);
}
