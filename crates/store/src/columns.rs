//! Store: how values of our terms lie in columns: identifiers as BLOBs, times as ticks, words as text.

use crate::error::{During, StoreError, StoredAs};
use rusqlite::Row;
use sluicegate_terms::{Anchor, GroupId, Guid, RevisionId, RevisionNumber, Sha1Digest, Timestamp, UpdateId};

/// Reads columns of a row by position, with our types.
pub(crate) trait Columns {
    /// A GUID.
    fn guid(&self, at: usize) -> Result<Guid, StoreError>;
    /// An update's id.
    fn update(&self, at: usize) -> Result<UpdateId, StoreError> {
        self.guid(at).map(UpdateId)
    }
    /// A group's id.
    fn group(&self, at: usize) -> Result<GroupId, StoreError> {
        self.guid(at).map(GroupId)
    }
    /// A signed number.
    fn int(&self, at: usize) -> Result<i64, StoreError>;
    /// A number that is never negative.
    fn natural(&self, at: usize) -> Result<u64, StoreError>;
    /// A length or other number of 32 bits.
    fn word(&self, at: usize) -> Result<u32, StoreError>;
    /// A time.
    fn time(&self, at: usize) -> Result<Timestamp, StoreError> {
        self.int(at).map(Timestamp::from_ticks)
    }
    /// A time, if there is one.
    fn time_if_any(&self, at: usize) -> Result<Option<Timestamp>, StoreError>;
    /// An anchor.
    fn anchor(&self, at: usize) -> Result<Anchor, StoreError> {
        self.natural(at).map(Anchor)
    }
    /// A revision's id.
    fn revision_id(&self, at: usize) -> Result<RevisionId, StoreError> {
        RevisionId::new(self.int(at)?).stored_as("revision id")
    }
    /// A revision's number.
    fn revision_number(&self, at: usize) -> Result<RevisionNumber, StoreError> {
        RevisionNumber::new(self.int(at)?).stored_as("revision number")
    }
    /// Text.
    fn text(&self, at: usize) -> Result<String, StoreError>;
    /// Text, if there is some.
    fn text_if_any(&self, at: usize) -> Result<Option<String>, StoreError>;
    /// A file's digest.
    fn sha1(&self, at: usize) -> Result<Sha1Digest, StoreError>;
}

impl Columns for Row<'_> {
    fn guid(&self, at: usize) -> Result<Guid, StoreError> {
        self.get(at).during("read an id").map(Guid::from_bytes)
    }

    fn int(&self, at: usize) -> Result<i64, StoreError> {
        self.get(at).during("read a number")
    }

    fn natural(&self, at: usize) -> Result<u64, StoreError> {
        self.int(at).map(i64::unsigned_abs)
    }

    fn word(&self, at: usize) -> Result<u32, StoreError> {
        self.get(at).during("read a length")
    }

    fn time_if_any(&self, at: usize) -> Result<Option<Timestamp>, StoreError> {
        self.get::<_, Option<i64>>(at).during("read a time").map(|t| t.map(Timestamp::from_ticks))
    }

    fn text(&self, at: usize) -> Result<String, StoreError> {
        self.get(at).during("read text")
    }

    fn text_if_any(&self, at: usize) -> Result<Option<String>, StoreError> {
        self.get(at).during("read text")
    }

    fn sha1(&self, at: usize) -> Result<Sha1Digest, StoreError> {
        self.get(at).during("read a digest").map(Sha1Digest)
    }
}

/// A counter as SQLite keeps it; our counters never reach the sign bit.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// What `one` makes of every row of a query.
pub(crate) fn gathered<T, C: Default + Extend<T>>(
    rows: &mut rusqlite::Rows<'_>,
    mut one: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<C, StoreError> {
    let mut all = C::default();
    for_rows(rows, |row| {
        all.extend([one(row)?]);
        Ok(())
    })?;
    Ok(all)
}

/// Runs `each` on every row of a query.
pub(crate) fn for_rows(
    rows: &mut rusqlite::Rows<'_>,
    mut each: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    while let Some(row) = rows.next().during("read rows")? {
        each(row)?;
    }
    Ok(())
}
