//! Catalog: what an update document says, after checking. The compact record, the listing and the fragments
//! are made from it; the XML itself is not kept.

use crate::{Clause, DriverEntry, FileEntry, Fragments, ScanRecord};
use sluicegate_terms::{
    CategoryKind, Guid, Locale, Sha256Digest, Timestamp, UpdateId, UpdateIdentity, UpdateKind,
};
use std::collections::BTreeSet;

/// A checked update document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpdateDocument {
    /// Which revision.
    pub identity: UpdateIdentity,
    /// What it is.
    pub kind: UpdateKind,
    /// Present exactly for categories.
    pub category: Option<CategoryInfo>,
    /// The attributes and children of `Properties`.
    pub properties: Properties,
    /// The texts, one set per language, in document order.
    pub texts: Vec<LocalizedText>,
    /// How it relates to other updates.
    pub relationships: Relationships,
    /// Its files, in document order.
    pub files: Vec<FileEntry>,
    /// What it fits; empty unless it is a driver.
    pub drivers: Vec<DriverEntry>,
    /// Licence terms; the files are content like others.
    pub eulas: Vec<EulaFile>,
    /// The processor architectures its rules ask for, by their numbers in `PROCESSOR_ARCHITECTURE_…`.
    pub processors: BTreeSet<u16>,
    /// What clients are sent.
    pub fragments: Fragments,
    /// SHA-256 of the document's meaning: the same for every encoding, prefix and indentation. Two
    /// documents of one identity contradict each other exactly when this differs.
    pub content: Sha256Digest,
}

/// `HandlerSpecificData/CategoryInformation`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CategoryInfo {
    /// The level in the tree.
    pub kind: CategoryKind,
    /// No category may stand under it.
    pub prohibits_subcategories: bool,
    /// Updates do not stand directly under it.
    pub prohibits_updates: bool,
    /// Position among its siblings in user interfaces.
    pub display_order: Option<i32>,
    /// Not selected for synchronization by default.
    pub excluded_by_default: bool,
}

/// What `Properties` says. Attributes that only travel inside fragments are not repeated here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Properties {
    /// The language of the texts to fall back to.
    pub default_language: Option<Locale>,
    /// Administrators can approve it.
    pub explicitly_deployable: bool,
    /// Chosen by default where users choose.
    pub auto_select_on_web_sites: bool,
    /// Brings another version of the operating system.
    pub os_upgrade: bool,
    /// Withdrawn by its publisher.
    pub expired: bool,
    /// When it was published.
    pub created: Option<Timestamp>,
    /// The handler's URI.
    pub handler: Option<String>,
    /// Its licence terms (MS-WSUSSS 3.1.1, EULAs Table).
    pub eula_id: Option<Guid>,
    /// Bytes of all files together.
    pub max_download_size: Option<u64>,
    /// Knowledge base articles, digits only as written.
    pub kb: Vec<String>,
    /// The languages that it and its files are for (`Properties/Language`); empty is all.
    pub languages: Vec<Locale>,
    /// The security severity (`MsrcSeverity`).
    pub severity: Option<String>,
    /// Security bulletins.
    pub bulletins: Vec<String>,
    /// CVE names.
    pub cves: Vec<String>,
    /// Where help is.
    pub support_url: Option<String>,
    /// `InstallationBehavior/@RebootBehavior`, as written.
    pub reboot: Option<String>,
    /// It has an uninstall behaviour.
    pub can_uninstall: bool,
    /// `InstallationBehavior/@CanRequestUserInput`: installing it may ask the user something.
    pub may_ask: bool,
    /// `@IsBeta`: its publisher says that it is not final.
    pub beta: bool,
}

/// One `LocalizedProperties`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalizedText {
    /// Its language.
    pub language: Locale,
    /// The title.
    pub title: String,
    /// The description, empty when absent.
    pub description: String,
    /// Where more is said.
    pub more_info_url: Option<String>,
    /// Where help is.
    pub support_url: Option<String>,
}

/// `Relationships`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Relationships {
    /// All must be satisfied.
    pub prerequisites: Vec<Clause>,
    /// Clauses of bundled revisions.
    pub bundles: Vec<Vec<UpdateIdentity>>,
    /// Updates it replaces.
    pub supersedes: Vec<UpdateId>,
}

/// `EulaFile` (MS-WUSP appendix A, note 44).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EulaFile {
    /// Its language.
    pub language: Locale,
    /// The region it is for; `None` is the rest of the world.
    pub geo_id: Option<String>,
    /// The file.
    pub file: FileEntry,
}

impl UpdateDocument {
    /// The compact part that scans and checks need.
    #[must_use]
    pub fn scan_record(&self) -> ScanRecord {
        ScanRecord {
            identity: self.identity,
            kind: self.kind,
            category_kind: self.category.as_ref().map(|category| category.kind),
            explicitly_deployable: self.properties.explicitly_deployable,
            expired: self.properties.expired,
            prerequisites: self.relationships.prerequisites.clone(),
            bundles: self.relationships.bundles.clone(),
            supersedes: self.relationships.supersedes.clone(),
            drivers: self.drivers.clone(),
        }
    }
}
