//! Synchronization: a replica takes over groups and decisions (MS-WSUSSS 3.2.4.3), and fetches the revisions they are
//! for.

use super::fetch::spoils_a_batch;
use super::metadata::SHOWN;
use super::session::LARGEST_LIST;
use super::{Run, SyncError};
use sluicegate_policy::hierarchy::UpstreamDeployment;
use sluicegate_policy::{ApprovalAction, EulaId, Group};
use sluicegate_soap::server_sync::{
    GetDeploymentsRequest, GetDeploymentsResponse, ServerSyncDeployment, ServerSyncDeploymentResult,
    SyncAction,
};
use sluicegate_store::hierarchy::DeploymentNews;
use sluicegate_terms::{GroupId, Guid, Timestamp, UpdateId, UpdateIdentity};
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// So many sentences about decisions that wait are kept of a run.
const MOST_WAITING: usize = 20;

impl Run {
    pub(super) async fn deployments(&mut self) -> Result<(), SyncError> {
        let state = self.on_store(|store| store.sync_state()).await?;
        let make = |cookie| GetDeploymentsRequest {
            cookie: Some(cookie),
            deployment_anchor: state.deployments_anchor.clone(),
            sync_anchor: state.updates_anchor.clone(),
        };
        let body = self.session.call(LARGEST_LIST, make).await?;
        self.progress.answered(body.len() as u64, self.around.now());
        let result = self.session.decode::<GetDeploymentsResponse>(&body)?.result;
        let news = Arc::new(news(result, state.deployments_anchor.is_none(), self.around.now()));
        self.fetch_served(&news).await?;
        let now = self.around.now();
        let adopted = self.on_store(move |store| store.adopt_deployments(&news, now)).await?;
        self.warn_of_awaited(&adopted.awaited);
        self.warn_of_what_is_ahead(&adopted.ahead);
        self.tell_of_waiting(&adopted.skipped);
        self.warn_of_the_filter(&adopted.awaited).await?;
        if adopted.ungrouped > adopted.put_back {
            let count = adopted.ungrouped - adopted.put_back;
            let computers = if count == 1 { "1 computer is" } else { &format!("{count} computers are") };
            self.progress.warn(&format!(
                "{computers} no longer in a group that is gone at the upstream; when a group of its id or name is there \
                 again within 90 days, they are put back into it"
            ));
        }
        if adopted.unmet > 0 {
            let count = adopted.unmet;
            let computers = if count == 1 { "1 computer asks" } else { &format!("{count} computers ask") };
            self.progress.warn(&format!(
                "{computers} for groups that are gone at the upstream, and for none that is there; until groups of these \
                 names are there again, Unassigned Computers is where they are"
            ));
        }
        let changed = adopted.changes();
        self.progress.update(|p| p.counts.approvals += changed);
        self.progress.done(changed, now);
        Ok(())
    }

    /// Fetches the revisions that serve at the upstream while it holds newer ones back, those that cleanup removed here, and
    /// newer ones of updates that are here, which the filter may leave out by now. Lists name only the newest of an update,
    /// and whoever asks for another gets it all the same (observed).
    async fn fetch_served(&mut self, news: &Arc<DeploymentNews>) -> Result<(), SyncError> {
        let mut asked = HashSet::new();
        loop {
            let (news, now) = (Arc::clone(news), self.around.now());
            let mut awaited = self.on_store(move |store| store.awaited_revisions(&news, now)).await?;
            awaited.retain(|revision| asked.insert(*revision));
            if awaited.is_empty() {
                break;
            }
            // Clients wait for these, so they are asked for in each run; what failed before comes last.
            let failed = self.on_store(|store| store.failed_revisions()).await?;
            let failed: HashSet<_> = failed.into_iter().map(|failed| failed.identity).collect();
            awaited.sort_by_key(|revision| failed.contains(revision));
            let updates = awaited.iter().map(|revision| revision.update).collect();
            let expected = self.on_store(move |store| store.not_outside_filter(updates)).await?;
            match self.fetch(awaited).await {
                // What is decided about everything else must not wait for them.
                Err(error) if spoils_a_batch(&error) => {
                    tracing::warn!(%error, "the upstream does not give what it has in service");
                    break;
                }
                fetched => fetched?,
            }
            let number = self.number;
            self.on_store(move |store| store.note_asked_for(&expected, number)).await?;
            self.fetch_members().await?;
        }
        if asked.is_empty() { Ok(()) } else { self.keys().await }
    }

    /// Decisions about what is not here wait for it. That is nothing to warn of: a replica may have chosen less than its
    /// upstream has.
    fn tell_of_waiting(&self, reasons: &[String]) {
        // An update that is approved for several groups is named once.
        let mut told: Vec<String> = Vec::new();
        for reason in reasons {
            if told.len() == MOST_WAITING {
                break;
            }
            if !told.contains(reason) {
                tracing::info!(reason, "a decision of the upstream is not taken over yet");
                told.push(reason.clone());
            }
        }
        self.progress.update(|p| (p.counts.waiting, p.waiting) = (reasons.len() as u64, told));
    }

