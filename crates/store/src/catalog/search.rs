//! Store: the catalog as administrators look at it: lists with search and filters, and one update's
//! details.

use crate::Store;
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError, StoredAs};
use rusqlite::{Connection, OptionalExtension, Row, ToSql};
use sluicegate_catalog::{Limits, Listing, ScanRecord, parse};
use sluicegate_policy::UpdateState;
use sluicegate_terms::{CategoryKind, RevisionId, RevisionNumber, Timestamp, UpdateId, UpdateKind};
use std::collections::BTreeMap;

/// Most rows of one page.
pub(crate) const LARGEST_PAGE: u32 = 10_000;

/// Which updates by what was decided about them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ApprovalFilter {
    /// Approved (to install or uninstall) for some group.
    Approved,
    /// Neither approved for any group nor declined.
    Undecided,
    /// Declined.
    Declined,
}

/// What to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UpdateQuery {
    /// Words of which each must be in the title, a KB number, bulletin or CVE name, or be the update's id.
    pub search: Option<String>,
    /// Under this classification.
    pub classification: Option<UpdateId>,
    /// Under this product or product family.
    pub product: Option<UpdateId>,
    /// By decision.
    pub approval: Option<ApprovalFilter>,
    /// Also categories, detectoids and parts of bundles, which nobody approves.
    pub everything: bool,
    /// At most so many rows (at most 10,000).
    pub limit: u32,
    /// Skip so many.
    pub offset: u32,
}

/// On how many computers an update is in which state.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StateCounts(pub BTreeMap<u8, u64>);

impl StateCounts {
    /// How many are in this state. Only states that computers reported are counted here.
    #[must_use]
    pub fn of(&self, state: UpdateState) -> u64 {
        self.0.get(&(state as u8)).copied().unwrap_or(0)
    }
}

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
    /// Computers by reported state.
    pub states: StateCounts,
}

/// A page of a list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UpdatePage {
    /// The page's rows.
    pub rows: Vec<UpdateRow>,
    /// How many rows all pages have.
    pub total: u64,
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
}

const ROW: &str =
    "SELECT k.update_id, r.number, r.id, l.kind, l.title, l.kb, l.created, r.arrived_at, l.size,
        (SELECT count(*) FROM approval a WHERE a.update_id = k.update_id AND a.action <> 'not-approved'),
        EXISTS (SELECT 1 FROM decline d WHERE d.update_id = k.update_id),
        (SELECT cl.title FROM listing_category lc JOIN category c ON c.update_id = lc.category
             JOIN known_update ck ON ck.update_id = c.update_id JOIN listing cl ON cl.revision_id = ck.newest
         WHERE lc.revision_id = k.newest AND c.kind = 'UpdateClassification' LIMIT 1)";
const FROM: &str =
    " FROM known_update k JOIN revision r ON r.id = k.newest JOIN listing l ON l.revision_id = k.newest";

impl Store {
    /// Lists updates, the most recently published first.
    ///
    /// # Errors
    /// A failure to read.
    pub fn updates(&self, query: &UpdateQuery) -> Result<UpdatePage, StoreError> {
        let (condition, values) = condition(query);
        self.shared.database.read(|db| {
            let db = db.transaction().during("list updates")?;
            let parameters: Vec<&dyn ToSql> = values.iter().map(AsRef::as_ref).collect();
            let total = db
                .prepare_cached(&format!("SELECT count(*){FROM}{condition}"))
                .and_then(|mut s| s.query_row(parameters.as_slice(), |row| row.get::<_, i64>(0)))
                .during("count updates")?;
            let limit = query.limit.min(LARGEST_PAGE);
            let sql = format!(
                "{ROW}{FROM}{condition} ORDER BY l.created DESC, l.title, k.update_id LIMIT {limit} OFFSET {}",
                query.offset
            );
            let mut rows = Vec::new();
            let mut statement = db.prepare(&sql).during("list updates")?;
            let mut found = statement.query(parameters.as_slice()).during("list updates")?;
            for_rows(&mut found, |row| {
                rows.push(update_row(&db, row)?);
                Ok(())
            })?;
            Ok(UpdatePage { rows, total: total.unsigned_abs() })
        })
    }

