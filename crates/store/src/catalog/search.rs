//! Store: the catalog as administrators look at it: the rows of lists (which `status` finds), and one
//! update's details.

use crate::Store;
use crate::catalog::categories;
use crate::catalog::{decode_record, given};
use crate::columns::{Columns, for_rows, gathered};
use crate::error::{During, StoreError, StoredAs};
use rusqlite::{Connection, OptionalExtension};
use sluicegate_browse::{ApprovalState, Reboot, Severity, StateCounts, UpdateHit};
use sluicegate_catalog::{FileEntry, Limits, Listing, ScanRecord, parse};
use sluicegate_terms::{
    CategoryKind, RevisionId, RevisionNumber, Timestamp, UpdateId, UpdateIdentity, UpdateKind,
};
use std::collections::BTreeMap;

/// Most rows of one page.
pub(crate) const LARGEST_PAGE: u32 = 10_000;

/// One line of a list: an update by its newest revision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpdateRow {
    /// Which update.
    pub update: UpdateId,
    /// Its newest revision's number.
    pub revision: RevisionNumber,
    /// Its newest revision's id on this server.
    pub id: RevisionId,
    /// What it is.
    pub kind: UpdateKind,
    /// Its title.
    pub title: String,
    /// Knowledge base articles.
    pub kb: Vec<String>,
    /// The title of its classification.
    pub classification: Option<String>,
    /// When it was published.
    pub created: Option<Timestamp>,
    /// When its newest revision arrived here.
    pub arrived_at: Timestamp,
    /// Its files' bytes together.
    pub size: u64,
    /// For how many groups it is approved.
    pub approvals: u64,
    /// It is declined.
    pub declined: bool,
    /// For some group, or declined, or neither.
    pub approval: ApprovalState,
    /// An update that is not declined supersedes it.
    pub superseded: bool,
    /// The severity of what it mends.
    pub severity: Severity,
    /// Whether it restarts computers.
    pub reboot: Reboot,
    /// Computers by state.
    pub states: StateCounts,
}

/// A page of a list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UpdatePage {
    /// The page's rows.
    pub rows: Vec<UpdateRow>,
    /// How many rows all pages have.
    pub total: u64,
    /// Computers whose newest reports are not in the counts yet.
    pub pending: u64,
}

/// One stored revision of an update.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RevisionRow {
    /// Its id on this server.
    pub id: RevisionId,
    /// Its number.
    pub number: RevisionNumber,
    /// When it came.
    pub arrived_at: Timestamp,
    /// From which document.
    pub source: String,
}

/// A category with its title.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CategoryRow {
    /// Its id.
    pub update: UpdateId,
    /// Its level.
    pub kind: CategoryKind,
    /// Its title.
    pub title: String,
}

/// A file of one revision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RevisionFile {
    /// The file.
    pub file: FileEntry,
    /// Of which revision.
    pub revision: RevisionNumber,
    /// Clients are given this revision: it is the one in service, or a bundle in service names it.
    pub in_service: bool,
}

/// Everything about one update.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpdateDetails {
    /// Its line.
    pub row: UpdateRow,
    /// What its newest document says, categories sorted.
    pub listing: Listing,
    /// Its newest revision's relationships.
    pub record: ScanRecord,
    /// All its revisions, newest first.
    pub revisions: Vec<RevisionRow>,
    /// The files of its newest revision, and of others that clients are given.
    pub files: Vec<RevisionFile>,
    /// The updates whose newest revision supersedes this one.
    pub superseded_by: Vec<UpdateId>,
    /// The updates whose newest revision bundles this one.
    pub bundled_by: Vec<UpdateId>,
}

const ROW: &str =
    "SELECT k.update_id, r.number, r.id, l.kind, l.title, l.kb, l.created, r.arrived_at, l.size,
        (SELECT count(*) FROM approval a WHERE a.update_id = k.update_id AND a.action <> 'not-approved'),
        EXISTS (SELECT 1 FROM decline d WHERE d.update_id = k.update_id),
        l.categories, l.severity, l.reboot
     FROM known_update k JOIN revision r ON r.id = k.newest JOIN listing l ON l.revision_id = k.newest
     WHERE k.update_id = ?1";