    fn warn_of_awaited(&self, awaited: &BTreeSet<UpdateIdentity>) {
        if awaited.is_empty() {
            return;
        }
        let list: Vec<String> = awaited.iter().take(SHOWN).map(ToString::to_string).collect();
        let (count, list) = (awaited.len(), list.join(", "));
        tracing::warn!(count, list, "the upstream does not give revisions that it has in service");
        let revisions = if count == 1 { "a revision" } else { &format!("{count} revisions") };
        self.progress.warn(&format!(
            "the upstream approves {revisions} that it does not give; nothing newer is approved \
             here in their place, and each synchronization asks for them again: {list}"
        ));
    }

    /// What did not come, or waits in quarantine for what it needs. An older revision serves in its place.
    fn warn_of_what_is_ahead(&self, ahead: &BTreeSet<UpdateIdentity>) {
        if ahead.is_empty() {
            return;
        }
        let list: Vec<String> = ahead.iter().take(SHOWN).map(ToString::to_string).collect();
        let (count, list) = (ahead.len(), list.join(", "));
        tracing::warn!(count, list, "the upstream has newer revisions in service than are here");
        let (revisions, they) = match count {
            1 => ("a newer revision of an update than is here".to_owned(), "it is"),
            _ => (format!("newer revisions of {count} updates than are here"), "they are"),
        };
        self.progress.warn(&format!(
            "the upstream has {revisions} in service; until {they} here and complete, computers are told of the one that is \
             here (`sluicegate catalog quarantine` says what is wrong): {list}"
        ));
    }
}

impl Run {
    /// Says what the upstream approves and the filter leaves out. The upstream's own replicas may well take everything.
    async fn warn_of_the_filter(&self, awaited: &BTreeSet<UpdateIdentity>) -> Result<(), SyncError> {
        let mut left_out = self.on_store(|store| store.approved_outside_filter()).await?;
        left_out.retain(|update| !awaited.iter().any(|revision| revision.update == *update));
        if left_out.is_empty() {
            return Ok(());
        }
        let list: Vec<String> = left_out.iter().take(SHOWN).map(ToString::to_string).collect();
        let (count, list) = (left_out.len(), list.join(", "));
        tracing::warn!(count, list, "the filter leaves out what the upstream approves");
        let updates = if count == 1 { "1 update" } else { &format!("{count} updates") };
        self.progress.warn(&format!(
            "the upstream approves {updates} that the filter of this replica leaves out, so nothing of that comes \
             (`sluicegate sync filter show`; `sync filter set --product all --classification all` takes what the upstream \
             has): {list}"
        ));
        Ok(())
    }
}

/// The answer in our terms. Groups whose names cannot be group names are left out.
fn news(result: ServerSyncDeploymentResult, complete: bool, now: Timestamp) -> DeploymentNews {
    let mut groups = Vec::new();
    for group in result.groups {
        let id = GroupId(group.id);
        let Some(Ok(name)) = group.name.as_deref().map(str::parse) else {
            tracing::warn!(group = %id, "a group of the upstream has no usable name and is left out");
            continue;
        };
        let parent = Some(GroupId(group.parent)).filter(|parent| parent.0 != Guid::ZERO);
        // All zeros marks the top, which is All Computers on every server; an own group there hangs below it.
        let parent = parent.or((id != GroupId::ALL_COMPUTERS).then_some(GroupId::ALL_COMPUTERS));
        groups.push(Group { id, name, parent });
    }
    DeploymentNews {
        groups,
        deployments: result.deployments.iter().filter_map(|d| deployment(d, now)).collect(),
        // A decision that became a mere scan is gone as well.
        dead: result
            .dead_deployments
            .into_iter()
            .chain(result.deployments.iter().filter(|d| deployment(d, now).is_none()).map(|d| d.deployment))
            .collect(),
        declined: result.hidden_updates.into_iter().map(UpdateId).collect(),
        accepted: result.accepted_eulas.into_iter().map(EulaId).collect(),
        anchor: result.anchor.unwrap_or_default(),
        complete,
    }
}

