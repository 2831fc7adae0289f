//! SOAP: the requests of SyncUpdates and SyncPrinterCatalog. Id arrays are read by the fast path,
//! the long attribute texts stay borrowed.

use super::super::Cookie;
use crate::field::{Field, message, read_scalar};
use crate::text::Text;
use crate::writer::XmlWriter;
use crate::{error::DecodeError, reader::XmlReader};
use sluicegate_terms::{Guid, Timestamp, UpdateId};

message! { borrowed
    /// Asks what changed for the client.
    #[derive(Default)]
    pub struct SyncUpdatesRequest<'a> {
        /// The client's cookie.
        cookie: Option<Cookie> = "cookie",
        /// What the client holds and wants.
        parameters: Option<SyncUpdateParameters<'a>> = "parameters",
    }

    /// What the client holds and wants. In the order agents write it (observed-behaviour 3.1);
    /// `AlsoPerformRegularSync` and `ProductsParameters` are not in the published interface.
    #[derive(Default)]
    pub struct SyncUpdateParameters<'a> {
        /// To be ignored.
        express_query: Option<bool> = "ExpressQuery",
        /// Revisions that are not leaves and were evaluated as installed; satisfy prerequisites.
        installed_non_leaf: Vec<i32> = "InstalledNonLeafUpdateIDs"["int"],
        /// Every other revision the client holds; satisfies nothing.
        other_cached: Vec<i32> = "OtherCachedUpdateIDs"["int"],
        /// The devices; only in the driver pass.
        system_spec: Vec<Device> = "SystemSpec"["Device"],
        /// Driver revisions the client holds.
        cached_drivers: Vec<i32> = "CachedDriverIDs"["int"],
        /// False for the software pass, true for the driver pass.
        skip_software_sync: bool = "SkipSoftwareSync",
        /// Limits the scan to these categories.
        filter_categories: Vec<CategoryIdentifier> = "FilterCategoryIds"["CategoryIdentifier"],
        /// True to have `DeployedOutOfScopeRevisionIds` told apart.
        need_two_group_out_of_scope: Option<bool> = "NeedTwoGroupOutOfScopeUpdates",
        /// True for a regular scan, false for one limited to categories.
        also_perform_regular_sync: Option<bool> = "AlsoPerformRegularSync",
        /// The computer's own hardware ids; with entries only in the driver pass.
        computer_spec: Option<ComputerHardwareSpecification> = "ComputerSpec",
        /// For example `AMD64.10.0`; only in the driver pass.
        feature_score_matching_key: Option<String> = "FeatureScoreMatchingKey",
        /// Products and attributes of the client.
        products_parameters: Option<ProductsParameters<'a>> = "ProductsParameters",
    }

    /// Products and attributes of the client, as newer agents send them.
    #[derive(Default)]
    pub struct ProductsParameters<'a> {
        /// Always false when seen.
        sync_current_version_only: Option<bool> = "SyncCurrentVersionOnly",
        /// `Key=Value;`, about 2 KB.
        device_attributes: Option<Text<'a>> = "DeviceAttributes",
        /// `Interactive=0;…`.
        caller_attributes: Option<Text<'a>> = "CallerAttributes",
        /// `PN=<name>&V=<version>…;`, may be empty.
        products: Option<Text<'a>> = "Products",
    }
}

