//! A connection whose client stops taking bytes is closed after a while, so that a silent client cannot
//! keep an answer in memory for ever. Bytes of files go out by its lane.

use super::lane::{Lane, Next};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// A TCP connection that fails when writing makes no progress for too long.
pub(crate) struct Guarded {
    stream: TcpStream,
    lane: Lane,
    patience: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Guarded {
    pub(crate) fn new(stream: TcpStream, lane: Lane, patience: Duration) -> Self {
        Self { stream, lane, patience, deadline: None, waiting: false }
    }

    fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            match self.stream.try_io(Interest::WRITABLE, || self.lane.send(&self.stream)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(sent),
            }
        }
    }

    fn judge(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if outcome.is_ready() {
            self.waiting = false;
            return outcome;
        }
        let until = Instant::now() + self.patience;
        let deadline = match &mut self.deadline {
            Some(deadline) => {
                if !self.waiting {
                    deadline.as_mut().reset(until);
                }
                deadline
            }
            none => none.insert(Box::pin(tokio::time::sleep_until(until))),
        };
        self.waiting = true;
        if deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client takes nothing of its answer",
            )));
        }
        Poll::Pending
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = match self.lane.next(bufs)? {
            Next::File => self.poll_send(cx),
            Next::Memory(first) => {
                let bufs = bufs.get(..first).unwrap_or_default();
                Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
            }
        };
        self.judge(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    async fn pair(patience: Duration) -> (Guarded, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        (Guarded::new(server, Lane::default(), patience), client)
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (mut server, _client) = pair(Duration::from_millis(100)).await;
        let error = server.write_all(&vec![0; 64 << 20]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_slow_client_that_takes_something_is_served() {
        let (mut server, mut client) = pair(Duration::from_millis(300)).await;
        let len = 12 << 20;
        let sending = tokio::spawn(async move { server.write_all(&vec![1; len]).await });
        let mut taken = 0;
        let mut buffer = vec![0; 2 << 20];
        while taken < len {
            tokio::time::sleep(Duration::from_millis(40)).await;
            taken += client.read(&mut buffer).await.unwrap();
        }
        sending.await.unwrap().unwrap();
    }
}
