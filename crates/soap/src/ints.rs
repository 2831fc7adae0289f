//! SOAP: the fast path for arrays of `<int>`, which are most of every SyncUpdates request. It reads
//! the one spelling agents use; at the first byte it does not expect, the general reader goes on.

/// Reads a run of `<int>N</int>` from the start of `text` into `out` until it holds `limit` entries or
/// something else comes. Answers how many bytes were read; what follows them is untouched.
pub(crate) fn read_run(text: &[u8], limit: usize, out: &mut Vec<i32>) -> usize {
    let mut rest = text;
    while out.len() < limit {
        let Some((value, length)) = read_one(rest) else { break };
        out.push(value);
        rest = rest.get(length..).unwrap_or_default();
        // Agents send ids in order, so those of as many digits stand together.
        let left = limit - out.len();
        let read = match length {
            13 => read_equal::<13>(rest, left, out),
            14 => read_equal::<14>(rest, left, out),
            15 => read_equal::<15>(rest, left, out),
            16 => read_equal::<16>(rest, left, out),
            17 => read_equal::<17>(rest, left, out),
            18 => read_equal::<18>(rest, left, out),
            _ => 0,
        };
        rest = rest.get(read..).unwrap_or_default();
    }
    text.len() - rest.len()
}

const OPEN: u64 = u64::from_le_bytes(*b"<int>\0\0\0");
const OPEN_MASK: u64 = (1 << 40) - 1;
const CLOSE: u64 = u64::from_le_bytes(*b"\0\0</int>");
const CLOSE_MASK: u64 = !0xFFFF;

/// Reads entries that are `LENGTH` bytes long each (13 to 18: two to seven digits), at most `most`.
/// Since no entry has to be read to know where the next one begins, the processor works on several at
/// a time.
#[inline]
fn read_equal<const LENGTH: usize>(text: &[u8], most: usize, out: &mut Vec<i32>) -> usize {
    // Gathered first, since a vector asks with each entry whether it has room.
    const BATCH: usize = 32;
    let before = out.len();
    let entries = text.as_chunks::<LENGTH>().0;
    let entries = entries.get(..most.min(entries.len())).unwrap_or_default();
    for batch in entries.chunks(BATCH) {
        let mut values = [0; BATCH];
        let mut read = 0;
        for (value, entry) in values.iter_mut().zip(batch) {
            let Some(found) = equal_entry(entry) else { break };
            *value = found;
            read += 1;
        }
        out.extend_from_slice(values.get(..read).unwrap_or_default());
        if read < batch.len() {
            break;
        }
    }
    (out.len() - before) * LENGTH
}

/// The value of an entry of so many bytes; `None` for anything else, right or wrong.
#[inline]
fn equal_entry<const LENGTH: usize>(entry: &[u8; LENGTH]) -> Option<i32> {
    let first = u64::from_le_bytes(*entry.first_chunk()?);
    let middle = u64::from_le_bytes(*entry.get(5..)?.first_chunk()?);
    let last = u64::from_le_bytes(*entry.last_chunk()?);
    // The digits alone, moved to the most significant end with zeros before them. Each byte becomes its
    // digit's value; the high bit marks bytes that are no digits.
    let beside = 64 - 8 * (LENGTH - 11);
    let digits = (middle ^ 0x3030_3030_3030_3030) << beside;
    let others = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080;
    if ((first & OPEN_MASK) ^ OPEN) | ((last & CLOSE_MASK) ^ CLOSE) | others != 0 {
        return None;
    }
    // Eight digits; pairs, fours and eights are joined.
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let even = (pairs & 0x0000_00FF_0000_00FF).wrapping_mul(100 + (1_000_000 << 32));
    let odd = ((pairs >> 16) & 0x0000_00FF_0000_00FF).wrapping_mul(1 + (10_000 << 32));
    i32::try_from(even.wrapping_add(odd) >> 32).ok()
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
        fn quick(entry: &str) -> Option<i32> {
            let bytes = entry.as_bytes();
            match bytes.len() {
                13 => equal_entry::<13>(bytes.try_into().unwrap()),
                14 => equal_entry::<14>(bytes.try_into().unwrap()),
                15 => equal_entry::<15>(bytes.try_into().unwrap()),
                16 => equal_entry::<16>(bytes.try_into().unwrap()),
                17 => equal_entry::<17>(bytes.try_into().unwrap()),
                18 => equal_entry::<18>(bytes.try_into().unwrap()),
                other => panic!("entries of {other} bytes are not read this way"),
            }
        }
        for number in (0..2000).chain((0..200).map(|n| n * 49_999 + 7)).chain([9_999_999]) {
            for digits in 2..=7 {
                let entry = format!("<int>{number:0digits$}</int>");
                let slow = read_one(entry.as_bytes());
                assert_eq!(slow, Some((number, entry.len())), "{entry}");
                if entry.len() <= 18 {
                    assert_eq!(quick(&entry), Some(number), "{entry}");
                }
            }
        }
        for digits in ["12", "123", "1234", "12345", "123456", "1234567"] {
            let good = format!("<int>{digits}</int>");
            for at in 0..good.len() {
                // Every byte but those that make another digit of a digit.
                for byte in 0..=u8::MAX {
                    let mut entry = good.clone().into_bytes();
                    entry[at] = byte;
                    let Ok(entry) = String::from_utf8(entry) else { continue };
                    let read = quick(&entry);
                    let whole = read_one(entry.as_bytes()).filter(|_| !entry.contains('-'));
                    assert_eq!(read, whole.map(|(value, _)| value), "{entry}");
                }
            }
        }
        assert_eq!(quick("<int>12\u{b1}</int>"), None);
    }

    #[test]
    fn entries_of_different_lengths_may_follow_each_other() {
        let odd = [1, 22, 33, 7, 4444, 4445, 4446, 55, 666_666, 7_777_777, 88_888_888, -3, 10, 11, i32::MAX];
        let numbers: Vec<i32> = odd.into_iter().chain(1000..1200).chain(9950..10_050).collect();
        let text: String = numbers.iter().map(|number| format!("<int>{number}</int>")).collect();
        assert_eq!(run(&(text + "<int>x</int>"), 999), (numbers, "<int>x</int>"));
    }

    #[test]
    fn no_more_than_the_limit_is_read() {
        assert_eq!(run("<int>1</int><int>2</int><int>3</int>", 2), (vec![1, 2], "<int>3</int>"));
        assert_eq!(run("<int>11</int><int>12</int><int>13</int>", 2), (vec![11, 12], "<int>13</int>"));
    }
}
