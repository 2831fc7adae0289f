//! Room: Xpress bodies. Plain LZ77 (MS-XCA 2.3 and 2.4, called DIRECT2 in MS-WUSP 2.1.1.1.2) in the
//! frame of MS-WUSP 2.1.1: independent blocks back to back, each with its two sizes before it.
//! Both directions, bounded and strict; nothing here depends on who talks.
//!
//! A block whose two sizes are equal is stored as it is. The specification does not say so; real servers
//! do it and real agents read it (observed-behaviour 1.4). So a compressed block is always smaller than
//! what it holds, and blocks compressed at different times can be put one after the other.

mod decode;
mod encode;

#[cfg(test)]
mod tests;

/// The most bytes one block may hold before compression (MS-WUSP 2.1.1).
pub const MAX_BLOCK: usize = 65_535;

/// Bytes of the two sizes before each block.
pub const HEADER: usize = 8;

/// How much of the input [`compress`] puts into one block. The window restarts with each block, so larger
/// blocks compress better: on recorded update documents the 16,352 of real servers (observed-behaviour 1.4)
/// give 4 % more bytes than this, and the permitted 65,535 only 3 % fewer. Most fragments are shorter
/// anyway, so this keeps half the distance to the limit of readers.
pub const BLOCK: usize = 32_768;

/// How hard the encoder tries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Effort {
    /// One look at the last place that began alike. For bytes that are sent once.
    #[default]
    Fast,
    /// The cheapest sequence of literals and longest matches. For bytes that are kept and sent often.
    Best,
}

/// Why bytes are not a sequence of Xpress blocks. Positions count from the start of the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum XpressError {
    /// Fewer than eight bytes where a block begins.
    #[error("the Xpress body ends inside the header of the block at byte {at}")]
    CutHeader {
        /// Where the header begins.
        at: usize,
    },
    /// A block larger than MS-WUSP 2.1.1 permits.
    #[error("the Xpress block at byte {at} claims {original} bytes; at most {MAX_BLOCK} are permitted")]
    BlockTooLarge {
        /// Where the header begins.
        at: usize,
        /// The claimed uncompressed size.
        original: u32,
    },
    /// A compressed size above the uncompressed one; no encoder writes that.
    #[error("the Xpress block at byte {at} claims that {original} bytes grew to {compressed}")]
    Grown {
        /// Where the header begins.
        at: usize,
        /// The claimed uncompressed size.
        original: u32,
        /// The claimed compressed size.
        compressed: u32,
    },
    /// The input ends before the block does.
    #[error("the Xpress body ends inside the block at byte {at}: {missing} bytes are missing")]
    CutBlock {
        /// Where the header begins.
        at: usize,
        /// How many bytes are missing.
        missing: usize,
    },
    /// The output would pass the caller's limit.
    #[error("the Xpress body holds more than the permitted {limit} bytes")]
    TooLarge {
        /// The caller's limit.
        limit: usize,
    },
    /// The compressed bytes contradict the format or the claimed size.
    #[error("the Xpress block at byte {at} is damaged: {fault}")]
    Damaged {
        /// Where the header begins.
        at: usize,
        /// What is wrong with it.
        fault: BlockFault,
    },
}

/// What is wrong with the compressed bytes of one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BlockFault {
    /// The bytes end in the middle of an element, or the mark of the end is missing.
    #[error("it ends without the mark of its end")]
    Cut,
    /// A match that begins before the first byte of the block.
    #[error("a match reaches back {offset} bytes where there are only {have}")]
    Offset {
        /// How far back the match begins.
        offset: usize,
        /// How many bytes the block has so far.
        have: usize,
    },
    /// A long match length below the lengths that need the long form (MS-XCA 2.4.4).
    #[error("a match length is written in a form too long for it")]
    Length,
    /// More bytes than the header claims.
    #[error("it holds more bytes than its header claims")]
    Over,
    /// Fewer bytes than the header claims.
    #[error("it holds fewer bytes than its header claims")]
    Under,
}

/// Compresses with [`Effort::Fast`] into blocks of [`BLOCK`] bytes. Nothing in, nothing out.
#[must_use]
pub fn compress(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(input.len() / 3 + 64);
    compress_into(&mut out, input, Effort::Fast);
    out
}

