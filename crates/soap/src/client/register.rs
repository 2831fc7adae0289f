//! SOAP: RegisterComputer (MS-WUSP 2.2.2.2.3).

use super::Cookie;
use crate::field::message;
use crate::operations::operation;
use crate::service::{Operation, Service};
use sluicegate_terms::Timestamp;

message! {
    /// A client describes itself.
    #[derive(Default)]
    pub struct RegisterComputerRequest {
        /// The client's cookie.
        cookie: Option<Cookie> = "cookie",
        /// The description.
        computer_info: Option<ComputerInfo> = "computerInfo",
    }

    /// Nothing.
    #[derive(Default, Copy)]
    pub struct RegisterComputerResponse {}

    /// What a client says about itself. Numbers the interface calls `xs:short` are read as `xs:int`,
    /// so that a build past 32,767 does not keep a computer from registering.
    #[derive(Default)]
    pub struct ComputerInfo {
        /// Its DNS name.
        dns_name: Option<String> = "DnsName",
        /// 10 for Windows 10 and 11.
        os_major_version: i32 = "OSMajorVersion",
        /// 0 for Windows 10 and 11.
        os_minor_version: i32 = "OSMinorVersion",
        /// What tells Windows 10 and 11 apart; the description does not (observed).
        os_build_number: i32 = "OSBuildNumber",
        /// Service pack.
        os_service_pack_major_number: i32 = "OSServicePackMajorNumber",
        /// Service pack.
        os_service_pack_minor_number: i32 = "OSServicePackMinorNumber",
        /// For example `en-US`.
        os_locale: Option<String> = "OSLocale",
        /// Maker of the computer.
        computer_manufacturer: Option<String> = "ComputerManufacturer",
        /// Its model.
        computer_model: Option<String> = "ComputerModel",
        /// Firmware; `unknown` when unknown (observed).
        bios_version: Option<String> = "BiosVersion",
        /// Firmware; `unknown` when unknown (observed).
        bios_name: Option<String> = "BiosName",
        /// Date of the firmware.
        bios_release_date: Timestamp = "BiosReleaseDate",
        /// `AMD64` here; events say `Amd64Compatible` (observed).
        processor_architecture: Option<String> = "ProcessorArchitecture",
        /// Bits of installed suites.
        suite_mask: i32 = "SuiteMask",
        /// 1 workstation, 2 domain controller, 3 server.
        old_product_type: u8 = "OldProductType",
        /// The product code, for example 48 for Professional.
        new_product_type: i32 = "NewProductType",
        /// GetSystemMetrics bits.
        system_metrics: i32 = "SystemMetrics",
        /// Version of the agent, first part.
        client_version_major_number: i32 = "ClientVersionMajorNumber",
        /// Second part.
        client_version_minor_number: i32 = "ClientVersionMinorNumber",
        /// Third part.
        client_version_build_number: i32 = "ClientVersionBuildNumber",
        /// Fourth part.
        client_version_qfe_number: i32 = "ClientVersionQfeNumber",
        /// Name of the system; `Windows 10 Pro` on Windows 11 (observed).
        os_description: Option<String> = "OSDescription",
        /// Original equipment manufacturer.
        oem: Option<String> = "OEM",
        /// Kind of device.
        device_type: Option<String> = "DeviceType",
        /// Version of the firmware.
        firmware_version: Option<String> = "FirmwareVersion",
        /// Mobile operator; `Not Present` on most (observed).
        mobile_operator: Option<String> = "MobileOperator",
    }
}

operation!(REGISTER_COMPUTER = Operation::of(Service::Client, "RegisterComputer");
    RegisterComputerRequest => RegisterComputerResponse);
