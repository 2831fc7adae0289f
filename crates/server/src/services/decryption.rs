//! Keys of encrypted files, as agents (MS-WUSP 2.2.2.2.10) and servers below (MS-WSUSSS 3.1.4.18) are told of them.

use super::Failure;
use crate::publisher::Published;
use crate::state::App;
use sluicegate_terms::{RevisionId, Sha1Digest};
use std::sync::Arc;

/// A file and its key.
pub(super) type FileKey = (Sha1Digest, Vec<u8>);

/// For each of the revisions, in their order, its encrypted files with their keys.
pub(super) async fn keys(
    app: &App,
    published: &Arc<Published>,
    revisions: Vec<RevisionId>,
) -> Result<Vec<Vec<FileKey>>, Failure> {
    let (store, published) = (app.store.clone(), Arc::clone(published));
    let read = tokio::task::spawn_blocking(move || {
        let mut all = Vec::with_capacity(revisions.len());
        for revision in revisions {
            let mut keys = Vec::new();
            for &sha1 in published.cores.fragments(revision)?.files() {
                keys.extend(store.file_key(sha1)?.map(|key| (sha1, key)));
            }
            all.push(keys);
        }
        Ok::<_, Failure>(all)
    });
    read.await.map_err(|error| Failure::Internal(format!("reading keys failed: {error}")))?
}
