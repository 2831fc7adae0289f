//! GetUpdateData (MS-WSUSSS 3.1.4.6, observed-behaviour 8): documents, and where on the Internet their
//! files are.

use super::config_data::MOST_UPDATES;
use super::{Caller, Failure, Reply, authorize, index};
use crate::admission::Stage;
use crate::state::App;
use sluicegate_soap::SoapVersion;
use sluicegate_soap::client::Base64;
use sluicegate_soap::server_sync::{
    GetUpdateDataRequest, GetUpdateDataResponse, ServerSyncUpdateData, ServerSyncUrlData, ServerUpdateData,
};
use sluicegate_soap::text::Text;
use sluicegate_store::{Document, Documents, FileAddress, Serving, StoreError};
use sluicegate_terms::{RevisionId, UpdateIdentity};
use std::collections::HashSet;
use std::sync::Arc;

/// An answer is cut short before its documents have more bytes than this; the rest is asked for again.
const MOST_BYTES: usize = 2_000_000;

/// The room one answer takes: documents, their Base64 and the message around.
const ROOM: usize = 3 * MOST_BYTES;

/// About the most bytes that an update or a file has in an answer besides its document.
const AROUND: usize = 512;

/// Answers GetUpdateData.
pub(super) async fn get(
    app: &Arc<App>,
    caller: &Caller,
    request: GetUpdateDataRequest,
    version: SoapVersion,
) -> Result<Reply, Failure> {
    authorize::open(app, request.cookie.as_ref(), caller.now)?;
    let wanted = listed(request.update_ids)?;
    let index = index(app)?;
    // One that is unknown spoils the whole call (exchange 000017).
    let mut found = Vec::with_capacity(wanted.len());
    for identity in wanted {
        let held = index.find(identity).ok_or(Failure::UnknownRevision(identity))?;
        found.push((identity, held.id));
    }
    let permit = app.answers.admit(ROOM, Stage::Continues, || app.jitter()).await?;
    let store = app.store.clone();
    let read = tokio::task::spawn_blocking(move || {
        let data = store.serve(|serving| read(serving, &found))?;
        // Base64 of Cabinet files has no repetitions for Xpress to find.
        let packed = data.updates.iter().filter_map(|u| u.compressed.as_ref()).map(|blob| blob.0.len());
        let packed = packed.sum::<usize>() / 3 * 4;
        let texts = data.updates.iter().filter_map(|u| u.xml.as_ref()).map(|text| text.escaped().len());
        let around = data.updates.len() * AROUND + data.file_urls.len() * AROUND;
        let length = packed + texts.sum::<usize>() + around;
        let message = GetUpdateDataResponse { data };
        let reply = Reply::long_message(&message, version, length);
        let dense = packed > reply.len() / 2;
        Ok::<_, Failure>(reply.dense(dense).holding(permit))
    });
    read.await.map_err(|error| Failure::Internal(format!("reading documents failed: {error}")))?
}

/// The list of a request: there, and not too long (exchanges and observed-behaviour 1.5).
pub(super) fn listed(ids: Option<Vec<UpdateIdentity>>) -> Result<Vec<UpdateIdentity>, Failure> {
    let ids = ids.ok_or_else(|| Failure::parameter("updateIds", "it is missing"))?;
    if ids.len() > MOST_UPDATES {
        let reason = format!("it has {} entries; at most {MOST_UPDATES} are answered at once", ids.len());
        return Err(Failure::parameter("updateIds", reason));
    }
    Ok(ids)
}

/// Reads documents until there are enough; one asked for twice is there twice (observed). One that is damaged is not
/// there: the others come all the same, and a downstream server that asks again for it alone is told of it.
fn read(
    store: &Serving<'_>,
    wanted: &[(UpdateIdentity, RevisionId)],
) -> Result<ServerUpdateData<'static>, Failure> {
    let mut data = ServerUpdateData::default();
    data.updates.reserve_exact(wanted.len());
    let ids: Vec<RevisionId> = wanted.iter().map(|(_, id)| *id).collect();
    let mut documents = store.documents(&ids)?;
    let mut known = HashSet::new();
    let mut bytes = 0;
    let mut damaged = None;
    for (number, (identity, _)) in wanted.iter().enumerate() {
        let (update, files, size) = match document(&mut documents, number, *identity) {
            Ok(read) => read,
            Err(cause) => {
                damaged = Some((*identity, cause));
                continue;
            }
        };
        bytes += size;
        if bytes > MOST_BYTES && !data.updates.is_empty() {
            break;
        }
        for (sha1, url) in files {
            if known.insert(sha1) {
                // `UssUrl` is unused and empty (observed); without an address neither is there.
                let uss_url = url.as_ref().map(|_| String::new());
                let known = ServerSyncUrlData { mu_url: url, uss_url, ..ServerSyncUrlData::default() };
                data.file_urls.push(ServerSyncUrlData { file_digest: Some(sha1), ..known });
            }
        }
        data.updates.push(update);
    }
    match damaged {
        Some((identity, cause)) if data.updates.is_empty() => Err(Failure::Damaged { identity, cause }),
        _ => Ok(data),
    }
}

/// One document in the form it is kept and sent in, its files, and its size in that form.
fn document(
    documents: &mut Documents<'_>,
    number: usize,
    identity: UpdateIdentity,
) -> Result<(ServerSyncUpdateData<'static>, Vec<FileAddress>, usize), StoreError> {
    let files = documents.files(number)?;
    let digests = files.iter().map(|(sha1, _)| *sha1).collect();
    let digests = if files.is_empty() { None } else { Some(digests) };
    let mut update =
        ServerSyncUpdateData { id: identity, xml: None, file_digests: digests, compressed: None };
    let size = match documents.document(number)? {
        Document::Cabinet(bytes) => {
            let size = bytes.len();
            update.compressed = Some(Base64(bytes));
            size
        }
        Document::Text(text) => {
            update.xml = Some(Text::new(&text).into_owned());
            text.len()
        }
    };
    Ok((update, files, size))
}
