//! SOAP: the Reporting service, the half that agents use (MS-WUSP 2.2.2.3; ReportEventBatch2 and the
//! inventory calls are in its WSDL only).

use crate::client::{Base64, Cookie};
use crate::error::DecodeError;
use crate::field::{Field, message, read_scalar};
use crate::operations::{operation, requests};
use crate::reader::XmlReader;
use crate::service::{Operation, Service};
use crate::writer::XmlWriter;
use sluicegate_terms::{Guid, Timestamp};

message! {
    /// Reports events.
    #[derive(Default)]
    pub struct ReportEventBatchRequest {
        /// The client's cookie.
        cookie: Option<Cookie> = "cookie",
        /// The client's clock.
        client_time: Timestamp = "clientTime",
        /// The events.
        events: Vec<ReportingEvent> = "eventBatch"["ReportingEvent"],
    }

    /// Whether they were taken.
    pub struct ReportEventBatchResponse {
        /// True when they were.
        received: bool = "ReportEventBatchResult",
    }

    /// Reports events without a cookie.
    #[derive(Default)]
    pub struct ReportEventBatch2Request {
        /// The client's own name for itself.
        computer_id: Option<String> = "computerId",
        /// The client's clock.
        client_time: Timestamp = "clientTime",
        /// The events.
        events: Vec<ReportingEvent> = "eventBatch"["ReportingEvent"],
    }

    /// Whether they were taken.
    pub struct ReportEventBatch2Response {
        /// True when they were.
        received: bool = "ReportEventBatch2Result",
    }

    /// Asks whether and which inventory the server wants.
    #[derive(Default)]
    pub struct GetRequiredInventoryTypeRequest {
        /// The client's cookie.
        cookie: Option<Cookie> = "cookie",
        /// The rules the client has.
        rules_id: Guid = "rulesId",
        /// Their version.
        rules_version: Option<String> = "rulesVersion",
    }

    /// Says it.
    pub struct GetRequiredInventoryTypeResponse {
        /// 0: none.
        inventory_type: i32 = "GetRequiredInventoryTypeResult",
    }

    /// Reports an inventory.
    #[derive(Default)]
    pub struct ReportInventoryRequest {
        /// The client's cookie.
        cookie: Option<Cookie> = "cookie",
        /// The client's clock.
        client_time: Timestamp = "clientTime",
        /// The inventory.
        inventory: Option<ReportingInventory> = "inventory",
    }

    /// Whether it was taken.
    pub struct ReportInventoryResponse {
        /// True when it was.
        received: bool = "ReportInventoryResult",
    }

    /// An inventory, plain or compressed.
    #[derive(Default)]
    pub struct ReportingInventory {
        /// Which of the two.
        is_compressed: bool = "IsCompressed",
        /// The plain form.
        raw_xml: Option<String> = "RawXml",
        /// The compressed form.
        compressed_xml: Option<Base64> = "CompressedXml",
    }

    /// Something that happened on a client.
    #[derive(Default)]
    pub struct ReportingEvent {
        /// What every event has.
        basic: Option<BasicData> = "BasicData",
        /// What is known about it and its computer.
        extended: Option<ExtendedData> = "ExtendedData",
        /// Present and empty (observed).
        private: Option<PrivateData> = "PrivateData",
    }

    /// What every event has.
    #[derive(Default)]
    pub struct BasicData {
        /// Whose it is.
        target: Option<ComputerTargetIdentifier> = "TargetID",
        /// 0.
        sequence_number: i32 = "SequenceNumber",
        /// When it happened, by the client's clock.
        time_at_target: Timestamp = "TimeAtTarget",
        /// Tells repeated deliveries of one event from new ones.
        event_instance_id: Guid = "EventInstanceID",
        /// 1 for events of agents.
        namespace_id: i32 = "NamespaceID",
        /// What happened; `xs:short` by the interface definition.
        event_id: i32 = "EventID",
        /// Which part of the agent says so; `xs:short` by the interface definition.
        source_id: i32 = "SourceID",
        /// About which update; all zeros for none.
        update: Option<UpdateRevisionIdentifier> = "UpdateID",
        /// The error, 0 for none.
        win32_hresult: i32 = "Win32HResult",
        /// The program that caused it.
        app_name: Option<String> = "AppName",
    }

    /// A computer.
    #[derive(Default)]
    pub struct ComputerTargetIdentifier {
        /// The client's own name for itself.
        sid: Option<String> = "Sid",
    }

    /// A revision, or all zeros for none.
    #[derive(Default)]
    pub struct UpdateRevisionIdentifier {
        /// The update.
        update: Guid = "UpdateID",
        /// Its revision; 0 for none.
        revision: i32 = "RevisionNumber",
    }

    /// What is known about an event and its computer.
    #[derive(Default)]
    pub struct ExtendedData {
        /// Values for the event's message.
        replacement_strings: Vec<String> = "ReplacementStrings"["string"],
        /// `Key=Value` each (MS-WUSP 2.2.2.3.1, MiscData Table).
        misc_data: Vec<String> = "MiscData"["string"],
        /// Maker of the computer.
        computer_brand: Option<String> = "ComputerBrand",
        /// Its model.
        computer_model: Option<String> = "ComputerModel",
        /// Its firmware.
        bios_revision: Option<String> = "BiosRevision",
        /// Its processor.
        processor_architecture: ProcessorArchitecture = "ProcessorArchitecture",
        /// Its system.
        os_version: DetailedVersion = "OSVersion",
        /// Its language, for example 1033.
        os_locale_id: i32 = "OSLocaleID",
        /// For driver events.
        device_id: Option<String> = "DeviceID",
    }

    /// Version of a system.
    #[derive(Default)]
    pub struct DetailedVersion {
        /// First part.
        major: i32 = "Major",
        /// Second part.
        minor: i32 = "Minor",
        /// Build.
        build: i32 = "Build",
        /// Not the fourth part of the version: 65792 from Windows 11 (observed).
        revision: i32 = "Revision",
        /// Service pack.
        service_pack_major: i32 = "ServicePackMajor",
        /// Service pack.
        service_pack_minor: i32 = "ServicePackMinor",
    }

    /// Empty by the specification.
    #[derive(Default)]
    pub struct PrivateData {
        /// Empty.
        computer_dns_name: Option<String> = "ComputerDnsName",
        /// Empty.
        user_account_name: Option<String> = "UserAccountName",
    }
}

