//! Store: what a server counts of its updates and computers, as it tells its upstream (MS-WSUSSS 3.1.4.14.3), in
//! the compact form it is kept in.

use crate::wire::{Malformed, Reader, put_bytes, put_u32};
use sluicegate_terms::{RevisionNumber, UpdateId, UpdateIdentity};
use std::collections::BTreeMap;

/// Counts a server gives of itself (`DownstreamServerRollupServerSummary`, MS-WSUSSS 3.1.4.14.3.3), by the
/// order of its elements.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)] // The names are the elements' and say what they count.
pub struct ServerSummary {
    pub update_count: i32,
    pub declined_update_count: i32,
    pub approved_update_count: i32,
    pub not_approved_update_count: i32,
    pub updates_with_stale_update_approvals_count: i32,
    pub expired_update_count: i32,
    pub critical_or_security_updates_not_approved_for_install_count: i32,
    pub wsus_infrastructure_updates_not_approved_for_install_count: i32,
    pub updates_with_client_errors_count: i32,
    pub updates_with_server_errors_count: i32,
    pub updates_needing_files_count: i32,
    pub updates_needed_by_computers_count: i32,
    pub updates_up_to_date_count: i32,
    pub custom_computer_target_group_count: i32,
    pub computer_target_count: i32,
    pub computer_targets_needing_updates_count: i32,
    pub computer_targets_with_update_errors_count: i32,
    pub computers_up_to_date_count: i32,
}

impl ServerSummary {
    fn numbers(&self) -> [i32; 18] {
        [
            self.update_count,
            self.declined_update_count,
            self.approved_update_count,
            self.not_approved_update_count,
            self.updates_with_stale_update_approvals_count,
            self.expired_update_count,
            self.critical_or_security_updates_not_approved_for_install_count,
            self.wsus_infrastructure_updates_not_approved_for_install_count,
            self.updates_with_client_errors_count,
            self.updates_with_server_errors_count,
            self.updates_needing_files_count,
            self.updates_needed_by_computers_count,
            self.updates_up_to_date_count,
            self.custom_computer_target_group_count,
            self.computer_target_count,
            self.computer_targets_needing_updates_count,
            self.computer_targets_with_update_errors_count,
            self.computers_up_to_date_count,
        ]
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        self.numbers().iter().flat_map(|n| n.to_le_bytes()).collect()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader(bytes);
        let mut next = || r.array().map(i32::from_le_bytes);
        Ok(Self {
            update_count: next()?,
            declined_update_count: next()?,
            approved_update_count: next()?,
            not_approved_update_count: next()?,
            updates_with_stale_update_approvals_count: next()?,
            expired_update_count: next()?,
            critical_or_security_updates_not_approved_for_install_count: next()?,
            wsus_infrastructure_updates_not_approved_for_install_count: next()?,
            updates_with_client_errors_count: next()?,
            updates_with_server_errors_count: next()?,
            updates_needing_files_count: next()?,
            updates_needed_by_computers_count: next()?,
            updates_up_to_date_count: next()?,
            custom_computer_target_group_count: next()?,
            computer_target_count: next()?,
            computer_targets_needing_updates_count: next()?,
            computer_targets_with_update_errors_count: next()?,
            computers_up_to_date_count: next()?,
        })
    }
}

/// Installations of one update since the last rollup.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ActivitySummary {
    /// Which revision.
    pub revision: UpdateIdentity,
    /// How often it was installed.
    pub succeeded: i32,
    /// How often it failed.
    pub failed: i32,
}

/// The computers of one kind of operating system (`DownstreamServerRollupClientSummary`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClientSummary {
    /// Major, minor, build, service pack major and minor.
    pub os_version: [i32; 5],
    /// The locale of the operating system, as the computers say it.
    pub os_locale: String,
    /// `SuiteMask`.
    pub suite_mask: i16,
    /// `OldProductType`.
    pub old_product_type: u8,
    /// `NewProductType`.
    pub new_product_type: i32,
    /// `SystemMetrics`.
    pub system_metrics: i32,
    /// `ProcessorArchitecture`.
    pub architecture: String,
    /// How many computers.
    pub count: i32,
    /// What they installed.
    pub activity: Vec<ActivitySummary>,
}

