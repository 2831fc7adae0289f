//! Doctor room: files, folders and archives of logs. Says which files there are and opens them one
//! after another; what cannot be read is noted and passed over.

use super::Limits;
use crate::examine::Note;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// Bytes any packed file may unpack to, whatever its ratio.
const FREE: u64 = 64 << 20;

/// A file on disk.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// The files that `paths` name, those in folders included, in the order of their names.
pub(crate) fn find(paths: &[PathBuf], limits: &Limits, notes: &mut Vec<Note>) -> Vec<Source> {
    let mut found = Vec::new();
    for path in paths {
        walk(path, 0, limits, &mut found, notes);
    }
    found
}

fn walk(path: &Path, depth: usize, limits: &Limits, found: &mut Vec<Source>, notes: &mut Vec<Note>) {
    let mut note = |what: String| notes.push(Note { file: path.display().to_string(), what });
    // What a person names is followed; links met within folders are not, they may lead anywhere.
    let meta = if depth == 0 { std::fs::metadata(path) } else { std::fs::symlink_metadata(path) };
    let meta = match meta {
        Ok(meta) => meta,
        Err(e) => return note(format!("cannot be read: {e}")),
    };
    if meta.is_file() {
        if found.len() >= limits.files {
            if found.len() == limits.files {
                note(format!("more than {} files: this one and those after it are not read", limits.files));
            }
            return;
        }
        found.push(Source { path: path.to_owned(), bytes: meta.len() });
    } else if meta.is_dir() {
        if depth >= limits.depth {
            return note(format!("more than {} folders deep: not read", limits.depth));
        }
        let entries = match std::fs::read_dir(path) {
            Ok(entries) => entries,
            Err(e) => return note(format!("cannot be listed: {e}")),
        };
        let mut inside: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
        inside.sort();
        for entry in inside {
            walk(&entry, depth + 1, limits, found, notes);
        }
    }
}

/// Opens `source` and hands each log in it to `take`, with its name; an archive may hold many.
pub(crate) fn each_stream(
    source: &Source,
    limits: &Limits,
    notes: &mut Vec<Note>,
    mut take: impl FnMut(String, &mut dyn Read, &mut Vec<Note>) -> bool,
) {
    let label = source.path.display().to_string();
    let mut note = |what: String| notes.push(Note { file: label.clone(), what });
    let mut file = match File::open(&source.path) {
        Ok(file) => file,
        Err(e) => return note(format!("cannot be opened: {e}")),
    };
    let mut head = [0u8; 8];
    let read = file.read(&mut head).unwrap_or(0);
    if let Err(e) = std::io::Seek::rewind(&mut file) {
        return note(format!("cannot be read from its beginning: {e}"));
    }
    match head.get(..read).unwrap_or_default() {
        [b'P', b'K', 3 | 5, 4 | 6, ..] => zip(source, file, limits, notes, take),
        [0x1f, 0x8b, ..] => {
            let unpacked = flate2::read::MultiGzDecoder::new(BufReader::new(file));
            take(label, &mut Bounded::new(unpacked, source.bytes, limits), notes);
        }
        [b'E', b'l', b'f', b'F', b'i', b'l', b'e', ..] => note(
            "is a Windows event log: export it as text (`wevtutil qe FILE /lf /f:text`) and give me that"
                .to_owned(),
        ),
        _ if has_extension(&source.path, "etl") => note(
            "is a trace in binary form: run Get-WindowsUpdateLog on the client and give me what it writes"
                .to_owned(),
        ),
        _ => {
            take(label, &mut file.take(limits.file_bytes), notes);
        }
    }
}

fn zip(
    source: &Source,
    file: File,
    limits: &Limits,
    notes: &mut Vec<Note>,
    mut take: impl FnMut(String, &mut dyn Read, &mut Vec<Note>) -> bool,
) {
    let label = source.path.display().to_string();
    let mut archive = match zip::ZipArchive::new(BufReader::new(file)) {
        Ok(archive) => archive,
        Err(e) => {
            return notes
                .push(Note { file: label, what: format!("is not a zip file that can be read: {e}") });
        }
    };
    for index in 0..archive.len() {
        if index >= limits.files {
            let what = format!("holds more than {} files: the rest is not read", limits.files);
            return notes.push(Note { file: label, what });
        }
        let entry = match archive.by_index(index) {
            Ok(entry) => entry,
            Err(e) => {
                let what = format!("entry {index} cannot be read: {e}");
                notes.push(Note { file: label.clone(), what });
                continue;
            }
        };
        if !entry.is_file() {
            continue;
        }
        let name = format!("{label}/{}", String::from_utf8_lossy(entry.name_raw()).replace('\\', "/"));
        let packed = entry.compressed_size();
        let mut stream = Bounded::new(entry, packed, limits);
        // An archive in an archive is how bombs are built; a person can unpack an honest one.
        let mut head = Vec::with_capacity(4);
        if let Err(e) = (&mut stream).take(4).read_to_end(&mut head) {
            notes.push(Note { file: name, what: format!("cannot be unpacked: {e}") });
            continue;
        }
        if matches!(head.as_slice(), [b'P', b'K', 3, 4] | [0x1f, 0x8b, ..]) {
            let what = "is an archive within an archive: unpack it and give me its files".to_owned();
            notes.push(Note { file: name, what });
            continue;
        }
        if !take(name, &mut head.as_slice().chain(stream), notes) {
            return;
        }
    }
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case(wanted))
}

/// Ends with an error when more comes out than what went in can honestly hold.
struct Bounded<R> {
    stream: R,
    left: u64,
    limit: u64,
}

impl<R: Read> Bounded<R> {
    fn new(stream: R, packed: u64, limits: &Limits) -> Self {
        let limit = packed.saturating_mul(limits.ratio).max(FREE).min(limits.file_bytes);
        Self { stream, left: limit, limit }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.stream.read(buffer)?;
        match self.left.checked_sub(n as u64) {
            Some(left) => {
                self.left = left;
                Ok(n)
            }
            None => Err(std::io::Error::other(format!(
                "it unpacks to more than {} MiB, too much for its packed size",
                self.limit >> 20
            ))),
        }
    }
}
