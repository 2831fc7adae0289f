//! Store: a fragment segment, an append-only file of checksummed records. SQLite knows how much of it is
//! committed; what lies behind that is the torn tail of an import that never finished, and is cut off.

use crate::error::StoreError;
use rustix::buffer::spare_capacity;
use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

/// Every record starts with its payload's length and CRC-32, both little-endian `u32`.
pub(crate) const HEADER: u64 = 8;

/// Room is given back to the disk in blocks of so many bytes.
const BLOCK: u64 = 4_096;

/// So much is written at once, in bytes: what still lies in a cache of the processor when it is.
const GATHERED: usize = 128 << 10;

/// Longest payload of one record, in bytes; a document of the largest known revision is about 100 MB.
pub(crate) const LONGEST: usize = 1 << 30;

/// Where a record's payload lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Place {
    /// Offset of the record's header, in bytes.
    pub at: u64,
    /// Length of the payload, in bytes.
    pub len: u32,
}

impl Place {
    /// The first offset behind the record.
    pub(crate) const fn end(self) -> u64 {
        self.at + HEADER + self.len as u64
    }
}

/// An open segment, readable from any thread.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    file: Arc<File>,
    path: Arc<Path>,
}

impl Segment {
    /// Opens or makes the file and cuts it to its committed length.
    pub(crate) fn open(path: &Path, committed: u64) -> Result<Self, StoreError> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(|e| StoreError::io("open", path, e))?;
        let length = file.metadata().map_err(|e| StoreError::io("read the length of", path, e))?.len();
        if length < committed {
            return Err(StoreError::Corrupt {
                path: path.to_owned(),
                what: format!("it has {length} bytes, the database expects {committed}"),
            });
        }
        let segment = Self { file: Arc::new(file), path: path.into() };
        if length > committed {
            tracing::info!(path = %path.display(), bytes = length - committed, "cutting off an unfinished import");
            segment.cut(committed)?;
        }
        Ok(segment)
    }

    /// Cuts off everything from `committed` on.
    pub(crate) fn cut(&self, committed: u64) -> Result<(), StoreError> {
        self.file.set_len(committed).map_err(|e| StoreError::io("shorten", &self.path, e))
    }

    /// The payload at `place`, its checksum verified.
    pub(crate) fn read(&self, place: Place) -> Result<Vec<u8>, StoreError> {
        const START: usize = HEADER as usize;
        // Header and payload at once: asking the system twice takes longer than moving the payload.
        let mut record = vec![0_u8; START + place.len as usize];
        self.file.read_exact_at(&mut record, place.at).map_err(|e| StoreError::io("read", &self.path, e))?;
        let Some((header, payload)) = record.split_first_chunk::<START>() else {
            return Err(self.damaged(place, "it is too short"));
        };
        self.check(place, *header, payload)?;
        record.drain(..START);
        Ok(record)
    }

    /// Up to `len` bytes from `offset` on, as they lie, fewer at the end; for reading many neighbouring
    /// records at once, each of which is then looked at with [`Segment::payload_in`].
    pub(crate) fn read_range(&self, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        // Room that is not zeroed first: it is large, and written at once.
        let mut bytes = Vec::with_capacity(len);
        while bytes.len() < len {
            let at = offset + bytes.len() as u64;
            match rustix::io::pread(&*self.file, spare_capacity(&mut bytes), at) {
                Ok(0) => break,
                Ok(_) | Err(Errno::INTR) => {}
                Err(e) => return Err(StoreError::io("read", &self.path, e.into())),
            }
        }
        bytes.truncate(len);
        Ok(bytes)
    }

    /// Finds and checks the payload of `place` in bytes read from `offset` on; answers its position in
    /// them.
    pub(crate) fn payload_in(
        &self,
        bytes: &[u8],
        offset: u64,
        place: Place,
    ) -> Result<std::ops::Range<usize>, StoreError> {
        let outside = || self.damaged(place, "the record does not lie in the bytes read");
        let start = place.at.checked_sub(offset).and_then(|s| usize::try_from(s).ok()).ok_or_else(outside)?;
        let body = start + HEADER as usize;
        let range = body..body + place.len as usize;
        let header = bytes.get(start..body).and_then(|h| h.try_into().ok()).ok_or_else(outside)?;
        let payload = bytes.get(range.clone()).ok_or_else(outside)?;
        self.check(place, header, payload)?;
        Ok(range)
    }

    fn check(&self, place: Place, header: [u8; 8], payload: &[u8]) -> Result<(), StoreError> {
        let [l0, l1, l2, l3, c0, c1, c2, c3] = header;
        if u32::from_le_bytes([l0, l1, l2, l3]) != place.len {
            return Err(self.damaged(place, "its length differs from the database's"));
        }
        if u32::from_le_bytes([c0, c1, c2, c3]) != crc32fast::hash(payload) {
            return Err(self.damaged(place, "its checksum is wrong"));
        }
        Ok(())
    }

    fn damaged(&self, place: Place, what: &str) -> StoreError {
        StoreError::Corrupt {
            path: self.path.to_path_buf(),
            what: format!("record at byte {}: {what}", place.at),
        }
    }

    /// How many bytes of disk it takes; holes take none.
    pub(crate) fn allocated(&self) -> Result<u64, StoreError> {
        let meta = self.file.metadata().map_err(|e| StoreError::io("read the length of", &self.path, e))?;
        Ok(meta.blocks() * 512)
    }

    /// Gives the room of a range back to the disk; what is not whole blocks of it stays. `false` when the
    /// file system cannot do that. The file keeps its length, so every place stays where it is.
    pub(crate) fn punch(&self, range: Range<u64>) -> Result<bool, StoreError> {
        let from = range.start.next_multiple_of(BLOCK);
        let to = range.end / BLOCK * BLOCK;
        if from >= to {
            return Ok(true);
        }
        let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match rustix::fs::fallocate(&*self.file, how, from, to - from) {
            Ok(()) => Ok(true),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
            Err(error) => Err(StoreError::io("give back room of", &self.path, error.into())),
        }
    }

    /// A writer that appends behind `committed`. Only one may exist at a time.
    pub(crate) fn append(&self, committed: u64) -> Result<Appender, StoreError> {
        self.cut(committed)?;
        let tail = Tail { file: Arc::clone(&self.file), at: committed };
        Ok(Appender { out: BufWriter::with_capacity(GATHERED, tail), segment: self.clone(), end: committed })
    }
}

