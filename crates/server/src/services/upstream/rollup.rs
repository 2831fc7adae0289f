//! Rollup (MS-WSUSSS 3.1.4.13 to 3.1.4.17): what downstream servers tell of themselves, their computers
//! and the status of those. These calls carry no cookie worth the name (3.2.4.5): whoever reaches them is heard, as by real
//! servers, unless there is a list of allowed servers; then only those are, and what is below them.

use super::{Caller, Failure, Reply, in_store};
use crate::state::App;
use sluicegate_policy::UpdateState;
use sluicegate_soap::SoapVersion;
use sluicegate_soap::server_reporting::{
    ChangedComputer, ComputerChange, ComputerRollupDetails, ComputerRollupInfo, ComputerStatusRollupInfo,
    DownstreamServerRollupClientSummary, DownstreamServerRollupInfo, DownstreamServerRollupServerSummary,
    GetOutOfSyncComputersRequest, GetOutOfSyncComputersResponse, GetRollupConfigurationResponse,
    RollupComputerStatusRequest, RollupComputerStatusResponse, RollupComputersRequest,
    RollupComputersResponse, RollupConfiguration, RollupDownstreamServersRequest,
    RollupDownstreamServersResponse,
};
use sluicegate_store::hierarchy::{
    ActivitySummary, ClientSummary, ComputerDetails, RolledComputer, RolledServer, RolledStatus,
    RollupChange, ServerSummary, StatusReport,
};
use sluicegate_terms::{ComputerId, Guid, RevisionNumber, Timestamp, UpdateIdentity};
use std::collections::HashMap;
use std::sync::Arc;

// The limits of real servers (MS-WSUSSS notes 46 to 49, observed-behaviour 8).
const MOST_CLIENT_SUMMARIES: usize = 5_000;
const MOST_COMPUTERS: usize = 1_500;
const MOST_OUT_OF_SYNC: usize = 20_000;
const MOST_STATUS: usize = 500;

/// Groups kept of one computer.
const MOST_GROUPS: usize = 256;

/// 1753-01-01, which stands for a time that never was (MS-WSUSSS 3.1.4.14.3.2).
const NEVER_SECONDS: i64 = -6_847_804_800;

/// Answers GetRollupConfiguration. Another `RollupResetGuid` makes every server below tell everything again: one that was
/// forgotten here believes that all it told is known.
pub(super) async fn configuration(app: &Arc<App>, version: SoapVersion) -> Result<Reply, Failure> {
    let most = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
    let configuration = RollupConfiguration {
        do_detailed_rollup: true,
        rollup_reset: in_store(app, |store| store.rollup_reset()).await?,
        server_id: app.server_id,
        max_downstream_servers: most(MOST_CLIENT_SUMMARIES),
        max_computers: most(MOST_COMPUTERS),
        max_out_of_sync: most(MOST_OUT_OF_SYNC),
        max_status: most(MOST_STATUS),
    };
    Ok(Reply::message(&GetRollupConfigurationResponse { configuration }, version))
}

/// The list of a request: there, and not longer than the configuration says.
fn listed<T>(name: &'static str, list: Option<Vec<T>>, most: usize) -> Result<Vec<T>, Failure> {
    let list = list.ok_or_else(|| Failure::parameter(name, "it is missing"))?;
    within(name, list.len(), most)?;
    Ok(list)
}

fn within(name: &'static str, count: usize, most: usize) -> Result<(), Failure> {
    if count > most {
        let reason = format!("it has {count} entries; at most {most} are taken at once");
        return Err(Failure::parameter(name, reason));
    }
    Ok(())
}

