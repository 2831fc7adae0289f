//! Catalog: `WindowsDriverMetaData`, what a driver fits (MS-WUSP 3.1.1.1 and appendix A, note 42).

use super::{attribute, bad, bounded, named, number, term, unexpected};
use crate::xml::Element;
use crate::{CatalogError, DriverEntry, FeatureScore, Version};
use sluicegate_terms::Guid;

/// Every `WindowsDriverMetaData` of a document's or fragment's `ApplicabilityRules`.
pub(super) fn entries(rules: Option<Element<'_>>) -> Result<Vec<DriverEntry>, CatalogError> {
    let metadata = rules.and_then(|rules| rules.child("Metadata"));
    let mut out = Vec::new();
    for element in named(metadata, "WindowsDriverMetaData") {
        out.push(entry(element)?);
        bounded(element, "driver entries", out.len())?;
    }
    Ok(out)
}

/// One `WindowsDriverMetaData`, of a document or a Core fragment.
pub(crate) fn entry(element: Element<'_>) -> Result<DriverEntry, CatalogError> {
    let hardware_id = attribute(element, "HardwareID")?;
    // The schema allows 200 characters.
    if hardware_id.is_empty() || hardware_id.chars().count() > 200 {
        return Err(unexpected(element, "HardwareID", hardware_id, "1 to 200 characters"));
    }
    let written = attribute(element, "DriverVerVersion")?;
    let version: Option<Version> = written.parse().ok();
    let ver_version = version.and_then(Version::packed).ok_or_else(|| {
        unexpected(element, "DriverVerVersion", written, "four numbers up to 65535 with dots between")
    })?;
    let whql_driver_id = match element.attribute("WhqlDriverID") {
        None => 0,
        Some(value) => number(element, "WhqlDriverID", value, "0 to 4294967295")?,
    };
    // Informative only; older documents leave some of them out although the schema requires them.
    let text = |name: &str| element.attribute(name).unwrap_or_default().to_owned();
    let mut feature_scores = Vec::new();
    for score in named(Some(element), "FeatureScore") {
        feature_scores.push(FeatureScore {
            operating_system: attribute(score, "OperatingSystem")?.to_owned(),
            score: feature_score(score)?,
        });
        bounded(score, "feature scores", feature_scores.len())?;
    }
    let computers = |name: &'static str| -> Result<Vec<Guid>, CatalogError> {
        named(Some(element), name)
            .map(|child| child.text().trim().parse().map_err(|problem| bad(child, name, problem)))
            .collect()
    };
    Ok(DriverEntry {
        hardware_id: hardware_id.to_lowercase(),
        ver_date: term(element, "DriverVerDate")?,
        ver_version,
        class: text("Class"),
        manufacturer: text("Manufacturer"),
        provider: text("Provider"),
        model: text("Model"),
        whql_driver_id,
        compatible_providers: named(Some(element), "CompatibleProvider")
            .map(|child| child.text().into_owned())
            .collect(),
        feature_scores,
        distribution_computer_ids: computers("DistributionComputerHardwareId")?,
        target_computer_ids: computers("TargetComputerHardwareId")?,
    })
}

/// MS-WUSP 3.1.1 gives the range 0 to 255 without saying how it is written; driver packages, and the
/// public reference implementation of the service, write two hexadecimal digits (`FF`).
fn feature_score(element: Element<'_>) -> Result<u8, CatalogError> {
    let text = attribute(element, "FeatureScore")?.trim();
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(unexpected(element, "FeatureScore", text, "two hexadecimal digits"));
    }
    u8::from_str_radix(digits, 16)
        .map_err(|_| unexpected(element, "FeatureScore", text, "two hexadecimal digits"))
}