/// Writes at a position of its own, because readers share the file.
#[derive(Debug)]
struct Tail {
    file: Arc<File>,
    at: u64,
}

impl Write for Tail {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write_at(bytes, self.at)?;
        self.at += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Appends records; nothing counts until [`Appender::sync`] and the commit that records the new end.
#[derive(Debug)]
pub(crate) struct Appender {
    out: BufWriter<Tail>,
    segment: Segment,
    end: u64,
}

impl Appender {
    /// Appends one record made of the given parts.
    pub(crate) fn push(&mut self, parts: &[&[u8]]) -> Result<Place, StoreError> {
        let total: usize = parts.iter().map(|p| p.len()).sum();
        let len =
            u32::try_from(total).ok().filter(|_| total <= LONGEST).ok_or_else(|| StoreError::Invalid {
                what: "a fragment",
                reason: format!("it has {total} bytes, at most {LONGEST} fit"),
            })?;
        let mut crc = crc32fast::Hasher::new();
        parts.iter().for_each(|part| crc.update(part));
        let place = Place { at: self.end, len };
        let mut write = || -> std::io::Result<()> {
            self.out.write_all(&len.to_le_bytes())?;
            self.out.write_all(&crc.clone().finalize().to_le_bytes())?;
            parts.iter().try_for_each(|part| self.out.write_all(part))
        };
        write().map_err(|e| StoreError::io("append to", &self.segment.path, e))?;
        self.end = place.end();
        Ok(place)
    }

    /// Where it ends with everything appended.
    pub(crate) const fn end(&self) -> u64 {
        self.end
    }

    /// Makes everything appended durable; answers the new end.
    pub(crate) fn sync(&mut self) -> Result<u64, StoreError> {
        self.out
            .flush()
            .and_then(|()| self.segment.file.sync_data())
            .map_err(|e| StoreError::io("sync", &self.segment.path, e))?;
        Ok(self.end)
    }
}

impl Appender {
    /// Forgets what was appended and gives its space back.
    pub(crate) fn abandon(self, committed: u64) -> Result<(), StoreError> {
        // Taken apart, the buffer is dropped without being written.
        let _unwritten = self.out.into_parts();
        self.segment.cut(committed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_back_and_a_torn_tail_is_cut_off_and_reused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.seg");
        let segment = Segment::open(&path, 0).unwrap();
        let mut out = segment.append(0).unwrap();
        let first = out.push(&[b"one", b"two"]).unwrap();
        let committed = out.sync().unwrap();
        out.push(&[b"never committed"]).unwrap();
        out.sync().unwrap();
        drop((out, segment));

        let segment = Segment::open(&path, committed).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), committed);
        assert_eq!(segment.read(first).unwrap(), b"onetwo");
        let mut out = segment.append(committed).unwrap();
        let second = out.push(&[b"three"]).unwrap();
        out.sync().unwrap();
        assert_eq!(second.at, committed);
        assert_eq!(segment.read(second).unwrap(), b"three");
        let all = segment.read_range(0, second.end() as usize).unwrap();
        assert_eq!(&all[segment.payload_in(&all, 0, second).unwrap()], b"three");
    }

    #[test]
    fn a_flipped_bit_and_a_shortened_file_are_told_apart_from_good_records() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.seg");
        let segment = Segment::open(&path, 0).unwrap();
        let mut out = segment.append(0).unwrap();
        let place = out.push(&[b"payload"]).unwrap();
        let committed = out.sync().unwrap();
        drop(out);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[9] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(segment.read(place), Err(StoreError::Corrupt { .. })));
        assert!(matches!(Segment::open(&path, committed + 1), Err(StoreError::Corrupt { .. })));
    }
}
