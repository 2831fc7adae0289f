//! Store: keys of encrypted files (MS-WSUSSS 3.1.1, IsEncrypted and DecryptionKey). A document says which of its
//! files are encrypted, not with which key: that the upstream is asked for, and until it has answered the revision
//! is remembered.

use crate::Store;
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError};
use rusqlite::{OptionalExtension, Transaction, params};
use sluicegate_terms::{Sha1Digest, UpdateIdentity};

/// Longest key that is kept, in bytes; real ones have 32.
pub const LONGEST_KEY: usize = 4_096;

/// Whether an Extended fragment has a file that is encrypted (`Files/File/@IsEncrypted`).
pub(crate) fn has_encrypted_files(extended: &str) -> bool {
    const NAME: &str = "IsEncrypted=";
    memchr::memmem::find_iter(extended.as_bytes(), NAME).any(|at| {
        let value = extended.get(at + NAME.len()..).unwrap_or_default();
        ["true", "1"].iter().any(|word| {
            value
                .strip_prefix(['"', '\''])
                .is_some_and(|rest| rest.strip_prefix(word).is_some_and(|rest| rest.starts_with(['"', '\''])))
        })
    })
}

/// Remembers revisions whose keys are to be asked for.
pub(crate) fn want(tx: &Transaction<'_>, revisions: &[UpdateIdentity]) -> Result<(), StoreError> {
    for one in revisions {
        tx.prepare_cached(
            "INSERT INTO wanted_key (update_id, number) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        )
        .and_then(|mut s| s.execute(params![one.update.0.as_bytes(), one.revision.get()]))
        .during("note a revision with encrypted files")?;
    }
    Ok(())
}

fn put(tx: &Transaction<'_>, keys: &[(Sha1Digest, Vec<u8>)]) -> Result<(), StoreError> {
    for (sha1, key) in keys {
        if key.is_empty() || key.len() > LONGEST_KEY {
            continue;
        }
        tx.prepare_cached(
            "INSERT INTO file_key (sha1, key) VALUES (?1, ?2) ON CONFLICT (sha1) DO UPDATE SET key = ?2",
        )
        .and_then(|mut s| s.execute(params![sha1.0, key]))
        .during("note the key of a file")?;
    }
    Ok(())
}

impl Store {
    /// The revisions whose keys the upstream is still to be asked for, in order of their ids.
    ///
    /// # Errors
    /// A failure to read.
    pub fn wanted_keys(&self) -> Result<Vec<UpdateIdentity>, StoreError> {
        self.shared.database.read(|db| {
            let mut statement = db
                .prepare_cached("SELECT update_id, number FROM wanted_key ORDER BY 1, 2")
                .during("list revisions with encrypted files")?;
            let mut rows = statement.query([]).during("list revisions with encrypted files")?;
            let mut list = Vec::new();
            for_rows(&mut rows, |row| {
                list.push(UpdateIdentity { update: row.update(0)?, revision: row.revision_number(1)? });
                Ok(())
            })?;
            Ok(list)
        })
    }

    /// Keeps keys of files, and forgets that those of the revisions `answered` are wanted; durable when it
    /// returns. A key with no bytes, or with more than [`LONGEST_KEY`], is passed over.
    ///
    /// # Errors
    /// A failure to write.
    pub fn record_file_keys(
        &self,
        keys: &[(Sha1Digest, Vec<u8>)],
        answered: &[UpdateIdentity],
    ) -> Result<(), StoreError> {
        if keys.is_empty() && answered.is_empty() {
            return Ok(());
        }
        self.shared.database.write_alone(
            |tx| {
                put(tx, keys)?;
                for one in answered {
                    tx.prepare_cached("DELETE FROM wanted_key WHERE update_id = ?1 AND number = ?2")
                        .and_then(|mut s| s.execute(params![one.update.0.as_bytes(), one.revision.get()]))
                        .during("note that keys have come")?;
                }
                Ok(())
            },
            |()| {},
        )
    }

    /// The key of a file, if it is encrypted and its key has come.
    ///
    /// # Errors
    /// A failure to read.
    pub fn file_key(&self, sha1: Sha1Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.shared.database.read(|db| {
            db.prepare_cached("SELECT key FROM file_key WHERE sha1 = ?1")
                .and_then(|mut s| s.query_row([sha1.0], |row| row.get(0)).optional())
                .during("look up the key of a file")
        })
    }

    /// All keys that are known, by the files' digests.
    ///
    /// # Errors
    /// A failure to read.
    pub fn file_keys(&self) -> Result<Vec<(Sha1Digest, Vec<u8>)>, StoreError> {
        self.shared.database.read(|db| {
            let mut statement = db
                .prepare_cached("SELECT sha1, key FROM file_key ORDER BY sha1")
                .during("list the keys of files")?;
            let mut rows = statement.query([]).during("list the keys of files")?;
            let mut list = Vec::new();
            for_rows(&mut rows, |row| {
                list.push((row.sha1(0)?, row.get(1).during("read the key of a file")?));
                Ok(())
            })?;
            Ok(list)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::has_encrypted_files;

    #[test]
    fn a_document_says_which_files_are_encrypted() {
        assert!(has_encrypted_files("<Files><File Size=\"1\" IsEncrypted=\"true\" /></Files>"));
        assert!(has_encrypted_files("<File IsEncrypted='false' /><File IsEncrypted='1' />"));
        for plain in
            ["", "<File />", "<File IsEncrypted=\"false\" />", "IsEncrypted=", "IsEncrypted=\"truest\""]
        {
            assert!(!has_encrypted_files(plain), "{plain}");
        }
    }
}
