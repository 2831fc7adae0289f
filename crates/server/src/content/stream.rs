//! Parts of a file as a response body, in pieces of bounded size; a file is never whole in memory. What the system
//! has in its cache, which is what a fleet fetching the same files finds, goes from there to the client by the
//! connection's lane, or is read at once; what it would have to wait for is read away from the async workers, the
//! next piece while the last one is being sent.

use crate::transport::lane::{Lane, STRETCH};
use bytes::Bytes;
use parking_lot::Mutex;
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::task::JoinHandle;

/// Bytes read at once.
pub const PIECE: usize = 256 << 10;

/// What is shorter, in bytes, is read: then it leaves in one packet with what stands before it.
const SHORT: u64 = 64 << 10;

/// Buffers kept for reading again once the network is done with them.
const KEPT: usize = 64;

/// Buffers nobody uses, each of [`PIECE`] bytes.
static FREE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// A piece of a file in a buffer that goes back when the network is done with it.
#[derive(Debug)]
struct Piece {
    buffer: Vec<u8>,
    len: usize,
}

impl Piece {
    fn new(len: usize) -> Self {
        let free = FREE.lock().pop();
        Self { buffer: free.unwrap_or_else(|| vec![0; PIECE]), len: len.min(PIECE) }
    }

    fn space(&mut self) -> &mut [u8] {
        self.buffer.get_mut(..self.len).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        let mut free = FREE.lock();
        if free.len() < KEPT {
            free.push(std::mem::take(&mut self.buffer));
        }
    }
}

/// One part of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Ready text: the frame of a multipart body.
    Text(Bytes),
    /// Bytes of the file.
    Span(Range<u64>),
}

impl Part {
    fn len(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Span(span) => span.end.saturating_sub(span.start),
        }
    }
}

/// A piece that is being read, or was read at once.
#[derive(Debug)]
enum Reading {
    Done(io::Result<Piece>),
    Under(JoinHandle<io::Result<Piece>>),
}

/// A body made of parts of one file.
#[derive(Debug)]
pub struct FileBody {
    file: Arc<File>,
    parts: VecDeque<Part>,
    left: u64,
    reading: Option<Reading>,
    lane: Option<Lane>,
    always_read: bool,
}

impl FileBody {
    /// These parts, in order.
    #[must_use]
    pub fn new(file: File, parts: Vec<Part>) -> Self {
        let left = parts.iter().map(Part::len).sum();
        Self {
            file: Arc::new(file),
            parts: parts.into(),
            left,
            reading: None,
            lane: None,
            always_read: false,
        }
    }

    /// Bytes not yet handed out.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left
    }

    /// A file whose bytes may change: a client gets them as they were when they were read.
    #[must_use]
    pub fn always_read(self) -> Self {
        Self { always_read: true, ..self }
    }

    /// From now on pieces may be bytes that only the connection of this lane can send.
    pub fn send_by(&mut self, lane: Lane) {
        self.lane = Some(lane).filter(|_| !self.always_read);
    }

    /// The next piece, in order; `None` at the end.
    pub fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.reading.is_none() {
            if let Some(piece) = self.by_lane() {
                self.left = self.left.saturating_sub(piece.len() as u64);
                return Poll::Ready(Some(Ok(piece)));
            }
            self.begin_reading();
        }
        let outcome = match self.reading.take() {
            // Not a span: a text, or the end.
            None => {
                let Some(Part::Text(text)) = self.parts.pop_front() else { return Poll::Ready(None) };
                self.left = self.left.saturating_sub(text.len() as u64);
                return Poll::Ready(Some(Ok(text)));
            }
            Some(Reading::Done(outcome)) => outcome,
            Some(Reading::Under(mut task)) => match Pin::new(&mut task).poll(cx) {
                Poll::Pending => {
                    self.reading = Some(Reading::Under(task));
                    return Poll::Pending;
                }
                Poll::Ready(outcome) => {
                    // The disk is slower than the network: have the next piece read meanwhile.
                    self.begin_reading();
                    outcome.unwrap_or_else(|stopped| Err(io::Error::other(stopped)))
                }
            },
        };
        Poll::Ready(Some(outcome.map(|piece| {
            self.left = self.left.saturating_sub(piece.len as u64);
            Bytes::from_owner(piece)
        })))
    }

    /// Hands the next piece to the lane when it is worth it and the system has it in its cache, both ends at least: of
    /// what may be missing between them the kernel reads it while it sends.
    fn by_lane(&mut self) -> Option<Bytes> {
        let lane = self.lane.as_ref().filter(|_| Lane::is_open())?;
        let Some(Part::Span(span)) = self.parts.front_mut() else { return None };
        let left = span.end.saturating_sub(span.start);
        let len = usize::try_from(left).map_or(STRETCH, |left| left.min(STRETCH));
        let last = span.start.saturating_add(len as u64).saturating_sub(1);
        if left < SHORT || !is_cached(&self.file, span.start) || !is_cached(&self.file, last) {
            return None;
        }
        let piece = lane.take(&self.file, span.start, len);
        span.start += piece.len() as u64;
        Some(piece)
    }

    /// Reads the next piece, or begins to, when the next part is of the file.
    fn begin_reading(&mut self) {
        while matches!(self.parts.front(), Some(Part::Span(span)) if span.is_empty()) {
            self.parts.pop_front();
        }
        let Some(Part::Span(span)) = self.parts.front_mut() else { return };
        let start = span.start;
        let mut piece = Piece::new(usize::try_from(span.end - span.start).unwrap_or(PIECE));
        span.start += piece.len as u64;
        self.reading = Some(match read_cached(&self.file, &mut piece, start) {
            Ok(true) => Reading::Done(Ok(piece)),
            Err(error) => Reading::Done(Err(error)),
            Ok(false) => {
                let file = Arc::clone(&self.file);
                Reading::Under(tokio::task::spawn_blocking(move || {
                    file.read_exact_at(piece.space(), start)?;
                    Ok(piece)
                }))
            }
        });
    }
}

