//! Store: one import. Revisions are appended to the segments as they come; nothing of them counts until
//! the commit, which writes all rows in one transaction that ends when the segments are synced.

use crate::Store;
use crate::catalog::document::{Document, Form};
use crate::catalog::fragments;
use crate::catalog::packed::PackedRevision;
use crate::catalog::quarantine;
use crate::catalog::shelf::Lengths;
use crate::catalog::summary::Summary;
use crate::content::decryption::has_encrypted_files;
use crate::decisions::ImportedDecisions;
use crate::error::{During, StoreError};
use crate::segment::{Appender, Place};
use parking_lot::MutexGuard;
use sluicegate_catalog::{Fragments, ScanRecord, UpdateDocument};
use sluicegate_terms::{
    Anchor, RevisionNumber, Sha1Digest, Sha256Digest, Timestamp, UpdateId, UpdateIdentity,
};
use std::collections::{HashMap, HashSet};

/// A revision ready to be stored: parsed, with its Core fragment escaped and compressed. Made on another thread than
/// the one that stores it, so it is in few pieces of memory, and what storing would have to work out is worked out.
#[derive(Clone, Debug)]
pub struct PreparedRevision {
    /// Where it came from (a file name), for messages.
    pub source: String,
    /// What scans need.
    pub record: ScanRecord,
    /// SHA-256 of the document's meaning ([`UpdateDocument::content`]): the same identity with another
    /// content is a contradiction.
    pub content: Sha256Digest,
    /// The Core fragment as it goes into answers.
    pub core_ready: Vec<u8>,
    /// The length of the escaped Core fragment before compression, in bytes.
    pub core_escaped_len: u32,
    /// The document, in the form in which it is served.
    pub document: Document,
    /// The fragments that clients ask for by id, and the revision's files, as they are kept.
    pub(crate) fragments: Vec<u8>,
    /// What becomes rows of its listing and of its files, those of licence terms too.
    pub(crate) summary: Summary,
    /// It has a file whose key has to be asked for.
    pub(crate) encrypted: bool,
}

impl PreparedRevision {
    /// From a parsed document, its Core fragment's ready bytes and the document as it is served.
    #[must_use]
    pub fn from_document(
        source: String,
        parsed: UpdateDocument,
        core_ready: Vec<u8>,
        core_escaped_len: u32,
        document: Document,
    ) -> Self {
        let record = parsed.scan_record();
        let listing = parsed.listing();
        let mut files = parsed.files;
        files.extend(parsed.eulas.into_iter().map(|eula| eula.file));
        let Fragments { extended, localized, eulas, .. } = &parsed.fragments;
        let mut digests: Vec<Sha1Digest> = files.iter().map(|f| f.sha1).collect();
        digests.sort_unstable();
        digests.dedup();
        Self {
            source,
            record,
            content: parsed.content,
            core_ready,
            core_escaped_len,
            document,
            fragments: fragments::encode(extended, localized, eulas, &digests),
            summary: Summary::new(listing, files, parsed.properties.eula_id),
            encrypted: has_encrypted_files(extended),
        }
    }

    /// The categories that the document names: products, classifications and whatever else.
    #[must_use]
    pub fn categories(&self) -> &[UpdateId] {
        &self.summary.categories
    }
}

/// Something that did not enter the catalog.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quarantined {
    /// Where it came from.
    pub source: String,
    /// Which update, when that much was known.
    pub update: Option<UpdateId>,
    /// Which revision, when that much was known.
    pub revision: Option<RevisionNumber>,
    /// Why, and what would help.
    pub reason: String,
}

/// What an import did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ImportReport {
    /// Updates that are new.
    pub added: u64,
    /// New revisions of updates that were there, each newer than what was.
    pub revised: u64,
    /// Revisions that were not there and are older than one of their update that is.
    pub older: u64,
    /// Revisions that were there already with the same content.
    pub unchanged: u64,
    /// Of these: those that had waited in quarantine.
    pub released: u64,
    /// What did not enter.
    pub quarantined: Vec<Quarantined>,
    /// What it changed about approvals.
    pub decisions: ImportedDecisions,
    /// The newest anchor after the import.
    pub anchor: Anchor,
}

/// A revision whose bytes are in the segments and whose rows are not written yet.
#[derive(Clone, Debug)]
pub(crate) struct Staged {
    pub(crate) source: Box<str>,
    pub(crate) identity: UpdateIdentity,
    pub(crate) record: ScanRecord,
    pub(crate) summary: Summary,
    pub(crate) content: Sha256Digest,
    pub(crate) core: Place,
    pub(crate) core_escaped_len: u32,
    pub(crate) fragments: Place,
    pub(crate) document: Place,
    pub(crate) document_form: Form,
    /// It waited in quarantine before this import.
    pub(crate) waited: bool,
}

