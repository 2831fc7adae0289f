//! What the server looks after by itself: once an hour its own endpoints and an upstream that fails, after each
//! synchronization whether it worked, and a stored password that is about to expire. What lasts is an alert; it
//! goes when it is over.

use crate::lost;
use crate::missing;
use crate::ring;
use crate::self_test::{self, SelfTest};
use crate::standing::{self, is_about_the_way};
use crate::state::App;
use crate::twins;
use crate::untold;
use crate::unusable;
use parking_lot::Mutex;
use sluicegate_store::audit::AlertKind;
use sluicegate_store::hierarchy::{RunOutcome, SyncRun, UpstreamSettings};
use sluicegate_store::{Store, StoreError};
use sluicegate_terms::{Guid, Timestamp};
use sluicegate_upstream::sync::SyncError;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Between two looks.
const HOURLY: Duration = Duration::from_secs(3600);

/// A server that has just begun to listen finishes its start first.
const AFTER_START: Duration = Duration::from_secs(1);

/// What somebody does about files is looked at once for so much time.
const TOGETHER: Duration = Duration::from_secs(1);

/// An alert comes so many days before a password expires.
const DAYS_AHEAD: i64 = 14;

/// Runs that are looked through for the one before that tried files.
const RUNS_BEFORE: u32 = 20;

/// The code of runs and probes that a proxy did not let through for want of a good password.
const PROXY_WANTS_MORE: &str = "UssCommunicationError/ProxyAuthenticationRequired";

/// What was found, for those who ask.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Goes with the questions this server asks itself, so that one it must refuse is no line of the log.
    pub(crate) own_mark: Guid,
    /// What the endpoints last did.
    pub(crate) tested: Mutex<Option<SelfTest>>,
    /// The commands and programs that said their version, so that each is logged once.
    pub(crate) clients: Mutex<BTreeSet<(IpAddr, String)>>,
    /// Somebody may have seen to files that did not come.
    seen_to: Notify,
}

impl Watch {
    pub(crate) fn new(own_mark: Guid) -> Self {
        Self { own_mark, tested: Mutex::default(), clients: Mutex::default(), seen_to: Notify::new() }
    }

    /// A file came another way than by a synchronization or was lost, or another choice of files or updates was made: the
    /// alerts about files may begin or be over.
    pub(crate) fn files_seen_to(&self) {
        self.seen_to.notify_one();
    }
}

/// Looks until told to stop.
pub(crate) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut wait = AFTER_START;
    loop {
        let due = Instant::now() + wait;
        loop {
            let look_at_files = tokio::select! {
                _ = stop.wait_for(|stopping| *stopping) => return,
                () = tokio::time::sleep_until(due) => false,
                () = app.watch.seen_to.notified() => true,
            };
            if !look_at_files {
                break;
            }
            // Files are added one after the other, and decided about many at once.
            tokio::select! {
                _ = stop.wait_for(|stopping| *stopping) => return,
                () = tokio::time::sleep(TOGETHER) => {}
            }
            end_about_files(&app).await;
            let now = app.clock.now();
            on_store(&app, move |store| lost::judge(store, now)).await;
        }
        wait = HOURLY;
        tokio::select! {
            _ = stop.wait_for(|stopping| *stopping) => return,
            () = look(&app) => {}
        }
    }
}

/// One look at everything.
pub(crate) async fn look(app: &Arc<App>) {
    test_endpoints(app).await;
    probe_failing(app).await;
    let now = app.clock.now();
    on_store(app, move |store| password_expires(store, now)).await;
    on_store(app, move |store| unfetched(store, now)).await;
    on_store(app, move |store| lost::judge(store, now)).await;
    on_store(app, move |store| unusable::judge(store, now)).await;
    on_store(app, move |store| untold::judge(store, now)).await;
    on_store(app, move |store| ring::judge(store, now)).await;
    on_store(app, move |store| twins::judge(store, now)).await;
    if let Some(files @ 1..) = on_store(app, move |store| store.forget_wanted_files(now)).await {
        tracing::info!(
            files,
            "no server below has asked for files for 90 days, so they are no longer fetched for one"
        );
    }
}

/// Ends the alert about files that do not come when none is missing any more; the next run or look would too.
pub(crate) async fn end_about_files(app: &Arc<App>) {
    let now = app.clock.now();
    on_store(app, move |store| {
        let kind = AlertKind::FilesFailing;
        if !store.alerts()?.iter().any(|alert| alert.kind == kind.as_str()) {
            return Ok(());
        }
        let still = missing::failing(store)?.is_some()
            || missing::unfetched(store)?.is_some()
            || store.awaited_files()?.is_some();
        if still { Ok(()) } else { store.end_alert(kind, now).map(|_| ()) }
    })
    .await;
}

