//! A request body as a blocking reader, for work that runs where blocking is allowed: a few pieces are
//! under way at once, so that neither side fills memory waiting for the other.

use bytes::{Buf as _, Bytes};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::io::{self, Read};
use std::time::Duration;
use tokio::sync::mpsc;

/// Pieces under way.
const AHEAD: usize = 8;

/// Reads a body that another task receives.
#[derive(Debug)]
pub(crate) struct BodyReader {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    current: Bytes,
}

/// Receives a body in the background. A sender that sends nothing for `patience` has broken off.
pub(crate) fn reader(mut body: Incoming, patience: Duration) -> BodyReader {
    let (sender, pieces) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        loop {
            let piece = match tokio::time::timeout(patience, body.frame()).await {
                Ok(None) => return,
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => Ok(data),
                    Err(_) => continue,
                },
                Ok(Some(Err(error))) => Err(io::Error::other(error)),
                Err(_) => {
                    let sentence = format!("nothing was sent for {} s", patience.as_secs());
                    Err(io::Error::new(io::ErrorKind::TimedOut, sentence))
                }
            };
            let last = piece.is_err();
            if sender.send(piece).await.is_err() || last {
                return;
            }
        }
    });
    BodyReader { pieces, current: Bytes::new() }
}

impl Read for BodyReader {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.pieces.blocking_recv() {
                None => return Ok(0),
                Some(piece) => self.current = piece?,
            }
        }
        let count = to.len().min(self.current.len());
        self.current.split_to(count).copy_to_slice(to.get_mut(..count).unwrap_or_default());
        Ok(count)
    }
}