/// Appends the blocks of `input` to `out`.
pub fn compress_into(out: &mut Vec<u8>, input: &[u8], effort: Effort) {
    for block in input.chunks(BLOCK) {
        compress_block_into(out, block, effort);
    }
}

/// Appends one block of at most [`MAX_BLOCK`] bytes; a larger input becomes several.
fn compress_block_into(out: &mut Vec<u8>, input: &[u8], effort: Effort) {
    for block in input.chunks(MAX_BLOCK) {
        let start = out.len();
        write_header(out, block.len(), 0);
        match effort {
            Effort::Fast => encode::fast(block, out),
            Effort::Best => encode::best(block, out),
        }
        let compressed = out.len() - start - HEADER;
        if compressed < block.len() {
            let size = u32::try_from(compressed).unwrap_or(u32::MAX).to_le_bytes();
            if let Some(field) = out.get_mut(start + 4..start + HEADER) {
                field.copy_from_slice(&size);
            }
        } else {
            out.truncate(start);
            literal_block_into(out, block);
        }
    }
}

/// Appends `input` as stored blocks. For short pieces between ready blocks, where compression would cost
/// more time than the bytes it saves. Nothing in, nothing out.
pub fn literal_block_into(out: &mut Vec<u8>, input: &[u8]) {
    for block in input.chunks(MAX_BLOCK) {
        write_header(out, block.len(), block.len());
        out.extend_from_slice(block);
    }
}

fn write_header(out: &mut Vec<u8>, original: usize, compressed: usize) {
    // Both are at most MAX_BLOCK.
    for size in [original, compressed] {
        out.extend_from_slice(&u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes());
    }
}

/// Decompresses a whole body into at most `max_out` bytes.
///
/// # Errors
/// [`XpressError`]; memory used stays within `max_out` whatever the input claims.
pub fn decompress(input: &[u8], max_out: usize) -> Result<Vec<u8>, XpressError> {
    let mut out = Vec::new();
    decompress_into(&mut out, input, max_out)?;
    Ok(out)
}

/// Appends what `input` holds, at most `max_out` bytes, to `out`. After an error `out` is as it was.
///
/// # Errors
/// As [`decompress`].
pub fn decompress_into(out: &mut Vec<u8>, input: &[u8], max_out: usize) -> Result<(), XpressError> {
    let before = out.len();
    let result = decode_blocks(out, input, max_out);
    if result.is_err() {
        out.truncate(before);
    }
    result
}

fn decode_blocks(out: &mut Vec<u8>, input: &[u8], max_out: usize) -> Result<(), XpressError> {
    let mut rest = input;
    let mut budget = max_out;
    while !rest.is_empty() {
        let at = input.len() - rest.len();
        let Some((header, body)) = rest.split_first_chunk::<HEADER>() else {
            return Err(XpressError::CutHeader { at });
        };
        let [o0, o1, o2, o3, c0, c1, c2, c3] = *header;
        let original = u32::from_le_bytes([o0, o1, o2, o3]);
        let compressed = u32::from_le_bytes([c0, c1, c2, c3]);
        let size = match usize::try_from(original) {
            Ok(size) if size <= MAX_BLOCK => size,
            _ => return Err(XpressError::BlockTooLarge { at, original }),
        };
        let packed = match usize::try_from(compressed) {
            Ok(packed) if packed <= size => packed,
            _ => return Err(XpressError::Grown { at, original, compressed }),
        };
        if size > budget {
            return Err(XpressError::TooLarge { limit: max_out });
        }
        let Some((block, after)) = body.split_at_checked(packed) else {
            return Err(XpressError::CutBlock { at, missing: packed - body.len() });
        };
        if packed == size {
            out.extend_from_slice(block);
        } else {
            let start = out.len();
            out.resize(start + size, 0);
            let target = out.get_mut(start..).unwrap_or_default();
            decode::block(block, target).map_err(|fault| XpressError::Damaged { at, fault })?;
        }
        budget -= size;
        rest = after;
    }
    Ok(())
}
