//! GetExtendedUpdateInfo (MS-WUSP 3.1.5.9) and its second form (2.2.2.2.10): the fragments a client
//! fetches for what it needs, and where the files are. Fragments come from segments by position.

use super::config::MAX_EXTENDED_UPDATES;
use super::sync_answer::publish_without_damage;
use super::{Caller, Failure, Reply, decryption, locations, session, sync};
use crate::publisher::Published;
use crate::state::App;
use sluicegate_soap::client::{
    Base64, ExtendedUpdateInfo, ExtendedUpdateInfo2, FileDecryption, FragmentType,
    GetExtendedUpdateInfo2Request, GetExtendedUpdateInfo2Response, GetExtendedUpdateInfoRequest,
    GetExtendedUpdateInfoResponse, UpdateData, UpdateEncryptionDetail,
};
use sluicegate_soap::text::Text;
use sluicegate_soap::{SoapVersion, xpress};
use sluicegate_store::{RevisionFragments, StoreError};
use sluicegate_terms::{ComputerId, Locale, RevisionId, Sha1Digest};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Longest Core fragment given out here, escaped, in bytes; agents ask for Core with SyncUpdates.
const LONGEST_CORE: usize = 128 << 20;

/// What a request wants to know, checked.
#[derive(Debug, Clone)]
struct Wish {
    revisions: Vec<RevisionId>,
    kinds: Vec<FragmentType>,
    locales: Vec<Locale>,
    geo: Option<String>,
}

/// What was found.
struct Found {
    /// Revisions of which something is damaged, and nothing is given.
    damaged: Vec<RevisionId>,
    updates: Vec<UpdateData<'static>>,
    files: Vec<Sha1Digest>,
}

/// Answers GetExtendedUpdateInfo.
pub(super) async fn get_extended_update_info(
    app: &Arc<App>,
    caller: &Caller,
    request: &GetExtendedUpdateInfoRequest<'_>,
    version: SoapVersion,
    computer: &mut Option<ComputerId>,
) -> Result<Reply, Failure> {
    session::open(app, request.cookie.as_ref(), caller.now, computer)?;
    if request.revision_ids.is_empty() {
        return Err(Failure::no_elements("revisionIDs"));
    }
    check_count("revisionIDs", request.revision_ids.len())?;
    let locales = checked_kinds(&request.info_types, &request.locales)?;
    let published = sync::published(app)?;
    let mut revisions = Vec::with_capacity(request.revision_ids.len());
    let mut out_of_scope = Vec::new();
    for id in &request.revision_ids {
        match RevisionId::new(i64::from(*id)) {
            Ok(revision) if published.snapshot.is_deployed(*id) => revisions.push(revision),
            _ => out_of_scope.push(*id),
        }
    }
    let wish = Wish { revisions, kinds: request.info_types.clone(), locales, geo: request.geo_id.clone() };
    let with_locations =
        wish.kinds.contains(&FragmentType::Extended) || wish.kinds.contains(&FragmentType::FileUrl);
    let found = collect(app, &published, wish).await?;
    // The next scan would say the same of them.
    out_of_scope.extend(found.damaged.iter().map(|revision| revision.get().cast_signed()));
    let file_locations =
        if with_locations { locations::of_files(app, caller, found.files) } else { Vec::new() };
    let info = ExtendedUpdateInfo { updates: found.updates, file_locations, out_of_scope };
    Ok(Reply::message(&GetExtendedUpdateInfoResponse { info }, version))
}

