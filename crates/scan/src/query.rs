//! Scan: what a client asks, after the border has parsed it. Borrowed throughout, so that a request is
//! answered without copying it.

use core::fmt;
use core::str::FromStr;
use sluicegate_terms::{Anchor, GroupId, Guid, RevisionId, Timestamp, UpdateId};

/// The protocol version a client named in GetCookie (MS-WUSP 2.2.2.2.2); it gates parts of answers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ProtocolVersion {
    /// Before the dot.
    pub major: u16,
    /// After the dot: a number of its own, so that 2.90 is newer than 2.9.
    pub minor: u16,
}

impl ProtocolVersion {
    /// From here on, drivers carry `HardwareIds` (MS-WUSP 2.2.2.2.4).
    pub const HARDWARE_IDS: Self = Self { major: 1, minor: 6 };
    /// From here on there are category scans, two groups of out-of-scope ids and `DriverSyncNotNeeded`.
    pub const CATEGORY_SCAN: Self = Self { major: 1, minor: 7 };
    /// From here on, deployments carry `AutoSelect`, `AutoDownload` and `SupersedenceBehavior`.
    pub const AUTO_FIELDS: Self = Self { major: 1, minor: 8 };
}

/// Text that is not a protocol version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a protocol version (expected two numbers with a dot between them, for example 1.8)")]
pub struct ProtocolVersionError(String);

impl FromStr for ProtocolVersion {
    type Err = ProtocolVersionError;
    fn from_str(text: &str) -> Result<Self, ProtocolVersionError> {
        let number =
            |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten();
        text.trim()
            .split_once('.')
            .and_then(|(major, minor)| Some(Self { major: number(major)?, minor: number(minor)? }))
            .ok_or_else(|| ProtocolVersionError(text.chars().take(40).collect()))
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// How large a page of new updates may grow, in bytes of escaped Core fragments and their frame.
/// Pages are bounded by bytes and not by a count: agents give up after 200 round trips and take answers
/// of over 1 MB (observed behaviour 3.3, rules 11 to 13).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PageBudget {
    /// For a client that holds nothing.
    pub floor: u32,
    /// Added for each revision the client holds: who holds much is catching up on a large catalog.
    pub per_held: u32,
    /// Never more.
    pub ceiling: u32,
}

impl Default for PageBudget {
    /// 1 MiB, and 4 MiB from about 400 held revisions on.
    fn default() -> Self {
        Self { floor: 1 << 20, per_held: 8 << 10, ceiling: 4 << 20 }
    }
}

impl PageBudget {
    /// What is counted for a new update beside its Core fragment.
    pub const FRAME_BYTES: u32 = 400;

    /// The budget of a client that holds so many revisions.
    #[must_use]
    pub fn bytes(&self, held: usize) -> u64 {
        let grown =
            (held as u64).saturating_mul(u64::from(self.per_held)).saturating_add(u64::from(self.floor));
        grown.min(u64::from(self.ceiling)).max(u64::from(self.floor.min(self.ceiling)))
    }
}

/// The parameters of one SyncUpdates call (MS-WUSP 2.2.2.2.4) and what the cookie knows of the client.
/// Revision ids are raw: repeated, unknown and negative ones are answered, never an error.
#[derive(Clone, Copy, Debug)]
pub struct SyncQuery<'a> {
    /// `InstalledNonLeafUpdateIDs`.
    pub installed_non_leaf: &'a [i32],
    /// `OtherCachedUpdateIDs`.
    pub other_cached: &'a [i32],
    /// `CachedDriverIDs`.
    pub cached_drivers: &'a [i32],
    /// `SystemSpec`: the devices (driver pass).
    pub system_spec: &'a [Device<'a>],
    /// `ComputerSpec/HardwareIDs`, most specific first (driver pass).
    pub computer_hardware_ids: &'a [Guid],
    /// `FeatureScoreMatchingKey`, for example `AMD64.10.0` (driver pass).
    pub feature_score_key: Option<&'a str>,
    /// `FilterCategoryIds`; heeded from protocol 1.7 on.
    pub filter_categories: &'a [UpdateId],
    /// `SkipSoftwareSync`: this is the driver pass.
    pub skip_software: bool,
    /// `AlsoPerformRegularSync` (observed): the filter does not narrow this call.
    pub also_regular: bool,
    /// `NeedTwoGroupOutOfScopeUpdates`.
    pub two_groups: bool,
    /// The computer's groups; ancestors are added here. Unknown ones are ignored, none means Unassigned
    /// Computers.
    pub groups: &'a [GroupId],
    /// The anchor in the client's cookie. [`Anchor::START`] for a new cookie, and also whenever the
    /// computer's groups are not those the cookie was made for.
    pub seen: Anchor,
    /// The client's protocol version.
    pub protocol: ProtocolVersion,
    /// How large the page may grow.
    pub budget: PageBudget,
    /// Revisions that cannot be delivered though they are in the snapshot: their bytes are damaged. Nearly always
    /// none.
    pub without: &'a [RevisionId],
}

