//! Doctor room: requests in IIS logs (W3C extended format). The `#Fields:` line says which column is
//! which; without it, the columns that IIS writes by default are assumed, counted from the end.

use crate::rule::IisCondition;

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
    let columns = || line.split(|b| *b == b' ');
    let (stem, status) = if let Some(fields) = fields {
        (columns().nth(fields.stem), columns().nth(fields.status))
    } else {
        // Default order: date time s-ip cs-method cs-uri-stem ... sc-status sc-substatus sc-win32-status
        // [time-taken]. The first number from 100 to 599 of the last four columns that more numbers follow.
        let count = columns().count();
        let status = columns()
            .skip(count.saturating_sub(4))
            .find(|c| c.len() == 3 && number(c).is_some_and(|n| (100..600).contains(&n)));
        (columns().find(|c| c.first() == Some(&b'/')), status)
    };
    let (Some(stem), Some(status)) = (stem, status.and_then(number)) else { return false };
    condition.status.contains(&status)
        && condition.path.iter().any(|path| {
            stem.get(..path.len()).is_some_and(|start| start.eq_ignore_ascii_case(path.as_bytes()))
        })
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
    fn other_folders_do_not_count() {
        let line =
            b"2026-01-02 03:04:05 10.0.0.1 POST /Other/ClientWebService/x - 8530 - 10.0.0.9 A - 503 0 0 4";
        assert!(!holds(&asks(503), None, line));
    }
}
