//! GetRevisionIdList (MS-WSUSSS 3.1.4.5, observed-behaviour 8), from the index and straight into bytes.

use super::{Caller, Failure, Reply, authorize, index};
use crate::admission::Stage;
use crate::hierarchy::anchor::SyncAnchor;
use crate::hierarchy::filter::{MOST_CATEGORIES, Question, Wanted};
use crate::state::App;
use crate::transport::coding::Coding;
use sluicegate_soap::SoapVersion;
use sluicegate_soap::server_sync::{
    GetRelatedRevisionsForUpdatesRequest, GetRelatedRevisionsForUpdatesResponse, GetRevisionIdListRequest,
    IdAndDelta, RevisionListWriter, ServerSyncFilter,
};
use sluicegate_store::hierarchy::DownstreamContact;
use sluicegate_terms::{Timestamp, UpdateIdentity};
use std::sync::Arc;

/// Lists longer than this are written away from the async workers.
const LONG_LIST: usize = 2_000;

/// Answers GetRevisionIdList. `Languages` and `Get63LanguageOnly` choose no revisions: a document has all of
/// its languages, and what a real server does with them is not known (observed-behaviour 8, unverified).
pub(super) async fn get_list(
    app: &Arc<App>,
    caller: &Caller,
    request: &GetRevisionIdListRequest,
    version: SoapVersion,
) -> Result<Reply, Failure> {
    let pass = authorize::open(app, request.cookie.as_ref(), caller.now)?;
    let filter = request.filter.as_ref().ok_or_else(|| Failure::parameter("filter", "it is missing"))?;
    let question = question(app, filter, caller.now)?;
    let index = index(app)?;
    let found: Vec<UpdateIdentity> = {
        let (index, asked) = (index.clone(), question.clone());
        let select = move || index.select(&asked).iter().collect();
        if question.since.is_some() { select() } else { blocking(select).await? }
    };
    let room = found.len().saturating_mul(RevisionListWriter::MOST_PER_REVISION) + 1024;
    let permit = app.answers.admit(room, Stage::Continues, || app.jitter()).await?;
    let anchor = app.lineage.give(index.anchor()).to_string();
    let write = move || {
        let mut writer = RevisionListWriter::new(version, &anchor, found.len());
        found.iter().for_each(|identity| writer.push(*identity));
        writer.finish()
    };
    let bytes = if room > LONG_LIST * RevisionListWriter::MOST_PER_REVISION {
        blocking(write).await?
    } else {
        write()
    };
    if question.updates.is_some() {
        // Written down with the contacts of computers, away from the requests.
        let contact = DownstreamContact { id: pass.account, name: pass.name, at: caller.now, synced: true };
        app.synchronized.lock().note(contact);
    }
    Ok(Reply::ready(bytes, Coding::Identity, permit))
}

/// For lists that may be of the whole catalog.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(|| sluicegate_allocator::bulk(work)).await;
    done.map_err(|error| Failure::Internal(format!("listing revisions failed: {error}")))
}

/// The filter as a question to the index. A bad anchor makes the whole filter wrong (exchange 000018).
fn question(app: &App, filter: &ServerSyncFilter, now: Timestamp) -> Result<Question, Failure> {
    let since = SyncAnchor::optional(filter.anchor.as_deref())
        .map_err(|error| Failure::parameter("filter", error.to_string()))?
        .map(|since| app.lineage.take(since, app.store.anchor(), now))
        .transpose()
        .map_err(Failure::OtherHistory)?;
    if filter.get_config {
        return Ok(Question { since, updates: None });
    }
    let list = |list: &'_ Option<Vec<IdAndDelta>>| match list {
        Some(list) if list.len() > MOST_CATEGORIES => {
            let reason =
                format!("a list of it has {} entries; at most {MOST_CATEGORIES} are taken", list.len());
            Err(Failure::parameter("filter", reason))
        }
        _ => Ok(()),
    };
    list(&filter.categories)?;
    list(&filter.classifications)?;
    let wanted = Wanted::of(filter.categories.as_deref(), filter.classifications.as_deref());
    Ok(Question { since, updates: Some(wanted) })
}

/// Answers GetRelatedRevisionsForUpdates: nothing, as the protocol has no use for it (MS-WSUSSS 3.1.4.9).
pub(super) fn get_related(
    app: &App,
    caller: &Caller,
    request: &GetRelatedRevisionsForUpdatesRequest,
    version: SoapVersion,
) -> Result<Reply, Failure> {
    authorize::open(app, request.cookie.as_ref(), caller.now)?;
    Ok(Reply::message(&GetRelatedRevisionsForUpdatesResponse::default(), version))
}
