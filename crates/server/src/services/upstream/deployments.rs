//! GetDeployments (MS-WSUSSS 3.1.4.10): groups and decisions for replicas.
//!
//! Only what administrators decided is told. What follows from the catalog alone (detection of everything
//! undecided, members of bundles) each server derives itself.

use super::{Caller, Failure, Index, Reply, authorize, in_store, index};
use crate::hierarchy::anchor::SyncAnchor;
use crate::hierarchy::lineage;
use crate::state::App;
use ring::digest::{Context, SHA256};
use sluicegate_policy::{Approval, ApprovalAction, Decisions};
use sluicegate_soap::SoapVersion;
use sluicegate_soap::server_sync::{
    GetDeploymentsRequest, GetDeploymentsResponse, ServerSyncDeployment, ServerSyncDeploymentResult,
    ServerSyncTargetGroup, SyncAction,
};
use sluicegate_terms::{Anchor, GroupId, Guid, RevisionNumber, Timestamp, UpdateId};
use std::sync::Arc;

/// Neither low (1) nor high (3).
const PRIORITY: u8 = 2;

/// Answers GetDeployments.
pub(super) async fn get(
    app: &Arc<App>,
    caller: &Caller,
    request: &GetDeploymentsRequest,
    version: SoapVersion,
) -> Result<Reply, Failure> {
    authorize::open(app, request.cookie.as_ref(), caller.now)?;
    let since = SyncAnchor::optional(request.deployment_anchor.as_deref())
        .map_err(|error| Failure::parameter("deploymentAnchor", error.to_string()))?;
    let synced: SyncAnchor = request
        .sync_anchor
        .as_deref()
        .unwrap_or_default()
        .parse()
        .map_err(|error| Failure::parameter("syncAnchor", format!("{error}")))?;
    let synced = lineage::plain(synced);
    // Before the decisions: what is decided meanwhile is told twice rather than never.
    let last = app.store.anchor();
    let since = since
        .map(|since| app.lineage.take(since, last, caller.now))
        .transpose()
        .map_err(Failure::OtherHistory)?;
    if let Some(since) = since
        && since.change > last
    {
        return Err(Failure::SetBack { seen: since.change, last });
    }
    let index = index(app)?;
    let (now, server) = (caller.now, app.server_id);
    let asked = since.map(|since| since.change);
    let since = asked.unwrap_or(Anchor::START);
    let told = in_store(app, move |store| {
        let decisions = store.decisions();
        // After the decisions: what cleanup removes meanwhile is told twice rather than never.
        let removed = store.removed_updates()?;
        // Whoever asks for everything has nothing that could be taken away.
        let dropped = asked.map_or(Ok(Some(Vec::new())), |since| store.dropped_deployments(since))?;
        let Some(dropped) = dropped else { return Ok(None) };
        // What came since the index was made is not in it, and may be what approvals are for now.
        let known = index.anchor().change;
        let indexed = if store.catalog_anchor() > known { known } else { last };
        let decisions = &decisions;
        let telling =
            Telling { decisions, removed, dropped, index: &index, server, since, synced, last, indexed };
        Ok(Some(telling.tell(now)))
    })
    .await?;
    let (told_up_to, result) = told.ok_or(Failure::TooLongAgo(since))?;
    let anchor = Some(app.lineage.give(told_up_to).to_string());
    let result = ServerSyncDeploymentResult { anchor, ..result };
    Ok(Reply::message(&GetDeploymentsResponse { result }, version))
}

/// One answer in the making.
struct Telling<'a> {
    decisions: &'a Decisions,
    /// What cleanup removed; a replica may have it still.
    removed: Vec<UpdateId>,
    /// For which updates and groups approvals went with the update or the group.
    dropped: Vec<(UpdateId, GroupId)>,
    index: &'a Index,
    server: Guid,
    /// What was told before.
    since: Anchor,
    /// Up to where the replica has updates.
    synced: SyncAnchor,
    /// The newest change.
    last: Anchor,
    /// Up to where the index knows which revisions are here.
    indexed: Anchor,
}

