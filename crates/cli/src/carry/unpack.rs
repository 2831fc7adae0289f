//! Cli room: reads an export package of either form, one document at a time. Which form it is is told by
//! its first bytes.

use anyhow::{Context as _, bail};
use flate2::read::MultiGzDecoder;
use sluicegate_catalog::Limits;
use sluicegate_catalog::package::{self, METADATA_MEMBER, MOST_NOTES, NOTES_MEMBER, PACKAGE_MEMBER};
use sluicegate_soap::cabinet::{self, Cabinet};
use sluicegate_terms::{Sha1Digest, UpdateIdentity};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::mpsc;

/// Largest Cabinet file; it holds 2 GiB of documents, which are never packed worse.
const LARGEST_CABINET: u64 = 2 << 30;
/// Most bytes unpacked from a file.
const LARGEST: u64 = 64 << 30;

/// Largest list of what is in a Cabinet of documents.
const LARGEST_LISTING: u64 = 256 << 20;

/// What stands beside the documents.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    /// Decisions, one line of JSON each.
    pub(crate) notes: Vec<String>,
    /// Where Microsoft Update has files.
    pub(crate) addresses: Vec<(Sha1Digest, String)>,
}

/// Hands each document on, with the revision the package says it is, until `take` answers false.
pub(crate) fn each(
    path: &Path,
    mut take: impl FnMut(Option<UpdateIdentity>, String) -> anyhow::Result<bool>,
) -> anyhow::Result<Beside> {
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

fn documents(from: impl BufRead, take: &mut Take<'_>) -> anyhow::Result<Beside> {
    let mut documents = package::read(from, Limits::default());
    for document in documents.by_ref() {
        let document = document?;
        if !take(document.identity, document.xml)? {
            break;
        }
    }
    Ok(Beside { notes: documents.take_notes(), addresses: documents.take_addresses() })
}

fn from_cabinet(bytes: &[u8], take: &mut Take<'_>) -> anyhow::Result<Beside> {
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
    let mut beside = Beside::default();
    // Without the list files have other sources, so one that cannot be read is no reason to fail.
    if let Some(entry) = member(PACKAGE_MEMBER).filter(|entry| entry.size <= LARGEST_LISTING)
        && let Ok(bytes) = opened.read(entry)
        && let Ok(listing) = documents(bytes.as_slice(), &mut |_, _| Ok(true))
    {
        beside.addresses = listing.addresses;
    }
    let Some(entry) = member(NOTES_MEMBER) else { return Ok(beside) };
    if entry.size > MOST_NOTES as u64 {
        bail!("its decisions have {} bytes; at most {MOST_NOTES} are read", entry.size);
    }
    let notes = String::from_utf8(opened.read(entry)?).context("its decisions are not text")?;
    beside.notes = notes.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    Ok(beside)
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
