//! Logging: the file on disk and its older parts. At a size it becomes part 1, part 1 becomes 2, and so on; the
//! oldest goes.

use super::NAME;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A log in a folder, cut into parts by size.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
    length: u64,
    largest: u64,
    parts: u32,
}

impl LogFile {
    /// Opens the log of a folder, to be written on behind what is there. It becomes an older part before it
    /// grows beyond `largest` bytes; `parts` older parts are kept.
    ///
    /// # Errors
    /// When the folder or file cannot be written.
    pub fn open(folder: &Path, largest: u64, parts: u32) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join(NAME);
        let file = append(&path)?;
        let length = file.metadata()?.len();
        Ok(Self { path, file, length, largest, parts })
    }

    /// The parts of a folder's log that are there, oldest first.
    #[must_use]
    pub fn all_parts(folder: &Path) -> Vec<PathBuf> {
        let current = folder.join(NAME);
        let mut parts: Vec<PathBuf> =
            (1..=100).map(|number| part(&current, number)).take_while(|path| path.is_file()).collect();
        parts.reverse();
        parts.extend(Some(current).filter(|path| path.is_file()));
        parts
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..self.parts).rev() {
            let from = part(&self.path, number);
            if from.is_file() {
                fs::rename(&from, part(&self.path, number + 1))?;
            }
        }
        match self.parts {
            0 => fs::remove_file(&self.path)?,
            _ => fs::rename(&self.path, part(&self.path, 1))?,
        }
        self.file = append(&self.path)?;
        self.length = 0;
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o640).open(path)
}

fn part(path: &Path, number: u32) -> PathBuf {
    path.with_file_name(format!("{NAME}.{number}"))
}

impl Write for LogFile {
    /// Writes one line, or several that belong together.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let more = bytes.len() as u64;
        if self.length > 0 && self.length.saturating_add(more) > self.largest {
            // When it cannot be cut it goes on growing: a long log is better than none.
            let _ = self.rotate();
        }
        self.file.write_all(bytes)?;
        self.length = self.length.saturating_add(more);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_cut_by_size_and_the_oldest_part_goes() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogFile::open(dir.path(), 20, 2).unwrap();
        for number in 0..8 {
            log.write_all(format!("line {number:04}\n").as_bytes()).unwrap();
        }
        drop(log);
        let texts: Vec<String> =
            LogFile::all_parts(dir.path()).iter().map(|path| fs::read_to_string(path).unwrap()).collect();
        assert_eq!(texts, ["line 0002\nline 0003\n", "line 0004\nline 0005\n", "line 0006\nline 0007\n"]);
        let mut log = LogFile::open(dir.path(), 20, 2).unwrap();
        log.write_all(b"after a restart\n").unwrap();
        assert_eq!(LogFile::all_parts(dir.path()).len(), 3);
        assert_eq!(fs::read_to_string(dir.path().join(NAME)).unwrap(), "after a restart\n");
    }
}
