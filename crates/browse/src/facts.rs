//! Browse: what the index is told about one update or one computer, in the form its owner has it.

use core::str::FromStr;
use sluicegate_policy::EulaId;
use sluicegate_terms::{CategoryKind, ComputerId, GroupId, RevisionId, Timestamp, UpdateId, UpdateKind};

/// `MsrcSeverity` (MS-WSUSSS, update metadata): the rating of the weakness that a security update removes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum Severity {
    /// None is given, or one that is not known here.
    #[default]
    Unspecified,
    /// `Low`.
    Low,
    /// `Moderate`.
    Moderate,
    /// `Important`.
    Important,
    /// `Critical`.
    Critical,
}

impl Severity {
    /// Every severity, the worst last.
    pub const ALL: [Self; 5] =
        [Self::Unspecified, Self::Low, Self::Moderate, Self::Important, Self::Critical];

    /// The word the admin API uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Low => "low",
            Self::Moderate => "moderate",
            Self::Important => "important",
            Self::Critical => "critical",
        }
    }

    /// What a document says; an unknown word counts as none.
    #[must_use]
    pub fn of_document(word: Option<&str>) -> Self {
        word.and_then(|word| word.parse().ok()).unwrap_or_default()
    }
}

impl FromStr for Severity {
    type Err = ();
    fn from_str(word: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|s| s.as_str().eq_ignore_ascii_case(word.trim())).ok_or(())
    }
}

/// `InstallationBehavior/@RebootBehavior`: whether installing restarts the computer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum Reboot {
    /// The document does not say.
    #[default]
    Unspecified,
    /// `NeverReboots`.
    Never,
    /// `CanRequestReboot`.
    CanRequest,
    /// `AlwaysRequiresReboot`.
    Always,
}

impl Reboot {
    /// Every behaviour.
    pub const ALL: [Self; 4] = [Self::Unspecified, Self::Never, Self::CanRequest, Self::Always];

    /// The word the admin API uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Never => "never",
            Self::CanRequest => "can-request",
            Self::Always => "always",
        }
    }

    /// What a document says; an unknown word counts as none.
    #[must_use]
    pub fn of_document(word: Option<&str>) -> Self {
        match word {
            Some("NeverReboots") => Self::Never,
            Some("CanRequestReboot") => Self::CanRequest,
            Some("AlwaysRequiresReboot") => Self::Always,
            _ => Self::Unspecified,
        }
    }
}

impl FromStr for Reboot {
    type Err = ();
    fn from_str(word: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|r| r.as_str().eq_ignore_ascii_case(word.trim())).ok_or(())
    }
}

/// An update by its newest revision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpdateFacts {
    /// Which update.
    pub update: UpdateId,
    /// Its newest revision.
    pub newest: RevisionId,
    /// What it is.
    pub kind: UpdateKind,
    /// Its level, when it is a category.
    pub category_kind: Option<CategoryKind>,
    /// `ExplicitlyDeployable`: it can be approved by itself.
    pub deployable: bool,
    /// Its publisher let it expire.
    pub expired: bool,
    /// What a search looks at, in lower case, one thing a line: the title, `kb` and the number of each
    /// article, bulletins, CVE names.
    pub search: String,
    /// Its severity.
    pub severity: Severity,
    /// Whether it restarts computers.
    pub reboot: Reboot,
    /// Its licence terms.
    pub eula: Option<EulaId>,
    /// The categories it stands under.
    pub categories: Vec<UpdateId>,
    /// What it supersedes.
    pub supersedes: Vec<UpdateId>,
    /// What it bundles.
    pub members: Vec<UpdateId>,
    /// When it was published.
    pub created: Option<Timestamp>,
    /// When its newest revision arrived.
    pub arrived: Timestamp,
    /// When its first revision arrived.
    pub first_arrived: Timestamp,
}

/// Which groups a computer is in, as it is kept: what that comes to depends on who decides (targeting)
/// and on the groups there are, and is worked out when it is asked for.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Membership {
    /// The groups an administrator put it in.
    pub assigned: Vec<GroupId>,
    /// The groups it asks for.
    pub requested: Vec<String>,
}

/// A computer, without its states.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ComputerFacts {
    /// Its owner's key for it.
    pub key: i64,
    /// Its id.
    pub id: ComputerId,
    /// Its name.
    pub name: Option<String>,
    /// Where it belongs.
    pub membership: Membership,
    /// When it last reported which updates it needs and has; `None` before that.
    pub reported: Option<Timestamp>,
}