    /// One update.
    ///
    /// # Errors
    /// [`StoreError::UnknownUpdate`], or a failure to read.
    pub fn update(&self, update: UpdateId) -> Result<UpdateDetails, StoreError> {
        let (row, revisions, kinds) = self.shared.database.read(|db| {
            let db = db.transaction().during("look up an update")?;
            let row = {
                let mut statement = db
                    .prepare_cached(&format!("{ROW}{FROM} WHERE k.update_id = ?1"))
                    .during("look up an update")?;
                let mut rows = statement.query([update.0.as_bytes()]).during("look up an update")?;
                match rows.next().during("look up an update")? {
                    Some(row) => update_row(&db, row)?,
                    None => return Err(StoreError::UnknownUpdate(update)),
                }
            };
            let kinds: BTreeMap<UpdateId, CategoryKind> =
                categories(&db)?.into_iter().map(|c| (c.update, c.kind)).collect();
            Ok((row, revisions(&db, update)?, kinds))
        })?;
        let record = self.newest_record(update)?;
        let document = self.document_bytes(row.id)?;
        let parsed = parse(&document, &Limits::default()).map_err(|e| StoreError::Unreadable {
            what: format!("document of update {update}"),
            reason: e.to_string(),
        })?;
        let mut listing = parsed.listing();
        listing.classify(|category| kinds.get(&category).copied());
        Ok(UpdateDetails { row, listing, record, revisions })
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

    /// All categories with their titles, by level and title.
    ///
    /// # Errors
    /// A failure to read.
    pub fn categories(&self) -> Result<Vec<CategoryRow>, StoreError> {
        self.shared.database.read(|db| categories(db))
    }
}

/// The WHERE clause of a query and its values.
fn condition(query: &UpdateQuery) -> (String, Vec<Box<dyn ToSql>>) {
    let mut parts: Vec<String> = Vec::new();
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    if !query.everything {
        parts.push(
            "l.kind IN ('Software', 'Driver') AND l.deployable = 1
             AND NOT EXISTS (SELECT 1 FROM bundle_member b WHERE b.member = k.update_id)"
                .to_owned(),
        );
    }
    for word in query.search.as_deref().unwrap_or_default().split_whitespace() {
        if let Ok(update) = word.parse::<UpdateId>() {
            values.push(Box::new(update.0.as_bytes().to_vec()));
            parts.push(format!("k.update_id = ?{}", values.len()));
        } else {
            values.push(Box::new(word.to_lowercase()));
            parts.push(format!("instr(l.search, ?{}) > 0", values.len()));
        }
    }
    for category in [query.classification, query.product].into_iter().flatten() {
        values.push(Box::new(category.0.as_bytes().to_vec()));
        parts.push(format!(
            "EXISTS (SELECT 1 FROM listing_category c WHERE c.category = ?{} AND c.revision_id = k.newest)",
            values.len()
        ));
    }
    let approved =
        "EXISTS (SELECT 1 FROM approval a WHERE a.update_id = k.update_id AND a.action <> 'not-approved')";
    let declined = "EXISTS (SELECT 1 FROM decline d WHERE d.update_id = k.update_id)";
    match query.approval {
        Some(ApprovalFilter::Approved) => parts.push(approved.to_owned()),
        Some(ApprovalFilter::Declined) => parts.push(declined.to_owned()),
        Some(ApprovalFilter::Undecided) => parts.push(format!("NOT {approved} AND NOT {declined}")),
        None => {}
    }
    let text = if parts.is_empty() { String::new() } else { format!(" WHERE {}", parts.join(" AND ")) };
    (text, values)
}

fn update_row(db: &Connection, row: &Row<'_>) -> Result<UpdateRow, StoreError> {
    let update = row.update(0)?;
    let kb = row.text(5)?;
    Ok(UpdateRow {
        update,
        revision: row.revision_number(1)?,
        id: row.revision_id(2)?,
        kind: row.text(3)?.parse().stored_as("kind of update")?,
        title: row.text(4)?,
        kb: kb.split(',').filter(|k| !k.is_empty()).map(str::to_owned).collect(),
        created: row.time_if_any(6)?,
        arrived_at: row.time(7)?,
        size: row.natural(8)?,
        approvals: row.natural(9)?,
        declined: row.int(10)? != 0,
        classification: row.text_if_any(11)?,
        states: states(db, update)?,
    })
}

fn states(db: &Connection, update: UpdateId) -> Result<StateCounts, StoreError> {
    let mut counts = StateCounts::default();
    let mut statement = db
        .prepare_cached("SELECT state, count(*) FROM update_status WHERE update_id = ?1 GROUP BY state")
        .during("count states")?;
    let mut rows = statement.query([update.0.as_bytes()]).during("count states")?;
    for_rows(&mut rows, |row| {
        counts.0.insert(u8::try_from(row.int(0)?).unwrap_or(0), row.natural(1)?);
        Ok(())
    })?;
    Ok(counts)
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
