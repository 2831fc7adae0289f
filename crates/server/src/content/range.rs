//! Byte ranges (RFC 9110, 14): the `Range` field read into ranges of one file, bounded so that a
//! request cannot ask for the same bytes many times.

use std::ops::Range;

/// Most ranges read from one field; agents send one (observed-behaviour 5).
pub const MAX_RANGES: usize = 64;

/// What a `Range` field means for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// No usable field: the whole file.
    Whole,
    /// These parts, in order of request, none empty, none overlapping.
    Parts(Vec<Range<u64>>),
    /// None of the ranges lies in the file, or there are too many.
    Unsatisfiable,
}

/// Reads a `Range` field for a file of `len` bytes. Another unit or a malformed field is ignored, as
/// RFC 9110 14.2 says.
#[must_use]
pub fn parse(field: &str, len: u64) -> Wanted {
    let Some((unit, set)) = field.split_once('=') else { return Wanted::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Wanted::Whole;
    }
    let mut parts: Vec<Range<u64>> = Vec::new();
    let mut seen = 0_usize;
    for item in set.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        seen += 1;
        if seen > MAX_RANGES {
            return Wanted::Unsatisfiable;
        }
        match one(item, len) {
            Some(Some(range)) => insert(&mut parts, range),
            Some(None) => {}
            None => return Wanted::Whole,
        }
    }
    match (seen, parts.is_empty()) {
        (0, _) => Wanted::Whole,
        (_, true) => Wanted::Unsatisfiable,
        _ => Wanted::Parts(parts),
    }
}

/// One range: `None` when malformed, `Some(None)` when it lies outside the file.
fn one(item: &str, len: u64) -> Option<Option<Range<u64>>> {
    let (first, last) = item.split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    if first.is_empty() {
        let suffix = number(last)?;
        let start = len.saturating_sub(suffix);
        return Some((start < len).then_some(start..len));
    }
    let first = number(first)?;
    let end = if last.is_empty() {
        len
    } else {
        let last = number(last)?;
        if last < first {
            return None;
        }
        last.saturating_add(1).min(len)
    };
    Some((first < len).then_some(first..end))
}

/// Digits only; more than fit count as "beyond every file".
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// Adds a range, merging it with those it overlaps or touches (RFC 9110 15.3.7.2 allows that).
fn insert(parts: &mut Vec<Range<u64>>, mut range: Range<u64>) {
    let mut place = None;
    let mut at = 0;
    while let Some(part) = parts.get(at) {
        if part.start <= range.end && range.start <= part.end {
            range = part.start.min(range.start)..part.end.max(range.end);
            parts.remove(at);
            // Keep the earliest place; merged ranges may now touch others, so look at all again.
            place = Some(place.map_or(at, |earlier: usize| earlier.min(at)));
            at = 0;
        } else {
            at += 1;
        }
    }
    let at = place.unwrap_or(parts.len()).min(parts.len());
    parts.insert(at, range);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(ranges: &[(u64, u64)]) -> Wanted {
        Wanted::Parts(ranges.iter().map(|(start, end)| *start..*end).collect())
    }

    #[test]
    fn the_ranges_agents_send() {
        assert_eq!(parse("bytes=0-1048575", 204_745_168), parts(&[(0, 1_048_576)]));
        assert_eq!(parse("bytes=204472320-204745167", 204_745_168), parts(&[(204_472_320, 204_745_168)]));
        assert_eq!(parse("bytes=10-", 20), parts(&[(10, 20)]));
    }

    #[test]
    fn suffixes_and_ends_past_the_file() {
        assert_eq!(parse("bytes=-5", 20), parts(&[(15, 20)]));
        assert_eq!(parse("bytes=-50", 20), parts(&[(0, 20)]));
        assert_eq!(parse("bytes=15-99999999999999999999999", 20), parts(&[(15, 20)]));
        assert_eq!(parse("Bytes = 1-2", 20), parts(&[(1, 3)]));
    }

    #[test]
    fn outside_the_file_is_unsatisfiable() {
        assert_eq!(parse("bytes=20-", 20), Wanted::Unsatisfiable);
        assert_eq!(parse("bytes=-0", 20), Wanted::Unsatisfiable);
        assert_eq!(parse("bytes=0-0", 0), Wanted::Unsatisfiable);
        assert_eq!(parse("bytes=99999999999999999999999-", 20), Wanted::Unsatisfiable);
        assert_eq!(parse("bytes=30-40,1-2", 20), parts(&[(1, 3)]), "one good range is enough");
    }

    #[test]
    fn malformed_fields_are_ignored() {
        for field in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=a-b",
            "bytes=5-3",
            "bytes=-",
            "items=1-2",
            "bytes=1-2,x",
        ] {
            assert_eq!(parse(field, 20), Wanted::Whole, "{field}");
        }
    }

    #[test]
    fn overlapping_ranges_are_sent_once() {
        assert_eq!(parse("bytes=0-9,5-14", 100), parts(&[(0, 15)]));
        assert_eq!(parse("bytes=50-59,0-9", 100), parts(&[(50, 60), (0, 10)]), "order of request is kept");
        assert_eq!(parse("bytes=0-9,20-29,8-21", 100), parts(&[(0, 30)]));
        let repeated = format!("bytes={}", vec!["0-"; MAX_RANGES].join(","));
        assert_eq!(parse(&repeated, 100), parts(&[(0, 100)]));
    }

    #[test]
    fn too_many_ranges_are_refused() {
        let many: Vec<String> = (0..=MAX_RANGES).map(|i| format!("{0}-{0}", i * 2)).collect();
        assert_eq!(parse(&format!("bytes={}", many.join(",")), 1 << 20), Wanted::Unsatisfiable);
    }
}
