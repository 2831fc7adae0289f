//! Policy: automatic approval rules, as on WSUS: which updates (by classification and product), for which
//! groups, with which deadline. A rule decides about updates that are new and, when somebody runs it, about
//! all that are there; never about what somebody decided already.

mod plan;

pub use plan::{Candidate, Plan, Planned, SaveError, Skip, Skipped, plan};

use core::fmt;
use core::str::FromStr;
use sluicegate_terms::{GroupId, Guid, Timestamp, UpdateId};
use std::collections::BTreeSet;

/// Most categories or groups of one rule.
pub const MOST_CHOICES: usize = 1_000;

/// Most rules of one server.
pub const MOST_RULES: usize = 1_000;

/// Number of a rule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RuleId(pub u32);

impl RuleId {
    /// The rule every server begins with.
    pub const DEFAULT: Self = Self(1);
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a rule: 1 to 256 characters without control characters, spaces at the ends removed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RuleName(Box<str>);

impl RuleName {
    /// Longest name, in characters.
    pub const MAX_CHARS: usize = 256;

    /// The name as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RuleName {
    type Err = RuleError;
    fn from_str(text: &str) -> Result<Self, RuleError> {
        let text = text.trim();
        let fits =
            (1..=Self::MAX_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.into())) } else { Err(RuleError::Name(text.chars().take(60).collect())) }
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// When an update that a rule approves is due: so many days after the approval, at a time of day (UTC).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DeadlineOffset {
    days: u16,
    minute: u16,
}

impl DeadlineOffset {
    /// Most days.
    pub const MAX_DAYS: u16 = 999;
    /// Minutes of a day.
    const DAY: u16 = 24 * 60;

    /// So many days later, at this minute of the day. With no days the deadline may already have passed,
    /// which makes the update due at once.
    ///
    /// # Errors
    /// [`RuleError::Deadline`] beyond 999 days or 24 hours.
    pub const fn new(days: u16, minute: u16) -> Result<Self, RuleError> {
        if days > Self::MAX_DAYS || minute >= Self::DAY {
            return Err(RuleError::Deadline { days, minute });
        }
        Ok(Self { days, minute })
    }

    /// Whole days.
    #[must_use]
    pub const fn days(self) -> u16 {
        self.days
    }

    /// Minute of the day, UTC.
    #[must_use]
    pub const fn minute(self) -> u16 {
        self.minute
    }

    /// The deadline of an approval made now.
    #[must_use]
    pub fn after(self, now: Timestamp) -> Timestamp {
        const DAY: i64 = 86_400;
        let midnight = now.unix_seconds().div_euclid(DAY) * DAY;
        Timestamp::from_unix_seconds(midnight + i64::from(self.days) * DAY + i64::from(self.minute) * 60)
    }
}

/// What a rule says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleTerms {
    /// Its name; not necessarily unique.
    pub name: RuleName,
    /// An update has to be under one of these classifications; any will do when there is none.
    pub classifications: BTreeSet<UpdateId>,
    /// And under one of these products, families or companies; any will do when there is none.
    pub products: BTreeSet<UpdateId>,
    /// The groups it is approved for; at least one.
    pub groups: BTreeSet<GroupId>,
    /// When it is due, if ever.
    pub deadline: Option<DeadlineOffset>,
}

/// A rule. It always has a group while it is enabled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    terms: RuleTerms,
    enabled: bool,
    waits_for_group: bool,
}

/// Why a rule is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A name that breaks the rules of [`RuleName`].
    #[error("`{0}` cannot be the name of a rule: it needs 1 to 256 characters without control characters")]
    Name(String),
    /// A deadline out of bounds.
    #[error(
        "a deadline is 0 to 999 days after the approval, at 00:00 to 23:59, not {days} days at minute {minute}"
    )]
    Deadline {
        /// The days.
        days: u16,
        /// The minute of the day.
        minute: u16,
    },
    /// No group.
    #[error("the rule `{0}` has no group to approve for; name at least one")]
    NoGroup(RuleName),
    /// Too many choices.
    #[error(
        "the rule `{0}` names more than {MOST_CHOICES} categories or groups; name what they have in common"
    )]
    TooMany(RuleName),
    /// Too many rules.
    #[error("there are {MOST_RULES} rules already; remove some first")]
    Full,
    /// No such rule.
    #[error("there is no rule with the number {0}; list the rules to see the numbers")]
    Unknown(RuleId),
    /// The default rule stays.
    #[error("the default rule can be changed and disabled, but not removed")]
    Default,
}

