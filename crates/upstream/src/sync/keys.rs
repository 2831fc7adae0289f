//! Synchronization: keys of encrypted files (GetUpdateDecryptionData, MS-WSUSSS 3.1.4.18 and 3.2.4.2). Which revisions
//! have such files is remembered when they come, so most runs ask nothing here; each answer is durable before the next
//! question.

use super::session::LARGEST_ANSWER;
use super::{Run, SyncError};
use sluicegate_soap::fault::ErrorCode;
use sluicegate_soap::server_sync::{GetUpdateDecryptionDataRequest, GetUpdateDecryptionDataResponse};
use sluicegate_terms::{Sha1Digest, UpdateIdentity};

/// Revisions asked for at once: what real servers name as their most (observed-behaviour 8). One that names fewer
/// refuses, and is asked for half.
const AT_ONCE: usize = 100;

impl Run {
    /// Asks for the keys that are wanted. A revision whose keys the upstream cannot give is asked for again in the
    /// next run, and does not end this one: its document and its files are good all the same.
    pub(super) async fn keys(&mut self) -> Result<(), SyncError> {
        let wanted = self.on_store(|store| store.wanted_keys()).await?;
        let mut open: Vec<Vec<UpdateIdentity>> = wanted.chunks(AT_ONCE).map(<[_]>::to_vec).collect();
        open.reverse();
        while let Some(ids) = open.pop() {
            self.check_stop()?;
            let make = |cookie| GetUpdateDecryptionDataRequest {
                cookie: Some(cookie),
                update_ids: Some(ids.clone()),
            };
            let answered = match self.session.call(LARGEST_ANSWER, make).await {
                Ok(body) => {
                    self.progress.received(body.len() as u64, self.around.now());
                    self.session.decode::<GetUpdateDecryptionDataResponse>(&body)
                }
                Err(error) => Err(error),
            };
            match answered {
                Ok(answer) => {
                    let keys = keys_of(answer);
                    self.on_store(move |store| store.record_file_keys(&keys, &ids)).await?;
                }
                Err(error) if is_about_them(&error) => {
                    if ids.len() > 1 {
                        let (first, second) = ids.split_at(ids.len() / 2);
                        open.extend([second.to_vec(), first.to_vec()]);
                    } else {
                        for revision in &ids {
                            tracing::warn!(%revision, %error, "the upstream did not give the keys of encrypted files");
                        }
                        self.progress.update(|p| p.warning = Some(error.to_string()));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Whether the upstream refuses some of the revisions, or so many of them, and not every call.
fn is_about_them(error: &SyncError) -> bool {
    matches!(error.fault(), Some(ErrorCode::InternalServerError | ErrorCode::InvalidParameters))
}

fn keys_of(answer: GetUpdateDecryptionDataResponse) -> Vec<(Sha1Digest, Vec<u8>)> {
    let files = answer.data.updates.into_iter().flat_map(|update| update.files);
    // A file without a key is not encrypted (MS-WSUSSS 3.1.4.18: the key may be missing).
    files.filter_map(|file| Some((file.file_digest?, file.decryption_key?.0))).collect()
}
