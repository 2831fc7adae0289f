//! Synchronization: telling the upstream of this server, of the servers below it and of all their computers
//! (MS-WSUSSS 3.2.4.5). Only what changed is told, and it counts as told once the upstream has taken it.

use super::above::cookie;
use super::rollup_details::{computer, or_never, own_details, own_kind, server};
use super::{Run, SyncError};
use crate::transport::Failure;
use sluicegate_soap::server_reporting::{
    ComputerChange, ComputerLastRollupNumber, ComputerStatusRollupInfo, ComputerStatusRollupUpdateStatus,
    GetOutOfSyncComputersRequest, GetOutOfSyncComputersResponse, RollupComputerStatusRequest,
    RollupComputerStatusResponse, RollupComputersRequest, RollupComputersResponse, RollupConfiguration,
    RollupDownstreamServersRequest, RollupDownstreamServersResponse,
};
use sluicegate_store::hierarchy::{DownstreamServer, NotTold, RolledServer, TellComputer, Told};
use sluicegate_terms::{ComputerId, Guid};
use std::collections::HashSet;

/// A busy upstream is asked so often (MS-WSUSSS 3.2.4.5).
const BUSY_TRIES: u32 = 5;

/// Statuses in one message; each can have hundreds of rows, so fewer than the upstream permits.
const MOST_STATUSES: usize = 100;

/// This program's version as servers tell it: one to four numbers.
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn limit(said: i32) -> usize {
    usize::try_from(said).unwrap_or(1).max(1)
}

/// Two servers changed places: what is above now is no longer below, with all servers it told of. Parents come before
/// their children.
fn branch_of(above: Guid, below: &[DownstreamServer]) -> Vec<Guid> {
    let mut branch = Vec::new();
    for DownstreamServer { told, .. } in below {
        if told.id == above || told.parent.is_some_and(|parent| branch.contains(&parent)) {
            branch.push(told.id);
        }
    }
    branch
}

/// What a run says that could not tell the upstream.
fn not_told(error: &SyncError) -> String {
    // Catalog and files came from the same address, so that is right.
    let why = match error {
        SyncError::Transport(error) if is_of_its_service(error.failure()) => format!(
            "{}; the other services of the upstream answer, so have its administrator see to this one, or whoever runs a \
             proxy on the way",
            error.without_advice()
        ),
        other => other.to_string(),
    };
    format!(
        "the upstream was not told of this server and its computers, so what it knows of them is old; each synchronization \
         tries again: {why}"
    )
}

/// Whether a failure is about the one service that answered so.
fn is_of_its_service(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::NotFound
            | Failure::Forbidden
            | Failure::Unauthorized
            | Failure::NotSoap { .. }
            | Failure::Status { .. }
    )
}

impl Run {
    /// Tells the upstream. That it could not be told is kept until it could: files must not wait for an upstream that does
    /// not want to be told of computers.
    pub(super) async fn tell_upstream(&mut self) -> Result<(), SyncError> {
        let sentence = match self.rollup().await {
            Ok(()) => None,
            Err(error) if error.ends_everything() || matches!(error, SyncError::ServerChanged) => {
                return Err(error);
            }
            Err(error) => {
                tracing::warn!(%error, "the upstream was not told of this server's computers");
                let sentence = not_told(&error);
                self.progress.warn(&sentence);
                Some(sentence)
            }
        };
        let now = self.around.now();
        self.on_store(move |store| {
            store.change_sync_state(|state| {
                let (since, tries) = state.not_told.as_ref().map_or((now, 0), |not| (not.since, not.tries));
                let tries = tries.saturating_add(1);
                state.not_told = sentence.map(|sentence| NotTold { since, tries, sentence });
            })
        })
        .await
        .map(|_| ())
    }

    async fn rollup(&mut self) -> Result<(), SyncError> {
        let config = self.rollup_configuration().await?;
        let (reset, above, now) = (config.rollup_reset, config.server_id, self.around.now());
        self.on_store(move |store| {
            store.forget_times_ahead(now)?;
            for server in branch_of(above, &store.downstream_servers()?) {
                tracing::info!(%server, upstream = %above, "is above this server now and forgotten as one below");
                store.forget_downstream(server, now)?;
            }
            if store.sync_state()?.rollup_reset != Some(reset) {
                store.forget_told()?;
                store.change_sync_state(|state| state.rollup_reset = Some(reset))?;
            }
            Ok(())
        })
        .await?;
        self.tell_servers(&config).await?;
        if config.do_detailed_rollup {
            self.tell_computers(&config).await?;
        }
        Ok(())
    }

