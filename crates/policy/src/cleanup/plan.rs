//! Cleanup: who may go. Declining follows the rules of WSUS's wizard; removing keeps whatever a revision that
//! stays refers to, so that nothing left ever misses a prerequisite or a member.

use super::graph::{Graph, Row};
use super::settings::CleanupSettings;
use crate::approvals::ApprovalAction;
use crate::decisions::Decisions;
use sluicegate_terms::{GroupId, RevisionId, Timestamp, UpdateId, UpdateKind};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::iter;

/// What may be removed. Nothing that stays refers to any of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Removal {
    /// Revisions that newer ones replaced, of updates that stay.
    pub revisions: Vec<(UpdateId, RevisionId)>,
    /// Software and drivers, each before what it refers to, so that no half of it dangles.
    pub updates: Vec<UpdateId>,
    /// Detectoids and categories, in the same order, after the updates.
    pub detectoids: Vec<UpdateId>,
}

/// What somebody refers to from outside the catalog: filters, rules, decisions of the mode a server is not in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Referred {
    /// These updates stay.
    pub updates: BTreeSet<UpdateId>,
    /// Of an update that stays, these revisions do too, by number.
    pub revisions: BTreeSet<(UpdateId, u32)>,
}

/// What cannot be taken out yet.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HeldUp {
    /// Updates of which something has to stay.
    pub updates: HashSet<UpdateId>,
    /// Revisions that a bundle names by their number.
    pub revisions: HashSet<RevisionId>,
}

const DAY: i64 = 86_400;

fn aged(since: Timestamp, days: u16, now: Timestamp) -> bool {
    since.plus_seconds(i64::from(days) * DAY) <= now
}

const fn installable(kind: UpdateKind) -> bool {
    !matches!(kind, UpdateKind::Category | UpdateKind::Detectoid)
}

fn deployed(decisions: &Decisions, update: UpdateId) -> bool {
    decisions.approvals_of(update).any(|approval| approval.action.deploys())
}

/// Whether one of the others is approved for installation in each group that still has an update approved. An
/// order to remove an update is replaced by nothing.
fn replaced_everywhere(decisions: &Decisions, update: UpdateId, by: &[UpdateId]) -> bool {
    let holds = |update: UpdateId, group| {
        let own = |above| decisions.approvals.get(&(update, above));
        decisions.groups.path(group).find_map(own).map(|approval| approval.action)
    };
    // What holds changes only at groups with a decision of their own; those below one inherit it.
    let groups = by.iter().chain([&update]).flat_map(|any| decisions.approvals_of(*any));
    let groups: BTreeSet<GroupId> = groups.map(|approval| approval.group).collect();
    groups.into_iter().all(|group| match holds(update, group) {
        Some(ApprovalAction::Uninstall) => false,
        Some(action) if action.installs() => {
            by.iter().any(|other| holds(*other, group) == Some(ApprovalAction::Install))
        }
        _ => true,
    })
}

impl Graph {
    /// Updates to decline because their publisher withdrew them and no group has them approved.
    #[must_use]
    pub fn expired(&self, decisions: &Decisions) -> Vec<UpdateId> {
        let members = self.members(decisions);
        let expired = self.present().filter(|(at, update, newest)| {
            newest.expired
                && installable(newest.kind)
                && !members.contains(at)
                && !decisions.declined.contains_key(update)
                && !decisions.held.contains_key(update)
                && !deployed(decisions, *update)
        });
        expired.map(|(_, update, _)| update).collect()
    }

    /// Updates to decline because newer ones replace them: under all five conditions of WSUS's wizard
    /// (windowsserverdocs, the-server-cleanup-wizard): not mandatory; on the server for 30 days or more; not
    /// reported as needed by any client; not explicitly deployed to a group for 90 days or longer; and a
    /// superseding update is approved for install to a group.
    ///
    /// The same page says that what a rule approved once can stay approved for ever and needs somebody to take
    /// that back. Nobody has to here: an approval older than the limit does not keep an update, provided that
    /// in each group that has it a superseding update is approved for installation too.
    ///
    /// `needed` says whether a computer needs it, `mandatory` whether its publisher made it mandatory;
    /// both are asked last.
    #[must_use]
    pub fn superseded(
        &self,
        decisions: &Decisions,
        settings: &CleanupSettings,
        needed: impl Fn(UpdateId) -> bool,
        mandatory: impl Fn(RevisionId) -> bool,
        now: Timestamp,
    ) -> Vec<UpdateId> {
        let replacers = self.approved_replacers(decisions);
        let members = self.members(decisions);
        let mut list = Vec::new();
        for (at, update, newest) in self.present() {
            let by = replacers.get(&update).map_or(&[][..], Vec::as_slice);
            if by.is_empty() || !installable(newest.kind) || !newest.deployable || members.contains(&at) {
                continue;
            }
            if decisions.declined.contains_key(&update) || decisions.held.contains_key(&update) {
                continue;
            }
            // The update has been here since its first revision; a later one does not make it new.
            let here_since = self.rows(at).map(|row| row.arrived_at).min().unwrap_or(now);
            let lately = decisions
                .approvals_of(update)
                .any(|a| a.action.deploys() && !aged(a.changed_at, settings.undeployed_days, now));
            if aged(here_since, settings.superseded_days, now)
                && !lately
                && replaced_everywhere(decisions, update, by)
                && !needed(update)
                && !mandatory(newest.id)
            {
                list.push(update);
            }
        }
        list
    }

