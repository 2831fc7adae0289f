//! Store: candidates of an import that say something else about a file than the catalog does. One length and
//! one SHA-256 belong to a SHA-1; who contradicts is refused with both.

use crate::catalog::import::{Quarantined, Staged};
use crate::catalog::quarantine;
use crate::catalog::summary::FileRow;
use crate::error::{During, StoreError};
use rusqlite::{OptionalExtension, Transaction};
use sluicegate_terms::{Sha1Digest, Sha256Digest, UpdateIdentity};
use std::collections::HashMap;

/// What is declared of a file: length and SHA-256.
type Declared = (u64, Option<Sha256Digest>);

/// Leaves out what says something else about a file than the catalog or an earlier candidate does. `declares` tells,
/// without asking the database, which files the catalog may know; most files of an import are new.
pub(super) fn without_contradictions(
    tx: &Transaction<'_>,
    mut candidates: Vec<Staged>,
    declares: &dyn Fn(Sha1Digest) -> bool,
    refused: &mut Vec<Quarantined>,
) -> Result<Vec<Staged>, StoreError> {
    let files = candidates.iter().flat_map(|staged| &staged.summary.files);
    let mut known = declared(tx, files.filter(|file| declares(file.sha1)))?;
    let already = refused.len();
    candidates.retain(|staged| {
        for file in &staged.summary.files {
            let declared = known.get(&file.sha1).copied().flatten();
            if let Some(reason) = declared.and_then(|d| contradicts(file, d)) {
                refused.push(refusal(staged, reason));
                return false;
            }
            let sha256 = file.sha256.or(declared.and_then(|d| d.1));
            known.insert(file.sha1, Some((file.size, sha256)));
        }
        true
    });
    for Quarantined { source, update, revision, .. } in refused.iter().skip(already) {
        if let (Some(update), Some(revision)) = (*update, *revision) {
            quarantine::forget(tx, source, UpdateIdentity { update, revision })?;
        }
    }
    Ok(candidates)
}

/// What the catalog says of files, looked up in the order of their digests.
fn declared<'f>(
    tx: &Transaction<'_>,
    files: impl Iterator<Item = &'f FileRow>,
) -> Result<HashMap<Sha1Digest, Option<Declared>>, StoreError> {
    let mut digests: Vec<Sha1Digest> = files.map(|file| file.sha1).collect();
    digests.sort_unstable();
    digests.dedup();
    let mut statement =
        tx.prepare_cached("SELECT size, sha256 FROM file WHERE sha1 = ?1").during("look up a file")?;
    let mut look = |sha1: Sha1Digest| {
        statement
            .query_row([sha1.0], |row| {
                let sha256 = row.get::<_, Option<[u8; 32]>>(1)?.map(Sha256Digest);
                Ok((row.get::<_, i64>(0)?.unsigned_abs(), sha256))
            })
            .optional()
            .during("look up a file")
    };
    digests.into_iter().map(|sha1| Ok((sha1, look(sha1)?))).collect()
}

/// Why a candidate stays out.
pub(super) fn refusal(staged: &Staged, reason: String) -> Quarantined {
    Quarantined {
        source: staged.source.to_string(),
        update: Some(staged.identity.update),
        revision: Some(staged.identity.revision),
        reason,
    }
}

fn contradicts(file: &FileRow, (size, sha256): Declared) -> Option<String> {
    if file.size != size {
        return Some(format!(
            "it says {} bytes of its file {} (SHA-1 {}), and {size} bytes are what a revision said that came before, of this \
             update or of another; one digest has one length, and what came first stands",
            file.size, file.name, file.sha1
        ));
    }
    match (file.sha256, sha256) {
        (Some(ours), Some(theirs)) if ours != theirs => Some(format!(
            "it says the SHA-256 {ours} of its file {} (SHA-1 {}), and {theirs} is what a revision said that came before, of \
             this update or of another; what came first stands",
            file.name, file.sha1
        )),
        _ => None,
    }
}