    async fn tell_servers(&mut self, config: &RollupConfiguration) -> Result<(), SyncError> {
        let now = self.around.now();
        let (name, replica) = (self.session.account_name().to_owned(), self.settings.decided_by().is_some());
        let (own, below, clients) = self
            .on_store(move |store| {
                let clients = store.own_clients(own_kind)?;
                let own = RolledServer {
                    id: store.server_id(),
                    name,
                    parent: None,
                    version: VERSION.to_owned(),
                    is_replica: replica,
                    last_sync: store.sync_state()?.last_success,
                    last_rollup: Some(now),
                    summary: store.rollup_summary()?,
                    clients: clients.summaries.clone(),
                };
                Ok((own, store.downstream_servers()?, clients))
            })
            .await?;
        // Parents before their children; those that ask this server are its children.
        let mut all = vec![own];
        let own_id = all.first().map(|own| own.id);
        all.extend(below.into_iter().map(|known| RolledServer {
            parent: known.told.parent.or(own_id),
            // The upstream would believe a time that has yet to be for as long as it is told.
            last_rollup: known.told.last_rollup.filter(|at| *at <= now),
            ..known.told
        }));
        let most = limit(config.max_downstream_servers);
        for told in &all {
            // The bound is on client summaries, all told together.
            let mut parts: Vec<RolledServer> = told
                .clients
                .chunks(most)
                .map(|clients| RolledServer { clients: clients.to_vec(), ..told.clone() })
                .collect();
            if parts.is_empty() {
                parts.push(told.clone());
            }
            for part in &parts {
                let request = RollupDownstreamServersRequest {
                    cookie: cookie(),
                    client_time: self.around.now(),
                    servers: Some(vec![server(part)]),
                };
                let body = self.session.report(&request).await?;
                self.session.decode_report::<RollupDownstreamServersResponse>(&body)?;
            }
        }
        let ids: Vec<Guid> = all.iter().map(|told| told.id).collect();
        self.on_store(move |store| {
            store.downstream_told(&ids)?;
            store.change_sync_state(|state| state.last_rollup = Some(now))?;
            store.own_clients_told(&clients)
        })
        .await
    }

    async fn tell_computers(&mut self, config: &RollupConfiguration) -> Result<(), SyncError> {
        let mut after: Option<ComputerId> = None;
        let page = limit(config.max_computers).min(1_000);
        let rows = u32::try_from(page).unwrap_or(1_000);
        loop {
            self.check_stop()?;
            let from = after.clone();
            let now = self.around.now();
            let computers =
                self.on_store(move |store| store.computers_to_tell(from.as_ref(), rows, now)).await?;
            let Some(last) = computers.last() else { return Ok(()) };
            after = Some(last.computer.id.clone());
            let told = self.tell_page(&computers, config).await?;
            self.progress.done(computers.len() as u64, self.around.now());
            self.on_store(move |store| store.note_told(&told)).await?;
        }
    }

    /// Tells a page of computers; answers how far each has been told then.
    async fn tell_page(
        &mut self,
        computers: &[TellComputer],
        config: &RollupConfiguration,
    ) -> Result<Vec<(ComputerId, Told)>, SyncError> {
        let mut told: Vec<(ComputerId, Told)> =
            computers.iter().map(|c| (c.computer.id.clone(), c.told)).collect();
        let mut dropped: HashSet<ComputerId> = HashSet::new();
        self.tell_changes(computers, &mut told, &mut dropped).await?;
        if self.ask_out_of_sync(&mut told, config).await? {
            self.tell_changes(computers, &mut told, &mut dropped).await?;
        }
        // What the upstream does not want to know is not asked about again, or it would ask for it in each run.
        for (_, told) in told.iter_mut().filter(|(id, _)| dropped.contains(id)) {
            told.number = 0;
        }
        self.tell_status(computers, &mut told, &dropped, config).await?;
        Ok(told)
    }

    /// Tells what changed about computers; `dropped` are those that the upstream wants to hear no more of.
    async fn tell_changes(
        &mut self,
        computers: &[TellComputer],
        told: &mut [(ComputerId, Told)],
        dropped: &mut HashSet<ComputerId>,
    ) -> Result<(), SyncError> {
        let mut need_details: HashSet<ComputerId> = HashSet::new();
        // A second time for those whose details the upstream asks for.
        for _ in 0..2 {
            let mut messages = Vec::new();
            for (tell, (id, told)) in computers.iter().zip(told.iter_mut()) {
                let details = tell.computer.details.clone().unwrap_or_else(|| own_details(tell));
                let (mark, details_mark) = (tell.computer.mark(), details.mark());
                let tell_details = told.details != Some(details_mark) || need_details.contains(id);
                if told.mark == Some(mark) && !tell_details {
                    continue;
                }
                messages.push(computer(&tell.computer, tell_details.then_some(details)));
                told.mark = Some(mark);
                told.details = Some(details_mark);
            }
            need_details.clear();
            if messages.is_empty() {
                break;
            }
            let request = RollupComputersRequest {
                cookie: cookie(),
                client_time: self.around.now(),
                computers: Some(messages),
            };
            let body = self.session.report(&request).await?;
            for changed in self.session.decode_report::<RollupComputersResponse>(&body)?.changed {
                let Some(Ok(id)) = changed.computer_id.as_deref().map(str::parse::<ComputerId>) else {
                    continue;
                };
                match changed.change {
                    ComputerChange::NewParent => need_details.insert(id),
                    ComputerChange::Deleted => dropped.insert(id),
                };
            }
        }
        Ok(())
    }

