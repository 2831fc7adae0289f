//! Cleanup: computers nobody has heard of for long, and events beyond their time and number.

use super::{Cleanup, StepReport};
use crate::audit::{self, Entry};
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError, StoredAs};
use crate::hierarchy::place;
use rusqlite::{Connection, params};
use sluicegate_terms::ComputerId;

/// So many computers are forgotten in one transaction; each has its status and events with it.
const COMPUTERS_AT_ONCE: u32 = 50;

/// So many events are looked at in one transaction.
const EVENTS_AT_ONCE: u32 = 5_000;

const DAY: i64 = 86_400;

impl Cleanup<'_> {
    /// Forgets computers without contact "in 30 days or longer" (windowsserverdocs, the-server-cleanup-wizard;
    /// the days are a setting), of this server and of those below it. One that comes back registers anew.
    pub(super) fn forget_computers(&mut self, report: &mut StepReport) -> Result<(), StoreError> {
        // Contacts are noted in memory first.
        self.store.flush_contacts()?;
        let limit = self.now.plus_seconds(-i64::from(self.settings.computer_days) * DAY).ticks();
        let count = |sql: &str| {
            let count = |db: &mut Connection| {
                db.query_row(sql, [limit], |row| row.get::<_, i64>(0)).during("count silent computers")
            };
            self.store.shared.database.read(count).map(i64::unsigned_abs)
        };
        let own = count("SELECT count(*) FROM computer WHERE last_contact <= ?1")?;
        let below = count(&format!("SELECT count(*) FROM downstream_computer WHERE {SILENT_BELOW}"))?;
        report.found = own + below;
        if self.dry {
            let names = self.store.shared.database.read(|db| silent(db, limit, 20))?;
            names.iter().for_each(|(_, name)| report.name(name));
            return Ok(());
        }
        while self.go_on() {
            let (store, now) = (self.store, self.now);
            let gone = store.shared.database.write_alone(
                |tx| {
                    let gone = silent(tx, limit, COMPUTERS_AT_ONCE)?;
                    for (row, id) in &gone {
                        for (sql, key) in [
                            ("DELETE FROM rollup_sent WHERE computer_id = ?1", params![id.as_str()]),
                            ("DELETE FROM computer WHERE id = ?1", params![row]),
                        ] {
                            tx.prepare_cached(sql)
                                .and_then(|mut s| s.execute(key))
                                .during("forget a computer")?;
                        }
                    }
                    if !gone.is_empty() {
                        let names: Vec<&str> = gone.iter().map(|(_, id)| id.as_str()).collect();
                        let entry = Entry {
                            action: "forget-computers",
                            subject: format!("{} computers", gone.len()),
                            update: None,
                            before: Some(serde_json::json!({ "computers": names }).to_string()),
                            after: None,
                        };
                        audit::append(tx, &store.actor, now, &[entry])?;
                    }
                    Ok(gone)
                },
                |_| {},
            )?;
            if gone.is_empty() {
                break;
            }
            report.done += gone.len() as u64;
            for (row, id) in gone {
                // The number of a row can be given again.
                self.store.shared.board.mark(row, true);
                report.name(&id);
                self.forgotten.push(id);
            }
        }
        while self.go_on() {
            let (gone, moved) = self.store.shared.database.write(move |tx| {
                let gone = silent_below(tx, limit, COMPUTERS_AT_ONCE)?;
                let mut moved = Vec::new();
                for (row, id) in &gone {
                    moved.extend(place::known_twice(tx, id)?);
                    tx.prepare_cached("DELETE FROM downstream_computer WHERE id = ?1")
                        .and_then(|mut s| s.execute([row]))
                        .during("forget a computer")?;
                }
                Ok((gone.len() as u64, moved))
            })?;
            self.store.look_again_where(&moved);
            report.done += gone;
            if gone == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Drops events that are too old, and the oldest beyond the most that are kept. What a computer's status
    /// is was derived when the events came, and stays.
    pub(super) fn shorten_events(&mut self, report: &mut StepReport) -> Result<(), StoreError> {
        let limit = self.now.plus_seconds(-i64::from(self.settings.event_days) * DAY).ticks();
        let most = i64::from(self.settings.most_events);
        let last = self.store.shared.database.read(|db| last_beyond(db, most))?;
        if self.dry {
            let find = |db: &mut Connection| {
                db.query_row(
                    "SELECT count(*) FROM event WHERE received < ?1 OR id <= ?2",
                    (limit, last),
                    |row| row.get::<_, i64>(0),
                )
                .during("count old events")
            };
            report.found = self.store.shared.database.read(find)?.unsigned_abs();
            return Ok(());
        }
        while self.go_on() {
            // Events are numbered as they come, so the oldest are the lowest and nothing is searched.
            let gone = self.store.shared.database.write(move |tx| {
                tx.prepare_cached(
                    "DELETE FROM event WHERE id IN (SELECT id FROM event ORDER BY id LIMIT ?3)
                         AND (received < ?1 OR id <= ?2)",
                )
                .and_then(|mut s| s.execute((limit, last, EVENTS_AT_ONCE)))
                .during("drop old events")
            })?;
            report.done += gone as u64;
            if gone < EVENTS_AT_ONCE as usize {
                break;
            }
        }
        report.found = report.done;
        Ok(())
    }
}

/// The number of the newest event that is one too many; 0 when none is. Numbers have gaps where computers were
/// forgotten or had too many of their own, so rows are counted, but only when the numbers leave room for so many.
fn last_beyond(db: &Connection, most: i64) -> Result<i64, StoreError> {
    let ask = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        db.prepare_cached(sql)
            .and_then(|mut s| s.query_row(values, |row| row.get::<_, i64>(0)))
            .during("count events")
    };
    let numbers =
        ask("SELECT coalesce((SELECT max(id) FROM event) - (SELECT min(id) FROM event) + 1, 0)", &[])?;
    if numbers <= most {
        return Ok(0);
    }
    let beyond = ask("SELECT count(*) FROM event", &[])? - most;
    if beyond <= 0 {
        return Ok(0);
    }
    // No further into the table than what is dropped.
    ask("SELECT id FROM event ORDER BY id LIMIT 1 OFFSET ?1", params![beyond - 1])
}

