//! Catalog: the XML namespaces of update documents, and which of them fragments keep.

/// Everything of the update schemas starts with this; other namespaces are foreign (embedded
/// component manifests, patch tables).
pub(crate) const FAMILY: &str = "http://schemas.microsoft.com/msus/";
/// `Update`, `Properties`, `Files` and so on.
pub(crate) const UPDATE: &str = "http://schemas.microsoft.com/msus/2002/12/Update";
/// `b.` in fragments (MS-WUSP 3.1.1.1).
pub(crate) const BASE_RULES: &str = "http://schemas.microsoft.com/msus/2002/12/BaseApplicabilityRules";
/// `And`, `Or`, `Not`, `True`, `False`: no prefix in fragments (observed).
pub(crate) const LOGICAL_RULES: &str = "http://schemas.microsoft.com/msus/2002/12/LogicalApplicabilityRules";
/// `m.` in fragments (MS-WUSP 3.1.1.1).
pub(crate) const MSI_RULES: &str = "http://schemas.microsoft.com/msus/2002/12/MsiApplicabilityRules";
/// `d.` in fragments (MS-WUSP 3.1.1.1).
pub(crate) const WINDOWS_DRIVER: &str =
    "http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/WindowsDriver";
/// Component-based servicing rules; no prefix in fragments (observed).
pub(crate) const CBS_RULES: &str = "http://schemas.microsoft.com/msus/2002/12/CbsApplicabilityRules";
/// `CategoryInformation`.
pub(crate) const CATEGORY: &str = "http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/Category";
/// `InstallCommand`.
pub(crate) const COMMAND_LINE: &str =
    "http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/CommandLineInstallation";
/// `xsi:type`.
pub(crate) const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// The `xml:` prefix.
pub(crate) const XML: &str = "http://www.w3.org/XML/1998/namespace";