impl Telling<'_> {
    /// Up to where it tells, and what.
    fn tell(&self, now: Timestamp) -> (SyncAnchor, ServerSyncDeploymentResult) {
        // A decision about an update, or for a revision, that the replica cannot have yet is told (again) the next
        // time it asks: then the anchor goes no further than that decision.
        let mut told_up_to = self.last;
        let mut deployments = Vec::new();
        for approval in self.decisions.approvals.values() {
            let changed = self.changed(approval);
            if changed <= self.since {
                continue;
            }
            let unlisted = changed > self.indexed;
            let told = self.revision_for(approval.update, unlisted);
            if !told.is_some_and(|(_, serves)| serves) || unlisted {
                told_up_to = told_up_to.min(Anchor(changed.0.saturating_sub(1)));
            }
            deployments.extend(told.map(|(revision, _)| self.deployment(approval, revision)));
        }
        let withdrawn = self.decisions.withdrawn.iter().filter(|(_, change)| change.anchor > self.since);
        let withdrawn = withdrawn.map(|(key, _)| key).chain(&self.dropped);
        let result = ServerSyncDeploymentResult {
            anchor: None,
            groups: self.groups(),
            deployments,
            dead_deployments: withdrawn
                .map(|(update, group)| deployment_guid(self.server, *update, *group))
                .collect(),
            hidden_updates: self
                .decisions
                .declined
                .keys()
                .chain(&self.removed)
                .map(|update| update.0)
                .collect(),
            accepted_eulas: self.decisions.accepted.keys().map(|eula| eula.0).collect(),
        };
        (SyncAnchor::new(now, told_up_to), result)
    }

    /// Since when what a replica is to be told of an approval holds: since it was decided, or since another revision
    /// is in service.
    fn changed(&self, approval: &Approval) -> Anchor {
        let held = self.decisions.held.get(&approval.update).map(|hold| hold.since.anchor);
        let released = self.decisions.released.get(&approval.update).map(|change| change.anchor);
        [held, released].into_iter().flatten().fold(approval.changed, Anchor::max)
    }

    /// The revision in service, as far as the replica knows it: the newest that came before the replica
    /// last asked for updates, or the older one that stays while the newest waits. And whether it is the one that
    /// serves here. Never one that is held back: that is told of nothing until the replica can ask for the one that
    /// stays, or that one is gone. `unlisted`: revisions may be here that the index does not know.
    fn revision_for(&self, update: UpdateId, unlisted: bool) -> Option<(RevisionNumber, bool)> {
        let held = self.decisions.held.get(&update).map(|hold| hold.serving);
        let all = self.index.revisions_of(update);
        let known = all.iter().filter(|held| self.index.arrived(held) <= self.synced.change);
        let mut numbers = known.map(|held| held.identity.revision).rev();
        let newest = numbers.next()?;
        let stays = held.filter(|serving| *serving < newest && numbers.any(|n| n == *serving));
        let comes = |serving| unlisted || all.iter().any(|held| held.identity.revision == serving);
        if stays.is_none() && held.is_some_and(|serving| serving < newest && comes(serving)) {
            return None;
        }
        let told = stays.unwrap_or(newest);
        let serves = held.or_else(|| all.last().map(|last| last.identity.revision)).is_none_or(|n| n <= told);
        Some((told, serves))
    }

    fn groups(&self) -> Vec<ServerSyncTargetGroup> {
        let built_in = [GroupId::ALL_COMPUTERS, GroupId::UNASSIGNED_COMPUTERS];
        let groups = self.decisions.groups.iter().map(|group| ServerSyncTargetGroup {
            id: group.id.0,
            parent: group.parent.map_or(Guid::ZERO, |parent| parent.0),
            name: Some(group.name.as_str().to_owned()),
            is_builtin: built_in.contains(&group.id),
        });
        groups.collect()
    }

    fn deployment(&self, approval: &Approval, revision: RevisionNumber) -> ServerSyncDeployment {
        ServerSyncDeployment {
            update: approval.update,
            revision,
            action: action(approval.action),
            admin_name: Some(approval.by.clone()),
            deadline: approval.deadline.unwrap_or(Timestamp::MAX),
            // What is optional is installed by users (MS-WUSP 2.2.2.2.4, IsAssigned).
            is_assigned: approval.action != ApprovalAction::OptionalInstall,
            go_live_time: approval.changed_at,
            deployment: deployment_guid(self.server, approval.update, approval.group),
            target_group: approval.group,
            download_priority: PRIORITY,
        }
    }
}

const fn action(action: ApprovalAction) -> SyncAction {
    match action {
        ApprovalAction::Install | ApprovalAction::OptionalInstall => SyncAction::Install,
        ApprovalAction::Uninstall => SyncAction::Uninstall,
        ApprovalAction::NotApproved => SyncAction::Block,
    }
}

/// The id of a deployment: always the same for one update and group on one server, so that one that was
/// taken away can still be named.
fn deployment_guid(server: Guid, update: UpdateId, group: GroupId) -> Guid {
    let mut context = Context::new(&SHA256);
    for id in [server, update.0, group.0] {
        context.update(id.as_bytes());
    }
    let digest = context.finish();
    let bytes = digest.as_ref().first_chunk().copied().unwrap_or_default();
    // The form of a GUID made from a name (RFC 9562, version 8).
    let value = (u128::from_be_bytes(bytes) & !(0xf << 76)) | (0x8 << 76);
    Guid::from_u128((value & !(0x3 << 62)) | (0x2 << 62))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_has_one_id_on_one_server() {
        let ids = [1, 2].map(Guid::from_u128);
        let of = |server, update, group| deployment_guid(server, UpdateId(update), GroupId(group));
        assert_eq!(of(ids[0], ids[0], ids[1]), of(ids[0], ids[0], ids[1]));
        assert_ne!(of(ids[0], ids[0], ids[1]), of(ids[1], ids[0], ids[1]));
        assert_ne!(of(ids[0], ids[0], ids[1]), of(ids[0], ids[1], ids[0]));
        let text = of(ids[0], ids[0], ids[1]).to_string();
        assert_eq!(text.as_bytes()[14], b'8', "{text}");
    }
}
