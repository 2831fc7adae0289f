//! Xpress: the encoder of one block (MS-XCA 2.3.4), in two efforts. `fast` looks once at the last place
//! that began with the same three bytes. `best` finds the longest match everywhere and then walks back
//! from the end to choose the cheapest sequence.

/// How far back a match may begin (MS-XCA 2.3.4: 13 bits).
const WINDOW: usize = 8192;
/// Shorter repetitions are literals.
const MIN_MATCH: usize = 3;

/// Writes the elements of a block: flags of 32 elements at a time, before those elements.
struct Sink<'a> {
    out: &'a mut Vec<u8>,
    flags_at: usize,
    flags: u32,
    count: u32,
    /// Where a length byte has its upper half free.
    half_at: Option<usize>,
}

impl<'a> Sink<'a> {
    fn new(out: &'a mut Vec<u8>) -> Self {
        let flags_at = out.len();
        out.extend_from_slice(&[0; 4]);
        Self { out, flags_at, flags: 0, count: 0, half_at: None }
    }

    fn store_flags(&mut self) {
        if let Some(field) = self.out.get_mut(self.flags_at..self.flags_at + 4) {
            field.copy_from_slice(&self.flags.to_le_bytes());
        }
    }

    /// Counts `n` (1 to 32) elements whose flags are already shifted in.
    fn advance(&mut self, n: u32) {
        self.count += n;
        if self.count == 32 {
            self.store_flags();
            self.flags = 0;
            self.count = 0;
            self.flags_at = self.out.len();
            self.out.extend_from_slice(&[0; 4]);
        }
    }

    /// The bytes of `input` from `from` to `to`.
    #[inline]
    fn literals(&mut self, input: &[u8], mut from: usize, to: usize) {
        while from < to {
            let free = 32 - self.count;
            let run = (to - from).min(free as usize);
            self.out.extend_from_slice(input.get(from..from + run).unwrap_or_default());
            self.flags = self.flags.checked_shl(run as u32).unwrap_or(0);
            self.advance(run as u32);
            from += run;
        }
    }

    /// A match: `offset` 1 to [`WINDOW`], `length` at least [`MIN_MATCH`] and within the block.
    fn copy(&mut self, offset: usize, length: usize) {
        let offset = u16::try_from(offset - 1).unwrap_or_default() << 3;
        let length = length - MIN_MATCH;
        if length < 7 {
            let word = offset | u16::try_from(length).unwrap_or(6);
            self.out.extend_from_slice(&word.to_le_bytes());
        } else {
            self.out.extend_from_slice(&(offset | 7).to_le_bytes());
            self.long_length(length);
        }
        self.flags = (self.flags << 1) | 1;
        self.advance(1);
    }

    /// `length` counts from the shortest match and is at least 7.
    fn long_length(&mut self, length: usize) {
        let half = u8::try_from((length - 7).min(15)).unwrap_or(15);
        if let Some(at) = self.half_at.take() {
            if let Some(byte) = self.out.get_mut(at) {
                *byte |= half << 4;
            }
        } else {
            self.half_at = Some(self.out.len());
            self.out.push(half);
        }
        if half < 15 {
            return;
        }
        match u8::try_from(length - 22) {
            Ok(byte) if byte < 255 => self.out.push(byte),
            _ => {
                self.out.push(255);
                // The whole length again; blocks are shorter than 2^16, so the four-byte form never comes.
                self.out.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
            }
        }
    }

    /// Fills the remaining flags with ones; the first of them is the mark of the end.
    fn finish(mut self) {
        let free = 32 - self.count;
        self.flags = self.flags.checked_shl(free).unwrap_or(0);
        self.flags |= u32::MAX >> self.count;
        self.store_flags();
    }
}

