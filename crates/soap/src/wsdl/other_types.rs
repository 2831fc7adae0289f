//! SOAP: the types of the SimpleAuth and Reporting services as their descriptions list them: names,
//! order, how often. The facts are those of the published interface definitions (MS-WUSP 6); a test
//! compares them. Ping is from MS-WSUSSS 6, where every service has it.

use super::schema::{Definition, complex, element, list_nil, opt, req, words};

#[rustfmt::skip]
pub(super) const SIMPLE_AUTH: &[Definition] = &[
    element("GetAuthorizationCookie", &[opt("clientId", "s:string"), opt("targetGroupName", "s:string"),
        opt("dnsName", "s:string")]),
    element("GetAuthorizationCookieResponse", &[opt("GetAuthorizationCookieResult",
        "tns:AuthorizationCookie")]),
    complex("AuthorizationCookie", &[opt("PlugInId", "s:string"), opt("CookieData", "s:base64Binary")]),
];

#[rustfmt::skip]
pub(super) const MONITORABLE: &[Definition] = &[
    element("Ping", &[req("pingLevel", "s:int")]),
    element("PingResponse", &[opt("PingResult", "tns:MonitoredServicesResponse")]),
    complex("MonitoredServicesResponse", &[req("SuccessFlag", "s:boolean"), req("ServicesTime",
        "s:dateTime"), opt("ServicesName", "s:string"), opt("ServicesMachine", "s:string"), req("IsHttps",
        "s:boolean"), opt("RequestContentType", "s:string"), opt("ConfigFilePath", "s:string"),
        opt("ConfigFileProjectName", "s:string"), opt("ConfigFileEnvironmentName", "s:string"),
        req("ConfigFileLastModifiedTime", "s:dateTime"), opt("ConfigFileVersion", "s:string"),
        req("ConfigFileNextExpirationTime", "s:dateTime"), req("ConfigFileExpirationModuloInMinutes",
        "s:int"), opt("DatabaseInfo", "s:string"), opt("CustomInfo", "s:string")]),
];

#[rustfmt::skip]
pub(super) const REPORTING: &[Definition] = &[
    element("ReportEventBatch", &[opt("cookie", "tns:Cookie"), req("clientTime", "s:dateTime"),
        opt("eventBatch", "tns:ArrayOfReportingEvent")]),
    complex("Cookie", &[req("Expiration", "s:dateTime"), opt("EncryptedData", "s:base64Binary")]),
    complex("ArrayOfReportingEvent", &[list_nil("ReportingEvent", "tns:ReportingEvent")]),
    complex("ReportingEvent", &[opt("BasicData", "tns:BasicData"), opt("ExtendedData", "tns:ExtendedData"),
        opt("PrivateData", "tns:PrivateData")]),
    complex("BasicData", &[opt("TargetID", "tns:ComputerTargetIdentifier"), req("SequenceNumber", "s:int"),
        req("TimeAtTarget", "s:dateTime"), req("EventInstanceID", "s2:guid"), req("NamespaceID", "s:int"),
        req("EventID", "s:short"), req("SourceID", "s:short"), opt("UpdateID",
        "tns:UpdateRevisionIdentifier"), req("Win32HResult", "s:int"), opt("AppName", "s:string")]),
    complex("ComputerTargetIdentifier", &[opt("Sid", "s:string")]),
    complex("UpdateRevisionIdentifier", &[req("UpdateID", "s2:guid"), req("RevisionNumber", "s:int")]),
    complex("ExtendedData", &[opt("ReplacementStrings", "tns:ArrayOfString"), opt("MiscData",
        "tns:ArrayOfString"), opt("ComputerBrand", "s:string"), opt("ComputerModel", "s:string"),
        opt("BiosRevision", "s:string"), req("ProcessorArchitecture", "tns:ProcessorArchitecture"),
        req("OSVersion", "tns:DetailedVersion"), req("OSLocaleID", "s:int"), opt("DeviceID", "s:string")]),
    complex("ArrayOfString", &[list_nil("string", "s:string")]),
    words("ProcessorArchitecture", &["Unknown", "X86Compatible", "IA64Compatible", "Amd64Compatible"]),
    complex("DetailedVersion", &[req("Major", "s:int"), req("Minor", "s:int"), req("Build", "s:int"),
        req("Revision", "s:int"), req("ServicePackMajor", "s:int"), req("ServicePackMinor", "s:int")]),
    complex("PrivateData", &[opt("ComputerDnsName", "s:string"), opt("UserAccountName", "s:string")]),
    element("ReportEventBatchResponse", &[req("ReportEventBatchResult", "s:boolean")]),
    element("ReportEventBatch2", &[opt("computerId", "s:string"), req("clientTime", "s:dateTime"),
        opt("eventBatch", "tns:ArrayOfReportingEvent")]),
    element("ReportEventBatch2Response", &[req("ReportEventBatch2Result", "s:boolean")]),
    element("GetRequiredInventoryType", &[opt("cookie", "tns:Cookie"), req("rulesId", "s2:guid"),
        opt("rulesVersion", "s:string")]),
    element("GetRequiredInventoryTypeResponse", &[req("GetRequiredInventoryTypeResult", "s:int")]),
    element("ReportInventory", &[opt("cookie", "tns:Cookie"), req("clientTime", "s:dateTime"),
        opt("inventory", "tns:ReportingInventory")]),
    complex("ReportingInventory", &[req("IsCompressed", "s:boolean"), opt("RawXml", "s:string"),
        opt("CompressedXml", "s:base64Binary")]),
    element("ReportInventoryResponse", &[req("ReportInventoryResult", "s:boolean")]),
];
