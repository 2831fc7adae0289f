//! Xpress: the decoder of one block (MS-XCA 2.4.4). Literals are copied as whole runs and matches in
//! chunks where their distance allows it; every access is checked.

use super::BlockFault;

/// Bytes moved at once when a match reaches back at least that far.
const WIDE: usize = 16;

/// Decodes `input` into exactly `out`.
pub(super) fn block(input: &[u8], out: &mut [u8]) -> Result<(), BlockFault> {
    let mut rest = input;
    let mut to = 0_usize;
    let mut flags = 0_u32;
    let mut left = 0_u32;
    // The unused upper half of the last shared length byte.
    let mut spare: Option<u8> = None;
    loop {
        if left == 0 {
            flags = u32::from_le_bytes(take(&mut rest)?);
            left = 32;
        }
        let literals = flags.leading_zeros().min(left);
        if literals > 0 {
            to = copy_literals(&mut rest, out, to, literals)?;
            flags = flags.checked_shl(literals).unwrap_or(0);
            left -= literals;
            continue;
        }
        if rest.is_empty() {
            // A set flag with nothing behind it is the mark of the end.
            return if to == out.len() { Ok(()) } else { Err(BlockFault::Under) };
        }
        flags <<= 1;
        left -= 1;
        let word = u16::from_le_bytes(take(&mut rest)?);
        let offset = usize::from(word >> 3) + 1;
        let length = match word & 7 {
            7 => long_length(&mut rest, &mut spare)?,
            short => usize::from(short) + 3,
        };
        if offset > to {
            return Err(BlockFault::Offset { offset, have: to });
        }
        to = copy_match(out, to, offset, length)?;
    }
}

/// Takes `N` bytes off the front.
fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], BlockFault> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(BlockFault::Cut)?;
    *rest = tail;
    Ok(*head)
}

/// The length of a match of ten bytes or more: a half byte shared by two such matches, then one byte, two
/// bytes, four bytes, each only when the one before is full.
fn long_length(rest: &mut &[u8], spare: &mut Option<u8>) -> Result<usize, BlockFault> {
    let half = if let Some(half) = spare.take() {
        half
    } else {
        let [byte] = take(rest)?;
        *spare = Some(byte >> 4);
        byte & 15
    };
    if half < 15 {
        return Ok(usize::from(half) + 7 + 3);
    }
    let [byte] = take(rest)?;
    if byte < 255 {
        return Ok(usize::from(byte) + 15 + 7 + 3);
    }
    let mut whole = u32::from(u16::from_le_bytes(take(rest)?));
    if whole == 0 {
        whole = u32::from_le_bytes(take(rest)?);
    }
    if whole < 15 + 7 {
        return Err(BlockFault::Length);
    }
    usize::try_from(whole).ok().and_then(|n| n.checked_add(3)).ok_or(BlockFault::Over)
}

/// Copies a run of at most 32 literals and returns the new output position.
fn copy_literals(rest: &mut &[u8], out: &mut [u8], to: usize, run: u32) -> Result<usize, BlockFault> {
    let run = usize::try_from(run).unwrap_or(32);
    let room = out.get_mut(to..).unwrap_or_default();
    // A fixed-size copy is a few instructions; what it writes too much is overwritten later.
    if run <= WIDE
        && let (Some(from), Some(into)) = (rest.first_chunk::<WIDE>(), room.first_chunk_mut::<WIDE>())
    {
        *into = *from;
    } else {
        let from = rest.get(..run).ok_or(BlockFault::Cut)?;
        room.get_mut(..run).ok_or(BlockFault::Over)?.copy_from_slice(from);
    }
    *rest = rest.get(run..).ok_or(BlockFault::Cut)?;
    Ok(to + run)
}

/// Repeats `length` bytes from `offset` (1..=`to`) bytes back and returns the new output position.
fn copy_match(out: &mut [u8], to: usize, offset: usize, length: usize) -> Result<usize, BlockFault> {
    let end = to.checked_add(length).filter(|&end| end <= out.len()).ok_or(BlockFault::Over)?;
    let start = to - offset;
    if offset >= WIDE && end + WIDE <= out.len() {
        // Chunks may run past `end`; those bytes are overwritten later.
        let mut done = 0;
        while done < length {
            let Some(chunk) = out.get(start + done..).and_then(|tail| tail.first_chunk::<WIDE>()).copied()
            else {
                return Err(BlockFault::Over);
            };
            let Some(into) = out.get_mut(to + done..).and_then(|tail| tail.first_chunk_mut::<WIDE>()) else {
                return Err(BlockFault::Over);
            };
            *into = chunk;
            done += WIDE;
        }
        return Ok(end);
    }
    if offset >= length {
        out.copy_within(start..start + length, to);
        return Ok(end);
    }
    if offset == 1 {
        let byte = out.get(start).copied().unwrap_or_default();
        if let Some(run) = out.get_mut(to..end) {
            run.fill(byte);
        }
        return Ok(end);
    }
    // The match overlaps what it writes: what is there repeats, so the piece to copy doubles each time.
    let mut done = 0;
    while done < length {
        let piece = (offset + done).min(length - done);
        out.copy_within(start..start + piece, to + done);
        done += piece;
    }
    Ok(end)
}
