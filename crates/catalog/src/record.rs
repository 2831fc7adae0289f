//! Catalog: the compact part of a revision that the scan engine, the policy and the import checks
//! need, without the document it came from.

use sluicegate_terms::{CategoryKind, Guid, Timestamp, UpdateId, UpdateIdentity, UpdateKind};

#[path = "record_codec.rs"]
mod codec;
pub use codec::RecordError;

/// One clause of the prerequisites: satisfied when any of these updates is installed
/// (MS-WUSP 3.1.1, Prerequisite Table).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Clause {
    /// The alternatives, in the document's order; never empty in a parsed document.
    pub any_of: Vec<UpdateId>,
    /// The clause places the update in the category tree (`IsCategory`). It gates delivery like any other.
    pub is_category: bool,
}

impl Clause {
    /// A clause of one update, as a bare `UpdateIdentity` is.
    #[must_use]
    pub fn one(update: UpdateId) -> Self {
        Self { any_of: vec![update], is_category: false }
    }

    /// A clause that places an update under one category.
    #[must_use]
    pub fn category(update: UpdateId) -> Self {
        Self { any_of: vec![update], is_category: true }
    }
}

/// How good a driver is on one operating system (MS-WUSP 3.1.1, Driver FeatureScore Table).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct FeatureScore {
    /// `Architecture.Major.Minor`, for example `AMD64.10.0`, as written.
    pub operating_system: String,
    /// 0 to 255; lower is better.
    pub score: u8,
}

/// One `WindowsDriverMetaData`: what a driver fits (MS-WUSP 3.1.1, the Driver tables).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct DriverEntry {
    /// The hardware or compatible id it fits, in lower case (letter case does not distinguish ids).
    pub hardware_id: String,
    /// `DriverVerDate`, midnight UTC.
    pub ver_date: Timestamp,
    /// `DriverVerVersion` packed into 64 bits, first part highest.
    pub ver_version: u64,
    /// Device class; `Printers` is the one with a meaning of its own (MS-WUSP 3.1.5.8).
    pub class: String,
    /// Who made the driver.
    pub manufacturer: String,
    /// Who provides it; installed drivers are compared by it.
    pub provider: String,
    /// The device model.
    pub model: String,
    /// Submission number; higher is newer.
    pub whql_driver_id: u32,
    /// Other providers whose drivers this one may replace.
    pub compatible_providers: Vec<String>,
    /// Scores per operating system; absent means the worst, 255.
    pub feature_scores: Vec<FeatureScore>,
    /// Computers the service limits the driver to; empty means no limit.
    pub distribution_computer_ids: Vec<Guid>,
    /// Computers the driver package names.
    pub target_computer_ids: Vec<Guid>,
}

/// The compact part of one revision.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ScanRecord {
    /// Which revision.
    pub identity: UpdateIdentity,
    /// What it is.
    pub kind: UpdateKind,
    /// Its level in the category tree; present exactly for [`UpdateKind::Category`].
    pub category_kind: Option<CategoryKind>,
    /// Whether administrators can approve it (`ExplicitlyDeployable`, default false).
    pub explicitly_deployable: bool,
    /// Its publisher withdrew it (`PublicationState="Expired"`).
    pub expired: bool,
    /// All must be satisfied before it is delivered.
    pub prerequisites: Vec<Clause>,
    /// Clauses of bundled revisions.
    pub bundles: Vec<Vec<UpdateIdentity>>,
    /// Updates it replaces.
    pub supersedes: Vec<UpdateId>,
    /// What it fits; empty unless it is a driver.
    pub drivers: Vec<DriverEntry>,
}

impl ScanRecord {
    /// A record without relationships.
    #[must_use]
    pub fn new(identity: UpdateIdentity, kind: UpdateKind) -> Self {
        Self {
            identity,
            kind,
            category_kind: None,
            explicitly_deployable: false,
            expired: false,
            prerequisites: Vec::new(),
            bundles: Vec::new(),
            supersedes: Vec::new(),
            drivers: Vec::new(),
        }
    }
}
