//! DownloadFiles (MS-WSUSSS 3.1.4.11) and GetUpdateDecryptionData (3.1.4.18).

use super::super::decryption;
use super::{Caller, Failure, Reply, authorize, in_store, index, update_data};
use crate::state::App;
use sluicegate_soap::SoapVersion;
use sluicegate_soap::client::Base64;
use sluicegate_soap::server_sync::{
    DownloadFilesRequest, DownloadFilesResponse, GetUpdateDecryptionDataRequest,
    GetUpdateDecryptionDataResponse, ServerDecryptionData, ServerSyncFileDecryption,
    ServerSyncUpdateFileDecryption,
};
use std::sync::Arc;

/// Most files in one DownloadFiles.
const MOST_FILES: usize = 100;

/// Answers DownloadFiles: files that are not here yet are fetched when content is next synchronized.
pub(super) async fn download(
    app: &Arc<App>,
    caller: &Caller,
    request: DownloadFilesRequest,
    version: SoapVersion,
) -> Result<Reply, Failure> {
    let pass = authorize::open(app, request.cookie.as_ref(), caller.now)?;
    let files = request.file_digests.unwrap_or_default();
    if files.is_empty() {
        return Err(Failure::no_elements("fileDigestList"));
    }
    if files.len() > MOST_FILES {
        let reason = format!("it has {} entries; at most {MOST_FILES} are taken at once", files.len());
        return Err(Failure::parameter("fileDigestList", reason));
    }
    let now = caller.now;
    let asked = in_store(app, move |store| store.want_files(&files, pass.account, now)).await?;
    if !asked.unknown.is_empty() {
        return Err(Failure::FilesMissing(asked.unknown));
    }
    if !asked.wanted.is_empty() {
        tracing::info!(files = asked.wanted.len(), peer = %caller.peer, "a downstream server waits for files");
    }
    Ok(Reply::message(&DownloadFilesResponse {}, version))
}

/// Answers GetUpdateDecryptionData: revisions that have encrypted files, with the keys that are known here. Files
/// without a key are left out; a revision that is not here is as wrong as in GetUpdateData.
pub(super) async fn get_keys(
    app: &App,
    caller: &Caller,
    request: GetUpdateDecryptionDataRequest,
    version: SoapVersion,
) -> Result<Reply, Failure> {
    authorize::open(app, request.cookie.as_ref(), caller.now)?;
    let wanted = update_data::listed(request.update_ids)?;
    let index = index(app)?;
    let mut revisions = Vec::with_capacity(wanted.len());
    for identity in &wanted {
        revisions.push(index.find(*identity).ok_or(Failure::UnknownRevision(*identity))?.id);
    }
    let keys = decryption::keys(app, &index.0, revisions).await?;
    let file =
        |(sha1, key)| ServerSyncFileDecryption { file_digest: Some(sha1), decryption_key: Some(Base64(key)) };
    let updates = wanted
        .into_iter()
        .zip(keys)
        .filter(|(_, keys)| !keys.is_empty())
        .map(|(id, keys)| ServerSyncUpdateFileDecryption { id, files: keys.into_iter().map(file).collect() })
        .collect();
    let data = ServerDecryptionData { updates };
    Ok(Reply::message(&GetUpdateDecryptionDataResponse { data }, version))
}
