//! Reading a request's body: bounded in size and time before anything looks at it, decompressed
//! within a bound too.

use crate::transport::coding::Coding;
use bytes::{Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use sluicegate_soap::{gzip, xpress};
use std::time::Duration;

/// Why a body could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Larger than allowed.
    #[error("the body is larger than {limit} bytes; send less at once")]
    TooLarge {
        /// What is allowed, in bytes.
        limit: usize,
    },
    /// Not sent in time.
    #[error("the body was not sent within {seconds} s")]
    TooSlow {
        /// What is allowed.
        seconds: u64,
    },
    /// The client went away or broke the framing.
    #[error("the body broke off: {0}")]
    Broken(String),
    /// A coding we do not know.
    #[error("Content-Encoding `{0}` is not known here; send identity, xpress or gzip")]
    UnknownCoding(String),
    /// Not what its coding says.
    #[error("the body is not valid {coding}: {reason}")]
    Damaged {
        /// Which coding.
        coding: &'static str,
        /// What the decoder found.
        reason: String,
    },
}

impl BodyError {
    /// The HTTP status that says it.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::UnknownCoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Broken(_) | Self::Damaged { .. } => StatusCode::BAD_REQUEST,
        }
    }
}

/// What the client announced, if it did; at most `limit` is believed.
///
/// # Errors
/// [`BodyError::TooLarge`] when it announces more.
pub fn announced(headers: &HeaderMap, limit: usize) -> Result<Option<usize>, BodyError> {
    let Some(value) = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()) else { return Ok(None) };
    match value.parse::<usize>() {
        Ok(len) if len <= limit => Ok(Some(len)),
        _ => Err(BodyError::TooLarge { limit }),
    }
}

/// Reads a body of at most `limit` bytes within `time`. `announced` is its length, if the client said it.
///
/// # Errors
/// [`BodyError`].
pub async fn read(
    body: Incoming,
    announced: Option<usize>,
    limit: usize,
    time: Duration,
) -> Result<Bytes, BodyError> {
    match tokio::time::timeout(time, collect(body, announced, limit)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(BodyError::TooSlow { seconds: time.as_secs() }),
    }
}

async fn collect(mut body: Incoming, announced: Option<usize>, limit: usize) -> Result<Bytes, BodyError> {
    // A request that arrives in one piece is used as it is.
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| BodyError::Broken(error.to_string()))?.into_data() else {
            continue;
        };
        if first.len() + whole.len() + data.len() > limit {
            return Err(BodyError::TooLarge { limit });
        }
        if first.is_empty() && whole.is_empty() {
            first = data;
            continue;
        }
        if whole.is_empty() {
            // Room for all of it at once, so that every byte is copied once.
            whole.reserve(announced.unwrap_or_default().min(limit).max(first.len() + data.len()));
            whole.extend_from_slice(&std::mem::take(&mut first));
        }
        whole.extend_from_slice(&data);
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

/// Undoes a request's coding, to at most `limit` bytes.
///
/// # Errors
/// [`BodyError::TooLarge`], [`BodyError::Damaged`].
pub fn decode(body: Bytes, coding: Coding, limit: usize) -> Result<Bytes, BodyError> {
    let damaged = |reason: String| BodyError::Damaged { coding: coding.name(), reason };
    match coding {
        Coding::Identity => Ok(body),
        Coding::Gzip => match gzip::decode(&body, limit) {
            Ok(plain) => Ok(plain.into()),
            Err(gzip::GzipError::TooLarge { limit }) => Err(BodyError::TooLarge { limit }),
            Err(error) => Err(damaged(error.to_string())),
        },
        Coding::Xpress => match xpress::decompress(&body, limit) {
            Ok(plain) => Ok(plain.into()),
            Err(error) => Err(damaged(error.to_string())),
        },
    }
}
