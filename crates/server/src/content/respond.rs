//! The answer to GET or HEAD for one open file: conditions, ranges, multipart (RFC 9110 13 to 15), with
//! the header fields recorded for real servers (observed-behaviour 5).

use super::conditions::{self, Validators, Verdict};
use super::range::{self, Wanted};
use super::stream::{FileBody, Part};
use crate::transport::body::{Body, text};
use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName, LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use sluicegate_terms::Guid;
use std::fs::File;
use std::ops::Range;

/// A file ready to be sent.
#[derive(Debug)]
pub struct Opened {
    /// Open for reading.
    pub file: File,
    /// Its length in bytes.
    pub len: u64,
    /// Its entity tag and time.
    pub validators: Validators,
    /// What it is.
    pub content_type: &'static str,
    /// Whether its bytes never change, as those of content, which are verified and have the name of their digest.
    pub fixed: bool,
}

impl Opened {
    /// Parts of it, as a body. What may change is read: what the system sends by itself would change on its way.
    fn body(self, parts: Vec<Part>) -> FileBody {
        let body = FileBody::new(self.file, parts);
        if self.fixed { body } else { body.always_read() }
    }
}

/// Answers a GET or HEAD. `boundary` separates the parts when several ranges are sent.
#[must_use]
pub fn respond(method: &Method, headers: &HeaderMap, opened: Opened, boundary: Guid) -> Response<Body> {
    match conditions::evaluate(headers, &opened.validators) {
        Verdict::NotModified => return bare(StatusCode::NOT_MODIFIED, &opened),
        Verdict::Failed => {
            return text(StatusCode::PRECONDITION_FAILED, "The file is not in that state any more.\n");
        }
        Verdict::Proceed => {}
    }
    // Real servers answer HEAD with Range 416 (observed-behaviour 5, "HEAD + Range 416"). Ours ignores the
    // Range: it is defined for GET alone (RFC 9110 14.2), no recorded agent sends HEAD at all, and a client
    // that does wants to know the file, not to fail.
    let field = headers.get(RANGE).and_then(|value| value.to_str().ok());
    let wanted = match field {
        Some(field) if method == Method::GET && conditions::range_holds(headers, &opened.validators) => {
            range::parse(field, opened.len)
        }
        _ => Wanted::Whole,
    };
    match wanted {
        Wanted::Whole if method == Method::HEAD => {
            let mut response = bare(StatusCode::OK, &opened);
            set(&mut response, CONTENT_TYPE, opened.content_type);
            set(&mut response, CONTENT_LENGTH, &opened.len.to_string());
            response
        }
        Wanted::Whole => whole(opened),
        Wanted::Unsatisfiable => {
            let mut response = text(StatusCode::RANGE_NOT_SATISFIABLE, "No such range in this file.\n");
            set(&mut response, CONTENT_RANGE, &format!("bytes */{}", opened.len));
            response
        }
        Wanted::Parts(parts) => match parts.as_slice() {
            [one] => single(opened, one.clone()),
            _ => multipart(opened, &parts, boundary),
        },
    }
}

fn whole(opened: Opened) -> Response<Body> {
    let (mut response, len) = (bare(StatusCode::OK, &opened), opened.len);
    set(&mut response, CONTENT_TYPE, opened.content_type);
    set(&mut response, CONTENT_LENGTH, &len.to_string());
    *response.body_mut() = Body::file(opened.body(vec![Part::Span(0..len)]));
    response
}

fn single(opened: Opened, part: Range<u64>) -> Response<Body> {
    let mut response = bare(StatusCode::PARTIAL_CONTENT, &opened);
    set(&mut response, CONTENT_TYPE, opened.content_type);
    set(&mut response, CONTENT_LENGTH, &(part.end - part.start).to_string());
    set(&mut response, CONTENT_RANGE, &content_range(&part, opened.len));
    *response.body_mut() = Body::file(opened.body(vec![Part::Span(part)]));
    response
}

fn multipart(opened: Opened, ranges: &[Range<u64>], boundary: Guid) -> Response<Body> {
    let mut response = bare(StatusCode::PARTIAL_CONTENT, &opened);
    let mut parts = Vec::with_capacity(ranges.len() * 2 + 1);
    for part in ranges {
        let head = format!(
            "\r\n--{boundary}\r\nContent-Type: {}\r\nContent-Range: {}\r\n\r\n",
            opened.content_type,
            content_range(part, opened.len)
        );
        parts.push(Part::Text(Bytes::from(head)));
        parts.push(Part::Span(part.clone()));
    }
    parts.push(Part::Text(Bytes::from(format!("\r\n--{boundary}--\r\n"))));
    let body = opened.body(parts);
    set(&mut response, CONTENT_TYPE, &format!("multipart/byteranges; boundary={boundary}"));
    set(&mut response, CONTENT_LENGTH, &body.left().to_string());
    *response.body_mut() = Body::file(body);
    response
}

fn content_range(part: &Range<u64>, len: u64) -> String {
    format!("bytes {}-{}/{len}", part.start, part.end.saturating_sub(1))
}

fn bare(status: StatusCode, opened: &Opened) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    set(&mut response, LAST_MODIFIED, &httpdate::fmt_http_date(opened.validators.modified));
    set(&mut response, ACCEPT_RANGES, "bytes");
    set(&mut response, ETAG, &opened.validators.etag);
    response
}

fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
