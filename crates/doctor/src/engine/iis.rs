//! Doctor room: requests in IIS logs (W3C extended format). The `#Fields:` line says which column is
//! which; without it, the columns that IIS writes by default are assumed, counted from the end.

use crate::rule::IisCondition;
use memchr::memchr_iter;

/// The columns that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fields {
    stem: usize,
    status: usize,
}

impl Fields {
    /// Reads a `#Fields:` line; nothing when the log has no stem or no status.
    pub(crate) fn read(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let names: Vec<&str> = line.split("#Fields:").nth(1)?.split_whitespace().collect();
        let column = |wanted: &str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
        Some(Self { stem: column("cs-uri-stem")?, status: column("sc-status")? })
    }
}

/// Whether `line` is a request of the kind asked for.
pub(crate) fn holds(condition: &IisCondition, fields: Option<&Fields>, line: &[u8]) -> bool {
    if line.first() == Some(&b'#') {
        return false;
    }
    let (stem, status) = if let Some(fields) = fields {
        (column(line, fields.stem), column(line, fields.status))
    } else {
        // Default order: date time s-ip cs-method cs-uri-stem ... sc-status sc-substatus sc-win32-status
        // [time-taken]. The first number from 100 to 599 of the last four columns that more numbers follow.
        let is_status = |c: &&[u8]| c.len() == 3 && number(c).is_some_and(|n| (100..600).contains(&n));
        let status = line.rsplit(|b| *b == b' ').take(4).filter(is_status).last();
        let begins = |at: &usize| at.checked_sub(1).is_none_or(|before| line.get(before) == Some(&b' '));
        let stem = memchr_iter(b'/', line).find(begins).and_then(|at| line.get(at..));
        (stem.and_then(|rest| column(rest, 0)), status)
    };
    let (Some(stem), Some(status)) = (stem, status.and_then(number)) else { return false };
    condition.status.contains(&status)
        && condition.path.iter().any(|path| {
            stem.get(..path.len()).is_some_and(|start| start.eq_ignore_ascii_case(path.as_bytes()))
        })
}

/// Column `n` of those that single blanks part, from 0.
fn column(line: &[u8], n: usize) -> Option<&[u8]> {
    let mut blanks = memchr_iter(b' ', line);
    let start = match n.checked_sub(1) {
        Some(before) => blanks.nth(before)? + 1,
        None => 0,
    };
    line.get(start..blanks.next().unwrap_or(line.len()))
}

fn number(text: &[u8]) -> Option<u16> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(status: u16) -> IisCondition {
        IisCondition { status: vec![status], path: vec!["/ClientWebService/".to_owned()] }
    }

    #[test]
    fn columns_are_found_by_their_names_or_by_default() {
        let fields = Fields::read(b"#Fields: date time cs-uri-stem sc-status time-taken").unwrap();
        let line = b"2026-01-02 03:04:05 /clientwebservice/client.asmx 503 401";
        assert!(holds(&asks(503), Some(&fields), line));
        assert!(!holds(&asks(401), Some(&fields), line));
        let line = b"2026-01-02 03:04:05 10.0.0.1 POST /ClientWebService/client.asmx - 8530 - 10.0.0.9 Agent - 503 0 0 401";
        assert!(holds(&asks(503), None, line));
        assert!(!holds(&asks(401), None, line));
        assert!(!holds(&asks(503), None, b"#Software: 503 "));
    }

    #[test]
    fn columns_are_counted_by_single_blanks() {
        let columns = |line: &'static [u8]| (0..5).map_while(|n| column(line, n)).collect::<Vec<_>>();
        let expected: [&[u8]; 4] = [b"a", b"", b"bc", b""];
        assert_eq!(columns(b"a  bc "), expected);
        assert_eq!(columns(b""), [b""]);
    }

    #[test]
    fn other_folders_do_not_count() {
        let line =
            b"2026-01-02 03:04:05 10.0.0.1 POST /Other/ClientWebService/x - 8530 - 10.0.0.9 A - 503 0 0 4";
        assert!(!holds(&asks(503), None, line));
    }
}
