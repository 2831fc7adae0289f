//! Cleanup: its steps, and how long things are kept. The defaults are the limits of the wizard that WSUS has
//! for this (windowsserverdocs, the-server-cleanup-wizard: 30 and 90 days), where it has one.

use crate::filters::{MOST_FILTERS, UpdateFilter, UpdateFilterError};
use core::fmt;
use core::str::FromStr;
use std::collections::BTreeSet;

/// A part of cleanup, in the order in which they run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CleanupStep {
    /// Decline what its publisher withdrew.
    ExpiredUpdates,
    /// Decline what newer, approved updates replace.
    SupersededUpdates,
    /// Decline what the administrator's filters name.
    FilteredUpdates,
    /// Remove revisions that newer ones replaced.
    OldRevisions,
    /// Remove updates that were declined or expired long ago, and what only they needed.
    UnusedUpdates,
    /// Remove detectoids and withdrawn categories that nothing refers to.
    UnusedDetectoids,
    /// Forget computers that are silent.
    Computers,
    /// Shorten the history of events.
    Events,
    /// Remove content that no update needs.
    Files,
    /// Give the room of removed revisions back to the disk.
    Segments,
}

impl CleanupStep {
    /// Every step, in order.
    pub const ALL: [Self; 10] = [
        Self::ExpiredUpdates,
        Self::SupersededUpdates,
        Self::FilteredUpdates,
        Self::OldRevisions,
        Self::UnusedUpdates,
        Self::UnusedDetectoids,
        Self::Computers,
        Self::Events,
        Self::Files,
        Self::Segments,
    ];

    /// The word for it in settings, commands and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExpiredUpdates => "expired-updates",
            Self::SupersededUpdates => "superseded-updates",
            Self::FilteredUpdates => "filtered-updates",
            Self::OldRevisions => "old-revisions",
            Self::UnusedUpdates => "unused-updates",
            Self::UnusedDetectoids => "unused-detectoids",
            Self::Computers => "computers",
            Self::Events => "events",
            Self::Files => "files",
            Self::Segments => "segments",
        }
    }

    /// Whether it changes decisions. A replica leaves those to its upstream.
    #[must_use]
    pub const fn decides(self) -> bool {
        matches!(self, Self::ExpiredUpdates | Self::SupersededUpdates | Self::FilteredUpdates)
    }
}

impl fmt::Display for CleanupStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CleanupStep {
    type Err = SettingError;
    fn from_str(text: &str) -> Result<Self, SettingError> {
        let named = Self::ALL.into_iter().find(|step| step.as_str() == text.trim());
        named.ok_or_else(|| SettingError::Step(text.chars().take(40).collect()))
    }
}

/// Why a setting of cleanup is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// No such step.
    #[error(
        "`{0}` is no step of cleanup; the steps are expired-updates, superseded-updates, filtered-updates, old-revisions, \
         unused-updates, unused-detectoids, computers, events, files and segments"
    )]
    Step(String),
    /// No such setting.
    #[error("cleanup has no setting `{0}`; `sluicegate cleanup settings` lists them")]
    Name(String),
    /// A filter that is not possible.
    #[error(transparent)]
    Filter(#[from] UpdateFilterError),
    /// Too many filters.
    #[error("more than {MOST_FILTERS} filters; one title pattern can stand for many")]
    TooMany,
    /// A value that is not possible.
    #[error("`{value}` is not possible for the cleanup setting {name}; {wanted}")]
    Value {
        /// Which setting.
        name: &'static str,
        /// What was given.
        value: String,
        /// What is possible.
        wanted: String,
    },
}

/// Whether, what and when cleanup cleans.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CleanupSettings {
    /// It runs by itself.
    pub enabled: bool,
    /// The steps that run by themselves.
    pub steps: BTreeSet<CleanupStep>,
    /// Hours between two runs, 1 to 720.
    pub every_hours: u16,
    /// Days that a superseded update is on the server before it can be declined for that.
    pub superseded_days: u16,
    /// Days since anybody last approved a superseded update before it can be declined.
    pub undeployed_days: u16,
    /// Days that an update is declined, or a part without use is here, before it is removed, and that an old revision is
    /// kept beside the new one.
    pub unused_days: u16,
    /// Days since it expired that an expired update is kept at least, for servers below that have not heard of it: this
    /// is all that tells them.
    pub expired_days: u16,
    /// Days that a detectoid without use is kept. Longer: a later update may need it again.
    pub detectoid_days: u16,
    /// Days without contact after which a computer is forgotten.
    pub computer_days: u16,
    /// Days that events are kept. A computer's status does not depend on them.
    pub event_days: u16,
    /// Most events kept of all computers together, the newest.
    pub most_events: u32,
    /// Hours between the decision to remove something and its removal. Downstream servers are told of it
    /// no longer, and can still fetch it: longer than their cookies live (4 hours).
    pub grace_hours: u16,
    /// Updates that are not wanted; they are declined unless somebody decided about them.
    pub filters: BTreeSet<UpdateFilter>,
}