    /// Updates to decline because a filter names them, which `named` says and is asked last. What anybody
    /// decided about, also that it is declined no longer, is left alone.
    #[must_use]
    pub fn filtered(&self, decisions: &Decisions, named: impl Fn(UpdateId) -> bool) -> Vec<UpdateId> {
        let members = self.members(decisions);
        let unwanted = self.present().filter(|(at, update, newest)| {
            installable(newest.kind)
                && newest.deployable
                && !members.contains(at)
                && decisions.is_untouched(*update)
                && named(*update)
        });
        unwanted.map(|(_, update, _)| update).collect()
    }

    /// What can be removed, without what somebody refers to from outside the catalog.
    #[must_use]
    pub fn removable(
        &self,
        decisions: &Decisions,
        settings: &CleanupSettings,
        kept: &Referred,
        now: Timestamp,
    ) -> Removal {
        let old = self.old_revisions(decisions, settings, kept, now);
        let mut going: HashSet<u32> = self
            .present()
            .filter(|(_, update, newest)| {
                !kept.updates.contains(update) && may_go(*update, newest, decisions, settings, now)
            })
            .map(|(at, ..)| at)
            .collect();
        // Whatever a revision that stays refers to stays too, and what that refers to, and so on.
        let mut open: Vec<u32> = self.present().map(|(at, ..)| at).filter(|at| !going.contains(at)).collect();
        while let Some(at) = open.pop() {
            for row in self.rows(at).filter(|row| !old.contains(&row.id)) {
                open.extend(self.needs(row).filter(|needed| going.remove(needed)));
            }
        }
        let stays = |at: u32| !going.contains(&at);
        let revisions = self
            .present()
            .filter(|(at, ..)| stays(*at))
            .flat_map(|(at, update, _)| self.rows(at).map(move |row| (update, row.id)))
            .filter(|(_, id)| old.contains(id))
            .collect();
        let mut removal = Removal { revisions, ..Removal::default() };
        for at in self.dependents_first(&going) {
            let list = match self.newest(at).map(|newest| installable(newest.kind)) {
                Some(true) => &mut removal.updates,
                _ => &mut removal.detectoids,
            };
            list.push(self.update(at));
        }
        removal
    }

    /// What has to wait although it may go itself: something refers to it that does not leave yet. `leaves` says
    /// of each revision whether it is taken out now.
    #[must_use]
    pub fn held_up(&self, leaves: impl Fn(RevisionId) -> bool) -> HeldUp {
        let mut held = HeldUp::default();
        let mut open: Vec<&Row> =
            self.present().flat_map(|(at, ..)| self.rows(at)).filter(|row| !leaves(row.id)).collect();
        while let Some(row) = open.pop() {
            for needed in self.needs(row) {
                // Any revision will do for a prerequisite, so it is the newest that stays.
                if held.updates.insert(self.update(needed)) {
                    open.extend(self.newest(needed).filter(|newest| leaves(newest.id)));
                }
            }
            for (update, number) in self.members_of(row) {
                let named = self.rows(update).find(|member| member.number == number);
                if let Some(member) = named.filter(|member| leaves(member.id))
                    && held.revisions.insert(member.id)
                {
                    open.push(member);
                }
            }
        }
        held
    }

    /// Revisions that a newer one replaced long enough ago. The one that serves while a newer one is held
    /// stays, and so does one that a bundle names by its number.
    fn old_revisions(
        &self,
        decisions: &Decisions,
        settings: &CleanupSettings,
        kept: &Referred,
        now: Timestamp,
    ) -> HashSet<RevisionId> {
        let mut old = HashSet::new();
        for (at, update, newest) in self.present() {
            if !aged(newest.arrived_at, settings.unused_days, now) {
                continue;
            }
            let serving = decisions.held.get(&update).map(|hold| hold.serving.get());
            let replaced = self.rows(at).filter(|row| row.number < newest.number);
            let named = |number| kept.revisions.contains(&(update, number));
            let unused = replaced.filter(|row| Some(row.number) != serving && !named(row.number));
            old.extend(unused.map(|row| row.id));
        }
        // A revision that stays keeps the revisions it bundles, and so on.
        let mut open: Vec<&Row> =
            self.present().flat_map(|(at, ..)| self.rows(at)).filter(|row| !old.contains(&row.id)).collect();
        while let Some(row) = open.pop() {
            for (update, number) in self.members_of(row) {
                let named = self.rows(update).find(|member| member.number == number);
                open.extend(named.filter(|member| old.remove(&member.id)));
            }
        }
        old
    }

