//! The world's own answers: no index, nothing kept, every rule spelled out once more.

use super::{Pc, World};
use sluicegate_browse::{
    ApprovalFilter, ApprovalState, ComputerQuery, Decided, StateCounts, StatusFilter, Summary, UpdateFacts,
    UpdateHit, UpdateQuery, UpdateSort,
};
use sluicegate_policy::{ApprovalAction, UpdateState};
use sluicegate_terms::{GroupId, UpdateId, UpdateKind};
use std::cmp::Ordering;

/// As the console's documentation lists them.
fn fits(status: StatusFilter, state: UpdateState) -> bool {
    use UpdateState as S;
    let failed = state == S::Failed;
    let needed = [S::NotInstalled, S::Downloaded, S::InstalledPendingReboot].contains(&state);
    let done = state == S::Installed || state == S::NotApplicable;
    match status {
        StatusFilter::FailedOrNeeded => failed || needed,
        StatusFilter::InstalledNotApplicableOrNoStatus => done || state == S::Unknown,
        StatusFilter::Failed => failed,
        StatusFilter::Needed => needed,
        StatusFilter::InstalledOrNotApplicable => done,
        StatusFilter::NoStatus => state == S::Unknown,
    }
}

impl World {
    fn state(&self, pc: &Pc, update: UpdateId) -> UpdateState {
        if let Some(state) = pc.states.get(&update) {
            return *state;
        }
        let arrived = self.updates.get(&update).map(|facts| facts.first_arrived);
        let since = arrived.map(|at| self.decisions.restored.get(&update).map_or(at, |r| at.max(r.at)));
        match pc.reported {
            None => UpdateState::Unknown,
            Some(reported) if since.is_some_and(|since| reported < since) => UpdateState::Unknown,
            Some(_) => UpdateState::NotApplicable,
        }
    }

    fn members(&self, group: Option<GroupId>) -> Vec<&Pc> {
        let inside = |pc: &&Pc| group.is_none_or(|group| self.groups_of(&pc.membership).contains(&group));
        self.pcs.values().filter(inside).collect()
    }

    fn listed(&self, facts: &UpdateFacts) -> bool {
        matches!(facts.kind, UpdateKind::Software | UpdateKind::Driver)
            && facts.deployable
            && !self.updates.values().any(|other| other.members.contains(&facts.update))
    }

    fn approval(&self, update: UpdateId, group: Option<GroupId>) -> ApprovalState {
        let deploys = |action: ApprovalAction| action != ApprovalAction::NotApproved;
        let approved = match group {
            None => self.decisions.approvals_of(update).any(|a| deploys(a.action)),
            Some(group) => self
                .decisions
                .groups
                .path(group)
                .find_map(|above| self.decisions.approvals.get(&(update, above)))
                .is_some_and(|a| deploys(a.action)),
        };
        match (self.decisions.declined.contains_key(&update), approved) {
            (true, _) => ApprovalState::Declined,
            (false, true) => ApprovalState::Approved,
            (false, false) => ApprovalState::Undecided,
        }
    }

    fn superseded(&self, update: UpdateId) -> bool {
        self.updates
            .values()
            .any(|f| f.supersedes.contains(&update) && !self.decisions.declined.contains_key(&f.update))
    }

    fn under(&self, facts: &UpdateFacts, category: UpdateId) -> bool {
        facts.categories.iter().any(|direct| {
            *direct == category
                || self
                    .updates
                    .get(direct)
                    .is_some_and(|above| above.category_kind.is_some() && self.under(above, category))
        })
    }

    fn texts_fit(&self, facts: &UpdateFacts, query: &UpdateQuery) -> bool {
        let id = facts.update.to_string();
        let rest: Vec<&str> = facts.search.split('\n').skip(1).collect();
        let words = query.search.iter().flat_map(|search| search.split_whitespace());
        let kb = query.kb.as_ref().map(|kb| format!("kb{}", kb.to_lowercase().trim_start_matches("kb")));
        words.map(str::to_lowercase).all(|word| {
            if word.parse::<UpdateId>().is_ok() { word == id } else { facts.search.contains(&word) }
        }) && kb.is_none_or(|kb| rest.contains(&kb.as_str()))
            && query.cve.as_ref().is_none_or(|cve| rest.contains(&cve.to_lowercase().as_str()))
    }