/// Answers GetExtendedUpdateInfo2, with the keys of encrypted files when they are asked for.
pub(super) async fn get_extended_update_info2(
    app: &Arc<App>,
    caller: &Caller,
    request: &GetExtendedUpdateInfo2Request<'_>,
    version: SoapVersion,
    computer: &mut Option<ComputerId>,
) -> Result<Reply, Failure> {
    session::open(app, request.cookie.as_ref(), caller.now, computer)?;
    if request.update_ids.is_empty() {
        return Err(Failure::no_elements("updateIDs"));
    }
    check_count("updateIDs", request.update_ids.len())?;
    let locales = checked_kinds(&request.info_types, &request.locales)?;
    let published = sync::published(app)?;
    let known: Vec<_> = request
        .update_ids
        .iter()
        .filter_map(|identity| Some((*identity, published.snapshot.revision_of(*identity)?)))
        .collect();
    let revisions = known.iter().map(|(_, revision)| *revision).collect();
    let wish = Wish { revisions, kinds: request.info_types.clone(), locales, geo: None };
    let with_locations =
        wish.kinds.contains(&FragmentType::Extended) || wish.kinds.contains(&FragmentType::FileUrl);
    let with_keys = wish.kinds.contains(&FragmentType::FileDecryption);
    let found = collect(app, &published, wish).await?;
    let file_locations =
        if with_locations { locations::of_files(app, caller, found.files) } else { Vec::new() };
    let mut info = ExtendedUpdateInfo2 { updates: found.updates, file_locations, ..Default::default() };
    if with_keys {
        let revisions = known.iter().map(|(_, revision)| *revision).collect();
        let keys = decryption::keys(app, &published, revisions).await?;
        let details = known.iter().zip(&keys).map(|((identity, _), keys)| UpdateEncryptionDetail {
            identity: *identity,
            has_encrypted_files: !keys.is_empty(),
        });
        info.update_encryption_details = details.collect();
        let files: BTreeMap<Sha1Digest, Vec<u8>> = keys.into_iter().flatten().collect();
        info.file_decryption_data = files.into_iter().map(decryption_of).collect();
        info.file_decryption_data2 = info.file_decryption_data.clone();
    }
    Ok(Reply::message(&GetExtendedUpdateInfo2Response { info }, version))
}

/// The key of a file; its security data is the key again (MS-WUSP 2.2.2.2.10).
fn decryption_of((sha1, key): (Sha1Digest, Vec<u8>)) -> FileDecryption {
    FileDecryption {
        file_digest: Some(sha1),
        decryption_key: Some(Base64(key.clone())),
        security_data: vec![Base64(key)],
    }
}

fn check_count(name: &'static str, given: usize) -> Result<(), Failure> {
    if given > MAX_EXTENDED_UPDATES {
        let reason = format!("it has {given} entries; at most {MAX_EXTENDED_UPDATES} are answered at once");
        return Err(Failure::parameter(name, reason));
    }
    Ok(())
}

/// The languages to look for: those asked for, then English, which is always given (MS-WUSP 2.2.2.2.6).
fn checked_kinds(kinds: &[FragmentType], locales: &[String]) -> Result<Vec<Locale>, Failure> {
    if kinds.is_empty() {
        return Err(Failure::no_elements("infoTypes"));
    }
    let texts = kinds.contains(&FragmentType::LocalizedProperties) || kinds.contains(&FragmentType::Eula);
    if texts && locales.is_empty() {
        return Err(Failure::parameter("locales", "texts are asked for without a language"));
    }
    let mut wanted: Vec<Locale> = Vec::with_capacity(locales.len() + 1);
    // A tag that is none names no language we have.
    for locale in locales.iter().take(64).filter_map(|tag| tag.parse().ok()).chain("en".parse().ok()) {
        if !wanted.contains(&locale) {
            wanted.push(locale);
        }
    }
    Ok(wanted)
}

async fn collect(app: &App, published: &Arc<Published>, wish: Wish) -> Result<Found, Failure> {
    let read_from = Arc::clone(published);
    let found = tokio::task::spawn_blocking(move || read(&read_from, wish))
        .await
        .map_err(|error| Failure::Internal(format!("reading fragments failed: {error}")))?;
    publish_without_damage(app, published);
    Ok(found)
}

