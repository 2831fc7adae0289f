//! The body of an answer: ready bytes, parts of a file, or lines as they come. Ready bytes may hold a
//! permit of admission, which is given back when the network is done with them or the client is gone.

use crate::admission::Permit;
use crate::content::stream::FileBody;
use crate::transport::lane::Lane;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body::{Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// A response body.
#[derive(Debug)]
pub struct Body {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Empty,
    Bytes(Bytes),
    File(Box<FileBody>),
    Lines(mpsc::Receiver<Bytes>),
}

impl Body {
    /// Nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self { kind: Kind::Empty }
    }

    /// Ready bytes.
    #[must_use]
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self { kind: Kind::Bytes(bytes.into()) }
    }

    /// Parts of a file.
    #[must_use]
    pub fn file(file: FileBody) -> Self {
        Self { kind: Kind::File(Box::new(file)) }
    }

    /// Pieces as they are produced; their number is not known beforehand.
    #[must_use]
    pub fn lines(lines: mpsc::Receiver<Bytes>) -> Self {
        Self { kind: Kind::Lines(lines) }
    }

    /// Ready bytes that hold a permit. The HTTP library drops a body before its bytes have left the
    /// socket, so the bytes themselves own the permit.
    #[must_use]
    pub fn holding(bytes: Vec<u8>, permit: Permit) -> Self {
        Self::bytes(Bytes::from_owner(Held { bytes, _permit: permit }))
    }

    /// Has parts of files go by the lane of the connection that the body is written to.
    pub(super) fn send_by(&mut self, lane: Lane) {
        if let Kind::File(file) = &mut self.kind {
            file.send_by(lane);
        }
    }

    fn done(&mut self) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.kind = Kind::Empty;
        Poll::Ready(None)
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut self.kind {
            Kind::Empty => Poll::Ready(None),
            Kind::Bytes(bytes) => {
                let all = std::mem::take(bytes);
                self.kind = Kind::Empty;
                if all.is_empty() { Poll::Ready(None) } else { Poll::Ready(Some(Ok(Frame::data(all)))) }
            }
            Kind::File(file) => match file.poll_piece(cx) {
                Poll::Ready(None) => self.done(),
                Poll::Ready(Some(piece)) => Poll::Ready(Some(piece.map(Frame::data))),
                Poll::Pending => Poll::Pending,
            },
            Kind::Lines(lines) => match lines.poll_recv(cx) {
                Poll::Ready(None) => self.done(),
                Poll::Ready(Some(line)) => Poll::Ready(Some(Ok(Frame::data(line)))),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Empty => true,
            Kind::Bytes(bytes) => bytes.is_empty(),
            Kind::File(file) => file.left() == 0,
            Kind::Lines(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::File(file) => SizeHint::with_exact(file.left()),
            Kind::Lines(_) => SizeHint::default(),
        }
    }
}

/// Bytes with their permit.
struct Held {
    bytes: Vec<u8>,
    _permit: Permit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A short plain-text answer.
#[must_use]
pub fn text(status: StatusCode, sentence: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::bytes(sentence));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
