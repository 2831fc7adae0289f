//! What the model says agents have to hold: for each update the revision in service, the revision of a member that
//! its bundle names, and what is decided between all groups of a computer.

use super::model::{Approval, Model, Revision};
use super::steps::{ALL, BUNDLE};
use sluicegate_policy::ApprovalAction::{self, Install, Uninstall};
use std::collections::BTreeMap;

/// What an agent is to be told about a revision: action on the wire, assigned, deadline.
pub(crate) type Told = (&'static str, bool, Option<i64>);

impl Model {
    /// What an agent of these groups has to hold, by update and number of the revision.
    pub(crate) fn expected(&self, groups: &[u128]) -> BTreeMap<(u128, usize), Told> {
        let wanted = |update: u128, revision: &Revision| {
            let gone = revision.expired && !self.any(update, |action| action == Uninstall);
            !gone && !self.declined.contains_key(&update)
        };
        let mut told = BTreeMap::new();
        for update in self.updates.keys() {
            let revision = self.live(*update).unwrap();
            let number = revision.number;
            if self.is_member(*update) {
                let bundle = self.live(BUNDLE).unwrap();
                if wanted(*update, revision) {
                    told.insert((*update, number), ("Bundle", true, None));
                }
                if wanted(BUNDLE, bundle) {
                    let named = bundle.member.expect("it bundles this");
                    let is_here = self.updates[update].iter().any(|r| r.number == named);
                    assert!(is_here, "what a bundle in service names is kept");
                    told.insert((*update, named), ("Bundle", true, None));
                }
            } else if wanted(*update, revision) {
                let (action, assigned, deadline) = self.decided(*update, revision, groups);
                told.insert((*update, number), (action, assigned, deadline));
            }
        }
        told
    }

    fn decided(
        &self,
        update: u128,
        revision: &Revision,
        groups: &[u128],
    ) -> (&'static str, bool, Option<i64>) {
        let mut here: Vec<u128> = groups.iter().copied().filter(|group| self.exists(*group)).collect();
        if here.is_empty() {
            here.push(ALL);
        }
        let nearest: Vec<Approval> = here.iter().filter_map(|group| self.nearest(update, *group)).collect();
        for action in ApprovalAction::ALL {
            let of_action: Vec<Option<i64>> =
                nearest.iter().filter(|a| a.action == action).map(|a| a.deadline).collect();
            if of_action.is_empty() {
                continue;
            }
            let deadline = of_action.into_iter().flatten().min();
            return match action {
                Install if !revision.expired => ("Install", true, deadline),
                Uninstall => ("Uninstall", true, deadline),
                ApprovalAction::OptionalInstall if !revision.expired => ("Install", false, None),
                _ if revision.expired => ("Evaluate", true, None),
                _ => ("PreDeploymentCheck", true, None),
            };
        }
        (if revision.expired { "Evaluate" } else { "PreDeploymentCheck" }, true, None)
    }
}
