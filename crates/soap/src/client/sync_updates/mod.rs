//! SOAP: SyncUpdates (MS-WUSP 2.2.2.2.4) and its sister SyncPrinterCatalog (2.2.2.2.9). Requests here
//! and in `request`; answers are written by [`AnswerWriter`] from ready bytes and read as [`SyncInfo`].

mod answer;
mod deployment;
pub(super) mod native;
mod request;

pub use answer::{AnswerWriter, ChangesWriter, CoreBytes, Encoding};
pub use deployment::{Day, Deployment};
pub use request::{
    CategoryIdentifier, ComputerHardwareSpecification, Device, DriverVersion, ExtensionDriver,
    InstalledDriver, ProductsParameters, SyncPrinterCatalogRequest, SyncUpdateParameters, SyncUpdatesRequest,
};

use super::Cookie;
use crate::field::message;
use crate::operations::operation;
use crate::service::{Operation, Service};
use crate::text::Text;
use sluicegate_terms::RevisionId;

message! { borrowed
    /// The answer of a synchronization.
    #[derive(Default)]
    pub struct SyncUpdatesResponse<'a> {
        /// What changed for the client.
        info: SyncInfo<'a> = "SyncUpdatesResult",
    }

    /// The answer of a printer synchronization.
    #[derive(Default)]
    pub struct SyncPrinterCatalogResponse<'a> {
        /// What changed for the client.
        info: SyncInfo<'a> = "SyncPrinterCatalogResult",
    }

    /// What changed for the client.
    #[derive(Default)]
    pub struct SyncInfo<'a> {
        /// Revisions the client does not hold, with their Core fragments.
        new_updates: Vec<UpdateInfo<'a>> = "NewUpdates"["UpdateInfo"],
        /// Revisions the client holds and should forget.
        out_of_scope: Vec<i32> = "OutOfScopeRevisionIDs"["int"],
        /// Revisions the client holds whose deployment or leafness changed; without fragments.
        changed_updates: Vec<UpdateInfo<'a>> = "ChangedUpdates"["UpdateInfo"],
        /// True when there is more and the client should ask again at once.
        truncated: bool = "Truncated",
        /// Replaces the client's cookie.
        new_cookie: Option<Cookie> = "NewCookie",
        /// Still deployed, but outside the category filter (protocol 1.7 and newer).
        deployed_out_of_scope: Vec<i32> = "DeployedOutOfScopeRevisionIds"["int"],
        /// `true` when the client need not ask for drivers. A string by the interface definition.
        driver_sync_not_needed: Option<String> = "DriverSyncNotNeeded",
    }

    /// One revision of an answer.
    pub struct UpdateInfo<'a> {
        /// Its compact id.
        id: RevisionId = "ID",
        /// How it is deployed. Agents fail with 0x80070057 without it (observed-behaviour 3.2).
        deployment: Option<Deployment> = "Deployment",
        /// True when no update names it as prerequisite.
        is_leaf: bool = "IsLeaf",
        /// The Core fragment, XML inside text; only in new updates.
        xml: Option<Text<'a>> = "Xml",
    }
}

operation!(SYNC_UPDATES = Operation::of(Service::Client, "SyncUpdates");
    SyncUpdatesRequest<'a> => SyncUpdatesResponse<'a>);
operation!(SYNC_PRINTER_CATALOG = Operation::of(Service::Client, "SyncPrinterCatalog");
    SyncPrinterCatalogRequest => SyncPrinterCatalogResponse<'a>);
