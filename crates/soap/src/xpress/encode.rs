//! Xpress: the encoder of one block (MS-XCA 2.3.4), in two efforts. `fast` looks once at the last place
//! that began with the same four bytes. `best` finds the longest match everywhere and then walks back
//! from the end to choose the cheapest sequence.

/// How far back a match may begin (MS-XCA 2.3.4: 13 bits).
const WINDOW: usize = 8192;
/// Shorter repetitions are literals.
const MIN_MATCH: usize = 3;

/// A run of literals up to this long is copied as if it were this long.
const WIDE: usize = 16;

/// Writes the elements of a block: flags of 32 elements at a time, before those elements.
struct Sink<'a> {
    /// Room for the block however badly it compresses.
    out: &'a mut [u8],
    /// Where the next byte goes.
    to: usize,
    flags_at: usize,
    flags: u32,
    count: u32,
    /// Where a length byte has its upper half free.
    half_at: Option<usize>,
}

/// Appends the block that `write` makes of `len` bytes.
fn block(out: &mut Vec<u8>, len: usize, write: impl FnOnce(&mut Sink<'_>)) {
    let start = out.len();
    // No match is longer than what it stands for, so flags are all that can be added, the last ones empty.
    out.resize(start + len + len / 8 + 8 + WIDE, 0);
    let mut sink = Sink {
        out: out.get_mut(start..).unwrap_or_default(),
        to: 4,
        flags_at: 0,
        flags: 0,
        count: 0,
        half_at: None,
    };
    write(&mut sink);
    let written = sink.finish();
    out.truncate(start + written);
}

impl Sink<'_> {
    fn store_flags(&mut self) {
        if let Some(field) = self.out.get_mut(self.flags_at..self.flags_at + 4) {
            field.copy_from_slice(&self.flags.to_le_bytes());
        }
    }

    fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        if let Some(into) = self.out.get_mut(self.to..).and_then(|room| room.first_chunk_mut()) {
            *into = bytes;
        }
        self.to += N;
    }

    /// Counts `n` (1 to 32) elements whose flags are already shifted in.
    #[inline]
    fn advance(&mut self, n: u32) {
        self.count += n;
        if self.count == 32 {
            self.store_flags();
            self.flags = 0;
            self.count = 0;
            self.flags_at = self.to;
            self.to += 4;
        }
    }

    /// The bytes of `input` from `from` to `to`.
    #[inline]
    fn literals(&mut self, input: &[u8], mut from: usize, to: usize) {
        while from < to {
            let free = 32 - self.count;
            let run = (to - from).min(free as usize);
            let rest = input.get(from..).unwrap_or_default();
            let room = self.out.get_mut(self.to..).unwrap_or_default();
            // A fixed-size copy is a few instructions; what it writes too much is overwritten or cut off.
            if run <= WIDE
                && let (Some(bytes), Some(into)) = (rest.first_chunk::<WIDE>(), room.first_chunk_mut())
            {
                *into = *bytes;
            } else if let (Some(bytes), Some(into)) = (rest.get(..run), room.get_mut(..run)) {
                into.copy_from_slice(bytes);
            }
            self.to += run;
            self.flags = self.flags.checked_shl(run as u32).unwrap_or(0);
            self.advance(run as u32);
            from += run;
        }
    }

    /// A match: `offset` 1 to [`WINDOW`], `length` at least [`MIN_MATCH`] and within the block.
    #[inline]
    fn copy(&mut self, offset: usize, length: usize) {
        let offset = u16::try_from(offset - 1).unwrap_or_default() << 3;
        let length = length - MIN_MATCH;
        self.put((offset | u16::try_from(length.min(7)).unwrap_or(7)).to_le_bytes());
        if length >= 7 {
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
            self.half_at = Some(self.to);
            self.put([half]);
        }
        if half < 15 {
            return;
        }
        match u8::try_from(length - 22) {
            Ok(byte) if byte < 255 => self.put([byte]),
            _ => {
                self.put([255]);
                // The whole length again; blocks are shorter than 2^16, so the four-byte form never comes.
                self.put(u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
            }
        }
    }

    /// Fills the remaining flags with ones; the first of them is the mark of the end. Answers how much is written.
    fn finish(mut self) -> usize {
        let free = 32 - self.count;
        self.flags = self.flags.checked_shl(free).unwrap_or(0);
        self.flags |= u32::MAX >> self.count;
        self.store_flags();
        self.to
    }
}

