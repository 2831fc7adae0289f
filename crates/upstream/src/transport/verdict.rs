//! Transport: what an answer's status, header fields and first bytes say. Pure.

use super::error::{Failure, Peer};
use super::proxy_auth;
use super::url::Url;
use http::{HeaderMap, StatusCode, header};
use sluicegate_soap::Limits;
use sluicegate_soap::fault::ReceivedFault;
use std::time::{Duration, SystemTime};

/// Longest fault that is read, in bytes.
const LONGEST_FAULT: usize = 64 << 10;

/// How far into a message its Envelope must begin.
const ENVELOPE_WITHIN: usize = 1024;

/// The failure that an answer of a service is, if it is one. `body` is decoded.
pub(super) fn of_call(
    url: &Url,
    via_proxy: bool,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: SystemTime,
) -> Option<Failure> {
    // A fault comes with 500; that some come with 200 is on record (known problem L-10).
    if body.len() <= LONGEST_FAULT && contains(body, b"Fault") && is_envelope(body) {
        let limits = Limits { bytes: LONGEST_FAULT, ..Limits::ANSWER };
        if let Ok(Some(fault)) = ReceivedFault::decode(body, &limits) {
            return Some(Failure::Fault(Box::new(fault)));
        }
    }
    if let Some(failure) = of_status(url, via_proxy, status, headers, now) {
        return Some(failure);
    }
    (!is_envelope(body)).then(|| not_soap(headers, body))
}

/// The failure that a status is, if it is one.
pub(super) fn of_status(
    url: &Url,
    via_proxy: bool,
    status: StatusCode,
    headers: &HeaderMap,
    now: SystemTime,
) -> Option<Failure> {
    if via_proxy && let Some(failure) = proxy_failure(url, status, headers) {
        return Some(failure);
    }
    let number = status.as_u16();
    match number {
        200..=299 => None,
        300..=399 => {
            let to = headers.get(header::LOCATION).map(|to| String::from_utf8_lossy(to.as_bytes()));
            let to = to.unwrap_or_default();
            if let Some(base) = same_host_by_tls(url, &to) {
                return Some(Failure::WantsTls { status: number, base });
            }
            let excerpt = plain(&to);
            Some(Failure::NotSoap { what: format!("a redirection ({number})"), excerpt })
        }
        401 => Some(Failure::Unauthorized),
        403 => Some(Failure::Forbidden),
        404 | 410 => Some(Failure::NotFound),
        407 => {
            let offered = proxy_auth::offered(headers);
            Some(Failure::ProxyAuthentication { offered, tried: None, allowed: None })
        }
        429 => Some(Failure::Busy { retry_after: retry_after(headers, now) }),
        503 => Some(Failure::Unavailable { retry_after: retry_after(headers, now) }),
        // Through a tunnel only the server itself answers.
        502 | 504 if via_proxy && !url.is_tls() => Some(Failure::ProxyRefused {
            status: number,
            reason: status.canonical_reason().unwrap_or_default().to_owned(),
        }),
        _ => Some(Failure::Status { status: number }),
    }
}

/// Scheme, host and port of where a redirection leads, when that is the same host by https.
fn same_host_by_tls(url: &Url, to: &str) -> Option<String> {
    let to: Url = to.parse().ok()?;
    (!url.is_tls() && to.is_tls() && to.host() == url.host()).then(|| format!("https://{}", to.host_header()))
}

/// The failure that a file is which comes encoded although it was asked for as it is.
pub(super) fn of_encoding(headers: &HeaderMap) -> Option<Failure> {
    let said = headers.get(header::CONTENT_ENCODING)?;
    let coding = plain(String::from_utf8_lossy(said.as_bytes()).trim());
    let as_it_is = coding.is_empty() || coding.eq_ignore_ascii_case("identity");
    (!as_it_is).then_some(Failure::Encoded { coding })
}

