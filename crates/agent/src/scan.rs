//! Agent: the scan. Calls SyncUpdates until the server has nothing more to say (MS-WUSP 3.1.5.7,
//! observed-behaviour 3.3), within the 200 round trips real agents allow themselves.

use crate::cache::HeldIds;
use crate::error::AgentError;
use crate::session::{Refreshed, Session};
use sluicegate_soap::client::SyncInfo;
use sluicegate_soap::client::sync_updates::Device;
use sluicegate_terms::{UpdateId, UpdateIdentity};

/// SyncUpdates calls of one scan before a real agent gives up with 0x80244010.
pub const MOST_TRIPS: u32 = 200;

/// Holds what scans deliver. The full agent keeps a [`Cache`](crate::cache::Cache); the fleet keeps ids.
pub trait Holder {
    /// The ids to send.
    fn ids(&self) -> HeldIds;

    /// Takes in one page.
    ///
    /// # Errors
    /// [`AgentError`], which ends the scan.
    fn absorb(&mut self, page: &SyncInfo<'_>) -> Result<(), AgentError>;

    /// The identities held, for RefreshCache. A holder that does not know them answers with none and
    /// starts from nothing after [`Self::renumber`].
    fn identities(&self) -> Vec<UpdateIdentity>;

    /// Gives held revisions new numbers and forgets those that have none.
    fn renumber(&mut self, refreshed: Vec<Refreshed>);
}

/// What to scan for.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScanPlan<'a> {
    /// Only these categories; all when empty.
    pub categories: &'a [UpdateId],
    /// The computer's devices; without any there is no driver pass.
    pub devices: &'a [Device],
}

/// What a scan did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanSummary {
    /// SyncUpdates calls.
    pub trips: u32,
    /// Revisions delivered.
    pub new_updates: usize,
    /// Deployment changes of held revisions.
    pub changed: usize,
    /// Revisions to forget.
    pub out_of_scope: usize,
    /// Times revision ids had to be refreshed.
    pub refreshes: u32,
}

/// Scans. What was delivered before an error stays held, as in a real agent, and makes the next scan
/// shorter.
///
/// # Errors
/// [`AgentError::TooManyTrips`] after [`MOST_TRIPS`] calls; other [`AgentError`]s.
pub async fn scan<H: Holder>(
    session: &mut Session,
    holder: &mut H,
    plan: ScanPlan<'_>,
) -> Result<ScanSummary, AgentError> {
    session.begin_scan();
    session.ensure_ready().await?;
    let filter = if plan.categories.is_empty() {
        Vec::new()
    } else {
        session.start_category_scan(plan.categories).await?
    };
    let mut summary = ScanSummary::default();
    let mut drivers_needed = !plan.devices.is_empty();
    loop {
        let held = holder.ids();
        let page = page(session, holder, &held, &filter, &mut summary).await?;
        let Some((more, facts)) = page else { continue };
        drivers_needed &= !facts.driver_sync_not_needed;
        // Observed: the agent calls again on Truncated or on any non-leaf in the page.
        if !(facts.truncated || more) {
            break;
        }
    }
    while drivers_needed {
        let held = holder.ids();
        summary.take_trip()?;
        let done = session.sync_drivers(&held, plan.devices, |page| take(holder, page)).await;
        match done {
            Ok((counts, _)) => {
                summary.count(counts);
                drivers_needed = false;
            }
            Err(AgentError::RefreshRequired { .. }) => refresh(session, holder, &mut summary).await?,
            Err(error) => return Err(error),
        }
    }
    Ok(summary)
}

/// One page of the software pass; `None` when ids had to be refreshed first.
async fn page<H: Holder>(
    session: &mut Session,
    holder: &mut H,
    held: &HeldIds,
    filter: &[UpdateId],
    summary: &mut ScanSummary,
) -> Result<Option<(bool, crate::session::SyncFacts)>, AgentError> {
    summary.take_trip()?;
    match session.sync_software(held, filter, |page| take(holder, page)).await {
        Ok((counts, facts)) => {
            summary.count(counts);
            Ok(Some((counts.any_non_leaf, facts)))
        }
        Err(AgentError::RefreshRequired { .. }) => {
            refresh(session, holder, summary).await?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn refresh<H: Holder>(
    session: &mut Session,
    holder: &mut H,
    summary: &mut ScanSummary,
) -> Result<(), AgentError> {
    let identities = holder.identities();
    let refreshed = session.refresh_cache(&identities).await?;
    holder.renumber(refreshed);
    summary.refreshes += 1;
    Ok(())
}

#[derive(Clone, Copy)]
struct PageCounts {
    new_updates: usize,
    changed: usize,
    out_of_scope: usize,
    any_non_leaf: bool,
}

fn take<H: Holder>(holder: &mut H, page: &SyncInfo<'_>) -> Result<PageCounts, AgentError> {
    holder.absorb(page)?;
    Ok(PageCounts {
        new_updates: page.new_updates.len(),
        changed: page.changed_updates.len(),
        out_of_scope: page.out_of_scope.len() + page.deployed_out_of_scope.len(),
        any_non_leaf: page.new_updates.iter().any(|update| !update.is_leaf),
    })
}

impl ScanSummary {
    fn take_trip(&mut self) -> Result<(), AgentError> {
        if self.trips >= MOST_TRIPS {
            return Err(AgentError::TooManyTrips { trips: self.trips });
        }
        self.trips += 1;
        Ok(())
    }

    fn count(&mut self, page: PageCounts) {
        self.new_updates += page.new_updates;
        self.changed += page.changed;
        self.out_of_scope += page.out_of_scope;
    }
}