/// Answers RollupDownstreamServers.
pub(super) async fn servers(
    app: &Arc<App>,
    caller: &Caller,
    request: RollupDownstreamServersRequest,
    version: SoapVersion,
) -> Result<Reply, Failure> {
    let list = listed("downstreamServers", request.servers, MOST_CLIENT_SUMMARIES)?;
    let summaries = list.iter().map(|server| server.client_summaries.len()).sum();
    within("downstreamServers", summaries, MOST_CLIENT_SUMMARIES)?;
    let (here, now) = (app.server_id, caller.now);
    let servers: Vec<RolledServer> = list.into_iter().map(|server| told_server(server, here)).collect();
    if servers.iter().any(|server| server.id == here || server.id == Guid::ZERO) {
        let reason = "a server in it has the id of this server, or none".to_owned();
        return Err(Failure::parameter("downstreamServers", reason));
    }
    let taken = in_store(app, move |store| {
        for server in servers.iter().filter(|server| server.parent.is_none()) {
            if !store.downstream_allowed(server.id, &server.name) {
                return Ok(Err((server.id, server.name.clone())));
            }
        }
        let above: Vec<Guid> = servers.iter().filter_map(|server| server.parent).collect();
        if let Some(refused) = store.refused_branch(&above)? {
            return Ok(Err(refused));
        }
        store.roll_up_servers(servers, now).map(Ok)
    })
    .await?;
    match taken {
        Ok(true) => {
            // One that waits for files no more may have been the last.
            app.watch.files_seen_to();
            Ok(Reply::message(&RollupDownstreamServersResponse {}, version))
        }
        Ok(false) => Err(Failure::UnknownParent),
        Err((account, name)) => Err(Failure::DownstreamRefused { account, name }),
    }
}

fn told_server(server: DownstreamServerRollupInfo, here: Guid) -> RolledServer {
    RolledServer {
        id: server.server_id,
        name: server.full_domain_name.unwrap_or_default(),
        parent: Some(server.parent).filter(|parent| *parent != Guid::ZERO && *parent != here),
        version: server.version.unwrap_or_default(),
        is_replica: server.is_replica,
        last_sync: time(server.last_sync),
        last_rollup: time(server.last_rollup),
        summary: server.server_summary.map(summary).unwrap_or_default(),
        clients: server.client_summaries.into_iter().map(client).collect(),
    }
}

/// A time, unless it stands for none.
fn time(time: Timestamp) -> Option<Timestamp> {
    (time.unix_seconds() > NEVER_SECONDS).then_some(time)
}

const fn summary(told: DownstreamServerRollupServerSummary) -> ServerSummary {
    ServerSummary {
        update_count: told.updates,
        declined_update_count: told.declined,
        approved_update_count: told.approved,
        not_approved_update_count: told.not_approved,
        updates_with_stale_update_approvals_count: told.stale_approvals,
        expired_update_count: told.expired,
        critical_or_security_updates_not_approved_for_install_count: told.critical_not_approved,
        wsus_infrastructure_updates_not_approved_for_install_count: told.infrastructure_not_approved,
        updates_with_client_errors_count: told.with_client_errors,
        updates_with_server_errors_count: told.with_server_errors,
        updates_needing_files_count: told.needing_files,
        updates_needed_by_computers_count: told.needed,
        updates_up_to_date_count: told.up_to_date,
        custom_computer_target_group_count: told.custom_groups,
        computer_target_count: told.computers,
        computer_targets_needing_updates_count: told.computers_needing_updates,
        computer_targets_with_update_errors_count: told.computers_with_errors,
        computers_up_to_date_count: told.computers_up_to_date,
    }
}

fn client(told: DownstreamServerRollupClientSummary) -> ClientSummary {
    let activity = told.activity.iter().filter_map(|activity| {
        let revision = RevisionNumber::new(i64::from(activity.revision)).ok()?;
        Some(ActivitySummary {
            revision: UpdateIdentity { update: activity.update, revision },
            succeeded: activity.successes,
            failed: activity.failures,
        })
    });
    ClientSummary {
        os_version: [
            told.os_major_version,
            told.os_minor_version,
            told.os_build_number,
            told.os_service_pack_major_number,
            told.os_service_pack_minor_number,
        ],
        activity: activity.collect(),
        os_locale: told.os_locale.unwrap_or_default(),
        suite_mask: short(told.suite_mask),
        old_product_type: told.old_product_type,
        new_product_type: told.new_product_type,
        system_metrics: told.system_metrics,
        architecture: told.processor_architecture.unwrap_or_default(),
        count: told.count,
    }
}

fn short(number: i32) -> i16 {
    i16::try_from(number).unwrap_or_default()
}