/// A processor as events name it; RegisterComputer has other names for the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ProcessorArchitecture {
    /// Any other, newer ones included.
    #[default]
    Unknown,
    /// 32 bits.
    X86Compatible,
    /// Itanium.
    Ia64Compatible,
    /// 64 bits.
    Amd64Compatible,
}

impl ProcessorArchitecture {
    /// Every value.
    pub const ALL: [Self; 4] =
        [Self::Unknown, Self::X86Compatible, Self::Ia64Compatible, Self::Amd64Compatible];

    /// The spelling on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::X86Compatible => "X86Compatible",
            Self::Ia64Compatible => "IA64Compatible",
            Self::Amd64Compatible => "Amd64Compatible",
        }
    }
}

impl<'a> Field<'a> for ProcessorArchitecture {
    fn read(reader: &mut XmlReader<'a>) -> Result<Self, DecodeError> {
        read_scalar(reader, |text| {
            Ok(Self::ALL.into_iter().find(|known| known.as_str() == text).unwrap_or_default())
        })
    }
    fn write(&self, out: &mut XmlWriter, element: &str) {
        out.element(element, |out| out.raw(self.as_str()));
    }
}

const fn reporting(name: &'static str) -> Operation {
    Operation::of(Service::Reporting, name)
}

operation!(REPORT_EVENT_BATCH = reporting("ReportEventBatch");
    ReportEventBatchRequest => ReportEventBatchResponse);
operation!(REPORT_EVENT_BATCH2 = reporting("ReportEventBatch2");
    ReportEventBatch2Request => ReportEventBatch2Response);
operation!(GET_REQUIRED_INVENTORY_TYPE = reporting("GetRequiredInventoryType");
    GetRequiredInventoryTypeRequest => GetRequiredInventoryTypeResponse);
operation!(REPORT_INVENTORY = reporting("ReportInventory"); ReportInventoryRequest => ReportInventoryResponse);

requests! {
    /// A request to the Reporting service.
    []
    /// MS-WUSP 2.2.2.3.1.
    ReportEventBatch(ReportEventBatchRequest) = REPORT_EVENT_BATCH,
    /// Events without a cookie.
    ReportEventBatch2(ReportEventBatch2Request) = REPORT_EVENT_BATCH2,
    /// Whether an inventory is wanted.
    GetRequiredInventoryType(GetRequiredInventoryTypeRequest) = GET_REQUIRED_INVENTORY_TYPE,
    /// An inventory.
    ReportInventory(ReportInventoryRequest) = REPORT_INVENTORY,
}
