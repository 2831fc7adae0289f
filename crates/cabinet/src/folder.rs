//! Cabinet: the data blocks of one folder (MS-CAB 2.4), decoded one after the other.

use crate::CabinetError;
use crate::layout::{Fields, Folder, Layout, Scheme};
use flate2::{Decompress, FlushDecompress, Status};
use lzxd::{Lzxd, WindowSize};

/// A block holds at most 32 KiB after decompression (MS-CAB 2.4; MSZIP and LZX chunks alike).
const MAX_BLOCK: usize = 32 << 10;
/// Stored blocks have only the width of their size field as a bound.
const MAX_STORED: usize = 65_535;

enum Decoder {
    Stored,
    MsZip(Decompress),
    Lzx(Box<Lzxd>),
}

/// Reads a folder forwards.
pub(super) struct FolderReader<'a> {
    number: usize,
    folder: Folder<'a>,
    block_reserve: usize,
    rest: &'a [u8],
    done: u16,
    position: u64,
    decoder: Decoder,
    /// The last decoded block; for MSZIP also the dictionary of the next one.
    block: Vec<u8>,
}

impl<'a> FolderReader<'a> {
    pub(super) fn new(layout: &Layout<'a>, number: usize) -> Result<Self, CabinetError> {
        let folder = *layout
            .folders
            .get(number)
            .ok_or_else(|| CabinetError::Damaged(format!("there is no folder {number}")))?;
        let decoder = match folder.scheme {
            Scheme::Stored => Decoder::Stored,
            Scheme::MsZip => Decoder::MsZip(Decompress::new(false)),
            Scheme::Lzx(window) => Decoder::Lzx(Box::new(Lzxd::new(match window {
                15 => WindowSize::KB32,
                16 => WindowSize::KB64,
                17 => WindowSize::KB128,
                18 => WindowSize::KB256,
                19 => WindowSize::KB512,
                20 => WindowSize::MB1,
                _ => WindowSize::MB2,
            }))),
        };
        let block_reserve = layout.block_reserve;
        let rest = folder.data;
        Ok(Self { number, folder, block_reserve, rest, done: 0, position: 0, decoder, block: Vec::new() })
    }

    /// How many bytes of the folder have been decoded.
    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    /// Decodes the next block. Always moves [`Self::position`] forward.
    pub(super) fn next_block(&mut self) -> Result<&[u8], CabinetError> {
        let index = usize::from(self.done);
        if self.done == self.folder.blocks {
            let number = self.number;
            return Err(CabinetError::Damaged(format!("folder {number} ends before its last member does")));
        }
        let mut fields = Fields::new(self.rest, "data blocks");
        let checksum = fields.u32()?;
        let packed_size = fields.u16()?;
        let size = fields.u16()?;
        let reserve = fields.bytes(self.block_reserve)?;
        let packed = fields.bytes(usize::from(packed_size))?;
        self.rest = fields.rest();
        self.done += 1;
        if checksum != 0 && checksum != block_checksum(reserve, packed, packed_size, size) {
            return Err(CabinetError::Checksum { folder: self.number, block: index });
        }
        let size = usize::from(size);
        let limit = if matches!(self.decoder, Decoder::Stored) { MAX_STORED } else { MAX_BLOCK };
        if size == 0 || size > limit {
            return Err(self.damaged(index, &format!("it claims {size} bytes")));
        }
        match &mut self.decoder {
            Decoder::Stored => {
                self.block.clear();
                self.block.extend_from_slice(packed);
            }
            Decoder::MsZip(inflate) => {
                let dictionary = core::mem::take(&mut self.block);
                self.block = mszip_block(inflate, &dictionary, packed, size)
                    .map_err(|reason| self.damaged(index, &reason))?;
            }
            Decoder::Lzx(lzx) => {
                self.block.clear();
                let decoded = lzx.decompress_next(packed, size).map_err(|error| error.to_string());
                let reason = match decoded {
                    Ok(bytes) => {
                        self.block.extend_from_slice(bytes);
                        None
                    }
                    Err(reason) => Some(reason),
                };
                if let Some(reason) = reason {
                    return Err(self.damaged(index, &reason));
                }
            }
        }
        if self.block.len() != size {
            return Err(self.damaged(index, &format!("{} bytes came of {size}", self.block.len())));
        }
        self.position += size as u64;
        Ok(&self.block)
    }

    fn damaged(&self, block: usize, reason: &str) -> CabinetError {
        CabinetError::Damaged(format!("data block {block} of folder {}: {reason}", self.number))
    }
}

/// The checksum of MS-CAB 3.1: words combined by XOR, the two size fields last.
pub(super) fn block_checksum(reserve: &[u8], packed: &[u8], packed_size: u16, size: u16) -> u32 {
    // Checksums of the parts are chained over the data first, then over what precedes it.
    words(packed) ^ words(reserve) ^ (u32::from(packed_size) | u32::from(size) << 16)
}

fn words(bytes: &[u8]) -> u32 {
    let (whole, tail) = bytes.as_chunks::<4>();
    let sum = whole.iter().fold(0, |sum, word| sum ^ u32::from_le_bytes(*word));
    // An incomplete last word counts with its first byte highest.
    sum ^ tail.iter().fold(0, |word, &byte| word << 8 | u32::from(byte))
}

/// One MSZIP block (MS-MCI): `CK`, then a deflate stream that may reach back into the block before.
fn mszip_block(
    inflate: &mut Decompress,
    dictionary: &[u8],
    packed: &[u8],
    size: usize,
) -> Result<Vec<u8>, String> {
    let stream = packed.strip_prefix(b"CK").ok_or("it does not begin with CK")?;
    inflate.reset(false);
    if !dictionary.is_empty() {
        inflate.set_dictionary(dictionary).map_err(|error| error.to_string())?;
    }
    // One byte of room too many shows a stream that is longer than it says.
    let mut out = Vec::with_capacity(size + 1);
    match inflate.decompress_vec(stream, &mut out, FlushDecompress::Finish) {
        Ok(Status::StreamEnd) => Ok(out),
        Ok(_) => Err("its deflate stream does not end within its size".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