message! {
    /// A device and the driver it has.
    #[derive(Default)]
    pub struct Device {
        /// Ids of the hardware, most specific first.
        hardware_ids: Vec<String> = "HardwareIDs"["string"],
        /// Ids of hardware it is compatible with.
        compatible_ids: Vec<String> = "CompatibleIDs"["string"],
        /// The driver.
        installed_driver: Option<InstalledDriver> = "installedDriver",
        /// Extensions of the driver, under the names agents send (observed). See [`Device::extensions`].
        extension_drivers: Vec<ExtensionDriver> = "extensionDrivers"["ExtensionDriver"],
        /// The same under the names of MS-WUSP 2.2.2.2.4, which no agent was seen to send.
        extension_drivers_as_published: Vec<ExtensionDriver> = "extensionDriver"["extensionDriver"],
        /// Update ids of drivers the agent itself installed.
        driver_recovery_ids: Vec<String> = "DriverRecoveryIDs"["DriverRecoveryID"],
        /// Bit 0: not enumerated by plug and play, for example a printer.
        device_flags: Option<u8> = "DeviceFlags",
    }

    /// The driver of a device. "No driver" is year 1, version 0, rank -1 (observed).
    #[derive(Default)]
    pub struct InstalledDriver {
        /// The hardware or compatible id it matched.
        matching_id: Option<String> = "MatchingID",
        /// Its date.
        driver_ver_date: Timestamp = "DriverVerDate",
        /// Its version.
        driver_ver_version: DriverVersion = "DriverVerVersion",
        /// Its class, a name or a GUID in braces.
        class: Option<String> = "Class",
        /// Its maker.
        manufacturer: Option<String> = "Manufacturer",
        /// Who provides it.
        provider: Option<String> = "Provider",
        /// What it is for.
        model: Option<String> = "Model",
        /// The computer hardware id it matched.
        matching_computer_hwid: Option<Guid> = "MatchingComputerHWID",
        /// How well it matches; lower is better, -1 unknown.
        driver_rank: i32 = "DriverRank",
        /// Newer agents only (observed).
        skip_provider_filtering: Option<bool> = "SkipProviderFiltering",
        /// Newer agents only (observed).
        is_generic: Option<bool> = "IsGeneric",
    }

    /// An extension of a driver.
    #[derive(Default)]
    pub struct ExtensionDriver {
        /// Which extension.
        extension_id: Option<String> = "ExtensionId",
        /// Its date.
        driver_ver_date: Timestamp = "DriverVerDate",
        /// Its version.
        driver_ver_version: DriverVersion = "DriverVerVersion",
        /// Its class.
        class: Option<String> = "Class",
        /// How well it matches.
        driver_rank: i32 = "DriverRank",
        /// The computer hardware id it matched.
        matching_computer_hwid: Option<Guid> = "MatchingComputerHWID",
    }

    /// The computer's own hardware ids.
    #[derive(Default)]
    pub struct ComputerHardwareSpecification {
        /// Most specific first.
        hardware_ids: Vec<Guid> = "HardwareIDs"["guid"],
    }

    /// A category to limit the scan to.
    #[derive(Default)]
    pub struct CategoryIdentifier {
        /// Its update id.
        id: UpdateId = "Id",
    }

    /// Asks which printer drivers fit.
    #[derive(Default)]
    pub struct SyncPrinterCatalogRequest {
        /// The client's cookie.
        cookie: Option<Cookie> = "cookie",
        /// As in SyncUpdates.
        installed_non_leaf: Vec<i32> = "installedNonLeafUpdateIDs"["int"],
        /// Printer driver revisions the client holds.
        printer_updates: Vec<i32> = "printerUpdateIDs"["int"],
    }
}

impl Device {
    /// The extensions of its driver, under whichever names they came.
    pub fn extensions(&self) -> impl Iterator<Item = &ExtensionDriver> {
        self.extension_drivers.iter().chain(&self.extension_drivers_as_published)
    }
}

/// A driver's version: four 16-bit parts packed into 64 bits, most significant first (observed).
/// The wire type is `xs:long`, so a first part above 32,767 makes it negative there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DriverVersion(pub u64);

impl<'a> Field<'a> for DriverVersion {
    fn read(reader: &mut XmlReader<'a>) -> Result<Self, DecodeError> {
        read_scalar(reader, |text| {
            text.parse::<i64>()
                .map(i64::cast_unsigned)
                .or_else(|_| text.parse())
                .map(Self)
                .map_err(|_| "it is not a packed version (a whole number of 64 bits)".to_owned())
        })
    }
    fn write(&self, out: &mut XmlWriter, element: &str) {
        out.element(element, |out| out.raw(itoa::Buffer::new().format(self.0.cast_signed())));
    }
}
