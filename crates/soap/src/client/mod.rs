//! SOAP: the Client service (MS-WUSP 2.2.2.2), one file per operation or family. `Request::decode`
//! reads any of its requests; each request and answer can be written too, for agents and tests.

mod category_scan;
mod config;
mod cookie;
mod extended_info;
mod extended_info2;
mod file_locations;
mod refresh_cache;
mod register;
pub mod sync_updates;

pub use crate::field::Base64;
pub use category_scan::{CategoryRelationship, StartCategoryScanRequest, StartCategoryScanResponse};
pub use config::{AuthPlugInInfo, Config, ConfigurationProperty, GetConfigRequest, GetConfigResponse};
pub use cookie::{AuthorizationCookie, Cookie, GetCookieRequest, GetCookieResponse};
pub use extended_info::{
    ExtendedUpdateInfo, FileLocation, FragmentType, GetExtendedUpdateInfoRequest,
    GetExtendedUpdateInfoResponse, UpdateData,
};
pub use extended_info2::{
    ExtendedUpdateInfo2, FileDecryption, GetExtendedUpdateInfo2Request, GetExtendedUpdateInfo2Response,
    UpdateEncryptionDetail,
};
pub use file_locations::{GetFileLocationsRequest, GetFileLocationsResponse, GetFileLocationsResults};
pub use refresh_cache::{RefreshCacheRequest, RefreshCacheResponse, RefreshedRevision};
pub use register::{ComputerInfo, RegisterComputerRequest, RegisterComputerResponse};
pub use sync_updates::{
    AnswerWriter, CoreBytes, Deployment, SyncInfo, SyncPrinterCatalogRequest, SyncPrinterCatalogResponse,
    SyncUpdateParameters, SyncUpdatesRequest, SyncUpdatesResponse, UpdateInfo,
};

use crate::operations::requests;

requests! {
    /// A request to the Client service. Long texts are borrowed from the message.
    ['a; quick sync_updates::native::read]
    /// MS-WUSP 2.2.2.2.1.
    GetConfig(GetConfigRequest) = config::GET_CONFIG,
    /// MS-WUSP 2.2.2.2.2.
    GetCookie(GetCookieRequest) = cookie::GET_COOKIE,
    /// MS-WUSP 2.2.2.2.3.
    RegisterComputer(RegisterComputerRequest) = register::REGISTER_COMPUTER,
    /// MS-WUSP 2.2.2.2.8.
    StartCategoryScan(StartCategoryScanRequest) = category_scan::START_CATEGORY_SCAN,
    /// MS-WUSP 2.2.2.2.4.
    SyncUpdates(SyncUpdatesRequest<'a>) = sync_updates::SYNC_UPDATES,
    /// MS-WUSP 2.2.2.2.9.
    SyncPrinterCatalog(SyncPrinterCatalogRequest) = sync_updates::SYNC_PRINTER_CATALOG,
    /// MS-WUSP 2.2.2.2.5.
    RefreshCache(RefreshCacheRequest) = refresh_cache::REFRESH_CACHE,
    /// MS-WUSP 2.2.2.2.6.
    GetExtendedUpdateInfo(GetExtendedUpdateInfoRequest<'a>) = extended_info::GET_EXTENDED_UPDATE_INFO,
    /// MS-WUSP 2.2.2.2.10.
    GetExtendedUpdateInfo2(GetExtendedUpdateInfo2Request<'a>) = extended_info2::GET_EXTENDED_UPDATE_INFO2,
    /// MS-WUSP 2.2.2.2.7.
    GetFileLocations(GetFileLocationsRequest) = file_locations::GET_FILE_LOCATIONS,
}
