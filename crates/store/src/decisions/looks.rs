//! Store: what filters look at (policy's `Looks`), gathered from listings: for the whole catalog when cleanup looks,
//! for the updates that came in inside an import's own transaction.

use super::subject;
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError};
use rusqlite::{Connection, Row};
use sluicegate_catalog::Traits;
use sluicegate_policy::filters::Looks;
use sluicegate_terms::UpdateId;
use std::collections::HashMap;

/// What lists say of updates, as far as filters ask.
#[derive(Default)]
pub(crate) struct Gallery {
    seen: HashMap<UpdateId, Seen>,
    files: HashMap<UpdateId, Vec<String>>,
}

struct Seen {
    title: String,
    traits: Traits,
    product: bool,
}

const SEEN: &str = "SELECT k.update_id, l.title, l.traits, coalesce(c.kind, '') FROM known_update k
    JOIN listing l ON l.revision_id = k.newest LEFT JOIN category c ON c.update_id = k.update_id";

const FILES: &str = "SELECT k.update_id, f.name FROM known_update k
    JOIN revision_file r ON r.revision_id = k.newest JOIN file f ON f.sha1 = r.sha1";

impl Gallery {
    /// Of the whole catalog; names of files only when somebody asks for them.
    pub(crate) fn whole(db: &Connection, files: bool) -> Result<Self, StoreError> {
        let mut gallery = Self::default();
        let mut statement = db.prepare_cached(SEEN).during("read what filters look at")?;
        for_rows(&mut statement.query([]).during("read what filters look at")?, |row| gallery.see(row))?;
        if files {
            let mut statement = db.prepare_cached(FILES).during("read names of files")?;
            for_rows(&mut statement.query([]).during("read names of files")?, |row| gallery.name(row))?;
        }
        Ok(gallery)
    }

    /// Adds an update, what it needs and what it bundles, and tells what filters see of it. `None` for one that
    /// is not here.
    pub(crate) fn look_up(&mut self, db: &Connection, update: UpdateId) -> Result<Option<Looks>, StoreError> {
        let Some(record) = subject::record(db, update, None)? else { return Ok(None) };
        let needs: Vec<UpdateId> =
            record.prerequisites.iter().flat_map(|clause| clause.any_of.iter().copied()).collect();
        let members: Vec<UpdateId> = record.bundles.iter().flatten().map(|member| member.update).collect();
        for one in needs.iter().chain(&members).chain([&update]) {
            if self.seen.contains_key(one) {
                continue;
            }
            for (sql, files) in [(SEEN, false), (FILES, true)] {
                let mut statement = db
                    .prepare_cached(&format!("{sql} WHERE k.update_id = ?1"))
                    .during("read what filters look at")?;
                let mut rows = statement.query([one.0.as_bytes()]).during("read what filters look at")?;
                for_rows(&mut rows, |row| if files { self.name(row) } else { self.see(row) })?;
            }
        }
        Ok(self.looks(update, &needs, &members))
    }

    fn see(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        let traits = row.text_if_any(2)?.map(|text| Traits::from_text(&text)).unwrap_or_default();
        let seen = Seen { title: row.text(1)?, traits, product: row.text(3)? == PRODUCT };
        self.seen.insert(row.update(0)?, seen);
        Ok(())
    }

    fn name(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        self.files.entry(row.update(0)?).or_default().push(row.text(1)?);
        Ok(())
    }

    /// The title of an update.
    pub(crate) fn title(&self, update: UpdateId) -> Option<&str> {
        self.seen.get(&update).map(|seen| seen.title.as_str())
    }

    /// What filters see of an update that needs and bundles these.
    pub(crate) fn looks(&self, update: UpdateId, needs: &[UpdateId], members: &[UpdateId]) -> Option<Looks> {
        let own = self.seen.get(&update)?;
        let mut looks = Looks::titled(&own.title);
        looks.beta = own.traits.beta;
        let parts = || members.iter().filter_map(|member| self.seen.get(member));
        let needed = || needs.iter().filter_map(|needed| self.seen.get(needed));
        for seen in needed() {
            let list = if seen.product { &mut looks.products } else { &mut looks.others };
            list.push(seen.title.clone());
        }
        for from in [vec![own], parts().collect(), needed().collect()] {
            if looks.processors.is_empty() {
                looks.processors =
                    from.iter().flat_map(|seen| seen.traits.processors.iter().copied()).collect();
            }
        }
        looks.languages.clone_from(&own.traits.languages);
        // A bundle is in the languages of its parts when each of them says in which.
        if looks.languages.is_empty() && parts().all(|part| !part.traits.languages.is_empty()) {
            looks.languages = parts().flat_map(|part| part.traits.languages.iter().cloned()).collect();
        }
        for one in members.iter().chain([&update]) {
            looks.files.extend(self.files.get(one).into_iter().flatten().cloned());
        }
        Some(looks)
    }
}

/// How the database writes that a category is a product (`CategoryKind::Product`).
const PRODUCT: &str = "Product";
