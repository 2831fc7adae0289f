//! Policy: approvals. At most one per (update, group) and no two with the same deployment id, by
//! construction: the map is keyed by the pair and keeps the ids in use beside it.

use crate::refusals::ApprovalError;
use core::fmt;
use core::str::FromStr;
use sluicegate_terms::{Anchor, DeploymentId, GroupId, Guid, Timestamp, UpdateId};
use std::collections::{BTreeMap, BTreeSet};

/// What an administrator can decide about an update for a group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ApprovalAction {
    /// Install it.
    Install,
    /// Show it to the users of the computer, who may install it (`IUpdate.ApproveForOptionalInstall` of
    /// WSUS). Agents get it as `Install` with `IsAssigned` false, which every agent knows; the action
    /// `OptionalInstall` is new with Windows 10 1903 (MS-WUSP note 22).
    OptionalInstall,
    /// Remove it.
    Uninstall,
    /// Explicitly neither, whatever a group above says.
    NotApproved,
}

impl ApprovalAction {
    /// Every action, strongest first: where a computer's groups disagree, the first one named here wins.
    pub const ALL: [Self; 4] = [Self::Install, Self::OptionalInstall, Self::Uninstall, Self::NotApproved];

    /// The word the admin API and the database use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::OptionalInstall => "optional-install",
            Self::Uninstall => "uninstall",
            Self::NotApproved => "not-approved",
        }
    }

    /// Whether it puts the update on computers, which needs its licence terms accepted.
    #[must_use]
    pub const fn installs(self) -> bool {
        matches!(self, Self::Install | Self::OptionalInstall)
    }

    /// Whether agents act on it at all.
    #[must_use]
    pub const fn deploys(self) -> bool {
        !matches!(self, Self::NotApproved)
    }

    /// Whether a deadline makes sense. What is optional cannot be due.
    #[must_use]
    pub const fn can_be_due(self) -> bool {
        matches!(self, Self::Install | Self::Uninstall)
    }
}

impl fmt::Display for ApprovalAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ApprovalAction {
    type Err = ApprovalError;
    fn from_str(text: &str) -> Result<Self, ApprovalError> {
        Self::ALL
            .into_iter()
            .find(|a| a.as_str().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| ApprovalError::Action(text.chars().take(40).collect()))
    }
}

/// When something changed: by the server's count, and for people.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Change {
    /// The anchor of the change.
    pub anchor: Anchor,
    /// The time of the change.
    pub at: Timestamp,
}

impl Change {
    /// The same, later than the decision that it replaces: that one may have come from a server whose clock is ahead,
    /// and would count as the later one wherever both are carried.
    #[must_use]
    pub(crate) fn after(self, replaced: Option<Timestamp>) -> Self {
        Self { at: replaced.map_or(self.at, |at| self.at.max(next(at))), ..self }
    }
}

/// The moment after another.
pub(crate) fn next(at: Timestamp) -> Timestamp {
    Timestamp::from_ticks(at.ticks().saturating_add(1))
}

/// That an approval or a decline is gone, for clients that have seen it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    /// The anchor since which it is gone.
    pub anchor: Anchor,
    /// Since when.
    pub at: Timestamp,
    /// When somebody decided so here; `None` when nobody did: another mode's or another server's decisions took
    /// the place of those that were here.
    pub decided: Option<Timestamp>,
}

impl Mark {
    /// Somebody decided so, with this change.
    #[must_use]
    pub const fn decided(change: Change) -> Self {
        Self { anchor: change.anchor, at: change.at, decided: Some(change.at) }
    }

    /// Nobody decided so; clients are told all the same.
    #[must_use]
    pub const fn passing(change: Change) -> Self {
        Self { anchor: change.anchor, at: change.at, decided: None }
    }
}

/// That an update is declined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decline {
    /// The anchor since which it is.
    pub anchor: Anchor,
    /// Since when.
    pub at: Timestamp,
    /// When that was decided, beside what is decided elsewhere. That an update expires decides nothing: it counts as
    /// the last decision about the update that it ended, however much later it is.
    pub decided: Timestamp,
    /// Nobody decided so: it expired, a filter names it, or cleanup found that it is not needed.
    pub automatic: bool,
}

impl Decline {
    /// Somebody decided so, with this change.
    #[must_use]
    pub const fn by_hand(change: Change) -> Self {
        Self { anchor: change.anchor, at: change.at, decided: change.at, automatic: false }
    }
}

/// What a change of decisions is made with: its place in history and deployment ids never used before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stamp {
    /// The anchor the change will have, and its time.
    pub change: Change,
    next: i64,
}

impl Stamp {
    /// For a change whose deployments begin with the id `next`; ids of implicit deployments are passed over.
    #[must_use]
    pub fn new(change: Change, next: i64) -> Self {
        Self { change, next: next.max(i64::from(DeploymentId::FIRST_EXPLICIT)) }
    }