/// `Scan` is what every undecided update has, so it decides nothing.
fn deployment(d: &ServerSyncDeployment, now: Timestamp) -> Option<UpstreamDeployment> {
    let action = match d.action {
        SyncAction::Install if d.is_assigned => ApprovalAction::Install,
        // Users of the computer decide about it (MS-WUSP 2.2.2.2.4, IsAssigned).
        SyncAction::Install => ApprovalAction::OptionalInstall,
        SyncAction::Uninstall => ApprovalAction::Uninstall,
        SyncAction::Block => ApprovalAction::NotApproved,
        SyncAction::Scan | SyncAction::Other(_) => return None,
    };
    // "No deadline" is the last moment of 9999 (MS-WSUSSS 3.1.4.10.3.5), in whatever precision.
    let never = Timestamp::MAX.plus_seconds(-86_400);
    Some(UpstreamDeployment {
        guid: d.deployment,
        update: d.update,
        group: d.target_group,
        action,
        deadline: Some(d.deadline).filter(|at| *at < never && action != ApprovalAction::NotApproved),
        by: d.admin_name.clone().unwrap_or_default().chars().filter(|c| !c.is_control()).take(256).collect(),
        revision: d.revision,
        decided: Some(d.go_live_time).filter(|at| FIRST_SERVERS < at.unix_seconds() && *at <= now),
    })
}

/// No update server decided anything before 2002. What goes live earlier, or later than now, does not say when that was
/// decided.
const FIRST_SERVERS: i64 = 1_009_843_200;

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_soap::server_sync::ServerSyncTargetGroup;
    use sluicegate_terms::RevisionNumber;

    fn approval(number: u128, action: SyncAction, deadline: Timestamp) -> ServerSyncDeployment {
        ServerSyncDeployment {
            update: UpdateId(Guid::from_u128(number)),
            revision: RevisionNumber::default(),
            action,
            admin_name: None,
            deadline,
            is_assigned: true,
            go_live_time: Timestamp::UNIX_EPOCH,
            deployment: Guid::from_u128(number),
            target_group: GroupId::ALL_COMPUTERS,
            download_priority: 1,
        }
    }

    #[test]
    fn decisions_are_kept_apart_from_scans_and_never_from_a_deadline() {
        let result = ServerSyncDeploymentResult {
            deployments: vec![
                approval(1, SyncAction::Install, Timestamp::MAX),
                approval(2, SyncAction::Uninstall, Timestamp::from_unix_seconds(1_800_000_000)),
                approval(3, SyncAction::Scan, Timestamp::MAX),
                approval(4, SyncAction::Block, Timestamp::MAX),
                ServerSyncDeployment {
                    is_assigned: false,
                    ..approval(5, SyncAction::Install, Timestamp::MAX)
                },
            ],
            accepted_eulas: vec![Guid::from_u128(6)],
            ..ServerSyncDeploymentResult::default()
        };
        let news = news(result, false, Timestamp::from_unix_seconds(1_800_000_000));
        let actions: Vec<_> = news.deployments.iter().map(|d| (d.action, d.deadline.is_some())).collect();
        let expected = [
            (ApprovalAction::Install, false),
            (ApprovalAction::Uninstall, true),
            (ApprovalAction::NotApproved, false),
            (ApprovalAction::OptionalInstall, false),
        ];
        assert_eq!(actions, expected);
        assert!(news.deployments.iter().all(|d| d.revision == RevisionNumber::default()));
        assert_eq!(news.dead, [Guid::from_u128(3)]);
        assert_eq!(news.accepted, [EulaId(Guid::from_u128(6))]);
    }

    #[test]
    fn a_time_that_cannot_be_that_of_a_decision_is_none() {
        let now = Timestamp::from_unix_seconds(1_800_000_000);
        for (time, decided) in [
            (now, true),
            (now.plus_seconds(-86_400), true),
            (now.plus_seconds(1), false),
            (Timestamp::MAX, false),
            (Timestamp::MIN, false),
            (Timestamp::UNIX_EPOCH, false),
        ] {
            let deployment = ServerSyncDeployment {
                go_live_time: time,
                ..approval(1, SyncAction::Install, Timestamp::MAX)
            };
            let result = ServerSyncDeploymentResult {
                deployments: vec![deployment],
                ..ServerSyncDeploymentResult::default()
            };
            assert_eq!(news(result, false, now).deployments[0].decided, decided.then_some(time), "{time:?}");
        }
    }

    #[test]
    fn groups_at_the_top_hang_below_all_computers() {
        let group = |id: Guid, parent, name: &str| ServerSyncTargetGroup {
            id,
            parent,
            name: Some(name.to_owned()),
            is_builtin: false,
        };
        let result = ServerSyncDeploymentResult {
            groups: vec![
                group(GroupId::ALL_COMPUTERS.0, Guid::ZERO, "All Computers"),
                group(Guid::from_u128(1), Guid::ZERO, "Servers"),
                group(Guid::from_u128(2), Guid::from_u128(1), "Web"),
                group(Guid::from_u128(3), Guid::from_u128(1), " "),
            ],
            ..ServerSyncDeploymentResult::default()
        };
        let parents: Vec<_> =
            news(result, true, Timestamp::UNIX_EPOCH).groups.iter().map(|g| g.parent).collect();
        let one = GroupId(Guid::from_u128(1));
        assert_eq!(parents, [None, Some(GroupId::ALL_COMPUTERS), Some(one)]);
    }
}