/// Reads the fragments: all of one kind, by rising id, before those of the next (observed-behaviour 4).
fn read(published: &Published, mut wish: Wish) -> Found {
    wish.revisions.sort_unstable();
    wish.revisions.dedup();
    let wants = |kind| wish.kinds.contains(&kind);
    let mut updates = Vec::new();
    let mut put = |id: RevisionId, xml: &str| updates.push(UpdateData { id, xml: Some(Text::new(xml)) });
    let mut stored = Vec::with_capacity(wish.revisions.len());
    let mut damaged = Vec::new();
    for revision in wish.revisions.iter().copied() {
        let core = if wants(FragmentType::Core) { core(published, revision).map(Some) } else { Ok(None) };
        match (core, published.cores.fragments(revision)) {
            (Ok(core), Ok(fragments)) => {
                core.iter().for_each(|core| put(revision, core));
                stored.push((revision, fragments));
            }
            (Err(error), _) | (_, Err(error)) => {
                published.cores.found_damage(revision, &error);
                damaged.push(revision);
            }
        }
    }
    if wants(FragmentType::Extended) {
        stored.iter().for_each(|(revision, fragments)| put(*revision, fragments.extended()));
    }
    if wants(FragmentType::LocalizedProperties) {
        for (revision, fragments) in &stored {
            for locale in &wish.locales {
                if let Some(texts) = fragments.localized_in(locale) {
                    put(*revision, texts);
                }
            }
        }
    }
    if wants(FragmentType::Eula) {
        for (revision, fragments) in &stored {
            eulas(fragments, &wish).into_iter().for_each(|eula| put(*revision, eula));
        }
    }
    let files = stored.iter().flat_map(|(_, fragments)| fragments.files().iter().copied()).collect();
    Found { damaged, updates, files }
}

/// The licence terms in the wanted languages: those of the client's region where there are any, else
/// those of the rest of the world (MS-WUSP 2.2.2.2.6, GeoId).
fn eulas<'a>(fragments: &'a RevisionFragments, wish: &Wish) -> Vec<&'a str> {
    let mut chosen = Vec::new();
    for locale in &wish.locales {
        let of_language = || fragments.eulas().filter(|(language, ..)| *language == locale);
        let regional = |geo: Option<&str>| match (geo, wish.geo.as_deref()) {
            (Some(geo), Some(wanted)) => geo.eq_ignore_ascii_case(wanted),
            _ => false,
        };
        let local: Vec<&str> =
            of_language().filter(|(_, geo, _)| regional(*geo)).map(|(.., xml)| xml).collect();
        if local.is_empty() {
            chosen.extend(of_language().filter(|(_, geo, _)| geo.is_none()).map(|(.., xml)| xml));
        } else {
            chosen.extend(local);
        }
    }
    chosen
}

/// The Core fragment as text, from its ready bytes.
fn core(published: &Published, revision: RevisionId) -> Result<String, StoreError> {
    let what = || format!("Core fragment of revision {revision}");
    let damaged = |reason: String| StoreError::Unreadable { what: what(), reason };
    let ready = published.cores.core(revision)?;
    let escaped = xpress::decompress(&ready, LONGEST_CORE).map_err(|error| damaged(error.to_string()))?;
    let escaped = String::from_utf8(escaped).map_err(|error| damaged(error.to_string()))?;
    Ok(unescape(&escaped))
}

/// Undoes the four escapes that ready bytes have (`ready::escape_into`).
fn unescape(escaped: &str) -> String {
    escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&#xD;", "\r").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_is_always_among_the_languages() {
        let kinds = [FragmentType::LocalizedProperties];
        let tags = |given: &[&str]| {
            let given: Vec<String> = given.iter().map(|tag| (*tag).to_owned()).collect();
            checked_kinds(&kinds, &given)
                .map(|list| list.iter().map(|l| l.as_str().to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(tags(&["en-US", "en"]).unwrap(), ["en-us", "en"]);
        assert_eq!(tags(&["de-DE", "de", "??"]).unwrap(), ["de-de", "de", "en"]);
        assert_eq!(tags(&[]).unwrap_err().fault().2, "locales");
    }

    #[test]
    fn escapes_are_undone_once() {
        let mut escaped = Vec::new();
        let text = "<a b=\"&amp;lt;\">&lt;\r</a>";
        sluicegate_soap::ready::escape_into(&mut escaped, text).unwrap();
        assert_eq!(unescape(&String::from_utf8(escaped).unwrap()), text);
    }

    #[test]
    fn too_many_revisions_and_no_kinds_are_refused() {
        assert!(check_count("revisionIDs", MAX_EXTENDED_UPDATES).is_ok());
        assert_eq!(
            check_count("revisionIDs", MAX_EXTENDED_UPDATES + 1).unwrap_err().fault().2,
            "revisionIDs"
        );
        assert_eq!(checked_kinds(&[], &[]).unwrap_err().fault().2, "infoTypes");
        assert!(checked_kinds(&[FragmentType::Extended], &[]).is_ok());
    }
}
