//! SOAP: the fast path for arrays of `<int>`, which are most of every SyncUpdates request. It reads
//! the one spelling agents use; at the first byte it does not expect, the general reader goes on.

/// Reads a run of `<int>N</int>` from the start of `text` into `out` until it holds `limit` entries or
/// something else comes. Answers how many bytes were read; what follows them is untouched.
pub(crate) fn read_run(text: &[u8], limit: usize, out: &mut Vec<i32>) -> usize {
    let mut rest = text;
    while out.len() < limit {
        let Some((value, length)) = read_short(rest).or_else(|| read_one(rest)) else { break };
        out.push(value);
        rest = rest.get(length..).unwrap_or_default();
    }
    text.len() - rest.len()
}

const OPEN: u64 = u64::from_le_bytes(*b"<int>\0\0\0");
const OPEN_MASK: u64 = (1 << 40) - 1;
const CLOSE: u64 = u64::from_le_bytes(*b"</int>\0\0");
const CLOSE_MASK: u64 = (1 << 48) - 1;

/// An entry of one to seven digits, which nearly all are, eight bytes at a time. Answers its value
/// and length; `None` for anything else, right or wrong.
#[inline]
fn read_short(text: &[u8]) -> Option<(i32, usize)> {
    let word = |at: usize| text.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
    if word(0)? & OPEN_MASK != OPEN {
        return None;
    }
    // Each byte becomes its digit's value; the high bit marks bytes that are no digits.
    let values = word(5)? ^ 0x3030_3030_3030_3030;
    let others = (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
    let digits = others.trailing_zeros() / 8;
    if !(1..=7).contains(&digits) {
        return None;
    }
    let length = 5 + usize::try_from(digits).ok()?;
    if word(length)? & CLOSE_MASK != CLOSE {
        return None;
    }
    // The digits moved to the most significant end, zeros before them: eight digits. Then pairs,
    // fours and eights are joined.
    let mut value = values << (64 - 8 * digits);
    value = (value & 0x000F_000F_000F_000F) * 10 + ((value >> 8) & 0x000F_000F_000F_000F);
    value = (value & 0x0000_00FF_0000_00FF) * 100 + ((value >> 16) & 0x0000_00FF_0000_00FF);
    value = (value & 0x0000_0000_0000_FFFF) * 10_000 + ((value >> 32) & 0x0000_0000_0000_FFFF);
    Some((i32::try_from(value).ok()?, length + 6))
}

/// `<int>`, an optional minus sign, one to ten digits in the range of `xs:int`, `</int>`.
fn read_one(whole: &[u8]) -> Option<(i32, usize)> {
    let text = whole.strip_prefix(b"<int>")?;
    let (negative, mut text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mut value: i64 = 0;
    let mut digits = 0;
    while let [digit @ b'0'..=b'9', rest @ ..] = text {
        value = value * 10 + i64::from(digit - b'0');
        digits += 1;
        if digits > 10 {
            return None;
        }
        text = rest;
    }
    if digits == 0 {
        return None;
    }
    let text = text.strip_prefix(b"</int>")?;
    let value = i32::try_from(if negative { -value } else { value }).ok()?;
    Some((value, whole.len() - text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str, limit: usize) -> (Vec<i32>, &str) {
        let mut out = Vec::new();
        let read = read_run(text.as_bytes(), limit, &mut out);
        (out, &text[read..])
    }

    #[test]
    fn runs_end_at_the_first_surprise() {
        assert_eq!(run("<int>1</int><int>-20</int></x>", 9), (vec![1, -20], "</x>"));
        assert_eq!(run("<int>1</int> <int>2</int>", 9), (vec![1], " <int>2</int>"));
        assert_eq!(run("<int>1</int><int >2</int>", 9), (vec![1], "<int >2</int>"));
        assert_eq!(
            run("<int>2147483647</int><int>2147483648</int>", 9),
            (vec![i32::MAX], "<int>2147483648</int>")
        );
        assert_eq!(run("<int>-2147483648</int>", 9), (vec![i32::MIN], ""));
        assert_eq!(run("<int></int>", 9), (vec![], "<int></int>"));
        assert_eq!(run("<int>00000000001</int>", 9), (vec![], "<int>00000000001</int>"));
        assert_eq!(run("<int>7</in", 9), (vec![], "<int>7</in"));
    }

    #[test]
    fn both_ways_of_reading_an_entry_agree() {
        let numbers =
            (0..2000).chain((0..200).map(|n| n * 49_999 + 7)).chain([9_999_999, 10_000_000, i32::MAX]);
        for number in numbers {
            for entry in [format!("<int>{number}</int>"), format!("<int>0{number}</int>")] {
                let padded = format!("{entry}<next>");
                let expected = read_one(padded.as_bytes());
                assert_eq!(read_short(padded.as_bytes()).or(expected), expected, "{entry}");
                assert_eq!(expected.map(|(value, _)| value).or(Some(number)), Some(number));
            }
        }
        for entry in [
            "<int>1:</int>",
            "<int>/1</int>",
            "<int>1\u{b1}</int>",
            "<int></int>",
            "<int>12</inx>",
            "<iNt>12</int>",
        ] {
            assert_eq!(read_short(format!("{entry}<next>").as_bytes()), None, "{entry}");
        }
        assert_eq!(read_short(b"<int>123456</int><next>"), Some((123_456, 17)));
        assert_eq!(read_short(b"<int>7</int></a>"), Some((7, 12)));
    }

    #[test]
    fn no_more_than_the_limit_is_read() {
        assert_eq!(run("<int>1</int><int>2</int><int>3</int>", 2), (vec![1, 2], "<int>3</int>"));
    }
}