/// The hash of `N` (3 or 4) bytes, `BITS` bits.
fn hash<const N: usize, const BITS: u32>(input: &[u8], at: usize) -> Option<usize> {
    let bytes = input.get(at..)?.first_chunk::<N>()?;
    let key = bytes.iter().rev().fold(0_u32, |key, &byte| key << 8 | u32::from(byte));
    usize::try_from(key.wrapping_mul(0x9E37_79B1) >> (32 - BITS)).ok()
}

/// How many bytes from `a` and from `b` (later) are equal.
fn common(input: &[u8], mut a: usize, mut b: usize) -> usize {
    let eight = |at: usize| input.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let first = b;
    while let (Some(x), Some(y)) = (eight(a), eight(b)) {
        let difference = x ^ y;
        if difference != 0 {
            return b - first + difference.trailing_zeros() as usize / 8;
        }
        (a, b) = (a + 8, b + 8);
    }
    while b < input.len() && input.get(a) == input.get(b) {
        (a, b) = (a + 1, b + 1);
    }
    b - first
}

/// Greedy, one candidate per position: the last place that began with the same four bytes.
pub(super) fn fast(input: &[u8], out: &mut Vec<u8>) {
    block(out, input.len(), |sink| fast_into(input, sink));
}

fn fast_into(input: &[u8], sink: &mut Sink<'_>) {
    const BITS: u32 = 12;
    // A place that was never written names the first byte, like one that has it in truth: what stands there decides,
    // and nothing has to be asked before.
    let mut last = [0_u16; 1 << BITS];
    let mut remember = |eight: u64, at: usize| {
        let key = (eight as u32).wrapping_mul(0x9E37_79B1) >> (32 - BITS);
        // The key is below the number of places, and blocks are shorter than 2^16.
        let place = last.get_mut(key as usize);
        place.map_or(0, |place| usize::from(core::mem::replace(place, at as u16)))
    };
    let eight = |at: usize| input.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let mut literals_from = 0;
    let mut at = 1;
    // The last seven bytes are literals, unless a match reaches them.
    while let Some(here) = eight(at) {
        let mut from = remember(here, at);
        let difference = eight(from).unwrap_or(0) ^ here;
        if (difference as u32 != 0) | (at - from > WINDOW) {
            // The longer nothing repeats, the longer the steps.
            at += 1 + ((at - literals_from) >> 6);
            continue;
        }
        let mut length = match difference {
            0 => 8 + common(input, from + 8, at + 8),
            _ => difference.trailing_zeros() as usize / 8,
        };
        // What a step has passed over.
        while at > literals_from && from > 0 && input.get(from - 1) == input.get(at - 1) {
            (at, from, length) = (at - 1, from - 1, length + 1);
        }
        sink.literals(input, literals_from, at);
        sink.copy(at - from, length);
        // Remember places inside, so that the next repetition is found near its start and near its end.
        for inside in [at + 1, at + length - 2, at + length - 1] {
            if let Some(there) = eight(inside) {
                remember(there, inside);
            }
        }
        at += length;
        literals_from = at;
    }
    sink.literals(input, literals_from, input.len());
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
    block(out, input.len(), |sink| best_into(input, sink));
}

fn best_into(input: &[u8], sink: &mut Sink<'_>) {
    let steps = cheapest(&longest_matches(input));
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