    /// Asks of which computers the upstream has another status than the newest it was told, or none. Answers whether
    /// there are such; they are to be told whole.
    async fn ask_out_of_sync(
        &mut self,
        told: &mut [(ComputerId, Told)],
        config: &RollupConfiguration,
    ) -> Result<bool, SyncError> {
        let mut any = false;
        let known: Vec<ComputerLastRollupNumber> = told
            .iter()
            .filter(|(_, told)| told.number > 0)
            .map(|(id, told)| ComputerLastRollupNumber {
                computer_id: Some(id.to_string()),
                rollup_number: i32::try_from(told.number).unwrap_or(i32::MAX),
            })
            .collect();
        for some in known.chunks(limit(config.max_out_of_sync)) {
            let request = GetOutOfSyncComputersRequest {
                cookie: cookie(),
                parent: self.store.server_id(),
                last_rollup_numbers: Some(some.to_vec()),
            };
            let body = self.session.report(&request).await?;
            let missed: HashSet<String> = self
                .session
                .decode_report::<GetOutOfSyncComputersResponse>(&body)?
                .computers
                .into_iter()
                .collect();
            for (_, told) in
                told.iter_mut().filter(|(id, _)| missed.iter().any(|m| m.eq_ignore_ascii_case(id.as_str())))
            {
                // It may not know the computer at all.
                *told = Told { number: told.number, ..Told::default() };
                any = true;
            }
        }
        Ok(any)
    }

    async fn tell_status(
        &mut self,
        computers: &[TellComputer],
        told: &mut [(ComputerId, Told)],
        dropped: &HashSet<ComputerId>,
        config: &RollupConfiguration,
    ) -> Result<(), SyncError> {
        let due: Vec<(usize, ComputerId, bool)> = computers
            .iter()
            .zip(told.iter())
            .enumerate()
            .filter(|(_, (tell, (id, told)))| {
                tell.status.is_some() && told.status != tell.status && !dropped.contains(id)
            })
            .map(|(at, (tell, (id, _)))| (at, id.clone(), tell.own.is_some()))
            .collect();
        let now = self.around.now();
        for some in due.chunks(limit(config.max_status).min(MOST_STATUSES)) {
            let wanted = some.to_vec();
            let numbers: Vec<u32> =
                some.iter().filter_map(|(at, ..)| told.get(*at)).map(|(_, told)| told.number).collect();
            let messages = self
                .on_store(move |store| {
                    let mut messages = Vec::with_capacity(wanted.len());
                    for ((_, id, own), number) in wanted.iter().zip(numbers) {
                        let updates = store.status_to_tell(id, *own)?;
                        messages.push(ComputerStatusRollupInfo {
                            instance: store.fresh_guid()?,
                            computer_id: Some(id.to_string()),
                            effective_last_detection: or_never(
                                store.sync_state()?.last_success.filter(|at| *at <= now),
                            ),
                            rollup_number: i32::try_from(number.saturating_add(1)).unwrap_or(i32::MAX),
                            // All of it each time: what no longer concerns a computer has no row to be told by.
                            is_full: true,
                            updates: updates
                                .iter()
                                .map(|s| ComputerStatusRollupUpdateStatus {
                                    update: s.update,
                                    state: i32::from(s.state as u8),
                                    last_change: s.since,
                                })
                                .collect(),
                        });
                    }
                    Ok(messages)
                })
                .await?;
            self.send_status(messages).await?;
            for (at, ..) in some {
                if let (Some((_, told)), Some(tell)) = (told.get_mut(*at), computers.get(*at)) {
                    told.number = told.number.saturating_add(1);
                    told.status = tell.status;
                }
            }
        }
        Ok(())
    }

    async fn send_status(&mut self, messages: Vec<ComputerStatusRollupInfo>) -> Result<(), SyncError> {
        for _ in 0..BUSY_TRIES {
            let request = RollupComputerStatusRequest {
                cookie: cookie(),
                client_time: self.around.now(),
                parent: self.store.server_id(),
                computers: Some(messages.clone()),
            };
            let body = self.session.report(&request).await?;
            if self.session.decode_report::<RollupComputerStatusResponse>(&body)?.taken {
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep(self.around.busy_wait) => {}
                why = self.stop.asked() => return Err(why),
            }
        }
        Err(SyncError::Answer {
            call: "RollupComputerStatus",
            reason: "it is too busy for the status of computers; they are told in the next run".to_owned(),
        })
    }
}
