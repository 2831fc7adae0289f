//! Transport: reading the answer to a call: bounded on the wire and after decoding.

use super::error::Failure;
use super::settings::Waits;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use sluicegate_soap::{gzip, xpress};
use tokio::time::timeout;

/// What is decoded on the spot, in bytes; larger bodies go to a thread of their own.
const SMALL: usize = 64 << 10;

/// What is kept or decoded as a whole from here on, in bytes, may lie in a file: a list of all revisions.
const HUGE: usize = 32 << 20;

const HUGE_PACKED: usize = HUGE / 8;

/// The answer of a service: a SOAP message that is no fault.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The message, decoded.
    pub body: Bytes,
    /// Body bytes on the wire.
    pub received: u64,
}

/// What a caller takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AnswerLimits {
    /// Most bytes of the body, on the wire and decoded.
    pub bytes: usize,
    /// Whether the server may compress (Xpress or gzip).
    pub compressed: bool,
}

impl AnswerLimits {
    /// Compressed answers of at most this many bytes.
    #[must_use]
    pub const fn of(bytes: usize) -> Self {
        Self { bytes, compressed: true }
    }
}

/// Reads a whole body.
pub(super) async fn read(mut body: Incoming, limit: usize, waits: &Waits) -> Result<Bytes, Failure> {
    let too_large = || Failure::TooLarge { limit: limit as u64 };
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        return Err(too_large());
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    let mut received = 0_usize;
    while let Some(frame) = next(&mut body, received as u64, waits).await? {
        received = received.saturating_add(frame.len());
        if received > limit {
            return Err(too_large());
        }
        // Most answers are one frame: it is kept as it is.
        if first.is_empty() && rest.is_empty() {
            first = frame;
            continue;
        }
        if rest.is_empty() {
            // `announced` is bounded above.
            let room = usize::try_from(announced).unwrap_or(0);
            if room < HUGE {
                rest.reserve(room);
            } else {
                sluicegate_allocator::bulk(|| rest.reserve(room));
            }
            rest.extend_from_slice(&std::mem::take(&mut first));
        }
        if received < HUGE {
            rest.extend_from_slice(&frame);
        } else {
            sluicegate_allocator::bulk(|| rest.extend_from_slice(&frame));
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

/// The next piece of a body; `None` at its end.
pub(super) async fn next(
    body: &mut Incoming,
    received: u64,
    waits: &Waits,
) -> Result<Option<Bytes>, Failure> {
    loop {
        let Ok(frame) = timeout(waits.silence, body.frame()).await else {
            let waited = waits.silence;
            return Err(Failure::TimedOut {
                whose: super::Peer::Server,
                stage: "the rest of its answer",
                waited,
            });
        };
        return match frame {
            None => Ok(None),
            Some(Err(error)) => {
                Err(Failure::Truncated { received, reason: super::verdict::root_cause(&error) })
            }
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => Ok(Some(data)),
                Err(_trailers) => continue,
            },
        };
    }
}

/// Undoes `Content-Encoding`.
pub(super) async fn decode(headers: &HeaderMap, body: Bytes, limit: usize) -> Result<Bytes, Failure> {
    let named = headers.get(header::CONTENT_ENCODING).map(|v| String::from_utf8_lossy(v.as_bytes()));
    let encoding = match named.as_deref().map(|name| name.trim().to_ascii_lowercase()).as_deref() {
        None | Some("" | "identity") => return Ok(body),
        Some("xpress") => Encoding::Xpress,
        Some("gzip" | "x-gzip") => Encoding::Gzip,
        Some(other) => {
            let name: String = other.chars().filter(|c| !c.is_control()).take(40).collect();
            return Err(Failure::Damaged {
                reason: format!("it has the encoding `{name}`, which was not asked for"),
            });
        }
    };
    if body.len() <= SMALL {
        return encoding.decode(&body, limit);
    }
    let decode = move || match body.len() {
        // Such lists shrink to a tenth.
        HUGE_PACKED.. => sluicegate_allocator::bulk(|| encoding.decode(&body, limit)),
        _ => encoding.decode(&body, limit),
    };
    tokio::task::spawn_blocking(decode)
        .await
        .unwrap_or_else(|_| Err(Failure::Damaged { reason: "decoding it was broken off".to_owned() }))
}

#[derive(Clone, Copy)]
enum Encoding {
    Xpress,
    Gzip,
}

impl Encoding {
    fn decode(self, body: &[u8], limit: usize) -> Result<Bytes, Failure> {
        let large = || Failure::TooLarge { limit: limit as u64 };
        match self {
            Self::Gzip => gzip::decode(body, limit).map(Bytes::from).map_err(|error| match error {
                gzip::GzipError::TooLarge { .. } => large(),
                damaged => Failure::Damaged { reason: damaged.to_string() },
            }),
            Self::Xpress => xpress::decompress(body, limit).map(Bytes::from).map_err(|error| match error {
                xpress::XpressError::TooLarge { .. } => large(),
                damaged => Failure::Damaged { reason: damaged.to_string() },
            }),
        }
    }
}