/// One device of a `SystemSpec` (MS-WUSP 2.2.2.2.4, Device).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Device<'a> {
    /// `HardwareIDs`, most specific first.
    pub hardware_ids: Vec<&'a str>,
    /// `CompatibleIDs`, most specific first; they rank after the hardware ids.
    pub compatible_ids: Vec<&'a str>,
    /// `installedDriver`.
    pub installed: Option<InstalledDriver<'a>>,
    /// `extensionDriver`.
    pub extensions: Vec<ExtensionDriver<'a>>,
    /// `DriverRecoveryIDs`: updates whose driver an agent installed here, which may be removed again.
    pub recovery_ids: Vec<&'a str>,
    /// `DeviceFlags`; bit 0 set means not found by plug and play (a printer queue, say).
    pub flags: u8,
}

/// The driver a device has (MS-WUSP 2.2.2.2.4, InstalledDriver).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct InstalledDriver<'a> {
    /// `MatchingID`: the device's id that the driver matched.
    pub matching_id: Option<&'a str>,
    /// `DriverVerDate`; the year 1 together with version 0 means that there is no driver (observed).
    pub ver_date: Timestamp,
    /// `DriverVerVersion`, packed into 64 bits.
    pub ver_version: u64,
    /// `Class`: a name or the GUID of the class (both observed).
    pub class: Option<&'a str>,
    /// `Manufacturer`.
    pub manufacturer: Option<&'a str>,
    /// `Provider`.
    pub provider: Option<&'a str>,
    /// `MatchingComputerHWID`.
    pub matching_computer_id: Option<Guid>,
    /// `DriverRank`; -1 when unknown (observed).
    pub rank: i32,
    /// `SkipProviderFiltering` (observed): a printer driver of another provider may replace it.
    pub skip_provider_filtering: bool,
}

/// An extension driver a device has (MS-WUSP 2.2.2.2.4, extensionDriver).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ExtensionDriver<'a> {
    /// `ExtensionId`: a GUID as text.
    pub extension_id: &'a str,
    /// `DriverVerDate`.
    pub ver_date: Timestamp,
    /// `DriverVerVersion`, packed into 64 bits.
    pub ver_version: u64,
    /// `DriverRank`.
    pub rank: i32,
    /// `MatchingComputerHWID`.
    pub matching_computer_id: Option<Guid>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocol_versions_compare_as_two_numbers() {
        let version = |text: &str| text.parse::<ProtocolVersion>().unwrap();
        assert!(version("2.90") > version("2.9"));
        assert!(version("1.8") >= ProtocolVersion::AUTO_FIELDS);
        assert!(version("1.10") > ProtocolVersion::AUTO_FIELDS);
        for bad in ["", "1", "1.", ".8", "1.8.0", "-1.8", "1.+8", "99999.1"] {
            assert!(bad.parse::<ProtocolVersion>().is_err(), "{bad}");
        }
    }

    #[test]
    fn page_budgets_grow_to_a_ceiling() {
        let budget = PageBudget::default();
        assert_eq!(budget.bytes(0), 1 << 20);
        assert_eq!(budget.bytes(128), 2 << 20);
        assert_eq!(budget.bytes(usize::MAX), 4 << 20);
        let odd = PageBudget { floor: 10, per_held: 1, ceiling: 5 };
        assert_eq!(odd.bytes(0), 5);
    }
}