    /// A deployment id never used before.
    ///
    /// # Errors
    /// [`ApprovalError::DeploymentIdsExhausted`] after 2^30 approvals.
    pub fn deployment(&mut self) -> Result<DeploymentId, ApprovalError> {
        let id = DeploymentId::new(self.next).map_err(|_| ApprovalError::DeploymentIdsExhausted)?;
        self.next += 1;
        Ok(id)
    }

    /// The id the next deployment would get.
    #[must_use]
    pub fn next_deployment(&self) -> i64 {
        self.next
    }
}

/// A decision about one update for one group (MS-WUSP 3.1.1, Deployment table).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Approval {
    /// Which update; the decision holds for the revision in service.
    pub update: UpdateId,
    /// For which group and, unless decided otherwise there, the groups nested in it.
    pub group: GroupId,
    /// What is decided.
    pub action: ApprovalAction,
    /// By when agents are to have done it. In the past it means at the next contact.
    pub deadline: Option<Timestamp>,
    /// The id clients see; new with every decision and every revision.
    pub deployment: DeploymentId,
    /// The anchor since which it holds: that of the decision, or of the revision that it followed to.
    pub changed: Anchor,
    /// The time of the decision; that it followed to a new revision is none.
    pub changed_at: Timestamp,
    /// Who decided.
    pub by: String,
}

/// What is ordered for one group; the update and the place in history come with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// For which group.
    pub group: GroupId,
    /// What agents are to do.
    pub action: ApprovalAction,
    /// By when.
    pub deadline: Option<Timestamp>,
    /// Who ordered it.
    pub by: String,
}

/// That an update is not approved for a group, beside a decline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Denial {
    /// Which group.
    pub group: GroupId,
    /// Who decided.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// All approvals.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Approvals {
    by_key: BTreeMap<(UpdateId, GroupId), Approval>,
    ids: BTreeSet<DeploymentId>,
}

/// A range over all groups of one update in a map keyed by (update, group).
pub(crate) fn of_update(update: UpdateId) -> core::ops::RangeInclusive<(UpdateId, GroupId)> {
    (update, GroupId(Guid::ZERO))..=(update, GroupId(Guid::from_u128(u128::MAX)))
}

impl Approvals {
    /// Puts an approval in the place of what its update and group had.
    ///
    /// # Errors
    /// [`ApprovalError::DeploymentId`] when the id is an implicit one or another approval's.
    pub fn insert(&mut self, approval: Approval) -> Result<(), ApprovalError> {
        let (key, id) = ((approval.update, approval.group), approval.deployment);
        let own = self.by_key.get(&key).is_some_and(|there| there.deployment == id);
        if id.get() < DeploymentId::FIRST_EXPLICIT || (self.ids.contains(&id) && !own) {
            return Err(ApprovalError::DeploymentId(id));
        }
        if let Some(replaced) = self.by_key.insert(key, approval) {
            self.ids.remove(&replaced.deployment);
        }
        self.ids.insert(id);
        Ok(())
    }

    /// Takes an approval away.
    pub fn remove(&mut self, key: &(UpdateId, GroupId)) -> Option<Approval> {
        let removed = self.by_key.remove(key)?;
        self.ids.remove(&removed.deployment);
        Some(removed)
    }

    /// Keeps those that `keep` wants.
    pub fn retain(&mut self, mut keep: impl FnMut(&(UpdateId, GroupId), &Approval) -> bool) {
        let ids = &mut self.ids;
        self.by_key.retain(|key, approval| {
            let kept = keep(key, approval);
            if !kept {
                ids.remove(&approval.deployment);
            }
            kept
        });
    }

    /// The approval of an update for a group itself, without what it inherits.
    #[must_use]
    pub fn get(&self, key: &(UpdateId, GroupId)) -> Option<&Approval> {
        self.by_key.get(key)
    }

    /// Whether a group itself has one.
    #[must_use]
    pub fn contains_key(&self, key: &(UpdateId, GroupId)) -> bool {
        self.by_key.contains_key(key)
    }

    /// Those of one update, by group.
    pub fn of(&self, update: UpdateId) -> impl Iterator<Item = &Approval> {
        self.by_key.range(of_update(update)).map(|(_, approval)| approval)
    }

    /// All, by update and group.
    pub fn iter(&self) -> impl Iterator<Item = (&(UpdateId, GroupId), &Approval)> {
        self.by_key.iter()
    }

    /// All, by update and group.
    pub fn values(&self) -> impl Iterator<Item = &Approval> {
        self.by_key.values()
    }

    /// Which updates and groups have one.
    pub fn keys(&self) -> impl Iterator<Item = &(UpdateId, GroupId)> {
        self.by_key.keys()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}
