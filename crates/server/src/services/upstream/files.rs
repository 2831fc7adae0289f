//! DownloadFiles (MS-WSUSSS 3.1.4.11) and GetUpdateDecryptionData (3.1.4.18).

use super::{Caller, Failure, Reply, authorize, in_store, index, update_data};
use crate::state::App;
use sluicegate_soap::SoapVersion;
use sluicegate_soap::server_sync::{
    DownloadFilesRequest, DownloadFilesResponse, GetUpdateDecryptionDataRequest,
    GetUpdateDecryptionDataResponse,
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
    authorize::open(app, request.cookie.as_ref(), caller.now)?;
    let files = request.file_digests.unwrap_or_default();
    if files.is_empty() {
        return Err(Failure::no_elements("fileDigestList"));
    }
    if files.len() > MOST_FILES {
        let reason = format!("it has {} entries; at most {MOST_FILES} are taken at once", files.len());
        return Err(Failure::parameter("fileDigestList", reason));
    }
    let now = caller.now;
    let asked = in_store(app, move |store| store.want_files(&files, now)).await?;
    if !asked.unknown.is_empty() {
        return Err(Failure::FilesMissing(asked.unknown));
    }
    if !asked.wanted.is_empty() {
        tracing::info!(files = asked.wanted.len(), peer = %caller.peer, "a downstream server waits for files");
    }
    Ok(Reply::message(&DownloadFilesResponse {}, version))
}

/// Answers GetUpdateDecryptionData. No document that this server takes in has encrypted files with keys, so
/// there are none to tell; a revision that is not here is as wrong as in GetUpdateData.
pub(super) fn get_keys(
    app: &App,
    caller: &Caller,
    request: &GetUpdateDecryptionDataRequest,
    version: SoapVersion,
) -> Result<Reply, Failure> {
    authorize::open(app, request.cookie.as_ref(), caller.now)?;
    let wanted = update_data::listed(request.update_ids.clone())?;
    let index = index(app)?;
    if let Some(unknown) = wanted.into_iter().find(|identity| index.find(*identity).is_none()) {
        return Err(Failure::UnknownRevision(unknown));
    }
    Ok(Reply::message(&GetUpdateDecryptionDataResponse::default(), version))
}
