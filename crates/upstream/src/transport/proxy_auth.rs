//! Transport: what a proxy wants to know, and how to tell it. Pure: header texts in, header texts out.

use super::settings::{ProxyCredentials, Schemes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, header};

/// A way of proving who we are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scheme {
    Basic,
    Ntlm,
}

impl Scheme {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Basic => "Basic",
            Self::Ntlm => "NTLM",
        }
    }
}

/// The challenges in the `Proxy-Authenticate` fields: scheme, and what follows it.
fn challenges(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for value in headers.get_all(header::PROXY_AUTHENTICATE) {
        for part in split(&String::from_utf8_lossy(value.as_bytes())) {
            let (first, rest) = part.split_once(' ').unwrap_or((&part, ""));
            // A parameter belongs to the scheme before it.
            let is_scheme = !first.is_empty()
                && first.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
                && !rest.trim_start().starts_with('=');
            if is_scheme && out.len() < 16 {
                out.push((first.chars().take(40).collect(), rest.trim().to_owned()));
            }
        }
    }
    out
}

/// At commas outside of quotes.
fn split(text: &str) -> Vec<String> {
    let (mut parts, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for letter in text.chars() {
        match letter {
            ',' if !quoted => {
                parts.push(String::new());
                continue;
            }
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = letter == '\\' && quoted && !escaped;
        if let Some(last) = parts.last_mut() {
            last.push(letter);
        }
    }
    parts.into_iter().map(|part| part.trim().to_owned()).collect()
}

/// The names of the schemes that are offered, each once.
pub(super) fn offered(headers: &HeaderMap) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in challenges(headers) {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
            names.push(name);
        }
    }
    names
}

/// The best of the offered schemes that the credentials allow.
pub(super) fn choose(offered: &[String], credentials: &ProxyCredentials) -> Option<Scheme> {
    let has = |scheme: Scheme| offered.iter().any(|name| name.eq_ignore_ascii_case(scheme.name()));
    let allowed: &[Scheme] = match credentials.schemes {
        Schemes::Any => &[Scheme::Ntlm, Scheme::Basic],
        Schemes::NtlmOnly => &[Scheme::Ntlm],
        Schemes::BasicOnly => &[Scheme::Basic],
    };
    allowed.iter().copied().find(|scheme| has(*scheme))
}

/// The challenge message in an `NTLM` challenge, if it holds one.
pub(super) fn ntlm_challenge(headers: &HeaderMap) -> Option<Vec<u8>> {
    let mut all = challenges(headers).into_iter();
    let (_, token) = all.find(|(name, token)| name.eq_ignore_ascii_case("NTLM") && !token.is_empty())?;
    STANDARD.decode(token).ok()
}

/// `Proxy-Authorization` with an NTLM message.
pub(super) fn ntlm_header(message: &[u8]) -> HeaderValue {
    secret(format!("NTLM {}", STANDARD.encode(message)))
}

/// `Proxy-Authorization` by the basic scheme (RFC 7617), in UTF-8.
pub(super) fn basic_header(credentials: &ProxyCredentials) -> HeaderValue {
    let pair = format!("{}:{}", credentials.user, credentials.password);
    secret(format!("Basic {}", STANDARD.encode(pair)))
}

fn secret(text: String) -> HeaderValue {
    // A scheme and Base64 are always a header value.
    let mut value = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::PROXY_AUTHENTICATE, HeaderValue::from_static(value));
        }
        headers
    }

    fn credentials(schemes: Schemes) -> ProxyCredentials {
        ProxyCredentials { user: "CORP\\sync".to_owned(), password: "p\u{e4}ss:word".to_owned(), schemes }
    }

    #[test]
    fn schemes_are_found_in_one_line_or_several() {
        let many = headers(&["Negotiate", "NTLM", r#"Basic realm="a, NTLM b\", Digest c""#]);
        assert_eq!(offered(&many), ["Negotiate", "NTLM", "Basic"]);
        let one = headers(&[r#"Digest realm="x", nonce="y", algorithm=MD5, Basic realm = "z", basic"#]);
        assert_eq!(offered(&one), ["Digest", "Basic"]);
        assert_eq!(offered(&headers(&["", ",,", "=", "\"\""])), Vec::<String>::new());
    }

    #[test]
    fn ntlm_is_preferred_and_basic_only_where_allowed() {
        let both = ["Basic".to_owned(), "ntlm".to_owned()];
        let basic = &both[..1];
        assert_eq!(choose(&both, &credentials(Schemes::Any)), Some(Scheme::Ntlm));
        assert_eq!(choose(&both, &credentials(Schemes::BasicOnly)), Some(Scheme::Basic));
        assert_eq!(choose(basic, &credentials(Schemes::Any)), Some(Scheme::Basic));
        assert_eq!(choose(basic, &credentials(Schemes::NtlmOnly)), None);
    }

    #[test]
    fn messages_travel_as_base64() {
        let answer = headers(&["Basic realm=\"x\"", "NTLM TlRMTVNTUAA="]);
        assert_eq!(ntlm_challenge(&answer).unwrap(), b"NTLMSSP\0");
        assert_eq!(ntlm_challenge(&headers(&["NTLM", "NTLM %%%"])), None);
        assert_eq!(ntlm_header(b"NTLMSSP\0"), "NTLM TlRMTVNTUAA=");
    }

    #[test]
    fn basic_credentials_are_told_and_not_shown() {
        let value = basic_header(&credentials(Schemes::Any));
        let token = value.to_str().unwrap().strip_prefix("Basic ").unwrap();
        assert_eq!(STANDARD.decode(token).unwrap(), "CORP\\sync:p\u{e4}ss:word".as_bytes());
        assert_eq!(format!("{value:?}"), "Sensitive");
    }
}