/// Without an upstream no run ever tells that files are missing.
fn unfetched(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    if store.upstream_settings().source.is_some() {
        return Ok(());
    }
    let text = missing::unfetched(store)?.map(|missing| {
        format!(
            "{} wanted here and not here, and no upstream is set to fetch them from; the first: `{}`; add them with \
             `sluicegate content add` or `sluicegate import … --content DIR`",
            missing::are(missing.files),
            missing.first
        )
    });
    settle(store, AlertKind::FilesFailing, text, now)
}

/// Asks every endpoint, keeps the result and raises or ends the alert.
pub(crate) async fn test_endpoints(app: &Arc<App>) -> SelfTest {
    let tested = self_test::run(app).await;
    *app.watch.tested.lock() = Some(tested.clone());
    let (now, trouble) = (app.clock.now(), tested.trouble());
    on_store(app, move |store| settle(store, AlertKind::Endpoints, trouble, now)).await;
    tested
}

/// Tries an upstream again whose last synchronization failed: its administrator hears of a lasting failure, and
/// that it is over, without waiting for the next run.
async fn probe_failing(app: &Arc<App>) {
    let settings = UpstreamSettings::clone(&app.store.upstream_settings());
    if settings.source.is_none() || app.synchronizer.status().running {
        return;
    }
    let last = on_store(app, |store| Ok(store.sync_history(1)?.pop())).await.flatten();
    if last.is_some_and(|run| run.outcome == RunOutcome::Failed) {
        let probed = app.synchronizer.probe(settings).await;
        after_probe(app, probed.err().as_ref()).await;
    }
}

/// Draws conclusions from a probe of the upstream as it is set.
pub(crate) async fn after_probe(app: &Arc<App>, failure: Option<&SyncError>) {
    let (now, failure) = (app.clock.now(), failure.map(|error| (error.code().to_owned(), error.to_string())));
    on_store(app, move |store| match &failure {
        Some((code, sentence)) => judge_failure(store, code, sentence, now),
        None => judge_success(store, now),
    })
    .await;
}

/// Draws conclusions from the synchronization that has just ended.
pub(crate) async fn after_run(app: &Arc<App>) {
    let now = app.clock.now();
    on_store(app, move |store| {
        let Some(last) = store.sync_history(1)?.pop() else { return Ok(()) };
        judge_here(store, &last, now)?;
        lost::judge(store, now)?;
        unusable::judge(store, now)?;
        untold::judge(store, now)?;
        ring::judge(store, now)?;
        match last.outcome {
            RunOutcome::Succeeded => judge_success(store, now),
            RunOutcome::Failed => judge_failure(
                store,
                &last.error_code.unwrap_or_default(),
                &last.error_text.unwrap_or_default(),
                now,
            ),
            RunOutcome::Running | RunOutcome::Cancelled | RunOutcome::Interrupted => Ok(()),
        }
    })
    .await;
}

/// Another upstream, or none: what is known of the one before says nothing of it.
pub(crate) fn forget_upstream(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    store.end_alert(AlertKind::UpstreamFailing, now)?;
    store.end_alert(AlertKind::FilesFailing, now)?;
    unusable::judge(store, now)?;
    untold::judge(store, now)?;
    ring::judge(store, now)?;
    store.end_alert(AlertKind::ProxyPassword, now).map(|_| ())
}

/// Raises or ends the alerts about what only a run can tell: that it failed here, and that files do not come. A probe of
/// the upstream says nothing of either.
fn judge_here(store: &Store, last: &SyncRun, now: Timestamp) -> Result<(), StoreError> {
    let code = last.error_code.as_deref().unwrap_or_default();
    let sentence = last.error_text.as_deref().unwrap_or_default();
    match last.outcome {
        RunOutcome::Succeeded => {
            // One for categories only may not have come to what failed.
            if standing::failure(store, false, false)?.is_none() {
                store.end_alert(AlertKind::SynchronizationFailing, now)?;
            }
            if missing::says_of_files(last) {
                judge_files(store, last, now)?;
            }
        }
        // The upstream answered, so that it is well again says nothing of these.
        RunOutcome::Failed if is_about_the_way(code) && missing::failed_at_files(last) => {
            let text = format!("the last synchronization could not fetch files ({code}): {sentence}");
            store.hold_alert(AlertKind::FilesFailing, &text, now)?;
        }
        RunOutcome::Failed if !is_about_the_way(code) => {
            let text = format!("the last synchronization failed ({code}): {sentence}");
            store.hold_alert(AlertKind::SynchronizationFailing, &text, now)?;
        }
        _ => {}
    }
    Ok(())
}

