//! Store: the counts a server gives of itself to its upstream (MS-WSUSSS 3.2.4.5).

use super::counts::ServerSummary;
use crate::Store;
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError};
use crate::status::FleetScope;
use sluicegate_terms::{Guid, Sha1Digest, Timestamp, UpdateId};
use std::collections::BTreeSet;

/// Critical Updates and Security Updates; the ids are the same on every server.
const URGENT: [UpdateId; 2] = [
    UpdateId(Guid::from_u128(0xE6CF1350_C01B_414D_A61F_263D14D133B4)),
    UpdateId(Guid::from_u128(0x0FA1201D_4330_4FA8_8AE9_B877473B6441)),
];

/// Groups that each server has: All Computers and Unassigned Computers.
const BUILT_IN: usize = 2;

impl Store {
    /// The counts this server gives of itself (MS-WSUSSS 3.2.4.5): those that its own summary shows. Which updates the update infrastructure needs is
    /// not known here, and none is counted.
    ///
    /// # Errors
    /// A failure to read.
    pub fn rollup_summary(&self) -> Result<ServerSummary, StoreError> {
        let decided = self.updates_decided(&URGENT)?;
        let (needing, failing) = self.updates_needing_files()?;
        let number = |count: u64| i32::try_from(count).unwrap_or(i32::MAX);
        let custom_groups = self.decisions().groups.iter().count().saturating_sub(BUILT_IN) as u64;
        let (now, _) = self.summary(FleetScope::default())?;
        Ok(ServerSummary {
            update_count: number(decided.total),
            declined_update_count: number(decided.declined),
            approved_update_count: number(decided.approved),
            not_approved_update_count: number(decided.undecided),
            critical_or_security_updates_not_approved_for_install_count: number(decided.undecided_in),
            updates_with_client_errors_count: number(now.updates.failed),
            updates_with_server_errors_count: number(failing),
            updates_needing_files_count: number(needing),
            updates_needed_by_computers_count: number(now.updates.needed),
            updates_up_to_date_count: number(now.updates.done),
            custom_computer_target_group_count: number(custom_groups),
            computer_target_count: number(now.computers.total),
            computer_targets_needing_updates_count: number(now.computers.needing),
            computer_targets_with_update_errors_count: number(now.computers.failed),
            computers_up_to_date_count: number(now.computers.up_to_date),
            ..ServerSummary::default()
        })
    }

    /// How many updates have files that should be here and are not, be it for servers below, and how many of these failed
    /// to come. Who is told that there are none knows that this server waits for nothing.
    fn updates_needing_files(&self) -> Result<(u64, u64), StoreError> {
        let settings = self.upstream_settings();
        let policy = settings.content;
        let missing = self.missing_files(policy.when, policy.express, &settings.filter, Timestamp::MAX)?;
        if missing.is_empty() {
            return Ok((0, 0));
        }
        let failed: BTreeSet<Sha1Digest> = self.failed_files()?.into_iter().map(|(sha1, _)| sha1).collect();
        let during = "count updates that need files";
        self.shared.database.read(|db| {
            let mut of_file = db
                .prepare_cached(
                    "SELECT r.update_id FROM revision_file f CROSS JOIN revision r ON r.id = f.revision_id
                     WHERE f.sha1 = ?1",
                )
                .during(during)?;
            let (mut needing, mut failing) = (BTreeSet::new(), BTreeSet::new());
            for need in &missing {
                let mut rows = of_file.query([need.sha1.0]).during(during)?;
                for_rows(&mut rows, |row| {
                    let update = row.update(0)?;
                    if failed.contains(&need.sha1) {
                        failing.insert(update);
                    }
                    needing.insert(update);
                    Ok::<_, StoreError>(())
                })?;
            }
            Ok((needing.len() as u64, failing.len() as u64))
        })
    }
}
