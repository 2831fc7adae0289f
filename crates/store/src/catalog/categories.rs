//! Store: the categories a revision is listed in, as a column has them: the ids one behind the other, sorted. A row
//! for each would be two more entries to write for each category of each revision, and nobody looks from the other side.

use crate::Store;
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError, StoredAs};
use rusqlite::{Connection, OptionalExtension, Row};
use sluicegate_terms::{CategoryKind, Guid, UpdateId};
use std::collections::{BTreeMap, BTreeSet};

/// Length of one id, in bytes.
const ID: usize = 16;

/// The column for these categories.
pub(crate) fn column(categories: &[UpdateId]) -> Vec<u8> {
    let mut sorted = categories.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted.iter().flat_map(|category| *category.0.as_bytes()).collect()
}

/// The categories in a column of a row, in their order.
pub(crate) fn of_row(row: &Row<'_>, at: usize) -> Result<Vec<UpdateId>, StoreError> {
    let bytes = row.get_ref(at).and_then(|value| Ok(value.as_blob()?)).during("read categories")?;
    Ok(of_bytes(bytes))
}

fn of_bytes(bytes: &[u8]) -> Vec<UpdateId> {
    let (ids, _) = bytes.as_chunks::<ID>();
    ids.iter().map(|id| UpdateId(Guid::from_bytes(*id))).collect()
}

/// The categories that the newest revision of an update is listed in; none for an update that is not here.
fn of_newest(db: &Connection, update: UpdateId) -> Result<Vec<UpdateId>, StoreError> {
    let mut statement = db
        .prepare_cached(
            "SELECT l.categories FROM known_update k JOIN listing l ON l.revision_id = k.newest
             WHERE k.update_id = ?1",
        )
        .during("look up categories")?;
    let mut rows = statement.query([update.0.as_bytes()]).during("look up categories")?;
    rows.next().during("look up categories")?.map_or(Ok(Vec::new()), |row| of_row(row, 0))
}

/// Where a category stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CategoryPlace {
    /// Which.
    pub update: UpdateId,
    /// Its level.
    pub kind: CategoryKind,
    /// What it stands in directly, by its newest revision.
    pub stands_in: Vec<UpdateId>,
}

impl Store {
    /// All categories and where each stands, by id.
    ///
    /// # Errors
    /// A failure to read.
    pub fn category_places(&self) -> Result<Vec<CategoryPlace>, StoreError> {
        self.shared.database.read(|db| {
            let mut statement = db
                .prepare_cached(
                    "SELECT c.update_id, c.kind, l.categories FROM category c JOIN known_update k USING (update_id)
                     JOIN listing l ON l.revision_id = k.newest ORDER BY 1",
                )
                .during("look where categories stand")?;
            let mut rows = statement.query([]).during("look where categories stand")?;
            let mut places = Vec::new();
            for_rows(&mut rows, |row| {
                places.push(CategoryPlace {
                    update: row.update(0)?,
                    kind: row.text(1)?.parse().stored_as("kind of category")?,
                    stands_in: of_row(row, 2)?,
                });
                Ok::<_, StoreError>(())
            })?;
            Ok(places)
        })
    }
}

/// The categories above categories, each looked up once.
#[derive(Default)]
pub(crate) struct CategoryTree(BTreeMap<UpdateId, Vec<UpdateId>>);

impl CategoryTree {
    /// All categories an update stands under, directly and through others.
    pub(crate) fn over(&mut self, db: &Connection, update: UpdateId) -> Result<Vec<UpdateId>, StoreError> {
        let mut found = BTreeSet::new();
        let mut waiting = of_newest(db, update)?;
        while let Some(category) = waiting.pop() {
            if found.insert(category) {
                let above = match self.0.get(&category) {
                    Some(above) => above,
                    None => {
                        let above = of_newest(db, category)?;
                        self.0.entry(category).or_insert(above)
                    }
                };
                waiting.extend(above);
            }
        }
        Ok(found.into_iter().collect())
    }
}

/// The title of the classification among these categories.
pub(crate) fn classification(db: &Connection, categories: &[UpdateId]) -> Result<Option<String>, StoreError> {
    for category in categories {
        let title = db
            .prepare_cached(
                "SELECT l.title FROM category c JOIN known_update k ON k.update_id = c.update_id
                 JOIN listing l ON l.revision_id = k.newest
                 WHERE c.update_id = ?1 AND c.kind = 'UpdateClassification'",
            )
            .and_then(|mut s| s.query_row([category.0.as_bytes()], |row| row.get(0)).optional())
            .during("look up a classification")?;
        if title.is_some() {
            return Ok(title);
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_come_back_sorted_and_once() {
        let id = |n| UpdateId(Guid::from_u128(n));
        assert_eq!(of_bytes(&column(&[id(9), id(2), id(9), id(5)])), [id(2), id(5), id(9)]);
        assert_eq!(of_bytes(&column(&[])), []);
    }
}
