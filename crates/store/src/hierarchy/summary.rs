//! Store: the counts a server gives of itself to its upstream (MS-WSUSSS 3.2.4.5).

use super::counts::ServerSummary;
use super::place::{Elsewhere, HERE};
use crate::Store;
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError};
use rusqlite::params;
use sluicegate_terms::{Guid, Sha1Digest, Timestamp, UpdateId};
use std::collections::BTreeSet;

/// Critical Updates and Security Updates; the ids are the same on every server.
const URGENT: [UpdateId; 2] = [
    UpdateId(Guid::from_u128(0xE6CF1350_C01B_414D_A61F_263D14D133B4)),
    UpdateId(Guid::from_u128(0x0FA1201D_4330_4FA8_8AE9_B877473B6441)),
];

/// Counts statuses of the computers that are here; `?1` is [`Elsewhere::own`].
fn statuses_here(what: &str, state: u8) -> String {
    format!(
        "SELECT {what} FROM update_status
         WHERE state = {state} AND computer NOT IN (SELECT value FROM json_each(?1))"
    )
}

impl Store {
    /// The counts this server gives of itself (MS-WSUSSS 3.2.4.5). Which updates the update infrastructure needs is
    /// not known here, and none is counted.
    ///
    /// # Errors
    /// A failure to read.
    pub fn rollup_summary(&self) -> Result<ServerSummary, StoreError> {
        let decided = self.updates_decided(&URGENT)?;
        let (needing, failing) = self.updates_needing_files()?;
        let number = |count: u64| i32::try_from(count).unwrap_or(i32::MAX);
        self.shared.database.read(|db| {
            let db = db.transaction().during("count updates and computers")?;
            let ask = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<i32, StoreError> {
                db.prepare_cached(sql)
                    .and_then(|mut s| s.query_row(values, |row| row.get::<_, i64>(0)))
                    .during("count updates and computers")
                    .map(|n| i32::try_from(n).unwrap_or(i32::MAX))
            };
            let elsewhere = Elsewhere::find(&db)?.own;
            let count = |sql: &str| ask(sql, params![]);
            let of_status = |sql: &str| ask(sql, params![elsewhere]);
            let with = |state: u8| of_status(&statuses_here("count(DISTINCT update_id)", state));
            let computers_with = |state: u8| of_status(&statuses_here("count(DISTINCT computer)", state));
            Ok(ServerSummary {
                update_count: number(decided.total),
                declined_update_count: number(decided.declined),
                approved_update_count: number(decided.approved),
                not_approved_update_count: number(decided.undecided),
                critical_or_security_updates_not_approved_for_install_count: number(decided.undecided_in),
                updates_with_client_errors_count: with(5)?,
                updates_with_server_errors_count: number(failing),
                updates_needing_files_count: number(needing),
                updates_needed_by_computers_count: with(2)?,
                updates_up_to_date_count: of_status(
                    "SELECT count(*) FROM (SELECT update_id FROM update_status
                         WHERE computer NOT IN (SELECT value FROM json_each(?1)) GROUP BY update_id HAVING min(state) = 4 AND max(state) = 4)",
                )?,
                custom_computer_target_group_count: count("SELECT max(count(*) - 2, 0) FROM target_group")?,
                computer_target_count: count(&format!("SELECT count(*) FROM computer o WHERE {HERE}"))?,
                computer_targets_needing_updates_count: computers_with(2)?,
                computer_targets_with_update_errors_count: computers_with(5)?,
                computers_up_to_date_count: count(&format!(
                    "SELECT count(*) FROM computer o WHERE o.status_at IS NOT NULL AND {HERE} AND NOT EXISTS (
                         SELECT 1 FROM update_status s WHERE s.computer = o.id AND s.state <> 4)"
                ))?,
                ..ServerSummary::default()
            })
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
