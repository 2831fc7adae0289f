//! Repair: what is about to be done, worked out from what the servers say, and shown before anything is done.

use super::journal::Journal;
use super::managed::{KeptApproval, ManagedServer, UpdateState};
use anyhow::{Context as _, bail};
use sluicegate_terms::{GroupId, UpdateId};

/// What is done on one server.
#[derive(Debug, Clone)]
pub(super) struct ServerPlan {
    /// Its place among the servers.
    pub(super) server: usize,
    /// It is a replica: the mode is lifted before and restored after.
    pub(super) replica: bool,
    /// What was decided before the repair began.
    pub(super) before: UpdateState,
    /// What is approved again, unchanged.
    pub(super) approvals: Vec<KeptApproval>,
    /// What the update is in the end.
    pub(super) end: End,
}

/// What an update is after its reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Declined, as KB954960 has it.
    Declined,
    /// As it was. What cannot be given back is an error.
    AsBefore,
    /// Not touched: nothing is deployed that could be reset.
    Untouched,
}

/// What is done, in order.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) update: Option<UpdateId>,
    pub(super) servers: Vec<ServerPlan>,
    lines: Vec<String>,
}

impl Plan {
    pub(super) fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    /// The plan for people.
    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }
}

/// Asks every server and works out what to do; nothing is changed.
pub(super) async fn make(
    servers: &[Box<dyn ManagedServer>],
    update: UpdateId,
    journal: &Journal,
    keep: bool,
) -> anyhow::Result<Plan> {
    let mut plan = Plan { update: Some(update), ..Plan::default() };
    plan.lines.push(format!("Repair of the approvals of update {update}, top first:"));
    let mut lost = Vec::new();
    for (at, server) in servers.iter().enumerate() {
        let name = server.name();
        let earlier = journal.of(name);
        if earlier.is_some_and(|progress| progress.done) {
            plan.lines.push(format!("{name}: done by an earlier run"));
            continue;
        }
        let failed = || format!("cannot ask `{name}`; no server was changed");
        let now = server.update(update).await.with_context(failed)?;
        let Some(now) = now else {
            plan.lines.push(format!("{name}: does not have this update; nothing to do"));
            continue;
        };
        // What an earlier run left half done is not what was decided.
        let (replica, before) = match earlier {
            Some(progress) => (progress.replica, progress.before.clone()),
            None => (server.is_replica().await.with_context(failed)?, now),
        };
        let end = match keep {
            false => End::Declined,
            true if before.is_deployed() => End::AsBefore,
            true => End::Untouched,
        };
        // What an earlier run took away is not here to be judged; the reset itself says what is refused.
        if let Some(reason) = before.lost_by_a_reset().filter(|_| end == End::AsBefore && earlier.is_none()) {
            lost.push(format!("{name}: {reason}"));
        }
        let approvals = if before.approvals.is_empty() { vec![neither()] } else { before.approvals.clone() };
        plan.describe(name, replica, &before, &approvals, end, earlier.is_some());
        plan.servers.push(ServerPlan { server: at, replica, before, approvals, end });
    }
    if !lost.is_empty() {
        bail!(
            "the update would not be as it was, so nothing was changed ({}); decide about it first, or leave out --keep \
             to have it declined",
            lost.join("; ")
        );
    }
    Ok(plan)
}

/// Approving "unchanged" what nobody approved: not approved, for everybody.
fn neither() -> KeptApproval {
    KeptApproval {
        group: GroupId::ALL_COMPUTERS.to_string(),
        group_name: "All Computers".to_owned(),
        action: "not-approved".to_owned(),
        deadline: None,
        refused: None,
    }
}

impl Plan {
    fn describe(
        &mut self,
        name: &str,
        replica: bool,
        before: &UpdateState,
        approvals: &[KeptApproval],
        end: End,
        again: bool,
    ) {
        let mut steps = Vec::new();
        if replica {
            steps.push("make it autonomous".to_owned());
        }
        if end == End::Untouched {
            steps.push("leave the update as it is, since nothing is deployed".to_owned());
        } else if !before.declined {
            steps.push("decline".to_owned());
        }
        let shown: Vec<String> = approvals
            .iter()
            .map(|approval| match &approval.deadline {
                Some(deadline) => format!("{} for {} by {deadline}", approval.action, approval.group_name),
                None => format!("{} for {}", approval.action, approval.group_name),
            })
            .collect();
        if end != End::Untouched {
            steps.push(format!("approve as it was ({})", shown.join(", ")));
        }
        if end == End::Declined {
            steps.push("decline".to_owned());
        }
        if replica {
            steps.push("make it a replica again".to_owned());
            steps.push("synchronize".to_owned());
        }
        let taken_up = if again { " (taken up again)" } else { "" };
        self.lines.push(format!("{name}{taken_up}: `{}`: {}", before.title, steps.join("; ")));
    }
}