impl Store {
    /// One update.
    ///
    /// # Errors
    /// [`StoreError::UnknownUpdate`], or a failure to read.
    pub fn update(&self, update: UpdateId) -> Result<UpdateDetails, StoreError> {
        let hit = self.states_of_update(update)?.ok_or(StoreError::UnknownUpdate(update))?;
        let serving = self.decisions().held.get(&update).map(|hold| hold.serving);
        let (row, revisions, kinds, superseded_by, bundled_by, given) = self.shared.database.read(|db| {
            let db = db.transaction().during("look up an update")?;
            let row = update_row(&db, &hit)?.ok_or(StoreError::UnknownUpdate(update))?;
            let kinds: BTreeMap<UpdateId, CategoryKind> =
                categories(&db)?.into_iter().map(|c| (c.update, c.kind)).collect();
            let revisions = revisions(&db, update)?;
            let mut given = Vec::new();
            let serving = serving.unwrap_or(row.revision);
            for revision in revisions.iter().map(|revision: &RevisionRow| revision.number) {
                if given::is_given(&db, update, revision, serving)? {
                    given.push(revision);
                }
            }
            Ok((row, revisions, kinds, superseded_by(&db, update)?, bundled_by(&db, update)?, given))
        })?;
        let record = self.newest_record(update)?;
        let mut listing = self.listing(update, row.id)?;
        listing.classify(|category| kinds.get(&category).copied());
        let mut files = Vec::new();
        for revision in &revisions {
            let (number, in_service) = (revision.number, given.contains(&revision.number));
            let of_revision = match (revision.id == row.id, in_service) {
                (true, _) => listing.files.clone(),
                (false, true) => self.listing(update, revision.id)?.files,
                (false, false) => continue,
            };
            let tell = |file| RevisionFile { file, revision: number, in_service };
            files.extend(of_revision.into_iter().map(tell));
        }
        Ok(UpdateDetails { row, listing, record, revisions, files, superseded_by, bundled_by })
    }

    /// What the document of a revision says.
    fn listing(&self, update: UpdateId, revision: RevisionId) -> Result<Listing, StoreError> {
        let document = self.document_bytes(revision)?;
        let parsed = parse(&document, &Limits::default()).map_err(|e| StoreError::Unreadable {
            what: format!("document of update {update}"),
            reason: e.to_string(),
        })?;
        Ok(parsed.listing())
    }

    /// An update's title.
    ///
    /// # Errors
    /// [`StoreError::UnknownUpdate`], or a failure to read.
    pub fn title(&self, update: UpdateId) -> Result<String, StoreError> {
        let found = self.shared.database.read(|db| {
            db.prepare_cached(
                "SELECT l.title FROM known_update k JOIN listing l ON l.revision_id = k.newest
                 WHERE k.update_id = ?1",
            )
            .and_then(|mut s| s.query_row([update.0.as_bytes()], |row| row.get(0)).optional())
            .during("look up a title")
        })?;
        found.ok_or(StoreError::UnknownUpdate(update))
    }

    /// An update's title and knowledge base articles.
    ///
    /// # Errors
    /// [`StoreError::UnknownUpdate`], or a failure to read.
    pub fn title_and_kb(&self, update: UpdateId) -> Result<(String, Vec<String>), StoreError> {
        let found = self.shared.database.read(|db| {
            db.prepare_cached(
                "SELECT l.title, l.kb FROM known_update k JOIN listing l ON l.revision_id = k.newest
                 WHERE k.update_id = ?1",
            )
            .and_then(|mut s| {
                s.query_row([update.0.as_bytes()], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))
                    .optional()
            })
            .during("look up a title")
        })?;
        let (title, kb) = found.ok_or(StoreError::UnknownUpdate(update))?;
        Ok((title, articles(&kb)))
    }

    /// All categories with their titles, by level and title.
    ///
    /// # Errors
    /// A failure to read.
    pub fn categories(&self) -> Result<Vec<CategoryRow>, StoreError> {
        self.shared.database.read(|db| categories(db))
    }
}

