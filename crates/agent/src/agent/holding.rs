//! Agent: the cache as the scan feeds it, every delivered revision judged at once, since the next page
//! depends on what is installed.

use crate::cache::{Cache, Cached, HeldIds, Verdict};
use crate::error::AgentError;
use crate::fragments::CoreFacts;
use crate::machine::Machine;
use crate::scan::Holder;
use crate::session::{Refreshed, deployment, deployment_of};
use sluicegate_soap::client::{SyncInfo, UpdateInfo};
use sluicegate_terms::{RevisionId, UpdateIdentity};

/// A cache and the machine that judges for it.
pub(super) struct Holding<'a, M: Machine> {
    pub(super) cache: &'a mut Cache<M::Rules>,
    pub(super) machine: &'a M,
}

impl<M: Machine> Holding<'_, M> {
    fn insert(&mut self, update: &UpdateInfo<'_>) -> Result<(), AgentError> {
        let unreadable = |source| AgentError::Fragment { revision: update.id.get(), source };
        let xml = update.xml.as_ref().map(|xml| xml.plain()).unwrap_or_default();
        let core = CoreFacts::read(&xml).map_err(unreadable)?;
        let rules = self.machine.learn(&core, &xml);
        let verdict = if core.bundles.is_empty() || core.has_rules {
            self.machine.judge(&core, &rules)
        } else {
            Verdict::NotApplicable
        };
        self.cache.insert(Cached {
            id: update.id,
            core,
            deployment: deployment_of(update.id, update.deployment.as_ref())?,
            is_leaf: update.is_leaf,
            verdict,
            rules,
            extended: None,
            title: None,
        });
        Ok(())
    }
}

impl<M: Machine> Holder for Holding<'_, M> {
    fn ids(&self) -> HeldIds {
        self.cache.ids()
    }

    fn absorb(&mut self, page: &SyncInfo<'_>) -> Result<(), AgentError> {
        for id in page.out_of_scope.iter().chain(&page.deployed_out_of_scope) {
            if let Ok(id) = RevisionId::new(i64::from(*id)) {
                self.cache.remove(id);
            }
        }
        for update in &page.new_updates {
            self.insert(update)?;
        }
        for changed in &page.changed_updates {
            if let Some(wire) = &changed.deployment {
                self.cache.change(changed.id, deployment(wire), changed.is_leaf);
            }
        }
        self.cache.evaluate_bundles();
        Ok(())
    }

    fn identities(&self) -> Vec<UpdateIdentity> {
        self.cache.identities()
    }

    fn renumber(&mut self, refreshed: Vec<Refreshed>) {
        self.cache.renumber(refreshed);
    }
}