/// Whether the system has this byte of a file in its cache.
fn is_cached(file: &File, at: u64) -> bool {
    preadv2(file, &mut [IoSliceMut::new(&mut [0])], at, ReadWriteFlags::NOWAIT) == Ok(1)
}

/// Reads a piece if all of it is in the system's cache; `false` when it is not.
fn read_cached(file: &File, piece: &mut Piece, start: u64) -> io::Result<bool> {
    let wanted = piece.len;
    match preadv2(file, &mut [IoSliceMut::new(piece.space())], start, ReadWriteFlags::NOWAIT) {
        Ok(read) => Ok(read == wanted),
        // Not cached, or a file system that does not know the question.
        Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::INTR | Errno::NOSYS | Errno::INVAL) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    async fn collect(mut body: FileBody) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while let Some(piece) = std::future::poll_fn(|cx| body.poll_piece(cx)).await {
            all.extend_from_slice(&piece?);
        }
        assert_eq!(body.left(), 0);
        Ok(all)
    }

    fn file_of(len: usize) -> (File, Vec<u8>) {
        let bytes: Vec<u8> = (0..len).map(|at| (at * 31 % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        (file, bytes)
    }

    #[tokio::test]
    async fn pieces_join_to_the_file() {
        for len in [0, 1, PIECE - 1, PIECE, PIECE * 5 + 7] {
            let (file, bytes) = file_of(len);
            let body = FileBody::new(file, vec![Part::Span(0..len as u64)]);
            assert_eq!(body.left(), len as u64);
            assert!(collect(body).await.unwrap() == bytes, "{len}");
        }
    }

    #[tokio::test]
    async fn texts_and_spans_keep_their_order() {
        let (file, bytes) = file_of(100);
        let parts = vec![
            Part::Text(Bytes::from_static(b"<")),
            Part::Span(10..12),
            Part::Span(5..5),
            Part::Text(Bytes::from_static(b"|")),
            Part::Span(90..100),
            Part::Text(Bytes::from_static(b">")),
        ];
        let expected = [b"<", &bytes[10..12], b"|", &bytes[90..], b">"].concat();
        assert_eq!(collect(FileBody::new(file, parts)).await.unwrap(), expected);
    }

    #[tokio::test]
    async fn pieces_read_away_from_the_workers_join_too() {
        let (file, bytes) = file_of(PIECE * 2 + 5);
        let mut body = FileBody::new(file, vec![Part::Span(0..bytes.len() as u64)]);
        // As if nothing had been cached.
        let file = Arc::clone(&body.file);
        let Some(Part::Span(span)) = body.parts.front_mut() else { panic!("a span") };
        span.start = PIECE as u64;
        body.reading = Some(Reading::Under(tokio::task::spawn_blocking(move || {
            let mut piece = Piece::new(PIECE);
            file.read_exact_at(piece.space(), 0)?;
            Ok(piece)
        })));
        assert!(collect(body).await.unwrap() == bytes);
    }

    #[tokio::test]
    async fn only_of_a_file_that_may_change_every_byte_is_read() {
        for always_read in [false, true] {
            let (file, bytes) = file_of(PIECE);
            let mut body = FileBody::new(file, vec![Part::Span(0..bytes.len() as u64)]);
            if always_read {
                body = body.always_read();
            }
            body.send_by(Lane::default());
            assert_eq!(collect(body).await.unwrap() == bytes, always_read);
        }
    }

    #[tokio::test]
    async fn a_file_cut_short_meanwhile_is_an_error_not_padding() {
        let (file, _) = file_of(10);
        assert!(collect(FileBody::new(file, vec![Part::Span(0..11)])).await.is_err());
    }
}