    fn facts_fit(&self, facts: &UpdateFacts, query: &UpdateQuery) -> bool {
        let approval = self.approval(facts.update, query.approved_for);
        let open_licence = facts.eula.is_some_and(|eula| !self.decisions.accepted.contains_key(&eula));
        let wanted = |wanted: Option<bool>, is: bool| wanted.is_none() || wanted == Some(is);
        (query.everything || self.listed(facts))
            && match query.approval {
                None => true,
                Some(ApprovalFilter::Approved) => approval == ApprovalState::Approved,
                Some(ApprovalFilter::Undecided) => approval == ApprovalState::Undecided,
                Some(ApprovalFilter::Declined) => approval == ApprovalState::Declined,
                Some(ApprovalFilter::AnyExceptDeclined) => approval != ApprovalState::Declined,
            }
            && query.classification.is_none_or(|category| self.under(facts, category))
            && query.product.is_none_or(|category| self.under(facts, category))
            && (query.severities.is_empty() || query.severities.contains(&facts.severity))
            && query.reboot.is_none_or(|reboot| facts.reboot == reboot)
            && query.released_from.is_none_or(|from| facts.created.is_some_and(|at| at >= from))
            && query.released_to.is_none_or(|to| facts.created.is_some_and(|at| at < to))
            && query.arrived_from.is_none_or(|from| facts.arrived >= from)
            && query.arrived_to.is_none_or(|to| facts.arrived < to)
            && wanted(query.superseded, self.superseded(facts.update))
            && wanted(query.supersedes, !facts.supersedes.is_empty())
            && wanted(query.needs_licence, open_licence)
            && wanted(query.expired, facts.expired)
            && self.texts_fit(facts, query)
    }

    /// All pages together.
    pub fn updates(&self, query: &UpdateQuery, group: Option<GroupId>) -> Vec<UpdateHit> {
        let members = self.members(group);
        let mut found: Vec<(&UpdateFacts, UpdateHit)> = Vec::new();
        for facts in self.updates.values().filter(|facts| self.facts_fit(facts, query)) {
            let mut states = StateCounts::default();
            let mut any = query.status.is_none();
            for pc in &members {
                let state = self.state(pc, facts.update);
                states.add(state, 1);
                any |= query.status.is_some_and(|status| fits(status, state));
            }
            if any {
                let hit = UpdateHit {
                    update: facts.update,
                    newest: facts.newest,
                    approval: self.approval(facts.update, None),
                    superseded: self.superseded(facts.update),
                    states,
                };
                found.push((facts, hit));
            }
        }
        let title = |f: &UpdateFacts| f.search.split('\n').next().unwrap().to_owned();
        found.sort_by(|(a, a_hit), (b, b_hit)| {
            let count = |hit: &UpdateHit| match query.sort {
                UpdateSort::Needed => {
                    hit.states.of(UpdateState::NotInstalled)
                        + hit.states.of(UpdateState::Downloaded)
                        + hit.states.of(UpdateState::InstalledPendingReboot)
                }
                UpdateSort::Failed => hit.states.of(UpdateState::Failed),
                _ => hit.states.of(UpdateState::Installed),
            };
            let smallest_first = match query.sort {
                UpdateSort::Released => a.created.cmp(&b.created),
                UpdateSort::Arrived => a.arrived.cmp(&b.arrived),
                UpdateSort::Title => title(a).cmp(&title(b)),
                UpdateSort::Severity => a.severity.cmp(&b.severity),
                _ => count(a_hit).cmp(&count(b_hit)),
            };
            let ascending = query.ascending.unwrap_or(query.sort == UpdateSort::Title);
            let by_key = if ascending { smallest_first } else { smallest_first.reverse() };
            by_key.then_with(|| title(a).cmp(&title(b))).then_with(|| a.update.cmp(&b.update))
        });
        found.into_iter().map(|(_, hit)| hit).collect()
    }

    fn counted(&self) -> Vec<UpdateId> {
        let declined = &self.decisions.declined;
        let counts = |f: &&UpdateFacts| self.listed(f) && !declined.contains_key(&f.update);
        self.updates.values().filter(counts).map(|f| f.update).collect()
    }

