//! This server as the upstream of others: DSS authorization, server synchronization and rollup
//! (MS-WSUSSS 3.1.4). From a decoded request to the operation that answers it.

mod authorize;
mod config_data;
mod deployments;
mod drivers;
mod files;
pub(crate) mod languages;
mod revisions;
mod rollup;
mod update_data;

pub(crate) use authorize::is_account_name;

use super::{Caller, Done, Failure, Reply, simple_auth, soap_limits, unreadable};
use crate::hierarchy::index::RevisionIndex;
use crate::publisher::Published;
use crate::state::App;
use sluicegate_soap::{DecodeError, Limits, dss_auth, server_reporting, server_sync};
use sluicegate_store::{Store, StoreError};
use std::ops::Deref;
use std::sync::Arc;

/// Most elements of a rollup: 500 computers with some 2,000 updates each.
const MOST_ROLLUP_ELEMENTS: usize = 5_000_000;

/// Answers the DSS Authorization service.
pub(super) async fn on_dss_auth(app: &Arc<App>, caller: &Caller, body: &[u8]) -> Done {
    let decoded = dss_auth::Request::decode(body, Some(&caller.action), &soap_limits(app, caller));
    let (version, request) = match decoded {
        Ok(read) => read,
        Err(error) => return unreadable(caller, error),
    };
    let operation = request.operation().name;
    let result = match request {
        dss_auth::Request::GetAuthorizationCookie(request) => {
            authorize::get_authorization_cookie(app, caller, request, version).await
        }
        dss_auth::Request::Ping(_) => Ok(simple_auth::ping(caller, "DssAuthWebService", version)),
    };
    Done { operation, version, computer: None, result }
}

/// Answers the Server Sync service.
pub(super) async fn on_server_sync(app: &Arc<App>, caller: &Caller, body: &[u8]) -> Done {
    use server_sync::Request;
    let decoded = Request::decode(body, Some(&caller.action), &soap_limits(app, caller));
    let (version, request) = match decoded {
        Ok(read) => read,
        Err(error) => return unreadable(caller, error),
    };
    let operation = request.operation().name;
    let result = match request {
        Request::GetAuthConfig(_) => Ok(authorize::get_auth_config(app, version)),
        Request::GetCookie(request) => authorize::get_cookie(app, caller, &request, version),
        Request::GetConfigData(request) => config_data::get(app, caller, &request, version),
        Request::GetRevisionIdList(request) => revisions::get_list(app, caller, &request, version).await,
        Request::GetUpdateData(request) => update_data::get(app, caller, request, version).await,
        Request::GetUpdateDecryptionData(request) => files::get_keys(app, caller, request, version).await,
        Request::GetDriverIdList(request) => drivers::get_list(app, caller, &request, version),
        Request::GetDriverSetData(request) => drivers::get_sets(app, caller, &request, version),
        Request::DownloadFiles(request) => files::download(app, caller, request, version).await,
        Request::GetDeployments(request) => deployments::get(app, caller, &request, version).await,
        Request::GetRelatedRevisionsForUpdates(request) => {
            revisions::get_related(app, caller, &request, version)
        }
        Request::Ping(_) => Ok(simple_auth::ping(caller, "ServerSyncWebService", version)),
    };
    Done { operation, version, computer: None, result }
}

/// Answers the half of the Reporting service that is for servers. `agents` are the operations of the other
/// half, for the error that lists both.
pub(super) async fn on_rollup(app: &Arc<App>, caller: &Caller, body: &[u8], agents: &str) -> Done {
    use server_reporting::Request;
    let limits = Limits { elements: MOST_ROLLUP_ELEMENTS, ..soap_limits(app, caller) };
    let decoded = Request::decode(body, Some(&caller.action), &limits);
    let (version, request) = match decoded {
        Ok(read) => read,
        Err(DecodeError::UnknownOperation { found, expected }) => {
            let expected = format!("{agents}, {expected}");
            return unreadable(caller, DecodeError::UnknownOperation { found, expected });
        }
        Err(error) => return unreadable(caller, error),
    };
    let operation = request.operation().name;
    let result = match request {
        Request::GetRollupConfiguration(_) => rollup::configuration(app, version).await,
        Request::RollupDownstreamServers(request) => rollup::servers(app, caller, request, version).await,
        Request::RollupComputers(request) => rollup::computers(app, caller, request, version).await,
        Request::GetOutOfSyncComputers(request) => rollup::out_of_sync(app, request, version).await,
        Request::RollupComputerStatus(request) => rollup::status(app, caller, request, version).await,
        Request::Ping(_) => Ok(simple_auth::ping(caller, "ReportingWebService", version)),
    };
    Done { operation, version, computer: None, result }
}

/// Runs work on the store where blocking is allowed.
async fn in_store<T, W>(app: &App, work: W) -> Result<T, Failure>
where
    T: Send + 'static,
    W: FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
{
    let store = app.store.clone();
    let done = tokio::task::spawn_blocking(move || work(&store)).await;
    Ok(done.map_err(|error| Failure::Internal(format!("asking the store failed: {error}")))??)
}

/// The index in service; it lives as long as the snapshot it came with.
#[derive(Clone)]
struct Index(Arc<Published>);

impl Deref for Index {
    type Target = RevisionIndex;
    fn deref(&self) -> &RevisionIndex {
        &self.0.index
    }
}

fn index(app: &App) -> Result<Index, Failure> {
    super::sync::published(app).map(Index)
}
