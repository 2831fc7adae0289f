//! Cabinet: the blob that servers send each other a document in: one folder, one member named `blob`
//! (observed-behaviour 8). Written by hand and not by the general writer: a catalog has hundreds of
//! thousands of them, and one compressor serves them all.

use super::{Cabinet, CabinetError, Limits};
use flate2::{Compress, Compression, FlushCompress, Status};

/// The name of the member.
pub const BLOB_MEMBER: &str = "blob";

/// Most bytes of one block before compression (MS-CAB 2.4).
const BLOCK: usize = 32 << 10;
const HEADER: usize = 36;
const FOLDER: usize = 8;
/// The member's entry: 16 bytes, its name and a zero.
const ENTRY: usize = 16 + BLOB_MEMBER.len() + 1;
const DATA_AT: usize = HEADER + FOLDER + ENTRY;
/// MSZIP.
const SCHEME: u16 = 1;

/// Makes blobs one after the other.
#[derive(Debug)]
pub struct BlobWriter {
    deflate: Compress,
    packed: Vec<u8>,
}

impl Default for BlobWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl BlobWriter {
    /// A writer that compresses quickly.
    #[must_use]
    pub fn new() -> Self {
        Self { deflate: Compress::new(Compression::fast(), false), packed: Vec::with_capacity(BLOCK * 2) }
    }

    /// A cabinet whose member `blob` is `content`. Equal content makes equal bytes.
    ///
    /// # Errors
    /// [`CabinetError::Write`] for content past 2 GiB (65,535 blocks).
    pub fn write(&mut self, content: &[u8]) -> Result<Vec<u8>, CabinetError> {
        let failed = |what: &str| CabinetError::Write(what.to_owned());
        let size = u32::try_from(content.len()).map_err(|_| failed("the content is too long"))?;
        let blocks = u16::try_from(content.len().div_ceil(BLOCK))
            .map_err(|_| failed("the content has more blocks than a folder can hold"))?;
        let mut out = Vec::with_capacity(DATA_AT + content.len() / 4 + 64);
        out.resize(DATA_AT, 0);
        let mut before: &[u8] = &[];
        for block in content.chunks(BLOCK) {
            self.block(&mut out, before, block)?;
            before = block;
        }
        let length = u32::try_from(out.len()).map_err(|_| failed("the cabinet is too long"))?;
        let mut head = Vec::with_capacity(DATA_AT);
        head.extend_from_slice(b"MSCF\0\0\0\0");
        head.extend_from_slice(&length.to_le_bytes());
        head.extend_from_slice(&[0; 4]);
        head.extend_from_slice(&u32::try_from(HEADER + FOLDER).unwrap_or(0).to_le_bytes());
        head.extend_from_slice(&[0; 4]);
        // Version 1.3, one folder, one member, no flags, set 0, cabinet 0.
        head.extend_from_slice(&[3, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        head.extend_from_slice(&u32::try_from(DATA_AT).unwrap_or(0).to_le_bytes());
        head.extend_from_slice(&blocks.to_le_bytes());
        head.extend_from_slice(&SCHEME.to_le_bytes());
        head.extend_from_slice(&size.to_le_bytes());
        // Offset in the folder, number of the folder, date, time and attributes: all zero (observed).
        head.extend_from_slice(&[0; 12]);
        head.extend_from_slice(BLOB_MEMBER.as_bytes());
        head.push(0);
        for (to, from) in out.iter_mut().zip(&head) {
            *to = *from;
        }
        Ok(out)
    }

    /// Appends one data block. Each is a deflate stream of its own that may reach back into the block before
    /// (MS-MCI).
    fn block(&mut self, out: &mut Vec<u8>, before: &[u8], block: &[u8]) -> Result<(), CabinetError> {
        let failed = |what: String| CabinetError::Write(what);
        self.deflate.reset();
        if !before.is_empty() {
            self.deflate.set_dictionary(before).map_err(|error| failed(error.to_string()))?;
        }
        self.packed.clear();
        self.packed.extend_from_slice(b"CK");
        // A block that does not compress is stored in deflate's own way, a few bytes longer.
        self.packed.reserve(block.len() + block.len() / 100 + 64);
        match self.deflate.compress_vec(block, &mut self.packed, FlushCompress::Finish) {
            Ok(Status::StreamEnd) => {}
            other => return Err(failed(format!("compressing a block ended with {other:?}"))),
        }
        let too_long = |_| failed("a block did not compress".to_owned());
        let packed_size = u16::try_from(self.packed.len()).map_err(too_long)?;
        let size = u16::try_from(block.len()).map_err(too_long)?;
        let checksum = super::folder::block_checksum(&[], &self.packed, packed_size, size);
        out.extend_from_slice(&checksum.to_le_bytes());
        out.extend_from_slice(&packed_size.to_le_bytes());
        out.extend_from_slice(&size.to_le_bytes());
        out.extend_from_slice(&self.packed);
        Ok(())
    }
}

/// The content of a blob: its one member, whatever its name. `limit` bounds the content, in bytes.
///
/// # Errors
/// [`CabinetError`]; [`CabinetError::Damaged`] when there is not exactly one member.
pub fn read_blob(bytes: &[u8], limit: u64) -> Result<Vec<u8>, CabinetError> {
    let limits = Limits { members: 1, folders: 1, member_bytes: limit, total_bytes: limit };
    let cabinet = Cabinet::open(bytes, &limits)?;
    match cabinet.entries() {
        [only] => cabinet.read(only),
        others => {
            let what = format!("a blob has one member, this has {}", others.len());
            Err(CabinetError::Damaged(what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_of_every_size_come_back_and_one_writer_makes_equal_bytes_again() {
        let mut writer = BlobWriter::new();
        let text: Vec<u8> =
            (0..200_000_u32).flat_map(|n| [b"<lar:And>bar"[n as usize % 12], (n / 7_919) as u8]).collect();
        for length in [0, 1, 5_121, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK * 3 + 7, text.len()] {
            let content = &text[..length];
            let blob = writer.write(content).unwrap();
            assert_eq!(read_blob(&blob, 1 << 20).unwrap(), content, "{length}");
            assert_eq!(writer.write(content).unwrap(), blob);
            assert!(length < 5_000 || blob.len() < length / 2);
        }
    }

    #[test]
    fn content_that_does_not_compress_still_fits() {
        let mut state = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(100_000)
        .collect();
        let blob = BlobWriter::new().write(&noise).unwrap();
        assert_eq!(read_blob(&blob, 1 << 20).unwrap(), noise);
    }

    #[test]
    fn the_directory_is_as_real_servers_make_it() {
        let blob = BlobWriter::new().write(b"x").unwrap();
        let cabinet = Cabinet::open(&blob, &Limits::default()).unwrap();
        assert_eq!(cabinet.entries()[0].name, "blob");
        assert_eq!(&blob[24..26], &[3, 1], "version 1.3");
        assert_eq!(u32::from_le_bytes(blob[8..12].try_into().unwrap()) as usize, blob.len());
    }

    #[test]
    fn a_blob_has_one_member_and_a_bounded_size() {
        let two = super::super::write(&[("a", b"1"), ("b", b"2")]).unwrap();
        assert!(read_blob(&two, 1 << 20).is_err());
        let bomb = BlobWriter::new().write(&vec![0; 1 << 20]).unwrap();
        assert!(matches!(read_blob(&bomb, 1 << 10), Err(CabinetError::Limit { .. })));
    }
}
