//! Store: documents and their files as servers below ask for them, many at once: looked up with one statement each,
//! and read together where they lie together, as what came together does.

use crate::Store;
use crate::catalog::document::{Document, Form, decode};
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError};
use crate::segment::Place;
use rusqlite::{CachedStatement, Connection, OptionalExtension};
use sluicegate_terms::{RevisionId, Sha1Digest};

/// Neighbours are read together up to so many bytes.
const AHEAD: u64 = 256 << 10;

/// A file, and where it is on the Internet if the upstream said so.
pub type FileAddress = (Sha1Digest, Option<String>);

/// Documents as of one moment.
#[derive(Debug)]
pub struct Serving<'a> {
    store: &'a Store,
    db: &'a Connection,
}

impl<'a> Serving<'a> {
    pub(crate) const fn new(store: &'a Store, db: &'a Connection) -> Self {
        Self { store, db }
    }

    /// [`Store::document`].
    ///
    /// # Errors
    /// [`StoreError::UnknownRevision`], or a failure to read.
    pub fn document(&self, revision: RevisionId) -> Result<Document, StoreError> {
        self.documents(&[revision])?.document(0)
    }

    /// Looks up several documents, to be read one after the other.
    ///
    /// # Errors
    /// A failure to look them up. One that is unknown says so when it is read.
    pub fn documents(&self, revisions: &[RevisionId]) -> Result<Documents<'a>, StoreError> {
        let mut places = self
            .db
            .prepare_cached("SELECT document_at, document_len, document_form FROM revision WHERE id = ?1")
            .during("look up documents")?;
        let mut found = Vec::with_capacity(revisions.len());
        for revision in revisions {
            let place = places
                .query_row([revision.get()], |row| {
                    Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?, row.get(2)?))
                })
                .optional()
                .during("look up a document")?;
            let place = place.map(|(at, len, form)| (Place { at, len }, form));
            found.push(Found { revision: *revision, place });
        }
        let files = self
            .db
            .prepare_cached(
                "SELECT f.sha1, u.url FROM revision_file f LEFT JOIN file_url u ON u.sha1 = f.sha1
                 WHERE f.revision_id = ?1 ORDER BY f.sha1",
            )
            .during("look up the files of documents")?;
        Ok(Documents { store: self.store, found, files, window: Vec::new(), window_at: 0 })
    }
}

/// A revision whose document is wanted.
#[derive(Clone, Copy, Debug)]
struct Found {
    revision: RevisionId,
    /// Where its document lies, and the number of its form.
    place: Option<(Place, i64)>,
}

/// Documents that were looked up, named by their place in the list of what was asked for.
pub struct Documents<'a> {
    store: &'a Store,
    found: Vec<Found>,
    files: CachedStatement<'a>,
    /// A part of the segment, read ahead.
    window: Vec<u8>,
    window_at: u64,
}

impl Documents<'_> {
    /// Reads a document.
    ///
    /// # Errors
    /// [`StoreError::UnknownRevision`], or a failure to read.
    pub fn document(&mut self, number: usize) -> Result<Document, StoreError> {
        let (revision, place) = self.get(number)?;
        let (place, form) = place.ok_or(StoreError::UnknownRevision(revision.get()))?;
        let read = self.payload(number, place);
        let document = read.and_then(|bytes| decode(bytes, Form::of_number(form)?, revision));
        document.inspect_err(|error| self.store.cores().found_damaged_document(revision, error))
    }

    /// The files of a revision, sorted by digest as its fragments name them.
    ///
    /// # Errors
    /// A failure to read.
    pub fn files(&mut self, number: usize) -> Result<Vec<FileAddress>, StoreError> {
        let (revision, _) = self.get(number)?;
        let mut files = Vec::new();
        let mut rows = self.files.query([revision.get()]).during("look up the files of a document")?;
        for_rows(&mut rows, |row| {
            files.push((row.sha1(0)?, row.text_if_any(1)?));
            Ok(())
        })?;
        Ok(files)
    }

    fn get(&self, number: usize) -> Result<(RevisionId, Option<(Place, i64)>), StoreError> {
        let none = || StoreError::Invalid { what: "a document", reason: "it was not looked up".to_owned() };
        self.found.get(number).map(|found| (found.revision, found.place)).ok_or_else(none)
    }

    /// The bytes of a document as they lie.
    fn payload(&mut self, number: usize, place: Place) -> Result<Vec<u8>, StoreError> {
        let segment = &self.store.shared.segments.documents;
        if u64::from(place.len) > AHEAD {
            return segment.read(place);
        }
        let inside = place.at >= self.window_at && place.end() <= self.window_at + self.window.len() as u64;
        if !inside {
            let ahead = usize::try_from(self.end_of_run(number, place) - place.at).unwrap_or_default();
            // A neighbour that cannot be read is no fault of this one.
            let Ok(window) = segment.read_range(place.at, ahead) else { return segment.read(place) };
            (self.window, self.window_at) = (window, place.at);
        }
        let range = segment.payload_in(&self.window, self.window_at, place)?;
        Ok(self.window.get(range).unwrap_or_default().to_vec())
    }

    /// Where the documents end that lie behind this one and are wanted next.
    fn end_of_run(&self, number: usize, first: Place) -> u64 {
        let mut end = first.end();
        let next = self.found.get(number + 1..).unwrap_or_default();
        for (place, _) in next.iter().map_while(|found| found.place) {
            if place.at != end || place.end() - first.at > AHEAD {
                break;
            }
            end = place.end();
        }
        end
    }
}
