//! Checking a data folder as a whole: the store's own check, and whether a snapshot can be compiled from what
//! it holds. For the admin API, and for a folder that no server works on.

use crate::publisher;
use crate::state::App;
use serde_json::{Value, json};
use sluicegate_catalog::Limits;
use sluicegate_store::audit::AuditVerdict;
use sluicegate_store::check::{self, CheckOptions, CheckReport, Finding};
use sluicegate_store::{Document, PreparedRevision, Store, StoreError, StoreOptions};
use sluicegate_terms::{Timestamp, UpdateIdentity};
use sluicegate_upstream::intake::Intake;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Checks a data folder that no server works on.
///
/// # Errors
/// [`StoreError::Locked`] when one does, or a failure to read or write.
pub fn check_folder(
    dir: &Path,
    content: bool,
    repair: bool,
    now: Timestamp,
) -> Result<CheckReport, StoreError> {
    let options = CheckOptions { content, repair, now, prepare: Some(&prepare) };
    let mut report = check::check_folder(dir, &options)?;
    // What cannot be opened is damaged in a way that has been named.
    match Store::open(dir, StoreOptions::new(now)) {
        Ok(store) => compiles(&store, now, &mut report),
        Err(error) if report.findings.iter().all(|finding| finding.repaired) => {
            report.push(unsound("snapshot", error.to_string()));
        }
        Err(_) => {}
    }
    Ok(report)
}

/// Checks the store of a running server, and notes it.
pub(crate) fn open_store(
    store: &Store,
    content: bool,
    repair: bool,
    now: Timestamp,
) -> Result<CheckReport, StoreError> {
    let report = look_over(store, content, repair, now)?;
    store.note_check(&report, now)?;
    Ok(report)
}

/// Checks the store of a running server. Without `repair` nothing is written, so that a full disk does not hinder it.
pub(crate) fn look_over(
    store: &Store,
    content: bool,
    repair: bool,
    now: Timestamp,
) -> Result<CheckReport, StoreError> {
    let options = CheckOptions { content, repair, now, prepare: Some(&prepare) };
    let mut report = store.check(&options)?;
    compiles(store, now, &mut report);
    Ok(report)
}

/// How often it is looked whether a check is due.
const LOOK: Duration = Duration::from_secs(60);

/// A server that has just started has other things to do.
const AFTER_START: Duration = Duration::from_secs(900);

/// Everything is checked so often, in seconds.
const EVERY: i64 = 24 * 3_600;

/// Between two steps it waits as many times as long as the last one took, within these: a check has no hurry.
const REST: u32 = 3;
const LONGEST_REST: Duration = Duration::from_secs(2);

/// Checks everything but the bytes of content files once a day, until told to stop. Nothing is repaired, but content files
/// that are gone or cut off are not held any more.
pub(crate) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut wait = AFTER_START;
    let stopped = Arc::new(AtomicBool::new(false));
    loop {
        tokio::select! {
            _ = stop.wait_for(|stopping| *stopping) => break,
            () = tokio::time::sleep(wait) => wait = LOOK,
        }
        let (store, now, stopped) = (app.store.clone(), app.clock.now(), Arc::clone(&stopped));
        let work = tokio::task::spawn_blocking(move || when_due(&store, now, &stopped));
        let checked = tokio::select! {
            _ = stop.wait_for(|stopping| *stopping) => break,
            checked = work => checked,
        };
        match checked {
            // Of files that it found to be gone.
            Ok(Ok(true)) => app.watch.files_seen_to(),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => tracing::error!(cause = %error, "the daily check failed; it is tried again"),
            Err(error) => tracing::error!(cause = %error, "the daily check failed; it is tried again"),
        }
    }
    // The step under way ends.
    stopped.store(true, Ordering::Release);
}

/// Checks when the last time is long enough ago; answers whether it did, to the end.
fn when_due(store: &Store, now: Timestamp, stopped: &AtomicBool) -> Result<bool, StoreError> {
    // One that has yet to be was noted by a clock that has been put back since.
    if store.last_checked()?.is_some_and(|last| last <= now && last.plus_seconds(EVERY) > now) {
        return Ok(false);
    }
    let mut since = Instant::now();
    let checked = store.check_in_steps(&prepare, &mut || {
        std::thread::sleep((since.elapsed() * REST).min(LONGEST_REST));
        since = Instant::now();
        !stopped.load(Ordering::Acquire)
    })?;
    let Some(report) = checked else { return Ok(false) };
    if report.findings.is_empty() && report.is_sound() {
        tracing::info!(revisions = report.revisions, "everything was checked; nothing is wrong");
    }
    store.note_check(&report, now)?;
    Ok(true)
}

fn compiles(store: &Store, now: Timestamp, report: &mut CheckReport) {
    match publisher::compile(store, now) {
        Ok(published) => {
            for left in published.snapshot.left_out() {
                report.push(unsound("snapshot", left.to_string()));
            }
        }
        Err(error) => report.push(unsound("snapshot", error.to_string())),
    }
}

fn unsound(check: &'static str, what: String) -> Finding {
    let remedy = "the other findings say why; without any, restore the data folder from a backup".to_owned();
    Finding { check, what, remedy, repairable: false, repaired: false }
}

/// Makes a document ready again, as its import did.
fn prepare(identity: UpdateIdentity, document: Document) -> Option<PreparedRevision> {
    match Intake::new(Limits::default()).served(identity.to_string(), document) {
        Ok(prepared) => Some(prepared),
        Err(refused) => {
            tracing::warn!(%refused, "a document cannot be made ready again");
            None
        }
    }
}

/// A report as the admin API and the command show it.
#[must_use]
pub fn report_json(report: &CheckReport) -> Value {
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            json!({
                "check": finding.check,
                "what": finding.what,
                "remedy": finding.remedy,
                "repairable": finding.repairable,
                "repaired": finding.repaired,
            })
        })
        .collect();
    json!({
        "sound": report.is_sound(),
        "revisions": report.revisions,
        "files": report.files,
        "audit_entries": report.audit_entries,
        "findings": findings,
        "more": report.more,
    })
}

/// A verdict about the audit log as the admin API and the command show it.
#[must_use]
pub fn verdict_json(verdict: &AuditVerdict) -> Value {
    json!({
        "whole": verdict.is_whole(),
        "verified": verdict.verified,
        "head": { "entries": verdict.head.count, "hash": verdict.head.hash.to_string() },
        "breaks": verdict.breaks.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
