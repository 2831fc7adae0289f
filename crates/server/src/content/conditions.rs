//! Conditional requests (RFC 9110, 13) for a file with a strong entity tag and a modification time.

use http::HeaderMap;
use http::header::{HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};
use std::time::{Duration, SystemTime};

/// What names the present state of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validators {
    /// A strong entity tag, with its quotes.
    pub etag: String,
    /// When it was last changed; whole seconds, as HTTP dates are.
    pub modified: SystemTime,
}

impl Validators {
    /// Cuts the time to whole seconds.
    #[must_use]
    pub fn new(etag: String, modified: SystemTime) -> Self {
        let since = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { etag, modified: SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs()) }
    }
}

/// What the conditions of a request come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Proceed,
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

/// Evaluates the conditions in the order of RFC 9110 13.2.2, for GET and HEAD.
#[must_use]
pub fn evaluate(headers: &HeaderMap, now: &Validators) -> Verdict {
    if let Some(list) = text(headers, &IF_MATCH) {
        if !listed(list, &now.etag, false) {
            return Verdict::Failed;
        }
    } else if date(headers, &IF_UNMODIFIED_SINCE).is_some_and(|since| now.modified > since) {
        return Verdict::Failed;
    }
    if let Some(list) = text(headers, &IF_NONE_MATCH) {
        if listed(list, &now.etag, true) {
            return Verdict::NotModified;
        }
    } else if date(headers, &IF_MODIFIED_SINCE).is_some_and(|since| now.modified <= since) {
        return Verdict::NotModified;
    }
    Verdict::Proceed
}

/// Whether `Range` still holds: no `If-Range`, or one that names exactly the present state.
#[must_use]
pub fn range_holds(headers: &HeaderMap, now: &Validators) -> bool {
    if !headers.contains_key(IF_RANGE) {
        return true;
    }
    match text(headers, &IF_RANGE) {
        Some(value) if value.starts_with('"') => value == now.etag,
        // A weak tag never matches; a date only exactly (RFC 9110 13.1.5).
        Some(value) if !value.starts_with("W/") => {
            httpdate::parse_http_date(value).is_ok_and(|at| at == now.modified)
        }
        _ => false,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    text(headers, name).and_then(|value| httpdate::parse_http_date(value).ok())
}

/// Whether a tag is in a list of tags. `weak` comparison ignores the `W/` mark, strong refuses it.
fn listed(list: &str, etag: &str, weak: bool) -> bool {
    list == "*"
        || list.split(',').map(str::trim).any(|tag| match tag.strip_prefix("W/") {
            Some(tag) => weak && tag == etag,
            None => tag == etag,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> Validators {
        Validators::new("\"abc\"".into(), httpdate::parse_http_date("Wed, 02 Sep 2026 08:30:53 GMT").unwrap())
    }

    fn with(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn tags_decide_not_modified() {
        for same in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert_eq!(evaluate(&with(IF_NONE_MATCH, same), &state()), Verdict::NotModified, "{same}");
        }
        assert_eq!(evaluate(&with(IF_NONE_MATCH, "\"abd\""), &state()), Verdict::Proceed);
    }

    #[test]
    fn a_tag_outranks_a_date() {
        let mut headers = with(IF_NONE_MATCH, "\"other\"");
        headers.insert(IF_MODIFIED_SINCE, "Wed, 02 Sep 2026 08:30:53 GMT".parse().unwrap());
        assert_eq!(evaluate(&headers, &state()), Verdict::Proceed);
    }

    #[test]
    fn dates_are_compared_in_whole_seconds() {
        let finer = Validators::new("\"a\"".into(), state().modified + Duration::from_millis(400));
        let same = with(IF_MODIFIED_SINCE, "Wed, 02 Sep 2026 08:30:53 GMT");
        assert_eq!(evaluate(&same, &finer), Verdict::NotModified);
        assert_eq!(
            evaluate(&with(IF_MODIFIED_SINCE, "Wed, 02 Sep 2026 08:30:52 GMT"), &finer),
            Verdict::Proceed
        );
        assert_eq!(evaluate(&with(IF_MODIFIED_SINCE, "nonsense"), &finer), Verdict::Proceed);
    }

    #[test]
    fn preconditions_fail_for_another_state() {
        assert_eq!(evaluate(&with(IF_MATCH, "\"other\""), &state()), Verdict::Failed);
        assert_eq!(evaluate(&with(IF_MATCH, "W/\"abc\""), &state()), Verdict::Failed, "strong comparison");
        assert_eq!(evaluate(&with(IF_MATCH, "\"abc\""), &state()), Verdict::Proceed);
        let before = with(IF_UNMODIFIED_SINCE, "Wed, 02 Sep 2026 08:30:52 GMT");
        assert_eq!(evaluate(&before, &state()), Verdict::Failed);
    }

    #[test]
    fn if_range_wants_the_exact_state() {
        assert!(range_holds(&HeaderMap::new(), &state()));
        assert!(range_holds(&with(IF_RANGE, "\"abc\""), &state()));
        assert!(range_holds(&with(IF_RANGE, "Wed, 02 Sep 2026 08:30:53 GMT"), &state()));
        for other in ["\"abd\"", "W/\"abc\"", "Wed, 02 Sep 2026 08:30:54 GMT", "nonsense"] {
            assert!(!range_holds(&with(IF_RANGE, other), &state()), "{other}");
        }
    }
}
