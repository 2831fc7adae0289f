//! Content codings of the services: which one an answer gets (MS-WUSP 2.1, RFC 9110 12.5.3) and which
//! one a request came in.

use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};

/// How a body is encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Coding {
    /// As it is.
    Identity,
    /// LZ77 blocks (MS-WUSP 2.1.1).
    Xpress,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// Its name in header fields.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Xpress => "xpress",
            Self::Gzip => "gzip",
        }
    }

    /// The coding of a request's body; `Err` names one we do not know.
    ///
    /// # Errors
    /// The unknown coding, shortened.
    pub fn of_request(headers: &HeaderMap) -> Result<Self, String> {
        let Some(value) = headers.get(CONTENT_ENCODING) else { return Ok(Self::Identity) };
        let name = value.to_str().unwrap_or("?").trim();
        match name.to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Identity),
            "xpress" => Ok(Self::Xpress),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            _ => Err(name.chars().take(40).collect()),
        }
    }

    /// The coding an answer should get. Equal weights prefer Xpress, whose answers are ready bytes.
    #[must_use]
    pub fn for_answer(headers: &HeaderMap) -> Self {
        let mut weights = Weights::default();
        for value in headers.get_all(ACCEPT_ENCODING) {
            if value.as_bytes() == b"xpress" {
                return Self::Xpress;
            }
            if let Ok(list) = value.to_str() {
                weights.read(list);
            }
        }
        weights.choose()
    }
}

/// Weights in thousandths, as far as they are given.
#[derive(Default)]
struct Weights {
    xpress: Option<u16>,
    gzip: Option<u16>,
    identity: Option<u16>,
    others: Option<u16>,
}

impl Weights {
    fn read(&mut self, list: &str) {
        for item in list.split(',').take(32) {
            let mut fields = item.split(';').map(str::trim);
            let name = fields.next().unwrap_or_default();
            let weight =
                fields.find_map(|field| field.strip_prefix("q=").or_else(|| field.strip_prefix("Q=")));
            let Some(weight) = weight.map_or(Some(1000), thousandths) else { continue };
            let slot = if name.eq_ignore_ascii_case("xpress") {
                &mut self.xpress
            } else if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") {
                &mut self.gzip
            } else if name.eq_ignore_ascii_case("identity") {
                &mut self.identity
            } else if name == "*" {
                &mut self.others
            } else {
                continue;
            };
            *slot = Some(weight);
        }
    }

    fn choose(&self) -> Coding {
        // `*` speaks for gzip only: a client that does not name xpress does not know it.
        let xpress = self.xpress.unwrap_or(0);
        let gzip = self.gzip.or(self.others).unwrap_or(0);
        let identity = self.identity.unwrap_or(if self.others == Some(0) { 0 } else { 1 });
        if xpress > 0 && xpress >= gzip && xpress >= identity {
            Coding::Xpress
        } else if gzip > 0 && gzip >= identity {
            Coding::Gzip
        } else {
            Coding::Identity
        }
    }
}

/// `0.5` as 500; `None` when malformed.
fn thousandths(text: &str) -> Option<u16> {
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|b| b.is_ascii_digit());
    match whole {
        "1" if digits => Some(1000),
        "0" if digits => format!("{fraction:0<3}").parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(value: &str) -> Coding {
        Coding::for_answer(&HeaderMap::from_iter([(ACCEPT_ENCODING, value.parse().unwrap())]))
    }

    #[test]
    fn agents_ask_for_xpress() {
        assert_eq!(chosen("xpress"), Coding::Xpress);
        assert_eq!(chosen("XPRESS"), Coding::Xpress);
        assert_eq!(chosen("gzip, deflate, xpress"), Coding::Xpress);
        assert_eq!(Coding::for_answer(&HeaderMap::new()), Coding::Identity);
    }

    #[test]
    fn weights_are_obeyed() {
        assert_eq!(chosen("xpress;q=0.5, gzip"), Coding::Gzip);
        assert_eq!(chosen("xpress;q=0"), Coding::Identity);
        assert_eq!(chosen("gzip;q=0.2, identity;q=0.3"), Coding::Identity);
        assert_eq!(chosen("gzip; q=0.001"), Coding::Gzip);
        assert_eq!(chosen("*"), Coding::Gzip);
        assert_eq!(chosen("*;q=0"), Coding::Identity, "an answer is better than none");
        assert_eq!(chosen("deflate, br"), Coding::Identity);
        assert_eq!(chosen("xpress;q=2"), Coding::Identity, "a malformed weight is not an offer");
    }

    #[test]
    fn requests_name_their_coding() {
        let of = |value: &str| {
            Coding::of_request(&HeaderMap::from_iter([(CONTENT_ENCODING, value.parse().unwrap())]))
        };
        assert_eq!(of("xpress"), Ok(Coding::Xpress));
        assert_eq!(of("GZIP"), Ok(Coding::Gzip));
        assert_eq!(of("br"), Err("br".into()));
        assert_eq!(Coding::of_request(&HeaderMap::new()), Ok(Coding::Identity));
    }
}
