//! Store: automatic approval rules: saved, previewed and run on demand. What they do to updates that an
//! import brings is part of the import's transaction (`succession`).

use super::subject::subject;
use crate::Store;
use crate::catalog::CategoryTree;
use crate::columns::Columns;
use crate::error::{During, StoreError};
use rusqlite::Connection;
use sluicegate_policy::Decisions;
use sluicegate_policy::rules::{Candidate, Plan, Rule, RuleError, RuleId, plan};
use sluicegate_terms::{Timestamp, UpdateId};

/// What running rules did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RuleRun {
    /// What was planned.
    pub plan: Plan,
    /// How many approvals were made.
    pub approved: u64,
}

impl Store {
    /// Adds a rule, or changes the one with this number. Answers its number.
    ///
    /// # Errors
    /// [`StoreError::Rule`] when the rule cannot be, or a failure to write.
    pub fn save_rule(&self, id: Option<RuleId>, rule: Rule, now: Timestamp) -> Result<RuleId, StoreError> {
        self.change_decisions(now, |decisions, _| Ok(decisions.save_rule(id, rule)?))
    }

    /// Changes a rule as it is once this change has its turn, so that what somebody else changed of it at the same moment
    /// stays. Answers what it is then.
    ///
    /// # Errors
    /// [`StoreError::Rule`] when there is none or it cannot be so, or a failure to write.
    pub fn change_rule(
        &self,
        id: RuleId,
        now: Timestamp,
        change: impl FnOnce(&Rule) -> Result<Rule, RuleError>,
    ) -> Result<Rule, StoreError> {
        self.change_decisions(now, |decisions, _| {
            let rule = change(decisions.rule(id)?)?;
            decisions.save_rule(Some(id), rule.clone())?;
            Ok(rule)
        })
    }

    /// Removes a rule; what it approved stays approved.
    ///
    /// # Errors
    /// [`StoreError::Rule`] when there is none or it is the default rule, or a failure to write.
    pub fn remove_rule(&self, id: RuleId, now: Timestamp) -> Result<Rule, StoreError> {
        self.change_decisions(now, |decisions, _| Ok(decisions.remove_rule(id)?))
    }

    /// What a rule would do to the updates that are here now, whether it is saved and enabled or not.
    ///
    /// # Errors
    /// A failure to read.
    pub fn preview_rule(&self, id: RuleId, rule: &Rule, now: Timestamp) -> Result<Plan, StoreError> {
        let decisions = self.decisions();
        let rules = [(id, rule)];
        self.shared.database.read(|db| {
            let db = db.transaction().during("preview a rule")?;
            let candidates = candidates(&db, &decisions, &rules, everything(&db)?)?;
            Ok(plan(rules.iter().copied(), &decisions, &candidates, now))
        })
    }

    /// Runs the rules with these numbers, or all that are enabled, on the updates that are here, in one
    /// transaction.
    ///
    /// # Errors
    /// [`StoreError::Rule`] when there is no such rule, or a failure to write.
    pub fn run_rules(&self, which: Option<&[RuleId]>, now: Timestamp) -> Result<RuleRun, StoreError> {
        self.refuse_on_replica()?;
        self.change_decisions_inside(now, |tx, decisions, scope| {
            let chosen: Vec<(RuleId, Rule)> = match which {
                None => decisions.enabled_rules().map(|(id, rule)| (id, rule.clone())).collect(),
                Some(ids) => {
                    ids.iter()
                        .map(|id| Ok((*id, decisions.rule(*id)?.clone())))
                        .collect::<Result<_, StoreError>>()?
                }
            };
            let rules: Vec<(RuleId, &Rule)> = chosen.iter().map(|(id, rule)| (*id, rule)).collect();
            let candidates = candidates(tx, decisions, &rules, everything(tx)?)?;
            let plan = plan(rules.iter().copied(), decisions, &candidates, now);
            let approved = decisions.carry_out(&plan, &mut scope.stamp).map_err(super::refused)?;
            Ok(RuleRun { plan, approved })
        })
    }
}

/// Every update that can be approved.
fn everything(db: &Connection) -> Result<Vec<UpdateId>, StoreError> {
    let mut statement = db
        .prepare_cached(
            "SELECT k.update_id FROM known_update k JOIN listing l ON l.revision_id = k.newest
             WHERE l.kind IN ('Software', 'Driver') AND l.deployable = 1 ORDER BY k.update_id",
        )
        .during("list updates")?;
    let mut rows = statement.query([]).during("list updates")?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().during("list updates")? {
        found.push(row.update(0)?);
    }
    Ok(found)
}

/// Those of the updates that one of the rules is about, with what policy needs to know. Members of
/// bundles are no candidates: nobody expects a rule to tell about each of them.
pub(super) fn candidates(
    db: &Connection,
    decisions: &Decisions,
    rules: &[(RuleId, &Rule)],
    updates: Vec<UpdateId>,
) -> Result<Vec<Candidate>, StoreError> {
    let mut tree = CategoryTree::default();
    let mut found = Vec::new();
    for update in updates {
        let categories = tree.over(db, update)?;
        if !rules.iter().any(|(_, rule)| rule.matches(&categories)) {
            continue;
        }
        let subject = subject(db, decisions, update)?;
        if subject.bundled_by.is_none() {
            found.push(Candidate { subject, categories });
        }
    }
    Ok(found)
}