impl Default for CleanupSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            steps: CleanupStep::ALL.into(),
            every_hours: 24,
            superseded_days: 30,
            undeployed_days: 90,
            unused_days: 30,
            expired_days: 365,
            detectoid_days: 90,
            computer_days: 30,
            event_days: 180,
            most_events: 5_000_000,
            grace_hours: 24,
            filters: BTreeSet::new(),
        }
    }
}

/// Most days of any limit: ten years.
const MOST_DAYS: u16 = 3_650;

impl CleanupSettings {
    /// All settings as names and texts.
    #[must_use]
    pub fn texts(&self) -> Vec<(&'static str, String)> {
        let steps: Vec<&str> = self.steps.iter().map(|step| step.as_str()).collect();
        let filters: Vec<String> = self.filters.iter().map(ToString::to_string).collect();
        vec![
            ("enabled", self.enabled.to_string()),
            ("steps", steps.join(",")),
            ("every-hours", self.every_hours.to_string()),
            ("superseded-days", self.superseded_days.to_string()),
            ("undeployed-days", self.undeployed_days.to_string()),
            ("unused-days", self.unused_days.to_string()),
            ("expired-days", self.expired_days.to_string()),
            ("detectoid-days", self.detectoid_days.to_string()),
            ("computer-days", self.computer_days.to_string()),
            ("event-days", self.event_days.to_string()),
            ("most-events", self.most_events.to_string()),
            ("grace-hours", self.grace_hours.to_string()),
            ("filters", filters.join("\n")),
        ]
    }

    /// Sets one by its name. The limits of the two steps that decline are never below those of WSUS's
    /// wizard, because an update declined too early is one that computers go without.
    ///
    /// # Errors
    /// [`SettingError`].
    pub fn set(&mut self, name: &str, text: &str) -> Result<(), SettingError> {
        let text = text.trim();
        match name {
            "enabled" => {
                let wanted = || refused("enabled", text, "it is true or false".to_owned());
                self.enabled = text.parse().map_err(|_| wanted())?;
            }
            "steps" => {
                let words = some(text).split(',').map(str::trim).filter(|word| !word.is_empty());
                self.steps = words.map(str::parse).collect::<Result<_, _>>()?;
            }
            "every-hours" => self.every_hours = number("every-hours", text, 1, 720)?,
            "superseded-days" => self.superseded_days = number("superseded-days", text, 30, MOST_DAYS)?,
            "undeployed-days" => self.undeployed_days = number("undeployed-days", text, 90, MOST_DAYS)?,
            "unused-days" => self.unused_days = number("unused-days", text, 7, MOST_DAYS)?,
            "expired-days" => self.expired_days = number("expired-days", text, 30, MOST_DAYS)?,
            "detectoid-days" => self.detectoid_days = number("detectoid-days", text, 7, MOST_DAYS)?,
            "computer-days" => self.computer_days = number("computer-days", text, 1, MOST_DAYS)?,
            "event-days" => self.event_days = number("event-days", text, 1, MOST_DAYS)?,
            "most-events" => self.most_events = number("most-events", text, 1_000, u32::MAX)?,
            "filters" => {
                let lines = some(text).lines().map(str::trim).filter(|line| !line.is_empty());
                let filters = lines.map(str::parse).collect::<Result<BTreeSet<_>, _>>()?;
                if filters.len() > MOST_FILTERS {
                    return Err(SettingError::TooMany);
                }
                self.filters = filters;
            }
            "grace-hours" => self.grace_hours = number("grace-hours", text, 5, 720)?,
            other => return Err(SettingError::Name(other.chars().take(40).collect())),
        }
        Ok(())
    }
}

/// A list as text; `none` is the empty one.
fn some(text: &str) -> &str {
    if text == "none" { "" } else { text }
}

fn refused(name: &'static str, value: &str, wanted: String) -> SettingError {
    SettingError::Value { name, value: value.chars().take(40).collect(), wanted }
}

fn number<N>(name: &'static str, text: &str, least: N, most: N) -> Result<N, SettingError>
where
    N: FromStr + PartialOrd + fmt::Display + Copy,
{
    let fits = text.parse().ok().filter(|number| (least..=most).contains(number));
    fits.ok_or_else(|| refused(name, text, format!("it is a number from {least} to {most}")))
}
