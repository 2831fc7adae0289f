//! Scan: what approvals change for one set of groups. Small beside the catalog, worked out by `policy`
//! when a client of these groups first asks, and kept.

use crate::snapshot::{Base, Snapshot};
use rustc_hash::FxHashMap;
use sluicegate_policy::{Decision, effective_on};
use sluicegate_terms::{Anchor, DeploymentAction, DeploymentId, GroupId, Timestamp};
use std::sync::{Arc, PoisonError, RwLock};

/// An approval that holds for a set of groups.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Explicit {
    pub(crate) id: DeploymentId,
    pub(crate) action: DeploymentAction,
    pub(crate) assigned: bool,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) last_change: Timestamp,
}

/// What is decided about one revision for a set of groups.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decided {
    pub(crate) since: Anchor,
    pub(crate) explicit: Option<Explicit>,
}

/// The decisions that concern one set of groups, by index.
#[derive(Debug, Default)]
pub(crate) struct Overlay(FxHashMap<u32, Decided>);

impl Overlay {
    pub(crate) fn get(&self, index: u32) -> Option<&Decided> {
        self.0.get(&index)
    }
}

/// Overlays by set of groups.
#[derive(Debug, Default)]
pub(crate) struct OverlayCache(RwLock<FxHashMap<Box<[GroupId]>, Arc<Overlay>>>);

/// Sets of groups kept at once. Real fleets have tens; this only bounds memory.
const KEPT: usize = 1024;

impl Snapshot {
    /// The overlay of a set of groups, given sorted and each once.
    pub(crate) fn overlay(&self, groups: &[GroupId]) -> Arc<Overlay> {
        let cache = &self.overlays.0;
        if let Some(found) = cache.read().unwrap_or_else(PoisonError::into_inner).get(groups) {
            return Arc::clone(found);
        }
        let made = Arc::new(self.make_overlay(groups));
        let mut kept = cache.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(groups.into(), Arc::clone(&made));
        made
    }

    fn has_expired(&self, index: u32) -> bool {
        self.entry(index).is_some_and(|entry| entry.base == Base::Expired)
    }

    fn make_overlay(&self, groups: &[GroupId]) -> Overlay {
        let paths = self.decisions.groups.paths(groups);
        let decided = self.decided.iter().map(|index| {
            let update = self.update(index);
            let effective = effective_on(&self.decisions, update, &paths);
            let explicit = match effective.decision {
                // What has expired is not installed any more, whatever was approved before.
                Decision::Deployed { action, .. }
                    if action != DeploymentAction::Uninstall && self.has_expired(index) =>
                {
                    None
                }
                Decision::Deployed { deployment: id, action, assigned, deadline, last_change } => {
                    Some(Explicit { id, action, assigned, deadline, last_change })
                }
                Decision::Declined | Decision::Undecided => None,
            };
            (index, Decided { since: effective.since, explicit })
        });
        Overlay(decided.collect())
    }
}