/// The hash of `N` (3 or 4) bytes, `BITS` bits.
fn hash<const N: usize, const BITS: u32>(input: &[u8], at: usize) -> Option<usize> {
    let bytes = input.get(at..)?.first_chunk::<N>()?;
    let key = bytes.iter().rev().fold(0_u32, |key, &byte| key << 8 | u32::from(byte));
    usize::try_from(key.wrapping_mul(0x9E37_79B1) >> (32 - BITS)).ok()
}

/// How many bytes from `a` and from `b` (later) are equal.
fn common(input: &[u8], a: usize, b: usize) -> usize {
    let (Some(left), Some(right)) = (input.get(a..), input.get(b..)) else { return 0 };
    let mut length = 0;
    let (left_words, _) = left.as_chunks::<8>();
    let (right_words, right_tail) = right.as_chunks::<8>();
    for (x, y) in left_words.iter().zip(right_words) {
        let difference = u64::from_le_bytes(*x) ^ u64::from_le_bytes(*y);
        if difference != 0 {
            return length + usize::try_from(difference.trailing_zeros() / 8).unwrap_or(0);
        }
        length += 8;
    }
    let left_tail = left.get(length..).unwrap_or_default();
    length + left_tail.iter().zip(right_tail).take_while(|(x, y)| x == y).count()
}

/// Greedy, one candidate per position.
pub(super) fn fast(input: &[u8], out: &mut Vec<u8>) {
    const BITS: u32 = 12;
    // Positions plus one; zero is "never seen".
    let mut last = [0_u16; 1 << BITS];
    let mut remember = |three: u32, at: usize| {
        let key = (three & 0x00FF_FFFF).wrapping_mul(0x9E37_79B1) >> (32 - BITS);
        // The key is below the number of places.
        let place = last.get_mut(key as usize);
        place.map_or(0, |place| usize::from(core::mem::replace(place, (at + 1) as u16)))
    };
    // Little-endian; where only three bytes are left, these and a zero.
    let four = |at: usize| match input.get(at..)?.first_chunk() {
        Some(bytes) => Some(u32::from_le_bytes(*bytes)),
        None if at + 3 == input.len() => Some(u32::from_le_bytes(*input.last_chunk()?) >> 8),
        None => None,
    };
    let mut sink = Sink::new(out);
    let mut literals_from = 0;
    let mut at = 0;
    while let Some(here) = four(at) {
        let seen = remember(here, at);
        let found = seen.checked_sub(1).filter(|from| at - from <= WINDOW).and_then(|from| {
            let there = four(from)?;
            match (there ^ here).trailing_zeros() {
                ..24 => None,
                24..32 => Some(MIN_MATCH),
                // The zero is nobody's.
                _ => Some((4 + common(input, from + 4, at + 4)).min(input.len() - at)),
            }
        });
        let Some(length) = found else {
            // The longer nothing repeats, the longer the steps.
            at += 1 + ((at - literals_from) >> 6);
            continue;
        };
        sink.literals(input, literals_from, at);
        sink.copy(at + 1 - seen, length);
        // Remember two places inside, so that the next repetition is found from its start too.
        for inside in [at + 1, at + length - 1] {
            if let Some(there) = four(inside) {
                remember(there, inside);
            }
        }
        at += length;
        literals_from = at;
    }
    sink.literals(input, literals_from, input.len());
    sink.finish();
}

/// A match found at some position; length 0 is none.
#[derive(Clone, Copy, Default)]
struct Match {
    offset: u16,
    length: u16,
}

/// Bits that an element costs; the shared half byte counts half a byte each time.
fn match_cost(length: usize) -> u32 {
    match length {
        ..10 => 17,
        10..25 => 21,
        25..280 => 29,
        _ => 45,
    }
}
const LITERAL_COST: u32 = 9;

/// The longest matches, then the cheapest sequence of them.
pub(super) fn best(input: &[u8], out: &mut Vec<u8>) {
    let steps = cheapest(&longest_matches(input));
    let mut sink = Sink::new(out);
    let mut at = 0;
    let mut literals_from = 0;
    while let Some(step) = steps.get(at) {
        let length = usize::from(step.length);
        if length < MIN_MATCH {
            at += 1;
            continue;
        }
        sink.literals(input, literals_from, at);
        sink.copy(usize::from(step.offset), length);
        at += length;
        literals_from = at;
    }
    sink.literals(input, literals_from, input.len());
    sink.finish();
}