pub(super) fn encode_clients(clients: &[ClientSummary]) -> Vec<u8> {
    let mut out = Vec::new();
    put_u32(&mut out, u32::try_from(clients.len()).unwrap_or(u32::MAX));
    for c in clients {
        c.os_version.iter().for_each(|n| out.extend_from_slice(&n.to_le_bytes()));
        put_bytes(&mut out, c.os_locale.as_bytes());
        out.extend_from_slice(&c.suite_mask.to_le_bytes());
        out.push(c.old_product_type);
        for n in [c.new_product_type, c.system_metrics, c.count] {
            out.extend_from_slice(&n.to_le_bytes());
        }
        put_bytes(&mut out, c.architecture.as_bytes());
        put_u32(&mut out, u32::try_from(c.activity.len()).unwrap_or(u32::MAX));
        for a in &c.activity {
            out.extend_from_slice(a.revision.update.0.as_bytes());
            put_u32(&mut out, a.revision.revision.get());
            out.extend_from_slice(&a.succeeded.to_le_bytes());
            out.extend_from_slice(&a.failed.to_le_bytes());
        }
    }
    out
}

pub(super) fn decode_clients(bytes: &[u8]) -> Result<Vec<ClientSummary>, Malformed> {
    let mut r = Reader(bytes);
    let mut list = Vec::new();
    for _ in 0..r.count(47)? {
        let mut os_version = [0; 5];
        for n in &mut os_version {
            *n = i32::from_le_bytes(r.array()?);
        }
        let os_locale = r.text()?.to_owned();
        let suite_mask = i16::from_le_bytes(r.array()?);
        let old_product_type = r.u8()?;
        let new_product_type = i32::from_le_bytes(r.array()?);
        let system_metrics = i32::from_le_bytes(r.array()?);
        let count = i32::from_le_bytes(r.array()?);
        let architecture = r.text()?.to_owned();
        let mut activity = Vec::new();
        for _ in 0..r.count(28)? {
            let update = UpdateId(r.guid()?);
            let revision = RevisionNumber::new(i64::from(r.u32()?)).map_err(|_| Malformed)?;
            activity.push(ActivitySummary {
                revision: UpdateIdentity { update, revision },
                succeeded: i32::from_le_bytes(r.array()?),
                failed: i32::from_le_bytes(r.array()?),
            });
        }
        list.push(ClientSummary {
            os_version,
            os_locale,
            suite_mask,
            old_product_type,
            new_product_type,
            system_metrics,
            architecture,
            count,
            activity,
        });
    }
    Ok(list)
}

/// What is new of each kind of computer, with the installations that were not passed on yet added to it.
pub(super) fn merged(known: Vec<ClientSummary>, told: &[ClientSummary]) -> Vec<ClientSummary> {
    let kind = |c: &ClientSummary| ClientSummary { count: 0, activity: Vec::new(), ..c.clone() };
    let mut out = told.to_vec();
    for old in known {
        let Some(new) = out.iter_mut().find(|c| kind(c) == kind(&old)) else { continue };
        let mut counts: BTreeMap<UpdateIdentity, (i32, i32)> = BTreeMap::new();
        for a in old.activity.iter().chain(&new.activity) {
            let sum = counts.entry(a.revision).or_default();
            *sum = (sum.0.saturating_add(a.succeeded), sum.1.saturating_add(a.failed));
        }
        new.activity = counts
            .into_iter()
            .map(|(revision, (succeeded, failed))| ActivitySummary { revision, succeeded, failed })
            .collect();
    }
    out
}
