//! SOAP: the Server Sync service (MS-WSUSSS 3.1.4), one file per operation or family. `Request::decode`
//! reads any of its requests; each request and answer has both directions, for upstream and downstream.

mod config;
mod deployments;
mod drivers;
mod files;
mod revision_list;
mod revisions;
mod update_data;

pub use config::{
    GetAuthConfigRequest, GetAuthConfigResponse, GetConfigDataRequest, GetConfigDataResponse,
    GetCookieRequest, GetCookieResponse, ServerAuthConfig, ServerSyncConfigData, ServerSyncLanguageData,
};
pub use deployments::{
    GetDeploymentsRequest, GetDeploymentsResponse, ServerSyncDeployment, ServerSyncDeploymentResult,
    ServerSyncTargetGroup, SyncAction,
};
pub use drivers::{
    DriverSetAndRevisionIdList, GetDriverIdListRequest, GetDriverIdListResponse, GetDriverSetDataRequest,
    GetDriverSetDataResponse, HardwareIdAndDelta, ServerDriverSetData, ServerSyncDriverFilter,
    ServerSyncDriverSetData,
};
pub use files::{
    DownloadFilesRequest, DownloadFilesResponse, GetUpdateDecryptionDataRequest,
    GetUpdateDecryptionDataResponse, ServerDecryptionData, ServerSyncFileDecryption,
    ServerSyncUpdateFileDecryption,
};
pub use revision_list::RevisionListWriter;
pub use revisions::{
    GetRelatedRevisionsForUpdatesRequest, GetRelatedRevisionsForUpdatesResponse, GetRevisionIdListRequest,
    GetRevisionIdListResponse, IdAndDelta, LanguageAndDelta, ProtocolVersionElement, RevisionIdList,
    ServerSyncFilter,
};
pub use update_data::{
    GetUpdateDataRequest, GetUpdateDataResponse, ServerSyncUpdateData, ServerSyncUrlData, ServerUpdateData,
};

use crate::operations::requests;
use crate::service::{Operation, Service};
use crate::simple_auth::{PING, PingRequest};

const fn of(name: &'static str) -> Operation {
    Operation::of(Service::ServerSync, name)
}

requests! {
    /// A request to the Server Sync service.
    []
    /// MS-WSUSSS 3.1.4.1.
    GetAuthConfig(GetAuthConfigRequest) = config::GET_AUTH_CONFIG,
    /// MS-WSUSSS 3.1.4.3.
    GetCookie(GetCookieRequest) = config::GET_COOKIE,
    /// MS-WSUSSS 3.1.4.4.
    GetConfigData(GetConfigDataRequest) = config::GET_CONFIG_DATA,
    /// MS-WSUSSS 3.1.4.5.
    GetRevisionIdList(GetRevisionIdListRequest) = revisions::GET_REVISION_ID_LIST,
    /// MS-WSUSSS 3.1.4.6.
    GetUpdateData(GetUpdateDataRequest) = update_data::GET_UPDATE_DATA,
    /// MS-WSUSSS 3.1.4.18.
    GetUpdateDecryptionData(GetUpdateDecryptionDataRequest) = files::GET_UPDATE_DECRYPTION_DATA,
    /// MS-WSUSSS 3.1.4.7.
    GetDriverIdList(GetDriverIdListRequest) = drivers::GET_DRIVER_ID_LIST,
    /// MS-WSUSSS 3.1.4.8.
    GetDriverSetData(GetDriverSetDataRequest) = drivers::GET_DRIVER_SET_DATA,
    /// MS-WSUSSS 3.1.4.11.
    DownloadFiles(DownloadFilesRequest) = files::DOWNLOAD_FILES,
    /// MS-WSUSSS 3.1.4.10.
    GetDeployments(GetDeploymentsRequest) = deployments::GET_DEPLOYMENTS,
    /// MS-WSUSSS 3.1.4.9.
    GetRelatedRevisionsForUpdates(GetRelatedRevisionsForUpdatesRequest) =
        revisions::GET_RELATED_REVISIONS_FOR_UPDATES,
    /// Asks whether the service is there.
    Ping(PingRequest) = PING,
}