/// The row of an update that was found; `None` when it is gone.
pub(crate) fn update_row(db: &Connection, hit: &UpdateHit) -> Result<Option<UpdateRow>, StoreError> {
    let mut statement = db.prepare_cached(ROW).during("look up an update")?;
    let mut rows = statement.query([hit.update.0.as_bytes()]).during("look up an update")?;
    let Some(row) = rows.next().during("look up an update")? else { return Ok(None) };
    Ok(Some(UpdateRow {
        update: row.update(0)?,
        revision: row.revision_number(1)?,
        id: row.revision_id(2)?,
        kind: row.text(3)?.parse().stored_as("kind of update")?,
        title: row.text(4)?,
        kb: articles(&row.text(5)?),
        created: row.time_if_any(6)?,
        arrived_at: row.time(7)?,
        size: row.natural(8)?,
        approvals: row.natural(9)?,
        declined: row.int(10)? != 0,
        classification: categories::classification(db, &categories::of_row(row, 11)?)?,
        severity: Severity::of_document(Some(&row.text(12)?)),
        reboot: Reboot::of_document(Some(&row.text(13)?)),
        approval: hit.approval,
        superseded: hit.superseded,
        states: hit.states,
    }))
}

fn articles(column: &str) -> Vec<String> {
    column.split(',').filter(|k| !k.is_empty()).map(str::to_owned).collect()
}

fn superseded_by(db: &Connection, update: UpdateId) -> Result<Vec<UpdateId>, StoreError> {
    let mut statement = db
        .prepare_cached(
            "SELECT k.update_id FROM supersedence s JOIN known_update k ON k.newest = s.revision_id
             WHERE s.superseded = ?1 ORDER BY k.update_id",
        )
        .during("look up what supersedes an update")?;
    let mut rows = statement.query([update.0.as_bytes()]).during("look up what supersedes an update")?;
    gathered(&mut rows, |row| row.update(0))
}

/// Rows say what any revision bundles; the newest revision of each says whether it still does.
fn bundled_by(db: &Connection, update: UpdateId) -> Result<Vec<UpdateId>, StoreError> {
    let mut statement = db
        .prepare_cached(
            "SELECT r.update_id, r.number, r.record FROM bundle_member b
             JOIN known_update k ON k.update_id = b.bundle JOIN revision r ON r.id = k.newest
             WHERE b.member = ?1 ORDER BY r.update_id",
        )
        .during("look up an update's bundles")?;
    let mut rows = statement.query([update.0.as_bytes()]).during("look up an update's bundles")?;
    let mut list = Vec::new();
    for_rows(&mut rows, |row| {
        let identity = UpdateIdentity { update: row.update(0)?, revision: row.revision_number(1)? };
        let record: Vec<u8> = row.get(2).during("look up an update's bundles")?;
        let record = decode_record(identity, &record)?;
        if record.bundles.iter().flatten().any(|member| member.update == update) {
            list.push(identity.update);
        }
        Ok(())
    })?;
    Ok(list)
}

fn revisions(db: &Connection, update: UpdateId) -> Result<Vec<RevisionRow>, StoreError> {
    let mut statement = db
        .prepare_cached(
            "SELECT id, number, arrived_at, source FROM revision WHERE update_id = ?1 ORDER BY number DESC",
        )
        .during("list revisions")?;
    let mut rows = statement.query([update.0.as_bytes()]).during("list revisions")?;
    let mut list = Vec::new();
    for_rows(&mut rows, |row| {
        list.push(RevisionRow {
            id: row.revision_id(0)?,
            number: row.revision_number(1)?,
            arrived_at: row.time(2)?,
            source: row.text(3)?,
        });
        Ok(())
    })?;
    Ok(list)
}

fn categories(db: &Connection) -> Result<Vec<CategoryRow>, StoreError> {
    let mut statement = db
        .prepare_cached(
            "SELECT c.update_id, c.kind, l.title FROM category c JOIN known_update k USING (update_id)
             JOIN listing l ON l.revision_id = k.newest ORDER BY c.kind, l.title",
        )
        .during("list categories")?;
    let mut rows = statement.query([]).during("list categories")?;
    let mut list = Vec::new();
    for_rows(&mut rows, |row| {
        list.push(CategoryRow {
            update: row.update(0)?,
            kind: row.text(1)?.parse().stored_as("kind of category")?,
            title: row.text(2)?,
        });
        Ok(())
    })?;
    Ok(list)
}
