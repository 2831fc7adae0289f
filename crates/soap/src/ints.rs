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

/// Entries looked at together.
const BATCH: usize = 16;

/// Reads entries that are `LENGTH` bytes long each (13 to 18: two to seven digits), at most `most`.
/// Since no entry has to be read to know where the next one begins, the processor works on several at
/// a time; and it is not asked of each entry but of many together whether they are what they should be.
#[inline]
fn read_equal<const LENGTH: usize>(text: &[u8], most: usize, out: &mut Vec<i32>) -> usize {
    let before = out.len();
    let entries = text.as_chunks::<LENGTH>().0;
    let entries = entries.get(..most.min(entries.len())).unwrap_or_default();
    let (batches, mut rest) = entries.as_chunks::<BATCH>();
    for batch in batches {
        if !are_entries(batch) {
            rest = batch;
            break;
        }
        out.extend(batch.iter().map(value_of));
    }
    for entry in rest.iter().take_while(|entry| are_entries(core::slice::from_ref(*entry))) {
        out.push(value_of(entry));
    }
    (out.len() - before) * LENGTH
}

/// What entries of so many bytes look like: the least each byte may be, and by how much it may be more.
struct Form<const LENGTH: usize>;

impl<const LENGTH: usize> Form<LENGTH> {
    const LEAST: [[u8; LENGTH]; BATCH] = [Self::fill(b"<int>", b'0', b"</int>"); BATCH];
    const MORE: [[u8; LENGTH]; BATCH] = [Self::fill(&[0; 5], 9, &[0; 6]); BATCH];

    const fn fill(open: &[u8; 5], digits: u8, close: &[u8; 6]) -> [u8; LENGTH] {
        let mut all = [digits; LENGTH];
        all.split_at_mut(5).0.copy_from_slice(open);
        all.split_at_mut(LENGTH - 6).1.copy_from_slice(close);
        all
    }
}

/// Whether all of these, at most [`BATCH`], are entries.
#[inline]
fn are_entries<const LENGTH: usize>(entries: &[[u8; LENGTH]]) -> bool {
    let least = const { &Form::<LENGTH>::LEAST }.as_flattened();
    let more = const { &Form::<LENGTH>::MORE }.as_flattened();
    let bytes = entries.as_flattened().iter().zip(least).zip(more);
    bytes.fold(0, |wrong, ((byte, least), more)| wrong | byte.wrapping_sub(*least).saturating_sub(*more)) == 0
}

/// The value of an entry.
#[inline]
fn value_of<const LENGTH: usize>(entry: &[u8; LENGTH]) -> i32 {
    let digits = entry.get(5..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes));
    // The digits alone, at the most significant end with zeros before them, each byte its digit's value.
    let beside = 64 - 8 * (LENGTH - 11);
    let digits = (digits ^ 0x3030_3030_3030_3030) << beside;
    // Eight digits; pairs, fours and eights are joined. Shifts, since the processor's wide instructions
    // multiply only halves of these words.
    let pairs = (digits << 3).wrapping_add(digits << 1).wrapping_add(digits >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs << 6).wrapping_add(pairs << 5).wrapping_add(pairs << 2).wrapping_add(pairs >> 16);
    let (high, low) = (fours & 0xFFFF, fours >> 32 & 0xFFFF);
    // Seven digits make less than ten million, which the cast keeps.
    #[expect(clippy::cast_possible_truncation, reason = "at most seven digits")]
    let value = high.wrapping_mul(10_000).wrapping_add(low) as i32;
    value
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
            fn read<const LENGTH: usize>(entry: &[u8]) -> Option<i32> {
                let entry: &[u8; LENGTH] = entry.try_into().unwrap();
                are_entries(&[*entry]).then(|| value_of(entry))
            }
            let bytes = entry.as_bytes();
            match bytes.len() {
                13 => read::<13>(bytes),
                14 => read::<14>(bytes),
                15 => read::<15>(bytes),
                16 => read::<16>(bytes),
                17 => read::<17>(bytes),
                18 => read::<18>(bytes),
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
    fn a_long_run_ends_where_the_surprise_is() {
        let text: String = (10_000..10_200).map(|number| format!("<int>{number}</int>")).collect();
        for (entry, at) in (0..200).flat_map(|entry| [(entry, 2), (entry, 7), (entry, 12)]) {
            let mut text = text.clone();
            text.replace_range(entry * 16 + at..=entry * 16 + at, "x");
            let (read, rest) = run(&text, 999);
            assert_eq!(read, (10_000..10_000 + i32::try_from(entry).unwrap()).collect::<Vec<_>>());
            assert_eq!(rest.len(), text.len() - entry * 16);
        }
    }

    #[test]
    fn no_more_than_the_limit_is_read() {
        assert_eq!(run("<int>1</int><int>2</int><int>3</int>", 2), (vec![1, 2], "<int>3</int>"));
        assert_eq!(run("<int>11</int><int>12</int><int>13</int>", 2), (vec![11, 12], "<int>13</int>"));
    }
}
