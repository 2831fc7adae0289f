//! Repair: carrying a plan out. Each server's mode is restored before the next is touched, whatever happens in
//! between; every step can be done twice.

use super::journal::Journal;
use super::managed::{Again, ManagedServer};
use super::plan::{End, Plan, ServerPlan};
use anyhow::{Context as _, bail};
use sluicegate_terms::UpdateId;

/// Carries a plan out. Stops at the first server that fails, with its mode restored if it can be reached.
pub(super) async fn carry_out(
    servers: &[Box<dyn ManagedServer>],
    plan: &Plan,
    journal: &mut Journal,
) -> anyhow::Result<()> {
    let Some(update) = plan.update else { return Ok(()) };
    for step in &plan.servers {
        let Some(server) = servers.get(step.server) else { continue };
        let name = server.name().to_owned();
        journal.note(&name, "begun", |progress| {
            progress.replica = step.replica;
            progress.before = step.before.clone();
        })?;
        let done = reset(server.as_ref(), update, step, journal).await;
        // Even when the reset failed: nobody should have to remember that this server was a replica.
        let restored = restore(server.as_ref(), step, journal).await;
        match (done, restored) {
            (Ok(()), Ok(())) => journal.note(&name, "done", |progress| progress.done = true)?,
            (Err(error), Ok(())) => {
                journal.note(&name, &format!("failed: {error:#}"), |_| {})?;
                return Err(error.context(format!("`{name}` failed")));
            }
            (Ok(()), Err(error)) => {
                journal.note(&name, &format!("is NOT a replica again: {error:#}"), |_| {})?;
                return Err(error.context(format!("`{name}` is not a replica again")));
            }
            (Err(first), Err(second)) => {
                journal.note(
                    &name,
                    &format!("failed: {first:#}; is NOT a replica again: {second:#}"),
                    |_| {},
                )?;
                return Err(first.context(format!("`{name}` failed, and is not a replica again: {second:#}")));
            }
        }
    }
    for step in plan.servers.iter().filter(|step| step.replica) {
        let Some(server) = servers.get(step.server) else { continue };
        // The next run by schedule brings the same.
        let said = match server.synchronize().await {
            Ok(()) => "synchronization asked for".to_owned(),
            Err(error) => format!("could not be asked to synchronize: {error:#}"),
        };
        journal.note(server.name(), &said, |_| {})?;
    }
    Ok(())
}

/// The remedy itself: declined, approved unchanged, declined again.
async fn reset(
    server: &dyn ManagedServer,
    update: UpdateId,
    step: &ServerPlan,
    journal: &mut Journal,
) -> anyhow::Result<()> {
    let name = server.name().to_owned();
    if step.replica {
        // Noted first: a run that breaks off in between restores what may have been changed.
        journal.note(&name, "replica mode is lifted", |progress| progress.lifted = true)?;
        server.set_replica(false).await.context("its replica mode cannot be lifted")?;
    }
    if step.end == End::Untouched {
        return journal.note(&name, "left as it is: nothing is deployed", |_| {});
    }
    decline(server, update, journal).await?;
    let mut lost = Vec::new();
    for approval in &step.approvals {
        let group = &approval.group_name;
        let again = server.approve(update, approval).await.context("the update cannot be approved")?;
        let said = match again {
            Again::Given => format!("approved as it was: {} for {group}", approval.action),
            Again::NoGroup => {
                format!("not approved for {group}: there is no such group any more, and so nothing to reset")
            }
            Again::Refused(reason) => {
                lost.push(format!("{} for {group}: {reason}", approval.action));
                format!("not approved for {group}: {reason}")
            }
        };
        journal.note(&name, &said, |_| {})?;
    }
    // What can no longer be approved (expired, licence terms) needs no approval to be reset, unless it is to be kept.
    match step.end {
        End::Declined => decline(server, update, journal).await?,
        End::AsBefore if !lost.is_empty() => bail!("it was not approved again: {}", lost.join("; ")),
        _ => {}
    }
    Ok(())
}

async fn decline(server: &dyn ManagedServer, update: UpdateId, journal: &mut Journal) -> anyhow::Result<()> {
    let state = server.update(update).await.context("it cannot be asked about the update")?;
    if state.is_some_and(|state| !state.declined) {
        server.decline(update).await.context("the update cannot be declined")?;
        journal.note(server.name(), "declined", |_| {})?;
    }
    Ok(())
}

async fn restore(server: &dyn ManagedServer, step: &ServerPlan, journal: &mut Journal) -> anyhow::Result<()> {
    let lifted = journal.of(server.name()).is_some_and(|progress| progress.lifted);
    if !step.replica || !lifted {
        return Ok(());
    }
    server.set_replica(true).await?;
    journal.note(server.name(), "is a replica again", |progress| progress.lifted = false)
}
