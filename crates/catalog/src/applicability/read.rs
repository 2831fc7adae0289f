//! Applicability: reads rules from a Core fragment. An operator that is not known, or lacks what it needs, becomes
//! [`Expression::Other`]: it makes a verdict unknown, it does not make the fragment unreadable.

use super::metadata::{self, normal_code};
use super::rules::{
    AttributeComparison, Expression, FilePlace, FileTest, MsiParts, MsiProductTest, RegistryKey, Rules,
    ScalarComparison, TextComparison, WindowsVersionTest,
};
use crate::xml::{Element, Tree};
use crate::{CatalogError, Limits, Version};
use core::str::FromStr;

impl Rules {
    /// The rules of a Core fragment (of [`crate::Fragments::core`], or as a client received it, unescaped).
    ///
    /// # Errors
    /// [`CatalogError`] when the fragment is not well-formed or breaks a bound, or its driver metadata is not valid.
    pub fn from_core(core: &str, limits: &Limits) -> Result<Self, CatalogError> {
        let tree = Tree::fragment(core, limits)?;
        let mut rules = Self::default();
        let sections =
            tree.roots().filter(|root| root.local() == "ApplicabilityRules").flat_map(Element::children);
        for section in sections {
            // "One expression each" (observed); several would all have to hold.
            let rule = || match section.children().map(expression).collect::<Vec<_>>() {
                mut one if one.len() == 1 => one.pop(),
                several => Some(Expression::And(several)),
            };
            match section.local() {
                "IsInstalled" => rules.is_installed = rule(),
                "IsSuperseded" => rules.is_superseded = rule(),
                "IsInstallable" => rules.is_installable = rule(),
                "Metadata" => rules.metadata = metadata::read(section)?,
                _ => {}
            }
        }
        Ok(rules)
    }
}

/// Nesting is bounded by [`Limits::max_depth`].
fn expression(element: Element<'_>) -> Expression {
    let inner = || element.children().map(expression);
    match element.local() {
        "True" => Expression::True,
        "False" => Expression::False,
        "And" => Expression::And(inner().collect()),
        "Or" => Expression::Or(inner().collect()),
        "Not" => match inner().next() {
            Some(rule) => Expression::Not(Box::new(rule)),
            None => other(element),
        },
        name => {
            let known = match name.split_once('.') {
                Some(("b", name)) if name.starts_with("File") => file(element, name),
                Some(("b", name)) if name.starts_with("Reg") || name.starts_with("WUv4") => {
                    registry(element, name)
                }
                Some(("b", name)) => system(element, name),
                Some(("m", name)) => msi(element, name),
                Some(("d", "WindowsDriverInstalled")) => Some(Expression::DriverInstalled),
                Some(("d", "WindowsDriverSuperseded")) => Some(Expression::DriverSuperseded),
                Some(("d", "WindowsDriverInstallable")) => Some(Expression::DriverInstallable),
                Some(_) => None,
                None => unprefixed(element, name),
            };
            known.unwrap_or_else(|| other(element))
        }
    }
}

fn other(element: Element<'_>) -> Expression {
    let attributes = element.attributes().filter(|attribute| !attribute.declaration);
    let attributes =
        attributes.map(|attribute| (attribute.local.to_owned(), attribute.value.to_owned())).collect();
    Expression::Other { name: element.local().to_owned(), attributes }
}

fn unprefixed(element: Element<'_>, name: &str) -> Option<Expression> {
    Some(match name {
        "CbsPackageInstalled" => Expression::CbsPackageInstalled,
        "CbsPackageInstallable" => Expression::CbsPackageInstallable,
        "CbsPackageInstalledByIdentity" => {
            Expression::CbsPackageInstalledByIdentity(text(element, "PackageIdentity")?)
        }
        "DeviceAttribute" => device_attribute(element)?,
        "Platform" => Expression::Platform(value(element, "PlatformID")?),
        _ => return None,
    })
}

/// The attributes of this operator are not in any published schema; these names are a guess that leaves
/// anything else unknown.
fn device_attribute(element: Element<'_>) -> Option<Expression> {
    let name = text(element, "Name")?;
    let data = text(element, "Value").or_else(|| text(element, "Data"))?;
    let word = element.attribute("Comparison").unwrap_or("EqualTo");
    let comparison = if element.attribute("Type").is_some_and(|kind| kind.eq_ignore_ascii_case("Version")) {
        AttributeComparison::Version(ScalarComparison::from_word(word)?, data.parse().ok()?)
    } else {
        AttributeComparison::Text(TextComparison::from_word(word)?, data)
    };
    Some(Expression::DeviceAttribute { name, comparison })
}

