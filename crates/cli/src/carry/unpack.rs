//! Cli room: reads an export package of either form, one document at a time. Which form it is is told by
//! its first bytes.

use anyhow::{Context as _, bail};
use flate2::read::MultiGzDecoder;
use sluicegate_catalog::Limits;
use sluicegate_catalog::package::{self, METADATA_MEMBER, MOST_NOTES, NOTES_MEMBER};
use sluicegate_soap::cabinet::{self, Cabinet};
use sluicegate_terms::UpdateIdentity;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::mpsc;

/// Largest Cabinet file; it holds 2 GiB of documents, which are never packed worse.
const LARGEST_CABINET: u64 = 2 << 30;
/// Most bytes unpacked from a file.
const LARGEST: u64 = 64 << 30;

/// Hands each document on, with the revision the package says it is, until `take` answers false. Answers the
/// notes beside them: decisions, one line of JSON each.
pub(crate) fn each(
    path: &Path,
    mut take: impl FnMut(Option<UpdateIdentity>, String) -> anyhow::Result<bool>,
) -> anyhow::Result<Vec<String>> {
    let unreadable = || format!("cannot read `{}`", path.display());
    let mut file = BufReader::with_capacity(256 << 10, File::open(path).with_context(unreadable)?);
    let first = file.fill_buf().with_context(unreadable)?;
    if first.starts_with(b"MSCF") {
        let mut bytes = Vec::new();
        (&mut file).take(LARGEST_CABINET).read_to_end(&mut bytes).with_context(unreadable)?;
        return from_cabinet(&bytes, &mut take).with_context(unreadable);
    }
    if first.starts_with(&[0x1f, 0x8b]) {
        let plain = MultiGzDecoder::new(file).take(LARGEST);
        return documents(BufReader::with_capacity(256 << 10, plain), &mut take).with_context(unreadable);
    }
    bail!("`{}` is no export: it is neither a Cabinet file nor gzip-compressed", path.display())
}

type Take<'a> = dyn FnMut(Option<UpdateIdentity>, String) -> anyhow::Result<bool> + 'a;

fn documents(from: impl BufRead, take: &mut Take<'_>) -> anyhow::Result<Vec<String>> {
    let mut documents = package::read(from, Limits::default());
    for document in documents.by_ref() {
        let document = document?;
        if !take(document.identity, document.xml)? {
            break;
        }
    }
    Ok(documents.take_notes())
}

fn from_cabinet(bytes: &[u8], take: &mut Take<'_>) -> anyhow::Result<Vec<String>> {
    let limits = cabinet::Limits {
        member_bytes: LARGEST,
        total_bytes: LARGEST,
        members: 1 << 16,
        ..cabinet::Limits::default()
    };
    let opened = Cabinet::open(bytes, &limits)?;
    let member = |name: &str| opened.entries().iter().find(|entry| entry.name.eq_ignore_ascii_case(name));
    let Some(metadata) = member(METADATA_MEMBER) else {
        bail!(
            "it has no `{METADATA_MEMBER}`, so it is no export (`sluicegate catalog import` takes Cabinet files of documents)"
        )
    };
    // Unpacked on a thread of its own: two gigabytes of text are never whole in memory.
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel(8);
        let opened = &opened;
        scope.spawn(move || {
            let outcome = opened.pieces(metadata, |piece| sender.send(Ok(piece.to_vec())).is_ok());
            if let Err(error) = outcome {
                // A reader that stopped early does not want to know.
                let _ = sender.send(Err(io::Error::other(error)));
            }
        });
        documents(Pieces { receiver, current: Vec::new(), at: 0 }, take)
    })?;
    let Some(entry) = member(NOTES_MEMBER) else { return Ok(Vec::new()) };
    if entry.size > MOST_NOTES as u64 {
        bail!("its decisions have {} bytes; at most {MOST_NOTES} are read", entry.size);
    }
    let notes = String::from_utf8(opened.read(entry)?).context("its decisions are not text")?;
    Ok(notes.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
}

/// Pieces from another thread as a reader.
struct Pieces {
    receiver: mpsc::Receiver<io::Result<Vec<u8>>>,
    current: Vec<u8>,
    at: usize,
}

impl BufRead for Pieces {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at >= self.current.len() {
            match self.receiver.recv() {
                Ok(piece) => (self.current, self.at) = (piece?, 0),
                Err(_) => return Ok(&[]),
            }
        }
        Ok(&self.current[self.at..])
    }

    fn consume(&mut self, count: usize) {
        self.at += count;
    }
}

impl Read for Pieces {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let from = self.fill_buf()?;
        let count = from.len().min(to.len());
        to[..count].copy_from_slice(&from[..count]);
        self.consume(count);
        Ok(count)
    }
}