/// Refuses what is told of servers that may not synchronize from here, or that stand below one that may not.
async fn may_tell(app: &App, servers: Vec<Guid>) -> Result<(), Failure> {
    match in_store(app, move |store| store.refused_branch(&servers)).await? {
        None => Ok(()),
        Some((account, name)) => Err(Failure::DownstreamRefused { account, name }),
    }
}

/// Answers RollupComputers.
pub(super) async fn computers(
    app: &Arc<App>,
    caller: &Caller,
    request: RollupComputersRequest,
    version: SoapVersion,
) -> Result<Reply, Failure> {
    let now = caller.now;
    let list = listed("computers", request.computers, MOST_COMPUTERS)?;
    let spelled = Spelled::of(list.iter().map(|told| told.computer_id.as_deref()));
    let clock = request.client_time;
    let told = list
        .into_iter()
        .map(|told| told_computer(told).map(|computer| computer.by_own_clock(clock, now)))
        .collect::<Result<Vec<_>, _>>()?;
    may_tell(app, told.iter().map(|computer| computer.server).collect()).await?;
    let changes = in_store(app, move |store| store.roll_up_computers(told, now)).await?;
    let changed = changes.ok_or(Failure::UnknownParent)?.into_iter().map(|(id, change)| ChangedComputer {
        computer_id: Some(spelled.as_told(&id)),
        change: match change {
            RollupChange::NewParent => ComputerChange::NewParent,
            RollupChange::Deleted => ComputerChange::Deleted,
        },
    });
    Ok(Reply::message(&RollupComputersResponse { changed: changed.collect() }, version))
}

fn told_computer(told: ComputerRollupInfo) -> Result<RolledComputer, Failure> {
    Ok(RolledComputer {
        id: computer_id("computers", told.computer_id.as_deref())?,
        server: told.parent,
        last_sync: time(told.last_sync),
        last_sync_result: u8::try_from(told.last_sync_result).unwrap_or_default(),
        last_reboot: time(told.last_reported_reboot),
        last_status: time(told.last_reported_status),
        last_inventory: time(told.last_inventory),
        details: told.details.map(details),
    })
}

/// How who asks spells computers. Letter case says nothing here, and may where the answer is read.
struct Spelled(HashMap<ComputerId, String>);

impl Spelled {
    fn of<'a>(told: impl Iterator<Item = Option<&'a str>>) -> Self {
        Self(told.flatten().filter_map(|text| Some((text.parse().ok()?, text.to_owned()))).collect())
    }

    fn as_told(&self, id: &ComputerId) -> String {
        self.0.get(id).cloned().unwrap_or_else(|| id.as_str().to_owned())
    }
}

fn computer_id(list: &'static str, text: Option<&str>) -> Result<ComputerId, Failure> {
    text.unwrap_or_default().parse().map_err(|error| Failure::parameter(list, format!("ComputerId: {error}")))
}

fn details(told: ComputerRollupDetails) -> ComputerDetails {
    let text = Option::unwrap_or_default;
    ComputerDetails {
        groups: told.target_groups.into_iter().take(MOST_GROUPS).collect(),
        requested_groups: told.requested_groups.into_iter().take(MOST_GROUPS).collect(),
        ip_address: text(told.ip_address),
        full_domain_name: text(told.full_domain_name),
        os_version: [
            told.os_major_version,
            told.os_minor_version,
            told.os_build_number,
            told.os_service_pack_major_number,
            told.os_service_pack_minor_number,
        ],
        os_locale: text(told.os_locale),
        os_family: text(told.os_family),
        os_description: text(told.os_description),
        computer_make: text(told.computer_make),
        computer_model: text(told.computer_model),
        bios_version: text(told.bios_version),
        bios_name: text(told.bios_name),
        bios_release_date: told.bios_release_date,
        processor_architecture: text(told.processor_architecture),
        suite_mask: short(told.suite_mask),
        old_product_type: told.old_product_type,
        new_product_type: told.new_product_type,
        system_metrics: told.system_metrics,
        client_version: text(told.client_version),
    }
}