/// What an import has gathered for its commit.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) staged: Vec<Staged>,
    pub(crate) refused: Vec<Quarantined>,
    /// Source and identity of what was there already, to clear old refusals of it.
    pub(crate) unchanged: Vec<(String, UpdateIdentity)>,
    /// What waits in quarantine already and came again with the same content.
    pub(crate) still_waiting: HashSet<UpdateIdentity>,
    /// Revisions with encrypted files, whose keys are to be asked for.
    pub(crate) encrypted: Vec<UpdateIdentity>,
}

struct Appenders {
    core: Appender,
    fragments: Appender,
    documents: Appender,
}

impl Appenders {
    /// Where they end with everything that was appended.
    fn lengths(&self) -> Lengths {
        let Self { core, fragments, documents } = self;
        Lengths { core: core.end(), fragments: fragments.end(), documents: documents.end() }
    }

    /// Makes all three durable. At once: the disk is waited for, not the processor.
    fn sync(&mut self) -> Result<(), StoreError> {
        let Self { core, fragments, documents } = self;
        std::thread::scope(|scope| {
            let core = scope.spawn(|| core.sync());
            let fragments = scope.spawn(|| fragments.sync());
            documents.sync()?;
            core.join().map_err(panicked)??;
            fragments.join().map_err(panicked)??;
            Ok(())
        })
    }
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> StoreError {
    StoreError::Invalid { what: "an import", reason: "syncing panicked".to_owned() }
}

/// One import under way. Dropping it forgets everything it was given.
pub struct Importer<'a> {
    store: &'a Store,
    now: Timestamp,
    committed: Lengths,
    appenders: Option<Appenders>,
    gathered: Gathered,
    by_identity: HashMap<UpdateIdentity, usize>,
    /// Nothing to compare with: the catalog had no revision when the import began, or none of these.
    all_new: bool,
    /// The content of what waits in quarantine.
    waiting: HashMap<UpdateIdentity, Sha256Digest>,
    /// One import at a time: segments have one writer.
    _turn: MutexGuard<'a, ()>,
}

impl Store {
    /// Says that a large import is over: memory that served it is given back.
    ///
    /// # Errors
    /// A failure of the database.
    pub fn rest(&self) -> Result<(), StoreError> {
        self.shared.database.give_memory_back()
    }

    /// Says that the catalog is a large one: memory that is free is given back sooner from now on, so that what a
    /// synchronization works with does not stand beside all that is kept of each revision.
    pub fn is_large(&self) {
        sluicegate_allocator::give_back_sooner();
    }

    /// Begins an import; waits for its turn when another is under way. `now` becomes the arrival time.
    ///
    /// # Errors
    /// A failure to open the segments.
    pub fn importer(&self, now: Timestamp) -> Result<Importer<'_>, StoreError> {
        let turn = self.shared.import_turn.lock();
        let committed = self.shared.database.read(|db| Lengths::load(db))?;
        let all_new = self.shared.database.read(|db| {
            // Not by counting: a synchronization begins an import every few thousand revisions.
            db.query_row("SELECT NOT EXISTS (SELECT 1 FROM revision)", [], |row| row.get(0))
                .during("look at the catalog")
        })?;
        let waiting = self.shared.database.read(|db| quarantine::waiting_contents(db))?;
        let segments = &self.shared.segments;
        let appenders = Appenders {
            core: segments.core.append(committed.core)?,
            fragments: segments.fragments.append(committed.fragments)?,
            documents: segments.documents.append(committed.documents)?,
        };
        Ok(Importer {
            store: self,
            now,
            committed,
            appenders: Some(appenders),
            gathered: Gathered::default(),
            by_identity: HashMap::new(),
            all_new,
            waiting,
            _turn: turn,
        })
    }
}