/// For every position a match about as long as there is: chains of the earlier positions with the same
/// four bytes, and the last one with the same three.
fn longest_matches(input: &[u8]) -> Vec<Match> {
    const BITS: u32 = 13;
    /// Candidates tried per position. Thrice as many save 1 % of the bytes for twice the time.
    const DEPTH: usize = 8;
    /// A match this long is good enough; the positions inside it take its rest.
    const ENOUGH: u16 = 48;
    let place = |at: usize| u16::try_from(at + 1).unwrap_or(0);
    let mut same_three = [0_u16; 1 << BITS];
    let mut same_four = [0_u16; 1 << BITS];
    let mut older = vec![0_u16; input.len()];
    let mut found: Vec<Match> = Vec::with_capacity(input.len());
    for at in 0..input.len() {
        let three = replace(&mut same_three, hash::<3, BITS>(input, at), place(at));
        let mut candidate = replace(&mut same_four, hash::<4, BITS>(input, at), place(at));
        if let Some(link) = older.get_mut(at) {
            *link = candidate;
        }
        let inherited = found.last().copied().filter(|m| m.length > ENOUGH);
        if let Some(Match { offset, length }) = inherited {
            found.push(Match { offset, length: length - 1 });
            continue;
        }
        let mut longest = Match::default();
        let consider = |from: usize, longest: &mut Match| {
            let length = common(input, from, at);
            if length > usize::from(longest.length) {
                let short = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
                *longest = Match { offset: short(at - from), length: short(length) };
            }
        };
        if let Some(from) = usize::from(three).checked_sub(1)
            && at - from <= WINDOW
        {
            consider(from, &mut longest);
        }
        for _ in 0..DEPTH {
            let Some(from) = usize::from(candidate).checked_sub(1) else { break };
            if at - from > WINDOW || longest.length >= ENOUGH {
                break;
            }
            // Worth a look only when it also agrees where the best so far ends.
            let end = usize::from(longest.length);
            if input.get(from + end) == input.get(at + end) {
                consider(from, &mut longest);
            }
            candidate = older.get(from).copied().unwrap_or(0);
        }
        found.push(longest);
    }
    found
}

/// Puts `place` where `key` points and returns what was there; 0 without a key.
fn replace(table: &mut [u16], key: Option<usize>, place: u16) -> u16 {
    key.and_then(|key| table.get_mut(key)).map_or(0, |slot| core::mem::replace(slot, place))
}

/// Chooses, from the end backwards, what each position does when it is reached: a match (perhaps cut
/// short, where that is cheaper) or a literal.
fn cheapest(found: &[Match]) -> Vec<Match> {
    let mut chosen = vec![Match::default(); found.len()];
    let mut cost = vec![0_u32; found.len() + 1];
    for (at, longest) in found.iter().enumerate().rev() {
        let cost_at = |to: usize| cost.get(to).copied().unwrap_or(0);
        let mut least = cost_at(at + 1) + LITERAL_COST;
        let mut step = Match::default();
        let reach = usize::from(longest.length);
        // The offset costs nothing and the rest costs less the later it begins, so a match is worth its
        // whole length or the last length of a lower price.
        for length in [reach, 279, 24, 9] {
            if length <= reach && length >= MIN_MATCH {
                let price = cost_at(at + length) + match_cost(length);
                if price < least {
                    least = price;
                    step = Match { offset: longest.offset, length: u16::try_from(length).unwrap_or(0) };
                }
            }
        }
        if let Some(slot) = cost.get_mut(at) {
            *slot = least;
        }
        if let Some(slot) = chosen.get_mut(at) {
            *slot = step;
        }
    }
    chosen
}
