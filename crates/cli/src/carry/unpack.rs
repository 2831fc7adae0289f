//! Cli room: reads an export package of either form, one document at a time. Which form it is is told by
//! its first bytes.

use anyhow::{Context as _, anyhow, bail};
use flate2::read::MultiGzDecoder;
use sluicegate_catalog::Limits;
use sluicegate_catalog::package::{
    self, Documents, Listing, ListingError, METADATA_MEMBER, MOST_NOTES, NOTES_MEMBER, PACKAGE_MEMBER,
    PackageError,
};
use sluicegate_soap::cabinet::{self, Cabinet, CabinetError};
use sluicegate_terms::{Sha1Digest, UpdateIdentity};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::mpsc;

/// Largest Cabinet file; it holds 2 GiB of documents, which are never packed worse.
const LARGEST_CABINET: u64 = 2 << 30;
/// Most bytes unpacked from a file.
const LARGEST: u64 = 64 << 30;

/// What stands beside the documents.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    /// Decisions, one line of JSON each.
    pub(crate) notes: Vec<String>,
    /// Where Microsoft Update has files.
    pub(crate) addresses: Vec<(Sha1Digest, String)>,
    /// Updates that are listed without a document, as far as it is said which.
    pub(crate) bare: Vec<Option<UpdateIdentity>>,
    /// What is wrong with the package, though its documents are whole.
    pub(crate) warning: Option<String>,
}

/// Why a package is not taken.
enum Fault {
    /// It has not the bytes that were written.
    Damaged(anyhow::Error),
    /// It has, and is not for us.
    Unusable(anyhow::Error),
}

impl Fault {
    /// As a sentence about the whole file. The server takes all documents of an import or none.
    fn of(self, path: &Path) -> anyhow::Error {
        let path = path.display();
        match self {
            Self::Damaged(why) => anyhow!(
                "`{path}` is damaged or not whole, and nothing of it was taken in: {why:#}; copy it again, or export it anew"
            ),
            Self::Unusable(why) => anyhow!("nothing of `{path}` was taken in: {why:#}"),
        }
    }
}

impl From<PackageError> for Fault {
    fn from(error: PackageError) -> Self {
        match error {
            PackageError::Read { .. } | PackageError::Entry { .. } | PackageError::Xml { .. } => {
                Self::Damaged(error.into())
            }
            PackageError::TooLarge { .. } | PackageError::Version { .. } | PackageError::NotAPackage => {
                Self::Unusable(error.into())
            }
        }
    }
}

impl From<CabinetError> for Fault {
    fn from(error: CabinetError) -> Self {
        match error {
            CabinetError::Spanned | CabinetError::Limit { .. } | CabinetError::Compression(_) => {
                Self::Unusable(error.into())
            }
            error => Self::Damaged(error.into()),
        }
    }
}

/// Hands each document on, with the revision the package says it is, until `take` answers false.
pub(crate) fn each(
    path: &Path,
    mut take: impl FnMut(Option<UpdateIdentity>, String) -> anyhow::Result<bool>,
) -> anyhow::Result<Beside> {
    let unreadable = || format!("cannot read `{}`, so nothing was taken in", path.display());
    let mut file = BufReader::with_capacity(256 << 10, File::open(path).with_context(unreadable)?);
    let first = file.fill_buf().with_context(unreadable)?;
    if first.starts_with(b"MSCF") {
        let mut bytes = Vec::new();
        (&mut file).take(LARGEST_CABINET).read_to_end(&mut bytes).with_context(unreadable)?;
        return from_cabinet(&bytes, &mut take).map_err(|fault| fault.of(path));
    }
    if first.starts_with(&[0x1f, 0x8b]) {
        let plain = MultiGzDecoder::new(file).take(LARGEST);
        let plain = BufReader::with_capacity(256 << 10, plain);
        return from_text(plain, &mut take).map_err(|fault| fault.of(path));
    }
    bail!(
        "`{}` is no export, and nothing of it was taken in: it is neither a Cabinet file nor gzip-compressed; name a \
         file that `export` or `wsusutil export` wrote, or copy it again",
        path.display()
    )
}

/// The unpacked `.xml.gz` form. One of nothing at all is no export of nothing: that has its `ExportPackage`.
fn from_text(from: impl BufRead, take: &mut Take<'_>) -> Result<Beside, Fault> {
    let mut documents = package::read(from, Limits::default());
    let beside = drain(&mut documents, take)?;
    match documents.is_empty() {
        true => Err(PackageError::NotAPackage.into()),
        false => Ok(beside),
    }
}

type Take<'a> = dyn FnMut(Option<UpdateIdentity>, String) -> anyhow::Result<bool> + 'a;

fn drain<R: BufRead>(documents: &mut Documents<R>, take: &mut Take<'_>) -> Result<Beside, Fault> {
    for document in documents.by_ref() {
        let document = document?;
        if !take(document.identity, document.xml).map_err(Fault::Unusable)? {
            break;
        }
    }
    Ok(Beside {
        notes: documents.take_notes(),
        addresses: documents.take_addresses(),
        bare: documents.take_bare(),
        warning: None,
    })
}

/// Reads the list of a Cabinet.
fn listed(opened: &Cabinet<'_>) -> Result<Listing, Fault> {
    let entry = opened.entries().iter().find(|entry| entry.name.eq_ignore_ascii_case(PACKAGE_MEMBER));
    let member = entry.map(|entry| (entry.size, || opened.read(entry)));
    Listing::of(member, Limits::default()).map_err(|error| match error {
        ListingError::Version(error) => error.into(),
        ListingError::Damaged(error) => match Fault::from(error) {
            Fault::Damaged(why) => Fault::Damaged(why.context(format!("its `{PACKAGE_MEMBER}`"))),
            unusable @ Fault::Unusable(_) => unusable,
        },
    })
}

fn from_cabinet(bytes: &[u8], take: &mut Take<'_>) -> Result<Beside, Fault> {
    let limits = cabinet::Limits {
        member_bytes: LARGEST,
        total_bytes: LARGEST,
        members: 1 << 16,
        ..cabinet::Limits::default()
    };
    let opened = Cabinet::open(bytes, &limits)?;
    let member = |name: &str| opened.entries().iter().find(|entry| entry.name.eq_ignore_ascii_case(name));
    let Some(metadata) = member(METADATA_MEMBER) else {
        return Err(Fault::Unusable(anyhow!(
            "it has no `{METADATA_MEMBER}`, so it is no export (`sluicegate catalog import` takes Cabinet files of documents)"
        )));
    };
    let Listing { addresses, revisions, unread: warning } = listed(&opened)?;
    let mut awaited: BTreeSet<UpdateIdentity> = revisions.into_iter().collect();
    let mut take = |identity: Option<UpdateIdentity>, xml| {
        identity.map(|identity| awaited.remove(&identity));
        take(identity, xml)
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
        let pieces = Pieces { receiver, current: Vec::new(), at: 0 };
        drain(&mut package::read(pieces, Limits::default()), &mut take)
    })?;
    // What is listed and has no document is passed over, and that is said.
    let bare = awaited.into_iter().map(Some).collect();
    let mut beside = Beside { addresses, bare, warning, ..Beside::default() };
    let Some(entry) = member(NOTES_MEMBER) else { return Ok(beside) };
    if entry.size > MOST_NOTES as u64 {
        let size = entry.size;
        return Err(Fault::Unusable(anyhow!(
            "its decisions have {size} bytes; at most {MOST_NOTES} are read"
        )));
    }
    let notes = String::from_utf8(opened.read(entry)?);
    let notes = notes.context("its decisions are not text").map_err(Fault::Damaged)?;
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
