//! GET on a service: its description with `?wsdl`, else a few words about it.

use super::Caller;
use crate::routes::path_of;
use crate::transport::body::{Body, text};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use sluicegate_soap::wsdl;

/// Answers a GET. The location in a description is the address the client used, so that generated clients
/// talk to where they found it.
pub(super) fn answer(caller: &Caller, query: Option<&str>) -> Response<Body> {
    let path = path_of(caller.service);
    let asked = query.unwrap_or_default();
    if asked.eq_ignore_ascii_case("wsdl") || asked.eq_ignore_ascii_case("singlewsdl") {
        let location = format!("http://{}{path}", plain_authority(&caller.host));
        let mut response = Response::new(Body::bytes(wsdl::document(caller.service, &location)));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
        return response;
    }
    let help = format!(
        "This is the {:?} service of an update server. Update agents call it with SOAP over POST;\n\
         its description is at {path}?wsdl\n",
        caller.service
    );
    text(StatusCode::OK, help)
}

/// A Host header that is one; `localhost` otherwise.
fn plain_authority(host: &str) -> &str {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    if !host.is_empty() && host.len() <= 260 && host.chars().all(plain) { host } else { "localhost" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_host_is_not_repeated() {
        assert_eq!(plain_authority("wsus.example:8530"), "wsus.example:8530");
        assert_eq!(plain_authority("[::1]:80"), "[::1]:80");
        for bad in ["", "a\"/><x", "a b", "a/b"] {
            assert_eq!(plain_authority(bad), "localhost", "{bad}");
        }
    }
}