    pub fn computers(&self, query: &ComputerQuery, group: Option<GroupId>) -> Vec<(i64, StateCounts)> {
        let counted = self.counted();
        let mut found: Vec<(&Pc, StateCounts)> = Vec::new();
        for pc in self.members(group) {
            let mut states = StateCounts::default();
            counted.iter().for_each(|update| states.add(self.state(pc, *update), 1));
            let named = query.search.as_ref().is_none_or(|search| {
                let text = format!("{}\n{}", pc.name.clone().unwrap_or_default(), pc.id);
                text.to_lowercase().contains(&search.to_lowercase())
            });
            let any = |status| counted.iter().any(|update| fits(status, self.state(pc, *update)));
            if named && query.status.is_none_or(any) {
                found.push((pc, states));
            }
        }
        found.sort_by(|(a, _), (b, _)| by_name(a, b));
        found.into_iter().map(|(pc, states)| (pc.key, states)).collect()
    }

    pub fn computers_of(
        &self,
        update: UpdateId,
        status: Option<StatusFilter>,
        group: Option<GroupId>,
    ) -> Vec<(i64, UpdateState)> {
        if !self.updates.contains_key(&update) {
            return Vec::new();
        }
        let mut found: Vec<(&Pc, UpdateState)> =
            self.members(group).into_iter().map(|pc| (pc, self.state(pc, update))).collect();
        found.retain(|(_, state)| status.is_none_or(|status| fits(status, *state)));
        found.sort_by(|(a, _), (b, _)| by_name(a, b));
        found.into_iter().map(|(pc, state)| (pc.key, state)).collect()
    }

    pub fn decided(&self, categories: &[UpdateId]) -> Decided {
        let mut decided = Decided::default();
        for facts in self.updates.values().filter(|facts| self.listed(facts)) {
            decided.total += 1;
            let under = categories.iter().any(|category| self.under(facts, *category));
            match self.approval(facts.update, None) {
                ApprovalState::Declined => decided.declined += 1,
                ApprovalState::Approved => decided.approved += 1,
                ApprovalState::Undecided => {
                    decided.undecided += 1;
                    decided.undecided_in += u64::from(under);
                }
            }
        }
        decided
    }

    pub fn summary(&self, group: Option<GroupId>) -> Summary {
        let members = self.members(group);
        let counted = self.counted();
        let mut summary = Summary::default();
        for pc in &members {
            let any = |status| counted.iter().any(|update| fits(status, self.state(pc, *update)));
            let computers = &mut summary.computers;
            computers.total += 1;
            if any(StatusFilter::Failed) {
                computers.failed += 1;
            } else if any(StatusFilter::Needed) {
                computers.needing += 1;
            } else if pc.reported.is_none() {
                computers.no_status += 1;
            } else {
                computers.up_to_date += 1;
            }
        }
        for facts in self.updates.values().filter(|facts| self.listed(facts)) {
            let updates = &mut summary.updates;
            let approval = self.approval(facts.update, None);
            match approval {
                ApprovalState::Declined => updates.declined += 1,
                ApprovalState::Approved => updates.approved += 1,
                ApprovalState::Undecided => updates.unapproved += 1,
            }
            if approval == ApprovalState::Declined {
                continue;
            }
            updates.total += 1;
            let on = |status| members.iter().any(|pc| fits(status, self.state(pc, facts.update)));
            updates.failed += u64::from(on(StatusFilter::Failed));
            updates.needed += u64::from(on(StatusFilter::Needed));
            updates.needed_unapproved +=
                u64::from(on(StatusFilter::Needed) && approval == ApprovalState::Undecided);
            updates.no_status += u64::from(on(StatusFilter::NoStatus));
            let other = on(StatusFilter::FailedOrNeeded) || on(StatusFilter::NoStatus);
            updates.done += u64::from(!members.is_empty() && !other);
        }
        summary
    }
}

fn by_name(a: &Pc, b: &Pc) -> Ordering {
    a.name.cmp(&b.name).then_with(|| a.id.as_str().cmp(b.id.as_str()))
}
