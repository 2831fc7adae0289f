//! Policy: groups that somebody deletes, with every decision that was for them.

use crate::approvals::Change;
use crate::decisions::Decisions;
use crate::groups::{Group, GroupError};
use crate::rules::RuleId;
use sluicegate_terms::{GroupId, UpdateId};
use std::collections::BTreeSet;

/// What went with a deleted group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemovedGroups {
    /// The group.
    pub group: Group,
    /// Those that were nested in it, each after the one it was nested in.
    pub nested: Vec<Group>,
    /// How many approvals were for them; that an update is not approved for one of them counts too.
    pub approvals: u64,
    /// Rules that approve for other groups only now.
    pub rules: Vec<RuleId>,
    /// Rules that have no group any more. Those that were enabled wait for one.
    pub rules_without_group: Vec<RuleId>,
}

impl RemovedGroups {
    /// All groups that are gone, the one that was named first.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        core::iter::once(&self.group).chain(&self.nested)
    }
}

impl Decisions {
    /// Removes a group and the decisions for it. Automatic rules approve for it no longer; a rule that has
    /// no other group waits for one: it must not come to approve for anybody else.
    ///
    /// # Errors
    /// When the group is unknown, built in or has subgroups.
    pub fn remove_group(&mut self, id: GroupId, change: Change) -> Result<RemovedGroups, GroupError> {
        let group = self.groups.remove(id)?;
        Ok(self.forget_decisions_for(group, Vec::new(), change))
    }

    /// [`Decisions::remove_group`] with the groups that are nested in it, and the decisions for these.
    ///
    /// # Errors
    /// When the group is unknown or built in.
    pub fn remove_group_with_nested(
        &mut self,
        id: GroupId,
        change: Change,
    ) -> Result<RemovedGroups, GroupError> {
        self.groups.require_own(id, "deleted")?;
        let below: Vec<GroupId> = self.groups.below(id).iter().map(|group| group.id).collect();
        let mut groups = self.groups.clone();
        let mut nested =
            below.iter().rev().map(|below| groups.remove(*below)).collect::<Result<Vec<_>, _>>()?;
        nested.reverse();
        let group = groups.remove(id)?;
        self.groups = groups;
        Ok(self.forget_decisions_for(group, nested, change))
    }

    /// Takes away what was decided for groups that are gone. Whoever was in one is in others now, and is told anew what
    /// holds for these, so no marks are left for clients.
    fn forget_decisions_for(&mut self, group: Group, nested: Vec<Group>, change: Change) -> RemovedGroups {
        let gone: BTreeSet<GroupId> = core::iter::once(&group).chain(&nested).map(|group| group.id).collect();
        let approvals: Vec<(UpdateId, GroupId)> =
            self.approvals.keys().filter(|(_, group)| gone.contains(group)).copied().collect();
        for key in &approvals {
            self.approvals.remove(key);
        }
        let updates: BTreeSet<UpdateId> = approvals.iter().map(|(update, _)| *update).collect();
        for update in updates {
            self.settle(update, change);
        }
        self.withdrawn.retain(|(_, group), _| !gone.contains(group));
        let approvals = approvals.len() as u64;
        let mut removed =
            RemovedGroups { group, nested, approvals, rules: Vec::new(), rules_without_group: Vec::new() };
        for (id, rule) in &mut self.rules {
            if !gone.iter().any(|group| rule.terms().groups.contains(group)) {
                continue;
            }
            gone.iter().for_each(|group| rule.forget_group(*group));
            let told = match rule.terms().groups.is_empty() {
                true => &mut removed.rules_without_group,
                false => &mut removed.rules,
            };
            told.push(*id);
        }
        removed
    }
}
