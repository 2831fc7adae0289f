//! SOAP: the fast path for arrays of `<int>`, which are most of every SyncUpdates request. It reads
//! the one spelling agents use; at the first byte it does not expect, the general reader goes on.

/// Reads a run of `<int>N</int>` from the start of `text` into `out` until it holds `limit` entries or
/// something else comes. Answers how many bytes were read; what follows them is untouched.
pub(crate) fn read_run(text: &[u8], limit: usize, out: &mut Vec<i32>) -> usize {
    let mut rest = text;
    while out.len() < limit {
        let Some((value, after)) = read_one(rest) else { break };
        out.push(value);
        rest = after;
    }
    text.len() - rest.len()
}

/// `<int>`, an optional minus sign, one to ten digits in the range of `xs:int`, `</int>`.
#[inline]
fn read_one(text: &[u8]) -> Option<(i32, &[u8])> {
    let text = text.strip_prefix(b"<int>")?;
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
    Some((value, text))
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
    fn no_more_than_the_limit_is_read() {
        assert_eq!(run("<int>1</int><int>2</int><int>3</int>", 2), (vec![1, 2], "<int>3</int>"));
    }
}
