//! Demo: applicability rules in the notation of Core fragments, all about the registry of made-up products.

/// Registry key of the workbench, below `HKEY_LOCAL_MACHINE`.
pub(super) const DESK: &str = "SOFTWARE\\Heron\\Desk";
/// Registry key of the server.
pub(super) const STATION: &str = "SOFTWARE\\Heron\\Station";
/// Registry key of things that come beside them; one value each.
pub(super) const EXTRAS: &str = "SOFTWARE\\Heron\\Extras";

/// The key with its root, as packages name it.
pub(super) fn full(key: &str) -> String {
    format!("HKEY_LOCAL_MACHINE\\{key}")
}

/// A product's version is at least this.
pub(super) fn at_least(key: &str, version: &str) -> String {
    format!(
        r#"<b.RegSzToVersion Key="HKEY_LOCAL_MACHINE" Subkey="{key}" Value="Version" Comparison="GreaterThanOrEqualTo" Data="{version}" />"#
    )
}

/// An extra has this version or a newer one.
pub(super) fn has_extra(name: &str, version: &str) -> String {
    format!(
        r#"<b.RegSzToVersion Key="HKEY_LOCAL_MACHINE" Subkey="{EXTRAS}" Value="{name}" Comparison="GreaterThanOrEqualTo" Data="{version}" />"#
    )
}

/// The native processor.
pub(super) fn processor(architecture: u16) -> String {
    format!(r#"<b.Processor Architecture="{architecture}" />"#)
}

/// Windows 10 or newer as a workstation (1) or a server (3).
pub(super) fn windows(product_type: u16) -> String {
    format!(
        r#"<b.WindowsVersion Comparison="GreaterThanOrEqualTo" MajorVersion="10" MinorVersion="0" ProductType="{product_type}" />"#
    )
}
