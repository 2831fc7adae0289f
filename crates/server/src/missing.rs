//! Files that are wanted here, are not here, and will not simply come with the next synchronization: one that failed to
//! come, or that nobody fetches. `diagnose` tells of them, and the server by an alert.

use sluicegate_policy::hierarchy::ContentWhen;
use sluicegate_store::hierarchy::{RunOutcome, SyncRun, UpstreamSource};
use sluicegate_store::{Store, StoreError};
use sluicegate_terms::{Sha1Digest, Timestamp};
use sluicegate_upstream::sync::Phase;
use std::collections::BTreeSet;

/// Runs that are looked through for the last one that says something of files; those that were cut off do not.
const LOOKED_THROUGH: u32 = 20;

/// Files that are wanted and not here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Missing {
    /// How many.
    pub(crate) files: u64,
    /// Why the first of them is; the name of the first where nobody tried.
    pub(crate) first: String,
}

/// Whether a run was ended by files: its upstream answered, and no file could be had.
pub(crate) fn failed_at_files(run: &SyncRun) -> bool {
    run.outcome == RunOutcome::Failed && run.phase == Phase::Files.as_str()
}

/// Whether a run tried what files were wanted; one that was cut off, that failed before, or that was for categories only,
/// did not.
pub(crate) fn says_of_files(run: &SyncRun) -> bool {
    let whole = run.phase != Phase::Categories.as_str();
    (run.outcome == RunOutcome::Succeeded && whole) || failed_at_files(run)
}

/// Those that failed to come from the upstream when they were last tried.
pub(crate) fn failing(store: &Store) -> Result<Option<Missing>, StoreError> {
    let settings = store.upstream_settings();
    let Some(source) = &settings.source else { return Ok(None) };
    let failed = store.failed_files()?;
    let last = last_about_files(store, source)?;
    if failed.is_empty() && last.is_none() {
        return Ok(None);
    }
    let policy = settings.content;
    let missing = store.missing_files(policy.when, policy.express, &settings.filter, Timestamp::MAX)?;
    if missing.is_empty() {
        return Ok(None);
    }
    let missing: BTreeSet<Sha1Digest> = missing.into_iter().map(|need| need.sha1).collect();
    // What the last run says is newer than what is remembered of each file, and also about what passes.
    if let Some((files, why)) = last {
        let files = files.unwrap_or(u64::MAX).min(missing.len() as u64);
        return Ok(Some(Missing { files, first: why }));
    }
    let mut waiting = failed.into_iter().filter(|(sha1, _)| missing.contains(sha1));
    Ok(waiting.next().map(|(_, first)| Missing { files: waiting.count() as u64 + 1, first }))
}

/// How many files did not come in the last run that tried some, where it says, and why.
fn last_about_files(
    store: &Store,
    source: &UpstreamSource,
) -> Result<Option<(Option<u64>, String)>, StoreError> {
    let runs = store.sync_history(LOOKED_THROUGH)?;
    let Some(last) = runs.into_iter().find(says_of_files) else { return Ok(None) };
    if last.upstream != source.to_string() {
        return Ok(None);
    }
    Ok(match last.counts.files_failed {
        _ if failed_at_files(&last) => Some((None, last.error_text.unwrap_or_default())),
        0 => None,
        failed => Some((Some(failed), last.about_files().to_owned())),
    })
}

/// Without an upstream: those that the choice of files wants and nobody will fetch.
pub(crate) fn unfetched(store: &Store) -> Result<Option<Missing>, StoreError> {
    let settings = store.upstream_settings();
    let policy = settings.content;
    if settings.source.is_some() || policy.when == ContentWhen::Never {
        return Ok(None);
    }
    let missing = store.missing_files(policy.when, policy.express, &settings.filter, Timestamp::MAX)?;
    Ok(missing.first().map(|first| Missing { files: missing.len() as u64, first: first.name.clone() }))
}

/// `3 files are`, for sentences.
pub(crate) fn are(files: u64) -> String {
    if files == 1 { "1 file is".to_owned() } else { format!("{files} files are") }
}
