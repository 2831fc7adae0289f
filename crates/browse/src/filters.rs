//! Browse: what can be asked. The two filters of the WSUS console by its own definitions (`ApprovedStates`
//! and `UpdateInstallationStates` of Microsoft.UpdateServices.Administration, the filters of Get-WsusUpdate)
//! and everything a search for updates can name.

use crate::facts::{Reboot, Severity};
use core::str::FromStr;
use sluicegate_policy::UpdateState;
use sluicegate_terms::{GroupId, Timestamp, UpdateId};

/// A word that none of a filter's values has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownWord;

/// Which updates by what was decided about them; the console's fifth, Any, is the absence of a filter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ApprovalFilter {
    /// Approved (to install or to remove) for at least one group; also when a newer revision waits.
    Approved,
    /// Neither approved for any group nor declined.
    Undecided,
    /// Declined.
    Declined,
    /// Approved or undecided.
    AnyExceptDeclined,
}

impl ApprovalFilter {
    /// Every value.
    pub const ALL: [Self; 4] = [Self::Approved, Self::Undecided, Self::Declined, Self::AnyExceptDeclined];

    /// The word the admin API uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Undecided => "unapproved",
            Self::Declined => "declined",
            Self::AnyExceptDeclined => "any-except-declined",
        }
    }
}

impl FromStr for ApprovalFilter {
    type Err = UnknownWord;
    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|f| f.as_str().eq_ignore_ascii_case(word)).ok_or(UnknownWord)
    }
}

/// Which updates by their state on computers: those that at least one computer has in one of the filter's
/// states. Asked of computers: those that have at least one update in one of them. Any is the absence of
/// a filter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatusFilter {
    /// Failed, or needed.
    FailedOrNeeded,
    /// Installed, not applicable, or nothing is known.
    InstalledNotApplicableOrNoStatus,
    /// An installation failed.
    Failed,
    /// Needed: not installed, downloaded, or waiting for a restart.
    Needed,
    /// Installed, or not applicable.
    InstalledOrNotApplicable,
    /// Nothing is known: the computer has not reported since the update came.
    NoStatus,
}

impl StatusFilter {
    /// Every value.
    pub const ALL: [Self; 6] = [
        Self::FailedOrNeeded,
        Self::InstalledNotApplicableOrNoStatus,
        Self::Failed,
        Self::Needed,
        Self::InstalledOrNotApplicable,
        Self::NoStatus,
    ];

    /// The word the admin API uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FailedOrNeeded => "failed-or-needed",
            Self::InstalledNotApplicableOrNoStatus => "installed-not-applicable-or-no-status",
            Self::Failed => "failed",
            Self::Needed => "needed",
            Self::InstalledOrNotApplicable => "installed-or-not-applicable",
            Self::NoStatus => "no-status",
        }
    }

    /// The states that fit.
    #[must_use]
    pub const fn states(self) -> &'static [UpdateState] {
        use UpdateState::{
            Downloaded, Failed, Installed, InstalledPendingReboot, NotApplicable, NotInstalled, Unknown,
        };
        match self {
            // A real server's console sends the mask 108 = 1<<2 | 1<<3 | 1<<5 | 1<<6 for this one
            // (admin API captures), so a pending restart is "needed" and not "installed".
            Self::FailedOrNeeded => &[NotInstalled, Downloaded, Failed, InstalledPendingReboot],
            Self::InstalledNotApplicableOrNoStatus => &[Installed, NotApplicable, Unknown],
            Self::Failed => &[Failed],
            Self::Needed => &[NotInstalled, Downloaded, InstalledPendingReboot],
            Self::InstalledOrNotApplicable => &[Installed, NotApplicable],
            Self::NoStatus => &[Unknown],
        }
    }

    /// Whether a state fits.
    #[must_use]
    pub fn includes(self, state: UpdateState) -> bool {
        self.states().contains(&state)
    }
}

impl FromStr for StatusFilter {
    type Err = UnknownWord;
    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|f| f.as_str().eq_ignore_ascii_case(word)).ok_or(UnknownWord)
    }
}