impl Rule {
    /// A rule.
    ///
    /// # Errors
    /// [`RuleError::NoGroup`] when it is enabled without a group, [`RuleError::TooMany`].
    pub fn new(terms: RuleTerms, enabled: bool) -> Result<Self, RuleError> {
        let longest = terms.classifications.len().max(terms.products.len()).max(terms.groups.len());
        if longest > MOST_CHOICES {
            return Err(RuleError::TooMany(terms.name));
        }
        if enabled && terms.groups.is_empty() {
            return Err(RuleError::NoGroup(terms.name));
        }
        Ok(Self { terms, enabled, waits_for_group: false })
    }

    /// A rule as it was kept: one that is enabled and has no group lost its last one ([`Rule::waits_for_group`]).
    ///
    /// # Errors
    /// [`RuleError::TooMany`].
    pub fn kept(terms: RuleTerms, enabled: bool) -> Result<Self, RuleError> {
        let waits_for_group = enabled && terms.groups.is_empty();
        Ok(Self { waits_for_group, ..Self::new(terms, enabled && !waits_for_group)? })
    }

    /// The rule with other terms, enabled or not as is said. When nothing is said it stays as it was, and one that waits for
    /// a group is enabled with the first that it gets.
    ///
    /// # Errors
    /// As [`Rule::new`].
    pub fn changed(&self, terms: RuleTerms, enabled: Option<bool>) -> Result<Self, RuleError> {
        match enabled {
            None if self.waits_for_group => Self::kept(terms, true),
            None => Self::new(terms, self.enabled),
            Some(enabled) => Self::new(terms, enabled),
        }
    }

    /// The rule every WSUS server begins with: critical and security updates for All Computers, not
    /// enabled.
    #[must_use]
    pub fn default_rule() -> Self {
        let classification = |id: u128| UpdateId(Guid::from_u128(id));
        Self {
            terms: RuleTerms {
                name: RuleName("Default Automatic Approval Rule".into()),
                classifications: [
                    // Critical Updates and Security Updates have these ids on every server.
                    classification(0xe6cf_1350_c01b_414d_a61f_263d_14d1_33b4),
                    classification(0x0fa1_201d_4330_4fa8_8ae9_b877_473b_6441),
                ]
                .into(),
                products: BTreeSet::new(),
                groups: [GroupId::ALL_COMPUTERS].into(),
                deadline: None,
            },
            enabled: false,
            waits_for_group: false,
        }
    }

    /// What it says.
    #[must_use]
    pub fn terms(&self) -> &RuleTerms {
        &self.terms
    }

    /// Whether it decides about new updates by itself.
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.enabled
    }

    /// Whether it was enabled when its last group was deleted, and nobody disabled it since: with the next group it is
    /// enabled again.
    #[must_use]
    pub fn waits_for_group(&self) -> bool {
        self.waits_for_group
    }

    /// Turns it on or off.
    ///
    /// # Errors
    /// [`RuleError::NoGroup`] when it has lost all its groups.
    pub fn set_enabled(&mut self, enabled: bool) -> Result<(), RuleError> {
        if enabled && self.terms.groups.is_empty() {
            return Err(RuleError::NoGroup(self.terms.name.clone()));
        }
        self.enabled = enabled;
        self.waits_for_group = false;
        Ok(())
    }

    /// A group is gone. A rule without groups is not enabled, and waits for one if it was.
    pub(crate) fn forget_group(&mut self, group: GroupId) {
        self.terms.groups.remove(&group);
        if self.enabled && self.terms.groups.is_empty() {
            self.enabled = false;
            self.waits_for_group = true;
        }
    }

    /// Whether it is about an update that stands under these categories, their ancestors included.
    #[must_use]
    pub fn matches(&self, categories: &[UpdateId]) -> bool {
        let under =
            |wanted: &BTreeSet<UpdateId>| wanted.is_empty() || categories.iter().any(|c| wanted.contains(c));
        under(&self.terms.classifications) && under(&self.terms.products)
    }
}