    /// Updates that a newest revision bundles, or one that serves while the newest is held: neither is declined
    /// alone.
    fn members(&self, decisions: &Decisions) -> HashSet<u32> {
        let bundles = self.present().flat_map(|(at, update, newest)| {
            let serving = self.serving(at, update, newest, decisions).filter(|row| row.id != newest.id);
            iter::once(newest).chain(serving)
        });
        bundles.flat_map(|row| self.members_of(row)).map(|(update, _)| update).collect()
    }

    /// The revision of an update that is in service: the newest, or another while that one is held.
    fn serving<'a>(
        &'a self,
        at: u32,
        update: UpdateId,
        newest: &'a Row,
        decisions: &Decisions,
    ) -> Option<&'a Row> {
        match decisions.held.get(&update).map(|hold| hold.serving.get()) {
            Some(number) => self.rows(at).find(|row| row.number == number),
            None => Some(newest),
        }
    }

    /// For each superseded update, those approved for installation that replace it. What the revision in
    /// service says counts: a newer one that is held replaces nothing yet.
    fn approved_replacers(&self, decisions: &Decisions) -> BTreeMap<UpdateId, Vec<UpdateId>> {
        let mut replacers: BTreeMap<UpdateId, Vec<UpdateId>> = BTreeMap::new();
        for (at, update, newest) in self.present() {
            let row = self.serving(at, update, newest, decisions);
            let Some(row) = row.filter(|row| !row.expired && !self.supersedes(row).is_empty()) else {
                continue;
            };
            if decisions.approvals_of(update).any(|approval| approval.action == ApprovalAction::Install) {
                for superseded in self.supersedes(row).iter().filter(|superseded| **superseded != at) {
                    replacers.entry(self.update(*superseded)).or_default().push(update);
                }
            }
        }
        replacers
    }

    /// Orders what goes so that each comes before what it refers to. What refers to itself in a ring is
    /// left out: no valid catalog has one.
    fn dependents_first(&self, going: &HashSet<u32>) -> Vec<u32> {
        let mut named: BTreeMap<u32, usize> = going.iter().map(|at| (*at, 0)).collect();
        let needs = |at: u32| -> BTreeSet<u32> {
            self.rows(at).flat_map(|row| self.needs(row)).filter(|n| *n != at && going.contains(n)).collect()
        };
        for at in going {
            for needed in needs(*at) {
                *named.entry(needed).or_default() += 1;
            }
        }
        let mut ready: Vec<u32> = named.iter().filter(|(_, count)| **count == 0).map(|(at, _)| *at).collect();
        let mut order = Vec::with_capacity(going.len());
        while let Some(at) = ready.pop() {
            order.push(at);
            for needed in needs(at) {
                if let Some(count) = named.get_mut(&needed) {
                    *count -= 1;
                    if *count == 0 {
                        ready.push(needed);
                    }
                }
            }
        }
        order
    }
}

/// Whether an update may be removed as far as it alone is concerned.
fn may_go(
    update: UpdateId,
    newest: &Row,
    decisions: &Decisions,
    settings: &CleanupSettings,
    now: Timestamp,
) -> bool {
    if decisions.held.contains_key(&update) || deployed(decisions, update) {
        return false;
    }
    match newest.kind {
        UpdateKind::Detectoid => aged(newest.arrived_at, settings.detectoid_days, now),
        // A product without updates is still one that can be chosen for synchronization.
        UpdateKind::Category => newest.expired && aged(newest.arrived_at, settings.detectoid_days, now),
        // Servers below may have it approved still and come late; nothing else tells them that it was withdrawn.
        _ if newest.expired && newest.deployable && !aged(newest.arrived_at, settings.expired_days, now) => {
            false
        }
        _ => match decisions.declined.get(&update) {
            Some(declined) => aged(declined.at, settings.unused_days, now),
            // What is neither offered nor part of anything that is; members follow their bundles.
            None => {
                (newest.expired || !newest.deployable) && aged(newest.arrived_at, settings.unused_days, now)
            }
        },
    }
}
