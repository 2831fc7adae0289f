//! Applicability: rules as values.

use super::metadata::Metadata;
use crate::Version;
use core::cmp::Ordering;
use sluicegate_terms::Timestamp;

/// The rules of one update.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rules {
    /// True where it is installed.
    pub is_installed: Option<Expression>,
    /// True where something better is installed.
    pub is_superseded: Option<Expression>,
    /// True where it can be installed.
    pub is_installable: Option<Expression>,
    /// What attribute-less rules are about.
    pub metadata: Metadata,
}

impl Rules {
    /// No section at all, as bundles usually have none (observed).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.is_installed.is_none() && self.is_superseded.is_none() && self.is_installable.is_none()
    }
}

/// How numbers, versions and times are compared: "what was read, then the operator, then the rule's value".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScalarComparison {
    /// Less.
    LessThan,
    /// Less or equal.
    LessThanOrEqualTo,
    /// Equal.
    EqualTo,
    /// Greater or equal.
    GreaterThanOrEqualTo,
    /// Greater.
    GreaterThan,
}

impl ScalarComparison {
    /// Reads the word in any letter case (`greaterthan` was seen).
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "lessthan" => Self::LessThan,
            "lessthanorequalto" => Self::LessThanOrEqualTo,
            "equalto" => Self::EqualTo,
            "greaterthanorequalto" => Self::GreaterThanOrEqualTo,
            "greaterthan" => Self::GreaterThan,
            _ => return None,
        })
    }

    /// Whether `read` stands to `value` as asked.
    #[must_use]
    pub fn holds<T: Ord>(self, read: &T, value: &T) -> bool {
        let order = read.cmp(value);
        match self {
            Self::LessThan => order == Ordering::Less,
            Self::LessThanOrEqualTo => order != Ordering::Greater,
            Self::EqualTo => order == Ordering::Equal,
            Self::GreaterThanOrEqualTo => order != Ordering::Less,
            Self::GreaterThan => order == Ordering::Greater,
        }
    }
}

/// How texts are compared. Letter case is taken as not distinguishing them (unverified).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextComparison {
    /// The whole text.
    EqualTo,
    /// Its beginning.
    BeginsWith,
    /// Anywhere in it.
    Contains,
    /// Its end.
    EndsWith,
}

impl TextComparison {
    /// Reads the word in any letter case.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "equalto" => Self::EqualTo,
            "beginswith" => Self::BeginsWith,
            "contains" => Self::Contains,
            "endswith" => Self::EndsWith,
            _ => return None,
        })
    }

    /// Whether `read` stands to `value` as asked.
    #[must_use]
    pub fn holds(self, read: &str, value: &str) -> bool {
        let (read, value) = (read.to_lowercase(), value.to_lowercase());
        match self {
            Self::EqualTo => read == value,
            Self::BeginsWith => read.starts_with(&value),
            Self::Contains => read.contains(&value),
            Self::EndsWith => read.ends_with(&value),
        }
    }
}

/// A key as rules name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegistryKey {
    /// `HKEY_LOCAL_MACHINE`, or `HKEY_LOOP_TARGET` inside a loop.
    pub root: String,
    /// The path below it.
    pub subkey: String,
    /// Look in the 32-bit view.
    pub view32: bool,
}

/// Where a file is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FilePlace {
    /// A full path.
    Path(String),
    /// Below a special folder.
    Folder {
        /// The CSIDL number.
        csidl: u32,
        /// The path below it.
        path: String,
    },
    /// Below the folder a registry value names.
    Registry {
        /// The key.
        key: RegistryKey,
        /// The value's name.
        value: String,
        /// The path below the folder.
        path: String,
    },
}

/// What is asked about a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FileTest {
    /// It exists, with everything that is given.
    Exists {
        /// Exact version.
        version: Option<Version>,
        /// Exact length.
        size: Option<u64>,
        /// Exact creation time.
        created: Option<Timestamp>,
        /// Exact modification time.
        modified: Option<Timestamp>,
        /// Exact language.
        language: Option<u16>,
    },
    /// Its version.
    Version(ScalarComparison, Version),
    /// Its creation time.
    Created(ScalarComparison, Timestamp),
    /// Its modification time.
    Modified(ScalarComparison, Timestamp),
    /// Its length.
    Size(ScalarComparison, u64),
}

/// `WindowsVersion`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WindowsVersionTest {
    /// For the numbers; `ProductType` is always compared for equality (observed).
    pub comparison: ScalarComparison,
    /// Major version.
    pub major: Option<u32>,
    /// Minor version.
    pub minor: Option<u32>,
    /// Build.
    pub build: Option<u32>,
    /// Service pack.
    pub service_pack_major: Option<u16>,
    /// Service pack, second part.
    pub service_pack_minor: Option<u16>,
    /// Workstation, domain controller or server.
    pub product_type: Option<u16>,
    /// Suites.
    pub suite_mask: Option<u16>,
    /// All of them, not just one.
    pub all_suites: bool,
}

