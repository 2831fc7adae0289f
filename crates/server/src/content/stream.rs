//! Parts of a file as a response body: read in pieces of bounded size away from the async workers, the
//! next piece while the last one is being sent. A file is never whole in memory.

use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::task::JoinHandle;

/// Bytes read at once.
pub const PIECE: usize = 256 << 10;

/// Buffers kept for reading again once the network is done with them.
const KEPT: usize = 3;

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

/// A body made of parts of one file.
#[derive(Debug)]
pub struct FileBody {
    file: Arc<File>,
    parts: VecDeque<Part>,
    left: u64,
    reading: Option<JoinHandle<io::Result<BytesMut>>>,
    sent: VecDeque<Bytes>,
}

impl FileBody {
    /// These parts, in order.
    #[must_use]
    pub fn new(file: File, parts: Vec<Part>) -> Self {
        let left = parts.iter().map(Part::len).sum();
        Self { file: Arc::new(file), parts: parts.into(), left, reading: None, sent: VecDeque::new() }
    }

    /// Bytes not yet handed out.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The next piece, in order; `None` at the end.
    pub fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.reading.is_none() {
            if let Some(Part::Text(_)) = self.parts.front() {
                let Some(Part::Text(text)) = self.parts.pop_front() else { return Poll::Ready(None) };
                self.left = self.left.saturating_sub(text.len() as u64);
                self.begin_reading();
                return Poll::Ready(Some(Ok(text)));
            }
            self.begin_reading();
        }
        let Some(reading) = self.reading.as_mut() else { return Poll::Ready(None) };
        let outcome = ready!(Pin::new(reading).poll(cx));
        self.reading = None;
        let piece = match outcome {
            Ok(Ok(piece)) => piece.freeze(),
            Ok(Err(error)) => return Poll::Ready(Some(Err(error))),
            Err(stopped) => return Poll::Ready(Some(Err(io::Error::other(stopped)))),
        };
        self.left = self.left.saturating_sub(piece.len() as u64);
        self.begin_reading();
        if self.sent.len() < KEPT && piece.len() == PIECE {
            self.sent.push_back(piece.clone());
        }
        Poll::Ready(Some(Ok(piece)))
    }

    /// Starts reading the next piece when the next part is of the file.
    fn begin_reading(&mut self) {
        while matches!(self.parts.front(), Some(Part::Span(span)) if span.is_empty()) {
            self.parts.pop_front();
        }
        let Some(Part::Span(span)) = self.parts.front_mut() else { return };
        let start = span.start;
        let len = usize::try_from(span.end - span.start).unwrap_or(PIECE).min(PIECE);
        span.start += len as u64;
        let mut buffer = self.buffer();
        buffer.resize(len, 0);
        let file = Arc::clone(&self.file);
        self.reading = Some(tokio::task::spawn_blocking(move || {
            file.read_exact_at(&mut buffer, start)?;
            Ok(buffer)
        }));
    }

    /// A buffer the network has given back, or a new one.
    fn buffer(&mut self) -> BytesMut {
        match self.sent.pop_front().map(Bytes::try_into_mut) {
            Some(Ok(free)) => free,
            Some(Err(busy)) => {
                self.sent.push_back(busy);
                BytesMut::new()
            }
            None => BytesMut::new(),
        }
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
    async fn a_file_cut_short_meanwhile_is_an_error_not_padding() {
        let (file, _) = file_of(10);
        assert!(collect(FileBody::new(file, vec![Part::Span(0..11)])).await.is_err());
    }
}