/// Files that do not come for once are tried again. Somebody has to see to it when not one came, and when some did not
/// come in the run before either.
fn judge_files(store: &Store, last: &SyncRun, now: Timestamp) -> Result<(), StoreError> {
    let counts = &last.counts;
    let kind = AlertKind::FilesFailing;
    let reason = last.about_files();
    if counts.files_failed == 0 {
        // They may still wait for their next attempt.
        return match missing::failing(store)? {
            None => store.end_alert(kind, now).map(|_| ()),
            Some(still) => {
                let text =
                    format!("{} wanted here and did not come: {}", missing::are(still.files), still.first);
                store.hold_alert(kind, &text, now).map(|_| ())
            }
        };
    }
    let failed = match counts.files_failed {
        1 => "1 file".to_owned(),
        many => format!("{many} files"),
    };
    if counts.files == 0 {
        let text = format!("the last synchronization tried {failed}, and none came: {reason}");
        return store.hold_alert(kind, &text, now).map(|_| ());
    }
    let also_before = store.sync_history(RUNS_BEFORE)?.into_iter().skip(1).find(missing::says_of_files);
    if also_before.is_some_and(|run| run.upstream == last.upstream && run.counts.files_failed > 0) {
        let text =
            format!("{failed} did not come in the last synchronization, as in the one before: {reason}");
        return store.hold_alert(kind, &text, now).map(|_| ());
    }
    store.end_alert(kind, now).map(|_| ())
}

/// The way to the upstream was open, for a run or for a probe: ends the alerts about it. What a run failed with behind
/// that way stands until a run overcomes it.
fn judge_success(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    store.end_alert(AlertKind::ProxyPassword, now)?;
    let kind = AlertKind::UpstreamFailing;
    let Some(run) = standing::failure(store, true, true)? else {
        return store.end_alert(kind, now).map(|_| ());
    };
    // A probe that failed may have put its own sentence there. Where no alert stands, as since another way was set or
    // somebody acknowledged it, there is nothing to say again.
    if store.alerts()?.iter().any(|alert| alert.kind == kind.as_str()) {
        let (code, sentence) = (run.error_code.unwrap_or_default(), run.error_text.unwrap_or_default());
        store.hold_alert(kind, &standing::of_the_way(&code, &sentence), now)?;
    }
    Ok(())
}

/// Raises the alerts about the way to the upstream that a failure says something of.
fn judge_failure(store: &Store, code: &str, sentence: &str, now: Timestamp) -> Result<(), StoreError> {
    // Only a proxy's refusal says something about the password.
    if code == PROXY_WANTS_MORE
        && let Some(known) = &store.upstream_settings().proxy.credentials
    {
        let user = &known.user;
        let text = format!("a proxy does not let this server in with the stored user `{user}`: {sentence}");
        store.hold_alert(AlertKind::ProxyPassword, &text, now)?;
    }
    // A full disk here is not the upstream's failure, and no sign that it works either: `judge_here` tells it.
    if is_about_the_way(code) {
        store.hold_alert(AlertKind::UpstreamFailing, &standing::of_the_way(code, sentence), now)?;
    }
    Ok(())
}

/// Raises or ends the alert about a password whose last day an administrator told.
pub(crate) fn password_expires(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    let settings = store.upstream_settings();
    let user = settings.proxy.credentials.as_ref().map(|known| known.user.as_str());
    let text = match (settings.proxy.password_expires, user) {
        (Some(at), Some(user)) if now.plus_seconds(DAYS_AHEAD * 86_400) >= at => {
            let day = at.iso().chars().take(10).collect::<String>();
            let verb = if now >= at { "expired" } else { "expires" };
            Some(format!(
                "the password of `{user}` for the proxy {verb} on {day}; give the new one with `sluicegate upstream set \
                 … --proxy-password-file FILE --proxy-password-expires DATE`"
            ))
        }
        _ => None,
    };
    settle(store, AlertKind::ProxyPasswordExpires, text, now)
}

pub(crate) fn settle(
    store: &Store,
    kind: AlertKind,
    text: Option<String>,
    now: Timestamp,
) -> Result<(), StoreError> {
    match text {
        Some(text) => store.hold_alert(kind, &text, now).map(|_| ()),
        None => store.end_alert(kind, now).map(|_| ()),
    }
}

/// Runs something that blocks; a failure is for the log, the next look tries again.
async fn on_store<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Option<T> {
    let store = app.store.clone();
    match tokio::task::spawn_blocking(move || work(&store)).await {
        Ok(Ok(done)) => Some(done),
        Ok(Err(error)) => {
            tracing::warn!(%error, "what was found cannot be written down as an alert");
            None
        }
        Err(error) => {
            tracing::warn!(%error, "looking after the server failed");
            None
        }
    }
}

#[cfg(test)]
#[path = "watching_tests.rs"]
mod tests;