/// What a proxy says of its own failure to reach the server. Only squid says it in a form for programs
/// (`X-Squid-Error: NAME errno`).
pub(super) fn proxy_failure(url: &Url, status: StatusCode, headers: &HeaderMap) -> Option<Failure> {
    let said = headers.get("x-squid-error")?.to_str().ok()?;
    let (name, number) = said.split_once(' ').unwrap_or((said, "0"));
    let refused = || Failure::ProxyRefused {
        status: status.as_u16(),
        reason: format!("the proxy says {}", plain(said)),
    };
    Some(match (name, number.trim()) {
        ("ERR_CACHE_ACCESS_DENIED", _) => return None, // Its own 407.
        ("ERR_DNS_FAIL", _) => Failure::NameNotResolved {
            name: url.host().to_owned(),
            whose: Peer::Server,
            resolver: format!("the proxy says {}", plain(said)),
        },
        // Numbers of Linux; what they are elsewhere is told as it stands.
        ("ERR_CONNECT_FAIL", "111") => Failure::Refused { whose: Peer::Server },
        ("ERR_CONNECT_FAIL", _) => {
            Failure::Unreachable { whose: Peer::Server, reason: format!("the proxy says {}", plain(said)) }
        }
        _ => refused(),
    })
}

/// `Retry-After` in either of its forms (RFC 9110 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = httpdate::parse_http_date(text).ok()?;
    Some(then.duration_since(now).unwrap_or(Duration::ZERO))
}

fn is_envelope(body: &[u8]) -> bool {
    let start = body.get(..ENVELOPE_WITHIN).unwrap_or(body);
    contains(start, b"Envelope") || contains(start, b"E\0n\0v\0e\0l\0o\0p\0e\0")
}

fn contains(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|window| window == what)
}

fn not_soap(headers: &HeaderMap, body: &[u8]) -> Failure {
    let kind = headers.get(header::CONTENT_TYPE).map(|kind| String::from_utf8_lossy(kind.as_bytes()));
    let what = match kind {
        _ if body.is_empty() => "an empty answer".to_owned(),
        Some(kind) => plain(&kind),
        None => "something without a type".to_owned(),
    };
    let start = body.get(..2048).unwrap_or(body);
    Failure::NotSoap { what, excerpt: words(&String::from_utf8_lossy(start)) }
}

