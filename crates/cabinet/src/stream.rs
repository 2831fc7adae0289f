//! Cabinet: writing members that are too large to be in memory, straight into a file.

use crate::CabinetError;
use cab::{CabinetBuilder, CompressionType};
use std::io::{self, Seek, Write};

/// Most bytes that one folder can hold: 65,535 blocks of 32 KiB (MS-CAB 2.2).
pub const MOST_FOLDER_BYTES: u64 = 65_535 * (32 << 10);

/// Writes a cabinet with these members, each compressed on its own (MSZIP), so that a reader of one need not
/// unpack the others. `fill` is called for each in turn, by its number, and writes its bytes.
///
/// # Errors
/// What `fill` gives, a failure to write, or [`CabinetError::Limit`] when a member passes what a cabinet can
/// hold (2 GiB).
pub fn write_streamed<W: Write + Seek, E: From<CabinetError>>(
    out: W,
    members: &[&str],
    mut fill: impl FnMut(usize, &mut dyn Write) -> Result<(), E>,
) -> Result<W, E> {
    let failed = |error: io::Error| E::from(CabinetError::Write(error.to_string()));
    let epoch = crate::write::cab_epoch()?;
    let mut builder = CabinetBuilder::new();
    for name in members {
        crate::write::check_name(name)?;
        builder.add_folder(CompressionType::MsZip).add_file(*name).set_datetime(epoch);
    }
    let mut writer = builder.build(out).map_err(failed)?;
    for number in 0..members.len() {
        let file = writer.next_file().map_err(failed)?;
        let file = file.ok_or_else(|| CabinetError::Write("the writer lost a member".to_owned()))?;
        let mut bounded = Bounded { inner: file, written: 0 };
        let filled = fill(number, &mut bounded);
        if bounded.written > MOST_FOLDER_BYTES {
            let value = bounded.written;
            return Err(CabinetError::Limit { what: "a member size", value, limit: MOST_FOLDER_BYTES }.into());
        }
        filled?;
    }
    writer.finish().map_err(failed)
}

/// Refuses what a folder cannot hold; the writer below would count its blocks wrongly.
struct Bounded<W> {
    inner: W,
    written: u64,
}

impl<W: Write> Write for Bounded<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written.saturating_add(bytes.len() as u64) > MOST_FOLDER_BYTES {
            self.written = self.written.saturating_add(bytes.len() as u64);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a Cabinet file holds 2 GiB"));
        }
        let count = self.inner.write(bytes)?;
        self.written += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, read};
    use std::io::Cursor;

    #[test]
    fn members_written_in_pieces_are_read_as_whole() {
        let piece: Vec<u8> = (0..50_000_u32).map(|n| (n % 251) as u8).collect();
        let written =
            write_streamed(Cursor::new(Vec::new()), &["large.txt", "empty", "small"], |number, out| {
                for _ in 0..[7, 0, 1][number] {
                    out.write_all(&piece).unwrap();
                }
                Ok::<_, CabinetError>(())
            })
            .unwrap()
            .into_inner();
        let members = read(&written, &Limits::default()).unwrap();
        let sizes: Vec<(&str, usize)> = members.iter().map(|m| (m.name.as_str(), m.data.len())).collect();
        assert_eq!(sizes, [("large.txt", 350_000), ("empty", 0), ("small", 50_000)]);
        assert_eq!(members[0].data, piece.repeat(7));
    }

    #[test]
    fn what_a_folder_cannot_hold_is_refused_and_not_miscounted() {
        let mut bounded = Bounded { inner: io::sink(), written: MOST_FOLDER_BYTES - 3 };
        assert!(bounded.write_all(b"abc").is_ok());
        assert!(bounded.write_all(b"d").is_err());
    }

    #[test]
    fn a_failure_of_whoever_fills_ends_it() {
        let fill = |_: usize, _: &mut dyn Write| Err(CabinetError::Spanned);
        let failed = write_streamed(Cursor::new(Vec::new()), &["a"], fill);
        assert_eq!(failed.map(Cursor::into_inner), Err(CabinetError::Spanned));
    }
}
