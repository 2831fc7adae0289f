//! Store: the chain. An entry's hash is SHA-256 over the hash before it and the entry's canonical bytes, in
//! which every field has its length, so that no two entries have the same bytes.

use super::Actor;
use crate::columns::Columns;
use crate::error::{During, StoreError};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use sha2::{Digest, Sha256};
use sluicegate_terms::{Timestamp, UpdateId};
use std::fmt;

/// The version of the canonical bytes, their first byte.
const LAYOUT: u8 = 1;

/// A hash of the chain.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct AuditHash(pub [u8; 32]);

impl fmt::Display for AuditHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl AuditHash {
    /// Reads 64 hexadecimal digits.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let mut hash = [0_u8; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (at, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
        }
        Some(Self(hash))
    }
}

/// The end of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AuditHead {
    /// The number of the last entry; 0 when there is none.
    pub count: u64,
    /// Its hash.
    pub hash: AuditHash,
}

/// An entry of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditEntry {
    /// Its number; the first is 1.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// `administrator`, `upstream` or `server`.
    pub kind: String,
    /// Who.
    pub who: String,
    /// From where; may be empty.
    pub origin: String,
    /// What was done: `approve`, `decline`, `import`, …
    pub action: String,
    /// To what, for people.
    pub subject: String,
    /// The update, when it is about one.
    pub update: Option<UpdateId>,
    /// What was, as JSON.
    pub before: Option<String>,
    /// What is, as JSON.
    pub after: Option<String>,
    /// The hash over the entry and everything before it.
    pub hash: AuditHash,
}

impl AuditEntry {
    /// The hash this entry has as number `seq` behind an entry with the hash `previous`.
    pub(crate) fn hash_at(&self, seq: u64, previous: AuditHash) -> AuditHash {
        let mut hasher = Sha256::new();
        hasher.update([LAYOUT]);
        hasher.update(previous.0);
        hasher.update(seq.to_be_bytes());
        hasher.update(self.at.ticks().to_be_bytes());
        for text in [&self.kind, &self.who, &self.origin, &self.action, &self.subject] {
            put(&mut hasher, Some(text.as_bytes()));
        }
        put(&mut hasher, self.update.as_ref().map(|update| update.0.as_bytes().as_slice()));
        put(&mut hasher, self.before.as_ref().map(String::as_bytes));
        put(&mut hasher, self.after.as_ref().map(String::as_bytes));
        AuditHash(hasher.finalize().into())
    }
}

/// A field: whether it is there, its length, its bytes.
fn put(hasher: &mut Sha256, field: Option<&[u8]>) {
    hasher.update([u8::from(field.is_some())]);
    if let Some(bytes) = field {
        hasher.update((bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    }
}

/// What is to be written; who and when come with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) action: &'static str,
    pub(crate) subject: String,
    pub(crate) update: Option<UpdateId>,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

/// Appends entries inside the transaction of what they tell.
pub(crate) fn append(
    tx: &Transaction<'_>,
    actor: &Actor,
    now: Timestamp,
    entries: &[Entry],
) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut head = last(tx)?;
    let mut insert = tx
        .prepare_cached(
            "INSERT INTO audit (seq, at, kind, who, origin, action, subject, update_id, before, after, hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )
        .during("write the audit log")?;
    for entry in entries {
        let whole = AuditEntry {
            seq: head.count + 1,
            at: now,
            kind: actor.kind.as_str().to_owned(),
            who: actor.name.clone(),
            origin: actor.origin.clone(),
            action: entry.action.to_owned(),
            subject: entry.subject.clone(),
            update: entry.update,
            before: entry.before.clone(),
            after: entry.after.clone(),
            hash: AuditHash::default(),
        };
        head = AuditHead { count: whole.seq, hash: whole.hash_at(whole.seq, head.hash) };
        insert
            .execute(params![
                crate::columns::signed(whole.seq),
                now.ticks(),
                whole.kind,
                whole.who,
                whole.origin,
                whole.action,
                whole.subject,
                whole.update.as_ref().map(|update| update.0.as_bytes()),
                whole.before,
                whole.after,
                head.hash.0
            ])
            .during("write the audit log")?;
    }
    Ok(())
}

/// The end of the log as a connection sees it.
pub(crate) fn last(db: &Connection) -> Result<AuditHead, StoreError> {
    let found = db
        .prepare_cached("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
        .and_then(|mut s| s.query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?))).optional())
        .during("read the end of the audit log")?;
    Ok(found.map_or_else(AuditHead::default, |(seq, hash)| AuditHead {
        count: seq.unsigned_abs(),
        hash: AuditHash(hash),
    }))
}

/// The columns that [`read`] reads, in its order.
pub(super) const COLUMNS: &str =
    "seq, at, kind, who, origin, action, subject, update_id, before, after, hash";

/// An entry from its row.
pub(super) fn read(row: &Row<'_>) -> Result<AuditEntry, StoreError> {
    let update: Option<[u8; 16]> = row.get(7).during("read the audit log")?;
    Ok(AuditEntry {
        seq: row.natural(0)?,
        at: row.time(1)?,
        kind: row.text(2)?,
        who: row.text(3)?,
        origin: row.text(4)?,
        action: row.text(5)?,
        subject: row.text(6)?,
        update: update.map(|id| UpdateId(sluicegate_terms::Guid::from_bytes(id))),
        before: row.text_if_any(8)?,
        after: row.text_if_any(9)?,
        hash: AuditHash(row.get(10).during("read the audit log")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(who: &str, origin: &str, before: Option<&str>, after: Option<&str>) -> AuditEntry {
        AuditEntry {
            seq: 1,
            at: Timestamp::from_ticks(5),
            kind: "administrator".to_owned(),
            who: who.to_owned(),
            origin: origin.to_owned(),
            action: "approve".to_owned(),
            subject: String::new(),
            update: None,
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
            hash: AuditHash::default(),
        }
    }

    proptest! {
        #[test]
        fn entries_that_differ_in_anything_have_different_hashes(
            a in ("[ab]{0,3}", "[ab]{0,3}", prop::option::of("[ab]{0,2}"), prop::option::of("[ab]{0,2}")),
            b in ("[ab]{0,3}", "[ab]{0,3}", prop::option::of("[ab]{0,2}"), prop::option::of("[ab]{0,2}")),
        ) {
            let hash = |e: &(String, String, Option<String>, Option<String>)| {
                entry(&e.0, &e.1, e.2.as_deref(), e.3.as_deref()).hash_at(1, AuditHash::default())
            };
            prop_assert_eq!(a == b, hash(&a) == hash(&b));
        }
    }

    #[test]
    fn place_and_predecessor_are_part_of_the_hash() {
        let one = entry("a", "", None, None);
        let hash = one.hash_at(1, AuditHash::default());
        assert_ne!(hash, one.hash_at(2, AuditHash::default()));
        assert_ne!(hash, one.hash_at(1, AuditHash([1; 32])));
        assert_eq!(AuditHash::from_hex(&hash.to_string()), Some(hash));
        assert_eq!(AuditHash::from_hex("0g"), None);
    }
}