/// The filters of `MsiProductInstalled`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MsiProductTest {
    /// The product, upper case with braces.
    pub code: String,
    /// Lowest version, and whether it is excluded itself.
    pub min: Option<(Version, bool)>,
    /// Highest version, and whether it is excluded itself.
    pub max: Option<(Version, bool)>,
    /// Exact language.
    pub language: Option<i32>,
}

/// One rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expression {
    /// Always.
    True,
    /// Never.
    False,
    /// The opposite.
    Not(Box<Self>),
    /// All of them.
    And(Vec<Self>),
    /// Any of them.
    Or(Vec<Self>),
    /// The operating system's version.
    WindowsVersion(WindowsVersionTest),
    /// The platform number.
    Platform(u32),
    /// Localized to this language, without the multilanguage interface.
    WindowsLanguage(String),
    /// The multilanguage interface is installed.
    MuiInstalled,
    /// It has this language.
    MuiLanguageInstalled(String),
    /// `GetSystemMetrics` of an index.
    SystemMetric(ScalarComparison, i32, i32),
    /// The native processor.
    Processor {
        /// Architecture.
        architecture: u16,
        /// Level.
        level: Option<u16>,
        /// Revision.
        revision: Option<u16>,
    },
    /// How many processors.
    NumberOfProcessors(ScalarComparison, u32),
    /// A file.
    File(FilePlace, FileTest),
    /// A key exists.
    RegKeyExists(RegistryKey),
    /// A value exists, of this type if given.
    RegValueExists {
        /// The key.
        key: RegistryKey,
        /// The value; `None` is the default value.
        value: Option<String>,
        /// The type's name.
        kind: Option<String>,
    },
    /// A number.
    RegDword(RegistryKey, String, ScalarComparison, u32),
    /// A text; `expand` for `REG_EXPAND_SZ`.
    RegText {
        /// The key.
        key: RegistryKey,
        /// The value.
        value: String,
        /// The comparison.
        comparison: TextComparison,
        /// The rule's text.
        data: String,
        /// Expandable text is asked for.
        expand: bool,
    },
    /// A text that is a version.
    RegSzToVersion(RegistryKey, String, ScalarComparison, Version),
    /// The oldest kind of registry rule: the value as text is, or contains, the data. The exact algorithm is not
    /// published.
    Wuv4 {
        /// The key.
        key: RegistryKey,
        /// The value; empty is the default value.
        value: String,
        /// The text.
        data: String,
        /// A part suffices.
        substring: bool,
    },
    /// A rule for each subkey, which it calls `HKEY_LOOP_TARGET`.
    RegKeyLoop {
        /// Whose subkeys.
        key: RegistryKey,
        /// All of them must satisfy the rule, not just one.
        all: bool,
        /// The rule.
        rule: Box<Self>,
    },
    /// A licensing value exists.
    LicenseValueExists(String),
    /// A licensing number.
    LicenseDword(String, ScalarComparison, u32),
    /// Any row comes back.
    WmiQuery {
        /// Its namespace.
        namespace: String,
        /// The query.
        query: String,
    },
    /// A product.
    MsiProductInstalled(MsiProductTest),
    /// Features of products.
    MsiFeatureInstalledForProduct(MsiParts),
    /// Components of products.
    MsiComponentInstalledForProduct(MsiParts),
    /// A patch on a product.
    MsiPatchInstalledForProduct(String, MsiProductTest),
    /// The patch of the update's metadata is installed.
    MsiPatchInstalled,
    /// It is superseded.
    MsiPatchSuperseded,
    /// It can be installed.
    MsiPatchInstallable,
    /// The product of the update's metadata is installed.
    MsiApplicationInstalled,
    /// It can be installed.
    MsiApplicationInstallable,
    /// The package of the update's metadata is installed.
    CbsPackageInstalled,
    /// It can be installed.
    CbsPackageInstallable,
    /// A package is installed.
    CbsPackageInstalledByIdentity(String),
    /// The driver of the update's metadata is an equal match.
    DriverInstalled,
    /// It is a worse match.
    DriverSuperseded,
    /// It is a better match.
    DriverInstallable,
    /// A device attribute as text or version.
    DeviceAttribute {
        /// Its name.
        name: String,
        /// The comparison.
        comparison: AttributeComparison,
    },
    /// An operator without meaning here: asked of [`super::Facts::other`], else unknown by this name.
    Other {
        /// The operator as written, with its letter.
        name: String,
        /// Its attributes.
        attributes: Vec<(String, String)>,
    },
}

/// `MsiFeatureInstalledForProduct` and `MsiComponentInstalledForProduct`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MsiParts {
    /// Features or components.
    pub parts: Vec<String>,
    /// Products.
    pub products: Vec<String>,
    /// All parts, not just one.
    pub all_parts: bool,
    /// In all products, not just one.
    pub all_products: bool,
}

/// How a device attribute is compared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AttributeComparison {
    /// As text.
    Text(TextComparison, String),
    /// As a number or version.
    Version(ScalarComparison, Version),
}
