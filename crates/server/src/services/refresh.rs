//! RefreshCache (MS-WUSP 3.1.5.8): the compact ids of revisions a client knows from another server.

use super::{Caller, Failure, Reply, session, sync, sync_answer};
use crate::contacts;
use crate::state::App;
use sluicegate_soap::SoapVersion;
use sluicegate_soap::client::{RefreshCacheRequest, RefreshCacheResponse, RefreshedRevision};
use sluicegate_terms::ComputerId;

/// Answers RefreshCache.
pub(super) async fn refresh_cache(
    app: &App,
    caller: &Caller,
    request: &RefreshCacheRequest,
    version: SoapVersion,
    computer: &mut Option<ComputerId>,
) -> Result<Reply, Failure> {
    let cookie = session::open(app, request.cookie.as_ref(), caller.now, computer)?;
    if request.global_ids.is_empty() {
        return Err(Failure::no_elements("globalIDs"));
    }
    let groups = contacts::known(app, &cookie.computer).await?.groups;
    let published = sync::published(app)?;
    let revisions = published
        .snapshot
        .refresh_cache(&request.global_ids, &groups, cookie.protocol)
        .into_iter()
        .map(|found| RefreshedRevision {
            revision: found.revision,
            identity: Some(found.identity),
            is_leaf: found.is_leaf,
            deployment: Some(sync_answer::wire(&found.deployment)),
        })
        .collect();
    Ok(Reply::message(&RefreshCacheResponse { revisions }, version))
}
