//! Fleet: what a light agent holds: numbers only, sorted.

use crate::cache::{HeldIds, Verdict};
use crate::error::AgentError;
use crate::scan::Holder;
use crate::session::Refreshed;
use sluicegate_soap::client::{SyncInfo, UpdateInfo};
use sluicegate_terms::{UpdateId, UpdateIdentity};
use std::fmt;
use std::sync::Arc;

/// Decides what an update is on an agent, by the agent's number.
pub type Installed = dyn Fn(usize, UpdateId) -> Verdict + Send + Sync;

/// The ids a light agent holds.
pub struct LightHolder {
    agent: usize,
    installed: Arc<Installed>,
    held: HeldIds,
    delivered: usize,
}

impl fmt::Debug for LightHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LightHolder")
            .field("agent", &self.agent)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

impl LightHolder {
    /// Holding nothing.
    #[must_use]
    pub fn new(agent: usize, installed: Arc<Installed>) -> Self {
        Self { agent, installed, held: HeldIds::default(), delivered: 0 }
    }

    /// Revisions delivered so far, repeated ones too.
    #[must_use]
    pub fn delivered(&self) -> usize {
        self.delivered
    }

    fn insert(&mut self, update: &UpdateInfo<'_>) {
        // A RevisionId fits the wire type by its own rule.
        let id = update.id.get().cast_signed();
        self.delivered += 1;
        let verdict = update.xml.as_ref().and_then(|xml| update_of(xml.escaped()));
        let verdict = verdict.map_or(Verdict::NotApplicable, |update| (self.installed)(self.agent, update));
        remove(&mut self.held.installed_non_leaf, id);
        remove(&mut self.held.other, id);
        let list = if verdict == Verdict::Installed && !update.is_leaf {
            &mut self.held.installed_non_leaf
        } else {
            &mut self.held.other
        };
        if let Err(at) = list.binary_search(&id) {
            list.insert(at, id);
        }
    }
}

/// The update of a Core fragment that is still escaped: its identity stands first (observed).
fn update_of(escaped: &str) -> Option<UpdateId> {
    const KEY: &str = "UpdateID=\"";
    let head = escaped.get(..160).unwrap_or(escaped);
    let from = head.find(KEY)? + KEY.len();
    head.get(from..from + 36)?.parse().ok()
}

fn remove(sorted: &mut Vec<i32>, id: i32) {
    if let Ok(at) = sorted.binary_search(&id) {
        sorted.remove(at);
    }
}

impl Holder for LightHolder {
    fn ids(&self) -> HeldIds {
        self.held.clone()
    }

    fn absorb(&mut self, page: &SyncInfo<'_>) -> Result<(), AgentError> {
        for id in page.out_of_scope.iter().chain(&page.deployed_out_of_scope) {
            remove(&mut self.held.installed_non_leaf, *id);
            remove(&mut self.held.other, *id);
        }
        page.new_updates.iter().for_each(|update| self.insert(update));
        // What is installed never changes here, and a revision that became a leaf or ceased to be one is
        // rare: changed deployments change nothing a light agent sends.
        Ok(())
    }

    fn identities(&self) -> Vec<UpdateIdentity> {
        // Not kept: a light agent starts over instead of refreshing.
        Vec::new()
    }

    fn renumber(&mut self, _: Vec<Refreshed>) {
        self.held = HeldIds::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_soap::text::Text;
    use sluicegate_terms::{Guid, RevisionId};

    fn update(id: i64, update: u128, is_leaf: bool) -> UpdateInfo<'static> {
        let core = format!(r#"<UpdateIdentity UpdateID="{}" RevisionNumber="1" />"#, Guid::from_u128(update));
        UpdateInfo {
            id: RevisionId::new(id).unwrap(),
            deployment: None,
            is_leaf,
            xml: Some(Text::new(&core)),
        }
    }

    #[test]
    fn ids_are_sorted_into_lists_by_the_verdict_and_forgotten_out_of_scope() {
        let installed: Arc<Installed> = Arc::new(|agent, update| {
            if agent == 3 && update.0.as_u128() < 100 { Verdict::Installed } else { Verdict::NotApplicable }
        });
        let mut holder = LightHolder::new(3, installed);
        let page = SyncInfo {
            new_updates: vec![
                update(9, 1, false),
                update(4, 2, true),
                update(5, 200, false),
                update(2, 3, false),
            ],
            ..SyncInfo::default()
        };
        holder.absorb(&page).unwrap();
        assert_eq!(holder.ids(), HeldIds { installed_non_leaf: vec![2, 9], other: vec![4, 5] });
        let gone = SyncInfo { out_of_scope: vec![9, 4, 77], ..SyncInfo::default() };
        holder.absorb(&gone).unwrap();
        assert_eq!(holder.ids(), HeldIds { installed_non_leaf: vec![2], other: vec![5] });
        assert_eq!(holder.delivered(), 4);
        holder.renumber(Vec::new());
        assert_eq!(holder.ids(), HeldIds::default());
    }

    #[test]
    fn a_fragment_without_identity_is_held_but_never_installed() {
        let mut holder = LightHolder::new(0, Arc::new(|_, _| Verdict::Installed));
        let mut odd = update(1, 1, false);
        odd.xml = Some(Text::new("<Properties />"));
        holder.insert(&odd);
        assert_eq!(holder.ids().other, [1]);
    }
}