/// Answers GetOutOfSyncComputers.
pub(super) async fn out_of_sync(
    app: &Arc<App>,
    request: GetOutOfSyncComputersRequest,
    version: SoapVersion,
) -> Result<Reply, Failure> {
    let list = listed("lastRollupNumbers", request.last_rollup_numbers, MOST_OUT_OF_SYNC)?;
    let spelled = Spelled::of(list.iter().map(|told| told.computer_id.as_deref()));
    let numbers = list
        .into_iter()
        .map(|told| {
            let id = computer_id("lastRollupNumbers", told.computer_id.as_deref())?;
            // A number below zero was never accepted, so it is another than any that was.
            Ok((id, u32::try_from(told.rollup_number).unwrap_or(u32::MAX)))
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    may_tell(app, vec![request.parent]).await?;
    let found = in_store(app, move |store| store.out_of_sync_computers(request.parent, &numbers)).await?;
    let computers = found.into_iter().map(|id| spelled.as_told(&id)).collect();
    Ok(Reply::message(&GetOutOfSyncComputersResponse { computers }, version))
}

/// Answers RollupComputerStatus.
pub(super) async fn status(
    app: &Arc<App>,
    caller: &Caller,
    request: RollupComputerStatusRequest,
    version: SoapVersion,
) -> Result<Reply, Failure> {
    let now = caller.now;
    let list = listed("computers", request.computers, MOST_STATUS)?;
    let reports = list.into_iter().map(report).collect::<Result<Vec<_>, _>>()?;
    // Only what is in the teller's branch is taken, so its place decides. A computer that went on to a server that may
    // not tell is no reason to refuse those that stayed.
    may_tell(app, vec![request.parent]).await?;
    in_store(app, move |store| store.roll_up_status(request.parent, reports, now)).await?;
    Ok(Reply::message(&RollupComputerStatusResponse { taken: true }, version))
}

fn report(told: ComputerStatusRollupInfo) -> Result<StatusReport, Failure> {
    let number = u32::try_from(told.rollup_number)
        .map_err(|_| Failure::parameter("computers", "RollupNumber is below zero"))?;
    let status = |told: sluicegate_soap::server_reporting::ComputerStatusRollupUpdateStatus| {
        Ok(RolledStatus { update: told.update, state: state(told.state)?, since: told.last_change })
    };
    Ok(StatusReport {
        computer: computer_id("computers", told.computer_id.as_deref())?,
        detected: time(told.effective_last_detection),
        number,
        full: told.is_full,
        updates: told.updates.into_iter().map(status).collect::<Result<_, Failure>>()?,
    })
}

/// 0 is "not applicable" in these messages (3.1.4.17.3.4) and "unknown" in the tables of servers (3.1.1),
/// where 1 is "not applicable"; here all three come to the same.
fn state(number: i32) -> Result<UpdateState, Failure> {
    Ok(match number {
        0 | 1 => UpdateState::NotApplicable,
        2 => UpdateState::NotInstalled,
        3 => UpdateState::Downloaded,
        4 => UpdateState::Installed,
        5 => UpdateState::Failed,
        6 => UpdateState::InstalledPendingReboot,
        other => {
            let reason = format!("SummarizationState {other} is none of 0 to 6");
            return Err(Failure::parameter("computers", reason));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_day_of_1753_stands_for_never() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(time(at("1753-01-01T00:00:00Z")), None);
        assert_eq!(time(Timestamp::MIN), None);
        let later = at("1753-01-01T00:00:01Z");
        assert_eq!(time(later), Some(later));
    }

    #[test]
    fn computers_are_answered_as_they_were_told() {
        let spelled = Spelled::of([Some("pcA.Example"), Some(""), None].into_iter());
        assert_eq!(spelled.as_told(&"PCA.EXAMPLE".parse().unwrap()), "pcA.Example");
        assert_eq!(spelled.as_told(&"Other".parse().unwrap()), "other");
    }

    #[test]
    fn states_have_the_numbers_of_the_protocol() {
        assert_eq!(state(0).unwrap(), UpdateState::NotApplicable);
        assert_eq!(state(6).unwrap(), UpdateState::InstalledPendingReboot);
        for bad in [-1, 7] {
            assert!(state(bad).is_err());
        }
    }
}