impl Importer<'_> {
    /// Says that whoever brings the revisions has asked before which of them are missing: they are not looked up
    /// one by one as they come. Should one be there all the same, the commit finds out.
    pub fn expect_missing(&mut self) {
        self.all_new = true;
    }

    /// Takes one revision. What contradicts the catalog or an earlier revision of this import is
    /// quarantined at the commit.
    ///
    /// # Errors
    /// A failure to write; the import should then be dropped.
    pub fn add(&mut self, revision: PreparedRevision) -> Result<(), StoreError> {
        self.add_packed(&revision.pack())
    }

    /// [`Importer::add`] of what another thread has packed.
    ///
    /// # Errors
    /// As [`Importer::add`].
    pub fn add_packed(&mut self, revision: &PackedRevision) -> Result<(), StoreError> {
        let identity = revision.identity();
        let earlier = match self.by_identity.get(&identity).and_then(|&at| self.gathered.staged.get(at)) {
            Some(staged) => {
                Some((staged.content, format!("an earlier document of this import ({})", staged.source)))
            }
            None => self.content_in_catalog(identity)?.map(|c| (c, "the document in the catalog".to_owned())),
        };
        match earlier {
            Some((content, _)) if content == revision.content => {
                self.gathered.unchanged.push((revision.source().to_owned(), identity));
                return Ok(());
            }
            Some((_, what)) => {
                let reason = format!(
                    "it contradicts {what}: same update and revision number, other content; \
                     a changed update needs a higher revision number"
                );
                self.refuse(revision.source().to_owned(), Some(identity), reason);
                return Ok(());
            }
            None => {}
        }
        if self.waiting.get(&identity) == Some(&revision.content) {
            self.gathered.still_waiting.insert(identity);
            return Ok(());
        }
        let staged = self.append(revision)?;
        self.by_identity.insert(identity, self.gathered.staged.len());
        self.gathered.staged.push(staged);
        Ok(())
    }

    /// Notes a document that could not be read at all, so that it is shown with its reason.
    pub fn reject(&mut self, source: String, update: Option<UpdateId>, reason: String) {
        self.gathered.refused.push(Quarantined { source, update, revision: None, reason });
    }

    fn refuse(&mut self, source: String, identity: Option<UpdateIdentity>, reason: String) {
        let update = identity.map(|i| i.update);
        let revision = identity.map(|i| i.revision);
        self.gathered.refused.push(Quarantined { source, update, revision, reason });
    }

    fn content_in_catalog(&self, identity: UpdateIdentity) -> Result<Option<Sha256Digest>, StoreError> {
        if self.all_new {
            return Ok(None);
        }
        self.store.shared.database.read(|db| {
            db.prepare_cached("SELECT content FROM revision WHERE update_id = ?1 AND number = ?2")
                .and_then(|mut s| {
                    let mut rows = s.query((identity.update.0.as_bytes(), identity.revision.get()))?;
                    rows.next()?.map(|row| row.get(0).map(Sha256Digest)).transpose()
                })
                .during("look up a revision")
        })
    }

    fn append(&mut self, revision: &PackedRevision) -> Result<Staged, StoreError> {
        let appenders = self
            .appenders
            .as_mut()
            .ok_or(StoreError::Invalid { what: "a revision", reason: "its import has ended".to_owned() })?;
        let identity = revision.identity();
        if revision.encrypted {
            self.gathered.encrypted.push(identity);
        }
        let (record, summary) = revision.unpack()?;
        Ok(Staged {
            identity,
            record,
            summary,
            content: revision.content,
            core: appenders.core.push(&[revision.core()])?,
            core_escaped_len: revision.core_escaped_len,
            fragments: appenders.fragments.push(&[revision.fragments()])?,
            document: appenders.documents.push(&[revision.document()])?,
            document_form: revision.form,
            source: revision.source().into(),
            waited: false,
        })
    }

    /// How many revisions wait for the commit.
    #[must_use]
    pub fn staged(&self) -> usize {
        self.gathered.staged.len()
    }

    /// Makes everything durable and visible at once.
    ///
    /// # Errors
    /// A failure to write; then nothing of the import remains.
    pub fn commit(self) -> Result<ImportReport, StoreError> {
        self.commit_with_progress(&mut |_, _| {})
    }

    /// [`Importer::commit`], telling how many of how many rows are written.
    ///
    /// # Errors
    /// As [`Importer::commit`].
    pub fn commit_with_progress(
        mut self,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<ImportReport, StoreError> {
        let Some(mut appenders) = self.appenders.take() else { return Ok(ImportReport::default()) };
        let lengths = appenders.lengths();
        let gathered = std::mem::take(&mut self.gathered);
        let mut durable = false;
        let committed = std::thread::scope(|scope| {
            // The bytes go to the disk while the rows are written.
            let syncing = scope.spawn(|| appenders.sync());
            self.store.commit_import(gathered, lengths, self.now, progress, || {
                syncing.join().map_err(panicked)??;
                durable = true;
                Ok(())
            })
        });
        // Once the commit was begun the tail may be spoken for, even when it reports an error: an SQLite
        // commit that failed late can come back to life after a crash. So it is not cut off; the next
        // import or start does that, knowing what was committed.
        if !durable {
            self.appenders = Some(appenders);
        }
        committed
    }
}

impl Drop for Importer<'_> {
    fn drop(&mut self) {
        let Some(appenders) = self.appenders.take() else { return };
        let ends = [
            appenders.core.abandon(self.committed.core),
            appenders.fragments.abandon(self.committed.fragments),
            appenders.documents.abandon(self.committed.documents),
        ];
        for error in ends.into_iter().filter_map(Result::err) {
            // Harmless: the next import or start cuts the tail off.
            tracing::warn!(%error, "the tail of an import stays until the next one");
        }
    }
}
