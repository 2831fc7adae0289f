//! What the scripted upstream gives of revisions: their documents, and the keys of their files.

use super::{Answered, State, Trouble};
use sluicegate_cabinet::BlobWriter;
use sluicegate_soap::client::Base64;
use sluicegate_soap::fault::ErrorCode;
use sluicegate_soap::server_sync as sync;
use sluicegate_soap::text::Text;
use sluicegate_soap::{ResponseMessage as _, SoapVersion};
use sluicegate_terms::Sha1Digest;

/// Three revisions at once, and none that is unknown.
pub(super) fn decryption_data(state: &State, request: sync::GetUpdateDecryptionDataRequest) -> Answered {
    let ids = request.update_ids.unwrap();
    if ids.len() > 3 {
        return Err(ErrorCode::InvalidParameters);
    }
    let mut data = sync::ServerDecryptionData::default();
    for id in ids {
        let keys = state.keys.get(&id).ok_or(ErrorCode::InternalServerError)?;
        let file = |(sha1, key): &(Sha1Digest, Vec<u8>)| sync::ServerSyncFileDecryption {
            file_digest: Some(*sha1),
            decryption_key: Some(Base64(key.clone())),
        };
        let files = keys.iter().map(file).collect();
        data.updates.push(sync::ServerSyncUpdateFileDecryption { id, files });
    }
    Ok((sync::GetUpdateDecryptionDataResponse { data }.encode(SoapVersion::V11), Vec::new()))
}

pub(super) fn update_data(
    state: &mut State,
    request: sync::GetUpdateDataRequest,
    trouble: Option<Trouble>,
) -> Answered {
    let ids = request.update_ids.unwrap();
    if ids.len() > 7 {
        return Err(ErrorCode::InvalidParameters);
    }
    let mut writer = BlobWriter::new();
    let mut updates = Vec::new();
    let take = if state.short_answers { ids.len().div_ceil(2) } else { ids.len() };
    for id in ids.iter().take(take) {
        let known = state.revisions.get(id).filter(|_| !state.withheld.contains(id));
        let Some(held) = known else { return Err(ErrorCode::InternalServerError) };
        let wide: Vec<u8> = held.xml.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut entry =
            sync::ServerSyncUpdateData { id: *id, xml: None, file_digests: None, compressed: None };
        let bad = trouble == Some(Trouble::BadBlobs) || state.broken.contains(id);
        if bad || wide.len() > 5_120 {
            let mut blob = writer.write(&wide).unwrap();
            if bad {
                let last = blob.len() - 1;
                blob[last] ^= 0x55;
            }
            entry.compressed = Some(Base64(blob));
        } else {
            entry.xml = Some(Text::new(&held.xml));
        }
        updates.push(entry);
    }
    let given = if trouble == Some(Trouble::BadBlobs) { Vec::new() } else { ids[..take].to_vec() };
    let file_urls = state
        .urls
        .iter()
        .map(|(sha1, url)| sync::ServerSyncUrlData {
            file_digest: Some(*sha1),
            mu_url: Some(url.clone()),
            ..Default::default()
        })
        .collect();
    let data = sync::ServerUpdateData { updates, file_urls };
    Ok((sync::GetUpdateDataResponse { data }.encode(SoapVersion::V11), given))
}