/// By what a list of updates is ordered; what is equal goes by title and id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum UpdateSort {
    /// When it was published.
    #[default]
    Released,
    /// When its newest revision arrived here.
    Arrived,
    /// By title, letter case aside.
    Title,
    /// By severity.
    Severity,
    /// By how many computers need it.
    Needed,
    /// By how many computers it failed on.
    Failed,
    /// By how many computers have it.
    Installed,
}

impl UpdateSort {
    /// Every order.
    pub const ALL: [Self; 7] = [
        Self::Released,
        Self::Arrived,
        Self::Title,
        Self::Severity,
        Self::Needed,
        Self::Failed,
        Self::Installed,
    ];

    /// The word the admin API uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Arrived => "arrived",
            Self::Title => "title",
            Self::Severity => "severity",
            Self::Needed => "needed",
            Self::Failed => "failed",
            Self::Installed => "installed",
        }
    }
}

impl FromStr for UpdateSort {
    type Err = UnknownWord;
    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|f| f.as_str().eq_ignore_ascii_case(word)).ok_or(UnknownWord)
    }
}

/// Which updates to list. Everything named must fit; what is not named does not matter.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UpdateQuery {
    /// Words of which each must be in the title, a KB number, bulletin or CVE name, or be the update's id.
    pub search: Option<String>,
    /// A knowledge base article, with or without `KB`.
    pub kb: Option<String>,
    /// A CVE name or security bulletin, whole.
    pub cve: Option<String>,
    /// Under this classification.
    pub classification: Option<UpdateId>,
    /// Under this product, product family or company, or one below it.
    pub product: Option<UpdateId>,
    /// One of these severities; empty means any.
    pub severities: Vec<Severity>,
    /// This restart behaviour.
    pub reboot: Option<Reboot>,
    /// By decision.
    pub approval: Option<ApprovalFilter>,
    /// The decision that counts is the one in force for this group, its own or inherited, instead of any
    /// group's.
    pub approved_for: Option<GroupId>,
    /// By state on the computers of the scope.
    pub status: Option<StatusFilter>,
    /// Published at this time or later.
    pub released_from: Option<Timestamp>,
    /// Published before this time.
    pub released_to: Option<Timestamp>,
    /// The newest revision arrived at this time or later.
    pub arrived_from: Option<Timestamp>,
    /// The newest revision arrived before this time.
    pub arrived_to: Option<Timestamp>,
    /// Whether an update that is not declined supersedes it.
    pub superseded: Option<bool>,
    /// Whether it supersedes anything.
    pub supersedes: Option<bool>,
    /// Whether it has licence terms that nobody accepted yet.
    pub needs_licence: Option<bool>,
    /// Whether its publisher let it expire.
    pub expired: Option<bool>,
    /// Also categories, detectoids and parts of bundles, which nobody approves.
    pub everything: bool,
    /// The order.
    pub sort: UpdateSort,
    /// Smallest, oldest or first letter first. By default the largest and newest are, and titles from A.
    pub ascending: Option<bool>,
    /// At most so many rows.
    pub limit: u32,
    /// Skip so many.
    pub offset: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_masks_are_those_of_the_console() {
        let mask = |f: StatusFilter| f.states().iter().fold(0_u8, |m, s| m | 1 << (*s as u8));
        assert_eq!(StatusFilter::ALL.map(mask), [108, 19, 32, 76, 18, 1]);
    }

    #[test]
    fn words_come_back() {
        for filter in StatusFilter::ALL {
            assert_eq!(filter.as_str().to_uppercase().parse(), Ok(filter));
        }
        for filter in ApprovalFilter::ALL {
            assert_eq!(filter.as_str().parse(), Ok(filter));
        }
        for sort in UpdateSort::ALL {
            assert_eq!(sort.as_str().parse(), Ok(sort));
        }
        assert_eq!("maybe".parse::<StatusFilter>(), Err(UnknownWord));
    }
}