fn system(element: Element<'_>, name: &str) -> Option<Expression> {
    Some(match name {
        "WindowsVersion" | "PlatformVersion" => Expression::WindowsVersion(WindowsVersionTest {
            comparison: match element.attribute("Comparison") {
                None => ScalarComparison::EqualTo,
                Some(word) => ScalarComparison::from_word(word)?,
            },
            major: optional(element, "MajorVersion")?,
            minor: optional(element, "MinorVersion")?,
            build: optional(element, "BuildNumber")?,
            service_pack_major: optional(element, "ServicePackMajor")?,
            service_pack_minor: optional(element, "ServicePackMinor")?,
            product_type: optional(element, "ProductType")?,
            suite_mask: optional(element, "SuiteMask")?,
            all_suites: flag(element, "AllSuitesMustBePresent"),
        }),
        "Platform" => Expression::Platform(value(element, "PlatformID")?),
        "WindowsLanguage" | "PlatformLanguage" => Expression::WindowsLanguage(text(element, "Language")?),
        "MuiInstalled" => Expression::MuiInstalled,
        "MuiLanguageInstalled" => Expression::MuiLanguageInstalled(text(element, "Language")?),
        "SystemMetric" => {
            Expression::SystemMetric(comparison(element)?, value(element, "Index")?, value(element, "Value")?)
        }
        "Processor" => Expression::Processor {
            architecture: value(element, "Architecture")?,
            level: optional(element, "Level")?,
            revision: optional(element, "Revision")?,
        },
        "NumberOfProcessors" => {
            Expression::NumberOfProcessors(comparison(element)?, value(element, "Number")?)
        }
        "LicenseValueExists" => Expression::LicenseValueExists(text(element, "Value")?),
        "LicenseDword" => {
            Expression::LicenseDword(text(element, "Value")?, comparison(element)?, value(element, "Data")?)
        }
        "WmiQuery" => Expression::WmiQuery {
            namespace: text(element, "Namespace").unwrap_or_else(|| "root\\cimv2".to_owned()),
            query: text(element, "WqlQuery")?,
        },
        "DeviceAttribute" => device_attribute(element)?,
        _ => return None,
    })
}

fn file(element: Element<'_>, name: &str) -> Option<Expression> {
    let (question, by_registry) = match name.strip_suffix("PrependRegSz") {
        Some(question) => (question, true),
        None => (name, false),
    };
    let path = text(element, "Path")?;
    let place = if by_registry {
        // The default value is meant when none is named.
        FilePlace::Registry { key: key(element)?, value: text(element, "Value").unwrap_or_default(), path }
    } else {
        match optional(element, "Csidl")? {
            Some(csidl) => FilePlace::Folder { csidl, path },
            None => FilePlace::Path(path),
        }
    };
    let test = match question {
        "FileExists" => FileTest::Exists {
            version: optional(element, "Version")?,
            size: optional(element, "Size")?,
            created: optional(element, "Created")?,
            modified: optional(element, "Modified")?,
            language: optional(element, "Language")?,
        },
        "FileVersion" => FileTest::Version(comparison(element)?, value(element, "Version")?),
        "FileCreated" => FileTest::Created(comparison(element)?, value(element, "Created")?),
        "FileModified" => FileTest::Modified(comparison(element)?, value(element, "Modified")?),
        "FileSize" => FileTest::Size(comparison(element)?, value(element, "Size")?),
        _ => return None,
    };
    Some(Expression::File(place, test))
}