/// Whether nothing was told of a computer below a downstream server since some time.
const SILENT_BELOW: &str =
    "max(coalesce(last_sync, 0), coalesce(last_status, 0), coalesce(last_inventory, 0)) <= ?1
         AND EXISTS (SELECT 1 FROM downstream_server s WHERE s.server_id = downstream_computer.server_id
             AND coalesce(s.last_rollup, s.last_contact) >= ?1)";

fn silent(db: &Connection, limit: i64, most: u32) -> Result<Vec<(i64, ComputerId)>, StoreError> {
    named(db, "SELECT id, computer_id FROM computer WHERE last_contact <= ?1 LIMIT ?2", limit, most)
}

fn silent_below(db: &Connection, limit: i64, most: u32) -> Result<Vec<(i64, ComputerId)>, StoreError> {
    let sql = format!("SELECT id, computer_id FROM downstream_computer WHERE {SILENT_BELOW} LIMIT ?2");
    named(db, &sql, limit, most)
}

fn named(db: &Connection, sql: &str, limit: i64, most: u32) -> Result<Vec<(i64, ComputerId)>, StoreError> {
    let mut statement = db.prepare_cached(sql).during("look for silent computers")?;
    let mut rows = statement.query((limit, most)).during("look for silent computers")?;
    let mut list = Vec::new();
    for_rows(&mut rows, |row| {
        list.push((row.int(0)?, row.text(1)?.parse().stored_as("computer id")?));
        Ok(())
    })?;
    Ok(list)
}