/// The first words of a page, without its tags.
fn words(page: &str) -> String {
    let mut inside = false;
    let text: String = page
        .chars()
        .filter(|letter| match letter {
            '<' => {
                inside = true;
                false
            }
            '>' => !std::mem::replace(&mut inside, false),
            _ => !inside,
        })
        .collect();
    plain(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// What others wrote, made fit for one line of a log.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}

/// The innermost reason of an error; the outer ones of an HTTP library say little.
pub(super) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    plain(&inner.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::TransportError;
    use http::HeaderValue;

    const ENVELOPE: &[u8] =
        br#"<?xml version="1.0"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body/></soap:Envelope>"#;

    fn url() -> Url {
        "http://parent:8530/ServerSyncWebService/ServerSyncWebService.asmx".parse().unwrap()
    }

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields.iter().map(|(n, v)| (n.parse().unwrap(), HeaderValue::from_static(v))).collect()
    }

    fn call(status: u16, fields: &[(&'static str, &'static str)], body: &[u8]) -> Option<Failure> {
        let now = httpdate::parse_http_date("Sun, 04 Oct 2026 15:00:00 GMT").unwrap();
        of_call(&url(), true, StatusCode::from_u16(status).unwrap(), &headers(fields), body, now)
    }

    #[test]
    fn a_soap_answer_is_no_failure_whatever_its_type_says() {
        assert_eq!(call(200, &[("content-type", "text/xml; charset=utf-8")], ENVELOPE), None);
        assert_eq!(call(200, &[], ENVELOPE), None);
    }

    #[test]
    fn a_page_in_place_of_soap_is_named_with_its_first_words() {
        let page =
            b"<!DOCTYPE html><html><head><title>Guest network</title></head><body>Please\n sign in</body>";
        let failure = call(200, &[("content-type", "text/html")], page).unwrap();
        let expected = "Guest networkPlease sign in".to_owned();
        assert_eq!(failure, Failure::NotSoap { what: "text/html".to_owned(), excerpt: expected });
        let empty = call(200, &[("content-type", "text/xml")], b"").unwrap();
        let said = TransportError::new(&url(), None, empty).to_string();
        assert!(said.contains("not a SOAP message but an empty answer; "), "{said}");
        assert!(
            matches!(call(302, &[("location", "http://login/")], b""), Some(Failure::NotSoap { excerpt, .. }) if excerpt == "http://login/")
        );
        assert!(
            matches!(call(200, &[], b""), Some(Failure::NotSoap { what, .. }) if what == "an empty answer")
        );
    }

    #[test]
    fn a_redirection_to_the_same_host_by_https_is_told_from_a_page_to_sign_in_at() {
        let to = |location| call(302, &[("location", location)], b"");
        for (location, base) in [
            ("https://parent/ServerSyncWebService/ServerSyncWebService.asmx", "https://parent"),
            ("https://PARENT:8531/", "https://parent:8531"),
        ] {
            let base = base.to_owned();
            let failure = to(location).unwrap();
            assert_eq!(failure, Failure::WantsTls { status: 302, base: base.clone() });
            let error = TransportError::new(&url(), None, failure);
            assert!(error.to_string().contains(&format!("set {base} as the upstream")), "{error}");
            assert_eq!((error.code(), error.problem()), ("UssCommunicationError/UnexpectedStatus", None));
        }
        for elsewhere in ["https://login.example/", "http://parent:8530/x", "/x", ""] {
            assert!(matches!(to(elsewhere), Some(Failure::NotSoap { .. })), "{elsewhere}");
        }
    }

    #[test]
    fn a_file_that_comes_encoded_is_told_by_its_encoding() {
        let encoded = |coding| of_encoding(&headers(&[("content-encoding", coding)]));
        assert_eq!(encoded("gzip"), Some(Failure::Encoded { coding: "gzip".to_owned() }));
        assert_eq!((encoded("identity"), of_encoding(&headers(&[]))), (None, None));
    }

    #[test]
    fn a_fault_is_kept_whatever_the_status() {
        let fault = br#"<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><soap:Fault>
            <faultcode>soap:Client</faultcode><faultstring>Fault occurred</faultstring><detail><ErrorCode>InvalidCookie</ErrorCode>
            <Message>old</Message><ID>c0a7445f-b989-43fa-ac20-11f8ca65fa8c</ID><Method>"m"</Method></detail></soap:Fault></soap:Body></soap:Envelope>"#;
        for status in [200, 500, 503] {
            let Some(Failure::Fault(fault)) = call(status, &[], fault) else {
                panic!("no fault at {status}")
            };
            assert_eq!(fault.error_code_text, "InvalidCookie");
            assert_eq!(fault.message, "old");
            assert!(fault.id.is_some());
        }
    }

    #[test]
    fn statuses_become_failures() {
        assert_eq!(call(401, &[], b""), Some(Failure::Unauthorized));
        assert_eq!(call(403, &[], b""), Some(Failure::Forbidden));
        assert_eq!(call(404, &[], b""), Some(Failure::NotFound));
        assert_eq!(call(500, &[], b"oops"), Some(Failure::Status { status: 500 }));
        let wait = |text| match call(503, &[("retry-after", text)], b"") {
            Some(Failure::Unavailable { retry_after }) => retry_after.map(|d| d.as_secs()),
            other => panic!("{other:?}"),
        };
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait("Sun, 04 Oct 2026 15:01:30 GMT"), Some(90));
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn a_proxys_own_failures_are_told_apart() {
        let squid = |status, said| call(status, &[("x-squid-error", said)], b"<html>");
        assert!(matches!(
            squid(503, "ERR_DNS_FAIL 0"),
            Some(Failure::NameNotResolved { whose: Peer::Server, .. })
        ));
        assert_eq!(squid(503, "ERR_CONNECT_FAIL 111"), Some(Failure::Refused { whose: Peer::Server }));
        assert!(matches!(squid(503, "ERR_CONNECT_FAIL 113"), Some(Failure::Unreachable { .. })));
        assert!(matches!(squid(403, "ERR_ACCESS_DENIED 0"), Some(Failure::ProxyRefused { status: 403, .. })));
        assert!(matches!(squid(407, "ERR_CACHE_ACCESS_DENIED 0"), Some(Failure::ProxyAuthentication { .. })));
        assert!(matches!(call(502, &[], b""), Some(Failure::ProxyRefused { status: 502, .. })));
    }
}
