//! SOAP: the driver calls, GetDriverIdList (MS-WSUSSS 3.1.4.7) and GetDriverSetData (3.1.4.8). They are in
//! the specification's text only, not in its interface definitions.

use super::of;
use super::revisions::{IdAndDelta, ProtocolVersionElement};
use crate::client::Cookie;
use crate::field::message;
use crate::operations::operation;
use sluicegate_terms::{Guid, UpdateIdentity};

message! {
    /// Asks for drivers and driver sets for some hardware.
    #[derive(Default)]
    pub struct GetDriverIdListRequest {
        /// The downstream server's cookie.
        cookie: Option<Cookie> = "cookie",
        /// Which drivers.
        filter: Option<ServerSyncDriverFilter> = "filter",
    }

    /// Gives them.
    #[derive(Default)]
    pub struct GetDriverIdListResponse {
        /// The drivers.
        list: DriverSetAndRevisionIdList = "GetDriverIdListResult",
    }

    /// Which drivers.
    #[derive(Default)]
    pub struct ServerSyncDriverFilter {
        /// Passed over by servers.
        dss_protocol_version: Option<ProtocolVersionElement> = "DssProtocolVersion",
        /// The anchor of the first answer of the last run.
        anchor: Option<String> = "Anchor",
        /// Products; empty for all.
        categories: Option<Vec<IdAndDelta>> = "Categories"["IdAndDelta"],
        /// Computer hardware ids; driver sets are given for these only.
        computer_ids: Option<Vec<IdAndDelta>> = "ComputerIds"["IdAndDelta"],
        /// Device hardware ids; drivers are given for these only.
        pnp_hardware_ids: Option<Vec<HardwareIdAndDelta>> = "PnpHardwareIds"["HardwareIdAndDelta"],
    }

    /// A device hardware id, and whether it was in the filter before.
    #[derive(Default)]
    pub struct HardwareIdAndDelta {
        /// Which.
        id: Option<String> = "Id",
        /// True for changes since the anchor only.
        delta: bool = "Delta",
    }

    /// Drivers and driver sets.
    #[derive(Default)]
    pub struct DriverSetAndRevisionIdList {
        /// To be sent next time, unread.
        anchor: Option<String> = "Anchor",
        /// Drivers, those of new driver sets included.
        new_revisions: Vec<UpdateIdentity> = "NewRevisions"["UpdateIdentity"],
        /// Driver sets for the named computers.
        new_driver_sets: Vec<Guid> = "NewDriverSets"["guid"],
        /// Driver sets that are gone.
        removed_driver_sets: Vec<Guid> = "RemovedDriverSets"["guid"],
    }

    /// Asks for driver sets.
    #[derive(Default)]
    pub struct GetDriverSetDataRequest {
        /// The downstream server's cookie.
        cookie: Option<Cookie> = "cookie",
        /// Which; at most `MaxNumberOfDriverSetsPerRequest` of GetConfigData.
        driver_sets: Option<Vec<Guid>> = "driverSets"["guid"],
    }

    /// Gives them.
    #[derive(Default)]
    pub struct GetDriverSetDataResponse {
        /// The driver sets.
        data: ServerDriverSetData = "GetDriverSetDataResult",
    }

    /// Driver sets.
    #[derive(Default)]
    pub struct ServerDriverSetData {
        /// The driver sets.
        driver_sets: Vec<ServerSyncDriverSetData> = "DriverSets"["ServerSyncDriverSetData"],
    }

    /// Which drivers belong together on which computers.
    #[derive(Default)]
    pub struct ServerSyncDriverSetData {
        /// Which set.
        id: Guid = "DriverSetId",
        /// What it says, XML inside text.
        xml: Option<String> = "DriverSetXml",
    }
}

operation!(GET_DRIVER_ID_LIST = of("GetDriverIdList"); GetDriverIdListRequest => GetDriverIdListResponse);
operation!(GET_DRIVER_SET_DATA = of("GetDriverSetData"); GetDriverSetDataRequest => GetDriverSetDataResponse);