fn registry(element: Element<'_>, name: &str) -> Option<Expression> {
    let key = key(element)?;
    let named = || text(element, "Value").unwrap_or_default();
    Some(match name {
        "RegKeyExists" => Expression::RegKeyExists(key),
        "RegValueExists" => {
            Expression::RegValueExists { key, value: text(element, "Value"), kind: text(element, "Type") }
        }
        "RegDword" => Expression::RegDword(key, named(), comparison(element)?, value(element, "Data")?),
        "RegSz" | "RegExpandSz" => Expression::RegText {
            key,
            value: named(),
            comparison: TextComparison::from_word(element.attribute("Comparison")?)?,
            data: text(element, "Data")?,
            expand: name == "RegExpandSz",
        },
        "RegSzToVersion" => {
            Expression::RegSzToVersion(key, named(), comparison(element)?, value::<Version>(element, "Data")?)
        }
        "WUv4RegKeyValue" | "WUv4RegKeySubstring" => Expression::Wuv4 {
            key,
            value: named(),
            data: text(element, "Data")?,
            substring: name == "WUv4RegKeySubstring",
        },
        "RegKeyLoop" => Expression::RegKeyLoop {
            key,
            all: match element.attribute("TrueIf")?.to_ascii_lowercase().as_str() {
                "all" => true,
                "any" => false,
                _ => return None,
            },
            rule: Box::new(element.children().next().map(expression)?),
        },
        _ => return None,
    })
}

fn msi(element: Element<'_>, name: &str) -> Option<Expression> {
    let parts = |inner: &str, all_parts: &str| {
        let texts = |name: &str| -> Vec<String> {
            let all = element.children().filter(|child| child.local().strip_prefix("m.") == Some(name));
            all.map(|child| child.text().trim().to_owned()).collect()
        };
        MsiParts {
            parts: texts(inner),
            products: texts("Product").iter().map(|code| normal_code(code)).collect(),
            all_parts: flag(element, all_parts),
            all_products: flag(element, "AllProductsRequired"),
        }
    };
    Some(match name {
        "MsiProductInstalled" => Expression::MsiProductInstalled(product(element)?),
        "MsiPatchInstalledForProduct" => Expression::MsiPatchInstalledForProduct(
            normal_code(element.attribute("PatchCode")?),
            product(element)?,
        ),
        "MsiFeatureInstalledForProduct" => {
            Expression::MsiFeatureInstalledForProduct(parts("Feature", "AllFeaturesRequired"))
        }
        "MsiComponentInstalledForProduct" => {
            let mut parts = parts("Component", "AllComponentsRequired");
            parts.parts.iter_mut().for_each(|code| *code = normal_code(code));
            Expression::MsiComponentInstalledForProduct(parts)
        }
        "MsiPatchInstalled" => Expression::MsiPatchInstalled,
        "MsiPatchSuperseded" => Expression::MsiPatchSuperseded,
        "MsiPatchInstallable" => Expression::MsiPatchInstallable,
        "MsiApplicationInstalled" => Expression::MsiApplicationInstalled,
        "MsiApplicationInstallable" => Expression::MsiApplicationInstallable,
        _ => return None,
    })
}

fn product(element: Element<'_>) -> Option<MsiProductTest> {
    // `Exclude…` occurs without its bound (observed) and means nothing then.
    let bound = |name: &str, excluded: &str| -> Option<Option<(Version, bool)>> {
        Some(optional(element, name)?.map(|version| (version, flag(element, excluded))))
    };
    Some(MsiProductTest {
        code: normal_code(element.attribute("ProductCode")?),
        min: bound("VersionMin", "ExcludeVersionMin")?,
        max: bound("VersionMax", "ExcludeVersionMax")?,
        language: optional(element, "Language")?,
    })
}

fn key(element: Element<'_>) -> Option<RegistryKey> {
    Some(RegistryKey {
        root: text(element, "Key")?,
        subkey: text(element, "Subkey").unwrap_or_default(),
        view32: flag(element, "RegType32"),
    })
}

fn comparison(element: Element<'_>) -> Option<ScalarComparison> {
    ScalarComparison::from_word(element.attribute("Comparison")?)
}

fn text(element: Element<'_>, name: &str) -> Option<String> {
    element.attribute(name).map(str::to_owned)
}

fn value<T: FromStr>(element: Element<'_>, name: &str) -> Option<T> {
    element.attribute(name)?.trim().parse().ok()
}

/// `None` for a value that cannot be read, `Some(None)` for an absent one.
fn optional<T: FromStr>(element: Element<'_>, name: &str) -> Option<Option<T>> {
    element.attribute(name).map_or(Some(None), |value| value.trim().parse().ok().map(Some))
}

fn flag(element: Element<'_>, name: &str) -> bool {
    matches!(element.attribute(name), Some("true" | "1"))
}
