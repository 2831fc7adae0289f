//! Policy: what rules would do. The plan is made before anything is changed, so that it can be shown first;
//! carrying it out is approving what it lists.

use super::{Rule, RuleId};
use crate::approvals::{ApprovalAction, Order, Stamp};
use crate::decisions::{Decisions, Subject};
use crate::refusals::ApprovalError;
use crate::rules::{MOST_RULES, RuleError};
use sluicegate_terms::{GroupId, Timestamp, UpdateId};
use std::collections::BTreeMap;

/// An update that rules may decide about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// What is known of it.
    pub subject: Subject,
    /// The categories it stands under, their ancestors included.
    pub categories: Vec<UpdateId>,
}

/// An approval that a plan makes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Planned {
    /// Which update.
    pub subject: Subject,
    /// For which group.
    pub group: GroupId,
    /// When it is due: the earliest of the rules that want it.
    pub deadline: Option<Timestamp>,
    /// The first rule that wants it.
    pub rule: RuleId,
}

/// Why a rule that is about an update does not approve it for a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Skip {
    /// Somebody declined it.
    Declined,
    /// The group has a decision of its own.
    Decided,
    /// It cannot be approved.
    Refused(ApprovalError),
}

/// Something a plan leaves alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Skipped {
    /// Which update.
    pub update: UpdateId,
    /// For which group.
    pub group: GroupId,
    /// Which rule wanted it.
    pub rule: RuleId,
    /// Why it is left alone.
    pub why: Skip,
}

/// What rules would do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// The approvals, by update and group.
    pub approvals: Vec<Planned>,
    /// What is left alone, in the order of candidates and rules.
    pub skipped: Vec<Skipped>,
}

/// What the rules do with these updates if they run now.
#[must_use]
pub fn plan<'a>(
    rules: impl Iterator<Item = (RuleId, &'a Rule)> + Clone,
    decisions: &Decisions,
    candidates: &[Candidate],
    now: Timestamp,
) -> Plan {
    let mut wanted: BTreeMap<(UpdateId, GroupId), Planned> = BTreeMap::new();
    let mut skipped = Vec::new();
    for candidate in candidates {
        let (subject, update) = (candidate.subject, candidate.subject.update);
        for (rule, terms) in rules.clone().filter(|(_, rule)| rule.matches(&candidate.categories)) {
            // What may ask the user something cannot be due; it is approved all the same.
            let offset = terms.terms().deadline.filter(|_| !subject.may_ask);
            let deadline = offset.map(|offset| offset.after(now));
            for &group in &terms.terms().groups {
                let order = order(group, deadline, String::new());
                let why = if decisions.declined.contains_key(&update) {
                    Skip::Declined
                } else if decisions.approvals.contains_key(&(update, group)) {
                    Skip::Decided
                } else if let Err(error) = decisions.check(&subject, &order) {
                    Skip::Refused(error)
                } else {
                    wanted
                        .entry((update, group))
                        .and_modify(|other| other.deadline = earliest(other.deadline, deadline))
                        .or_insert(Planned { subject, group, deadline, rule });
                    continue;
                };
                skipped.push(Skipped { update, group, rule, why });
            }
        }
    }
    Plan { approvals: wanted.into_values().collect(), skipped }
}

/// Between two rules, as between two groups: the one that is due first.
fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

fn order(group: GroupId, deadline: Option<Timestamp>, by: String) -> Order {
    Order { group, action: ApprovalAction::Install, deadline, by }
}

impl Decisions {
    /// Carries a plan out. What the plan was made for has not changed since, or single approvals are left
    /// out; answers how many were made.
    ///
    /// # Errors
    /// When no deployment id is left.
    pub fn carry_out(&mut self, plan: &Plan, stamp: &mut Stamp) -> Result<u64, ApprovalError> {
        let mut made = 0;
        for planned in &plan.approvals {
            let by = match self.rules.get(&planned.rule) {
                Some(rule) => format!("rule: {}", rule.terms().name),
                None => "a rule".to_owned(),
            };
            match self.approve(&planned.subject, order(planned.group, planned.deadline, by), stamp) {
                Ok(_) => made += 1,
                Err(ApprovalError::DeploymentIdsExhausted) => {
                    return Err(ApprovalError::DeploymentIdsExhausted);
                }
                Err(_) => {}
            }
        }
        Ok(made)
    }

    /// Adds a rule, or changes the one with this number.
    ///
    /// # Errors
    /// When a group or the rule is unknown, or there are too many rules.
    pub fn save_rule(&mut self, id: Option<RuleId>, rule: Rule) -> Result<RuleId, SaveError> {
        for group in &rule.terms().groups {
            self.groups.require(*group)?;
        }
        let id = match id {
            Some(id) if self.rules.contains_key(&id) => id,
            Some(id) => return Err(RuleError::Unknown(id).into()),
            None if self.rules.len() >= MOST_RULES => return Err(RuleError::Full.into()),
            None => RuleId(
                self.rules
                    .keys()
                    .next_back()
                    .map_or(0, |last| last.0)
                    .max(RuleId::DEFAULT.0)
                    .saturating_add(1),
            ),
        };
        self.rules.insert(id, rule);
        Ok(id)
    }

    /// The rule with this number.
    ///
    /// # Errors
    /// [`RuleError::Unknown`].
    pub fn rule(&self, id: RuleId) -> Result<&Rule, RuleError> {
        self.rules.get(&id).ok_or(RuleError::Unknown(id))
    }

    /// Removes a rule. What it approved stays approved.
    ///
    /// # Errors
    /// When there is none with this number, or it is the default rule.
    pub fn remove_rule(&mut self, id: RuleId) -> Result<Rule, RuleError> {
        match id {
            RuleId::DEFAULT => Err(RuleError::Default),
            id => self.rules.remove(&id).ok_or(RuleError::Unknown(id)),
        }
    }

    /// The rules that decide about new updates by themselves.
    pub fn enabled_rules(&self) -> impl Iterator<Item = (RuleId, &Rule)> + Clone {
        self.rules.iter().filter(|(_, rule)| rule.enabled()).map(|(id, rule)| (*id, rule))
    }
}

/// Why a rule cannot be saved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SaveError {
    /// About the rule.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// About a group it names.
    #[error(transparent)]
    Group(#[from] crate::groups::GroupError),
}
