//! Applicability: the `Metadata` section, which attribute-less rules (`MsiPatchInstalled`, `CbsPackageInstalled`,
//! `d.WindowsDriverInstalled`) are about (observed-behaviour 9).

use crate::parse::driver;
use crate::xml::Element;
use crate::{CatalogError, DriverEntry, Version};

/// What the rules without attributes are about.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Metadata {
    /// The servicing package, `name~token~architecture~language~version`.
    pub cbs_package: Option<String>,
    /// Product codes, upper case with braces.
    pub msi_products: Vec<String>,
    /// The patch.
    pub msi_patch: Option<MsiPatch>,
    /// What a driver fits.
    pub drivers: Vec<DriverEntry>,
}

/// `MsiPatchMetadata`, in the form of `patch_applicability.xsd`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MsiPatch {
    /// The patch code, upper case with braces.
    pub code: String,
    /// What it is for; any of them.
    pub targets: Vec<MsiTarget>,
}

/// One target product of a patch.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MsiTarget {
    /// The product code it is limited to.
    pub product: Option<String>,
    /// The version it is limited to.
    pub version: Option<TargetVersion>,
    /// The language it is limited to.
    pub language: Option<i32>,
}

/// The version a patch is limited to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TargetVersion {
    /// The version.
    pub version: Version,
    /// `Equal`, `LessThan` and so on, as written.
    pub comparison: String,
    /// How many parts count, 1 to 4.
    pub parts: usize,
}

pub(super) fn read(section: Element<'_>) -> Result<Metadata, CatalogError> {
    let mut metadata = Metadata::default();
    for child in section.children() {
        match child.local() {
            "CbsPackageApplicabilityMetadata" => metadata.cbs_package = package_identity(child),
            "m.MsiApplicationMetadata" => {
                let codes = child.children().filter(|inner| inner.local() == "m.ProductCode");
                metadata.msi_products.extend(codes.map(|code| normal_code(&code.text())));
            }
            "m.MsiPatchMetadata" => metadata.msi_patch = child.child("MsiPatch").map(patch),
            "d.WindowsDriverMetaData" => metadata.drivers.push(driver::entry(child)?),
            _ => {}
        }
    }
    Ok(metadata)
}

/// Codes are compared in upper case with braces.
pub(super) fn normal_code(code: &str) -> String {
    let bare = code.trim().trim_start_matches('{').trim_end_matches('}');
    format!("{{{}}}", bare.to_ascii_uppercase())
}

/// The identity of the component manifest inside: the first `assemblyIdentity` of the outermost `assembly`.
fn package_identity(metadata: Element<'_>) -> Option<String> {
    let identity = metadata.child("assembly")?.child("assemblyIdentity")?;
    let part = |name: &str| identity.attribute(name).unwrap_or_default();
    let language = Some(part("language")).filter(|language| !language.eq_ignore_ascii_case("neutral"));
    let name = identity.attribute("name")?;
    let (token, architecture) = (part("publicKeyToken"), part("processorArchitecture"));
    Some(format!("{name}~{token}~{architecture}~{}~{}", language.unwrap_or_default(), part("version")))
}

fn patch(element: Element<'_>) -> MsiPatch {
    let validated = |child: &Element<'_>| child.attribute("Validate") != Some("false");
    let target = |target: Element<'_>| {
        let version = target.child("TargetVersion").filter(validated).and_then(|version| {
            Some(TargetVersion {
                version: version.text().parse().ok()?,
                comparison: version.attribute("ComparisonType").unwrap_or("Equal").to_owned(),
                parts: match version.attribute("ComparisonFilter") {
                    Some("Major") => 1,
                    Some("MajorMinor") => 2,
                    Some("MajorMinorUpdate") => 3,
                    _ => 4,
                },
            })
        });
        let code = target.child("TargetProductCode").filter(validated);
        let language = target.child("TargetLanguage").filter(validated);
        MsiTarget {
            product: code.map(|code| normal_code(&code.text())),
            version,
            language: language.and_then(|language| language.text().trim().parse().ok()),
        }
    };
    let targets = element.children().filter(|child| child.local() == "TargetProduct");
    MsiPatch {
        code: normal_code(element.attribute("PatchGUID").unwrap_or_default()),
        targets: targets.map(target).collect(),
    }
}
