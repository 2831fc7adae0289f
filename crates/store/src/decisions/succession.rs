//! Store: what an import does to decisions, inside its own transaction: no state is ever durable in which
//! a new revision is there and its approvals are not (the failure behind KB954960).

use super::{DecisionScope, rules, write_difference};
use crate::error::StoreError;
use rusqlite::Transaction;
use sluicegate_policy::rules::{Rule, RuleId, plan};
use sluicegate_policy::{Arrival, Decisions, Succession};
use sluicegate_terms::{Anchor, Timestamp, UpdateId};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What an import did to decisions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ImportedDecisions {
    /// Updates whose approvals hold for a new revision now.
    pub followed: u64,
    /// Updates whose new revision waits, for licence terms or a review.
    pub held: BTreeSet<UpdateId>,
    /// Updates that were declined because they expired.
    pub declined: u64,
    /// Approvals that rules made for new updates.
    pub approved_by_rules: u64,
}

/// Brings decisions up to date with what has just been written. `None` when nothing is different. On a
/// replica rules do not run: its upstream decides.
pub(crate) fn after_import(
    tx: &Transaction<'_>,
    before: &Arc<Decisions>,
    arrivals: &[Arrival],
    replica: bool,
    (anchor, now): (Anchor, Timestamp),
) -> Result<(ImportedDecisions, Option<Arc<Decisions>>), StoreError> {
    let mut done = ImportedDecisions::default();
    let rules: Vec<(RuleId, &Rule)> = before.enabled_rules().filter(|_| !replica).collect();
    let revised = arrivals.iter().any(|arrival| arrival.replaces.is_some());
    if !revised && rules.is_empty() {
        return Ok((done, None));
    }
    let mut scope = DecisionScope::new(tx, anchor, now)?;
    let mut after = Decisions::clone(before);
    for arrival in arrivals {
        match after.arrive(arrival, &mut scope.stamp).map_err(super::refused)? {
            Succession::Untouched => {}
            Succession::Followed => done.followed += 1,
            Succession::Held(_) => {
                done.held.insert(arrival.update);
            }
            Succession::Declined => done.declined += 1,
        }
    }
    if !rules.is_empty() {
        // Rules are about updates that are new, not about new revisions (observed of WSUS: "rules apply to
        // new updates only").
        let new: BTreeSet<UpdateId> =
            arrivals.iter().filter(|a| a.replaces.is_none()).map(|a| a.update).collect();
        let candidates = rules::candidates(tx, &after, &rules, new.into_iter().collect())?;
        let plan = plan(rules.iter().copied(), &after, &candidates, now);
        done.approved_by_rules = after.carry_out(&plan, &mut scope.stamp).map_err(super::refused)?;
    }
    if after == **before {
        return Ok((done, None));
    }
    write_difference(tx, before, &after)?;
    Ok((done, Some(Arc::new(after))))
}
